"""Tables of patrols, and what a point, a track and an answer to a batch are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import numpy as np
from geoalchemy2 import Geometry, WKBElement
from numpy.typing import NDArray
from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, Integer, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db, texts
from data.base.errors import NotFound

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
    note: Mapped[texts.Long | None]


class PatrolNote(db.Table):
    """A note of a patrol that became an incident."""

    __tablename__ = "patrol_note"
    __audited__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[UUID] = mapped_column(Uuid, unique=True)
    patrol_id: Mapped[int] = mapped_column(ForeignKey("patrol.id", ondelete="CASCADE"), index=True)
    incident_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]


PATROL_OF_ANOTHER = "This patrol was already recorded by somebody else."
CHECK_IN_OF_ANOTHER = "This check-in was already recorded with another patrol."
NOTE_OF_ANOTHER = "This note was already recorded with another patrol."
db.sentences["uq_patrol_uuid"] = PATROL_OF_ANOTHER
db.sentences["ck_patrol_stopped_at"] = "A patrol cannot end before it begins."
db.sentences["uq_check_in_uuid"] = CHECK_IN_OF_ANOTHER
db.sentences["uq_patrol_note_uuid"] = NOTE_OF_ANOTHER


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
