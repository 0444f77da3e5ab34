"""Entries of the diary as they are written, changed, struck off, or become a case."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from geoalchemy2.shape import from_shape, to_shape
from shapely import Point
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data import buildings, grids, households, incidents, units
from data.base import access, db
from data.base.access import Actor
from data.base.errors import Conflict, Invalid
from data.base.language import _
from data.buildings import Building, Dwelling
from data.diary import words
from data.diary.tables import DiaryEntry, NotYet, Standing, Subject
from data.households import Household
from data.incidents import Incident

#: Clocks of phones go ahead by so much at most.
_AHEAD = timedelta(minutes=10)
_FIRST_DAY = date(2000, 1, 1)


def write(
    session: Session,
    actor: Actor,
    *,
    uuid: UUID,
    said: str,
    community_id: int | None = None,
    subject: Subject | None = None,
    standing: Standing = Standing.OPEN,
    answer: str | None = None,
    at: datetime | None = None,
    household_id: int | None = None,
    building_id: int | None = None,
    lon: float | None = None,
    lat: float | None = None,
) -> DiaryEntry:
    """A new entry; sent again under its ``uuid``, it is the same one.

    Parameters
    ----------
    community_id
        Where it belongs; left out, it follows from its place, or from the only grid or community the actor has.
    subject
        What it is about; left out, its words say.
    standing, answer
        Whether it is to be solved, was solved on the spot (then ``answer`` says how), or is only good to know.
    household_id, building_id, lon, lat
        What it is about: a household, else a building, else a point (degrees, EPSG:4326); or none of them.

    Raises
    ------
    NotFound, Forbidden, NotYet
    Invalid
        Nothing tells where it belongs, or what was done is said of something that was not solved.
    Conflict
        The ``uuid`` is of an entry that says something else.
    """
    now = datetime.now(UTC)
    at = at or now
    if at.date() < _FIRST_DAY or at > now + _AHEAD:
        raise NotYet(_("An entry lies between 2000 and now, not at {at}.", at=at.isoformat()), field="body.at")
    if answer and standing != Standing.STRUCK:
        raise Invalid(_("What was done is said of what was solved."), field="body.answer")
    entry = DiaryEntry(uuid=uuid, at=at, account_id=actor.account_id, asks=standing != Standing.NOTED)
    _word(entry, said, subject)
    _place(session, actor, entry, community_id, household_id, building_id, (lon, lat))
    access.require(actor, "visit.record", entry.community_id, entry.grid_id)
    if standing == Standing.STRUCK:
        entry.struck_at, entry.struck_by_id, entry.answer = at, actor.account_id, answer
    try:
        with session.begin_nested():
            session.add(entry)
    except IntegrityError as error:
        known = session.scalar(access.visible(select(DiaryEntry).where(DiaryEntry.uuid == uuid), actor, DiaryEntry))
        if known is None or known.account_id != actor.account_id:
            raise db.explain(error) from error
        if known.said != entry.said:
            raise Conflict(
                _("This entry was written already, in other words."), constraint="uq_diary_entry_uuid"
            ) from error
        return known
    return entry


def of_visit(
    session: Session, household: Household, *, said: str, subject: Subject | None = None, **about: Any
) -> DiaryEntry:
    """What was said during a visit that the actor was permitted to record.

    Parameters
    ----------
    **about
        ``uuid grid_id visit_id incident_id at account_id`` of the visit.
    """
    building_id = session.scalar(select(Dwelling.building_id).where(Dwelling.id == household.dwelling_id))
    entry = DiaryEntry(community_id=household.community_id, household_id=household.id, building_id=building_id, **about)
    entry.asks = entry.incident_id is not None
    _word(entry, said, subject)
    session.add(entry)
    session.flush()
    return entry


def change(
    session: Session,
    actor: Actor,
    entry: DiaryEntry,
    *,
    said: str | None = None,
    subject: Subject | None = None,
    asks: bool | None = None,
) -> DiaryEntry:
    """Put an entry into other words, under another subject, or say whether it is to be solved; what is left out stays.

    Raises
    ------
    Conflict
        What was struck off is not only good to know.
    """
    _require(actor, entry)
    if said is not None or subject is not None:
        _word(entry, said if said is not None else entry.said, subject or Subject(entry.subject))
    if asks is not None:
        if not asks and entry.struck_at is not None:
            raise Conflict(_("This entry was struck off. Take that back first."))
        entry.asks = asks
    session.flush()
    return entry


def strike(session: Session, actor: Actor, entry: DiaryEntry, answer: str | None = None) -> DiaryEntry:
    """Strike an entry off: it was solved (注销). Struck off again, it is as it was.

    Raises
    ------
    Conflict
        It is followed as a case, and struck off with that.
    """
    access.require(actor, "visit.record", entry.community_id, entry.grid_id)
    if entry.incident_id is not None:
        raise Conflict(_("This is followed as a case, and is struck off when the case is closed."))
    if entry.struck_at is None:
        entry.asks, entry.struck_at = True, datetime.now(UTC)
        entry.struck_by_id, entry.answer = actor.account_id, answer or None
        session.flush()
    return entry


def reopen(session: Session, actor: Actor, entry: DiaryEntry) -> DiaryEntry:
    """Take back that an entry was struck off by hand."""
    access.require(actor, "visit.record", entry.community_id, entry.grid_id)
    entry.struck_at = entry.struck_by_id = entry.answer = None
    session.flush()
    return entry


def file_case(session: Session, actor: Actor, entry: DiaryEntry, *, category_code: str) -> Incident:
    """Make a case of an entry, in its words and at its place; the entry is struck off when the case is closed.

    Raises
    ------
    Conflict
        There is a case of it already, or it was solved.
    """
    access.require(actor, "visit.record", entry.community_id, entry.grid_id)
    if entry.incident_id is not None or entry.struck_at is not None:
        raise Conflict(_("There is a case of this already, or it was solved."))
    point: Any = to_shape(entry.geom) if entry.geom is not None else None
    incident = incidents.report(
        session,
        actor,
        community=units.community(session, actor, entry.community_id),
        category_code=category_code,
        description=entry.said,
        building_id=entry.building_id,
        lon=point.x if point else None,
        lat=point.y if point else None,
        source="visit",
    )
    if entry.household_id is not None:
        households.linked.link(session, actor, households.get(session, actor, entry.household_id), incident.id)
    entry.incident_id, entry.asks = incident.id, True
    session.flush()
    return incident


def remove(session: Session, actor: Actor, entry: DiaryEntry) -> None:
    """Take back an entry that was written by mistake: one's own, or any for those who arrange visits."""
    _require(actor, entry)
    session.delete(entry)
    session.flush()


