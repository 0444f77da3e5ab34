"""Trends 趋势: which cells become hot, stay hot or cool down over periods, and what changed between two of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial.hotspots.gi import false_discovery

__all__ = ["Change", "MannKendall", "Pattern", "changes", "mann_kendall", "patterns"]

Floats = NDArray[np.float64]

_MOST = 0.9
_SIGNIFICANT = 0.05


class Pattern(StrEnum):
    """How a cell's heat went over the periods."""

    NEW = "new"
    CONSECUTIVE = "consecutive"
    INTENSIFYING = "intensifying"
    PERSISTENT = "persistent"
    DIMINISHING = "diminishing"
    SPORADIC = "sporadic"
    HISTORICAL = "historical"
    RISING = "rising"
    FALLING = "falling"
    NONE = "none"


#: In three words: what comes up, what stays, what goes.
EMERGING = frozenset({Pattern.NEW, Pattern.CONSECUTIVE, Pattern.INTENSIFYING, Pattern.RISING})
PERSISTING = frozenset({Pattern.PERSISTENT, Pattern.SPORADIC})
FADING = frozenset({Pattern.DIMINISHING, Pattern.HISTORICAL, Pattern.FALLING})


@dataclass(frozen=True)
class MannKendall:
    """What :func:`mann_kendall` returns, one of each a row.

    Attributes
    ----------
    s
        How many pairs of periods rise, less those that fall.
    z
        The standard score of ``s``; 0 where nothing changes.
    p
        Two-sided.
    """

    s: Floats
    z: Floats
    p: Floats


def mann_kendall(series: ArrayLike) -> MannKendall:
    """Mann and Kendall's test for a trend that only goes one way, of many series at once.

    Parameters
    ----------
    series
        Array (series, periods), the oldest first; at most some hundred periods. The periods must not share cases: of
        Gi* scores only those without lags will do, or three times as many trends are found as there are by chance.

    Notes
    -----
    S = Σ sign(x_j − x_i) over i < j, its variance (n(n − 1)(2n + 5) − Σ t(t − 1)(2t + 5)) / 18 with t the lengths of
    ties, and z = (S ∓ 1) / √variance.

    Source: H. B. Mann, Nonparametric tests against trend, Econometrica 13 (1945) 245–259; M. G. Kendall, Rank
    Correlation Methods (1975); the correction for ties as in R. O. Gilbert, Statistical Methods for Environmental
    Pollution Monitoring (1987), section 16.4.

    Examples
    --------
    >>> found = mann_kendall([[1, 2, 3, 4, 5, 6], [2, 2, 2, 2, 2, 2], [3, 2, 3, 1, 1, 0]])
    >>> found.s.tolist(), found.p.round(4).tolist()
    ([15.0, 0.0, -11.0], [0.0085, 1.0, 0.0513])
    """
    from scipy.special import ndtr

    x = np.asarray(series, dtype=np.float64)
    n = x.shape[1]
    s, ties = np.zeros(len(x)), np.zeros(len(x))
    for period in range(n):
        s += np.sign(x[:, period + 1 :] - x[:, [period]]).sum(axis=1)
        alike = (x == x[:, [period]]).sum(axis=1)
        # Each of t alike adds its share, so that together they add t(t − 1)(2t + 5).
        ties += (alike - 1) * (2 * alike + 5)
    variance = (n * (n - 1) * (2 * n + 5) - ties) / 18
    z = np.divide(s - np.sign(s), np.sqrt(variance), out=np.zeros(len(x)), where=variance > 0)
    return MannKendall(s, z, 2 * ndtr(-np.abs(z)))


