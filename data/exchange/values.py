"""Cells of a file read as values of a field: dates in all their spellings, numbers, words of a list, phones.

Nothing here raises because of what a cell holds: what cannot be read is a :class:`Fault`, and becomes a reject with its
row. A whole column is read at once, because only the column tells whether 03/04/2026 begins with the day.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from data.base import identity
from data.base.language import _


class RejectKind(StrEnum):
    """What a reject is about, for sorting them on the page."""

    PLACE = "place"
    DUPLICATE = "duplicate"
    FORMAT = "format"


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that does not go in.

    Attributes
    ----------
    row
        Its number as the person sees it: the line of a spreadsheet, else the feature from 1.
    reason, advice
        What is wrong, with the value, and what to do. Personal numbers are never repeated in them.
    values
        The input's own columns.
    kind
        What it is about.
    """

    row: int
    reason: str
    advice: str
    values: Mapping[str, Any] = field(default_factory=dict)
    kind: RejectKind = RejectKind.FORMAT


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a cell cannot be read, and what to do."""

    reason: str
    advice: str


class Type(StrEnum):
    """What a field holds."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    DEGREES = "degrees"
    PHONE = "phone"
    IDENTITY = "identity"
    CHOICE = "choice"
    CHOICES = "choices"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a column is to be read.

    Attributes
    ----------
    label
        What the field is called, for sentences.
    type
        What it holds.
    words
        For choices: normalized word → code.
    closed
        For choices: whether a word that is not in ``words`` is a fault; else it is kept as it is.
    sensitive
        Whether sentences must not repeat the value.
    timezone
        Where clock times without a zone were read.
    """

    label: str
    type: Type
    words: Mapping[str, str] = field(default_factory=dict)
    closed: bool = True
    sensitive: bool = False
    timezone: str = "Asia/Shanghai"


def read(cells: Iterable[Any], how: Reading) -> tuple[list[Any], dict[int, Fault]]:
    """A column as values.

    Parameters
    ----------
    cells
        What the file holds: text, numbers, dates, None or NaN.

    Returns
    -------
    tuple
        The values, None where a cell is empty or cannot be read, and the faults by position in the column. Days are
        ``date``, instants aware ``datetime`` in UTC, choices codes, several choices a list of codes.
    """
    cells = list(cells)
    parse = _parser(cells, how)
    known: dict[tuple[type, Any], Any] = {}
    values: list[Any] = []
    faults: dict[int, Fault] = {}
    for position, cell in enumerate(cells):
        try:
            value = known[type(cell), cell]
        except KeyError:
            value = known[type(cell), cell] = _value(cell, parse)
        except TypeError:
            value = _value(cell, parse)
        if isinstance(value, Fault):
            faults[position] = value
            value = None
        values.append(value)
    return values, faults


def _value(cell: Any, parse: Callable[[Any], Any]) -> Any:
    if isinstance(cell, str):
        cell = clean(cell)
        return parse(cell) if cell else None
    return None if is_empty(cell) else parse(cell)


def is_empty(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT, or only white space.

    >>> [is_empty(cell) for cell in (None, float("nan"), " \u3000", 0, "x")]
    [True, True, True, False, False]
    """
    if cell is None:
        return True
    if isinstance(cell, str):
        return not cell.strip()
    try:
        return bool(cell != cell)
    except (TypeError, ValueError):
        return type(cell).__name__ == "NAType"


_GUARDED = re.compile(r"'[=+\-@\t\r]")


def clean(text: str) -> str:
    """A text without surrounding white space and without the quote that guards it from being taken for a formula.

    >>> clean("\u3000 3号楼 \ufeff"), clean("'=A1")
    ('3号楼', '=A1')
    """
    stripped = text.strip(" \t\r\n\u3000\u00a0\u200b\ufeff")
    return stripped[1:] if _GUARDED.match(stripped) else stripped


