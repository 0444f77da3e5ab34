"""Residents on pages: their list, their record and its history. Names are looked up by POST, never by an address."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, sealed, tabs, words
from api.base.fields import Id, Reference
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.households import people
from api.households.residents import ResidentChange, ResidentFilters, ResidentNew
from data import households
from data.base.errors import Forbidden, Invalid, WanggeError
from data.base.language import _
from data.households import Household, Resident, Status, residents

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Edit = Annotated[Page, needs("household.edit")]
Unmask = Annotated[Page, needs("household.read", "person.unmask")]
Typed = Annotated[FormData, typed]

#: Of a purpose so many characters go along with what was found, for the box; the audit has all of it.
_SHOWN = 200
_PERSONAL = (
    "name",
    "former_name",
    "identity_number",
    "phone",
    "permit_number",
    "born_on",
    "health",
    "registered_address",
)
_FIELDS = (
    *_PERSONAL,
    "sex",
    "identity_kind",
    "relation",
    "ethnicity",
    "native_place",
    "marital_status",
    "political_status",
    "education",
    "occupation",
    "workplace",
    "status",
    "inflow_reason",
    "permit_kind",
    "registered_on",
    "expires_on",
    "note",
)


@pages.get("/residents")
def listed(page: Read) -> Response:
    """The residents, by building, masked; or those that somebody looked up."""
    sought = sealed.opened(page.actor, page.request.query_params.get("found", ""))
    if not sought:
        return _listed(page, residents.selection(page.actor, ledgers.wanted(page, ResidentFilters)))
    person, ids = str(sought["person"]), sought["ids"]
    wanted = residents.Filter(community=page.community)
    if ids is not None:
        query = residents.selection(page.actor, replace(wanted, ids=tuple(ids)))
    else:
        query = residents.named_or_at(page.session, page.actor, wanted, person)
    return _listed(page, query, person=person, purpose=str(sought["purpose"]))


@pages.post("/residents/search")
def search(page: Read, form: Typed) -> Response:
    """Look residents up by a name, a number, or where they live: what was typed stands in no address.

    The page that shows them has an address, so that one comes back to it; what was typed is in it sealed, and only for
    who typed it. An identity or phone number is looked up for a purpose, once, which is recorded.
    """
    person = forms.text_in(form, "person")[:100]
    if not person:
        return page.go("/residents")
    purpose, ids = forms.text_in(form, "purpose"), None
    if households.is_number(person):
        try:
            ids = households.lookup(page.session, page.actor, person, purpose, community=page.community)
        except (Invalid, Forbidden, households.TooManyLookups) as error:
            nobody = residents.selection(page.actor, residents.Filter(ids=()))
            return _listed(page, nobody, person=person, purpose=purpose, fault=error)
    found = {"person": person, "purpose": purpose[:_SHOWN] if ids is not None else "", "ids": ids}
    return page.go(f"/residents?found={sealed.seal(page.actor, found)}")


def _listed(
    page: Page, query: Any, *, person: str = "", purpose: str = "", fault: WanggeError | None = None
) -> Response:
    columns = [
        Column(_("Name")),
        Column(_("Dwelling"), lead=True, sort=None if person else "building"),
        Column(_("Relation to the head"), side=True),
        Column(_("Sex")),
        Column(_("Born")),
        Column(_("Registration")),
        Column(_("Household number"), sort=None if person else "household"),
        Column(_("Grid")),
    ]
    by_number = "person.unmask" in page.can
    groups = people.group_names(page)
    filters = [
        ledgers.by_grid(page),
        ledgers.choice("status", _("Registration"), households.words.status_names()),
        ledgers.choice("sex", _("Sex"), words.reference_names("sex")),
        ledgers.choice("group", _("Special group"), {"*": _("Any")} | groups),
        ledgers.choice("left", _("Lives here"), {"true": _("Not any more")}, _("Living here")),
    ]
    if by_number:
        filters.append(ledgers.choice("twins", _("Identity number"), {"true": _("Stands twice")}))
    context = {
        **ledgers.filtered(page, [] if person else filters),
        **ledgers.table(page, Listing(query, residents.SORTS, Resident.id, "building"), columns, _cells, "residents"),
    }
    head = ledgers.head(page, _("Residents"), "residents", comes_in=True)
    if person:
        # The further pages of what was looked up would need it in their address: it is to be said more exactly.
        context["paging"] |= {"previous": None, "next": None}
        context |= {"filtered": True, "clear": "/residents"}
        head["export"] = None
    return page.show(
        "households/residents.html",
        section="ledger",
        page=head,
        tabs=tabs.ledger(page, "residents"),
        status=forms.status(fault),
        person=person,
        purpose=purpose,
        by_number=by_number,
        fault=fault.detail if fault else None,
        **context,
    )


def _cells(row: Any) -> list[Cell]:
    shown = households.masked({"name": row.name, "born_on": row.born_on})
    return [
        shown["name"],
        people.place(row),
        words.reference_names("relation").get(row.relation, row.relation),
        words.reference_names("sex").get(row.sex, row.sex),
        shown["born_on"],
        _left(row.left_on) or households.words.status_names()[row.status],
        {"text": row.household_number, "href": f"/households/{row.household_id}"},
        row.grid_name,
    ]


def _left(day: date | None) -> str:
    return _("Not here since {day}", day=words.day(day)) if day else ""


@pages.get("/residents/new")
def new(page: Edit, household: Reference) -> Response:
    """The form for a new member of a household."""
    return _form(page, None, households.get(page.session, page.actor, household))


@pages.post("/residents")
def add(page: Edit, form: Typed) -> Response:
    """Add a member to a household."""
    household = households.get(page.session, page.actor, forms.id_in(form, "household_id") or 0)
    try:
        values = forms.read(ResidentNew, form, _FIELDS, known={"household_id": household.id})
        with page.attempt():
            households.add_resident(page.session, page.actor, household, **values)
    except forms.REFUSED as error:
        return _form(page, None, household, typed=form, error=error)
    return page.go(f"/households/{household.id}#members", _("Recorded."))


@pages.get("/residents/{resident_id}")
def record(resident_id: Id, page: Read) -> Response:
    """A resident, masked."""
    found = households.get_resident(page.session, page.actor, resident_id)
    return _form(page, found, households.get(page.session, page.actor, found.household_id))


@pages.post("/residents/{resident_id}")
def change(resident_id: Id, page: Edit, form: Typed) -> Response:
    """Change a resident. A personal field that was left empty stays as it is."""
    found = households.get_resident(page.session, page.actor, resident_id)
    try:
        forms.check(page, found, form)
        locked = [field for field in _PERSONAL if getattr(found, field)]
        values = forms.read(ResidentChange, form, _FIELDS, locked=locked)
        with page.attempt():
            households.change_resident(page.session, page.actor, found, **values)
    except forms.REFUSED as error:
        household = households.get(page.session, page.actor, found.household_id)
        return _form(page, found, household, typed=form, error=error)
    return page.go(f"/residents/{resident_id}", _("Saved."))


@pages.post("/residents/{resident_id}/unmask")
def unmask(resident_id: Id, page: Unmask, form: Typed) -> Response:
    """One personal field of a resident in full, for a stated purpose."""
    return people.unmasked(page, households.get_resident(page.session, page.actor, resident_id), form)


@pages.post("/residents/{resident_id}/call")
def call(resident_id: Id, page: Unmask) -> Response:
    """The number of a resident for a call, which is recorded."""
    return people.called(page, households.get_resident(page.session, page.actor, resident_id))


@pages.get("/residents/{resident_id}/history")
def history(resident_id: Id, page: Read) -> Response:
    """What happened to a resident's record."""
    found = households.get_resident(page.session, page.actor, resident_id)
    household = households.get(page.session, page.actor, found.household_id)
    return forms.past(page, "residents", "resident", resident_id, _about(found, household))


