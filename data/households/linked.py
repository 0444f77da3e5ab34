"""Cases of a household 家庭的事件: which cases are about it. Whoever may not see the household learns nothing of it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.base import access
from data.base.access import Actor
from data.households.masks import grid_of
from data.households.tables import Household, HouseholdIncident


def link(session: Session, actor: Actor, household: Household, incident_id: int) -> HouseholdIncident:
    """Say that a case, which the actor was shown to see, is about a household; again, it is the same."""
    access.require(actor, "household.read", household.community_id, grid_of(session, household))
    found = session.get(HouseholdIncident, (household.id, incident_id))
    if found is None:
        found = HouseholdIncident(
            household_id=household.id, incident_id=incident_id, community_id=household.community_id
        )
        session.add(found)
        session.flush()
    return found


def unlink(session: Session, actor: Actor, household: Household, incident_id: int) -> None:
    """Say that a case is not about a household, if somebody said it is."""
    access.require(actor, "household.read", household.community_id, grid_of(session, household))
    found = session.get(HouseholdIncident, (household.id, incident_id))
    if found is not None:
        session.delete(found)
        session.flush()


def of_incident(session: Session, actor: Actor, incident_id: int) -> list[Household]:
    """The households that a case is about, as far as the actor may see them."""
    query = select(Household).join(HouseholdIncident, HouseholdIncident.household_id == Household.id)
    query = query.where(HouseholdIncident.incident_id == incident_id).order_by(Household.id)
    return list(session.scalars(access.visible(query, actor, Household)))


def cases(session: Session, household_id: int) -> list[int]:
    """The ids of the cases of a household that the actor was shown to see."""
    query = select(HouseholdIncident.incident_id).where(HouseholdIncident.household_id == household_id)
    return list(session.scalars(query))
