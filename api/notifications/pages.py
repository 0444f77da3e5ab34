"""Notifications on pages: what one was told, marked as read, and what one wants to be told."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import errors, forms, ledgers, tabs, words
from api.base.fields import Id
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, for_anybody, inside, typed
from api.notifications.routes import Choice, NotificationFilters
from data import incidents, notifications
from data.base import secrets
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.notifications import Notification

pages = APIRouter(include_in_schema=False)
Own = Annotated[Page, for_anybody]
Typed = Annotated[FormData, typed]


@pages.get("/notifications")
def listed(page: Own) -> Response:
    """What one was told, newest first."""
    wanted = ledgers.wanted(page, NotificationFilters)
    columns = [
        Column(_("Notification")),
        Column(_("Case"), lead=True),
        Column(_("Number")),
        Column(_("Grid")),
        Column(_("State")),
        Column(_("Due")),
        Column(_("When"), sort="at", side=True),
    ]
    listing = Listing(notifications.selection(page.actor, wanted), notifications.SORTS, Notification.id, "-at")
    table = ledgers.table(page, listing, columns, _cells, "notifications")
    # On their way to a place: after marking, one comes back to the same list.
    table["bulk"] = [{"label": _("Mark as read"), "icon": "check", "action": "/notifications/read"}]
    filters = [
        ledgers.choice("unread", _("Which"), {"true": _("Unread"), "false": _("Read")}),
        ledgers.choice("kind", _("Kind"), {str(kind): name for kind, name in notifications.names().items()}),
    ]
    head = ledgers.head(page, _("Notifications"), "notifications", goes_out=False, comes_in=False)
    return page.show(
        "notifications/list.html",
        section="me",
        page=head,
        tabs=tabs.notices(page, "notifications"),
        unread=notifications.unread(page.session, page.actor),
        **ledgers.filtered(page, filters),
        **table,
    )


def _cells(row: Any) -> list[Cell]:
    name = notifications.names()[row.kind]
    due = words.due(row.due_at, row.state in incidents.RUNNING)
    return [
        {"text": name, "tone": "unread" if row.read_at is None else "quiet"},
        words.title(row),
        row.number,
        row.grid_name,
        {"text": incidents.words.states()[row.state], "state": row.state},
        {"text": due["text"], "tone": "act" if due["overdue"] else "quiet"} if due else {"text": ""},
        words.minute(row.at),
    ]


@pages.post("/notifications/read")
def mark_read(page: Own, form: Typed) -> Response:
    """Mark the ticked notifications as read, or all when none is ticked."""
    ticked = [int(str(one)) for one in form.getlist("pick") if str(one).isdecimal() and len(str(one)) < 10]
    for notification_id in ticked:
        notifications.mark(page.session, page.actor, notification_id)
    if not ticked:
        notifications.mark_all(page.session, page.actor)
    return page.go(inside(forms.text_in(form, "next"), "/notifications"))


@pages.get("/notifications/choice")
def choice(page: Own) -> Response:
    """What one wants to be told, and how."""
    return _choice(page)


@pages.post("/notifications/choice")
def choose(page: Own, form: Typed) -> Response:
    """Choose what one is told."""
    shown = {str(one) for one in form.getlist("app")}
    mailed = [str(one) for one in form.getlist("email_on")]
    off = [kind for kind in notifications.Kind if kind not in shown]
    try:
        try:
            wanted = Choice.model_validate(
                {"email": forms.text_in(form, "email") or None, "app_off": off, "email_on": mailed}
            )
        except ValidationError as error:
            raise Invalid(errors.sentence(dict(error.errors()[0])), field="email") from error
        with page.attempt():
            notifications.choose(page.session, page.actor, **wanted.model_dump())
    except forms.REFUSED as error:
        return _choice(page, form, error)
    return page.go("/notifications/choice", _("Saved."))


def _choice(page: Page, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    choice = notifications.choice(page.session, page.actor)
    return page.show(
        "notifications/choice.html",
        section="me",
        status=forms.status(error),
        tabs=tabs.notices(page, "notifications/choice"),
        fault=error.detail if error else "",
        mails=page.settings.smtp_host is not None,
        email=forms.text_in(form, "email") if form is not None else secrets.known(choice.email) or "",
        rows=[
            {
                "kind": str(kind),
                "name": name,
                "app": str(kind) in form.getlist("app") if form is not None else kind not in choice.app_off,
                "email": str(kind) in form.getlist("email_on") if form is not None else kind in choice.email_on,
            }
            for kind, name in notifications.names().items()
        ],
    )


@pages.get("/notifications/{notification_id}")
def opened(notification_id: Id, page: Own) -> Response:
    """Go to the case that a notification is about; it is read then."""
    found = notifications.mark(page.session, page.actor, notification_id)
    return page.go(f"/incidents/{found.incident_id}")
