"""Every bench runs, on next to nothing: it ends well and prints each comparison that bench/README.md promises.

Its times decide nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.base.cluster import Cluster
from tests.conftest import ROOT

BENCH = ROOT / "bench"
PROCESSES = os.cpu_count() or 1
#: Bench and its arguments here → what stands in ``against`` of the lines that it prints.
RUNS: dict[str, tuple[str, ...]] = {
    "locate --scale 0.002 --runs 1": ("geopandas sjoin + to_postgis", "bare COPY + best SQL"),
    "import --scale 0.002 --runs 1": ("ogr2ogr, GeoPackage", "ogr2ogr, GeoJSON"),
    "read --scale 0.002 --runs 1": (
        "pandas, to_sql, xlsx",
        "pandas, to_sql, csv",
        "geopandas, to_postgis, geojson",
        "memory, pandas, to_sql, xlsx",
        "memory, pandas, to_sql, csv",
        "memory, geopandas, to_postgis, geojson",
        "the same without walls, small.csv",
        "the same without walls, small.gpkg",
    ),
    "read --refused --scale 0.002 --runs 1": (
        "reading 17 buildings, where they are lines",
        "reading 387 households, where none has a number",
    ),
    "tiles --scale 0.002 --runs 1 --as-installed": (
        "tipg 1.6, not kept",
        "bare ST_AsMVT",
        "tipg 1.6, views repeated from memory",
        "tipg 1.6, views repeated by ETag",
    ),
    "tiles --lanes --scale 0.002 --runs 1 --as-installed": (
        "psycopg's pipeline and psycopg_pool, drawn",
        "asyncpg, drawn",
        "the route without the lane, drawn",
        "the route without the lane, from memory",
    ),
    "page --scale 0.002 --runs 1": (
        "folium with GeoJSON, first view",
        "folium with GeoJSON, the page",
    ),
    "walk --scale 0.002 --sites 1 --sizes 12 30": (
        "nearest first, 12 buildings",
        "nearest first, 30 buildings",
    ),
    "partition --scale 0.01": (
        "pymetis, best of 10 seeds",
        "gerrychain recursive tree",
        "spopt max-p",
        "the time allowed",
        "sites with a proof",
    ),
    "partition --city --scale 0.008": (
        "pymetis, 400 buildings",
        "the time allowed, 32 buildings",
        "the linear bound, 400",
    ),
    "redraw --scale 0.02 --runs 1": ("all anew by SQL", "all anew by geopandas sjoin", "the same in a city of"),
    "hotspots --scale 0.01 --runs 1": ("esda.G_Local", "libpysal.graph", "scipy.stats.gaussian_kde"),
    "coverage --scale 0.002": ("geopandas buffer + sjoin", "geopandas sjoin dwithin"),
    "coverage --late --scale 0.002": ("computing",),
    "incidents --scale 0.002 --runs 1 --seconds 1": (
        "the same rows by bare INSERTs, 64 clients",
        "the same rows by bare INSERTs, CPU",
        "readers when nobody writes",
    ),
    "incidents --workers --scale 0.002 --runs 1 --seconds 1": (
        f"{PROCESSES + 1} workers of uvicorn on one socket",
        f"{PROCESSES + 1} workers of uvicorn on one socket, CPU",
        f"{PROCESSES + 1} workers of uvicorn on one socket, readers",
    ),
    "sync --scale 0.002 --phones 3 --records 12": ("records a second at least",),
    "today --scale 0.002 --leaders 2 --runs 1": (
        "pandas over the tables, one leader's list",
        "the time allowed, p95 of 2 at the same moment",
        "the time allowed, p95 of 2 one after the other",
        "the time allowed, all due dates anew",
        "one visit in a city of a tenth",
    ),
    "kill --kills 5 --writers 1 --allowed 120": ("the time allowed", "acknowledged"),
    "attack --scale 0.01": (
        "memory allowed to the server",
        "memory allowed to a reader",
        "2 x p95 of pages when idle",
        "acknowledged cases",
    ),
}
#: They measure on real geodata and on nothing else.
ON_REAL_GEODATA = {"import", "coverage"}


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A home for the benches' cluster, which all of them share and which goes in the end."""
    home = Path(tempfile.mkdtemp(prefix="wangge-b-"))
    home.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name in ("WANGGE_GEODATA", "WANGGE_CASES")}
    own = {name: value for name, value in os.environ.items() if not name.startswith(("WANGGE_", "PYTEST_"))}
    yield own | kept | {"WANGGE_BENCH_HOME": str(home / "home")}
    Cluster(home / "home").stop()
    shutil.rmtree(home, ignore_errors=True)


def test_every_bench_is_run_here_and_stands_in_the_readme() -> None:
    there = {path.name for path in BENCH.iterdir() if path.is_file() and not path.suffix and os.access(path, os.X_OK)}
    assert there == {command.split()[0] for command in RUNS}
    text = (BENCH / "README.md").read_text()
    assert [name for name in sorted(there) if f"| `bench/{name}` |" not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("command", RUNS)
def test_a_bench_prints_what_it_promises(
    environment: dict[str, str], command: str, request: pytest.FixtureRequest
) -> None:
    name, *arguments = command.split()
    if name in ON_REAL_GEODATA:
        request.getfixturevalue("geodata")
    done = subprocess.run(
        [BENCH / name, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        assert {"bench", "against", "ours", "theirs", "unit"} <= line.keys()
        assert "times_better" in line or line["left_out"]
    said = [line["against"] for line in lines]
    for promised in RUNS[command]:
        assert any(against.startswith(promised) for against in said), (promised, said)
