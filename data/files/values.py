"""Cells of a file read as values of a field: dates in all their spellings, numbers, words of a list, phones.

Nothing here raises because of what a cell holds: what cannot be read is a :class:`Fault`, and becomes a reject with its
row; what is read with something left out is told. A whole column is read at once, because only the column tells whether
03/04/2026 begins with the day.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from data.base import texts
from data.base.language import _
from data.files import angles, days, people
from data.files.cells import (
    Fault,
    Reading,
    Reject,
    RejectKind,
    Remark,
    Type,
    as_text,
    bad,
    clean,
    guarded,
    is_empty,
    plain,
    shortened,
    unusable,
)
from data.files.days import Order, day_order
from spatial import spelling

__all__ = [
    "Fault",
    "Order",
    "Reading",
    "Reject",
    "RejectKind",
    "Remark",
    "Type",
    "as_text",
    "clean",
    "day_order",
    "degrees",
    "guarded",
    "is_empty",
    "plain",
    "read",
]


def read(
    cells: Iterable[Any], how: Reading, remarks: dict[int, str] | None = None
) -> tuple[list[Any], dict[int, Fault]]:
    """A column as values.

    Parameters
    ----------
    cells
        What the file holds: text, numbers, dates, None or NaN.
    remarks
        Gets, by position, what is said of a value that was read with something left out.

    Returns
    -------
    tuple
        The values, None where a cell is empty or cannot be read, and the faults by position in the column. Days are
        ``date``, instants aware ``datetime`` in UTC, choices codes, several choices a list of codes.
    """
    cells = list(cells)
    parse = _parser(cells, how)
    ordinary = _ORDINARY.get(how.type)
    known: dict[tuple[type, Any], Any] = {}
    values: list[Any] = []
    faults: dict[int, Fault] = {}
    for position, cell in enumerate(cells):
        if ordinary is not None and type(cell) is str and ordinary(cell):
            values.append(cell)
            continue
        try:
            value = known[type(cell), cell]
        except KeyError:
            value = known[type(cell), cell] = _value(cell, parse, how)
        except TypeError:
            value = _value(cell, parse, how)
        if isinstance(value, Remark):
            if remarks is not None:
                remarks[position] = value.sentence
            value = value.value
        if isinstance(value, Fault):
            faults[position] = value
            value = None
        values.append(value)
    return values, faults


_ORDINARY: dict[Type, Callable[[str], object]] = {
    Type.KEY: re.compile(
        r"(?!\d\d?-[A-Z][a-z]{2}\b|[A-Z][a-z]{2}-)(?=[A-Za-z-]*+[0-9])[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+"
    ).fullmatch,
    Type.PHONE: re.compile(r"1[0-9]{10}").fullmatch,
    Type.ADDRESS: re.compile(r"(?=[^0-9]*+[0-9])[\u4e00-\u9fff][\u4e00-\u9fff0-9A-Za-z-]*+").fullmatch,
}
"""Cells that are read as they stand, as nearly all of a large table are, told at a glance."""


def _value(cell: Any, parse: Callable[[Any], Any], how: Reading) -> Any:
    if isinstance(cell, str):
        if (fault := unusable(cell, how)) is not None:
            return fault
        cell = clean(cell)
        return parse(cell) if cell and cell.casefold() not in _NOTHING else None
    return None if is_empty(cell) else parse(cell)


_NOTHING = frozenset({"nan", "null", "<na>", "nat", "\\n"})
"""What programs write for a cell that holds nothing."""
_NONE = frozenset(
    {"无", "没有", "暂无", "不详", "空", "空白", "无电话", "无手机", "未知", "无固定电话", "none", "n/a", "na"}
)
"""What people write where there is no number and no name."""


def _absent(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``parse`` for fields of which 无 and - mean that there is none."""
    return lambda cell: None if isinstance(cell, str) and _says_none(cell) else parse(cell)


def _says_none(text: str) -> bool:
    return text.casefold() in _NONE or not re.search(r"[^\W_]|[*#]", text)


