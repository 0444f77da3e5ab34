"""Writes are noticed: by this process when it commits, by another by the notice that comes with the commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text, update
from sqlalchemy.orm import Session

from data.base import access, changes, db
from data.base.changes import Changes
from data.base.cluster import Cluster
from data.basemaps import Basemap
from data.buildings import Building
from data.units import Unit
from tests.city import City


@pytest.fixture(autouse=True)
def _followed() -> Iterator[None]:
    changes.changes.following = True
    yield
    changes.changes.following = False


def _commits(session: Session, write: Callable[[], object], *tables: str) -> bool:
    """Whether the number of ``tables`` grows by this write, not before its commit."""
    before = changes.version(tables)
    write()
    session.flush()
    assert changes.version(tables) == before
    session.commit()
    after = changes.version(tables)
    assert before is not None
    assert after is not None
    assert after >= before
    return after > before


def test_a_record_that_was_written_is_noticed_at_its_commit(session: Session) -> None:
    city = City.make(session)
    assert _commits(session, lambda: setattr(city.buildings["A1"], "name", "新楼"), "building")
    assert not _commits(session, lambda: setattr(city.buildings["A1"], "name", "旧楼"), "incident", "division")


def test_statements_are_noticed_as_well_as_records(session: Session) -> None:
    City.make(session)
    session.commit()
    assert _commits(session, lambda: session.execute(update(Building).values(name="x")), "building")
    assert _commits(session, lambda: session.execute(text('UPDATE "building" SET name = NULL')), "building")
    assert _commits(session, lambda: changes.touch(session, "building"), "building")
    assert not _commits(session, lambda: session.execute(text("SELECT name FROM building")), "building")


def test_a_write_in_one_community_leaves_the_others_as_they_are(session: Session) -> None:
    here, there = City.make(session), City.make(session, code="310102001002")
    session.commit()
    before = changes.version(["building"], {there.community.id})
    here.buildings["A1"].name = "新楼"
    session.commit()
    assert changes.version(["building"], {there.community.id}) == before
    after = changes.version(["building"], {here.community.id})
    assert after is not None
    assert before is not None
    assert after > before
    assert changes.version(["building"]) == after


def test_a_record_that_moves_is_noticed_where_it_was_and_where_it_is(session: Session) -> None:
    here, there = City.make(session), City.make(session, code="310102001002")
    way = Basemap(community_id=here.community.id, code="r1", kind="road", geom="SRID=4326;LINESTRING(0 0, 1 1)")
    session.add(way)
    session.commit()
    places = ({here.community.id}, {there.community.id})
    before = [changes.version(["basemap"], place) for place in places]
    way.community_id = there.community.id
    session.commit()
    assert all(changes.version(["basemap"], place) != old for place, old in zip(places, before, strict=True))


def test_what_was_rolled_back_is_not_noticed(session: Session) -> None:
    city = City.make(session)
    session.commit()
    before = changes.version(["building", "unit"])
    city.buildings["A1"].name = "新楼"
    session.flush()
    session.rollback()
    session.commit()
    assert changes.version(["building", "unit"]) == before


def test_a_savepoint_tells_nothing_by_itself_and_takes_nothing_back(session: Session) -> None:
    city = City.make(session)
    session.commit()
    before = changes.version(["building"])
    with session.begin_nested():
        city.buildings["A1"].name = "新楼"
    assert changes.version(["building"]) == before
    savepoint = session.begin_nested()
    session.execute(update(Unit).values(phone="1"))
    savepoint.rollback()
    session.commit()
    after = changes.version(["building"])
    assert before is not None
    assert after is not None
    assert after > before


def test_without_a_follower_there_is_no_number() -> None:
    changes.changes.following = False
    assert changes.version(["building"]) is None


def test_after_a_lost_connection_everything_counts_as_changed() -> None:
    alone = Changes()
    alone.following = True
    before = alone.version(["building"])
    alone.forget()
    after = alone.version(["building"], {1})
    assert before is not None
    assert after is not None
    assert after > before


def test_the_commit_of_another_process_is_heard_and_its_rollback_is_not(
    cluster: Cluster, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = engine.url.database
    assert name is not None
    told: list[changes.Written] = []

    async def follow() -> None:
        follower = asyncio.create_task(changes.follow(cluster.dsn(name)))
        while not changes.changes.following:
            await asyncio.sleep(0.01)
        with psycopg.connect(cluster.dsn(name)) as other:
            for notice in ('["other",{"building":[7],"unit":null}]', '["other",{"incident":null}]'):
                other.execute("SELECT pg_notify(%s, %s)", [changes.CHANNEL, notice])
                (other.commit if "building" in notice else other.rollback)()
        while not told:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        follower.cancel()

    changes.changes.following = False
    monkeypatch.setattr(changes.changes, "told", told.append)
    asyncio.run(asyncio.wait_for(follow(), 10))
    assert told == [{"building": {7}, "unit": None}]


def test_the_notice_of_a_commit_names_tables_and_communities(cluster: Cluster, engine: Engine) -> None:
    name = engine.url.database
    assert name is not None
    with psycopg.connect(cluster.dsn(name), autocommit=True) as other:
        other.execute(f"LISTEN {changes.CHANNEL}")
        with db.transaction(access.SYSTEM, engine) as session:
            changes.touch(session, "building", {4, 3})
            changes.touch(session, "audit")
        (heard,) = other.notifies(timeout=5, stop_after=1)
    assert heard.payload.endswith('{"building":[3,4]}]')


def test_what_is_made_of_a_table_is_kept_until_it_is_written(session: Session) -> None:
    made: list[int] = []
    kept = changes.Kept[int](Unit)

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [kept.get(session, "a", make) for _time in range(3)] == [0, 0, 0]
    assert kept.get(session, "b", make) == 1
    changes.changes.told({"building": None})
    assert kept.get(session, "a", make) == 0
    changes.changes.told({"unit": None})
    assert kept.get(session, "a", make) == 2


def test_what_a_session_wrote_itself_is_never_kept_before_it_is_committed(session: Session) -> None:
    kept = changes.Kept[str](Unit)
    assert kept.get(session, "a", lambda: "as it was") == "as it was"
    changes.touch(session, "unit")
    assert kept.get(session, "a", lambda: "as I wrote it") == "as I wrote it"
    session.info.pop("changes")
    assert kept.get(session, "a", lambda: "anew") == "as it was"


def test_each_schema_keeps_its_own(session: Session) -> None:
    kept = changes.Kept[str](Unit)
    session.info["schema"] = "street_a"
    assert kept.get(session, "leader", lambda: "of a") == "of a"
    session.info["schema"] = "street_b"
    assert kept.get(session, "leader", lambda: "of b") == "of b"
    session.info["schema"] = "street_a"
    assert kept.get(session, "leader", lambda: "anew") == "of a"


def test_nothing_is_kept_for_longer_than_those_are_trusted_who_tell_nobody(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = changes.Kept[str](Unit)
    assert kept.get(session, "a", lambda: "first") == "first"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + changes.KEEP_S + 1)
    assert kept.get(session, "a", lambda: "second") == "second"
