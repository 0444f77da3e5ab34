"""What surrounds every request: its id, its language, its headers, its line in the log, and the last resort.

The log has one line a request: method, path, status, duration, request id and account id. Query strings, bodies,
addresses and tokens never get into it. An exception that nobody expected becomes a neutral 500 with the request id,
under which its traceback stands in the log.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import ClientDisconnect, Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from data.base import language, surfaces
from data.base.settings import Settings
from maps import basemaps

LANGUAGE_COOKIE = "wangge_language"
YEAR_S = 365 * 24 * 3600
#: What is fetched by a page and is no page.
_NO_PAGES = ("/api/", "/tiles/", "/static/")

log = logging.getLogger("wangge.access")
faults = logging.getLogger("wangge.faults")


def session_cookie(settings: Settings) -> str:
    """The name of the session cookie. Cookies know no ports, so installations side by side need names of their own."""
    return f"wangge_session_{settings.port}"


def keep_language(headers: MutableHeaders, chosen: str) -> None:
    """Add the cookie that keeps a language for the pages to come."""
    cookie = f"{LANGUAGE_COOKIE}={chosen}; HttpOnly; Max-Age={YEAR_S}; Path=/; SameSite=lax"
    headers.append("set-cookie", cookie)


class Surroundings:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.pictures = picture_sources(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_s = time.perf_counter()
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        state["request_id"], state["nonce"] = secrets.token_hex(8), secrets.token_urlsafe(16)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                self._add_headers(headers, state)
                if asked and asked != kept and not scope["path"].startswith(_NO_PAGES):
                    keep_language(headers, asked)
            await send(message)

        asked, kept = _asked_language(scope), _kept_language(scope)
        program = scope["path"].startswith("/api/")
        surface = surfaces.Surface.PROGRAM if program else surfaces.Surface.PAGE
        with language.using(asked or kept or self._language(scope)), surfaces.using(surface):
            try:
                await self.app(scope, receive, send_with_headers)
            except ClientDisconnect:
                status = status or 499
            except Exception:
                faults.exception("Request %s failed", state["request_id"])
                if status:
                    raise
                answer = await errors.unknown(Request(scope, receive))
                await answer(scope, receive, send_with_headers)
            finally:
                log.info(
                    "%s %s %s %.0fms %s account=%s",
                    scope["method"], _told(scope["path"]), status, 1000 * (time.perf_counter() - started_s),
                    state["request_id"], state["actor"].account_id if "actor" in state else "-",
                )  # fmt: skip

    def _language(self, scope: Scope) -> str:
        """The language where neither the address nor a cookie says one: what a program says it accepts, else ours.

        A browser's Accept-Language says which language the browser was installed in, not which one the office works
        in, so it counts only for programs: on the API, without a session.
        """
        headers = Headers(scope=scope)
        if scope["path"].startswith("/api/") and session_cookie(self.settings) not in _cookies(scope):
            for part in headers.get("accept-language", "").split(","):
                if (tag := part.strip()[:2].lower()) in language.LANGUAGES:
                    return tag
        return self.settings.language

    def _add_headers(self, headers: MutableHeaders, state: MutableMapping[str, Any]) -> None:
        headers["X-Request-ID"] = state["request_id"]
        headers["X-Content-Type-Options"] = "nosniff"
        headers.setdefault("Referrer-Policy", "same-origin")
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "geolocation=(self), camera=(), microphone=()"
        headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' 'nonce-{state['nonce']}'; style-src 'self'; "
            f"img-src 'self' data: blob:{self.pictures}; object-src 'none'; base-uri 'none'; form-action 'self'; "
            f"frame-ancestors {_framers(state)}"
        )
        headers.setdefault("Content-Language", language.current())
        headers.setdefault("Cache-Control", "private, no-store")


def _asked_language(scope: Scope) -> str | None:
    """The language that the address asks for; a page then keeps it, so that what it leads to speaks it too."""
    asked = QueryParams(scope["query_string"]).get("lang")
    return asked if asked in language.LANGUAGES else None


def _kept_language(scope: Scope) -> str | None:
    kept = _cookies(scope).get(LANGUAGE_COOKIE)
    return kept if kept in language.LANGUAGES else None


def _cookies(scope: Scope) -> dict[str, str]:
    return cookie_parser(Headers(scope=scope).get("cookie", ""))


def picture_sources(settings: Settings) -> str:
    """Where the base map's pictures come from, for the security policy: empty, or sources with a leading space."""
    basemap = basemaps.choose(settings.basemap, tianditu_key=settings.tianditu_key)
    return "".join(f" {host}" for host in basemap.hosts if host != "://")


def _framers(state: MutableMapping[str, Any]) -> str:
    """Whose pages may show this one inside: our own; anybody's when the handler set ``framed``."""
    return "*" if state.get("framed") else "'self'"


def _told(path: str) -> str:
    """A path as the log has it: what opens a view or the progress of a report by itself is a secret."""
    start = next((one for one in ("/v/", "/track/") if path.startswith(one)), None)
    return f"{start}…" if start else path
