"""Divisions: every possible grid is found, the best division is the best of all, and what cannot be is proven."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial.partition import columns, ground, proof
from spatial.partition.ground import Ground
from spatial.partition.proposals import NOBODY, Asked, NoDivision, Table, Weights

SIDE = 10.0


def chequered(households: NDArray[np.int64], barriers: list[shapely.LineString] | None = None) -> Ground:
    """Squares of ten metres, as many rows and columns as the array has."""
    rows, across = households.shape
    cells = [
        shapely.box(SIDE * x, SIDE * y, SIDE * (x + 1), SIDE * (y + 1)) for y in range(rows) for x in range(across)
    ]
    lines = np.array(barriers, dtype=object) if barriers else None
    return ground.of_cells(np.array(cells, dtype=object), households.ravel(), barriers=lines)


def connected(ground: Ground, cells: tuple[int, ...]) -> bool:
    """Whether cells hang together, looked at one by one."""
    left, waiting = set(cells[1:]), [cells[0]]
    while waiting:
        here = waiting.pop()
        beside = {b for a, b in ground.edges.tolist() if a == here} | {a for a, b in ground.edges.tolist() if b == here}
        waiting += beside & left
        left -= beside
    return not left


def every_division(ground: Ground, count: int, least: int, most: int) -> Iterator[NDArray[np.int64]]:
    """All divisions, by trying every way to label the cells."""
    for labels in itertools.product(range(count), repeat=len(ground)):
        firsts = list(dict.fromkeys(labels))
        if firsts != list(range(count)):
            continue
        sets = [tuple(at for at, label in enumerate(labels) if label == grid) for grid in range(count)]
        if all(least <= ground.households[list(cells)].sum() <= most and connected(ground, cells) for cells in sets):
            yield np.array(labels)


def cost(ground: Ground, labels: NDArray[np.int64], weights: Weights) -> float:
    """What a division costs, from its outlines."""
    assert ground.cells is not None
    total, count = 0.0, int(labels.max()) + 1
    mean = ground.households.sum() / count
    for grid in range(count):
        outline = shapely.union_all(ground.cells[labels == grid])
        households = ground.households[labels == grid].sum()
        total += weights.households * ((households - mean) / mean) ** 2
        total += weights.compactness * (1 - 4 * math.pi * outline.area / outline.length**2)
    return total


counts_of_households = st.lists(st.integers(0, 9), min_size=9, max_size=9)


@settings(max_examples=30)
@given(counts_of_households, st.integers(0, 12), st.integers(0, 20))
def test_every_connected_group_within_bounds_is_found_once(numbers: list[int], least: int, wider: int) -> None:
    site = chequered(np.array(numbers).reshape(3, 3))
    most = least + wider
    found = columns.all_of(site, least, most)
    expected = {
        cells
        for size in range(1, 10)
        for cells in itertools.combinations(range(9), size)
        if least <= site.households[list(cells)].sum() <= most and connected(site, cells)
    }
    assert len(found) == len(expected)
    assert {tuple(np.flatnonzero(member).tolist()) for member in found.member} == expected


def test_the_outline_of_a_group_is_that_of_its_union() -> None:
    wall = shapely.LineString([(10, 0), (10, 30)])
    site = chequered(np.ones((3, 3), dtype=np.int64), [wall])
    assert site.cells is not None
    found = columns.all_of(site, 1, 9)
    for member, area, length, barrier in zip(
        found.member, found.area_m2, found.perimeter_m, found.barrier_m, strict=True
    ):
        union = shapely.union_all(site.cells[member])
        assert (area, length) == pytest.approx((union.area, union.length))
        inside = union.intersection(wall).length - union.boundary.intersection(wall).length
        assert barrier == pytest.approx(inside)


@settings(max_examples=15, deadline=None)
@given(counts_of_households, st.sampled_from([Weights(), Weights(households=0), Weights(compactness=0)]))
def test_the_division_is_the_best_of_all_there_are(numbers: list[int], weights: Weights) -> None:
    site = chequered(np.array(numbers).reshape(3, 3))
    mean = sum(numbers) / 3
    least, most = math.floor(mean * 0.7), math.ceil(mean * 1.3)
    costs = [cost(site, labels, weights) for labels in every_division(site, 3, least, most)] if mean else []
    try:
        best = Table(site, Asked(least, most, 3)).best(weights)
    except NoDivision:
        assert costs == []
        return
    if mean:
        assert best.cost == pytest.approx(min(costs))
        assert best.cost == pytest.approx(cost(site, best.grid, weights))
        assert best.bound <= best.cost + 1e-9


def test_the_bound_of_the_programme_is_that_of_another_solver() -> None:
    from scipy.optimize import LinearConstraint, milp

    random = np.random.default_rng(5)
    site = chequered(random.integers(4, 12, (4, 5)))
    table = Table(site, Asked(30, 45, 4))
    best = table.best(Weights())
    costs = (table.columns.households / (site.households.sum() / 4) - 1) ** 2 + 1 - table.columns.compactness
    rows = np.vstack([table.columns.member.T, np.ones(len(costs))]).astype(float)
    right = np.append(np.ones(20), 4)
    done = milp(costs, constraints=LinearConstraint(rows, right, right), integrality=np.ones(len(costs)))
    assert done.success
    assert best.cost == pytest.approx(done.fun)
    assert proof.relaxed(table.columns.member, costs, 4).bound == pytest.approx(best.bound)


def test_groups_stay_together_and_locked_grids_as_they_are() -> None:
    site = chequered(np.full((4, 4), 5))
    today = np.repeat([0, 1, 2, 3], 4)
    groups = np.full(16, NOBODY)
    groups[[4, 8, 12]] = 7
    best = Table(site, Asked(15, 25, 4, today=today, locked=frozenset({0}), groups=groups)).best(Weights())
    assert best.grid[:4].tolist() == [0, 0, 0, 0]
    assert (best.grid[4:] != 0).all()
    assert len(set(best.grid[[4, 8, 12]].tolist())) == 1
    assert best.count == 4
    for grid in range(4):
        assert connected(site, tuple(np.flatnonzero(best.grid == grid).tolist()))


def test_nobody_moves_where_staying_is_all_that_counts_and_each_grid_of_today_is_kept_once() -> None:
    site = chequered(np.full((4, 4), 5))
    today = np.array([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3])
    kept = Table(site, Asked(20, 20, 4, today=today)).best(Weights(households=0, compactness=0, stay=1))
    assert (kept.costs["stay"], kept.grid.tolist()) == (0, today.tolist())
    # Two grids of one old one: half of its households move, whichever keeps its name.
    split = Table(site, Asked(40, 40, 2, today=np.zeros(16, dtype=np.int64)))
    assert split.best(Weights(households=0, compactness=0, stay=1)).costs["stay"] == pytest.approx(1)


def test_a_barrier_is_not_crossed_where_that_counts() -> None:
    wall = shapely.LineString([(0, 20), (40, 20)])
    site = chequered(np.array([[6, 6, 6, 6], [4, 4, 4, 4], [5, 5, 5, 5], [5, 5, 5, 5]]), [wall])
    best = Table(site, Asked(18, 22, 4)).best(Weights(barriers=10))
    assert best.costs["barriers"] == 0
    assert len(set(best.grid[:8].tolist())) == 2


def test_as_few_grids_as_possible() -> None:
    site = chequered(np.full((3, 4), 10))
    assert Table(site, Asked(20, 40)).best(Weights()).count == 3
    assert Table(site, Asked(20, 50)).best(Weights()).count == 3
    assert Table(site, Asked(20, 60)).best(Weights()).count == 2


def test_the_trade_offs_are_such_that_nothing_is_better_in_both() -> None:
    random = np.random.default_rng(3)
    site = chequered(random.integers(3, 12, (4, 4)))
    mean = site.households.sum() / 4
    table = Table(site, Asked(math.floor(mean * 0.75), math.ceil(mean * 1.25), 4))
    front = [(one.costs["compactness"], one.costs["households"]) for one in table.front("compactness", "households")]
    assert len(front) >= 2
    assert front == sorted(front)
    assert [pair[1] for pair in front] == sorted((pair[1] for pair in front), reverse=True)
    assert front[-1][1] == pytest.approx(table.best(Weights(compactness=0)).costs["households"])


@pytest.mark.parametrize(
    ("numbers", "asked", "reason", "cells"),
    [
        ([[10, 10], [10, 10]], Asked(11, 13, 3), "total", [0, 1, 2, 3]),
        ([[10, 10], [10, 99]], Asked(10, 50, 3), "heavy", [3]),
    ],
)
def test_arithmetic_says_why_there_is_none(
    numbers: list[list[int]], asked: Asked, reason: str, cells: list[int]
) -> None:
    with pytest.raises(NoDivision) as caught:
        Table(chequered(np.array(numbers)), asked)
    assert (caught.value.reason, caught.value.cells) == (reason, cells)


def test_a_part_that_is_cut_off_and_cannot_be_divided_is_named() -> None:
    squares = [shapely.box(SIDE * x, 0, SIDE * (x + 1), SIDE) for x in (0, 1, 2, 5, 6)]
    site = ground.of_cells(np.array(squares, dtype=object), [10, 10, 10, 6, 6])
    with pytest.raises(NoDivision) as caught:
        Table(site, Asked(14, 20))
    assert (caught.value.reason, caught.value.cells) == ("piece", [3, 4])


def test_where_all_were_looked_at_the_nearest_is_told_with_what_it_lacks() -> None:
    # 9 + 9 + 9 + 9 + 4: two grids of 18 to 22 are 18 and 22, but the small one lies at an end.
    site = chequered(np.array([[9, 9, 9, 9, 4]]))
    assert Table(site, Asked(18, 22, 2)).best(Weights()).grid.tolist() == [0, 0, 1, 1, 1]
    site = chequered(np.array([[7, 7, 12, 7, 7]]))
    with pytest.raises(NoDivision) as caught:
        Table(site, Asked(18, 22, 2)).best(Weights())
    assert caught.value.reason == "none"
    assert caught.value.missing == 8  # 14 and 26: four too few, four too many
    assert caught.value.nearest is not None
    assert caught.value.nearest.grid.tolist() in ([0, 0, 1, 1, 1], [0, 0, 0, 1, 1])


def test_a_cell_that_only_dear_grids_have_is_in_one_all_the_same() -> None:
    # Pairs cost nothing, but the last cell has no neighbour left to be one with.
    member = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=bool)
    cost = np.array([0.0, 0.0, 50.0, 50.0])
    best = proof.best(member, columns.packed(member), cost, 2)
    assert (best.chosen.tolist(), best.cost) == ([2, 3], 100.0)
    for count in (1, 3):
        with pytest.raises(proof.Undivided):
            proof.best(member, columns.packed(member), cost, count)


def test_every_cell_is_in_a_grid_whatever_counts() -> None:
    random = np.random.default_rng(21)
    for _time in range(15):
        site = chequered(random.integers(1, 30, (4, 5)))
        mean = site.households.sum() / 5
        asked = Asked(math.floor(mean * 0.6), math.ceil(mean * 1.4), 5)
        for weights in (Weights(), Weights(households=1000, compactness=0.001)):
            try:
                best = Table(site, asked).best(weights)
            except NoDivision:
                continue
            assert set(best.grid.tolist()) == set(range(5))
            numbers = np.bincount(best.grid, site.households)
            assert (numbers >= asked.least).all()
            assert (numbers <= asked.most).all()


def test_more_than_sixty_four_cells_are_divided_too() -> None:
    random = np.random.default_rng(9)
    site = chequered(random.integers(8, 13, (9, 8)))
    mean = site.households.sum() / 24
    best = Table(site, Asked(math.floor(mean - 3), math.ceil(mean + 3), 24)).best(Weights())
    numbers = np.bincount(best.grid, site.households)
    assert len(numbers) == 24
    assert (abs(numbers - mean) <= 4).all()
    assert all(connected(site, tuple(np.flatnonzero(best.grid == grid).tolist())) for grid in range(24))


def test_an_edge_of_three_cells_is_no_coverage() -> None:
    one, other = shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)
    with pytest.raises(ground.NotACoverage):
        ground.of_cells(np.array([one, other, other], dtype=object), [1, 1, 1])
