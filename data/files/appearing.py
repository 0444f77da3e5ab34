"""Files that appear when they are whole: what is half written is never seen, and goes when something fails."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from data.base.errors import Invalid
from data.base.language import _


@contextmanager
def file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that is there when the block ends, and not at all when it raises.

    Raises
    ------
    Invalid
        There can be no file of this name.
    """
    if not path.parent.is_dir():
        raise Invalid(_("There is no folder “{name}”.", name=str(path.parent)))
    if path.is_dir():
        raise Invalid(_("“{name}” is a folder. Name a file.", name=str(path)))
    try:
        handle, name = tempfile.mkstemp(prefix=".wangge-", dir=path.parent)
    except OSError as error:
        raise Invalid(_("“{name}” cannot be written: {reason}.", name=str(path), reason=error.strerror)) from error
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as opened:
            yield opened
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
