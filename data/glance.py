"""What stands at the top of every page: the community, how much is in it, and how many records wait for a place.

Counted are the records that the actor may see. It is read for every page, so it takes a handful of short queries, and
what would take long (the people of a whole district) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoalchemy2 import Geography
from sqlalchemy import ColumnElement, cast, func, select
from sqlalchemy.orm import Session

from data import grids, units
from data.base import access
from data.base.access import PEOPLE, Actor
from data.buildings import Building
from data.households import Household, Resident
from data.incidents import Incident
from data.units import Level, Unit

#: South, west, north, east in degrees (EPSG:4326).
Bounds = tuple[float, float, float, float]

CHINA: Bounds = (18.0, 73.5, 53.6, 134.8)


@dataclass(frozen=True)
class Glance:
    """A community at a glance, or all that the actor may see of several.

    Attributes
    ----------
    community
        The community that pages are about; ``None`` for all of several.
    communities
        All that the actor may see, by code.
    unit
        The community, or the lowest unit above all of them.
    name, above
        What the place is called, and the unit above it.
    grids, households, residents
        How many; people only of one community, and only for those who may see them.
    area_m2
        Of the grids of one community.
    waiting
        Records without a place.
    """

    community: Unit | None
    communities: list[Unit]
    unit: Unit
    name: str
    above: str
    grids: int
    households: int | None
    residents: int | None
    area_m2: float | None
    waiting: int

    @property
    def code(self) -> str | None:
        """The code of the community, to filter by; ``None`` for all."""
        return self.community.code if self.community else None


def of(session: Session, actor: Actor, code: str | None = None) -> Glance | None:
    """The community with this code, or the only one, or all that the actor may see; ``None`` when that is nothing."""
    seen = units.above_grids(session, actor)
    communities = [unit for unit in seen if unit.level == Level.COMMUNITY]
    if not communities:
        return None
    chosen = next((unit for unit in communities if unit.code == code), None)
    if chosen is None and len(communities) == 1:
        chosen = communities[0]
    by_id = {unit.id: unit for unit in seen}
    top = chosen or by_id[_lowest_common(communities)]
    counts = _counts(session, actor, chosen.id if chosen else None)
    return Glance(
        community=chosen,
        communities=communities,
        unit=top,
        name=top.name,
        above=by_id[top.parent_id].name if top.parent_id in by_id else "",
        grids=counts["grids"],
        households=counts.get("households"),
        residents=counts.get("residents"),
        area_m2=_area_m2(session, chosen.id) if chosen else None,
        waiting=sum(waiting(session, actor, chosen.id if chosen else None).values()),
    )


def _lowest_common(communities: list[Unit]) -> int:
    """The lowest unit above all of them, or the first one's root when they have none in common."""
    common = communities[0].path[0]
    for steps in zip(*(unit.path[:-1] for unit in communities), strict=False):
        if len(set(steps)) > 1:
            break
        common = steps[0]
    return common


def _counts(session: Session, actor: Actor, community_id: int | None) -> dict[str, int]:
    of_grids = access.visible(select(func.count()).where(Unit.level == Level.GRID), actor, Unit)
    if community_id is None:
        return {"grids": session.scalar(of_grids) or 0}
    counts = {"grids": session.scalar(of_grids.where(Unit.community_id == community_id)) or 0}
    if actor.may(PEOPLE):
        tables: dict[str, Any] = {"households": Household, "residents": Resident}
        for name, table in tables.items():
            query = select(func.count()).select_from(table).where(table.community_id == community_id)
            counts[name] = session.scalar(access.visible(query, actor, table)) or 0
    return counts


def waiting(session: Session, actor: Actor, community_id: int | None) -> dict[str, int]:
    """How many records have no place: ``incidents``, ``households`` and ``buildings`` of one community, or of all."""
    tables: dict[str, tuple[Any, ColumnElement[bool]]] = {
        "incidents": (Incident, Incident.grid_id.is_(None)),
        "households": (Household, Household.dwelling_id.is_(None)),
        "buildings": (Building, Building.grid_id.is_(None)),
    }
    found = {}
    for name, (table, nowhere) in tables.items():
        query = access.visible(select(func.count()).select_from(table).where(nowhere), actor, table)
        found[name] = session.scalar(query if community_id is None else query.where(table.community_id == community_id))
    return {name: count or 0 for name, count in found.items()}


def _area_m2(session: Session, community_id: int) -> float | None:
    """The area of a community's grids on the ellipsoid, in square metres."""
    held = grids.boundaries(community_id).subquery()
    found: float | None = session.scalar(select(func.sum(func.ST_Area(cast(held.c.geom, Geography)))))
    return found


def bounds(session: Session, actor: Actor, community_id: int | None) -> Bounds:
    """What a map shows first: the grids of a community, or of all; else the buildings; else the country."""
    held = grids.boundaries(community_id).subquery()
    buildings = access.visible(select(Building.point), actor, Building)
    if community_id is not None:
        buildings = buildings.where(Building.community_id == community_id)
    for geom in (select(held.c.geom), buildings):
        box = func.ST_Extent(geom.subquery().c[0])
        found = session.execute(
            select(func.ST_YMin(box), func.ST_XMin(box), func.ST_YMax(box), func.ST_XMax(box))
        ).one()
        if found[0] is not None:
            south, west, north, east = (float(value) for value in found)
            return south, west, north, east
    return CHINA
