"""Plans compared: with today and with each other, in figures that add up, in pictures, and as a notice to put up."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

from data import buildings, plans, rounds
from data.base import access
from data.plans import Asked, EditKind, Plan
from data.teams import Post
from tests.api.conftest import TestClient, signed_in
from tests.city import City, degrees, rectangle


@pytest.fixture
def city(session: Session) -> City:
    city = City.make(session)
    buildings.add(
        session, access.SYSTEM, community=city.community, code="10", number="10", geom=rectangle(5, 80, 10, 10)
    )
    for room in ("101", "102"):
        city.household("A1", room=room)
    city.incident(50, 50)
    session.flush()
    return city


def handed(city: City, name: str, building: str, to: str) -> Plan:
    plan = plans.draw_up(city.session, access.SYSTEM, city.community, name=name)
    keys = {row.name: key for key, row in plans.standing(city.session, plan).rows.items()}
    asked = Asked(kind=EditKind.HAND_OVER, key=keys[to], buildings=[city.buildings[building].id])
    plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
    return plan


def compared(city: City, plan: Plan, other: Plan | None = None) -> plans.Compared:
    here = plans.standing(city.session, plan)
    before = plans.standing(city.session, other) if other else None
    homed = plans.homes(city.session, access.SYSTEM, here)
    return plans.compare(city.session, access.SYSTEM, here, before, homed)


def test_a_plan_beside_today_says_who_goes_where_and_what_it_means_for_teams_and_rounds(city: City) -> None:
    from data import teams

    for grid, leader in (("A1", "陈敏"), ("B1", "周平")):
        teams.appoint(city.session, access.SYSTEM, city.grids[grid], post=Post.LEADER, name=leader)
    rounds.add(
        city.session,
        access.SYSTEM,
        community_id=city.community.id,
        grid_id=city.grids["A1"].id,
        name="晨巡",
        building_ids=[city.buildings["A1"].id],
    )
    found = compared(city, handed(city, "甲", "A1", "B1"))
    rows = {row.name: row for row in found.rows}
    a, b = rows["A1"], rows["B1"]
    assert a.before and a.after and b.before and b.after  # noqa: PT018 - both sides are there
    assert (a.before.households, a.after.households, b.before.households, b.after.households) == (2, 0, 0, 2)
    assert (a.before.open_cases, a.after.open_cases, b.after.open_cases) == (1, 0, 1)
    assert (a.goes, b.comes) == ({"B1": ["Building 1"]}, {"A1": ["Building 1"]})
    assert [(one.name, one.grid, one.buildings) for one in found.rounds] == [("晨巡", "A1", ["Building 1"])]
    assert {(source, target) for source, target, _geom in found.ground} == {("A1", "B1")}
    load = {leader: (before.households, after.households) for leader, before, after in plans.workload(found.rows)}
    assert load == {"周平": (0, 2), "陈敏": (2, 0)}
    assert all(not row.changes for name, row in rows.items() if name not in ("A1", "B1"))


def test_two_plans_are_compared_with_each_other(city: City) -> None:
    one, other = handed(city, "甲", "A1", "B1"), handed(city, "乙", "A1", "A2")
    rows = {row.name: row for row in compared(city, one, other).rows}
    assert (rows["A2"].goes, rows["B1"].comes) == ({"B1": ["Building 1"]}, {"A2": ["Building 1"]})
    assert not rows["A1"].comes and not rows["A1"].goes  # noqa: PT018 - it lost it in both
    back = compared(city, one, one)
    assert back.ground == []
    assert not any(row.changes for row in back.rows)


def test_grids_that_only_one_of_them_has_are_new_or_closed(city: City) -> None:
    plan = plans.draw_up(city.session, access.SYSTEM, city.community, name="分")
    asked = Asked(kind=EditKind.SPLIT, key=1, line=[degrees(-10, 65), degrees(110, 65)], name="新网格")
    plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
    today = plans.draw_up(city.session, access.SYSTEM, city.community, name="今")
    for after, before, state in ((plan, today, "before"), (today, plan, "after")):
        rows = compared(city, after, before).rows
        assert len([row for row in rows if getattr(row, state) is None]) == 1
        assert sum(row.after.households for row in rows if row.after) == 2


def test_the_comparison_and_the_notice_are_pages(app: FastAPI, city: City) -> None:
    planner = signed_in(app, city.session, city.actor("planner", city.community))
    planner.cookies.set("wangge_language", "en")
    one, other = handed(city, "甲", "A1", "B1"), handed(city, "乙", "A1", "A2")

    def text(client: TestClient, address: str) -> str:
        page = client.get(address, headers={"accept": "text/html"})
        assert page.status_code == 200, page.text
        return re.sub(r"\s+", " ", page.text)

    assert "A1 → B1</b>: Building 1" in text(planner, f"/plans/{one.id}/compare")
    assert "A2 → B1</b>: Building 1" in text(planner, f"/plans/{one.id}/compare?other={other.id}")
    notice = text(planner, f"/plans/{one.id}/notices/2")
    assert "New boundaries of B1" in notice
    assert "Buildings that come" in notice
    assert "2 households" in notice
    assert planner.get(f"/plans/{one.id}/notices/99").status_code == 404
    there = City.make(city.session, "310102001001")
    strange = plans.draw_up(city.session, access.SYSTEM, there.community, name="丙")
    assert planner.get(f"/plans/{one.id}/compare?other={strange.id}").status_code == 404
