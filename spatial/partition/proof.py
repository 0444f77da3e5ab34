"""The best division there is, with its proof: a linear bound, and a search of all that could still be better.

Each possible grid is a column with a cost; a division takes columns so that every cell is in exactly one. The linear
relaxation gives each cell a price, and each column a reduced cost: what it costs more than its cells are worth. A
division costs the bound plus the reduced costs of its columns, to the last digit, so a search by reduced costs that
finds the best within a gap, or finds that nothing is there and widens the gap, ends with the optimum, or with the proof
that there is no division at all.

Sources
-------
Garfinkel, R. S. and Nemhauser, G. L. (1969), The set-partitioning problem: set covering with equality constraints,
Operations Research 17(5), 848-856; Mehrotra, A., Johnson, E. L. and Nemhauser, G. L. (1998), An optimization based
heuristic for political districting, Management Science 44(8), 1100-1114; Huangfu, Q. and Hall, J. A. J. (2018),
Parallelizing the dual revised simplex method, Mathematical Programming Computation 10, 119-142 (HiGHS).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial.partition.columns import Bits

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_TOLERANCE = 1e-7
_FIRST = 40
"""So many of the cheapest columns of each cell stand in the first linear programme."""
_MORE = 400
_SMALLEST_GAP = 1e-3
_WIDER = 3.0
_INFEASIBLE = 2
"""What ``scipy.optimize.linprog`` says where there is no solution."""


class OutOfTime(ValueError):
    """The time was up before the search had ended."""


class Undivided(ValueError):
    """No columns partition the cells: proven.

    Attributes
    ----------
    linear
        Whether not even parts of columns do, which the linear programme alone shows.
    """

    def __init__(self, linear: bool) -> None:
        super().__init__("there is no such division")
        self.linear = linear


@dataclass(frozen=True)
class Limit:
    """What a division may use of something in all: each column so much (shape (columns,)), together at most so much."""

    use: Floats
    most: float


@dataclass(frozen=True)
class Prices:
    """The linear relaxation, solved.

    Attributes
    ----------
    bound
        No division costs less.
    reduced
        Reduced cost of every column, none below zero, shape (columns,).
    """

    bound: float
    reduced: Floats


@dataclass(frozen=True)
class Best:
    """The best division.

    Attributes
    ----------
    chosen
        Positions of its columns.
    cost
        Sum of their costs.
    bound
        What the linear relaxation had promised: the rest is what whole grids cost.
    """

    chosen: Integers
    cost: float
    bound: float


def relaxed(
    member: NDArray[np.bool_],
    cost: Floats,
    count: int,
    limits: Sequence[Limit] = (),
    alive: Callable[[], None] = lambda: None,
) -> Prices:
    """Solve the linear relaxation over all columns, a few of them at a time.

    Parameters
    ----------
    member
        Which cells each column has, shape (columns, cells).
    cost
        Cost of each column.
    count
        How many columns a division takes.
    limits
        What it may use.

    Raises
    ------
    Undivided
        Not even fractions of columns partition the cells.
    """
    numbers = np.column_stack([member, np.ones(len(cost)), *(limit.use for limit in limits)]).astype(np.float64)
    right = np.array([*np.ones(member.shape[1]), count, *(limit.most for limit in limits)])
    if len(cost) == 0 or not member.any(axis=0).all():
        raise Undivided(linear=True)
    chosen = _first(member, cost)
    for phase in (0, 1):
        # First the cells that cannot be reached are made fewest; only when none are left do costs count.
        price = cost if phase else np.zeros(len(cost))
        while True:
            alive()
            value, dual = _programme(numbers[chosen], price[chosen], right, len(limits), slack=phase == 0)
            reduced = price - numbers @ dual
            reduced[chosen] = np.maximum(reduced[chosen], 0)
            worst = np.argpartition(reduced, min(_MORE, len(reduced) - 1))[:_MORE]
            worst = worst[reduced[worst] < -_TOLERANCE]
            if phase == 0 and value < _TOLERANCE:
                break
            if len(worst) == 0:
                break
            chosen = np.union1d(chosen, worst)
        if phase == 0 and value > 1e-6:
            raise Undivided(linear=True)
    # What rounding left below zero is taken off the bound, so that it stays one.
    return Prices(value + count * min(0.0, float(reduced.min())), np.maximum(reduced, 0.0))


def _first(member: NDArray[np.bool_], cost: Floats) -> Integers:
    order = np.argsort(cost, kind="stable")
    rank = np.cumsum(member[order], axis=0)
    early = (member[order] & (rank <= _FIRST)).any(axis=1)
    return np.sort(order[early])


def _programme(rows: Floats, cost: Floats, right: Floats, limits: int, *, slack: bool) -> tuple[float, Floats]:
    """Solve over some columns; with slack, anything may be missing or too much, at a cost of one each."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, eye_array, hstack

    left, equal = csr_array(rows.T), len(right) - limits
    if slack:
        more = eye_array(len(right), format="csr")
        left = hstack([left, more, -more], format="csr")
        cost = np.concatenate([cost, np.ones(2 * len(right))])
    over = {"A_ub": left[equal:], "b_ub": right[equal:]} if limits else {}
    done = linprog(cost, A_eq=left[:equal], b_eq=right[:equal], **over, method="highs-ds")
    if done.status == _INFEASIBLE:
        raise Undivided(linear=True)
    if done.status != 0:  # not solved is not proven
        raise ArithmeticError(done.message)
    return float(done.fun), np.append(done.eqlin.marginals, done.ineqlin.marginals if limits else [])


