"""The application on the test's own transaction, and clients for the people of the small city."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.app import create_app
from api.base.deps import csrf_of
from api.base.request import session_cookie
from data import accounts, units
from data.base import db, secrets, settings
from data.base.access import Actor
from tests.city import City

with warnings.catch_warnings():
    # starlette would rather have httpx2, which nothing else here needs.
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient as TestClient

#: Somebody with a role at a unit, signed in by API token.
ClientFor = Callable[..., TestClient]


def on_connection(session: Session) -> Callable[[Actor], AbstractContextManager[Session]]:
    """``db.transaction`` inside the test's transaction: a commit releases a savepoint, a failure goes back to it."""

    @contextmanager
    def transaction(actor: Actor) -> Iterator[Session]:
        session.flush()
        connection = session.connection()
        # What a server does on another connection happens here within that of a request, whose role comes back.
        before = connection.scalar(text("SELECT current_setting('role')"))
        if actor.is_system:
            connection.execute(text("SET LOCAL ROLE NONE"))
        with Session(
            connection, join_transaction_mode="create_savepoint", expire_on_commit=False, info={"actor": actor}
        ) as inner:
            try:
                db.enter(inner, actor)
                yield inner
                inner.commit()
            except DBAPIError as error:
                inner.rollback()
                raise db.explain(error) from error
        # Releasing a savepoint keeps the role that was set inside it.
        connection.execute(text("SELECT set_config('role', :role, true)"), {"role": before})
        session.expire_all()

    return transaction


@pytest.fixture(scope="session", autouse=True)
def _one_event_loop() -> Iterator[None]:
    """All requests of a run share one event loop and its threads, as those of a server do."""
    with start_blocking_portal() as TestClient.portal:
        yield
    TestClient.portal = None


@pytest.fixture
def city(session: Session) -> City:
    """The 3 × 3 city with three households and two incidents."""
    city = City.make(session)
    for grid in ("A1", "B2", "C3"):
        city.household(grid)
    city.incident(50, 50)
    city.incident(150, 150, category_code="environment.stray_cat", description="野猫较多")
    return city


@pytest.fixture(scope="session")
def application() -> FastAPI:
    """The application. It is made once: to lay out its routes takes longer than most tests."""
    return create_app()


@pytest.fixture
def app(application: FastAPI, session: Session) -> FastAPI:
    """The application on the test's transaction."""
    application.state.transaction = on_connection(session)
    application.state.actors.forget()
    return application


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    """Somebody who has not signed in, and reads English."""
    return TestClient(app, headers={"Accept-Language": "en"}, follow_redirects=False)


def signed_in(app: FastAPI, session: Session, actor: Actor) -> TestClient:
    """Somebody who has signed in, with the CSRF token of the session."""
    token = secrets.new_token()
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    session.add(
        accounts.SignIn(token_hash=secrets.token_hash(token), account_id=actor.account_id, expires_at=expires_at)
    )
    session.flush()
    cookies = {session_cookie(settings.get()): token}
    return TestClient(app, headers={"X-CSRF-Token": csrf_of(token)}, cookies=cookies, follow_redirects=False)


@pytest.fixture
def client_for(app: FastAPI, city: City) -> ClientFor:
    """Makes clients: ``client_for("grid_leader", city.grids["A1"])``; without a unit the role holds everywhere.

    They are programs with a token, and with ``program=False`` people who signed in.
    """

    def make(role: str = "administrator", unit: units.Unit | None = None, *, program: bool = True) -> TestClient:
        actor = city.actor(role, unit)
        if not program:
            return signed_in(app, city.session, actor)
        _row, token = accounts.new_api_token(city.session, actor, name="test")
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
        return TestClient(app, headers=headers, follow_redirects=False)

    return make
