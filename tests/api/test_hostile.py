"""No stored text breaks a page: hostile names stand in every text field, and every page and export is walked."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from collections import Counter
from html.parser import HTMLParser
from itertools import compress, cycle
from typing import Any

import docx
import openpyxl
import pytest
from fastapi import FastAPI
from sqlalchemy import Column, Table, and_, select, update
from sqlalchemy.orm import Session

from data.base import access, secrets, texts
from data.base.columns import Words
from data.exchange import exporting, outgoing
from data.files import writing
from data.migrations import TABLES
from tests.api.hostile import NAMES
from tests.api.test_walls import APART, NEEDS_MORE, RESIDENTS
from tests.api.walls import Spot, World, address, as_reader, clients, declared, walked

#: Texts that are codes to us: what stands in them is never what somebody typed.
CODES = frozenset(
    {
        "kind",
        "elder",
        "level",
        "metric_crs",
        "use",
        "source",
        "step",
        "state",
        "tier",
        "sex",
        "identity_kind",
        "status",
        "located_by",
        "unlocated_reason",
        "rhythm",
        "rows_by",
        "reach",
        "heat",
        "pattern",
        "reason",
        "sha256",
        "username",
        "password_hash",
        "language",
        "code",
        "action",
        "icon",
        "scope",
        "post",
        "form",
        "channel",
        "key",
        "threshold",
        "hukou",
        "relation",
        "ethnicity",
        "marital_status",
        "political_status",
        "education",
        "occasion",
        "fingerprint",
        "version",
        "request_id",
        "record_kind",
        "manner",
        "outcome",
        "who",
        "subject",
    }
)
#: Tables of ours alone, which are loaded and not typed.
LOADED = frozenset({"permission", "role", "audit", "job", "outgoing", "hotspot_cell"})


class Structure(HTMLParser):
    """The elements and attributes of a page, without what they say."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _value in attrs)


def typed(table: Table) -> list[Column[Any]]:
    """The columns of a table that hold what somebody typed, encrypted or not."""
    keys = {column.name for column in table.primary_key} | CODES
    return [
        column
        for column in table.columns
        if isinstance(column.type, Words | secrets.Encrypted)
        and column.computed is None
        and not column.foreign_keys
        and column.name not in keys
    ]


def store_hostile_names(session: Session) -> int:
    """Put a hostile name into every text of every row that people type; returns how many texts that were."""
    names, count = cycle(NAMES), 0
    for table in TABLES.sorted_tables:
        columns, keys = typed(table), list(table.primary_key)
        if table.name in LOADED or not columns:
            continue
        for row in session.execute(select(*keys, *(column.is_not(None) for column in columns))).all():
            key, there = row[: len(keys)], row[len(keys) :]
            values = {}
            for column in compress(columns, there):
                count += 1
                # Some names are unique: the count keeps them apart.
                most = getattr(column.type, "most", None) or texts.LONG
                values[column.name] = f"{next(names)[: most - 6]}{count}"
            if not values:
                continue
            chosen = and_(*(column == value for column, value in zip(keys, key, strict=True)))
            session.execute(update(table).where(chosen).values(values))
    session.expire_all()
    return count


def walk(app: FastAPI, world: World, spot: Spot) -> dict[str, str]:
    """Every page and answer an administrator may get, by address."""
    role, client, permissions = next(one for one in clients(app, world, "community") if "unit.edit" in one[2])
    found = {}
    for context in walked(app):
        path = context.path or ""
        if "GET" not in (context.methods or ()) or path.startswith(APART) or path in RESIDENTS:
            continue
        codes = {code for codes in declared(context) for code in codes or ()}
        target = address(context, spot)
        if not codes <= permissions or target is None or path.endswith(NEEDS_MORE):
            continue
        answer = client.get(target, headers=as_reader(path))
        assert answer.status_code in (200, 204, 303), f"{role}: GET {answer.url} → {answer.status_code}"
        kind = answer.headers.get("content-type", "")
        if "json" in kind:
            json.loads(answer.text)
        elif "spreadsheetml" in kind:
            openpyxl.load_workbook(io.BytesIO(answer.content))
        elif "wordprocessingml" in kind:
            docx.Document(io.BytesIO(answer.content))
        elif "xml" in kind:
            ET.fromstring(answer.text)
        elif "html" in kind:
            found[target] = answer.text
    return found


@pytest.mark.slow
def test_hostile_names_break_no_page(app: FastAPI, session: Session) -> None:
    world = World.make(session)
    assert store_hostile_names(session) > len(NAMES)
    pages = walk(app, world, world.own("community"))
    assert len(pages) > 30
    for target, page in pages.items():
        found = Structure(page)
        assert not {name for name in found.attributes if name.startswith("on")}, target
        assert "alert(1)" not in found.attributes, target
        assert "<script>alert" not in page, target
        # A name that ended its element would leave one behind that is opened and never closed, or the reverse.
        assert page.count("</script>") == found.tags["script"], target
        assert page.rstrip().endswith("</html>") or "<html" not in page, target


@pytest.mark.slow
@pytest.mark.parametrize("headings", ["en", "zh"])
def test_hostile_names_break_no_export(session: Session, headings: str) -> None:
    world = World.make(session)
    store_hostile_names(session)
    for layer in outgoing.LAYERS:
        for kind in writing.Format:
            target = io.BytesIO()
            exporting.stream(
                session, access.SYSTEM, layer, world.here.community, target, format=kind, headings=headings
            )
            if kind is writing.Format.KML:
                ET.fromstring(target.getvalue())
            elif kind is writing.Format.GEOJSON:
                json.loads(target.getvalue())
            elif kind is writing.Format.XLSX:
                for row in openpyxl.load_workbook(target).active:
                    assert all(cell.data_type != "f" for cell in row), (layer, [cell.value for cell in row])
