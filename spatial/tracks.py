"""Tracks: which points of a GPS track can be believed, and why the others cannot.

A track comes as plain arrays in a metric reference system, in the order in which its points were recorded. Nothing is
moved or smoothed: a point is kept or dropped for one reason, and the kept ones fall into parts that were walked
without a gap.

Sources
-------
Speed and acceleration of cyclists: Parkin, J. and Rotheram, J. (2010), Design speeds and acceleration characteristics
of bicycle traffic for use in planning, design and appraisal, Transport Policy 17(5), 335-341: 85 % ride at up to
22 km/h on the flat, 35 km/h is the design speed for slopes; setting off takes 0.23 m/s² on average, so the limit of
3 m/s² is that of braking hard. Standing: the stay points of Li, Q. et al. (2008), Mining user similarity based on
location history, ACM SIGSPATIAL GIS, with a radius for people who walk. Order of times: the longest non-decreasing
subsequence, Schensted, C. (1961), Canadian Journal of Mathematics 13, 179-191.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = ["Cleaned", "Limits", "Reason", "clean"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Positions = NDArray[np.int64]


class Reason(StrEnum):
    """Why a point was dropped."""

    UNDEFINED = "undefined"
    """It has no coordinates, or none that exist."""
    INACCURATE = "inaccurate"
    """The receiver itself says that it may be far off."""
    MOCK = "mock"
    """No receiver gives such a point: accuracy 0, or motion more regular than any receiver's noise."""
    NO_TIME = "no_time"
    """It has no time, or one that cannot be true, while others of the track have one."""
    BACKWARDS = "backwards"
    """Its time is out of order."""
    REPEATED = "repeated"
    """Another point has the same time, or without times the same place."""
    JUMP = "jump"
    """Nobody gets there and back as fast."""
    SUDDEN = "sudden"
    """Nobody starts, stops or turns as hard."""
    TOO_FAST = "too_fast"
    """It was passed faster than on a bicycle."""
    STANDING = "standing"
    """Somebody stood still and the position drifted around them."""


@dataclass(frozen=True)
class Limits:
    """What is still believed.

    Attributes
    ----------
    speed_mps
        Fastest on foot or bicycle, in metres a second.
    acceleration_mps2
        Hardest change of speed or direction.
    accuracy_m
        Worst stated accuracy.
    assumed_accuracy_m
        Accuracy of points that state none.
    gap_s
        Longest time between two points of one part.
    standing_s, standing_m
        Who stays within this radius for this long stands.
    ride_s
        Time over which a speed above ``speed_mps`` is no error of position any more.
    regular_points, regular_m
        So many points in a row whose steps differ by less than this were not received.
    """

    speed_mps: float = 9.7
    acceleration_mps2: float = 3.0
    accuracy_m: float = 100.0
    assumed_accuracy_m: float = 10.0
    gap_s: float = 120.0
    standing_s: float = 60.0
    standing_m: float = 5.0
    ride_s: float = 20.0
    regular_points: int = 20
    regular_m: float = 0.02


_SPIKE_LEGS = 2.5
"""Without times: the legs to and from a spike are so many times the track's median leg, and the way past it."""
_CLUSTER = 5
"""A displaced cluster of up to so many points is a jump; more are another part of the track."""
_RIDE_LEGS = 3
"""So many impossible legs in a row are a ride; fewer are errors of position."""
_STILL_M = 0.3
"""Steps shorter than this are no motion that could be regular."""


@dataclass(frozen=True)
class Cleaned:
    """What :func:`clean` found; all of one length, in the order of the points.

    Attributes
    ----------
    kept
        Whether the point is believed.
    reasons
        A :class:`Reason` for each point that is not, else None.
    parts
        Number of the part (from 0) in which a kept point lies; -1 for the others. A part was walked without a gap and
        without standing still.
    timed
        Whether the track has times.
    """

    kept: Flags
    reasons: NDArray[np.object_]
    parts: Positions
    timed: bool

    def counts(self) -> dict[Reason, int]:
        """How many points were dropped for each reason, the most frequent first."""
        found, counted = np.unique([str(reason) for reason in self.reasons if reason], return_counts=True)
        return {Reason(found[at]): int(counted[at]) for at in np.argsort(-counted, kind="stable")}


