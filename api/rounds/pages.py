"""Rounds on pages: who is to walk where and how often, with a route that is drawn, or made to pass every building."""

from __future__ import annotations

import json
from datetime import time
from typing import Annotated, Any

import shapely
from fastapi import APIRouter, Query
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response

from api.base import fields, forms, ground, ledgers, tabs, words
from api.base.fields import Id, Input, Line, Reference
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.rounds.routes import RoundFilters
from data import buildings, rounds, teams, units
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.rounds import Rhythm, Round
from maps import patrols as patrol_maps

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("coverage.read")]
Edit = Annotated[Page, needs("patrol.edit")]
Typed = Annotated[FormData, typed]

_FIELDS = ("name", "grid_id", "rhythm", "starts_at", "account_id", "active")


class RoundForm(Input):
    """What is typed into the form of a round."""

    name: Line
    grid_id: Reference | None = None
    rhythm: Rhythm = Rhythm.DAILY
    starts_at: time | None = None
    account_id: Reference | None = None
    active: bool = True


def weekday_names() -> dict[str, str]:
    """The days of the week, Monday is 1."""
    names = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
    return {str(number): name for number, name in enumerate(names, 1)}


@pages.get("/rounds")
def listed(page: Read) -> Response:
    """The rounds, by name."""
    query = rounds.selection(page.actor, ledgers.wanted(page, RoundFilters))
    columns = [
        Column(_("Name of the round"), sort="name"),
        Column(_("Grid"), lead=True),
        Column(_("How often"), lead=True),
        Column(_("Begins at")),
        Column(_("Who")),
        Column(_("Buildings"), number=True),
        Column(_("Length"), number=True, side=True),
    ]
    filters = [
        ledgers.by_grid(page),
        ledgers.choice("active", _("Walked or paused"), {"true": _("Walked"), "false": _("Paused")}),
    ]
    listing = Listing(query, rounds.SORTS, Round.id, "name")
    return page.show(
        "rounds/list.html",
        section="patrols",
        page=ledgers.head(
            page, _("Rounds"), "rounds", new=(_("Plan a round"), "patrol.edit"), goes_out=False, comes_in=False
        ),
        tabs=tabs.patrols(page, "rounds"),
        **ledgers.filtered(page, filters),
        **ledgers.table(page, listing, columns, _cells, "rounds"),
    )


def _cells(row: Any) -> list[Cell]:
    return [
        row.name,
        row.grid_name or _("The whole community"),
        often(row.rhythm, row.weekdays) if row.active else {"text": _("Paused"), "tag": "plain"},
        begins(row.starts_at),
        row.account_name or _("Whoever comes first"),
        len(row.building_ids),
        words.length(row.length_m),
    ]


def begins(at: time | None) -> str:
    """When a round begins: ``08:30``; empty when that is left open."""
    return f"{at:%H:%M}" if at else ""


def often(rhythm: str, weekdays: list[int]) -> str:
    """How often a round is walked, in words: ``每周一次``, ``周一、周四``."""
    if not weekdays:
        return rounds.rhythm_names()[rhythm]
    names, days = weekday_names(), sorted(weekdays)
    if len(days) > 2 and days == list(range(days[0], days[-1] + 1)):
        return _("{first} to {last}", first=names[str(days[0])], last=names[str(days[-1])])
    return _(", ").join(names[str(day)] for day in days)


@pages.get("/rounds/new")
def new(page: Edit) -> Response:
    """The form for a new round."""
    return _form(page, None)


@pages.get("/rounds/suggest")
def suggest(page: Edit, grid_id: Annotated[str, Query(alias="grid", max_length=12)] = "") -> Response:
    """A route past every building of a grid, or of the community: ``route`` (or null), and what it comes to."""
    community = _community(page)
    found = rounds.route_past(
        page.session, page.actor, community, grid_id=int(grid_id) if grid_id.isdecimal() else None
    )
    if found.line is None:
        says = _("There are fewer than two buildings here: no route is needed.")
        return JSONResponse({"route": None, "says": says})
    says = _("{count} buildings, {length}", count=len(found.building_ids), length=words.length(found.length_m))
    return JSONResponse({"route": shapely.geometry.mapping(found.line), "says": says})


@pages.post("/rounds")
def add(page: Edit, form: Typed) -> Response:
    """Plan a round."""
    try:
        values = _read(form)
        community = _community(page)
        line = _line(form)
        with page.attempt():
            found = rounds.add(page.session, page.actor, community_id=community.id, geom=line, **values)
    except forms.REFUSED as error:
        return _form(page, None, typed=form, error=error)
    return page.go(f"/rounds/{found.id}", _("Saved."))


@pages.get("/rounds/{round_id}")
def record(round_id: Id, page: Read) -> Response:
    """A round, to read and for those who plan to change."""
    return _form(page, rounds.get(page.session, page.actor, round_id))


