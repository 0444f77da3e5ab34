"""Statistics, counted by hand on the small city."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from data import stats
from data.base import access
from data.base.errors import Invalid
from data.incidents import Incident, IncidentStep
from data.reminders import Reminder
from data.stats import Figures
from tests.city import City

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def at(day: int, hour: int = 4, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def closed(city: City, x: float, y: float, reported: datetime, days: float, **values: object) -> Incident:
    return city.incident(
        x, y, reported_at=reported, state="closed", closed_at=reported + timedelta(days=days), **values
    )


@pytest.fixture
def city(session: Session) -> City:
    """Six cases in A1 and B2: three solved in March (one of them opened again), one before it, two open."""
    city = City.make(session)
    again = closed(city, 50, 50, at(2), 2)
    session.add(
        IncidentStep(
            incident_id=again.id,
            community_id=city.community.id,
            grid_id=again.grid_id,
            action="reopen",
            step="in_progress",
            at=at(3),
            level="grid",
        )
    )
    closed(city, 50, 50, at(4), 4)
    closed(city, 150, 150, at(5), 9, category_code="environment.stray_cat")
    closed(city, 150, 150, at(5, month=2), 1)
    soon = city.incident(50, 50, reported_at=at(20), due_at=datetime.now(UTC) + timedelta(days=1))
    session.add(Reminder(incident_id=soon.id, threshold="due_soon:1", due_at=soon.due_at, told=True))
    city.incident(150, 150, reported_at=at(20, month=2), due_at=datetime.now(UTC) - timedelta(days=1))
    session.flush()
    return city


def test_the_figures_of_a_community_are_those_counted_by_hand(city: City) -> None:
    found = stats.of(city.session, access.SYSTEM, unit=city.community, first=FIRST, last=LAST)
    assert found.figures == Figures(new=4, open=2, due=1, overdue=1, solved=3, first_time=2)
    assert found.figures.first_time_share == pytest.approx(2 / 3)
    parts = {part.name: part.figures for part in found.parts}
    assert parts["A1"] == Figures(new=3, open=1, due=1, overdue=0, solved=2, first_time=1)
    assert parts["B2"] == Figures(new=1, open=1, due=0, overdue=1, solved=1, first_time=1)
    assert parts["C3"] == Figures()
    assert len(parts) == 9


def test_the_median_of_two_and_four_days_is_three(city: City) -> None:
    found = stats.of(city.session, access.SYSTEM, unit=city.community, first=FIRST, last=LAST)
    assert {kind.code: (kind.solved, kind.median_days) for kind in found.kinds} == {
        "facility.corridor_light": (2, 3.0),
        "environment.stray_cat": (1, 9.0),
    }


@pytest.mark.parametrize("level", ["grid", "street", "district"])
def test_every_level_of_the_tree_has_its_figures(city: City, level: str) -> None:
    unit = {"grid": city.grids["A1"], "street": city.street, "district": city.district}[level]
    found = stats.of(city.session, access.SYSTEM, unit=unit, first=FIRST, last=LAST)
    assert (found.figures.new, found.figures.solved) == ((3, 2) if level == "grid" else (4, 3))
    assert [part.name for part in found.parts] == ([] if level == "grid" else ["梧桐里社区"])


def test_what_lies_in_no_grid_is_a_part_of_its_own(city: City) -> None:
    city.incident(900, 900, reported_at=at(9))
    found = stats.of(city.session, access.SYSTEM, unit=city.community, first=FIRST, last=LAST)
    assert found.figures.new == 5
    assert (found.parts[-1].code, found.parts[-1].figures.new) == (None, 1)


def test_the_steps_of_the_trend_add_up_to_the_figures(city: City) -> None:
    for first in (FIRST, date(2025, 10, 1), date(2024, 1, 1)):
        found = stats.of(city.session, access.SYSTEM, unit=city.community, first=first, last=LAST)
        assert sum(step.new for step in found.steps) == found.figures.new
        assert sum(step.solved for step in found.steps) == found.figures.solved


def test_a_grid_leader_counts_the_own_grid_only(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    found = stats.of(city.session, leader, unit=city.community, first=FIRST, last=LAST)
    assert found.figures.new == 3
    assert [part.name for part in found.parts] == ["A1"]
    assert [unit.name for unit in stats.units_of(city.session, leader, city.community.id)] == ["A1"]


def test_a_street_is_offered_to_those_who_see_several_communities_of_it(city: City) -> None:
    assert [unit.name for unit in stats.units_of(city.session, access.SYSTEM)] == ["梧桐里社区"]


def test_a_street_with_merged_reopened_and_waiting_cases_counts_what_plain_sql_counts(city: City) -> None:
    east = City.make(city.session, "310101001002", beside=city, name="银杏里社区")
    City.make(city.session, "310102001001").incident(50, 50, reported_at=at(9))
    late = datetime.now(UTC) - timedelta(days=2)
    first = east.incident(50, 50, reported_at=at(3), due_at=late)
    for day in (4, 5):
        again = east.incident(50, 50, reported_at=at(day), due_at=late)
        again.step, again.merged_into_id = "merged", first.id
    closed_twin = closed(east, 150, 150, at(6), 3)
    closed_twin.step, closed_twin.merged_into_id = "merged", first.id
    east.incident(50, 150, reported_at=at(7), due_at=late, state="on_hold")
    east.incident(50, 150, reported_at=at(8), due_at=late, state="declined")
    twice = closed(east, 250, 250, at(1), 20)
    for _again in range(2):
        city.session.add(
            IncidentStep(
                incident_id=twice.id,
                community_id=twice.community_id,
                grid_id=twice.grid_id,
                action="reopen",
                step="in_progress",
                level="grid",
            )
        )
    # The last evening of the period by the clock on the wall, and the first morning after it.
    closed(east, 250, 150, datetime(2026, 3, 31, 15, 59, tzinfo=UTC), 0)
    closed(east, 250, 150, datetime(2026, 3, 31, 16, 1, tzinfo=UTC), 0)
    east.incident(900, 900, reported_at=at(10), due_at=datetime.now(UTC) + timedelta(days=10))
    city.session.flush()
    counted = text("""
        WITH one AS (
            SELECT i.*, (i.reported_at AT TIME ZONE 'Asia/Shanghai')::date AS came,
                (i.closed_at AT TIME ZONE 'Asia/Shanghai')::date AS went,
                (SELECT count(*) FROM incident_step s WHERE s.incident_id = i.id AND s.action = 'reopen') AS times
            FROM incident i JOIN unit c ON c.id = i.community_id
            WHERE c.parent_id = :street AND i.step <> 'merged'
        )
        SELECT count(*) FILTER (WHERE came BETWEEN :first AND :last),
            count(*) FILTER (WHERE step NOT IN ('closed', 'rejected')),
            count(*) FILTER (WHERE step NOT IN ('closed', 'rejected', 'on_hold') AND due_at < now()),
            count(*) FILTER (WHERE step = 'closed' AND went BETWEEN :first AND :last),
            count(*) FILTER (WHERE step = 'closed' AND went BETWEEN :first AND :last AND times = 0)
        FROM one
    """)
    expected = city.session.execute(counted, {"street": city.street.id, "first": FIRST, "last": LAST}).one()
    found = stats.of(city.session, access.SYSTEM, unit=city.street, first=FIRST, last=LAST)
    told = found.figures
    assert (told.new, told.open, told.overdue, told.solved, told.first_time) == tuple(expected)
    # By hand: of the fixture 4 came, 2 are open, 1 late, 3 solved, 2 of them at once; of the other community 6 came.
    assert tuple(expected) == (10, 5, 2, 5, 3)
    assert [part.name for part in found.parts] == ["梧桐里社区", "银杏里社区"]
    for name in Figures.__dataclass_fields__:
        assert sum(getattr(part.figures, name) for part in found.parts) == getattr(told, name), name
    supervisor = city.actor("supervisor", city.street)
    assert stats.of(city.session, supervisor, unit=None, first=FIRST, last=LAST).figures == told


def test_a_dashboard_takes_a_handful_of_queries(city: City) -> None:
    asked: list[str] = []
    connection = city.session.connection()
    event.listen(connection, "before_cursor_execute", lambda *said: asked.append(said[2]))
    stats.of(city.session, access.SYSTEM, unit=city.community, first=FIRST, last=LAST)
    # Of these days, of as many before, and by day.
    assert len([one for one in asked if "incident" in one]) == 3
    assert len(asked) <= 6


def test_days_the_wrong_way_round_are_refused(city: City) -> None:
    with pytest.raises(Invalid):
        stats.of(city.session, access.SYSTEM, unit=None, first=LAST, last=FIRST)


@given(some.dates(date(2000, 1, 1), date(2030, 1, 1)), some.integers(0, 3000))
def test_periods_tile_the_days(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    found = stats.periods(first, last)
    assert found[0][0] == first
    assert found[-1][1] == last
    for (_begin, end), (begin, _end) in pairwise(found):
        assert begin == end + timedelta(days=1)