def clean(
    x: ArrayLike,
    y: ArrayLike,
    t: ArrayLike | None = None,
    accuracy_m: ArrayLike | None = None,
    segment: ArrayLike | None = None,
    *,
    earliest: float = -np.inf,
    latest: float = np.inf,
    limits: Limits | None = None,
) -> Cleaned:
    """Say which points of one track can be believed.

    Parameters
    ----------
    x, y
        Places in metres, in a metric reference system; NaN or infinite where there is none. Shape (n,).
    t
        Instants in seconds since any epoch, NaN where there is none; None for a track without times.
    accuracy_m
        Stated accuracy, the radius of 68 % confidence in metres; NaN or negative where none is stated.
    segment
        Number of the recorded segment of each point; legs between different ones are not walked.
    earliest, latest
        Instants before or after which a time cannot be true (a receiver that has not found the time says 1901, 1970 or
        1980).
    limits
        What is believed.

    Returns
    -------
    Cleaned
        The reasons come in this order: coordinates, accuracy, mock, time, jumps and sudden turns, speed, standing.
        A track none of whose times can be true is one without times.

    Raises
    ------
    ValueError
        The arrays have different lengths.

    Examples
    --------
    >>> found = clean([0, 1.4, 500, 4.2, 5.6], [0, 0, 0, 0, 0], t=[0, 1, 2, 3, 4])
    >>> found.kept.tolist(), found.reasons[2].value
    ([True, True, False, True, True], 'jump')
    """
    given = _Given.of(x, y, t, accuracy_m, segment, earliest, latest, limits or Limits())
    reasons = np.full(len(given.x), None, dtype=object)
    _drop(reasons, ~(np.isfinite(given.x) & np.isfinite(given.y)), Reason.UNDEFINED)
    _drop(reasons, given.accuracy > given.limits.accuracy_m, Reason.INACCURATE)
    _drop(reasons, given.stated == 0, Reason.MOCK)
    if given.timed:
        _check_times(given, reasons)
        _drop_impossible(given, reasons)
        _drop(reasons, _regular(given, reasons), Reason.MOCK)
        _drop(reasons, _rides(given, reasons), Reason.TOO_FAST)
        _drop(reasons, _standing(given, reasons, _parts(given, reasons)), Reason.STANDING)
    else:
        _drop_spikes(given, reasons)
    return Cleaned(_alive(reasons), reasons, _parts(given, reasons), given.timed)


@dataclass(frozen=True)
class _Given:
    """A track as arrays of one length; ``stated`` and ``accuracy`` with and without NaN."""

    x: Floats
    y: Floats
    t: Floats
    stated: Floats
    accuracy: Floats
    segment: Positions
    timed: bool
    limits: Limits

    @classmethod
    def of(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        t: ArrayLike | None,
        accuracy_m: ArrayLike | None,
        segment: ArrayLike | None,
        earliest: float,
        latest: float,
        limits: Limits,
    ) -> _Given:
        xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        ts = np.full(len(xs), np.nan) if t is None else np.array(t, dtype=np.float64)
        stated = np.full(len(xs), np.nan) if accuracy_m is None else np.array(accuracy_m, dtype=np.float64)
        segments = np.zeros(len(xs), dtype=np.int64) if segment is None else np.asarray(segment, dtype=np.int64)
        if not len(xs) == len(ys) == len(ts) == len(stated) == len(segments):
            raise ValueError("the arrays of a track have one length")
        ts[~((ts >= earliest) & (ts <= latest))] = np.nan
        stated[~(stated >= 0)] = np.nan
        filled = np.where(np.isnan(stated), limits.assumed_accuracy_m, stated)
        return cls(xs, ys, ts, stated, filled, segments, bool(np.isfinite(ts).any()), limits)

    def legs(self, at: Positions) -> tuple[Floats, Floats, Flags]:
        """Between points that follow each other in ``at``: distance (m), time (s), whether in one segment."""
        length = np.hypot(np.diff(self.x[at]), np.diff(self.y[at]))
        return length, np.diff(self.t[at]), np.diff(self.segment[at]) == 0

    def too_far(self, one: Positions, other: Positions) -> Flags:
        """Whether nobody gets from ``one`` to ``other`` in that time, however wrong both positions are."""
        length = np.hypot(self.x[other] - self.x[one], self.y[other] - self.y[one])
        slack = self.accuracy[one] + self.accuracy[other]
        return np.asarray(length - slack > self.limits.speed_mps * (self.t[other] - self.t[one]))


