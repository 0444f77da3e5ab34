"""Clusters 聚集: groups of cases close together, whatever their shape, by density of points."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

__all__ = ["Cluster", "Method", "clusters", "frequent", "labels"]

Integers = NDArray[np.int64]


class Method(StrEnum):
    """How clusters are found."""

    DBSCAN = "dbscan"
    HDBSCAN = "hdbscan"


@dataclass(frozen=True)
class Cluster:
    """A group of cases.

    Attributes
    ----------
    cases
        Positions of its cases.
    hull
        Their convex hull with ``margin_m`` around, a polygon in metres.
    first, last
        The earliest and the latest instant among them; None without instants.
    kinds
        The most frequent kinds with their numbers, most frequent first.
    """

    cases: Integers
    hull: BaseGeometry
    first: np.datetime64 | None
    last: np.datetime64 | None
    kinds: list[tuple[str, int]]


def labels(xy: ArrayLike, *, method: Method = Method.DBSCAN, distance_m: float = 40, least_cases: int = 5) -> Integers:
    """Tell the cluster of each point, -1 for none.

    Parameters
    ----------
    xy
        Array (n, 2) in metres.
    method
        DBSCAN takes one density everywhere; HDBSCAN finds clusters of different densities.
    distance_m
        DBSCAN: how near is near. HDBSCAN: clusters nearer to each other than this are one.
    least_cases
        DBSCAN: how many near each other, itself included, make a cluster. HDBSCAN: how many a cluster has at least.

    Notes
    -----
    Source: M. Ester et al., A density-based algorithm for discovering clusters, KDD-96 (1996) 226–231; R. J. G. B.
    Campello, D. Moulavi, J. Sander, Density-based clustering based on hierarchical density estimates, PAKDD 2013,
    LNCS 7819, 160–172.
    """
    flat = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    if len(flat) < max(least_cases, 2):
        return np.full(len(flat), -1, dtype=np.int64)
    with warnings.catch_warnings():
        # It counts the cores; where a container hides them it warns, and works all the same.
        warnings.filterwarnings("ignore", "Could not find the number of physical cores")
        found = _fitted(flat, method, distance_m, least_cases)
    return np.asarray(found, dtype=np.int64)


def _fitted(flat: NDArray[np.float64], method: Method, distance_m: float, least_cases: int) -> Integers:
    # Importing scikit-learn takes over a second, so only who clusters pays for it.
    labels: Integers
    if method == Method.DBSCAN:
        from sklearn.cluster import DBSCAN

        labels = DBSCAN(eps=distance_m, min_samples=least_cases).fit_predict(flat)
        return labels
    from sklearn.cluster import HDBSCAN

    labels = HDBSCAN(
        min_cluster_size=least_cases,
        min_samples=least_cases,
        cluster_selection_epsilon=distance_m,
        copy=True,
        allow_single_cluster=True,
    ).fit_predict(flat)
    return labels


def clusters(
    xy: ArrayLike,
    labels_: ArrayLike,
    *,
    at: ArrayLike | None = None,
    kinds: Sequence[str] | None = None,
    margin_m: float = 5,
    most_kinds: int = 3,
) -> list[Cluster]:
    """Describe clusters: hull, first and last instant, main kinds.

    Parameters
    ----------
    xy
        Array (n, 2) in metres.
    labels_
        The cluster of each point, below 0 for none.
    at
        The instant of each point, ``datetime64``.
    kinds
        The kind of each point, such as a category.
    margin_m
        How far the hull stands off, so that a cluster of one place has an area too.
    most_kinds
        How many kinds are named.

    Returns
    -------
    list of Cluster
        The greatest first.
    """
    flat, tags = np.asarray(xy, dtype=np.float64).reshape(-1, 2), np.asarray(labels_, dtype=np.int64)
    instants = None if at is None else np.asarray(at, dtype="datetime64[us]")
    described = []
    for tag in np.unique(tags[tags >= 0]):
        cases = np.flatnonzero(tags == tag)
        hull: BaseGeometry = shapely.MultiPoint(flat[cases]).convex_hull.buffer(margin_m, quad_segs=4)
        mine = None if instants is None else instants[cases]
        described.append(
            Cluster(
                cases,
                hull,
                None if mine is None else mine.min(),
                None if mine is None else mine.max(),
                [] if kinds is None else frequent([kinds[case] for case in cases.tolist()], most_kinds),
            )
        )
    return sorted(described, key=lambda one: (-len(one.cases), int(one.cases[0])))


def frequent(kinds: Sequence[str], most: int = 3) -> list[tuple[str, int]]:
    """The most frequent kinds with their numbers; of equals the first by name.

    Examples
    --------
    >>> frequent(["lamp", "cat", "lamp", "lift"], most=2)
    [('lamp', 2), ('cat', 1)]
    """
    counts: dict[str, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
