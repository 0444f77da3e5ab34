"""Large grounds: every small grid is found, the bound is one, and the division keeps what is asked and is near it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial.partition import cities, columns, growing, halving, prices
from spatial.partition.columns import TooMany
from spatial.partition.ground import Ground, part, pieces
from spatial.partition.proposals import NOBODY, Asked, Division, NoDivision, OutOfTime, Table, Weights
from tests.spatial.test_partition_proposals import chequered, connected

ROUND = Weights(households=0)


def streets(rows: int, across: int, seed: int = 1) -> Ground:
    """Houses of 16 to 64 households side by side."""
    return chequered(np.random.default_rng(seed).integers(16, 65, (rows, across)))


def assert_kept(ground: Ground, division: Division, asked: Asked) -> None:
    """Each grid is connected and within the bounds, and as many were made as asked."""
    households = np.bincount(division.grid, ground.households)
    assert (households >= asked.least).all()
    assert (households <= asked.most).all()
    assert asked.count in (None, division.count)
    for grid in range(division.count):
        assert connected(ground, tuple(np.flatnonzero(division.grid == grid).tolist()))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=12), st.integers(0, 12), st.integers(0, 15))
def test_the_grids_grown_from_roots_are_all_there_are(numbers: list[int], least: int, wider: int) -> None:
    site = chequered(np.array(numbers).reshape(3, 4))
    found = growing.all_of(site, least, least + wider, lambda scores, _cells: 1 - scores.compactness)
    expected = columns.all_of(site, least, least + wider)
    costs = {
        frozenset(np.flatnonzero(m).tolist()): 1 - c for m, c in zip(expected.member, expected.compactness, strict=True)
    }
    sets = [frozenset(cells.tolist()) for group in found for cells in group.cells]
    assert len(sets) == len(set(sets)) == len(costs)
    for group in found:
        assert (np.diff(group.cells[:, 0]) >= 0).all()
        for cells, cost in zip(group.cells, group.cost, strict=True):
            assert cells[0] == cells.min()
            assert cost == pytest.approx(costs[frozenset(cells.tolist())])


def test_too_many_grids_are_told_before_memory_is_gone() -> None:
    site = chequered(np.ones((8, 8), dtype=np.int64))
    with pytest.raises(TooMany):
        growing.all_of(site, 8, 30, lambda scores, _cells: scores.compactness, limit=10_000)
    assert growing.estimated(site, 30, 10_000) == math.inf


def test_halves_hang_together_and_hold_what_their_grids_need() -> None:
    site = streets(12, 12)
    count = round(int(site.households.sum()) / 175)
    whole = halving.Part(np.arange(len(site)), count)
    parts = halving.halved(site, whole, (150, 200), grids=3, cells=0, random=np.random.default_rng(2))
    assert sorted(np.concatenate([one.cells for one in parts]).tolist()) == list(range(len(site)))
    assert sum(one.count for one in parts) == count
    assert all(one.count <= 3 for one in parts)
    assert all(pieces(part(site, one.cells)).max() == 0 for one in parts)


def test_no_division_costs_less_than_the_bound_of_the_prices() -> None:
    site, asked = streets(6, 6), Asked(150, 200, 8)
    exact = Table(site, asked).best(ROUND)
    groups = growing.all_of(site, 150, 200, lambda scores, _cells: 1 - scores.compactness)
    tiles = [[np.arange(0, 18), np.arange(18, 36)], [np.arange(0, 9), np.arange(9, 36)]]
    found = prices.found(groups, site.households, 8, tiles)
    assert min(found.reduced(group).min() for group in groups) > -1e-9
    assert exact.bound is not None
    assert exact.bound * 0.8 < found.bound <= exact.bound + 1e-9
    # Also of prices that are far too high.
    mended = prices.mended(groups, found.cell * 3, found.grid, 8)
    assert mended.bound <= exact.bound + 1e-9


def test_a_division_of_many_is_within_bounds_and_near_the_linear_bound() -> None:
    site = streets(13, 13)
    asked = Asked(150, 200, round(int(site.households.sum()) / 175))
    division = cities.best(site, asked, ROUND, seed=3)
    assert_kept(site, division, asked)
    assert not division.proven
    assert division.bound is not None
    assert division.gap is not None
    assert 0 < division.gap < 0.15
    outlines = columns.described(site, columns.packed(np.eye(division.count, dtype=bool)[division.grid].T))
    assert division.cost == pytest.approx((1 - outlines.compactness).sum())


def test_the_same_seed_divides_alike() -> None:
    site = streets(11, 11)
    asked = Asked(150, 200, round(int(site.households.sum()) / 175))
    one, other = (cities.City(site, asked, ROUND, seed=5).best() for _time in range(2))
    assert one.grid.tolist() == other.grid.tolist()
    assert one.cost == other.cost


def test_what_is_small_is_proven() -> None:
    site, asked = streets(5, 6), Asked(150, 200, 7)
    division = cities.best(site, asked, ROUND)
    assert division.proven
    assert division.gap == 0
    near = cities.City(site, asked, ROUND).best()
    assert_kept(site, near, asked)
    assert near.bound is not None
    assert near.bound - 1e-9 <= division.cost <= near.cost + 1e-9


def test_locks_groups_and_today_are_kept_on_a_large_ground_too() -> None:
    site = streets(12, 12, seed=4)
    today = np.repeat(np.arange(4), 36)
    groups = np.full(144, NOBODY)
    groups[[50, 51]], groups[[110, 122]] = 1, 2
    rest = int(site.households[today != 2].sum())
    asked = Asked(150, 200, round(rest / 175) + 1, today=today, locked=frozenset({2}), groups=groups)
    division = cities.best(site, asked, Weights(households=0, stay=0.5))
    assert division.count == asked.count
    assert (division.grid[today == 2] == 0).all()
    assert (division.grid[today != 2] != 0).all()
    assert division.grid[50] == division.grid[51]
    assert division.grid[110] == division.grid[122]
    households = np.bincount(division.grid, site.households)[1:]
    assert (households >= 150).all()
    assert (households <= 200).all()
    # What moves is counted against the best way to name the grids.
    kept = [
        sum(
            site.households[(division.grid == new) & (today == old)].sum()
            for new, old in zip(names, (0, 1, 3), strict=True)
        )
        for names in itertools.permutations(range(1, division.count), 3)
    ]
    assert division.costs["stay"] == pytest.approx((rest - max(kept)) / (rest / (division.count - 1)))


def test_where_grids_are_too_many_cells_are_joined_and_no_bound_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "MOST", 20_000)
    site = chequered(np.random.default_rng(1).integers(4, 12, (16, 16)))
    asked = Asked(150, 200, round(int(site.households.sum()) / 175))
    division = cities.best(site, asked, Weights(), seconds=60)
    assert_kept(site, division, asked)
    assert division.bound is None
    assert division.gap is None
    assert not division.proven


def test_as_few_grids_as_can_be_found_on_a_large_ground() -> None:
    site = streets(11, 11, seed=8)
    division = cities.best(site, Asked(140, 200), ROUND)
    assert_kept(site, division, Asked(140, 200))
    assert division.count <= 1.06 * int(site.households.sum()) / 200 + 1


def test_a_cell_that_no_grid_can_hold_is_named_and_time_that_is_up_proves_nothing() -> None:
    site = streets(11, 11)
    keep = (site.edges != 60).all(axis=1)
    alone = replace(site, edges=site.edges[keep], shared_m=site.shared_m[keep], barrier_m=site.barrier_m[keep])
    with pytest.raises(NoDivision) as caught:
        cities.best(alone, Asked(150, 200, 25), ROUND)
    assert caught.value.cells == [60]
    with pytest.raises(OutOfTime):
        cities.City(chequered(np.tile([90, 90, 21], (11, 4))), Asked(150, 200, 50), ROUND).best(seconds=2)
