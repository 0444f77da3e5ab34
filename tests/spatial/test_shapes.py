"""Shapes: each kind of fault by hand, what a repair keeps, bounds, parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import shapely.geometry
from hypothesis import given
from hypothesis import strategies as st

from spatial.shapes import Explanation, Fault, Status, as_multi, check_bounds, explain, repair, singles

SQUARE = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0)"


def wkt(*texts: str | None) -> np.ndarray:
    return np.array([None if text is None else shapely.from_wkt(text) for text in texts], dtype=object)


FAULTS = [
    ("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))", Fault.SELF_INTERSECTION, (0.5, 0.5)),
    ("POLYGON ((0 0, 2 0, 2 2, 3 3, 2 2, 0 2, 0 0))", Fault.SELF_INTERSECTION, (2, 2)),
    (f"{SQUARE}, (5 5, 6 5, 6 6, 5 6, 5 5))", Fault.HOLE_OUTSIDE, (5, 5)),
    (f"{SQUARE}, (1 1, 3 1, 3 3, 1 3, 1 1), (1.5 1.5, 2 1.5, 2 2, 1.5 2, 1.5 1.5))", Fault.NESTED_HOLES, (1.5, 1.5)),
    ("MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)), ((1 1, 2 1, 2 2, 1 2, 1 1)))", Fault.NESTED_SHELLS, (1, 1)),
    (f"{SQUARE}, (0 2, 2 0, 4 2, 2 4, 0 2))", Fault.DISCONNECTED, (2, 0)),
    ("POLYGON ((0 0, 0 0, 0 0, 0 0))", Fault.TOO_FEW_POINTS, (0, 0)),
    ("LINESTRING (1 2, 1 2)", Fault.TOO_FEW_POINTS, (1, 2)),
]


@pytest.mark.parametrize(("text", "code", "place"), FAULTS)
def test_a_fault_is_named_and_placed(text: str, code: Fault, place: tuple[float, float]) -> None:
    assert explain(shapely.from_wkt(text)) == Explanation(code, {"x": place[0], "y": place[1]})


def test_a_valid_shape_has_no_fault_and_none_has_one() -> None:
    assert explain(shapely.box(0, 0, 1, 1)) is None
    assert explain(None) == Explanation(Fault.MISSING, {})
    assert explain(shapely.Polygon()) == Explanation(Fault.EMPTY, {})
    assert explain(shapely.Point(np.nan, 1)) == Explanation(Fault.NOT_FINITE, {})
    assert explain(shapely.LineString([(0, 0), (np.inf, 1)])) == Explanation(Fault.NOT_FINITE, {})


@pytest.mark.parametrize(
    ("text", "share"),
    [
        # A spike has no area, a lost corner of a MultiPolygon's overlap has a thousandth of a thousandth.
        ("POLYGON ((0 0, 2 0, 2 2, 3 3, 2 2, 0 2, 0 0))", 1.0),
        (f"{SQUARE}, (0 2, 2 0, 4 2, 2 4, 0 2))", 1.0),
        ("MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)), ((3.999 1, 6 1, 6 2, 3.999 2, 3.999 1)))", 18 / 18.001),
    ],
)
def test_what_keeps_its_area_is_repaired(text: str, share: float) -> None:
    repairs = repair(wkt(text))
    assert repairs.status == [Status.REPAIRED]
    assert repairs.kept_share[0] == pytest.approx(share)
    assert shapely.is_valid(repairs.geometries[0])
    assert repairs.geometries[0].geom_type in ("Polygon", "MultiPolygon")


@pytest.mark.parametrize(
    ("text", "share"),
    [
        # The lobes of a figure of eight cancel out; a square counted twice; a hole that is none; nested shells.
        ("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))", 0.0),
        ("MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)), ((0 0, 4 0, 4 4, 0 4, 0 0)))", 0.5),
        (f"{SQUARE}, (5 5, 6 5, 6 6, 5 6, 5 5))", 15 / 17),
        ("MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)), ((1 1, 2 1, 2 2, 1 2, 1 1)))", 16 / 17),
        ("POLYGON ((0 0, 2 0, 1 0, 0 0))", 0.0),
        ("LINESTRING (1 2, 1 2)", 0.0),
    ],
)
def test_what_does_not_is_refused(text: str, share: float) -> None:
    repairs = repair(wkt(text))
    assert repairs.status == [Status.REFUSED]
    assert repairs.geometries[0] is None
    assert repairs.kept_share[0] == pytest.approx(share)
    assert repairs.faults[0] is not None


def test_how_much_must_be_kept_can_be_said() -> None:
    nested = wkt("MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)), ((1 1, 2 1, 2 2, 1 2, 1 1)))")
    assert repair(nested, keep=0.9).status == [Status.REPAIRED]
    assert repair(nested, keep=0.9).geometries[0].area == 16


def test_valid_shapes_pass_flat_and_missing_ones_are_refused() -> None:
    repairs = repair(wkt("POINT Z (1 2 3)", "LINESTRING M (0 0 1, 1 1 2)", None, "POLYGON EMPTY"))
    assert repairs.status == [Status.VALID, Status.VALID, Status.REFUSED, Status.REFUSED]
    assert shapely.to_wkt(repairs.geometries[0]) == "POINT (1 2)"
    assert not shapely.has_m(repairs.geometries[1])
    assert [fault and fault.code for fault in repairs.faults] == [None, None, Fault.MISSING, Fault.EMPTY]


def test_coordinates_that_are_no_numbers_are_refused() -> None:
    with np.errstate(invalid="ignore"):
        bad = np.array([shapely.Polygon([(0, 0), (1, 0), (np.nan, 1)]), shapely.Point(np.inf, 0)], dtype=object)
        repairs = repair(bad)
    assert repairs.status == [Status.REFUSED] * 2
    assert [fault and fault.code for fault in repairs.faults] == [Fault.NOT_FINITE] * 2


ring = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=8)


@given(st.lists(ring, min_size=1, max_size=5), st.floats(0.5, 1))
def test_whatever_is_drawn_comes_back_valid_and_flat_or_not_at_all(
    rings: list[list[tuple[int, int]]], keep: float
) -> None:
    drawn = np.array([shapely.Polygon(corners) for corners in rings], dtype=object)
    repairs = repair(drawn, keep)
    for before, after, status, share in zip(drawn, repairs.geometries, repairs.status, repairs.kept_share, strict=True):
        if status == Status.REFUSED:
            assert after is None
            assert not before.is_valid
        else:
            assert after.is_valid
            assert after.geom_type in ("Polygon", "MultiPolygon")
            assert after.area >= keep * before.area - 1e-9
            assert share >= keep
        assert (status == Status.VALID) == before.is_valid


@pytest.mark.parametrize(
    ("file", "count", "invalid"), [("admin_cn/taipei_villages", 456, 1), ("incidents/boston_neighborhoods", 26, 4)]
)
def test_real_areas_are_repaired_without_loss(geodata: Path, file: str, count: int, invalid: int) -> None:
    features = json.loads((geodata / f"{file}.geojson").read_text(encoding="utf-8"))["features"]
    areas = np.array([shapely.geometry.shape(feature["geometry"]) for feature in features], dtype=object)
    repairs = repair(areas)
    assert len(repairs.status) == count
    assert repairs.status.count(Status.REPAIRED) == invalid
    assert Status.REFUSED not in repairs.status
    assert repairs.kept_share.min() > 1 - 1e-8


def test_bounds_tell_what_is_wrong_with_a_place() -> None:
    places = [(113, 28), (28, 113), (113, 280), (180.00000000000003, -90), (500000, 3000000)]
    shapes = np.array([*shapely.points(places), None, shapely.Point(), shapely.Point(np.nan, 1)], dtype=object)
    assert check_bounds(shapes) == [
        None,
        Fault.SWAPPED,
        Fault.OUT_OF_RANGE,
        None,
        Fault.OUT_OF_RANGE,
        Fault.MISSING,
        Fault.EMPTY,
        Fault.NOT_FINITE,
    ]


def test_one_coordinate_out_of_many_is_enough_to_be_out_of_bounds() -> None:
    line = shapely.LineString([(113, 28), (114, 28), (190, 28)])
    with np.errstate(invalid="ignore"):
        nan = shapely.LineString([(113, 28), (114, np.nan), (115, 28)])
    assert check_bounds(np.array([line, nan], dtype=object)) == [Fault.OUT_OF_RANGE, Fault.NOT_FINITE]
    assert check_bounds(np.array([line], dtype=object), bounds=(0, 0, 200, 90)) == [None]


def test_parts_know_where_they_came_from() -> None:
    nested = "GEOMETRYCOLLECTION (MULTIPOINT ((1 1), (2 2)), GEOMETRYCOLLECTION (POINT (3 3)))"
    parts, owners = singles(wkt("POINT (0 0)", None, nested, "POLYGON EMPTY", "MULTILINESTRING ((0 0, 1 1))"))
    assert shapely.to_wkt(parts).tolist() == [
        "POINT (0 0)",
        "POINT (1 1)",
        "POINT (2 2)",
        "POINT (3 3)",
        "LINESTRING (0 0, 1 1)",
    ]
    assert owners.tolist() == [0, 2, 2, 2, 4]


def test_everything_becomes_multi_except_what_is_mixed_or_missing() -> None:
    mixed = "GEOMETRYCOLLECTION (POINT (1 1), LINESTRING (0 0, 1 1))"
    multi = as_multi(
        wkt("POLYGON ((0 0, 1 0, 1 1, 0 0))", "MULTIPOINT ((1 1), (2 2))", mixed, None, "LINESTRING EMPTY")
    )
    assert [None if shape is None else shape.geom_type for shape in multi] == [
        "MultiPolygon",
        "MultiPoint",
        "GeometryCollection",
        None,
        "LineString",
    ]
    assert len(multi[1].geoms) == 2
