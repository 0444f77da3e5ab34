"""Guides, line officers and stand-ins on pages: who they are, for which grids or fields, and for how long."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import Day, Id, Input, Line, Reference
from api.base.forms import Field, Section
from api.base.page import Page, needs, typed
from data import accounts, teams, units
from data.base import settings
from data.base.errors import WanggeError
from data.base.language import _
from data.teams import Guide, LineOfficer, Standing

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("unit.read")]
ReadGrids = Annotated[Page, needs("grid.read")]
Arrange = Annotated[Page, needs("unit.read", "team.edit")]
ArrangeGrids = Annotated[Page, needs("grid.read", "team.edit")]
Typed = Annotated[FormData, typed]
_PUBLISHED = ("name", "first", "last", "work_phone", "consented_on")


class GuideForm(Input):
    """What is typed of a guide."""

    name: Line
    first: Day
    last: Day | None = None
    work_phone: Line | None = None
    consented_on: Day | None = None
    organisation: Line | None = None
    level: Standing


class OfficerForm(Input):
    """What is typed of a line officer."""

    name: Line
    first: Day
    last: Day | None = None
    work_phone: Line | None = None
    consented_on: Day | None = None
    field: Line
    account_id: Reference | None = None


class StandInForm(Input):
    """What is typed of who stands in."""

    absent: Line
    deputy_id: Reference
    first: Day
    last: Day


def fields_of(person: Guide | LineOfficer | None) -> list[Field]:
    """The fields of whoever is answered for in public."""
    last = person.valid.upper - timedelta(days=1) if person and person.valid.upper else None
    return [
        Field("name", _("Name"), person.name if person else None, optional=False, most=200),
        Field("first", _("From"), person.valid.lower if person else settings.today(), "date", optional=False),
        Field("last", _("Last day"), last, "date", hint=_("Empty: until somebody follows.")),
        Field("work_phone", _("Work phone"), person.work_phone if person else None, "tel", most=200),
        Field(
            "consented_on",
            _("Agreed on"),
            person.consented_on if person else None,
            "date",
            hint=_("When they agreed that name and work phone are put up. Without it no phone is shown."),
        ),
    ]


@pages.get("/guides")
def guides(page: Read) -> Response:
    """The guides of the community, with the grids they are assigned to."""
    people = teams.guides(page.session, page.actor, page.community_id)
    assigned = teams.grids_of(page.session, page.actor, [person.id for person in people])
    names = units.names(page.session, {grid_id for ids in assigned.values() for grid_id in ids})
    standings = teams.standing_names()
    rows = [
        {
            "href": f"/guides/{person.id}" if page.may("team.edit", person.community_id) else None,
            "cells": [
                person.name,
                standings[person.level],
                person.organisation,
                _(", ").join(names[grid_id] for grid_id in assigned.get(person.id, ()) if grid_id in names),
                person.shown_phone,
            ],
        }
        for person in people
    ]
    labels = (_("Name"), _("From where"), _("Office"), _("Grids"), _("Work phone"))
    intro = _("Cadres of community, street and district who guide the work of grids.")
    return _list(page, "guides", _("Guides"), intro, labels, rows, _("Add a guide"))


@pages.get("/line-officers")
def officers(page: Read) -> Response:
    """The line officers of the community, by field."""
    rows = [
        {
            "href": f"/line-officers/{one.id}" if page.may("team.edit", one.community_id) else None,
            "cells": [one.field, one.name, one.shown_phone, words.day(one.valid.lower)],
        }
        for one in teams.officers(page.session, page.actor, page.community_id)
    ]
    labels = (_("Field of business"), _("Name"), _("Work phone"), _("From"))
    intro = _("Who is there for a field of business, and confirms what the grids report of it each week.")
    return _list(page, "line-officers", _("Line officers"), intro, labels, rows, _("Add a line officer"))


def _list(
    page: Page, kind: str, title: str, intro: str, labels: tuple[str, ...], rows: list[dict[str, Any]], add: str
) -> Response:
    return page.show(
        "teams/advising.html",
        section="grids",
        title=title,
        intro=intro,
        tabs=tabs.teams(page, kind),
        columns=[{"label": label, "lead": place == 1} for place, label in enumerate(labels)],
        rows=rows,
        new={"href": f"/{kind}/new", "label": add} if "team.edit" in page.can else None,
    )


@pages.get("/guides/new")
def new_guide(page: Arrange) -> Response:
    """The form of a new guide."""
    return _guide_form(page, None)


@pages.get("/guides/{guide_id}")
def edit_guide(guide_id: Id, page: Arrange) -> Response:
    """The form of a guide."""
    return _guide_form(page, teams.guide(page.session, page.actor, guide_id))


@pages.post("/guides")
def add_guide(page: Arrange, form: Typed) -> Response:
    """Add a guide."""
    try:
        values = forms.read(GuideForm, form, (*_PUBLISHED, "organisation", "level"))
        community = forms.community_in(page, form)
        with page.attempt():
            teams.appoint_guide(page.session, page.actor, community, grids=_ticked(form, "grids"), **values)
    except forms.REFUSED as error:
        return _guide_form(page, None, form, error)
    return page.go("/guides", _("Saved."))


@pages.post("/guides/{guide_id}")
def change_guide(guide_id: Id, page: Arrange, form: Typed) -> Response:
    """Change a guide."""
    person = teams.guide(page.session, page.actor, guide_id)
    try:
        forms.check(page, person, form)
        values = forms.read(GuideForm, form, (*_PUBLISHED, "organisation", "level"))
        with page.attempt():
            teams.change_guide(page.session, page.actor, person, grids=_ticked(form, "grids"), **values)
    except forms.REFUSED as error:
        return _guide_form(page, person, form, error)
    return page.go("/guides", _("Saved."))


def _ticked(form: FormData, name: str) -> list[int]:
    return [int(value) for value in form.getlist(name) if isinstance(value, str) and value.isdecimal()]


def _guide_form(
    page: Page, person: Guide | None, form: FormData | None = None, error: WanggeError | None = None
) -> Response:
    under = person.community_id if person else page.community_id
    below = units.listed(page.session, page.actor, level=units.Level.GRID, under=under) if under else []
    held = teams.grids_of(page.session, page.actor, [person.id]).get(person.id, []) if person else []
    fields = [
        *([] if person else forms.community_field(page)),
        *fields_of(person),
        forms.select(
            "level", _("From where"), person.level if person else None, teams.standing_names(), optional=False
        ),
        Field("organisation", _("Office"), person.organisation if person else None, most=200),
        Field(
            "grids",
            _("Grids"),
            [str(grid_id) for grid_id in held],
            "checks",
            options=[{"value": str(grid.id), "label": grid.name} for grid in below],
        ),
    ]
    return _form(page, "guides", person, _("Guides"), _("Add a guide"), fields, form, error)


@pages.get("/line-officers/new")
def new_officer(page: Arrange) -> Response:
    """The form of a new line officer."""
    return _officer_form(page, None)


@pages.get("/line-officers/{officer_id}")
def edit_officer(officer_id: Id, page: Arrange) -> Response:
    """The form of a line officer."""
    return _officer_form(page, teams.officer(page.session, page.actor, officer_id))


@pages.post("/line-officers")
def add_officer(page: Arrange, form: Typed) -> Response:
    """Add a line officer."""
    try:
        values = forms.read(OfficerForm, form, (*_PUBLISHED, "field", "account_id"))
        community = forms.community_in(page, form)
        with page.attempt():
            teams.appoint_officer(page.session, page.actor, community, **values)
    except forms.REFUSED as error:
        return _officer_form(page, None, form, error)
    return page.go("/line-officers", _("Saved."))


@pages.post("/line-officers/{officer_id}")
def change_officer(officer_id: Id, page: Arrange, form: Typed) -> Response:
    """Change a line officer."""
    person = teams.officer(page.session, page.actor, officer_id)
    try:
        forms.check(page, person, form)
        values = forms.read(OfficerForm, form, (*_PUBLISHED, "field", "account_id"))
        with page.attempt():
            teams.change_officer(page.session, page.actor, person, **values)
    except forms.REFUSED as error:
        return _officer_form(page, person, form, error)
    return page.go("/line-officers", _("Saved."))


def _officer_form(
    page: Page, person: LineOfficer | None, form: FormData | None = None, error: WanggeError | None = None
) -> Response:
    under = person.community_id if person else page.community_id
    workers = accounts.those_who_can(page.session, page.actor, under) if under else {}
    fields = [
        *([] if person else forms.community_field(page)),
        Field("field", _("Field of business"), person.field if person else None, optional=False, most=200),
        *fields_of(person),
        forms.select(
            "account_id", _("Account"), person.account_id if person else None, {str(k): v for k, v in workers.items()}
        ),
    ]
    return _form(page, "line-officers", person, _("Line officers"), _("Add a line officer"), fields, form, error)


def _form(
    page: Page,
    kind: str,
    person: Guide | LineOfficer | None,
    back: str,
    title: str,
    fields: list[Field],
    form: FormData | None,
    error: WanggeError | None,
) -> Response:
    return page.show(
        "_form.html",
        section="grids",
        status=forms.status(error),
        record=forms.record(kind, None, person.name if person else title, back),
        action=f"/{kind}/{person.id}" if person else f"/{kind}",
        editable=True,
        **forms.shown([Section(back, fields)], form, error),
        links=[],
        token=forms.token(person),
        map=None,
    )


@pages.get("/stand-ins")
def stand_ins(page: ReadGrids) -> Response:
    """Who stands in for whom: now, later, and in the year before."""
    return _stand_ins(page)


@pages.post("/stand-ins")
def stand_in(page: ArrangeGrids, form: Typed) -> Response:
    """Have somebody stand in for the holder of a post."""
    try:
        values = forms.read(StandInForm, form, ("absent", "deputy_id", "first", "last"))
        member = teams.get(page.session, page.actor, forms.id_in(form, "absent") or 0)
        grid = units.get(page.session, page.actor, member.grid_id)
        with page.attempt():
            accounts.stand_in(
                page.session,
                page.actor,
                grid,
                account_id=member.account_id or 0,
                deputy_id=values["deputy_id"],
                first=values["first"],
                last=values["last"],
            )
    except forms.REFUSED as error:
        return _stand_ins(page, form, error)
    return page.go("/stand-ins", _("Saved."))


@pages.post("/stand-ins/{stand_in_id}/end")
def end(stand_in_id: Id, page: ArrangeGrids, form: Typed) -> Response:
    """Whoever was away is back."""
    accounts.end_stand_in(page.session, page.actor, stand_in_id)
    return page.go("/stand-ins", _("Saved."))


def _stand_ins(page: Page, form: FormData | None = None, error: WanggeError | None = None) -> Response:
    today = settings.today()
    rows = accounts.stand_ins(page.session, page.actor, since=today - timedelta(days=365))
    members = {row.id: row for row in teams.with_accounts(page.session, page.actor, page.community_id)}
    posts = teams.post_names()
    grids = units.names(page.session, {one.grid_id for one in members.values()})
    people = accounts.those_who_can(page.session, page.actor, page.community_id) if page.community_id else {}
    fields = [
        forms.select(
            "absent",
            _("Who is away"),
            None,
            {
                str(key): f"{one.name} · {grids.get(one.grid_id, '')} · {posts[one.post]}"
                for key, one in members.items()
            },
            optional=False,
        ),
        forms.select("deputy_id", _("Who stands in"), None, {str(k): v for k, v in people.items()}, optional=False),
        Field("first", _("First day"), today, "date", optional=False),
        Field("last", _("Last day"), None, "date", optional=False),
    ]
    return page.show(
        "teams/stand_ins.html",
        section="grids",
        status=forms.status(error),
        tabs=tabs.teams(page, "stand-ins"),
        rows=[_stand_in(page, row, today) for row in rows],
        editable="team.edit" in page.can,
        opened=error is not None,
        **forms.shown([Section(_("Somebody stands in"), fields)], form, error),
    )


def _stand_in(page: Page, row: Any, today: date) -> dict[str, Any]:
    last = row.valid.upper - timedelta(days=1)
    return {
        "id": row.id,
        "grid": row.grid_name,
        "absent": row.absent,
        "deputy": row.deputy,
        "days": _("{first} to {last}", first=words.day(row.valid.lower), last=words.day(last)),
        "now": row.valid.lower <= today <= last,
        "ends": last >= today and page.may("team.edit", page.community_id, row.grid_id),
    }
