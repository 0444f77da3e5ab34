"""Files of strangers are read in a process of their own (隔离读取), which can do nothing but read them.

Reading a file means running the code of a dozen libraries on bytes that somebody chose. So each is read by a process
that has no key, no setting and no connection, sees no file but the program's own and a copy of what it is to read,
reaches no network, and may use only so much memory and time (``walls``). It hands back plain arrays (``parcel``)::

    who asks                 the reader, once per process         a fork of it, per file
    copy the file to a room → wait for a room                   →  put up the walls, read, write the parcel
    take the parcel         ← say how the fork ended            ←  end

The reader has loaded its libraries and opened nothing; a fork of it begins at once. Whoever asks may go away at any
moment: what reads is killed then, as it is when it takes too long.
"""

from __future__ import annotations

import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.base import language, surfaces
from data.base.errors import Busy, Invalid, WanggeError
from data.base.language import _
from data.files.confined import attempts, start
from data.files.confined.start import Ended

if TYPE_CHECKING:
    from data.base.settings import Settings

__all__ = ["Alive", "ask", "trial", "warm"]

#: Reads what was put into the folder ``in`` of a room, and may write to its folder ``work``.
Task = Callable[[Path, Mapping[str, Any]], Any]
#: Called a few times a second while a file is read; it may raise to stop that.
Alive = Callable[[], None]
MOST_OUTPUT_BYTES = 1 << 29
"""The largest parcel that is taken."""
AT_ONCE = 4
"""How many files one process has read at the same time."""
_POLL_S = 0.2
log = logging.getLogger("wangge.reader")
_free = threading.BoundedSemaphore(AT_ONCE)


def warm() -> None:
    """Start the reader of this process, so that the first file need not wait for it."""
    start.reader()


def ask(
    task: Task,
    name: str,
    stock: Callable[[Path], Mapping[str, Any]],
    *,
    kinds: Iterable[type] = (),
    errors: Iterable[type[WanggeError]] = (),
    alive: Alive = lambda: None,
    meanwhile: Alive = lambda: None,
) -> Any:
    """Have a file read.

    Parameters
    ----------
    task
        A function at the top of one of our modules, which reads what lies in the room: it is called there.
    name
        What the file is called, for sentences.
    stock
        Puts copies of what is to be read into a folder, and returns the arguments of the task.
    kinds
        The dataclasses that the answer may be made of.
    errors
        The refusals it may be besides ``Invalid``.
    alive
        Called now and then; what it raises ends the reading.
    meanwhile
        Called once while it is read.

    Raises
    ------
    Invalid
        The file is refused, takes too much memory or time, or breaks the reader.
    Busy
        The reader cannot be started.
    """
    limits = _limits()
    refusals = {kind.__name__: kind for kind in (*errors, Invalid)}
    with (
        _turn(alive),
        tempfile.TemporaryDirectory(prefix="wangge-", dir=start.rooms(), ignore_cleanup_errors=True) as folder,
    ):
        room = Path(folder)
        for part in ("in", "work"):
            (room / part).mkdir()
        request = {
            "task": f"{task.__module__}:{task.__name__}",
            "arguments": dict(stock(room / "in")),
            "language": language.current(),
            "surface": str(surfaces.current()),
            "memory_bytes": limits.read_memory_mb << 20,
            "seconds": limits.read_seconds,
            "output_bytes": MOST_OUTPUT_BYTES,
        }
        (room / "request.json").write_text(json.dumps(request))
        start.hand_over(room)
        ended = _wait(room, name, limits.read_seconds, alive, meanwhile)
        if not ended.began:  # the reader itself was killed, and is started again
            ended = _wait(room, name, limits.read_seconds, alive, meanwhile)
        return _answer(room, name, ended, list(kinds), refusals)


def trial(secrets: Iterable[Path]) -> dict[str, Any]:
    """What the walls of this machine hold back, tried out from inside.

    Parameters
    ----------
    secrets
        Files that must not be readable.

    Returns
    -------
    dict
        ``landlock`` (its version, 0 without), ``bubblewrap``, ``seccomp``, ``own_user``; and what was possible behind
        them: ``read`` (those of the files), ``network``, ``programs``; and who it is there (``user``), with what
        ``environment``.
    """
    asked = [str(path) for path in secrets]
    tried: dict[str, Any] = ask(attempts.trial, "", lambda _room: {"paths": asked})
    return {**tried, **start.reader().described}


def _limits() -> Settings:
    from data.base import settings  # which the reader has not

    return settings.get()


@contextmanager
def _turn(alive: Alive) -> Iterator[None]:
    while not _free.acquire(timeout=_POLL_S):
        alive()
    try:
        yield
    finally:
        _free.release()


def _wait(room: Path, name: str, seconds: int, alive: Alive, meanwhile: Alive) -> Ended:
    """Wait until what reads has ended; it is killed when it takes too long, or nobody wants it any more."""
    until = time.monotonic() + seconds
    reader = start.reader()
    with reader.reading(room) as reading:
        meanwhile()
        while True:
            ended = reading.ended(_POLL_S)
            if ended is not None:
                break
            alive()
            if time.monotonic() > until:
                raise _too_long(name, seconds)
    if not ended.began:
        start.forget(reader)
    return ended


def _answer(room: Path, name: str, ended: Ended, kinds: list[type], refusals: Mapping[str, type[WanggeError]]) -> Any:
    from data.files.confined import parcel  # and numpy with it, for which a reader that is started need not wait

    result = room / "result"
    if ended.out_of_time:
        raise _too_long(name, _limits().read_seconds)
    if not ended.well or result.is_symlink() or not result.is_file():
        raise _broke(name, ended)
    if result.stat().st_size > MOST_OUTPUT_BYTES:
        raise _too_much(name)
    try:
        answer = parcel.read(result, kinds)
        kind, detail = answer.get("refused"), str(answer.get("detail"))
    except (parcel.Malformed, AttributeError):
        raise _broke(name, ended) from None
    if kind == "memory":
        raise _out_of_memory(name)
    if kind == "output":
        raise _too_much(name)
    if kind == "broken":
        raise _broke(name, ended, detail)
    if kind is not None:
        facts = answer.get("facts")
        raise refusals.get(str(kind), Invalid)(detail, **(facts if isinstance(facts, dict) else {}))
    return answer.get("value")


def _out_of_memory(name: str) -> Invalid:
    return Invalid(
        _(
            "“{name}” needs more than {most} MB of memory to read. Split it, or leave out what is not needed.",
            name=name,
            most=_limits().read_memory_mb,
        )
    )


def _too_long(name: str, seconds: int) -> Invalid:
    return Invalid(
        _(
            "“{name}” could not be read within {count} seconds, and reading was ended. Split it, or save it anew in "
            "another format.",
            name=name,
            count=seconds,
        )
    )


def _too_much(name: str) -> Invalid:
    return Invalid(
        _(
            "“{name}” unpacks to more than {most} MB, which is too much at once. Split it.",
            name=name,
            most=MOST_OUTPUT_BYTES >> 20,
        )
    )


def _broke(name: str, ended: Ended, where: str = "") -> WanggeError:
    if ended.memory_bytes > 0.8 * (_limits().read_memory_mb << 20):
        return _out_of_memory(name)
    if not ended.began:
        return Busy(_("The file could not be read just now. Try again."))
    log.warning("Reading a file broke down: %s", where or f"exit code {ended.code}")
    return Invalid(
        _(
            "“{name}” is damaged in such a way that reading it broke down. Save it anew, best as GeoPackage or XLSX.",
            name=name,
        )
    )
