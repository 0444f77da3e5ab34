"""The six roles: told from the records that are there, of grids in their order, and of nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from data import activities, incidents, visits
from data.base import access, settings
from data.visits import Manner, Outcome
from tests.api.conftest import ClientFor
from tests.city import City, degrees

SYSTEM = access.SYSTEM


def test_what_was_done_is_told_from_what_was_recorded(city: City, client_for: ClientFor) -> None:
    home = city.household("A1", room="901")
    visits.record(
        city.session,
        SYSTEM,
        home,
        uuid=uuid4(),
        manner=Manner.VISIT,
        outcome=Outcome.MET,
        at=datetime.now(UTC) - timedelta(days=1),
        card=True,
    )
    quarrel = city.incident(50, 50, category_code="dispute.neighbour", reported_at=datetime.now(UTC))
    incidents.act(city.session, SYSTEM, quarrel, incidents.Action.TRIAGE, tier=incidents.Tier.STREET)
    activities.add(
        city.session,
        SYSTEM,
        city.community,
        kind="cleanup",
        title="清理卫生",
        begins_at=datetime.now(UTC) - timedelta(days=1),
        attendance=41,
        point=degrees(50, 50),
    )
    city.session.flush()
    leader = client_for("grid_leader", city.grids["A1"])
    (row,) = leader.get("/api/duties").json()
    told = {
        name: row[name] for name in ("cards", "visits", "calls", "disputes", "cases", "activities", "came", "urgent")
    }
    expected = {
        "cards": 1,
        "visits": 1,
        "calls": 0,
        "disputes": 1,
        "cases": 1,
        "activities": 1,
        "came": 41,
        "urgent": 1,
    }
    assert told == expected
    page = leader.get("/duties", headers={"Accept": "text/html"}).text
    assert city.grids["A1"].name in page
    before = settings.today() - timedelta(days=400)
    (empty,) = leader.get("/api/duties", params={"from": str(before), "to": str(before)}).json()
    assert (empty["cards"], empty["cases"]) == (0, 0)


def test_the_community_sees_grids_by_their_code(city: City, client_for: ClientFor) -> None:
    city.incident(250, 250, reported_at=datetime.now(UTC))
    office = client_for("community_staff", city.community)
    grids = [row["grid_id"] for row in office.get("/api/duties").json()]
    assert grids == [grid.id for grid in sorted(city.grids.values(), key=lambda grid: grid.code)]
