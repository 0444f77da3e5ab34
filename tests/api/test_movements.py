"""Movements over HTTP and on pages: recorded once, listed, counted, undone, and seen by those who may."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from data import buildings
from data.base import access, settings
from data.households import Resident
from tests.api.conftest import ClientFor, TestClient
from tests.city import City


def page(client: TestClient) -> TestClient:
    """The same person in a browser that asks for pages in English."""
    client.headers["Accept"] = "text/html"
    client.cookies.set("wangge_language", "en")
    return client


def test_it_is_recorded_once_listed_counted_and_undone(city: City, client_for: ClientFor) -> None:
    home = city.household("A1", room="777", number="WT-777")
    other = city.resident(home, name="王芳", relation="10")
    leader = client_for("grid_leader", city.grids["A1"])
    body = {"uuid": str(uuid4()), "kind": "died", "on": str(settings.today()), "resident_ids": [home.head_id]}
    made = leader.post("/api/movements", json=body)
    assert (made.status_code, made.json()[0]["name"], made.json()[0]["kind"]) == (201, "李**", "died")
    assert leader.post("/api/movements", json=body).json() == made.json(), "sent twice it is one"
    assert leader.get(f"/api/households/{home.id}").json()["head_id"] == other.id
    alive = [one["id"] for one in leader.get(f"/api/residents?household={home.id}").json()["items"]]
    assert alive == [other.id]
    assert [one["id"] for one in leader.get("/api/residents?left=true").json()["items"]] == [
        made.json()[0]["resident_id"]
    ]
    assert len(leader.get("/api/movements?kind=died&f=geojson").json()["features"]) == 1
    counted = leader.get(f"/api/movements/counts?from={settings.today()}").json()
    assert [(one["name"], one["died"], one["change"]) for one in counted] == [("A1", 1, -1)]
    assert "died" in client_for("community_staff", city.community).get("/api/export/movements?format=csv").text
    where = f"/api/movements/{made.json()[0]['id']}"
    assert client_for("grid_leader", city.grids["B2"]).get(where).status_code == 404
    assert client_for("supervisor", city.street).post(f"{where}/undo").status_code == 403
    assert leader.post(f"{where}/undo").json()["undone_at"]
    assert leader.post(f"{where}/undo").status_code == 409
    assert leader.get("/api/movements").json()["items"] == []
    assert leader.post("/api/movements", json={**body, "uuid": str(uuid4()), "on": "2999-01-01"}).status_code == 422


@pytest.mark.parametrize("kind", ["moved_out", "moved", "died", "married"])
def test_the_form_of_a_person_asks_for_no_more_than_the_event_needs(
    city: City, client_for: ClientFor, kind: str
) -> None:
    home = city.household("A1", room="777", number="WT-777")
    door = buildings.add_dwelling(city.session, access.SYSTEM, city.buildings["A1"], unit="2", floor=1, room="102")
    leader = page(client_for("grid_leader", city.grids["A1"]))
    choice = leader.get(f"/movements/new?resident={home.head_id}")
    assert f"kind={kind}" in choice.text
    form = leader.get(f"/movements/new?resident={home.head_id}&kind={kind}").text
    assert 'name="name"' not in form
    assert ('name="dwelling_id"' in form, 'name="reach"' in form) == (kind == "moved", kind == "moved_out")
    hidden = dict(re.findall(r'type="hidden" name="(uuid|kind|household_id|resident_id)" value="([^"]*)"', form))
    said = {"on": str(settings.today())} | ({"dwelling_id": str(door.id)} if kind == "moved" else {})
    where = leader.post("/movements", data={**hidden, **said}).headers["Location"]
    shown = leader.get(where).text
    assert "Undo" in shown
    assert "李小明" not in shown
    assert leader.post(f"{where}/undo", data={}).headers["Location"] == "/movements"


def test_a_household_is_left_by_all_and_somebody_new_moves_in(city: City, client_for: ClientFor) -> None:
    home = city.household("A1", room="777", number="WT-777")
    staff = page(client_for("community_staff", city.community))
    form = staff.get(f"/movements/new?household={home.id}&kind=moved_out").text
    assert form.count('name="resident_ids"') == 1
    hidden = dict(re.findall(r'type="hidden" name="(uuid|kind|household_id)" value="([^"]*)"', form))
    said = {"on": str(settings.today()), "reach": "city", "place": "杭州"}
    assert staff.post("/movements", data={**hidden, **said}).status_code == 422, "nobody was ticked"
    answer = staff.post("/movements", data={**hidden, **said, "resident_ids": str(home.head_id)})
    assert "杭州" in staff.get(answer.headers["Location"]).text
    assert "Nobody of this household has lived here since" in staff.get(f"/households/{home.id}").text
    assert f'href="/households/{home.id}"' not in staff.get("/households").text
    assert f'href="/households/{home.id}"' in staff.get("/households?closed=true").text
    person = staff.get(f"/residents/{home.head_id}").text
    assert "Not here since" in person
    new = {"uuid": str(uuid4()), "kind": "moved_in", "dwelling_id": str(home.dwelling_id), "on": str(settings.today())}
    refused = staff.post("/movements", data={**new, "name": "", "sex": "", "status": "registered"})
    assert refused.status_code == 422
    answer = staff.post("/movements", data={**new, "name": "赵新", "sex": "1", "status": "floating"})
    assert "赵*" in staff.get(answer.headers["Location"]).text
    city.session.expire_all()
    newcomer = city.session.query(Resident).filter_by(name="赵新").one()
    assert (newcomer.came_on, newcomer.household_id != home.id) == (settings.today(), True)
    listed = staff.get("/movements").text
    assert "By grid" in listed
    assert "赵新" not in listed
