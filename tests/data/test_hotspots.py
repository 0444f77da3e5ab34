"""Runs of the hotspot analysis: on the demo community, on Boston's street lights, on a small city."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import shapely
from sqlalchemy import Connection, Engine, func, insert, select, text
from sqlalchemy.orm import Session

from data import grids, hotspots, incidents, units
from data.base import access, db, jobs
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.demo import load, plan
from data.hotspots import HotspotCell, HotspotRun, Params
from data.incidents import Incident
from tests.city import City, degrees, rectangle

PASSWORD = "plane trees by the river"
SYSTEM = access.SYSTEM
NOW = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)
TODAY = date(2026, 3, 18)
LIGHTS = Params(community=plan.COMMUNITY, categories=("facility.corridor_light",), last=TODAY)


@pytest.fixture(scope="module")
def filled(engine: Engine) -> Iterator[Connection]:
    """A connection whose transaction holds the demo, rolled back after the tests of this module."""
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint", info={"actor": SYSTEM}) as session:
            load.load(session, password=PASSWORD, demo=plan.community(today=TODAY))
            session.commit()
        yield connection
        outer.rollback()


@pytest.fixture
def demo(filled: Connection) -> Iterator[Session]:
    """A session on the demo; what a test changes is undone."""
    with filled.begin_nested() as savepoint:
        with Session(
            filled, join_transaction_mode="create_savepoint", expire_on_commit=False, info={"actor": SYSTEM}
        ) as session:
            yield session
        savepoint.rollback()


@pytest.fixture
def hot(session: Session) -> City:
    """The small city with broken lights all around one building, and one light at each other."""
    city = City.make(session)
    for name in city.buildings:
        x, y = "ABC".index(name[0]) * 100 + 50, (int(name[1]) - 1) * 100 + 50
        around = [(dx, dy) for dx in (-40, -10, 20) for dy in (-40, -10, 20)] * 2 if name == "A1" else [(0, 0)]
        for again, (dx, dy) in enumerate(around):
            city.incident(x + dx, y + dy, reported_at=NOW - timedelta(days=again))
    return city


def asked(city: City, **values: Any) -> Params:
    """A run over the last 30 days of the small city."""
    usual = {"first": date(2026, 2, 16), "last": date(2026, 3, 17), "rings": 1, "permutations": 9_999}
    return Params(community=city.community.code, **{**usual, **values})


# ---- the demo ------------------------------------------------------------------------------------------------------


def test_the_demos_corridor_lights_are_hot_around_buildings_six_to_ten_of_grid_two(demo: Session) -> None:
    run = hotspots.run(demo, SYSTEM, LIGHTS)
    (spot, *others) = hotspots.spots(run)
    assert not others
    assert spot["heat"] == "hot_99"
    assert [grid["name"] for grid in spot["grids"]] == ["第二网格"]
    assert {row["number"] for row in spot["buildings"] if row["main"]} == {"6", "7", "8", "9", "10"}
    assert spot["case_share"] > 0.3
    assert spot["area_share"] < 0.15
    assert run.summary is not None
    assert run.summary["used"] == run.summary["reported"] - run.summary["without_place"]
    assert not hotspots.default_points(run)


def test_a_geocoders_default_point_in_the_demo_is_named_and_leaves_the_map_as_it_was(demo: Session) -> None:
    usual = hotspots.run(demo, SYSTEM, LIGHTS)
    community = units.by_code(demo, SYSTEM, plan.COMMUNITY)
    grid_id, shape = next(reversed(grids.shapes(demo, community.id).items()))
    point = shape.representative_point()
    for number in range(31):
        incidents.report(
            demo,
            SYSTEM,
            community=community,
            category_code="facility.corridor_light",
            lon=point.x,
            lat=point.y,
            address=f"梧桐路168弄{number % 17 + 1}号楼",
            number=f"d{number}",
            reported_at=NOW,
        )
    left_out = hotspots.run(demo, SYSTEM, LIGHTS)
    (stack,) = hotspots.default_points(left_out)
    assert (stack["cases"], stack["addresses"], stack["left_out"]) == (31, 17, True)
    assert left_out.summary is not None
    assert usual.summary is not None
    assert left_out.summary["left_out"] == 31
    assert [one["grids"] for one in hotspots.spots(left_out)] == [one["grids"] for one in hotspots.spots(usual)]
    kept = hotspots.run(demo, SYSTEM, replace(LIGHTS, leave_out_default_points=False))
    assert kept.summary is not None
    assert kept.summary["used"] == usual.summary["used"] + 31
    (row,) = [row for row in hotspots.by_grid(kept) if row["grid_id"] == grid_id]
    assert row["cases"] >= 31


def test_a_run_can_be_made_again_to_the_last_digit(demo: Session) -> None:
    one = hotspots.run(demo, SYSTEM, LIGHTS)
    cells, results = [tuple(row) for row in hotspots.cells(demo, one)], dict(one.results or {})
    hotspots.remove(demo, SYSTEM, one)
    two = hotspots.run(demo, SYSTEM, LIGHTS)
    assert two.id != one.id
    assert two.fingerprint == one.fingerprint
    assert [tuple(row) for row in hotspots.cells(demo, two)] == cells
    assert two.results == results
    assert demo.scalar(select(func.count()).where(HotspotCell.run_id == one.id)) == 0


def test_households_make_rates(demo: Session) -> None:
    run = hotspots.run(demo, SYSTEM, replace(LIGHTS, per_household=True))
    rows = {row["name"]: row for row in hotspots.by_grid(run)}
    assert sum(row["households"] for row in rows.values()) == plan.HOUSEHOLDS
    second = rows["第二网格"]
    assert second["rate"] == pytest.approx(100 * second["cases"] / second["households"])
    assert second["low"] < second["rate"] < second["high"]
    assert max(rows.values(), key=lambda row: row["rate"]) is second
    cells = hotspots.cells(demo, run)
    assert all((cell.z is None) == (cell.households == 0) for cell in cells)
    assert any(cell.heat.startswith("hot") and cell.grid_name == "第二网格" for cell in cells)


def test_what_stands_beside_the_map_adds_up(demo: Session) -> None:
    run = hotspots.run(demo, SYSTEM, Params(community=plan.COMMUNITY, last=TODAY))
    assert run.summary is not None
    used = run.summary["used"]
    series = hotspots.trend(run)
    assert sum(row["used"] for row in series) == used
    assert (series[0]["first"], series[-1]["last"]) == (run.params["first"], run.params["last"])
    assert sum(row["cases"] for row in hotspots.by_grid(run)) == used
    held = demo.execute(
        select(func.sum(HotspotCell.cases), func.sum(HotspotCell.households)).where(HotspotCell.run_id == run.id)
    ).one()
    assert tuple(held) == (used, plan.HOUSEHOLDS)
    area = demo.scalar(
        select(func.sum(func.ST_Area(func.geography(HotspotCell.geom)))).where(HotspotCell.run_id == run.id)
    )
    assert area == pytest.approx(run.summary["cells"] * run.summary["cell_area_m2"], rel=0.001)


# ---- Boston --------------------------------------------------------------------------------------------------------


def test_bostons_default_point_is_called_what_it_is_and_is_no_hotspot(session: Session, geodata: Path) -> None:
    above = units.add(session, SYSTEM, level=units.Level.DISTRICT, code="025025", name="Suffolk")
    above = units.add(session, SYSTEM, level=units.Level.STREET, code="025025001", name="Boston", parent=above)
    community = units.add(
        session,
        SYSTEM,
        level=units.Level.COMMUNITY,
        code="025025001001",
        name="Boston",
        parent=above,
        metric_crs="EPSG:32619",
    )
    outages = pd.read_csv(geodata / "incidents" / "boston_2015" / "Street Light Outages.csv", low_memory=False)
    opened = pd.to_datetime(outages["OPEN_DT"], format="mixed").dt.tz_localize("US/Eastern", ambiguous=False)
    rows = [
        {
            "community_id": community.id,
            "number": str(number),
            "category_code": "facility.street_light",
            "address": address,
            "reported_at": at.to_pydatetime(),
            "geom": f"SRID=4326;POINT({lon} {lat})",
            "unlocated_reason": "outside",
        }
        for number, (address, at, lon, lat) in enumerate(
            zip(outages["Location"], opened, outages["LONGITUDE"], outages["LATITUDE"], strict=True)
        )
    ]
    for row in rows:
        row["address"] = row["address"] if isinstance(row["address"], str) else None
    session.execute(insert(Incident), rows)
    days = opened.dt.tz_convert("Asia/Shanghai").dt.date
    params = Params(
        community=community.code,
        first=days.min(),
        last=days.max(),
        cell_m=100,
        bandwidth_m=200,
        cluster_distance_m=100,
        period_days=366,
        permutations=9_999,
    )
    run = hotspots.run(session, SYSTEM, params)
    (stack,) = hotspots.default_points(run)
    assert (stack["lon"], stack["lat"], stack["cases"], stack["addresses"]) == (-71.0587, 42.3594, 1039, 220)
    assert run.summary is not None
    assert (run.summary["reported"], run.summary["left_out"]) == (7956, 1039)
    point = shapely.Point(stack["lon"], stack["lat"])
    assert not any(shapely.geometry.shape(spot["geometry"]).covers(point) for spot in hotspots.spots(run))
    assert hotspots.spots(run)
    outline = hotspots.outline(session, run)
    assert outline is not None
    assert not outline.covers(point)
    # Taken for cases, they are the densest place of the city by far.
    fooled = hotspots.run(session, SYSTEM, replace(params, leave_out_default_points=False, permutations=0))
    densest = max(hotspots.cells(session, fooled), key=lambda cell: cell.density)
    assert shapely.Point(densest.lon, densest.lat).distance(point) < 0.002
    honest = max(hotspots.cells(session, run), key=lambda cell: cell.density)
    assert honest.density < densest.density / 3


# ---- rules ---------------------------------------------------------------------------------------------------------


def test_small_numbers_are_kept_back(hot: City) -> None:
    run = hotspots.run(hot.session, SYSTEM, asked(hot))
    cells = hotspots.cells(hot.session, run)
    assert any(cell.few for cell in cells)
    for cell in cells:
        assert cell.cases is None or cell.cases >= hotspots.SHOWN_FROM
        assert cell.cases is None or not cell.few
    for spot in hotspots.spots(run):
        assert all(row["cases"] != 1 for row in spot["buildings"])


def test_only_what_was_asked_for_is_counted_and_a_merged_case_counts_once(hot: City) -> None:
    session = hot.session
    (first, second, *_rest) = session.scalars(select(Incident).order_by(Incident.id)).all()
    hot.incident(50, 50, category_code="environment.stray_cat", reported_at=NOW)
    hot.incident(50, 50, reported_at=NOW - timedelta(days=400))
    hot.incident(5000, 50, reported_at=NOW)
    lights = asked(hot, categories=("facility",))
    run = hotspots.run(session, SYSTEM, lights)
    assert run.summary is not None
    assert (run.summary["used"], run.summary["outside"]) == (26, 1)
    second.step, second.merged_into_id = "merged", first.id
    session.flush()
    again = hotspots.run(session, SYSTEM, lights)
    assert again.id != run.id
    assert again.summary is not None
    assert again.summary["used"] == 25
    grid = hotspots.run(session, SYSTEM, replace(lights, grid=hot.grids["B2"].code))
    assert grid.summary is not None
    assert (grid.grid_id, grid.summary["used"]) == (hot.grids["B2"].id, 1)
    new = hotspots.run(session, SYSTEM, replace(lights, states=("closed",)))
    assert new.summary is not None
    assert new.summary["used"] == 0
    assert hotspots.spots(new) == []


def test_a_run_compares_with_the_days_before(hot: City) -> None:
    run = hotspots.run(hot.session, SYSTEM, asked(hot))
    rows = hotspots.compare(hot.session, SYSTEM, run)
    more = [row for row in rows if row["change"] == "more"]
    assert more
    assert all(row["before"] == 0 and row["after"] >= 5 and row["ratio"] is None for row in more)
    with pytest.raises(Invalid, match="before or after"):
        hotspots.compare(hot.session, SYSTEM, run, first=date(2026, 3, 1), last=date(2026, 3, 2))


def test_hot_cells_without_a_patrol_are_told_and_unknown_ones_are_not(hot: City) -> None:
    run = hotspots.run(hot.session, SYSTEM, asked(hot))
    warm = {(cell.q, cell.r) for cell in hotspots.cells(hot.session, run) if cell.heat in hotspots.HOT}
    assert warm
    crs, ground = hot.community.metric_crs, rectangle(0, 0, 100, 100)

    def missed(seen: bool | None) -> set[tuple[int, int]]:
        rows = hotspots.unpatrolled(hot.session, run, crs, [(ground, seen)])
        return {(row.q, row.r) for row in rows}

    assert missed(False) == {cell for cell in warm if cell in missed(False)} != set()
    assert missed(True) == missed(None) == set()


def test_who_may_not_run_or_see_is_refused(hot: City) -> None:
    session = hot.session
    warden, leader = hot.actor("building_warden", hot.community), hot.actor("grid_leader", hot.grids["A1"])
    with pytest.raises(Forbidden):
        hotspots.run(session, warden, asked(hot))
    with pytest.raises((Forbidden, NotFound)):
        hotspots.run(session, leader, asked(hot))
    run = hotspots.run(session, SYSTEM, asked(hot))
    with pytest.raises(NotFound):
        hotspots.get(session, leader, run.id)
    own = hotspots.run(session, leader, asked(hot, grid=hot.grids["A1"].code))
    assert hotspots.get(session, leader, own.id).id == own.id
    other = City.make(session, "310102001001")
    with pytest.raises(NotFound):
        hotspots.run(session, leader, asked(other))


def test_the_second_wall_stands_under_runs_and_their_cells(hot: City) -> None:
    session = hot.session
    run = hotspots.run(session, SYSTEM, asked(hot))
    seen = {}
    for name, actor in (
        ("analyst", hot.actor("analyst", hot.community)),
        ("elsewhere", hot.actor("analyst", City.make(session, "310102001001").community)),
    ):
        with session.begin_nested() as savepoint:
            db.enter(session, actor)
            seen[name] = [
                session.scalar(text(f"SELECT count(*) FROM {table}")) for table in ("hotspot_run", "hotspot_cell")
            ]
            savepoint.rollback()
    assert run.summary is not None
    assert seen == {"analyst": [1, run.summary["cells"]], "elsewhere": [0, 0]}


def test_unnamed_runs_are_forgotten_after_a_month(hot: City) -> None:
    session = hot.session
    analyst = hot.actor("analyst", hot.community)
    old, named = (
        hotspots.run(session, analyst, asked(hot, seed=seed), name=name) for seed, name in ((1, None), (2, "x"))
    )
    session.execute(text("UPDATE hotspot_run SET created_at = now() - interval '31 days'"))
    hotspots.run(session, analyst, asked(hot, seed=3))
    left = set(session.scalars(select(HotspotRun.id)))
    assert old.id not in left
    assert named.id in left


def test_a_large_run_is_queued_and_done_by_the_worker(hot: City, monkeypatch: pytest.MonkeyPatch) -> None:
    session = hot.session
    at_once = hotspots.run(session, SYSTEM, asked(hot, seed=7))
    monkeypatch.setattr("data.hotspots.runs.CASES_AT_ONCE", 5)
    queued = hotspots.run(session, SYSTEM, asked(hot, seed=8))
    assert (queued.state, queued.summary) == ("queued", None)
    assert hotspots.run(session, SYSTEM, asked(hot, seed=8)).id == queued.id
    # What is done need not be done again, however large.
    assert hotspots.run(session, SYSTEM, asked(hot, seed=7)).id == at_once.id
    with pytest.raises(Conflict, match="not done yet"):
        hotspots.cells(session, queued)
    assert queued.job_id is not None
    job = jobs.get(session, SYSTEM, queued.job_id)
    steps: list[str] = []
    told = hotspots.perform(session, SYSTEM, job, lambda step, done, total: steps.append(step))
    assert steps == ["Reading", "Computing", "Writing"]
    assert told["run_id"] == queued.id
    assert (queued.state, queued.fingerprint) == ("done", at_once.fingerprint)
    assert len(hotspots.cells(session, queued)) == told["cells"]
    assert hotspots.run(session, SYSTEM, asked(hot, seed=8)).id == queued.id
    session.execute(text("UPDATE incident SET address = 'elsewhere', updated_at = now() + interval '1 s'"))
    assert hotspots.run(session, SYSTEM, asked(hot, seed=8)).state == "queued"


@pytest.mark.parametrize(
    "values",
    [
        {"first": date(2026, 3, 18)},
        {"cell_m": 4.0},
        {"rings": 0},
        {"permutations": 100_000},
        {"period_days": 0},
        {"states": ("gone",)},
        {"first": date(2000, 1, 1)},
    ],
)
def test_parameters_that_make_no_sense_are_refused(hot: City, values: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        hotspots.run(hot.session, SYSTEM, asked(hot, **values))


def test_while_nothing_changes_nothing_is_read_again(hot: City, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hotspots.run(hot.session, SYSTEM, asked(hot))
    with monkeypatch.context() as without:
        without.delattr("data.hotspots.gathering.gather")
        assert hotspots.run(hot.session, SYSTEM, asked(hot), name="March").id == first.id
    assert first.name == "March"
    # A change that the analysis does not look at leaves the result, and one that it does look at does not.
    case = hot.session.scalars(select(Incident).limit(1)).one()
    case.description = "四层廊灯不亮"
    hot.session.flush()
    assert hotspots.run(hot.session, SYSTEM, asked(hot)).id == first.id
    hot.session.delete(case)
    hot.session.flush()
    assert hotspots.run(hot.session, SYSTEM, asked(hot)).id != first.id


def test_a_hotspot_tells_since_when_it_is_one(session: Session) -> None:
    city = City.make(session)
    for week in range(12):
        name = list(city.buildings)[week % 9]
        x, y = "ABC".index(name[0]) * 100 + 50, (int(name[1]) - 1) * 100 + 50
        city.incident(x, y, reported_at=NOW - timedelta(days=7 * week))
        for dx, dy in ((dx, dy) for dx in (-40, 0, 40) for dy in (-40, 0, 40)) if week < 3 else ():
            city.incident(50 + dx, 50 + dy, reported_at=NOW - timedelta(days=7 * week))
    run = hotspots.run(session, SYSTEM, asked(city, first=date(2025, 12, 24)))
    (spot,) = hotspots.spots(run)
    assert spot["grids"][0]["name"] == "A1"
    assert spot["lasting_periods"] in (3, 4)
    assert spot["pattern"] in ("consecutive", "rising", "new")


def test_parameters_are_kept_in_one_spelling() -> None:
    one = hotspots.settled(Params(community="1", categories=("b", "a", "a")))
    assert one == hotspots.settled(Params(community="1", categories=("a", "b")))
    assert one.categories == ("a", "b")
    assert Params.from_json(one.to_json()) == one
    assert one.days == hotspots.DAYS


def test_without_grids_or_cases_a_run_is_empty_and_says_so(session: Session) -> None:
    city = City.make(session)
    session.execute(text("DELETE FROM division"))
    run = hotspots.run(session, SYSTEM, asked(city))
    assert run.summary is not None
    assert (run.summary["used"], run.summary["cells"]) == (0, 0)
    lon, lat = degrees(50, 50)
    for number in range(6):
        city.incident(50 + number, 50, number=f"n{number}")
    with_cases = hotspots.run(session, SYSTEM, asked(city))
    assert with_cases.summary is not None
    assert with_cases.summary["used"] == 6
    assert abs(hotspots.cells(session, with_cases)[0].lon - lon) + abs(lat - 30) < 0.01


def test_cells_or_a_bandwidth_too_small_for_the_area_are_refused_with_what_would_do(session: Session) -> None:
    city = City.make(session)
    city.incident(0, 0, number="near")
    city.incident(90_000, 90_000, number="far")
    session.execute(text("DELETE FROM division"))
    with pytest.raises(Invalid, match=r"take 2\d\d m or more"):
        hotspots.run(session, SYSTEM, asked(city))
    assert hotspots.run(session, SYSTEM, asked(city, bandwidth_m=300)).state == "done"
    grids.divide(session, SYSTEM, city.community, {city.grids["A1"].id: rectangle(0, 0, 12_000, 12_000)})
    with pytest.raises(Invalid, match=r"from \d\d m on there are fewer than 100000"):
        hotspots.run(session, SYSTEM, asked(city, cell_m=30))
