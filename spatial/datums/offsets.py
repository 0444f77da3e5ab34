"""Offset datums of Chinese maps (大地基准): WGS 84, GCJ-02 and BD-09 into each other.

WGS 84 longitudes and latitudes, which agree with CGCS2000 to decimetres and stand for it here; GCJ-02, the
offset datum of Chinese web maps and phones; BD-09, Baidu's on top of it.

GCJ-02's definition is not published. The formula below is the reconstruction that everyone uses; turning
GCJ-02 back is an iteration on it, exact against the formula (below 1e-9 degrees, 0.1 mm) but only as good as
the formula is against the maps.

Source: the public formula as in ``eviltransform`` and ``coordtransform``; Krasovsky 1940 ellipsoid.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

__all__ = ["Datum", "convert", "convert_geometries", "in_offset_area"]

Floats = NDArray[np.float64]
Geometries = NDArray[np.object_]
Pair = tuple[Floats, Floats]

_AXIS_M = 6378245.0
_ECCENTRICITY2 = 0.00669342162296594323
_OFFSET_AREA = (72.004, 0.8293, 137.8347, 55.8271)
"""West, south, east, north of the rectangle in which the formula shifts; Korea and others lie in it too."""
_ENOUGH = 1e-10
"""Degrees (0.01 mm) at which the inverse stops, a tenth of what is promised."""


class Datum(StrEnum):
    """What longitudes and latitudes refer to. ``WGS84`` also stands for CGCS2000 geographic coordinates."""

    WGS84 = "WGS84"
    GCJ02 = "GCJ-02"
    BD09 = "BD-09"


def convert(lon: ArrayLike, lat: ArrayLike, source: Datum, target: Datum) -> Pair:
    """Convert longitudes and latitudes from one datum to another.

    Parameters
    ----------
    lon, lat
        Degrees, of one shape.
    source, target
        Datums of what comes in and what goes out.

    Returns
    -------
    tuple of numpy.ndarray
        Longitudes and latitudes in degrees, same shape. NaN stays NaN.

    Notes
    -----
    Places outside the rectangle 72.004–137.8347° E, 0.8293–55.8271° N are left unchanged, as the standard
    formula does; within about 2 km of its edge there is no round trip. The rectangle is larger than China,
    while real maps do not shift places abroad. Round trips inside it are exact below 1e-9 degrees.

    Examples
    --------
    >>> lon, lat = convert([112.98], [28.23], Datum.WGS84, Datum.GCJ02)
    >>> f"{lon[0]:.6f} {lat[0]:.6f}"
    '112.985571 28.226589'
    """
    x, y = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    x, y = x.copy(), y.copy()
    if source == target:
        return x, y
    inside = in_offset_area(x, y)
    pair = (x[inside], y[inside])
    if source == Datum.BD09:
        pair = _invert(_gcj_to_bd, pair)
    if source == Datum.WGS84:
        pair = _wgs_to_gcj(pair)
    elif target == Datum.WGS84:
        pair = _invert(_wgs_to_gcj, pair)
    if target == Datum.BD09:
        pair = _gcj_to_bd(pair)
    x[inside], y[inside] = pair
    return x, y


def convert_geometries(geometries: Geometries, source: Datum, target: Datum) -> Geometries:
    """Convert shapely geometries from one datum to another.

    Parameters
    ----------
    geometries
        Geometries with coordinates in degrees; None stays None, Z and M are dropped.
    source, target
        Datums of what comes in and what goes out.

    Returns
    -------
    numpy.ndarray
        Geometries, same shape. Each vertex moves by itself, so one outside the rectangle of :func:`convert`
        stays where it is.
    """
    return transform_xy(geometries, lambda x, y: convert(x, y, source, target))


def in_offset_area(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Say which places lie in the rectangle where the GCJ-02 formula shifts anything.

    Examples
    --------
    >>> in_offset_area([112.98, -71.06], [28.23, 42.36]).tolist()
    [True, False]
    """
    x, y = np.asarray(lon), np.asarray(lat)
    west, south, east, north = _OFFSET_AREA
    return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))


def _wgs_to_gcj(pair: Pair) -> Pair:
    lon, lat = pair
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    waves = (20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)) * 2 / 3
    north_m = (
        -100
        + 2 * x
        + 3 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + waves
        + (20 * np.sin(np.pi * y) + 40 * np.sin(np.pi * y / 3)) * 2 / 3
        + (160 * np.sin(np.pi * y / 12) + 320 * np.sin(np.pi * y / 30)) * 2 / 3
    )
    east_m = (
        300
        + x
        + 2 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + waves
        + (20 * np.sin(np.pi * x) + 40 * np.sin(np.pi * x / 3)) * 2 / 3
        + (150 * np.sin(np.pi * x / 12) + 300 * np.sin(np.pi * x / 30)) * 2 / 3
    )
    phi = np.radians(lat)
    flat = 1 - _ECCENTRICITY2 * np.sin(phi) ** 2
    meridian_m = _AXIS_M * (1 - _ECCENTRICITY2) / flat**1.5
    parallel_m = _AXIS_M / np.sqrt(flat) * np.cos(phi)
    return lon + np.degrees(east_m / parallel_m), lat + np.degrees(north_m / meridian_m)


def _gcj_to_bd(pair: Pair) -> Pair:
    lon, lat = pair
    turn = np.pi * 3000 / 180
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * turn)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * turn)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _invert(forward: Callable[[Pair], Pair], pair: Pair) -> Pair:
    """Find what ``forward`` takes to ``pair``: each step takes off what is still too much.

    An offset changes by less than 1 % of a distance (of 664.7 m, 2.6 m are left after one step), so a few
    steps do.
    """
    lon, lat = pair
    for _step in range(20):
        there = forward((lon, lat))
        off_lon, off_lat = there[0] - pair[0], there[1] - pair[1]
        lon, lat = lon - off_lon, lat - off_lat
        if not np.any(np.maximum(np.abs(off_lon), np.abs(off_lat)) > _ENOUGH):
            break
    return lon, lat


def transform_xy(geometries: Geometries, move: Callable[[Floats, Floats], Pair]) -> Geometries:
    """Move every vertex of each geometry by a function of x and y; None stays None, Z and M are dropped."""

    def moved(xy: Floats) -> Floats:
        return np.column_stack(move(xy[:, 0], xy[:, 1]))

    return np.asarray(shapely.transform(np.asarray(geometries, dtype=object), moved), dtype=object)
