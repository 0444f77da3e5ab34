"""A walk within the minutes one has: what matters most, never longer, in the own grids alone."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.orm import Session

from data import households, rounds, walks
from data.base import access, db
from data.base.errors import Invalid
from tests.city import City
from tests.data.test_visits import home, met

TODAY = date(2026, 3, 18)


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def within(city: City, minutes: int, **asked: object) -> walks.Walk:
    """A walk of the system on the 18th of March."""
    given = {"actor": access.SYSTEM, "community": city.community, "on": TODAY} | asked
    actor = given.pop("actor")
    return walks.within(city.session, actor, minutes, **given)  # type: ignore[arg-type]


def test_what_is_overdue_and_special_comes_before_what_is_only_due(city: City) -> None:
    plain, overdue, special = (home(city, grid) for grid in ("A1", "B1", "C1"))
    for household, day in ((plain, date(2025, 12, 25)), (overdue, date(2025, 9, 1)), (special, date(2025, 12, 25))):
        met(city, household, day)
    households.join_group(city.session, access.SYSTEM, special, "empty_nest", first=date(2025, 1, 1))
    walk = within(city, 12)
    assert {door.household.id for stop in walk.stops for door in stop.doors if door.household} == {
        overdue.id,
        special.id,
    }
    assert [door.household.id for door in walk.left if door.household] == [plain.id]
    assert walk.minutes <= 12
    assert walk.proven
    assert not walk.on_streets
    assert walk.line is not None


def test_what_speaks_for_a_door_is_added_up(city: City) -> None:
    household, other = home(city), home(city)
    for each in (household, other):
        met(city, each, date(2025, 12, 10))
    about, at_building = city.incident(50, 50), city.incident(50, 50, building_id=city.buildings["A1"].id)
    about.building_id = city.buildings["A1"].id
    city.session.flush()
    households.linked.link(city.session, access.SYSTEM, household, about.id)
    rounds.add(
        city.session,
        access.SYSTEM,
        community_id=city.community.id,
        name="晨巡",
        building_ids=[city.buildings["A1"].id, city.buildings["B1"].id],
    )
    (stop,) = within(city, 60).stops
    case, *homes = stop.doors
    by_id = {door.household.id: door for door in homes if door.household}
    assert by_id[household.id].value == by_id[other.id].value + walks.OWN_CASE
    assert [row.id for row in by_id[household.id].cases] == [about.id]
    assert case.case is not None
    assert case.case.id == at_building.id, "a case that is about no household here is a door of its own"
    assert all(door.on_round for door in stop.doors)


def test_it_begins_where_one_says_and_says_how_far_it_is(city: City) -> None:
    met(city, home(city, "A1"), date(2025, 9, 1))
    assert within(city, 20).stops[0].minutes == 0
    (stop,) = within(city, 20, start=city.buildings["C3"].id).stops
    assert stop.minutes == pytest.approx(8**0.5 * 100 * walks.DETOUR / walks.METRES_A_MINUTE, rel=0.01)


def test_a_leader_walks_in_the_own_grid_also_where_the_walls_alone_decide(city: City) -> None:
    mine, theirs = home(city, "A1"), home(city, "B2")
    for household in (mine, theirs):
        met(city, household, date(2025, 9, 1))
    city.incident(50, 50, building_id=city.buildings["A1"].id)
    city.incident(150, 150, building_id=city.buildings["B2"].id)
    leader = city.actor("grid_leader", city.grids["A1"])
    with city.session.begin_nested() as savepoint:
        db.enter(city.session, leader)
        walk = within(city, 240, actor=leader)
        savepoint.rollback()
    assert [stop.building_id for stop in walk.stops] == [city.buildings["A1"].id]
    assert not walk.left
    assert [stop.building_id for stop in within(city, 240, grid=city.grids["B2"].code).stops] == [
        city.buildings["B2"].id
    ]


def test_where_nothing_is_due_there_is_no_walk_and_nonsense_is_refused(city: City) -> None:
    met(city, home(city), date(2026, 3, 17))
    assert within(city, 40) == walks.Walk()
    with pytest.raises(Invalid, match="10 to 240"):
        within(city, 5)
    with pytest.raises(Invalid, match="not on the map"):
        within(city, 40, start=999_999)
