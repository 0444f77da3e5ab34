"""Visits on pages: who is due, a visit at the door in few taps, a whole staircase at once, and how often."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter
from pydantic import Field
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, listing, tabs, words
from api.base.fields import Code, Id, Reference
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.visits.routes import DueFilters, Facts, VisitNew
from data import buildings, diary, households, incidents, visits
from data.base import settings
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.households import Household, homes
from data.visits import DueState, Manner, Outcome, due

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("household.read")]
Record = Annotated[Page, needs("household.read", "visit.record")]
Arrange = Annotated[Page, needs("visit.edit")]
Typed = Annotated[FormData, typed]

#: What is typed of a visit; the case is asked for beside it.
_FIELDS = ("uuid", "manner", "outcome", "resident_id", "said", "subject")


class Stairs(listing.Parameters):
    """Which staircase: the building, and its entrance where it has several."""

    building: Reference
    unit: Code | None = None


class OnWalk(listing.Parameters):
    """A visit on a walk: the households that follow, with commas between, or ``end``."""

    walk: Annotated[str | None, Field(pattern=r"^(\d{1,9}(,\d{1,9}){0,47}|end)$")] = None


@pages.get("/visits")
def listed(page: Read) -> Response:
    """The households that are due, those most overdue first; on the way, door by door."""
    wanted = ledgers.wanted(page, DueFilters)
    today = settings.today()
    groups = {group.code: words.name(group) for group in households.special_groups(page.session)}
    counts = visits.counts(page.session, page.actor, wanted)

    def cells(row: Any) -> list[Cell]:
        held = [groups.get(code, code) for code in sorted(row.groups or ())]
        return [
            _door(row),
            households.masked({"head_name": row.head_name})["head_name"] or row.number,
            what_is_due(row, today),
            {"text": _(", ").join(held), "tag": "care"} if held else None,
            words.day(row.met_at) or _("Never"),
            row.tries or None,
            row.grid_name,
        ]

    columns = [
        Column(_("Dwelling"), sort="door"),
        Column(_("Head"), lead=True),
        Column(_("Due"), side=True, sort="due"),
        Column(_("Special groups"), lead=True),
        Column(_("Last spoken to")),
        Column(_("In vain since"), number=True),
        Column(_("Grid")),
    ]
    filters = [
        ledgers.choice("state", _("When"), visits.due_names()),
        ledgers.choice("manner", _("How"), visits.manner_names()),
        ledgers.by_grid(page),
        ledgers.choice("building", _("Building"), forms.building_names(page)),
        ledgers.choice("group", _("Special group"), {"*": _("Any")} | groups),
    ]
    query = due.selection(page.actor, wanted)
    return page.show(
        "visits/list.html",
        section="visits",
        page=ledgers.head(page, _("Visits"), "visits", goes_out=False, comes_in=False),
        tabs=tabs.visits(page, "visits"),
        counts=[
            {"label": name, "value": getattr(counts, state), "href": ledgers.address(page, state=state)}
            for state, name in visits.due_names().items()
            if state != DueState.NEVER
        ],
        stairs=_staircases(page, wanted),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, Listing(query, due.SORTS, Household.id, "due"), columns, cells, "visits/record"),
    )


def _staircases(page: Page, wanted: visits.Filter) -> list[dict[str, str]]:
    """The entrances of the building that the list is about, to record a whole staircase."""
    if wanted.building_id is None or "visit.record" not in page.can:
        return []
    doors = buildings.dwellings(page.session, page.actor, wanted.building_id)
    names = dict.fromkeys(door.unit for door in doors)
    address = f"/visits/stairs?building={wanted.building_id}"
    return [{"href": f"{address}&unit={name}" if name else address, "label": words.unit(name)} for name in names]


def what_is_due(row: Any, today: date) -> dict[str, Any] | None:
    """What is to be done of a household, and since when or until when: a cell of a list."""
    if row.due_on is None:
        return None
    days = (row.due_on - today).days
    what = visits.manner_names()[row.manner]
    if days < 0:
        return {"text": _("{what}, {days} days overdue", what=what, days=-days), "tone": "act"}
    if days == 0:
        return {"text": _("{what} today", what=what)}
    return {"text": _("{what} within {days} days", what=what, days=days)}


@pages.get("/visits/record/{household_id}")
def door(household_id: Id, page: Record) -> Response:
    """The form of a visit: one tap when nothing changed."""
    return _form(page, households.get(page.session, page.actor, household_id))


@pages.post("/visits/record/{household_id}")
def record(household_id: Id, page: Record, form: Typed) -> Response:
    """Record a visit, and go on with the doors of the same building."""
    household = households.get(page.session, page.actor, household_id)
    try:
        values = forms.read(VisitNew, form, _FIELDS, known={"household_id": household_id})
        card = bool(forms.text_in(form, "card"))
        request, answer = _asked(form)
        facts = {name: text for name, text in forms.read(Facts, form, ("phone", "workplace")).items() if text}
        with page.attempt():
            visits.record(
                page.session, page.actor, household, card=card, request=request, answer=answer, facts=facts, **values
            )
    except forms.REFUSED as error:
        return _form(page, household, form, error)
    row = homes.row(page.session, household)
    after = f"/visits?building={row.building_id}&sort=door" if row.building_id else "/visits"
    on_walk = ledgers.parameters({"walk": forms.text_in(form, "walk")}, OnWalk)
    return page.go(_next(on_walk) or after, _("Recorded: {place}.", place=_door(row)))


def _next(on_walk: OnWalk) -> str | None:
    """The page of the door that follows on a walk; the walk itself after the last one."""
    if on_walk.walk is None:
        return None
    if on_walk.walk == "end":
        return "/walk"
    following, _comma, rest = on_walk.walk.partition(",")
    return f"/visits/record/{following}?walk={rest or 'end'}"


def _asked(form: FormData) -> tuple[dict[str, str] | None, str | None]:
    """What they asked for, and what was done about it on the spot."""
    kind, text = forms.text_in(form, "category_code"), forms.text_in(form, "description")
    answer = forms.text_in(form, "answer") or None
    if not kind:
        if text or answer:
            raise Invalid(_("Choose what they ask for."), field="category_code")
        return None, None
    return {"category_code": kind, "description": text}, answer


def _form(page: Page, household: Household, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    row = due.of_household(page.session, household)
    members = households.members(page.session, page.actor, household.id)
    groups = households.special_groups(page.session)
    said = {name: forms.text_in(form, name) for name in form} if form is not None else {}
    on_walk = ledgers.parameters(page.request.query_params if form is None else {"walk": said.get("walk", "")}, OnWalk)
    kinds = incidents.categories_offered(page.session) if "incident.report" in page.can else []
    return page.show(
        "visits/record.html",
        section="visits",
        status=forms.status(error),
        record=forms.record("visits", None, _door(row), _("Visits")),
        household={
            "id": household.id,
            "head": households.masked({"name": row.head_name})["name"] or row.number,
            "groups": [words.name(group) for group in groups if group.code in (row.groups or ())],
            "met": words.day(row.met_at),
            "tries": row.tries,
            "due": what_is_due(row, settings.today()),
        },
        walk=None
        if on_walk.walk is None
        else {
            "following": on_walk.walk,
            "next": _next(on_walk),
            "left": 0 if on_walk.walk == "end" else on_walk.walk.count(",") + 1,
        },
        uuid=said.get("uuid") or str(uuid4()),
        manner=said.get("manner") or row.manner,
        manners=words.options(visits.manner_names()),
        outcomes=[
            {"value": code, "door": name, "phone": visits.call_outcome_names()[code]}
            for code, name in visits.outcome_names().items()
        ],
        members=[{"value": str(member.id), "label": _name(member)} for member in members],
        subjects=words.options(diary.subject_names()),
        may_change="household.edit" in page.can,
        known={"phone": households.masked({"phone": row.phone})["phone"] or "", "members": len(members)},
        kinds=[{"value": kind.code, "label": words.name(kind)} for kind in kinds],
        said=said,
        fault=error.detail if error else None,
        past=[_past(visit) for visit in visits.latest(page.session, page.actor, household.id, 5)],
    )


def _name(member: Any) -> str:
    return str(households.masked({"name": member.name})["name"])


def _past(visit: Any) -> dict[str, Any]:
    """A visit as the pages of a household list it."""
    return {
        "id": visit.id,
        "at": words.minute(visit.at),
        "what": visits.came_of(visit.manner, visit.outcome),
        "who": visit.account_name or "",
        "said": visit.said,
        "diary": f"/diary/{visit.diary_id}" if visit.diary_id else "",
        "card": visit.card,
        "case": f"/incidents/{visit.incident_id}" if visit.incident_id else "",
    }


def _door(row: Any) -> str:
    """Where a household lives, as one who stands before it would say: ``18 号楼 2 单元 501``; else its number."""
    if row.building_id is None:
        return str(row.number)
    return f"{words.building(row.building_number)} {words.dwelling(row.unit, row.room)}"


@pages.post("/visits/{visit_id}/remove")
def remove(visit_id: Id, page: Record, _form: Typed) -> Response:
    """Take back what was recorded by mistake."""
    visit = visits.get(page.session, page.actor, visit_id)
    visits.remove(page.session, page.actor, visit)
    return page.go(f"/visits/record/{visit.household_id}", _("Removed."))


@pages.get("/visits/stairs")
def stairs(page: Record) -> Response:
    """The doors of a staircase, to say of each at once whether somebody was met."""
    return _stairs(page, ledgers.parameters(page.request.query_params, Stairs))


@pages.post("/visits/stairs")
def record_stairs(page: Record, form: Typed) -> Response:
    """Record the visits of a staircase: of the doors where something was chosen, all or none."""
    place = ledgers.parameters({name: forms.text_in(form, name) for name in ("building", "unit")}, Stairs)
    count = 0
    try:
        with page.attempt():
            for row in due.doors(page.session, page.actor, place.building, place.unit):
                outcome = forms.text_in(form, f"outcome-{row.id}")
                if outcome:
                    count += 1
                    _record_door(page, row.id, outcome, forms.text_in(form, f"uuid-{row.id}"))
    except forms.REFUSED as error:
        return _stairs(page, place, error)
    if not count:
        return _stairs(page, place, Invalid(_("Say of one door at least whether somebody was met.")))
    return page.go(f"/visits?building={place.building}&sort=door", _("Recorded: {count} doors.", count=count))


def _record_door(page: Page, household_id: int, outcome: str, uuid: str) -> None:
    try:
        what, key = Outcome(outcome), UUID(uuid)
    except ValueError as error:
        raise Invalid(_("Some fields are not right yet.")) from error
    household = households.get(page.session, page.actor, household_id)
    visits.record(page.session, page.actor, household, uuid=key, outcome=what)


def _stairs(page: Page, place: Stairs, error: WanggeError | None = None) -> Response:
    building = buildings.get(page.session, page.actor, place.building)
    name = words.building(building.number, building.name, building.code)
    today = settings.today()
    return page.show(
        "visits/stairs.html",
        section="visits",
        status=forms.status(error),
        record=forms.record("visits", None, f"{name} {words.unit(place.unit)}" if place.unit else name, _("Visits")),
        place={"building": place.building, "unit": place.unit or ""},
        doors=[
            {
                "id": row.id,
                "uuid": str(uuid4()),
                "room": row.room,
                "head": households.masked({"head_name": row.head_name})["head_name"] or row.number,
                "due": what_is_due(row, today),
            }
            for row in due.doors(page.session, page.actor, place.building, place.unit)
        ],
        outcomes=words.options(visits.outcome_names()),
        fault=error.detail if error else None,
    )


@pages.get("/visits/rhythm")
def rhythm(page: Arrange) -> Response:
    """How often households are visited and called, by special group."""
    return _rhythm(page)


@pages.post("/visits/rhythm")
def set_rhythm(page: Arrange, form: Typed) -> Response:
    """Say how often, for the community that pages are about, or for all."""
    try:
        with page.attempt():
            for who in _whose(page):
                for manner in Manner:
                    visits.set_rhythm(
                        page.session,
                        page.actor,
                        community_id=page.community_id,
                        who=who,
                        manner=manner,
                        every_months=_months(forms.text_in(form, f"{who}-{manner}")),
                    )
    except forms.REFUSED as error:
        return _rhythm(page, form, error)
    return page.go("/visits/rhythm", _("Saved."))


def _months(text: str) -> int | None:
    if not text:
        return None
    if not (text.isdecimal() and len(text) < 4):
        raise Invalid(_("Months are whole numbers, not {text}.", text=text))
    return int(text)


def _whose(page: Page) -> dict[str, str]:
    groups = {group.code: words.name(group) for group in households.special_groups(page.session)}
    return visits.who_names() | groups


def _rhythm(page: Page, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    own = {(one.who, one.manner): one.every_months for one in visits.rhythms(page.session, page.community_id)}
    general = {(one.who, one.manner): one.every_months for one in visits.rhythms(page.session, None)}
    if page.community_id is None:
        general = {}

    def cell(who: str, manner: Manner) -> dict[str, Any]:
        name = f"{who}-{manner}"
        value = forms.text_in(form, name) if form is not None else own.get((who, manner))
        return {"name": name, "value": "" if value is None else value, "general": general.get((who, manner))}

    return page.show(
        "visits/rhythm.html",
        section="visits",
        status=forms.status(error),
        tabs=tabs.visits(page, "visits/rhythm"),
        manners=list(visits.manner_names().values()),
        rows=[{"label": name, "cells": [cell(who, manner) for manner in Manner]} for who, name in _whose(page).items()],
        fault=error.detail if error else None,
    )
