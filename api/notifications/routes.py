"""Notifications over HTTP: one's own, what one wants to be told, who is told at all, and the group robots."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.base import listing
from api.base.deps import Session, SignedIn, permission
from api.base.fields import Change, Code, Id, Input, Line, Output, Reference
from api.base.listing import Listed
from data import notifications, units
from data.base import secrets
from data.base.access import Actor
from data.notifications import Form, Kind, Notification, Scope, Webhook

api = APIRouter(prefix="/api", tags=["notifications"])
Read = Annotated[Actor, permission("unit.read")]
Edit = Annotated[Actor, permission("unit.edit")]

Email = Annotated[str, Field(pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$", max_length=200)]
Address = Annotated[str, Field(pattern=r"^https?://[^\s\x00-\x1f\x7f]+$", max_length=500)]
Secret = Annotated[str, Field(pattern=r"^[\x21-\x7e]+$", max_length=200)]
Kinds = Annotated[list[Kind], Field(max_length=len(Kind))]


class NotificationOut(Output):
    """Something one was told of a case."""

    id: int = Field(examples=[12])
    kind: Kind = Field(examples=["assigned"])
    incident_id: int = Field(examples=[240])
    number: str = Field(description="Of the case.", examples=["20260317-006"])
    category_zh: str = Field(examples=["楼道灯不亮"])
    category_en: str = Field(examples=["Corridor light broken"])
    grid_name: str | None = Field(examples=["第四网格"])
    at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    read_at: datetime | None = Field(examples=[None])


class Unread(Output):
    """How many are unread."""

    unread: int = Field(examples=[3])


class Marked(Output):
    """How many were marked as read."""

    marked: int = Field(examples=[3])


class Choice(Input):
    """What one wants to be told, and how."""

    email: Email | None = Field(None, examples=["leader@example.org"])
    app_off: Kinds = Field([], description="Kinds that are not shown in the application.", examples=[[]])
    email_on: Kinds = Field([], description="Kinds that are sent by e-mail.", examples=[["overdue"]])


class WebhookOut(Output):
    """A group robot. Its address and key are not handed out again."""

    id: int = Field(examples=[1])
    unit_id: int = Field(examples=[3])
    name: str = Field(examples=["值班群"])
    form: Form = Field(examples=["wecom"])
    address: str = Field(description="The host, and how it ends.", examples=["qyapi.weixin.qq.com …9abc"])
    signed: bool = Field(description="Whether messages carry a signature (DingTalk).", examples=[False])
    kinds: list[Kind] = Field(examples=[["urgent", "overdue"]])
    active: bool = Field(examples=[True])


class WebhookChange(Change):
    """What of a group robot is to change."""

    needed = frozenset({"name", "form", "address", "kinds", "active"})

    name: Line | None = Field(None, examples=["值班群"])
    form: Form | None = Field(None, examples=["wecom"])
    address: Address | None = Field(None, examples=["https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123"])
    secret: Secret | None = Field(None, description="DingTalk's key for signatures (加签).", examples=[None])
    kinds: Kinds | None = Field(None, examples=[["urgent", "overdue"]])
    active: bool | None = Field(None, examples=[True])


class WebhookNew(WebhookChange):
    """A group robot to be added."""

    unit_id: Reference = Field(examples=[3])
    name: Line = Field(examples=["值班群"])
    form: Form = Field(examples=["wecom"])
    address: Address = Field(examples=["https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123"])
    kinds: Kinds = Field(examples=[["urgent", "overdue"]])


class NotificationFilters(listing.Filters[notifications.Filter]):
    """Which of one's notifications a request asks for."""

    unread: Annotated[bool | None, Query(description="Only unread ones, or only read ones.")] = None
    kind: Annotated[Code | None, Query(description="Only of these kinds, with commas.")] = None
    incident_id: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only of this case.")] = None

    def wanted(self) -> notifications.Filter:
        """The same for ``data``."""
        kinds = listing.choices(self.kind, set(Kind), "kind")
        return notifications.Filter(unread=self.unread, kinds=kinds, incident_id=self.incident_id)


class NotificationList(NotificationFilters, listing.Paged):
    """What the address of the list asks for."""

    SORTS = notifications.SORTS
    sort: str = listing.sorted_by(SORTS, "-id")


@api.get("/notifications", summary="List one's notifications", response_model=Listed[NotificationOut])
def list_notifications(
    request: Request,
    session: Session,
    actor: SignedIn,
    asked: Annotated[NotificationList, Query()],
) -> Listed[NotificationOut] | Response:
    """What one was told, newest first."""
    return listing.answer(
        request,
        session,
        notifications.selection(actor, asked.wanted()),
        asked,
        key=Notification.id,
        item=NotificationOut.model_validate,
    )


@api.get("/notifications/unread", summary="How many are unread")
def count_unread(session: Session, actor: SignedIn) -> Unread:
    """The number on the bell."""
    return Unread(unread=notifications.unread(session, actor))


