"""Disputes over HTTP: who quarrels about what, what was done, the calls that follow, and what comes again."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field
from sqlalchemy import Row

from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Code, Id, Input, Instant, Line, Output, Reference, Text
from api.base.listing import CommunityCode, From, GridCode, Listed, To
from api.households.homes import BuildingId, Purpose, Shown
from data import disputes, households
from data.base.access import Actor
from data.buildings import Building
from data.disputes import Action, Dispute, Kind, Level, Step

api = APIRouter(prefix="/api/disputes", tags=["disputes"])
Read = Annotated[Actor, permission("household.read")]
Report = Annotated[Actor, permission("household.read", "incident.report")]
Act = Annotated[Actor, permission("household.read", "incident.edit")]
Call = Annotated[Actor, permission("household.read", "visit.record")]
Unmask = Annotated[Actor, permission("household.read", "person.unmask")]
PartyId = Annotated[int, Path(ge=1, le=ID_MAX, description="The id of a party.", examples=[1])]
CallId = Annotated[int, Path(ge=1, le=ID_MAX, description="The id of a call.", examples=[1])]


class DisputeOut(Output):
    """A dispute."""

    id: int = Field(examples=[4])
    uuid: UUID = Field(examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"])
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(description="The grid in which its building lay then.", examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    building_id: int = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    lon: float | None = Field(description="Of the building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    kind: Kind = Field(examples=["noise"])
    story: str | None = Field(examples=["楼上夜里拖椅子"])
    level: Level = Field(examples=["building"])
    step: Step = Field(examples=["mediating"])
    parties: int = Field(description="How many.", examples=[2])
    sessions: int = Field(description="How often it was mediated.", examples=[1])
    reported_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    account_id: int | None = Field(examples=[5])
    account_name: str | None = Field(examples=["陈建国"])
    agreement: str | None = Field(description="What they agreed upon.", examples=[None])
    settled_at: datetime | None = Field(examples=[None])
    call_on: date | None = Field(description="When somebody is to ask next whether it holds.", examples=[None])
    ended_at: datetime | None = Field(examples=[None])
    updated_at: datetime = Field(examples=["2026-03-17T01:31:00Z"])


class PartyNew(Input):
    """Somebody who is in dispute."""

    name: Line = Field(examples=["李小明"])
    phone: Code | None = Field(None, examples=["13800006021"])
    household_id: Reference | None = Field(None, examples=[27])
    door: Code | None = Field(None, description="`unit-room`: the household behind it is theirs.", examples=["2-501"])


class DisputeNew(Input):
    """A dispute to be reported. Sent again under its `uuid` it is the same one."""

    uuid: UUID = Field(default_factory=uuid4, examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"])
    building_id: Reference = Field(examples=[18])
    kind: Kind = Field(examples=["noise"])
    story: Text | None = Field(None, examples=["楼上夜里拖椅子"])
    level: Level = Field(Level.BUILDING, description="Where mediation begins.", examples=["building"])
    at: Instant | None = Field(None, description="Now if left out.", examples=["2026-03-17T01:30:00Z"])
    parties: Annotated[list[PartyNew], Field(min_length=2, max_length=10)] = Field(
        examples=[[{"name": "李小明", "door": "2-501"}, {"name": "王芳", "door": "2-601"}]]
    )


class PartyOut(Output):
    """Somebody who is in dispute. What is personal is masked."""

    id: int = Field(examples=[9])
    name: str = Field(description="Masked.", examples=["李**"])
    phone: str | None = Field(description="Masked.", examples=["138****6021"])
    household_id: int | None = Field(examples=[27])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])


class StepOut(Output):
    """Something that was done, and how the dispute stood afterwards."""

    id: int = Field(examples=[31])
    action: Action = Field(examples=["mediate"])
    step: Step = Field(examples=["mediating"])
    level: Level = Field(examples=["building"])
    at: datetime = Field(examples=["2026-03-18T11:00:00Z"])
    account_id: int | None = Field(examples=[5])
    account_name: str | None = Field(examples=["陈建国"])
    mediators: str | None = Field(examples=["楼栋员沈玉兰"])
    note: str | None = Field(examples=["双方都来了，还没谈拢"])


class StepNew(Input):
    """What is done about a dispute."""

    action: Action = Field(examples=["mediate"])
    note: Text | None = Field(None, examples=["双方都来了，还没谈拢"])
    mediators: Line | None = Field(None, description="Who mediated.", examples=["楼栋员沈玉兰"])
    agreement: Text | None = Field(None, description="Of a settlement: what they agreed upon.", examples=[None])
    at: Instant | None = Field(None, description="When; now if left out.", examples=["2026-03-18T11:00:00Z"])
    seen: Step | None = Field(None, description="The step at which one saw it.", examples=["reported"])


class CallOut(Output):
    """Somebody asks on a day whether an agreement holds."""

    id: int = Field(examples=[3])
    due_on: date = Field(examples=["2026-03-25"])
    done_at: datetime | None = Field(examples=[None])
    account_id: int | None = Field(examples=[None])
    holds: bool | None = Field(examples=[None])
    note: str | None = Field(examples=[None])


class CallMade(Input):
    """What came of a call."""

    holds: bool = Field(description="Whether the agreement holds.", examples=[True])
    note: Text | None = Field(None, examples=["没有再吵"])


class CallDue(Output):
    """A call that is due."""

    id: int = Field(examples=[3])
    due_on: date = Field(examples=["2026-03-25"])
    dispute_id: int = Field(examples=[4])
    kind: Kind = Field(examples=["noise"])
    level: Level = Field(examples=["building"])
    building_number: str | None = Field(examples=["18号楼"])


class AgainOut(Output):
    """A building, or a household, that came again within a year."""

    building_id: int = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    household_id: int | None = Field(description="Empty for a building.", examples=[27])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])
    disputes: int = Field(examples=[3])
    open: int = Field(examples=[1])
    kinds: dict[Kind, int] = Field(examples=[{"noise": 2, "leak": 1}])
    last_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class DisputeFilters(listing.Filters[disputes.Filter]):
    """Which disputes a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    building: BuildingId = None
    household: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of this household.")] = None
    kind: Annotated[str | None, Query(max_length=300, description="Kinds, with commas between.")] = None
    level: Annotated[str | None, Query(max_length=100, description="Levels, with commas between.")] = None
    step: Annotated[str | None, Query(max_length=200, description="Steps, with commas between.")] = None
    first: From = None
    last: To = None

    def wanted(self) -> disputes.Filter:
        """The same for ``data``."""
        return disputes.Filter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            household_id=self.household,
            kinds=listing.choices(self.kind, tuple(Kind), "kind"),
            levels=listing.choices(self.level, tuple(Level), "level"),
            steps=listing.choices(self.step, tuple(Step), "step"),
            first=self.first,
            last=self.last,
        )


