"""The map: the first page, and what everybody works from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from sqlalchemy import func, select
from starlette.responses import RedirectResponse, Response

from api import deps, ground, labels, ledgers
from api.buildings import wanted_buildings
from api.grids import wanted_grids
from api.incidents import wanted_incidents
from api.ledgers import Cell, Column, Listing
from api.pages import Page, name_of, needs
from data import buildings, grids, incidents
from data.base import access, listing
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
        sort = listed.sorts[listed.default.removeprefix("-")]
        order = sort.desc() if listed.default.startswith("-") else sort
        rows = page.session.execute(listed.query.order_by(order, listed.key).limit(MOST_ROWS)).all()
    full = listed and len(rows) == MOST_ROWS
    return page.fragment(
        "map_table.html",
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
    query = incidents.selection(page.actor, ledgers.wanted(page, wanted_incidents))
    columns = [
        Column(_("Case")), Column(_("State"), lead=True), Column(_("Category")), Column(_("Grid")),
        Column(_("Reported")), Column(_("Due"), side=True),
    ]  # fmt: skip

    def cells(row: Any) -> list[Cell]:
        shown = labels.case(row)
        due = shown["due"]
        left = {"text": due["text"], "tone": "act" if due["overdue"] else "quiet"} if due else {"text": ""}
        state = {"text": shown["state_name"], "state": row.state}
        return [shown["title"], state, labels.category(row), row.grid_name, labels.minute(row.reported_at), left]

    return columns, Listing(query, incidents.SORTS, Incident.id, "-reported"), cells


def _buildings(page: Page) -> _Rows:
    query = buildings.selection(page.actor, ledgers.wanted(page, wanted_buildings))
    columns = [
        Column(_("Building")), Column(_("Kind")), Column(_("Address"), lead=True), Column(_("Grid"), side=True),
        Column(_("Floors"), number=True),
    ]  # fmt: skip

    def cells(row: Any) -> list[Cell]:
        name = labels.building(row.number, row.name, row.code)
        return [name, labels.building_kinds()[row.kind], row.address, row.grid_name, row.floors]

    return columns, Listing(query, buildings.SORTS, Building.id, "number"), cells


def _grids(page: Page) -> _Rows:
    *plain, _geom = (query := grids.selection(page.actor, ledgers.wanted(page, wanted_grids))).selected_columns
    rows = query.with_only_columns(*plain, maintain_column_froms=True)
    columns = [Column(_("Grid")), Column(_("Code"), lead=True), Column(_("Phone"), side=True)]
    return columns, Listing(rows, grids.SORTS, Unit.id, "code"), lambda row: [row.name, row.code, row.phone]


_TABLES: dict[str, Callable[[Page], _Rows]] = {"incidents": _cases, "buildings": _buildings, "grids": _grids}


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
