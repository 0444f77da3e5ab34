"""Where tiles come from: drawn by the database behind the actor's walls, and kept until a write.

A tile that has to be drawn is read in a transaction as the application's role with the actor's areas, set for that
transaction only, so that nothing of one actor is left on a connection for the next. Drawn tiles are kept, compressed,
by all that decides what is in them: layer, place, filters, and the areas of the actor, so that two who may see the same
share a tile. ``data.base.changes`` says when one is old.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.pq.abc import PGresult
from starlette.concurrency import run_in_threadpool

from api.base import deps
from api.tiles.connections import TIMEOUT_MS, Connections, ReadFailed, Statement, text
from data.base import changes, db
from data.base.access import Actor, Area
from data.base.errors import Busy
from data.base.language import _
from maps import tiles
from maps.tiles import Layer, Plan, Tile, Wanted

MVT = "application/vnd.mapbox-vector-tile"
#: As many as the cores of a small machine can draw at the same time; more would only wait inside PostgreSQL.
CONNECTIONS = 6
#: From this size on a tile is compressed better, and in a thread.
_LARGE = 65_536
_LEVEL, _LEVEL_LARGE = 1, 4
_OVERHEAD = 600  # bytes that a kept tile takes besides its content

log = logging.getLogger("wangge.tiles")


@dataclass(frozen=True)
class Drawn:
    """A tile: its compressed content, empty for nothing, its tag and what is said with it."""

    content: bytes
    etag: str
    headers: list[tuple[bytes, bytes]]

    @classmethod
    def of(cls, content: bytes) -> Drawn:
        """The tile with this content, compressed."""
        packed = zlib.compress(content, _LEVEL if len(content) < _LARGE else _LEVEL_LARGE, 31) if content else b""
        etag = f'W/"{hashlib.blake2b(content, digest_size=9).hexdigest()}"'
        headers = [
            (b"etag", etag.encode()),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"Accept-Encoding, Cookie, Authorization"),
            (b"x-content-type-options", b"nosniff"),
        ]
        return cls(packed, etag, headers)

    def reply(self, encodings: str, known: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body for somebody who understands ``encodings`` and has the tags ``known``."""
        if self.etag in known:
            return 304, self.headers, b""
        if not self.content:
            return 204, self.headers, b""
        headers, body = [*self.headers, (b"content-type", MVT.encode())], self.content
        if "gzip" in encodings:
            headers.append((b"content-encoding", b"gzip"))
        else:
            body = zlib.decompress(body, 31)
        return 200, [*headers, (b"content-length", b"%d" % len(body))], body


NOTHING = Drawn.of(b"")


@dataclass(frozen=True)
class _Kept:
    drawn: Any
    size: int
    version: int
    until: float


