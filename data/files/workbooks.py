"""Spreadsheets, written row by row: a bold heading that stays, texts that stay texts.

A sheet holds 1,048,576 rows; what is beyond goes to further sheets. A shape longer than the 32,767 characters of a cell
is left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from data.files.sheets import escaped
from data.files.spooling import GEOMETRY, Spool, System
from data.files.texts import attributes_of, place_cells, place_names, rows_of
from data.files.values import clean, guarded

MOST_ROWS = 1_048_575
"""Rows below the heading."""
LONGEST_CELL = 32_767
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def write(
    target: BinaryIO, spool: Spool, system: System, layer_name: str, zone: ZoneInfo, called: Mapping[str, str]
) -> int:
    """Write a workbook.

    Returns
    -------
    int
        How many cells were too long and are empty.
    """
    book = Workbook(write_only=True)
    names = [name for name in spool.schema.names if name != GEOMETRY]
    places = place_names(spool, system, names, called)
    title = _title(layer_name + system.suffix)
    sheet, room, number, dropped = _sheet(book, title, names + places), MOST_ROWS, 1, 0
    for batch in spool.batches():
        cells = attributes_of(batch)[1] + place_cells(spool, batch, pair=len(places) == 2)
        for row in rows_of(cells, batch.num_rows):
            if room == 0:
                number += 1
                sheet, room = _sheet(book, f"{title[:26]} ({number})", names + places), MOST_ROWS
            dropped += sum(isinstance(cell, str) and len(cell) > LONGEST_CELL for cell in row)
            sheet.append([_cell(sheet, cell, zone) for cell in row])
            room -= 1
    book.save(target)
    return dropped


def _title(name: str) -> str:
    return re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", name).strip("'")[:31] or "1"


def _sheet(book: Any, title: str, names: list[str]) -> Any:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for position, name in enumerate(names):
        sheet.column_dimensions[_letter(position)].width = min(max(2 * len(name), 10), 40)
    bold = Font(bold=True)
    heading = []
    for name in names:
        cell = text_cell(sheet, name)
        cell.font = bold
        heading.append(cell)
    sheet.append(heading)
    return sheet


def _letter(position: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(position + 1))


def _cell(sheet: Any, cell: Any, zone: ZoneInfo) -> Any:
    if isinstance(cell, str):
        if len(cell) > LONGEST_CELL:
            return None
        return text_cell(sheet, cell) if guarded(cell) != cell else _held(cell)
    if isinstance(cell, datetime):
        # Spreadsheets know no zone: the clock time where people live.
        return cell.astimezone(zone).replace(tzinfo=None)
    return cell


def text_cell(sheet: Any, text: str) -> Any:
    """A cell that is a text whatever it begins with, also after somebody edits it.

    What a reader would take off (``values.clean``) stays behind a quotation mark of our own.
    """
    risky = guarded(text) != text
    cell = WriteOnlyCell(sheet, _held(guarded(text) if risky and clean(text) != text else text))
    cell.data_type = "s"
    if risky:
        cell.quotePrefix = True
    return cell


def _held(text: str) -> str:
    return escaped(_UNSEEN.sub("", text))
