# ruff: noqa: S608 - the names in the statements are columns of our own tables

"""Bulk loads: many rows at once into a table, in the transaction they are asked in, as fast as PostgreSQL takes them.

Row-level security refuses COPY, so a load runs as the owner (``as_owner``), after its permission was checked: in a job
or a command, which log in as the owner, and in no request. Rows go in by binary COPY. Where a load
is large beside what the table holds, its secondary indexes are taken down and built again afterwards, and its foreign
keys are checked then (``suspended``), inside the same transaction: once as a whole and not row by row, and still all or
nothing.

After a load the table is another one than PostgreSQL knows: a plan that was made while it was empty walks through all
of it for each row. So statements of a load are planned anew each time, and the statistics are taken anew after a large
one, before the next statement needs them.

``merge`` brings staged rows into a table by their natural key: new ones are inserted, those that differ are updated
with a history row each, the rest is left alone. An empty value changes nothing, and a shape is the same wherever its
rings begin and whichever way they run.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import repeat
from typing import Any

import numpy as np
import psycopg
import shapely
from geoalchemy2 import Geometry
from numpy.typing import NDArray
from psycopg import sql
from psycopg.adapt import PyFormat
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.schema import DefaultClause

from data.base import audit, changes
from data.base.access import Actor
from data.base.secrets import Encrypted, PersonalDay

#: Fewer rows than this are never worth taking indexes down for.
FEWEST_FOR_SUSPENSION = 10_000
#: From so many rows on a load leaves the statistics of its table behind.
FEWEST_FOR_STATISTICS = 1000
#: How often, and how long each time, to wait for the tables to be free of others; then the load goes without.
#: A wait is shorter than PostgreSQL's deadlock timeout, so that in a deadlock it is the load that gives way.
_ATTEMPTS = 3
_LOCK_TIMEOUT = "500ms"
_ROW = "source_row"
_DOWN = "tables whose indexes are down"
#: After how many rows a load tells how far it is.
_TELL_EVERY = 1000
#: PostgreSQL counts microseconds from here.
_EPOCH = np.datetime64("2000-01-01", "us")

_TYPES: tuple[tuple[type[Any], str], ...] = (
    (Geometry, "bytea"),
    (Encrypted, "bytea"),
    (LargeBinary, "bytea"),
    (BigInteger, "int8"),
    (Integer, "int4"),
    (Double, "float8"),
    (Numeric, "numeric"),
    (Boolean, "bool"),
    (DateTime, "timestamptz"),
    (DATERANGE, "daterange"),
    (Date, "date"),
    (PersonalDay, "date"),
    (ARRAY, "int4[]"),
)


@dataclass(frozen=True)
class Same:
    """A column that has one value in every row."""

    value: Any


#: Told how many rows were written.
Told = Callable[[int], None]


def untold(rows: int) -> None:
    """Nobody wants to know."""


Values = Sequence[Any] | NDArray[Any] | Same
Columns = Mapping[str, Values]


@dataclass(frozen=True)
class Merged:
    """How many rows ``merge`` found new, different from what was there, and the same; and which differed."""

    new: int
    updated: int
    unchanged: int
    changed_ids: frozenset[int] = frozenset()


def wkb(geometries: NDArray[np.object_]) -> list[bytes | None]:
    """Geometries as WKB, as a geometry column takes them; it supplies the SRID itself."""
    kinds = shapely.get_type_id(geometries)
    if len(geometries) and (kinds == shapely.GeometryType.POINT).all() and not shapely.is_empty(geometries).any():
        return point_wkb(shapely.get_x(geometries), shapely.get_y(geometries))
    flat = shapely.force_2d(geometries) if shapely.has_z(geometries).any() else geometries
    encoded: list[bytes | None] = shapely.to_wkb(flat).tolist()
    return encoded


def point_wkb(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[bytes | None]:
    """Points as WKB, without a shapely object for each."""
    record = np.empty(len(x), dtype=[("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")])
    record["order"], record["kind"], record["x"], record["y"] = 1, 1, x, y
    encoded: list[bytes | None] = record.view(f"V{record.dtype.itemsize}").tolist()
    return encoded


def reserve_ids(session: Session, table: SqlTable, count: int) -> list[int]:
    """Ids for ``count`` new rows, which nobody else will get."""
    if not count:
        return []
    # As runs: nearly always there is one, and a hundred thousand ids are two numbers.
    query = text(
        "SELECT min(id), max(id) FROM (SELECT id, id - row_number() OVER () AS run FROM "
        "(SELECT nextval((SELECT CAST(pg_get_serial_sequence(:table, 'id') AS regclass))) AS id "
        "FROM generate_series(1, :count)) drawn) numbered "
        "GROUP BY run ORDER BY 1"
    )
    runs = session.execute(query, {"table": _quoted(table), "count": count})
    return [number for first, last in runs for number in range(first, last + 1)]


@contextmanager
def as_owner(session: Session) -> Iterator[None]:
    """Run the block as the tables' owner, without row-level security; afterwards the role is what it was.

    Its statements are planned for the rows that are there, and by no plan that is kept from before.
    """
    role, plans = session.execute(text("SELECT current_setting('role'), current_setting('plan_cache_mode')")).one()
    put = text("SELECT set_config('role', :role, true), set_config('plan_cache_mode', :plans, true)")
    session.execute(put, {"role": "none", "plans": "force_custom_plan"})
    yield
    # Not in a finally: after an error the transaction is aborted, and its end resets both.
    session.execute(put, {"role": role, "plans": plans})


def _count_anew(session: Session, table: SqlTable, written: int) -> None:
    """Take the statistics of a table anew after a load of so many rows; not while another load does.

    Of what statements find and join rows by; the rest, which nothing waits for, is left to PostgreSQL's own round.
    """
    if written >= FEWEST_FOR_STATISTICS:
        indexed = {column.name for index in table.indexes for column in index.columns}
        unique = {column.name for each in table.constraints if isinstance(each, UniqueConstraint) for column in each}
        names = [c.name for c in table.columns if c.primary_key or c.foreign_keys or c.name in indexed | unique]
        listed = sql.SQL(", ").join(map(sql.Identifier, names))
        _run(session, sql.SQL("ANALYZE (SKIP_LOCKED) {} ({})").format(sql.Identifier(table.name), listed))


def copy(
    session: Session, table: SqlTable, columns: Columns, *, into: str | None = None, progress: Told = untold
) -> None:
    """COPY rows into ``table`` (or into the staging table ``into`` with the same columns).

    Parameters
    ----------
    columns
        Column name → its values, all of one length; ``Same`` for a constant. Geometries as WKB, encrypted values
        encrypted; ``None`` is NULL. An array of ``datetime64`` holds instants in UTC.
    """
    session.flush()
    if into is None:
        changes.touch(session, table.name)
    count = _count(columns)
    lists = [_exact(values) if _is_exact(table, name) else _values(values) for name, values in columns.items()]
    types = ["int4" if name == _ROW else _type(table.c[name], columns[name]) for name in columns]
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(into or table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    rows = zip(*(repeat(each.value, count) if isinstance(each, Same) else each for each in lists), strict=True)
    try:
        cursor = _driver(session).cursor()
        # Of those that write bytes, the one in C; the driver's choice is that of DB-API's ``Binary``.
        cursor.adapters.register_dumper(bytes, cursor.adapters.get_dumper(bytes, PyFormat.BINARY))
        with cursor.copy(statement) as stream, without_collector():
            stream.set_types(types)
            write = stream.write_row
            for done, row in enumerate(rows):
                if not done % _TELL_EVERY:
                    progress(done)
                write(row)
    except psycopg.Error as error:
        raise DBAPIError.instance(f"COPY {table.name}", None, error, psycopg.Error) from error


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the cycle collector from walking through millions of values over and over: it took half of a load's time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load(
    session: Session,
    table: SqlTable,
    columns: Columns,
    *,
    defaults: Mapping[str, str] | None = None,
    progress: Told = untold,
) -> None:
    """COPY rows that are known to be new straight into ``table``; empty values take the column's default.

    ``defaults`` are those of columns that have none of their own.
    """
    given = defaults or {}
    copy(
        session,
        table,
        {name: _filled(values, given.get(name, _default(table.c[name]))) for name, values in columns.items()},
        progress=progress,
    )
    _count_anew(session, table, _count(columns))


def add(session: Session, table: SqlTable, columns: Columns, *, progress: Told = untold) -> Merged:
    """Bring rows that are known to be new into ``table``, with its indexes down where that pays; as ``load``."""
    count = _count(columns)
    with suspended(session, table, count):
        load(session, table, columns, progress=progress)
    return Merged(new=count, updated=0, unchanged=0)


@contextmanager
def suspended(
    session: Session, table: SqlTable, count: int, *, beside: Mapping[SqlTable, int] | None = None
) -> Iterator[bool]:
    """Take ``table``'s secondary indexes down for a load of ``count`` rows, build them again, then check foreign keys.

    Only when the load is large and the table holds fewer rows than come in, and nobody else holds the table for
    long; otherwise the block runs with everything in place. Others wait for the table until the transaction ends, and
    may read but not write those it refers to. Keys that other tables refer to stay. On a server that does not let us
    leave checks for the end (``session_replication_role``), foreign keys are taken down like the indexes, and
    PostgreSQL keeps readers from the tables they refer to as well.

    ``beside`` are tables, with their counts, that are loaded in the same block: rows of all of them may refer to each
    other. All are taken down or none, as the block is told; it may write to no others, whose keys nobody would check.
    """
    tables = {table: count, **(beside or {})}
    down: set[str] = session.info.setdefault(_DOWN, set())
    if table.name in down or not all(_worth_it(session, each, rows) for each, rows in tables.items()):
        yield table.name in down
        return
    late = _may_check_late(session)
    keys = {each: _foreign_keys(session, each) if late else [] for each in tables}
    definitions = _take_down(session, keys)
    if definitions is None:
        yield False
        return
    if late:
        _run_checks(session, on=False)
    down |= {each.name for each in tables}
    try:
        yield True
    finally:
        down -= {each.name for each in tables}
    if late:
        _run_checks(session, on=True)
    for definition in definitions:
        _run(session, definition)
    for each in tables:
        for key in keys[each]:
            _check(session, each, key)


def _may_check_late(session: Session) -> bool:
    """Whether the server lets us switch the checks of foreign keys off for a transaction."""
    return bool(session.scalar(text("SELECT has_parameter_privilege('session_replication_role', 'SET')")))


@dataclass(frozen=True)
class _ForeignKey:
    """A foreign key of a table: its columns, and the columns of the table it refers to."""

    name: str
    columns: Sequence[str]
    target: str
    target_columns: Sequence[str]


def _foreign_keys(session: Session, table: SqlTable) -> list[_ForeignKey]:
    rows = session.execute(
        text(
            """
            SELECT c.conname, t.relname,
                (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY k(num, place)
                 JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.num) AS columns,
                (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k(num, place)
                 JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.num) AS target_columns
            FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid
            WHERE c.conrelid = CAST(:name AS regclass) AND c.contype = 'f'
            """
        ),
        {"name": _quoted(table)},
    )
    return [_ForeignKey(row.conname, row.columns, row.relname, row.target_columns) for row in rows]


def _run_checks(session: Session, *, on: bool) -> None:
    """Let PostgreSQL check foreign keys row by row, or leave that to us until the transaction ends."""
    role = "origin" if on else "replica"
    session.execute(text("SELECT set_config('session_replication_role', :role, true)"), {"role": role})


def _check(session: Session, table: SqlTable, key: _ForeignKey) -> None:
    """Check a foreign key as a whole, and say what is wrong as PostgreSQL would."""
    names = [sql.Identifier(name) for name in key.columns]
    filled = sql.SQL(" AND ").join(sql.SQL("l.{} IS NOT NULL").format(name) for name in names)
    same = sql.SQL(" AND ").join(
        sql.SQL("l.{} = r.{}").format(name, sql.Identifier(other))
        for name, other in zip(names, key.target_columns, strict=True)
    )
    statement = sql.SQL("SELECT 1 FROM {} l WHERE {} AND NOT EXISTS (SELECT FROM {} r WHERE {}) LIMIT 1").format(
        sql.Identifier(table.name), filled, sql.Identifier(key.target), same
    )
    if session.connection().exec_driver_sql(statement.as_string(_driver(session))).first():
        wrong = f'load into "{table.name}" violates foreign key constraint "{key.name}"'
        raising = sql.SQL("DO $$ BEGIN RAISE foreign_key_violation USING MESSAGE = {}, CONSTRAINT = {}; END $$").format(
            sql.Literal(wrong), sql.Literal(key.name)
        )
        _run(session, raising)


def _worth_it(session: Session, table: SqlTable, count: int) -> bool:
    if count < FEWEST_FOR_SUSPENSION:
        return False
    there = session.scalar(
        text(f"SELECT count(*) FROM (SELECT 1 FROM {_quoted(table)} LIMIT :count) held"),
        {"count": count},
    )
    return (there or 0) < count


def _take_down(session: Session, keys: Mapping[SqlTable, Sequence[_ForeignKey]]) -> list[sql.Composed] | None:
    """Drop what can be built again of each table; returns how to, or None when others hold one of them.

    ``keys`` are foreign keys that stay, to be checked at the end: until then nobody may write what they refer to.
    """
    # Indexes go up before the foreign keys that may need them.
    parts = sorted(
        ((table, part) for table in keys for part in _rebuildable(session, table, [key.name for key in keys[table]])),
        key=lambda each: bool(each[1].is_foreign),
    )
    lock = sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE")
    targets = {key.target for kept in keys.values() for key in kept} - {table.name for table in keys}
    drops: list[sql.Composable] = [lock.format(sql.Identifier(target)) for target in sorted(targets)]
    drops += [
        sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}" if part.is_constraint else "DROP INDEX {1}").format(
            sql.Identifier(table.name), sql.Identifier(part.conname)
        )
        for table, part in reversed(parts)
    ]
    # A table whose deferred checks are still to come cannot be altered: let those of earlier statements come now.
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(text("SET CONSTRAINTS ALL DEFERRED"))
    if not any(_dropped(session, drops) for _attempt in range(_ATTEMPTS)):
        return None
    add_back = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ")
    return [
        add_back.format(sql.Identifier(table.name), sql.Identifier(part.conname)) + sql.SQL(part.definition)
        if part.is_constraint
        else sql.Composed([sql.SQL(part.definition)])
        for table, part in parts
    ]


def _rebuildable(session: Session, table: SqlTable, kept: Sequence[str]) -> Sequence[Any]:
    """The constraints and indexes of a table that nothing hangs on, without those ``kept``."""
    return session.execute(
        text(
            """
            SELECT c.conname, pg_get_constraintdef(c.oid) AS definition, true AS is_constraint,
                c.contype = 'f' AS is_foreign FROM pg_constraint c
            WHERE c.conrelid = CAST(:name AS regclass) AND c.contype IN ('f', 'p', 'u')
                AND c.conname <> ALL (CAST(:kept AS text[])) AND NOT EXISTS (
                SELECT FROM pg_constraint r WHERE c.contype <> 'f' AND r.contype = 'f' AND r.conindid = c.conindid)
            UNION ALL
            SELECT i.relname, pg_get_indexdef(i.oid), false, false
            FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
            WHERE x.indrelid = CAST(:name AS regclass) AND NOT EXISTS (
                SELECT FROM pg_constraint c WHERE c.conindid = i.oid AND c.conrelid = x.indrelid)
            """
        ),
        {"name": _quoted(table), "kept": kept},
    ).all()


def _dropped(session: Session, drops: Sequence[sql.Composable]) -> bool:
    """Run the statements that take keys and indexes down, unless others hold the tables; tells whether it did."""
    try:
        with session.begin_nested():
            session.execute(text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": _LOCK_TIMEOUT})
            for drop in drops:
                _run(session, drop)
            session.execute(text("SELECT set_config('lock_timeout', '0', true)"))
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected):
            return False
        raise
    return True


@dataclass(frozen=True)
class Place:
    """The columns that together say where a record is; they change together, also to nothing.

    A record that was placed by hand stays where it is, and so does one that has a place when none came in.

    Attributes
    ----------
    given
        Columns of which one is set when a place came in.
    columns
        All of the columns.
    follows
        Those of them that follow from the others, so that they tell nothing more about whether the place is another.
    """

    given: tuple[str, ...]
    columns: tuple[str, ...]
    follows: tuple[str, ...] = ("located_score",)


def stage(
    session: Session, table: SqlTable, columns: Columns, name: str = "staged", *, progress: Told = untold
) -> None:
    """COPY rows into the temporary table ``name``, which has these columns of ``table`` and ``source_row``."""
    listed = sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    make = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA")
    _run(session, make.format(sql.Identifier(name), listed, sql.Identifier(table.name)))
    _run(session, sql.SQL("ALTER TABLE {} ADD {} int").format(sql.Identifier(name), sql.Identifier(_ROW)))
    copy(session, table, {**columns, _ROW: range(_count(columns))}, into=name, progress=progress)
    _run(session, sql.SQL("ANALYZE {}").format(sql.Identifier(name)))


def merge(
    session: Session,
    actor: Actor,
    table: SqlTable,
    columns: Columns,
    *,
    key: Sequence[str],
    place: Place | None = None,
    defaults: Mapping[str, str] | None = None,
    progress: Told = untold,
) -> Merged:
    """Bring rows into ``table`` by their natural key.

    Parameters
    ----------
    columns
        As for ``copy``; each key occurs once. An empty value changes nothing, and is the column's default in a new row.
    key
        Columns that are unique together.
    place
        Columns that change together.
    defaults
        What an empty value stands for in a new row, where the column has no default of its own.
    progress
        Told how many rows are on their way.

    Returns
    -------
    Merged
        What was done. For each updated row there is a row in the audit.
    """
    stage(session, table, columns, progress=progress)
    placed = place.columns if place else ()
    plain = [name for name in columns if name not in key and name not in placed]
    parts = _Parts(table, key, plain, place)
    changed = _execute(session, parts.find_changed())
    if changed:
        who = {"account": actor.account_id, "request": actor.request_id, "hidden": f'"{audit.HIDDEN}"'}
        _execute(session, parts.write_history(), who)
        _execute(session, parts.update())
    changed_ids = frozenset(session.scalars(text("SELECT CAST(id AS bigint) FROM staged_changed")))
    count = _count(columns)
    with suspended(session, table, count - changed):
        new = _execute(session, *parts.insert(list(columns), defaults or {}))
    _count_anew(session, table, new + changed)
    session.execute(text("DROP TABLE staged, staged_changed"))
    return Merged(new=new, updated=changed, unchanged=count - new - changed, changed_ids=changed_ids)


@dataclass(frozen=True)
class _Parts:
    """The statements of one merge; every name in them is one of our own columns."""

    table: SqlTable
    key: Sequence[str]
    plain: Sequence[str]
    place: Place | None

    @property
    def _match(self) -> str:
        return " AND ".join(f"t.{name} = s.{name}" for name in self.key)

    @property
    def _moves(self) -> str:
        """The condition that a row's place changes."""
        if self.place is None:
            return "false"
        differs = " OR ".join(self._differs(name) for name in self.place.columns if name not in self.place.follows)
        given = " OR ".join(f"s.{name} IS NOT NULL" for name in self.place.given)
        return f"(coalesce(t.located_by, '') <> 'manual' AND ({given}) AND ({differs}))"

    def _differs(self, name: str) -> str:
        """The condition that a value is another; of two shapes that are written differently, that they are not one."""
        differs = f"t.{name} IS DISTINCT FROM s.{name}"
        if not isinstance(self.table.c[name].type, Geometry):
            return differs
        drawn, held = (f"ST_Normalize(ST_Multi({row}.{name}))" for row in "st")
        return f"({differs} AND {held} IS DISTINCT FROM {drawn})"

    def find_changed(self) -> str:
        """Note the rows that are there and differ."""
        differs = [f"(s.{name} IS NOT NULL AND {self._differs(name)})" for name in self.plain]
        return (
            f"CREATE TEMP TABLE staged_changed ON COMMIT DROP AS SELECT t.id, s.{_ROW}, {self._moves} AS moves "
            f"FROM staged s JOIN {_quoted(self.table)} t ON {self._match} WHERE {' OR '.join([*differs, self._moves])}"
        )

    def write_history(self) -> str:
        """One audit row for each row that differs, with the fields that do."""
        fields = [(name, f"s.{name} IS NOT NULL AND {self._differs(name)}") for name in self.plain] + [
            (name, f"c.moves AND {self._differs(name)}") for name in (self.place or _NO_PLACE).columns
        ]
        values = ", ".join(
            f"('{name}', {condition}, {self._shown('t', name)}, {self._shown('s', name)})" for name, condition in fields
        )
        community = "t.community_id" if "community_id" in self.table.c else "NULL"
        return (
            "INSERT INTO audit (account_id, action, record_kind, record_id, community_id, changes, request_id) "
            f"SELECT :account, 'update', '{self.table.name}', t.id, {community}, f.changes, :request "
            f"FROM staged_changed c JOIN staged s USING ({_ROW}) JOIN {_quoted(self.table)} t ON t.id = c.id, LATERAL ("
            "SELECT jsonb_object_agg(v.name, jsonb_build_array(v.past, v.present)) AS changes "
            f"FROM (VALUES {values}) AS v(name, differs, past, present) WHERE v.differs) f"
        )

    def _shown(self, row: str, name: str) -> str:
        """A value as the audit holds it: no secrets, and of a geometry only that there is one."""
        kind = self.table.c[name].type
        if isinstance(kind, Encrypted | LargeBinary):
            return f"CASE WHEN {row}.{name} IS NOT NULL THEN CAST(:hidden AS jsonb) END"
        if isinstance(kind, Geometry):
            return f"""CASE WHEN {row}.{name} IS NOT NULL THEN CAST('"geometry"' AS jsonb) END"""
        return f"to_jsonb({row}.{name})"

    def update(self) -> str:
        """Change the rows that differ."""
        sets = [f"{name} = coalesce(s.{name}, t.{name})" for name in self.plain]
        if self.place:
            sets += [f"{name} = CASE WHEN c.moves THEN s.{name} ELSE t.{name} END" for name in self.place.columns]
        if "updated_at" in self.table.c:
            sets.append("updated_at = now()")
        return (
            f"UPDATE {_quoted(self.table)} t SET {', '.join(sets)} "
            f"FROM staged_changed c JOIN staged s USING ({_ROW}) WHERE t.id = c.id"
        )

    def insert(self, names: Sequence[str], defaults: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """Insert the rows that are not there, in the order of the file."""
        fallbacks = {name: defaults.get(name, _default(self.table.c[name])) for name in names}
        fallbacks = {name: value for name, value in fallbacks.items() if value is not None}
        values = [f"coalesce(s.{name}, :{name})" if name in fallbacks else f"s.{name}" for name in names]
        return (
            f"INSERT INTO {_quoted(self.table)} ({', '.join(names)}) SELECT {', '.join(values)} FROM staged s "
            f"WHERE NOT EXISTS (SELECT FROM {_quoted(self.table)} t WHERE {self._match}) ORDER BY s.{_ROW}"
        ), fallbacks


_NO_PLACE = Place((), ())


def _execute(session: Session, statement: str, values: Mapping[str, Any] | None = None) -> int:
    """Execute a statement; returns how many rows it concerned."""
    done = session.execute(text(statement), values or {})
    return int(done.rowcount)  # type: ignore[attr-defined]


def _driver(session: Session) -> psycopg.Connection[Any]:
    """The driver's connection under a session, in the session's transaction."""
    connection: psycopg.Connection[Any] = session.connection().connection.driver_connection  # type: ignore[assignment]
    return connection


def _run(session: Session, statement: sql.Composable) -> None:
    """Execute a statement about names."""
    session.connection().exec_driver_sql(statement.as_string(_driver(session)))


def _quoted(table: SqlTable) -> str:
    return f'"{table.name}"'


def _type(column: Column[Any], values: Values) -> str:
    if _is_instants(values):
        return "int8"  # which is how PostgreSQL takes an instant, and much faster to write than a datetime
    return next((name for kind, name in _TYPES if isinstance(column.type, kind)), "text")


def _default(column: Column[Any]) -> Any:
    """What an empty value stands for in a new row."""
    default = column.server_default
    if not isinstance(default, DefaultClause) or not isinstance(default.arg, str):
        return None
    return column.type.python_type(default.arg)


def _filled(values: Values, default: Any) -> Values:
    if default is None:
        return values
    if isinstance(values, Same):
        return Same(default) if values.value is None else values
    return [default if value is None else value for value in _values(values)]  # type: ignore[union-attr]


def _values(values: Values) -> Sequence[Any] | Same:
    if isinstance(values, np.ndarray) and _is_instants(values):
        ticks = (values - _EPOCH).astype("timedelta64[us]").astype(np.int64).tolist()
        return [None if missing else tick for tick, missing in zip(ticks, np.isnat(values), strict=True)]
    return values.tolist() if isinstance(values, np.ndarray) else values


def _is_exact(table: SqlTable, name: str) -> bool:
    return name in table.c and isinstance(table.c[name].type, Numeric) and not isinstance(table.c[name].type, Double)


def _exact(values: Values) -> Sequence[Any] | Same:
    """Numbers as an exact column takes them."""
    if isinstance(values, Same):
        return values
    return [None if value is None else Decimal(str(value)) for value in values]


def _is_instants(values: Values) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "M"


def _count(columns: Columns) -> int:
    return next(len(values) for values in columns.values() if not isinstance(values, Same))
