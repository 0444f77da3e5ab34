"""Patrols over HTTP: a phone that sends late, twice and out of order, and who may see what it sent."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from tests.api.conftest import ClientFor, TestClient
from tests.city import City, degrees

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)


def walked(count: int = 60, y: float = 30, first: int = 0, accuracy_m: float = 3) -> list[dict[str, Any]]:
    """Points of a walk to the east at 1.4 m/s, one every two seconds, as unsteady as a receiver is."""
    chance = random.Random(7)
    points = []
    for seq in range(first, first + count):
        lon, lat = degrees(seq * 2.8 + chance.gauss(0, 0.4), y + chance.gauss(0, 0.4))
        at = (START + timedelta(seconds=2 * seq)).isoformat()
        points.append({"seq": seq, "at": at, "lon": lon, "lat": lat, "accuracy_m": accuracy_m})
    return points


def begin(client: TestClient, city: City, grid: str = "A1", **values: Any) -> dict[str, Any]:
    """A patrol that began."""
    body = {
        "uuid": str(uuid4()),
        "community_id": city.community.id,
        "grid_id": city.grids[grid].id,
        "started_at": START.isoformat(),
        **values,
    }
    answer = client.post("/api/patrols", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def send(client: TestClient, patrol: dict[str, Any], points: list[dict[str, Any]]) -> dict[str, Any]:
    """Send points."""
    answer = client.post(f"/api/patrols/{patrol['id']}/points", json={"points": points})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_patrol_is_started_walked_and_ended(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begin(client, city)
    assert send(client, patrol, walked()) == {"received": 60, "new": 60, "total": 60, "through": 59}
    ended = client.post(f"/api/patrols/{patrol['id']}/stop", json={"at": (START + timedelta(minutes=2)).isoformat()})
    assert ended.json()["length_m"] == pytest.approx(59 * 2.8, rel=0.1)
    listed = client.get("/api/patrols", params={"f": "geojson"}).json()["features"]
    assert [feature["geometry"]["type"] for feature in listed] == ["MultiLineString"]
    seen = client.get("/api/coverage", params={"grid": city.grids["A1"].code}).json()["items"]
    assert [(one["kind"], one["status"], one["by"]) for one in seen] == [("building", "seen", "grid_leader")]


def test_a_patrol_that_is_started_twice_is_one(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begin(client, city)
    assert begin(client, city, uuid=patrol["uuid"])["id"] == patrol["id"]
    other = client_for("grid_leader", city.community)
    body = {"uuid": patrol["uuid"], "community_id": city.community.id, "started_at": START.isoformat()}
    assert other.post("/api/patrols", json=body).status_code == 409


def test_batches_come_in_any_order_and_more_than_once(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    straight, mixed = begin(client, city), begin(client, city)
    points = walked()
    send(client, straight, points)
    assert send(client, mixed, points[40:])["through"] == -1
    assert send(client, mixed, points[:20] + points[:5])["through"] == 19
    assert send(client, mixed, points[10:45]) == {"received": 35, "new": 20, "total": 60, "through": 59}
    assert send(client, mixed, points) == {"received": 60, "new": 0, "total": 60, "through": 59}
    told = [client.get(f"/api/patrols/{one['id']}/points").json() for one in (straight, mixed)]
    assert told[0] == told[1]
    passes = "SELECT kind, item_id, seen, poor, seen_at FROM coverage_pass WHERE patrol_id = :id ORDER BY kind, item_id"
    rows = [city.session.execute(text(passes), {"id": one["id"]}).all() for one in (straight, mixed)]
    assert rows[0] == rows[1] != []


def test_points_may_come_after_the_end(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begin(client, city)
    client.post(f"/api/patrols/{patrol['id']}/stop", json={"at": (START + timedelta(minutes=2)).isoformat()})
    assert send(client, patrol, walked())["new"] == 60
    seen = client.get("/api/coverage", params={"grid": city.grids["A1"].code, "state": "seen"}).json()["items"]
    assert len(seen) == 1


def test_a_check_in_counts_unless_the_phone_was_elsewhere(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    patrol = begin(client, city)
    near, far = degrees(50, 35), degrees(250, 235)
    for name, (lon, lat) in (("A1", near), ("B1", far)):
        body = {
            "uuid": str(uuid4()),
            "building_id": city.buildings[name].id,
            "at": START.isoformat(),
            "lon": lon,
            "lat": lat,
            "accuracy_m": 8,
        }
        for _again in range(2):
            assert client.post(f"/api/patrols/{patrol['id']}/check-ins", json=body).status_code == 201
    detail = client.get(f"/api/patrols/{patrol['id']}").json()
    assert [round(one["distance_m"]) for one in detail["check_ins"]] == [5, 192]
    seen = client.get("/api/coverage", params={"community": city.community.code, "state": "seen"}).json()["items"]
    assert [one["id"] for one in seen] == [city.buildings["A1"].id]


def test_a_note_becomes_one_case_however_often_it_is_sent(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begin(client, city)
    lon, lat = degrees(20, 30)
    form = {
        "uuid": str(uuid4()),
        "at": START.isoformat(),
        "category_code": "facility.street_light",
        "description": "路灯不亮",
        "lon": str(lon),
        "lat": str(lat),
        "accuracy_m": "6",
    }
    first, second = (client.post(f"/api/patrols/{patrol['id']}/notes", data=form) for _again in range(2))
    assert first.status_code == second.status_code == 201, first.text
    assert first.json() == second.json()
    case = client.get(f"/api/incidents/{first.json()['incident_id']}").json()
    assert (case["source"], case["grid_id"]) == ("patrol", city.grids["A1"].id)
    assert client.get(f"/api/patrols/{patrol['id']}").json()["incident_ids"] == [case["id"]]


def test_one_sees_ones_own_track_and_not_that_of_others(city: City, client_for: ClientFor) -> None:
    mine = client_for("building_warden", city.grids["A1"])
    patrol = begin(mine, city)
    send(mine, patrol, walked())
    assert mine.get(f"/api/patrols/{patrol['id']}/points").status_code == 200
    other = client_for("information_officer", city.grids["A1"])
    assert other.get("/api/patrols").json()["items"] == []
    assert other.get(f"/api/patrols/{patrol['id']}").status_code == 404
    assert other.get(f"/api/patrols/{patrol['id']}/points").status_code == 404
    (item,) = other.get("/api/coverage", params={"grid": city.grids["A1"].code}).json()["items"]
    assert (item["status"], item["by"], item["patrol_id"]) == ("seen", None, None)
    leader = client_for("grid_leader", city.grids["A1"])
    assert leader.get("/api/patrols").json()["items"] == []
    assert leader.get(f"/api/patrols/{patrol['id']}").status_code == 404
    (item,) = leader.get("/api/coverage", params={"grid": city.grids["A1"].code}).json()["items"]
    assert (item["status"], item["by"], item["patrol_id"]) == ("seen", None, None)


def test_while_traces_are_ordered_whoever_may_sees_the_tracks_of_these_days(city: City, client_for: ClientFor) -> None:
    mine = client_for("building_warden", city.grids["A1"])
    patrol = begin(mine, city)
    send(mine, patrol, walked())
    city.order(START.date())
    leader = client_for("grid_leader", city.grids["A1"])
    assert [one["id"] for one in leader.get("/api/patrols").json()["items"]] == [patrol["id"]]
    assert client_for("grid_leader", city.grids["B1"]).get("/api/patrols").json()["items"] == []


def test_nobody_adds_to_the_track_of_another(city: City, client_for: ClientFor) -> None:
    patrol = begin(client_for("building_warden", city.grids["A1"]), city)
    city.order(START.date())
    supervisor = client_for("supervisor", city.street)
    assert supervisor.get(f"/api/patrols/{patrol['id']}").status_code == 200
    answer = supervisor.post(f"/api/patrols/{patrol['id']}/points", json={"points": walked(3)})
    assert answer.status_code == 403


def test_removing_a_patrol_takes_back_what_it_saw(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begin(client, city)
    send(client, patrol, walked())
    assert client.delete(f"/api/patrols/{patrol['id']}").status_code == 204
    (item,) = client.get("/api/coverage", params={"grid": city.grids["A1"].code}).json()["items"]
    assert (item["status"], item["last_seen_at"]) == ("not_seen", None)
    assert city.session.scalar(text("SELECT count(*) FROM coverage_day")) == 0


def test_a_point_that_cannot_be_is_dropped_with_its_reason(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begin(client, city)
    points = walked()
    points[30]["lon"] += 0.01
    send(client, patrol, points)
    assert client.get(f"/api/patrols/{patrol['id']}").json()["dropped"] == {"jump": 1}
    told = client.get(f"/api/patrols/{patrol['id']}/points", params={"f": "geojson"}).json()["features"]
    assert [one["id"] for one in told if one["properties"]["reason"] == "jump"] == [30]


def test_a_time_that_cannot_be_is_refused_with_a_sentence(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    body = {
        "uuid": str(uuid4()),
        "community_id": city.community.id,
        "grid_id": city.grids["A1"].id,
        "started_at": "1970-01-01T00:00:00Z",
    }
    answer = client.post("/api/patrols", json=body)
    assert answer.status_code == 422
    assert "1970" in answer.json()["detail"]


def test_what_a_walker_sees_across_the_street_is_reported_to_the_grid_it_is_in(
    city: City, client_for: ClientFor
) -> None:
    leader, neighbour = client_for("grid_leader", city.grids["A1"]), client_for("grid_leader", city.grids["B1"])
    patrol = begin(leader, city)
    lon, lat = degrees(105, 50)
    form = {
        "uuid": str(uuid4()),
        "at": START.isoformat(),
        "category_code": "facility.corridor_light",
        "lon": lon,
        "lat": lat,
        "building_id": city.buildings["A1"].id,
    }
    first, again = (leader.post(f"/api/patrols/{patrol['id']}/notes", data=form) for _time in range(2))
    assert (first.status_code, again.json()) == (201, first.json())
    case = neighbour.get(f"/api/incidents/{first.json()['incident_id']}").json()
    assert (case["grid_name"], case["source"]) == ("B1", "patrol")
    assert leader.get(f"/api/incidents/{case['id']}").status_code == 404
    elsewhere = leader.post("/api/incidents", json={"community_id": city.community.id, **form})
    assert elsewhere.status_code in (404, 422)


def looks(city: City) -> list[tuple[str, int]]:
    found = text(
        "SELECT c.name, a.record_id FROM audit a JOIN account c ON c.id = a.account_id "
        "WHERE a.action = 'track' AND a.record_kind = 'patrol' ORDER BY a.id"
    )
    return [(name, record) for name, record in city.session.execute(found)]


@pytest.mark.parametrize(
    "address",
    [
        "/api/patrols/{id}",
        "/api/patrols/{id}/points",
        "/api/patrols/{id}/points?f=geojson",
        "/api/patrols?f=geojson",
        "/patrols/{id}",
        "/patrols/{id}/track",
        "/patrols/replay/tracks?day={day}",
        "/views/replay?to={day}",
    ],
)
def test_looking_at_the_track_of_another_is_recorded_and_at_ones_own_is_not(
    city: City, client_for: ClientFor, address: str
) -> None:
    leader, staff = client_for("grid_leader", city.grids["A1"]), client_for("community_staff", city.community)
    city.order(START.date())
    patrol = begin(leader, city)
    send(leader, patrol, walked())
    day = START.astimezone(ZoneInfo("Asia/Shanghai")).date()
    where = address.format(id=patrol["id"], day=day)
    if not where.startswith("/views"):
        assert leader.get(where).status_code == 200
    assert looks(city) == []
    for _again in range(2):
        assert staff.get(where).status_code == 200
    assert looks(city) == [("community_staff", patrol["id"])]


def test_lists_without_tracks_are_not_recorded(city: City, client_for: ClientFor) -> None:
    leader, staff = client_for("grid_leader", city.grids["A1"]), client_for("community_staff", city.community)
    send(leader, begin(leader, city), walked())
    for address in ("/api/patrols", "/patrols", "/coverage", f"/api/coverage?community={city.community.code}"):
        assert staff.get(address).status_code == 200
    assert looks(city) == []
