"""Buildings and dwellings over HTTP."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.audit.routes import Entry, entries
from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Change, Code, Count, Geometry, Id, Line, Output, Reference, shape
from api.base.listing import BBox, CommunityCode, GridCode, Listed, Term
from data import buildings, history, units
from data.base.access import Actor
from data.buildings import Building, BuildingKind, Dwelling, Use

api = APIRouter(prefix="/api", tags=["buildings"])
Read = Annotated[Actor, permission("building.read")]
Edit = Annotated[Actor, permission("building.edit")]


class BuildingOut(Output):
    """A building."""

    id: int = Field(examples=[18])
    community_id: int = Field(examples=[3])
    code: str = Field(description="The natural key within the community.", examples=["18"])
    number: str | None = Field(examples=["18号楼"])
    name: str | None = Field(examples=[None])
    address: str | None = Field(examples=["梧桐路168弄18号"])
    kind: BuildingKind = Field(examples=["residential"])
    floors: int | None = Field(examples=[6])
    unit_count: int | None = Field(examples=[2])
    grid_id: int | None = Field(examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    lon: float | None = Field(description="Of a point inside the footprint.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    located_by: str | None = Field(examples=["point"])
    located_score: float | None = Field(examples=[1.0])
    unlocated_reason: str | None = Field(examples=[None])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class BuildingDetail(BuildingOut):
    """A building with its footprint."""

    geometry: dict[str, Any] | None = Field(
        description="GeoJSON, longitude and latitude.", examples=[{"type": "Point", "coordinates": [121.4321, 31.2345]}]
    )


class BuildingChange(Change):
    """What of a building is to change; what is left out stays."""

    needed = frozenset({"code", "kind"})

    code: Code | None = Field(None, examples=["18"])
    number: Line | None = Field(None, examples=["18号楼"])
    name: Line | None = Field(None, examples=["老年活动室"])
    address: Line | None = Field(None, examples=["梧桐路168弄18号"])
    kind: BuildingKind | None = Field(None, examples=["residential"])
    floors: Count | None = Field(None, examples=[6])
    unit_count: Count | None = Field(None, examples=[2])
    geometry: Geometry | None = Field(
        None,
        description="Polygon, MultiPolygon or Point; null takes the place away.",
        examples=[{"type": "Point", "coordinates": [121.4321, 31.2345]}],
    )


class BuildingNew(BuildingChange):
    """A building to be added."""

    community_id: Reference = Field(examples=[3])
    code: Code = Field(examples=["18"])
    kind: BuildingKind = Field(BuildingKind.RESIDENTIAL, examples=["residential"])


class DwellingOut(Output):
    """A dwelling."""

    id: int = Field(examples=[341])
    community_id: int = Field(examples=[3])
    building_id: int = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    unit: str | None = Field(examples=["2"])
    floor: int | None = Field(examples=[5])
    room: str = Field(examples=["501"])
    use: Use = Field(examples=["owner"])
    area_m2: Decimal | None = Field(examples=["72.50"])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    lon: float | None = Field(description="Of the building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class DwellingChange(Change):
    """What of a dwelling is to change; what is left out stays."""

    needed = frozenset({"room", "use"})

    unit: Code | None = Field(None, examples=["2"])
    floor: Annotated[int, Field(ge=-20, le=300)] | None = Field(None, examples=[5])
    room: Code | None = Field(None, examples=["501"])
    use: Use | None = Field(None, examples=["rented"])
    area_m2: Annotated[Decimal, Field(ge=0, le=100_000, decimal_places=2)] | None = Field(None, examples=["72.50"])


class DwellingNew(DwellingChange):
    """A dwelling to be added."""

    room: Code = Field(examples=["501"])
    use: Use = Field(Use.OWNER, examples=["rented"])


class BuildingFilters(listing.Filters[buildings.Filter]):
    """Which buildings a request asks for: the same parameters for lists, pages and exports."""

    community: CommunityCode = None
    grid: GridCode = None
    kind: Annotated[BuildingKind | None, Query(description="Only of this kind.")] = None
    located: Annotated[bool | None, Query(description="Only with (or without) a place.")] = None
    bbox: BBox = None
    q: Term = None

    def wanted(self) -> buildings.Filter:
        """The same for ``data``."""
        return buildings.Filter(
            community=self.community,
            grid=self.grid,
            kinds=(self.kind,) if self.kind else None,
            located=self.located,
            box=listing.box(self.bbox),
            text=self.q,
        )


class BuildingList(BuildingFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = buildings.SORTS
    sort: str = listing.sorted_by(SORTS, "number")


class DwellingFilters(listing.Filters[buildings.DwellingFilter]):
    """Which dwellings a request asks for: the same parameters for lists, pages and exports."""

    community: CommunityCode = None
    grid: GridCode = None
    building: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only in the building with this id.")] = None
    use: Annotated[Use | None, Query(description="Only of this use.")] = None
    q: Term = None

    def wanted(self) -> buildings.DwellingFilter:
        """The same for ``data``."""
        return buildings.DwellingFilter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            uses=(self.use,) if self.use else None,
            text=self.q,
        )


class DwellingList(DwellingFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = buildings.DWELLING_SORTS
    sort: str = listing.sorted_by(SORTS, "building")


@api.get("/buildings", summary="List buildings", response_model=Listed[BuildingOut], responses=listing.AS_GEOJSON)
def list_buildings(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[BuildingList, Query()],
) -> Listed[BuildingOut] | Response:
    """The buildings one may see."""
    return listing.answer(
        request,
        session,
        buildings.selection(actor, asked.wanted()),
        asked,
        key=Building.id,
        item=BuildingOut.model_validate,
        geom=Building.geom,
    )


@api.post("/buildings", summary="Add a building", status_code=status.HTTP_201_CREATED)
def add_building(response: Response, session: Session, actor: Edit, body: BuildingNew) -> BuildingDetail:
    """A new building. With a geometry it is put into the grid that covers it; without, it waits for a place."""
    values = body.model_dump(exclude={"community_id", "geometry", "code"})
    geom = shape(body.geometry) if body.geometry else None
    community = units.community(session, actor, body.community_id)
    building = buildings.add(session, actor, community=community, code=body.code, geom=geom, **values)
    response.headers["Location"] = f"/api/buildings/{building.id}"
    return _detail(response, session, building)


@api.get("/buildings/{building_id}", summary="Get a building")
def get_building(response: Response, session: Session, actor: Read, building_id: Id) -> BuildingDetail:
    """A building with its footprint."""
    return _detail(response, session, buildings.get(session, actor, building_id))


@api.patch("/buildings/{building_id}", summary="Change a building")
def change_building(
    response: Response,
    session: Session,
    actor: Edit,
    building_id: Id,
    body: BuildingChange,
    if_match: concurrency.IfMatch = None,
) -> BuildingDetail:
    """Change what the body names. A new geometry also finds the grid anew."""
    building = buildings.get(session, actor, building_id)
    concurrency.check(session, building, if_match)
    values = body.model_dump(exclude_unset=True)
    if "geometry" in values:
        del values["geometry"]
        values["geom"] = shape(body.geometry) if body.geometry else None
    return _detail(response, session, buildings.change(session, actor, building, **values))


@api.delete("/buildings/{building_id}", summary="Remove a building", status_code=status.HTTP_204_NO_CONTENT)
def remove_building(session: Session, actor: Edit, building_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a building that has no dwellings and no incidents."""
    building = buildings.get(session, actor, building_id)
    concurrency.check(session, building, if_match)
    buildings.remove(session, actor, building)


