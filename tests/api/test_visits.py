"""Visits over HTTP and on pages: at the door, a staircase at once, how often."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from data import visits
from data.base import access
from data.households import Household
from data.incidents import Incident
from data.visits import Outcome, Visit
from tests.api.conftest import ClientFor, TestClient
from tests.city import City


def home(city: City, grid: str = "A1", room: str = "301", months: int = 7) -> Household:
    """A household that was recorded so many months ago and never met."""
    household = city.household(grid, room=room)
    household.created_at = datetime.now(UTC) - timedelta(days=31 * months)
    city.session.flush()
    return household


def page(client: TestClient) -> TestClient:
    """The same person in a browser that asks for pages in English."""
    client.headers["Accept"] = "text/html"
    client.cookies.set("wangge_language", "en")
    return client


def all_visits(city: City) -> list[Visit]:
    city.session.expire_all()
    return list(city.session.scalars(select(Visit).order_by(Visit.id)))


def test_a_visit_is_recorded_read_and_taken_back(city: City, client_for: ClientFor) -> None:
    household = home(city)
    leader = client_for("grid_leader", city.grids["A1"])
    body: dict[str, Any] = {"household_id": household.id, "uuid": str(uuid4()), "outcome": "met", "said": "想学用手机"}
    made = leader.post("/api/visits", json=body)
    assert made.status_code == 201
    assert leader.post("/api/visits", json=body).json() == made.json(), "sent twice it is one"
    assert leader.get(made.headers["Location"]).json()["said"] == "想学用手机"
    assert [one["id"] for one in leader.get(f"/api/visits?household={household.id}").json()["items"]] == [
        made.json()["id"]
    ]
    assert leader.delete(made.headers["Location"]).status_code == 204
    assert leader.get(made.headers["Location"]).status_code == 404


def test_what_is_due_is_listed_masked_and_counted(city: City, client_for: ClientFor) -> None:
    overdue, fresh = home(city), home(city, room="302", months=0)
    home(city, "B2")
    leader = client_for("grid_leader", city.grids["A1"])
    listed = leader.get("/api/visits/due").json()["items"]
    assert [one["id"] for one in listed if one["id"] in (overdue.id, fresh.id)] == [overdue.id, fresh.id]
    assert listed[0]["head_name"] == "李**"
    assert [one["id"] for one in leader.get("/api/visits/due?state=overdue").json()["items"]] == [overdue.id]
    assert leader.get("/api/visits/due?state=sometime").status_code == 422
    places = leader.get("/api/visits/due?f=geojson").json()["features"]
    assert places[0]["geometry"]["type"] == "Point"


def test_a_request_at_the_door_is_a_case_that_may_be_settled_there(city: City, client_for: ClientFor) -> None:
    household = home(city)
    leader = client_for("grid_leader", city.grids["A1"])
    asked = {"category_code": "facility.corridor_light", "description": "三楼灯不亮"}
    body = {"household_id": household.id, "outcome": "met", "request": asked, "answer": "换了灯泡"}
    visit = leader.post("/api/visits", json=body).json()
    case = leader.get(f"/api/incidents/{visit['incident_id']}").json()
    assert (case["state"], case["source"]) == ("closed", "visit")
    wrong = leader.post("/api/visits", json=body | {"request": {"category_code": "no.such"}})
    assert wrong.status_code == 422
    assert len(all_visits(city)) == 1, "a case that is refused leaves no visit behind"


def test_nobody_elses_households_are_visited_or_seen(city: City, client_for: ClientFor) -> None:
    household = home(city, "B2")
    visit = visits.record(city.session, access.SYSTEM, household, uuid=uuid4(), outcome=Outcome.MET, said="私事")
    leader = client_for("grid_leader", city.grids["A1"])
    assert leader.post("/api/visits", json={"household_id": household.id, "outcome": "met"}).status_code == 404
    assert leader.get(f"/api/visits/{visit.id}").status_code == 404
    assert leader.get("/api/visits").json()["items"] == []
    assert leader.get(f"/visits/record/{household.id}").status_code == 404
    for role in ("building_warden", "analyst", "auditor"):
        assert client_for(role, city.community).get("/api/visits").status_code == 403


def test_one_tap_records_a_visit_where_nothing_changed(city: City, client_for: ClientFor) -> None:
    household = home(city)
    leader = page(client_for("grid_leader", city.grids["A1"]))
    listed = leader.get("/visits").text
    assert f"/visits/record/{household.id}" in listed
    assert "Visit, " in listed
    form = leader.get(f"/visits/record/{household.id}").text
    uuid = re.search(r'name="uuid" value="([^"]+)"', form)
    assert uuid
    sent = leader.post(
        f"/visits/record/{household.id}",
        data={"uuid": uuid[1], "manner": "visit", "outcome": "met"},
        follow_redirects=False,
    )
    assert sent.status_code == 303
    (visit,) = all_visits(city)
    assert (str(visit.uuid), visit.manner, visit.outcome) == (uuid[1], "visit", "met")
    assert leader.get("/api/diary", headers={"Accept": "application/json"}).json()["items"] == [], "nothing was said"
    assert "Nobody has been here yet." not in leader.get(f"/households/{household.id}").text
    assert leader.post(f"/visits/{visit.id}/remove").status_code in (200, 303)
    assert all_visits(city) == []


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"outcome": "nobody", "said": "typed and kept"}, "Only who was met"),
        ({"outcome": "met", "said": "typed and kept", "description": "a lamp"}, "Choose what they ask for."),
        ({"outcome": "flown", "said": "typed and kept"}, "Some fields are not right yet."),
    ],
)
def test_a_refused_visit_keeps_what_was_typed(
    city: City, client_for: ClientFor, typed: dict[str, str], says: str
) -> None:
    household = home(city)
    leader = page(client_for("grid_leader", city.grids["A1"]))
    answer = leader.post(f"/visits/record/{household.id}", data={"uuid": str(uuid4()), "manner": "visit", **typed})
    assert answer.status_code == 422
    assert says in answer.text
    assert "typed and kept" in answer.text
    assert all_visits(city) == []


def test_a_request_on_the_page_becomes_a_case(city: City, client_for: ClientFor) -> None:
    household = home(city)
    leader = page(client_for("grid_leader", city.grids["A1"]))
    typed = {"category_code": "facility.corridor_light", "description": "三楼灯不亮", "card": "1"}
    leader.post(
        f"/visits/record/{household.id}", data={"uuid": str(uuid4()), "outcome": "met", "manner": "visit", **typed}
    )
    (visit,) = all_visits(city)
    assert visit.card
    assert city.session.get_one(Incident, visit.incident_id).description == "三楼灯不亮"


def test_a_staircase_is_recorded_at_once_or_not_at_all(city: City, client_for: ClientFor) -> None:
    first, second, third = (home(city, room=room) for room in ("301", "302", "401"))
    leader = page(client_for("grid_leader", city.grids["A1"]))
    building = city.buildings["A1"].id
    assert f"/visits/stairs?building={building}&amp;unit=1" in leader.get(f"/visits?building={building}").text
    form = leader.get(f"/visits/stairs?building={building}&unit=1").text
    uuids = dict(re.findall(r'name="uuid-(\d+)" value="([^"]+)"', form))
    assert set(uuids) >= {str(one.id) for one in (first, second, third)}
    typed = {"building": str(building), "unit": "1"} | {f"uuid-{key}": uuid for key, uuid in uuids.items()}
    chosen = {f"outcome-{first.id}": "met", f"outcome-{second.id}": "nobody"}
    assert leader.post("/visits/stairs", data=typed).status_code == 422, "nothing was chosen"
    assert leader.post("/visits/stairs", data=typed | chosen | {f"uuid-{second.id}": "no"}).status_code == 422
    assert all_visits(city) == []
    for _twice in range(2):
        assert leader.post("/visits/stairs", data=typed | chosen, follow_redirects=False).status_code == 303
    assert [(visit.household_id, visit.outcome) for visit in all_visits(city)] == [
        (first.id, "met"),
        (second.id, "nobody"),
    ]


def test_how_often_is_said_by_the_community_on_its_page(city: City, client_for: ClientFor) -> None:
    office = page(client_for("community_staff", city.community))
    shown = office.get("/visits/rhythm").text
    assert re.search(r'name="ordinary-visit" value=""\s+placeholder="6"', shown)
    assert office.post("/visits/rhythm", data={"ordinary-visit": "4"}, follow_redirects=False).status_code == 303
    said = visits.rhythms(city.session, city.community.id)
    assert [(rhythm.who, rhythm.manner, rhythm.every_months) for rhythm in said] == [("ordinary", "visit", 4)]
    refused = office.post("/visits/rhythm", data={"ordinary-visit": "often"})
    assert refused.status_code == 422
    assert "whole numbers" in refused.text
    assert office.post("/visits/rhythm", data={"ordinary-visit": ""}, follow_redirects=False).status_code == 303
    city.session.expire_all()
    assert visits.rhythms(city.session, city.community.id) == []
    leader = client_for("grid_leader", city.grids["A1"])
    assert leader.get("/visits/rhythm").status_code == 403
    body = {"community_id": city.community.id, "who": "special", "manner": "call", "every_months": 2}
    assert leader.put("/api/visits/rhythms", json=body).status_code == 403
    office.headers["Accept"] = "application/json"
    assert office.put("/api/visits/rhythms", json=body).status_code == 204
    assert office.get(f"/api/visits/rhythms?community={city.community.id}").json()[0]["every_months"] == 2


def test_the_sheet_of_the_day_tells_who_is_to_be_visited(city: City, client_for: ClientFor) -> None:
    overdue = home(city)
    home(city, room="302", months=0)
    home(city, "B2")
    sheet = page(client_for("grid_leader", city.grids["A1"])).get("/today/own/panel").text
    assert "Visits due 1" in sheet
    assert f"/visits/record/{overdue.id}" in sheet
    warden = page(client_for("building_warden", city.grids["A1"]))
    assert "Visits due" not in warden.get("/today/own/panel").text
