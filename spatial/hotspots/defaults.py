"""Default points 默认点: a stack of cases on one exact coordinate whose addresses disagree.

A geocoder that does not find an address often answers with some middle: of the city, the street, the community. Cases
pile up there that happened all over the place, and look like the hottest spot of all. They are told from honest repeat
places by their addresses: at a lamp that fails again and again the address is the same each time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial import addresses

__all__ = ["DefaultPoint", "default_points", "place_of"]

_TAIL = re.compile(r"(?:\s+[A-Z]{2})?(?:\s+\d{5}(?:-\d{4})?)?$")
_NUMBER = re.compile(r"^(\d+)[A-Z]?(?:\s*[-–]\s*\d+[A-Z]?)?\s+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_ROUNDED = 1e-7
"""Degrees: a centimetre. Coordinates that agree to this were not measured twice."""


@dataclass(frozen=True)
class DefaultPoint:
    """A stack of cases on one coordinate whose addresses disagree.

    Attributes
    ----------
    x, y
        The coordinate, in the units handed in.
    cases
        Positions of its cases.
    addresses
        How many different addresses they have, as written.
    places
        How many different places those are.
    top_share
        The share (0–1) of the cases with an address that name the most frequent place.
    """

    x: float
    y: float
    cases: NDArray[np.int64]
    addresses: int
    places: int
    top_share: float


def default_points(
    xy: ArrayLike,
    addresses_: Sequence[str | None],
    *,
    least_cases: int = 5,
    least_places: int = 5,
    most_share: float = 0.5,
    precision: float = _ROUNDED,
) -> list[DefaultPoint]:
    """Find coordinates on which cases are stacked whose addresses disagree.

    Parameters
    ----------
    xy
        Array (n, 2) of coordinates as they were given, not moved or rounded; degrees or metres. Rows that are not
        finite lie nowhere.
    addresses_
        The address of each case; None or empty where there is none, which neither speaks for nor against.
    least_cases
        So many cases at least, with or without address.
    least_places
        So many different places at least (see :func:`place_of`). A corner has two or three, and coordinates that are
        rounded to ten metres gather up to four neighbouring houses.
    most_share
        The most frequent place has at most this share of the cases that have an address.
    precision
        Coordinates that agree to this, in the unit of ``xy``, are one.

    Returns
    -------
    list of DefaultPoint
        The greatest stack first.

    Notes
    -----
    Source: the defaults follow what real files look like; on a year of Boston's service requests the default point has
    hundreds of places, and no other coordinate more than four. On the problem: D. L. Zimmerman and J. Li, The effects
    of local street network characteristics on the positional accuracy of automated geocoding, International Journal of
    Health Geographics 9 (2010) 10; P. A. Zandbergen, A comparison of address point, parcel and street geocoding
    techniques, Computers, Environment and Urban Systems 32 (2008) 214–232.

    Examples
    --------
    >>> stack = default_points([[0, 0]] * 6 + [[5, 5]] * 6, [f"{n}号楼" for n in range(6)] + ["3号楼2单元"] * 6)
    >>> [(found.x, len(found.cases), found.places) for found in stack]
    [(0.0, 6, 6)]
    """
    flat = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    usable = np.flatnonzero(np.isfinite(flat).all(axis=1))
    keys, stack = np.unique(np.rint(flat[usable] / precision).astype(np.int64), axis=0, return_inverse=True)
    heights = np.bincount(stack.ravel(), minlength=len(keys))
    points = []
    order = np.argsort(stack.ravel(), kind="stable")
    ends = np.cumsum(heights)
    for at in np.flatnonzero(heights >= least_cases):
        cases = np.sort(usable[order[ends[at] - heights[at] : ends[at]]])
        written = [text for case in cases if (text := addresses_[case])]
        places: dict[str, int] = {}
        for text in written:
            place = place_of(text)
            places[place] = places.get(place, 0) + 1
        if len(places) < least_places or max(places.values()) > most_share * len(written):
            continue
        x, y = flat[cases[0]]
        points.append(
            DefaultPoint(
                float(x),
                float(y),
                cases,
                len({text.strip() for text in written}),
                len(places),
                max(places.values()) / len(written),
            )
        )
    return sorted(points, key=lambda one: (-len(one.cases), one.x, one.y))


def place_of(address: str) -> str:
    """What an address names that has a coordinate of its own: the building, or the block of a street.

    Unit, floor and room are left out: they share their building's coordinate honestly. So do neighbouring house numbers
    in towns that number by hundreds, and spellings with and without postcode.

    Examples
    --------
    >>> place_of("梧桐路168弄12号楼2单元301室") == place_of("梧桐路168弄12号楼3单元")
    True
    >>> place_of("145-151 Ipswich St  Boston  MA  02215"), place_of("147 Ipswich St  Boston  MA")
    ('100 IPSWICH ST BOSTON', '100 IPSWICH ST BOSTON')
    """
    plain = " ".join(unicodedata.normalize("NFKC", address).upper().split())
    if _CHINESE.search(plain):
        parts = addresses.parse(address)
        named = (parts.street, parts.place, parts.lane, parts.house_number, parts.building)
        return "|".join(part or "" for part in named) if any(named) else plain
    plain = _TAIL.sub("", plain)
    numbered = _NUMBER.match(plain)
    if numbered:
        return f"{int(numbered[1]) // 100 * 100} {plain[numbered.end() :]}"
    return plain
