"""What handlers ask for: who is acting, a transaction of theirs, and the permission that the route declares.

A request comes by session cookie or by ``Authorization: Bearer`` API token. Changes by cookie must carry the session's
CSRF token, in the header ``X-CSRF-Token`` or the form field ``csrf_token``. Every route declares one of
``permission(…)``, ``signed_in`` and ``anyone``; a test walks all routes and refuses one that declares nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from fastapi import Depends, Request, Security
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import event, orm
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from api import hands
from api.base import listing
from api.base.errors import CsrfFailed, NotSignedIn, PasswordGiven
from api.base.request import session_cookie
from data import accounts
from data.base import access, secrets
from data.base.access import Actor
from data.base.language import _

_Made = TypeVar("_Made")
Transactions = Callable[[Actor], AbstractContextManager[orm.Session]]
_SAFE = {"GET", "HEAD", "OPTIONS"}
#: What somebody can do whose password is still the one that another person gave.
_BEFORE_A_PASSWORD = frozenset(
    ("/password", "/signout", "/language", "/type", "/api/me", "/api/me/password", "/api/me/language", "/api/signout")
)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_bearer = HTTPBearer(auto_error=False, description="An API token, made at /tokens.")
_cookie = APIKeyCookie(name="wangge_session", auto_error=False, description="The session that POST /api/signin opens.")


@dataclass(frozen=True)
class _Known:
    """An actor who was looked up, and until when the answer is used again."""

    actor: Actor
    until: float


class Actors:
    """Actors by the hash of their token, remembered for a few seconds so that a map's tiles do not each look them up.

    ``forget`` clears it at once when somebody signs out or a grant changes in this process; another process follows
    within ``SECONDS``.
    """

    SECONDS = 5.0
    _MANY = 10_000

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}

    def get(self, token_hash: bytes) -> Actor | None:
        """The actor of a token, if looked up a moment ago."""
        known = self._known.get(token_hash)
        return known.actor if known and known.until > time.monotonic() else None

    def put(self, token_hash: bytes, actor: Actor) -> None:
        """Remember the actor of a token."""
        if len(self._known) >= self._MANY:
            self._known.clear()
        self._known[token_hash] = _Known(actor, time.monotonic() + self.SECONDS)

    def forget(self) -> None:
        """Look everybody up again."""
        self._known.clear()


def forget_actors(request: Request, session: orm.Session) -> None:
    """Look everybody up again once this transaction has committed."""
    event.listen(session, "after_commit", lambda _session: request.app.state.actors.forget(), once=True)


def transactions(request: Request) -> Transactions:
    """How this application opens a transaction for an actor."""
    opened: Transactions = request.app.state.transaction
    return opened


def session_token(request: Request) -> str | None:
    """The session's token out of the cookie."""
    return request.cookies.get(session_cookie(request.app.state.settings)) or None


def csrf_token(request: Request) -> str:
    """The CSRF token of this session: made from the session's token, so that it need not be stored."""
    token = session_token(request)
    return csrf_of(token) if token else ""


def csrf_of(token: str) -> str:
    """The CSRF token of the session with this token."""
    return secrets.blind(f"csrf {token}").hex()


async def from_our_page(request: Request) -> None:
    """Refuse a change that another site's page asked a browser for.

    With a session the CSRF token must be there; without one (signing in) the browser's own word on where the request
    comes from is enough.
    """
    if request.method in _SAFE or "authorization" in request.headers:
        return
    came_from = request.headers.get("origin")
    if request.headers.get("sec-fetch-site") in ("cross-site", "same-site") or (
        came_from and came_from != "null" and urlsplit(came_from).netloc != request.headers.get("host")
    ):
        raise CsrfFailed(_("This was asked for from another site. Open the page again and repeat it there."))


MOST_FIELDS = 1000
LONGEST_FIELD = 200_000
"""Bytes of a field of a form that is no file."""


async def form(request: Request) -> FormData:
    """The form that was sent, with as many files as its route takes (``api.base.bodies``)."""
    files = getattr(request.state, "files", 0)
    return await request.form(max_files=files, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD)


async def signed_in_actor(request: Request) -> Actor:
    """Who is acting, by the head of a request alone: nothing of its body is read, so no form's token is looked at.

    Raises
    ------
    NotSignedIn
    """
    scheme, _space, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return await _actor_of(request, token.strip(), accounts.by_token)
    if (token_of_session := session_token(request)) is not None:
        return await _actor_of(request, token_of_session, accounts.by_session)
    raise NotSignedIn(_("Sign in first."))


