"""Tables of coverage, and what the kinds and states are."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db, texts

#: The distance for which what patrols saw is kept, in metres; others are computed when they are asked for.
DISTANCE_M = 25.0
#: An item is seen when so many of its ``spatial.coverage.BINS`` parts are: half of them.
ENOUGH = 25


class Kind(StrEnum):
    """What may be seen."""

    BUILDING = "building"
    STREET = "street"
    ASSET = "asset"


class Status(StrEnum):
    """Whether it was."""

    SEEN = "seen"
    TOO_POOR = "too_poor"
    NOT_SEEN = "not_seen"


class StreetSegment(db.Table):
    """A piece of a road or path of the base map, at most 50 m long."""

    __tablename__ = "street_segment"
    __read__ = "coverage.read"
    __audited__ = False
    __table_args__ = (
        UniqueConstraint("community_id", "code"),
        CheckConstraint("kind IN ('road', 'path')", name="kind"),
        Index("ix_street_segment_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    #: The code of the road in the base map, and the number of the piece.
    code: Mapped[texts.Long]
    name: Mapped[texts.Long | None]
    kind: Mapped[str]
    length_m: Mapped[float]
    geom: Mapped[WKBElement] = mapped_column(Geometry("LINESTRING", 4326, spatial_index=False))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A piece of street lies in its community and its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)


class CoveragePass(db.Table):
    """What one patrol saw of one item on one day."""

    __tablename__ = "coverage_pass"
    __audited__ = False
    __table_args__ = (
        CheckConstraint("kind IN ('building', 'street', 'asset')", name="kind"),
        Index("ix_coverage_pass_patrol_id", "patrol_id"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    patrol_id: Mapped[int] = mapped_column(ForeignKey("patrol.id", ondelete="CASCADE"), primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    seen: Mapped[int] = mapped_column(BigInteger)
    poor: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime | None]
    poor_at: Mapped[datetime | None]


class CoverageDay(db.Table):
    """What all patrols of one day saw of one item."""

    __tablename__ = "coverage_day"
    __audited__ = False
    __table_args__ = (
        CheckConstraint("kind IN ('building', 'street', 'asset')", name="kind"),
        Index("ix_coverage_day_community_id_day", "community_id", "day"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    seen: Mapped[int] = mapped_column(BigInteger)
    poor: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime | None]
    #: The last patrol that saw it.
    patrol_id: Mapped[int | None] = mapped_column(ForeignKey("patrol.id", ondelete="SET NULL"), index=True)
    poor_at: Mapped[datetime | None]


class CoverageItem(db.Table):
    """What of an item was looked at against the patrols: another shape means that it has to be looked at again."""

    __tablename__ = "coverage_item"
    __audited__ = False
    __table_args__ = (CheckConstraint("kind IN ('building', 'street', 'asset')", name="kind"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    #: A number that stands for the shape.
    shape: Mapped[int] = mapped_column(BigInteger)


class CoverageRule(db.Dated, db.Table):
    """How often items of a kind are to be seen, in a community or one of its grids."""

    __tablename__ = "coverage_rule"
    __read__ = "coverage.read"
    __table_args__ = (
        UniqueConstraint("community_id", "grid_id", "kind", postgresql_nulls_not_distinct=True),
        CheckConstraint("kind IN ('building', 'street', 'asset')", name="kind"),
        CheckConstraint("rhythm IN ('daily', 'weekly')", name="rhythm"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    kind: Mapped[str]
    rhythm: Mapped[str]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A rule lies in its community and its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)
