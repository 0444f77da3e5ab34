"""What a walker comes across becomes a case, also beyond their own grid: across the street is still on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import incidents, photos, units
from data.base import access, db
from data.base.access import Actor, Area
from data.base.errors import Conflict
from data.base.language import _
from data.incidents import Incident
from data.patrols.recording import require_own
from data.patrols.tables import NOTE_OF_ANOTHER, Patrol, PatrolNote


class Noted(NamedTuple):
    """The case that a note became."""

    incident_id: int
    number: str


def note(
    session: Session,
    actor: Actor,
    patrol: Patrol,
    *,
    uuid: UUID,
    at: datetime,
    category_code: str,
    photo: bytes | None = None,
    **what: Any,
) -> Noted:
    """Report what was found on a patrol; sent again, it is the same case.

    The walker may report wherever the patrol's community lies, as any resident may; who sees the case and who is to see
    to it follows from where it is.

    Parameters
    ----------
    photo
        The content of a JPEG, PNG or WebP.
    **what
        As ``incidents.report`` takes it: ``description``, ``lon`` and ``lat`` (degrees), ``building_id`` …

    Raises
    ------
    Conflict
        The note belongs to another patrol.
    """
    require_own(actor, patrol)
    access.require(actor, "incident.report")
    anywhere = Area(communities=frozenset({patrol.community_id}))
    walker = replace(actor, permissions={**actor.permissions, "incident.report": anywhere, "building.read": anywhere})
    if actor.is_system:
        walker = actor
    with db.everywhere(session):
        known = _known(session, patrol, uuid)
        if known is not None:
            return known
        case = incidents.report(
            session,
            walker,
            community=units.community(session, actor, patrol.community_id),
            category_code=category_code,
            reported_at=at,
            source="patrol",
            **what,
        )
        if photo is not None:
            photos.store(
                session,
                walker,
                photo,
                community_id=case.community_id,
                grid_id=case.grid_id,
                incident_id=case.id,
                patrol_id=patrol.id,
            )
        session.add(PatrolNote(uuid=uuid, patrol_id=patrol.id, incident_id=case.id, at=at))
        session.flush()
        return Noted(case.id, case.number)


def _known(session: Session, patrol: Patrol, uuid: UUID) -> Noted | None:
    found = session.execute(
        select(PatrolNote.patrol_id, Incident.id, Incident.number)
        .join(Incident, Incident.id == PatrolNote.incident_id)
        .where(PatrolNote.uuid == uuid)
    ).one_or_none()
    if found is None:
        return None
    if found.patrol_id != patrol.id:
        raise Conflict(_(NOTE_OF_ANOTHER), constraint="uq_patrol_note_uuid")
    return Noted(found.id, found.number)
