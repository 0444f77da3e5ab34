"""Views are made by pure functions: what they say, what they draw, and what never leaves the house."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from data.base import language
from data.views.scenes import FEWEST, Case, Ground, Shape, Walk
from maps import offline
from maps.hotspots import heat_names
from maps.programs import Drawing
from maps.views import cases, hotspots, patrols
from maps.views.cases import Told
from maps.views.frame import Picture, place
from maps.views.hotspots import Found

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 18, 10, 0, tzinfo=ZONE)
SQUARE = {"type": "Polygon", "coordinates": [[[120, 30], [120.003, 30], [120.003, 30.003], [120, 30.003], [120, 30]]]}
GROUND = Ground(
    "here",
    "EPSG:4549",
    (30.0, 120.0, 30.003, 120.003),
    communities=[Shape(SQUARE, "community")],
    grids=[Shape(SQUARE, "grid", "Grid 1", id=1, at=(120.0015, 30.0015))],
    area_m2=90_000.0,
)
VIEWS = [cases.overview, cases.lights, cases.overdue, cases.timeline]


def case(number: int = 1, *, days: float = 10, home: bool = False, **values: Any) -> Case:
    given = {
        "id": number,
        "number": f"N{number}",
        "category_code": "facility.street_light",
        "category_zh": "路灯不亮",
        "category_en": "Street light broken",
        "state": "new",
        "overdue": True,
        "reported_at": NOW - timedelta(days=days),
        "due_at": NOW - timedelta(days=days - 5),
        "closed_at": None,
        "lon": 120.001,
        "lat": 30.001,
        "grid_id": 1,
        "grid_name": "Grid 1",
        "home": home,
    }
    return Case(**{**given, **values})


def told(*, shared: bool = False, first: date | None = date(2026, 3, 1)) -> Told:
    return Told(first, date(2026, 3, 18), "Source: here.", NOW, shared)


def config(picture: Picture) -> dict[str, Any]:
    """What the script is given."""
    drawing = next(child for child in picture.figure._children.values() if isinstance(child, Drawing))
    return drawing.config


def drawn(picture: Picture, kind: str) -> list[dict[str, Any]]:
    """The features of the layers of one kind, those of the ground left out."""
    ground = {"community", "grid", "landuse", "green", "water", "residential", "other"}
    return [
        feature
        for layer in config(picture)["layers"]
        if layer["kind"] == kind
        for feature in layer["features"]
        if feature["c"] not in ground
    ]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("count", [0, 3])
def test_every_view_has_a_title_a_sentence_a_period_a_source_and_a_legend(view: Any, count: int) -> None:
    picture = view(GROUND, [case(number) for number in range(count)], told())
    assert all((picture.title, picture.sentence, picture.period, picture.source, picture.legend))
    assert picture.sentence.endswith(".")
    with language.using("zh"):
        assert view(GROUND, [case(number) for number in range(count)], told()).sentence.endswith("。")
    parts = offline.parts(picture.figure)
    assert offline.outside([*parts.styles, *parts.scripts, *offline.fetched(parts.html)]) == []
    assert parts.scripts == ("/static/vendor/leaflet.js",)


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_of_homes_leaves_the_house_but_cells_with_enough_cases(view: Any) -> None:
    few = [case(number, home=True, lon=120.0011 + number / 1e6) for number in range(FEWEST - 1)]
    picture = view(GROUND, few, told(shared=True))
    assert drawn(picture, "mark") == []
    assert drawn(picture, "area") == []
    assert picture.left_out
    enough = [case(number, home=True) for number in range(FEWEST)]
    picture = view(GROUND, enough, told(shared=True))
    assert drawn(picture, "mark") == []
    assert len(drawn(picture, "area")) == 1
    assert "N1" not in json.dumps(config(picture))


@pytest.mark.parametrize("view", VIEWS)
def test_in_the_house_each_case_is_a_mark_and_in_public_also_outside(view: Any) -> None:
    both = [case(1, home=True), case(2, home=False)]
    assert len(drawn(view(GROUND, both, told()), "mark")) == 2
    outside = drawn(view(GROUND, both, told(shared=True)), "mark")
    assert len(outside) == 1
    assert "N2" not in outside[0]["t"]


def test_too_many_cases_become_cells() -> None:
    many = [case(number) for number in range(cases.MOST_MARKS + 1)]
    assert drawn(cases.overview(GROUND, many, told()), "mark") == []


def test_the_sentences_count_right() -> None:
    three = [case(1, days=40), case(2, days=3, overdue=False), case(3, state="closed", overdue=False)]
    assert (
        "2 lights are broken, most in Grid 1 (2), the oldest for 40 days."
        in cases.lights(GROUND, three, told()).sentence
    )
    assert cases.overdue(GROUND, three, told()).sentence.startswith("1 of 2 open cases is overdue")
    assert cases.overdue(GROUND, three, told()).table.rows == [["Grid 1", 1, 35]]
    assert cases.overview(GROUND, three, told()).table.rows == [["Grid 1", 2, 2]]


def test_a_case_is_seen_from_its_report_to_its_end() -> None:
    one = case(1, days=8, closed_at=NOW - timedelta(days=5), state="closed", overdue=False)
    picture = cases.timeline(GROUND, [one], told())
    (mark,) = drawn(picture, "mark")
    labels = config(picture)["steps"]["labels"]
    assert (labels[mark["a"]], labels[mark["b"] - 1]) == ("2026-03-10", "2026-03-13")
    counts: dict[Any, Any] = {row[0]: row[1] for row in picture.table.rows}
    assert (counts["2026-03-09"], counts["2026-03-10"], counts["2026-03-13"], counts["2026-03-14"]) == (0, 1, 1, 0)


@given(some.lists(some.tuples(some.floats(0, 60), some.none() | some.floats(0, 30)), max_size=30))
def test_the_bars_are_how_many_marks_are_seen(spans: list[tuple[float, float | None]]) -> None:
    made = [
        case(
            number,
            days=days,
            state="new" if lasts is None else "closed",
            closed_at=None if lasts is None else NOW - timedelta(days=days) + timedelta(days=lasts),
        )
        for number, (days, lasts) in enumerate(spans)
    ]
    picture = cases.timeline(GROUND, made, told())
    counts = config(picture)["steps"]["counts"]
    marks = drawn(picture, "mark")
    assert counts == [sum(mark["a"] <= step < mark["b"] for mark in marks) for step in range(len(counts))]


def test_the_script_of_a_file_stands_in_it() -> None:
    picture = cases.overview(GROUND, [case()], told())
    place(picture.figure, source="export function start(map, config) { draw(); }")
    script = offline.parts(picture.figure).script
    assert "import(" not in script
    assert "(() => { function start(map, config)" in script


def test_a_patrol_grows_step_by_step_and_nothing_of_it_is_missing() -> None:
    start = datetime(2026, 3, 18, 9, 0, tzinfo=ZONE)
    points = [(start + timedelta(minutes=2 * k), 120.001 + k / 10_000, 30.001) for k in range(11)]
    picture = patrols.replay(GROUND, date(2026, 3, 18), [Walk(1, "Grid 1", 95.0, [points])], told())
    lines = [one for one in drawn(picture, "line") if "a" in one]
    assert [one["a"] for one in lines] == list(range(2, 21, 2))
    labels = config(picture)["steps"]["labels"]
    assert (labels[0], labels[-1], len(labels)) == ("09:00", "09:20", 21)
    drawn_again = [tuple(place) for one in lines for place in one["g"]["coordinates"]]
    assert set(drawn_again) == {(round(lon, 6), lat) for _at, lon, lat in points}
    assert "1 patrol walked 0.1 km, from 09:00 to 09:20" in picture.sentence


def test_a_day_without_a_patrol_says_so() -> None:
    picture = patrols.replay(GROUND, date(2026, 3, 18), [], told())
    assert picture.sentence == "Nobody was on patrol on 2026-03-18."


def test_where_nothing_can_be_seen_it_is_not_known_whether_patrols_pass() -> None:
    square = '{"type": "Polygon", "coordinates": [[[120.001, 30], [120.002, 30], [120.002, 30.001], [120.001, 30]]]}'
    cell = SimpleNamespace(q=1, r=2, heat="hot_99", grid_name="Grid 1", cases=9, geojson=square)
    found = Found([cell], [], [], [], [], used=9, left_out=0, what=None)
    shown = {
        known: hotspots.unpatrolled(GROUND, found, missed, told(), "March", known=known)
        for known, missed in ((True, [cell]), (False, []))
    }
    assert shown[True].sentence == "1 of 1 hot cells was passed by no patrol in March; it lies in Grid 1."
    assert shown[False].sentence == "Whether patrols pass the 1 hot cell is not known: nothing there can be seen."
    labels = [row["label"] for row in shown[False].legend]
    assert "Hot, not known whether passed" in labels
    assert "Hot, patrols pass" not in labels


def test_the_legend_has_no_colour_twice() -> None:
    square = '{"type": "Polygon", "coordinates": [[[120.001, 30], [120.002, 30], [120.002, 30.001], [120.001, 30]]]}'
    heats = [heat for heat in heat_names() if heat != "none"]
    cells = [SimpleNamespace(heat=heat, grid_name="Grid 1", cases=9, geojson=square) for heat in heats]
    picture = hotspots.significant(GROUND, Found(cells, [], [], [], [], used=9, left_out=0, what=None), told())
    fills = [row["style"]["fill"] for row in picture.legend if row["label"].startswith(("Hot", "Cold"))]
    assert len(fills) == len(set(fills)) == 5
    assert len(drawn(picture, "area")) >= len(heats)


def test_among_several_communities_names_of_grids_wait_until_one_is_near() -> None:
    def kinds(*communities: Shape) -> list[str]:
        ground = replace(GROUND, communities=communities)
        return [label["k"] for label in config(cases.overview(ground, [], told()))["labels"]]

    assert kinds(Shape(SQUARE, "community", "West")) == ["grid"]
    there = (120.001, 30.001)
    assert kinds(Shape(SQUARE, "community", "West", at=there)) == ["community", "part"]
