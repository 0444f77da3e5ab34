"""Walks: which doors to pass, and in which order, when there is not time for all of them (the orienteering problem).

At each stop, a building, are doors with a value; every door takes as long as any other. A walk begins at the start, or
anywhere, and ends at its last door. Few stops are decided by dynamic programming over all sets of them, so nothing is
worth more. More of them begin with the better of two walks, by value for time and nearest first, which is improved:
stops are put in, taken out, exchanged and put in another order, and stretches are torn out and filled again. How far
that can be from the best is told by a bound: walks that may come to a stop again, at a price that rises for stops that
they come to again, are worth as much at least.

Sources
-------
Golden, B. L., Levy, L. and Vohra, R. (1987), The orienteering problem, Naval Research Logistics 34(3), 307-318;
Held, M. and Karp, R. M. (1962), A dynamic programming approach to sequencing problems, J. SIAM 10(1), 196-210;
Christofides, N., Mingozzi, A. and Toth, P. (1981), State-space relaxation procedures, Networks 11(2), 145-164 (bound).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Doors", "Walk", "best", "bound", "nearest_first"]

Floats = NDArray[np.float64]

EXACT = 11
"""So many stops are decided by looking at all sets of them."""
_TRIES = 60
"""So often a stretch is torn out."""
_CLOSE = 16
"""So many stops at most are looked at to be put in."""
_TICKS = 240
"""The bound counts time in so many parts of the budget, rounded down."""
_ROUNDS = 80
"""So often prices are raised."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Doors:
    """What there is to be done, and how long it may take.

    Attributes
    ----------
    ways
        Minutes from each stop to each other, shape (n, n), finite.
    first
        Minutes from the start to each stop, shape (n,); zeros where one may begin anywhere.
    values
        What the doors of each stop are worth, positive, the highest first.
    service
        Minutes at each door, positive.
    budget
        Minutes in all.
    """

    ways: Floats
    first: Floats
    values: Sequence[Sequence[float]]
    service: float
    budget: float

    def __post_init__(self) -> None:
        count = len(self.values)
        if self.ways.shape != (count, count) or self.first.shape != (count,):
            raise ValueError("there is a way from the start to each stop, and from each stop to each other")
        if not (np.isfinite(self.ways).all() and np.isfinite(self.first).all() and self.service > 0):
            raise ValueError("ways and the minutes at a door are finite, and a door takes time")
        if any(list(own) != sorted(own, reverse=True) or not own or own[-1] <= 0 for own in self.values):
            raise ValueError("each stop has doors, whose values are positive, the highest first")

    @classmethod
    def at(
        cls,
        ways: ArrayLike,
        values: Sequence[Sequence[float]],
        *,
        service: float,
        budget: float,
        first: ArrayLike | None = None,
    ) -> Doors:
        """The same from anything that is like an array; without ``first`` one begins anywhere."""
        count = len(values)
        from_start = np.zeros(count) if first is None else np.asarray(first, dtype=np.float64)
        return cls(np.asarray(ways, dtype=np.float64).reshape(count, count), from_start, values, service, budget)

    def minutes(self, order: Sequence[int]) -> float:
        """How long one walks from stop to stop."""
        if not order:
            return 0.0
        return float(self.first[order[0]] + self.ways[list(order[:-1]), list(order[1:])].sum())

    def worth(self, order: Sequence[int], minutes: float) -> float:
        """What the best doors of these stops are worth, at least one of each; below 0 where there is no time for it."""
        spare = int((self.budget - minutes) / self.service + _ROUNDING) - len(order)
        if minutes > self.budget or spare < 0:
            return -1.0
        more = nlargest(spare, (value for stop in order for value in self.values[stop][1:]))
        return sum(self.values[stop][0] for stop in order) + sum(more)


