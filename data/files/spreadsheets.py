"""Spreadsheets read (工作簿): XLSX with what a cell does not tell of itself, and the formats of other programs.

What everybody sees in a spreadsheet is not always in the cell: zeros are in its number format, an error in its type, a
formula may have no value, rows are hidden by a filter or struck out, and days may be counted from 1904. Here the cells
become what everybody sees, and what cannot is said.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from data.base.errors import Invalid
from data.base.language import _
from data.files import columns, heads, sheets, sheets_2003, tables
from data.files.cells import is_empty, plain
from data.files.contents import Content
from data.files.formats import Format
from data.files.sheets import Look

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    SyntaxError,
    OverflowError,
    RuntimeError,
)
"""What a damaged spreadsheet makes its reader raise."""
_SHOWN_AS_DAYS = frozenset({*range(27, 37), *range(50, 59)})
"""Number formats that East Asian programs have built in and do not write down: 31 is 2026年3月18日, 58 3月18日."""


class Workbook:
    """An XLSX file; its layers are the visible sheets that hold something.

    Raises
    ------
    Invalid
        The file is damaged or protected by a password.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._book, self._strings = _opened(path)
                self._looks = _looks(self._book)
                self.layers = [
                    sheet.title
                    for sheet in self._book.worksheets
                    if sheet.sheet_state == "visible"
                    and sheets.holds_something(self._sheet(sheet, within=heads.WITHIN + 40))
                ]
            except _DAMAGE as error:
                raise damaged(path) from error

    def _sheet(self, sheet: Any, within: int | None = None) -> sheets.Sheet:
        with self._book._archive.open(sheet._worksheet_path) as file:
            return sheets.read(file, self._strings, self._looks, self._book.epoch, within=within)

    def read(self, layer: str, said: int | None = None) -> Content:
        """One sheet as a table; ``said`` is the row of its header, if the person says it."""
        try:
            sheet = self._sheet(self._book[layer])
        except _DAMAGE as error:
            raise damaged(self._path) from error
        table = _seen(sheet, said)
        if self._book.epoch.year == 1904:
            _count_from_1904(table)
        return table


class FlatWorkbook:
    """An Excel 2003 XML workbook, made safe by ``markup.safe_xml``; its layers are the visible sheets with something.

    Raises
    ------
    Invalid
        The file is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                found = sheets_2003.read(file)
        except _DAMAGE as error:
            raise damaged(path) from error
        self._sheets = {name: sheet for name, sheet in found.items() if sheets.holds_something(sheet)}
        self.layers = list(self._sheets)

    def read(self, layer: str, said: int | None = None) -> Content:
        """One sheet as a table; ``said`` is the row of its header, if the person says it."""
        return _seen(self._sheets[layer], said)


def _seen(sheet: sheets.Sheet, said: int | None) -> Content:
    """A sheet as a table, with what of its rows does not catch the eye."""
    table = _table(sheet.rows, said, sheet.merged)
    for at, sentence in (
        (sheet.hidden, _("Hidden rows, as a filter leaves them, are read like the others: {rows}.", rows="{rows}")),
        (sheet.struck, _("Rows that are struck out are read like the others: {rows}.", rows="{rows}")),
    ):
        there = [row for row in table.rows.tolist() if row in at]
        if there:
            table.notes.append(sentence.format(rows=columns.listed(there)))
    return table


def _opened(path: Path) -> tuple[Any, list[str]]:
    """The workbook without its cells, and its shared strings."""
    from openpyxl.reader.excel import ExcelReader
    from openpyxl.xml.constants import SHARED_STRINGS

    class Reader(ExcelReader):
        """Leaves the shared strings to us."""

        def read_strings(self) -> None:
            part = self.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call]
            if part is not None:
                with self.archive.open(part.PartName[1:]) as file:
                    self.shared_strings = sheets.read_strings(file)

    reader = Reader(io.BytesIO(path.read_bytes()), read_only=True, data_only=True, keep_links=False)
    reader.read()
    return reader.wb, reader.shared_strings


def _looks(book: Any) -> dict[str, Look]:
    """What the styles of a workbook make of a cell, by their numbers, as far as they make something of it."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS, BUILTIN_FORMATS_MAX_SIZE

    looks = {}
    for at, style in enumerate(book._cell_styles):
        form = style.numFmtId
        custom = form - BUILTIN_FORMATS_MAX_SIZE
        shown = book._number_formats[custom] if custom >= 0 else BUILTIN_FORMATS.get(form)
        look = Look(
            day=at in book._date_formats or form in _SHOWN_AS_DAYS,
            span=at in book._timedelta_formats,
            digits=sheets.digits_shown(shown),
            struck=bool(book._fonts[style.fontId].strike),
        )
        if look != Look():
            looks[str(at)] = look
    return looks


