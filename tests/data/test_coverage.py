"""Coverage in the database: streets in pieces, late tracks, shares, rhythm, and who is told what."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from geoalchemy2.shape import from_shape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import LineString
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data import assets, coverage, grids, patrols
from data.base import access
from data.base.errors import Invalid
from data.basemaps import Basemap
from data.coverage import CoverageDay, CoveragePass, Kind, Level, StreetSegment, anew
from data.patrols import Patrol, Point
from data.rounds import Rhythm
from tests.city import City, degrees, rectangle

NOON = datetime(2026, 3, 16, 4, tzinfo=UTC)  # a Monday, noon in Shanghai
TABLES = {
    "pass": "SELECT kind, item_id, day, patrol_id, seen, poor, seen_at, poor_at FROM coverage_pass",
    "day": "SELECT kind, item_id, day, community_id, seen, poor, seen_at, patrol_id, poor_at FROM coverage_day",
}


@pytest.fixture
def city(session: Session) -> City:
    """The small city with a road through its southern row, 30 m north of its southern edge."""
    city = City.make(session)
    road(city, "r1", (0, 30), (300, 30))
    coverage.split(session, city.community)
    return city


def road(city: City, code: str, *corners: tuple[float, float]) -> Basemap:
    line = LineString([degrees(*corner) for corner in corners])
    found = Basemap(community_id=city.community.id, code=code, kind="road", name="梧桐路", geom=from_shape(line, 4326))
    city.session.add(found)
    city.session.flush()
    return found


def path(first: float, last: float, y: float, accuracy_m: float = 3, at: datetime = NOON) -> list[Point]:
    """A walk along a line from west to east, a point every 4 m, unsteady as a receiver is."""
    chance = np.random.default_rng(5)
    points = []
    for seq, x in enumerate(np.arange(first, last, 4.0)):
        lon, lat = degrees(x + chance.normal(0, 0.2), y + chance.normal(0, 0.2))
        points.append(Point(seq=seq, at=at + timedelta(seconds=3 * seq), lon=lon, lat=lat, accuracy_m=accuracy_m))
    return points


def walk(city: City, points: list[Point], actor: access.Actor = access.SYSTEM, grid: str | None = None) -> Patrol:
    patrol = patrols.start(
        city.session,
        actor,
        uuid=uuid4(),
        community_id=city.community.id,
        grid_id=city.grids[grid].id if grid else None,
        started_at=points[0].at,
    )
    patrols.add_points(city.session, actor, patrol, points)
    coverage.refresh(city.session, patrol)
    return patrol


def told(city: City, actor: access.Actor = access.SYSTEM, **values: Any) -> dict[tuple[str, int], Any]:
    values = {"community": city.community.code, "first": NOON.date(), "last": NOON.date(), **values}
    rows = coverage.of(city.session, actor, coverage.Filter(**values))
    return {(row.kind, row.id): row for row in rows}


def state(session: Session) -> dict[str, list[Any]]:
    return {name: sorted(map(tuple, session.execute(text(query))), key=repr) for name, query in TABLES.items()}


def test_roads_are_taken_apart_into_pieces_of_at_most_fifty_metres(city: City) -> None:
    pieces = city.session.scalars(select(StreetSegment).order_by(StreetSegment.id)).all()
    # The road is 300 m long and reaches neither beyond the city nor its zone beside it.
    assert [piece.length_m for piece in pieces] == pytest.approx([50] * 6, abs=0.1)
    assert [piece.grid_id for piece in pieces] == [city.grids[name].id for name in ("A1", "A1", "B1", "B1", "C1", "C1")]


def test_pieces_that_did_not_change_keep_their_ids(city: City) -> None:
    before = set(city.session.scalars(select(StreetSegment.id)))
    assert not coverage.split(city.session, city.community)
    road(city, "r2", (0, 130), (300, 130))
    assert coverage.split(city.session, city.community)
    assert before < set(city.session.scalars(select(StreetSegment.id)))


def test_a_street_along_the_edge_belongs_to_the_grid_beside_it_and_one_far_off_to_none(city: City) -> None:
    road(city, "beside", (10, -15), (60, -15))
    road(city, "far", (10, -25), (60, -25))
    coverage.split(city.session, city.community)
    beside = city.session.scalars(select(StreetSegment).where(StreetSegment.code.like("beside%"))).all()
    assert {piece.grid_id for piece in beside} == {city.grids["A1"].id}
    assert city.session.scalars(select(StreetSegment).where(StreetSegment.code.like("far%"))).all() == []


def test_what_is_near_is_seen_and_what_is_far_is_not(city: City) -> None:
    walk(city, path(0, 100, 30))
    found = told(city)
    kinds = {key: row.status for key, row in found.items()}
    # The building of A1 begins 10 m north of the walk, that of A2 110 m.
    assert kinds["building", city.buildings["A1"].id] == "seen"
    assert kinds["building", city.buildings["A2"].id] == "not_seen"
    streets = [row.status for (kind, _id), row in sorted(found.items()) if kind == "street"]
    assert streets == ["seen", "seen", "not_seen", "not_seen", "not_seen", "not_seen"]


def test_poor_gps_is_neither_seen_nor_not_seen(city: City) -> None:
    walk(city, path(0, 100, 30, accuracy_m=40))
    found = told(city)
    assert found["building", city.buildings["A1"].id].status == "too_poor"
    assert found["building", city.buildings["C3"].id].status == "not_seen"


def test_two_patrols_that_each_see_a_part_of_a_street_have_seen_it(city: City) -> None:
    # The third piece reaches from 100 to 150 m; each walk sees less than half of it.
    walk(city, path(60, 88, 30))
    key = ("street", sorted(row_id for kind, row_id in told(city) if kind == "street")[2])
    assert told(city)[key].status != "seen"
    walk(city, path(165, 200, 30, at=NOON + timedelta(hours=2)))
    alone = [row.seen for row in city.session.scalars(select(CoveragePass).where(CoveragePass.item_id == key[1]))]
    assert all(mask.bit_count() < 25 for mask in alone)
    assert (told(city)[key].status == "seen") is (sum(mask.bit_count() for mask in alone) >= 25)


def test_a_late_track_leaves_the_tables_as_computing_all_anew_does(city: City) -> None:
    walk(city, path(0, 200, 30))
    walk(city, path(100, 300, 130, at=NOON + timedelta(days=1)))
    late = path(0, 300, 60, at=NOON - timedelta(days=1))
    patrol = walk(city, late[40:])
    patrols.add_points(city.session, access.SYSTEM, patrol, late[:45])
    coverage.refresh(city.session, patrol)
    before = state(city.session)
    assert before["pass"]
    assert before["day"]
    coverage.recompute(city.session, city.community)
    assert state(city.session) == before


def test_a_patrol_past_midnight_counts_for_both_days(city: City) -> None:
    # 23:58:30 in Shanghai: midnight comes when 120 m are walked.
    walk(city, path(0, 300, 30, at=datetime(2026, 3, 16, 15, 58, 30, tzinfo=UTC)))
    days = city.session.execute(
        select(CoverageDay.item_id, CoverageDay.day).where(CoverageDay.kind == "building").order_by(CoverageDay.item_id)
    ).all()
    first, last = date(2026, 3, 16), date(2026, 3, 17)
    seen = {item: {day for other, day in days if other == item} for item, _day in days}
    assert seen[city.buildings["A1"].id] == {first}
    assert seen[city.buildings["C1"].id] == {last}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)), again=st.lists(st.integers(0, 5), max_size=4))
def test_the_order_of_batches_does_not_matter(city: City, order: list[int], again: list[int]) -> None:
    points = path(0, 300, 30)
    batches = [points[at::6] for at in range(6)]
    with city.session.begin_nested() as savepoint:
        whole = walk(city, points)
        mixed = patrols.start(
            city.session, access.SYSTEM, uuid=uuid4(), community_id=city.community.id, started_at=NOON
        )
        for at in [*order[:3], *again, *order[3:]]:
            patrols.add_points(city.session, access.SYSTEM, mixed, batches[at])
            coverage.refresh(city.session, mixed)
        for query in (
            "SELECT seq, at, lon, lat, kept, reason, part FROM patrol_point WHERE patrol_id = :id ORDER BY seq",
            "SELECT kind, item_id, day, seen, poor, seen_at FROM coverage_pass WHERE patrol_id = :id ORDER BY 1, 2, 3",
        ):
            one, other = (city.session.execute(text(query), {"id": each.id}).all() for each in (whole, mixed))
            assert one == other
        savepoint.rollback()
    city.session.expire_all()


def test_shares_are_those_of_the_items(city: City) -> None:
    walk(city, path(0, 150, 30))
    items = told(city).values()
    wanted = coverage.Filter(first=NOON.date(), last=NOON.date())
    for level in Level:
        rows = coverage.shares(city.session, access.SYSTEM, wanted, by=level)
        for kind in ("building", "street"):
            mine = [row for row in rows if row.kind == kind]
            assert sum(row.total for row in mine) == sum(item.kind == kind for item in items)
            assert sum(row.seen for row in mine) == sum(item.kind == kind and item.status == "seen" for item in items)
    whole = next(
        row for row in coverage.shares(city.session, access.SYSTEM, wanted, by=Level.STREET) if row.kind == "street"
    )
    metres = sum(item.length_m * item.seen_share for item in items if item.kind == "street")
    assert (whole.length_m, whole.seen_m) == (pytest.approx(300, abs=0.5), pytest.approx(metres))
    assert whole.share == pytest.approx(metres / whole.length_m)
    assert whole.code == city.street.code


def test_another_distance_is_told_from_the_tracks(city: City) -> None:
    walk(city, path(0, 100, 25))
    key = ("building", city.buildings["A1"].id)
    # The building begins 15 m north of the walk.
    assert told(city)[key].status == "seen"
    assert told(city, distance_m=24.9)[key].status == "seen"
    assert told(city, distance_m=8)[key].status == "not_seen"
    assert {k: row.status for k, row in told(city, distance_m=25.0001).items()} == {
        k: row.status for k, row in told(city).items()
    }


def test_another_distance_is_told_for_a_year_as_long_as_the_area_has_few_points(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = path(0, 100, 25)
    walk(city, points)
    walk(city, path(200, 300, 5000, at=NOON + timedelta(days=1)))
    year: dict[str, Any] = {
        "first": NOON.date() - timedelta(days=300),
        "last": NOON.date() + timedelta(days=60),
        "distance_m": 18,
    }
    assert told(city, **year)["building", city.buildings["A1"].id].status == "seen"
    monkeypatch.setattr(anew, "MOST_POINTS", len(points))
    with pytest.raises(Invalid, match="fewer days"):
        told(city, **year)
    # The patrol five kilometres away is none of this grid's business.
    alone = told(city, **{**year, "grid": city.grids["A1"].code})
    assert alone["building", city.buildings["A1"].id].status == "seen"


def test_another_distance_of_more_than_a_community_is_refused_and_not_said_to_be_unseen(city: City) -> None:
    walk(city, path(0, 100, 25))
    for place in (None, city.street.code):
        with pytest.raises(Invalid, match="one community or grid"):
            told(city, community=place, distance_m=18)


def test_a_week_counts_for_the_period_in_which_it_ends(city: City) -> None:
    walk(city, path(0, 100, 30))
    key = ("building", city.buildings["A1"].id)
    # From a Wednesday to the next Tuesday: the Monday of the week that ends in it was before.
    row = told(city, first=NOON.date() + timedelta(days=2), last=NOON.date() + timedelta(days=8))[key]
    assert (row.status, row.kept, row.due) == ("not_seen", 1, 1)
    inside = told(city, first=NOON.date() + timedelta(days=2), last=NOON.date() + timedelta(days=5))[key]
    assert (inside.kept, inside.due) == (0, 0)


def test_the_pieces_of_a_street_are_put_together_again(city: City) -> None:
    nameless = road(city, "r2", (10, 130), (90, 130))
    nameless.name = None
    city.session.flush()
    coverage.split(city.session, city.community)
    walk(city, path(0, 150, 30))
    rows = told(city).values()
    streets = coverage.by_street(rows)
    assert [(street.name, len(street.pieces)) for street in streets] == [("梧桐路", 6), (None, 2)]
    named, alone = streets
    pieces = [row for row in rows if row.kind == "street" and row.name]
    assert named.seen_m == pytest.approx(sum(piece.length_m * piece.seen_share for piece in pieces))
    assert named.share == pytest.approx(named.seen_m / 300, rel=1e-3)
    assert 0.5 < named.share < 0.7
    assert {piece.status for piece in named.missed} <= {"not_seen", "too_poor"}
    assert len(named.missed) == sum(piece.status != "seen" for piece in pieces)
    assert (named.status, alone.status, alone.share) == ("not_seen", "not_seen", 0)
    assert set(named.grid_names) == {"A1", "B1", "C1"}


def test_the_rhythm_is_kept_by_days_or_weeks_that_are_over(city: City) -> None:
    for day in (0, 1, 3, 7):
        walk(city, path(0, 100, 30, at=NOON + timedelta(days=day)))
    key = ("building", city.buildings["A1"].id)
    # From the Monday to the second Sunday: two whole weeks, each with a patrol.
    weekly = told(city, last=NOON.date() + timedelta(days=13))[key]
    assert (weekly.rhythm, weekly.kept, weekly.due) == ("weekly", 2, 2)
    coverage.set_rule(
        city.session,
        access.SYSTEM,
        community_id=city.community.id,
        grid_id=None,
        kind=Kind.BUILDING,
        rhythm=Rhythm.DAILY,
    )
    daily = told(city, last=NOON.date() + timedelta(days=3))[key]
    assert (daily.rhythm, daily.kept, daily.due) == ("daily", 3, 4)
    coverage.set_rule(
        city.session,
        access.SYSTEM,
        community_id=city.community.id,
        grid_id=city.grids["A1"].id,
        kind=Kind.BUILDING,
        rhythm=Rhythm.WEEKLY,
    )
    assert told(city)[key].rhythm == "weekly"
    assert told(city)["building", city.buildings["B1"].id].rhythm == "daily"


def test_last_seen_looks_back_before_the_period(city: City) -> None:
    actor = city.actor("grid_leader", city.community)
    walk(city, path(0, 100, 30), actor)
    found = told(city, actor, first=NOON.date() + timedelta(days=5), last=NOON.date() + timedelta(days=6))
    row = found["building", city.buildings["A1"].id]
    assert (row.status, row.by) == ("not_seen", "grid_leader")
    assert row.last_seen_at.date() == NOON.date()


def test_who_saw_it_is_told_to_those_who_may_see_the_patrol(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    walk(city, path(0, 100, 30), leader, "A1")
    key = ("building", city.buildings["A1"].id)
    planner, neighbour = city.actor("planner", None), city.actor("grid_leader", city.grids["B1"])
    assert told(city, leader)[key].by == "grid_leader"
    assert (told(city, planner)[key].status, told(city, planner)[key].by) == ("seen", None)
    assert key not in told(city, neighbour)


def test_removing_a_patrol_leaves_what_the_others_saw(city: City) -> None:
    walk(city, path(0, 300, 30))
    before = state(city.session)
    other = walk(city, path(0, 300, 60, at=NOON + timedelta(minutes=30)))
    assert state(city.session) != before
    coverage.remove(city.session, access.SYSTEM, other)
    assert state(city.session) == before


def test_an_asset_is_seen_like_a_building(city: City) -> None:
    lon, lat = degrees(50, 12)
    lamp = assets.add(
        city.session, access.SYSTEM, community_id=city.community.id, kind="street_lamp", number="LD-1", lon=lon, lat=lat
    )
    walk(city, path(0, 100, 30))
    assert told(city, kinds=("asset",))["asset", lamp.id].status == "seen"


def test_streets_and_assets_follow_a_new_division(city: City) -> None:
    lon, lat = degrees(150, 12)
    lamp = assets.add(
        city.session, access.SYSTEM, community_id=city.community.id, kind="street_lamp", number="LD-1", lon=lon, lat=lat
    )
    west, east = rectangle(0, 0, 200, 300), rectangle(200, 0, 100, 300)
    halves = {city.grids["A1"].id: west, city.grids["C1"].id: east}
    grids.divide(city.session, access.SYSTEM, city.community, halves)
    city.session.expire_all()
    pieces = city.session.scalars(select(StreetSegment).order_by(StreetSegment.id)).all()
    assert [piece.grid_id for piece in pieces] == [city.grids[name].id for name in ("A1",) * 4 + ("C1",) * 2]
    assert lamp.grid_id == city.grids["A1"].id


def test_a_patrol_that_saw_nothing_leaves_nothing(city: City) -> None:
    walk(city, path(0, 100, 5000))
    assert city.session.scalar(select(func.count()).select_from(CoveragePass)) == 0
