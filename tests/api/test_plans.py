"""Plans over HTTP: drawn up, edited with what follows shown, two at once, approved, and known to nobody outside."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

from data import buildings, plans
from data.base import access, settings
from tests.api.conftest import TestClient, signed_in
from tests.city import City, degrees, rectangle


@pytest.fixture
def city(session: Session) -> City:
    city = City.make(session)
    buildings.add(
        session, access.SYSTEM, community=city.community, code="10", number="10", geom=rectangle(5, 80, 10, 10)
    )
    city.household("A1")
    return city


@pytest.fixture
def planner(app: FastAPI, session: Session, city: City) -> TestClient:
    return signed_in(app, session, city.actor("planner", city.community))


def drawn_up(client: TestClient, city: City) -> dict[str, Any]:
    answer = client.post("/api/plans", json={"community_id": city.community.id, "name": "均衡户数方案"})
    assert answer.status_code == 201, answer.text
    plan: dict[str, Any] = answer.json()
    return plan


def table(client: TestClient, plan: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/plans/{plan['id']}/table").json()
    return found


def key_of(found: dict[str, Any], name: str) -> int:
    keys = {one["properties"]["name"]: one["properties"]["key"] for one in found["grids"]["features"]}
    return int(keys[name])


def test_an_edit_answers_with_all_that_follows(city: City, planner: TestClient) -> None:
    plan = drawn_up(planner, city)
    before = table(planner, plan)
    assert before["moves"] == [] and len(before["edges"]["features"]) == 20  # noqa: PT018 - one state
    edit = {
        "version": before["plan"]["version"],
        "kind": "hand_over",
        "key": key_of(before, "B1"),
        "buildings": [city.buildings["A1"].id],
    }
    after = planner.post(f"/api/plans/{plan['id']}/edits", json=edit).json()
    assert [(move["source"], move["target"], move["households"]) for move in after["moves"]] == [("A1", "B1", 1)]
    assert after["totals"]["buildings"] == 1
    assert after["edits"][0]["beyond"][0]["why"] == "around"
    assert after["moved"]["features"]
    late = planner.post(f"/api/plans/{plan['id']}/edits", json=edit)
    assert late.status_code == 409
    undone = planner.post(f"/api/plans/{plan['id']}/undo", json={"version": after["plan"]["version"]}).json()
    assert undone["moves"] == []
    assert undone["can_redo"] is True
    assert undone["grids"] == before["grids"]


def test_an_edge_of_the_table_is_sent_back_with_other_corners(city: City, planner: TestClient) -> None:
    plan = drawn_up(planner, city)
    found = table(planner, plan)
    keys = {key_of(found, "A1"), key_of(found, "B1")}
    edge = next(
        one for one in found["edges"]["features"] if {one["properties"]["left"], one["properties"]["right"]} == keys
    )
    corners = edge["geometry"]["coordinates"]
    across = [corners[0], list(degrees(60, 50)), corners[-1]]
    body = {"version": found["plan"]["version"], "kind": "reshape", "edge": corners, "line": across}
    after = planner.post(f"/api/plans/{plan['id']}/edits", json=body)
    assert after.status_code == 200, after.text
    cut = [finding["says"] for finding in after.json()["findings"] if finding["kind"] == "cut"]
    assert len(cut) == 1
    crossing = body | {"edge": across, "line": [corners[0], list(degrees(350, 150)), corners[-1]]}
    refused = planner.post(
        f"/api/plans/{plan['id']}/edits", json=crossing | {"version": after.json()["plan"]["version"]}
    )
    assert refused.status_code == 422
    assert refused.json()["facts"]["reason"] == "crossing"


def test_the_street_approves_and_the_file_says_so(app: FastAPI, city: City, planner: TestClient) -> None:
    plan = drawn_up(planner, city)
    address = f"/api/plans/{plan['id']}"
    assert planner.post(f"{address}/steps/new", json={"action": "submit"}).json()["state"] == "submitted"
    tomorrow = (settings.today() + timedelta(days=1)).isoformat()
    approval = {"action": "approve", "effective_on": tomorrow}
    assert planner.post(f"{address}/steps/new", json=approval).status_code == 403
    street = signed_in(app, city.session, city.actor("planner", city.street))
    assert street.post(f"{address}/steps/new", json=approval).json()["state"] == "approved"
    file = planner.get(f"{address}/geojson").json()
    assert (file["state"], file["effective_on"], len(file["features"])) == ("approved", tomorrow, 9)


def test_a_comment_is_made_and_answered_while_the_plan_is_up(app: FastAPI, city: City, planner: TestClient) -> None:
    plan = drawn_up(planner, city)
    address = f"/api/plans/{plan['id']}"
    staff = signed_in(app, city.session, city.actor("community_staff", city.community))
    assert staff.post(f"{address}/comments/new", json={"body": "早了"}).status_code == 409
    planner.post(f"{address}/steps/new", json={"action": "put_up"})
    (comment,) = staff.post(f"{address}/comments/new", json={"body": "一号楼归第二网格"}).json()
    answered = planner.post(f"{address}/comments/new", json={"body": "好", "answers_id": comment["id"]}).json()
    assert [one["body"] for one in answered] == ["一号楼归第二网格", "好"]
    planner.post(f"{address}/comments/{comment['id']}/hide")
    assert [one["body"] for one in staff.get(f"{address}/comments").json()] == ["好"]


def test_a_plan_of_elsewhere_is_not_found(app: FastAPI, city: City) -> None:
    plan = plans.draw_up(city.session, access.SYSTEM, city.community, name="甲")
    there = City.make(city.session, "310102001001")
    stranger = signed_in(app, city.session, there.actor("planner", there.community))
    assert stranger.get(f"/api/plans/{plan.id}/table").status_code == 404
    assert stranger.post(f"/api/plans/{plan.id}/undo", json={}).status_code == 404
    assert stranger.get("/api/plans").json() == []


@pytest.mark.parametrize(("form", "name"), [("gpkg", "plan.gpkg"), ("csv", "plan.csv")])
def test_a_plan_goes_out_as_a_file_and_comes_in_again(city: City, planner: TestClient, form: str, name: str) -> None:
    plan = drawn_up(planner, city)
    file = planner.get(f"/api/plans/{plan['id']}/file", params={"f": form})
    assert file.headers["content-disposition"].endswith(f'.{form}"')
    said = {"community": city.community.code, "name": "再来"}
    made = planner.post("/api/plans/import", data=said, files={"file": (name, file.content)})
    assert (made.status_code, made.json()["name"]) == (201, "再来")
    assert table(planner, made.json())["moves"] == []


def test_a_half_drawn_file_is_told_on_the_page_what_it_lacks(city: City, planner: TestClient) -> None:
    plan = drawn_up(planner, city)
    whole = planner.get(f"/api/plans/{plan['id']}/geojson").json()
    whole["features"] = whole["features"][:-2]
    planner.cookies.set("wangge_language", "en")
    before = len(planner.get("/api/plans").json())
    page = planner.post(
        "/plans/import",
        data={"community_id": str(city.community.id), "name": "半"},
        files={"file": ("half.geojson", json.dumps(whole).encode())},
        headers={"accept": "text/html"},
    )
    assert page.status_code == 422
    assert "B3, C3 are not in the file" in page.text
    assert "belong to no grid" in page.text
    assert len(planner.get("/api/plans").json()) == before
    small = planner.get(f"/plans/{plan['id']}/small.svg")
    assert small.headers["content-type"] == "image/svg+xml"
    assert small.text.count("<path") == 9


def test_residents_comment_by_a_link_and_are_read_before_they_are_shown(
    app: FastAPI, city: City, planner: TestClient
) -> None:
    plan = drawn_up(planner, city)
    address = f"/api/plans/{plan['id']}"
    edit = {"kind": "hand_over", "key": key_of(table(planner, plan), "B1"), "buildings": [city.buildings["A1"].id]}
    planner.post(f"{address}/edits", json=edit)
    planner.post(f"{address}/steps/new", json={"action": "put_up"})
    link = planner.post(f"{address}/share", json={"shared": True}).json()["link"].partition("testserver")[2]
    visitor = TestClient(app, cookies={"wangge_language": "en"}, follow_redirects=False)
    page = visitor.get(link)
    assert page.status_code == 200
    assert "A1 → B1: Building 1" in re.sub(r"\s+", " ", page.text)
    assert "url(#moved)" in page.text
    assert "household" not in page.text.lower()
    assert visitor.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 404
    assert visitor.post(link, data={"body": "买", "website": "x"}).status_code == 422
    assert visitor.post(link, data={"body": "一号楼离第二网格近", "key": "1"}).status_code == 303
    assert "一号楼离第二网格近" not in visitor.get(link).text
    staff = signed_in(app, city.session, city.actor("community_staff", city.community))
    assert staff.get(f"{address}/comments").json() == []
    (comment,) = planner.get(f"{address}/comments").json()
    assert (comment["resident"], comment["hidden"], comment["author"], comment["key"]) == (True, True, None, 1)
    shows = planner.post(f"/plans/{plan['id']}/comments/{comment['id']}/hide", data={"hidden": "false"})
    assert shows.status_code == 303
    planner.post(f"/plans/{plan['id']}/comments", data={"body": "采纳", "answers_id": str(comment["id"])})
    assert re.search("A resident.*一号楼离第二网格近.*The community.*采纳", visitor.get(link).text, re.DOTALL)
    sent = [visitor.post(link, data={"body": f"{number}"}).status_code for number in range(9)]
    assert sent[-1] == 429
    planner.post(f"{address}/share", json={"shared": False})
    assert visitor.get(link).status_code == 404
    planner.post(f"{address}/share", json={"shared": True})
    planner.post(f"{address}/steps/new", json={"action": "submit"})
    assert visitor.get(link).status_code == 404


def test_a_proposal_is_asked_for_and_worked_on_in_the_background(city: City, planner: TestClient) -> None:
    plan = drawn_up(planner, city)
    asked = {"kind": "propose", "count": 9, "weights": {"compactness": 1, "stay": 0.5}, "version": plan["version"]}
    answer = planner.post(f"/api/plans/{plan['id']}/proposals", json=asked)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert (job["kind"], job["state"]) == ("propose", "queued")
    assert answer.headers["Location"] == f"/api/jobs/{job['id']}"
    for wrong in (
        {"weights": {"beauty": 1}},
        {"weights": {"stay": -1}},
        {"kind": "simplify"},
        {"weights": {"stay": 0}},
    ):
        assert planner.post(f"/api/plans/{plan['id']}/proposals", json=asked | wrong).status_code == 422
    stale = planner.post(f"/api/plans/{plan['id']}/proposals", json=asked | {"version": 999})
    assert stale.status_code == 409
    cancelled = planner.post(f"/api/jobs/{job['id']}/cancel").json()
    assert cancelled["state"] == "cancelled"
