"""What several tests of the records begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from data.base import access
from data.base.cluster import Cluster
from data.demo import load
from tests.conftest import cloned
from tests.data.offices import Place

#: The password of everybody in the demo.
PASSWORD = "plane trees by the river"


@pytest.fixture
def base(session: Session, cases: Path) -> Place:
    """Two grids, twelve buildings, 锦绣路12弄1…12号."""
    return Place.make(session, cases)


@pytest.fixture(scope="session")
def demo(cluster: Cluster, worker: str) -> Iterator[tuple[Engine, list[dict[str, Any]]]]:
    """A database of its own that holds the demo of today, and the accounts that were given in it."""
    with cloned(cluster, f"wangge_demo_{worker}") as (_dsn, engine):
        with Session(engine, info={"actor": access.SYSTEM}) as session:
            given = load.load(session, password=PASSWORD)
            session.commit()
        yield engine, given


@pytest.fixture
def loaded(demo: tuple[Engine, list[dict[str, Any]]]) -> Iterator[Session]:
    """A session on the demo; what a test changes is undone. ``info["given"]`` has the accounts."""
    engine, given = demo
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(
            connection,
            join_transaction_mode="create_savepoint",
            expire_on_commit=False,
            info={"actor": access.SYSTEM, "given": given},
        ) as session:
            yield session
        outer.rollback()
