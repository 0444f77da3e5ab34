"""What a cell of a file is read as: the types of fields, values with a remark, faults, and cells as texts.

``values`` reads whole columns with these; ``days`` and ``people`` know the cells of their kind.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Any

from data.base import texts
from data.base.language import _
from spatial import spelling


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
    shape
        Its shape as text in the file's own system, where no row of the source holds it: WKT, or the JSON of one that
        cannot be drawn.
    offers
        The columns whose cells cannot be read, each with the word that may be meant, where one is near.
    """

    row: int
    reason: str
    advice: str
    values: Mapping[str, Any] = field(default_factory=dict)
    kind: RejectKind = RejectKind.FORMAT
    shape: str | None = None
    offers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a cell cannot be read, and what to do; ``near`` is the word that may be meant."""

    reason: str
    advice: str
    near: str | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """A value that was read with something left out or understood with a doubt: what is said of the row.

    The sentence never repeats what is personal.
    """

    value: Any
    sentence: str


class Type(StrEnum):
    """What a field holds.

    A key is what a record is known by, a door the number of a building, an entrance or a room; of a birthday the day
    may be unknown.
    """

    TEXT = "text"
    ADDRESS = "address"
    KEY = "key"
    DOOR = "door"
    NAME = "name"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    BIRTHDAY = "birthday"
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


FORMULA = "#FORMULA!"
"""What stands for the formula of a cell that was written by a program and has no value yet."""
_ERROR = re.compile(r"#(?:N/A(?: .*)?|[A-Z][A-Z/0-9_]{1,20}[!?]|GETTING_DATA|#{2,})|ERR:\d{3}", re.IGNORECASE)
"""What spreadsheets show for a formula that went wrong, or in a column that is too narrow."""
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)


def unusable(cell: Any, how: Reading) -> Fault | None:
    """Why a cell is no value of any field: an error of the spreadsheet, a formula that was never calculated."""
    if cell == FORMULA:
        return Fault(
            _("{label} is a formula without a value.", label=how.label),
            _("Open the file in a spreadsheet program and save it, then the values are in it."),
        )
    if isinstance(cell, str) and cell[:1] in "#Ee" and _ERROR.fullmatch(cell.strip()):
        return Fault(
            _("{label} is the spreadsheet’s error {error}.", label=how.label, error=cell.strip()),
            _("Mend the formula, or enter the value."),
        )
    return None


def shortened(cell: Any) -> bool:
    """Whether a spreadsheet wrote a long number short, as 9.9E+17."""
    return isinstance(cell, str) and bool(_SHORTENED.fullmatch(cell.strip()))


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


_BLANK = " \t\r\n\v\f\u3000\u00a0\u200b\ufeff"
"""What may stand around a cell and says nothing."""
_UNSEEN = (
    r"\s\x00-\x1f\x7f-\xa0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
_FORMULA = re.compile(rf"[{_UNSEEN}'＇]*[=+\-@＝＋－＠﹢﹣﹦﬩−\t\r\n]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that would be gets a quotation mark in front.

    Also what only looks like one is guarded: with signs of full width, behind blanks or what nobody sees, and behind
    quotation marks, so that the mark which ``clean`` takes off is always the one that was set here.

    >>> guarded("=1+1"), guarded("-5"), guarded("+8613812345678"), guarded("3号楼"), guarded("＝1"), guarded("'=1")
    ("'=1+1", '-5', '+8613812345678', '3号楼', "'＝1", "''=1")
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


_EQUALS = re.compile(r'=\s*"((?:[^"]|"")*)"')


def clean(text: str) -> str:
    """A text as it was meant.

    What cannot be kept is said in ``data.base.texts``. It comes without surrounding white space, characters that nobody
    sees, and what kept a spreadsheet from taking it for a formula or a number: an apostrophe in front, or ``="…"``
    around it.

    >>> clean("\u3000 3号楼 \ufeff"), clean("'=A1"), clean('="0012"'), clean("'0012"), clean("'90后' 青年")
    ('3号楼', '=A1', '0012', '0012', "'90后' 青年")
    """
    text = texts.clean(text)
    stripped = text.strip() if text.isascii() else _seen(text)
    if not stripped or stripped[0] not in "'=":
        return stripped
    if (held := _EQUALS.fullmatch(stripped)) is not None:
        return held[1].replace('""', '"').strip()
    guarded_number = re.fullmatch(r"'\d[^']*", stripped)
    return stripped[1:] if stripped[0] == "'" and (guarded_number or _FORMULA.match(stripped)) else stripped


def _seen(text: str) -> str:
    inner = spelling.unseen(text).strip(" \t\r\n\u3000\u00a0\u2000\u2001\u2002\u2003\u2009\u202f")
    return inner.replace("\u00a0", " ")


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


def shown(cell: Any, how: Reading) -> str:
    text = as_text(cell)
    return "***" if how.sensitive else text if len(text) <= 40 else f"{text[:39]}…"


def bad(cell: Any, how: Reading, reason: str, advice: str) -> Fault:
    return Fault(reason.format(label=how.label, value=shown(cell, how)), advice)
