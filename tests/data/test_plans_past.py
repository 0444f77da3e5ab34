"""Past days after boundaries were redrawn: what was counted for a grid then is counted for it still."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import geopandas as gpd
import pytest

from data import grids, hotspots, incidents, plans, stats
from data.base import access, settings
from data.exchange import exporting
from data.hotspots.gathering import Place, gather
from data.incidents import State
from data.stats import Figures
from tests.city import City, degrees, rectangle

NOW = settings.today


@pytest.fixture
def city(session) -> City:
    """Where A1 (100 m wide) has three cases of past days, of which two lie in what B1 will get, one of them settled."""
    city = City.make(session)
    past = datetime.combine(NOW() - timedelta(days=10), time(4), UTC)
    city.incident(20, 20, reported_at=past)
    city.incident(80, 20, reported_at=past, number="gone")
    city.incident(80, 80, reported_at=past, state=State.CLOSED, closed_at=past + timedelta(days=1))
    city.household("A1")
    session.flush()
    return city


def redraw(city: City, edge: float, *, days_ago: int = 0) -> None:
    """The edge between A1 and B1 goes to so many metres from the west."""
    shapes = grids.shapes(city.session, city.community.id)
    shapes[city.grids["A1"].id] = rectangle(0, 0, edge, 100)
    shapes[city.grids["B1"].id] = rectangle(edge, 0, 200 - edge, 100)
    day = NOW() - timedelta(days=days_ago)
    grids.divide(city.session, access.SYSTEM, city.community, shapes, valid_from=day)
    city.session.expire_all()


def figures(city: City) -> tuple[Figures, Figures]:
    """Of A1 and B1, as parts of the community; each the same as when it is asked for alone."""
    days = {"first": NOW() - timedelta(days=30), "last": NOW()}
    whole = stats.of(city.session, access.SYSTEM, unit=city.community, **days)
    parts = {part.name: part.figures for part in whole.parts}
    for name, part in parts.items():
        alone = stats.of(city.session, access.SYSTEM, unit=city.grids[name], **days)
        assert alone.figures == part
        assert sum(step.new for step in alone.steps) == part.new
        for wanted in ({"unit": city.grids[name].code}, {"grid": city.grids[name].code}):
            listed = incidents.Filter(first=days["first"], last=days["last"], **wanted)
            assert sum(incidents.counts(city.session, access.SYSTEM, listed).values()) == part.new
    assert sum(part.new for part in parts.values()) == whole.figures.new
    assert sum(part.open for part in parts.values()) == whole.figures.open
    return parts["A1"], parts["B1"]


def test_new_cases_of_past_days_stay_with_the_grid_that_had_them_and_open_ones_go_over(city: City) -> None:
    before = figures(city)
    assert [(one.new, one.open, one.solved) for one in before] == [(3, 2, 1), (0, 0, 0)]
    redraw(city, 60)
    assert [(one.new, one.open, one.solved) for one in figures(city)] == [(3, 1, 1), (0, 1, 0)]
    redraw(city, 100)
    assert figures(city) == before


def test_what_was_reported_after_the_boundaries_changed_counts_with_the_grid_of_that_day(city: City) -> None:
    late = datetime.combine(NOW() - timedelta(days=1), time(4), UTC)
    city.incident(80, 50, reported_at=late)
    city.session.flush()
    redraw(city, 60, days_ago=3)
    assert [one.new for one in figures(city)] == [3, 1]


def test_a_case_whose_place_is_corrected_counts_where_it_was(city: City) -> None:
    redraw(city, 60)
    gone = incidents.by_number(city.session, access.SYSTEM, city.community.id, "gone")
    lon, lat = degrees(150, 20)
    incidents.move(city.session, access.SYSTEM, gone, lon=lon, lat=lat)
    assert [one.new for one in figures(city)] == [2, 1]


def test_hotspots_of_past_days_have_the_boundaries_and_the_grids_of_those_days(city: City) -> None:
    day = NOW() - timedelta(days=5)
    asked = hotspots.Params(community=city.community.code, first=day - timedelta(days=20), last=day)
    a = city.grids["A1"].id

    def held() -> tuple[int, int, float]:
        found = gather(city.session, access.SYSTEM, asked, Place([city.community]))
        area = found.areas[found.grid_ids.index(a)].area
        return int((found.cases.grid_ids == a).sum()), int((found.houses.grid_ids == a).sum()), round(area)

    before = held()
    redraw(city, 40)
    assert held() == before
    assert before[:2] == (3, 1)


def test_a_file_of_a_past_day_has_the_grids_of_that_day(city: City, tmp_path: Path) -> None:
    def grid(as_of: int) -> str:
        target = tmp_path / f"{as_of}.geojson"
        day = NOW() - timedelta(days=as_of)
        exporting.stream(city.session, access.SYSTEM, "incidents", city.community, target, format="geojson", as_of=day)
        return str(gpd.read_file(target).set_index("number").loc["gone", "grid_name"])

    redraw(city, 60, days_ago=2)
    assert [grid(days) for days in (3, 2, 0)] == ["A1", "B1", "B1"]


def test_a_plan_that_takes_effect_leaves_past_days_alone(city: City) -> None:
    before = figures(city)
    shapes = grids.shapes(city.session, city.community.id)
    shapes[city.grids["A1"].id] = rectangle(0, 0, 60, 100)
    shapes[city.grids["B1"].id] = rectangle(60, 0, 140, 100)
    plans.enact(city.session, access.SYSTEM, city.community, shapes, name="导入")
    city.session.expire_all()
    assert [one.new for one in figures(city)] == [one.new for one in before]
