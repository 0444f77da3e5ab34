"""Coverage: which places a track passed near enough to have been seen, and where its GPS is too poor to say.

A receiver states an accuracy, not a place. So a place is *seen* when the chance that the true way came within the
distance is high, *too poor* when it may have come, and *not seen* otherwise.

The model
---------
The true position is distributed around the fix as a circular normal whose standard deviation ``s`` follows from the
stated accuracy ``a``, the radius of 68 % confidence: ``s = a / sqrt(-2 ln(1 - 0.68))``. The distance of the true
position from a place that lies ``r`` from the fix is then Rice distributed, and

- *seen* is ``P(distance <= d) >= confidence``, that is ``r <= seen_radius(a)``;
- *may have been seen* is ``P(distance <= d) >= 1 - confidence``, that is ``r <= poor_radius(a)``; also a place within
  the stated accuracy of a fix, however wide that is, may have been seen.

Errors of fixes that follow each other are nearly the same error, so the best single fix decides and several are not
multiplied into more certainty than there is. Between two fixes the way is taken for the straight leg, as far as the
time allows no other: half the width of the space-time prism of somebody who walks is added to the leg's accuracy.

A line (a piece of street) is seen by the share of its length; a polygon (a building) or a point when any of it is.

Sources
-------
68 %: Android Developers, ``Location.getAccuracy``; Apple's ``horizontalAccuracy`` is 63 to 68 % (Apple Developer
Forums 699996). A browser's Geolocation API promises 95 % (W3C) but on phones passes on what the system states, so the
wider reading is taken. Rice distribution: Rice, S. O. (1945),
Mathematical Analysis of Random Noise, Bell System Technical Journal 24, 46-156; its distribution function is that of a
noncentral chi-square with two degrees of freedom. Prism: Miller, H. J. (1991), Modelling accessibility using
space-time prism concepts within geographical information systems, IJGIS 5(3), 287-301.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

__all__ = ["BINS", "CONFIDENCE", "DISTANCE_M", "Places", "Tracks", "observe", "poor_radius", "seen_radius"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Positions = NDArray[np.int64]
Geometries = NDArray[np.object_]

BINS = 50
"""A place is divided into so many equal parts, each a bit of a mask, so that what several tracks saw can be united."""
WALKING_MPS = 1.4
"""Comfortable walking speed: Bohannon, R. W. (1997), Age and Ageing 26(1), 15-19."""
CONFIDENCE = 0.9
DISTANCE_M = 25.0
_FULL = np.int64(2**BINS - 1)
_EDGE_M = 64.0
"""Places are taken apart into edges of at most this length."""
_LEG_M = 16.0
"""Tracks are taken apart into legs of at most this length."""
_CELL_M = 16.0
"""What may be near a leg is looked up by the square in which its middle lies."""
_CHUNK = 60_000
"""So many pairs of a leg and an edge are looked at together: few enough for the processor's cache."""
_NARROW = 0.02
"""A spread below this share of the distance is narrow."""
_STEP_M = 0.1
"""Accuracies are rounded up to this, so that a radius can be looked up."""


def seen_radius(accuracy_m: ArrayLike, distance_m: float = DISTANCE_M, confidence: float = CONFIDENCE) -> Floats:
    """How far from a fix a place may lie to have been within the distance with this confidence.

    Parameters
    ----------
    accuracy_m
        Radius of 68 % confidence of each fix, in metres.
    distance_m
        The distance within which a place is seen, in metres.
    confidence
        The least chance (0-1).

    Returns
    -------
    numpy.ndarray
        Metres; the distance itself for a perfect fix, -1 where even a place right at the fix is not certain enough.

    Examples
    --------
    >>> seen_radius([0, 10, 30]).round(2).tolist()
    [25.0, 15.38, -1.0]
    """
    return _radius(_spread(accuracy_m), distance_m, confidence)


def poor_radius(accuracy_m: ArrayLike, distance_m: float = DISTANCE_M, confidence: float = CONFIDENCE) -> Floats:
    """How far from a fix a place may lie and still may have been within the distance.

    Returns
    -------
    numpy.ndarray
        Metres: where the chance falls to ``1 - confidence``, and at least the accuracy itself.

    Examples
    --------
    >>> poor_radius([0, 10, 60]).round(2).tolist()
    [25.0, 32.72, 60.0]
    """
    stated = np.asarray(accuracy_m, dtype=np.float64)
    return np.maximum(_radius(_spread(stated), distance_m, 1 - confidence), stated)


