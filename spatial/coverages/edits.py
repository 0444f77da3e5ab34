"""Edits of edges: vertices moved, added and deleted, an edge drawn anew, straightened, or laid along a street.

Both neighbours follow, because they have the same vertices. The ends of an edge, where others meet it, are moved as
vertices; an end on the outer edge slides along it, unless the outer edge itself is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from shapely.ops import substring

from spatial.coverages.tiling import (
    MM,
    OUTSIDE,
    PER_M,
    Coverage,
    Edge,
    Edited,
    NotPossible,
    Reason,
    Why,
    checked,
    rounded,
)

Spot = tuple[float, float]
Ring = list[tuple[int, int]]


def move_vertex(coverage: Coverage, at: Spot, to: Spot, *, outer: bool = False) -> Edited:
    """Move a vertex; every area that has it follows.

    Parameters
    ----------
    outer
        Whether the community's outer edge may change by it.

    Raises
    ------
    NotPossible
    """
    near = _having(coverage, at)
    here, there = _whole(at), _whole(to)
    after = {}
    for key in near:
        after[key] = _mapped(coverage.areas[key], lambda ring: [there if corner == here else corner for corner in ring])
    return checked(coverage, after, _by_hand, outer=outer)


def delete_vertex(coverage: Coverage, at: Spot, *, outer: bool = False) -> Edited:
    """Take a vertex out of an edge.

    Raises
    ------
    NotPossible
        There is none, or three areas meet there.
    """
    near = _having(coverage, at)
    here = _whole(at)
    on_edge = [edge for edge in coverage.edges(near) if here in _corners(edge.line)[1:-1]]
    if not on_edge:
        raise NotPossible(Reason.NO_VERTEX, tuple(near), shapely.Point(at))
    after = {}
    for key in near:
        after[key] = _mapped(coverage.areas[key], lambda ring: [corner for corner in ring if corner != here])
    return checked(coverage, after, _by_hand, outer=outer)


def add_vertex(
    coverage: Coverage, at: Spot, to: Spot | None = None, *, outer: bool = False, within_m: float = 1.0
) -> Edited:
    """Put a vertex into the edge that a spot is nearest to, and move it, if ``to`` says where.

    Raises
    ------
    NotPossible
        No edge is within ``within_m``.
    """
    spot = shapely.Point(at)
    near = [coverage.keys[number] for number in coverage.around(shapely.buffer(spot, within_m))]
    edges = sorted(coverage.edges(near), key=lambda edge: float(shapely.distance(edge.line, spot))) if near else []
    if not edges or shapely.distance(edges[0].line, spot) > within_m:
        raise NotPossible(Reason.NO_EDGE, where=spot)
    corners = shapely.get_coordinates(edges[0].line)
    pieces = shapely.linestrings(np.stack([corners[:-1], corners[1:]], axis=1))
    after = int(np.argmin(shapely.distance(pieces, spot))) + 1
    return reshape(coverage, edges[0], np.insert(corners, after, to or at, axis=0), outer=outer)


def reshape(coverage: Coverage, edge: Edge, corners: Any, *, outer: bool = False) -> Edited:
    """Give an edge other vertices between its ends.

    Parameters
    ----------
    corners
        The new line, shape (vertices, 2), in either direction; its ends are those of the edge, or are made them.

    Raises
    ------
    NotPossible
        There is no such edge any more, or the line crosses another.
    """
    old = _corners(edge.line)
    line = _corners(rounded(shapely.linestrings(np.asarray(corners, dtype=float))))
    closed = old[0] == old[-1]
    if not closed and _far(line[0], old[0]) + _far(line[-1], old[-1]) > _far(line[0], old[-1]) + _far(line[-1], old[0]):
        line.reverse()
    if closed:
        line = line if line[0] == line[-1] else [*line, line[0]]
    else:
        line[0], line[-1] = old[0], old[-1]
    line = [corner for place, corner in enumerate(line) if place == 0 or corner != line[place - 1]]
    if OUTSIDE in (edge.left, edge.right) and not outer:
        raise NotPossible(Reason.OUTER_EDGE, (edge.right,))
    after = {}
    for key in {edge.left, edge.right} - {OUTSIDE}:
        after[key] = _mapped(coverage.polygon(key), lambda ring: _spliced(ring, old, line))
        if shapely.equals_exact(after[key], coverage.areas[key], 0):
            raise NotPossible(Reason.NOTHING if line == old else Reason.NO_EDGE, (key,))
    return checked(coverage, after, _by_hand, outer=outer)


def slide(coverage: Coverage, edge: Edge, end: Spot, to: Spot) -> Edited:
    """Move an end of an edge that stands on the outer edge along that outer edge, which stays as it is.

    Raises
    ------
    NotPossible
    """
    from spatial.coverages.painting import between

    corners = shapely.get_coordinates(edge.line).copy()
    place = 0 if _whole(end) == _whole(tuple(corners[0])) else len(corners) - 1
    rim = shapely.boundary(coverage.site)
    spot = shapely.line_interpolate_point(rim, shapely.line_locate_point(rim, shapely.Point(to)))
    corners[place] = shapely.get_coordinates(spot)[0]
    return between(coverage, edge, corners)


def straighten(coverage: Coverage, edge: Edge) -> Edited:
    """Make an edge the straight line between its ends.

    Raises
    ------
    NotPossible
    """
    corners = shapely.get_coordinates(edge.line)
    return reshape(coverage, edge, corners[[0, -1]])


def follow(coverage: Coverage, edge: Edge, lines: Sequence[Any], within_m: float = 30.0) -> Edited:
    """Lay an edge along the street or wall that runs beside it for longest, as far as that goes.

    Raises
    ------
    NotPossible
        None of the lines runs within ``within_m`` of it.
    """
    beside = shapely.buffer(edge.line, within_m)
    streets = (
        shapely.get_parts(shapely.line_merge(shapely.union_all(list(lines)))) if len(lines) else np.empty(0, object)
    )
    near = shapely.intersection(streets, beside)
    near = shapely.get_parts(shapely.line_merge(near)) if len(near) else near
    near = near[shapely.length(near) > within_m / 2] if len(near) else near
    if not len(near):
        raise NotPossible(Reason.NO_EDGE, (edge.left, edge.right))
    street = near[int(np.argmax(shapely.length(near)))]
    first, last = (shapely.Point(corner) for corner in shapely.get_coordinates(edge.line)[[0, -1]])
    start, stop = shapely.line_locate_point(street, first), shapely.line_locate_point(street, last)
    if start > stop:
        street = shapely.reverse(street)
        start, stop = shapely.line_locate_point(street, first), shapely.line_locate_point(street, last)
    # At its ends it comes and goes aslant: straight across it would lie upon the edges that meet it there.
    start, stop = start + shapely.distance(first, street), stop - shapely.distance(last, street)
    if start >= stop:
        raise NotPossible(Reason.NO_EDGE, (edge.left, edge.right))
    along = substring(street, start, stop)
    corners = np.vstack([shapely.get_coordinates(first), shapely.get_coordinates(along), shapely.get_coordinates(last)])
    return reshape(coverage, edge, corners)


def simplify(coverage: Coverage, tolerance_m: float, keys: Sequence[int] | None = None) -> Edited:
    """Quieten the edges between some areas (all by default) together; the outer edge and locked areas stay.

    Raises
    ------
    NotPossible
    """
    chosen = [key for key in (keys if keys is not None else coverage.keys) if key not in coverage.locked]
    polygons = np.array([coverage.polygon(key) for key in chosen], dtype=object)
    quiet: Any = shapely.coverage_simplify
    smooth = shapely.normalize(rounded(quiet(polygons, tolerance_m, simplify_boundary=False)))
    return checked(coverage, dict(zip(chosen, smooth, strict=True)), _by_hand)


def _by_hand(_source: int, _target: int) -> Why:
    return Why.HAND


def _whole(at: Spot) -> tuple[int, int]:
    return round(at[0] * PER_M), round(at[1] * PER_M)


def _far(one: tuple[int, int], other: tuple[int, int]) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))


def _corners(line: Any) -> Ring:
    return [(int(x), int(y)) for x, y in np.rint(shapely.get_coordinates(line) * PER_M).astype(np.int64)]


def _having(coverage: Coverage, at: Spot) -> list[int]:
    """Keys of the areas that have a vertex at a spot."""
    near = coverage.tree.query(shapely.buffer(shapely.Point(at), 2 * MM), predicate="intersects")
    here = _whole(at)
    keys = [coverage.keys[number] for number in np.unique(near) if here in set(_corners(coverage.polygons[number]))]
    if not keys:
        raise NotPossible(Reason.NO_VERTEX, where=shapely.Point(at))
    return keys


def _mapped(geom: Any, change: Any) -> Any:
    """A polygon or multipolygon with each ring changed as a list of corners without the last, which is the first."""
    parts = []
    for part in shapely.get_parts(geom):
        rings = [change(_corners(ring)[:-1]) for ring in shapely.get_rings(part)]
        if any(len(set(ring)) < 3 for ring in rings):
            raise NotPossible(Reason.VANISHES, where=shapely.centroid(geom))
        made = [shapely.linearrings(np.asarray(ring) / PER_M) for ring in rings]
        parts.append(shapely.Polygon(made[0], made[1:]))
    return shapely.normalize(parts[0] if len(parts) == 1 else shapely.multipolygons(parts))


def _spliced(ring: Ring, old: Ring, new: Ring) -> Ring:
    """A ring with one run of corners in the place of another; as it is where it has no such run."""
    if old[0] == old[-1]:
        return new[:-1] if set(old) == set(ring) else ring
    for run, other in ((old, new), (old[::-1], new[::-1])):
        for start in (place for place, corner in enumerate(ring) if corner == run[0]):
            turned = ring[start:] + ring[:start]
            if turned[: len(run)] == run or (len(run) == len(ring) + 1 and [*turned, turned[0]] == run):
                return other + turned[len(run) :]
    return ring
