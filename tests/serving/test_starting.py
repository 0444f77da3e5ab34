"""What is loaded before the first request: what only some pages need comes when one of them is asked for."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from data.base import processes

#: Libraries that take long to load.
HEAVY = {"pandas", "geopandas", "folium", "branca", "pyarrow", "pyogrio", "scipy", "sklearn", "matplotlib", "openpyxl"}


def test_a_start_loads_no_library_that_only_some_pages_need() -> None:
    code = "import sys, api.cli, api.app; api.cli._register_all(); print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(processes.python("-c", code), capture_output=True, text=True, check=True, timeout=120)
    loaded = set(done.stdout.split())
    assert {"api", "fastapi", "sqlalchemy"} <= loaded
    assert HEAVY & loaded == set()


@pytest.mark.parametrize("command", [("db", "migrate"), ("unit", "list")])
def test_a_database_that_does_not_answer_is_a_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"postgresql://grid:secret@127.0.0.1:{probe.getsockname()[1]}/grid"
        own = {name: value for name, value in os.environ.items() if not name.startswith("WANGGE_")}
        told = {"WANGGE_HOME": str(tmp_path), "WANGGE_DATABASE_URL": address, "WANGGE_LANGUAGE": "en"}
        program = processes.python("-m", "api.cli", *command)
        done = subprocess.run(program, env=own | told, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "The database cannot be reached" in done.stderr
    assert "secret" not in done.stderr
