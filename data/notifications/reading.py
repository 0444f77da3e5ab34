"""What one was told and wants to be told, who is told at all, and the group robots."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from data import accounts, buildings, units
from data.base import access, db, jobs, listing, secrets
from data.base.access import Actor, Rows
from data.base.errors import Forbidden, Invalid, NotFound
from data.base.language import _
from data.notifications.sending import check_address
from data.notifications.tables import (
    ASSIGNEE,
    Form,
    Kind,
    NoticeChoice,
    NoticeRule,
    Notification,
    Outgoing,
    Scope,
    Sending,
    Webhook,
)
from data.notifications.telling import SEND_JOB

#: For so long the messages that went out and those that did not are shown.
SHOWN_DAYS = 30


class NotificationNotFound(NotFound):
    """There is no such notification, or it is somebody else's."""


class WebhookNotFound(NotFound):
    """There is no such group robot, or it is told of cases outside the actor's area."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which of one's notifications: unread or read ones, of some kinds, of one case."""

    unread: bool | None = None
    kinds: tuple[str, ...] | None = None
    incident_id: int | None = None


#: What notifications can be sorted by.
SORTS: dict[str, Any] = {"id": Notification.id, "at": Notification.at}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """One's own notifications, a row each, with what the case is called. Of a case that left one's area there is none.

    Columns besides the table's: ``number``, ``category_zh``, ``category_en``, ``icon``, ``state``, ``address``,
    ``building_id``, ``building_number``, ``building_name``, ``due_at`` of the case, ``grid_name``.
    """
    # Cases and their categories lie above this file.
    case = db.referred(Notification.__table__.c.incident_id)
    category = db.referred(case.c.category_code)
    query = (
        select(
            *listing.columns(Notification),
            case.c.number,
            case.c.state,
            case.c.address,
            case.c.building_id,
            case.c.due_at,
            category.c.name_zh.label("category_zh"),
            category.c.name_en.label("category_en"),
            category.c.icon,
            units.Unit.name.label("grid_name"),
            buildings.Building.number.label("building_number"),
            buildings.Building.name.label("building_name"),
        )
        .join(case, case.c.id == Notification.incident_id)
        .join(category, category.c.code == case.c.category_code)
        .outerjoin(units.Unit, units.Unit.id == Notification.grid_id)
        .outerjoin(buildings.Building, buildings.Building.id == case.c.building_id)
    )
    return _own(query, actor, wanted or Filter())


def row(session: Session, actor: Actor, notification_id: int) -> Row[Any]:
    """One of one's notifications as a row of ``selection``."""
    return session.execute(selection(actor).where(Notification.id == notification_id)).one()


def _own(query: Rows, actor: Actor, wanted: Filter) -> Rows:
    query = access.visible(query.where(Notification.account_id == actor.account_id), actor, Notification)
    if wanted.unread is not None:
        query = query.where(Notification.read_at.is_(None) if wanted.unread else Notification.read_at.is_not(None))
    if wanted.kinds is not None:
        query = query.where(Notification.kind.in_(wanted.kinds))
    if wanted.incident_id is not None:
        query = query.where(Notification.incident_id == wanted.incident_id)
    return query


def unread(session: Session, actor: Actor) -> int:
    """How many of one's notifications are unread."""
    query = _own(select(func.count()).select_from(Notification), actor, Filter(unread=True))
    return session.scalar(query) or 0


def mark(session: Session, actor: Actor, notification_id: int, *, read: bool = True) -> Notification:
    """Mark one of one's notifications as read, or as unread again.

    Raises
    ------
    NotificationNotFound
    """
    query: Rows = select(Notification).where(Notification.id == notification_id)
    found: Notification | None = session.scalar(_own(query, actor, Filter()))
    if found is None:
        raise NotificationNotFound(_("Not found, or outside your area."))
    if read != (found.read_at is not None):
        found.read_at = datetime.now(UTC) if read else None
        session.flush()
    return found