def _radius(spread: Floats, distance_m: float, chance: float) -> Floats:
    """Where the chance of having been within the distance falls below ``chance``; -1 where it is nowhere as high."""
    from scipy.special import chndtrinc, ndtri

    radius = np.full(spread.shape, -1.0)
    # Close to a straight edge (a small spread) the Rice distribution is all but normal: mean r + s²/2r.
    narrow = spread <= _NARROW * distance_m
    radius[narrow] = distance_m - ndtri(chance) * spread[narrow] - spread[narrow] ** 2 / (2 * distance_m)
    wide = ~narrow & (-np.expm1(-(distance_m**2) / (2 * np.maximum(spread, 1e-9) ** 2)) >= chance)
    radius[wide] = spread[wide] * np.sqrt(chndtrinc((distance_m / spread[wide]) ** 2, 2.0, chance))
    return radius


def _spread(accuracy_m: ArrayLike) -> Floats:
    """Standard deviation along each axis of a circular normal with 68 % within ``accuracy_m``."""
    return np.asarray(np.asarray(accuracy_m, dtype=np.float64) / np.sqrt(-2 * np.log1p(-0.68)))


@dataclass(frozen=True)
class Tracks:
    """Cleaned points of many tracks, in the order in which they were walked; all of one length.

    Attributes
    ----------
    track
        Number of the track of each point, never decreasing.
    x, y
        Metres.
    accuracy_m
        Radius of 68 % confidence; 0 is perfect.
    part
        Points of one track and part that follow each other are joined by a leg.
    t
        Seconds, or None: then every leg was walked straight.
    """

    track: Positions
    x: Floats
    y: Floats
    accuracy_m: Floats
    part: Positions
    t: Floats | None = None

    @classmethod
    def of(
        cls,
        track: ArrayLike,
        x: ArrayLike,
        y: ArrayLike,
        accuracy_m: ArrayLike = 0.0,
        part: ArrayLike = 0,
        t: ArrayLike | None = None,
    ) -> Tracks:
        """Tracks from whatever makes arrays; one accuracy or part may stand for all.

        Raises
        ------
        ValueError
            Lengths differ, numbers are not finite, or tracks are not in order.
        """
        number = np.asarray(track, dtype=np.int64)
        count = len(number)
        xs, ys, stated = (np.broadcast_to(np.asarray(each, dtype=np.float64), (count,)) for each in (x, y, accuracy_m))
        times = None if t is None else np.asarray(t, dtype=np.float64)
        if not all(np.isfinite(values).all() for values in (xs, ys, stated)) or (stated < 0).any():
            raise ValueError("places and accuracies of cleaned points are finite numbers")
        if (np.diff(number) < 0).any() or (times is not None and len(times) != count):
            raise ValueError("points come track by track, each with its time")
        return cls(number, xs, ys, stated, np.broadcast_to(np.asarray(part, dtype=np.int64), (count,)), times)


class Places:
    """What may be seen: pieces of street, buildings, single things; prepared once for many tracks.

    Parameters
    ----------
    geometries
        Points, lines or polygons (multi ones too) in the metric reference system of the tracks. Empty and missing ones
        are never seen.
    """

    def __init__(self, geometries: Geometries) -> None:
        shapes = np.asarray(geometries, dtype=object)
        self.count = len(shapes)
        dimensions = shapely.get_dimensions(shapes)
        #: Whether a place is seen by the share of its length, not as soon as any of it is.
        self.by_length = dimensions == 1
        lines, owners = _outlines(shapes)
        long = shapely.length(lines) > _EDGE_M
        lines[long] = shapely.segmentize(lines[long], _EDGE_M)
        coordinates, line = shapely.get_coordinates(lines, return_index=True)
        inner = line[1:] == line[:-1]
        self.ax, self.ay = coordinates[:-1, 0][inner], coordinates[:-1, 1][inner]
        dx, dy = coordinates[1:, 0][inner] - self.ax, coordinates[1:, 1][inner] - self.ay
        self.owner = owners[line[1:][inner]]
        self.length = np.hypot(dx, dy)
        scale = np.where(self.length > 0, self.length, 1.0)
        self.ux, self.uy = np.where(self.length > 0, dx / scale, 1.0), dy / scale
        self.total = np.bincount(self.owner, self.length, minlength=self.count)
        walked = np.cumsum(self.length) - self.length
        first = np.flatnonzero(np.diff(self.owner, prepend=-1))
        #: How far along its place each edge begins, in metres.
        self.start = walked - np.repeat(walked[first], np.diff(first, append=len(walked)))
        ends = np.column_stack((self.ax, self.ay, self.ax + dx, self.ay + dy)).reshape(-1, 2, 2)
        self._edges = shapely.STRtree(np.asarray(shapely.linestrings(ends), dtype=object))
        #: Somebody in the middle of a large building is not near its walls.
        self.areas = np.flatnonzero(dimensions == 2)
        self._inside = shapely.STRtree(shapes[self.areas])

    def edges_near(self, x: Floats, y: Floats, reach: float) -> tuple[Positions, Positions]:
        """Pairs of a position in ``x, y`` and an edge not farther from it than ``reach`` metres, by position."""
        at, edge = self._edges.query(shapely.box(x - reach, y - reach, x + reach, y + reach))
        away_x, away_y = x[at] - self.ax[edge], y[at] - self.ay[edge]
        along = np.clip(away_x * self.ux[edge] + away_y * self.uy[edge], 0, self.length[edge])
        near = (away_x - along * self.ux[edge]) ** 2 + (away_y - along * self.uy[edge]) ** 2 <= reach**2
        at, edge = at[near], edge[near]
        order = np.argsort(at, kind="stable")
        return at[order], edge[order]

    def around(self, x: Floats, y: Floats) -> tuple[Positions, Positions]:
        """Pairs of a position in ``x, y`` and a polygon in which it lies."""
        if not len(self.areas):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        at, area = self._inside.query(shapely.points(x, y), predicate="intersects")
        return at, self.areas[area]


