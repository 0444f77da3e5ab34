"""Exports over HTTP hold what lists, map and API show for the same filter and the same person."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import mapbox_vector_tile
import pytest
import shapely
from shapely.geometry import shape
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.exchange.exports import FILTERS
from data import accounts, households, incidents, units
from data.base import access
from data.base.audit import Audit
from data.buildings import Building
from data.exchange import outgoing
from data.files.writing import Format
from data.incidents import Incident
from maps import tiles
from tests.api.conftest import ClientFor, TestClient
from tests.city import City, degrees
from tests.maps.test_tiles import tiles_of

#: Layer → the field by which the rows of list and file are told apart, in the list and in the file.
KEYS = {
    "units": ("code", "code"),
    "grids": ("code", "code"),
    "buildings": ("code", "code"),
    "dwellings": ("building_number", "building"),
    "households": ("number", "number"),
    "residents": ("household_number", "household"),
    "tenancies": ("building_number", "building"),
    "incidents": ("number", "number"),
}
PEOPLE = [name for name, layer in outgoing.LAYERS.items() if layer.people]


@pytest.fixture
def town(city: City) -> City:
    """Two communities: the small city with more cases, tenancies and an unlocated case, and another one."""
    later = datetime(2999, 1, 1, tzinfo=UTC)
    city.incident(240, 40, state="in_progress", due_at=later)
    city.incident(20, 220, state="closed", reported_at=datetime(2026, 1, 2, tzinfo=UTC))
    city.incident(340, 340)
    city.incident(155, 155, state="new")
    city.incident(60, 40, building_id=city.buildings["A1"].id, category_code="facility.leak")
    for grid in ("A1", "B2"):
        door = city.session.execute(
            text("SELECT id FROM dwelling WHERE building_id = :id"), {"id": city.buildings[grid].id}
        ).scalar_one()
        record = city.session.get(outgoing.Dwelling, door)
        assert record is not None
        households.add_tenancy(
            city.session,
            access.SYSTEM,
            record,
            first=date(2024, 1, 1),
            landlord_name="张三",
        )
    elsewhere = City.make(city.session, "310102001001")
    elsewhere.household("A1")
    elsewhere.incident(50, 50)
    city.session.flush()
    return city


def everything(client: TestClient, layer: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """All features of a list, page by page."""
    found: list[dict[str, Any]] = []
    answer = client.get(f"/api/{layer}", params={**query, "f": "geojson", "limit": 3})
    while True:
        assert answer.status_code == 200, answer.text
        found += answer.json()["features"]
        following = [link["href"] for link in answer.json()["links"] if link["rel"] == "next"]
        if not following:
            return found
        answer = client.get(following[0])


def exported(client: TestClient, layer: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """The features of an export as GeoJSON."""
    answer = client.get(f"/api/export/{layer}", params={**query, "format": "geojson"})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["features"])


def near(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether two GeoJSON geometries are the same but for rounding (1e-7 degrees)."""
    if one is None or other is None:
        return one is other
    return bool(shapely.hausdorff_distance(shape(one), shape(other)) < 2e-7)


def compared(client: TestClient, layer: str, query: dict[str, Any]) -> int:
    """Assert that list and export agree; how many rows they have."""
    in_list, in_file = KEYS[layer]
    listed = everything(client, layer, query)
    written = exported(client, layer, query)

    def key(row: dict[str, Any], name: str) -> tuple[str, str]:
        return str(row["properties"][name]), str(row["properties"].get("name"))

    listed.sort(key=lambda row: key(row, in_list))
    written.sort(key=lambda row: key(row, in_file))
    assert [key(row, in_list) for row in listed] == [key(row, in_file) for row in written]
    for one, other in zip(listed, written, strict=True):
        assert near(one["geometry"], other["geometry"])
        shared = set(one["properties"]) & set(other["properties"]) - {"groups", "members", "tenants"}
        assert shared >= {in_list} & {in_file}
        for name in shared:
            assert plain(one["properties"][name]) == plain(other["properties"][name]), name
    return len(listed)


