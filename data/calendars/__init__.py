"""Calendars 工作日历: working days by unit, inherited down the tree, and the limits counted in them.

``days`` counts (pure), ``rows`` remembers, ``files`` reads holidays out of ICS and CSV files.
"""

from data.calendars.days import DAY_MINUTES, Calendar, NoWorkingDay, spans
from data.calendars.files import LARGEST_BYTES, Rejected, read
from data.calendars.rows import (
    NAME_MOST,
    CalendarDay,
    CalendarWeek,
    Named,
    days,
    due,
    inherit_week,
    may_edit,
    name_of,
    of,
    remove_days,
    set_days,
    set_week,
    weeks,
    when_changed,
    years,
)

__all__ = [
    "DAY_MINUTES",
    "LARGEST_BYTES",
    "NAME_MOST",
    "Calendar",
    "CalendarDay",
    "CalendarWeek",
    "Named",
    "NoWorkingDay",
    "Rejected",
    "days",
    "due",
    "inherit_week",
    "may_edit",
    "name_of",
    "of",
    "read",
    "remove_days",
    "set_days",
    "set_week",
    "spans",
    "weeks",
    "when_changed",
    "years",
]
