"""Rates 每百户件数: cases per household, with how much of them is chance where there are few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Rates", "rates"]

Floats = NDArray[np.float64]

_FEW_CASES = 5
_FEW_HOUSEHOLDS = 20


@dataclass(frozen=True)
class Rates:
    """What :func:`rates` returns; all of one length, cases per 100 households. NaN where there is no household.

    Attributes
    ----------
    rate
        Cases divided by households.
    low, high
        The bounds of the rate that hold with the confidence asked for.
    smoothed
        The rate drawn towards the mean of all, the more so the fewer households there are.
    few
        Whether the rate says little by itself: under 5 cases or 20 households.
    mean
        Cases per 100 households of all together.
    """

    rate: Floats
    low: Floats
    high: Floats
    smoothed: Floats
    few: NDArray[np.bool_]
    mean: float


def rates(cases: ArrayLike, households: ArrayLike, confidence: float = 0.95) -> Rates:
    """Cases per 100 households, with caution where numbers are small.

    Parameters
    ----------
    cases, households
        Counts of each cell, building or grid. Cases where nobody lives have no rate and are left out of the mean.
    confidence
        Of the bounds.

    Notes
    -----
    The bounds are the exact ones of a Poisson count: χ²(α/2; 2c)/2 and χ²(1 − α/2; 2c + 2)/2 (F. Garwood, Fiducial
    limits for the Poisson distribution, Biometrika 28 (1936) 437–442).

    The smoothed rate is Marshall's global empirical Bayes estimate: mean m, weight w = A / (A + m/h), A = s² − m/h̄,
    0 where negative (R. J. Marshall, Mapping disease and mortality rates using empirical Bayes estimators, Applied
    Statistics 40 (1991) 283–294).

    Examples
    --------
    >>> found = rates([4, 0, 40], [100, 50, 200])
    >>> found.rate.tolist(), found.few.tolist(), round(found.mean, 2)
    ([4.0, 0.0, 20.0], [True, True, False], 12.57)
    >>> found.low.round(2).tolist(), found.high.round(2).tolist()
    ([1.09, 0.0, 14.29], [10.24, 7.38, 27.23])
    """
    from scipy.special import gammaincinv

    c, h = np.asarray(cases, dtype=np.float64), np.asarray(households, dtype=np.float64)
    lived = h > 0
    safe = np.where(lived, h, np.nan)
    tail = (1 - confidence) / 2
    # Half a χ² quantile is a quantile of the gamma distribution.
    low = np.where(c > 0, gammaincinv(np.maximum(c, 0.5), tail), 0.0)
    high = gammaincinv(c + 1, 1 - tail)
    total, homes = float(c[lived].sum()), float(h[lived].sum())
    mean = total / homes if homes > 0 else float("nan")
    raw = c / safe
    smoothed = raw.copy()
    if homes > 0:
        spread = (h[lived] * (raw[lived] - mean) ** 2).sum() / homes
        among = max(0.0, spread - mean / h[lived].mean())
        weight = np.divide(among, among + mean / safe, out=np.zeros_like(safe), where=lived & (mean > 0))
        smoothed = np.where(lived, mean + weight * (raw - mean), np.nan)
    few = ~lived | (c < _FEW_CASES) | (h < _FEW_HOUSEHOLDS)
    return Rates(raw * 100, low / safe * 100, high / safe * 100, smoothed * 100, few, mean * 100)
