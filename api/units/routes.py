"""Units over HTTP: districts, streets, communities and grids as records of the tree."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.audit.routes import Entry, entries
from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import Change, Code, Count, Id, Line, Output, Reference
from api.base.listing import Listed, Term
from data import grids, history, summary, units
from data.base.access import PEOPLE, Actor
from data.units import Level, Unit

api = APIRouter(prefix="/api", tags=["units"])
Read = Annotated[Actor, permission("unit.read")]
Edit = Annotated[Actor, permission("unit.edit")]

_Crs = Annotated[str, Field(pattern=r"^EPSG:\d{4,6}$", description="Counts in metres.", examples=["EPSG:4549"])]


class UnitOut(Output):
    """A district, street, community or grid."""

    id: int = Field(examples=[3])
    level: Level = Field(examples=["community"])
    code: str = Field(examples=["990106003012"])
    name: str = Field(examples=["梧桐里社区"])
    phone: str | None = Field(description="Of the office, for residents.", examples=["021-55550100"])
    parent_id: int | None = Field(examples=[2])
    parent_code: str | None = Field(examples=["990106003"])
    parent_name: str | None = Field(examples=["临江街道"])
    community_id: int | None = Field(examples=[3])
    metric_crs: str = Field(examples=["EPSG:4549"])
    household_min: int = Field(examples=[150])
    household_max: int = Field(examples=[200])
    people_min: int = Field(examples=[500])
    people_max: int = Field(examples=[700])
    open_map: bool = Field(
        description="Whether a community shows everybody how many cases are open and settled where.", examples=[False]
    )
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class UnitTold(UnitOut):
    """A unit that was recorded, and what is strange about its code."""

    odd: str | None = Field(description="A sentence; nothing was refused for it.", examples=[None])


class UnitChange(Change):
    """What of a unit is to change; what is left out stays."""

    needed = frozenset(
        {"code", "name", "metric_crs", "household_min", "household_max", "people_min", "people_max", "open_map"}
    )

    code: Code | None = Field(None, examples=["990106003012"])
    name: Line | None = Field(None, examples=["梧桐里社区"])
    phone: Line | None = Field(None, examples=["021-55550100"])
    metric_crs: _Crs | None = Field(None, examples=["EPSG:4549"])
    household_min: Count | None = Field(None, examples=[150])
    household_max: Count | None = Field(None, examples=[200])
    people_min: Count | None = Field(None, examples=[500])
    people_max: Count | None = Field(None, examples=[700])
    open_map: bool | None = Field(None, description="Of a community.", examples=[False])


class UnitNew(UnitChange):
    """A unit to be added."""

    level: Level = Field(examples=["grid"])
    parent_id: Reference | None = Field(None, description="Empty for a district.", examples=[3])
    code: Code = Field(examples=["990106003012009"])
    name: Line = Field(examples=["第九网格"])


class GridFigures(Output):
    """A grid in figures. What one may not see is empty."""

    code: str = Field(examples=["990106003012004"])
    name: str = Field(examples=["第四网格"])
    buildings: int | None = Field(examples=[5])
    households: int | None = Field(examples=[195])
    residents: int | None = Field(examples=[709])
    special_households: int | None = Field(examples=[31])
    tenancies: int | None = Field(examples=[22])


class Summary(Output):
    """A community in figures. What one may not see is empty."""

    community: str = Field(examples=["梧桐里社区"])
    area_m2: float = Field(examples=[156000.0])
    buildings: int | None = Field(examples=[41])
    grids: int = Field(examples=[8])
    households: int | None = Field(examples=[1556])
    residents: int | None = Field(examples=[5674])
    incidents: int | None = Field(examples=[240])
    by_grid: list[GridFigures]


class UnitFilters(listing.Filters[units.Filter]):
    """Which units a request asks for: the same parameters for lists, pages and exports."""

    level: Annotated[Level | None, Query(description="Only of this level.")] = None
    under: Annotated[Code | None, Query(description="Only below the unit with this code.")] = None
    q: Term = None

    def wanted(self) -> units.Filter:
        """The same for ``data``."""
        return units.Filter(level=self.level, under=self.under, text=self.q)


class UnitList(UnitFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = units.SORTS
    sort: str = listing.sorted_by(SORTS, "code")


@api.get("/units", summary="List units", response_model=Listed[UnitOut], responses=listing.AS_GEOJSON)
def list_units(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[UnitList, Query()],
) -> Listed[UnitOut] | Response:
    """The units one may see, also those above one's own. As GeoJSON with the outline of each."""
    return listing.answer(
        request,
        session,
        units.selection(actor, asked.wanted()),
        asked,
        key=Unit.id,
        item=UnitOut.model_validate,
        geom=grids.outline(Unit.id),
    )


