"""Implementation reports on pages: those there are, a new one from the records, and the text of each to be edited."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import Day, Id, Input
from api.base.page import Page, needs, typed
from api.implementation.routes import ReportChange, sent
from data import implementation
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.implementation import HEADINGS, ImplementationReport, Part

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Edit = Annotated[Page, needs("household.read", "visit.edit")]
Typed = Annotated[FormData, typed]


class Period(Input):
    """What is typed into the form of a new report."""

    first_on: Day
    last_on: Day


@pages.get("/implementation")
def listed(page: Read) -> Response:
    """The reports there are, and the form of a new one."""
    return _listed(page)


@pages.post("/implementation")
def draft(page: Edit, form: Typed) -> Response:
    """Draft a report from the records."""
    try:
        values = forms.read(Period, form, ("first_on", "last_on"))
        community = forms.community_in(page, form)
        with page.attempt():
            report = implementation.draft(page.session, page.actor, community_id=community.id, **values)
    except forms.REFUSED as error:
        return _listed(page, form, error)
    return page.go(
        f"/implementation/{report.id}", _("Drafted from the records. Read it, and correct what it does not know.")
    )


def _listed(page: Page, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    faults: dict[str, str] = dict(error.facts.get("faults") or {}) if error else {}  # type: ignore[call-overload]
    first, last = _quarter(settings.today())
    said = {"first_on": first.isoformat(), "last_on": last.isoformat()}
    if form is not None:
        said = {name: forms.text_in(form, name) for name in said}
    choice = forms.community_field(page)
    return page.show(
        "implementation/list.html",
        section="stats",
        status=forms.status(error),
        tabs=tabs.stats(page, "implementation"),
        rows=[_row(report) for report in implementation.listed(page.session, page.actor, page.community)],
        drafts="visit.edit" in page.can,
        communities=choice[0].options if choice else [],
        said=said,
        faults=faults,
        fault=error.detail if error else "",
    )


def _quarter(today: date) -> tuple[date, date]:
    """The last quarter that is over."""
    begun = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    last = begun - timedelta(days=1)
    return date(last.year, last.month - 2, 1), last


def _row(report: ImplementationReport) -> dict[str, Any]:
    return {
        "id": report.id,
        "href": f"/implementation/{report.id}",
        "title": implementation.title(report.figures),
        "days": _days(report),
        "counted": words.minute(report.counted_at),
        "changed": words.minute(report.updated_at),
    }


def _days(report: ImplementationReport) -> str:
    return _("{first} to {last}", first=words.day(report.first_on), last=words.day(report.last_on))


@pages.get("/implementation/{report_id}")
def record(report_id: Id, page: Read) -> Response:
    """The text of a report, a box for each part, and what was counted."""
    return _record(page, implementation.get(page.session, page.actor, report_id))


def _record(
    page: Page, report: ImplementationReport, form: FormData | None = None, error: WanggeError | None = None
) -> Response:
    faults: dict[str, str] = dict(error.facts.get("faults") or {}) if error else {}  # type: ignore[call-overload]
    names = implementation.part_names()
    return page.show(
        "implementation/report.html",
        section="stats",
        status=forms.status(error),
        report=_row(report),
        token=forms.token(report),
        editable="visit.edit" in page.can and page.may("visit.edit", report.community_id),
        parts=[
            {
                "name": part.value,
                "label": names[part],
                "heading": HEADINGS.get(part, ""),
                "text": (forms.text_in(form, part) if form is not None else getattr(report, part)) or "",
                "fault": faults.get(part, ""),
            }
            for part in Part
        ],
        fault=error.detail if error else "",
    )


@pages.post("/implementation/{report_id}")
def change(report_id: Id, page: Edit, form: Typed) -> Response:
    """Save the text."""
    report = implementation.get(page.session, page.actor, report_id)
    try:
        forms.check(page, report, form)
        texts = forms.read(ReportChange, form, [part.value for part in Part])
        with page.attempt():
            implementation.change(page.session, page.actor, report, texts)
    except forms.REFUSED as error:
        return _record(page, report, form, error)
    return page.go(f"/implementation/{report_id}", _("Saved."))


@pages.post("/implementation/{report_id}/renew")
def renew(report_id: Id, page: Edit, _form: Typed) -> Response:
    """Count and write it anew."""
    implementation.renew(page.session, page.actor, implementation.get(page.session, page.actor, report_id))
    return page.go(f"/implementation/{report_id}", _("Counted and written anew."))


@pages.post("/implementation/{report_id}/remove")
def remove(report_id: Id, page: Edit, _form: Typed) -> Response:
    """Remove a report."""
    implementation.remove(page.session, page.actor, implementation.get(page.session, page.actor, report_id))
    return page.go("/implementation", _("Removed."))


@pages.get("/implementation/{report_id}/report.docx")
def docx(report_id: Id, page: Read) -> Response:
    """The report as DOCX."""
    return sent(page.session, page.actor, implementation.get(page.session, page.actor, report_id))
