"""Places: those where it happens again and again, and those that are hot and that nobody passes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Repeat", "repeats", "unpatrolled"]

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Repeat:
    """A place with more than one case.

    Attributes
    ----------
    place
        What was handed in.
    cases
        Positions of its cases, oldest first.
    first, last
        Their earliest and latest instant.
    again
        How many came within the days asked for after the one before.
    """

    place: Hashable
    cases: Integers
    first: np.datetime64
    last: np.datetime64
    again: int


def repeats(
    places: Sequence[Hashable | None], at: ArrayLike, *, within_days: float = 90, least_cases: int = 2
) -> list[Repeat]:
    """Find places where cases come again soon.

    Parameters
    ----------
    places
        Of each case its place: a building and category, a lamp, an address; None for no place.
    at
        The instant of each case, ``datetime64``.
    within_days
        What is soon.
    least_cases
        So many cases at least, of which one came again soon.

    Returns
    -------
    list of Repeat
        Most cases first.

    Examples
    --------
    >>> days = np.array(["2026-01-01", "2026-02-01", "2026-01-05", "2026-12-01"], dtype="datetime64[D]")
    >>> [(one.place, len(one.cases), one.again) for one in repeats(["lamp 3", "lamp 3", "lift", "lift"], days)]
    [('lamp 3', 2, 1)]
    """
    instants = np.asarray(at, dtype="datetime64[us]")
    members: dict[Hashable, list[int]] = {}
    for case, place in enumerate(places):
        if place is not None:
            members.setdefault(place, []).append(case)
    soon = np.timedelta64(round(within_days * 86_400_000_000), "us")
    found = []
    for place, cases in members.items():
        if len(cases) < least_cases:
            continue
        mine = np.array(cases, dtype=np.int64)
        mine = mine[np.argsort(instants[mine], kind="stable")]
        again = int((np.diff(instants[mine]) <= soon).sum())
        if again:
            found.append(Repeat(place, mine, instants[mine[0]], instants[mine[-1]], again))
    return sorted(found, key=lambda one: (-len(one.cases), int(one.cases[0])))


def unpatrolled(hot: ArrayLike, cases: ArrayLike, seen: ArrayLike, *, enough: float = 0.5) -> Integers:
    """Find cells that are hot and that patrols did not pass.

    Parameters
    ----------
    hot
        Whether each cell is hot.
    cases
        How many cases each cell has.
    seen
        Share (0–1) of what each cell holds that was seen in the period; NaN where nothing is known (nothing in it to be
        seen, or the GPS was too poor). What is not known is not called unpatrolled.
    enough
        From this share on a cell counts as passed.

    Returns
    -------
    numpy.ndarray
        Positions of the cells, most cases first.

    Examples
    --------
    >>> unpatrolled([True, True, False, True], [4, 9, 8, 7], [0.0, 0.2, 0.0, float("nan")]).tolist()
    [1, 0]
    """
    share = np.asarray(seen, dtype=np.float64)
    missed = np.flatnonzero(np.asarray(hot, dtype=bool) & (share < enough))
    return np.asarray(missed[np.argsort(-np.asarray(cases, dtype=np.float64)[missed], kind="stable")])
