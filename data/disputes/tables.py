"""The tables of disputes 矛盾纠纷: who is in dispute and where, what was done, the calls that follow an agreement."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, or_, select, text
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db
from data.base.errors import Invalid, NotFound
from data.base.secrets import Encrypted, Personal
from data.buildings import Building


class DisputeNotFound(NotFound):
    """There is no such dispute, or it is outside the actor's area."""


class PartyNotFound(NotFound):
    """There is no such party of the dispute."""


class NotYet(Invalid):
    """It lies in the future, or before anybody kept records."""


class Kind(StrEnum):
    """What a dispute is about."""

    NOISE = "noise"
    LEAK = "leak"
    PARKING = "parking"
    PASSAGE = "passage"
    RENOVATION = "renovation"
    PETS = "pets"
    NEIGHBOURS = "neighbours"
    FAMILY = "family"
    CARE = "care"
    RENT = "rent"
    MANAGEMENT = "management"
    DEBT = "debt"
    OTHER = "other"


class Level(StrEnum):
    """Where it is mediated: in the house 楼院, by the grid 网格, by the community centre 社区服务中心."""

    BUILDING = "building"
    GRID = "grid"
    COMMUNITY = "community"


LEVELS = tuple(Level)


class Step(StrEnum):
    """Where a dispute stands."""

    REPORTED = "reported"
    MEDIATING = "mediating"
    SETTLED = "settled"
    CLOSED = "closed"
    REFERRED = "referred"
    WITHDRAWN = "withdrawn"


#: Somebody still has to do something about it, or at least to ask whether the agreement holds.
OPEN = (Step.REPORTED, Step.MEDIATING, Step.SETTLED)


class Action(StrEnum):
    """What is done about a dispute. ``REPORT`` begins it."""

    REPORT = "report"
    MEDIATE = "mediate"
    SETTLE = "settle"
    CLIMB = "climb"
    BREAK = "break"
    CLOSE = "close"
    REFER = "refer"
    WITHDRAW = "withdraw"
    REOPEN = "reopen"


def _listed(words: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


class Dispute(db.Dated, db.Table):
    """People are in dispute about something, somewhere."""

    __tablename__ = "dispute"
    __read__ = "household.read"
    __table_args__ = (
        UniqueConstraint("uuid"),
        CheckConstraint(f"kind IN ({_listed(Kind)})", name="kind"),
        CheckConstraint(f"level IN ({_listed(Level)})", name="level"),
        CheckConstraint(f"step IN ({_listed(Step)})", name="step"),
        Index("ix_dispute_community_id_reported_at", "community_id", "reported_at"),
        Index("ix_dispute_grid_id", "grid_id"),
        Index("ix_dispute_building_id", "building_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Whoever reports it makes it up, so that what is sent twice is one dispute.
    uuid: Mapped[UUID]
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: the grid in which its building lay when it was reported
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    building_id: Mapped[int] = mapped_column(ForeignKey("building.id"))
    kind: Mapped[str]
    #: what it is about, encrypted
    story: Mapped[str | None] = mapped_column(Encrypted)
    level: Mapped[str] = mapped_column(server_default=Level.BUILDING)
    #: Only ``workflow`` writes it.
    step: Mapped[str] = mapped_column(server_default=Step.REPORTED)
    reported_at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: what they agreed upon, encrypted
    agreement: Mapped[str | None] = mapped_column(Encrypted)
    settled_at: Mapped[datetime | None]
    #: when there was nothing more to do about it
    ended_at: Mapped[datetime | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A dispute lies in its grid, and where its building lies today."""
        inside = access.in_area(area, cls.community_id, cls.grid_id)
        if not area.single:
            return inside
        return or_(inside, cls.building_id.in_(select(Building.id).where(Building.grid_id.in_(sorted(area.single)))))


class _OfDispute(db.Table):
    """What belongs to a dispute, and is seen with it."""

    __abstract__ = True
    __read__ = "household.read"

    dispute_id: Mapped[int] = mapped_column(ForeignKey("dispute.id", ondelete="CASCADE"))
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It lies where its dispute lies."""
        return cls.dispute_id.in_(select(Dispute.id).where(Dispute.within(area)))


class DisputeParty(_OfDispute):
    """Somebody who is in dispute; a member of a household, or anybody else."""

    __tablename__ = "dispute_party"
    __table_args__ = (
        Index("ix_dispute_party_dispute_id", "dispute_id"),
        Index("ix_dispute_party_household_id", "household_id", postgresql_where=text("household_id IS NOT NULL")),
        Index("ix_dispute_party_phone_index", "phone_index", postgresql_where=text("phone_index IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(Personal)
    phone: Mapped[str | None] = mapped_column(Encrypted)
    #: the blind index of the phone
    phone_index: Mapped[bytes | None]


class DisputeStep(_OfDispute):
    """Something that was done about a dispute, and how it stood afterwards. Rows are only ever added."""

    __tablename__ = "dispute_step"
    __audited__ = False
    __table_args__ = (
        CheckConstraint(f"action IN ({_listed(Action)})", name="action"),
        CheckConstraint(f"step IN ({_listed(Step)})", name="step"),
        CheckConstraint(f"level IN ({_listed(Level)})", name="level"),
        Index("ix_dispute_step_dispute_id_at", "dispute_id", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str]
    step: Mapped[str]
    level: Mapped[str]
    at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: who mediated, of a session: names of staff and of the building's warden
    mediators: Mapped[str | None]
    #: what was said, encrypted
    note: Mapped[str | None] = mapped_column(Encrypted)


class DisputeCall(_OfDispute):
    """Somebody is to ask on a day whether an agreement holds, and what came of it."""

    __tablename__ = "dispute_call"
    __table_args__ = (
        CheckConstraint("(done_at IS NULL) = (holds IS NULL)", name="done"),
        Index("ix_dispute_call_dispute_id", "dispute_id"),
        Index("ix_dispute_call_due_on", "due_on", postgresql_where=text("done_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    due_on: Mapped[date]
    done_at: Mapped[datetime | None]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: whether the agreement holds
    holds: Mapped[bool | None]
    #: what was said, encrypted
    note: Mapped[str | None] = mapped_column(Encrypted)


db.sentences["uq_dispute_uuid"] = "This dispute was reported already."
