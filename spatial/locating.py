"""Locating: which area a point lies in, and which geometry is nearest to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from spatial.datums import reproject

__all__ = ["nearest", "points_in_areas"]

Geometries = NDArray[np.object_]
Positions = NDArray[np.int64]


def points_in_areas(points: Geometries, areas: Geometries, order: Sequence[object] | ArrayLike) -> Positions:
    """Find the area that covers each point.

    A point on a shared boundary, or where areas overlap, belongs to the covering area with the lowest key in
    ``order``, whatever order the areas are handed in; areas with equal keys rank as they come.

    Parameters
    ----------
    points
        Points; None and empty points lie nowhere.
    areas
        Valid polygons in the CRS of the points; None and empty ones cover nothing.
    order
        One sortable key for each area, such as the grid codes.

    Returns
    -------
    numpy.ndarray
        The position of the area for each point, -1 where none covers it.

    Examples
    --------
    >>> west, east = shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)
    >>> points = shapely.points([[0.5, 0.5], [1, 0.5], [1.5, 0.5], [3, 3]])
    >>> points_in_areas(points, np.array([west, east]), ["B", "A"]).tolist()
    [0, 1, 1, -1]
    """
    import pandas as pd

    ranking = pd.Series(list(np.asarray(order, dtype=object))).argsort(kind="stable").to_numpy()
    rank = np.empty(len(ranking), dtype=np.int64)
    rank[ranking] = np.arange(len(ranking))
    # The tree holds the points, so that each area is prepared once and asked for all of them.
    area_at, point_at = shapely.STRtree(points).query(areas, predicate="covers")
    lowest = np.full(len(points), len(areas), dtype=np.int64)
    np.minimum.at(lowest, point_at, rank[area_at])
    found = np.full(len(points), -1, dtype=np.int64)
    inside = lowest < len(areas)
    found[inside] = ranking[lowest[inside]]
    return found


def nearest(
    points: Geometries, geometries: Geometries, limit_m: float, crs: str
) -> tuple[Positions, NDArray[np.float64]]:
    """Find the nearest geometry to each point within a limit.

    Parameters
    ----------
    points
        Points in degrees (EPSG:4326); None and empty points are near nothing.
    geometries
        Any geometries in degrees (EPSG:4326), such as footprints.
    limit_m
        Greatest distance in metres, itself included.
    crs
        Metric reference system of the place, such as ``EPSG:4547``.

    Returns
    -------
    tuple of numpy.ndarray
        The position of the nearest geometry for each point, -1 where none is within the limit, and the distance in
        metres, NaN there. Of geometries equally near (a point inside two of them) the first is taken.

    Raises
    ------
    ValueError
        The limit is not greater than 0.
    """
    if not limit_m > 0:
        raise ValueError(f"limit_m is {limit_m}, but a limit in metres is greater than 0")
    positions = np.full(len(points), -1, dtype=np.int64)
    distances = np.full(len(points), np.nan)
    places = reproject(points, "EPSG:4326", crs)
    usable = np.flatnonzero(np.isfinite(shapely.bounds(places)).all(axis=1))
    tree = shapely.STRtree(reproject(geometries, "EPSG:4326", crs))
    if len(tree) == 0:
        return positions, distances
    pairs, found_m = tree.query_nearest(places[usable], max_distance=limit_m, return_distance=True)
    first = np.lexsort((pairs[1], pairs[0]))[::-1]
    # Written from the last to the first, so that of equals the first stays.
    positions[usable[pairs[0][first]]] = pairs[1][first]
    distances[usable[pairs[0][first]]] = found_m[first]
    return positions, distances
