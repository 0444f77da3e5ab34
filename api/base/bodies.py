"""What a request may bring with it: bytes, files, depth, time, and who may send much, all said before it is read.

Every route takes a small body: JSON or a plain form. Those that take more stand in ``ROUTES``, with how much, how many
files, and the permission of whoever may send it, which is asked for before the first byte is read. A pure ASGI layer
counts while the body streams, so that one without a length is no longer than one with it; a body that comes more
slowly than any line does is let go. Files go to disk as they come (Starlette's own doing), as long as the disk has room
to spare.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request, empty_receive
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.base import deps, errors
from api.base.errors import Refused
from api.base.request import sender
from data import calendars, phones, photos, reports
from data.base import access, room
from data.base.errors import Busy, Invalid, WanggeError
from data.base.language import _
from data.base.settings import Settings
from data.exchange import tracks
from data.reports import TooOften

SMALL = 256_000
"""Bytes of a body of any route that says nothing else."""
LARGE_JSON = 8_000_000
"""Bytes of shapes: a district's grids drawn to the metre have a third of this."""
MOST_VALUES = 600_000
"""Values in one JSON body of shapes: 91 MB of empty objects, which took 3.1 GB once read, have 30 million."""
SMALL_VALUES = 20_000
"""The same in a small body. To count them, and to read them, takes the others' time."""
HELD = 96_000_000
"""Bytes of memory of all bodies that are being received or worked on; more are told to come again."""
VALUE_BYTES = 64
"""What a value of JSON takes once it is read."""
FILE_BYTES = 1_000_000
"""What of a file is held in memory, before it goes to the disk."""
DEEPEST = 64
"""How deep JSON may be nested; a MultiPolygon in a list of features is eight deep."""
LONGEST_ADDRESS = 16_000
"""Bytes of path and query."""
MOST_HEADERS = 32_000
"""Bytes of all header lines together."""
PATIENCE_S = 30.0
"""How long a sender may be silent, and be slower than ``SLOWEST`` at the beginning."""
SLOWEST = 10_000
"""Bytes a second that a sender keeps up on the whole."""
OPEN_FROM_STRANGERS = 24
"""Bodies with files that are being received at once from people without an account."""
OPEN_FROM_AN_ADDRESS = 6

_SAFE = {"GET", "HEAD", "OPTIONS"}
_SPARE = 500_000
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True)
class Takes:
    """What a route takes.

    Attributes
    ----------
    most
        Bytes of the whole body, under these settings.
    files
        How many parts of a form may be files; a route without any takes no multipart form.
    needs
        The permissions that whoever sends it has, before anything is read; ``None`` for strangers too.
    """

    most: Callable[[Settings], int]
    files: int = 0
    needs: tuple[str, ...] | None = ()


def _photos(count: int) -> Callable[[Settings], int]:
    return lambda settings: count * settings.photo_max_mb * 1_000_000 + _SPARE


def _upload(settings: Settings) -> int:
    return settings.upload_max_mb * 1_000_000 + _SPARE


def _bytes(count: int) -> Callable[[Settings], int]:
    return lambda _settings: count


