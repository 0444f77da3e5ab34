"""The comment at the head of each template tells what it is given, and is held against what it uses and is passed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import meta, nodes

from api.base.page import templates

API = Path(__file__).resolve().parent.parent.parent / "api"
#: What every template may use (``api.base.page``).
SHELL = {
    "locale",
    "large",
    "csrf_token",
    "nonce",
    "path",
    "me",
    "can",
    "community",
    "communities",
    "section",
    "waiting",
}
SHELL |= {"bell", "troubles", "message"}


def named(template: str) -> str:
    """Where a template lies below ``api``: what stands alone is of every feature."""
    return template if "/" in template else f"base/{template}"


@cache
def parsed(template: str) -> nodes.Template:
    return templates().parse((API / template).read_text(encoding="utf-8"))


@cache
def told(template: str) -> set[str]:
    """The words of the comment of a template, and of those that it extends, includes, or speaks of."""
    words, seen, waiting = set[str](), set[str](), [template]
    while waiting:
        here = waiting.pop()
        if here in seen or not (API / here).exists():
            continue
        seen.add(here)
        head = re.match(r"\s*\{#(.*?)#\}", (API / here).read_text(encoding="utf-8"), re.DOTALL)
        text = head[1] if head else ""
        words |= set(re.findall(r"\w+", text))
        waiting += [
            f"{folder}/{name}" for name in re.findall(r"\w+\.html", text) for folder in (here.split("/")[0], "base")
        ]
        for node in parsed(here).find_all((nodes.Extends, nodes.Include)):
            if isinstance(node.template, nodes.Const):
                waiting.append(named(node.template.value))
    return words


def made(template: str) -> set[str]:
    """What a template imports, defines and sets itself; what is imported at its head holds in its blocks."""
    names = {node.name for node in parsed(template).find_all(nodes.Macro)}
    for node in parsed(template).find_all((nodes.FromImport, nodes.Import)):
        listed = node.names if isinstance(node, nodes.FromImport) else [node.target]
        names |= {each[1] if isinstance(each, tuple) else each for each in listed}
    return names | {node.name for node in parsed(template).find_all(nodes.Name) if node.ctx == "store"}


def passed() -> Iterator[tuple[str, str, set[str]]]:
    """What is passed by name wherever a template is shown: by which file, to which template, what."""
    for path in API.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.func, ast.Attribute):
                continue
            first = node.args[0]
            if node.func.attr in ("show", "fragment") and isinstance(first, ast.Constant):
                given = {keyword.arg for keyword in node.keywords if keyword.arg} - {"status", "section"}
                yield str(path.relative_to(API)), named(str(first.value)), given


def test_what_a_template_uses_is_told_in_its_comment() -> None:
    strays = {}
    for path in sorted(API.rglob("*.html")):
        template = str(path.relative_to(API))
        used = meta.find_undeclared_variables(parsed(template)) - set(templates().globals) - SHELL
        if left := used - made(template) - told(template):
            strays[template] = sorted(left)
    assert strays == {}


def test_what_a_template_is_passed_is_told_in_its_comment() -> None:
    every = list(passed())
    assert len(every) > 60
    assert {(where, to): sorted(left) for where, to, given in every if (left := given - told(to))} == {}


def test_lines_of_templates_end_within_160_columns() -> None:
    """Only a sentence that stands in one text may be longer."""
    long = [
        f"{path.relative_to(API)}:{number}"
        for path in API.rglob("*.html")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(re.sub(r'"[^"]{60,}"', '""', line)) > 160
    ]
    assert long == []
