"""The calendars of units as records: their week, their exceptions, and how a community inherits them.

What holds in a community is read down the tree: the days of everybody (nationwide holidays), then those of its
district, its street and its own. Of two rows for one day the one of the lower unit holds, and so does the week of the
lowest unit that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, SmallInteger, delete, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import units
from data.base import access, changes, db, reference, settings
from data.base.access import Actor
from data.base.errors import Conflict, Forbidden, Invalid
from data.base.language import _, current
from data.calendars.days import CLOSES_MIN, DAY_MINUTES, OPENS_MIN, WEEKEND, Calendar, NoWorkingDay

NAME_MOST = 60


class CalendarWeek(db.Dated, db.Table):
    """The week of a unit: its days off, and when work begins and ends."""

    __tablename__ = "calendar_week"
    __table_args__ = (
        CheckConstraint("opens_min >= 0 AND opens_min < closes_min AND closes_min <= 1440", name="hours"),
        CheckConstraint("cardinality(days_off) < 7 AND days_off <@ '{1,2,3,4,5,6,7}'", name="days_off"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"), unique=True)
    #: ISO weekdays, 1 is Monday
    days_off: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    opens_min: Mapped[int] = mapped_column(SmallInteger)
    closes_min: Mapped[int] = mapped_column(SmallInteger)


class CalendarDay(db.Dated, db.Table):
    """A day that is not as the week has it: a holiday, or a working day that makes up for one (调休)."""

    __tablename__ = "calendar_day"
    __table_args__ = (
        Index("uq_calendar_day_unit_id_day", "unit_id", "day", unique=True),
        Index("uq_calendar_day_day", "day", unique=True, postgresql_where=text("unit_id IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: empty for everybody
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id", ondelete="CASCADE"))
    day: Mapped[date]
    works: Mapped[bool]
    name: Mapped[str]


@dataclass(frozen=True)
class Named:
    """A day of a calendar that is not as the week has it, and whose row says so."""

    day: date
    works: bool
    name: str
    unit_id: int | None


_calendars = changes.Kept[Calendar](CalendarWeek, CalendarDay, units.Unit)


def of(session: Session, unit_id: int | None) -> Calendar:
    """The calendar that holds in a unit; of ``None`` the one that holds where no unit has its own.

    It is kept until a calendar changes, so that a limit costs no query.
    """
    timezone = settings.get().timezone
    return _calendars.get(session, (unit_id, timezone), lambda: _made(session, unit_id, timezone))


def _made(session: Session, unit_id: int | None, timezone: str) -> Calendar:
    week = next(iter(reversed(weeks(session, unit_id))), None)
    return Calendar(
        ZoneInfo(timezone),
        frozenset(week.days_off) if week else WEEKEND,
        {one.day: one.works for one in days(session, unit_id)},
        week.opens_min if week else OPENS_MIN,
        week.closes_min if week else CLOSES_MIN,
    )


def due(session: Session, community_id: int, at: datetime, working_days: int) -> datetime:
    """When a limit of so many working days ends in a community that began at ``at`` (UTC); see ``Calendar.due``.

    Raises
    ------
    Conflict
        The calendar has no working day for more than a year.
    """
    try:
        return of(session, community_id).due(at, working_days)
    except NoWorkingDay:
        raise Conflict(_("The calendar has no working day for more than a year. Mend it first.")) from None


def _path(session: Session, unit_id: int | None) -> list[int]:
    return list(session.scalar(select(units.Unit.path).where(units.Unit.id == unit_id)) or []) if unit_id else []


def weeks(session: Session, unit_id: int | None) -> list[CalendarWeek]:
    """The weeks of a unit and those above it, from the top; the last one holds."""
    path = _path(session, unit_id)
    found = session.scalars(select(CalendarWeek).where(CalendarWeek.unit_id.in_(path))) if path else ()
    return sorted(found, key=lambda week: path.index(week.unit_id))


def days(session: Session, unit_id: int | None, year: int | None = None) -> list[Named]:
    """The exceptions that hold in a unit, by day, each with the unit whose row it is; of one year if asked for."""
    path = _path(session, unit_id)
    query = select(CalendarDay).where(CalendarDay.unit_id.is_(None) | CalendarDay.unit_id.in_(path))
    if year:
        query = query.where(CalendarDay.day.between(date(year, 1, 1), date(year, 12, 31)))
    found: dict[date, Named] = {}
    for row in sorted(session.scalars(query), key=lambda row: path.index(row.unit_id) if row.unit_id else -1):
        found[row.day] = Named(row.day, row.works, row.name, row.unit_id)
    return [found[day] for day in sorted(found)]


def name_of(day: date, name: str) -> str:
    """The name of an exception; those that came with the program are known in English too."""
    if current() == "en" and reference.labels("holidays").get(day.isoformat()) == name:
        return reference.labels("holidays", "en")[day.isoformat()]
    return name


def years(session: Session, unit_id: int | None) -> list[int]:
    """The years of which holidays are known; of any other only the week is."""
    return sorted({one.day.year for one in days(session, unit_id)})


def may_edit(session: Session, actor: Actor, unit: units.Unit | None) -> bool:
    """Whether ``actor`` may edit the calendar of a unit: has ``unit.edit`` in every community of it."""
    area = actor.area("unit.edit")
    if area.everywhere or unit is None:
        return area.everywhere
    if unit.community_id is not None:
        return area.covers(unit.community_id)
    below = select(units.Unit.id).where(units.Unit.level == units.Level.COMMUNITY, units.Unit.path.contains([unit.id]))
    communities = set(session.scalars(below))
    return bool(communities) and communities <= area.communities


#: What is done when the calendar of a unit (``None``: of everybody) has changed; see ``when_changed``.
_followers: list[Callable[[Session, units.Unit | None], None]] = []


def when_changed(follow: Callable[[Session, units.Unit | None], None]) -> None:
    """Have something done within each transaction that changes the calendar of a unit (``None``: of everybody)."""
    if follow not in _followers:
        _followers.append(follow)


def _changed(session: Session, unit: units.Unit | None) -> None:
    session.flush()
    for follow in _followers:
        follow(session, unit)


def _require_edit(session: Session, actor: Actor, unit: units.Unit | None) -> None:
    access.require(actor, "unit.edit")
    if unit is not None and unit.level == units.Level.GRID:
        raise Invalid(_("A grid has the calendar of its community."), field="unit_id")
    if not may_edit(session, actor, unit):
        if unit is not None and unit.community_id is not None:
            access.require(actor, "unit.edit", unit.community_id)
        raise Forbidden(_("A calendar is changed by somebody who manages all communities it holds in."))


def set_days(session: Session, actor: Actor, unit: units.Unit | None, wanted: Iterable[tuple[date, bool, str]]) -> int:
    """Write exceptions of a unit (``None``: of everybody): day, whether it is worked, name. Returns how many.

    A day that the unit has already is replaced.
    """
    _require_edit(session, actor, unit)
    rows = {
        day: {"unit_id": unit.id if unit else None, "day": day, "works": works, "name": name.strip()[:NAME_MOST]}
        for day, works, name in wanted
    }
    held = _own(unit)
    known = {row.day: row for row in session.scalars(select(CalendarDay).where(held, CalendarDay.day.in_(rows)))}
    for day, row in rows.items():
        if found := known.get(day):
            found.works, found.name = bool(row["works"]), str(row["name"])
        else:
            session.add(CalendarDay(**row))
    _changed(session, unit)
    return len(rows)


def remove_days(session: Session, actor: Actor, unit: units.Unit | None, first: date, last: date) -> int:
    """Remove exceptions of a unit from a day to a day; then what lies above, or the week, holds. Returns how many."""
    _require_edit(session, actor, unit)
    found = session.scalars(select(CalendarDay).where(_own(unit), CalendarDay.day.between(first, last))).all()
    for row in found:
        session.delete(row)
    _changed(session, unit)
    return len(found)


def _own(unit: units.Unit | None) -> ColumnElement[bool]:
    return CalendarDay.unit_id.is_(None) if unit is None else CalendarDay.unit_id == unit.id


def set_week(
    session: Session, actor: Actor, unit: units.Unit, *, days_off: Iterable[int], opens_min: int, closes_min: int
) -> None:
    """Give a unit a week of its own: ISO weekdays off, opening and closing in minutes after midnight.

    Raises
    ------
    Invalid
        No day is left, or work ends before it begins.
    """
    _require_edit(session, actor, unit)
    off = sorted(set(days_off))
    if len(off) > 6 or not set(off) <= set(range(1, 8)):
        raise Invalid(_("At least one day of the week has to be a working day."), field="days_off")
    if not 0 <= opens_min < closes_min <= DAY_MINUTES:
        raise Invalid(_("Work has to end after it begins."), field="closes")
    values = {"days_off": off, "opens_min": opens_min, "closes_min": closes_min}
    found = session.scalar(select(CalendarWeek).where(CalendarWeek.unit_id == unit.id))
    if found is None:
        session.add(CalendarWeek(unit_id=unit.id, **values))
    else:
        for name, value in values.items():
            setattr(found, name, value)
    _changed(session, unit)


def inherit_week(session: Session, actor: Actor, unit: units.Unit) -> None:
    """Take its own week from a unit; then that of the unit above holds."""
    _require_edit(session, actor, unit)
    session.execute(delete(CalendarWeek).where(CalendarWeek.unit_id == unit.id))
    _changed(session, unit)
