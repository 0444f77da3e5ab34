"""Hotspots 热点: where cases gather in space and time, and where they only seem to.

``cells`` counts on a lattice, ``density`` smooths, ``rates`` divides by households, ``gi`` tests each cell against
chance, ``clusters`` groups points, ``defaults`` finds stacks that a geocoder made, ``trends`` follows cells over
periods, ``scan`` warns early, ``places`` lists what repeats and what nobody passes. All in metres, nothing in degrees.
"""

from spatial.hotspots.cells import Lattice, Neighbours, Shape, count, groups, neighbours_within, position_in
from spatial.hotspots.clusters import Cluster, Method, clusters, frequent, labels
from spatial.hotspots.defaults import DefaultPoint, default_points, place_of
from spatial.hotspots.density import Surface, density
from spatial.hotspots.gi import GiStar, Heat, false_discovery, gi_star, gi_star_in_time, heat
from spatial.hotspots.places import Repeat, repeats, unpatrolled
from spatial.hotspots.rates import Rates, rates
from spatial.hotspots.scan import Alarm, Model, TooManyZones, scan
from spatial.hotspots.trends import (
    EMERGING,
    FADING,
    PERSISTING,
    Change,
    MannKendall,
    Pattern,
    changes,
    mann_kendall,
    patterns,
)

__all__ = [
    "EMERGING",
    "FADING",
    "PERSISTING",
    "Alarm",
    "Change",
    "Cluster",
    "DefaultPoint",
    "GiStar",
    "Heat",
    "Lattice",
    "MannKendall",
    "Method",
    "Model",
    "Neighbours",
    "Pattern",
    "Rates",
    "Repeat",
    "Shape",
    "Surface",
    "TooManyZones",
    "changes",
    "clusters",
    "count",
    "default_points",
    "density",
    "false_discovery",
    "frequent",
    "gi_star",
    "gi_star_in_time",
    "groups",
    "heat",
    "labels",
    "mann_kendall",
    "neighbours_within",
    "patterns",
    "place_of",
    "position_in",
    "rates",
    "repeats",
    "scan",
    "unpatrolled",
]
