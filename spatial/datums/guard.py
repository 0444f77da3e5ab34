"""The datum guard: does a file fit the known community better after a GCJ-02 or BD-09 shift?

A map drawn on a phone's base map is off by 300 to 700 m in GCJ-02 and up to 1.5 km in BD-09, and nothing in the
file says so. What it covers does: buildings stand inside the community, on the known footprints, and not on roads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import comb

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial.datums.offsets import Datum, Geometries, convert_geometries, in_offset_area

__all__ = ["DatumVerdict", "Evidence", "Reference", "guess_datum"]

_SAMPLE = 2000
_FEWEST = 10
_GAIN_SHARE = 0.1
_CHANCE = Fraction(5, 1000)
_NEAR_DEG = 0.0015
"""About 150 m. Only what lies so near to a known road or building on either datum says anything about them."""

_ALIKE = 0.8
"""Intersection over union from which an outline is the one it replaces, drawn anew."""
_SAME_BUILDING = 0.5
"""Intersection over union from which two footprints are one building in two sources."""
_OVERLAP = 0.05
"""The share of a footprint that may lie on others by careless drawing."""
_FEWEST_OVERLAPS = 3

Flags = NDArray[np.bool_]


class Evidence(StrEnum):
    """What a file is compared with.

    ``areas``, ``roads`` or ``buildings`` of the known community, the ``outlines`` that the file's own replace, or the
    free ground between buildings (``overlaps``).
    """

    AREAS = "areas"
    ROADS = "roads"
    BUILDINGS = "buildings"
    OUTLINES = "outlines"
    OVERLAPS = "overlaps"


_LEAST_FIT = {Evidence.AREAS: 0.5, Evidence.ROADS: 0.8, Evidence.BUILDINGS: 0.5}
"""The share that must fit after the shift: points in the street fall on buildings by chance, but not half of them."""


def _nothing() -> Geometries:
    return np.empty(0, dtype=object)


@dataclass(frozen=True)
class Reference:
    """What is known about a place, in WGS 84 degrees; each part may be empty.

    Attributes
    ----------
    areas
        Polygons of the community or its grids.
    roads
        Lines of roads.
    buildings
        Polygons of footprints.
    """

    areas: Geometries = field(default_factory=_nothing)
    roads: Geometries = field(default_factory=_nothing)
    buildings: Geometries = field(default_factory=_nothing)


@dataclass(frozen=True)
class DatumVerdict:
    """What :func:`guess_datum` found.

    Attributes
    ----------
    scores
        Mean share of fitting features (0–1) over the kinds of evidence, for each datum the input may be on; empty
        when nothing could be compared.
    evidence
        The shares themselves, by kind of evidence.
    judged
        Number of features that were looked at.
    clearly_better
        The datum the input seems to be on when that is not WGS 84, else None.
    """

    scores: dict[Datum, float]
    evidence: dict[Evidence, dict[Datum, float]]
    judged: int
    clearly_better: Datum | None


@dataclass(frozen=True)
class _Fit:
    """Which features can be judged by one kind of evidence on one datum, and which of them fit."""

    judged: Flags
    fits: Flags

    @property
    def share(self) -> float:
        return float(self.fits[self.judged].mean()) if self.judged.any() else 0.0


def guess_datum(
    geometries: Geometries, reference: Reference, replaced: Geometries | None = None, *, between: bool = False
) -> DatumVerdict:
    """Compare an input, as it stands and with GCJ-02 or BD-09 taken back, with what is known of the place.

    Parameters
    ----------
    geometries
        The input's features in the degrees it claims to be WGS 84. At most 2,000, evenly picked, are looked at.
    reference
        Known areas, roads and buildings.
    replaced
        For each feature the known outline that it replaces, by its code or name; None for a new one.
    between
        Whether the features are buildings, which do not lie on each other.

    Returns
    -------
    DatumVerdict
        Its ``clearly_better`` is None when the input fits best as it stands, when there is too little to go by, and
        outside the rectangle in which the offset datums differ.

    Notes
    -----
    A feature fits the areas when its inner point lies in one, the buildings when its inner point lies in one, and
    the roads when it is a polygon that touches none. Roads judge only features within about 150 m of one on both
    datums compared, so that a shift off the known map gains nothing; buildings those near one on either.

    The margin: a datum is clearly better when, by one kind of evidence with at least 10 features, (1) at least half of
    the features (roads: 80 %) fit after the shift, (2) those gained less those lost are at least 10 % of the
    features, and (3) a one-sided sign test on the features that change gives p < 0.005; and no other kind of
    evidence is as clearly (2, 3) against it. Of two such datums the one with the higher score is named.

    Two kinds of evidence need no ten features, because nothing but a shift looks like them. An outline comes again:
    most of those that replace a known one are that one (intersection over union of 0.8) after the shift, and are not as
    they stand. And new buildings fit between the known ones: as they stand at least three and a twentieth of them lie
    partly on others, after the shift no more than one in a hundred does; a footprint that is a known one drawn anew
    says nothing.
    """
    flat = np.asarray(geometries, dtype=object).ravel()
    at = _pick(flat)
    picked = flat[at]
    if not len(picked) or not in_offset_area(*shapely.get_coordinates(picked).T).any():
        return DatumVerdict({}, {}, len(picked), None)
    judges = _judges(reference) if len(picked) >= _FEWEST else {}
    if between and len(reference.buildings):
        judges[Evidence.OVERLAPS] = _beside(reference.buildings)
    if replaced is not None and not shapely.is_missing(replaced[at]).all():
        judges[Evidence.OUTLINES] = _again(replaced[at])
    shifted = {datum: convert_geometries(picked, datum, Datum.WGS84) for datum in Datum}
    fits = {kind: {datum: judge(shifted[datum]) for datum in Datum} for kind, judge in judges.items()}
    fits = {kind: by_datum for kind, by_datum in fits.items() if any(fit.judged.any() for fit in by_datum.values())}
    shares = {kind: {datum: fit.share for datum, fit in by_datum.items()} for kind, by_datum in fits.items()}
    if not fits:
        return DatumVerdict({}, {}, len(picked), None)
    scores = {datum: float(np.mean([share[datum] for share in shares.values()])) for datum in Datum}
    better = [datum for datum in (Datum.GCJ02, Datum.BD09) if _clearly_better(fits, datum)]
    best = max(better, key=lambda datum: scores[datum], default=None)
    return DatumVerdict(scores, shares, len(picked), best)


def _pick(geometries: Geometries) -> NDArray[np.int64]:
    """Where the features are that are looked at."""
    usable = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    usable &= np.isfinite(shapely.bounds(geometries)).all(axis=1)
    good = np.flatnonzero(usable)
    picked: NDArray[np.int64] = good[np.linspace(0, len(good) - 1, min(len(good), _SAMPLE)).astype(int)]
    return picked


def _clearly_better(fits: dict[Evidence, dict[Datum, _Fit]], datum: Datum) -> bool:
    """Apply the margin of :func:`guess_datum` to one datum against the input as it stands."""
    is_for = False
    for kind, by_datum in fits.items():
        before, after = by_datum[Datum.WGS84], by_datum[datum]
        # To lie on no known road means nothing off the known map; to lie on a known building does, on or off it.
        both = kind in (Evidence.ROADS, Evidence.OVERLAPS)
        judged = before.judged & after.judged if both else before.judged | after.judged
        gained = int((judged & after.fits & ~before.fits).sum())
        lost = int((judged & before.fits & ~after.fits).sum())
        count = int(judged.sum())
        if kind in (Evidence.OUTLINES, Evidence.OVERLAPS):
            is_plain = _is_plain_outline if kind == Evidence.OUTLINES else _is_plain_overlap
            if kind == Evidence.OUTLINES and is_plain(lost, gained, count):
                return False
            is_for |= is_plain(gained, lost, count) and (kind == Evidence.OUTLINES or _fit_beside(after, judged))
            continue
        if _is_clear(lost, gained, count):
            return False
        if _is_clear(gained, lost, count) and (after.fits & judged).sum() >= _LEAST_FIT[kind] * count:
            is_for = True
    return is_for


def _is_plain_outline(gained: int, lost: int, count: int) -> bool:
    return 2 * (gained - lost) > count


def _is_plain_overlap(gained: int, lost: int, count: int) -> bool:
    return gained - lost >= max(_FEWEST_OVERLAPS, _GAIN_SHARE / 2 * count)


def _fit_beside(after: _Fit, judged: Flags) -> bool:
    return bool((judged & ~after.fits).sum() <= 0.01 * judged.sum())


def _is_clear(gained: int, lost: int, count: int) -> bool:
    if count < _FEWEST or gained - lost < _GAIN_SHARE * count:
        return False
    changed = gained + lost
    return bool(sum(comb(changed, more) for more in range(gained, changed + 1)) < _CHANCE * 2**changed)


def _judges(reference: Reference) -> dict[Evidence, Callable[[Geometries], _Fit]]:
    judges: dict[Evidence, Callable[[Geometries], _Fit]] = {}
    if len(reference.areas):
        areas = shapely.STRtree(reference.areas)
        judges[Evidence.AREAS] = lambda shifted: _Fit(
            np.ones(len(shifted), dtype=bool), _hits(areas, shapely.point_on_surface(shifted))
        )
    if len(reference.buildings):
        buildings = shapely.STRtree(reference.buildings)
        judges[Evidence.BUILDINGS] = lambda shifted: _Fit(
            _hits(buildings, shifted, near=True), _hits(buildings, shapely.point_on_surface(shifted))
        )
    if len(reference.roads):
        roads = shapely.STRtree(reference.roads)
        judges[Evidence.ROADS] = lambda shifted: _Fit(
            _hits(roads, shifted, near=True) & (shapely.get_dimensions(shifted) == 2), ~_hits(roads, shifted)
        )
    return judges


def _again(replaced: Geometries) -> Callable[[Geometries], _Fit]:
    """Judge features by the outlines that they replace."""
    areal = shapely.get_dimensions(replaced) == 2

    def judge(shifted: Geometries) -> _Fit:
        judged = areal & (shapely.get_dimensions(shifted) == 2) & shapely.is_valid(shifted) & shapely.is_valid(replaced)
        fits = np.zeros(len(shifted), dtype=bool)
        common = shapely.area(shapely.intersection(shifted[judged], replaced[judged]))
        either = shapely.area(shifted[judged]) + shapely.area(replaced[judged]) - common
        fits[judged] = common >= _ALIKE * either
        return _Fit(judged, fits)

    return judge


def _beside(known: Geometries) -> Callable[[Geometries], _Fit]:
    """Judge footprints by whether they keep off the known ones."""
    known = known[shapely.is_valid(known)]
    tree = shapely.STRtree(known)

    def judge(shifted: Geometries) -> _Fit:
        areal = (shapely.get_dimensions(shifted) == 2) & shapely.is_valid(shifted)
        near = _hits(tree, shifted, near=True) & areal
        candidates = shifted.copy()
        candidates[~near] = None
        own, other = tree.query(candidates, predicate="intersects")
        common = shapely.area(shapely.intersection(shifted[own], known[other]))
        area = shapely.area(shifted)
        on_others = np.bincount(own, weights=common, minlength=len(shifted)) > _OVERLAP * area
        alike = np.zeros(len(shifted), dtype=bool)
        alike[own[common >= _SAME_BUILDING * (area[own] + shapely.area(known[other]) - common)]] = True
        return _Fit(near, ~on_others | alike)

    return judge


def _hits(tree: shapely.STRtree, geometries: Geometries, *, near: bool = False) -> Flags:
    """Say which geometries meet one in the tree, or come near one."""
    if near:
        found = tree.query(geometries, predicate="dwithin", distance=_NEAR_DEG)
    else:
        found = tree.query(geometries, predicate="intersects")
    hit = np.zeros(len(geometries), dtype=bool)
    hit[found[0]] = True
    return hit
