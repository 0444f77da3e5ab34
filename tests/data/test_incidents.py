"""The workflow of incidents: where steps lead, who gets them, what is the same, and that nothing closes untold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, text
from sqlalchemy.orm import Session

from data import accounts, calendars, incidents, teams
from data.base import access, db
from data.base.access import Actor
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.incidents import TRANSITIONS, Action, Incident, Level, MovedOn, NotNow, State, Step, Tier
from tests.city import City, degrees

SYSTEM = access.SYSTEM
NOTES = {"note": "说明"}


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def appoint(city: City, grid: str, post: teams.Post = teams.Post.LEADER) -> int:
    """Somebody with an account who holds a post in a grid; the account."""
    role = "grid_leader" if post is teams.Post.LEADER else "building_warden"
    account = city.account(role, city.grids[grid], f"{post}.{grid}")
    teams.appoint(city.session, SYSTEM, city.grids[grid], post=post, name=account.name, account_id=account.id)
    return account.id


def act(city: City, incident: Incident, *actions: Action, actor: Actor = SYSTEM, **more: Any) -> None:
    """Do one thing after another, each with something to say."""
    for action in actions:
        incidents.act(city.session, actor, incident, action, **{**NOTES, **more})


def actions(city: City, incident: Incident) -> list[str]:
    """What was done with an incident."""
    return [step.action for step in incidents.steps(city.session, SYSTEM, incident)]


ALL_THE_WAY = (Action.TRIAGE, Action.START, Action.RESOLVE, Action.GIVE_FEEDBACK, Action.CLOSE)

# The table


def test_every_step_has_a_state_and_every_way_leads_to_a_step() -> None:
    assert set(TRANSITIONS) == set(Step) == set(incidents.STATES)
    assert {then for ways in TRANSITIONS.values() for then in ways.values()} == set(Step)
    assert {incidents.STATES[step] for step in incidents.STEP_OF.values()} == set(State)


def test_only_feedback_leads_to_closing() -> None:
    before = [step for step, ways in TRANSITIONS.items() for then in ways.values() if then is Step.CLOSED]
    assert set(before) <= {Step.FEEDBACK_GIVEN, Step.CLOSED}
    ways = [
        (step, action)
        for step, known in TRANSITIONS.items()
        for action, then in known.items()
        if then is Step.FEEDBACK_GIVEN and step is not Step.FEEDBACK_GIVEN
    ]
    assert ways == [(Step.RESOLVED, Action.GIVE_FEEDBACK)]


def test_from_every_step_the_end_can_be_reached() -> None:
    for start in Step:
        reached, fresh = {start}, {start}
        while fresh:
            fresh = {then for step in fresh for then in TRANSITIONS[step].values()} - reached
            reached |= fresh
        assert Step.CLOSED in reached, start


# From report to feedback


def test_a_case_goes_from_report_to_feedback_and_keeps_who_and_when(city: City) -> None:
    leader_id = appoint(city, "A1")
    leader = accounts.actor(city.session, city.session.get_one(accounts.Account, leader_id))
    incident = city.incident(50, 50)
    assert (incident.step, incident.state, incident.level) == (Step.REPORTED, State.NEW, Level.GRID)
    act(city, incident, *ALL_THE_WAY, actor=leader)
    assert (incident.step, incident.state, incident.tier) == (Step.CLOSED, State.CLOSED, Tier.GRID)
    assert incident.resolved_at is not None
    assert incident.resolved_at <= incident.feedback_at <= incident.closed_at
    steps = incidents.steps(city.session, leader, incident)
    assert [step.action for step in steps] == ["report", "triage", "assign", *ALL_THE_WAY[1:]]
    assert [step.account_id for step in steps] == [None, leader_id, None, *[leader_id] * 4]
    assert {step.assignee_name for step in steps[2:]} == {"grid_leader"}
    assert [step.step for step in steps][-1] == incident.step


def test_what_was_seen_to_on_the_spot_is_told_and_closed_at_once_and_has_the_same_steps(city: City) -> None:
    leader_id = appoint(city, "A1")
    leader = accounts.actor(city.session, city.session.get_one(accounts.Account, leader_id))
    incident = city.incident(50, 50)
    act(city, incident, Action.TRIAGE, actor=leader)
    done = incidents.settle(city.session, leader, incident, note="已更换灯泡", feedback="当面告知")
    assert [step.action for step in done] == ["resolve", "give_feedback", "close"]
    assert actions(city, incident) == ["report", "triage", "assign", "resolve", "give_feedback", "close"]
    assert incident.step == Step.CLOSED
    assert None not in (incident.resolved_at, incident.feedback_at, incident.closed_at)
    public = incidents.steps(city.session, SYSTEM, incident, public=True)
    assert [step.note for step in public][-2:] == ["已更换灯泡", "当面告知"]


def test_what_nobody_has_triaged_is_settled_by_the_grid_and_is_theirs_who_saw_to_it(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    incident = city.incident(50, 50)
    done = incidents.settle(city.session, leader, incident, note="已更换灯泡", feedback="当面告知")
    assert [step.action for step in done] == ["resolve", "give_feedback", "close"]
    assert actions(city, incident) == ["report", "triage", "assign", "resolve", "give_feedback", "close"]
    assert (incident.tier, incident.assignee_id) == (Tier.GRID, leader.account_id)


def test_nothing_is_settled_untold_or_while_it_is_nobodys_or_without_the_right_to_close(city: City) -> None:
    incident = city.incident(50, 50)
    with city.session.begin_nested() as trial:
        with pytest.raises(Invalid, match="Nobody is there"):
            incidents.settle(city.session, SYSTEM, incident, note="x", feedback="y")
        trial.rollback()
    city.session.expire_all()
    leader_id = appoint(city, "A1")
    act(city, incident, Action.TRIAGE)
    assert incident.assignee_id == leader_id
    with city.session.begin_nested() as trial:
        with pytest.raises(Invalid):
            incidents.settle(city.session, SYSTEM, incident, note="x", feedback="  ")
        trial.rollback()
    city.session.expire_all()
    assert (incident.step, incident.resolved_at) == (Step.ASSIGNED, None)
    with pytest.raises(NotFound):
        incidents.settle(city.session, city.actor("grid_leader", city.grids["B2"]), incident, note="x", feedback="y")
    assert actions(city, incident) == ["report", "triage", "assign"]


def test_an_action_that_the_table_does_not_have_there_is_refused_and_nothing_happens(city: City) -> None:
    incident = city.incident()
    with pytest.raises(NotNow) as refused:
        act(city, incident, Action.CLOSE)
    assert refused.value.facts["step"] == Step.REPORTED
    assert Action.TRIAGE in refused.value.facts["allowed"]
    assert actions(city, incident) == ["report"]


@pytest.mark.parametrize("action", sorted(incidents.EXPLAINED))
def test_what_has_to_be_explained_is_not_done_without_a_word(city: City, action: Action) -> None:
    step = next(step for step, ways in TRANSITIONS.items() if action in ways)
    incident = city.incident(step=step)
    with pytest.raises(Invalid, match="few words"):
        incidents.act(city.session, SYSTEM, incident, action, note="  ")


def test_what_is_public_can_be_told_apart(city: City) -> None:
    incident = city.incident()
    act(city, incident, Action.NOTE)
    act(city, incident, Action.NOTE, public=True, note="已派人查看")
    public = incidents.steps(city.session, SYSTEM, incident, public=True)
    assert [step.note for step in public] == [None, "已派人查看"]


# Who gets it


def test_work_goes_to_the_leader_of_the_grid_it_lies_in(city: City) -> None:
    first, second = appoint(city, "A1"), appoint(city, "B2")
    for place, expected in (((50, 50), first), ((150, 150), second)):
        incident = city.incident(*place)
        act(city, incident, Action.TRIAGE)
        assert (incident.step, incident.assignee_id) == (Step.ASSIGNED, expected)


def test_without_a_leader_it_is_the_communitys_and_without_anybody_it_waits(city: City) -> None:
    waiting = city.incident(50, 50)
    act(city, waiting, Action.TRIAGE)
    assert (waiting.step, waiting.assignee_id) == (Step.TRIAGED, None)
    with pytest.raises(Invalid, match="Nobody is there"):
        act(city, waiting, Action.ASSIGN)
    staff = city.account("community_staff", city.community)
    incident = city.incident(50, 50)
    act(city, incident, Action.TRIAGE)
    assert incident.assignee_id == staff.id


def test_the_three_tiers_lie_with_grid_community_and_street(city: City) -> None:
    leader = appoint(city, "A1")
    city.account("community_staff", city.community)
    street = city.account("supervisor", city.street).id
    found = {}
    for tier in Tier:
        incident = city.incident(50, 50)
        incidents.act(city.session, SYSTEM, incident, Action.TRIAGE, tier=tier)
        found[tier] = (incident.level, incident.assignee_id, incident.supervised)
    assert found == {
        Tier.GRID: (Level.GRID, leader, False),
        Tier.COMMUNITY: (Level.COMMUNITY, leader, False),
        Tier.STREET: (Level.STREET, street, True),
    }


def test_escalation_climbs_from_building_to_street_and_comes_back(city: City) -> None:
    held = {Level.BUILDING: appoint(city, "A1", teams.Post.BUILDING_WARDEN), Level.GRID: appoint(city, "A1")}
    held[Level.COMMUNITY] = city.account("community_staff", city.community).id
    held[Level.STREET] = city.account("supervisor", city.street).id
    incident = city.incident(50, 50)
    act(city, incident, Action.TRIAGE)
    incidents.act(city.session, SYSTEM, incident, Action.ASSIGN, level=Level.BUILDING)
    way = [Level.BUILDING, Level.GRID, Level.COMMUNITY, Level.STREET]
    for level in way[1:]:
        act(city, incident, Action.ESCALATE)
        assert (incident.level, incident.assignee_id, incident.step) == (level, held[level], Step.ASSIGNED)
    assert incident.supervised
    assert Action.ESCALATE not in incidents.allowed(city.session, SYSTEM, incident)
    with pytest.raises(NotNow, match="no level above"):
        act(city, incident, Action.ESCALATE)
    for level in reversed(way[:-1]):
        act(city, incident, Action.RETURN)
        assert (incident.level, incident.assignee_id) == (level, held[level])
    with pytest.raises(NotNow, match="no level below"):
        act(city, incident, Action.RETURN)


def test_the_one_who_has_it_may_work_on_it_but_not_decide_about_it(city: City) -> None:
    warden_id = appoint(city, "A1", teams.Post.BUILDING_WARDEN)
    warden = accounts.actor(city.session, city.session.get_one(accounts.Account, warden_id))
    incident = city.incident(50, 50)
    with pytest.raises(Forbidden):
        act(city, incident, Action.TRIAGE, actor=warden)
    act(city, incident, Action.TRIAGE)
    incidents.act(city.session, SYSTEM, incident, Action.ASSIGN, assignee_id=warden_id, level=Level.BUILDING)
    assert set(incidents.allowed(city.session, warden, incident)) == {
        Action.START,
        Action.RESOLVE,
        Action.HOLD,
        Action.ESCALATE,
        Action.NOTE,
    }
    act(city, incident, Action.START, Action.RESOLVE, Action.GIVE_FEEDBACK, actor=warden)
    with pytest.raises(Forbidden):
        act(city, incident, Action.CLOSE, actor=warden)


def test_nobody_acts_on_what_lies_outside_and_it_is_given_to_nobody_who_cannot_see_it(city: City) -> None:
    outsider = city.actor("grid_leader", city.grids["C3"])
    incident = city.incident(50, 50)
    with pytest.raises(NotFound):
        act(city, incident, Action.TRIAGE, actor=outsider)
    act(city, incident, Action.TRIAGE)
    with pytest.raises(Invalid, match="does not see"):
        incidents.act(city.session, SYSTEM, incident, Action.ASSIGN, assignee_id=outsider.account_id)


def test_only_the_street_supervises(city: City) -> None:
    incident = city.incident(50, 50)
    with pytest.raises(Forbidden):
        act(city, incident, Action.SUPERVISE, actor=city.actor("community_staff", city.community))
    act(city, incident, Action.SUPERVISE, actor=city.actor("supervisor", city.street))
    assert incident.supervised
    assert Action.SUPERVISE not in incidents.allowed(city.session, SYSTEM, incident)


def test_many_are_assigned_all_or_none(city: City) -> None:
    staff = city.account("community_staff", city.community)
    ids = [city.incident(x, 50).id for x in (50, 150, 250)]
    done = incidents.assign_all(city.session, SYSTEM, ids, assignee_id=staff.id)
    assert len(done) == 0, "triage gave them to the one who is there already"
    line = city.account("line_officer", city.community)
    assert len(incidents.assign_all(city.session, SYSTEM, ids, assignee_id=line.id, note="本周内")) == 3
    closed = city.incident(state="closed").id
    with pytest.raises(NotNow), city.session.begin_nested():
        incidents.assign_all(city.session, SYSTEM, [*ids, closed], assignee_id=staff.id)
    city.session.expire_all()
    assert set(city.session.scalars(select(Incident.assignee_id).where(Incident.id.in_(ids)))) == {line.id}


# Limits


def test_the_limit_is_that_of_the_tier_counted_from_the_report(city: City) -> None:
    incidents.change_category(
        city.session, SYSTEM, "facility.corridor_light", days=3, limits={"community": 6, "street": 12}
    )
    incident = city.incident()
    for tier, days in (("grid", 3), ("community", 6), ("street", 12), ("grid", 3)):
        incidents.act(city.session, SYSTEM, incident, Action.TRIAGE, tier=Tier(tier))
        expected = calendars.due(city.session, city.community.id, incident.reported_at, days)
        assert incident.due_at == expected, tier


def test_the_time_on_hold_is_given_back(city: City) -> None:
    incident = city.incident(state="in_progress")
    act(city, incident, Action.HOLD)
    city.session.execute(text("UPDATE incident_step SET at = at - interval '50 hours' WHERE action = 'hold'"))
    due_at = incident.due_at
    act(city, incident, Action.RESUME)
    assert due_at is not None
    assert timedelta(hours=50) <= incident.due_at - due_at < timedelta(hours=50, minutes=1)


def test_a_case_that_is_reopened_gets_a_new_limit_and_is_not_told_yet(city: City) -> None:
    appoint(city, "A1")
    incident = city.incident(50, 50)
    act(city, incident, *ALL_THE_WAY, Action.REOPEN)
    assert (incident.step, incident.closed_at, incident.feedback_at, incident.resolved_at) == (
        Step.ASSIGNED,
        None,
        None,
        None,
    )
    assert incident.due_at > datetime.now(UTC)
    act(city, incident, Action.RESOLVE)
    with pytest.raises(NotNow):
        act(city, incident, Action.CLOSE)


# The same case


def test_what_may_be_the_same_is_nearby_or_at_the_same_building_with_distance_and_age(city: City) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=2)
    near = city.incident(53, 54, reported_at=long_ago)
    city.incident(50, 120)
    city.incident(50, 51, category_code="environment.noise")
    city.incident(50, 52, state="closed")
    far_but_there = city.incident(150, 150)
    far_but_there.building_id = city.buildings["A1"].id
    lon, lat = degrees(50, 50)
    found = incidents.similar(
        city.session,
        SYSTEM,
        community_id=city.community.id,
        category_code="facility.corridor_light",
        lon=lon,
        lat=lat,
        building_id=city.buildings["A1"].id,
    )
    assert [row["id"] for row in found] == [near.id, far_but_there.id]
    assert found[0]["distance_m"] == pytest.approx(5, abs=0.01), "3, 4, 5"
    assert found[1]["distance_m"] == pytest.approx(141.42, abs=0.05)
    assert found[0]["age"] == pytest.approx(timedelta(days=2), abs=timedelta(minutes=1))
    assert [row["same_building"] for row in found] == [False, True]
    assert [row["id"] for row in incidents.similar_to(city.session, SYSTEM, near)] == [], "not itself"


def test_what_one_may_not_see_is_not_suggested(city: City) -> None:
    lon, lat = degrees(99, 50)
    city.incident(101, 50)
    here = {"community_id": city.community.id, "category_code": "facility.corridor_light", "lon": lon, "lat": lat}
    leader = city.actor("grid_leader", city.grids["A1"])
    assert incidents.similar(city.session, leader, **here) == []
    assert len(incidents.similar(city.session, SYSTEM, **here)) == 1


def test_a_merged_case_follows_its_original_to_the_end_and_counts_as_one(city: City) -> None:
    original, again, third = (city.incident(50, 50) for _ in range(3))
    act(city, again, Action.MERGE, into=third)
    act(city, third, Action.MERGE, into=original)
    city.session.refresh(again)
    assert again.merged_into_id == third.merged_into_id == original.id
    everything = incidents.Filter()
    assert incidents.counts(city.session, SYSTEM, everything) == {"new": 1}
    assert incidents.counts(city.session, SYSTEM, incidents.Filter(merged=True)) == {"new": 1, "closed": 2}
    assert [row.id for row in incidents.merged(city.session, SYSTEM, original)] == [again.id, third.id]
    city.account("community_staff", city.community)
    act(city, original, *ALL_THE_WAY)
    city.session.refresh(again)
    assert (again.closed_at, again.feedback_at) == (original.closed_at, original.feedback_at)
    assert incidents.counts(city.session, SYSTEM, everything) == {"closed": 1}
    shown = [step.action for step in incidents.steps(city.session, SYSTEM, again)]
    assert shown.count("merge") == 1
    assert shown[-1] == "close", "the one who reported it again sees how the original went on"
    act(city, original, Action.REOPEN)
    city.session.refresh(again)
    assert again.closed_at is None
    act(city, again, Action.REOPEN)
    assert (again.merged_into_id, again.step) == (None, Step.ASSIGNED)


def test_a_case_is_not_merged_into_itself_nor_elsewhere_nor_into_what_has_ended(city: City) -> None:
    incident, closed = city.incident(), city.incident(state="closed")
    other = City.make(city.session, "310102001001").incident()
    for into, error in ((None, Invalid), (incident, Invalid), (other, Invalid), (closed, NotNow)):
        with pytest.raises(error):
            act(city, incident, Action.MERGE, into=into)


def test_a_lamp_that_fails_again_within_its_days_is_recurrent(city: City) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    city.incident(50, 50, state="closed", closed_at=at, category_code="facility.street_light")
    expected = {
        (50, 58, 30, "facility.street_light"): True,
        (50, 70, 30, "facility.street_light"): False,
        (50, 58, 91, "facility.street_light"): False,
        (50, 58, -1, "facility.street_light"): False,
        (50, 58, 30, "environment.noise"): False,
    }
    for (x, y, days, category), recurrent in expected.items():
        again = city.incident(x, y, category_code=category, reported_at=at + timedelta(days=days))
        assert again.recurrent is recurrent, (x, y, days, category)
        incidents.remove(city.session, SYSTEM, again)
    building_id = city.buildings["B2"].id
    city.incident(150, 150, building_id=building_id, state="closed", closed_at=at)
    assert city.incident(190, 190, building_id=building_id, reported_at=at + timedelta(days=90)).recurrent


# The walk


@pytest.fixture(scope="module")
def walked(engine: Engine) -> Iterator[tuple[City, int]]:
    """A city of its own, in a transaction that is rolled back."""
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False, info={"actor": SYSTEM}
        ) as session:
            city = City.make(session, "310109001001")
            yield city, appoint(city, "A1")
        outer.rollback()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.lists(st.sampled_from(Action), max_size=25))
def test_no_sequence_of_actions_reaches_closed_without_feedback(walked: tuple[City, int], path: list[Action]) -> None:
    city, _leader = walked
    with city.session.begin_nested() as trial:
        incident, original = city.incident(50, 50), city.incident(60, 50)
        for action in path:
            before = incident.step
            possible = action in incidents.allowed(city.session, SYSTEM, incident)
            try:
                with city.session.begin_nested():
                    incidents.act(city.session, SYSTEM, incident, action, into=original, **NOTES)
            except Invalid:
                assert action is Action.ASSIGN, "only a place where nobody has the duty lacks something here"
                city.session.refresh(incident)
            except Conflict:
                assert not possible
                assert incident.step == before
            else:
                assert action in TRANSITIONS[Step(before)]
            closed = incident.step == Step.CLOSED
            assert closed == (incident.closed_at is not None)
            assert not closed or incident.feedback_at is not None
            assert incident.state == incidents.STATES[Step(incident.step)]
        history = incidents.steps(city.session, SYSTEM, incident) if incident.step != Step.MERGED else []
        for one, other in pairwise(history):
            assert TRANSITIONS[one.step][other.action] == other.step
            assert one.at <= other.at
            if other.step == Step.CLOSED and one.step != Step.CLOSED:
                assert one.step == Step.FEEDBACK_GIVEN
        trial.rollback()
    city.session.expire_all()


# At the same time


@pytest.fixture
def committed(engine: Engine) -> Iterator[City]:
    """A city that other connections see."""
    with db.transaction(SYSTEM, engine) as session:
        city = City.make(session, "310108001001")
    yield city
    with db.transaction(SYSTEM, engine) as session:
        for table in ("incident", "incident_counter", "building", "division"):
            session.execute(text(f"DELETE FROM {table} WHERE community_id = :id"), {"id": city.community.id})
        ids = [city.district.id, city.street.id, city.community.id, *(grid.id for grid in city.grids.values())]
        session.execute(text("DELETE FROM audit WHERE community_id = ANY(:ids)"), {"ids": ids})
        session.execute(text("DELETE FROM unit WHERE id = ANY(:ids)"), {"ids": ids})


def report(session: Session, city: City) -> Incident:
    """A case in a city that another session made."""
    lon, lat = degrees(50, 50)
    return incidents.report(
        session, SYSTEM, community=city.community, category_code="facility.corridor_light", lon=lon, lat=lat
    )


def test_of_two_who_act_at_once_one_is_told(engine: Engine, committed: City) -> None:
    with db.transaction(SYSTEM, engine) as session:
        incident_id = report(session, committed).id
    with db.transaction(SYSTEM, engine) as one:
        seen_by_one = incidents.get(one, SYSTEM, incident_id)
        with db.transaction(SYSTEM, engine) as other:
            seen_by_other = incidents.get(other, SYSTEM, incident_id)
            incidents.act(other, SYSTEM, seen_by_other, Action.TRIAGE)
        with pytest.raises(MovedOn):
            incidents.act(one, SYSTEM, seen_by_one, Action.REJECT, note="不属实")
        assert incidents.act(one, SYSTEM, seen_by_one, Action.REJECT, note="看过之后").step == Step.REJECTED


def test_numbers_are_given_one_after_the_other_and_none_is_lost(engine: Engine, committed: City) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def one(_place: int) -> str:
        with db.transaction(SYSTEM, engine) as session:
            return report(session, committed).number

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(one, range(24)))
    running = [int(number.rpartition("-")[2]) for number in numbers]
    assert running == list(range(1, 25))
    with pytest.raises(NotNow), db.transaction(SYSTEM, engine) as session:
        incidents.act(session, SYSTEM, report(session, committed), Action.CLOSE)
    assert one(0).endswith("-025"), "a report that failed took no number"


def test_the_counter_begins_after_the_numbers_that_are_there(city: City) -> None:
    first = city.incident()
    day = first.number.partition("-")[0]
    city.session.execute(delete(incidents.IncidentCounter))
    city.incident(number=f"{day}-041")
    assert city.incident().number == f"{day}-042"


# Categories and templates


def test_every_kind_of_the_report_is_there_with_tier_limit_and_words(city: City) -> None:
    kinds = {one.code: one for one in incidents.categories(city.session)}
    wanted = {
        "facility.corridor_light",
        "facility.unlit_path",
        "facility.street_light",
        "environment.stray_cat",
        "environment.sanitation",
        "help.repair",
        "inquiry.hukou",
        "inquiry.medical",
        "dispute.petition",
        "safety.production",
        "order.security",
        "inquiry.civil",
        "inquiry.low_income",
        "inquiry.family_planning",
    }
    assert wanted <= set(kinds)
    for code in wanted:
        assert kinds[code].tier in set(Tier)
        assert (kinds[code].days or 0) > 0
    asked = [question for one in kinds.values() for question in one.questions]
    assert {question["kind"] for question in asked} <= set(incidents.QUESTION_KINDS)
    assert all((question["kind"] == "choice") == bool(question["choices"]) for question in asked)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"color": "red"}, "asks no question"),
        ({"kind": "neon"}, "no answer"),
        ({"danger": "yes"}, "no answer"),
        ({"floor": 3}, "no answer"),
    ],
)
def test_an_answer_has_to_fit_its_question(city: City, answers: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        city.incident(answers=answers)
    fine = {"floor": "三层", "kind": "sound", "danger": True}
    assert city.incident(answers=fine).answers == fine


def test_a_contact_is_shown_for_a_purpose_only_and_that_is_recorded(city: City) -> None:
    incident = city.incident(contact="13812346021")
    stored = city.session.scalar(text("SELECT contact FROM incident WHERE id = :id"), {"id": incident.id})
    assert b"13812346021" not in bytes(stored)
    assert "contact" not in city.session.execute(incidents.rows()).one()._mapping
    with pytest.raises(Invalid):
        incidents.contact(city.session, SYSTEM, incident, " ")
    with pytest.raises(Forbidden):
        incidents.contact(city.session, city.actor("analyst", city.community), incident, "回访")
    assert incidents.contact(city.session, SYSTEM, incident, "电话回访") == "13812346021"
    purpose = "SELECT purpose FROM audit WHERE action = 'unmask' AND record_kind = 'incident'"
    assert city.session.scalar(text(purpose)) == "电话回访"
