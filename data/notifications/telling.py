"""Telling: who is told when something happens to a case, written in the transaction in which it happens.

Who is told is rows (``NoticeRule``): the assignee, and roles as they are given at the units around the case. A role
with the scope *level* is told once the case has come up to its own level; when that leaves nobody but the one who
acted, the nearest level above is told instead, so that nothing is left lying. Nobody is told of their own act, or
shown one event twice. That a case is urgent is told once: as it comes in when its category says so, else at its triage.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, case, func, or_, select, text
from sqlalchemy.orm import Session

from data import accounts, units
from data.accounts import Account, Grant
from data.base import access, changes, jobs, settings
from data.notifications.tables import (
    ASSIGNEE,
    Channel,
    Kind,
    NoticeChoice,
    NoticeRule,
    Notification,
    Outgoing,
    Scope,
    Webhook,
)

#: The kind of job that sends what is waiting.
SEND_JOB = "send"
#: What is done with a case, and what is told of it.
_KIND_OF = {
    "report": Kind.REPORTED,
    "assign": Kind.ASSIGNED,
    "escalate": Kind.ESCALATED,
    "return": Kind.RETURNED,
    "reopen": Kind.REOPENED,
    "resolve": Kind.RESOLVED,
    "supervise": Kind.SUPERVISED,
}
#: After these the due date may be another one.
_LIMITS_AFTER = {"report", "urgent", "take_over", "triage", "resume", "reopen", "return"}
_URGENT_AFTER = {"report", "triage"}
#: No message is put off for longer.
_FARTHEST = timedelta(days=1)
_RANKS = {"building": 0, "grid": 1, "community": 2, "street": 3, "district": 3}


class Case(Protocol):
    """What has to be known of a case to tell of it; ``data.incidents.Incident`` has it."""

    id: Any
    community_id: Any
    grid_id: Any
    tier: Any
    level: Any
    assignee_id: Any
    due_at: Any


@dataclass(frozen=True)
class _Person:
    """Somebody with a role where cases of one grid (or of a community, without a grid) lie."""

    account_id: int
    role_code: str
    rank: int


@dataclass(frozen=True)
class _Choice:
    """What somebody does not want to be shown, and what they want by e-mail."""

    app_off: frozenset[str] = frozenset()
    email_on: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Desk:
    """Who and what is to be told around one grid; the choices of those who made any."""

    people: list[_Person]
    choices: dict[int, _Choice]
    rules: dict[str, dict[str, str]]
    hooks: list[tuple[int, frozenset[str]]]
    #: who is away from the grid today → who stands in, and is told instead
    deputies: dict[int, int]


def tell(
    session: Session,
    incident: Case,
    event: str,
    *,
    occasion: str | int,
    by: int | None = None,
    besides: Collection[int] = (),
) -> list[int]:
    """Tell whoever is to be told that something happened to a case; returns the accounts that it is newly shown to.

    To be called in the transaction of the event: either both are kept, or neither. The same occasion is told once.

    Parameters
    ----------
    event
        What was done (an action of the workflow), or a ``Kind``. Of an event that is nobody's concern nothing is told.
    occasion
        What sets this event apart from the next of its kind: the id of the step.
    by
        The account that did it, which is not told.
    besides
        The accounts that were shown the same event as something else, and are not shown it again; by e-mail goes what
        was asked for by e-mail.
    """
    if event in _LIMITS_AFTER:
        watch(session, incident)
    if event in _URGENT_AFTER and incident.tier == "street":
        kind: str | None = Kind.URGENT
    else:
        kind = _KIND_OF.get(event, event if event in set(Kind) else None)
    if kind is None:
        return []
    desk = _desk(session, incident.community_id, incident.grid_id)
    wanted = sorted(_wanted(desk, incident, kind, by))
    where = {"incident_id": incident.id, "kind": str(kind)}
    occasion = str(kind if kind == Kind.URGENT else occasion)
    letters = [
        _message(where, occasion, Channel.WEBHOOK, webhook_id=hook) for hook, kinds in desk.hooks if kind in kinds
    ]
    reached: set[int] = set()
    if wanted:
        chosen = _choices(session, desk, wanted)
        shown = [one for one in wanted if one not in besides and kind not in chosen[one].app_off]
        place = {"community": incident.community_id, "grid": incident.grid_id, "occasion": occasion}
        if shown:
            reached.update(session.scalars(_TOLD, {**where, **place, "accounts": shown}))
        mailed = (account_id for account_id in wanted if kind in chosen[account_id].email_on)
        letters += [_message(where, occasion, Channel.EMAIL, account_id=account_id) for account_id in mailed]
    if letters:
        session.execute(_LETTERS, letters)
        ask_to_send(session)
    return sorted(reached)


def _message(
    where: dict[str, Any],
    occasion: str,
    channel: Channel,
    *,
    account_id: int | None = None,
    webhook_id: int | None = None,
) -> dict[str, Any]:
    key = f"{channel}:{account_id or webhook_id}:{where['incident_id']}:{where['kind']}:{occasion}"
    return {**where, "key": key, "channel": channel, "account_id": account_id, "webhook_id": webhook_id}


def watch(session: Session, incident: Case) -> None:
    """Have the limits of a case looked at by the next sweep, if its due date is another one than at the last look."""
    if incident.due_at is None:
        return
    session.execute(_WATCHED, {"incident": incident.id, "due_at": incident.due_at})


# Written with every report and step of a case, so they are spelled out: building them takes longer than running them.
_TOLD = text(
    "INSERT INTO notification (account_id, incident_id, community_id, grid_id, kind, occasion) "
    "SELECT unnest(CAST(:accounts AS integer[])), :incident_id, :community, :grid, :kind, :occasion "
    "ON CONFLICT DO NOTHING RETURNING account_id"
)
# Nothing is returned: requests write messages, and do not read them.
_LETTERS = text(
    "INSERT INTO outgoing (key, channel, account_id, webhook_id, incident_id, kind) "
    "VALUES (:key, :channel, :account_id, :webhook_id, :incident_id, :kind) ON CONFLICT DO NOTHING"
)
_WATCHED = text(
    "INSERT INTO case_watch AS w (incident_id, due_at, next_at) VALUES (:incident, :due_at, now()) "
    "ON CONFLICT (incident_id) DO UPDATE SET due_at = excluded.due_at, next_at = excluded.next_at "
    "WHERE w.due_at IS DISTINCT FROM excluded.due_at OR w.next_at IS NULL"
)


def _wanted(desk: _Desk, incident: Case, kind: str, by: int | None) -> set[int]:
    rules = desk.rules.get(kind, {})
    # A case without a grid is the community's.
    rank = max(_RANKS.get(incident.level, 1), 1 if incident.grid_id else 2)
    concerned = [person for person in desk.people if person.role_code in rules]
    told = {person.account_id for person in concerned if rules[person.role_code] == Scope.ALWAYS or person.rank <= rank}
    if ASSIGNEE in rules and incident.assignee_id is not None:
        told.add(incident.assignee_id)
    if not told:
        nearest = min((person.rank for person in concerned), default=0)
        told = {person.account_id for person in concerned if person.rank == nearest}
    return {desk.deputies.get(account_id, account_id) for account_id in told} - {by}


def _desk(session: Session, community_id: int, grid_id: int | None) -> _Desk:
    place = community_id, grid_id, settings.today()
    return _desks.get(session, place, lambda: _set_up(session, community_id, grid_id))


_desks = changes.Kept[_Desk](
    Grant, Account, accounts.StandIn, units.Unit, NoticeRule, NoticeChoice, Webhook, accounts.RolePermission
)


def _set_up(session: Session, community_id: int, grid_id: int | None) -> _Desk:
    path = list(session.scalar(select(units.Unit.path).where(units.Unit.id == (grid_id or community_id))) or [])
    readers = select(accounts.RolePermission.role_code).where(
        accounts.RolePermission.permission_code == Notification.__read__
    )
    people = session.execute(
        select(Account.id, Grant.role_code, func.min(case(_RANKS, value=units.Unit.level, else_=_RANKS["district"])))
        .join(Grant, Grant.account_id == Account.id)
        .outerjoin(units.Unit, units.Unit.id == Grant.unit_id)
        .where(Account.active, Grant.unit_id.in_(path) | Grant.unit_id.is_(None), Grant.role_code.in_(readers))
        .group_by(Account.id, Grant.role_code)
    ).all()
    rules: dict[str, dict[str, str]] = {}
    for rule in session.scalars(select(NoticeRule)):
        rules.setdefault(rule.kind, {})[rule.role_code] = rule.scope
    hooks = session.execute(select(Webhook.id, Webhook.kinds).where(Webhook.active, Webhook.unit_id.in_(path))).all()
    return _Desk(
        [_Person(*row) for row in people],
        _chosen(session, {row[0] for row in people}),
        rules,
        [(hook, frozenset(kinds)) for hook, kinds in hooks],
        accounts.deputies(session, grid_id) if grid_id else {},
    )


#: Of others one learns what they want to be told, and of their address only that there is one.
_CHOICES = text("SELECT account_id, app_off, email_on, reachable FROM notice_choices(CAST(:accounts AS integer[]))")


def _choices(session: Session, desk: _Desk, account_ids: Collection[int]) -> dict[int, _Choice]:
    """The choices of those who are told; an assignee may have no role at the desk."""
    return desk.choices | _chosen(session, set(account_ids) - desk.choices.keys())


def _chosen(session: Session, account_ids: Collection[int]) -> dict[int, _Choice]:
    found = dict.fromkeys(account_ids, _Choice())
    rows = session.execute(_CHOICES, {"accounts": sorted(account_ids)}) if account_ids else ()
    for account_id, off, on, reachable in rows:
        mailed = frozenset(on) if reachable and settings.get().smtp_host else frozenset[str]()
        found[account_id] = _Choice(frozenset(off), mailed)
    return found


def ask_to_send(session: Session) -> None:
    """Put a job into the queue that sends what is waiting, unless one stands there already."""
    waiting = select(jobs.Job.id).where(jobs.Job.kind == SEND_JOB, jobs.Job.state == jobs.JobState.QUEUED).limit(1)
    if session.scalar(waiting) is None:
        # An import of many minutes must not keep a message waiting.
        jobs.enqueue(
            session, access.SYSTEM, SEND_JOB, {}, community_id=None, language=settings.get().language, lane=jobs.BRIEF
        )


def is_due(now: datetime) -> ColumnElement[bool]:
    """The condition that a message's time has come, or lies so far ahead that the clock has been put back since."""
    return or_(Outgoing.next_at <= now, Outgoing.next_at > now + _FARTHEST)


def ask_to_send_what_is_left(session: Session) -> bool:
    """Put the job into the queue for messages whose time has come (again) and that no job is about to send."""
    due = select(Outgoing.id).where(Outgoing.state.in_(("waiting", "sending")), is_due(datetime.now(UTC)))
    at_work = select(jobs.Job.id).where(jobs.Job.kind == SEND_JOB, jobs.Job.state.in_(("queued", "running")))
    if session.scalar(due.limit(1)) is None or session.scalar(at_work.limit(1)) is not None:
        return False
    ask_to_send(session)
    return True
