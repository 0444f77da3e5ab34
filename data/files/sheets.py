"""The sheets of an XLSX, cell by cell (工作表): its XML in one pass, with what a cell does not tell of itself.

A library that makes an object of every element takes ten times as long, and tells neither which rows are hidden nor
which formulas were never calculated. What a style means (a day, zeros in front, struck out) is told by the workbook.

Source: ECMA-376-1, 18.3.1 (worksheets), 18.4 (shared strings), 18.8.30 (number formats), 22.9.2.19 (``_x000D_``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import IO, Any, NamedTuple, Protocol
from xml.parsers import expat

from data.files.cells import FORMULA, is_empty

Area = tuple[int, int, int, int]
"""First column, first row, last column, last row, from 1."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main "
_ROW, _CELL, _VALUE, _INLINE, _TEXT, _SPOKEN, _FORMULA, _MERGED, _STRING = (
    _MAIN + name for name in ("row", "c", "v", "is", "t", "rPh", "f", "mergeCell", "si")
)
_BLOCK = 1 << 16
MOST_ROWS = 1 << 20
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Look(NamedTuple):
    """What a style makes of a cell.

    Attributes
    ----------
    day, span
        Whether a number is a day or a time, and whether it is a length of time.
    digits
        What a whole number is shown in, where that is more than its digits: ``0000``, ``H000``.
    struck
        Whether a line goes through it.
    """

    day: bool = False
    span: bool = False
    digits: str = ""
    struck: bool = False


@dataclass
class Sheet:
    """The cells of a sheet as everybody sees them.

    Attributes
    ----------
    rows
        From the first; those that are not in the file are empty, and each is as long as its last filled cell says.
    hidden, struck
        The numbers of the rows that are hidden, and of those whose every filled cell is struck out.
    merged
        The areas that are one cell.
    """

    rows: list[list[Any]] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    struck: set[int] = field(default_factory=set)
    merged: list[Area] = field(default_factory=list)


def read(
    file: IO[bytes],
    strings: Sequence[str],
    looks: Mapping[str, Look],
    epoch: datetime,
    *,
    within: int | None = None,
) -> Sheet:
    """Read a sheet.

    Parameters
    ----------
    strings
        The shared strings of the workbook.
    looks
        By the number of a style, those that make something of a cell.
    epoch
        From when days are counted.
    within
        How many rows are wanted, if not all.

    Raises
    ------
    ValueError, KeyError, IndexError
        The sheet is damaged.
    """
    reader = _Cells(strings, looks, epoch)
    feed(file, reader, lambda: within is not None and len(reader.sheet.rows) > within)
    return reader.sheet


def read_strings(file: IO[bytes]) -> list[str]:
    """The shared strings of a workbook, without how they are spoken.

    Raises
    ------
    ValueError
        They are damaged.
    """
    reader = _Strings()
    feed(file, reader, lambda: False)
    return reader.strings


def unescaped(text: str) -> str:
    """A text of a workbook, where ``_x000D_`` stands for a character that XML cannot hold.

    >>> unescaped("a_x000D_b"), unescaped("_x005F_x000D_")
    ('a\\rb', '_x000D_')
    """
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def escaped(text: str) -> str:
    """A text as a workbook holds it: what :func:`unescaped` makes a text of again.

    >>> escaped("_x000D_"), escaped("a_x_b"), escaped("a\\rb")
    ('_x005F_x000D_', 'a_x_b', 'a_x000D_b')
    """
    return _ESCAPED.sub(lambda found: f"_x005F{found[0]}", text).replace("\r", "_x000D_")


class Reader(Protocol):
    """Takes what it wants from the XML of a workbook."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def text(self, part: str) -> None:
        """A piece of text."""

    def end(self, name: str) -> None:
        """An element ends."""


def feed(file: IO[bytes], reader: Reader, enough: Callable[[], bool]) -> None:
    """Hand the elements of an XML document to a reader, until it is over or ``enough``.

    Raises
    ------
    ValueError
        It is not well-formed, or declares a type.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.buffer_size = _BLOCK
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        while block := file.read(_BLOCK):
            parser.Parse(block, False)
            if enough():
                return
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from error


def _refuse(*_declared: Any) -> None:
    raise ValueError("A sheet declares no types of documents.")


