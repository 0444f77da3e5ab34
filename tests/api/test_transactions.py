"""On a database of its own: what is answered is committed, what is refused is absent, and of two only one wins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from starlette.types import Message, Receive, Scope, Send

from api.app import create_app
from data import accounts
from data.base import access, db
from data.base.access import Actor
from data.base.cluster import Cluster
from tests.api.conftest import TestClient
from tests.city import City
from tests.conftest import cloned


@pytest.fixture(scope="module")
def own(cluster: Cluster, worker: str) -> Iterator[Engine]:
    """A database that is really committed to, with a small city and its administrator ``boss``."""
    with cloned(cluster, f"wangge_live_{worker}") as (_dsn, engine):
        with db.transaction(access.SYSTEM, engine) as session:
            city = City.make(session)
            city.account("administrator", None, "boss")
            city.account("grid_leader", city.grids["A1"], "leader")
        yield engine


@pytest.fixture
def live(own: Engine) -> FastAPI:
    """The application on that database."""
    app = create_app()

    def transaction(actor: Actor) -> AbstractContextManager[Session]:
        return db.transaction(actor, own)

    app.state.transaction = transaction
    return app


@pytest.fixture
def headers(own: Engine) -> dict[str, str]:
    """The headers of the administrator."""
    with db.transaction(access.SYSTEM, own) as session:
        boss = accounts.actor(session, accounts.by_username(session, "boss"))
        _row, token = accounts.new_api_token(session, boss, name="test")
    return {"Authorization": f"Bearer {token}", "Accept-Language": "en"}


def count(engine: Engine, table: str, where: str = "true") -> int:
    """How many rows another connection sees."""
    with engine.connect() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table} WHERE {where}")) or 0


def test_a_change_is_committed_before_the_first_byte_of_its_answer(
    live: FastAPI, own: Engine, headers: dict[str, str]
) -> None:
    seen: list[int] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append(await asyncio.to_thread(count, own, "building", "code = 'first'"))
            await send(message)

        await live(scope, receive, watch)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=watched)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers) as client:
            community = (await client.get("/api/units?level=community")).json()["items"][0]["id"]
            return await client.post("/api/buildings", json={"community_id": community, "code": "first"})

    assert asyncio.run(ask()).status_code == 201
    assert seen == [0, 1]


def test_what_is_refused_leaves_nothing_behind(live: FastAPI, own: Engine) -> None:
    client = TestClient(live)
    signed = client.post("/api/signin", json={"username": "boss", "password": "correct horse"})
    client.headers["X-CSRF-Token"] = signed.json()["csrf_token"]
    before = {table: count(own, table) for table in ("account", '"grant"', "audit")}
    units = client.get("/api/units?level=grid").json()["items"]
    body: dict[str, Any] = {
        "username": "half",
        "name": "半",
        "password": "correct horse",
        "grants": [{"role_code": "grid_leader", "unit_id": units[0]["id"]}, {"role_code": "nobody", "unit_id": 1}],
    }
    assert client.post("/api/accounts", json=body).status_code in (404, 422)
    assert {table: count(own, table) for table in before} == before


def test_of_two_who_edit_at_once_exactly_one_wins(live: FastAPI, headers: dict[str, str]) -> None:
    client = TestClient(live, headers=headers)
    building = client.get("/api/buildings?limit=1&sort=id").json()["items"][0]["id"]
    for attempt in range(3):
        tag = client.get(f"/api/buildings/{building}").headers["etag"]

        def edit(name: str, tag: str = tag) -> int:
            one = TestClient(live, headers={**headers, "If-Match": tag})
            return int(one.patch(f"/api/buildings/{building}", json={"name": name}).status_code)

        with ThreadPoolExecutor(4) as pool:
            statuses = sorted(pool.map(edit, [f"{attempt}-{n}" for n in range(4)]))
        assert statuses == [200, 409, 409, 409]


def test_many_guesses_at_once_do_not_get_past_the_limit(live: FastAPI, own: Engine) -> None:
    def guess(number: int) -> int:
        client = TestClient(live)
        credentials = {"username": "leader", "password": f"wrong {number}"}
        return int(client.post("/api/signin", json=credentials).status_code)

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(guess, range(24)))
    assert set(statuses) == {401, 429}
    assert statuses.count(401) == accounts.FREE
    assert count(own, "sign_in_attempt") == 3 * accounts.FREE


def test_numbers_of_incidents_reported_at_once_are_all_different(live: FastAPI, headers: dict[str, str]) -> None:
    community = TestClient(live, headers=headers).get("/api/units?level=community").json()["items"][0]["id"]
    body = {"community_id": community, "category_code": "facility.corridor_light", "lon": 120.0005, "lat": 30.0005}

    def report(_number: int) -> str:
        answer = TestClient(live, headers=headers).post("/api/incidents", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["number"])

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(report, range(18)))
    assert len(set(numbers)) == 18
