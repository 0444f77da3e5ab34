#!/usr/bin/env -S sh -c 'exec "$(dirname "$0")/../.venv/bin/python" "$0" "$@"'
"""A city of any size for the benches: made from a seed, the same on every machine, loaded by COPY.

At scale 1: 1,000,000 residents, 50,000 buildings, 1,500 grids, 200,000 incidents, in 150 communities of 5 × 2 grids.
The ground is a lattice of blocks whose corners and edges are shaken a little, so that the grids of a community tile it
exactly without being rectangles; buildings stand in lots, some of them L- and U-shaped; incidents gather in some grids.

``make`` gives frames, ``load`` puts them into a migrated database, ``database`` does both once per scale in a private
cluster of the benches' own (``WANGGE_BENCH_HOME``, else below the temporary folder) and then finds it there again.
Nobody in it is real: residents have a name and a birthday, no numbers.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv
import shapely
from pyproj import Transformer

from data import attaching, migrations
from data.base import access, db, reference, settings
from data.base.cluster import Cluster

attaching.attach()

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CRS = "EPSG:4549"
#: The south-west corner (degrees), in the eastern lowlands of the zone of CRS.
ORIGIN = (120.12, 30.24)
#: Metres east and north of a grid before its corners are shaken.
CELL = (200.0, 160.0)
#: Grids of a community, east and north.
BLOCK = (5, 2)
EDGE_POINTS = 3
#: The last day of the incidents. All else is the same whenever it is made.
TODAY = np.datetime64("today")
#: Footprints in a unit square, and a point inside each.
SHAPES = (
    ([(0, 0), (1, 0), (1, 1), (0, 1)], (0.5, 0.5)),
    ([(0, 0), (1, 0), (1, 0.45), (0.5, 0.45), (0.5, 1), (0, 1)], (0.25, 0.25)),
    ([(0, 0), (1, 0), (1, 1), (0.7, 1), (0.7, 0.55), (0.3, 0.55), (0.3, 1), (0, 1)], (0.5, 0.25)),
)
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国志"


@dataclass(frozen=True)
class Size:
    """How much of everything there is."""

    residents: int
    buildings: int
    grids: int
    incidents: int

    @classmethod
    def of(cls, scale: float) -> Size:
        """The size of a city; scale 1 is a million residents."""
        full = {"residents": 1_000_000, "buildings": 50_000, "grids": 1_500, "incidents": 200_000}
        return cls(**{name: max(1, round(count * scale)) for name, count in full.items()})


@dataclass(frozen=True)
class City:
    """Frames whose columns are those of our tables; geometries in EPSG:4326.

    ``units`` (districts down to grids), ``grids`` (unit id, code, community, boundary), ``buildings``, ``households``
    (with unit, floor and room of the dwelling, which has the household's id), ``residents``, ``incidents``,
    ``basemap``. Ids count from 1. ``places`` are the quadrilaterals of the grids in metres, for ``points``.
    """

    size: Size
    units: pd.DataFrame
    grids: gpd.GeoDataFrame
    buildings: gpd.GeoDataFrame
    households: pd.DataFrame
    residents: pd.DataFrame
    incidents: gpd.GeoDataFrame
    basemap: gpd.GeoDataFrame
    places: Floats

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        west, south, east, north = self.grids.total_bounds
        return float(west), float(south), float(east), float(north)


def _degrees(metres: Floats) -> Floats:
    """``(n, 2)`` metres from the city's corner as longitude and latitude."""
    to_metres = Transformer.from_crs(4326, CRS, always_xy=True)
    to_degrees = Transformer.from_crs(CRS, 4326, always_xy=True)
    east, north = to_metres.transform(*ORIGIN)
    return np.column_stack(to_degrees.transform(metres[:, 0] + east, metres[:, 1] + north))


def _bilinear(quads: Floats, u: Floats, v: Floats) -> Floats:
    """Points at ``u`` (east) and ``v`` (north), 0–1, of quadrilaterals ``(n, 4, 2)`` (SW, SE, NE, NW)."""
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=-1)
    return np.einsum("nk,nkd->nd", weights, quads)


