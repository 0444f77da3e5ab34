"""Buildings 楼栋 and their dwellings 房屋.

A building lies in one grid; a dwelling lies in a building. So a redraw of grids moves buildings and nothing below.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import shapely
from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import from_shape, to_shape
from shapely import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Row,
    UniqueConstraint,
    case,
    cast,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import grids, units
from data.base import access, db, listing
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.grids import LocatedBy, UnlocatedReason


class BuildingNotFound(NotFound):
    """There is no such building, or it is outside the actor's area."""


class DwellingNotFound(NotFound):
    """There is no such dwelling, or it is outside the actor's area."""


class BuildingKind(StrEnum):
    """What a building is for."""

    RESIDENTIAL = "residential"
    OTHER = "other"


class Use(StrEnum):
    """Who lives in a dwelling."""

    OWNER = "owner"
    RENTED = "rented"
    VACANT = "vacant"
    OTHER = "other"


def kind_names() -> dict[str, str]:
    """What a building is for."""
    return {"residential": _("Residential"), "other": _("Other use")}


def use_names() -> dict[str, str]:
    """Who lives in a dwelling."""
    return {"owner": _("Owner"), "rented": _("Rented"), "vacant": _("Vacant"), "other": _("Another use")}


def called(number: str | None, name: str | None = None, code: str | None = None) -> str:
    """What a building is called: ``18 号楼``; its name when it has no number, else its code."""
    if number and re.fullmatch(r"\d+[A-Za-z]?", number):
        return _("Building {number}", number=number)
    return number or name or code or "—"


