"""Incidents and categories over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data import calendars, teams
from data.incidents import Incident
from tests.api.conftest import ClientFor
from tests.city import City, degrees


def test_an_incident_is_reported_handled_and_closed(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    lon, lat = degrees(20, 20)
    body = {
        "community_id": city.community.id,
        "category_code": "facility.corridor_light",
        "description": "三层廊灯不亮",
        "lon": lon,
        "lat": lat,
    }
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
        ({"located": "false"}, set()),
    ],
)
def test_filters_find_what_they_say_and_counts_agree(
    city: City, client_for: ClientFor, parameters: dict[str, str], expected: set[str]
) -> None:
    for incident in city.session.query(Incident):
        city.session.delete(incident)
    future = datetime.now(UTC) + timedelta(days=1)
    city.incident(
        20,
        20,
        number="early",
        reported_at=datetime(2026, 3, 17, 15, 59, tzinfo=UTC),
        due_at=datetime(2026, 3, 20, tzinfo=UTC),
    )
    late = city.incident(20, 20, number="late", reported_at=datetime(2026, 3, 17, 16, 0, tzinfo=UTC), due_at=future)
    late.step = "closed"
    city.incident(
        250,
        250,
        number="far",
        category_code="environment.stray_cat",
        description="野猫较多",
        reported_at=datetime(2026, 3, 16, 20, 0, tzinfo=UTC),
        due_at=future,
    )
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


def test_a_case_is_handled_over_http_from_triage_to_closing(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    address = f"/api/incidents/{city.incident(20, 20).id}"
    assert set(client.get(f"{address}/actions").json()) == {"triage", "reject", "merge", "note"}
    refused = client.post(f"{address}/actions", json={"action": "close"})
    assert (refused.status_code, refused.json()["facts"]["step"]) == (409, "reported")
    told = client.post(f"{address}/actions", json={"action": "triage"}).json()
    assert (told["step"], told["state"], told["tier"], told["assignee_name"]) == (
        "assigned",
        "in_progress",
        "grid",
        "community_staff",
    )
    for action in ("start", "resolve", "give_feedback", "close"):
        answer = client.post(f"{address}/actions", json={"action": action, "note": "已处理", "public": True})
        assert answer.status_code == 200, answer.text
    assert answer.json()["closed_at"] is not None
    steps = client.get(f"{address}/steps").json()
    assert [step["action"] for step in steps] == [
        "report",
        "triage",
        "assign",
        "start",
        "resolve",
        "give_feedback",
        "close",
    ]
    assert steps[-1]["account_name"] == "community_staff"
    assert client.post(f"{address}/actions", json={"action": "report"}).status_code == 409


def test_a_case_is_settled_on_the_spot_over_http_all_or_nothing(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    address = f"/api/incidents/{city.incident(20, 20).id}"
    told = {"note": "已更换灯泡", "told": "当面告知"}
    client.post(f"{address}/actions", json={"action": "triage"})
    assert client.post(f"{address}/settle", json={"note": "已更换灯泡"}).status_code == 422
    assert client.post(f"{address}/settle", json={**told, "step": "in_progress"}).status_code == 409
    assert client.get(address).json()["step"] == "assigned"
    answer = client.post(f"{address}/settle", json={**told, "step": "assigned"}).json()
    assert (answer["step"], answer["state"]) == ("closed", "closed")
    steps = client.get(f"{address}/steps").json()
    assert [(step["action"], step["note"]) for step in steps][-3:] == [
        ("resolve", "已更换灯泡"),
        ("give_feedback", "当面告知"),
        ("close", None),
    ]
    assert client_for("grid_leader", city.grids["B2"]).post(f"{address}/settle", json=told).status_code == 404
    untouched = f"/api/incidents/{city.incident(20, 20).id}"
    settled = client.post(f"{untouched}/settle", json={**told, "step": "reported"}).json()
    assert (settled["step"], settled["tier"], settled["assignee_name"]) == ("closed", "grid", "grid_leader")


def test_who_looked_at_an_older_step_is_told(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    address = f"/api/incidents/{city.incident(20, 20).id}"
    seen = client.get(address)
    client.post(f"{address}/actions", json={"action": "triage", "step": "reported"})
    late = {"action": "reject", "note": "不属实"}
    assert client.post(f"{address}/actions", json={**late, "step": "reported"}).status_code == 409
    assert client.post(f"{address}/actions", json=late, headers={"If-Match": seen.headers["etag"]}).status_code == 409
    assert client.post(f"{address}/actions", json=late).json()["step"] == "rejected"


def test_a_program_may_do_without_a_body(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    client.headers["Prefer"] = "return=minimal"
    lon, lat = degrees(20, 20)
    body = {"community_id": city.community.id, "category_code": "facility.door", "lon": lon, "lat": lat}
    made = client.post("/api/incidents", json=body)
    assert (made.status_code, made.content, made.headers["preference-applied"]) == (201, b"", "return=minimal")
    done = client.post(f"{made.headers['location']}/actions", json={"action": "triage"})
    assert (done.status_code, done.content) == (204, b"")
    assert done.headers["etag"] == client.get(made.headers["location"]).headers["etag"]


def test_a_report_carries_answers_contact_and_accuracy_and_the_contact_is_shown_for_a_purpose(
    city: City, client_for: ClientFor
) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    lon, lat = degrees(20, 20)
    body = {
        "community_id": city.community.id,
        "category_code": "facility.corridor_light",
        "lon": lon,
        "lat": lat,
        "source": "phone",
        "contact": "13812346021",
        "accuracy_m": 12.5,
        "answers": {"floor": "3", "danger": False},
    }
    told = client.post("/api/incidents", json=body).json()
    assert (told["source"], told["has_contact"], told["accuracy_m"]) == ("phone", True, 12.5)
    assert told["answers"] == {"floor": "3", "danger": False}
    assert "13812346021" not in str(told)
    address = f"/api/incidents/{told['id']}/contact"
    assert client.post(address, json={"purpose": "回访"}).json() == {"contact": "13812346021"}
    assert client.post("/api/incidents", json=body | {"answers": {"colour": "red"}}).status_code == 422


def test_what_may_be_the_same_is_found_before_and_after_reporting(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    kind = {"category_code": "facility.manhole"}
    first, second = city.incident(20, 20, **kind), city.incident(23, 24, **kind)
    lon, lat = degrees(20, 20)
    query = {"community_id": city.community.id, "category_code": first.category_code, "lon": lon, "lat": lat}
    found = client.get("/api/incidents/similar", params=query).json()
    assert [(one["id"], round(one["distance_m"], 1)) for one in found] == [(first.id, 0.0), (second.id, 5.0)]
    assert found[0]["age_s"] > 0
    assert [one["id"] for one in client.get(f"/api/incidents/{first.id}/similar").json()] == [second.id]
    assert client.get("/api/incidents/similar", params=query | {"distance_m": 4}).json()[-1]["id"] == first.id

    merged = {"action": "merge", "into_id": first.id, "note": "同一盏灯"}
    assert client.post(f"/api/incidents/{second.id}/actions", json=merged).json()["merged_into_id"] == first.id
    assert [one["id"] for one in client.get(f"/api/incidents/{first.id}/merged").json()] == [second.id]
    assert client.get("/api/incidents/counts", params={"category": "facility.manhole"}).json()["total"] == 1
    assert (
        client.get("/api/incidents/counts", params={"category": "facility.manhole", "merged": True}).json()["total"]
        == 2
    )


def test_many_are_assigned_at_once_or_none(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    line = city.account("line_officer", city.community)
    ids = [city.incident(x, 20).id for x in (20, 120)]
    body = {"incident_ids": ids, "assignee_id": line.id}
    assert client.post("/api/incidents/assign", json=body).json() == {"assigned": 2}
    mine = client.get("/api/incidents", params={"assignee": line.id, "step": "assigned", "level": "grid"}).json()
    assert {one["id"] for one in mine["items"]} == set(ids)
    closed = city.incident(state="closed").id
    answer = client.post("/api/incidents/assign", json={"incident_ids": [*ids, closed]})
    assert answer.status_code == 409


def test_a_service_team_does_the_work_of_a_case_while_somebody_sees_to_it(city: City, client_for: ClientFor) -> None:
    repairs = teams.ServiceTeam(community_id=city.community.id, name="修理队")
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    strangers = teams.ServiceTeam(community_id=elsewhere.community.id, name="别处队")
    city.session.add_all([repairs, strangers])
    city.session.flush()
    leader = client_for("grid_leader", city.grids["A1"])
    address = f"/api/incidents/{city.incident(20, 20).id}"
    leader.post(f"{address}/actions", json={"action": "triage"})
    assign = {"action": "assign", "service_team_id": repairs.id}
    assert leader.post(f"{address}/actions", json={**assign, "service_team_id": strangers.id}).status_code == 422
    given = leader.post(f"{address}/actions", json=assign).json()
    assert (given["service_team_name"], given["assignee_name"]) == ("修理队", "grid_leader")
    assert leader.get(f"{address}/steps").json()[-1]["service_team_name"] == "修理队"
    theirs = leader.get("/api/incidents", params={"service_team": repairs.id}).json()["items"]
    assert [incident["id"] for incident in theirs] == [given["id"]]
    page = {"Accept": "text/html"}
    for place in ("/incidents", "/incidents/board", f"/incidents/{given['id']}"):
        assert "修理队 · grid_leader" in leader.get(place, headers=page).text, place
    exported = leader.get("/api/export/incidents", params={"format": "csv", "service_team": repairs.id}).text
    assert "修理队" in exported
    assert len(exported.strip().splitlines()) == 2
    returned = leader.post(f"{address}/actions", json={"action": "escalate"}).json()
    assert returned["service_team_id"] is None
    staff = client_for("community_staff", city.community)
    body = {"incident_ids": [given["id"]], "service_team_id": repairs.id}
    assert staff.post("/api/incidents/assign", json=body).json() == {"assigned": 1}
    assert staff.get(address).json()["service_team_name"] == "修理队"


def test_categories_carry_tiers_limits_and_questions(city: City, client_for: ClientFor) -> None:
    client = client_for()
    question = {
        "code": "arm",
        "name_zh": "扶手",
        "name_en": "Arm rest",
        "kind": "choice",
        "required": True,
        "retired": False,
        "choices": [{"code": "left", "name_zh": "左", "name_en": "Left", "retired": False}],
    }
    body = {
        "code": "facility.bench",
        "parent_code": "facility",
        "name_zh": "座椅损坏",
        "name_en": "Broken bench",
        "tier": "grid",
        "days": 5,
        "limits": {"street": 20},
        "questions": [question],
        "recurrence_days": 90,
        "external_code": "0105",
    }
    made = client.post("/api/categories", json=body)
    assert made.status_code == 201
    assert body.items() <= made.json().items()
    refused = client.patch("/api/categories/facility.bench", json={"questions": [question, question]})
    assert refused.status_code == 422
    lon, lat = degrees(20, 20)
    report = {"community_id": city.community.id, "category_code": "facility.bench", "lon": lon, "lat": lat}
    assert client.post("/api/incidents", json=report | {"answers": {"arm": "left"}}).status_code == 201
    assert client.post("/api/incidents", json=report | {"answers": {"arm": "right"}}).status_code == 422


def test_templates_are_rows_to_edit(city: City, client_for: ClientFor) -> None:
    client = client_for()
    offered = client.get("/api/templates", params={"action": "give_feedback"}).json()
    assert {one["action"] for one in offered} == {"give_feedback"}
    body = {
        "code": "resolved_door",
        "name_zh": "门禁已修好",
        "name_en": "Door mended",
        "action": "resolve",
        "text": "{address}门禁已修复。",
    }
    assert client.post("/api/templates", json=body).status_code == 201
    assert client.post("/api/templates", json=body).status_code == 409
    assert client.patch("/api/templates/resolved_door", json={"text": "已修复。"}).json()["text"] == "已修复。"
    assert client.patch("/api/templates/resolved_door", json={"action": "merge"}).status_code == 422
    assert client.delete("/api/templates/resolved_door").status_code == 204
    assert client.patch("/api/templates/resolved_door", json={"text": "x"}).status_code == 404
    assert client_for("grid_leader", city.grids["A1"]).post("/api/templates", json=body).status_code == 403
