"""Plans: drawn up, edited by two, undone, approved, in force on their day, and what became of cases and past days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import shapely
from sqlalchemy import select

from data import buildings, grids, plans
from data.base import access, settings
from data.base.access import Actor
from data.base.audit import Audit
from data.base.errors import Forbidden
from data.basemaps import Basemap
from data.incidents import Incident, IncidentStep, State
from data.plans import Action, Asked, EditKind
from tests.city import City, degrees, rectangle


@pytest.fixture
def city(session) -> City:
    city = City.make(session)
    buildings.add(
        session, access.SYSTEM, community=city.community, code="10", number="10", geom=rectangle(5, 80, 10, 10)
    )
    return city


def drawn_up(city: City, actor: Actor = access.SYSTEM) -> plans.Plan:
    return plans.draw_up(city.session, actor, city.community, name="均衡户数方案")


def key_of(city: City, plan: plans.Plan, name: str) -> int:
    here = plans.standing(city.session, plan)
    return next(key for key, row in here.rows.items() if row.grid_id == city.grids[name].id)


def shapes_of(city: City, plan: plans.Plan) -> dict[int, object]:
    return dict(plans.standing(city.session, plan).coverage.areas)


def handed(city: City, plan: plans.Plan, building: str = "A1", to: str = "B1") -> Asked:
    return Asked(kind=EditKind.HAND_OVER, key=key_of(city, plan, to), buildings=[city.buildings[building].id])


def counted(city: City, here: plans.Standing, actor: Actor = access.SYSTEM) -> plans.Homes:
    return plans.homes(city.session, actor, here)


def take_effect(city: City, plan: plans.Plan, day: date) -> None:
    """As if it had been approved in time."""
    plan.effective_on, plan.state = day, plans.State.APPROVED
    city.session.flush()
    plans.take_effect(city.session, access.SYSTEM, plan)
    city.session.expire_all()


def test_a_plan_begins_as_todays_boundaries_and_comes_back_as_the_same_coverage(city: City) -> None:
    plan = drawn_up(city)
    here = plans.standing(city.session, plan)
    assert here.coverage.is_valid()
    assert [row.name for row in here.rows.values()] == list(city.grids)
    assert plans.consequences(city.session, access.SYSTEM, here, counted(city, here)).moves == []
    edited = plans.edit(city.session, access.SYSTEM, plan, handed(city, plan), version=plan.version)
    again = plans.standing(city.session, plan)
    assert again.coverage.is_valid()
    assert edited.moved[0]["why"] == "around"
    assert plans.standing(city.session, plan).coverage.areas == again.coverage.areas


def test_what_is_undone_is_as_before_to_the_last_bit_and_can_be_done_again(city: City) -> None:
    plan = drawn_up(city)
    states = [shapes_of(city, plan)]
    a = key_of(city, plan, "A2")
    cut = [degrees(-10, 130), degrees(110, 170)]
    for asked in (
        handed(city, plan),
        Asked(kind=EditKind.ADD_VERTEX, at=degrees(200, 150), to=degrees(210, 160)),
        Asked(kind=EditKind.SPLIT, key=a, line=cut),
        Asked(kind=EditKind.MERGE, keys=[key_of(city, plan, "C1"), key_of(city, plan, "C2")], into=3),
        Asked(kind=EditKind.LOCK, key=a),
    ):
        plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
        states.append(shapes_of(city, plan))
    for before in reversed(states[:-1]):
        plans.undo(city.session, access.SYSTEM, plan, version=plan.version)
        assert shapes_of(city, plan) == before
    with pytest.raises(plans.NotNow):
        plans.undo(city.session, access.SYSTEM, plan, version=plan.version)
    for after in states[1:]:
        plans.redo(city.session, access.SYSTEM, plan, version=plan.version)
        assert shapes_of(city, plan) == after
    assert len(plans.edits_of(city.session, plan)) == 5


def test_an_edge_follows_the_street_or_wall_of_the_ground(city: City) -> None:
    plan = drawn_up(city)
    edge = [degrees(100, 0), degrees(100, 100)]
    asked = Asked(kind=EditKind.FOLLOW, edge=edge)
    with pytest.raises(plans.Refused, match="No street"):
        plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
    street = shapely.LineString([degrees(106, -20), degrees(106, 120)]).wkt
    city.session.add(Basemap(community_id=city.community.id, code="w1", kind="road", geom=f"SRID=4326;{street}"))
    city.session.flush()
    plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
    areas = shapes_of(city, plan)
    a, b = (shapely.area(areas[key_of(city, plan, name)]) for name in ("A1", "B1"))
    assert a - b == pytest.approx(2 * (6 * 88 + 6 * 6), rel=0.05)


def test_the_second_planner_is_told_and_may_go_on_from_there(city: City) -> None:
    plan = drawn_up(city)
    seen = plan.version
    plans.edit(city.session, access.SYSTEM, plan, handed(city, plan), version=seen)
    mine = Asked(kind=EditKind.ADD_VERTEX, at=degrees(200, 250), to=degrees(210, 250))
    with pytest.raises(plans.Outdated) as outdated:
        plans.edit(city.session, access.SYSTEM, plan, mine, version=seen)
    assert outdated.value.facts["kinds"] == ["hand_over"]
    plans.edit(city.session, access.SYSTEM, plan, mine, version=seen, rebase=True)
    assert [row.kind for row in plans.edits_of(city.session, plan)] == ["add_vertex", "hand_over"]


def test_a_locked_grid_binds_every_hand(city: City) -> None:
    plan = drawn_up(city)
    locked = Asked(kind=EditKind.LOCK, key=key_of(city, plan, "A1"))
    plans.edit(city.session, access.SYSTEM, plan, locked, version=plan.version)
    with pytest.raises(plans.Refused) as refused:
        plans.edit(city.session, access.SYSTEM, plan, handed(city, plan), version=plan.version)
    assert refused.value.facts["reason"] == "locked"
    assert "A1" in refused.value.detail


def test_figures_findings_and_consequences_follow_the_lines(city: City) -> None:
    for room in ("101", "102", "103"):
        city.household("A1", room=room)
    city.household("B1")
    plan = drawn_up(city)
    across = Asked(
        kind=EditKind.RESHAPE,
        edge=[degrees(100, 0), degrees(100, 100)],
        line=[degrees(100, 0), degrees(50, 50), degrees(100, 100)],
    )
    plans.edit(city.session, access.SYSTEM, plan, across, version=plan.version)
    here = plans.standing(city.session, plan)
    cut = [finding for finding in plans.findings(here, counted(city, here)) if finding.kind == "cut"]
    assert [(finding.building, finding.weight) for finding in cut] == [("Building 1", "error")]
    plans.edit(city.session, access.SYSTEM, plan, handed(city, plan), version=plan.version)
    here = plans.standing(city.session, plan)
    figures = {figure.name: figure for figure in plans.figures_of(here, counted(city, here))}
    assert (figures["A1"].households, figures["B1"].households) == (0, 4)
    assert (figures["A1"].today_households, figures["B1"].today_households) == (3, 1)
    changes = plans.consequences(city.session, access.SYSTEM, here, counted(city, here))
    assert [(move.source, move.target, move.buildings, move.households) for move in changes.moves] == [
        ("A1", "B1", ["Building 1"], 3)
    ]
    assert {piece["target"] for piece in changes.ground} == {key_of(city, plan, "B1")}


def test_a_planner_who_sees_no_households_sees_how_many_there_are(city: City) -> None:
    from data.base import db

    city.household("A1")
    planner = city.actor("planner", city.community)
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别处").actor("planner", city.grids["B2"])
    plan = drawn_up(city, planner)
    db.enter(city.session, planner)
    here = plans.standing(city.session, plan)
    assert sum(figure.households for figure in plans.figures_of(here, counted(city, here, planner))) == 1
    db.enter(city.session, elsewhere)
    assert sum(figure.households for figure in plans.figures_of(here, counted(city, here, elsewhere))) == 0


def test_the_street_approves_and_nobody_else(city: City) -> None:
    planner, street = city.actor("planner", city.community), city.actor("planner", city.street)
    plan = drawn_up(city, planner)
    tomorrow = settings.today() + timedelta(days=1)
    plans.act(city.session, planner, plan, Action.SUBMIT)
    with pytest.raises(plans.NotNow):
        plans.edit(city.session, planner, plan, handed(city, plan), version=plan.version)
    assert Action.APPROVE not in plans.allowed(city.session, planner, plan)
    with pytest.raises(Forbidden):
        plans.act(city.session, planner, plan, Action.APPROVE, effective_on=tomorrow)
    plans.act(city.session, street, plan, Action.APPROVE, effective_on=tomorrow)
    with pytest.raises(plans.NotNow):
        plans.act(city.session, street, plan, Action.TAKE_EFFECT)
    assert [row.action for row in plans.steps(city.session, plan)] == ["draw_up", "submit", "approve"]


def test_on_its_day_buildings_and_open_cases_go_over_and_what_is_settled_stays(city: City) -> None:
    a, b = city.grids["A1"].id, city.grids["B1"].id
    still, settled = city.incident(50, 50, state=State.IN_PROGRESS), city.incident(50, 52, state=State.CLOSED)
    city.session.flush()
    plan = drawn_up(city)
    plans.edit(city.session, access.SYSTEM, plan, handed(city, plan), version=plan.version)
    day = settings.today()
    take_effect(city, plan, day)
    held = {row.id: row.grid_id for row in city.session.execute(select(Incident.id, Incident.grid_id))}
    assert (held[still.id], held[settled.id]) == (b, a)
    assert city.buildings["A1"].grid_id == b
    notes = city.session.scalars(select(IncidentStep.note).where(IncidentStep.incident_id == still.id)).all()
    assert any(note and "A1" in note and "B1" in note for note in notes)
    before = grids.shapes(city.session, city.community.id, day - timedelta(days=1))
    now = grids.shapes(city.session, city.community.id, day)
    spot = shapely.Point(degrees(50, 50))
    assert before[a].covers(spot)
    assert now[b].covers(spot)
    history = city.session.scalars(select(Audit.record_id).where(Audit.action == "redraw", Audit.record_kind == "unit"))
    assert {a, b} <= set(history)


def test_a_day_that_passed_is_caught_up_with_and_an_undone_plan_leaves_all_as_before(city: City) -> None:
    original = grids.shapes(city.session, city.community.id)
    first = drawn_up(city)
    plan = drawn_up(city)
    plans.edit(city.session, access.SYSTEM, plan, handed(city, plan), version=plan.version)
    late = settings.today() - timedelta(days=3)
    take_effect(city, plan, late)
    assert grids.shapes(city.session, city.community.id, late) != original
    back = plans.draw_up(city.session, access.SYSTEM, city.community, name="退回", from_plan=first)
    take_effect(city, back, settings.today())
    assert plan.state == plans.State.ENDED
    again = grids.shapes(city.session, city.community.id)
    assert all(again[grid].equals_exact(geom, 1e-8, normalize=True) for grid, geom in original.items())
    assert {name: building.grid_id for name, building in city.buildings.items()} == {
        name: grid.id for name, grid in city.grids.items()
    }


def test_grids_that_a_plan_creates_come_to_be_with_it(city: City) -> None:
    plan = drawn_up(city)
    asked = Asked(kind=EditKind.SPLIT, key=key_of(city, plan, "A1"), line=[degrees(-10, 65), degrees(110, 65)])
    plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
    closed = Asked(kind=EditKind.CLOSE, key=key_of(city, plan, "C3"), into=key_of(city, plan, "C2"))
    plans.edit(city.session, access.SYSTEM, plan, closed, version=plan.version)
    take_effect(city, plan, settings.today())
    held = grids.shapes(city.session, city.community.id)
    codes = grids.codes(city.session, list(held))
    assert city.grids["C3"].id not in held
    assert f"{city.community.code}010" in codes.values()
    assert city.buildings["C3"].grid_id == city.grids["C2"].id


def test_a_proposal_is_an_edit_with_its_proof(city: City) -> None:
    for number, name in enumerate(city.buildings):
        for room in range(1 + number % 3):
            city.household(name, room=f"{room + 1}01")
    plan = drawn_up(city)
    asked = Asked(kind=EditKind.PROPOSE, least=3, most=12, count=3)
    made = plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
    assert made.asked["proof"]["bound"] <= made.asked["proof"]["cost"] + 1e-6
    here = plans.standing(city.session, plan)
    figures = plans.figures_of(here, counted(city, here))
    assert len(figures) == 3
    assert all(3 <= figure.households <= 12 for figure in figures)
    assert here.coverage.is_valid()
    with pytest.raises(plans.Refused):
        plans.edit(
            city.session,
            access.SYSTEM,
            plan,
            Asked(kind=EditKind.PROPOSE, least=100, most=120, count=3),
            version=plan.version,
        )


def test_a_comment_is_answered_and_may_be_hidden(city: City) -> None:
    planner, leader = city.actor("planner", city.community), city.actor("grid_leader", city.grids["A1"])
    plan = drawn_up(city, planner)
    with pytest.raises(plans.NotNow):
        plans.say(city.session, leader, plan, body="一号楼归我")
    plans.act(city.session, planner, plan, Action.PUT_UP)
    comment = plans.say(city.session, leader, plan, body="一号楼归我", key=1)
    plans.say(city.session, planner, plan, body="好", answers_id=comment.id)
    assert [row.body for row in plans.comments(city.session, leader, plan)] == ["一号楼归我", "好"]
    plans.hide(city.session, planner, plan, comment.id)
    assert [row.body for row in plans.comments(city.session, leader, plan)] == ["好"]
    assert len(plans.comments(city.session, planner, plan)) == 2


def test_a_file_of_boundaries_is_a_plan_that_holds_at_once(city: City) -> None:
    shapes = grids.shapes(city.session, city.community.id)
    a, b = city.grids["A1"].id, city.grids["B1"].id
    shapes[a], shapes[b] = rectangle(0, 0, 60, 100), rectangle(60, 0, 140, 100)
    plan, cut = plans.enact(city.session, access.SYSTEM, city.community, shapes, name="导入")
    assert plan.state == plans.State.IN_FORCE
    assert [finding.building for finding in cut] == ["Building 1"]
