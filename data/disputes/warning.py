"""Early warning: places and parties that come again.

A building is named with three disputes within a year, a household and a phone with two: few enough that somebody can go
there and ask, and a year so that what comes every winter counts. What is told is which disputes they are; nothing else
is weighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select
from sqlalchemy.orm import Session

from data.base import access, settings
from data.base.access import Actor, Rows
from data.buildings import Building, Dwelling
from data.disputes import finding
from data.disputes.finding import Filter
from data.disputes.tables import OPEN, Dispute, DisputeParty
from data.households import UNMASK, Household

#: Within so many days; and so many disputes at a building, and of a household.
DAYS, AT_BUILDING, OF_HOUSEHOLD = 365, 3, 2


@dataclass(frozen=True)
class Again:
    """A place or household that came again: how often, how many are still open, about what (kind → how often), and when
    last; ``household_id unit room`` are empty for a building.
    """

    building_id: int
    building_number: str | None
    household_id: int | None
    unit: str | None
    room: str | None
    disputes: int
    open: int
    kinds: dict[str, int]
    last_at: Any


def again(session: Session, actor: Actor, community: str | None = None) -> list[Again]:
    """The buildings and households one sees that came again within ``DAYS``, the most frequent first."""
    wanted = Filter(community=community, first=settings.today() - timedelta(days=DAYS))
    return sorted(
        [*_buildings(session, actor, wanted), *_households(session, actor, wanted)],
        key=lambda one: (-one.disputes, -one.last_at.timestamp()),
    )


_COUNTS = (
    func.count(func.distinct(Dispute.id)).label("disputes"),
    func.count(func.distinct(Dispute.id)).filter(Dispute.step.in_(OPEN)).label("open"),
    func.array_agg(Dispute.kind).label("kinds"),
    func.max(Dispute.reported_at).label("last_at"),
)


def _buildings(session: Session, actor: Actor, wanted: Filter) -> list[Again]:
    query: Rows = select(Building.id, Building.number, *_COUNTS).join(Dispute, Dispute.building_id == Building.id)
    query = finding.narrowed(query, actor, wanted).group_by(Building.id)
    rows = session.execute(query.having(func.count() >= AT_BUILDING))
    return [
        Again(row.id, row.number, None, None, None, row.disputes, row.open, _counted(row.kinds), row.last_at)
        for row in rows
    ]


def _households(session: Session, actor: Actor, wanted: Filter) -> list[Again]:
    query: Rows = (
        select(Household.id, Dwelling.unit, Dwelling.room, Building.id.label("building_id"), Building.number, *_COUNTS)
        .join(DisputeParty, DisputeParty.household_id == Household.id)
        .join(Dispute, Dispute.id == DisputeParty.dispute_id)
        .join(Dwelling, Dwelling.id == Household.dwelling_id)
        .join(Building, Building.id == Dwelling.building_id)
    )
    query = finding.narrowed(access.visible(query, actor, Household), actor, wanted)
    query = query.group_by(Household.id, Dwelling.id, Building.id)
    rows = session.execute(query.having(func.count(func.distinct(Dispute.id)) >= OF_HOUSEHOLD))
    return [
        Again(
            row.building_id,
            row.number,
            row.id,
            row.unit,
            row.room,
            row.disputes,
            row.open,
            _counted(row.kinds),
            row.last_at,
        )
        for row in rows
    ]


def _counted(kinds: Sequence[str]) -> dict[str, int]:
    return {kind: list(kinds).count(kind) for kind in dict.fromkeys(kinds)}


def before(session: Session, actor: Actor, dispute: Dispute) -> Sequence[Row[Any]]:
    """Other disputes of the year before at the same building, or of the same household or phone, the latest first.

    Rows ``id kind step reported_at`` and ``party``: whether somebody was in it who is in this one.
    """
    mine = select(DisputeParty.household_id, DisputeParty.phone_index).where(DisputeParty.dispute_id == dispute.id)
    people = session.execute(mine).all()
    homes = [row.household_id for row in people if row.household_id is not None]
    phones = [row.phone_index for row in people if row.phone_index is not None]
    if not actor.area(UNMASK).covers(dispute.community_id, dispute.grid_id):
        phones = []  # else whoever sees phones masked could try one out
    same = or_(DisputeParty.household_id.in_(homes), DisputeParty.phone_index.in_(phones))
    theirs = select(DisputeParty.id).where(DisputeParty.dispute_id == Dispute.id, same).correlate(Dispute).exists()
    since = dispute.reported_at - timedelta(days=DAYS)
    query: Rows = select(Dispute.id, Dispute.kind, Dispute.step, Dispute.reported_at, theirs.label("party")).where(
        Dispute.id != dispute.id,
        Dispute.community_id == dispute.community_id,
        Dispute.reported_at.between(since, dispute.reported_at),
        or_(Dispute.building_id == dispute.building_id, theirs),
    )
    query = access.visible(query, actor, Dispute).order_by(Dispute.reported_at.desc(), Dispute.id.desc())
    return session.execute(query.limit(20)).all()
