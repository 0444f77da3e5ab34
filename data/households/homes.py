"""Households and the special groups they belong to: filters, reads, writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, exists, func, or_, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session, aliased

from data import buildings, units
from data.base import access, db, listing, reference, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building, Dwelling
from data.grids import LocatedBy, UnlocatedReason
from data.households.masks import require_edit, require_unmasked
from data.households.tables import (
    GroupNotFound,
    Household,
    HouseholdGroup,
    HouseholdNotFound,
    Resident,
    SpecialGroup,
)
from spatial import spelling


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which households: codes of community and grid, a building or dwelling, special groups, hukou, a text.

    ``on`` is the day whose special groups are meant, and on which it was lived in; today by default. ``closed`` asks
    for those of which all have left instead.
    """

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    dwelling_id: int | None = None
    #: codes of special groups; ``*`` for any
    groups: tuple[str, ...] | None = None
    hukou: str | None = None
    text: str | None = None
    located: bool | None = None
    closed: bool = False
    on: date | None = None


#: What households can be sorted by; never by what is personal, because the sort value stands in addresses.
SORTS: dict[str, Any] = {
    "id": Household.id,
    "number": Household.number,
    "building": listing.number_in(Building.number),
    "updated": Household.updated_at,
}


_HEAD = aliased(Resident)


def placed(query: Rows, dwelling_id: Any) -> Rows:
    """``query`` joined from a dwelling to its building and grid."""
    return (
        query.outerjoin(Dwelling, Dwelling.id == dwelling_id)
        .outerjoin(Building, Building.id == Dwelling.building_id)
        .outerjoin(units.Unit, units.Unit.id == Building.grid_id)
    )


def place_columns() -> list[Any]:
    """Where a household is: columns for a query that went through ``placed``."""
    return [
        Dwelling.unit.label("unit"),
        Dwelling.room.label("room"),
        Building.id.label("building_id"),
        Building.number.label("building_number"),
        units.Unit.code.label("grid_code"),
        units.Unit.name.label("grid_name"),
        func.ST_X(Building.point).label("lon"),
        func.ST_Y(Building.point).label("lat"),
    ]


def rows(*, brief: bool = False) -> Rows:
    """All households as ``selection`` gives them, for one that the actor was already shown to see."""
    head = _HEAD
    held = HouseholdGroup.valid.contains(settings.today())
    groups = select(func.array_agg(HouseholdGroup.group_code)).where(HouseholdGroup.household_id == Household.id, held)
    members = select(func.count()).where(Resident.household_id == Household.id, Resident.here())
    beside = [
        groups.correlate(Household).scalar_subquery().label("groups"),
        members.correlate(Household).scalar_subquery().label("members"),
    ]
    return placed(
        select(
            *listing.columns(Household),
            head.name.label("head_name"),
            *([] if brief else beside),
            *place_columns(),
        ).outerjoin(head, head.id == Household.head_id),
        Household.dwelling_id,
    )


