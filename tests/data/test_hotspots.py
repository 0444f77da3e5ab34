"""Runs of the hotspot analysis on the demo community and on a small city."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.orm import Session

from data import hotspots
from data.base import access
from data.demo import load, plan
from data.hotspots import Params

PASSWORD = "plane trees by the river"
SYSTEM = access.SYSTEM


@pytest.fixture(scope="module")
def filled(engine: Engine) -> Iterator[Connection]:
    """A connection whose transaction holds the demo of a fixed day, rolled back after the tests of this module."""
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", info={"actor": SYSTEM}) as session:
            load.load(session, password=PASSWORD)
            session.commit()
        yield connection
        outer.rollback()


@pytest.fixture
def demo(filled: Connection) -> Iterator[Session]:
    """A session on the demo; what a test changes is undone."""
    with filled.begin_nested() as savepoint:
        with Session(
            filled, join_transaction_mode="create_savepoint", expire_on_commit=False, info={"actor": SYSTEM}
        ) as session:
            yield session
        savepoint.rollback()


LIGHTS = Params(community=plan.COMMUNITY, categories=("facility.corridor_light",))


def test_the_demos_corridor_lights_are_hot_around_buildings_six_to_ten_of_grid_two(demo: Session) -> None:
    run = hotspots.run(demo, SYSTEM, LIGHTS)
    (spot, *others) = hotspots.spots(run)
    assert not others
    assert spot["heat"] == "hot_99"
    assert [grid["name"] for grid in spot["grids"]] == ["第二网格"]
    assert {row["number"] for row in spot["buildings"] if row["main"]} == {"6", "7", "8", "9", "10"}
