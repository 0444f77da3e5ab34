"""Divisions by the peers, in the Python that has them: reads grounds as JSON, one a line, and prints how each divides.

A ground is ``{"count", "least", "most", "households", "edges", "shared_m"}``; what is printed for it is
``{name: {"seconds", "divisions": [the grid of each cell, …]}}``. A ground may name the only peers that are asked
(``"peers"``) and how many seeds each tries (``"seeds"``).
"""

from __future__ import annotations

import json
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Ground = dict[str, Any]


def metis(ground: Ground, seed: int) -> list[int]:
    """METIS by its k-way method, households as weights, edges by how long they are, contiguous."""
    import pymetis

    beside: list[list[int]] = [[] for _cell in ground["households"]]
    weight: list[list[int]] = [[] for _cell in ground["households"]]
    for (a, b), length in zip(ground["edges"], ground["shared_m"], strict=True):
        for here, there in ((a, b), (b, a)):
            beside[here].append(there)
            weight[here].append(max(1, round(length)))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in beside])]).astype(int).tolist()
    _cut, parts = pymetis.part_graph(
        ground["count"],
        xadj=starts,
        adjncy=[cell for row in beside for cell in row],
        vweights=ground["households"],
        eweights=[length for row in weight for length in row],
        recursive=False,
        contiguous=True,
        options=pymetis.Options(seed=seed, ncuts=5),
    )
    return list(map(int, parts))


def spanning_tree(ground: Ground, seed: int) -> list[int]:
    """GerryChain's recursive tree, balanced as far as the bounds allow."""
    import networkx
    from gerrychain import Graph
    from gerrychain.partition import recursive_tree_part

    random.seed(seed)
    graph = networkx.Graph()
    for cell, households in enumerate(ground["households"]):
        graph.add_node(cell, households=households)
    graph.add_edges_from(ground["edges"])
    mean = sum(ground["households"]) / ground["count"]
    slack = min(mean - ground["least"], ground["most"] - mean) / mean
    parts = recursive_tree_part(
        Graph.from_networkx(graph), range(ground["count"]), mean, "households", max(slack, 0.01)
    )
    return [int(parts[cell]) for cell in range(len(ground["households"]))]


def max_p(ground: Ground, seed: int) -> list[int]:
    """spopt's max-p regions: as many grids as hold the least."""
    import geopandas
    from libpysal.weights import W
    from spopt.region import MaxPHeuristic

    np.random.seed(seed)
    beside: dict[int, list[int]] = {cell: [] for cell in range(len(ground["households"]))}
    for a, b in ground["edges"]:
        beside[a].append(b)
        beside[b].append(a)
    frame = geopandas.GeoDataFrame({"households": ground["households"], "one": 1}, geometry=None)
    model = MaxPHeuristic(frame, W(beside, silence_warnings=True), ["one"], "households", ground["least"])
    model.solve()
    return [int(label) for label in model.labels_]


PEERS: dict[str, tuple[Callable[[Ground, int], list[int]], int]] = {
    "pymetis, best of 10 seeds": (metis, 10),
    "gerrychain recursive tree, best of 3 seeds": (spanning_tree, 3),
    "spopt max-p": (max_p, 1),
}


def main() -> None:
    """Divide whatever stands on standard input."""
    warnings.showwarning = lambda *_warning: None
    for line in sys.stdin:
        ground = json.loads(line)
        said = {}
        for name, (divide, seeds) in PEERS.items():
            if name not in ground.get("peers", PEERS):
                continue
            divisions, failed, started = [], "", time.perf_counter()
            for seed in range(ground.get("seeds", seeds)):
                try:
                    divisions.append(divide(ground, seed))
                except Exception as error:  # a peer that fails has not divided; it is said, and the others go on
                    failed = f"{type(error).__name__}: {error}"
            said[name] = {"seconds": time.perf_counter() - started, "divisions": divisions, "failed": failed}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