def row(session: Session, household: Household) -> Row[Any]:
    """A household as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Household.id == household.id)).one()


def selection(actor: Actor, wanted: Filter | None = None, *, brief: bool = False) -> Rows:
    """The households the actor may see, a row each, **not masked**.

    Beside their columns: ``head_name``, ``groups`` (codes that hold today, or null), ``members`` (how many), and
    where they are: ``unit room building_id building_number grid_code grid_name lon lat``. ``brief`` leaves groups and
    members out.
    """
    wanted = wanted or Filter()
    query = access.visible(rows(brief=brief), actor, Household)
    query = units.narrowed(query, Household.community_id, Building.grid_id, wanted.community, wanted.grid)
    query = query.where(~Household.lived(wanted.on) if wanted.closed else Household.lived(wanted.on))
    if wanted.building_id:
        query = query.where(Dwelling.building_id == wanted.building_id)
    if wanted.dwelling_id:
        query = query.where(Household.dwelling_id == wanted.dwelling_id)
    if wanted.groups is not None:
        belongs = exists().where(
            HouseholdGroup.household_id == Household.id, HouseholdGroup.valid.contains(wanted.on or settings.today())
        )
        if wanted.groups != ("*",):
            belongs = belongs.where(HouseholdGroup.group_code.in_(wanted.groups))
        query = query.where(belongs)
    if wanted.hukou:
        query = query.where(Household.hukou == wanted.hukou)
    if wanted.text:
        texts = (Household.number, Household.address, Building.number, Building.address)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    if wanted.located is not None:
        query = query.where(Household.dwelling_id.is_not(None) if wanted.located else Household.dwelling_id.is_(None))
    return query


def get(session: Session, actor: Actor, household_id: int) -> Household:
    """The household with this id.

    Raises
    ------
    HouseholdNotFound
    """
    found = session.scalar(access.visible(select(Household).where(Household.id == household_id), actor, Household))
    if found is None:
        raise HouseholdNotFound(_("Not found, or outside your area."))
    return found


def check_codes(values: dict[str, Any], *fields: str) -> None:
    """Raise unless each of ``fields`` in ``values`` is a code of the reference table of its name, or empty.

    Raises
    ------
    Invalid
    """
    for field in fields:
        value = values.get(field)
        if value and value not in reference.labels(field):
            raise Invalid(_("{field}: there is no code “{code}”.", field=field, code=value), field=f"body.{field}")


def add(session: Session, actor: Actor, *, dwelling: Dwelling, number: str, **values: Any) -> Household:
    """A new household in ``dwelling``."""
    building = buildings.get(session, actor, dwelling.building_id)
    access.require(actor, "household.edit", dwelling.community_id, building.grid_id)
    check_codes(values, "hukou")
    require_unmasked(values)
    household = Household(
        community_id=dwelling.community_id,
        dwelling_id=dwelling.id,
        number=spelling.key(number),
        located_by=LocatedBy.MANUAL,
        located_score=1.0,
        **values,
    )
    session.add(household)
    session.flush()
    return household


def change(session: Session, actor: Actor, household: Household, **values: Any) -> Household:
    """Change fields of a household; another ``dwelling_id`` moves it there with all its members.

    Raises
    ------
    Invalid
        The new head is no member, or a code is unknown.
    """
    require_edit(session, actor, household)
    check_codes(values, "hukou")
    require_unmasked(values)
    if values.get("dwelling_id") is not None:
        dwelling = buildings.get_dwelling(session, actor, values["dwelling_id"])
        if dwelling.community_id != household.community_id:
            raise Invalid(_("The dwelling lies in another community."), field="body.dwelling_id")
        values |= {"unlocated_reason": None, "located_by": LocatedBy.MANUAL, "located_score": 1.0}
    elif "dwelling_id" in values:
        values |= {"unlocated_reason": UnlocatedReason.NO_PLACE, "located_by": None, "located_score": None}
    if values.get("head_id") is not None:
        head = session.get(Resident, values["head_id"])
        if head is None or head.household_id != household.id:
            raise Invalid(_("The head is one of the members."), field="body.head_id")
    if values.get("number"):
        values["number"] = spelling.key(values["number"])
    for name, value in values.items():
        setattr(household, name, value)
    # Checked before it is written: row-level security would only say that it did not let it through.
    with session.no_autoflush:
        require_edit(session, actor, household)
    session.flush()
    return household


def remove(session: Session, actor: Actor, household: Household) -> None:
    """Remove a household that has no members any more."""
    require_edit(session, actor, household)
    session.delete(household)
    session.flush()


def special_groups(session: Session) -> list[SpecialGroup]:
    """All special groups, in the order of the list."""
    return list(session.scalars(select(SpecialGroup).order_by(SpecialGroup.position, SpecialGroup.code)))


def odd(session: Session, household: Household) -> list[str]:
    """What is strange about a household, a sentence each; it is told to whoever recorded it, and kept."""
    sentences = []
    if household.phone and spelling.without_area(str(household.phone)):
        sentences.append(_("The phone number has seven digits and no area code."))
    if household.dwelling_id is None:
        return sentences
    door = session.execute(
        select(Dwelling.room, Building.floors)
        .join(Building, Building.id == Dwelling.building_id)
        .where(Dwelling.id == household.dwelling_id)
    ).one()
    if door.floors is not None and (buildings.floor_in(door.room) or 0) > door.floors:
        sentences.append(
            _("Room {room} lies above the highest floor of its building, {floors}.", room=door.room, floors=door.floors)
        )
    others = select(func.count()).where(
        Household.dwelling_id == household.dwelling_id, Household.id != household.id, Household.lived()
    )
    if count := session.scalar(others):
        sentences.append(_("{count} other households live in this dwelling.", count=count))
    return sentences


def special_group(session: Session, code: str) -> SpecialGroup:
    """The special group with this code.

    Raises
    ------
    GroupNotFound
    """
    found = session.get(SpecialGroup, code)
    if found is None:
        raise GroupNotFound(_("There is no special group “{code}”.", code=code))
    return found


def add_special_group(session: Session, actor: Actor, *, code: str, **values: Any) -> SpecialGroup:
    """A new special group that households can belong to."""
    access.require_everywhere(actor, "unit.edit")
    found = SpecialGroup(code=code, **values)
    db.insert(session, found)
    return found


def change_special_group(session: Session, actor: Actor, code: str, **values: Any) -> SpecialGroup:
    """Change names and position of a special group."""
    access.require_everywhere(actor, "unit.edit")
    found = special_group(session, code)
    for name, value in values.items():
        setattr(found, name, value)
    session.flush()
    return found


def remove_special_group(session: Session, actor: Actor, code: str) -> None:
    """Remove a special group that no household belongs or belonged to."""
    access.require_everywhere(actor, "unit.edit")
    session.delete(special_group(session, code))
    session.flush()


def memberships(session: Session, household_id: int) -> list[HouseholdGroup]:
    """The special groups a household belongs or belonged to, newest first. The caller has shown that it is seen."""
    query = select(HouseholdGroup).where(HouseholdGroup.household_id == household_id)
    return list(session.scalars(query.order_by(func.lower(HouseholdGroup.valid).desc(), HouseholdGroup.id)))


def join_group(
    session: Session, actor: Actor, household: Household, code: str, *, first: date, until: date | None = None
) -> HouseholdGroup:
    """A household belongs to a special group from ``first`` on, up to but not including ``until``."""
    require_edit(session, actor, household)
    special_group(session, code)
    found = HouseholdGroup(
        household_id=household.id, community_id=household.community_id, group_code=code, valid=span(first, until)
    )
    session.add(found)
    session.flush()
    return found


def leave_group(session: Session, actor: Actor, household: Household, membership_id: int) -> None:
    """Take back that a household belongs to a group, as if it had never been entered."""
    require_edit(session, actor, household)
    session.delete(_membership(session, household, membership_id))
    session.flush()


def end_membership(
    session: Session, actor: Actor, household: Household, membership_id: int, until: date | None
) -> HouseholdGroup:
    """Let a household belong to a group up to but not including ``until``; for good when that is empty."""
    require_edit(session, actor, household)
    found = _membership(session, household, membership_id)
    assert found.valid.lower is not None
    found.valid = span(found.valid.lower, until)
    session.flush()
    return found


def _membership(session: Session, household: Household, membership_id: int) -> HouseholdGroup:
    found = session.get(HouseholdGroup, membership_id)
    if found is None or found.household_id != household.id:
        raise GroupNotFound(_("Not found, or outside your area."))
    return found


def span(first: date, until: date | None) -> Range[date]:
    """The days from ``first`` up to but not including ``until``.

    Raises
    ------
    Invalid
        It would have no day.
    """
    if until is not None and until <= first:
        raise Invalid(_("The end, {until}, is not after the beginning, {first}.", until=until, first=first))
    return Range(first, until)
