"""Disputes: mediated in the house, by the grid, by the centre; agreements that are followed; what comes again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import disputes, grids, households
from data.base import access, settings
from data.base.access import Actor
from data.base.audit import Audit
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.disputes import Action, Dispute, DisputeParty, Filter, Kind, Level, Party, Step
from tests.city import City

TWO = (Party(name="李小明", phone="13812346021"), Party(name="王芳"))


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def dispute(city: City, grid: str = "A1", actor: Actor = access.SYSTEM, **values: Any) -> Dispute:
    given = {"uuid": uuid4(), "kind": Kind.NOISE, "parties": TWO, "building_id": city.buildings[grid].id}
    return disputes.report(city.session, actor, **given | values)


def leader_of(city: City, grid: str = "A1") -> Actor:
    return city.actor("grid_leader", city.grids[grid])


def test_it_climbs_from_the_house_to_the_grid_to_the_centre_and_from_there_to_a_court(city: City) -> None:
    leader, staff = leader_of(city), city.actor("community_staff", city.community)
    one = dispute(city, actor=leader)
    assert (one.level, one.step, one.grid_id) == (Level.BUILDING, Step.REPORTED, city.grids["A1"].id)
    with pytest.raises(disputes.NotNow):
        disputes.act(city.session, leader, one, Action.REFER, note="去法院")
    disputes.act(city.session, leader, one, Action.MEDIATE, note="没谈拢", mediators="楼栋员沈玉兰")
    disputes.act(city.session, leader, one, Action.CLIMB, note="楼里谈不拢")
    assert (one.level, one.step) == (Level.GRID, Step.MEDIATING)
    disputes.act(city.session, leader, one, Action.CLIMB, note="网格谈不拢")
    assert one.level == Level.COMMUNITY
    assert disputes.allowed(leader, one) == []
    with pytest.raises(Forbidden, match="community centre"):
        disputes.act(city.session, leader, one, Action.SETTLE, agreement="各让一步")
    assert Action.CLIMB not in disputes.allowed(staff, one)
    disputes.act(city.session, staff, one, Action.REFER, note="引导到司法所")
    assert one.ended_at is not None
    steps = disputes.steps(city.session, one)
    assert [(row.action, row.level) for row in steps] == [
        ("report", "building"),
        ("mediate", "building"),
        ("climb", "grid"),
        ("climb", "community"),
        ("refer", "community"),
    ]
    assert (steps[1].mediators, steps[1].note) == ("楼栋员沈玉兰", "没谈拢")
    disputes.act(city.session, staff, one, Action.REOPEN, note="又来了")
    assert (one.step, one.ended_at) == (Step.MEDIATING, None)


def test_the_table_is_whole() -> None:
    assert set(disputes.TRANSITIONS) == set(Step)
    assert {action for row in disputes.TRANSITIONS.values() for action in row} == set(Action) - {Action.REPORT}
    for step, row in disputes.TRANSITIONS.items():
        assert (Action.REOPEN in row) == (step not in disputes.OPEN)


@pytest.mark.parametrize(
    ("action", "values"),
    [(Action.MEDIATE, {}), (Action.CLIMB, {}), (Action.WITHDRAW, {}), (Action.SETTLE, {"note": "好了"})],
)
def test_what_an_action_needs_has_to_be_said(city: City, action: Action, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="Say"):
        disputes.act(city.session, access.SYSTEM, dispute(city), action, **values)


def test_of_two_who_act_at_once_the_second_is_told(city: City) -> None:
    one = dispute(city)
    disputes.act(city.session, access.SYSTEM, one, Action.MEDIATE, note="没谈拢", seen="reported")
    with pytest.raises(disputes.MovedOn):
        disputes.act(city.session, access.SYSTEM, one, Action.WITHDRAW, note="算了", seen="reported")


def test_an_agreement_is_followed_by_calls_and_closed_when_the_last_says_that_it_holds(city: City) -> None:
    leader = leader_of(city)
    at = datetime.now(UTC) - timedelta(days=10)
    one = dispute(city, actor=leader, at=at)
    disputes.act(city.session, leader, one, Action.SETTLE, agreement="晚十点后不跑跳", at=at, call_days=(7, 30))
    first, second = disputes.calls(city.session, one)
    (due,) = disputes.calls_due(city.session, leader)
    assert (due.id, due.dispute_id) == (first.id, one.id)
    assert disputes.calls_due(city.session, leader_of(city, "B2")) == []
    with pytest.raises(Invalid, match="what happened"):
        disputes.record_call(city.session, leader, one, first.id, holds=False)
    disputes.record_call(city.session, leader, one, first.id, holds=True)
    with pytest.raises(Conflict, match="already"):
        disputes.record_call(city.session, leader, one, first.id, holds=True)
    with pytest.raises(NotFound):
        disputes.record_call(city.session, leader, dispute(city), second.id, holds=True)
    assert one.step == Step.SETTLED
    disputes.record_call(city.session, leader, one, second.id, holds=True, note="没再吵")
    assert (one.step, one.ended_at is not None) == (Step.CLOSED, True)


def test_a_broken_agreement_is_mediated_again_and_nobody_calls_any_more(city: City) -> None:
    leader = leader_of(city)
    one = dispute(city, actor=leader)
    disputes.act(city.session, leader, one, Action.SETTLE, agreement="不再堵门")
    calls = disputes.calls(city.session, one)
    assert [(call.due_on - settings.today()).days for call in calls] == list(disputes.CALL_DAYS)
    disputes.record_call(city.session, leader, one, calls[0].id, holds=False, note="又堵了")
    assert (one.step, len(disputes.calls(city.session, one))) == (Step.MEDIATING, 1)
    assert [row.action for row in disputes.steps(city.session, one)] == ["report", "settle", "break"]


def test_who_is_in_dispute_is_encrypted_masked_and_shown_for_a_purpose_that_is_recorded(city: City) -> None:
    leader = leader_of(city)
    one = dispute(city, actor=leader, story="楼上夜里拖椅子")
    raw = city.session.connection().exec_driver_sql("SELECT phone, phone_index FROM dispute_party").all()
    assert all(b"13812346021" not in bytes(value or b"") for row in raw for value in row)
    story = city.session.connection().exec_driver_sql("SELECT story FROM dispute").scalar_one()
    assert "椅子".encode() not in bytes(story)
    person = disputes.parties(city.session, leader, one)[0]
    with pytest.raises(Invalid):
        disputes.unmask(city.session, leader, one, person.id, " ")
    with pytest.raises(Forbidden):
        disputes.unmask(city.session, city.actor("supervisor", city.street), one, person.id, "电话回访")
    with pytest.raises(NotFound):
        disputes.unmask(city.session, leader, dispute(city), person.id, "电话回访")
    assert disputes.unmask(city.session, leader, one, person.id, "电话回访")["phone"] == "13812346021"
    entry = city.session.scalars(select(Audit).where(Audit.action == "unmask")).one()
    assert (entry.purpose, entry.changes) == ("电话回访", {"fields": [None, ["name", "phone"]]})


@pytest.mark.parametrize(
    ("parties", "says"),
    [
        ([Party(name="李小明")], "2 to 10 parties"),
        ([Party(name="李**"), Party(name="王芳")], "masked"),
        ([Party(name="李小明", door="9-999"), Party(name="王芳")], "9-999"),
    ],
)
def test_parties_are_at_least_two_in_full_and_behind_doors_that_there_are(
    city: City, parties: list[Party], says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        dispute(city, parties=parties)
    assert city.session.scalar(select(func.count()).select_from(DisputeParty)) == 0


def test_a_dispute_that_is_sent_twice_is_one(city: City) -> None:
    leader, uuid = leader_of(city), uuid4()
    one = dispute(city, actor=leader, uuid=uuid)
    assert dispute(city, actor=leader, uuid=uuid).id == one.id
    with pytest.raises(Conflict):
        dispute(city, actor=leader, uuid=uuid, kind=Kind.LEAK)
    with pytest.raises(Conflict):
        dispute(city, actor=city.actor("community_staff", city.community), uuid=uuid)
    assert city.session.scalar(select(func.count()).select_from(DisputeParty)) == 2


def test_a_leader_sees_and_mediates_the_own_grid_alone(city: City) -> None:
    leader, theirs, mine = leader_of(city), dispute(city, "B2"), dispute(city)
    with pytest.raises(NotFound):
        disputes.get(city.session, leader, theirs.id)
    with pytest.raises(NotFound):
        dispute(city, "B2", leader)
    assert [row.id for row in city.session.execute(disputes.selection(leader))] == [mine.id]
    with pytest.raises(NotFound):
        disputes.act(city.session, leader, theirs, Action.MEDIATE, note="路过")
    with pytest.raises(Forbidden):
        disputes.remove(city.session, leader, mine)
    disputes.remove(city.session, city.actor("community_staff", city.community), mine)
    shapes = grids.shapes(city.session, city.community.id)
    first, second = city.grids["A1"].id, city.grids["B2"].id
    shapes[first], shapes[second] = shapes[second], shapes[first]
    grids.divide(city.session, access.SYSTEM, city.community, shapes, valid_from=settings.today())
    city.session.expire_all()
    assert disputes.get(city.session, leader, theirs.id), "whoever has the house now goes on with it"


def test_filters_counts_and_places(city: City) -> None:
    old = dispute(city, at=datetime(2026, 1, 31, 16, 30, tzinfo=UTC), kind=Kind.LEAK)
    new = dispute(city, "B2")
    disputes.act(city.session, access.SYSTEM, new, Action.WITHDRAW, note="误会")

    def ids(**wanted: Any) -> list[int]:
        return [row.id for row in city.session.execute(disputes.selection(access.SYSTEM, Filter(**wanted)))]

    assert ids(kinds=["leak"]) == ids(steps=["reported"]) == ids(grid=city.grids["A1"].code) == [old.id]
    assert ids(first=date(2026, 2, 1), last=date(2026, 2, 1)) == [old.id], "by the day of the community"
    assert ids(building_id=city.buildings["B2"].id) == [new.id]
    counts = disputes.step_counts(city.session, access.SYSTEM)
    assert (counts["reported"], counts["withdrawn"], counts["closed"]) == (1, 1, 0)
    spots = {row.id: (row.disputes, row.open) for row in disputes.at_buildings(city.session, access.SYSTEM, Filter())}
    assert spots == {city.buildings["A1"].id: (1, 1), city.buildings["B2"].id: (1, 0)}


def test_places_and_families_that_come_again_are_named_with_the_reason(city: City) -> None:
    home = city.household("A1", room="501")
    pair = [Party(name="李小明", door="1-501"), Party(name="王芳")]
    first = dispute(city, parties=pair)
    assert disputes.again(city.session, access.SYSTEM) == []
    second = dispute(city, parties=pair, kind=Kind.LEAK)
    (family,) = disputes.again(city.session, access.SYSTEM)
    assert (family.household_id, family.disputes, family.kinds) == (home.id, 2, {"noise": 1, "leak": 1})
    third = dispute(city)
    dispute(city, at=datetime.now(UTC) - timedelta(days=400))
    building, family = disputes.again(city.session, access.SYSTEM)
    assert (building.household_id, building.disputes, building.open) == (None, 3, 3)
    assert disputes.again(city.session, leader_of(city, "B2")) == []
    earlier = {row.id: row.party for row in disputes.before(city.session, access.SYSTEM, third)}
    assert earlier == {first.id: False, second.id: False}
    assert {row.party for row in disputes.before(city.session, access.SYSTEM, second)} == {True}


def test_a_phone_that_comes_again_is_told_to_those_alone_who_may_see_it(city: City) -> None:
    pair = [Party(name="赵六", phone="13812346021"), Party(name="孙七")]
    dispute(city, "B2", parties=pair)
    again = dispute(city, parties=pair)
    staff, supervisor = city.actor("community_staff", city.community), city.actor("supervisor", city.street)
    assert [row.party for row in disputes.before(city.session, staff, again)] == [True]
    assert disputes.before(city.session, supervisor, again) == [], "a guessed number tells nothing"


def test_a_family_that_goes_leaves_the_dispute_without_its_door(city: City) -> None:
    home = city.household("A1", room="501")
    one = dispute(city, parties=[Party(name="李小明", household_id=home.id), Party(name="王芳")])
    assert disputes.parties(city.session, access.SYSTEM, one)[0].room == "501"
    home.head_id = None
    for member in households.members(city.session, access.SYSTEM, home.id):
        households.remove_resident(city.session, access.SYSTEM, member)
    households.remove(city.session, access.SYSTEM, home)
    city.session.expire_all()
    assert disputes.parties(city.session, access.SYSTEM, one)[0].household_id is None
