"""Rows that an import sent back 退回的行, mended in place: what cannot be read of each, and what is left of them.

Beside the uploads lie, sealed, the rejects of each job with the cells that may be mended, and what was mended of the
rows that it brings in. What is left of an import are its rejects, without those that were mended since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.base import jobs, sealed
from data.base.jobs import Job, JobState
from data.exchange.importing import Kind, Mends, Opened
from data.files import columns, values
from data.files.values import Reject, Type

MOST = 5000
"""How many rows can be mended in place; with more, the file itself is at fault, and all are in the file of rejects."""
#: A division is drawn as a whole, and ground is no record: what is wrong there is mended in the file.
KINDS = (Kind.BUILDINGS, Kind.HOUSEHOLDS, Kind.RESIDENTS, Kind.INCIDENTS)


@dataclass(frozen=True)
class Cell:
    """A cell that may be mended.

    Attributes
    ----------
    column, field
        The file's column, and the field that it is.
    value
        What stands there.
    near
        The word that may be meant.
    """

    column: str
    field: str
    value: str
    near: str | None = None

    @property
    def is_word(self) -> bool:
        """Whether it is a word of a list, of which the same is meant wherever it stands."""
        return self.field in _WORDS


@dataclass(frozen=True)
class Row:
    """A row that was sent back; without cells it is mended in the file."""

    row: int
    kind: str
    reason: str
    advice: str
    cells: tuple[Cell, ...] = ()


def keep(job: Job, opened: Opened, rejects: Sequence[Reject]) -> None:
    """Seal what may be mended of the rows that a job sent back."""
    if not rejects or opened.kind not in KINDS:
        return
    there = {int(row) for row in opened.source.rows}
    rows = [_row(reject, opened.mapping if reject.row in there else {}) for reject in rejects[:MOST]]
    _write(_path(job, "rejects"), [asdict(row) for row in rows])


def _row(reject: Reject, mapping: Mapping[str, str]) -> Row:
    """What may be mended of a reject: the cells at fault, or all that are imported where it is none of them alone."""
    at_fault = [column for column in reject.offers if column in mapping] or [
        column for column, name in mapping.items() if name not in columns.PLACE_FIELDS
    ]
    cells = [
        Cell(
            column=column,
            field=mapping[column],
            value="" if values.is_empty(held := reject.values.get(column)) else values.as_text(held),
            near=reject.offers.get(column),
        )
        for column in at_fault
    ]
    return Row(reject.row, str(reject.kind), reject.reason, reject.advice, tuple(cells))


def of_job(job: Job) -> list[Row] | None:
    """The rows that a job sent back; None where they were not kept to be mended."""
    found = _read(_path(job, "rejects"))
    if found is None:
        return None
    return [Row(**{**row, "cells": tuple(Cell(**cell) for cell in row["cells"])}) for row in found]


def left(imports: Sequence[Job]) -> list[Row]:
    """What is left of the rows that an import sent back.

    Parameters
    ----------
    imports
        The import, and those of its mended rows, oldest first.
    """
    rows = {row.row: row for row in of_job(imports[0]) or ()}
    for job in imports[1:]:
        sent = mends_of(job)
        if job.state not in (JobState.DONE, JobState.FAILED) or sent is None:
            continue
        again = {row.row: row for row in of_job(job) or ()}
        if job.state == JobState.DONE:
            rows = {number: row for number, row in rows.items() if number not in (sent.only or ())}
        rows |= again
    return [rows[number] for number in sorted(rows)]


# ---- what was mended -----------------------------------------------------------------------------------------------


def keep_mends(job: Job, mends: Mends) -> None:
    """Seal what was mended of the rows that a job brings in."""
    _write(_path(job, "mends"), mends.to_json())


def mends_of(job: Job) -> Mends | None:
    """What was mended of the rows of a job."""
    found = _read(_path(job, "mends")) if job.params.get("mended") else None
    return None if found is None else Mends.read(found)


def mended(rows: Sequence[Row], typed: Mapping[tuple[int, str], str]) -> dict[int, dict[str, str]]:
    """The cells that somebody mended, by row and column; what is the same as before is none.

    A word of a list is mended in every row of ``rows`` where the same word stands.
    """
    corrections: dict[int, dict[str, str]] = {}
    everywhere: dict[tuple[str, str], str] = {}
    for row in rows:
        for cell in row.cells:
            text = typed.get((row.row, cell.column))
            if text is None or text == cell.value.strip():
                continue
            corrections.setdefault(row.row, {})[cell.column] = text
            if cell.is_word and cell.value:
                everywhere[cell.column, values.plain(cell.value)] = text
    for row in rows:
        for cell in row.cells:
            text = everywhere.get((cell.column, values.plain(cell.value)))
            if text is not None and cell.column not in corrections.get(row.row, {}):
                corrections.setdefault(row.row, {})[cell.column] = text
    return corrections


_WORDS = frozenset(
    one.name for kind in KINDS for one in columns.fields(kind) if one.type in (Type.CHOICE, Type.CHOICES)
)


def _path(job: Job, name: str) -> Path:
    return jobs.papers_folder() / f"{job.id}.{name}.json"


def _write(path: Path, content: Any) -> None:
    sealed.write(path, [json.dumps(content, ensure_ascii=False).encode()])


def _read(path: Path) -> Any:
    return json.loads(b"".join(sealed.read(path))) if path.is_file() else None
