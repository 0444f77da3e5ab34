"""Units, grids and divisions over HTTP."""

from __future__ import annotations

import re
from datetime import timedelta

import shapely
from shapely.geometry import mapping, shape
from sqlalchemy import select

from data.base import settings
from data.incidents import IncidentStep
from tests.api.conftest import ClientFor
from tests.city import City, rectangle


def test_the_tree_of_units_is_read_with_its_outlines(city: City, client_for: ClientFor) -> None:
    client = client_for()
    grids = client.get("/api/units", params={"under": city.community.code}).json()["items"]
    assert [grid["name"] for grid in grids] == ["A1", "B1", "C1", "A2", "B2", "C2", "A3", "B3", "C3"]
    assert {grid["parent_name"] for grid in grids} == {"梧桐里社区"}
    drawn = client.get("/api/units?level=community&f=geojson").json()["features"]
    whole = rectangle(0, 0, 300, 300)
    assert shape(drawn[0]["geometry"]).symmetric_difference(whole).area < whole.area * 1e-5


def test_a_grid_leader_sees_the_own_grid_and_what_lies_above(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["B2"])
    assert [unit["level"] for unit in client.get("/api/units").json()["items"]] == [
        "district",
        "street",
        "community",
        "grid",
    ]
    assert [grid["name"] for grid in client.get("/api/grids").json()["items"]] == ["B2"]
    assert client.get(f"/api/grids/{city.grids['A1'].id}").status_code == 404


def test_a_grid_tells_its_boundary_team_and_figures(city: City, client_for: ClientFor) -> None:
    detail = client_for().get(f"/api/grids/{city.grids['A1'].id}").json()
    assert shape(detail["geometry"]).equals_exact(shapely.MultiPolygon([rectangle(0, 0, 100, 100)]), 1e-9)
    figures = detail["figures"]
    assert abs(figures["area_m2"] - 10_000) < 20
    assert (figures["buildings"], figures["households"], figures["residents"]) == (1, 1, 1)
    assert (figures["open_incidents"], figures["special_households"]) == (1, 0)
    # Whoever may not see people is told nothing about how many there are, not that there are none.
    warden = client_for("building_warden", city.community).get(f"/api/grids/{city.grids['A1'].id}").json()["figures"]
    assert (warden["buildings"], warden["households"], warden["residents"]) == (1, None, None)
    summary = client_for("analyst", city.community).get(f"/api/communities/{city.community.id}/summary").json()
    assert (summary["buildings"], summary["households"]) == (9, None)
    assert {grid["residents"] for grid in summary["by_grid"]} == {None}


def test_a_planner_is_told_how_many_there_are_and_nobody(city: City, client_for: ClientFor) -> None:
    client = client_for("planner", city.community)
    staff = client_for("community_staff", city.community)
    figures = client.get(f"/api/grids/{city.grids['A1'].id}").json()["figures"]
    assert (figures["households"], figures["residents"], figures["special_households"]) == (1, 1, None)
    summary = client.get(f"/api/communities/{city.community.id}/summary").json()
    whole = staff.get(f"/api/communities/{city.community.id}/summary").json()
    assert (summary["households"], summary["residents"]) == (whole["households"], whole["residents"])
    assert {grid["tenancies"] for grid in summary["by_grid"]} == {None}
    client.cookies.set("wangge_language", "en")
    page = {"accept": "text/html"}
    assert re.search(r"Households.*People", client.get("/grids", headers=page).text, re.DOTALL)
    assert "3 households<" in client.get("/map", headers=page).text
    for address in (f"/grids/{city.grids['A1'].id}/panel", f"/buildings/{city.buildings['A1'].id}/panel"):
        panel = client.get(address, headers={**page, "HX-Request": "true"}).text
        assert "<dd>1</dd><dt>households</dt>" in panel
        assert "<dd>1</dd><dt>people</dt>" in panel
        assert "special" not in panel
        assert "/households/" not in panel
    for closed in ("/households", "/residents", "/api/households", "/api/residents"):
        assert client.get(closed, headers=page).status_code == 403


