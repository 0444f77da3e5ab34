"""Tables without shapes: CSV and its kin, spreadsheets, JSON records, Open311 answers.

Every cell stays as it is in the file, text in CSV, numbers and days where the file knows them. A row is numbered as a
spreadsheet shows it, so a title above the header, blank rows and merged cells do not shift it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.exchange import encodings, geojson, open311
from data.exchange.contents import Content
from data.exchange.values import Reject, is_empty

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",\t;|，"
_HEADER_WITHIN = 10
"""The header is looked for in the first rows only."""
_MOST_COLUMNS = 2000
_LONGEST_CELL = 1 << 26
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, KeyError, IndexError, ValueError, TypeError, AttributeError, OSError, EOFError,
    SyntaxError, OverflowError, RuntimeError,
)  # fmt: skip
"""What a damaged spreadsheet makes its reader raise."""


# ---- CSV -----------------------------------------------------------------------------------------------------------


def read_csv(path: Path, asked: str | None = None) -> Content:
    """A text table, its separator found out.

    Raises
    ------
    Invalid
        The encoding is wrong, a quotation mark is never closed, there is no row, or none fits the header.
    """
    content = path.read_bytes()
    text, encoding = encodings.decode(content, asked)
    if "\0" in text:
        raise Invalid(_("“{name}” holds zero bytes; it is no text table.", name=path.name))
    separator, skipped = _separator(text)
    head = list(_parsed(text[: 1 << 18], separator, path.name, within=skipped + _HEADER_WITHIN + 40))
    if all(is_empty(cell) for row in head for cell in row):
        raise Invalid(_("“{name}” holds no row.", name=path.name))
    header = skipped + _header_row(head[skipped:])
    utf8 = content if encoding.name == "UTF-8" else text.encode()
    table = None
    if header == 0 and utf8.count(b'"') % 2 == 0:
        table = _fast(utf8.removeprefix(b"\xef\xbb\xbf"), separator, len(head[0]))
    if table is None:
        table = _checked(text, separator, header, path.name)
    table.encoding = encoding
    if header > skipped:
        table.notes.append(_("The header was taken from row {row}; the rows above are a title.", row=header + 1))
    return table


def _separator(text: str) -> tuple[str, int]:
    """What separates the cells, and how many lines before the table say so (``sep=;``)."""
    stated = re.match(r"(?i)sep=(.)\r?\n", text)
    if stated:
        return stated[1], 1
    lines = text[: 1 << 16].splitlines()[:50]
    best, most = ",", 0.0
    for separator in _SEPARATORS:
        widths = [len(row) for row in csv.reader(lines, delimiter=separator) if row]
        if widths and max(widths) > 1:
            usual = max(set(widths), key=lambda width: (widths.count(width), width))
            score = widths.count(usual) / len(widths) * (1 if usual > 1 else 0.1) + usual / 10_000
            if score > most:
                best, most = separator, score
    return best, 0


def _parsed(text: str, separator: str, name: str, within: int | None = None) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=within is None)
    start = 1
    try:
        for row in reader:
            yield row
            start = reader.line_num + 1
            if within and reader.line_num >= within:
                return
    except csv.Error as error:
        raise Invalid(
            _("Line {line} of “{name}”: a quotation mark is not closed, or stands inside a cell.", line=start,
              name=name),
            line=start,
        ) from error  # fmt: skip


def _header_row(rows: Sequence[Sequence[Any]]) -> int:
    """Where the header is: the first row about as wide as the widest; what is above is a title."""
    widths = [sum(not is_empty(cell) for cell in row) for row in rows[: _HEADER_WITHIN + 40]]
    widest = max(widths, default=0)
    for position, width in enumerate(widths[:_HEADER_WITHIN]):
        if width >= max(widest / 2, 1) and (width > 1 or widest == 1):
            return position
    return 0


def _fast(content: bytes, separator: str, width: int) -> Content | None:
    """The table when every row fits the header; None when not. Many times faster than row by row."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    if len(separator.encode()) > 1:
        return None
    types = {f"f{column}": pa.string() for column in range(width)}
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(content),
            read_options=arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=16 << 20),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, newlines_in_values=True, ignore_empty_lines=False
            ),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_columns != width:
        return None
    header = [str(column[0]) for column in table.columns]
    frame = table.slice(1).to_pandas()
    return _framed(header, frame, np.arange(2, len(frame) + 2, dtype=np.int64))


