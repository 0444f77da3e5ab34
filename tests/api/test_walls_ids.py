"""The walls, by what is guessed: numbers of jobs and uploads, tags, links, codes, and where signing in leads.

What lies in a place is walked in ``test_walls``. What is here belongs to an account, or to whoever knows a secret.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import argon2
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from data import incidents, photos, place_codes, reports
from data.accounts import signing_in
from data.base import jobs, sealed, secrets
from data.base.access import SYSTEM, Actor
from data.base.jobs import JobState
from data.exchange import uploads
from data.views import links
from tests.api.conftest import ClientFor, TestClient, signed_in
from tests.api.walls import ROLES, as_reader, walked
from tests.city import City
from tests.data import pictures

MARK = "秘件"


@pytest.fixture
def beside(city: City) -> City:
    """A second community, on the same ground."""
    return City.make(city.session, "310102001001")


@pytest.fixture
def handed_in(city: City) -> Iterator[tuple[Actor, dict[str, int]]]:
    """Who has handed a file in here, and the numbers of the upload and of its job, with rows that were sent back."""
    owner = city.actor("administrator", city.district)
    upload = uploads.keep(city.session, owner, io.BytesIO(MARK.encode()), f"{MARK}.csv", community_id=city.community.id)
    asked = {"upload_id": upload.id, "kind": "households", "community": city.community.code, "dry_run": True}
    job = jobs.enqueue(city.session, owner, "import", asked, community_id=city.community.id, language="zh")
    papers = jobs.papers_folder() / f"{job.id}.csv"
    sealed.make_folder(papers.parent)
    sealed.write(papers, [MARK.encode()])
    job.state, job.detail = JobState.FAILED, MARK
    job.result = {"rejects_file": papers.name, "rejects": [], "rejected": 1, "rows": 1}
    city.session.flush()
    yield owner, {"job_id": job.id, "upload_id": upload.id}
    papers.unlink(missing_ok=True)


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of whatever takes the number of a job or an upload."""
    return sorted(
        (method, context.path or "")
        for context in walked(app)
        if re.search(r"{(job_id|upload_id)[}:]", context.path or "")
        for method in set(context.methods or ()) - {"HEAD"}
    )


def filled(path: str, numbers: dict[str, int]) -> str:
    return re.sub(r"{(\w+)(?::\w+)?}", lambda name: str(numbers[name[1]]), path)


def test_a_job_and_its_papers_are_there_for_whoever_asked_for_it(
    app: FastAPI, city: City, handed_in: tuple[Actor, dict[str, int]]
) -> None:
    owner, numbers = handed_in
    client = signed_in(app, city.session, owner)
    for path in ("/api/jobs", "/api/jobs/{job_id}", "/api/jobs/{job_id}/rejects", "/exchange/import/{upload_id}"):
        answer = client.get(filled(path, numbers), headers=as_reader(path))
        assert answer.status_code == 200, f"{path}: {answer.text[:500]}"
        assert MARK in answer.text, path


@pytest.mark.parametrize("place", ["grid", "community", "beside", "everywhere"])
def test_by_no_number_one_comes_to_what_somebody_else_handed_in(
    app: FastAPI, city: City, beside: City, handed_in: tuple[Actor, dict[str, int]], place: str
) -> None:
    _owner, numbers = handed_in
    unit = {"grid": city.grids["A1"], "community": city.community, "beside": beside.community}.get(place)
    state = text("SELECT j::text, u::text FROM job j, upload u ORDER BY 1")
    before = city.session.execute(state).all()
    taken = routes(app)
    assert len(taken) >= 10
    for role in ROLES:
        client = signed_in(app, city.session, city.actor(role, unit))
        for method, path in taken:
            answer = client.request(method, filled(path, numbers), headers=as_reader(path), data={})
            told = f"{role} at {place}: {method} {path} → {answer.status_code} {answer.text[:300]}"
            assert answer.status_code in (403, 404), told
            assert MARK not in answer.text, told
        for path in ("/api/jobs", "/exchange/import", "/exchange"):
            assert MARK not in client.get(path, headers=as_reader(path)).text, f"{role}: {path}"
        form = {"kind": "households", "community": city.community.code, "upload_id": str(numbers["upload_id"])}
        assert client.post("/api/imports", data=form).status_code in (403, 404), role
    assert city.session.execute(state).all() == before


def test_a_tag_of_a_record_opens_and_tells_nothing_outside(city: City, beside: City, client_for: ClientFor) -> None:
    case = city.incident(50, 50)
    tag = client_for("community_staff", city.community).get(f"/api/incidents/{case.id}").headers["etag"]
    foreign = client_for("community_staff", beside.community)
    for name in ("If-None-Match", "If-Match"):
        for value in (tag, '"other"', "*"):
            for method, more in (("GET", {}), ("PATCH", {"json": {"description": "x"}}), ("DELETE", {})):
                sent: dict[str, Any] = more
                answer = foreign.request(method, f"/api/incidents/{case.id}", headers={name: value}, **sent)
                assert answer.status_code in (403, 404), f"{method} {name}: {value}"
                assert "etag" not in answer.headers


# ---- links and codes -----------------------------------------------------------------------------------------------


