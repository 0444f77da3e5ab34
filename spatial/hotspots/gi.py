"""Getis-Ord Gi*: where high values stand among high ones, tested against chance, corrected for many tests.

What a cell and its neighbours hold together is compared with what as many cells drawn at random would hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial.hotspots.cells import Neighbours

__all__ = ["GiStar", "Heat", "false_discovery", "gi_star", "gi_star_in_time", "heat"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_DECK = 2_000_000
"""Numbers shuffled at once: 16 MB."""


class Heat(StrEnum):
    """How sure one can be that a cell is hot or cold."""

    HOT_99 = "hot_99"
    HOT_95 = "hot_95"
    HOT_90 = "hot_90"
    NONE = "none"
    COLD_90 = "cold_90"
    COLD_95 = "cold_95"
    COLD_99 = "cold_99"


@dataclass(frozen=True)
class GiStar:
    """What :func:`gi_star` returns; all of one length.

    Attributes
    ----------
    sums
        What each cell and its neighbours hold.
    z
        The standard score of that: positive where it is hot. NaN where all values are alike or all are neighbours.
    p
        Two-sided p of ``z`` under the normal approximation; 1 where ``z`` is NaN.
    p_permuted
        Two-sided pseudo-p by conditional permutation; None when none were asked for.
    """

    sums: Floats
    z: Floats
    p: Floats
    p_permuted: Floats | None


def gi_star(
    values: ArrayLike,
    neighbours: Neighbours,
    *,
    permutations: int = 0,
    conditional: bool = True,
    seed: int | None = None,
) -> GiStar:
    """Getis and Ord's Gi* with binary weights.

    Parameters
    ----------
    values
        One number each, such as counts.
    neighbours
        Who is near whom, itself included.
    permutations
        How often the others' values are drawn anew; 0 for the normal approximation alone. That is poor where few cells
        hold anything at all: counts are skewed, and it then finds hot cells where there are none.
    conditional
        Whether a cell's own value stays where it is while the others are drawn, as in esda: it then says nothing for or
        against the cell. Otherwise all values are drawn, which is the exact counterpart of ``z``.
    seed
        Of the drawing; the same seed gives the same result.

    Notes
    -----
    With n values of mean m and variance s² (divided by n) and k neighbours that hold S together:
    z = (S − m k) / (s √(k (n − k) / (n − 1))).

    Without condition k of the n values are drawn without replacement and their sums compared with the cell's. The
    conditional permutation keeps the value of a cell and draws its k − 1 neighbours among the n − 1 others. As in esda
    one series of draws serves all cells: each is a random row of cells; of the row's first k − 1 a cell that meets
    itself leaves itself out and takes the next one, which is again a fair draw. So all cells of one k share a sorted
    list of sums, in which each looks up its own, and only the few that met themselves are corrected. The pseudo-p is
    (1 + as many as lie as far out) / (1 + draws) on the side where the cell lies, doubled.

    Source: J. K. Ord, A. Getis, Local Spatial Autocorrelation Statistics: Distributional Issues and an Application,
    Geographical Analysis 27 (1995) 286–306, eq. 14b; L. Anselin, Local Indicators of Spatial Association – LISA,
    Geographical Analysis 27 (1995) 93–115, section 3, for the conditional permutation.

    Examples
    --------
    >>> from spatial.hotspots.cells import Lattice
    >>> lattice = Lattice(36)
    >>> cells = [[column, 0] for column in range(7)]
    >>> gi_star([0, 0, 0, 9, 0, 0, 0], lattice.neighbours(cells)).z.round(3).tolist()
    [-0.632, -0.866, 1.155, 1.155, 1.155, -0.866, -0.632]
    """
    x = np.asarray(values, dtype=np.float64)
    return _tested(x, neighbours.sums(x), neighbours.counts, permutations, conditional, seed)


def gi_star_in_time(
    counts: ArrayLike,
    neighbours: Neighbours,
    *,
    lags: int = 1,
    permutations: int = 0,
    conditional: bool = True,
    seed: int | None = None,
) -> GiStar:
    """Gi* of each cell in each period, its neighbours being the near cells in this period and some before it.

    Parameters
    ----------
    counts
        Array (cells, periods), the oldest period first.
    neighbours
        Which cells are near, themselves included.
    lags
        How many periods before count as near too; 0 for a series whose periods share no cases.
    permutations, conditional, seed
        As for :func:`gi_star`.

    Returns
    -------
    GiStar
        Of arrays (cells, periods). All are compared with the mean of all cells in all periods.

    Notes
    -----
    Source: Esri, How Emerging Hot Spot Analysis works (ArcGIS Pro documentation), the space-time cube's Gi*.
    """
    cube = np.asarray(counts, dtype=np.float64)
    sums = neighbours.sums(cube)
    near = np.repeat(neighbours.counts[:, None], cube.shape[1], axis=1)
    held, sizes = sums.copy(), near.copy()
    for lag in range(1, min(lags, cube.shape[1] - 1) + 1):
        held[:, lag:] += sums[:, :-lag]
        sizes[:, lag:] += near[:, :-lag]
    found = _tested(cube.ravel(), held.ravel(), sizes.ravel(), permutations, conditional, seed)
    drawn = None if found.p_permuted is None else found.p_permuted.reshape(cube.shape)
    return GiStar(held, found.z.reshape(cube.shape), found.p.reshape(cube.shape), drawn)


def _tested(x: Floats, sums: Floats, k: Integers, permutations: int, conditional: bool, seed: int | None) -> GiStar:
    from scipy.special import ndtr

    n = len(x)
    if n == 0:
        return GiStar(x, x, x, x if permutations else None)
    spread = x.std() * np.sqrt(k * (n - k) / max(n - 1, 1))
    # All values alike, up to rounding, is no spread.
    known = spread > 1e-12 * max(float(np.abs(x).max()), 1e-300)
    z = np.divide(sums - x.mean() * k, spread, out=np.full(n, np.nan), where=known)
    p = np.where(known, 2 * ndtr(-np.abs(z)), 1.0)
    drawn = _permuted(x, sums, k, permutations, conditional, seed) if permutations else None
    return GiStar(sums, z, p, drawn)


def _permuted(x: Floats, sums: Floats, k: Integers, permutations: int, conditional: bool, seed: int | None) -> Floats:
    n, most = len(x), int(k.max())
    rows = _rows(n, min(most, n), permutations, np.random.default_rng(seed))
    held = x[rows]
    totals = np.concatenate([np.zeros((permutations, 1)), np.cumsum(held, axis=1)], axis=1)
    # Of its own value a cell that keeps it needs no draw.
    own, drawn = (sums - x, k - 1) if conditional else (sums, k)
    # A rounding error must not tell equal sums apart.
    slack = 1e-9 * max(1.0, float(np.abs(sums).max()))
    above, below = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for size in np.unique(drawn):
        mine = np.flatnonzero(drawn == size)
        column = np.sort(totals[:, size])
        above[mine] = permutations - np.searchsorted(column, own[mine] - slack, side="left")
        below[mine] = np.searchsorted(column, own[mine] + slack, side="right")
    if conditional:
        met, at = np.divmod(np.arange(rows.size), rows.shape[1])
        cell = rows.ravel()
        itself = at < drawn[cell]
        met, cell = met[itself], cell[itself]
        wrong = totals[met, drawn[cell]]
        # One more neighbour was drawn than needed, to take the place of the cell that met itself.
        right = wrong - x[cell] + held[met, drawn[cell]]
        for counts, side in ((above, 1.0), (below, -1.0)):
            was, now = side * (wrong - own[cell]) >= -slack, side * (right - own[cell]) >= -slack
            counts += np.bincount(cell, weights=now.astype(np.float64) - was, minlength=n).astype(np.int64)
    return np.minimum(1.0, 2 * (1 + np.minimum(above, below)) / (1 + permutations))


def _rows(n: int, length: int, draws: int, random: np.random.Generator) -> Integers:
    """``draws`` rows of ``length`` different whole numbers below ``n``, each row a fair draw without replacement."""
    if length**2 > 4 * n:
        many = max(1, _DECK // n)
        return np.concatenate([_dealt(n, length, min(many, draws - at), random) for at in range(0, draws, many)])
    # Numbers seldom meet in a short row, so rows in which two are equal are simply drawn again.
    rows = random.integers(0, n, (draws, length))
    waiting = np.arange(draws)
    while len(waiting):
        ordered = np.sort(rows[waiting], axis=1)
        waiting = waiting[(ordered[:, 1:] == ordered[:, :-1]).any(axis=1)]
        rows[waiting] = random.integers(0, n, (len(waiting), length))
    return rows


def _dealt(n: int, length: int, draws: int, random: np.random.Generator) -> Integers:
    """The first cards of shuffled decks (Fisher and Yates), all decks at once."""
    decks = np.tile(np.arange(n), (draws, 1))
    every = np.arange(draws)
    for at in range(length):
        picked = random.integers(at, n, draws)
        card = decks[every, picked]
        decks[every, picked] = decks[:, at]
        decks[:, at] = card
    return decks[:, :length]


def false_discovery(p: ArrayLike) -> Floats:
    """The p values corrected for their number: at q ≤ α, at most the share α of what is called significant is chance.

    Notes
    -----
    Source: Y. Benjamini, Y. Hochberg, Controlling the False Discovery Rate, Journal of the Royal Statistical Society
    B 57 (1995) 289–300; for local statistics M. C. Castro, B. H. Singer, Controlling the False Discovery Rate,
    Geographical Analysis 38 (2006) 180–208. Neighbours depend on each other positively, under which it holds
    (Y. Benjamini, D. Yekutieli, Annals of Statistics 29 (2001) 1165–1188).

    Examples
    --------
    >>> false_discovery([0.01, 0.04, 0.03, 0.5]).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    given = np.asarray(p, dtype=np.float64)
    order = np.argsort(given)[::-1]
    steps = given[order] * len(given) / np.arange(len(given), 0, -1)
    corrected = np.empty(len(given))
    corrected[order] = np.minimum.accumulate(steps) if len(given) else steps
    return np.minimum(corrected, 1.0)


def heat(z: ArrayLike, q: ArrayLike) -> list[Heat]:
    """How sure one can be of each cell: 99, 95 or 90 % by its corrected p, hot or cold by the sign of z.

    Examples
    --------
    >>> [found.value for found in heat([3.1, 2.0, -2.9, 0.3, float("nan")], [0.004, 0.07, 0.03, 0.9, 1.0])]
    ['hot_99', 'hot_90', 'cold_95', 'none', 'none']
    """
    score, corrected = np.nan_to_num(np.asarray(z, dtype=np.float64)), np.asarray(q, dtype=np.float64)
    step = np.select([corrected <= 0.01, corrected <= 0.05, corrected <= 0.10], [0, 1, 2], default=3)
    hot, cold = (Heat.HOT_99, Heat.HOT_95, Heat.HOT_90), (Heat.COLD_99, Heat.COLD_95, Heat.COLD_90)
    return [
        Heat.NONE if one == 3 or value == 0 else (hot if value > 0 else cold)[one]
        for one, value in zip(step.tolist(), score.tolist(), strict=True)
    ]
