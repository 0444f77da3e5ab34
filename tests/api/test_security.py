"""Signing in, sessions, CSRF, API tokens, and what surrounds every answer."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from api.request import session_cookie
from data import accounts
from data.base import settings
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

COOKIE = session_cookie(settings.get())


def sign_in(client: TestClient, username: str, password: str = "correct horse") -> dict[str, object]:
    """Sign in and let the client send the CSRF token from then on."""
    answer = client.post("/api/signin", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return dict(answer.json())


def test_one_signs_in_acts_and_signs_out(city: City, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    assert client.get("/api/buildings").status_code == 401

    who = sign_in(client, "Leader")
    assert who["permissions"]["building.read"] == {  # type: ignore[index]
        "everywhere": False, "communities": [], "grids": [city.grids["A1"].id],
    }  # fmt: skip
    assert [b["grid_name"] for b in client.get("/api/buildings").json()["items"]] == ["A1"]
    token = client.cookies[COOKIE]

    assert client.post("/api/signout").status_code == 204
    client.cookies.set(COOKIE, token)
    ended = client.get("/api/buildings")
    assert (ended.status_code, ended.json()["type"]) == (401, "urn:wangge:not-signed-in")


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(city: City, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    answer = client.post("/api/signin", json={"username": "leader", "password": "correct horse"})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_a_change_by_cookie_needs_the_token_of_the_session(city: City, client: TestClient) -> None:
    city.account("community_staff", city.community, "staff")
    sign_in(client, "staff")
    address = f"/api/buildings/{city.buildings['A1'].id}"
    assert client.patch(address, json={"floors": 3}).status_code == 200
    for wrong in ("", "0" * 64, "é"):
        refused = client.patch(address, json={"floors": 4}, headers={"X-CSRF-Token": wrong.encode()})
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:wangge:csrf-failed")
    del client.headers["X-CSRF-Token"]
    assert client.patch(address, json={"floors": 4}).status_code == 403
    assert client.get(address).json()["floors"] == 3


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}]
)
def test_other_sites_can_neither_sign_in_nor_change(city: City, client: TestClient, headers: dict[str, str]) -> None:
    city.account("community_staff", city.community, "staff")
    credentials = {"username": "staff", "password": "correct horse"}
    assert client.post("/api/signin", json=credentials, headers=headers).status_code == 403
    sign_in(client, "staff")
    address = f"/api/buildings/{city.buildings['A1'].id}"
    assert client.patch(address, json={"floors": 4}, headers=headers).status_code == 403
    assert client.patch(address, json={"floors": 4}, headers={"Origin": "http://testserver"}).status_code == 200


def test_failed_attempts_count_although_they_are_refused(city: City, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    wrong = {"username": "leader", "password": "wrong horse"}
    for _attempt in range(accounts.ATTEMPTS_PER_WINDOW):
        refused = client.post("/api/signin", json=wrong)
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:wangge:sign-in-failed")
    late = client.post("/api/signin", json={"username": "leader", "password": "correct horse"})
    assert (late.status_code, late.headers["retry-after"]) == (429, "600")
    assert city.session.scalar(select(func.count()).select_from(accounts.SignInAttempt)) == 2 * 8


def test_the_refusal_does_not_tell_whether_the_account_exists(city: City, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    answers = [
        client.post("/api/signin", json={"username": name, "password": "wrong horse"}).json()
        for name in ("leader", "nobody")
    ]
    for answer in answers:
        del answer["request_id"]
    assert answers[0] == answers[1]


def test_a_new_password_ends_the_other_sessions(city: City, app: FastAPI, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    elsewhere = TestClient(app)
    sign_in(elsewhere, "leader")
    sign_in(client, "leader")
    wrong = client.put("/api/me/password", json={"old": "wrong horse", "new": "battery staple"})
    assert (wrong.status_code, wrong.json()["facts"]["field"]) == (422, "old")
    short = client.put("/api/me/password", json={"old": "correct horse", "new": "short"})
    assert (short.status_code, short.json()["facts"]["field"]) == (422, "password")
    done = client.put("/api/me/password", json={"old": "correct horse", "new": "battery staple"})
    assert done.status_code == 204
    assert client.get("/api/me").status_code == 200
    assert elsewhere.get("/api/me").status_code == 401
    sign_in(elsewhere, "leader", "battery staple")


def test_an_api_token_acts_for_its_account_until_it_is_revoked(city: City, app: FastAPI, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    sign_in(client, "leader")
    made = client.post("/api/tokens", json={"name": "nightly"}).json()
    program = TestClient(app, headers={"Authorization": f"Bearer {made['token']}"})
    assert program.get("/api/me").json()["name"] == "grid_leader"
    building = city.buildings["A1"].id
    assert program.patch(f"/api/buildings/{building}", json={"floors": 5}).status_code == 200  # no CSRF token needed
    (listed,) = client.get("/api/tokens").json()
    assert "token" not in listed
    assert client.delete(f"/api/tokens/{made['id']}").status_code == 204
    assert program.get("/api/me").status_code == 401
    assert client.delete(f"/api/tokens/{made['id']}").status_code == 404


def test_an_old_session_or_token_is_worth_nothing(city: City, app: FastAPI, client: TestClient) -> None:
    account = city.account("grid_leader", city.grids["A1"], "leader")
    sign_in(client, "leader")
    past = datetime.now(UTC) - timedelta(hours=1)
    city.session.scalars(
        select(accounts.SignIn).where(accounts.SignIn.account_id == account.id)
    ).one().expires_at = past
    city.session.flush()
    app.state.actors.forget()
    assert client.get("/api/me").status_code == 401


def test_a_closed_account_cannot_act(city: City, app: FastAPI, client: TestClient) -> None:
    account = city.account("grid_leader", city.grids["A1"], "leader")
    sign_in(client, "leader")
    account.active = False
    city.session.flush()
    app.state.actors.forget()
    assert client.get("/api/me").status_code == 401
    assert client.post("/api/signin", json={"username": "leader", "password": "correct horse"}).status_code == 401


def test_every_answer_carries_the_headers_that_protect_it(city: City, client: TestClient) -> None:
    nonces = set()
    for address in ("/api/me", "/signin", "/nowhere", "/static/img/logo.svg"):
        headers = client.get(address).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'self'" in policy
        assert "script-src 'self' 'nonce-" in policy
        assert "unsafe" not in policy
        nonces.add(policy.split("nonce-")[1].split("'")[0])
        assert len(headers["x-request-id"]) == 16
    assert len(nonces) == 4
    assert client.get("/api/me").headers["cache-control"] == "private, no-store"


def test_static_files_are_kept_for_good_under_their_version_only(client: TestClient) -> None:
    from api import static

    assert client.get(static.address("img/logo.svg")).headers["cache-control"] == static.FOR_GOOD
    assert client.get("/static/0123456789ab/img/logo.svg").headers["cache-control"] == static.FOR_NOW
    assert client.get("/static/img/logo.svg").headers["cache-control"] == static.FOR_NOW
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404


def test_the_log_has_paths_but_no_queries_and_no_tokens(
    city: City, client_for: ClientFor, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_for()
    with caplog.at_level(logging.INFO):
        answer = client.get("/api/buildings?q=secret-term")
    line = next(record.getMessage() for record in caplog.records if record.name == "wangge.access")
    assert line.startswith("GET /api/buildings 200 ")
    assert answer.headers["x-request-id"] in line
    assert "secret-term" not in line
    assert str(client.headers["authorization"]).split()[1] not in caplog.text


def test_the_language_is_the_address_then_the_cookie_then_what_a_program_accepts(app: FastAPI) -> None:
    client = TestClient(app)
    assert client.get("/api/me").headers["content-language"] == "zh"
    assert client.get("/api/me", headers={"Accept-Language": "en-GB,zh;q=0.5"}).headers["content-language"] == "en"
    # A page is in the language of the office, whatever the browser was installed in.
    assert client.get("/signin", headers={"Accept-Language": "en-GB"}).headers["content-language"] == "zh"
    client.cookies.set("wangge_language", "en")
    assert client.get("/signin").headers["content-language"] == "en"
    assert client.get("/signin?lang=zh").headers["content-language"] == "zh"


def test_a_language_in_the_address_of_a_page_is_kept(app: FastAPI) -> None:
    client = TestClient(app)
    first = client.get("/signin?lang=en")
    assert "wangge_language=en" in first.headers["set-cookie"]
    assert client.get("/signin").headers["content-language"] == "en"
    assert "set-cookie" not in client.get("/api/me?lang=zh").headers
    assert client.get("/signin").headers["content-language"] == "en"


def test_the_language_switch_wins_over_the_address_it_comes_from(client: TestClient) -> None:
    form = {"language": "zh", "next": "/incidents?lang=en&state=new,closed"}
    answer = client.post("/language", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents?state=new,closed")
    assert "wangge_language=zh" in answer.headers["set-cookie"]
    alone = client.post("/language", data={**form, "next": "/incidents?lang=en"}, follow_redirects=False)
    assert alone.headers["location"] == "/incidents"
    chinese = client.get("/api/me?lang=zh").json()["detail"]
    assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese)
