"""Place codes: what the QR code on a building, or on a grid's service card 便民服务卡, stands for.

A code is opaque: it tells nothing about the place and cannot be counted up. It stands in the open on a wall, so it is
no secret. A code that was torn off or abused is replaced; the old one leads nowhere from then on.

What a code leads to, and the ground around it, is for visitors: ``communities``, ``community``, ``place``, ``near`` and
``ground`` run on a session without walls and tell only what stands in every street: buildings with their numbers, the
outlines of grids, roads. Nobody's name, nobody's home.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Row, func, literal, select, text
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from data import buildings, grids, units
from data.assets import Asset
from data.base import access, db
from data.base.access import SYSTEM, Actor, Rows
from data.base.errors import NotFound
from data.base.language import _
from data.basemaps import Basemap, GroundKind
from data.buildings import Building, BuildingKind

#: Neither letters nor digits that look like others: what is read off a sheet or a screen is typed right.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 8


class PlaceCodeNotFound(NotFound):
    """There is no such code, or it was replaced."""


class CodeKind(StrEnum):
    """Where a code is put up."""

    BUILDING = "building"
    CARD = "card"


class PlaceCode(db.Dated, db.Table):
    """A code and its place: a building, or the grid that a service card is for."""

    __tablename__ = "place_code"
    __read__ = "building.read"
    __table_args__ = (
        CheckConstraint("kind IN ('building', 'card')", name="kind"),
        CheckConstraint("(kind = 'building') = (building_id IS NOT NULL)", name="building"),
        CheckConstraint("(kind = 'card') = (grid_id IS NOT NULL)", name="card"),
        Index("uq_place_code_building_id", "building_id", unique=True, postgresql_where=text("active")),
        Index("uq_place_code_grid_id", "grid_id", unique=True, postgresql_where=text("active")),
        Index("ix_place_code_community_id", "community_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    kind: Mapped[str]
    building_id: Mapped[int | None] = mapped_column(ForeignKey("building.id", ondelete="CASCADE"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(unique=True)
    active: Mapped[bool] = mapped_column(server_default=text("true"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A code lies where its building or its grid does."""
        of_building = cls.building_id.in_(select(Building.id).where(Building.within(area)))
        return access.in_area(area, cls.community_id, cls.grid_id) | of_building


def read(session: Session, code: str) -> PlaceCode:
    """The code that somebody scanned or typed; capitals and blanks do not matter. For visitors: no walls.

    Raises
    ------
    PlaceCodeNotFound
    """
    plain = "".join(letter for letter in code.upper() if letter in ALPHABET)
    found = session.scalar(select(PlaceCode).where(PlaceCode.code == plain, PlaceCode.active))
    if found is None:
        raise PlaceCodeNotFound(_("This code leads nowhere any more. Choose the community instead."))
    return found


def get(session: Session, actor: Actor, code_id: int) -> PlaceCode:
    """The code with this id.

    Raises
    ------
    PlaceCodeNotFound
    """
    found = session.scalar(access.visible(select(PlaceCode).where(PlaceCode.id == code_id), actor, PlaceCode))
    if found is None:
        raise PlaceCodeNotFound(_("Not found, or outside your area."))
    return found


def selection(actor: Actor, community_id: int, kind: CodeKind) -> Rows:
    """The codes of a community that are up, a row each, with ``number name address`` of the building and ``grid_name``.

    A building's grid is the one it lies in today.
    """
    grid = aliased(units.Unit)
    query: Rows = (
        select(
            PlaceCode.id,
            PlaceCode.code,
            PlaceCode.kind,
            PlaceCode.building_id,
            grid.id.label("grid_id"),
            grid.name.label("grid_name"),
            Building.number,
            Building.name,
            Building.address,
            Building.code.label("building_code"),
        )
        .outerjoin(Building, Building.id == PlaceCode.building_id)
        .outerjoin(grid, grid.id == func.coalesce(PlaceCode.grid_id, Building.grid_id))
        .where(PlaceCode.community_id == community_id, PlaceCode.kind == kind, PlaceCode.active)
    )
    order: Sequence[Any] = (grid.code, buildings.SORTS["number"], PlaceCode.id)
    return access.visible(query.order_by(*order), actor, PlaceCode)


def listed(
    session: Session, actor: Actor, community_id: int, kind: CodeKind, *, code_id: int | None = None
) -> Sequence[Row[Any]]:
    """The codes of ``selection``, or one of them."""
    query = selection(actor, community_id, kind)
    return session.execute(query if code_id is None else query.where(PlaceCode.id == code_id)).all()


