"""Room on the disk: files are taken in only while enough of it is left for the records themselves."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from data.base import settings
from data.base.errors import NoRoom
from data.base.language import _

#: What the system says when there is no room: the disk is full, or one's share of it is.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def require(more_bytes: int = 0) -> None:
    """Refuse to take in a file when the disk would have less to spare than ``WANGGE_SPARE_DISK_MB`` with it.

    Both the folder where files are kept and the one that they pass through are looked at.

    Raises
    ------
    NoRoom
    """
    spare = settings.get().spare_disk_mb * 1_000_000
    for folder in (settings.get().home, Path(tempfile.gettempdir())):
        free = shutil.disk_usage(_existing(folder)).free
        if free - more_bytes < spare:
            raise NoRoom(
                _(
                    "The disk of the server is nearly full: {free} MB are free, and {spare} MB are kept for the "
                    "records. No files are taken until there is room; records are.",
                    free=f"{free // 10**6:,}",
                    spare=f"{spare // 10**6:,}",
                )
            )


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or what led to it, is a disk without room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def full() -> NoRoom:
    """What it means that the disk is full."""
    return NoRoom(_("The disk of the server is full. Nothing was saved; make room, and try again."))


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
