"""Hands: processes beside the web application for the short changes that come in crowds.

The event loop answers the map, and Python runs one thread at a time: while hundreds of people report and settle cases,
a map that is asked for in the same process waits behind all of them. So such a change goes to one of a few processes,
each with a connection and a core of its own, that stand behind whoever is looking (``os.nice``), as PostgreSQL does for
them where it is ours to say. A hand does one change at a time and answers once it has been committed::

    api.base.deps.briefly ──► Hands.do ──► socket ──► one hand: a transaction, work(session, actor, *args)
                     ◄── result, or the error that it raised ◄──

What goes over the socket is pickled, by us and for us: both ends are this program. Whatever a hand wrote is known here
(``data.base.changes``) before its answer is, and whatever was written anywhere is known to a hand before it begins. A
hand that dies is replaced, at once (``api.nursery``); whoever waited for it is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from api import nursery
from data import attaching, keys
from data.base import changes, db, language, processes, surfaces
from data.base.access import Actor, Area
from data.base.errors import Busy, WanggeError
from data.base.language import _
from data.base.surfaces import Surface

log = logging.getLogger("wangge.hands")

#: How far hands stand behind the event loop and the database: they get what those leave, and a thirtieth at least.
NICE = 15
#: How long a hand is given to end what it is at.
_END_S = 5.0
_LENGTH = struct.Struct("!I")

_Made = TypeVar("_Made")
Permissions = Mapping[str, Area]


class Failed(RuntimeError):
    """A hand met with an error that nobody expected; its traceback is the text."""


class _Hand:
    """One process, as it is seen from here."""

    def __init__(self) -> None:
        self._news = _News()

    async def start(self, modules: Sequence[str]) -> None:
        """Start the process; it answers once it has imported ``modules``, of whose functions it will be asked."""
        changes.changes.hearers.append(self._news.hear)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.to_thread(_born, theirs, modules)
        self._reader, self._writer = await asyncio.open_connection(sock=ours)

    async def ask(self, asked: tuple[Any, ...]) -> tuple[bool, Any, changes.Written]:
        """Whether it went well, the result or the error, and what was written."""
        message = pickle.dumps((self._news.taken(), *asked))
        self._writer.write(_LENGTH.pack(len(message)) + message)
        (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
        answer: tuple[bool, Any, changes.Written] = pickle.loads(await self._reader.readexactly(length))  # noqa: S301
        return answer

    def close(self) -> None:
        """Let it go: it ends when it has done what it is at."""
        with contextlib.suppress(ValueError):  # let go before, and then none could be started in its place
            changes.changes.hearers.remove(self._news.hear)
        self._writer.close()

    def is_gone(self) -> bool:
        """Whether its process has ended."""
        return self._process.ended(0)

    async def ended(self) -> None:
        """Wait until it has ended; one that does not is killed."""
        if not await asyncio.to_thread(self._process.ended, _END_S):
            self._process.kill()
            await asyncio.to_thread(self._process.ended, _END_S)


class _Born:
    """The process of a hand, whoever's child it is."""

    def __init__(self, descriptor: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self._descriptor, self._child = descriptor, child
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        weakref.finalize(self, os.close, descriptor)

    def ended(self, within_s: float) -> bool:
        """Whether it has ended, or does so in time."""
        gone = bool(self._poll.poll(within_s * 1000))
        if gone and self._child:
            self._child.wait()
        return gone

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)


def _born(end: socket.socket, modules: Sequence[str]) -> _Born:
    """Start a hand at the other end of a socket: a fork where there is a nursery, else a process that loads it all."""
    try:
        return _Born(nursery.ask(end, changes.name(), modules))
    except OSError:
        command = processes.python("-c", "from api.hands import main; main()")
        command += [str(end.fileno()), changes.name(), *modules]
        child = subprocess.Popen(command, pass_fds=[end.fileno()])
        return _Born(os.pidfd_open(child.pid), child)


