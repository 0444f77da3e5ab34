"""Simulated cities whose hot cells are known: how well these are found, and what is found where there are none.

A city is 700 × 700 m of 36 m hexagons. Cases fall everywhere alike, half a case a cell, but around two centres, within
60 m, eight times as many (``hot``), or nowhere more (``quiet``; ``busy`` has ten cases a cell). In ``stacked`` cities a
geocoder's default point with 40 cases of as many addresses lies on top of a quiet city. Cases have a week: in
``rising`` cities those around one centre come in the last three of twelve.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from spatial import hotspots
from spatial.hotspots import Lattice

SIDE_M, CELL_M, RINGS, RADIUS_M = 700.0, 36.0, 2, 60.0
CASES_A_CELL, BUSY, TIMES, WEEKS, RECENT = 0.5, 10.0, 8.0, 12, 3
ALPHA = 0.05
HOT = (hotspots.Heat.HOT_99, hotspots.Heat.HOT_95)
COLD = (hotspots.Heat.COLD_99, hotspots.Heat.COLD_95)


@dataclass(frozen=True)
class City:
    """Cells, which of them are hot, and cases with place, week and address."""

    lattice: Lattice
    cells: np.ndarray
    hot: np.ndarray
    xy: np.ndarray
    week: np.ndarray
    addresses: list[str]


def city(random: np.random.Generator, kind: str) -> City:
    """A city of this kind."""
    lattice = Lattice(CELL_M)
    cells = lattice.cover(shapely.box(0, 0, SIDE_M, SIDE_M))
    centres = lattice.centres(cells)
    many = {"hot": 2, "rising": 1}.get(kind, 0)
    spots = random.uniform(2 * RADIUS_M, SIDE_M - 2 * RADIUS_M, (many, 2))
    hot = np.zeros(len(cells), dtype=bool)
    for spot in spots:
        hot |= np.hypot(*(centres - spot).T) <= RADIUS_M
    usual = random.poisson(BUSY if kind == "busy" else CASES_A_CELL, len(cells))
    more = random.poisson(CASES_A_CELL * (TIMES - 1), len(cells)) * hot
    where = np.repeat(np.arange(len(cells)), usual + more)
    xy = centres[where] + random.uniform(-CELL_M / 5, CELL_M / 5, (len(where), 2))
    week = random.integers(0, WEEKS, len(where))
    addresses = [f"{cell}号楼" for cell in where]
    if kind == "rising":
        late = np.concatenate([np.arange(n) >= u for n, u in zip(usual + more, usual, strict=True)] or [[]])
        week[late] = random.integers(WEEKS - RECENT, WEEKS, int(late.sum()))
    if kind == "stacked":
        xy = np.concatenate([xy, np.repeat(random.uniform(100, 600, (1, 2)), 40, axis=0)])
        week = np.concatenate([week, random.integers(0, WEEKS, 40)])
        addresses += [f"{number}号楼" for number in random.permutation(400)[:40]]
    return City(lattice, cells, hot, xy, week, addresses)


def found(made: City, seed: int, conditional: bool = False) -> tuple[list[hotspots.Heat], np.ndarray, int]:
    """How hot each cell is called, its p before correction, and how many default points were left out."""
    stacks = hotspots.default_points(made.xy, made.addresses)
    stays = np.ones(len(made.xy), dtype=bool)
    for stack in stacks:
        stays[stack.cases] = False
    counts = hotspots.count(made.xy[stays], made.lattice, made.cells)
    near = made.lattice.neighbours(made.cells, RINGS)
    tested = hotspots.gi_star(counts, near, permutations=9_999, conditional=conditional, seed=seed)
    p = tested.p_permuted
    assert p is not None, "permutations were asked for"
    return hotspots.heat(tested.z, hotspots.false_discovery(p)), p, len(stacks)


def alarm(made: City, seed: int) -> tuple[float, bool]:
    """The p of the strongest alarm, and whether its circle holds a hot cell."""
    counts = np.zeros((len(made.cells), WEEKS), dtype=np.int64)
    np.add.at(counts, (hotspots.position_in(made.lattice.locate(made.xy), made.cells), made.week), 1)
    alarms = hotspots.scan(made.lattice.centres(made.cells), counts, radius_m=144, simulations=199, seed=seed, most=1)
    return (alarms[0].p, bool(made.hot[alarms[0].places].any())) if alarms else (1.0, False)


def report(cities: int, seed: int = 20260318) -> Iterator[dict[str, Any]]:
    """One line for each kind of city."""
    random = np.random.default_rng(seed)
    for conditional in (False, True):
        yield hot(random, cities, conditional)
    yield quiet(random, cities, "quiet")
    yield quiet(random, cities, "busy")
    yield stacked(random, cities)
    for kind in ("rising", "quiet"):
        alarms = [alarm(city(random, kind), number) for number in range(cities)]
        raised = [right for p, right in alarms if p <= ALPHA]
        yield {
            "bench": f"hotspots: scan, {kind} cities",
            "cities": cities,
            "alarms_at_5_percent": len(raised) / cities,
            **({"of_these_at_the_right_place": round(float(np.mean(raised)), 3)} if kind == "rising" else {}),
        }


def hot(random: np.random.Generator, cities: int, conditional: bool = False) -> dict[str, Any]:
    """Precision and recall with two planted clusters.

    A cell is *called* when it is hot at 95 %. What Gi* says of a cell it says of it and its neighbours, so a call is
    right when a planted cell is among them; the stricter count takes planted cells alone.
    """
    called = right = planted_called = planted = 0
    clusters = clusters_hit = 0
    for number in range(cities):
        made = city(random, "hot")
        heats, _p, _stacks = found(made, number, conditional)
        flags = np.array([one in HOT for one in heats])
        near = made.lattice.neighbours(made.cells, RINGS)
        touches = near.sums(made.hot) > 0
        called, right = called + int(flags.sum()), right + int((flags & touches).sum())
        planted, planted_called = planted + int(made.hot.sum()), planted_called + int((flags & made.hot).sum())
        groups = hotspots.groups(made.hot, made.lattice.neighbours(made.cells, 1))
        for group in range(groups.max() + 1):
            clusters, clusters_hit = clusters + 1, clusters_hit + bool(flags[groups == group].any())
    return {
        "bench": f"hotspots: Gi*{', conditional' if conditional else ''}, hot cities",
        "cities": cities,
        "precision": round(right / max(called, 1), 3),
        "recall": round(planted_called / planted, 3),
        "precision_of_planted_cells_alone": round(planted_called / max(called, 1), 3),
        "clusters_found": round(clusters_hit / clusters, 3),
    }


def quiet(random: np.random.Generator, cities: int, kind: str) -> dict[str, Any]:
    """How often something is called hot or cold where nothing was planted."""
    alarmed, p_low, cells = 0, 0, 0
    for number in range(cities):
        heats, p, _stacks = found(city(random, kind), number)
        alarmed += any(one in HOT + COLD for one in heats)
        p_low, cells = p_low + int((p <= ALPHA).sum()), cells + len(p)
    return {
        "bench": f"hotspots: Gi*, {kind} cities",
        "cities": cities,
        "asked_for": ALPHA,
        "cities_with_a_false_alarm": alarmed / cities,
        "cells_with_p_at_most_5_percent": round(p_low / cells, 4),
    }


def stacked(random: np.random.Generator, cities: int) -> dict[str, Any]:
    """Default points found, and false hotspots left."""
    caught = alarmed = 0
    for number in range(cities):
        heats, _p, stacks = found(city(random, "stacked"), number)
        caught, alarmed = caught + (stacks == 1), alarmed + any(one in HOT for one in heats)
    return {
        "bench": "hotspots: default points",
        "cities": cities,
        "caught": caught / cities,
        "cities_with_a_false_hotspot": alarmed / cities,
    }
