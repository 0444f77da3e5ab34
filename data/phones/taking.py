"""What a phone takes along: the households of its walker's own grids, masked, with the days on which they are due."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Row, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from data import accounts, units
from data.base import access, listing, secrets
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building
from data.households import Household, Resident
from data.phones.tables import Phone, PhoneHousehold, PhoneLost, PhoneNotFound
from data.visits import due

#: More households than these are no walk, but an archive.
MOST_HOUSEHOLDS = 1500
#: A phone forgets after so many days what it took along.
LASTS_DAYS = 7
#: What is sent later than this is no longer taken by what the phone took along, but by what its walker may do now.
COUNTS_DAYS = 60
#: What somebody may have had leave to do when the phone took households along.
_PERMISSIONS = (
    *("household.read", "household.edit", "visit.record", "incident.read", "incident.report"),
    *("unit.read", "grid.read", "building.read"),
)
#: Facts of the archive that may be set right at the door, by what they are of.
FACTS = {"household": ("phone", "hukou"), "resident": ("phone", "workplace", "occupation")}


#: What phones can be sorted by.
SORTS: dict[str, Any] = {"taken_at": Phone.taken_at}


class TooMany(Invalid):
    """More households than a phone may take along."""


@dataclass(frozen=True)
class Parcel:
    """What a phone takes along.

    Attributes
    ----------
    households
        Rows of ``visits.due.selection``, **not masked**, from door to door.
    members
        Rows ``id household_id name relation phone workplace occupation`` of their residents, **not masked**.
    grids
        Those they lie in.
    """

    phone: Phone
    households: Sequence[Row[Any]]
    members: Sequence[Row[Any]]
    grids: Sequence[units.Unit]


def take(session: Session, actor: Actor, phone_uuid: UUID, *, grid: str | None = None) -> Parcel:
    """Let a phone take along the households of a grid, or of all own grids; what it had and lacks now, it forgets.

    Raises
    ------
    Forbidden, PhoneNotFound
    PhoneLost
        It was reported lost.
    TooMany
        They are more than ``MOST_HOUSEHOLDS``: a grid is to be named.
    """
    access.require(actor, "visit.record")
    taken = _grids(session, actor, grid)
    here = Building.grid_id.in_([unit.id for unit in taken])
    query = due.selection(actor).where(here).order_by(due.SORTS["door"], Household.id)
    households = session.execute(query.limit(MOST_HOUSEHOLDS + 1)).all()
    if len(households) > MOST_HOUSEHOLDS:
        raise TooMany(
            _("A phone takes {most} households along at most. Choose a grid.", most=MOST_HOUSEHOLDS), field="body.grid"
        )
    now = datetime.now(UTC)
    phone = _registered(session, actor, phone_uuid, taken, now)
    if households:
        rows = [
            {"phone_id": phone.id, "household_id": row.id, "community_id": row.community_id, "taken_at": now}
            for row in households
        ]
        statement = insert(PhoneHousehold).values(rows)
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["phone_id", "household_id"], set_={"taken_at": statement.excluded.taken_at}
            )
        )
    late = now - timedelta(days=COUNTS_DAYS)
    session.execute(delete(PhoneHousehold).where(PhoneHousehold.phone_id == phone.id, PhoneHousehold.taken_at < late))
    return Parcel(phone, households, _members(session, actor, [row.id for row in households]), taken)


def _grids(session: Session, actor: Actor, code: str | None) -> list[units.Unit]:
    """The grid that was named, or those that are somebody's own."""
    area = actor.area("visit.record")
    if code is not None:
        named = units.by_code(session, actor, code, units.Level.GRID)
        access.require(actor, "visit.record", named.parent_id, named.id)
        return [named]
    own = [] if area.everywhere else sorted(area.single)
    if not own:
        raise TooMany(_("Choose the grid whose households this phone takes along."), field="body.grid")
    return [unit for unit in (session.get(units.Unit, id_) for id_ in own) if unit is not None]


