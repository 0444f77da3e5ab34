"""Jobs: progress, failure, cancelling, and beginning anew after the worker was killed."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from data import units
from data.base import access, db, jobs
from data.base.errors import Busy, Conflict
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


def test_a_full_disk_is_a_sentence_of_its_job(database: Engine) -> None:
    def fill() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("a library's own words") from error

    job_id = enqueued(database)
    jobs.perform(job_id, writing(fill), system)
    assert "disk of the server is full" in (job(job_id).detail or "")


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
        with pytest.raises(Busy):
            jobs.perform(job_id, writing(), system)  # a second worker

    jobs.perform(job_id, writing(look), system)
    assert written(database) == 1


def test_a_job_and_its_place_in_the_queue_are_one(database: Engine) -> None:
    with db.engine().connect() as connection, Session(connection) as session:
        jobs.enqueue(session, access.SYSTEM, "import", {}, community_id=None, language="zh")
        session.rollback()
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM queue.procrastinate_jobs")) == 0


def fetched(database: Engine, count: int) -> list[str | None]:
    """What a worker takes up that ends nothing."""
    with database.begin() as connection:
        connection.execute(text(f"SET LOCAL search_path = {jobs.QUEUE_SCHEMA}, public"))
        worker = connection.scalar(text("SELECT worker_id FROM procrastinate_register_worker_v1()"))
        fetch = text("SELECT (procrastinate_fetch_job_v2(NULL, :worker)).args ->> 'job_id'")
        taken = [connection.scalar(fetch, {"worker": worker}) for _attempt in range(count)]
        connection.execute(text("DELETE FROM procrastinate_workers"))
    return taken


def test_a_brief_job_does_not_wait_for_a_long_one_and_a_long_one_does(database: Engine) -> None:
    with db.transaction(access.SYSTEM) as session:
        made = [
            jobs.enqueue(session, access.SYSTEM, kind, {}, community_id=None, language="en", lane=lane).id
            for kind, lane in (("import", jobs.LONG), ("import", jobs.LONG), ("send", jobs.BRIEF))
        ]
    assert fetched(database, 3) == [str(made[0]), str(made[2]), None]


def test_a_job_of_one_community_keeps_no_other_one_waiting(database: Engine) -> None:
    with db.transaction(access.SYSTEM) as session:
        first, second = (
            units.add(session, access.SYSTEM, level=units.Level.DISTRICT, code=code, name="区").id
            for code in ("310101", "310102")
        )
        made = [
            jobs.enqueue(session, access.SYSTEM, "import", {}, community_id=community, language="en").id
            for community in (first, first, second)
        ]
    assert fetched(database, 3) == [str(made[0]), str(made[2]), None]


def test_a_job_that_begins_anew_waits_for_the_same_ones_as_before(database: Engine) -> None:
    with db.transaction(access.SYSTEM) as session:
        community = units.add(session, access.SYSTEM, level=units.Level.DISTRICT, code="310101", name="区").id
        jobs.enqueue(session, access.SYSTEM, "import", {}, community_id=community, language="en")
    queued = text("SELECT queue_name, lock FROM queue.procrastinate_jobs")
    with database.begin() as connection:
        before = connection.execute(queued).all()
        connection.execute(text(f"SET LOCAL search_path = {jobs.QUEUE_SCHEMA}, public"))
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    with db.transaction(access.SYSTEM) as session:
        assert jobs.requeue_stalled(session) == 1
    with database.connect() as connection:
        assert connection.execute(queued).all() == before == [("long", f"long of community {community}")]


def left(database: Engine, state: str, status: str | None, attempts: int = 0) -> int:
    """A job as a worker left it that was killed or lost its database; no ``status``: its place in the queue is gone."""
    job_id = enqueued(database)
    with database.begin() as connection:
        connection.execute(text(f"SET LOCAL search_path = {jobs.QUEUE_SCHEMA}, public"))
        connection.execute(text("UPDATE job SET state = :state WHERE id = :id"), {"state": state, "id": job_id})
        connection.execute(
            text(
                "UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status), attempts = :attempts"
            )
            if status
            else text("DELETE FROM procrastinate_jobs"),
            {"status": status, "attempts": attempts} if status else {},
        )
    return job_id


def swept(database: Engine) -> int:
    """How many jobs begin anew."""
    with db.transaction(access.SYSTEM) as session:
        return jobs.requeue_stalled(session)


@pytest.mark.parametrize("state", ["queued", "running"])
@pytest.mark.parametrize("status", ["doing", "failed", "aborted", None])
def test_no_job_is_running_for_ever_however_its_worker_ended(database: Engine, state: str, status: str | None) -> None:
    job_id = left(database, state, status)
    assert swept(database) == 1
    with database.connect() as connection:
        places = connection.execute(text("SELECT status, args->>'job_id' FROM queue.procrastinate_jobs")).all()
    assert places == [("todo", str(job_id))]
    assert swept(database) == 0, "it waits for its turn now"
    jobs.perform(job_id, writing(), system)
    assert job(job_id).state == JobState.DONE


def test_a_job_that_is_cut_off_again_and_again_fails_with_what_to_do(database: Engine) -> None:
    job_id = left(database, "running", "doing")
    for _again in range(jobs.TRIES - 1):
        assert swept(database) == 1
        with database.begin() as connection:
            connection.execute(text("SET LOCAL search_path = queue, public"))
            connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    assert swept(database) == 0
    failed = job(job_id)
    assert failed.state == JobState.FAILED
    assert failed.finished_at is not None
    assert failed.detail is not None
    assert f"cut off {jobs.TRIES} times" in failed.detail


def test_the_places_of_jobs_that_are_over_are_taken_away(database: Engine) -> None:
    left(database, "done", "failed")
    assert swept(database) == 0
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM queue.procrastinate_jobs")) == 0


HOSTILE = ["a\0b", "\ud83d", {"a\0": ["\0", {"\udc00": float("nan")}]}, float("inf"), {1, 2}, b"\0", object()]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("ending", ["result", "refusal", "words", "crash"])
def test_whatever_a_job_ends_with_it_ends(
    database: Engine, value: Any, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    # A half of a surrogate pair in what is captured could not be told from one process of the tests to another.
    caplog.set_level(logging.CRITICAL + 1, logger="wangge.jobs")

    def handle(_session: Session, _actor: access.Actor, _job: Job, _progress: Callable[..., None]) -> dict[str, Any]:
        match ending:
            case "result":
                return {"new": value, "a\0": value}
            case "refusal":
                raise Conflict("Row 3 is wrong.", row=value)
            case "words":
                raise Conflict(f"Row {value} is \0 wrong \ud83d.")
        raise RuntimeError(value)

    job_id = enqueued(database)
    jobs.perform(job_id, handle, system)
    over = job(job_id)
    assert over.state == (JobState.DONE if ending == "result" else JobState.FAILED)
    assert over.finished_at is not None


@pytest.mark.parametrize("error", [SystemExit(1), MemoryError(), RecursionError(), BaseException("a panic")])
def test_no_kind_of_error_leaves_a_job_running(database: Engine, error: BaseException) -> None:
    def handle(*_arguments: object) -> dict[str, Any]:
        raise error

    job_id = enqueued(database)
    jobs.perform(job_id, handle, system)
    failed = job(job_id)
    assert failed.state == JobState.FAILED
    assert failed.detail is not None
    assert "Try it once more" in failed.detail


def test_a_job_whose_owner_has_gone_fails_and_says_so(database: Engine) -> None:
    def closed(_session: Session, _job: Job) -> access.Actor:
        raise Conflict("The account is closed.")

    job_id = enqueued(database)
    jobs.perform(job_id, writing(), closed)
    assert (job(job_id).state, job(job_id).detail) == (JobState.FAILED, "The account is closed.")


def test_a_job_that_loses_its_database_begins_anew(database: Engine) -> None:
    def lose(session: Session, *_arguments: object) -> dict[str, Any]:
        session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        raise AssertionError("the connection is gone")

    job_id = enqueued(database)
    with pytest.raises(db.Unreachable):
        jobs.perform(job_id, lose, system)
    assert job(job_id).state == JobState.RUNNING
    with database.begin() as connection:
        connection.execute(text("SET LOCAL search_path = queue, public"))
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
    assert swept(database) == 1
    jobs.perform(job_id, writing(), system)
    assert job(job_id).state == JobState.DONE