class Building(db.Dated, db.Table):
    """A building: a footprint or a point, or an address that is still to be placed."""

    __tablename__ = "building"
    __read__ = "building.read"
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        UniqueConstraint("id", "community_id"),
        CheckConstraint("kind IN ('residential', 'other')", name="kind"),
        CheckConstraint("located_by IN ('point', 'address', 'nearest', 'manual')", name="located_by"),
        CheckConstraint(
            "unlocated_reason IN ('outside', 'ambiguous', 'no_such_building', 'no_place')", name="unlocated_reason"
        ),
        CheckConstraint("(grid_id IS NULL) = (unlocated_reason IS NOT NULL)", name="located"),
        CheckConstraint("GeometryType(geom) IN ('POLYGON', 'MULTIPOLYGON', 'POINT')", name="geom"),
        Index("ix_building_geom", "geom", postgresql_using="gist"),
        Index("ix_building_point", "point", postgresql_using="gist"),
        Index("ix_building_address", "address", postgresql_using="gin", postgresql_ops={"address": "gin_trgm_ops"}),
        Index("ix_building_community_id_number", "community_id", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    #: The natural key within the community: the number, or the source's own id.
    code: Mapped[str]
    number: Mapped[str | None]
    name: Mapped[str | None]
    address: Mapped[str | None]
    kind: Mapped[str] = mapped_column(server_default=BuildingKind.RESIDENTIAL)
    floors: Mapped[int | None]
    unit_count: Mapped[int | None]
    geom: Mapped[WKBElement | None] = mapped_column(Geometry("GEOMETRY", 4326, spatial_index=False))
    #: A point inside the footprint, by which the building is located.
    point: Mapped[WKBElement | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    located_by: Mapped[str | None]
    located_score: Mapped[float | None]
    unlocated_reason: Mapped[str | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A building lies in its community and its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)


class Dwelling(db.Dated, db.Table):
    """A dwelling: one door, named by unit and room."""

    __tablename__ = "dwelling"
    __read__ = "building.read"
    __table_args__ = (
        UniqueConstraint("building_id", "unit", "room", postgresql_nulls_not_distinct=True),
        UniqueConstraint("id", "community_id"),
        ForeignKeyConstraint(
            ["building_id", "community_id"], ["building.id", "building.community_id"], onupdate="CASCADE"
        ),
        CheckConstraint("use IN ('owner', 'rented', 'vacant', 'other')", name="use"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(index=True)
    building_id: Mapped[int]
    unit: Mapped[str | None]
    floor: Mapped[int | None]
    room: Mapped[str]
    use: Mapped[str] = mapped_column(server_default=Use.OWNER)
    area_m2: Mapped[Decimal | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A dwelling lies where its building lies."""
        return placed_in_building(area, cls.community_id, cls.building_id)


db.sentences["uq_building_community_id_code"] = "Another building of this community already has this code."
db.sentences["uq_dwelling_building_id_unit_room"] = "This building already has a dwelling of this unit and room."
db.sentences["fk_dwelling_building_id_community_id"] = "The building still has dwellings, or there is no such building."


def placed_in_building(area: access.Area, community_id: Any, building_id: Any) -> ColumnElement[bool]:
    """The condition that what belongs to a building lies in ``area``."""
    inside: ColumnElement[bool] = access.in_area(area, community_id)
    if not area.single:
        return inside
    return or_(inside, building_id.in_(select(Building.id).where(Building.grid_id.in_(sorted(area.single)))))


def get(session: Session, actor: Actor, building_id: int) -> Building:
    """The building with this id.

    Raises
    ------
    BuildingNotFound
    """
    found = session.scalar(access.visible(select(Building).where(Building.id == building_id), actor, Building))
    if found is None:
        raise BuildingNotFound(_("Not found, or outside your area."))
    return found


def get_dwelling(session: Session, actor: Actor, dwelling_id: int) -> Dwelling:
    """The dwelling with this id.

    Raises
    ------
    DwellingNotFound
    """
    found = session.scalar(access.visible(select(Dwelling).where(Dwelling.id == dwelling_id), actor, Dwelling))
    if found is None:
        raise DwellingNotFound(_("Not found, or outside your area."))
    return found


def floor_in(room: str) -> int | None:
    """The floor that a room number tells: 501 and 1203 begin with it.

    >>> floor_in("501"), floor_in("1203"), floor_in("3")
    (5, 12, None)
    """
    number = re.fullmatch(r"(\d{1,2})\d{2}", room)
    return int(number[1]) if number else None


def dwellings(session: Session, actor: Actor, building_id: int) -> list[Dwelling]:
    """The dwellings of a building, by unit, floor and room."""
    query = access.visible(select(Dwelling).where(Dwelling.building_id == building_id), actor, Dwelling)
    return list(session.scalars(query.order_by(Dwelling.unit, Dwelling.floor, Dwelling.room)))


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which buildings: codes of community and grid, kinds, a box, a text, and whether they have a place."""

    community: str | None = None
    grid: str | None = None
    kinds: tuple[str, ...] | None = None
    box: listing.Box | None = None
    text: str | None = None
    located: bool | None = None


_AFTER_ALL = cast(2**62, BigInteger)
#: What buildings can be sorted by.
SORTS: dict[str, Any] = {
    "id": Building.id,
    "code": Building.code,
    # What has no number (a shop, a shed) comes after what has one.
    "number": case((Building.number.is_(None), _AFTER_ALL), else_=listing.number_in(Building.number)),
    "name": func.coalesce(Building.name, ""),
    "updated": Building.updated_at,
}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The buildings the actor may see, a row each: the columns without shapes, and ``grid_code grid_name lon lat``."""
    wanted = wanted or Filter()
    query = access.visible(rows(), actor, Building)
    query = units.narrowed(query, Building.community_id, Building.grid_id, wanted.community, wanted.grid)
    if wanted.kinds is not None:
        query = query.where(Building.kind.in_(wanted.kinds))
    if wanted.box:
        query = query.where(listing.in_box(Building.geom, wanted.box))
    if wanted.text:
        texts = (Building.number, Building.name, Building.code, Building.address)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    if wanted.located is not None:
        query = query.where(Building.grid_id.is_not(None) if wanted.located else Building.grid_id.is_(None))
    return query


def rows() -> Rows:
    """All buildings as ``selection`` gives them, for one that the actor was already shown to see."""
    return select(
        *listing.columns(Building, without=("geom", "point")),
        units.Unit.code.label("grid_code"),
        units.Unit.name.label("grid_name"),
        func.ST_X(Building.point).label("lon"),
        func.ST_Y(Building.point).label("lat"),
    ).outerjoin(units.Unit, units.Unit.id == Building.grid_id)


def row(session: Session, building: Building) -> Row[Any]:
    """A building as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Building.id == building.id)).one()


def titles(session: Session, actor: Actor, ids: Collection[int]) -> Sequence[Row[Any]]:
    """What those of these buildings that the actor may see are called: ``id number name code``, in no order."""
    query: Rows = select(Building.id, Building.number, Building.name, Building.code).where(Building.id.in_(ids))
    return session.execute(access.visible(query, actor, Building)).all()


def lived_in(session: Session, actor: Actor, community_id: int | None, *, most: int) -> Sequence[Row[Any]]:
    """The buildings of a community that people live in, as rows of ``selection`` by their numbers."""
    query = selection(actor, Filter(kinds=(BuildingKind.RESIDENTIAL,)))
    if community_id is not None:
        query = query.where(Building.community_id == community_id)
    return session.execute(query.order_by(SORTS["number"], Building.id).limit(most)).all()


def drawn_in(session: Session, actor: Actor, grid_ids: Collection[int], *, most: int) -> Sequence[Row[Any]]:
    """The buildings of some grids that have an outline, as rows of ``selection`` with ``geom``, by their numbers."""
    query = selection(actor).add_columns(Building.geom)
    query = query.where(Building.grid_id.in_(grid_ids), Building.geom.is_not(None))
    return session.execute(query.order_by(SORTS["number"], Building.id).limit(most)).all()


def outlines(session: Session, actor: Actor, community_id: int) -> list[BaseGeometry]:
    """The outlines (EPSG:4326) of all buildings of a community that have one."""
    query = access.visible(select(func.ST_AsBinary(Building.geom)), actor, Building)
    drawn = session.scalars(query.where(Building.community_id == community_id, Building.geom.is_not(None)))
    return [shapely.from_wkb(bytes(geom)) for geom in drawn]


def count(session: Session, actor: Actor, community_id: int | None = None) -> int:
    """How many buildings the actor may see, of one community or of all."""
    query: Rows = access.visible(select(func.count()).select_from(Building), actor, Building)
    if community_id is not None:
        query = query.where(Building.community_id == community_id)
    return session.scalar(query) or 0


@dataclass(frozen=True, kw_only=True)
class DwellingFilter:
    """Which dwellings: codes of community and grid, a building, uses, a text."""

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    uses: tuple[str, ...] | None = None
    text: str | None = None


#: What dwellings can be sorted by.
DWELLING_SORTS: dict[str, Any] = {
    "id": Dwelling.id,
    "building": listing.number_in(Building.number),
    "room": listing.number_in(Dwelling.room),
    "updated": Dwelling.updated_at,
}


def dwelling_selection(actor: Actor, wanted: DwellingFilter | None = None) -> Rows:
    """The dwellings the actor may see, a row each, with number and code of the building, grid, lon and lat."""
    wanted = wanted or DwellingFilter()
    query = access.visible(dwelling_rows(), actor, Dwelling)
    query = units.narrowed(query, Dwelling.community_id, Building.grid_id, wanted.community, wanted.grid)
    if wanted.building_id:
        query = query.where(Dwelling.building_id == wanted.building_id)
    if wanted.uses is not None:
        query = query.where(Dwelling.use.in_(wanted.uses))
    if wanted.text:
        texts = (Dwelling.room, Building.number, Building.address)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    return query


def dwelling_rows() -> Rows:
    """All dwellings as ``dwelling_selection`` gives them, for one that the actor was already shown to see."""
    return (
        select(
            *listing.columns(Dwelling),
            Building.number.label("building_number"),
            Building.code.label("building_code"),
            units.Unit.code.label("grid_code"),
            units.Unit.name.label("grid_name"),
            func.ST_X(Building.point).label("lon"),
            func.ST_Y(Building.point).label("lat"),
        )
        .join(Building, Building.id == Dwelling.building_id)
        .outerjoin(units.Unit, units.Unit.id == Building.grid_id)
    )


def dwelling_row(session: Session, dwelling: Dwelling) -> Row[Any]:
    """A dwelling as a row of ``dwelling_rows``, for one that the actor was already shown to see."""
    return session.execute(dwelling_rows().where(Dwelling.id == dwelling.id)).one()


def add(
    session: Session, actor: Actor, *, community: units.Unit, code: str, geom: BaseGeometry | None = None, **values: Any
) -> Building:
    """A new building, located to its grid by its footprint or point (EPSG:4326)."""
    building = Building(community_id=community.id, code=code, **values)
    place(session, building, geom)
    access.require(actor, "building.edit", community.id, building.grid_id)
    session.add(building)
    session.flush()
    return building


def change(session: Session, actor: Actor, building: Building, **values: Any) -> Building:
    """Change fields of a building; ``geom`` (a shapely geometry or ``None``) also locates it anew."""
    access.require(actor, "building.edit", building.community_id, building.grid_id)
    if "geom" in values:
        place(session, building, values.pop("geom"))
        access.require(actor, "building.edit", building.community_id, building.grid_id)
    for name, value in values.items():
        setattr(building, name, value)
    session.flush()
    return building


def place(session: Session, building: Building, geom: BaseGeometry | None, by: LocatedBy = LocatedBy.POINT) -> None:
    """Give a building a footprint or point (EPSG:4326) and the grid that covers its representative point."""
    if geom is None:
        building.geom = building.point = building.grid_id = building.located_by = None
        building.unlocated_reason = UnlocatedReason.NO_PLACE
        return
    flat = shapely.force_2d(geom)
    if flat.geom_type not in ("Polygon", "MultiPolygon", "Point") or flat.is_empty or not flat.is_valid:
        raise Invalid(_("A building is a valid polygon or a point, not {kind}.", kind=flat.geom_type))
    point = flat if isinstance(flat, Point) else flat.representative_point()
    grid_id = grids.locate(session, building.community_id, point.x, point.y)
    building.geom, building.point = from_shape(flat, 4326), from_shape(point, 4326)
    building.grid_id = grid_id
    building.located_by = by if grid_id else None
    building.located_score = 1.0 if grid_id else None
    building.unlocated_reason = None if grid_id else UnlocatedReason.OUTSIDE


def move(session: Session, actor: Actor, building: Building, *, lon: float, lat: float) -> Building:
    """Put a building by hand to a point (degrees, EPSG:4326): it lies in the grid that covers that.

    A footprint stays where it was drawn, for instance across the edge of the community; only a building without one
    is moved to the point.
    """
    access.require(actor, "building.edit", building.community_id, building.grid_id)
    outline, drawn = shape(building), building.geom
    place(session, building, Point(lon, lat), by=LocatedBy.MANUAL)
    if outline is not None and outline.geom_type != "Point":
        building.geom = drawn
    access.require(actor, "building.edit", building.community_id, building.grid_id)
    session.flush()
    return building


def remove(session: Session, actor: Actor, building: Building) -> None:
    """Remove a building that nothing refers to any more."""
    access.require(actor, "building.edit", building.community_id, building.grid_id)
    session.delete(building)
    session.flush()


def add_dwelling(session: Session, actor: Actor, building: Building, **values: Any) -> Dwelling:
    """A new dwelling in ``building``."""
    access.require(actor, "building.edit", building.community_id, building.grid_id)
    dwelling = Dwelling(building_id=building.id, community_id=building.community_id, **values)
    session.add(dwelling)
    session.flush()
    return dwelling


def change_dwelling(session: Session, actor: Actor, dwelling: Dwelling, **values: Any) -> Dwelling:
    """Change fields of a dwelling."""
    building = get(session, actor, dwelling.building_id)
    access.require(actor, "building.edit", building.community_id, building.grid_id)
    for name, value in values.items():
        setattr(dwelling, name, value)
    session.flush()
    return dwelling


def remove_dwelling(session: Session, actor: Actor, dwelling: Dwelling) -> None:
    """Remove a dwelling that nobody is registered in."""
    building = get(session, actor, dwelling.building_id)
    access.require(actor, "building.edit", building.community_id, building.grid_id)
    session.delete(dwelling)
    session.flush()


def shape(building: Building) -> BaseGeometry | None:
    """The building's geometry (EPSG:4326)."""
    return None if building.geom is None else to_shape(building.geom)
