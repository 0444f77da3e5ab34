"""Disputes as they come in: where, about what, and who is in dispute, shown masked unless somebody says what for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data import buildings, households
from data.base import access, audit, db, secrets
from data.base.access import Actor
from data.base.errors import Conflict, Forbidden, Invalid
from data.base.language import _
from data.buildings import Dwelling
from data.disputes import workflow
from data.disputes.tables import Dispute, DisputeParty, Kind, Level, NotYet, PartyNotFound
from data.households import UNMASK, Household

_AHEAD = timedelta(minutes=10)
_FIRST_DAY = date(2000, 1, 1)
#: Between fewer there is no dispute; more than these are an assembly.
FEWEST, MOST = 2, 10


@dataclass(frozen=True, kw_only=True)
class Party:
    """Somebody who is in dispute; with a ``door`` (``2-501`` or ``501``) the household there is theirs."""

    name: str
    phone: str | None = None
    household_id: int | None = None
    door: str | None = None


def report(
    session: Session,
    actor: Actor,
    *,
    uuid: UUID,
    building_id: int,
    kind: Kind,
    parties: Sequence[Party],
    story: str | None = None,
    level: Level = Level.BUILDING,
    at: datetime | None = None,
) -> Dispute:
    """A new dispute at a building; sent again under its ``uuid``, it is the same one.

    Raises
    ------
    NotFound, Forbidden, NotYet
    Invalid
        Fewer than two parties, a masked name, or a door behind which no household is recorded.
    Conflict
        The ``uuid`` is of somebody else's.
    """
    building = buildings.get(session, actor, building_id)
    for permission in ("household.read", "incident.report"):
        access.require(actor, permission, building.community_id, building.grid_id)
    now = datetime.now(UTC)
    at = at or now
    if at.date() < _FIRST_DAY or at > now + _AHEAD:
        raise NotYet(_("A dispute lies between 2000 and now, not at {at}.", at=at.isoformat()), field="body.at")
    if not FEWEST <= len(parties) <= MOST:
        raise Invalid(_("A dispute has {least} to {most} parties.", least=FEWEST, most=MOST), field="body.parties")
    dispute = Dispute(
        uuid=uuid,
        community_id=building.community_id,
        grid_id=building.grid_id,
        building_id=building.id,
        kind=kind,
        story=story or None,
        level=level,
        reported_at=at,
        account_id=actor.account_id,
    )
    people = [_party(session, actor, dispute, person) for person in parties]
    try:
        with session.begin_nested():
            session.add(dispute)
    except IntegrityError as error:
        known = session.scalar(access.visible(select(Dispute).where(Dispute.uuid == uuid), actor, Dispute))
        if known is None or known.account_id != actor.account_id:
            raise db.explain(error) from error
        if (known.building_id, known.kind) != (building.id, kind):
            raise Conflict(_("This dispute was reported already."), constraint="uq_dispute_uuid") from error
        return known
    for person in people:
        person.dispute_id = dispute.id
        session.add(person)
    session.flush()
    workflow.begin(session, actor, dispute)
    return dispute


def _party(session: Session, actor: Actor, dispute: Dispute, said: Party) -> DisputeParty:
    if any("*" in text for text in (said.name, said.phone or "")):
        raise Invalid(
            _("This is masked. Leave it out to keep what is there, or give it in full."), field="body.parties"
        )
    household_id = said.household_id
    if household_id is not None:
        household = households.get(session, actor, household_id)
        if household.community_id != dispute.community_id:
            raise Invalid(_("The household is of another community."), field="body.parties")
    elif said.door:
        household_id = _behind(session, actor, dispute.building_id, said.door)
    return DisputeParty(
        community_id=dispute.community_id,
        household_id=household_id,
        name=said.name,
        phone=said.phone,
        phone_index=secrets.blind(said.phone) if said.phone else None,
    )


def _behind(session: Session, actor: Actor, building_id: int, door: str) -> int:
    """The household behind a door of a building."""
    unit, _dash, room = door.strip().rpartition("-")
    query = select(Household.id).join(Dwelling, Dwelling.id == Household.dwelling_id)
    query = query.where(Dwelling.building_id == building_id, Dwelling.room == room.strip())
    if unit:
        query = query.where(Dwelling.unit == unit.strip())
    ids = session.scalars(access.visible(query, actor, Household).limit(2)).all()
    if len(ids) != 1:
        raise Invalid(_("No single household is recorded behind door {door}. Write it as unit-room.", door=door))
    return ids[0]


def party(session: Session, dispute: Dispute, party_id: int) -> DisputeParty:
    """A party of a dispute that the actor was shown to see.

    Raises
    ------
    PartyNotFound
    """
    person = session.get(DisputeParty, party_id)
    if person is None or person.dispute_id != dispute.id:
        raise PartyNotFound(_("Not found, or outside your area."))
    return person


def unmask(session: Session, actor: Actor, dispute: Dispute, party_id: int, purpose: str) -> dict[str, Any]:
    """Name and phone of a party in clear; that it happened, and why, is recorded.

    Raises
    ------
    PartyNotFound
    Invalid
        No purpose was stated.
    Forbidden
        The actor may not unmask there.
    """
    purpose = households.stated(purpose)
    person = party(session, dispute, party_id)
    access.require(actor, UNMASK, dispute.community_id, dispute.grid_id)
    audit.record(
        session,
        actor,
        "unmask",
        person.__tablename__,
        person.id,
        community_id=dispute.community_id,
        purpose=purpose,
        changes={"fields": [None, ["name", "phone"]]},
    )
    return {"name": person.name, "phone": person.phone}


def remove(session: Session, actor: Actor, dispute: Dispute) -> None:
    """Remove a dispute that was reported by mistake: one's own, or any for who handles cases of the community."""
    own = dispute.account_id is not None and dispute.account_id == actor.account_id
    access.require(actor, "incident.report", dispute.community_id, dispute.grid_id)
    if not own and not actor.area("incident.edit").covers(dispute.community_id):
        raise Forbidden(_("Only who reported it, or who handles cases of the community, removes a dispute."))
    session.delete(dispute)
    session.flush()
