"""A backup of a live installation brings everything back, and only to whoever has the passphrase."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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

    def run(self, *arguments: str, says: str = "", fails: bool = False, given: str = "", **environment: str) -> str:
        """Run ``wangge`` with these arguments; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", *arguments],
            input=given, capture_output=True, text=True, env=self.environment | environment, timeout=600, check=False,
        )  # fmt: skip
        assert (done.returncode == 2) if fails else (done.returncode == 0), done.stdout + done.stderr
        assert says in done.stdout + done.stderr
        return done.stdout

    def python(self, code: str) -> str:
        """Run a piece of Python in this installation with a ``session`` at hand; returns what it prints."""
        head = (
            "from data.base import access, cluster, db\n"
            "from data import accounts, households, units\n"
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


@pytest.fixture
def original(folder: Path) -> Iterator[Installation]:
    """An installation with a tree of units, an encrypted phone and an upload; its database runs."""
    made = Installation(folder / "a")
    made.run("db", "start")
    made.run("unit", "add", "--level", "district", "--code", "310101", "--name", "江城区")
    made.run("unit", "add", "--level", "street", "--code", "310101001", "--name", "临江街道", "--parent", "310101")
    made.run(
        "unit", "add", "--level", "community", "--code", "310101001001", "--name", "梧桐里", "--parent", "310101001"
    )
    made.python(
        "from data.households import Household\n"
        "unit = units.by_code(session, access.SYSTEM, '310101001001')\n"
        "session.add(Household(community_id=unit.id, number='1', phone='13800006021', unlocated_reason='no_place'))"
    )
    (made.home / "uploads" / "ab").mkdir(parents=True)
    (made.home / "uploads" / "ab" / "abcd").write_text("一份文件")
    yield made
    made.run("db", "stop")


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


def test_a_restore_replaces_records_only_when_told_to(original: Installation, folder: Path) -> None:
    file = str(folder / "one.backup")
    original.run("backup", file)
    original.run("unit", "add", "--level", "district", "--code", "9", "--name", "later")

    original.run("restore", file, fails=True, says="--replace")
    assert "later" in original.run("unit", "list")

    original.run("restore", file, "--replace", says="Restored")
    assert "later" not in original.run("unit", "list")


def test_another_passphrase_and_a_damaged_file_are_refused_and_change_nothing(
    original: Installation, folder: Path
) -> None:
    file = folder / "one.backup"
    original.run("backup", str(file))
    before = original.run("unit", "list")

    original.run(
        "restore", str(file), "--replace", fails=True, says="passphrase", WANGGE_BACKUP_PASSPHRASE="another one"
    )
    (folder / "half.backup").write_bytes(file.read_bytes()[:5000])
    original.run("restore", str(folder / "half.backup"), "--replace", fails=True)
    original.run("restore", __file__, "--replace", fails=True, says="no backup")
    original.run("backup", str(file), fails=True, says="exists already")

    assert original.run("unit", "list") == before


def test_the_doctor_finds_a_healthy_installation_healthy(original: Installation) -> None:
    findings = json.loads(original.run("doctor", "--json"))["findings"]
    broken = [finding for finding in findings if not finding["good"] and finding["check"] not in ("front end", "port")]
    assert broken == []
