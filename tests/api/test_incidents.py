"""Incidents and categories over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data import calendars
from data.incidents import Incident
from tests.api.conftest import ClientFor
from tests.city import City, degrees


def test_an_incident_is_reported_handled_and_closed(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    lon, lat = degrees(20, 20)
    body = {"community_id": city.community.id, "category_code": "facility.corridor_light",
            "description": "三层廊灯不亮", "lon": lon, "lat": lat}  # fmt: skip
    made = client.post("/api/incidents", json=body)
    assert made.status_code == 201
    told = made.json()
    assert (told["state"], told["grid_name"], told["located_by"], told["overdue"]) == ("new", "A1", "point", False)
    assert told["category_name"] == "Corridor light broken"
    # Due after the working days of its category.
    reported, due = (datetime.fromisoformat(told[name]) for name in ("reported_at", "due_at"))
    assert due == calendars.due(city.session, city.community.id, reported, 3)

    address = made.headers["location"]
    assert client.patch(address, json={"description": "四层廊灯不亮"}).json()["description"] == "四层廊灯不亮"
    assert client.patch(address, json={"state": "closed"}).status_code == 422, "only actions say how it stands"
    assert [entry["action"] for entry in client.get(f"{address}/history").json()] == ["update", "create"]
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_nobody_reports_or_moves_an_incident_outside_their_grid(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    lon, lat = degrees(150, 150)
    body = {"community_id": city.community.id, "category_code": "facility.corridor_light", "lon": lon, "lat": lat}
    assert client.post("/api/incidents", json=body).status_code == 404
    (own,) = client.get("/api/incidents").json()["items"]
    assert client.patch(f"/api/incidents/{own['id']}", json={"lon": lon, "lat": lat}).status_code == 404
    assert client.get(f"/api/incidents/{own['id']}").json()["grid_name"] == "A1"


def test_an_incident_can_be_put_to_a_building(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    (first, *_rest) = client.get("/api/incidents?sort=id").json()["items"]
    moved = client.patch(f"/api/incidents/{first['id']}", json={"building_id": city.buildings["C3"].id}).json()
    assert (moved["grid_name"], moved["building_number"], moved["located_by"]) == ("C3", "9", "manual")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {"early", "late", "far"}),
        ({"state": "new"}, {"early", "far"}),
        ({"state": "new,closed"}, {"early", "late", "far"}),
        ({"state": "none"}, set()),
        ({"category": "facility"}, {"early", "late"}),
        ({"category": "environment.stray_cat"}, {"far"}),
        # Midnight in Shanghai is 16:00 the day before in UTC.
        ({"from": "2026-03-18"}, {"late"}),
        ({"to": "2026-03-17"}, {"early", "far"}),
        ({"from": "2026-03-17", "to": "2026-03-18"}, {"early", "late", "far"}),
        ({"overdue": "true"}, {"early"}),
        ({"q": "廊灯"}, {"early", "late"}),
        ({"located": "false"}, set()),
    ],
)
def test_filters_find_what_they_say_and_counts_agree(
    city: City, client_for: ClientFor, parameters: dict[str, str], expected: set[str]
) -> None:
    for incident in city.session.query(Incident):
        city.session.delete(incident)
    future = datetime.now(UTC) + timedelta(days=1)
    city.incident(20, 20, number="early", reported_at=datetime(2026, 3, 17, 15, 59, tzinfo=UTC),
                  due_at=datetime(2026, 3, 20, tzinfo=UTC))  # fmt: skip
    late = city.incident(20, 20, number="late", reported_at=datetime(2026, 3, 17, 16, 0, tzinfo=UTC), due_at=future)
    late.step = "closed"
    city.incident(250, 250, number="far", category_code="environment.stray_cat", description="野猫较多",
                  reported_at=datetime(2026, 3, 16, 20, 0, tzinfo=UTC), due_at=future)  # fmt: skip
    city.session.flush()
    client = client_for()
    found = client.get("/api/incidents", params=parameters).json()["items"]
    assert {incident["number"] for incident in found} == expected
    counts = client.get("/api/incidents/counts", params=parameters).json()
    assert counts["total"] == sum(counts["by_category"].values()) == len(expected)


def test_two_states_of_the_same_instant_are_paged_by_id(city: City, client_for: ClientFor) -> None:
    for _copy in range(7):
        city.incident(50, 50)
    client = client_for()
    address: str | None = "/api/incidents?limit=2&sort=-reported"
    seen: list[int] = []
    while address:
        page = client.get(address).json()
        seen += [incident["id"] for incident in page["items"]]
        address = page["next"]
    assert len(seen) == len(set(seen)) == 9


def test_a_page_survives_what_is_added_and_removed_meanwhile(city: City, client_for: ClientFor) -> None:
    for place in range(6):
        city.incident(50, 50, number=f"n{place}")
    client = client_for()
    first = client.get("/api/incidents?limit=4&sort=id").json()
    city.session.delete(city.session.get_one(Incident, first["items"][0]["id"]))
    city.session.flush()
    later = client.get(first["next"]).json()["items"]
    assert not {incident["id"] for incident in first["items"]} & {incident["id"] for incident in later}
    assert len(later) == 4


def test_the_language_of_the_request_names_the_category(city: City, client_for: ClientFor) -> None:
    client = client_for()
    names = {
        incident["category_name"]
        for language in ("zh", "en")
        for incident in client.get(f"/api/incidents?lang={language}").json()["items"]
    }
    assert names == {"楼道灯不亮", "Corridor light broken", "流浪猫较多", "Stray cats"}


def test_categories_are_a_tree_that_is_edited(city: City, client_for: ClientFor) -> None:
    admin = client_for()
    body = {"code": "facility.bench", "parent_code": "facility", "name_zh": "座椅损坏", "name_en": "Broken bench"}
    assert admin.post("/api/categories", json=body).status_code == 201
    assert admin.post("/api/categories", json=body).status_code == 409
    deeper = {**body, "code": "facility.bench.leg", "parent_code": "facility.bench"}
    assert admin.post("/api/categories", json=deeper).status_code == 422
    assert admin.post("/api/categories", json={**body, "code": "x", "parent_code": "nowhere"}).status_code == 404
    assert admin.patch("/api/categories/facility.bench", json={"days": 7}).json()["days"] == 7
    assert admin.delete("/api/categories/facility.bench").status_code == 204
    assert admin.delete("/api/categories/facility.corridor_light").status_code == 409
    local = client_for("administrator", city.community)
    assert local.patch("/api/categories/facility", json={"days": 7}).status_code == 403
