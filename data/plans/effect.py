"""Plans take effect: on their day, in one transaction each, or later when nobody was there on that day.

Boundaries are closed and opened, new grids come to be, buildings go over, and with them who lives there; open cases go
along with a note, and what is settled stays with the grid that settled it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import grids, incidents, units
from data.base import access, audit, db, settings
from data.base.access import Actor
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.incidents import Incident
from data.plans import figures, workflow
from data.plans.drawing import draw_up
from data.plans.standing import standing
from data.plans.tables import Action, Plan, PlanGrid, State
from data.units import Unit

log = logging.getLogger("wangge.plans")
#: So many buildings are named; of the others only how many.
_NAMED = 5


def due(session: Session) -> list[int]:
    """Ids of the plans whose day has come, the earliest day first."""
    query = select(Plan.id).where(Plan.state == State.APPROVED, Plan.effective_on <= settings.today())
    return list(session.scalars(query.order_by(Plan.effective_on, Plan.id)))


def take_effect_where_due() -> int:
    """Let each plan take effect whose day has come, each in a transaction of its own; tells how many did."""
    with db.transaction(access.SYSTEM) as session:
        waiting = due(session)
    count = 0
    for plan_id in waiting:
        try:
            with db.transaction(access.SYSTEM) as session:
                plan = session.get_one(Plan, plan_id, with_for_update=True)
                if plan.state == State.APPROVED:
                    take_effect(session, access.SYSTEM, plan)
                    count += 1
        except WanggeError as error:
            log.warning("Plan %s cannot take effect: %s", plan_id, error.detail)
    return count


def take_effect(session: Session, actor: Actor, plan: Plan) -> grids.Division:
    """Let a plan take effect from its day on.

    Raises
    ------
    Invalid
        A later division exists already.
    """
    here = standing(session, plan)
    day = plan.effective_on or settings.today()
    rows = session.scalars(select(PlanGrid).where(PlanGrid.plan_id == plan.id).order_by(PlanGrid.key)).all()
    known = {row.grid_id for row in rows if row.grid_id is not None}
    for row in rows:
        if row.grid_id is None:
            row.grid_id = _new_grid(session, here.community, row.name).id
        elif row.name != (unit := session.get_one(Unit, row.grid_id)).name:
            unit.name = row.name
    session.flush()
    geoms = here.round(list(here.coverage.polygons))
    shapes = {row.grid_id: geom for row, geom in zip(rows, geoms, strict=True) if row.grid_id is not None}
    before = _places(session, here.community.id)
    division = grids.divide(session, actor, here.community, shapes, valid_from=day)
    _note_moved_cases(session, actor, here.community.id, before, plan.name)
    _put_in_force(session, actor, plan, division, day)
    audit.record(
        session,
        actor,
        "take_effect",
        "plan",
        plan.id,
        community_id=plan.community_id,
        changes={"grids": [len(known), len(rows)], "effective_on": [None, day.isoformat()]},
    )
    return division


def _put_in_force(session: Session, actor: Actor, plan: Plan, division: grids.Division, day: date) -> None:
    """A plan stands where another stood, which has ended."""
    for earlier in session.scalars(
        select(Plan).where(Plan.community_id == plan.community_id, Plan.state == State.IN_FORCE)
    ):
        workflow.step(session, actor, earlier, Action.END, State.ENDED)
    plan.effective_on, plan.division_id = day, division.id
    workflow.step(session, actor, plan, Action.TAKE_EFFECT, State.IN_FORCE)


def _new_grid(session: Session, community: Unit, name: str) -> Unit:
    codes = session.scalars(select(Unit.code).where(Unit.parent_id == community.id, Unit.level == units.Level.GRID))
    numbers = [int(code[len(community.code) :]) for code in codes if code[len(community.code) :].isdigit()]
    code = f"{community.code}{max(numbers, default=0) + 1:03d}"
    bounds = {
        field: getattr(community, field) for field in ("household_min", "household_max", "people_min", "people_max")
    }
    return units.add(session, access.SYSTEM, level=units.Level.GRID, code=code, name=name, parent=community, **bounds)


def _places(session: Session, community_id: int) -> Mapping[int, int | None]:
    """Id → grid of each open case."""
    query = select(Incident.id, Incident.grid_id).where(
        Incident.community_id == community_id, Incident.state.in_(incidents.OPEN)
    )
    return {row.id: row.grid_id for row in session.execute(query)}


def _note_moved_cases(
    session: Session, actor: Actor, community_id: int, before: Mapping[int, int | None], name: str
) -> None:
    """Write on each open case that went over from where to where, and give it to whoever is there for it now."""
    after = _places(session, community_id)
    moved = [case for case, grid in after.items() if grid != before.get(case)]
    if not moved:
        return
    wanted = {grid for case in moved for grid in (before.get(case), after[case]) if grid is not None}
    names = units.names(session, wanted) if wanted else {}
    session.expire_all()
    for incident in session.scalars(select(Incident).where(Incident.id.in_(moved)).order_by(Incident.id)):
        source, target = before.get(incident.id), after[incident.id]
        note = _(
            "The boundaries were redrawn (“{plan}”): the place went over from {source} to {target}.",
            plan=name,
            source=names.get(source, "—") if source else "—",
            target=names.get(target, "—") if target else "—",
        )
        incidents.hand_along(session, incident, note=note)


def enact(
    session: Session,
    actor: Actor,
    community: Unit,
    shapes: Mapping[int, Any],
    *,
    name: str,
    valid_from: date | None = None,
) -> tuple[Plan, list[figures.Finding]]:
    """Boundaries that come ready-made take effect at once, as a plan like any other; tells the buildings that are cut.

    Parameters
    ----------
    valid_from
        From which day they hold, today by default; a day that is over, for boundaries that were told late.

    Raises
    ------
    Invalid, Conflict
        As ``grids.divide``, and for a day to come.
    """
    day = valid_from or settings.today()
    if day > settings.today():
        raise Invalid(
            _(
                "These boundaries would hold from {day}, and this takes effect at once. "
                "Draw up a plan for a day to come.",
                day=day.isoformat(),
            ),
            field="valid_from",
        )
    before = _places(session, community.id)
    division = grids.divide(session, actor, community, shapes, valid_from=day)
    _note_moved_cases(session, actor, community.id, before, name)
    plan = draw_up(session, actor, community, name=name)
    _put_in_force(session, actor, plan, division, day)
    here = standing(session, plan)
    return plan, [
        finding for finding in figures.findings(here, figures.homes(session, actor, here)) if finding.kind == "cut"
    ]


def cut_note(cut: Sequence[figures.Finding]) -> str | None:
    """What is said of buildings that boundaries in force cut through; ``None`` where there are none."""
    if not cut:
        return None
    return _(
        "The boundaries cut through {count} buildings: {names}{more}. Each counts with the grid that its "
        "middle lies in. Hand them over in a plan, and the edge goes around them.",
        count=len(cut),
        names=_(", ").join(finding.building or "" for finding in cut[:_NAMED]),
        more=" …" if len(cut) > _NAMED else "",
    )