@dataclass(frozen=True)
class Walk:
    """A walk.

    Attributes
    ----------
    stops
        Positions of the stops in the order in which one comes to them.
    doors
        How many doors one passes at each, those with the highest value.
    value, minutes
        Of all of it: what it is worth, and how long it takes with the time at the doors.
    proven
        No walk is worth more.
    """

    stops: list[int]
    doors: list[int]
    value: float
    minutes: float
    proven: bool = False


def best(doors: Doors, *, seed: int = 0) -> Walk:
    """Find the walk that is worth most.

    Parameters
    ----------
    doors
        What there is to be done.
    seed
        Of what is tried at random; the same seed finds the same walk.

    Returns
    -------
    Walk
        Never longer than the budget, and never worth less than ``nearest_first``.

    Examples
    --------
    >>> line = np.abs(np.subtract.outer([0, 1, 11], [0, 1, 11]))
    >>> walk = best(Doors.at(line, [[1.5], [2.0, 1.0], [5.0]], service=5, budget=15, first=[0, 1, 11]))
    >>> walk.stops, walk.doors, walk.value, walk.minutes, walk.proven
    ([0, 1], [1, 1], 3.5, 11.0, True)
    """
    stops = [int(stop) for stop in np.flatnonzero(doors.first + doors.service <= doors.budget + _ROUNDING)]
    if len(stops) <= EXACT:
        return _walk(doors, _exact(doors, stops), proven=True)
    return _walk(doors, _searched(doors, stops, np.random.default_rng(seed)))


def nearest_first(doors: Doors) -> Walk:
    """Walk to the nearest stop and pass all of its doors, then to the next, as long as there is time."""
    order: list[int] = []
    passed: list[int] = []
    left, minutes, value = set(range(len(doors.values))), 0.0, 0.0
    while left:
        legs = doors.ways[order[-1]] if order else doors.first
        stop = min(left, key=lambda stop: (legs[stop], stop))
        left.remove(stop)
        time = int((doors.budget - minutes - legs[stop]) / doors.service + _ROUNDING)
        if minutes + legs[stop] > doors.budget or time < 1:
            continue
        own = doors.values[stop][:time]
        order.append(stop)
        passed.append(len(own))
        minutes += float(legs[stop]) + doors.service * len(own)
        value += sum(own)
    return Walk(order, passed, value, minutes)


def _walk(doors: Doors, order: list[int], *, proven: bool = False) -> Walk:
    """The walk along stops, with the doors that are worth most."""
    way = doors.minutes(order)
    spare = int((doors.budget - way) / doors.service + _ROUNDING) - len(order)
    rest = [(value, -place) for place, stop in enumerate(order) for value in doors.values[stop][1:]]
    passed = [1] * len(order)
    for _value, place in nlargest(spare, rest):
        passed[-place] += 1
    value = sum(sum(doors.values[stop][:count]) for stop, count in zip(order, passed, strict=True))
    return Walk(order, passed, value, way + doors.service * sum(passed), proven)


def _exact(doors: Doors, stops: list[int]) -> list[int]:
    """The best order by the shortest way through every set of stops (Held and Karp)."""
    count = len(stops)
    ways, first = doors.ways[stops][:, stops], doors.first[stops]
    shortest = np.full((1 << count, count), np.inf)
    before = np.full((1 << count, count), -1)
    for stop in range(count):
        shortest[1 << stop, stop] = first[stop]
    best_value, best_set = 0.0, 0
    for chosen in range(1, 1 << count):
        row = shortest[chosen]
        members = [stop for stop in range(count) if chosen >> stop & 1]
        minutes = float(row.min())
        if minutes + len(members) * doors.service > doors.budget + _ROUNDING:
            continue
        value = doors.worth([stops[stop] for stop in members], minutes)
        if value > best_value:
            best_value, best_set = value, chosen
        through = row[:, None] + ways
        last = through.argmin(axis=0)
        for stop in range(count):
            if not chosen >> stop & 1:
                then = chosen | 1 << stop
                shortest[then, stop], before[then, stop] = through[last[stop], stop], last[stop]
    order: list[int] = []
    chosen, at = best_set, int(shortest[best_set].argmin()) if best_set else -1
    while chosen:
        order.append(stops[at])
        chosen, at = chosen & ~(1 << at), int(before[chosen, at])
    return order[::-1]


