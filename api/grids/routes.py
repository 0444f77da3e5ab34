"""Grids over HTTP: their boundaries on a day, their teams, and how a community is divided."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Day, Geometry, Id, Input, Output, Reference, shape
from api.base.listing import BBox, CommunityCode, Listed, Term
from data import buildings, grids, incidents, panels, plans, teams, units
from data.base import secrets, settings
from data.base.access import PEOPLE, Actor
from data.base.errors import Invalid
from data.base.language import _
from data.base.listing import count
from data.buildings import Building, BuildingKind
from data.teams import Post

api = APIRouter(prefix="/api", tags=["grids"])
Read = Annotated[Actor, permission("grid.read")]
Edit = Annotated[Actor, permission("grid.edit")]


class GridOut(Output):
    """A grid."""

    id: int = Field(examples=[7])
    community_id: int = Field(examples=[3])
    community_code: str = Field(examples=["990106003012"])
    community_name: str = Field(examples=["梧桐里社区"])
    code: str = Field(examples=["990106003012004"])
    name: str = Field(examples=["第四网格"])
    phone: str | None = Field(examples=["021-55550104"])
    household_min: int = Field(examples=[150])
    household_max: int = Field(examples=[200])
    people_min: int = Field(examples=[500])
    people_max: int = Field(examples=[700])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class Member(Output):
    """Somebody who holds a post in a grid."""

    post: Post = Field(examples=["leader"])
    name: str = Field(examples=["陈敏"])
    phone: str | None = Field(description="Masked.", examples=["138****6021"])
    background: str | None = Field(examples=["社区工作人员"])


class Figures(Output):
    """A grid in figures. What one may not see is empty."""

    area_m2: float | None = Field(description="On the ellipsoid.", examples=[19500.0])
    buildings: int | None = Field(examples=[5])
    households: int | None = Field(examples=[195])
    residents: int | None = Field(examples=[709])
    special_households: int | None = Field(examples=[31])
    open_incidents: int | None = Field(examples=[12])
    overdue_incidents: int | None = Field(examples=[2])


class GridDetail(GridOut):
    """A grid with its boundary today, its team and its figures."""

    geometry: dict[str, Any] | None = Field(
        description="GeoJSON, longitude and latitude.",
        examples=[
            {"type": "MultiPolygon", "coordinates": [[[[121.4, 31.2], [121.5, 31.2], [121.5, 31.3], [121.4, 31.2]]]]}
        ],
    )
    team: list[Member]
    figures: Figures


class DivisionOut(Output):
    """One dated partition of a community into grids."""

    id: int = Field(examples=[1])
    valid_from: date | None = Field(examples=["2026-01-01"])
    valid_to: date | None = Field(description="Not included any more; empty while it holds.", examples=[None])
    grid_ids: list[int] = Field(examples=[[4, 5, 6, 7]])


class DivisionMade(DivisionOut):
    """A division that was made, with the plan that stands for it, and what is to be known of it."""

    plan_id: int = Field(examples=[3])
    notes: list[str] = Field(description="Such as which buildings the boundaries cut through.", examples=[[]])


class Part(Input):
    """A grid's part of a community."""

    grid_id: Reference = Field(examples=[7])
    geometry: Geometry


class DivisionNew(Input):
    """A new division of a community that takes effect at once, from today or from a day that is over."""

    valid_from: Day | None = Field(None, description="Today when empty; no day to come.", examples=["2026-03-01"])
    grids: list[Part] = Field(min_length=1, max_length=2000)


class GridFilters(listing.Filters[grids.Filter]):
    """Which grids a request asks for: the same parameters for lists, pages and exports."""

    community: CommunityCode = None
    on: Annotated[Day | None, Query(description="As the boundaries were on this day; today when empty.")] = None
    bbox: BBox = None
    q: Term = None

    def wanted(self) -> grids.Filter:
        """The same for ``data``."""
        return grids.Filter(community=self.community, on=self.on, box=listing.box(self.bbox), text=self.q)


