"""All small grids of a large ground: connected groups of cells whose households lie within bounds, with their costs.

On a city a row of truth values for each group is too long, so a group is the list of its cells. Each is grown from its
lowest cell exactly once: a group takes only cells that come later than its root, and leaves out for good what it did
not take before, so none has to be compared with another.

Sources
-------
Wernicke, S. (2006), Efficient detection of network motifs, IEEE/ACM Transactions on Computational Biology and
Bioinformatics 3(4), 347-359 (each connected group once, from its root).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial.partition.columns import TooMany, polsby_popper
from spatial.partition.ground import Ground

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Cells = NDArray[np.int32]

MOST = 24_000_000
"""More groups than this are not looked at: they would take gigabytes."""
_ROOTS = 1000
"""So many roots are grown at a time: what is in work stays small."""
_SAMPLE = 48
_NONE = np.int32(-1)


@dataclass(frozen=True)
class Group:
    """Groups of one size.

    Attributes
    ----------
    cells
        Their cells, the lowest one first, in the order of those; shape (groups, size).
    cost
        What each costs.
    """

    cells: Cells
    cost: Floats

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Scores:
    """What is known of groups as they grow: as in ``columns.Columns``."""

    households: Integers
    people: Integers
    special: Integers
    area_m2: Floats
    perimeter_m: Floats
    barrier_m: Floats

    def __len__(self) -> int:
        return len(self.households)

    @property
    def compactness(self) -> Floats:
        """Polsby-Popper score of the outlines."""
        return polsby_popper(self.area_m2, self.perimeter_m)

    def taken(self, rows: Integers | NDArray[np.bool_]) -> Scores:
        """Some of them."""
        return Scores(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


Cost = Callable[[Scores, Cells], Floats]


@dataclass(frozen=True)
class Beside:
    """The neighbours of each cell as a table: ``cells`` (-1 beyond the last), and what is shared with them."""

    cells: Cells
    shared_m: Floats
    barrier_m: Floats

    @classmethod
    def of(cls, ground: Ground) -> Beside:
        """Those of a ground; the row beyond the last cell is empty."""
        ends = np.concatenate([ground.edges, ground.edges[:, ::-1]])
        order = np.argsort(ends[:, 0], kind="stable")
        ends = ends[order]
        degree = np.bincount(ends[:, 0], minlength=len(ground))
        column = np.arange(len(ends)) - (np.cumsum(degree) - degree)[ends[:, 0]]
        shape = (len(ground) + 1, int(degree.max(initial=1)))
        cells = np.full(shape, _NONE)
        shared, barrier = np.zeros(shape), np.zeros(shape)
        cells[ends[:, 0], column] = ends[:, 1]
        shared[ends[:, 0], column] = np.tile(ground.shared_m, 2)[order]
        barrier[ends[:, 0], column] = np.tile(ground.barrier_m, 2)[order]
        return cls(cells, shared, barrier)


def all_of(
    ground: Ground, least: int, most: int, cost: Cost, alive: Callable[[], None] = lambda: None, limit: int = MOST
) -> list[Group]:
    """Find every grid that there can be, by size.

    Parameters
    ----------
    ground
        The cells.
    least, most
        Bounds of the households of a grid, both allowed.
    cost
        What grids cost, from their scores and cells.
    alive
        Called now and then; what it raises ends the work.
    limit
        How many to look at.

    Raises
    ------
    TooMany
        There are more.
    """
    beside, by_size, seen = Beside.of(ground), dict[int, list[Group]](), 0
    for first in range(0, len(ground), _ROOTS):
        roots = np.arange(first, min(first + _ROOTS, len(ground)))
        for cells, scores in _grown(ground, beside, roots, most, limit - seen):
            alive()
            seen += len(cells)
            good = scores.households >= least
            if good.any():
                kept = cells[good]
                by_size.setdefault(cells.shape[1], []).append(Group(kept, cost(scores.taken(good), kept)))
    return [
        Group(np.concatenate([part.cells for part in parts]), np.concatenate([part.cost for part in parts]))
        for _size, parts in sorted(by_size.items())
    ]


def estimated(ground: Ground, most: int, limit: int = MOST) -> float:
    """About how many groups there are to look at, told by a few roots; infinite where those alone are too many."""
    random = np.random.default_rng(len(ground))
    roots = np.sort(random.permutation(len(ground))[:_SAMPLE])
    try:
        seen = sum(len(cells) for cells, _scores in _grown(ground, Beside.of(ground), roots, most, limit))
    except TooMany:
        return np.inf
    return seen * len(ground) / max(len(roots), 1)


def _grown(ground: Ground, beside: Beside, roots: Integers, most: int, limit: int) -> Iterator[tuple[Cells, Scores]]:
    """All groups from some roots, one size after the other."""
    # A cell beyond the last one weighs nothing and is never near enough.
    households = np.append(ground.households, 0)
    roots = roots[ground.households[roots] <= most]
    cells: Cells = roots[:, None].astype(np.int32)
    scores = Scores(
        ground.households[roots],
        ground.people[roots],
        ground.special[roots],
        ground.area_m2[roots],
        ground.perimeter_m[roots],
        np.zeros(len(roots)),
    )
    near = beside.cells[roots]
    open_ = np.where(near > cells, near, _NONE)
    known = open_
    while len(cells):
        limit -= len(cells)
        if limit < 0:
            raise TooMany("more connected groups of cells than can be looked at")
        yield cells, scores
        row, column = np.nonzero((open_ >= 0) & (households[open_] + scores.households[:, None] <= most))
        taken, before = open_[row, column], cells[row]
        near = beside.cells[taken]
        inside = np.zeros(near.shape, dtype=bool)
        for place in range(before.shape[1]):
            inside |= near == before[:, place : place + 1]
        inside &= near >= 0
        fresh = np.where(near > before[:, :1], near, _NONE)
        known = known[row]
        for place in range(known.shape[1]):
            fresh[fresh == known[:, place : place + 1]] = _NONE
        later = open_[row]
        later[np.arange(later.shape[1]) <= column[:, None]] = _NONE
        scores = Scores(
            scores.households[row] + ground.households[taken],
            scores.people[row] + ground.people[taken],
            scores.special[row] + ground.special[taken],
            scores.area_m2[row] + ground.area_m2[taken],
            scores.perimeter_m[row] + ground.perimeter_m[taken] - 2 * (beside.shared_m[taken] * inside).sum(axis=1),
            scores.barrier_m[row] + (beside.barrier_m[taken] * inside).sum(axis=1),
        )
        cells = np.column_stack([before, taken]).astype(np.int32)
        open_, known = _narrow(np.hstack([later, fresh])), _narrow(np.hstack([known, fresh]))


def _narrow(table: Cells) -> Cells:
    """A table with its gaps closed."""
    row, column = np.nonzero(table >= 0)
    count = np.bincount(row, minlength=len(table))
    narrow = np.full((len(table), int(count.max(initial=1))), _NONE)
    narrow[row, np.arange(len(row)) - (np.cumsum(count) - count)[row]] = table[row, column]
    return narrow
