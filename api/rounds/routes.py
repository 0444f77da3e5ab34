"""Rounds over HTTP: who is to walk where, and how often."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import BeforeValidator, Field, WithJsonSchema
from shapely import to_geojson
from sqlalchemy import Row

from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Change, Geometry, Id, Input, Line, Output, Reference, refuse, shape
from api.base.listing import AS_GEOJSON, CommunityCode, GridCode, Listed
from data import rounds, units
from data.base import settings
from data.base.access import Actor
from data.base.language import _
from data.rounds import Rhythm, Round

api = APIRouter(prefix="/api/rounds", tags=["patrols"])
Read = Annotated[Actor, permission("coverage.read")]
Edit = Annotated[Actor, permission("patrol.edit")]
BuildingIds = Annotated[list[Reference], Field(max_length=2000)]
Weekdays = Annotated[list[Annotated[int, Field(ge=1, le=7)]], Field(max_length=7)]


_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"


def _of_the_clock(value: Any) -> Any:
    """A time of day in the community's zone has no zone of its own."""
    if isinstance(value, str) and not re.fullmatch(_CLOCK, value):
        raise refuse(_("A time of day is written like 08:30."))
    return value


ClockTime = Annotated[time, BeforeValidator(_of_the_clock), WithJsonSchema({"type": "string", "pattern": _CLOCK})]


class RoundOut(Output):
    """A round; its line comes with `f=geojson`."""

    id: int = Field(examples=[4])
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    name: str = Field(examples=["第四网格早巡"])
    rhythm: Rhythm = Field(examples=["daily"])
    weekdays: list[int] = Field(description="Monday is 1; empty: any day.", examples=[[1, 2, 3, 4, 5]])
    starts_at: ClockTime | None = Field(examples=["08:30:00"])
    account_id: int | None = Field(description="Who walks it.", examples=[5])
    account_name: str | None = Field(examples=["陈建国"])
    building_ids: list[int] = Field(description="The buildings it passes, in order.", examples=[[18, 19, 21]])
    length_m: float | None = Field(examples=[820.0])
    active: bool = Field(examples=[True])
    updated_at: datetime = Field(examples=["2026-03-17T02:15:01Z"])


class RoundDue(RoundOut):
    """A round that is to be walked on a day."""

    done: bool = Field(description="Walked that day, a weekly one that week.", examples=[False])


class RoundChange(Change):
    """What of a round is to change. A geometry lays its route anew; buildings alone have one made past them."""

    needed = frozenset({"name", "rhythm", "weekdays", "active"})

    name: Line | None = Field(None, examples=["第四网格早巡"])
    rhythm: Rhythm | None = Field(None, examples=["daily"])
    weekdays: Weekdays | None = Field(None, examples=[[1, 2, 3, 4, 5]])
    starts_at: ClockTime | None = Field(None, examples=["08:30:00"])
    account_id: Reference | None = Field(None, examples=[None])
    active: bool | None = Field(None, examples=[True])
    geometry: Geometry | None = Field(None, description="A LineString.", examples=[None])
    building_ids: BuildingIds | None = Field(None, examples=[None])


class RoundNew(RoundChange):
    """A round to be planned. Without a geometry its route is made to pass the buildings, or all homes of the grid."""

    community_id: Reference = Field(examples=[3])
    grid_id: Reference | None = Field(None, examples=[7])
    name: Line = Field(examples=["第四网格早巡"])
    rhythm: Rhythm = Field(Rhythm.DAILY, examples=["daily"])
    weekdays: Weekdays = Field([], examples=[[]])
    active: bool = Field(True, examples=[True])


class RouteAsked(Input):
    """What a route is to pass: these buildings, or all homes of a grid or community."""

    community_id: Reference = Field(examples=[3])
    grid_id: Reference | None = Field(None, examples=[7])
    building_ids: BuildingIds | None = Field(None, examples=[None])


