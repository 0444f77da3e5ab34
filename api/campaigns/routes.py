"""Campaigns over HTTP: their days, how far they have come by grid, and who is left."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import Field

from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import Change, Day, Id, Input, Line, Output, Reference
from api.base.listing import CommunityCode, GridCode
from data import campaigns, households
from data.base.access import Actor

api = APIRouter(prefix="/api/campaigns", tags=["visits"])
Read = Annotated[Actor, permission("grid.read", "household.read")]
Arrange = Annotated[Actor, permission("visit.edit")]
Share = Annotated[float, Field(gt=0, le=1)]


class CampaignOut(Output):
    """Days on which the households of a community are visited."""

    id: int = Field(examples=[2])
    community_id: int = Field(examples=[3])
    name: str = Field(examples=["春季集中走访"])
    begins_on: date = Field(examples=["2026-03-17"])
    ends_on: date = Field(description="The last day, included.", examples=["2026-03-18"])
    goal_share: float = Field(description="The share of households that is to be met.", examples=[0.9])
    updated_at: datetime = Field(examples=["2026-03-10T01:30:00Z"])


class CampaignNew(Input):
    """A campaign to be planned."""

    community_id: Reference = Field(examples=[3])
    name: Line = Field(examples=["春季集中走访"])
    begins_on: Day = Field(examples=["2026-03-17"])
    ends_on: Day = Field(examples=["2026-03-18"])
    goal_share: Share = Field(0.9, examples=[0.9])


class CampaignChange(Change):
    """What of a campaign is to change."""

    needed = frozenset({"name", "begins_on", "ends_on", "goal_share"})

    name: Line | None = Field(None, examples=["春季集中走访"])
    begins_on: Day | None = Field(None, examples=["2026-03-17"])
    ends_on: Day | None = Field(None, examples=["2026-03-19"])
    goal_share: Share | None = Field(None, examples=[0.9])


class ProgressOut(Output):
    """How far a campaign has come in a grid."""

    grid_id: int | None = Field(description="Empty for households that are in no grid.", examples=[7])
    name: str = Field(examples=["第四网格"])
    households: int = Field(examples=[195])
    met: int = Field(examples=[176])
    tried: int = Field(description="Where somebody came in vain, and was not met since.", examples=[9])
    cards: int = Field(description="Households that were given a service card.", examples=[176])
    share: float = Field(examples=[0.9])


class DoorOut(Output):
    """A household that was not met. What is personal is masked."""

    id: int = Field(examples=[27])
    number: str = Field(examples=["WT-04-0031"])
    head_name: str | None = Field(description="Masked.", examples=["李**"])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])
    grid_code: str | None = Field(examples=["990106003012004"])
    tries: int = Field(description="How often somebody came in vain.", examples=[1])


class CampaignList(listing.Parameters):
    """Which campaigns."""

    community: CommunityCode = None


class LeftIn(listing.Parameters):
    """Where those are who are left."""

    grid: GridCode = None


@api.get("", summary="List campaigns")
def list_campaigns(session: Session, actor: Read, asked: Annotated[CampaignList, Query()]) -> list[CampaignOut]:
    """The campaigns one may see, the latest first."""
    return [CampaignOut.model_validate(one) for one in campaigns.listed(session, actor, asked.community)]


@api.post("", summary="Plan a campaign", status_code=status.HTTP_201_CREATED)
def add_campaign(response: Response, session: Session, actor: Arrange, body: CampaignNew) -> CampaignOut:
    """A new campaign."""
    campaign = campaigns.add(session, actor, **body.model_dump())
    response.headers["Location"] = f"/api/campaigns/{campaign.id}"
    return _answer(response, campaign)


@api.get("/{campaign_id}", summary="Get a campaign")
def get_campaign(response: Response, session: Session, actor: Read, campaign_id: Id) -> CampaignOut:
    """A campaign."""
    return _answer(response, campaigns.get(session, actor, campaign_id))


@api.get("/{campaign_id}/progress", summary="Progress of a campaign")
def get_progress(session: Session, actor: Read, campaign_id: Id) -> list[ProgressOut]:
    """How far it has come in each grid one may see."""
    campaign = campaigns.get(session, actor, campaign_id)
    return [ProgressOut.model_validate(part) for part in campaigns.progress(session, actor, campaign)]


@api.get("/{campaign_id}/left", summary="Who is left")
def list_left(session: Session, actor: Read, campaign_id: Id, asked: Annotated[LeftIn, Query()]) -> list[DoorOut]:
    """The households that were not met, by building, entrance and door, masked."""
    campaign = campaigns.get(session, actor, campaign_id)
    rows = campaigns.left(session, actor, campaign, asked.grid)
    return [DoorOut.model_validate(households.masked(dict(row._mapping))) for row in rows]


@api.patch("/{campaign_id}", summary="Change a campaign")
def change_campaign(
    response: Response,
    session: Session,
    actor: Arrange,
    campaign_id: Id,
    body: CampaignChange,
    if_match: concurrency.IfMatch = None,
) -> CampaignOut:
    """Change what the body names."""
    campaign = campaigns.get(session, actor, campaign_id)
    concurrency.check(session, campaign, if_match)
    return _answer(response, campaigns.change(session, actor, campaign, **body.model_dump(exclude_unset=True)))


@api.delete("/{campaign_id}", summary="Remove a campaign", status_code=status.HTTP_204_NO_CONTENT)
def remove_campaign(session: Session, actor: Arrange, campaign_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a campaign; the visits of its days stay."""
    campaign = campaigns.get(session, actor, campaign_id)
    concurrency.check(session, campaign, if_match)
    campaigns.remove(session, actor, campaign)


def _answer(response: Response, campaign: campaigns.Campaign) -> CampaignOut:
    concurrency.tag(response, campaign)
    return CampaignOut.model_validate(campaign)
