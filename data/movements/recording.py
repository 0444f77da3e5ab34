"""What an event brings about for a person, their household and their tenancy, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data import buildings, households
from data.base import access, bulk, settings
from data.base.access import Actor
from data.base.errors import Conflict, Invalid
from data.base.language import _
from data.households import Household, Resident, Tenancy, TenancyTenant
from data.movements.tables import AWAY, Kind, Movement, Reach

#: The first day of which an event is recorded; people are older than that, what the community registers is not.
FIRST_DAY = date(1980, 1, 1)
#: So many people at once are a household; more are an import.
MOST = 30
_MARITAL = {Kind.MARRIED: "20", Kind.DIVORCED: "40"}
_Value = TypeVar("_Value")
_HEAD, _SPOUSE = "02", "1"


class NotAgain(Conflict):
    """It happened already, or something that was recorded later stands in its way."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who is registered with the event: a newborn, or one who moved in."""

    name: str
    sex: str | None = None
    born_on: date | None = None
    identity_kind: str = "resident_id"
    identity_number: str | None = None
    phone: str | None = None
    relation: str | None = None
    status: str = households.Status.REGISTERED


def record(
    session: Session,
    actor: Actor,
    *,
    uuid: UUID,
    kind: Kind,
    on: date,
    resident_ids: Sequence[int] = (),
    household_id: int | None = None,
    dwelling_id: int | None = None,
    person: Person | None = None,
    reach: Reach | None = None,
    place: str | None = None,
    note: str | None = None,
) -> list[Movement]:
    """Record an event with all that follows from it; sent again under its ``uuid``, it is the same one.

    =============  ================================================================================================
    ``BORN``       ``person`` is a new member of ``household_id``
    ``MOVED_IN``   ``person``, or ``resident_ids`` who had left, live in ``household_id`` now, or at ``dwelling_id``,
                   where they are a household of their own, or again that which they were there
    ``MOVED``      ``resident_ids`` live at ``dwelling_id`` now: a whole household goes there as it is, some of its
                   members join whoever lives there, or else are a household of their own
    ``MOVED_OUT``  ``resident_ids`` do not live here any more
    ``DIED``       the same
    ``MARRIED``    the marital status of ``resident_ids`` follows; so with ``DIVORCED``
    =============  ================================================================================================

    Returns
    -------
    list of Movement
        A row a person.

    Raises
    ------
    NotFound, Forbidden
    Invalid
        Something is missing, or the day lies in the future.
    NotAgain
        They have left already, or live here.
    Conflict
        The ``uuid`` is of somebody else's.
    """
    if before := list(session.scalars(select(Movement).where(Movement.uuid == uuid).order_by(Movement.id))):
        if before[0].account_id != actor.account_id or before[0].kind != kind:
            raise Conflict(_("This event was recorded already."))
        return before
    today = settings.today()
    if not FIRST_DAY <= on <= today:
        raise Invalid(_("An event lies between 1980 and today, not on {day}.", day=on), field="body.on")
    if len(set(resident_ids)) > MOST:
        raise Invalid(_("At most {most} people at once.", most=MOST), field="body.resident_ids")
    people = [households.get_resident(session, actor, one) for one in sorted(set(resident_ids))]
    home = households.get(session, actor, household_id) if household_id is not None else None
    act = _Act(session, actor, uuid, kind, on, reach, place or None, note or None)
    if kind == Kind.BORN:
        act.arrive(_needed(home, "household_id"), person=_needed(person, "person"))
    elif kind == Kind.MOVED_IN:
        act.move_in(people, person, home, dwelling_id)
    elif not people:
        raise Invalid(_("Say whom it is about."), field="body.resident_ids")
    elif kind in AWAY:
        act.leave(people)
    elif kind == Kind.MOVED:
        act.move(people, _needed(dwelling_id, "dwelling_id"))
    else:
        act.wed(people)
    session.flush()
    return act.rows


def _needed(value: _Value | None, field: str) -> _Value:
    if value is None:
        raise Invalid(_("{field}: this is needed here.", field=field), field=f"body.{field}")
    return value


