"""Which column of a file is which field, and its cells as values.

Headings are recognized in Chinese and English from ``data/reference/headings.csv`` (one row a field and heading, the
likelier heading first), after spaces, punctuation, full width and anything in brackets are put aside. The fields of
each kind of import are ``fields.csv``, and the words of closed lists (自住, rented …) ``words.csv`` beside the code
lists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from data.base import language, reference
from data.base.errors import Invalid
from data.base.language import _
from data.files import contents, days, remedies, values
from data.files.values import Reading, Reject, RejectKind, Type

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = [
    "PLACE_FIELDS",
    "Field",
    "Kind",
    "Reject",
    "RejectKind",
    "Rows",
    "field",
    "fields",
    "match_columns",
    "parse_map",
    "place_columns",
    "read_rows",
]

PLACE_FIELDS = ("wkt", "lon", "lat", "x", "y", "lonlat")
"""Fields that say where a row is; ``reading`` makes the geometry of them."""
_OPEN_LISTS = frozenset({"categories", "incident_source"})
"""Lists that the community edits: a word not in them is kept as it is, for the import to settle."""


class Kind(StrEnum):
    """What an import brings."""

    GRIDS = "grids"
    BUILDINGS = "buildings"
    HOUSEHOLDS = "households"
    RESIDENTS = "residents"
    INCIDENTS = "incidents"
    BASEMAP = "basemap"


@dataclass(frozen=True, slots=True)
class Field:
    """What a column can be.

    Attributes
    ----------
    name
        Its name in code and in ``--map COLUMN=FIELD``.
    label_zh, label_en
        What people call it.
    type
        What it holds.
    choices
        The list its words are from, else empty.
    required
        Whether a row without it is rejected.
    sensitive
        Whether it is stored encrypted and shown masked, as a name or number of a person.
    """

    name: str
    label_zh: str
    label_en: str
    type: Type
    choices: str = ""
    required: bool = False
    sensitive: bool = False

    @property
    def label(self) -> str:
        """What it is called in the current language."""
        return language.named(self, "label")


@cache
def fields(kind: str) -> tuple[Field, ...]:
    """The fields of a kind of import, in the order of the list.

    >>> [field.name for field in fields("households") if field.required]
    ['number']
    """
    return tuple(
        Field(
            name=row["field"],
            label_zh=row["name_zh"],
            label_en=row["name_en"],
            type=Type(row["type"]),
            choices=row["list"],
            required=row["required"] == "yes",
            sensitive=row["sensitive"] == "yes",
        )
        for row in reference.rows("fields")
        if row["kind"] == Kind(kind)
    )


def kept(kind: str, names: Collection[str]) -> list[Field]:
    """The fields of a kind that are kept under their own name, given the names of a table's columns.

    When a row was last changed elsewhere is read and not kept: it is known of each table when that was here.
    """
    return [field for field in fields(kind) if field.name in names and field.name != "updated_at"]


def field(kind: str, name: str) -> Field:
    """One field by its name.

    Raises
    ------
    KeyError
    """
    return _by_name(kind)[name]


@cache
def _by_name(kind: str) -> dict[str, Field]:
    return {field.name: field for field in fields(kind)}


# ---- recognizing ---------------------------------------------------------------------------------------------------


@cache
def _headings(kind: str) -> dict[str, tuple[str, int]]:
    """Heading, made plain → field and rank (0 is the likeliest)."""
    known: dict[str, tuple[str, int]] = {}
    ranks: dict[str, int] = {}
    for wanted in (kind, "*"):
        for row in reference.rows("headings"):
            name = row["field"]
            if row["kind"] == wanted and (kind == "*" or name in _by_name(kind)):
                rank = ranks[name] = ranks.get(name, -1) + 1
                known.setdefault(values.plain(row["heading"]), (name, rank))
    if kind != "*":
        for one in fields(kind):
            for heading in (one.name, one.label_zh, one.label_en):
                known.setdefault(values.plain(heading), (one.name, 1000))
    return known


@cache
def headings() -> frozenset[str]:
    """Every heading of every kind of import, made plain."""
    return frozenset(word for kind in ("*", *Kind) for word in _headings(kind))


@cache
def headings_of_days() -> frozenset[str]:
    """The headings under which days and times stand, made plain."""
    timed = (Type.DATE, Type.BIRTHDAY, Type.DATETIME)
    found = ((kind, word, name) for kind in Kind for word, (name, _rank) in _headings(kind).items())
    return frozenset(word for kind, word, name in found if field(kind, name).type in timed)


def match_columns(
    kind: str,
    columns: Iterable[str],
    sample: Mapping[str, Sequence[Any]] | None = None,
    chosen: Mapping[str, str | None] | None = None,
) -> dict[str, str]:
    """Say which column is which field.

    Parameters
    ----------
    kind
        What is imported.
    columns
        The headings of the file.
    sample
        Some cells of each column. Where two columns could be the same field, the one that holds something wins; and
        identity numbers and mobile phones are recognized by their values under any heading.
    chosen
        What the person says, as :func:`parse_map` gives it. It wins over every guess.

    Returns
    -------
    dict
        Column → field. Columns that are nothing known are left out; no field has two columns.

    Examples
    --------
    >>> match_columns("households", ["户编号", "楼", "单元房号", "户主", "备注2"])
    {'户编号': 'number', '楼': 'building', '单元房号': 'dwelling', '户主': 'head_name'}
    """
    chosen, sample = dict(chosen or {}), sample or {}
    columns = list(dict.fromkeys(columns))
    taken = {name for name in chosen.values() if name}
    candidates: dict[str, list[tuple[int, int, int, str]]] = {}
    headings = _headings(kind)
    for position, column in enumerate(columns):
        found = headings.get(values.plain(column))
        if column not in chosen and found and found[0] not in taken:
            poor = _quarters_without(_by_name(kind)[found[0]], sample[column]) if column in sample else 0
            candidates.setdefault(found[0], []).append((poor, found[1], position, column))
    matched = {column: name for column, name in chosen.items() if name}
    matched |= {min(found)[3]: name for name, found in candidates.items()}
    for column in columns:
        if column not in matched and column not in chosen and column in sample:
            name = _by_value(kind, sample[column])
            if name and name not in matched.values():
                matched[column] = name
    return {column: matched[column] for column in columns if column in matched}


def _quarters_without(meant: Field, cells: Sequence[Any]) -> int:
    """How many quarters of the cells say nothing, from 0 to 4; of an address, how many name no house; 5: all are empty.

    A town is an address too, but not where another column knows the house. Of kinds the fuller column is often the one
    that says the same of every row, so that there the heading alone tells.
    """
    filled = [values.as_text(cell) for cell in cells if not values.is_empty(cell)]
    if not filled:
        return 5
    if meant.choices:
        return 0
    telling = sum(bool(re.search(r"\d|[一二三四五六七八九十]", text)) for text in filled)
    return round(4 - 4 * (telling if meant.name == "address" else len(filled)) / len(cells))


def left_out(
    kind: str,
    columns: Iterable[str],
    sample: Mapping[str, Sequence[Any]],
    mapping: Mapping[str, str],
    chosen: Collection[str] = (),
) -> list[tuple[str, Field, str]]:
    """Say which columns that hold something fit a field that another column fills.

    Parameters
    ----------
    mapping
        What :func:`match_columns` gave.
    chosen
        The columns of which the person said something.

    Returns
    -------
    list of tuple
        The column, the field, and the column that fills it.

    >>> cells = {"Address": ["398 2nd Ave"], "Location": ["New York, NY"]}
    >>> mapping = match_columns("incidents", cells, cells)
    >>> [(column, field.name, instead) for column, field, instead in left_out("incidents", cells, cells, mapping)]
    [('Location', 'address', 'Address')]
    """
    fills = {name: column for column, name in mapping.items() if column not in chosen}
    headings = _headings(kind)
    found = []
    for column in columns:
        name = headings.get(values.plain(column), ("",))[0]
        if column in mapping or column in chosen or name not in fills:
            continue
        if any(not values.is_empty(cell) for cell in sample.get(column, ())):
            found.append((column, field(kind, name), fills[name]))
    return found


def join_clocks(
    kind: str, columns: Iterable[str], sample: Mapping[str, Sequence[Any]], mapping: dict[str, str]
) -> dict[str, str]:
    """Find days and times that stand in two columns, and make the column of the day the field's own in ``mapping``.

    Returns
    -------
    dict
        Column of the day → column of the time that goes with it.

    >>> cells = {"上报日期": ["2026-03-18"], "上报时间": ["09:30"]}
    >>> mapping = {"上报时间": "reported_at"}
    >>> join_clocks("incidents", cells, cells, mapping), mapping
    ({'上报日期': '上报时间'}, {'上报日期': 'reported_at'})
    """
    timed = [column for column, name in mapping.items() if _by_name(kind)[name].type is Type.DATETIME]
    columns, joined = list(columns), {}
    for column in timed:
        name = mapping[column]
        for other in columns:
            if other in mapping or _headings(kind).get(values.plain(other), ("",))[0] != name:
                continue
            day, clock = (other, column) if _are_clocks(sample.get(column, ())) else (column, other)
            if _are_clocks(sample.get(clock, ())) and _are_days(sample.get(day, ())):
                del mapping[column]
                mapping[day] = name
                joined[day] = clock
                break
    return joined


def _are_clocks(cells: Sequence[Any]) -> bool:
    held = [cell for cell in cells if not values.is_empty(cell)]
    return bool(held) and sum(days.clock(cell) is not None for cell in held) * 2 > len(held)


def _are_days(cells: Sequence[Any]) -> bool:
    held, faults = values.read([cell for cell in cells if not values.is_empty(cell)], _DAY)
    return bool(held) and not faults


def _with_clock(day: Any, clock: Any) -> Any:
    """One cell of a day and one of a time; a time that cannot be read makes the whole unreadable."""
    at = days.clock(clock)
    if at is None and not values.is_empty(clock):
        return f"{values.as_text(day)} {values.as_text(clock)}"
    if values.is_empty(day) or at is None:
        return day
    read, faults = values.read([day], _DAY)
    return day if faults or read[0] is None else datetime.combine(read[0], at)


_DAY = Reading(label="", type=Type.DATE)


def _by_value(kind: str, cells: Iterable[Any]) -> str | None:
    known = [values.as_text(cell).strip() for cell in cells if not values.is_empty(cell)]
    for name, pattern in (("identity_number", r"[1-9]\d{16}[\dXx]"), ("phone", r"1[3-9]\d{9}")):
        if len(known) >= 3 and name in _by_name(kind) and all(re.fullmatch(pattern, text) for text in known):
            return name
    return None


def place_columns(columns: Iterable[str], sample: Mapping[str, Sequence[Any]] | None = None) -> dict[str, str]:
    """Say which columns hold coordinates, whatever is imported.

    Returns
    -------
    dict
        Field of :data:`PLACE_FIELDS` → column; either ``wkt``, or a whole pair, or ``lonlat``, or nothing.

    Examples
    --------
    >>> place_columns(["名称", "经度", "纬度"]), place_columns(["LATITUDE", "Location"])
    ({'lon': '经度', 'lat': '纬度'}, {})
    """
    headings = _headings("*")
    sample = sample or {}
    found: dict[str, tuple[bool, int, str]] = {}
    for column in columns:
        match = headings.get(values.plain(column))
        if match:
            void = column in sample and all(values.is_empty(cell) for cell in sample[column])
            found[match[0]] = min(found.get(match[0], (True, 10_000, column)), (void, match[1], column))
    for group in (("wkt",), ("lon", "lat"), ("x", "y"), ("lonlat",)):
        if all(name in found for name in group) and not all(found[name][0] for name in group):
            return {name: found[name][2] for name in group}
    return {}


def parse_map(kind: str, items: Iterable[str], columns: Collection[str]) -> dict[str, str | None]:
    """Read what the person says about columns: ``COLUMN=FIELD``, or ``COLUMN=`` to leave one out.

    Raises
    ------
    Invalid
        The sentence names what there is instead.

    >>> parse_map("buildings", ["楼=number", "备注="], ["楼", "备注"])
    {'楼': 'number', '备注': None}
    """
    chosen: dict[str, str | None] = {}
    known = _by_name(kind)
    for item in items:
        column, sign, name = item.rpartition("=")
        column, name = column.strip(), name.strip()
        if not sign or not column:
            raise Invalid(_("“{item}” is not of the form COLUMN=FIELD.", item=item), item=item)
        if column not in columns:
            near = difflib.get_close_matches(column, list(columns), 1)
            raise Invalid(
                _("The file has no column “{column}”. Did you mean “{near}”?", column=column, near=near[0])
                if near
                else _(
                    "The file has no column “{column}”. It has: {columns}.", column=column, columns=", ".join(columns)
                ),
                column=column,
            )
        name = next((one.name for one in known.values() if name in (one.label_zh, one.label_en)), name)
        if name and name not in known:
            raise Invalid(
                _(
                    "There is no field “{field}” for {kind}. There are: {fields}.",
                    field=name,
                    kind=kind,
                    fields=", ".join(known),
                ),
                field=name,
            )
        if name and name in chosen.values():
            raise Invalid(_("The field “{field}” is given to two columns.", field=name), field=name)
        chosen[column] = name or None
    return chosen


# ---- reading the cells ---------------------------------------------------------------------------------------------


@cache
def words(choices: str) -> dict[str, str]:
    """Word, made plain → code of a list, in both languages and in everyday words. ``*`` stands for any other word."""
    known: dict[str, str] = {}
    if choices in reference.names():
        for row in reference.rows(choices):
            for word in (row["code"], row["name_zh"], row["name_en"], row["name_zh"].removesuffix("族")):
                known.setdefault(values.plain(word), row["code"])
    for row in reference.rows("words"):
        if row["list"] == choices:
            known.setdefault("*" if row["word"] == "*" else values.plain(row["word"]), row["code"])
            known.setdefault(values.plain(row["code"]), row["code"])
    for code in list(known.values()):
        if code.isdecimal():
            known.setdefault(str(int(code)), code)
    return known


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file as values.

    Attributes
    ----------
    frame
        One column a field, indexed by position in the source's frame; only rows without a fault.
    rejects
        The others.
    notes
        Sentences on values that were read with something left out, with the numbers of their rows.
    """

    frame: pd.DataFrame
    rejects: list[Reject]
    notes: list[str]


