"""Holidays out of files: iCalendar (RFC 5545) as calendar programs subscribe to it, and CSV as offices keep it.

An ICS event counts when it says whether the day is worked: by 休 or 班 in its summary, as the usual Chinese holiday
calendars write it, or by Apple's ``X-APPLE-SPECIAL-DAY`` (``WORK-HOLIDAY``, ``ALTERNATE-WORKDAY``). A mere observance
(植树节) is no day off and is sent back. A CSV has a day, optionally a last day, a kind and a name, under Chinese or
English headings.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from data.base.errors import Invalid
from data.base.language import _

LARGEST_BYTES = 1_000_000
#: The longest span of one row or event; a longer one is a slip of the pen.
LONGEST_DAYS = 60
#: More days than the holidays of any life; and as many refusals as somebody reads.
MOST_DAYS = 10_000
MOST_REJECTED = 200
_HEADINGS = {
    "day": ("日期", "开始日期", "开始", "date", "day", "start", "first", "code"),
    "last": ("结束日期", "结束", "end", "last", "until"),
    "kind": ("类型", "性质", "kind", "type", "works"),
    "name": ("名称", "节日", "说明", "name", "holiday", "name_zh", "summary"),
}
_WORKS = ("班", "上班", "调休上班", "补班", "工作日", "1", "true", "yes", "work", "workday", "working day")
_RESTS = ("休", "放假", "节假日", "假日", "休息日", "", "0", "false", "no", "off", "holiday", "rest")


@dataclass(frozen=True)
class Rejected:
    """A row or event that was not taken: its line in the file, and why."""

    line: int
    reason: str


Found = tuple[list[tuple[date, bool, str]], list[Rejected]]


def read(data: bytes) -> Found:
    """The exceptions in a file: day, whether it is worked, name; and what was sent back.

    Raises
    ------
    Invalid
        The file is no ICS and no CSV, or too large.
    """
    if len(data) > LARGEST_BYTES:
        raise Invalid(_("A calendar file has at most 1 MB."), field="file")
    text = _text(data)
    try:
        found = _ics(text) if text.lstrip()[:40].upper().startswith("BEGIN:VCALENDAR") else _csv(text)
    except csv.Error as error:
        raise Invalid(_("The file is no table. Save it as CSV or ICS."), field="file") from error
    if not any(found):
        raise Invalid(_("There is no day in this file."), field="file")
    days, rejected = found
    if len(rejected) > MOST_REJECTED:
        reason = _("{count} more from here on were not taken.", count=len(rejected) - MOST_REJECTED)
        rejected[MOST_REJECTED:] = [Rejected(rejected[MOST_REJECTED].line, reason)]
    return days, rejected


def _text(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid(_("The file is no text. Save it as CSV or ICS."), field="file")


def _csv(text: str) -> Found:
    rows = csv.reader(io.StringIO(text))
    heads = [cell.strip().lower() for cell in next(rows, [])]
    places = {
        name: next((heads.index(one) for one in known if one in heads), None) for name, known in _HEADINGS.items()
    }
    if places["day"] is None:
        raise Invalid(_("The file needs a column 日期 or date."), field="file")
    days: list[tuple[date, bool, str]] = []
    rejected: list[Rejected] = []
    for cells in rows:
        if not any(cell.strip() for cell in cells):
            continue

        def cell(name: str, cells: list[str] = cells) -> str:
            place = places[name]
            return cells[place].strip() if place is not None and place < len(cells) else ""

        first = _day(cell("day"))
        last = _day(cell("last")) if cell("last") else first
        kind, name = cell("kind").lower(), cell("name")
        if first is None or last is None:
            reason = _("“{text}” is no day such as 2026-10-01.", text=cell("last") if first else cell("day"))
        elif kind not in _WORKS + _RESTS:
            reason = _("“{text}” says neither holiday (休) nor working day (班).", text=cell("kind"))
        else:
            reason = _add(days, first, last, kind in _WORKS, name)
        if reason:
            rejected.append(Rejected(rows.line_num, reason))
    return days, rejected


def _add(days: list[tuple[date, bool, str]], first: date, last: date, works: bool, name: str) -> str:
    """Add a span of days; why not, if it is refused."""
    count = (last - first).days + 1
    if not 1 <= count <= LONGEST_DAYS:
        return _("From {first} to {last} is no span of 1 to {most} days.", first=first, last=last, most=LONGEST_DAYS)
    days.extend((first + timedelta(days=step), works, name) for step in range(count))
    if len(days) > MOST_DAYS:
        raise Invalid(_("A calendar file has at most {most} days.", most=f"{MOST_DAYS:,}"), field="file")
    return ""


def _day(text: str) -> date | None:
    """A day as people write it: 2026-10-01, 2026/10/1, 20261001, 2026年10月1日.

    >>> [_day(text) for text in ("2026/10/1", "2026年10月1日", "20261001", "2026-13-01")]
    [datetime.date(2026, 10, 1), datetime.date(2026, 10, 1), datetime.date(2026, 10, 1), None]
    """
    found = re.fullmatch(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?", text)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _ics(text: str) -> Found:
    days: list[tuple[date, bool, str]] = []
    rejected: list[Rejected] = []
    event: dict[str, str] | None = None
    begun = 0
    for number, line in _unfolded(text):
        name, _colon, value = line.partition(":")
        key = name.split(";")[0].upper()
        if (key, value.upper()) == ("BEGIN", "VEVENT"):
            event, begun = {}, number
        elif (key, value.upper()) == ("END", "VEVENT") and event is not None:
            if reason := _event(event, days):
                rejected.append(Rejected(begun, reason))
            event = None
        elif event is not None:
            event[key] = value
    return days, rejected


def _unfolded(text: str) -> list[tuple[int, str]]:
    """The content lines with the number of the first line of each (RFC 5545, 3.1: a fold begins with a blank)."""
    lines: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line[:1] in (" ", "\t") and lines:
            lines[-1][1].append(line[1:])
        elif line.strip():
            lines.append((number, [line]))
    return [(number, "".join(parts)) for number, parts in lines]


def _event(event: dict[str, str], days: list[tuple[date, bool, str]]) -> str:
    """Add the days of an event; why not, if it is refused."""
    summary = re.sub(r"\\([,;\\nN])", r"\1", event.get("SUMMARY", "")).strip()
    if "RRULE" in event:
        return _("“{text}” repeats; give every year’s days themselves.", text=summary)
    first, end = _instant(event.get("DTSTART", "")), _instant(event.get("DTEND", ""))
    if first is None:
        return _("“{text}” has no day that it begins on.", text=summary)
    special = event.get("X-APPLE-SPECIAL-DAY", "").upper()
    works = special == "ALTERNATE-WORKDAY" or (not special and "班" in summary)
    if not works and special != "WORK-HOLIDAY" and "休" not in summary and "放假" not in summary:
        return _("“{text}” says neither holiday (休) nor working day (班).", text=summary)
    # DTEND of days is the day after the last one (RFC 5545, 3.6.1); without it an event has one day.
    last = max(first, end - timedelta(days=1)) if end else first
    name = re.sub(r"[（(\[【]?(休|班)[)）\]】]?(?=\s|$|（|\()", "", summary).strip() or summary
    return _add(days, first, last, works, name)


def _instant(value: str) -> date | None:
    """The day of a DATE or DATE-TIME as it is written, whatever its zone: holidays are days of the place itself."""
    for form, length in (("%Y%m%d", 8), ("%Y%m%dT%H%M%S", 15)):
        try:
            return datetime.strptime(value[:length], form).date()  # noqa: DTZ007 - only the day is wanted
        except ValueError:
            continue
    return None
