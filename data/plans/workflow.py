"""The workflow of a plan: one table of who may go where, and ``act``, which goes there.

::

    draw up ──► draft ──put up──► commented ──submit──► submitted ──approve──► approved ──take effect──► in force
                  ▲                   │                     │                     │
                  └──── send back ────┴──── send back ──────┴───── send back ─────┘

    Until it is in force it can also be withdrawn. A draft may be submitted at once.

The street approves: whoever may draw grids in the whole street. A plan in force ends (ended) when the next one takes
effect; it is undone by a new plan that is drawn up from the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from data import units
from data.accounts import Account
from data.base import access, settings
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid, WanggeError
from data.base.language import _
from data.plans.tables import Action, Plan, PlanStep, State, state_names


class NotNow(Conflict):
    """This cannot be done with the plan as it stands."""


TRANSITIONS: dict[State, dict[Action, State]] = {
    State.DRAFT: {Action.PUT_UP: State.COMMENTED, Action.SUBMIT: State.SUBMITTED, Action.WITHDRAW: State.WITHDRAWN},
    State.COMMENTED: {
        Action.SUBMIT: State.SUBMITTED,
        Action.SEND_BACK: State.DRAFT,
        Action.WITHDRAW: State.WITHDRAWN,
    },
    State.SUBMITTED: {
        Action.APPROVE: State.APPROVED,
        Action.SEND_BACK: State.DRAFT,
        Action.WITHDRAW: State.WITHDRAWN,
    },
    State.APPROVED: {
        Action.TAKE_EFFECT: State.IN_FORCE,
        Action.SEND_BACK: State.DRAFT,
        Action.WITHDRAW: State.WITHDRAWN,
    },
    State.IN_FORCE: {Action.END: State.ENDED},
    State.ENDED: {},
    State.WITHDRAWN: {},
}
#: States in which its lines may still be moved.
OPEN = (State.DRAFT, State.COMMENTED)
#: What the clock does, and nobody by hand.
_BY_ITSELF = (Action.TAKE_EFFECT, Action.END)
_BY_THE_STREET = (Action.APPROVE,)


def allowed(session: Session, actor: Actor, plan: Plan) -> list[Action]:
    """What the actor can do with a plan where it stands."""
    possible = []
    for action in TRANSITIONS[State(plan.state)]:
        if action in _BY_ITSELF:
            continue
        try:
            require(session, actor, plan, action)
        except WanggeError:
            continue
        possible.append(action)
    return possible


def require(session: Session, actor: Actor, plan: Plan, action: Action) -> None:
    """Raise unless the actor may do this.

    Raises
    ------
    NotFound, Forbidden
    """
    access.require(actor, "grid.edit", plan.community_id)
    if action in _BY_THE_STREET:
        community = session.get_one(units.Unit, plan.community_id)
        street = session.get(units.Unit, community.parent_id)
        units.require_whole(actor, "grid.edit", street or community)


def act(
    session: Session,
    actor: Actor,
    plan: Plan,
    action: Action,
    *,
    note: str | None = None,
    effective_on: date | None = None,
) -> PlanStep:
    """Take a plan a step on.

    Parameters
    ----------
    effective_on
        With an approval: the day from which it holds, tomorrow at the earliest.

    Raises
    ------
    NotFound, Forbidden
        The actor may not do this.
    NotNow
        The table has no such action where the plan stands.
    Invalid
        The day is missing, or over.
    """
    require(session, actor, plan, action)
    then = TRANSITIONS[State(plan.state)].get(action)
    if then is None or (action in _BY_ITSELF and not actor.is_system):
        raise NotNow(
            _(
                "The plan “{name}” is: {state}. This cannot be done with it there.",
                name=plan.name,
                state=state_names()[plan.state],
            ),
            state=plan.state,
        )
    if action is Action.APPROVE:
        day = effective_on or plan.effective_on
        first = settings.today() + timedelta(days=1)
        if day is None or day < first:
            raise Invalid(
                _("Say from which day the plan holds: {day} at the earliest.", day=first.isoformat()),
                field="effective_on",
            )
        plan.effective_on = day
    elif action is Action.SEND_BACK:
        plan.effective_on = None
    return step(session, actor, plan, action, then, note)


def step(session: Session, actor: Actor, plan: Plan, action: Action, then: State, note: str | None = None) -> PlanStep:
    """Write down that a plan went on."""
    plan.state = then
    taken = PlanStep(plan_id=plan.id, action=action, state=then, note=note, account_id=actor.account_id)
    session.add(taken)
    session.flush()
    return taken


def steps(session: Session, plan: Plan) -> Sequence[Row[Any]]:
    """What was done with a plan, the earliest first, with ``by``. The caller has shown that the actor may see it."""
    query: Rows = (
        select(*PlanStep.__table__.c, Account.name.label("by"))
        .outerjoin(Account, Account.id == PlanStep.account_id)
        .where(PlanStep.plan_id == plan.id)
        .order_by(PlanStep.at, PlanStep.id)
    )
    return session.execute(query).all()
