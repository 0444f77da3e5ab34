"""Work reports on pages: what is there and what is late, a report with its numbers then and now, and its draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Id
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.briefs.routes import BriefAnswer, BriefChange, BriefFilters, BriefNew
from api.figures.pages import address, number_text
from data import briefs, units
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.briefs import Brief, Expected, Kind, State
from data.units import Level, Unit

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("brief.read")]
Tell = Annotated[Page, needs("brief.read", "brief.tell")]
Receive = Annotated[Page, needs("brief.read", "brief.receive")]
Typed = Annotated[FormData, typed]
#: The mark of a case that stands alike.
_MARKS = {State.DRAFT: "new", State.SENT: "to_verify", State.RECEIVED: "closed"}


@pages.get("/briefs")
def listed(page: Read) -> Response:
    """The reports, the latest first; above them which of the last ones are there, and which are late."""
    kinds, states = briefs.kind_names(), briefs.state_names()

    def cells(row: Any) -> list[Cell]:
        return [
            row.title,
            {"text": states[row.state], "state": _MARKS[State(row.state)]},
            kinds[row.kind],
            row.unit_name,
            words.day(row.first),
            words.minute(row.sent_at) if row.sent_at else None,
        ]

    columns = [
        Column(_("Report")),
        Column(_("State"), side=True),
        Column(_("Kind"), lead=True),
        Column(_("From whom"), lead=True, sort="unit"),
        Column(_("First day"), sort="first"),
        Column(_("Sent")),
    ]
    filters = [
        ledgers.choice("kind", _("Kind"), kinds),
        ledgers.choice("state", _("State"), states),
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    query = briefs.selection(page.actor, ledgers.wanted(page, BriefFilters))
    mine = _told_by(page)
    return page.show(
        "briefs/list.html",
        section="ledger",
        page=ledgers.head(page, _("Work reports"), "briefs", goes_out=False, comes_in=False),
        tabs=tabs.ledger(page, "briefs"),
        due=[_due(report) for report in briefs.lately(page.session, page.actor, mine)],
        boards=_boards(page),
        units=[{"value": unit.id, "label": unit.name} for unit in mine],
        today=words.day(settings.today()),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, Listing(query, briefs.SORTS, Brief.id, "-first"), columns, cells, "briefs"),
    )


@pages.post("/briefs")
def draft(page: Tell, form: Typed) -> Response:
    """Draft a report of a unit from the records."""
    values = forms.read(BriefNew, form, ("unit_id", "kind", "day"))
    unit = units.get(page.session, page.actor, values["unit_id"])
    brief = briefs.draft(page.session, page.actor, unit, values["kind"], values["day"])
    return page.go(f"/briefs/{brief.id}", _("Drafted from the records. Correct it, then send it."))


@pages.get("/briefs/{brief_id}")
def record(brief_id: Id, page: Read) -> Response:
    """A report: its words, its numbers as they were told and as they are now."""
    return _show(page, briefs.get(page.session, page.actor, brief_id))


@pages.post("/briefs/{brief_id}")
def change(brief_id: Id, page: Tell, form: Typed) -> Response:
    """Correct a draft; and send it where that button was pressed."""
    brief = briefs.get(page.session, page.actor, brief_id, lock=True)
    try:
        forms.check(page, brief, form)
        values = forms.read(BriefChange, form, ("title", "words"))
        with page.attempt():
            briefs.change(page.session, page.actor, brief, **values)
            if sends := forms.text_in(form, "send") == "true":
                briefs.send(page.session, page.actor, brief)
    except forms.REFUSED as error:
        return _show(page, brief, form, error)
    return page.go(f"/briefs/{brief_id}", _("Sent.") if sends else _("Saved."))


@pages.post("/briefs/{brief_id}/receive")
def receive(brief_id: Id, page: Receive, form: Typed) -> Response:
    """Take note of a report, and answer it."""
    brief = briefs.get(page.session, page.actor, brief_id, lock=True)
    try:
        answer = forms.read(BriefAnswer, form, ("answer",))["answer"]
        with page.attempt():
            briefs.receive(page.session, page.actor, brief, answer)
    except forms.REFUSED as error:
        return _show(page, brief, form, error)
    return page.go(f"/briefs/{brief_id}", _("Taken note of."))


@pages.post("/briefs/{brief_id}/remove")
def remove(brief_id: Id, page: Tell, _form: Typed) -> Response:
    """Throw a draft away."""
    briefs.remove(page.session, page.actor, briefs.get(page.session, page.actor, brief_id, lock=True))
    return page.go("/briefs", _("Removed."))


def _show(page: Page, brief: Brief, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    unit = units.get(page.session, page.actor, brief.unit_id)
    tells = brief.state == State.DRAFT and briefs.may_tell(page.actor, unit)
    sender, receiver = briefs.signed(page.session, brief)
    names = {number.code: number for number in briefs.compared(page.session, page.actor, brief)}
    grid = unit.code if unit.level == Level.GRID else None
    sent_at = brief.sent_at
    return page.show(
        "briefs/brief.html",
        section="ledger",
        status=forms.status(error),
        fault=str(error) if error else None,
        brief={
            "id": brief.id,
            "version": forms.token(brief),
            "title": forms.text_in(form, "title") if form and tells else brief.title,
            "words": forms.text_in(form, "words") if form and tells else brief.words,
            "state": {"text": briefs.state_names()[brief.state], "state": _MARKS[State(brief.state)]},
            "kind": briefs.kind_names()[brief.kind],
            "unit": unit.name,
            "from": words.day(brief.first),
            "to": words.day(brief.last),
            "answer": brief.answer,
            "sent": words.minute(sent_at) if sent_at else "",
            "sender": sender,
            "received": words.minute(brief.received_at) if brief.received_at else "",
            "receiver": receiver,
        },
        tells=tells,
        receives=briefs.may_receive(page.session, page.actor, brief),
        numbers=[
            {
                "name": number.name,
                "how": number.how,
                "told": number_text(number.told, share=number.share),
                "now": number_text(number.now, share=number.share),
                "differs": sent_at is not None and number.now is not None and number.now != number.told,
                "href": "" if number.share or unit.level == Level.STREET else address(number.code, brief.span, grid),
                "later": address(number.code, brief.span, grid, since=sent_at)
                if sent_at and unit.level != Level.STREET and not number.share
                else "",
            }
            for number in names.values()
        ],
        heads=[number.name for number in names.values()] if brief.parts else [],
        parts=[
            {
                "name": part["name"],
                "below": part["level"] == Level.GRID,
                "cells": [number_text(part["numbers"].get(code), share=names[code].share) for code in names],
            }
            for part in brief.parts
        ],
    )


def _told_by(page: Page) -> list[Unit]:
    """The units that the actor reports for, of the community that pages are about and above it."""
    below = units.listed(page.session, page.actor)
    here = page.community_id
    return [
        unit
        for unit in below
        if briefs.may_tell(page.actor, unit) and (here is None or unit.community_id in (None, here))
    ][:100]


def _due(report: Expected) -> dict[str, Any]:
    return {
        "unit_id": report.unit.id,
        "kind": briefs.KINDS[report.unit.level].value,
        "day": words.day(report.span.first),
        "title": f"{report.unit.name} · {briefs.kind_names()[briefs.KINDS[report.unit.level]]}",
        "days": _("{first} to {last}", first=words.day(report.span.first), last=words.day(report.span.last)),
        "late": report.late(settings.today()),
        "href": f"/briefs/{report.brief.id}" if report.brief else "",
    }


def _boards(page: Page) -> list[dict[str, Any]]:
    """Which of the last reports are there: of the grids one sees, and of the communities."""
    boards = []
    for kind, below in (
        (Kind.WEEK, ledgers.grids_of(page)),
        (Kind.MONTH, units.listed(page.session, page.actor, level=Level.COMMUNITY)[:50]),
    ):
        shown = [unit for unit in below if page.may("brief.read", unit.community_id, unit.id)]
        reports = briefs.expected(page.session, page.actor, shown)
        days = sorted({report.span.first for report in reports})
        if days:
            boards.append(
                {
                    "name": briefs.kind_names()[kind],
                    "days": [words.day(day)[5:] if kind == Kind.WEEK else f"{day:%Y-%m}" for day in days],
                    "rows": [{"name": unit.name, "cells": _marks(unit, reports, days)} for unit in shown],
                }
            )
    return boards


def _marks(unit: Unit, reports: Sequence[Expected], days: Sequence[Any]) -> list[dict[str, str]]:
    """A cell for each of the days: the report, that it is late, that it is not due yet, or nothing."""
    today, states = settings.today(), briefs.state_names()
    own = {report.span.first: report for report in reports if report.unit.id == unit.id}
    cells = []
    for day in days:
        report = own.get(day)
        if report is None:
            cells.append({"text": "", "tone": "", "href": ""})
        elif report.brief is not None and report.sent:
            cells.append({"text": states[report.brief.state], "tone": "done", "href": f"/briefs/{report.brief.id}"})
        elif report.late(today):
            cells.append({"text": _("Late"), "tone": "late", "href": ""})
        else:
            cells.append({"text": _("Not due yet"), "tone": "", "href": ""})
    return cells
