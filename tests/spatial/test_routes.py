"""Routes: every place once, and not much longer than the best there is."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from spatial.routes import Network, round_trip

Floats = NDArray[np.float64]


def ways(places: Floats) -> Floats:
    return np.asarray(np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)))


def length(lengths: Floats, order: NDArray[np.int64]) -> float:
    return float(lengths[order, np.roll(order, -1)].sum())


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 60])
def test_every_place_is_passed_once_and_the_first_comes_first(count: int) -> None:
    lengths = ways(np.random.default_rng(count).uniform(0, 500, (count, 2)))
    order = round_trip(lengths, start=count // 2)
    assert sorted(order.tolist()) == list(range(count))
    assert count == 0 or order[0] == count // 2


def test_places_on_a_circle_are_passed_around_it() -> None:
    angle = np.random.default_rng(1).permutation(np.linspace(0, 2 * np.pi, 24, endpoint=False))
    lengths = ways(np.column_stack((np.cos(angle), np.sin(angle))) * 100)
    assert length(lengths, round_trip(lengths)) == pytest.approx(24 * 200 * np.sin(np.pi / 24))


@pytest.mark.parametrize("seed", range(8))
def test_it_is_near_the_best_of_all_orders(seed: int) -> None:
    lengths = ways(np.random.default_rng(seed).uniform(0, 500, (8, 2)))
    best = min(length(lengths, np.array([0, *rest])) for rest in permutations(range(1, 8)))
    assert best <= length(lengths, round_trip(lengths)) + 1e-9 <= 1.1 * best


def test_no_turn_makes_it_shorter() -> None:
    lengths = ways(np.random.default_rng(5).uniform(0, 500, (40, 2)))
    order = round_trip(lengths)
    found = length(lengths, order)
    for i in range(1, 40):
        for j in range(i + 1, 40):
            turned = order.copy()
            turned[i : j + 1] = turned[i : j + 1][::-1]
            assert length(lengths, turned) >= found - 1e-3


@pytest.mark.parametrize("lengths", [np.zeros((2, 3)), np.full((2, 2), np.nan), np.zeros(4)])
def test_what_is_no_table_of_ways_is_refused(lengths: Floats) -> None:
    with pytest.raises(ValueError, match="square"):
        round_trip(lengths)


def test_ways_keep_to_the_streets_and_cross_where_they_cross() -> None:
    # A street to the east and one to the north that cross at (50, 0) without a corner in either.
    lines = np.array(
        [shapely.LineString([(0, 0), (100, 0)]), shapely.LineString([(50, -50), (50, 50)]), None, shapely.Point(1, 1)],
        dtype=object,
    )
    places = np.array([[0.0, 0.0], [50.0, 50.0], [170.0, 0.0]])
    found = Network(lines).ways(places)
    assert found.metres == pytest.approx(np.array([[0, 100, 310], [100, 0, 310], [310, 310, 0]]))
    # The last lies 70 m beyond the end of the street, and that counts thrice.
    assert found.places.tolist() == [[0, 0], [50, 50], [170, 0]]
    bent = shapely.LineString(found.between(0, 1))
    assert bent.length == pytest.approx(100)
    assert bent.distance(shapely.Point(50, 0)) == pytest.approx(0)


def test_what_is_near_a_street_is_passed_from_there() -> None:
    found = Network(np.array([shapely.LineString([(0, 0), (96, 0)])])).ways(np.array([[8.0, 30.0], [88.0, -25.0]]))
    assert found.metres[0, 1] == pytest.approx(80)
    assert found.places.tolist() == [[8, 0], [88, 0]]
    assert shapely.LineString(found.between(0, 1)).length == pytest.approx(80)


def test_streets_that_nearly_meet_are_joined_and_those_that_do_not_are_not() -> None:
    lines = np.array(
        [
            shapely.LineString([(0, 0), (50, 0)]),
            shapely.LineString([(52, 0), (100, 0)]),
            shapely.LineString([(0, 90), (9, 90)]),
        ],
        dtype=object,
    )
    found = Network(lines).ways(np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 90.0]]))
    assert found.metres[0, 1] == pytest.approx(100)
    assert found.metres[0, 2] == pytest.approx(3 * 90)
    assert found.between(0, 2).tolist() == [[0, 0], [0, 90]]


def test_without_streets_ways_are_straight() -> None:
    places = np.random.default_rng(2).uniform(0, 100, (5, 2))
    found = Network(np.empty(0, dtype=object)).ways(places)
    assert found.metres == pytest.approx(3 * ways(places))
    assert found.between(1, 3).tolist() == places[[1, 3]].tolist()
