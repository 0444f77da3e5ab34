"""The tables of duplicates: by what records are alike, pairs that may be one, and what was merged."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db
from data.base.errors import Conflict, NotFound
from data.base.secrets import Encrypted
from data.households import Household, Resident


class DuplicateNotFound(NotFound):
    """There is no such pair, or the actor may not see both in full."""


class MergerNotFound(NotFound):
    """Nothing was merged under this number, or the actor may not see it."""


class NoUndo(Conflict):
    """What was merged cannot be taken back any more."""


class Kind(StrEnum):
    """What was recorded twice."""

    RESIDENT = "resident"
    HOUSEHOLD = "household"

    @property
    def table(self) -> type[Resident] | type[Household]:
        """Where they are kept."""
        return Resident if self is Kind.RESIDENT else Household


class Memory(Encrypted):
    """What stood in two records before they were merged, encrypted."""

    cache_ok = True
    most = 1_000_000


class _OfCommunity(db.Table):
    """What only whoever sees the whole community may know of."""

    __abstract__ = True
    __read__ = "person.unmask"

    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies in its community; a grid of it is not enough."""
        return access.in_area(area, cls.community_id)


class Likeness(_OfCommunity):
    """A key that two records share if they may be one: a keyed hash of two facts. Key 0 says that a record was read."""

    __tablename__ = "likeness"
    __told__ = False
    __audited__ = False
    __table_args__ = (
        CheckConstraint("num_nonnulls(resident_id, household_id) = 1", name="of_one"),
        Index("ix_likeness_key", "key", "community_id", postgresql_where=text("key <> 0")),
        Index("ix_likeness_stamp", "community_id", "stamp", postgresql_where=text("key = 0")),
        Index("ix_likeness_resident_id", "resident_id", postgresql_where=text("resident_id IS NOT NULL")),
        Index("ix_likeness_household_id", "household_id", postgresql_where=text("household_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    resident_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    key: Mapped[int] = mapped_column(BigInteger)
    #: when the record was last changed, as it was read
    stamp: Mapped[datetime]


class Duplicate(_OfCommunity):
    """Two residents or two households that may be one, or of which somebody said that they are two."""

    __tablename__ = "duplicate"
    __told__ = False
    __audited__ = False
    __table_args__ = (
        UniqueConstraint("resident_a_id", "resident_b_id"),
        UniqueConstraint("household_a_id", "household_b_id"),
        CheckConstraint(
            "num_nonnulls(resident_a_id, household_a_id) = 1 "
            "AND (resident_a_id < resident_b_id OR household_a_id < household_b_id)",
            name="pair",
        ),
        CheckConstraint("apart_at IS NOT NULL OR apart_by_id IS NULL", name="apart"),
        Index("ix_duplicate_community_id_score", "community_id", "score"),
        Index("ix_duplicate_resident_b_id", "resident_b_id"),
        Index("ix_duplicate_household_b_id", "household_b_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    resident_a_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"))
    resident_b_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"))
    household_a_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    household_b_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    #: how alike they are, 0–1
    score: Mapped[float]
    #: codes of ``Reason``
    reasons: Mapped[list[str]] = mapped_column(ARRAY(String))
    #: Somebody said that they are two: it is never asked again.
    apart_at: Mapped[datetime | None]
    apart_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))

    @property
    def kind(self) -> Kind:
        """What was recorded twice."""
        return Kind.RESIDENT if self.resident_a_id else Kind.HOUSEHOLD

    @property
    def ids(self) -> tuple[int, int]:
        """The ids of both, the earlier one first."""
        first, second = self.resident_a_id or self.household_a_id, self.resident_b_id or self.household_b_id
        assert first is not None
        assert second is not None
        return first, second


class Merger(_OfCommunity):
    """Two records were made one: which stayed, which went, by whom, and what stood there before."""

    __tablename__ = "merger"
    __told__ = False
    __audited__ = False
    __table_args__ = (
        CheckConstraint("num_nonnulls(resident_id, household_id) = 1", name="of_one"),
        CheckConstraint("undone_at IS NOT NULL OR undone_by_id IS NULL", name="undone"),
        Index("ix_merger_community_id_at", "community_id", "at"),
        Index("ix_merger_resident_id", "resident_id", postgresql_where=text("resident_id IS NOT NULL")),
        Index("ix_merger_household_id", "household_id", postgresql_where=text("household_id IS NOT NULL")),
        Index("ix_merger_gone_id", "gone_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: which stayed; with it this goes too
    resident_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id", ondelete="CASCADE"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    #: the id that went
    gone_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: the names of the fields that were taken from the record that went
    taken: Mapped[list[str]] = mapped_column(ARRAY(String))
    #: both records before, and what was moved, as JSON; forgotten once it cannot be taken back any more
    memory: Mapped[str | None] = mapped_column(Memory)
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))

    @property
    def kind(self) -> Kind:
        """What was merged."""
        return Kind.RESIDENT if self.resident_id else Kind.HOUSEHOLD

    @property
    def kept_id(self) -> int:
        """The id that stayed."""
        kept_id = self.resident_id or self.household_id
        assert kept_id is not None
        return kept_id
