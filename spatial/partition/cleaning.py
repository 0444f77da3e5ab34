"""Partitions: do the areas of a partition overlap or leave gaps, and a cleaning that closes the narrow faults.

Overlaps and gaps are cut out in degrees, as the areas are stored: a straight edge in degrees is a slightly
bent one in metres (1 cm on 1 km), and where a neighbour has one vertex more on that edge, cutting in metres
would find slivers that are not there. Areas in m² are areas in degrees by the scale of the metric reference
system in the middle of each piece. For the same reason areas are cleaned in degrees stretched to metres, so that
what is straight stays straight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from spatial.datums import reproject
from spatial.shapes import singles

__all__ = ["BeyondOutline", "CannotClean", "Cleaned", "InvalidAreas", "OverlapTooWide", "clean", "gaps", "overlaps"]

Geometries = NDArray[np.object_]

LEAST_M2 = 0.01
"""Overlaps and gaps smaller than this (10 cm × 10 cm) are rounding."""
_UNMOVED_M2 = 1e-6
_SNAP_M = 1e-6
"""GEOS' own choice, some 0.1 mm for a city, makes it fail on real outlines ("cannot process overlapping inputs")."""


class InvalidAreas(ValueError):
    """Some areas are not valid, not polygons, or missing; ``positions`` says which."""

    def __init__(self, positions: list[int]) -> None:
        super().__init__(f"areas {positions} are not valid polygons: repair or leave them out first")
        self.positions = positions


class OverlapTooWide(ValueError):
    """Areas overlap by more than the tolerance; ``pairs`` lists the positions and the area in m²."""

    def __init__(self, pairs: list[tuple[int, int, float]], tolerance_m: float) -> None:
        super().__init__(f"areas overlap by more than {tolerance_m} m (left, right, m²): {pairs}")
        self.pairs = pairs
        self.tolerance_m = tolerance_m


class BeyondOutline(ValueError):
    """Areas reach over the outline by more than the tolerance; ``positions`` says which."""

    def __init__(self, positions: list[int], tolerance_m: float) -> None:
        super().__init__(f"areas {positions} reach over the outline by more than {tolerance_m} m")
        self.positions = positions
        self.tolerance_m = tolerance_m


class CannotClean(ValueError):
    """The areas are so entangled that GEOS gives up, or one of them would vanish."""


@dataclass(frozen=True)
class Cleaned:
    """What :func:`clean` returns.

    Attributes
    ----------
    geometries
        The areas in degrees, vertices of shared edges identical, in the order handed in.
    moved_m2
        Area that each of them gained plus area that it lost, in m².
    """

    geometries: Geometries
    moved_m2: NDArray[np.float64]


def overlaps(areas: Geometries, crs: str, least_m2: float = LEAST_M2) -> gpd.GeoDataFrame:
    """Find where areas overlap.

    Parameters
    ----------
    areas
        Valid polygons in degrees (EPSG:4326).
    crs
        Metric reference system of the place.
    least_m2
        Smaller overlaps are rounding and left out.

    Returns
    -------
    geopandas.GeoDataFrame
        One row for each overlapping pair, largest first: ``left`` < ``right`` (positions), ``area_m2``, ``width_m``
        (of the largest circle in it, which is the tolerance that :func:`clean` needs), ``geom`` (EPSG:4326).

    Raises
    ------
    InvalidAreas
        Some areas are no valid polygons.
    """
    _check(areas)
    left, right = shapely.STRtree(areas).query(areas, predicate="intersects")
    left, right = left[left < right], right[left < right]
    common = _polygonal(shapely.intersection(areas[left], areas[right]))
    return _measured(common, crs, least_m2, left=left, right=right)


