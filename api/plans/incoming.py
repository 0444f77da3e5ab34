"""A file that is sent for a plan, for as long as it is read."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from starlette.datastructures import UploadFile

from data.base import scratch
from data.base.errors import Invalid
from data.base.language import _

_LONGEST = 80


@contextmanager
def kept(file: object) -> Iterator[Path]:
    """The file that was sent, under its own name in a folder that is removed afterwards.

    Raises
    ------
    Invalid
        None was sent.
    """
    name = PurePath(file.filename or "").name if isinstance(file, UploadFile) else ""
    # What no folder could take as a name.
    name = re.sub(r"[\x00-\x1f/\\]", "_", name)[-_LONGEST:]
    if not name or not isinstance(file, UploadFile):
        raise Invalid(_("Choose a file."), field="file")
    with scratch.folder() as folder:
        path = folder / name
        with path.open("wb") as copy:
            shutil.copyfileobj(file.file, copy)
        yield path