def damaged(path: Path) -> Invalid:
    """The refusal of a spreadsheet that cannot be read."""
    return Invalid(_("“{name}” is a damaged spreadsheet. Open and save it anew as XLSX.", name=path.name))


class OtherWorkbook:
    """A spreadsheet of another program or time: XLS, XLSB, ODS, an XLSX of the strict kind.

    Raises
    ------
    Invalid
        The file is damaged or protected by a password.
    """

    def __init__(self, path: Path, form: Format) -> None:
        import python_calamine as calamine

        self._path = path
        try:
            self._book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(path.read_bytes()))
            visible = calamine.SheetVisibleEnum.Visible
            self.layers = [
                sheet.name
                for sheet in self._book.sheets_metadata
                if sheet.visible == visible
                and any(not is_empty(cell) for row in self._rows(sheet.name) for cell in row)
            ]
        except calamine.PasswordError as error:
            raise locked(path) from error
        except (calamine.CalamineError, *_DAMAGE) as error:
            raise _unreadable(path, form) from error
        if not self._book.sheet_names:
            raise _unreadable(path, form)

    def _rows(self, layer: str) -> list[list[Any]]:
        sheet = self._book.get_sheet_by_name(layer)
        return [list(row) for row in sheet.to_python(skip_empty_area=False)]

    def read(self, layer: str, said: int | None = None) -> Content:
        """One sheet as a table; ``said`` is the row of its header, if the person says it."""
        sheet = self._book.get_sheet_by_name(layer)
        rows = [[_whole(cell) for cell in row] for row in self._rows(layer)]
        merged = [
            (left + 1, top + 1, right + 1, bottom + 1)
            for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        ]
        table = _table(rows, said, merged)
        table.notes.append(
            _("Of this format the cells alone are read: number formats, hidden rows and struck texts are not seen.")
        )
        return table


def _whole(cell: Any) -> Any:
    return int(cell) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else cell


def _unreadable(path: Path, form: Format) -> Invalid:
    return Invalid(
        _(
            "“{file}” is a {format} file, which cannot be read here. Save it as {instead} first.",
            file=path.name,
            format=form,
            instead="XLSX",
        ),
        format=str(form),
    )


def locked(path: Path) -> Invalid:
    """The refusal of a spreadsheet behind a password."""
    return Invalid(_("“{file}” is protected by a password. Save it without one.", file=path.name))


def _table(rows: list[list[Any]], said: int | None, merged: Sequence[sheets.Area]) -> Content:
    import pandas as pd

    width = max(map(len, rows), default=0)
    if width > tables.MOST_COLUMNS:
        raise Invalid(_("The table has {count} columns, which is too many.", count=width))
    top = max(said or 0, heads.WITHIN + 39) + 1
    first = [row + [None] * (width - len(row)) for row in rows[:top]]
    head = heads.find(first if said is None else first[: max(said + 1, heads.WITHIN)], said)
    filled = _fill_merged(rows, width, merged, head.row)
    at = [place for place in range(head.row + 1, len(rows)) if rows[place]]
    for place in at:
        rows[place].extend([None] * (width - len(rows[place])))
    cells = [rows[place] for place in at]
    frame = pd.DataFrame(
        {column: pd.Series([row[column] for row in cells], dtype=object) for column in range(width)},
        index=range(len(cells)),
    )
    names = [*head.names, *[None] * (width - len(head.names))]
    table = tables.framed(names, frame, np.array(at, dtype=np.int64) + 1)
    table.notes[:0] = head.notes
    if filled:
        table.notes.append(_("{count} merged areas were filled with their value.", count=filled))
    return table


def _fill_merged(rows: list[list[Any]], width: int, areas: Sequence[sheets.Area], header: int) -> int:
    filled = 0
    for left, top, right, bottom in areas:
        if top - 1 <= header or bottom > len(rows) or right > width:
            continue
        filled += 1
        value = rows[top - 1][left - 1] if left <= len(rows[top - 1]) else None
        for row in rows[top - 1 : bottom]:
            if all(is_empty(cell) for cell in row):
                continue
            row.extend([None] * (right - len(row)))
            row[left - 1 : right] = [value] * (right - left + 1)
    return filled


def _count_from_1904(table: Content) -> None:
    """Make days of the plain numbers in columns of days: this workbook counts them from 1904."""
    first = datetime(1904, 1, 1)  # noqa: DTZ001 - spreadsheets know no zone
    days = columns.headings_of_days()
    for name in table.frame.columns:
        cells = table.frame[name].tolist()
        if not any(isinstance(cell, datetime) for cell in cells) and plain(str(name)) not in days:
            continue
        table.frame[name] = [
            first + timedelta(seconds=round(cell * 86400)) if type(cell) in (int, float) and 0 < cell < 80_000 else cell
            for cell in cells
        ]
