"""Events of people: what follows from them, how they are undone, and what lists and numbers of any day tell."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from data import buildings, households, movements, panels, summary
from data.base import access, settings
from data.base.audit import Audit
from data.base.errors import Forbidden, Invalid, NotFound
from data.buildings import Building
from data.households import Household, Resident, homes, residents
from data.movements import Filter, Kind, Movement, NotAgain, Person, Reach
from data.visits import due
from tests.city import City


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def happens(city: City, kind: Kind, days_ago: int = 0, actor: access.Actor = access.SYSTEM, **values: Any) -> Movement:
    on = settings.today() - timedelta(days=days_ago)
    return movements.record(city.session, actor, uuid=uuid4(), kind=kind, on=on, **values)[0]


def here(city: City, **wanted: Any) -> set[int]:
    query = residents.selection(access.SYSTEM, residents.Filter(**wanted))
    return {row.id for row in city.session.execute(query)}


def lived_in(city: City, **wanted: Any) -> set[int]:
    return {row.id for row in city.session.execute(homes.selection(access.SYSTEM, homes.Filter(**wanted)))}


def people_in_summary(city: City) -> tuple[int, int]:
    found = summary.summarise(city.session, access.SYSTEM, city.community.id)
    return found["households"], found["residents"]


def family(city: City, grid: str = "A1", **values: Any) -> tuple[Household, Resident, Resident, Resident]:
    home = city.household(grid, **values)
    head = city.session.get_one(Resident, home.head_id)
    head.relation = "02"
    spouse = city.resident(home, name="王芳", relation="10")
    child = city.resident(home, name="李小宝", relation="20")
    city.session.flush()
    return home, head, spouse, child


def test_who_dies_or_moves_out_is_counted_no_more_and_the_household_goes_on_under_a_new_head(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    home, head, spouse, child = family(city)
    died = happens(city, Kind.DIED, 3, leader, resident_ids=[head.id])
    assert (home.head_id, spouse.relation, home.closed_on) == (spouse.id, "02", None)
    assert here(city) == {spouse.id, child.id}
    assert here(city, left=True) == {head.id}
    assert here(city, on=settings.today() - timedelta(days=4)) == {head.id, spouse.id, child.id}
    assert people_in_summary(city) == (1, 2)
    assert panels.people(city.session, leader, Building.grid_id == city.grids["A1"].id).residents == 2
    assert [one.id for one in households.members(city.session, leader, home.id)] == [spouse.id, child.id]
    gone = happens(city, Kind.MOVED_OUT, 1, leader, resident_ids=[spouse.id, child.id], reach=Reach.CITY, place="杭州")
    assert home.closed_on == settings.today() - timedelta(days=1)
    assert (lived_in(city), here(city), people_in_summary(city)) == (set(), set(), (0, 0))
    assert lived_in(city, closed=True) == {home.id}
    assert lived_in(city, on=settings.today() - timedelta(days=2)) == {home.id}
    assert city.session.execute(due.selection(access.SYSTEM)).all() == [], "no visit is due"
    with pytest.raises(NotAgain, match="already"):
        happens(city, Kind.DIED, 0, leader, resident_ids=[head.id])
    with pytest.raises(NotAgain, match="Undo that first"):
        movements.undo(city.session, leader, died)
    movements.undo(city.session, leader, gone)
    movements.undo(city.session, leader, died)
    assert (home.closed_on, home.head_id, spouse.relation) == (None, head.id, "10")
    assert here(city) == {head.id, spouse.id, child.id}
    assert city.session.execute(movements.selection(leader)).all() == []
    assert len(city.session.execute(movements.selection(leader, Filter(undone=True))).all()) == 3
    with pytest.raises(NotAgain, match="already"):
        movements.undo(city.session, leader, died)
    audited = select(Audit.action).where(Audit.record_kind == "movement")
    assert {*city.session.scalars(audited)} == {"create", "update"}


def test_a_tenancy_ends_when_its_last_tenant_leaves(city: City) -> None:
    home, head, spouse, child = family(city)
    dwelling = city.session.get_one(buildings.Dwelling, home.dwelling_id)
    first = settings.today() - timedelta(days=300)
    tenancy = households.add_tenancy(
        city.session, access.SYSTEM, dwelling, first=first, landlord_name="赵大", tenant_ids=[head.id, spouse.id]
    )
    happens(city, Kind.MOVED_OUT, 20, resident_ids=[head.id])
    assert tenancy.valid.upper is None
    gone = happens(city, Kind.MOVED_OUT, 10, resident_ids=[spouse.id, child.id])
    assert tenancy.valid.upper == settings.today() - timedelta(days=10)
    movements.undo(city.session, access.SYSTEM, gone)
    assert tenancy.valid.upper is None


def test_people_come_are_born_move_within_marry_and_come_back(city: City) -> None:
    home, head, spouse, child = family(city)
    born = happens(city, Kind.BORN, 5, household_id=home.id, person=Person(name="李小贝", sex="2", relation="30"))
    baby = city.session.get_one(Resident, born.resident_id)
    assert (baby.born_on, baby.household_id) == (settings.today() - timedelta(days=5), home.id)
    assert baby.id not in here(city, on=settings.today() - timedelta(days=6))
    empty = buildings.add_dwelling(city.session, access.SYSTEM, city.buildings["B2"], unit="1", floor=2, room="201")
    new = happens(city, Kind.MOVED_IN, 4, dwelling_id=empty.id, person=Person(name="赵新"), reach=Reach.ELSEWHERE)
    theirs = city.session.get_one(Household, new.household_id)
    assert (theirs.dwelling_id, theirs.head_id, new.grid_id) == (empty.id, new.resident_id, city.grids["B2"].id)
    moved = happens(city, Kind.MOVED, 3, resident_ids=[spouse.id], dwelling_id=empty.id)
    assert (spouse.household_id, moved.from_household_id) == (theirs.id, home.id)
    other = buildings.add_dwelling(city.session, access.SYSTEM, city.buildings["C3"], unit="1", floor=2, room="201")
    happens(city, Kind.MOVED, 2, resident_ids=[head.id, child.id, baby.id], dwelling_id=other.id)
    assert (home.dwelling_id, home.closed_on) == (other.id, None)
    wed = happens(city, Kind.MARRIED, 1, resident_ids=[spouse.id])
    assert spouse.marital_status == "20"
    happens(city, Kind.MOVED_OUT, 1, resident_ids=[child.id])
    back = happens(city, Kind.MOVED_IN, 0, resident_ids=[child.id], dwelling_id=other.id)
    assert (child.household_id, child.left_on, back.grid_id) == (home.id, None, city.grids["C3"].id)
    counted = {one.name: one for one in movements.counts(city.session, access.SYSTEM)}
    assert (counted["A1"].born, counted["A1"].went) == (1, 4)
    assert (counted["B2"].moved_in, counted["B2"].came, counted["C3"].came) == (1, 1, 3)
    assert (counted["C3"].moved_out, counted["C3"].moved_in, counted["C3"].change) == (1, 1, 3)
    assert movements.total(list(counted.values())).change == 2
    only = movements.counts(city.session, access.SYSTEM, Filter(grid=city.grids["A1"].code, last=moved.happened_on))
    assert [(one.name, one.born, one.went) for one in only] == [("A1", 1, 1)]
    day = settings.today() - timedelta(days=10)
    assert movements.population(city.session, access.SYSTEM, city.community, day) == 3
    assert movements.population(city.session, access.SYSTEM, city.community, settings.today()) == 5
    movements.undo(city.session, access.SYSTEM, wed)
    assert spouse.marital_status is None
    movements.undo(city.session, access.SYSTEM, moved)
    assert (spouse.household_id, spouse.relation) == (home.id, "10")
    movements.undo(city.session, access.SYSTEM, new)
    assert city.session.get(Resident, theirs.head_id or 0) is None
    assert theirs.closed_on is not None


def test_what_cannot_be_is_refused_and_nobody_acts_where_they_may_not(city: City) -> None:
    home, head, _spouse, _child = family(city)
    tomorrow = settings.today() + timedelta(days=1)
    about: dict[str, Any] = {"kind": Kind.DIED, "resident_ids": [head.id]}
    with pytest.raises(Invalid, match="today"):
        movements.record(city.session, access.SYSTEM, uuid=uuid4(), on=tomorrow, **about)
    with pytest.raises(Invalid, match="whom"):
        happens(city, Kind.DIED)
    with pytest.raises(Invalid, match="household_id"):
        happens(city, Kind.BORN, person=Person(name="李"))
    with pytest.raises(Invalid, match="Say who"):
        happens(city, Kind.MOVED_IN, household_id=home.id)
    with pytest.raises(NotAgain, match="live here"):
        happens(city, Kind.MOVED_IN, household_id=home.id, resident_ids=[head.id])
    with pytest.raises(Invalid, match="there already"):
        happens(city, Kind.MOVED, resident_ids=[head.id], dwelling_id=home.dwelling_id)
    stranger = city.actor("grid_leader", city.grids["B2"])
    with pytest.raises(NotFound):
        happens(city, Kind.DIED, actor=stranger, resident_ids=[head.id])
    with pytest.raises(Forbidden):
        happens(city, Kind.DIED, actor=city.actor("supervisor", city.street), resident_ids=[head.id])
    key = uuid4()
    day = date(2026, 1, 5)
    once = movements.record(city.session, access.SYSTEM, uuid=key, on=day, **about)
    assert movements.record(city.session, access.SYSTEM, uuid=key, on=day, **about) == once
    assert city.session.execute(movements.selection(stranger)).all() == []
    with pytest.raises(NotFound):
        movements.get(city.session, stranger, once[0].id)
