"""Records without a place 未定位: households, incidents and buildings that came in and lie in no grid yet.

They are a work list. What an address may mean is offered, and a person settles it: by a building, or by a point on the
map. From then on the record is located ``manual``. A building that gets its place takes the incidents at it along.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from data import buildings, incidents, locating, units
from data.base import access
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid
from data.base.language import _
from data.buildings import Building, Dwelling
from data.grids import UnlocatedReason
from data.households import Household, homes
from data.incidents import Category, Incident


class AlreadyPlaced(Conflict):
    """Somebody gave the record its place meanwhile."""


class OutsideGrids(Conflict):
    """The place that was given lies in no grid of the community, or at no building."""


class DoorNeeded(Invalid):
    """A household lives behind a door, and it cannot be told which one."""


class Kind(StrEnum):
    """What can be without a place; also the word in addresses."""

    HOUSEHOLDS = "households"
    INCIDENTS = "incidents"
    BUILDINGS = "buildings"


READ = {Kind.HOUSEHOLDS: "household.read", Kind.INCIDENTS: "incident.read", Kind.BUILDINGS: "building.read"}
EDIT = {Kind.HOUSEHOLDS: "household.edit", Kind.INCIDENTS: "incident.edit", Kind.BUILDINGS: "building.edit"}
_TABLES: Mapping[Kind, Any] = {Kind.HOUSEHOLDS: Household, Kind.INCIDENTS: Incident, Kind.BUILDINGS: Building}
_FEATURES: Mapping[Kind, Any] = {Kind.HOUSEHOLDS: homes, Kind.INCIDENTS: incidents, Kind.BUILDINGS: buildings}

#: What the records of each kind can be sorted by.
SORTS: Mapping[Kind, dict[str, Any]] = {
    kind: {"id": table.id, "updated": table.updated_at} for kind, table in _TABLES.items()
}

Record = Household | Incident | Building


def key(kind: Kind) -> Any:
    """The id column of a kind, which settles ties when records are paged through."""
    return _TABLES[kind].id


def geom(kind: Kind) -> Any:
    """The geometry column of a kind: where a record is that lies outside every grid. Households have none."""
    return getattr(_TABLES[kind], "geom", None)


def selection(actor: Actor, kind: Kind, *, community: str | None = None, reason: str | None = None) -> Rows:
    """The records without a place that the actor may see, a row each as the feature's own ``selection`` gives them.

    Those of households are **not masked**.
    """
    feature, table = _FEATURES[kind], _TABLES[kind]
    query: Rows = feature.selection(actor, feature.Filter(community=community, located=False))
    if kind == Kind.INCIDENTS:
        # A question about moving one's registration is nowhere, and waits for no place.
        query = query.where(Incident.category_code.in_(select(Category.code).where(Category.placed)))
    return query.where(table.unlocated_reason == reason) if reason else query


def counts(session: Session, actor: Actor, community: str | None = None) -> dict[Kind, dict[str, int]]:
    """How many records without a place there are of each kind that the actor may see, by reason."""
    found: dict[Kind, dict[str, int]] = {}
    for kind in Kind:
        if actor.may(READ[kind]):
            waiting = selection(actor, kind, community=community).subquery()
            query = select(waiting.c.unlocated_reason, func.count()).group_by(waiting.c.unlocated_reason)
            by_reason = {row[0]: row[1] for row in session.execute(query)}
            found[kind] = {reason: by_reason[reason] for reason in UnlocatedReason if reason in by_reason}
    return found


def get(session: Session, actor: Actor, kind: Kind, record_id: int, *, lock: bool = False) -> Record:
    """A record without a place.

    Parameters
    ----------
    lock
        Nobody else may change it until this transaction ends.

    Raises
    ------
    NotFound
        There is none with this id, or one may not see it.
    AlreadyPlaced
        It has a place.
    """
    record: Record = _FEATURES[kind].get(session, actor, record_id)
    if lock:
        session.refresh(record, with_for_update=True)
    if record.unlocated_reason is None:
        raise AlreadyPlaced(_("This record has its place already."))
    return record


def row(session: Session, actor: Actor, kind: Kind, record_id: int) -> Row[Any]:
    """A record without a place that the actor was already shown to see, as a row of ``selection``."""
    return session.execute(selection(actor, kind).where(key(kind) == record_id)).one()


@dataclass(frozen=True)
class Candidate:
    """A building that the address of a record may mean.

    Attributes
    ----------
    building
        A row of ``buildings.selection``.
    score
        How sure it is, 0 to 1.
    """

    building: Any
    score: float


def candidates(session: Session, actor: Actor, record: Record) -> list[Candidate]:
    """The buildings with a place that a record's address may mean, the likeliest first; a building itself has none.

    Where it means none, letters that look like digits are read as these: 4O号楼 may be 40号楼.
    """
    if isinstance(record, Building) or not record.address:
        return []
    seen = buildings.selection(actor, buildings.Filter(located=True))
    seen = seen.where(Building.community_id == record.community_id)
    found = locating.candidates(session, seen, record.address)
    if not found and (mended := _with_digits(record.address)) != record.address:
        found = locating.candidates(session, seen, mended)
    rows = {
        row.id: row for row in session.execute(seen.where(Building.id.in_([one.building_id for one in found]))).all()
    }
    return [Candidate(rows[one.building_id], one.score) for one in found]


_ALIKE = str.maketrans("OoQIl|", "000111")


def _with_digits(address: str) -> str:
    """An address with the letters that stand beside digits, and look like some, as digits.

    >>> _with_digits("4O号楼l单元5O1"), _with_digits("Oak Street 5")
    ('40号楼l单元501', 'Oak Street 5')
    """
    return re.sub(r"(?<=\d)[OoQIl|]+|[OoQIl|]+(?=\d)", lambda found: found[0].translate(_ALIKE), address)


@dataclass(frozen=True)
class Door:
    """Unit and room, as an address states them or somebody typed them."""

    unit: str | None = None
    room: str | None = None


def door_of(record: Record) -> Door:
    """The door that a record's address states."""
    from spatial.addresses import parse

    if not record.address:
        return Door()
    stated = parse(_with_digits(record.address))
    return Door(stated.unit, stated.room)


