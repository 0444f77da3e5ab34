"""Jobs: work in the background with progress in the database, so that it survives a restart of the worker.

A job is a row here, for people (what, who, how far, with what result), and an entry in procrastinate's queue, for the
worker. Both are written in the transaction that asked for the job: neither exists without the other. The queue's own
tables live in the schema ``queue``, which is no tenant's.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, db, language, room, scratch, settings
from data.base.access import Actor
from data.base.columns import Words
from data.base.errors import Busy, NotFound, WanggeError
from data.base.language import _

QUEUE_SCHEMA = "queue"
#: Lanes do not wait for each other. Brief jobs are done one after the other; of the long ones, those of one community.
LONG, BRIEF = "long", "brief"
#: How many jobs of each lane are done at the same time.
LANES = {LONG: 3, BRIEF: 1}
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


#: States of jobs that are not over.
ACTIVE = (JobState.QUEUED, JobState.RUNNING)
#: How often a job may be cut off before it is taken for the cause.
TRIES = 5


class Job(db.Table):
    """A piece of work in the background."""

    __tablename__ = "job"
    __told__ = False
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
    detail: Mapped[str | None] = mapped_column(Words(100_000))
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
    """A new job, to be worked off as soon as this transaction has committed and its turn has come.

    A long job waits for those of the same community, or without one of the same account, and for no others as long as
    there is room in the lane: what somebody hands in keeps nobody else waiting.
    """
    job = Job(kind=kind, params=params, account_id=actor.account_id, community_id=community_id, language=language)
    session.add(job)
    session.flush()
    # The queue's triggers name their tables without a schema.
    session.execute(
        text(f"SELECT set_config('search_path', '{QUEUE_SCHEMA},' || current_setting('search_path'), true)")
    )
    turn = lane
    if lane == LONG and community_id is not None:
        turn = f"{LONG} of community {community_id}"
    elif lane == LONG and actor.account_id is not None:
        turn = f"{LONG} of account {actor.account_id}"
    _put_into_queue(session, job.id, kind, turn, attempts=0)
    session.execute(
        text("SELECT set_config('search_path', substr(current_setting('search_path'), :start), true)"),
        {"start": len(QUEUE_SCHEMA) + 2},
    )
    return job


def _put_into_queue(session: Session, job_id: int, kind: str, turn: str, attempts: int) -> None:
    """Put a job into the queue of its lane; those of the same turn, which begins with the lane, wait for each other."""
    lane = turn.partition(" ")[0]
    session.execute(
        text(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, attempts) "
            "VALUES (:lane, :kind, :turn, :args, :attempts)"
        ),
        {"lane": lane, "kind": kind, "turn": turn, "args": f'{{"job_id": {job_id}}}', "attempts": attempts},
    )


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
            raise Busy(_("Somebody else works on job {id}.", id=job_id))
        try:
            _perform(job_id, handler, actor_of)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:room, :job)"), {"room": _LOCK_ROOM, "job": job_id})
            connection.commit()


def _perform(job_id: int, handler: Handler, actor_of: Callable[[Session, Job], Actor]) -> None:
    try:
        with db.transaction(access.SYSTEM) as session:
            job = session.get(Job, job_id)
            if job is None or job.state not in ACTIVE:
                return
            job.state, job.started_at, job.done, job.step = JobState.RUNNING, datetime.now(UTC), 0, None
        language.use(job.language)
        with db.transaction(access.SYSTEM) as session:
            actor = actor_of(session, job)
        # A load of many rows is the owner's, so a job logs in as the owner, and takes the role of requests.
        with db.transaction(actor, db.engine()) as session:
            result = handler(session, actor, job, _Progress(job_id))
            if not _ended(session, job_id, JobState.DONE, result=storable(result)):
                raise Cancelled
    except Cancelled:
        remove_papers(job_id)
    except db.Unreachable:
        raise  # nothing was written, and nothing can be: it begins anew once the database is back
    except WanggeError as error:
        _fail(job_id, error.detail, error.facts)
    except BaseException as error:  # a library in C or Rust may raise what is no Exception
        log.exception("Job %s failed", job_id)
        remove_papers(job_id)
        _fail(job_id, room.full().detail if room.is_full(error) else _unexpected(job_id), {})


def _unexpected(job_id: int) -> str:
    return _(
        "Something unexpected happened in job {id}. Nothing was written. Try it once more; if it happens again, tell "
        "this number to whoever runs the server: the log says what it was.",
        id=job_id,
    )


def _fail(job_id: int, detail: str, facts: dict[str, Any]) -> None:
    """End a job as failed, whatever the words and values of the failure are made of."""
    for reason, values in ((storable(detail), storable(facts)), (_unexpected(job_id), None)):
        try:
            with db.transaction(access.SYSTEM) as session:
                _ended(session, job_id, JobState.FAILED, detail=reason, result=values)
            return
        except db.Unreachable:
            raise
        except Exception:
            log.exception("How job %s failed cannot be stored", job_id)


def _ended(session: Session, job_id: int, state: JobState, **values: Any) -> bool:
    """Write how a job ended, unless it was cancelled meanwhile; tells whether it was not."""
    done = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.RUNNING)
        .values(state=state, finished_at=func.now(), **values)
        .returning(Job.id)
    )
    return done.first() is not None


def storable(value: Any) -> Any:
    """A value as PostgreSQL can store it as JSON: no NUL, no half of a character, no number that is none.

    >>> storable({"name": "a\\x00b", "share": float("nan"), "day": datetime(2026, 3, 17), "rows": (1, "\\ud83d")})
    {'name': 'a\ufffdb', 'share': 'nan', 'day': '2026-03-17 00:00:00', 'rows': [1, '\ufffd']}
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
        case float():
            return value if math.isfinite(value) else str(value)
        case dict():
            return {storable(str(name)): storable(item) for name, item in value.items()}
        case list() | tuple() | set():
            return [storable(item) for item in value]
    return storable(str(value))


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