def _require(actor: Actor, entry: DiaryEntry) -> None:
    permission = "visit.record" if entry.account_id == actor.account_id else "visit.edit"
    access.require(actor, permission, entry.community_id, entry.grid_id)


def _word(entry: DiaryEntry, said: str, subject: Subject | None) -> None:
    entry.said, entry.grams, entry.subject = said, words.written(said), subject or words.guessed(said)


def _place(
    session: Session,
    actor: Actor,
    entry: DiaryEntry,
    community_id: int | None,
    household_id: int | None,
    building_id: int | None,
    point: tuple[float | None, float | None],
) -> None:
    """Where an entry belongs: its household, building, point, community and grid."""
    lon, lat = point
    if household_id is not None:
        household = households.get(session, actor, household_id)
        entry.household_id, entry.community_id = household.id, household.community_id
        entry.grid_id = households.grid_of(session, household)
        entry.building_id = session.scalar(select(Dwelling.building_id).where(Dwelling.id == household.dwelling_id))
    elif building_id is not None:
        building: Building = buildings.get(session, actor, building_id)
        entry.building_id, entry.community_id, entry.grid_id = building.id, building.community_id, building.grid_id
    elif lon is not None and lat is not None:
        located = community_id or grids.community_at(session, lon, lat)
        if located is None:
            raise Invalid(_("This point lies in no community. Choose a building, or a point inside."), field="body.lon")
        entry.community_id, entry.geom = located, from_shape(Point(lon, lat), 4326)
        entry.grid_id = grids.locate(session, located, lon, lat)
    else:
        entry.community_id, entry.grid_id = _own(session, actor, community_id)


def _own(session: Session, actor: Actor, community_id: int | None) -> tuple[int, int | None]:
    """The community and grid of an entry without a place: of the one who writes it, where that is clear."""
    area = actor.area("visit.record")
    if community_id is not None and area.covers(community_id):
        return community_id, None
    if community_id is None and not area.single and len(area.communities) == 1:
        return next(iter(area.communities)), None
    own = [grids.get(session, actor, grid_id) for grid_id in sorted(area.single)]
    own = [grid for grid in own if community_id in (None, grid.community_id)]
    if len(own) == 1 and own[0].community_id is not None:
        return own[0].community_id, own[0].id
    raise Invalid(_("Choose the building that this is about."), field="body.building_id")
