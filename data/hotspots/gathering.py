"""Gathering: what goes into a run, out of the tables the actor may see, and its fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import buildings, grids, households, incidents, units
from data.base import access, db, settings
from data.base.access import Actor, Rows
from data.hotspots.asking import Params
from data.hotspots.tables import HotspotRun
from data.incidents import Incident
from spatial.datums import reproject
from spatial.locating import points_in_areas

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SAME = 1e-7
"""Degrees: a centimetre."""


@dataclass(frozen=True)
class Place:
    """Where a run looks: a community, one grid of it, or several communities of the unit above them."""

    communities: list[units.Unit]
    grid_id: int | None = None
    unit: units.Unit | None = None

    @property
    def ids(self) -> list[int]:
        """The ids of the communities, smallest first."""
        return sorted(one.id for one in self.communities)

    @property
    def crs(self) -> str:
        """The metric reference system: of several communities the one that most of them have."""
        return units.metric_crs(self.communities)


def place_of(session: Session, actor: Actor, run: HotspotRun) -> Place:
    """Where a run that is there has looked."""
    unit = units.get(session, actor, run.unit_id) if run.unit_id else None
    return Place([units.community(session, actor, one) for one in run.communities], run.grid_id, unit)


@dataclass(frozen=True)
class Cases:
    """Cases with a place, a position each; ``xy`` in metres, ``day`` in the community's time zone."""

    ids: Integers
    lonlat: Floats
    xy: Floats
    at: NDArray[np.datetime64]
    day: NDArray[np.datetime64]
    categories: list[str]
    addresses: list[str | None]
    building_ids: Integers
    grid_ids: Integers

    def __len__(self) -> int:
        return len(self.ids)

    def those(self, chosen: NDArray[np.bool_]) -> Cases:
        """The cases that are chosen."""
        at = np.flatnonzero(chosen).tolist()
        return Cases(
            self.ids[at],
            self.lonlat[at],
            self.xy[at],
            self.at[at],
            self.day[at],
            [self.categories[one] for one in at],
            [self.addresses[one] for one in at],
            self.building_ids[at],
            self.grid_ids[at],
        )


@dataclass(frozen=True)
class Houses:
    """Buildings with a place, a position each, and how many households live in each."""

    ids: Integers
    numbers: list[str]
    xy: Floats
    households: Integers
    grid_ids: Integers

    def regridded(self, grid_ids: Integers, only: int | None = None) -> Houses:
        """The same in the grids of another day; with ``only`` those of one of them."""
        at = np.flatnonzero(grid_ids == only) if only is not None else np.arange(len(grid_ids))
        numbers = [self.numbers[one] for one in at]
        return Houses(self.ids[at], numbers, self.xy[at], self.households[at], grid_ids[at])


@dataclass(frozen=True)
class Gathered:
    """All that a run is computed from.

    Attributes
    ----------
    cases
        Those with a place in the area.
    without_place, outside
        How many more there are that have no place, and that lie outside the area.
    houses
        The buildings of the area.
    grid_ids, grid_codes, grid_names, areas
        The grids by code, ``areas`` in metres.
    outline
        The area in metres; None where no grid is drawn yet.
    crs
        The metric reference system.
    fingerprint
        SHA-256 of all of this.
    """

    cases: Cases
    without_place: int
    outside: int
    houses: Houses
    grid_ids: list[int]
    grid_codes: list[str]
    grid_names: list[str]
    areas: NDArray[np.object_]
    outline: BaseGeometry | None
    crs: str
    fingerprint: str

    def grid_of(self, xy: Floats) -> Integers:
        """The position of the grid that covers each point, -1 for none."""
        return points_in_areas(np.asarray(shapely.points(xy), dtype=object), self.areas, self.grid_codes)


