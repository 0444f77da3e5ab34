"""What a format's reader gives, before the reader of all formats places it on the ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.files.encodings import Encoding
from data.files.values import Fault, Reject

if TYPE_CHECKING:
    import pandas as pd
    import pyproj

Geometries = NDArray[np.object_]


@dataclass(slots=True)
class Content:
    """A layer, sheet or table as the file has it.

    Attributes
    ----------
    frame
        The input's own columns.
    rows
        The number of each row as the person sees it: the line of a spreadsheet, else the feature from 1.
    geometries
        Shapes in the file's system, None where a row has none; None as a whole for a table without.
    rejects
        Rows that are not in ``frame``, and why.
    faults
        By position in ``frame``: why a shape cannot be used.
    crs
        What the file says its coordinates are in.
    datum_name
        A text in the file that may name an offset datum.
    degrees
        Whether only degrees can be meant.
    encoding
        Of the texts, where the format does not fix it.
    notes
        What was done that one would not expect.
    """

    frame: pd.DataFrame
    rows: NDArray[np.int64]
    geometries: Geometries | None = None
    rejects: list[Reject] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)
    crs: pyproj.CRS | None = None
    datum_name: str | None = None
    degrees: bool = False
    encoding: Encoding | None = None
    notes: list[str] = field(default_factory=list)


class Rows(Sequence[Mapping[str, Any]]):
    """The rows of a frame, each as column → cell, with every cell as its column holds it, and an empty one None.

    A row is a view, so that refusing all of a large file takes neither the time nor the memory of a copy of each.
    """

    def __init__(self, frame: pd.DataFrame, names: Sequence[str]) -> None:
        self._frame = frame
        self._names = list(names)
        self._columns: dict[str, list[Any]] | None = None

    @property
    def columns(self) -> dict[str, list[Any]]:
        """Column → cells; made when the first row is asked for."""
        if self._columns is None:
            taken = {name: self._frame[name] for name in self._names}
            self._columns = {
                name: cells.astype(object).where(cells.notna(), None).tolist() for name, cells in taken.items()
            }
        return self._columns

    def __len__(self) -> int:
        return len(self._frame)

    def __getitem__(self, position: Any) -> Any:
        return _Row(self, range(len(self))[position])


class _Row(Mapping[str, Any]):
    """One row of a frame."""

    __slots__ = ("_position", "_rows")

    def __init__(self, rows: Rows, position: int) -> None:
        self._rows, self._position = rows, position

    def __getitem__(self, name: str) -> Any:
        return self._rows.columns[name][self._position]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows.columns)

    def __len__(self) -> int:
        return len(self._rows.columns)