class GridList(GridFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = grids.SORTS
    sort: str = listing.sorted_by(SORTS, "code")


@api.get("/grids", summary="List grids", response_model=Listed[GridOut], responses=listing.AS_GEOJSON)
def list_grids(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[GridList, Query()],
) -> Listed[GridOut] | Response:
    """The grids one may see; as GeoJSON with the boundary each has on a day."""
    query = grids.selection(actor, asked.wanted())
    *columns, geom = query.selected_columns
    return listing.answer(
        request,
        session,
        query.with_only_columns(*columns, maintain_column_froms=True),
        asked,
        key=units.Unit.id,
        item=GridOut.model_validate,
        geom=geom,
    )


@api.get("/grids/{grid_id}", summary="Get a grid")
def get_grid(session: Session, actor: Read, grid_id: Id) -> GridDetail:
    """A grid with its boundary today, its team and its figures. It is edited as a unit."""
    grid = grids.get(session, actor, grid_id)
    row = grids.row(session, actor, grid.id)
    drawn = grids.shapes(session, row.community_id).get(grid.id)
    team = [
        Member(
            post=Post(member.post),
            name=member.name,
            phone=secrets.mask_phone(member.phone),
            background=member.background,
        )
        for member in teams.of_grid(session, actor, grid.id)
    ]
    return GridDetail.model_validate(
        {
            **row._mapping,
            "geometry": drawn.__geo_interface__ if drawn else None,
            "team": team,
            "figures": _figures(session, actor, grid),
        }
    )


def _figures(session: Session, actor: Actor, grid: units.Unit) -> Figures:
    outline = panels.outline(session, actor, grid.id)
    place = (grid.community_id, grid.id)
    figures: dict[str, Any] = dict.fromkeys(Figures.model_fields) | {"area_m2": outline.area_m2}
    if actor.area("building.read").covers(*place):
        homes = buildings.Filter(grid=grid.code, kinds=(BuildingKind.RESIDENTIAL,))
        figures["buildings"] = count(session, buildings.selection(actor, homes))
    if actor.counter.area(PEOPLE).covers(*place):
        people = panels.people(session, actor, Building.grid_id == grid.id)
        figures |= vars(people)
        if not actor.area(PEOPLE).covers(*place):
            figures["special_households"] = None
    if actor.area("incident.read").covers(*place):
        wanted = incidents.Filter(grid=grid.code)
        figures["open_incidents"], figures["overdue_incidents"], _rows = panels.open_incidents(
            session, actor, wanted, 1
        )
    return Figures.model_validate(figures)


@api.get("/communities/{community_id}/divisions", summary="List divisions")
def list_divisions(session: Session, actor: Read, community_id: Id) -> list[DivisionOut]:
    """How a community was divided into grids, newest first. `GET /api/grids?on=…` has the boundaries of a day."""
    units.community(session, actor, community_id)
    return [_division(one) for one in grids.divisions(session, actor, community_id)]


@api.post("/communities/{community_id}/divisions", summary="Divide a community", status_code=status.HTTP_201_CREATED)
def divide_community(session: Session, actor: Edit, community_id: Id, body: DivisionNew) -> DivisionMade:
    """Divide a community anew at once, as a plan that is in force: buildings and open incidents move into the grids
    that cover them now, with a note; what is settled and past days stay as they were. For a day to come draw up a plan.
    """
    community = units.community(session, actor, community_id)
    parts = {part.grid_id: shape(part.geometry) for part in body.grids}
    if len(parts) < len(body.grids):
        raise Invalid(_("A grid is named twice."), field="body.grids")
    name = _("Division of {day}", day=(body.valid_from or settings.today()).isoformat())
    plan, cut = plans.enact(session, actor, community, parts, name=name, valid_from=body.valid_from)
    note = plans.cut_note(cut)
    made = next(one for one in grids.divisions(session, actor, community_id) if one.id == plan.division_id)
    return DivisionMade(**_division(made).model_dump(), plan_id=plan.id, notes=[note] if note else [])


def _division(found: grids.Division) -> DivisionOut:
    return DivisionOut(
        id=found.id, valid_from=found.valid.lower, valid_to=found.valid.upper, grid_ids=list(found.grid_ids)
    )
