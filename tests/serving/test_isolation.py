"""What lies in the current folder or is named by the environment does not run in our name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Modules of Python's, of others and of ours that are imported on the way.
NAMES = ("calendar", "api", "data", "spatial", "maps", "json", "typing", "typer", "sqlalchemy")
CUSTOMS = ("sitecustomize", "usercustomize")


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder whose modules leave a mark when they are imported."""
    for name in NAMES + CUSTOMS:
        (tmp_path / f"{name}.py").write_text(
            f"import pathlib\npathlib.Path({str(tmp_path)!r}, 'ran-{name}').touch()\nraise SystemExit('trapped')\n"
        )
    (tmp_path / "start.py").write_text(f"import pathlib\npathlib.Path({str(tmp_path)!r}, 'ran-start').touch()\n")
    return tmp_path


#: What a hand is started by, and what it does; as in the web application, whose folder is the one it was started in.
HANDS = """
import asyncio
from api import hands
from data.base.access import SYSTEM
from data.base.db import Unreachable
async def run():
    async with hands.at_work(1) as workers:
        try:
            await workers.do(SYSTEM, print)
        except Unreachable:
            print("A hand looked for the database.")
asyncio.run(run())
"""


@pytest.mark.parametrize("command", [["doctor", "--json"], ["worker", "--help"], ["part", "worker"], ["hands"]])
def test_nothing_of_the_folder_it_is_started_in_is_imported(trap: Path, command: list[str]) -> None:
    hostile = {
        "PYTHONPATH": str(trap),
        "PYTHONSTARTUP": str(trap / "start.py"),
        "PYTHONHOME": str(trap),
        "PYTHONUSERBASE": str(trap),
        "PYTHONINSPECT": "1",
    }
    program = [str(ROOT / ".venv" / "bin" / "wangge"), *command]
    if command == ["hands"]:
        program = [str(ROOT / ".venv" / "bin" / "python"), "-I", "-c", HANDS]
    done = subprocess.run(
        program,
        cwd=trap,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | hostile | {"WANGGE_HOME": str(trap / "home"), "WANGGE_LANGUAGE": "en"},
    )
    assert "trapped" not in done.stderr, done.stderr
    assert [path.name for path in trap.glob("ran-*")] == []
    if command == ["hands"]:
        assert "A hand looked" in done.stdout, done.stderr


def test_everything_starts_python_isolated() -> None:
    for name in ("script/server", "script/bootstrap"):
        text = (ROOT / name).read_text()
        assert "-m api.cli" in text
        assert text.count("-m api.cli") == text.count("-I -m api.cli")
    rooms = [path for floor in ("api", "data", "maps", "spatial") for path in (ROOT / floor).rglob("*.py")]
    assert [path.name for path in rooms if "sys.executable" in path.read_text()] == ["processes.py"]
