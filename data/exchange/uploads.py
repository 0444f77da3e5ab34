"""Uploads: files that were handed in, kept below ``WANGGE_HOME/uploads`` under the SHA-256 of their content.

A file gets its name only when it is whole and on the disk, and it is there before the record that names it: a record
never points at half a file.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data.base import settings
from data.base.access import Actor
from data.base.errors import Invalid, NotFound
from data.base.jobs import Upload
from data.base.language import _

_CHUNK_BYTES = 1 << 20
#: Held in common by whoever hands a file in, and alone by whoever removes files (``data.exchange.retention``).
LOCK_ROOM = 7_214_003
_LONGEST_NAME = 80


def keep(session: Session, actor: Actor, file: IO[bytes], name: str, *, community_id: int) -> Upload:
    """Keep an uploaded file.

    Raises
    ------
    Invalid
        It is empty, or larger than ``WANGGE_UPLOAD_MAX_MB``.
    """
    folder = settings.get().uploads
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    most = settings.get().upload_max_mb * 1_000_000
    digest, size = hashlib.sha256(), 0
    descriptor, draft = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as out:
            while chunk := file.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > most:
                    raise Invalid(
                        _(
                            "The file is larger than {most} MB. Split it, or import it with `wangge import`.",
                            most=most // 10**6,
                        )
                    )
                digest.update(chunk)
                out.write(chunk)
            if not size:
                raise Invalid(_("The file is empty. Choose another one."))
            out.flush()
            os.fsync(out.fileno())
        session.execute(text("SELECT pg_advisory_xact_lock_shared(:room, 0)"), {"room": LOCK_ROOM})
        final = _path(digest.hexdigest())
        final.parent.mkdir(exist_ok=True, mode=0o700)
        Path(draft).replace(final)
    finally:
        Path(draft).unlink(missing_ok=True)
    upload = Upload(
        account_id=actor.account_id, community_id=community_id, name=Path(name).name or "file",
        sha256=digest.hexdigest(), size=size,
    )  # fmt: skip
    session.add(upload)
    session.flush()
    return upload


def get(session: Session, actor: Actor, upload_id: int) -> Upload:
    """An upload of one's own.

    Raises
    ------
    NotFound
    """
    query = select(Upload).where(Upload.id == upload_id)
    if not actor.is_system:
        query = query.where(Upload.account_id == actor.account_id)
    found = session.scalar(query)
    if found is None:
        raise NotFound(_("Not found, or outside your area."))
    return found


def place(upload: Upload) -> Path:
    """Where the content of an upload lies. What is in the name is not trusted: only the hash is used."""
    return _path(upload.sha256)


@contextmanager
def opened(upload: Upload, job_id: int) -> Iterator[Path]:
    """The content of an upload under its own name, which tells part of what it is, for as long as a job reads it."""
    folder = settings.get().uploads / "open" / str(job_id)
    # A job that was cut off left it behind, and is the one that finds it again.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    path = folder / (re.sub(r"[^\w .()+-]", "_", upload.name)[-_LONGEST_NAME:].lstrip(" .") or "file")
    try:
        path.hardlink_to(place(upload))
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _path(sha256: str) -> Path:
    return settings.get().uploads / sha256[:2] / sha256