def _parser(cells: list[Any], how: Reading) -> Callable[[Any], Any]:
    parse = _parser_of_type(cells, how)
    if not how.sensitive:
        return parse
    # What an export has masked, or could not decrypt, is no name and no number.
    return lambda cell: _masked(how) if isinstance(cell, str) and _hidden(cell) else parse(cell)


def _hidden(cell: str) -> bool:
    return "*" in cell or texts.says_unreadable(cell)


def _masked(how: Reading) -> Fault:
    return Fault(_("{label} is masked.", label=how.label), _("Import the data in full, or leave the column out."))


def _parser_of_type(cells: list[Any], how: Reading) -> Callable[[Any], Any]:
    match how.type:
        case Type.TEXT:
            return as_text
        case Type.ADDRESS:
            return _absent(lambda cell: _address(cell, how))
        case Type.KEY:
            return _absent(lambda cell: _key(cell, how))
        case Type.DOOR:
            return _absent(lambda cell: _door(cell, how))
        case Type.NAME:
            return _absent(lambda cell: _name(cell, how))
        case Type.INTEGER:
            return lambda cell: _integer(cell, how)
        case Type.NUMBER:
            return lambda cell: _number(cell, how)
        case Type.BOOLEAN:
            return lambda cell: _boolean(cell, how)
        case Type.DATE:
            order = day_order(cells)
            return _absent(lambda cell: days.day(cell, how, order))
        case Type.BIRTHDAY:
            order = day_order(cells)
            return _absent(lambda cell: days.birthday(cell, how, order))
        case Type.DATETIME:
            order, zone = day_order(cells), ZoneInfo(how.timezone)
            return _absent(lambda cell: days.instant(cell, how, order, zone))
        case Type.DEGREES:
            return lambda cell: _degrees(cell, how)
        case Type.PHONE:
            return _absent(lambda cell: people.phone(cell, how))
        case Type.IDENTITY:
            lost = people.lost_digits(cells)
            return _absent(lambda cell: people.document(cell, how, lost=lost))
        case Type.CHOICE:
            listed = _listed(how)
            return lambda cell: _choice(cell, how, listed)
        case Type.CHOICES:
            listed = _listed(how)
            return lambda cell: _choices(cell, how, listed)


# ---- keys, doors, names ---------------------------------------------------------------------------------------------


def _calendar(cell: Any, how: Reading) -> Fault | None:
    """The fault of a cell that a spreadsheet has made a day or a time of: 3-2 became 2 March."""
    if isinstance(cell, date | time) or (isinstance(cell, str) and days.is_written_day(cell)):
        return Fault(
            _(
                "{label} “{value}” is a date: the spreadsheet took a number such as 3-2 for one.",
                label=how.label,
                value=as_text(cell),
            ),
            _("Format the column as text and enter the number again."),
        )
    if shortened(cell):
        return Fault(
            _("{label} “{value}” was shortened by the spreadsheet.", label=how.label, value=cell),
            _("Format the column as text and enter the number again."),
        )
    return None


def _address(cell: Any, how: Reading) -> str | Fault:
    return _calendar(cell, how) or as_text(cell)


_NO_KEY = re.compile(r"[:：。！？\n]\s*\D|[\u4e00-\u9fff][:：]|^=")
"""What stands in a sentence, a heading or a formula, and in no number."""


def _key(cell: Any, how: Reading) -> str | Fault:
    """What a record is known by: with a digit or a letter in it, and no sentence."""
    month = isinstance(cell, str) and not cell[:4].isdecimal() and days.is_written_day(cell)
    if isinstance(cell, datetime | date | time) or shortened(cell) or month:
        return _calendar(cell, how) or as_text(cell)
    text = spelling.key(as_text(cell))
    if not re.search(r"[0-9A-Za-z一二三四五六七八九十〇零甲乙丙丁戊]", text) or _NO_KEY.search(text):
        return bad(cell, how, _("{label} “{value}” does not look like one."), _("Give the number, or delete the row."))
    return text


def _door(cell: Any, how: Reading) -> str | Fault:
    return _calendar(cell, how) or spelling.key(as_text(cell))


