"""The houses of the demo community: 41 residential ones in eight grids, the other buildings, the neighbours outside.

The plan below lists them grid by grid, north to south and west to east, which is also how they are numbered.
Footprints are drawn in the frame of ``site`` (metres, u along 梧桐路). The rows lean with the streets beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import shapely
from shapely import affinity
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from data.demo import site


@dataclass(frozen=True)
class House:
    """One building of the plan.

    Attributes
    ----------
    number
        The number of a residential building, 1 to 41; of the others, 0.
    grid
        The number of its grid.
    name
        What it is called; empty for residential buildings.
    footprint
        In the drawing frame, metres.
    floors, units, per_floor
        Floors, entrances (单元), and dwellings on a floor of one entrance. Others: ``units`` is 0.
    """

    number: int
    grid: int
    name: str
    footprint: Polygon
    floors: int
    units: int
    per_floor: int

    @property
    def dwellings(self) -> int:
        """How many dwellings the building has."""
        return self.floors * self.units * self.per_floor


# A residential building: shape, middle (u, v), length and depth in metres, floors, units, dwellings a floor and unit.
_HOMES: dict[int, list[tuple[str, float, float, float, float, int, int, int]]] = {
    1: [
        ("tower", 10, 131, 25, 21, 11, 1, 4),
        ("slab", 59, 132, 42, 12, 6, 3, 2),
        ("slab", 42, 91, 62, 12, 6, 4, 2),
        ("stepped", 37, 57, 62, 12, 5, 4, 2),
        ("slab", 42, 25, 48, 12, 7, 3, 2),
    ],
    2: [
        ("slab", 118, 108, 42, 12, 6, 3, 2),
        ("bays", 171, 106, 42, 12, 6, 3, 2),
        ("slab", 118, 59, 42, 12, 6, 3, 2),
        ("slab", 171, 60, 42, 12, 6, 3, 2),
        ("stepped", 118, 24, 42, 12, 6, 3, 2),
        ("slab", 171, 24, 42, 12, 5, 3, 2),
    ],
    3: [
        ("bays", 227, 142, 42, 12, 7, 3, 2),
        ("slab", 223, 102, 36, 12, 6, 3, 2),
        ("stepped", 274, 101, 46, 12, 6, 3, 2),
        ("slab", 264, 62, 62, 12.5, 6, 4, 2),
        ("slab", 262, 24, 62, 12, 5, 4, 2),
    ],
    4: [
        ("slab", 328, 147, 42, 12, 6, 3, 2),
        ("slab", 379, 139, 40, 12, 6, 3, 2),
        ("ell", 376, 91, 42, 36, 5, 5, 2),
        ("bays", 331, 25, 46, 12, 6, 4, 2),
        ("slab", 381, 26, 34, 12, 6, 3, 2),
    ],
    5: [
        ("slab", 433, 146, 38, 12, 6, 3, 2),
        ("bays", 433, 105, 38, 12, 5, 3, 2),
        ("slab", 481, 107, 36, 12, 5, 3, 2),
        ("stepped", 433, 66, 38, 12, 5, 3, 2),
        ("slab", 481, 69, 36, 12, 5, 3, 2),
        ("slab", 433, 27, 36, 12, 7, 2, 2),
    ],
    6: [
        ("slab", 43, -30, 48, 12, 6, 3, 2),
        ("slab", 109, -29, 50, 12, 6, 4, 2),
        ("stepped", 46, -65, 48, 12, 7, 3, 2),
        ("bays", 107, -64, 48, 12, 6, 3, 2),
        ("slab", 45, -99, 50, 12, 6, 4, 2),
    ],
    7: [
        ("slab", 185, -29, 62, 12, 6, 4, 2),
        ("slab", 187, -63, 62, 12, 5, 4, 2),
        ("stepped", 187, -96, 62, 12, 5, 4, 2),
        ("tower", 147, -131, 25, 21, 11, 1, 4),
        ("slab", 211, -131, 44, 12, 6, 3, 2),
    ],
    8: [
        ("tower", 283, -40, 27, 24, 18, 1, 4),
        ("tower", 369, -38, 25, 21, 11, 1, 4),
        ("slab", 290, -94, 62, 12.5, 6, 4, 2),
        ("bays", 341, -139, 48, 12, 7, 3, 2),
    ],
}

# The other buildings: name, middle, length, depth, floors.
_OTHERS: dict[int, list[tuple[str, float, float, float, float, int]]] = {
    1: [("沿街商铺", 8, 22, 12, 15, 1), ("配电房", -4, 112, 8, 6, 1), ("自行车棚", 86, 24, 4, 12, 1)],
    2: [("梧桐里幼儿园", 170, 142, 40, 22, 3), ("自行车棚", 112, 47, 20, 4, 1), ("活动室", 112, 84, 20, 9, 1)],
    3: [("物业服务处", 282, 145, 18, 12, 2), ("自行车棚", 209, 60, 6, 20, 1), ("警务室", 209.5, 23, 10, 9, 2)],
    4: [("党群服务中心", 380, 58, 34, 16, 3), ("配电房", 318, 124, 8, 6, 1)],
    5: [("菜市场", 481, 34, 32, 19, 2), ("自行车棚", 482, 122, 18, 4, 1), ("社区食堂", 482, 162, 24, 11, 1)],
    6: [
        ("梧桐里小学", 48, -146, 50, 14, 4),
        ("小学体育馆", 93, -172, 20, 26, 2),
        ("卫生服务站", 100, -99, 28, 12, 2),
        ("自行车棚", 100, -86, 18, 4, 1),
    ],
    7: [("养老服务驿站", 146, -168, 26, 14, 2), ("配电房", 229, -97, 7, 6, 1), ("沿街商铺", 224, -29, 7, 13, 1)],
    8: [("书院市集", 362, -92, 38, 20, 2), ("沿街商铺", 345, -24, 12, 15, 2), ("地下车库", 276, -132, 14, 8, 1)],
}


def homes() -> list[House]:
    """The 41 residential buildings in the order of their numbers."""
    found: list[House] = []
    for grid, rows in _HOMES.items():
        for shape, u, v, length, depth, floors, units, per_floor in rows:
            footprint = _placed(_SHAPES[shape](length, depth), u, v)
            found.append(House(len(found) + 1, grid, "", footprint, floors, units, per_floor))
    return found


def others() -> list[House]:
    """The buildings of the community that nobody lives in."""
    return [
        House(0, grid, name, _placed(_slab(length, depth), u, v), floors, 0, 0)
        for grid, rows in _OTHERS.items()
        for name, u, v, length, depth, floors in rows
    ]


def lawns() -> list[Polygon]:
    """The strips of lawn along the south of the residential buildings. In the drawing frame."""
    footprints = shapely.union_all([house.footprint for house in (*homes(), *others())])
    paths = shapely.union_all([line for _name, line in site.paths()])
    taken = shapely.union_all(
        [footprints.buffer(2.5), paths.buffer(2), site.carriageways().buffer(2), site.open_ground()]
    )
    found: list[Polygon] = []
    for house in homes():
        strip = affinity.translate(house.footprint, 0, -8).difference(taken)
        strip = strip.intersection(site.grids()[house.grid].buffer(-2))
        found += [part for part in getattr(strip, "geoms", [strip]) if part.area > 60]
    return found


def neighbours(random: Random) -> list[Polygon]:
    """Footprints beyond the boundary, so that the map does not end there. In the drawing frame.

    Rows of slabs with some bigger blocks, clear of streets, river and community; the nearer the centre of the
    picture the denser.
    """
    closed = shapely.union_all([site.carriageways().buffer(6), site.outline().buffer(7), site.open_ground().buffer(28)])
    shapely.prepare(closed)
    found: list[Polygon] = []
    for v in range(-500, 240, 31):
        u = -500.0 + random.uniform(0, 24)
        while u < 980:
            length = random.choice((34, 42, 48, 48, 62, 62))
            depth = 12.0 + random.choice((0, 0, 0, 1, 9))
            placed = _placed(_slab(length, depth), u + length / 2, v + random.uniform(-2.5, 2.5))
            if not closed.intersects(placed) and random.random() < 0.86:
                found.append(placed)
            u += length + random.choice((9, 11, 16, 16, 38))
    return found


def _slab(length: float, depth: float) -> Polygon:
    return box(-length / 2, -depth / 2, length / 2, depth / 2)


def _bays(length: float, depth: float) -> Polygon:
    """A slab whose stairwells stand out to the north by 1.2 m, three of them."""
    stairs = [box(middle - 2.2, 0, middle + 2.2, depth / 2 + 1.2) for middle in (-length / 3, 0.0, length / 3)]
    return _polygon(shapely.union_all([_slab(length, depth), *stairs]))


def _stepped(length: float, depth: float) -> Polygon:
    """A slab whose eastern half stands 3 m further north."""
    west, east = (
        box(-length / 2, -depth / 2 - 1.5, 0, depth / 2 - 1.5),
        box(0, -depth / 2 + 1.5, length / 2, depth / 2 + 1.5),
    )
    return _polygon(shapely.union_all([west, east]))


def _ell(length: float, depth: float) -> Polygon:
    """A slab along the north with a wing to the south at its eastern end."""
    north = box(-length / 2, depth / 2 - 12, length / 2, depth / 2)
    wing = box(length / 2 - 12, -depth / 2, length / 2, depth / 2)
    return _polygon(shapely.union_all([north, wing]))


def _tower(length: float, depth: float) -> Polygon:
    """A point block with notches in the middle of its four sides."""
    notches = [
        box(-2, depth / 2 - 3, 2, depth / 2),
        box(-2, -depth / 2, 2, -depth / 2 + 3),
        box(-length / 2, -2, -length / 2 + 2, 2),
        box(length / 2 - 2, -2, length / 2, 2),
    ]
    return _polygon(_slab(length, depth).difference(shapely.union_all(notches)))


_SHAPES = {"slab": _slab, "bays": _bays, "stepped": _stepped, "ell": _ell, "tower": _tower}


def _placed(shape: Polygon, u: float, v: float) -> Polygon:
    """A shape at its place, leaning as the streets around it do: 2.6° at 临江大道, none at 梧桐路, -3° in the south."""
    lean = 2.6 * min(v, 170) / 170 if v > 0 else 3.0 * max(v, -210) / 210
    return _polygon(affinity.translate(affinity.rotate(shape, lean, origin=(0, 0)), u, v))


def _polygon(geometry: BaseGeometry) -> Polygon:
    assert isinstance(geometry, Polygon)
    return geometry
