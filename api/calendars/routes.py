"""The calendars of working days over HTTP: what holds in a unit, its own week and days, and what a limit comes to."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Day, Id, Input, Instant, Output
from data import calendars, units
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _

api = APIRouter(prefix="/api", tags=["calendars"])
Read = Annotated[Actor, permission("unit.read")]
Edit = Annotated[Actor, permission("unit.edit")]

_TIME = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"
Time = Annotated[str, Field(pattern=_TIME, description="24:00 is midnight at the end of the day.")]
Weekday = Annotated[int, Field(ge=1, le=7)]
DayName = Annotated[str, Field(max_length=calendars.NAME_MOST, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Week(Input):
    """The week of a unit."""

    days_off: list[Weekday] = Field(max_length=6, description="ISO weekdays: 6 is Saturday.", examples=[[6, 7]])
    opens: Time = Field(examples=["09:00"])
    closes: Time = Field(examples=["17:30"])


class DayIn(Input):
    """A day that is not as the week has it."""

    day: Day = Field(examples=["2026-10-10"])
    works: bool = Field(description="Whether it is worked: 班, not 休.", examples=[True])
    name: DayName = Field("", examples=["国庆节调休上班"])


class DayOut(Output):
    """A day that is not as the week has it, and the unit whose calendar says so."""

    day: date = Field(examples=["2026-10-10"])
    works: bool = Field(examples=[True])
    name: str = Field(examples=["国庆节调休上班"])
    unit_id: int | None = Field(description="Empty: it holds for everybody.", examples=[None])


class CalendarOut(Output):
    """What holds in a unit."""

    timezone: str = Field(examples=["Asia/Shanghai"])
    week: Week
    week_of: int | None = Field(description="The unit whose week that is; empty: nobody has one.", examples=[None])
    days: list[DayOut]
    years: list[int] = Field(
        description="The years of which holidays are known; of others only the week is.", examples=[[2026]]
    )


class DueOut(Output):
    """What a limit comes to."""

    due_at: datetime = Field(examples=["2026-10-08T09:30:00Z"])


class OfYear(listing.Parameters):
    """Which year of a calendar is asked for."""

    year: Annotated[int | None, Query(ge=1900, le=2999, description="Days of this year only.")] = None


class OfDays(listing.Parameters):
    """Which days of a calendar are asked for."""

    first: Annotated[Day, Query(alias="from", description="From this day on.")]
    last: Annotated[Day, Query(alias="to", description="Up to this day, which is included.")]


class DueAsked(listing.Parameters):
    """Which limit is asked for."""

    working_days: Annotated[int, Query(ge=0, le=3650, description="Counted from the day after.")] = 1
    at: Annotated[Instant | None, Query(description="When it begins; default: now.")] = None


@api.get("/calendar", summary="The calendar of everybody")
def get_common_calendar(session: Session, actor: Read, asked: Annotated[OfYear, Query()]) -> CalendarOut:
    """The week and the nationwide holidays that hold where no unit has its own."""
    return _shown(session, None, asked.year)


@api.put("/calendar/days", summary="Set days of everybody")
def set_common_days(session: Session, actor: Edit, body: Annotated[list[DayIn], Field(max_length=400)]) -> CalendarOut:
    """Write nationwide holidays and the days that make up for them."""
    calendars.set_days(session, actor, None, [(one.day, one.works, one.name) for one in body])
    return _shown(session, None, None)


@api.get("/units/{unit_id}/calendar", summary="The calendar of a unit")
def get_calendar(session: Session, actor: Read, unit_id: Id, asked: Annotated[OfYear, Query()]) -> CalendarOut:
    """The week and the exceptions that hold in a unit, its own and those of the units above it."""
    return _shown(session, units.get(session, actor, unit_id).id, asked.year)


@api.put("/units/{unit_id}/calendar/days", summary="Set days of a unit")
def set_days(
    session: Session, actor: Edit, unit_id: Id, body: Annotated[list[DayIn], Field(max_length=400)]
) -> CalendarOut:
    """Write days on which a unit does not work as its week has it. Limits that were given before stay."""
    unit = units.get(session, actor, unit_id)
    calendars.set_days(session, actor, unit, [(one.day, one.works, one.name) for one in body])
    return _shown(session, unit.id, None)


@api.delete("/units/{unit_id}/calendar/days", summary="Remove days of a unit", status_code=status.HTTP_204_NO_CONTENT)
def remove_days(
    session: Session,
    actor: Edit,
    unit_id: Id,
    asked: Annotated[OfDays, Query()],
) -> None:
    """Take a unit's own exceptions away; then what lies above it, or the week, holds."""
    unit = units.get(session, actor, unit_id)
    calendars.remove_days(session, actor, unit, asked.first, asked.last)


@api.put("/units/{unit_id}/calendar/week", summary="Set the week of a unit")
def set_week(session: Session, actor: Edit, unit_id: Id, body: Week) -> CalendarOut:
    """Give a unit its own days off and hours."""
    unit = units.get(session, actor, unit_id)
    hours = {"opens_min": minutes(body.opens), "closes_min": minutes(body.closes)}
    calendars.set_week(session, actor, unit, days_off=body.days_off, **hours)
    return _shown(session, unit.id, None)


@api.delete("/units/{unit_id}/calendar/week", summary="Inherit the week", status_code=status.HTTP_204_NO_CONTENT)
def inherit_week(session: Session, actor: Edit, unit_id: Id) -> None:
    """Take its own week from a unit; then that of the unit above holds."""
    unit = units.get(session, actor, unit_id)
    calendars.inherit_week(session, actor, unit)


@api.get("/communities/{community_id}/due", summary="What a limit comes to")
def due(
    session: Session,
    actor: Read,
    community_id: Id,
    asked: Annotated[DueAsked, Query()],
) -> DueOut:
    """When a limit of so many working days ends that begins at an instant."""
    community = units.community(session, actor, community_id)
    began = asked.at or datetime.now(calendars.of(session, community.id).zone)
    return DueOut(due_at=calendars.due(session, community.id, began, asked.working_days))


def minutes(text: str) -> int:
    """A time of day such as 17:30 in minutes after midnight.

    Raises
    ------
    Invalid
    """
    hours, _colon, rest = text.partition(":")
    if not (hours.isdecimal() and rest.isdecimal() and int(rest) < 60 and int(hours) * 60 + int(rest) <= 1440):
        raise Invalid(_("“{text}” is no time of day such as 17:30.", text=text[:20]))
    return int(hours) * 60 + int(rest)


def clock(minutes_: int) -> str:
    """Minutes after midnight as a time of day.

    >>> clock(1050), clock(1440)
    ('17:30', '24:00')
    """
    return f"{minutes_ // 60:02d}:{minutes_ % 60:02d}"


def _shown(session: Session, unit_id: int | None, year: int | None) -> CalendarOut:
    calendar = calendars.of(session, unit_id)
    week = next(iter(reversed(calendars.weeks(session, unit_id))), None)
    return CalendarOut(
        timezone=calendar.zone.key,
        week=Week(
            days_off=sorted(calendar.days_off), opens=clock(calendar.opens_min), closes=clock(calendar.closes_min)
        ),
        week_of=week.unit_id if week else None,
        days=[
            DayOut(day=one.day, works=one.works, name=calendars.name_of(one.day, one.name), unit_id=one.unit_id)
            for one in calendars.days(session, unit_id, year)
        ],
        years=calendars.years(session, unit_id),
    )
