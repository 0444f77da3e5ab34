"""Residents: filters, reads, writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Row, exists, false, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data import units
from data.base import access, bulk, identity, listing, secrets, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building, Dwelling
from data.households import homes, lookups
from data.households.masks import require_edit, require_unmasked
from data.households.tables import Household, HouseholdGroup, Resident, ResidentNotFound
from spatial import spelling

#: ``identity_kind`` of a resident identity number (GB 11643); other documents are not checked.
RESIDENT_ID = "resident_id"

_CODED = ("sex", "relation", "ethnicity", "marital_status", "political_status", "education")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which residents.

    ``person`` is a name or part of one, which finds as much as the actor is shown (``lookups``): it is personal, so it
    never belongs into an address. ``ids`` are those that a number was looked up to be, also when they have left. ``on``
    is the day on which they lived here and whose special groups are meant, today by default; ``left`` asks for those
    who do not live here any more instead.
    """

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    household_id: int | None = None
    statuses: tuple[str, ...] | None = None
    sex: str | None = None
    #: codes of special groups of the household; ``*`` for any
    groups: tuple[str, ...] | None = None
    text: str | None = None
    person: str | None = None
    ids: tuple[int, ...] | None = None
    #: whether the identity number stands twice in the community; those who may not see it in full find none
    twins: bool | None = None
    left: bool = False
    on: date | None = None


#: What residents can be sorted by; never by what is personal, because the sort value stands in addresses.
SORTS: dict[str, Any] = {
    "id": Resident.id,
    "household": Household.number,
    "building": listing.number_in(Building.number),
    "updated": Resident.updated_at,
}


def rows() -> Rows:
    """All residents as ``selection`` gives them, for one that the actor was already shown to see."""
    return homes.placed(
        select(
            *listing.columns(Resident, without=("identity_blind", "phone_blind", "twin")),
            Household.number.label("household_number"),
            func.coalesce(Household.head_id == Resident.id, false()).label("is_head"),
            *homes.place_columns(),
        ).join(Household, Household.id == Resident.household_id),
        Household.dwelling_id,
    )


def row(session: Session, resident: Resident) -> Row[Any]:
    """A resident as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Resident.id == resident.id)).one()


def named_or_at(session: Session, actor: Actor, wanted: Filter, text: str) -> Rows:
    """The residents who are called that; where nobody is, those whose household has that number or address."""
    named = selection(actor, replace(wanted, person=text))
    return named if session.execute(named.limit(1)).first() else selection(actor, replace(wanted, text=text))


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The residents the actor may see, a row each, **not masked**.

    Beside their columns without the blind indexes: ``household_number``, ``is_head``, and where they live:
    ``unit room building_id building_number grid_code grid_name lon lat``.
    """
    wanted = wanted or Filter()
    query = access.visible(rows(), actor, Resident)
    query = units.narrowed(query, Resident.community_id, Building.grid_id, wanted.community, wanted.grid)
    if wanted.left:
        query = query.where(Resident.left_on.is_not(None))
    elif wanted.ids is None:
        query = query.where(Resident.here(wanted.on))
    if wanted.building_id:
        query = query.where(Dwelling.building_id == wanted.building_id)
    if wanted.household_id:
        query = query.where(Resident.household_id == wanted.household_id)
    if wanted.statuses is not None:
        query = query.where(Resident.status.in_(wanted.statuses))
    if wanted.sex:
        query = query.where(Resident.sex == wanted.sex)
    if wanted.groups is not None:
        belongs = exists().where(
            HouseholdGroup.household_id == Resident.household_id,
            HouseholdGroup.valid.contains(wanted.on or settings.today()),
        )
        if wanted.groups != ("*",):
            belongs = belongs.where(HouseholdGroup.group_code.in_(wanted.groups))
        query = query.where(belongs)
    if wanted.text:
        texts = (Household.number, Household.address, Building.number, Building.address)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    if wanted.person:
        query = query.where(lookups.named(actor, wanted.person))
    if wanted.twins is not None:
        query = query.where(lookups.twins(actor) if wanted.twins else ~lookups.twins(actor))
    if wanted.ids is not None:
        query = query.where(Resident.id.in_(wanted.ids))
    return query


def get_resident(session: Session, actor: Actor, resident_id: int) -> Resident:
    """The resident with this id.

    Raises
    ------
    ResidentNotFound
    """
    found = session.scalar(access.visible(select(Resident).where(Resident.id == resident_id), actor, Resident))
    if found is None:
        raise ResidentNotFound(_("Not found, or outside your area."))
    return found