def _without(actor: Actor, community_id: int) -> tuple[Rows, Rows]:
    """The buildings people live in, and the grids, of a community that have no code up."""
    coded = select(PlaceCode.building_id).where(PlaceCode.building_id.is_not(None), PlaceCode.active)
    lived_in = access.visible(select(Building.id), actor, Building, "building.edit").where(
        Building.community_id == community_id, Building.kind == BuildingKind.RESIDENTIAL, Building.id.not_in(coded)
    )
    carded = select(PlaceCode.grid_id).where(PlaceCode.grid_id.is_not(None), PlaceCode.active)
    plain = select(units.Unit.id).where(
        units.Unit.community_id == community_id, units.Unit.level == units.Level.GRID, units.Unit.id.not_in(carded)
    )
    return lived_in.order_by(Building.id), plain.order_by(units.Unit.id)


def missing(session: Session, actor: Actor, community_id: int) -> int:
    """How many codes ``make`` would make."""
    return sum(len(session.scalars(query).all()) for query in _without(actor, community_id))


def make(session: Session, actor: Actor, community: units.Unit) -> int:
    """Make the codes that are missing in a community: for its residential buildings and its grids. Returns how many."""
    access.require(actor, "building.edit", community.id)
    lived_in, plain = _without(actor, community.id)
    made = [
        PlaceCode(community_id=community.id, kind=CodeKind.BUILDING, building_id=one, code=random_code())
        for one in session.scalars(lived_in)
    ] + [
        PlaceCode(community_id=community.id, kind=CodeKind.CARD, grid_id=one, code=random_code())
        for one in session.scalars(plain)
    ]
    session.add_all(made)
    session.flush()
    return len(made)


def replace(session: Session, actor: Actor, old: PlaceCode) -> PlaceCode:
    """Give a place another code; the one that is up leads nowhere from now on."""
    grid_id = old.grid_id
    if old.building_id is not None:
        grid_id = buildings.get(session, SYSTEM, old.building_id).grid_id
    access.require(actor, "building.edit", old.community_id, grid_id)
    old.active = False
    session.flush()
    fresh = PlaceCode(
        community_id=old.community_id,
        kind=old.kind,
        building_id=old.building_id,
        grid_id=old.grid_id,
        code=random_code(),
    )
    session.add(fresh)
    session.flush()
    return fresh


def random_code(length: int = LENGTH) -> str:
    """A random code that is easy to read and to type (31 letters and digits, 5 bits each)."""
    return "".join(random.SystemRandom().choices(ALPHABET, k=length))


@dataclass(frozen=True)
class Place:
    """Where a report is made: a community, and what the code that led there says beyond."""

    community: units.Unit
    code: PlaceCode | None = None
    grid: units.Unit | None = None
    building: Building | None = None


def communities(session: Session) -> list[units.Unit]:
    """The communities that one can report to: all that are divided into grids, by code."""
    divided = select(grids.Division.community_id)
    query = select(units.Unit).where(units.Unit.level == units.Level.COMMUNITY, units.Unit.id.in_(divided))
    return list(session.scalars(query.order_by(units.Unit.code)))


def community(session: Session, code: str) -> Place:
    """The community with this code as a place to report at.

    Raises
    ------
    NotFound
    """
    return Place(units.by_code(session, SYSTEM, code, units.Level.COMMUNITY))


def place(session: Session, code: str) -> Place:
    """What the code on a building or a service card stands for.

    Raises
    ------
    PlaceCodeNotFound
    """
    found = read(session, code)
    where = units.get(session, SYSTEM, found.community_id)
    building = buildings.get(session, SYSTEM, found.building_id) if found.building_id else None
    grid_id = building.grid_id if building else found.grid_id
    grid = units.get(session, SYSTEM, grid_id) if grid_id else None
    return Place(where, found, grid, building)


def homes(session: Session, community_id: int, grid_id: int | None = None) -> list[Building]:
    """The buildings people live in, of a community or one of its grids, by number."""
    query = select(Building).where(
        Building.community_id == community_id, Building.kind == BuildingKind.RESIDENTIAL, Building.grid_id.is_not(None)
    )
    if grid_id is not None:
        query = query.where(Building.grid_id == grid_id)
    return list(session.scalars(query.order_by(buildings.SORTS["number"], Building.id)))


