"""Hotspots: cells, neighbours, density, rates, clusters, default points, repeat places."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import ConvexHull

from spatial import hotspots
from spatial.hotspots import Lattice, Method, Shape

SHAPES = list(Shape)


def test_importing_hotspots_loads_no_slow_library() -> None:
    slow = {"sklearn", "esda", "libpysal", "scipy.stats", "scipy.sparse", "scipy.spatial"}
    said = subprocess.run(
        [sys.executable, "-c", f"import spatial.hotspots, sys; print({slow!r} & set(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "set()"


# ---- cells ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_a_point_lies_in_the_cell_whose_centre_is_nearest(shape: Shape) -> None:
    random, lattice = np.random.default_rng(1), Lattice(36, shape)
    points = random.uniform(-500, 500, (4000, 2))
    cells = lattice.cover(shapely.box(-600, -600, 600, 600))
    away = np.hypot(*(points[:, None] - lattice.centres(cells)[None]).transpose(2, 0, 1))
    if shape == Shape.SQUARE:
        away = np.abs(points[:, None] - lattice.centres(cells)[None]).max(axis=2)
    np.testing.assert_array_equal(lattice.locate(points), cells[away.argmin(axis=1)])


@pytest.mark.parametrize("shape", SHAPES)
def test_cells_tile_the_ground(shape: Shape) -> None:
    lattice = Lattice(36, shape)
    cells = lattice.cover(shapely.box(0, 0, 300, 300))
    outlines = lattice.polygons(cells)
    np.testing.assert_allclose(shapely.area(outlines), lattice.area_m2)
    united = shapely.union_all(shapely.buffer(outlines, 1e-6))
    assert united.area == pytest.approx(lattice.area_m2 * len(cells), rel=1e-5)
    np.testing.assert_array_equal(lattice.locate(lattice.centres(cells)), cells)
    assert shapely.contains_xy(outlines, *lattice.centres(cells).T).all()


def test_a_cell_is_as_wide_as_it_says() -> None:
    west, _south, east, _north = Lattice(36).polygons([[0, 0]])[0].bounds
    assert east - west == pytest.approx(36)


def test_cells_of_an_area_are_those_with_their_centre_inside_and_those_with_something_in_them() -> None:
    lattice, area = Lattice(30), shapely.Point(0, 0).buffer(200)
    cells = lattice.cover(area, also=[[100, 100], [0, 0]])
    assert (100, 100) in set(map(tuple, cells.tolist()))
    assert len(set(map(tuple, cells.tolist()))) == len(cells)
    within = lattice.cover(area)
    assert shapely.contains_xy(area, *lattice.centres(within).T).all()
    assert len(within) * lattice.area_m2 == pytest.approx(area.area, rel=0.03)
    assert len(lattice.cover(None)) == 0


@pytest.mark.parametrize(
    ("shape", "rings", "expected"),
    [
        ("hexagon", 1, 7),
        ("hexagon", 2, 19),
        ("hexagon", 3, 37),
        ("square", 1, 9),
        ("square", 2, 25),
    ],
)
def test_neighbours_are_the_cells_within_some_rings(shape: str, rings: int, expected: int) -> None:
    lattice = Lattice(36, Shape(shape))
    cells = lattice.cover(shapely.box(0, 0, 500, 500))
    near = lattice.neighbours(cells, rings)
    assert near.counts.max() == expected
    centres = lattice.centres(cells)
    apart = np.abs(centres[:, None] - centres[None])
    away = apart.max(axis=2) if shape == "square" else np.hypot(apart[..., 0], apart[..., 1])
    for cell, brute in enumerate(away <= rings * 36 + 1e-6):
        mine = near.indices[near.starts[cell] : near.starts[cell + 1]]
        np.testing.assert_array_equal(mine, np.flatnonzero(brute))


def test_neighbours_of_points_are_those_within_a_distance() -> None:
    points = np.random.default_rng(2).uniform(0, 300, (200, 2))
    near = hotspots.neighbours_within(points, 50)
    brute = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) <= 50
    np.testing.assert_array_equal(near.counts, brute.sum(axis=1))
    np.testing.assert_allclose(near.sums(points), brute.astype(float) @ points)


def test_counts_are_those_of_the_points_inside() -> None:
    lattice = Lattice(36)
    cells = lattice.cover(shapely.box(0, 0, 400, 400))
    points = np.random.default_rng(3).uniform(0, 400, (1000, 2))
    counts = hotspots.count(points, lattice, cells)
    brute = shapely.STRtree(shapely.points(points)).query(lattice.polygons(cells), predicate="contains")[0]
    np.testing.assert_array_equal(counts, np.bincount(brute, minlength=len(cells)))
    np.testing.assert_allclose(hotspots.count(points, lattice, cells, np.full(1000, 2.5)), counts * 2.5)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan")])
def test_a_width_or_bandwidth_of_nothing_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Lattice(wrong)
    with pytest.raises(ValueError, match="greater than 0"):
        hotspots.density([[0, 0]], wrong)


# ---- density -------------------------------------------------------------------------------------------------------


def test_the_density_is_that_of_the_formula() -> None:
    random = np.random.default_rng(4)
    points, asked = random.uniform(0, 400, (300, 2)), random.uniform(50, 350, (100, 2))
    surface = hotspots.density(points, 30)
    away2 = ((asked[:, None] - points[None]) ** 2).sum(axis=2)
    exact = np.exp(-away2 / (2 * 30**2)).sum(axis=1) / (2 * np.pi * 30**2) * 10_000
    np.testing.assert_allclose(surface.at(asked), exact, rtol=0.005)


def test_the_density_agrees_with_scipy() -> None:
    random = np.random.default_rng(5)
    # Points as spread east as north, and independently: then scipy's kernel is round too.
    flat = random.normal(size=(2000, 2))
    flat = (flat - flat.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(flat.T))).T * 200
    theirs = stats.gaussian_kde(flat.T, bw_method=40 / 200)
    nodes = random.uniform(-300, 300, (200, 2))
    np.testing.assert_allclose(
        hotspots.density(flat, 40).at(nodes), theirs(nodes.T) * len(flat) * 10_000, rtol=0.01, atol=1e-3
    )


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=1, max_size=20),
    st.floats(10, 80),
    st.floats(-1e5, 1e5),
)
def test_the_density_adds_up_to_the_points_wherever_they_are(
    points: list[tuple[float, float]], bandwidth: float, shift: float
) -> None:
    surface = hotspots.density(np.array(points) + shift, bandwidth, step_m=bandwidth / 4)
    assert surface.values.sum() * surface.step_m**2 / 10_000 == pytest.approx(len(points), rel=1e-4)
    assert surface.values.min() >= 0


def test_points_beyond_the_raster_reach_into_it_as_far_as_they_do() -> None:
    whole = hotspots.density([[-30.0, 50.0], [400.0, 0.0]], 20, step_m=2.5)
    part = hotspots.density([[-30.0, 50.0], [400.0, 0.0]], 20, step_m=2.5, bounds=(0, 0, 100, 100))
    asked = np.array([[5.0, 50.0], [20.0, 40.0]])
    np.testing.assert_allclose(part.at(asked), whole.at(asked), rtol=0.01)
    assert part.at([[200.0, 50.0]]).tolist() == [0.0]


def test_a_raster_without_measure_is_refused() -> None:
    with pytest.raises(ValueError, match="greater step"):
        hotspots.density([[0, 0], [1e6, 1e6]], 10)
    with pytest.raises(ValueError, match="too great"):
        hotspots.density([[0, 0]], 10, step_m=11)


# ---- rates ---------------------------------------------------------------------------------------------------------


def test_bounds_of_rates_are_the_exact_ones_of_a_poisson_count() -> None:
    cases, homes = np.array([0, 1, 7, 60]), np.array([10, 30, 200, 500])
    found = hotspots.rates(cases, homes)
    np.testing.assert_allclose(found.low[1:], stats.chi2.ppf(0.025, 2 * cases[1:]) / 2 / homes[1:] * 100)
    np.testing.assert_allclose(found.high, stats.chi2.ppf(0.975, 2 * cases + 2) / 2 / homes * 100)
    assert found.low[0] == 0


def test_a_rate_of_few_households_is_drawn_to_the_mean_more_than_one_of_many() -> None:
    found = hotspots.rates([2, 40, 100, 10], [5, 100, 1000, 400])
    drawn = (found.rate - found.smoothed) / (found.rate - found.mean)
    assert drawn[0] > drawn[1] > drawn[2] > 0
    assert found.few.tolist() == [True, False, False, False]


def test_nobody_at_home_is_no_rate() -> None:
    found = hotspots.rates([3, 4], [0, 50])
    assert np.isnan(found.rate[0])
    assert np.isnan(found.smoothed[0])
    assert found.mean == pytest.approx(8.0)
    assert np.isnan(hotspots.rates([1], [0]).mean)


# ---- clusters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(Method))
def test_planted_groups_are_found_with_their_hull_span_and_kinds(method: Method) -> None:
    random = np.random.default_rng(6)
    first, second = random.normal((0, 0), 12, (40, 2)), random.normal((400, 0), 12, (25, 2))
    strays = np.array([[0.0, 900.0], [900.0, 0.0], [900.0, 900.0]])
    xy = np.concatenate([first, second, strays])
    days = np.datetime64("2026-01-01") + np.arange(len(xy)).astype("timedelta64[D]")
    kinds = ["lamp"] * 30 + ["cat"] * 10 + ["lift"] * 25 + ["lamp"] * 3
    labels = hotspots.labels(xy, method=method, distance_m=40)
    found = hotspots.clusters(xy, labels, at=days, kinds=kinds)
    assert [len(one.cases) for one in found] == [40, 25]
    assert found[0].kinds == [("lamp", 30), ("cat", 10)]
    assert (found[1].first, found[1].last) == (np.datetime64("2026-02-10"), np.datetime64("2026-03-06"))
    assert found[0].hull.area > ConvexHull(first).volume
    assert shapely.contains_xy(found[0].hull, *first.T).all()
    assert labels[-3:].tolist() == [-1, -1, -1]


def test_too_few_points_are_no_cluster() -> None:
    assert hotspots.labels([[0, 0], [1, 1]], least_cases=5).tolist() == [-1, -1]
    assert hotspots.clusters(np.zeros((0, 2)), []) == []


# ---- default points ------------------------------------------------------------------------------------------------


def test_boston_has_one_default_point_and_no_honest_place_is_taken_for_one(geodata: Path) -> None:
    rows = outages(geodata)
    (found,) = hotspots.default_points(rows[["LONGITUDE", "LATITUDE"]], rows["Location"].tolist())
    assert (found.x, found.y, len(found.cases)) == (-71.0587, 42.3594, 1039)
    assert found.addresses == 220
    assert found.top_share < 0.05
    # 24 outages at 0 Main Street, and a corner with 13, are honest.
    honest = rows[(rows["LATITUDE"] == 42.3861) & (rows["LONGITUDE"] == -71.0770)]
    assert len(honest) == 24
    assert not set(honest.index) & set(found.cases.tolist())


def test_all_of_bostons_year_has_that_one_default_point(geodata: Path) -> None:
    files = sorted((geodata / "incidents" / "boston_2015").glob("*.csv"))
    rows = pd.concat([pd.read_csv(path, low_memory=False) for path in files], ignore_index=True)
    addresses = rows["Location"].astype(object).where(rows["Location"].notna(), None).tolist()
    found = hotspots.default_points(rows[["LONGITUDE", "LATITUDE"]], addresses)
    assert [(one.x, one.y) for one in found] == [(-71.0587, 42.3594)]


def outages(geodata: Path) -> pd.DataFrame:
    """Boston's street light outages."""
    rows = pd.read_csv(geodata / "incidents" / "boston_2015" / "Street Light Outages.csv", low_memory=False)
    return rows.assign(Location=rows["Location"].astype(object).where(rows["Location"].notna(), None))