def gather(session: Session, actor: Actor, params: Params, place: Place) -> Gathered:
    """Read what a run with ``params`` is computed from: with the boundaries of its last day."""
    crs = place.crs
    shapes = {}
    above = {}
    redrawn = False
    for community in sorted(place.communities, key=lambda unit_id: unit_id.code):
        today = grids.shapes(session, community.id)
        found = grids.shapes(session, community.id, params.last) or today
        redrawn = redrawn or found != today
        shapes.update(found)
        # Every community has a first grid: among several they are told apart by its name.
        above.update(dict.fromkeys(found, f"{community.name} " if place.unit else ""))
    codes = grids.codes(session, list(shapes))
    chosen = [grid_id for grid_id in shapes if place.grid_id in (None, grid_id)]
    names = {unit_id: above[unit_id] + name for unit_id, name in units.names(session, chosen).items()}
    areas = np.empty(len(chosen), dtype=object)
    areas[:] = list(reproject(np.array([shapes[grid_id] for grid_id in chosen], dtype=object), "EPSG:4326", crs))
    outline = shapely.union_all(areas) if len(areas) else None
    cases, without_place = _cases(session, actor, params, place)
    inside = np.ones(len(cases), dtype=bool)
    if outline is not None:
        shapely.prepare(outline)
        inside = shapely.intersects_xy(outline, cases.xy[:, 0], cases.xy[:, 1])
    grid_codes = [codes[grid_id] for grid_id in chosen]
    houses = _houses(session, actor, place)
    if redrawn:
        houses = _houses(session, actor, replace(place, grid_id=None))
        at = points_in_areas(np.asarray(shapely.points(houses.xy), dtype=object), areas, grid_codes)
        houses = houses.regridded(np.array([*chosen, -1], dtype=np.int64)[at], only=place.grid_id)
    kept = cases.those(inside)
    return Gathered(
        kept,
        without_place,
        int((~inside).sum()),
        houses,
        chosen,
        grid_codes,
        [names[unit_id] for unit_id in chosen],
        areas,
        outline,
        crs,
        _fingerprint(kept, without_place, int((~inside).sum()), houses, grid_codes, areas, crs),
    )


def size(session: Session, actor: Actor, params: Params, place: Place) -> int:
    """How many cases a run would read."""
    return session.scalar(_narrowed(select(func.count()), actor, params, place)) or 0


def version(session: Session, actor: Actor, params: Params, place: Place) -> str:
    """How things stand, without reading them: while this is the same, so is what a run would gather.

    Take it before reading: what is written meanwhile only makes a run look older than it is.
    """

    def stand(table: Any, query: Any) -> Any:
        return session.execute(
            query.with_only_columns(func.count(), func.sum(table.id), func.max(table.updated_at))
        ).one()

    mine = buildings.Building.community_id.in_(place.ids)
    found = [
        stand(Incident, _narrowed(select(Incident.id), actor, params, place)),
        stand(buildings.Building, access.visible(select(buildings.Building.id).where(mine), actor, buildings.Building)),
    ]
    with db.everywhere(session):
        living = households.Household.community_id.in_(place.ids)
        found.append(stand(households.Household, select(households.Household.id).where(living)))
        held = grids.Division.community_id.in_(place.ids)
        found.append(stand(grids.Division, select(grids.Division.id).where(held)))
    told = [*(tuple(one) for one in found), place.crs, settings.today()]
    return hashlib.sha256(repr(told).encode()).hexdigest()


def wanted(params: Params) -> incidents.Filter:
    """The filter of the cases of a run."""
    return incidents.Filter(
        community=params.community,
        unit=params.unit,
        grid=params.grid,
        states=params.states,
        categories=params.categories,
        first=params.first,
        last=params.last,
    )


def _narrowed(query: Rows, actor: Actor, params: Params, place: Place) -> Rows:
    """``query`` over the cases of a run: of its communities, also where the actor may see more of the unit."""
    return incidents.narrowed(query, actor, wanted(params)).where(Incident.community_id.in_(place.ids))


