"""Visits of the demo community over the last twelve months, and its spring campaign on the 17th and 18th of March.

In the campaign nine households in ten were met, and each of them was given a service card. Between campaigns leaders
go and call by the rhythm, a little early here and a little late there, so that something is always due; some doors
stay shut at the first try. What was said stands in the diary (``data.demo.diary``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import NAMESPACE_OID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Table, func, insert, select
from sqlalchemy.orm import Session

from data import campaigns, units
from data.base import access, bulk
from data.buildings import Building, Dwelling
from data.demo import duties
from data.households import Household, HouseholdGroup
from data.visits import Manner, Outcome, Visit

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 365
#: The share of households that the spring campaign met.
MET = 0.9
#: Months between visits and between calls: of ordinary households, and of special ones.
_EVERY = {False: (6, 3), True: (3, 1)}
_MONTH_DAYS = 30.4
#: How often a door stays shut.
_SHUT = 0.08


def load(
    session: Session, community: units.Unit, leaders: Mapping[int, int], seed: int, today: date
) -> list[dict[str, Any]]:
    """Write the campaign and the visits.

    Parameters
    ----------
    leaders
        Id of a grid → the account of its leader.

    Returns
    -------
    list of dict
        The visits, with ``building_id`` and whether they were ``in_campaign``.
    """
    spring = duties.spring(today)
    campaigns.add(
        session,
        access.SYSTEM,
        community_id=community.id,
        name=f"{spring.year} 年春季集中入户走访",
        begins_on=spring,
        ends_on=spring + timedelta(days=1),
        goal_share=MET,
    )
    special = func.bool_or(HouseholdGroup.id.is_not(None))
    homes = session.execute(
        select(
            Household.id, Household.number, Building.grid_id, Building.id.label("building_id"), special.label("special")
        )
        .join(Dwelling, Dwelling.id == Household.dwelling_id)
        .join(Building, Building.id == Dwelling.building_id)
        .outerjoin(HouseholdGroup, HouseholdGroup.household_id == Household.id)
        .where(Household.community_id == community.id, Building.grid_id.is_not(None))
        .group_by(Household.id, Building.id)
        .order_by(Household.number)
    ).all()
    chosen = Random(f"{seed} campaign")  # noqa: S311 - made up, no secret
    count = session.scalar(select(func.count()).where(Household.community_id == community.id)) or 0
    met = {home.id for home in chosen.sample(homes, round(MET * count))}
    rows, places = [], []
    for home in homes:
        random = Random(f"{seed} visits {home.number}")  # noqa: S311 - made up, no secret
        for number, what in enumerate(_course(random, home, spring, today, in_campaign=home.id in met)):
            uuid = uuid5(NAMESPACE_OID, f"{community.code} {seed} {home.number} {number}")
            rows.append(
                {
                    "uuid": uuid,
                    "community_id": community.id,
                    "household_id": home.id,
                    "grid_id": home.grid_id,
                    "account_id": leaders[home.grid_id],
                    "recorded_at": what["at"],
                    **what,
                }
            )
            places.append({"building_id": home.building_id, "in_campaign": what["card"]})
    table = Visit.__table__
    assert isinstance(table, Table)
    for row, number in zip(rows, bulk.reserve_ids(session, table, len(rows)), strict=True):
        row["id"] = number
    session.execute(insert(table), rows)
    return [row | place for row, place in zip(rows, places, strict=True)]


def _course(
    random: Random, home: Row[Any], spring: date, today: date, *, in_campaign: bool
) -> Iterator[dict[str, Any]]:
    """The visits and calls of a household, those in vain before them."""
    months, call_months = _EVERY[bool(home.special)]
    first = today - timedelta(days=DAYS)
    visits = list(_days(random, first, today, months, (spring,) if in_campaign else ()))
    for day in visits:
        in_days = in_campaign and day == spring
        if not in_days and spring <= day <= spring + timedelta(days=1):
            day += timedelta(days=3)  # the campaign's days are those of the campaign
        day += timedelta(days=random.randrange(2)) if in_days else timedelta()
        if random.random() < _SHUT:
            shut = _at(random, day) if in_days else _at(random, day - timedelta(days=2))
            yield _visit(Manner.VISIT, Outcome.NOBODY, shut.replace(hour=1))
        at = _at(random, day)
        if at < datetime.now(UTC):
            yield _visit(Manner.VISIT, Outcome.MET, at, card=in_days)
    for day in _days(random, first, today, call_months, visits):
        if day not in visits and (at := _at(random, day)) < datetime.now(UTC):
            yield _visit(Manner.CALL, Outcome.MET, at)


def _days(random: Random, first: date, today: date, months: float, known: Any) -> Iterator[date]:
    """Days a rhythm apart, a little more or less; it begins anew with each of those that are ``known``."""
    fixed, day = sorted(known), first + timedelta(days=random.randrange(round(months * _MONTH_DAYS)))
    while day < today:
        if fixed and day >= fixed[0]:
            day = fixed.pop(0)
        yield day
        day += timedelta(days=round(months * _MONTH_DAYS * random.uniform(0.85, 1.14)))
    yield from (one for one in fixed if one < today)


def _visit(manner: Manner, outcome: Outcome, at: datetime, *, card: bool = False) -> dict[str, Any]:
    return {"manner": manner, "outcome": outcome, "at": at, "card": card}


def _at(random: Random, day: date) -> datetime:
    """Some time of a day on which people are at home: in the evening, at weekends by day."""
    hour = random.randrange(9, 20) if day.isoweekday() > 5 else random.randrange(18, 21)
    return datetime.combine(day, time(hour, random.randrange(60)), ZONE).astimezone(UTC)