def mark_all(session: Session, actor: Actor, wanted: Filter | None = None) -> int:
    """Mark all of one's notifications as read, or those wanted; returns how many were not."""
    ids = _own(select(Notification.id), actor, wanted or Filter()).where(Notification.read_at.is_(None))
    done = session.execute(
        update(Notification)
        .where(Notification.id.in_(ids.scalar_subquery()))
        .values(read_at=func.now())
        .returning(Notification.id)
        .execution_options(synchronize_session=False)
    )
    return len(done.all())


def choice(session: Session, actor: Actor) -> NoticeChoice:
    """What one wants to be told and how, as it was chosen or as it is at first."""
    found = session.get(NoticeChoice, actor.account_id)
    return found or NoticeChoice(account_id=actor.account_id, email=None, app_off=[], email_on=[])


def choose(
    session: Session, actor: Actor, *, email: str | None, app_off: Collection[str], email_on: Collection[str]
) -> NoticeChoice:
    """Choose what one wants to be told, and how.

    Raises
    ------
    Invalid
        There is no such kind, or kinds are to be sent by e-mail and there is no address.
    """
    if actor.account_id is None:
        raise Forbidden(_("Sign in first."))
    _check_kinds({*app_off, *email_on})
    if email_on and not email:
        raise Invalid(_("Give the address that e-mails go to."), field="email")
    values = {"email": email, "app_off": sorted(set(app_off)), "email_on": sorted(set(email_on))}
    found = session.get(NoticeChoice, actor.account_id)
    if found is None:
        found = NoticeChoice(account_id=actor.account_id, **values)
        session.add(found)
    for name, value in values.items():
        setattr(found, name, value)
    session.flush()
    return found


def _check_kinds(kinds: Collection[str]) -> None:
    if unknown := sorted(set(kinds) - set(Kind)):
        raise Invalid(_("There is no notification “{kind}”.", kind=unknown[0]), field="kinds")


