"""Our application with the hand-written parts of its tiles replaced by kept libraries, to be measured beside them.

Each is a factory of the whole application: the same sign-in, walls, statements and compression. ``routed`` answers
tiles by the route alone, without the lane before the application; ``psycopg_pipeline`` and ``asyncpg_pool`` read over
the pool and the connections of these libraries, as they are written for it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from psycopg import AsyncRawCursor
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from api import app, tiles
from api.tiles import source

PEERS = Path(__file__).parent / ".venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"


def ours() -> FastAPI:
    """As it is."""
    return app.create_app()


def routed() -> FastAPI:
    """Without the lane: what surrounds every request surrounds a tile too."""
    tiles.Lane = lambda inner, _state: inner  # type: ignore[misc,assignment]
    return app.create_app()


def psycopg_pipeline() -> FastAPI:
    """With psycopg's pipeline mode and pool."""
    source.Connections = _Psycopg  # type: ignore[misc,assignment]
    return app.create_app()


def asyncpg_pool() -> FastAPI:
    """With asyncpg and its pool."""
    source.Connections = _Asyncpg  # type: ignore[misc,assignment]
    source.text = lambda value: value  # type: ignore[assignment]
    return app.create_app()


class _Psycopg:
    """Begin, scope, reading and commit leave as one pipeline."""

    def __init__(self, dsn: str, most: int) -> None:
        self._pool = AsyncConnectionPool(
            dsn,
            min_size=most,
            max_size=most,
            open=False,
            kwargs={"autocommit": True, "prepare_threshold": 0, "cursor_factory": AsyncRawCursor},
        )

    async def read(self, statements: Sequence[Any]) -> Any:
        """The result of the last statement."""
        await self._pool.open()
        async with self._pool.connection() as connection, connection.pipeline():
            await connection.execute("BEGIN READ ONLY")
            for sql, arguments in statements:
                values = [None if value is None else value.decode() for value in arguments]
                cursor = await connection.execute(sql, values, binary=True)
            await connection.execute("COMMIT")
        return cursor.pgresult

    def close(self) -> None:
        """The process ends."""


class _Asyncpg:
    """asyncpg knows no pipeline: one message takes begin and scope together, the reading and the commit follow."""

    def __init__(self, dsn: str, most: int) -> None:
        sys.path.append(str(PEERS))  # at the end: of all else ours comes first
        import asyncpg

        at = conninfo_to_dict(dsn)
        names = {"host": "host", "port": "port", "user": "user", "database": "dbname"}
        given = {name: at[key] for name, key in names.items() if key in at}
        self._open = partial(asyncpg.create_pool, **given, min_size=most, max_size=most, reset=_stays_as_it_is)
        self._pool, self._opening = None, asyncio.Lock()

    async def read(self, statements: Sequence[Any]) -> Any:
        """The result of the last statement."""
        async with self._opening:
            if self._pool is None:
                self._pool = await self._open()
        *scopes, (sql, arguments) = statements
        async with self._pool.acquire() as connection:
            await connection.execute("BEGIN READ ONLY;" + ";".join(_spelt(*scope) for scope in scopes))
            try:
                return _Rows(await connection.fetch(sql, *arguments))
            finally:
                await connection.execute("COMMIT")

    def close(self) -> None:
        """The process ends."""


async def _stays_as_it_is(_connection: object) -> None:
    """All that is set on a connection is set for a transaction."""


def _spelt(sql: str, arguments: Sequence[Any]) -> str:
    """A statement with its arguments in it."""
    for place, value in reversed(list(enumerate(arguments, 1))):
        literal = str(value).replace("'", "''")
        sql = sql.replace(f"${place}", f"'{literal}'")
    return sql


@dataclass(frozen=True)
class _Rows:
    """Rows as libpq's results are asked."""

    rows: Sequence[Any]

    @property
    def ntuples(self) -> int:
        return len(self.rows)

    def get_value(self, row: int, column: int) -> Any:
        return self.rows[row][column]
