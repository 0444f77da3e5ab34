"""Changes that another process does: committed when they return, known here, and refused with the same words."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, text
from sqlalchemy.orm import Session

from api import hands, nursery
from data import keys, units
from data.base import changes, db, language, processes
from data.base.access import SYSTEM, Actor, Area
from data.base.cluster import REQUESTS, Cluster
from data.base.errors import Busy, Conflict
from data.base.language import _
from data.units import Unit

NAME = "手"


def rename(session: Session, _actor: Actor, unit_id: int, name: str) -> str:
    """What a hand is asked to do: a write, and an answer."""
    session.get_one(Unit, unit_id).name = name
    return name


def refuse(_session: Session, _actor: Actor, value: int) -> None:
    """A refusal with a sentence in the language of whoever asked."""
    raise Conflict(_("Not found, or outside your area."), value=value)


def fail(session: Session, _actor: Actor, unit_id: int) -> None:
    """A write, then something that nobody expected."""
    session.get_one(Unit, unit_id).name = "broken"
    session.flush()
    raise ZeroDivisionError("nobody expected this")


def die(_session: Session, _actor: Actor) -> None:
    """What the kernel does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def walls(session: Session, actor: Actor) -> tuple[str, str, int | None]:
    """As whom the database sees this transaction, in which communities, and who is acting."""
    role, communities = session.execute(text("SELECT current_user, current_setting('wangge.communities')")).one()
    return role, communities, actor.account_id


def patience(session: Session, _actor: Actor) -> tuple[int, int]:
    """How far the hand stands back, and PostgreSQL's process of its connection."""
    backend = session.scalar(text("SELECT pg_backend_pid()"))
    assert backend is not None
    return os.getpriority(os.PRIO_PROCESS, 0), os.getpriority(os.PRIO_PROCESS, backend)


def version(_session: Session, _actor: Actor) -> int | None:
    """What the hand knows of writes to units."""
    return changes.version(("unit",))


@pytest.fixture
def unit(engine: Engine, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Unit]:
    """A unit that every process sees, in the database that hands are told of."""
    assert engine.url.database is not None
    monkeypatch.setenv("WANGGE_DATABASE_URL", cluster.dsn(engine.url.database))
    # Hands log in as requests do, and find the mark of the keys that the server has left before it let them come.
    monkeypatch.setenv("WANGGE_REQUEST_DATABASE_URL", cluster.dsn(engine.url.database, REQUESTS))
    keys.check(engine)
    with db.transaction(SYSTEM, engine) as session:
        made = units.add(session, SYSTEM, level=units.Level.DISTRICT, code="310198", name=NAME)
    yield made
    with db.transaction(SYSTEM, engine) as session:
        session.execute(text("DELETE FROM audit WHERE record_kind = 'unit' AND record_id = :id"), {"id": made.id})
        session.execute(delete(Unit).where(Unit.id == made.id))
        session.execute(text("DELETE FROM key_mark"))


def asked(*calls: tuple[Callable[..., Any], Any], actor: Actor = SYSTEM) -> list[Any]:
    """What one hand answers, call by call; an error in its place."""

    async def run() -> list[Any]:
        async with hands.at_work(1) as found:
            assert found is not None
            answers = [found.do(actor, work, *args) for work, args in calls]
            return [(await asyncio.gather(answer, return_exceptions=True))[0] for answer in answers]

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_a_hand_and_its_process_of_the_database_stand_back(unit: Unit) -> None:
    ((hand, backend),) = asked((patience, ()))
    # Less where the tests themselves are preferred, more where they stand back.
    assert min(hand, backend) >= hands.NICE + min(os.nice(0), 0)


def test_whoever_leaves_meanwhile_takes_no_answer_with_them(engine: Engine, unit: Unit) -> None:
    async def run() -> str:
        async with hands.at_work(1) as found:
            assert found is not None
            leaving = asyncio.ensure_future(found.do(SYSTEM, rename, unit.id, "erste"))
            await asyncio.sleep(0)
            leaving.cancel()
            return await found.do(SYSTEM, rename, unit.id, "zweite")

    assert asyncio.run(asyncio.wait_for(run(), 60)) == "zweite"
    assert name_of(engine, unit) == "zweite"


