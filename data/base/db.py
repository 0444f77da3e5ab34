"""The database: engine, sessions, transactions, the base of all tables, and what a violated constraint means.

One request or job is one transaction (``transaction``); code below it calls ``flush()``, never ``commit()``. A
transaction that runs for an actor changes to the role ``wangge_app`` and tells PostgreSQL the actor's area, so that
row-level security stands under everything ``access.visible`` already filters. The owner's role is used by
migrations, the demo, and bulk loads after their permission was checked.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from sqlalchemy import Connection, DateTime, Engine, MetaData, create_engine, event, text
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

from data.base import changes, cluster
from data.base.errors import Busy, Conflict, Forbidden, Invalid, WanggeError
from data.base.language import _

if TYPE_CHECKING:
    from data.base.access import Actor

APP_ROLE = "wangge_app"
#: Every session is watched from here on, so that what was made from a table is known to be old after a write.
CHANGES = changes.changes


class Table(DeclarativeBase):
    """The base of every table: named constraints and the instants of creation and last change."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True)}


class Dated:
    """Columns of a record that people edit: when it was made and last changed."""

    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), sort_order=900)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=text("now()"), onupdate=text("clock_timestamp()"), sort_order=901
    )


#: What it means that a constraint of this name was violated: a message for ``_``. Features add their own.
sentences: dict[str, str] = {}


@cache
def engine() -> Engine:
    """The engine of this process."""
    return make_engine(cluster.dsn())


def make_engine(dsn: str) -> Engine:
    """An engine for a libpq connection string."""
    made = create_engine(
        dsn.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=20,
        max_overflow=20,
        # What is searched for or saved may be personal, and an error that nobody expected goes to the log.
        hide_parameters=True,
        json_serializer=lambda value: json.dumps(value, ensure_ascii=False, default=str),
    )
    event.listen(made, "checkin", _is_put_back)
    event.listen(made, "checkout", _is_taken)
    return made


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


@contextmanager
def transaction(actor: Actor, bind: Engine | Connection | None = None) -> Iterator[Session]:
    """One transaction for ``actor``: committed when the block ends, rolled back when it raises.

    Raises
    ------
    Conflict, Invalid
        A constraint was violated; the sentence is the constraint's.
    Busy
        The database cannot be reached, or two transactions stood in each other's way.
    """
    with Session(bind or engine(), expire_on_commit=False, info={"actor": actor}) as session:
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
    session.execute(_ENTER, {"role": APP_ROLE, **actor.areas()})


_ENTER = text(
    "SELECT set_config('role', :role, true), set_config('wangge.communities', :communities, true), "
    "set_config('wangge.grids', :grids, true), set_config('wangge.people_communities', :people_communities, true), "
    "set_config('wangge.people_grids', :people_grids, true)"
)


def explain(error: DBAPIError) -> WanggeError:
    """The error of our own tree that a database error amounts to; an unknown one is raised as it is."""
    cause = error.orig
    state = getattr(cause, "sqlstate", None) or ""
    if isinstance(error, IntegrityError) or state.startswith("23"):
        name = getattr(getattr(cause, "diag", None), "constraint_name", None) or ""
        if name in sentences:
            return Conflict(_(sentences[name]), constraint=name)
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
        return Busy(_("The database cannot be reached. Try again in a moment; `wangge doctor` says what is wrong."))
    raise error
