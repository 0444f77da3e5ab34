"""Vector tiles over HTTP: ``/tiles/{layer}/{z}/{x}/{y}.mvt``.

A map asks for dozens of tiles at once, so this is the one path that is async. The routes are declared like any other
(permission, parameters, the API document), but answered by hand: ``TileRoute`` spares a tile FastAPI's solving of
dependencies, and ``Lane``, before the application, spares one that is asked for rightly by somebody who is known all
that surrounds a request. Whatever is unusual goes the ordinary way and is told there what is wrong.

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
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams, State
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from api import deps, listing
from api.fields import Code
from api.request import session_cookie
from data import incidents
from data.base import access, changes, db, secrets
from data.base.access import Actor, Area
from data.base.errors import Busy, Invalid, NotFound, WanggeError
from data.base.language import _
from data.incidents import State as IncidentState
from maps import tiles
from maps.tiles import Layer, Plan, Tile, Wanted

MVT = "application/vnd.mapbox-vector-tile"
#: As many as the cores of a small machine can draw at the same time; more would only wait inside PostgreSQL.
CONNECTIONS = 6
_DRAWING_S = 30.0
#: From this size on a tile is compressed better, and in a thread.
_LARGE = 32_768
_LEVEL, _LEVEL_LARGE = 1, 4
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
            states=listing.choices(self.state, [*IncidentState], "state"),
            categories=listing.choices(self.category, None, "category"),
            first=self.first,
            last=self.last,
        )
        return Wanted(community=self.community, incidents=chosen)


def _read(asked: type[Asked], query: bytes) -> Wanted:
    """What a query string asks for; empty parameters count as left out, as in the lists."""
    values = {name: value for name, value in QueryParams(query).items() if value}
    try:
        return asked.model_validate(values).wanted()
    except ValidationError as error:
        faults = [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from error


_ASKED: dict[str, type[Asked]] = {"grids": AskedGrids, "incidents": AskedIncidents}


@lru_cache(maxsize=4096)
def _wanted(layer: str, query: bytes) -> Wanted:
    return _read(_ASKED.get(layer, Asked), query)


class TileRoute(APIRoute):
    """A route whose endpoint only declares; ``answer`` does the work."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of requests."""
        layer = tiles.LAYERS[self.path.split("/")[2]]

        async def handle(request: Request) -> Response:
            return await answer(request, layer)

        return handle


async def answer(request: Request, layer: Layer) -> Response:
    """One tile for whoever asks.

    Raises
    ------
    NotSignedIn, Forbidden
    Invalid
        The address is not of whole numbers, or a filter is not known.
    NotFound
        There is no tile at this place.
    """
    scheme, _space, credentials = request.headers.get("authorization", "").partition(" ")
    bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials) if credentials else None
    actor = await deps.current_actor(request, bearer, None)
    access.require(actor, layer.permission)
    tile = _tile(request.path_params)
    wanted = _wanted(layer.name, request.scope["query_string"])
    found = await _source(request).tile(actor, layer, tile, wanted)
    given = request.headers
    response = Response()
    response.status_code, response.raw_headers, response.body = found.reply(
        given.get("accept-encoding", ""), given.get("if-none-match", "")
    )
    return response


class Lane:
    """Answers tiles ahead of the application, when there is nothing to say about them.

    That is: a GET for a tile that exists, by a session or token that was looked up a moment ago, with filters that are
    right. Such requests get no line in the log.

    Parameters
    ----------
    app
        Everything else.
    state
        The application's: its settings, actors and source of tiles.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state
        self.cookie = session_cookie(state.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith("/tiles/") and scope["method"] == "GET":
            headers = dict(scope["headers"])
            if found := await self._found(scope, headers):
                status, raw_headers, body = found.reply(
                    headers.get(b"accept-encoding", b"").decode("latin-1"),
                    headers.get(b"if-none-match", b"").decode("latin-1"),
                )
                await send({"type": "http.response.start", "status": status, "headers": raw_headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)

    async def _found(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Drawn | None:
        actor = self._actor(headers)
        parts = scope["path"].split("/")
        layer = tiles.LAYERS.get(parts[2])
        if actor is None or layer is None or len(parts) != 6 or not actor.may(layer.permission):
            return None
        row, _dot, ending = parts[5].partition(".")
        if ending != "mvt":
            return None
        with contextlib.suppress(WanggeError, RequestValidationError):
            tile = _tile({"z": parts[3], "x": parts[4], "y": row})
            wanted = _wanted(layer.name, scope["query_string"])
            drawn: Drawn = await self.state.tiles.tile(actor, layer, tile, wanted)
            return drawn
        return None

    def _actor(self, headers: Mapping[bytes, bytes]) -> Actor | None:
        if b"authorization" in headers:
            scheme, _space, token = headers[b"authorization"].decode("latin-1").partition(" ")
            token = token if scheme.lower() == "bearer" else ""
        else:
            token = cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get(self.cookie, "")
        known: Actor | None = self.state.actors.get(secrets.token_hash(token)) if token else None
        return known


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
async def serving(app: Starlette, dsn: str) -> AsyncIterator[None]:
    """Let ``app`` draw from the database ``dsn``, keep what it drew, and hear of writes, for as long as it runs."""

    async def stays_as_it_is(_connection: object) -> None:
        """Nothing outlives a transaction of ours, so asyncpg need not reset what comes back."""

    pool = asyncpg.create_pool(dsn, min_size=0, max_size=CONNECTIONS, reset=stays_as_it_is)
    async with pool:
        follower = asyncio.create_task(changes.follow(dsn))
        try:
            app.state.tiles = Source(pool, app.state.settings.tile_cache_mb * 1_000_000)
            app.middleware_stack = Lane(app.middleware_stack or app.build_middleware_stack(), app.state)
            yield
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


for _layer in tiles.LAYERS.values():
    _declare(_layer, _ASKED.get(_layer.name, Asked))
