"""Guessing passwords is slowed down, and no stranger keeps anybody out; what is too easy to guess is not taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from sqlalchemy import func, select, update
from starlette.requests import Request

from api.base.request import device_cookie, sender
from data import accounts
from data.accounts import attempts
from data.base import audit, settings
from data.base.errors import Invalid
from tests.api.conftest import TestClient
from tests.api.test_accounts_security import sign_in
from tests.city import City

RIGHT, WRONG = "correct horse", "wrong horse"


def at(app: FastAPI, address: str) -> TestClient:
    """A browser at a network address."""
    return TestClient(app, client=(address, 50000), headers={"Accept-Language": "en"}, follow_redirects=False)


def tried(client: TestClient, password: str = WRONG, username: str = "leader") -> int:
    return client.post("/api/signin", json={"username": username, "password": password}).status_code


@pytest.fixture
def leader(city: City) -> accounts.Account:
    return city.account("grid_leader", city.grids["A1"], "leader")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash no passwords: only how often they are tried matters here."""
    monkeypatch.setattr("data.base.secrets.password_matches", lambda _hashed, password: password == RIGHT)


@pytest.mark.usefixtures("leader", "quick")
def test_a_pause_follows_eight_failures_and_doubles(city: City, app: FastAPI) -> None:
    here = at(app, "192.0.2.7")
    assert [tried(here) for _ in range(accounts.FREE)] == [401] * accounts.FREE
    pauses = []
    for _ in range(3):
        late = here.post("/api/signin", json={"username": "Leader ", "password": RIGHT})
        assert (late.status_code, late.json()["facts"]["wait_s"]) == (429, int(late.headers["retry-after"]))
        pauses.append(int(late.headers["retry-after"]))
        earlier = accounts.SignInAttempt.at - timedelta(seconds=pauses[-1])
        city.session.execute(update(accounts.SignInAttempt).values(at=earlier))
        assert tried(here) == 401
    assert pauses == [15, 30, 60] or pauses == [16, 31, 61]


@pytest.mark.usefixtures("leader", "quick")
def test_failures_of_a_clock_that_was_put_back_lock_nobody_out(city: City, app: FastAPI) -> None:
    here = at(app, "192.0.2.7")
    assert [tried(here) for _ in range(accounts.FREE)] == [401] * accounts.FREE
    assert tried(here) == 429
    ahead = accounts.SignInAttempt.at + timedelta(days=4000)
    city.session.execute(update(accounts.SignInAttempt).values(at=ahead))
    assert tried(here) == 401


@pytest.mark.usefixtures("leader", "quick")
@pytest.mark.parametrize("elsewhere", ["192.0.2.8", "2001:db8:0:1::1"])
def test_a_stranger_does_not_lock_out_who_is_elsewhere(app: FastAPI, elsewhere: str) -> None:
    stranger = at(app, "192.0.2.7")
    assert {tried(stranger) for _ in range(30)} == {401, 429}
    assert tried(at(app, elsewhere), RIGHT) == 200


@pytest.mark.usefixtures("leader", "quick")
def test_a_crowd_of_addresses_is_stopped_and_a_known_browser_still_gets_in(city: City, app: FastAPI) -> None:
    mine = at(app, "192.0.2.7")
    sign_in(mine, "leader")
    crowd = [at(app, f"198.51.100.{n}") for n in range(accounts.PER_NAME + 2)]
    assert [tried(one) for one in crowd][-3:] == [401, 429, 429]
    assert tried(at(app, "203.0.113.1"), RIGHT) == 429
    assert tried(mine, RIGHT) == 200
    # The mark is for this account alone, and a browser that is known has no more tries than any other.
    city.account("grid_leader", city.grids["A1"], "other")
    answers = [tried(mine) for _ in range(accounts.FREE + 1)]
    assert answers == [401] * accounts.FREE + [429]
    device = device_cookie(settings.get())
    mine.cookies.set(device, mine.cookies[device] + ".more")
    assert tried(mine) == 429


