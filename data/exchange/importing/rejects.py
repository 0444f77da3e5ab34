"""The rejects of an import as a file: the input's own columns, its shapes, the row number, the reason, and what to do.

A spreadsheet's rejects are a spreadsheet, all others a CSV file that Excel opens in the right encoding. Mended, the
file can be imported like the first: every cell says what it said, an empty one nothing, and shapes stand as WKT in a
column whose heading names their coordinate system. No cell of it is taken for a formula.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from data.base.errors import Invalid
from data.base.language import _
from data.base.texts import clean
from data.files import places, tables, values
from data.files.formats import Format
from data.files.values import Reject
from spatial import datums

if TYPE_CHECKING:
    from data.files.reading import Source


def write(rejects: Sequence[Reject], source: Source, path: Path) -> Path:
    """Write ``rejects`` to ``path`` with the suffix of their format; returns where.

    The file holds what the input held, personal data included, so only its owner can read it.
    """
    rows = _rows(rejects, source)
    if source.format == Format.XLSX:
        target = path.with_name(f"{path.name}.xlsx")
        _private(target)
        _write_sheet(target, rows)
        return target
    target = path.with_name(f"{path.name}.csv")
    _private(target)
    # Excel takes a file for UTF-8 only when it begins with a mark.
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        for row in rows:
            texts = map(_text, row)
            writer.writerow([None if text is None else values.guarded(_as_read(text)) for text in texts])
    return target


def _private(target: Path) -> None:
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))


def _write_sheet(target: Path, rows: Iterator[list[Any]]) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    book.save(target)


def _rows(rejects: Sequence[Reject], source: Source) -> Iterator[list[Any]]:
    ours = [_("rejected row"), _("reason of the rejection"), _("what to do")]
    # What an earlier file of rejects said of these rows is no column of theirs.
    names = [name for name in source.columns if name not in ours]
    drawn, heading = _shapes(rejects, source)
    yield [*names, *heading, *ours]
    for at, reject in enumerate(rejects):
        shape = [drawn[at]] if heading else []
        yield [*(reject.values.get(name) for name in names), *shape, reject.row, reject.reason, reject.advice]


def _shapes(rejects: Sequence[Reject], source: Source) -> tuple[list[str | None], list[str]]:
    """The shape of each reject as text in the file's own system, and the heading they stand under, if there is any."""
    if source.places:
        return [], []  # made of columns, which are there
    held: Any = dict(zip(source.rows.tolist(), source.geometries, strict=True))
    shapes = np.array([held.get(reject.row) for reject in rejects], dtype=object)
    system = places.WGS84
    if source.crs and source.crs != system:
        # A system without a code has no name to find it by again; its shapes stay in degrees.
        with suppress(Invalid):
            shapes = datums.reproject(shapes, places.WGS84, places.parse_crs(source.crs))
            system = source.crs
    written = shapely.to_wkt(shapes, rounding_precision=-1).tolist()
    texts = [text or reject.shape for text, reject in zip(written, rejects, strict=True)]
    return texts, [f"WKT ({system})"] if any(texts) else []


def _cell(sheet: Any, value: Any) -> Any:
    """A value as a spreadsheet holds it."""
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, bool | int | float | time) or (
        isinstance(value, date) and getattr(value, "tzinfo", None) is None
    ):
        return value
    from data.files.workbooks import text_cell

    text = _text(value)
    return None if text is None else text_cell(sheet, _as_read(text))


def _as_read(text: str) -> str:
    """What would be a formula, as it will be read: the mark and the blanks that were before it are no part of it."""
    return values.clean(text) if values.guarded(text) != text else text


def _text(value: Any) -> str | None:
    """A value as text that reads as the value: no ``nan`` for nothing, 3 for 3.0 of a column of whole numbers."""
    if isinstance(value, list | dict):
        return clean(str(tables.flat(value)))
    return None if values.is_empty(value) else clean(values.as_text(value))
