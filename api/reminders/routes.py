"""Reminder rules over HTTP: what happens as the limit of a case comes near and passes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, status
from pydantic import Field

from api.base.deps import Session, permission
from api.base.fields import Id, Input, Output
from data import incidents, reminders, units
from data.base.access import Actor
from data.incidents import Tier
from data.reminders import Kind

api = APIRouter(prefix="/api", tags=["reminders"])
Read = Annotated[Actor, permission("unit.read")]
Edit = Annotated[Actor, permission("unit.edit")]
ReadCases = Annotated[Actor, permission("incident.read")]


class RuleIn(Input):
    """A rule to be added."""

    kind: Kind = Field(examples=["escalation"])
    working_days: int = Field(ge=0, le=reminders.MOST_DAYS, description="Before or after the limit.", examples=[1])
    share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Of due_soon: the last share of the working time, if that is less.",
        examples=[None],
    )
    tier: Tier | None = Field(None, description="Only for cases of this tier.", examples=[None])
    active: bool = Field(True, description="False: this kind does not happen here.", examples=[True])


class RuleOut(RuleIn):
    """A rule, and the unit whose it is."""

    id: int = Field(examples=[3])
    unit_id: int | None = Field(description="Empty: of everybody.", examples=[None])


class ComingOut(Output):
    """What happens to a case, and whether it has."""

    at: datetime = Field(examples=["2026-03-24T09:30:00Z"])
    kind: Kind = Field(examples=["overdue"])
    working_days: int = Field(examples=[0])
    done: bool = Field(description="False also of what had passed before the case came in.", examples=[False])


@api.get("/units/{unit_id}/reminder-rules", summary="The reminder rules of a unit")
def list_rules(session: Session, actor: Read, unit_id: Id) -> list[RuleOut]:
    """The rules that hold in a unit: of each kind those of the lowest unit that has any."""
    unit = units.get(session, actor, unit_id)
    return [RuleOut.model_validate(rule, from_attributes=True) for rule in reminders.in_force(session, unit.id)]


@api.post("/units/{unit_id}/reminder-rules", summary="Add a reminder rule", status_code=status.HTTP_201_CREATED)
def add_rule(session: Session, actor: Edit, unit_id: Id, body: RuleIn) -> RuleOut:
    """A rule of a unit; the first of its kind there takes the place of those above."""
    rule = reminders.add(session, actor, units.get(session, actor, unit_id), **body.model_dump())
    return RuleOut.model_validate(rule, from_attributes=True)


@api.delete("/reminder-rules/{rule_id}", summary="Remove a reminder rule", status_code=status.HTTP_204_NO_CONTENT)
def remove_rule(session: Session, actor: Edit, rule_id: Id) -> None:
    """Remove a rule; when it was the last of its kind in its unit, those above hold again."""
    reminders.remove(session, actor, rule_id)


@api.get("/incidents/{incident_id}/reminders", summary="What comes of a limit")
def coming(session: Session, actor: ReadCases, incident_id: Id) -> list[ComingOut]:
    """When a case is reminded of, escalated and supervised, if nobody settles it before."""
    incident = incidents.get(session, actor, incident_id)
    return [ComingOut.model_validate(one) for one in reminders.of_incident(session, incident)]
