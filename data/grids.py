"""Grids 网格: how a community is divided, and where a place lies in it.

A *division* is one dated partition of a community into grids. It is one row, so that the database itself can refuse
what must never be: two grids of a community that overlap (a check on the row) and two divisions that hold at the same
time (an exclusion constraint). The view ``grid_boundary`` has one row a grid and division, for reading.

Points are located by cover. A point on the edge between grids belongs to the one with the lowest code; the same rule
holds in ``spatial.locating``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
import shapely
from geoalchemy2 import Geometry
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry
from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    Row,
    Select,
    bindparam,
    cast,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, INTEGER, ExcludeConstraint, Range, array
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from data import units
from data.base import access, audit, db, listing, settings
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid, NotFound
from data.base.language import _
from spatial.datums import reproject


class GridNotFound(NotFound):
    """There is no such grid, or it is outside the actor's area."""


class LocatedBy(StrEnum):
    """How a record came to its place."""

    POINT = "point"
    ADDRESS = "address"
    NEAREST = "nearest"
    MANUAL = "manual"


class UnlocatedReason(StrEnum):
    """Why a record has no place in a grid."""

    OUTSIDE = "outside"
    AMBIGUOUS = "ambiguous"
    NO_SUCH_BUILDING = "no_such_building"
    NO_PLACE = "no_place"