class Kept:
    """What was drawn, the least recently used forgotten first when it grows over ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    def get(self, key: Hashable, version: int | None) -> Any:
        """What was kept under ``key``, if it is of this version and not too old."""
        found = self._kept.get(key)
        if found is None or version != found.version or found.until < time.monotonic():
            return None
        self._kept.move_to_end(key)
        return found.drawn

    def put(self, key: Hashable, version: int | None, drawn: Any, size: int) -> None:
        """Keep what was drawn from the tables as they were at ``version``."""
        if version is None or size > self.limit:
            return
        if old := self._kept.pop(key, None):
            self.size -= old.size
        self._kept[key] = _Kept(drawn, size, version, time.monotonic() + changes.KEEP_S)
        self.size += size
        while self.size > self.limit:
            self.size -= self._kept.popitem(last=False)[1].size


@dataclass(frozen=True)
class _Scope:
    """An actor to the database: the statement that takes their areas. Made once for the permissions of an actor."""

    permissions: Mapping[str, Area]
    statements: tuple[Statement, ...]

    @classmethod
    def of(cls, actor: Actor, *, uneven: bool) -> _Scope:
        """The scope of an actor: what ``db.enter`` sets, how long a statement may take, and how it is planned."""
        taken: dict[str, Any] = {"statement_timeout": TIMEOUT_MS}
        if uneven:
            taken["plan_cache_mode"] = "force_custom_plan"
        if not actor.is_system:
            taken |= {"role": db.APP_ROLE} | {f"wangge.{name}": ids for name, ids in actor.areas().items()}
        calls = [f"set_config('{name}', ${place}, true)" for place, name in enumerate(taken, 1)]
        return cls(actor.permissions, ((f"SELECT {', '.join(calls)}", tuple(map(text, taken.values()))),))


class Source:
    """Draws tiles over a pool of connections and keeps them.

    Parameters
    ----------
    dsn
        The database, as requests log in to it; each reading takes the application's role for its transaction.
    limit
        Bytes of memory for kept tiles.
    """

    def __init__(self, dsn: str, limit: int) -> None:
        self._connections = Connections(dsn, CONNECTIONS)
        self._kept = Kept(limit)
        self._scopes: dict[tuple[int | None, bool], _Scope] = {}
        self._plans: dict[Hashable, Plan] = {}
        self._drawing: dict[Hashable, asyncio.Future[Any]] = {}

    async def tile(self, actor: Actor, layer: Layer, tile: Tile, wanted: Wanted) -> Drawn:
        """One tile as ``actor`` may see it.

        Raises
        ------
        Busy
            The database cannot be reached, or takes too long.
        """
        if tile[0] < layer.zoom_from:
            return NOTHING
        areas = layer.areas(actor, wanted)
        key = (layer.name, tile, wanted, areas)
        version = changes.version(layer.made_from(wanted), _communities(areas))
        found: Drawn | None = self._kept.get(key, version)
        if found is None:
            found = await self._once(key, version, lambda: self._draw(actor, layer, tile, wanted))
        return found

    async def counts(self, actor: Actor, wanted: Wanted) -> list[int]:
        """The figure asked for, of every grid of which ``actor`` may know it.

        Raises
        ------
        Busy
        """
        found: list[int] = (await self._figures(actor, tiles.LAYERS["grids"], wanted))["figure_counts"]
        return found

    async def _draw(self, actor: Actor, layer: Layer, tile: Tile, wanted: Wanted) -> tuple[Drawn, int]:
        given: dict[str, Any] = tiles.place(layer, tile)
        if wanted.figure:
            given |= await self._figures(actor, layer, wanted)
        key = (layer.name, tile[0], wanted, layer.areas(actor, wanted))
        plan = self._plan(key, lambda: layer.statement(tile[0], actor, wanted))
        content = (await self._read(actor, plan, given, uneven=tile[0] < layer.uneven_below)).get_value(0, 0) or b""
        if len(content) >= _LARGE:
            drawn = await asyncio.to_thread(Drawn.of, content)
        else:
            drawn = Drawn.of(content)
        return drawn, len(drawn.content) + _OVERHEAD

    async def _figures(self, actor: Actor, layer: Layer, wanted: Wanted) -> dict[str, Any]:
        """The counts of a figure for all grids: one reading for all tiles of a view."""
        areas = layer.areas(actor, wanted)
        key = ("figure", wanted, areas)
        version = changes.version(layer.made_from(wanted), _communities(areas))

        async def count() -> tuple[dict[str, Any], int]:
            plan = self._plan(key, lambda: tiles.counts(actor, wanted))
            found = await self._read(tiles.counter(actor, wanted), plan, {})
            numbers = (
                [int.from_bytes(found.get_value(row, side) or b"") for side in (0, 1)] for row in range(found.ntuples)
            )
            counted = tiles.figured((count, grid_id) for count, grid_id in numbers)
            return counted, 16 * len(counted["figure_grids"]) + _OVERHEAD

        found: dict[str, Any] | None = self._kept.get(key, version)
        return found or await self._once(key, version, count)

    async def _once(self, key: Hashable, version: int | None, draw: Callable[[], Awaitable[tuple[Any, int]]]) -> Any:
        """Draw and keep; those who ask for the same meanwhile wait for the same."""
        if version is None:
            return (await draw())[0]
        if (key, version) in self._drawing:
            return await asyncio.shield(self._drawing[key, version])
        drawing = self._drawing[key, version] = asyncio.get_running_loop().create_future()
        try:
            drawn, size = await draw()
        except BaseException as error:
            drawing.set_exception(error if isinstance(error, Busy) else _busy())
            drawing.exception()  # nobody may be waiting for it
            raise
        finally:
            del self._drawing[key, version]
        drawing.set_result(drawn)
        self._kept.put(key, version, drawn, size)
        return drawn

    def _plan(self, key: Hashable, statement: Callable[[], Any]) -> Plan:
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) > 2000:
                self._plans.clear()
            plan = self._plans[key] = Plan.of(statement(), text)
        return plan

    def _scope(self, actor: Actor, *, uneven: bool) -> _Scope:
        scope = self._scopes.get((actor.account_id, uneven))
        if scope is None or scope.permissions is not actor.permissions:
            if len(self._scopes) > 2000:
                self._scopes.clear()
            scope = self._scopes[actor.account_id, uneven] = _Scope.of(actor, uneven=uneven)
        return scope

    async def _read(self, actor: Actor, plan: Plan, given: Mapping[str, Any], *, uneven: bool = False) -> PGresult:
        """The rows of a statement, read as the actor."""
        statement = plan.sql, plan.arguments({name: text(value) for name, value in given.items()})
        try:
            return await self._connections.read((*self._scope(actor, uneven=uneven).statements, statement))
        except ReadFailed as error:
            log.warning("No tile was drawn: %s", error)
            raise _busy() from error

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


def _busy() -> Busy:
    return Busy(_("The map cannot be drawn at the moment. Try again."))


def _communities(areas: tuple[Area, ...]) -> frozenset[int] | None:
    """The units whose writes can matter to somebody with these areas; ``None`` for any."""
    if any(area.everywhere for area in areas):
        return None
    return frozenset().union(*(area.communities | (area.units - area.grids) for area in areas))


class Plainly:
    """Draws each tile in an ordinary transaction of the application, and keeps none: for tests on a transaction."""

    def __init__(self, transaction: deps.Transactions) -> None:
        self._transaction = transaction

    async def tile(self, actor: Actor, layer: Layer, tile: Tile, wanted: Wanted) -> Drawn:
        """One tile as ``actor`` may see it."""

        def draw() -> bytes:
            with self._transaction(actor) as session:
                return tiles.draw(session, actor, layer, tile, wanted)

        return Drawn.of(await run_in_threadpool(draw))

    async def counts(self, actor: Actor, wanted: Wanted) -> list[int]:
        """The figure asked for, of every grid of which ``actor`` may know it."""

        def count() -> list[int]:
            with self._transaction(actor) as session:
                return tiles.count(session, actor, wanted)

        return await run_in_threadpool(count)
