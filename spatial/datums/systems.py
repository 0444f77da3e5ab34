"""Coordinate reference systems: the metric one of a place, what a text calls one, and from one to another.

GCJ-02 and BD-09 have no EPSG code, so a reference system is either a :class:`pyproj.CRS` or a
:class:`~spatial.datums.Datum`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyproj
import pyproj.transformer
import shapely

from spatial.datums.offsets import Datum, Geometries, convert_geometries, transform_xy

__all__ = [
    "NoMetricCrs",
    "NoShift",
    "Shift",
    "UnknownCrs",
    "is_usable",
    "metric_crs",
    "names_a_file",
    "parse_crs",
    "reproject",
    "shift_between",
]


class UnknownCrs(ValueError):
    """A text names no reference system that coordinates on the ground can have.

    Parameters
    ----------
    text
        What was handed in.
    """

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} names no coordinate reference system")
        self.text = text


class NoMetricCrs(ValueError):
    """No Gauss-Krüger or UTM zone covers a place: the poles, or no place at all."""

    def __init__(self, lon: float, lat: float) -> None:
        super().__init__(f"no metric reference system covers longitude {lon}, latitude {lat}")
        self.lon = lon
        self.lat = lat


class NoShift(ValueError):
    """No transformation between an old datum and the other system is known at a place."""


@dataclass(frozen=True)
class Shift:
    """The one transformation that a layer on an old datum is brought over with.

    Attributes
    ----------
    name
        What PROJ calls it.
    accuracy_m
        How far off it may be, in metres; None where that is not stated.
    """

    transformer: pyproj.Transformer
    name: str
    accuracy_m: float | None


# West, south, east, north. Together they follow China's border to within a degree or two, which is close
# enough: either kind of zone measures true on both sides of it.
_CHINA = [
    (79.4, 42.8, 96.4, 49.3),
    (109.6, 39.3, 135.1, 54.2),
    (73.1, 29.5, 124.2, 42.9),
    (82.9, 26.7, 97.1, 29.6),
    (97.0, 20.4, 124.4, 29.6),
    (107.9, 17.8, 111.8, 20.5),
    (110.0, 10.0, 117.0, 17.9),
]
_NOT_CHINA = [
    (101.9, 20.0, 106.6, 22.3),
    (106.4, 20.4, 108.0, 21.5),
    (109.0, 50.4, 119.1, 55.9),
    (127.6, 49.6, 137.1, 55.9),
    (131.3, 42.5, 137.1, 44.8),
    (122.9, 20.0, 124.5, 26.5),
    (124.8, 39.3, 135.1, 40.2),
    (128.4, 40.0, 135.1, 42.0),
]


def metric_crs(lon: float, lat: float) -> str:
    """Name the metric reference system of a place.

    Parameters
    ----------
    lon, lat
        Degrees (WGS 84 or CGCS2000).

    Returns
    -------
    str
        In China ``EPSG:4534`` … ``EPSG:4554``: CGCS2000, 3-degree Gauss-Krüger zone, central meridians 75° E
        to 135° E, eastings without zone prefix; lengths are true to 1 in 2,900. Elsewhere the UTM zone on
        WGS 84, ``EPSG:326zz`` or ``EPSG:327zz`` (plain 6-degree zones, without Norway's exceptions), true to
        1 in 1,000. China's border is followed to within a degree or two.

    Raises
    ------
    NoMetricCrs
        North of 84° N, south of 80° S, or not a place.

    Examples
    --------
    >>> metric_crs(112.98, 28.23), metric_crs(-71.06, 42.36)
    ('EPSG:4547', 'EPSG:32619')
    """
    if not (-180 <= lon <= 180 and -80 <= lat <= 84):
        raise NoMetricCrs(lon, lat)
    if _within(_CHINA, lon, lat) and not _within(_NOT_CHINA, lon, lat):
        zone = min(max(round(lon / 3), 25), 45)
        return f"EPSG:{4534 + zone - 25}"
    zone = min(int((lon + 180) // 6) + 1, 60)
    return f"EPSG:{32600 + zone if lat >= 0 else 32700 + zone}"


def _within(boxes: list[tuple[float, float, float, float]], lon: float, lat: float) -> bool:
    return any(west <= lon <= east and south <= lat <= north for west, south, east, north in boxes)


_NAMES = {
    "WGS84": Datum.WGS84,
    "CGCS2000": Datum.WGS84,
    "国家2000": Datum.WGS84,
    "GCJ02": Datum.GCJ02,
    "火星坐标系": Datum.GCJ02,
    "BD09": Datum.BD09,
    "BD09LL": Datum.BD09,
    "百度坐标系": Datum.BD09,
}


def parse_crs(text: str) -> pyproj.CRS | Datum:
    """Read what a person, a file or a setting calls a coordinate reference system.

    Parameters
    ----------
    text
        ``EPSG:4549`` or ``4549``, ``GCJ-02``, ``GCJ02``, ``BD-09``, ``BD09``, ``WGS84``, ``CGCS2000`` in any
        case and with or without hyphens and spaces, or anything else PROJ reads (WKT, PROJJSON,
        ``OGC:CRS84``).

    Returns
    -------
    pyproj.CRS or Datum
        A :class:`Datum` for the bare names, a geographic or projected CRS for the rest.

    Raises
    ------
    UnknownCrs
        PROJ does not know it, it is neither geographic nor projected, it is not of the Earth, PROJ knows no way
        from it to longitude and latitude, or it names a file to look into.

    Examples
    --------
    >>> parse_crs("gcj02"), parse_crs("CGCS2000"), parse_crs("epsg:4549").to_epsg()
    (<Datum.GCJ02: 'GCJ-02'>, <Datum.WGS84: 'WGS84'>, 4549)
    """
    name = re.sub(r"[\s_-]", "", text).upper()
    if name in _NAMES:
        return _NAMES[name]
    try:
        known_as = f"EPSG:{name}" if name.isdecimal() else text.strip().removeprefix("+init=")
        if names_a_file(known_as):
            raise UnknownCrs(text)
        crs = pyproj.CRS.from_user_input(known_as)
        usable = is_usable(crs)
    # What a text can make of PROJ and its wrapper is not all one kind of error.
    except (pyproj.exceptions.ProjError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnknownCrs(text) from error
    if not usable:
        raise UnknownCrs(text)
    return crs


#: What makes PROJ open a file of that name: parameters of its own texts, and what they are in WKT and PROJJSON. Web
#: Mercator commonly says ``nadgrids=@null``, which is none.
_FILE = re.compile(
    r"(?:grids|init|catalog|model|file)\s*=(?!@null(?:[\s\"\]]|$))"
    r"|parameterfile|proj4_grids"
    r"|\"value\"\s*:\s*\"",
    re.IGNORECASE,
)


def names_a_file(text: str) -> bool:
    """Whether PROJ would open a file, or fetch one, to read this text as a reference system.

    Whoever hands in a text says which file that is, and PROJ opens any: one that never ends holds up who reads it.

    >>> names_a_file("+proj=longlat +nadgrids=/dev/zero"), names_a_file("+proj=merc +nadgrids=@null +wktext")
    (True, False)
    """
    return _FILE.search(text) is not None


def is_usable(crs: pyproj.CRS) -> bool:
    """Whether coordinates on the ground can be in a reference system: one of the Earth, with a way to degrees.

    >>> is_usable(pyproj.CRS("EPSG:4549")), is_usable(pyproj.CRS("IAU_2015:30100")), is_usable(pyproj.CRS("EPSG:5714"))
    (True, False, False)
    """
    body = crs.ellipsoid
    if not (crs.is_geographic or crs.is_projected) or body is None or not 6.3e6 < body.semi_major_metre < 6.45e6:
        return False
    try:
        _transformer(crs, _LONLAT)
    except pyproj.exceptions.ProjError:
        return False
    return True


def reproject(geometries: Geometries, source: pyproj.CRS | Datum | str, target: pyproj.CRS | Datum | str) -> Geometries:
    """Bring geometries from one reference system or datum into another.

    Parameters
    ----------
    geometries
        Geometries, x before y (longitude before latitude) whatever order the registry gives; None stays
        None, Z and M are dropped.
    source, target
        What :func:`parse_crs` returns, or a text for it.

    Returns
    -------
    numpy.ndarray
        Geometries, same shape. A vertex that the target cannot show gets infinite coordinates, which
        :func:`spatial.shapes.check_bounds` names.

    Raises
    ------
    UnknownCrs
        A text that names no reference system.
    """
    start = parse_crs(source) if isinstance(source, str) else source
    end = parse_crs(target) if isinstance(target, str) else target
    if isinstance(start, Datum) and isinstance(end, Datum):
        return convert_geometries(geometries, start, end)
    if isinstance(start, Datum):
        geometries, start = convert_geometries(geometries, start, Datum.WGS84), _LONLAT
    if isinstance(end, Datum):
        return convert_geometries(reproject(geometries, start, _LONLAT), Datum.WGS84, end)
    if start == end:
        return np.asarray(shapely.force_2d(np.asarray(geometries, dtype=object)), dtype=object)
    shift = shift_between(start, end, geometries)
    return transform_xy(geometries, (shift.transformer if shift else _transformer(start, end)).transform)


def shift_between(start: pyproj.CRS, end: pyproj.CRS, geometries: Geometries) -> Shift | None:
    """Choose one transformation for a whole layer where one of two systems is older than satellites.

    PROJ chooses among several for each point, and takes none where it knows none: a layer of Beijing 1954 that
    reaches over the edge of an area of use is torn by 71 m there. Between systems on the ellipsoids of today there is
    nothing to choose.

    Raises
    ------
    NoShift
        None is known for where the layer lies; its coordinates would stay up to some 150 m off.
    """
    old = start if _is_old(start) else end
    if _is_old(start) == _is_old(end):
        return None
    ground = start.geodetic_crs
    assert ground is not None
    box = shapely.total_bounds(transform_xy(geometries, _transformer(start, ground).transform))
    if not np.isfinite(box).all():
        return None
    ways: list[pyproj.Transformer] = []
    # Areas of use are cut along map sheets; a layer just beside one is better off with that shift than with none.
    for margin in (0.0, _BESIDE_DEG):
        west, south, east, north = (float(edge) for edge in box + margin * np.array([-1, -1, 1, 1]))
        area = pyproj.transformer.AreaOfInterest(west, south, east, north)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of better ones whose grids are not there
            ways = (
                ways
                or pyproj.transformer.TransformerGroup(
                    start, end, always_xy=True, area_of_interest=area, allow_ballpark=False
                ).transformers
            )
    if not ways:
        raise NoShift(old.name)
    best = ways[0]
    name = next((part for part in best.description.split(" + ") if " to " in part), best.description)
    return Shift(best, name.removeprefix("Inverse of "), best.accuracy if best.accuracy >= 0 else None)


def _is_old(crs: pyproj.CRS) -> bool:
    """Whether a system lies on an ellipsoid from before satellites: Krasovsky of Beijing 1954, that of Xi'an 1980."""
    return crs.ellipsoid is not None and abs(crs.ellipsoid.semi_major_metre - _MODERN_AXIS_M) > 2.0


_MODERN_AXIS_M = 6378137.0
_BESIDE_DEG = 1.0


_LONLAT = pyproj.CRS.from_epsg(4326)


@lru_cache(maxsize=64)
def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)
