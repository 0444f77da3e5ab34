"""Hotspots 热点: saved runs of the analysis of where cases gather, and where they only seem to.

- ``asking`` the parameters; ``gathering`` the data and its fingerprint; ``computing`` from both to a result
- ``tables`` what is remembered; ``runs`` asked for, done, kept; ``reading`` what came of one;
  ``relocating`` what is done about a default point

The same parameters on the same data give the same result: everything drawn is drawn from the run's seed.
"""

from data.hotspots.asking import CELL_M, DAYS, Params, settled
from data.hotspots.computing import PERIODS_LEAST
from data.hotspots.gathering import Place, place_of
from data.hotspots.reading import (
    HOT,
    SHOWN_FROM,
    alarms,
    by_grid,
    cells,
    clusters,
    compare,
    default_points,
    outline,
    repeats,
    spots,
    trend,
    unpatrolled,
)
from data.hotspots.relocating import around, relocate
from data.hotspots.runs import (
    HOTSPOTS,
    SORTS,
    Filter,
    area_m2,
    forget,
    get,
    keep,
    latest,
    looked_at,
    perform,
    remove,
    run,
    selection,
)
from data.hotspots.tables import HotspotCell, HotspotRun, RunNotDone, RunNotFound

__all__ = [
    "CELL_M",
    "DAYS",
    "HOT",
    "HOTSPOTS",
    "PERIODS_LEAST",
    "SHOWN_FROM",
    "SORTS",
    "Filter",
    "HotspotCell",
    "HotspotRun",
    "Params",
    "Place",
    "RunNotDone",
    "RunNotFound",
    "alarms",
    "area_m2",
    "around",
    "by_grid",
    "cells",
    "clusters",
    "compare",
    "default_points",
    "forget",
    "get",
    "keep",
    "latest",
    "looked_at",
    "outline",
    "perform",
    "place_of",
    "relocate",
    "remove",
    "repeats",
    "run",
    "selection",
    "settled",
    "spots",
    "trend",
    "unpatrolled",
]