def papers_folder() -> Path:
    """Where files lie that belong to a job (rows that were sent back, a look at a dry run), named by its number."""
    return settings.get().uploads / "rejects"


def remove_papers(job_id: int) -> None:
    """Remove what a job wrote beside the uploads: it came to nothing."""
    for path in papers_folder().glob(f"{int(job_id)}.*"):
        path.unlink(missing_ok=True)


def cancel(session: Session, actor: Actor, job_id: int) -> Job:
    """Cancel a job that is not done yet; nothing of it will have been written, and nothing of it is left lying."""
    job = get(session, actor, job_id)
    # One that ends at this very moment stays ended.
    cancelled = session.execute(
        update(Job)
        .where(Job.id == job.id, Job.state.in_(ACTIVE))
        .values(state=JobState.CANCELLED, finished_at=datetime.now(UTC))
        .returning(Job.id)
    ).first()
    session.refresh(job)
    if cancelled:
        remove_papers(job_id)
        scratch.sweep()
    return job


def requeue_stalled(session: Session) -> int:
    """Let jobs begin anew that nobody works on any more, whatever became of their place in the queue; returns how many.

    The worker was killed or stopped over them, or lost its database. One that was cut off ``TRIES`` times is ended as
    failed: it may be what kills the worker.
    """
    session.execute(text(f"SET LOCAL search_path = {QUEUE_SCHEMA}, public"))
    count = 0
    for entry in session.execute(_LEFT_ALONE, {"room": _LOCK_ROOM}).all():
        session.execute(text("DELETE FROM procrastinate_jobs WHERE id = :id"), {"id": entry.id})
        if entry.job is None:
            continue
        if entry.attempts + 1 >= TRIES:
            with language.using(entry.language):
                detail = _(
                    "Job {id} was cut off {count} times: the server was stopped, or this needs more memory than it "
                    "has. Nothing was written. Try a smaller file, or ask whoever runs the server to look at the log.",
                    id=entry.job,
                    count=entry.attempts + 1,
                )
            ended = {"state": JobState.FAILED, "finished_at": func.now(), "detail": detail}
            session.execute(update(Job).where(Job.id == entry.job, Job.state.in_(ACTIVE)).values(**ended))
            continue
        _put_into_queue(session, entry.job, entry.kind, entry.lock or LONG, entry.attempts + 1)
        count += 1
    return count


#: Places in the queue that do not wait and that nobody is at, and jobs that have lost theirs.
_LEFT_ALONE = text(
    """
    SELECT q.id, q.lock, coalesce(q.attempts, 0) AS attempts, j.id AS job, j.kind, j.language
    FROM (SELECT * FROM public.job WHERE state IN ('queued', 'running')) j
    FULL JOIN (SELECT *, CAST(args->>'job_id' AS integer) AS job_id FROM procrastinate_jobs) q ON q.job_id = j.id
    WHERE q.status IS DISTINCT FROM 'todo' AND NOT EXISTS (
        SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.classid = :room
        AND l.objid = coalesce(j.id, q.job_id)::oid
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
    ORDER BY q.id
    """
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
    __told__ = False
    __audited__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
