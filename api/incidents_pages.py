"""Incidents on pages: report, list, record, history, and their panel beside the map."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api import labels
from api.fields import Id
from api.pages import Page, needs, typed
from data import incidents
from data.base.language import _
from data.incidents import Incident

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Report = Annotated[Page, needs("incident.report")]
Edit = Annotated[Page, needs("incident.edit")]
Typed = Annotated[FormData, typed]


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
    incidents.get(page.session, page.actor, incident_id)
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
    )


def _facts(row: Any) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = [
        {"label": _("Category"), "value": labels.category(row)},
        {"label": _("Grid"), "value": row.grid_name},
        {"label": _("Building"), "value": labels.building(row.building_number) if row.building_number else ""},
        {"label": _("Reported"), "value": labels.minute(row.reported_at)},
        {"label": _("Due"), "value": labels.minute(row.due_at) if row.due_at else ""},
        {"label": _("Closed"), "value": labels.minute(row.closed_at) if row.closed_at else ""},
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