def _searched(doors: Doors, stops: list[int], rng: np.random.Generator) -> list[int]:
    """A good order, by search."""
    starts = [_filled(doors, stops, []), nearest_first(doors).stops]
    current = max((_improved(doors, stops, order) for order in starts), key=lambda order: _value(doors, order))
    top = current
    for attempt in range(_TRIES):
        torn = list(current)
        if torn:
            long = int(rng.integers(1, max(1, len(torn) // 2) + 1))
            at = int(rng.integers(len(torn)))
            gone = set(torn[at : at + long])
            torn = torn[:at] + torn[at + long :]
            kept_out = {stop for stop in gone if rng.random() < 0.5}
            filled = _filled(doors, [stop for stop in stops if stop not in kept_out], torn)
        else:
            filled = _filled(doors, rng.permutation(stops)[: (len(stops) + 1) // 2].tolist(), [])
        tried = _improved(doors, stops, filled)
        # A little worse is let pass at first, less and less of it.
        if _value(doors, tried) >= _value(doors, current) * (1 - 0.1 * (1 - attempt / _TRIES)):
            current = tried
        if _value(doors, tried) > _value(doors, top) + _ROUNDING:
            top = tried
    return top


def _value(doors: Doors, order: Sequence[int]) -> float:
    return doors.worth(order, doors.minutes(order))


def _improved(doors: Doors, stops: list[int], order: list[int]) -> list[int]:
    """Exchange one stop for others and shorten the way, as long as that is worth more."""
    order = _filled(doors, stops, _shortened(doors, order))
    while True:
        now = _value(doors, order)
        for place in range(len(order)):
            without = order[:place] + order[place + 1 :]
            others = [stop for stop in stops if stop != order[place]]
            tried = _filled(doors, stops, _shortened(doors, _filled(doors, others, without)))
            if _value(doors, tried) > now + _ROUNDING:
                order = tried
                break
        else:
            return order


def _filled(doors: Doors, stops: Sequence[int], order: list[int]) -> list[int]:
    """Put in the stop that is worth most for the time it takes, again and again."""
    order = list(order)
    while True:
        free = np.array([stop for stop in stops if stop not in order], dtype=np.int64)
        if not len(free):
            return order
        minutes, now = doors.minutes(order), _value(doors, order)
        # Before each stop of the order, and behind the last: how much longer the way becomes.
        into = np.vstack([doors.first[free], doors.ways[order][:, free]]) if order else doors.first[free][None]
        longer = into.copy()
        if order:
            legs = np.array([doors.first[order[0]], *doors.ways[order[:-1], order[1:]]])
            longer[:-1] += doors.ways[free][:, order].T - legs[:, None]
        place = longer.argmin(axis=0)
        more = longer[place, np.arange(len(free))]
        own = np.array([doors.values[stop][0] for stop in free])
        likely = np.argsort(-own / (np.maximum(more, 0) + doors.service), kind="stable")[:_CLOSE]
        gains = [
            (
                (doors.worth([*order, int(free[one])], minutes + more[one]) - now)
                / (max(float(more[one]), 0.0) + doors.service),
                -int(one),
            )
            for one in likely
        ]
        gain, one = max(gains)
        if gain <= _ROUNDING:
            return order
        order.insert(int(place[-one]), int(free[-one]))


def _shortened(doors: Doors, order: list[int]) -> list[int]:
    """Turn stretches around, and move single stops, as long as the way becomes shorter."""
    best_order, best_minutes = list(order), doors.minutes(order)
    while True:
        count = len(best_order)
        tried = [
            best_order[:i] + best_order[i:j][::-1] + best_order[j:]
            for i in range(count)
            for j in range(i + 2, count + 1)
        ]
        for i in range(count):
            rest = best_order[:i] + best_order[i + 1 :]
            tried += [[*rest[:j], best_order[i], *rest[j:]] for j in range(count) if j != i]
        if not tried:
            return best_order
        orders = np.array(tried)
        minutes = doors.first[orders[:, 0]] + doors.ways[orders[:, :-1], orders[:, 1:]].sum(axis=1)
        shortest = int(minutes.argmin())
        if minutes[shortest] >= best_minutes - _ROUNDING:
            return best_order
        best_order, best_minutes = tried[shortest], float(minutes[shortest])


def bound(doors: Doors, value: float = 0.0) -> float:
    """What no walk is worth more than.

    Parameters
    ----------
    doors
        What there is to be done.
    value
        Of a walk that is known: the nearer it is to the best, the better prices are found.

    Returns
    -------
    float
        At least the value of the best walk.
    """
    count = len(doors.values)
    if not count:
        return 0.0
    tick = doors.budget / _TICKS
    if tick <= 0:
        return 0.0
    most = max(1, min(int(doors.budget / doors.service + _ROUNDING), max(map(len, doors.values))))
    held = np.full((most, count), -np.inf)
    for stop, own in enumerate(doors.values):
        sums = np.cumsum(own[:most])
        held[: len(sums), stop] = sums
    ways = np.floor(doors.ways / tick + _ROUNDING).astype(np.int64)
    first = np.floor(doors.first / tick + _ROUNDING).astype(np.int64)
    at_doors = [int(np.floor((number + 1) * doors.service / tick + _ROUNDING)) for number in range(most)]
    prices = np.zeros(count)
    least, step = np.inf, 1.0
    for _round in range(_ROUNDS):
        relaxed, passed = _relaxed(ways, first, held - prices, at_doors)
        dual = relaxed + float(prices.sum())
        if dual < least - _ROUNDING:
            least = dual
        else:
            step *= 0.9
        over = passed - 1.0
        # A stop that nobody comes to and that costs nothing has no cheaper price.
        over[(passed == 0) & (prices <= 0)] = 0.0
        length = float(over @ over)
        if length == 0 or dual <= value + _ROUNDING:
            break
        prices = np.maximum(0.0, prices + step * (dual - value) / length * over)
    return max(least, value)


def _relaxed(
    ways: NDArray[np.int64], first: NDArray[np.int64], held: Floats, at_doors: list[int]
) -> tuple[float, Floats]:
    """The best walk that may come to stops again: what it is worth, and how often it comes to each."""
    count = len(first)
    ended = np.full((_TICKS + 1, count), -np.inf)
    came = np.full((_TICKS + 1, count, 2), -2)
    everyone = np.arange(count)
    for tick in range(_TICKS + 1):
        since = tick - ways
        worth = np.where(since >= 0, ended[np.maximum(since, 0), everyone[:, None]], -np.inf)
        np.fill_diagonal(worth, -np.inf)
        before = worth.argmax(axis=0)
        arrived = worth[before, everyone]
        # From the start; waiting is allowed, so that an arrival is as good later.
        begins = (first <= tick) & (arrived < 0.0)
        arrived = np.where(begins, 0.0, arrived)
        before = np.where(begins, -1, before)
        if not np.isfinite(arrived).any():
            continue
        for number, ticks in enumerate(at_doors):
            then = tick + ticks
            if then > _TICKS:
                break
            value = arrived + held[number]
            better = value > ended[then]
            ended[then, better] = value[better]
            came[then, better, 0] = before[better]
            came[then, better, 1] = tick
    flat = int(ended.argmax())
    tick, stop = divmod(flat, count)
    top = float(ended[tick, stop])
    passed = np.zeros(count)
    if top <= 0.0:
        return 0.0, passed
    while stop >= 0:
        passed[stop] += 1
        before_stop, arrived_at = came[tick, stop]
        tick = int(arrived_at - ways[before_stop, stop]) if before_stop >= 0 else 0
        stop = int(before_stop)
    return top, passed
