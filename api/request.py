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

log = logging.getLogger("wangge.access")
faults = logging.getLogger("wangge.faults")


def session_cookie(settings: Settings) -> str:
    """The name of the session cookie. Cookies know no ports, so installations side by side need names of their own."""
    return f"wangge_session_{settings.port}"


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
                self._add_headers(MutableHeaders(scope=message), state)
            await send(message)

        program = scope["path"].startswith("/api/")
        surface = surfaces.Surface.PROGRAM if program else surfaces.Surface.PAGE
        with language.using(self._language(scope)), surfaces.using(surface):
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
                    scope["method"], scope["path"], status, 1000 * (time.perf_counter() - started_s),
                    state["request_id"], state["actor"].account_id if "actor" in state else "-",
                )  # fmt: skip

    def _language(self, scope: Scope) -> str:
        """``?lang=``, else the cookie, else what a program says it accepts, else the setting.

        A browser's Accept-Language says which language the browser was installed in, not which one the office works
        in, so it counts only for programs: on the API, without a session.
        """
        asked = QueryParams(scope["query_string"]).get("lang", "")
        if asked in language.LANGUAGES:
            return asked
        headers = Headers(scope=scope)
        cookies = cookie_parser(headers.get("cookie", ""))
        if cookies.get(LANGUAGE_COOKIE) in language.LANGUAGES:
            return cookies[LANGUAGE_COOKIE]
        if scope["path"].startswith("/api/") and session_cookie(self.settings) not in cookies:
            for part in headers.get("accept-language", "").split(","):
                if (tag := part.strip()[:2].lower()) in language.LANGUAGES:
                    return tag
        return self.settings.language

    def _add_headers(self, headers: MutableHeaders, state: MutableMapping[str, Any]) -> None:
        headers["X-Request-ID"] = state["request_id"]
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "geolocation=(self), camera=(), microphone=()"
        headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' 'nonce-{state['nonce']}'; style-src 'self'; "
            f"img-src 'self' data: blob:{self.pictures}; object-src 'none'; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'self'"
        )
        headers.setdefault("Content-Language", language.current())
        headers.setdefault("Cache-Control", "private, no-store")


def picture_sources(settings: Settings) -> str:
    """Where the base map's pictures come from, for the security policy: empty, or sources with a leading space."""
    basemap = basemaps.choose(settings.basemap, tianditu_key=settings.tianditu_key)
    return "".join(f" {host}" for host in basemap.hosts if host != "://")
