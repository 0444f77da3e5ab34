"""Ground that changes hands: drawn anew, split, merged, created, closed, and the outer edge itself.

The areas are cut by the lines of what is drawn, all noded together once, and the faces that come of it are given to
whom the edit says; so neighbours have the same vertices by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from spatial.coverages.tiling import (
    OUTSIDE,
    Coverage,
    Edge,
    Edited,
    Geometries,
    Integers,
    NotPossible,
    Reason,
    Why,
    adopted,
    areal,
    checked,
    painted,
    rounded,
)


def give(coverage: Coverage, ground: Any, to: int, *, hand: Sequence[Any] = (), why: Why = Why.GAVE_WAY) -> Edited:
    """Give ground of the site to an area, which may be a new one.

    Parameters
    ----------
    hand
        Areas of which the ground is taken by the hand itself; of others it is listed with ``why``.

    Raises
    ------
    NotPossible
        The ground is locked, or lies outside the site.
    """
    ground = _solid(ground)
    shapely.prepare(ground)

    def rule(_faces: Geometries, spots: Geometries, owner: Integers) -> Integers:
        owner[shapely.covers(ground, spots) & (owner != OUTSIDE)] = to
        return owner

    new = () if to in coverage.areas else (to,)
    return _kept(
        painted(
            coverage,
            [shapely.boundary(ground)],
            ground,
            rule,
            lambda source, _target: Why.HAND if source in hand else why,
            new,
        ),
        coverage,
    )


def draw(coverage: Coverage, key: int, polygon: Any, *, snap_m: float = 0.0) -> Edited:
    """Draw an area anew, or a new one: neighbours give way, and what it leaves goes to whom it has most edge with.

    Parameters
    ----------
    snap_m
        How near to edges that are there the line is taken for theirs.

    Raises
    ------
    NotPossible
    """
    polygon = _solid(rounded(polygon))
    drawn = polygon
    if snap_m > 0:
        near = coverage.polygons[coverage.around(polygon)]
        others = [geom for geom in near if key not in coverage.areas or geom != coverage.areas[key]]
        polygon = (
            _solid(shapely.snap(polygon, shapely.union_all(shapely.boundary(others)), snap_m)) if others else drawn
        )
    shapely.prepare(polygon)
    reach = shapely.union(polygon, coverage.areas[key]) if key in coverage.areas else polygon

    def rule(faces: Geometries, spots: Geometries, owner: Integers) -> Integers:
        inside = shapely.covers(polygon, spots) & (owner != OUTSIDE)
        left = (owner == key) & ~inside
        owner[inside] = key
        owner[left] = OUTSIDE
        after: Integers = adopted(faces, owner, left, coverage.locked | {key})
        if (after[left] == OUTSIDE).any():
            raise NotPossible(Reason.NO_NEIGHBOUR, (key,))
        return after

    edited = painted(
        coverage,
        [shapely.boundary(polygon)],
        reach,
        rule,
        lambda source, _target: Why.TOOK_REST if source == key else Why.GAVE_WAY,
        () if key in coverage.areas else (key,),
    )
    return _kept(edited, coverage)


def between(coverage: Coverage, edge: Edge, corners: Any) -> Edited:
    """Draw the edge between two areas anew, ends included; ground changes hands between these two only.

    Raises
    ------
    NotPossible
    """
    line = rounded(shapely.linestrings(np.asarray(corners, dtype=float)))
    left, right = coverage.polygon(edge.left), coverage.polygon(edge.right)
    both = shapely.coverage_union(left, right)
    reach = shapely.union(both, line)
    # The line reaches a little beyond its ends, so that it cuts where it was meant to end on the rim.
    long = _extended(line)

    def rule(faces: Geometries, spots: Geometries, owner: Integers) -> Integers:
        own = np.isin(owner, [edge.left, edge.right])
        other_edges = [one.line for one in coverage.edges([edge.left, edge.right]) if one.line != edge.line]
        walls = shapely.union_all([long, *other_edges])
        label = _sides(faces, own, walls)
        then = owner.copy()
        for piece in np.unique(label[own]):
            here = own & (label == piece)
            mine = float(shapely.area(faces[here & (owner == edge.left)]).sum())
            theirs = float(shapely.area(faces[here & (owner == edge.right)]).sum())
            then[here] = edge.left if mine > theirs else edge.right
        return then

    return _kept(painted(coverage, [shapely.intersection(long, both)], reach, rule), coverage)


def split(coverage: Coverage, key: int, line: Any, new: int) -> Edited:
    """Split an area by a line; the largest part keeps the key, what lies across the line gets the new one.

    Raises
    ------
    NotPossible
        The line does not cut it.
    """
    area = coverage.polygon(key)
    cut = shapely.intersection(rounded(line), area)

    def rule(faces: Geometries, _spots: Geometries, owner: Integers) -> Integers:
        mine = owner == key
        number = np.flatnonzero(mine)
        if len(number) < 2:
            raise NotPossible(Reason.NOT_CUT, (key,))
        colour = np.full(len(faces), -1)
        tree = shapely.STRtree(faces[number])
        for seed in number[np.argsort(-shapely.area(faces[number]), kind="stable")]:
            if colour[seed] != -1:
                continue
            # A part that the line does not touch stays; the greatest part beside the line keeps the key.
            colour[seed], waiting = 0, [seed]
            while waiting:
                face = waiting.pop()
                for other in number[tree.query(faces[face], predicate="intersects")]:
                    if colour[other] == -1 and shapely.length(shapely.intersection(faces[face], faces[other])) > 0:
                        colour[other] = 1 - colour[face]
                        waiting.append(other)
        owner[mine & (colour == 1)] = new
        return owner

    return _kept(painted(coverage, [cut], area, rule, new=(new,)), coverage)


def merge(coverage: Coverage, keys: Sequence[int], into: int) -> Edited:
    """Make several areas one, under the key of one of them.

    Raises
    ------
    NotPossible
        One is locked.
    """
    if held := coverage.locked & set(keys):
        raise NotPossible(Reason.LOCKED, tuple(sorted(held)))
    if into not in keys or len(set(keys)) < 2:
        raise NotPossible(Reason.NO_SUCH_AREA, (into,))
    whole = shapely.coverage_union_all([coverage.polygon(key) for key in keys])
    after: dict[int, Any] = {key: shapely.Polygon() for key in keys}
    return checked(coverage, after | {into: shapely.normalize(whole)}, lambda _source, _target: Why.HAND)


def close(coverage: Coverage, key: int, into: int | None = None) -> Edited:
    """Close an area; its ground goes to one neighbour, by default the one that it has most edge with.

    Raises
    ------
    NotPossible
    """
    coverage.polygon(key)
    if into is None:
        shared: dict[int, float] = {}
        for edge in coverage.edges([key]):
            other = edge.right if edge.left == key else edge.left
            if other != OUTSIDE and other not in coverage.locked:
                shared[other] = shared.get(other, 0.0) + float(shapely.length(edge.line))
        if not shared:
            raise NotPossible(Reason.NO_NEIGHBOUR, (key,))
        into = max(shared, key=lambda other: (shared[other], -other))
    return merge(coverage, [key, into], into)


def outline(coverage: Coverage, site: Any) -> Edited:
    """Draw the outer edge anew; ground that comes in goes to whom it has most edge with.

    Raises
    ------
    NotPossible
        A locked area would change, or an area would vanish.
    """
    site = _solid(rounded(site))
    shapely.prepare(site)

    def rule(faces: Geometries, spots: Geometries, owner: Integers) -> Integers:
        inside = shapely.covers(site, spots)
        fresh = inside & (owner == OUTSIDE)
        owner[~inside] = OUTSIDE
        after: Integers = adopted(faces, owner, fresh, coverage.locked)
        if (after[fresh] == OUTSIDE).any():
            raise NotPossible(Reason.NO_NEIGHBOUR)
        return after

    reach = shapely.union(site, coverage.site)
    return _kept(painted(coverage, [shapely.boundary(site)], reach, rule), coverage)


def _kept(edited: Edited, before: Coverage) -> Edited:
    """The edit, unless an area is lost by it that nobody meant to close."""
    if gone := [key for key in before.keys if key not in edited.coverage.areas]:
        raise NotPossible(Reason.VANISHES, tuple(gone), shapely.centroid(before.areas[gone[0]]))
    return edited


def _solid(geom: Any) -> Any:
    """What is drawn, as polygons.

    Raises
    ------
    NotPossible
        There are none.
    """
    drawn = areal(geom)
    if shapely.is_empty(drawn):
        raise NotPossible(Reason.NOTHING)
    return drawn


def _extended(line: Any, by_m: float = 0.5) -> Any:
    corners = shapely.get_coordinates(line)
    ahead = []
    for end, inner in ((corners[0], corners[1]), (corners[-1], corners[-2])):
        way = end - inner
        ahead.append(end + way / max(float(np.hypot(*way)), 1e-9) * by_m)
    return shapely.linestrings(np.vstack([ahead[0], corners, ahead[1]]))


def _sides(faces: Geometries, own: Any, walls: Any) -> Integers:
    """A label for each face: faces that meet elsewhere than along the walls have the same."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.flatnonzero(own)
    one, other = shapely.STRtree(faces[number]).query(faces[number], predicate="intersects")
    one, other = number[one[one < other]], number[other[one < other]]
    common = shapely.intersection(faces[one], faces[other])
    near = shapely.buffer(walls, 0.01)
    open_ = shapely.length(shapely.difference(common, near)) > 0.01
    graph = coo_array((np.ones(int(open_.sum())), (one[open_], other[open_])), shape=(len(faces),) * 2)
    label: Integers = connected_components(graph, directed=False)[1].astype(np.int64)
    return label


def redrawn(coverage: Coverage, areas: dict[int, Any], why: Why = Why.HAND) -> Edited:
    """Put areas that tile the same ground in the place of those with the same keys; new keys may be among them.

    Raises
    ------
    NotPossible
    """
    keys = list(areas)
    polygons = np.array([areas[key] for key in keys], dtype=object)
    whole = shapely.union_all(polygons)

    def rule(_faces: Geometries, spots: Geometries, owner: Integers) -> Integers:
        spot, at = shapely.STRtree(polygons).query(spots, predicate="intersects")
        inside = owner[spot] != OUTSIDE
        owner[spot[inside]] = np.asarray(keys, dtype=np.int64)[at[inside]]
        return owner

    new = tuple(key for key in keys if key not in coverage.areas)
    return painted(coverage, list(shapely.boundary(polygons)), whole, rule, lambda _source, _target: why, new)
