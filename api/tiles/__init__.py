"""Vector tiles over HTTP: ``/tiles/{layer}/{z}/{x}/{y}.mvt``.

A map asks for dozens of tiles at once, so this is the one path that is async. The routes are declared like any other
(permission, parameters, the API document), but answered by hand: ``TileRoute`` spares a tile FastAPI's solving of
dependencies, and ``Lane``, before the application, spares one that is asked for rightly by somebody who is known all
that surrounds a request. Whatever is unusual goes the ordinary way and is told there what is wrong.

Tiles are drawn and kept in ``source``. Browsers keep them too, but ask each time (``no-cache``): the ``ETag`` is that
of the content, so a tile that a write did not touch is not sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import QueryParams, State
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from api.base import deps, listing
from api.base.fields import Day
from api.base.request import session_cookie
from api.incidents.routes import Categories, IncidentFilters, States
from api.tiles.source import MVT, Drawn, Plainly, Source
from data.base import access, changes, secrets
from data.base.access import Actor
from data.base.errors import Invalid, NotFound, WanggeError
from data.base.language import _
from maps import symbols, tiles
from maps.tiles import Layer, Tile, Wanted

log = logging.getLogger("wangge.tiles")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
Figure = Literal["households", "residents", "special_households", "open_incidents"]


class Asked(listing.InCommunity):
    """What every tile can be asked for."""

    v: str | None = Field(None, max_length=64, description="Not looked at: it makes an address new for a browser.")
    lang: str | None = Field(None, max_length=8, description="The language of an error.")

    def wanted(self) -> Wanted:
        """The same for ``maps.tiles``."""
        return Wanted(community=self.community)


class AskedGrids(Asked):
    """What a tile of grids can be asked for."""

    figure: Figure | None = Field(None, description="The figure that each grid carries, for those who may see it.")
    on: Day | None = Field(None, description="As the boundaries were on this day; today when empty.")

    def wanted(self) -> Wanted:
        """The same for ``maps.tiles``."""
        return Wanted(community=self.community, figure=self.figure, on=self.on)


class AskedIncidents(Asked):
    """What a tile of incidents can be asked for: the filters of the list."""

    state: States = None
    category: Categories = None
    first: listing.From = None
    last: listing.To = None

    def wanted(self) -> Wanted:
        """The same for ``maps.tiles``."""
        chosen = IncidentFilters.model_construct(
            state=self.state, category=self.category, first=self.first, last=self.last
        ).wanted()
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
            if drawn := await self._drawn(scope, headers):
                status, raw_headers, body = drawn.reply(
                    headers.get(b"accept-encoding", b"").decode("latin-1"),
                    headers.get(b"if-none-match", b"").decode("latin-1"),
                )
                await send({"type": "http.response.start", "status": status, "headers": raw_headers})
                await send({"type": "http.response.body", "body": body})
                return
        await self.app(scope, receive, send)

    async def _drawn(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Drawn | None:
        actor = self._actor(headers)
        parts = scope["path"].split("/")
        layer = tiles.LAYERS.get(parts[2])
        if actor is None or layer is None or len(parts) != 6 or not actor.may(layer.permission):
            return None
        row, _dot, ending = parts[5].partition(".")
        if ending != "mvt":
            return None
        try:
            tile = _tile({"z": parts[3], "x": parts[4], "y": row})
            wanted = _wanted(layer.name, scope["query_string"])
            drawn: Drawn = await self.state.tiles.tile(actor, layer, tile, wanted)
            return drawn
        except (WanggeError, RequestValidationError):
            return None  # it will come up again, and be told, on the ordinary way
        except Exception:
            log.exception("The lane of tiles failed at %s", scope["path"])
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
    if not all(_WHOLE.fullmatch(parts[name]) for name in ("z", "x", "y")):
        raise Invalid(_("A tile is named by zoom, column and row, such as 16/54868/26743."))
    z, x, y = (int(parts[name]) for name in ("z", "x", "y"))
    if not 0 <= z <= tiles.ZOOM_MAX or not 0 <= x < 2**z or not 0 <= y < 2**z:
        raise NotFound(_("There is no tile {place}.", place=f"{z}/{x}/{y}"))
    return z, x, y


def _source(request: Request) -> Source | Plainly:
    found: Source | None = getattr(request.app.state, "tiles", None)
    return found or Plainly(deps.transactions(request))


@asynccontextmanager
async def serving(app: Starlette, dsn: str) -> AsyncIterator[None]:
    """Let ``app`` draw from the database ``dsn``, keep what it drew, and hear of writes, for as long as it runs."""
    source = Source(dsn, app.state.settings.tile_cache_mb * 1_000_000)
    follower = asyncio.create_task(changes.follow(dsn))
    app.state.tiles = source
    app.middleware_stack = Lane(app.middleware_stack or app.build_middleware_stack(), app.state)
    try:
        yield
    finally:
        follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await follower
        source.close()


# Routes

api = APIRouter(route_class=TileRoute, tags=["tiles"])
_Zoom = Annotated[int, Path(ge=0, le=tiles.ZOOM_MAX, description="Zoom.", examples=[16])]
_Column = Annotated[int, Path(ge=0, description="Column, from the west.", examples=[54868])]
_Row = Annotated[int, Path(ge=0, description="Row, from the north.", examples=[26743])]


class Limits(BaseModel):
    """Where the classes of a figure begin."""

    breaks: list[float] = Field(
        description="Round numbers, ascending; empty when all are equal.", examples=[[160, 180]]
    )


class LimitsAsked(listing.InCommunity):
    """Of which figure the limits are asked for."""

    figure: Annotated[Figure, Query(description="The figure that grids are coloured by.")]


async def figure_limits(
    request: Request,
    actor: Annotated[Actor, deps.permission("grid.read")],
    asked: Annotated[LimitsAsked, Query()],
) -> Limits:
    """The class limits of a figure, for the grids that the actor may see."""
    access.require(tiles.FIGURES[asked.figure].counter(actor), tiles.FIGURES[asked.figure].permission)
    found = await _source(request).counts(actor, Wanted(community=asked.community, figure=asked.figure))
    return Limits(breaks=symbols.round_breaks(min(found), max(found)) if found else [])


api.add_api_route("/tiles/grids/limits", figure_limits, route_class_override=APIRoute)


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
