"""Cells 单元: a regular lattice of hexagons or squares in metres, and what is counted in them.

A cell is named by two whole numbers, ``column`` and ``row``, counted from the origin of the reference system. So the
same place is the same cell in every run, whatever the area, and two runs can be compared cell by cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

__all__ = ["Lattice", "Neighbours", "Shape", "count", "groups", "neighbours_within", "position_in"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Geometries = NDArray[np.object_]

_HALF = 2**30
"""Columns and rows stay below this, so that a pair of them fits one integer."""


class Shape(StrEnum):
    """What a cell looks like."""

    HEXAGON = "hexagon"
    SQUARE = "square"


@dataclass(frozen=True)
class Neighbours:
    """Who is a neighbour of whom, itself included: binary weights as compressed rows.

    The neighbours of ``i`` are ``indices[starts[i]:starts[i + 1]]``, in rising order.
    """

    starts: Integers
    indices: Integers

    @property
    def counts(self) -> Integers:
        """How many neighbours each has, itself included."""
        return np.diff(self.starts)

    def sums(self, values: ArrayLike) -> Floats:
        """The sum of ``values`` over the neighbours of each; for a table, of each column."""
        flat = np.asarray(values, dtype=np.float64)
        if len(flat) == 0:
            return flat
        if flat.ndim > 1:
            # Column by column: all neighbours of all columns at once would not fit into memory.
            return np.column_stack([self.sums(column) for column in flat.T]) if flat.shape[1] else flat
        # The running sum would lose digits by cancellation; reduceat sums each row by itself. No row is empty.
        return np.asarray(np.add.reduceat(flat[self.indices], self.starts[:-1]))


@dataclass(frozen=True)
class Lattice:
    """A lattice of hexagons (points up) or squares.

    Parameters
    ----------
    size_m
        The width of a cell in metres: between two parallel sides.
    shape
        Hexagons or squares.

    Notes
    -----
    Hexagons in axial coordinates: the centre of (q, r) lies at x = size (q + r/2), y = size √3/2 r. The nearest centre
    is found by rounding cube coordinates.

    Source: A. Patel, Hexagonal Grids, Red Blob Games (2013), "Rounding to nearest hex"; C. P. D. Birch, S. P. Oom,
    J. A. Beecham, Rectangular and hexagonal grids used for observation, experiment and simulation in ecology,
    Ecological Modelling 206 (2007) 347–359, for why hexagons: all six neighbours are equally far.

    Raises
    ------
    ValueError
        The size is not greater than 0.

    Examples
    --------
    >>> Lattice(36).locate([[0.0, 0.0], [36.0, 1.0], [18.0, 31.2]]).tolist()
    [[0, 0], [1, 0], [0, 1]]
    """

    size_m: float
    shape: Shape = Shape.HEXAGON

    def __post_init__(self) -> None:
        if not self.size_m > 0:
            raise ValueError(f"size_m is {self.size_m}, but the width of a cell in metres is greater than 0")

    @property
    def area_m2(self) -> float:
        """The area of one cell in square metres."""
        return float(self.size_m**2 * (np.sqrt(3) / 2 if self.shape == Shape.HEXAGON else 1))

    def locate(self, xy: ArrayLike) -> Integers:
        """The cell of each point.

        Parameters
        ----------
        xy
            Array (n, 2) of finite metres.

        Returns
        -------
        numpy.ndarray
            Array (n, 2) of column and row.
        """
        flat = np.asarray(xy, dtype=np.float64).reshape(-1, 2) / self.size_m
        if self.shape == Shape.SQUARE:
            return np.floor(flat).astype(np.int64)
        r = flat[:, 1] * (2 / np.sqrt(3))
        q = flat[:, 0] - r / 2
        s = -q - r
        rounded = np.rint(np.stack([q, r, s]))
        off = np.abs(rounded - np.stack([q, r, s]))
        # The coordinate that was rounded furthest is set so that the three add up to nothing again.
        furthest = off.argmax(axis=0)
        q = np.where(furthest == 0, -rounded[1] - rounded[2], rounded[0])
        r = np.where(furthest == 1, -rounded[0] - rounded[2], rounded[1])
        return np.column_stack([q, r]).astype(np.int64)

    def centres(self, cells: ArrayLike) -> Floats:
        """The centre of each cell, array (n, 2) in metres."""
        flat = np.asarray(cells, dtype=np.float64).reshape(-1, 2)
        if self.shape == Shape.SQUARE:
            return (flat + 0.5) * self.size_m
        return np.column_stack([flat[:, 0] + flat[:, 1] / 2, flat[:, 1] * (np.sqrt(3) / 2)]) * self.size_m

    def polygons(self, cells: ArrayLike) -> Geometries:
        """The outline of each cell, an array of polygons in metres."""
        if self.shape == Shape.SQUARE:
            corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * self.size_m
        else:
            turns = np.deg2rad(np.arange(6) * 60 - 30)
            corners = np.column_stack([np.cos(turns), np.sin(turns)]) * (self.size_m / np.sqrt(3))
        rings = self.centres(cells)[:, None, :] + corners[None, :, :]
        return np.asarray(shapely.polygons(rings), dtype=object)

    def cover(self, area: BaseGeometry | None, also: ArrayLike | None = None) -> Integers:
        """The cells of an area: those whose centre lies in it, and those of ``also``, so that nothing in them is lost.

        Parameters
        ----------
        area
            A polygon in metres; None for no area.
        also
            Array (n, 2) of further cells, such as those with cases.

        Returns
        -------
        numpy.ndarray
            Array (m, 2) of column and row, each once, by row and then column.
        """
        found = [np.empty((0, 2), dtype=np.int64)]
        if area is not None and not area.is_empty:
            found.append(self._inside(area))
        if also is not None:
            found.append(np.asarray(also, dtype=np.int64).reshape(-1, 2))
        keys = np.unique(_keys(np.concatenate(found)))
        return _cells(keys)

    def _inside(self, area: BaseGeometry) -> Integers:
        west, south, east, north = area.bounds
        low, high = self.locate([[west, south], [east, north]])
        rows = np.arange(low[1] - 1, high[1] + 2)
        lean = 0.5 if self.shape == Shape.HEXAGON else 0.0
        first = np.floor(west / self.size_m - lean * rows).astype(np.int64) - 1
        width = int(np.ceil((east - west) / self.size_m)) + 4
        columns = first[:, None] + np.arange(width)[None, :]
        cells = np.column_stack([columns.ravel(), np.repeat(rows, width)])
        centres = self.centres(cells)
        shapely.prepare(area)
        return np.asarray(cells[shapely.contains_xy(area, centres[:, 0], centres[:, 1])])

    def neighbours(self, cells: ArrayLike, rings: int = 1) -> Neighbours:
        """Which of ``cells`` lie within some rings of each other; each is its own neighbour.

        Parameters
        ----------
        cells
            Array (n, 2), each cell once.
        rings
            How many rings around a cell: 1 is the 6 (square: 8) cells that touch it, 2 is 18 (24).
        """
        flat = np.asarray(cells, dtype=np.int64).reshape(-1, 2)
        keys = _keys(flat)
        order = np.argsort(keys)
        steps = range(-rings, rings + 1)
        apart = [(dq, dr) for dr in steps for dq in steps if self.shape == Shape.SQUARE or abs(dq + dr) <= rings]
        wanted = keys[:, None] + np.array([dr * 2 * _HALF + dq for dq, dr in apart])[None, :]
        at = np.searchsorted(keys, wanted, sorter=order)
        found = order[np.minimum(at, len(keys) - 1)] if len(keys) else at
        there = keys[found] == wanted if len(keys) else np.zeros(wanted.shape, dtype=bool)
        starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
        return _rising(starts, found[there])


def neighbours_within(xy: ArrayLike, distance_m: float) -> Neighbours:
    """Which points lie within a distance of each other; each is its own neighbour.

    Parameters
    ----------
    xy
        Array (n, 2) in metres, such as the points of buildings.
    distance_m
        Greatest distance in metres, itself included.
    """
    from scipy.spatial import KDTree

    flat = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    pairs = KDTree(flat).query_pairs(distance_m, output_type="ndarray")
    itself = np.arange(len(flat))
    owners = np.concatenate([pairs[:, 0], pairs[:, 1], itself])
    others = np.concatenate([pairs[:, 1], pairs[:, 0], itself]).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=len(flat)))])
    return _rising(starts, others[np.argsort(owners, kind="stable")])


def groups(chosen: ArrayLike, neighbours: Neighbours) -> Integers:
    """Number the groups of chosen cells that hang together; -1 for cells that were not chosen.

    Examples
    --------
    >>> row = Lattice(36).neighbours([[column, 0] for column in range(6)])
    >>> groups([True, True, False, True, False, True], row).tolist()
    [0, 0, -1, 1, -1, 2]
    """
    flags = np.asarray(chosen, dtype=bool)
    group_of = np.full(len(flags), -1, dtype=np.int64)
    number = 0
    for first in np.flatnonzero(flags).tolist():
        if group_of[first] >= 0:
            continue
        group_of[first], waiting = number, [first]
        while waiting:
            at = waiting.pop()
            near = neighbours.indices[neighbours.starts[at] : neighbours.starts[at + 1]]
            fresh = near[flags[near] & (group_of[near] < 0)]
            group_of[fresh] = number
            waiting.extend(fresh.tolist())
        number += 1
    return group_of


def count(xy: ArrayLike, lattice: Lattice, cells: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """How many points (or how much weight) lie in each cell; what lies in none of them is not counted."""
    positions = position_in(lattice.locate(xy), cells)
    inside = positions >= 0
    each = None if weights is None else np.asarray(weights, dtype=np.float64)[inside]
    return np.bincount(positions[inside], weights=each, minlength=len(np.asarray(cells))).astype(np.float64)


def position_in(wanted: ArrayLike, cells: ArrayLike) -> Integers:
    """The position in ``cells`` of each wanted cell, -1 where it is none of them."""
    keys, asked = _keys(np.asarray(cells, dtype=np.int64)), _keys(np.asarray(wanted, dtype=np.int64))
    if len(keys) == 0:
        return np.full(len(asked), -1, dtype=np.int64)
    order = np.argsort(keys)
    found = order[np.minimum(np.searchsorted(keys, asked, sorter=order), len(keys) - 1)]
    return np.where(keys[found] == asked, found, -1).astype(np.int64)


def _rising(starts: Integers, indices: Integers) -> Neighbours:
    owners = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return Neighbours(starts.astype(np.int64), indices[np.lexsort((indices, owners))].astype(np.int64))


def _keys(cells: Integers) -> Integers:
    flat = cells.reshape(-1, 2)
    return np.asarray(flat[:, 1] * (2 * _HALF) + flat[:, 0])


def _cells(keys: Integers) -> Integers:
    rows = (keys + _HALF) // (2 * _HALF)
    return np.column_stack([keys - rows * (2 * _HALF), rows])
