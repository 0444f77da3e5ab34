"""Divisions of grounds that are too large to look at every division: near the best, with the distance that is left.

All grids there can be are still found and priced, so the linear bound of the whole is known. A draft takes, tile by
tile, the grids that linear programmes take most of. Then some neighbouring grids after the others, four to twenty of
them, are divided anew as well as they can be: prices tell how much a few grids could gain at most, and only grids that
cost less than that beyond their worth are looked at. Where even the grids are too many, cells are joined two by two
first; then the division keeps those together, and no bound is known.

Sources
-------
Mehrotra, A., Johnson, E. L. and Nemhauser, G. L. (1998), An optimization based heuristic for political districting,
Management Science 44(8), 1100-1114; Shaw, P. (1998), Using constraint programming and local search methods to solve
vehicle routing problems, CP98, 417-431 (a part of a solution solved anew while the rest stands).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from spatial.partition import growing, halving, prices
from spatial.partition.columns import TooMany
from spatial.partition.ground import Ground, joined, part, pieces
from spatial.partition.growing import Beside, Cells, Group, Scores
from spatial.partition.halving import Part
from spatial.partition.proposals import NOBODY, Asked, Division, Frame, NoDivision, OutOfTime, Table, Weights

__all__ = ["City", "best"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_SMALL = 100
"""Up to so many cells the best division is looked for, and proven, first."""
_TILE = 400
_WINDOWS = (4, 6, 8, 10, 12, 16, 20)
_NEAR = 40
_NEARER = 12
_MOSTLY, _HARDLY = 0.5, 0.05
"""So many groups for each cell are at hand when grids are divided anew."""
_NODES = 2_000
_PRICED = 12
_NODES_FIRST, _PRICED_FIRST = 20_000, 6
_FEW = 12
_TIMES = 6
_LEAST = 1e-9
_WIDER = (1.0, 1.01, 1.03, 1.06, 1.1, 1.2, 1.5, 2.0)
"""Where as few grids as possible are asked for: so many times the fewest there can be, one after the other."""
_BITS = 60


def best(
    ground: Ground,
    asked: Asked,
    weights: Weights,
    *,
    seed: int = 0,
    seconds: float = 60.0,
    alive: Callable[[], None] = lambda: None,
    tell: Callable[[float], None] = lambda _share: None,
    clock: Callable[[], float] = time.monotonic,
) -> Division:
    """Divide a ground as well as it can be done in the time: proven up to about a hundred cells, else near the best.

    Parameters
    ----------
    ground, asked, weights
        What is divided, what is asked, and how much each wish counts.
    seed
        The same seed gives the same division, as long as the time is not what ends the search.
    seconds
        How long to make it better; a first division is looked for up to twice as long.
    alive
        Called now and then; what it raises ends the work.
    tell
        Called with the share of the work that is done, 0 to 1.
    clock
        What tells the seconds.

    Raises
    ------
    NoDivision
        There is none, which is proven.
    OutOfTime
        None was found in time, which proves nothing.
    """
    started = clock()
    if len(ground) <= _SMALL:
        try:
            return Table(ground, asked, alive).best(weights, seconds=seconds / 2)
        except (TooMany, OutOfTime):
            pass
    left = seconds - (clock() - started)
    return City(ground, asked, weights, seed=seed, alive=alive, tell=tell, clock=clock).best(seconds=left)


class City(Frame):
    """A frame with the grids that are possible in it, and what they cost.

    Parameters
    ----------
    ground, asked, weights, seed, alive, tell, clock
        As of ``best``.

    Raises
    ------
    NoDivision
        It can be told by arithmetic that there is none.
    """

    def __init__(
        self,
        ground: Ground,
        asked: Asked,
        weights: Weights,
        *,
        seed: int = 0,
        alive: Callable[[], None] = lambda: None,
        tell: Callable[[float], None] = lambda _share: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Only numbers are needed: geometry would be joined for nothing.
        super().__init__(replace(ground, cells=None), asked, alive)
        self._weights, self._seed, self._tell, self._clock = weights, seed, tell, clock
        home = self._today if len(self._today) else np.zeros(0, dtype=np.int64)
        label = _blocks(self.ground, asked.most)
        self._whole_cells = label is None
        self._block = np.arange(len(self.ground)) if label is None else label
        coarse = self.ground if label is None else joined(self.ground, label)
        # Along a sweep, so that what comes first lies at one end.
        order = _swept(coarse)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        self._block = place[self._block] if len(order) else self._block
        self.coarse = part(coarse, order)
        self._home = self._homes(home)

    def _homes(self, today: Integers) -> Integers:
        """The grid of today in which most households of each block live."""
        known = today != NOBODY
        if not known.any():
            return np.full(len(self.coarse), NOBODY, dtype=np.int64)
        block, households = self._block[self._label], self._whole.households[self._free]
        pairs, number = np.unique(np.column_stack([block, today])[known], axis=0, return_inverse=True)
        lives = np.bincount(number.ravel(), households[known])
        home = np.full(len(self.coarse), NOBODY, dtype=np.int64)
        for at in np.argsort(lives, kind="stable"):
            home[pairs[at, 0]] = pairs[at, 1]
        return home

    def best(self, *, seconds: float = math.inf) -> Division:
        """Divide it.

        Raises
        ------
        NoDivision
            Some cell is in no grid that there could be.
        OutOfTime
            None was found in time.
        """
        if not len(self.ground):
            return self._division(np.zeros(0, dtype=np.int64), {one.name: 0.0 for one in fields(Weights)}, 0.0, 0.0)
        until, latest = self._clock() + seconds, self._clock() + 2 * seconds
        for count in self._tried():
            work = _Work(self, count, until, latest)
            if work.draft():
                work.improve()
                return self._finished(work)
            if self._clock() > latest:
                break
        raise OutOfTime("no division was found in time")

    def _tried(self) -> list[int]:
        fewest = self.counts[0]
        if self._asked.count is not None:
            return self.counts
        return sorted({min(math.ceil(fewest * times), self.counts[-1]) for times in _WIDER})

    def _finished(self, work: _Work) -> Division:
        grid_of = work.label[self._block]
        names, grid = np.unique(grid_of, return_inverse=True)
        count, ground = len(names), self.ground
        first, second = grid[ground.edges].T
        inner = first == second
        scores = Scores(
            _sums(grid, ground.households, count).astype(np.int64),
            _sums(grid, ground.people, count).astype(np.int64),
            _sums(grid, ground.special, count).astype(np.int64),
            _sums(grid, ground.area_m2, count),
            _sums(grid, ground.perimeter_m, count) - 2 * _sums(first[inner], ground.shared_m[inner], count),
            _sums(first[inner], ground.barrier_m[inner], count),
        )
        costs = {name: float(each.sum()) for name, each in self._costs(scores, work.count).items()}
        costs["stay"] = self._moved(grid, work.count)
        cost = sum(getattr(self._weights, name) * each for name, each in costs.items())
        bound = min(work.prices.bound, cost) if self._whole_cells else None
        proven = bound is not None and cost - bound < 1e-9 * max(abs(cost), 1.0)
        return self._division(grid, costs, cost, bound, proven=proven)

    def _moved(self, grid: Integers, count: int) -> float:
        """Households that change their grid, over a grid's mean, where each grid of today is kept by one at most."""
        from scipy.optimize import linear_sum_assignment

        known = self._today != NOBODY
        if not known.any():
            return 0.0
        now, households = grid[self._label][known], self._whole.households[self._free][known]
        before = np.unique(self._today[known], return_inverse=True)[1].ravel()
        common = np.zeros((now.max() + 1, before.max() + 1))
        np.add.at(common, (now, before), households)
        row, column = linear_sum_assignment(-common)
        mean = max(float(self.ground.households.sum()) / count, 1e-9)
        return float(households.sum() - common[row, column].sum()) / mean

    def weighed(self, count: int) -> growing.Cost:
        """What grids cost, all wishes weighed. One that is not proven may cost more than this, never less."""
        household = self.coarse.households
        mean = max(float(household.sum()) / count, 1e-9)

        def cost(scores: Scores, cells: Cells) -> Floats:
            every = self._costs(scores, count)
            if self._weights.stay:
                home = self._home[cells]
                lives = np.where(home != NOBODY, household[cells], 0)
                common = [(lives * (home == home[:, at : at + 1])).sum(axis=1) for at in range(cells.shape[1])]
                every["stay"] = (lives.sum(axis=1) - np.max(common, axis=0)) / mean
            total: Floats = sum(
                (getattr(self._weights, name) * each for name, each in every.items()), np.zeros(len(cells))
            )
            return total

        return cost