def patterns(hot: ArrayLike, trend: MannKendall) -> list[Pattern]:
    """Name how each cell's heat went.

    Parameters
    ----------
    hot
        Array (cells, periods), the oldest first: whether the cell was significantly hot.
    trend
        Of the cells' Gi* scores over the periods, without lags.

    Notes
    -----
    New: hot in the last period alone. Consecutive: hot in the last periods without a break, not before, and in under
    90 % of them. Intensifying, persistent, diminishing: hot in 90 % of the periods, the last among them, with a trend
    upwards, none, downwards. Sporadic: hot at last and on and off before. Historical: hot in 90 % of the periods, but
    not in the last. Where none of this holds, a trend alone is rising or falling; it must be significant after control
    of the false discovery rate, because there are as many tests as cells.

    Source: Esri, How Emerging Hot Spot Analysis works (ArcGIS Pro documentation), whose hot categories these are;
    rising and falling are ours.

    Examples
    --------
    >>> flags = [[0, 0, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]]
    >>> flat = mann_kendall([[0, 0, 0, 0]] * 5)
    >>> [str(found) for found in patterns(flags, flat)]
    ['new', 'consecutive', 'persistent', 'sporadic', 'none']
    """
    flags = np.asarray(hot, dtype=bool)
    periods = flags.shape[1]
    if periods == 0:
        return [Pattern.NONE] * len(flags)
    times = flags.sum(axis=1)
    mostly = times >= _MOST * periods
    now = flags[:, -1]
    # How many periods the heat has lasted without a break, counted from the last.
    lasting = np.where(flags.all(axis=1), periods, np.argmin(flags[:, ::-1], axis=1))
    significant = trend.p < _SIGNIFICANT
    up, down = significant & (trend.z > 0), significant & (trend.z < 0)
    sure = false_discovery(trend.p) <= _SIGNIFICANT
    chosen = np.select(
        [
            mostly & now & up,
            mostly & now & down,
            mostly & now,
            mostly & ~now,
            now & (times == 1),
            now & (lasting == times),
            now,
            up & sure,
            down & sure,
        ],
        range(9),
        default=9,
    )
    names = (
        Pattern.INTENSIFYING,
        Pattern.DIMINISHING,
        Pattern.PERSISTENT,
        Pattern.HISTORICAL,
        Pattern.NEW,
        Pattern.CONSECUTIVE,
        Pattern.SPORADIC,
        Pattern.RISING,
        Pattern.FALLING,
        Pattern.NONE,
    )
    return [names[choice] for choice in chosen]


@dataclass(frozen=True)
class Change:
    """What :func:`changes` returns, one of each a cell.

    Attributes
    ----------
    before, after
        What the cell and its neighbours hold in either period.
    ratio
        How many times as many cases a day there are after; infinite where there were none, NaN where there are none.
    p
        Two-sided, exact.
    """

    before: Floats
    after: Floats
    ratio: Floats
    p: Floats


def changes(before: ArrayLike, after: ArrayLike, days_before: float, days_after: float) -> Change:
    """Compare the cases of two periods in each cell.

    Parameters
    ----------
    before, after
        Counts of each cell, or of it and its neighbours together.
    days_before, days_after
        How long the periods are.

    Notes
    -----
    Given both counts' total, the later one is binomial with the later period's share of the days, if nothing changed.
    The p is the smaller tail, doubled.

    Source: J. Przyborowski, H. Wilenski, Homogeneity of results in testing samples from Poisson series, Biometrika 31
    (1940) 313–323.

    Examples
    --------
    >>> found = changes([2, 10, 0], [12, 10, 0], 30, 30)
    >>> found.ratio.tolist(), found.p.round(4).tolist()
    ([6.0, 1.0, nan], [0.0129, 1.0, 1.0])
    """
    from scipy.special import bdtr

    one, two = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    share, total = days_after / (days_before + days_after), np.rint(one + two).astype(np.int64)
    at_most = bdtr(two, total, share)
    at_least = np.where(two > 0, 1 - bdtr(np.maximum(two - 1, 0), total, share), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (two / days_after) / (one / days_before)
    return Change(one, two, ratio, np.minimum(1.0, 2 * np.minimum(at_most, at_least)))