def test_what_was_written_elsewhere_is_known_to_a_hand_before_it_begins(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> list[int | None]:
        async with hands.at_work(1) as found:
            assert found is not None
            seen = [await found.do(SYSTEM, version)]
            monkeypatch.setattr(changes.changes, "following", True)
            for written in ({"unit": {unit.id}}, {"incident": None}):
                seen.append(await found.do(SYSTEM, version))
                changes.changes.told(written)
            return [*seen, await found.do(SYSTEM, version), await found.do(SYSTEM, version)]

    unfollowed, before, after, other, same = asyncio.run(asyncio.wait_for(run(), 60))
    assert unfollowed is None, "while nobody follows nothing is kept"
    assert before is not None
    assert after is not None
    assert after > before
    assert after == other == same


def name_of(engine: Engine, unit: Unit) -> str:
    with db.transaction(SYSTEM, engine) as session:
        return session.get_one(Unit, unit.id).name


def test_a_change_is_committed_and_known_here_when_it_returns(
    engine: Engine, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[changes.Written] = []
    monkeypatch.setattr(changes.changes, "told", told.append)
    assert asked((rename, (unit.id, "新名"))) == ["新名"]
    assert name_of(engine, unit) == "新名"
    assert [set(written) for written in told] == [{"unit"}]


def test_a_refusal_comes_back_with_its_values_in_the_language_that_was_asked_in(unit: Unit) -> None:
    with language.using("zh"):
        (error,) = asked((refuse, (7,)))
    assert (type(error), error.facts) == (Conflict, {"value": 7})
    assert error.detail == "没有找到这条记录，或它不在负责范围内。"


def test_what_nobody_expected_changes_nothing_and_says_where_it_was(engine: Engine, unit: Unit) -> None:
    error, name = asked((fail, (unit.id,)), (rename, (unit.id, "其后")))
    assert isinstance(error, hands.Failed)
    assert "ZeroDivisionError: nobody expected this" in str(error)
    assert (name, name_of(engine, unit)) == ("其后", "其后")


def test_a_hand_that_dies_is_replaced_and_whoever_waited_is_told(engine: Engine, unit: Unit) -> None:
    error, name = asked((die, ()), (rename, (unit.id, "又来")))
    assert isinstance(error, Busy)
    assert (name, name_of(engine, unit)) == ("又来", "又来")


def test_a_hand_acts_for_whoever_asked_behind_the_same_walls(unit: Unit) -> None:
    area = Area(communities=frozenset({3, 4}))
    actor = Actor(account_id=5, permissions={"incident.report": area})
    assert asked((walls, ()), (walls, ()), actor=actor) == [(db.APP_ROLE, "3,4", 5)] * 2


def in_a_nursery(unit_id: int) -> list[Any]:
    """In a process that is alone with itself: hands from a nursery rename, die, and are there again."""
    nursery.open_here(hands.work)
    answers = asked((parent, ()), (die, ()), (rename, (unit_id, "geboren")), (parent, ()))
    (line,) = nursery._lines
    line.close()  # the nursery ends, and hands load for themselves
    return [*answers, *asked((parent, ()))]


def parent(_session: Session, _actor: Actor) -> tuple[int, str]:
    """Whose child the hand is, and what it calls itself."""
    return os.getppid(), Path("/proc/self/comm").read_text().strip()


def test_a_hand_is_a_fork_of_the_nursery_at_once_and_without_one_loads_for_itself(engine: Engine, unit: Unit) -> None:
    code = (
        "import json, os, sys; sys.path.insert(0, sys.argv[2]); from tests.api import test_hands as t;"
        "print(json.dumps([os.getpid(), *map(str, t.in_a_nursery(int(sys.argv[1])))]))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        processes.python("-c", code, str(unit.id), root), capture_output=True, text=True, check=True, timeout=120
    )
    itself, first, died, renamed, second, alone = json.loads(done.stdout)
    assert first == second, "both are children of the one nursery"
    assert "'wangge hand'" in first
    assert first != alone == f"({itself}, 'wangge hand')"
    assert "cut off" in died or "切断" in died or "中断" in died
    assert renamed == "geboren"
    assert name_of(engine, unit) == "geboren"