def plain(value: Any) -> Any:
    """Instants as instants, whatever their zone; to the millisecond, which is what files keep."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return datetime.fromisoformat(value).timestamp() // 0.001
    return value


WHO = [
    ("administrator", "district"),
    ("community_staff", "community"),
    ("grid_leader", "A1"),
    ("grid_leader", "B2"),
    ("line_officer", "street"),
    ("analyst", "community"),
    ("planner", "community"),
]


def unit_of(city: City, place: str) -> units.Unit:
    found: units.Unit = city.grids[place] if place in city.grids else getattr(city, place)
    return found


@pytest.mark.parametrize(("role", "place"), WHO)
def test_a_file_holds_what_the_list_shows(town: City, client_for: ClientFor, role: str, place: str) -> None:
    client = client_for(role, unit_of(town, place))
    (west, south), (east, north) = degrees(-10, -10), degrees(195, 110)
    box = {"bbox": f"{west},{south},{east},{north}"}
    here, grid = {"community": town.community.code}, {"grid": town.grids["A1"].code}
    filters: dict[str, list[dict[str, Any]]] = {
        "units": [{}, {"level": "grid"}, {"under": town.community.code}, {"q": "B2"}],
        "grids": [{}, here, box, {"q": "A"}, {"on": "2019-01-01"}],
        "buildings": [{}, here, grid, box, {"kind": "other"}, {"q": "锦绣路"}, {"located": "false"}],
        "dwellings": [{}, grid, {"use": "owner"}, {"building": town.buildings["A1"].id}],
        "households": [{}, here, grid, {"group": "*"}, {"located": "true"}],
        "residents": [{}, grid, {"status": "registered"}, {"sex": "2"}],
        "tenancies": [{}, grid, {"current": "true"}, {"current": "false"}],
        "incidents": [
            {},
            here,
            grid,
            box,
            {"state": "new,closed"},
            {"state": "none"},
            {"category": "facility"},
            {"from": "2026-01-02", "to": "2026-01-02"},
            {"overdue": "true"},
            {"located": "false"},
            {"building": town.buildings["A1"].id},
        ],
    }
    rows = 0
    for layer, queries in filters.items():
        may = client.get(f"/api/{layer}").status_code == 200
        for query in queries:
            if may:
                rows += compared(client, layer, query)
            else:
                assert client.get(f"/api/export/{layer}", params=query).status_code == 403
    assert rows > 20


@pytest.mark.parametrize(("role", "place"), WHO)
@pytest.mark.parametrize("states", [None, "new,in_progress", "closed"])
def test_a_file_holds_what_the_map_shows(
    town: City, session: Session, client_for: ClientFor, role: str, place: str, states: str | None
) -> None:
    client = client_for(role, unit_of(town, place))
    account = session.scalars(select(accounts.Account).where(accounts.Account.name == role)).one()
    actor = accounts.actor(session, account)
    chosen = incidents.Filter(states=tuple(states.split(",")) if states else None)
    wanted = tiles.Wanted(community=town.community.code, incidents=chosen)
    query = {"community": town.community.code}

    def drawn(layer: str, zoom: int) -> set[int]:
        found: set[int] = set()
        for tile in tiles_of(zoom):
            content = tiles.draw(session, actor, tiles.LAYERS[layer], tile, wanted)
            for feature in mapbox_vector_tile.decode(content).get(layer, {"features": []})["features"]:
                found.add(feature["properties"]["id"])
        return found

    numbers = session.scalars(select(Incident.number).where(Incident.id.in_(drawn("incidents", 17))))
    there = exported(client, "incidents", query | ({"state": states} if states else {}))
    assert sorted(numbers) == sorted(row["properties"]["number"] for row in there if row["geometry"])
    codes = session.scalars(select(Building.code).where(Building.id.in_(drawn("buildings", 17))))
    assert sorted(codes) == sorted(row["properties"]["code"] for row in exported(client, "buildings", query))
    codes = session.scalars(select(units.Unit.code).where(units.Unit.id.in_(drawn("grids", 14))))
    assert sorted(codes) == sorted(row["properties"]["code"] for row in exported(client, "grids", query))


@pytest.mark.parametrize("layer", FILTERS)
def test_a_body_asks_for_the_same_as_the_address(town: City, client_for: ClientFor, layer: str) -> None:
    client = client_for()
    asked: dict[str, Any] = {"format": "csv", "headings": "zh", "community": town.community.code}
    if "q" in FILTERS[layer].model_fields and "q" not in FILTERS[layer].private:
        asked["q"] = "1"
    if layer == "incidents":
        asked |= {"from": "2026-01-01", "state": "new", "building": None}
    by_address = client.get(f"/api/export/{layer}", params={name: value for name, value in asked.items() if value})
    by_body = client.post(f"/api/export/{layer}", json=asked)
    assert by_address.status_code == by_body.status_code == 200
    assert by_address.content == by_body.content
    unknown = client.post(f"/api/export/{layer}", json={**asked, "colour": "red"})
    assert unknown.status_code == 422
    assert client.get(f"/api/export/{layer}?colour=red").status_code == 422


@pytest.mark.parametrize("layer", PEOPLE)
def test_personal_data_in_full_needs_a_body_with_a_purpose(
    town: City, session: Session, client_for: ClientFor, layer: str
) -> None:
    client = client_for("community_staff", town.community)
    assert client.get(f"/api/export/{layer}?purpose=入户核对").status_code == 422
    masked = client.get(f"/api/export/{layer}?format=csv").text
    full = client.post(f"/api/export/{layer}", json={"format": "csv", "purpose": "入户核对"}).text
    name = "张三" if layer == "tenancies" else "李小明"
    assert name not in masked
    assert name in full
    (row,) = session.scalars(select(Audit).where(Audit.action == "unmask")).all()
    assert (row.record_kind, row.purpose) == (layer, "入户核对")
    assert row.changes["rows"] == [None, str(len(list(csv.reader(io.StringIO(full)))) - 1)]
    assert row.request_id
    assert client.post(f"/api/export/{layer}", json={"purpose": "x"}).status_code == 422
    supervisor = client_for("supervisor", town.community)
    assert supervisor.post(f"/api/export/{layer}", json={"purpose": "入户核对"}).status_code == 403


def test_what_is_no_person_has_no_purpose(town: City, client_for: ClientFor) -> None:
    answer = client_for().post("/api/export/buildings", json={"purpose": "入户核对"})
    assert answer.status_code == 422


@pytest.mark.parametrize("form", Format)
def test_a_file_comes_under_its_chinese_name(town: City, client_for: ClientFor, form: Format) -> None:
    query = {"format": form.value, "community": town.community.code, "as_of": "2026-03-18", "headings": "zh"}
    answer = client_for().get("/api/export/buildings", params=query)
    assert answer.headers["content-type"] == form.media_type
    said = answer.headers["content-disposition"]
    assert f'filename="buildings-20260318{form.suffix}"' in said
    encoded = said.partition("filename*=UTF-8''")[2]
    assert unquote(encoded) == f"梧桐里社区-楼栋-20260318{form.suffix}"
    assert said.isascii()
    assert len(answer.content) > 500


def test_a_name_cannot_break_out_of_its_header(town: City, client_for: ClientFor) -> None:
    town.community.name = 'a"; x=../\r\nSet-Cookie: y'
    answer = client_for().get("/api/export/grids", params={"community": town.community.code})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert "/" not in unquote(answer.headers["content-disposition"].partition("''")[2])


def test_what_cannot_be_exported_is_said_as_a_problem(town: City, client_for: ClientFor) -> None:
    client = client_for()
    for query, status in (
        ("format=dwg", 422),
        ("crs=EPSG:0", 422),
        ("bbox=1,2,3", 422),
        ("as_of=2026-02-30", 422),
        ("format=kml&crs=EPSG:4549", 422),
        ("community=nowhere", 404),
        ("headings=fr", 422),
    ):
        answer = client.get(f"/api/export/grids?{query}")
        assert answer.status_code == status, query
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.text)["detail"]
    assert client.get("/api/export/cars").status_code == 404


def test_another_community_s_export_is_not_found(town: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", town.community)
    assert client.get("/api/export/buildings?community=310102001001").status_code == 404
    there = {row["properties"]["grid_code"][:12] for row in exported(client, "buildings", {})}
    assert there == {town.community.code}


@pytest.mark.parametrize("crs", ["IAU_2015:30100", "ESRI:104903", "EPSG:5714", "\x00", "EPSG:4978", "(" * 500, "{}"])
@pytest.mark.parametrize("layer", ["buildings", "incidents", "units"])
def test_a_system_that_is_none_of_the_earth_is_refused_in_a_sentence(
    client_for: ClientFor, city: City, layer: str, crs: str
) -> None:
    answer = client_for().get(f"/api/export/{layer}", params={"format": "gpkg", "crs": crs})
    assert answer.status_code == 422, answer.text
    assert "is no known coordinate system" in answer.text or "crs" in answer.text or "%00" in answer.text


@pytest.mark.parametrize("crs", ["EPSG:2154", "EPSG:3031", "EPSG:3857", "EPSG:32601", "EPSG:5041", "EPSG:4979"])
def test_a_system_of_elsewhere_on_earth_never_breaks_an_export(client_for: ClientFor, city: City, crs: str) -> None:
    client = client_for()
    for form in ("gpkg", "geojson", "shp", "fgb", "parquet", "csv", "xlsx"):
        answer = client.get("/api/export/buildings", params={"format": form, "crs": crs})
        assert answer.status_code in (200, 422), (form, answer.text)
