"""Visits over HTTP: what is due, what was recorded, and how often households are visited."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlalchemy import Row

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Code, Day, Id, Input, Instant, Line, Output, Reference, Text
from api.base.listing import CommunityCode, From, GridCode, Listed, To
from api.households.homes import BuildingId, Groups
from data import households, visits
from data.base import db
from data.base.access import Actor
from data.buildings import Building
from data.diary import Subject
from data.households import Household
from data.visits import DueState, Manner, Outcome, Visit, due, recording

api = APIRouter(prefix="/api/visits", tags=["visits"])
Read = Annotated[Actor, permission("household.read")]
Record = Annotated[Actor, permission("household.read", "visit.record")]
Units = Annotated[Actor, permission("unit.read")]
Arrange = Annotated[Actor, permission("visit.edit")]


class VisitOut(Output):
    """A visit of a household, or a call."""

    id: int = Field(examples=[12])
    uuid: UUID = Field(examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"])
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(description="The grid in which the household lay then.", examples=[7])
    household_id: int = Field(examples=[27])
    household_number: str = Field(examples=["WT-04-0031"])
    manner: Manner = Field(examples=["visit"])
    outcome: Outcome = Field(examples=["met"])
    at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    account_id: int | None = Field(examples=[5])
    account_name: str | None = Field(examples=["陈建国"])
    resident_id: int | None = Field(description="Who was met.", examples=[81])
    said: str | None = Field(description="What they said.", examples=["想学用手机"])
    subject: Subject | None = Field(description="What about.", examples=["civility"])
    diary_id: int | None = Field(description="The entry of the diary that it is.", examples=[12])
    card: bool = Field(description="A service card was handed out.", examples=[False])
    incident_id: int | None = Field(description="The case of what they asked for.", examples=[None])
    recorded_at: datetime = Field(examples=["2026-03-17T01:31:00Z"])


class Asked(Input):
    """What somebody asked for at the door: it becomes a case at their building."""

    category_code: Code = Field(examples=["facility.corridor_light"])
    description: Text | None = Field(None, examples=["三楼灯不亮"])


class Facts(Input):
    """What of the archive changed; what is left out stays as it is."""

    phone: Code | None = Field(None, description="Of the household.", examples=["13800006021"])
    workplace: Line | None = Field(None, description="Of who was met.", examples=["临江小学"])


class VisitNew(Input):
    """A visit to be recorded. Sent again under its `uuid` it is the same one."""

    household_id: Reference = Field(examples=[27])
    uuid: UUID = Field(default_factory=uuid4, examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"])
    outcome: Outcome = Field(examples=["met"])
    manner: Manner = Field(Manner.VISIT, examples=["visit"])
    at: Instant | None = Field(None, description="Now if left out.", examples=["2026-03-17T01:30:00Z"])
    resident_id: Reference | None = Field(None, description="Who was met.", examples=[None])
    said: Text | None = Field(None, description="An entry of the diary.", examples=["想学用手机"])
    subject: Subject | None = Field(
        None, description="What it is about; left out, its words say.", examples=["civility"]
    )
    card: bool = Field(False, description="A service card was handed out.", examples=[False])
    request: Asked | None = Field(None, examples=[None])
    answer: Text | None = Field(
        None, description="What was done about the request on the spot: its case is settled.", examples=[None]
    )
    facts: Facts | None = Field(None, examples=[None])


class DueOut(Output):
    """A household and when it is due. What is personal is masked."""

    id: int = Field(examples=[27])
    community_id: int = Field(examples=[3])
    number: str = Field(examples=["WT-04-0031"])
    head_name: str | None = Field(description="Masked.", examples=["李**"])
    groups: list[str] = Field(description="Codes of the special groups that hold that day.", examples=[["empty_nest"]])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    lon: float | None = Field(description="Of the building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    due_on: date | None = Field(description="The nearer of the two days.", examples=["2026-03-20"])
    manner: Manner = Field(description="What to do then.", examples=["visit"])
    visit_on: date | None = Field(description="Empty where no visit is asked for.", examples=["2026-03-20"])
    call_on: date | None = Field(examples=["2026-04-20"])
    visited_at: datetime | None = Field(description="Last met at the door.", examples=["2025-09-20T02:00:00Z"])
    met_at: datetime | None = Field(description="Last met, or reached by phone.", examples=["2025-12-20T02:00:00Z"])
    tries: int = Field(description="In vain since then.", examples=[1])


class RhythmOut(Output):
    """How often households are visited or called."""

    community_id: int | None = Field(description="Empty for all communities.", examples=[None])
    who: str = Field(description="`ordinary`, `special`, or the code of a special group.", examples=["special"])
    manner: Manner = Field(examples=["visit"])
    every_months: int = Field(description="0: not asked for.", examples=[3])


class RhythmSaid(Input):
    """How often households are to be visited or called."""

    community_id: Reference | None = Field(None, description="Empty for all communities.", examples=[3])
    who: Code = Field(examples=["special"])
    manner: Manner = Field(examples=["visit"])
    every_months: Annotated[int, Field(ge=0, le=60)] | None = Field(
        description="0: not asked for; empty: as for all communities.", examples=[2]
    )


class DueFilters(listing.Filters[visits.Filter]):
    """Which households that are due a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    building: BuildingId = None
    unit: Annotated[Code | None, Query(description="Only at this entrance of the building.")] = None
    group: Groups = None
    state: Annotated[
        str | None, Query(max_length=100, description="`overdue`, `soon`, `later`, `never`, with commas between.")
    ] = None
    manner: Annotated[Manner | None, Query(description="Only for a visit, or only for a call.")] = None
    on: Annotated[Day | None, Query(description="As it is on this day; today if left out.")] = None

    def wanted(self) -> visits.Filter:
        """The same for ``data``."""
        states = listing.choices(self.state, tuple(DueState), "state")
        return visits.Filter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            unit=self.unit,
            groups=listing.choices(self.group, None, "group"),
            states=None if states is None else [DueState(state) for state in states],
            manner=self.manner,
            on=self.on,
        )


