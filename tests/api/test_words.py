"""Words of closed lists: every code has one, and a field means what its table means by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import pytest

from api.base import words
from data import buildings, grids, households, incidents, locating, reminders, rounds, teams, units
from data.base import language
from data.incidents import words as incident_words


@pytest.mark.parametrize(
    ("codes", "names"),
    [
        (buildings.BuildingKind, buildings.kind_names),
        (buildings.Use, buildings.use_names),
        (households.Status, households.words.status_names),
        (incidents.Action, incident_words.actions),
        (incidents.Level, incident_words.levels),
        (incidents.State, incident_words.states),
        (incidents.Step, incident_words.steps),
        (incidents.Tier, incident_words.tiers),
        (grids.LocatedBy, locating.how_names),
        (grids.UnlocatedReason, locating.reason_names),
        (reminders.Kind, reminders.kind_names),
        (rounds.Rhythm, rounds.rhythm_names),
        (teams.Post, teams.post_names),
        (units.Level, units.level_names),
    ],
)
def test_every_code_of_a_closed_list_has_a_word(codes: type[StrEnum], names: Callable[[], Mapping[str, str]]) -> None:
    for spoken in language.LANGUAGES:
        with language.using(spoken):
            assert set(names()) == {code.value for code in codes}
            assert all(names().values())


def test_a_field_means_what_its_table_means_by_it() -> None:
    with language.using("en"):
        assert words.codes("building", "kind")["residential"] == "Residential"
        assert words.codes("asset", "kind") == {}
        assert words.codes("reminder_rule", "kind")["overdue"] == "Overdue"
        assert words.codes("incident", "level")["building"] == "Building"
        assert words.codes("unit", "level")["district"] == "District"
        assert words.codes("tenancy", "status") == {}
        assert words.codes("resident", "sex")
        shown = words.changes("asset", {"kind": ["other", "light"]}, {})
    assert [(change["before"], change["after"]) for change in shown] == [("other", "light")]


def test_a_row_and_a_piece_of_one_are_named_by_the_same_function() -> None:
    piece = {"name_zh": "网格", "name_en": "Grid"}
    for spoken, name in (("zh", "网格"), ("en", "Grid")):
        with language.using(spoken):
            assert language.named(piece) == name
            assert language.named(incidents.Category(**piece)) == name