def gaps(
    areas: Geometries, crs: str, outline: shapely.Geometry | None = None, least_m2: float = LEAST_M2
) -> gpd.GeoDataFrame:
    """Find what areas leave uncovered.

    Parameters
    ----------
    areas
        Valid polygons in degrees (EPSG:4326).
    crs
        Metric reference system of the place.
    outline
        What they should cover (valid polygon, EPSG:4326). Without it only gaps enclosed by areas are seen.
    least_m2
        Smaller gaps are rounding and left out.

    Returns
    -------
    geopandas.GeoDataFrame
        One row for each connected gap, largest first: ``touches`` (tuple of the positions of the areas around it),
        ``area_m2``, ``width_m`` (as in :func:`overlaps`), ``geom`` (EPSG:4326).

    Raises
    ------
    InvalidAreas
        Some areas are no valid polygons.
    """
    _check(areas)
    covered = shapely.union_all(areas)
    parts, _ = singles(np.array([shapely.difference(_filled(covered) if outline is None else outline, covered)]))
    parts = parts[shapely.get_dimensions(parts) == 2]
    around = _neighbours(parts, areas)
    touches = np.empty(len(parts), dtype=object)
    touches[:] = [tuple(int(at) for at in found) for found in around]
    return _measured(parts, crs, least_m2, touches=touches)


def clean(areas: Geometries, tolerance_m: float, crs: str, outline: shapely.Geometry | None = None) -> Cleaned:
    """Close gaps and overlaps that are narrower than a tolerance, and move nothing else.

    Parameters
    ----------
    areas
        Valid polygons in degrees (EPSG:4326).
    tolerance_m
        Width in metres, greater than 0, of the widest fault to be closed. A fault is as wide as the largest circle
        in it.
    crs
        Metric reference system of the place.
    outline
        What the areas should cover (valid polygon, EPSG:4326): they are cut along it and filled up to it. Without
        it, slits between areas that open to the outside are closed as well.

    Returns
    -------
    Cleaned
        Areas that do not overlap and have the same vertices along shared edges. Gaps wider than the tolerance stay,
        since they may be meant. Areas that were a coverage already come back unchanged.

    Raises
    ------
    InvalidAreas
        Some areas are no valid polygons.
    OverlapTooWide, BeyondOutline
        A fault is too wide to be a slip of the hand: a person has to say who gets it.
    CannotClean
        GEOS gives up, or an area lies wholly within narrow overlaps and would vanish.
    ValueError
        The tolerance is not greater than 0.

    Notes
    -----
    An overlap goes to the neighbour with the longest common border (GEOS' ``CoverageCleaner``), and so does a gap.
    Vertices are not snapped at the tolerance: snapping 456 real areas at 5 m lost one of them altogether.
    """
    if not tolerance_m > 0:
        raise ValueError(f"tolerance_m is {tolerance_m}, but a tolerance in metres is greater than 0")
    _check(areas)
    plane = _Plane.around(areas, crs)
    drawn = plane.to_metres(areas)
    _check_overlaps(drawn, tolerance_m)
    if outline is None:
        cleaned = _cleaned(drawn, tolerance_m)
        cleaned = _filled_up(cleaned, _closed(cleaned, tolerance_m), tolerance_m, fewest=2)
    else:
        frame = plane.to_metres(np.array([outline], dtype=object))[0]
        cleaned = _cleaned(_cut(drawn, frame, tolerance_m), tolerance_m)
        cleaned = _filled_up(cleaned, frame, tolerance_m, fewest=1)
    if shapely.is_empty(cleaned).any():
        raise CannotClean(f"areas {np.flatnonzero(shapely.is_empty(cleaned)).tolist()} would vanish")
    moved = plane.to_degrees(shapely.symmetric_difference(drawn, cleaned))
    moved_m2 = _area_m2(moved, crs)
    if not moved_m2.max(initial=0) > _UNMOVED_M2 and shapely.coverage_is_valid(areas):
        return Cleaned(areas, np.zeros(len(areas)))
    # Rounding to degrees can fold the thinnest filled slivers over; once more at that scale unfolds them.
    return Cleaned(_cleaned(plane.to_degrees(cleaned), 1e-10, snap=1e-12), moved_m2)


