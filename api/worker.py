"""The background worker: takes jobs from procrastinate's queue and does them, in each lane one after the other.

Killed at any moment, it loses nothing: a job and its writes are one transaction (``data.base.jobs.perform``), and what
was cut off is put back into the queue when the next worker starts, and while it runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import procrastinate
import procrastinate.jobs
from procrastinate.manager import JobManager
from sqlalchemy.orm import Session

from data import accounts, attaching, coverage, duplicates, hotspots, notifications, photos, plans, reminders, reports
from data.base import access, cluster, db, jobs, scratch, sendings, settings
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
    plans.PROPOSE_JOB: plans.propose,
}
#: The kinds of jobs that nobody asked for in person.
_OF_THE_SYSTEM = (notifications.SEND_JOB, coverage.FOLLOW_JOB)
_SWEEP_S = 30.0
_HOUR_S = 3600.0
#: How often the queue is looked into when nobody says that there is something new.
_LOOK_S = 1.0
#: How long the database is tried for, and after how long again.
_REACH_S, _AGAIN_S = 5.0, 1.0
#: How long jobs are given to end when the worker has to stop.
_END_S = 10.0
#: How often the clock is looked at, how far it may go astray meanwhile, and how long it has to have gone evenly.
_LOOK_AT_CLOCK_S, _ASTRAY_S, EVEN_S = 60.0, 30.0, 6 * 3600.0
_chores: list[asyncio.Task[None]] = []


def run() -> None:
    """Work until SIGTERM or SIGINT; a database that is away is waited for."""
    attaching.attach()
    asyncio.run(_work())


async def _work() -> None:
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    stopping = asyncio.create_task(told_to_stop.wait())
    for every_s, chore in (
        (_SWEEP_S, _requeue),
        (_SWEEP_S, remind),
        (_SWEEP_S, let_plans_take_effect),
        (_HOUR_S, _watch_what_came_in),
        (_HOUR_S, _seal_what_is_in_clear),
        (_HOUR_S, follow_what_moved),
        (_HOUR_S, look_for_duplicates),
        (_LOOK_AT_CLOCK_S, _Removing(Clock()).chore),
    ):
        _chores.append(asyncio.create_task(_repeat(every_s, chore)))
    while not stopping.done():
        # The queue's own worker ends when it loses the database.
        taking = asyncio.create_task(_take_jobs())
        await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            taking.cancel()
        (error,) = await asyncio.gather(taking, return_exceptions=True)
        if not stopping.done():
            log.warning("Jobs wait: the queue cannot be reached (%s)", type(error).__name__)
            await asyncio.wait({stopping}, timeout=_AGAIN_S)
    # A job that was not done in time begins anew, and its thread need not be waited for.
    logging.shutdown()
    os._exit(0)


async def _take_jobs() -> None:
    """Do the jobs of the queue until cancelled, or until the database is lost."""
    connector = procrastinate.PsycopgConnector(
        conninfo=cluster.dsn(), timeout=_REACH_S, kwargs={"options": f"-c search_path={jobs.QUEUE_SCHEMA},public"}
    )
    app = procrastinate.App(connector=connector)
    app.job_manager = _Waking(connector)
    for kind, handler in HANDLERS.items():
        app.task(name=kind)(_task(handler))
    async with app.open_async(), asyncio.TaskGroup() as workers:
        for lane, at_once in jobs.LANES.items():
            work = app.run_worker_async(
                queues=[lane, "default"] if lane == jobs.LONG else [lane],  # what an earlier version put in
                concurrency=at_once,
                fetch_job_polling_interval=_LOOK_S,
                shutdown_graceful_timeout=_END_S,
                delete_jobs="successful",
                install_signal_handlers=False,
            )
            workers.create_task(work)


class _Waking(JobManager):
    """Lets the worker look into the queue once a job has ended: what waited for its lane need not wait longer."""

    async def finish_job(
        self, job: procrastinate.jobs.Job, status: procrastinate.jobs.Status, delete_job: bool
    ) -> None:
        """Set a job to its last state, and tell whoever waits for jobs."""
        await super().finish_job(job, status, delete_job)
        await self.connector.execute_query_async(
            "SELECT pg_notify('procrastinate_any_queue_v1', %(notice)s)",
            notice=f'{{"type": "job_inserted", "job_id": {job.id}}}',
        )


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
    """Do a chore at the start and now and then; when the database was away, it is tried again soon."""
    while True:
        pause_s = every_s
        try:
            await asyncio.to_thread(chore)
        except db.Unreachable as error:
            log.warning("The chore %s waits: %s", chore.__name__, error)
            pause_s = min(every_s, _SWEEP_S)
        except Exception:
            log.exception("The chore %s failed", chore.__name__)
        await asyncio.sleep(pause_s)


def _requeue() -> None:
    """Put cut-off jobs back into the queue, and clear away what cut-off and cancelled ones left lying."""
    scratch.sweep()
    with db.transaction(access.SYSTEM) as session:
        retention.remove_papers_of_cancelled(session)
        if count := jobs.requeue_stalled(session):
            log.warning("%s cut-off jobs begin anew", count)


def remind() -> None:
    """Let the limits of cases take effect that have come, and have sent what was not sent the first time."""
    while True:
        with db.transaction(access.SYSTEM) as session:
            if not reminders.sweep(session, datetime.now(UTC)):
                notifications.ask_to_send_what_is_left(session)
                return


def let_plans_take_effect() -> None:
    """Let the plans of boundaries take effect whose day has come, or passed while the worker was away."""
    if count := plans.take_effect_where_due():
        log.info("%s plans of boundaries took effect", count)


def _watch_what_came_in() -> None:
    """Watch the limits of cases that were loaded past the workflow."""
    with db.transaction(access.SYSTEM) as session:
        reminders.watch_all(session)


def look_for_duplicates() -> None:
    """Look for people and households that were recorded twice among what was changed, a batch at a time."""
    looked = True
    while looked:
        with db.transaction(access.SYSTEM) as session:
            looked = duplicates.look_everywhere(session) > 0


def _seal_what_is_in_clear() -> None:
    """Seal the files of versions that did not."""
    retention.seal_what_is_in_clear()
    if count := photos.seal_what_is_in_clear():
        log.info("%s files of photos that lay in clear are sealed", count)


class Clock:
    """Whether the clock has gone evenly for long enough to be trusted with removing things.

    A machine that starts with an empty battery, or whose clock is set wrong by hand, is soon put right; what was
    removed meanwhile for being years old would be gone.
    """

    def __init__(self) -> None:
        self._ahead_s = time.time() - time.monotonic()
        self._even_since = time.monotonic()

    def is_trusted(self) -> bool:
        """Look at it; to be asked now and then."""
        ahead_s = time.time() - time.monotonic()
        if abs(ahead_s - self._ahead_s) > _ASTRAY_S:
            log.warning(
                "The clock jumped by %.0f s: nothing is removed until it has gone evenly", ahead_s - self._ahead_s
            )
            self._even_since = time.monotonic()
        self._ahead_s = ahead_s
        return time.monotonic() - self._even_since >= EVEN_S


class _Removing:
    """Removes every hour what was kept long enough, while the clock is trusted."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._due = clock, 0.0

    def chore(self) -> None:
        """Look at the clock, and remove what there is to remove when an hour has passed."""
        if self._clock.is_trusted() and time.monotonic() >= self._due:
            _forget()
            _remove_uploads()
            tidy_reports()
            self._due = time.monotonic() + _HOUR_S


def _forget() -> None:
    """Forget watches of closed cases, and messages that nobody needs any more."""
    with db.transaction(access.SYSTEM) as session:
        reminders.forget_closed(session)
        notifications.forget_old(session)
        sendings.forget(session)
        duplicates.forget(session)


def _remove_uploads() -> None:
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
