"""Names say the noun: ``found``, ``one`` and ``told`` only where all of their lives is seen at a glance."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FLOORS = ("spatial", "data", "maps", "api")
VAGUE = {"found", "one", "told"}
#: From where a name is given to where it is used last.
LINES = 10


def long_lives(path: Path) -> Iterator[str]:
    """The vague names of a file that are used more than ten lines after they are first given, a function each."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            lines: dict[str, list[int]] = {}
            for argument in (*function.args.args, *function.args.kwonlyargs):
                lines.setdefault(argument.arg, []).append(argument.lineno)
            for node in ast.walk(function):
                if isinstance(node, ast.Name):
                    lines.setdefault(node.id, []).append(node.lineno)
            for name in VAGUE & lines.keys():
                if max(lines[name]) - min(lines[name]) > LINES:
                    yield f"{path.relative_to(ROOT)}:{min(lines[name])} {name}"


def test_vague_names_do_not_live_for_long() -> None:
    living = sorted(each for floor in FLOORS for path in (ROOT / floor).rglob("*.py") for each in long_lives(path))
    assert living == []
