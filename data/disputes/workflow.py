"""The workflow of a dispute: one table of who may go where, ``act``, which goes there, and the calls that follow.

::

    report ──► reported ──mediate──► mediating ◄──mediate, climb──┐
                  │  │                 │  │  └─────────────────────┘
                  │  └──────settle─────┤  ├──refer───► referred
                  │                    ▼  │
                  │                 settled ──break──► mediating
                  │                    │
                  │                  close (by itself when the last call says that it holds)
                  │                    ▼
                  └─withdraw─► …     closed            reopen leads back to mediating

Mediation begins in the house 楼院; ``climb`` takes it to the grid, and to the community centre. At the centre only who
handles cases of the whole community goes on with it, and from there alone it is handed to a court or an office.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from data.base import access, settings
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.base.language import _
from data.buildings import Building
from data.disputes.tables import LEVELS, Action, Dispute, DisputeCall, DisputeStep, Level, NotYet, Step


class NotNow(Conflict):
    """This cannot be done about the dispute as it stands."""


class MovedOn(Conflict):
    """Somebody else did something about the dispute meanwhile."""


TRANSITIONS: dict[Step, dict[Action, Step]] = {
    Step.REPORTED: {
        Action.MEDIATE: Step.MEDIATING,
        Action.SETTLE: Step.SETTLED,
        Action.CLIMB: Step.REPORTED,
        Action.WITHDRAW: Step.WITHDRAWN,
    },
    Step.MEDIATING: {
        Action.MEDIATE: Step.MEDIATING,
        Action.SETTLE: Step.SETTLED,
        Action.CLIMB: Step.MEDIATING,
        Action.REFER: Step.REFERRED,
        Action.WITHDRAW: Step.WITHDRAWN,
    },
    Step.SETTLED: {Action.CLOSE: Step.CLOSED, Action.BREAK: Step.MEDIATING},
    Step.CLOSED: {Action.REOPEN: Step.MEDIATING},
    Step.REFERRED: {Action.REOPEN: Step.MEDIATING},
    Step.WITHDRAWN: {Action.REOPEN: Step.MEDIATING},
}
#: Actions that have to be explained.
EXPLAINED = frozenset({Action.MEDIATE, Action.CLIMB, Action.BREAK, Action.REFER, Action.WITHDRAW, Action.REOPEN})
#: Days after an agreement on which somebody asks whether it holds.
CALL_DAYS = (7, 30, 90)
_AHEAD = timedelta(minutes=10)
_ENDED = (Step.CLOSED, Step.REFERRED, Step.WITHDRAWN)


def allowed(actor: Actor, dispute: Dispute) -> list[Action]:
    """What the actor can do about a dispute as it stands, in the order of the list of actions."""
    if not _may(actor, dispute):
        return []
    possible = TRANSITIONS[Step(dispute.step)]
    top = dispute.level == Level.COMMUNITY
    barred = {Action.CLIMB} if top else {Action.REFER}
    return [action for action in Action if action in possible and action not in barred]


def _may(actor: Actor, dispute: Dispute) -> bool:
    area = actor.area("incident.edit")
    # What came up to the centre is the centre's: whoever has one grid of it follows it, and does not decide.
    return area.covers(dispute.community_id, None if dispute.level == Level.COMMUNITY else dispute.grid_id)


def act(
    session: Session,
    actor: Actor,
    dispute: Dispute,
    action: Action,
    *,
    note: str | None = None,
    mediators: str | None = None,
    agreement: str | None = None,
    at: datetime | None = None,
    call_days: Sequence[int] | None = None,
    seen: str | None = None,
) -> DisputeStep:
    """Do something about a dispute; of two who act at once, the second is told that it moved on.

    Parameters
    ----------
    note
        What was said; for all but a settlement and a close it is needed.
    mediators
        Who mediated, of a session.
    agreement
        Of a settlement: what they agreed upon.
    at
        When; now if left out.
    call_days
        Of a settlement: so many days later somebody asks whether it holds; ``CALL_DAYS`` if left out.
    seen
        The step at which the actor saw it.

    Raises
    ------
    Forbidden, NotNow, MovedOn, NotYet
    Invalid
        Something that the action needs was not said.
    """
    before = seen or dispute.step
    session.refresh(dispute, with_for_update=True)
    access.require(actor, Dispute.__read__, dispute.community_id, dispute.grid_id)
    if not _may(actor, dispute):
        raise Forbidden(_("This is with the community centre now, or belongs to others who handle cases here."))
    if before != dispute.step:
        raise MovedOn(_("Somebody else went on with this dispute meanwhile. Look at it again."), step=dispute.step)
    if action not in allowed(actor, dispute):
        raise NotNow(_("This cannot be done as the dispute stands."), step=dispute.step)
    if action in EXPLAINED and not note:
        raise Invalid(_("Say in a few words what happened."), field="body.note")
    if action is Action.SETTLE and not agreement:
        raise Invalid(_("Say what they agreed upon."), field="body.agreement")
    now = datetime.now(UTC)
    at = at or now
    if at > now + _AHEAD or at < dispute.reported_at - timedelta(days=1):
        raise NotYet(_("A step lies between the report and now."), field="body.at")
    if action is Action.CLIMB:
        dispute.level = LEVELS[LEVELS.index(Level(dispute.level)) + 1]
    if action is Action.SETTLE:
        dispute.agreement, dispute.settled_at = agreement, at
        _plan_calls(session, dispute, at, call_days)
    if action in (Action.BREAK, Action.CLOSE, Action.REOPEN):
        _drop_calls(session, dispute)
    dispute.step = TRANSITIONS[Step(dispute.step)][action]
    dispute.ended_at = at if dispute.step in _ENDED else None
    step = _noted(session, actor, dispute, action, at, note=note, mediators=mediators)
    session.flush()
    return step


def _noted(
    session: Session, actor: Actor, dispute: Dispute, action: Action, at: datetime, **said: str | None
) -> DisputeStep:
    step = DisputeStep(
        dispute_id=dispute.id,
        community_id=dispute.community_id,
        action=action,
        step=dispute.step,
        level=dispute.level,
        at=at,
        account_id=actor.account_id,
        **{name: value or None for name, value in said.items()},
    )
    session.add(step)
    return step


def begin(session: Session, actor: Actor, dispute: Dispute) -> None:
    """Note that a dispute was reported."""
    _noted(session, actor, dispute, Action.REPORT, dispute.reported_at)
    session.flush()


# The calls that follow


def _plan_calls(session: Session, dispute: Dispute, at: datetime, days: Sequence[int] | None) -> None:
    day = at.astimezone(ZoneInfo(settings.get().timezone)).date()
    for ahead in CALL_DAYS if days is None else days:
        due_on = day + timedelta(days=ahead)
        session.add(DisputeCall(dispute_id=dispute.id, community_id=dispute.community_id, due_on=due_on))


def _drop_calls(session: Session, dispute: Dispute) -> None:
    """Calls that nobody has to make any more."""
    for call in calls(session, dispute):
        if call.done_at is None:
            session.delete(call)


def calls(session: Session, dispute: Dispute) -> list[DisputeCall]:
    """The calls of a dispute that the actor was shown to see, by their day."""
    query = select(DisputeCall).where(DisputeCall.dispute_id == dispute.id)
    return list(session.scalars(query.order_by(DisputeCall.due_on, DisputeCall.id)))


def record_call(
    session: Session, actor: Actor, dispute: Dispute, call_id: int, *, holds: bool, note: str | None = None
) -> DisputeCall:
    """What came of a call. When the last one says that the agreement holds, the dispute is closed; a broken agreement
    leads back to mediation.

    Raises
    ------
    NotFound, Forbidden
    Conflict
        The call was made already.
    Invalid
        What is broken has to be explained.
    """
    access.require(actor, "visit.record", dispute.community_id, dispute.grid_id)
    session.refresh(dispute, with_for_update=True)
    call = session.get(DisputeCall, call_id)
    if call is None or call.dispute_id != dispute.id:
        raise NotFound(_("Not found, or outside your area."))
    if call.done_at is not None:
        raise Conflict(_("This call was made already."))
    if not holds and not note:
        raise Invalid(_("Say in a few words what happened."), field="body.note")
    now = datetime.now(UTC)
    call.done_at, call.account_id, call.holds, call.note = now, actor.account_id, holds, note or None
    session.flush()
    if dispute.step == Step.SETTLED:
        waiting = [one for one in calls(session, dispute) if one.done_at is None]
        if not holds:
            _follow(session, actor, dispute, Action.BREAK, now, note)
        elif not waiting:
            _follow(session, actor, dispute, Action.CLOSE, now, None)
    return call


def _follow(session: Session, actor: Actor, dispute: Dispute, action: Action, at: datetime, note: str | None) -> None:
    """What follows from a call, whoever may make one."""
    _drop_calls(session, dispute)
    dispute.step = TRANSITIONS[Step(dispute.step)][action]
    dispute.ended_at = at if dispute.step in _ENDED else None
    _noted(session, actor, dispute, action, at, note=note)
    session.flush()


def calls_due(session: Session, actor: Actor, on: date | None = None, most: int = 20) -> Sequence[Row[Any]]:
    """The calls that are due by the end of a day, the longest overdue first.

    Rows ``id due_on dispute_id kind level building_number``.
    """
    query: Rows = (
        select(
            DisputeCall.id,
            DisputeCall.due_on,
            DisputeCall.dispute_id,
            Dispute.kind,
            Dispute.level,
            Building.number.label("building_number"),
        )
        .join(Dispute, Dispute.id == DisputeCall.dispute_id)
        .join(Building, Building.id == Dispute.building_id)
        .where(DisputeCall.done_at.is_(None), DisputeCall.due_on <= (on or settings.today()))
    )
    query = access.visible(query, actor, Dispute)
    return session.execute(query.order_by(DisputeCall.due_on, DisputeCall.id).limit(most)).all()