@api.get("/buildings/{building_id}/history", summary="History of a building")
def building_history(session: Session, actor: Read, building_id: Id) -> list[Entry]:
    """What happened to a building, newest first."""
    buildings.get(session, actor, building_id)
    return entries(history.of_record(session, "building", building_id))


@api.get("/dwellings", summary="List dwellings", response_model=Listed[DwellingOut], responses=listing.AS_GEOJSON)
def list_dwellings(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[DwellingList, Query()],
) -> Listed[DwellingOut] | Response:
    """The dwellings one may see."""
    return listing.answer(
        request,
        session,
        buildings.dwelling_selection(actor, asked.wanted()),
        asked,
        key=Dwelling.id,
        item=DwellingOut.model_validate,
        geom=Building.point,
    )


@api.post("/buildings/{building_id}/dwellings", summary="Add a dwelling", status_code=status.HTTP_201_CREATED)
def add_dwelling(response: Response, session: Session, actor: Edit, building_id: Id, body: DwellingNew) -> DwellingOut:
    """A new dwelling in a building."""
    building = buildings.get(session, actor, building_id)
    dwelling = buildings.add_dwelling(session, actor, building, **body.model_dump())
    response.headers["Location"] = f"/api/dwellings/{dwelling.id}"
    return _dwelling(response, session, dwelling)


@api.get("/dwellings/{dwelling_id}", summary="Get a dwelling")
def get_dwelling(response: Response, session: Session, actor: Read, dwelling_id: Id) -> DwellingOut:
    """A dwelling."""
    return _dwelling(response, session, buildings.get_dwelling(session, actor, dwelling_id))


@api.patch("/dwellings/{dwelling_id}", summary="Change a dwelling")
def change_dwelling(
    response: Response,
    session: Session,
    actor: Edit,
    dwelling_id: Id,
    body: DwellingChange,
    if_match: concurrency.IfMatch = None,
) -> DwellingOut:
    """Change what the body names."""
    dwelling = buildings.get_dwelling(session, actor, dwelling_id)
    concurrency.check(session, dwelling, if_match)
    buildings.change_dwelling(session, actor, dwelling, **body.model_dump(exclude_unset=True))
    return _dwelling(response, session, dwelling)


@api.delete("/dwellings/{dwelling_id}", summary="Remove a dwelling", status_code=status.HTTP_204_NO_CONTENT)
def remove_dwelling(session: Session, actor: Edit, dwelling_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a dwelling that no household lives in."""
    dwelling = buildings.get_dwelling(session, actor, dwelling_id)
    concurrency.check(session, dwelling, if_match)
    buildings.remove_dwelling(session, actor, dwelling)


@api.get("/dwellings/{dwelling_id}/history", summary="History of a dwelling")
def dwelling_history(session: Session, actor: Read, dwelling_id: Id) -> list[Entry]:
    """What happened to a dwelling, newest first."""
    buildings.get_dwelling(session, actor, dwelling_id)
    return entries(history.of_record(session, "dwelling", dwelling_id))


def _detail(response: Response, session: Session, building: Building) -> BuildingDetail:
    row = buildings.row(session, building)
    found = buildings.shape(building)
    concurrency.tag(response, building)
    return BuildingDetail.model_validate({**row._mapping, "geometry": found.__geo_interface__ if found else None})


def _dwelling(response: Response, session: Session, dwelling: Dwelling) -> DwellingOut:
    row = buildings.dwelling_row(session, dwelling)
    concurrency.tag(response, dwelling)
    return DwellingOut.model_validate(row)
