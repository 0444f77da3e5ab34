"""Buildings and dwellings over HTTP: lists, filters, GeoJSON, edits."""

from __future__ import annotations

import pytest
import shapely
from shapely import to_geojson

from tests.api.conftest import ClientFor
from tests.city import City, degrees, rectangle


def test_the_pages_of_a_list_hold_every_building_exactly_once(city: City, client_for: ClientFor) -> None:
    client = client_for()
    for sort in ("number", "-number", "id", "-code", "name", "-updated"):
        address: str | None = f"/api/buildings?limit=2&sort={sort}"
        seen = []
        while address:
            page = client.get(address).json()
            assert len(page["items"]) <= 2
            seen += [building["id"] for building in page["items"]]
            address = page["next"]
        assert sorted(seen) == sorted(building.id for building in city.buildings.values())


def test_numbers_are_sorted_as_numbers(city: City, client_for: ClientFor) -> None:
    for place, number in enumerate(("10幢", "2幢", "1幢")):
        list(city.buildings.values())[place].number = number
    items = client_for().get("/api/buildings?q=幢").json()["items"]
    assert [building["number"] for building in items] == ["1幢", "2幢", "10幢"]


def test_a_list_is_filtered_by_grid_box_and_text(city: City, client_for: ClientFor) -> None:
    client = client_for()
    west, south = degrees(110, 110)
    east, north = degrees(190, 190)
    by_grid = client.get("/api/buildings", params={"grid": city.grids["B2"].code}).json()["items"]
    by_box = client.get("/api/buildings", params={"bbox": f"{west},{south},{east},{north}"}).json()["items"]
    by_text = client.get("/api/buildings", params={"q": city.buildings["B2"].code}).json()["items"]
    for items in (by_grid, by_box, by_text):
        assert [building["id"] for building in items] == [city.buildings["B2"].id]
        assert items[0]["grid_code"] == city.grids["B2"].code
        assert items[0]["grid_name"] == "B2"
    assert client.get("/api/buildings?grid=nowhere").json()["items"] == []


def test_geojson_has_the_same_records_with_their_footprints(city: City, client_for: ClientFor) -> None:
    client = client_for()
    plain = client.get("/api/buildings?total=true").json()
    by_f = client.get("/api/buildings?f=geojson")
    by_accept = client.get("/api/buildings", headers={"Accept": "application/geo+json"})
    assert by_f.headers["content-type"] == by_accept.headers["content-type"] == "application/geo+json"
    assert by_f.json()["features"] == by_accept.json()["features"]
    assert [feature["properties"] for feature in by_f.json()["features"]] == plain["items"]
    assert plain["total"] == 9
    drawn = shapely.from_geojson(by_f.text)
    assert shapely.get_num_geometries(drawn) == 9
    lon, lat = degrees(50, 50)
    assert any(shape.covers(shapely.Point(lon, lat)) for shape in shapely.get_parts(drawn))


def test_a_building_is_added_moved_and_removed(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    footprint = shapely.geometry.mapping(rectangle(10, 10, 5, 5))
    made = client.post(
        "/api/buildings",
        json={"community_id": city.community.id, "code": "99", "number": "99号楼", "geometry": footprint},
    )
    assert made.status_code == 201
    assert made.json()["grid_name"] == "A1"
    assert made.json()["located_by"] == "point"
    address = made.headers["location"]

    moved = client.patch(address, json={"geometry": shapely.geometry.mapping(rectangle(210, 10, 5, 5)), "floors": 6})
    assert (moved.json()["grid_name"], moved.json()["floors"], moved.json()["number"]) == ("C1", 6, "99号楼")
    gone = client.patch(address, json={"geometry": None})
    assert (gone.json()["grid_code"], gone.json()["unlocated_reason"]) == (None, "no_place")

    told = client.get(f"{address}/history").json()
    assert [entry["action"] for entry in told] == ["update", "update", "create"]
    assert told[1]["changes"]["floors"] == [None, 6]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_the_same_code_twice_is_a_conflict_and_nothing_is_half_done(city: City, client_for: ClientFor) -> None:
    client = client_for()
    code = city.buildings["A1"].code
    answer = client.post("/api/buildings", json={"community_id": city.community.id, "code": code})
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Another building of this community already has this code."
    assert client.get("/api/buildings?total=true").json()["total"] == 9


def test_whoever_edits_what_was_changed_meanwhile_is_told(city: City, client_for: ClientFor) -> None:
    client = client_for()
    address = f"/api/buildings/{city.buildings['A1'].id}"
    tag = client.get(address).headers["etag"]
    first = client.patch(address, json={"name": "甲"}, headers={"If-Match": tag})
    second = client.patch(address, json={"name": "乙"}, headers={"If-Match": tag})
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["type"] == "urn:wangge:changed-meanwhile"
    assert client.get(address).json()["name"] == "甲"
    third = client.patch(address, json={"name": "乙"}, headers={"If-Match": first.headers["etag"]})
    assert third.status_code == 200


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"floors": "six"}, "body.floors: Give a whole number."),
        ({"floor": 6}, "body.floor: There is no such field."),
        ({"kind": "castle"}, "body.kind: It is one of residential, other."),
        ({"kind": None}, "kind cannot be empty."),
        ({"number": "1\x00"}, "body.number: It has characters that are not allowed here."),
        ({"geometry": {"type": "Polygon", "coordinates": [[1, 2]]}}, "The coordinates do not make a Polygon."),
        ({"geometry": {"type": "Point", "coordinates": [500, 2]}}, "Give coordinates as longitude and latitude"),
        (
            {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}},
            "A building is a valid polygon or a point",
        ),
    ],
)
def test_what_is_malformed_is_refused_with_its_field(
    city: City, client_for: ClientFor, body: dict[str, object], word: str
) -> None:
    answer = client_for().patch(f"/api/buildings/{city.buildings['A1'].id}", json=body)
    assert answer.status_code == 422
    assert word in answer.json()["detail"]


def test_dwellings_are_listed_added_and_kept_while_somebody_lives_there(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    building = city.buildings["A1"]
    (home,) = client.get("/api/dwellings", params={"building": building.id}).json()["items"]
    assert (home["room"], home["building_number"]) == ("101", building.number)
    made = client.post(f"/api/buildings/{building.id}/dwellings", json={"unit": "1", "room": "201", "floor": 2})
    assert made.status_code == 201
    again = client.post(f"/api/buildings/{building.id}/dwellings", json={"unit": "1", "room": "201"})
    assert again.status_code == 409
    assert client.patch(made.headers["location"], json={"use": "rented"}).json()["use"] == "rented"
    assert client.delete(f"/api/dwellings/{home['id']}").status_code == 409
    assert client.delete(made.headers["location"]).status_code == 204


def test_a_warden_reads_buildings_but_may_not_edit_them(city: City, client_for: ClientFor) -> None:
    client = client_for("building_warden", city.grids["A1"])
    own, other = city.buildings["A1"].id, city.buildings["B2"].id
    assert client.get(f"/api/buildings/{own}").status_code == 200
    assert client.get(f"/api/buildings/{other}").status_code == 404
    assert client.patch(f"/api/buildings/{own}", json={"floors": 3}).status_code == 403


def test_a_footprint_comes_back_as_it_was_given(city: City, client_for: ClientFor) -> None:
    detail = client_for().get(f"/api/buildings/{city.buildings['A1'].id}").json()
    given = shapely.from_geojson(to_geojson(rectangle(30, 40, 40, 20)))
    assert shapely.geometry.shape(detail["geometry"]).symmetric_difference(given).area < 1e-12
