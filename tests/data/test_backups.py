"""A backup of a live installation brings everything back, and only to whoever has the passphrase."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from sqlalchemy import Engine

from api.cli.backups import _named
from data import backups
from data.base import cluster as clusters
from data.base import db, secrets
from tests import furnished
from tests.conftest import cloned

PASSPHRASE = "vier Wände und ein Dach"


class Installation:
    """An installation of its own, used by its command line as an operator would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WANGGE_")},
            "WANGGE_HOME": str(home),
            "WANGGE_BACKUP_PASSPHRASE": PASSPHRASE,
            "WANGGE_LANGUAGE": "en",
        }

    def run(
        self,
        *arguments: str,
        says: str = "",
        fails: bool = False,
        code: int | None = 0,
        given: str = "",
        **environment: str,
    ) -> str:
        """Run ``wangge`` with these arguments; returns what it prints. ``code`` ``None``: however it ends."""
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=self.environment | environment,
            timeout=600,
            check=False,
        )
        assert code is None or done.returncode == (2 if fails else code), done.stdout + done.stderr
        assert says in done.stdout + done.stderr
        return done.stdout

    def units(self) -> list[str]:
        """The names of the units, asked of the database that runs."""
        with psycopg.connect(clusters.Cluster(self.home).dsn()) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM unit ORDER BY code")]

    def python(self, code: str) -> str:
        """Run a piece of Python in this installation with a ``session`` at hand; returns what it prints."""
        head = (
            "from data.base import access, cluster, db\n"
            "from data import accounts, attaching, households, units\n"
            "attaching.attach()\n"
            "with cluster.available(), db.transaction(access.SYSTEM) as session:\n"
        )
        body = "".join(f"    {line}\n" for line in code.splitlines())
        done = subprocess.run(
            [sys.executable, "-c", head + body], capture_output=True, text=True, env=self.environment, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short folder that the postgres user can enter."""
    path = Path(tempfile.mkdtemp(prefix="wangge-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    """The home of a stopped installation with a tree of units, an encrypted phone and an upload."""
    folder = Path(tempfile.mkdtemp(prefix="wangge-"))
    folder.chmod(0o755)
    made = Installation(folder / "a")
    made.run("db", "migrate")
    made.python(
        "from data import keys\n"
        "keys.check(db.engine())\n"
        "above = None\n"
        "for level, code, name in (('district', '310101', '江城区'), ('street', '310101001', '临江街道'),\n"
        "                          ('community', '310101001001', '梧桐里')):\n"
        "    above = units.add(session, access.SYSTEM, level=units.Level(level), code=code, name=name, parent=above)\n"
        "session.add(households.Household(\n"
        "    community_id=above.id, number='1', phone='13800006021', unlocated_reason='no_place'))"
    )
    (made.home / "uploads" / "ab").mkdir(parents=True)
    (made.home / "uploads" / "ab" / "abcd").write_text("一份文件")
    (made.home / "uploads").chmod(0o700)
    yield made.home
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def original(folder: Path, made_once: Path) -> Iterator[Installation]:
    """A copy of that installation; its database runs."""
    made = Installation(folder / "a")
    furnished.copy(made_once, made.home)
    private = clusters.Cluster(made.home)
    private.start()
    yield made
    private.stop()


def test_a_backup_brings_back_records_secrets_and_uploads(original: Installation, folder: Path) -> None:
    file = str(folder / "one.backup")
    original.run("backup", file, says="Written")
    assert b"13800006021" not in Path(file).read_bytes()

    other = Installation(folder / "b")
    other.run("restore", file, says="Restored")

    assert other.run("unit", "list") == original.run("unit", "list")
    phone = "from sqlalchemy import select\nprint(session.scalar(select(households.Household.phone)))"
    assert other.python(phone) == "13800006021"
    assert (other.home / "uploads" / "ab" / "abcd").read_text() == "一份文件"
    modes = {path.stat().st_mode & 0o077 for path in (other.home / "uploads").rglob("*")}
    assert modes == {0}, "nobody else may read what was handed in, after a restore too"
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "one.backup"], "nothing else is left"
    assert not (other.home / "restoring").exists()
    role = "from sqlalchemy import text\nprint(session.scalar(text(\"SELECT set_config('role', 'wangge_app', true)\")))"
    assert other.python(role) == "wangge_app", "requests can run as the role that row-level security holds for"


def test_a_restore_replaces_records_only_when_told_to(original: Installation, folder: Path) -> None:
    file = str(folder / "one.backup")
    original.run("backup", file)
    original.run("unit", "add", "--level", "district", "--code", "9", "--name", "later")

    original.run("restore", file, fails=True, says="--replace")
    assert "later" in original.units()

    original.run("restore", file, "--replace", says="Restored")
    assert "later" not in original.units()


def test_another_passphrase_and_a_damaged_file_are_refused_and_change_nothing(
    original: Installation, folder: Path
) -> None:
    file = folder / "one.backup"
    original.run("backup", str(file))
    before = original.units()

    original.run(
        "restore", str(file), "--replace", fails=True, says="passphrase", WANGGE_BACKUP_PASSPHRASE="another one"
    )
    (folder / "half.backup").write_bytes(file.read_bytes()[:5000])
    original.run("restore", str(folder / "half.backup"), "--replace", fails=True)
    original.run("restore", __file__, "--replace", fails=True, says="no backup")
    original.run("backup", str(file), fails=True, says="exists already")

    assert original.units() == before


def test_the_doctor_finds_a_healthy_installation_healthy(original: Installation) -> None:
    findings = json.loads(original.run("doctor", "--json"))["findings"]
    broken = [finding for finding in findings if not finding["good"] and finding["check"] not in ("front end", "port")]
    assert broken == []


def test_a_server_that_runs_other_keys_and_a_newer_backup_are_refused_before_anything_is_dropped(
    original: Installation, folder: Path
) -> None:
    file = folder / "one.backup"
    original.run("backup", str(file))
    before = original.units()
    with (original.home / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        original.run("restore", str(file), "--replace", fails=True, says="Stop it first")
    busy = "import time; from data.base import db; c = db.engine().connect(); print(c, flush=True); time.sleep(600)"
    writer = subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE, text=True, env=original.environment)
    assert writer.stdout is not None
    writer.stdout.readline()
    original.run("restore", str(file), "--replace", fails=True, says="connections to the database are open")
    writer.kill()
    writer.wait()
    writer.stdout.close()

    for change in ({"format": 99}, {"revision": "9999"}):
        newer = altered(file, folder / "newer.backup", change)
        original.run("restore", str(newer), "--replace", fails=True, says="newer wangge")
    held = (original.home / "keys.json").read_text()
    (original.home / "keys.json").write_text(secrets.Keys.new().to_json())
    original.run("restore", str(file), "--replace", fails=True, says="other keys")
    original.run("unit", "list", fails=True, says="not those of this database")
    original.run("backup", str(folder / "two.backup"), fails=True, says="not those of this database")
    (original.home / "keys.json").write_text(held)

    assert original.units() == before
    assert not (original.home / "restoring").exists()
    assert sorted(path.name for path in original.home.glob("keys.json*")) == ["keys.json"]


def altered(file: Path, to: Path, change: dict[str, object]) -> Path:
    """A backup that says something else of itself."""
    with tarfile.open(file) as old, tarfile.open(to, "w") as new:
        for entry in old:
            taken = old.extractfile(entry)
            assert taken is not None
            content = taken.read()
            if entry.name == "manifest.json":
                content = json.dumps(json.loads(content) | change).encode()
                entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))
    return to


def test_what_a_killed_worker_left_open_is_in_no_backup_and_older_backups_with_it_are_restored(
    original: Installation, folder: Path
) -> None:
    upload = original.home / "uploads" / "ab" / "abcd"
    scratch_file = original.home / "scratch" / "of-a-killed-worker" / "台账.csv"
    opened = original.home / "uploads" / "open" / "7" / "台账.csv"
    for left in (scratch_file, opened):
        left.parent.mkdir(parents=True)
        left.hardlink_to(upload)
    file = folder / "one.backup"
    original.run("backup", str(file))
    with tarfile.open(file) as tar:
        assert all(entry.isreg() for entry in tar)
        assert not any("台账" in name for name in tar.getnames())
    assert not scratch_file.exists()
    assert not opened.exists()

    with tarfile.open(file) as new, tarfile.open(folder / "old.backup", "w") as old:
        for name in ("manifest.json", "keys.enc", "database.dump", "uploads/ab/abcd"):
            taken = new.extractfile(name)
            assert taken is not None
            content = taken.read()
            if name == "manifest.json":
                content = json.dumps(json.loads(content) | {"format": 1}).encode()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            old.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("uploads/open/7/台账.csv")
        link.type, link.linkname = tarfile.LNKTYPE, "uploads/ab/abcd"
        old.addfile(link)
    other = Installation(folder / "b")
    other.run("restore", str(folder / "old.backup"), says="Restored")
    assert (other.home / "uploads" / "ab" / "abcd").read_text() == "一份文件"
    assert not (other.home / "uploads" / "open").exists()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_restore_that_is_cut_off_is_either_undone_or_brought_to_its_end(
    original: Installation, folder: Path, moment: str
) -> None:
    file = folder / "one.backup"
    original.run("backup", str(file))
    original.run("unit", "add", "--level", "district", "--code", "9", "--name", "later")
    (original.home / "uploads" / "ab" / "later").write_text("later")
    kill = {
        "before": "takeover.swap = lambda private: os.kill(os.getpid(), 9)",
        "after": "kept = takeover.swap\ntakeover.swap = lambda private: (kept(private), os.kill(os.getpid(), 9))",
    }[moment]
    code = (
        "import os\nfrom pathlib import Path\nfrom data import backups\nfrom data.base import cluster, takeover\n"
        f"{kill}\nwith cluster.available():\n"
        f"    backups.restore(Path({str(file)!r}), {PASSPHRASE!r}, replace=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=original.environment, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr.decode()
    assert (original.home / "restoring").exists()

    assert ("later" in original.run("unit", "list")) == (moment == "before")
    assert (original.home / "uploads" / "ab" / "later").exists() == (moment == "before")
    assert (original.home / "uploads" / "ab" / "abcd").exists()
    assert not (original.home / "restoring").exists()
    assert original.python("print(cluster.private().dsn())") != ""
    names = "from sqlalchemy import text\nprint(*session.scalars(text('SELECT datname FROM pg_database')))"
    assert not {"wangge_restoring", "wangge_replaced"} & set(original.python(names).split())


def test_the_doctor_tries_what_a_request_does(original: Installation) -> None:
    original.python("from sqlalchemy import text\nsession.execute(text('REVOKE wangge_app FROM wangge'))")
    said = json.loads(original.run("doctor", "--json", code=1))
    broken = {finding["check"]: finding for finding in said["findings"] if not finding["good"]}
    assert "permission denied to set role" in broken["a request"]["found"]
    assert "wangge db migrate" in broken["a request"]["mend"]
    original.run("db", "migrate")
    findings = json.loads(original.run("doctor", "--json", code=None))["findings"]
    assert all(finding["good"] for finding in findings if finding["check"] == "a request")


@pytest.fixture
def database(cluster: clusters.Cluster, worker: str) -> Iterator[tuple[str, Engine]]:
    """A database that holds nothing yet, not even a fingerprint of keys."""
    with cloned(cluster, f"wangge_backups_{worker}") as made:
        yield made


def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    folder: Path, database: tuple[str, Engine], new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "engine", lambda: database[1])
    monkeypatch.setattr(clusters, "dsn", lambda: database[0])

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    killed = folder / ".wangge-backup-of-one-that-was-killed"
    killed.mkdir()
    (killed / "draft").write_text("half")
    with monkeypatch.context() as patch:
        patch.setattr(backups, "_add_file", full)
        with pytest.raises(backups.BackupFailed, match="is full"):
            backups.write(folder / "one.backup", PASSPHRASE)
    assert list(folder.iterdir()) == []

    def lossy(tar: tarfile.TarFile, sums: dict[str, str], name: str, path: Path) -> None:
        sums[name] = "0" * 64

    with monkeypatch.context() as patch:
        patch.setattr(backups, "_add_file", lossy)
        with pytest.raises(backups.BackupFailed, match="not what is read back"):
            backups.write(folder / "one.backup", PASSPHRASE)
    assert list(folder.iterdir()) == []
    assert backups.write(folder / "one.backup", PASSPHRASE)["keys"] == secrets.keys().fingerprint


def test_a_backup_is_named_by_the_time_in_the_community_and_takes_no_earlier_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = datetime(2026, 3, 18, 9, 0, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert _named(now) == Path("wangge-20260318-090000.backup")
    Path("wangge-20260318-090000.backup").touch()
    assert _named(now) == Path("wangge-20260318-090000-2.backup")