class Division(db.Dated, db.Table):
    """One dated partition of a community into grids; ``grid_ids[i]`` has the boundary ``geoms[i]``."""

    __tablename__ = "division"
    __read__ = "grid.read"
    __table_args__ = (
        CheckConstraint("cardinality(grid_ids) = cardinality(geoms)", name="lengths"),
        CheckConstraint("NOT isempty(valid)", name="valid"),
        CheckConstraint("wangge_overlap_m2(geoms) = 0", name="overlap"),
        ExcludeConstraint(("community_id", "="), ("valid", "&&"), name="ex_division_valid", using="gist"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)
    grid_ids: Mapped[list[int]] = mapped_column(ARRAY(INTEGER))
    geoms: Mapped[Any] = mapped_column(ARRAY(Geometry("MULTIPOLYGON", 4326, spatial_index=False)), deferred=True)

    @classmethod
    def within(cls, area: access.Area) -> Any:
        """A division lies in its community, or in the community of any of its grids."""
        return access.in_area(area, cls.community_id) | cls.grid_ids.overlap(sorted(area.single))


db.sentences["ck_division_overlap"] = "Two grids overlap. Draw them edge to edge."
db.sentences["ex_division_valid"] = "Another division of this community holds at the same time."

#: Reading only: one row for each grid of each division. Kept out of the tables' metadata, because it is a view.
boundary = SqlTable(
    "grid_boundary",
    MetaData(),
    Column("grid_id", Integer),
    Column("community_id", Integer),
    Column("valid", DATERANGE),
    Column("geom", Geometry("MULTIPOLYGON", 4326)),
)


def boundaries(community_id: int | None = None, on: date | None = None) -> Select[Any]:
    """``SELECT grid_id, community_id, geom`` of the division that holds on a day (today by default)."""
    # Asked of the database, because statements are kept for longer than a day.
    today = func.timezone(settings.get().timezone, func.now())
    day = cast(today if on is None else on, Date)
    query = select(boundary.c.grid_id, boundary.c.community_id, boundary.c.geom).where(boundary.c.valid.contains(day))
    return query if community_id is None else query.where(boundary.c.community_id == community_id)


def get(session: Session, actor: Actor, grid_id: int) -> units.Unit:
    """The grid with this id.

    Raises
    ------
    GridNotFound
    """
    found = session.scalar(
        access.visible(
            select(units.Unit).where(units.Unit.id == grid_id, units.Unit.level == units.Level.GRID), actor, units.Unit
        )
    )
    if found is None:
        raise GridNotFound(_("Not found, or outside your area."))
    return found


def shapes(session: Session, community_id: int, on: date | None = None) -> dict[int, BaseGeometry]:
    """The boundary of each grid (EPSG:4326) on a day, by the order of the grids' codes."""
    held = boundaries(community_id, on).subquery()
    rows = session.execute(
        select(held.c.grid_id, func.ST_AsBinary(held.c.geom))
        .join(units.Unit, units.Unit.id == held.c.grid_id)
        .order_by(units.Unit.code)
    )
    return {grid_id: shapely.from_wkb(bytes(geom)) for grid_id, geom in rows}


def divide(
    session: Session,
    actor: Actor,
    community: units.Unit,
    shapes_by_grid: Mapping[int, BaseGeometry],
    *,
    valid_from: date | None = None,
) -> Division:
    """Divide ``community`` anew from a day on (today by default), and move its buildings and incidents accordingly.

    The division that held until then ends on that day; one that began on the same day is replaced.

    Parameters
    ----------
    shapes_by_grid
        Polygons or multipolygons in EPSG:4326 by grid id.

    Raises
    ------
    Invalid
        A shape is no polygon, or lies where the community's metric system ends, or a later division exists already.
    Conflict
        Two shapes overlap (by more than 0.01 m²).
    """
    access.require(actor, "grid.edit", community.id)
    known = select(units.Unit.id).where(units.Unit.community_id == community.id, units.Unit.level == units.Level.GRID)
    if strangers := set(shapes_by_grid) - set(session.scalars(known)):
        raise Invalid(_("Some of these are no grids of {name}.", name=community.name), grids=sorted(strangers))
    day = valid_from or settings.today()
    multis = [_multipolygon(geom) for geom in shapes_by_grid.values()]
    flat = reproject(np.array(multis, dtype=object), "EPSG:4326", community.metric_crs)
    if not np.isfinite(shapely.bounds(flat)).all():
        raise Invalid(
            _(
                "A boundary lies where {crs}, in which {name} is measured, has no coordinates. Check the coordinates "
                "of the file, or choose another system for the community.",
                crs=community.metric_crs,
                name=community.name,
            )
        )
    before = shapes(session, community.id, day)
    later = session.scalar(
        select(Division.id).where(Division.community_id == community.id, func.lower(Division.valid) > day)
    )
    if later:
        raise Invalid(_("There is already a division that begins after {day}. Remove it first.", day=day.isoformat()))
    session.execute(
        text("DELETE FROM division WHERE community_id = :community AND lower(valid) = :day"),
        {"community": community.id, "day": day},
    )
    session.execute(
        update(Division)
        .where(Division.community_id == community.id, Division.valid.contains(day))
        .values(valid=func.daterange(func.lower(Division.valid), day))
        .execution_options(synchronize_session=False)
    )
    division_id = session.scalar(
        text(
            "INSERT INTO division (community_id, valid, grid_ids, geoms) SELECT :community, daterange(:day, NULL), "
            ":grids, array(SELECT ST_GeomFromWKB(g, 4326) "
            "FROM unnest(CAST(:geoms AS bytea[])) WITH ORDINALITY AS u(g, i) ORDER BY i) RETURNING id"
        ),
        {
            "community": community.id,
            "day": day,
            "grids": list(shapes_by_grid),
            "geoms": [shapely.to_wkb(g) for g in multis],
        },
    )
    audit.record(
        session,
        actor,
        "divide",
        "division",
        division_id,
        community_id=community.id,
        changes={"grids": [None, list(shapes_by_grid)], "valid": [None, [day.isoformat(), None]]},
    )
    _record_redraws(session, actor, community, before, shapes_by_grid, day)
    relocate(session, community.id, since=day)
    division = session.get(Division, division_id)
    assert division is not None
    return division


def _record_redraws(
    session: Session,
    actor: Actor,
    community: units.Unit,
    before: Mapping[int, BaseGeometry],
    after: Mapping[int, BaseGeometry],
    day: date,
) -> None:
    """Write into the history of each grid whose boundary is another from a day on how large it was, and is."""
    for grid_id in sorted({*before, *after}):
        old, new = before.get(grid_id), after.get(grid_id)
        if old is not None and new is not None and old.equals_exact(new, 1e-8, normalize=True):
            continue
        pair = [_area_m2(geom) for geom in (old, new)]
        audit.record(
            session,
            actor,
            "redraw",
            "unit",
            grid_id,
            community_id=community.id,
            changes={"area_m2": pair, "valid_from": [None, day.isoformat()]},
        )


def _area_m2(geom: BaseGeometry | None) -> float | None:
    """On the ellipsoid, wherever on earth it lies; ``geom`` is in degrees (EPSG:4326)."""
    from pyproj import Geod

    if geom is None:
        return None
    area_m2, _perimeter_m = Geod(ellps="WGS84").geometry_area_perimeter(shapely.orient_polygons(geom))
    return round(abs(area_m2), 1)


def _multipolygon(geom: BaseGeometry) -> BaseGeometry:
    flat: BaseGeometry = shapely.force_2d(geom)
    if isinstance(flat, Polygon):
        flat = MultiPolygon([flat])
    if flat.geom_type != "MultiPolygon" or flat.is_empty:
        raise Invalid(_("A grid’s boundary must be a polygon, not {kind}.", kind=geom.geom_type))
    return flat


def divisions(session: Session, actor: Actor, community_id: int) -> list[Division]:
    """The divisions of a community, the newest first, without their shapes."""
    query = access.visible(select(Division).where(Division.community_id == community_id), actor, Division)
    return list(session.scalars(query.order_by(func.lower(Division.valid).desc())))


def remove(session: Session, actor: Actor, grid: units.Unit) -> None:
    """Remove a grid that is in no division any more, past ones included.

    Raises
    ------
    Conflict
    """
    if session.scalar(select(Division.id).where(Division.grid_ids.contains([grid.id])).limit(1)):
        raise Conflict(
            _("{name} is part of a division of its community. Draw the community without it.", name=grid.name)
        )
    units.remove(session, actor, grid)


def outline(unit_id: Any, on: date | None = None) -> Any:
    """The expression for the outline of a unit on a day: of a grid its boundary, above that the union of its grids."""
    below = aliased(units.Unit)
    held = boundaries(on=on).subquery()
    inside = select(below.id).where(below.path.contains(array([unit_id]))).correlate(units.Unit)
    union = select(func.ST_Union(held.c.geom)).where(held.c.grid_id.in_(inside)).scalar_subquery()
    # A function around it, because GeoAlchemy takes a bare subquery inside ST_AsGeoJSON for a whole row.
    return func.ST_Multi(union)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which grids: code of the community, a box, a text, and the day whose division is meant (today by default)."""

    community: str | None = None
    box: listing.Box | None = None
    text: str | None = None
    on: date | None = None


#: What grids can be sorted by.
SORTS: dict[str, Any] = {
    "code": units.Unit.code,
    "name": units.Unit.name,
    "id": units.Unit.id,
    "updated": units.Unit.updated_at,
}
_community = aliased(units.Unit)


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The grids the actor may see, a row each: the columns of units, ``community_code community_name`` and ``geom``.

    A grid that the day's division does not know has no shape.
    """
    wanted = wanted or Filter()
    unit = units.Unit
    held = boundaries(on=wanted.on).subquery()
    query: Rows = (
        select(
            *listing.columns(unit, without=("path",)),
            _community.code.label("community_code"),
            _community.name.label("community_name"),
            held.c.geom.label("geom"),
        )
        .join(_community, _community.id == unit.community_id)
        .outerjoin(held, held.c.grid_id == unit.id)
        .where(unit.level == units.Level.GRID)
    )
    area = actor.area("grid.read")
    if not area.everywhere:
        # A unit that lies above one's own is seen, but of the grids only one's own.
        query = query.where(access.in_area(area, unit.community_id, unit.id))
    if wanted.community:
        query = query.where(_community.code == wanted.community)
    if wanted.box:
        query = query.where(listing.in_box(held.c.geom, wanted.box))
    if wanted.text:
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in (unit.code, unit.name))))
    return query