@api.post("/notifications/read", summary="Mark all as read")
def mark_all_read(session: Session, actor: SignedIn, asked: Annotated[NotificationFilters, Query()]) -> Marked:
    """Mark all of one's notifications as read, or those that the parameters name."""
    return Marked(marked=notifications.mark_all(session, actor, asked.wanted()))


@api.post("/notifications/{notification_id}/read", summary="Mark as read")
def mark_read(session: Session, actor: SignedIn, notification_id: Id) -> NotificationOut:
    """Mark one of one's notifications as read."""
    return _marked(session, actor, notification_id, read=True)


@api.post("/notifications/{notification_id}/unread", summary="Mark as unread")
def mark_unread(session: Session, actor: SignedIn, notification_id: Id) -> NotificationOut:
    """Mark one of one's notifications as unread again."""
    return _marked(session, actor, notification_id, read=False)


def _marked(session: Session, actor: Actor, notification_id: int, *, read: bool) -> NotificationOut:
    notifications.mark(session, actor, notification_id, read=read)
    row = notifications.row(session, actor, notification_id)
    return NotificationOut.model_validate(row)


@api.get("/notifications/choice", summary="What one wants to be told")
def get_choice(session: Session, actor: SignedIn) -> Choice:
    """Which kinds one is shown in the application and sent by e-mail."""
    return _choice(notifications.choice(session, actor))


@api.put("/notifications/choice", summary="Choose what one is told")
def set_choice(session: Session, actor: SignedIn, body: Choice) -> Choice:
    """Choose which kinds one is shown in the application and sent by e-mail."""
    return _choice(notifications.choose(session, actor, **body.model_dump()))


def _choice(found: notifications.NoticeChoice) -> Choice:
    chosen = {"email": secrets.known(found.email), "app_off": found.app_off, "email_on": found.email_on}
    return Choice.model_validate(chosen)


@api.get("/notice-rules", summary="Who is told")
def get_rules(session: Session, actor: Read) -> dict[Kind, dict[str, Scope]]:
    """Of each kind, which roles are told, and `assignee` for whoever has the case.

    `always`, or by `level`: once the case has come up to the level at which the role was given.
    """
    return _rules(session)


@api.put("/notice-rules", summary="Say who is told")
def set_rules(session: Session, actor: Edit, body: dict[Kind, dict[Code, Scope]]) -> dict[Kind, dict[str, Scope]]:
    """Of each kind that is named, exactly these roles are told from now on."""
    notifications.set_rules(session, actor, {kind: dict(scopes) for kind, scopes in body.items()})
    return _rules(session)


def _rules(session: Session) -> dict[Kind, dict[str, Scope]]:
    found = notifications.rules(session)
    return {Kind(kind): {role: Scope(scope) for role, scope in scopes.items()} for kind, scopes in found.items()}


@api.get("/webhooks", summary="List group robots")
def list_webhooks(session: Session, actor: Edit) -> list[WebhookOut]:
    """The group robots of the units where one may edit them."""
    return [webhook_out(hook) for hook, _unit in notifications.webhooks(session, actor)]


@api.post("/webhooks", summary="Add a group robot", status_code=status.HTTP_201_CREATED)
def add_webhook(session: Session, actor: Edit, body: WebhookNew) -> WebhookOut:
    """Have a group robot told of the cases of a unit and all below it: number, category, grid and a link."""
    unit = units.get(session, actor, body.unit_id)
    values = {name: value for name, value in body.model_dump(exclude={"unit_id"}).items() if value is not None}
    return webhook_out(notifications.add_webhook(session, actor, unit, **values))


@api.patch("/webhooks/{webhook_id}", summary="Change a group robot")
def change_webhook(session: Session, actor: Edit, webhook_id: Id, body: WebhookChange) -> WebhookOut:
    """Change what the body names."""
    hook = notifications.webhook(session, actor, webhook_id)
    return webhook_out(notifications.change_webhook(session, actor, hook, **body.model_dump(exclude_unset=True)))


@api.delete("/webhooks/{webhook_id}", summary="Remove a group robot", status_code=status.HTTP_204_NO_CONTENT)
def remove_webhook(session: Session, actor: Edit, webhook_id: Id) -> None:
    """Tell a group robot nothing any more."""
    notifications.remove_webhook(session, actor, notifications.webhook(session, actor, webhook_id))


def webhook_out(hook: Webhook) -> WebhookOut:
    """A group robot as it is handed out."""
    return WebhookOut(
        id=hook.id,
        unit_id=hook.unit_id,
        name=hook.name,
        form=Form(hook.form),
        address=notifications.masked(hook.address),
        signed=hook.secret is not None,
        kinds=[Kind(kind) for kind in hook.kinds],
        active=bool(hook.active),
    )
