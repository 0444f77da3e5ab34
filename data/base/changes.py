"""Changes: which tables were written, so that what was made from them can be kept until then.

``version(tables, communities)`` is a number that grows with every committed write to one of the tables in one of the
communities. Keep it beside what you made; while it is the same, what you made is still true. Take it *before* reading:
a write that comes in between then only makes the result look older than it is.

==========================================  ===============================================================
who writes                                  when the number grows
==========================================  ===============================================================
a session of this process                   before its ``commit()`` returns: one sees one's own writes
a hand of this process (``api.hands``)      before what it answered is known here
a session of another process (worker, CLI)  when PostgreSQL delivers the commit's notice: milliseconds
anybody else (psql, ogr2ogr, raw COPY)      not at all, so nothing is kept for longer than ``KEEP_S``
==========================================  ===============================================================

While nobody follows (``follow`` is not running, or has lost its connection) there is no number, and nothing may be
kept. Sessions are watched, so features need not remember; a load past the session calls ``touch`` to be seen at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import psycopg
from sqlalchemy import Delete, Insert, TextClause, Update, event, inspect, text
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction

from data.base import db

CHANNEL = "wangge_changes"
#: Nothing is kept for longer, whatever the numbers say: for writers that tell nobody, and for what depends on the time.
KEEP_S = 60.0
_PULSE_S = 5.0
_NOTICE_BYTES = 7_900  # PostgreSQL takes payloads of up to 8,000 bytes
_WRITTEN = re.compile(r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|TRUNCATE|COPY)\s+\"?(\w+)", re.IGNORECASE)

#: Tables written in a transaction: name → the communities of the rows, ``None`` for any.
Written = dict[str, set[int] | None]


@dataclass
class _Table:
    """The numbers of the last writes to one table."""

    last: int = 0
    anywhere: int = 0
    by_community: dict[int, int] = field(default_factory=dict)


class Changes:
    """The numbers of one process; every thread may ask and tell."""

    def __init__(self) -> None:
        self.following = False
        self._number = self._floor = 0
        #: Called with what was written, or ``None`` for whatever it may be.
        self.hearers: list[Callable[[Written | None], None]] = []
        self._tables: dict[str, _Table] = {}
        self._lock = threading.Lock()

    def version(self, tables: Iterable[str], communities: Collection[int] | None = None) -> int | None:
        """A number that grows with every write to ``tables`` (in ``communities``, else anywhere).

        ``None`` while nobody follows: then nothing may be kept.
        """
        if not self.following:
            return None
        with self._lock:
            highest = self._floor
            for name in tables:
                table = self._tables.get(name)
                if table is None:
                    continue
                if communities is None:
                    highest = max(highest, table.last)
                else:
                    found = (table.by_community.get(community, 0) for community in communities)
                    highest = max(highest, table.anywhere, *found)
        return highest

    def told(self, written: Written) -> None:
        """Somebody has committed these writes."""
        with self._lock:
            self._number += 1
            for name, communities in written.items():
                table = self._tables.setdefault(name, _Table())
                table.last = self._number
                if communities is None:
                    table.anywhere = self._number
                else:
                    table.by_community.update(dict.fromkeys(communities, self._number))
        for hearer in self.hearers:
            hearer(written)

    def forget(self) -> None:
        """Whatever is known may have changed."""
        with self._lock:
            self._number += 1
            self._floor = self._number
        for hearer in self.hearers:
            hearer(None)


#: Those of this process.
changes = Changes()
version = changes.version
_Made = TypeVar("_Made")


class Kept(Generic[_Made]):
    """What is made from tables and asked for again and again: kept until one is written, for ``KEEP_S`` at most.

    Each schema of each database has its own, and what a session has written itself but not yet committed is seen by it
    alone.

    Parameters
    ----------
    *tables
        What it is made from.
    most
        How many are kept; when there are more, all are forgotten.
    """

    def __init__(self, *tables: type[db.Table], most: int = 10_000) -> None:
        self._tables = tuple(table.__tablename__ for table in tables)
        self._most = most
        self._kept: dict[Hashable, tuple[int, float, _Made]] = {}

    def get(
        self, session: Session, key: Hashable, make: Callable[[], _Made], *, communities: Collection[int] | None = None
    ) -> _Made:
        """What is kept under ``key``, else what ``make`` makes.

        Parameters
        ----------
        communities
            Those whose rows it is made from; any when None.
        """
        number = version(self._tables, communities)
        if number is None or not written_in(session).keys().isdisjoint(self._tables):
            return make()
        place, now = (db.schema_of(session), key), time.monotonic()
        kept = self._kept.get(place)
        if kept is not None and kept[0] == number and now - kept[1] < KEEP_S:
            return kept[2]
        made = make()
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[place] = number, now, made
        return made


_process = f"{os.getpid()}-{secrets.token_hex(4)}"
_KEY, _TOLD = "changes", "changes that were told"


def name() -> str:
    """The name of this process in its notices, which it need not hear itself."""
    return _process


def speak_as(name: str) -> None:
    """Write in the name of another process, which is told by other ways."""
    global _process
    _process = name


def touch(session: Session, table: str, communities: Collection[int] | None = None) -> None:
    """Say that ``session`` writes to ``table`` where the session itself cannot see it."""
    if table not in db.UNTOLD:
        add(session.info.setdefault(_KEY, {}), table, communities)


def add(written: Written, table: str, communities: Collection[int] | None) -> None:
    """Add to what was written."""
    known = written.get(table, set())
    written[table] = None if communities is None or known is None else known | set(communities)


def written_in(session: Session) -> Written:
    """What a session has written in its transaction so far."""
    written: Written = session.info.get(_KEY, {})
    return written


def _records_were_written(session: Session, _context: UOWTransaction) -> None:
    for records in (session.new, session.dirty, session.deleted):
        for record in records:
            touch(session, record.__tablename__, _communities(record))


def _communities(record: object) -> set[int] | None:
    """The communities a record lies in, and lay in before; ``None`` when it does not say."""
    state = inspect(record)
    assert state is not None
    if "community_id" not in state.attrs:
        return None
    history = state.attrs["community_id"].history
    found = {value for values in history if values for value in values}
    return None if not found or None in found else found


def _statement_was_run(state: ORMExecuteState) -> None:
    statement = state.statement
    if isinstance(statement, Insert | Update | Delete):
        touch(state.session, str(getattr(statement.table, "name", "")))
    elif isinstance(statement, TextClause):
        for table in _WRITTEN.findall(statement.text):
            touch(state.session, table)


def _others_are_told(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    # The notice is part of the transaction: it comes if and only if the writes do, even if this process dies.
    if written := session.info.get(_KEY):
        session.connection().execute(text(f"SELECT pg_notify('{CHANNEL}', :notice)"), {"notice": _notice(written)})


def _this_process_is_told(session: Session) -> None:
    if not session.in_nested_transaction() and (written := session.info.pop(_KEY, None)):
        changes.told(written)
        session.info[_TOLD] = written


def told_by(session: Session) -> Written:
    """What a session that was committed has written."""
    written: Written = session.info.get(_TOLD, {})
    return written


def _nothing_was_written(session: Session, ended: SessionTransaction) -> None:
    # A savepoint takes back only its own writes; that those are told with the rest does no harm.
    if ended.parent is None:
        session.info.pop(_KEY, None)


def _notice(written: Written) -> str:
    said = {name: None if places is None else sorted(places) for name, places in written.items()}
    notice = json.dumps([_process, said], separators=(",", ":"))
    if len(notice) > _NOTICE_BYTES:
        notice = json.dumps([_process, dict.fromkeys(said)], separators=(",", ":"))
    return notice


_LISTENERS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("after_flush", _records_were_written),
    ("do_orm_execute", _statement_was_run),
    ("before_commit", _others_are_told),
    ("after_commit", _this_process_is_told),
    ("after_soft_rollback", _nothing_was_written),
)


def attach() -> None:
    """Watch every session of this process from here on."""
    for moment, listener in _LISTENERS:
        if not event.contains(Session, moment, listener):
            event.listen(Session, moment, listener)


async def follow(dsn: str) -> None:
    """Hear of the writes of other processes until cancelled. A lost connection is opened again."""
    while True:
        with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
            await _follow_once(dsn)
        await asyncio.sleep(1)


async def _follow_once(dsn: str) -> None:
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    try:
        await connection.execute(f"LISTEN {CHANNEL}")
        changes.forget()  # what happened before we listened is unknown
        changes.following = True
        while True:
            async for notice in connection.notifies(timeout=_PULSE_S):
                _heard(notice.payload)
            await asyncio.wait_for(connection.execute("SELECT 1"), _PULSE_S)
    finally:
        changes.following = False
        await connection.close()


def _heard(notice: str) -> None:
    process, said = json.loads(notice)
    if process != _process:
        changes.told({name: None if places is None else set(places) for name, places in said.items()})