@pytest.mark.parametrize(
    ("addresses", "flagged"),
    [
        ([f"梧桐路168弄{number}号楼" for number in range(1, 18)] * 2, True),
        # One house, whatever flat: its cases share its coordinate.
        ([f"梧桐路168弄12号楼{unit}单元{room}室" for unit in (1, 2, 3) for room in range(101, 111)], False),
        (["3号楼2单元"] * 30, False),
        ([None] * 30, False),
        # Most name one place, a few are slips.
        (["3号楼"] * 20 + [f"{number}号楼" for number in range(4, 14)], False),
        ([f"{number} Main St" for number in range(10, 40)], False),
        ([f"{number} Main St" for number in range(10, 4000, 130)], True),
        ([f"{street} St  Boston  MA" for street in ("Oak", "Elm", "Ash")] * 10, False),
    ],
)
def test_a_stack_is_a_default_point_when_its_addresses_disagree(addresses: list[str | None], flagged: bool) -> None:
    assert bool(hotspots.default_points([[120.0, 31.0]] * len(addresses), addresses)) is flagged


def test_cases_nearby_are_no_stack() -> None:
    xy = np.random.default_rng(7).uniform(0, 1, (50, 2))
    assert hotspots.default_points(xy, [f"{number}号楼" for number in range(50)]) == []
    assert hotspots.default_points(np.full((50, 2), np.nan), [f"{number}号楼" for number in range(50)]) == []


# ---- groups, repeat places, coverage -------------------------------------------------------------------------------


def test_repeat_places_come_again_within_the_days_asked_for() -> None:
    at = np.array(["2026-01-01", "2026-03-31", "2026-12-01", "2026-01-01", "2026-06-01"], dtype="datetime64[D]")
    found = hotspots.repeats(["a", "a", "a", "b", "b"], at, within_days=90)
    assert [(one.place, one.cases.tolist(), one.again) for one in found] == [("a", [0, 1, 2], 1)]
    assert hotspots.repeats([None, None], at[:2]) == []


def test_hot_cells_that_nobody_passed_come_most_cases_first_and_what_is_not_known_is_not_accused() -> None:
    hot, cases = [True, True, True, False], [3, 9, 5, 20]
    assert hotspots.unpatrolled(hot, cases, [0.4, 0.0, 0.5, 0.0]).tolist() == [1, 0]
    assert hotspots.unpatrolled(hot, cases, [np.nan] * 4).tolist() == []