@dataclass
class _Act:
    """One event that is being recorded."""

    session: Session
    actor: Actor
    uuid: UUID
    kind: Kind
    on: date
    reach: Reach | None
    place: str | None
    note: str | None

    def __post_init__(self) -> None:
        self.rows: list[Movement] = []

    def leave(self, people: Sequence[Resident]) -> None:
        """People do not live here any more."""
        for resident in people:
            home = self._home(resident)
            if resident.left_on is not None:
                raise NotAgain(_("They have not lived here since {day} already.", day=resident.left_on))
            if resident.came_on is not None and self.on < resident.came_on:
                raise Invalid(_("They came on {day}; one leaves after that.", day=resident.came_on), field="body.on")
            resident.left_on = self.on
            self.session.flush()
            self._write(resident, home, {"tenancies": _end_tenancies(self.session, resident, self.on)})
            self._left_behind(home, resident)

    def move_in(
        self, people: Sequence[Resident], person: Person | None, home: Household | None, dwelling_id: int | None
    ) -> None:
        """People come: new ones, or those who had left."""
        if bool(people) == (person is not None):
            raise Invalid(_("Say who moved in: a new person, or somebody who had left."), field="body.person")
        if home is None:
            home = self._household_at(_needed(dwelling_id, "dwelling_id"), people)
        if person is not None:
            self.arrive(home, person=person)
        for resident in people:
            if resident.left_on is None:
                raise NotAgain(_("They live here. If they moved within the community, record that."))
            if self.on < resident.left_on:
                says = _("They left on {day}; they come back after that.", day=resident.left_on)
                raise Invalid(says, field="body.on")
            self._may(resident)
            before = {
                "left_on": str(resident.left_on),
                "came_on": str(resident.came_on) if resident.came_on else None,
                "household_id": resident.household_id,
            }
            resident.came_on, resident.left_on = self.on, None
            households.change_resident(self.session, self.actor, resident, household_id=home.id)
            self._write(resident, home, before | self._lived_in(home, resident))

    def arrive(self, home: Household, *, person: Person) -> None:
        """Somebody is registered with the event."""
        self._lock(home)
        if self.kind == Kind.BORN and home.closed_on is not None:
            raise NotAgain(_("Nobody of this household lives here any more."))
        values = asdict(person) | {"came_on": self.on}
        if self.kind == Kind.BORN:
            values["born_on"] = self.on
        resident = households.add_resident(self.session, self.actor, home, **values)
        self._write(resident, home, {"new": True} | self._lived_in(home, resident))

    def move(self, people: Sequence[Resident], dwelling_id: int) -> None:
        """People move within the community."""
        if any(resident.left_on is not None for resident in people):
            raise NotAgain(_("Who has left does not move within the community. Record that they moved in."))
        homes = {resident.household_id: self._home(resident) for resident in people}
        for home in homes.values():
            if home.dwelling_id == dwelling_id:
                raise Invalid(_("They live there already."), field="body.dwelling_id")
            gone = {resident.id for resident in people if resident.household_id == home.id}
            there = households.grid_of(self.session, home)
            if gone == {member.id for member in _members(self.session, home)}:
                before = {"dwelling_id": home.dwelling_id, "unlocated_reason": home.unlocated_reason}
                households.change(self.session, self.actor, home, dwelling_id=dwelling_id)
                for resident in people:
                    if resident.household_id == home.id:
                        self._write(resident, home, before, from_home=home, from_grid_id=there)
                continue
            joined = self._household_at(dwelling_id, [], join=True)
            for resident in people:
                if resident.id in gone:
                    relation = resident.relation
                    households.change_resident(self.session, self.actor, resident, household_id=joined.id)
                    before = {"household_id": home.id, "relation": relation} | self._lived_in(joined, resident)
                    self._write(resident, joined, before, from_home=home, from_grid_id=there)
                    self._left_behind(home, resident)

    def wed(self, people: Sequence[Resident]) -> None:
        """The marital status follows."""
        for resident in people:
            home, before = self._home(resident), resident.marital_status
            households.change_resident(self.session, self.actor, resident, marital_status=_MARITAL[self.kind])
            self._write(resident, home, {"marital_status": before})

    def _household_at(self, dwelling_id: int, people: Sequence[Resident], *, join: bool = False) -> Household:
        """The household that people are in at a dwelling: that which they were there, or a new one."""
        dwelling = buildings.get_dwelling(self.session, self.actor, dwelling_id)
        earlier = {resident.household_id for resident in people}
        query = select(Household).where(Household.dwelling_id == dwelling.id).order_by(Household.id).limit(1)
        query = query.where(Household.lived() if join else Household.id.in_(earlier))
        home = self.session.scalar(access.visible(query, self.actor, Household))
        if home is not None:
            self._lock(home)
            return home
        table: Any = Household.__table__
        (key,) = bulk.reserve_ids(self.session, table, 1)
        number = f"{self.on:%Y}-{key:06d}"
        return households.add(self.session, self.actor, dwelling=dwelling, number=number, id=key)

    def _lived_in(self, home: Household, resident: Resident) -> dict[str, Any]:
        """Let a household be lived in by somebody who came; what it was before."""
        before: dict[str, Any] = {"closed_on": str(home.closed_on) if home.closed_on else None}
        home.closed_on = None
        if home.head_id is None or self.session.get_one(Resident, home.head_id).left_on is not None:
            before["head_id"] = home.head_id
            home.head_id = resident.id
        self.session.flush()
        return before

    def _left_behind(self, home: Household, resident: Resident) -> None:
        """Let a household go on without somebody: under a new head, or closed when nobody is left."""
        row = self.rows[-1]
        rest = _members(self.session, home)
        before: dict[str, Any] = {}
        if not rest:
            before["closed"] = home.id
            home.closed_on = self.on
        elif home.head_id in (None, resident.id):
            head = min(rest, key=_heads_first)
            before |= {"of": home.id, "head_id": resident.id, "head_relation": [head.id, head.relation]}
            home.head_id, head.relation = head.id, _HEAD
        row.before = row.before | before
        self.session.flush()

    def _home(self, resident: Resident) -> Household:
        self._may(resident)
        home = self.session.get_one(Household, resident.household_id)
        self._lock(home)
        return home

    def _may(self, record: Household | Resident) -> None:
        grid_id = households.grid_of(self.session, record)
        access.require(self.actor, "household.edit", record.community_id, grid_id)

    def _lock(self, home: Household) -> None:
        """Nobody else's event changes the household meanwhile."""
        self.session.flush()
        self.session.refresh(home, with_for_update=True)

    def _write(
        self,
        resident: Resident,
        home: Household,
        before: dict[str, Any],
        *,
        from_home: Household | None = None,
        from_grid_id: int | None = None,
    ) -> None:
        row = Movement(
            uuid=self.uuid,
            community_id=home.community_id,
            grid_id=households.grid_of(self.session, home),
            from_grid_id=from_grid_id,
            kind=self.kind,
            happened_on=self.on,
            resident_id=resident.id,
            household_id=home.id,
            from_household_id=from_home.id if from_home else None,
            reach=self.reach,
            place=self.place,
            note=self.note,
            account_id=self.actor.account_id,
            before=before,
        )
        self.session.add(row)
        self.session.flush()
        self.rows.append(row)


