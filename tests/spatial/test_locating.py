"""Locating: nine grids of 100 m by hand, real incidents against geopandas, nearest against brute force."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial import datums, locating, shapes
from tests.city import CRS, degrees, rectangle

# A plain 3 × 3 city of 100 m squares, A1 in the south-west; columns are letters, rows numbers.
CODES = [f"{column}{row}" for row in (1, 2, 3) for column in "ABC"]
GRIDS = np.array([shapely.box(x, y, x + 100, y + 100) for y in (0, 100, 200) for x in (0, 100, 200)], dtype=object)


def where(*points: tuple[float, float]) -> list[str | None]:
    found = locating.points_in_areas(shapely.points(points), GRIDS, CODES)
    return [CODES[at] if at >= 0 else None for at in found]


def test_a_point_lies_in_the_grid_that_covers_it() -> None:
    assert where((50, 50), (150, 50), (250, 250), (301, 50), (-1, -1)) == ["A1", "B1", "C3", None, None]


def test_a_point_on_a_boundary_belongs_to_the_lowest_code() -> None:
    # Between A1 and B1, between A1 and A2, in the corner of A1, B1, A2 and B2, on the outside, in the far corner.
    assert where((100, 50), (50, 100), (100, 100), (0, 0), (300, 300)) == ["A1", "A1", "A1", "A1", "C3"]


@given(st.permutations(range(9)))
@settings(max_examples=20)
def test_the_order_in_which_areas_are_handed_in_does_not_matter(order: list[int]) -> None:
    points = shapely.points([[x, y] for x in range(0, 301, 50) for y in range(0, 301, 50)])
    straight = locating.points_in_areas(points, GRIDS, CODES)
    mixed = locating.points_in_areas(points, GRIDS[order], [CODES[at] for at in order])
    assert [CODES[at] for at in straight] == [CODES[order[at]] for at in mixed]


@given(hnp.arrays(float, st.tuples(st.integers(0, 40), st.just(2)), elements=st.floats(-50, 350)))
def test_every_point_is_where_a_division_by_hand_puts_it(xy: np.ndarray) -> None:
    found = locating.points_in_areas(shapely.points(xy), GRIDS, CODES)
    for (x, y), at in zip(xy, found, strict=True):
        if not (0 <= x <= 300 and 0 <= y <= 300):
            assert at == -1
            continue
        # The lower neighbour has the boundary, except outside the first grid.
        column, row = (max(int(np.ceil(value / 100)) - 1, 0) for value in (x, y))
        inside = int(at) % 3, int(at) // 3
        # Codes sort by column before row, so does the rule.
        assert inside == (column, row)


def test_missing_points_and_areas_are_nowhere() -> None:
    points = np.array([None, shapely.Point(), shapely.Point(50, 50)], dtype=object)
    assert locating.points_in_areas(points, GRIDS, CODES).tolist() == [-1, -1, 0]
    nothing = np.empty(0, dtype=object)
    assert locating.points_in_areas(points, nothing, []).tolist() == [-1, -1, -1]
    assert locating.points_in_areas(nothing, GRIDS, CODES).tolist() == []
    assert locating.points_in_areas(points, np.array([None, GRIDS[0]], dtype=object), [1, 2]).tolist() == [-1, -1, 1]


def test_boston_incidents_are_counted_as_geopandas_counts_them(geodata: Path) -> None:
    areas = gpd.read_file(geodata / "incidents" / "boston_neighborhoods.geojson")
    areas["geometry"] = shapes.repair(np.asarray(areas.geometry.values, dtype=object)).geometries
    files = sorted((geodata / "incidents" / "boston_2015").glob("*.csv"))
    rows = pd.concat([pd.read_csv(file, usecols=["LATITUDE", "LONGITUDE"]) for file in files], ignore_index=True)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(rows.LONGITUDE, rows.LATITUDE), crs="EPSG:4326")
    names = areas["name"].tolist()
    found = locating.points_in_areas(np.asarray(points.geometry.values, dtype=object), areas.geometry.values, names)

    joined = points.sjoin(areas[["name", "geometry"]], predicate="intersects")
    # Where geopandas finds several, the rule is the lowest name.
    judged = joined.groupby(level=0)["name"].min().reindex(range(len(points)))
    ours = pd.Series([names[at] if at >= 0 else None for at in found])
    assert len(points) == 23064
    assert ours.value_counts().to_dict() == judged.value_counts().to_dict()
    assert (ours.isna() == judged.isna()).all()


def test_the_nearest_building_is_found_within_the_limit() -> None:
    houses = np.array([rectangle(0, 0, 10, 10), rectangle(50, 0, 10, 10)], dtype=object)
    points = shapely.points([degrees(5, 5), degrees(20, 5), degrees(44, 5), degrees(30, 200)])
    at, distance_m = locating.nearest(points, houses, 30, CRS)
    assert at.tolist() == [0, 0, 1, -1]
    np.testing.assert_allclose(distance_m, [0, 10, 6, np.nan], atol=1e-6)


def test_of_buildings_equally_near_the_first_is_taken() -> None:
    house = rectangle(0, 0, 10, 10)
    at, _ = locating.nearest(shapely.points([degrees(5, 5)]), np.array([house, house, house], dtype=object), 1, CRS)
    assert at.tolist() == [0]


def test_missing_points_are_near_nothing_and_nothing_is_near_where_nothing_is() -> None:
    points = np.array([None, shapely.Point(), shapely.Point(*degrees(0, 0))], dtype=object)
    house = np.array([rectangle(0, 0, 10, 10)], dtype=object)
    assert locating.nearest(points, house, 5, CRS)[0].tolist() == [-1, -1, 0]
    at, distance_m = locating.nearest(points, np.empty(0, dtype=object), 5, CRS)
    assert at.tolist() == [-1, -1, -1]
    assert np.isnan(distance_m).all()


@pytest.mark.parametrize("limit_m", [0, -1, float("nan")])
def test_a_limit_that_is_no_length_is_refused(limit_m: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        locating.nearest(np.empty(0, dtype=object), np.empty(0, dtype=object), limit_m, CRS)


@given(hnp.arrays(float, (12, 2), elements=st.floats(-200, 200)), st.floats(1, 200))
@settings(max_examples=30, deadline=None)
def test_nearest_agrees_with_measuring_everything(xy: np.ndarray, limit_m: float) -> None:
    houses = np.array([rectangle(x, y, 5, 5) for x, y in xy[:6]], dtype=object)
    points = shapely.points([degrees(x, y) for x, y in xy[6:]])
    at, distance_m = locating.nearest(points, houses, limit_m, CRS)
    flat_houses = datums.reproject(houses, "EPSG:4326", CRS)
    flat_points = datums.reproject(points, "EPSG:4326", CRS)
    measured = shapely.distance(flat_points[:, None], flat_houses[None, :])
    for row, (found, metres) in enumerate(zip(at, distance_m, strict=True)):
        least = measured[row].min()
        if abs(least - limit_m) < 1e-6:
            continue
        assert (found >= 0) == (least <= limit_m)
        if found >= 0:
            assert metres == pytest.approx(least, abs=1e-9)
            assert measured[row, found] == pytest.approx(least, abs=1e-9)
