"""The day of a plan: caught up with when nobody was there, and nothing happened when it was killed half-way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from data import buildings, grids, plans
from data.base import access, db, settings
from data.base.cluster import Cluster
from data.plans import Asked, EditKind, effect
from tests.city import City, rectangle
from tests.conftest import cloned


def approved(engine: Engine, *, days_ago: int) -> tuple[int, int, int]:
    """A plan whose day has come, that hands a building over: its id, the building's, and the grid that takes it."""
    with db.transaction(access.SYSTEM, engine) as session:
        city = City.make(session)
        buildings.add(
            session, access.SYSTEM, community=city.community, code="10", number="10", geom=rectangle(5, 80, 10, 10)
        )
        plan = plans.draw_up(session, access.SYSTEM, city.community, name="均衡户数方案")
        keys = {row.grid_id: key for key, row in plans.standing(session, plan).rows.items()}
        building, taker = city.buildings["A1"].id, city.grids["B1"].id
        asked = Asked(kind=EditKind.HAND_OVER, key=keys[taker], buildings=[building])
        plans.edit(session, access.SYSTEM, plan, asked, version=plan.version)
        plan.effective_on = settings.today() - timedelta(days=days_ago)
        plan.state = plans.State.APPROVED
        return plan.id, building, taker


def stands(session: Session, plan_id: int, building: int) -> tuple[str, int | None, int]:
    """State of the plan, grid of the building, and how many divisions there are."""
    plan = session.get_one(plans.Plan, plan_id)
    held = session.scalar(select(buildings.Building.grid_id).where(buildings.Building.id == building))
    return plan.state, held, len(grids.divisions(session, access.SYSTEM, plan.community_id))


def test_a_plan_that_is_killed_half_way_did_nothing_and_is_caught_up_with(
    cluster: Cluster, worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cloned(cluster, f"wangge_effect_{worker}") as (_dsn, engine):
        monkeypatch.setattr(db, "engine", lambda: engine)
        plan_id, building, taker = approved(engine, days_ago=2)
        with db.transaction(access.SYSTEM, engine) as session:
            before = stands(session, plan_id, building)

        def killed(*_said: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as half_way:
            half_way.setattr(effect, "_note_moved_cases", killed)
            with pytest.raises(KeyboardInterrupt):
                plans.take_effect_where_due()
        with db.transaction(access.SYSTEM, engine) as session:
            assert stands(session, plan_id, building) == before
        assert plans.take_effect_where_due() == 1
        assert plans.take_effect_where_due() == 0
        with db.transaction(access.SYSTEM, engine) as session:
            assert stands(session, plan_id, building) == ("in_force", taker, before[2] + 1)
            newest = grids.divisions(session, access.SYSTEM, session.get_one(plans.Plan, plan_id).community_id)[0]
            assert newest.valid.lower == settings.today() - timedelta(days=2)
