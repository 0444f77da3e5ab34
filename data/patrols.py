"""Patrols 巡查: who walked where, as a phone or a file recorded it.

A phone may be out of reach for hours. So everything it sends can be sent again: a patrol, a check-in and a note bear an
id that the phone made (a UUID), a point its number within the patrol. What is there already is left as it is, and what
comes late or out of order finds its place by its number.

After every batch the whole track is cleaned anew (``spatial.tracks``): which points are kept is a property of all
points together. Points that are dropped stay, each with its reason.

Tracks of staff are personal data: one sees one's own, and those with ``patrol.read`` there see all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import shapely
from geoalchemy2 import Geometry, WKBElement
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Uuid,
    false,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import accounts, buildings, grids, units
from data.base import access, audit, db, listing
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid, NotFound
from data.base.language import _

if TYPE_CHECKING:
    from spatial.tracks import Cleaned

#: A receiver that has not found the time yet says 1970 or 1980, some converters 1901.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: How far ahead a phone's clock may be.
AHEAD = timedelta(days=1)
#: More points have no patrol: three days at one a second.
POINTS_MAX = 260_000


class PatrolNotFound(NotFound):
    """There is no such patrol, or it is outside the actor's area."""


class Source(StrEnum):
    """Where a track comes from."""

    PHONE = "phone"
    GPX = "gpx"
    GEOJSON = "geojson"


