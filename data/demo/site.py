"""The ground of the demo community: its outline, its eight grids, its streets, paths, greens and gates.

Everything is drawn by hand in a *drawing* frame in metres: u runs along the main street 梧桐路 to the east, v to
the north of it, the origin lies where 梧桐路 enters the community in the west. ``to_metric`` turns the drawing
by ``TURN_DEG`` and puts it onto the ground in ``METRIC_CRS``, ``to_degrees`` brings it to EPSG:4326. Both move
vertices one by one, so corners that grids share stay shared exactly.
"""

from __future__ import annotations

from functools import cache
from math import cos, radians, sin

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import LineString, MultiLineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

METRIC_CRS = "EPSG:4549"  # CGCS2000 / 3-degree Gauss-Kruger CM 120E
TURN_DEG = 17.9
ORIGIN_M = (584_300.0, 3_541_200.0)  # easting, northing: on the lower Yangtze, where the zone's scale is 1

# Corners of the grids. Every corner that lies on an edge of a neighbour is a corner of that neighbour too.
_CORNERS: dict[str, tuple[float, float]] = {
    # along 临江大道, west to east
    "nw": (-20, 151.5),
    "n12": (87, 156.5),
    "n23": (195, 163.5),
    "n34": (301, 169.5),
    "n45": (403, 175.5),
    "ne": (502, 175.5),
    # along the middle of 梧桐路
    "w": (0, -1),
    "m12": (92, -3),
    "m67": (140, -4),
    "m23": (199, -5),
    "m78": (236, -5),
    "m34": (302, -4),
    "m45": (404, -1),
    "e8": (416, 0),
    "e": (504, 9),
    # between 1 and 2, and between 3 and 4
    "a1": (84, 108),
    "a2": (90, 74),
    "c1": (297, 132),
    "c2": (304, 108),
    "c3": (304, 44),
    # 桂花巷 between 2 and 3, 海棠巷 between 4 and 5
    "b1": (199, 120),
    "b2": (199, 40),
    "d1": (406, 120),
    "d2": (406, 44),
    # between 6 and 7
    "f1": (137, -78),
    "f2": (122, -112),
    "f3": (117, -160),
    "s67": (106, -204),
    # the south and the west
    "g1": (404, -52),
    "se": (370, -160),
    "k1": (268, -167),
    "k2": (253, -170),
    "k3": (212, -182),
    "k4": (204, -190),
    "k5": (199, -210),
    "sw": (11, -199),
    "w1": (14, -128),
    "w2": (12, -74),
}

_RINGS = {
    1: "nw n12 a1 a2 m12 w",
    2: "n12 n23 b1 b2 m23 m67 m12 a2 a1",
    3: "n23 n34 c1 c2 c3 m34 m78 m23 b2 b1",
    4: "n34 n45 d1 d2 m45 m34 c3 c2 c1",
    5: "n45 ne e e8 m45 d2 d1",
    6: "w m12 m67 f1 f2 f3 s67 sw w1 w2",
    7: "m67 m23 m78 k2 k3 k4 k5 s67 f3 f2 f1",
    8: "m78 m34 m45 e8 g1 se k1 k2",
}

