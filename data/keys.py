"""Whether the key file is the one that the database was written with, and what becomes of keys that are lost.

The database holds a fingerprint of its keys (``key_mark``), and so does every backup. Server, worker, hands and
commands compare it before they do anything (:func:`check`): a key file that is missing or another one stops them with a
sentence. Keys are made only for a database that holds nothing encrypted yet.

Whoever has lost the keys for good says so (:func:`declare_lost`): the database takes new ones, and what was encrypted
under the old ones stays where it is and is shown as unreadable until it is written anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Engine, text
from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import Session

from data.base import access, audit, sealed, secrets, settings
from data.base.errors import Conflict
from data.base.language import _

_LOCK = 7_214_004
#: So many of the newest values of a field are tried where the database has no fingerprint yet.
_TRIED = 20


class WrongKeys(Conflict):
    """The key file is not the one that the database was written with."""


@dataclass(frozen=True)
class Field:
    """How many values an encrypted field has, and how many of them the keys here do not open."""

    name: str
    count: int
    unreadable: int


def marked(connection: Connection) -> str | None:
    """The fingerprint that the database holds; ``None`` where it was never compared with keys, or has no tables."""
    if connection.scalar(text("SELECT to_regclass('key_mark')")) is None:
        return None
    found = connection.scalar(text("SELECT fingerprint FROM key_mark WHERE in_use"))
    return None if found is None else str(found)


def check(engine: Engine) -> None:
    """Raise unless the keys here are those of the database; make or note them where there is nothing to lose by it.

    Raises
    ------
    WrongKeys, KeysMissing, KeysDamaged
    """
    secrets.forget()
    with engine.begin() as connection:
        if connection.scalar(text("SELECT to_regclass('key_mark')")) is None:
            return
        mark = marked(connection)
        if mark is None:
            # Of two that start together the second finds what the first has noted.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            mark = marked(connection) or _first(connection)
    held = secrets.stored()
    if held is None:
        raise secrets.KeysMissing(
            _(
                "The key file {path} is missing. Put the copy of it there (fingerprint {mark}), or restore a backup. "
                "Only if it is lost for good: `wangge keys lost` says what is lost with it.",
                path=settings.get().key_file,
                mark=mark,
            )
        )
    if held.fingerprint != mark:
        raise WrongKeys(
            _(
                "The keys in {path} (fingerprint {held}) are not those of this database ({mark}). Put the right key "
                "file there. Only if it is lost for good: `wangge keys lost` says what is lost with it.",
                path=settings.get().key_file,
                held=held.fingerprint,
                mark=mark,
            )
        )


def _first(connection: Connection) -> str:
    """Note the fingerprint of a database that has none: a new one, or one from before there were fingerprints."""
    held = secrets.stored()
    samples = [value for column in columns() for value in _newest(connection, column)]
    if held is None and samples:
        raise secrets.KeysMissing(
            _(
                "The key file {path} is missing, and the database holds encrypted fields. Put the copy of it there, or "
                "restore a backup. Only if it is lost for good: `wangge keys lost` says what is lost with it.",
                path=settings.get().key_file,
            )
        )
    made = held or secrets.make_keys()
    if samples and not any(_opens(value) for value in samples):
        raise WrongKeys(
            _(
                "The keys in {path} (fingerprint {held}) do not open the encrypted fields of this database. Put the "
                "right key file there. Only if it is lost for good: `wangge keys lost` says what is lost with it.",
                path=settings.get().key_file,
                held=made.fingerprint,
            )
        )
    _mark(connection, made.fingerprint)
    return made.fingerprint


def _mark(connection: Connection, fingerprint: str) -> None:
    connection.execute(text("INSERT INTO key_mark (fingerprint, in_use) VALUES (:mark, true)"), {"mark": fingerprint})


# ---- what is encrypted ---------------------------------------------------------------------------------------------


def columns() -> list[Column[Any]]:
    """Every encrypted column, in the order of the tables."""
    from data import migrations  # all tables: most who ask for a check need none of them

    tables: list[SqlTable] = migrations.TABLES.sorted_tables
    return [column for table in tables for column in table.columns if isinstance(column.type, secrets.Encrypted)]


def _newest(connection: Connection, column: Column[Any], most: int = _TRIED) -> list[bytes]:
    key = next(iter(column.table.primary_key.columns)).name
    rows = connection.exec_driver_sql(
        f'SELECT "{column.name}" FROM "{column.table.name}" WHERE "{column.name}" IS NOT NULL '  # noqa: S608
        f'ORDER BY "{key}" DESC LIMIT {most}'
    )
    return [bytes(value) for (value,) in rows]


def _opens(value: bytes) -> bool:
    from cryptography.exceptions import InvalidTag

    try:
        secrets.decrypt(value)
    except (InvalidTag, ValueError):
        return False
    return True


def sampled(connection: Connection) -> list[Field]:
    """Each encrypted field by its newest values: whether the keys here open them."""
    found = ((column, _newest(connection, column)) for column in columns())
    return [
        Field(str(column), len(values), sum(not _opens(value) for value in values))
        for column, values in found
        if values
    ]


def counted(connection: Connection) -> Iterator[Field]:
    """Each encrypted field with all of its values; without a key file none of them can be read."""
    try:
        have = secrets.stored() is not None
    except secrets.KeysDamaged:
        have = False
    for column in columns():
        count = unreadable = 0
        query = f'SELECT "{column.name}" FROM "{column.table.name}" WHERE "{column.name}" IS NOT NULL'  # noqa: S608
        with connection.execution_options(stream_results=True, max_row_buffer=1000).exec_driver_sql(query) as rows:
            for (value,) in rows:
                count += 1
                unreadable += not (have and _opens(bytes(value)))
        if count:
            yield Field(str(column), count, unreadable)


# ---- lost keys -----------------------------------------------------------------------------------------------------


class NothingLost(Conflict):
    """The keys are those of the database: there is nothing to declare."""


def is_lost(connection: Connection) -> bool:
    """Whether the keys here are missing, damaged, or others than the database's."""
    try:
        held = secrets.stored()
        mark = marked(connection)
        if held is None:
            return mark is not None or any(_newest(connection, column, 1) for column in columns())
        if mark is not None:
            return held.fingerprint != mark
        samples = [value for column in columns() for value in _newest(connection, column)]
        return bool(samples) and not any(_opens(value) for value in samples)
    except secrets.KeysDamaged:
        return True


