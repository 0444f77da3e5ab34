"""The tables of the diary 民情日记: entries, who answers for a subject, and the weeks that were handed over."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Integer, UniqueConstraint, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from data import units
from data.base import access, db
from data.base.errors import Invalid, NotFound
from data.base.secrets import Encrypted
from data.buildings import Building
from data.households import Household


class EntryNotFound(NotFound):
    """There is no such entry, or it is outside the actor's area."""


class NotYet(Invalid):
    """The entry lies in the future, or before anybody kept records."""


class Subject(StrEnum):
    """What an entry is about: a field of business 业务, for which a line officer may answer."""

    PETITION = "petition"
    FAMILY_PLANNING = "family_planning"
    LOW_INCOME = "low_income"
    CIVIL_AFFAIRS = "civil_affairs"
    CIVILITY = "civility"
    SAFETY = "safety"
    ORDER = "order"
    UTILITIES = "utilities"
    ENVIRONMENT = "environment"
    HUKOU = "hukou"
    INSURANCE = "insurance"
    JOBS = "jobs"
    HOUSING = "housing"
    NEIGHBOURS = "neighbours"
    OTHER = "other"


class Standing(StrEnum):
    """How an entry stands: it is to be solved, was solved and struck off 注销, or is only good to know."""

    OPEN = "open"
    STRUCK = "struck"
    NOTED = "noted"


def _listed(words: type[StrEnum]) -> str:
    return ", ".join(f"'{word.value}'" for word in words)


class DiaryEntry(db.Dated, db.Table):
    """What somebody said, or what was seen."""

    __tablename__ = "diary_entry"
    __read__ = "household.read"
    __table_args__ = (
        UniqueConstraint("uuid"),
        UniqueConstraint("visit_id"),
        CheckConstraint(f"subject IN ({_listed(Subject)})", name="subject"),
        CheckConstraint("struck_at IS NOT NULL OR (struck_by_id IS NULL AND answer IS NULL)", name="struck"),
        CheckConstraint("asks OR struck_at IS NULL", name="asks"),
        Index("ix_diary_entry_community_id_at", "community_id", "at"),
        Index("ix_diary_entry_grid_id_at", "grid_id", "at"),
        Index("ix_diary_entry_grams", "grams", postgresql_using="gin"),
        Index("ix_diary_entry_household_id", "household_id", postgresql_where=text("household_id IS NOT NULL")),
        Index("ix_diary_entry_building_id", "building_id", postgresql_where=text("building_id IS NOT NULL")),
        Index("ix_diary_entry_incident_id", "incident_id", postgresql_where=text("incident_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Whoever writes it makes it up, so that what is sent twice is one entry.
    uuid: Mapped[UUID]
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: the grid in which its place lay then
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    building_id: Mapped[int | None] = mapped_column(ForeignKey("building.id", ondelete="SET NULL"))
    #: the visit during which it was said, with which it goes
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id", ondelete="CASCADE"))
    #: the case that was made of it, with which it is struck off
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id", ondelete="SET NULL"))
    subject: Mapped[str]
    #: the words, encrypted
    said: Mapped[str] = mapped_column(Encrypted)
    #: the blind index by which the words are searched
    grams: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: whether it is to be solved; else it is only good to know
    asks: Mapped[bool] = mapped_column(server_default=text("true"))
    #: when it was struck off by hand
    struck_at: Mapped[datetime | None]
    struck_by_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: what was done about it, encrypted
    answer: Mapped[str | None] = mapped_column(Encrypted)
    #: where it is, if that is neither a household nor a building
    geom: Mapped[WKBElement | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """Of a household, an entry is seen by whoever sees that; else by whoever has the grid, or its building's."""
        inside = access.in_area(area, cls.community_id)
        if not area.single:
            return inside
        grids = sorted(area.single)
        homes = select(Household.id).where(Household.within(area))
        near = select(Building.id).where(Building.grid_id.in_(grids))
        return or_(
            inside,
            cls.household_id.in_(homes),
            cls.household_id.is_(None) & or_(cls.grid_id.in_(grids), cls.building_id.in_(near)),
        )


class _OfCommunity(db.Table):
    """What is arranged for a whole community; whoever has a grid of it may see it."""

    __abstract__ = True
    __read__ = "household.read"

    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """It belongs to its community; whoever has a grid of it takes part."""
        of_grids = select(units.Unit.community_id).where(units.Unit.id.in_(sorted(area.single)))
        return access.in_area(area, cls.community_id) | cls.community_id.in_(of_grids)


class DiaryOfficer(_OfCommunity):
    """Which of a community's line officers 对口专干 (``data.teams``) answers for a subject."""

    __tablename__ = "diary_officer"
    __table_args__ = (
        UniqueConstraint("community_id", "subject"),
        CheckConstraint(f"subject IN ({_listed(Subject)})", name="subject"),
        Index("ix_diary_officer_officer_id", "officer_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    officer_id: Mapped[int] = mapped_column(ForeignKey("line_officer.id", ondelete="CASCADE"))


class DiaryHandover(_OfCommunity):
    """A week of a subject that its line officer took over."""

    __tablename__ = "diary_handover"
    __table_args__ = (
        UniqueConstraint("community_id", "subject", "week_on"),
        CheckConstraint(f"subject IN ({_listed(Subject)})", name="subject"),
        CheckConstraint("extract(isodow from week_on) = 1", name="week_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    #: its Monday
    week_on: Mapped[date]
    #: how many entries there were then; what is written later about the week is seen by it
    entries: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]


db.sentences["uq_diary_entry_uuid"] = "This entry was written already."
db.sentences["uq_diary_entry_visit_id"] = "What was said during this visit is an entry already."
