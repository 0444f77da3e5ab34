"""Vector tiles over HTTP: ``/tiles/{layer}/{z}/{x}/{y}.mvt``.

A map asks for dozens of tiles at once, so this is the one path that is async and served by hand: the routes are
declared like any other (permission, parameters, the API document), but ``TileRoute`` answers them without FastAPI's
solving of dependencies, which costs more than a kept tile does.

A tile that has to be drawn takes one connection and three messages: one that opens a transaction as the application's
role with the actor's areas (``SET LOCAL``, so that nothing of one actor is left on the connection for the next), the
statement of ``maps.tiles``, and the end. Drawn tiles are kept, compressed, by all that decides what is in them: layer,
place, filters, and the areas of the actor (two who may see the same share a tile). ``data.base.changes`` says when one
is old. Browsers keep tiles too, but ask each time (``no-cache``): the ``ETag`` is that of the content, so a tile that a
write did not touch is not sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

import asyncpg
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams

from api import deps, listing
from api.fields import Code
from data import incidents
from data.base import access, changes, db
from data.base.access import Actor, Area
from data.base.errors import Busy, Invalid, NotFound
from data.base.language import _
from data.incidents import State
from maps import tiles
from maps.tiles import Layer, Plan, Tile, Wanted

MVT = "application/vnd.mapbox-vector-tile"
#: As many as the cores of a small machine can draw at the same time; more would only wait inside PostgreSQL.
CONNECTIONS = 6
_DRAWING_S = 30.0
_IN_A_THREAD = 32_768
_LEVEL = 3  # three tenths of the size at a quarter of the time that level 6 takes
_OVERHEAD = 600  # bytes that a kept tile takes besides its content


class Asked(BaseModel):
    """What every tile can be asked for."""

    model_config = ConfigDict(extra="forbid")

    community: Code | None = Field(None, description="Only of the community with this code.")
    v: str | None = Field(None, max_length=64, description="Not looked at: it makes an address new for a browser.")
    lang: str | None = Field(None, max_length=8, description="The language of an error.")

    def wanted(self) -> Wanted:
        """The same for ``maps.tiles``."""
        return Wanted(community=self.community)


class AskedGrids(Asked):
    """What a tile of grids can be asked for."""

    figure: Literal["households", "residents", "special_households", "open_incidents"] | None = Field(
        None, description="The figure that each grid carries, for those who may see it."
    )

    def wanted(self) -> Wanted:
        """The same for ``maps.tiles``."""
        return Wanted(community=self.community, figure=self.figure)


class AskedIncidents(Asked):
    """What a tile of incidents can be asked for: the filters of the list."""

    state: str | None = Field(None, max_length=200, description="Only in these states: codes with commas, or `none`.")
    category: str | None = Field(
        None,
        max_length=4000,
        description="Only of these categories and those below them: codes with commas, or `none`.",
    )
    first: listing.From = Field(None, alias="from")
    last: listing.To = Field(None, alias="to")

    def wanted(self) -> Wanted:
        """The same for ``maps.tiles``."""
        chosen = incidents.Filter(
            states=listing.choices(self.state, [*State], "state"),
            categories=listing.choices(self.category, None, "category"),
            first=self.first,
            last=self.last,
        )
        return Wanted(community=self.community, incidents=chosen)


class TileRoute(APIRoute):
    """A route whose endpoint only declares; ``answer`` does the work."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of requests."""
        layer = tiles.LAYERS[self.path.split("/")[2]]
        asked = self.endpoint.__annotations__["asked"].__origin__
        read = lru_cache(maxsize=4096)(lambda query: _read(asked, query))

        async def handle(request: Request) -> Response:
            return await answer(request, layer, read(request.scope["query_string"]))

        return handle


