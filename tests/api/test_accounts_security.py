"""Signing in, sessions, CSRF, API tokens, and what surrounds every answer."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update

from api.base.request import session_cookie
from api.cli.serve import OneLine
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
        "everywhere": False,
        "communities": [],
        "grids": [city.grids["A1"].id],
    }
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
    from api.base import static

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


def test_cookies_of_others_hold_nobody_up(
    city: City, client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    sign_in(client, "leader")
    undone: list[str] = []

    def undo(text: str) -> str:
        undone.append(text)
        return text

    monkeypatch.setattr("http.cookies._unquote", undo)
    ours = f"{COOKIE}={client.cookies[COOKIE]}"
    slow = '\\"' * 12_000
    for line in (f'a="{slow}"; {ours}', f'{ours}; a="{slow}"', f'a="{slow}"; {ours}; b="\\101"'):
        answer = TestClient(app).get("/api/me", headers={"Cookie": line})
        assert answer.status_code == 200
    assert undone
    assert not [text for text in undone if "\\" in text], "its time grows by the square of the backslashes"


@pytest.mark.parametrize("path", ["/map/", "/r/", "/signin/?next=%2Fmap"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:81", "evil.example/x", "user@evil.example"])
def test_an_address_with_a_slash_too_many_leads_to_no_other_host(app: FastAPI, path: str, host: str) -> None:
    answer = TestClient(app).get(path, headers={"Host": host}, follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"].startswith("/")
    assert not answer.headers["location"].startswith("//")
    assert "evil" not in answer.headers["location"] or "/x" in host


@pytest.mark.parametrize(
    "hostile",
    [
        "a\n2026-01-01 00:00:00,000 INFO wangge.access GET /forged 200",
        "a\rb",
        "a\x1b[2J\x9b31m",
        "a\u2028b\u202ec",
        "\ud800",
    ],
)
def test_what_comes_from_outside_begins_no_line_of_the_log(hostile: str) -> None:
    formatter = OneLine("%(levelname)s %(message)s")
    record = logging.LogRecord("wangge.access", logging.INFO, "", 0, "GET %s 404", (hostile,), None)
    line = formatter.format(record)
    assert line.isprintable()
    assert line.startswith("INFO GET ")
    try:
        raise ValueError(hostile)
    except ValueError:
        record.exc_info = sys.exc_info()
    first, *lines = formatter.format(record).split("\n")
    assert first == line
    assert all(line.startswith("  ") and line.isprintable() for line in lines)
    assert lines[0] == "  Traceback (most recent call last):"


def test_a_session_of_a_clock_that_was_put_back_does_not_last_for_years(city: City, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    sign_in(client, "leader")
    assert client.get("/api/me").status_code == 200
    city.session.execute(update(accounts.SignIn).values(expires_at=accounts.SignIn.expires_at + timedelta(days=4000)))
    client.app.state.actors.forget()  # type: ignore[attr-defined]
    assert client.get("/api/me").status_code == 401


def test_signing_in_again_ends_the_session_that_the_browser_had(city: City, app: FastAPI, client: TestClient) -> None:
    city.account("grid_leader", city.grids["A1"], "leader")
    city.account("community_staff", city.community, "staff")
    sign_in(client, "leader")
    before = client.cookies[COOKIE]
    refused = client.post("/api/signin", json={"username": "staff", "password": "wrong horse"})
    assert refused.status_code == 401
    assert client.get("/api/me").status_code == 200, "who fails to sign in stays who they were"
    sign_in(client, "staff")
    assert client.get("/api/me").json()["name"] == "community_staff"
    elsewhere = TestClient(app, cookies={COOKIE: before})
    assert elsewhere.get("/api/me").status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/signin", "/api/me", "/map", "/api/openapi.json", "/nowhere"])
def test_the_head_of_whatever_can_be_got_is_that_of_getting_it(city: City, client: TestClient, path: str) -> None:
    city.account("community_staff", city.community, "staff")
    sign_in(client, "staff")
    got, head = client.get(path), client.head(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers.get("location") == got.headers.get("location")


def test_the_head_of_what_is_only_sent_to_is_refused(client: TestClient) -> None:
    assert client.head("/api/signin").status_code == 405
