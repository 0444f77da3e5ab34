"""Today 今日待办: what is due for one person in the own grid 责任网格: cases, visits, rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row
from sqlalchemy.orm import Session

from data import diary, disputes, grids, incidents, panels, rounds, units, visits
from data.base import listing, settings
from data.base.access import Actor, Rows
from data.buildings import Building
from data.households import Household
from data.incidents import RUNNING, Filter, Incident
from data.visits import due as due_visits

#: More cases than these are no sheet to walk with, but a list.
MOST = 20
#: And more visits than these are no evening's walk.
MOST_VISITS = 10


@dataclass(frozen=True)
class Today:
    """What is due: cases and how many are open at all, rounds, and who is to be visited.

    Attributes
    ----------
    bounds
        Of the own grids: west, south, east, north in degrees (EPSG:4326).
    cases
        Rows of ``incidents.selection``: those whose limit has passed or ends with the day, and those that the rules
        remind of; at most ``MOST``.
    rounds
        Rows of ``rounds.due``: those that somebody is to walk, or that are for whoever comes first.
    visits
        Rows of ``visits.due``: the households of the own grids that are due by the end of the day, the longest overdue
        first; at most ``MOST_VISITS``. ``to_visit``: how many there are.
    calls
        Rows of ``disputes.calls_due``: agreements of which somebody is to ask whether they hold.
    weeks
        Weeks of the diary that the one who asks is to take over as a line officer.
    """

    grids: list[units.Unit]
    bounds: panels.Bounds | None
    cases: Sequence[Row[Any]]
    due: int
    open: int
    rounds: Sequence[Row[Any]]
    visits: Sequence[Row[Any]]
    to_visit: int
    calls: Sequence[Row[Any]]
    weeks: Sequence[diary.Week]


def own_grids(actor: Actor) -> frozenset[int]:
    """The grids that are somebody's own: of whoever sees cases in single grids and in no whole community.

    Those in which somebody stands in today are theirs as long.
    """
    area = actor.area(Incident.__read__)
    held = frozenset[int]() if area.everywhere or area.communities else area.single
    return held | frozenset(actor.stands_in)


def of(session: Session, actor: Actor, on: date | None = None) -> Today:
    """What is due on a day of the community's time zone, today by default."""
    day = on or settings.today()
    own = sorted(own_grids(actor))
    ends = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(settings.get().timezone))
    running = incidents.selection(actor, Filter(states=RUNNING))
    to_visit = _to_visit(actor, own, day)
    due = running.where((Incident.due_at < ends) | incidents.due_soon())
    return Today(
        grids=[grids.get(session, actor, grid_id) for grid_id in own],
        bounds=_around(session, actor, own),
        cases=session.execute(due.order_by(incidents.SORTS["due"], Incident.id).limit(MOST)).all(),
        due=listing.count(session, due),
        open=listing.count(session, running),
        rounds=_to_walk(session, actor, day),
        visits=session.execute(to_visit.order_by(due_visits.SORTS["due"], Household.id).limit(MOST_VISITS)).all(),
        to_visit=listing.count(session, to_visit),
        calls=disputes.calls_due(session, actor, day) if actor.may(disputes.Dispute.__read__) else [],
        weeks=diary.to_take_over(session, actor),
    )


def _to_visit(actor: Actor, own: Sequence[int], day: date) -> Rows:
    """The households of the own grids that are to be visited or called by the end of a day."""
    wanted = visits.Filter(states=(visits.DueState.OVERDUE, visits.DueState.SOON), on=day)
    return due_visits.selection(actor, wanted).where(Building.grid_id.in_(own), day >= due_visits.DUE_ON)


def _to_walk(session: Session, actor: Actor, day: date) -> list[Row[Any]]:
    """The rounds of a day that are one's own, or for whoever comes first; those still to walk first."""
    if not actor.may(rounds.Round.__read__):
        return []
    mine = [
        row
        for row in rounds.due(session, actor, day)
        if row.account_id is None or actor.stands_for(row.account_id, row.grid_id)
    ]
    return sorted(mine, key=lambda row: bool(row.done))


def bounds(session: Session, actor: Actor) -> panels.Bounds | None:
    """Where the own grids are; ``None`` for whoever has none."""
    return _around(session, actor, sorted(own_grids(actor)))


def _around(session: Session, actor: Actor, grid_ids: Sequence[int]) -> panels.Bounds | None:
    boxes = [box for grid_id in grid_ids if (box := panels.outline(session, actor, grid_id).bounds)]
    if not boxes:
        return None
    wests, souths, easts, norths = zip(*boxes, strict=True)
    return min(wests), min(souths), max(easts), max(norths)