@dataclass(frozen=True)
class _Plane:
    """Degrees stretched to metres around a centre; straight lines stay straight, and lengths are true there.

    They are true to 1 in 1,000 within some 5 km north and south, which is enough to compare them with a tolerance.
    """

    centre: NDArray[np.float64]
    metres_per_degree: NDArray[np.float64]

    @classmethod
    def around(cls, areas: Geometries, crs: str) -> _Plane:
        west, south, east, north = shapely.total_bounds(areas)
        centre = np.array([(west + east) / 2, (south + north) / 2])
        return cls(centre, _scale(centre[None, :], crs)[0])

    def to_metres(self, geometries: Geometries) -> Geometries:
        return shapely.transform(geometries, lambda xy: (xy - self.centre) * self.metres_per_degree)

    def to_degrees(self, geometries: Geometries) -> Geometries:
        return shapely.transform(geometries, lambda xy: xy / self.metres_per_degree + self.centre)


def _check(areas: Geometries) -> None:
    good = shapely.is_valid(areas) & ~shapely.is_empty(areas) & np.isin(shapely.get_type_id(areas), (3, 6))
    if not good.all():
        raise InvalidAreas([int(at) for at in np.flatnonzero(~good)])


def _check_overlaps(areas: Geometries, tolerance_m: float) -> None:
    left, right = shapely.STRtree(areas).query(areas, predicate="intersects")
    left, right = left[left < right], right[left < right]
    common = shapely.intersection(areas[left], areas[right])
    wide = ~_narrow(common, tolerance_m)
    if wide.any():
        measured = zip(left[wide], right[wide], shapely.area(common[wide]), strict=True)
        raise OverlapTooWide([(int(a), int(b), round(float(m2), 2)) for a, b, m2 in measured], tolerance_m)


def _cut(areas: Geometries, outline: shapely.Geometry, tolerance_m: float) -> Geometries:
    over = np.flatnonzero(~_narrow(shapely.difference(areas, outline), tolerance_m))
    if len(over):
        raise BeyondOutline([int(at) for at in over], tolerance_m)
    return _polygonal(shapely.intersection(areas, outline))


def _cleaned(areas: Geometries, gap_width: float, snap: float = _SNAP_M) -> Geometries:
    coverage_clean: Callable[..., Geometries] = shapely.coverage_clean  # type: ignore[attr-defined]  # 2.2, not yet in the stubs
    try:
        return coverage_clean(areas, gap_width=gap_width, snapping_distance=snap)
    except shapely.GEOSException as error:
        raise CannotClean(str(error)) from error


def _filled_up(areas: Geometries, outline: shapely.Geometry, tolerance_m: float, fewest: int) -> Geometries:
    """Give each narrow piece between the areas and the outline to the area with the longest common border.

    A piece that touches fewer areas than ``fewest`` is left out: an inlet of one area is its shape, not a slit.
    """
    pieces, _ = singles(np.array([shapely.difference(outline, shapely.union_all(areas))]))
    # Swelling and shrinking leaves crumbs that are rounding; a real outline leaves none.
    least_m2 = LEAST_M2 if fewest > 1 else _UNMOVED_M2
    pieces = pieces[(shapely.area(pieces) >= least_m2) & _narrow(pieces, tolerance_m)]
    pieces = pieces[np.array([len(around) >= fewest for around in _neighbours(pieces, areas)], dtype=bool)]
    if not len(pieces):
        return areas
    # As members of the coverage the pieces get the vertices of their neighbours, so that borders can be compared.
    matched = _cleaned(np.concatenate([areas, pieces]), tolerance_m)
    result, pieces = matched[: len(areas)].copy(), matched[len(areas) :]
    owners: dict[int, list[shapely.Geometry]] = {}
    for piece, around in zip(pieces, _neighbours(pieces, result), strict=True):
        if len(around):
            borders = shapely.length(shapely.intersection(shapely.boundary(piece), shapely.boundary(result[around])))
            owners.setdefault(int(around[np.argmax(borders)]), []).append(piece)
    for owner, gained in owners.items():
        result[owner] = shapely.union_all([result[owner], *gained])
    return result


