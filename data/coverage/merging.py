"""What a list of items comes to: streets as people name them, of pieces of at most 50 m, and how many were seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from data.coverage.tables import Kind, Status


@dataclass
class Street:
    """All pieces with one name, or all nameless ones of a kind in one grid, as ``coverage.of`` gives them.

    Attributes
    ----------
    name
        Empty for nameless ones.
    detail
        ``road`` or ``path``.
    """

    name: str | None
    detail: str
    pieces: list[Any] = field(default_factory=list)

    @property
    def length_m(self) -> float:
        """Of all pieces."""
        return float(sum(piece.length_m for piece in self.pieces))

    @property
    def seen_m(self) -> float:
        """How much of that was seen."""
        return float(sum(piece.length_m * piece.seen_share for piece in self.pieces))

    @property
    def share(self) -> float:
        """The share that was seen (0-1), by length."""
        return self.seen_m / self.length_m if self.length_m else 0.0

    @property
    def missed(self) -> list[Any]:
        """The pieces that were not seen, and then those of which the GPS does not tell."""
        left = [piece for piece in self.pieces if piece.status != Status.SEEN]
        return sorted(left, key=lambda piece: piece.status != Status.NOT_SEEN)

    @property
    def status(self) -> Status:
        """That of the piece that needs doing first."""
        return Status(self.missed[0].status) if self.missed else Status.SEEN

    @property
    def grid_names(self) -> list[str]:
        """The grids it runs through, in the order of its pieces."""
        return list(dict.fromkeys(piece.grid_name for piece in self.pieces if piece.grid_name))


@dataclass(frozen=True)
class Tally:
    """How many of some items were seen, or not, and how many kept their rhythm of those that had one to keep."""

    total: int
    seen: int
    too_poor: int
    not_seen: int
    kept: int
    due: int

    @property
    def share(self) -> float:
        """The share that was seen (0-1)."""
        return self.seen / self.total if self.total else 0.0


def tally(items: Iterable[Any]) -> Tally:
    """What some rows of ``coverage.of`` come to."""
    rows = list(items)
    status = Counter(row.status for row in rows)
    due = [row for row in rows if row.due]
    return Tally(
        total=len(rows),
        seen=status[Status.SEEN],
        too_poor=status[Status.TOO_POOR],
        not_seen=status[Status.NOT_SEEN],
        kept=sum(row.kept >= row.due for row in due),
        due=len(due),
    )


def by_street(items: Iterable[Any]) -> list[Street]:
    """The streets of some items, the one with most metres left first.

    Parameters
    ----------
    items
        Rows as ``coverage.of`` gives them; those of other kinds are left aside.
    """
    found: dict[tuple[Any, ...], Street] = {}
    for item in items:
        if item.kind == Kind.STREET:
            key = (item.name,) if item.name else (None, item.detail, item.grid_id)
            found.setdefault(key, Street(item.name, item.detail)).pieces.append(item)
    return sorted(found.values(), key=lambda street: (street.seen_m - street.length_m, street.name or ""))
