"""The tables of visits 走访 and phone visits 电话随访, and of the rhythm in which households are due."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, SmallInteger, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.households import Household

#: More months than these are no rhythm any more.
MOST_MONTHS = 60


class VisitNotFound(NotFound):
    """There is no such visit, or its household is outside the actor's area."""


class RhythmNotFound(NotFound):
    """There is no such rhythm."""


class NotYet(Invalid):
    """The visit lies in the future, or before anybody kept records."""


class Manner(StrEnum):
    """How a household is spoken to."""

    VISIT = "visit"
    CALL = "call"


class Outcome(StrEnum):
    """What came of it. Only who was met was visited; the others are tries."""

    MET = "met"
    NOBODY = "nobody"
    DECLINED = "declined"


class Who(StrEnum):
    """Whom a rhythm is for, beside single special groups: households of none, and those of any."""

    ORDINARY = "ordinary"
    SPECIAL = "special"


def manner_names() -> dict[str, str]:
    """How a household is spoken to."""
    return {Manner.VISIT: _("Visit"), Manner.CALL: _("Phone visit")}


def outcome_names() -> dict[str, str]:
    """What comes of a visit."""
    return {Outcome.MET: _("Met"), Outcome.NOBODY: _("Nobody home"), Outcome.DECLINED: _("Not a good moment")}


def came_of(manner: str, outcome: str) -> str:
    """A visit and what came of it, in words: a call is answered or not, where a door is opened or not."""
    what = call_outcome_names() if manner == Manner.CALL else outcome_names()
    return f"{manner_names()[manner]} · {what[outcome]}"


def call_outcome_names() -> dict[str, str]:
    """What comes of a call."""
    return {Outcome.MET: _("Reached"), Outcome.NOBODY: _("No answer"), Outcome.DECLINED: _("Not a good moment")}


def who_names() -> dict[str, str]:
    """Whom a rhythm is for, beside single special groups."""
    return {Who.ORDINARY: _("Ordinary households"), Who.SPECIAL: _("Special households")}


class VisitRhythm(db.Table):
    """How often households are visited or called; what a community says holds there instead of what holds for all."""

    __tablename__ = "visit_rhythm"
    __read__ = "unit.read"
    __table_args__ = (
        UniqueConstraint("community_id", "who", "manner", postgresql_nulls_not_distinct=True),
        CheckConstraint("manner IN ('visit', 'call')", name="manner"),
        CheckConstraint(f"every_months BETWEEN 0 AND {MOST_MONTHS}", name="every_months"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: empty for all communities
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"))
    #: a ``Who``, or the code of a special group
    who: Mapped[str]
    manner: Mapped[str]
    #: 0: not asked
    every_months: Mapped[int] = mapped_column(SmallInteger)

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """What holds for all is everybody's; the rest belongs to its community."""
        return cls.community_id.is_(None) | access.in_area(area, cls.community_id)


class Visit(db.Table):
    """Somebody went to a household, or called it. What was said is an entry of the diary (``data.diary``)."""

    __tablename__ = "visit"
    __read__ = "household.read"
    __table_args__ = (
        UniqueConstraint("uuid"),
        CheckConstraint("manner IN ('visit', 'call')", name="manner"),
        CheckConstraint("outcome IN ('met', 'nobody', 'declined')", name="outcome"),
        CheckConstraint("outcome = 'met' OR resident_id IS NULL", name="met"),
        Index("ix_visit_household_id_at", "household_id", "at"),
        Index("ix_visit_community_id_at", "community_id", "at"),
        Index("ix_visit_resident_id", "resident_id", postgresql_where=text("resident_id IS NOT NULL")),
        Index("ix_visit_incident_id", "incident_id", postgresql_where=text("incident_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Whoever records it makes it up, so that what is sent twice is one visit.
    uuid: Mapped[UUID]
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    #: the grid in which the household lay then, whose visit it stays
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    manner: Mapped[str]
    outcome: Mapped[str]
    at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: who was met, where that was asked
    resident_id: Mapped[int | None] = mapped_column(ForeignKey("resident.id", ondelete="SET NULL"))
    #: A service card 便民服务卡 was handed out.
    card: Mapped[bool] = mapped_column(server_default=text("false"))
    #: what they asked for
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id", ondelete="SET NULL"))
    recorded_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A visit is seen by whoever sees its household."""
        inside = access.in_area(area, cls.community_id)
        if not area.single:
            return inside
        return inside | cls.household_id.in_(select(Household.id).where(Household.within(area)))


db.sentences["uq_visit_uuid"] = "This visit was recorded already."
db.sentences["uq_visit_rhythm_community_id_who_manner"] = "There is already a rhythm for these households."
