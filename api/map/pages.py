"""The map: the first page, and what everybody works from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.base import deps, ground, ledgers, words
from api.base.fields import Day
from api.base.ledgers import Cell, Column, Listing
from api.base.listing import Parameters
from api.base.page import Page, name_of, needs
from api.buildings.routes import BuildingFilters
from api.grids.routes import GridFilters
from api.incidents.routes import IncidentFilters
from data import buildings, grids, incidents, start, today
from data.base import listing
from data.base.language import _
from data.buildings import Building
from data.incidents import Incident
from data.units import Unit
from maps import overview, tiles

pages = APIRouter(include_in_schema=False)

#: More rows are no table to look at, but a list to go through.
MOST_ROWS = 200
#: Where somebody goes first: the first of these that they may see.
_FIRST = (
    # Whoever sees no building would find an empty map.
    ("building.read", "/map"),
    ("incident.read", "/incidents"),
    ("audit.read", "/audit"),
    ("account.read", "/accounts"),
    ("unit.read", "/map"),
)


class AsOf(Parameters):
    """Of which day the boundaries are."""

    on: Day | None = None


@pages.get("/")
def home(request: Request, actor: deps.SignedIn) -> Response:
    """Everybody's first page: the map, with what is due for whoever has a grid, or what they do see without a map."""
    if not request.url.query and today.own_grids(actor) and actor.may("building.read"):
        return RedirectResponse("/map?at=today/own", 303)
    first = next((address for permission, address in _FIRST if actor.may(permission)), "/me")
    query = f"?{request.url.query}" if request.url.query and first == "/map" else ""
    return RedirectResponse(first + query, 303)


@pages.get("/map")
def the_map(page: Annotated[Page, needs("unit.read")]) -> Response:
    """The map with its card of layers and filters; everything else is fetched by its script. With ``on`` the grids have
    the boundaries of that day.

    Where there is nothing to see yet, the page that leads to it.
    """
    if start.is_bare(page.session, page.actor, page.community_id):
        return page.go("/start")
    frame = ground.frame(page)
    if own := today.bounds(page.session, page.actor):
        west, south, east, north = own
        frame["bounds"] = (south, west, north, east)
    on = ledgers.parameters(page.request.query_params, AsOf).on
    known = overview.figures() if on is None else []
    figures = [figure for figure in known if tiles.FIGURES[figure.code].area(page.actor)]
    drawn = overview.overview(
        **frame,
        figures=figures,
        title=page.glance.name if page.glance else "",
        may_report="incident.report" in page.can,
    )
    return page.show(
        "map/map.html",
        section="map",
        **ground.shown(drawn, page.settings),
        figures=figures,
        states=incidents.words.states(),
        categories=_categories(page),
        counts=_counts(page),
        drawn=ground.basemap(page.settings).drawn,
        on=words.day(on),
    )


@pages.get("/map/table")
def table(page: Annotated[Page, needs("unit.read")]) -> Response:
    """What lies in view of the map, as a table linked with it; its parameters are those of the list of each kind."""
    kinds = _kinds(page)
    kind = page.request.query_params.get("of", "")
    if kind not in kinds:
        kind = next(iter(kinds), "")
    columns, listed, cells = _TABLES[kind](page) if kind else ([], None, None)
    rows: Sequence[Any] = []
    if listed:
        rows = ledgers.first(page, listed, MOST_ROWS)
    full = listed and len(rows) == MOST_ROWS
    return page.fragment(
        "map/table.html",
        kinds=[{"code": name, "label": label, "current": name == kind} for name, label in kinds.items()],
        kind=kind,
        columns=columns,
        rows=[{"id": row.id, "cells": cells(row)} for row in rows] if cells else [],
        total=listing.count(page.session, listed.query) if listed and full else len(rows),
        href=_as_list(page, kind),
    )


def _kinds(page: Page) -> dict[str, str]:
    """What the table can hold, as far as this person may see it."""
    kinds = {
        "incidents": ("incident.read", _("Cases")),
        "buildings": ("building.read", _("Buildings")),
        "grids": ("grid.read", _("Grids")),
    }
    return {code: label for code, (permission, label) in kinds.items() if permission in page.can}


def _as_list(page: Page, kind: str) -> str:
    """The list page with the same rows."""
    query = {name: value for name, value in page.request.query_params.items() if value and name not in ("of", "lang")}
    if kind == "incidents":
        query.setdefault("state", ",".join(incidents.State))
    return f"/{kind}?{urlencode(query, safe=',')}"


_Rows = tuple[list[Column], Listing, Callable[[Any], list[Cell]]]


def _cases(page: Page) -> _Rows:
    query = incidents.selection(page.actor, ledgers.wanted(page, IncidentFilters))
    columns = [
        Column(_("Case")),
        Column(_("State"), lead=True),
        Column(_("Description")),
        Column(_("Grid")),
        Column(_("Reported")),
        Column(_("Due"), side=True),
    ]

    def cells(row: Any) -> list[Cell]:
        shown = words.case(row)
        due = shown["due"]
        left = {"text": due["text"], "tone": "act" if due["overdue"] else "quiet"} if due else {"text": ""}
        state = {"text": shown["state_name"], "state": row.state}
        return [shown["title"], state, shown["remark"], row.grid_name, words.minute(row.reported_at), left]

    return columns, Listing(query, incidents.SORTS, Incident.id, "-reported"), cells


def _buildings(page: Page) -> _Rows:
    query = buildings.selection(page.actor, ledgers.wanted(page, BuildingFilters))
    columns = [
        Column(_("Building")),
        Column(_("Kind")),
        Column(_("Address"), lead=True),
        Column(_("Grid"), side=True),
        Column(_("Floors"), number=True),
    ]

    def cells(row: Any) -> list[Cell]:
        name = words.building(row.number, row.name, row.code)
        return [name, buildings.kind_names()[row.kind], row.address, row.grid_name, row.floors]

    return columns, Listing(query, buildings.SORTS, Building.id, "number"), cells


def _grids(page: Page) -> _Rows:
    *plain, _geom = (query := grids.selection(page.actor, ledgers.wanted(page, GridFilters))).selected_columns
    rows = query.with_only_columns(*plain, maintain_column_froms=True)
    columns = [Column(_("Grid")), Column(_("Code"), lead=True), Column(_("Phone"), side=True)]
    return columns, Listing(rows, grids.SORTS, Unit.id, "code"), lambda row: [row.name, row.code, row.phone]


_TABLES: dict[str, Callable[[Page], _Rows]] = {"incidents": _cases, "buildings": _buildings, "grids": _grids}


def _counts(page: Page) -> dict[str, int]:
    """How many there are in the layers whose number does not depend on the filters."""
    count = buildings.count(page.session, page.actor, page.community_id)
    return {"grids": page.glance.grids if page.glance else 0, "buildings": count}


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