def _alive(reasons: NDArray[np.object_]) -> Flags:
    return np.asarray(pd.isna(reasons))


def _drop(reasons: NDArray[np.object_], which: Flags, reason: Reason) -> None:
    """Note a reason for those that have none yet."""
    reasons[which & _alive(reasons)] = reason


def _check_times(given: _Given, reasons: NDArray[np.object_]) -> None:
    _drop(reasons, np.isnan(given.t), Reason.NO_TIME)
    at = np.flatnonzero(_alive(reasons))
    if (np.diff(given.t[at]) < 0).any():
        ordered = _longest_in_order(given.t[at])
        reasons[np.delete(at, ordered)] = Reason.BACKWARDS
        at = at[ordered]
    reasons[at[1:][np.diff(given.t[at]) == 0]] = Reason.REPEATED


def _longest_in_order(t: Floats) -> Positions:
    """Positions of a longest subsequence that never decreases, so that one wild time costs one point."""
    ends: list[float] = []
    last: list[int] = []
    before = np.full(len(t), -1, dtype=np.int64)
    for at, value in enumerate(t.tolist()):
        place = bisect_right(ends, value)
        before[at] = last[place - 1] if place else -1
        ends[place : place + 1] = [value]
        last[place : place + 1] = [at]
    chain = [last[-1]]
    while before[chain[-1]] >= 0:
        chain.append(int(before[chain[-1]]))
    return np.array(chain[::-1], dtype=np.int64)


def _drop_impossible(given: _Given, reasons: NDArray[np.object_]) -> None:
    """Drop jumps, rides and sudden turns until none is left; each round drops one at least."""
    while True:
        at = np.flatnonzero(_alive(reasons))
        fast = given.too_far(at[:-1], at[1:]) & (np.diff(given.segment[at]) == 0)
        for find, reason in (
            (_spikes, Reason.JUMP),
            (_between_fast_legs, Reason.TOO_FAST),
            (_clusters, Reason.JUMP),
            (_sudden, Reason.SUDDEN),
        ):
            found = find(given, at, fast)
            if len(found):
                reasons[found] = reason
                break
        else:
            return


def _spikes(given: _Given, at: Positions, fast: Flags) -> Positions:
    """Single points that are too far from both neighbours, which are not too far from each other."""
    if len(at) < 3:
        return at[:0]
    there_and_back = fast[:-1] & fast[1:]
    there_and_back &= ~given.too_far(at[:-2], at[2:])
    # Of two beside each other only the first: without it the second may be in order.
    there_and_back[1:] &= ~there_and_back[:-1]
    return np.asarray(at[1:-1][there_and_back])


