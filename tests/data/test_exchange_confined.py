"""No file reads the server: whatever it says it is or names, what comes back is its own content, or a sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from data.base import processes, settings
from data.base.errors import Invalid
from data.files import confined, reading
from data.files.confined import parcel, start, walls
from data.files.reading import Source, open_source
from data.files.values import Reject, RejectKind
from tests.data import hostile

FILES, BOMBS = hostile.all_of_them(), hostile.bombs()
SECONDS = 6


class _Listening(ThreadingHTTPServer):
    """Counts whoever comes."""

    daemon_threads = True
    asked = 0

    def verify_request(self, request: object, client_address: object) -> bool:
        self.asked += 1
        return True


@pytest.fixture(scope="module")
def listener() -> Iterator[_Listening]:
    """An address of this machine that must not be asked."""
    with _Listening(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the server's."""
    (tmp_path / "server").mkdir()
    path = tmp_path / "server" / "secret.csv"
    path.write_text(f"name,value\n{hostile.CANARY},1\nother,2\n")
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Less time and memory than usual, so that what grows ends soon."""
    monkeypatch.setenv("WANGGE_READ_SECONDS", str(SECONDS))
    monkeypatch.setenv("WANGGE_READ_MEMORY_MB", "500")
    settings.get.cache_clear()
    yield
    monkeypatch.undo()
    settings.get.cache_clear()


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[start.Ended]:
    """How each reading ended."""
    seen: list[start.Ended] = []
    wait = confined._wait

    def watched(*given: object) -> start.Ended:
        seen.append(wait(*given))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(confined, "_wait", watched)
    return seen


def attempt(path: Path) -> tuple[Source | None, str]:
    """What comes of a file, and everything that is said."""
    try:
        source = open_source(path)
    except Invalid as refusal:
        return None, f"{refusal.detail} {refusal.facts}"
    rejects = [f"{reject.reason} {reject.advice} {dict(reject.values)}" for reject in source.rejects]
    return source, " ".join([source.frame.to_csv(), *source.notes, *rejects, *source.layers])


def test_there_are_at_least_a_hundred_hostile_files() -> None:
    assert len(FILES) >= 100


@pytest.mark.parametrize(
    ("rows", "columns"), [(reading.MOST_ROWS + 1, 1), (reading.MOST_CELLS // 100 + 1, 100)], ids=["rows", "cells"]
)
def test_a_few_thousand_bytes_do_not_become_millions_of_rows_in_the_process_that_holds_the_keys(
    rows: int, columns: int, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.parquet"
    same = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int8)), pa.array(["1"]))
    pq.write_table(pa.table({f"c{at}": same for at in range(columns)}), path, compression="zstd")
    assert path.stat().st_size < 1 << 20
    with pytest.raises(Invalid, match=r"rows|memory"):
        open_source(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_no_file_gives_out_another_one_or_asks_an_address(
    name: str, tmp_path: Path, secret: Path, listener: _Listening, impatient: None
) -> None:
    folder = tmp_path / "upload"
    folder.mkdir()
    path = FILES[name](folder, secret, f"http://127.0.0.1:{listener.server_port}")
    asked = listener.asked
    _source, said = attempt(path)
    assert hostile.CANARY not in said
    assert listener.asked == asked


def test_the_attack_is_one_where_there_are_no_walls(tmp_path: Path, secret: Path, listener: _Listening) -> None:
    bare = "import sys, pyogrio; print(pyogrio.read_dataframe(sys.argv[1]).to_csv())"
    read, asked = [], listener.asked
    for name in ("virtual file as table.tab", "virtual curl as table.tab"):
        path = FILES[name](tmp_path, secret, f"http://127.0.0.1:{listener.server_port}")
        done = subprocess.run([sys.executable, "-c", bare, path], capture_output=True, text=True)
        read.append(hostile.CANARY in done.stdout)
    assert read[0]
    assert listener.asked > asked


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_is_read_or_refused_within_memory_and_time(
    name: str, tmp_path: Path, secret: Path, impatient: None, ends: list[start.Ended]
) -> None:
    path = BOMBS[name](tmp_path, secret, "")
    assert path.stat().st_size < 2_000_000
    _source, said = attempt(path)
    assert len(said) < 50_000_000
    assert all(ended.memory_bytes < 900 << 20 for ended in ends)


# ---- the walls themselves ------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> list[Path]:
    """Files that belong to the server or to others; all of them may be read by whoever runs the tests."""
    key, environment, passwords = tmp_path / "keys.json", Path("/proc/1/environ"), Path("/etc/passwd")
    key.write_text("secret")
    return [
        path
        for path in (key, environment, passwords, settings.get().key_file, Path(__file__))
        if os.access(path, os.R_OK)
    ]


@pytest.mark.skipif(not walls.landlock_version(), reason="This kernel has no Landlock.")
@pytest.mark.skipif(not walls.has_seccomp(), reason="This machine has no seccomp.")
def test_behind_the_walls_there_is_no_file_no_network_and_no_program(keys: list[Path]) -> None:
    tried = confined.trial(keys)
    assert (tried["read"], tried["network"], tried["programs"]) == ([], False, False)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed.")
@pytest.mark.skipif(not walls.has_seccomp(), reason="Landlock cannot be taken away without seccomp.")
def test_without_landlock_bubblewrap_holds_every_attack(tmp_path: Path, listener: _Listening) -> None:
    asked = listener.asked
    command = [sys.executable, "-m", "tests.data.without_landlock", tmp_path]
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{listener.server_port}"], capture_output=True, text=True, cwd=root
    )
    told = json.loads(done.stdout)
    tried = told["tried"]
    assert (told["landlock"], tried["bubblewrap"]) == (0, True)
    assert (tried["read"], tried["network"], tried["programs"]) == ([], False, False)
    assert tried["user"] != 0
    assert told["out"] == []
    assert told["read"] > 40, "what is no attack is read there, too"
    assert listener.asked == asked


def test_what_reads_one_file_cannot_find_the_room_of_another() -> None:
    assert not start.rooms().stat().st_mode & (stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can have somebody else do its work.")
def test_started_by_root_it_is_somebody_who_owns_nothing(keys: list[Path]) -> None:
    tried = confined.trial(keys)
    assert tried["user"] != 0
    assert tried["own_user"] in start.USERS


def test_the_reader_knows_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGGE_DATABASE_URL", "postgresql://user:password@host/name")
    start.reader().close()
    assert not [name for name in confined.trial([])["environment"] if "WANGGE" in name or "PASS" in name]


def test_the_reader_has_nothing_loaded_that_holds_keys_or_reaches_a_database() -> None:
    there = "import sys\nfrom data.files.confined import process\nprocess._load()\nprint(*sys.modules)"
    done = subprocess.run(processes.python("-c", there), capture_output=True, text=True, check=True)
    loaded = {"sqlalchemy", "psycopg", "pydantic", "cryptography", "data.base.settings", "data.base.secrets"}
    assert not loaded & {*done.stdout.split()}


def test_what_nobody_waits_for_any_more_is_killed(tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    running: list[set[int]] = []

    def cancel() -> None:
        running.append(_forks())
        if running[-1]:
            raise Cancelled

    path = hostile.slow(tmp_path)
    with pytest.raises(Cancelled):
        open_source(path, alive=cancel)
    _until(lambda: not running[-1] & _forks())
    assert len(open_source(_table(tmp_path)).frame) == 2


def test_a_reading_that_takes_too_long_is_ended_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.get(), "__dict__", {**vars(settings.get()), "read_seconds": 1})
    with pytest.raises(Invalid, match="could not be read within 1 second"):
        open_source(hostile.slow(tmp_path))


def test_a_reading_that_needs_too_much_memory_is_ended_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.get(), "__dict__", {**vars(settings.get()), "read_memory_mb": 300})
    with pytest.raises(Invalid, match="needs more than 300 MB of memory"):
        open_source(BOMBS["text of one value"](tmp_path, tmp_path, ""))


def test_a_reader_that_was_killed_is_started_again(tmp_path: Path) -> None:
    path = _table(tmp_path)
    open_source(path)
    os.kill(start.reader().pid, signal.SIGKILL)
    assert len(open_source(path).frame) == 2


def test_several_files_are_read_at_the_same_time(tmp_path: Path) -> None:
    path = _table(tmp_path)
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _number: len(open_source(path).frame), range(12)))
    assert counts == [2] * 12


def _table(folder: Path) -> Path:
    (folder / "table.csv").write_text("name,value\na,1\nb,2\n")
    return folder / "table.csv"


def _forks() -> set[int]:
    """The processes that read files now."""
    children = Path(f"/proc/{start.reader().pid}/task/{start.reader().pid}/children")
    return {int(number) for number in children.read_text().split()}


def _until(holds: Callable[[], bool]) -> None:
    """Wait for something that comes, and fail if it does not."""
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


# ---- the parcel ----------------------------------------------------------------------------------------------------

CELLS = [
    None,
    "",
    "文",
    "a\0b",
    1,
    -(2**63),
    2**70,
    1.5,
    float("inf"),
    True,
    False,
    date(2026, 3, 17),
    time_of_day(8, 30),
    datetime(2026, 3, 17, 8, 30),  # noqa: DTZ001 - as spreadsheets have them
    datetime(2026, 3, 17, 8, 30, tzinfo=UTC),
    timedelta(minutes=3),
    b"\x00\xff",
    Decimal("1.10"),
    pd.Timestamp("2026-03-17 08:30", tz="Asia/Shanghai"),
    [1, None, {"a": [True]}],
    {"b": 2.5},
]


def test_what_is_handed_back_is_what_was_read(tmp_path: Path) -> None:
    parcel.write(tmp_path / "a", {"cells": np.array([*CELLS, None], dtype=object), "flat": CELLS}, 1 << 20)
    read = parcel.read(tmp_path / "a", [])
    assert read["cells"].tolist()[:-1] == CELLS
    assert read["flat"] == CELLS
    assert [type(cell) for cell in read["flat"]] == [type(cell) for cell in CELLS]


def test_a_frame_keeps_its_types_and_shapes(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {
            "n": np.array([1, 2], dtype=np.int32),
            "x": [1.5, np.nan],
            "t": pd.array(["a", None], dtype="str"),
            "o": pd.Series(["a", 1], dtype=object),
            "d": pd.to_datetime(["2026-03-17", None]),
            "b": [True, False],
        },
        geometry=[shapely.Point(121.5, 31.2), None],
        crs=4326,
    )
    parcel.write(tmp_path / "a", frame, 1 << 20)
    assert_geodataframe_equal(parcel.read(tmp_path / "a", []), frame)


def test_many_rows_sent_back_keep_their_cells(tmp_path: Path) -> None:
    rejects = [
        Reject(row=row, reason="r", advice="a", values={"n": row, "t": None, "x": row / 2}, kind=RejectKind.PLACE)
        for row in range(200)
    ]
    parcel.write(tmp_path / "a", rejects, 1 << 20)
    read = parcel.read(tmp_path / "a", [Reject])
    assert [(one.row, one.reason, one.kind, dict(one.values)) for one in read] == [
        (one.row, one.reason, one.kind, dict(one.values)) for one in rejects
    ]


@given(st.binary(max_size=300), st.integers(0, 2000))
@settings_of_hypothesis(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_parcel_that_is_none_is_told(tmp_path: Path, noise: bytes, at: int) -> None:
    path = tmp_path / "a"
    parcel.write(path, {"rows": np.arange(9), "frame": pd.DataFrame({"a": ["x", 1, None]})}, 1 << 20)
    content = bytearray(path.read_bytes())
    content[at : at + len(noise)] = noise
    path.write_bytes(content)
    with suppress(parcel.Malformed):
        parcel.read(path, [])


def test_what_is_too_large_is_not_handed_back(tmp_path: Path) -> None:
    with pytest.raises(parcel.TooLarge):
        parcel.write(tmp_path / "a", {"rows": np.arange(10_000)}, 1000)
