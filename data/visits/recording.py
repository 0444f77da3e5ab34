"""What is recorded of a visit: whether somebody was met, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data import accounts, diary, households, incidents, units
from data.base import access, db, listing
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid
from data.base.language import _
from data.buildings import Dwelling
from data.diary import DiaryEntry, Subject
from data.households import Household, Resident
from data.incidents import Incident
from data.visits.tables import (
    MOST_MONTHS,
    Manner,
    NotYet,
    Outcome,
    RhythmNotFound,
    Visit,
    VisitNotFound,
    VisitRhythm,
    Who,
)

#: Clocks of phones go ahead by so much at most.
_AHEAD = timedelta(minutes=10)
_FIRST_DAY = date(2000, 1, 1)


def record(
    session: Session,
    actor: Actor,
    household: Household,
    *,
    uuid: UUID,
    outcome: Outcome,
    manner: Manner = Manner.VISIT,
    at: datetime | None = None,
    resident_id: int | None = None,
    said: str | None = None,
    subject: Subject | None = None,
    card: bool = False,
    request: dict[str, Any] | None = None,
    answer: str | None = None,
    facts: dict[str, str | None] | None = None,
) -> Visit:
    """A visit of a household that the actor was shown to see; sent again under its ``uuid``, it is the same one.

    Parameters
    ----------
    at
        When; now if left out.
    resident_id
        Who was met, a member of the household.
    said, subject
        What they said and what about: an entry of the diary; left out, its words tell the subject.
    request
        What they asked for, as ``incidents.report`` takes it (``category_code``, ``description`` …): a case at the
        household's building.
    answer
        What was done about it on the spot: the case is settled at once.
    facts
        What of the archive changed: the household's ``phone``, the ``workplace`` of who was met; each that is given is
        written as on the page of the record, by who may change it there.

    Raises
    ------
    Forbidden, NotYet
    Invalid
        The resident is no member, or somebody who was not met asked for something.
    Conflict
        The ``uuid`` is of another household's visit.
    """
    grid_id = households.grid_of(session, household)
    access.require(actor, "visit.record", household.community_id, grid_id)
    known = session.scalar(select(Visit).where(Visit.uuid == uuid))
    if known is not None:
        return _same(known, household)
    now = datetime.now(UTC)
    at = at or now
    if at.date() < _FIRST_DAY or at > now + _AHEAD:
        raise NotYet(_("A visit lies between 2000 and now, not at {at}.", at=at.isoformat()), field="body.at")
    if outcome != Outcome.MET and (resident_id or said or card or request or facts):
        raise Invalid(_("Only who was met can say something, take a card or ask for something."), field="body.outcome")
    if resident_id is not None:
        resident = session.get(Resident, resident_id)
        if resident is None or resident.household_id != household.id:
            raise Invalid(_("The one who was met is no member of the household."), field="body.resident_id")
    visit = Visit(
        uuid=uuid,
        community_id=household.community_id,
        household_id=household.id,
        grid_id=grid_id,
        manner=manner,
        outcome=outcome,
        at=at,
        account_id=actor.account_id,
        resident_id=resident_id,
        card=card,
    )
    try:
        with session.begin_nested():
            session.add(visit)
    except IntegrityError as error:
        # Sent twice at once: the later one waited for the other, and is the same visit.
        known = session.scalar(select(Visit).where(Visit.uuid == uuid))
        if known is None:
            raise db.explain(error) from error
        return _same(known, household)
    if request:
        visit.incident_id = _report(session, actor, household, request, answer).id
        session.flush()
    if facts:
        _change(session, actor, household, resident_id, facts)
    if said:
        about = {name: getattr(visit, name) for name in ("uuid", "grid_id", "incident_id", "at", "account_id")}
        diary.of_visit(session, household, said=said, subject=subject, visit_id=visit.id, **about)
    return visit


def _change(
    session: Session, actor: Actor, household: Household, resident_id: int | None, facts: dict[str, str | None]
) -> None:
    if phone := facts.get("phone"):
        households.change(session, actor, household, phone=phone)
    if workplace := facts.get("workplace"):
        if resident_id is None:
            raise Invalid(_("Say who was met: the work unit is theirs."), field="body.resident_id")
        households.change_resident(session, actor, session.get_one(Resident, resident_id), workplace=workplace)


def _same(visit: Visit, household: Household) -> Visit:
    if visit.household_id != household.id:
        raise Conflict(_("This visit was recorded already, for another household."), constraint="uq_visit_uuid")
    return visit


def _report(
    session: Session, actor: Actor, household: Household, request: dict[str, Any], answer: str | None
) -> Incident:
    building_id = session.scalar(select(Dwelling.building_id).where(Dwelling.id == household.dwelling_id))
    incident = incidents.report(
        session,
        actor,
        community=units.community(session, actor, household.community_id),
        building_id=building_id,
        source="visit",
        **request,
    )
    households.linked.link(session, actor, household, incident.id)
    if answer:
        incidents.settle(session, actor, incident, note=answer, feedback=answer, public=False)
    return incident


def get(session: Session, actor: Actor, visit_id: int) -> Visit:
    """The visit with this id.

    Raises
    ------
    VisitNotFound
    """
    visit = session.scalar(access.visible(select(Visit).where(Visit.id == visit_id), actor, Visit))
    if visit is None:
        raise VisitNotFound(_("Not found, or outside your area."))
    return visit


def remove(session: Session, actor: Actor, visit: Visit) -> None:
    """Take back a visit that was recorded by mistake: one's own, or any for those who arrange visits."""
    permission = "visit.record" if visit.account_id == actor.account_id else "visit.edit"
    access.require(actor, permission, visit.community_id, visit.grid_id)
    session.delete(visit)
    session.flush()


