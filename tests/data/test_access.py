"""Who sees what: areas, permissions, and row-level security as the second wall."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from data import buildings, grids, households, incidents, panels, units
from data.base import access, audit, db
from data.base.errors import Forbidden, NotFound
from tests.city import City

TABLES = [
    buildings.Building,
    buildings.Dwelling,
    households.Household,
    households.Resident,
    incidents.Incident,
    units.Unit,
    grids.Division,
]


@pytest.fixture
def city(session: Session) -> City:
    city = City.make(session)
    for grid in ("A1", "B2", "C3"):
        city.household(grid)
    city.incident(50, 50)
    city.incident(150, 150)
    return city


def test_a_grid_leader_sees_only_the_own_grid(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])

    seen = city.session.scalars(access.visible(select(buildings.Building), leader, buildings.Building)).all()
    assert [building.grid_id for building in seen] == [city.grids["A1"].id]
    homes = city.session.scalars(access.visible(select(households.Household), leader, households.Household)).all()
    assert [home.number for home in homes] == ["WT-A1-101"]
    with pytest.raises(NotFound):
        buildings.get(city.session, leader, city.buildings["B2"].id)


@pytest.mark.parametrize("role", ["grid_leader", "community_staff", "supervisor", "analyst", "building_warden"])
@pytest.mark.parametrize("place", ["grid", "community", "elsewhere"])
def test_row_level_security_lets_through_exactly_what_visible_lets_through(city: City, role: str, place: str) -> None:
    other = City.make(city.session, "310102001001")
    other.household("A1", number="other")
    unit = {"grid": city.grids["B2"], "community": city.community, "elsewhere": other.community}[place]
    actor = city.actor(role, unit)
    for table in TABLES:
        key = table.__table__.primary_key.columns[0]  # type: ignore[attr-defined]
        allowed = set(city.session.scalars(access.visible(select(key), actor, table)))
        savepoint = city.session.begin_nested()
        db.enter(city.session, actor)
        behind_the_wall = set(city.session.scalars(select(key)))
        savepoint.rollback()
        if table is units.Unit:  # names of units are no secret
            continue
        assert allowed <= behind_the_wall, table
        if actor.may(table.__read__):
            assert allowed == behind_the_wall, table


def test_without_an_area_nothing_gets_through_row_level_security(city: City) -> None:
    city.session.execute(text("SET LOCAL ROLE wangge_app"))
    assert city.session.scalars(select(households.Resident)).all() == []
    assert city.session.scalars(select(buildings.Building)).all() == []


def test_a_planner_counts_people_whom_the_wall_does_not_let_through(city: City) -> None:
    planner = city.actor("planner", city.grids["B2"])
    db.enter(city.session, planner)
    rows = select(func.count()).select_from(households.Resident)
    with db.counting(city.session, planner) as counter:
        assert city.session.scalar(rows) == 1
        assert city.session.scalar(access.visible(rows, counter, households.Resident)) == 1
    assert city.session.scalar(rows) == 0
    assert city.session.scalar(access.visible(rows, planner, households.Resident)) == 0
    there = panels.people(city.session, planner, buildings.Building.grid_id == city.grids["B2"].id)
    assert there == panels.People(households=1, special_households=None, residents=1)
    elsewhere = panels.people(city.session, planner, buildings.Building.grid_id == city.grids["A1"].id)
    assert (elsewhere.households, elsewhere.residents) == (0, 0)


def test_who_may_not_count_people_counts_none(city: City) -> None:
    analyst = city.actor("analyst", city.community)
    assert analyst.counter is analyst
    with db.counting(city.session, analyst) as counter:
        assert not counter.may(access.PEOPLE)


def test_the_audit_cannot_be_changed_by_the_application(city: City) -> None:
    staff = city.actor("administrator", None)
    db.enter(city.session, staff)
    with pytest.raises(ProgrammingError, match="permission denied"):
        city.session.execute(text("DELETE FROM audit"))


def test_unmasking_needs_a_purpose_and_is_recorded(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    home = city.session.scalars(access.visible(select(households.Household), leader, households.Household)).one()
    resident = households.members(city.session, leader, home.id)[0]

    shown = households.unmask(city.session, leader, resident, "电话核对住址")

    assert shown["name"] == "李小明"
    row = audit.history(city.session, leader, "resident", resident.id)[-1]
    assert (row.action, row.purpose) == ("unmask", "电话核对住址")


def test_whoever_may_not_unmask_is_told_so(city: City) -> None:
    officer = city.actor("information_officer", city.grids["A1"])
    home = city.session.scalars(access.visible(select(households.Household), officer, households.Household)).one()
    with pytest.raises(Forbidden):
        households.unmask(city.session, officer, home, "好奇而已")


def test_encrypted_fields_are_not_readable_in_the_database(city: City) -> None:
    home = city.household("A2")
    person = city.resident(home, name="张三", identity_number="11010519491231002X")
    city.session.expire(person)
    stored = city.session.scalar(text("SELECT identity_number FROM resident WHERE id = :id"), {"id": person.id})
    assert b"110105" not in bytes(stored)
    assert person.identity_number == "11010519491231002X"


def test_the_history_of_a_record_says_what_changed_but_not_the_secret(city: City) -> None:
    home = city.household("A3")
    households.change(city.session, access.SYSTEM, home, phone="13800006021", note="常年在家")
    row = audit.history(city.session, access.SYSTEM, "household", home.id)[-1]
    assert row.changes["note"] == [None, "常年在家"]
    assert row.changes["phone"] == [None, audit.HIDDEN]


def test_the_database_itself_tells_of_cases_of_a_household_who_may_see_the_household(city: City) -> None:
    home, case = city.household("A1", room="909"), city.incident(20, 20)
    households.linked.link(city.session, access.SYSTEM, home, case.id)
    count = select(func.count()).select_from(households.HouseholdIncident)
    seen = {}
    for role, grid in (("grid_leader", "A1"), ("grid_leader", "B2"), ("analyst", "A1")):
        actor, savepoint = city.actor(role, city.grids[grid]), city.session.begin_nested()
        db.enter(city.session, actor)
        seen[role, grid] = city.session.scalar(count)
        savepoint.rollback()
    assert seen == {("grid_leader", "A1"): 1, ("grid_leader", "B2"): 0, ("analyst", "A1"): 0}
