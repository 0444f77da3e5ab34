"""The six roles over HTTP: what was done in each grid under each of them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Output
from api.base.listing import CommunityCode, From, To
from data import duties, units
from data.base import settings
from data.base.access import Actor

api = APIRouter(prefix="/api/duties", tags=["teams"])
Read = Annotated[Actor, permission("grid.read", "incident.read")]


class DoneOut(Output):
    """What was done in a grid; each number is of records, and of no one person."""

    grid_id: int = Field(examples=[7])
    grid: str = Field(examples=["第四网格"])
    cards: int = Field(description="Service cards that were handed out.", examples=[176])
    lectures: int = Field(examples=[1])
    visits: int = Field(examples=[180])
    calls: int = Field(examples=[42])
    said: int = Field(examples=[35])
    disputes: int = Field(examples=[2])
    disputes_closed: int = Field(examples=[2])
    cases: int = Field(examples=[31])
    cases_closed: int = Field(examples=[28])
    activities: int = Field(examples=[2])
    came: int = Field(examples=[60])
    urgent: int = Field(examples=[1])


class DutyFilters(listing.Parameters):
    """Of which community and days."""

    community: CommunityCode = None
    first: From = None
    last: To = None


@api.get("", summary="What was done under the six roles")
def list_done(session: Session, actor: Read, asked: Annotated[DutyFilters, Query()]) -> list[DoneOut]:
    """Each grid one may see, by code; without days the last ninety."""
    first, last = period(asked.first, asked.last)
    below = [
        grid
        for grid in units.listed(session, actor, level=units.Level.GRID)
        if actor.area("grid.read").covers(grid.community_id, grid.id)
    ]
    sums = duties.done(session, actor, below, community=asked.community, first=first, last=last)
    return [DoneOut(grid_id=grid.id, grid=grid.name, **vars(sums[grid.id])) for grid in below]


def period(first: date | None, last: date | None) -> tuple[date, date]:
    """The days that are asked for; the last ninety where nobody says."""
    until = last or settings.today()
    return first or until - timedelta(days=89), until
