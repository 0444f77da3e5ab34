"""Assets over HTTP: street lamps and other numbered things."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field, model_validator
from sqlalchemy import Row

from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import Change, Code, Id, Lat, Line, Lon, Output, Reference, refuse
from api.base.listing import AS_GEOJSON, BBox, CommunityCode, GridCode, Listed, Term
from data import assets, units
from data.assets import Asset
from data.base.access import Actor
from data.base.language import _

api = APIRouter(prefix="/api/assets", tags=["assets"])
Read = Annotated[Actor, permission("building.read")]
Edit = Annotated[Actor, permission("building.edit")]


class AssetOut(Output):
    """A numbered thing."""

    id: int = Field(examples=[9])
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    kind: str = Field(examples=["street_lamp"])
    number: str = Field(examples=["LD-017"])
    name: str | None = Field(examples=[None])
    lon: float = Field(examples=[121.4321])
    lat: float = Field(examples=[31.2345])
    updated_at: datetime = Field(examples=["2026-03-17T02:15:01Z"])


class AssetChange(Change):
    """What of an asset is to change."""

    needed = frozenset({"kind", "number"})

    kind: Code | None = Field(None, examples=["street_lamp"])
    number: Code | None = Field(None, examples=["LD-017"])
    name: Line | None = Field(None, examples=[None])
    lon: Lon | None = Field(None, examples=[121.4321])
    lat: Lat | None = Field(None, examples=[31.2345])

    @model_validator(mode="after")
    def _a_point_has_two_coordinates(self) -> Self:
        if (self.lon is None) != (self.lat is None):
            raise refuse(_("A place needs both lon and lat."))
        return self


class AssetNew(AssetChange):
    """An asset to be added."""

    community_id: Reference = Field(examples=[3])
    kind: Code = Field(examples=["street_lamp"])
    number: Code = Field(examples=["LD-017"])
    lon: Lon = Field(examples=[121.4321])
    lat: Lat = Field(examples=[31.2345])


class AssetFilters(listing.Filters[assets.Filter]):
    """Which assets a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    kind: Annotated[Code | None, Query(description="Only of this kind.")] = None
    bbox: BBox = None
    q: Term = None

    def wanted(self) -> assets.Filter:
        """The same for ``data``."""
        return assets.Filter(
            community=self.community, grid=self.grid, kind=self.kind, box=listing.box(self.bbox), text=self.q
        )


class AssetList(AssetFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = assets.SORTS
    sort: str = listing.sorted_by(SORTS, "number")


@api.get("", summary="List assets", response_model=Listed[AssetOut], responses=AS_GEOJSON)
def list_assets(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[AssetList, Query()],
) -> Listed[AssetOut] | Response:
    """The assets one may see."""
    return listing.answer(
        request,
        session,
        assets.selection(actor, asked.wanted()),
        asked,
        key=Asset.id,
        item=_asset,
        geom=Asset.geom,
    )


@api.post("", summary="Add an asset", status_code=status.HTTP_201_CREATED)
def add_asset(response: Response, session: Session, actor: Edit, body: AssetNew) -> AssetOut:
    """A new asset at a point; it lies in the grid that covers it."""
    units.community(session, actor, body.community_id)
    found = assets.add(session, actor, **body.model_dump())
    response.headers["Location"] = f"/api/assets/{found.id}"
    return _one(response, session, found)


@api.get("/{asset_id}", summary="Get an asset")
def get_asset(response: Response, session: Session, actor: Read, asset_id: Id) -> AssetOut:
    """An asset."""
    return _one(response, session, assets.get(session, actor, asset_id))


@api.patch("/{asset_id}", summary="Change an asset")
def change_asset(
    response: Response,
    session: Session,
    actor: Edit,
    asset_id: Id,
    body: AssetChange,
    if_match: concurrency.IfMatch = None,
) -> AssetOut:
    """Change what the body names; a point moves it."""
    found = assets.get(session, actor, asset_id)
    concurrency.check(session, found, if_match)
    return _one(response, session, assets.change(session, actor, found, **body.model_dump(exclude_unset=True)))


@api.delete("/{asset_id}", summary="Remove an asset", status_code=status.HTTP_204_NO_CONTENT)
def remove_asset(session: Session, actor: Edit, asset_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove an asset."""
    found = assets.get(session, actor, asset_id)
    concurrency.check(session, found, if_match)
    assets.remove(session, actor, found)


def _asset(row: Row[Any]) -> AssetOut:
    return AssetOut.model_validate(row)


def _one(response: Response, session: Session, found: Asset) -> AssetOut:
    concurrency.tag(response, found)
    return _asset(assets.row(session, found))
