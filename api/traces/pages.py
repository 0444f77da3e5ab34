"""Orders of traces on a page: what was ordered when, by whom and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import Id
from api.base.page import Page, needs, typed
from api.traces.routes import TraceOrderNew
from data import traces
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("coverage.read")]
Order = Annotated[Page, needs("trace.order")]
Typed = Annotated[FormData, typed]
_FIELDS = ("first", "last", "reason")


@pages.get("/traces")
def listed(page: Read) -> Response:
    """The orders of the community, the latest first."""
    return _shown(page)


@pages.post("/traces")
def order(page: Order, form: Typed) -> Response:
    """Order traces for some days."""
    try:
        community = forms.community_in(page, form)
        values = forms.read(TraceOrderNew, form, _FIELDS, known={"community_id": community.id})
        with page.attempt():
            traces.order(page.session, page.actor, community, **values)
    except forms.REFUSED as error:
        return _shown(page, error, form)
    return page.go("/traces", _("Saved."))


@pages.post("/traces/{order_id}/lift")
def lift(order_id: Id, page: Order, form: Typed) -> Response:
    """End an order."""
    traces.lift(page.session, page.actor, order_id)
    return page.go("/traces", _("Saved."))


def _shown(page: Page, error: WanggeError | None = None, form: FormData | None = None) -> Response:
    said = {key: forms.text_in(form, key) for key in _FIELDS} if form is not None else {}
    faults = dict(error.facts.get("faults") or {}) if error else {}  # type: ignore[call-overload]
    today = settings.today()
    choice = forms.community_field(page)
    return page.show(
        "traces/list.html",
        section="patrols",
        status=forms.status(error),
        tabs=tabs.patrols(page, "traces"),
        rows=[_row(page, row) for row in traces.listed(page.session, page.actor, page.community_id)],
        communities=choice[0].options if choice else [],
        values={"first": today.isoformat(), "last": today.isoformat()} | said,
        faults=faults,
        fault=error.detail if error else "",
        editable="trace.order" in page.can,
    )


def _row(page: Page, row: Any) -> dict[str, Any]:
    today, last = settings.today(), row.valid.upper - timedelta(days=1)
    return {
        "id": row.id,
        "days": _("{first} to {last}", first=words.day(row.valid.lower), last=words.day(last)),
        "reason": row.reason,
        "by": row.by or "",
        "now": row.valid.lower <= today <= last,
        "lifts": last >= today and page.may("trace.order", row.community_id),
    }
