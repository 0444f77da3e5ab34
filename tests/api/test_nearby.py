"""What everybody may know of each other's cases: who has seen one too, how many there are where, who sees to it."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from data import nearby, place_codes, reports
from data.incidents import Category, Incident
from tests.api.conftest import TestClient
from tests.city import City


@pytest.fixture
def resident(app: FastAPI) -> TestClient:
    client = TestClient(app, headers={"Accept": "application/json"}, follow_redirects=False)
    client.cookies.set("wangge_language", "en")
    return client


@pytest.fixture
def case(city: City) -> Incident:
    return city.incident(50, 50, description="Dark on the second floor")


def test_who_has_seen_it_too_is_counted_once_and_is_nobody(resident: TestClient, city: City, case: Incident) -> None:
    where = {"community": city.community.code, "case": nearby.handle(case.id)}
    for device, seconds in (("a", 1), ("a", 1), ("b", 2)):
        answer = resident.post("/r/second", data={**where, "device": device})
        assert answer.json()["seconds"] == seconds, answer.text
    assert nearby.seconds(city.session, case.id) == 2
    for wrong in ("", "00", nearby.handle(case.id)[:-2] + "00", nearby.handle(0)):
        assert resident.post("/r/second", data={**where, "case": wrong}).status_code == 404
    other = City.make(city.session, "310102001001")
    refused = resident.post("/r/second", data={**where, "community": other.community.code})
    assert refused.status_code == 404


def test_a_case_that_became_personal_is_none_that_a_stranger_may_second(
    resident: TestClient, city: City, case: Incident
) -> None:
    asked = {"community": city.community.code, "case": nearby.handle(case.id), "device": "a"}
    case.category_code = "dispute.family"
    city.session.flush()
    refused = resident.post("/r/second", data=asked)
    unknown = resident.post("/r/second", data={**asked, "case": nearby.handle(0)})
    assert (refused.status_code, refused.json()["detail"]) == (404, unknown.json()["detail"])
    assert nearby.seconds(city.session, case.id) == 0


def test_a_stranger_cannot_tell_a_community_that_shows_nothing_from_what_it_would_show(
    resident: TestClient, city: City
) -> None:
    address = f"/r/map?community={city.community.code}"
    before = resident.get(address)
    for _ in range(nearby.FEWEST + 1):
        city.incident(250, 250, category_code="environment.garbage")
    after = resident.get(address)
    assert (before.status_code, after.status_code) == (404, 404)
    told = [{name: value for name, value in one.json().items() if name != "request_id"} for one in (before, after)]
    assert told[0] == told[1]


def test_the_open_map_is_switched_on_by_the_community_and_hides_what_is_rare(resident: TestClient, city: City) -> None:
    resident.headers["Accept"] = "text/html"
    for _ in range(4):
        city.incident(250, 250, category_code="environment.garbage")
    personal = Category(code="x", name_zh="x", name_en="Family matter", personal=True)
    city.session.add(personal)
    city.session.flush()
    for _ in range(6):
        city.incident(250, 250, category_code="x")
    address = f"/r/map?community={city.community.code}"
    off = resident.get(address, headers={"Accept": "text/html"})
    assert off.status_code == 404
    assert 'class="resident"' in off.text, "a resident sees no frame of the staff"
    assert "topbar" not in off.text
    assert resident.get(address).status_code == 404
    city.community.open_map = True
    city.session.flush()
    assert nearby.open_map(city.session, city.community).cells == []
    assert "under 5" in resident.get(address).text
    city.incident(250, 250, category_code="environment.garbage")
    found = nearby.open_map(city.session, city.community)
    assert [(kind.code, unsettled, settled) for kind, unsettled, settled in found.kinds] == [
        ("environment.garbage", 5, None)
    ]
    assert [(one.open, one.settled) for one in found.cells] == [(5, None)]
    page = resident.get(address).text
    assert "Family matter" not in page


def test_the_progress_says_until_when_who_sees_to_it_and_whom_to_call(resident: TestClient, city: City) -> None:
    city.community.phone = "021-55550100"
    city.session.flush()
    resident.headers["Accept"] = "text/html"
    sent = reports.send(
        city.session, place_codes.Place(city.community), category_code="facility.corridor_light", address="Gate 2"
    )
    page = resident.get(f"/track/{sent.tracking}").text
    assert "To be settled by" in page
    assert f"{city.community.name} sees to it." in page or "sees to it." in page
    assert 'href="tel:021-55550100"' in page
    assert "data-copy" in page