def _neighbours(pieces: Geometries, areas: Geometries) -> list[NDArray[np.int64]]:
    piece_at, area_at = shapely.STRtree(areas).query(pieces, predicate="intersects")
    return [np.sort(area_at[piece_at == at]) for at in range(len(pieces))]


def _narrow(geometries: Geometries, tolerance_m: float) -> NDArray[np.bool_]:
    """Say which metric geometries no circle of the tolerance's diameter fits into."""
    return np.asarray(shapely.is_empty(shapely.buffer(geometries, -tolerance_m / 2)))


def _width_m(geometries: Geometries) -> NDArray[np.float64]:
    """The width that :func:`clean` needs to close metric geometries: of the largest circle in each, in centimetres up.

    The circle is found to a hundredth of the mean width, and that is added, so that what is stated is always enough.
    """
    mean = 2 * shapely.area(geometries) / np.maximum(shapely.length(geometries), 1e-9)
    exact = np.maximum(mean / 100, 1e-4)
    widest = [
        2 * shapely.length(shapely.maximum_inscribed_circle(geometry, tolerance))
        for geometry, tolerance in zip(geometries, exact, strict=True)
    ]
    return np.asarray(np.ceil(100 * (np.array(widest, dtype=np.float64) + 2 * exact)) / 100)


def _closed(areas: Geometries, tolerance_m: float) -> shapely.Geometry:
    """Close slits in the outside of areas: swell by half the tolerance and shrink again."""
    swollen = shapely.buffer(shapely.union_all(areas), tolerance_m / 2, join_style="mitre")
    return shapely.buffer(swollen, -tolerance_m / 2, join_style="mitre")


def _filled(geom: shapely.Geometry) -> shapely.Geometry:
    """Fill the holes of a polygon or of each part of a multi-polygon."""
    return shapely.union_all(shapely.polygons(shapely.get_exterior_ring(shapely.get_parts(geom))))


def _polygonal(geometries: Geometries) -> Geometries:
    """Leave out the points and lines of overlay results."""
    parts, owners = singles(geometries)
    flat = shapely.get_dimensions(parts) == 2
    result = np.full(len(geometries), shapely.Polygon(), dtype=object)
    mine, group = np.unique(owners[flat], return_inverse=True)
    if len(mine):
        result[mine] = shapely.multipolygons(parts[flat], indices=group)
    return result


def _scale(centres: NDArray[np.float64], crs: str) -> NDArray[np.float64]:
    """Metres of the metric reference system to a degree east and a degree north, for each centre."""
    step = 1e-4
    ends = centres[:, None, :] + step * np.eye(2)
    steps = shapely.linestrings(np.stack([np.broadcast_to(centres[:, None, :], ends.shape), ends], axis=2))
    return np.asarray(shapely.length(reproject(np.asarray(steps), "EPSG:4326", crs)) / step)


def _area_m2(geometries: Geometries, crs: str) -> NDArray[np.float64]:
    """Areas of geometries in degrees, exact to some millionths for pieces of a city."""
    area_m2 = shapely.area(geometries)
    some = area_m2 > 0
    # GEOS' centroid of a hair-thin sliver may lie a degree off, so it is kept within the bounds.
    boxes, centroids = shapely.bounds(geometries[some]), shapely.get_coordinates(shapely.centroid(geometries[some]))
    area_m2[some] *= _scale(np.clip(centroids, boxes[:, :2], boxes[:, 2:]), crs).prod(axis=1)
    return area_m2


def _measured(geometries: Geometries, crs: str, least_m2: float, **columns: NDArray[Any]) -> gpd.GeoDataFrame:
    area_m2 = _area_m2(geometries, crs)
    order = np.argsort(-area_m2, kind="stable")
    order = order[(area_m2[order] >= least_m2) & (area_m2[order] > 0)]
    data = {name: values[order] for name, values in columns.items()}
    metric = _Plane.around(geometries, crs).to_metres(geometries[order]) if len(order) else geometries[order]
    data |= {"area_m2": area_m2[order], "width_m": _width_m(metric), "geom": geometries[order]}
    return gpd.GeoDataFrame(data, geometry="geom", crs="EPSG:4326")