def test_a_new_division_moves_the_buildings_and_the_old_one_stays_readable(city: City, client_for: ClientFor) -> None:
    client = client_for("planner", city.community)
    parts = [
        {"grid_id": city.grids["A1"].id, "geometry": mapping(rectangle(0, 0, 200, 300))},
        {"grid_id": city.grids["B2"].id, "geometry": mapping(rectangle(200, 0, 100, 300))},
    ]
    address = f"/api/communities/{city.community.id}/divisions"
    made = client.post(address, json={"valid_from": "2026-01-01", "grids": parts})
    assert made.status_code == 201
    plan = client.get(f"/api/plans/{made.json()['plan_id']}").json()
    assert (plan["state"], plan["effective_on"]) == ("in_force", "2026-01-01")
    names = [building["grid_name"] for building in client.get("/api/buildings").json()["items"]]
    assert sorted(names) == ["A1"] * 6 + ["B2"] * 3
    assert [one["valid_from"] for one in client.get(address).json()] == ["2026-01-01", "2020-01-01"]
    before = client.get("/api/grids?on=2025-12-31&f=geojson").json()["features"]
    after = client.get("/api/grids?on=2026-01-01&f=geojson").json()["features"]
    assert sum(feature["geometry"] is not None for feature in before) == 9
    assert sum(feature["geometry"] is not None for feature in after) == 2


def test_a_division_at_once_follows_the_rules_of_plans(city: City, client_for: ClientFor) -> None:
    client = client_for("planner", city.community)
    still = city.incident(150, 50)
    city.session.flush()
    shapes = {name: rectangle(100 * (at % 3), 100 * (at // 3), 100, 100) for at, name in enumerate(city.grids)}
    shapes |= {"A1": rectangle(0, 0, 155, 100), "B1": rectangle(155, 0, 45, 100)}
    parts = [{"grid_id": city.grids[name].id, "geometry": mapping(shape)} for name, shape in shapes.items()]
    address = f"/api/communities/{city.community.id}/divisions"
    tomorrow = (settings.today() + timedelta(days=1)).isoformat()
    early = client.post(address, json={"valid_from": tomorrow, "grids": parts})
    assert (early.status_code, "Draw up a plan" in early.json()["detail"]) == (422, True)
    (note,) = client.post(address, json={"grids": parts}).json()["notes"]
    assert "cut through 1 buildings: Building 2." in note
    city.session.expire_all()
    assert still.grid_id == city.grids["A1"].id
    notes = city.session.scalars(select(IncidentStep.note).where(IncidentStep.incident_id == still.id))
    assert any("from B1 to A1" in (note or "") for note in notes)


def test_a_division_that_overlaps_or_names_strangers_is_refused(city: City, client_for: ClientFor) -> None:
    client = client_for("planner", city.community)
    address = f"/api/communities/{city.community.id}/divisions"
    overlapping = [
        {"grid_id": city.grids["A1"].id, "geometry": mapping(rectangle(0, 0, 200, 300))},
        {"grid_id": city.grids["B2"].id, "geometry": mapping(rectangle(150, 0, 150, 300))},
    ]
    refused = client.post(address, json={"grids": overlapping})
    assert (refused.status_code, refused.json()["detail"][:18]) == (409, "Two grids overlap.")
    other = City.make(city.session, "310102001001")
    strangers = [{"grid_id": other.grids["A1"].id, "geometry": mapping(rectangle(0, 0, 200, 300))}]
    assert client.post(address, json={"grids": strangers}).status_code == 422
    twice = [overlapping[0], overlapping[0]]
    assert client.post(address, json={"grids": twice}).status_code == 422


def test_units_are_added_renamed_and_removed_while_empty(city: City, client_for: ClientFor) -> None:
    admin = client_for()
    body = {"level": "grid", "parent_id": city.community.id, "code": "310101001001010", "name": "第十网格"}
    made = admin.post("/api/units", json=body)
    assert (made.status_code, made.json()["metric_crs"]) == (201, "EPSG:4549")
    assert admin.post("/api/units", json=body).status_code == 409
    assert admin.post("/api/units", json={**body, "code": "9", "level": "street"}).status_code == 422
    address = made.headers["location"]
    assert admin.patch(address, json={"household_min": 300}).status_code == 422
    assert admin.patch(address, json={"metric_crs": "EPSG:4326"}).status_code == 422
    assert admin.patch(address, json={"name": "新网格", "household_max": 220}).json()["household_max"] == 220
    assert admin.delete(address).status_code == 204
    held = admin.delete(f"/api/units/{city.grids['A1'].id}")
    assert (held.status_code, "part of a division" in held.json()["detail"]) == (409, True)
    assert admin.delete(f"/api/units/{city.community.id}").status_code == 409
