"""Cells tile their site, hold their building whole, and follow streets."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial.partition import cells


def check(laid: NDArray[np.object_], footprints: NDArray[np.object_], site: shapely.Geometry) -> None:
    """They tile, and no footprint is cut."""
    assert shapely.coverage_is_valid(laid)
    assert shapely.area(laid).sum() == pytest.approx(shapely.area(site), rel=1e-9)
    inside = shapely.intersection(footprints, site)
    assert shapely.area(shapely.difference(inside, laid)).max() < 0.05
    assert shapely.is_valid(laid).all()


def terraced(random: np.random.Generator, rows: int = 4, across: int = 5) -> NDArray[np.object_]:
    """Houses in lots of thirty metres; some stand wall to wall."""
    houses = []
    for row in range(rows):
        for column in range(across):
            x, y = 30 * column, 30 * row
            left, right = random.uniform(0, 6, 2) * random.integers(0, 2, 2)
            low, high = random.uniform(2, 10, 2)
            houses.append(shapely.box(x + left, y + low, x + 30 - right, y + 30 - high))
    return np.array(houses, dtype=object)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_cells_tile_the_site_and_no_building_is_cut(seed: int, hole: bool) -> None:
    random = np.random.default_rng(seed)
    footprints = terraced(random)
    site = shapely.box(-10, -10, 160, 130)
    if hole:
        site = site.difference(shapely.box(62, 0.3, 70, 1.9))
    street = shapely.LineString([(-10, 60), (75, 61), (160, random.uniform(59, 61))])
    check(cells.around(footprints, site, np.array([street], dtype=object)), footprints, site)


def test_a_street_parts_what_lies_on_either_side() -> None:
    footprints = np.array([shapely.box(10, 10, 20, 20), shapely.box(10, 80, 20, 90)], dtype=object)
    site = shapely.box(0, 0, 100, 100)
    street = shapely.LineString([(0, 30), (100, 30)])
    lower, upper = cells.around(footprints, site, np.array([street], dtype=object))
    assert (lower.area, upper.area) == (pytest.approx(3000), pytest.approx(7000))
    alone_lower, _upper = cells.around(footprints, site)
    assert alone_lower.area == pytest.approx(5000, rel=0.02), "without the street the border lies in the middle"


def test_a_block_without_buildings_joins_a_neighbour() -> None:
    footprints = np.array([shapely.box(10, 10, 20, 20), shapely.box(10, 40, 20, 50)], dtype=object)
    site = shapely.box(0, 0, 100, 100)
    streets = np.array([shapely.LineString([(0, y), (100, y)]) for y in (30, 60)], dtype=object)
    lower, upper = cells.around(footprints, site, streets)
    assert (lower.area, upper.area) == (pytest.approx(3000), pytest.approx(7000))


def test_a_building_outside_the_site_is_named() -> None:
    footprints = np.array([shapely.box(0, 0, 1, 1), shapely.box(200, 0, 201, 1)], dtype=object)
    with pytest.raises(cells.CannotDraw) as caught:
        cells.around(footprints, shapely.box(0, 0, 100, 100))
    assert caught.value.positions == [1]


def test_a_real_block_with_its_streets_is_tiled(geodata: Path) -> None:
    footprints, lines = (
        np.asarray(
            gpd.GeoSeries(shapely.get_parts(shapely.from_geojson(path.read_text())), crs=4326).to_crs(32650).array
        )
        for path in (geodata / "buildings" / f"wuhan_{name}_osm.geojson" for name in ("buildings", "roads"))
    )
    footprints = footprints[(shapely.get_dimensions(footprints) == 2) & shapely.is_valid(footprints)]
    left, right = shapely.STRtree(footprints).query(footprints, predicate="intersects")
    common = shapely.area(shapely.intersection(footprints[left], footprints[right]))
    footprints = np.delete(footprints, np.unique(right[(left < right) & (common > 0.01)]))
    site = shapely.box(*shapely.total_bounds(footprints)).buffer(20)
    check(cells.around(footprints, site, lines), footprints, site)
