"""The dashboard: every number is as many as the list behind its link has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.incidents import IncidentStep
from data.reminders import Reminder
from tests.api.conftest import ClientFor, TestClient
from tests.city import City


@pytest.fixture
def city(city: City) -> City:
    """The small city with cases in every state, solved in time and late, once and again, in and out of the grids."""
    now = datetime.now(UTC)
    places = [(50, 50), (150, 50), (250, 250), (900, 900)]
    states = ["new", "in_progress", "to_verify", "on_hold", "declined", "closed", "closed", "closed"]
    for number in range(48):
        x, y = places[number % 4]
        state, reported = states[number % 8], now - timedelta(days=number * 1.7 + 0.1)
        case = city.incident(
            x,
            y,
            state=state,
            reported_at=reported,
            due_at=now + timedelta(days=number % 7 - 3, hours=1),
            category_code=["facility.corridor_light", "environment.stray_cat", "order.parking"][number % 3],
            closed_at=reported + timedelta(hours=5 * number + 1) if state == "closed" else None,
        )
        if number % 3:
            city.session.add(Reminder(incident_id=case.id, threshold="due_soon:1", due_at=case.due_at, told=True))
        if number % 16 == 5:
            city.session.add(
                IncidentStep(
                    incident_id=case.id,
                    community_id=case.community_id,
                    grid_id=case.grid_id,
                    action="reopen",
                    step="in_progress",
                    level="grid",
                )
            )
    city.session.flush()
    return city


def numbers(value: Any) -> Iterator[dict[str, Any]]:
    """Every number with a link in an answer."""
    if isinstance(value, dict):
        if set(value) == {"value", "href"}:
            yield value
        for one in value.values():
            yield from numbers(one)
    elif isinstance(value, list):
        for one in value:
            yield from numbers(one)


def behind(client: TestClient, href: str) -> int:
    """How many cases the list at an address has."""
    answer = client.get(f"/api{href}&total=true&limit=1")
    assert answer.status_code == 200, f"{href}: {answer.text}"
    return int(answer.json()["total"])


@pytest.mark.parametrize(
    ("role", "at", "of"),
    [
        ("administrator", "district", "district"),
        ("administrator", "district", ""),
        ("supervisor", "street", "street"),
        ("community_staff", "community", "community"),
        ("grid_leader", "grid", "grid"),
        ("grid_leader", "grid", "community"),
    ],
)
def test_every_number_equals_the_list_behind_its_link(
    city: City, client_for: ClientFor, role: str, at: str, of: str
) -> None:
    place = {"district": city.district, "street": city.street, "community": city.community, "grid": city.grids["A1"]}
    client = client_for(role, place[at])
    asked = {"unit": place[of].code} if of else {}
    first = (datetime.now(UTC) - timedelta(days=60)).date().isoformat()
    answer = client.get("/api/stats", params={**asked, "from": first})
    assert answer.status_code == 200, answer.text
    found = list(numbers(answer.json()))
    assert len(found) > 12
    assert sum(one["value"] for one in found) > 20
    wrong = {
        one["href"]: (one["value"], total) for one in found if (total := behind(client, one["href"])) != one["value"]
    }
    assert wrong == {}


def test_the_period_before_is_as_long_and_ends_where_this_one_begins(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    last = (datetime.now(UTC) - timedelta(days=20)).date()
    asked = {"unit": city.community.code, "from": (last - timedelta(days=9)).isoformat(), "to": last.isoformat()}
    before = client.get("/api/stats", params=asked).json()["before"]
    first = last - timedelta(days=19)
    assert (before["first"], before["last"]) == (first.isoformat(), (last - timedelta(days=10)).isoformat())
    earlier = {**asked, "from": before["first"], "to": before["last"]}
    figures = client.get("/api/stats", params=earlier).json()["figures"]
    assert before["new"]["value"] > 0
    for name in ("new", "solved", "first_time"):
        assert before[name] == figures[name], name
    page = client.get("/stats", params={**asked, "lang": "en"}).text
    assert f">{before['new']['value']}</a></small>" in page


def test_the_numbers_of_the_page_are_those_of_the_api_and_lead_to_the_same_lists(
    city: City, client_for: ClientFor
) -> None:
    client = client_for("community_staff", city.community)
    told = client.get(f"/api/stats?unit={city.community.code}").json()["figures"]
    page = client.get("/stats").text
    for name in ("new", "open", "due", "overdue", "solved"):
        href, value = told[name]["href"].replace("&", "&amp;"), told[name]["value"]
        assert re.search(rf'<a href="{re.escape(href)}">{value}</a>', page), name


def test_a_link_of_the_dashboard_shows_as_many_on_the_page_of_the_list(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    figures = client.get(f"/api/stats?unit={city.community.code}").json()["figures"]
    for name in ("new", "open", "due", "overdue", "solved"):
        number = figures[name]
        page = client.get(f"{number['href']}&lang=en").text
        assert f"of {number['value']}<" in page, f"{name}: {number}"


def test_an_empty_choice_of_the_form_is_none(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    assert client.get("/stats?unit=&days=90&from=&to=").status_code == 200
    assert client.get("/stats?days=many").status_code == 422


def test_a_unit_elsewhere_is_not_found(city: City, client_for: ClientFor) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    assert client.get(f"/api/stats?unit={city.grids['C3'].code}").status_code == 404
    assert client.get("/api/stats?unit=nowhere").status_code == 404


def test_a_list_says_what_the_dashboard_asked_it_and_keeps_it(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    page = client.get(f"/incidents?unit={city.grids['A1'].code}&state=closed&closed_from=2026-01-01&lang=en").text
    assert "Closed from 2026-01-01 on" in page
    assert '<input type="hidden" name="closed_from" value="2026-01-01">' in page
    assert ">A1</span>" in page


def test_every_number_of_a_street_equals_the_list_behind_its_link_also_when_cases_were_merged(
    city: City, client_for: ClientFor
) -> None:
    now = datetime.now(UTC)
    east = City.make(city.session, "310101001002", beside=city, name="银杏里社区")
    whole = east.incident(50, 50, reported_at=now - timedelta(days=9))
    for state in ("new", "on_hold", "closed", "declined"):
        closed_at = now - timedelta(days=2) if state == "closed" else None
        for merged in (False, True):
            case = east.incident(150, 50, state=state, reported_at=now - timedelta(days=5), closed_at=closed_at)
            if merged:
                case.step, case.merged_into_id = "merged", whole.id
    city.session.flush()
    client = client_for("supervisor", city.street)
    answer = client.get(f"/api/stats?unit={city.street.code}").json()
    assert [part["name"] for part in answer["parts"]] == ["梧桐里社区", "银杏里社区"]
    assert answer["parts"][1]["figures"]["new"]["value"] == 5
    wrong = {one["href"]: one["value"] for one in numbers(answer) if behind(client, one["href"]) != one["value"]}
    assert wrong == {}


def test_who_has_a_street_sees_its_figures_first(city: City, client_for: ClientFor) -> None:
    City.make(city.session, "310101001002", beside=city, name="银杏里社区")
    assert "<h1>Stats · 临江街道</h1>" in client_for("supervisor", city.street).get("/stats?lang=en").text
    assert "<h1>Stats · 梧桐里社区</h1>" in client_for("community_staff", city.community).get("/stats?lang=en").text
