"""Patrols of the demo community over the last three weeks: rounds, tracks, lamps.

The leader of each grid walks its lanes and paths, on weekdays or three times a week; in grid 6 nobody has walked for
nine days. Beside the tower of grid 8 the receiver is poor, behind building 36 it has no fix at all. The middle of
grid 2, where the corridor lights are out, and the south-east corner of grid 8 lie on nobody's way.

A receiver's error is drawn as a first-order autoregression: it wanders, it does not jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from random import Random
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from geoalchemy2.shape import from_shape
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import LineString, Point, box
from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from data import assets, coverage, patrols, rounds, units
from data.base import access, bulk
from data.demo import site
from data.patrols import Patrol, PatrolPoint
from data.rounds import Rhythm
from spatial import tracks

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 21
_STEP_S, _PACE_MPS = 5.0, 1.25
#: Days of the week (Monday is 1) on which the leader of a grid walks.
_WEEKDAYS = {3: (1, 3, 5), 7: (1, 3, 5)}
_EVERY = (1, 2, 3, 4, 5)
#: Days since anybody walked there.
_SILENT_DAYS = {6: 9}
#: In the drawing frame, in metres.
NOBODYS_WAY = (box(52, 12, 195, 132), box(245, -205, 425, -85))
POOR = box(255, -75, 325, -12)
NO_FIX = Point(180, -150).buffer(28)
_LAMP_EVERY_M = 35.0


@dataclass(frozen=True)
class Walk:
    """A patrol as a phone would have recorded it; places in the drawing frame of ``site``, accuracies as stated."""

    grid: int
    started_at: datetime
    seconds: NDArray[np.float64]
    places: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]


def walks(seed: int, today: date) -> list[Walk]:
    """All patrols of the weeks before ``today``, by day and grid."""
    found = []
    for back in range(DAYS, 0, -1):
        day = today - timedelta(days=back)
        for grid in site.grids():
            silent = back <= _SILENT_DAYS.get(grid, 0)
            if day.isoweekday() not in _WEEKDAYS.get(grid, _EVERY) or silent:
                continue
            random = Random(f"{seed} patrol {grid} {back}")  # noqa: S311 - made up, no secret
            at = datetime.combine(day, time(8, 30), ZONE) + timedelta(minutes=random.randrange(-10, 25))
            found.append(_walked(random, grid, at.astimezone(UTC)))
    return found


def _walked(random: Random, grid: int, started_at: datetime) -> Walk:
    """One patrol: the way at an even pace, two rests, the receiver's error, and the points it lost."""
    line = _way(grid)
    pace = _PACE_MPS * random.uniform(0.9, 1.1)
    along = np.arange(0, line.length, pace * _STEP_S)
    rests = np.sort([random.randrange(len(along)) for _rest in range(2)])
    along = np.insert(along, np.repeat(rests, 24), np.repeat(along[rests], 24))
    true = shapely.get_coordinates(shapely.line_interpolate_point(line, along))
    poor = shapely.contains_xy(POOR, true)
    chance = np.random.default_rng(random.randrange(2**32))
    accuracy: NDArray[np.float64] = np.where(poor, 42.0, 5.0) * np.exp(0.25 * _wandering(chance, len(along), 0.9))
    spread = accuracy / np.sqrt(-2 * np.log(1 - 0.68))
    error = np.column_stack([_wandering(chance, len(along), 0.97) for _axis in range(2)])
    places = true + error * spread[:, None]
    jump = random.randrange(len(along))
    places[jump] += (180, -140)
    heard = ~shapely.contains_xy(NO_FIX, true)
    seconds = (np.flatnonzero(heard) * _STEP_S).astype(np.float64)
    return Walk(grid, started_at, seconds, places[heard], accuracy[heard].round(1))


def _wandering(chance: np.random.Generator, count: int, memory: float) -> NDArray[np.float64]:
    """A first-order autoregression with mean 0 and standard deviation 1."""
    pushes = chance.normal(0, np.sqrt(1 - memory**2), count)
    pushes[0] /= np.sqrt(1 - memory**2)
    found = np.empty(count)
    found[0] = pushes[0]
    for at in range(1, count):
        found[at] = memory * found[at - 1] + pushes[at]
    return found


@cache
def _way(grid: int) -> LineString:
    """A way along all lanes and paths of a grid, there and back, but for those on nobody's way."""
    area = site.grids()[grid].buffer(4)
    ground = [geom for kind, _name, _width, geom in site.base_map() if kind in ("road", "path")]
    walked = shapely.difference(shapely.intersection(shapely.union_all(ground), area), shapely.union_all(NOBODYS_WAY))
    edges = [edge for edge in shapely.get_parts(shapely.node(walked)) if edge.length > 1]
    return LineString(_there_and_back(edges))


def _there_and_back(edges: list[LineString]) -> list[tuple[float, float]]:
    """Depth-first along the edges: each is walked once there and once back; gaps are crossed straight."""
    ends: dict[tuple[float, float], list[tuple[int, bool]]] = {}
    for number, edge in enumerate(edges):
        for forwards, corner in ((True, edge.coords[0]), (False, edge.coords[-1])):
            ends.setdefault(_node(corner), []).append((number, forwards))
    left = set(range(len(edges)))
    way: list[tuple[float, float]] = []

    def visit(node: tuple[float, float]) -> None:
        for number, forwards in ends[node]:
            if number not in left:
                continue
            left.discard(number)
            there: list[Any] = list(edges[number].coords)[:: 1 if forwards else -1]
            way.extend(there)
            visit(_node(there[-1]))
            way.extend(there[::-1])

    place = min(ends, key=lambda node: (-len(ends[node]), node))
    while left:
        visit(place)
        starts = {_node(edges[number].coords[0]) for number in left}
        ways = [LineString([way[-1], node]) for node in sorted(starts)]
        open_ = [across for across in ways if not any(area.intersects(across) for area in NOBODYS_WAY)]
        if not open_:
            break
        place = _node(min(open_, key=lambda across: across.length).coords[-1])
    return way