def place(
    session: Session,
    actor: Actor,
    kind: Kind,
    record_id: int,
    *,
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
    door: Door | None = None,
) -> Record:
    """Give a record its place by hand: at a point (degrees, EPSG:4326), or at a building.

    Parameters
    ----------
    door
        For a household: behind which door it lives, instead of what its address states. A door that the building does
        not have yet is made, by those who may edit buildings.

    Raises
    ------
    Invalid
        Neither a point nor a building was given, or a building for a building.
    AlreadyPlaced, OutsideGrids, DoorNeeded
    """
    record = get(session, actor, kind, record_id, lock=True)
    if building_id is None and (lon is None or lat is None):
        raise Invalid(_("Give a point on the map, or a building."), field="body.lon")
    if isinstance(record, Household):
        _place_household(session, actor, record, lon, lat, building_id, door)
    elif isinstance(record, Incident):
        point = {"lon": lon, "lat": lat} if building_id is None else {}
        incidents.move(session, actor, record, building_id=building_id, **point)
    elif lon is None or lat is None:
        raise Invalid(_("A building is placed by a point on the map."), field="body.lon")
    else:
        _place_building(session, actor, record, lon, lat)
    if record.unlocated_reason is not None:
        raise OutsideGrids(_("This place lies in no grid. Choose one inside a grid, or draw the grids anew."))
    return record


def _place_building(session: Session, actor: Actor, building: Building, lon: float, lat: float) -> None:
    """Put a building to a point, and the incidents that waited for it with it."""
    buildings.move(session, actor, building, lon=lon, lat=lat)
    waiting = select(Incident).where(Incident.building_id == building.id, Incident.grid_id.is_(None))
    for incident in session.scalars(access.visible(waiting, actor, Incident)):
        incidents.place(session, actor, incident, building_id=building.id)
    session.flush()


def _place_household(
    session: Session,
    actor: Actor,
    household: Household,
    lon: float | None,
    lat: float | None,
    building_id: int | None,
    door: Door | None,
) -> None:
    if building_id is None:
        assert lon is not None
        assert lat is not None
        community = units.community(session, actor, household.community_id)
        building_id = locating.building_at(session, community, lon, lat)
        if building_id is None:
            raise OutsideGrids(_("There is no building here. A household lives in one: click the building."))
    building = buildings.get(session, actor, building_id)
    dwelling = _dwelling(session, actor, building, door or door_of(household))
    homes.change(session, actor, household, dwelling_id=dwelling.id)


def _dwelling(session: Session, actor: Actor, building: Building, door: Door) -> Dwelling:
    """The dwelling behind a door, made where the building does not have it yet.

    Raises
    ------
    DoorNeeded
    """
    from spatial.addresses import label

    known = buildings.dwellings(session, actor, building.id)
    if door.room is None and len(known) == 1:
        return known[0]
    if door.room is None:
        raise DoorNeeded(_("Say behind which door the household lives: unit and room."), field="body.room")
    same = [one for one in known if label(one.room) == label(door.room)]
    if door.unit is not None:
        same = [one for one in same if one.unit is None or label(one.unit) == label(door.unit)]
    if len(same) == 1:
        return same[0]
    if same:
        raise DoorNeeded(_("Several units have this room. Say which one it is."), field="body.unit")
    return buildings.add_dwelling(session, actor, building, unit=door.unit, room=door.room)
