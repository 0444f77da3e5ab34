"""Activities over HTTP: what service teams held for residents, where, and how many came."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Id, Input, Instant, Lat, Line, Lon, Output, Reference, Text
from api.base.listing import CommunityCode, From, GridCode, Listed, To
from data import activities, units
from data.activities import Activity, Kind
from data.base.access import Actor

api = APIRouter(prefix="/api/activities", tags=["teams"])
Read = Annotated[Actor, permission("unit.read")]
Edit = Annotated[Actor, permission("unit.read", "team.edit")]


class ActivityOut(Output):
    """What a service team held."""

    id: int = Field(examples=[4])
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(examples=[7])
    team_id: int | None = Field(examples=[2])
    team_name: str | None = Field(examples=["医疗保健服务队"])
    kind: Kind = Field(examples=["lecture"])
    title: str = Field(examples=["老年人健康知识讲座"])
    begins_at: datetime = Field(examples=["2026-03-21T01:30:00Z"])
    place: str | None = Field(examples=["社区活动室"])
    audience: str | None = Field(examples=["60 岁以上老人"])
    attendance: int | None = Field(description="How many came.", examples=[46])
    note: str | None = Field(examples=["下次讲用药安全"])
    lon: float | None = Field(examples=[121.4737])
    lat: float | None = Field(examples=[31.2304])


class ActivityNew(Input):
    """What is held, or was."""

    community_id: Reference = Field(examples=[3])
    team_id: Reference | None = Field(None, examples=[2])
    kind: Kind = Field(examples=["lecture"])
    title: Line = Field(examples=["老年人健康知识讲座"])
    begins_at: Instant = Field(examples=["2026-03-21T01:30:00Z"])
    place: Line | None = Field(None, examples=["社区活动室"])
    audience: Line | None = Field(None, examples=["60 岁以上老人"])
    attendance: Annotated[int, Field(ge=0, le=100_000)] | None = Field(None, examples=[46])
    note: Text | None = Field(None, examples=["下次讲用药安全"])
    lon: Lon | None = Field(None, examples=[121.4737])
    lat: Lat | None = Field(None, examples=[31.2304])


class ActivityFilters(listing.Filters[activities.Filter]):
    """Which activities a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    team: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of this service team.")] = None
    kind: Annotated[Kind | None, Query(description="Only of this kind.")] = None
    first: From = None
    last: To = None

    def wanted(self) -> activities.Filter:
        """The same for ``data``."""
        return activities.Filter(
            community=self.community,
            grid=self.grid,
            team_id=self.team,
            kinds=(self.kind,) if self.kind else None,
            first=self.first,
            last=self.last,
        )


class ActivityList(ActivityFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = activities.SORTS
    sort: str = listing.sorted_by(SORTS, "-begins")


@api.get("", summary="List activities", response_model=Listed[ActivityOut], responses=listing.AS_GEOJSON)
def list_activities(
    request: Request, session: Session, actor: Read, asked: Annotated[ActivityList, Query()]
) -> Listed[ActivityOut] | Response:
    """The activities one may see, the latest first."""
    return listing.answer(
        request,
        session,
        activities.selection(actor, asked.wanted()),
        asked,
        key=Activity.id,
        item=ActivityOut.model_validate,
        geom=Activity.geom,
    )


@api.post("", summary="Add an activity", status_code=status.HTTP_201_CREATED)
def add_activity(response: Response, session: Session, actor: Edit, body: ActivityNew) -> ActivityOut:
    """A new activity; how many came is a number, and nobody signs in."""
    values: dict[str, Any] = body.model_dump(exclude={"community_id", "lon", "lat"})
    point = (body.lon, body.lat) if body.lon is not None and body.lat is not None else None
    community = units.community(session, actor, body.community_id)
    activity = activities.add(session, actor, community, point=point, **values)
    response.headers["Location"] = f"/api/activities/{activity.id}"
    return _answer(session, activity)


@api.get("/{activity_id}", summary="Get an activity")
def get_activity(session: Session, actor: Read, activity_id: Id) -> ActivityOut:
    """An activity."""
    return _answer(session, activities.get(session, actor, activity_id))


@api.delete("/{activity_id}", summary="Remove an activity", status_code=status.HTTP_204_NO_CONTENT)
def remove_activity(session: Session, actor: Edit, activity_id: Id) -> None:
    """Remove an activity with its photos."""
    activities.remove(session, actor, activities.get(session, actor, activity_id))


def _answer(session: Session, activity: Activity) -> ActivityOut:
    session.flush()
    return ActivityOut.model_validate(activities.row(session, activity))
