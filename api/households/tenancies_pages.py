"""Tenancies on pages: who lets which dwelling to whom, and from when."""

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
from api.households import people
from api.households.tenancies import TenancyChange, TenancyFilters, TenancyNew
from data import buildings, households
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.buildings import Dwelling
from data.households import Tenancy, tenancies

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Edit = Annotated[Page, needs("household.edit")]
Unmask = Annotated[Page, needs("household.read", "person.unmask")]
Typed = Annotated[FormData, typed]

_PERSONAL = ("landlord_name", "landlord_phone")
_FIELDS = (*_PERSONAL, "valid_from", "valid_to", "purpose", "hazard", "note")


@pages.get("/tenancies")
def listed(page: Read) -> Response:
    """The tenancies, by building, masked."""
    query = tenancies.selection(page.actor, ledgers.wanted(page, TenancyFilters))
    columns = [
        Column(_("Dwelling"), sort="building"),
        Column(_("Landlord"), lead=True),
        Column(_("Tenants"), number=True, side=True),
        Column(_("From")),
        Column(_("To")),
        Column(_("Grid")),
        Column(_("Hazard")),
    ]
    filters = [
        ledgers.search(_("Room, building, address")),
        ledgers.by_grid(page),
        ledgers.choice("current", _("Time"), {"true": _("Today"), "false": _("Ended or not yet begun")}),
    ]
    listing = Listing(query, tenancies.SORTS, Tenancy.id, "building")
    return page.show(
        "households/tenancies.html",
        section="ledger",
        page=ledgers.head(
            page,
            _("Tenancies"),
            "tenancies",
            new=(_("Add a tenancy"), "household.edit"),
            goes_out=False,
            comes_in=False,
        ),
        tabs=tabs.ledger(page, "tenancies"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, listing, columns, _cells, "tenancies"),
    )


def _cells(row: Any) -> list[Cell]:
    over = row.valid.upper is not None and row.valid.upper <= settings.today()
    return [
        people.place(row),
        households.masked({"landlord_name": row.landlord_name})["landlord_name"],
        row.tenants,
        words.day(row.valid.lower),
        {"text": words.day(row.valid.upper), "tone": "quiet"} if over else words.day(row.valid.upper),
        row.grid_name,
        {"text": row.hazard, "tone": "act"} if row.hazard else None,
    ]


@pages.get("/tenancies/new")
def new(page: Edit, dwelling: Reference | None = None) -> Response:
    """The form for a new tenancy, of the dwelling that the address names."""
    door = buildings.get_dwelling(page.session, page.actor, dwelling) if dwelling else None
    return _form(page, None, door)


@pages.post("/tenancies")
def add(page: Edit, form: Typed) -> Response:
    """Record that a dwelling is let."""
    try:
        values = forms.read(TenancyNew, form, (*_FIELDS, "dwelling_id"))
        dwelling = buildings.get_dwelling(page.session, page.actor, values.pop("dwelling_id"))
        days = {"first": values.pop("valid_from"), "until": values.pop("valid_to")}
        with page.attempt():
            found = households.add_tenancy(page.session, page.actor, dwelling, **days, **values)
    except forms.REFUSED as error:
        return _form(page, None, None, typed=form, error=error)
    return page.go(f"/tenancies/{found.id}", _("Recorded."))


@pages.get("/tenancies/{tenancy_id}")
def record(tenancy_id: Id, page: Read) -> Response:
    """A tenancy and its tenants."""
    found = households.get_tenancy(page.session, page.actor, tenancy_id)
    return _form(page, found, buildings.get_dwelling(page.session, page.actor, found.dwelling_id))


