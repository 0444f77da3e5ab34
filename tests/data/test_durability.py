"""What was acknowledged is there, what was not is wholly absent: processes are killed without warning, again and again.

The cluster here is a durable one (with fsync), because that is what is tested.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text

from data import units
from data.base import access, db, processes, settings
from data.base import cluster as clusters
from data.base.cluster import Cluster, programs
from data.base.errors import Busy
from data.migrations import migrate
from tests import furnished

ROUNDS = 4
ROOT = Path(__file__).resolve().parents[2]

#: Reports incidents one after the other and prints each number once its transaction has committed. Each incident has
#: a second row that belongs to it, so that a half-written transaction would show.
WRITER = """
import sys
from data import attaching, incidents, units
from data.base import access, db
attaching.attach()
with db.transaction(access.SYSTEM) as session:
    community = units.by_code(session, access.SYSTEM, "310101001001")
while True:
    with db.transaction(access.SYSTEM) as session:
        incident = incidents.report(
            session, access.SYSTEM, community=community, category_code="facility.corridor_light", description="灯不亮"
        )
    print(incident.number, flush=True)
"""


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    """The home of a stopped durable cluster with a migrated database and one community."""
    home = Path(tempfile.mkdtemp(prefix="wangge-"))
    home.chmod(0o755)
    cluster = Cluster(home)
    cluster.prepare()
    engine = db.make_engine(cluster.dsn())
    migrate(engine)
    with db.transaction(access.SYSTEM, engine) as session:
        above = None
        for level, code in (("district", "310101"), ("street", "310101001"), ("community", "310101001001")):
            above = units.add(session, access.SYSTEM, level=units.Level(level), code=code, name=level, parent=above)
    engine.dispose()
    cluster.stop()
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def home(made_once: Path) -> Iterator[Path]:
    """A copy of it that runs."""
    home = Path(tempfile.mkdtemp(prefix="wangge-"))
    furnished.copy(made_once, home)
    cluster = Cluster(home)
    cluster.start()
    yield home
    cluster.stop()
    shutil.rmtree(home, ignore_errors=True)


def start_writer(home: Path) -> subprocess.Popen[str]:
    """Start a process that writes until it is killed or loses its database."""
    environment = {**os.environ, "WANGGE_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )


def let_it_write(writer: subprocess.Popen[str], seconds: float) -> list[str]:
    """The numbers that the writer acknowledges: the first, and those of some time after it."""
    assert writer.stdout is not None
    numbers = [writer.stdout.readline().strip()]
    assert numbers[0], "the writer did not start"
    time.sleep(seconds)
    return numbers


def what_is_there(home: Path) -> tuple[set[str], set[str]]:
    """The incidents in the database, and those of them whose audit row is there too."""
    engine = db.make_engine(Cluster(home).dsn())
    with engine.connect() as connection:
        there = set(connection.scalars(text("SELECT number FROM incident")))
        whole = set(
            connection.scalars(
                text(
                    "SELECT number FROM incident i JOIN audit a ON a.record_kind = 'incident' AND a.record_id = i.id "
                    "AND a.action = 'create'"
                )
            )
        )
    engine.dispose()
    return there, whole


def kill_postgres(home: Path) -> None:
    """Kill every process of the cluster at once, as a power cut would."""
    postmaster = int((home / "pg" / "postmaster.pid").read_text().splitlines()[0])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    for pid in [postmaster, *map(int, children)]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


@pytest.mark.parametrize("victim", ["writer", "postgres"])
def test_killing_a_process_loses_nothing_that_was_acknowledged(home: Path, victim: str) -> None:
    chance = random.Random(20260317)
    acknowledged: set[str] = set()
    for _round in range(ROUNDS):
        writer = start_writer(home)
        numbers = let_it_write(writer, chance.uniform(0.05, 0.4))
        if victim == "postgres":
            kill_postgres(home)
        else:
            writer.kill()
        assert writer.stdout is not None
        acknowledged.update(numbers + writer.stdout.read().split())
        writer.kill()
        writer.wait()
        writer.stdout.close()
        Cluster(home).start()

        there, whole = what_is_there(home)
        assert acknowledged <= there
        assert there == whole
        assert len(there) <= len(acknowledged) + _round + 1, "at most the write that was cut off was not told of"
    assert len(acknowledged) > ROUNDS


BUILDINGS = 20_000


@pytest.mark.parametrize("victim", ["import", "postgres"])
def test_a_killed_import_has_written_all_or_nothing(home: Path, victim: str) -> None:
    file = home / "buildings.csv"
    rows = "".join(f"{code},{120 + code / 1e6:.6f},30.0\n" for code in range(BUILDINGS))
    file.write_text(f"code,lon,lat\n{rows}")
    environment = {**os.environ, "WANGGE_HOME": str(home), "WANGGE_LANGUAGE": "en"}
    chance = random.Random(5674)
    seen = set()
    for round_ in range(ROUNDS + 1):
        importing = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "api.cli",
                "import",
                "buildings",
                str(file),
                "--community",
                "310101001001",
                "--json",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            cwd=ROOT,
        )
        if round_ < ROUNDS:
            time.sleep(chance.uniform(0.8, 3.0))
            if victim == "postgres":
                kill_postgres(home)
            else:
                importing.kill()
        said, _nothing = importing.communicate(timeout=600)
        Cluster(home).start()

        engine = db.make_engine(Cluster(home).dsn())
        with engine.begin() as connection:
            count = connection.scalar(text("SELECT count(*) FROM building"))
            audited = connection.scalar(text("SELECT count(*) FROM audit WHERE action = 'import'"))
            connection.execute(text("TRUNCATE building, audit CASCADE"))
        engine.dispose()
        assert (count, audited) in ((0, 0), (BUILDINGS, 1))
        if '"new": 20000' in said:
            assert count == BUILDINGS
        seen.add(count)
    assert BUILDINGS in seen, "the last import was left alone"


def test_a_connection_that_was_lost_while_it_rested_is_replaced_unnoticed(
    cluster: Cluster, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine.url.database is not None
    monkeypatch.setattr(db, "_RESTED_S", 0.0)
    alone = db.make_engine(cluster.dsn(engine.url.database))
    with db.transaction(access.SYSTEM, alone) as session:
        first = session.scalar(text("SELECT pg_backend_pid()"))
    with db.transaction(access.SYSTEM, engine) as session:
        assert session.scalar(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    with db.transaction(access.SYSTEM, alone) as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != first
    alone.dispose()


def connects(home: Path, role: str, as_user: processes.User | None = None) -> str:
    """What ``psql`` says of a connection as ``role``, from a process of ``as_user``'s or our own."""
    dsn = Cluster(home).dsn("postgres", role)
    command = [str(programs() / "psql"), "--no-psqlrc", "-Atc", "SELECT current_user", dsn]
    process = (as_user.start if as_user else subprocess.Popen)(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/"
    )
    said, _none = process.communicate(timeout=600)
    return said.decode().strip()