# name, true width in metres, middle line
_STREETS: list[tuple[str, float, list[tuple[float, float]]]] = [
    (
        "梧桐路",
        18,
        [
            (-520, -22),
            (-180, -8),
            (0, -1),
            (92, -3),
            (140, -4),
            (199, -5),
            (236, -5),
            (302, -4),
            (404, -1),
            (426, 0),
            (512, 9),
            (640, 24),
            (1000, 58),
        ],
    ),
    (
        "临江大道",
        26,
        [(-520, 172), (-260, 172), (-40, 177), (87, 184), (301, 197), (403, 203), (530, 204), (720, 196), (1000, 190)],
    ),
    (
        "望湖路",
        14,
        [(-62, 520), (-50, 330), (-34, 178), (-13, -1), (1, -82), (3, -128), (-2, -224), (-14, -330), (-40, -600)],
    ),
    (
        "听雨街",
        12,
        [
            (-520, -214),
            (-240, -220),
            (-2, -224),
            (106, -231),
            (205, -240),
            (300, -256),
            (480, -270),
            (760, -262),
            (1000, -276),
        ],
    ),
    ("白鹭路", 14, [(516, 520), (524, 330), (525, 204), (525, 10), (524, -120), (500, -268), (470, -600)]),
    ("书院路", 12, [(236, -5), (254, -182), (262, -252), (272, -380), (290, -600)]),
    ("桂香路", 12, [(254, -186), (272, -188), (390, -181), (450, -176), (515, -174), (760, -168), (1000, -180)]),
    ("渡口路", 12, [(236, 193), (241, 262)]),
    ("芦花路", 12, [(-230, 520), (-236, 300), (-240, 172), (-226, -10), (-240, -220), (-262, -600)]),
    ("莲塘路", 14, [(748, 520), (742, 300), (736, 195), (728, 33), (744, -166), (762, -262), (770, -600)]),
    ("柳浪街", 10, [(-520, -420), (-250, -414), (-22, -408), (276, -420), (484, -440), (766, -436), (1000, -450)]),
    ("桂花巷", 6, [(195, 172), (199, 120), (199, 40), (199, -5)]),
    ("海棠巷", 6, [(403, 184), (406, 120), (406, 44), (404, -1)]),
]

# The lanes inside the quarters, 4.5 m wide, without names.
_LANES: list[list[tuple[float, float]]] = [
    [(80, -2), (80, 60), (76, 112)],
    [(145, -4), (145, 122)],
    [(221, -4), (221, 79)],
    [(199, 78), (300, 82)],
    [(358.5, -3), (358.5, 44)],
    [(406, 120), (352, 112), (308, 109)],
    [(458, 4), (459, 128)],
    [(76, -2), (76, -114)],
    [(147, -4), (146, -80), (147, -111), (241, -113)],
    [(332, -3), (331, -66), (331, -117), (300, -118), (299, -164)],
]

_PATHS: list[tuple[str | None, list[tuple[float, float]]]] = [
    ("西小路", [(-9, 107), (40, 109), (84, 110)]),
    (None, [(30, 108), (29, 146)]),
    (None, [(8, 41), (80, 41), (145, 41), (199, 41)]),
    (None, [(2, 74), (80, 74), (145, 76), (199, 78)]),
    ("6号楼北侧小路", [(84, 121), (145, 122), (199, 123)]),
    (None, [(199, 41), (221, 42), (304, 44), (358.5, 44), (406, 44)]),
    (None, [(199, 121), (246, 124), (303, 111)]),
    (None, [(246, 81), (246, 124), (254, 132), (256, 158), (300, 160)]),
    ("环湖步道", [(316, 52), (336, 48), (349, 58), (350, 78), (338, 96), (318, 96), (310, 80), (316, 52)]),
    (None, [(352, 112), (354, 158), (403, 160)]),
    (None, [(406, 44), (458, 46), (500, 48)]),
    (None, [(406, 84), (458, 86), (501, 88)]),
    (None, [(406, 122), (459, 126), (500, 128)]),
    (None, [(459, 128), (459, 170)]),
    (None, [(10, -47), (76, -47), (146, -46)]),
    (None, [(16, -82), (76, -82), (144, -79)]),
    ("书院后巷", [(16, -116), (76, -115), (118, -114), (147, -111)]),
    (None, [(76, -114), (76, -130), (112, -132)]),
    (None, [(146, -46), (239, -46)]),
    (None, [(144, -79), (242, -80)]),
    (None, [(180, -112), (178, -150), (178, -186), (114, -186)]),
    (None, [(118, -150), (178, -150), (249, -147)]),
    (None, [(243, -68), (331, -66), (396, -64)]),
    (None, [(249, -118), (300, -118)]),
    (None, [(331, -117), (378, -116)]),
]