def _outlines(shapes: Geometries) -> tuple[Geometries, Positions]:
    """The lines of places, by place: themselves, their rings, or a line of no length at a point; and whose each is."""
    parts, owners = shapely.get_parts(shapes, return_index=True)
    filled = ~shapely.is_empty(parts)
    parts, owners = parts[filled], owners[filled]
    kinds = shapely.get_type_id(parts)
    rings, ring_of = shapely.get_rings(parts[kinds == 3], return_index=True)
    dots = shapely.linestrings(np.repeat(shapely.get_coordinates(parts[kinds == 0])[:, None, :], 2, axis=1))
    lines: Geometries = np.concatenate((parts[kinds == 1], rings, np.asarray(dots, dtype=object)))
    whose = np.concatenate((owners[kinds == 1], owners[kinds == 3][ring_of], owners[kinds == 0]))
    order = np.argsort(whose, kind="stable")
    return lines[order], whose[order].astype(np.int64)


@dataclass(frozen=True)
class _Legs:
    """Straight ways of at most ``_LEG_M``, or single points; ``last`` is the point at their end."""

    track: Positions
    px: Floats
    py: Floats
    qx: Floats
    qy: Floats
    seen_m: Floats
    poor_m: Floats
    last: Positions

    def __getitem__(self, at: slice | Positions) -> _Legs:
        return _Legs(
            self.track[at],
            self.px[at],
            self.py[at],
            self.qx[at],
            self.qy[at],
            self.seen_m[at],
            self.poor_m[at],
            self.last[at],
        )


