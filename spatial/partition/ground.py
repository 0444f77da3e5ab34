"""The ground that is divided: cells that tile a site, one for each building, and which of them lie side by side.

A cell (单元) is the least piece of ground that changes hands: a building (楼栋) and what lies nearer to it than to any
other. What one needs to know of cells is how many live there, their areas and outlines, and how much outline two of
them share; geometry comes back only when a division is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

Geometries = NDArray[np.object_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MM = 1000.0
"""Vertices are compared in whole millimetres."""
_ON_BARRIER_M = 0.5
"""An edge whose middle lies no farther from a barrier runs along it."""


class NotACoverage(ValueError):
    """Cells overlap, or edges that should be shared have different vertices."""


@dataclass(frozen=True)
class Ground:
    """Cells and what lies between them.

    Attributes
    ----------
    households, people, special
        How many there are in each cell, shape (cells,).
    edges
        Pairs of cells that share a piece of outline, the lower one first, each once, shape (edges, 2).
    shared_m
        How long that piece is, shape (edges,).
    barrier_m
        How much of it runs along a barrier.
    area_m2, perimeter_m
        Of each cell, shape (cells,).
    cells
        The polygons, if there are any: a coverage in a metric reference system.
    """

    households: Integers
    people: Integers
    special: Integers
    edges: Integers
    shared_m: Floats
    barrier_m: Floats
    area_m2: Floats
    perimeter_m: Floats
    cells: Geometries | None = None

    def __len__(self) -> int:
        return len(self.households)


def of_cells(
    cells: Geometries,
    households: ArrayLike,
    people: ArrayLike | None = None,
    special: ArrayLike | None = None,
    barriers: Geometries | None = None,
) -> Ground:
    """The ground that polygons make.

    Parameters
    ----------
    cells
        Polygons that tile a site, with the same vertices on both sides of an edge, in a metric reference system.
    households, people, special
        How many live in each; people and special households count none where they are not given.
    barriers
        Lines that divide neighbours: main roads, water, walls, railways.

    Raises
    ------
    NotACoverage
        Some cells overlap.
    """
    count = len(cells)
    polygons, owner = shapely.get_parts(cells, return_index=True)
    rings, ring_polygon = shapely.get_rings(polygons, return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    along = np.flatnonzero(ring[1:] == ring[:-1])
    segment_owner = owner[ring_polygon[ring[along]]]
    start, stop = corners[along], corners[along + 1]
    length = np.hypot(*(stop - start).T)
    keys = np.rint(np.hstack([start, stop]) * _MM).astype(np.int64)
    turned = (keys[:, 0] > keys[:, 2]) | ((keys[:, 0] == keys[:, 2]) & (keys[:, 1] > keys[:, 3]))
    keys[turned] = keys[turned][:, [2, 3, 0, 1]]
    order = np.lexsort(keys.T[::-1])
    ordered = keys[order]
    same = (ordered[1:] == ordered[:-1]).all(axis=1)
    if (same[1:] & same[:-1]).any():
        raise NotACoverage("an edge belongs to three cells")
    left, right = order[:-1][same], order[1:][same]
    apart = segment_owner[left] != segment_owner[right]
    left, right = left[apart], right[apart]
    pair = np.sort(np.column_stack([segment_owner[left], segment_owner[right]]), axis=1)
    edges, number = np.unique(pair, axis=0, return_inverse=True)
    number = number.ravel()
    walled = np.zeros(len(left))
    if barriers is not None and len(barriers) and len(left):
        middles = shapely.points((start[left] + stop[left]) / 2)
        near = shapely.STRtree(barriers).query(middles, predicate="dwithin", distance=_ON_BARRIER_M)[0]
        walled[near] = length[left][near]
    return Ground(
        np.asarray(households, dtype=np.int64),
        np.zeros(count, dtype=np.int64) if people is None else np.asarray(people, dtype=np.int64),
        np.zeros(count, dtype=np.int64) if special is None else np.asarray(special, dtype=np.int64),
        edges.reshape(-1, 2).astype(np.int64),
        _sums(number, length[left], len(edges)),
        _sums(number, walled, len(edges)),
        shapely.area(cells),
        shapely.length(cells),
        cells,
    )


def _sums(label: Integers, numbers: ArrayLike, count: int) -> Floats:
    return np.bincount(label, np.asarray(numbers, dtype=np.float64), count).astype(np.float64)


def joined(ground: Ground, label: ArrayLike) -> Ground:
    """The ground with some cells made one.

    Parameters
    ----------
    label
        For each cell the cell of the new ground that it becomes part of: 0 … n - 1, shape (cells,).
    """
    to = np.asarray(label, dtype=np.int64)
    count = int(to.max()) + 1 if len(to) else 0
    ends = np.sort(to[ground.edges], axis=1)
    inner = ends[:, 0] == ends[:, 1]
    edges, number = np.unique(ends[~inner], axis=0, return_inverse=True)
    number = number.ravel()
    gone = _sums(ends[inner, 0], ground.shared_m[inner], count)
    cells = None
    if ground.cells is not None:
        order = np.argsort(to, kind="stable")
        parts = np.split(ground.cells[order], np.flatnonzero(np.diff(to[order])) + 1) if count else []
        cells = np.array([one[0] if len(one) == 1 else shapely.coverage_union_all(one) for one in parts], dtype=object)
    return replace(
        ground,
        households=_sums(to, ground.households, count).astype(np.int64),
        people=_sums(to, ground.people, count).astype(np.int64),
        special=_sums(to, ground.special, count).astype(np.int64),
        edges=edges.reshape(-1, 2).astype(np.int64),
        shared_m=_sums(number, ground.shared_m[~inner], len(edges)),
        barrier_m=_sums(number, ground.barrier_m[~inner], len(edges)),
        area_m2=_sums(to, ground.area_m2, count),
        perimeter_m=_sums(to, ground.perimeter_m, count) - 2 * gone,
        cells=cells,
    )


def part(ground: Ground, chosen: Integers) -> Ground:
    """Some cells of the ground, in the order given; what they share with others counts as outline."""
    at = np.full(len(ground), -1, dtype=np.int64)
    at[chosen] = np.arange(len(chosen))
    ends = at[ground.edges]
    inside = (ends >= 0).all(axis=1)
    return Ground(
        ground.households[chosen],
        ground.people[chosen],
        ground.special[chosen],
        np.sort(ends[inside], axis=1),
        ground.shared_m[inside],
        ground.barrier_m[inside],
        ground.area_m2[chosen],
        ground.perimeter_m[chosen],
        None if ground.cells is None else ground.cells[chosen],
    )


def pieces(ground: Ground) -> Integers:
    """Which connected piece of the ground each cell belongs to, numbered from 0, shape (cells,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(ground)
    beside = coo_array((np.ones(len(ground.edges)), tuple(ground.edges.T)), shape=(count, count))
    number: Integers = connected_components(beside, directed=False)[1].astype(np.int64)
    return number