@pages.post("/rounds/{round_id}")
def change(round_id: Id, page: Edit, form: Typed) -> Response:
    """Change a round; where its route or its grid is another, its stops are found anew."""
    planned = rounds.get(page.session, page.actor, round_id)
    try:
        forms.check(page, planned, form)
        values = _read(form)
        line = _line(form)
        before = None if planned.geom is None else to_shape(planned.geom)
        with page.attempt():
            if line is None:
                values["geom"] = None
            elif before is None or not shapely.equals_exact(line, before, 1e-6) or values["grid_id"] != planned.grid_id:
                values["geom"] = line
            rounds.change(page.session, page.actor, planned, **values)
    except forms.REFUSED as error:
        return _form(page, planned, typed=form, error=error)
    return page.go(f"/rounds/{round_id}", _("Saved."))


@pages.post("/rounds/{round_id}/remove")
def remove(round_id: Id, page: Edit, _form: Typed) -> Response:
    """Remove a round; patrols that were walked for it stay."""
    found = rounds.get(page.session, page.actor, round_id)
    rounds.remove(page.session, page.actor, found)
    return page.go("/rounds", _("Removed: {name}.", name=found.name))


def _read(form: FormData) -> dict[str, Any]:
    values = forms.read(RoundForm, form, _FIELDS)
    days = [int(day) for day in form.getlist("weekdays") if isinstance(day, str) and day in weekday_names()]
    return {**values, "weekdays": days}


def _line(form: FormData) -> BaseGeometry | None:
    """The route that was drawn; None when there is none, so that one is made."""
    text = forms.text_in(form, "route")
    if not text:
        return None
    try:
        geometry = fields.Geometry.model_validate(json.loads(text))
    except ValueError as error:
        raise Invalid(_("The route cannot be read. Draw it again.")) from error
    return fields.shape(geometry)


def _community(page: Page) -> units.Unit:
    if page.community_id is None:
        raise Invalid(_("Choose a community at the top of the page first."))
    return units.community(page.session, page.actor, page.community_id)


def _people(page: Page, community_id: int | None) -> dict[str, str]:
    """Id → name of those in the grids' teams who have an account."""
    rows = teams.with_accounts(page.session, page.actor, community_id)
    posts = teams.post_names()
    return {str(row.account_id): f"{row.name}（{posts[row.post]}）" for row in rows}


def _stops(page: Page, found: Round) -> list[dict[str, str]]:
    """The buildings a round passes, in their order; one that may not be seen has no name."""
    passed = buildings.titles(page.session, page.actor, found.building_ids)
    names = {row.id: words.building(row.number, row.name, row.code) for row in passed}
    return [{"name": names.get(id_, "—"), "href": f"/buildings/{id_}"} for id_ in found.building_ids]


def _form(
    page: Page, planned: Round | None, *, typed: FormData | None = None, error: WanggeError | None = None
) -> Response:
    editable = (
        "patrol.edit" in page.can if planned is None else page.may("patrol.edit", planned.community_id, planned.grid_id)
    )
    community_id = planned.community_id if planned else page.community_id
    names = {str(one.id): one.name for one in ledgers.grids_of(page)}
    people = _people(page, community_id)
    if planned and planned.account_id and str(planned.account_id) not in people:
        row = rounds.row(page.session, planned)
        people[str(planned.account_id)] = row.account_name
    what = Section(
        _("Round"),
        [
            Field("name", _("Name of the round"), planned.name if planned else None, optional=False, most=200),
            forms.select("grid_id", _("Grid"), planned.grid_id if planned else None, names),
            forms.select(
                "account_id",
                _("Who walks it"),
                planned.account_id if planned else None,
                people,
                hint=_("Nobody named: whoever comes first."),
            ),
        ],
    )
    when = Section(
        _("When"),
        [
            forms.select(
                "rhythm", _("How often"), planned.rhythm if planned else "daily", rounds.rhythm_names(), optional=False
            ),
            Field("starts_at", _("Begins at"), begins(planned.starts_at) if planned else None, "time"),
            Field(
                "weekdays",
                _("Only on"),
                [str(day) for day in planned.weekdays] if planned else [],
                "checks",
                options=words.options(weekday_names()),
            ),
            forms.select(
                "active",
                _("Walked or paused"),
                str(planned.active).lower() if planned else "true",
                {"true": _("Walked"), "false": _("Paused")},
                optional=False,
            ),
        ],
    )
    line = shapely.geometry.mapping(to_shape(planned.geom)) if planned and planned.geom is not None else None
    frame = ground.frame(page)
    if planned and planned.geom is not None:
        west, south, east, north = to_shape(planned.geom).bounds
        frame["bounds"] = (south, west, north, east)
    chart = ground.shown(patrol_maps.route(**frame, line=line, editable=editable), page.settings)
    stops = _stops(page, planned) if planned else []
    title = planned.name if planned else _("Plan a round")
    return page.show(
        "rounds/round.html",
        section="patrols",
        status=forms.status(error),
        record=forms.record(
            "rounds",
            planned.id if planned else None,
            title,
            _("Rounds"),
            _("{count} buildings, {length}", count=len(stops), length=words.length(planned.length_m))
            if planned
            else "",
        ),
        action=f"/rounds/{planned.id}" if planned else "/rounds",
        editable=editable,
        **forms.shown([what, when], typed, error),
        hidden=[("route", forms.text_in(typed, "route") if typed is not None else json.dumps(line) if line else "")],
        links=[],
        stops=stops,
        token=forms.token(planned),
        map=None,
        chart=chart["map"],
        source=chart["attribution"],
    )