@dataclass(frozen=True)
class Near:
    """What is at a point: the grid, and the building next to it."""

    grid: str | None
    building: Building | None
    distance_m: float | None


def near(session: Session, community_id: int, lon: float, lat: float, reach_m: float = 60) -> Near:
    """The grid that covers a point (degrees, EPSG:4326) and the nearest numbered building within ``reach_m``."""
    grid_id = grids.locate(session, community_id, lon, lat)
    grid = units.get(session, SYSTEM, grid_id).name if grid_id else None
    spot = func.geography(func.ST_SetSRID(func.ST_MakePoint(lon, lat), 4326))
    away = func.ST_Distance(func.geography(Building.geom), spot)
    row = session.execute(
        select(Building, away.label("away"))
        .where(Building.community_id == community_id, Building.number.is_not(None), Building.geom.is_not(None))
        .where(func.ST_DWithin(func.geography(Building.geom), spot, reach_m))
        .order_by(away, Building.id)
        .limit(1)
    ).first()
    return Near(grid, row[0] if row else None, float(row[1]) if row else None)


def numbered(session: Session, community_id: int, number: str) -> tuple[float, float] | None:
    """Where the asset with this number stands (degrees, EPSG:4326); ``None`` when there is none, or several."""
    query = select(func.ST_X(Asset.geom), func.ST_Y(Asset.geom)).where(
        Asset.community_id == community_id, func.lower(Asset.number) == number.strip().lower()
    )
    found = session.execute(query.limit(2)).all()
    return (float(found[0][0]), float(found[0][1])) if len(found) == 1 else None


#: What is drawn under a report: enough to recognise the street, little enough for a phone.
_GROUND = (GroundKind.ROAD, GroundKind.PATH, GroundKind.GREEN, GroundKind.WATER, GroundKind.BUILDING)
_MOST_FEATURES = 4000


def _shortened(geometry: dict[str, Any]) -> dict[str, Any]:
    return {**geometry, "coordinates": shortened(geometry["coordinates"])}


def shortened(coordinates: Any) -> Any:
    """Coordinates of GeoJSON with each line as one list of steps in millionths of a degree.

    >>> shortened([[[120.5, 31.25], [120.500002, 31.25], [120.5, 31.25]]])
    [[120500000, 31250000, 2, 0, -2, 0]]
    """
    if not isinstance(coordinates[0], list):
        return [round(number * 1_000_000) for number in coordinates]
    if isinstance(coordinates[0][0], list):
        return [shortened(part) for part in coordinates]
    whole = [[round(number * 1_000_000) for number in pair[:2]] for pair in coordinates]
    return [
        step
        for before, pair in zip([[0, 0], *whole], whole, strict=False)
        for step in (pair[0] - before[0], pair[1] - before[1])
    ]


def ground(session: Session, community_id: int) -> dict[str, Any]:
    """A community's ground to point at, as GeoJSON of short numbers: ``kind``, and ``name`` of roads and buildings.

    Coordinates are whole millionths of a degree (EPSG:4326), in one list a line: the first pair, then from each to the
    next (``shortened``). It is a third less for a phone to load.

    Kinds are those of the ground, ``residential`` and ``other`` buildings, and ``grid``, whose outlines lie on top.
    """

    def features(query: Any) -> list[dict[str, Any]]:
        return [
            {
                "type": "Feature",
                "properties": {"kind": row.kind, "name": row.name, **({"width_m": row.width_m} if row.width_m else {})},
                "geometry": _shortened(json.loads(row.shape)),
            }
            for row in session.execute(query.limit(_MOST_FEATURES))
        ]

    drawn = select(
        Basemap.kind, Basemap.name, Basemap.width_m, func.ST_AsGeoJSON(Basemap.geom, 6).label("shape")
    ).where(Basemap.community_id == community_id, Basemap.kind.in_(_GROUND))
    built = select(
        Building.kind,
        Building.number.label("name"),
        literal(None).label("width_m"),
        func.ST_AsGeoJSON(Building.geom, 6).label("shape"),
    ).where(Building.community_id == community_id, Building.geom.is_not(None))
    held = grids.boundaries(community_id).subquery()
    outlined = select(
        literal("grid").label("kind"),
        units.Unit.name,
        literal(None).label("width_m"),
        func.ST_AsGeoJSON(held.c.geom, 6).label("shape"),
    ).join(units.Unit, units.Unit.id == held.c.grid_id)
    found = [one for query in (drawn, built, outlined) for one in features(query)]
    return {"type": "FeatureCollection", "features": found}
