"""How long a text of a file may be: as long as the column of the table that it is for."""

from __future__ import annotations

from data.base import db, texts
from data.base.columns import Words
from data.base.language import _
from data.exchange.importing.batch import Batch
from data.files import columns
from data.files.columns import Kind

#: Where the fields of a kind are kept (``TABLES`` of its file).
Tables = tuple[type[db.Table], ...]
#: Lists of names, and what is encrypted, are as long as a note.
_NOTES = frozenset({"members", "health"})
_DOOR = ("estate", "address", "building", "dwelling", "unit", "room")
#: Fields that are put together from others: they may be too long where none of those is.
_JOINED: dict[Kind, dict[str, tuple[str, ...]]] = {
    Kind.BUILDINGS: {"address": ("street", "number")},
    Kind.HOUSEHOLDS: {"address": _DOOR},
    Kind.RESIDENTS: {"address": _DOOR},
}
#: What may be put between two parts: 号楼, 单元.
_MARKS = 2


def most(tables: Tables, name: str) -> int:
    """How many characters a field may have; one that is in none of the tables is a word to find something by."""
    if name in _NOTES:
        return texts.LONG
    for table in tables:
        column = table.__table__.c.get(name)
        if column is not None and isinstance(column.type, Words):
            return column.type.most
    return texts.LINE


def check(batch: Batch, kind: Kind, tables: Tables) -> None:
    """Reject the rows with a text that is longer than can be kept, with a sentence that names the field."""
    for name, cells in batch.values.items():
        limit = most(tables, name)
        if max((len(cell) for cell in cells if isinstance(cell, str)), default=0) <= limit:
            continue
        for at, cell in enumerate(cells):
            if isinstance(cell, str) and len(cell) > limit:
                reject(batch, at, kind, name, len(cell), limit)
    for name, parts in _JOINED.get(kind, {}).items():
        limit = most(tables, name)
        if sum(map(batch.has, parts)) < 2:
            continue
        for at, cells in enumerate(zip(*(batch.column(part) for part in parts), strict=True)):
            words = [cell for cell in cells if isinstance(cell, str)]
            count = sum(map(len, words)) + _MARKS * len(words)
            if len(words) > 1 and count > limit:
                reject(batch, at, kind, name, count, limit)


def reject(batch: Batch, at: int, kind: Kind, name: str, count: int, limit: int) -> None:
    """Reject a row whose text for a field has ``count`` characters, more than the ``limit`` that can be kept."""
    batch.reject(
        at,
        _(
            "{label} has {count} characters, more than {most}.",
            label=columns.field(kind, name).label,
            count=f"{count:,}",
            most=f"{limit:,}",
        ),
        _("Shorten it."),
    )
