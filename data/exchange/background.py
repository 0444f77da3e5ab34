"""Imports as background jobs: what the worker does for the import pages and the API.

The parameters of a job are those of ``importing.run``, with ``upload_id`` for the file. The result is the report and
the first rejects; all of them are in a file beside the uploads, for whoever started the job.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from data import units
from data.base import access, jobs, settings
from data.base.access import Actor
from data.base.jobs import Job
from data.exchange import importing, uploads
from data.exchange.values import Reject

SHOWN_REJECTS = 500
_OPTIONS = ("layer", "crs", "encoding", "mapping", "accept_valid", "clean_m", "dry_run")


def start_import(
    session: Session,
    actor: Actor,
    *,
    kind: str,
    upload: jobs.Upload,
    community: units.Unit,
    language: str,
    **options: Any,
) -> Job:
    """Start an import of an upload; ``options`` are those of ``importing.run``."""
    access.require(actor, "exchange.import", community.id)
    access.require(actor, importing.PERMISSIONS[importing.Kind(kind)], community.id)
    params = {"kind": kind, "upload_id": upload.id, "community_id": community.id}
    params |= {name: options[name] for name in _OPTIONS if options.get(name) is not None}
    return jobs.enqueue(session, actor, "import", params, community_id=community.id, language=language)


def perform_import(session: Session, actor: Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Do the import of a job; the worker commits it together with the job's end."""
    params = job.params
    upload = uploads.get(session, actor, params["upload_id"])
    community = units.get(session, actor, params["community_id"])
    try:
        report = importing.run(
            session, actor, params["kind"], uploads.place(upload), community, name=upload.name, progress=progress,
            rejects_path=rejects_path(job.id), **{name: params[name] for name in _OPTIONS if name in params},
        )  # fmt: skip
    except importing.Refused as refused:
        refused.facts |= {"rejects": _shown(refused.rejects)}
        raise
    return {**report.to_json(), "notes": report.notes, "rejects": _shown(report.rejects)}


def rejects_path(job_id: int) -> Path:
    """Where the rejects of a job are written, without the suffix."""
    folder = settings.get().uploads / "rejects"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / str(job_id)


def _shown(rejects: list[Reject]) -> list[dict[str, Any]]:
    """The first rejects as the page lists them; the rows themselves stay in the file."""
    return [
        {"row": reject.row, "kind": reject.kind, "reason": reject.reason, "advice": reject.advice}
        for reject in rejects[:SHOWN_REJECTS]
    ]
