"""Movements as they are found: filters, rows, counts by grid and period, and how many lived here on a day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row, func, literal_column, select, text
from sqlalchemy.orm import Session, aliased

from data import accounts, units
from data.base import access, db, listing
from data.base.access import Actor, Rows
from data.base.language import _
from data.buildings import Building, Dwelling
from data.households import Household, Resident
from data.movements.tables import Kind, Movement, MovementNotFound


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which events: where, of which kinds and people, on which days; those that were undone only when asked for."""

    community: str | None = None
    grid: str | None = None
    household_id: int | None = None
    resident_id: int | None = None
    kinds: Collection[str] | None = None
    first: date | None = None
    last: date | None = None
    undone: bool = False


#: What events can be sorted by.
SORTS: dict[str, Any] = {"id": Movement.id, "happened": Movement.happened_on}


def _narrowed(query: Rows, actor: Actor, wanted: Filter) -> Rows:
    query = access.visible(query, actor, Movement)
    query = units.narrowed(query, Movement.community_id, Movement.grid_id, wanted.community, wanted.grid)
    query = query.where(Movement.undone_at.is_not(None) if wanted.undone else Movement.undone_at.is_(None))
    if wanted.first is not None:
        query = query.where(Movement.happened_on >= wanted.first)
    if wanted.last is not None:
        query = query.where(Movement.happened_on <= wanted.last)
    if wanted.kinds is not None:
        query = query.where(Movement.kind.in_(wanted.kinds))
    if wanted.resident_id is not None:
        query = query.where(Movement.resident_id == wanted.resident_id)
    if wanted.household_id is not None:
        home = wanted.household_id
        query = query.where((Movement.household_id == home) | (Movement.from_household_id == home))
    return query


def rows(actor: Actor) -> Rows:
    """All events as ``selection`` gives them."""
    grid: Any = aliased(units.Unit, name="of_grid")
    who: Any = aliased(Resident, access.visible(select(Resident), actor, Resident).subquery())
    home: Any = aliased(Household, access.visible(select(Household), actor, Household).subquery())
    query: Rows = (
        select(
            *listing.columns(Movement, without=("before",)),
            who.name.label("name"),
            home.number.label("household_number"),
            Dwelling.unit.label("unit"),
            Dwelling.room.label("room"),
            Building.id.label("building_id"),
            Building.number.label("building_number"),
            grid.code.label("grid_code"),
            grid.name.label("grid_name"),
            accounts.Account.name.label("account_name"),
            func.ST_X(Building.point).label("lon"),
            func.ST_Y(Building.point).label("lat"),
        )
        .outerjoin(who, who.id == Movement.resident_id)
        .outerjoin(home, home.id == Movement.household_id)
        .outerjoin(Dwelling, Dwelling.id == home.dwelling_id)
        .outerjoin(Building, Building.id == Dwelling.building_id)
        .outerjoin(grid, grid.id == Movement.grid_id)
    )
    return query.outerjoin(accounts.Account, accounts.Account.id == Movement.account_id)


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The events the actor may see, a row each, **not masked**.

    Beside their columns but ``before``: ``name`` of the person and ``household_number unit room building_id
    building_number`` as they are today, as far as the actor may see them; ``grid_code grid_name account_name lon lat``.
    """
    return _narrowed(rows(actor), actor, wanted or Filter())


def get(session: Session, actor: Actor, movement_id: int) -> Movement:
    """The event with this id.

    Raises
    ------
    MovementNotFound
    """
    movement = session.scalar(access.visible(select(Movement).where(Movement.id == movement_id), actor, Movement))
    if movement is None:
        raise MovementNotFound(_("Not found, or outside your area."))
    return movement


def row(session: Session, actor: Actor, movement: Movement) -> Row[Any]:
    """An event as a row of ``selection``, also one that was undone."""
    return session.execute(rows(actor).where(Movement.id == movement.id)).one()


@dataclass(frozen=True)
class Count:
    """How many people an event of each kind happened to, in one grid.

    ``came`` and ``went`` are those who moved between grids of the community; who moves within a grid is in neither.
    """

    grid_id: int | None
    code: str = ""
    name: str = ""
    born: int = 0
    died: int = 0
    moved_in: int = 0
    moved_out: int = 0
    came: int = 0
    went: int = 0

    @property
    def change(self) -> int:
        """By how many people the grid grew."""
        return self.born - self.died + self.moved_in - self.moved_out + self.came - self.went


_NUMBERS = [field.name for field in fields(Count) if field.name not in ("grid_id", "code", "name")]


def counts(session: Session, actor: Actor, wanted: Filter | None = None) -> list[Count]:
    """Births, deaths and moves of a period by grid, in the order of their codes; what lies in no grid comes last."""
    wanted = wanted or Filter()
    between = Movement.kind == Kind.MOVED, Movement.from_grid_id.is_distinct_from(Movement.grid_id)
    numbers: dict[int | None, dict[str, Any]] = {}

    def add(column: Any, name: Any, *where: Any) -> None:
        query: Rows = select(column, name, func.count()).where(*where).group_by(text("1, 2"))
        query = _narrowed(query, actor, replace(wanted, grid=None))
        query = units.narrowed(query, Movement.community_id, column, None, wanted.grid)
        for grid_id, said, number in session.execute(query):
            numbers.setdefault(grid_id, {})[said] = number

    counted = [kind for kind in Kind if kind in _NUMBERS]
    add(Movement.grid_id, Movement.kind, Movement.kind.in_(counted))
    add(Movement.grid_id, literal_column("'came'"), *between)
    add(Movement.from_grid_id, literal_column("'went'"), *between)
    known = select(units.Unit).where(units.Unit.id.in_(numbers.keys() - {None})).order_by(units.Unit.code)
    counts = [replace(Count(grid.id, grid.code, grid.name), **numbers[grid.id]) for grid in session.scalars(known)]
    return counts + ([replace(Count(None), **numbers[None])] if None in numbers else [])


def total(parts: Sequence[Count]) -> Count:
    """All of it.

    >>> total([Count(1, born=2, came=1), Count(2, died=1, went=1)]).change
    1
    """
    return Count(None, **{name: sum(getattr(part, name) for part in parts) for name in _NUMBERS})


def population(session: Session, actor: Actor, community: units.Unit, on: date) -> int:
    """How many people of a community lived here at the end of a day: those of today, and what happened since."""
    query: Rows = select(func.count()).select_from(Resident).where(Resident.here())
    query = query.where(Resident.community_id == community.id)
    with db.counting(session, actor) as counter:
        today = session.scalar(access.visible(query, counter, Resident)) or 0
        since = Filter(community=community.code, first=on + timedelta(days=1))
        return today - total(counts(session, counter, since)).change
