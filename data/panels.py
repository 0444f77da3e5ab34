"""What stands beside the map about one grid or one building: how many live there, the special groups, the doors.

Everything is counted over what the actor may see, in a fixed number of queries however large the place is. Names leave
this module masked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from geoalchemy2 import Geography
from sqlalchemy import ColumnElement, Row, cast, func, select
from sqlalchemy.orm import Session

from data import grids, households, incidents
from data.base import access, db, listing, settings
from data.base.access import Actor, Rows
from data.buildings import Building, BuildingKind, Dwelling
from data.households import Household, HouseholdGroup, Resident, SpecialGroup
from data.incidents import Incident

#: West, south, east, north in degrees (EPSG:4326).
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Outline:
    """Where a grid is: its bounds, its area on the ellipsoid, and the numbers of the buildings people live in."""

    bounds: Bounds | None
    area_m2: float | None
    numbers: list[str]


@dataclass(frozen=True)
class People:
    """How many live at a place: households, those of them in a special group today, and people.

    Special groups are counted of the households that the actor sees; ``None`` for those who see none anywhere.
    """

    households: int
    special_households: int | None
    residents: int


@dataclass(frozen=True)
class Family:
    """A household behind a door: its masked head, how many they are, and the codes of its special groups."""

    id: int
    name: str
    count: int
    groups: Sequence[str]


@dataclass(frozen=True)
class Door:
    """A dwelling and who is registered there."""

    id: int
    unit: str | None
    floor: int | None
    room: str
    use: str
    families: list[Family] = field(default_factory=list)


def outline(session: Session, actor: Actor, grid_id: int) -> Outline:
    """Where a grid is today."""
    held = grids.boundaries().subquery()
    shape = session.execute(
        select(
            func.ST_XMin(held.c.geom),
            func.ST_YMin(held.c.geom),
            func.ST_XMax(held.c.geom),
            func.ST_YMax(held.c.geom),
            func.ST_Area(cast(held.c.geom, Geography)),
        ).where(held.c.grid_id == grid_id)
    ).one_or_none()
    query = select(Building.number).where(
        Building.grid_id == grid_id, Building.kind == BuildingKind.RESIDENTIAL, Building.number.is_not(None)
    )
    numbers = session.scalars(
        access.visible(query, actor, Building).order_by(listing.number_in(Building.number), Building.number)
    )
    if shape is None:
        return Outline(None, None, [number for number in numbers if number])
    west, south, east, north, area_m2 = shape
    return Outline((west, south, east, north), area_m2, [number for number in numbers if number])


def people(session: Session, actor: Actor, place: ColumnElement[bool]) -> People:
    """How many live in the buildings that meet the condition ``place``."""
    inside = select(Dwelling.id).join(Building, Building.id == Dwelling.building_id).where(place)
    families = select(func.count()).select_from(Household).where(Household.dwelling_id.in_(inside), Household.lived())
    residents = (
        select(func.count())
        .select_from(Resident)
        .join(Household, Household.id == Resident.household_id)
        .where(Household.dwelling_id.in_(inside), Resident.here())
    )
    with db.counting(session, actor) as counter:
        household_count = session.scalar(access.visible(families, counter, Household)) or 0
        resident_count = session.scalar(access.visible(residents, counter, Resident)) or 0
    special_count = None
    if actor.may(access.PEOPLE):
        special = families.where(Household.id.in_(_special(select(HouseholdGroup.household_id))))
        special_count = session.scalar(access.visible(special, actor, Household)) or 0
    return People(household_count, special_count, resident_count)


def groups(session: Session, actor: Actor, grid_id: int) -> list[tuple[SpecialGroup, int]]:
    """The special groups with households in a grid today, and how many each has."""
    query = (
        select(SpecialGroup, func.count(Household.id.distinct()))
        .join(HouseholdGroup, HouseholdGroup.group_code == SpecialGroup.code)
        .join(Household, Household.id == HouseholdGroup.household_id)
        .join(Dwelling, Dwelling.id == Household.dwelling_id)
        .join(Building, Building.id == Dwelling.building_id)
        .where(Building.grid_id == grid_id, Household.lived())
        .group_by(SpecialGroup.code)
        .order_by(SpecialGroup.position, SpecialGroup.code)
    )
    return [(group, count) for group, count in session.execute(_special(access.visible(query, actor, Household)))]


def _special(query: Rows) -> Rows:
    """``query`` over household groups restricted to those that hold today."""
    return query.where(HouseholdGroup.valid.contains(settings.today()))


def doors(session: Session, actor: Actor, building_id: int) -> list[Door]:
    """The dwellings of a building by unit, floor and room, with the families registered in them."""
    by_dwelling: dict[int, Door] = {}
    order = (listing.number_in(Dwelling.unit), Dwelling.unit, Dwelling.floor, listing.number_in(Dwelling.room))
    of_building = select(Dwelling.id, Dwelling.unit, Dwelling.floor, Dwelling.room, Dwelling.use).where(
        Dwelling.building_id == building_id
    )
    for row in session.execute(access.visible(of_building, actor, Dwelling).order_by(*order, Dwelling.id)):
        by_dwelling[row.id] = Door(row.id, row.unit, row.floor, row.room, row.use)
    head = select(Resident.name).where(Resident.id == Household.head_id).scalar_subquery()
    count = select(func.count()).where(Resident.household_id == Household.id, Resident.here()).scalar_subquery()
    codes = _special(
        select(func.array_agg(HouseholdGroup.group_code)).where(HouseholdGroup.household_id == Household.id)
    ).scalar_subquery()
    families = select(Household.id, Household.number, Household.dwelling_id, head, count, codes).where(
        Household.dwelling_id.in_(select(Dwelling.id).where(Dwelling.building_id == building_id)), Household.lived()
    )
    for household_id, number, dwelling_id, name, size, held in session.execute(
        access.visible(families, actor, Household).order_by(Household.number)
    ):
        masked = households.masked({"name": name})["name"] if name else number
        if dwelling_id in by_dwelling:
            by_dwelling[dwelling_id].families.append(Family(household_id, masked, size, held or ()))
    return list(by_dwelling.values())


def open_incidents(
    session: Session, actor: Actor, wanted: incidents.Filter, limit: int
) -> tuple[int, int, Sequence[Row[Any]]]:
    """How many open incidents there are, how many of them overdue, and the most urgent ones.

    Parameters
    ----------
    wanted
        Where; its states are not looked at.
    """
    query = incidents.selection(actor, wanted).where(Incident.state.in_(incidents.OPEN))
    count, overdue = session.execute(
        incidents.narrowed(select(func.count(), func.count().filter(Incident.overdue)), actor, wanted).where(
            Incident.state.in_(incidents.OPEN)
        )
    ).one()
    rows = query.order_by(Incident.overdue.desc(), Incident.due_at.asc().nulls_last(), Incident.id.desc())
    return count, overdue, session.execute(rows.limit(limit)).all()