def _members(session: Session, home: Household) -> Sequence[Resident]:
    """Who lives in a household that the actor was shown to see."""
    return session.scalars(select(Resident).where(Resident.household_id == home.id, Resident.here())).all()


def _heads_first(resident: Resident) -> tuple[bool, date, int]:
    """Who is head next: the spouse of the last one, else the eldest."""
    return (not (resident.relation or "").startswith(_SPOUSE), resident.born_on or date.max, resident.id)


def _end_tenancies(session: Session, resident: Resident, on: date) -> list[list[Any]]:
    """End the tenancies of which all tenants have left; each id with the day on which it would have ended."""
    others = (
        select(TenancyTenant.tenancy_id)
        .join(Resident, Resident.id == TenancyTenant.resident_id)
        .where(TenancyTenant.tenancy_id == Tenancy.id, Resident.here())
        .exists()
    )
    query = (
        select(Tenancy)
        .join(TenancyTenant, TenancyTenant.tenancy_id == Tenancy.id)
        .where(
            TenancyTenant.resident_id == resident.id,
            func.lower(Tenancy.valid) < on,
            or_(func.upper(Tenancy.valid).is_(None), func.upper(Tenancy.valid) > on),
            ~others,
        )
    )
    ended = []
    for tenancy in session.scalars(query):
        ended.append([tenancy.id, str(tenancy.valid.upper) if tenancy.valid.upper else None])
        tenancy.valid = Range(tenancy.valid.lower, on)
    return ended


