"""Visits: what is due by which rhythm, and what is recorded of a visit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import households, incidents, visits
from data.base import access, db, settings
from data.base.access import Actor
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.grids import UnlocatedReason
from data.households import Household
from data.incidents import Incident
from data.visits import DueState, Manner, Outcome, Visit, due
from tests.city import City

TODAY = date(2026, 3, 18)


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def home(city: City, grid: str = "A1", recorded: date = date(2025, 12, 1), **values: Any) -> Household:
    """A household that was recorded on a day."""
    others = city.session.scalar(select(func.count()).select_from(Household)) or 0
    household = city.household(grid, **{"room": str(101 + others)} | values)
    household.created_at = datetime(recorded.year, recorded.month, recorded.day, 4, tzinfo=UTC)
    city.session.flush()
    return household


def met(city: City, household: Household, on: date, **values: Any) -> Visit:
    """A visit in the morning of a day, by the system."""
    at = datetime(on.year, on.month, on.day, 2, tzinfo=UTC)
    given = {"uuid": uuid4(), "outcome": Outcome.MET, "at": at} | values
    return visits.record(city.session, access.SYSTEM, household, **given)


def dues(city: City, actor: Actor = access.SYSTEM, **wanted: Any) -> dict[int, Any]:
    """What is due on the 18th of March, by household."""
    query = due.selection(actor, visits.Filter(**{"on": TODAY} | wanted))
    return {row.id: row for row in city.session.execute(query)}


def test_an_ordinary_household_is_visited_every_half_year_and_called_every_quarter(city: City) -> None:
    household = home(city)
    met(city, household, date(2025, 12, 20))
    row = dues(city)[household.id]
    assert (row.visit_on, row.call_on) == (date(2026, 6, 20), date(2026, 3, 20))
    assert (row.due_on, row.manner) == (date(2026, 3, 20), "call")
    met(city, household, date(2026, 2, 1), manner=Manner.CALL)
    row = dues(city)[household.id]
    assert (row.visit_on, row.call_on) == (date(2026, 6, 20), date(2026, 5, 1))


def test_a_special_household_is_visited_every_quarter_and_called_every_month(city: City) -> None:
    household = home(city)
    met(city, household, date(2026, 1, 31))
    households.join_group(city.session, access.SYSTEM, household, "empty_nest", first=date(2026, 3, 1))
    row = dues(city)[household.id]
    assert (row.visit_on, row.call_on, row.due_on) == (date(2026, 4, 30), date(2026, 2, 28), date(2026, 2, 28))
    before = dues(city, on=date(2026, 2, 20))[household.id]
    assert before.call_on == date(2026, 4, 30), "it did not belong to the group yet"


def test_who_was_never_met_is_due_a_rhythm_after_it_was_recorded(city: City) -> None:
    household = home(city, recorded=date(2025, 9, 10))
    row = dues(city)[household.id]
    assert (row.visit_on, row.call_on, row.met_at) == (date(2026, 3, 10), date(2025, 12, 10), None)


def test_a_visit_that_is_due_soon_is_done_instead_of_a_call(city: City) -> None:
    household = home(city, recorded=date(2025, 9, 25))
    met(city, household, date(2025, 12, 20), manner=Manner.CALL)
    row = dues(city)[household.id]
    assert (row.visit_on, row.call_on, row.manner) == (date(2026, 3, 25), date(2026, 3, 20), "visit")


def test_nobody_home_is_a_try_and_nothing_else(city: City) -> None:
    household = home(city)
    met(city, household, date(2025, 12, 20))
    before = dues(city)[household.id]
    for day, outcome in ((10, Outcome.NOBODY), (12, Outcome.DECLINED)):
        met(city, household, date(2026, 3, day), outcome=outcome)
    row = dues(city)[household.id]
    assert (row.due_on, row.met_at, row.tries) == (before.due_on, before.met_at, 2)
    met(city, household, date(2026, 3, 14))
    assert dues(city)[household.id].tries == 0


def test_what_a_community_says_holds_there_and_what_a_group_has_of_its_own_holds_for_it(city: City) -> None:
    session, beside = city.session, City.make(city.session, "310101001002", beside=city, name="书院里社区")
    here, there = home(city), home(beside)
    for household in (here, there):
        met(city, household, date(2026, 1, 10))
        households.join_group(session, access.SYSTEM, household, "empty_nest", first=date(2026, 1, 1))
        households.join_group(session, access.SYSTEM, household, "low_income", first=date(2026, 1, 1))
    assert dues(city)[here.id].visit_on == dues(city)[there.id].visit_on == date(2026, 4, 10)
    say = {"community_id": city.community.id, "manner": Manner.VISIT}
    visits.set_rhythm(session, access.SYSTEM, who="special", every_months=2, **say)
    assert (dues(city)[here.id].visit_on, dues(city)[there.id].visit_on) == (date(2026, 3, 10), date(2026, 4, 10))
    visits.set_rhythm(session, access.SYSTEM, who="empty_nest", every_months=1, **say)
    assert dues(city)[here.id].visit_on == date(2026, 2, 10), "the shortest of its groups"
    visits.set_rhythm(session, access.SYSTEM, who="empty_nest", every_months=0, **say)
    assert dues(city)[here.id].visit_on == date(2026, 3, 10), "0 does not ask for it; the other group still does"
    visits.set_rhythm(session, access.SYSTEM, who="special", every_months=None, **say)
    visits.set_rhythm(session, access.SYSTEM, who="empty_nest", every_months=None, **say)
    assert dues(city)[here.id].visit_on == date(2026, 4, 10)


def test_a_rhythm_of_nothing_asks_for_nothing(city: City) -> None:
    household = home(city)
    for manner in Manner:
        visits.set_rhythm(
            city.session, access.SYSTEM, community_id=city.community.id, who="ordinary", manner=manner, every_months=0
        )
    row = dues(city)[household.id]
    assert (row.due_on, visits.state_of(row.due_on, TODAY)) == (None, DueState.NEVER)
    assert list(dues(city, states=[DueState.NEVER])) == [household.id]


def test_the_counts_are_those_of_the_lists(city: City) -> None:
    for day, grid in ((date(2025, 9, 1), "A1"), (date(2025, 12, 20), "A1"), (date(2026, 3, 1), "B2")):
        met(city, home(city, grid), day)
    counts = visits.counts(city.session, access.SYSTEM, visits.Filter(on=TODAY))
    assert (counts.overdue, counts.soon, counts.later, counts.never) == (1, 1, 1, 0)
    for state in DueState:
        assert len(dues(city, states=[state])) == getattr(counts, state)
    assert len(dues(city, grid=city.grids["A1"].code)) == 2
    assert len(dues(city, manner=Manner.CALL)) + len(dues(city, manner=Manner.VISIT)) == 3


def test_a_household_that_moves_is_due_in_its_new_grid_and_the_visit_stays_with_the_old_one(city: City) -> None:
    household = home(city)
    visit = met(city, household, date(2025, 12, 20))
    other = home(city, "C3")
    households.change(city.session, access.SYSTEM, household, dwelling_id=other.dwelling_id)
    assert household.id in dues(city, grid=city.grids["C3"].code)
    assert household.id not in dues(city, grid=city.grids["A1"].code)
    assert visit.grid_id == city.grids["A1"].id


def test_it_is_due_by_the_day_of_the_community_not_of_utc(city: City) -> None:
    household = home(city)
    met(city, household, TODAY, at=datetime(2025, 12, 19, 16, 30, tzinfo=UTC))
    assert settings.get().timezone == "Asia/Shanghai"
    assert dues(city)[household.id].call_on == date(2026, 3, 20)


def plain(city: City, household: Household, said: dict[tuple[int | None, str, str], int]) -> tuple[Any, ...]:
    """When a household is due on the 18th of March, worked out step by step from what is recorded."""
    session, zone = city.session, ZoneInfo(settings.get().timezone)
    recorded = list(session.scalars(select(Visit).where(Visit.household_id == household.id)))
    upto = [visit for visit in recorded if visit.at.astimezone(zone).date() <= TODAY]
    seen = [visit for visit in upto if visit.outcome == Outcome.MET]
    codes = {row.group_code for row in households.memberships(session, household.id) if TODAY in row.valid}

    def months(who: str, manner: str) -> int | None:
        return said.get((household.community_id, who, manner), said.get((None, who, manner)))

    days = []
    for manner, met_so in ((Manner.VISIT, [visit for visit in seen if visit.manner == "visit"]), (Manner.CALL, seen)):
        own = [months(code, manner) for code in codes]
        each = [months("special", manner) if often is None else often for often in own] if codes else []
        often = min((number for number in each if number), default=None) if codes else months("ordinary", manner)
        last = max((visit.at for visit in met_so), default=household.created_at).astimezone(zone).date()
        days.append((pd.Timestamp(last) + pd.DateOffset(months=often)).date() if often else None)
    last_met = max((visit.at for visit in seen), default=None)
    tries = sum(v.outcome != Outcome.MET and (last_met is None or v.at > last_met) for v in upto)
    return *days, last_met, tries, codes


@pytest.mark.parametrize("seed", range(6))
def test_what_is_due_stays_right_over_visits_moves_groups_grids_and_rules(city: City, seed: int) -> None:
    session, random = city.session, Random(seed)
    homes = [home(city, random.choice(list(city.grids)), date(2025, random.randint(1, 12), 5)) for _ in range(8)]
    leader = city.actor("grid_leader", city.grids["A1"])
    said = {(rule.community_id, rule.who, rule.manner): rule.every_months for rule in visits.rhythms(session, None)}

    def visit(household: Household) -> None:
        day = date(2025, 1, 1) + timedelta(days=random.randrange(445))
        met(city, household, day, manner=random.choice(list(Manner)), outcome=random.choice(list(Outcome)))

    def take_back(household: Household) -> None:
        if known := visits.latest(session, access.SYSTEM, household.id, 1):
            visits.remove(session, access.SYSTEM, visits.get(session, access.SYSTEM, known[0].id))

    def change_group(household: Household) -> None:
        if known := households.memberships(session, household.id):
            households.leave_group(session, access.SYSTEM, household, known[0].id)
        else:
            first = TODAY + timedelta(days=random.randint(-90, 5))
            group = random.choice(["empty_nest", "low_income"])
            households.join_group(session, access.SYSTEM, household, group, first=first)

    def move(household: Household) -> None:
        other = random.choice(homes)
        households.change(session, access.SYSTEM, household, dwelling_id=other.dwelling_id)

    def change_grid(_household: Household) -> None:
        building = city.buildings[random.choice(list(city.grids))]
        building.grid_id = random.choice([None, *(grid.id for grid in city.grids.values())])
        building.unlocated_reason = None if building.grid_id else UnlocatedReason.NO_PLACE
        session.flush()

    def change_rule(_household: Household) -> None:
        who, manner = random.choice(["ordinary", "special", "empty_nest"]), random.choice(list(Manner))
        often = random.choice([None, 0, 1, 4])
        visits.set_rhythm(
            session, access.SYSTEM, community_id=city.community.id, who=who, manner=manner, every_months=often
        )
        said.pop((city.community.id, who, manner), None)
        if often is not None:
            said[city.community.id, who, manner] = often

    for _step in range(12):
        for _change in range(4):
            random.choice([visit, visit, take_back, change_group, move, change_grid, change_rule])(random.choice(homes))
        rows = dues(city)
        for household in homes:
            row = rows[household.id]
            ours = (row.visit_on, row.call_on, row.met_at, row.tries, set(row.groups or ()))
            assert ours == plain(city, household, said)
        mine = {row.id for row in rows.values() if row.grid_code == city.grids["A1"].code}
        with session.begin_nested() as savepoint:
            db.enter(session, leader)
            assert set(dues(city, leader)) == mine, "what is filtered, and the wall under it, go with the building"
            assert set(session.scalars(select(Household.id))) == mine, "the wall alone"
            assert {visit.household_id for visit in session.scalars(select(Visit))} <= mine
            savepoint.rollback()


def test_a_visit_that_is_sent_twice_is_one(city: City) -> None:
    household, uuid = home(city), uuid4()
    visit = met(city, household, date(2026, 3, 1), uuid=uuid, said="想学用手机")
    again = met(city, household, date(2026, 3, 2), uuid=uuid, said="别的")
    row = visits.latest(city.session, access.SYSTEM, household.id, 1)[0]
    assert (again.id, row.said) == (visit.id, "想学用手机")
    with pytest.raises(Conflict, match="another household"):
        met(city, home(city), date(2026, 3, 1), uuid=uuid)
    assert city.session.scalar(select(func.count()).select_from(Visit)) == 1


def test_what_they_ask_for_becomes_a_case_at_their_house_and_may_be_settled_at_once(city: City) -> None:
    household = home(city)
    asked = {"category_code": "facility.corridor_light", "description": "三楼灯不亮"}
    visit = met(city, household, date(2026, 3, 1), request=asked)
    case = city.session.get_one(Incident, visit.incident_id)
    assert (case.source, case.step, case.grid_id) == ("visit", "reported", city.grids["A1"].id)
    assert case.building_id == city.buildings["A1"].id
    assert households.linked.cases(city.session, household.id) == [case.id], "it is about the household"
    leader = city.actor("grid_leader", city.grids["A1"])
    settled = visits.record(
        city.session, leader, household, uuid=uuid4(), outcome=Outcome.MET, request=asked, answer="换了灯泡"
    )
    case = city.session.get_one(Incident, settled.incident_id)
    assert (case.step, case.tier) == ("closed", "grid")
    incidents.get(city.session, leader, case.id)


@pytest.mark.parametrize("more", [{"said": "话"}, {"card": True}, {"request": {"category_code": "x"}}])
def test_who_was_not_met_says_nothing_and_takes_nothing(city: City, more: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="Only who was met"):
        met(city, home(city), date(2026, 3, 1), outcome=Outcome.NOBODY, **more)


def test_what_changed_at_the_door_is_written_into_the_archive_field_by_field(city: City) -> None:
    household = home(city, phone="13800000001")
    member = city.resident(household, workplace="旧厂")
    leader = city.actor("grid_leader", city.grids["A1"])
    asked: dict[str, Any] = {"outcome": Outcome.MET, "resident_id": member.id}

    def record(facts: dict[str, str | None], **more: Any) -> Visit:
        with city.session.begin_nested():
            return visits.record(city.session, leader, household, uuid=uuid4(), facts=facts, **{**asked, **more})

    record({"phone": "13800000002"})
    assert (household.phone, member.workplace) == ("13800000002", "旧厂")
    record({"workplace": "临江小学"})
    assert (household.phone, member.workplace) == ("13800000002", "临江小学")
    with pytest.raises(Invalid, match="masked"):
        record({"phone": "138****0002"})
    with pytest.raises(Invalid, match="Say who was met"):
        record({"workplace": "学校"}, resident_id=None)
    with pytest.raises(Invalid, match="Only who was met"):
        record({"phone": "13800000003"}, outcome=Outcome.NOBODY, resident_id=None)
    assert household.phone == "13800000002"


def test_who_was_met_is_a_member_of_the_household(city: City) -> None:
    household, other = home(city), home(city)
    member, stranger = city.resident(household), city.resident(other)
    assert met(city, household, date(2026, 3, 1), resident_id=member.id).resident_id == member.id
    with pytest.raises(Invalid, match="no member"):
        met(city, household, date(2026, 3, 1), resident_id=stranger.id)


@pytest.mark.parametrize("at", [datetime(1999, 12, 31, tzinfo=UTC), datetime.now(UTC) + timedelta(hours=1)])
def test_a_visit_lies_between_2000_and_now(city: City, at: datetime) -> None:
    with pytest.raises(Invalid, match="between 2000 and now"):
        met(city, home(city), TODAY, at=at)


def test_a_leader_visits_the_own_grid_alone(city: City) -> None:
    mine, theirs = home(city), home(city, "B2")
    leader = city.actor("grid_leader", city.grids["A1"])
    visit = visits.record(city.session, leader, mine, uuid=uuid4(), outcome=Outcome.MET)
    with pytest.raises(NotFound):
        visits.record(city.session, leader, theirs, uuid=uuid4(), outcome=Outcome.MET)
    assert set(dues(city, leader)) == {mine.id}
    visits.remove(city.session, leader, visit)
    foreign = met(city, mine, date(2026, 3, 1))
    with pytest.raises(Forbidden):
        visits.remove(city.session, leader, foreign)
    visits.remove(city.session, city.actor("community_staff", city.community), foreign)


def test_what_was_said_is_encrypted_and_goes_with_the_household(city: City) -> None:
    household = home(city)
    met(city, household, date(2026, 3, 1), said="老伴住院了")
    raw = city.session.connection().exec_driver_sql("SELECT said FROM diary_entry").scalar_one()
    assert "老伴".encode() not in bytes(raw)
    household.head_id = None
    for member in households.members(city.session, access.SYSTEM, household.id):
        households.remove_resident(city.session, access.SYSTEM, member)
    households.remove(city.session, access.SYSTEM, household)
    assert city.session.scalar(select(func.count()).select_from(Visit)) == 0


def test_a_rhythm_is_arranged_by_the_community_for_groups_that_there_are(city: City) -> None:
    staff, leader = city.actor("community_staff", city.community), city.actor("grid_leader", city.grids["A1"])
    say: dict[str, Any] = {"community_id": city.community.id, "who": "ordinary", "manner": Manner.VISIT}
    visits.set_rhythm(city.session, staff, every_months=4, **say)
    assert [rhythm.every_months for rhythm in visits.rhythms(city.session, city.community.id)] == [4]
    with pytest.raises(NotFound):
        visits.set_rhythm(city.session, leader, every_months=4, **say)
    with pytest.raises(Forbidden):
        visits.set_rhythm(city.session, staff, every_months=4, **say | {"community_id": None})
    with pytest.raises(visits.RhythmNotFound):
        visits.set_rhythm(city.session, staff, every_months=4, **say | {"who": "nobody"})
    with pytest.raises(Invalid, match="0 to 60"):
        visits.set_rhythm(city.session, staff, every_months=61, **say)
