"""Looking people up: by name as far as names are shown, by identity number or phone for a purpose, and recorded.

What leaves masked can still be guessed where it can be asked for: a search by a whole number answers yes or no, and a
part of a name that is found is a part that is known. So nobody asks for more than they are shown.

- A *name* finds its bearer where the actor may see personal data in full. Elsewhere it finds all whose masked name is
  the same: 李小明 and 李** alike find everybody who is shown as 李**.
- An *identity number or phone* is looked up only where the actor may see it in full, whole, for a stated purpose, so
  many times an hour, and each time recorded as an unmasking is, whether or not somebody has it.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, text
from sqlalchemy.orm import Session

from data import accounts, units
from data.base import access, audit, listing, secrets
from data.base.access import Actor
from data.base.audit import Audit
from data.base.language import _
from data.buildings import Building, Dwelling
from data.households.masks import UNMASK, stated
from data.households.tables import Household, Resident
from spatial import spelling

LOOKUP = "lookup"
"""What the audit calls it."""
LOOKUPS = 30
"""How many numbers an account looks up in ``WINDOW``."""
WINDOW = timedelta(hours=1)


class TooManyLookups(accounts.TooManyAttempts):
    """An account looked up more numbers than it may."""


def is_number(term: str) -> bool:
    """Whether what is looked up can be an identity number, a phone or the number of another document.

    >>> is_number("11010519491231002X"), is_number("138 0000 6021"), is_number("E12345678"), is_number("18号楼501")
    (True, True, True, False)
    """
    half = spelling.key(term)
    return sum(sign.isdigit() for sign in half) >= 5 and re.fullmatch(r"[0-9A-Za-z+() /-]+", half) is not None


def named(actor: Actor, term: str) -> ColumnElement[bool]:
    """The condition that a resident has a name (or part of one), as far as the actor is shown it.

    A term with a digit is no name and finds nobody.
    """
    return or_(named_in_full(actor, term), named_as_shown(actor, term))


def named_in_full(actor: Actor, term: str) -> ColumnElement[bool]:
    """The condition that a resident has the name, and lives where the actor may see it in full."""
    return and_(_named(term), listing.containing(Resident.name, spelling.name(term)), _in_full(actor))


def named_as_shown(actor: Actor, term: str) -> ColumnElement[bool]:
    """The condition that a resident's masked name is what ``term`` is masked, where the actor is shown no more.

    Its first character alone finds everybody whose name begins with it.
    """
    term = spelling.name(term)
    first = func.lower(func.left(Resident.name, 1)) == term[:1].lower()
    alike = first if len(term) == 1 else and_(first, func.char_length(Resident.name) == len(term))
    return and_(_named(term), alike, not_(_in_full(actor)))


def _named(term: str) -> ColumnElement[bool]:
    return false() if not term.strip() or any(sign.isdigit() for sign in term) else ~false()


def twins(actor: Actor) -> ColumnElement[bool]:
    """The condition that a resident's number stands twice in the community, where the actor may see it in full."""
    return and_(Resident.twin, _in_full(actor))


def may_know(session: Session, actor: Actor, community_id: int, index: bytes) -> bool:
    """Whether the actor may see in full a resident of the community whose identity number has this blind index."""
    query = select(Resident.id).where(
        Resident.community_id == community_id, Resident.identity_blind == index, _in_full(actor)
    )
    return session.scalar(access.visible(query, actor, Resident).limit(1)) is not None


def _in_full(actor: Actor) -> ColumnElement[bool]:
    """The condition that a resident lives where the actor may see personal data in full."""
    area = actor.area(UNMASK)
    if area.everywhere:
        return ~false()
    return Resident.within(area) if area else false()


def lookup(
    session: Session, actor: Actor, number: str, purpose: str, *, community: str | None = None
) -> tuple[int, ...]:
    """The ids of the residents with this identity number or phone, where the actor may see them in full.

    Parameters
    ----------
    community
        Only of the community with this code.

    Raises
    ------
    Invalid
        No purpose was stated.
    Forbidden
        The actor may see nobody in full.
    TooManyLookups
    """
    purpose = stated(purpose)
    access.require(actor, UNMASK)
    _count(session, actor)
    documents = [secrets.blind(spelling.key(number)), secrets.blind(unicodedata.normalize("NFKC", number))]
    phones = [secrets.blind(spelling.phone(number)), documents[1]]
    query = (
        select(Resident.id, Resident.community_id)
        .join(Household, Household.id == Resident.household_id)
        .outerjoin(Dwelling, Dwelling.id == Household.dwelling_id)
        .outerjoin(Building, Building.id == Dwelling.building_id)
        .where(or_(Resident.identity_blind.in_(documents), Resident.phone_blind.in_(phones)), _in_full(actor))
        .order_by(Resident.id)
    )
    query = units.narrowed(
        access.visible(query, actor, Resident), Resident.community_id, Building.grid_id, community, None
    )
    people: list[tuple[Any, Any]] = [(row.id, row.community_id) for row in session.execute(query)]
    for resident_id, community_id in people or [(None, _asked_in(session, actor, community))]:
        audit.record(
            session,
            actor,
            LOOKUP,
            Resident.__tablename__,
            resident_id,
            community_id=community_id,
            purpose=purpose,
            changes={"fields": [None, ["identity_number", "phone"]]},
        )
    return tuple(resident_id for resident_id, _community_id in people)


def _asked_in(session: Session, actor: Actor, community: str | None) -> int | None:
    """The community in which nobody was found, if it was one: whoever reads its audit sees that somebody asked."""
    area = actor.area(UNMASK)
    query = select(units.Unit.community_id).distinct()
    if community:
        query = query.where(units.Unit.code == community)
    elif not area.everywhere:
        query = query.where(units.Unit.id.in_(sorted(area.communities | area.grids)))
    places = session.scalars(query.where(units.Unit.community_id.is_not(None)).limit(2)).all()
    return places[0] if len(places) == 1 else None


def _count(session: Session, actor: Actor) -> None:
    """Raise when the account looked up too many numbers lately; those that come together are counted in turn."""
    if actor.account_id is None:
        return
    session.execute(
        text("SELECT pg_advisory_xact_lock(:space, :account)"), {"space": _SPACE, "account": actor.account_id}
    )
    now = func.clock_timestamp()  # what will only be was counted by a clock that has been put back since
    done: Any = select(func.count(Audit.at.distinct())).where(
        Audit.account_id == actor.account_id, Audit.action == LOOKUP, Audit.at.between(now - WINDOW, now + WINDOW)
    )
    if (session.scalar(done) or 0) >= LOOKUPS:
        raise TooManyLookups(
            _("You looked up {count} numbers within an hour. Look people up by their address, or wait.", count=LOOKUPS)
        )


_SPACE = 0x6C6F6F6B
"""Locks of lookups, apart from those of others."""
