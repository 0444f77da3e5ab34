"""What stands on a picture: the ground of an area, and its cases with as much as may be shown.

A picture that leaves the house (a file, a link) shows nothing of homes: a case at a building where people live, or
within ``NEAR_M`` of one, has no point there, only a cell with at least ``FEWEST`` cases. Descriptions, addresses and
names of persons never get here at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from geoalchemy2 import Geography
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry
from sqlalchemy import cast, exists, func, select
from sqlalchemy.orm import Session

from data import grids, incidents, patrols, units
from data.base import access, listing, settings
from data.base.access import Actor
from data.basemaps import Basemap
from data.buildings import Building, BuildingKind
from data.incidents import Category, Incident
from data.patrols import Patrol, PatrolPoint

#: A cell with fewer cases shows no number.
FEWEST = 5
#: A case this near to a building where people live counts as a case at a home.
NEAR_M = 10
#: The share of the cases that cells are to show, if they can.
_MOST_SHOWN = 0.8
#: Widths of cells, in metres.
WIDTHS_M = (30, 40, 60, 80, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000)
MOST_BUILDINGS = 4_000
MOST_GROUND = 4_000
MOST_CASES = 50_000
#: Of the surroundings, this share of the area's size is drawn around it.
_MARGIN = 0.2
#: How many times as wide as high a picture may be, and how many times as high as wide.
_WIDE, _TALL = 3.2, 1.2
#: Which of the ground comes first when there is too much of it.
_ORDER = ("water", "green", "road", "landuse", "path", "building", "wall")

#: South, west, north, east in degrees (EPSG:4326).
Bounds = tuple[float, float, float, float]
GeoJson = Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """Something on the ground: GeoJSON (EPSG:4326), what kind it is, what it is called, how wide it is."""

    geometry: GeoJson
    kind: str
    name: str | None = None
    width_m: float | None = None
    id: int | None = None
    #: where its name stands: longitude, latitude
    at: tuple[float, float] | None = None
    #: what is written there, when that is not the whole name
    label: str | None = None


@dataclass(frozen=True)
class Ground:
    """The ground of an area.

    Attributes
    ----------
    name, crs
        What the area is called, and the metric CRS that most of its communities have.
    bounds
        Of its grids.
    communities, grids, buildings, surroundings
        What there is, each in the order in which it is drawn.
    """

    name: str
    crs: str
    bounds: Bounds
    communities: Sequence[Shape] = ()
    grids: Sequence[Shape] = ()
    buildings: Sequence[Shape] = ()
    surroundings: Sequence[Shape] = ()
    area_m2: float = 0.0

    def grid_name(self, grid_id: int | None, otherwise: str | None) -> str | None:
        """What a grid is called here: among several communities after its own."""
        return self._names.get(grid_id, otherwise)

    @cached_property
    def _names(self) -> dict[int | None, str | None]:
        return {shape.id: shape.name for shape in self.grids}


@dataclass(frozen=True)
class Case:
    """A case as a picture knows it. ``home``: it has no point where strangers look."""

    id: int
    number: str
    category_code: str
    category_zh: str
    category_en: str
    state: str
    overdue: bool
    reported_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    lon: float
    lat: float
    grid_id: int | None
    grid_name: str | None
    home: bool


@dataclass(frozen=True)
class Cell:
    """A cell with its cases: their places in the list that was given."""

    geometry: GeoJson
    members: Sequence[int] = field(default=())

    @property
    def count(self) -> int:
        """How many cases lie in it."""
        return len(self.members)


def ground(session: Session, actor: Actor, community: units.Unit | None, name: str) -> Ground:
    """The ground of a community, or of all that the actor may see."""
    held = grids.selection(actor, grids.Filter(community=community.code if community else None)).subquery()
    rows = session.execute(
        select(held.c.id, held.c.name, held.c.community_id, held.c.community_name, func.ST_AsBinary(held.c.geom))
        .where(held.c.geom.is_not(None))
        .order_by(held.c.code)
    ).all()
    if not rows:
        return Ground(name, community.metric_crs if community else units.DEFAULT_METRIC_CRS, (18.0, 73.5, 53.6, 134.8))
    shapes: list[BaseGeometry] = [shapely.from_wkb(bytes(row[4])) for row in rows]
    parts: dict[int, list[BaseGeometry]] = {}
    for row, geom in zip(rows, shapes, strict=True):
        parts.setdefault(row.community_id, []).append(geom)
    called = {row.community_id: row.community_name for row in rows}
    several = len(parts) > 1
    outlines = {community_id: shapely.union_all(geoms) for community_id, geoms in parts.items()}
    crs = units.metric_crs([units.community(session, actor, community_id) for community_id in parts])
    west, south, east, north = shapely.total_bounds(np.array(shapes, dtype=object))
    bounds = (float(south), float(west), float(north), float(east))
    metric = shapely.transform(np.array(shapes, dtype=object), _to_metric(crs), interleaved=False)
    return Ground(
        name=name,
        crs=crs,
        bounds=bounds,
        communities=[
            Shape(geojson(geom), "community", called[community_id], at=_middle(geom) if several else None)
            for community_id, geom in outlines.items()
        ],
        # Every community has a first grid: among several they are told apart by its name, and on the map they are not.
        grids=[
            Shape(
                geojson(geom),
                "grid",
                f"{row.community_name} {row.name}" if several else row.name,
                id=row.id,
                at=_middle(geom),
                label=row.name,
            )
            for row, geom in zip(rows, shapes, strict=True)
        ],
        buildings=_buildings(session, actor, community),
        surroundings=_surroundings(session, actor, bounds),
        area_m2=float(shapely.area(metric).sum()),
    )


def _buildings(session: Session, actor: Actor, community: units.Unit | None) -> list[Shape]:
    """The buildings, those of homes last; none when there are more than a picture can bear."""
    query = select(
        Building.id,
        Building.number,
        Building.kind,
        func.ST_AsGeoJSON(Building.geom, 6),
        func.ST_X(Building.point),
        func.ST_Y(Building.point),
    ).where(func.ST_Dimension(Building.geom) == 2)
    if community:
        query = query.where(Building.community_id == community.id)
    query = access.visible(query, actor, Building).order_by(Building.kind == BuildingKind.RESIDENTIAL, Building.id)
    rows = session.execute(query.limit(MOST_BUILDINGS + 1)).all()
    if len(rows) > MOST_BUILDINGS:
        return []
    return [
        Shape(
            json.loads(geom), "residential" if kind == BuildingKind.RESIDENTIAL else "other", number, id=id_, at=(x, y)
        )
        for id_, number, kind, geom, x, y in rows
    ]


def _surroundings(session: Session, actor: Actor, bounds: Bounds) -> list[Shape]:
    """Roads, greens and water in and around the area, cut to a frame."""
    frame = func.ST_MakeEnvelope(*_frame(bounds), 4326)
    query = (
        select(
            Basemap.kind, Basemap.name, Basemap.width_m, func.ST_AsGeoJSON(func.ST_Intersection(Basemap.geom, frame), 6)
        )
        .where(func.ST_Intersects(Basemap.geom, frame), Basemap.kind.in_(_ORDER))
        .order_by(func.array_position(list(_ORDER), Basemap.kind), Basemap.width_m.desc().nulls_last(), Basemap.id)
    )
    rows = session.execute(access.visible(query, actor, Basemap).limit(MOST_GROUND)).all()
    return [Shape(json.loads(geom), kind, name, width) for kind, name, width, geom in rows]


def _frame(bounds: Bounds) -> tuple[float, float, float, float]:
    """West, south, east, north of what a picture may show of the surroundings: it is rarely as wide as the area."""
    south, west, north, east = bounds
    middle, centre = (south + north) / 2, (west + east) / 2
    across = (east - west) * np.cos(np.deg2rad(middle))
    high = max(north - south, across * _TALL) * (0.5 + _MARGIN)
    wide = max(across, (north - south) * _WIDE) * (0.5 + _MARGIN) / np.cos(np.deg2rad(middle))
    return float(centre - wide), float(middle - high), float(centre + wide), float(middle + high)


def cases(session: Session, actor: Actor, wanted: incidents.Filter) -> list[Case]:
    """The cases with a place, oldest first, at most ``MOST_CASES`` of the newest."""
    near = (
        exists()
        .where(
            Building.kind == BuildingKind.RESIDENTIAL,
            Building.geom.is_not(None),
            func.ST_DWithin(Building.geom, Incident.geom, NEAR_M / 50_000),
            func.ST_DWithin(cast(Building.geom, Geography), cast(Incident.geom, Geography), NEAR_M),
        )
        .correlate(Incident)
    )
    query = (
        select(
            Incident.id,
            Incident.number,
            Incident.category_code,
            Category.name_zh,
            Category.name_en,
            Incident.state,
            Incident.overdue,
            Incident.reported_at,
            Incident.due_at,
            Incident.closed_at,
            func.ST_X(Incident.geom),
            func.ST_Y(Incident.geom),
            Incident.grid_id,
            units.Unit.name,
            Incident.building_id.is_not(None) | near,
        )
        .join(Category, Category.code == Incident.category_code)
        .outerjoin(units.Unit, units.Unit.id == Incident.grid_id)
        .where(Incident.geom.is_not(None))
        .order_by(Incident.reported_at.desc(), Incident.id.desc())
        .limit(MOST_CASES)
    )
    rows = session.execute(incidents.narrowed(query, actor, wanted)).all()
    return [Case(*row) for row in reversed(rows)]


def placeless(session: Session, actor: Actor, wanted: incidents.Filter) -> int:
    """How many cases there are that no picture can show, because they have no place."""
    query = select(func.count()).select_from(Incident).where(Incident.geom.is_(None))
    return session.scalar(incidents.narrowed(query, actor, wanted)) or 0


@dataclass(frozen=True)
class Walk:
    """A patrol without who walked it: the grid, its length, and the points of each part with their instants."""

    grid_id: int | None
    grid_name: str | None
    length_m: float
    parts: Sequence[Sequence[tuple[datetime, float, float]]]


#: What leaves the house tells of a patrol where it was to so many decimals of a degree (about 10 m), and when to so
#: many minutes.
SHARED_DECIMALS, SHARED_MINUTES = 4, 15


def walks(
    session: Session, actor: Actor, community: units.Unit | None, day: date | None, *, shared: bool = False
) -> tuple[date, list[Walk]]:
    """The patrols of a day, by default of the last one on which somebody walked; and that day.

    Parameters
    ----------
    shared
        Whether they leave the house. Then places and times are coarse, so that they say which streets were walked and
        not how somebody moves; else that somebody looked at them is recorded.
    """
    query = patrols.seen_by(
        select(Patrol.id, Patrol.length_m, Patrol.started_at, Patrol.grid_id, units.Unit.name)
        .outerjoin(units.Unit, units.Unit.id == Patrol.grid_id)
        .where(Patrol.geom.is_not(None)),
        actor,
    )
    if community:
        query = query.where(Patrol.community_id == community.id)
    if day is None:
        latest = session.execute(query.order_by(Patrol.started_at.desc()).limit(1)).first()
        zone = ZoneInfo(settings.get().timezone)
        day = latest.started_at.astimezone(zone).date() if latest else settings.today()
    patrolled = session.execute(query.where(*listing.in_period(Patrol.started_at, day, day)).order_by(Patrol.id)).all()
    parts: dict[tuple[int, int], list[tuple[datetime, float, float]]] = {}
    point = PatrolPoint
    kept = (
        select(point.patrol_id, point.part, point.at, point.lon, point.lat)
        .where(point.patrol_id.in_([row.id for row in patrolled]), point.kept)
        .order_by(point.patrol_id, point.part, point.at, point.seq)
    )
    if not shared:
        patrols.looked_at(session, actor, [row.id for row in patrolled])
    for patrol_id, part, at, lon, lat in session.execute(kept):
        if at is None or lon is None or lat is None:
            continue
        way = parts.setdefault((patrol_id, part or 0), [])
        place = _coarse(at, lon, lat) if shared else (at, lon, lat)
        if not shared or not way or way[-1] != place:
            way.append(place)
    return day, [
        Walk(row.grid_id, row.name, row.length_m, [points for (of, _part), points in parts.items() if of == row.id])
        for row in patrolled
    ]


def _coarse(at: datetime, lon: float, lat: float) -> tuple[datetime, float, float]:
    """A place and time as they leave the house."""
    minute = at.minute - at.minute % SHARED_MINUTES
    return (
        at.replace(minute=minute, second=0, microsecond=0),
        round(lon, SHARED_DECIMALS),
        round(lat, SHARED_DECIMALS),
    )


def cells(places: Sequence[tuple[float, float]], ground_: Ground, width_m: float | None = None) -> list[Cell]:
    """Hexagons over the places (longitude, latitude) that fall into them, the fullest first.

    Parameters
    ----------
    width_m
        The distance between flat sides; by default the narrowest in which most of the places are not too few to be
        shown, between about 250 and about 20 of them on the area.
    """
    if not places:
        return []
    from spatial.hotspots import Lattice

    lonlat = np.array(places, dtype=np.float64)
    xy = np.column_stack(_to_metric(ground_.crs)(lonlat[:, 0], lonlat[:, 1]))
    narrow, broad = width_for(ground_.area_m2), width_for(ground_.area_m2, 20)
    for width in (width_m,) if width_m else [one for one in WIDTHS_M if narrow <= one <= broad]:
        lattice = Lattice(width)
        members: dict[tuple[int, int], list[int]] = {}
        for place, (q, r) in enumerate(lattice.locate(xy).tolist()):
            members.setdefault((q, r), []).append(place)
        if sum(len(inside) for inside in members.values() if len(inside) >= FEWEST) >= _MOST_SHOWN * len(places):
            break
    fullest = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    outlines = shapely.transform(
        lattice.polygons([cell for cell, _inside in fullest]), _from_metric(ground_.crs), interleaved=False
    )
    return [Cell(geojson(geom), inside) for geom, (_cell, inside) in zip(outlines, fullest, strict=True)]


def width_for(area_m2: float, wanted: int = 250) -> int:
    """The width of cells of which about ``wanted`` cover an area, a round number of metres.

    >>> width_for(156_000)
    30
    """
    ideal = (max(area_m2, 1.0) / wanted / 0.866) ** 0.5
    return min(WIDTHS_M, key=lambda width: abs(float(np.log(width / ideal))))


def geojson(geom: BaseGeometry) -> GeoJson:
    """A shape as GeoJSON, to a tenth of a metre."""
    found: GeoJson = json.loads(shapely.to_geojson(shapely.set_precision(geom, 0.000001)))
    return found


def _middle(geom: Any) -> tuple[float, float]:
    point = shapely.maximum_inscribed_circle(geom).coords[0]
    return round(point[0], 6), round(point[1], 6)


@cache
def _to_metric(crs: str) -> Any:
    return Transformer.from_crs(4326, crs, always_xy=True).transform


@cache
def _from_metric(crs: str) -> Any:
    return Transformer.from_crs(crs, 4326, always_xy=True).transform
