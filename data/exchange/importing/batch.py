"""A batch: the rows of one file on their way into one community, with what is wrong with some of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import units
from data.base.access import Actor
from data.base.bulk import Merged
from data.base.errors import Invalid
from data.base.language import _
from data.files import remedies
from data.files.values import Reject, RejectKind

Geometries = NDArray[np.object_]
Positions = NDArray[np.int64]


class Placed(Protocol):
    """Where rows are: how each was located, or why it was not."""

    by: list[str | None]
    reason: list[str | None]


class Progress(Protocol):
    """Told how far an import is; it may raise to stop it."""

    def __call__(self, step: str, done: int, total: int | None) -> None:
        """``step`` is a message for ``_``; ``done`` of ``total`` rows."""


def silent(step: str, done: int, total: int | None) -> None:
    """Tell nobody."""


class Refused(Invalid):
    """The file is not imported, because some of its rows cannot be; ``rejects`` lists them."""

    def __init__(self, detail: str, rejects: Sequence[Reject] = (), **facts: object) -> None:
        super().__init__(detail, rejected=len(rejects), **facts)
        self.rejects = list(rejects)


@dataclass
class Report:
    """What an import did. ``to_json`` has the keys that ``wangge import --json`` prints.

    Attributes
    ----------
    read, new, updated, unchanged, repaired, rejected
        Numbers of rows; those rejected are in ``rejects``.
    located, unlocated
        How many rows were located how, and how many were not for which reason.
    rejects_file
        Where the rejects were written.
    notes
        Sentences on what was done that one would not expect: encodings, repairs, slivers.
    rows, geometries
        The numbers of the rows that go in, and where each is (EPSG:4326), for a look at them; ``None`` for nowhere.
    """

    read: int = 0
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    repaired: int = 0
    located: dict[str, int] = field(default_factory=dict)
    unlocated: dict[str, int] = field(default_factory=dict)
    rejects_file: str | None = None
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: Sequence[int] = ()
    geometries: Geometries = field(default_factory=lambda: np.empty(0, dtype=object))

    @property
    def rejected(self) -> int:
        """How many rows did not go in."""
        return len(self.rejects)

    def to_json(self) -> dict[str, Any]:
        """The report for programs."""
        names = (
            "read",
            "new",
            "updated",
            "unchanged",
            "repaired",
            "rejected",
            "located",
            "unlocated",
            "rejects_file",
        )
        return {name: getattr(self, name) for name in names}


@dataclass
class Batch:
    """The rows of one file; a *position* is a row's place in every list here.

    Attributes
    ----------
    values
        Field → parsed values, only for fields the file has; ``None`` where a cell is empty.
    geometries
        Shapes in EPSG:4326, ``None`` where a row has none.
    rows
        The number of each row as the person sees it.
    original
        The input's own columns of a row.
    accept_valid
        Whether good rows go in without the bad ones.
    only
        The numbers of the rows that are wanted; the others are there to compare with. All without it.
    """

    session: Session
    actor: Actor
    community: units.Unit
    count: int
    values: dict[str, Sequence[Any]]
    geometries: Geometries
    rows: Sequence[int]
    original: Callable[[int], Mapping[str, Any]]
    accept_valid: bool = False
    only: Collection[int] | None = None
    clean_m: float | None = None
    progress: Progress = silent
    report: Report = field(default_factory=Report)
    rejected: dict[int, Reject] = field(default_factory=dict)
    _alike: dict[int, int] = field(default_factory=dict, init=False)
    _step: str = field(default="", init=False)
    _empty: tuple[None, ...] = field(default=(), init=False, repr=False)

    def begin(self, step: str) -> None:
        """Tell that a step begins; ``step`` is a message for ``_``."""
        self._step = step
        self.progress(step, 0, self.count)

    def told(self, done: int) -> None:
        """Tell how many rows of this step are done."""
        self.progress(self._step, done, self.count)

    def column(self, name: str) -> Sequence[Any]:
        """The values of a field; all empty when the file does not have it."""
        found = self.values.get(name)
        if found:
            return found
        # Kept, because whoever goes through the rows asks anew for each.
        if len(self._empty) != self.count:
            self._empty = (None,) * self.count
        return self._empty

    def has(self, *names: str) -> bool:
        """Whether the file has one of these fields."""
        return any(name in self.values for name in names)

    def reject(self, position: int, reason: str, advice: str, kind: RejectKind = RejectKind.FORMAT) -> None:
        """Note that a row cannot go in; the first reason counts."""
        if position not in self.rejected:
            self.rejected[position] = Reject(
                row=self.rows[position], reason=reason, advice=advice, values=self.original(position), kind=kind
            )

    def good(self) -> Positions:
        """The positions of the rows that are not rejected, nor say what an earlier one says."""
        if not self.rejected and not self._alike:
            return np.arange(self.count)
        mask = np.ones(self.count, dtype=bool)
        mask[[*self.rejected, *self._alike]] = False
        return np.flatnonzero(mask)

    def settle(self) -> None:
        """Go on with the good rows alone, or stop when there are bad ones and only all will do.

        Raises
        ------
        Refused
            Some rows are rejected and ``accept_valid`` is off, or all are.
        """
        rejects = self.report.rejects
        rejects += self.rejected.values()
        rejects.sort(key=lambda reject: reject.row)
        good = self.good()
        if self.only is not None:
            rejects[:] = [reject for reject in rejects if reject.row in self.only]
            good = good[[self.rows[at] in self.only for at in good]]
        if rejects and (not self.accept_valid or not len(good)):
            raise Refused(_refusal(rejects, self.report.read), rejects)
        if self._alike and self.only is None:
            self.report.unchanged += len(self._alike)
            first = [f"{self.rows[at]} = {self.rows[earlier]}" for at, earlier in list(self._alike.items())[:10]]
            self.report.notes.append(
                _(
                    "Rows that say exactly what an earlier row says count once: {rows}.",
                    rows=", ".join(first) + (" …" if len(self._alike) > len(first) else ""),
                )
            )
        if self.rejected or self._alike or self.only is not None:
            self.keep(good)

    def keep(self, positions: Positions) -> None:
        """Go on with the rows at these positions alone."""
        self.values = {name: [values[at] for at in positions] for name, values in self.values.items()}
        self.geometries = self.geometries[positions]
        rows, original = self.rows, self.original
        self.rows = [rows[at] for at in positions]
        self.original = lambda position: original(int(positions[position]))
        self.count, self.rejected, self._alike = len(positions), {}, {}

    def require_one_of(self, *fields: str) -> None:
        """Refuse a file without any of these columns.

        Raises
        ------
        Invalid
        """
        if not self.has(*fields):
            raise Invalid(
                _(
                    "No column was recognised as {fields}. {remedy}",
                    fields=" / ".join(fields),
                    remedy=remedies.name_column(),
                ),
                missing=list(fields),
            )

    def reject_repeated(
        self, keys: Iterable[Hashable | None], shown: Callable[[int], str], *, alike: bool = False
    ) -> None:
        """Reject rows whose key has come before; ``None`` is no key.

        With ``alike`` a row that says exactly what the earlier one says counts with that one and is not rejected.
        """
        first: dict[Hashable, int] = {}
        for position, key in enumerate(keys):
            if key is None or position in self.rejected:
                continue
            earlier = first.setdefault(key, position)
            if earlier == position:
                continue
            if alike and self._same(earlier, position):
                self._alike[position] = earlier
            else:
                self.reject(
                    position,
                    _("{value} is already in row {row}.", value=shown(position), row=self.rows[earlier]),
                    _("Keep one of the two rows."),
                    RejectKind.DUPLICATE,
                )

    def _same(self, one: int, other: int) -> bool:
        """Whether two rows say exactly the same, and of the same place."""
        places = self.geometries[[one, other]]
        there = places[0] is None and places[1] is None
        return (there or bool(shapely.equals_identical(*places))) and self.original(one) == self.original(other)

    def count_places(self, located: Placed) -> None:
        """Count in the report how rows were located."""
        self.count_located(Counter(by for by in located.by if by))
        self.report.unlocated = dict(Counter(reason for reason in located.reason if reason))

    def count_located(self, counts: Mapping[str, int]) -> None:
        """Count located rows in the report."""
        for by, count in counts.items():
            if count:
                self.report.located[str(by)] = self.report.located.get(str(by), 0) + count

    def count_merged(self, merged: Merged) -> None:
        """Count in the report what became of the rows."""
        self.report.new += merged.new
        self.report.updated += merged.updated
        self.report.unchanged += merged.unchanged

    def is_first_load(self, table: str) -> bool:
        """Whether the community has no rows of ``table`` yet, so that every row is new."""
        query = text(f'SELECT NOT EXISTS (SELECT FROM "{table}" WHERE community_id = :id)')  # noqa: S608
        return bool(self.session.scalar(query, {"id": self.community.id}))


def _refusal(rejects: Sequence[Reject], read: int) -> str:
    first = rejects[0]
    return _(
        "{count} of {read} rows cannot be imported, so none was. The first is row {row}: {reason} {advice}",
        count=len(rejects),
        read=read,
        row=first.row,
        reason=first.reason,
        advice=first.advice,
    )


def points_of(geometries: Geometries) -> Geometries:
    """A point of each geometry: itself, or one inside it; ``None`` for none."""
    kinds = shapely.get_type_id(geometries)
    points = geometries.copy()
    other = (kinds != shapely.GeometryType.POINT) & (kinds >= 0)
    points[other] = shapely.point_on_surface(geometries[other])
    return points
