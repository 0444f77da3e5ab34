"""How long what was handed in is kept: uploads, rows that were sent back, and their jobs, ``WANGGE_UPLOAD_DAYS`` long.

They hold personal data as a community typed it, so they go once nobody needs them: an upload together with its jobs,
when the last of these ended that many days ago. What an import did stays in the audit. The rows go first and the files
after them, in a transaction of their own, so that a record never points at a file that is gone; a file without a
record (cut off between the two, or an upload that was refused) goes as soon as it is as old.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, exists, or_, select, text
from sqlalchemy.orm import Session

from data.base import jobs, sealed, settings
from data.base.jobs import Job, JobState, Upload
from data.exchange import uploads
from data.exchange.background import IMPORT

log = logging.getLogger("wangge.uploads")

_HASH = re.compile(r"[0-9a-f]{64}")


def forget(session: Session, before: datetime) -> int:
    """Remove the records of uploads whose jobs all ended before an instant; returns how many."""
    upload_of_job = Job.params["upload_id"].as_integer()
    in_use = exists().where(
        Job.kind == IMPORT, upload_of_job == Upload.id, or_(Job.finished_at.is_(None), Job.finished_at >= before)
    )
    stale = list(session.scalars(select(Upload.id).where(Upload.created_at < before, ~in_use)))
    session.execute(delete(Job).where(Job.kind == IMPORT, upload_of_job.in_(stale)))
    session.execute(delete(Upload).where(Upload.id.in_(stale)))
    return len(stale)


def remove_files(session: Session, before: datetime) -> int:
    """Remove the files that no record names and that were written before an instant; returns how many.

    While somebody hands a file in, nothing is removed: its record may be about to name one of them.
    """
    if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:room, 0)"), {"room": uploads.LOCK_ROOM}):
        return 0
    removed = 0
    for path in _unnamed(session):
        with suppress(FileNotFoundError):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
    return removed


def _unnamed(session: Session) -> Iterator[Path]:
    """What lies among the uploads and belongs to no record: contents, drafts, and what belongs to a job."""
    folder = settings.get().uploads
    named = set(session.scalars(select(Upload.sha256)))
    known = {str(job_id) for job_id in session.scalars(select(Job.id).where(Job.kind == IMPORT))}
    yield from (path for path in folder.glob("??/*") if _HASH.fullmatch(path.name) and path.name not in named)
    yield from folder.glob("*.part")
    yield from (path for path in jobs.papers_folder().glob("*") if path.name.partition(".")[0] not in known)


def seal_what_is_in_clear() -> int:
    """Seal the files that were handed in before files were sealed; returns how many."""
    folder = settings.get().uploads
    kept = [path for path in folder.glob("??/*") if _HASH.fullmatch(path.name)]
    papers = [path for path in jobs.papers_folder().glob("[0-9]*") if path.is_file()]
    count = 0
    for path in [*kept, *papers]:
        with suppress(FileNotFoundError):  # it was kept long enough, and has just been removed
            count += sealed.seal_in_place(path)
    if count:
        log.info("%s files that lay in clear are sealed", count)
    return count


def remove_papers_of_cancelled(session: Session) -> None:
    """Remove what jobs wrote that were cut off and then cancelled."""
    numbers = {path.name.partition(".")[0] for path in jobs.papers_folder().glob("[0-9]*")}
    if numbers:
        ids = [int(number) for number in numbers if number.isdecimal()]
        query = select(Job.id).where(Job.id.in_(ids), Job.state == JobState.CANCELLED)
        for job_id in session.scalars(query):
            jobs.remove_papers(job_id)