_SIMPLIFIED = str.maketrans(
    "經緯樓棟號戶證電話編碼稱類單層數積備註關係聯絡現處時間況歷業職狀態區網詳別誌鎮鄉鄰聯繫員體殘齡籍貫",
    "经纬楼栋号户证电话编码称类单层数积备注关系联络现处时间况历业职状态区网详别志镇乡邻联系员体残龄籍贯",
)


def plain(text: str) -> str:
    """A text to compare by: half-width, lower case, without spaces and punctuation, headings' characters simplified.

    >>> plain("LOCATION_Zipcode"), plain("房屋面积（平方米）"), plain("＊電話")
    ('locationzipcode', '房屋面积', '电话')
    """
    half = unicodedata.normalize("NFKC", text).casefold().translate(_SIMPLIFIED)
    half = re.sub(r"\((?:[^()]*)\)|\[[^\[\]]*\]", "", half) or half
    return re.sub(r"[\W_]+", "", half) or half.strip()


def _parser(cells: list[Any], how: Reading) -> Callable[[Any], Any]:
    parse = _parser_of_type(cells, how)
    if not how.sensitive:
        return parse
    # What an export has masked is no name and no number.
    return lambda cell: _masked(how) if isinstance(cell, str) and "*" in cell else parse(cell)


def _masked(how: Reading) -> Fault:
    return Fault(_("{label} is masked.", label=how.label), _("Import the data in full, or leave the column out."))


def _parser_of_type(cells: list[Any], how: Reading) -> Callable[[Any], Any]:
    match how.type:
        case Type.TEXT:
            return as_text
        case Type.INTEGER:
            return lambda cell: _integer(cell, how)
        case Type.NUMBER:
            return lambda cell: _number(cell, how)
        case Type.BOOLEAN:
            return lambda cell: _boolean(cell, how)
        case Type.DATE:
            order = day_order(cells)
            return lambda cell: _day(cell, how, order)
        case Type.DATETIME:
            order, zone = day_order(cells), ZoneInfo(how.timezone)
            return lambda cell: _instant(cell, how, order, zone)
        case Type.DEGREES:
            return lambda cell: _degrees(cell, how)
        case Type.PHONE:
            return lambda cell: _phone(cell, how)
        case Type.IDENTITY:
            return lambda cell: _identity(cell, how)
        case Type.CHOICE:
            return lambda cell: _choice(cell, how)
        case Type.CHOICES:
            return lambda cell: _choices(cell, how)


