"""Density 密度: how many cases there are around a place, per hectare, as a smooth surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Surface", "density"]

Floats = NDArray[np.float64]

_REACH = 5.0
"""Bandwidths after which a Gaussian is over: beyond lies less than a millionth of it."""
_NODES_MAX = 4_000_000


@dataclass(frozen=True)
class Surface:
    """A density over a raster of nodes.

    Attributes
    ----------
    values
        Array (rows, columns), cases per hectare at each node, rows from the south.
    west, south
        The first node, in metres.
    step_m
        The distance between nodes in metres.
    bandwidth_m
        The standard deviation of the kernel in metres.
    """

    values: Floats
    west: float
    south: float
    step_m: float
    bandwidth_m: float

    def at(self, xy: ArrayLike) -> Floats:
        """The density at points (n, 2) in metres, linear between nodes; 0 beyond the raster."""
        flat = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        x, y = (flat[:, 0] - self.west) / self.step_m, (flat[:, 1] - self.south) / self.step_m
        rows, columns = self.values.shape
        inside = (x >= 0) & (y >= 0) & (x <= columns - 1) & (y <= rows - 1)
        column = np.clip(np.floor(x).astype(np.int64), 0, columns - 2)
        row = np.clip(np.floor(y).astype(np.int64), 0, rows - 2)
        u, v = x - column, y - row
        low = self.values[row, column] * (1 - u) + self.values[row, column + 1] * u
        high = self.values[row + 1, column] * (1 - u) + self.values[row + 1, column + 1] * u
        return np.where(inside, low * (1 - v) + high * v, 0.0)


def density(
    xy: ArrayLike,
    bandwidth_m: float,
    *,
    bounds: tuple[float, float, float, float] | None = None,
    step_m: float | None = None,
    weights: ArrayLike | None = None,
) -> Surface:
    """A Gaussian kernel density of points.

    Parameters
    ----------
    xy
        Array (n, 2) in metres.
    bandwidth_m
        The standard deviation of the kernel in metres.
    bounds
        West, south, east, north of the raster in metres; by default those of the points and five bandwidths more.
        Points beyond it still count as far as they reach.
    step_m
        The distance between nodes; an eighth of the bandwidth by default. Above a half the result becomes coarse, and
        above the whole bandwidth it is refused.
    weights
        One number each; 1 by default.

    Returns
    -------
    Surface
        Its sum times the area of a node's square is the number of points, but for what lies beyond the raster.

    Raises
    ------
    ValueError
        The bandwidth is not greater than 0, the step is greater than the bandwidth, or the raster would have over four
        million nodes.

    Notes
    -----
    Each point is shared out among the four nodes around it, and the raster is multiplied with the kernel by fast
    Fourier transform, padded so that it does not wrap around. Sharing out widens every point by step²/6; the kernel is
    made narrower by as much, so that what remains is of the fourth order.

    Source: B. W. Silverman, Kernel density estimation using the fast Fourier transform, Applied Statistics 31 (1982)
    93–99; M. P. Wand, Fast computation of multivariate kernel estimators, Journal of Computational and Graphical
    Statistics 3 (1994) 433–445, for linear binning.

    Examples
    --------
    >>> surface = density([[0.0, 0.0], [3.0, 4.0]], 10)
    >>> round(float(surface.values.sum()) * surface.step_m**2 / 10_000, 4)
    2.0
    >>> expected = 10_000 / (2 * np.pi * 10**2) * (1 + np.exp(-(5**2) / (2 * 10**2)))
    >>> bool(abs(surface.at([[0.0, 0.0]])[0] / expected - 1) < 0.005)
    True
    """
    if not bandwidth_m > 0:
        raise ValueError(f"bandwidth_m is {bandwidth_m}, but a bandwidth in metres is greater than 0")
    step = step_m or bandwidth_m / 8
    if step > bandwidth_m:
        raise ValueError(f"steps of {step} m are too great for a bandwidth of {bandwidth_m} m")
    flat = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    reach = _REACH * bandwidth_m
    if bounds is None:
        low, high = (flat.min(axis=0), flat.max(axis=0)) if len(flat) else (np.zeros(2), np.zeros(2))
        bounds = (low[0] - reach, low[1] - reach, high[0] + reach, high[1] + reach)
    west, south, east, north = bounds
    columns, rows = int(np.ceil((east - west) / step)) + 1, int(np.ceil((north - south) / step)) + 1
    margin = int(np.ceil(reach / step)) + 1
    wide, tall = columns + 2 * margin, rows + 2 * margin
    if wide * tall > _NODES_MAX:
        raise ValueError(f"the raster would have {wide * tall:,} nodes; take a greater step or bandwidth")
    x, y = (flat[:, 0] - west) / step + margin, (flat[:, 1] - south) / step + margin
    near = (x >= 0) & (y >= 0) & (x < wide - 1) & (y < tall - 1)
    each = np.ones(len(flat)) if weights is None else np.asarray(weights, dtype=np.float64)
    binned = _shared_out(x[near], y[near], each[near], wide, tall)
    variance = bandwidth_m**2 - step**2 / 6
    spread = _along(tall, step, variance)[:, None] * _along(wide, step, variance, half=True)[None, :]
    smooth = np.fft.irfft2(np.fft.rfft2(binned) * spread, s=binned.shape)
    values = np.maximum(smooth[margin : margin + rows, margin : margin + columns], 0.0) * (10_000 / step**2)
    return Surface(values, west, south, step, bandwidth_m)


def _shared_out(x: Floats, y: Floats, each: Floats, wide: int, tall: int) -> Floats:
    """The raster of nodes with each point shared out linearly among the four around it."""
    column, row = x.astype(np.int64), y.astype(np.int64)
    u, v = x - column, y - row
    first = row * wide + column
    total = np.zeros(wide * tall)
    for step, share in ((0, (1 - u) * (1 - v)), (1, u * (1 - v)), (wide, (1 - u) * v), (wide + 1, u * v)):
        total += np.bincount(first + step, weights=share * each, minlength=wide * tall)
    return total.reshape(tall, wide)


def _along(nodes: int, step: float, variance: float, *, half: bool = False) -> Floats:
    """The Fourier transform of the kernel along one side of the raster.

    A Gaussian's transform is known, so that the kernel itself need not be made; the margin keeps it from wrapping.
    """
    turns = np.fft.rfftfreq(nodes, step) if half else np.fft.fftfreq(nodes, step)
    return np.asarray(np.exp(-2 * (np.pi * turns) ** 2 * variance))
