"""Which households are due for a visit or a call, and since when.

It is computed as it is read: from the last time a household was met, the groups it belongs to, the grid it lies in and
the rhythm that holds there. Nothing of it is kept, so it stays right whatever of these changes, and a visit that is
recorded costs one row. A visit counts as a call too. A household that nobody has met yet is due one rhythm after it
was recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    Integer,
    Row,
    String,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import LateralFromClause

from data.base import listing, settings
from data.base.access import Actor, Rows
from data.base.language import _
from data.buildings import Building, Dwelling
from data.households import Household, HouseholdGroup, homes
from data.visits.tables import Manner, Outcome, Visit, VisitRhythm, Who

#: What is due within so many days is due soon.
SOON_DAYS = 14
#: More doors than these are no staircase.
MOST_DOORS = 100


class DueState(StrEnum):
    """How near it is."""

    OVERDUE = "overdue"
    SOON = "soon"
    LATER = "later"
    NEVER = "never"


def due_names() -> dict[str, str]:
    """How near it is that a household is due."""
    return {
        DueState.OVERDUE: _("Overdue"),
        DueState.SOON: _("Due soon"),
        DueState.LATER: _("Later"),
        DueState.NEVER: _("Not asked for"),
    }


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which households: where, of which special groups (``*``: any), and how near it is that they are due."""

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    unit: str | None = None
    groups: tuple[str, ...] | None = None
    states: Collection[DueState] | None = None
    manner: Manner | None = None
    on: date | None = None


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """Households the actor may see with when they are due, a row each, **not masked**.

    Beside the columns of ``homes.selection`` but ``members``, and with the ``groups`` that hold that day:
    ``visited_at`` and ``met_at`` (last met at the door, and in any manner), ``tries`` (in vain since), ``visit_on`` and
    ``call_on`` (the days on which each is due, or null), ``due_on`` (the nearer of them) and ``manner``: what to do
    then, which is a visit where that is due soon as well.
    """
    wanted = wanted or Filter()
    on = wanted.on or settings.today()
    where = homes.Filter(
        community=wanted.community, grid=wanted.grid, building_id=wanted.building_id, groups=wanted.groups, on=on
    )
    query = joined(homes.selection(actor, where, brief=True), on)
    if wanted.unit is not None:
        query = query.where(Dwelling.unit == wanted.unit)
    if wanted.states is not None:
        query = query.where(or_(false(), *(_is(state, on) for state in wanted.states)))
    if wanted.manner is not None:
        query = query.where(_manner == wanted.manner)
    return query


def of_household(session: Session, household: Household, on: date | None = None) -> Row[Any]:
    """A household as a row of ``selection``, for one that the actor was already shown to see."""
    return session.execute(
        joined(homes.rows(brief=True).where(Household.id == household.id), on or settings.today())
    ).one()


def doors(session: Session, actor: Actor, building_id: int, unit: str | None) -> Sequence[Row[Any]]:
    """The households of a staircase as rows of ``selection``, up the stairs; at most ``MOST_DOORS``."""
    query = selection(actor, Filter(building_id=building_id, unit=unit))
    return session.execute(query.order_by(SORTS["door"], Household.id).limit(MOST_DOORS)).all()


def joined(query: Rows, on: date) -> Rows:
    """A query of households with the columns that ``selection`` adds, as they are on a day."""
    due = _due(on, settings.get().timezone)
    return query.join(due, true()).add_columns(*due.c)


#: The column ``due_on`` of ``selection``, for a condition.
DUE_ON: ColumnElement[Any] = literal_column("due.due_on", Date())
_manner: ColumnElement[Any] = literal_column("due.manner", String())
#: What dues can be sorted by; ``door`` is the way from house to house, and up the stairs.
SORTS: dict[str, Any] = {
    "due": func.coalesce(DUE_ON, date(9999, 12, 31)),
    "door": func.concat(
        func.lpad(cast(listing.number_in(Building.number), String), 8, "0"),
        func.coalesce(Building.number, "~"),
        func.lpad(cast(listing.number_in(Dwelling.unit), String), 4, "0"),
        func.lpad(cast(listing.number_in(Dwelling.room), String), 8, "0"),
    ),
    "number": Household.number,
}


@dataclass(frozen=True)
class Count:
    """How many households there are, and how near it is that they are due."""

    overdue: int = 0
    soon: int = 0
    later: int = 0
    never: int = 0


def counts(session: Session, actor: Actor, wanted: Filter | None = None) -> Count:
    """How many households are due, of those a filter asks for."""
    wanted = wanted or Filter()
    on = wanted.on or settings.today()
    rows = selection(actor, wanted).subquery()
    due_on = rows.c.due_on
    state = case(
        (due_on.is_(None), DueState.NEVER),
        (due_on < on, DueState.OVERDUE),
        (due_on <= _soon(on), DueState.SOON),
        else_=DueState.LATER,
    )
    grouped = select(state.label("state"), func.count().label("households")).group_by("state")
    return Count(**{row.state: row.households for row in session.execute(grouped)})


def counts_by_grid(session: Session, actor: Actor, community: str | None) -> dict[str, Count]:
    """Code of a grid → how many of its households are due."""
    on = settings.today()
    rows = selection(actor, Filter(community=community, on=on)).subquery()
    due_on = rows.c.due_on
    grouped = select(
        rows.c.grid_code,
        func.count().filter(due_on < on),
        func.count().filter(due_on.between(on, _soon(on))),
        func.count().filter(due_on > _soon(on)),
        func.count().filter(due_on.is_(None)),
    ).group_by(rows.c.grid_code)
    return {code: Count(*numbers) for code, *numbers in session.execute(grouped) if code is not None}