def read_rows(
    kind: str,
    frame: pd.DataFrame,
    rows: NDArray[Any],
    mapping: Mapping[str, str],
    *,
    timezone: str = "Asia/Shanghai",
    clocks: Mapping[str, str] | None = None,
    terms: Mapping[str, Mapping[str, str]] | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> Rows:
    """Read the cells of matched columns.

    Parameters
    ----------
    kind
        What is imported.
    frame
        The source's frame; its geometry is left alone.
    rows
        The row numbers of the file, one a row of ``frame``.
    mapping
        Column → field. Fields of :data:`PLACE_FIELDS` are left out: they have become the geometry.
    timezone
        The zone of clock times that name none.
    clocks
        Column of a day → column of the time that goes with it, as :func:`join_clocks` says.
    terms
        Field → word, made plain → code: what is meant beside the words of the lists.
    progress
        Told how many rows are read; they are read column by column, so these are shares of all cells.

    Raises
    ------
    Invalid
        A required field has no column.
    """
    import numpy as np
    import pandas as pd

    missing = [one.label for one in fields(kind) if one.required and one.name not in mapping.values()]
    if missing:
        raise Invalid(
            _(
                "No column is {fields}. The file has: {columns}. {remedy}",
                fields=", ".join(missing),
                columns=", ".join(str(name) for name in frame.columns),
                remedy=remedies.name_column(),
            ),
            missing=missing,
        )
    read: dict[str, list[Any]] = {}
    faults: dict[int, list[tuple[str, values.Fault]]] = {}
    said: dict[str, list[int]] = {}
    for at, (column, name) in enumerate(mapping.items()):
        progress(len(frame) * at // len(mapping))
        if name in PLACE_FIELDS:
            continue
        known = field(kind, name)
        remarks: dict[int, str] = {}
        cells = frame[column].tolist()
        if clocks and column in clocks:
            cells = [_with_clock(*pair) for pair in zip(cells, frame[clocks[column]].tolist(), strict=True)]
        read[name], found = values.read(cells, _reading(known, timezone, (terms or {}).get(name)), remarks)
        for position, sentence in remarks.items():
            said.setdefault(sentence, []).append(int(rows[position]))
        for position, fault in found.items():
            faults.setdefault(position, []).append((column, fault))
        if known.required:
            for position, value in enumerate(read[name]):
                if value is None and position not in found:
                    faults.setdefault(position, []).append((column, _missing(known)))
    good = np.ones(len(frame), dtype=bool)
    good[list(faults)] = False
    kept = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in read.items()}, index=range(len(frame)))
    notes = [_("{sentence} Rows: {rows}.", sentence=sentence, rows=listed(at)) for sentence, at in said.items()]
    return Rows(kept[good], _rejects(frame, rows, faults), notes)


