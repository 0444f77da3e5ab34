"""The weeks of the diary: who answers for a subject in a community, and what they took over (与业务对口专干交接).

What a week comes to is computed as it is read. What is kept is that the line officer took it over: who, when, and how
many entries there were; those that a phone sends later are shown as having come since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, cast, func, select
from sqlalchemy.orm import Session
from sqlalchemy.types import Date

from data import accounts, teams, units
from data.base import access, settings
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid
from data.base.language import _
from data.diary import finding
from data.diary.tables import DiaryEntry, DiaryHandover, DiaryOfficer, Standing, Subject
from data.teams import LineOfficer

#: So many weeks, this one included, wait for their officers; what is older is history.
WEEKS = 5


@dataclass(frozen=True)
class Week:
    """What was said about a subject in the week from a Monday on, and whether its officer took it over.

    Attributes
    ----------
    entries, open
        How many there are, and how many of them are still to be solved.
    officer, account_id
        The line officer who answers for the subject today, if anybody, and the account of theirs, if any.
    confirmed_at, confirmed_by
        When it was taken over, and by whom.
    since
        How many entries came after that.
    """

    community_id: int
    week_on: date
    subject: str
    entries: int
    open: int
    account_id: int | None
    officer: str | None
    confirmed_at: datetime | None
    confirmed_by: str | None
    since: int

    @property
    def waits(self) -> bool:
        """Whether there is something that was not taken over."""
        return self.confirmed_at is None or self.since > 0


def week_of(day: date) -> date:
    """The Monday of a day's week.

    >>> week_of(date(2026, 3, 18)).isoformat()
    '2026-03-16'
    """
    return day - timedelta(days=day.weekday())


def officers(session: Session, actor: Actor, community_id: int) -> dict[str, Row[Any]]:
    """Subject → ``officer_id account_id name`` of its line officer in a community today."""
    query: Rows = (
        select(DiaryOfficer.subject, DiaryOfficer.officer_id, LineOfficer.account_id, LineOfficer.name)
        .join(LineOfficer, LineOfficer.id == DiaryOfficer.officer_id)
        .where(DiaryOfficer.community_id == community_id, LineOfficer.holds())
    )
    return {row.subject: row for row in session.execute(access.visible(query, actor, DiaryOfficer))}


def name_officer(
    session: Session, actor: Actor, *, community_id: int, subject: Subject, officer_id: int | None
) -> None:
    """Say which line officer answers for a subject in a community; ``None``: nobody.

    Raises
    ------
    NotFound, Forbidden
    Invalid
        The line officer is of another community.
    """
    access.require(actor, "visit.edit", community_id)
    here = DiaryOfficer.community_id == community_id
    known = session.scalar(select(DiaryOfficer).where(here, DiaryOfficer.subject == subject))
    if officer_id is not None and teams.officer(session, actor, officer_id).community_id != community_id:
        raise Invalid(_("This line officer is of another community."), field="body.officer_id")
    if officer_id is None and known is not None:
        session.delete(known)
    elif officer_id is not None and known is None:
        session.add(DiaryOfficer(community_id=community_id, subject=subject, officer_id=officer_id))
    elif officer_id is not None and known is not None:
        known.officer_id = officer_id
    session.flush()


def weeks(
    session: Session,
    actor: Actor,
    *,
    community_id: int | None = None,
    first: date | None = None,
    last: date | None = None,
    account_id: int | None = None,
) -> list[Week]:
    """The weeks in which something was said, by subject, the latest first, as far as the actor sees the entries.

    Parameters
    ----------
    first, last
        Days of the first and the last of the weeks; left out, the last ``WEEKS``.
    account_id
        Only the subjects for which this account answers.
    """
    last = week_of(last or settings.today())
    first = week_of(first) if first else last - timedelta(weeks=WEEKS - 1)
    monday = cast(func.date_trunc("week", func.timezone(settings.get().timezone, DiaryEntry.at)), Date)
    open_ = func.count().filter(finding.STANDING == Standing.OPEN)
    query: Rows = select(
        DiaryEntry.community_id,
        monday.label("week_on"),
        DiaryEntry.subject,
        func.count().label("entries"),
        open_.label("open"),
    ).select_from(DiaryEntry)
    wanted = finding.Filter(first=first, last=last + timedelta(days=6))
    query = finding.narrowed(finding.joined(query), actor, wanted)
    query = query.group_by(DiaryEntry.community_id, monday, DiaryEntry.subject)
    if community_id is not None:
        query = query.where(DiaryEntry.community_id == community_id)
    said = query.subquery()
    taken = accounts.Account.__table__.alias("taken")
    joined: Rows = (
        select(
            said,
            LineOfficer.account_id,
            LineOfficer.name.label("officer"),
            DiaryHandover.at.label("confirmed_at"),
            taken.c.name.label("confirmed_by"),
            func.greatest(said.c.entries - func.coalesce(DiaryHandover.entries, said.c.entries), 0).label("since"),
        )
        .outerjoin(
            DiaryOfficer,
            (DiaryOfficer.community_id == said.c.community_id) & (DiaryOfficer.subject == said.c.subject),
        )
        .outerjoin(LineOfficer, (LineOfficer.id == DiaryOfficer.officer_id) & LineOfficer.holds())
        .outerjoin(
            DiaryHandover,
            (DiaryHandover.community_id == said.c.community_id)
            & (DiaryHandover.subject == said.c.subject)
            & (DiaryHandover.week_on == said.c.week_on),
        )
        .outerjoin(taken, taken.c.id == DiaryHandover.account_id)
    )
    if account_id is not None:
        joined = joined.where(LineOfficer.account_id == account_id)
    order = list(Subject)
    rows = session.execute(joined.order_by(said.c.week_on.desc(), said.c.community_id)).all()
    return sorted(
        (Week(**row._mapping) for row in rows),
        key=lambda week: (-week.week_on.toordinal(), order.index(Subject(week.subject))),
    )


def to_take_over(session: Session, actor: Actor) -> Sequence[Week]:
    """The weeks that are over, of subjects for which the actor answers, that wait to be taken over."""
    if actor.account_id is None or not actor.may(DiaryEntry.__read__):
        return []
    this = week_of(settings.today())
    ended = weeks(session, actor, last=this - timedelta(days=1), account_id=actor.account_id)
    return [week for week in ended if week.waits]


def confirm(session: Session, actor: Actor, *, community_id: int, subject: Subject, week_on: date) -> DiaryHandover:
    """Take the week of a subject over: who did, when, and how many entries there were is kept.

    Raises
    ------
    NotFound, Forbidden
        Somebody else answers for it.
    Invalid
        It is no Monday, or lies ahead.
    Conflict
        Nothing was said about the subject in this week.
    """
    units.community(session, actor, community_id)
    named = officers(session, actor, community_id).get(subject)
    if named is None or named.account_id != actor.account_id:
        access.require(actor, "visit.edit", community_id)
    access.require(actor, DiaryEntry.__read__, community_id)
    if week_on != week_of(week_on) or week_on > settings.today():
        raise Invalid(_("A week is named by its Monday, and has begun."), field="body.week_on")
    said = [
        week
        for week in weeks(session, actor, community_id=community_id, first=week_on, last=week_on)
        if week.subject == subject
    ]
    if not said:
        raise Conflict(_("Nothing was said about this in that week."))
    values = {"entries": said[0].entries, "account_id": actor.account_id, "at": datetime.now(UTC)}
    key = {"community_id": community_id, "subject": subject, "week_on": week_on}
    handover = session.scalar(select(DiaryHandover).filter_by(**key))
    if handover is None:
        handover = DiaryHandover(**key, **values)
        session.add(handover)
    else:
        for name, value in values.items():
            setattr(handover, name, value)
    session.flush()
    return handover
