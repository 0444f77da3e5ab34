"""Entries of the diary as they are found: filters, rows, counts by subject and month, by grid and building."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, case, cast, func, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import Date

from data import accounts, units
from data.accounts import Account
from data.base import access, listing, settings
from data.base.access import Actor, Rows
from data.base.language import _
from data.buildings import Building, Dwelling
from data.diary import words
from data.diary.tables import DiaryEntry, EntryNotFound, Standing
from data.households import Household
from data.incidents import Incident, Step

_case: Any = aliased(Incident, name="of_entry")
_original: Any = aliased(Incident, name="original")
_striker: Any = aliased(Account, name="striker")
#: When an entry was solved: struck off by hand, or its case (or the one that this was merged into) was closed.
SOLVED_AT: ColumnElement[Any] = func.coalesce(
    DiaryEntry.struck_at,
    case((_original.step == Step.CLOSED, func.coalesce(_original.closed_at, _original.updated_at))),
)
STANDING: ColumnElement[Any] = case(
    (SOLVED_AT.is_not(None), Standing.STRUCK), (DiaryEntry.asks, Standing.OPEN), else_=Standing.NOTED
)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which entries: where, about what, how they stand, when they were said, and with which words in them."""

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    household_id: int | None = None
    incident_id: int | None = None
    subjects: Collection[str] | None = None
    standings: Collection[str] | None = None
    first: date | None = None
    last: date | None = None
    text: str | None = None


def joined(query: Rows) -> Rows:
    """``query`` of entries with the case of each, and the one that this was merged into."""
    return query.outerjoin(_case, _case.id == DiaryEntry.incident_id).outerjoin(
        _original, _original.id == func.coalesce(_case.merged_into_id, _case.id)
    )


