"""Incidents and their categories over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field, model_validator
from sqlalchemy import Row

from api import concurrency, listing
from api.audit import Entry, entries
from api.deps import Session, SignedIn, permission
from api.fields import ID_MAX, Change, Code, CodePath, Id, Instant, Lat, Line, Lon, Output, Reference, Text, refuse
from api.listing import BBox, CommunityCode, From, GridCode, Listed, Paging, Term, To
from data import history, incidents, units
from data.base import language
from data.base.access import Actor
from data.base.language import _
from data.incidents import Incident, State

api = APIRouter(prefix="/api", tags=["incidents"])
Read = Annotated[Actor, permission("incident.read")]
Report = Annotated[Actor, permission("incident.report")]
Edit = Annotated[Actor, permission("incident.edit")]


class IncidentOut(Output):
    """An incident."""

    id: int = Field(examples=[612])
    community_id: int = Field(examples=[3])
    number: str = Field(examples=["20260317-006"])
    category_code: str = Field(examples=["facility.corridor_light"])
    category_name: str = Field(description="In the language of the request.", examples=["楼道灯不亮"])
    icon: str = Field(description="The name of its icon.", examples=["bulb"])
    state: State = Field(examples=["new"])
    overdue: bool = Field(description="Still open after its time.", examples=[False])
    description: str | None = Field(examples=["二层廊灯不亮"])
    address: str | None = Field(examples=["18号楼2单元"])
    source: str = Field(examples=["staff"])
    reported_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    due_at: datetime | None = Field(examples=["2026-03-20T01:30:00Z"])
    closed_at: datetime | None = Field(examples=[None])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    grid_id: int | None = Field(examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    lon: float | None = Field(examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    located_by: str | None = Field(examples=["point"])
    located_score: float | None = Field(examples=[1.0])
    unlocated_reason: str | None = Field(examples=[None])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class IncidentChange(Change):
    """What of an incident is to change; what is left out stays. A point or a building puts it to another place."""

    needed = frozenset({"category_code", "reported_at"})

    category_code: Code | None = Field(None, examples=["facility.street_light"])
    description: Text | None = Field(None, examples=["二层廊灯不亮"])
    address: Line | None = Field(None, examples=["18号楼2单元"])
    reported_at: Instant | None = Field(None, examples=["2026-03-17T09:30:00+08:00"])
    due_at: Instant | None = Field(None, examples=["2026-03-20T09:30:00+08:00"])
    lon: Lon | None = Field(None, examples=[121.4321])
    lat: Lat | None = Field(None, examples=[31.2345])
    building_id: Reference | None = Field(None, examples=[18])

    @model_validator(mode="after")
    def _a_point_has_two_coordinates(self) -> Self:
        if (self.lon is None) != (self.lat is None):
            raise refuse(_("A place needs both lon and lat."))
        return self


class IncidentNew(IncidentChange):
    """An incident to be reported, at a point or a building; without either it waits for a place."""

    community_id: Reference = Field(examples=[3])
    category_code: Code = Field(examples=["facility.corridor_light"])


class Counts(Output):
    """How many incidents there are."""

    by_state: dict[State, int] = Field(examples=[{"new": 3, "closed": 12}])
    by_category: dict[str, int] = Field(examples=[{"facility.corridor_light": 9, "environment.stray_cat": 6}])
    total: int = Field(examples=[15])


class CategoryOut(Output):
    """A kind of incident."""

    code: str = Field(examples=["facility.corridor_light"])
    parent_code: str | None = Field(examples=["facility"])
    name_zh: str = Field(examples=["楼道灯不亮"])
    name_en: str = Field(examples=["Corridor light broken"])
    icon: str = Field(examples=["bulb"])
    tier: str | None = Field(description="Who settles it as a rule: grid, community or street.", examples=["grid"])
    days: int | None = Field(description="Days until it is due.", examples=[3])
    external_code: str | None = Field(description="The class of a standard or another system.", examples=[None])
    position: int = Field(examples=[1])


class CategoryChange(Change):
    """What of a category is to change."""

    needed = frozenset({"name_zh", "name_en", "icon", "position"})

    parent_code: Code | None = Field(None, examples=["facility"])
    name_zh: Line | None = Field(None, examples=["楼道灯不亮"])
    name_en: Line | None = Field(None, examples=["Corridor light broken"])
    icon: Code | None = Field(None, examples=["bulb"])
    tier: Code | None = Field(None, examples=["grid"])
    days: Annotated[int, Field(ge=0, le=3650)] | None = Field(None, examples=[3])
    external_code: Code | None = Field(None, examples=[None])
    position: Annotated[int, Field(ge=0, le=100_000)] | None = Field(None, examples=[1])


class CategoryNew(CategoryChange):
    """A category to be added."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=64)] = Field(
        examples=["facility.bench"]
    )
    name_zh: Line = Field(examples=["座椅损坏"])
    name_en: Line = Field(examples=["Broken bench"])
    icon: Code = Field("dots", examples=["dots"])
    position: Annotated[int, Field(ge=0, le=100_000)] = Field(0, examples=[50])


