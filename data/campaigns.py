"""Campaigns 集中入户走访: a community visits its households within a few days, and sees how far it has come.

A campaign is a name, days and a goal; what was done in it are the visits of these days. So nothing is recorded twice, a
visit that is sent late counts, and what a campaign reached can be told of any span of days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Row, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import units
from data.base import access, db, listing
from data.base.access import Actor, Rows
from data.base.errors import NotFound
from data.base.language import _
from data.buildings import Building
from data.households import Household, homes
from data.visits import Manner, Outcome, Visit, due

#: Who is left is listed up to here; more is no list to walk with.
MOST_DOORS = 3000


class CampaignNotFound(NotFound):
    """There is no such campaign, or it is outside the actor's area."""


class Campaign(db.Dated, db.Table):
    """Days on which the households of a community are visited."""

    __tablename__ = "campaign"
    __read__ = "grid.read"
    __table_args__ = (
        CheckConstraint("begins_on <= ends_on", name="days"),
        CheckConstraint("goal_share > 0 AND goal_share <= 1", name="goal_share"),
        Index("ix_campaign_community_id_begins_on", "community_id", "begins_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str]
    begins_on: Mapped[date]
    #: the last day, included
    ends_on: Mapped[date]
    #: the share of households that is to be met
    goal_share: Mapped[float]

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A campaign belongs to a community; whoever has a grid of it takes part."""
        of_grids = select(units.Unit.community_id).where(units.Unit.id.in_(sorted(area.single)))
        return access.in_area(area, cls.community_id) | cls.community_id.in_(of_grids)


db.sentences["ck_campaign_days"] = "A campaign ends on the day it begins, or later."
db.sentences["ck_campaign_goal_share"] = "The goal is a share of the households, above 0 and up to 100 %."


@dataclass(frozen=True)
class Progress:
    """How far a campaign has come in a grid, or in all; households, and the cards that were handed out."""

    grid_id: int | None
    name: str
    households: int
    met: int
    tried: int
    cards: int

    @property
    def share(self) -> float:
        """The share of households that were met, 0–1."""
        return self.met / self.households if self.households else 0.0


def get(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """The campaign with this id.

    Raises
    ------
    CampaignNotFound
    """
    campaign = session.scalar(access.visible(select(Campaign).where(Campaign.id == campaign_id), actor, Campaign))
    if campaign is None:
        raise CampaignNotFound(_("Not found, or outside your area."))
    return campaign


def listed(session: Session, actor: Actor, community: str | None = None) -> Sequence[Campaign]:
    """The campaigns of the community with this code, or of all one may see; the latest first."""
    query: Rows = select(Campaign).order_by(Campaign.begins_on.desc(), Campaign.id.desc())
    if community is not None:
        query = query.where(
            Campaign.community_id == select(units.Unit.id).where(units.Unit.code == community).scalar_subquery()
        )
    return session.scalars(access.visible(query, actor, Campaign)).all()


def add(
    session: Session, actor: Actor, *, community_id: int, name: str, begins_on: date, ends_on: date, goal_share: float
) -> Campaign:
    """A new campaign.

    Raises
    ------
    Forbidden
    """
    access.require(actor, "visit.edit", community_id)
    campaign = Campaign(
        community_id=community_id, name=name, begins_on=begins_on, ends_on=ends_on, goal_share=goal_share
    )
    session.add(campaign)
    session.flush()
    return campaign


def change(session: Session, actor: Actor, campaign: Campaign, **values: Any) -> Campaign:
    """Change name, days or goal."""
    access.require(actor, "visit.edit", campaign.community_id)
    for name, value in values.items():
        setattr(campaign, name, value)
    session.flush()
    return campaign


def remove(session: Session, actor: Actor, campaign: Campaign) -> None:
    """Remove a campaign; the visits of its days stay."""
    access.require(actor, "visit.edit", campaign.community_id)
    session.delete(campaign)
    session.flush()


def progress(session: Session, actor: Actor, campaign: Campaign) -> list[Progress]:
    """How far a campaign has come in each grid that the actor may see, by code; households without a grid come last."""
    query = (
        select(
            Building.grid_id,
            units.Unit.name,
            func.count().label("households"),
            func.count().filter(_in_it(campaign, Visit.outcome == Outcome.MET)).label("met"),
            func.count()
            .filter(_in_it(campaign, Visit.outcome != Outcome.MET), ~_in_it(campaign, Visit.outcome == Outcome.MET))
            .label("tried"),
            func.count().filter(_in_it(campaign, Visit.card.is_(True))).label("cards"),
        )
        .select_from(Household)
        .where(
            Household.community_id == campaign.community_id,
            # Who has left meanwhile counts when they were met, and is nobody who is left to be met.
            or_(Household.lived(), _in_it(campaign, Visit.outcome == Outcome.MET)),
        )
    )
    query = access.visible(homes.placed(query, Household.dwelling_id), actor, Household)
    rows = session.execute(query.group_by(Building.grid_id, units.Unit.id).order_by(units.Unit.code.nulls_last()))
    return [Progress(row.grid_id, row.name or "", row.households, row.met, row.tried, row.cards) for row in rows]


def total(parts: Sequence[Progress]) -> Progress:
    """All of it.

    >>> total([Progress(1, "A1", 10, 8, 1, 7), Progress(2, "A2", 30, 10, 4, 3)]).share
    0.45
    """
    sums = [sum(getattr(part, name) for part in parts) for name in ("households", "met", "tried", "cards")]
    return Progress(None, "", *sums)


def left(session: Session, actor: Actor, campaign: Campaign, grid: str | None = None) -> Sequence[Row[Any]]:
    """The households that were not met in a campaign, by building, entrance and door, as ``homes.selection`` has them.

    ``tries`` tells how often somebody came in vain.
    """
    tries = (
        select(func.count())
        .where(Visit.household_id == Household.id, *_of(campaign))
        .correlate(Household)
        .scalar_subquery()
    )
    query = homes.selection(actor, homes.Filter(grid=grid)).where(
        Household.community_id == campaign.community_id, ~_in_it(campaign, Visit.outcome == Outcome.MET)
    )
    query = query.add_columns(tries.label("tries")).order_by(units.Unit.code, due.SORTS["door"], Household.id)
    return session.execute(query.limit(MOST_DOORS)).all()


def _of(campaign: Campaign) -> list[ColumnElement[bool]]:
    """The visits at the door in the days of a campaign."""
    return [Visit.manner == Manner.VISIT, *listing.in_period(Visit.at, campaign.begins_on, campaign.ends_on)]


def _in_it(campaign: Campaign, what: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a household had such a visit in the days of a campaign."""
    visits = select(Visit.id).where(Visit.household_id == Household.id, *_of(campaign), what)
    return visits.correlate(Household).exists()
