"""Who looks after database, web application and worker: what ends without being told to is started again.

One process (``wangge serve``) starts the parts and looks at each a few times a second. A part that ended is started
again after a pause, which doubles as long as it does not live, and is short again once it has lived for a while. How
the parts are is written to ``serving.json`` in the home, where the pages, ``/readyz`` and ``wangge doctor`` read it.

The parts are held by a leash, a pipe whose other end only that process has: when it is gone, however it went, they end
too, so that nobody works on the data whom nobody looks after. What loads for seconds and is missed at once, the web
application, has a spare: a second process that has loaded everything, and waits on its leash for the word to begin.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import psycopg

from data.base import cluster, processes, settings
from data.base.cluster import Cluster
from data.base.errors import WanggeError
from data.base.language import _

log = logging.getLogger("wangge.supervision")

#: The pause before a part is started again: the first, the longest, and after what life it is the first again.
FIRST_S, LONGEST_S, LIVED_S = 0.5, 30.0, 3.0
#: How long a part is given to end, and one without leash to notice.
STOP_S = 20.0
_LOOK_S = 0.25
_ASK_S = 3.0


class Part(Protocol):
    """What can be started, looked at, and stopped."""

    name: str

    def start(self) -> None:
        """Start it, or raise."""

    def ended(self) -> str | None:
        """How it ended; ``None`` while it is up."""

    def stand_by(self, now: float) -> None:
        """Have ready what lets it start sooner the next time; called again and again while it is up."""

    def stop(self) -> None:
        """End it, and wait for that."""


class _Leashed:
    """One process on a leash: its standard input, over which it is told to begin, and whose end is its own."""

    def __init__(self, command: list[str], user: processes.User | None, keeps: Sequence[int]) -> None:
        theirs, self._leash = os.pipe()
        try:
            # In a session of its own: Ctrl-C in the terminal reaches us alone, and we tell it.
            self._process = (user.start if user else subprocess.Popen)(
                command, stdin=theirs, env=processes.environment(), start_new_session=True, pass_fds=keeps
            )
        except BaseException:
            os.close(self._leash)
            raise
        finally:
            os.close(theirs)

    def begin(self) -> None:
        """Tell it to begin with its work."""
        os.write(self._leash, b"\n")

    def code(self) -> int | None:
        """With which code it ended; ``None`` while it lives."""
        return self._process.poll()

    def stop(self) -> None:
        """Tell it to end, and kill it when it does not."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.close(self._leash)


class Process:
    """A process of ours, ``wangge part NAME``, run as ``user``; one with a ``spare`` has another waiting behind it."""

    def __init__(
        self, name: str, user: processes.User | None, *arguments: str, keeps: Sequence[int] = (), spare: bool = False
    ) -> None:
        self.name = name
        self._command = processes.python("-m", "api.cli", "part", name, *arguments)
        self._user, self._keeps, self._has_spare = user, keeps, spare
        self._at_work: _Leashed | None = None
        self._spare: _Leashed | None = None
        self._spare_due = 0.0

    def start(self) -> None:
        """Have the spare begin, or a new one."""
        self._drop_dead_spare()
        self._at_work, self._spare = self._spare or self._made(), None
        self._at_work.begin()

    def stand_by(self, now: float) -> None:
        """Have a spare; one that ends by itself is not made again at once."""
        self._drop_dead_spare()
        if self._has_spare and not self._spare and now >= self._spare_due:
            self._spare, self._spare_due = self._made(), now + LONGEST_S

    def ended(self) -> str | None:
        """By which signal or with which code it ended."""
        if self._at_work is None:
            return _("not started")
        if (code := self._at_work.code()) is None:
            return None
        self._at_work.stop()
        self._at_work = None
        return _("killed by signal {number}", number=-code) if code < 0 else _("ended with code {code}", code=code)

    def stop(self) -> None:
        """End what there is of it, and wait for that."""
        for process in (self._spare, self._at_work):
            if process:
                process.stop()
        self._spare = self._at_work = None

    def _made(self) -> _Leashed:
        return _Leashed(self._command, self._user, self._keeps)

    def _drop_dead_spare(self) -> None:
        if self._spare and self._spare.code() is not None:
            self._spare.stop()
            self._spare = None


