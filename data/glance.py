"""What stands at the top of every page: the community, how much is in it, and how many records wait for a place.

Counted are the records that the actor may see. It is read for every page, so it takes three short queries, and
what would take long (the people of a whole district) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoalchemy2 import Geography
from sqlalchemy import ColumnElement, Select, cast, func, select
from sqlalchemy.orm import Session

from data import grids, units
from data.base import access, db
from data.base.access import PEOPLE, Actor
from data.buildings import Building
from data.households import Household, Resident
from data.incidents import Category, Incident
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
        How many; people only of one community, and only for those who may know how many there are.
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
    chosen_id = chosen.id if chosen else None
    of_grids = access.visible(select(func.count()).where(Unit.level == Level.GRID), actor, Unit)
    ground: dict[str, Select[Any]] = {"grids": of_grids}
    if chosen_id is not None:
        ground = {"grids": of_grids.where(Unit.community_id == chosen_id), "area_m2": _area_m2(chosen_id)}
    nowhere = _without_place(actor, chosen_id)
    numbers = _at_once(session, ground | nowhere)
    people = people_of(session, actor, chosen_id)
    return Glance(
        community=chosen,
        communities=communities,
        unit=top,
        name=top.name,
        above=by_id[top.parent_id].name if top.parent_id in by_id else "",
        grids=numbers["grids"],
        households=people.get("households"),
        residents=people.get("residents"),
        area_m2=numbers.get("area_m2"),
        waiting=sum(numbers[name] for name in nowhere),
    )


def _lowest_common(communities: list[Unit]) -> int:
    """The lowest unit above all of them, or the first one's root when they have none in common."""
    common = communities[0].path[0]
    for steps in zip(*(unit.path[:-1] for unit in communities), strict=False):
        if len(set(steps)) > 1:
            break
        common = steps[0]
    return common


def _at_once(session: Session, numbers: dict[str, Select[Any]]) -> dict[str, Any]:
    """Several numbers, each of a query of its own, by one query."""
    row = session.execute(select(*(query.scalar_subquery().label(name) for name, query in numbers.items()))).one()
    return dict(row._mapping)


def people_of(session: Session, actor: Actor, community_id: int | None) -> dict[str, int]:
    """How many households and residents one community has, for those who may know that."""
    if community_id is None or not actor.counter.may(PEOPLE):
        return {}
    tables: dict[str, tuple[Any, ColumnElement[bool]]] = {
        "households": (Household, Household.lived()),
        "residents": (Resident, Resident.here()),
    }
    with db.counting(session, actor) as counter:
        return _at_once(
            session,
            {
                name: access.visible(
                    select(func.count()).select_from(table).where(table.community_id == community_id, there),
                    counter,
                    table,
                )
                for name, (table, there) in tables.items()
            },
        )


def waiting(session: Session, actor: Actor, community_id: int | None) -> dict[str, int]:
    """How many records have no place: ``incidents``, ``households`` and ``buildings`` of one community, or of all."""
    return _at_once(session, _without_place(actor, community_id))


def _without_place(actor: Actor, community_id: int | None) -> dict[str, Select[Any]]:
    tables: dict[str, tuple[Any, ColumnElement[bool]]] = {
        "incidents": (
            Incident,
            Incident.grid_id.is_(None) & Incident.category_code.in_(select(Category.code).where(Category.placed)),
        ),
        "households": (Household, Household.dwelling_id.is_(None) & Household.lived()),
        "buildings": (Building, Building.grid_id.is_(None)),
    }
    queries = {}
    for name, (table, nowhere) in tables.items():
        query = access.visible(select(func.count()).select_from(table).where(nowhere), actor, table)
        queries[name] = query if community_id is None else query.where(table.community_id == community_id)
    return queries


def _area_m2(community_id: int) -> Select[Any]:
    """The area of a community's grids on the ellipsoid, in square metres."""
    held = grids.boundaries(community_id).subquery()
    return select(func.sum(func.ST_Area(cast(held.c.geom, Geography))))


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