class DueList(DueFilters, listing.Placed):
    """What the address of the list of what is due asks for."""

    SORTS = due.SORTS
    sort: str = listing.sorted_by(SORTS, "due")


class VisitList(listing.Paged):
    """What the address of the list of visits asks for."""

    SORTS = recording.SORTS
    sort: str = listing.sorted_by(SORTS, "-at")
    community: CommunityCode = None
    grid: GridCode = None
    household: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of this household.")] = None
    first: From = None
    last: To = None


class RhythmsOf(listing.Parameters):
    """Whose rhythms are asked for."""

    community: Annotated[
        int | None, Query(ge=1, le=ID_MAX, description="The id of a community; left out: what holds for all.")
    ] = None


@api.get("/due", summary="List what is due", response_model=Listed[DueOut], responses=listing.AS_GEOJSON)
def list_due(
    request: Request, session: Session, actor: Read, asked: Annotated[DueList, Query()]
) -> Listed[DueOut] | Response:
    """The households one may see with the days on which they are due for a visit and for a call, masked."""
    db.plan_once(session)
    return listing.answer(
        request,
        session,
        due.selection(actor, asked.wanted()),
        asked,
        key=Household.id,
        item=_due,
        geom=Building.point,
    )


@api.get("/rhythms", summary="List rhythms")
def list_rhythms(session: Session, _actor: Units, asked: Annotated[RhythmsOf, Query()]) -> list[RhythmOut]:
    """What a community says of how often, or what holds for all."""
    return [RhythmOut.model_validate(rhythm) for rhythm in visits.rhythms(session, asked.community)]


@api.put("/rhythms", summary="Set a rhythm", status_code=status.HTTP_204_NO_CONTENT)
def set_rhythm(session: Session, actor: Arrange, body: RhythmSaid) -> None:
    """Say how often households are visited or called."""
    visits.set_rhythm(session, actor, **body.model_dump())


@api.get("", summary="List visits", response_model=Listed[VisitOut])
def list_visits(
    request: Request, session: Session, actor: Read, asked: Annotated[VisitList, Query()]
) -> Listed[VisitOut] | Response:
    """The visits and calls one may see, the latest first."""
    query = recording.selection(
        actor,
        household_id=asked.household,
        community=asked.community,
        grid=asked.grid,
        first=asked.first,
        last=asked.last,
    )
    return listing.answer(request, session, query, asked, key=Visit.id, item=_visit)


@api.post("", summary="Record a visit", status_code=status.HTTP_201_CREATED)
def record_visit(response: Response, session: Session, actor: Record, body: VisitNew) -> VisitOut:
    """A visit or a call, with what came of it, in one."""
    known = households.get(session, actor, body.household_id)
    asked = body.request.model_dump() if body.request else None
    told = body.model_dump(exclude={"household_id", "request", "facts"})
    facts = body.facts.model_dump(exclude_none=True) if body.facts else None
    visit = visits.record(session, actor, known, request=asked, facts=facts, **told)
    response.headers["Location"] = f"/api/visits/{visit.id}"
    return _one(session, actor, visit)


@api.get("/{visit_id}", summary="Get a visit")
def get_visit(session: Session, actor: Read, visit_id: Id) -> VisitOut:
    """A visit."""
    return _one(session, actor, visits.get(session, actor, visit_id))


@api.delete("/{visit_id}", summary="Take back a visit", status_code=status.HTTP_204_NO_CONTENT)
def remove_visit(session: Session, actor: Record, visit_id: Id) -> None:
    """Take back what was recorded by mistake; of others only who may arrange visits."""
    visits.remove(session, actor, visits.get(session, actor, visit_id))


def _due(row: Row[Any]) -> DueOut:
    return DueOut.model_validate(households.masked({**row._mapping, "groups": sorted(row.groups or ())}))


def _visit(row: Row[Any]) -> VisitOut:
    return VisitOut.model_validate(row)


def _one(session: Session, actor: Actor, visit: Visit) -> VisitOut:
    return _visit(recording.row(session, actor, visit))
