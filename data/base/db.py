"""The database: engine, sessions, transactions, the base of all tables, and what a violated constraint means.

One request or job is one transaction (``transaction``); code below it calls ``flush()``, never ``commit()``. A
transaction that runs for an actor logs in as ``wangge_request``, takes the role ``wangge_app`` and tells PostgreSQL the
actor's area, so that row-level security stands under everything ``access.visible`` already filters; no statement leads
from there to the owner of the tables. The owner logs in for the system: migrations, the demo, commands, the worker, and
what a server does before it knows who asks.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Engine,
    FromClause,
    MetaData,
    create_engine,
    event,
    inspect,
    text,
)
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

from data.base import cluster, texts
from data.base.access import VISITOR
from data.base.columns import Words
from data.base.errors import Busy, Conflict, Forbidden, Invalid, WanggeError
from data.base.language import _

if TYPE_CHECKING:
    from data.base.access import Actor

APP_ROLE = "wangge_app"
#: The tables whose writes are told nobody (``Table.__told__``).
UNTOLD: set[str] = set()


class Table(DeclarativeBase):
    """The base of every table: named constraints and the instants of creation and last change."""

    #: Whether those who keep something made from the table are told when it is written (``data.base.changes``). Not of
    #: what is written all the time, and nothing is made from.
    __told__: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__told__:
            UNTOLD.add(cls.__tablename__)

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Words(),
        texts.Long: Words(texts.LONG),
    }


def referred(column: ColumnElement[Any]) -> FromClause:
    """The table whose key stands in a column, also where it is declared above the one who asks."""
    (key,) = column.foreign_keys
    return key.column.table


class Unreachable(Busy):
    """The database cannot be reached, or was lost on the way."""


class Dated:
    """Columns of a record that people edit: when it was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), sort_order=900)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=text("now()"), onupdate=text("clock_timestamp()"), sort_order=901
    )


#: What it means that a constraint of this name was violated: a message for ``_``, in which ``{key}`` is the value that
#: is taken. Features add their own.
sentences: dict[str, str] = {}


@cache
def engine() -> Engine:
    """The engine of this process, for the owner of the tables."""
    return make_engine(cluster.dsn())


@cache
def requests() -> Engine:
    """The engine of this process for whoever is not the system."""
    return engine() if cluster.request_dsn() == cluster.dsn() else make_engine(cluster.request_dsn())


def make_engine(dsn: str) -> Engine:
    """An engine for a libpq connection string."""
    made = create_engine(
        dsn.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1),
        # A server that is away, or a network that swallows everything, is a sentence soon.
        connect_args={"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3},
        pool_size=20,
        max_overflow=20,
        # What is searched for or saved may be personal, and an error that nobody expected goes to the log.
        hide_parameters=True,
        json_serializer=_as_json,
    )
    event.listen(made, "checkin", _is_put_back)
    event.listen(made, "checkout", _is_taken)
    return made


