"""Disputes over HTTP and on pages: reported at the door, mediated, agreed, followed, printed, and what comes again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from data import disputes
from data.base import access
from data.disputes import Action, Dispute, Kind, Party
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

NAME, PHONE = "欧阳小明", "13812346021"
JSON = {"Accept": "application/json"}


def dispute(city: City, grid: str = "A1", **values: Any) -> Dispute:
    parties = [Party(name=NAME, phone=PHONE), Party(name="王芳")]
    given = {"uuid": uuid4(), "kind": Kind.NOISE, "parties": parties, "building_id": city.buildings[grid].id}
    return disputes.report(city.session, access.SYSTEM, **given | values)


def page(client: TestClient) -> TestClient:
    """The same person in a browser that asks for pages in English."""
    client.headers["Accept"] = "text/html"
    client.cookies.set("wangge_language", "en")
    return client


def test_it_is_reported_mediated_and_settled(city: City, client_for: ClientFor) -> None:
    leader = client_for("grid_leader", city.grids["A1"])
    parties = [{"name": NAME, "phone": PHONE, "door": "1-101"}, {"name": "王芳"}]
    body = {"uuid": str(uuid4()), "building_id": city.buildings["A1"].id, "kind": "noise", "parties": parties}
    made = leader.post("/api/disputes", json=body)
    assert (made.status_code, made.json()["parties"], made.json()["step"]) == (201, 2, "reported")
    assert leader.post("/api/disputes", json=body).json()["id"] == made.json()["id"], "sent twice it is one"
    where = made.headers["Location"]
    shown = leader.get(f"{where}/parties").json()
    assert (shown[0]["name"], shown[0]["phone"], shown[0]["room"]) == ("欧***", "138****6021", "101")
    step = {"action": "mediate", "note": "没谈拢", "mediators": "楼栋员", "seen": "reported"}
    assert leader.post(f"{where}/steps", json=step).json()["step"] == "mediating"
    assert leader.post(f"{where}/steps", json=step).status_code == 409, "somebody went on meanwhile"
    assert leader.post(f"{where}/steps", json={"action": "settle"}).status_code == 422
    settled = leader.post(f"{where}/steps", json={"action": "settle", "agreement": "晚十点后不跑跳"}).json()
    assert (settled["step"], settled["sessions"], settled["call_on"] is not None) == ("settled", 2, True)
    for call in leader.get(f"{where}/calls").json():
        assert leader.put(f"{where}/calls/{call['id']}", json={"holds": True}).json()["holds"] is True
    assert leader.get(where).json()["step"] == "closed"
    assert [row["action"] for row in leader.get(f"{where}/steps").json()] == ["report", "mediate", "settle", "close"]
    assert leader.delete(where).status_code == 204


def test_who_is_in_dispute_is_shown_for_a_purpose_to_those_who_may(city: City, client_for: ClientFor) -> None:
    one = dispute(city)
    leader, supervisor = client_for("grid_leader", city.grids["A1"]), client_for("supervisor", city.street)
    party = leader.get(f"/api/disputes/{one.id}/parties").json()[0]["id"]
    address = f"/api/disputes/{one.id}/parties/{party}/unmask"
    assert leader.post(address, json={"purpose": "电话回访"}).json()["fields"] == {"name": NAME, "phone": PHONE}
    assert supervisor.post(address, json={"purpose": "电话回访"}).status_code == 403
    assert page(client_for("grid_leader", city.grids["B2"])).get(f"/disputes/{one.id}").status_code == 404
    office = page(client_for("community_staff", city.community))
    shown = office.post(f"/disputes/{one.id}/unmask", data={"field": f"party-{party}", "purpose": "电话回访"})
    assert f"{NAME} {PHONE}" in shown.text
    for address in ("/disputes", f"/disputes/{one.id}", "/disputes/again", "/disputes/new"):
        text = office.get(address).text
        assert NAME not in text, address
        assert PHONE not in text, address
    table = office.get("/api/export/disputes?format=csv").text
    assert NAME not in table
    assert PHONE not in table


def test_it_is_listed_filtered_and_drawn_by_what_one_may_see(city: City, client_for: ClientFor) -> None:
    mine = dispute(city)
    dispute(city, "B2", kind=Kind.LEAK)
    leader = client_for("grid_leader", city.grids["A1"])
    assert [row["id"] for row in leader.get("/api/disputes").json()["items"]] == [mine.id]
    (feature,) = leader.get("/api/disputes?f=geojson&kind=noise&level=building").json()["features"]
    assert (feature["id"], feature["geometry"]["type"]) == (mine.id, "Point")
    assert leader.get("/api/disputes?step=lost").status_code == 422
    for role in ("building_warden", "analyst", "planner", "auditor"):
        stranger = client_for(role, city.community)
        for address in ("/api/disputes", "/api/disputes/again", f"/api/disputes/{mine.id}", "/disputes"):
            assert stranger.get(address).status_code == 403, (role, address)


def test_a_form_at_the_door_reports_it_and_the_next_one_goes_on(city: City, client_for: ClientFor) -> None:
    leader = page(client_for("grid_leader", city.grids["A1"]))
    form = leader.get(f"/disputes/new?building={city.buildings['A1'].id}").text
    uuid = re.search(r'name="uuid" value="([^"]+)"', form)
    assert uuid
    data = {"uuid": uuid[1], "building_id": str(city.buildings["A1"].id), "kind": "leak", "story": "滴水"}
    one = leader.post("/disputes", data=data | {"name-1": NAME})
    assert (one.status_code, "2 to 10 parties" in one.text, f'value="{NAME}"' in one.text) == (422, True, True)
    nobody = leader.post("/disputes", data=data | {"name-1": NAME, "phone-2": PHONE})
    assert (nobody.status_code, "who it is" in nobody.text) == (422, True)
    sent = leader.post("/disputes", data=data | {"name-1": NAME, "phone-1": PHONE, "name-2": "王芳", "door-2": "1-101"})
    assert sent.status_code == 303
    where = sent.headers["Location"]
    shown = leader.get(where).text
    assert "欧*** 138****6021" in shown
    assert "They agreed" in shown
    refused = leader.post(f"{where}/steps", data={"action": "climb", "seen": "reported"})
    assert (refused.status_code, "what happened" in refused.text) == (422, True)
    assert (
        leader.post(f"{where}/steps", data={"action": "climb", "note": "谈不拢", "seen": "reported"}).status_code == 303
    )
    agreed = {"action": "settle", "agreement": "三天内接好水管", "mediators": "网格员", "seen": "reported"}
    assert leader.get(f"{where}/agreement").status_code == 409
    assert leader.post(f"{where}/steps", data=agreed).status_code == 303
    paper = leader.get(f"{where}/agreement").text
    assert "三天内接好水管" in paper
    assert "网格员" in paper
    assert NAME not in paper
    call = leader.get(f"/api{where}/calls", headers=JSON).json()[0]["id"]
    assert leader.post(f"{where}/calls/{call}", data={"holds": "false"}).status_code == 422
    assert leader.post(f"{where}/calls/{call}", data={"holds": "false", "note": "又滴了"}).status_code == 303
    assert "The agreement was broken" in leader.get(where).text
    assert leader.post(f"{where}/remove").status_code == 303


def test_what_came_up_to_the_centre_is_the_centres(city: City, client_for: ClientFor) -> None:
    one = dispute(city)
    for note in ("楼里谈不拢", "网格谈不拢"):
        disputes.act(city.session, access.SYSTEM, one, Action.CLIMB, note=note)
    leader = page(client_for("grid_leader", city.grids["A1"]))
    assert "They agreed" not in leader.get(f"/disputes/{one.id}").text
    refused = leader.post(f"/api/disputes/{one.id}/steps", json={"action": "mediate", "note": "我来"}, headers=JSON)
    assert refused.status_code == 403
    assert "They agreed" in page(client_for("community_staff", city.community)).get(f"/disputes/{one.id}").text


def test_a_call_that_is_due_stands_on_the_sheet_of_the_day(city: City, client_for: ClientFor) -> None:
    at = datetime.now(UTC) - timedelta(days=8)
    one = dispute(city, at=at)
    disputes.act(city.session, access.SYSTEM, one, Action.SETTLE, agreement="不再堵门", at=at)
    leader = page(client_for("grid_leader", city.grids["A1"]))
    sheet = leader.get("/today/own/panel").text
    assert "Ask whether it holds 1" in sheet
    assert f"/disputes/{one.id}" in sheet
    assert [row["dispute_id"] for row in leader.get("/api/disputes/calls", headers=JSON).json()] == [one.id]
    other = page(client_for("grid_leader", city.grids["B2"]))
    assert "Ask whether it holds" not in other.get("/today/own/panel").text


def test_what_comes_again_is_named_with_its_reason(city: City, client_for: ClientFor) -> None:
    for kind in (Kind.NOISE, Kind.NOISE, Kind.LEAK):
        one = dispute(city, kind=kind)
    office = page(client_for("community_staff", city.community))
    shown = office.get("/disputes/again").text
    assert "Noise 2×" in shown
    assert "Leaking water 1×" in shown
    assert "map/discs.js" in shown
    assert "Not the first time within a year" in office.get(f"/disputes/{one.id}").text
    (again,) = office.get("/api/disputes/again", headers=JSON).json()
    assert (again["disputes"], again["kinds"]) == (3, {"noise": 2, "leak": 1})
    nothing = page(client_for("grid_leader", city.grids["B2"])).get("/disputes/again").text
    assert "came again within a year" in nothing


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words(kind: Kind) -> None:
    assert disputes.kind_names()[kind]