def selection(
    actor: Actor,
    *,
    household_id: int | None = None,
    community: str | None = None,
    grid: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> Rows:
    """The visits the actor may see, a row each, **not masked**.

    Beside the columns: ``account_name household_number``, and of what was said ``said subject diary_id``.
    """
    query: Rows = (
        select(
            *listing.columns(Visit),
            accounts.Account.name.label("account_name"),
            Household.number.label("household_number"),
            DiaryEntry.said,
            DiaryEntry.subject,
            DiaryEntry.id.label("diary_id"),
        )
        .join(Household, Household.id == Visit.household_id)
        .outerjoin(DiaryEntry, DiaryEntry.visit_id == Visit.id)
        .outerjoin(accounts.Account, accounts.Account.id == Visit.account_id)
        .where(*listing.in_period(Visit.at, first, last))
    )
    query = units.narrowed(access.visible(query, actor, Visit), Visit.community_id, Visit.grid_id, community, grid)
    return query if household_id is None else query.where(Visit.household_id == household_id)


def row(session: Session, actor: Actor, visit: Visit) -> Row[Any]:
    """A visit as a row of ``selection``, for one that the actor was already shown to see."""
    return session.execute(selection(actor).where(Visit.id == visit.id)).one()


def latest(session: Session, actor: Actor, household_id: int, most: int) -> Sequence[Row[Any]]:
    """The latest visits of a household, newest first."""
    query = selection(actor, household_id=household_id).order_by(Visit.at.desc(), Visit.id.desc())
    return session.execute(query.limit(most)).all()


#: What visits can be sorted by.
SORTS: dict[str, Any] = {"id": Visit.id, "at": Visit.at}


def rhythms(session: Session, community_id: int | None) -> list[VisitRhythm]:
    """What is said of one community, or of all where that is ``None``, by whom it is for."""
    own = VisitRhythm.community_id.is_(None) if community_id is None else VisitRhythm.community_id == community_id
    return list(session.scalars(select(VisitRhythm).where(own).order_by(VisitRhythm.who, VisitRhythm.manner)))


def set_rhythm(
    session: Session, actor: Actor, *, community_id: int | None, who: str, manner: Manner, every_months: int | None
) -> None:
    """Say how often; ``None`` leaves it to what holds for all, and 0 does not ask for it.

    Raises
    ------
    Forbidden
        What holds for all is everybody's: only who may arrange visits everywhere changes it.
    RhythmNotFound
        There is no such special group.
    Invalid
    """
    if community_id is None:
        access.require_everywhere(actor, "visit.edit")
    else:
        access.require(actor, "visit.edit", community_id)
    if who not in {*Who, *(group.code for group in households.special_groups(session))}:
        raise RhythmNotFound(_("There is no special group “{code}”.", code=who))
    if every_months is not None and not 0 <= every_months <= MOST_MONTHS:
        raise Invalid(_("Months between visits are 0 to {most}.", most=MOST_MONTHS), field="body.every_months")
    here = VisitRhythm.community_id.is_not_distinct_from(community_id)
    known = session.scalar(select(VisitRhythm).where(here, VisitRhythm.who == who, VisitRhythm.manner == manner))
    if known is not None and every_months is None:
        session.delete(known)
    elif known is not None:
        known.every_months = every_months or 0
    elif every_months is not None:
        session.add(VisitRhythm(community_id=community_id, who=who, manner=manner, every_months=every_months))
    session.flush()