class _Strings:
    """Takes the shared strings from the XML."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._parts: list[str] = []
        self._taking = self._spoken = False

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        if name == _TEXT:
            self._taking = not self._spoken
        elif name == _SPOKEN:
            self._spoken = True

    def text(self, part: str) -> None:
        if self._taking:
            self._parts.append(part)

    def end(self, name: str) -> None:
        if name == _TEXT:
            self._taking = False
        elif name == _STRING:
            self.strings.append(unescaped("".join(self._parts)))
            self._parts = []
        elif name == _SPOKEN:
            self._spoken = False


class _Cells:
    """Takes the cells of a sheet from the XML."""

    def __init__(self, strings: Sequence[str], looks: Mapping[str, Look], epoch: datetime) -> None:
        self.sheet = Sheet()
        self._strings, self._looks, self._epoch = strings, looks, epoch
        self._strikes = any(look.struck for look in looks.values())
        self._columns: dict[str, int] = {}
        self._days: dict[tuple[str, bool], Any] = {}
        self._number = self._column = 0
        self._row: list[Any] = []
        self._kind = "n"
        self._look: Look | None = None
        self._parts: list[str] = []
        self._taking = self._spoken = self._formula = False
        self._filled = self._through = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == _CELL:
            place = attributes.get("r")
            self._column = self._at(place) if place else self._column + 1
            self._kind = attributes.get("t", "n")
            self._look = self._looks.get(attributes.get("s", "0"))
            self._parts, self._formula = [], False
        elif name == _VALUE:
            self._taking = self._kind != "inlineStr"
        elif name == _TEXT:
            self._taking = self._kind == "inlineStr" and not self._spoken
        elif name == _ROW:
            self._begin(attributes)
        elif name == _FORMULA:
            self._formula = True
        elif name == _SPOKEN:
            self._spoken = True
        elif name == _MERGED:
            self._merge(attributes["ref"])

    def text(self, part: str) -> None:
        if self._taking:
            self._parts.append(part)

    def end(self, name: str) -> None:
        if name in (_VALUE, _TEXT):
            self._taking = False
        elif name == _CELL:
            self._end_cell()
        elif name == _SPOKEN:
            self._spoken = False
        elif name == _ROW and self._filled and self._through and self._strikes:
            self.sheet.struck.add(self._number)

    def _begin(self, attributes: Mapping[str, str]) -> None:
        stated = attributes.get("r")
        self._number = int(float(stated)) if stated else self._number + 1
        if not 0 < self._number <= MOST_ROWS:
            raise ValueError(f"There is no row {self._number}.")
        rows = self.sheet.rows
        while len(rows) < self._number:
            rows.append([])
        self._row, self._column = rows[self._number - 1], 0
        self._filled, self._through = False, True
        if attributes.get("hidden") in ("1", "true"):
            self.sheet.hidden.add(self._number)

    def _at(self, place: str) -> int:
        """The column of a place such as AB12, from 1."""
        letters = place.rstrip("0123456789")
        if letters not in self._columns:
            from openpyxl.utils.cell import column_index_from_string

            self._columns[letters] = column_index_from_string(letters)
        return self._columns[letters]

    def _merge(self, area: str) -> None:
        from openpyxl.utils.cell import range_boundaries

        left, top, right, bottom = range_boundaries(area)
        if left and top and right and bottom:
            self.sheet.merged.append((left, top, right, bottom))

    def _end_cell(self) -> None:
        value = self._value("".join(self._parts))
        if value is None:
            return
        row, at = self._row, self._column - 1
        if at >= len(row):
            row.extend([None] * (at - len(row)))
            row.append(value)
        else:
            row[at] = value
        self._filled = True
        if self._through:
            self._through = self._look is not None and self._look.struck

    def _value(self, text: str) -> Any:
        kind = self._kind
        if not text:
            # A formula that gives an empty text says so; one that was never calculated says nothing.
            return FORMULA if self._formula and kind != "str" else None
        if kind == "n":
            return self._of_number(text)
        if kind == "s":
            return self._strings[int(text)]
        if kind == "b":
            return text.strip() in ("1", "true")
        if kind == "d":
            from openpyxl.utils import datetime as days

            moment: Any = days.from_ISO8601(text)  # type: ignore[no-untyped-call]
            return moment
        return text if kind == "e" else unescaped(text)

    def _of_number(self, text: str) -> Any:
        look = self._look
        if look is not None and look.day:
            key = (text, look.span)
            if key not in self._days:
                self._days[key] = self._day(_number(text), span=look.span)
            return self._days[key]
        return of_number(text, look)

    def _day(self, number: float, *, span: bool) -> Any:
        from openpyxl.utils.datetime import from_excel

        try:
            return from_excel(number, self._epoch, timedelta=span)
        except (OverflowError, ValueError):
            return "#VALUE!"


def _number(text: str) -> int | float:
    """A number as it is written: one with a point or an exponent is none that identifies anything."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def of_number(text: str, look: Look | None) -> Any:
    """A number as everybody sees it: with the zeros that its format shows.

    Raises
    ------
    ValueError
        It is none.
    """
    number = _number(text)
    if look is not None and look.digits and type(number) is int and number >= 0:
        return _in_digits(number, look.digits)
    return number


def _in_digits(number: int, form: str) -> str:
    """A whole number as a format shows it, filled in from the right; digits beyond the format stand before it.

    >>> _in_digits(12, "0000"), _in_digits(13, "H000"), _in_digits(14, "000-000"), _in_digits(12345, "H000")
    ('0012', 'H013', '000-014', 'H12345')
    """
    digits = list(str(number).zfill(form.count("0")))
    shown: list[str] = []
    left = form.count("0")
    for sign in reversed(form):
        if sign != "0":
            shown.append(sign)
            continue
        left -= 1
        shown.append(digits.pop())
        while not left and digits:
            shown.append(digits.pop())
    return "".join(reversed(shown))


@cache
def digits_shown(form: str | None) -> str:
    """A number format that shows more of a whole number than its digits, its words without their marks; else nothing.

    >>> digits_shown("0000"), digits_shown('"H"000'), digits_shown('000"-"000'), digits_shown('0"号"')
    ('0000', 'H000', '000-000', '0号')
    >>> digits_shown("0"), digits_shown("0.00"), digits_shown("#,##0"), digits_shown("General"), digits_shown('0"人"')
    ('', '', '', '', '')
    """
    first = (form or "").split(";")[0]
    plain = _LITERAL.sub(lambda found: found[1] or found[2] or "", first)
    left = _LITERAL.sub("", first)
    if not re.fullmatch(r"0[0-]*", left) or re.search(r"\d", _LITERAL.sub("", plain.replace("0", ""))):
        return ""
    return plain if plain != "0" and not _COUNTED.fullmatch(plain) else ""


_LITERAL = re.compile(r'"([^"0]*)"|\\([^0])')
_COUNTED = re.compile(r"0+\s*(?:人|户|岁|元|个|件|层|间|套|栋|㎡|m²|平方米|平米|%)")
"""A unit behind a number is no part of it."""


def holds_something(sheet: Sheet) -> bool:
    """Whether any cell says anything."""
    return any(not is_empty(cell) for row in sheet.rows for cell in row)
