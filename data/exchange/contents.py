"""What a format's reader gives, before the reader of all formats places it on the ground."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.exchange.encodings import Encoding
from data.exchange.values import Fault, Reject

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
