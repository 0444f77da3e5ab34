"""What is due for one person: the own grid, its cases by their limits, and the rounds of the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from data import panels, rounds, today
from data.base import access
from tests.api.conftest import ClientFor
from tests.city import City


def test_who_has_a_grid_begins_on_it_with_what_is_due_and_nobody_else_does(city: City, client_for: ClientFor) -> None:
    now = datetime.now(UTC)
    late = city.incident(50, 50, description="Dark", due_at=now - timedelta(days=2))
    city.incident(50, 60, due_at=now + timedelta(days=30))
    city.incident(150, 150, due_at=now - timedelta(days=2))
    rounds.add(
        city.session, access.SYSTEM, community_id=city.community.id, grid_id=city.grids["A1"].id, name="Morning round"
    )
    rounds.add(city.session, access.SYSTEM, community_id=city.community.id, grid_id=city.grids["B2"].id, name="Other")
    leader = client_for("grid_leader", city.grids["A1"])
    leader.cookies.set("wangge_language", "en")
    assert leader.get("/", follow_redirects=False).headers["location"] == "/map?at=today/own"
    sheet = leader.get("/today/own/panel").text
    assert f"/incidents/{late.id}" in sheet
    assert "Cases due 2" in sheet
    assert "All open cases: 3" in sheet
    assert "Morning round" in sheet
    assert "Other" not in sheet
    own = panels.outline(city.session, access.SYSTEM, city.grids["A1"].id).bounds or ()
    assert f'data-bounds="{",".join(map(str, own))}"' in sheet
    staff = client_for("community_staff", city.community)
    assert staff.get("/", follow_redirects=False).headers["location"] == "/map"


def test_what_is_due_ends_with_the_day_of_the_community(city: City) -> None:
    morning = datetime(2026, 3, 18, 0, 0, tzinfo=UTC)  # 08:00 in China
    tonight = city.incident(50, 50, due_at=morning + timedelta(hours=15, minutes=59))
    city.incident(50, 50, due_at=morning + timedelta(hours=16))
    of_the_day = today.of(city.session, access.SYSTEM, morning.date())
    assert [row.id for row in of_the_day.cases] == [tonight.id]
    assert (of_the_day.due, of_the_day.open, of_the_day.grids) == (1, 4, [])
