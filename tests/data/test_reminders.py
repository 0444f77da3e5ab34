"""Limits as they come near and pass: each threshold once, escalated and supervised by rule, safe when killed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from data import calendars, incidents, notifications, reminders
from data.base import access
from data.base.errors import Forbidden, Invalid, NotFound
from data.calendars import Calendar
from data.incidents import Action, Incident, Step, Tier
from data.notifications import CaseWatch, Notification
from data.reminders import Kind, Reminder, ReminderRule
from tests.city import City

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text_: str) -> datetime:
    """An instant in Shanghai, such as ``03-17 10:00`` of 2026."""
    return datetime.strptime(f"2026-{text_}", "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI)


@pytest.fixture
def city(session: Session) -> City:
    """A city with a leader in A1, staff and a supervisor of the street."""
    city = City.make(session)
    for role, unit in (("grid_leader", city.grids["A1"]), ("community_staff", city.community)):
        city.account(role, unit)
    city.account("supervisor", city.street)
    return city


def reported(city: City, *, days: int = 5, triaged: bool = True) -> Incident:
    """A case of Tuesday 17 March 2026, recorded then, with a limit of so many working days."""
    due = calendars.due(city.session, city.community.id, at("03-17 10:00"), days)
    incident = city.incident(50, 50, reported_at=at("03-17 10:00"), due_at=due)
    if triaged:
        incidents.act(city.session, access.SYSTEM, incident, Action.TRIAGE, tier=Tier.GRID)
    incident.due_at = due
    incident.created_at = at("03-17 10:00")
    city.session.flush()
    reminders.watch_all(city.session)
    city.session.execute(text("DELETE FROM notification"))
    return incident


def swept(city: City, when: str) -> list[str]:
    """The kinds of what a sweep at an instant told, each once."""
    session, now = city.session, at(when)
    last = session.scalar(select(func.max(Notification.id))) or 0
    # "Look anew" is said by the clock of the database, which is not the one of this story.
    anew = text("UPDATE case_watch SET next_at = :now WHERE next_at > now() - interval '1 hour'")
    session.execute(anew, {"now": now})
    while reminders.sweep(session, now):
        session.execute(anew, {"now": now})
    told = select(Notification.kind).where(Notification.id > last).distinct().order_by(Notification.kind)
    return list(session.scalars(told))


def noted(city: City) -> list[str]:
    """The thresholds that took effect."""
    return list(city.session.scalars(select(Reminder.threshold).order_by(Reminder.at, Reminder.threshold)))


def test_a_case_is_reminded_of_escalated_and_supervised_as_its_limit_comes_and_passes(city: City) -> None:
    incident = reported(city)
    assert incident.due_at == at("03-24 17:30")
    assert swept(city, "03-17 10:01") == []
    assert swept(city, "03-24 08:59") == []
    assert swept(city, "03-24 09:00") == ["due_soon"]
    assert swept(city, "03-24 17:29") == []
    assert swept(city, "03-24 17:30") == ["overdue"]
    assert incident.level == "grid"
    assert swept(city, "03-25 17:30") == ["escalated"]
    assert (incident.level, incident.step) == ("community", Step.ASSIGNED)
    assert swept(city, "03-27 17:29") == []
    assert swept(city, "03-27 17:30") == ["escalated"]
    assert (incident.level, incident.supervised) == ("street", True)
    assert swept(city, "05-30 10:00") == []  # supervised since it came to the street
    assert noted(city) == ["due_soon:1", "overdue:0", "escalation:1", "escalation:3", "supervision:5"]


def test_a_short_limit_is_reminded_of_in_its_last_fifth(city: City) -> None:
    calendar = calendars.of(city.session, city.community.id)
    due = calendar.due(at("03-17 09:00"), 0)
    assert reminders.threshold_at(calendar, "due_soon", 1, 0.2, at("03-17 09:00"), due) == at("03-17 15:48")


def test_the_next_look_is_when_the_next_threshold_comes(city: City) -> None:
    incident = reported(city)
    for now, following in (
        ("03-17 10:01", "03-24 09:00"),
        ("03-24 09:00", "03-24 17:30"),
        ("03-24 20:00", "03-25 17:30"),
    ):
        swept(city, now)
        assert city.session.get_one(CaseWatch, incident.id, populate_existing=True).next_at == at(following)
    swept(city, "05-30 10:00")
    assert city.session.get_one(CaseWatch, incident.id, populate_existing=True).next_at is None


def test_a_sweep_costs_nothing_where_nothing_has_come(city: City) -> None:
    reported(city)
    swept(city, "03-17 10:01")
    assert reminders.sweep(city.session, at("03-24 08:59")) == 0
    assert reminders.sweep(city.session, at("03-24 09:00")) == 1


def test_after_a_long_pause_only_the_last_reminder_is_told(city: City) -> None:
    incident = reported(city)
    assert swept(city, "03-24 18:00") == ["overdue"]
    assert noted(city) == ["due_soon:1", "overdue:0"]
    assert incident.level == "grid"


def test_a_case_with_the_street_is_not_escalated_and_the_rest_goes_on(city: City) -> None:
    incident = reported(city)
    incident.level = "street"
    assert swept(city, "03-26 10:00") == ["overdue"]
    assert incident.level == "street"
    assert swept(city, "03-31 17:30") == ["supervised"]
    assert incident.supervised


def test_a_case_that_nobody_triaged_is_triaged_first(city: City) -> None:
    incident = reported(city, triaged=False)
    session = city.session
    session.get_one(incidents.Category, incident.category_code).limits = {"grid": 5, "community": 5, "street": 5}
    assert swept(city, "03-25 17:30") == ["assigned", "escalated", "overdue"]
    assert (incident.step, incident.tier, incident.level) == (Step.ASSIGNED, "grid", "community")


def test_what_had_passed_before_a_case_was_recorded_is_noted_but_not_told(city: City) -> None:
    incident = reported(city)
    incident.created_at = at("03-25 09:00")
    city.session.flush()
    assert swept(city, "03-25 10:00") == []
    assert noted(city) == ["due_soon:1", "overdue:0"]
    assert swept(city, "03-25 17:30") == ["escalated"]


def test_a_case_on_hold_or_at_its_end_is_left_alone(city: City) -> None:
    held, closed = reported(city), reported(city)
    incidents.act(city.session, access.SYSTEM, held, Action.HOLD, note="等配件")
    incidents.act(city.session, access.SYSTEM, closed, Action.REJECT, note="不属实")
    city.session.execute(text("DELETE FROM notification"))
    assert swept(city, "05-30 10:00") == []
    assert noted(city) == []
    assert not held.overdue  # its limit does not run
    assert city.session.scalar(select(func.count()).where(Incident.overdue)) == 0
    reminders.forget_closed(city.session)
    assert list(city.session.scalars(select(CaseWatch.incident_id))) == [held.id]


def test_a_new_due_date_begins_anew(city: City) -> None:
    incident = reported(city)
    assert swept(city, "03-24 17:30") == ["overdue"]
    incident.due_at = at("03-31 17:30")
    city.session.flush()
    assert reminders.watch_all(city.session) == 1
    assert swept(city, "03-25 17:30") == []
    assert swept(city, "03-31 17:30") == ["overdue"]
    assert incident.level == "grid"


def test_calling_for_a_new_look_tells_nothing_twice(city: City) -> None:
    reported(city)
    assert swept(city, "03-24 17:30") == ["overdue"]
    reminders.look_again(city.session, city.community)
    assert swept(city, "03-24 17:31") == []
    reminders.look_again(city.session, None)
    assert swept(city, "03-24 17:32") == []


def test_a_case_counts_as_due_soon_from_when_the_rule_reminds_until_its_limit(city: City) -> None:
    session, begun = city.session, datetime(2090, 3, 7, 10, tzinfo=SHANGHAI)
    limit = calendars.due(session, city.community.id, begun, 5)
    incident = city.incident(50, 50, reported_at=begun, due_at=limit)
    late = city.incident(50, 50, reported_at=at("03-17 10:00"), due_at=at("03-24 17:30"))
    session.add(Reminder(incident_id=late.id, threshold="due_soon:1", due_at=late.due_at, told=True))
    [when] = [one["at"] for one in reminders.of_incident(session, incident) if one["kind"] == Kind.DUE_SOON]

    def found(said: bool) -> list[int]:
        query = incidents.selection(access.SYSTEM, incidents.Filter(due_soon=said))
        return sorted(row.id for row in session.execute(query))

    for moment, soon in ((when - timedelta(seconds=1), []), (when, [incident.id])):
        session.execute(text("UPDATE case_watch SET next_at = :now"), {"now": moment})
        reminders.sweep(session, moment)
        assert found(True) == soon
    assert found(False) == [late.id], "what was reminded of and is late now"
    incident.due_at = limit + timedelta(days=30)
    session.flush()
    assert found(True) == [], "a new limit is far away again"


def test_a_sweep_that_is_killed_has_done_nothing(city: City) -> None:
    incident = reported(city)
    swept(city, "03-17 10:01")
    attempt = city.session.begin_nested()
    assert reminders.sweep(city.session, at("03-25 17:30")) == 1
    attempt.rollback()
    city.session.refresh(incident)
    assert noted(city) == []
    assert incident.level == "grid"
    assert swept(city, "03-25 17:30") == ["escalated", "overdue"]


def test_one_case_that_cannot_be_dealt_with_does_not_hold_up_the_others(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = reported(city), reported(city)
    tell = notifications.tell

    def break_down(session: Session, incident: Incident, event: str, **more: object) -> list[int]:
        if incident.id == bad.id:
            raise RuntimeError
        return tell(session, incident, event, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(notifications, "tell", break_down)
        city.session.execute(text("UPDATE case_watch SET next_at = :now"), {"now": at("03-24 18:00")})
        assert reminders.sweep(city.session, at("03-24 18:00")) == 2
    told = list(city.session.scalars(select(Notification.incident_id).distinct()))
    assert told == [good.id]
    assert city.session.get_one(CaseWatch, bad.id).next_at == at("03-24 19:00")
    assert swept(city, "03-24 19:00") == ["overdue"]


def test_two_sweeps_at_once_share_the_work(engine: Engine) -> None:
    """On a database of its own, because what is shared is committed."""
    with Session(engine, info={"actor": access.SYSTEM}) as session:
        city = City.make(session, "990199001001")
        city.account("grid_leader", city.grids["A1"])
        for x in (20, 40, 60, 80):
            reported_ = city.incident(x, 50, reported_at=at("03-17 10:00"), due_at=at("03-24 17:30"))
            reported_.created_at = at("03-17 10:00")
        session.flush()
        session.execute(text("DELETE FROM notification"))
        session.execute(text("UPDATE case_watch SET next_at = :now"), {"now": at("03-24 17:30")})
        session.commit()
        place = city.district.id
    try:
        with (
            Session(engine, info={"actor": access.SYSTEM}) as one,
            Session(engine, info={"actor": access.SYSTEM}) as two,
        ):
            assert reminders.sweep(one, at("03-24 17:31"), limit=3) == 3
            assert reminders.sweep(two, at("03-24 17:31"), limit=3) == 1
            one.commit()
            two.commit()
            assert reminders.sweep(one, at("03-24 17:31")) == 0
            told = one.scalars(select(Notification.incident_id).where(Notification.kind == "overdue")).all()
            assert len(told) == len(set(told)) == 4
    finally:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM incident"))
            for table in ("team_member", "division", "dwelling", "building", "incident_counter", '"grant"', "audit"):
                connection.execute(text(f"DELETE FROM {table}"))
            connection.execute(text("DELETE FROM api_token"))
            connection.execute(text("DELETE FROM job"))
            connection.execute(text("DELETE FROM account"))
            connection.execute(text("DELETE FROM unit WHERE :place = ANY(path)"), {"place": place})


def test_of_each_kind_the_rules_of_the_lowest_unit_hold(city: City) -> None:
    session, system = city.session, access.SYSTEM
    assert [(rule.kind, rule.working_days) for rule in reminders.in_force(session, city.community.id)] == [
        ("due_soon", 1),
        ("overdue", 0),
        ("escalation", 1),
        ("escalation", 3),
        ("supervision", 5),
    ]
    reminders.add(session, system, city.street, kind="escalation", working_days=2)
    reminders.add(session, system, city.community, kind="supervision", working_days=0, active=False)
    last = reminders.add(session, system, city.community, kind="due_soon", working_days=2, share=1.0, tier="grid")
    held = reminders.in_force(session, city.community.id)
    assert [(rule.kind, rule.working_days, rule.active) for rule in held] == [
        ("due_soon", 2, True),
        ("overdue", 0, True),
        ("escalation", 2, True),
        ("supervision", 0, False),
    ]
    reminders.remove(session, system, last.id)
    assert reminders.in_force(session, city.community.id)[0].working_days == 1
    assert len(reminders.in_force(session, city.district.id)) == 5


def test_a_rule_of_a_tier_holds_for_its_cases_only(city: City) -> None:
    reminders.add(city.session, access.SYSTEM, city.community, kind="overdue", working_days=0, tier="street")
    reported(city)
    assert swept(city, "03-24 18:00") == ["due_soon"]


def test_rules_are_checked_and_changed_by_who_manages_all_they_hold_in(city: City) -> None:
    session, here = city.session, city.actor("administrator", city.community)
    other = City.make(session, "310102001001")
    for wrong in (
        {"kind": "holiday", "working_days": 1},
        {"kind": "overdue", "working_days": -1},
        {"kind": "overdue", "working_days": 1, "share": 0.5},
        {"kind": "due_soon", "working_days": 1},
        {"kind": "due_soon", "working_days": 1, "share": 1.5},
    ):
        with pytest.raises(Invalid):
            reminders.add(session, here, city.community, **wrong)  # type: ignore[arg-type]
    own = reminders.add(session, here, city.community, kind="overdue", working_days=1)
    with pytest.raises(Forbidden):
        reminders.add(session, here, None, kind="overdue", working_days=1)
    with pytest.raises(NotFound):
        reminders.add(session, here, other.community, kind="overdue", working_days=1)
    with pytest.raises(Invalid, match="its community"):
        reminders.add(session, access.SYSTEM, city.grids["A1"], kind="overdue", working_days=1)
    national = session.scalars(select(ReminderRule.id).where(ReminderRule.unit_id.is_(None))).first()
    assert national is not None
    with pytest.raises(Forbidden):
        reminders.remove(session, here, national)
    reminders.remove(session, here, own.id)
    with pytest.raises(NotFound):
        reminders.remove(session, here, own.id)


def test_a_case_tells_what_is_to_come(city: City) -> None:
    incident = reported(city)
    swept(city, "03-24 18:00")
    coming = reminders.of_incident(city.session, incident)
    assert [(one["kind"], one["at"], one["done"]) for one in coming][:3] == [
        ("due_soon", at("03-24 09:00"), True),
        ("overdue", at("03-24 17:30"), True),
        ("escalation", at("03-25 17:30"), False),
    ]
    swept(city, "03-27 17:30")
    assert (incident.level, incident.supervised) == ("street", True)
    kinds = [one["kind"] for one in reminders.of_incident(city.session, incident)]
    assert kinds == ["due_soon", "overdue", "escalation", "escalation"], "what the street follows it follows"


PLAIN = Calendar(SHANGHAI)
INSTANTS = st.datetimes(datetime(2026, 2, 1), datetime(2026, 5, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(INSTANTS, st.integers(0, 30), st.integers(0, 20), st.floats(0.05, 1))
def test_due_soon_lies_between_report_and_limit(start: datetime, limit: int, days: int, share: float) -> None:
    due = PLAIN.due(start, limit)
    soon = reminders.threshold_at(PLAIN, Kind.DUE_SOON, days, share, start, due)
    assert start <= soon + timedelta(seconds=1) or PLAIN.working_time(soon, start) == timedelta()
    assert soon <= due
    left, whole = PLAIN.working_time(soon, due), PLAIN.working_time(start, due)
    assert left == min(whole * share, days * PLAIN.day_length)


@given(INSTANTS, st.integers(0, 30), st.integers(0, 20), st.integers(0, 20))
def test_more_working_days_overdue_come_later(start: datetime, limit: int, few: int, many: int) -> None:
    due = PLAIN.due(start, limit)
    earlier, later = (
        reminders.threshold_at(PLAIN, Kind.ESCALATION, days, None, start, due) for days in sorted((few, many))
    )
    assert due <= earlier <= later
