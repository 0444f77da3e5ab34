"""Planted clusters: what bench/hotspots --planted prints, held to bounds on fewer cities with fixed seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"


@pytest.fixture(scope="module")
def planted() -> Any:
    """The bench's module."""
    sys.path.insert(0, str(BENCH))
    try:
        import planted
    finally:
        sys.path.remove(str(BENCH))
    return planted


def test_planted_clusters_are_found_and_little_else(planted: Any) -> None:
    found = planted.hot(np.random.default_rng(1), 25)
    assert found["precision"] >= 0.95
    assert found["recall"] >= 0.85
    assert found["clusters_found"] >= 0.9


@pytest.mark.parametrize("kind", ["quiet", "busy"])
def test_without_a_cluster_there_are_no_more_false_alarms_than_asked_for(planted: Any, kind: str) -> None:
    cities = 60
    found = planted.quiet(np.random.default_rng(2), cities, kind)
    assert found["cities_with_a_false_alarm"] * cities <= stats.binom.ppf(0.999, cities, planted.ALPHA)
    # Cells that are near share their cases, so that there are only about as many tests as neighbourhoods.
    cells = 418 / 19 * cities
    assert found["cells_with_p_at_most_5_percent"] <= stats.binom.ppf(0.999, cells, planted.ALPHA) / cells


def test_a_default_point_is_caught_and_leaves_no_hotspot(planted: Any) -> None:
    found = planted.stacked(np.random.default_rng(3), 40)
    assert found["caught"] == 1
    assert found["cities_with_a_false_hotspot"] * 40 <= stats.binom.ppf(0.999, 40, planted.ALPHA)


def test_a_cluster_that_rises_rings_at_the_right_place(planted: Any) -> None:
    random = np.random.default_rng(4)
    rang = [planted.alarm(planted.city(random, "rising"), number) for number in range(10)]
    assert sum(p <= planted.ALPHA and right for p, right in rang) >= 9
