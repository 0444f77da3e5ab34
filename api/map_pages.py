"""The map: the first page, and what everybody works from."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any

from fastapi import APIRouter, Request
from sqlalchemy import func, select
from starlette.responses import RedirectResponse, Response

from api import deps, ground
from api.pages import Page, name_of, needs
from data import incidents
from data.base import access, changes
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
    ranges = _ranges(page)
    figures = [figure for figure in overview.figures(ranges) if figure.code in ranges]
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


#: What a map's class limits are made from, by who asks and for which community, with the number of the last write.
_known: dict[Hashable, tuple[int, dict[str, tuple[float, float]]]] = {}
_MANY = 200


def _ranges(page: Page) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of each figure that grids can be coloured by, for those who may see it.

    Counting a city's people takes a second, so it is done once, until one of them is written.
    """
    seen = {name: figure for name, figure in tiles.FIGURES.items() if figure.permission in page.can}
    tables = {table for figure in seen.values() for table in figure.tables}
    communities = None if page.community_id is None else [page.community_id]
    version = changes.version(tables, communities)
    key = (page.community, *((name, page.actor.area(figure.permission)) for name, figure in seen.items()))
    known = _known.get(key)
    if known and version is not None and known[0] == version:
        return known[1]
    found: dict[str, tuple[float, float]] = {}
    for name in seen:
        rows = page.session.execute(tiles.counts(page.actor, tiles.Wanted(community=page.community, figure=name)))
        values = [count for count, _grid in rows]
        if page.glance and page.glance.grids > len(values):
            values.append(0)  # a grid without any is not among the counts
        if values:
            found[name] = (min(values), max(values))
    if version is not None:
        if len(_known) >= _MANY:
            _known.clear()
        _known[key] = (version, found)
    return found


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
