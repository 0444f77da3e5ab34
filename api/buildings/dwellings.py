"""Dwellings on pages: their list, record and history, and the choices of a door: building, unit, room."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Id, Reference
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.buildings.routes import DwellingChange, DwellingFilters, DwellingNew
from data import buildings
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.buildings import Building, Dwelling, Use

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("building.read")]
Edit = Annotated[Page, needs("building.edit")]
Typed = Annotated[FormData, typed]

_FIELDS = ("unit", "floor", "room", "use", "area_m2")


@pages.get("/dwellings")
def listed(page: Read) -> Response:
    """The dwellings, by building and room."""
    query = buildings.dwelling_selection(page.actor, ledgers.wanted(page, DwellingFilters))
    columns = [
        Column(_("Dwelling"), sort="building"),
        Column(_("Use"), side=True),
        Column(_("Grid"), lead=True),
        Column(_("Floor"), number=True),
        Column(_("Area"), number=True),
    ]
    filters = [
        ledgers.search(_("Room, building, address")),
        ledgers.by_grid(page),
        ledgers.choice("use", _("Use"), buildings.use_names()),
    ]
    listing = Listing(query, buildings.DWELLING_SORTS, Dwelling.id, "building")
    return page.show(
        "buildings/dwellings.html",
        section="ledger",
        page=ledgers.head(
            page, _("Dwellings"), "dwellings", new=(_("Add a dwelling"), "building.edit"), comes_in=False
        ),
        tabs=tabs.ledger(page, "dwellings"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, listing, columns, _cells, "dwellings"),
    )


def _cells(row: Any) -> list[Cell]:
    building = words.building(row.building_number, None, row.building_code)
    return [
        f"{building} {words.dwelling(row.unit, row.room)}",
        buildings.use_names()[row.use],
        row.grid_name,
        row.floor,
        words.square_metres(row.area_m2),
    ]


@pages.get("/dwellings/choices")
def choices(page: Read, building_id: Reference | Literal[""] = "") -> Response:
    """The dwellings of a building, for the box beside that of the building."""
    doors = []
    if building_id:
        buildings.get(page.session, page.actor, building_id)
        doors = buildings.dwellings(page.session, page.actor, building_id)
    options = [{"value": door.id, "label": words.dwelling(door.unit, door.room)} for door in doors]
    return page.fragment("_options.html", options=options)


@pages.get("/dwellings/new")
def new(page: Edit, building: Reference | None = None) -> Response:
    """The form for a new dwelling, of the building that the address names."""
    if building is not None:
        buildings.get(page.session, page.actor, building)
    return _form(page, None, building_id=building)


@pages.post("/dwellings")
def add(page: Edit, form: Typed) -> Response:
    """Add a dwelling to a building."""
    try:
        building_id = forms.id_in(form, "building_id")
        if building_id is None:
            raise Invalid(_("Fill this in."), field="building_id")
        building = buildings.get(page.session, page.actor, building_id)
        values = forms.read(DwellingNew, form, _FIELDS)
        with page.attempt():
            found = buildings.add_dwelling(page.session, page.actor, building, **values)
    except forms.REFUSED as error:
        return _form(page, None, typed=form, error=error)
    return page.go(f"/dwellings/{found.id}", _("Recorded."))


@pages.get("/dwellings/{dwelling_id}")
def record(dwelling_id: Id, page: Read) -> Response:
    """A dwelling."""
    return _form(page, buildings.get_dwelling(page.session, page.actor, dwelling_id))


@pages.post("/dwellings/{dwelling_id}")
def change(dwelling_id: Id, page: Edit, form: Typed) -> Response:
    """Change a dwelling."""
    found = buildings.get_dwelling(page.session, page.actor, dwelling_id)
    try:
        forms.check(page, found, form)
        values = forms.read(DwellingChange, form, _FIELDS)
        with page.attempt():
            buildings.change_dwelling(page.session, page.actor, found, **values)
    except forms.REFUSED as error:
        return _form(page, found, typed=form, error=error)
    return page.go(f"/dwellings/{dwelling_id}", _("Saved."))


@pages.get("/dwellings/{dwelling_id}/history")
def history(dwelling_id: Id, page: Read) -> Response:
    """What happened to a dwelling."""
    found = buildings.get_dwelling(page.session, page.actor, dwelling_id)
    building = buildings.get(page.session, page.actor, found.building_id)
    return forms.past(page, "dwellings", "dwelling", dwelling_id, _about(found, building))


def _about(found: Dwelling | None, building: Building | None) -> dict[str, Any]:
    if found is None or building is None:
        return forms.record("dwellings", None, _("Add a dwelling"), _("Dwellings"))
    name = words.building(building.number, building.name, building.code)
    return forms.record(
        "dwellings",
        found.id,
        f"{name} {words.dwelling(found.unit, found.room)}",
        _("Dwellings"),
        building.address or "",
    )


def _form(
    page: Page,
    dwelling: Dwelling | None,
    *,
    building_id: int | None = None,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    building = buildings.get(page.session, page.actor, dwelling.building_id) if dwelling else None
    editable = building is None or page.may("building.edit", building.community_id, building.grid_id)
    one = dwelling or Dwelling(use=Use.OWNER)
    fields = [
        Field("unit", _("Unit of the building"), one.unit, most=64),
        Field("room", _("Room"), one.room, optional=False, most=64),
        Field("floor", _("Floor"), one.floor, "number", least=-20, most=300),
        forms.select("use", _("Use"), one.use, buildings.use_names(), optional=False),
        Field("area_m2", _("Area"), one.area_m2, "number", least=0, most=100_000, step="0.01", unit=_("m²")),
    ]
    links = []
    if dwelling and building:
        links = forms.links("dwellings", dwelling.id, on_map=False)
        name = words.building(building.number, building.name, building.code)
        links.insert(0, {"href": f"/buildings/{building.id}", "label": name, "icon": "building"})
    else:
        fields.insert(
            0, forms.select("building_id", _("Building"), building_id, forms.building_names(page), optional=False)
        )
    return page.show(
        "_form.html",
        section="ledger",
        status=forms.status(error),
        record=_about(dwelling, building),
        action=f"/dwellings/{dwelling.id}" if dwelling else "/dwellings",
        editable=editable,
        **forms.shown([Section(_("Dwelling"), fields)], typed, error),
        links=links,
        token=forms.token(dwelling),
        map=None,
    )
