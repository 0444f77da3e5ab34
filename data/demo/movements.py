"""Births, deaths and moves of the demo community over the last twelve months. All of it is made up.

Who was born or came within the year lives there already; who died or left is added, without number or phone, so that
the community has the people of the report today.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Table, bindparam, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from data import units
from data.base import bulk
from data.base.identity import Sex
from data.buildings import Building, Dwelling
from data.demo.names import Register
from data.households import Household, Resident, Status, Tenancy, TenancyTenant
from data.movements import Kind, Movement, Reach

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 365
#: How many people died, and how many households left.
DEATHS, DEPARTURES = 26, 22
_PLACES = {
    Reach.DISTRICT: ("本区新城街道", "本区滨江街道"),
    Reach.CITY: ("城南区", "高新区", "河西区"),
    Reach.ELSEWHERE: ("苏州", "合肥", "杭州", "老家"),
}


def load(session: Session, community: units.Unit, leaders: Mapping[int, int], seed: int, today: date) -> None:
    """Write the events, and those who are not there any more.

    Parameters
    ----------
    leaders
        Id of a grid → the account of its leader.
    """
    random = Random(f"{seed} movements")  # noqa: S311 - made up, no secret
    register = Register(random)
    began = today - timedelta(days=DAYS)
    events: list[dict[str, Any]] = []

    def event(kind: Kind, on: date, resident_id: int, home: Any, **more: Any) -> None:
        at = datetime.combine(min(on + timedelta(days=random.randrange(1, 9)), today), time(17, 30), ZONE)
        key = uuid5(NAMESPACE_OID, f"{community.code} {seed} movement {kind} {home.id} {on}")
        about = {"household_id": home.id, "grid_id": home.grid_id, "account_id": leaders[home.grid_id]}
        said = {"reach": None, "place": None, "before": {}} | more
        days = {"happened_on": on, "recorded_at": at.astimezone(UTC)}
        row = {"uuid": key, "community_id": community.id, "kind": kind, "resident_id": resident_id}
        events.append(row | about | days | said)

    came = _came(session, community, began, today)
    for person in came:
        if person.born_on is not None and person.born_on > began:
            event(Kind.BORN, person.born_on, person.resident_id, person)
        else:
            event(Kind.MOVED_IN, person.let_on, person.resident_id, person, **_afar(random))
    table = _core(Resident)
    days = [{"key": row["resident_id"], "day": row["happened_on"]} for row in events]
    session.execute(update(table).where(table.c.id == bindparam("key")).values(came_on=bindparam("day")), days)
    homes = list(session.execute(_homes(community).order_by(Household.number)).all())
    people: list[dict[str, Any]] = []

    def gone(home: Any, on: date, born_on: date, surname: str | None = None, **more: Any) -> int:
        sex = random.choice((Sex.MALE, Sex.FEMALE))
        (key,) = bulk.reserve_ids(session, table, 1)
        name = (surname or register.surname()) + register.given(sex, born_on)
        row = {"id": key, "community_id": community.id, "household_id": home.id, "name": name, "sex": sex}
        people.append(row | {"born_on": born_on, "left_on": on, "status": Status.REGISTERED, "relation": None} | more)
        return int(key)

    for home in random.sample(homes, DEATHS):
        on = began + timedelta(days=random.randrange(5, DAYS))
        born_on = date(today.year - random.randrange(72, 97), random.randrange(1, 13), random.randrange(1, 28))
        event(Kind.DIED, on, gone(home, on, born_on, relation="50"), home)
    empty = session.execute(_empty(community)).all()
    closed: list[dict[str, Any]] = []
    heads: dict[int, int] = {}
    for number, door in enumerate(random.sample(empty, min(DEPARTURES, len(empty))), 1):
        on = began + timedelta(days=random.randrange(5, DAYS))
        (key,) = bulk.reserve_ids(session, _core(Household), 1)
        closed.append(
            {
                "id": key,
                "community_id": community.id,
                "dwelling_id": door.dwelling_id,
                "number": f"011{number:06d}",
                "hukou": "urban",
                "located_by": "manual",
                "located_score": 1.0,
                "closed_on": on,
            }
        )
        lived = _Home(key, door.grid_id)
        where, surname = _afar(random), register.surname()
        for place in range(random.choice((1, 2, 2, 3))):
            age = random.randrange(27, 60) if place < 2 else random.randrange(3, 15)
            born_on = date(today.year - age, random.randrange(1, 13), random.randrange(1, 28))
            relation = ("02", "10", "20")[place]
            resident_id = gone(lived, on, born_on, surname if place != 1 else None, relation=relation)
            heads.setdefault(key, resident_id)
            event(Kind.MOVED_OUT, on, resident_id, lived, **where)
    session.execute(insert(_core(Household)), closed)
    session.execute(insert(table), people)
    session.execute(
        text("UPDATE household SET head_id = :head WHERE id = :home"),
        [{"home": home_id, "head": head_id} for home_id, head_id in heads.items()],
    )
    session.execute(insert(_core(Movement)), sorted(events, key=lambda row: row["happened_on"]))


class _Home(NamedTuple):
    """Where somebody lived, as the rows of ``_homes`` tell it."""

    id: int
    grid_id: int


def _afar(random: Random) -> dict[str, Any]:
    reach = random.choice(list(_PLACES))
    return {"reach": reach, "place": random.choice(_PLACES[reach])}


def _homes(community: units.Unit) -> Any:
    return (
        select(Household.id, Building.grid_id)
        .join(Dwelling, Dwelling.id == Household.dwelling_id)
        .join(Building, Building.id == Dwelling.building_id)
        .where(Household.community_id == community.id, Building.grid_id.is_not(None))
    )


def _came(session: Session, community: units.Unit, began: date, today: date) -> list[Row[Any]]:
    """Who was born within the year, and who rents a dwelling since then."""
    let_on = func.min(func.lower(Tenancy.valid))
    query = (
        _homes(community)
        .join(Resident, Resident.household_id == Household.id)
        .outerjoin(TenancyTenant, TenancyTenant.resident_id == Resident.id)
        .outerjoin(Tenancy, Tenancy.id == TenancyTenant.tenancy_id)
        .add_columns(Resident.id.label("resident_id"), Resident.born_on, let_on.label("let_on"))
        .group_by(Household.id, Building.grid_id, Resident.id)
        .having(or_(Resident.born_on.between(began, today), let_on.between(began, today)))
        .order_by(Resident.id)
    )
    rows = session.execute(query).all()
    return [row for row in rows if (row.born_on and row.born_on > began) or row.let_on]


def _empty(community: units.Unit) -> Any:
    """The dwellings in which nobody lives."""
    lived_in = select(Household.id).where(Household.dwelling_id == Dwelling.id).exists()
    return (
        select(Dwelling.id.label("dwelling_id"), Building.grid_id)
        .join(Building, Building.id == Dwelling.building_id)
        .where(
            Dwelling.community_id == community.id, Dwelling.use == "vacant", ~lived_in, Building.grid_id.is_not(None)
        )
        .order_by(Dwelling.id)
    )


def _core(table: type[Any]) -> Table:
    found: Table = table.__table__
    return found
