"""What a connection may send before the application is asked: how much, how long, how often, and how many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from api import connections

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """An application that answers as soon as it is let, on a port of its own."""

    def __init__(self) -> None:
        self.asked = 0
        self.writers: list[asyncio.StreamWriter] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and answer."""
        self.asked += 1
        await self.go_on.wait()
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def open(self) -> Streams:
        """One more connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Served]:
        """Serve as long as the block runs."""
        config = uvicorn.Config(self, lifespan="off", log_config=None, access_log=False, ws="none")
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: connections.Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        yield self
        self.go_on.set()
        server.close()
        for writer in self.writers:
            writer.close()
        while connections.Connection.crowd.all:
            await asyncio.sleep(0)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Served], Awaitable[None]]], None]:
    def run(story: Callable[[Served], Awaitable[None]]) -> None:
        async def told() -> None:
            async with asyncio.timeout(30), Served().serving() as app:
                await story(app)

        monkeypatch.setattr(connections.Connection, "crowd", connections.Crowd())
        asyncio.run(told())

    return run


Run = Callable[[Callable[[Served], Awaitable[None]]], None]


async def pour(streams: Streams, begin: bytes, piece: bytes) -> tuple[int, bytes]:
    """Send without end; how much was taken until the other end let go, and what it said."""
    reader, writer = streams
    taken = 0
    try:
        writer.write(begin)
        while taken < 200_000_000 and not reader.at_eof():
            writer.write(piece)
            await writer.drain()
            taken += len(piece)
            await asyncio.sleep(0)
        return taken, await reader.read()
    except ConnectionError:
        return taken, b""


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b"\r\n"),
        (b"GET /", b"x"),
        (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n"),
        (b"GET / HTTP/1.1\r\nX-A: ", b"x"),
        (b"GET / HTTP/1.1\r\nCookie", b"x"),
        (POST + b"0\r\n", b"X-A: b\r\n"),
        (POST + b"0\r\nX-A: ", b"x"),
        (POST + b"1;", b"x"),
    ],
    ids=["blank", "address", "lines", "value", "name", "trailers", "trailer", "extension"],
)
def test_nothing_before_or_beside_a_body_grows_without_end(served: Run, begin: bytes, piece: bytes) -> None:
    async def story(app: Served) -> None:
        taken, _said = await pour(await app.open(), begin, piece * (16_384 // len(piece)))
        # What the system keeps on its way is no burden of ours.
        assert taken < 30_000_000

    served(story)


def test_a_head_that_is_too_long_is_a_sentence(served: Run) -> None:
    async def story(app: Served) -> None:
        reader, writer = await app.open()
        writer.write(b"GET / HTTP/1.1\r\nX-A: " + b"x" * (connections.LONGEST_HEAD + 10))
        said = await reader.read()
        assert said.startswith(b"HTTP/1.1 431")

    served(story)


def test_a_long_body_is_no_head(served: Run) -> None:
    async def story(app: Served) -> None:
        reader, writer = await app.open()
        writer.write(POST + b"%x\r\n" % 5_000_000 + b"x" * 5_000_000 + b"\r\n0\r\n\r\n" + GET)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")

    served(story)


@pytest.mark.parametrize(("sent", "answer"), [(b"", b""), (b"GET / HTTP/1.1\r\nHost", b"HTTP/1.1 408")])
def test_a_head_that_does_not_come_is_not_waited_for(
    served: Run, monkeypatch: pytest.MonkeyPatch, sent: bytes, answer: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.05)

    async def story(app: Served) -> None:
        reader, writer = await app.open()
        writer.write(sent)
        said = await reader.read()
        assert said.startswith(answer)
        assert bool(said) == bool(answer)
        assert app.asked == 0

    served(story)


def test_a_request_that_is_at_work_may_take_longer_than_its_head(served: Run) -> None:
    async def story(app: Served) -> None:
        app.go_on.clear()
        _reader, writer = await app.open()
        writer.write(GET)
        while not app.asked:
            await asyncio.sleep(0)
        (connection,) = connections.Connection.crowd.all
        assert connection._late is None

    served(story)


def test_requests_are_not_queued_without_end(served: Run) -> None:
    async def story(app: Served) -> None:
        app.go_on.clear()
        reader, writer = await app.open()
        writer.write(GET * 5000)
        with suppress(ConnectionError):  # what was not read any more is answered by the system
            await reader.read()
        assert app.asked == 1

    served(story)


def test_who_waits_longest_makes_room_and_who_is_at_work_stays(served: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_FROM_AN_ADDRESS", 3)

    async def story(app: Served) -> None:
        app.go_on.clear()
        busy, first, second = [await app.open() for _number in range(3)]
        busy[1].write(GET)
        while not app.asked:
            await asyncio.sleep(0)
        third, fourth = await app.open(), await app.open()
        assert await first[0].read() == b""
        assert await second[0].read() == b""
        app.go_on.set()
        assert (await busy[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        for reader, writer in (third, fourth):
            writer.write(GET)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")

    served(story)


@pytest.mark.parametrize("limit", ["MOST", "MOST_FROM_AN_ADDRESS"])
def test_when_all_are_at_work_who_comes_is_sent_away_with_a_sentence(
    served: Run, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(connections, limit, 2)

    async def story(app: Served) -> None:
        app.go_on.clear()
        for number in range(2):
            _reader, writer = await app.open()
            writer.write(GET)
            while app.asked == number:
                await asyncio.sleep(0)
        reader, _writer = await app.open()
        assert (await reader.read()).startswith(b"HTTP/1.1 503")

    served(story)


def test_an_answer_that_nobody_reads_is_not_kept_for_ever(served: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READING_S", 0.0)

    async def story(app: Served) -> None:
        _reader, _writer = await app.open()
        while not connections.Connection.crowd.all:
            await asyncio.sleep(0)
        (connection,) = connections.Connection.crowd.all
        connection.pause_writing()
        while connections.Connection.crowd.all:
            await asyncio.sleep(0)

    served(story)


def test_the_server_is_held_to_these_limits() -> None:
    from pathlib import Path

    from api.cli import serve

    assert "http=connections.Connection" in Path(serve.__file__).read_text()
