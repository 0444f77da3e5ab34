"""Where the words of the house lie: each Chinese sentence with the feature that says it in English."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent.parent
FLOORS = ("spatial", "data", "maps", "api")
CHINESE = ROOT / "data" / "locale" / "zh"
# What starts the rooms of api, and so belongs to none of them.
STARTING = {"__init__", "app", "worker", "hands"}


def room(path: Path) -> str:
    """The feature of a file of the floors, ``base`` where it serves all of them."""
    name = path.relative_to(ROOT).parts[1].removesuffix(".py")
    return "base" if name in STARTING else name


def sayers() -> dict[str, set[str]]:
    """Each text of the code and of the templates → the features that it stands in."""
    where: dict[str, set[str]] = defaultdict(set)
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            if "versions" not in path.parts:
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        where[node.value].add(room(path))
        templates = [("**.html", "jinja2.ext:babel_extract")]
        for name, _line, message, *_rest in extract_from_dir(str(ROOT / floor), templates, keywords={"_": None}):
            if isinstance(message, str):
                where[message].add(room(ROOT / floor / name))
    return where


def test_every_translation_lies_once_with_a_feature_that_says_it() -> None:
    where, seen, strays = sayers(), dict[str, str](), dict[str, str]()
    for path in sorted(CHINESE.glob("*.po")):
        with path.open("rb") as file:
            messages = [str(message.id) for message in read_po(file, locale="zh") if message.id]
        for message in messages:
            rooms = where.get(message, set())
            if not rooms:
                strays[message] = f"{path.name}: nothing says this any more"
            elif message in seen:
                strays[message] = f"{path.name} and {seen[message]}: once is enough"
            elif path.stem == "base" and len(rooms) == 1 and "base" not in rooms:
                strays[message] = f"base.po: only {rooms.pop()} says this, so it belongs there"
            elif path.stem != "base" and path.stem not in rooms:
                strays[message] = f"{path.name}: {', '.join(sorted(rooms))} says this"
            seen[message] = path.name
    assert strays == {}
