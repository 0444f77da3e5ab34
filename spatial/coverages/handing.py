"""Buildings change hands with the ground around them; grids are balanced, and made of one piece.

A building takes its cell with it: what lies nearer to it than to any other building of its grid (``partition.cells``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial.coverages import painting
from spatial.coverages.tiling import (
    OUTSIDE,
    Coverage,
    Edited,
    Geometries,
    Integers,
    NotPossible,
    Reason,
    Why,
    adopted,
    painted,
)
from spatial.partition import cells as partition_cells
from spatial.partition import cities
from spatial.partition.ground import Ground, of_cells
from spatial.partition.proposals import NOBODY, Asked, Division, NoDivision, Weights

_CUT_M2, _CUT_SHARE = 0.5, 0.01
_ROOM_M = 2.0


def located(coverage: Coverage, points: Geometries) -> Integers:
    """The key of the area that covers each point, the first of them on an edge; ``OUTSIDE`` where none does."""
    keys = np.full(len(points), OUTSIDE, dtype=np.int64)
    if len(points):
        point, at = coverage.tree.query(points, predicate="intersects")
        order = np.argsort(-at, kind="stable")
        keys[point[order]] = np.asarray(coverage.keys, dtype=np.int64)[at[order]]
    return keys


def hand_over(coverage: Coverage, footprints: Geometries, chosen: Sequence[int], to: int) -> Edited:
    """Hand buildings over to an area, each with its cell of the areas that it stands in.

    Parameters
    ----------
    footprints
        All buildings, polygons or points.
    chosen
        Positions of those that are handed over.

    Raises
    ------
    NotPossible
        They are there already, stand outside, or in a locked area.
    """
    coverage.polygon(to)
    wanted = footprints[list(chosen)]
    ground = []
    for at in np.unique(coverage.tree.query(wanted, predicate="intersects")[1]):
        area = coverage.polygons[at]
        if coverage.keys[at] == to:
            continue
        standing = shapely.STRtree(footprints).query(area, predicate="intersects")
        inside = np.array([position for position in standing if _stands(footprints[position], area)], dtype=np.int64)
        cells = _cells(footprints[inside], area, np.isin(inside, list(chosen)))
        ground += [
            cell for cell, position in zip(cells, inside, strict=True) if position in chosen and cell is not None
        ]
    if not ground:
        outside = shapely.distance(coverage.site, wanted) > 0
        raise NotPossible(Reason.OUTSIDE if outside.any() else Reason.NOTHING, (to,))
    solid = wanted[shapely.get_dimensions(wanted) == 2]
    whole = shapely.union_all([*ground, *shapely.intersection(solid, coverage.site)])
    return painting.give(coverage, whole, to, why=Why.AROUND)


def _stands(footprint: Any, area: Any) -> bool:
    inside = shapely.intersection(footprint, area)
    return bool(shapely.get_dimensions(footprint) == 0 or shapely.area(inside) > _CUT_M2)


def _cells(footprints: Geometries, area: Any, needed: NDArray[np.bool_]) -> list[Any]:
    """A cell for each footprint; those upon another have none, unless they are needed: then room around them."""
    kept = np.arange(len(footprints))
    while len(kept):
        try:
            drawn = partition_cells.around(footprints[kept], area)
        except partition_cells.CannotDraw as error:
            kept = np.delete(kept, error.positions)
            continue
        break
    cells: list[Any] = [None] * len(footprints)
    for place, position in enumerate(kept):
        cells[position] = drawn[place]
    for position in np.flatnonzero(needed):
        if cells[position] is None:
            cells[position] = shapely.intersection(shapely.buffer(footprints[position], _ROOM_M), area)
    return cells


def make_contiguous(coverage: Coverage, key: int, points: Geometries | None = None) -> Edited:
    """Give the parts of an area that are cut off to the neighbours that they have most edge with.

    Parameters
    ----------
    points
        Homes; the part with most of them is kept, else the largest.

    Raises
    ------
    NotPossible
        It is of one piece.
    """
    area = coverage.polygon(key)
    parts = shapely.get_parts(area)
    lived = [
        0 if points is None else len(shapely.STRtree(points).query(part, predicate="intersects")) for part in parts
    ]
    kept = max(range(len(parts)), key=lambda at: (lived[at], shapely.area(parts[at])))
    shapely.prepare(parts[kept])

    def rule(faces: Geometries, spots: Geometries, owner: Integers) -> Integers:
        cut_off = (owner == key) & ~shapely.intersects(parts[kept], spots)
        owner[cut_off] = OUTSIDE
        after: Integers = adopted(faces, owner, cut_off, coverage.locked | {key})
        if (after[cut_off] == OUTSIDE).any():
            raise NotPossible(Reason.NO_NEIGHBOUR, (key,))
        return after

    return painted(coverage, [], area, rule, lambda _source, _target: Why.HAND)


@dataclass(frozen=True)
class Homes:
    """Buildings as the machine weighs them: footprints (or points), and how many live in each."""

    footprints: Geometries
    households: Integers
    people: Integers
    special: Integers


@dataclass(frozen=True)
class Proposal:
    """A division that the machine found best, as areas by key, with what it proved."""

    areas: dict[int, Any]
    division: Division
    left_out: list[int]
    """Positions of buildings that lie upon others or outside, and go with the ground."""


def propose(
    coverage: Coverage,
    keys: Sequence[int],
    homes: Homes,
    *,
    least: int,
    most: int,
    count: int | None,
    weights: Weights,
    lines: Geometries | None = None,
    new: Sequence[int] = (),
    together: Sequence[Sequence[int]] = (),
    seed: int = 0,
    seconds: float = 60.0,
    alive: Callable[[], None] = lambda: None,
    tell: Callable[[float], None] = lambda _share: None,
) -> Proposal:
    """Divide the ground of some areas among as many, or another number, as well as it can be done.

    Parameters
    ----------
    keys
        Areas whose ground is divided; locked ones are none of them.
    count
        How many areas there are to be; ``None`` for as few as possible.
    lines
        Streets, walls and water that cells end at as they do at today's edges, and that count as barriers.
    new
        Keys for areas beyond those.
    together
        Positions of homes that go to the same area, group by group.
    seed, seconds, alive, tell
        As of ``spatial.partition.cities.best``.

    Raises
    ------
    spatial.partition.proposals.NoDivision, OutOfTime
        There is none, which is proven, with positions of homes for ``cells``; or none was found in the time.
    """
    today_keys = [key for key in keys if key not in coverage.locked]
    site = shapely.coverage_union_all([coverage.polygon(key) for key in today_keys])
    stands = np.flatnonzero(shapely.area(shapely.intersection(homes.footprints, site)) > _CUT_M2)
    dots = np.flatnonzero((shapely.get_dimensions(homes.footprints) == 0) & shapely.intersects(homes.footprints, site))
    position = np.union1d(stands, dots)
    left_out = []
    # Cells end at the edges of today too, so that a division like today's is always among those looked at.
    inner = [edge.line for edge in coverage.edges(today_keys) if edge.left in today_keys and edge.right in today_keys]
    walls = np.array([*inner, *(lines if lines is not None else ())], dtype=object)
    while True:
        try:
            cells = partition_cells.around(homes.footprints[position], site, walls)
            break
        except partition_cells.CannotDraw as error:
            left_out += position[error.positions].tolist()
            position = np.delete(position, error.positions)
            if not len(position):
                raise NotPossible(Reason.NOTHING, tuple(today_keys)) from error
    ground: Ground = of_cells(cells, homes.households[position], homes.people[position], homes.special[position], lines)
    held = located(coverage, shapely.point_on_surface(homes.footprints[position]))
    today = np.array([today_keys.index(key) if key in today_keys else -1 for key in held], dtype=np.int64)
    groups = np.full(len(homes.footprints), NOBODY, dtype=np.int64)
    for number, group in enumerate(together):
        groups[list(group)] = number
    request = Asked(least, most, count, today, groups=groups[position])
    try:
        division = cities.best(ground, request, weights, seed=seed, seconds=seconds, alive=alive, tell=tell)
    except NoDivision as error:
        error.cells = position[error.cells].tolist()
        raise
    label = _matched(division.grid, today, homes.households[position], len(today_keys))
    names = [*today_keys, *new]
    areas: dict[int, Any] = {}
    for at, name in enumerate(label):
        if name >= len(names):
            raise ValueError("more areas came of it than there are keys for")
        areas[names[name]] = shapely.coverage_union_all(cells[division.grid == at])
    for key in today_keys:
        areas.setdefault(key, shapely.Polygon())
    return Proposal(areas, division, left_out)


def _matched(grid: Integers, today: Integers, households: Integers, count: int) -> list[int]:
    """For each grid of a division the area of today that it goes on, so that as few households as possible move."""
    from scipy.optimize import linear_sum_assignment

    grids = int(grid.max()) + 1
    common = np.zeros((grids, max(grids, count)))
    for new, old, homes in zip(grid, today, households, strict=True):
        if old >= 0:
            common[new, old] += homes + 0.001
    row, column = linear_sum_assignment(-common)
    return [int(column[list(row).index(at)]) for at in range(grids)]


def balance(coverage: Coverage, keys: Sequence[int], homes: Homes, *, least: int, most: int, **how: Any) -> Edited:
    """Draw some areas anew between each other, so that their households are as even as can be.

    Raises
    ------
    NotPossible, spatial.partition.proposals.NoDivision, OutOfTime
    """
    if held := coverage.locked & set(keys):
        raise NotPossible(Reason.LOCKED, tuple(sorted(held)))
    proposal = propose(coverage, keys, homes, least=least, most=most, count=len(keys), **how)
    return painting.redrawn(coverage, proposal.areas)