@pytest.mark.usefixtures("leader", "quick")
def test_many_names_from_one_address_are_stopped_and_ipv6_counts_by_the_house(app: FastAPI) -> None:
    houses = [at(app, f"2001:db8:0:7::{n:x}") for n in range(1, accounts.PER_ADDRESS + 2)]
    answers = [tried(one, username=f"name{n}") for n, one in enumerate(houses)]
    assert answers == [401] * accounts.PER_ADDRESS + [429]
    assert tried(at(app, "2001:db8:0:8::1")) == 401


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
    ],
)
def test_an_address_is_counted_by_what_one_house_has(host: str, counted: str) -> None:
    assert sender(Request({"type": "http", "client": (host, 1), "headers": []})) == counted


def test_proxies_are_believed_only_where_the_settings_name_them() -> None:
    assert settings.Settings().trusted_proxies == ""
    assert settings.Settings(trusted_proxies="127.0.0.1, 10.0.0.0/8").trusted_proxies == "127.0.0.1,10.0.0.0/8"
    with pytest.raises(ValidationError):
        settings.Settings(trusted_proxies="*")


@pytest.mark.usefixtures("quick")
def test_guesses_at_the_old_password_are_counted(leader: accounts.Account, app: FastAPI) -> None:
    here = at(app, "192.0.2.7")
    sign_in(here, "leader")
    wrong = {"old": WRONG, "new": "battery staple"}
    answers = [here.put("/api/me/password", json=wrong).status_code for _ in range(accounts.FREE + 1)]
    assert answers == [422] * accounts.FREE + [429]
    right = here.put("/api/me/password", json={"old": RIGHT, "new": "battery staple"})
    assert right.status_code == 429
    assert leader.active


@pytest.mark.usefixtures("quick")
def test_failures_are_audited_without_address_or_name(leader: accounts.Account, city: City, app: FastAPI) -> None:
    here = at(app, "192.0.2.7")
    assert [tried(here), tried(here), tried(here, username="hunter2"), tried(here, username="hunter3")] == [401] * 4
    rows = city.session.scalars(
        select(audit.Audit).where(audit.Audit.action == "sign_in_failed").order_by(audit.Audit.id)
    ).all()
    assert [(row.record_kind, row.record_id, row.account_id) for row in rows] == [("account", leader.id, None)] * 2
    told = str([(row.changes, row.purpose) for row in rows])
    assert "192.0.2" not in told
    assert "hunter" not in told
    assert rows[0].changes == rows[1].changes != {}
    assert tried(at(app, "192.0.2.8"), username="hunter2") == 401
    count = select(func.count()).select_from(audit.Audit).where(audit.Audit.action == "sign_in_failed")
    assert city.session.scalar(count) == 3


def test_the_pauses_end_at_an_hour_and_what_is_old_is_forgotten() -> None:
    now = datetime(2026, 3, 18, tzinfo=UTC)
    one = attempts.Tries(b"")
    assert one.pause_s([now] * 7, now) == 0
    assert [one.pause_s([now] * n, now) for n in (8, 9, 15, 16, 500)] == [15, 30, 1920, 3600, 3600]
    wide = attempts.Tries(b"", 2)
    assert wide.pause_s([now - timedelta(minutes=11), now], now) == 0
    assert wide.pause_s([now - timedelta(minutes=4), now], now) == 360


WEAK = [
    "1234567890",
    "qwertyuiop",
    "Password123",
    "P@ssw0rd123",
    "abcdefghij",
    "20260318abc",
    "iloveyou520",
    "admin123456",
    "13812345678",
    "310101194910012417",
    "chen.min.2",
    "chenmin1988",
    "wangge2026",
    "aaaaaaaaab",
    "a1b2c3d4e5",
]
GOOD = ["correct horse", "8xK2mQ9vLp", "plane trees by the river", "x" * 30 + "梧桐里的猫和雨"]


@pytest.mark.parametrize("weak", WEAK)
def test_a_password_that_is_easy_to_guess_is_refused(weak: str) -> None:
    with pytest.raises(Invalid):
        accounts.check_password(weak, "chen.min", "陈敏 chenmin")


@pytest.mark.parametrize("good", GOOD)
def test_a_password_that_is_hard_to_guess_is_taken(good: str) -> None:
    accounts.check_password(good, "chen.min", "陈敏")
