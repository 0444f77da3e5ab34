"""Tables without shapes: CSV and its kin, spreadsheets, JSON records, Open311 answers.

Every cell stays as it is in the file, text in CSV, numbers and days where the file knows them. A row is numbered as a
spreadsheet shows it, so a title above the header, blank rows and merged cells do not shift it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from data.base import texts
from data.base.errors import Invalid
from data.base.language import _
from data.files import encodings, geojson, heads, open311
from data.files.contents import Content
from data.files.values import Reject, is_empty

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = ",\t;|，"
MOST_COLUMNS = 2000
_LONGEST_CELL = 1 << 26


# ---- CSV -----------------------------------------------------------------------------------------------------------


def read_csv(path: Path, asked: str | None = None, said: int | None = None) -> Content:
    """A text table, its separator found out; ``said`` is the row of its header, if the person says it.

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
    head = list(_parsed(text[: 1 << 18], separator, path.name, within=skipped + heads.WITHIN + 40))
    if all(is_empty(cell) for row in head for cell in row):
        raise Invalid(_("“{name}” holds no row.", name=path.name))
    top = heads.find(head, said, begins=skipped)
    header = top.row
    utf8 = content if encoding.name == "UTF-8" else text.encode()
    table = None
    if header == 0 and utf8.count(b'"') % 2 == 0:
        table = _fast(utf8.removeprefix(b"\xef\xbb\xbf"), separator, len(head[0]))
    if table is None:
        table = _checked(text, separator, top, path.name)
    table.encoding = encoding
    table.notes[:0] = top.notes
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
            _(
                "Line {line} of “{name}”: a quotation mark is not closed, or stands inside a cell.",
                line=start,
                name=name,
            ),
            line=start,
        ) from error


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
    return framed(header, frame, np.arange(2, len(frame) + 2, dtype=np.int64))


def _checked(text: str, separator: str, head: heads.Head, name: str) -> Content:
    """The table row by row: those that do not fit the header become rejects."""
    import pandas as pd

    parsed = _parsed(text, separator, name)
    for _above in range(head.row):
        next(parsed, None)
    columns = [*head.names, *[None] * (len(next(parsed, [])) - len(head.names))]
    kept: list[list[str]] = []
    numbers: list[int] = []
    rejects: list[Reject] = []
    names = _names(columns)
    for number, row in enumerate(parsed, start=head.row + 2):
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
                values=dict(zip(names + [f"#{at}" for at in range(len(names) + 1, len(row) + 1)], row, strict=False)),
            )
        )
    if len(rejects) > len(kept):
        raise Invalid(
            _(
                "“{name}” is no table: {count} of {all} rows do not fit the header. Row {row}: {reason}",
                name=name,
                count=len(rejects),
                all=len(rejects) + len(kept),
                row=rejects[0].row,
                reason=rejects[0].reason,
            )
        )
    frame = pd.DataFrame(kept, columns=range(len(columns)), dtype=object)
    table = framed(columns, frame, np.array(numbers, dtype=np.int64))
    table.rejects = rejects
    return table


def framed(header: Sequence[Any], frame: pd.DataFrame, rows: NDArray[np.int64]) -> Content:
    """A table of these columns, its names made unique.

    Blank rows are left out, columns without heading and cells too, and what is no row of the table, which is told.
    """
    if len(header) > MOST_COLUMNS:
        raise Invalid(_("The table has {count} columns, which is too many.", count=len(header)))
    void = np.ones(len(frame), dtype=bool)
    unnamed = []
    for position in range(frame.shape[1]):
        cells = frame.iloc[:, position]
        empty = (cells.isna() | (cells == "")).to_numpy(dtype=bool)
        void &= empty
        if is_empty(header[position]) and empty.all():
            unnamed.append(position)
    strange, notes = heads.beyond(header, frame, rows)
    void |= strange
    frame.columns = _names(header)
    if unnamed:
        frame = frame.iloc[:, [at for at in range(frame.shape[1]) if at not in unnamed]]
    return Content(frame[~void].reset_index(drop=True), rows[~void], notes=notes)


def _names(header: Sequence[Any]) -> list[str]:
    """Headings as names: trimmed, ``#3`` for a third column without one, a repeated one numbered."""
    names: dict[str, None] = {}
    counts: dict[str, int] = {}
    for position, cell in enumerate(header, start=1):
        name = f"#{position}" if is_empty(cell) else re.sub(r"\s+", " ", str(cell)).strip()
        unique = name
        while unique in names:
            counts[name] = counts.get(name, 1) + 1
            unique = f"{name} ({counts[name]})"
        names[unique] = None
    return list(names)


# ---- records -------------------------------------------------------------------------------------------------------


def read_records(text: str) -> Content:
    """JSON objects, in a list or one a line.

    Raises
    ------
    Invalid
        An element is no object, or the JSON is broken.
    """
    records: list[dict[str, Any]] = []
    for number, item in enumerate(geojson.records(text), start=1):
        if not isinstance(item, dict):
            raise Invalid(
                _("The JSON is neither GeoJSON nor a list of records: element {row} is no object.", row=number),
                row=number,
            )
        records.append(texts.cleaned(item))
    open311.refuse_records(records)
    if len(records) == 1 and text.lstrip().startswith("{"):
        # One object is settings, a description, an answer; a list of one record is written as a list.
        raise Invalid(
            _(
                "The JSON is neither GeoJSON nor a list of records; its members are {members}.",
                members=", ".join(list(records[0])[:8]),
            )
        )
    return _from_dicts(records)


def read_open311(path: Path) -> Content:
    """The requests of an Open311 GeoReport answer."""
    requests = ElementTree.parse(path).getroot()  # noqa: S314 - checked by markup.safe_xml before
    found = [{child.tag: (child.text or "").strip() for child in request} for request in requests]
    open311.refuse_records(found, path.name)
    return _from_dicts(found)


def _from_dicts(found: list[dict[str, Any]]) -> Content:
    import pandas as pd

    columns = list(dict.fromkeys(key for item in found for key in item))
    if len(columns) > MOST_COLUMNS:
        raise Invalid(_("The table has {count} columns, which is too many.", count=len(columns)))
    frame = pd.DataFrame(
        {column: pd.Series([flat(item.get(column)) for item in found], dtype=object) for column in columns},
        index=range(len(found)),
    )
    return Content(frame, np.arange(1, len(found) + 1, dtype=np.int64))


def flat(value: Any) -> Any:
    """A value of a cell; objects and lists as JSON text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