def test_a_link_that_ended_for_whatever_reason_tells_what_one_that_never_was_tells(
    city: City, client: TestClient
) -> None:
    maker = city.actor("community_staff", city.community)

    def made() -> tuple[links.ViewLink, str]:
        return links.make(city.session, maker, view="lights", community=city.community, params={}, days=7)

    def answer(token: str) -> tuple[int, str]:
        got = client.get(f"/v/{token}")
        return got.status_code, re.sub(r'nonce="[^"]*"|nonce-[\w+/=-]+|[0-9a-f]{8,}', "", got.text)

    link, token = made()
    assert answer(token)[0] == 200
    never = answer(secrets.new_token())
    assert never[0] == 404
    assert answer(token[:-1]) == answer(token + "x") == answer(token.swapcase()) == never
    link.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    city.session.flush()
    assert answer(token) == never, "expired"
    link, token = made()
    links.revoke(city.session, maker, link.id)
    assert answer(token) == never, "revoked"
    _link, token = made()
    city.session.execute(text('DELETE FROM "grant" WHERE account_id = :id'), {"id": maker.account_id})
    city.session.expire_all()
    assert answer(token) == never, "its maker may not export there any more"


def test_nobody_revokes_a_link_of_another_community_by_its_number(
    city: City, beside: City, client: TestClient, client_for: ClientFor
) -> None:
    maker = city.actor("community_staff", city.community)
    link, token = links.make(city.session, maker, view="lights", community=city.community, params={}, days=7)
    for role in ROLES:
        foreign = client_for(role, beside.community)
        assert foreign.delete(f"/api/views/links/{link.id}").status_code in (403, 404), role
        assert token not in foreign.get("/api/views/links").text
    assert client.get(f"/v/{token}").status_code == 200


def followed(city: City) -> tuple[incidents.Incident, str, int]:
    """A case that a resident sent, the code it is followed by, and its photo."""
    sent = reports.send(
        city.session,
        place_codes.Place(city.community),
        once=reports.new_once(),
        category_code="facility.corridor_light",
        description=MARK,
        building_id=city.buildings["A1"].id,
    )
    case = sent.incident
    kept = photos.store(
        city.session, SYSTEM, pictures.photo((8, 8)), community_id=case.community_id, incident_id=case.id
    )
    city.session.flush()
    return case, sent.tracking, kept.photo.id


def test_a_tracking_code_opens_its_own_case_and_no_photo_of_another(city: City, client: TestClient) -> None:
    _mine, code, own_photo = followed(city)
    _other, _code, photo = followed(city)
    page = {"Accept": "text/html"}
    assert client.get(f"/track/{code}", headers=page).status_code == 200
    assert client.get(f"/track/{code}/photos/{own_photo}").status_code == 200
    assert client.get(f"/track/{code}/photos/{photo}").status_code == 404
    assert client.get(f"/track/{code}/photos/{photo + 1}").status_code == 404
    near = code[:-1] + ("2" if code[-1] != "2" else "3")
    for wrong in (near, code[:-1], code + code[-1], "%25", "%00"):
        answer = client.get(f"/track/{wrong}", headers=page)
        assert answer.status_code in (404, 422), wrong
        assert MARK not in answer.text


# ---- signing in ----------------------------------------------------------------------------------------------------

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/%09/evil.example\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "evil.example",
    "/\x00/evil.example",
    "/ok\\@evil.example",
    "@evil.example",
    "/\u2028/evil.example",
]


@pytest.mark.parametrize("goal", ELSEWHERE)
def test_signing_in_leads_to_our_own_pages_alone(city: City, client: TestClient, goal: str) -> None:
    account = city.account("grid_leader", city.grids["A1"])
    account.password_hash = secrets.password_hash("a long sentence")
    city.session.flush()
    page = client.get("/signin", params={"next": goal})
    kept = [html.unescape(value) for value in re.findall(r'name="next" value="([^"]*)"', page.text)]
    assert page.status_code == 422 or kept
    form = {"name": account.username, "password": "a long sentence", "next": goal}
    for path, data in (("/signin", form), ("/language", {"language": "zh", "next": goal})):
        answer = client.post(path, data=data)
        assert answer.status_code == 303, answer.text
        kept.append(answer.headers["location"])
    for address in kept:
        # As browsers read it: a backslash is a slash, and tabs and line ends are not there.
        read = re.sub(r"[\t\r\n]", "", address.strip()).replace("\\", "/")
        assert urlsplit(urljoin("http://testserver/signin", read))[:2] == ("http", "testserver"), address


@pytest.mark.parametrize("case", ["known", "unknown", "closed"])
def test_as_much_is_computed_for_a_name_that_is_unknown_as_for_one_that_is(
    city: City, client: TestClient, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    account = city.account("grid_leader", city.grids["A1"])
    account.password_hash, account.active = argon2.PasswordHasher().hash("a long sentence"), case != "closed"
    city.session.flush()
    asked: list[str] = []
    matches = secrets.password_matches

    def counted(hashed: str, password: str) -> bool:
        asked.append(hashed)
        return matches(hashed, password)

    monkeypatch.setattr(secrets, "password_matches", counted)
    name = "nobody" if case == "unknown" else account.username
    answer = client.post("/api/signin", json={"username": name, "password": "another sentence"})
    assert (answer.status_code, answer.json()["detail"]) == (401, "The user name or the password is wrong.")
    (hashed,) = asked
    # The hash of nobody costs what that of anybody costs, and is a whole one: a broken one is refused at once.
    assert argon2.extract_parameters(hashed) == argon2.extract_parameters(account.password_hash)
    assert argon2.extract_parameters(signing_in._NOBODYS_HASH) == argon2.extract_parameters(account.password_hash)
    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(hashed, "another sentence")