_POND = Polygon([(322, 60), (334, 55), (343, 63), (344, 76), (335, 88), (323, 90), (316, 79), (317, 67)])
_GREENS: list[tuple[str | None, BaseGeometry]] = [
    ("梧桐园", Polygon([(308, 48), (352, 48), (354, 102), (308, 102)]).difference(_POND.buffer(1.2))),
    ("健身广场", Polygon([(100, 130), (140, 131), (140, 156), (99, 154)])),
    ("东苑绿地", Polygon([(466, 134), (500, 135), (500, 152), (466, 151)])),
    ("书院绿地", Polygon([(188, -154), (240, -151), (244, -166), (212, -177), (190, -178)])),
    ("南园", Polygon([(126, -190), (192, -192), (194, -204), (114, -200)])),
    ("南苑绿地", Polygon([(303, -18), (326, -18), (326, -60), (303, -60)])),
    ("东南角绿地", Polygon([(275, -146), (292, -145), (292, -162), (273, -162)])),
    ("梧桐里小学操场", Polygon(LineString([(38, -177), (62, -178)]).buffer(15))),
    ("莲塘公园", Polygon([(545, 40), (640, 50), (642, 178), (545, 186)])),
    ("听雨小游园", Polygon([(20, -250), (120, -252), (150, -300), (18, -296)])),
]

_RIVER = [
    (-520, 262),
    (-300, 256),
    (-60, 266),
    (120, 280),
    (300, 290),
    (480, 284),
    (700, 268),
    (1000, 270),
    (1000, 420),
    (700, 412),
    (480, 430),
    (300, 440),
    (120, 428),
    (-60, 410),
    (-300, 396),
    (-520, 402),
]
_BANK = [
    (-520, 240),
    (-300, 234),
    (-60, 243),
    (120, 256),
    (300, 266),
    (480, 260),
    (700, 244),
    (1000, 246),
    *_RIVER[7::-1],
]

# name, where a wall is open
_GATES = [
    ("南大门", (199, 10)),
    ("西门", (80, 11)),
    ("梧桐一门", (145, 10)),
    ("中门", (221, 10)),
    ("四号门", (358.5, 11)),
    ("东南门", (458, 18)),
    ("海棠巷门", (405, 13)),
    ("北门", (195, 162)),
    ("东北门", (403, 174)),
    ("西苑门", (76, -15)),
    ("书院西门", (146.5, -16)),
    ("书院后门", (242, -113)),
    ("书院东门", (253, -67)),
    ("南门", (299, -163)),
    ("东苑门", (332, -16)),
]

_PLACES = [
    ("梧桐里社区党群服务中心", (380, 58)),
    ("公交站 梧桐路书院路", (226, 7)),
    ("公交站 梧桐里", (120, -14)),
    ("梧桐里幼儿园", (170, 142)),
    ("临江街道卫生服务站", (100, -98)),
    ("梧桐里小学", (48, -146)),
    ("梧桐里菜市场", (481, 33)),
    ("警务室", (209.5, 23)),
    ("健身广场", (120, 143)),
    ("物业服务处", (282, 145)),
    ("养老服务驿站", (146, -168)),
    ("书院市集", (362, -92)),
]


@cache
def grids() -> dict[int, Polygon]:
    """The eight grids by number, in the drawing frame."""
    return {number: Polygon([_CORNERS[name] for name in ring.split()]) for number, ring in _RINGS.items()}


@cache
def outline() -> Polygon:
    """The community, in the drawing frame: the union of its grids."""
    whole = shapely.coverage_union_all(list(grids().values()))
    assert isinstance(whole, Polygon)
    return whole


@cache
def streets() -> dict[str, tuple[LineString, float]]:
    """The streets by name: middle line in the drawing frame and width in metres."""
    return {name: (LineString(line), width) for name, width, line in _STREETS}