def best(
    member: NDArray[np.bool_],
    bits: Bits,
    cost: Floats,
    count: int,
    *,
    limits: Sequence[Limit] = (),
    alive: Callable[[], None] = lambda: None,
    seconds: float = np.inf,
) -> Best:
    """Find the cheapest division into so many columns, and prove that there is none cheaper.

    Parameters
    ----------
    member, bits
        Which cells each column has, as truth values and as bits.
    cost
        Cost of each column.
    count
        How many columns it takes.
    limits
        What it may use in all.
    alive
        Called now and then; what it raises ends the search.
    seconds
        How long to search at most.

    Raises
    ------
    Undivided
        There is none, which is proven.
    OutOfTime
        Neither was found out in time.
    """
    until = time.monotonic() + seconds
    prices = relaxed(member, cost, count, limits, alive)
    order = np.argsort(prices.reduced, kind="stable")
    scale = max(abs(prices.bound), float(np.ptp(cost)), 1e-9)
    gap = _SMALLEST_GAP * scale
    cells = _list(np.bitwise_or.reduce(bits, axis=0))
    farthest = float(np.sort(prices.reduced)[-count:].sum())
    while True:
        near = order[prices.reduced[order] <= gap]
        use = np.column_stack([limit.use[near] for limit in limits]) if limits else np.zeros((len(near), 0))
        most = np.array([limit.most for limit in limits])
        excess = cost[near] - prices.bound / count
        search = _Search(bits[near], (prices.reduced[near], excess), count, gap, (use, most + _TOLERANCE), alive, until)
        search.run(cells)
        if search.chosen and search.excess <= gap + _TOLERANCE:
            chosen = np.sort(near[search.chosen])
            return Best(chosen, float(cost[chosen].sum()), min(prices.bound, float(cost[chosen].sum())))
        if not search.chosen and gap >= farthest:
            raise Undivided(linear=False)
        # What is not used up of a limit costs too, so one that was found may lie beyond the gap: up to there, then.
        gap = search.excess if search.chosen else min(gap * _WIDER, farthest)


class _Search:
    """All divisions within a gap, depth first: the cell that fewest columns can take is taken first."""

    def __init__(
        self,
        bits: Bits,
        costs: tuple[Floats, Floats],
        count: int,
        gap: float,
        limits: tuple[Floats, Floats],
        alive: Callable[[], None],
        until: float,
    ) -> None:
        self._bits, (self._reduced, self._excess), self._count = bits, costs, count
        self._gap, self._alive, self._until = gap + _TOLERANCE, alive, until
        self._use, self._most = limits
        self._steps = 0
        self._taken: list[int] = []
        #: The best one found, and what it costs more than the bound.
        self.chosen: list[int] = []
        self.excess = np.inf

    def run(self, cells: list[tuple[int, np.uint64]]) -> None:
        """Look at all that have each of these cells once, also those cells that no column here has."""
        self._every = cells
        self._look(np.arange(len(self._bits)), np.zeros(self._bits.shape[1], dtype=np.uint64), 0.0, 0 * self._most)

    def _look(self, free: Integers, cells: Bits, spent: float, used: Floats) -> None:
        """Go on from the columns that are free, the cells that are taken, and what was spent and used so far."""
        self._steps += 1
        if self._steps % 256 == 0:
            self._alive()
            if time.monotonic() > self._until:
                raise OutOfTime("the time was up")
        open_cells = [(word, bit) for word, bit in self._every if not cells[word] & bit]
        if not open_cells:
            excess = float(self._excess[self._taken].sum())
            if len(self._taken) == self._count and excess < self.excess:
                self.chosen, self.excess = list(self._taken), excess
                self._gap = min(self._gap, excess - _TOLERANCE / 10)
            return
        left = self._count - len(self._taken)
        if left == 0:
            return
        bits = self._bits[free]
        holders = [(np.count_nonzero(has), has) for has in ((bits[:, word] & bit) != 0 for word, bit in open_cells)]
        fewest, has = min(holders, key=lambda pair: pair[0])
        if fewest == 0:
            return
        for at in free[has]:  # in order of reduced cost
            total = spent + self._reduced[at]
            if total > self._gap:
                return
            using = used + self._use[at]
            if (using > self._most).any():
                continue
            self._taken.append(int(at))
            # Columns before this one with the same cell were tried; those that touch it are out.
            rest = free[((bits & self._bits[at]) == 0).all(axis=1)]
            rest = rest[self._reduced[rest] <= self._gap - total]
            self._look(rest, cells | self._bits[at], total, using)
            self._taken.pop()


def _list(cells: Bits) -> list[tuple[int, np.uint64]]:
    return [
        (word, np.uint64(1 << bit)) for word, mask in enumerate(cells.tolist()) for bit in range(64) if mask >> bit & 1
    ]