def row(session: Session, actor: Actor, grid_id: int) -> Row[Any]:
    """A grid as a row of ``selection``.

    Raises
    ------
    GridNotFound
    """
    grid = session.execute(selection(actor).where(units.Unit.id == grid_id)).one_or_none()
    if grid is None:
        raise GridNotFound(_("Not found, or outside your area."))
    return grid


def relocate(session: Session, community_id: int, *, since: date) -> None:
    """Put the community's buildings, assets, streets, and incidents with a point, into the grids that hold today.

    An incident that was located by its building follows the building. What is settled stays with the grid that settled
    it, and what goes over is remembered with the grid that it was reported in, if that was before the boundaries
    changed (``since``): so past days keep their numbers. What lies in no grid is marked as outside; a piece of street
    beside the grids stays with the one it was beside while that lasts.
    """
    still = "AND (t.grid_id IS NULL OR t.state NOT IN ('closed', 'declined'))"
    zone = settings.get().timezone
    keep = (
        "reported_grid_id = CASE WHEN CAST(timezone(:zone, {0}.reported_at) AS date) < :since "
        "THEN nullif(coalesce({0}.reported_grid_id, {0}.grid_id), {1}.grid_id) ELSE {0}.reported_grid_id END,"
    )
    for table, place, unless, which, kept in (
        ("building", "t.point", "", "", ""),
        ("incident", "t.geom", "address", still, keep.format("t", "f")),
    ):
        session.execute(
            text(
                f"""
                UPDATE {table} t SET grid_id = f.grid_id, {kept}
                    located_by = CASE WHEN f.grid_id IS NULL THEN NULL ELSE coalesce(t.located_by, 'point') END,
                    unlocated_reason = CASE WHEN f.grid_id IS NULL THEN 'outside' END
                FROM (
                    SELECT t.id, g.grid_id
                    FROM {table} t LEFT JOIN LATERAL (
                        SELECT b.grid_id FROM grid_boundary b JOIN unit u ON u.id = b.grid_id
                        WHERE b.community_id = :community AND b.valid @> CAST(:today AS date)
                            AND ST_Covers(b.geom, {place})
                        ORDER BY u.code LIMIT 1
                    ) g ON true
                    WHERE t.community_id = :community AND {place} IS NOT NULL
                        AND coalesce(t.located_by, 'nothing') <> :unless {which}
                ) f
                WHERE f.id = t.id AND (
                    t.grid_id IS DISTINCT FROM f.grid_id OR f.grid_id IS NULL AND t.unlocated_reason IS NULL
                )
                """  # noqa: S608 - the two names are ours
            ),
            {"community": community_id, "unless": unless, "today": settings.today()}
            | ({"zone": zone, "since": since} if kept else {}),
        )
    session.execute(
        text(
            f"UPDATE incident i SET grid_id = b.grid_id, {keep.format('i', 'b')} "  # noqa: S608 - the names are ours
            "unlocated_reason = CASE WHEN b.grid_id IS NULL THEN 'outside' END "
            "FROM building b WHERE b.id = i.building_id "
            "AND i.community_id = :community AND i.located_by = 'address' AND i.grid_id IS DISTINCT FROM b.grid_id "
            "AND (i.grid_id IS NULL OR i.state NOT IN ('closed', 'declined'))"
        ),
        {"community": community_id, "zone": zone, "since": since},
    )
    for table, place in (("asset", "t.geom"), ("street_segment", "ST_LineInterpolatePoint(t.geom, 0.5)")):
        session.execute(
            text(
                f"""
                UPDATE {table} t SET grid_id = f.grid_id
                FROM (
                    SELECT t.id, g.grid_id FROM {table} t LEFT JOIN LATERAL (
                        SELECT b.grid_id FROM grid_boundary b JOIN unit u ON u.id = b.grid_id
                        WHERE b.community_id = :community AND b.valid @> CAST(:today AS date)
                            AND ST_Covers(b.geom, {place})
                        ORDER BY u.code LIMIT 1
                    ) g ON true
                    WHERE t.community_id = :community
                ) f
                WHERE f.id = t.id AND t.grid_id IS DISTINCT FROM f.grid_id
                    AND (f.grid_id IS NOT NULL OR '{table}' = 'asset' OR NOT EXISTS (
                        SELECT FROM grid_boundary b WHERE b.grid_id = t.grid_id AND b.valid @> CAST(:today AS date)))
                """  # noqa: S608 - the two names are ours
            ),
            {"community": community_id, "today": settings.today()},
        )


