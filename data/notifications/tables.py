"""What is remembered of notifications: who is told of what, what they were told, and what still has to go out."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db, texts
from data.base.secrets import Encrypted


class Kind(StrEnum):
    """What somebody is told of a case."""

    REPORTED = "reported"
    URGENT = "urgent"
    ASSIGNED = "assigned"
    ESCALATED = "escalated"
    RETURNED = "returned"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    SUPERVISED = "supervised"


class Scope(StrEnum):
    """When a role is told: always, or once the case has come up to the level at which the role was given."""

    ALWAYS = "always"
    LEVEL = "level"


class Channel(StrEnum):
    """How a message leaves the house."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class Form(StrEnum):
    """Whose group robot a webhook is: WeCom 企业微信 or DingTalk 钉钉."""

    WECOM = "wecom"
    DINGTALK = "dingtalk"


class Sending(StrEnum):
    """How far a message is."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


#: In place of a role: whoever the case is assigned to.
ASSIGNEE = "assignee"


def _listed(words: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


class NoticeRule(db.Table):
    """Whoever has a role where a case lies is told of a kind of event."""

    __tablename__ = "notice_rule"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_listed(Kind)})", name="kind"),
        CheckConstraint(f"scope IN ({_listed(Scope)})", name="scope"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    #: The code of a role, or ``ASSIGNEE``.
    role_code: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str]


class Notification(db.Table):
    """Somebody was told something of a case, once for each occasion."""

    __tablename__ = "notification"
    __told__ = False
    __read__ = "incident.read"
    __audited__ = False
    __table_args__ = (
        UniqueConstraint("account_id", "incident_id", "kind", "occasion"),
        Index("ix_notification_account_id_unread", "account_id", postgresql_where=text("read_at IS NULL")),
        Index("ix_notification_account_id_at", "account_id", "at"),
        Index("ix_notification_incident_id", "incident_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    kind: Mapped[str]
    #: What sets one event apart from the next of its kind: a step of the case, a threshold and its due date.
    occasion: Mapped[texts.Long]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    read_at: Mapped[datetime | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A notification lies where its case lay; who has left that place is not told any more."""
        return access.in_area(area, cls.community_id, cls.grid_id)


class NoticeChoice(db.Table):
    """What an account wants to be told, and how. Without a row: everything in the application, nothing by e-mail."""

    __tablename__ = "notice_choice"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    email: Mapped[str | None] = mapped_column(Encrypted)
    #: kinds that are not shown in the application
    app_off: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))
    #: kinds that are sent by e-mail
    email_on: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'"))


class Webhook(db.Dated, db.Table):
    """A group robot that is told of the cases of a unit and all below it."""

    __tablename__ = "webhook"
    __table_args__ = (CheckConstraint(f"form IN ({_listed(Form)})", name="form"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    form: Mapped[str]
    #: Whoever knows it may write to the group, so it is encrypted.
    address: Mapped[str] = mapped_column(Encrypted)
    #: DingTalk's key for signatures (加签).
    secret: Mapped[str | None] = mapped_column(Encrypted)
    kinds: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    active: Mapped[bool] = mapped_column(server_default=text("true"))


class Outgoing(db.Table):
    """A message that has to leave the house, written with what it tells of."""

    __tablename__ = "outgoing"
    __told__ = False
    __audited__ = False
    __table_args__ = (
        CheckConstraint(f"channel IN ({_listed(Channel)})", name="channel"),
        CheckConstraint(f"state IN ({_listed(Sending)})", name="state"),
        CheckConstraint("(channel = 'email') = (account_id IS NOT NULL)", name="account"),
        CheckConstraint("(channel = 'webhook') = (webhook_id IS NOT NULL)", name="webhook"),
        Index("ix_outgoing_next_at", "next_at", postgresql_where=text("state IN ('waiting', 'sending')")),
        Index("ix_outgoing_incident_id", "incident_id"),
        Index("ix_outgoing_webhook_id_sent_at", "webhook_id", "sent_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    #: Channel, receiver, case, kind and occasion: each goes out once.
    key: Mapped[texts.Long] = mapped_column(unique=True)
    channel: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhook.id", ondelete="CASCADE"))
    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=Sending.WAITING)
    attempts: Mapped[int] = mapped_column(server_default="0")
    #: When it is tried (again); of one that is being sent, when it is taken for lost.
    next_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    made_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    sent_at: Mapped[datetime | None]
    #: why the last attempt failed; never holds an address
    detail: Mapped[texts.Long | None]


class CaseWatch(db.Table):
    """When the limits of an open case are to be looked at next; see ``data.reminders``."""

    __tablename__ = "case_watch"
    __told__ = False
    __audited__ = False
    __table_args__ = (Index("ix_case_watch_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),)

    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True)
    #: The due date that ``next_at`` follows from.
    due_at: Mapped[datetime | None]
    #: Empty: nothing more is to come.
    next_at: Mapped[datetime | None]
