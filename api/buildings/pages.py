"""Buildings on pages: their list, record and history, and their panel beside the map."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from shapely import Point
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Id
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.buildings.routes import BuildingChange, BuildingFilters, BuildingNew
from data import buildings, grids, incidents, locating, panels, teams
from data.base.access import PEOPLE
from data.base.errors import WanggeError
from data.base.language import _
from data.buildings import Building, BuildingKind
from data.households import SpecialGroup

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("building.read")]
Edit = Annotated[Page, needs("building.edit")]
Typed = Annotated[FormData, typed]

_FIELDS = ("number", "name", "address", "kind", "floors", "unit_count")


@pages.get("/buildings")
def listed(page: Read) -> Response:
    """The buildings, by their number."""
    query = buildings.selection(page.actor, ledgers.wanted(page, BuildingFilters))
    columns = [
        Column(_("Building"), sort="number"),
        Column(_("Kind")),
        Column(_("Address"), lead=True),
        Column(_("Grid"), side=True),
        Column(_("Floors"), number=True),
        Column(_("Entrances"), number=True),
        Column(_("Located")),
        Column(_("Code"), sort="code"),
    ]
    filters = [
        ledgers.search(_("Number, name, address")),
        ledgers.by_grid(page),
        ledgers.choice("kind", _("Kind"), buildings.kind_names()),
        ledgers.choice("located", _("Place"), {"true": _("With a place"), "false": _("Without a place")}),
    ]
    return page.show(
        "buildings/list.html",
        section="ledger",
        page=ledgers.head(page, _("Buildings"), "buildings", new=(_("Add a building"), "building.edit")),
        tabs=tabs.ledger(page, "buildings"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, Listing(query, buildings.SORTS, Building.id, "number"), columns, _cells, "buildings"),
    )


def _cells(row: Any) -> list[Cell]:
    located = locating.place_found(row.located_by, row.located_score, row.unlocated_reason)
    return [
        words.building(row.number, row.name, row.code),
        buildings.kind_names()[row.kind],
        row.address,
        row.grid_name,
        row.floors,
        row.unit_count,
        {"text": located, "tone": "act"} if row.unlocated_reason else located,
        row.code,
    ]


@pages.get("/buildings/new")
def new(page: Edit) -> Response:
    """The form for a new building."""
    return _form(page, None)


@pages.post("/buildings")
def add(page: Edit, form: Typed) -> Response:
    """Add a building."""
    try:
        values = forms.read(BuildingNew, form, ("code", *_FIELDS), known={"community_id": 1})
        point = forms.point_in(form)
        community = forms.community_in(page, form)
        with page.attempt():
            found = buildings.add(
                page.session, page.actor, community=community, geom=Point(point) if point else None, **values
            )
    except forms.REFUSED as error:
        return _form(page, None, typed=form, error=error)
    return page.go(f"/buildings/{found.id}", _("Recorded."))


@pages.get("/buildings/{building_id}")
def record(building_id: Id, page: Read) -> Response:
    """A building with its dwellings."""
    return _form(page, buildings.get(page.session, page.actor, building_id))


@pages.post("/buildings/{building_id}")
def change(building_id: Id, page: Edit, form: Typed) -> Response:
    """Change a building. A footprint is not moved here, for a pin says nothing about its corners."""
    building = buildings.get(page.session, page.actor, building_id)
    before = buildings.shape(building)
    try:
        forms.check(page, building, form)
        values = forms.read(BuildingChange, form, _FIELDS)
        if before is None or isinstance(before, Point):
            point = forms.point_in(form)
            if forms.moved((before.x, before.y) if before else None, point):
                values["geom"] = Point(point) if point else None
        with page.attempt():
            buildings.change(page.session, page.actor, building, **values)
    except forms.REFUSED as error:
        return _form(page, building, typed=form, error=error)
    return page.go(f"/buildings/{building_id}", _("Saved."))


@pages.get("/buildings/{building_id}/history")
def history(building_id: Id, page: Read) -> Response:
    """What happened to a building."""
    found = buildings.get(page.session, page.actor, building_id)
    return forms.past(page, "buildings", "building", building_id, _about(found))


def _about(found: Building | None) -> dict[str, Any]:
    if found is None:
        return forms.record("buildings", None, _("Add a building"), _("Buildings"))
    title = words.building(found.number, found.name, found.code)
    return forms.record("buildings", found.id, title, _("Buildings"), found.address or "")


def _form(
    page: Page, building: Building | None, *, typed: FormData | None = None, error: WanggeError | None = None
) -> Response:
    editable = building is None or page.may("building.edit", building.community_id, building.grid_id)
    filled = building or Building(kind=BuildingKind.RESIDENTIAL)
    sections = [
        Section(
            _("Building"),
            [
                Field("number", _("Number"), filled.number, most=200, hint=_("As it stands on the door: 18, 18A.")),
                Field("name", _("Place name"), filled.name, most=200),
                Field("address", _("Address"), filled.address, most=200),
                forms.select("kind", _("Kind"), filled.kind, buildings.kind_names(), optional=False),
                Field("floors", _("Floors"), filled.floors, "number", least=0, most=200),
                Field("unit_count", _("Entrances"), filled.unit_count, "number", least=0, most=200),
            ],
        )
    ]
    code = Field(
        "code", _("Code"), filled.code, optional=False, most=64, hint=_("One of its own within the community.")
    )
    if building is None:
        sections[0].fields[:0] = [*forms.community_field(page), code]
    else:
        where = locating.place_found(building.located_by, building.located_score, building.unlocated_reason)
        code.type = "shown"
        grid = grids.get(page.session, page.actor, building.grid_id).name if building.grid_id else None
        shown = [code, Field("grid", _("Grid"), grid, "shown"), Field("located", _("Located"), where, "shown")]
        sections.append(Section(_("In the records"), shown))
    shape = buildings.shape(building) if building else None
    inside = shape.representative_point() if shape is not None else None
    point = (inside.x, inside.y) if inside is not None else None
    if typed is not None:
        point = forms.typed_point(typed) or point
    movable = editable and (shape is None or isinstance(shape, Point))
    return page.show(
        "buildings/form.html",
        section="ledger",
        status=forms.status(error),
        record=_about(building),
        action=f"/buildings/{building.id}" if building else "/buildings",
        editable=editable,
        movable=movable,
        **forms.shown(sections, typed, error),
        links=forms.links("buildings", building.id) if building else [],
        token=forms.token(building),
        **forms.place(page, point, editable=movable),
        dwellings=_dwellings(page, building.id) if building else [],
        more=f"/dwellings?building={building.id}" if building else "",
    )


def _dwellings(page: Page, building_id: int) -> list[dict[str, Any]]:
    """The first fifty dwellings of a building, with who is registered there."""
    uses = buildings.use_names()
    return [
        {
            "href": f"/dwellings/{door.id}",
            "cells": [
                words.dwelling(door.unit, door.room),
                uses[door.use],
                door.floor,
                _(", ").join(family.name for family in door.families),
                sum(family.count for family in door.families) or None,
            ],
        }
        for door in panels.doors(page.session, page.actor, building_id)[:50]
    ]


@pages.get("/buildings/{building_id}/panel")
def panel(building_id: Id, page: Read) -> Response:
    """A building beside the map."""
    building = buildings.get(page.session, page.actor, building_id)
    row = buildings.row(page.session, building)
    count, overdue, rows = panels.open_incidents(page.session, page.actor, incidents.Filter(building_id=building_id), 5)
    doors = panels.doors(page.session, page.actor, building_id)
    figures = [
        {"value": f"{len(doors):,}", "label": _("dwellings"), "tone": ""},
        {"value": f"{count:,}", "label": _("open cases"), "tone": "act" if overdue else ""},
    ]
    sees_people = page.may(PEOPLE, building.community_id, building.grid_id)
    if page.actor.counter.area(PEOPLE).covers(building.community_id, building.grid_id):
        people = panels.people(page.session, page.actor, Building.id == building_id)
        figures[1:1] = [
            {"value": f"{people.households:,}", "label": _("households"), "tone": ""},
            {"value": f"{people.residents:,}", "label": _("people"), "tone": ""},
        ]
    shape = buildings.shape(building)
    where = [part for part in (row.address, row.grid_name) if part]
    return page.fragment(
        "buildings/panel.html",
        building={
            "id": row.id,
            "title": words.building(row.number, row.name, row.code),
            "code": row.code,
            "where": _(", ").join(where),
            "point": (row.lon, row.lat) if row.lon is not None else None,
            "bounds": shape.bounds if shape and shape.geom_type != "Point" else None,
        },
        figures=figures,
        facts=_facts(row),
        units=_entrances(page, doors) if sees_people else None,
        responsible=_responsible(page, building),
        incidents={"count": count, "rows": [words.case(one) for one in rows]},
    )


def _responsible(page: Page, building: Building) -> list[dict[str, Any]]:
    """The team of its grid, and of the wardens those who mind it, with the phones that may be shown."""
    whole = teams.of_building(page.session, page.actor, building)
    posts = teams.post_names()
    members = whole.members if whole else ()
    return [{"name": one.name, "post": posts[one.post], "phone": one.shown_phone} for one in members]


def _facts(row: Any) -> list[dict[str, Any]]:
    found = locating.place_found(row.located_by, row.located_score, row.unlocated_reason)
    facts: list[dict[str, Any]] = [
        {"label": _("Kind"), "value": buildings.kind_names()[row.kind]},
        {"label": _("Floors"), "value": row.floors},
        {"label": _("Entrances"), "value": row.unit_count},
        {"label": _("Grid"), "value": row.grid_name},
        {"label": _("Located"), "value": found},
    ]
    if row.grid_id:
        facts[3] |= {"href": f"/grids/{row.grid_id}", "panel": f"grids/{row.grid_id}"}
    return facts


def _entrances(page: Page, doors: list[panels.Door]) -> list[dict[str, Any]]:
    """The doors of a building by entrance, with the families behind them."""
    groups = {group.code: words.name(group) for group in page.session.query(SpecialGroup)}
    uses = buildings.use_names()
    entrances: dict[str | None, list[dict[str, Any]]] = {}
    for door in doors:
        families = [
            {
                "id": family.id,
                "name": family.name,
                "count": family.count,
                "groups": [groups.get(code, code) for code in family.groups],
            }
            for family in door.families
        ]
        entrances.setdefault(door.unit, []).append(
            {"id": door.id, "room": door.room, "use": door.use, "use_name": uses[door.use], "households": families}
        )
    return [{"name": words.unit(unit), "dwellings": rooms} for unit, rooms in entrances.items()]
