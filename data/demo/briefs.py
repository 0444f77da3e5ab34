"""Work reports of the demo: the weeks of its grids, the months of its community, the bulletins of its street.

All of them are told from the demo's own records, as they were known when each was sent. Of the last week one grid has
not reported yet, and the last month's report waits for the street.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from data import briefs, figures, units
from data.base import access, language
from data.briefs import Brief, Kind, State
from data.figures import Span
from data.units import Level, Unit

ZONE = ZoneInfo("Asia/Shanghai")
WEEKS, MONTHS, QUARTERS = 8, 12, 4
_ANSWERS = ("已阅，请继续跟进未办结事项。", "收到，超期事项请在例会上说明原因。", None, "已阅。", None)


def load(session: Session, community: Unit, leaders: Mapping[int, int], held: Mapping[str, int], today: date) -> None:
    """Write the reports. ``leaders``: grid → account of its leader; ``held``: accounts of the staff and the street."""
    grids = units.listed(session, access.SYSTEM, level=Level.GRID, under=community.id)
    street = units.get(session, access.SYSTEM, community.parent_id or 0)
    rows: list[dict[str, Any]] = []
    with language.using("zh"):
        for span in _spans(Kind.WEEK, today, WEEKS):
            senders = {grid.id: leaders[grid.id] for grid in grids}
            late = not rows  # of the last week the last grid is missing
            rows += _told(session, grids[: -1 if late else None], span, Kind.WEEK, senders, held["staff"])
        for span in _spans(Kind.MONTH, today, MONTHS):
            waits = not any(row["kind"] == Kind.MONTH for row in rows)
            receiver = None if waits else held["street"]
            rows += _told(session, [community], span, Kind.MONTH, {community.id: held["staff"]}, receiver)
        for span in _spans(Kind.QUARTER, today, QUARTERS):
            rows += _told(session, [street], span, Kind.QUARTER, {street.id: held["street"]}, None, [community, *grids])
    table = Brief.__table__
    assert isinstance(table, Table)
    session.execute(insert(table), rows)


def _spans(kind: Kind, today: date, count: int) -> list[Span]:
    """The last whole weeks, months or quarters, the latest first."""
    spans, day = [], briefs.period(kind, today).first
    for _number in range(count):
        spans.append(briefs.period(kind, day - timedelta(days=1)))
        day = spans[-1].first
    return spans


def _told(
    session: Session,
    below: Sequence[Unit],
    span: Span,
    kind: Kind,
    senders: Mapping[int, int],
    receiver: int | None,
    parts: Sequence[Unit] = (),
) -> list[dict[str, Any]]:
    """A report of each unit over the same days, sent at the end of the last."""
    sent_at = datetime.combine(span.last, time(17, 30), ZONE)
    every = figures.catalogue(session)
    asked = briefs.asked_of(every)
    counted = figures.count(
        session, access.SYSTEM, figures.needed(asked.values(), every), span, known=sent_at + timedelta(days=1)
    )
    rows = []
    for number, unit in enumerate(below):
        numbers = briefs.numbers_of(unit, asked, counted)
        received_at = sent_at + timedelta(hours=16) if receiver else None
        rows.append(
            {
                "unit_id": unit.id,
                "community_id": unit.community_id,
                "kind": kind,
                "first": span.first,
                "last": span.last,
                "title": briefs.titled(unit, kind, span),
                "words": briefs.worded(numbers),
                "numbers": numbers,
                "parts": briefs.parts_of(parts, asked, counted),
                "state": State.RECEIVED if receiver else State.SENT,
                "sent_at": sent_at,
                "sent_by_id": senders[unit.id],
                "received_at": received_at,
                "received_by_id": receiver,
                "answer": _ANSWERS[(number + span.last.day) % len(_ANSWERS)] if receiver else None,
                "created_at": sent_at,
                "updated_at": received_at or sent_at,
            }
        )
    return rows
