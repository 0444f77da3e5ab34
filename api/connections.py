"""Connections: how many there are, how long a head may be and take, all held before the application is asked.

uvicorn reads whatever comes until a head is whole, waits for it for ever, queues every request that is sent at once,
and keeps an answer for whoever does not read it. Here each has a limit. What is counted is what the parser has
swallowed without anything coming of it (a head, its address, a trailer, what stands behind the length of a piece), so
that no part of a message that somebody thinks of next has none. Bodies are held by ``api.base.bodies``.

At the limit whoever has waited longest without asking for anything makes room for whoever comes, as with browsers that
keep connections open for later; only when all are at work is somebody sent away.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.base.request import network
from data.base import language, settings
from data.base.language import _

if TYPE_CHECKING:
    from asyncio.events import TimerHandle

MOST = 2000
"""Connections in all."""
MOST_FROM_AN_ADDRESS = 256
"""Connections from one address, which may be an office behind a router; a trusted proxy has as many as there are."""
LONGEST_HEAD = 64_000
"""Bytes of a head, or of anything else that nothing has come of yet."""
MOST_AT_ONCE = 8
"""Requests that are sent on one connection before the first of them is answered."""
HEAD_S = 20.0
"""Seconds until a head is whole, from the opening of the connection or its first byte."""
READING_S = 60.0
"""Seconds in which somebody takes nothing of an answer that waits for them."""
_SPARE_FILES = 512


class TooMuch(Exception):
    """Somebody sends more than a connection takes. The parser lets go of it."""


class Crowd:
    """Everybody who is connected."""

    def __init__(self) -> None:
        self.all: set[Connection] = set()
        #: Those whose request is not there yet, longest wait first.
        self.waiting: dict[Connection, None] = {}
        self.of: Counter[str] = Counter()

    def let_in(self, newcomer: Connection) -> bool:
        """Whether there is room, which may be made."""
        crowded = self.of[newcomer.address] >= MOST_FROM_AN_ADDRESS and not newcomer.is_proxy
        if crowded or len(self.all) >= MOST:
            rivals = (one for one in self.waiting if not crowded or one.address == newcomer.address)
            longest = next(rivals, None)
            if longest is None:
                return False
            self.leave(longest)
            longest.let_go()
        self.all.add(newcomer)
        self.of[newcomer.address] += 1
        self.waiting[newcomer] = None
        return True

    def leave(self, one: Connection) -> None:
        """Forget somebody who goes."""
        if one not in self.all:
            return
        self.all.remove(one)
        self.waiting.pop(one, None)
        self.of[one.address] -= 1
        if not self.of[one.address]:
            del self.of[one.address]


class Connection(HttpToolsProtocol):
    """A connection that is held to the limits."""

    crowd: ClassVar[Crowd] = Crowd()
    address, is_proxy = "", False
    _fruitless, _in_head = 0, False
    _late: TimerHandle | None = None
    _unread: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has come."""
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self.address, self.is_proxy = network(host), _is_trusted(host)
        if not self.crowd.let_in(self):
            self._refuse(503, lambda: _("Too many connections are open. Close some, and try again in a moment."))
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """They have gone."""
        self.crowd.leave(self)
        self._late = _ended(self._late)
        self._unread = _ended(self._unread)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        if self.transport.is_closing():
            return
        self._fruitless += len(data)
        if self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        super().data_received(data)
        if self._fruitless > LONGEST_HEAD and not self.transport.is_closing():
            self._refuse(431, lambda: _("The header lines are too long. Remove cookies of this site."))

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= MOST_AT_ONCE:
            raise TooMuch
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A line of a head; those that follow a body are read by nobody, and not kept."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A head is whole."""
        self._in_head, self._fruitless = False, 0
        self._late = _ended(self._late)
        self.crowd.waiting.pop(self, None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._fruitless = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._fruitless = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It has been answered."""
        super().on_response_complete()
        if self in self.crowd.all and self.cycle.response_complete:
            self.crowd.waiting[self] = None

    def pause_writing(self) -> None:
        """They do not read as fast as is written."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(READING_S, self.transport.abort)

    def resume_writing(self) -> None:
        """They have read."""
        self._unread = _ended(self._unread)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """It is no request, or more of them than are taken at once."""
        self._refuse(400, lambda: _("This is no request that can be read, or too many are sent at once."))

    def let_go(self) -> None:
        """End it, once they have read what was written, or after a while."""
        self.transport.close()
        self.loop.call_later(READING_S, self.transport.abort)

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(HEAD_S, self._too_late)

    def _too_late(self) -> None:
        """One that has not begun to ask expects no answer."""
        if self._in_head:
            self._refuse(408, lambda: _("What you send arrives too slowly. Try again with a better connection."))
        else:
            self.let_go()

    def _refuse(self, status: int, sentence: Callable[[], str]) -> None:
        """Say why, and let go; in the language of the installation, for no other is known yet."""
        if self.transport.is_closing():
            return
        with language.using(settings.get().language):
            said = sentence().encode()
        if self.cycle is None or self.cycle.response_complete:
            head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(said) + said)
        self.let_go()


def _ended(timer: TimerHandle | None) -> TimerHandle | None:
    """No timer, in place of one that need not go off any more."""
    if timer is not None:
        timer.cancel()
    return None


def _is_trusted(host: str) -> bool:
    trusted = settings.get().trusted_proxies
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address in ip_network(one, strict=False) for one in filter(None, trusted.split(",")))


def allow_files() -> None:
    """Let this process open as many files as there may be connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + _SPARE_FILES
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard) if hard != -1 else wanted, hard))