def state_of(due_on: date | None, on: date) -> DueState:
    """How near a day is.

    >>> state_of(date(2026, 3, 17), date(2026, 3, 18)).value, state_of(date(2026, 4, 2), date(2026, 3, 18)).value
    ('overdue', 'later')
    """
    if due_on is None:
        return DueState.NEVER
    if due_on < on:
        return DueState.OVERDUE
    return DueState.SOON if due_on <= _soon(on) else DueState.LATER


def _is(state: DueState, on: date) -> ColumnElement[bool]:
    nearest = DUE_ON
    return {
        DueState.OVERDUE: nearest < on,
        DueState.SOON: nearest.between(on, _soon(on)),
        DueState.LATER: nearest > _soon(on),
        DueState.NEVER: nearest.is_(None),
    }[state]


def _soon(on: date) -> date:
    return on + timedelta(days=SOON_DAYS)


@lru_cache(maxsize=16)
def _due(on: date, zone: str) -> LateralFromClause:
    """When a household is due: one table beside it, so that PostgreSQL still chooses the households first.

    ``OFFSET 0`` has each column computed once; else it would be put in wherever it is named. Visits and groups are
    named once each, and rhythms once for all households. What says all this stays the same for a day.
    """
    said = _said()
    met, held = _met(on), _held(on, said)

    def due(last: Any, months: Any, manner: Manner) -> ColumnElement[date]:
        ordinary = func.nullif(_every(said, manner, literal(Who.ORDINARY.value)), 0)
        began = func.coalesce(_local_day(last, zone), _local_day(Household.created_at, zone))
        return cast(began + func.make_interval(0, case((held.c.groups.is_(None), ordinary), else_=months)), Date)

    since = func.coalesce(met.c.met_at, Household.created_at - timedelta(days=36_500))
    tried = func.unnest(met.c.tried).table_valued("at").render_derived("tried")
    tries = select(func.count()).where(tried.c.at > since).correlate(Household, met).scalar_subquery()
    dated = select(
        held.c.groups,
        met.c.visited_at,
        met.c.met_at,
        tries.label("tries"),
        due(met.c.visited_at, held.c.visit_months, Manner.VISIT).label("visit_on"),
        due(met.c.met_at, held.c.call_months, Manner.CALL).label("call_on"),
    )
    days = dated.select_from(met).join(held, true()).join(said, true()).correlate(Household).offset(0).lateral("days")
    manner = case((days.c.visit_on <= func.greatest(days.c.call_on, _soon(on)), Manner.VISIT), else_=Manner.CALL)
    nearest = func.least(days.c.visit_on, days.c.call_on)
    return select(days, nearest.label("due_on"), manner.label("manner")).offset(0).lateral("due")


def _met(on: date) -> LateralFromClause:
    """When a household was last met up to the end of a day, and when somebody came or called in vain."""
    was_met = Visit.outcome == Outcome.MET
    seen = select(
        func.max(Visit.at).filter(was_met, Visit.manner == Manner.VISIT).label("visited_at"),
        func.max(Visit.at).filter(was_met).label("met_at"),
        func.array_agg(Visit.at).filter(~was_met).label("tried"),
    ).where(Visit.household_id == Household.id, *listing.in_period(Visit.at, None, on))
    return seen.correlate(Household).offset(0).lateral("met")


def _held(on: date, said: CTE) -> LateralFromClause:
    """The groups that a household belongs to on a day, or null, and the shortest rhythm of each manner in them."""

    def shortest(manner: Manner) -> ColumnElement[Any]:
        special = _every(said, manner, literal(Who.SPECIAL.value))
        return func.min(func.nullif(func.coalesce(_every(said, manner, HouseholdGroup.group_code), special), 0))

    groups = (
        select(
            func.array_agg(HouseholdGroup.group_code).label("groups"),
            shortest(Manner.VISIT).label("visit_months"),
            shortest(Manner.CALL).label("call_months"),
        )
        .join_from(HouseholdGroup, said, true())
        .where(HouseholdGroup.household_id == Household.id, HouseholdGroup.valid.contains(on))
    )
    return groups.correlate(Household).offset(0).lateral("held")


def _said() -> CTE:
    """All rhythms in one value, read once: months by community (nothing for all), whom they are for, and manner."""
    key = func.concat(VisitRhythm.community_id, " ", VisitRhythm.who, " ", VisitRhythm.manner)
    months = select(func.jsonb_object_agg(key, VisitRhythm.every_months).label("months"))
    return months.cte("said").prefix_with("MATERIALIZED", dialect="postgresql")


def _every(said: CTE, manner: Manner, who: Any) -> ColumnElement[int]:
    """The months of a rhythm: what the household's community says, else what holds for all."""

    def months(community: Any) -> ColumnElement[Any]:
        return said.c.months.op("->>")(func.concat(community, " ", who, f" {manner}"))

    return cast(func.coalesce(months(Household.community_id), months("")), Integer)


def _local_day(instant: Any, zone: str) -> ColumnElement[date]:
    """The day of an instant in the community's time zone."""
    return cast(func.timezone(zone, instant), Date)