_ACTIVITY = Takes(_photos(photos.PER_RECORD), photos.PER_RECORD, ("unit.read", "team.edit"))
ROUTES: dict[tuple[str, str], Takes] = {
    ("POST", "/r"): Takes(_photos(reports.PHOTOS), reports.PHOTOS, None),
    ("POST", "/r/photos"): Takes(_photos(1), 1, None),
    ("POST", "/activities"): Takes(_photos(photos.PER_RECORD), photos.PER_RECORD, ("unit.read", "team.edit")),
    ("POST", "/activities/{activity_id}"): Takes(
        _photos(photos.PER_RECORD), photos.PER_RECORD, ("unit.read", "team.edit")
    ),
    ("POST", "/incidents"): Takes(_photos(photos.PER_RECORD), photos.PER_RECORD, ("incident.report",)),
    ("POST", "/incidents/{incident_id}/act"): Takes(_photos(photos.PER_RECORD), photos.PER_RECORD, ("incident.read",)),
    ("POST", "/api/patrols/{patrol_id}/notes"): Takes(_photos(1), 1, ("patrol.record", "incident.report")),
    ("POST", "/api/patrols/import"): Takes(_bytes(tracks.BYTES_MAX + _SPARE), 1, ("patrol.record",)),
    ("POST", "/patrols/upload"): Takes(_bytes(tracks.BYTES_MAX + _SPARE), 1, ("patrol.record",)),
    ("POST", "/patrols/upload/preview"): Takes(_bytes(tracks.BYTES_MAX + _SPARE), 1, ("patrol.record",)),
    ("POST", "/calendar/import"): Takes(_bytes(calendars.LARGEST_BYTES + _SPARE), 1, ("unit.edit",)),
    ("POST", "/exchange/import"): Takes(_upload, 1, ("exchange.import",)),
    ("POST", "/api/imports"): Takes(_upload, 1, ("exchange.import",)),
    ("POST", "/api/plans/import"): Takes(_upload, 1, ("grid.edit",)),
    ("POST", "/plans/import"): Takes(_upload, 1, ("grid.edit",)),
    ("POST", "/api/communities/{community_id}/divisions"): Takes(_bytes(LARGE_JSON), needs=("grid.edit",)),
    ("POST", "/api/buildings"): Takes(_bytes(LARGE_JSON), needs=("building.edit",)),
    ("PATCH", "/api/buildings/{building_id}"): Takes(_bytes(LARGE_JSON), needs=("building.edit",)),
    ("POST", "/api/patrols/{patrol_id}/points"): Takes(_bytes(LARGE_JSON), needs=("patrol.record",)),
    ("POST", "/api/phones/{phone_uuid}/records"): Takes(_bytes(LARGE_JSON)),
    ("POST", "/phones/hand-in"): Takes(_bytes(phones.MOST_BYTES + _SPARE), 1, ("household.read", "visit.record")),
}
"""Method and path → what the route takes, where that is more than a small body without files."""
_ORDINARY = Takes(_bytes(SMALL), needs=None)


