"""Hotspots of a street: several communities in one run, and who sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data import coverage, hotspots, units
from data.base import access, db
from data.base.errors import Forbidden, Invalid, NotFound
from data.hotspots import HotspotCell, HotspotRun, Params
from tests.city import City, rectangle

SYSTEM = access.SYSTEM
NOW = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)


@pytest.fixture
def west(session: Session) -> City:
    """The usual city with a light at each building."""
    return lit(City.make(session))


@pytest.fixture
def east(west: City) -> City:
    """Another community of the same street, with broken lights all around the building of its grid B2."""
    city = lit(City.make(west.session, "310101001002", beside=west, name="银杏里社区"))
    for again, (dx, dy) in enumerate([(dx, dy) for dx in (-30, 0, 30) for dy in (-30, 0, 30)] * 2):
        city.incident(150 + dx, 150 + dy, reported_at=NOW - timedelta(days=again))
    return city


@pytest.fixture
def elsewhere(west: City) -> City:
    """A community of another street of another district."""
    return lit(City.make(west.session, "310102001001"))


def lit(city: City) -> City:
    """The city with a case at each building."""
    for name in city.buildings:
        city.incident("ABC".index(name[0]) * 100 + 50, (int(name[1]) - 1) * 100 + 50, reported_at=NOW)
    return city


def asked(city: City) -> Params:
    """A run over the last 30 days of the street."""
    return Params(unit=city.street.code, first=date(2026, 2, 16), last=date(2026, 3, 17), rings=1, permutations=9_999)


def test_a_street_is_looked_at_as_a_whole(west: City, east: City) -> None:
    east.household("B2")
    session = west.session
    run = hotspots.run(session, SYSTEM, asked(west))
    assert (run.community_id, run.unit_id) == (None, west.street.id)
    assert run.communities == [west.community.id, east.community.id]
    assert run.summary is not None
    assert run.summary["used"] == 9 + 9 + 18
    rows = hotspots.by_grid(run)
    assert [row["code"] for row in rows] == sorted(grid.code for city in (west, east) for grid in city.grids.values())
    (second,) = [row for row in rows if row["grid_id"] == east.grids["B2"].id]
    assert (second["name"], second["cases"], second["households"]) == ("银杏里社区 B2", 19, 1)
    (spot,) = hotspots.spots(run)
    assert spot["grids"][0]["name"] == "银杏里社区 B2"
    held = session.execute(
        select(func.sum(HotspotCell.cases), func.sum(HotspotCell.households)).where(HotspotCell.run_id == run.id)
    ).one()
    assert tuple(held) == (36, 1)
    names = {cell.grid_name for cell in hotspots.cells(session, run)}
    assert {"梧桐里社区 A1", "银杏里社区 C3"} <= names


def test_a_case_counts_the_same_in_its_community_and_in_the_street(west: City, east: City) -> None:
    whole = hotspots.run(west.session, SYSTEM, asked(west))
    parts = [
        hotspots.run(west.session, SYSTEM, replace(asked(west), unit=None, community=city.community.code))
        for city in (west, east)
    ]
    counted = {row["grid_id"]: row["cases"] for one in parts for row in hotspots.by_grid(one)}
    assert {row["grid_id"]: row["cases"] for row in hotspots.by_grid(whole)} == counted


def test_the_street_sees_its_run_and_nobody_of_a_part_of_it_or_of_another_street(
    west: City, east: City, elsewhere: City
) -> None:
    session = west.session
    street, other = west.actor("supervisor", west.street), elsewhere.actor("supervisor", elsewhere.street)
    staff = west.actor("community_staff", west.community)
    with db.transaction(street, session.connection()) as inside:
        run = hotspots.run(inside, street, asked(west))
        assert run.summary is not None
        assert run.summary["used"] == 36
        assert hotspots.get(inside, street, run.id).id == run.id
        assert hotspots.run(inside, street, asked(west)).id == run.id
        run_id = run.id
    for actor in (other, staff):
        with db.transaction(actor, session.connection()) as inside:
            with pytest.raises(NotFound):
                hotspots.get(inside, actor, run_id)
            # The second wall: also without a condition of ours there is nothing.
            for table in (HotspotRun, HotspotCell):
                assert inside.scalar(select(func.count()).select_from(table)) == 0
            assert inside.execute(hotspots.selection(actor)).all() == []
    with db.transaction(other, session.connection()) as inside, pytest.raises((Forbidden, NotFound)):
        hotspots.run(inside, other, asked(west))


def test_who_may_analyse_one_community_of_a_street_gets_that_one(west: City, east: City) -> None:
    session = west.session
    staff = west.actor("community_staff", west.community)
    leader = west.actor("grid_leader", west.grids["A1"])
    with db.transaction(staff, session.connection()) as inside:
        run = hotspots.run(inside, staff, asked(west))
        assert run.communities == [west.community.id]
        assert run.summary is not None
        assert (run.summary["used"], run.summary["outside"]) == (9, 0)
    with db.transaction(leader, session.connection()) as inside, pytest.raises(Forbidden):
        hotspots.run(inside, leader, asked(west))


def test_a_run_needs_one_place(west: City) -> None:
    for wrong in (
        replace(asked(west), community=west.community.code),
        replace(asked(west), unit=None),
        replace(asked(west), grid=west.grids["A1"].code),
    ):
        with pytest.raises(Invalid, match="which community"):
            hotspots.run(west.session, SYSTEM, wrong)
    with pytest.raises(NotFound, match="no street or district"):
        hotspots.run(west.session, SYSTEM, replace(asked(west), unit=west.community.code))


def test_a_street_is_measured_in_the_system_that_most_of_its_communities_have(west: City, east: City) -> None:
    third = units.add(
        west.session,
        SYSTEM,
        level=units.Level.COMMUNITY,
        code="310101001003",
        name="水杉里社区",
        parent=west.street,
        metric_crs="EPSG:4548",
    )
    assert units.metric_crs([third, west.community, east.community]) == west.community.metric_crs
    assert units.metric_crs([third]) == "EPSG:4548"
    assert units.metric_crs([]) == units.DEFAULT_METRIC_CRS
    run = hotspots.run(west.session, SYSTEM, asked(west))
    area = west.session.scalar(
        select(func.sum(func.ST_Area(func.geography(HotspotCell.geom)))).where(HotspotCell.run_id == run.id)
    )
    assert run.summary is not None
    assert area == pytest.approx(run.summary["cells"] * run.summary["cell_area_m2"], rel=0.001)


def test_a_street_compares_with_the_days_before_and_with_what_patrols_passed(west: City, east: City) -> None:
    session = west.session
    run = hotspots.run(session, SYSTEM, asked(west))
    assert any(row["change"] == "more" for row in hotspots.compare(session, SYSTEM, run))
    place = hotspots.place_of(session, SYSTEM, run)
    assert (place.ids, place.crs) == ([west.community.id, east.community.id], west.community.metric_crs)
    ground = rectangle(300, 0, 300, 300)
    missed = hotspots.unpatrolled(session, run, place.crs, [(ground, False)])
    assert missed
    assert {row.grid_id for row in missed} <= {grid.id for grid in east.grids.values()}
    assert not hotspots.unpatrolled(session, run, place.crs, [(ground, True)])
    days = coverage.Filter(first=date(2026, 3, 1), last=date(2026, 3, 17), communities=(east.community.id,))
    items = coverage.of(session, SYSTEM, days)
    assert {item.community_id for item in items} == {east.community.id}
    assert len(items) == 9


def test_a_run_over_a_street_is_new_when_a_community_joins_it(west: City) -> None:
    one = hotspots.run(west.session, SYSTEM, asked(west))
    lit(City.make(west.session, "310101001002", beside=west))
    two = hotspots.run(west.session, SYSTEM, asked(west))
    assert one.id != two.id
    assert len(two.communities) == 2


def test_what_runs_looked_at_before_streets_could_be_is_kept(west: City) -> None:
    run = hotspots.run(west.session, SYSTEM, replace(asked(west), unit=None, community=west.community.code))
    west.session.execute(text("UPDATE hotspot_run SET params = params - 'unit' WHERE id = :id"), {"id": run.id})
    west.session.expire_all()
    found = hotspots.get(west.session, SYSTEM, run.id)
    assert Params.from_json(found.params).unit is None
