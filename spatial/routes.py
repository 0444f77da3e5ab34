"""Routes: ways along streets from place to place, and in which order to pass many places so that the way is short.

The order begins with the nearest neighbour and is then improved: while turning a stretch around makes the way
shorter, it is turned (2-opt). That finds no proven shortest way, but on places in a plane one that is about 5 % longer.

Sources
-------
Croes, G. A. (1958), A method for solving traveling-salesman problems, Operations Research 6(6), 791-812 (2-opt);
Johnson, D. S. and McGeoch, L. A. (1997), The traveling salesman problem: a case study in local optimization (how good
it is); Dijkstra, E. W. (1959), A note on two problems in connexion with graphs, Numerische Mathematik 1, 269-271.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

__all__ = ["Network", "Ways", "round_trip", "straight"]

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

_LEAST_M = 1e-6
"""Rounding alone must not make a turn look worth it."""
_STEP_M = 8.0
"""A street is entered and left at points so far apart."""
_CRACK_M = 3.0
"""Ends of streets that are drawn no farther apart than this meet."""
_OFF_STREET = 3.0
"""A metre beside the streets counts as so many along them, so that streets are kept to where there are any."""
_PASSED_M = 30.0
"""A place is passed from a street that is no farther away; else one has to leave the street for it."""


class Network:
    """Streets to walk along.

    Parameters
    ----------
    lines
        Lines in a metric reference system; where they cross, one may turn. None, empty and other geometries are no
        streets.
    """

    def __init__(self, lines: NDArray[np.object_]) -> None:
        from scipy.sparse import coo_array
        from scipy.spatial import KDTree

        given = np.asarray(lines, dtype=object)
        streets = shapely.node(shapely.union_all(given[shapely.get_dimensions(given) == 1]))
        parts = shapely.get_parts(shapely.segmentize(streets, _STEP_M))
        corners, line = shapely.get_coordinates(parts, return_index=True)
        self.corners, number = np.unique(np.round(corners, 3).reshape(-1, 2), axis=0, return_inverse=True)
        inner = np.flatnonzero(line[1:] == line[:-1])
        start, stop = number[inner], number[inner + 1]
        if len(self.corners):
            cracks = KDTree(self.corners).query_pairs(_CRACK_M, output_type="ndarray")
            start, stop = np.append(start, cracks[:, 0]), np.append(stop, cracks[:, 1])
        metres = np.hypot(*(self.corners[start] - self.corners[stop]).T)
        count = len(self.corners)
        # A street that is drawn twice is one: a sparse array adds up what stands at one place.
        _pair, first = np.unique(np.minimum(start, stop) * count + np.maximum(start, stop), return_index=True)
        self._graph = coo_array(
            (np.maximum(metres[first], 1e-9), (start[first], stop[first])), shape=(count, count)
        ).tocsr()

    def ways(self, places: Floats) -> Ways:
        """Find the shortest way from each place to each other, along streets and across what lies beside them.

        Parameters
        ----------
        places
            Coordinates, shape (n, 2).

        Returns
        -------
        Ways
            Between the points of the streets that are nearest to the places; where no streets lead, ways are straight.
        """
        from scipy.sparse.csgraph import dijkstra
        from scipy.spatial import KDTree

        direct = straight(places) * _OFF_STREET
        if not len(self.corners) or not len(places):
            nowhere = np.full((len(places), 0), -1)
            return Ways(places, direct, self.corners, np.zeros(len(places), dtype=np.int64), nowhere, direct < 0)
        beside, door = KDTree(self.corners).query(places)
        along, before = dijkstra(self._graph, directed=False, indices=door, return_predecessors=True)
        aside = np.where(beside > _PASSED_M, beside, 0.0) * _OFF_STREET
        through = along[:, door] + aside[:, None] + aside[None]
        led = np.isfinite(through)
        starts = np.where((aside > 0)[:, None], places, self.corners[door])
        metres = np.where(led, through, direct)
        np.fill_diagonal(metres, 0.0)
        return Ways(starts, metres, self.corners, door, before, led)


@dataclass(frozen=True)
class Ways:
    """The shortest ways between places.

    Attributes
    ----------
    places
        Where one stands to have passed each: on the nearest street, or at the place itself; shape (n, 2).
    metres
        From each to each, shape (n, n); a metre beside the streets counts thrice.
    """

    places: Floats
    metres: Floats
    _corners: Floats
    _door: Positions
    _before: Positions
    _on_streets: NDArray[np.bool_]

    @property
    def on_streets(self) -> bool:
        """Whether any way leads along streets; else all are straight."""
        return bool(self._on_streets.any())

    def between(self, one: int, other: int) -> Floats:
        """The coordinates of the way from where ``one`` is passed to where an ``other`` is, both included."""
        if not self._on_streets[one, other]:
            return self.places[[one, other]]
        chain = [int(self._door[other])]
        while chain[-1] != self._door[one]:
            chain.append(int(self._before[one, chain[-1]]))
        return np.vstack((self.places[one], self._corners[chain[::-1]], self.places[other]))


def straight(places: Floats) -> Floats:
    """How far it is straight from each of ``places``, shape (n, 2), to each, shape (n, n).

    >>> straight(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[0.0, 5.0], [5.0, 0.0]]
    """
    lengths: Floats = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    return lengths


def round_trip(lengths: ArrayLike, start: int = 0) -> Positions:
    """Put places into an order in which one passes all of them and comes back.

    Parameters
    ----------
    lengths
        Way from each place to each other, shape (n, n), symmetric, finite, in metres.
    start
        The place to begin with.

    Returns
    -------
    numpy.ndarray
        Positions of the places, ``start`` first. The way back is not listed.

    Raises
    ------
    ValueError
        ``lengths`` is not square, or not finite.

    Examples
    --------
    >>> corners = np.array([[0, 0], [10, 10], [10, 0], [0, 10]])
    >>> ways = np.hypot(*(corners[:, None] - corners[None]).transpose(2, 0, 1))
    >>> round_trip(ways).tolist() in ([0, 2, 1, 3], [0, 3, 1, 2])
    True
    """
    ways = np.asarray(lengths, dtype=np.float64)
    if ways.ndim != 2 or ways.shape[0] != ways.shape[1] or not np.isfinite(ways).all():
        raise ValueError("the ways between places are a square of finite numbers")
    count = len(ways)
    if count == 0:
        return np.empty(0, dtype=np.int64)
    return _turned(ways, _nearest_first(ways, start))


def _nearest_first(ways: Floats, start: int) -> Positions:
    order = [start]
    left = np.ones(len(ways), dtype=bool)
    left[start] = False
    while left.any():
        candidates = np.flatnonzero(left)
        nearest = int(candidates[np.argmin(ways[order[-1], candidates])])
        order.append(nearest)
        left[nearest] = False
    return np.array(order, dtype=np.int64)


def _turned(ways: Floats, order: Positions) -> Positions:
    """2-opt, always the best turn first; each makes the way shorter, so it ends."""
    count = len(order)
    if count < 4:
        return order
    upper = np.triu(np.ones((count, count), dtype=bool), k=1)
    while True:
        following = np.roll(order, -1)
        now = ways[order, following]
        # Turning the places between i and j replaces the legs after i and after j.
        gain = now[:, None] + now[None, :] - ways[np.ix_(order, order)] - ways[np.ix_(following, following)]
        gain[~upper] = -np.inf
        i, j = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[i, j] <= _LEAST_M:
            break
        order[i + 1 : j + 1] = order[i + 1 : j + 1][::-1]
    return order