async def current_actor(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    _session: Annotated[str | None, Security(_cookie)],
) -> Actor:
    """Who is acting.

    Raises
    ------
    NotSignedIn
        There is no session or token, or it is not good any more.
    CsrfFailed
        A change by cookie without the session's CSRF token.
    """
    if bearer is not None:
        token, find = bearer.credentials, accounts.by_token
    elif (found := session_token(request)) is not None:
        token, find = found, accounts.by_session
        await from_our_page(request)
        await _check_csrf(request)
    else:
        raise NotSignedIn(_("Sign in first."))
    actor = await _actor_of(request, token, find)
    request.state.actor = actor
    return replace(actor, request_id=request.state.request_id)


async def _actor_of(request: Request, token: str, find: Callable[[orm.Session, str], accounts.Account | None]) -> Actor:
    actors: Actors = request.app.state.actors
    key = secrets.token_hash(token)
    actor = actors.get(key)
    if actor is None:
        actor = await run_in_threadpool(_look_up, transactions(request), find, token)
        actors.put(key, actor)
    if actor.password_given and request.url.path not in _BEFORE_A_PASSWORD:
        raise PasswordGiven(_("The password was given by somebody else. Choose another one first, at /password."))
    return actor


async def _check_csrf(request: Request) -> None:
    if request.method in _SAFE:
        return
    given = request.headers.get("x-csrf-token")
    if given is None and request.headers.get("content-type", "").startswith(_FORMS):
        given = str((await form(request)).get("csrf_token", ""))
    if not hmac.compare_digest((given or "").encode(), csrf_token(request).encode()):
        raise CsrfFailed(
            _("The page has been open for too long. Load it again and repeat.")
            if given
            else _("A change needs the header X-CSRF-Token of the session, or the form field csrf_token.")
        )


def _look_up(
    transaction: Transactions, find: Callable[[orm.Session, str], accounts.Account | None], token: str
) -> Actor:
    with transaction(access.SYSTEM) as session:
        account = find(session, token)
        if account is None:
            raise NotSignedIn(_("The session has ended. Sign in again."))
        if find is accounts.by_session:
            accounts.prolong(session, token)
        return accounts.actor(session, account, by_token=find is accounts.by_token)


def permission(*codes: str) -> Any:
    """The dependency that declares what a route needs, and hands the actor to the handler.

    It refuses those who have a permission nowhere. Where it holds is up to ``access.visible`` and ``access.require``.
    """

    async def allowed(actor: Annotated[Actor, Depends(current_actor)]) -> Actor:
        for code in codes:
            access.require(actor, code)
        return actor

    allowed.declares = codes  # type: ignore[attr-defined]
    return Depends(allowed)


async def _signed_in(actor: Annotated[Actor, Depends(current_actor)]) -> Actor:
    return actor


async def _anyone(request: Request) -> Actor:
    await from_our_page(request)
    return access.VISITOR


_signed_in.declares = ()  # type: ignore[attr-defined]
_anyone.declares = None  # type: ignore[attr-defined]

#: The route is for everybody who is signed in, whatever their permissions.
signed_in = Depends(_signed_in)
#: The route is for everybody, also without signing in.
anyone = Depends(_anyone)

SignedIn = Annotated[Actor, signed_in]


#: How many requests are at work in the database at a time. More would not be done sooner: they would wait for the same
#: cores, and keep the event loop waiting, which answers the map. And every thread could come to wait for a connection,
#: with none left for those who have one and would give it back.
TURNS = 12


class Turns:
    """So many at a time. Each event loop has its own: one serves the application, but in tests there are several."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def here(self) -> asyncio.Semaphore:
        """What to enter while at work."""
        return self._by_loop.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._count))


async def get_session(request: Request, actor: Annotated[Actor, Depends(current_actor)]) -> AsyncIterator[orm.Session]:
    """The transaction of this request. It commits before the answer goes out (``scope="function"``)."""
    async with request.app.state.turns.here(), contextmanager_in_threadpool(transactions(request)(actor)) as session:
        yield session


Session = Annotated[orm.Session, Depends(get_session, scope="function")]


async def briefly(request: Request, actor: Actor, work: Callable[..., _Made], *args: Any) -> _Made:
    """``work(session, actor, *args)``: a short change in a transaction of its own, committed when this returns.

    It is for what hundreds of people do at a time. Where the application has hands, one of them does it, so ``work``
    is a function of a module and ``args`` are plain values.
    """
    found: hands.Hands | None = request.app.state.hands
    if found is not None:
        return await found.do(actor, work, *args)

    def run() -> _Made:
        with transactions(request)(actor) as session:
            return work(session, actor, *args)

    async with request.app.state.turns.here():
        return await run_in_threadpool(run)


async def no_parameters(request: Request) -> None:
    """Refuse any parameter of a route that takes none; one that takes some says so by ``listing.Parameters``."""
    if request.scope["query_string"] and not request.scope["route"].dependant.query_params:
        listing.Parameters.model_validate(dict(request.query_params))
