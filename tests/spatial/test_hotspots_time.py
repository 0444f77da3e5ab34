"""Hotspots over time: Mann-Kendall, patterns, two periods compared, the space-time scan."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from spatial import hotspots
from spatial.hotspots import Lattice, Model, Pattern

LATTICE = Lattice(36)
CELLS = LATTICE.cover(shapely.box(0, 0, 300, 300))
CENTRES = LATTICE.centres(CELLS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=3, max_size=25))
def test_mann_kendall_counts_pairs_and_corrects_for_ties(series: list[int]) -> None:
    n = len(series)
    s = sum(np.sign(series[j] - series[i]) for i in range(n) for j in range(i + 1, n))
    ties = [series.count(value) for value in set(series)]
    variance = (n * (n - 1) * (2 * n + 5) - sum(t * (t - 1) * (2 * t + 5) for t in ties)) / 18
    z = 0.0 if variance == 0 else (s - np.sign(s)) / math.sqrt(variance)
    found = hotspots.mann_kendall([series])
    assert (found.s[0], found.z[0]) == (s, pytest.approx(z))
    assert found.p[0] == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_mann_kendall_agrees_with_kendalls_tau_against_time() -> None:
    series = np.random.default_rng(1).normal(size=(20, 12))
    found = hotspots.mann_kendall(series)
    pairs = 12 * 11 / 2
    tau = [stats.kendalltau(np.arange(12), row).statistic for row in series]
    np.testing.assert_allclose(found.s / pairs, tau, atol=1e-12)


def test_mann_kendall_finds_a_trend_as_often_as_was_asked_for_where_there_is_none() -> None:
    found = hotspots.mann_kendall(np.random.default_rng(2).normal(size=(4000, 20)))
    share = (found.p <= 0.05).mean()
    low, high = stats.binom.ppf([0.001, 0.999], 4000, 0.05) / 4000
    # The normal approximation with its continuity correction is a little cautious.
    assert low - 0.01 <= share <= high


def test_the_trend_of_gi_is_no_trend_where_cases_fall_anywhere_at_any_time() -> None:
    random, near, cities = np.random.default_rng(12), LATTICE.neighbours(CELLS, 2), 60
    found = [
        hotspots.mann_kendall(hotspots.gi_star_in_time(uniform(random, periods=12), near, lags=0).z)
        for _city in range(cities)
    ]
    assert np.mean([(one.p <= 0.05).mean() for one in found]) <= 0.06
    never = np.zeros((len(CELLS), 12), dtype=bool)
    alarmed = sum(set(hotspots.patterns(never, one)) != {Pattern.NONE} for one in found)
    assert alarmed <= stats.binom.ppf(0.999, cities, 0.05)


@pytest.mark.parametrize(
    ("hot", "rises", "expected"),
    [
        ([0] * 9 + [1], 0, "new"),
        ([0] * 7 + [1] * 3, 0, "consecutive"),
        ([1] * 10, 1, "intensifying"),
        ([1] * 10, 0, "persistent"),
        ([0] + [1] * 9, 0, "persistent"),
        ([1] * 10, -1, "diminishing"),
        ([1, 0, 1, 0, 0, 0, 0, 0, 0, 1], 0, "sporadic"),
        ([1] * 9 + [0], 0, "historical"),
        ([0] * 10, 1, "rising"),
        ([1] + [0] * 9, -1, "falling"),
        ([1] + [0] * 9, 0, "none"),
        ([0] * 10, 0, "none"),
    ],
)
def test_patterns_are_named_as_defined(hot: list[int], rises: int, expected: str) -> None:
    trend = hotspots.mann_kendall([[rises * period for period in range(10)]])
    assert hotspots.patterns([hot], trend) == [expected]


def test_every_pattern_comes_up_stays_goes_or_is_none() -> None:
    groups = (hotspots.EMERGING, hotspots.PERSISTING, hotspots.FADING)
    assert frozenset.union(*groups) == set(Pattern) - {Pattern.NONE}
    assert sum(map(len, groups)) == len(Pattern) - 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 100), st.integers(1, 100))
def test_two_periods_are_compared_by_the_exact_binomial_test(
    before: int, after: int, one_days: int, other_days: int
) -> None:
    share = other_days / (one_days + other_days)
    tails = stats.binom.cdf(after, before + after, share), stats.binom.sf(after - 1, before + after, share)
    found = hotspots.changes([before], [after], one_days, other_days)
    assert found.p[0] == pytest.approx(min(1.0, 2 * min(tails)), abs=1e-9)


# ---- the scan ------------------------------------------------------------------------------------------------------


def uniform(random: np.random.Generator, mean: float = 0.4, periods: int = 10) -> np.ndarray:
    """Cases everywhere and at all times alike."""
    return random.poisson(mean, (len(CELLS), periods))


def score(c: float, mu: float, total: int) -> float:
    """The log likelihood ratio of a cylinder."""
    if c <= mu:
        return 0.0
    rest = (total - c) * math.log((total - c) / (total - mu)) if c < total else 0.0
    return c * math.log(c / mu) + rest


@pytest.mark.parametrize("model", list(Model))
def test_the_strongest_cylinder_is_that_of_a_search_through_all(model: Model) -> None:
    random = np.random.default_rng(3)
    cases = uniform(random)
    population = random.integers(1, 30, len(CELLS)).astype(float)
    (found, *_rest) = hotspots.scan(
        CENTRES, cases, model=model, population=population, radius_m=80, simulations=9, seed=1
    )
    total, best = int(cases.sum()), 0.0
    sizes = population / population.sum() if model == Model.POISSON else cases.sum(axis=1) / total
    for centre in np.flatnonzero(cases.sum(axis=1)):
        away = np.hypot(*(CENTRES - CENTRES[centre]).T)
        for radius in np.unique(away[away <= 80.0001].round(6)):
            inside = away <= radius + 1e-4
            if sizes[inside].sum() > 0.5:
                continue
            for span in range(1, 6):
                c = cases[inside][:, -span:].sum()
                if model == Model.POISSON:
                    mu = total * sizes[inside].sum() * span / 10
                else:
                    mu = cases[inside].sum() * cases[:, -span:].sum() / total
                best = max(best, score(c, mu, total))
    assert found.score == pytest.approx(best)
    assert score(found.observed, found.expected, total) == pytest.approx(best)


def test_a_cluster_that_has_just_begun_is_found_where_and_since_when_it_is() -> None:
    random = np.random.default_rng(4)
    cases = uniform(random)
    planted = np.flatnonzero(np.hypot(*(CENTRES - (150, 150)).T) <= 50)
    cases[planted, -2:] += 4
    (found, *_rest) = hotspots.scan(CENTRES, cases, radius_m=120, seed=1)
    assert (found.p, found.periods) == (0.001, 2)
    assert len(set(found.places.tolist()) & set(planted.tolist())) >= 0.8 * len(planted)
    assert found.observed > 2 * found.expected


def test_where_it_is_always_much_the_permutation_model_stays_silent_and_the_poisson_model_does_not() -> None:
    random = np.random.default_rng(5)
    cases = uniform(random)
    cases[np.hypot(*(CENTRES - (150, 150)).T) <= 50] += 2
    (silent, *_rest) = hotspots.scan(CENTRES, cases, radius_m=120, seed=1)
    (loud, *_rest) = hotspots.scan(
        CENTRES, cases, model=Model.POISSON, population=np.ones(len(CELLS)), radius_m=120, seed=1
    )
    assert silent.p > 0.05
    assert loud.p == 0.001


def test_without_a_cluster_the_alarm_rings_as_often_as_was_asked_for() -> None:
    random = np.random.default_rng(6)
    worlds = 200
    rang = sum(
        hotspots.scan(CENTRES, uniform(random), radius_m=80, simulations=99, seed=world)[0].p <= 0.05
        for world in range(worlds)
    )
    low, high = stats.binom.ppf([0.001, 0.999], worlds, 0.05)
    assert low <= rang <= high


def test_stronger_clusters_take_their_places_first_and_no_place_is_in_two() -> None:
    cases = uniform(np.random.default_rng(7))
    found = hotspots.scan(CENTRES, cases, radius_m=80, simulations=19, seed=1, most=4)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    places = [place for one in found for place in one.places.tolist()]
    assert len(places) == len(set(places))


def test_the_same_seed_rings_alike() -> None:
    cases = uniform(np.random.default_rng(8))
    one, two = (hotspots.scan(CENTRES, cases, radius_m=80, simulations=99, seed=5) for _again in range(2))
    assert [found.p for found in one] == [found.p for found in two]


def test_what_cannot_be_scanned_is_refused_and_nothing_is_no_alarm() -> None:
    assert hotspots.scan(CENTRES, np.zeros((len(CELLS), 5), dtype=int)) == []
    with pytest.raises(ValueError, match="population"):
        hotspots.scan(CENTRES, uniform(np.random.default_rng(9)), model=Model.POISSON)
    many = np.random.default_rng(9).uniform(0, 1000, (4000, 2))
    with pytest.raises(hotspots.TooManyZones, match="greater cells"):
        hotspots.scan(many, np.ones((4000, 4), dtype=int), radius_m=1000)