def _read(asked: type[Asked], query: bytes) -> Wanted:
    """What a query string asks for; empty parameters count as left out, as in the lists."""
    values = {name: value for name, value in QueryParams(query).items() if value}
    try:
        return asked.model_validate(values).wanted()
    except ValidationError as error:
        faults = [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from error


async def answer(request: Request, layer: Layer, wanted: Wanted) -> Response:
    """One tile for whoever asks.

    Raises
    ------
    NotSignedIn, Forbidden
    Invalid
        The address is not of whole numbers.
    NotFound
        There is no tile at this place.
    """
    tile = _tile(request.path_params)
    scheme, _space, credentials = request.headers.get("authorization", "").partition(" ")
    bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials) if credentials else None
    actor = await deps.current_actor(request, bearer, None)
    access.require(actor, layer.permission)
    found = await _source(request).tile(actor, layer, tile, wanted)
    headers = {"ETag": found.etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding, Cookie"}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if not found.content:
        return Response(status_code=204, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.content, headers=headers, media_type=MVT)
    return Response(zlib.decompress(found.content, 31), headers=headers, media_type=MVT)


def _tile(parts: Mapping[str, str]) -> Tile:
    try:
        z, x, y = (int(parts[name]) if parts[name].isascii() else -1 for name in ("z", "x", "y"))
    except ValueError as error:
        raise Invalid(_("A tile is named by zoom, column and row, such as 16/54868/26743.")) from error
    if not 0 <= z <= tiles.ZOOM_MAX or not 0 <= x < 2**z or not 0 <= y < 2**z:
        raise NotFound(_("There is no tile {place}.", place="/".join(parts.values())))
    return z, x, y


# Drawing and keeping


@dataclass(frozen=True)
class Drawn:
    """A tile: its compressed content, empty for nothing, and its tag."""

    content: bytes
    etag: str

    @classmethod
    def of(cls, content: bytes) -> Drawn:
        """The tile with this content, compressed."""
        packed = zlib.compress(content, _LEVEL, 31) if content else b""
        return cls(packed, f'W/"{hashlib.blake2b(content, digest_size=9).hexdigest()}"')


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
    """An actor to the database: the message that opens their transaction. Made once for the areas of an actor."""

    permissions: Mapping[str, Area]
    opening: str

    @classmethod
    def of(cls, actor: Actor) -> _Scope:
        """The scope of an actor."""
        opening = "BEGIN READ ONLY; "
        if not actor.is_system:
            # Only digits, commas and the asterisk come from the areas, so they need no quoting.
            settings = [f"set_config('wangge.{name}', '{ids}', true)" for name, ids in actor.areas().items()]
            opening += f"SET LOCAL ROLE {db.APP_ROLE}; SELECT {', '.join(settings)}"
        return cls(actor.permissions, opening)


class Source:
    """Draws tiles over a pool of connections and keeps them.

    Parameters
    ----------
    pool
        Connections to the database as its owner; each tile changes to the application's role for its transaction.
    limit
        Bytes of memory for kept tiles.
    """

    def __init__(self, pool: asyncpg.Pool, limit: int) -> None:
        self._pool = pool
        self._kept = Kept(limit)
        self._scopes: dict[int | None, _Scope] = {}
        self._plans: dict[Hashable, Plan] = {}
        self._drawing: dict[Hashable, asyncio.Task[Any]] = {}

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

    async def _draw(self, actor: Actor, layer: Layer, tile: Tile, wanted: Wanted) -> tuple[Drawn, int]:
        given: dict[str, Any] = tiles.place(layer, tile)
        if wanted.figure:
            given |= await self._figures(actor, layer, wanted)
        key = (layer.name, tile[0], wanted, layer.areas(actor, wanted))
        plan = self._plan(key, lambda: layer.statement(tile[0], actor, wanted))
        content = (await self._run(actor, plan, given))[0][0] or b""
        if len(content) > _IN_A_THREAD:
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
            counted = tiles.figured(await self._run(actor, plan, {}))
            return counted, 16 * len(counted["figure_grids"]) + _OVERHEAD

        found: dict[str, Any] | None = self._kept.get(key, version)
        return found or await self._once(key, version, count)

    async def _once(self, key: Hashable, version: int | None, draw: Callable[[], Any]) -> Any:
        """Draw and keep; those who ask for the same meanwhile wait for the same."""
        if version is None:
            return (await draw())[0]
        task = self._drawing.get((key, version))
        if task is None:

            async def work() -> Any:
                try:
                    drawn, size = await draw()
                    self._kept.put(key, version, drawn, size)
                    return drawn
                finally:
                    del self._drawing[key, version]

            task = self._drawing[key, version] = asyncio.create_task(work())
        return await asyncio.shield(task)

    def _plan(self, key: Hashable, statement: Callable[[], Any]) -> Plan:
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) > 2000:
                self._plans.clear()
            plan = self._plans[key] = Plan.of(statement())
        return plan

    def _scope(self, actor: Actor) -> _Scope:
        scope = self._scopes.get(actor.account_id)
        if scope is None or scope.permissions is not actor.permissions:
            if len(self._scopes) > 2000:
                self._scopes.clear()
            scope = self._scopes[actor.account_id] = _Scope.of(actor)
        return scope

    async def _run(self, actor: Actor, plan: Plan, given: Mapping[str, Any]) -> Any:
        """The rows of a statement in a transaction of the actor's."""
        opening, arguments = self._scope(actor).opening, plan.arguments(given)
        try:
            async with self._pool.acquire(timeout=_DRAWING_S) as connection:
                try:
                    await connection.execute(opening)
                    rows = await connection.fetch(plan.sql, *arguments, timeout=_DRAWING_S)
                    await connection.execute("COMMIT")
                except BaseException:
                    connection.terminate()  # whatever state it is in, nobody gets it again
                    raise
                return rows
        except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            raise Busy(_("The map cannot be drawn at the moment. Try again.")) from error


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


