"""The search 搜索 of the top bar: places, cases and, for those who may see them, people.

What is typed may be a name, an identity number or a phone, so it is personal: it never belongs into an address or a
log, and what is found leaves masked. Identity numbers and phones are found only whole, for a stated purpose, by those
who may see them (``households.lookups``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from data import buildings, grids, incidents, locating
from data.base import access, listing
from data.base.access import Actor, Rows
from data.buildings import Building, Dwelling
from data.households import Household, Resident, homes, lookups, masked, residents
from data.incidents import Incident
from data.units import Level, Unit
from spatial import spelling

LONGEST = 100
"""More letters than this are no search."""
_EACH = 6
_EXACT, _BEGINS, _HOLDS = 1.0, 0.7, 0.4


class Kind(StrEnum):
    """What is found; also the word in the addresses of its pages."""

    UNITS = "units"
    GRIDS = "grids"
    BUILDINGS = "buildings"
    INCIDENTS = "incidents"
    HOUSEHOLDS = "households"
    RESIDENTS = "residents"


@dataclass(frozen=True)
class Found:
    """One thing that was found.

    Attributes
    ----------
    score
        How well it fits, 0 to 1.
    facts
        Its columns, for wording; personal ones masked.
    point, bounds
        Where it is: longitude and latitude, or west, south, east, north (EPSG:4326).
    """

    kind: Kind
    id: int
    score: float
    facts: Mapping[str, Any]
    point: tuple[float, float] | None = None
    bounds: listing.Box | None = None


def find(
    session: Session,
    actor: Actor,
    text: str,
    *,
    community: str | None = None,
    purpose: str | None = None,
    limit: int = 12,
) -> list[Found]:
    """What ``text`` means, the best first.

    Parameters
    ----------
    community
        Only of the community with this code.
    purpose
        What a person is looked up for by identity number or phone; without it nobody is found by a number.

    Raises
    ------
    Invalid, Forbidden, TooManyLookups
        The number may not be looked up.
    """
    term = " ".join(spelling.half_width(spelling.visible(text)).split())[:LONGEST]
    if not term:
        return []
    found = _found(session, actor, term, community)
    if not found and spelling.simplified(term) != term:
        found = _found(session, actor, spelling.simplified(term), community)
    if purpose is not None and lookups.is_number(term):
        found += _numbered(session, actor, term, community, purpose)
    return sorted(found, key=lambda one: -one.score)[:limit]


def _found(session: Session, actor: Actor, term: str, community: str | None) -> list[Found]:
    matches: list[Found] = []
    for permission, look in (
        ("unit.read", _communities),
        ("grid.read", _grids),
        ("building.read", _buildings),
        ("incident.read", _incidents),
        (access.PEOPLE, _households),
        (access.PEOPLE, _residents),
    ):
        if actor.may(permission):
            matches += look(session, actor, term, community)
    return matches


def _fit(term: str, *texts: str | None) -> float:
    """How well the best of ``texts`` fits: it is the term, begins with it, or has it somewhere."""
    wanted = term.casefold()
    known = [text.casefold() for text in texts if text]
    if wanted in known:
        return _EXACT
    return _BEGINS if any(text.startswith(wanted) for text in known) else _HOLDS


def _best_first(term: str, *columns: Any) -> list[ColumnElement[Any]]:
    """To sort by: rows of which a column is the term, then those of which one begins with it, then the others."""
    exact = or_(*(func.lower(column) == term.lower() for column in columns))
    begins = or_(*(column.istartswith(term, autoescape=True) for column in columns))
    return [func.coalesce(exact, False).desc(), func.coalesce(begins, False).desc()]


def _point(row: Row[Any]) -> tuple[float, float] | None:
    return None if row.lon is None else (row.lon, row.lat)


def _box(geom: Any) -> list[Any]:
    edges = {"west": "ST_XMin", "south": "ST_YMin", "east": "ST_XMax", "north": "ST_YMax"}
    return [getattr(func, function)(geom).label(name) for name, function in edges.items()]


def _bounds(row: Row[Any]) -> listing.Box | None:
    return None if row.west is None else (row.west, row.south, row.east, row.north)


def _communities(session: Session, actor: Actor, term: str, community: str | None) -> list[Found]:
    """The communities, for those who see several and look at all of them."""
    if community:
        return []
    held = grids.boundaries().subquery()
    extent = select(func.ST_Extent(held.c.geom)).where(held.c.community_id == Unit.id).scalar_subquery()
    query: Rows = select(Unit.id, Unit.name, Unit.code, *_box(extent)).where(
        Unit.level == Level.COMMUNITY, or_(listing.containing(Unit.name, term), listing.containing(Unit.code, term))
    )
    query = access.visible(query, actor, Unit).order_by(*_best_first(term, Unit.name, Unit.code), Unit.code)
    rows = session.execute(query.limit(_EACH)).all()
    return [
        Found(Kind.UNITS, row.id, _fit(term, row.name, row.code), dict(row._mapping), bounds=_bounds(row))
        for row in rows
    ]


def _grids(session: Session, actor: Actor, term: str, community: str | None) -> list[Found]:
    found = grids.selection(actor, grids.Filter(community=community, text=term)).subquery()
    query = select(found.c.id, found.c.name, found.c.code, found.c.community_name, *_box(found.c.geom))
    rows = session.execute(
        query.order_by(*_best_first(term, found.c.name, found.c.code), found.c.code).limit(_EACH)
    ).all()
    return [
        Found(Kind.GRIDS, row.id, _fit(term, row.name, row.code), dict(row._mapping), bounds=_bounds(row))
        for row in rows
    ]


def _buildings(session: Session, actor: Actor, term: str, community: str | None) -> list[Found]:
    """Buildings by number, name or address as it is typed, and those that the term means as an address."""
    seen = buildings.selection(actor, buildings.Filter(community=community))
    scores: dict[int, float] = {}
    doors: dict[int, int] = {}
    for candidate in locating.candidates(session, seen, term):
        scores[candidate.building_id] = candidate.score
        if candidate.dwelling_id:
            doors[candidate.building_id] = candidate.dwelling_id
    told = (Building.number, Building.name, Building.code, Building.address)
    spelled = buildings.selection(actor, buildings.Filter(community=community, text=term))
    order = (*_best_first(term, *told), buildings.SORTS["number"], Building.id)
    for row in session.execute(spelled.order_by(*order).limit(_EACH)):
        fits = _fit(term, row.number, row.name, row.code, row.address)
        scores[row.id] = max(fits, scores.get(row.id, 0.0))
    best = sorted(scores, key=lambda building_id: -scores[building_id])[:_EACH]
    rows = {row.id: row for row in session.execute(seen.where(Building.id.in_(best)))}
    rooms = {
        row.id: {"unit": row.unit, "room": row.room}
        for row in session.execute(
            select(Dwelling.id, Dwelling.unit, Dwelling.room).where(Dwelling.id.in_(doors.values()))
        )
    }
    return [
        Found(
            Kind.BUILDINGS, at, scores[at], {**rows[at]._mapping, **rooms.get(doors.get(at, 0), {})}, _point(rows[at])
        )
        for at in best
    ]


def _incidents(session: Session, actor: Actor, term: str, community: str | None) -> list[Found]:
    query = incidents.selection(actor, incidents.Filter(community=community, text=term))
    order = (*_best_first(term, Incident.number), Incident.reported_at.desc(), Incident.id)
    rows = session.execute(query.order_by(*order).limit(_EACH)).all()
    return [Found(Kind.INCIDENTS, row.id, _fit(term, row.number), dict(row._mapping), _point(row)) for row in rows]


def _households(session: Session, actor: Actor, term: str, community: str | None) -> list[Found]:
    """Households by their number alone: by their building they are found through it."""
    term = spelling.key(term)
    begins = Household.number.istartswith(term, autoescape=True)
    query = homes.selection(actor, homes.Filter(community=community)).where(begins)
    query = query.order_by(func.length(Household.number), Household.number).limit(_EACH)
    rows = _told(session, query, "number", "head_name")
    return [
        Found(Kind.HOUSEHOLDS, row.id, _fit(term, row.number), masked(dict(row._mapping)), _point(row)) for row in rows
    ]


def _residents(session: Session, actor: Actor, term: str, community: str | None) -> list[Found]:
    """Residents by a name or part of one, as far as names are shown to the actor; by a number see :func:`find`."""
    every = residents.selection(actor, residents.Filter(community=community))
    exact = every.where(lookups.named_in_full(actor, term)).order_by(*_best_first(term, Resident.name), Resident.id)
    found = [_resident(row, _fit(term, row.name)) for row in _told(session, exact.limit(_EACH), *_OF_RESIDENTS)]
    # How well a name fits is told by its place among the others, so what is not shown does not count.
    alike = every.where(lookups.named_as_shown(actor, term)).order_by(Resident.id).limit(_EACH - len(found))
    return found + [_resident(row, _HOLDS) for row in _told(session, alike, *_OF_RESIDENTS)]


def _numbered(session: Session, actor: Actor, term: str, community: str | None, purpose: str) -> list[Found]:
    ids = lookups.lookup(session, actor, term, purpose, community=community)
    query = residents.selection(actor, residents.Filter(ids=ids)).order_by(Resident.id).limit(_EACH)
    return [_resident(row, _EXACT) for row in _told(session, query, *_OF_RESIDENTS)]


_OF_RESIDENTS = ("name", "household_number")


def _resident(row: Row[Any], score: float) -> Found:
    return Found(Kind.RESIDENTS, row.id, score, masked(dict(row._mapping)), _point(row))


def _told(session: Session, query: Rows, *names: str) -> list[Row[Any]]:
    """The rows of a selection of people with only what is told about them: nothing else is fetched and decrypted."""
    found = query.subquery()
    where = ("id", "building_number", "unit", "room", "grid_name", "lon", "lat")
    return list(session.execute(select(*(found.c[name] for name in (*names, *where)))).all())
