"""Hotspots over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.conftest import ClientFor, TestClient
from tests.city import City

NOW = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)


@pytest.fixture
def hot(city: City) -> City:
    """The small city with broken lights all around one building, and one light at each other."""
    for name in city.buildings:
        x, y = "ABC".index(name[0]) * 100 + 50, (int(name[1]) - 1) * 100 + 50
        around = [(dx, dy) for dx in (-40, -10, 20) for dy in (-40, -10, 20)] * 2 if name == "A1" else [(0, 0)]
        for again, (dx, dy) in enumerate(around):
            city.incident(x + dx, y + dy, reported_at=NOW - timedelta(days=again))
    return city


def body(city: City, **values: Any) -> dict[str, Any]:
    """A run over the last 30 days of the city."""
    return {
        "community_id": city.community.id,
        "first": "2026-02-16",
        "last": "2026-03-17",
        "rings": 1,
        "permutations": 999,
        **values,
    }


def made(client: TestClient, city: City, **values: Any) -> str:
    """The address of a run."""
    answer = client.post("/api/hotspots/runs", json=body(city, **values))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def test_a_run_tells_its_cells_hotspots_grids_and_trend(hot: City, client_for: ClientFor) -> None:
    client = client_for("analyst", hot.community)
    address = made(client, hot, categories=["facility"])
    run = client.get(address).json()
    # The city begins with one light of its own in A1.
    assert (run["state"], run["summary"]["used"], run["summary"]["left_out"]) == ("done", 27, 0)
    cells = client.get(f"{address}/cells").json()
    assert len(cells) == run["summary"]["cells"]
    assert {cell["cases"] for cell in cells} <= {None, 5, 6, 7, 8}
    assert sum(cell["few"] for cell in cells) >= 8
    (spot,) = client.get(f"{address}/spots").json()
    assert spot["grids"][0]["name"] == "A1"
    assert spot["heat"].startswith("hot_")
    assert (spot["case_share"] > 0.4, spot["area_share"] < 0.2) == (True, True)
    grids = {row["name"]: row for row in client.get(f"{address}/grids").json()}
    assert (grids["A1"]["cases"], grids["A1"]["households"], grids["B1"]["rate"]) == (19, 1, None)
    assert sum(row["used"] for row in client.get(f"{address}/trend").json()) == 27
    assert client.get(f"{address}/default-points").json() == []
    for what in ("alarms", "repeats", "compare", "unpatrolled"):
        assert client.get(f"{address}/{what}").status_code == 200


def test_cells_come_as_geojson(hot: City, client_for: ClientFor) -> None:
    client = client_for("analyst", hot.community)
    address = made(client, hot)
    for what in ("cells", "spots", "clusters", "default-points", "compare", "unpatrolled"):
        answer = client.get(f"{address}/{what}?f=geojson")
        assert answer.headers["content-type"] == "application/geo+json"
        assert answer.json()["type"] == "FeatureCollection"
    (ring,) = client.get(f"{address}/cells?f=geojson").json()["features"][0]["geometry"]["coordinates"]
    assert len(ring) == 7


def test_a_run_is_seen_by_those_of_its_place_alone(hot: City, client_for: ClientFor) -> None:
    address = made(client_for("analyst", hot.community), hot)
    leader = client_for("grid_leader", hot.grids["B2"])
    assert leader.get(address).status_code == 404
    assert leader.get("/api/hotspots/runs").json()["items"] == []
    assert leader.post("/api/hotspots/runs", json=body(hot)).status_code in (403, 404)
    own = made(leader, hot, grid_id=hot.grids["B2"].id)
    assert leader.get(own).json()["summary"]["used"] == 2
    assert client_for("building_warden", hot.community).get(own).status_code == 403


def test_an_equal_run_on_equal_data_is_the_one_that_is_there(hot: City, client_for: ClientFor) -> None:
    client = client_for("analyst", hot.community)
    first = made(client, hot)
    assert made(client, hot, name="Lights in March") == first
    assert client.get(first).json()["name"] == "Lights in March"
    assert made(client, hot, seed=2) != first
    hot.incident(250, 250)
    assert made(client, hot) != first
    assert client.patch(first, json={"name": None}).json()["name"] is None
    assert client.delete(first).status_code == 204
    assert client.get(first).status_code == 404


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"first": "2026-03-18", "last": "2026-03-17"}, 422),
        ({"cell_m": 1}, 422),
        ({"categories": ["no.such"]}, 404),
        ({"community_id": 999_999}, 404),
        ({"grid_id": 999_999}, 404),
        ({"unknown": 1}, 422),
    ],
)
def test_what_makes_no_sense_is_refused(city: City, client_for: ClientFor, values: dict[str, Any], status: int) -> None:
    client = client_for("analyst", city.community)
    assert client.post("/api/hotspots/runs", json=body(city, **values)).status_code == status


def test_what_is_hot_and_was_never_patrolled_is_told(hot: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", hot.community)
    address = made(client, hot, permutations=9_999)
    heats = {(cell["q"], cell["r"]): cell["heat"] for cell in client.get(f"{address}/cells").json()}
    missed = client.get(f"{address}/unpatrolled").json()
    assert missed
    assert all(heats[cell["q"], cell["r"]].startswith("hot") for cell in missed)
