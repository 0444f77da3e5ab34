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

Flags = NDArray[np.bool_]


class Evidence(StrEnum):
    """What a file is compared with: ``areas``, ``roads`` or ``buildings`` of the known community."""

    AREAS = "areas"
    ROADS = "roads"
    BUILDINGS = "buildings"


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


def guess_datum(geometries: Geometries, reference: Reference) -> DatumVerdict:
    """Compare an input, as it stands and with GCJ-02 or BD-09 taken back, with what is known of the place.

    Parameters
    ----------
    geometries
        The input's features in the degrees it claims to be WGS 84. At most 2,000, evenly picked, are looked at.
    reference
        Known areas, roads and buildings.

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
    """
    picked = _pick(np.asarray(geometries, dtype=object).ravel())
    if len(picked) < _FEWEST or not in_offset_area(*shapely.get_coordinates(picked).T).any():
        return DatumVerdict({}, {}, len(picked), None)
    judges = _judges(reference)
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


def _pick(geometries: Geometries) -> Geometries:
    usable = ~(shapely.is_missing(geometries) | shapely.is_empty(geometries))
    usable &= np.isfinite(shapely.bounds(geometries)).all(axis=1)
    good = geometries[usable]
    picked: Geometries = good[np.linspace(0, len(good) - 1, min(len(good), _SAMPLE)).astype(int)]
    return picked


def _clearly_better(fits: dict[Evidence, dict[Datum, _Fit]], datum: Datum) -> bool:
    """Apply the margin of :func:`guess_datum` to one datum against the input as it stands."""
    is_for = False
    for kind, by_datum in fits.items():
        before, after = by_datum[Datum.WGS84], by_datum[datum]
        # To lie on no known road means nothing off the known map; to lie on a known building does, on or off it.
        judged = before.judged & after.judged if kind == Evidence.ROADS else before.judged | after.judged
        gained = int((judged & after.fits & ~before.fits).sum())
        lost = int((judged & before.fits & ~after.fits).sum())
        count = int(judged.sum())
        if _is_clear(lost, gained, count):
            return False
        if _is_clear(gained, lost, count) and (after.fits & judged).sum() >= _LEAST_FIT[kind] * count:
            is_for = True
    return is_for


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


def _hits(tree: shapely.STRtree, geometries: Geometries, *, near: bool = False) -> Flags:
    """Say which geometries meet one in the tree, or come near one."""
    if near:
        found = tree.query(geometries, predicate="dwithin", distance=_NEAR_DEG)
    else:
        found = tree.query(geometries, predicate="intersects")
    hit = np.zeros(len(geometries), dtype=bool)
    hit[found[0]] = True
    return hit