def _sums(label: Integers, numbers: NDArray[np.generic], count: int) -> Floats:
    return np.bincount(label, np.asarray(numbers, dtype=np.float64), count).astype(np.float64)


def _swept(ground: Ground) -> Integers:
    """The cells in an order along which neighbours are near each other."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    count = len(ground)
    if not count:
        return np.zeros(0, dtype=np.int64)
    first, second = ground.edges.T
    ends = (np.append(first, second), np.append(second, first))
    beside = csr_array((np.ones(2 * len(first)), ends), shape=(count, count))
    order: Integers = reverse_cuthill_mckee(beside, symmetric_mode=True).astype(np.int64)
    return order


def _blocks(ground: Ground, most: int) -> Integers | None:
    """Cells joined two by two until all grids of them can be looked at; ``None`` where that is not needed."""
    label, now, heaviest = np.arange(len(ground)), ground, max(most // 8, 1)
    needed = False
    while len(now) and growing.estimated(now, most, growing.MOST) > growing.MOST:
        needed = True
        mate = _mates(now, heaviest)
        if (mate == np.arange(len(now))).all():
            heaviest *= 2
            if heaviest > most:
                break
            continue
        step = np.unique(np.minimum(mate, np.arange(len(now))), return_inverse=True)[1].ravel()
        label, now = step[label], joined(now, step)
    return label if needed else None


def _mates(ground: Ground, heaviest: int) -> Integers:
    """For each cell the neighbour that it is joined with, or itself: both share more outline with no other."""
    mate = np.arange(len(ground))
    first, second = ground.edges.T
    fits = ground.households[first] + ground.households[second] <= heaviest
    shorter = np.minimum(ground.perimeter_m[first], ground.perimeter_m[second])
    worth = np.where(fits, (ground.shared_m - ground.barrier_m) / np.maximum(shorter, 1e-9), 0)
    free = np.ones(len(ground), dtype=bool)
    for edge in np.argsort(-worth, kind="stable"):
        if worth[edge] <= 0:
            break
        one, other = int(first[edge]), int(second[edge])
        if free[one] and free[other]:
            free[one] = free[other] = False
            mate[one], mate[other] = other, one
    return mate


class _Shelf:
    """Groups at hand, by their first cell, the nearest to their worth first."""

    def __init__(self, groups: Sequence[Group], reduced: Sequence[Floats], most: float, cells: int) -> None:
        wide = max((group.cells.shape[1] for group in groups), default=1)
        members, left = [], []
        for group, beyond in zip(groups, reduced, strict=True):
            near = beyond <= most
            table = np.full((int(near.sum()), wide), cells, dtype=np.int32)
            table[:, : group.cells.shape[1]] = group.cells[near]
            members.append(table)
            left.append(np.maximum(beyond[near], 0.0))
        every, beyond = np.concatenate(members), np.concatenate(left)
        order = np.lexsort((beyond, every[:, 0]))
        self._members, self._reduced = every[order], beyond[order]
        self._starts = np.searchsorted(self._members[:, 0], np.arange(cells + 1))
        self._inside = np.zeros(cells + 1, dtype=bool)
        self._inside[cells] = True

    def within(self, cells: Integers, most: float) -> tuple[Cells, Floats]:
        """Those that lie wholly in some cells and are no farther from their worth, in the order of the shelf."""
        begin, end = self._starts[cells], self._starts[cells + 1]
        size = end - begin
        rows = np.repeat(begin - np.append(0, np.cumsum(size)[:-1]), size) + np.arange(size.sum())
        rows = rows[self._reduced[rows] <= most]
        self._inside[cells] = True
        rows = rows[self._inside[self._members[rows]].all(axis=1)]
        self._inside[cells] = False
        return self._members[rows], self._reduced[rows]


class _Work:
    """A division on the way."""

    def __init__(self, city: City, count: int, until: float, latest: float) -> None:
        self.city, self.count, self._clock = city, count, city._clock
        self._until, self._latest = until, latest
        self.ground = city.coarse
        self._least, self._most = city._asked.least, city._asked.most
        alive = self._alive = city._alive
        cost = city.weighed(count)
        groups = growing.all_of(self.ground, self._least, self._most, cost, alive)
        city._tell(0.3)
        reached = np.zeros(len(self.ground), dtype=bool)
        for group in groups:
            reached[group.cells] = True
        if not reached.all():
            if not city._whole_cells:
                raise OutOfTime("cells that were joined are in no grid")
            lost = np.isin(city._block, np.flatnonzero(~reached))
            raise NoDivision("none", city._free[np.isin(city._label, np.flatnonzero(lost))])
        self._parts = self._shares()
        tilings = [
            [tile.cells for whole in self._parts for tile in self._halved(whole, _TILE, turn)] for turn in (1, 2, 3)
        ]
        self.prices = prices.found(groups, self.ground.households, count, tilings, alive)
        city._tell(0.5)
        self._groups, self._reduced = groups, [self.prices.reduced(group) for group in groups]
        every = np.concatenate(self._reduced)
        many = min(len(every), _NEAR * len(self.ground)) - 1
        few = min(len(every), _NEARER * len(self.ground)) - 1
        far, near = np.partition(every, [few, many])[[many, few]].tolist()
        self._tilings = tilings
        chosen = [beyond <= near for beyond in self._reduced]
        self._pool = prices.Pool(groups, len(self.ground), chosen)
        self._pool_beyond = np.maximum(np.concatenate([each[each <= near] for each in self._reduced]), 0.0)
        self._shelf = _Shelf(groups, self._reduced, far, len(self.ground))
        self._full: _Shelf | None = None
        self._beside = Beside.of(self.ground).cells
        #: Grid of each cell, and the cells and reduced cost of each grid.
        self.label = np.full(len(self.ground), NOBODY, dtype=np.int64)
        self._grids: dict[int, tuple[Integers, float]] = {}
        self._next = 0

    def _halved(self, whole: Part, cells: int, turn: int) -> list[Part]:
        random = np.random.default_rng([self.city._seed, turn])
        bounds = (self._least, self._most)
        return halving.halved(self.ground, whole, bounds, grids=1, cells=cells, random=random)

    def _shares(self) -> list[Part]:
        """The pieces of the ground, each with its share of grids."""
        piece = pieces(self.ground)
        size = _sums(piece, self.ground.households, int(piece.max()) + 1)
        low = np.maximum(np.ceil(size / self._most) if self._most else 1, 1)
        high = np.maximum(np.floor(size / self._least), 1) if self._least else np.bincount(piece).astype(float)
        share = np.clip(np.rint(size * self.count / max(size.sum(), 1e-9)), low, high)
        while (off := self.count - int(share.sum())) != 0:
            room = high - share if off > 0 else share - low
            at = int(np.argmax(np.where(room > 0, size, -1)))
            share[at] += math.copysign(1, off)
        return [Part(np.flatnonzero(piece == at), int(number)) for at, number in enumerate(share)]

    def draft(self) -> bool:
        """Divide it for a start, tile by tile; whether that was possible."""
        mean = self.ground.households.sum() / self.count
        for number, tile in enumerate(self._tilings[0]):
            self._alive()
            covered = self.label != NOBODY
            # Where there were too many grids so far, each further one costs more.
            drift = len(self._grids) - self.ground.households[covered].sum() / mean
            cost = self._pool_beyond + drift * float(self._pool_beyond.mean()) / 10
            self._dived(cost, tile, self.count if number == len(self._tilings[0]) - 1 else None, _MOSTLY)
        random = np.random.default_rng(self.city._seed)
        for turn in range(_TIMES):
            # Whatever cannot be joined with those around it may be when others were.
            joined_in = [self._joined_in(cells, random if turn else None) for cells in self._left_open()]
            if all(joined_in):
                return self._counted()
        return False

    def _dived(self, cost: Floats, tile: Integers, count: int | None, share: float) -> None:
        """Take groups of which the linear programme takes some share, until a tile is covered or nothing more fits."""
        while True:
            tile = np.sort(tile[self.label[tile] == NOBODY])
            if not len(tile):
                return
            rows = self._pool.touching(tile)
            at, cell = self._pool.entries(rows)
            free = np.bincount(at, self.label[cell] != NOBODY, len(rows)) == 0
            keep = free[at]
            at, cell, rows = (np.cumsum(free) - 1)[at[keep]], cell[keep], rows[free]
            if not len(rows):
                return
            place = np.minimum(np.searchsorted(tile, cell), len(tile) - 1)
            inside = tile[place] == cell
            left = None if count is None else count - len(self._grids)
            taken, _duals = prices.programme(at[inside], place[inside], cost[rows], len(tile), left)
            best = float(taken.max())
            if best < _HARDLY:
                return
            for one in np.flatnonzero(taken >= min(share, best)):
                cells = np.sort(cell[at == one])
                if (self.label[cells] == NOBODY).all():
                    self._put([(cells, float(self._pool_beyond[rows[one]]))])

    def _left_open(self) -> list[Integers]:
        """What is in no grid yet, piece by piece."""
        open_ = np.flatnonzero(self.label == NOBODY)
        piece = pieces(part(self.ground, open_))
        return [open_[piece == at] for at in range(int(piece.max(initial=-1)) + 1)]

    def _joined_in(self, few: Integers, random: np.random.Generator | None) -> bool:
        """Divide what was left open, with more and more of the grids around it."""
        around: list[int] = []
        cells = few
        mean = self.ground.households.sum() / self.count
        for ring in range(8):
            self._alive()
            total = int(self.ground.households[cells].sum())
            low = max(-(-total // self._most), 1) if self._most else 1
            high = total // self._least if self._least else len(cells)
            for number in sorted(range(low, high + 1), key=lambda number: abs(number - total / mean))[:3]:
                chosen = self._searched(cells, number, math.inf, wider=ring > 2)
                if chosen is not None:
                    self._put(chosen, instead=around)
                    return True
            beside = self._beside[cells]
            fresh = {int(grid) for grid in np.unique(self.label[beside[beside >= 0]])} - {NOBODY, *around}
            if not fresh or self._clock() > self._latest:
                return False
            # First the dearest ones; where that does not help, any.
            near = sorted(fresh, key=lambda grid: -self._grids[grid][1])
            around += (near if random is None else random.permutation(near).tolist())[:2]
            cells = np.concatenate([few, *(self._grids[grid][0] for grid in around)])
        return False

    def _counted(self) -> bool:
        """As many grids as are asked for: where there are others, some are divided into one more or one fewer."""
        for size in _WINDOWS:
            # Larger windows cost more: only a few are tried.
            for grid in list(self._grids)[: None if size < _PRICED else _FEW]:
                off = self.count - len(self._grids)
                if not off:
                    return True
                self._alive()
                if grid not in self._grids or self._clock() > self._latest:
                    continue
                window = self._window(grid, size)
                cells = np.concatenate([self._grids[one][0] for one in window])
                chosen = self._searched(cells, len(window) + (1 if off > 0 else -1), math.inf)
                if chosen is not None:
                    self._put(chosen, instead=window)
        return len(self._grids) == self.count

    def _put(self, chosen: Sequence[tuple[Integers, float]], instead: Sequence[int] = ()) -> list[int]:
        for grid in instead:
            del self._grids[grid]
        made = list(range(self._next, self._next + len(chosen)))
        self._next += len(chosen)
        for grid, (cells, beyond) in zip(made, chosen, strict=True):
            self._grids[grid] = (cells, beyond)
            self.label[cells] = grid
        return made

    def improve(self) -> None:
        """Divide neighbouring grids anew, few and then more of them, until nothing improves or the time is up."""
        tried: set[frozenset[int]] = set()
        for turn, size in enumerate(_WINDOWS):
            self.city._tell(0.6 + 0.4 * turn / len(_WINDOWS))
            waiting = sorted(self._grids, key=lambda grid: -self._grids[grid][1])
            while waiting:
                after: list[int] = []
                settled: set[int] = set()
                for grid in waiting:
                    self._alive()
                    if self._clock() > self._until:
                        return
                    if grid in self._grids and grid not in settled:
                        window = self._window(grid, size)
                        # What lies well inside needs no window of its own this time.
                        settled.update(window[: size // 3])
                        after += self._anew(window, tried)
                waiting = [grid for grid in after if grid in self._grids]

    def _anew(self, window: list[int], tried: set[frozenset[int]]) -> list[int]:
        """Divide some grids anew; the new ones where that was better."""
        beyond = sum(self._grids[one][1] for one in window)
        if beyond < _LEAST or frozenset(window) in tried:
            return []
        tried.add(frozenset(window))
        cells = np.concatenate([self._grids[one][0] for one in window])
        chosen = self._searched(cells, len(window), beyond - _LEAST)
        return [] if chosen is None else self._put(chosen, instead=window)

    def _window(self, grid: int, size: int) -> list[int]:
        window = [grid]
        for one in window:
            near = self._beside[self._grids[one][0]]
            fresh = sorted({*np.unique(self.label[near[near >= 0]]).tolist()} - {*window})
            for other in sorted(fresh, key=lambda other: -self._grids[other][1]):
                if len(window) == size:
                    return window
                window.append(other)
        return window

    def _searched(
        self, cells: Integers, count: int, below: float, *, wider: bool = False
    ) -> list[tuple[Integers, float]] | None:
        """The division of some cells into so many grids that is nearest to its worth, and nearer than ``below``."""
        total = int(self.ground.households[cells].sum())
        if not self._least * count <= total <= self._most * count:
            return None
        if wider and self._full is None:
            self._full = _Shelf(self._groups, self._reduced, math.inf, len(self.ground))
        shelf = self._full if wider and self._full is not None else self._shelf
        cells = np.sort(cells)
        members, reduced = shelf.within(cells, below)
        if not len(members):
            return None
        nearer = reduced
        first = math.isinf(below)
        if count >= (_PRICED_FIRST if first else _PRICED):
            value, nearer = _locally(
                np.searchsorted(cells, members), members < len(self.ground), reduced, len(cells), count
            )
            below -= value
            few = min(_NEARER * len(cells), len(nearer)) - 1
            most = min(below, float(np.partition(nearer, few)[few]))
            rows = np.flatnonzero(nearer <= most)
            rows = rows[np.lexsort((nearer[rows], members[rows, 0]))]
            members, reduced, nearer = members[rows], reduced[rows], nearer[rows]
            if below <= 0 or not len(rows):
                return None
        chosen = _covered(
            _as_bits(members, cells, len(self.ground)),
            nearer.tolist(),
            len(cells),
            count,
            below,
            _NODES_FIRST if first else _NODES,
        )
        if chosen is None:
            return None
        return [(members[at][members[at] < len(self.ground)].astype(np.int64), float(reduced[at])) for at in chosen]


def _locally(place: Integers, inside: NDArray[np.bool_], cost: Floats, cells: int, count: int) -> tuple[float, Floats]:
    """The linear programme of a few grids alone: its value, and what each group costs beyond its worth there."""
    from scipy.optimize import linprog
    from scipy.sparse import csc_array

    row, entry = np.nonzero(inside)
    size = inside.sum(axis=1)
    starts = np.append(0, np.cumsum(size + 1))
    rows = np.insert(place[row, entry], np.cumsum(size), cells)
    matrix = csc_array((np.ones(len(rows)), rows, starts), shape=(cells + 1, len(cost)))
    done = linprog(cost, A_eq=matrix, b_eq=np.append(np.ones(cells), count), method="highs-ds")
    if done.status != 0:  # what stands there was made of groups that are no longer at hand
        return 0.0, cost
    duals = done.eqlin.marginals
    return float(done.fun), np.maximum(cost - matrix.T @ duals, 0.0)


def _as_bits(members: Cells, cells: Integers, none: int) -> list[int]:
    """Groups as numbers with a bit for each of some cells."""
    place = np.searchsorted(cells, members)
    words: list[list[int]] = []
    for word in range(-(-len(cells) // _BITS)):
        here = (members < none) & (place // _BITS == word)
        words.append(np.where(here, np.left_shift(np.int64(1), place % _BITS), 0).sum(axis=1).tolist())
    if len(words) == 1:
        return words[0]
    return [sum(word << _BITS * at for at, word in enumerate(row)) for row in zip(*words, strict=True)]


def _covered(bits: list[int], cost: list[float], cells: int, count: int, below: float, places: int) -> list[int] | None:
    """The cheapest groups that have each cell once, if they cost less; looked for at so many ``places`` at most.

    Groups are sorted by their lowest cell, then by cost.
    """
    holders: list[list[int]] = [[] for _cell in range(cells)]
    for at, group in enumerate(bits):
        holders[(group & -group).bit_length() - 1].append(at)
    full, taken, lowest, steps = (1 << cells) - 1, [0] * count, below, 0
    chosen: list[int] | None = None

    def look(have: int, spent: float, left: int) -> None:
        nonlocal steps, chosen, lowest
        for at in holders[(~have & (have + 1)).bit_length() - 1]:
            total = spent + cost[at]
            if total >= lowest:
                return
            if bits[at] & have:
                continue
            steps += 1
            if steps > places:
                return
            taken[count - left] = at
            both = have | bits[at]
            if both == full:
                if left == 1:
                    lowest, chosen = total, list(taken)
            elif left > 1:
                look(both, total, left - 1)

    look(0, 0.0, count)
    return chosen
