"""The rejects of an import as a file: the input's own columns, the row number, the reason, and what to do.

A spreadsheet's rejects are a spreadsheet, all others a CSV file that Excel opens in the right encoding. Mended, the
file can be imported like the first.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.base.language import _
from data.exchange.formats import Format
from data.exchange.values import Reject

if TYPE_CHECKING:
    from data.exchange.reading import Source


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
        csv.writer(file).writerows(rows)
    return target


def _private(target: Path) -> None:
    target.unlink(missing_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))


def _write_sheet(target: Path, rows: Iterator[list[Any]]) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append([value if isinstance(value, int | float | bool) else _text(value) for value in row])
    book.save(target)


def _rows(rejects: Sequence[Reject], source: Source) -> Iterator[list[Any]]:
    yield [*source.columns, _("row"), _("reason"), _("advice")]
    for reject in rejects:
        yield [*(reject.values.get(name) for name in source.columns), reject.row, reject.reason, reject.advice]


def _text(value: Any) -> str | None:
    return None if value is None or value != value else str(value)
