"""The hotspots page: what it says, what it offers, and what is done about a default point."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from api.hotspots import pages as hotspots_pages
from data import accounts
from data.base import access
from data.hotspots import HotspotRun
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


def computed(client: TestClient, query: str) -> Any:
    """The page with what the analysis came to: somebody asks for it, and is led there."""
    asked = client.post(f"/hotspots?{query}")
    assert asked.status_code == 303, asked.text
    return client.get(asked.headers["location"])


def test_looking_makes_no_run_and_an_old_one_is_shown_as_such(city: City, client_for: ClientFor) -> None:
    client = client_for("analyst", city.community)
    runs = select(func.count()).select_from(HotspotRun)
    before = client.get("/hotspots?cell=20&lang=en").text
    assert "This has not been computed yet." in before
    assert 'action="/hotspots?cell=20&amp;lang=en"' in before
    assert city.session.scalar(runs) == 0
    assert "Compute again" not in computed(client, "cell=20&lang=en").text
    city.incident(240, 240, reported_at=datetime.now(UTC))
    city.session.flush()
    after = client.get("/hotspots?cell=20&lang=en").text
    assert "Cases cluster in B2" in after
    assert "Compute again" in after
    assert city.session.scalar(runs) == 1
    assert "Compute again" not in computed(client, "cell=20&lang=en").text


def test_the_page_says_where_cases_cluster_and_names_the_default_point(city: City, client_for: ClientFor) -> None:
    page = computed(client_for("analyst", city.community), "cell=20&lang=en")
    assert page.status_code == 200, page.text
    assert "Cases cluster in B2" in page.text
    assert "Likely a geocoder’s default point, left out" in page.text
    assert f"{COUNT} cases at exactly one coordinate, with 9 different places as address." in page.text
    kept = computed(client_for("supervisor", city.community), "cell=20&default=0&lang=en").text
    assert "default point, left out" not in kept.split("<script")[0].split("hot-default")[1]


def test_the_links_of_a_spot_and_of_a_default_point_lead_to_their_cases(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    lon, lat = degrees(*STACK)
    box = f"{lon - 1e-7:.8f},{lat - 1e-7:.8f},{lon + 1e-7:.8f},{lat + 1e-7:.8f}"
    assert f"bbox={box}" in computed(client, "cell=20").text
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
    page = computed(client_for("grid_leader", city.grids["A1"]), "cell=20")
    assert page.status_code == 200
    assert ">B2<" not in page.text
    assert client_for("building_warden", city.grids["A1"]).get("/hotspots").status_code == 403


def test_a_misspelt_choice_is_refused(city: City, client_for: ClientFor) -> None:
    assert client_for("analyst", city.community).get("/hotspots?method=guess").status_code == 422


# ---- a street ------------------------------------------------------------------------------------------------------


@pytest.fixture
def beside(city: City) -> City:
    """Another community of the same street, with a cluster and a default point of its own."""
    now = datetime.now(UTC)
    found = City.make(city.session, "310101001002", beside=city, name="银杏里社区")
    for number in range(60):
        found.incident(240 + number % 6 * 4, 240 + number // 6 * 4, reported_at=now - timedelta(days=number % 60))
    found.household("C3")
    found.session.flush()
    return found


def test_a_street_looks_at_all_its_communities(city: City, beside: City, client_for: ClientFor) -> None:
    page = computed(client_for("supervisor", city.street), "cell=20&lang=en")
    assert page.status_code == 200, page.text
    assert "Cases cluster in 银杏里社区 C3" in page.text
    assert ">银杏里社区 C3</span><svg" in page.text
    assert "default point, left out" in page.text
    other = City.make(city.session, "310102001001")
    elsewhere = computed(client_for("supervisor", other.street), "lang=en").text
    assert "银杏里" not in elsewhere
    assert "No case to look at on these days." in elsewhere


def test_the_numbers_of_a_street_are_those_of_its_list(city: City, beside: City, client_for: ClientFor) -> None:
    client = client_for("supervisor", city.street)
    run = client.post("/api/hotspots/runs", json={"unit_id": city.street.id, "cell_m": 20, "permutations": 999})
    assert run.status_code == 201, run.text
    body = run.json()
    assert (body["community_id"], body["communities"]) == (None, [city.community.id, beside.community.id])
    days = f"from={body['params']['first']}&to={body['params']['last']}"
    listed = client.get(f"/api/incidents?unit={city.street.code}&{days}&total=true").json()["total"]
    assert body["summary"]["reported"] == listed
    for name in ("cells", "spots", "clusters", "default-points", "grids", "trend", "alarms", "repeats", "compare"):
        assert client.get(f"/api/hotspots/runs/{body['id']}/{name}").status_code == 200, name
    stranger = client_for("supervisor", City.make(city.session, "310102001001").street)
    staff = client_for("community_staff", city.community)
    for one in (stranger, staff):
        assert one.get(f"/api/hotspots/runs/{body['id']}").status_code == 404
        assert one.get("/api/hotspots/runs").json()["items"] == []
    assert stranger.post("/api/hotspots/runs", json={"unit_id": city.street.id}).status_code == 404
    assert client.post("/api/hotspots/runs", json={}).status_code == 422


def test_whoever_has_grids_of_two_communities_chooses_one(city: City, beside: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    account = city.session.scalars(select(accounts.Account).where(accounts.Account.name == "grid_leader")).one()
    accounts.give(city.session, access.SYSTEM, account=account, role_code="grid_leader", unit=beside.grids["A1"])
    assert "Choose it" in client.get("/hotspots?lang=en").text


def test_cases_on_a_default_point_of_a_street_are_put_where_their_address_says(
    city: City, beside: City, client_for: ClientFor
) -> None:
    lon, lat = degrees(*STACK)
    data = {"lon": str(lon), "lat": str(lat)}
    assert client_for("community_staff", city.street).post("/hotspots/relocate", data=data).status_code == 303
    moved = city.session.scalars(select(Incident).where(Incident.located_by == "manual")).all()
    assert len(moved) == COUNT
    assert {case.community_id for case in moved} == {city.community.id}


# ---- words ---------------------------------------------------------------------------------------------------------


def test_a_hotspot_is_named_by_its_grids_and_by_the_buildings_of_the_first() -> None:
    def spot(*cases: int) -> dict[str, Any]:
        grids = [{"grid_id": n, "name": f"G{n}", "cases": count} for n, count in enumerate(cases, 1)]
        houses = [{"number": str(n), "main": True, "grid_id": 1 + n // 4} for n in range(2, 7)]
        return {"grids": grids, "buildings": houses, "cases": sum(cases)}

    assert hotspots_pages._named(spot(10, 4)) == "G1, buildings 2–3"
    assert hotspots_pages._named(spot(6, 6, 1)) == "G1 and G2"
    assert hotspots_pages._named(spot(6, 5, 4, 1)) == "G1, G2 and 1 grid more"
    assert hotspots_pages._named(spot(6, 5, 4, 4, 4)) == "G1, G2 and 3 grids more"
    assert hotspots_pages._named({"grids": [], "buildings": [], "cases": 3}) == ""


def test_the_page_says_why_cases_were_left_out(city: City, client_for: ClientFor) -> None:
    city.incident(5000, 50, reported_at=datetime.now(UTC))
    client = client_for("analyst", city.community)
    text = computed(client, "cell=20&lang=en").text
    assert f"left out: 1 outside the grids, {COUNT} on a default point." in text
    assert "Nothing was reported in 90 days." in computed(client, "category=inquiry.job&lang=en").text


@pytest.mark.parametrize("method", ["significant", "density", "points", "trend", "change"])
def test_every_method_has_its_page_and_those_over_time_their_sentence(
    city: City, client_for: ClientFor, method: str
) -> None:
    client = client_for("analyst", city.community)
    for lang in ("zh", "en"):
        page = computed(client, f"cell=20&method={method}&lang={lang}")
        assert page.status_code == 200, page.text
        assert ("data-course" in page.text) == (method in ("trend", "change"))
    sentence = {"trend": r"Over 12 weeks \d+ cells are getting hot", "change": r"more cases around [1-9]\d* cells"}
    if method in sentence:
        assert re.search(sentence[method], page.text)


def test_few_weeks_are_no_trend(city: City, client_for: ClientFor) -> None:
    today = datetime.now(UTC).date()
    query = f"method=trend&cell=20&lang=en&from={today - timedelta(days=13)}&to={today}"
    assert "A trend needs at least 4 weeks." in computed(client_for("analyst", city.community), query).text
