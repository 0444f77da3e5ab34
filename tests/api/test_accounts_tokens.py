"""API tokens: what they may not do, when they end, and who sees them."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from data import accounts
from data.base import access, settings
from tests.api.conftest import ClientFor, TestClient, signed_in
from tests.api.test_accounts_security import sign_in
from tests.city import City


def program(app: FastAPI, token: str) -> TestClient:
    return TestClient(app, headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"})


@pytest.fixture
def made(city: City, client: TestClient) -> dict[str, str]:
    """A token that an administrator of everything made after signing in."""
    city.account("administrator", None, "boss")
    sign_in(client, "boss")
    answer = client.post("/api/tokens", json={"name": "nightly"})
    assert answer.status_code == 201
    return {key: str(value) for key, value in answer.json().items()}


def test_a_token_opens_no_other_way_in(made: dict[str, str], city: City, app: FastAPI) -> None:
    robot = program(app, made["token"])
    assert robot.get("/api/buildings").status_code == 200
    assert robot.post("/api/tokens", json={"name": "child"}).status_code == 403
    assert robot.post("/tokens", data={"name": "child"}).status_code == 403
    assert robot.delete(f"/api/tokens/{made['id']}").status_code == 403
    new = {"old": "correct horse", "new": "battery staple"}
    assert robot.put("/api/me/password", json=new).status_code == 403
    body = {"username": "back.door", "name": "x", "password": "battery staple", "grants": []}
    assert robot.post("/api/accounts", json=body).status_code == 403
    assert robot.patch("/api/roles/analyst", json={"name_en": "x"}).status_code == 403
    assert "account.edit" not in robot.get("/api/me").json()["permissions"]
    assert len(city.session.scalars(select(accounts.ApiToken)).all()) == 1


@pytest.mark.parametrize("end", ["change", "reset", "close"])
def test_a_token_ends_with_the_password_and_the_account(
    end: str, city: City, app: FastAPI, client: TestClient, client_for: ClientFor
) -> None:
    account = city.account("grid_leader", city.grids["A1"], "leader")
    sign_in(client, "leader")
    robot = program(app, client.post("/api/tokens", json={"name": "nightly"}).json()["token"])
    assert robot.get("/api/me").status_code == 200
    admin, address = client_for(program=False), f"/api/accounts/{account.id}"
    if end == "change":
        new = {"old": "correct horse", "new": "battery staple"}
        assert client.put("/api/me/password", json=new).status_code == 204
    elif end == "reset":
        assert admin.put(f"{address}/password", json={"new": "battery staple"}).status_code == 204
    else:
        assert admin.patch(address, json={"active": False}).status_code == 200
        assert admin.patch(address, json={"active": True}).status_code == 200
    assert robot.get("/api/me").status_code == 401
    assert admin.get(f"{address}/tokens").json() == []


def test_who_manages_an_account_sees_and_ends_its_tokens(city: City, app: FastAPI, client_for: ClientFor) -> None:
    leader = city.account("grid_leader", city.grids["A1"], "leader")
    boss = city.account("administrator", None, "boss")
    row, token = accounts.new_api_token(city.session, access.Actor(account_id=leader.id), name="nightly")
    above, _secret = accounts.new_api_token(city.session, access.Actor(account_id=boss.id), name="boss")
    local = client_for("administrator", city.community, program=False)
    address = f"/api/accounts/{leader.id}/tokens"
    assert [one["used_on"] for one in local.get(address).json()] == [None]
    assert program(app, token).get("/api/me").status_code == 200
    (told,) = local.get(address).json()
    assert (told["name"], told["used_on"]) == ("nightly", settings.today().isoformat())
    page = local.get(f"/accounts/{leader.id}").text
    assert "nightly" in page
    assert settings.today().isoformat() in page

    # Not those of an account that one does not manage, nor by the address of one that one does.
    assert local.get(f"/api/accounts/{boss.id}/tokens").status_code == 404
    assert local.delete(f"/api/accounts/{boss.id}/tokens/{above.id}").status_code == 404
    assert local.delete(f"{address}/{above.id}").status_code == 404
    staff = client_for("community_staff", city.community, program=False)
    assert staff.get(address).status_code == 403

    assert local.delete(f"{address}/{row.id}").status_code == 204
    assert program(app, token).get("/api/me").status_code == 401
    _row, token = accounts.new_api_token(city.session, access.Actor(account_id=leader.id), name="again")
    again = accounts.api_tokens(city.session, access.Actor(account_id=leader.id))[0]
    assert local.post(f"/accounts/{leader.id}/tokens/{again.id}/revoke").status_code == 303
    assert program(app, token).get("/api/me").status_code == 401


def test_one_sees_the_day_of_the_last_use(city: City, app: FastAPI) -> None:
    account = city.account("grid_leader", city.grids["A1"], "leader")
    actor = accounts.actor(city.session, account)
    _row, token = accounts.new_api_token(city.session, actor, name="nightly")
    mine = signed_in(app, city.session, actor)
    assert mine.get("/api/tokens").json()[0]["used_on"] is None
    assert program(app, token).get("/api/me").status_code == 200
    assert mine.get("/api/tokens").json()[0]["used_on"] == settings.today().isoformat()