def undo(session: Session, actor: Actor, movement: Movement) -> None:
    """Take back an event that did not happen, with all that followed from it, for everybody whom it was about.

    Raises
    ------
    NotFound, Forbidden
    NotAgain
        It was undone already, or something was recorded of the same people since.
    """
    rows = session.scalars(select(Movement).where(Movement.uuid == movement.uuid).order_by(Movement.id.desc())).all()
    for row in rows:
        access.require(actor, "household.edit", row.community_id, row.grid_id)
        if row.undone_at is not None:
            raise NotAgain(_("This was undone already."))
        later = select(Movement.id).where(
            Movement.uuid != row.uuid,
            Movement.id > row.id,
            Movement.undone_at.is_(None),
            or_(
                Movement.resident_id == row.resident_id,
                Movement.household_id == row.household_id,
                Movement.from_household_id == row.household_id,
            ),
        )
        if session.scalar(later.limit(1)) is not None:
            raise NotAgain(_("Something was recorded of the same household since. Undo that first."))
    now = datetime.now(UTC)
    for row in rows:
        _put_back(session, actor, row)
        row.undone_at, row.undone_by = now, actor.account_id
        session.flush()


def _put_back(session: Session, actor: Actor, row: Movement) -> None:
    before = row.before
    resident = session.get(Resident, row.resident_id) if row.resident_id else None
    home = session.get(Household, row.household_id) if row.household_id else None
    if resident is None or home is None:
        raise NotAgain(_("The person or the household was removed since."))
    for tenancy_id, until in before.get("tenancies", ()):
        if (tenancy := session.get(Tenancy, tenancy_id)) is not None:
            tenancy.valid = Range(tenancy.valid.lower, _day(until))
    if row.kind in AWAY:
        resident.left_on = None
    if (closed := session.get(Household, before["closed"]) if "closed" in before else None) is not None:
        closed.closed_on = None
    if "head_relation" in before:
        head_id, relation = before["head_relation"]
        session.get_one(Household, before["of"]).head_id = before["head_id"]
        session.get_one(Resident, head_id).relation = relation
    elif "head_id" in before:
        home.head_id = before["head_id"]
    _KINDS.get(Kind(row.kind), _nothing)(session, actor, row, resident, home)
    session.flush()


def _nothing(_session: Session, _actor: Actor, _row: Movement, _resident: Resident, _home: Household) -> None:
    return


def _out_again(session: Session, actor: Actor, row: Movement, resident: Resident, home: Household) -> None:
    home.closed_on = _day(row.before.get("closed_on"))
    session.flush()
    if row.before.get("new"):
        row.resident_id = None
        session.flush()
        households.remove_resident(session, actor, resident)
        if not _members(session, home):
            home.closed_on = home.closed_on or row.happened_on
        return
    resident.household_id = row.before["household_id"]
    resident.left_on, resident.came_on = _day(row.before["left_on"]), _day(row.before["came_on"])
    session.flush()
    if not _members(session, home):
        home.closed_on = home.closed_on or row.happened_on


def _back_again(session: Session, actor: Actor, row: Movement, resident: Resident, home: Household) -> None:
    if "dwelling_id" in row.before:
        if home.dwelling_id != row.before["dwelling_id"]:
            households.change(session, actor, home, dwelling_id=row.before["dwelling_id"])
            home.unlocated_reason = row.before["unlocated_reason"]
        return
    resident.household_id, resident.relation = row.before["household_id"], row.before["relation"]
    session.flush()
    if not _members(session, home):
        home.closed_on = row.happened_on


def _as_before(_session: Session, _actor: Actor, row: Movement, resident: Resident, _home: Household) -> None:
    resident.marital_status = row.before["marital_status"]


_KINDS: dict[Kind, Callable[[Session, Actor, Movement, Resident, Household], None]] = {
    Kind.BORN: _out_again,
    Kind.MOVED_IN: _out_again,
    Kind.MOVED: _back_again,
    Kind.MARRIED: _as_before,
    Kind.DIVORCED: _as_before,
}


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
