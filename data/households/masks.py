"""What is personal in a household, how it is masked, and how it is shown in full: with a purpose, and recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.base import access, audit, secrets
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building, Dwelling
from data.households.tables import Household, Resident, Tenancy

#: Fields that leave masked, and how.
MASKS: dict[str, Callable[[Any], Any]] = {
    "name": secrets.mask_name,
    "former_name": secrets.mask_name,
    "head_name": secrets.mask_name,
    "landlord_name": secrets.mask_name,
    "identity_number": secrets.mask_identity,
    "permit_number": secrets.mask_identity,
    "phone": secrets.mask_phone,
    "landlord_phone": secrets.mask_phone,
    "health": lambda text: "***" if text else text,
    "born_on": lambda day: f"{day:%Y}-**-**" if day else day,
}


def masked(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` with every personal field masked."""
    return {name: MASKS[name](value) if name in MASKS else value for name, value in values.items()}


def unmask(session: Session, actor: Actor, record: Household | Resident | Tenancy, purpose: str) -> dict[str, Any]:
    """The personal fields of one record in clear; that it happened, and why, is recorded.

    Raises
    ------
    Invalid
        No purpose was stated.
    Forbidden
        The actor may not unmask there.
    """
    if len(purpose.strip()) < 2:
        raise Invalid(_("State in a few words what the full data is needed for."), field="purpose")
    grid_id = grid_of(session, record)
    access.require(actor, "person.unmask", record.community_id, grid_id)
    fields = {name: getattr(record, name) for name in MASKS if hasattr(record, name)}
    audit.record(
        session, actor, "unmask", record.__tablename__, record.id, community_id=record.community_id,
        purpose=purpose.strip(), changes={"fields": [None, sorted(fields)]},
    )  # fmt: skip
    return fields


def grid_of(session: Session, record: Household | Resident | Tenancy) -> int | None:
    """The grid in which a household, resident or tenancy lies."""
    if isinstance(record, Resident):
        doors = select(Household.dwelling_id).where(Household.id == record.household_id)
    else:
        doors = select(Dwelling.id).where(Dwelling.id == record.dwelling_id)
    return session.scalar(
        select(Building.grid_id).join(Dwelling, Dwelling.building_id == Building.id).where(Dwelling.id.in_(doors))
    )


def require_edit(session: Session, actor: Actor, record: Household | Resident | Tenancy) -> None:
    """Raise unless ``actor`` may edit a household, resident or tenancy where it lies."""
    access.require(actor, "household.edit", record.community_id, grid_of(session, record))
