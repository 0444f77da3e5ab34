"""``wangge export`` as an operator has it: a file that is whole, or one sentence and exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas as gpd
import pytest
from sqlalchemy import select

from data.base import access, db
from data.base.audit import Audit
from data.base.cluster import Cluster
from tests.city import City
from tests.conftest import HOME, ROOT, cloned

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMUNITY = "310101001001"


@pytest.fixture(scope="module")
def dsn(cluster: Cluster, worker: str) -> Iterator[str]:
    """A database with the small city in it."""
    with cloned(cluster, f"wangge_cli_{worker}") as (dsn, engine):
        with db.transaction(access.SYSTEM, engine) as session:
            city = City.make(session, COMMUNITY)
            city.household("A1", phone="13812346021")
            city.incident(50, 50)
            city.incident(340, 340)
        yield dsn


@pytest.fixture
def wangge(dsn: str, tmp_path: Path) -> Run:
    """Runs ``wangge export`` in a folder of its own."""

    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "PYTHONPATH": str(ROOT),
            "WANGGE_HOME": str(HOME),
            "WANGGE_DATABASE_URL": dsn,
        }
        command = [sys.executable, "-m", "api.cli", "export", *arguments, "--community", COMMUNITY]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def test_the_format_follows_from_the_name_and_the_result_is_json(wangge: Run, tmp_path: Path) -> None:
    done = json.loads(wangge("buildings", "out.gpkg", "--json").stdout)
    assert done == {
        "layer": "buildings",
        "format": "gpkg",
        "rows": 9,
        "unmasked": 0,
        "names": {},
        "notes": [],
        "files": ["out.gpkg"],
    }
    assert len(gpd.read_file(tmp_path / "out.gpkg")) == 9
    said = wangge("incidents", "cases.out", "--format", "geojson", "--headings", "zh", "--crs", "EPSG:4549")
    assert said.stdout == "2 rows in cases.out\n"
    found = gpd.read_file(tmp_path / "cases.out")
    assert found.crs.to_epsg() == 4549
    assert found["网格名称"].dropna().tolist() == ["A1"]
    assert {path.name for path in tmp_path.iterdir()} == {"out.gpkg", "cases.out"}


def test_a_shapefile_is_loose_or_packed_as_its_name_says(wangge: Run, tmp_path: Path) -> None:
    loose = json.loads(wangge("grids", "grids.shp", "--json").stdout)
    assert loose["files"] == ["grids.shp"]
    assert loose["names"]["household_max"] == "household2"
    assert {path.suffix for path in tmp_path.iterdir()} == {".shp", ".shx", ".dbf", ".prj", ".cpg", ".txt"}
    wangge("grids", "packed.zip")
    assert gpd.read_file(tmp_path / "packed.zip").equals(gpd.read_file(tmp_path / "grids.shp"))


def test_a_purpose_shows_personal_data_and_is_recorded(wangge: Run, dsn: str, tmp_path: Path) -> None:
    wangge("households", "masked.csv")
    done = json.loads(wangge("households", "full.csv", "--purpose", "入户核对", "--json").stdout)
    assert done["unmasked"] == 1
    assert "13812346021" not in (tmp_path / "masked.csv").read_text()
    assert "13812346021" in (tmp_path / "full.csv").read_text()
    engine = db.make_engine(dsn)
    with db.transaction(access.SYSTEM, engine) as session:
        (row,) = session.scalars(select(Audit).where(Audit.action == "unmask")).all()
        assert (row.account_id, row.record_kind, row.purpose) == (None, "households", "入户核对")
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("cars", "a.gpkg"), "There is no layer “cars”."),
        (("grids", "a.dwg"), "There is no format “dwg”."),
        (("grids", "a"), "Name the format with --format"),
        (("grids", "nowhere/a.gpkg"), "There is no folder “nowhere”."),
        (("grids", ".", "--format", "gpkg"), "“.” is a folder."),
        (("grids", "a.gpkg", "--bbox", "1,2,3"), "A box is west,south,east,north"),
        (("grids", "a.gpkg", "--crs", "EPSG:0"), "“EPSG:0” is no known coordinate system."),
        (("grids", "a.kml", "--crs", "EPSG:4549"), "KML holds longitude and latitude only."),
        (("households", "a.gpkg", "--purpose", "x"), "State in a few words what the full data is needed for."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    wangge: Run, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "a.gpkg").write_text("what was there before")
    failed = wangge(*arguments, code=2)
    assert failed.stdout == ""
    assert failed.stderr.startswith(sentence)
    assert failed.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.gpkg"]
    assert (tmp_path / "a.gpkg").read_text() == "what was there before"


def test_a_day_chooses_the_grids_of_that_day(wangge: Run, tmp_path: Path) -> None:
    wangge("buildings", "a.geojson", "--as-of", "2019-12-31")
    assert gpd.read_file(tmp_path / "a.geojson")["unlocated_reason"].tolist() == ["outside"] * 9
    failed = wangge("buildings", "b.geojson", "--as-of", "2026-02-30", code=2)
    assert "2026-02-30" in failed.stderr
