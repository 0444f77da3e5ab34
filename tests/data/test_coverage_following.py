"""Buildings, streets and assets that come, move or go later: past patrols are looked at again by themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from geoalchemy2.shape import from_shape
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import assets, buildings, coverage
from data.base import access
from data.base.jobs import Job
from data.coverage import CoverageItem, following, recording
from tests.city import City, degrees, rectangle
from tests.data.test_coverage import NOON, path, road, state, told, walk


@pytest.fixture
def city(session: Session) -> City:
    """The small city with a road and two walks along it, one of them with poor GPS; all of it looked at."""
    city = City.make(session)
    road(city, "r1", (0, 30), (300, 30))
    coverage.split(session, city.community)
    walk(city, path(0, 150, 30))
    walk(city, path(100, 300, 30, accuracy_m=40, at=NOON + timedelta(days=1)))
    coverage.follow(session, city.community.id)
    return city


def lamp(city: City, x: float, y: float, number: str = "LD-1") -> assets.Asset:
    lon, lat = degrees(x, y)
    return assets.add(
        city.session, access.SYSTEM, community_id=city.community.id, kind="street_lamp", number=number, lon=lon, lat=lat
    )


def moved_lamp(city: City) -> None:
    lon, lat = degrees(60, 250)
    assets.change(city.session, access.SYSTEM, lamp(city, 60, 25), lon=lon, lat=lat)


def moved_building(city: City) -> None:
    buildings.change(city.session, access.SYSTEM, city.buildings["A3"], geom=rectangle(30, 40, 30, 10))


def removed_building(city: City) -> None:
    buildings.remove(city.session, access.SYSTEM, city.buildings["A1"])


def another_street(city: City) -> None:
    road(city, "r2", (50, 0), (50, 60))
    coverage.split(city.session, city.community)


def a_street_elsewhere(city: City) -> None:
    line = city.session.execute(text("SELECT id FROM basemap WHERE code = 'r1'")).scalar_one()
    from shapely import LineString

    moved = from_shape(LineString([degrees(0, 45), degrees(300, 45)]), 4326)
    city.session.execute(text("UPDATE basemap SET geom = :geom WHERE id = :id"), {"geom": str(moved), "id": line})
    city.session.expire_all()
    coverage.split(city.session, city.community)


def a_building_in_a_grid_at_last(city: City) -> None:
    outside = "UPDATE building SET grid_id = NULL, located_by = NULL, unlocated_reason = 'outside' WHERE code = '1'"
    city.session.execute(text(outside))
    coverage.follow(city.session, city.community.id)
    inside = "UPDATE building SET grid_id = :grid, located_by = 'point', unlocated_reason = NULL WHERE code = '1'"
    city.session.execute(text(inside), {"grid": city.grids["A1"].id})


@pytest.mark.parametrize(
    "change",
    [moved_lamp, moved_building, removed_building, another_street, a_street_elsewhere, a_building_in_a_grid_at_last],
    ids=lambda change: change.__name__,
)
def test_following_a_change_leaves_the_tables_as_computing_all_anew_does(
    city: City, change: Callable[[City], None]
) -> None:
    change(city)
    coverage.follow(city.session, city.community.id)
    followed = state(city.session)
    coverage.recompute(city.session, city.community)
    assert state(city.session) == followed
    assert coverage.follow(city.session, city.community.id) == 0


def test_a_lamp_put_up_later_was_seen_by_the_patrols_that_passed_there(city: City) -> None:
    late, far = lamp(city, 60, 25), lamp(city, 60, 250, "LD-2")
    assert {row.status for row in told(city, kinds=("asset",)).values()} == {"not_seen"}
    assert coverage.follow(city.session, city.community.id) == 2
    found = told(city, kinds=("asset",))
    assert (found["asset", late.id].status, found["asset", far.id].status) == ("seen", "not_seen")
    assert found["asset", late.id].last_seen_at.date() == NOON.date()


def test_only_what_changed_is_looked_at_and_only_against_patrols_near_it(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(city, path(0, 100, 5000))
    looked_at: list[tuple[list[int], Any]] = []
    real = recording.observed

    def watched(session: Session, community_id: int, patrol_ids: list[int], **more: Any) -> Any:
        looked_at.append((patrol_ids, more["only"]))
        return real(session, community_id, patrol_ids, **more)

    monkeypatch.setattr(following, "observed", watched)
    new = lamp(city, 60, 25)
    coverage.follow(city.session, city.community.id)
    ((patrol_ids, only),) = looked_at
    assert only == {("asset", new.id)}
    far = city.session.scalar(text("SELECT max(id) FROM patrol"))
    assert patrol_ids
    assert far not in patrol_ids


def test_what_is_gone_leaves_nothing_behind(city: City) -> None:
    gone = city.buildings["A1"].id
    removed_building(city)
    coverage.follow(city.session, city.community.id)
    for table in ("coverage_pass", "coverage_day", "coverage_item"):
        there = text(f"SELECT count(*) FROM {table} WHERE kind = 'building' AND item_id = :id")
        assert city.session.scalar(there, {"id": gone}) == 0


@pytest.fixture
def commits(city: City) -> Callable[[], list[dict[str, Any]]]:
    """Commits the session and tells what the jobs are to follow that this put into the queue."""
    known = set(city.session.scalars(select(Job.id)))

    def commit() -> list[dict[str, Any]]:
        city.session.commit()
        query = select(Job).where(Job.kind == coverage.FOLLOW_JOB, Job.id.not_in(known))
        made = city.session.scalars(query).all()
        known.update(job.id for job in made)
        return [job.params for job in made]

    return commit


def test_a_write_puts_one_job_into_the_queue_which_names_the_community(
    city: City, commits: Callable[[], list[dict[str, Any]]]
) -> None:
    commits()
    lamp(city, 60, 25)
    lamp(city, 70, 25, "LD-2")
    assert commits() == [{"communities": [city.community.id]}]
    city.incident()
    assert commits() == []


def test_the_job_does_what_it_is_asked(city: City) -> None:
    new = lamp(city, 60, 25)
    job = Job(kind=coverage.FOLLOW_JOB, params={"communities": [city.community.id]}, language="zh")
    done = coverage.perform(city.session, access.SYSTEM, job, lambda *_told: None)
    assert done == {"changed": 1}
    assert told(city, kinds=("asset",))["asset", new.id].status == "seen"
    moved_building(city)
    every = Job(kind=coverage.FOLLOW_JOB, params={"communities": None}, language="zh")
    assert coverage.perform(city.session, access.SYSTEM, every, lambda *_told: None) == {"changed": 1}
    items = city.session.scalars(select(CoverageItem).where(CoverageItem.kind == "asset")).all()
    assert [item.item_id for item in items] == [new.id]