def members(session: Session, actor: Actor, household_id: int) -> list[Resident]:
    """Who lives in a household, the head first, then by the year of birth, which is all of it that is shown."""
    query = (
        access.visible(select(Resident), actor, Resident)
        .join(Household, Household.id == Resident.household_id)
        .where(Resident.household_id == household_id, Resident.here())
        .order_by((Household.head_id == Resident.id).desc(), func.extract("year", Resident.born_on), Resident.id)
    )
    return list(session.scalars(query))


def registered(session: Session, actor: Actor, dwelling_id: int) -> list[Resident]:
    """Who is registered in a dwelling, of all its households."""
    query: Rows = select(Resident).join(Household, Household.id == Resident.household_id)
    query = query.where(Household.dwelling_id == dwelling_id, Resident.here()).order_by(Resident.id)
    return list(session.scalars(access.visible(query, actor, Resident)))


def add_resident(session: Session, actor: Actor, household: Household, **values: Any) -> Resident:
    """A new member of ``household``. Birthday and sex are taken from the identity number where they are not given.

    A number that somebody of the community has is refused only where the actor may see that person in full.

    Raises
    ------
    Invalid
        The identity number is none, or a code is unknown.
    """
    require_edit(session, actor, household)
    require_unmasked(values)
    values = indexed(_checked(values, values.get("identity_kind") or RESIDENT_ID))
    # Taken beforehand: a number that is left out would tell of a first attempt.
    table: Any = Resident.__table__
    (resident_id,) = bulk.reserve_ids(session, table, 1)

    def write(twin: bool) -> Resident:
        resident = Resident(
            id=resident_id, household_id=household.id, community_id=household.community_id, twin=twin, **values
        )
        session.add(resident)
        session.flush()
        return resident

    return _once(session, actor, household.community_id, values, write)


def change_resident(session: Session, actor: Actor, resident: Resident, **values: Any) -> Resident:
    """Change fields of a resident; another ``household_id`` of the same community moves them there.

    Raises
    ------
    Invalid
        The identity number is none, a code is unknown, or the household is of another community.
    """
    require_edit(session, actor, resident)
    require_unmasked(values)
    if "household_id" in values:
        household = homes.get(session, actor, values["household_id"])
        if household.community_id != resident.community_id:
            raise Invalid(_("The household lies in another community."), field="body.household_id")
        require_edit(session, actor, household)
        left = session.get(Household, resident.household_id)
        if left is not None and left.id != household.id and left.head_id == resident.id:
            left.head_id = None
    values = indexed(_checked(values, values.get("identity_kind") or resident.identity_kind))

    def write(twin: bool) -> Resident:
        for name, value in values.items():
            setattr(resident, name, value)
        if "identity_blind" in values:
            resident.twin = twin
        session.flush()
        return resident

    return _once(session, actor, resident.community_id, values, write)


def _once(
    session: Session, actor: Actor, community_id: int, values: dict[str, Any], write: Callable[[bool], Resident]
) -> Resident:
    """Write a resident; one whose number somebody else has is refused, or kept as a twin.

    That a number is taken is told only to those who may see in full whoever has it. For others it goes in as any other
    would, so that no refusal tells that somebody is registered; the twin is a matter of those who may see both.

    Parameters
    ----------
    write
        Writes it, as a twin or not.
    """
    index = values.get("identity_blind")
    if index is None:
        return write(False)
    try:
        with session.begin_nested():
            return write(False)
    except IntegrityError as error:
        named = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if named != "uq_resident_identity" or lookups.may_know(session, actor, community_id, index):
            raise
    return write(True)


def remove_resident(session: Session, actor: Actor, resident: Resident) -> None:
    """Remove a resident."""
    require_edit(session, actor, resident)
    session.delete(resident)
    session.flush()


_SPELLED: dict[str, Callable[[str], str]] = {
    "name": spelling.name,
    "former_name": spelling.name,
    "phone": spelling.phone,
}


def _checked(values: dict[str, Any], identity_kind: str) -> dict[str, Any]:
    """``values`` with the identity number in its normal form and what it tells where that is missing."""
    homes.check_codes(values, *_CODED)
    values = {**values, **{key: spell(values[key]) for key, spell in _SPELLED.items() if values.get(key)}}
    number = values.get("identity_number")
    if not number or identity_kind != RESIDENT_ID:
        return values
    try:
        told = identity.check(number)
    except identity.NotAnIdentityNumber as error:
        raise Invalid(error.detail, field="body.identity_number") from error
    found = {**values, "identity_number": told.number}
    found["born_on"] = found.get("born_on") or told.born_on
    found["sex"] = found.get("sex") or told.sex.value
    return found


def indexed(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` of a resident with the blind indexes that go with the encrypted ones."""
    found = dict(values)
    for name, index in (("identity_number", "identity_blind"), ("phone", "phone_blind")):
        if name in found:
            found[index] = secrets.blind(found[name]) if found[name] else None
    return found
