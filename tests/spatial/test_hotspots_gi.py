"""Gi*: against esda, against all arrangements there are, under changes that must not matter, and by chance alone."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spatial import hotspots
from spatial.hotspots import Heat, Lattice, Neighbours

LATTICE = Lattice(36)
CELLS = LATTICE.cover(shapely.box(0, 0, 500, 500))
NEAR = LATTICE.neighbours(CELLS, 2)


def theirs(values: np.ndarray, near: Neighbours, permutations: int = 0) -> Any:
    """esda's Gi* on the same binary weights, itself included."""
    with warnings.catch_warnings():
        # The weights are written to their graph cell by cell, of which libpysal warns, and numba is absent.
        warnings.simplefilter("ignore")
        from esda.getisord import G_Local
        from libpysal.weights import W

        rows = {cell: near.indices[near.starts[cell] : near.starts[cell + 1]].tolist() for cell in range(len(values))}
        return G_Local(
            values,
            W(rows, silence_warnings=True),
            transform="B",
            star=True,
            permutations=permutations,
            keep_simulations=False,
            n_jobs=1,
            seed=1,
        )


@pytest.mark.parametrize("rings", [1, 2, 3])
def test_z_and_p_are_those_of_esda(rings: int) -> None:
    values = np.random.default_rng(rings).poisson(0.7, len(CELLS)).astype(float)
    near = LATTICE.neighbours(CELLS, rings)
    ours, other = hotspots.gi_star(values, near), theirs(values, near)
    np.testing.assert_allclose(ours.z, other.Zs, atol=1e-10)
    np.testing.assert_allclose(ours.p, 2 * other.p_norm, atol=1e-12)


def test_pseudo_p_are_those_of_esda_as_far_as_draws_tell() -> None:
    # Without ties: of those esda counts only one side.
    values = np.random.default_rng(5).gamma(0.5, 2, len(CELLS))
    ours = hotspots.gi_star(values, NEAR, permutations=99_999, seed=1).p_permuted
    draws = 4_999
    other = np.minimum(1, 2 * theirs(values, NEAR, draws).p_sim)
    assert ours is not None
    spread = np.sqrt(ours / 2 * (1 - ours / 2) / draws) * 2
    assert (np.abs(ours - other) <= 4.5 * spread + 4 / draws).all()


def test_pseudo_p_are_those_of_all_arrangements_there_are() -> None:
    values = np.array([0.0, 3.0, 1.0, 0.0, 7.0, 2.0, 5.0, 0.0, 1.0])
    line = LATTICE.neighbours([[column, 0] for column in range(9)], 1)
    found = hotspots.gi_star(values, line, permutations=99_999, seed=3)
    assert found.p_permuted is not None
    for cell in range(9):
        others = np.delete(values, cell)
        sums = np.array([sum(drawn) for drawn in combinations(others, int(line.counts[cell]) - 1)])
        own = found.sums[cell] - values[cell]
        exact = min(1.0, 2 * min((sums >= own).mean(), (sums <= own).mean()))
        assert found.p_permuted[cell] == pytest.approx(exact, abs=0.01)


def test_without_condition_pseudo_p_are_those_of_all_choices_of_cells() -> None:
    values = np.array([0.0, 3.0, 1.0, 0.0, 7.0, 2.0, 5.0, 0.0, 1.0])
    line = LATTICE.neighbours([[column, 0] for column in range(9)], 1)
    found = hotspots.gi_star(values, line, permutations=99_999, conditional=False, seed=3)
    assert found.p_permuted is not None
    for cell in range(9):
        sums = np.array([sum(drawn) for drawn in combinations(values, int(line.counts[cell]))])
        exact = min(1.0, 2 * min((sums >= found.sums[cell]).mean(), (sums <= found.sums[cell]).mean()))
        assert found.p_permuted[cell] == pytest.approx(exact, abs=0.01)


