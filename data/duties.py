"""The six roles 六大员 of a grid leader, with what was done under each: told from the records that are there anyway.

Nothing is entered for it, and nothing is told of anybody: it is what was done in a grid, by whoever did it.

============  ===============================  =====================================================================
role          六大员                            what is counted
============  ===============================  =====================================================================
publicity     政策法律宣传员                    service cards that were handed out; lectures and consulting
opinion       社情民意采集员                    households that were met or called, and entries of the diary
mediation     矛盾纠纷调解员                    disputes that were reported, and those that were closed
supervision   社区管理监督员                    cases that were reported in the grid, and those that were closed
civility      文明新风倡导员                    clean-ups, culture and repairs; residents who came
emergency     突发事件报告员                    urgent cases, which go to the street at once
============  ===============================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import incidents, units
from data.activities import Activity, Kind
from data.base import access, listing
from data.base.access import Actor, Rows
from data.base.language import _
from data.diary import DiaryEntry
from data.incidents import Incident
from data.visits import Manner, Outcome, Visit


class Role(StrEnum):
    """The six roles, in the order of the report."""

    PUBLICITY = "publicity"
    OPINION = "opinion"
    MEDIATION = "mediation"
    SUPERVISION = "supervision"
    CIVILITY = "civility"
    EMERGENCY = "emergency"


def role_names() -> dict[str, str]:
    """The six roles."""
    return {
        Role.PUBLICITY: _("Tells of policies and laws"),
        Role.OPINION: _("Hears what people say"),
        Role.MEDIATION: _("Settles disputes"),
        Role.SUPERVISION: _("Watches over the community"),
        Role.CIVILITY: _("Stands up for good manners"),
        Role.EMERGENCY: _("Reports emergencies"),
    }


@dataclass(frozen=True, kw_only=True)
class Done:
    """What was done in a grid (or in several) in some days; each number is of records."""

    cards: int = 0
    lectures: int = 0
    visits: int = 0
    calls: int = 0
    said: int = 0
    disputes: int = 0
    disputes_closed: int = 0
    cases: int = 0
    cases_closed: int = 0
    activities: int = 0
    came: int = 0
    urgent: int = 0

    def __add__(self, other: Done) -> Done:
        return Done(**{name: getattr(self, name) + getattr(other, name) for name in vars(self)})


def fact_names() -> dict[str, dict[str, str]]:
    """Role → what of ``Done`` is told under it, and what that is called."""
    return {
        Role.PUBLICITY: {"cards": _("service cards"), "lectures": _("lectures and consulting")},
        Role.OPINION: {"visits": _("visits"), "calls": _("calls"), "said": _("diary entries")},
        Role.MEDIATION: {"disputes": _("disputes"), "disputes_closed": _("closed")},
        Role.SUPERVISION: {"cases": _("cases"), "cases_closed": _("closed")},
        Role.CIVILITY: {"activities": _("activities"), "came": _("people who came")},
        Role.EMERGENCY: {"urgent": _("urgent cases")},
    }


#: The category under which disputes are.
DISPUTES = "dispute"
_TELLING = (Kind.LECTURE, Kind.CONSULTING)


def done(
    session: Session, actor: Actor, grids: Iterable[units.Unit], *, community: str | None, first: date, last: date
) -> dict[int, Done]:
    """Grid → what was done in it from the first day to the last, as far as the actor may see."""
    numbers: dict[int, dict[str, int]] = {grid.id: {} for grid in grids}
    for grid_id, name, count in (
        *_visits(session, actor, first, last),
        *_entries(session, actor, first, last),
        *_activities(session, actor, first, last),
        *_cases(session, actor, community, first, last),
    ):
        if grid_id in numbers:
            numbers[grid_id][name] = numbers[grid_id].get(name, 0) + count
    return {grid_id: Done(**known) for grid_id, known in numbers.items()}


def _visits(session: Session, actor: Actor, first: date, last: date) -> Iterable[tuple[int, str, int]]:
    met = Visit.outcome == Outcome.MET
    query: Rows = select(
        Visit.grid_id,
        func.count().filter(Visit.card),
        func.count().filter(met, Visit.manner == Manner.VISIT),
        func.count().filter(met, Visit.manner == Manner.CALL),
    ).where(*listing.in_period(Visit.at, first, last))
    for grid_id, *counts in session.execute(access.visible(query, actor, Visit).group_by(Visit.grid_id)):
        yield from ((grid_id, name, count) for name, count in zip(_OF_VISITS, counts, strict=True))


_OF_VISITS = ("cards", "visits", "calls")


def _entries(session: Session, actor: Actor, first: date, last: date) -> Iterable[tuple[int, str, int]]:
    query: Rows = select(DiaryEntry.grid_id, func.count()).where(*listing.in_period(DiaryEntry.at, first, last))
    for grid_id, count in session.execute(access.visible(query, actor, DiaryEntry).group_by(DiaryEntry.grid_id)):
        yield grid_id, "said", count


def _activities(session: Session, actor: Actor, first: date, last: date) -> Iterable[tuple[int, str, int]]:
    telling = Activity.kind.in_(_TELLING)
    query: Rows = select(
        Activity.grid_id,
        func.count().filter(telling),
        func.count().filter(~telling),
        func.coalesce(func.sum(Activity.attendance).filter(~telling), 0),
    ).where(*listing.in_period(Activity.begins_at, first, last), Activity.attendance.is_not(None))
    for grid_id, *counts in session.execute(access.visible(query, actor, Activity).group_by(Activity.grid_id)):
        yield from ((grid_id, name, count) for name, count in zip(_OF_ACTIVITIES, counts, strict=True))


_OF_ACTIVITIES = ("lectures", "activities", "came")


def _cases(
    session: Session, actor: Actor, community: str | None, first: date, last: date
) -> Iterable[tuple[int, str, int]]:
    reported: dict[str, Any] = {"community": community, "first": first, "last": last}
    closed: dict[str, Any] = {"community": community, "closed_first": first, "closed_last": last}
    disputes = {"categories": (DISPUTES,)}
    for name, wanted in (
        ("cases", reported),
        ("cases_closed", closed),
        ("disputes", reported | disputes),
        ("disputes_closed", closed | disputes),
        ("urgent", reported | {"tiers": (incidents.Tier.STREET,)}),
    ):
        counts: dict[Any, int] = {**incidents.counts(session, actor, incidents.Filter(**wanted), by=Incident.grid_id)}
        yield from ((grid_id, name, count) for grid_id, count in counts.items())
