"""What a walker hands in: the start, points, check-ins, notes, the end; all of it may be handed in again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data import buildings, grids
from data.base import access, audit, db, settings
from data.base.access import Actor
from data.base.errors import Conflict, Invalid
from data.base.language import _
from data.buildings import Building
from data.patrols.cleaning import clean
from data.patrols.tables import (
    AHEAD,
    CHECK_IN_OF_ANOTHER,
    EARLIEST,
    PATROL_OF_ANOTHER,
    POINTS_MAX,
    CheckIn,
    Patrol,
    Point,
    Received,
    Source,
    Track,
)

#: How long a phone may have been away, so that it knows grids as they were.
AWAY = timedelta(days=31)


def start(
    session: Session,
    actor: Actor,
    *,
    uuid: UUID,
    community_id: int,
    grid_id: int | None = None,
    round_id: int | None = None,
    account_id: int | None = None,
    source: Source = Source.PHONE,
    name: str | None = None,
    started_at: datetime,
    stopped_at: datetime | None = None,
) -> Patrol:
    """A new patrol of the actor, or the one that already has this uuid.

    Parameters
    ----------
    account_id
        Who walked, if not the actor; that needs ``patrol.edit``.

    Raises
    ------
    Invalid
        The grid lies in another community, or the time cannot be true.
    Conflict
        Somebody else recorded a patrol with this uuid.
    """
    _check_instant(started_at)
    if grid_id is not None and grids.get(session, actor, grid_id).community_id != community_id:
        raise Invalid(_("The grid lies in another community."), field="body.grid_id")
    walked_by = actor.account_id if account_id is None else account_id
    needed = "patrol.record" if walked_by == actor.account_id else "patrol.edit"
    access.require(actor, needed, community_id, grid_id)
    values = {
        "uuid": uuid,
        "community_id": community_id,
        "grid_id": grid_id,
        "round_id": round_id,
        "account_id": walked_by,
        "source": source,
        "name": name,
        "started_at": started_at,
        "stopped_at": stopped_at,
    }
    made = session.scalar(insert(Patrol).values(values).on_conflict_do_nothing().returning(Patrol.id))
    if made:
        audit.record(session, actor, "create", "patrol", made, community_id=community_id)
    found = session.scalar(select(Patrol).where(Patrol.uuid == uuid))
    if found is None or found.account_id != walked_by:
        raise Conflict(_(PATROL_OF_ANOTHER), constraint="uq_patrol_uuid")
    return found


def add_points(session: Session, actor: Actor, patrol: Patrol, batch: Sequence[Point]) -> Received:
    """Take points of a patrol, in any order, also such as are there already, and clean the track anew."""
    return add_track(
        session,
        actor,
        patrol,
        Track(
            seq=np.array([point.seq for point in batch], dtype=np.int64),
            at=np.array([point.at.astimezone(UTC).replace(tzinfo=None) for point in batch], dtype="datetime64[us]"),
            lon=np.array([point.lon for point in batch], dtype=np.float64),
            lat=np.array([point.lat for point in batch], dtype=np.float64),
            accuracy_m=np.array([point.accuracy_m for point in batch], dtype=np.float64),
            segment=np.zeros(len(batch), dtype=np.int64),
        ),
    )


def add_track(session: Session, actor: Actor, patrol: Patrol, track: Track) -> Received:
    """The same for points as columns.

    Raises
    ------
    Invalid
        The patrol would have too many points.
    """
    require_own(actor, patrol)
    # Batches of one patrol wait for each other, so that each cleans what the others brought.
    session.execute(select(Patrol.id).where(Patrol.id == patrol.id).with_for_update())
    new = _insert(session, patrol, track)
    total, through = clean(session, patrol)
    if total > POINTS_MAX:
        raise Invalid(_("A patrol has at most {most} points. Begin another one.", most=POINTS_MAX))
    return Received(len(track), new, total, through)


def _insert(session: Session, patrol: Patrol, track: Track) -> int:
    done = session.execute(
        text(
            "INSERT INTO patrol_point (patrol_id, seq, at, lon, lat, accuracy_m, segment) "
            "SELECT :patrol, p.seq, p.at, p.lon, p.lat, p.accuracy_m, p.segment FROM unnest(CAST(:seq AS int[]), "
            "CAST(:at AS timestamp[]) , CAST(:lon AS float8[]), CAST(:lat AS float8[]), CAST(:accuracy AS float8[]), "
            "CAST(:segment AS int[])) AS p(seq, at, lon, lat, accuracy_m, segment) ON CONFLICT DO NOTHING"
        ),
        {
            "patrol": patrol.id,
            "seq": track.seq.tolist(),
            "at": track.at.tolist(),
            "lon": _stated(track.lon),
            "lat": _stated(track.lat),
            "accuracy": _stated(track.accuracy_m),
            "segment": track.segment.tolist(),
        },
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def _stated(values: NDArray[np.float64]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def check_in(
    session: Session,
    actor: Actor,
    patrol: Patrol,
    *,
    uuid: UUID,
    building_id: int,
    at: datetime,
    lon: float | None = None,
    lat: float | None = None,
    accuracy_m: float | None = None,
    note: str | None = None,
) -> CheckIn:
    """Note that whoever walks is at a building; once for each uuid.

    Raises
    ------
    Invalid
        The building lies in another community, or the time cannot be true.
    """
    require_own(actor, patrol)
    _check_instant(at)
    building = _building(session, actor, patrol, building_id, at)
    if building.community_id != patrol.community_id:
        raise Invalid(_("The building lies in another community."), field="body.building_id")
    values = {
        "uuid": uuid,
        "patrol_id": patrol.id,
        "building_id": building_id,
        "at": at,
        "lon": lon,
        "lat": lat,
        "accuracy_m": accuracy_m,
        "note": note,
        "distance_m": _distance_m(session, building, lon, lat),
    }
    session.execute(insert(CheckIn).values(values).on_conflict_do_nothing())
    found = session.scalar(select(CheckIn).where(CheckIn.uuid == uuid, CheckIn.patrol_id == patrol.id))
    if found is None:
        raise Conflict(_(CHECK_IN_OF_ANOTHER), constraint="uq_check_in_uuid")
    return found


def _building(session: Session, actor: Actor, patrol: Patrol, building_id: int, at: datetime) -> Building:
    """The building at which the actor was, also if it went over to somebody else's grid while the phone was away."""
    try:
        return buildings.get(session, actor, building_id)
    except buildings.BuildingNotFound:
        day = at.astimezone(ZoneInfo(settings.get().timezone)).date()
        with db.everywhere(session):
            held = grids.held_around(session, patrol.community_id, building_id, day - AWAY, day)
            building = session.get(Building, building_id)
        area = actor.area(Building.__read__)
        if building is None or not any(area.covers(patrol.community_id, grid_id) for grid_id in held):
            raise
        return building