def locate(session: Session, community_id: int, lon: float, lat: float) -> int | None:
    """The grid that covers a point (degrees, EPSG:4326) today, or ``None`` when none does."""
    found: int | None = session.scalar(_covering(), {"community": community_id, "lon": lon, "lat": lat})
    return found


def held_around(session: Session, community_id: int, building_id: int, first: date, last: date) -> list[int]:
    """The grids in which a building's place lay on any of the days, both included."""
    found = session.scalars(
        text(
            "SELECT DISTINCT g.grid_id FROM grid_boundary g JOIN building b ON ST_Covers(g.geom, b.point) "
            "WHERE b.id = :building AND g.community_id = :community AND g.valid && daterange(:first, :last, '[]')"
        ),
        {"building": building_id, "community": community_id, "first": first, "last": last},
    )
    return list(found)


@cache
def _covering() -> Select[Any]:
    """The grid of a community that covers a point; the statement is made once."""
    held = boundaries().where(boundary.c.community_id == bindparam("community")).subquery()
    point = func.ST_SetSRID(func.ST_MakePoint(bindparam("lon", type_=Double), bindparam("lat", type_=Double)), 4326)
    return (
        select(held.c.grid_id)
        .join(units.Unit, units.Unit.id == held.c.grid_id)
        .where(func.ST_Covers(held.c.geom, point))
        .order_by(units.Unit.code)
        .limit(1)
    )


def community_at(session: Session, lon: float, lat: float) -> int | None:
    """The community whose grids cover a point (degrees, EPSG:4326) today, or ``None``."""
    held = boundaries().subquery()
    point = func.ST_SetSRID(func.ST_MakePoint(lon, lat), 4326)
    covering = select(held.c.community_id).where(func.ST_Covers(held.c.geom, point))
    return session.scalar(covering.order_by(held.c.community_id).limit(1))


def grid_at(session: Session, community_id: int, lon: float, lat: float) -> int | None:
    """The grid of a community that covers a point (degrees, EPSG:4326) today, or ``None``."""
    held = boundaries(community_id).subquery()
    point = func.ST_SetSRID(func.ST_MakePoint(lon, lat), 4326)
    covering = select(held.c.grid_id).where(func.ST_Covers(held.c.geom, point))
    return session.scalar(covering.order_by(held.c.grid_id).limit(1))


def codes(session: Session, grid_ids: Sequence[int]) -> dict[int, str]:
    """The code of each grid."""
    return {
        row.id: row.code
        for row in session.execute(select(units.Unit.id, units.Unit.code).where(units.Unit.id.in_(grid_ids)))
    }
