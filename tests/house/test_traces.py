"""Nobody is counted or scored by what they left behind: sign-ins, tracks, check-ins, photos (国办函〔2026〕12号)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FLOORS = ("spatial", "data", "maps", "api", "bench")
#: The tables of traces by their classes, and as they stand in SQL.
CLASSES = {"SignIn", "SignInAttempt", "Patrol", "PatrolPoint", "CheckIn", "PatrolNote", "Photo"}
TABLES = re.compile(
    r"\b(?:from|join)\s+(patrol|patrol_point|check_in|patrol_note|photo|sign_in|sign_in_attempt)\b", re.I
)
#: What says who somebody is.
PERSON = re.compile(r"\b(account_id|account_name|username|assignee_id|Account\.(id|name))\b")
COUNTING = {"count", "sum", "avg", "max", "min", "rank", "dense_rank", "row_number", "percent_rank", "ntile"}
COUNTED = re.compile(r"\b(count|sum|avg|rank|dense_rank|row_number|percent_rank|ntile)\s*\(", re.I)

#: What may read traces at all, and for what. A feature that sums up the work of people is never among them: it does not
#: stand here, and so it cannot import them.
MAY_READ = {
    "data/accounts/": "signing in, and how often it may be tried",
    "data/patrols/": "the walker's own track",
    "data/coverage/": "which places were passed, whoever passed them",
    "data/rounds.py": "whether a round was walked today",
    "data/photos.py": "the photos of cases",
    "data/activities.py": "the photos of activities",
    "data/reports.py": "the photos that residents send",
    "data/nearby.py": "the photos that may be public",
    "data/views/": "a map of tracks that one may see",
    "data/exchange/": "tracks that come in as files",
    "data/demo/": "what the demo invents",
    "data/incidents/": "the photos of cases",
    "data/backups.py": "the files that belong to photos",
    "api/": "pages and routes, which ask data",
    "maps/": "drawing what data gives",
    "bench/": "what is measured, on invented walkers",
}
#: What counts or scores what people do; none of it may name a trace, wherever it stands.
SUMS_UP = re.compile(r"(stats|summary|duties|workload|assessments|bulletins|ledger|today|campaigns|responsible)")


def names(tree: ast.AST) -> set[str]:
    """The classes and modules of traces that some code names."""
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & CLASSES
    named |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & CLASSES
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "data":
            parts = {*node.module.split("."), *(alias.name for alias in node.names)}
            named |= parts & {"patrols", "photos"} | parts & CLASSES
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            named |= {found.lower() for found in TABLES.findall(node.value)}
    return named


def scoring(source: str) -> Iterator[str]:
    """The functions of some code that count or rank traces by who left them."""
    lines = source.splitlines()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = "\n".join(lines[function.lineno - 1 : function.end_lineno])
        in_sql = TABLES.search(text) and re.search(r"group\s+by|over\s*\(", text, re.I) and COUNTED.search(text)
        calls = {node.func.attr for node in ast.walk(function) if _is_call(node)}  # type: ignore[attr-defined]
        grouped = [ast.unparse(node) for node in ast.walk(function) if _is_call(node, "group_by", "over")]
        by_orm = names(function) & CLASSES and calls & COUNTING and any(PERSON.search(one) for one in grouped)
        if by_orm or (in_sql and PERSON.search(text)):
            yield function.name


def _is_call(node: ast.AST, *named: str) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    return not named or node.func.attr in named


def sources() -> Iterator[tuple[str, str]]:
    """The code of the floors, by path."""
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            if not {"migrations", ".venv"} & set(path.parts):
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_nothing_counts_people_by_the_traces_they_left() -> None:
    assert [f"{path}: {name}" for path, source in sources() for name in scoring(source)] == []


def test_only_what_has_a_reason_reads_traces() -> None:
    strays = {
        path: sorted(named)
        for path, source in sources()
        if not path.startswith(tuple(MAY_READ)) and (named := names(ast.parse(source)))
    }
    assert strays == {}


def test_what_sums_up_the_work_of_people_names_no_trace() -> None:
    strays = {
        path: sorted(named)
        for path, source in sources()
        if SUMS_UP.search(path) and not path.startswith("bench/") and (named := names(ast.parse(source)))
    }
    assert strays == {}


@pytest.mark.parametrize(
    "source",
    [
        "def most(session):\n return session.execute(select(Patrol.account_id, func.count())"
        ".group_by(Patrol.account_id))",
        "def far(session):\n return select(func.sum(Patrol.length_m)).group_by(Account.name)",
        "def best(session):\n return text('SELECT account_id, count(*) FROM photo GROUP BY account_id')",
        "def first(session):\n return select(func.rank().over(order_by=SignIn.account_id))",
        "def ranked(session):\n return text('SELECT rank() OVER (ORDER BY length_m), account_id FROM patrol')",
    ],
)
def test_the_rule_finds_what_it_forbids(source: str) -> None:
    assert len(list(scoring(source))) == 1


def test_the_rule_lets_places_be_counted() -> None:
    allowed = "def seen(session):\n return select(Patrol.grid_id, func.count()).group_by(Patrol.grid_id)"
    assert list(scoring(allowed)) == []
    assert names(ast.parse("from data import patrols")) == {"patrols"}