def _registered(session: Session, actor: Actor, phone_uuid: UUID, taken: Sequence[units.Unit], now: datetime) -> Phone:
    may = [code for code in _PERMISSIONS if actor.may(code)]
    phone = session.scalar(select(Phone).where(Phone.uuid == phone_uuid).with_for_update())
    community_id = taken[0].parent_id
    assert community_id is not None
    if phone is None:
        phone = Phone(
            uuid=phone_uuid,
            account_id=actor.account_id,
            community_id=community_id,
            may=may,
            key=os.urandom(32).hex(),
            taken_at=now,
        )
        session.add(phone)
    else:
        _still_here(actor, phone)
        phone.community_id, phone.may, phone.taken_at, phone.wiped_at = community_id, may, now, None
    session.flush()
    return phone


def _still_here(actor: Actor, phone: Phone) -> None:
    if phone.account_id != actor.account_id:
        raise PhoneNotFound(_("Not found, or outside your area."))
    if phone.lost_at is not None:
        raise PhoneLost(_("This phone was reported lost. It takes nothing along any more, and forgets what it has."))


def _members(session: Session, actor: Actor, household_ids: Sequence[int]) -> Sequence[Row[Any]]:
    names = ("id", "household_id", "name", "relation", "phone", "workplace", "occupation")
    query = access.visible(select(*(getattr(Resident, name) for name in names)), actor, Resident)
    query = query.where(Resident.household_id.in_(household_ids), Resident.here())
    return session.execute(query.order_by(Resident.id)).all()


def seen(of: str, of_id: int, field: str, value: str | None) -> str:
    """What stands for a value as a phone saw it: whether it is still the same can be told from it, and nothing else."""
    return secrets.blind(f"{of} {of_id} {field} {value or ''}").hex()[:24]


def get(session: Session, actor: Actor, phone_uuid: UUID, *, lock: bool = False) -> Phone:
    """A phone: one's own, or any of a community for those who arrange its visits.

    Parameters
    ----------
    lock
        Others who ask for it so wait until this transaction is over.

    Raises
    ------
    PhoneNotFound
    """
    query = select(Phone).where(Phone.uuid == phone_uuid)
    phone = session.scalar(query.with_for_update() if lock else query)
    if phone is None or not (
        phone.account_id == actor.account_id or actor.area("visit.edit").covers(phone.community_id)
    ):
        raise PhoneNotFound(_("Not found, or outside your area."))
    return phone


def selection(actor: Actor) -> Rows:
    """The phones that are one's own, and those of the communities whose visits one arranges.

    A row each: the columns, ``account_name`` and ``households``: how many it took along the last time.
    """
    held = select(func.count()).where(PhoneHousehold.phone_id == Phone.id, PhoneHousehold.taken_at == Phone.taken_at)
    query: Rows = select(
        *listing.columns(Phone),
        accounts.Account.name.label("account_name"),
        held.correlate(Phone).scalar_subquery().label("households"),
    ).join(accounts.Account, accounts.Account.id == Phone.account_id)
    area = actor.area(Phone.__read__)
    if area.everywhere:
        return query
    return query.where(or_(Phone.account_id == actor.account_id, Phone.within(area)))


def latest(session: Session, actor: Actor, most: int = 200) -> Sequence[Row[Any]]:
    """The phones of ``selection`` that took households along last, newest first."""
    return session.execute(selection(actor).order_by(Phone.taken_at.desc()).limit(most)).all()


def lose(session: Session, actor: Actor, phone: Phone) -> None:
    """Report a phone lost: at the next word with the server it forgets all that it has."""
    if phone.account_id != actor.account_id:
        access.require(actor, "visit.edit", phone.community_id)
    phone.lost_at = phone.lost_at or datetime.now(UTC)
    session.flush()


def forget(session: Session, actor: Actor, phone: Phone) -> None:
    """The phone says that it has forgotten all that it took along."""
    if phone.account_id != actor.account_id:
        raise PhoneNotFound(_("Not found, or outside your area."))
    phone.wiped_at = datetime.now(UTC)
    session.flush()


def unsealed(phone: Phone, iv: bytes, sealed: bytes) -> Any:
    """What a phone wrote to a file, which only it and the server can read.

    Raises
    ------
    Invalid
    """
    try:
        return json.loads(AESGCM(bytes.fromhex(phone.key)).decrypt(iv, sealed, None))
    except (InvalidTag, ValueError) as error:
        raise Invalid(
            _("This file cannot be read: it was changed, or another phone wrote it."), field="file"
        ) from error
