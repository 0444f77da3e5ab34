"""``wangge import`` as an operator runs it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.cli.exchange import how_far
from data import units
from data.base import access, db, language
from data.base.cluster import Cluster
from tests.city import CRS, rectangle
from tests.conftest import cloned

COMMUNITY = "310101001001"


@pytest.fixture
def dsn(cluster: Cluster, worker: str) -> Iterator[str]:
    """A database of its own with one community, as other processes see it."""
    with cloned(cluster, f"wangge_cli_{worker}") as (dsn, engine):
        with db.transaction(access.SYSTEM, engine) as session:
            above = None
            for level, code in (("district", COMMUNITY[:6]), ("street", COMMUNITY[:9]), ("community", COMMUNITY)):
                above = units.add(
                    session,
                    access.SYSTEM,
                    level=units.Level(level),
                    code=code,
                    name=level,
                    parent=above,
                    metric_crs=CRS,
                )
        yield dsn


def wangge(dsn: str, folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in ``folder``."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli", *map(str, arguments)],
        env={**os.environ, "WANGGE_DATABASE_URL": dsn, "WANGGE_LANGUAGE": "en"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def two(path: Path) -> Path:
    """A good building and a line, under a heading nobody knows."""
    shapes = [rectangle(10, 10, 20, 10), shapely.LineString([(120, 30), (120.001, 30)])]
    found = [
        {"type": "Feature", "properties": {"K": f"b{n}"}, "geometry": shapely.geometry.mapping(shape)}
        for n, shape in enumerate(shapes)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": found}), encoding="utf-8")
    return path


def test_import_prints_the_report_that_was_promised_and_keeps_what_it_wrote(dsn: str, tmp_path: Path) -> None:
    command = (
        "import",
        "buildings",
        two(tmp_path / "b.geojson"),
        "--community",
        COMMUNITY,
        "--map",
        "K=code",
        "--accept-valid",
        "--json",
    )
    done = wangge(dsn, tmp_path, *command)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == [
        "read",
        "new",
        "updated",
        "unchanged",
        "repaired",
        "rejected",
        "located",
        "unlocated",
        "rejects_file",
    ]
    assert (report["read"], report["new"], report["rejected"], report["unlocated"]) == (2, 1, 1, {"outside": 1})
    assert (
        (tmp_path / report["rejects_file"])
        .read_text(encoding="utf-8-sig")
        .startswith("K,WKT (EPSG:4326),rejected row,reason of the rejection,what to do")
    )
    again = json.loads(wangge(dsn, tmp_path, *command).stdout)
    assert (again["new"], again["unchanged"]) == (0, 1)
    engine = db.make_engine(dsn)
    with Session(engine) as session:
        assert session.scalars(text("SELECT code FROM building")).all() == ["b0"]
        assert session.scalar(text("SELECT count(*) FROM audit WHERE action = 'import'")) == 2
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--community", COMMUNITY), "1 of 2 rows cannot be imported"),
        (("--community", "nowhere"), "no community with the code nowhere"),
        (("--community", COMMUNITY, "--map", "X=code"), "no column “X”"),
        (("--community", COMMUNITY, "--crs", "EPSG:1"), "no known coordinate system"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_exit_code_2(
    dsn: str, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = wangge(dsn, tmp_path, "import", "buildings", two(tmp_path / "b.geojson"), *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_dry_run_says_what_would_happen_and_changes_nothing(dsn: str, tmp_path: Path) -> None:
    path = two(tmp_path / "b.geojson")
    done = wangge(dsn, tmp_path, "import", "buildings", path, "--community", COMMUNITY, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "this would happen" in done.stdout
    assert "1 new" in done.stdout
    engine = db.make_engine(dsn)
    with Session(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM building")) == 0
    engine.dispose()


def test_the_progress_bar_says_the_step_the_rows_and_the_time_left() -> None:
    with language.using("zh"):
        assert how_far("Writing", 1167, 1556, 8) == "写入，1,167 / 1,556 行，约剩 8 秒"
        assert how_far("Reading", 0, None, None) == "读取"