def _node(corner: Any) -> tuple[float, float]:
    return round(corner[0], 1), round(corner[1], 1)


def load(
    session: Session, community: units.Unit, grid_ids: dict[int, int], leaders: dict[int, int], seed: int, today: date
) -> None:
    """Write rounds, lamps, patrols and what they covered.

    Parameters
    ----------
    grid_ids
        Number of a grid → its id.
    leaders
        Id of a grid → the account of its leader.
    """
    planned = _rounds(session, community, grid_ids, leaders)
    _lamps(session, community, grid_ids)
    done = walks(seed, today)
    to_degrees = Transformer.from_crs(site.METRIC_CRS, "EPSG:4326", always_xy=True).transform
    rows, points = [], []
    metric = site.to_metric([LineString(walk.places) for walk in done])
    for number, walk in enumerate(done):
        x, y = shapely.get_coordinates(metric[number]).T
        lon, lat = (np.round(degrees, 7) for degrees in to_degrees(x, y))
        cleaned = tracks.clean(x, y, walk.seconds, walk.accuracy_m)
        kept = cleaned.kept
        geom, length_m = patrols.lines(lon[kept], lat[kept], x[kept], y[kept], cleaned.parts[kept])
        grid_id = grid_ids[walk.grid]
        rows.append(
            {
                "uuid": uuid5(NAMESPACE_OID, f"{community.code} {seed} {number} {walk.started_at}"),
                "community_id": community.id,
                "grid_id": grid_id,
                "account_id": leaders[grid_id],
                "round_id": planned[walk.grid],
                "started_at": walk.started_at,
                "stopped_at": walk.started_at + timedelta(seconds=float(walk.seconds[-1])),
                "geom": from_shape(shapely.from_wkb(geom), 4326) if geom else None,
                "length_m": length_m,
                "point_count": len(kept),
                "dropped_count": int((~kept).sum()),
            }
        )
        start = np.datetime64(walk.started_at.replace(tzinfo=None), "us")
        points.append(
            {
                "seq": np.arange(len(kept)),
                "at": start + (walk.seconds * 1e6).astype("timedelta64[us]"),
                "lon": lon,
                "lat": lat,
                "accuracy_m": walk.accuracy_m,
                "kept": kept,
                "reason": np.array([reason and str(reason) for reason in cleaned.reasons], dtype=object),
                "part": np.where(kept, cleaned.parts, -1),
            }
        )
    table = Patrol.__table__
    assert isinstance(table, Table)
    ids = session.scalars(insert(table).returning(table.c.id, sort_by_parameter_order=True), rows).all()
    _points(session, list(ids), points)
    coverage.split(session, community)
    coverage.recompute(session, community)


def _points(session: Session, ids: list[int], points: list[dict[str, NDArray[Any]]]) -> None:
    columns: dict[str, bulk.Values] = {name: np.concatenate([each[name] for each in points]) for name in points[0]}
    columns["part"] = [None if part < 0 else part for part in np.asarray(columns["part"]).tolist()]
    columns["patrol_id"] = np.repeat(ids, [len(each["seq"]) for each in points])
    columns["segment"] = bulk.Same(0)
    table: Any = PatrolPoint.__table__
    bulk.copy(session, table, columns)


def _rounds(
    session: Session, community: units.Unit, grid_ids: dict[int, int], leaders: dict[int, int]
) -> dict[int, int]:
    """A daily round for each grid; its id by the grid's number."""
    round_ids = {}
    lines = site.to_degrees([_way(number) for number in grid_ids])
    for line, (number, grid_id) in zip(lines, grid_ids.items(), strict=True):
        weekdays = list(_WEEKDAYS.get(number, _EVERY))
        name = f"第{'一二三四五六七八'[number - 1]}网格早巡"
        made = rounds.add(
            session,
            access.SYSTEM,
            community_id=community.id,
            grid_id=grid_id,
            name=name,
            rhythm=Rhythm.DAILY,
            weekdays=weekdays,
            starts_at=time(8, 30),
            account_id=leaders[grid_id],
            geom=line,
        )
        round_ids[number] = made.id
    rounds.add(
        session,
        access.SYSTEM,
        community_id=community.id,
        name="周末安全巡查",
        rhythm=Rhythm.WEEKLY,
        weekdays=[6],
        starts_at=time(9, 0),
    )
    return round_ids


def _lamps(session: Session, community: units.Unit, grid_ids: dict[int, int]) -> None:
    """Street lamps along the roads inside, numbered from west to east."""
    roads = [geom for kind, _name, _width, geom in site.base_map() if kind == "road"]
    inside = shapely.intersection(shapely.union_all(roads), site.outline())
    places = []
    for line in shapely.get_parts(shapely.line_merge(inside)):
        places += [line.interpolate(along) for along in np.arange(_LAMP_EVERY_M / 2, line.length, _LAMP_EVERY_M)]
    places.sort(key=lambda place: (round(place.x, 1), round(place.y, 1)))
    rows = []
    for number, (place, degrees) in enumerate(zip(places, site.to_degrees(places), strict=True), 1):
        grid = next((grid for grid, area in site.grids().items() if area.covers(place)), None)
        rows.append(
            {
                "community_id": community.id,
                "grid_id": grid_ids[grid] if grid else None,
                "kind": "street_lamp",
                "number": f"LD-{number:03d}",
                "geom": from_shape(degrees, 4326),
            }
        )
    table = assets.Asset.__table__
    assert isinstance(table, Table)
    session.execute(insert(table), rows)
