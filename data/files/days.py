"""Days and times as people write them: 2026年3月18日9时5分, 中午1:10, 1950.3, a spreadsheet's day number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from data.base.language import _
from data.files.cells import Fault, Reading, Remark, as_text, bad, clean

_HALF = "上午|下午|中午|正午|凌晨|清晨|早晨|早上|早|傍晚|晚上|晚间|夜里|夜间|深夜|半夜|午夜|晚|AM|PM"
_CLOCK = (
    rf"(?:(?:[T\s]|(?<=[日号])|(?=(?:{_HALF})))\s*(?P<half1>{_HALF})?\s*(?P<hour>\d{{1,2}})[:时点]"
    r"(?P<minute>\d{1,2}|半|整)?[:分]?(?:(?P<second>\d{1,2})(?P<fraction>[.,]\d{1,9})?秒?)?\s*(?P<half2>AM|PM)?\s*"
    r"(?P<zone>Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?)?"
)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})\s*(?:[-/.]\s*(?P<month>\d{1,2})\s*[-/.]\s*(?P<day>\d{1,2})"
    r"|年\s*(?P<month_zh>\d{1,2})\s*月\s*(?P<day_zh>\d{1,2})\s*[日号]?|(?P<month_8>\d{2})(?P<day_8>\d{2}))\s*" + _CLOCK,
    re.IGNORECASE,
)
_YEAR_LAST = re.compile(
    r"(?P<first>\d{1,2})[-/.](?P<second_part>\d{1,2})[-/.](?P<year>\d{4})\s*" + _CLOCK, re.IGNORECASE
)
_TIME = re.compile(r"\s*" + _CLOCK.replace(r"(?:[T\s]|(?<=[日号])|", "(?:|").removesuffix("?"), re.IGNORECASE)
_FOUR_DIGITS = re.compile(r"([01]?\d|2[0-3])([0-5]\d)")
_EPOCH_OF_SHEETS = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no zone
_SERIALS = (10_000, 80_000)
"""Spreadsheet day numbers that are taken for days: 1927 to 2119."""
_OLD_SERIALS = (3_000, 10_000)
"""Those of people born from 1908 on; 1900 to 2100 are years."""


class Order(StrEnum):
    """Which part of dates such as 03/04/2026 is the day."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"
    UNKNOWN = "unknown"


def day_order(cells: Iterable[Any]) -> Order:
    """What a column as a whole says about dates with the year last.

    >>> day_order(["03/04/2026", "21/04/2026"]), day_order(["03/04/2026"])
    (<Order.DAY_FIRST: 'day_first'>, <Order.UNKNOWN: 'unknown'>)
    """
    day_first = month_first = False
    for cell in cells:
        found = _YEAR_LAST.fullmatch(clean(cell)) if isinstance(cell, str) else None
        if found:
            day_first |= int(found["first"]) > 12
            month_first |= int(found["second_part"]) > 12
    if day_first == month_first:
        return Order.UNKNOWN
    return Order.DAY_FIRST if day_first else Order.MONTH_FIRST


_WRITTEN = re.compile(
    r"\d{1,2}月\d{1,2}[日号]|\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?:\s+0?0:00(?::00)?)?"
    r"|(?:\d{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{1,2})(?:-\d{2,4})?",
    re.IGNORECASE,
)


def is_written_day(text: str) -> bool:
    """Whether a text is a day as spreadsheets write it, where none belongs.

    >>> [is_written_day(text) for text in ("3月2日", "2-Mar", "2026-03-02", "3-2-501")]
    [True, True, True, False]
    """
    return bool(_WRITTEN.fullmatch(text.strip()))


def clock(cell: Any) -> time | None:
    """The time of a cell that holds nothing else.

    >>> clock("9时5分"), clock("下午3:05"), clock("2026-03-18")
    (datetime.time(9, 5), datetime.time(15, 5), None)
    """
    if isinstance(cell, time):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool) and 100 <= cell <= 2359:
        cell = f"{cell:04d}"
    if isinstance(cell, str) and (digits := _FOUR_DIGITS.fullmatch(cell.strip())):
        cell = f"{digits[1]}:{digits[2]}"
    if isinstance(cell, float) and 0 <= cell < 1:
        return (_EPOCH_OF_SHEETS + timedelta(seconds=round(cell * 86400))).time()
    found = _TIME.fullmatch(unicodedata.normalize("NFKC", cell)) if isinstance(cell, str) else None
    hour = _hour(found) if found else None
    if found is None or hour is None:
        return None
    try:
        return time(hour, _minute(found), int(found["second"] or 0))
    except ValueError:
        return None


def _moment(cell: Any, how: Reading, order: Order) -> datetime | Fault:
    """A clock time, aware only if the cell says in which zone."""
    if isinstance(cell, datetime):
        return cell.to_pydatetime(warn=False) if hasattr(cell, "to_pydatetime") else cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    text = unicodedata.normalize("NFKC", as_text(cell)).strip()
    if re.fullmatch(r"\d{5}(\.\d+)?", text) and _SERIALS[0] <= float(text) <= _SERIALS[1]:
        return _EPOCH_OF_SHEETS + timedelta(seconds=round(float(text) * 86400))
    match = _YEAR_FIRST.fullmatch(text)
    if match:
        month = int(match["month"] or match["month_zh"] or match["month_8"])
        day = int(match["day"] or match["day_zh"] or match["day_8"])
    else:
        match = _YEAR_LAST.fullmatch(text)
        if not match:
            return bad(cell, how, _("{label} “{value}” is not a date."), _("Write it as 2026-03-18."))
        first, second = int(match["first"]), int(match["second_part"])
        if order is Order.UNKNOWN and first != second and first <= 12 and second <= 12:
            return bad(
                cell,
                how,
                _("{label} “{value}” can be two days: which part is the month?"),
                _("Write it as 2026-03-18."),
            )
        swapped = second > 12 if order is Order.UNKNOWN else order is Order.MONTH_FIRST
        month, day = (first, second) if swapped else (second, first)
    return _assembled(cell, how, match, month, day)


