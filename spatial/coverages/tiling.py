"""Tilings: an immutable coverage, its edges, and what changed between two of them.

All vertices lie on a grid of millimetres in a metric reference system, so that two areas that share an edge share its
vertices to the last bit. An edge is the longest line along which the same two areas lie side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Geometries = NDArray[np.object_]
Integers = NDArray[np.int64]

MM = 0.001
PER_M = 1000.0
"""Multiplied and divided by, as GEOS does: a product by 0.001 differs from that in the last bit."""
OUTSIDE = -1
"""The key of what lies around the site."""
LEAST_M2 = 0.05
"""Ground smaller than this is rounding."""
_NEAR_M = 0.05


class NotPossible(ValueError):
    """An edit that no valid coverage would come of; ``where`` is the spot, ``keys`` the areas, if known."""

    def __init__(self, reason: Reason, keys: tuple[int, ...] = (), where: Any = None) -> None:
        super().__init__(f"{reason}: {list(keys)}")
        self.reason, self.keys, self.where = reason, keys, where


class Reason(StrEnum):
    """Why an edit is not possible."""

    LOCKED = "locked"
    CROSSING = "crossing"
    VANISHES = "vanishes"
    NO_VERTEX = "no_vertex"
    NO_EDGE = "no_edge"
    OUTER_EDGE = "outer_edge"
    OUTSIDE = "outside"
    NOT_CUT = "not_cut"
    NO_NEIGHBOUR = "no_neighbour"
    NO_SUCH_AREA = "no_such_area"
    NOTHING = "nothing"


class Why(StrEnum):
    """Why ground changed hands: the hand itself, or what had to follow from it."""

    HAND = "hand"
    GAVE_WAY = "gave_way"
    TOOK_REST = "took_rest"
    AROUND = "around"
    SNAPPED = "snapped"
    MENDED = "mended"


@dataclass(frozen=True)
class Moved:
    """Ground that changed hands; ``OUTSIDE`` where it came from, or went, beyond the site."""

    source: int
    target: int
    area_m2: float
    geom: Any
    why: Why = Why.HAND


@dataclass(frozen=True)
class Edge:
    """A line with the area ``left`` on one side and ``right`` on the other, ``left < right``; ``OUTSIDE`` is -1."""

    left: int
    right: int
    line: Any


@dataclass(frozen=True)
class Edited:
    """What an edit comes to: the new coverage, and what changed hands."""

    coverage: Coverage
    moved: list[Moved]

    @property
    def beyond(self) -> list[Moved]:
        """What changed hands beyond what the hand did."""
        return [piece for piece in self.moved if piece.why is not Why.HAND]


@dataclass(frozen=True)
class Coverage:
    """Areas by key, without gap or overlap, every vertex shared.

    Attributes
    ----------
    areas
        Key → polygon or multipolygon, in metres.
    locked
        Keys of areas that neither lose nor gain ground.
    """

    areas: Mapping[int, Any]
    locked: frozenset[int] = field(default_factory=frozenset)

    @cached_property
    def keys(self) -> list[int]:
        """The keys, in order."""
        return list(self.areas)

    @cached_property
    def polygons(self) -> Geometries:
        """The areas, in the order of their keys."""
        return _array(self.areas.values())

    @cached_property
    def tree(self) -> Any:
        """An index of the areas by place."""
        return shapely.STRtree(self.polygons)

    @cached_property
    def site(self) -> Any:
        """What all areas cover together."""
        return shapely.coverage_union_all(self.polygons)

    def polygon(self, key: int) -> Any:
        """One area.

        Raises
        ------
        NotPossible
            There is none of this key.
        """
        if key not in self.areas:
            raise NotPossible(Reason.NO_SUCH_AREA, (key,))
        return self.areas[key]

    def around(self, geom: Any) -> Integers:
        """Positions of the areas that a geometry meets, and of their neighbours."""
        near = np.unique(self.tree.query(shapely.buffer(geom, _NEAR_M), predicate="intersects"))
        _from, beside = self.tree.query(self.polygons[near], predicate="intersects")
        return np.unique(beside)

    def edges(self, keys: list[int] | None = None) -> list[Edge]:
        """The edges, sorted by their areas and then from west to east; of some areas only those around them."""
        if keys is None:
            return edges_of(self.keys, self.polygons)
        wanted = {self.keys.index(key) for key in keys}
        _from, beside = self.tree.query(self.polygons[sorted(wanted)], predicate="intersects")
        near = np.unique(beside)
        found = edges_of([self.keys[at] for at in near], self.polygons[near])
        return [edge for edge in found if edge.left in keys or edge.right in keys]

    def replaced(self, changes: Mapping[int, Any]) -> Coverage:
        """With other areas in the place of some; what is empty or ``None`` is left out. Nothing is checked."""
        areas = {**self.areas, **{key: geom for key, geom in changes.items() if key not in self.areas or geom}}
        gone = {key for key, geom in changes.items() if geom is None or shapely.is_empty(geom)}
        return Coverage({key: geom for key, geom in areas.items() if key not in gone}, self.locked - gone)

    def is_valid(self) -> bool:
        """Whether every area is valid, and all share their edges vertex by vertex."""
        return bool(shapely.is_valid(self.polygons).all()) and bool(shapely.coverage_is_valid(self.polygons))


def _array(geometries: Any) -> Geometries:
    made = np.empty(len(geometries), dtype=object)
    made[:] = list(geometries)
    return made


def rounded(geom: Any) -> Any:
    """A geometry, or an array of them, with its vertices on the grid of millimetres; none is dropped."""
    return shapely.transform(geom, lambda xy: np.round(xy * PER_M) / PER_M)


def areal(geom: Any) -> Any:
    """The polygons of a geometry, made valid; an empty polygon where there are none."""
    made = geom if shapely.is_valid(geom) else shapely.make_valid(geom, method="structure", keep_collapsed=False)
    parts = shapely.get_parts(shapely.get_parts(made))
    parts = parts[(shapely.get_dimensions(parts) == 2) & (shapely.area(parts) > LEAST_M2)]
    if not len(parts):
        return shapely.Polygon()
    return parts[0] if len(parts) == 1 else shapely.union_all(parts)


def same(left: Any, right: Any) -> bool:
    """Whether two areas cover the same ground, but for rounding."""
    return bool(shapely.area(shapely.symmetric_difference(left, right)) < LEAST_M2)


def laid(areas: Mapping[int, Any], locked: frozenset[int] = frozenset()) -> Edited:
    """A division as it is stored, made a coverage: gaps narrower than a hand closed, overlaps given to the first.

    Parameters
    ----------
    areas
        Key → polygon or multipolygon, in metres.

    Returns
    -------
    Edited
        What was mended is listed in ``moved``.
    """
    polygons = rounded(_array([areal(geom) for geom in areas.values()]))
    plain = Coverage(dict(zip(areas, (shapely.normalize(geom) for geom in polygons), strict=True)), locked)
    if plain.is_valid():
        return Edited(plain, [])
    lines = _noded(list(shapely.boundary(polygons)))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    spots = shapely.point_on_surface(faces)
    face, at = shapely.STRtree(polygons).query(spots, predicate="intersects")
    owner = np.full(len(faces), OUTSIDE, dtype=np.int64)
    owner[face[::-1]] = np.asarray(list(areas))[at[::-1]]
    thin = shapely.is_empty(shapely.buffer(faces, -_SLIVER_M / 2))
    owner = adopted(faces, owner, (owner == OUTSIDE) & thin)
    coverage = Coverage(unioned(faces, owner, list(areas)), locked)
    before = dict(zip(areas, polygons, strict=True))
    return Edited(coverage, compared(before, coverage.areas, list(areas), lambda _source, _target: Why.MENDED))


_SLIVER_M = 1.0


def _noded(lines: list[Any]) -> Any:
    return shapely.union_all(lines, grid_size=MM)


def adopted(
    faces: Geometries, owner: Integers, orphans: NDArray[np.bool_], barred: frozenset[int] = frozenset()
) -> Any:
    """Owners with orphaned faces given to the neighbour that they have most outline in common with."""
    owner = owner.copy()
    left = np.flatnonzero(orphans)
    tree = shapely.STRtree(faces)
    while len(left):
        at, beside = tree.query(faces[left], predicate="intersects")
        keep = ~np.isin(beside, left) & (owner[beside] != OUTSIDE) & ~np.isin(owner[beside], list(barred))
        at, beside = at[keep], beside[keep]
        common = shapely.length(shapely.intersection(faces[left[at]], faces[beside]))
        at, beside, common = at[common > MM], beside[common > MM], common[common > MM]
        if not len(at):
            break
        pair, number = np.unique(np.column_stack([at, owner[beside]]), axis=0, return_inverse=True)
        length = np.bincount(number.ravel(), common)
        order = np.lexsort((pair[:, 1], -length, pair[:, 0]))
        first = np.unique(pair[order, 0], return_index=True)[1]
        chosen = pair[order][first]
        owner[left[chosen[:, 0]]] = chosen[:, 1]
        left = np.delete(left, chosen[:, 0])
    return owner


def unioned(faces: Geometries, owner: Integers, keys: list[int]) -> dict[int, Any]:
    """Key → the faces of its owner as one area; empty for a key without any."""
    made = {}
    for key in keys:
        made[key] = shapely.normalize(shapely.coverage_union_all(faces[owner == key]))
    return made


def painted(
    coverage: Coverage,
    lines: list[Any],
    reach: Any,
    rule: Callable[[Geometries, Geometries, Integers], Integers],
    why: Callable[[int, int], Why] = lambda _source, _target: Why.HAND,
    new: tuple[int, ...] = (),
) -> Edited:
    """Cut the areas by lines, and give each face of what comes of it to whom a rule says.

    Only the areas that ``reach`` meets, and their neighbours, are looked at: an edit costs what it touches.

    Parameters
    ----------
    reach
        What the lines and the rule keep within.
    rule
        Called with faces, a spot in each, and the key that each belongs to (``OUTSIDE`` for none); returns the keys
        that they belong to from now on.
    new
        Keys that come in addition.

    Raises
    ------
    NotPossible
        A locked area would change, or an area would vanish that is not in ``vanishing``.
    """
    near = coverage.around(reach)
    keys = [coverage.keys[at] for at in near] + list(new)
    polygons = coverage.polygons[near]
    noded = _noded([*shapely.boundary(polygons), *lines])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    spots = shapely.point_on_surface(faces)
    face, at = shapely.STRtree(polygons).query(spots, predicate="intersects")
    owner = np.full(len(faces), OUTSIDE, dtype=np.int64)
    owner[face] = np.asarray(keys, dtype=np.int64)[at]
    then = rule(faces, spots, owner.copy())
    if (then == owner).all():
        raise NotPossible(Reason.NOTHING)
    after = unioned(faces, then, keys)
    return checked(coverage, after, why)


def checked(coverage: Coverage, after: dict[int, Any], why: Callable[[int, int], Why], *, outer: bool = True) -> Edited:
    """The coverage with some areas as they are after an edit, if that is one.

    Raises
    ------
    NotPossible
    """
    kept = {key: geom for key, geom in after.items() if key not in coverage.areas or geom != coverage.areas[key]}
    for key in coverage.locked & set(kept):
        if not same(coverage.areas[key], kept[key]):
            raise NotPossible(Reason.LOCKED, (key,), shapely.centroid(coverage.areas[key]))
    edited = coverage.replaced(kept)
    drawn = [geom for geom in kept.values() if not shapely.is_empty(geom)]
    if drawn:
        bad = [key for key, geom in kept.items() if not shapely.is_valid(geom)]
        near = edited.around(shapely.multipoints(shapely.get_coordinates(drawn)))
        if bad or not shapely.coverage_is_valid(edited.polygons[near]):
            raise NotPossible(Reason.CROSSING, tuple(bad))
    moved = compared(coverage.areas, edited.areas, list(kept), why)
    if not outer and any(OUTSIDE in (piece.source, piece.target) for piece in moved):
        raise NotPossible(Reason.OUTER_EDGE)
    return Edited(edited, moved)


def compared(
    before: Mapping[int, Any],
    after: Mapping[int, Any],
    keys: list[int],
    why: Callable[[int, int], Why] = lambda _source, _target: Why.HAND,
) -> list[Moved]:
    """What changed hands between two states of some areas, the largest first."""
    old = {key: before[key] for key in keys if key in before and not shapely.is_empty(before[key])}
    new = {key: after[key] for key in keys if key in after and not shapely.is_empty(after[key])}
    pieces = []
    window = _window(old, new)
    was, now = (shapely.intersection(_array(side.values()), window) for side in (old, new))
    sources, targets = list(old), list(new)
    if len(was) and len(now):
        for at, to in shapely.STRtree(now).query(was, predicate="intersects").T.tolist():
            if sources[at] != targets[to]:
                pieces.append((sources[at], targets[to], shapely.intersection(was[at], now[to])))
    whole_old, whole_new = shapely.union_all(was), shapely.union_all(now)
    lost, gained = _wide(shapely.difference(whole_old, whole_new)), _wide(shapely.difference(whole_new, whole_old))
    if not shapely.is_empty(lost):
        pieces += [
            (source, OUTSIDE, shapely.intersection(geom, lost)) for source, geom in zip(sources, was, strict=True)
        ]
    if not shapely.is_empty(gained):
        pieces += [
            (OUTSIDE, target, shapely.intersection(geom, gained)) for target, geom in zip(targets, now, strict=True)
        ]
    pieces = [(source, target, _wide(geom)) for source, target, geom in pieces if shapely.area(geom) > LEAST_M2]
    moved = [
        Moved(source, target, float(shapely.area(geom)), geom, why(source, target))
        for source, target, geom in pieces
        if shapely.area(geom) > LEAST_M2
    ]
    return sorted(moved, key=lambda piece: -piece.area_m2)


def _window(was: Mapping[int, Any], now: Mapping[int, Any]) -> Any:
    """The box around all segments that an area has in one of two states only: nothing changed beyond it."""
    sides = []
    for state in (was, now):
        ends, at = _segments(_array(state.values()))
        sides.append(np.unique(np.column_stack([np.asarray(list(state), dtype=np.int64)[at], ends]), axis=0))
    both, times = np.unique(np.vstack(sides), axis=0, return_counts=True)
    ends = both[times == 1][:, 1:].reshape(-1, 2) / PER_M
    if not len(ends):
        return shapely.Polygon()
    (west, south), (east, north) = ends.min(axis=0) - 1, ends.max(axis=0) + 1
    return shapely.box(west, south, east, north)


def _segments(polygons: Geometries) -> tuple[Integers, Integers]:
    """The segments of all rings in whole millimetres, the lower end first, and the position of each one's polygon."""
    parts, owner = shapely.get_parts(polygons, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    along = np.flatnonzero(ring[1:] == ring[:-1])
    ends = np.rint(np.hstack([corners[along], corners[along + 1]]) * PER_M).astype(np.int64)
    turned = (ends[:, 0] > ends[:, 2]) | ((ends[:, 0] == ends[:, 2]) & (ends[:, 1] > ends[:, 3]))
    ends[turned] = ends[turned][:, [2, 3, 0, 1]]
    whose: Integers = owner[ring_part[ring[along]]]
    return ends, whose


def _wide(geom: Any) -> Any:
    """The polygons of a geometry, without what is thinner than rounding."""
    parts = shapely.get_parts(geom)
    wide = (shapely.get_dimensions(parts) == 2) & ~shapely.is_empty(shapely.buffer(parts, -2 * MM))
    parts = parts[wide]
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def edges_of(keys: list[int], polygons: Geometries) -> list[Edge]:
    """The edges between areas, and between them and what lies around, sorted."""
    if not len(polygons):
        return []
    ends, at = _segments(polygons)
    whose = np.asarray(keys, dtype=np.int64)[at]
    order = np.lexsort((whose, *ends.T[::-1]))
    ordered, whose, row = ends[order], whose[order], ends[order] / PER_M
    first = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    twin = np.append(~first[1:], False)
    sides = np.column_stack([np.where(twin, whose, OUTSIDE), np.append(whose[1:], OUTSIDE)])[first]
    sides[~twin[first], 1] = whose[first][~twin[first]]
    sides = np.sort(sides, axis=1)
    segments = shapely.linestrings(row[first].reshape(-1, 2, 2))
    pairs, number = np.unique(sides, axis=0, return_inverse=True)
    by_pair = np.argsort(number.ravel(), kind="stable")
    merged = shapely.line_merge(shapely.multilinestrings(segments[by_pair], indices=number.ravel()[by_pair]))
    lines, pair = shapely.get_parts(merged, return_index=True)
    lines = shapely.normalize(lines)
    found = [Edge(int(pairs[at, 0]), int(pairs[at, 1]), line) for line, at in zip(lines, pair, strict=True)]
    return sorted(found, key=lambda edge: (edge.left, edge.right, shapely.get_coordinates(edge.line).tolist()))
