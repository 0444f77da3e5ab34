"""Mends 订正: cells of rows that were sent back, as a person mended them on the page.

The file stays as it was handed in. What was mended is laid over its rows, and they go through every check again; where
the others are in already, only the mended rows go in, and the others are there to compare with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.files.reading import Source


@dataclass(frozen=True)
class Mends:
    """Mended cells.

    Attributes
    ----------
    cells
        By the number of the row: column → text.
    only
        The rows that are to go in; all of the file without it.
    """

    cells: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    only: Collection[int] | None = None

    def to_json(self) -> dict[str, Any]:
        """For a file; ``read`` is the way back."""
        return {
            "cells": {str(row): dict(cells) for row, cells in self.cells.items()},
            "only": None if self.only is None else sorted(self.only),
        }

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Mends:
        """What ``to_json`` gave."""
        only = found["only"]
        return cls(
            {int(row): cells for row, cells in found["cells"].items()}, None if only is None else frozenset(only)
        )

    def over(self, earlier: Mends) -> Mends:
        """These upon earlier ones of the same file."""
        cells = {row: dict(held) for row, held in earlier.cells.items()}
        for row, held in self.cells.items():
            cells.setdefault(row, {}).update(held)
        return replace(self, cells=cells)

    def applied(self, source: Source) -> Source:
        """A file that was read, with its mended cells; those of columns or rows that it does not have are left out."""
        at = {int(row): position for position, row in enumerate(source.rows)}
        frame = source.frame.copy()
        for row, cells in self.cells.items():
            for column, value in cells.items():
                if row not in at or column not in source.columns:
                    continue
                held = frame[column].astype(object)
                held.iloc[at[row]] = value
                frame[column] = held
        return replace(source, frame=frame)
