"""Incidents on pages: report, list, record, history, and their panel beside the map."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api import forms, labels, ledgers
from api.fields import Code, Id, Lat, Lon, Reference
from api.forms import Field, Section
from api.incidents import IncidentChange, IncidentNew, wanted_incidents
from api.incidents_case import NEXT
from api.ledgers import Cell, Column, Listing
from api.pages import Page, needs, typed
from data import buildings, grids, incidents, photos, units
from data.base.errors import WanggeError
from data.base.language import _
from data.incidents import Category, Incident

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Report = Annotated[Page, needs("incident.report")]
Edit = Annotated[Page, needs("incident.edit")]
Typed = Annotated[FormData, typed]

_ALL = ",".join(incidents.State)
_NEW = ("category_code", "description", "address", "building_id")
_EDITED = ("category_code", "description", "address")


@pages.get("/incidents")
def listed(page: Read) -> Response:
    """The incidents: the open ones by their limits, what is overdue first; others newest first."""
    # What is settled is hidden until somebody asks for it.
    given = {} if page.request.query_params.get("state") else {"state": ",".join(incidents.OPEN)}
    wanted = ledgers.wanted(page, wanted_incidents, **given)
    query = incidents.selection(page.actor, wanted)
    columns = [
        Column(_("Case")),
        Column(_("Number"), sort="number"),
        Column(_("State"), lead=True),
        Column(_("Category")),
        Column(_("Grid")),
        Column(_("Address")),
        Column(_("Reported"), sort="reported"),
        Column(_("Due"), sort="due", side=True),
    ]
    order = "due" if given else "-reported"
    table = ledgers.table(page, Listing(query, incidents.SORTS, Incident.id, order), columns, _cells, "incidents")
    filters = [
        ledgers.search(_("Number, address, description")),
        ledgers.choice("state", _("State"), labels.states() | {_ALL: _("All, also solved")}, _("Open")),
        ledgers.choice("category", _("Category"), {one.code: labels.name(one) for one in _categories(page)}),
        ledgers.by_grid(page),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
        ledgers.choice("overdue", _("Time"), {"true": _("Overdue")}),
    ]
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
        tabs=tabs("list"),
        on_map=_on_map(page),
        **ledgers.filtered(page, filters),
        **table,
    )


def tabs(current: str) -> list[dict[str, Any]]:
    """The ways to look at cases."""
    ways = (("list", "/incidents", _("List")), ("board", "/incidents/board", _("Board")))
    return [{"href": href, "label": label, "current": name == current} for name, href, label in ways]


def _on_map(page: Page) -> str:
    """The map with the filters of the list: by state, kind and age."""
    query = page.request.query_params
    kept = {name: query[name] for name in ("state", "category", "from", "to") if query.get(name)}
    kept.setdefault("state", ",".join(incidents.OPEN))
    return f"/map?{urlencode(kept if kept.keys() & {'from', 'to'} else {**kept, 'days': 'all'}, safe=',')}"


def _cells(row: Any) -> list[Cell]:
    shown = labels.case(row)
    due = shown["due"]
    return [
        shown["title"],
        row.number,
        {"text": shown["state_name"], "state": row.state},
        labels.category(row),
        row.grid_name,
        row.address,
        labels.minute(row.reported_at),
        {"text": due["text"], "tone": "act" if due["overdue"] else "quiet"} if due else {"text": ""},
    ]


def _categories(page: Page) -> list[Category]:
    """All categories, those of a group after it."""
    rows = incidents.categories(page.session)
    groups = [row for row in rows if row.parent_code is None]
    return [one for group in groups for one in (group, *(row for row in rows if row.parent_code == group.code))]


@pages.get("/incidents/new")
def new(
    page: Report,
    lon: Lon | None = None,
    lat: Lat | None = None,
    building: Reference | None = None,
    grid: Code | None = None,
) -> Response:
    """The form for a new incident; the address may say where it is, or in which grid to look."""
    point = (lon, lat) if lon is not None and lat is not None else None
    if building is not None:
        shape = buildings.shape(buildings.get(page.session, page.actor, building))
        if shape is not None and point is None:
            inside = shape.representative_point()
            point = (inside.x, inside.y)
    looked_at = units.by_code(page.session, page.actor, grid, units.Level.GRID).id if grid else None
    return _form(page, None, point, building_id=building, grid_id=looked_at)


@pages.post("/incidents")
def report(page: Report, form: Typed) -> Response:
    """Report an incident."""
    try:
        values = forms.read(IncidentNew, form, _NEW, known={"community_id": 1})
        point = forms.point_in(form)
        building_id = values["building_id"]
        of_building = buildings.get(page.session, page.actor, building_id).community_id if building_id else None
        community = forms.community_in(page, form, point, otherwise=of_building)
        with page.attempt():
            lon, lat = point or (None, None)
            found = incidents.report(page.session, page.actor, community=community, lon=lon, lat=lat, **values)
    except forms.REFUSED as error:
        return _form(page, None, None, typed=form, error=error)
    where = grids.get(page.session, page.actor, found.grid_id).name if found.grid_id else _("no grid yet")
    return page.go(f"/map?at=incidents/{found.id}", _("Reported as {number}, {grid}.", number=found.number, grid=where))


@pages.get("/incidents/panel")
def group_panel(page: Read, ids: Annotated[list[int], Query(alias="id", max_length=200)]) -> Response:
    """Several incidents that stand for one mark of the map."""
    query = incidents.selection(page.actor).where(Incident.id.in_(ids))
    rows = page.session.execute(query.order_by(Incident.overdue.desc(), Incident.reported_at.desc())).all()
    first = rows[0] if rows else None
    where = [labels.building(first.building_number), first.grid_name] if first and first.building_number else []
    if first and not where:
        where = [first.grid_name or first.address]
    return page.fragment(
        "incidents/group.html",
        where=_(", ").join(part for part in where if part),
        rows=[labels.case(row) for row in rows],
    )


@pages.get("/incidents/{incident_id}/panel")
def panel(incident_id: Id, page: Read) -> Response:
    """An incident beside the map."""
    found = incidents.get(page.session, page.actor, incident_id)
    following = NEXT.get(found.step)
    possible = following in incidents.allowed(page.session, page.actor, found)
    pictures = photos.of_incident(page.session, page.actor, found.id)
    row = page.session.execute(incidents.rows().where(Incident.id == incident_id)).one()
    shown = labels.case(row)
    where = [part for part in (row.address, row.grid_name) if part]
    return page.fragment(
        "incidents/panel.html",
        incident={
            **shown,
            "where": _(", ").join(where),
            "description": row.description if row.description and row.description != shown["title"] else None,
            "point": (row.lon, row.lat) if row.lon is not None else None,
        },
        facts=_facts(row),
        next=labels.incident_verbs()[following] if following and possible else None,
        photos=[{"href": f"/photos/{one.id}", "small": f"/photos/{one.id}/small"} for one in pictures[:4]],
    )


def _facts(row: Any) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = [
        {"label": _("Category"), "value": labels.category(row)},
        {"label": _("Grid"), "value": row.grid_name},
        {"label": _("Building"), "value": labels.building(row.building_number) if row.building_number else ""},
        {"label": _("Reported"), "value": labels.minute(row.reported_at)},
        {"label": _("Due"), "value": labels.minute(row.due_at) if row.due_at else ""},
        {"label": _("Closed"), "value": labels.minute(row.closed_at) if row.closed_at else ""},
        {"label": _("Handled by"), "value": row.assignee_name or ""},
        {"label": _("Source"), "value": labels.sources().get(row.source, row.source)},
        {
            "label": _("Located"),
            "value": labels.place_found(row.located_by, row.located_score, row.unlocated_reason),
        },
    ]
    for fact, kind, record_id in ((facts[1], "grids", row.grid_id), (facts[2], "buildings", row.building_id)):
        if record_id and fact["value"]:
            fact |= {"href": f"/{kind}/{record_id}", "panel": f"{kind}/{record_id}"}
    return facts


@pages.get("/incidents/{incident_id}/edit")
def record(incident_id: Id, page: Read) -> Response:
    """An incident, to read and for those who handle it to change."""
    found = incidents.get(page.session, page.actor, incident_id)
    row = page.session.execute(incidents.rows().where(Incident.id == incident_id)).one()
    return _form(page, found, (row.lon, row.lat) if row.lon is not None else None)


@pages.post("/incidents/{incident_id}")
def change(incident_id: Id, page: Edit, form: Typed) -> Response:
    """Change an incident; where the point or the building is another, it is put there."""
    found = incidents.get(page.session, page.actor, incident_id)
    row = page.session.execute(incidents.rows().where(Incident.id == incident_id)).one()
    before = (row.lon, row.lat) if row.lon is not None else None
    try:
        forms.check(page, found, form)
        values = forms.read(IncidentChange, form, (*_EDITED, "building_id"))
        building_id, point = values.pop("building_id"), forms.point_in(form)
        with page.attempt():
            moved = forms.moved(before, point)
            if moved or building_id != found.building_id:
                lon, lat = point if point and (moved or building_id is None) else (None, None)
                incidents.move(page.session, page.actor, found, lon=lon, lat=lat, building_id=building_id)
            incidents.change(page.session, page.actor, found, **values)
    except forms.REFUSED as error:
        return _form(page, found, before, typed=form, error=error)
    return page.go(f"/incidents/{incident_id}", _("Saved."))


@pages.get("/incidents/{incident_id}/history")
def history(incident_id: Id, page: Read) -> Response:
    """What happened to an incident."""
    found = incidents.get(page.session, page.actor, incident_id)
    return forms.past(page, "incidents", "incident", found.id, _about(found))


def _about(found: Incident | None) -> dict[str, Any]:
    if found is None:
        return forms.record("incidents", None, _("Report a case"), _("Cases"), section="incidents")
    title = labels.title(found.description, found.number)
    return forms.record("incidents", found.id, title, _("Cases"), found.number, section="incidents")


def _form(
    page: Page,
    found: Incident | None,
    point: tuple[float, float] | None,
    *,
    building_id: int | None = None,
    grid_id: int | None = None,
    typed: FormData | None = None,
    error: WanggeError | None = None,
) -> Response:
    editable = found is None or page.may("incident.edit", found.community_id, found.grid_id)
    community_id = found.community_id if found else page.community_id
    what = Section(_("What"), [_category(page, found)])
    what.fields.append(
        Field("description", _("Description"), found.description if found else None, "textarea", most=4000)
    )
    where = Section(_("Where"), [Field("address", _("Address"), found.address if found else None, most=200)])
    if community_id is None:
        where.fields[:0] = forms.community_field(page)
    else:
        names = forms.building_names(page, community_id)
        chosen = found.building_id if found else building_id
        where.fields.append(forms.select("building_id", _("Building"), chosen, names))
    sections = [what, where]
    if found:
        sections.append(_times(found))
    if typed is not None:
        point = forms.typed_point(typed) or point
    return page.show(
        "incidents/form.html",
        section="incidents",
        status=forms.status(error),
        record=_about(found) | ({"back": f"/incidents/{found.id}", "back_label": _("Case record")} if found else {}),
        action=f"/incidents/{found.id}" if found else "/incidents",
        editable=editable,
        **forms.shown(sections, typed, error),
        links=forms.links("incidents", found.id) if found else [],
        token=forms.token(found),
        **forms.place(page, point, editable=editable, grid_id=grid_id),
    )


def _times(found: Incident) -> Section:
    facts = (
        ("state", _("State"), labels.states()[found.state]),
        ("reported_at", _("Reported"), labels.minute(found.reported_at)),
        ("due_at", _("Due"), labels.minute(found.due_at) if found.due_at else None),
        ("closed_at", _("Closed"), labels.minute(found.closed_at) if found.closed_at else None),
        ("source", _("Source"), labels.sources().get(found.source, found.source)),
        ("located", _("Located"), labels.place_found(found.located_by, found.located_score, found.unlocated_reason)),
    )
    return Section(_("Course"), [Field(name, label, value, "shown") for name, label, value in facts])


def _category(page: Page, found: Incident | None) -> Field:
    """The choice of the category: tiles for a new incident, the commonest first."""
    if found:
        names = {one.code: labels.name(one) for one in _categories(page) if one.parent_code}
        return forms.select("category_code", _("Category"), found.category_code, names, optional=False)
    wanted = incidents.Filter(community=page.community)
    counts = incidents.counts(page.session, page.actor, wanted, Incident.category_code)
    rows = sorted((one for one in _categories(page) if one.parent_code), key=lambda one: -counts.get(one.code, 0))
    options = [{"value": one.code, "label": labels.name(one), "icon": one.icon} for one in rows]
    return Field("category_code", _("What is it about?"), None, "tiles", optional=False, options=options)