def declare_lost(session: Session, fields: list[Field]) -> str:
    """Go on with other keys; returns their fingerprint. ``fields`` are what was told to be lost, and are noted.

    The keys are those of the key file that lies there, or fresh ones. No encrypted value is touched.

    Raises
    ------
    NothingLost
    """
    secrets.forget()
    connection = session.connection()
    if not is_lost(connection):
        raise NothingLost(_("The keys are those of this database: nothing is lost."))
    path = settings.get().key_file
    try:
        secrets.stored()
    except secrets.KeysDamaged:
        path.replace(path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%d%H%M%S}"))
    made = secrets.make_keys()
    lost = {field.name: field.unreadable for field in fields if field.unreadable}
    session.execute(
        text("UPDATE key_mark SET in_use = NULL, lost_at = now(), lost = CAST(:lost AS jsonb) WHERE in_use"),
        {"lost": json.dumps(lost)},
    )
    _mark(connection, made.fingerprint)
    changes = {"fingerprint": [None, made.fingerprint], "unreadable": [None, lost]}
    audit.record(session, access.SYSTEM, "keys_lost", "key_mark", changes=changes)
    return made.fingerprint


def unreadable_files() -> int:
    """How many sealed files the keys here do not open."""
    folder = settings.get().uploads
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part"))
    return sum(not sealed.opens(path) for path in files)
