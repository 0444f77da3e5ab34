"""Scratch folders: where a file lies in clear for as long as somebody works on it, and not a moment longer.

They lie below ``WANGGE_HOME/scratch``, which no backup holds and nobody else can enter. Each is locked by the process
that works in it; a folder that nobody holds any more, because its process was killed, is removed by whoever sweeps next
(:func:`sweep`): every start, the worker now and then, whoever cancels a job, and whoever makes a backup.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from data.base import settings

_LOCK = ".lock"


def root() -> Path:
    """The folder of all scratch folders."""
    return settings.get().home / "scratch"


@contextmanager
def folder() -> Iterator[Path]:
    """A new empty folder of one's own, removed with all it holds when the block ends in whatever way."""
    root().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = root() / uuid4().hex
    with _held(path.with_suffix(_LOCK)):
        path.mkdir(mode=0o700)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(_LOCK).unlink(missing_ok=True)


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    while True:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever sweeps may have taken a lock that nobody held yet for a left-over.
            if lock.exists() and os.fstat(descriptor).st_ino == lock.stat().st_ino:
                yield
                return
        finally:
            os.close(descriptor)


def sweep() -> int:
    """Remove the folders that nobody holds; returns how many."""
    removed = 0
    with suppress(FileNotFoundError):
        for path in sorted(root().iterdir()):
            if path.suffix == _LOCK and _left(path):
                removed += path.with_suffix("").exists()
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)
            elif path.is_dir() and not path.with_suffix(_LOCK).exists():
                shutil.rmtree(path, ignore_errors=True)
                removed += 1
    return removed


def _left(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except (FileNotFoundError, PermissionError):  # of another user: it is theirs to remove
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
