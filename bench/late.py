"""One late track in a city of 10,000: what it costs to take it in, against computing everything anew.

The city is that of ``city.py``, with a patrol for every track: walks through a community's grids, a point every five
seconds. Both sides run the program's own functions in a copy of the city's database; the late patrol is rolled back
after each run, computing anew is done once for all communities.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import city as cities
import numpy as np
import psycopg
import shapely
from city import say
from pyproj import Transformer
from scipy.signal import lfilter
from sqlalchemy import Engine, insert, select, text

from data import coverage, patrols, units
from data.base import access, bulk, db
from data.coverage import recording
from data.patrols import Patrol, PatrolPoint, Track

TRACKS, POINTS = 10_000, 1_000
DAYS = 60
STEP_M, STEP_S, ERROR_M = 6.5, 5.0, 2.0
SEED = 20260318


def main(scale: float, runs: int) -> None:
    """Measure and print."""
    city = cities.make(scale)
    communities = city.units.loc[city.units["level"] == "community", "id"].tolist()
    places = by_community(city)
    count = max(len(communities), round(TRACKS * scale))
    with cities.cluster() as cluster:
        name = f"{cities.database(scale, cluster)}_late"
        cluster.drop_database(name)
        with psycopg.connect(cluster.dsn("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name.removesuffix("_late")}"')
        engine = db.make_engine(cluster.dsn(name))
        try:
            fill(engine, places, communities, count)
            started = time.perf_counter()
            rows = everything(engine, communities)
            anew = time.perf_counter() - started
            say(f"computing all anew: {anew:.1f} s, {rows:,} rows of what was seen")
            chosen = communities[len(communities) // 2]
            took = min(late(engine, places[chosen], chosen, run) for run in range(max(runs, 5)))
            say(f"one late track: {took * 1000:.0f} ms")
        finally:
            engine.dispose()
            cluster.drop_database(name)
    line = {
        "bench": "coverage --late",
        "against": f"computing {count:,} tracks anew",
        "ours": round(took, 4),
        "theirs": round(anew, 2),
        "unit": "s",
        "times_better": round(anew / took, 1),
    }
    print(json.dumps(line, ensure_ascii=False))


def walk(points: np.ndarray, rng: np.random.Generator) -> Track:
    """A walk from point to point (metres); a receiver's error wanders."""
    turns = shapely.linestrings(rng.permutation(points)[rng.integers(len(points), size=400)])
    true = shapely.get_coordinates(shapely.line_interpolate_point(turns, np.arange(POINTS) * STEP_M))
    error = lfilter([1], [1, -0.95], rng.normal(0, ERROR_M * np.sqrt(1 - 0.95**2), true.shape), axis=0)
    lon, lat = _TO_DEGREES(*(true + error).T)
    start = np.datetime64(datetime.now(UTC).replace(tzinfo=None, microsecond=0), "us") - np.timedelta64(
        int(rng.integers(2, DAYS)) * 86_400 + int(rng.integers(20_000)), "s"
    )
    return Track(
        seq=np.arange(POINTS),
        at=start + (np.arange(POINTS) * STEP_S * 1e6).astype("timedelta64[us]"),
        lon=lon,
        lat=lat,
        accuracy_m=rng.uniform(3, 9, POINTS),
        segment=np.zeros(POINTS, dtype=np.int64),
    )


_TO_DEGREES = Transformer.from_crs(cities.CRS, "EPSG:4326", always_xy=True).transform


def by_community(city: cities.City) -> dict[int, np.ndarray]:
    """Where the buildings of each community stand (metres)."""
    metric = city.buildings.geometry.to_crs(cities.CRS).centroid
    xy = shapely.get_coordinates(metric.to_numpy())
    return {int(place): xy[rows] for place, rows in city.buildings.groupby("community_id").indices.items()}


def fill(engine: Engine, places: dict[int, np.ndarray], communities: list[int], count: int) -> None:
    """Put the patrols in, with all their points kept: cleaning is the same for both sides."""
    rng = np.random.default_rng(SEED)
    started = time.perf_counter()
    with db.transaction(access.SYSTEM, engine) as session:
        for community in communities:
            coverage.split(session, session.get_one(units.Unit, community))
    for first in range(0, count, 500):
        numbers = range(first, min(first + 500, count))
        tracks = [walk(places[communities[number % len(communities)]], rng) for number in numbers]
        with db.transaction(access.SYSTEM, engine) as session:
            rows = [
                {
                    "id": number + 1,
                    "uuid": UUID(int=number + 1),
                    "source": "phone",
                    "point_count": POINTS,
                    "community_id": communities[number % len(communities)],
                    "started_at": track.at[0].item().replace(tzinfo=UTC),
                }
                for number, track in zip(numbers, tracks, strict=True)
            ]
            session.execute(insert(Patrol.__table__), rows)
            bulk.copy(
                session,
                PatrolPoint.__table__,
                {
                    "patrol_id": np.repeat([number + 1 for number in numbers], POINTS),
                    "seq": np.concatenate([track.seq for track in tracks]),
                    "at": np.concatenate([track.at for track in tracks]),
                    "lon": np.concatenate([track.lon for track in tracks]),
                    "lat": np.concatenate([track.lat for track in tracks]),
                    "accuracy_m": np.concatenate([track.accuracy_m for track in tracks]),
                    "segment": bulk.Same(0),
                    "kept": bulk.Same(True),
                    "part": bulk.Same(0),
                },
            )
    with engine.begin() as connection:
        connection.execute(text("SELECT setval(pg_get_serial_sequence('patrol', 'id'), :last)"), {"last": count})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) patrol, patrol_point, street_segment"))
    say(f"{count:,} patrols with {count * POINTS:,} points loaded in {time.perf_counter() - started:.0f} s")


def everything(engine: Engine, communities: list[int]) -> int:
    """What all patrols of all communities saw, computed anew."""
    for community in communities:
        with db.transaction(access.SYSTEM, engine) as session:
            recording.recompute(session, session.get_one(units.Unit, community))
    with engine.begin() as connection:
        connection.execute(text("ANALYZE coverage_pass, coverage_day"))
        return connection.scalar(select(text("count(*)")).select_from(text("coverage_pass"))) or 0


def late(engine: Engine, points: np.ndarray, community: int, run: int) -> float:
    """Take one more patrol in, from its points to the days of what it saw; seconds."""
    track = walk(points, np.random.default_rng(run))
    with engine.connect() as connection:
        outer = connection.begin()
        with db.transaction(access.SYSTEM, connection) as session:
            started = time.perf_counter()
            patrol = patrols.start(
                session,
                access.SYSTEM,
                uuid=UUID(int=10**12 + run),
                community_id=community,
                started_at=track.at[0].item().replace(tzinfo=UTC) - timedelta(seconds=1),
            )
            patrols.add_track(session, access.SYSTEM, patrol, track)
            coverage.refresh(session, patrol)
            took = time.perf_counter() - started
            outer.rollback()
    return took
