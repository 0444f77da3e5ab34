"""Excel 2003 XML 工作簿: one XML document with all sheets, as report systems of offices write it under the name .xls.

Source: Microsoft, "XML Spreadsheet Reference" (2001), elements Workbook, Styles, Worksheet, Table, Row, Cell, Data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any

from data.files import sheets
from data.files.cells import FORMULA
from data.files.sheets import Look, Sheet

_SPACE = "urn:schemas-microsoft-com:office:spreadsheet "
_MOST_COLUMNS = 16_384
#: Days before which there is only a time.
_FIRST_DAY = datetime(1900, 1, 1)  # noqa: DTZ001 - spreadsheets know no zone


def read(file: IO[bytes]) -> dict[str, Sheet]:
    """The visible sheets by their names, in the order of the workbook.

    Raises
    ------
    ValueError
        The document is damaged, or a row or column is none that a spreadsheet has.
    """
    reader = _Document()
    sheets.feed(file, reader, lambda: False)
    return {name: sheet for name, sheet in reader.sheets.items() if name not in reader.unseen}


class _Document:
    """Takes the sheets from the XML."""

    def __init__(self) -> None:
        self.sheets: dict[str, Sheet] = {}
        self.unseen: set[str] = set()
        self._name = ""
        self._sheet = Sheet()
        self._looks: dict[str, Look] = {}
        self._style = ""
        self._of_columns: dict[int, str] = {}
        self._of_row = ""
        self._row = self._column = self._next_column = self._span = 0
        self._cell: Mapping[str, str] = {}
        self._kind: str | None = None
        self._parts: list[str] = []
        self._told: list[str] = []
        self._taking = self._remark = False
        self._cells: list[bool] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        own = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        local = name.rpartition(" ")[2]
        if local == "Comment":
            self._remark = True
        elif local == "Visible":
            self._told = []
        elif name.startswith(_SPACE) and not self._remark:
            begin = getattr(self, f"_begin_{local.lower()}", None)
            if begin is not None:
                begin(own)

    def text(self, part: str) -> None:
        self._told.append(part)
        if self._taking:
            self._parts.append(part)

    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "Comment":
            self._remark = False
        elif self._remark:
            return
        elif name == f"{_SPACE}Data":
            self._taking = False
        elif name == f"{_SPACE}Cell":
            self._end_cell()
        elif name == f"{_SPACE}Row" and self._cells and all(self._cells):
            self._sheet.struck.add(self._row)
        elif local == "Visible" and "".join(self._told).strip() in ("SheetHidden", "SheetVeryHidden"):
            self.unseen.add(self._name)

    def _begin_style(self, own: Mapping[str, str]) -> None:
        self._style = own.get("ID", "")
        self._looks[self._style] = self._looks.get(own.get("Parent", "Default"), Look())

    def _begin_numberformat(self, own: Mapping[str, str]) -> None:
        from openpyxl.styles.numbers import is_date_format

        form = own.get("Format", "")
        self._looks[self._style] = self._looks[self._style]._replace(
            day=bool(is_date_format(form)), digits=sheets.digits_shown(form)
        )

    def _begin_font(self, own: Mapping[str, str]) -> None:
        if self._style in self._looks:
            self._looks[self._style] = self._looks[self._style]._replace(struck=own.get("StrikeThrough") == "1")

    def _begin_worksheet(self, own: Mapping[str, str]) -> None:
        self._name, self._sheet = own.get("Name") or f"Sheet{len(self.sheets) + 1}", Sheet()
        self.sheets[self._name] = self._sheet
        self._of_columns, self._next_column = {}, 1
        self._row = self._span = 0

    def _begin_column(self, own: Mapping[str, str]) -> None:
        first = _number(own, "Index", self._next_column)
        last = first + _number(own, "Span", 0)
        if not 0 < first <= last <= _MOST_COLUMNS:
            raise ValueError(f"There is no column {last}.")
        for column in range(first, last + 1) if "StyleID" in own else ():
            self._of_columns[column] = own["StyleID"]
        self._next_column = last + 1

    def _begin_row(self, own: Mapping[str, str]) -> None:
        self._row = _number(own, "Index", self._row + self._span + 1)
        self._span = _number(own, "Span", 0)
        if not len(self._sheet.rows) < self._row <= sheets.MOST_ROWS:
            raise ValueError(f"There is no row {self._row}.")
        self._sheet.rows.extend([] for _row in range(self._row - len(self._sheet.rows)))
        self._of_row, self._column, self._cells = own.get("StyleID", ""), 0, []
        if own.get("Hidden") == "1":
            self._sheet.hidden.add(self._row)

    def _begin_cell(self, own: Mapping[str, str]) -> None:
        self._column = _number(own, "Index", self._column + 1)
        if not 0 < self._column <= _MOST_COLUMNS or not self._row:
            raise ValueError(f"There is no column {self._column}.")
        self._cell, self._kind, self._parts = own, None, []

    def _begin_data(self, own: Mapping[str, str]) -> None:
        self._kind, self._taking = own.get("Type", "String"), True

    def _end_cell(self) -> None:
        left, top = self._column, self._row
        across, down = _number(self._cell, "MergeAcross", 0), _number(self._cell, "MergeDown", 0)
        if across or down:
            self._sheet.merged.append((left, top, left + across, top + down))
        style = self._cell.get("StyleID") or self._of_row or self._of_columns.get(left, "Default")
        look = self._looks.get(style, Look())
        value = self._value("".join(self._parts), look)
        self._column += across
        if value is None:
            return
        row = self._sheet.rows[top - 1]
        row.extend([None] * (left - len(row)))
        row[left - 1] = value
        self._cells.append(look.struck)

    def _value(self, text: str, look: Look) -> Any:
        if self._kind is None or not text:
            return FORMULA if "Formula" in self._cell and self._kind != "String" else None
        if self._kind == "Boolean":
            return text.strip() in ("1", "true")
        if self._kind == "DateTime":
            moment = datetime.fromisoformat(text.strip())
            return moment if moment >= _FIRST_DAY else moment.time()
        return sheets.of_number(text.strip(), look) if self._kind == "Number" else text


def _number(own: Mapping[str, str], name: str, otherwise: int) -> int:
    """A whole number of an element, which is none below zero."""
    found = int(own[name]) if name in own else otherwise
    if found < 0:
        raise ValueError(f"{name} is {found}.")
    return found
