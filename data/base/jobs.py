"""Jobs: work in the background with progress in the database, so that it survives a restart of the worker.

A job is a row here, for people (what, who, how far, with what result), and an entry in procrastinate's queue, for the
worker. Both are written in the transaction that asked for the job: neither exists without the other. The queue's own
tables live in the schema ``queue``, which is no tenant's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, db, language
from data.base.access import Actor
from data.base.errors import NotFound, WanggeError
from data.base.language import _

QUEUE_SCHEMA = "queue"
#: Jobs of one lane are done one after the other; those of different lanes do not wait for each other.
LONG, BRIEF = "long", "brief"
LANES = (LONG, BRIEF)
_LOCK_ROOM = 7_214_002
log = logging.getLogger("wangge.jobs")


class JobNotFound(NotFound):
    """There is no such job, or it is somebody else's."""


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(db.Table):
    """A piece of work in the background."""

    __tablename__ = "job"
    __read__ = "unit.read"
    __audited__ = False
    __table_args__ = (CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    language: Mapped[str] = mapped_column(server_default="zh")
    params: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default=JobState.QUEUED)
    #: what it is doing now, as a message for ``_``
    step: Mapped[str | None]
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    #: why it failed, as a sentence
    detail: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A job lies in its community."""
        return access.in_area(area, cls.community_id)


def enqueue(
    session: Session,
    actor: Actor,
    kind: str,
    params: dict[str, Any],
    *,
    community_id: int | None,
    language: str,
    lane: str = LONG,
) -> Job:
    """A new job, to be worked off as soon as this transaction has committed and its lane is free."""
    job = Job(kind=kind, params=params, account_id=actor.account_id, community_id=community_id, language=language)
    session.add(job)
    session.flush()
    # The queue's triggers name their tables without a schema.
    session.execute(
        text(f"SELECT set_config('search_path', '{QUEUE_SCHEMA},' || current_setting('search_path'), true)")
    )
    session.execute(
        text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args) VALUES ('default', :kind, :lane, :args)"
        ),
        {"kind": kind, "lane": lane, "args": f'{{"job_id": {job.id}}}'},
    )
    session.execute(
        text("SELECT set_config('search_path', substr(current_setting('search_path'), :start), true)"),
        {"start": len(QUEUE_SCHEMA) + 2},
    )
    return job


#: Does the work of a job in its transaction and returns its result; calls ``progress(step, done, total)`` as it goes.
Handler = Callable[[Session, Actor, Job, Callable[..., None]], dict[str, Any]]
_PROGRESS_EVERY_S = 0.3


class Cancelled(Exception):
    """Somebody cancelled the job while it was worked on."""


def perform(job_id: int, handler: Handler, actor_of: Callable[[Session, Job], Actor]) -> None:
    """Work on one job, once: its writes and its being done are one transaction.

    A job that was cut off (the worker was killed) is found again as running, and simply begins anew: nothing of the
    first time was kept. While it is worked on, a lock of PostgreSQL stands on it, so no two workers do it at once.

    Parameters
    ----------
    actor_of
        Finds out as whom the job runs; a job may do only what its owner may do now.
    """
    with db.engine().connect() as connection:
        locked = connection.scalar(
            text("SELECT pg_try_advisory_lock(:room, :job)"), {"room": _LOCK_ROOM, "job": job_id}
        )
        connection.commit()
        if not locked:
            return
        try:
            _perform(job_id, handler, actor_of)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:room, :job)"), {"room": _LOCK_ROOM, "job": job_id})
            connection.commit()


def _perform(job_id: int, handler: Handler, actor_of: Callable[[Session, Job], Actor]) -> None:
    with db.transaction(access.SYSTEM) as session:
        job = session.get(Job, job_id)
        if job is None or job.state not in (JobState.QUEUED, JobState.RUNNING):
            return
        job.state, job.started_at, job.done, job.step = JobState.RUNNING, datetime.now(UTC), 0, None
        actor = actor_of(session, job)
    language.use(job.language)
    try:
        with db.transaction(actor) as session:
            result = handler(session, actor, job, _Progress(job_id))
            ended = _ended(session, job_id, JobState.DONE, result=result)
            if not ended:
                raise Cancelled
    except Cancelled:
        pass
    except WanggeError as error:
        with db.transaction(access.SYSTEM) as session:
            _ended(session, job_id, JobState.FAILED, detail=error.detail, result=jsonable(error.facts))
    except Exception:
        log.exception("Job %s failed", job_id)
        with db.transaction(access.SYSTEM) as session:
            sentence = _(
                "Something unexpected happened in job {id}; nothing was written. The log says more.", id=job_id
            )
            _ended(session, job_id, JobState.FAILED, detail=sentence)


def _ended(session: Session, job_id: int, state: JobState, **values: Any) -> bool:
    """Write how a job ended, unless it was cancelled meanwhile; tells whether it was not."""
    done = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.RUNNING)
        .values(state=state, finished_at=func.now(), **values)
        .returning(Job.id)
    )
    return done.first() is not None


def jsonable(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as JSON can hold them: what is no plain value becomes text."""
    return {
        name: value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
        for name, value in facts.items()
    }


class _Progress:
    """Writes how far a job is, in short transactions of its own; stops the job once it was cancelled."""

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        self.next_at = 0.0
        self.step = ""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if step == self.step and now < self.next_at:
            return
        self.step, self.next_at = step, now + _PROGRESS_EVERY_S
        with db.transaction(access.SYSTEM) as session:
            still = session.execute(
                update(Job)
                .where(Job.id == self.job_id, Job.state == JobState.RUNNING)
                .values(step=step, done=done, total=total)
                .returning(Job.id)
            ).first()
        if still is None:
            raise Cancelled


def cancel(session: Session, actor: Actor, job_id: int) -> Job:
    """Cancel a job that is not done yet; nothing of it will have been written."""
    job = get(session, actor, job_id)
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        job.state, job.finished_at = JobState.CANCELLED, datetime.now(UTC)
        session.flush()
    return job


def requeue_stalled(session: Session) -> int:
    """Put jobs back into the queue that nobody works on any more; returns how many. For the start of a worker."""
    session.execute(text(f"SET LOCAL search_path = {QUEUE_SCHEMA}, public"))
    return len(
        session.scalars(
            text(
                "SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM procrastinate_jobs "
                "WHERE status = 'doing' AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' "
                "AND l.classid = :room AND l.objid = CAST(args->>'job_id' AS integer)::oid "
                "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
            ),
            {"room": _LOCK_ROOM},
        ).all()
    )


def of_account(session: Session, actor: Actor, limit: int) -> list[Job]:
    """One's own jobs, newest first."""
    query = select(Job).where(Job.account_id == actor.account_id).order_by(Job.id.desc()).limit(limit)
    return list(session.scalars(query))


def get(session: Session, actor: Actor, job_id: int) -> Job:
    """A job of one's own, or any for the system.

    Raises
    ------
    JobNotFound
    """
    query = select(Job).where(Job.id == job_id)
    if not actor.is_system:
        query = query.where(Job.account_id == actor.account_id)
    found = session.scalar(query)
    if found is None:
        raise JobNotFound(_("Not found, or outside your area."))
    return found


class Upload(db.Table):
    """A file that was handed in, kept under the SHA-256 of its content."""

    __tablename__ = "upload"
    __audited__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
