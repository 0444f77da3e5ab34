"""The hotspots page: what it says, what it offers, and what is done about a default point."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from data.incidents import Incident
from tests.api.conftest import ClientFor
from tests.city import City, degrees

STACK = (5.0, 5.0)
COUNT = 27


@pytest.fixture
def city(city: City) -> City:
    """The small city with a cluster in B2, and a stack of cases on one point whose addresses are nine buildings."""
    now = datetime.now(UTC)
    for number in range(30):
        x, y = 140 + number % 6 * 4, 140 + number // 6 * 4
        city.incident(x, y, reported_at=now - timedelta(days=number), address="锦绣路12弄5号楼")
    for number in range(COUNT):
        reported = now - timedelta(days=number % 30, hours=2)
        city.incident(*STACK, reported_at=reported, address=f"锦绣路12弄{number % 9 + 1}号楼")
    city.session.flush()
    return city


def test_the_page_says_where_cases_cluster_and_names_the_default_point(city: City, client_for: ClientFor) -> None:
    page = client_for("analyst", city.community).get("/hotspots?cell=20&lang=en")
    assert page.status_code == 200, page.text
    assert "cases cluster in B2" in page.text
    assert "Likely a geocoder&#39;s default point, left out" in page.text
    assert f"{COUNT} cases at exactly one coordinate, with 9 different places as address." in page.text
    kept = client_for("supervisor", city.community).get("/hotspots?cell=20&default=0&lang=en").text
    assert "default point, left out" not in kept.split("<script")[0].split("hot-default")[1]


def test_the_links_of_a_spot_and_of_a_default_point_lead_to_their_cases(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    lon, lat = degrees(*STACK)
    box = f"{lon - 1e-7:.8f},{lat - 1e-7:.8f},{lon + 1e-7:.8f},{lat + 1e-7:.8f}"
    assert f"bbox={box}" in client.get("/hotspots?cell=20").text
    assert client.get(f"/api/incidents?bbox={box}&total=true").json()["total"] == COUNT


def test_cases_on_a_default_point_are_put_where_their_address_says(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    lon, lat = degrees(*STACK)
    answer = client.post("/hotspots/relocate", data={"lon": str(lon), "lat": str(lat)})
    assert answer.status_code == 303, answer.text
    moved = city.session.scalars(
        select(Incident).where(Incident.building_id.is_not(None), Incident.located_by == "manual")
    ).all()
    assert len(moved) == COUNT
    assert {case.grid_id for case in moved} == {grid.id for grid in city.grids.values()}
    assert client.post("/hotspots/relocate", data={"lon": "here"}).status_code == 422


def test_a_grid_leader_looks_at_the_own_grid(city: City, client_for: ClientFor) -> None:
    page = client_for("grid_leader", city.grids["A1"]).get("/hotspots?cell=20")
    assert page.status_code == 200
    assert ">B2<" not in page.text
    assert client_for("building_warden", city.grids["A1"]).get("/hotspots").status_code == 403


def test_a_misspelt_choice_is_refused(city: City, client_for: ClientFor) -> None:
    assert client_for("analyst", city.community).get("/hotspots?method=guess").status_code == 422
