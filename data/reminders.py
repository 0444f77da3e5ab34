"""Reminders 催办: what happens as the limit of a case comes near and passes: told, escalated, supervised 督办.

Rules are rows. What holds in a community is read down the tree: of each kind, the rows of the lowest unit that has any.

============  ==========================================================================================================
kind          takes effect
============  ==========================================================================================================
due_soon      when the last ``share`` of the working time is left, or ``working_days`` of it, whichever is less
overdue       ``working_days`` after the limit (0: as it passes): told
escalation    ``working_days`` after the limit: one level up; a case that nobody has triaged is triaged first
supervision   ``working_days`` after the limit: the street follows it until it is closed
============  ==========================================================================================================

``sweep`` does what is due. Each threshold of a case takes effect once for each due date: the row that says so
(``Reminder``) and all that follows from it are one transaction, so it may be killed at any moment, and two sweeps at
once share the work. It looks only at cases whose next threshold has come (``CaseWatch.next_at``), whatever else is
open. What had passed before the case was recorded here (an import of old cases) is noted, but nobody is reminded. A
case on hold has no limit; when it is resumed, its limit has moved on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    delete,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import calendars, incidents, notifications, units
from data.base import access, db
from data.base.access import Actor
from data.base.errors import Forbidden, Invalid, NotFound, WanggeError
from data.base.language import _
from data.calendars import Calendar
from data.incidents import Action, Incident, Step
from data.notifications import CaseWatch

log = logging.getLogger("wangge.reminders")

BATCH = 200
#: A case that could not be dealt with is looked at again after this.
AGAIN_AFTER = timedelta(hours=1)
MOST_DAYS = 250
_JUST_BEFORE = timedelta(microseconds=1)


class RuleNotFound(NotFound):
    """There is no such rule."""


class Kind(StrEnum):
    """What happens at a threshold."""

    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    ESCALATION = "escalation"
    SUPERVISION = "supervision"


def kind_names() -> dict[str, str]:
    """What can happen at a threshold."""
    return {
        Kind.DUE_SOON: _("Due soon"),
        Kind.OVERDUE: _("Overdue"),
        Kind.ESCALATION: _("Escalation"),
        Kind.SUPERVISION: _("Supervision by the street"),
    }


class ReminderRule(db.Dated, db.Table):
    """What happens so many working days before or after the limit of a case."""

    __tablename__ = "reminder_rule"
    __table_args__ = (
        CheckConstraint("kind IN ('due_soon', 'overdue', 'escalation', 'supervision')", name="kind"),
        CheckConstraint("tier IN ('grid', 'community', 'street')", name="tier"),
        CheckConstraint("working_days BETWEEN 0 AND 250", name="working_days"),
        CheckConstraint("(kind = 'due_soon') = (share IS NOT NULL)", name="share_of"),
        CheckConstraint("share > 0 AND share <= 1", name="share"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: empty for everybody
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    #: empty for every tier
    tier: Mapped[str | None]
    working_days: Mapped[int]
    share: Mapped[float | None]
    #: A unit that does not want what the unit above has says so by a row that is not active.
    active: Mapped[bool] = mapped_column(server_default=text("true"))


class Reminder(db.Table):
    """A threshold of a case took effect; once for each due date."""

    __tablename__ = "reminder"
    __told__ = False
    __audited__ = False
    __table_args__ = (Index("ix_reminder_at", "at"),)

    incident_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True
    )
    #: Kind and working days, so that a rule that is written anew does not remind anew.
    threshold: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: Whether anything was done; not of what had passed before the case was recorded.
    told: Mapped[bool]


@dataclass(frozen=True)
class Threshold:
    """A rule as it applies to one case: when, and what it is called."""

    at: datetime
    kind: str
    name: str


def threshold_at(
    calendar: Calendar, kind: str, working_days: int, share: float | None, reported_at: datetime, due_at: datetime
) -> datetime:
    """When a rule takes effect for a case.

    Examples
    --------
    >>> from datetime import UTC
    >>> from zoneinfo import ZoneInfo
    >>> shanghai = Calendar(ZoneInfo("Asia/Shanghai"))
    >>> tuesday = datetime(2026, 3, 17, 2, tzinfo=UTC)
    >>> due = shanghai.due(tuesday, 10)
    >>> threshold_at(shanghai, "due_soon", 1, 0.2, tuesday, due).isoformat()  # the last working day
    '2026-03-31T01:00:00+00:00'
    >>> threshold_at(shanghai, "escalation", 1, None, tuesday, due).isoformat()
    '2026-04-01T09:30:00+00:00'
    """
    if kind == Kind.DUE_SOON:
        whole = calendar.working_time(reported_at, due_at)
        return calendar.before(due_at, min(whole * (share or 1), working_days * calendar.day_length))
    if working_days == 0:
        return due_at
    # A limit that ends at midnight ends with the day before.
    return calendar.due(due_at - _JUST_BEFORE, working_days)


def thresholds(rules: Iterable[ReminderRule], calendar: Calendar, incident: Incident) -> list[Threshold]:
    """The thresholds of a case, the earliest first."""
    if incident.due_at is None:
        return []
    found = [
        Threshold(
            threshold_at(calendar, rule.kind, rule.working_days, rule.share, incident.reported_at, incident.due_at),
            rule.kind,
            f"{rule.kind}:{rule.working_days}",
        )
        for rule in rules
        if rule.tier is None or rule.tier == (incident.tier or "grid")
    ]
    return sorted(set(found), key=lambda one: (one.at, one.name))


def in_force(session: Session, unit_id: int | None) -> list[ReminderRule]:
    """The rules that hold in a unit: of each kind those of the lowest unit that has any, as they take effect."""
    path = list(session.scalar(select(units.Unit.path).where(units.Unit.id == unit_id)) or []) if unit_id else []
    held = ReminderRule.unit_id.is_(None) | ReminderRule.unit_id.in_(path)
    lowest: dict[str, tuple[int, list[ReminderRule]]] = {}
    for rule in session.scalars(select(ReminderRule).where(held).order_by(ReminderRule.working_days, ReminderRule.id)):
        depth = path.index(rule.unit_id) if rule.unit_id is not None else -1
        known, rules = lowest.get(rule.kind, (-2, []))
        if depth > known:
            lowest[rule.kind] = (depth, [rule])
        elif depth == known:
            rules.append(rule)
    order = list(Kind)
    found = [rule for _depth, rules in lowest.values() for rule in rules]
    return sorted(found, key=lambda rule: (order.index(Kind(rule.kind)), rule.working_days, rule.id))


def sweep(session: Session, now: datetime, *, limit: int = BATCH) -> int:
    """Let every threshold that has come take effect, of at most ``limit`` cases; returns how many were looked at.

    Runs without walls, in a transaction of its own. Call it until it returns 0.
    """
    # Case and watch are taken together or not at all: whoever acts on a case holds it and then wants its watch.
    due = (
        select(Incident)
        .join(CaseWatch, CaseWatch.incident_id == Incident.id)
        .where(CaseWatch.next_at <= now)
        .order_by(CaseWatch.next_at, CaseWatch.incident_id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=(Incident, CaseWatch))
        .execution_options(populate_existing=True)
    )
    cases = session.scalars(due).all()
    if not cases:
        return 0
    known = _known(session, cases)
    desks: dict[int, _Desk] = {}
    watched = []
    for incident in cases:
        desk = desks.get(incident.community_id)
        if desk is None:
            desk = desks[incident.community_id] = _Desk.of(session, incident.community_id)
        try:
            next_at = _look(session, incident, desk, known.get(incident.id, set()), now)
        except Exception:
            # One case that cannot be dealt with must not keep the others from it.
            log.exception("The limits of case %s could not be looked at", incident.id)
            session.refresh(incident)
            next_at = now + AGAIN_AFTER
        watched.append({"incident_id": incident.id, "due_at": incident.due_at, "next_at": next_at})
    session.execute(update(CaseWatch), watched)
    return len(cases)


@dataclass(frozen=True)
class _Desk:
    """What holds in a community during one sweep."""

    rules: list[ReminderRule]
    calendar: Calendar

    @classmethod
    def of(cls, session: Session, community_id: int) -> _Desk:
        """The rules that take effect in a community, and its calendar."""
        rules = [rule for rule in in_force(session, community_id) if rule.active]
        return cls(rules, calendars.of(session, community_id))


def _known(session: Session, cases: Iterable[Incident]) -> dict[int, set[str]]:
    """Incident → the thresholds that took effect for its present due date."""
    keys = [(one.id, one.due_at) for one in cases if one.due_at is not None]
    found: dict[int, set[str]] = {}
    query = select(Reminder.incident_id, Reminder.threshold)
    for incident_id, name in session.execute(query.where(tuple_(Reminder.incident_id, Reminder.due_at).in_(keys))):
        found.setdefault(incident_id, set()).add(name)
    return found


def _look(session: Session, incident: Incident, desk: _Desk, known: set[str], now: datetime) -> datetime | None:
    """Let what has come of one case take effect, all of it or nothing; returns when its next threshold comes."""
    if incident.due_at is None or incident.state not in incidents.RUNNING:
        return None
    due_at = incident.due_at
    coming = thresholds(desk.rules, desk.calendar, incident)
    passed = [threshold for threshold in coming if threshold.at <= now and threshold.name not in known]
    if passed:
        fresh = [threshold for threshold in passed if threshold.at >= incident.created_at]
        values = [
            {"incident_id": incident.id, "threshold": threshold.name, "due_at": due_at, "told": threshold in fresh}
            for threshold in passed
        ]
        with session.begin_nested():
            session.execute(insert(Reminder).on_conflict_do_nothing(), values)
            _take_effect(session, incident, fresh, now)
    if incident.due_at != due_at:
        return now
    return min((threshold.at for threshold in coming if threshold.at > now), default=None)


def _take_effect(session: Session, incident: Incident, passed: Sequence[Threshold], now: datetime) -> None:
    """Tell, escalate and supervise. Of several reminders that come at once only the last is told."""
    due_at = incident.due_at
    told = [one for one in passed if one.kind in (Kind.DUE_SOON, Kind.OVERDUE)]
    for one in told[-1:]:
        notifications.tell(session, incident, one.kind, occasion=f"{one.name}:{due_at:%Y%m%dT%H%M%S}")
    for one in passed:
        if one.kind == Kind.ESCALATION:
            if incident.step == Step.REPORTED:
                incidents.act(session, access.SYSTEM, incident, Action.TRIAGE)
                if incident.due_at is None or incident.due_at > now:
                    return
            _act(session, incident, Action.ESCALATE)
        elif one.kind == Kind.SUPERVISION and not incident.supervised:
            _act(session, incident, Action.SUPERVISE)


def _act(session: Session, incident: Incident, action: Action) -> None:
    """Do something by rule, unless the workflow has no such action now (it lies with the street, it is resolved)."""
    try:
        with session.begin_nested():
            incidents.act(session, access.SYSTEM, incident, action)
    except WanggeError as error:
        log.info("Case %s: no %s by rule: %s", incident.id, action, error.detail)
        session.refresh(incident)


def watch_all(session: Session) -> int:
    """Watch the open cases that nobody watches, or whose due date is another one: what came in past ``tell``.

    Returns how many. For the start of a worker and now and then.
    """
    changed = session.execute(
        text(
            """
            INSERT INTO case_watch (incident_id, due_at, next_at)
            SELECT i.id, i.due_at, now() FROM incident i LEFT JOIN case_watch w ON w.incident_id = i.id
            WHERE i.state = ANY(:running) AND i.due_at IS NOT NULL
              AND w.due_at IS DISTINCT FROM i.due_at
            ON CONFLICT (incident_id) DO UPDATE SET due_at = excluded.due_at, next_at = excluded.next_at
            RETURNING incident_id
            """
        ),
        {"running": [str(state) for state in incidents.RUNNING]},
    )
    return len(changed.all())


def look_again(session: Session, unit: units.Unit | None) -> None:
    """Have all watched cases of a unit looked at anew: its rules or its calendar have changed."""
    query = update(CaseWatch).values(next_at=func.now())
    if unit is not None:
        below = select(units.Unit.id).where(units.Unit.path.contains([unit.id]))
        query = query.where(CaseWatch.incident_id.in_(select(Incident.id).where(Incident.community_id.in_(below))))
    session.execute(query.execution_options(synchronize_session=False))


def due_soon() -> ColumnElement[bool]:
    """The condition that a rule found an incident to be due soon, by the date it has now."""
    query = select(Reminder.incident_id).where(
        Reminder.incident_id == Incident.id,
        Reminder.due_at == Incident.due_at,
        Reminder.threshold.startswith(f"{Kind.DUE_SOON}:"),
    )
    return query.correlate(Incident).exists()


def attach() -> None:
    """Have cases looked at anew whenever the calendar that their limits are counted by has changed, and lists know what
    is due soon."""
    calendars.when_changed(look_again)
    incidents.reminded_by(due_soon)


def forget_closed(session: Session) -> None:
    """Stop watching cases that have come to their end."""
    ended = select(Incident.id).where(Incident.state.not_in(incidents.OPEN)).correlate(None)
    session.execute(
        delete(CaseWatch)
        .where(CaseWatch.next_at.is_(None), CaseWatch.incident_id.in_(ended))
        .execution_options(synchronize_session=False)
    )


def add(
    session: Session,
    actor: Actor,
    unit: units.Unit | None,
    *,
    kind: str,
    working_days: int,
    share: float | None = None,
    tier: str | None = None,
    active: bool = True,
) -> ReminderRule:
    """A rule of a unit (``None``: of everybody). The first of its kind there takes the place of those above.

    Raises
    ------
    Invalid
        ``share`` is missing for due_soon, or given for another kind, or a number is out of bounds.
    """
    _require_edit(session, actor, unit)
    if kind not in set(Kind):
        raise Invalid(_("There is no rule of the kind “{kind}”.", kind=kind), field="kind")
    if not 0 <= working_days <= MOST_DAYS:
        raise Invalid(_("Give 0 to {most} working days.", most=MOST_DAYS), field="working_days")
    if (kind == Kind.DUE_SOON) != (share is not None) or (share is not None and not 0 < share <= 1):
        raise Invalid(_("Only “due soon” has a share of the time, between 0 and 1."), field="share")
    rule = ReminderRule(
        unit_id=unit.id if unit else None, kind=kind, working_days=working_days, share=share, tier=tier, active=active
    )
    session.add(rule)
    session.flush()
    look_again(session, unit)
    return rule


def remove(session: Session, actor: Actor, rule_id: int) -> None:
    """Remove a rule; when it was the last of its kind there, those above hold again.

    Raises
    ------
    RuleNotFound
    """
    rule = session.get(ReminderRule, rule_id)
    if rule is None:
        raise RuleNotFound(_("Not found, or outside your area."))
    unit = session.get(units.Unit, rule.unit_id) if rule.unit_id else None
    _require_edit(session, actor, unit)
    session.delete(rule)
    session.flush()
    look_again(session, unit)


def _require_edit(session: Session, actor: Actor, unit: units.Unit | None) -> None:
    access.require(actor, "unit.edit")
    if unit is not None and unit.level == units.Level.GRID:
        raise Invalid(_("A grid has the rules of its community."), field="unit_id")
    if not calendars.may_edit(session, actor, unit):
        if unit is not None and unit.community_id is not None:
            access.require(actor, "unit.edit", unit.community_id)
        raise Forbidden(_("Rules are changed by somebody who manages all communities they hold in."))


def of_incident(session: Session, incident: Incident) -> list[dict[str, Any]]:
    """What happens to a case when its limit comes near and passes: ``at, kind, working_days, done``.

    What had passed before the case was recorded here was not done, and will not be. A case that lies with the street
    climbs no higher, and what the street follows need not be followed by rule.
    """
    rules = [rule for rule in in_force(session, incident.community_id) if rule.active]
    its = (Reminder.incident_id == incident.id, Reminder.due_at == incident.due_at, Reminder.told)
    known = set(session.scalars(select(Reminder.threshold).where(*its)))
    idle = {Kind.ESCALATION: incident.level == incidents.Level.STREET, Kind.SUPERVISION: incident.supervised}
    return [
        {"at": one.at, "kind": one.kind, "working_days": int(one.name.split(":")[1]), "done": one.name in known}
        for one in thresholds(rules, calendars.of(session, incident.community_id), incident)
        if one.name in known or not idle.get(Kind(one.kind))
    ]
