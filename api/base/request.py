"""What surrounds every request: its id, its language, its headers, its line in the log, and the last resort.

The log has one line a request: method, path, status, duration, request id and account id. Query strings, bodies,
addresses and tokens never get into it. An exception that nobody expected becomes a neutral 500 with the request id,
under which its traceback stands in the log.
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import ClientDisconnect, Request, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.base import entrances, errors
from data.base import language, surfaces
from data.base.errors import Conflict
from data.base.language import _
from data.base.settings import Settings
from maps import basemaps

LANGUAGE_COOKIE = "wangge_language"
YEAR_S = 365 * 24 * 3600
#: What is fetched by a page and is no page.

log = logging.getLogger("wangge.access")
faults = logging.getLogger("wangge.faults")


def sender(request: Request) -> str:
    """The network address that a request is counted by.

    Behind a proxy it is the one that the proxy names, if the settings trust it (``Settings.trusted_proxies``).
    """
    return network(request.client.host if request.client else "")


def network(host: str) -> str:
    """A network address as it is counted; of IPv6 the /64, which one house or office has to itself.

    >>> network("::ffff:203.0.113.9"), network("2001:db8::1"), network("2001:db8::2%eth0")
    ('203.0.113.9', '2001:db8::/64', '2001:db8::/64')
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return str(ip_network((int(address), 64), strict=False))
        address = address.ipv4_mapped
    return str(address)


def public_address(request: Request) -> str:
    """The address under which people without an account reach the server: what links and printed codes begin with.

    Without ``Settings.public_url`` it is the one that was asked, as long as that names this machine. Any other name is
    only what somebody wrote into the request, and a link to it would lead people to whoever did.

    Raises
    ------
    Conflict
        The address that was asked is not known to be ours.
    """
    settings: Settings = request.app.state.settings
    if settings.public_url:
        return settings.public_url
    if not _is_ours(request, settings):
        raise Conflict(
            _(
                "Links and codes for others would begin with {address}, which may not be this server. Set "
                "WANGGE_PUBLIC_URL to the address under which people reach it.",
                address=f"{request.url.scheme}://{request.url.netloc[:100]}",
            )
        )
    return f"{request.url.scheme}://{request.url.netloc}"


def _is_ours(request: Request, settings: Settings) -> bool:
    """Whether the host that was asked is this machine: a loopback name, its own, or where the request came in."""
    asked = (request.url.hostname or "").rstrip(".").lower()
    with suppress(ValueError):
        if ip_address(asked).is_loopback:
            return True
    came_in, own = (request.scope.get("server") or ("",))[0], socket.gethostname().lower()
    known = {"localhost", settings.host, str(came_in), own, f"{own}.local"}
    return asked in known - {"", "0.0.0.0", "::"}  # noqa: S104 - these name no machine


def device_cookie(settings: Settings) -> str:
    """The name of the cookie by which a browser is known where somebody signed in before."""
    return f"wangge_device_{settings.port}"


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
        scope["headers"] = [_readable(name, value) for name, value in scope["headers"]]
        state["request_id"], state["nonce"] = secrets.token_hex(8), secrets.token_urlsafe(16)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                self._add_headers(headers, state)
                if status == 307:  # by the router, from an address with a slash too many
                    headers["Location"] = re.sub("^https?://[^/]*/+", "/", headers["Location"])
                if asked and asked != kept and entrances.of(scope["path"]).pages:
                    keep_language(headers, asked)
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        asked, kept = _asked_language(scope), _kept_language(scope)
        with language.using(asked or kept or self._language(scope)), surfaces.using(entrances.of(scope["path"]).reader):
            try:
                await self.app(_asking(scope), receive, send_with_headers)
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
                    scope["method"],
                    _told(scope["path"]),
                    status,
                    1000 * (time.perf_counter() - started_s),
                    state["request_id"],
                    state["actor"].account_id if "actor" in state else "-",
                )

    def _language(self, scope: Scope) -> str:
        """The language where neither the address nor a cookie says one: what a program says it accepts, else ours.

        A browser's Accept-Language says which language the browser was installed in, not which one the office works
        in, so it counts only for programs: on the API, without a session.
        """
        headers = Headers(scope=scope)
        if entrances.of(scope["path"]).accepts and session_cookie(self.settings) not in _cookies(scope):
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


def _asking(scope: Scope) -> Scope:
    """The request as routes see it: whatever can be got can be asked for its head, which is the same without a body."""
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _asked_language(scope: Scope) -> str | None:
    """The language that the address asks for; a page then keeps it, so that what it leads to speaks it too."""
    asked = QueryParams(scope["query_string"]).get("lang")
    return asked if asked in language.LANGUAGES else None


def _kept_language(scope: Scope) -> str | None:
    kept = _cookies(scope).get(LANGUAGE_COOKIE)
    return kept if kept in language.LANGUAGES else None


def _readable(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A header line as it is; of cookies only those without a backslash, which none of ours has.

    Python 3.11 takes the square of their number to undo backslashes (CVE-2024-7592): 30 kB of them, for which nobody
    has to sign in, held everybody up for a quarter of a minute.

    >>> _readable(b"cookie", rb'a=1; b="\\"\\""; c=2')
    (b'cookie', b'a=1; c=2')
    """
    if name != b"cookie" or b"\\" not in value:
        return name, value
    return name, b";".join(pair for pair in value.split(b";") if b"\\" not in pair)


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
