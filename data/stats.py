"""Statistics 统计: how a unit's cases stand, how fast they are settled, and how they come and go.

==========  ==========================================================================================
new         reported on one of the days
open        not settled now, whenever they were reported
due         open, not overdue, and due soon as the reminder rules of the community say
overdue     open after their time
solved      closed on one of the days
first time  of the solved ones, those that were never opened again
==========  ==========================================================================================

A new case counts with the grid that it lay in when it was reported, also where boundaries were redrawn since; an open
one with the grid it lies in now, a solved one with the grid that solved it.

What was merged into another case counts with that one. Everything is counted over what the actor may see, with the
conditions of ``incidents.Filter``, so that a list with the same filter has as many rows as the number says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, and_, case, cast, func, literal, null, or_, select, true, tuple_, union_all
from sqlalchemy.orm import Session

from data import incidents, units
from data.base import listing, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.incidents import Category, Incident, State
from data.incidents.finding import due_soon, reopened
from data.units import Level, Unit

DAYS_MAX = 3_660
#: Up to so many days a step of the trend is a day, up to so many a week, beyond that a month.
_BY_DAY, _BY_WEEK = 31, 400


@dataclass(frozen=True)
class Figures:
    """How many cases there are of each kind; see the module."""

    new: int = 0
    open: int = 0
    due: int = 0
    overdue: int = 0
    solved: int = 0
    first_time: int = 0

    @property
    def first_time_share(self) -> float | None:
        """The share of the solved ones that were never opened again, 0–1; ``None`` when none was solved."""
        return self.first_time / self.solved if self.solved else None


@dataclass(frozen=True)
class Before:
    """What came and was settled in the period before: as many days, up to the day before the first, both included."""

    first: date
    last: date
    new: int
    solved: int
    first_time: int

    @property
    def first_time_share(self) -> float | None:
        """The share of the solved ones that were never opened again, 0–1; ``None`` when none was solved."""
        return self.first_time / self.solved if self.solved else None


@dataclass(frozen=True)
class Part:
    """The figures of a unit below; ``id`` and ``code`` are empty for what lies in no grid."""

    id: int | None
    code: str | None
    name: str
    figures: Figures


@dataclass(frozen=True)
class Kind:
    """The solved cases of a category, and in how many days half of them were solved."""

    code: str
    name_zh: str
    name_en: str
    solved: int
    median_days: float


@dataclass(frozen=True)
class Step:
    """How many cases came and were solved on the days from ``first`` to ``last``, both included."""

    first: date
    last: date
    new: int
    solved: int


@dataclass(frozen=True)
class Stats:
    """The statistics of a unit, or of all that the actor may see, for the days from ``first`` to ``last``."""

    unit: Unit | None
    first: date
    last: date
    figures: Figures
    before: Before
    parts: Sequence[Part]
    kinds: Sequence[Kind]
    steps: Sequence[Step]


def of(session: Session, actor: Actor, *, unit: Unit | None, first: date, last: date) -> Stats:
    """The statistics of a unit.

    Raises
    ------
    Invalid
        The last day lies before the first, or they are more than ``DAYS_MAX`` apart.
    """
    days = (last - first).days + 1
    if not 1 <= days <= DAYS_MAX:
        raise Invalid(
            _("The days from {first} to {last} are none, or more than {most}.", first=first, last=last, most=DAYS_MAX)
        )
    whole, by_part, by_kind = _counted(session, actor, unit, first, last)
    return Stats(
        unit=unit,
        first=first,
        last=last,
        figures=whole,
        before=_before(session, actor, unit, first, days),
        parts=_parts(session, actor, unit, by_part),
        kinds=by_kind,
        steps=_steps(session, actor, unit, first, last),
    )


def units_of(session: Session, actor: Actor, community_id: int | None = None) -> list[Unit]:
    """The units whose cases the actor may see whole, from the top: a street only with all its communities.

    Parameters
    ----------
    community_id
        The community whose grids are listed too.
    """
    area = actor.area("incident.read")
    above = units.above_grids(session, actor)
    communities = [unit for unit in above if unit.level == Level.COMMUNITY]
    whole = {unit.id for unit in communities if area.covers(unit.id)}
    for unit in above:
        below = {one.id for one in communities if unit.id in one.path}
        if unit.level != Level.COMMUNITY and len(below) > 1 and below <= whole:
            whole.add(unit.id)
    grids = units.listed(session, actor, level=Level.GRID, under=community_id) if community_id else []
    seen = [unit for unit in above if unit.id in whole]
    return seen + [grid for grid in grids if area.covers(grid.community_id, grid.id)]


def _counted(
    session: Session, actor: Actor, unit: Unit | None, first: date, last: date
) -> tuple[Figures, dict[int | None, Figures], list[Kind]]:
    """All figures by one look at the cases: of the whole, by the part they lie in, and by category."""
    new: ColumnElement[bool] = and_(*listing.in_period(Incident.reported_at, first, last))
    solved = and_(Incident.state == State.CLOSED, *listing.in_period(Incident.closed_at, first, last))
    is_open: ColumnElement[bool] = Incident.state.in_(incidents.OPEN)
    by_grid = unit is not None and unit.level == Level.COMMUNITY
    new, solved, is_open = _then(unit, new), _now(unit, solved), _now(unit, is_open)
    rows = select(
        (Incident.grid_id if by_grid else Incident.community_id).label("part"),
        (Incident.grid_then if by_grid else Incident.community_id).label("part_then"),
        Incident.category_code.label("category"),
        new.label("new"),
        is_open.label("open"),
        and_(is_open, due_soon()).label("due"),
        and_(is_open, Incident.overdue).label("overdue"),
        solved.label("solved"),
        case((solved, ~reopened()), else_=False).label("first_time"),
        case((solved, func.extract("epoch", Incident.closed_at - Incident.reported_at) / 86_400), else_=null()).label(
            "took"
        ),
    ).where(or_(new, solved, is_open))
    found = incidents.narrowed(rows, actor, _wanted(unit)).subquery()
    counts = [func.count().filter(found.c[name]).label(name) for name in Figures.__dataclass_fields__]
    median = func.percentile_cont(0.5).within_group(found.c.took)
    keys = (found.c.part, found.c.part_then, found.c.category)
    grouped = select(func.grouping(*keys).label("by"), *keys, *counts, median.label("median")).group_by(
        func.grouping_sets(tuple_(), *(tuple_(key) for key in keys))
    )
    whole, parts, medians = Figures(), {}, {}
    came: dict[int | None, int] = {}
    for row in session.execute(grouped).mappings():
        figures = Figures(**{name: row[name] for name in Figures.__dataclass_fields__})
        match row["by"]:
            case 0b111:
                whole = figures
            case 0b011:
                parts[row["part"]] = figures
            case 0b101:
                came[row["part_then"]] = figures.new
            case _ if figures.solved:
                medians[row["category"]] = (figures.solved, float(row["median"]))
    for part, count in came.items():
        if count or part in parts:
            parts[part] = replace(parts.get(part, Figures()), new=count)
    for part in set(parts) - set(came):
        parts[part] = replace(parts[part], new=0)
    names = session.execute(
        select(Category.code, Category.name_zh, Category.name_en).where(Category.code.in_(medians))
    ).all()
    kinds = [Kind(code, zh, en, *medians[code]) for code, zh, en in names]
    return whole, parts, sorted(kinds, key=lambda kind: (-kind.solved, kind.code))


def _before(session: Session, actor: Actor, unit: Unit | None, first: date, days: int) -> Before:
    """The figures that belong to days, of as many days before ``first``; what is open now belongs to no other time."""
    begin, end = first - timedelta(days=days), first - timedelta(days=1)
    new = and_(*listing.in_period(Incident.reported_at, begin, end))
    solved = and_(Incident.state == State.CLOSED, *listing.in_period(Incident.closed_at, begin, end))
    new, solved = _then(unit, new), _now(unit, solved)
    counts = [func.count().filter(condition) for condition in (new, solved, and_(solved, ~reopened()))]
    query = incidents.narrowed(select(*counts).where(or_(new, solved)), actor, _wanted(unit))
    return Before(begin, end, *session.execute(query).one())


def _wanted(unit: Unit | None) -> incidents.Filter:
    """The cases of a unit; within a community each condition says itself in which grid they lie."""
    return incidents.Filter(unit=unit.code if unit and unit.level != Level.GRID else None)


def _then(unit: Unit | None, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """``condition``, of the cases that lay in the unit when they were reported."""
    return and_(condition, Incident.lay_in(unit.id)) if unit and unit.level == Level.GRID else condition


def _now(unit: Unit | None, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """``condition``, of the cases that lie in the unit."""
    return and_(condition, Incident.grid_id == unit.id) if unit and unit.level == Level.GRID else condition


def _parts(session: Session, actor: Actor, unit: Unit | None, figures: dict[int | None, Figures]) -> list[Part]:
    """The units below with their figures, by code, also those without any case; last what lies in no grid."""
    if unit is not None and unit.level == Level.GRID:
        return []
    level = Level.GRID if unit is not None and unit.level == Level.COMMUNITY else Level.COMMUNITY
    below = units.listed(session, actor, level=level, under=unit.id if unit else None)
    area = actor.area("incident.read")
    parts = [
        Part(one.id, one.code, one.name, figures.get(one.id, Figures()))
        for one in below
        if one.id in figures or area.covers(one.community_id, one.id if level == Level.GRID else None)
    ]
    if None in figures:
        parts.append(Part(None, None, "", figures[None]))
    return parts


def _steps(session: Session, actor: Actor, unit: Unit | None, first: date, last: date) -> list[Step]:
    """How cases came and went, by day, week or month; a step at an end may be shorter."""
    zone = settings.get().timezone
    queries = []
    for name, instant, of_unit in (
        ("new", Incident.reported_at, _then(unit, true())),
        ("solved", Incident.closed_at, _now(unit, Incident.state == State.CLOSED)),
    ):
        day = cast(func.timezone(zone, instant), Date).label("day")
        query: Any = select(literal(name).label("kind"), day).where(*listing.in_period(instant, first, last), of_unit)
        queries.append(incidents.narrowed(query, actor, _wanted(unit)))
    days = union_all(*queries).subquery()
    counts = {
        (kind, day): count
        for kind, day, count in session.execute(
            select(days.c.kind, days.c.day, func.count()).group_by(days.c.kind, days.c.day)
        )
    }
    steps = []
    for begin, end in periods(first, last):
        inside = [begin + timedelta(days=offset) for offset in range((end - begin).days + 1)]
        new, solved = (sum(counts.get((kind, day), 0) for day in inside) for kind in ("new", "solved"))
        steps.append(Step(begin, end, new, solved))
    return steps


def periods(first: date, last: date) -> list[tuple[date, date]]:
    """The days from ``first`` to ``last`` cut into days, weeks or months, whatever is not too many.

    Weeks are counted back from the last day, so that only the first one may be shorter.

    >>> periods(date(2026, 3, 1), date(2026, 4, 10))[:2]
    [(datetime.date(2026, 3, 1), datetime.date(2026, 3, 6)), (datetime.date(2026, 3, 7), datetime.date(2026, 3, 13))]
    """
    days = (last - first).days + 1
    spans = []
    begin = first
    while begin <= last:
        if days <= _BY_DAY:
            end = begin
        elif days <= _BY_WEEK:
            end = begin + timedelta(days=((last - begin).days % 7))
        else:
            end = (begin.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        spans.append((begin, min(end, last)))
        begin = end + timedelta(days=1)
    return spans
