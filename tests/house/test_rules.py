"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
from importlib.machinery import SourceFileLoader
from pathlib import Path

import grimp
import pytest
from alembic import command
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from sqlalchemy import Engine

from data import migrations
from data.base import db

ROOT = Path(__file__).resolve().parent.parent.parent
FLOORS = ("spatial", "data", "maps", "api")


def tracked(*patterns: str) -> list[Path]:
    """The files git tracks."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", *patterns], capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_every_setting_is_documented() -> None:
    path = ROOT / "script" / "docs"
    loader = SourceFileLoader("docs_script", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("docs_script", loader))
    loader.exec_module(module)
    assert module.PATH.read_text(encoding="utf-8") == module.table(), "run .venv/bin/python script/docs"


def test_the_migrations_lead_to_the_tables_of_the_code(engine: Engine) -> None:
    with engine.begin() as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.check(config)


def test_every_message_has_a_chinese_translation() -> None:
    translated: set[str] = set()
    for path in sorted((ROOT / "data" / "locale" / "zh").glob("*.po")):
        with path.open("rb") as file:
            catalog = read_po(file, locale="zh", abort_invalid=True)
        for message in catalog:
            if message.id and message.string and not message.fuzzy:
                translated.add(str(message.id))
                assert fields(str(message.id)) == fields(str(message.string)), f"{path.name}: {message.id!r}"
    missing = {sentence: name for name, sentence in db.sentences.items() if sentence not in translated}
    methods = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
    for floor in FLOORS:
        found = extract_from_dir(str(ROOT / floor), methods, keywords={"_": None}, options_map={})
        for name, line, message, *_rest in found:
            if "migrations" not in name and isinstance(message, str) and message not in translated:
                missing[message] = f"{floor}/{name}:{line}"
    assert not missing


def test_only_what_is_read_at_a_terminal_names_options_of_the_command_line() -> None:
    rooms = ("api/cli/", "data/files/remedies.py", "data/backups.py")
    strays = {}
    for floor in FLOORS:
        methods = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
        for name, line, message, *_rest in extract_from_dir(str(ROOT / floor), methods, keywords={"_": None}):
            place = f"{floor}/{name}"
            if isinstance(message, str) and re.search(r"--[a-z]", message) and not place.startswith(rooms):
                strays[message] = f"{place}:{line}"
    assert strays == {}


def fields(text: str) -> set[str]:
    """The names in braces of a message."""
    return set(re.findall(r"\{(\w+)[^}]*\}", text))


def test_within_data_imports_only_point_down_the_list_of_the_contributing_page() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = page[page.index("\nexchange") : page.index("\nbase/")].splitlines()
    lines = [re.sub(r"\(.*?\)|\s{2,}.*", "", line).split("·") for line in listed]
    place = {feature.strip(): number for number, features in enumerate(lines) for feature in features}
    paths = [path for path in tracked("data/*.py") if not {"base", "migrations"} & set(path.parts)]
    features = {path.relative_to(ROOT / "data").parts[0].removesuffix(".py") for path in paths} - {"__init__"}
    assert features == set(place) - {""}
    strays = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "data"
        for name in ([one.name for one in node.names] if node.module == "data" else [node.module.split(".")[1]])
        if place.get(name, len(lines)) < place.get(path.relative_to(ROOT / "data").parts[0].removesuffix(".py"), 0)
    ]
    assert strays == []


def test_no_files_import_each_other_in_a_circle() -> None:
    house = grimp.build_graph(*FLOORS, cache_dir=None)
    imports = {name: house.find_modules_directly_imported_by(name) for name in house.modules}
    # What imports nothing more is taken away until nothing changes; only circles, and what leads to them, remain.
    while leaves := {name for name, imported in imports.items() if not imported & set(imports)}:
        imports = {name: imported for name, imported in imports.items() if name not in leaves}
    assert sorted(imports) == []


def test_no_parameters_are_read_from_the_signature_of_a_function() -> None:
    strays = [str(path.relative_to(ROOT)) for path in tracked("api/*.py") if "inspect" in path.read_text("utf-8")]
    assert strays == []


def test_the_format_of_no_line_is_kept_from_the_formatter() -> None:
    switch = re.compile("# fmt" + ": (skip|off)")
    kept = [
        f"{path.relative_to(ROOT)}" for path in tracked("*.py", "bench/*") if switch.search(path.read_text("utf-8"))
    ]
    assert kept == []


def test_no_file_explains_nothing_by_its_name() -> None:
    empty = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "service", "services", "misc"}
    assert [path for path in tracked("*.py") if path.stem in empty] == []


def test_no_file_of_the_floors_grows_beyond_seven_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in tracked(*(f"{floor}/*.py" for floor in FLOORS))
        if "migrations" not in path.parts and (count := len(path.read_text(encoding="utf-8").splitlines())) > 700
    }
    assert long == {}


@pytest.mark.parametrize(
    ("pattern", "rooms"),
    [
        (
            r"\.commit\(\)",
            ("data/base/", "data/migrations/", "api/base/deps.py", "api/security", "data/exchange/", "api/worker"),
        ),
        # What is asked of the database is asked in data; the lists cut any feature's rows into pages.
        (
            r"(?<!def )(?<![\w.])select\((?!\")|\bfunc\.|\bsession\.(execute|scalars?)\(",
            ("spatial/", "data/", "maps/", "api/base/listing.py", "api/base/ledgers.py", "api/health.py"),
        ),
        # The one of the web framework; http.client has another of this name.
        (r"(?<!client\.)HTTPException", ("api/base/errors.py",)),
        (r"^\s*print\(", ("api/cli/",)),
        # A table is a class, or what a key refers to, never a word.
        (r"(?<![\w.])table\(\s*\"|\.tables\[", ("data/base/db.py", "data/migrations/")),
        # Requests cannot become the owner of the tables, so nothing that they come to may try.
        (r"as_owner\(", ("data/base/bulk.py", "data/exchange/importing/")),
        # What of the server runs as the owner: before it is known who asks, accounts, and the public door.
        (
            r"transactions?(\(request\))?\((\w+\.)?SYSTEM|is_system=True",
            (
                *("data/", "api/cli/", "api/worker.py", "api/health.py", "api/base/deps.py", "api/views/pages.py"),
                *("api/accounts/security.py", "api/accounts/signin.py", "api/reports/", "api/plans/residents.py"),
            ),
        ),
    ],
)
def test_things_stay_in_their_rooms(pattern: str, rooms: tuple[str, ...]) -> None:
    strays = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked(*(f"{floor}/*.py" for floor in FLOORS))
        if not str(path.relative_to(ROOT)).startswith(rooms)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert strays == []


def test_no_committed_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    hosts = re.compile(
        r"python" r"hosted\.|pypi" r"\.org|registry\.(npm|yarn)|(deb|security)\." r"debian\.|(^|[ \"=:(])/(work|farm)/"
    )
    strays = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if path.suffix not in (".png", ".xlsx")
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if hosts.search(line)
    ]
    assert strays == []


def test_no_page_loads_anything_from_elsewhere() -> None:
    outside = re.compile(r"""(src|href)=["']https?://""")
    strays = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("api/*.html", "maps/*", "api/static/*")
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if outside.search(line)
    ]
    assert strays == []