def _checked(text: str, separator: str, header: int, name: str) -> Content:
    """The table row by row: those that do not fit the header become rejects."""
    import pandas as pd

    parsed = _parsed(text, separator, name)
    for _above in range(header):
        next(parsed, None)
    columns = next(parsed, [])
    kept: list[list[str]] = []
    numbers: list[int] = []
    rejects: list[Reject] = []
    for number, row in enumerate(parsed, start=header + 2):
        if len(row) > len(columns) and not any(cell.strip() for cell in row[len(columns) :]):
            row = row[: len(columns)]
        if not any(cell.strip() for cell in row):
            continue
        if len(row) == len(columns):
            kept.append(row)
            numbers.append(number)
            continue
        rejects.append(
            Reject(
                row=number,
                reason=_("The row has {count} cells, the header has {wanted}.", count=len(row), wanted=len(columns)),
                advice=_("Put texts that hold the separator or a line break into quotation marks."),
                values=dict(zip(_names([*columns, *[None] * len(row)]), row, strict=False)),
            )
        )
    if len(rejects) > len(kept):
        raise Invalid(
            _("“{name}” is no table: {count} of {all} rows do not fit the header. Row {row}: {reason}", name=name,
              count=len(rejects), all=len(rejects) + len(kept), row=rejects[0].row, reason=rejects[0].reason)
        )  # fmt: skip
    frame = pd.DataFrame(kept, columns=range(len(columns)), dtype=object)
    table = _framed(columns, frame, np.array(numbers, dtype=np.int64))
    table.rejects = rejects
    return table


def _framed(header: Sequence[Any], frame: pd.DataFrame, rows: NDArray[np.int64]) -> Content:
    """A table of these columns: blank rows left out, columns without heading and cells too, names made unique."""
    if len(header) > _MOST_COLUMNS:
        raise Invalid(_("The table has {count} columns, which is too many.", count=len(header)))
    void = np.ones(len(frame), dtype=bool)
    unnamed = []
    for position in range(frame.shape[1]):
        cells = frame.iloc[:, position]
        empty = (cells.isna() | (cells == "")).to_numpy(dtype=bool)
        void &= empty
        if is_empty(header[position]) and empty.all():
            unnamed.append(position)
    frame.columns = _names(header)
    if unnamed:
        frame = frame.iloc[:, [at for at in range(frame.shape[1]) if at not in unnamed]]
    return Content(frame[~void].reset_index(drop=True), rows[~void])


def _names(header: Sequence[Any]) -> list[str]:
    """Headings as names: trimmed, ``#3`` for a third column without one, a repeated one numbered."""
    names: list[str] = []
    for position, cell in enumerate(header, start=1):
        name = f"#{position}" if is_empty(cell) else re.sub(r"\s+", " ", str(cell)).strip()
        unique, count = name, 2
        while unique in names:
            unique, count = f"{name} ({count})", count + 1
        names.append(unique)
    return names


# ---- spreadsheets --------------------------------------------------------------------------------------------------


