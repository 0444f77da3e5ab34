"""Incidents on pages: report, list, record, history, and their panel beside the map."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Code, Id, Lat, Lon, Reference
from api.base.forms import Field, Section
from api.base.ledgers import Cell, Column, Listing
from api.base.page import Page, needs, typed
from api.incidents import facts, pictures
from api.incidents.routes import IncidentChange, IncidentFilters, IncidentNew
from data import buildings, grids, households, incidents, locating, photos, teams, today, units
from data.base.errors import WanggeError
from data.base.language import _
from data.households import Household, homes
from data.incidents import Category, Incident, Step

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Report = Annotated[Page, needs("incident.report")]
Edit = Annotated[Page, needs("incident.edit")]
Typed = Annotated[FormData, typed]

_ALL = ",".join(incidents.State)
_FACTS = ("category", "grid", "building", "reported", "due", "closed", "assignee", "source", "located")
_NEW = ("category_code", "description", "address", "building_id", "accuracy_m")
#: So many kinds stand in front: those that are reported most.
_OFTEN = 8
_EDITED = ("category_code", "description", "address")


@pages.get("/incidents")
def listed(page: Read) -> Response:
    """The incidents: the open ones by their limits, what is overdue first; others newest first."""
    # What is settled is hidden until somebody asks for it.
    given = {} if page.request.query_params.get("state") else {"state": ",".join(incidents.OPEN)}
    wanted = ledgers.wanted(page, IncidentFilters, **given)
    query = incidents.selection(page.actor, wanted)
    columns = [
        Column(_("Case")),
        Column(_("Number"), sort="number"),
        Column(_("State"), lead=True),
        Column(_("Description")),
        Column(_("Grid")),
        Column(_("Address")),
        Column(_("Handled by")),
        Column(_("Reported"), sort="reported"),
        Column(_("Due"), sort="due", side=True),
    ]
    order = "due" if given else "-reported"
    table = ledgers.table(page, Listing(query, incidents.SORTS, Incident.id, order), columns, _cells, "incidents")
    filters = [
        ledgers.search(_("Number, address, description")),
        ledgers.choice("state", _("State"), incidents.words.states() | {_ALL: _("All, also solved")}, _("Open")),
        ledgers.choice("category", _("Category"), {one.code: words.name(one) for one in _categories(page)}),
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
        ledgers.choice("overdue", _("Overdue"), {"true": _("Only these")}),
        ledgers.choice("due_soon", _("Due soon"), {"true": _("Only these")}),
    ]
    filters += [ledgers.choice("service_team", _("Service team"), names)] if (names := team_names(page)) else []
    if "incident.supervise" in page.can:
        filters.append(ledgers.choice("supervised", _("Follow-up"), {"true": _("Supervised")}))
    if "incident.edit" in page.can:
        table["bulk"] = [{"label": _("Assign"), "icon": "user", "action": "/incidents/assign"}]
    head = ledgers.head(page, _("Cases"), "incidents", new=(_("Report a case"), "incident.report"))
    if head["export"] and given:
        head["export"] += f"&{urlencode(given)}"
    return page.show(
        "incidents/list.html",
        section="incidents",
        page=head,
        tabs=tabs.incidents(page, "incidents"),
        on_map=_on_map(page),
        **ledgers.filtered(page, filters),
        **table,
    )


def _on_map(page: Page) -> str:
    """The map with the filters of the list: by state, kind and age."""
    query = page.request.query_params
    kept = {name: query[name] for name in ("state", "category", "from", "to") if query.get(name)}
    kept.setdefault("state", ",".join(incidents.OPEN))
    return f"/map?{urlencode(kept if kept.keys() & {'from', 'to'} else {**kept, 'days': 'all'}, safe=',')}"


def _cells(row: Any) -> list[Cell]:
    shown = words.case(row)
    due = shown["due"]
    return [
        shown["title"],
        row.number,
        {"text": shown["state_name"], "state": row.state},
        shown["remark"],
        row.grid_name,
        row.address,
        words.handled_by(row),
        words.minute(row.reported_at),
        {"text": due["text"], "tone": "act" if due["overdue"] else "quiet"} if due else {"text": ""},
    ]


def team_names(page: Page) -> dict[str, str]:
    """Id → name of the service teams that pages are about."""
    seen = page.glance.communities if page.glance else []
    communities = [page.community_id] if page.community_id else [community.id for community in seen]
    return {str(team.id): team.name for team in teams.serving(page.session, page.actor, communities)}


def _categories(page: Page) -> list[Category]:
    """All categories, those of a group after it."""
    return _by_groups(incidents.categories(page.session))


def _by_groups(rows: list[Category]) -> list[Category]:
    groups = [row for row in rows if row.parent_code is None]
    return [one for group in groups for one in (group, *(row for row in rows if row.parent_code == group.code))]


@pages.get("/incidents/new")
def new(
    page: Report,
    lon: Lon | None = None,
    lat: Lat | None = None,
    building: Reference | None = None,
    grid: Code | None = None,
    household: Reference | None = None,
) -> Response:
    """The form for a new incident; the address may say where it is, in which grid to look, or whom it is about."""
    about = households.get(page.session, page.actor, household) if household else None
    if about is not None and building is None:
        building = homes.row(page.session, about).building_id
    point = (lon, lat) if lon is not None and lat is not None else None
    if building is not None:
        shape = buildings.shape(buildings.get(page.session, page.actor, building))
        if shape is not None and point is None:
            inside = shape.representative_point()
            point = (inside.x, inside.y)
    looked_at = units.by_code(page.session, page.actor, grid, units.Level.GRID).id if grid else None
    return _form(page, None, point, building_id=building, grid_id=looked_at, about=about)


@pages.post("/incidents")
def report(page: Report, form: Typed) -> Response:
    """Report an incident, of a household if the form came from its page."""
    household_id = forms.id_in(form, "household_id")
    about = households.get(page.session, page.actor, household_id) if household_id else None
    try:
        values = forms.read(IncidentNew, form, _NEW, known={"community_id": 1})
        images = pictures.sent(form)
        point = forms.point_in(form)
        building_id = values["building_id"]
        of_building = buildings.get(page.session, page.actor, building_id).community_id if building_id else None
        community = forms.community_in(page, form, point, otherwise=of_building)
        with page.attempt():
            lon, lat = point or (None, None)
            incident = incidents.report(page.session, page.actor, community=community, lon=lon, lat=lat, **values)
            pictures.keep(page, incident, images)
            if about is not None:
                households.linked.link(page.session, page.actor, about, incident.id)
    except forms.REFUSED as error:
        return _form(page, None, None, typed=form, error=error, about=about)
    where = grids.get(page.session, page.actor, incident.grid_id).name if incident.grid_id else _("no grid yet")
    return page.go(
        f"/map?at=incidents/{incident.id}", _("Reported as {number}, {grid}.", number=incident.number, grid=where)
    )


@pages.get("/incidents/panel")
def group_panel(page: Read, ids: Annotated[list[int], Query(alias="id", max_length=200)]) -> Response:
    """Several incidents that stand for one mark of the map."""
    rows = incidents.chosen(page.session, page.actor, ids)
    rows = sorted(rows, key=lambda row: (row.overdue, row.reported_at), reverse=True)
    first = rows[0] if rows else None
    where = [words.building(first.building_number), first.grid_name] if first and first.building_number else []
    if first and not where:
        where = [first.grid_name or first.address]
    return page.fragment(
        "incidents/group.html",
        where=_(", ").join(part for part in where if part),
        rows=[words.case(row) for row in rows],
    )


@pages.get("/incidents/{incident_id}/panel")
def panel(incident_id: Id, page: Read) -> Response:
    """An incident beside the map."""
    found = incidents.get(page.session, page.actor, incident_id)
    following = incidents.NEXT.get(Step(found.step))
    possible = following in incidents.allowed(page.session, page.actor, found)
    pictures = photos.of_incident(page.session, page.actor, found.id)
    row = incidents.row(page.session, found)
    shown = words.case(row)
    where = [part for part in (row.address, row.grid_name) if part]
    return page.fragment(
        "incidents/panel.html",
        incident={
            **shown,
            "where": _(", ").join(where),
            "description": row.description,
            "point": (row.lon, row.lat) if row.lon is not None else None,
        },
        facts=facts.of(row, *_FACTS),
        next=incidents.words.verbs()[following] if following and possible else None,
        photos=[{"href": f"/photos/{one.id}", "small": f"/photos/{one.id}/small"} for one in pictures[:4]],
    )


@pages.get("/incidents/{incident_id}/edit")
def record(incident_id: Id, page: Read) -> Response:
    """An incident, to read and for those who handle it to change."""
    found = incidents.get(page.session, page.actor, incident_id)
    row = incidents.row(page.session, found)
    return _form(page, found, (row.lon, row.lat) if row.lon is not None else None)


@pages.post("/incidents/{incident_id}")
def change(incident_id: Id, page: Edit, form: Typed) -> Response:
    """Change an incident; where the point or the building is another, it is put there."""
    incident = incidents.get(page.session, page.actor, incident_id)
    row = incidents.row(page.session, incident)
    before = (row.lon, row.lat) if row.lon is not None else None
    try:
        forms.check(page, incident, form)
        values = forms.read(IncidentChange, form, (*_EDITED, "building_id"))
        building_id, point = values.pop("building_id"), forms.point_in(form)
        with page.attempt():
            moved = forms.moved(before, point)
            if moved or building_id != incident.building_id:
                lon, lat = point if point and (moved or building_id is None) else (None, None)
                incidents.move(page.session, page.actor, incident, lon=lon, lat=lat, building_id=building_id)
            incidents.change(page.session, page.actor, incident, **values)
    except forms.REFUSED as error:
        return _form(page, incident, before, typed=form, error=error)
    return page.go(f"/incidents/{incident_id}", _("Saved."))


@pages.get("/incidents/{incident_id}/history")
def history(incident_id: Id, page: Read) -> Response:
    """What happened to an incident."""
    found = incidents.get(page.session, page.actor, incident_id)
    return forms.past(page, "incidents", "incident", found.id, _about(page, found))


def _about(page: Page, found: Incident | None) -> dict[str, Any]:
    if found is None:
        return forms.record("incidents", None, _("Report a case"), _("Cases"), section="incidents")
    title = words.title(incidents.row(page.session, found))
    return forms.record("incidents", found.id, title, _("Cases"), found.number, section="incidents")


def _form(
    page: Page,
    incident: Incident | None,
    point: tuple[float, float] | None,
    *,
    building_id: int | None = None,
    grid_id: int | None = None,
    about: Household | None = None,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    editable = incident is None or page.may("incident.edit", incident.community_id, incident.grid_id)
    community_id = incident.community_id if incident else page.community_id
    what = Section(_("What"), [_category(page, incident)])
    what.fields.append(
        Field("description", _("Description"), incident.description if incident else None, "textarea", most=4000)
    )
    where = Section(_("Where"), [Field("address", _("Address"), incident.address if incident else None, most=200)])
    if community_id is None:
        where.fields[:0] = forms.community_field(page)
    else:
        names = forms.building_names(page, community_id)
        chosen = incident.building_id if incident else building_id
        where.fields.append(forms.select("building_id", _("Building"), chosen, names))
    sections = [what, where]
    if incident:
        sections.append(_times(incident))
    if typed is not None:
        point = forms.typed_point(typed) or point
    return page.show(
        "incidents/form.html",
        section="incidents",
        status=forms.status(error),
        record=_about(page, incident)
        | ({"back": f"/incidents/{incident.id}", "back_label": _("Case record")} if incident else {}),
        action=f"/incidents/{incident.id}" if incident else "/incidents",
        editable=editable,
        **forms.shown(sections, typed, error),
        links=forms.links("incidents", incident.id) if incident else [],
        token=forms.token(incident),
        hidden=[("household_id", str(about.id))] if about else [],
        about=facts.household(page, about) if about else None,
        accuracy_m=forms.text_in(typed, "accuracy_m") if typed is not None else "",
        **forms.place(page, point, editable=editable, grid_id=grid_id or _own_grid(page)),
    )


def _own_grid(page: Page) -> int | None:
    """The grid of whoever has one alone: there the map begins."""
    own = today.own_grids(page.actor)
    return next(iter(own)) if len(own) == 1 else None


def _times(found: Incident) -> Section:
    facts = (
        ("state", _("State"), incidents.words.states()[found.state]),
        ("reported_at", _("Reported"), words.minute(found.reported_at)),
        ("due_at", _("Due"), words.minute(found.due_at) if found.due_at else None),
        ("closed_at", _("Closed"), words.minute(found.closed_at) if found.closed_at else None),
        ("source", _("Source"), incidents.words.sources().get(found.source, found.source)),
        ("located", _("Located"), locating.place_found(found.located_by, found.located_score, found.unlocated_reason)),
    )
    return Section(_("What was done"), [Field(name, label, value, "shown") for name, label, value in facts])


def _category(page: Page, found: Incident | None) -> Field:
    """The choice of the category: tiles for a new incident, the commonest in front, the others by their groups."""
    if found:
        still = {kind.code for kind in incidents.categories_offered(page.session)} | {found.category_code}
        kinds = [kind for kind in _categories(page) if kind.parent_code and kind.code in still]
        names = {kind.code: words.name(kind) for kind in kinds}
        return forms.select("category_code", _("Category"), found.category_code, names, optional=False)
    wanted = incidents.Filter(community=page.community)
    counts = incidents.counts(page.session, page.actor, wanted, Incident.category_code)
    kinds = _by_groups(incidents.categories_offered(page.session))
    often = sorted((kind for kind in kinds if kind.parent_code), key=lambda kind: -counts.get(kind.code, 0))[:_OFTEN]
    groups = []
    for group in (kind for kind in kinds if kind.parent_code is None):
        below = [kind for kind in kinds if kind.parent_code == group.code and kind not in often]
        if below:
            groups.append({"label": words.name(group), "options": [_tile(kind) for kind in below]})
    tiles = [_tile(kind) for kind in often]
    label = _("What is it about?")
    return Field("category_code", label, None, "tiles", optional=False, options=tiles, groups=groups)


def _tile(kind: Category) -> dict[str, str]:
    return {"value": kind.code, "label": words.name(kind), "icon": kind.icon}
