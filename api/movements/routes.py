"""Movements over HTTP: births, deaths and moves are recorded, undone, listed and counted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlalchemy import Row

from api.base import listing
from api.base.deps import Session
from api.base.fields import ID_MAX, Code, Day, Id, Input, Line, Output, Reference, Text
from api.base.listing import CommunityCode, From, GridCode, Listed, To
from api.households.homes import Edit, Read
from data import households, movements
from data.buildings import Building
from data.households import Status
from data.movements import Kind, Movement, Reach

api = APIRouter(prefix="/api/movements", tags=["movements"])


class MovementOut(Output):
    """Something happened to a person. What is personal is masked."""

    id: int = Field(examples=[4])
    uuid: UUID = Field(
        description="The same for what was recorded at once.", examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"]
    )
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(description="The grid then.", examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    from_grid_id: int | None = Field(description="Of a move within the community.", examples=[None])
    kind: Kind = Field(examples=["moved_out"])
    happened_on: date = Field(examples=["2026-03-17"])
    resident_id: int | None = Field(examples=[81])
    name: str | None = Field(description="Masked.", examples=["李**"])
    household_id: int | None = Field(examples=[27])
    household_number: str | None = Field(examples=["WT-04-0031"])
    from_household_id: int | None = Field(examples=[None])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])
    lon: float | None = Field(description="Of the building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    reach: Reach | None = Field(examples=["city"])
    place: str | None = Field(description="From where, or to where.", examples=["杭州"])
    note: str | None = Field(examples=[None])
    account_id: int | None = Field(examples=[5])
    account_name: str | None = Field(examples=["陈建国"])
    recorded_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    undone_at: datetime | None = Field(examples=[None])


class PersonNew(Input):
    """Somebody who is registered with the event."""

    name: Line = Field(examples=["李小明"])
    sex: Code | None = Field(None, examples=["1"])
    born_on: Day | None = Field(None, description="Of a birth it is the day of the event.", examples=["1970-01-02"])
    identity_kind: Code = Field("resident_id", examples=["resident_id"])
    identity_number: Code | None = Field(None, examples=["11010519491231002X"])
    phone: Code | None = Field(None, examples=["13800006021"])
    relation: Code | None = Field(None, examples=["20"])
    status: Status = Field(Status.REGISTERED, examples=["registered"])


class MovementNew(Input):
    """An event to be recorded. Sent again under its `uuid` it is the same one."""

    uuid: UUID = Field(default_factory=uuid4, examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"])
    kind: Kind = Field(examples=["moved_out"])
    on: Day = Field(examples=["2026-03-17"])
    resident_ids: Annotated[list[Reference], Field(max_length=30)] = Field(
        default_factory=list, description="Whom it happened to.", examples=[[81]]
    )
    household_id: Reference | None = Field(None, description="Of a birth, or where somebody moved in.", examples=[None])
    dwelling_id: Reference | None = Field(None, description="Where people live now.", examples=[None])
    person: PersonNew | None = Field(None, description="A newborn, or somebody who moved in.", examples=[None])
    reach: Reach | None = Field(None, examples=["city"])
    place: Line | None = Field(None, description="From where, or to where.", examples=["杭州"])
    note: Text | None = Field(None, examples=[None])


class CountOut(Output):
    """How many people an event of each kind happened to, in one grid."""

    grid_id: int | None = Field(examples=[7])
    code: str = Field(examples=["990106003012004"])
    name: str = Field(examples=["第四网格"])
    born: int = Field(examples=[2])
    died: int = Field(examples=[1])
    moved_in: int = Field(examples=[9])
    moved_out: int = Field(examples=[6])
    came: int = Field(description="From another grid of the community.", examples=[2])
    went: int = Field(description="To another grid of the community.", examples=[0])
    change: int = Field(examples=[6])


class MovementFilters(listing.Filters[movements.Filter]):
    """Which events a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    household: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of this household.")] = None
    resident: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of this person.")] = None
    kind: Annotated[str | None, Query(max_length=200, description="Kinds, with commas between.")] = None
    first: From = None
    last: To = None
    undone: Annotated[bool | None, Query(description="Those that were undone instead.")] = None

    def wanted(self) -> movements.Filter:
        """The same for ``data``."""
        return movements.Filter(
            community=self.community,
            grid=self.grid,
            household_id=self.household,
            resident_id=self.resident,
            kinds=listing.choices(self.kind, tuple(Kind), "kind"),
            first=self.first,
            last=self.last,
            undone=bool(self.undone),
        )


class MovementList(MovementFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = movements.SORTS
    sort: str = listing.sorted_by(SORTS, "-happened")


@api.get("", summary="List movements", response_model=Listed[MovementOut], responses=listing.AS_GEOJSON)
def list_movements(
    request: Request, session: Session, actor: Read, asked: Annotated[MovementList, Query()]
) -> Listed[MovementOut] | Response:
    """Births, deaths and moves that one may see, the latest first."""
    query = movements.selection(actor, asked.wanted())
    return listing.answer(request, session, query, asked, key=Movement.id, item=_movement, geom=Building.point)


@api.post("", summary="Record a movement", status_code=status.HTTP_201_CREATED)
def record_movement(session: Session, actor: Edit, body: MovementNew) -> list[MovementOut]:
    """An event with all that follows from it: a row for each person whom it happened to."""
    values = body.model_dump(exclude={"person"})
    person = movements.Person(**body.person.model_dump()) if body.person else None
    rows = movements.record(session, actor, person=person, **values)
    return [_movement(movements.row(session, actor, one)) for one in rows]


@api.get("/counts", summary="Count movements")
def count_movements(session: Session, actor: Read, asked: Annotated[MovementFilters, Query()]) -> list[CountOut]:
    """Births, deaths and moves of a period by grid."""
    return [CountOut.model_validate(one) for one in movements.counts(session, actor, asked.wanted())]


@api.get("/{movement_id}", summary="Get a movement")
def get_movement(session: Session, actor: Read, movement_id: Id) -> MovementOut:
    """One event."""
    return _movement(movements.row(session, actor, movements.get(session, actor, movement_id)))


@api.post("/{movement_id}/undo", summary="Undo a movement")
def undo_movement(session: Session, actor: Edit, movement_id: Id) -> MovementOut:
    """Take back an event that did not happen, for everybody whom it was recorded of at once."""
    movement = movements.get(session, actor, movement_id)
    movements.undo(session, actor, movement)
    return _movement(movements.row(session, actor, movement))


def _movement(row: Row[object]) -> MovementOut:
    return MovementOut.model_validate(households.masked(dict(row._mapping)))
