"""Proposals: the machine divides a plan's ground in the background, with progress, until somebody stops it.

While it works nobody has to wait: the plan is taken only at the end, and only if nobody changed it meanwhile. What
comes of it is an edit like any other, undone and edited further by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from data.base import jobs, language
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.jobs import Job
from data.base.language import _
from data.plans import drawing, editing
from data.plans.editing import Asked, EditKind, Watch
from data.plans.standing import get, standing
from data.plans.tables import Plan

PROPOSE_JOB = "propose"
_SHARES = 100


def ask(session: Session, actor: Actor, plan: Plan, asked: Asked, *, version: int | None) -> Job:
    """Let the machine work on a plan in the background, as it stands now.

    Raises
    ------
    Invalid
        It is another kind of edit, or what is asked makes no sense.
    drawing.Outdated, workflow.NotNow
        As ``drawing.hold``.
    """
    if asked.kind is not EditKind.PROPOSE:
        raise Invalid(_("Only proposals are worked on in the background."), field="kind")
    editing.weights(asked)
    drawing.hold(session, actor, plan, version)
    params = {"plan_id": plan.id, "version": plan.version, "asked": asked.as_json()}
    return jobs.enqueue(
        session, actor, PROPOSE_JOB, params, community_id=plan.community_id, language=language.current()
    )


def perform(session: Session, actor: Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Do the work of a job: its edit is written together with the job's end.

    Raises
    ------
    drawing.Outdated
        Somebody changed the plan meanwhile.
    editing.Refused
        There is no such division, or none was found.
    """
    plan = get(session, actor, int(job.params["plan_id"]))
    asked = Asked(**{**job.params["asked"], "kind": EditKind(job.params["asked"]["kind"])})
    asked = replace(asked, proof={})
    done = 0

    def tell(share: float) -> None:
        nonlocal done
        done = round(share * _SHARES)
        progress("Dividing", done, _SHARES)

    here = standing(session, plan)
    edited = editing.computed(session, actor, here, asked, Watch(lambda: progress("Dividing", done, _SHARES), tell))
    drawing.hold(session, actor, plan, int(job.params["version"]))
    drawing.keep(session, actor, here, asked, edited)
    return {"plan_id": plan.id, "version": plan.version, "proof": asked.proof}
