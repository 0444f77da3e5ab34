"""The audit on a page: who did what, when, and what for. What it says of people stays masked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.responses import Response

from api.audit.routes import EntryFilters
from api.base import ledgers, tabs, words
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs
from data import history
from data.base.language import _

pages = APIRouter(include_in_schema=False)

#: Kind of record → the pages that show it.
_SHOWN = {
    "unit": "units",
    "building": "buildings",
    "dwelling": "dwellings",
    "household": "households",
    "resident": "residents",
    "tenancy": "tenancies",
    "incident": "incidents",
    "account": "accounts",
}


@pages.get("/audit")
def listed(page: Annotated[Page, needs("audit.read")]) -> Response:
    """What was done, newest first."""
    query = history.selection(page.actor, ledgers.wanted(page, EntryFilters))
    columns = [
        Column(_("When"), sort="at"),
        Column(_("Who"), side=True),
        Column(_("What"), lead=True),
        Column(_("Record")),
        Column(_("Fields")),
        Column(_("Purpose")),
    ]
    filters = [
        ledgers.choice("account_id", _("Who"), history.people(page.session, page.actor)),
        ledgers.choice("action", _("What"), words.actions()),
        ledgers.choice("record_kind", _("Record"), words.kinds()),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    table = ledgers.table(page, Listing(query, history.SORTS, history.KEY, "-at"), columns, _cells, "audit")
    for row in table["rows"]:
        row["href"] = None
    return page.show(
        "audit/list.html",
        section="settings",
        page=ledgers.head(page, _("Audit"), "audit", goes_out=False, comes_in=False),
        tabs=tabs.settings(page, "audit"),
        **ledgers.filtered(page, filters),
        **table,
    )


def _cells(row: Any) -> list[Cell]:
    kind = words.kinds().get(row.record_kind, row.record_kind)
    record: Cell = kind
    if row.record_id is not None:
        record = f"{kind} {row.record_id}"
        if row.record_kind in _SHOWN and row.action != "delete":
            record = {"text": record, "href": f"/{_SHOWN[row.record_kind]}/{row.record_id}/history"}
    names = words.fields()
    changed = [names.get(key, key) for key in row.changes if key in names]
    return [
        words.minute(row.at),
        row.account_name or _("wangge itself"),
        words.actions().get(row.action, row.action),
        record,
        _(", ").join(changed),
        row.purpose,
    ]
