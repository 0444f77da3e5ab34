"""Grids on pages: their list with figures, their record with team and boundaries, the panel beside the map."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Day, Id, Input, Line, Reference
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, name_of, needs, typed
from api.grids.routes import GridFilters
from api.units import pages as units_pages
from api.units.routes import UnitChange
from data import accounts, buildings, grids, incidents, panels, summary, teams, units
from data.base import secrets, settings
from data.base.access import PEOPLE
from data.base.errors import WanggeError
from data.base.language import _
from data.buildings import Building
from data.incidents import Incident
from data.teams import Elder, Post
from data.units import Unit

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read")]
Arrange = Annotated[Page, needs("grid.read", "team.edit")]
EditUnit = Annotated[Page, needs("unit.edit")]
Typed = Annotated[FormData, typed]


class MemberChange(Input):
    """What of a team member may be typed."""

    name: Line
    phone: Line | None = None
    background: Line | None = None
    first: Day
    last: Day | None = None
    work_phone: Line | None = None
    consented_on: Day | None = None
    account_id: Reference | None = None
    elder: Elder | None = None


_POST = ("name", "first", "last", "work_phone", "consented_on", "phone", "background", "account_id")


@pages.get("/grids")
def listed(page: Read) -> Response:
    """The grids with their figures, by code."""
    *plain, _geom = (query := grids.selection(page.actor, ledgers.wanted(page, GridFilters))).selected_columns
    figures = figures_by_grid(page)
    names = (
        *(summary.COUNTED if page.actor.counter.may(PEOPLE) else ()),
        *(("special_households", "tenancies") if page.actor.may(PEOPLE) else ()),
    )
    names = names if page.community_id is not None else ()
    titles = {
        "households": _("Households"),
        "residents": _("People"),
        "special_households": _("Special households"),
        "tenancies": _("Tenancies"),
    }
    columns = [
        Column(_("Grid"), sort="name"),
        Column(_("Code"), sort="code"),
        *(Column(titles[name], number=True, lead=name in ("households", "residents")) for name in names),
        Column(_("Open cases"), number=True, side=True),
        Column(_("Phone")),
    ]

    def cells(row: Any) -> list[Cell]:
        counts = figures.get(row.id, {})
        return [row.name, row.code, *(_figure(row, name, counts) for name in names), counts.get("open"), row.phone]

    listing = Listing(query.with_only_columns(*plain, maintain_column_froms=True), grids.SORTS, Unit.id, "code")
    table = ledgers.table(page, listing, columns, cells, "grids")
    if names and len(table["rows"]) == table["paging"]["total"] == len(figures):
        sums = [sum(counts[name] for counts in figures.values()) for name in (*names, "open")]
        table["totals"] = [_("Together"), None, *sums, None]
    return page.show(
        "grids/list.html",
        section="grids",
        page=ledgers.head(page, _("Grids"), "grids", new=(_("Add a grid"), "unit.edit")),
        tabs=tabs.teams(page, "grids"),
        **ledgers.filtered(page, [ledgers.search(_("Name, code"))]),
        **table,
    )


def figures_by_grid(page: Page) -> dict[int, dict[str, int]]:
    """The figures of each grid of the community that pages are about: those of the summary, and open cases."""
    if page.community_id is None:
        return {}
    wanted = incidents.Filter(community=page.community, states=incidents.OPEN)
    open_cases: dict[Any, int] = {**incidents.counts(page.session, page.actor, wanted, Incident.grid_id)}
    ids = {grid.code: grid.id for grid in ledgers.grids_of(page)}
    rows = summary.summarise(page.session, page.actor, page.community_id)["by_grid"]
    return {ids[row["code"]]: {**row, "open": open_cases.get(ids[row["code"]], 0)} for row in rows}


def _figure(row: Any, name: str, counts: dict[str, int]) -> Cell:
    """A figure of a grid, marked when it lies outside the bounds for it."""
    value = counts.get(name)
    bounds = {"households": (row.household_min, row.household_max), "residents": (row.people_min, row.people_max)}
    if value is None or name not in bounds or bounds[name][0] <= value <= bounds[name][1]:
        return value
    return {"text": f"{value:,}", "tone": "act"}


@pages.get("/grids/new")
def new(page: EditUnit) -> Response:
    """A grid is added as a unit below its community; its boundary comes with an import."""
    parent = f"?parent={page.community_id}" if page.community_id else ""
    return page.go(f"/units/new{parent}")


@pages.get("/grids/{grid_id}")
def record(grid_id: Id, page: Read) -> Response:
    """A grid: its record, its team, its boundaries through time."""
    return _form(page, grids.get(page.session, page.actor, grid_id))


@pages.post("/grids/{grid_id}")
def change(grid_id: Id, page: EditUnit, form: Typed) -> Response:
    """Change the record of a grid."""
    found = grids.get(page.session, page.actor, grid_id)
    try:
        forms.check(page, found, form)
        values = forms.read(UnitChange, form, ["code", "name", "phone", *units_pages.more_fields(found)])
        with page.attempt():
            units.change(page.session, page.actor, found, **values)
    except forms.REFUSED as error:
        return _form(page, found, typed=form, error=error)
    return page.go(f"/grids/{grid_id}", _("Saved."))


@pages.get("/grids/{grid_id}/history")
def history(grid_id: Id, page: Read) -> Response:
    """What happened to the record of a grid."""
    found = grids.get(page.session, page.actor, grid_id)
    return forms.past(page, "grids", "unit", grid_id, _about(found))


def _about(found: Unit) -> dict[str, Any]:
    return forms.record("grids", found.id, found.name, _("Grids"), found.code, section="grids")


def _form(page: Page, grid: Unit, *, typed: FormData | None = None, error: WanggeError | None = None) -> Response:
    assert grid.community_id is not None
    held = grids.divisions(page.session, page.actor, grid.community_id)
    return page.show(
        "grids/form.html",
        section="grids",
        status=forms.status(error),
        record=_about(grid),
        action=f"/grids/{grid.id}",
        editable=units_pages.may_edit(page, grid),
        **forms.shown(units_pages.sections(grid), typed, error),
        links=forms.links("grids", grid.id),
        token=forms.token(grid),
        map=None,
        team=_team(page, grid),
        former=[
            {
                "post": teams.post_names()[before.post],
                "name": before.name,
                "from": words.day(before.valid.lower),
                "to": words.day(before.valid.upper - timedelta(days=1)) if before.valid.upper else "",
            }
            for before in teams.former(page.session, page.actor, grid.id)
        ],
        divisions=[
            {
                "from": words.day(one.valid.lower),
                "to": words.day(one.valid.upper),
                "grids": len(one.grid_ids),
                "href": f"/map?on={one.valid.upper - timedelta(days=1)}" if one.valid.upper else "/map",
            }
            for one in held
            if grid.id in one.grid_ids
        ],
    )


@pages.get("/grids/{grid_id}/team/{post}")
def team_member(grid_id: Id, post: Post, page: Arrange, member: int | None = None) -> Response:
    """The form for who holds a post in a grid."""
    grid = grids.get(page.session, page.actor, grid_id)
    return _team_form(page, grid, post, teams.get(page.session, page.actor, member) if member else None)


@pages.post("/grids/{grid_id}/team/{post}")
def appoint(grid_id: Id, post: Post, page: Arrange, form: Typed, member: int | None = None) -> Response:
    """Give a post in a grid to somebody, or change who holds it."""
    grid = grids.get(page.session, page.actor, grid_id)
    member_of_team = teams.get(page.session, page.actor, member) if member else None
    try:
        if member_of_team:
            forms.check(page, member_of_team, form)
        warden = post is Post.BUILDING_WARDEN
        values = forms.read(
            MemberChange, form, (*_POST, *(("elder",) if warden else ())), locked=("phone",) if member_of_team else ()
        )
        minds = [int(value) for value in form.getlist("buildings") if isinstance(value, str) and value.isdecimal()]
        with page.attempt():
            if member_of_team:
                holder = teams.change(page.session, page.actor, member_of_team, **values)
            else:
                holder = teams.appoint(page.session, page.actor, grid, post=post, **values)
            if warden:
                teams.appoint_buildings(page.session, page.actor, holder, minds)
    except forms.REFUSED as error:
        return _team_form(page, grid, post, member_of_team, typed=form, error=error)
    return page.go(f"/grids/{grid_id}#team", _("Saved."))


def _team_form(
    page: Page,
    grid: Unit,
    post: Post,
    person: teams.TeamMember | None,
    *,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    assert grid.community_id is not None
    days = person.valid if person else None
    last = days.upper - timedelta(days=1) if days and days.upper else None
    handlers = accounts.who_may(page.session, "incident.read", grid.id)
    fields = [
        Field("name", _("Name"), person.name if person else None, optional=False, most=200),
        Field("first", _("From"), days.lower if days else settings.today(), "date", optional=False),
        Field("last", _("Last day"), last, "date", hint=_("Empty: until somebody follows.")),
        Field("work_phone", _("Work phone"), person.work_phone if person else None, "tel", most=200),
        Field(
            "consented_on",
            _("Agreed on"),
            person.consented_on if person else None,
            "date",
            hint=_("When they agreed that name and work phone are put up. Without it no phone is shown."),
        ),
        Field(
            "phone",
            _("Phone"),
            secrets.mask_phone(person.phone) if person else None,
            "tel",
            most=200,
            locked=bool(person and person.phone),
            hint=_("For the office alone."),
        ),
        Field("background", _("Background"), person.background if person else None, most=200),
        forms.select(
            "account_id",
            _("Account"),
            person.account_id if person else None,
            {str(row.id): row.name for row in handlers},
            hint=_("Who gets the cases of the post."),
        ),
    ]
    if post is Post.BUILDING_WARDEN:
        minded = teams.minded(page.session, page.actor, [person.id]).get(person.id, set()) if person else set()
        homes = buildings.drawn_in(page.session, page.actor, [grid.id], most=500)
        fields += [
            forms.select("elder", _("Of the five elders"), person.elder if person else None, teams.elder_names()),
            Field(
                "buildings",
                _("Minds the buildings"),
                [str(building_id) for building_id in sorted(minded)],
                "checks",
                options=[
                    {"value": str(row.id), "label": words.building(row.number, row.name, row.code)} for row in homes
                ],
                hint=_("None: the whole grid."),
            ),
        ]
    title = f"{grid.name} · {teams.post_names()[post]}"
    about = forms.record("grids", None, title, grid.name, back=f"/grids/{grid.id}", section="grids")
    return page.show(
        "_form.html",
        section="grids",
        status=forms.status(error),
        record=about,
        action=f"/grids/{grid.id}/team/{post}" + (f"?member={person.id}" if person else ""),
        editable=page.may("team.edit", grid.community_id, grid.id),
        **forms.shown([Section(teams.post_names()[post], fields)], typed, error),
        links=[],
        token=forms.token(person),
        map=None,
    )


@pages.get("/grids/{grid_id}/panel")
def panel(grid_id: Id, page: Read) -> Response:
    """A grid beside the map."""
    grid = grids.get(page.session, page.actor, grid_id)
    outline = panels.outline(page.session, page.actor, grid_id)
    wanted = incidents.Filter(grid=grid.code)
    count, overdue, rows = panels.open_incidents(page.session, page.actor, wanted, 8)
    numbers = _("Buildings {numbers}", numbers=words.ranges(outline.numbers)) if outline.numbers else ""
    where = [part for part in (numbers, words.hectares(outline.area_m2)) if part]
    figures = [{"value": f"{count:,}", "label": _("open cases"), "tone": "act" if overdue else ""}]
    special: list[dict[str, Any]] = []
    people = None
    if page.actor.counter.area(PEOPLE).covers(grid.community_id, grid_id):
        people = panels.people(page.session, page.actor, Building.grid_id == grid_id)
        figures[:0] = [
            {"value": f"{people.households:,}", "label": _("households"), "tone": ""},
            {"value": f"{people.residents:,}", "label": _("people"), "tone": ""},
        ]
    if people and page.may(PEOPLE, grid.community_id, grid_id):
        figures.insert(2, {"value": f"{people.special_households:,}", "label": _("special households"), "tone": ""})
        special = [
            {"code": group.code, "name": name_of(group), "count": number}
            for group, number in panels.groups(page.session, page.actor, grid_id)
        ]
    return page.fragment(
        "grids/panel.html",
        grid={
            "id": grid.id,
            "name": grid.name,
            "code": grid.code,
            "where": _(", ").join(where),
            "bounds": outline.bounds or (),
        },
        figures=figures,
        team=_team(page, grid),
        special=special,
        incidents={"count": count, "rows": [words.case(row) for row in rows]},
    )


def _team(page: Page, grid: Unit) -> list[dict[str, Any]]:
    """The four posts with who holds them, and the second holder of a post after the first."""
    found = teams.of_grid(page.session, page.actor, grid.id)
    editable = page.may("team.edit", grid.community_id, grid.id)
    rows = []
    for post, label in teams.post_names().items():
        holders = [member for member in found if member.post == post]
        rows += [
            {
                "post": label,
                "name": member.name,
                "initial": member.name[:1],
                "phone": member.shown_phone or secrets.mask_phone(member.phone),
                "background": member.background,
                "from": words.day(member.valid.lower),
                "follow": f"/grids/{grid.id}/team/{post}" if editable else None,
                "edit": f"/grids/{grid.id}/team/{post}?member={member.id}" if editable else None,
            }
            for member in holders
        ] or [
            {
                "post": label,
                "name": "",
                "initial": "",
                "phone": "",
                "background": "",
                "from": "",
                "follow": None,
                "edit": f"/grids/{grid.id}/team/{post}" if editable else None,
            }
        ]
    return rows
