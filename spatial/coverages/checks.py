"""Checks: what is wrong with a division, and where; and how compact its areas are.

Sources
-------
Polsby, D. D. and Popper, R. D. (1991), The Third Criterion, Yale Law & Policy Review 9, 301–353: area over that of the
circle with the same perimeter. Reock, E. C. (1961), A Note: Measuring Compactness as a Requirement of Legislative
Apportionment, Midwest Journal of Political Science 5, 70–74: area over that of the smallest circle around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial.coverages.tiling import OUTSIDE, Coverage, Geometries

Floats = NDArray[np.float64]

_CUT_M2, _CUT_SHARE = 0.5, 0.01
_NARROW_M = 4.0
_BARRIER_M = 10.0
_ALONG_M = 5.0


class Kind(StrEnum):
    """What can be wrong with the shape of a division."""

    CONTIGUOUS = "contiguous"
    ENCLOSED = "enclosed"
    SLIVER = "sliver"
    CUT = "cut"
    BARRIER = "barrier"
    COMPACT = "compact"


@dataclass(frozen=True)
class Fault:
    """Something wrong: with which areas, where, and by how much.

    Attributes
    ----------
    value
        ``CONTIGUOUS``: parts; ``SLIVER``: m²; ``BARRIER``: metres; ``COMPACT``: Polsby-Popper.
    building
        Position of the building that is cut.
    """

    kind: Kind
    keys: tuple[int, ...]
    where: Any
    value: float = 0.0
    building: int | None = None


def polsby_popper(polygons: Geometries) -> Floats:
    """4π times the area over the square of the perimeter: 1 for a circle.

    >>> round(float(polsby_popper(np.array([shapely.box(0, 0, 1, 1)], dtype=object))[0]), 3)
    0.785
    """
    around = shapely.length(polygons)
    return np.asarray(4 * np.pi * shapely.area(polygons) / np.maximum(around, 1e-9) ** 2)


def reock(polygons: Geometries) -> Floats:
    """Area over that of the smallest circle around it.

    >>> round(float(reock(np.array([shapely.box(0, 0, 1, 1)], dtype=object))[0]), 3)
    0.637
    """
    radius = shapely.minimum_bounding_radius(polygons)
    return np.asarray(shapely.area(polygons) / np.maximum(np.pi * radius**2, 1e-9))


def faults(
    coverage: Coverage,
    footprints: Geometries | None = None,
    barriers: Geometries | None = None,
    least_compact: float = 0.2,
) -> list[Fault]:
    """All faults of a division, by kind and key."""
    keys, polygons = coverage.keys, coverage.polygons
    found = _of_pieces(keys, polygons) + _enclosed(coverage)
    found += [
        Fault(Kind.COMPACT, (keys[at],), polygons[at], float(score))
        for at, score in enumerate(polsby_popper(polygons))
        if score < least_compact
    ]
    if footprints is not None and len(footprints):
        found += cut(coverage, footprints)
    if barriers is not None and len(barriers):
        found += _crossed(coverage, barriers)
    return found


def _of_pieces(keys: list[int], polygons: Geometries) -> list[Fault]:
    parts, at = shapely.get_parts(polygons, return_index=True)
    found = []
    for number in np.flatnonzero(np.bincount(at, minlength=len(keys)) > 1):
        mine = parts[at == number]
        rest = np.delete(mine, int(np.argmax(shapely.area(mine))))
        found.append(Fault(Kind.CONTIGUOUS, (keys[number],), shapely.multipolygons(rest), float(len(mine))))
    thin = shapely.is_empty(shapely.buffer(parts, -_NARROW_M / 2))
    found += [
        Fault(Kind.SLIVER, (keys[at[part]],), parts[part], float(shapely.area(parts[part])))
        for part in np.flatnonzero(thin)
    ]
    return found


def _enclosed(coverage: Coverage) -> list[Fault]:
    """Areas that lie wholly within another one."""
    beside: dict[int, set[int]] = {key: set() for key in coverage.keys}
    for edge in coverage.edges():
        for one, other in ((edge.left, edge.right), (edge.right, edge.left)):
            if one != OUTSIDE:
                beside[one].add(other)
    return [
        Fault(Kind.ENCLOSED, (key, *others), coverage.areas[key])
        for key, others in beside.items()
        if len(others) == 1 and OUTSIDE not in others
    ]


def cut(coverage: Coverage, footprints: Geometries) -> list[Fault]:
    """Buildings that stand in several areas: the keys by how much of it stands in each, the most first."""
    building, at = coverage.tree.query(footprints, predicate="intersects")
    twice = np.bincount(building, minlength=len(footprints)) > 1
    chosen = twice[building] & (shapely.get_dimensions(footprints[building]) == 2)
    building, at = building[chosen], at[chosen]
    inside = shapely.intersection(footprints[building], coverage.polygons[at])
    size = shapely.area(inside)
    real = size > np.maximum(_CUT_M2, _CUT_SHARE * shapely.area(footprints[building]))
    found = []
    for number in np.unique(building[real]):
        here = np.flatnonzero(real & (building == number))
        if len(here) > 1:
            order = here[np.argsort(-size[here], kind="stable")]
            keys = tuple(coverage.keys[place] for place in at[order])
            found.append(Fault(Kind.CUT, keys, footprints[number], float(size[order[1:]].sum()), int(number)))
    return found


def _crossed(coverage: Coverage, barriers: Geometries) -> list[Fault]:
    """How far barriers run through each area, away from its outline."""
    lines = shapely.union_all(barriers)
    within = shapely.intersection(lines, shapely.buffer(coverage.polygons, -_ALONG_M))
    far = shapely.length(within)
    return [
        Fault(Kind.BARRIER, (coverage.keys[at],), within[at], float(far[at])) for at in np.flatnonzero(far > _BARRIER_M)
    ]
