"""What everybody may know of each other's cases 身边事: who else has seen one, and how many there are where.

Residents have no account. Whoever sees among similar cases the one they meant to report says so instead (我也遇到了):
it is counted, once a device and case, and nothing is kept of them but a blind index. A community may show everybody how
many things are open and how many were settled (公开地图): by cells of about 100 m, and only where there are so many
that a number tells of no single home. Kinds that tell of a person, a family or a feud are never among them.

These functions run on a session without walls, like those of ``data.reports``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from sqlalchemy import BigInteger, ForeignKey, LargeBinary, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import incidents, units
from data.base import db, secrets
from data.base.errors import NotFound
from data.base.language import _
from data.incidents import Category, Incident, State

CELL_DEG = 0.001
"""Side of the cells of the open map: 111 m from south to north, less from west to east."""
FEWEST = 5
"""A cell with fewer of a kind says nothing of it."""
SETTLED = timedelta(days=90)
"""For how long what was settled is shown."""


class NotOpen(NotFound):
    """The community does not show its cases to everybody."""


class Seconding(db.Table):
    """Somebody without an account has seen the same; ``device`` is a blind index of the case and the browser."""

    __tablename__ = "seconding"
    __audited__ = False

    incident_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    device: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


def handle(incident_id: int) -> str:
    """What a stranger names a case by: it tells nothing of the case, and is another one each time."""
    return secrets.encrypt(f"second {incident_id}").hex()


def second(session: Session, community_id: int, named: str, device: str) -> int:
    """Count that somebody has seen an open case too, once a device; returns how many have.

    Raises
    ------
    IncidentNotFound
        It is none of the community's open cases.
    """
    try:
        word, _blank, number = secrets.decrypt(bytes.fromhex(named)).partition(" ")
    except (ValueError, InvalidTag):
        word, number = "", ""
    incident = session.get(Incident, int(number)) if word == "second" else None
    # What was told of it may be old: it may have become a case of a kind that strangers learn nothing of.
    kind = session.get(Category, incident.category_code) if incident else None
    gone = incident is None or incident.community_id != community_id or incident.state not in incidents.OPEN
    if incident is None or gone or kind is None or kind.personal or not kind.reportable:
        raise incidents.IncidentNotFound(_("This case is not open any more. Report it anew."))
    key = secrets.blind(f"second {incident.id} {device}")
    session.execute(insert(Seconding).values(incident_id=incident.id, device=key).on_conflict_do_nothing())
    return seconds(session, incident.id)


def seconds(session: Session, incident_id: int) -> int:
    """How many have seen a case too."""
    return session.scalar(select(func.count(Seconding.at)).where(Seconding.incident_id == incident_id)) or 0


@dataclass(frozen=True)
class Cell:
    """A cell of the open map: its south-western corner in degrees, and how many cases; ``None`` for too few."""

    lon: float
    lat: float
    open: int | None
    settled: int | None


@dataclass(frozen=True)
class OpenMap:
    """How many cases are open and settled in a community, by cells, and by kind; kinds with too few are left out."""

    open: int | None
    settled: int | None
    cells: list[Cell]
    kinds: list[tuple[Category, int | None, int | None]]


def require_open(community: units.Unit) -> None:
    """Raise unless a community shows its cases to everybody.

    Raises
    ------
    NotOpen
    """
    if not community.open_map:
        raise NotOpen(_("{name} does not show its cases on an open map.", name=community.name))


def open_map(session: Session, community: units.Unit, now: datetime | None = None) -> OpenMap:
    """What is open in a community, and what was settled lately.

    Raises
    ------
    NotOpen
    """
    require_open(community)
    column, row = (
        func.floor(axis(Incident.geom) / CELL_DEG).label(name)
        for axis, name in ((func.ST_X, "column"), (func.ST_Y, "row"))
    )
    settled = Incident.state == State.CLOSED
    lately = Incident.closed_at >= (now or datetime.now(UTC)) - SETTLED
    query = (
        select(column, row, Incident.category_code, settled.label("settled"), func.count().label("cases"))
        .join(Category, Category.code == Incident.category_code)
        .where(Incident.community_id == community.id, Incident.merged_into_id.is_(None))
        .where(~Category.personal, Category.reportable)
        .where(Incident.state.in_(incidents.OPEN) | (settled & lately))
        .group_by(column, row, Incident.category_code, settled)
    )
    by_cell: dict[tuple[int, int], Counter[bool]] = {}
    by_kind: dict[str, Counter[bool]] = {}
    total: Counter[bool] = Counter()
    for one in session.execute(query):
        total[one.settled] += one.cases
        by_kind.setdefault(one.category_code, Counter())[one.settled] += one.cases
        if one.column is not None:
            by_cell.setdefault((int(one.column), int(one.row)), Counter())[one.settled] += one.cases
    cells = [
        Cell(x * CELL_DEG, y * CELL_DEG, _enough(counts[False]), _enough(counts[True]))
        for (x, y), counts in sorted(by_cell.items())
        if max(counts.values()) >= FEWEST
    ]
    names = {one.code: one for one in incidents.categories(session)}
    kinds: list[Any] = [
        (names[code], _enough(counts[False]), _enough(counts[True]))
        for code, counts in sorted(by_kind.items(), key=lambda pair: (-pair[1].total(), pair[0]))
        if max(counts.values()) >= FEWEST
    ]
    return OpenMap(_enough(total[False]), _enough(total[True]), cells, kinds)


def _enough(count: int) -> int | None:
    return count if count >= FEWEST else None
