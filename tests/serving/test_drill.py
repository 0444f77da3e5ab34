"""The drill of README.md: back up under writes, restore into an empty folder, serve, sign in, find everything there."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from data.base import db
from data.base.cluster import Cluster
from data.demo.plan import COMMUNITY
from tests.data.test_backups import Installation
from tests.furnished import furnish
from tests.serving.test_serving import Server

BUILDINGS = 3000
_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('public', 'queue') AND c.relname <> 'spatial_ref_sys'
"""
_SEQUENCES = """
    SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, 0) FROM pg_sequences
    WHERE schemaname IN ('public', 'queue')
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that the postgres user can enter."""
    path = Path(tempfile.mkdtemp(prefix="wangge-"))
    path.chmod(0o755)
    yield path
    for home in ("a", "b", "c"):
        Cluster(path / home).stop()
    shutil.rmtree(path, ignore_errors=True)


def everything(home: Path) -> dict[str, tuple[int, str]]:
    """Each table and sequence of a stopped installation: how many rows, and a checksum over all of their values."""
    cluster = Cluster(home)
    cluster.start()
    engine = db.make_engine(cluster.dsn())
    with engine.connect() as connection:
        sums = "count(*), md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), ''))"
        found = {
            table: tuple(connection.execute(text(f"SELECT {sums} FROM {table} t")).one())
            for table in connection.scalars(text(_TABLES)).all()
        }
        found |= {name: (value, "") for name, value in connection.execute(text(_SEQUENCES))}
    engine.dispose()
    cluster.stop()
    return found


class Writer(threading.Thread):
    """Somebody who reports cases one after the other, and notes each that was acknowledged."""

    def __init__(self, client: httpx.Client, community_id: int) -> None:
        super().__init__()
        self.client = client
        self.community_id = community_id
        self.acknowledged: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        """Report until told to end."""
        while not self.ended.is_set():
            case = {"community_id": self.community_id, "category_code": "facility.corridor_light"}
            answer = self.client.post("/api/incidents", json=case)
            assert answer.status_code == 201, answer.text
            self.acknowledged.append(answer.json()["number"])


def numbers(installation: Installation) -> set[str]:
    """The cases of an installation."""
    code = "from sqlalchemy import text\nprint(*session.scalars(text('SELECT number FROM incident')))"
    return set(installation.python(code).split())


@pytest.mark.slow
def test_the_drill(folder: Path) -> None:
    furnish(folder / "a")
    first = Server(folder / "a")
    first.start()
    a, b, c = (Installation(folder / name) for name in "abc")
    rows = "".join(f"T{number},{118 + number / 1e5:.6f},28.0\n" for number in range(BUILDINGS))
    with closing(first.sign_in()) as client, closing(first.sign_in()) as importer:
        code = f"print(units.by_code(session, access.SYSTEM, {COMMUNITY!r}).id)"
        writer = Writer(client, int(a.python(code)))
        writer.start()
        answer = importer.post(
            "/api/imports",
            data={"kind": "buildings", "community": COMMUNITY, "accept_valid": "true"},
            files={"file": ("楼栋.csv", f"code,lon,lat\n{rows}".encode())},
        )
        assert answer.status_code == 202, answer.text
        job = answer.json()["id"]
        while len(writer.acknowledged) < 5:
            time.sleep(0.01)
        before = set(writer.acknowledged)
        a.run("backup", str(folder / "busy.backup"), says="Written")
        writer.ended.set()
        writer.join()
        outcome = ended(importer, job)
    assert first.stop() == 0

    b.run("restore", str(folder / "busy.backup"), says="Restored")
    at_start = numbers(b)
    assert before <= at_start <= numbers(a)
    second = Server(folder / "b")
    second.start()
    names = a.python("from sqlalchemy import text\nprint(*session.scalars(text('SELECT username FROM account')))")
    assert len(names.split()) > 3
    for name in names.split():
        with closing(second.sign_in(name)) as client:
            assert client.get("/api/units").status_code == 200
            assert client.get("/", follow_redirects=True).status_code == 200
    with closing(second.sign_in()) as client:
        again = ended(client, job)
        assert again["state"] == outcome["state"], "what was cut off by the snapshot begins anew"
        assert again["result"] == outcome["result"] or again["detail"] == outcome["detail"]
    assert second.stop() == 0
    read = "from data import keys\nprint(*(f'{f.count}:{f.unreadable}' for f in keys.counted(session.connection())))"
    assert {pair.split(":")[1] for pair in b.python(read).split()} == {"0"}

    b.run("backup", str(folder / "quiet.backup"))
    c.run("restore", str(folder / "quiet.backup"))
    assert everything(folder / "c") == everything(folder / "b")


def ended(client: httpx.Client, job: int) -> dict[str, object]:
    """A job once it has ended."""
    until = time.monotonic() + 600
    while True:
        found: dict[str, object] = client.get(f"/api/jobs/{job}").json()
        if found["state"] not in ("queued", "running"):
            return found
        assert time.monotonic() < until, found
        time.sleep(0.1)