def _distance_m(session: Session, building: Building, lon: float | None, lat: float | None) -> float | None:
    if lon is None or lat is None:
        return None
    point = func.geography(func.ST_SetSRID(func.ST_MakePoint(lon, lat), 4326))
    away = select(func.ST_Distance(func.geography(Building.geom), point)).where(Building.id == building.id)
    with db.everywhere(session):
        return session.scalar(away)


def stop(session: Session, actor: Actor, patrol: Patrol, *, at: datetime) -> Patrol:
    """End a patrol; one that has ended stays as it is. Points may still come."""
    require_own(actor, patrol)
    _check_instant(at)
    if patrol.stopped_at is None:
        patrol.stopped_at = max(at, patrol.started_at)
        session.flush()
    return patrol


def remove(session: Session, actor: Actor, patrol: Patrol) -> None:
    """Remove a patrol with all that was recorded on it; incidents stay. ``coverage.remove`` also takes back what it
    saw."""
    require_edit(actor, patrol)
    session.delete(patrol)
    session.flush()


def require_edit(actor: Actor, patrol: Patrol) -> None:
    """Raise unless the actor may edit patrols there."""
    access.require(actor, "patrol.edit", patrol.community_id, patrol.grid_id)


def require_own(actor: Actor, patrol: Patrol) -> None:
    """Raise unless the actor walks this patrol, or may edit patrols there."""
    own = actor.account_id is not None and patrol.account_id == actor.account_id
    access.require(actor, "patrol.record" if own else "patrol.edit", patrol.community_id, patrol.grid_id)


def _check_instant(at: datetime) -> None:
    if not EARLIEST <= at <= datetime.now(UTC) + AHEAD:
        raise Invalid(
            _("The time {at} cannot be true. Set the clock and send it again.", at=at.isoformat()), field="body.at"
        )