class Workbook:
    """A spreadsheet file; its layers are the visible sheets that hold something.

    Raises
    ------
    Invalid
        The file is damaged or protected by a password.
    """

    def __init__(self, path: Path) -> None:
        import openpyxl

        self._path = path
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self._book = openpyxl.load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
            except _DAMAGE as error:
                raise self._damaged() from error
        self.layers = [
            sheet.title
            for sheet in self._book.worksheets
            if sheet.sheet_state == "visible" and self._holds_something(sheet)
        ]

    def _damaged(self) -> Invalid:
        return Invalid(_("“{name}” is a damaged spreadsheet. Open and save it anew as XLSX.", name=self._path.name))

    def _holds_something(self, sheet: Any) -> bool:
        return any(not is_empty(cell) for row in self._rows(sheet, _HEADER_WITHIN + 40) for cell in row)

    def _rows(self, sheet: Any, most: int | None = None) -> list[tuple[Any, ...]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                sheet.reset_dimensions()
                return list(islice(sheet.iter_rows(values_only=True), most))
            except _DAMAGE as error:
                raise self._damaged() from error

    def read(self, layer: str) -> Content:
        """One sheet as a table."""
        import pandas as pd

        sheet = self._book[layer]
        rows = self._rows(sheet)
        header = _header_row(rows)
        width = max(len(row) for row in rows)
        if width > _MOST_COLUMNS:
            raise Invalid(_("The table has {count} columns, which is too many.", count=width))
        cells = [list(row) + [None] * (width - len(row)) for row in rows]
        filled = _fill_merged(cells, self._merged(sheet), header)
        frame = pd.DataFrame(
            {at: pd.Series([row[at] for row in cells[header + 1 :]], dtype=object) for at in range(width)}
        )
        table = _framed(cells[header], frame, np.arange(header + 2, len(cells) + 1, dtype=np.int64))
        if header:
            table.notes.append(_("The header was taken from row {row}; the rows above are a title.", row=header + 1))
        if filled:
            table.notes.append(_("{count} merged areas were filled with their value.", count=filled))
        return table

    def _merged(self, sheet: Any) -> list[tuple[int, int, int, int]]:
        """Merged areas as first column, first row, last column, last row, from 1; this reader does not tell them."""
        from openpyxl.utils.cell import range_boundaries

        areas: dict[tuple[int, int, int, int], None] = {}
        try:
            with zipfile.ZipFile(self._path) as archive, archive.open(sheet._worksheet_path) as file:
                rest = b""
                while block := file.read(1 << 20):
                    for found in re.finditer(rb'<mergeCell ref="([A-Z]+\d+:[A-Z]+\d+)"', rest + block):
                        areas[cast(tuple[int, int, int, int], range_boundaries(found[1].decode()))] = None
                    rest = (rest + block)[-60:]
        except _DAMAGE as error:
            raise self._damaged() from error
        return list(areas)


def _fill_merged(cells: list[list[Any]], areas: list[tuple[int, int, int, int]], header: int) -> int:
    filled = 0
    for left, top, right, bottom in areas:
        if top - 1 <= header or bottom > len(cells) or right > len(cells[0]):
            continue
        filled += 1
        for row in range(top - 1, bottom):
            if all(is_empty(cell) for cell in cells[row]):
                continue
            for column in range(left - 1, right):
                cells[row][column] = cells[top - 1][left - 1]
    return filled


# ---- records -------------------------------------------------------------------------------------------------------


def read_records(text: str) -> Content:
    """JSON objects, in a list or one a line.

    Raises
    ------
    Invalid
        An element is no object, or the JSON is broken.
    """
    found: list[dict[str, Any]] = []
    for number, item in enumerate(geojson.records(text), start=1):
        if not isinstance(item, dict):
            raise Invalid(
                _("The JSON is neither GeoJSON nor a list of records: element {row} is no object.", row=number),
                row=number,
            )
        found.append(item)
    open311.refuse_records(found)
    nested = any(isinstance(value, (dict, list)) for item in found for value in item.values())
    if nested and len(found) == 1 and text.lstrip().startswith("{"):
        raise Invalid(
            _("The JSON is neither GeoJSON nor a list of records; its members are {members}.",
              members=", ".join(list(found[0])[:8]))
        )  # fmt: skip
    return _from_dicts(found)


def read_open311(path: Path) -> Content:
    """The requests of an Open311 GeoReport answer."""
    requests = ElementTree.parse(path).getroot()  # noqa: S314 - checked by markup.safe_xml before
    found = [{child.tag: (child.text or "").strip() for child in request} for request in requests]
    open311.refuse_records(found, path.name)
    return _from_dicts(found)


def _from_dicts(found: list[dict[str, Any]]) -> Content:
    import pandas as pd

    columns = list(dict.fromkeys(key for item in found for key in item))
    if len(columns) > _MOST_COLUMNS:
        raise Invalid(_("The table has {count} columns, which is too many.", count=len(columns)))
    frame = pd.DataFrame(
        {column: pd.Series([flat(item.get(column)) for item in found], dtype=object) for column in columns},
        index=range(len(found)),
    )
    return Content(frame, np.arange(1, len(found) + 1, dtype=np.int64))


def flat(value: Any) -> Any:
    """A value of a cell; objects and lists as JSON text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
