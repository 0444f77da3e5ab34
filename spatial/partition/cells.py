"""Cells around buildings: who is nearest to which, but never across a street or a wall.

Streets and walls cut the site into blocks; within a block each spot belongs to the nearest footprint (an enclosed
tessellation); a block without buildings joins the neighbour that it has most outline in common with. All lines are then
noded together once and made polygons, so neighbours have the same vertices by construction, and no footprint is cut.

Sources
-------
Fleischmann, M. et al. (2020), Morphological tessellation as a way of partitioning space, Computers, Environment and
Urban Systems 80, 101441; Arribas-Bel, D. and Fleischmann, M. (2022), Spatial Signatures, Habitat International 128,
102641 (enclosures).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Geometries = NDArray[np.object_]
Integers = NDArray[np.int64]

_GRID_M = 0.001
_INSET_M = 0.2
"""Footprints shrink by so much before points are set along them: terraced houses keep the wall between them."""
_STEP_M = 2.0
_LEAST_BLOCK_M2 = 1.0
_SMOOTH_M = (3.0, 1.5, 0.75)
_CUT_M2 = 0.01


class CannotDraw(ValueError):
    """A footprint lies outside the site, or several are one upon the other; ``positions`` says which."""

    def __init__(self, positions: list[int]) -> None:
        super().__init__(f"footprints that get no cell: {positions[:20]}")
        self.positions = positions


def around(footprints: Geometries, site: Any, lines: Geometries | None = None) -> Geometries:
    """Tile a site with one cell for each footprint.

    Parameters
    ----------
    footprints
        Polygons or points, in a metric reference system. They should not overlap.
    site
        The polygon that is tiled, holes and several parts allowed.
    lines
        Streets, walls, water: cells follow them where they can.

    Returns
    -------
    numpy.ndarray
        Polygons in the order of the footprints. They cover the site exactly and share their vertices; a cell is of
        several parts only where the site is.

    Raises
    ------
    CannotDraw
        Some footprint is outside the site, or covered by others.
    """
    inside = shapely.intersection(footprints, site)
    lost = np.flatnonzero(shapely.is_empty(inside))
    if len(lost):
        raise CannotDraw([int(at) for at in lost])
    blocks = _blocks(inside, site, lines)
    block_of = _home(inside, blocks)
    ridges = [
        _between(inside[here], blocks[number])
        for number, here in enumerate(_positions(block_of, len(blocks)))
        if len(here) > 1
    ]
    faces, face_owner = _faces(blocks, block_of, ridges, inside, site)
    face_owner = _adopted(faces, face_owner, inside)
    cells = np.array(
        [shapely.coverage_union_all(faces[face_owner == at]) for at in range(len(footprints))], dtype=object
    )
    empty = np.flatnonzero(shapely.is_empty(cells))
    if len(empty):
        raise CannotDraw([int(at) for at in empty])
    return _smooth(cells, inside)


def _blocks(footprints: Geometries, site: Any, lines: Geometries | None) -> Geometries:
    """What streets and walls cut the site into; they end at the walls of a building that they run into."""
    if lines is None or not len(lines):
        return shapely.get_parts(site)
    free = shapely.difference(shapely.union_all(lines), shapely.union_all(footprints))
    within = shapely.intersection(free, site)
    noded = _noded([shapely.boundary(site), within])
    blocks = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    spot = shapely.point_on_surface(blocks)
    shapely.prepare(site)
    return blocks[shapely.contains(site, spot) & (shapely.area(blocks) > _LEAST_BLOCK_M2)]


def _noded(lines: list[Any]) -> Any:
    """Lines that meet only in their ends; on a grid of millimetres where GEOS cannot do without."""
    try:
        return shapely.union_all(lines)
    except shapely.GEOSException:
        return shapely.union_all(lines, grid_size=_GRID_M)


def _home(footprints: Geometries, blocks: Geometries) -> Integers:
    """The block that holds most of each footprint."""
    at, block = shapely.STRtree(blocks).query(footprints, predicate="intersects")
    common = shapely.intersection(footprints[at], blocks[block])
    size = shapely.area(common) + 1e-6 * shapely.length(common) + 1e-12
    order = np.lexsort((block, -size, at))
    first = np.unique(at[order], return_index=True)[1]
    home = np.zeros(len(footprints), dtype=np.int64)
    home[at[order][first]] = block[order][first]
    return home


def _positions(label: Integers, count: int) -> list[Integers]:
    """Where each label stands."""
    order = np.argsort(label, kind="stable")
    return np.split(order, np.searchsorted(label[order], np.arange(1, count)))


def _spots(footprints: Geometries) -> tuple[NDArray[np.float64], Integers]:
    """Points along the walls of footprints, and whose each is."""
    shrunk = shapely.buffer(footprints, -_INSET_M)
    shrunk = np.where(shapely.is_empty(shrunk), footprints, shrunk)
    spots, at = shapely.get_coordinates(shapely.segmentize(shrunk, _STEP_M), return_index=True)
    _spot, first = np.unique(np.round(spots, 3), axis=0, return_index=True)
    return np.round(spots[first], 3), at[first]


def _between(footprints: Geometries, block: Any) -> Any:
    """Where in a block two footprints are equally near: lines."""
    from scipy.spatial import Voronoi

    spots, at = _spots(footprints)
    x0, y0, x1, y1 = shapely.bounds(block)
    far = 10 * (x1 - x0 + y1 - y0)
    corners = [[x0 - far, y0 - far], [x0 - far, y1 + far], [x1 + far, y0 - far], [x1 + far, y1 + far]]
    origin = np.array([x0, y0])
    diagram = Voronoi(np.vstack([spots, corners]) - origin)
    whose = np.append(at, [-1, -1, -1, -1])
    ends = np.asarray(diagram.ridge_vertices)
    apart = (whose[diagram.ridge_points[:, 0]] != whose[diagram.ridge_points[:, 1]]) & (ends >= 0).all(axis=1)
    lines = shapely.linestrings(diagram.vertices[ends[apart]] + origin)
    shapely.prepare(block)
    return shapely.intersection(shapely.multilinestrings(lines[shapely.intersects(block, lines)]), block)


def _faces(
    blocks: Geometries, block_of: Integers, ridges: list[Any], footprints: Geometries, site: Any
) -> tuple[Geometries, Integers]:
    """All lines noded together and made polygons: every face once, with its owner; footprints stay whole."""
    from scipy.spatial import KDTree

    built = shapely.union_all(footprints)
    walls = shapely.boundary(footprints[shapely.get_dimensions(footprints) == 2])
    borders = _noded([*ridges, *shapely.boundary(blocks)])
    borders = shapely.difference(borders, shapely.buffer(built, -_GRID_M))
    noded = _noded([borders, shapely.boundary(site), *walls])
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    spot = shapely.point_on_surface(faces)
    shapely.prepare(site)
    inside = shapely.contains(site, spot)
    faces, spot = faces[inside], spot[inside]
    owner = np.full(len(faces), -1, dtype=np.int64)
    # The nearest within the block: another block is as far away as the moon.
    spots, at = _spots(footprints)
    moon = 10 * np.ptp(shapely.bounds(site))
    face, block = shapely.STRtree(blocks).query(spot, predicate="intersects")
    apart = np.column_stack([spots, moon * block_of[at]])
    _far, near = KDTree(apart).query(np.column_stack([shapely.get_coordinates(spot[face]), moon * block]))
    settled = np.isin(block, block_of)
    owner[face[settled]] = at[near[settled]]
    face, whose = shapely.STRtree(footprints).query(spot, predicate="intersects")
    owner[face] = whose
    return faces, owner


def _adopted(faces: Geometries, owner: Integers, footprints: Geometries) -> Integers:
    """Faces without an owner, or cut off from their owner's footprint, go to who shares most outline with them."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = shapely.STRtree(faces).query(faces, predicate="intersects")
    left, right = left[left < right], right[left < right]
    common = shapely.length(shapely.intersection(faces[left], faces[right]))
    left, right, common = left[common > 0], right[common > 0], common[common > 0]
    alike = (owner[left] == owner[right]) & (owner[left] >= 0)
    parts = connected_components(
        coo_array((np.ones(alike.sum()), (left[alike], right[alike])), shape=(len(faces),) * 2), directed=False
    )[1]
    at, face = shapely.STRtree(faces).query(shapely.point_on_surface(footprints), predicate="intersects")
    rooted = np.zeros(parts.max() + 1, dtype=bool)
    rooted[parts[face[owner[face] == at]]] = True
    owner = np.where(rooted[parts], owner, -1)
    while (owner < 0).any():
        one, other = np.append(left, right), np.append(right, left)
        open_ = (owner[one] < 0) & (owner[other] >= 0)
        if not open_.any():
            break
        pair, number = np.unique(np.column_stack([one[open_], owner[other[open_]]]), axis=0, return_inverse=True)
        length = np.bincount(number.ravel(), np.append(common, common)[open_])
        order = np.lexsort((pair[:, 1], -length, pair[:, 0]))
        first = np.unique(pair[order, 0], return_index=True)[1]
        owner[pair[order, 0][first]] = pair[order, 1][first]
    alone = np.flatnonzero(owner < 0)
    if len(alone):  # a part of the site without any building: to the nearest
        tree = shapely.STRtree(footprints)
        owner[alone] = tree.nearest(faces[alone])
    return owner


def _smooth(cells: Geometries, footprints: Geometries) -> Geometries:
    """The cells with quieter edges, as far as no footprint is cut by that."""
    simplify: Any = shapely.coverage_simplify
    for tolerance in _SMOOTH_M:
        smooth: Geometries = simplify(cells, tolerance, simplify_boundary=False)
        if (shapely.area(shapely.difference(footprints, smooth)) < _CUT_M2).all() and shapely.is_valid(smooth).all():
            return smooth
    return cells