def _assembled(cell: Any, how: Reading, match: re.Match[str], month: int, day: int) -> datetime | Fault:
    hour = _hour(match)
    if hour is None:
        return bad(
            cell,
            how,
            _("{label} “{value}” can be two times: which half of the day is meant?"),
            _("Write the hour from 0 to 23, as 2026-03-18 00:30."),
        )
    fraction = int((match["fraction"] or ".0")[1:].ljust(6, "0")[:6])
    try:
        moment = datetime(  # noqa: DTZ001 - zone below
            int(match["year"]), month, day, hour, _minute(match), int(match["second"] or 0), fraction
        )
        return moment.replace(tzinfo=_zone(match["zone"])) if match["zone"] else moment
    except ValueError:
        return bad(cell, how, _("{label} “{value}” does not exist."), _("Give the actual date."))


def _minute(found: re.Match[str]) -> int:
    return (
        {"半": 30, "整": 0, None: 0}.get(found["minute"], -1)
        if not (found["minute"] or "").isdecimal()
        else int(found["minute"])
    )


def _hour(found: re.Match[str]) -> int | None:
    """The hour from 0 to 23; None where its word can mean two.

    上午12:30 and 晚上12:30 are said of noon and of midnight alike, and of midnight it is unsaid which day it ends.
    """
    hour, half = int(found["hour"] or 0), (found["half1"] or found["half2"] or "").upper()
    if hour > 12 or not half:
        return hour if not half or half not in ("上午", "早上", "早晨", "早", "清晨", "凌晨", "AM") else None
    if half in ("PM", "下午", "傍晚"):
        return hour + 12 if hour < 12 else 12
    if half in ("中午", "正午"):
        return hour + 12 if hour < 4 else hour
    if half in ("AM", "凌晨"):
        return hour % 12
    if half in ("上午", "早上", "早晨", "早", "清晨"):
        return hour if hour < 12 else None
    if half in ("晚上", "晚间", "晚"):
        return hour + 12 if 4 <= hour < 12 else None
    # 夜里, 半夜: before midnight from six on, after it up to five; twelve ends one day and begins another.
    return (hour if 0 < hour < 6 else hour + 12) if hour < 12 else None


def _zone(text: str) -> timezone:
    if not text.startswith(("+", "-")):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def day(cell: Any, how: Reading, order: Order) -> date | Fault:
    """A day."""
    moment = _moment(cell, how, order)
    return moment if isinstance(moment, Fault) else moment.date()


_MONTH = re.compile(r"(?P<year>\d{4})\s*(?:年|[-/.]|(?=\d{2}$))\s*(?P<month>\d{1,2})?\s*月?(?:生|出生)?")
_SHORT_YEAR = re.compile(r"(?P<year>\d{2})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*(?P<day>\d{1,2})\s*[日号]?")


def birthday(cell: Any, how: Reading, order: Order) -> date | Fault | Remark:
    """A birthday: of old people the day number has four digits, and offices often know the month alone."""
    text = unicodedata.normalize("NFKC", as_text(cell)).strip()
    if not isinstance(cell, date) and re.fullmatch(r"\d{4}(\.0+)?", text):
        number = int(float(text))
        if 1900 <= number <= 2100:
            return _undated(how)
        if _OLD_SERIALS[0] <= number < _OLD_SERIALS[1]:
            return (_EPOCH_OF_SHEETS + timedelta(days=number)).date()
    if (short := _SHORT_YEAR.fullmatch(text)) is not None:
        return _of_short_year(cell, how, short)
    month = _MONTH.fullmatch(text)
    if month and 1 <= int(month["month"] or 1) <= 12 and 1850 <= int(month["year"]) <= 2100:
        return _undated(how)
    born_on = day(cell, how, order)
    if isinstance(born_on, date) and not is_lifetime(born_on):
        return bad(cell, how, _("{label} “{value}” is no birthday of anybody living."), _("Give the actual date."))
    return born_on


_OLDEST_YEARS = 150


def is_lifetime(born_on: date) -> bool:
    """Whether somebody born on that day can be alive: not yet to come, and not longer ago than anybody lives."""
    today = date.today()  # noqa: DTZ011 - a birthday has no time zone
    return today.year - _OLDEST_YEARS <= born_on.year and born_on <= today + timedelta(days=1)


def _undated(how: Reading) -> Remark:
    return Remark(
        None, _("{label} without a day was left empty: only the year or the month is known.", label=how.label)
    )


def _of_short_year(cell: Any, how: Reading, found: re.Match[str]) -> date | Fault:
    """A year of two digits is of the last century where it is still to come in this one; else nobody can tell."""
    short = int(found["year"])
    if short <= date.today().year % 100:  # noqa: DTZ011 - a birthday has no time zone
        return bad(cell, how, _("{label} “{value}” can be in two centuries."), _("Write the year with four digits."))
    try:
        return date(1900 + short, int(found["month"]), int(found["day"]))
    except ValueError:
        return bad(cell, how, _("{label} “{value}” does not exist."), _("Give the actual date."))


def instant(cell: Any, how: Reading, order: Order, zone: ZoneInfo) -> datetime | Fault:
    """A moment, in UTC."""
    moment = _moment(cell, how, order)
    if isinstance(moment, Fault):
        return moment
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return bad(cell, how, _("{label} “{value}” does not exist."), _("Give the actual date."))
