"""The map: the first page, and what everybody works from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from sqlalchemy import func, select
from starlette.responses import RedirectResponse, Response

from api import deps, ground
from api.pages import Page, name_of, needs
from data import incidents
from data.base import access
from data.buildings import Building
from maps import overview, tiles

pages = APIRouter(include_in_schema=False)

#: Where somebody goes first: the first of these that they may see.
_FIRST = (
    ("unit.read", "/map"),
    ("incident.read", "/incidents"),
    ("account.read", "/accounts"),
    ("audit.read", "/audit"),
)


@pages.get("/")
def home(request: Request, actor: deps.SignedIn) -> Response:
    """Everybody's first page: the map, or for those who see no map what they do see."""
    first = next((address for permission, address in _FIRST if actor.may(permission)), "/me")
    query = f"?{request.url.query}" if request.url.query and first == "/map" else ""
    return RedirectResponse(first + query, 303)


@pages.get("/map")
def the_map(page: Annotated[Page, needs("unit.read")]) -> Response:
    """The map with its card of layers and filters; everything else is fetched by its script."""
    figures = [figure for figure in overview.figures() if tiles.FIGURES[figure.code].permission in page.can]
    drawn = overview.overview(
        **ground.frame(page),
        figures=figures,
        title=page.glance.name if page.glance else "",
        may_report="incident.report" in page.can,
    )
    return page.show(
        "map.html",
        section="map",
        **ground.shown(drawn, page.settings),
        figures=figures,
        states=overview.state_names(),
        categories=_categories(page),
        counts=_counts(page),
        drawn=ground.basemap(page.settings).drawn,
    )


def _counts(page: Page) -> dict[str, int]:
    """How many there are in the layers whose number does not depend on the filters."""
    buildings = access.visible(select(func.count()).select_from(Building), page.actor, Building)
    if page.community_id is not None:
        buildings = buildings.where(Building.community_id == page.community_id)
    return {"grids": page.glance.grids if page.glance else 0, "buildings": page.session.scalar(buildings) or 0}


def _categories(page: Page) -> list[dict[str, Any]]:
    """The categories of incidents, those of one group below it."""
    rows = incidents.categories(page.session)
    return [
        {
            "code": group.code,
            "name": name_of(group),
            "icon": group.icon,
            "children": [
                {"code": one.code, "name": name_of(one), "icon": one.icon}
                for one in rows
                if one.parent_code == group.code
            ],
        }
        for group in rows
        if group.parent_code is None
    ]
