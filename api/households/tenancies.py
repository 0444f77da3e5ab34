"""Tenancies over HTTP."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlalchemy import Row

from api.audit.routes import Entry, entries
from api.base import concurrency, listing
from api.base.deps import Session
from api.base.fields import Change, Code, Day, Id, Line, Output, Reference, Text
from api.base.listing import CommunityCode, GridCode, Listed, PersonalTerm
from api.households.homes import BuildingId, DwellingId, Edit, Purpose, Read, Shown, Unmask
from data import buildings, history, households
from data.buildings import Building
from data.households import Tenancy, tenancies

api = APIRouter(prefix="/api", tags=["tenancies"])
TenantIds = Annotated[list[Reference], Field(max_length=100)]


class TenancyOut(Output):
    """A tenancy. What is personal is masked."""

    id: int = Field(examples=[11])
    community_id: int = Field(examples=[3])
    dwelling_id: int = Field(examples=[341])
    landlord_name: str = Field(description="Masked.", examples=["王*"])
    landlord_phone: str | None = Field(description="Masked.", examples=["138****6021"])
    valid_from: date | None = Field(examples=["2026-01-01"])
    valid_to: date | None = Field(description="Not included any more; empty while it holds.", examples=[None])
    purpose: str | None = Field(description="What it is used for.", examples=["居住"])
    hazard: str | None = Field(description="What is dangerous there.", examples=[None])
    note: str | None = Field(examples=[None])
    tenants: int = Field(description="How many.", examples=[2])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    lon: float | None = Field(description="Of the building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class TenancyDetail(TenancyOut):
    """A tenancy with its tenants."""

    tenant_ids: list[int] = Field(examples=[[81, 82]])


class TenancyChange(Change):
    """What of a tenancy is to change; what is left out stays."""

    needed = frozenset({"landlord_name", "valid_from", "tenant_ids"})

    landlord_name: Line | None = Field(None, examples=["王芳"])
    landlord_phone: Code | None = Field(None, examples=["13800006021"])
    valid_from: Day | None = Field(None, examples=["2026-01-01"])
    valid_to: Day | None = Field(None, examples=["2026-07-01"])
    purpose: Line | None = Field(None, examples=["居住"])
    hazard: Line | None = Field(None, examples=[None])
    note: Text | None = Field(None, examples=[None])
    tenant_ids: TenantIds | None = Field(None, description="Residents of the community.", examples=[[81]])


class TenancyNew(TenancyChange):
    """A tenancy to be added."""

    dwelling_id: Reference = Field(examples=[341])
    landlord_name: Line = Field(examples=["王芳"])
    valid_from: Day = Field(examples=["2026-01-01"])
    tenant_ids: TenantIds = Field([], examples=[[81]])


def tenancy(row: Row[Any]) -> TenancyOut:
    """A row of ``tenancies.selection`` as it is handed out: masked."""
    return TenancyOut.model_validate(_values(row))


def _values(row: Row[Any]) -> dict[str, Any]:
    days = {"valid_from": row.valid.lower, "valid_to": row.valid.upper}
    return households.masked(dict(row._mapping)) | days


class TenancyFilters(listing.Filters[tenancies.Filter]):
    """Which tenancies a request asks for: the same parameters for lists, pages and exports."""

    private = frozenset({"q"})

    community: CommunityCode = None
    grid: GridCode = None
    building: BuildingId = None
    dwelling: DwellingId = None
    current: Annotated[bool | None, Query(description="Only those that hold today (or not).")] = None
    q: PersonalTerm = None

    def wanted(self) -> tenancies.Filter:
        """The same for ``data``."""
        return tenancies.Filter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            dwelling_id=self.dwelling,
            current=self.current,
            text=self.q,
        )


class TenancyList(TenancyFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = tenancies.SORTS
    sort: str = listing.sorted_by(SORTS, "building")


@api.get("/tenancies", summary="List tenancies", response_model=Listed[TenancyOut], responses=listing.AS_GEOJSON)
def list_tenancies(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[TenancyList, Query()],
) -> Listed[TenancyOut] | Response:
    """The tenancies one may see, masked."""
    return listing.answer(
        request,
        session,
        tenancies.selection(actor, asked.wanted()),
        asked,
        key=Tenancy.id,
        item=tenancy,
        geom=Building.point,
    )


@api.post("/tenancies", summary="Add a tenancy", status_code=status.HTTP_201_CREATED)
def add_tenancy(response: Response, session: Session, actor: Edit, body: TenancyNew) -> TenancyDetail:
    """A dwelling is let from a day on."""
    dwelling = buildings.get_dwelling(session, actor, body.dwelling_id)
    values = body.model_dump(exclude={"dwelling_id", "valid_from", "valid_to"})
    found = households.add_tenancy(session, actor, dwelling, first=body.valid_from, until=body.valid_to, **values)
    response.headers["Location"] = f"/api/tenancies/{found.id}"
    return _answer(response, session, actor, found)


@api.get("/tenancies/{tenancy_id}", summary="Get a tenancy")
def get_tenancy(response: Response, session: Session, actor: Read, tenancy_id: Id) -> TenancyDetail:
    """A tenancy, masked, with the ids of its tenants."""
    return _answer(response, session, actor, households.get_tenancy(session, actor, tenancy_id))


@api.patch("/tenancies/{tenancy_id}", summary="Change a tenancy")
def change_tenancy(
    response: Response,
    session: Session,
    actor: Edit,
    tenancy_id: Id,
    body: TenancyChange,
    if_match: concurrency.IfMatch = None,
) -> TenancyDetail:
    """Change what the body names."""
    found = households.get_tenancy(session, actor, tenancy_id)
    concurrency.check(session, found, if_match)
    values = body.model_dump(exclude_unset=True)
    for given, name in (("valid_from", "first"), ("valid_to", "until")):
        if given in values:
            values[name] = values.pop(given)
    households.change_tenancy(session, actor, found, **values)
    return _answer(response, session, actor, found)


@api.delete("/tenancies/{tenancy_id}", summary="Remove a tenancy", status_code=status.HTTP_204_NO_CONTENT)
def remove_tenancy(session: Session, actor: Edit, tenancy_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a tenancy."""
    found = households.get_tenancy(session, actor, tenancy_id)
    concurrency.check(session, found, if_match)
    households.remove_tenancy(session, actor, found)


@api.post("/tenancies/{tenancy_id}/unmask", summary="Show a landlord's personal data")
def unmask_tenancy(session: Session, actor: Unmask, tenancy_id: Id, body: Purpose) -> Shown:
    """The personal fields in full, for a stated purpose. This is recorded."""
    found = households.get_tenancy(session, actor, tenancy_id)
    return Shown(fields=households.unmask(session, actor, found, body.purpose))


@api.get("/tenancies/{tenancy_id}/history", summary="History of a tenancy")
def tenancy_history(session: Session, actor: Read, tenancy_id: Id) -> list[Entry]:
    """What happened to a tenancy, newest first; personal values are masked."""
    households.get_tenancy(session, actor, tenancy_id)
    return entries(history.of_record(session, "tenancy", tenancy_id))


def _answer(response: Response, session: Session, actor: Read, found: Tenancy) -> TenancyDetail:
    row = tenancies.row(session, found)
    concurrency.tag(response, found)
    ids = [tenant.id for tenant in households.tenants(session, actor, found.id)]
    return TenancyDetail.model_validate(_values(row) | {"tenant_ids": ids})
