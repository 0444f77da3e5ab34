"""QR codes for buildings and service cards: made, replaced, and printed on A4 to be put up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.base import words
from api.base.fields import Id
from api.base.page import Page, needs
from api.base.request import public_address
from data import place_codes, units
from data.base.language import _
from data.place_codes import CodeKind

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("building.read")]
Edit = Annotated[Page, needs("building.read", "building.edit")]


@pages.get("/codes")
def listed(page: Read) -> Response:
    """The codes of the community, and the sheets to print."""
    kinds = []
    if page.community_id is not None:
        for kind, title in ((CodeKind.BUILDING, _("Building codes")), (CodeKind.CARD, _("Service cards"))):
            rows = place_codes.listed(page.session, page.actor, page.community_id, kind)
            kinds.append({"kind": kind.value, "title": title, "rows": [_row(page, row) for row in rows]})
    missing = _missing(page)
    return page.show("place_codes/list.html", section="incidents", kinds=kinds, missing=missing)


def _missing(page: Page) -> int:
    if page.community_id is None or not page.may("building.edit", page.community_id):
        return 0
    return place_codes.missing(page.session, page.actor, page.community_id)


@pages.post("/codes")
def make(page: Edit) -> Response:
    """Make the codes that are missing."""
    if page.community_id is None:
        return page.go("/codes", _("Choose a community first."))
    community = units.community(page.session, page.actor, page.community_id)
    count = place_codes.make(page.session, page.actor, community)
    return page.go("/codes", _("{count} codes made.", count=count))


@pages.post("/codes/{code_id}/replace")
def replace(code_id: Id, page: Edit) -> Response:
    """Another code for a place; the one that is up leads nowhere from now on."""
    fresh = place_codes.replace(page.session, page.actor, place_codes.get(page.session, page.actor, code_id))
    return page.go("/codes", _("Replaced by {code}. Print it and put it up.", code=fresh.code))


@pages.get("/codes/sheet")
def sheet(
    page: Read,
    kind: CodeKind = CodeKind.BUILDING,
    one: Annotated[int | None, Query(alias="id", ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Codes on A4, eight to a sheet, with lines to cut along; or one of them."""
    rows: Sequence[Any] = []
    if page.community_id is not None:
        rows = place_codes.listed(page.session, page.actor, page.community_id, kind, code_id=one)
    return page.show(
        "place_codes/sheet.html",
        section="incidents",
        kind=kind.value,
        cards=[{**_row(page, row), "svg": _svg(_address(page, row.code))} for row in rows],
    )


def _row(page: Page, row: Any) -> dict[str, Any]:
    building = words.building(row.number, row.name, row.building_code) if row.building_id else None
    return {
        "id": row.id,
        "code": row.code,
        "title": building or row.grid_name or "—",
        "grid": row.grid_name,
        "where": row.address,
        "address": _address(page, row.code),
        "editable": page.may("building.edit", page.community_id, row.grid_id),
    }


def _address(page: Page, code: str) -> str:
    """What stands in a code: the address residents reach, which may be another one than staff use."""
    return f"{public_address(page.request)}/r/{code}"


def _svg(address: str) -> str:
    """A QR code, as a picture in the page."""
    # Needed only by those who print.
    import segno

    return segno.make(address, error="m", micro=False).svg_inline(omitsize=True, border=2)