def test_the_same_seed_gives_the_same_and_another_seed_nearly_the_same() -> None:
    values = np.random.default_rng(6).poisson(1, len(CELLS))
    one, two, other = (hotspots.gi_star(values, NEAR, permutations=9_999, seed=seed).p_permuted for seed in (1, 1, 2))
    assert one is not None
    assert other is not None
    np.testing.assert_array_equal(one, two)
    assert 0 < np.abs(one - other).max() < 0.05


def test_values_that_are_all_alike_are_neither_hot_nor_cold() -> None:
    for values in (np.zeros(len(CELLS)), np.full(len(CELLS), 0.1)):
        found = hotspots.gi_star(values, NEAR, permutations=99, seed=1)
        assert np.isnan(found.z).all()
        assert (found.p == 1).all()
        assert found.p_permuted is not None
        assert (found.p_permuted == 1).all()
    empty = hotspots.gi_star([], LATTICE.neighbours(np.empty((0, 2), dtype=np.int64), 2), permutations=99)
    assert len(empty.z) == 0


counted = st.lists(st.integers(0, 9), min_size=30, max_size=60)


@settings(max_examples=40, deadline=None)
@given(counted, st.integers(1, 50), st.integers(-1000, 1000), st.integers(-1000, 1000), st.randoms())
def test_scale_place_and_order_do_not_matter(counts: list[int], times: int, east: int, north: int, order: Any) -> None:
    values = np.array(counts, dtype=float)
    cells = CELLS[: len(values)]
    usual = hotspots.gi_star(values, LATTICE.neighbours(cells, 1))
    np.testing.assert_allclose(hotspots.gi_star(values * times, LATTICE.neighbours(cells, 1)).z, usual.z, atol=1e-9)
    moved = LATTICE.neighbours(cells + np.array([east, north]), 1)
    np.testing.assert_allclose(hotspots.gi_star(values, moved).z, usual.z, atol=1e-9)
    turned = list(range(len(values)))
    order.shuffle(turned)
    shuffled = hotspots.gi_star(values[turned], LATTICE.neighbours(cells[turned], 1))
    np.testing.assert_allclose(shuffled.z, usual.z[turned], atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_the_correction_is_that_of_benjamini_and_hochberg(p: list[float]) -> None:
    np.testing.assert_allclose(hotspots.false_discovery(p), stats.false_discovery_control(p, method="bh"), atol=1e-12)


def test_heat_has_the_steps_of_the_legend() -> None:
    q = [0.01, 0.05, 0.10, 0.11, 0.10, 0.05, 0.01]
    assert hotspots.heat([1, 1, 1, 1, -1, -1, -1], q) == list(Heat)


def test_groups_are_hot_cells_that_touch() -> None:
    chosen = np.zeros(len(CELLS), dtype=bool)
    centres = LATTICE.centres(CELLS)
    for spot in ((100, 100), (400, 400)):
        chosen |= np.hypot(*(centres - spot).T) < 50
    groups = hotspots.groups(chosen, LATTICE.neighbours(CELLS, 1))
    assert sorted(set(groups.tolist())) == [-1, 0, 1]
    assert ((groups >= 0) == chosen).all()


def test_periods_before_count_as_near() -> None:
    cube = np.random.default_rng(8).poisson(1.0, (len(CELLS), 6)).astype(float)
    found = hotspots.gi_star_in_time(cube, NEAR, lags=1)
    # The same by brute force: every cell of every period is a place of its own.
    cell, period = 30, 4
    near = NEAR.indices[NEAR.starts[cell] : NEAR.starts[cell + 1]]
    held, k, n = cube[near][:, period - 1 : period + 1].sum(), 2 * len(near), cube.size
    z = (held - cube.mean() * k) / (cube.std() * np.sqrt(k * (n - k) / (n - 1)))
    assert found.z[cell, period] == pytest.approx(z)
    first = (cube[near][:, 0].sum() - cube.mean() * len(near)) / (
        cube.std() * np.sqrt(len(near) * (n - len(near)) / (n - 1))
    )
    assert found.z[cell, 0] == pytest.approx(first)
    drawn = hotspots.gi_star_in_time(cube, NEAR, permutations=999, seed=1).p_permuted
    assert drawn is not None
    assert drawn.shape == cube.shape