class DisputeList(DisputeFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = disputes.SORTS
    sort: str = listing.sorted_by(SORTS, "-reported")


@api.get("", summary="List disputes", response_model=Listed[DisputeOut], responses=listing.AS_GEOJSON)
def list_disputes(
    request: Request, session: Session, actor: Read, asked: Annotated[DisputeList, Query()]
) -> Listed[DisputeOut] | Response:
    """The disputes one may see, the latest first."""
    query = disputes.selection(actor, asked.wanted())
    return listing.answer(request, session, query, asked, key=Dispute.id, item=_dispute, geom=Building.point)


@api.post("", summary="Report a dispute", status_code=status.HTTP_201_CREATED)
def report_dispute(response: Response, session: Session, actor: Report, body: DisputeNew) -> DisputeOut:
    """A new dispute."""
    parties = [disputes.Party(**one.model_dump()) for one in body.parties]
    dispute = disputes.report(session, actor, parties=parties, **body.model_dump(exclude={"parties"}))
    response.headers["Location"] = f"/api/disputes/{dispute.id}"
    return _answer(response, session, dispute)


@api.get("/again", summary="What comes again")
def list_again(session: Session, actor: Read, asked: Annotated[listing.InCommunity, Query()]) -> list[AgainOut]:
    """The buildings with three disputes within a year, and the households with two, the most frequent first."""
    return [AgainOut.model_validate(one) for one in disputes.again(session, actor, asked.community)]


@api.get("/calls", summary="Calls that are due")
def list_calls(session: Session, actor: Read) -> list[CallDue]:
    """The calls that are due by today, the longest overdue first."""
    return [CallDue.model_validate(row) for row in disputes.calls_due(session, actor, most=listing.LIMIT)]


@api.get("/{dispute_id}", summary="Get a dispute")
def get_dispute(response: Response, session: Session, actor: Read, dispute_id: Id) -> DisputeOut:
    """A dispute."""
    return _answer(response, session, disputes.get(session, actor, dispute_id))


@api.delete("/{dispute_id}", summary="Remove a dispute", status_code=status.HTTP_204_NO_CONTENT)
def remove_dispute(session: Session, actor: Report, dispute_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove what was reported by mistake; of others only who handles cases of the community."""
    dispute = disputes.get(session, actor, dispute_id)
    concurrency.check(session, dispute, if_match)
    disputes.remove(session, actor, dispute)


@api.get("/{dispute_id}/parties", summary="List parties")
def list_parties(session: Session, actor: Read, dispute_id: Id) -> list[PartyOut]:
    """Who is in dispute, masked."""
    dispute = disputes.get(session, actor, dispute_id)
    rows = disputes.parties(session, actor, dispute)
    return [PartyOut.model_validate(households.masked(dict(row._mapping))) for row in rows]


@api.post("/{dispute_id}/parties/{party_id}/unmask", summary="Show a party in full")
def unmask_party(session: Session, actor: Unmask, dispute_id: Id, party_id: PartyId, body: Purpose) -> Shown:
    """Name and phone of a party in full, for a purpose; it is recorded."""
    dispute = disputes.get(session, actor, dispute_id)
    return Shown(fields=disputes.unmask(session, actor, dispute, party_id, body.purpose))


@api.get("/{dispute_id}/steps", summary="List steps")
def list_steps(session: Session, actor: Read, dispute_id: Id) -> list[StepOut]:
    """What was done, oldest first."""
    return [StepOut.model_validate(row) for row in disputes.steps(session, disputes.get(session, actor, dispute_id))]


@api.post("/{dispute_id}/steps", summary="Do something about a dispute", status_code=status.HTTP_201_CREATED)
def act(response: Response, session: Session, actor: Act, dispute_id: Id, body: StepNew) -> DisputeOut:
    """Mediate it, settle it, take it one level up, close it …"""
    dispute = disputes.get(session, actor, dispute_id)
    disputes.act(session, actor, dispute, **body.model_dump())
    return _answer(response, session, dispute)


@api.get("/{dispute_id}/calls", summary="List calls of a dispute")
def list_calls_of(session: Session, actor: Read, dispute_id: Id) -> list[CallOut]:
    """The calls after the agreement, by their day."""
    return [CallOut.model_validate(call) for call in disputes.calls(session, disputes.get(session, actor, dispute_id))]


@api.put("/{dispute_id}/calls/{call_id}", summary="Record a call")
def record_call(session: Session, actor: Call, dispute_id: Id, call_id: CallId, body: CallMade) -> CallOut:
    """Whether the agreement holds; when the last call says so, the dispute is closed."""
    dispute = disputes.get(session, actor, dispute_id)
    return CallOut.model_validate(disputes.record_call(session, actor, dispute, call_id, **body.model_dump()))


def _dispute(row: Row[Any]) -> DisputeOut:
    return DisputeOut.model_validate(row)


def _answer(response: Response, session: Session, dispute: Dispute) -> DisputeOut:
    concurrency.tag(response, dispute)
    return _dispute(disputes.row(session, dispute))
