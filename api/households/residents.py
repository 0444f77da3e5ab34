"""Residents over HTTP."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlalchemy import Row

from api.audit.routes import Entry, entries
from api.base import concurrency, listing
from api.base.deps import Session
from api.base.fields import ID_MAX, Change, Code, Day, Id, Line, Output, Reference, Text
from api.base.listing import CommunityCode, GridCode, Listed, PersonalTerm
from api.households.homes import BuildingId, Edit, Groups, Purpose, Read, Shown, Unmask
from data import history, households
from data.buildings import Building
from data.households import Resident, Status, residents

api = APIRouter(prefix="/api", tags=["residents"])


class ResidentOut(Output):
    """A resident. What is personal is masked."""

    id: int = Field(examples=[81])
    community_id: int = Field(examples=[3])
    household_id: int = Field(examples=[27])
    household_number: str = Field(examples=["WT-04-0031"])
    is_head: bool = Field(examples=[True])
    name: str = Field(description="Masked.", examples=["李**"])
    former_name: str | None = Field(description="Masked.", examples=[None])
    sex: str | None = Field(description="GB/T 2261.1", examples=["1"])
    born_on: str | None = Field(description="Masked: the year only.", examples=["1970-**-**"])
    identity_kind: str = Field(examples=["resident_id"])
    identity_number: str | None = Field(description="Masked.", examples=["3101**********2417"])
    phone: str | None = Field(description="Masked.", examples=["138****6021"])
    relation: str | None = Field(description="To the head, GB/T 4761.", examples=["02"])
    ethnicity: str | None = Field(description="GB/T 3304", examples=["01"])
    native_place: str | None = Field(examples=["浙江宁波"])
    marital_status: str | None = Field(description="GB/T 2261.2", examples=["20"])
    political_status: str | None = Field(description="GB/T 4762", examples=["13"])
    education: str | None = Field(description="GB/T 4658", examples=["60"])
    occupation: str | None = Field(examples=["教师"])
    workplace: str | None = Field(examples=["临江小学"])
    registered_address: str | None = Field(examples=["梧桐路168弄18号2单元501"])
    status: Status = Field(examples=["registered"])
    inflow_reason: str | None = Field(examples=[None])
    permit_kind: str | None = Field(examples=[None])
    permit_number: str | None = Field(description="Masked.", examples=[None])
    registered_on: date | None = Field(examples=[None])
    expires_on: date | None = Field(examples=[None])
    health: str | None = Field(description="Masked wholly.", examples=["***"])
    note: str | None = Field(examples=[None])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    lon: float | None = Field(description="Of the building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    came_on: date | None = Field(description="Lives here from this day on, as far as known.", examples=[None])
    left_on: date | None = Field(description="Does not live here any more from this day on.", examples=[None])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class ResidentChange(Change):
    """What of a resident is to change; what is left out stays. Codes are those of the national standards."""

    needed = frozenset({"name", "household_id", "status", "identity_kind"})

    household_id: Reference | None = Field(None, description="Moves the resident.", examples=[27])
    name: Line | None = Field(None, examples=["李小明"])
    former_name: Line | None = Field(None, examples=[None])
    sex: Code | None = Field(None, examples=["1"])
    born_on: Day | None = Field(None, examples=["1970-01-02"])
    identity_kind: Code | None = Field(None, examples=["resident_id"])
    identity_number: Code | None = Field(None, examples=["11010519491231002X"])
    phone: Code | None = Field(None, examples=["13800006021"])
    relation: Code | None = Field(None, examples=["10"])
    ethnicity: Code | None = Field(None, examples=["01"])
    native_place: Line | None = Field(None, examples=["浙江宁波"])
    marital_status: Code | None = Field(None, examples=["20"])
    political_status: Code | None = Field(None, examples=["13"])
    education: Code | None = Field(None, examples=["60"])
    occupation: Line | None = Field(None, examples=["教师"])
    workplace: Line | None = Field(None, examples=["临江小学"])
    registered_address: Line | None = Field(None, examples=["梧桐路168弄18号2单元501"])
    status: Status | None = Field(None, examples=["registered"])
    inflow_reason: Line | None = Field(None, examples=[None])
    permit_kind: Line | None = Field(None, examples=[None])
    permit_number: Code | None = Field(None, examples=[None])
    registered_on: Day | None = Field(None, examples=[None])
    expires_on: Day | None = Field(None, examples=[None])
    health: Text | None = Field(None, description="Stored encrypted.", examples=[None])
    note: Text | None = Field(None, examples=[None])


class ResidentNew(ResidentChange):
    """A resident to be added. Birthday and sex come from the identity number when they are left out."""

    household_id: Reference = Field(examples=[27])
    name: Line = Field(examples=["李小明"])
    identity_kind: Code = Field(residents.RESIDENT_ID, examples=["resident_id"])
    status: Status = Field(Status.REGISTERED, examples=["registered"])


def resident(row: Row[Any]) -> ResidentOut:
    """A row of ``residents.selection`` as it is handed out: masked."""
    return ResidentOut.model_validate(households.masked(dict(row._mapping)))


class ResidentFilters(listing.Filters[residents.Filter]):
    """Which residents a request asks for: the same parameters for lists, pages and exports."""

    private = frozenset({"q"})

    community: CommunityCode = None
    grid: GridCode = None
    building: BuildingId = None
    household: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of the household with this id.")] = None
    resident_status: Annotated[
        str | None, Query(alias="status", max_length=100, description="How registered, with commas between.")
    ] = None
    sex: Annotated[Code | None, Query(description="Only of this sex (GB/T 2261.1).")] = None
    group: Groups = None
    twins: Annotated[
        bool | None,
        Query(description="Only those whose identity number stands twice; for those who may see it in full."),
    ] = None
    left: Annotated[bool | None, Query(description="Those who do not live here any more instead.")] = None
    q: PersonalTerm = None

    def wanted(self) -> residents.Filter:
        """The same for ``data``."""
        return residents.Filter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            household_id=self.household,
            sex=self.sex,
            text=self.q,
            statuses=listing.choices(self.resident_status, list(Status), "status"),
            groups=listing.choices(self.group, None, "group"),
            twins=self.twins,
            left=bool(self.left),
        )


class ResidentList(ResidentFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = residents.SORTS
    sort: str = listing.sorted_by(SORTS, "building")


@api.get("/residents", summary="List residents", response_model=Listed[ResidentOut], responses=listing.AS_GEOJSON)
def list_residents(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[ResidentList, Query()],
) -> Listed[ResidentOut] | Response:
    """The residents one may see, masked. `POST /api/search` looks them up by name, and by number for a purpose."""
    return listing.answer(
        request,
        session,
        residents.selection(actor, asked.wanted()),
        asked,
        key=Resident.id,
        item=resident,
        geom=Building.point,
    )


@api.post("/residents", summary="Add a resident", status_code=status.HTTP_201_CREATED)
def add_resident(response: Response, session: Session, actor: Edit, body: ResidentNew) -> ResidentOut:
    """A new member of a household.

    That an identity number is registered already is said only of those whom one may see in full; else both stay, and
    `twins` lists them for whoever may.
    """
    household = households.get(session, actor, body.household_id)
    values = body.model_dump(exclude={"household_id"})
    found = households.add_resident(session, actor, household, **values)
    response.headers["Location"] = f"/api/residents/{found.id}"
    return _answer(response, session, found)


@api.get("/residents/{resident_id}", summary="Get a resident")
def get_resident(response: Response, session: Session, actor: Read, resident_id: Id) -> ResidentOut:
    """A resident, masked."""
    return _answer(response, session, households.get_resident(session, actor, resident_id))


@api.patch("/residents/{resident_id}", summary="Change a resident")
def change_resident(
    response: Response,
    session: Session,
    actor: Edit,
    resident_id: Id,
    body: ResidentChange,
    if_match: concurrency.IfMatch = None,
) -> ResidentOut:
    """Change what the body names."""
    found = households.get_resident(session, actor, resident_id)
    concurrency.check(session, found, if_match)
    households.change_resident(session, actor, found, **body.model_dump(exclude_unset=True))
    return _answer(response, session, found)


@api.delete("/residents/{resident_id}", summary="Remove a resident", status_code=status.HTTP_204_NO_CONTENT)
def remove_resident(session: Session, actor: Edit, resident_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a resident for good."""
    found = households.get_resident(session, actor, resident_id)
    concurrency.check(session, found, if_match)
    households.remove_resident(session, actor, found)


@api.post("/residents/{resident_id}/unmask", summary="Show a resident's personal data")
def unmask_resident(session: Session, actor: Unmask, resident_id: Id, body: Purpose) -> Shown:
    """The personal fields in full, for a stated purpose. This is recorded."""
    found = households.get_resident(session, actor, resident_id)
    return Shown(fields=households.unmask(session, actor, found, body.purpose))


@api.get("/residents/{resident_id}/history", summary="History of a resident")
def resident_history(session: Session, actor: Read, resident_id: Id) -> list[Entry]:
    """What happened to a resident's record, newest first; personal values are masked."""
    households.get_resident(session, actor, resident_id)
    return entries(history.of_record(session, "resident", resident_id))


def _answer(response: Response, session: Session, found: Resident) -> ResidentOut:
    row = residents.row(session, found)
    concurrency.tag(response, found)
    return resident(row)