def _sudden(given: _Given, at: Positions, fast: Flags) -> Positions:
    """Points off the way between their neighbours by more than the hardest acceleration explains.

    The second divided difference of a motion is its acceleration at some instant between: a point may lie off the
    straight and steady way between its neighbours by half the acceleration times the two times. Beside an impossible
    leg there is no such way.
    """
    if len(at) < 3:
        return at[:0]
    one, here, other = at[:-2], at[1:-1], at[2:]
    before, after = given.t[here] - given.t[one], given.t[other] - given.t[here]
    share = before / (before + after)
    off_x = given.x[here] - (given.x[one] + share * (given.x[other] - given.x[one]))
    off_y = given.y[here] - (given.y[one] + share * (given.y[other] - given.y[one]))
    slack = given.accuracy[here] + (1 - share) * given.accuracy[one] + share * given.accuracy[other]
    excess = np.hypot(off_x, off_y) - slack - given.limits.acceleration_mps2 * before * after / 2
    apart = fast | (np.diff(given.segment[at]) != 0)
    excess[apart[:-1] | apart[1:]] = -np.inf
    padded = np.concatenate(([-np.inf], excess, [-np.inf]))
    worst = (excess > 0) & (excess >= padded[:-2]) & (excess > padded[2:])
    return np.asarray(here[worst])


def _between_fast_legs(_given: _Given, at: Positions, fast: Flags) -> Positions:
    """Points inside of several impossible legs in a row: a ride that was recorded now and then."""
    starts, stops = _runs(fast)
    long = stops - starts >= _RIDE_LEGS
    return np.asarray(at[_marked(starts[long] + 1, stops[long], len(at))])


def _clusters(_given: _Given, at: Positions, fast: Flags) -> Positions:
    """The smallest group of points that impossible legs cut off from the rest, if it is small enough to be an error."""
    edges = np.flatnonzero(fast) + 1
    if not len(edges):
        return at[:0]
    starts, stops = np.concatenate(([0], edges)), np.concatenate((edges, [len(at)]))
    sizes = stops - starts
    smallest = int(np.argmin(sizes))
    if sizes[smallest] > _CLUSTER:
        return at[:0]
    return at[starts[smallest] : stops[smallest]]


def _regular(given: _Given, reasons: NDArray[np.object_]) -> Flags:
    """Points whose steps are all but the same, many in a row: interpolated, not received."""
    regular = np.zeros(len(given.x), dtype=bool)
    at = np.flatnonzero(_alive(reasons))
    many = given.limits.regular_points
    if len(at) < many + 2:
        return regular
    step_x, step_y = np.diff(given.x[at]), np.diff(given.y[at])
    dt = np.diff(given.t[at])
    length = np.hypot(step_x, step_y)
    change = np.hypot(np.diff(step_x / dt), np.diff(step_y / dt)) * np.minimum(dt[1:], dt[:-1])
    same = (change < given.limits.regular_m) & (np.minimum(length[1:], length[:-1]) > _STILL_M)
    starts, stops = _runs(same)
    for start, stop in zip(starts, stops, strict=True):
        if stop - start >= many:
            regular[at[start : stop + 2]] = True
    return regular


def _rides(given: _Given, reasons: NDArray[np.object_]) -> Flags:
    """Points of stretches on which the speed over ``ride_s`` is above the limit.

    A leg that is impossible even so is shortened to the longest possible one: a single jump makes no ride.
    """
    riding = np.zeros(len(given.x), dtype=bool)
    at = np.flatnonzero(_alive(reasons))
    if len(at) < 2:
        return riding
    length, dt, together = given.legs(at)
    longest = given.limits.speed_mps * dt + given.accuracy[at[:-1]] + given.accuracy[at[1:]]
    kept = np.where(length > 0, np.minimum(length, longest) / np.where(length > 0, length, 1.0), 0.0)
    x = np.append(0.0, np.cumsum(kept * np.diff(given.x[at])))
    y = np.append(0.0, np.cumsum(kept * np.diff(given.y[at])))
    t = given.t[at]
    end = np.minimum(np.searchsorted(t, t + given.limits.ride_s), len(at) - 1)
    took = t[end] - t
    segment = np.append(0, np.cumsum(~together))
    fast = (took >= given.limits.ride_s) & (segment[end] == segment)
    fast &= np.hypot(x[end] - x, y[end] - y) > given.limits.speed_mps * took
    riding[at] = _marked(np.flatnonzero(fast), end[fast] + 1, len(at))
    return riding


