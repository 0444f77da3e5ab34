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

#: Who has it sees personal data in full, for a purpose.
UNMASK = "person.unmask"
#: Fields that leave masked, and how.
MASKS: dict[str, Callable[[Any], Any]] = {
    "name": secrets.mask_name,
    "former_name": secrets.mask_name,
    "head_name": secrets.mask_name,
    "landlord_name": secrets.mask_name,
    "identity_number": secrets.mask_identity,
    "permit_number": secrets.mask_identity,
    "registered_address": secrets.mask_address,
    "phone": secrets.mask_phone,
    "landlord_phone": secrets.mask_phone,
    "health": lambda text: "***" if text and not isinstance(text, secrets.Unreadable) else text,
    "born_on": lambda day: f"{day:%Y}-**-**" if day else day,
}


def masked(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` with every personal field masked."""
    return {name: MASKS[name](value) if name in MASKS else value for name, value in values.items()}


def require_unmasked(values: dict[str, Any]) -> None:
    """Refuse a personal field that is given as it is shown masked: whoever sends back what was read would lose it.

    What is refused depends on the text alone, so it tells nothing of what is kept.

    Raises
    ------
    Invalid

    >>> require_unmasked({"name": "李小明", "note": "2*3"})
    """
    for name, value in values.items():
        if name in MASKS and isinstance(value, str) and "*" in value:
            detail = _("This is masked. Leave it out to keep what is there, or give it in full.")
            raise Invalid(detail, field=f"body.{name}")


def stated(purpose: str) -> str:
    """A purpose that says something, without blanks around it.

    Raises
    ------
    Invalid
    """
    if len(purpose.strip()) < 2:
        raise Invalid(_("State in a few words what the full data is needed for."), field="purpose")
    return purpose.strip()


def unmask(session: Session, actor: Actor, record: Household | Resident | Tenancy, purpose: str) -> dict[str, Any]:
    """The personal fields of one record in clear; that it happened, and why, is recorded.

    Raises
    ------
    Invalid
        No purpose was stated.
    Forbidden
        The actor may not unmask there.
    """
    purpose = stated(purpose)
    grid_id = grid_of(session, record)
    access.require(actor, UNMASK, record.community_id, grid_id)
    fields = {name: getattr(record, name) for name in MASKS if hasattr(record, name)}
    audit.record(
        session,
        actor,
        "unmask",
        record.__tablename__,
        record.id,
        community_id=record.community_id,
        purpose=purpose,
        changes={"fields": [None, sorted(fields)]},
    )
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
