"""Proposals: the division of a ground into grids that serves given wishes best, or the proof that there is none.

Hard is what a grid must be: whole buildings, connected, its households within bounds, groups together, locked grids as
they are. Soft is what one would like, weighed against each other: each wish costs a grid a number without unit, and the
best division costs least in all. So another weight asks only for another sum of the same columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial.partition import columns as possible
from spatial.partition import proof
from spatial.partition.columns import Columns, TooMany
from spatial.partition.ground import Ground, joined, part, pieces
from spatial.partition.proof import Limit, OutOfTime, Undivided

__all__ = ["Asked", "Division", "NoDivision", "OutOfTime", "Table", "TooMany", "Weights"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NOBODY = -1
"""The mark of a cell that belongs to no grid of today, or to no group."""
_WIDEST = 64


@dataclass(frozen=True)
class Weights:
    """How much each wish counts.

    Attributes
    ----------
    households, people, special
        That all grids have as many: the squared deviation from the mean, as a share of it.
    compactness
        That outlines are round: one less the Polsby-Popper score.
    barriers
        That no barrier runs through a grid: its length, over the root of a grid's mean area.
    stay
        That households keep their grid: those that change it, over a grid's mean.
    """

    households: float = 1.0
    people: float = 0.0
    special: float = 0.0
    compactness: float = 1.0
    barriers: float = 0.0
    stay: float = 0.0

    def __post_init__(self) -> None:
        given = [getattr(self, one.name) for one in fields(self)]
        if not all(math.isfinite(weight) and weight >= 0 for weight in given):
            raise ValueError("weights are numbers from zero up")


@dataclass(frozen=True)
class Asked:
    """What is asked of a division.

    Attributes
    ----------
    least, most
        Bounds of a grid's households, both allowed.
    count
        How many grids; ``None`` for as few as possible.
    today
        The grid of today of each cell, from 0, or ``NOBODY``; shape (cells,).
    locked
        Grids of today that neither lose nor gain ground; they need not keep the bounds.
    groups
        For each cell the group that stays together, or ``NOBODY``; shape (cells,).
    """

    least: int
    most: int
    count: int | None = None
    today: Integers | None = None
    locked: frozenset[int] = field(default_factory=frozenset)
    groups: Integers | None = None


@dataclass(frozen=True)
class Division:
    """A division, the best there is or one that is near it.

    Attributes
    ----------
    grid
        The grid of each cell, shape (cells,): locked grids first, the others in the order of their first cell.
    costs
        What each wish costs, before it is weighed.
    cost
        What all cost, weighed.
    bound
        No division costs less: what the linear relaxation promised. ``None`` where it is not known.
    proven
        Whether no division costs less than this one either, which is proven.
    """

    grid: Integers
    costs: dict[str, float]
    cost: float
    bound: float | None
    proven: bool = True

    @property
    def gap(self) -> float | None:
        """By how much of the bound it may cost more than the best there can be, as a share."""
        if self.proven:
            return 0.0
        return None if self.bound is None else max(self.cost - self.bound, 0.0) / max(self.bound, 1e-12)

    @property
    def count(self) -> int:
        """How many grids it has."""
        return int(self.grid.max()) + 1 if len(self.grid) else 0


class Scored(Protocol):
    """Grids with their scores, as ``Columns`` has them; arrays of one number for each."""

    @property
    def households(self) -> Integers: ...
    @property
    def people(self) -> Integers: ...
    @property
    def special(self) -> Integers: ...
    @property
    def barrier_m(self) -> Floats: ...
    @property
    def compactness(self) -> Floats: ...
    def __len__(self) -> int: ...


class NoDivision(ValueError):
    """There is no such division: proven.

    Attributes
    ----------
    reason
        ``total``: so many grids cannot hold so many households; ``heavy``: a building, or a group, has too many for one
        grid; ``piece``: a part of the ground that is cut off cannot be divided; ``none``: all were looked at.
    cells
        Positions of the cells that the reason is about.
    nearest
        With ``none``: the division that misses the bounds by the fewest households, if one was found.
    missing
        By how many households it does, in all.
    """

    def __init__(
        self, reason: str, cells: Iterable[int] = (), nearest: Division | None = None, missing: int = 0
    ) -> None:
        super().__init__(f"no such division: {reason}")
        self.reason, self.cells = reason, [int(at) for at in cells]
        self.nearest, self.missing = nearest, missing


class Frame:
    """A ground with what is asked of it: locked grids set aside, groups made one, and the counts that can be.

    Raises
    ------
    NoDivision
        It can be told by arithmetic that there is none.
    """

    def __init__(self, ground: Ground, asked: Asked, alive: Callable[[], None] = lambda: None) -> None:
        if not 0 <= asked.least <= asked.most:
            raise ValueError("the least is not above the most, and neither is below zero")
        self._whole, self._asked, self._alive = ground, asked, alive
        today = np.full(len(ground), NOBODY) if asked.today is None else np.asarray(asked.today, dtype=np.int64)
        self._locked = [np.flatnonzero(today == grid) for grid in sorted(asked.locked)]
        bound = np.isin(today, list(asked.locked))
        self._free = np.flatnonzero(~bound)
        free = part(ground, self._free)
        self._label = _merged(free, None if asked.groups is None else np.asarray(asked.groups)[self._free])
        self.ground = joined(free, self._label)
        self._today = today[self._free]
        self.counts = self._possible_counts()

    def _possible_counts(self) -> list[int]:
        """How many grids there can be, from few to many, by arithmetic alone."""
        asked, households = self._asked, self.ground.households
        heavy = np.flatnonzero(households > asked.most)
        if len(heavy):
            raise NoDivision("heavy", self._free[np.isin(self._label, heavy)])
        if len(households) == 0:
            return [0]
        fewest = greatest = 0
        piece = pieces(self.ground)
        for number in range(piece.max() + 1):
            total = int(households[piece == number].sum())
            cells = int((piece == number).sum())
            low = max(1, -(-total // asked.most)) if asked.most else 1
            high = min(total // asked.least, cells) if asked.least else cells
            if low > high:
                reason = "total" if piece.max() == 0 else "piece"
                raise NoDivision(reason, self._free[np.isin(self._label, np.flatnonzero(piece == number))])
            fewest, greatest = fewest + low, greatest + high
        if asked.count is None:
            return list(range(fewest, greatest + 1))
        wanted = asked.count - len(self._locked)
        if not fewest <= wanted <= greatest:
            raise NoDivision("total", self._free)
        return [wanted]

    def _costs(self, columns: Scored, count: int) -> dict[str, Floats]:
        """What each wish costs each column."""
        ground = self.ground

        def uneven(numbers: Integers, total: int) -> Floats:
            mean = total / count
            return np.asarray(((numbers - mean) / mean) ** 2 if mean else np.zeros(len(numbers)))

        return {
            "households": uneven(columns.households, int(ground.households.sum())),
            "people": uneven(columns.people, int(ground.people.sum())),
            "special": uneven(columns.special, int(ground.special.sum())),
            "compactness": 1 - columns.compactness,
            "barriers": columns.barrier_m / math.sqrt(max(float(ground.area_m2.sum()) / count, 1e-9)),
            "stay": np.zeros(len(columns)),
        }

    def _division(
        self, grid_of: Integers, costs: dict[str, float], cost: float, bound: float | None, *, proven: bool = True
    ) -> Division:
        """A division, from the number of the grid of each cell of ``ground``."""
        grid = np.full(len(self._whole), NOBODY, dtype=np.int64)
        for number, cells in enumerate(self._locked):
            grid[cells] = number
        if len(self._free):
            _name, first, place = np.unique(grid_of[self._label], return_index=True, return_inverse=True)
            grid[self._free] = np.argsort(np.argsort(first))[place.ravel()] + len(self._locked)
        return Division(grid, costs, cost, bound, proven)


class Table(Frame):
    """A frame whose possible grids are all found once, and weighed as often as wished.

    Parameters
    ----------
    ground
        The cells.
    asked
        What is asked.
    alive
        Called now and then; what it raises ends the work.

    Raises
    ------
    TooMany
        The ground is too large to look at every grid.
    NoDivision
        It can be told without looking at divisions that there is none.
    """

    def __init__(self, ground: Ground, asked: Asked, alive: Callable[[], None] = lambda: None) -> None:
        super().__init__(ground, asked, alive)
        self.columns: Columns = possible.all_of(self.ground, asked.least, asked.most, self.counts)

    def best(
        self,
        weights: Weights,
        *,
        at_most: dict[str, float] | None = None,
        seconds: float = math.inf,
    ) -> Division:
        """Find the best division by given weights, with its proof.

        Parameters
        ----------
        weights
            How much each wish counts.
        at_most
            What wishes may cost at most, by name, whatever their weight.
        seconds
            How long to search at most.

        Raises
        ------
        NoDivision
            There is none; without ``at_most`` it says how near one comes.
        OutOfTime
            The time was up before anything was proven.
        """
        for count in self.counts:
            try:
                return self._divided(self.columns, count, weights, at_most or {}, seconds)
            except Undivided:
                continue
        if at_most:
            raise NoDivision("none")
        raise self._short(seconds)

    def front(self, first: str, second: str, steps: int = 8, seconds: float = math.inf) -> list[Division]:
        """The best trade-offs between two wishes: none of them can be bettered in one without loss in the other.

        The ends are the best by either; between them the second is allowed evenly less, and the first made best.
        """
        near = _only(first, second)
        ends = [self.best(near, seconds=seconds), self.best(_only(second, first), seconds=seconds)]
        low, high = ends[1].costs[second], ends[0].costs[second]
        found = [ends[0]]
        for most in np.linspace(high, low, max(steps, 2))[1:]:
            if most >= found[-1].costs[second] - 1e-9:
                continue
            try:
                found.append(self.best(near, at_most={second: float(most) + 1e-9}, seconds=seconds))
            except NoDivision:
                break
        return found

    def _divided(
        self, columns: Columns, count: int, weights: Weights, at_most: dict[str, float], seconds: float
    ) -> Division:
        if count == 0:
            return self._division(np.zeros(0, dtype=np.int64), {one.name: 0.0 for one in fields(Weights)}, 0.0, 0.0)
        costs = self._costs(columns, count)
        position, limits = np.arange(len(columns)), []
        if self._asked.today is not None and (weights.stay or "stay" in at_most):
            # A grid of today can be kept by one grid only, so a column may come once for each that it could keep.
            position, keeps, moved = self._keeping(columns, count)
            costs = {name: cost[position] for name, cost in costs.items()} | {"stay": moved}
            limits = [Limit((keeps == grid).astype(float), 1.0) for grid in np.unique(keeps) if grid != NOBODY]
        limits += [Limit(costs[name], most) for name, most in at_most.items()]
        total = sum((getattr(weights, name) * cost for name, cost in costs.items()), np.zeros(len(position)))
        solution = proof.best(
            columns.member[position],
            columns.bits[position],
            total,
            count,
            limits=limits,
            alive=self._alive,
            seconds=seconds,
        )
        chosen = columns.member[position[solution.chosen]]
        said = {name: float(cost[solution.chosen].sum()) for name, cost in costs.items()}
        return self._division(chosen.argmax(axis=0), said, solution.cost, solution.bound)

    def _keeping(self, columns: Columns, count: int) -> tuple[Integers, Integers, Floats]:
        """Columns, each once for every grid of today that it could keep and once for none; and what moves in each."""
        grids = np.unique(self._today[self._today != NOBODY])
        lives = np.zeros((len(self.ground), len(grids)))
        households = self._whole.households[self._free]
        for number, grid in enumerate(grids):
            here = self._today == grid
            lives[:, number] = np.bincount(self._label[here], households[here], len(self.ground))
        common = columns.member.astype(np.float64) @ lives
        # Who belongs to no grid today moves in none.
        known = columns.member.astype(np.float64) @ lives.sum(axis=1)
        at, place = np.nonzero(common)
        mean = max(float(self.ground.households.sum()) / count, 1e-9)
        position = np.append(np.arange(len(columns)), at)
        keeps = np.append(np.full(len(columns), NOBODY), grids[place])
        moved = np.append(known, known[at] - common[at, place]) / mean
        return position, keeps, moved

    def _short(self, seconds: float) -> NoDivision:
        """That there is none, with the division that misses the bounds by the fewest households."""
        least, most, slack = self._asked.least, self._asked.most, 1
        while slack <= max(most, 1) * _WIDEST:
            low, high = max(0, least - slack), most + slack
            try:
                wider = possible.all_of(self.ground, low, high, self.counts)
            except TooMany:
                break
            beyond = np.maximum(least - wider.households, 0) + np.maximum(wider.households - most, 0)
            for count in self.counts:
                try:
                    found = proof.best(
                        wider.member, wider.bits, beyond.astype(float), count, alive=self._alive, seconds=seconds
                    )
                except Undivided:
                    continue
                except OutOfTime:
                    return NoDivision("none")
                missing = int(beyond[found.chosen].sum())
                if missing <= slack:  # a wider search cannot miss by less
                    near = self._division(wider.member[found.chosen].argmax(axis=0), {}, float(missing), found.bound)
                    return NoDivision("none", nearest=near, missing=missing)
            slack *= 4
        return NoDivision("none")


def _only(first: str, second: str) -> Weights:
    """The first wish alone; the second decides between equals."""
    nothing = {one.name: 0.0 for one in fields(Weights)}
    return Weights(**(nothing | {second: 1e-4, first: 1.0}))


def _merged(ground: Ground, groups: ArrayLike | None) -> Integers:
    """The cell of the merged ground for each cell: groups are one."""
    if groups is None:
        return np.arange(len(ground))
    given = np.asarray(groups, dtype=np.int64)
    own = np.where(given == NOBODY, np.arange(len(ground)) + given.max(initial=0) + 1, given)
    _name, first, label = np.unique(own, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    result: Integers = rank[label.ravel()]
    return result
