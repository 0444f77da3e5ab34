"""Coverage over HTTP: what patrols saw of buildings, streets and assets, and what nobody passed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from starlette.responses import JSONResponse

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Input, Output, Reference
from api.base.listing import AS_GEOJSON, GEOJSON, CommunityCode, From, GridCode, InCommunity, To
from data import coverage, grids, units
from data.base import settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.coverage import Kind, Level, Status
from data.rounds import Rhythm

api = APIRouter(prefix="/api/coverage", tags=["coverage"])
Read = Annotated[Actor, permission("coverage.read")]
Edit = Annotated[Actor, permission("patrol.edit")]
#: The period when none is asked for: this day and the six before.
USUAL_DAYS = 7


class ItemOut(Output):
    """A building, a piece of street or an asset, and whether it was seen."""

    kind: Kind = Field(examples=["building"])
    id: int = Field(examples=[18])
    name: str | None = Field(examples=["18号楼"])
    detail: str | None = Field(description="What kind of building, street or asset.", examples=["residential"])
    grid_id: int | None = Field(examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    length_m: float | None = Field(description="Of a street.", examples=[None])
    status: Status = Field(description="`too_poor`: it may have been seen, the GPS is too poor to say.")
    seen_share: float = Field(description="0-1; of a street by length.", examples=[1.0])
    last_seen_at: datetime | None = Field(description="Up to a year back.", examples=["2026-03-17T01:41:00Z"])
    by: str | None = Field(description="Who saw it last, if one may know.", examples=["陈建国"])
    patrol_id: int | None = Field(examples=[51])
    rhythm: Rhythm = Field(description="How often it is to be seen.", examples=["weekly"])
    kept: int = Field(description="Days or weeks that ended in the period in which it was.", examples=[1])
    due: int = Field(description="How many of them there were.", examples=[1])


class Items(Output):
    """The items of a community or grid."""

    items: list[ItemOut]


class ShareOut(Output):
    """How much of one kind was seen in one unit."""

    unit_id: int = Field(examples=[7])
    code: str = Field(examples=["990106003012004"])
    name: str = Field(examples=["第四网格"])
    kind: Kind = Field(examples=["street"])
    total: int = Field(examples=[40])
    seen: int = Field(examples=[31])
    too_poor: int = Field(examples=[4])
    not_seen: int = Field(examples=[5])
    share: float = Field(description="0-1; of streets by length.", examples=[0.8])
    length_m: float | None = Field(examples=[1620.0])
    seen_m: float | None = Field(examples=[1296.0])
    kept: int = Field(description="Items whose rhythm was kept.", examples=[30])
    due: int = Field(description="Items for which a day or week ended in the period.", examples=[40])


class RuleOut(Output):
    """How often items of a kind are to be seen."""

    community_id: int = Field(examples=[3])
    community_code: str = Field(examples=["990106003012"])
    grid_id: int | None = Field(description="Empty: in the whole community.", examples=[None])
    grid_code: str | None = Field(examples=[None])
    kind: Kind = Field(examples=["building"])
    rhythm: Rhythm = Field(examples=["daily"])


class RuleNew(Input):
    """A rule to be set; null takes it away."""

    community_id: Reference = Field(examples=[3])
    grid_id: Reference | None = Field(None, examples=[7])
    kind: Kind = Field(examples=["building"])
    rhythm: Rhythm | None = Field(examples=["daily"])


class CoverageFilters(listing.Filters[coverage.Filter]):
    """Which items and days a request asks for; the last seven days if it does not say."""

    community: CommunityCode = None
    grid: GridCode = None
    first: From = None
    last: To = None
    kind: Annotated[
        str | None, Query(description="Kinds, with commas between.", examples=["building,street"], max_length=100)
    ] = None
    state: Annotated[
        str | None, Query(description="States, with commas between.", examples=["not_seen"], max_length=100)
    ] = None
    distance_m: Annotated[
        float, Query(ge=5, le=100, description="Within how many metres something counts as seen.")
    ] = coverage.DISTANCE_M

    def wanted(self) -> coverage.Filter:
        """The same for ``data``."""
        until = self.last or settings.today()
        return coverage.Filter(
            community=self.community,
            grid=self.grid,
            first=self.first or until - timedelta(days=USUAL_DAYS - 1),
            last=until,
            kinds=listing.choices(self.kind, list(Kind), "kind"),
            states=listing.choices(self.state, list(Status), "state"),
            distance_m=self.distance_m,
        )


class ItemList(listing.Drawn, CoverageFilters):
    """The same, and the form of the answer."""


class ShareList(CoverageFilters):
    """The same, and what has a row each."""

    by: Annotated[Level, Query(description="A row for each of these.")] = Level.GRID


@api.get("", summary="What was seen", response_model=Items, responses=AS_GEOJSON)
def list_items(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[ItemList, Query()],
) -> Items | Response:
    """All items of a community or grid in a period, what nobody passed first."""
    rows = coverage.of(session, actor, asked.wanted())
    items = [ItemOut.model_validate(row) for row in rows]
    if asked.as_geojson(request):
        return _collection(rows, items)
    return Items(items=items)


def _collection(rows: Any, items: list[ItemOut]) -> Response:
    features = [
        {
            "type": "Feature",
            "id": one.id,
            "geometry": json.loads(row.geojson) if row.geojson else None,
            "properties": one.model_dump(mode="json"),
        }
        for row, one in zip(rows, items, strict=True)
    ]
    return JSONResponse(
        {"type": "FeatureCollection", "features": features, "links": []},
        media_type=GEOJSON,
        headers={"Vary": "Accept"},
    )


@api.get("/shares", summary="How much was seen")
def list_shares(
    session: Session,
    actor: Read,
    asked: Annotated[ShareList, Query()],
) -> list[ShareOut]:
    """Shares by grid, community or street, for each kind."""
    return [ShareOut.model_validate(row) for row in coverage.shares(session, actor, asked.wanted(), by=asked.by)]


@api.get("/rules", summary="Rhythms")
def list_rules(session: Session, actor: Read, asked: Annotated[InCommunity, Query()]) -> list[RuleOut]:
    """How often items are to be seen, where something else than once a week was said."""
    return [RuleOut.model_validate(row) for row in coverage.rules(session, actor, community=asked.community)]


@api.put("/rules", summary="Set a rhythm", status_code=status.HTTP_204_NO_CONTENT)
def set_rule(session: Session, actor: Edit, body: RuleNew) -> None:
    """Say how often items of a kind are to be seen in a community, or in one of its grids."""
    units.community(session, actor, body.community_id)
    if body.grid_id is not None and grids.get(session, actor, body.grid_id).community_id != body.community_id:
        raise Invalid(_("The grid lies in another community."), field="body.grid_id")
    coverage.set_rule(session, actor, **body.model_dump())
