"""What every test may use: a throw-away cluster, a database cloned from the migrated template, a session, real data.

The cluster is made once per run, without fsync, in a short temporary folder. Each worker gets its own clone of the
template; each test that takes ``session`` runs in a transaction that is rolled back.
"""

from __future__ import annotations

import fcntl
import functools
import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "wangge_template"
#: What waits for other programs (a browser, servers that start and die) gets a second try on a busy machine;
#: the summary lists every test that needed it.
TOLD_TWICE = {"browser", "serving"}


def _run_folder() -> Path:
    """One folder for all workers of a run; below the temporary folder, where the postgres user may enter."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    return Path(tempfile.gettempdir()) / f"wangge-test-{run}"


_KEPT = ("WANGGE_GEODATA", "WANGGE_CASES")
# Before anything of ours reads a setting: tests never touch a real installation.
HOME = _run_folder()
for _name in [name for name in os.environ if name.startswith("WANGGE_") and name not in _KEPT]:
    del os.environ[_name]
os.environ |= {"WANGGE_HOME": str(HOME), "WANGGE_HANDS": "0"}

from data import attaching  # noqa: E402
from data.base import access, db, language, secrets, settings  # noqa: E402
from data.base.cluster import Cluster  # noqa: E402
from data.migrations import migrate  # noqa: E402

attaching.attach()
# How long an example takes says how busy the machine is, not whether it is right.
hypothesis.settings.register_profile("wangge", deadline=None)
hypothesis.settings.load_profile("wangge")

# Slow on purpose, and most accounts of tests have the same password: each is hashed once.
secrets.password_hash = functools.cache(secrets.password_hash)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, then those in a browser: no worker is left alone with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, item.get_closest_marker("browser") is None))
    for item in items:
        if TOLD_TWICE & set(item.path.relative_to(ROOT).parts):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_collection_finish() -> None:
    """What is there now stays to the end: looking for garbage in it again and again would cost a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """Tests read English sentences; those about Chinese ask for it."""
    with language.using("en"):
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running throw-away cluster with the migrated template, shared by all workers."""
    HOME.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(HOME, durable=False)
    users = HOME / "users"
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        count = int(users.read_text()) if users.exists() else 0
        if count == 0:
            cluster.prepare()
            cluster.start()
            cluster.create_database(TEMPLATE)
            engine = db.make_engine(cluster.dsn(TEMPLATE))
            migrate(engine)
            engine.dispose()
            secrets.make_keys()
        users.write_text(str(count + 1))
    yield cluster
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        count = int(users.read_text()) - 1
        users.write_text(str(count))
        if count == 0:
            cluster.stop()
            shutil.rmtree(HOME, ignore_errors=True)


@contextmanager
def cloned(cluster: Cluster, name: str) -> Iterator[tuple[str, Engine]]:
    """A clone of the template of this name, to commit to: its address for other processes, and an engine on it."""
    cluster.drop_database(name)
    cluster.create_database(name, TEMPLATE)
    engine = db.make_engine(cluster.dsn(name))
    yield cluster.dsn(name), engine
    engine.dispose()
    cluster.drop_database(name)


@pytest.fixture(scope="session")
def engine(cluster: Cluster, worker: str) -> Iterator[Engine]:
    """An engine on this worker's own clone of the template."""
    with cloned(cluster, f"wangge_{worker}") as (_dsn, engine):
        yield engine


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this test worker."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session without walls whose work is rolled back; a commit inside is a savepoint."""
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False, info={"actor": access.SYSTEM}
        ) as session:
            yield session
        outer.rollback()


@pytest.fixture
def new_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of an installation that has no keys yet."""
    monkeypatch.setenv("WANGGE_HOME", str(tmp_path))
    settings.get.cache_clear()
    secrets.forget()
    yield tmp_path
    monkeypatch.undo()
    settings.get.cache_clear()
    secrets.forget()


@pytest.fixture(scope="session")
def geodata() -> Path:
    """The folder of real geodata; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("WANGGE_GEODATA") or ROOT.parent / "shared" / "geodata")
    if not folder.is_dir():
        pytest.skip(f"the real geodata is not at {folder} (set WANGGE_GEODATA)")
    return folder


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of inputs as real offices write them; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("WANGGE_CASES") or ROOT.parent / "shared" / "cases")
    if not folder.is_dir():
        pytest.skip(f"the inputs of real offices are not at {folder} (set WANGGE_CASES)")
    return folder
