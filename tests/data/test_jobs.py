"""Jobs: progress, failure, cancelling, and beginning anew after the worker was killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from data import units
from data.base import access, db, jobs
from data.base.errors import Conflict
from data.base.jobs import Job, JobState


@pytest.fixture
def database(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """This worker's database as the one of the installation; what is written is taken away again."""
    monkeypatch.setattr(db, "engine", lambda: engine)
    yield engine
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL search_path = {jobs.QUEUE_SCHEMA}, public"))
        for table in ("job", "procrastinate_jobs", "audit", "unit"):
            connection.execute(text(f"DELETE FROM {table}"))


def enqueued(database: Engine) -> int:
    """A new job of the system's."""
    with db.transaction(access.SYSTEM) as session:
        return jobs.enqueue(session, access.SYSTEM, "import", {}, community_id=None, language="en").id


def system(_session: Session, _job: Job) -> access.Actor:
    """Every job here runs for the system."""
    return access.SYSTEM


def job(job_id: int) -> Job:
    """The job as it stands now."""
    with db.transaction(access.SYSTEM) as session:
        found = session.get(Job, job_id)
        assert found is not None
        return found


def writing(then: Callable[[], None] = lambda: None) -> jobs.Handler:
    """A handler that writes a unit, and then does something."""

    def handle(session: Session, actor: access.Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
        progress("Reading", 1, 2)
        units.add(session, actor, level=units.Level.DISTRICT, code=f"job{job.id}", name="区")
        then()
        progress("Writing", 2, 2)
        return {"new": 1}

    return handle


def written(database: Engine) -> int:
    """How many units there are."""
    with database.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM unit")) or 0


def test_a_job_that_ends_well_has_written_and_says_so(database: Engine) -> None:
    job_id = enqueued(database)
    jobs.perform(job_id, writing(), system)
    done = job(job_id)
    assert (done.state, done.result, done.step, done.done, done.total) == (JobState.DONE, {"new": 1}, "Writing", 2, 2)
    assert written(database) == 1


def test_a_job_is_done_once_however_often_it_is_started(database: Engine) -> None:
    job_id = enqueued(database)
    for _again in range(3):
        jobs.perform(job_id, writing(), system)
    assert written(database) == 1


def test_a_job_that_fails_has_written_nothing_and_says_why(database: Engine) -> None:
    def refuse() -> None:
        raise Conflict("Row 3 is wrong.", row=3)

    job_id = enqueued(database)
    jobs.perform(job_id, writing(refuse), system)
    failed = job(job_id)
    assert (failed.state, failed.detail, failed.result) == (JobState.FAILED, "Row 3 is wrong.", {"row": 3})
    assert written(database) == 0


def test_an_unexpected_failure_tells_nobody_its_insides(database: Engine) -> None:
    def break_down() -> None:
        raise RuntimeError("secret 13800006021")

    job_id = enqueued(database)
    jobs.perform(job_id, writing(break_down), system)
    detail = job(job_id).detail
    assert detail is not None
    assert "secret" not in detail


def test_a_job_cancelled_while_it_runs_writes_nothing(database: Engine) -> None:
    job_id = enqueued(database)

    def cancel() -> None:
        with db.transaction(access.SYSTEM) as session:
            jobs.cancel(session, access.SYSTEM, job_id)

    jobs.perform(job_id, writing(cancel), system)
    assert job(job_id).state == JobState.CANCELLED
    assert written(database) == 0


def test_a_job_that_was_cut_off_is_put_back_and_done(database: Engine) -> None:
    job_id = enqueued(database)
    with database.begin() as connection:  # as a killed worker leaves it
        connection.execute(text("UPDATE job SET state = 'running'"))
        connection.execute(text("SET LOCAL search_path = queue, public"))
        connection.execute(text("UPDATE queue.procrastinate_jobs SET status = 'doing'"))
    with db.transaction(access.SYSTEM) as session:
        assert jobs.requeue_stalled(session) == 1
    with database.connect() as connection:
        assert connection.scalar(text("SELECT status FROM queue.procrastinate_jobs")) == "todo"
    jobs.perform(job_id, writing(), system)
    assert job(job_id).state == JobState.DONE


def test_a_job_that_somebody_works_on_is_left_to_them(database: Engine) -> None:
    job_id = enqueued(database)
    with database.begin() as connection:
        connection.execute(text("SET LOCAL search_path = queue, public"))
        connection.execute(text("UPDATE queue.procrastinate_jobs SET status = 'doing'"))

    def look() -> None:
        with db.transaction(access.SYSTEM) as session:
            assert jobs.requeue_stalled(session) == 0
        jobs.perform(job_id, writing(), system)  # a second worker

    jobs.perform(job_id, writing(look), system)
    assert written(database) == 1


def test_a_job_and_its_place_in_the_queue_are_one(database: Engine) -> None:
    with db.engine().connect() as connection, Session(connection) as session:
        jobs.enqueue(session, access.SYSTEM, "import", {}, community_id=None, language="zh")
        session.rollback()
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM queue.procrastinate_jobs")) == 0


def test_a_brief_job_does_not_wait_for_a_long_one_and_a_long_one_does(database: Engine) -> None:
    with db.transaction(access.SYSTEM) as session:
        made = [
            jobs.enqueue(session, access.SYSTEM, kind, {}, community_id=None, language="en", lane=lane).id
            for kind, lane in (("import", jobs.LONG), ("import", jobs.LONG), ("send", jobs.BRIEF))
        ]
    with database.begin() as connection:
        connection.execute(text(f"SET LOCAL search_path = {jobs.QUEUE_SCHEMA}, public"))
        worker = connection.scalar(text("SELECT worker_id FROM procrastinate_register_worker_v1()"))
        fetch = text("SELECT (procrastinate_fetch_job_v2(NULL, :worker)).args ->> 'job_id'")
        fetched = [connection.scalar(fetch, {"worker": worker}) for _attempt in range(3)]
        connection.execute(text("DELETE FROM procrastinate_workers"))
    assert fetched == [str(made[0]), str(made[2]), None]
