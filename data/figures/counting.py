"""Figures counted: by community and grid, as they are known now or were on a day; and the records behind one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.base import db
from data.base.access import Actor
from data.figures.figure import Figure, Share, Span

#: Of the records behind a number so many are listed; the lists of the feature have them all.
MOST_RECORDS = 1000


@dataclass(frozen=True)
class Numbers:
    """A figure counted: (community, grid) → the number; the grid is ``None`` for what lies in none."""

    by_place: Mapping[tuple[int, int | None], int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.by_place.values())

    def of_grid(self, grid_id: int | None) -> int:
        """What lies in a grid; of ``None``: what lies in none."""
        return sum(number for (_community, grid), number in self.by_place.items() if grid == grid_id)

    def of_community(self, community_id: int) -> int:
        """What lies in a community, in a grid or not."""
        return sum(number for (community, _grid), number in self.by_place.items() if community == community_id)


@dataclass(frozen=True)
class Record:
    """A record behind a number: its grid, when it came in, what it is called, and the id of what shows it."""

    record_id: int
    grid_id: int | None
    known_at: datetime | None
    label: str
    shown: int
    amount: int


def count(
    session: Session,
    actor: Actor,
    asked: Iterable[Figure],
    span: Span,
    *,
    communities: Sequence[int] | None = None,
    known: datetime | None = None,
) -> dict[str, Numbers]:
    """Code → the figure counted over what the actor may see; those that the actor may not know are left out.

    Parameters
    ----------
    communities
        Ids; ``None`` for all that the actor may see.
    known
        Only what had come in by then: a number as it stood at that moment.
    """
    numbers = {}
    for figure in asked:
        if not figure.told(actor):
            continue
        with db.counting(session, actor) if figure.people else nullcontext(actor) as counter:
            rows = figure.rows(counter, span).subquery()
            query = select(rows.c.community_id, rows.c.grid_id, func.sum(rows.c.amount)).group_by(
                rows.c.community_id, rows.c.grid_id
            )
            if communities is not None:
                query = query.where(rows.c.community_id.in_(communities))
            if known is not None:
                query = query.where(rows.c.known_at <= known)
            counted = session.execute(query).all()
        numbers[figure.code] = Numbers(
            {(community, grid): int(amount) for community, grid, amount in counted if amount}
        )
    return numbers


def share(asked: Share, counted: Mapping[str, int]) -> float | None:
    """A share out of numbers by code, 0–1; ``None`` where there is nothing to have a share of, or a part is unknown.

    >>> from data.figures.figure import Field
    >>> met = Share(code="met_share", field=Field.VISITS, name="", how="", part="met", whole="households")
    >>> share(met, {"met": 90, "households": 100}), share(met, {"met": 0, "households": 0})
    (0.9, None)
    """
    part, whole = counted.get(asked.part), counted.get(asked.whole)
    return part / whole if part is not None and whole else None


def records(
    session: Session,
    actor: Actor,
    figure: Figure,
    span: Span,
    *,
    community_id: int,
    grid_id: int | None = None,
    since: datetime | None = None,
) -> list[Record]:
    """The records behind a number that the actor may see, the latest first, at most ``MOST_RECORDS``.

    Parameters
    ----------
    grid_id
        Of this grid alone; ``None`` for the whole community.
    since
        Only what came in after that moment.
    """
    rows = figure.rows(actor, span).subquery()
    columns = (rows.c[name] for name in ("record_id", "grid_id", "known_at", "label", "shown", "amount"))
    query = select(*columns).where(rows.c.community_id == community_id)
    if grid_id is not None:
        query = query.where(rows.c.grid_id == grid_id)
    if since is not None:
        query = query.where(rows.c.known_at > since)
    query = query.order_by(rows.c.known_at.desc().nulls_last(), rows.c.record_id.desc()).limit(MOST_RECORDS)
    return [Record(*record) for record in session.execute(query)]
