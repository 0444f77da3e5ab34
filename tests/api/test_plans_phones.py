"""A phone that was away while boundaries were redrawn: what it sends counts, then it forgets what is not its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from data import grids
from data.base import access
from data.incidents import Incident
from tests.api.conftest import ClientFor, TestClient
from tests.city import City, degrees, rectangle

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)


def begun(client: TestClient, city: City) -> dict[str, Any]:
    body = {
        "uuid": str(uuid4()),
        "community_id": city.community.id,
        "grid_id": city.grids["A1"].id,
        "started_at": START.isoformat(),
    }
    answer = client.post("/api/patrols", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def redrawn(city: City) -> None:
    """All of A1 but a strip goes to B1, with its building."""
    shapes = grids.shapes(city.session, city.community.id)
    shapes[city.grids["A1"].id], shapes[city.grids["B1"].id] = rectangle(0, 0, 10, 100), rectangle(10, 0, 190, 100)
    grids.divide(city.session, access.SYSTEM, city.community, shapes)
    city.session.expire_all()


def checked_in(client: TestClient, city: City, patrol: dict[str, Any], building: str) -> int:
    lon, lat = degrees(50, 35)
    body = {
        "uuid": str(uuid4()),
        "building_id": city.buildings[building].id,
        "at": (START + timedelta(minutes=5)).isoformat(),
        "lon": lon,
        "lat": lat,
        "accuracy_m": 8,
    }
    return client.post(f"/api/patrols/{patrol['id']}/check-ins", json=body).status_code


def test_what_a_phone_sends_after_a_change_counts_for_whoever_did_it(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    known = client.get("/patrol/today").json()
    assert city.buildings["A1"].id in {one["id"] for one in known["buildings"]}
    redrawn(city)
    patrol = begun(client, city)
    lon, lat = degrees(50, 40)
    at = (START + timedelta(minutes=4)).isoformat()
    points = [{"seq": number, "at": at, "lon": lon, "lat": lat, "accuracy_m": 5} for number in range(2)]
    assert client.post(f"/api/patrols/{patrol['id']}/points", json={"points": points}).status_code == 200
    assert checked_in(client, city, patrol, "A1") == 201
    form = {"uuid": str(uuid4()), "at": at, "category_code": "facility.street_light", "lon": str(lon), "lat": str(lat)}
    noted = client.post(f"/api/patrols/{patrol['id']}/notes", data=form)
    assert noted.status_code == 201, noted.text
    assert city.session.get_one(Incident, noted.json()["incident_id"]).grid_id == city.grids["B1"].id
    detail = client.get(f"/api/patrols/{patrol['id']}").json()
    assert [round(one["distance_m"]) for one in detail["check_ins"]] == [5]
    after = client.get("/patrol/today").json()
    assert city.buildings["A1"].id not in {one["id"] for one in after["buildings"]}


def test_a_building_that_never_was_the_walkers_is_refused(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begun(client, city)
    redrawn(city)
    assert checked_in(client, city, patrol, "C3") == 404
