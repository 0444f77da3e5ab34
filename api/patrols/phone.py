"""Patrols on the phone: a page that also opens in a dead zone, and what it needs to know of the day.

The page says nothing about anybody: who walks where comes from ``/patrol/today`` and stays in the phone's own storage.
So a service worker may keep the page (as ``/patrol/kept``, without token or tabs) and its scripts. It keeps nothing
else and looks after no other page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Request
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from starlette.responses import JSONResponse, Response

from api.base import deps, ground, keeping, static, words
from api.base import page as shell
from api.base.page import Page, needs
from data import buildings, glance, grids, incidents, rounds, traces, units
from data.buildings import BuildingKind
from data.incidents import Incident
from maps import patrols as patrol_maps

pages = APIRouter(include_in_schema=False)
Walk = Annotated[Page, needs("patrol.record")]

#: More buildings than this are more than somebody walks past in a day.
_MOST = 600


@pages.get("/patrol")
def phone(page: Walk) -> Response:
    """The phone's page."""
    drawn = patrol_maps.walking(**ground.frame(page))
    return page.show("patrols/phone.html", section="patrols", bare=False, **ground.shown(drawn, page.settings))


@pages.get("/patrol/kept")
def kept(request: Request, _actor: deps.SignedIn) -> Response:
    """The page as a phone keeps it: without a token, without tabs, and of no place."""
    settings = request.app.state.settings
    address = static.address().rstrip("/")
    drawn = patrol_maps.walking(bounds=glance.CHINA, basemap=ground.basemap(settings), version="1", static=address)
    return shell.plain(request, "patrols/phone.html", csrf_token="", bare=True, **ground.shown(drawn, settings))


@pages.get("/patrol.js")
def worker(request: Request, actor: deps.SignedIn) -> Response:
    """The service worker."""
    return keeping.worker("/patrol", kept(request, actor), "/patrol/kept")


@pages.get("/patrol/today")
def today(page: Walk) -> Response:
    """What a phone needs for the day: the rounds, the grids, their buildings, the categories of what may be noted."""
    shapes = _grids(page)
    names = units.names(page.session, shapes)
    found = {
        "account": page.actor.account_id,
        "community": page.community_id,
        "rounds": _rounds(page),
        "grids": [{"id": id_, "name": names[id_], "rings": _rings(geom)} for id_, geom in shapes.items()],
        "buildings": _buildings(page, list(shapes)),
        "order": _order(page),
        "categories": _categories(page) if "incident.report" in page.can else [],
    }
    return JSONResponse(found)


def _order(page: Page) -> dict[str, str] | None:
    """The order of traces that holds today, with the last day and the reason."""
    order = traces.in_force(page.session, page.actor, page.community_id)
    if order is None or order.valid.upper is None:
        return None
    return {"day": words.day(order.valid.upper - timedelta(days=1)), "reason": order.reason}


def _categories(page: Page) -> list[dict[str, str]]:
    """What may be noted, the commonest first."""
    wanted = incidents.Filter(community=page.community)
    counts = incidents.counts(page.session, page.actor, wanted, Incident.category_code)
    rows = [one for one in incidents.categories_offered(page.session) if one.parent_code]
    rows.sort(key=lambda one: -counts.get(one.code, 0))
    return [{"code": one.code, "name": words.name(one), "icon": one.icon} for one in rows]


def _rounds(page: Page) -> list[dict[str, Any]]:
    """The rounds of the day that somebody is to walk, or that are for whoever comes first; those still to do first."""
    mine = (None, page.actor.account_id)
    due = [
        row
        for row in rounds.due(page.session, page.actor, shell.local(datetime.now(UTC)).date())
        if row.account_id in mine and row.community_id == page.community_id
    ]
    planned = []
    for row in sorted(due, key=lambda row: (row.done, row.account_id is None)):
        line = rounds.get(page.session, page.actor, row.id).geom
        names = ("id", "name", "done", "grid_id", "grid_name")
        planned.append(
            {
                **{name: getattr(row, name) for name in names},
                "length_m": row.length_m or 0,
                "stops": row.building_ids,
                "route": [] if line is None else _rings(to_shape(line))[0],
            }
        )
    return planned


def _grids(page: Page) -> dict[int, BaseGeometry]:
    """The boundaries of the grids that somebody walks in."""
    area = page.actor.area("patrol.record")
    if page.community_id is None:
        return {}
    shapes = grids.shapes(page.session, page.community_id)
    return {id_: geom for id_, geom in shapes.items() if area.covers(page.community_id, id_)}


def _buildings(page: Page, grid_ids: Sequence[int]) -> list[dict[str, Any]]:
    rows = buildings.drawn_in(page.session, page.actor, grid_ids, most=_MOST)
    return [
        {
            "id": row.id,
            "grid_id": row.grid_id,
            "label": words.building(row.number, row.name, row.code),
            "short": (row.number or "") if row.kind == BuildingKind.RESIDENTIAL else "",
            "rings": _rings(to_shape(row.geom)),
        }
        for row in rows
    ]


def _rings(geom: BaseGeometry) -> list[list[list[float]]]:
    """The outlines of a shape as ``[[[lon, lat], …], …]``, to 0.1 m; of a point one that stays where it is."""
    shapes = [part.exterior if hasattr(part, "exterior") else part for part in shapely.get_parts(geom)]
    rings = [[[round(x, 6), round(y, 6)] for x, y in shape.coords] for shape in shapes]
    return [ring if len(ring) > 1 else ring * 2 for ring in rings]
