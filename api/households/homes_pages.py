"""Households on pages: their list, record and history. What is personal is masked until a purpose is given."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Id, Reference
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.households import people
from api.households.homes import HouseholdChange, HouseholdFilters, HouseholdNew
from data import buildings, diary, households, incidents, locating, movements, visits
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.buildings import Dwelling
from data.households import Household, Resident, homes
from data.incidents import Incident

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Edit = Annotated[Page, needs("household.edit")]
Unmask = Annotated[Page, needs("household.read", "person.unmask")]
Typed = Annotated[FormData, typed]

_FIELDS = ("number", "dwelling_id", "hukou", "phone", "address", "note")
#: So many cases and changes of a household are shown; the rest has its own page.
_LATEST = 5


@pages.get("/households")
def listed(page: Read) -> Response:
    """The households, by building, masked."""
    query = homes.selection(page.actor, ledgers.wanted(page, HouseholdFilters))
    groups = people.group_names(page)
    hukou = words.reference_names("hukou")

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
        ledgers.choice("closed", _("Lived in"), {"true": _("Not any more")}, _("Living here")),
    ]
    return page.show(
        "households/list.html",
        section="ledger",
        page=ledgers.head(page, _("Households"), "households", new=(_("Add a household"), "household.edit")),
        tabs=tabs.ledger(page, "households"),
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
    """A household: where it lives and its people, the cases of the house, what was changed, and the place on a map."""
    household = households.get(page.session, page.actor, household_id)
    row = homes.row(page.session, household)
    place = forms.place(page, (row.lon, row.lat), editable=False) if row.lon is not None else {"map": None}
    editable = people.may_edit(page, household)
    members = households.members(page.session, page.actor, household_id)
    return page.show(
        "households/household.html",
        section="ledger",
        household={
            "id": household_id,
            "phone": households.masked({"phone": row.phone})["phone"],
            "call": people.to_call(household),
        },
        record=_about(page, household),
        on_map=f"/map?at=buildings/{row.building_id}" if row.building_id else "",
        facts=_facts(page, row),
        members=[_member(member) for member in members],
        odd=households.odd(page.session, household) if editable else [],
        own=_own_cases(page, household_id),
        cases=_cases(page, row),
        events=_events(page, household_id),
        closed=words.day(household.closed_on) if household.closed_on else "",
        visits=_visits(page, household_id),
        diary=_diary(page, household_id),
        diary_more={"href": f"/diary?household={household_id}", "label": _("All of it")},
        entries=forms.happened(page, "household", household_id, _LATEST),
        editable=editable,
        **place,
    )


@pages.get("/households/{household_id}/edit")
def edit(household_id: Id, page: Edit) -> Response:
    """The form for a household."""
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


@pages.post("/households/{household_id}/call")
def call(household_id: Id, page: Unmask) -> Response:
    """The number of a household for a call, which is recorded."""
    return people.called(page, households.get(page.session, page.actor, household_id))


@pages.get("/households/{household_id}/history")
def history(household_id: Id, page: Read) -> Response:
    """What happened to a household."""
    found = households.get(page.session, page.actor, household_id)
    return forms.past(page, "households", "household", household_id, _about(page, found))


def _facts(page: Page, row: Any) -> list[dict[str, Any]]:
    """What is known of a household beside its phone, with the way to its house, door and grid."""
    hukou, groups = words.reference_names("hukou"), people.group_names(page)
    facts: list[dict[str, Any]] = [
        {"label": _("Household number"), "value": row.number},
        {"label": _("Hukou"), "value": hukou.get(row.hukou, row.hukou)},
        {"label": _("People"), "value": row.members},
        {"label": _("Special groups"), "tags": [groups.get(code, code) for code in sorted(row.groups or ())]},
        {"label": _("Address as it was given"), "value": row.address},
        {"label": _("Note"), "value": row.note},
    ]
    if row.building_id is None:
        reason = locating.reason_names().get(row.unlocated_reason or "", _("No dwelling"))
        return [{"label": _("Dwelling"), "value": reason}, *facts]
    house = {"value": words.building(row.building_number), "href": f"/buildings/{row.building_id}"}
    door = {"value": words.dwelling(row.unit, row.room), "href": f"/dwellings/{row.dwelling_id}"}
    return [
        {"label": _("Building"), **house},
        {"label": _("Dwelling"), **door},
        {"label": _("Grid"), "value": row.grid_name},
        *facts,
    ]


def _own_cases(page: Page, household_id: int) -> dict[str, Any] | None:
    """The cases that are about a household, the last one first, for those who may see cases."""
    if "incident.read" not in page.can:
        return None
    ids = households.linked.cases(page.session, household_id)
    rows = list(incidents.chosen(page.session, page.actor, ids))[::-1]
    return {
        "title": _("Cases of this household"),
        "rows": [_case(one) for one in rows],
        "new": f"/incidents/new?household={household_id}" if "incident.report" in page.can else "",
    }


def _case(row: Any) -> dict[str, Any]:
    states = incidents.words.states()
    return {
        "href": f"/incidents/{row.id}",
        "cells": [words.case(row)["title"], states[row.state], words.day(row.reported_at)],
    }


def _cases(page: Page, row: Any) -> dict[str, Any] | None:
    """The latest cases at the house of a household, for those who may see cases."""
    if row.building_id is None or "incident.read" not in page.can:
        return None
    query = incidents.selection(page.actor, incidents.Filter(building_id=row.building_id))
    rows = ledgers.first(page, Listing(query, incidents.SORTS, Incident.id, "-reported"), _LATEST)
    every = {"building": row.building_id, "state": ",".join(incidents.State)}
    return {
        "title": _("Cases at {building}", building=words.building(row.building_number)),
        "more": {"href": f"/incidents?{urlencode(every, safe=',')}", "label": _("All as a list")},
        "rows": [_case(one) for one in rows],
    }


def _diary(page: Page, household_id: int) -> list[dict[str, Any]]:
    """The latest entries of the diary about a household."""
    names = diary.standing_names()
    entries, _total = diary.latest(page.session, page.actor, diary.Filter(household_id=household_id), _LATEST)
    return [
        {"href": f"/diary/{entry.id}", "cells": [words.minute(entry.at), entry.said, names[entry.standing]]}
        for entry in entries
    ]


def _events(page: Page, household_id: int) -> list[dict[str, Any]]:
    """The latest births, deaths and moves in a household."""
    query = movements.selection(page.actor, movements.Filter(household_id=household_id))
    kinds = movements.kind_names()
    return [
        {
            "href": f"/movements/{row.id}",
            "cells": [households.masked({"name": row.name})["name"], kinds[row.kind], words.day(row.happened_on)],
        }
        for row in ledgers.first(page, Listing(query, movements.SORTS, movements.Movement.id, "-happened"), _LATEST)
    ]


def _visits(page: Page, household_id: int) -> list[dict[str, Any]]:
    """The latest visits of a household."""
    return [
        {
            "href": f"/incidents/{visit.incident_id}" if visit.incident_id else f"/visits/record/{household_id}",
            "cells": [words.minute(visit.at), visits.came_of(visit.manner, visit.outcome)],
        }
        for visit in visits.latest(page.session, page.actor, household_id, _LATEST)
    ]


def _about(page: Page, found: Household | None) -> dict[str, Any]:
    if found is None:
        return forms.record("households", None, _("Add a household"), _("Households"))
    head = page.session.get(Resident, found.head_id) if found.head_id else None
    name = households.masked({"name": head.name})["name"] if head else found.number
    title = _("Household of {name}", name=name) if head else found.number
    return forms.record("households", found.id, title, _("Households"), found.number)


def _form(
    page: Page,
    household: Household | None,
    *,
    door: Dwelling | None = None,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    editable = household is None or people.may_edit(page, household)
    shown = household or Household()
    if household and household.dwelling_id:
        door = buildings.get_dwelling(page.session, page.actor, household.dwelling_id)
    members = households.members(page.session, page.actor, household.id) if household else []
    today = settings.today()
    held = (
        [joined.group_code for joined in households.memberships(page.session, household.id) if today in joined.valid]
        if household
        else []
    )
    phone = households.masked({"phone": shown.phone})["phone"]
    sections = [
        Section(
            _("Household"),
            [
                Field("number", _("Household number"), shown.number, optional=False, most=64),
                forms.select("hukou", _("Hukou"), shown.hukou, words.reference_names("hukou")),
                Field("phone", _("Phone"), phone, "tel", most=64, locked=True, call=people.to_call(household)),
            ],
        ),
        Section(
            _("Dwelling"),
            [
                *people.door_fields(page, door, typed, optional=household is not None),
                Field("address", _("Address as it was given"), shown.address, most=200),
            ],
        ),
        Section(
            _("Care"),
            [
                Field(
                    "groups",
                    _("Special groups"),
                    held,
                    "checks",
                    options=words.options(people.group_names(page)),
                ),
                Field("note", _("Note"), shown.note, "textarea", most=4000),
            ],
        ),
    ]
    if members:
        names = {str(member.id): people.name(member) for member in members}
        sections[0].fields.insert(1, forms.select("head_id", _("Head"), shown.head_id, names))
    return page.show(
        "_form.html",
        section="ledger",
        status=forms.status(error),
        record=_about(page, household) | ({"back": f"/households/{household.id}"} if household else {}),
        action=f"/households/{household.id}" if household else "/households",
        editable=editable,
        **forms.shown(sections, typed, error),
        links=[],
        token=forms.token(household),
        map=None,
    )


def _member(member: Resident) -> dict[str, Any]:
    born: date | str | None = households.masked({"born_on": member.born_on})["born_on"]
    return {
        "href": f"/residents/{member.id}",
        "cells": [
            people.name(member),
            words.reference_names("relation").get(member.relation or "", member.relation),
            words.reference_names("sex").get(member.sex or "", member.sex),
            born,
            households.words.status_names()[member.status],
        ],
    }
