"""Reference tables: the lists that come with the program, as CSV files in ``data/reference``,
those of one feature in a folder of its name.

Code lists of national standards (``sex`` GB/T 2261.1, ``marital_status`` GB/T 2261.2, ``ethnicity``
GB/T 3304, ``education`` GB/T 4658, ``relation`` GB/T 4761, ``political_status`` GB/T 4762) and what a
community may edit once it is in the database (``categories``, ``special_groups``). Each has at least
``code``, ``name_zh`` and ``name_en``.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent.parent / "reference"


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a reference table, in the order of the file; an empty cell is ``""``.

    Raises
    ------
    KeyError
        When there is no table of this name.

    >>> [row["name_zh"] for row in rows("sex")][1:3]
    ['男', '女']
    """
    if name not in names():
        raise KeyError(f"There is no reference table {name!r}; there are {', '.join(names())}.")
    with _paths()[name].open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def names() -> tuple[str, ...]:
    """The names of all reference tables, sorted."""
    return tuple(sorted(_paths()))


@cache
def _paths() -> dict[str, Path]:
    """Where each reference table lies."""
    return {path.stem: path for path in _FOLDER.rglob("*.csv")}


@cache
def labels(name: str, language: str = "zh") -> dict[str, str]:
    """Code → label of a reference table, in Chinese (``zh``) or English (``en``).

    >>> labels("sex")["2"]
    '女'
    """
    return {row["code"]: row[f"name_{language}"] for row in rows(name)}
