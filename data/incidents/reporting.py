"""Incidents as they come in: located, numbered, with a limit; and moved, changed or removed afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import buildings, calendars, grids, notifications, units
from data.base import access, audit, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.grids import LocatedBy, UnlocatedReason
from data.incidents import kinds, repeats
from data.incidents.tables import Action, Category, CategoryNotFound, Incident, IncidentStep, Step, Tier


def report(
    session: Session,
    actor: Actor,
    *,
    community: units.Unit,
    category_code: str,
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
    **values: Any,
) -> Incident:
    """A new incident at a point (degrees, EPSG:4326) or a building; it is located and numbered here.

    Parameters
    ----------
    **values
        Other columns of the table: ``description``, ``address``, ``source``, ``contact``, ``accuracy_m``, ``answers``,
        ``reported_at`` … Without ``due_at`` it is due after the days that its category is given.
    """
    try:
        kind = kinds.known(session, category_code)
    except CategoryNotFound as error:
        raise Invalid(error.detail, field="category_code") from error
    now = values.pop("reported_at", None) or now_s()
    if values.get("due_at") is None:
        values["due_at"] = due(session, community.id, kind, None, now)
    if values.get("answers"):
        kinds.check_answers(kind, values["answers"])
    incident = Incident(community_id=community.id, category_code=category_code, reported_at=now, **values)
    place(session, actor, incident, lon=lon, lat=lat, building_id=building_id)
    access.require(actor, "incident.report", community.id, incident.grid_id)
    incident.recurrent = repeats.is_recurrent(session, incident, kind)
    if not incident.number:
        incident.number = next_number(session, community.id, now)
    session.add(incident)
    session.flush()
    session.add(
        IncidentStep(
            incident_id=incident.id,
            community_id=incident.community_id,
            grid_id=incident.grid_id,
            action=Action.REPORT,
            step=incident.step or Step.REPORTED,
            at=now,
            account_id=actor.account_id,
            public=True,
            level=incident.level,
        )
    )
    session.flush()
    event = notifications.Kind.URGENT if kind.tier == Tier.STREET else Action.REPORT
    notifications.tell(session, incident, event, occasion=Action.REPORT, by=actor.account_id)
    return incident


def now_s() -> datetime:
    """The instant it is, in whole seconds: as files carry it, so that an export that comes back is no change."""
    return datetime.now(UTC).replace(microsecond=0)


def due(session: Session, community_id: int, kind: Category, tier: str | None, at: datetime) -> datetime | None:
    """When an incident of a kind and tier that begins at ``at`` is due; ``None`` without a limit."""
    days = kinds.limit_days(kind, tier)
    return None if days is None else calendars.due(session, community_id, at, days)


def place(
    session: Session,
    actor: Actor,
    incident: Incident,
    *,
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
    by_hand: bool = False,
) -> None:
    """Put an incident to a point, else to a building; it lies in the grid that covers that."""
    incident.building_id = building_id
    grid_id: int | None = None
    by = LocatedBy.POINT
    if lon is not None and lat is not None:
        incident.geom = from_shape(Point(lon, lat), 4326)
        grid_id, reason = grids.locate(session, incident.community_id, lon, lat), UnlocatedReason.OUTSIDE
    elif building_id is not None:
        building = buildings.get(session, actor, building_id)
        if building.community_id != incident.community_id:
            raise Invalid(_("The building lies in another community."), field="body.building_id")
        incident.geom, by = building.point, LocatedBy.ADDRESS
        grid_id, reason = building.grid_id, UnlocatedReason.OUTSIDE
    else:
        incident.geom, reason = None, UnlocatedReason.NO_PLACE
    incident.grid_id, incident.reported_grid_id = grid_id, None
    incident.located_by = (LocatedBy.MANUAL if by_hand else by) if grid_id else None
    incident.located_score = 1.0 if grid_id else None
    incident.unlocated_reason = None if grid_id else reason


def next_number(session: Session, community_id: int, at: datetime) -> str:
    """The next free number of a day: date and running number, ``20260317-006``.

    The last one given is a row of its own, held until the transaction ends: so none is given twice, and none is
    skipped by a report that failed. Only the first of a day looks what numbers there are.
    """
    day = at.astimezone(ZoneInfo(settings.get().timezone)).date()
    given = session.scalar(_NEXT, {"community": community_id, "day": day})
    if given is None:
        given = session.scalar(_FIRST, {"community": community_id, "day": day, "prefix": f"{day:%Y%m%d}"})
    return f"{day:%Y%m%d}-{given:03d}"


_NEXT = text(
    "UPDATE incident_counter SET last = last + 1 WHERE community_id = :community AND day = :day RETURNING last"
)
_FIRST = text(
    """
    INSERT INTO incident_counter AS c (community_id, day, last)
    SELECT :community, :day, coalesce(max(split_part(number, '-', 2)::int), 0) + 1 FROM incident
    WHERE community_id = :community AND number ~ ('^' || :prefix || '-[0-9]{3,6}$')
    ON CONFLICT (community_id, day) DO UPDATE SET last = c.last + 1
    RETURNING last
    """
)


def forget_numbers(session: Session, community_id: int) -> None:
    """Let the next report of each day look again what numbers there are: others came in by a load."""
    session.execute(text("DELETE FROM incident_counter WHERE community_id = :community"), {"community": community_id})


def change(session: Session, actor: Actor, incident: Incident, **values: Any) -> Incident:
    """Change what is said about an incident; how it stands is changed by ``act``."""
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    for name, value in values.items():
        setattr(incident, name, value)
    session.flush()
    return incident


def move(session: Session, actor: Actor, incident: Incident, **place_: Any) -> Incident:
    """Put an incident by hand to a point (``lon`` and ``lat``, degrees) or a building (``building_id``)."""
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    place(session, actor, incident, by_hand=True, **place_)
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    session.flush()
    return incident


def remove(session: Session, actor: Actor, incident: Incident) -> None:
    """Remove an incident and its steps, for instance one that was only a trial."""
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    session.delete(incident)
    session.flush()


def contact(session: Session, actor: Actor, incident: Incident, purpose: str) -> str | None:
    """How the one who asked can be told; that it was shown, and why, is recorded.

    Raises
    ------
    Invalid
        No purpose was stated.
    Forbidden
        The actor may not see personal data there.
    """
    if len(purpose.strip()) < 2:
        raise Invalid(_("State in a few words what the full data is needed for."), field="purpose")
    access.require(actor, "person.unmask", incident.community_id, incident.grid_id)
    audit.record(
        session,
        actor,
        "unmask",
        "incident",
        incident.id,
        community_id=incident.community_id,
        purpose=purpose.strip(),
        changes={"fields": [None, ["contact"]]},
    )
    return incident.contact