def wanted_incidents(
    community: CommunityCode = None,
    grid: GridCode = None,
    state: Annotated[
        str | None,
        Query(
            description="States, with commas between; `none` finds nothing.",
            examples=["new,in_progress"],
            max_length=200,
        ),
    ] = None,
    category: Annotated[
        str | None,
        Query(
            description="Categories with all below them, with commas between.", examples=["facility"], max_length=2000
        ),
    ] = None,
    first: From = None,
    last: To = None,
    overdue: Annotated[bool | None, Query(description="Only those still open after their time (or not).")] = None,
    building: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only at the building with this id.")] = None,
    located: Annotated[bool | None, Query(description="Only with (or without) a place.")] = None,
    bbox: BBox = None,
    q: Term = None,
) -> incidents.Filter:
    """Which incidents a request asks for: the same parameters for lists, counts, pages, tiles and exports."""
    return incidents.Filter(
        community=community,
        grid=grid,
        building_id=building,
        states=listing.choices(state, list(State), "state"),
        categories=listing.choices(category, None, "category"),
        first=first,
        last=last,
        overdue=overdue,
        box=listing.box(bbox),
        text=q,
        located=located,
    )


Wanted = Annotated[incidents.Filter, listing.filters(wanted_incidents)]


def incident(row: Row[Any]) -> IncidentOut:
    """A row of ``incidents.selection`` as it is handed out."""
    name = row.category_zh if language.current() == "zh" else row.category_en
    return IncidentOut.model_validate({**row._mapping, "category_name": name})


@api.get("/incidents", summary="List incidents", response_model=Listed[IncidentOut], responses=listing.AS_GEOJSON)
def list_incidents(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[Paging, listing.paging(incidents.SORTS, "-reported")],
    wanted: Wanted,
) -> Listed[IncidentOut] | Response:
    """The incidents one may see, newest first."""
    return listing.answer(
        request, session, incidents.selection(actor, wanted), asked,
        sorts=incidents.SORTS, key=Incident.id, item=incident, geom=Incident.geom,
    )  # fmt: skip


@api.get("/incidents/counts", summary="Count incidents")
def count_incidents(session: Session, actor: Read, wanted: Wanted) -> Counts:
    """How many incidents of each state and each category there are under a filter."""
    by_state = incidents.counts(session, actor, wanted)
    by_category = incidents.counts(session, actor, wanted, by=Incident.category_code)
    return Counts.model_validate({"by_state": by_state, "by_category": by_category, "total": sum(by_state.values())})


@api.post("/incidents", summary="Report an incident", status_code=status.HTTP_201_CREATED)
def report_incident(response: Response, session: Session, actor: Report, body: IncidentNew) -> IncidentOut:
    """A new incident; it is numbered and located here."""
    community = units.community(session, actor, body.community_id)
    values = body.model_dump(exclude={"community_id"})
    found = incidents.report(session, actor, community=community, **values)
    response.headers["Location"] = f"/api/incidents/{found.id}"
    return _answer(response, session, found)


@api.get("/incidents/{incident_id}", summary="Get an incident")
def get_incident(response: Response, session: Session, actor: Read, incident_id: Id) -> IncidentOut:
    """An incident."""
    return _answer(response, session, incidents.get(session, actor, incident_id))


@api.patch("/incidents/{incident_id}", summary="Change an incident")
def change_incident(
    response: Response,
    session: Session,
    actor: Edit,
    incident_id: Id,
    body: IncidentChange,
    if_match: concurrency.IfMatch = None,
) -> IncidentOut:
    """Change what the body names; how it stands is changed by actions."""
    found = incidents.get(session, actor, incident_id)
    concurrency.check(session, found, if_match)
    values = body.model_dump(exclude_unset=True)
    if place := {name: values.pop(name) for name in ("lon", "lat", "building_id") if name in values}:
        incidents.move(session, actor, found, **place)
    return _answer(response, session, incidents.change(session, actor, found, **values))


@api.delete("/incidents/{incident_id}", summary="Remove an incident", status_code=status.HTTP_204_NO_CONTENT)
def remove_incident(session: Session, actor: Edit, incident_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove an incident, for instance one that was reported twice."""
    found = incidents.get(session, actor, incident_id)
    concurrency.check(session, found, if_match)
    incidents.remove(session, actor, found)


@api.get("/incidents/{incident_id}/history", summary="History of an incident")
def incident_history(session: Session, actor: Read, incident_id: Id) -> list[Entry]:
    """What happened to an incident, newest first."""
    incidents.get(session, actor, incident_id)
    return entries(history.of_record(session, "incident", incident_id))


@api.get("/categories", summary="List categories")
def list_categories(session: Session, _actor: SignedIn) -> list[CategoryOut]:
    """All kinds of incidents, in the order of the list."""
    return [CategoryOut.model_validate(category) for category in incidents.categories(session)]


@api.post("/categories", summary="Add a category", status_code=status.HTTP_201_CREATED)
def add_category(session: Session, actor: Annotated[Actor, permission("unit.edit")], body: CategoryNew) -> CategoryOut:
    """A new kind of incident."""
    return CategoryOut.model_validate(incidents.add_category(session, actor, **body.model_dump()))


@api.patch("/categories/{code}", summary="Change a category")
def change_category(
    session: Session, actor: Annotated[Actor, permission("unit.edit")], code: CodePath, body: CategoryChange
) -> CategoryOut:
    """Change what the body names."""
    found = incidents.change_category(session, actor, code, **body.model_dump(exclude_unset=True))
    return CategoryOut.model_validate(found)


@api.delete("/categories/{code}", summary="Remove a category", status_code=status.HTTP_204_NO_CONTENT)
def remove_category(session: Session, actor: Annotated[Actor, permission("unit.edit")], code: CodePath) -> None:
    """Remove a kind that no incident has."""
    incidents.remove_category(session, actor, code)


def _answer(response: Response, session: Session, found: Incident) -> IncidentOut:
    row = session.execute(incidents.rows().where(Incident.id == found.id)).one()
    concurrency.tag(response, found)
    return incident(row)
