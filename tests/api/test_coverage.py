"""Coverage, rounds and assets over HTTP."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from geoalchemy2.shape import from_shape
from shapely import LineString

from data import coverage
from data.basemaps import Basemap
from tests.api.conftest import ClientFor, TestClient
from tests.api.test_patrols import START, begin, send, walked
from tests.city import City, degrees


def with_street(city: City) -> None:
    line = LineString([degrees(0, 30), degrees(300, 30)])
    road = Basemap(community_id=city.community.id, code="r1", kind="road", name="梧桐路", geom=from_shape(line, 4326))
    city.session.add(road)
    city.session.flush()
    coverage.split(city.session, city.community)


def items(client: TestClient, **parameters: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/coverage", params=parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_what_nobody_passed_comes_first_and_as_geojson(city: City, client_for: ClientFor) -> None:
    with_street(city)
    client = client_for("community_staff", city.community)
    send(client, begin(client, city, grid_id=None), walked())
    found = items(client, community=city.community.code)
    assert [one["status"] for one in found] == sorted(
        (one["status"] for one in found), key="not_seen too_poor seen".index
    )
    assert {one["kind"] for one in found} == {"building", "street"}
    drawn = client.get("/api/coverage", params={"community": city.community.code, "f": "geojson"}).json()
    assert [feature["properties"]["id"] for feature in drawn["features"]] == [one["id"] for one in found]
    assert {feature["geometry"]["type"] for feature in drawn["features"]} == {"Polygon", "LineString"}


def test_states_and_kinds_are_filters_of_one_list(city: City, client_for: ClientFor) -> None:
    with_street(city)
    client = client_for("community_staff", city.community)
    send(client, begin(client, city, grid_id=None), walked())
    whole = items(client, community=city.community.code)
    for kind in ("building", "street"):
        for state in ("seen", "not_seen", "too_poor"):
            some = items(client, community=city.community.code, kind=kind, state=state)
            assert some == [one for one in whole if (one["kind"], one["status"]) == (kind, state)]
    assert items(client, community=city.community.code, kind="none") == []
    assert client.get("/api/coverage", params={"kind": "tree"}).status_code == 422


def test_shares_agree_with_the_items(city: City, client_for: ClientFor) -> None:
    with_street(city)
    client = client_for("community_staff", city.community)
    send(client, begin(client, city, grid_id=None), walked())
    whole = items(client, community=city.community.code)
    for by in ("grid", "community", "street"):
        rows = client.get("/api/coverage/shares", params={"by": by}).json()
        for state in ("seen", "not_seen", "too_poor"):
            assert sum(row[state] for row in rows) == sum(one["status"] == state for one in whole)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"from": "2026-03-02", "to": "2026-03-01"}, "before the first"),
        ({"distance_m": 10}, "one community or grid"),
    ],
)
def test_what_cannot_be_told_is_said(client_for: ClientFor, parameters: dict[str, Any], sentence: str) -> None:
    answer = client_for().get("/api/coverage", params=parameters)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


def test_a_rhythm_is_set_and_taken_away(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    rule = {"community_id": city.community.id, "grid_id": city.grids["A1"].id, "kind": "building", "rhythm": "daily"}
    assert client.put("/api/coverage/rules", json=rule).status_code == 204
    (found,) = client.get("/api/coverage/rules").json()
    assert (found["grid_code"], found["rhythm"]) == (city.grids["A1"].code, "daily")
    rhythms = {one["grid_code"]: one["rhythm"] for one in items(client, community=city.community.code)}
    assert rhythms[city.grids["A1"].code] == "daily"
    assert rhythms[city.grids["B1"].code] == "weekly"
    assert client.put("/api/coverage/rules", json={**rule, "rhythm": None}).status_code == 204
    assert client.get("/api/coverage/rules").json() == []
    leader = client_for("grid_leader", city.grids["B1"])
    assert leader.put("/api/coverage/rules", json=rule).status_code in (403, 404)


def test_a_round_is_planned_past_every_home_and_is_due(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    plan = {"community_id": city.community.id, "name": "全社区早巡", "starts_at": "08:30:00"}
    made = client.post("/api/rounds", json=plan).json()
    assert sorted(made["building_ids"]) == sorted(building.id for building in city.buildings.values())
    # Nine places 100 m apart in a square: the shortest way around is 800 m and one diagonal.
    assert made["length_m"] == pytest.approx(800 + 100 * 2**0.5, rel=0.01)
    assert [(one["id"], one["done"]) for one in client.get("/api/rounds/due").json()] == [(made["id"], False)]
    begin(client, city, grid_id=None, round_id=made["id"])
    day = START.astimezone(ZoneInfo("Asia/Shanghai")).date().isoformat()
    assert [one["done"] for one in client.get("/api/rounds/due", params={"day": day}).json()] == [True]
    drawn = client.get("/api/rounds", params={"f": "geojson"}).json()["features"]
    assert drawn[0]["geometry"]["type"] == "LineString"


def test_a_round_is_due_on_its_days_of_the_week_only(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    monday = date(2026, 3, 16)
    plan = {"community_id": city.community.id, "name": "周一三五", "weekdays": [1, 3, 5]}
    client.post("/api/rounds", json=plan)
    due = [
        len(client.get("/api/rounds/due", params={"day": str(monday + timedelta(days=at))}).json()) for at in range(7)
    ]
    assert due == [1, 0, 1, 0, 1, 0, 0]


def test_a_route_is_offered_without_saving_and_a_drawn_one_is_kept(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    asked = {"community_id": city.community.id, "grid_id": city.grids["A1"].id}
    offered = client.post("/api/rounds/route", json=asked).json()
    assert offered == {"geometry": None, "building_ids": [city.buildings["A1"].id], "length_m": 0}
    line = {"type": "LineString", "coordinates": [degrees(10, 10), degrees(10, 90)]}
    made = client.post("/api/rounds", json={**asked, "name": "早巡", "geometry": line}).json()
    assert made["length_m"] == pytest.approx(80, rel=0.001)
    changed = client.patch(f"/api/rounds/{made['id']}", json={"rhythm": "weekly", "active": False}).json()
    assert (changed["rhythm"], changed["active"]) == ("weekly", False)
    bad = {"type": "Point", "coordinates": degrees(10, 10)}
    assert client.patch(f"/api/rounds/{made['id']}", json={"geometry": bad}).status_code == 422
    assert client.delete(f"/api/rounds/{made['id']}").status_code == 204
    other = {**asked, "grid_id": city.grids["B1"].id, "name": "越界"}
    assert client.post("/api/rounds", json=other).status_code == 404


def test_a_patrol_names_a_round_of_its_own_community_only(city: City, client_for: ClientFor) -> None:
    client = client_for()
    body = {"uuid": str(uuid4()), "community_id": city.community.id, "round_id": 999, "started_at": START.isoformat()}
    assert client.post("/api/patrols", json=body).status_code == 404


def test_an_asset_lies_in_the_grid_that_covers_it(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    lon, lat = degrees(150, 150)
    lamp = {"community_id": city.community.id, "kind": "street_lamp", "number": "LD-001", "lon": lon, "lat": lat}
    made = client.post("/api/assets", json=lamp).json()
    assert made["grid_code"] == city.grids["B2"].code
    assert client.post("/api/assets", json=lamp).status_code == 409
    lon, lat = degrees(50, 50)
    moved = client.patch(f"/api/assets/{made['id']}", json={"lon": lon, "lat": lat}).json()
    assert moved["grid_code"] == city.grids["A1"].code
    assert [one["number"] for one in client.get("/api/assets", params={"q": "001"}).json()["items"]] == ["LD-001"]
    assert client.delete(f"/api/assets/{made['id']}").status_code == 204


def test_a_file_of_tracks_is_imported_and_its_refusals_are_told(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    points = "".join(
        f'<trkpt lat="{point["lat"]:.7f}" lon="{point["lon"]:.7f}"><time>{point["at"]}</time></trkpt>'
        for point in walked()
    )
    lost = '<trkpt lat="undefined" lon="undefined"/>'
    content = "".join(f"<trk><trkseg>{one}</trkseg></trk>" for one in (points, lost))
    files = {"file": ("早巡.gpx", f"<gpx>{content}</gpx>".encode())}
    form = {"community": city.community.code, "grid": city.grids["A1"].code}
    answer = client.post("/api/patrols/import", data=form, files=files)
    assert answer.status_code == 200, answer.text
    good, bad = answer.json()
    assert (good["kept"], good["refused"], bad["patrol_id"]) == (60, None, None)
    assert "coordinates" in bad["refused"]
    assert items(client, grid=city.grids["A1"].code)[0]["status"] in ("seen", "too_poor")
    nothing = client.post("/api/patrols/import", data=form, files={"file": ("x.txt", b"hello")})
    assert nothing.status_code == 422
    elsewhere = {**form, "grid": city.grids["B1"].code}
    assert client.post("/api/patrols/import", data=elsewhere, files=files).status_code in (403, 404)
