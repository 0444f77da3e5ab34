"""How far a report is, for the one who has its tracking code: ``/track``, without an account.

The code is a key. So the pages of a report send no referrer and are kept in no cache, a wrong code counts against the
address it came from, and the log has the path without it (``api.base.request``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.base import deps, forms, sending, words
from api.base.page import minute_of, plain, typed
from api.reports.pages import count
from data import incidents, nearby, photos, reports
from data.base.access import SYSTEM, Actor
from data.base.errors import Invalid
from data.base.language import _
from data.reports import Effort, Progress

pages = APIRouter(include_in_schema=False)
Visitor = Annotated[Actor, deps.anyone]
Typed = Annotated[FormData, typed]
Key = Annotated[str, Path(max_length=40)]

_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "private, no-store"}


@pages.get("/track")
def ask(request: Request, visitor: Visitor) -> Response:
    """Where the code is typed."""
    return plain(request, "reports/ask.html", headers=_HEADERS)


@pages.post("/track")
def look_up(request: Request, visitor: Visitor, form: Typed) -> Response:
    """Go to the report with the code that was typed."""
    code = reports.plain_code(forms.text_in(form, "code")[:80])
    try:
        _progress(request, code)
    except (reports.TrackingNotFound, reports.TooOften) as error:
        return plain(
            request,
            "reports/ask.html",
            status=forms.status(error),
            headers=_HEADERS,
            fault=error.detail,
            code=forms.text_in(form, "code")[:80],
        )
    return RedirectResponse(f"/track/{code}", 303, _HEADERS)


@pages.get("/track/{code}")
def shown(request: Request, visitor: Visitor, code: Key) -> Response:
    """The progress of a report."""
    try:
        return _page(request, code)
    except (reports.TrackingNotFound, reports.TooOften) as error:
        return plain(request, "reports/ask.html", status=forms.status(error), headers=_HEADERS, fault=error.detail)


@pages.post("/track/{code}/rate")
def rate(request: Request, visitor: Visitor, code: Key, form: Typed) -> Response:
    """Take in whether it is settled."""
    answer = forms.text_in(form, "answer")
    note = forms.text_in(form, "note")[:500]
    try:
        if answer not in ("satisfied", "unsatisfied"):
            raise Invalid(_("Say whether it is settled."))
        if answer == "unsatisfied" and not note:
            raise Invalid(_("Say in a few words what is not settled."), field="note")
        _progress(request, code)
        with deps.transactions(request)(SYSTEM) as session:
            reports.rate(session, code, satisfied=answer == "satisfied", note=note)
    except forms.REFUSED as error:
        return _page(request, code, fault=error.detail, note=note, status=forms.status(error))
    onward = sending.go(request, f"/track/{reports.plain_code(code)}")
    onward.headers.update(_HEADERS)
    return onward


@pages.get("/track/{code}/photos/{photo_id}")
def photo(
    request: Request,
    visitor: Visitor,
    code: Key,
    photo_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    small: bool = False,
) -> Response:
    """A photo of the report, or of a public step of its case."""
    with deps.transactions(request)(SYSTEM) as session:
        found = reports.photo(session, code, photo_id)
        content = photos.content(found, thumbnail=small)
    return Response(content, media_type="image/jpeg", headers=_HEADERS)


def _progress(request: Request, code: str) -> None:
    """Make sure that the code is right; only wrong ones count against the address."""
    try:
        with deps.transactions(request)(SYSTEM) as session:
            reports.progress(session, code)
    except reports.TrackingNotFound:
        count(request, Effort.TRACK)
        raise


def _page(request: Request, code: str, *, status: int = 200, **more: Any) -> Response:
    _progress(request, code)
    with deps.transactions(request)(SYSTEM) as session:
        progress = reports.progress(session, code)
        kind = incidents.category(session, progress.own.category_code)
        plain_code = reports.plain_code(code)
        return plain(
            request,
            "reports/progress.html",
            status=status,
            headers=_HEADERS,
            code=reports.shown_code(plain_code),
            path_code=plain_code,
            case={
                "title": words.name(kind),
                "icon": kind.icon,
                "number": progress.own.number,
                "address": progress.own.address,
                "description": progress.own.description,
                "state": progress.incident.state,
                "state_name": incidents.words.states()[progress.incident.state],
                "merged": progress.own.id != progress.incident.id,
                "satisfied": progress.report.satisfied if progress.report.rated_at else None,
                "seconds": nearby.seconds(session, progress.incident.id),
            },
            charge=reports.in_charge(session, progress.incident),
            due=_due(progress),
            stages=_stages(progress, plain_code),
            may_rate=progress.may_rate,
            **more,
        )


def _due(found: Progress) -> dict[str, Any] | None:
    """Until when it is to be settled, as long as the limit runs."""
    incident = found.incident
    if incident.due_at is None or incident.state not in incidents.RUNNING:
        return None
    return {"at": minute_of(incident.due_at), "overdue": incident.due_at < datetime.now(UTC)}


def _stages(found: Progress, code: str) -> list[dict[str, Any]]:
    names = incidents.words.actions()
    return [
        {
            "name": names[stage.action],
            "at": minute_of(stage.at),
            "note": stage.note,
            "photos": [f"/track/{code}/photos/{one.id}" for one in stage.photos],
        }
        for stage in found.stages
    ]