def rules(session: Session) -> dict[str, dict[str, str]]:
    """Who is told: kind → role (or ``ASSIGNEE``) → scope."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in Kind}
    for rule in session.scalars(select(NoticeRule)):
        found[rule.kind][rule.role_code] = rule.scope
    return found


def set_rules(session: Session, actor: Actor, wanted: Mapping[str, Mapping[str, str]]) -> None:
    """Say anew who is told: of each kind that is named, exactly these roles."""
    access.require_everywhere(actor, "unit.edit")
    _check_kinds(wanted)
    known = {ASSIGNEE, *(role.code for role in accounts.roles(session))}
    for kind, scopes in wanted.items():
        if unknown := sorted(set(scopes) - known):
            raise Invalid(_("There is no role “{code}”.", code=unknown[0]), field="role_code")
        if not set(scopes.values()) <= set(Scope):
            raise Invalid(_("A role is told “always” or by its “level”."), field="scope")
        session.execute(delete(NoticeRule).where(NoticeRule.kind == kind))
        session.add_all(NoticeRule(kind=kind, role_code=role, scope=scope) for role, scope in scopes.items())
    session.flush()


def webhooks(session: Session, actor: Actor) -> list[tuple[Webhook, str]]:
    """The group robots of units where one may edit them, with the name of the unit, by unit and name."""
    area = actor.area("unit.edit")
    query = (
        select(Webhook, units.Unit.name)
        .join(units.Unit, units.Unit.id == Webhook.unit_id)
        .order_by(units.Unit.code, Webhook.name, Webhook.id)
    )
    if not area.everywhere:
        query = query.where(Webhook.unit_id.in_(sorted(area.communities)))
    return [(hook, name) for hook, name in session.execute(query)]


def webhook(session: Session, actor: Actor, webhook_id: int) -> Webhook:
    """The group robot with this id.

    Raises
    ------
    WebhookNotFound
    """
    found = session.get(Webhook, webhook_id)
    if found is None or not _reaches(session, actor, found.unit_id):
        raise WebhookNotFound(_("Not found, or outside your area."))
    return found


def _reaches(session: Session, actor: Actor, unit_id: int) -> bool:
    """Whether the actor edits all that a robot at a unit is told of: a community, or all."""
    area = actor.area("unit.edit")
    return area.everywhere or unit_id in area.communities


def add_webhook(session: Session, actor: Actor, unit: units.Unit, *, address: str, **values: Any) -> Webhook:
    """A group robot that is told of the cases of a unit and all below it.

    Raises
    ------
    Invalid
        The settings do not allow messages to this address, or there is no such kind.
    """
    if unit.level == units.Level.GRID:
        raise Invalid(_("A group robot belongs to a community, a street or a district."), field="unit_id")
    if unit.community_id is None:
        access.require_everywhere(actor, "unit.edit")
    else:
        access.require(actor, "unit.edit", unit.community_id)
    found = Webhook(unit_id=unit.id, address=check_address(address), **values)
    _check(found)
    session.add(found)
    session.flush()
    return found


def change_webhook(session: Session, actor: Actor, found: Webhook, **values: Any) -> Webhook:
    """Change a group robot."""
    access.require(actor, "unit.edit")
    if "address" in values:
        check_address(values["address"])
    for name, value in values.items():
        setattr(found, name, value)
    _check(found)
    session.flush()
    return found


def _check(found: Webhook) -> None:
    _check_kinds(found.kinds)
    if found.form not in set(Form):
        raise Invalid(_("A group robot is one of WeCom or DingTalk."), field="form")


def remove_webhook(session: Session, actor: Actor, found: Webhook) -> None:
    """Remove a group robot, and the messages that wait for it."""
    access.require(actor, "unit.edit")
    session.delete(found)
    session.flush()


def masked(address: str) -> str:
    """The address of a robot without its key: the host, and how it ends.

    >>> masked("https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef")
    'oapi.dingtalk.com …cdef'
    """
    if isinstance(address, secrets.Unreadable):
        return address
    return f"{address.split('/')[2]} …{address[-4:]}"


def outbox(session: Session, actor: Actor) -> dict[str, dict[str, Any]]:
    """How many messages wait, were sent and failed in the last 30 days, by channel, with the last failure's reason.

    Of everything, for whoever may edit everywhere; else empty.
    """
    if not actor.area("unit.edit").everywhere:
        return {}
    since = Outgoing.made_at > func.now() - func.make_interval(0, 0, 0, SHOWN_DAYS)
    counts = session.execute(
        select(Outgoing.channel, Outgoing.state, func.count()).where(since).group_by(Outgoing.channel, Outgoing.state)
    ).all()
    channels: dict[str, dict[str, Any]] = {}
    for channel, state, count in counts:
        channels.setdefault(channel, {"waiting": 0, "sent": 0, "failed": 0, "detail": None})
        channels[channel]["waiting" if state == Sending.SENDING else state] += count
    for channel, row in channels.items():
        row["detail"] = session.scalar(
            select(Outgoing.detail)
            .where(since, Outgoing.channel == channel, Outgoing.detail.is_not(None))
            .order_by(Outgoing.id.desc())
            .limit(1)
        )
    return channels


def forget_old(session: Session, *, notification_days: int = 365, message_days: int = SHOWN_DAYS) -> None:
    """Delete what nobody needs any more: old notifications, messages that were sent or given up, and the jobs of it."""
    session.execute(
        delete(Notification).where(Notification.at < func.now() - func.make_interval(0, 0, 0, notification_days))
    )
    session.execute(
        delete(Outgoing).where(
            Outgoing.state.in_((Sending.SENT, Sending.FAILED)),
            Outgoing.made_at < func.now() - func.make_interval(0, 0, 0, message_days),
        )
    )
    session.execute(
        delete(jobs.Job).where(
            jobs.Job.kind == SEND_JOB,
            jobs.Job.state.in_((jobs.JobState.DONE, jobs.JobState.FAILED)),
            jobs.Job.created_at < func.now() - func.make_interval(0, 0, 0, message_days),
        )
    )
