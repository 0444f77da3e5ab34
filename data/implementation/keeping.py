"""Reports are drafted from the records, edited by people, and kept with what was counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from data import units
from data.base import access
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.implementation import counting, prose
from data.implementation.tables import ImplementationReport, Part, ReportNotFound

#: A report tells of so many days at most.
MOST_DAYS = 3_660


def listed(session: Session, actor: Actor, community: str | None = None) -> Sequence[ImplementationReport]:
    """The reports of the community with this code, or of all that the actor may see whole; the latest period first."""
    query: Rows = select(ImplementationReport)
    if community is not None:
        of_code = select(units.Unit.id).where(units.Unit.code == community).scalar_subquery()
        query = query.where(ImplementationReport.community_id == of_code)
    query = query.order_by(ImplementationReport.last_on.desc(), ImplementationReport.id.desc())
    return session.scalars(access.visible(query, actor, ImplementationReport)).all()


def get(session: Session, actor: Actor, report_id: int) -> ImplementationReport:
    """The report with this id.

    Raises
    ------
    ReportNotFound
    """
    query = select(ImplementationReport).where(ImplementationReport.id == report_id)
    report = session.scalar(access.visible(query, actor, ImplementationReport))
    if report is None:
        raise ReportNotFound(_("Not found, or outside your area."))
    return report


def draft(
    session: Session, actor: Actor, *, community_id: int, first_on: date, last_on: date, keep: bool = True
) -> ImplementationReport:
    """A report of a community, counted and written now.

    Parameters
    ----------
    first_on, last_on
        The days it tells of, both included.
    keep
        Whether it goes into the database.

    Raises
    ------
    Forbidden
    Invalid
        The last day lies before the first, or too far behind it.
    """
    access.require(actor, "visit.edit", community_id)
    access.require(actor, ImplementationReport.__read__, community_id)
    if not 0 <= (last_on - first_on).days < MOST_DAYS:
        raise Invalid(
            _(
                "The days from {first} to {last} are none, or more than {most}.",
                first=first_on,
                last=last_on,
                most=MOST_DAYS,
            ),
            field="body.last_on",
        )
    report = ImplementationReport(
        community_id=community_id, first_on=first_on, last_on=last_on, account_id=actor.account_id
    )
    _write(session, actor, report)
    if keep:
        session.add(report)
        session.flush()
    return report


def renew(session: Session, actor: Actor, report: ImplementationReport) -> ImplementationReport:
    """Count and write a report anew; the text that was edited is lost."""
    access.require(actor, "visit.edit", report.community_id)
    _write(session, actor, report)
    session.flush()
    return report


def _write(session: Session, actor: Actor, report: ImplementationReport) -> None:
    community = units.get(session, actor, report.community_id)
    report.figures = counting.count(session, actor, community, report.first_on, report.last_on)
    report.counted_at = datetime.now(UTC)
    for part, text in prose.written(report.figures).items():
        setattr(report, part, text)


def change(
    session: Session, actor: Actor, report: ImplementationReport, texts: Mapping[str, str | None]
) -> ImplementationReport:
    """Change the text of parts; what was counted stays."""
    access.require(actor, "visit.edit", report.community_id)
    for part in Part:
        if part in texts:
            setattr(report, part, texts[part])
    session.flush()
    return report


def remove(session: Session, actor: Actor, report: ImplementationReport) -> None:
    """Remove a report."""
    access.require(actor, "visit.edit", report.community_id)
    session.delete(report)
    session.flush()
