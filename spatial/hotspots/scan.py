"""Scan 时空扫描: Kulldorff's space-time scan, an early warning of a cluster that is there now.

Every circle around every place, over every span of periods that reaches up to now, is asked whether more happened in
it than elsewhere. Only the strongest answer is tested, against the strongest of as many worlds without a cluster, so
that asking often costs no false alarms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Alarm", "Model", "TooManyZones", "scan"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_Worlds = Iterator[Integers]

CYLINDERS_MAX = 4_000_000
"""More circles × spans than this take too long to be drawn a thousand times."""


class Model(StrEnum):
    """What the world without a cluster looks like."""

    PERMUTATION = "permutation"
    POISSON = "poisson"


class TooManyZones(ValueError):
    """There are too many circles and spans to scan.

    Parameters
    ----------
    cylinders
        How many there would be.
    most
        How many there may be.
    """

    def __init__(self, cylinders: int, most: int) -> None:
        super().__init__(
            f"{cylinders:,} circles and spans are too many to scan (at most {most:,}); "
            "take greater cells, a smaller radius or fewer periods"
        )
        self.cylinders = cylinders


@dataclass(frozen=True)
class Alarm:
    """A circle and a span in which more happened than elsewhere.

    Attributes
    ----------
    places
        Positions of the places in the circle, nearest to its centre first.
    radius_m
        From the centre to the furthest of them.
    periods
        How many of the last periods it has lasted.
    observed, expected
        Cases in it, and how many there would be without a cluster.
    score
        The log likelihood ratio.
    p
        The share of worlds without a cluster whose strongest circle is as strong.
    """

    places: Integers
    radius_m: float
    periods: int
    observed: int
    expected: float
    score: float
    p: float


def scan(
    xy: ArrayLike,
    cases: ArrayLike,
    *,
    model: Model = Model.PERMUTATION,
    population: ArrayLike | None = None,
    radius_m: float = 150,
    periods_max: int | None = None,
    share_max: float = 0.5,
    simulations: int = 999,
    seed: int | None = None,
    most: int = 5,
    cylinders_max: int = CYLINDERS_MAX,
) -> list[Alarm]:
    """Scan for clusters that reach up to the last period.

    Parameters
    ----------
    xy
        Array (places, 2) in metres, such as the centres of cells.
    cases
        Array (places, periods) of counts, the oldest period first.
    model
        ``permutation`` needs nothing but the cases and asks where they have become more; ``poisson`` asks where they
        are more than ``population`` lets expect, at all times alike.
    population
        For ``poisson``: of each place, such as households.
    radius_m
        The greatest circle. Circles go around places that have cases.
    periods_max
        The longest span; half the periods by default.
    share_max
        A circle holds at most this share (0–1) of all cases (of the population under ``poisson``).
    simulations
        How many worlds without a cluster are drawn.
    seed
        Of the drawing.
    most
        How many clusters are returned, none of them sharing a place with a stronger one.
    cylinders_max
        With more circles times spans than this nothing is scanned.

    Returns
    -------
    list of Alarm
        The strongest first, whatever its p; empty without cases.

    Raises
    ------
    TooManyZones
    ValueError
        ``poisson`` without population.

    Notes
    -----
    With c cases of C in a cylinder that lets expect μ, the score is c ln(c/μ) + (C − c) ln((C − c)/(C − μ)) where
    c > μ. Under ``permutation`` μ is the circle's cases × the span's cases / C, and the worlds come from shuffling the
    periods among the cases; under ``poisson`` from a multinomial draw.

    Source: M. Kulldorff, A spatial scan statistic, Communications in Statistics: Theory and Methods 26 (1997)
    1481–1496; M. Kulldorff, Prospective time periodic geographical disease surveillance using a scan statistic,
    Journal of the Royal Statistical Society A 164 (2001) 61–72; M. Kulldorff et al., A space-time permutation scan
    statistic for disease outbreak detection, PLoS Medicine 2 (2005) e59.
    """
    flat, counts = np.asarray(xy, dtype=np.float64).reshape(-1, 2), np.asarray(cases, dtype=np.int64)
    total, periods = int(counts.sum()), counts.shape[1]
    spans = min(periods_max or max(periods // 2, 1), periods - 1) if periods > 1 else 1
    if total == 0:
        return []
    if model == Model.POISSON:
        if population is None:
            raise ValueError("the Poisson model needs the population of each place")
        people = np.asarray(population, dtype=np.float64)
        size = people / people.sum()
    else:
        size = counts.sum(axis=1) / total
    zones = _zones(flat, counts.sum(axis=1) > 0, size, radius_m, share_max, spans, cylinders_max)
    if model == Model.POISSON:
        expected = zones.grow(size[:, None] * (np.arange(1, spans + 1) / periods)[None, :] * total)
    else:
        late = _latest(counts, spans).sum(axis=0)
        expected = zones.grow(counts.sum(axis=1)[:, None] * late[None, :] / total)
    scores = _Scores(expected, total, zones.whole)
    observed = zones.grow(_latest(counts, spans))
    found = scores.of(observed)
    random = np.random.default_rng(seed)
    worlds = _shuffled(counts, random) if model == Model.PERMUTATION else _drawn(size, total, periods, random)
    strongest = np.array(
        [scores.of(zones.grow(_latest(next(worlds), spans))).max(initial=0.0) for _ in range(simulations)]
    )
    return _alarms(zones, found, observed, expected, strongest, most)


@dataclass(frozen=True)
class _Zones:
    """Circles: around each centre its places by distance, so that the circles are running sums."""

    near: Integers
    distance: Floats
    whole: NDArray[np.bool_]

    def grow(self, values: NDArray[np.float64] | Integers) -> Floats:
        """The sum of a table (places, spans) over every circle: (centres, circles, spans)."""
        padded = np.concatenate([values, np.zeros((1, values.shape[1]), dtype=values.dtype)])
        return np.asarray(np.cumsum(padded[self.near], axis=1))


def _zones(
    xy: Floats,
    busy: NDArray[np.bool_],
    size: Floats,
    radius_m: float,
    share_max: float,
    spans: int,
    cylinders_max: int,
) -> _Zones:
    from scipy.spatial import KDTree

    centres = np.flatnonzero(busy)
    # Empty places do not change what a circle holds, unless they have people who would have had cases.
    useful = np.flatnonzero(busy | (size > 0))
    around = KDTree(xy[useful]).query_ball_point(xy[centres], radius_m * (1 + 1e-9))
    widest = max(len(one) for one in around)
    if len(centres) * widest * spans > cylinders_max:
        raise TooManyZones(len(centres) * widest * spans, cylinders_max)
    near = np.full((len(centres), widest), len(xy), dtype=np.int64)
    distance = np.full((len(centres), widest), np.inf)
    for row, (centre, one) in enumerate(zip(centres, around, strict=True)):
        others = useful[one]
        away = np.hypot(*(xy[others] - xy[centre]).T)
        order = np.lexsort((others, away))
        near[row, : len(others)], distance[row, : len(others)] = others[order], away[order]
    # A circle takes all places of one distance or none.
    ahead = np.concatenate([distance[:, 1:], np.full((len(centres), 1), np.inf)], axis=1)
    share = np.cumsum(np.append(size, 0.0)[near], axis=1)
    whole = np.isfinite(distance) & (ahead > distance * (1 + 1e-9)) & (share <= share_max + 1e-12)
    return _Zones(near, distance, whole)


class _Scores:
    """The log likelihood ratio of each cylinder, with what does not change between worlds worked out before."""

    def __init__(self, expected: Floats, total: int, whole: NDArray[np.bool_]) -> None:
        self.expected = expected
        self.usable = whole[:, :, None] & (expected > 0) & (expected < total)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside, outside = np.log(expected), np.log(total - expected)
        self.slope = np.where(self.usable, outside - inside, 0.0)
        self.base = np.where(self.usable, -total * outside, 0.0)
        numbers = np.arange(total + 1, dtype=np.float64)
        own = np.where(numbers > 0, numbers * np.log(np.maximum(numbers, 1)), 0.0)
        #: n ln n + (C − n) ln (C − n) of every possible count
        self.entropy = own + own[::-1]

    def of(self, observed: Floats) -> Floats:
        """The score of each cylinder; 0 where no more happened than expected."""
        score = self.entropy[observed.astype(np.int64)] + observed * self.slope + self.base
        return np.where(self.usable & (observed > self.expected), np.maximum(score, 0.0), 0.0)


def _latest(counts: NDArray[np.int64], spans: int) -> Integers:
    """Cases of each place in the last 1, 2, … periods."""
    return np.asarray(np.cumsum(counts[:, ::-1][:, :spans], axis=1))


def _shuffled(counts: Integers, random: np.random.Generator) -> _Worlds:
    places, periods = counts.shape
    each = counts.ravel()
    owner = np.repeat(np.arange(places), counts.sum(axis=1))
    when = np.repeat(np.tile(np.arange(periods), places), each)
    while True:
        yield np.bincount(owner * periods + random.permutation(when), minlength=places * periods).reshape(
            places, periods
        )


def _drawn(size: Floats, total: int, periods: int, random: np.random.Generator) -> _Worlds:
    chances = np.repeat(size / periods, periods)
    while True:
        yield random.multinomial(total, chances / chances.sum()).reshape(len(size), periods)


def _alarms(
    zones: _Zones, found: Floats, observed: Floats, expected: Floats, strongest: Floats, most: int
) -> list[Alarm]:
    alarms: list[Alarm] = []
    taken: set[int] = set()
    for at in np.argsort(-found, axis=None, kind="stable"):
        centre, circle, span = (int(one) for one in np.unravel_index(at, found.shape))
        score = float(found[centre, circle, span])
        if score <= 0 or len(alarms) == most:
            break
        places = zones.near[centre, : circle + 1]
        if taken.intersection(places.tolist()):
            continue
        taken.update(places.tolist())
        alarms.append(
            Alarm(
                places,
                float(zones.distance[centre, circle]),
                span + 1,
                int(observed[centre, circle, span]),
                float(expected[centre, circle, span]),
                score,
                # Rounding must not make the observed world weaker than an equal one.
                (1 + int((strongest >= score - 1e-9).sum())) / (1 + len(strongest)),
            )
        )
    return alarms