_HELD_BACK = re.compile(r"\\u00[01]|[\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def _as_json(value: Any) -> str:
    """JSON as PostgreSQL takes it: a text in it may hold no NUL and no half of a surrogate pair."""
    written = json.dumps(value, ensure_ascii=False, default=str)
    if not _HELD_BACK.search(written):
        return written
    return json.dumps(texts.cleaned(json.loads(written)), ensure_ascii=False)


#: A connection that has rested for longer is asked whether it still stands, before it is used: ``pool_pre_ping`` would
#: ask each time, which takes longer than a short statement does.
_RESTED_S = 1.0


def _is_put_back(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["rests_since"] = time.monotonic()


def _is_taken(connection: Any, record: ConnectionPoolEntry, _fairy: Any) -> None:
    if time.monotonic() - record.info.get("rests_since", math.inf) < _RESTED_S:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.OperationalError as error:
        raise DisconnectionError from error  # the pool then takes another one


class _Follow:
    """Whether what follows from writing was attached to the sessions of this process."""

    attached = False


def attached() -> None:
    """Say that what follows from writing was attached: from here on there may be transactions."""
    _Follow.attached = True


@contextmanager
def transaction(actor: Actor, bind: Engine | Connection | None = None) -> Iterator[Session]:
    """One transaction for ``actor``: committed when the block ends, rolled back when it raises.

    Without ``bind`` the system's is the owner's, and that of anybody else comes from ``requests()``.

    Raises
    ------
    Conflict, Invalid
        A constraint was violated; the sentence is the constraint's.
    Busy
        Two transactions stood in each other's way.
    Unreachable
        The database cannot be reached; whether a commit that it was lost over was made is unknown.
    """
    if not _Follow.attached:
        raise RuntimeError("Call data.attaching.attach() first: nothing would be written into the audit.")
    bind = bind or (engine() if actor.is_system else requests())
    with Session(bind, expire_on_commit=False, info={"actor": actor}) as session:
        try:
            enter(session, actor)
            yield session
            session.commit()
        except DBAPIError as error:
            session.rollback()
            raise explain(error) from error


def enter(session: Session, actor: Actor) -> None:
    """Make this transaction the actor's: the application's role and the actor's area, until it ends."""
    if actor.is_system:
        return
    session.execute(_ENTER, {"role": APP_ROLE, "account": str(actor.account_id or ""), **actor.areas()})


_ENTER = text(
    "SELECT set_config('role', :role, true), set_config('wangge.account', :account, true), "
    "set_config('wangge.communities', :communities, true), set_config('wangge.grids', :grids, true), "
    "set_config('wangge.upper', :upper, true), set_config('wangge.people_communities', :people_communities, true), "
    "set_config('wangge.people_grids', :people_grids, true)"
)


def plan_once(session: Session) -> None:
    """Plan the statements of this transaction once for each connection, whatever their values.

    It is for those that take longer to plan than to run, and whose plan is the same for any grid and day.
    """
    session.execute(_PLAN_ONCE)


_PLAN_ONCE = text("SET LOCAL plan_cache_mode = force_generic_plan")


@contextmanager
def everywhere(session: Session) -> Iterator[None]:
    """Let the block read and write rows beyond the actor's area; afterwards the area is what it was.

    It is for what follows from something that was permitted, as what a patrol saw in the next grid follows from its
    track. What no request may (accounts, roles, the tables themselves), it may not in here either.
    """
    before = session.execute(_AREAS).one()._asdict()
    session.execute(_SET_AREAS, dict.fromkeys(before, "*"))
    yield
    # Not in a finally: after an error the transaction is aborted, and its end resets the areas.
    session.execute(_SET_AREAS, before)


@contextmanager
def counting(session: Session, actor: Actor) -> Iterator[Actor]:
    """Let the block count people also where the actor may only know how many there are; it yields who counts.

    Nothing but counts may leave the block.
    """
    counter = actor.counter
    if counter is actor:
        yield actor
        return
    before = session.execute(_AREAS).one()._asdict()
    areas = counter.areas()
    session.execute(_SET_AREAS, {**before, **{name: areas[name] for name in before if name.startswith("people_")}})
    yield counter
    # Not in a finally: after an error the transaction is aborted, and its end resets the areas.
    session.execute(_SET_AREAS, before)


def insert(session: Session, record: Table) -> None:
    """Write a record whose key somebody chose. Whether it is taken is for the constraint to say, not for a look before.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        ``explain`` has the sentence.
    """
    key = inspect(type(record)).identity_key_from_instance(record)
    if (known := session.identity_map.get(key)) is not None:
        session.expunge(known)
    session.add(record)
    session.flush()


def schema_of(session: Session) -> Hashable:
    """Where the tables of a session lie: the database, and the schema that is a tenant's."""
    return session.get_bind().engine.url, session.info.get("schema", "public")


_WIDE = ("communities", "grids", "people_communities", "people_grids")
_AREAS = text(
    "SELECT " + ", ".join(f"coalesce(current_setting('wangge.{name}', true), '') AS {name}" for name in _WIDE)
)
_SET_AREAS = text("SELECT " + ", ".join(f"set_config('wangge.{name}', :{name}, true)" for name in _WIDE))


def try_as_request(connection: Connection) -> None:
    """Do what every request does, and change nothing: the role, the area, a read of each table behind walls.

    Raises
    ------
    DBAPIError
        A request would fail alike.
    """
    with connection.begin() as transaction:
        tables = connection.scalars(_WALLED).all()
        connection.execute(_ENTER, {"role": APP_ROLE, "account": "", **VISITOR.areas()})
        for table in tables:
            connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608
        transaction.rollback()


#: How PostgreSQL tells of the key that is there already, in each of its languages.
_KEY = re.compile(r"\([^)]*\)=\((.*)\)")
#: Tables with row-level security: requests read all of them.
_WALLED = text(
    "SELECT CAST(oid AS regclass)::text FROM pg_class WHERE relrowsecurity AND relkind = 'r' "
    "AND relnamespace = CAST(current_schema() AS regnamespace) ORDER BY relname"
)


def explain(error: DBAPIError) -> WanggeError:
    """The error of our own tree that a database error amounts to; an unknown one is raised as it is."""
    cause = error.orig
    state = getattr(cause, "sqlstate", None) or ""
    if isinstance(error, IntegrityError) or state.startswith("23"):
        name = getattr(getattr(cause, "diag", None), "constraint_name", None) or ""
        if name in sentences:
            key = _KEY.search(getattr(getattr(cause, "diag", None), "message_detail", None) or "")
            return Conflict(_(sentences[name], key=key[1] if key else "—"), constraint=name)
        if (too_long := _too_long(name, getattr(getattr(cause, "diag", None), "table_name", None) or "")) is not None:
            return too_long
        if state == "23505":
            return Conflict(_("There is already a record with the same {name}.", name=name), constraint=name)
        if state == "23503":
            return Conflict(_("It is still used by other records, or refers to one that is gone."), constraint=name)
        return Invalid(_("A value is missing or not allowed ({name}).", name=name), constraint=name)
    if state.startswith("22") or isinstance(error, DataError):
        return Invalid(_("A value is outside what can be stored."))
    if state == "42501" and "row-level security" in str(cause):
        return Forbidden(_("The record would then lie outside your area."))
    if state in ("42P01", "42703"):
        return Conflict(_("The database has no tables yet, or those of another version. Run `wangge db migrate`."))
    if state in ("40001", "40P01", "55P03"):
        return Busy(_("Somebody else was changing the same records. Try again."))
    if state == "53100":
        return Busy(_("The disk of the database is full. Nothing was written; make room, and try again."))
    if isinstance(error, OperationalError) or state.startswith(("08", "57")):
        return Unreachable(
            _("The database cannot be reached. Try again in a moment; `wangge doctor` says what is wrong.")
        )
    raise error


def _too_long(constraint: str, table_name: str) -> Invalid | None:
    """What it means that the length of a text was not kept to, if that is what the constraint is about."""
    column = constraint.removeprefix(f"ck_{table_name}_").removesuffix("_length")
    if not constraint.endswith("_length") or table_name not in Table.metadata.tables:
        return None
    most = getattr(Table.metadata.tables[table_name].c[column].type, "most", 0)
    return Invalid(
        _("{field} is too long: at most {most} characters can be kept.", field=column, most=most), field=column
    )