@pytest.mark.parametrize("before", ["made now", "made when everybody was trusted"])
def test_nobody_but_root_and_the_owner_becomes_the_administrator(home: Path, before: str) -> None:
    cluster = Cluster(home)
    if before == "made when everybody was trusted":
        (cluster.data / "pg_hba.conf").write_text("local all all trust\n")
        cluster.start()
    assert [connects(home, role) for role in ("postgres", "wangge")] == ["postgres", "wangge"]
    with psycopg.connect(cluster.dsn("postgres", "postgres")) as connection:
        lines = connection.execute("SELECT auth_method, options, error FROM pg_hba_file_rules").fetchall()
    assert lines == [("peer", ["map=wangge"], None)]
    if os.geteuid() == 0:
        user = processes.service_user()
        assert user is not None
        assert connects(home, "wangge", user) == "wangge"
        assert "Peer authentication failed" in connects(home, "postgres", user)
        stranger = processes.User("nobody", 65534, 65534)
        assert "Permission denied" in connects(home, "wangge", stranger)


def test_a_database_that_recovers_is_left_alone_and_the_service_is_not_shut_out(home: Path) -> None:
    cluster = Cluster(home)
    mode = cluster.socket.stat().st_mode
    with psycopg.connect(cluster.dsn("postgres", "postgres"), autocommit=True) as connection:
        (backend,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        os.kill(backend, signal.SIGKILL)
    # The postmaster may notice only after the start has found it well; then it recovers by itself.
    until = time.monotonic() + 60
    cluster.start()
    while not cluster.running() and time.monotonic() < until:
        time.sleep(0.05)
    assert cluster.running()
    assert cluster.socket.stat().st_mode == mode


def test_whoever_finds_the_database_of_a_server_down_waits_for_the_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANGGE_HOME", str(home))
    settings.get.cache_clear()
    made = Cluster(home)
    (made.data / "wangge.ready").touch()
    made.stop()
    waits = iter([False, False])

    def looked_after(self: Cluster) -> bool:
        if self is not made and next(waits, None) is None:
            made.start()
        return answers(self)

    answers = Cluster.running
    with (home / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with monkeypatch.context() as patch:
            patch.setattr(Cluster, "running", looked_after)
            with clusters.available():
                assert answers(made)
        assert answers(made), "it is the server's to stop"
        made.stop()
        monkeypatch.setattr(clusters, "_COMING_S", 0.2)
        with pytest.raises(Busy, match="does not bring its database up"), clusters.available():
            raise AssertionError
    monkeypatch.undo()
    settings.get.cache_clear()
