"""Walks: within the budget, never worth less than nearest first, and the best where all can be looked at."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial import walks
from spatial.walks import Doors


@st.composite
def grounds(draw: st.DrawFn, most: int) -> Doors:
    """Buildings on a square of 1 km with doors, and a start among them."""
    count = draw(st.integers(0, most))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 1000, (count + 1, 2))
    ways = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) * 1.3 / 75
    values = [sorted(rng.integers(1, 30, rng.integers(1, 5)).astype(float), reverse=True) for _ in range(count)]
    first = ways[0, 1:] if draw(st.booleans()) else None
    budget = draw(st.sampled_from([0.0, 12.0, 20.0, 40.0]))
    return Doors.at(ways[1:, 1:], values, service=draw(st.sampled_from([3.0, 5.0])), budget=budget, first=first)


def by_force(doors: Doors) -> float:
    """The value of the best walk, by looking at all orders of all sets."""
    orders = (order for size in range(len(doors.values) + 1) for order in permutations(range(len(doors.values)), size))
    return max(doors.worth(order, doors.minutes(order)) for order in orders)


def check(doors: Doors, walk: walks.Walk) -> None:
    """What holds of every walk."""
    assert len(set(walk.stops)) == len(walk.stops)
    assert all(1 <= count <= len(doors.values[stop]) for stop, count in zip(walk.stops, walk.doors, strict=True))
    assert walk.minutes == pytest.approx(doors.minutes(walk.stops) + doors.service * sum(walk.doors))
    assert walk.minutes <= doors.budget + 1e-6
    value = sum(sum(doors.values[stop][:count]) for stop, count in zip(walk.stops, walk.doors, strict=True))
    assert walk.value == pytest.approx(value)


@settings(max_examples=60, deadline=None)
@given(grounds(5))
def test_of_few_stops_the_best_walk_is_found(doors: Doors) -> None:
    walk = walks.best(doors)
    check(doors, walk)
    assert walk.proven
    assert walk.value == pytest.approx(by_force(doors))


@settings(max_examples=25, deadline=None)
@given(grounds(30))
def test_no_walk_is_longer_than_the_budget_or_worth_less_than_nearest_first(doors: Doors) -> None:
    walk, simple = walks.best(doors), walks.nearest_first(doors)
    check(doors, walk)
    check(doors, simple)
    assert walk.value >= simple.value - 1e-9


@settings(max_examples=20, deadline=None)
@given(grounds(9))
def test_search_finds_nearly_what_is_best_and_the_bound_is_never_below_it(doors: Doors) -> None:
    proven = walks.best(doors)
    searched = walks._walk(doors, walks._searched(doors, list(range(len(doors.values))), np.random.default_rng(1)))
    check(doors, searched)
    assert 0.9 * proven.value - 1e-9 <= searched.value <= proven.value + 1e-9
    assert walks.bound(doors, proven.value) >= proven.value - 1e-6
    assert walks.bound(doors) >= proven.value - 1e-6


def test_the_same_walk_is_found_again() -> None:
    rng = np.random.default_rng(3)
    places = rng.uniform(0, 800, (41, 2))
    ways = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) / 60
    doors = Doors.at(ways, [[float(value)] for value in rng.integers(1, 30, 41)], service=5, budget=40)
    walk = walks.best(doors)
    assert walk == walks.best(doors)
    assert not walk.proven


def test_ways_and_doors_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="from each stop to each other"):
        Doors(np.zeros((2, 2)), np.zeros(1), [[1.0], [1.0]], 5, 40)
    with pytest.raises(ValueError, match="finite"):
        Doors.at([[0.0]], [[1.0]], service=0, budget=40)
    with pytest.raises(ValueError, match="highest first"):
        Doors.at([[0.0]], [[1.0, 2.0]], service=5, budget=40)
