"""Background jobs over HTTP: how far one's own imports and exports are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.base.deps import Session, SignedIn
from api.base.fields import Id, Output
from api.base.listing import Parameters
from data.base import jobs
from data.base.jobs import Job, JobState
from data.base.language import _

api = APIRouter(prefix="/api/jobs", tags=["jobs"])

#: Seconds after which it is worth asking again.
ASK_AGAIN_S = 1


class JobOut(Output):
    """A job. While it is queued or running the answer's `Retry-After` says when to ask again."""

    id: int = Field(examples=[4])
    kind: str = Field(examples=["import"])
    state: JobState = Field(examples=["running"])
    step: str | None = Field(description="What it is doing now, in the language of the request.", examples=["Reading"])
    done: int = Field(examples=[1167])
    total: int | None = Field(examples=[1556])
    result: dict[str, Any] | None = Field(examples=[{"read": 1556, "new": 1556}])
    detail: str | None = Field(description="Why it failed.", examples=[None])
    created_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    started_at: datetime | None = Field(examples=["2026-03-17T01:30:01Z"])
    finished_at: datetime | None = Field(examples=[None])


class JobsAsked(Parameters):
    """How many jobs a request asks for."""

    limit: Annotated[int, Query(ge=1, le=200, description="How many.")] = 50


@api.get("", summary="List one's jobs")
def list_jobs(session: Session, actor: SignedIn, asked: Annotated[JobsAsked, Query()]) -> list[JobOut]:
    """One's own jobs, newest first."""
    return [shown(job) for job in jobs.of_account(session, actor, asked.limit)]


@api.get("/{job_id}", summary="How far a job is")
def get_job(response: Response, session: Session, actor: SignedIn, job_id: Id) -> JobOut:
    """State and progress of one of one's own jobs."""
    job = jobs.get(session, actor, job_id)
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        response.headers["Retry-After"] = str(ASK_AGAIN_S)
    return shown(job)


@api.post("/{job_id}/cancel", summary="Cancel a job")
def cancel_job(session: Session, actor: SignedIn, job_id: Id) -> JobOut:
    """Stop one of one's own jobs; nothing of it is kept."""
    return shown(jobs.cancel(session, actor, job_id))


def shown(job: Job) -> JobOut:
    """A job as it is handed out."""
    found = JobOut.model_validate(job)
    return found.model_copy(update={"step": _(found.step)}) if found.step else found