@cache
def carriageways() -> BaseGeometry:
    """All streets and lanes as areas of their true width, in the drawing frame."""
    lanes = [LineString(line).buffer(2.25, cap_style="flat") for line in _LANES]
    return shapely.union_all([_street_area(), *lanes])


@cache
def open_ground() -> BaseGeometry:
    """The river, the pond and the parks outside, where no house stands, in the drawing frame."""
    parks = [area for _name, area in _GREENS if not outline().intersects(area)]
    return shapely.union_all([Polygon(_RIVER), _POND, *parks])


def paths() -> list[tuple[str | None, LineString]]:
    """The footpaths inside the community: name if any, line in the drawing frame."""
    return [(name, LineString(line)) for name, line in _PATHS]


def base_map() -> list[tuple[str, str | None, float | None, BaseGeometry]]:
    """Everything on the ground that is no building: kind, name, width in metres, geometry in the drawing frame."""
    features: list[tuple[str, str | None, float | None, BaseGeometry]] = [
        ("water", "澜江", None, Polygon(_RIVER)),
        ("water", "梧桐池", None, _POND),
        ("green", "澜江滨江绿地", None, Polygon(_BANK)),
    ]
    features += [("green", name, None, area) for name, area in _GREENS]
    features += [("road", name, width, line) for name, (line, width) in streets().items()]
    features += [("road", None, 4.5, LineString(line)) for line in _LANES]
    features += [("path", name, 2.0, line) for name, line in paths()]
    features += [("wall", None, None, line) for line in _walls()]
    features += [("gate", name, None, Point(place)) for name, place in _GATES]
    features += [("poi", name, None, Point(place)) for name, place in _PLACES]
    return features


def _street_area() -> BaseGeometry:
    return shapely.union_all([line.buffer(width / 2, cap_style="flat") for line, width in streets().values()])


def _walls() -> list[LineString]:
    """The walls around the three quarters, open at their gates and wherever a lane passes."""
    quarters = ((1, 2, 3, 4, 5), (6, 7), (8,))
    openings = shapely.union_all([Point(place).buffer(5) for _name, place in _GATES] + [carriageways().buffer(0.5)])
    walls: list[LineString] = []
    for members in quarters:
        quarter = shapely.union_all([grids()[number] for number in members]).buffer(-1.5, join_style="mitre")
        inside = quarter.difference(_street_area().buffer(3))
        for plot in getattr(inside, "geoms", [inside]):
            if plot.area < 1000:
                continue
            ring = shapely.simplify(plot.exterior, 0.05).difference(openings)
            parts = shapely.line_merge(ring) if isinstance(ring, MultiLineString) else ring
            walls += [part for part in getattr(parts, "geoms", [parts]) if part.length > 8]
    return walls


def to_metric(geometries: list[BaseGeometry]) -> NDArray[np.object_]:
    """Geometries of the drawing frame on the ground, in ``METRIC_CRS`` (easting, northing)."""
    turn = radians(TURN_DEG)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        u, v = points[:, 0], points[:, 1]
        east = ORIGIN_M[0] + u * cos(turn) - v * sin(turn)
        north = ORIGIN_M[1] + u * sin(turn) + v * cos(turn)
        return np.column_stack((east, north))

    return np.asarray(shapely.transform(np.asarray(geometries, dtype=object), move), dtype=object)


def to_degrees(geometries: list[BaseGeometry]) -> gpd.GeoSeries:
    """Geometries of the drawing frame in EPSG:4326 (longitude, latitude), to 9 decimals (0.1 mm)."""
    transformer = Transformer.from_crs(METRIC_CRS, "EPSG:4326", always_xy=True)

    def move(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(np.column_stack(transformer.transform(points[:, 0], points[:, 1])), 9)

    return gpd.GeoSeries(shapely.transform(to_metric(geometries), move), crs="EPSG:4326")