def _shares(rng: np.random.Generator, total: int, weights: Floats) -> Ints:
    """Whole numbers that add up to ``total``, in proportion to ``weights``."""
    limits = np.round(np.cumsum(weights) / weights.sum() * total).astype(np.int64)
    return np.diff(limits, prepend=0)


def make(scale: float = 1.0, seed: int = 20260318) -> City:
    """The city of this scale and seed. About 3 s at scale 1."""
    rng = np.random.default_rng(seed)
    size = Size.of(scale)
    units, grids, places, basemap = _ground(rng, size)
    buildings, building_of_door, doors = _buildings(rng, size, grids, places)
    households, residents = _people(rng, size, buildings, building_of_door, doors)
    incidents = _incidents(rng, size.incidents, grids, places, buildings)
    return City(size, units, grids, buildings, households, residents, incidents, basemap, places)


def _ground(rng: np.random.Generator, size: Size) -> tuple[pd.DataFrame, gpd.GeoDataFrame, Floats, gpd.GeoDataFrame]:
    """Units, grids with boundaries, the grids' quadrilaterals, and roads between them."""
    wide, high = BLOCK
    blocks = -(-size.grids // (wide * high))
    blocks_wide = max(1, round((blocks * high * CELL[1] / (wide * CELL[0])) ** 0.5))
    columns, rows = blocks_wide * wide, -(-blocks // blocks_wide) * high
    place = np.arange(blocks * wide * high)
    block, inside = place // (wide * high), place % (wide * high)
    column = block % blocks_wide * wide + inside % wide
    row = block // blocks_wide * high + inside // wide
    column, row, block = (values[: size.grids] for values in (column, row, block))

    corners = np.stack(np.meshgrid(np.arange(columns + 1) * CELL[0], np.arange(rows + 1) * CELL[1]), axis=-1)
    corners = corners + rng.uniform(-12, 12, corners.shape)
    steps = (np.arange(EDGE_POINTS) + 1) / (EDGE_POINTS + 1)

    def edges(start: Floats, end: Floats) -> Floats:
        points = start[:, :, None] + (end - start)[:, :, None] * steps[:, None]
        return points + rng.uniform(-2.5, 2.5, points.shape)

    eastward = edges(corners[:, :-1], corners[:, 1:])  # row, column, point, xy
    northward = edges(corners[:-1], corners[1:])
    rings = np.concatenate(
        [
            corners[row, column][:, None],
            eastward[row, column],
            corners[row, column + 1][:, None],
            northward[row, column + 1],
            corners[row + 1, column + 1][:, None],
            eastward[row + 1, column][:, ::-1],
            corners[row + 1, column][:, None],
            northward[row, column][:, ::-1],
        ],
        axis=1,
    )
    quads = np.stack(
        [corners[row, column], corners[row, column + 1], corners[row + 1, column + 1], corners[row + 1, column]], axis=1
    )
    shapes = shapely.polygons(_degrees(rings.reshape(-1, 2)).reshape(rings.shape))

    streets = -(-blocks // 10)
    first_community, first_grid = 2 + streets, 2 + streets + blocks
    number_in_block = place[: size.grids] % (wide * high) + 1
    rows_of_units = [(1, None, "district", "330199", "江城区", None, "{1}")]
    for street in range(streets):
        unit = 2 + street
        rows_of_units.append(
            (unit, 1, "street", f"330199{street + 1:03d}", f"第{street + 1}街道", None, f"{{1,{unit}}}")
        )
    for community in range(blocks):
        unit, street = first_community + community, 2 + community // 10
        code = f"330199{community // 10 + 1:03d}{community % 10 + 1:03d}"
        path = f"{{1,{street},{unit}}}"
        rows_of_units.append((unit, street, "community", code, f"第{community + 1}社区", unit, path))
    for grid in range(size.grids):
        community = int(block[grid])
        unit, parent, street = first_grid + grid, first_community + community, 2 + community // 10
        code = f"330199{community // 10 + 1:03d}{community % 10 + 1:03d}{number_in_block[grid]:03d}"
        path = f"{{1,{street},{parent},{unit}}}"
        rows_of_units.append((unit, parent, "grid", code, f"第{number_in_block[grid]}网格", parent, path))
    units = pd.DataFrame(rows_of_units, columns=["id", "parent_id", "level", "code", "name", "community_id", "path"])
    units["parent_id"] = units["parent_id"].astype("Int64")
    units["community_id"] = units["community_id"].astype("Int64")
    units["metric_crs"] = CRS
    named = units[units["level"] == "grid"].reset_index(drop=True)
    grids = gpd.GeoDataFrame(
        {
            "id": named["id"].to_numpy(),
            "community_id": named["community_id"].to_numpy(dtype=np.int64),
            "code": named["code"],
            "name": named["name"],
        },
        geometry=shapely.multipolygons(shapes[:, None]),
        crs=4326,
    )
    return units, grids, quads, _roads(corners, eastward, northward, row, column, grids)


def _roads(
    corners: Floats, eastward: Floats, northward: Floats, row: Ints, column: Ints, grids: gpd.GeoDataFrame
) -> gpd.GeoDataFrame:
    """The south and west edge of each grid as a street (around communities) or a path (within)."""
    south = np.concatenate(
        [corners[row, column][:, None], eastward[row, column], corners[row, column + 1][:, None]], axis=1
    )
    west = np.concatenate(
        [corners[row, column][:, None], northward[row, column], corners[row + 1, column][:, None]], axis=1
    )
    lines = np.concatenate([south, west])
    outer = np.concatenate([row % BLOCK[1] == 0, column % BLOCK[0] == 0])
    name = [f"东{n + 1}路" for n in row // BLOCK[1]] + [f"北{n + 1}路" for n in column // BLOCK[0]]
    return gpd.GeoDataFrame(
        {
            "id": np.arange(len(lines)) + 1,
            "community_id": np.tile(grids["community_id"].to_numpy(), 2),
            "code": [f"r{n}" for n in range(len(lines))],
            "kind": np.where(outer, "road", "path"),
            "name": np.where(outer, name, None),
            "width_m": np.where(outer, 12.0, 3.0),
        },
        geometry=shapely.linestrings(_degrees(lines.reshape(-1, 2)).reshape(lines.shape)),
        crs=4326,
    )


def _buildings(
    rng: np.random.Generator, size: Size, grids: gpd.GeoDataFrame, places: Floats
) -> tuple[gpd.GeoDataFrame, Ints, Ints]:
    """Buildings in the lots of their grids, and how many doors each has."""
    each = _shares(rng, size.buildings, rng.uniform(0.7, 1.3, size.grids))
    grid = np.repeat(np.arange(size.grids), each)
    k = np.arange(size.buildings) - np.repeat(np.cumsum(each) - each, each)
    lots_wide = np.ceil(np.sqrt(each * CELL[0] / CELL[1])).astype(np.int64)
    lots_high = -(-each // np.maximum(lots_wide, 1))
    wide, high = 0.86 / lots_wide[grid], 0.86 / np.maximum(lots_high, 1)[grid]
    west, south = 0.07 + (k % lots_wide[grid]) * wide, 0.07 + (k // lots_wide[grid]) * high
    length, depth = wide * rng.uniform(0.55, 0.85, len(k)), high * rng.uniform(0.4, 0.7, len(k))

    kind_of_shape = rng.choice(len(SHAPES), len(k), p=[0.6, 0.28, 0.12])
    geoms = np.empty(len(k), dtype=object)
    points = np.empty(len(k), dtype=object)
    for number, (outline, middle) in enumerate(SHAPES):
        chosen = np.flatnonzero(kind_of_shape == number)
        corners = np.array([*outline, middle])

        def at(x: Floats, y: Floats, chosen: Ints = chosen) -> Floats:
            u = west[chosen, None] + x * length[chosen, None]
            v = south[chosen, None] + y * depth[chosen, None]
            quads = np.repeat(places[grid[chosen]], x.shape[-1], axis=0)
            return _degrees(_bilinear(quads, u.ravel(), v.ravel())).reshape(len(chosen), x.shape[-1], 2)

        drawn = at(corners[None, :, 0], corners[None, :, 1])
        geoms[chosen] = shapely.polygons(drawn[:, :-1])
        points[chosen] = shapely.points(drawn[:, -1])

    community = grids["community_id"].to_numpy()[grid]
    number_in_community = pd.Series(np.arange(len(k))).groupby(community).cumcount().to_numpy() + 1
    residential = rng.random(len(k)) < 0.92
    residential[0] = True
    floors = rng.integers(3, 19, len(k))
    unit_count = rng.integers(1, 5, len(k))
    number = number_in_community.astype(str).astype(object)
    buildings = gpd.GeoDataFrame(
        {
            "id": np.arange(len(k)) + 1,
            "community_id": community,
            "grid_id": grids["id"].to_numpy()[grid],
            "code": number,
            "number": number,
            "address": [f"东{r}路{n}号" for r, n in zip(community % 90 + 1, number, strict=True)],
            "kind": np.where(residential, "residential", "other"),
            "floors": floors,
            "unit_count": unit_count,
            "point": gpd.GeoSeries(points, crs=4326),
            "located_by": "point",
            "located_score": 1.0,
        },
        geometry=geoms,
        crs=4326,
    )
    total_doors = max(1, round(size.residents / 2.9))
    doors = _shares(rng, total_doors, np.where(residential, floors * unit_count, 0).astype(float))
    return buildings, np.repeat(np.arange(len(k)), doors), doors


def _people(
    rng: np.random.Generator, size: Size, buildings: gpd.GeoDataFrame, building: Ints, doors: Ints
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Households, one a dwelling, and their members."""
    count = len(building)
    k = np.arange(count) - np.repeat(np.cumsum(doors) - doors, doors)
    entrances = buildings["unit_count"].to_numpy()[building]
    floor = k // entrances // 2 + 1
    room = floor * 100 + k // entrances % 2 + 1
    community = buildings["community_id"].to_numpy()[building]
    members = 1 + np.bincount(rng.integers(0, count, max(0, size.residents - count)), minlength=count)
    first = np.cumsum(members) - members + 1
    households = pd.DataFrame(
        {
            "id": np.arange(count) + 1,
            "community_id": community,
            "building_id": building + 1,
            "unit": k % entrances + 1,
            "floor": floor,
            "room": room,
            "use": pd.Series(["owner", "rented", "other"]).take(rng.choice(3, count, p=[0.75, 0.22, 0.03])).to_numpy(),
            "number": np.arange(count) + 1_000_000,
            "head_id": first,
            "group_code": pd.Series([None, *(row["code"] for row in reference.rows("special_groups"))], dtype="str")
            .take(np.where(rng.random(count) < 0.08, rng.integers(1, 9, count), 0))
            .to_numpy(),
        }
    )
    total = int(members.sum())
    household = np.repeat(np.arange(count), members)
    names = pd.Series([s + a + b for s in SURNAMES for a in GIVEN for b in GIVEN], dtype="str")
    is_head = np.zeros(total, dtype=bool)
    is_head[first - 1] = True
    age = np.where(is_head, rng.integers(25, 88, total), rng.integers(0, 90, total))
    residents = pd.DataFrame(
        {
            "id": np.arange(total) + 1,
            "community_id": community[household],
            "household_id": household + 1,
            "name": names.take(rng.integers(0, len(names), total)).to_numpy(),
            "sex": rng.integers(1, 3, total),
            "born_on": TODAY - (age * 365 + rng.integers(0, 365, total)).astype("timedelta64[D]"),
            "status": pd.Series(["registered", "floating"], dtype="str")
            .take((rng.random(total) < 0.2).astype(int))
            .to_numpy(),
        }
    )
    return households, residents


def _incidents(
    rng: np.random.Generator, count: int, grids: gpd.GeoDataFrame, places: Floats, buildings: gpd.GeoDataFrame
) -> gpd.GeoDataFrame:
    """Incidents of a year: a quarter at buildings, the rest in the open, more of them in some grids."""
    weights = rng.lognormal(0, 0.8, len(grids))
    grid = rng.choice(len(grids), count, p=weights / weights.sum())
    spots = _degrees(_bilinear(places[grid], rng.uniform(0.03, 0.97, count), rng.uniform(0.03, 0.97, count)))
    geoms = shapely.points(spots)
    building = np.where(rng.random(count) < 0.25, rng.integers(0, len(buildings), count), -1)
    at_building = building >= 0
    geoms[at_building] = buildings["point"].to_numpy()[building[at_building]]
    grid_id = grids["id"].to_numpy()[grid]
    grid_id[at_building] = buildings["grid_id"].to_numpy()[building[at_building]]
    community = pd.Series(grids["community_id"].to_numpy(), index=grids["id"]).loc[grid_id].to_numpy()
    leaves = pd.Series([row["code"] for row in reference.rows("categories") if row["parent_code"]], dtype="str")
    steps = pd.Series(["closed", "reported", "in_progress", "resolved", "on_hold", "rejected"], dtype="str")
    step = steps.take(rng.choice(6, count, p=[0.86, 0.03, 0.05, 0.02, 0.01, 0.03])).to_numpy()
    reported_at = TODAY.astype("datetime64[s]") - rng.integers(0, 365 * 86_400, count).astype("timedelta64[s]")
    category = leaves.take(rng.integers(0, len(leaves), count)).to_numpy()
    return gpd.GeoDataFrame(
        {
            "id": np.arange(count) + 1,
            "community_id": community,
            "grid_id": grid_id,
            "building_id": pd.Series(building + 1, dtype="Int64").where(at_building),
            "number": np.arange(count) + 1_000_000,
            "category_code": category,
            "step": step,
            "description": pd.Series(["二层廊灯不亮", "此处长期无人清理", "居民反映，请核实"], dtype="str")
            .take(rng.integers(0, 3, count))
            .to_numpy(),
            "reported_at": reported_at,
            "due_at": reported_at + np.timedelta64(5, "D"),
            "closed_at": pd.Series(reported_at + np.timedelta64(2, "D")).where(step == "closed"),
            "located_by": np.where(at_building, "address", "point"),
            "located_score": 1.0,
        },
        geometry=geoms,
        crs=4326,
    )


def points(city: City, count: int, seed: int = 7) -> gpd.GeoDataFrame:
    """``count`` more incidents as a file would bring them: columns of ``City.incidents`` without ids and grid."""
    rng = np.random.default_rng(seed)
    found = _incidents(rng, count, city.grids, city.places, city.buildings)
    return found.drop(columns=["id", "grid_id", "building_id", "located_by", "located_score"])


# Loading


def load(city: City, dsn: str) -> None:
    """Put the city into a migrated, empty database. About 15 s at scale 1.

    Parameters
    ----------
    dsn
        Of a superuser: what is right by construction is not checked again row by row, and indexes are made at the end.
    """
    groups = city.households.loc[city.households["group_code"].notna(), ["id", "community_id", "group_code"]]
    tables = {
        "unit": city.units,
        "building": city.buildings.rename_geometry("geom"),
        "dwelling": city.households[["id", "community_id", "building_id", "unit", "floor", "room", "use"]],
        "household": city.households[["id", "community_id", "number", "head_id"]].assign(
            dwelling_id=city.households["id"], located_by="address"
        ),
        "household_group": groups.rename(columns={"id": "household_id"}).assign(valid="[2025-01-01,)"),
        "resident": city.residents,
        "incident": city.incidents.rename_geometry("geom"),
        "basemap": city.basemap.rename_geometry("geom"),
    }
    with psycopg.connect(dsn) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        later = connection.execute(
            "SELECT i.indexname, i.indexdef FROM pg_indexes i LEFT JOIN pg_constraint c ON c.conname = i.indexname "
            "WHERE i.schemaname = 'public' AND i.tablename = ANY(%s) AND c.oid IS NULL",
            [[*tables]],
        ).fetchall()
        for name, _definition in later:
            connection.execute(f'DROP INDEX "{name}"')
        for table, frame in tables.items():
            copy(connection, table, frame)
        connection.execute("CREATE TEMP TABLE boundary (community_id int, grid_id int, geom geometry) ON COMMIT DROP")
        boundaries = city.grids.rename_geometry("geom").rename(columns={"id": "grid_id"})
        copy(connection, "boundary", boundaries[["community_id", "grid_id", "geom"]])
        connection.execute(
            "INSERT INTO division (community_id, valid, grid_ids, geoms) SELECT community_id, '[2025-01-01,)', "
            "array_agg(grid_id ORDER BY grid_id), array_agg(geom ORDER BY grid_id) FROM boundary GROUP BY community_id"
        )
        for _name, definition in later:
            connection.execute(definition)
        for table, frame in tables.items():
            if "id" in frame:
                connection.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest(max(id), 1)) FROM " + table, [table]
                )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")


def copy(connection: psycopg.Connection, table: str, frame: pd.DataFrame) -> None:
    """COPY a frame into the columns of the same names; geometries (EPSG:4326) as EWKB."""
    columns = {}
    for name in frame.columns:
        if isinstance(frame[name].dtype, gpd.array.GeometryDtype):
            geoms = shapely.set_srid(frame[name].to_numpy(), 4326)
            columns[name] = pa.array(shapely.to_wkb(geoms, hex=True, include_srid=True))
        else:
            columns[name] = pa.Array.from_pandas(frame[name])
    text = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), text, pyarrow.csv.WriteOptions(include_header=False))
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)") as stream:
        stream.write(text.getbuffer())


# A database of the benches' own


def home() -> Path:
    """The folder of the benches' private cluster."""
    return Path(os.environ.get("WANGGE_BENCH_HOME") or Path(tempfile.gettempdir()) / "wangge-bench")


@contextmanager
def cluster(durable: bool = True) -> Iterator[Cluster]:
    """The benches' private cluster, running. It is left running when it ran before, as one bench may follow another."""
    found = Cluster(home(), durable=durable)
    found.prepare()
    ran = found.running()
    found.start()
    try:
        yield found
    finally:
        if not ran:
            found.stop()


def database(scale: float, found: Cluster) -> str:
    """The name of the database that holds the city of this scale, made when there is none for this code yet."""
    code = Path(__file__).read_bytes() + str(migrations.newest()).encode()
    name = f"city_{scale:g}_{hashlib.sha256(code).hexdigest()[:8]}".replace(".", "_")
    with psycopg.connect(found.dsn("postgres", "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return name
    started = time.perf_counter()
    say(f"making a city of scale {scale:g}")
    city = make(scale)
    say(f"made in {time.perf_counter() - started:.1f} s, loading it into {name}")
    draft = f"{name}_draft"
    found.drop_database(draft)
    found.create_database(draft)
    engine = db.make_engine(found.dsn(draft))
    migrations.migrate(engine)
    engine.dispose()
    load(city, found.dsn(draft, "postgres"))
    with psycopg.connect(found.dsn("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{draft}" RENAME TO "{name}"')
    say(f"ready after {time.perf_counter() - started:.1f} s")
    return name


def say(text: str) -> None:
    """Progress, beside the results."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Make a city and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0, help="1 is a million residents")
    scale = parser.parse_args().scale
    os.environ.setdefault("WANGGE_HOME", str(home()))
    settings.get.cache_clear()
    with cluster() as found:
        name = database(scale, found)
        engine = db.make_engine(found.dsn(name))
        with db.transaction(access.SYSTEM, engine) as session:
            for table in ("unit", "building", "dwelling", "household", "resident", "incident"):
                say(f"{table}: {session.connection().exec_driver_sql(f'SELECT count(*) FROM {table}').scalar():,}")
        engine.dispose()
        print(found.dsn(name))


if __name__ == "__main__":
    main()
