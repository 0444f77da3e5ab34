"""What the cells of a large ground are worth: prices of a linear programme, and the bound that follows from them.

Whatever the prices, as long as no grid costs less than its cells are worth together, the whole costs no less than all
cells are worth. The best prices are those of the linear relaxation. A large one is solved tile by tile, what lies
outside a tile at the prices it has; where tiles met is inside a tile of the next round. What is left is mended: cells
of a grid that is too cheap are made cheaper, so that the bound holds to the last digit.

Sources
-------
Mehrotra, A., Johnson, E. L. and Nemhauser, G. L. (1998), An optimization based heuristic for political districting,
Management Science 44(8), 1100-1114 (column generation); Wedelin, D. (1995), An algorithm for large scale 0-1 integer
programming, Annals of Operations Research 57, 283-301 (prices one part after the other).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial.partition.growing import Group

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_EACH = 14
_PER_CELL = 7
_DEAR = 1.0
_FAR = 1e3
_ROUNDING = 1e-9
_LEAST = 1e-6
_TRIED = 4
_INNER = 0.95


@dataclass(frozen=True)
class Prices:
    """Prices of cells, and of one grid more.

    Attributes
    ----------
    cell
        Shape (cells,).
    grid
        What one grid more or less costs.
    bound
        No division into so many grids costs less.
    """

    cell: Floats
    grid: float
    bound: float

    def reduced(self, group: Group) -> Floats:
        """What groups cost more than they are worth; with the prices of a bound none below zero."""
        left: Floats = group.cost - self.cell[group.cells].sum(axis=1) - self.grid
        return left


def found(
    groups: Sequence[Group],
    households: Integers,
    count: int,
    tilings: Sequence[Sequence[Integers]],
    alive: Callable[[], None] = lambda: None,
) -> Prices:
    """Find prices.

    Parameters
    ----------
    groups
        All grids there can be.
    households
        Of each cell.
    count
        How many grids there are to be.
    tilings
        Cells by tile, in one round after the other; tiles of each should end where those before did not.
    alive
        Called now and then; what it raises ends the work.
    """
    pool = Pool(groups, len(households), _cheapest(groups, len(households)))
    cell, grid = _begun(pool, households, count, tilings[0])
    for round_, tiles in enumerate(tilings):
        if round_:
            pool.add([Prices(cell, grid, 0.0).reduced(group) < -_LEAST for group in groups])
        for tile in tiles:
            alive()
            cell = _priced(pool, cell, grid, tile)
    return mended(groups, cell, grid, count)


def mended(groups: Sequence[Group], cell: Floats, grid: float, count: int) -> Prices:
    """Prices that no grid falls short of: what one lacks is taken off its cells evenly, the most of any counts."""
    off = np.zeros(len(cell))
    for group in groups:
        lacks = -Prices(cell, grid, 0.0).reduced(group)
        short = np.flatnonzero(lacks > 0)
        for place in range(group.cells.shape[1] if len(short) else 0):
            np.maximum.at(off, group.cells[short, place], lacks[short] / group.cells.shape[1])
    cell = cell - off
    return Prices(cell, grid, float(cell.sum() + grid * count) - _ROUNDING * count)


def _cheapest(groups: Sequence[Group], cells: int) -> list[NDArray[np.bool_]]:
    """The cheapest groups of all, and the cheapest of each cell."""
    cost = np.concatenate([group.cost for group in groups])
    order = np.argsort(cost, kind="stable")
    chosen = np.zeros(len(cost), dtype=bool)
    chosen[order[: _PER_CELL * cells]] = True
    first = np.cumsum([0, *(len(group) for group in groups)])
    seen = np.zeros(cells, dtype=np.int64)
    for start in range(0, len(order), 4 * cells):
        if (seen >= _EACH).all():
            break
        rows = np.sort(order[start : start + 4 * cells])
        for number, group in enumerate(groups):
            here = rows[(rows >= first[number]) & (rows < first[number + 1])]
            members = group.cells[here - first[number]]
            chosen[here[(seen[members] < _EACH).any(axis=1)]] = True
            seen += np.bincount(members.ravel(), minlength=cells)
    return np.split(chosen, first[1:-1])


class Pool:
    """Some of the groups, by the cells that they have.

    Attributes
    ----------
    cost
        What each costs.
    """

    def __init__(self, groups: Sequence[Group], cells: int, chosen: Sequence[NDArray[np.bool_]]) -> None:
        self._groups, self._cells = groups, cells
        self._in = [np.zeros(len(group), dtype=bool) for group in groups]
        self.add(chosen)

    def add(self, chosen: Sequence[NDArray[np.bool_]]) -> None:
        """More of them."""
        for here, more in zip(self._in, chosen, strict=True):
            here |= more
        row, cell, cost, first = [], [], [], 0
        for group, inside in zip(self._groups, self._in, strict=True):
            members = group.cells[inside]
            row.append(np.repeat(np.arange(first, first + len(members)), members.shape[1]))
            cell.append(members.ravel())
            cost.append(group.cost[inside])
            first += len(members)
        at, self.cost = np.concatenate(row), np.concatenate(cost)
        self._members = np.concatenate(cell).astype(np.int64)
        order = np.argsort(self._members, kind="stable")
        self._holders = at[order]
        self._starts = np.searchsorted(self._members[order], np.arange(self._cells + 1))
        self._entries = np.searchsorted(at, np.arange(first + 1))

    def touching(self, cells: Integers) -> Integers:
        """Rows of the groups that have any of these cells."""
        return np.unique(_ranges(self._holders, self._starts[cells], self._starts[cells + 1]))

    def entries(self, rows: Integers) -> tuple[Integers, Integers]:
        """The cells of some groups: which of these rows, and which cell."""
        begin, end = self._entries[rows], self._entries[rows + 1]
        return np.repeat(np.arange(len(rows)), end - begin), _ranges(self._members, begin, end)


def _ranges(numbers: Integers, begin: Integers, end: Integers) -> Integers:
    """What stands in some ranges, one after the other."""
    size = end - begin
    within: Integers = numbers[np.repeat(begin - (np.cumsum(size) - size), size) + np.arange(size.sum())]
    return within


def _begun(pool: Pool, households: Integers, count: int, tiles: Sequence[Integers]) -> tuple[Floats, float]:
    """Prices by households alone, from what a few tiles cost that are divided by themselves."""
    mean = households.sum() / count
    levels, grids = [], []
    for tile in tiles[:: max(len(tiles) // _TRIED, 1)][:_TRIED]:
        tile, rows = np.sort(tile), pool.touching(tile)
        at, of = pool.entries(rows)
        place = np.minimum(np.searchsorted(tile, of), len(tile) - 1)
        whole = np.bincount(at, tile[place] != of, len(rows)) == 0
        at, place = (np.cumsum(whole) - 1)[at[whole[at]]], place[whole[at]]
        share = float(households[tile].sum() / mean)
        _taken, duals = programme(at, place, pool.cost[rows[whole]], len(tile), share)
        levels.append(duals[:-1].sum() / max(share, 1e-9) + duals[-1])
        grids.append(duals[-1])
    grid = float(np.mean(grids))
    # At its edges a tile cannot be divided as well as the whole.
    cell: Floats = _INNER * households / mean * (float(np.mean(levels)) - grid)
    return cell, grid


def _priced(pool: Pool, cell: Floats, grid: float, tile: Integers) -> Floats:
    """Prices made better within a tile."""
    rows, tile = pool.touching(tile), np.sort(tile)
    at, of = pool.entries(rows)
    place = np.minimum(np.searchsorted(tile, of), len(tile) - 1)
    inside = tile[place] == of
    cost = pool.cost[rows] - grid - np.bincount(at[~inside], cell[of[~inside]], len(rows))
    after = cell.copy()
    after[tile] = programme(at[inside], place[inside], cost, len(tile), None)[1]
    return after


def programme(at: Integers, cell: Integers, cost: Floats, cells: int, count: float | None) -> tuple[Floats, Floats]:
    """The linear programme of covering each cell once; what cannot be is missing at a high price.

    Parameters
    ----------
    at, cell
        Which group has which cell, entry by entry.
    cost
        Of each group.
    cells
        How many there are.
    count
        How many groups to take; ``None`` for any number.

    Returns
    -------
    tuple
        How much of each group is taken; the prices of the cells, and of one group more where there is a count.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    dear = _DEAR * max(float(np.median(np.abs(cost))) if len(cost) else 1.0, 1e-3)
    lone, groups = np.arange(cells), len(cost)
    row = np.concatenate([cell, lone, lone])
    column = np.concatenate([at, groups + lone, groups + cells + lone])
    entry = np.concatenate([np.ones(len(at) + cells), -np.ones(cells)])
    right = np.ones(cells)
    # That a cell is missing is not too dear, so that prices stay near each other; that it is there twice may be.
    prices = np.concatenate([cost, np.full(cells, dear), np.full(cells, _FAR * dear)])
    if count is not None:
        row = np.concatenate([row, np.full(groups + 2, cells)])
        column = np.concatenate([column, np.arange(groups), groups + 2 * cells + np.arange(2)])
        entry, right = np.concatenate([entry, np.ones(groups + 1), [-1.0]]), np.append(right, count)
        prices = np.append(prices, [_FAR * dear] * 2)
    matrix = csr_array((entry, (row, column)), shape=(len(right), len(prices)))
    done = linprog(prices, A_eq=matrix, b_eq=right, method="highs-ds")
    if done.status != 0:
        raise ArithmeticError(done.message)
    return done.x[:groups], done.eqlin.marginals
