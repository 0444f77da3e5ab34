"""The diary on pages: its list, an entry in seconds, and what becomes of it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, listing, tabs, words
from api.base.fields import Id, Reference
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.diary.routes import CaseOf, EntryChange, EntryFilters, EntryNew, Struck
from data import diary, households, incidents
from data.base.errors import WanggeError
from data.base.language import _
from data.diary import DiaryEntry, Standing
from data.households import homes

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Record = Annotated[Page, needs("household.read", "visit.record")]
Report = Annotated[Page, needs("household.read", "visit.record", "incident.report")]
Typed = Annotated[FormData, typed]

_NEW = ("uuid", "said", "subject", "standing", "answer", "household_id", "building_id", "community_id")
_EDITED = ("said", "subject")
#: So many characters of what was said stand in a list.
_SHOWN = 60


class About(listing.Parameters):
    """What a new entry is about."""

    household: Reference | None = None
    building: Reference | None = None


@pages.get("/diary")
def listed(page: Read) -> Response:
    """The entries, the latest first."""
    wanted = ledgers.wanted(page, EntryFilters)
    subjects, standings = diary.subject_names(), diary.standing_names()
    counts = diary.state_counts(page.session, page.actor, wanted)

    def cells(row: Any) -> list[Cell]:
        return [
            row.said if len(row.said) <= _SHOWN else f"{row.said[:_SHOWN]}…",
            subjects[row.subject],
            standing(row.standing, standings),
            place(row),
            words.minute(row.at),
            row.account_name,
            row.grid_name,
        ]

    columns = [
        Column(_("What they said")),
        Column(_("Subject"), lead=True, sort="subject"),
        Column(_("How it stands"), side=True),
        Column(_("Place"), lead=True),
        Column(_("When"), sort="at"),
        Column(_("Written by")),
        Column(_("Grid")),
    ]
    filters = [
        ledgers.search(_("Words in an entry")),
        ledgers.choice("subject", _("Subject"), subjects),
        ledgers.choice("standing", _("How it stands"), standings),
        ledgers.by_grid(page),
        ledgers.choice("building", _("Building"), forms.building_names(page)),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    rows = Listing(diary.selection(page.actor, wanted), diary.SORTS, DiaryEntry.id, "-at")
    return page.show(
        "diary/list.html",
        section="visits",
        page=ledgers.head(page, _("Diary"), "diary", new=(_("Write an entry"), "visit.record"), comes_in=False),
        tabs=tabs.diary(page, "diary"),
        counts=[
            {"label": name, "value": counts[code], "href": ledgers.address(page, standing=code)}
            for code, name in standings.items()
        ],
        **ledgers.filtered(page, filters),
        **ledgers.table(page, rows, columns, cells, "diary"),
    )


def standing(code: str, names: dict[str, str]) -> dict[str, Any]:
    """How an entry stands, as a cell of a list: with the mark of a case that stands alike."""
    mark = {Standing.OPEN: "in_progress", Standing.STRUCK: "closed", Standing.NOTED: "on_hold"}[Standing(code)]
    return {"text": names[code], "state": mark}


def place(row: Any) -> str | None:
    """Where an entry belongs, as one who stands before it would say."""
    if row.building_number is None:
        return row.household_number or None
    building = words.building(row.building_number)
    return f"{building} {words.dwelling(row.unit, row.room)}" if row.room else building


@pages.get("/diary/new")
def new(page: Record) -> Response:
    """The form of an entry."""
    return _form(page, ledgers.parameters(page.request.query_params, About))


@pages.post("/diary")
def write(page: Record, form: Typed) -> Response:
    """Write an entry."""
    try:
        values = forms.read(EntryNew, form, [name for name in _NEW if forms.text_in(form, name)] + ["said"])
        if page.community_id is not None:
            values.setdefault("community_id", page.community_id)
        with page.attempt():
            entry = diary.write(page.session, page.actor, **values)
    except forms.REFUSED as error:
        about = {name: forms.id_in(form, f"{name}_id") for name in ("household", "building")}
        return _form(page, About.model_validate({key: one for key, one in about.items() if one}), form, error)
    return page.go(f"/diary/{entry.id}", _("Written: {subject}.", subject=diary.subject_names()[entry.subject]))


def _form(page: Page, about: About, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    home = (
        homes.row(page.session, households.get(page.session, page.actor, about.household)) if about.household else None
    )
    said = {name: forms.text_in(form, name) for name in form} if form is not None else {}
    building = said.get("building_id") or str(about.building or "")
    back = {"back": f"/households/{about.household}"} if about.household else {}
    return page.show(
        "diary/new.html",
        section="visits",
        status=forms.status(error),
        record=forms.record("diary", None, _("Write an entry"), _("Household") if back else _("Diary"), **back),
        home={"id": home.id, "name": _door(home)} if home is not None else None,
        uuid=said.get("uuid") or str(uuid4()),
        subjects=words.options(diary.subject_names()),
        standings=words.options(diary.standing_names() | {Standing.STRUCK: _("Solved on the spot")}),
        buildings=words.options(forms.building_names(page)),
        building=building,
        community_choice=next(iter(forms.community_field(page)), None),
        said=said,
        fault=_fault(error),
    )


def _door(row: Any) -> str:
    if row.building_id is None:
        return str(row.number)
    return f"{words.building(row.building_number)} {words.dwelling(row.unit, row.room)}"


def _fault(error: WanggeError | None) -> str | None:
    if error is None:
        return None
    faults: dict[str, str] = dict(error.facts.get("faults") or {})  # type: ignore[call-overload]
    return " ".join(dict.fromkeys([error.detail, *faults.values()]))


@pages.get("/diary/{entry_id}")
def record(entry_id: Id, page: Read) -> Response:
    """An entry, and what can be done about it."""
    return _record(page, diary.get(page.session, page.actor, entry_id))


def _record(page: Page, entry: DiaryEntry, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    row = diary.row(page.session, entry)
    names = diary.standing_names()
    writes = "visit.record" in page.can and page.may("visit.record", entry.community_id, entry.grid_id)
    own = writes and entry.account_id == page.actor.account_id
    arranges = page.may("visit.edit", entry.community_id, entry.grid_id)
    is_open = row.standing != Standing.STRUCK and entry.incident_id is None
    reports = writes and is_open and "incident.report" in page.can
    kinds = incidents.categories_offered(page.session) if reports else []
    title = diary.subject_names()[row.subject]
    return page.show(
        "diary/entry.html",
        section="visits",
        status=forms.status(error),
        record=forms.record("diary", entry.id, title, _("Diary")),
        entry={
            "id": entry.id,
            "said": row.said,
            "subject": row.subject,
            "standing": standing(row.standing, names),
            "answer": row.answer,
            "solved": words.minute(row.solved_at) if row.solved_at else "",
            "solved_by": row.struck_by_name or "",
        },
        facts=_facts(row),
        case=f"/incidents/{entry.incident_id}" if entry.incident_id and "incident.read" in page.can else "",
        strikes=writes and is_open,
        reopens=writes and entry.struck_at is not None,
        editable=own or (writes and arranges),
        kinds=[{"value": kind.code, "label": words.name(kind)} for kind in kinds],
        subjects=words.options(diary.subject_names()),
        typed={name: forms.text_in(form, name) for name in form} if form is not None else {},
        token=forms.token(entry),
        fault=_fault(error),
    )


def _facts(row: Any) -> list[dict[str, Any]]:
    where = place(row)
    address = f"/households/{row.household_id}" if row.household_id else ""
    if not address and row.building_id:
        address = f"/buildings/{row.building_id}"
    facts = [
        {"label": _("When"), "value": words.minute(row.at)},
        {"label": _("Written by"), "value": row.account_name},
        {"label": _("Place"), "value": where, "href": address},
        {"label": _("Grid"), "value": row.grid_name},
    ]
    if row.visit_id:
        visit = {"label": _("Said during"), "value": _("Visit"), "href": f"/visits/record/{row.household_id}"}
        facts.append(visit)
    return facts


@pages.post("/diary/{entry_id}/edit")
def change(entry_id: Id, page: Record, form: Typed) -> Response:
    """Put it into other words, or under another subject."""
    entry = diary.get(page.session, page.actor, entry_id)
    try:
        forms.check(page, entry, form)
        values = forms.read(EntryChange, form, _EDITED)
        with page.attempt():
            diary.change(page.session, page.actor, entry, **values)
    except forms.REFUSED as error:
        return _record(page, entry, form, error)
    return page.go(f"/diary/{entry_id}", _("Saved."))


@pages.post("/diary/{entry_id}/strike")
def strike(entry_id: Id, page: Record, form: Typed) -> Response:
    """Strike it off: it was solved."""
    entry = diary.get(page.session, page.actor, entry_id)
    try:
        values = forms.read(Struck, form, ("answer",))
        with page.attempt():
            diary.strike(page.session, page.actor, entry, values["answer"])
    except forms.REFUSED as error:
        return _record(page, entry, form, error)
    return page.go(f"/diary/{entry_id}", _("Struck off."))


@pages.post("/diary/{entry_id}/reopen")
def reopen(entry_id: Id, page: Record, _form: Typed) -> Response:
    """Take back that it was solved."""
    diary.reopen(page.session, page.actor, diary.get(page.session, page.actor, entry_id))
    return page.go(f"/diary/{entry_id}", _("To be solved again."))


@pages.post("/diary/{entry_id}/case")
def file_case(entry_id: Id, page: Report, form: Typed) -> Response:
    """Make a case of it."""
    entry = diary.get(page.session, page.actor, entry_id)
    try:
        values = forms.read(CaseOf, form, ("category_code",))
        with page.attempt():
            incident = diary.file_case(page.session, page.actor, entry, **values)
    except forms.REFUSED as error:
        return _record(page, entry, form, error)
    return page.go(f"/diary/{entry_id}", _("Followed as case {number}.", number=incident.number))


@pages.post("/diary/{entry_id}/remove")
def remove(entry_id: Id, page: Record, _form: Typed) -> Response:
    """Take back what was written by mistake."""
    diary.remove(page.session, page.actor, diary.get(page.session, page.actor, entry_id))
    return page.go("/diary", _("Removed."))
