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
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import Delete, Insert, TextClause, Update, event, inspect, text
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction

CHANNEL = "wangge_changes"
#: Nothing is kept for longer, whatever the numbers say: for writers that tell nobody, and for what depends on the time.
KEEP_S = 60.0
_PULSE_S = 5.0
_NOTICE_BYTES = 7_900  # PostgreSQL takes payloads of up to 8,000 bytes
#: Written all the time, and nothing is made from them.
_UNTOLD = frozenset(
    {
        "audit",
        "case_watch",
        "incident_counter",
        "job",
        "notification",
        "outgoing",
        "reminder",
        "sign_in",
        "sign_in_attempt",
        "upload",
    }
)  # fmt: skip
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
    if table not in _UNTOLD:
        add(session.info.setdefault(_KEY, {}), table, communities)


def add(written: Written, table: str, communities: Collection[int] | None) -> None:
    """Add to what was written."""
    known = written.get(table, set())
    written[table] = None if communities is None or known is None else known | set(communities)


def written_in(session: Session) -> Written:
    """What a session has written in its transaction so far."""
    written: Written = session.info.get(_KEY, {})
    return written


@event.listens_for(Session, "after_flush")
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


@event.listens_for(Session, "do_orm_execute")
def _statement_was_run(state: ORMExecuteState) -> None:
    statement = state.statement
    if isinstance(statement, Insert | Update | Delete):
        touch(state.session, str(getattr(statement.table, "name", "")))
    elif isinstance(statement, TextClause):
        for table in _WRITTEN.findall(statement.text):
            touch(state.session, table)


@event.listens_for(Session, "before_commit")
def _others_are_told(session: Session) -> None:
    if session.in_nested_transaction():
        return
    session.flush()
    # The notice is part of the transaction: it comes if and only if the writes do, even if this process dies.
    if written := session.info.get(_KEY):
        session.connection().execute(text(f"SELECT pg_notify('{CHANNEL}', :notice)"), {"notice": _notice(written)})


@event.listens_for(Session, "after_commit")
def _this_process_is_told(session: Session) -> None:
    if not session.in_nested_transaction() and (written := session.info.pop(_KEY, None)):
        changes.told(written)
        session.info[_TOLD] = written


def told_by(session: Session) -> Written:
    """What a session that was committed has written."""
    written: Written = session.info.get(_TOLD, {})
    return written


@event.listens_for(Session, "after_soft_rollback")
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
