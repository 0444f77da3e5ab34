"""Proposals in the background: an edit once they are done, nothing where they are stopped or come too late."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from data import plans
from data.base import access, jobs, language
from data.base.errors import Invalid, NotFound
from data.plans import Asked, EditKind, PlanEdit
from tests.city import City

BOUNDS = {"kind": EditKind.PROPOSE, "least": 3, "most": 12, "count": 3}


@pytest.fixture
def city(session) -> City:
    city = City.make(session)
    for number, name in enumerate(sorted(city.buildings)):
        for room in range(1 + number % 3):
            city.household(name, room=f"{room + 1}01")
    return city


def drawn_up(city: City) -> plans.Plan:
    return plans.draw_up(city.session, access.SYSTEM, city.community, name="均衡户数方案")


def told(_step: str, _done: int, _total: int | None) -> None:
    """Nobody looks at how far it is."""


def asked_for(city: City, plan: plans.Plan, **how: object) -> jobs.Job:
    return plans.ask_for_proposal(city.session, access.SYSTEM, plan, Asked(**BOUNDS | how), version=plan.version)


def test_what_is_asked_for_becomes_an_edit_with_its_proof_and_can_be_undone(city: City) -> None:
    plan = drawn_up(city)
    version, steps = plan.version, []
    job = asked_for(city, plan, weights={"compactness": 1.0}, seed=4)
    assert plan.version == version  # nothing has happened yet
    planner = city.actor("planner", city.community)
    result = plans.propose(city.session, planner, job, lambda *step: steps.append(step))
    assert {name for name, *_rest in steps} == {"Dividing"}
    assert result["version"] == plan.version == version + 1
    assert result["proof"]["proven"]
    assert set(result["proof"]["wishes"]) >= {"compactness"}
    assert len(plans.standing(city.session, plan).coverage.keys) == 3
    plans.undo(city.session, planner, plan, version=plan.version)
    assert len(plans.standing(city.session, plan).coverage.keys) != 3


def test_buildings_that_stay_together_are_in_one_grid(city: City) -> None:
    plan = drawn_up(city)
    ids = [city.buildings["A1"].id, city.buildings["C3"].id]
    apart = plans.propose(city.session, access.SYSTEM, asked_for(city, plan), told)
    assert apart["proof"]["proven"]
    together = asked_for(city, plan, together=[[*ids, city.buildings["B2"].id, city.buildings["B3"].id]])
    try:
        plans.propose(city.session, access.SYSTEM, together, told)
    except plans.Refused:  # as many households as these have do not fit one grid: said, not passed over
        pytest.fail("four buildings fit a grid of twelve households")
    here = plans.standing(city.session, plan)
    homes = plans.homes(city.session, access.SYSTEM, here)
    keys = [here.coverage.tree.query(homes.points[homes.position[one]], predicate="intersects").tolist() for one in ids]
    assert keys[0] == keys[1]


def test_who_changed_the_plan_meanwhile_is_not_overwritten(city: City) -> None:
    plan = drawn_up(city)
    job = asked_for(city, plan)
    key = plans.standing(city.session, plan).coverage.keys[0]
    plans.edit(city.session, access.SYSTEM, plan, Asked(kind=EditKind.LOCK, key=key), version=plan.version)
    edits = city.session.scalar(select(func.count()).select_from(PlanEdit))
    with pytest.raises(plans.Outdated):
        plans.propose(city.session, access.SYSTEM, job, told)
    assert city.session.scalar(select(func.count()).select_from(PlanEdit)) == edits


def test_whoever_stops_it_leaves_the_plan_as_it_was(city: City) -> None:
    plan = drawn_up(city)
    job, version = asked_for(city, plan), plan.version

    def stopped(_step: str, _done: int, _total: int | None) -> None:
        raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        plans.propose(city.session, access.SYSTEM, job, stopped)
    assert plan.version == version


def test_only_proposals_by_who_may_draw_with_wishes_that_there_are(city: City) -> None:
    plan = drawn_up(city)
    with pytest.raises(Invalid):
        asked_for(city, plan, kind=EditKind.SIMPLIFY)
    for weights in ({"beauty": 1.0}, {"compactness": 0.0}):
        with pytest.raises(Invalid):
            asked_for(city, plan, weights=weights)
    with pytest.raises(NotFound):
        plans.ask_for_proposal(
            city.session, city.actor("grid_leader", city.grids["A1"]), plan, Asked(**BOUNDS), version=plan.version
        )


def test_why_there_is_no_division_is_said_with_what_would_do(city: City) -> None:
    plan = drawn_up(city)
    total = sum(1 + number % 3 for number in range(len(city.buildings)))

    def said(**how: object) -> plans.Refused:
        with pytest.raises(plans.Refused) as caught:
            plans.edit(city.session, access.SYSTEM, plan, Asked(**BOUNDS | how), version=plan.version)
        return caught.value

    with language.using("en"):
        many = said(count=9)
        assert many.facts["reason"] == "total"
        assert f"{total} households make {-(-total // 12)} to {total // 3} grids of 3 to 12" in many.detail
        heavy = said(least=0, most=2)
        assert (heavy.facts["reason"], "3 households" in heavy.detail) == ("heavy", True)
        three = [name for number, name in enumerate(sorted(city.buildings)) if number % 3 == 2]
        assert set(heavy.facts["buildings"]) == {city.buildings[name].id for name in three}
        whole = said(least=7, most=7, count=3)
        assert f"{total} households that lie together make no whole number of grids of 7 to 7" in whole.detail
