"""Connections that read with as few messages as there can be: libpq's pipeline on the event loop.

A tile is four statements: begin, take the actor's scope (``SET LOCAL``), read, commit. Sent one after the other they
wake the server and us four times, which costs more than reading a small tile; here they leave in one write and come
back in one or two reads. Statements are prepared when a connection first meets them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo

#: A connection that has prepared this many statements is replaced.
_STATEMENTS_MAX = 100
TIMEOUT_MS = 30_000
_FINE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)

#: A statement with ``$1`` … and its arguments as ``text`` gives them.
Statement = tuple[str, Sequence[bytes | None]]
_BEGIN: Statement = ("BEGIN READ ONLY", ())
_COMMIT: Statement = ("COMMIT", ())


class ReadFailed(Exception):
    """The database refused a statement, or cannot be reached."""


class ConnectionLost(ReadFailed):
    """The connection ended before its answer came."""


def text(value: Any) -> bytes | None:
    """A value as PostgreSQL reads it.

    >>> text(1.5), text(True), text([1, 2]), text(None)
    (b'1.5', b't', b'{1,2}', None)
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, list):
        return b"{%s}" % b",".join(text(item) or b"NULL" for item in value)
    if isinstance(value, datetime):
        return value.isoformat().encode()
    return str(value).encode()


class Connection:
    """One connection in pipeline mode. Used by one task at a time; after a failure it is not used again."""

    def __init__(self, libpq: pq.abc.PGconn) -> None:
        self._libpq = libpq
        self._loop = asyncio.get_running_loop()
        self._prepared: dict[str, bytes] = {}
        self._results: list[pq.abc.PGresult] = []
        self._answer: asyncio.Future[list[pq.abc.PGresult]] | None = None
        self._socket = libpq.socket
        libpq.nonblocking = 1
        libpq.enter_pipeline_mode()
        self._loop.add_reader(self._socket, self._receive)

    @classmethod
    async def open(cls, conninfo: bytes) -> Connection:
        """A new connection.

        Raises
        ------
        ReadFailed
            The database cannot be reached.
        """
        libpq = await asyncio.to_thread(pq.PGconn.connect, conninfo)
        if libpq.status != pq.ConnStatus.OK:
            raise ReadFailed(libpq.get_error_message())
        return cls(libpq)

    @property
    def worn(self) -> bool:
        """Whether it should be replaced."""
        return len(self._prepared) > _STATEMENTS_MAX or self._libpq.status != pq.ConnStatus.OK

    def close(self) -> None:
        """Close it, whatever it is doing."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._libpq.finish()

    async def read(self, statements: Sequence[Statement]) -> pq.abc.PGresult:
        """Run ``statements`` in a read-only transaction; gives the result of the last one, in binary.

        Raises
        ------
        ReadFailed
        """
        self._answer = self._loop.create_future()
        try:
            wanted = sum(self._send(statement) for statement in (_BEGIN, *statements)) - 1
            self._send(_COMMIT)
            self._libpq.pipeline_sync()
            self._flush()
            results = await self._answer
        except OperationalError as error:
            raise ConnectionLost(str(error)) from error
        for result in results:
            if result.status not in _FINE:
                raise ReadFailed(result.get_error_message())
        return results[wanted]

    def _send(self, statement: Statement) -> int:
        """Send a statement, prepared first if need be; tells how many results that will give."""
        sql, arguments = statement
        new = sql not in self._prepared
        name = self._prepared.setdefault(sql, b"s%d" % len(self._prepared))
        if new:
            self._libpq.send_prepare(name, sql.encode())
        self._libpq.send_query_prepared(name, arguments, result_format=pq.Format.BINARY)
        return 1 + new

    def _flush(self) -> None:
        if self._libpq.flush():  # it is more than the socket takes at once
            self._loop.add_writer(self._socket, self._flush)
        else:
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            self._libpq.consume_input()
            ended = False
            while not self._libpq.is_busy():
                result = self._libpq.get_result()
                if result is None:
                    if ended:  # one None ends a statement's results; a second one means that nothing is there
                        return
                    ended = True
                elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                    results, self._results = self._results, []
                    if self._answer and not self._answer.done():
                        self._answer.set_result(results)
                    return
                else:
                    ended = False
                    self._results.append(result)
        except OperationalError as error:
            self._loop.remove_reader(self._socket)
            if self._answer and not self._answer.done():
                self._answer.set_exception(error)


class Connections:
    """At most ``most`` connections, opened as they are needed.

    Parameters
    ----------
    dsn
        A libpq connection string.
    """

    def __init__(self, dsn: str, most: int) -> None:
        self._conninfo = make_conninfo(dsn, application_name="wangge tiles", tcp_user_timeout=TIMEOUT_MS).encode()
        self._free = asyncio.Semaphore(most)
        self._idle: list[Connection] = []

    async def read(self, statements: Sequence[Statement]) -> pq.abc.PGresult:
        """Run ``statements`` in a read-only transaction of one connection; gives the result of the last one.

        Raises
        ------
        ReadFailed
        """
        async with self._free:
            if self._idle:
                try:
                    return await self._read(self._idle.pop(), statements)
                except ConnectionLost:
                    self.close()  # the server has gone away: the others are lost too
            return await self._read(await Connection.open(self._conninfo), statements)

    async def _read(self, connection: Connection, statements: Sequence[Statement]) -> pq.abc.PGresult:
        try:
            result = await connection.read(statements)
        except BaseException:
            connection.close()  # whatever state it is in, nobody gets it again
            raise
        if connection.worn:
            connection.close()
        else:
            self._idle.append(connection)
        return result

    def close(self) -> None:
        """Close those that are idle."""
        while self._idle:
            self._idle.pop().close()
