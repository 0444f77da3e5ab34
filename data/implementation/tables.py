"""The table of implementation reports: a period, what was counted for it, and the text that is sent."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from data.base import access, db, texts
from data.base.errors import NotFound
from data.base.language import _


class ReportNotFound(NotFound):
    """There is no such report, or its community is outside the actor's area."""


class Part(StrEnum):
    """The parts of a report, in its order; each is a column of its own."""

    OPENING = "opening"
    POSTS = "posts"
    ARCHIVES = "archives"
    VISITS = "visits"
    SERVICES = "services"
    PROBLEMS = "problems"
    CLOSING = "closing"


def part_names() -> dict[str, str]:
    """The parts of a report."""
    return {
        Part.OPENING: _("Opening"),
        Part.POSTS: _("Part one: people, posts, duties"),
        Part.ARCHIVES: _("Part two: archives of households"),
        Part.VISITS: _("Part three: visits and what was said"),
        Part.SERVICES: _("Part four: services"),
        Part.PROBLEMS: _("Part five: problems"),
        Part.CLOSING: _("Closing"),
    }


class ImplementationReport(db.Dated, db.Table):
    """A report of a community on a period: what was counted, and the text, which people edit."""

    __tablename__ = "implementation_report"
    __read__ = "household.read"
    __table_args__ = (
        CheckConstraint("first_on <= last_on", name="days"),
        Index("ix_implementation_report_community_id_first_on", "community_id", "first_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    first_on: Mapped[date]
    #: the last day, included
    last_on: Mapped[date]
    #: what was counted, as ``counting.count`` gives it
    figures: Mapped[dict[str, Any]] = mapped_column(JSONB)
    counted_at: Mapped[datetime]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    opening: Mapped[texts.Long | None]
    posts: Mapped[texts.Long | None]
    archives: Mapped[texts.Long | None]
    visits: Mapped[texts.Long | None]
    services: Mapped[texts.Long | None]
    problems: Mapped[texts.Long | None]
    closing: Mapped[texts.Long | None]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A report tells of a whole community, and is for those who have it whole."""
        return access.in_area(area, cls.community_id)


db.sentences["ck_implementation_report_days"] = "The last day is the first, or later."
