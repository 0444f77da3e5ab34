"""Movements on pages: their list, and the form of one, by the page of a person or household or at the door."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, listing, tabs, words
from api.base.fields import Day, Id, Input, Line, Reference, Text
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.households import people
from api.movements.routes import MovementFilters, PersonNew
from data import buildings, households, movements
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.households import Household, Resident
from data.movements import Kind, Movement, Reach

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Edit = Annotated[Page, needs("household.read", "household.edit")]
Typed = Annotated[FormData, typed]

_PERSON = ("name", "sex", "born_on", "identity_number", "phone", "relation", "status")
_MARRIAGE = (Kind.MARRIED, Kind.DIVORCED)


class About(listing.Parameters):
    """Whom a new event is about."""

    kind: Kind | None = None
    household: Reference | None = None
    resident: Reference | None = None


class _Event(Input):
    """What the form says beside the people."""

    uuid: UUID
    kind: Kind
    on: Day
    dwelling_id: Reference | None = None
    reach: Reach | None = None
    place: Line | None = None
    note: Text | None = None


@pages.get("/movements")
def listed(page: Read) -> Response:
    """Births, deaths and moves, the latest first, with how many there were in each grid."""
    wanted = ledgers.wanted(page, MovementFilters)
    kinds, reaches = movements.kind_names(), movements.reach_names()

    def cells(row: Any) -> list[Cell]:
        return [
            households.masked({"name": row.name})["name"] or _("Not shown here"),
            kinds[row.kind],
            words.day(row.happened_on),
            {"text": people.place(row), "href": f"/households/{row.household_id}"} if row.household_id else None,
            _(", ").join(part for part in (reaches.get(row.reach or ""), row.place) if part) or None,
            row.grid_name,
        ]

    columns = [
        Column(_("Name")),
        Column(_("What happened"), side=True),
        Column(_("Day"), sort="happened", lead=True),
        Column(_("Dwelling"), lead=True),
        Column(_("From where, or to where")),
        Column(_("Grid")),
    ]
    filters = [
        ledgers.choice("kind", _("What happened"), kinds),
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
        ledgers.choice("undone", _("Undone"), {"true": _("Undone")}, _("No")),
    ]
    rows = Listing(movements.selection(page.actor, wanted), movements.SORTS, Movement.id, "-happened")
    new = (_("Somebody moved in"), "household.edit")
    counts = movements.counts(page.session, page.actor, wanted)
    return page.show(
        "movements/list.html",
        section="ledger",
        page=ledgers.head(page, _("Births, deaths and moves"), "movements", new=new, comes_in=False),
        tabs=tabs.ledger(page, "movements"),
        counts=[_counted(one) for one in counts],
        sum=_counted(movements.total(counts)),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, rows, columns, cells, "movements"),
    )


def _counted(count: movements.Count) -> dict[str, Any]:
    numbers = [count.born, count.died, count.moved_in, count.moved_out, count.came, count.went]
    return {"name": count.name or _("No grid"), "numbers": numbers, "change": f"{count.change:+d}"}


@pages.get("/movements/new")
def new(page: Edit) -> Response:
    """What happened is chosen first; then the form asks for no more than that needs."""
    return _form(page, ledgers.parameters(page.request.query_params, About))


@pages.post("/movements")
def record(page: Edit, form: Typed) -> Response:
    """Record an event."""
    home_id, resident_id = forms.id_in(form, "household_id"), forms.id_in(form, "resident_id")
    kind = forms.text_in(form, "kind")
    about = About(kind=Kind(kind) if kind in set(Kind) else None, household=home_id, resident=resident_id)
    try:
        values = forms.read(_Event, form, [name for name in _Event.model_fields if name in form])
        chosen = [int(one) for one in map(str, form.getlist("resident_ids")) if one.isdecimal() and len(one) < 10]
        person = None
        if "name" in form:
            said = forms.read(PersonNew, form, [name for name in _PERSON if name in form])
            person = movements.Person(**said)
        elif resident_id is not None:
            chosen = [resident_id]
        needs_home = values["kind"] in (Kind.BORN, Kind.MOVED_IN) and resident_id is None
        with page.attempt():
            rows = movements.record(
                page.session,
                page.actor,
                resident_ids=chosen,
                household_id=home_id if needs_home else None,
                person=person,
                **values,
            )
    except forms.REFUSED as error:
        return _form(page, about, form, error)
    return page.go(f"/movements/{rows[0].id}", _("Recorded."))


def _form(page: Page, about: About, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    resident = households.get_resident(page.session, page.actor, about.resident) if about.resident else None
    home_id = resident.household_id if resident else about.household
    home = households.get(page.session, page.actor, home_id) if home_id else None
    back = {"back": "/movements"}
    label = _("Births, deaths and moves")
    if home is not None:
        back, label = {"back": f"/households/{home.id}"}, _("Household {number}", number=home.number)
    subject = people.name(resident) if resident else ""
    choices = _possible(resident, home)
    kind = about.kind or (choices[0] if len(choices) == 1 else None)
    if kind is None:
        query = f"resident={resident.id}" if resident else f"household={home.id}" if home else ""
        return page.show(
            "movements/choose.html",
            section="ledger",
            record=forms.record("movements", None, _("What happened?"), label, subject, **back),
            choices=[
                {"href": f"/movements/new?{query}&kind={one}", "label": movements.kind_names()[one]} for one in choices
            ],
        )
    uuid = forms.text_in(form, "uuid") if form is not None else str(uuid4())
    hidden: list[tuple[str, Any]] = [("uuid", uuid), ("kind", kind.value)]
    hidden += [("household_id", home.id)] if home else []
    hidden += [("resident_id", resident.id)] if resident else []
    return page.show(
        "movements/new.html",
        section="ledger",
        status=forms.status(error),
        record=forms.record("movements", None, movements.kind_names()[kind], label, subject, **back),
        action="/movements",
        editable=True,
        hidden=hidden,
        says=_follows(kind),
        links=[],
        token="",
        map=None,
        **forms.shown(_sections(page, kind, resident, home, form), form, error),
    )


def _possible(resident: Resident | None, home: Household | None) -> list[Kind]:
    """What can have happened to a person or household."""
    if resident is not None:
        if resident.left_on is not None:
            return [Kind.MOVED_IN]
        return [Kind.MOVED_OUT, Kind.MOVED, Kind.DIED, Kind.MARRIED, Kind.DIVORCED]
    if home is not None and home.closed_on is None:
        return [Kind.MOVED_IN, Kind.BORN, Kind.MOVED_OUT, Kind.MOVED, Kind.DIED, Kind.MARRIED, Kind.DIVORCED]
    return [Kind.MOVED_IN]


def _follows(kind: Kind) -> str:
    """What the event brings about, in a sentence."""
    return {
        Kind.MOVED_IN: _("They are counted from that day on, and are due for a visit."),
        Kind.MOVED_OUT: _("From that day on they are counted no more and no visit is due. Nothing is deleted."),
        Kind.MOVED: _("They are counted at their new door. A whole household keeps its number and its history."),
        Kind.BORN: _("The child becomes a member of the household."),
        Kind.DIED: _(
            "From that day on they are counted no more, and the household has a new head. Nothing is deleted."
        ),
        Kind.MARRIED: _("Their marital status follows."),
        Kind.DIVORCED: _("Their marital status follows."),
    }[kind]


def _sections(
    page: Page, kind: Kind, resident: Resident | None, home: Household | None, form: FormData | None
) -> list[Section]:
    names = words.fields()
    event: list[Field] = []
    if resident is None and home is not None and kind not in (Kind.BORN, Kind.MOVED_IN):
        members = households.members(page.session, page.actor, home.id)
        options = words.options({str(one.id): people.name(one) for one in members})
        every = [str(one.id) for one in members] if kind in (Kind.MOVED_OUT, Kind.MOVED) else []
        event.append(Field("resident_ids", _("Who"), every, "checks", options=options, optional=False))
    event.append(Field("on", _("Day"), str(settings.today()), "date", optional=False))
    if kind == Kind.MOVED or (kind == Kind.MOVED_IN and (home is None or resident is not None)):
        door = None
        if home is not None and home.dwelling_id and kind == Kind.MOVED_IN:
            door = buildings.get_dwelling(page.session, page.actor, home.dwelling_id)
        event += people.door_fields(page, door, form, optional=False)
    if kind in (Kind.MOVED_IN, Kind.MOVED_OUT):
        label = _("From how far") if kind == Kind.MOVED_IN else _("How far away")
        event.append(forms.select("reach", label, None, movements.reach_names()))
        hint = _("City or district; no address is needed.")
        label = _("From where") if kind == Kind.MOVED_IN else _("To where")
        event.append(Field("place", label, most=200, hint=hint))
    if kind not in _MARRIAGE:
        event.append(Field("note", names["note"], None, "textarea", most=4000))
    sections = [Section(movements.kind_names()[kind], event)]
    if resident is None and kind in (Kind.BORN, Kind.MOVED_IN):
        person = [
            Field("name", names["name"], most=200, optional=False),
            forms.select("sex", names["sex"], None, words.reference_names("sex"), optional=kind != Kind.BORN),
        ]
        if kind == Kind.MOVED_IN:
            person += [
                Field("born_on", names["born_on"], None, "date"),
                Field("identity_number", names["identity_number"], most=64),
                Field("phone", names["phone"], None, "tel", most=64),
                forms.select("status", names["status"], "registered", households.words.status_names(), optional=False),
            ]
        if home is not None:
            person.append(forms.select("relation", names["relation"], None, words.reference_names("relation")))
        sections.insert(0, Section(_("Person"), person))
    return sections


@pages.get("/movements/{movement_id}")
def shown(movement_id: Id, page: Read) -> Response:
    """One event: whom it happened to, and who recorded it; it can be undone."""
    movement = movements.get(page.session, page.actor, movement_id)
    return _shown(page, movement)


def _shown(page: Page, movement: Movement, error: WanggeError | None = None) -> Response:
    row = movements.row(page.session, page.actor, movement)
    name = households.masked({"name": row.name})["name"] or _("Not shown here")
    facts: list[dict[str, Any]] = [
        {"label": _("Person"), "value": name, "href": f"/residents/{row.resident_id}" if row.name else ""},
        {"label": _("Day"), "value": words.day(row.happened_on)},
        {"label": _("Household"), "value": row.household_number, "href": f"/households/{row.household_id}"},
        {"label": _("Grid"), "value": row.grid_name},
        {"label": _("From where, or to where"), "value": _reached(row)},
        {"label": _("Note"), "value": row.note},
        {"label": _("Recorded"), "value": words.minute(row.recorded_at)},
        {"label": _("By"), "value": row.account_name},
    ]
    return page.show(
        "movements/movement.html",
        section="ledger",
        status=forms.status(error),
        record=forms.record(
            "movements", movement.id, movements.kind_names()[row.kind], _("Births, deaths and moves"), name
        ),
        facts=[fact for fact in facts if fact["value"]],
        undone=words.minute(row.undone_at) if row.undone_at else "",
        editable=row.undone_at is None and page.may("household.edit", movement.community_id, movement.grid_id),
        says=_follows(Kind(row.kind)),
        fault=error.detail if error else None,
    )


def _reached(row: Any) -> str:
    return _(", ").join(part for part in (movements.reach_names().get(row.reach or ""), row.place) if part)


@pages.post("/movements/{movement_id}/undo")
def undo(movement_id: Id, page: Edit, _form: Typed) -> Response:
    """Take back an event that did not happen."""
    movement = movements.get(page.session, page.actor, movement_id)
    try:
        with page.attempt():
            movements.undo(page.session, page.actor, movement)
    except forms.REFUSED as error:
        return _shown(page, movement, error)
    return page.go("/movements", _("Undone."))