def _cases(session: Session, actor: Actor, params: Params, place: Place) -> tuple[Cases, int]:
    query = select(
        Incident.id,
        func.ST_X(Incident.geom),
        func.ST_Y(Incident.geom),
        Incident.reported_at,
        Incident.category_code,
        Incident.address,
        Incident.building_id,
        Incident.grid_then,
    ).order_by(Incident.id)
    rows = session.execute(_narrowed(query, actor, params, place)).all()
    placed = [row for row in rows if row[1] is not None]
    return _arrays(placed, place.crs), len(rows) - len(placed)


def places(session: Session, actor: Actor, params: Params, place: Place, left_out: list[tuple[float, float]]) -> Floats:
    """Where the cases of ``params`` were, in metres, without those on the points (degrees) that are left out."""
    cases, _without_place = _cases(session, actor, params, place)
    stays = np.ones(len(cases), dtype=bool)
    for point in left_out:
        stays &= (np.abs(cases.lonlat - np.array(point)) > _SAME).any(axis=1)
    return cases.xy[stays]


def _arrays(rows: Any, crs: str) -> Cases:
    lonlat = np.array([row[1:3] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Cases(
        ids=np.array([row[0] for row in rows], dtype=np.int64),
        lonlat=lonlat,
        xy=_metric(lonlat, crs),
        at=np.array([row[3].replace(tzinfo=None) - row[3].utcoffset() for row in rows], dtype="datetime64[us]"),
        day=_days([row[3] for row in rows]),
        categories=[row[4] for row in rows],
        addresses=[row[5] for row in rows],
        building_ids=np.array([row[6] or -1 for row in rows], dtype=np.int64),
        grid_ids=np.array([row[7] or -1 for row in rows], dtype=np.int64),
    )


def _days(instants: list[Any]) -> NDArray[np.datetime64]:
    zone = ZoneInfo(settings.get().timezone)
    return np.array([one.astimezone(zone).date() for one in instants], dtype="datetime64[D]")


def _metric(lonlat: Floats, crs: str) -> Floats:
    points = reproject(np.asarray(shapely.points(lonlat), dtype=object), "EPSG:4326", crs)
    return np.column_stack([shapely.get_x(points), shapely.get_y(points)])


def _houses(session: Session, actor: Actor, place: Place) -> Houses:
    building, dwelling, household = buildings.Building, buildings.Dwelling, households.Household
    query = (
        select(building.id, building.number, func.ST_X(building.point), func.ST_Y(building.point), building.grid_id)
        .where(building.point.is_not(None), building.community_id.in_(place.ids))
        .order_by(building.id)
    )
    if place.grid_id is not None:
        query = query.where(building.grid_id == place.grid_id)
    rows = session.execute(access.visible(query, actor, building)).all()
    # How many live in a building is no secret to who sees the building; who they are is.
    with db.everywhere(session):
        homes = dict(
            session.execute(
                select(dwelling.building_id, func.count())
                .join(household, household.dwelling_id == dwelling.id)
                .where(household.community_id.in_(place.ids), household.lived())
                .group_by(dwelling.building_id)
            ).all()
        )
    return Houses(
        ids=np.array([row[0] for row in rows], dtype=np.int64),
        numbers=[row[1] or "" for row in rows],
        xy=_metric(np.array([row[2:4] for row in rows], dtype=np.float64).reshape(-1, 2), place.crs),
        households=np.array([homes.get(row[0], 0) for row in rows], dtype=np.int64),
        grid_ids=np.array([row[4] or -1 for row in rows], dtype=np.int64),
    )


def _fingerprint(
    cases: Cases, without_place: int, outside: int, houses: Houses, codes: list[str], areas: Any, crs: str
) -> str:
    digest = hashlib.sha256()
    for array in (
        cases.ids,
        cases.lonlat,
        cases.at,
        cases.building_ids,
        cases.grid_ids,
        houses.ids,
        houses.xy,
        houses.households,
    ):
        digest.update(np.ascontiguousarray(array).tobytes() + b"|")
    texts = (cases.categories, cases.addresses, houses.numbers, codes, [crs, without_place, outside])
    digest.update(repr(texts).encode())
    for wkb in shapely.to_wkb(areas):
        digest.update(wkb)
    return digest.hexdigest()
