"""Who may do what, and where: actors, areas, and the two calls that every feature makes.

``require(actor, permission, …)`` stands before a write, ``visible(select, actor, Table)`` around every read.
PostgreSQL's row-level security stands under both (``db.enter`` tells it the actor's areas). What one may not see is
not found; what one may see but not do is forbidden.

A grant gives a role (a set of permissions) at a unit and reaches down the tree, or everywhere: the grant itself says
so, and it follows from nothing else. What matters below is only which communities are covered whole, and which single
grids: that is an ``Area``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, Select, false, or_, true

from data.base import language, reference
from data.base.errors import Forbidden, NotFound
from data.base.language import _

#: The permissions that let one see people (households, residents, tenancies), masked.
PEOPLE = "household.read"
#: The permission that lets one know how many people there are, though not who.
COUNTS = "household.count"
EVERYWHERE = "*"

#: A ``SELECT`` of any columns.
Rows: TypeAlias = Select[*tuple[Any, ...]]
_Select = TypeVar("_Select", bound=Rows)


@dataclass(frozen=True)
class Area:
    """Where something is allowed: everywhere, or in whole communities and single grids.

    Attributes
    ----------
    grids
        All grids that are covered; those ``within`` one of the communities need no mention beside it.
    units
        All units covered, with those above and below (streets, districts), for reading the tree.
    upper
        The streets and districts that are covered whole, with all that lies or will ever lie below them.
    """

    everywhere: bool = False
    communities: frozenset[int] = frozenset()
    grids: frozenset[int] = frozenset()
    units: frozenset[int] = frozenset()
    within: frozenset[int] = frozenset()
    upper: frozenset[int] = frozenset()

    @cached_property
    def whole(self) -> frozenset[int]:
        """The units of every level that are covered whole."""
        return self.upper | self.communities | self.grids

    @cached_property
    def single(self) -> frozenset[int]:
        """The grids that are covered without their community."""
        return self.grids - self.within

    def covers(self, community_id: int | None, grid_id: int | None = None) -> bool:
        """Whether a record of this community and grid lies in the area."""
        return self.everywhere or community_id in self.communities or (grid_id is not None and grid_id in self.grids)

    def covers_unit(self, unit_id: int) -> bool:
        """Whether a unit may be known: it is covered, or something below it is."""
        return self.everywhere or unit_id in self.units

    def covers_whole(self, unit_id: int) -> bool:
        """Whether a unit is covered with all that lies in it."""
        return self.everywhere or unit_id in self.whole

    def __or__(self, other: Area) -> Area:
        return Area(
            everywhere=self.everywhere or other.everywhere,
            communities=self.communities | other.communities,
            grids=self.grids | other.grids,
            units=self.units | other.units,
            within=self.within | other.within,
            upper=self.upper | other.upper,
        )

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.communities) or bool(self.grids) or bool(self.units)


@dataclass(frozen=True)
class Actor:
    """Who is acting: an account with its permissions and where they hold; or the system itself.

    Attributes
    ----------
    account_id
        The account, ``None`` for the system and for visitors.
    permissions
        Permission code → the area in which it holds.
    is_system
        Migrations, the demo, jobs without a person: no walls.
    by_token
        A program asks with an API token of the account, not the person who signed in.
    password_given
        The person signed in with a password that somebody else gave, and has to choose another one first.
    stands_in
        Grid → the accounts for which the actor stands in there today, whose work is theirs as long.
    """

    account_id: int | None = None
    name: str = ""
    permissions: Mapping[str, Area] = field(default_factory=dict)
    is_system: bool = False
    request_id: str | None = None
    by_token: bool = False
    password_given: bool = False
    stands_in: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def area(self, permission: str) -> Area:
        """Where ``permission`` holds."""
        return Area(everywhere=True) if self.is_system else self.permissions.get(permission, Area())

    def may(self, permission: str) -> bool:
        """Whether ``permission`` holds anywhere at all."""
        return bool(self.area(permission))

    @cached_property
    def counter(self) -> Actor:
        """The actor who counts people, also where they may only know how many there are; nothing else is read so."""
        if self.is_system or COUNTS not in self.permissions:
            return self
        return replace(self, permissions={**self.permissions, PEOPLE: self.area(PEOPLE) | self.area(COUNTS)})

    def stands_for(self, account_id: int | None, grid_id: int | None) -> bool:
        """Whether what is given to an account at a grid is the actor's to do today: their own, or as a stand-in."""
        if self.account_id is None or account_id is None:
            return False
        return account_id == self.account_id or account_id in self.stands_in.get(grid_id or 0, ())

    def areas(self) -> Mapping[str, str]:
        """The areas as row-level security reads them: ``*`` or comma-separated ids, empty for none."""
        # An actor is remembered for some requests, each of which asks; the permissions stay the same object.
        kept = _areas.get(id(self.permissions))
        if kept is None or kept[0] is not self.permissions:
            if len(_areas) >= _MOST_AREAS:
                _areas.clear()
            kept = _areas[id(self.permissions)] = (self.permissions, self._areas())
        return kept[1]

    def _areas(self) -> Mapping[str, str]:
        every = list(self.permissions.values())
        people = self.area(PEOPLE)
        return {
            "communities": _listed(
                any(a.everywhere for a in every), frozenset().union(*(a.communities for a in every))
            ),
            "grids": _listed(any(a.everywhere for a in every), frozenset().union(*(a.single for a in every))),
            "upper": _listed(False, frozenset().union(*(a.upper for a in every))),
            "people_communities": _listed(people.everywhere, people.communities),
            "people_grids": _listed(people.everywhere, people.single),
        }