def observe(
    tracks: Tracks, places: Places, distance_m: float = DISTANCE_M, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Say what each track saw.

    Parameters
    ----------
    tracks
        Cleaned points.
    places
        What may be seen, in the same reference system.
    distance_m
        The distance within which a place is seen, in metres.
    confidence
        The chance (0-1) from which on it counts as seen.

    Returns
    -------
    pandas.DataFrame
        One row for each track and place of which it saw, or may have seen, anything: ``track``, ``place`` (position in
        ``places``), ``seen_share`` and ``poor_share`` (0-1: of the length of a line; a polygon or point wholly or not
        at all; what was seen may also have been seen), ``seen`` and ``poor`` (the same as masks of ``BINS`` bits from
        the start of a line), ``seen_last`` and ``poor_last`` (position of the last point by which it was; -1: none).

    Raises
    ------
    ValueError
        ``distance_m`` is not greater than 0, or ``confidence`` not between 0.5 and 1.

    Examples
    --------
    >>> street = Places(shapely.from_wkt(["LINESTRING (0 20, 100 20)", "POINT (40 30)"]))
    >>> observe(Tracks.of([7, 7], [0, 50], [0, 0]), street)[["track", "place", "seen_share"]].round(3).values.tolist()
    [[7.0, 0.0, 0.65]]
    """
    if not distance_m > 0 or not 0.5 <= confidence < 1:
        raise ValueError(
            f"distance_m is {distance_m} and confidence {confidence}; they are above 0, and 0.5 to below 1"
        )
    legs = _legs(tracks, distance_m, confidence)
    perfect = bool((legs.seen_m == legs.poor_m).all())
    found = []
    near = _Near(legs, places)
    for chunk in _chunks(legs.track, near.count):
        leg, edge = near.pairs(chunk)
        low, high = _spans(legs, leg, places, edge, legs.poor_m)
        some = np.flatnonzero(low <= high)
        leg, edge, wide = leg[some], edge[some], (low[some], high[some])
        narrow = wide if perfect else _spans(legs, leg, places, edge, legs.seen_m)
        found.append(_gathered(legs.track[leg], legs.last[leg], places, edge, narrow, wide))
    frame = pd.concat(found, ignore_index=True) if found else _frame(*(np.empty(0) for _name in _COLUMNS))
    return _with_insides(frame, tracks, places, distance_m, confidence)


_COLUMNS = ("track", "place", "seen_share", "poor_share", "seen", "poor", "seen_last", "poor_last")


def _frame(*columns: NDArray[np.generic]) -> pd.DataFrame:
    shares = ("seen_share", "poor_share")
    return pd.DataFrame(
        {
            name: values.astype(np.float64 if name in shares else np.int64)
            for name, values in zip(_COLUMNS, columns, strict=True)
        }
    )


class _Radii:
    """The radii of accuracies, looked up."""

    def __init__(self, distance_m: float, confidence: float, worst_m: float) -> None:
        self._steps = np.arange(int(np.ceil(worst_m / _STEP_M)) + 1) * _STEP_M
        self._seen = seen_radius(self._steps, distance_m, confidence)
        self._poor = poor_radius(self._steps, distance_m, confidence)

    def __call__(self, accuracy_m: Floats) -> tuple[Floats, Floats]:
        step = np.ceil(accuracy_m / _STEP_M - 1e-9).astype(np.int64)
        return self._seen[step], self._poor[step]


def _legs(tracks: Tracks, distance_m: float, confidence: float) -> _Legs:
    """The legs of all tracks, and the points that tell more than the legs at them."""
    joined = np.flatnonzero((np.diff(tracks.track) == 0) & (np.diff(tracks.part) == 0))
    start, stop = joined, joined + 1
    width = np.hypot(tracks.x[stop] - tracks.x[start], tracks.y[stop] - tracks.y[start])
    accuracy = np.maximum(tracks.accuracy_m[start], tracks.accuracy_m[stop])
    if tracks.t is not None:
        could = WALKING_MPS * (tracks.t[stop] - tracks.t[start])
        accuracy = accuracy + np.sqrt(np.maximum(np.nan_to_num(could) ** 2 - width**2, 0.0)) / 2
    radii = _Radii(distance_m, confidence, max(accuracy.max(initial=0.0), tracks.accuracy_m.max(initial=0.0)))
    seen, poor = radii(accuracy)
    # A point is looked at by itself where no leg with its accuracy reaches it.
    best = np.full(len(tracks.x), -np.inf)
    np.maximum.at(best, start, seen)
    np.maximum.at(best, stop, seen)
    own_seen, own_poor = radii(tracks.accuracy_m)
    alone = np.flatnonzero((own_seen > best) & ((own_seen > 0) | np.isneginf(best)))
    pieces = np.maximum(np.ceil(width / _LEG_M).astype(np.int64), 1)
    which = np.repeat(np.arange(len(start)), pieces)
    nth = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    low, high = nth / pieces[which], (nth + 1) / pieces[which]
    dx, dy = tracks.x[stop] - tracks.x[start], tracks.y[stop] - tracks.y[start]
    x, y = tracks.x[start][which], tracks.y[start][which]
    legs = _Legs(
        np.concatenate((tracks.track[start][which], tracks.track[alone])),
        np.concatenate((x + low * dx[which], tracks.x[alone])),
        np.concatenate((y + low * dy[which], tracks.y[alone])),
        np.concatenate((x + high * dx[which], tracks.x[alone])),
        np.concatenate((y + high * dy[which], tracks.y[alone])),
        np.concatenate((seen[which], own_seen[alone])),
        np.concatenate((poor[which], own_poor[alone])),
        np.concatenate((stop[which], alone)),
    )
    return legs if not len(alone) else legs[np.argsort(legs.track, kind="stable")]


def _chunks(track: Positions, count: Positions) -> list[slice]:
    """Spans of whole tracks with about ``_CHUNK`` pairs each; ``count`` has those of each leg."""
    if not len(track):
        return []
    starts = np.flatnonzero(np.diff(track, prepend=track[0] - 1))
    before = (np.cumsum(count) - count)[starts]
    cuts = starts[np.flatnonzero(np.diff(before // _CHUNK, prepend=-1))]
    return [slice(int(start), int(stop)) for start, stop in zip(cuts, [*cuts[1:], len(track)], strict=True)]


class _Near:
    """Which edges may be near which legs: looked up by the square in which the middle of a leg lies.

    Squares are looked at once for all legs in them, for each of a few classes of radius.
    """

    def __init__(self, legs: _Legs, places: Places) -> None:
        self._cell = np.zeros(len(legs.track), dtype=np.int64)
        counts, edges = [], []
        middle_x, middle_y = (legs.px + legs.qx) / 2, (legs.py + legs.qy) / 2
        column, row = np.floor(middle_x / _CELL_M).astype(np.int64), np.floor(middle_y / _CELL_M).astype(np.int64)
        radius = np.exp2(np.ceil(np.log2(np.maximum(legs.poor_m, 1.0)) * 4) / 4)
        known = 0
        for reach in np.unique(radius):
            mine = np.flatnonzero(radius == reach)
            reach = min(reach, float(legs.poor_m[mine].max()))
            low_x, low_y = column[mine].min(), row[mine].min()
            height = row[mine].max() - low_y + 1
            cells, place = np.unique((column[mine] - low_x) * height + row[mine] - low_y, return_inverse=True)
            self._cell[mine] = place + known
            known += len(cells)
            x, y = (cells // height + low_x + 0.5) * _CELL_M, (cells % height + low_y + 0.5) * _CELL_M
            at, edge = places.edges_near(x, y, reach + _LEG_M / 2 + _CELL_M * np.sqrt(0.5))
            counts.append(np.bincount(at, minlength=len(cells)))
            edges.append(edge)
        nothing = np.empty(0, dtype=np.int64)
        in_cell = np.concatenate([nothing, *counts])
        self._edge = np.concatenate([nothing, *edges])
        self._first = (np.cumsum(in_cell) - in_cell)[self._cell]
        #: How many edges may be near each leg.
        self.count = in_cell[self._cell]

    def pairs(self, legs: slice) -> tuple[Positions, Positions]:
        """Pairs of a leg and an edge that may be near it."""
        count = self.count[legs]
        leg = np.repeat(np.arange(legs.start, legs.stop), count)
        nth = np.arange(len(leg)) - np.repeat(np.cumsum(count) - count, count)
        return leg, self._edge[self._first[leg] + nth]


def _spans(legs: _Legs, leg: Positions, places: Places, edge: Positions, radius: Floats) -> tuple[Floats, Floats]:
    """Where on each edge (metres from its start) lies what is within the radius of a leg; from > to where nothing.

    All that is within a radius of a leg is convex, so of a straight edge it is one span. Its ends lie on the circle
    around one end of the leg or on one of the two lines beside it.
    """
    ux, uy = places.ux[edge], places.uy[edge]
    px, py = legs.px[leg] - places.ax[edge], legs.py[leg] - places.ay[edge]
    way_x, way_y = legs.qx[leg] - legs.px[leg], legs.qy[leg] - legs.py[leg]
    r = radius[leg]
    along_p, off_p = px * ux + py * uy, px * uy - py * ux
    along_q, off_q = along_p + way_x * ux + way_y * uy, off_p + way_x * uy - way_y * ux
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # The square root of what is negative is NaN, and NaN is passed over by fmin and fmax.
        root_p, root_q = np.sqrt(r * np.abs(r) - off_p**2), np.sqrt(r * np.abs(r) - off_q**2)
        low = np.fmin(along_p - root_p, along_q - root_q)
        high = np.fmax(along_p + root_p, along_q + root_q)
        # Beside the leg: across(t) = ±r while the foot lies on the leg.
        length = np.hypot(way_x, way_y)
        sine = (ux * way_y - uy * way_x) / length
        cosine = (ux * way_x + uy * way_y) / length
        across, foot = (px * way_y - py * way_x) / length, (px * way_x + py * way_y) / length
        for side in (r, -r):
            t = (side + across) / sine
            on_leg = t * cosine - foot
            t[~((on_leg >= 0) & (on_leg <= length) & (r >= 0))] = np.nan
            low, high = np.fmin(low, t), np.fmax(high, t)
    low, high = np.maximum(np.nan_to_num(low, nan=np.inf), 0), np.nan_to_num(high, nan=-np.inf)
    return low, np.minimum(high, places.length[edge])


def _gathered(
    track: Positions,
    last: Positions,
    places: Places,
    edge: Positions,
    narrow: tuple[Floats, Floats],
    wide: tuple[Floats, Floats],
) -> pd.DataFrame:
    """The spans of legs on edges united into shares and masks, by track and place."""
    if not len(track):
        return _frame(*(np.empty(0) for _name in _COLUMNS))
    # Edges of one place have successive numbers, so this order is also that of places.
    key = (track - track[0]) * len(places.owner) + edge
    some = np.argsort(key, kind="stable")
    key, tracks, edges = key[some], track[some], edge[some]
    owners = places.owner[edges]
    new_place = np.flatnonzero((np.diff(tracks, prepend=-1) != 0) | (np.diff(owners, prepend=-1) != 0))
    new_edge = np.diff(key, prepend=-1) != 0
    place = owners[new_place]
    columns = [tracks[new_place], place]
    sides = [narrow, wide] if narrow is not wide else [wide]
    shares, masks, lasts = [], [], []
    for from_, to in sides:
        start, stop = from_[some], to[some]
        hit = start <= stop
        touched = np.bitwise_or.reduceat(hit, new_place)
        met = np.add.reduceat(_united(start, stop, hit, new_edge), new_place)
        share = np.where(
            places.by_length[place], met / np.where(places.total[place] > 0, places.total[place], 1.0), touched
        )
        mask = np.bitwise_or.reduceat(_masks(places, edges, start, stop, hit), new_place)
        shares.append(np.minimum(share, 1.0))
        masks.append(np.where(places.by_length[place], mask, np.where(touched, _FULL, 0)))
        lasts.append(np.maximum.reduceat(np.where(hit, last[some], -1), new_place))
    if len(sides) == 1:
        shares, masks, lasts = shares * 2, masks * 2, lasts * 2
    return _frame(*columns, *shares, *masks, *lasts)


def _united(start: Floats, stop: Floats, hit: Flags, new_edge: Flags) -> Floats:
    """What each span adds to the length that the spans before it on the same edge cover."""
    # By start within each edge; edges stay in their order. Every edge is shorter than the step between them.
    step = 2 * _EDGE_M
    rank = np.cumsum(new_edge) - 1.0
    begin = np.where(hit, start, 0.0) + rank * step
    end = np.where(hit, stop, 0.0) + rank * step
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], end[order]
    reached = np.concatenate(([-np.inf], np.maximum.accumulate(end)[:-1]))
    added = np.empty(len(start))
    added[order] = np.maximum(end - np.maximum(begin, reached), 0.0)
    return added


def _masks(places: Places, edge: Positions, start: Floats, stop: Floats, hit: Flags) -> Positions:
    """The bits of those of a place's equal parts whose middles lie in each span."""
    scale = BINS / np.where(places.total > 0, places.total, 1.0)[places.owner[edge]]
    begin = np.where(hit, start, 0.0) + places.start[edge]
    end = np.where(hit, stop, -1.0) + places.start[edge]
    low = np.clip(np.ceil(begin * scale - 0.5), 0, BINS).astype(np.int64)
    high = np.clip(np.floor(end * scale - 0.5) + 1, 0, BINS).astype(np.int64)
    one = np.int64(1)
    return np.where(hit & (high > low), (one << high) - (one << low), 0)


def _with_insides(
    frame: pd.DataFrame, tracks: Tracks, places: Places, distance_m: float, confidence: float
) -> pd.DataFrame:
    """The same with the polygons that a point lies in, however far their edges are."""
    at, place = places.around(tracks.x, tracks.y)
    if not len(at):
        return frame
    seen = seen_radius(tracks.accuracy_m[at], distance_m, confidence) >= 0
    full, nothing = np.full(len(at), _FULL), np.zeros(len(at), dtype=np.int64)
    inside = _frame(
        tracks.track[at],
        place,
        seen.astype(np.float64),
        np.ones(len(at)),
        np.where(seen, full, nothing),
        full,
        np.where(seen, at, -1),
        at,
    )
    both = pd.concat([frame, inside], ignore_index=True)
    # Of polygons a mask is full or empty, so the highest is the union.
    return both.groupby(["track", "place"], as_index=False, sort=True).max()[list(_COLUMNS)]