def _source(request: Request) -> Source | Plainly:
    found: Source | None = getattr(request.app.state, "tiles", None)
    return found or Plainly(deps.transactions(request))


@asynccontextmanager
async def serving(dsn: str, cache_mb: int) -> AsyncIterator[Source]:
    """A source of tiles that hears of writes, for as long as the application runs."""

    async def stays_as_it_is(_connection: object) -> None:
        """Nothing outlives a transaction of ours, so asyncpg need not reset what comes back."""

    pool = asyncpg.create_pool(dsn, min_size=0, max_size=CONNECTIONS, reset=stays_as_it_is)
    async with pool:
        follower = asyncio.create_task(changes.follow(dsn))
        try:
            yield Source(pool, cache_mb * 1_000_000)
        finally:
            follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await follower


# Routes

api = APIRouter(route_class=TileRoute, tags=["tiles"])
_Zoom = Annotated[int, Path(ge=0, le=tiles.ZOOM_MAX, description="Zoom.", examples=[16])]
_Column = Annotated[int, Path(ge=0, description="Column, from the west.", examples=[54868])]
_Row = Annotated[int, Path(ge=0, description="Row, from the north.", examples=[26743])]


def _declare(layer: Layer, asked_for: type[Asked]) -> None:
    async def tile(z: _Zoom, x: _Column, y: _Row, asked: Any, actor: Any) -> Response:
        raise NotImplementedError  # TileRoute answers

    tile.__name__ = f"{layer.name}_tile"
    tile.__doc__ = f"A vector tile of {layer.name} (MVT 2.1), as far as the actor may see them; 204 when it is empty."
    tile.__annotations__ |= {
        "asked": Annotated[asked_for, Query()],
        "actor": Annotated[Actor, deps.permission(layer.permission)],
    }
    content = {MVT: {"schema": {"type": "string", "format": "binary"}}}
    api.add_api_route(
        f"/tiles/{layer.name}/{{z}}/{{x}}/{{y}}.mvt",
        tile,
        response_class=Response,
        responses={
            200: {"description": "The tile.", "content": content},
            204: {"description": "There is nothing in it."},
            304: {"description": "It is as it was under the `If-None-Match` that was sent."},
        },
    )


_ASKED: dict[str, type[Asked]] = {"grids": AskedGrids, "incidents": AskedIncidents}
for _layer in tiles.LAYERS.values():
    _declare(_layer, _ASKED.get(_layer.name, Asked))
