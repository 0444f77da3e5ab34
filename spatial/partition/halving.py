"""A ground cut into connected parts of so many grids each, by halving: the first draft of a division, and its tiles.

A cell lies the farther on a way the farther it is from one end and the nearer to the other. Whoever goes to either end
by the shortest way only gets nearer to it on that scale, so a cut across it leaves two connected halves.

Sources
-------
Berger, M. J. and Bokhari, S. H. (1987), A partitioning strategy for nonuniform problems on multiprocessors, IEEE
Transactions on Computers C-36(5), 570-580 (recursive bisection by weight).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial.partition.ground import Ground

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Connected cells that are to be so many grids."""

    cells: Integers
    count: int


def halved(
    ground: Ground, whole: Part, bounds: tuple[int, int], *, grids: int, cells: int, random: np.random.Generator
) -> list[Part]:
    """Halve a connected part until each has at most so many grids and cells, by whichever comes last.

    Parameters
    ----------
    whole
        What is halved.
    bounds
        Bounds of a grid's households: what is left on both sides should be able to keep them.
    grids, cells
        A part of no more grids, or of no more cells, is left as it is.
    random
        Where to begin.
    """
    graph = _graph(ground, random)
    done: list[Part] = []
    waiting = [(whole, random.uniform(0.35, 0.65))]
    while waiting:
        part, share = waiting.pop()
        if part.count == 1 or part.count <= grids or len(part.cells) <= cells:
            done.append(part)
            continue
        halves = _cut(graph, ground.households, part, bounds, share, random)
        if halves is None:
            done.append(part)
            continue
        waiting += [(half, 0.5) for half in halves]
    return done


def _graph(ground: Ground, random: np.random.Generator) -> Any:
    """Neighbours, with about how far it is from one to the other."""
    from scipy.sparse import csr_array

    size = np.sqrt(np.maximum(ground.area_m2, 1e-6))
    first, second = ground.edges.T
    far = (size[first] + size[second]) / 2 * random.uniform(0.95, 1.05, len(first))
    count = len(ground)
    return csr_array(
        (np.tile(far, 2), (np.append(first, second), np.append(second, first))), shape=(count, count), dtype=np.float64
    )


def _cut(
    graph: Any, households: Integers, part: Part, bounds: tuple[int, int], share: float, random: np.random.Generator
) -> tuple[Part, Part] | None:
    from scipy.sparse.csgraph import dijkstra

    here = graph[part.cells][:, part.cells]
    start = int(random.integers(len(part.cells)))
    one = int(np.argmax(dijkstra(here, indices=start)))
    from_one = dijkstra(here, indices=one)
    other = int(np.argmax(from_one))
    along = np.round(from_one - dijkstra(here, indices=other), 6)
    order = np.argsort(along, kind="stable")
    weight = np.cumsum(households[part.cells[order]])
    total = int(weight[-1])
    # What lies equally far stays together: a dead end goes with the cell that leads to it.
    ends = np.flatnonzero(np.append(np.diff(along[order]) > 0, False))
    if not len(ends):
        return None
    count = min(max(round(part.count * share), 1), part.count - 1)
    rest = part.count - count
    least, most = bounds
    short = np.maximum(np.maximum(least * count - weight[ends], weight[ends] - most * count), 0)
    short = short + np.maximum(np.maximum(least * rest - total + weight[ends], total - weight[ends] - most * rest), 0)
    far = np.abs(weight[ends] - total * count / part.count)
    room = (ends + 1 < count) | (len(order) - ends - 1 < rest)
    best = ends[np.lexsort((far, short, room))[0]]
    return Part(part.cells[order[: best + 1]], count), Part(part.cells[order[best + 1 :]], rest)
