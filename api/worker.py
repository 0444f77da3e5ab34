"""The background worker: takes jobs from procrastinate's queue and does them, in each lane one after the other.

Killed at any moment, it loses nothing: a job and its writes are one transaction (``data.base.jobs.perform``), and what
was cut off is put back into the queue when the next worker starts, and while it runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import procrastinate
from sqlalchemy.orm import Session

from data import accounts, coverage, hotspots, notifications, photos, reminders, reports
from data.base import access, cluster, db, jobs, settings
from data.base.access import Actor
from data.base.errors import Forbidden
from data.base.jobs import Handler, Job
from data.base.language import _
from data.exchange import background, retention

log = logging.getLogger("wangge.worker")

#: What a job of each kind does.
HANDLERS: dict[str, Handler] = {
    "import": background.perform_import,
    hotspots.HOTSPOTS: hotspots.perform,
    notifications.SEND_JOB: notifications.perform,
    coverage.FOLLOW_JOB: coverage.perform,
}
#: The kinds of jobs that nobody asked for in person.
_OF_THE_SYSTEM = (notifications.SEND_JOB, coverage.FOLLOW_JOB)
_SWEEP_S = 30.0
_HOUR_S = 3600.0
_PARENT_S = 2.0


def run(parent: int | None = None) -> None:
    """Work until SIGTERM or SIGINT; with ``parent``, also until that process is gone."""
    if parent:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    asyncio.run(_work())


async def _work() -> None:
    connector = procrastinate.PsycopgConnector(
        conninfo=cluster.dsn(), kwargs={"options": f"-c search_path={jobs.QUEUE_SCHEMA},public"}
    )
    app = procrastinate.App(connector=connector)
    for kind, handler in HANDLERS.items():
        app.task(name=kind)(_task(handler))
    chores = [
        asyncio.create_task(_repeat(every_s, chore))
        for every_s, chore in (
            (_SWEEP_S, _requeue),
            (_SWEEP_S, remind),
            (_HOUR_S, _watch_what_came_in),
            (_HOUR_S, _remove_old_uploads),
            (_HOUR_S, tidy_reports),
            (_HOUR_S, follow_what_moved),
        )
    ]
    try:
        async with app.open_async():
            await app.run_worker_async(
                concurrency=len(jobs.LANES), shutdown_graceful_timeout=10, delete_jobs="successful"
            )
    finally:
        for task in chores:
            task.cancel()


def _task(handler: Handler) -> Callable[..., Awaitable[None]]:
    async def work(job_id: int) -> None:
        await asyncio.to_thread(jobs.perform, job_id, handler, actor_of)

    return work


def actor_of(session: Session, job: Job) -> Actor:
    """The owner of a job, with the permissions of now."""
    if job.account_id is None and job.kind in _OF_THE_SYSTEM:
        return access.SYSTEM
    account = session.get(accounts.Account, job.account_id) if job.account_id else None
    if account is None or not account.active:
        raise Forbidden(_("The account that started this job is closed."))
    return accounts.actor(session, account)


async def _repeat(every_s: float, chore: Callable[[], None]) -> None:
    """Do a chore at the start and now and then; when it fails, it is tried again the next time."""
    while True:
        try:
            await asyncio.to_thread(chore)
        except Exception:
            log.exception("The chore %s failed", chore.__name__)
        await asyncio.sleep(every_s)


def _requeue() -> None:
    """Put cut-off jobs back into the queue."""
    with db.transaction(access.SYSTEM) as session:
        if count := jobs.requeue_stalled(session):
            log.warning("%s cut-off jobs begin anew", count)


def remind() -> None:
    """Let the limits of cases take effect that have come, and have sent what was not sent the first time."""
    while True:
        with db.transaction(access.SYSTEM) as session:
            if not reminders.sweep(session, datetime.now(UTC)):
                notifications.ask_to_send_what_is_left(session)
                return


def _watch_what_came_in() -> None:
    """Watch the limits of cases that were loaded past the workflow; forget what nobody needs any more."""
    with db.transaction(access.SYSTEM) as session:
        reminders.watch_all(session)
        reminders.forget_closed(session)
        notifications.forget_old(session)


def _remove_old_uploads() -> None:
    """Remove what was handed in long enough ago; first the records, then the files."""
    days = settings.get().upload_days
    if not days:
        return
    before = datetime.now(UTC) - timedelta(days=days)
    with db.transaction(access.SYSTEM) as session:
        if count := retention.forget(session, before):
            log.info("%s uploads were kept for %s days and are removed", count, days)
    with db.transaction(access.SYSTEM) as session:
        retention.remove_files(session, before)


def tidy_reports() -> None:
    """Remove the contacts of cases that were closed long enough ago, and photos that belong to nothing."""
    with db.transaction(access.SYSTEM) as session:
        if count := reports.forget_contacts(session):
            log.info("%s contacts of closed cases are removed", count)
        photos.clean(session)


def follow_what_moved() -> None:
    """Look at buildings, streets and assets that were written past every session, and forget the jobs of the others."""
    with db.transaction(access.SYSTEM) as session:
        if count := coverage.follow_all(session):
            log.info("Past patrols were looked at again for %s buildings, streets and assets", count)
        coverage.forget_jobs(session)


def _leave_with(parent: int) -> None:
    """Stop when the server that started us was killed."""
    pause: Any = threading.Event()
    while os.getppid() == parent:
        pause.wait(_PARENT_S)
    os.kill(os.getpid(), signal.SIGTERM)
