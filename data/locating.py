"""Locating 定位: what lies in which grid, by its point, by its address, or by the building next to it.

Points are located by cover, with the rule of ``spatial.locating``: on a common edge the grid with the lowest code has
it. A point in no grid that is within ``NEAREST_LIMIT_M`` of a building goes where that building is. Every record keeps
how it was located, how sure that is, and if it was not, why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import grids, units
from data.buildings import Building
from data.grids import LocatedBy, UnlocatedReason

#: How far from a building a point may lie and still count as at it: the error of a phone's position between houses.
NEAREST_LIMIT_M = 30.0

Geometries = NDArray[np.object_]


@dataclass
class Located:
    """Where each of a number of records is; one item a record, ``None`` where there is none.

    Attributes
    ----------
    grid_id, building_id
        The grid, and the building if it was found by one.
    by
        ``LocatedBy``.
    score
        How sure it is, 0 to 1.
    reason
        ``UnlocatedReason`` where ``grid_id`` is ``None``.
    """

    grid_id: list[int | None]
    building_id: list[int | None]
    by: list[str | None]
    score: list[float | None]
    reason: list[str | None]

    @classmethod
    def nowhere(cls, count: int, reason: UnlocatedReason) -> Located:
        """``count`` records without a place."""
        return cls([None] * count, [None] * count, [None] * count, [None] * count, [reason.value] * count)


def by_points(session: Session, community: units.Unit, points: Geometries) -> Located:
    """Where points (EPSG:4326) lie today; ``None`` and empty points have no place."""
    from spatial import locating

    shapes = grids.shapes(session, community.id)
    ids = np.array([None, *shapes], dtype=object)
    # ``shapes`` comes by code, so the place in it is the order in which grids have a claim to their common edges.
    at = locating.points_in_areas(points, np.array([*shapes.values()], dtype=object), range(len(shapes)))
    inside = at >= 0
    missing = shapely.is_missing(points) | shapely.is_empty(points)
    reason = np.where(missing, UnlocatedReason.NO_PLACE.value, UnlocatedReason.OUTSIDE.value).astype(object)
    reason[inside] = None
    located = Located(
        grid_id=ids[at + 1].tolist(),
        building_id=[None] * len(points),
        by=np.where(inside, LocatedBy.POINT.value, None).tolist(),
        score=np.where(inside, 1.0, None).tolist(),
        reason=reason.tolist(),
    )
    outside = np.flatnonzero(~inside & ~missing)
    if len(outside):
        _by_nearest(session, community, points, outside, located)
    return located


def _by_nearest(
    session: Session, community: units.Unit, points: Geometries, outside: NDArray[np.int64], located: Located
) -> None:
    """Put those of ``points`` that lie in no grid to the building next to them, if one is near enough."""
    from spatial import locating

    west, south, east, north = shapely.total_bounds(points[outside])
    reach = 0.001  # degrees, more than the limit anywhere people live
    window = func.ST_MakeEnvelope(west - reach, south - reach, east + reach, north + reach, 4326)
    found = session.execute(
        select(Building.id, Building.grid_id, func.ST_AsBinary(Building.geom)).where(
            Building.community_id == community.id, Building.grid_id.is_not(None), Building.geom.intersects(window)
        )
    ).all()
    if not found:
        return
    footprints = shapely.from_wkb([bytes(row[2]) for row in found])
    at, distance_m = locating.nearest(points[outside], footprints, NEAREST_LIMIT_M, community.metric_crs)
    for place in np.flatnonzero(at >= 0):
        row, building = int(outside[place]), found[at[place]]
        located.building_id[row], located.grid_id[row] = building.id, building.grid_id
        located.by[row], located.reason[row] = LocatedBy.NEAREST.value, None
        located.score[row] = round(1 - float(distance_m[place]) / (2 * NEAREST_LIMIT_M), 3)