class RouteOut(Output):
    """A way past buildings and back."""

    geometry: dict[str, Any] | None = Field(description="A LineString; null past fewer than two buildings.")
    building_ids: list[int] = Field(examples=[[18, 19, 21]])
    length_m: float = Field(examples=[820.0])


class RoundFilters(listing.Filters[rounds.Filter]):
    """Which rounds a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    account: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only walked by this account.")] = None
    active: Annotated[bool | None, Query(description="Only those still walked (or not).")] = None

    def wanted(self) -> rounds.Filter:
        """The same for ``data``."""
        return rounds.Filter(community=self.community, grid=self.grid, account_id=self.account, active=self.active)


class RoundList(RoundFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = rounds.SORTS
    sort: str = listing.sorted_by(SORTS, "id")


@api.get("", summary="List rounds", response_model=Listed[RoundOut], responses=AS_GEOJSON)
def list_rounds(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[RoundList, Query()],
) -> Listed[RoundOut] | Response:
    """The rounds one may see."""
    return listing.answer(
        request,
        session,
        rounds.selection(actor, asked.wanted()),
        asked,
        key=Round.id,
        item=_round,
        geom=Round.geom,
    )


class DueAsked(listing.Parameters):
    """Of which day the rounds are asked for."""

    day: Annotated[date | None, Query(ge=date(2000, 1, 1), le=date(2999, 1, 1), description="Today if left out.")] = (
        None
    )


@api.get("/due", summary="Rounds of a day")
def due_rounds(session: Session, actor: Read, asked: Annotated[DueAsked, Query()]) -> list[RoundDue]:
    """The rounds that are to be walked on a day, by their time, and whether they were."""
    return [RoundDue.model_validate(row) for row in rounds.due(session, actor, asked.day or settings.today())]


@api.post("/route", summary="Make a route")
def make_route(session: Session, actor: Read, body: RouteAsked) -> RouteOut:
    """A short way past every building and back, which a round may take over; nothing is saved."""
    community = units.community(session, actor, body.community_id)
    route = rounds.route_past(session, actor, community, grid_id=body.grid_id, building_ids=body.building_ids)
    line = json.loads(to_geojson(route.line)) if route.line else None
    return RouteOut(geometry=line, building_ids=route.building_ids, length_m=route.length_m)


@api.post("", summary="Plan a round", status_code=status.HTTP_201_CREATED)
def add_round(response: Response, session: Session, actor: Edit, body: RoundNew) -> RoundOut:
    """A new round."""
    values = body.model_dump(exclude={"geometry"})
    found = rounds.add(session, actor, geom=shape(body.geometry) if body.geometry else None, **values)
    response.headers["Location"] = f"/api/rounds/{found.id}"
    return _one(response, session, found)


@api.get("/{round_id}", summary="Get a round")
def get_round(response: Response, session: Session, actor: Read, round_id: Id) -> RoundOut:
    """A round."""
    return _one(response, session, rounds.get(session, actor, round_id))


@api.patch("/{round_id}", summary="Change a round")
def change_round(
    response: Response,
    session: Session,
    actor: Edit,
    round_id: Id,
    body: RoundChange,
    if_match: concurrency.IfMatch = None,
) -> RoundOut:
    """Change what the body names."""
    found = rounds.get(session, actor, round_id)
    concurrency.check(session, found, if_match)
    values = body.model_dump(exclude_unset=True, exclude={"geometry"})
    if body.geometry:
        values["geom"] = shape(body.geometry)
    return _one(response, session, rounds.change(session, actor, found, **values))


@api.delete("/{round_id}", summary="Remove a round", status_code=status.HTTP_204_NO_CONTENT)
def remove_round(session: Session, actor: Edit, round_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a round; patrols that were walked for it stay."""
    found = rounds.get(session, actor, round_id)
    concurrency.check(session, found, if_match)
    rounds.remove(session, actor, found)


def _round(row: Row[Any]) -> RoundOut:
    return RoundOut.model_validate(row)


def _one(response: Response, session: Session, found: Round) -> RoundOut:
    concurrency.tag(response, found)
    return _round(rounds.row(session, found))
