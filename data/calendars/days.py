"""Working days 工作日: which days count, and what a limit of so many of them means. Pure; no database.

The rules, after the Civil Code of the People's Republic of China (民法典), articles 201 to 203:

- A limit of *n* working days is counted from the day after the report: the day itself does not count (201).
- It ends with the *n*-th working day, when work ends on that day (203: 有业务时间的，停止业务活动的时间为截止时间).
- A limit of 0 working days ends with the day itself, or, where that is no working day or work has ended, with the next
  working day.

*Working time* is the time between opening and closing on working days; so "one working day" is 8.5 hours when a
community works from 9:00 to 17:30, and the last working day before a limit on Monday begins on Monday at 9:00.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_MINUTES = 24 * 60
OPENS_MIN, CLOSES_MIN = 9 * 60, 17 * 60 + 30
#: ISO weekdays: 6 is Saturday, 7 is Sunday.
WEEKEND = frozenset({6, 7})
#: Days that are searched for a working day before giving up: a calendar without any is a mistake.
_LONGEST_REST_DAYS = 400


class NoWorkingDay(ValueError):
    """The calendar has no working day for longer than a year."""


@dataclass(frozen=True)
class Calendar:
    """Which days are worked, and from when until when.

    Attributes
    ----------
    zone
        The time zone of days.
    days_off
        ISO weekdays (1 is Monday) that are not worked as a rule.
    exceptions
        Day → whether it is worked: holidays and the days that make up for them (调休).
    opens_min, closes_min
        When work begins and ends, in minutes after midnight; 1440 is midnight at the end of the day.

    Examples
    --------
    >>> shanghai = Calendar(ZoneInfo("Asia/Shanghai"), exceptions={date(2026, 2, 14): True, date(2026, 2, 16): False})
    >>> [shanghai.works(date(2026, 2, day)) for day in (13, 14, 15, 16, 17)]
    [True, True, False, False, True]
    >>> friday = datetime(2026, 2, 13, 8, 0, tzinfo=UTC)
    >>> shanghai.due(friday, 2).astimezone(shanghai.zone).isoformat()
    '2026-02-17T17:30:00+08:00'
    """

    zone: ZoneInfo
    days_off: frozenset[int] = WEEKEND
    exceptions: Mapping[date, bool] = field(default_factory=dict)
    opens_min: int = OPENS_MIN
    closes_min: int = CLOSES_MIN

    @property
    def day_length(self) -> timedelta:
        """The working time of a working day, as the clock on the wall shows it."""
        return timedelta(minutes=self.closes_min - self.opens_min)

    def works(self, day: date) -> bool:
        """Whether a day is a working day."""
        found = self.exceptions.get(day)
        return day.isoweekday() not in self.days_off if found is None else found

    def opening(self, day: date) -> datetime:
        """When work begins on a day (UTC)."""
        return self._at(day, self.opens_min)

    def closing(self, day: date) -> datetime:
        """When work ends on a day (UTC)."""
        return self._at(day, self.closes_min)

    def _at(self, day: date, minutes: int) -> datetime:
        if minutes == DAY_MINUTES:
            day, minutes = day + timedelta(days=1), 0
        return datetime.combine(day, time(minutes // 60, minutes % 60), self.zone).astimezone(UTC)

    def day_of(self, instant: datetime) -> date:
        """The day of an instant in the calendar's zone."""
        return instant.astimezone(self.zone).date()

    def after(self, day: date) -> Iterator[date]:
        """The working days after a day, the next one first.

        Raises
        ------
        NoWorkingDay
        """
        return self._from(day, timedelta(days=1))

    def _from(self, day: date, step: timedelta) -> Iterator[date]:
        rest = 0
        while True:
            day += step
            rest += 1
            if self.works(day):
                rest = 0
                yield day
            elif rest > _LONGEST_REST_DAYS:
                raise NoWorkingDay(f"There is no working day within {_LONGEST_REST_DAYS} days of {day}.")

    def due(self, at: datetime, working_days: int) -> datetime:
        """When a limit of so many working days ends that began at an instant; always after it.

        Parameters
        ----------
        at
            When the limit began (aware).
        working_days
            At least 0.

        Returns
        -------
        datetime
            When work ends on the last day (UTC).

        Raises
        ------
        ValueError
            ``working_days`` is negative.
        NoWorkingDay

        Source: 民法典 (2020), articles 201 and 203; see the top of this module.
        """
        if working_days < 0:
            raise ValueError(f"A limit cannot be {working_days} working days.")
        day = self.day_of(at)
        if working_days == 0:
            if self.works(day) and at < self.closing(day):
                return self.closing(day)
            working_days = 1
        for count, found in enumerate(self.after(day), 1):
            if count == working_days:
                return self.closing(found)
        raise AssertionError("the days after a day never end")

    def working_days(self, start: datetime, end: datetime) -> int:
        """How many working days lie after the day of ``start``, up to and with the day of ``end``; never negative.

        The inverse of ``due``: ``working_days(at, due(at, n)) == n`` for every n above 0.
        """
        first, last = self.day_of(start), self.day_of(end)
        return sum(self.works(first + timedelta(days=step)) for step in range(1, (last - first).days + 1))

    def working_time(self, start: datetime, end: datetime) -> timedelta:
        """The working time between two instants; 0 when ``end`` is not after ``start``."""
        # Two instants of one zone are subtracted as clocks show them; of UTC, as time goes by.
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        first, last = self.day_of(start), self.day_of(end)
        total = timedelta()
        for step in range((last - first).days + 1):
            day = first + timedelta(days=step)
            if self.works(day):
                open_, close = max(start, self.opening(day)), min(end, self.closing(day))
                total += max(close - open_, timedelta())
        return total

    def before(self, end: datetime, length: timedelta) -> datetime:
        """The latest instant from which at least ``length`` of working time is left until ``end`` (UTC).

        Raises
        ------
        NoWorkingDay

        >>> plain = Calendar(ZoneInfo("Asia/Shanghai"))
        >>> monday = plain.closing(date(2026, 3, 16))
        >>> plain.before(monday, plain.day_length).astimezone(plain.zone).isoformat()
        '2026-03-16T09:00:00+08:00'
        """
        end, left = end.astimezone(UTC), length
        if left <= timedelta():
            return end
        for day in self._from(self.day_of(end) + timedelta(days=1), -timedelta(days=1)):
            close = min(end, self.closing(day))
            open_ = self.opening(day)
            if close > open_:
                if close - open_ >= left:
                    return close - left
                left -= close - open_
        raise AssertionError("the days before a day never end")


def spans(days: Mapping[date, tuple[bool, str]]) -> list[tuple[date, date, bool, str]]:
    """Exceptions as people say them: days in a row of the same kind and name are one span, first and last day.

    >>> holiday = (False, "国庆节")
    >>> spans({date(2026, 10, 1): holiday, date(2026, 10, 2): holiday, date(2026, 10, 10): (True, "上班")})[0]
    (datetime.date(2026, 10, 1), datetime.date(2026, 10, 2), False, '国庆节')
    """
    found: list[tuple[date, date, bool, str]] = []
    for day in sorted(days):
        if found and found[-1][1] == day - timedelta(days=1) and found[-1][2:] == days[day]:
            found[-1] = (found[-1][0], day, *days[day])
        else:
            found.append((day, day, *days[day]))
    return found