def listed(rows: Sequence[int]) -> str:
    """Numbers of rows for a sentence: the first ten, and how many more there are.

    >>> listed([2, 3]), listed(range(2, 20))
    ('2, 3', '2, 3, 4, 5, 6, 7, 8, 9, 10, 11 … (18)')
    """
    first = ", ".join(str(row) for row in rows[:10])
    return f"{first} … ({len(rows)})" if len(rows) > 10 else first


def _reading(one: Field, timezone: str, terms: Mapping[str, str] | None = None) -> Reading:
    return Reading(
        label=one.label,
        type=one.type,
        words={**(terms or {}), **words(one.choices)} if one.choices else {},
        closed=one.choices not in _OPEN_LISTS,
        sensitive=one.sensitive,
        timezone=timezone,
    )


def _missing(one: Field) -> values.Fault:
    return values.Fault(
        _("{label} is empty.", label=one.label),
        _("Fill in {label}, or delete the row.", label=one.label),
    )


def _rejects(
    frame: pd.DataFrame, rows: NDArray[Any], faults: Mapping[int, list[tuple[str, values.Fault]]]
) -> list[Reject]:
    geometry = getattr(frame, "_geometry_column_name", None)
    original = contents.Rows(frame, [name for name in frame.columns if name != geometry])
    return [
        Reject(
            row=int(rows[position]),
            reason=" ".join(fault.reason for _column, fault in faults[position]),
            advice=" ".join(dict.fromkeys(fault.advice for _column, fault in faults[position])),
            values=original[position],
            offers={column: fault.near for column, fault in faults[position]},
        )
        for position in sorted(faults)
    ]
