"""Shapes as they come in files: why one is invalid, a repair that keeps its area, bounds, single and multi parts.

Everything is two-dimensional here. Curves never arrive: GDAL turns them into straight pieces on reading, and
shapely has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = [
    "Explanation",
    "Fault",
    "Repairs",
    "Status",
    "as_multi",
    "check_bounds",
    "explain",
    "repair",
    "same",
    "singles",
]

Geometries = NDArray[np.object_]

LONLAT_BOUNDS = (-180.0, -90.0, 180.0, 90.0)
MILLIMETRE = 1e-3 / 111_320
"""In degrees of latitude; of longitude it is less."""
_SLACK = 1e-9
"""Files of the whole world reach to 180.00000000000003° by rounding."""


class Fault(StrEnum):
    """What can be wrong with a shape."""

    MISSING = "missing"
    EMPTY = "empty"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    SWAPPED = "swapped"
    SELF_INTERSECTION = "self_intersection"
    HOLE_OUTSIDE = "hole_outside"
    NESTED_HOLES = "nested_holes"
    NESTED_SHELLS = "nested_shells"
    DISCONNECTED = "disconnected"
    DUPLICATE_RINGS = "duplicate_rings"
    TOO_FEW_POINTS = "too_few_points"
    NOT_CLOSED = "not_closed"
    OTHER = "other"


class Status(StrEnum):
    """What :func:`repair` did with a shape."""

    VALID = "valid"
    REPAIRED = "repaired"
    REFUSED = "refused"


# The texts of GEOS, by how they begin.
_REASONS = {
    "Self-intersection": Fault.SELF_INTERSECTION,
    "Ring Self-intersection": Fault.SELF_INTERSECTION,
    "Hole lies outside shell": Fault.HOLE_OUTSIDE,
    "Holes are nested": Fault.NESTED_HOLES,
    "Nested shells": Fault.NESTED_SHELLS,
    "Interior is disconnected": Fault.DISCONNECTED,
    "Duplicate Rings": Fault.DUPLICATE_RINGS,
    "Too few points in geometry component": Fault.TOO_FEW_POINTS,
    "Ring is not closed": Fault.NOT_CLOSED,
    "Invalid Coordinate": Fault.NOT_FINITE,
}
_REASON = re.compile(r"(?P<text>[^\[]*)(?:\[(?P<x>\S+) (?P<y>\S+)\])?")


@dataclass(frozen=True)
class Explanation:
    """Why a shape is not valid.

    Attributes
    ----------
    code
        The kind of fault.
    values
        ``x`` and ``y`` of the place where it was found, in the shape's own coordinates, when there is one.
    """

    code: Fault
    values: dict[str, float]


@dataclass(frozen=True)
class Repairs:
    """What :func:`repair` returns; all of one length.

    Attributes
    ----------
    geometries
        Valid two-dimensional geometries; None where refused.
    status
        One :class:`Status` each.
    kept_share
        Share of the area that the repair kept (0–1): 1 where valid, 0 where nothing could be compared.
    faults
        What was wrong before the repair; None where valid.
    """

    geometries: Geometries
    status: list[Status]
    kept_share: NDArray[np.float64]
    faults: list[Explanation | None]


def explain(geom: shapely.Geometry | None) -> Explanation | None:
    """Say why a geometry is not valid.

    Parameters
    ----------
    geom
        Any geometry, or None.

    Returns
    -------
    Explanation or None
        The first fault found and its place; None for a valid geometry.

    Examples
    --------
    >>> explain(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]))
    Explanation(code=<Fault.SELF_INTERSECTION: 'self_intersection'>, values={'x': 0.5, 'y': 0.5})
    """
    if geom is None:
        return Explanation(Fault.MISSING, {})
    if shapely.is_empty(geom):
        return Explanation(Fault.EMPTY, {})
    if not np.isfinite(shapely.get_coordinates(geom)).all():
        return Explanation(Fault.NOT_FINITE, {})
    if shapely.is_valid(geom):
        return None
    found = _REASON.match(shapely.is_valid_reason(geom))
    assert found is not None, "every part of the pattern is optional"
    values = {axis: float(found[axis]) for axis in ("x", "y") if found[axis] is not None}
    return Explanation(_REASONS.get(found["text"], Fault.OTHER), values)


def repair(geometries: Geometries, keep: float = 0.999) -> Repairs:
    """Make polygons valid where that keeps their area.

    Parameters
    ----------
    geometries
        Any geometries in any one CRS; Z and M are dropped.
    keep
        Least share of the area that must be kept. The share is the smaller of the areas before and after divided by
        the larger, the area before being that of the shells less the holes as drawn. So a figure of eight, whose
        lobes cancel out, overlapping parts or a hole outside its shell are refused unless they are tiny.

    Returns
    -------
    Repairs
        Refused are: missing, empty or non-finite geometries, points and lines that are invalid, and polygons of which
        less than ``keep`` or nothing is left.

    Notes
    -----
    GEOS' "structure" method: shells bound area, holes exclude it; whatever collapses to a line is dropped, so the
    result is a Polygon or a MultiPolygon.
    """
    flat = np.asarray(shapely.force_2d(np.asarray(geometries, dtype=object)), dtype=object)
    faults: list[Explanation | None] = [None] * len(flat)
    status = [Status.VALID] * len(flat)
    share = np.ones(len(flat))
    # is_valid takes empty geometries for valid and is fast; only what it lets fall is looked at one by one.
    for at in np.flatnonzero(~shapely.is_valid(flat) | shapely.is_empty(flat)):
        faults[at] = fault = explain(flat[at])
        assert fault is not None, "explain finds the fault of what is not valid"
        repaired, share[at] = _repaired(flat[at], fault)
        kept = repaired is not None and share[at] >= keep
        status[at] = Status.REPAIRED if kept else Status.REFUSED
        flat[at] = repaired if kept else None
    return Repairs(flat, status, share, faults)


def _repaired(geom: shapely.Geometry | None, fault: Explanation) -> tuple[shapely.Geometry | None, float]:
    hopeless = fault.code in (Fault.MISSING, Fault.EMPTY, Fault.NOT_FINITE)
    if hopeless or not isinstance(geom, shapely.Polygon | shapely.MultiPolygon):
        return None, 0.0
    repaired = shapely.make_valid(geom, method="structure", keep_collapsed=False)
    if not repaired.is_valid:
        # GEOS sometimes leaves parts beside each other that share an edge; their union is what they cover together.
        repaired = shapely.union_all(shapely.get_parts(repaired))
    if not repaired.is_valid or not isinstance(repaired, shapely.Polygon | shapely.MultiPolygon):
        return None, 0.0
    smaller, larger = sorted((geom.area, repaired.area))
    return repaired, smaller / larger if larger > 0 else 0.0


def check_bounds(
    geometries: Geometries, bounds: tuple[float, float, float, float] = LONLAT_BOUNDS
) -> list[Fault | None]:
    """Say which geometries are not wholly within a rectangle.

    Parameters
    ----------
    geometries
        Any geometries; degrees unless ``bounds`` says otherwise.
    bounds
        West, south, east, north.

    Returns
    -------
    list of Fault or None
        ``MISSING``, ``EMPTY``, ``NOT_FINITE`` (a coordinate is NaN or infinite), ``SWAPPED`` (out of range, but within
        it with x and y exchanged), ``OUT_OF_RANGE``, or None.

    Examples
    --------
    >>> [fault and fault.value for fault in check_bounds(shapely.points([[113, 28], [28, 113], [113, 280]]))]
    [None, 'swapped', 'out_of_range']
    """
    shapes = np.asarray(geometries, dtype=object)
    boxes = shapely.bounds(shapes)
    missing, empty = shapely.is_missing(shapes), shapely.is_empty(shapes)
    coordinates, owners = shapely.get_coordinates(shapes, return_index=True)
    finite = np.ones(len(shapes), dtype=bool)
    finite[owners[~np.isfinite(coordinates).all(axis=1)]] = False
    conditions = [missing, empty, ~finite, _within(boxes, bounds), _within(boxes[:, [1, 0, 3, 2]], bounds)]
    choices = [1, 2, 3, 0, 4]
    names = [None, Fault.MISSING, Fault.EMPTY, Fault.NOT_FINITE, Fault.SWAPPED, Fault.OUT_OF_RANGE]
    return [names[choice] for choice in np.select(conditions, choices, default=5)]


def _within(boxes: NDArray[np.float64], bounds: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    west, south, east, north = bounds
    low = (boxes[:, 0] >= west - _SLACK) & (boxes[:, 1] >= south - _SLACK)
    return np.asarray(low & (boxes[:, 2] <= east + _SLACK) & (boxes[:, 3] <= north + _SLACK))


def singles(geometries: Geometries) -> tuple[Geometries, NDArray[np.int64]]:
    """Take multi-part geometries and collections apart.

    Returns
    -------
    tuple
        The single parts (Point, LineString, Polygon), and for each the position of the geometry it came from. None and
        empty geometries have no parts.
    """
    parts = np.asarray(geometries, dtype=object)
    owners = np.arange(len(parts), dtype=np.int64)
    while True:
        parts, index = shapely.get_parts(parts, return_index=True)
        filled = ~shapely.is_empty(parts)
        parts, owners = parts[filled], owners[index[filled]]
        if not (shapely.get_type_id(parts) > shapely.GeometryType.POLYGON).any():
            return parts, owners


_MULTI: dict[int, Callable[..., Geometries]] = {
    0: shapely.multipoints,
    1: shapely.multilinestrings,
    2: shapely.multipolygons,
}


def as_multi(geometries: Geometries) -> Geometries:
    """Make every geometry multi-part, so that a column holds one type.

    Parameters
    ----------
    geometries
        Any geometries.

    Returns
    -------
    numpy.ndarray
        Single geometries, multi ones and collections of nothing but points, lines or polygons as MultiPoint,
        MultiLineString or MultiPolygon; collections of different kinds, None and empty ones as they were.

    Examples
    --------
    >>> as_multi(shapely.from_wkt(["POINT (1 2)", "GEOMETRYCOLLECTION (POINT (1 2), POINT (3 4))"])).tolist()
    [<MULTIPOINT ((1 2))>, <MULTIPOINT ((1 2), (3 4))>]
    """
    shapes = np.asarray(geometries, dtype=object).copy()
    parts, owners = singles(shapes)
    kinds = shapely.get_dimensions(parts)
    for kind, build in _MULTI.items():
        mine = np.setdiff1d(owners[kinds == kind], owners[kinds != kind])
        chosen = np.isin(owners, mine)
        if chosen.any():
            _, group = np.unique(owners[chosen], return_inverse=True)
            shapes[mine] = build(parts[chosen], indices=group)
    return shapes


def same(left: Geometries, right: Geometries, tolerance: float = MILLIMETRE) -> NDArray[np.bool_]:
    """Say which shapes are the same within a tolerance, wherever their rings begin, single or multi.

    Parameters
    ----------
    left, right
        Pairs; two that are missing are the same.
    tolerance
        How far corners may lie from the other outline, in the units of the shapes.

    Examples
    --------
    >>> square, other = shapely.from_wkt(["POLYGON ((0 0, 1 0, 1 1, 0 0))", "POLYGON ((1 1, 0 0, 1.000000001 0, 1 1))"])
    >>> same([square, square], [other, shapely.Point(0, 0)]).tolist()
    [True, False]
    """
    left, right = np.asarray(left, dtype=object), np.asarray(right, dtype=object)
    alike: NDArray[np.bool_] = np.asarray(shapely.equals_exact(left, right, tolerance), dtype=bool)
    alike |= shapely.is_missing(left) & shapely.is_missing(right)
    kinds = (shapely.get_dimensions(left) == shapely.get_dimensions(right)) & ~shapely.is_missing(left)
    near = (np.abs(shapely.bounds(left) - shapely.bounds(right)) <= tolerance).all(axis=1)
    for at in np.flatnonzero(~alike & kinds & near).tolist():
        alike[at] = _covers(left[at], right[at], tolerance) and _covers(right[at], left[at], tolerance)
    return alike


def _covers(line: shapely.Geometry, other: shapely.Geometry, tolerance: float) -> bool:
    """Whether every corner of the other lies on the outline of the first."""
    outline = shapely.boundary(line) if shapely.get_dimensions(line) == 2 else line
    shapely.prepare(outline)
    return bool(shapely.dwithin(outline, shapely.points(shapely.get_coordinates(other)), tolerance).all())