def _about(resident: Resident | None, household: Household) -> dict[str, Any]:
    back = {"back": f"/households/{household.id}"}
    if resident is None:
        return forms.record(
            "residents", None, _("Add a member"), _("Household {number}", number=household.number), **back
        )
    label = _("Household {number}", number=household.number)
    return forms.record(
        "residents",
        resident.id,
        people.name(resident),
        label,
        _left(resident.left_on) or households.words.status_names()[resident.status],
        **back,
    )


def _form(
    page: Page,
    resident: Resident | None,
    household: Household,
    *,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    editable = people.may_edit(page, resident or household)
    return page.show(
        "_form.html",
        section="ledger",
        status=forms.status(error),
        record=_about(resident, household),
        action=f"/residents/{resident.id}" if resident else "/residents",
        editable=editable,
        **forms.shown(
            _sections(resident or Resident(status=Status.REGISTERED, identity_kind=residents.RESIDENT_ID)), typed, error
        ),
        hidden=[] if resident else [("household_id", household.id)],
        links=_links(resident, editable) if resident else [],
        token=forms.token(resident),
        map=None,
    )


def _links(resident: Resident, editable: bool) -> list[dict[str, str]]:
    happened = {"href": f"/movements?resident={resident.id}", "label": _("What happened"), "icon": "list"}
    new = {"href": f"/movements/new?resident={resident.id}", "label": _("Moved, died, married …"), "icon": "plus"}
    return [*([new] if editable else []), happened, *forms.links("residents", resident.id, on_map=False)]


def _sections(resident: Resident) -> list[Section]:
    names = words.fields()

    def plain(field: str, kind: str = "text", **more: Any) -> Field:
        return Field(field, names[field], getattr(resident, field), kind, **more)

    def coded(field: str, codes: Any = None, **more: Any) -> Field:
        return forms.select(
            field, names[field], getattr(resident, field), codes or words.reference_names(field), **more
        )

    def locked(field: str, kind: str = "text", **more: Any) -> Field:
        return people.locked(field, names[field], getattr(resident, field), type=kind, **more)

    day = {"pattern": r"\d{4}-\d{2}-\d{2}", "says": _("Give a day, such as 2026-03-17.")}
    return [
        Section(
            _("Person"),
            [
                locked("name", optional=False, most=200),
                locked("former_name", most=200),
                coded("identity_kind", households.words.document_names(), optional=False),
                locked("identity_number", most=64),
                coded("sex"),
                locked("born_on", "date", **day) if resident.born_on else plain("born_on", "date"),
                locked("phone", "tel", most=64, call=people.to_call(resident)),
            ],
        ),
        Section(
            _("Family and origin"),
            [
                coded("relation"),
                coded("marital_status"),
                coded("ethnicity"),
                plain("native_place", most=200),
                coded("political_status"),
            ],
        ),
        Section(
            _("Education and work"),
            [coded("education"), plain("occupation", most=200), plain("workplace", most=200)],
        ),
        Section(
            _("Registration"),
            [
                coded("status", households.words.status_names(), optional=False),
                locked("registered_address", most=200),
                plain("inflow_reason", most=200),
                plain("permit_kind", most=200),
                locked("permit_number", most=64),
                plain("registered_on", "date"),
                plain("expires_on", "date"),
            ],
        ),
        Section(_("Care"), [locked("health", most=4000), plain("note", "textarea", most=4000)]),
    ]
