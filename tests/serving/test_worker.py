"""The worker as a process: it waits for a database that is away, and works off what is queued without resting."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from data import notifications
from data.base import db, jobs, processes
from data.base.access import SYSTEM
from data.base.cluster import Cluster
from tests.conftest import cloned

PATIENCE_S = 120
COUNT = 12
#: Jobs of one lane were once begun one per five seconds; now several in each. Half of that decides, on a slow machine.
AT_ONCE_S = COUNT * 5 / 2


@pytest.fixture
def database(cluster: Cluster, worker: str) -> Iterator[tuple[str, Engine]]:
    """A database of its own for a worker."""
    with cloned(cluster, f"wangge_worker_{worker}") as (dsn, engine):
        yield dsn, engine


@pytest.fixture
def process(database: tuple[str, Engine]) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on the database."""
    with subprocess.Popen(
        processes.python("-m", "api.cli", "part", "worker"),
        env=os.environ | {"WANGGE_DATABASE_URL": database[0]},
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
        yield process
        process.terminate()


def enqueue(engine: Engine, count: int) -> None:
    """Jobs that have little to do."""
    with db.transaction(SYSTEM, engine) as session:
        for _number in range(count):
            kind = notifications.SEND_JOB
            jobs.enqueue(session, SYSTEM, kind, {}, community_id=None, language="en", lane=jobs.BRIEF)


def wait_until_done(engine: Engine, process: subprocess.Popen[bytes], within_s: float) -> None:
    """Wait until no job is left."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        with engine.connect() as connection:
            left = connection.scalar(text("SELECT count(*) FROM job WHERE state <> 'done'"))
        if not left:
            return
        assert process.poll() is None, "the worker has ended"
        time.sleep(0.05)
    raise AssertionError(f"{left} jobs are left after {within_s} s")


def test_queued_jobs_are_begun_as_soon_as_the_one_before_has_ended(
    database: tuple[str, Engine], process: subprocess.Popen[bytes]
) -> None:
    _dsn, engine = database
    enqueue(engine, 1)
    wait_until_done(engine, process, PATIENCE_S)
    enqueue(engine, COUNT)
    wait_until_done(engine, process, AT_ONCE_S)


def test_a_database_that_is_away_does_not_end_the_worker(
    cluster: Cluster, database: tuple[str, Engine], process: subprocess.Popen[bytes]
) -> None:
    _dsn, engine = database
    enqueue(engine, 1)
    wait_until_done(engine, process, PATIENCE_S)
    name = engine.url.database
    away = db.make_engine(cluster.dsn("postgres", "postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with away.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        gone = text("SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = :name")
        for _second in range(4):  # also the connections that it had begun to open
            connection.execute(gone, {"name": name})
            time.sleep(0.5)
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    away.dispose()
    engine.dispose()
    enqueue(engine, 1)
    wait_until_done(engine, process, PATIENCE_S)