def _name(cell: Any, how: Reading) -> str | Fault:
    text = spelling.name(as_text(cell))
    if not any(sign.isalpha() for sign in text):
        return Fault(_("{label} is no name.", label=how.label), _("Give the name as in the document."))
    return text


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
        return bad(cell, how, _("{label} “{value}” is not a number."), _("Write it in digits."))
    return number


def _integer(cell: Any, how: Reading) -> int | Fault:
    number = _float(cell)
    if number is None:
        return bad(cell, how, _("{label} “{value}” is not a number."), _("Write it in digits."))
    if not number.is_integer() or abs(number) >= 2**31:
        return bad(cell, how, _("{label} “{value}” is not a whole number."), _("Give a whole number."))
    return int(number)


def degrees(cell: Any) -> float | None:
    """Degrees as a number, ``121.506``, or as ``121°30′22.1″``; None when it is neither.

    >>> degrees("121.506°E"), degrees("西经71°3′31″"), degrees("12O.5")
    (121.506, -71.058611111111, None)
    """
    if not isinstance(cell, str):
        return _float(cell)
    found = angles.angle(cell)
    return found[0] if found else _float(cell)


def _degrees(cell: Any, how: Reading) -> float | Fault:
    number = degrees(cell)
    if number is None:
        return bad(cell, how, _("{label} “{value}” is not a number."), _("Write decimal degrees, such as 121.5061."))
    return number


_TRUE = {"1", "true", "t", "yes", "y", "是", "有", "√", "✓", "对"}
_FALSE = {"0", "false", "f", "no", "n", "否", "无", "×", "✗", "没有", "不是"}


def _boolean(cell: Any, how: Reading) -> bool | Fault:
    text = unicodedata.normalize("NFKC", as_text(cell)).strip().casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return bad(cell, how, _("{label} “{value}” is neither yes nor no."), _("Write 是 or 否."))


# ---- words and numbers of persons ----------------------------------------------------------------------------------


def _listed(how: Reading) -> list[str]:
    """The words of a list that people know."""
    return [word for word in how.words if not word.isascii()]


def _choice(cell: Any, how: Reading, listed: list[str]) -> str | Fault:
    text = as_text(cell)
    word = plain(text)
    # 户主之妻, 之妻 and 户主的妻子 are what 妻 and 妻子 are.
    code = how.words.get(word) or how.words.get(re.sub(r"^(?:户主)?[之的]|^户主(?=.)", "", word))
    if code is not None:
        return code
    if not how.closed:
        return text
    if "*" in how.words:
        return how.words["*"]
    near = _near(word, listed)
    advice = _("Did you mean “{near}”?", near=near) if near else _("Choose one from the list.")
    return replace(bad(cell, how, _("{label} “{value}” is none of the known ones."), advice), near=near)


def _near(text: str, words: list[str]) -> str | None:
    """The word of the list that is likeliest meant: what the text holds or is held by, else one nearly spelled so."""
    words = [word for word in words if _denied(word) == _denied(text)]
    held = [word for word in words if len(word) > 1 and (word in text or (len(text) > 1 and text in word))]
    if held:
        return max(held, key=len)
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    # A table can hold the same mistake, or another one, in each of its rows.
    close = process.extractOne(text[:_LONGEST_WORD], words, scorer=Indel.normalized_similarity, score_cutoff=_NEAR)
    return close[0] if close else None


def _denied(word: str) -> bool:
    """Whether a word denies another: 无配偶 is not nearly 有配偶, nor 失独 nearly 独居."""
    return word[:1] in "无非未不失没"


_LONGEST_WORD = 100
_NEAR = 0.6
"""How alike two words are of which one may be meant."""
_BETWEEN = re.compile(r"[,，、;；/|\n]+")


def _choices(cell: Any, how: Reading, listed: list[str]) -> list[str] | Fault:
    parts = list(cell) if isinstance(cell, (list, tuple)) else _BETWEEN.split(as_text(cell))
    codes: list[str] = []
    for part in parts:
        text = clean(as_text(part))
        if not text or plain(text) in ("无", "none", "普通", "普通户", "普通家庭", "ordinary"):
            continue
        code = _choice(text, how, listed)
        if isinstance(code, Fault):
            return code
        if code not in codes:
            codes.append(code)
    return codes
