"""Buildings and dwellings on pages: lists, records, histories, and the panel of a building beside the map."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api import labels
from api.fields import Id
from api.pages import Page, needs, typed
from data import buildings, incidents, panels
from data.base.language import _
from data.buildings import Building
from data.households import SpecialGroup

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("building.read")]
Edit = Annotated[Page, needs("building.edit")]
Typed = Annotated[FormData, typed]


@pages.get("/buildings/{building_id}/panel")
def panel(building_id: Id, page: Read) -> Response:
    """A building beside the map."""
    building = buildings.get(page.session, page.actor, building_id)
    row = page.session.execute(buildings.rows().where(Building.id == building_id)).one()
    count, overdue, rows = panels.open_incidents(page.session, page.actor, incidents.Filter(building_id=building_id), 5)
    doors = panels.doors(page.session, page.actor, building_id)
    figures = [
        {"value": f"{len(doors):,}", "label": _("dwellings"), "tone": ""},
        {"value": f"{count:,}", "label": _("open cases"), "tone": "act" if overdue else ""},
    ]
    if "household.read" in page.can:
        people = panels.people(page.session, page.actor, Building.id == building_id)
        figures[1:1] = [
            {"value": f"{people.households:,}", "label": _("households"), "tone": ""},
            {"value": f"{people.residents:,}", "label": _("people"), "tone": ""},
        ]
    shape = buildings.shape(building)
    where = [part for part in (row.address, row.grid_name) if part]
    return page.fragment(
        "buildings/panel.html",
        building={
            "id": row.id,
            "title": labels.building(row.number, row.name, row.code),
            "code": row.code,
            "where": _(", ").join(where),
            "point": (row.lon, row.lat) if row.lon is not None else None,
            "bounds": shape.bounds if shape and shape.geom_type != "Point" else None,
        },
        figures=figures,
        facts=_facts(row),
        units=_entrances(page, doors) if "household.read" in page.can else None,
        incidents={"count": count, "rows": [labels.case(one) for one in rows]},
    )


def _facts(row: Any) -> list[dict[str, Any]]:
    found = labels.place_found(row.located_by, row.located_score, row.unlocated_reason)
    facts: list[dict[str, Any]] = [
        {"label": _("Kind"), "value": labels.building_kinds()[row.kind]},
        {"label": _("Floors"), "value": row.floors},
        {"label": _("Entrances"), "value": row.unit_count},
        {"label": _("Grid"), "value": row.grid_name},
        {"label": _("Located"), "value": found},
    ]
    if row.grid_id:
        facts[3] |= {"href": f"/grids/{row.grid_id}", "panel": f"grids/{row.grid_id}"}
    return facts


def _entrances(page: Page, doors: list[panels.Door]) -> list[dict[str, Any]]:
    """The doors of a building by entrance, with the families behind them."""
    groups = {group.code: labels.name(group) for group in page.session.query(SpecialGroup)}
    uses = labels.uses()
    entrances: dict[str | None, list[dict[str, Any]]] = {}
    for door in doors:
        families = [
            {
                "id": family.id,
                "name": family.name,
                "count": family.count,
                "groups": [groups.get(code, code) for code in family.groups],
            }
            for family in door.families
        ]
        entrances.setdefault(door.unit, []).append(
            {"id": door.id, "room": door.room, "use": door.use, "use_name": uses[door.use], "households": families}
        )
    return [{"name": labels.unit(unit), "dwellings": rooms} for unit, rooms in entrances.items()]
