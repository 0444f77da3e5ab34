"""Households on pages: their list, record and history. What is personal is masked until a purpose is given."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api import forms, labels, ledgers, people
from api.fields import Id, Reference
from api.forms import Field, Section
from api.households.homes import HouseholdChange, HouseholdNew, wanted_households
from api.ledgers import Cell, Column, Listing
from api.pages import Page, needs, typed
from data import buildings, households
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.buildings import Dwelling
from data.households import Household, Resident, homes

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Edit = Annotated[Page, needs("household.edit")]
Unmask = Annotated[Page, needs("household.read", "person.unmask")]
Typed = Annotated[FormData, typed]

_FIELDS = ("number", "dwelling_id", "hukou", "phone", "address", "note")


@pages.get("/households")
def listed(page: Read) -> Response:
    """The households, by building, masked."""
    query = homes.selection(page.actor, ledgers.wanted(page, wanted_households))
    groups = people.group_names(page)
    hukou = labels.reference_names("hukou")

    def cells(row: Any) -> list[Cell]:
        shown = households.masked({"head_name": row.head_name, "phone": row.phone})
        held = [groups.get(code, code) for code in sorted(row.groups or ())]
        return [
            shown["head_name"] or row.number,
            row.number,
            people.place(row, row.unlocated_reason),
            row.members,
            {"text": _(", ").join(held), "tag": "care"} if held else None,
            row.grid_name,
            hukou.get(row.hukou, row.hukou),
            {"text": shown["phone"], "tone": "locked"} if shown["phone"] else None,
        ]

    columns = [
        Column(_("Head")),
        Column(_("Household number"), sort="number"),
        Column(_("Dwelling"), lead=True, sort="building"),
        Column(_("People"), number=True, side=True),
        Column(_("Special groups")),
        Column(_("Grid")),
        Column(_("Hukou")),
        Column(_("Phone")),
    ]
    filters = [
        ledgers.search(_("Household number, address")),
        ledgers.by_grid(page),
        ledgers.choice("group", _("Special group"), {"*": _("Any")} | groups),
        ledgers.choice("hukou", _("Hukou"), hukou),
        ledgers.choice("located", _("Place"), {"true": _("With a place"), "false": _("Without a place")}),
    ]
    return page.show(
        "households/list.html",
        section="ledger",
        page=ledgers.head(page, _("Households"), "households", new=(_("Add a household"), "household.edit")),
        tabs=ledgers.ledger_tabs(page, "households"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, Listing(query, homes.SORTS, Household.id, "building"), columns, cells, "households"),
    )


@pages.get("/households/new")
def new(page: Edit, dwelling: Reference | None = None) -> Response:
    """The form for a new household, in the dwelling that the address names."""
    door = buildings.get_dwelling(page.session, page.actor, dwelling) if dwelling else None
    return _form(page, None, door=door)


@pages.post("/households")
def add(page: Edit, form: Typed) -> Response:
    """Add a household."""
    try:
        values = forms.read(HouseholdNew, form, _FIELDS)
        dwelling = buildings.get_dwelling(page.session, page.actor, values.pop("dwelling_id"))
        with page.attempt():
            found = households.add(page.session, page.actor, dwelling=dwelling, **values)
            _join(page, found, form)
    except forms.REFUSED as error:
        return _form(page, None, typed=form, error=error)
    return page.go(f"/households/{found.id}", _("Recorded."))


@pages.get("/households/{household_id}")
def record(household_id: Id, page: Read) -> Response:
    """A household and its members."""
    return _form(page, households.get(page.session, page.actor, household_id))


@pages.post("/households/{household_id}")
def change(household_id: Id, page: Edit, form: Typed) -> Response:
    """Change a household and the special groups it belongs to."""
    found = households.get(page.session, page.actor, household_id)
    try:
        forms.check(page, found, form)
        values = forms.read(HouseholdChange, form, (*_FIELDS, "head_id"), locked=("phone",))
        if values["dwelling_id"] is None and found.dwelling_id is None:
            del values["dwelling_id"]  # it keeps the reason for which it has none
        with page.attempt():
            households.change(page.session, page.actor, found, **values)
            _join(page, found, form)
    except forms.REFUSED as error:
        return _form(page, found, typed=form, error=error)
    return page.go(f"/households/{household_id}", _("Saved."))


def _join(page: Page, found: Household, form: FormData) -> None:
    """Let a household belong to the special groups that are ticked, from today on or until today."""
    ticked, today = {str(code) for code in form.getlist("groups")}, settings.today()
    held = {one.group_code: one for one in households.memberships(page.session, found.id) if today in one.valid}
    for code in sorted(ticked - held.keys()):
        households.join_group(page.session, page.actor, found, code, first=today)
    for code in sorted(held.keys() - ticked):
        if held[code].valid.lower == today:
            households.leave_group(page.session, page.actor, found, held[code].id)
        else:
            households.end_membership(page.session, page.actor, found, held[code].id, today)


@pages.post("/households/{household_id}/unmask")
def unmask(household_id: Id, page: Unmask, form: Typed) -> Response:
    """One personal field of a household in full, for a stated purpose."""
    return people.unmasked(page, households.get(page.session, page.actor, household_id), form)


@pages.get("/households/{household_id}/history")
def history(household_id: Id, page: Read) -> Response:
    """What happened to a household."""
    found = households.get(page.session, page.actor, household_id)
    return forms.past(page, "households", "household", household_id, _about(page, found))


def _about(page: Page, found: Household | None) -> dict[str, Any]:
    if found is None:
        return forms.record("households", None, _("Add a household"), _("Households"))
    head = page.session.get(Resident, found.head_id) if found.head_id else None
    name = households.masked({"name": head.name})["name"] if head else found.number
    title = _("Household of {name}", name=name) if head else found.number
    return forms.record("households", found.id, title, _("Households"), found.number)


def _form(
    page: Page,
    found: Household | None,
    *,
    door: Dwelling | None = None,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    editable = found is None or people.may_edit(page, found)
    one = found or Household()
    if found and found.dwelling_id:
        door = buildings.get_dwelling(page.session, page.actor, found.dwelling_id)
    members = households.members(page.session, page.actor, found.id) if found else []
    today = settings.today()
    held = (
        [one.group_code for one in households.memberships(page.session, found.id) if today in one.valid]
        if found
        else []
    )
    phone = households.masked({"phone": one.phone})["phone"]
    sections = [
        Section(
            _("Household"),
            [
                Field("number", _("Household number"), one.number, optional=False, most=64),
                forms.select("hukou", _("Hukou"), one.hukou, labels.reference_names("hukou")),
                Field("phone", _("Phone"), phone, "tel", most=64, locked=True),
            ],
        ),
        Section(
            _("Dwelling"),
            [
                *people.door_fields(page, door, typed, optional=found is not None),
                Field("address", _("Address as it was given"), one.address, most=200),
            ],
        ),
        Section(
            _("Care"),
            [
                Field(
                    "groups", _("Special groups"), held, "checks",
                    options=labels.options(people.group_names(page)),
                ),
                Field("note", _("Note"), one.note, "textarea", most=4000),
            ],
        ),
    ]  # fmt: skip
    if members:
        names = {str(one.id): people.name(one) for one in members}
        sections[0].fields.insert(1, forms.select("head_id", _("Head"), one.head_id, names))
    where = {"building_id": door.building_id} if door else {}
    links = forms.links("households", found.id, on_map=False) if found else []
    if where:
        on_map = {"href": f"/map?at=buildings/{where['building_id']}", "label": _("On the map"), "icon": "map-2"}
        links.insert(0, on_map)
    return page.show(
        "households/form.html",
        section="ledger",
        status=forms.status(error),
        record=_about(page, found),
        action=f"/households/{found.id}" if found else "/households",
        editable=editable,
        **forms.shown(sections, typed, error),
        links=links,
        token=forms.token(found),
        map=None,
        members=[_member(member) for member in members],
        add=f"/residents/new?household={found.id}" if found and editable else None,
    )


def _member(member: Resident) -> dict[str, Any]:
    born: date | str | None = households.masked({"born_on": member.born_on})["born_on"]
    return {
        "href": f"/residents/{member.id}",
        "cells": [
            people.name(member),
            labels.reference_names("relation").get(member.relation or "", member.relation),
            labels.reference_names("sex").get(member.sex or "", member.sex),
            born,
            labels.statuses()[member.status],
        ],
    }
