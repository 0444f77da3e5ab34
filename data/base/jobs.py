"""Jobs: work in the background with progress in the database, so that it survives a restart of the worker.

A job is a row here, for people (what, who, how far, with what result), and an entry in procrastinate's queue, for the
worker. Both are written in the transaction that asked for the job: neither exists without the other. The queue's own
tables live in the schema ``queue``, which is no tenant's.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, db
from data.base.access import Actor
from data.base.errors import NotFound
from data.base.language import _

QUEUE_SCHEMA = "queue"


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
    session: Session, actor: Actor, kind: str, params: dict[str, Any], *, community_id: int | None, language: str
) -> Job:
    """A new job, to be worked off as soon as this transaction has committed."""
    job = Job(kind=kind, params=params, account_id=actor.account_id, community_id=community_id, language=language)
    session.add(job)
    session.flush()
    # The queue's triggers name their tables without a schema.
    session.execute(
        text(f"SELECT set_config('search_path', '{QUEUE_SCHEMA},' || current_setting('search_path'), true)")
    )
    session.execute(
        text("INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES ('default', :kind, :args)"),
        {"kind": kind, "args": f'{{"job_id": {job.id}}}'},
    )
    session.execute(
        text("SELECT set_config('search_path', substr(current_setting('search_path'), :start), true)"),
        {"start": len(QUEUE_SCHEMA) + 2},
    )
    return job


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
