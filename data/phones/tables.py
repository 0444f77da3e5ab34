"""The tables of phones 手机: which households each took along, and what came of each record that it sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ColumnElement, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, audit, db, texts
from data.base.errors import Conflict, NotFound
from data.base.secrets import Encrypted
from data.households import Household


class PhoneNotFound(NotFound):
    """There is no such phone, or it is somebody else's."""


class PhoneLost(Conflict):
    """The phone was reported lost: it gets nothing more, and forgets what it has."""


#: Characters of a whole record as JSON: its texts, a request and the facts.
MOST_CHARACTERS = 40_000


class Whole(Encrypted):
    """A whole record, encrypted."""

    cache_ok = True
    most = MOST_CHARACTERS


class RecordState(StrEnum):
    """What came of a record that a phone sent."""

    DONE = "done"
    #: It counts, but something that it changes was changed meanwhile by somebody else.
    DIFFERS = "differs"
    REFUSED = "refused"
    DROPPED = "dropped"


class Choice(StrEnum):
    """Which of two values stays: the one that was there, or the one from the phone."""

    THEIRS = "theirs"
    PHONES = "phones"


class Phone(db.Table):
    """A phone on which somebody works without a network.

    When it took something along is no matter of the audit, which would tell when somebody worked.
    """

    __tablename__ = "phone"
    __read__ = "visit.edit"
    __table_args__ = (UniqueConstraint("uuid"), Index("ix_phone_community_id", "community_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    #: The phone makes it up, one for each account.
    uuid: Mapped[UUID]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: what its walker was allowed to do when it took households along: codes of permissions
    may: Mapped[list[str]] = mapped_column(ARRAY(String), info={audit.UNRECORDED: True})
    #: with which it encrypts what it keeps, and what is handed in as a file: 32 bytes as hex
    key: Mapped[str] = mapped_column(Encrypted)
    taken_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"), info={audit.UNRECORDED: True})
    #: The office says that it was lost.
    lost_at: Mapped[datetime | None]
    #: It has said that it forgot everything.
    wiped_at: Mapped[datetime | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A phone lies in the community whose households it took along."""
        return access.in_area(area, cls.community_id)


class PhoneHousehold(db.Table):
    """A phone took a household along: what is recorded of it counts, whatever became of boundaries and rights since."""

    __tablename__ = "phone_household"
    __told__ = False
    __audited__ = False

    phone_id: Mapped[int] = mapped_column(ForeignKey("phone.id", ondelete="CASCADE"), primary_key=True)
    household_id: Mapped[int] = mapped_column(
        ForeignKey("household.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: the last time
    taken_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class PhoneRecord(db.Table):
    """A record that a phone sent, by which it is known when it is sent again."""

    __tablename__ = "phone_record"
    __told__ = False
    __audited__ = False
    __table_args__ = (
        CheckConstraint("state IN ('done', 'differs', 'refused', 'dropped')", name="state"),
        Index("ix_phone_record_phone_id_state", "phone_id", "state"),
    )

    uuid: Mapped[UUID] = mapped_column(primary_key=True)
    phone_id: Mapped[int] = mapped_column(ForeignKey("phone.id", ondelete="CASCADE"))
    state: Mapped[str]
    #: why it was refused, as the walker was told
    reason: Mapped[texts.Long | None]
    #: all of it as JSON while it is refused, encrypted
    said: Mapped[str | None] = mapped_column(Whole)
    at: Mapped[datetime]
    sent_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


class PhoneDifference(db.Table):
    """A fact that was changed on a phone and, since the phone took it along, by somebody else: both are kept."""

    __tablename__ = "phone_difference"
    __read__ = "household.read"
    __table_args__ = (
        CheckConstraint("of IN ('household', 'resident')", name="of"),
        CheckConstraint("choice IN ('theirs', 'phones')", name="choice"),
        CheckConstraint("(choice IS NULL) = (decided_at IS NULL)", name="decided"),
        Index("ix_phone_difference_household_id", "household_id", postgresql_where=text("choice IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    record_uuid: Mapped[UUID] = mapped_column(ForeignKey("phone_record.uuid", ondelete="CASCADE"), index=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    #: ``household`` or ``resident``, and which
    of: Mapped[str]
    of_id: Mapped[int]
    field: Mapped[str]
    #: what the phone says, and who said it when
    value: Mapped[str | None] = mapped_column(Encrypted)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]
    choice: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies where its household lies."""
        inside = access.in_area(area, cls.community_id)
        if not area.single:
            return inside
        return inside | cls.household_id.in_(select(Household.id).where(Household.within(area)))


db.sentences["uq_phone_uuid"] = "This phone is known already."