class Patrol(db.Dated, db.Table):
    """One walk, with its cleaned track."""

    __tablename__ = "patrol"
    __read__ = "patrol.read"
    __table_args__ = (
        CheckConstraint("source IN ('phone', 'gpx', 'geojson')", name="source"),
        CheckConstraint("stopped_at >= started_at", name="stopped_at"),
        Index("ix_patrol_geom", "geom", postgresql_using="gist"),
        Index("ix_patrol_community_id_started_at", "community_id", "started_at"),
        Index("ix_patrol_grid_id_started_at", "grid_id", "started_at"),
        Index("ix_patrol_account_id_started_at", "account_id", "started_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Made by the phone, or out of the file's content, so that nothing is recorded twice.
    uuid: Mapped[UUID] = mapped_column(Uuid, unique=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    #: Who walked.
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    round_id: Mapped[int | None] = mapped_column(ForeignKey("round.id", ondelete="SET NULL"), index=True)
    source: Mapped[str] = mapped_column(server_default=Source.PHONE)
    name: Mapped[str | None]
    started_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    #: The kept points, a line for each part that was walked without a gap.
    geom: Mapped[WKBElement | None] = mapped_column(Geometry("MULTILINESTRING", 4326, spatial_index=False))
    length_m: Mapped[float] = mapped_column(server_default="0")
    point_count: Mapped[int] = mapped_column(server_default="0")
    dropped_count: Mapped[int] = mapped_column(server_default="0")

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A patrol lies in the community and the grid for which it was walked."""
        return access.in_area(area, cls.community_id, cls.grid_id)


class PatrolPoint(db.Table):
    """A point as it was recorded, and whether it is believed."""

    __tablename__ = "patrol_point"
    __audited__ = False

    patrol_id: Mapped[int] = mapped_column(ForeignKey("patrol.id", ondelete="CASCADE"), primary_key=True)
    #: The number the phone gave it; the order in which points were recorded.
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime | None]
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    #: Segment of a file's track.
    segment: Mapped[int] = mapped_column(server_default="0")
    kept: Mapped[bool] = mapped_column(server_default=text("true"))
    #: A ``spatial.tracks.Reason`` where it is not kept.
    reason: Mapped[str | None]
    #: Part of the track that was walked without a gap.
    part: Mapped[int | None]


class CheckIn(db.Table):
    """Somebody said that they were at a building."""

    __tablename__ = "check_in"
    __read__ = "patrol.read"
    __audited__ = False
    __table_args__ = (Index("ix_check_in_building_id_at", "building_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[UUID] = mapped_column(Uuid, unique=True)
    patrol_id: Mapped[int] = mapped_column(ForeignKey("patrol.id", ondelete="CASCADE"), index=True)
    building_id: Mapped[int] = mapped_column(ForeignKey("building.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    lon: Mapped[float | None]
    lat: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    #: From the stated place to the building, in metres.
    distance_m: Mapped[float | None]
    note: Mapped[str | None]


class PatrolNote(db.Table):
    """A note of a patrol that became an incident."""

    __tablename__ = "patrol_note"
    __audited__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[UUID] = mapped_column(Uuid, unique=True)
    patrol_id: Mapped[int] = mapped_column(ForeignKey("patrol.id", ondelete="CASCADE"), index=True)
    incident_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]


_PATROL_OF_ANOTHER = "This patrol was already recorded by somebody else."
_CHECK_IN_OF_ANOTHER = "This check-in was already recorded with another patrol."
_NOTE_OF_ANOTHER = "This note was already recorded with another patrol."
db.sentences["uq_patrol_uuid"] = _PATROL_OF_ANOTHER
db.sentences["ck_patrol_stopped_at"] = "A patrol cannot end before it begins."
db.sentences["uq_check_in_uuid"] = _CHECK_IN_OF_ANOTHER
db.sentences["uq_patrol_note_uuid"] = _NOTE_OF_ANOTHER


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a live track."""

    seq: int
    at: datetime
    lon: float
    lat: float
    accuracy_m: float | None = None


@dataclass(frozen=True)
class Track:
    """Points as columns of one length: NaN and NaT where nothing is stated; numbered from 0 in their order.

    ``at`` are instants in UTC (``datetime64[us]``), ``lon`` and ``lat`` degrees (EPSG:4326), ``accuracy_m`` the radius
    of 68 % confidence.
    """

    seq: NDArray[np.int64]
    at: NDArray[np.datetime64]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    segment: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.seq)


@dataclass(frozen=True)
class Received:
    """What became of a batch.

    Attributes
    ----------
    received, new
        How many points came, and how many of them were not there yet.
    total
        How many points the patrol has now.
    through
        All points up to this number are there; -1 when the first is missing.
    """

    received: int
    new: int
    total: int
    through: int


# ---- reads ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which patrols: codes of community and grid, whose, of which round, from when on, still under way …"""

    community: str | None = None
    grid: str | None = None
    account_id: int | None = None
    round_id: int | None = None
    first: date | None = None
    last: date | None = None
    running: bool | None = None
    box: listing.Box | None = None


#: What patrols can be sorted by.
SORTS: dict[str, Any] = {"id": Patrol.id, "started": Patrol.started_at, "updated": Patrol.updated_at}


def seen_by(query: Rows, actor: Actor) -> Rows:
    """``query`` over patrols restricted to those the actor may see, and their own."""
    area = actor.area("patrol.read")
    if area.everywhere:
        return query
    own = Patrol.account_id == actor.account_id if actor.account_id is not None else false()
    return query.where(or_(Patrol.within(area), own))


def get(session: Session, actor: Actor, patrol_id: int) -> Patrol:
    """The patrol with this id.

    Raises
    ------
    PatrolNotFound
    """
    found: Patrol | None = session.scalar(seen_by(select(Patrol).where(Patrol.id == patrol_id), actor))
    if found is None:
        raise PatrolNotFound(_("Not found, or outside your area."))
    return found


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The patrols the actor may see, a row each: the columns but ``geom``, ``account_name grid_code grid_name``."""
    wanted = wanted or Filter()
    query = seen_by(rows(), actor)
    query = units.narrowed(query, Patrol.community_id, Patrol.grid_id, wanted.community, wanted.grid)
    if wanted.account_id:
        query = query.where(Patrol.account_id == wanted.account_id)
    if wanted.round_id:
        query = query.where(Patrol.round_id == wanted.round_id)
    query = query.where(*listing.in_period(Patrol.started_at, wanted.first, wanted.last))
    if wanted.running is not None:
        query = query.where(Patrol.stopped_at.is_(None) if wanted.running else Patrol.stopped_at.is_not(None))
    if wanted.box:
        query = query.where(listing.in_box(Patrol.geom, wanted.box))
    return query


def rows() -> Rows:
    """All patrols as ``selection`` gives them, for one that the actor was already shown to see."""
    return (
        select(
            *listing.columns(Patrol, without=("geom",)),
            accounts.Account.name.label("account_name"),
            units.Unit.code.label("grid_code"),
            units.Unit.name.label("grid_name"),
        )
        .outerjoin(accounts.Account, accounts.Account.id == Patrol.account_id)
        .outerjoin(units.Unit, units.Unit.id == Patrol.grid_id)
    )


def points(session: Session, patrol: Patrol) -> Sequence[Any]:
    """All points of a patrol that the actor was already shown to see, in their order: ``seq at lon lat accuracy_m
    segment kept reason part``."""
    columns = listing.columns(PatrolPoint, without=("patrol_id",))
    return session.execute(select(*columns).where(PatrolPoint.patrol_id == patrol.id).order_by(PatrolPoint.seq)).all()


def dropped(session: Session, patrol: Patrol) -> dict[str, int]:
    """How many points were dropped, by reason."""
    found = session.execute(
        select(PatrolPoint.reason, func.count())
        .where(PatrolPoint.patrol_id == patrol.id, PatrolPoint.reason.is_not(None))
        .group_by(PatrolPoint.reason)
        .order_by(func.count().desc(), PatrolPoint.reason)
    ).all()
    return {reason: count for reason, count in found if reason}


def check_ins(session: Session, patrol: Patrol) -> Sequence[Any]:
    """The check-ins of a patrol that the actor was already shown to see, in their order, with the building's number."""
    return session.execute(
        select(*listing.columns(CheckIn), buildings.Building.number.label("building_number"))
        .join(buildings.Building, buildings.Building.id == CheckIn.building_id)
        .where(CheckIn.patrol_id == patrol.id)
        .order_by(CheckIn.at, CheckIn.id)
    ).all()


def notes(session: Session, patrol: Patrol) -> Sequence[Any]:
    """What was noted on a patrol: ``uuid incident_id at``, in order."""
    return session.execute(
        select(PatrolNote.uuid, PatrolNote.incident_id, PatrolNote.at)
        .where(PatrolNote.patrol_id == patrol.id)
        .order_by(PatrolNote.at, PatrolNote.id)
    ).all()


# ---- writes --------------------------------------------------------------------------------------------------------


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
        "uuid": uuid, "community_id": community_id, "grid_id": grid_id, "round_id": round_id, "account_id": walked_by,
        "source": source, "name": name, "started_at": started_at, "stopped_at": stopped_at,
    }  # fmt: skip
    made = session.scalar(insert(Patrol).values(values).on_conflict_do_nothing().returning(Patrol.id))
    if made:
        audit.record(session, actor, "create", "patrol", made, community_id=community_id)
    found = session.scalar(select(Patrol).where(Patrol.uuid == uuid))
    if found is None or found.account_id != walked_by:
        raise Conflict(_(_PATROL_OF_ANOTHER), constraint="uq_patrol_uuid")
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


def clean(session: Session, patrol: Patrol) -> tuple[int, int]:
    """Say anew which of a patrol's points are kept; how many there are, and up to which number all are there."""
    track = track_of(session, patrol)
    cleaned, x, y = cleaned_track(session, patrol.community_id, track)
    session.execute(
        text(
            "UPDATE patrol_point p SET kept = c.reason IS NULL, reason = c.reason, part = c.part "
            "FROM unnest(CAST(:seq AS int[]), CAST(:reason AS text[]), CAST(:part AS int[])) AS c(seq, reason, part) "
            "WHERE p.patrol_id = :patrol AND p.seq = c.seq "
            "AND (p.reason, p.part) IS DISTINCT FROM (c.reason, c.part)"
        ),
        {
            "patrol": patrol.id,
            "seq": track.seq.tolist(),
            "reason": [reason and str(reason) for reason in cleaned.reasons],
            "part": [None if part < 0 else part for part in cleaned.parts.tolist()],
        },
    )
    kept = cleaned.kept
    drawn, metres = lines(track.lon[kept], track.lat[kept], x[kept], y[kept], cleaned.parts[kept])
    session.execute(
        text(
            "UPDATE patrol SET geom = ST_GeomFromWKB(:geom, 4326), length_m = :length, point_count = :points, "
            "dropped_count = :dropped, updated_at = clock_timestamp() WHERE id = :patrol"
        ),
        {
            "patrol": patrol.id,
            "geom": drawn,
            "length": metres,
            "points": len(track),
            "dropped": int((~kept).sum()),
        },
    )
    session.expire(patrol)
    gaps = np.flatnonzero(track.seq != np.arange(len(track)))
    return len(track), int(gaps[0] if len(gaps) else len(track)) - 1


def cleaned_track(
    session: Session, community_id: int, track: Track
) -> tuple[Cleaned, NDArray[np.float64], NDArray[np.float64]]:
    """Which points of a track are kept, and where all of them lie in the community's metric reference system."""
    from spatial import tracks

    at_s = track.at.astype("datetime64[us]").astype(np.int64) / 1e6
    at_s[np.isnat(track.at)] = np.nan
    x, y = metric(session, community_id, track.lon, track.lat)
    found = tracks.clean(
        x, y, at_s, track.accuracy_m, track.segment,
        earliest=EARLIEST.timestamp(), latest=(datetime.now(UTC) + AHEAD).timestamp(),
    )  # fmt: skip
    return found, x, y


def lines(
    lon: NDArray[np.float64], lat: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64],
    parts: NDArray[np.int64],
) -> tuple[bytes | None, float]:  # fmt: skip
    """The kept points as WKB, a line for each part with two points or more, and their length in metres."""
    _part, place, size = np.unique(parts, return_inverse=True, return_counts=True)
    long = size[place] > 1
    if not long.any():
        return None, 0.0
    _part, which = np.unique(parts[long], return_inverse=True)
    parted: Any = shapely.linestrings(np.column_stack((lon[long], lat[long])), indices=which)
    metres = shapely.length(shapely.linestrings(np.column_stack((x[long], y[long])), indices=which)).sum()
    return bytes(shapely.to_wkb(shapely.multilinestrings(parted))), float(metres)