class Database:
    """The private cluster, or another server, which can only be looked at."""

    name = "database"

    def __init__(self, private: Cluster | None) -> None:
        self._private = private

    def start(self) -> None:
        """Start the private cluster; see whether another server is back."""
        if self._private:
            self._private.start()
        else:
            psycopg.connect(cluster.dsn(), connect_timeout=round(_ASK_S)).close()

    def ended(self) -> str | None:
        """Whether its first process is gone; another server is asked."""
        if self._private:
            return None if self._private.alive() else _("its server is gone")
        try:
            self.start()
        except psycopg.Error as error:
            return type(error).__name__
        return None

    def stand_by(self, now: float) -> None:
        """Nothing to have ready."""

    def stop(self) -> None:
        """Stop the private cluster."""
        if self._private:
            self._private.stop()


@dataclass
class State:
    """How a part is, as it is told to others."""

    up: bool = False
    since: str = ""
    restarts: int = 0
    last: str | None = None


@dataclass
class _Ward:
    part: Part
    state: State = field(default_factory=State)
    started: bool = False
    pause: float = FIRST_S
    due: float = 0.0
    began: float = 0.0


class Supervisor:
    """Looks after ``parts`` and writes how they are to ``path``."""

    def __init__(self, parts: Sequence[Part], path: Path) -> None:
        self._wards = [_Ward(part) for part in parts]
        self._path = path

    def run(self) -> None:
        """Start the parts and look after them until interrupted; then stop them, the last one first."""
        try:
            while True:
                self.look(time.monotonic())
                time.sleep(_LOOK_S)
        finally:
            # Stopping is not interrupted by being told to stop again.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            for ward in reversed(self._wards):
                ward.part.stop()
            self._path.unlink(missing_ok=True)

    def look(self, now: float) -> None:
        """Look at every part, and start those whose time has come; ``now`` is of a clock that never jumps."""
        changed = [self._look_at(ward, now) for ward in self._wards]
        if any(changed):
            write(self._path, {ward.part.name: ward.state for ward in self._wards})

    def _look_at(self, ward: _Ward, now: float) -> bool:
        how = ward.part.ended() if ward.state.up else None
        if how is not None:
            ward.pause = FIRST_S if now - ward.began >= LIVED_S else ward.pause
            self._is_down(ward, how, now)
            return True
        if ward.state.up and now - ward.began >= LIVED_S:
            try:
                ward.part.stand_by(now)
            except OSError as error:
                log.error("The %s has no spare: %s", ward.part.name, error)
        if ward.state.up or now < ward.due:
            return False
        try:
            ward.part.start()
        except (WanggeError, OSError, psycopg.Error) as error:
            self._is_down(ward, str(error), now)
            return True
        ward.state.restarts += ward.started
        ward.state.up, ward.state.since = True, _now()
        if ward.started:
            log.warning("The %s is up again", ward.part.name)
        ward.started, ward.began = True, now
        return True

    def _is_down(self, ward: _Ward, how: str, now: float) -> None:
        log.error("The %s is down: %s. It is started in %.1f s", ward.part.name, how, ward.pause)
        since = ward.state.since if not ward.state.up and ward.state.since else _now()
        ward.state.up, ward.state.since, ward.state.last = False, since, f"{_now()} {how}"
        ward.due, ward.pause = now + ward.pause, min(ward.pause * 2, LONGEST_S)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# What others read


def write(path: Path, states: dict[str, State]) -> None:
    """Tell how the parts are; the file is there whole or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "w") as file:
        json.dump({name: asdict(state) for name, state in states.items()}, file)
    draft.replace(path)


def states() -> dict[str, State]:
    """How the parts are; empty when nobody looks after them."""
    try:
        told = json.loads((settings.get().home / "serving.json").read_text())
        return {name: State(**state) for name, state in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def troubles() -> list[str]:
    """What to tell those who work with the pages: a sentence for each part that is down and is missed in silence."""
    worker = states().get("worker")
    if worker is None or worker.up:
        return []
    return [_("Imports, reminders and messages wait: the background worker has stopped and is being started again.")]


# Within a part


def wait_for_turn() -> None:
    """Wait until told to begin; end when the one who would tell is gone."""
    if not os.read(sys.stdin.fileno(), 1):
        sys.exit(0)


def end_with_supervisor() -> None:
    """Have this process end when the one that looks after it is gone: its leash, the standard input, is then closed."""

    def wait() -> None:
        # Not sys.stdin: its lock would be held while the process ends.
        while os.read(leash, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        # Nobody is left who would kill what does not end.
        time.sleep(STOP_S)
        os._exit(1)

    leash = sys.stdin.fileno()
    threading.Thread(target=wait, daemon=True).start()
