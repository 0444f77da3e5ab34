"""How long what was handed in is kept: uploads, rows sent back, their jobs, and nothing that is still needed."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from data.base import access, jobs, sealed, secrets, settings
from data.base.jobs import Job, JobState, Upload
from data.exchange import retention, uploads
from tests.city import City

NOW = datetime.now(UTC)
LIMIT = NOW - timedelta(days=30)


@pytest.fixture
def city(session: Session, new_home: Path) -> City:
    """The small city in an installation whose folder holds nothing but its keys."""
    secrets.make_keys()
    return City.make(session)


def handed_in(city: City, content: bytes, days_ago: int) -> Upload:
    """An upload, and its file on the disk as long ago."""
    upload = uploads.keep(city.session, access.SYSTEM, io.BytesIO(content), "a.csv", community_id=city.community.id)
    upload.created_at = NOW - timedelta(days=days_ago)
    aged(uploads.place(upload), days_ago)
    return upload


def aged(path: Path, days_ago: int) -> Path:
    """A file written so many days ago, made when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    at = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(path, (at, at))
    return path


def job(city: City, upload: Upload, ended: int | None, **more: Any) -> Job:
    """An import of an upload that ended so many days ago, or is still to be done."""
    at = NOW - timedelta(days=ended) if ended is not None else None
    state = JobState.DONE if at else JobState.QUEUED
    made = Job(kind="import", params={"upload_id": upload.id}, state=state, finished_at=at, **more)
    city.session.add(made)
    city.session.flush()
    return made


def swept(city: City) -> tuple[int, int]:
    """Sweep as the worker does."""
    return retention.forget(city.session, LIMIT), retention.remove_files(city.session, LIMIT)


def test_an_upload_goes_with_its_jobs_and_what_was_sent_back(city: City) -> None:
    old, new = handed_in(city, b"old", 40), handed_in(city, b"new", 40)
    ended = [job(city, old, 35), job(city, old, 31)]
    job(city, new, 35)
    job(city, new, 29)
    folder = settings.get().uploads / "rejects"
    beside = [aged(folder / f"{one.id}{suffix}", 31) for one in ended for suffix in (".csv", ".look.json")]
    gone, kept = uploads.place(old), uploads.place(new)

    assert swept(city) == (1, 5)

    assert list(city.session.scalars(select(Upload))) == [new]
    assert len(list(city.session.scalars(select(Job).where(Job.kind == "import")))) == 2
    assert (gone.exists(), kept.exists()) == (False, True)
    assert not any(path.exists() for path in beside)


def test_an_upload_whose_import_is_not_done_stays(city: City) -> None:
    upload = handed_in(city, b"waiting", 90)
    job(city, upload, 80)
    job(city, upload, None)
    assert swept(city) == (0, 0)
    assert uploads.place(upload).exists()


def test_a_file_that_another_upload_holds_too_stays(city: City) -> None:
    first = handed_in(city, b"twice", 90)
    second = handed_in(city, b"twice", 3)
    aged(uploads.place(second), 90)
    assert swept(city) == (1, 0)
    with uploads.opened(second) as path:
        assert path.read_bytes() == b"twice"
        assert path.name == "a.csv"
        assert path.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()
    assert first.sha256 == second.sha256


def test_files_without_a_record_go_once_they_are_old_and_other_folders_are_left_alone(city: City) -> None:
    folder = settings.get().uploads
    digest = "ab" * 32
    lost = [folder / "ab" / digest, folder / "x.part", folder / "rejects" / "7.csv"]
    for path in lost:
        aged(path, 31)
    young, other = aged(folder / "y.part", 1), aged(folder / "photos" / "ab" / digest, 900)
    assert swept(city) == (0, 3)
    assert not any(path.exists() for path in lost)
    assert young.exists()
    assert other.exists()


def test_nothing_is_removed_while_somebody_hands_a_file_in(city: City, engine: Engine) -> None:
    path = aged(settings.get().uploads / "ab" / ("ab" * 32), 31)
    with engine.connect() as other:
        other.execute(text("SELECT pg_advisory_xact_lock_shared(:room, 0)"), {"room": uploads.LOCK_ROOM})
        assert swept(city) == (0, 0)
    assert swept(city) == (0, 1)
    assert not path.exists()


def test_an_upload_is_never_on_the_disk_in_clear_but_while_it_is_read(city: City) -> None:
    content = "姓名,身份证号\n李小明,310101194910012417\n".encode()
    upload = handed_in(city, content, 1)
    place = uploads.place(upload)
    assert b"310101194910012417" not in place.read_bytes()
    assert (place.stat().st_mode | place.parent.stat().st_mode) & 0o077 == 0

    place.write_bytes(content)  # as it lay there before files were sealed
    with uploads.opened(upload) as path:
        assert path.read_bytes() == content
    retention.seal_what_is_in_clear()
    assert b"310101194910012417" not in place.read_bytes()
    with uploads.opened(upload) as path:
        assert path.read_bytes() == content

    sealed.write(place, [b"another one"])
    with pytest.raises(sealed.Unreadable, match="not the one that was handed in"), uploads.opened(upload):
        raise AssertionError


def test_a_job_that_was_cut_off_and_then_cancelled_leaves_nothing(city: City) -> None:
    running = job(city, handed_in(city, b"a", 1), None)
    kept = job(city, handed_in(city, b"b", 1), 1)
    for one in (running, kept):
        sealed.write(jobs.papers_folder() / f"{one.id}.csv", [b"rows"])
        sealed.write(jobs.papers_folder() / f"{one.id}.look.json", [b"{}"])
    jobs.cancel(city.session, access.SYSTEM, running.id)
    assert running.state == JobState.CANCELLED
    left = {path.name for path in jobs.papers_folder().iterdir()}
    assert left == {f"{kept.id}.csv", f"{kept.id}.look.json"}

    sealed.write(jobs.papers_folder() / f"{running.id}.csv", [b"rows"])
    retention.remove_papers_of_cancelled(city.session)
    assert {path.name for path in jobs.papers_folder().iterdir()} == left
    jobs.cancel(city.session, access.SYSTEM, kept.id)
    assert kept.state == JobState.DONE, "what is done stays done, with what it wrote"
    assert {path.name for path in jobs.papers_folder().iterdir()} == left
