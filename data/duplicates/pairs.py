"""Pairs that may be one: read by those who may see and change both in full in the whole community."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from data import units
from data.base import access, audit, listing
from data.base.access import Actor, Rows
from data.base.language import _
from data.buildings import Building, Dwelling
from data.duplicates.tables import Duplicate, DuplicateNotFound, Kind, Merger
from data.households import Household, Resident

#: What one needs in the whole community: what is said of a pair tells what is recorded of both.
NEEDED = ("household.read", "household.edit", "person.unmask")

#: What pairs can be sorted by.
SORTS: dict[str, Any] = {"score": Duplicate.score, "id": Duplicate.id}
_Selection = TypeVar("_Selection", bound=Rows)


def require(actor: Actor, community_id: int) -> None:
    """Raise unless the actor may look at duplicates in a community.

    Raises
    ------
    Forbidden, NotFound
    """
    for permission in NEEDED:
        access.require(actor, permission, community_id)


def narrowed(query: _Selection, actor: Actor, table: type[Duplicate] | type[Merger]) -> _Selection:
    """``query`` restricted to what the actor may look at and merge."""
    for permission in NEEDED:
        query = access.visible(query, actor, table, permission)
    return query


def selection(actor: Actor, kind: Kind, community: str | None = None, *, apart: bool = False) -> Rows:
    """The pairs of a kind that may be one, a row each, **not masked**; or those of which somebody said they are two.

    Beside their columns: ``name_a number_a building_a unit_a room_a`` and the same of ``b``, of the resident or the
    household's head.
    """
    columns, joins = [], []
    for side in ("a", "b"):
        person, home, door, house = aliased(Resident), aliased(Household), aliased(Dwelling), aliased(Building)
        if kind is Kind.RESIDENT:
            joins += [
                (person, person.id == getattr(Duplicate, f"resident_{side}_id")),
                (home, home.id == person.household_id),
            ]
        else:
            joins += [
                (home, home.id == getattr(Duplicate, f"household_{side}_id")),
                (person, person.id == home.head_id),
            ]
        joins += [(door, door.id == home.dwelling_id), (house, house.id == door.building_id)]
        columns += [
            person.name.label(f"name_{side}"),
            home.number.label(f"number_{side}"),
            house.number.label(f"building_{side}"),
            door.unit.label(f"unit_{side}"),
            door.room.label(f"room_{side}"),
        ]
    query: Rows = select(*listing.columns(Duplicate), *columns).select_from(Duplicate)
    for table, on in joins:
        query = query.outerjoin(table, on)
    of_kind = Duplicate.resident_a_id if kind is Kind.RESIDENT else Duplicate.household_a_id
    query = query.where(
        of_kind.is_not(None), Duplicate.apart_at.is_not(None) if apart else Duplicate.apart_at.is_(None)
    )
    query = units.narrowed(query, Duplicate.community_id, None, community, None)
    return narrowed(query, actor, Duplicate)


def get(session: Session, actor: Actor, duplicate_id: int, *, lock: bool = False) -> Duplicate:
    """The pair with this id; with ``lock`` nobody else decides about it until the transaction ends.

    Raises
    ------
    DuplicateNotFound
    """
    query = select(Duplicate).where(Duplicate.id == duplicate_id)
    query = narrowed(query.with_for_update() if lock else query, actor, Duplicate)
    pair = session.scalar(query)
    if pair is None:
        raise DuplicateNotFound(_("Not found, or outside your area."))
    return pair


def both(session: Session, pair: Duplicate) -> tuple[Resident, Resident] | tuple[Household, Household]:
    """The two records of a pair, the earlier one first."""
    first, second = (session.get_one(pair.kind.table, record_id) for record_id in pair.ids)
    return first, second  # type: ignore[return-value]


def part(session: Session, actor: Actor, pair: Duplicate, *, apart: bool) -> None:
    """Keep that two records are two people or households, so that it is never asked again; or ask again."""
    require(actor, pair.community_id)
    pair.apart_at = datetime.now(UTC) if apart else None
    pair.apart_by_id = actor.account_id if apart else None
    session.flush()
    for record_id, other_id in (pair.ids, pair.ids[::-1]):
        audit.record(
            session,
            actor,
            "part" if apart else "ask",
            pair.kind.value,
            record_id,
            community_id=pair.community_id,
            changes={"other": [None, other_id]},
        )
