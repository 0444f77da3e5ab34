"""Campaigns over HTTP and on pages: planned, followed by grid, and the list of doors."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import shapely

from data import campaigns, visits
from data.base import access
from data.visits import Outcome
from maps import campaigns as campaign_maps
from tests.api.conftest import ClientFor
from tests.city import City

DAYS: dict[str, Any] = {"name": "春季集中走访", "begins_on": "2026-03-17", "ends_on": "2026-03-18"}


def test_a_campaign_is_planned_followed_and_removed(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community)
    body = DAYS | {"community_id": city.community.id, "goal_share": 0.9}
    made = office.post("/api/campaigns", json=body)
    assert made.status_code == 201
    address = made.headers["Location"]
    household = city.household("A1", room="301")
    at = datetime(2026, 3, 17, 4, tzinfo=UTC)
    visits.record(city.session, access.SYSTEM, household, uuid=uuid4(), outcome=Outcome.MET, at=at, card=True)
    parts = {part["name"]: part for part in office.get(f"{address}/progress").json()}
    assert (parts["A1"]["met"], parts["A1"]["cards"]) == (1, 1)
    left = office.get(f"{address}/left?grid={city.grids['A1'].code}").json()
    assert household.id not in [door["id"] for door in left]
    assert all("*" in (door["head_name"] or "*") for door in left)
    assert office.patch(address, json={"ends_on": "2026-03-16"}).status_code == 409
    assert office.patch(address, json={"ends_on": "2026-03-20"}).json()["ends_on"] == "2026-03-20"
    leader = client_for("grid_leader", city.grids["A1"])
    assert [one["name"] for one in leader.get("/api/campaigns").json()] == ["春季集中走访"]
    assert [part["name"] for part in leader.get(f"{address}/progress").json()] == ["A1"]
    assert leader.delete(address).status_code == 403
    stranger = client_for("community_staff", City.make(city.session, "310101001002", beside=city, name="别").community)
    assert stranger.get(address).status_code == 404
    assert office.delete(address).status_code == 204


def test_the_pages_of_a_campaign_show_its_map_its_bars_and_its_doors(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community)
    office.headers["Accept"] = "text/html"
    office.cookies.set("wangge_language", "en")
    assert "No campaign is planned yet." in office.get("/campaigns").text
    refused = office.post("/campaigns", data=DAYS | {"goal": "0"})
    assert refused.status_code == 422
    late = office.post("/campaigns", data=DAYS | {"ends_on": "2026-03-01", "goal": "90"})
    assert late.status_code in (409, 422)
    assert "ends on the day it begins" in late.text
    made = office.post("/campaigns", data=DAYS | {"goal": "90"}, follow_redirects=False)
    assert made.status_code == 303
    address = made.headers["location"]
    (campaign,) = campaigns.listed(city.session, access.SYSTEM)
    assert campaign.goal_share == 0.9
    shown = office.get(address).text
    assert shown.count("<g class='share-") == len(campaigns.progress(city.session, access.SYSTEM, campaign))
    assert "The goal is 90 %." in shown
    assert "A1" in office.get(f"/campaigns/{campaign.id}/doors?grid={city.grids['A1'].code}").text
    assert office.get(f"{address}/edit").status_code == 200
    assert office.post(f"{address}/remove", follow_redirects=False).status_code == 303
    assert "No campaign is planned yet." in office.get("/campaigns").text


def test_a_grid_without_people_has_no_colour_and_names_are_escaped() -> None:
    shape = shapely.box(0, 0, 10, 10)
    drawn = campaign_maps.live([campaign_maps.Shaded(shape, "<b>", None, "—")], "a map")
    assert "share-none" in drawn
    assert "&lt;b&gt;" in drawn