class Bodies:
    """The layer that holds every request to what its route takes."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.open: Counter[str] = Counter()
        self.held = Held()
        self._routes = [
            (method, re.compile("^" + re.sub(r"\{\w+\}", "[^/]+", path) + "$"), takes)
            for (method, path), takes in ROUTES.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, empty_receive)
        try:
            _check_head(scope)
            if scope["method"] in _SAFE:
                await self.app(scope, receive, send)
                return
            takes = self._of(scope)
            scope.setdefault("state", {})["files"] = takes.files
            most = takes.most(self.settings)
            form = _check_kind(request, takes)
            with self.held.share(takes.files * FILE_BYTES if form and takes.files else most) as share:
                body = _Body(receive, most, request.headers, share)
                await self._let_in(request, takes)
                if not form:
                    receive = await _whole(body)
                with self._counted(request, takes):
                    await self.app(scope, body if form else receive, send)
        except Refused as error:
            await errors.refused(request, error)(scope, receive, send)
        except WanggeError as error:
            await errors.known(request, error)(scope, receive, send)

    def _of(self, scope: Scope) -> Takes:
        method, path = scope["method"], scope["path"]
        for known, pattern, takes in self._routes:
            if known == method and pattern.match(path):
                return takes
        return _ORDINARY

    async def _let_in(self, request: Request, takes: Takes) -> None:
        """Ask who sends much before any of it is read, and whether there is room for it."""
        if takes.needs is not None:
            actor = await deps.signed_in_actor(request)
            for code in takes.needs:
                access.require(actor, code)
        if takes.files:
            await asyncio.to_thread(room.require, _length(request.headers) or 0)

    @contextmanager
    def _counted(self, request: Request, takes: Takes) -> Iterator[None]:
        """Count what strangers send at once, for as long as it takes."""
        if not takes.files or takes.needs is not None:
            yield
            return
        address = sender(request)
        if self.open[address] >= OPEN_FROM_AN_ADDRESS:
            raise TooOften(_("Several photos are being sent from here already. Wait until they have arrived."))
        if self.open.total() >= OPEN_FROM_STRANGERS:
            raise Busy(_("Many photos are being sent just now. Try again in a moment."))
        self.open[address] += 1
        try:
            yield
        finally:
            self.open[address] -= 1
            if not self.open[address]:
                del self.open[address]


class Held:
    """The memory that bodies hold, all together."""

    def __init__(self) -> None:
        self.bytes = 0

    @contextmanager
    def share(self, most: int) -> Iterator[Share]:
        """What one request holds; it is given back in the end."""
        share = Share(self, most)
        try:
            yield share
        finally:
            self.bytes -= share.bytes


class Share:
    """What one request holds of it: of what goes to the disk at most ``most``."""

    def __init__(self, held: Held, most: int) -> None:
        self._held, self._most = held, most
        self.bytes = 0

    def take(self, more: int, *, unfolded: bool = False) -> None:
        """Hold so many bytes more.

        Raises
        ------
        Busy
        """
        more = more if unfolded else min(more, self._most - self.bytes)
        if self._held.bytes + more > HELD:
            raise Busy(_("Very much is being sent just now. Try again in a moment."))
        self._held.bytes += more
        self.bytes += more


class _Body:
    """A body that is counted, and timed, while it is received."""

    def __init__(self, receive: Receive, most: int, headers: Headers, share: Share) -> None:
        self._receive = receive
        self.most = most
        self.share = share
        self.received = 0
        self.is_done = False
        self._began: float | None = None
        if (_length(headers) or 0) > most:
            raise self._too_large()

    async def __call__(self) -> Message:
        """The next piece; once all have come, whatever the server has to say."""
        if self.is_done:
            return await self._receive()
        now = asyncio.get_running_loop().time()
        began = self._began = now if self._began is None else self._began
        due = min(now + PATIENCE_S, began + PATIENCE_S + self.received / SLOWEST)
        try:
            async with asyncio.timeout_at(due):
                message = await self._receive()
        except TimeoutError as error:
            detail = _("What you send arrives too slowly. Try again with a better connection.")
            raise Refused(408, "too-slow", detail, close=True) from error
        self.received += len(message.get("body", b""))
        if self.received > self.most:
            raise self._too_large()
        self.share.take(len(message.get("body", b"")))
        self.is_done = not message.get("more_body", False)
        return message

    def _too_large(self) -> Refused:
        size = f"{self.most / 1e6:g}"
        return Refused(413, "too-large", _("What was sent is too large. At most {most} MB are taken here.", most=size))


async def _whole(body: _Body) -> Receive:
    """A body that is no form, received and looked at; handed on in one piece."""
    pieces: list[bytes] = []
    while not body.is_done:
        message = await body()
        pieces.append(message.get("body", b""))
    content = b"".join(pieces)
    pieces.clear()
    values = check_json(content, SMALL_VALUES if body.most <= SMALL else MOST_VALUES)
    body.share.take(values * VALUE_BYTES, unfolded=True)
    waiting: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else await body()

    return receive


def check_json(content: bytes, most: int) -> int:
    """Refuse JSON that unfolds into more values than ``most``, or is nested very deeply, by looking at its marks alone.

    Returns
    -------
    int
        About how many values it has.

    Raises
    ------
    Refused

    >>> check_json(b'{"a": [1, 2, {"b": "[[[[[["}]}', 100)
    6
    """
    marks = content.count(b",") + content.count(b"[") + content.count(b"{")
    if marks <= DEEPEST:
        return marks
    depth = values = 0
    for mark in _STRUCTURE.finditer(content):
        match mark[0]:
            case b"[" | b"{":
                depth += 1
                values += 1
                if depth > DEEPEST:
                    detail = _("The values are nested more than {most} deep.", most=DEEPEST)
                    raise Refused(422, "malformed", detail)
            case b"]" | b"}":
                depth -= 1
            case b",":
                values += 1
        if values > most:
            detail = _("There are more than {most} values. Send them in parts.", most=f"{most:,}")
            raise Refused(413, "too-large", detail)
    return values


def _check_head(scope: Scope) -> None:
    query: bytes = scope["query_string"]
    if len(scope.get("raw_path") or b"") + len(query) > LONGEST_ADDRESS:
        raise Refused(414, "address-too-long", _("The address is too long. Ask for less at once."))
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADERS:
        raise Refused(431, "headers-too-large", _("The header lines are too long. Remove cookies of this site."))
    if "\0" in scope["path"] or b"%00" in query or b"\0" in query:
        raise Invalid(_("The address holds a character that no text has (%00)."))


def _check_kind(request: Request, takes: Takes) -> bool:
    """Whether the body is a form; refuse one with files where none are taken."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data" and not takes.files:
        raise Refused(415, "no-files-here", _("No files are taken here. Send a plain form, or JSON."))
    return kind in ("multipart/form-data", "application/x-www-form-urlencoded")


def _length(headers: Headers) -> int | None:
    told = headers.get("content-length", "")
    return int(told) if told.isdecimal() and len(told) < 16 else None