def narrowed(query: Rows, actor: Actor, wanted: Filter) -> Rows:
    """``query`` of joined entries restricted to those the actor may see and a filter asks for."""
    query = access.visible(query, actor, DiaryEntry)
    query = units.narrowed(query, DiaryEntry.community_id, DiaryEntry.grid_id, wanted.community, wanted.grid)
    query = query.where(*listing.in_period(DiaryEntry.at, wanted.first, wanted.last))
    for column, value in (
        (DiaryEntry.building_id, wanted.building_id),
        (DiaryEntry.household_id, wanted.household_id),
        (DiaryEntry.incident_id, wanted.incident_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.subjects is not None:
        query = query.where(DiaryEntry.subject.in_(wanted.subjects))
    if wanted.standings is not None:
        query = query.where(STANDING.in_(wanted.standings))
    if wanted.text and (grams := words.sought(wanted.text)):
        query = query.where(DiaryEntry.grams.contains(grams))
    return query


def rows() -> Rows:
    """All entries as ``selection`` gives them, for one that the actor was already shown to see."""
    grid: Any = aliased(units.Unit, name="of_grid")
    query: Rows = select(
        *listing.columns(DiaryEntry, without=("grams", "geom", "asks")),
        STANDING.label("standing"),
        SOLVED_AT.label("solved_at"),
        accounts.Account.name.label("account_name"),
        _striker.name.label("struck_by_name"),
        Household.number.label("household_number"),
        Dwelling.unit.label("unit"),
        Dwelling.room.label("room"),
        Building.number.label("building_number"),
        grid.code.label("grid_code"),
        grid.name.label("grid_name"),
        func.ST_X(PLACE).label("lon"),
        func.ST_Y(PLACE).label("lat"),
    )
    query = query.outerjoin(accounts.Account, accounts.Account.id == DiaryEntry.account_id)
    query = query.outerjoin(_striker, _striker.id == DiaryEntry.struck_by_id)
    query = query.outerjoin(Household, Household.id == DiaryEntry.household_id)
    query = query.outerjoin(Dwelling, Dwelling.id == Household.dwelling_id)
    query = query.outerjoin(Building, Building.id == DiaryEntry.building_id)
    return joined(query.outerjoin(grid, grid.id == DiaryEntry.grid_id))


#: Where an entry is: its own point, else its building.
PLACE: ColumnElement[Any] = func.coalesce(DiaryEntry.geom, Building.point)
#: What entries can be sorted by.
SORTS: dict[str, Any] = {"id": DiaryEntry.id, "at": DiaryEntry.at, "subject": DiaryEntry.subject}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The entries the actor may see, a row each.

    Beside their columns: ``standing solved_at account_name struck_by_name household_number unit room building_number
    grid_code grid_name lon lat``. A search (``text``) finds entries that hold every pair of neighbouring characters of
    what is sought, and every part of it between blanks.
    """
    return narrowed(rows(), actor, wanted or Filter())


def get(session: Session, actor: Actor, entry_id: int) -> DiaryEntry:
    """The entry with this id.

    Raises
    ------
    EntryNotFound
    """
    query = access.visible(select(DiaryEntry).where(DiaryEntry.id == entry_id), actor, DiaryEntry)
    entry = session.scalar(query)
    if entry is None:
        raise EntryNotFound(_("Not found, or outside your area."))
    return entry


def row(session: Session, entry: DiaryEntry) -> Row[Any]:
    """An entry as a row of ``selection``, for one that the actor was already shown to see."""
    return session.execute(rows().where(DiaryEntry.id == entry.id)).one()


def latest(session: Session, actor: Actor, wanted: Filter, most: int) -> tuple[Sequence[Row[Any]], int]:
    """The latest entries of a filter as rows of ``selection``, and how many there are of them in all."""
    query = selection(actor, wanted)
    rows_ = session.execute(query.order_by(DiaryEntry.at.desc(), DiaryEntry.id.desc()).limit(most)).all()
    return rows_, listing.count(session, query)


def of_visits(session: Session, visit_ids: Collection[int]) -> dict[int, Row[Any]]:
    """Visit → ``id said subject`` of its entry, of visits that the actor was already shown to see."""
    query: Rows = select(DiaryEntry.visit_id, DiaryEntry.id, DiaryEntry.said, DiaryEntry.subject)
    return {row.visit_id: row for row in session.execute(query.where(DiaryEntry.visit_id.in_(visit_ids)))}


def state_counts(session: Session, actor: Actor, wanted: Filter | None = None) -> dict[str, int]:
    """How many entries stand how, of those that a filter asks for."""
    counted = select(STANDING.label("standing"), func.count().label("entries")).select_from(DiaryEntry)
    rows_ = session.execute(narrowed(joined(counted), actor, wanted or Filter()).group_by("standing"))
    return dict.fromkeys(Standing, 0) | {row.standing: row.entries for row in rows_}


@dataclass(frozen=True)
class Mention:
    """How often a subject was spoken of in a month (its first day)."""

    month: date
    subject: str
    entries: int


def by_month(session: Session, actor: Actor, wanted: Filter) -> list[Mention]:
    """What was spoken of month by month, by the community's time zone."""
    month = cast(func.date_trunc("month", func.timezone(settings.get().timezone, DiaryEntry.at)), Date)
    query = select(month.label("month"), DiaryEntry.subject, func.count().label("entries")).select_from(DiaryEntry)
    query = narrowed(joined(query), actor, wanted).group_by(month, DiaryEntry.subject).order_by(month)
    return [Mention(row.month, row.subject, row.entries) for row in session.execute(query)]


def by_grid(session: Session, actor: Actor, wanted: Filter) -> Mapping[int | None, Mapping[str, int]]:
    """Grid → subject → how many entries."""
    query = select(DiaryEntry.grid_id, DiaryEntry.subject, func.count().label("entries")).select_from(DiaryEntry)
    counts: dict[int | None, dict[str, int]] = {}
    for row in session.execute(narrowed(joined(query), actor, wanted).group_by(DiaryEntry.grid_id, DiaryEntry.subject)):
        counts.setdefault(row.grid_id, {})[row.subject] = row.entries
    return counts


def at_buildings(session: Session, actor: Actor, wanted: Filter) -> Sequence[Row[Any]]:
    """The buildings where something was said: ``id number name code lon lat entries open``, most entries first."""
    query: Select[Any] = (
        select(
            Building.id,
            Building.number,
            Building.name,
            Building.code,
            func.ST_X(Building.point).label("lon"),
            func.ST_Y(Building.point).label("lat"),
            func.count().label("entries"),
            func.count().filter(STANDING == Standing.OPEN).label("open"),
        )
        .select_from(DiaryEntry)
        .join(Building, Building.id == DiaryEntry.building_id)
        .where(Building.point.is_not(None))
    )
    query = narrowed(joined(query), actor, wanted).group_by(Building.id)
    return session.execute(query.order_by(func.count().desc(), Building.id)).all()
