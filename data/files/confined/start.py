"""The reader's process as whoever asks has it: started when it is first needed, as somebody who owns nothing.

Each process of the house that reads files has one reader. It ends with the process that started it.
"""

from __future__ import annotations

import atexit
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data.base.errors import Busy
from data.base.language import _
from data.files import drivers
from data.files.confined import walls

#: Who the reader is when root starts it: an own user if the machine has one, else somebody who owns nothing.
USERS = ("wangge-reader", "nobody")
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    # One thread a file: what runs beside it is somebody else's.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
    **drivers.ENVIRONMENT,
}
_STARTS_WITHIN_S = 20
_lock = threading.Lock()
_readers: dict[int, Reader] = {}
_rooms: dict[int, Path] = {}


@dataclass(frozen=True)
class Ended:
    """How reading a file ended.

    Attributes
    ----------
    began
        Whether it had begun.
    code
        The exit code, negative for a signal.
    memory_bytes
        The most memory it had.
    """

    began: bool
    code: int
    memory_bytes: int = 0

    @property
    def well(self) -> bool:
        """Whether there is an answer."""
        return self.began and self.code == 0

    @property
    def out_of_time(self) -> bool:
        """Whether it used up its time of the processor."""
        return self.code in (-signal.SIGXCPU, -signal.SIGKILL) and self.began and self.memory_bytes >= 0


class Reading:
    """A file that is being read."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._poll = select.poll()
        self._poll.register(line, select.POLLIN | select.POLLHUP)

    def ended(self, within_s: float) -> Ended | None:
        """How it ended, None if it has not yet."""
        if not self._poll.poll(within_s * 1000):
            return None
        with suppress(OSError, ValueError):
            if said := self._line.recv(4096):
                told = json.loads(said)
                return Ended(True, int(told["code"]), int(told["memory_bytes"]))
        return Ended(False, -1)


class Reader:
    """The reader of this process.

    Attributes
    ----------
    described
        Which walls stand around what it reads: ``landlock``, ``bubblewrap``, ``seccomp``, ``own_user``.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        user = own_user()
        self._rooms = rooms()
        wrapped = _bubblewrap(self._rooms)
        from data.base import processes  # and the settings with it, which the reader has not

        command = [*wrapped, *processes.python("-X", "utf8", "-m", "data.files.confined.process")]
        try:
            self._process = subprocess.Popen(
                # By number, as there is no list of users where the reader is.
                [*command, str(theirs.fileno()), *([str(user.pw_uid), str(user.pw_gid)] if user else [])],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._line = ours
        self._lock = threading.Lock()
        self.described = {
            "landlock": walls.landlock_version(),
            "bubblewrap": bool(wrapped),
            "seccomp": walls.has_seccomp(),
            "own_user": user.pw_name if user else None,
        }

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def works(self) -> bool:
        """Whether it is there; it may still be loading."""
        return self._process.poll() is None and self._rooms.is_dir()

    @contextmanager
    def reading(self, room: Path) -> Iterator[Reading]:
        """Have a room read for as long as the ``with`` block lasts; what is not done then is killed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours:
            with theirs, self._lock, suppress(OSError):  # it has just gone, which shows when the line ends
                socket.send_fds(self._line, [str(room).encode()], [theirs.fileno()])
            yield Reading(ours)

    def close(self) -> None:
        """End it, and everything that it has under way."""
        self._line.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def reader() -> Reader:
    """The reader of this process, started if it is not there.

    Raises
    ------
    Busy
        It cannot be started.
    """
    with _lock:
        there = _readers.get(os.getpid())
        if there is not None and there.works:
            return there
        if there is not None:
            there.close()
        try:
            made = Reader()
        except OSError as error:
            raise Busy(
                _(
                    "The process that reads files cannot be started ({reason}). “wangge doctor” says more.",
                    reason=error.strerror,
                )
            ) from error
        _readers[os.getpid()] = made
        return made


def rooms() -> Path:
    """The folder of all rooms of this process.

    Nobody can list it, so that what reads one file does not find another that is read at the same time, even where no
    wall but a file system of its own stands around it.
    """
    there = _rooms.get(os.getpid())
    if there is None or not there.is_dir():
        there = _rooms[os.getpid()] = Path(tempfile.mkdtemp(prefix="wangge-rooms-"))
        there.chmod(0o311 if own_user() else 0o300)
    return there


def forget(gone: Reader) -> None:
    """End a reader that answers no more, so that the next one who asks gets another."""
    with _lock:
        if _readers.get(os.getpid()) is gone:
            del _readers[os.getpid()]
    gone.close()


def hand_over(room: Path) -> None:
    """Give a room and what is in it to whoever the reader is."""
    user = own_user()
    if user is None:
        return
    for path in (room, *room.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)


@cache
def own_user() -> pwd.struct_passwd | None:
    """Who the reader is, if not whoever started it: only root can have somebody else do its work."""
    if os.geteuid() != 0:
        return None
    for name in USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


def _bubblewrap(rooms: Path) -> list[str]:
    """What the reader is started with where there is no Landlock, but bubblewrap: a file system of its own."""
    program = shutil.which("bwrap")
    if walls.landlock_version() or program is None:
        return []
    # Devices are its own: those of the machine cannot be opened where they are only bound.
    code = [path for path in walls.readable() if not path.is_relative_to("/dev")]
    seen = [option for path in code for option in ("--ro-bind-try", str(path), str(path))]
    # Whoever the reader becomes has to pass through the folders on the way, which would be made for root alone.
    above = sorted({str(way) for path in (*code, rooms) for way in path.parents if way.name})
    ways = [option for way in above for option in ("--perms", "0755", "--dir", way)]
    # Root becomes somebody who owns nothing later on, whom a name space of users would not know.
    apart = ("ipc", "pid", "net", "uts", "cgroup-try", *(() if os.geteuid() == 0 else ("user",)))
    wrapped = [
        program,
        *(f"--unshare-{what}" for what in apart),
        "--die-with-parent",
        "--new-session",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        *ways,
        *seen,
        "--bind",
        str(rooms),
        str(rooms),
        "--",
    ]
    return wrapped if _starts(tuple(wrapped)) else []


@cache
def _starts(wrapped: tuple[str, ...]) -> bool:
    """Whether this machine lets bubblewrap make what it needs; some allow no name spaces to whoever is not root."""
    from data.base import processes

    command = [*wrapped, *processes.python("-S", "-c", "")]
    try:
        return subprocess.run(command, capture_output=True, timeout=_STARTS_WITHIN_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _close() -> None:
    """End the reader of this process, with it."""
    if there := _readers.pop(os.getpid(), None):
        there.close()
    if held := _rooms.pop(os.getpid(), None):
        with suppress(OSError):
            held.rmdir()


atexit.register(_close)