def _parts(given: _Given, reasons: NDArray[np.object_]) -> Positions:
    """The number of the part for each point that is left; -1 for the others."""
    parts = np.full(len(given.x), -1, dtype=np.int64)
    at = np.flatnonzero(_alive(reasons))
    if not len(at):
        return parts
    _length, dt, together = given.legs(at)
    new = ~together
    if given.timed:
        new |= (dt > given.limits.gap_s) | given.too_far(at[:-1], at[1:])
        breaks = np.cumsum(np.asarray((reasons == Reason.TOO_FAST) | (reasons == Reason.STANDING), dtype=np.int64))
        new |= np.diff(breaks[at]) > 0
    parts[at] = np.concatenate(([0], np.cumsum(new)))
    return parts


def _standing(given: _Given, reasons: NDArray[np.object_], parts: Positions) -> Flags:
    """Points between the first and the last of each stay."""
    standing = np.zeros(len(given.x), dtype=bool)
    at = np.flatnonzero(_alive(reasons))
    if len(at) < 3:
        return standing
    x, y, t = given.x[at], given.y[at], given.t[at]
    end = np.searchsorted(t, t + given.limits.standing_s)
    whole = np.flatnonzero(end < len(at))
    if not len(whole):
        return standing
    # reduceat over pairs (first, one after the last); every second result is that of a window.
    windows = np.column_stack((whole, np.minimum(end[whole] + 1, len(at)))).ravel()
    padded_x, padded_y = np.append(x, x[-1]), np.append(y, y[-1])
    width = np.maximum.reduceat(padded_x, windows)[::2] - np.minimum.reduceat(padded_x, windows)[::2]
    height = np.maximum.reduceat(padded_y, windows)[::2] - np.minimum.reduceat(padded_y, windows)[::2]
    radius = np.maximum(given.limits.standing_m, given.accuracy[at[whole]] / 2)
    # A window that spans several points only because the recorder slept says nothing about standing.
    stays = (np.hypot(width, height) <= 2 * radius) & (parts[at[whole]] == parts[at[end[whole]]])
    still = _marked(whole[stays], end[whole[stays]] + 1, len(at))
    for start, stop in zip(*_runs(still), strict=True):
        standing[at[start + 1 : stop - 1]] = True
    return standing


def _drop_spikes(given: _Given, reasons: NDArray[np.object_]) -> None:
    """Without times: drop points that repeat the one before, and those far off the way between their neighbours."""
    at = np.flatnonzero(_alive(reasons))
    if len(at) < 2:
        return
    length, _dt, together = given.legs(at)
    reasons[at[1:][(length == 0) & together]] = Reason.REPEATED
    at = np.flatnonzero(_alive(reasons))
    if len(at) < 5:
        return
    length, _dt, together = given.legs(at)
    past = np.hypot(given.x[at[2:]] - given.x[at[:-2]], given.y[at[2:]] - given.y[at[:-2]])
    usual = float(np.median(length))
    nearer = np.minimum(length[:-1], length[1:])
    spike = (nearer > _SPIKE_LEGS * usual) & (length[:-1] + length[1:] > _SPIKE_LEGS * past)
    spike &= together[:-1] & together[1:]
    spike[1:] &= ~spike[:-1]
    reasons[at[1:-1][spike]] = Reason.JUMP


def _runs(flags: Flags) -> tuple[Positions, Positions]:
    """First position of each run of true values, and one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return edges[::2], edges[1::2]


def _marked(starts: Positions, stops: Positions, count: int) -> Flags:
    """True for each of ``count`` positions that lies in any of the spans."""
    steps = np.zeros(count + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, stops, -1)
    return np.cumsum(steps[:-1]) > 0