def as_text(cell: Any) -> str:
    """A cell as text: whole numbers without a decimal point, days without a time.

    >>> as_text(13812346021.0), as_text(datetime(2026, 3, 18))
    ('13812346021', '2026-03-18')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() and cell.tzinfo is None else cell.isoformat(sep=" ")
    return str(cell)


def _shown(cell: Any, how: Reading) -> str:
    text = as_text(cell)
    return "***" if how.sensitive else text if len(text) <= 40 else f"{text[:39]}…"


def _bad(cell: Any, how: Reading, reason: str, advice: str) -> Fault:
    return Fault(reason.format(label=how.label, value=_shown(cell, how)), advice)


# ---- numbers -------------------------------------------------------------------------------------------------------

_UNITS = re.compile(r"(层|户|人|间|套|栋|岁|米|m|㎡|m2|平方米|平米|元|%)$")


def _float(cell: Any) -> float | None:
    if isinstance(cell, bool):
        return None
    if isinstance(cell, str):
        text = unicodedata.normalize("NFKC", cell).replace("\u2212", "-").strip()
        text = _UNITS.sub("", text).strip()
        if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
            text = text.replace(",", "")
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE):
            return None
        cell = text
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _number(cell: Any, how: Reading) -> float | Fault:
    number = _float(cell)
    if number is None:
        return _bad(cell, how, _("{label} “{value}” is not a number."), _("Write it in digits."))
    return number


def _integer(cell: Any, how: Reading) -> int | Fault:
    number = _float(cell)
    if number is None:
        return _bad(cell, how, _("{label} “{value}” is not a number."), _("Write it in digits."))
    if not number.is_integer() or abs(number) >= 2**31:
        return _bad(cell, how, _("{label} “{value}” is not a whole number."), _("Give a whole number."))
    return int(number)


_DMS = re.compile(r"([NSEW东西南北经纬]*)\s*(\d{1,3})\s*[°度]\s*(?:(\d{1,2}(?:\.\d+)?)\s*[′'分])?\s*"
                  r"(?:(\d{1,2}(?:\.\d+)?)\s*(?:[″\"秒]|''|′′))?\s*([NSEW]?)", re.IGNORECASE)  # fmt: skip


def degrees(cell: Any) -> float | None:
    """Degrees as a number, ``121.506``, or as ``121°30′22.1″``; None when it is neither.

    >>> degrees("121.506°E"), degrees("西经71°3′31″"), degrees("12O.5")
    (121.506, -71.0586111111111, None)
    """
    if not isinstance(cell, str):
        return _float(cell)
    text = unicodedata.normalize("NFKC", cell).strip().upper()
    simple = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)\s*°?\s*([NSEW]?)", text)
    if simple:
        number = float(simple[1])
        return -number if simple[2] in ("S", "W") else number
    found = _DMS.fullmatch(text)
    if not found:
        return _float(cell)
    number = float(found[2]) + float(found[3] or 0) / 60 + float(found[4] or 0) / 3600
    if not found[3] and not found[4]:
        return None
    sides = found[1] + found[5]
    return -number if any(side in sides for side in "SW西南") else number


def _degrees(cell: Any, how: Reading) -> float | Fault:
    number = degrees(cell)
    if number is None:
        return _bad(cell, how, _("{label} “{value}” is not a number."), _("Write decimal degrees, such as 121.5061."))
    return number


_TRUE = {"1", "true", "t", "yes", "y", "是", "有", "√", "✓", "对"}
_FALSE = {"0", "false", "f", "no", "n", "否", "无", "×", "✗", "没有", "不是"}


def _boolean(cell: Any, how: Reading) -> bool | Fault:
    text = unicodedata.normalize("NFKC", as_text(cell)).strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return _bad(cell, how, _("{label} “{value}” is neither yes nor no."), _("Write 是 or 否."))


# ---- days and times ------------------------------------------------------------------------------------------------

_CLOCK = (
    r"(?:[T\s]\s*(?P<half1>上午|下午|中午|凌晨|晚上|AM|PM)?\s*(?P<hour>\d{1,2})[:时点](?P<minute>\d{1,2})?[:分]?"
    r"(?:(?P<second>\d{1,2})(?P<fraction>[.,]\d{1,9})?秒?)?\s*(?P<half2>AM|PM)?\s*"
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
_EPOCH_OF_SHEETS = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheets know no zone
_SERIALS = (10_000, 80_000)
"""Spreadsheet day numbers that are taken for days: 1927 to 2119."""


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


def _moment(cell: Any, how: Reading, order: Order) -> datetime | Fault:
    """A clock time, aware only if the cell says in which zone."""
    if isinstance(cell, datetime):
        return cell.to_pydatetime(warn=False) if hasattr(cell, "to_pydatetime") else cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    text = unicodedata.normalize("NFKC", as_text(cell)).strip()
    if re.fullmatch(r"\d{5}(\.\d+)?", text) and _SERIALS[0] <= float(text) <= _SERIALS[1]:
        return _EPOCH_OF_SHEETS + timedelta(seconds=round(float(text) * 86400))
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        month = int(found["month"] or found["month_zh"] or found["month_8"])
        day = int(found["day"] or found["day_zh"] or found["day_8"])
    else:
        found = _YEAR_LAST.fullmatch(text)
        if not found:
            return _bad(cell, how, _("{label} “{value}” is not a date."), _("Write it as 2026-03-18."))
        first, second = int(found["first"]), int(found["second_part"])
        if order is Order.UNKNOWN and first != second and first <= 12 and second <= 12:
            return _bad(
                cell, how, _("{label} “{value}” can be two days: which part is the month?"),
                _("Write it as 2026-03-18."),
            )  # fmt: skip
        swapped = second > 12 if order is Order.UNKNOWN else order is Order.MONTH_FIRST
        month, day = (first, second) if swapped else (second, first)
    return _assembled(cell, how, found, month, day)


def _assembled(cell: Any, how: Reading, found: re.Match[str], month: int, day: int) -> datetime | Fault:
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    half = (found["half1"] or found["half2"] or "").upper()
    if half in ("PM", "下午", "晚上") and hour < 12:
        hour += 12
    elif half in ("AM", "凌晨") and hour == 12:
        hour = 0
    fraction = int((found["fraction"] or ".0")[1:].ljust(6, "0")[:6])
    try:
        moment = datetime(int(found["year"]), month, day, hour, minute, second, fraction)  # noqa: DTZ001 - zone below
        return moment.replace(tzinfo=_zone(found["zone"])) if found["zone"] else moment
    except ValueError:
        return _bad(cell, how, _("{label} “{value}” does not exist."), _("Give the actual date."))


def _zone(text: str) -> timezone:
    if not text.startswith(("+", "-")):
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _day(cell: Any, how: Reading, order: Order) -> date | Fault:
    moment = _moment(cell, how, order)
    return moment if isinstance(moment, Fault) else moment.date()


def _instant(cell: Any, how: Reading, order: Order, zone: ZoneInfo) -> datetime | Fault:
    moment = _moment(cell, how, order)
    if isinstance(moment, Fault):
        return moment
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return _bad(cell, how, _("{label} “{value}” does not exist."), _("Give the actual date."))


# ---- words and numbers of persons ----------------------------------------------------------------------------------


def _choice(cell: Any, how: Reading) -> str | Fault:
    text = as_text(cell)
    code = how.words.get(plain(text))
    if code is not None:
        return code
    if not how.closed:
        return text
    if "*" in how.words:
        return how.words["*"]
    return _bad(cell, how, _("{label} “{value}” is none of the known ones."), _("Choose one from the list."))


_BETWEEN = re.compile(r"[,，、;；/|\n]+")


def _choices(cell: Any, how: Reading) -> list[str] | Fault:
    parts = list(cell) if isinstance(cell, (list, tuple)) else _BETWEEN.split(as_text(cell))
    codes: list[str] = []
    for part in parts:
        text = clean(as_text(part))
        if not text or plain(text) in ("无", "none", "普通", "普通户", "普通家庭", "ordinary"):
            continue
        code = _choice(text, how)
        if isinstance(code, Fault):
            return code
        if code not in codes:
            codes.append(code)
    return codes


def _phone(cell: Any, how: Reading) -> str | Fault:
    text = unicodedata.normalize("NFKC", as_text(cell)).strip()
    digits = re.sub(r"[\s()\u2010-\u2015-]", "", text).removeprefix("+86")
    if re.fullmatch(r"(0086)?1\d{10}", digits):
        return digits[-11:]
    if re.fullmatch(r"1\d*", digits) and 8 < len(digits) < 14:
        return Fault(
            _("{label} starts like a mobile number but has {count} digits instead of 11.", label=how.label,
              count=len(digits)),
            _("Check the number."),
        )  # fmt: skip
    if re.fullmatch(r"\+?\d{5,15}((转|x|ext\.?)\d{1,6})?", digits, re.IGNORECASE):
        return re.sub(r"\s+", " ", text)
    return Fault(_("{label} is not a phone number.", label=how.label), _("Check the number."))


def _identity(cell: Any, how: Reading) -> str | Fault:
    text = re.sub(r"\s", "", unicodedata.normalize("NFKC", as_text(cell))).upper()
    if not isinstance(cell, str) and len(text) == 18 and text.endswith("000"):
        return Fault(
            _("{label} has lost its last digits: the spreadsheet kept it as a number.", label=how.label),
            _("Format the column as text and enter the number again."),
        )
    if re.fullmatch(r"[A-Z]{1,3}\d{6,10}(\(\d\))?", text):
        return text
    try:
        return identity.check(text).number
    except identity.NotAnIdentityNumber as fault:
        return Fault(fault.detail, _("Check the document and enter the number again."))
