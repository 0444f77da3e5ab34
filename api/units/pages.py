"""Units on pages: districts, streets, communities and grids as records of the tree."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Id, Reference
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.units.routes import UnitChange, UnitFilters, UnitNew
from data import units
from data.base.errors import WanggeError
from data.base.language import _
from data.units import Level, Unit

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("unit.read")]
Edit = Annotated[Page, needs("unit.edit")]
Typed = Annotated[FormData, typed]

_BELOW = {Level.DISTRICT: Level.STREET, Level.STREET: Level.COMMUNITY, Level.COMMUNITY: Level.GRID}


@pages.get("/units")
def listed(page: Read) -> Response:
    """The units, those below after those above."""
    query = units.selection(page.actor, ledgers.wanted(page, UnitFilters))
    columns = [
        Column(_("Place name"), sort="name"),
        Column(_("Level"), side=True),
        Column(_("Code"), sort="code", lead=True),
        Column(_("Above")),
        Column(_("Phone")),
    ]
    filters = [ledgers.search(_("Name, code")), ledgers.choice("level", _("Level"), units.level_names())]
    return page.show(
        "units/list.html",
        section="ledger",
        page=ledgers.head(page, _("Units"), "units", new=(_("Add a unit"), "unit.edit"), comes_in=False),
        tabs=tabs.ledger(page, "units"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, Listing(query, units.SORTS, Unit.id, "code"), columns, _cells, "units"),
    )


def _cells(row: Any) -> list[Cell]:
    return [row.name, units.level_names()[row.level], row.code, row.parent_name, row.phone]


@pages.get("/units/new")
def new(page: Edit, parent: Reference | None = None) -> Response:
    """The form for a new unit."""
    return _form(page, None, parent_id=parent)


@pages.post("/units")
def add(page: Edit, form: Typed) -> Response:
    """Add a unit below the chosen one, or a district."""
    try:
        values = forms.read(UnitNew, form, ("code", "name", "phone"), known={"level": Level.GRID})
        parent_id = forms.id_in(form, "parent_id")
        parent = units.get(page.session, page.actor, parent_id) if parent_id else None
        level = _BELOW[Level(parent.level)] if parent else Level.DISTRICT
        with page.attempt():
            found = units.add(page.session, page.actor, level=level, parent=parent, **values)
    except forms.REFUSED as error:
        return _form(page, None, typed=form, error=error)
    return page.go(f"/units/{found.id}", _and_odd(page, found, _("Recorded.")))


@pages.get("/units/{unit_id}")
def record(unit_id: Id, page: Read) -> Response:
    """A unit."""
    return _form(page, units.get(page.session, page.actor, unit_id))


@pages.post("/units/{unit_id}")
def change(unit_id: Id, page: Edit, form: Typed) -> Response:
    """Change a unit."""
    found = units.get(page.session, page.actor, unit_id)
    try:
        forms.check(page, found, form)
        values = forms.read(UnitChange, form, ["code", "name", "phone", *more_fields(found)])
        with page.attempt():
            units.change(page.session, page.actor, found, **values)
    except forms.REFUSED as error:
        return _form(page, found, typed=form, error=error)
    return page.go(f"/units/{unit_id}", _and_odd(page, found, _("Saved.")))


@pages.get("/units/{unit_id}/history")
def history(unit_id: Id, page: Read) -> Response:
    """What happened to a unit."""
    found = units.get(page.session, page.actor, unit_id)
    return forms.past(page, "units", "unit", unit_id, _about(found))


def _and_odd(page: Page, unit: Unit, done: str) -> str:
    """What was done, and what is strange about the unit's code."""
    return " ".join(filter(None, (done, units.odd_code(page.session, unit))))


def _about(found: Unit | None) -> dict[str, Any]:
    if found is None:
        return forms.record("units", None, _("Add a unit"), _("Units"))
    return forms.record("units", found.id, found.name, _("Units"), units.level_names()[found.level])


def more_fields(found: Unit) -> list[str]:
    """The fields that only units of its level have: a grid its bounds, a community its coordinate system."""
    match found.level:
        case Level.GRID:
            return ["household_min", "household_max", "people_min", "people_max"]
        case Level.COMMUNITY:
            return ["metric_crs", "open_map"]
    return []


def sections(unit: Unit | None) -> list[Section]:
    """The fields of a unit as a form shows them."""
    filled = unit or Unit()
    plain = Section(
        _("Unit"),
        [
            Field("name", _("Place name"), filled.name, optional=False, most=200),
            Field("code", _("Code"), filled.code, optional=False, most=64),
            Field("phone", _("Phone"), filled.phone, "tel", most=200, hint=_("Of the office, for residents.")),
        ],
    )
    if unit is None:
        return [plain]
    names = words.fields()
    extra = []
    for name in more_fields(unit):
        value = getattr(filled, name)
        if name == "metric_crs":
            hint = _("Areas and distances are computed in it; it counts in metres.")
            extra.append(Field(name, names[name], value, optional=False, most=20, hint=hint))
        elif name == "open_map":
            hint = _("At /r/map: numbers by cells of about 100 m, none below 5, and nothing of personal kinds.")
            shown = {"true": _("Everybody sees it"), "false": _("Nobody")}
            extra.append(forms.select(name, names[name], str(value).lower(), shown, optional=False, hint=hint))
        else:
            extra.append(Field(name, names[name], value, "number", optional=False, least=0, most=1_000_000))
    return [plain, Section(_("Bounds") if unit.level == Level.GRID else _("Ground"), extra)] if extra else [plain]


def may_edit(page: Page, found: Unit) -> bool:
    """Whether this person may change a unit."""
    return units.may_edit(page.actor, found)


def _form(
    page: Page,
    edited: Unit | None,
    *,
    parent_id: int | None = None,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    shown = sections(edited)
    if edited is None:
        above = units.above_grids(page.session, page.actor)
        names = {str(unit.id): f"{unit.name} ({units.level_names()[unit.level]})" for unit in above}
        hint = _("Empty for a district.")
        shown[0].fields.insert(0, forms.select("parent_id", _("Above"), parent_id, names, hint=hint))
    links = forms.links("units", edited.id, on_map=False) if edited else []
    if edited and edited.level == Level.GRID:
        links.insert(0, {"href": f"/grids/{edited.id}", "label": _("Grid record"), "icon": "layout-grid"})
    return page.show(
        "_form.html",
        section="ledger",
        status=forms.status(error),
        record=_about(edited),
        action=f"/units/{edited.id}" if edited else "/units",
        editable=edited is None or may_edit(page, edited),
        **forms.shown(shown, typed, error),
        links=links,
        token=forms.token(edited),
        map=None,
    )
