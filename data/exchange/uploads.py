"""Uploads: files that were handed in, kept below ``WANGGE_HOME/uploads`` under the SHA-256 of their content.

They hold personal data as somebody typed it, so they are sealed (``data.base.sealed``) and lie in clear only in a
scratch folder, for as long as a job reads them. A file gets its name only when it is whole and on the disk, and it is
there before the record that names it: a record never points at half a file.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data.base import room, scratch, sealed, settings
from data.base.access import Actor
from data.base.errors import Invalid, NotFound
from data.base.jobs import Upload
from data.base.language import _

_CHUNK_BYTES = 1 << 20
LOCK_ROOM = sealed.LOCK_ROOM
_LONGEST_NAME = 80


def keep(session: Session, actor: Actor, file: IO[bytes], name: str, *, community_id: int) -> Upload:
    """Keep an uploaded file.

    Raises
    ------
    Invalid
        It is empty, or larger than ``WANGGE_UPLOAD_MAX_MB``.
    NoRoom
        The disk is nearly full.
    """
    room.require()
    most = settings.get().upload_max_mb * 1_000_000
    digest, size = hashlib.sha256(), 0

    def pieces() -> Iterator[bytes]:
        nonlocal size
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
            yield chunk
        if not size:
            raise Invalid(_("The file is empty. Choose another one."))

    def place_of_content() -> Path:
        session.execute(text("SELECT pg_advisory_xact_lock_shared(:room, 0)"), {"room": LOCK_ROOM})
        return _path(digest.hexdigest())

    sealed.write_as(settings.get().uploads, pieces(), place_of_content)
    upload = Upload(
        account_id=actor.account_id,
        community_id=community_id,
        name=Path(name).name or "file",
        sha256=digest.hexdigest(),
        size=size,
    )
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
def opened(upload: Upload) -> Iterator[Path]:
    """The content of an upload in clear under its own name, which tells part of what it is, as long as it is read.

    Raises
    ------
    data.base.sealed.Unreadable
    """
    name = re.sub(r"[^\w .()+-]", "_", upload.name)[-_LONGEST_NAME:].lstrip(" .") or "file"
    with scratch.folder() as folder:
        path = folder / name
        digest = hashlib.sha256()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            for piece in sealed.read(place(upload)):
                digest.update(piece)
                out.write(piece)
        if digest.hexdigest() != upload.sha256:
            raise sealed.Unreadable(_("The file {name} is not the one that was handed in.", name=upload.name))
        yield path


def _path(sha256: str) -> Path:
    return settings.get().uploads / sha256[:2] / sha256
