"""The figures of a community at a glance: its area, and what is in it, grid by grid."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from data import grids, units
from data.base import access, db, settings
from data.base.access import Actor
from data.buildings import Building, BuildingKind, Dwelling
from data.households import Household, HouseholdGroup, Resident, Tenancy
from data.incidents import Incident

_Counts = dict[int | None, int]
#: What those learn who may only know how many people there are.
COUNTED = ("households", "residents")


def summarise(session: Session, actor: Actor, community_id: int) -> dict[str, Any]:
    """Count what the actor may see of a community, today.

    Buildings are those that people live in. What has no place in a grid is counted in the community's figures only.

    Returns
    -------
    dict
        ``community`` (its name), ``area_m2`` (of the grids, in the community's metric CRS), ``buildings``, ``grids``,
        ``households``, ``residents``, ``incidents`` and ``by_grid``: ``code, name, buildings, households,
        residents, special_households, tenancies`` of each grid, by code.

    Raises
    ------
    UnitNotFound
        There is no such community, or it is outside the actor's area.
    """
    import geopandas as gpd

    community = units.get(session, actor, community_id)
    below = units.listed(session, actor, level=units.Level.GRID, under=community_id)
    # Whoever has one grid sees that there are others, but is told of that one only.
    shown = [grid for grid in below if actor.area("grid.read").covers(community_id, grid.id)]
    counts = _counts(session, actor, community_id)
    shapes = grids.shapes(session, community_id)
    held = [shapes[grid.id] for grid in shown if grid.id in shapes]
    area_m2 = gpd.GeoSeries(held, crs=4326).to_crs(community.metric_crs).area.sum() if held else 0.0
    inside = ("buildings", "households", "residents", "special_households", "tenancies")
    return {
        "community": community.name,
        "area_m2": round(float(area_m2), 1),
        "buildings": sum(counts["buildings"].values()),
        "grids": len(shown),
        "households": sum(counts["households"].values()),
        "residents": sum(counts["residents"].values()),
        "incidents": sum(counts["incidents"].values()),
        "by_grid": [
            {"code": grid.code, "name": grid.name, **{name: counts[name].get(grid.id, 0) for name in inside}}
            for grid in shown
        ],
    }


def _counts(session: Session, actor: Actor, community_id: int) -> dict[str, _Counts]:
    """What is counted → grid id (``None`` for what lies in none) → how many."""
    today = datetime.now(ZoneInfo(settings.get().timezone)).date()
    special = select(HouseholdGroup.household_id).where(HouseholdGroup.valid.contains(today))
    housed = (Dwelling.id == Household.dwelling_id, Building.id == Dwelling.building_id)
    households = _by_grid(Building.grid_id, Household.id).outerjoin(Dwelling, housed[0]).outerjoin(Building, housed[1])
    households = households.where(Household.lived())
    residents = (
        _by_grid(Building.grid_id, Resident.id)
        .join(Household, Household.id == Resident.household_id)
        .outerjoin(Dwelling, housed[0])
        .outerjoin(Building, housed[1])
        .where(Resident.here())
    )
    tenancies = (
        _by_grid(Building.grid_id, Tenancy.id)
        .join(Dwelling, Dwelling.id == Tenancy.dwelling_id)
        .join(Building, Building.id == Dwelling.building_id)
        .where(Tenancy.valid.contains(today))
    )
    buildings = _by_grid(Building.grid_id, Building.id).where(Building.kind == BuildingKind.RESIDENTIAL)
    queries: dict[str, tuple[Select[Any], Any]] = {
        "buildings": (buildings, Building),
        "households": (households, Household),
        "special_households": (households.where(Household.id.in_(special)), Household),
        "residents": (residents, Resident),
        "tenancies": (tenancies, Tenancy),
        "incidents": (_by_grid(Incident.grid_id, Incident.id), Incident),
    }
    counts: dict[str, _Counts] = {}
    for name, (query, table) in queries.items():
        with db.counting(session, actor) if name in COUNTED else nullcontext(actor) as counter:
            rows = session.execute(access.visible(query, counter, table).where(table.community_id == community_id))
            counts[name] = {row["grid_id"]: row["count"] for row in rows.mappings()}
    return counts


def _by_grid(grid_id: Any, counted: Any) -> Select[Any]:
    """A count of the records with the id ``counted``, by grid."""
    return select(grid_id.label("grid_id"), func.count().label("count")).select_from(counted.class_).group_by(grid_id)
