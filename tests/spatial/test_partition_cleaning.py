"""Partitions: faults drawn by hand are measured, random partitions are shaken and cleaned, real areas are tried."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.geometry
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial import datums
from spatial.partition import cleaning
from spatial.shapes import repair
from tests.city import CRS, degrees, rectangle

Geometries = NDArray[np.object_]


def array(*geometries: shapely.Geometry) -> Geometries:
    return np.array(geometries, dtype=object)


def city() -> Geometries:
    """Nine squares of 100 m that tile 300 m by 300 m."""
    return array(*(rectangle(x, y, 100, 100) for y in (0, 100, 200) for x in (0, 100, 200)))


def area_m2(geom: shapely.Geometry) -> float:
    """Area in the metric system, each edge broken into 100 so that what is straight in degrees stays straight."""

    def broken(ring: shapely.LinearRing) -> NDArray[np.float64]:
        xy = shapely.get_coordinates(ring)
        share = np.linspace(0, 1, 100, endpoint=False)[:, None]
        return np.concatenate([a + (b - a) * share for a, b in itertools.pairwise(xy)])

    total = 0.0
    for part in shapely.get_parts(geom):
        if shapely.get_dimensions(part) < 2 or part.is_empty:
            continue
        outer, *holes = (shapely.Polygon(broken(ring)) for ring in shapely.get_rings(part))
        flat = datums.reproject(array(outer, *holes), "EPSG:4326", CRS)
        total += flat[0].area - shapely.area(flat[1:]).sum()
    return float(total)


def real_areas(geodata: Path, file: str) -> Geometries:
    features = json.loads((geodata / f"{file}.geojson").read_text(encoding="utf-8"))["features"]
    return repair(array(*(shapely.geometry.shape(feature["geometry"]) for feature in features))).geometries


def test_squares_that_tile_have_neither_overlaps_nor_gaps() -> None:
    assert cleaning.overlaps(city(), CRS).empty
    assert cleaning.gaps(city(), CRS).empty
    assert cleaning.gaps(city(), CRS, shapely.union_all(city())).empty


def test_an_overlap_is_measured_and_its_owners_named() -> None:
    areas = city()
    areas[4] = rectangle(99, 100, 101, 100)  # one metre into its western neighbour
    found = cleaning.overlaps(areas, CRS)
    assert found[["left", "right"]].to_numpy().tolist() == [[3, 4]]
    assert found["area_m2"].tolist() == pytest.approx([100], rel=1e-4)
    assert found["width_m"].tolist() == pytest.approx([1], abs=0.03)
    assert found.crs == "EPSG:4326"
    assert found.geometry.name == "geom"


def test_overlaps_come_largest_first_and_rounding_is_left_out() -> None:
    areas = array(rectangle(0, 0, 100, 100), rectangle(98, 0, 100, 100), rectangle(0, 90, 100, 100))
    assert cleaning.overlaps(areas, CRS)["area_m2"].tolist() == pytest.approx([1000, 200, 20], rel=1e-3)
    assert len(cleaning.overlaps(areas, CRS, least_m2=100)) == 2
    assert len(cleaning.overlaps(array(rectangle(0, 0, 100, 100), rectangle(99.99999, 0, 100, 100)), CRS)) == 0


def test_a_gap_is_measured_and_its_neighbours_named() -> None:
    areas = np.delete(city(), 4)
    found = cleaning.gaps(areas, CRS)
    assert found["area_m2"].tolist() == pytest.approx([10000], rel=1e-6)
    assert found["touches"].tolist() == [(0, 1, 2, 3, 4, 5, 6, 7)]


def test_a_gap_at_the_edge_is_seen_only_with_an_outline() -> None:
    areas = city()[:8]
    assert cleaning.gaps(areas, CRS).empty
    found = cleaning.gaps(areas, CRS, shapely.union_all(city()))
    assert found["area_m2"].tolist() == pytest.approx([10000], rel=1e-6)
    assert found["touches"].tolist() == [(4, 5, 7)]


def test_overlaps_agree_with_a_geopandas_overlay() -> None:
    rng = np.random.default_rng(7)
    areas = array(*(rectangle(x, y, 80, 60) for x, y in rng.uniform(0, 200, (12, 2))))
    frame = gpd.GeoDataFrame({"at": range(12)}, geometry=areas, crs="EPSG:4326").to_crs(CRS)
    judged = gpd.overlay(frame, frame, keep_geom_type=True)
    judged = judged[judged["at_1"] < judged["at_2"]]
    pairs = {(int(a), int(b)): m2 for a, b, m2 in zip(judged["at_1"], judged["at_2"], judged.area, strict=True)}
    found = cleaning.overlaps(areas, CRS, least_m2=1)
    ours = {(a, b): m2 for a, b, m2 in zip(found["left"], found["right"], found["area_m2"], strict=True)}
    assert ours == pytest.approx({pair: m2 for pair, m2 in pairs.items() if m2 >= 1}, rel=1e-3)


def test_a_coverage_comes_back_untouched() -> None:
    areas = city()
    cleaned = cleaning.clean(areas, 1, CRS)
    assert cleaned.geometries is areas
    assert cleaned.moved_m2.tolist() == [0] * 9


def test_a_narrow_overlap_goes_to_one_side_and_the_rest_stays() -> None:
    areas = city()
    areas[4] = rectangle(99.8, 100, 100.2, 100)
    cleaned = cleaning.clean(areas, 0.5, CRS)
    assert cleaning.overlaps(cleaned.geometries, CRS, least_m2=0).query("area_m2 > 1e-6").empty
    assert shapely.coverage_is_valid(cleaned.geometries)
    # 20 m² are taken from one of the two; the others gain and lose nothing.
    assert sorted(cleaned.moved_m2.round(1).tolist()) == [0] * 8 + [pytest.approx(20, abs=0.1)]
    assert area_m2(shapely.union_all(cleaned.geometries)) == pytest.approx(90000, abs=0.1)


def test_a_narrow_gap_is_closed_and_a_wide_one_stays() -> None:
    areas = city()
    areas[4] = rectangle(100.3, 100, 99.7, 100)
    assert cleaning.gaps(cleaning.clean(areas, 0.5, CRS).geometries, CRS).empty
    assert len(cleaning.gaps(cleaning.clean(areas, 0.2, CRS).geometries, CRS)) == 1


def test_a_slit_that_opens_to_the_outside_is_closed_as_well() -> None:
    areas = array(rectangle(0, 0, 100, 100), rectangle(100.2, 0, 100, 100))
    cleaned = cleaning.clean(areas, 0.5, CRS)
    whole = shapely.union_all(cleaned.geometries)
    assert whole.geom_type == "Polygon"
    assert area_m2(whole) == pytest.approx(200.2 * 100, abs=0.1)


def test_an_inlet_of_one_area_is_its_shape() -> None:
    inlet = shapely.difference(rectangle(0, 0, 100, 100), rectangle(50, 50, 0.2, 60))
    areas = array(inlet, rectangle(100, 0, 100, 100))
    assert cleaning.clean(areas, 0.5, CRS).moved_m2.tolist() == [0, 0]


def test_areas_are_cut_along_an_outline_and_filled_up_to_it() -> None:
    areas = city()
    areas[0] = rectangle(-0.2, 0, 100.2, 100)
    areas[8] = rectangle(200, 200, 99.8, 100)
    outline = rectangle(0, 0, 300, 300)
    cleaned = cleaning.clean(areas, 0.5, CRS, outline)
    whole = shapely.union_all(cleaned.geometries)
    assert area_m2(shapely.symmetric_difference(whole, outline)) < 1e-3
    assert cleaning.gaps(cleaned.geometries, CRS, outline).empty


def test_a_fault_too_wide_for_a_slip_is_refused_with_its_owners() -> None:
    areas = city()
    areas[4] = rectangle(90, 100, 110, 100)
    with pytest.raises(cleaning.OverlapTooWide) as caught:
        cleaning.clean(areas, 1, CRS)
    assert caught.value.pairs == [(3, 4, pytest.approx(1000, rel=1e-3))]
    with pytest.raises(cleaning.BeyondOutline) as beyond:
        cleaning.clean(city(), 1, CRS, rectangle(0, 0, 300, 290))
    assert beyond.value.positions == [6, 7, 8]


def test_an_area_that_would_vanish_is_refused() -> None:
    sliver = rectangle(50, 0, 0.2, 100)
    with pytest.raises(cleaning.CannotClean, match="vanish"):
        cleaning.clean(np.append(city(), sliver), 0.5, CRS)


@pytest.mark.parametrize("bad", [None, shapely.Point(120, 30), shapely.Polygon(), "bow-tie"])
def test_what_is_no_valid_polygon_is_refused_with_its_position(bad: shapely.Geometry | str | None) -> None:
    bow_tie = shapely.Polygon([(120, 30), (121, 31), (121, 30), (120, 31)])
    areas = array(rectangle(0, 0, 1, 1), bow_tie if bad == "bow-tie" else bad)
    for check in (cleaning.overlaps, cleaning.gaps):
        with pytest.raises(cleaning.InvalidAreas) as caught:
            check(areas, CRS)
        assert caught.value.positions == [1]
    with pytest.raises(cleaning.InvalidAreas):
        cleaning.clean(areas, 1, CRS)


@pytest.mark.parametrize("tolerance_m", [0, -1, float("nan")])
def test_a_tolerance_that_is_no_width_is_refused(tolerance_m: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        cleaning.clean(city(), tolerance_m, CRS)


def partition(seed: int, count: int) -> tuple[Geometries, shapely.Geometry]:
    """About a square kilometre split around random points, and its outline."""
    rng = np.random.default_rng(seed)
    outline = shapely.box(120, 30, 120.01, 30.01)
    sites = shapely.multipoints(rng.uniform((120, 30), (120.01, 30.01), (count, 2)))
    cells = shapely.get_parts(shapely.voronoi_polygons(sites, extend_to=outline))
    return shapely.intersection(cells, outline), outline


def shaken(areas: Geometries, seed: int, by_m: float) -> Geometries:
    """Each area with more vertices, each of which has moved by at most ``by_m`` in both directions."""
    rng = np.random.default_rng(seed)

    def shake(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        moved = xy[:-1] + rng.uniform(-by_m, by_m, (len(xy) - 1, 2)) / 111000
        return np.vstack([moved, moved[:1]])

    return array(*(shapely.transform(area, shake) for area in shapely.segmentize(areas, 0.001)))


@given(st.integers(0, 10_000), st.integers(3, 30), st.sampled_from([0.01, 0.1, 0.3]))
@settings(max_examples=25, deadline=None)
def test_a_shaken_partition_tiles_the_whole_again_and_nothing_moves_far(seed: int, count: int, by_m: float) -> None:
    exact, outline = partition(seed, count)
    areas = shaken(exact, seed, by_m)
    if not shapely.is_valid(areas).all():
        return
    tolerance_m = 6 * by_m
    cleaned = cleaning.clean(areas, tolerance_m, CRS, outline)
    assert shapely.is_valid(cleaned.geometries).all()
    assert shapely.coverage_is_valid(cleaned.geometries)
    whole = shapely.coverage_union_all(cleaned.geometries)
    assert area_m2(shapely.symmetric_difference(whole, outline)) < 1e-2
    sizes_m2 = [area_m2(area) for area in cleaned.geometries]
    assert sum(sizes_m2) == pytest.approx(area_m2(outline), abs=1e-2)
    for before, after, moved_m2 in zip(areas, cleaned.geometries, cleaned.moved_m2, strict=True):
        length_m = shapely.length(datums.reproject(array(before), "EPSG:4326", CRS)[0])
        assert moved_m2 <= length_m * 3 * by_m
        assert moved_m2 == pytest.approx(area_m2(shapely.symmetric_difference(before, after)), abs=0.05)


@given(st.integers(0, 10_000), st.integers(3, 30))
@settings(max_examples=25, deadline=None)
def test_an_exact_partition_is_found_exact_and_keeps_its_areas(seed: int, count: int) -> None:
    areas, _ = partition(seed, count)
    assert cleaning.overlaps(areas, CRS).empty
    assert cleaning.gaps(areas, CRS).empty
    cleaned = cleaning.clean(areas, 1, CRS)
    assert [area_m2(area) for area in cleaned.geometries] == pytest.approx([area_m2(a) for a in areas], abs=0.01)
    assert shapely.coverage_is_valid(cleaned.geometries)


@given(st.integers(0, 10_000), st.integers(3, 20), st.integers(0, 19))
@settings(max_examples=25, deadline=None)
def test_what_is_left_out_is_the_gap_and_what_is_doubled_the_overlap(seed: int, count: int, which: int) -> None:
    areas, outline = partition(seed, count)
    at = which % len(areas)
    gap = cleaning.gaps(np.delete(areas, at), CRS, outline)
    assert gap["area_m2"].sum() == pytest.approx(area_m2(areas[at]), rel=3e-6, abs=0.02)
    twice = cleaning.overlaps(np.append(areas, areas[at]), CRS, least_m2=0.1)
    assert twice[["left", "right"]].to_numpy().tolist() == [[at, len(areas)]]
    assert twice["area_m2"].sum() == pytest.approx(area_m2(areas[at]), rel=3e-6, abs=0.02)


def test_taipei_is_a_coverage_and_stays_as_it_is(geodata: Path) -> None:
    areas = real_areas(geodata, "admin_cn/taipei_villages")
    assert cleaning.overlaps(areas, "EPSG:4549").empty
    assert cleaning.gaps(areas, "EPSG:4549").empty
    assert cleaning.clean(areas, 1, "EPSG:4549").geometries is areas


def test_boston_has_one_overlap_and_is_cleaned_once_the_tolerance_allows_it(geodata: Path) -> None:
    areas = real_areas(geodata, "incidents/boston_neighborhoods")
    found = cleaning.overlaps(areas, "EPSG:32619")
    assert found[["left", "right"]].to_numpy().tolist() == [[4, 24]]
    assert found["area_m2"].tolist() == pytest.approx([30.6], abs=0.1)
    assert not shapely.coverage_is_valid(areas)
    with pytest.raises(cleaning.OverlapTooWide):
        cleaning.clean(areas, 1, "EPSG:32619")
    cleaned = cleaning.clean(areas, 5, "EPSG:32619")
    assert shapely.coverage_is_valid(cleaned.geometries)
    assert cleaning.overlaps(cleaned.geometries, "EPSG:32619").empty
    assert cleaned.moved_m2.sum() < 50
    # What 0.58 km² leaves open between two neighbourhoods is wide and may be meant.
    assert cleaning.gaps(cleaned.geometries, "EPSG:32619")["area_m2"].tolist() == pytest.approx([578900], rel=1e-3)


@pytest.mark.parametrize("depth_m", [0.2, 0.64, 1.3])
def test_the_width_that_is_stated_is_enough_to_clean_and_a_narrower_one_is_not(depth_m: float) -> None:
    wedge = shapely.Polygon([(0, 0), (100, 0), (100, 100), (0, 100), (0, 50), (-2 * depth_m, 40), (0, 30)])
    areas = array(
        rectangle(-100, 0, 100, 100), shapely.transform(wedge, lambda xy: np.array([degrees(*at) for at in xy]))
    )
    (width_m,) = cleaning.overlaps(areas, CRS)["width_m"]
    cleaning.clean(areas, width_m, CRS)
    with pytest.raises(cleaning.OverlapTooWide):
        cleaning.clean(areas, 0.9 * width_m - 0.01, CRS)
