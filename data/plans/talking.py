"""What is said of a plan while it is up: of the whole, of a grid, or in answer; the planner may hide what offends.

Residents look at a plan by its link, without an account, as long as the planner shares it and it is up for comment.
What they say is kept without anything of them, and shown to others once the planner has read it.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from data.accounts import Account
from data.base import access, secrets
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.plans import workflow
from data.plans.standing import PlanNotFound
from data.plans.tables import Plan, PlanComment, State


class CommentNotFound(NotFound):
    """There is no such comment on the plan."""


def comments(session: Session, actor: Actor, plan: Plan) -> Sequence[Row[Any]]:
    """What was said of a plan, the earliest first, with ``author``; what is hidden only for whoever may edit it."""
    query: Rows = (
        select(*PlanComment.__table__.c, Account.name.label("author"))
        .outerjoin(Account, Account.id == PlanComment.account_id)
        .where(PlanComment.plan_id == plan.id)
        .order_by(PlanComment.at, PlanComment.id)
    )
    if not actor.area("grid.edit").covers(plan.community_id):
        query = query.where(~PlanComment.hidden)
    return session.execute(query).all()


def say(
    session: Session, actor: Actor, plan: Plan, *, body: str, key: int | None = None, answers_id: int | None = None
) -> PlanComment:
    """Say something of a plan that is up for comment; the planner may do so at any time before it is in force.

    Raises
    ------
    NotNow
        It is not up for comment.
    Invalid
        There are no words, or no such comment to answer.
    """
    access.require(actor, "grid.read")
    edits_it = actor.area("grid.edit").covers(plan.community_id)
    if plan.state != State.COMMENTED and not (edits_it and plan.state in (State.DRAFT, State.SUBMITTED)):
        raise workflow.NotNow(_("This plan is not up for comment."), state=plan.state)
    if not body.strip():
        raise Invalid(_("Write what there is to say."), field="body")
    if answers_id is not None:
        _of(session, plan, answers_id)
    comment = PlanComment(
        plan_id=plan.id,
        community_id=plan.community_id,
        key=key,
        answers_id=answers_id,
        body=body.strip(),
        account_id=actor.account_id,
    )
    session.add(comment)
    session.flush()
    return comment


def hide(session: Session, actor: Actor, plan: Plan, comment_id: int, *, hidden: bool = True) -> PlanComment:
    """Hide a comment from others, or show it again; it is kept.

    Raises
    ------
    CommentNotFound
    """
    access.require(actor, "grid.edit", plan.community_id)
    comment = _of(session, plan, comment_id)
    comment.hidden = hidden
    session.flush()
    return comment


def share(session: Session, actor: Actor, plan: Plan, *, shared: bool = True) -> None:
    """Let residents look at a plan by its link while it is up for comment, or no longer."""
    access.require(actor, "grid.edit", plan.community_id)
    plan.shared = shared
    session.flush()


def link(plan: Plan) -> str:
    """The key in the link of a plan, which nobody can guess; it is kept nowhere, for it follows from our own keys."""
    return secrets.blind(f"plan {plan.id}").hex()[:24]


def linked(session: Session, plan_id: int, key: str) -> Plan:
    """The plan that a link leads to. Runs without walls.

    Raises
    ------
    PlanNotFound
        There is none, or residents may not look at it, or not any more.
    """
    plan = session.get(Plan, plan_id)
    right = plan is not None and hmac.compare_digest(key.encode(), link(plan).encode())
    if plan is None or not right or not plan.shared or plan.state != State.COMMENTED:
        raise PlanNotFound(_("This plan is not up for comment, or not any more."))
    return plan


def heard(session: Session, plan: Plan) -> Sequence[Row[Any]]:
    """What everybody may read of what was said of a plan, the earliest first: ``body key at resident``."""
    columns = (PlanComment.body, PlanComment.key, PlanComment.at, PlanComment.resident)
    query: Rows = select(*columns).where(PlanComment.plan_id == plan.id, ~PlanComment.hidden)
    return session.execute(query.order_by(PlanComment.at, PlanComment.id)).all()


def suggest(session: Session, plan: Plan, *, body: str, key: int | None = None) -> PlanComment:
    """Take in what a resident says of a plan that a link led to; others read it once the planner lets them.

    Raises
    ------
    Invalid
        There are no words.
    """
    if not body.strip():
        raise Invalid(_("Write what there is to say."), field="body")
    comment = PlanComment(
        plan_id=plan.id, community_id=plan.community_id, key=key, body=body.strip(), hidden=True, resident=True
    )
    session.add(comment)
    session.flush()
    return comment


def _of(session: Session, plan: Plan, comment_id: int) -> PlanComment:
    comment = session.get(PlanComment, comment_id)
    if comment is None or comment.plan_id != plan.id:
        raise CommentNotFound(_("There is no such comment on this plan."))
    return comment
