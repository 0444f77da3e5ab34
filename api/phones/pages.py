"""Phones on pages: the one that works at the door without a network, and what the office sees of phones."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.base import deps, forms, keeping, tabs, words
from api.base import page as shell
from api.base.fields import Id
from api.base.page import Page, needs, typed
from api.phones.routes import differing, records_in
from data import phones
from data.base.errors import Invalid
from data.base.language import _
from data.phones import Answer, Choice, RecordState
from data.visits import manner_names

pages = APIRouter(include_in_schema=False)
Record = Annotated[Page, needs("household.read", "visit.record")]
Edit = Annotated[Page, needs("household.read", "household.edit")]
Typed = Annotated[FormData, typed]


@pages.get("/door")
def door(page: Record) -> Response:
    """The page for the door."""
    return page.show("phones/door.html", section="visits", bare=False, manners=manner_names())


@pages.get("/door/kept")
def kept(request: Request, _actor: deps.SignedIn) -> Response:
    """The page as a phone keeps it: without a token, without tabs, and of no place."""
    return shell.plain(request, "phones/door.html", csrf_token="", bare=True, manners=manner_names())


@pages.get("/door.js")
def worker(request: Request, actor: deps.SignedIn) -> Response:
    """The service worker."""
    return keeping.worker("/door", kept(request, actor), "/door/kept")


@pages.get("/phones")
def listed(page: Record) -> Response:
    """Phones that took households along, facts on which one differs from the archive, and files to hand in."""
    return _list(page)


def _list(page: Page, answers: list[Answer] | None = None, fault: str | None = None) -> Response:
    rows = phones.latest(page.session, page.actor)
    names = words.fields()
    differences = [
        {
            **difference,
            "label": names.get(difference["field"], difference["field"]),
            "at": words.minute(difference["at"]),
        }
        for difference in differing(page.session, page.actor)
    ]
    return page.show(
        "phones/list.html",
        section="visits",
        tabs=tabs.visits(page, "phones"),
        phones=[_phone(page, row) for row in rows],
        differences=differences,
        may_choose="household.edit" in page.can,
        answers=[{"state": one.state, "reason": one.reason} for one in answers or ()],
        counts={state.value: sum(one.state == state for one in answers or ()) for state in RecordState},
        fault=fault,
    )


def _phone(page: Page, row: Any) -> dict[str, Any]:
    phone = phones.get(page.session, page.actor, row.uuid)
    return {
        "uuid": row.uuid,
        "walker": row.account_name,
        "households": row.households,
        "taken": words.minute(row.taken_at),
        "lost": words.minute(row.lost_at) if row.lost_at else "",
        "wiped": words.minute(row.wiped_at) if row.wiped_at else "",
        "refused": [
            {"uuid": one.uuid, "reason": one.reason, "at": words.minute(one.at)}
            for one in phones.refused(page.session, phone)
        ],
    }


@pages.post("/phones/hand-in")
def hand_in(page: Record, form: Typed) -> Response:
    """Take in a file to which a phone wrote what it could not send."""
    file = form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise Invalid(_("Choose the file that the phone saved."), field="file")
        with page.attempt():
            phone, letter = phones.opened(page.session, page.actor, file.file.read())
            answers = phones.hand_in(page.session, page.actor, phone, records_in(letter))
    except forms.REFUSED as error:
        return _list(page, fault=str(error))
    return _list(page, answers)


@pages.post("/phones/{phone_uuid}/lost")
def lose(phone_uuid: UUID, page: Record) -> Response:
    """Report a phone lost."""
    phones.lose(page.session, page.actor, phones.get(page.session, page.actor, phone_uuid))
    return page.go("/phones", _("At its next word with the server this phone forgets everything."))


@pages.post("/phones/{phone_uuid}/records/{uuid}/drop")
def drop(phone_uuid: UUID, uuid: UUID, page: Record) -> Response:
    """Give up a record that was refused."""
    phones.drop(page.session, page.actor, phones.get(page.session, page.actor, phone_uuid), uuid)
    return page.go("/phones", _("Dropped."))


@pages.post("/phones/differences/{difference_id}")
def choose(difference_id: Id, page: Edit, form: Typed) -> Response:
    """Choose which of two values stays."""
    choice = forms.text_in(form, "choice")
    if choice not in list(Choice):
        raise Invalid(_("Choose one of the two values."), field="choice")
    phones.decide(page.session, page.actor, difference_id, Choice(choice))
    return page.go("/phones", _("Chosen, and kept who chose."))
