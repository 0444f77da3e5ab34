"""The table of movements 人口变动: one row a person and event."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, audit, db
from data.base.errors import NotFound
from data.base.secrets import Encrypted
from data.households import Household


class MovementNotFound(NotFound):
    """There is no such event, or it is outside the actor's area."""


class Kind(StrEnum):
    """What happened to a person. ``MOVED`` is from one dwelling of the community to another."""

    MOVED_IN = "moved_in"
    MOVED_OUT = "moved_out"
    MOVED = "moved"
    BORN = "born"
    DIED = "died"
    MARRIED = "married"
    DIVORCED = "divorced"


#: After these a person does not live here any more.
AWAY = (Kind.MOVED_OUT, Kind.DIED)


class Reach(StrEnum):
    """From how far somebody came, or how far away they went."""

    DISTRICT = "district"
    CITY = "city"
    ELSEWHERE = "elsewhere"
    ABROAD = "abroad"
    UNKNOWN = "unknown"


def _listed(words: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


class Movement(db.Table):
    """Something happened to a person on a day. What is recorded at once has one ``uuid``."""

    __tablename__ = "movement"
    __read__ = "household.read"
    __table_args__ = (
        UniqueConstraint("uuid", "resident_id"),
        CheckConstraint(f"kind IN ({_listed(Kind)})", name="kind"),
        CheckConstraint(f"reach IN ({_listed(Reach)})", name="reach"),
        Index("ix_movement_community_id_happened_on", "community_id", "happened_on"),
        Index("ix_movement_grid_id", "grid_id"),
        Index("ix_movement_from_grid_id", "from_grid_id", postgresql_where=text("from_grid_id IS NOT NULL")),
        Index("ix_movement_resident_id", "resident_id"),
        Index("ix_movement_household_id", "household_id"),
        Index("ix_movement_from_household_id", "from_household_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Whoever records it makes it up, so that what is sent twice is recorded once.
    uuid: Mapped[UUID]
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: the grid in which the person lived then: afterwards, or before they left
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    #: of a move within the community: the grid before
    from_grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    kind: Mapped[str]
    happened_on: Mapped[date]
    resident_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id", ondelete="SET NULL"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="SET NULL"))
    from_household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="SET NULL"))
    reach: Mapped[str | None]
    #: from where or to where, encrypted
    place: Mapped[str | None] = mapped_column(Encrypted)
    note: Mapped[str | None] = mapped_column(Encrypted)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    #: what was there before, to be put back when it is undone; ids and days alone
    before: Mapped[dict[str, Any]] = mapped_column(JSONB, info={audit.UNRECORDED: True})
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """An event lies in the grids of then, and where its household lies."""
        inside = access.in_area(area, cls.community_id, cls.grid_id)
        if not area.single:
            return inside
        homes = select(Household.id).where(Household.within(area))
        return or_(inside, cls.from_grid_id.in_(sorted(area.single)), cls.household_id.in_(homes))


db.sentences["uq_movement_uuid_resident_id"] = "This event was recorded already."