#: Permissions → their areas, by the identity of the permissions, which are kept so that it is nobody else's meanwhile.
_areas: dict[int, tuple[Mapping[str, Area], Mapping[str, str]]] = {}
_MOST_AREAS = 1000

SYSTEM = Actor(is_system=True, name="wangge")
VISITOR = Actor(name="")


def _listed(everywhere: bool, ids: frozenset[int]) -> str:
    return EVERYWHERE if everywhere else ",".join(map(str, sorted(ids)))


class Placed(Protocol):
    """A table whose rows lie in an area: it says which permission reads it, and how a row is placed."""

    __read__: str

    @classmethod
    def within(cls, area: Area) -> ColumnElement[bool]:
        """The condition that a row lies in ``area`` (which is not everywhere)."""


def in_area(area: Area, community_id: Any, grid_id: Any = None) -> ColumnElement[bool]:
    """The condition that columns ``community_id`` and ``grid_id`` lie in ``area``."""
    if area.everywhere:
        return true()
    parts: list[ColumnElement[bool]] = []
    if area.communities:
        parts.append(community_id.in_(sorted(area.communities)))
    if area.single and grid_id is not None:
        parts.append(grid_id.in_(sorted(area.single)))
    return or_(*parts) if parts else false()


def visible(select: _Select, actor: Actor, table: type[Placed], permission: str | None = None) -> _Select:
    """``select`` restricted to the rows of ``table`` that ``actor`` may see.

    Parameters
    ----------
    permission
        Another permission than the table's own, for instance to list what may be edited.
    """
    area = actor.area(permission or table.__read__)
    return select if area.everywhere else select.where(table.within(area) if area else false())


def named(permission: str) -> str:
    """A permission in the reader's words; its code where it has none.

    >>> named("unit.edit")
    '编辑区划'
    """
    return reference.labels("permissions", language.current()).get(permission, permission)


def require_person(actor: Actor) -> None:
    """Raise if an API token asks: for what would open another way into the account, or outlast the token.

    Raises
    ------
    Forbidden
    """
    if actor.by_token:
        raise Forbidden(_("A program with an API token cannot do this. Sign in and do it yourself."))


def require_everywhere(actor: Actor, permission: str) -> None:
    """Raise unless ``actor`` has ``permission`` everywhere: for what belongs to no place, such as roles and categories.

    Raises
    ------
    Forbidden
    """
    if not actor.area(permission).everywhere:
        raise Forbidden(
            _("This needs the permission “{permission}” everywhere.", permission=named(permission)),
            permission=permission,
        )


def require(actor: Actor, permission: str, community_id: int | None = None, grid_id: int | None = None) -> None:
    """Raise unless ``actor`` has ``permission`` there (anywhere, when no place is named).

    Raises
    ------
    NotFound
        The place is outside everything the actor may see.
    Forbidden
        The actor may see the place, but not do this there.
    """
    area = actor.area(permission)
    if area.covers(community_id, grid_id) if community_id is not None else bool(area):
        return
    if community_id is not None and not any(a.covers(community_id, grid_id) for a in actor.permissions.values()):
        raise NotFound(_("Not found, or outside your area."))
    raise Forbidden(_("This needs the permission “{permission}”.", permission=named(permission)), permission=permission)
