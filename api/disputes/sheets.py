"""What is made of disputes: the agreement to print and sign, what comes again, and where."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from api.base import ground, ledgers, tabs, words
from api.base.fields import Id
from api.base.page import Page, needs
from api.disputes.routes import DisputeFilters
from data import disputes, grids, households
from data.base import settings
from data.base.errors import Conflict
from data.base.language import _
from data.disputes import Again
from maps import discs

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]


@pages.get("/disputes/again")
def again(page: Read) -> Response:
    """Places and households that come again, each with the reason; and where disputes are."""
    wanted = ledgers.wanted(page, DisputeFilters)
    filters = [
        ledgers.choice("kind", _("Kind"), disputes.kind_names()),
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    return page.show(
        "disputes/again.html",
        section="incidents",
        tabs=tabs.incidents(page, "disputes/again"),
        rows=[_row(place) for place in disputes.again(page.session, page.actor, page.community)],
        days=disputes.DAYS,
        **_places(page, wanted),
        **ledgers.filtered(page, filters),
    )


def _row(place: Again) -> dict[str, Any]:
    kinds = disputes.kind_names()
    building = words.building(place.building_number)
    query = {"building": place.building_id} if place.household_id is None else {"household": place.household_id}
    about = [_("{kind} {count}×", kind=kinds[kind], count=count) for kind, count in place.kinds.items()]
    return {
        "name": building if place.household_id is None else f"{building} {words.dwelling(place.unit, place.room)}",
        "what": _("Building") if place.household_id is None else _("Household"),
        "disputes": place.disputes,
        "open": place.open,
        "why": _(", ").join(about),
        "last": words.day(place.last_at),
        "href": f"/disputes?{urlencode(query)}",
    }


def _places(page: Page, wanted: disputes.Filter) -> dict[str, Any]:
    """The map: how many disputes there are in which grid and at which building."""
    asked = {name: value for name, value in ledgers.query(page).items() if value}
    rows = disputes.at_buildings(page.session, page.actor, wanted)
    shapes = grids.shapes(page.session, page.community_id, settings.today()) if page.community_id else {}
    areas = []
    for grid in ledgers.grids_of(page):
        inside = [row for row in rows if row.grid_id == grid.id]
        if inside and grid.id in shapes:
            point = shapes[grid.id].representative_point()
            counts = sum(row.disputes for row in inside), sum(row.open for row in inside)
            href = f"/disputes?{urlencode({**asked, 'grid': grid.code})}"
            areas.append(discs.Spot(point.x, point.y, grid.name, *counts, href))
    buildings = [
        discs.Spot(
            row.lon,
            row.lat,
            words.building(row.number, row.name, row.code),
            row.disputes,
            row.open,
            f"/disputes?{urlencode({**asked, 'building': row.id})}",
        )
        for row in rows
    ]
    return ground.shown(discs.spots(areas, buildings, **ground.frame(page)), page.settings)


@pages.get("/disputes/{dispute_id}/agreement")
def agreement(dispute_id: Id, page: Read) -> Response:
    """The agreement, to print and to sign; names are masked, and written by hand beside the signatures."""
    dispute = disputes.get(page.session, page.actor, dispute_id)
    if dispute.agreement is None:
        raise Conflict(_("They have not agreed yet, so there is no agreement to print."))
    row = disputes.row(page.session, dispute)
    steps = disputes.steps(page.session, dispute)
    mediators = [step.mediators or step.account_name for step in steps if step.action == "settle"]
    return page.show(
        "disputes/agreement.html",
        section="incidents",
        dispute={
            "id": dispute.id,
            "title": disputes.kind_names()[dispute.kind],
            "place": words.building(row.building_number),
            "on": words.day(dispute.settled_at),
            "level": disputes.level_names()[row.level],
            "story": dispute.story or "",
            "agreement": dispute.agreement,
            "mediators": mediators[-1] if mediators else "",
        },
        parties=[
            {
                "name": households.masked({"name": person.name})["name"],
                "door": words.dwelling(person.unit, person.room) if person.room else "",
            }
            for person in disputes.parties(page.session, page.actor, dispute)
        ],
    )
