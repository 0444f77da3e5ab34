"""Standing in: the work of whoever is away goes to somebody else by itself, and comes back by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from data import accounts, incidents, notifications, teams, today, units
from data.accounts import Account
from data.base import settings
from data.base.access import SYSTEM, Actor
from data.base.errors import Forbidden, Invalid
from data.incidents import Action
from data.teams import Post
from tests.city import City


@pytest.fixture
def city(session: object) -> City:
    return City.make(session)  # type: ignore[arg-type]


def leader(city: City, grid: str) -> Account:
    """Who leads a grid."""
    account = city.account("grid_leader", city.grids[grid], f"leader.{grid}")
    teams.appoint(city.session, SYSTEM, city.grids[grid], post=Post.LEADER, name=account.name, account_id=account.id)
    return account


def away(city: City, grid: str, absent: Account, deputy: Account, first: int, last: int) -> accounts.StandIn:
    """Somebody is away, for days counted from today."""
    day = settings.today()
    return accounts.stand_in(
        city.session,
        SYSTEM,
        city.grids[grid],
        account_id=absent.id,
        deputy_id=deputy.id,
        first=day + timedelta(days=first),
        last=day + timedelta(days=last),
    )


def acting(city: City, account: Account) -> Actor:
    """An account as it may act today."""
    return accounts.actor(city.session, account)


def told(city: City, account: Account) -> int:
    """How much an account was told."""
    query = select(func.count()).where(notifications.Notification.account_id == account.id)
    return city.session.scalar(query) or 0


def test_work_goes_to_the_stand_in_and_comes_back_by_itself(city: City) -> None:
    absent, deputy = leader(city, "A1"), leader(city, "B1")
    here, there = city.grids["A1"].id, city.grids["B1"].id
    assert today.own_grids(acting(city, deputy)) == {there}
    standing = away(city, "A1", absent, deputy, -1, 3)
    assert today.own_grids(acting(city, deputy)) == {here, there}
    assert {grid.id for grid in today.of(city.session, acting(city, deputy)).grids} == {here, there}
    case = city.incident(50, 50)
    incidents.act(city.session, SYSTEM, case, Action.TRIAGE, tier=incidents.Tier.GRID)
    # It stays with the post; who stands in is told of it, and does it.
    assert case.assignee_id == absent.id
    before = told(city, deputy)
    assert (told(city, absent), before > 0) == (0, True)
    incidents.act(city.session, acting(city, deputy), case, Action.START)
    assert case.step == "in_progress"
    accounts.end_stand_in(city.session, SYSTEM, standing.id)
    assert today.own_grids(acting(city, deputy)) == {there}
    with pytest.raises((Forbidden, units.UnitNotFound, incidents.IncidentNotFound)):
        incidents.get(city.session, acting(city, deputy), case.id)
    later = city.incident(55, 55)
    incidents.act(city.session, SYSTEM, later, Action.TRIAGE, tier=incidents.Tier.GRID)
    assert (told(city, absent), told(city, deputy)) == (before, before)


def test_days_that_are_over_or_to_come_change_nothing(city: City) -> None:
    absent, deputy = leader(city, "A1"), leader(city, "B1")
    away(city, "A1", absent, deputy, -9, -1)
    away(city, "A1", absent, deputy, 1, 5)
    assert today.own_grids(acting(city, deputy)) == {city.grids["B1"].id}


def test_nobody_is_stood_in_for_twice_on_one_day(city: City) -> None:
    absent, deputy, third = (leader(city, grid) for grid in ("A1", "B1", "C1"))
    away(city, "A1", absent, deputy, 0, 5)
    with pytest.raises(IntegrityError, match="ex_stand_in_valid"), city.session.begin_nested():
        away(city, "A1", absent, third, 5, 8)
    away(city, "A1", absent, third, 6, 8)


def test_only_somebody_of_the_community_stands_in_for_somebody_who_has_a_role_there(city: City) -> None:
    absent = leader(city, "A1")
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    stranger = leader(elsewhere, "A2")
    with pytest.raises(Invalid):
        away(city, "A1", absent, stranger, 0, 1)
    with pytest.raises(Invalid):
        away(city, "B1", absent, leader(city, "C1"), 0, 1)


def test_what_is_lent_is_no_more_than_the_absent_one_has_there(city: City) -> None:
    warden, deputy = city.account("building_warden", city.grids["A1"], "warden"), leader(city, "B1")
    away(city, "A1", warden, deputy, 0, 1)
    area = acting(city, deputy).area("household.read")
    had = accounts.actor(city.session, warden).area("household.read")
    assert area.covers(city.community.id, city.grids["A1"].id) == had.covers(city.community.id, city.grids["A1"].id)
    assert not acting(city, deputy).area("incident.edit").covers(city.community.id, city.grids["A1"].id)


def test_standing_in_ends_in_the_database(city: City) -> None:
    absent, deputy = leader(city, "A1"), leader(city, "B1")
    values = {
        "c": city.community.id,
        "g": city.grids["A1"].id,
        "a": absent.id,
        "d": deputy.id,
        "first": settings.today(),
    }
    for_good = text(
        "INSERT INTO stand_in (community_id, grid_id, account_id, deputy_id, valid) "
        "VALUES (:c, :g, :a, :d, daterange(:first, NULL))"
    )
    with pytest.raises(IntegrityError, match="ck_stand_in_ends"), city.session.begin_nested():
        city.session.execute(for_good, values)


def test_nobody_lends_more_by_a_stand_in_than_they_have_there(city: City) -> None:
    supervisor, deputy = city.account("supervisor", city.grids["A1"]), leader(city, "B2")
    staff = city.actor("community_staff", city.community)
    asked = {"account_id": supervisor.id, "deputy_id": deputy.id, "first": settings.today(), "last": settings.today()}
    with pytest.raises(Forbidden, match="all of its permissions"):
        accounts.stand_in(city.session, staff, city.grids["A1"], **asked)
    administrator = city.actor("administrator", city.community)
    assert accounts.stand_in(city.session, administrator, city.grids["A1"], **asked).deputy_id == deputy.id
    own = {**asked, "account_id": leader(city, "A1").id}
    assert accounts.stand_in(city.session, staff, city.grids["A1"], **own).deputy_id == deputy.id
