"""A load client that costs little, so that two cores measure the server: asyncio protocols over raw sockets.

Each connection asks for the next address as soon as its answer has come. The same client asks every server.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import uvloop


@dataclass
class Result:
    """What came back."""

    seconds: float = 0.0
    bytes: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    etags: dict[str, str] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.durations) / self.seconds

    def quantile_ms(self, share: float) -> float:
        """The duration that ``share`` of the requests stayed within."""
        return 1000 * sorted(self.durations)[min(len(self.durations) - 1, int(share * len(self.durations)))]


class _Connection(asyncio.Protocol):
    def __init__(
        self, paths: Iterator[str], headers: dict[str, str], tags: dict[str, str], result: Result, done: asyncio.Future
    ) -> None:
        self.paths, self.tags, self.result, self.done = paths, tags, result, done
        self.head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.path = next(self.paths, "")
        if not self.path:
            self.transport.close()
            self.done.set_result(None)
            return
        self.received, self.size, self.until = bytearray(), 0, -1
        tag = f"If-None-Match: {self.tags[self.path]}\r\n" if self.path in self.tags else ""
        self.started = time.perf_counter()
        self.transport.write(f"GET {self.path} HTTP/1.1\r\nHost: bench\r\n{self.head}{tag}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.until < 0 and not self._head_has_come():
            return
        if self.until:
            if len(self.received) < self.until:
                return
        elif not self.received.endswith(b"0\r\n\r\n"):  # chunked
            return
        self.result.durations.append(time.perf_counter() - self.started)
        self.result.bytes += len(self.received)
        self.ask()

    def _head_has_come(self) -> bool:
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self.received[: end + 2]).lower()
        status = int(head[9:12])
        self.result.statuses[status] += 1
        if (at := head.find(b"\r\netag: ")) >= 0:
            self.result.etags[self.path] = head[at + 8 : head.index(b"\r\n", at + 8)].decode().replace("w/", "W/")
        length = head.find(b"\r\ncontent-length: ")
        if status in (204, 304):
            self.until = end + 4
        elif length >= 0:
            self.until = end + 4 + int(head[length + 18 : head.index(b"\r\n", length + 18)])
        else:
            self.until = 0
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError(f"the server closed the connection at {self.path}"))


def ask(
    port: int,
    paths: Sequence[str],
    headers: dict[str, str] | None = None,
    *,
    connections: int = 16,
    tags: dict[str, str] | None = None,
) -> Result:
    """Ask the server on ``port`` for each of ``paths`` once, over ``connections`` at a time.

    Parameters
    ----------
    tags
        Path → ETag that is sent along as ``If-None-Match``.
    """
    result = Result()

    async def work() -> None:
        loop = asyncio.get_running_loop()
        shared = iter(paths)
        waiting = [loop.create_future() for _ in range(connections)]
        started = time.perf_counter()
        for done in waiting:
            await loop.create_connection(
                lambda done=done: _Connection(shared, headers or {}, tags or {}, result, done), "127.0.0.1", port
            )
        await asyncio.gather(*waiting)
        result.seconds = time.perf_counter() - started

    uvloop.run(work())
    return result
