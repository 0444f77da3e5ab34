"""A form that is sent again is done once, whoever's it is; what was typed tells one that was filled in anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from data import reports, unlocated
from data.base import db, sendings
from data.incidents import Category, Incident, IncidentStep
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

KEPT = {"X-Kept": "1", "Accept": "application/json"}
NO_FILE = [("photo", ("", b""))]


@pytest.fixture
def leader(client_for: ClientFor, city: City) -> TestClient:
    client = client_for("grid_leader", city.grids["A1"])
    client.headers["Accept"] = "text/html"
    client.cookies.set("wangge_language", "en")
    return client


@pytest.fixture
def case(city: City) -> Incident:
    return city.incident(50, 50, description="Dark on the second floor")


def note(client: TestClient, case: Incident, words: str, once: str, **headers: str) -> Any:
    values = {"action": "note", "note": words, "once": once}
    return client.post(f"/incidents/{case.id}/act", data=values, files=NO_FILE, headers=headers, follow_redirects=False)


def notes(session: Session, case: Incident) -> int:
    query = select(func.count()).where(IncidentStep.incident_id == case.id, IncidentStep.action == "note")
    return session.scalar(query.select_from(IncidentStep)) or 0


def test_the_same_form_again_is_done_once_and_leads_where_it_led(
    leader: TestClient, case: Incident, session: Session
) -> None:
    answers = [note(leader, case, "Bulb ordered", "one") for _ in range(3)]
    assert {(one.status_code, one.headers["location"]) for one in answers} == {(303, f"/incidents/{case.id}")}
    assert notes(session, case) == 1
    kept = note(leader, case, "Bulb ordered", "one", **KEPT)
    assert (kept.status_code, kept.headers["x-go"]) == (204, f"/incidents/{case.id}")
    assert notes(session, case) == 1


def test_the_same_form_with_other_words_is_refused_and_with_another_token_it_is_another(
    leader: TestClient, case: Incident, session: Session
) -> None:
    assert note(leader, case, "Bulb ordered", "one").status_code == 303
    told = note(leader, case, "Bulb came", "one", **KEPT)
    assert told.status_code == 409
    assert told.json()["type"] == "urn:wangge:sent-before"
    assert told.json()["facts"]["address"] == f"/incidents/{case.id}"
    assert note(leader, case, "Bulb came", "two").status_code == 303
    assert notes(session, case) == 2


def test_what_was_refused_may_be_mended_under_the_same_token(
    leader: TestClient, case: Incident, session: Session
) -> None:
    assert note(leader, case, "", "one").status_code == 422
    assert note(leader, case, "Now with words", "one").status_code == 303
    assert notes(session, case) == 1


def test_a_token_is_its_senders_own(client_for: ClientFor, case: Incident, city: City, session: Session) -> None:
    for role in ("grid_leader", "community_staff"):
        client = client_for(role, city.grids["A1"] if role == "grid_leader" else city.community)
        assert note(client, case, "The same words", "one").status_code == 303
    assert notes(session, case) == 2
    db.enter(session, city.actor("administrator", None))
    assert session.scalar(select(func.count()).select_from(sendings.Sending)) == 0
    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(text("DELETE FROM sending"))


def test_tokens_are_forgotten_after_two_weeks_and_neither_token_nor_words_can_be_read(city: City) -> None:
    form = sendings.Form("secret-token", "note='Tel. 13812346021'")
    assert sendings.address(city.session, None, form) is None
    sendings.done(city.session, None, form, "/incidents/1")
    row = str(city.session.execute(text("SELECT * FROM sending")).all())
    assert "secret" not in row
    assert "138" not in row
    sendings.forget(city.session, datetime.now(UTC) + sendings.KEPT - timedelta(minutes=1))
    assert sendings.address(city.session, None, form) == "/incidents/1"
    sendings.forget(city.session, datetime.now(UTC) + sendings.KEPT + timedelta(minutes=1))
    assert sendings.address(city.session, None, form) is None


def report(client: TestClient, city: City, **values: str) -> Any:
    fields = {"community": city.community.code, "category_code": "facility.corridor_light", "once": "page", **values}
    return client.post("/r", data=fields, files=NO_FILE, headers=KEPT)


@pytest.fixture
def resident(app: FastAPI) -> TestClient:
    client = TestClient(app, follow_redirects=False)
    client.cookies.set("wangge_language", "en")
    return client


def test_a_report_that_is_sent_again_is_one_and_another_one_comes_back_with_all_that_was_typed(
    resident: TestClient, city: City, session: Session
) -> None:
    sent = [report(resident, city, address="Gate 2") for _ in range(2)]
    assert sent[0].status_code == 204
    assert sent[0].headers["x-go"] == sent[1].headers["x-go"]
    assert session.scalar(select(func.count()).select_from(reports.Report)) == 1
    other = report(resident, city, address="Gate 3")
    assert other.status_code == 409
    assert "This form was sent before" in other.text
    assert 'value="Gate 3"' in other.text
    assert 'name="once" value="page"' not in other.text
    assert report(resident, city, address="Gate 3", once="another").headers["x-go"] != sent[0].headers["x-go"]


def test_a_question_needs_no_place_and_does_not_wait_for_one(resident: TestClient, city: City) -> None:
    assert report(resident, city, category_code="inquiry.hukou").status_code == 204
    assert report(resident, city, once="light").status_code == 422
    actor = city.actor("community_staff", city.community)
    assert unlocated.counts(city.session, actor, city.community.code)[unlocated.Kind.INCIDENTS] == {}
    session = city.session
    session.execute(Category.__table__.update().values(placed=True))
    assert sum(unlocated.counts(session, actor, city.community.code)[unlocated.Kind.INCIDENTS].values()) == 1