class _News:
    """What was written since a hand was last asked something."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all = True
        self._written: changes.Written = {}

    def hear(self, written: changes.Written | None) -> None:
        """Something was written; ``None``: whatever it may be."""
        with self._lock:
            self._all = self._all or written is None
            for table, communities in (written or {}).items():
                changes.add(self._written, table, communities)

    def taken(self) -> tuple[bool, changes.Written | None]:
        """Whether writes are followed here, and what there is to tell (``None``: whatever it may be); told once."""
        with self._lock:
            told = None if self._all else self._written
            self._all, self._written = False, {}
        return changes.changes.following, told


class Hands:
    """All hands of one application."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._all: list[_Hand] = []
        self._idle: asyncio.LifoQueue[_Hand] = asyncio.LifoQueue()
        self._packed: dict[int, tuple[Permissions, bytes]] = {}

    async def start(self, count: int) -> None:
        """Start so many."""
        for _number in range(count):
            hand = _Hand()
            await hand.start(self._modules)
            self._all.append(hand)
            self._idle.put_nowait(hand)

    async def stop(self) -> None:
        """Let all go that they are at, and wait for that."""
        for hand in self._all:
            hand.close()
        await asyncio.gather(*(hand.ended() for hand in self._all))

    async def do(self, actor: Actor, work: Callable[..., _Made], *args: Any) -> _Made:
        """``work(session, actor, *args)`` in a transaction of its own, which has been committed when this returns.

        Parameters
        ----------
        work
            A function that can be imported by its name.
        args
            What can be pickled.

        Raises
        ------
        Busy
            The process died over it.
        """
        who = (self._pack(actor.permissions), replace(actor, permissions={}))
        asked = (*who, work, args, language.current(), surfaces.current())
        # Whoever asked may leave meanwhile; the hand is at it all the same, and its answer is for nobody else.
        well, result = await asyncio.shield(asyncio.ensure_future(self._exchange(asked)))
        if not well:
            raise result
        return cast("_Made", result)

    async def _exchange(self, asked: tuple[Any, ...]) -> tuple[bool, Any]:
        hand = await self._idle.get()
        try:
            if hand.is_gone():  # nothing was asked of it, so nobody need know
                await self._replace(hand)
            well, result, written = await hand.ask(asked)
            if written:
                changes.changes.told(written)
            return well, result
        except (OSError, EOFError) as error:
            log.error("A hand died at work")
            changes.changes.forget()  # whether it had committed is unknown
            await self._replace(hand)
            raise Busy(_("It was cut off. Look whether it was done, and try again if not.")) from error
        finally:
            self._idle.put_nowait(hand)

    async def _replace(self, hand: _Hand) -> None:
        """Start another process in place of one that is gone; where that fails, the next one to ask tries again."""
        hand.close()
        await hand.ended()
        try:
            await hand.start(self._modules)
        except OSError:
            log.exception("No hand can be started")

    def _pack(self, permissions: Permissions) -> bytes:
        """Permissions as bytes: those of a remembered actor stay one object, and may name thousands of grids."""
        kept = self._packed.get(id(permissions))
        if kept is None or kept[0] is not permissions:
            if len(self._packed) >= _MOST_PACKED:
                self._packed.clear()
            kept = self._packed[id(permissions)] = (permissions, pickle.dumps(permissions))
        return kept[1]


_MOST_PACKED = 1000


@asynccontextmanager
async def at_work(count: int, *modules: str) -> AsyncIterator[Hands | None]:
    """So many hands as long as the block runs, which have imported ``modules``; none at all for 0."""
    if not count:
        yield None
        return
    hands = Hands(modules)
    await hands.start(count)
    try:
        yield hands
    finally:
        await hands.stop()


def main() -> None:
    """Be a hand at the socket with the number ``argv[1]``."""
    work(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:])


def work(end: socket.socket, name: str, modules: Sequence[str]) -> None:
    """Be a hand: do what comes in on a socket until its other end is closed; ``name`` is whose hand it is."""
    processes.call_itself("hand")
    asked = end.makefile("rb")
    changes.speak_as(name)
    attaching.attach()
    # The end of a service reaches all of its processes, but it is the server that lets its hands go.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for engine in {db.engine(), db.requests()}:
        event.listen(engine, "connect", _stand_back)
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
    _give_way()
    try:
        while len(head := asked.read(_LENGTH.size)) == _LENGTH.size:
            answer = _done(asked.read(*_LENGTH.unpack(head)))
            end.sendall(_LENGTH.pack(len(answer)) + answer)
    except BrokenPipeError:
        pass  # the server was killed
    for engine in {db.engine(), db.requests()}:
        engine.dispose()


def _give_way() -> None:
    """Stand behind all others."""
    os.nice(NICE)
    # Linux first divides the processors among sessions, and only then heeds what is nice within one.
    os.setsid()
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))


def _stand_back(connection: psycopg.Connection, _record: object) -> None:
    """Have PostgreSQL's process of this connection stand back like its hand, where it runs beside us and is ours."""
    number = connection.info.backend_pid
    with contextlib.suppress(OSError):
        # Behind a socket there may be another machine or a container, where the number is somebody else's.
        if connection.info.host.startswith("/") and Path(f"/proc/{number}/cmdline").read_text().startswith("postgres:"):
            os.setpriority(os.PRIO_PROCESS, number, NICE)


def _done(message: bytes) -> bytes:
    news, permissions, actor, work, args, spoken, surface = pickle.loads(message)  # noqa: S301
    changes.changes.following, told = news
    if told is None:
        changes.changes.forget()
    elif told:
        changes.changes.told(told)
    written: changes.Written = {}
    answer: tuple[bool, Any, changes.Written]
    try:
        with language.using(spoken), surfaces.using(Surface(surface)):
            _keys_fit()
            acting = replace(actor, permissions=_permissions(permissions))
            with db.transaction(acting) as session:
                result = work(session, acting, *args)
            written = changes.told_by(session)
        answer = True, result, written
    except WanggeError as error:
        answer = False, error, written
    except DBAPIError as error:
        answer = False, _explained(error), written
    except Exception:
        answer = False, Failed(traceback.format_exc()), written
    return pickle.dumps(answer)


def _explained(error: DBAPIError) -> Exception:
    """What an error outside of the transaction means: the database is away already when the keys are compared."""
    try:
        return db.explain(error)
    except DBAPIError:
        return Failed(traceback.format_exc())


@cache
def _keys_fit() -> None:
    """Raise unless the keys are those of the database; asked until it is so, and then no more."""
    keys.check(db.requests())


@lru_cache(maxsize=_MOST_PACKED)
def _permissions(packed: bytes) -> Permissions:
    permissions: Permissions = pickle.loads(packed)  # noqa: S301
    return permissions