def track_of(session: Session, patrol: Patrol) -> Track:
    """All points of a patrol as columns, by number."""
    found = session.execute(
        text(
            "SELECT array_agg(seq ORDER BY seq), "
            "array_agg((extract(epoch FROM at) * 1000000)::bigint ORDER BY seq), array_agg(lon ORDER BY seq), "
            "array_agg(lat ORDER BY seq), array_agg(accuracy_m ORDER BY seq), array_agg(segment ORDER BY seq) "
            "FROM patrol_point WHERE patrol_id = :patrol"
        ),
        {"patrol": patrol.id},
    ).one()
    seq, at, lon, lat, accuracy, segment = (values or [] for values in found)
    ticks = np.array([np.iinfo(np.int64).min if value is None else value for value in at], dtype=np.int64)
    return Track(
        seq=np.array(seq, dtype=np.int64),
        at=ticks.view("datetime64[us]"),
        lon=np.array(lon, dtype=np.float64),
        lat=np.array(lat, dtype=np.float64),
        accuracy_m=np.array(accuracy, dtype=np.float64),
        segment=np.array(segment, dtype=np.int64),
    )


def metric(
    session: Session, community_id: int, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees as metres in the reference system of a community; infinite where there is no such place."""
    from spatial.datums import reproject

    crs = session.scalar(select(units.Unit.metric_crs).where(units.Unit.id == community_id))
    assert crs is not None
    places = np.asarray(shapely.points(lon, lat), dtype=object)
    placed = shapely.get_coordinates(reproject(places, "EPSG:4326", crs))
    return placed[:, 0], placed[:, 1]


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
    building = buildings.get(session, actor, building_id)
    if building.community_id != patrol.community_id:
        raise Invalid(_("The building lies in another community."), field="body.building_id")
    values = {
        "uuid": uuid, "patrol_id": patrol.id, "building_id": building_id, "at": at, "lon": lon, "lat": lat,
        "accuracy_m": accuracy_m, "note": note, "distance_m": _distance_m(session, building_id, lon, lat),
    }  # fmt: skip
    session.execute(insert(CheckIn).values(values).on_conflict_do_nothing())
    found = session.scalar(select(CheckIn).where(CheckIn.uuid == uuid, CheckIn.patrol_id == patrol.id))
    if found is None:
        raise Conflict(_(_CHECK_IN_OF_ANOTHER), constraint="uq_check_in_uuid")
    return found


def _distance_m(session: Session, building_id: int, lon: float | None, lat: float | None) -> float | None:
    if lon is None or lat is None:
        return None
    point = func.geography(func.ST_SetSRID(func.ST_MakePoint(lon, lat), 4326))
    building = buildings.Building
    return session.scalar(
        select(func.ST_Distance(func.geography(building.geom), point)).where(building.id == building_id)
    )


def noted(session: Session, patrol: Patrol, uuid: UUID) -> int | None:
    """The incident that a note with this uuid already became.

    Raises
    ------
    Conflict
        The note belongs to another patrol.
    """
    found = session.execute(
        select(PatrolNote.incident_id, PatrolNote.patrol_id).where(PatrolNote.uuid == uuid)
    ).one_or_none()
    if found is None:
        return None
    if found.patrol_id != patrol.id:
        raise Conflict(_(_NOTE_OF_ANOTHER), constraint="uq_patrol_note_uuid")
    return int(found.incident_id)


def note(session: Session, actor: Actor, patrol: Patrol, *, uuid: UUID, incident_id: int, at: datetime) -> None:
    """Note which incident was found on a patrol."""
    require_own(actor, patrol)
    session.add(PatrolNote(uuid=uuid, patrol_id=patrol.id, incident_id=incident_id, at=at))
    session.flush()


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
