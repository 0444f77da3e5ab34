"""One word a feature, on every floor: ``git ls-files '*incidents*'`` lists all that is only about incidents."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FLOORS = ("spatial", "data", "maps", "api")

#: What serves several features, by what its path begins with. A new file of one feature never needs a line here.
SEVERAL = (
    "api/base/ api/cli/ data/base/ data/files/ data/migrations/ spatial/ api/static/img/",
    "data/locale/one.po data/locale/zh/base. data/locale/zh/cli. data/locale/zh/files.",
    # What every page loads, and the sheet of paper that cases and door signs are printed on.
    "api/static/css/ledger. api/static/css/pages- api/static/css/print. api/static/css/sheet. api/static/css/shell.",
    "api/static/js/drafts/",
    "api/static/js/dom. api/static/js/forms. api/static/js/sheet. api/static/js/shell. api/static/js/words.",
    # What holds for every page and process, although it is asked by way of one feature.
    "tests/api/test_hostile. tests/maps/test_pages. tests/serving/",
    # The columns of every import and export.
    "data/reference/export_headings. data/reference/fields. data/reference/headings. data/reference/words.",
)


def tracked() -> list[str]:
    """What git tracks of the floors and their tests."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", *FLOORS, "tests"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def imported(name: str) -> set[str]:
    """The rooms of the floors that a test imports from."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in FLOORS:
            rooms.update(node.module.split(".")[1:2] or [alias.name for alias in node.names])
    return rooms


def test_a_file_of_one_feature_has_its_word_in_its_path() -> None:
    names = tracked()
    # What a room of a floor is called is a feature's word: data/hotspots/, maps/hotspots.py, api/hotspots/.
    rooms = {name.split("/")[1].partition(".")[0] for name in names if name.split("/")[0] in FLOORS}
    features = rooms - {"__init__", "base", "cli", "files", "migrations", "locale", "reference", "static"}
    words = re.compile(rf"/(test_)?({'|'.join(sorted(features))})(?![a-z])")
    several = tuple(start for line in SEVERAL for start in line.split())
    strays = [name for name in names if not words.search(name) and not name.startswith(several)]
    code = [name for name in strays if not name.startswith("tests/") and Path(name).name != "__init__.py"]
    # A test that asks several features, or none, is about what holds for all of them; accounts and units say who asks.
    asked = {name: imported(name) & features - {"app", "accounts", "units"} for name in strays if "/test_" in name}
    tests = [name for name, rooms in asked.items() if len(rooms) == 1]
    assert code + tests == []
    assert [start for start in several if not any(name.startswith(start) for name in names)] == []