@api.post("/units", summary="Add a unit", status_code=status.HTTP_201_CREATED)
def add_unit(response: Response, session: Session, actor: Edit, body: UnitNew) -> UnitTold:
    """A new unit below its parent."""
    values = body.model_dump(exclude_unset=True, exclude={"parent_id", "level", "code", "name"})
    parent = units.get(session, actor, body.parent_id) if body.parent_id else None
    unit = units.add(session, actor, level=body.level, code=body.code, name=body.name, parent=parent, **values)
    response.headers["Location"] = f"/api/units/{unit.id}"
    return _told(response, session, unit)


@api.get("/units/{unit_id}", summary="Get a unit")
def get_unit(response: Response, session: Session, actor: Read, unit_id: Id) -> UnitOut:
    """A unit."""
    return _answer(response, session, units.get(session, actor, unit_id))


@api.patch("/units/{unit_id}", summary="Change a unit")
def change_unit(
    response: Response,
    session: Session,
    actor: Edit,
    unit_id: Id,
    body: UnitChange,
    if_match: concurrency.IfMatch = None,
) -> UnitTold:
    """Change what the body names. A unit keeps its level and its place in the tree."""
    unit = units.get(session, actor, unit_id)
    concurrency.check(session, unit, if_match)
    return _told(response, session, units.change(session, actor, unit, **body.model_dump(exclude_unset=True)))


@api.delete("/units/{unit_id}", summary="Remove a unit", status_code=status.HTTP_204_NO_CONTENT)
def remove_unit(session: Session, actor: Edit, unit_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a unit that nothing lies in any more."""
    unit = units.get(session, actor, unit_id)
    concurrency.check(session, unit, if_match)
    remove = grids.remove if unit.level == Level.GRID else units.remove
    remove(session, actor, unit)


@api.get("/units/{unit_id}/history", summary="History of a unit")
def unit_history(session: Session, actor: Read, unit_id: Id) -> list[Entry]:
    """What happened to a unit, newest first."""
    units.get(session, actor, unit_id)
    return entries(history.of_record(session, "unit", unit_id))


@api.get("/communities/{community_id}/summary", summary="A community in figures")
def community_summary(session: Session, actor: Read, community_id: Id) -> Summary:
    """Area, buildings, households, people and incidents of a community, grid by grid, as far as one may see them."""
    community = units.community(session, actor, community_id)
    figures = summary.summarise(session, actor, community.id)
    hidden: dict[str, Any] = {}
    for may, names in (
        (actor.may("building.read"), ("buildings",)),
        (actor.counter.may(PEOPLE), summary.COUNTED),
        (actor.may(PEOPLE), ("special_households", "tenancies")),
        (actor.may("incident.read"), ("incidents",)),
    ):
        if not may:
            hidden.update(dict.fromkeys(names))
    by_grid = [grid | {name: None for name in hidden if name in grid} for grid in figures["by_grid"]]
    return Summary.model_validate(figures | hidden | {"by_grid": by_grid})


def _answer(response: Response, session: Session, unit: Unit) -> UnitOut:
    row = units.row(session, unit)
    concurrency.tag(response, unit)
    return UnitOut.model_validate(row)


def _told(response: Response, session: Session, unit: Unit) -> UnitTold:
    return UnitTold(**_answer(response, session, unit).model_dump(), odd=units.odd_code(session, unit))