@pages.post("/tenancies/{tenancy_id}")
def change(tenancy_id: Id, page: Edit, form: Typed) -> Response:
    """Change a tenancy and its tenants."""
    tenancy = households.get_tenancy(page.session, page.actor, tenancy_id)
    try:
        forms.check(page, tenancy, form)
        locked = [field for field in _PERSONAL if getattr(tenancy, field)]
        values = forms.read(TenancyChange, form, _FIELDS, locked=locked)
        days = {"first": values.pop("valid_from"), "until": values.pop("valid_to")}
        tenants = [int(one) for one in form.getlist("tenant_ids") if isinstance(one, str) and one.isdecimal()]
        with page.attempt():
            households.change_tenancy(page.session, page.actor, tenancy, tenant_ids=tenants, **days, **values)
    except forms.REFUSED as error:
        door = buildings.get_dwelling(page.session, page.actor, tenancy.dwelling_id)
        return _form(page, tenancy, door, typed=form, error=error)
    return page.go(f"/tenancies/{tenancy_id}", _("Saved."))


@pages.post("/tenancies/{tenancy_id}/unmask")
def unmask(tenancy_id: Id, page: Unmask, form: Typed) -> Response:
    """One personal field of a landlord in full, for a stated purpose."""
    return people.unmasked(page, households.get_tenancy(page.session, page.actor, tenancy_id), form)


@pages.get("/tenancies/{tenancy_id}/history")
def history(tenancy_id: Id, page: Read) -> Response:
    """What happened to a tenancy."""
    found = households.get_tenancy(page.session, page.actor, tenancy_id)
    door = buildings.get_dwelling(page.session, page.actor, found.dwelling_id)
    return forms.past(page, "tenancies", "tenancy", tenancy_id, _about(page, found, door))


def _about(page: Page, found: Tenancy | None, door: Dwelling | None) -> dict[str, Any]:
    if found is None or door is None:
        return forms.record("tenancies", None, _("Add a tenancy"), _("Tenancies"))
    building = buildings.get(page.session, page.actor, door.building_id)
    name = words.building(building.number, building.name, building.code)
    return forms.record(
        "tenancies",
        found.id,
        f"{name} {words.dwelling(door.unit, door.room)}",
        _("Tenancies"),
        building.address or "",
    )


def _form(
    page: Page,
    tenancy: Tenancy | None,
    door: Dwelling | None,
    *,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    names = words.fields()
    shown = tenancy or Tenancy()
    let = Section(
        _("Tenancy"),
        [
            people.locked("landlord_name", names["landlord_name"], shown.landlord_name, optional=False, most=200),
            people.locked("landlord_phone", names["landlord_phone"], shown.landlord_phone, type="tel", most=64),
            Field("valid_from", _("From"), tenancy.valid.lower if tenancy else None, "date", optional=False),
            Field(
                "valid_to",
                _("To"),
                tenancy.valid.upper if tenancy else None,
                "date",
                hint=_("The first day it is free again."),
            ),
            Field("purpose", names["purpose"], shown.purpose, most=200),
            Field("hazard", names["hazard"], shown.hazard, most=200),
            Field("note", names["note"], shown.note, "textarea", most=4000),
        ],
    )
    sections = [let]
    if tenancy is None:
        sections.insert(0, Section(_("Dwelling"), people.door_fields(page, door, typed, optional=False)))
    else:
        sections.append(Section(_("Tenants"), [_tenants(page, tenancy)]))
    links = forms.links("tenancies", tenancy.id, on_map=False) if tenancy else []
    if tenancy and door:
        links.insert(0, {"href": f"/dwellings/{door.id}", "label": _("Dwelling"), "icon": "home"})
    return page.show(
        "_form.html",
        section="ledger",
        status=forms.status(error),
        record=_about(page, tenancy, door),
        action=f"/tenancies/{tenancy.id}" if tenancy else "/tenancies",
        editable=tenancy is None or people.may_edit(page, tenancy),
        **forms.shown(sections, typed, error),
        links=links,
        token=forms.token(tenancy),
        map=None,
    )


def _tenants(page: Page, found: Tenancy) -> Field:
    """Who may be a tenant: those registered in the dwelling, and those who are tenants already."""
    held = households.tenants(page.session, page.actor, found.id)
    registered = households.registered(page.session, page.actor, found.dwelling_id)
    names = {str(one.id): people.name(one) for one in (*registered, *held)}
    hint = "" if names else _("Nobody is registered in this dwelling yet.")
    return Field(
        "tenant_ids", _("Tenants"), [str(one.id) for one in held], "checks", options=words.options(names), hint=hint
    )
