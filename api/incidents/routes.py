"""Incidents over HTTP, and what is done with them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, Self

from fastapi import APIRouter, Header, Query, Request, Response, status
from pydantic import Field, model_validator
from sqlalchemy import Row, orm

from api.audit.routes import Entry, entries
from api.base import concurrency, listing
from api.base.deps import Session, briefly, permission
from api.base.fields import (
    ID_MAX,
    Change,
    Code,
    Day,
    Id,
    Input,
    Instant,
    Lat,
    Line,
    Lon,
    Output,
    Reference,
    Text,
    refuse,
)
from api.base.listing import BBox, CommunityCode, From, GridCode, Listed, PersonalTerm, To
from api.households.homes import Purpose
from data import history, incidents, units
from data.base import language
from data.base.access import Actor
from data.base.language import _
from data.incidents import Action, Incident, Level, State, Step, Tier

api = APIRouter(prefix="/api", tags=["incidents"])
Read = Annotated[Actor, permission("incident.read")]
Report = Annotated[Actor, permission("incident.report")]
Edit = Annotated[Actor, permission("incident.edit")]
Unmask = Annotated[Actor, permission("person.unmask")]
Prefer = Annotated[
    str | None,
    Header(description="`return=minimal`: the answer has no body (RFC 7240).", max_length=200),
]


States = Annotated[
    str | None,
    Query(
        description="States, with commas between; `none` finds nothing.", examples=["new,in_progress"], max_length=200
    ),
]
Categories = Annotated[
    str | None,
    Query(description="Categories with all below them, with commas between.", examples=["facility"], max_length=4000),
]


class IncidentOut(Output):
    """An incident."""

    id: int = Field(examples=[612])
    community_id: int = Field(examples=[3])
    number: str = Field(examples=["20260317-006"])
    category_code: str = Field(examples=["facility.corridor_light"])
    category_name: str = Field(description="In the language of the request.", examples=["楼道灯不亮"])
    icon: str = Field(description="The name of its icon.", examples=["bulb"])
    step: Step = Field(description="Where it stands in the workflow.", examples=["reported"])
    state: State = Field(description="What lists and maps show of the step.", examples=["new"])
    tier: Tier | None = Field(description="Chosen at triage.", examples=["grid"])
    level: Level = Field(description="Where it lies now.", examples=["grid"])
    assignee_id: int | None = Field(description="The account that sees to it.", examples=[12])
    assignee_name: str | None = Field(examples=["周敏"])
    service_team_id: int | None = Field(description="The service team that does the work.", examples=[None])
    service_team_name: str | None = Field(examples=["修理队"])
    supervised: bool = Field(description="Followed by the street.", examples=[False])
    recurrent: bool = Field(description="It was settled here not long before.", examples=[False])
    merged_into_id: int | None = Field(description="The case that it counts with.", examples=[None])
    overdue: bool = Field(description="Still open after its time.", examples=[False])
    description: str | None = Field(examples=["二层廊灯不亮"])
    address: str | None = Field(examples=["18号楼2单元"])
    answers: dict[str, Any] = Field(description="Answers to the category's questions.", examples=[{"floor": "3"}])
    source: str = Field(examples=["staff"])
    has_contact: bool = Field(description="Whether the one who asked can be told.", examples=[True])
    accuracy_m: float | None = Field(description="How exact the point is.", examples=[12.5])
    reported_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    due_at: datetime | None = Field(examples=["2026-03-20T01:30:00Z"])
    resolved_at: datetime | None = Field(examples=[None])
    feedback_at: datetime | None = Field(examples=[None])
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
    source: Literal["staff", "patrol", "visit", "phone", "hotline", "resident", "street", "system"] = Field(
        "staff", examples=["staff"]
    )
    contact: Line | None = Field(None, description="Stored encrypted.", examples=["13800000000"])
    accuracy_m: Annotated[float, Field(ge=0, le=100_000)] | None = Field(None, examples=[12.5])
    answers: dict[Code, bool | int | float | Line] = Field(
        {}, description="Answers to the category's questions.", examples=[{"floor": "3"}]
    )


class Counts(Output):
    """How many incidents there are."""

    by_state: dict[State, int] = Field(examples=[{"new": 3, "closed": 12}])
    by_category: dict[str, int] = Field(examples=[{"facility.corridor_light": 9, "environment.stray_cat": 6}])
    total: int = Field(examples=[15])


class Act(Input):
    """Something to be done with an incident."""

    action: Action = Field(examples=["note"])
    note: Text | None = Field(None, description="Needed to hold, return, reopen, reject, give feedback, note.")
    public: bool = Field(False, description="Whether the one who asked may read the note.")
    tier: Tier | None = Field(None, description="Of a triage; default the category's.")
    assignee_id: Reference | None = Field(None, description="Of an assignment; default whoever is there for the place.")
    service_team_id: Reference | None = Field(
        None, description="Of an assignment: the service team that does the work; default none."
    )
    level: Level | None = Field(None, description="Of an assignment; default the level it has.")
    into_id: Reference | None = Field(None, description="The case that this one is merged into.")
    step: Step | None = Field(None, description="Where it stood when it was looked at; else refused with 409.")


class Settle(Input):
    """What was seen to on the spot; nobody need have triaged it before."""

    note: Text | None = Field(None, description="What was done.", examples=["已更换灯泡"])
    told: Text = Field(description="What the one who asked was told.", examples=["当面告知，居民满意"])
    public: bool = Field(True, description="Whether the one who asked may read both.")
    step: Step | None = Field(None, description="Where it stood when it was looked at; else refused with 409.")


class StepOut(Output):
    """Something that was done with an incident, and how it stood afterwards."""

    id: int = Field(examples=[4711])
    incident_id: int = Field(description="Of a merged case also that of its original.", examples=[612])
    action: Action = Field(examples=["assign"])
    step: Step = Field(examples=["assigned"])
    at: datetime = Field(examples=["2026-03-17T01:31:00Z"])
    account_id: int | None = Field(description="Who did it; empty: a rule, a resident, another system.", examples=[12])
    account_name: str | None = Field(examples=["周敏"])
    note: str | None = Field(examples=[None])
    public: bool = Field(examples=[False])
    tier: Tier | None = Field(examples=["grid"])
    level: Level = Field(examples=["grid"])
    assignee_id: int | None = Field(examples=[12])
    assignee_name: str | None = Field(examples=["周敏"])
    service_team_id: int | None = Field(examples=[None])
    service_team_name: str | None = Field(examples=["修理队"])


class Similar(IncidentOut):
    """An open incident that may be the same one."""

    distance_m: float | None = Field(description="In the community's metric CRS.", examples=[17.3])
    same_building: bool = Field(examples=[False])
    age_s: float = Field(description="Seconds since it was reported.", examples=[86400.0])


class Assignment(Input):
    """Incidents to be assigned, to one account or each to whoever is there for its place."""

    incident_ids: Annotated[list[Reference], Field(min_length=1, max_length=500)] = Field(examples=[[612, 613]])
    assignee_id: Reference | None = Field(None, examples=[12])
    service_team_id: Reference | None = Field(None, description="The service team that does the work.", examples=[3])
    note: Text | None = Field(None, examples=["本周内完成"])


class Assigned(Output):
    """What an assignment of many did."""

    assigned: int = Field(description="How many got another assignee.", examples=[2])


class Contact(Output):
    """How the one who asked can be told."""

    contact: str | None = Field(examples=["13800000000"])


class Near(listing.Parameters):
    """How far around an incident others are asked for."""

    distance_m: Annotated[float, Query(ge=1, le=1000, description="How far away at most, in metres.")] = (
        incidents.NEARBY_M
    )


class Alike(Near):
    """What is about to be reported, and where."""

    community_id: Annotated[int, Query(ge=1, le=ID_MAX, description="The community to look in.")]
    category_code: Annotated[Code, Query(description="The category.", examples=["facility.corridor_light"])]
    lon: Annotated[Lon | None, Query(description="Longitude in degrees.", examples=[121.4321])] = None
    lat: Annotated[Lat | None, Query(description="Latitude in degrees.", examples=[31.2345])] = None
    building_id: Annotated[int | None, Query(ge=1, le=ID_MAX, description="At this building too.")] = None


class IncidentFilters(listing.Filters[incidents.Filter]):
    """Which incidents a request asks for: the same parameters for lists, counts, pages, tiles and exports."""

    private = frozenset({"q"})

    community: CommunityCode = None
    grid: GridCode = None
    state: States = None
    category: Categories = None
    first: From = None
    last: To = None
    overdue: Annotated[bool | None, Query(description="Only those still open after their time (or not).")] = None
    building: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only at the building with this id.")] = None
    located: Annotated[bool | None, Query(description="Only with (or without) a place.")] = None
    step: Annotated[
        str | None, Query(description="Steps, with commas between.", examples=["reported"], max_length=200)
    ] = None
    tier: Annotated[str | None, Query(description="Tiers, with commas between.", max_length=100)] = None
    level: Annotated[str | None, Query(description="Levels, with commas between.", max_length=100)] = None
    source: Annotated[str | None, Query(description="Sources, with commas between.", max_length=200)] = None
    assignee: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only what this account sees to.")] = None
    service_team: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only what this service team works on.")] = (
        None
    )
    supervised: Annotated[bool | None, Query(description="Only those that the street follows (or not).")] = None
    recurrent: Annotated[bool | None, Query(description="Only those that came again (or not).")] = None
    merged: Annotated[bool, Query(description="Also those merged into another, which count with that one.")] = False
    unit: Annotated[
        Code | None, Query(description="Only in or below the unit with this code, whatever community says.")
    ] = None
    due_soon: Annotated[
        bool | None, Query(description="Only open ones that are due soon by the reminder rules (or not).")
    ] = None
    closed_first: Annotated[Day | None, Query(alias="closed_from", description="Closed from this day on.")] = None
    closed_last: Annotated[Day | None, Query(alias="closed_to", description="Closed up to this day.")] = None
    reopened: Annotated[bool | None, Query(description="Only those opened again after they were settled.")] = None
    bbox: BBox = None
    q: PersonalTerm = None

    def wanted(self) -> incidents.Filter:
        """The same for ``data``."""
        return incidents.Filter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            states=listing.choices(self.state, list(State), "state"),
            categories=listing.choices(self.category, None, "category"),
            first=self.first,
            last=self.last,
            overdue=self.overdue,
            box=listing.box(self.bbox),
            text=self.q,
            located=self.located,
            steps=listing.choices(self.step, list(Step), "step"),
            tiers=listing.choices(self.tier, list(Tier), "tier"),
            levels=listing.choices(self.level, list(Level), "level"),
            sources=listing.choices(self.source, None, "source"),
            assignee_id=self.assignee,
            service_team_id=self.service_team,
            supervised=self.supervised,
            recurrent=self.recurrent,
            merged=self.merged,
            unit=self.unit,
            due_soon=self.due_soon,
            closed_first=self.closed_first,
            closed_last=self.closed_last,
            reopened=self.reopened,
        )


class IncidentList(IncidentFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = incidents.SORTS
    sort: str = listing.sorted_by(SORTS, "-reported")


def incident(row: Row[Any]) -> IncidentOut:
    """A row of ``incidents.selection`` as it is handed out."""
    name = language.named(row, "category")
    return IncidentOut.model_validate({**row._mapping, "category_name": name})


@api.get("/incidents", summary="List incidents", response_model=Listed[IncidentOut], responses=listing.AS_GEOJSON)
def list_incidents(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[IncidentList, Query()],
) -> Listed[IncidentOut] | Response:
    """The incidents one may see, newest first."""
    return listing.answer(
        request,
        session,
        incidents.selection(actor, asked.wanted()),
        asked,
        key=Incident.id,
        item=incident,
        geom=Incident.geom,
    )


@api.get("/incidents/counts", summary="Count incidents")
def count_incidents(session: Session, actor: Read, asked: Annotated[IncidentFilters, Query()]) -> Counts:
    """How many incidents of each state and each category there are under a filter."""
    wanted = asked.wanted()
    by_state = incidents.counts(session, actor, wanted)
    by_category = incidents.counts(session, actor, wanted, by=Incident.category_code)
    return Counts.model_validate({"by_state": by_state, "by_category": by_category, "total": sum(by_state.values())})


@api.post("/incidents", summary="Report an incident", status_code=status.HTTP_201_CREATED, response_model=IncidentOut)
async def report_incident(
    request: Request, response: Response, actor: Report, body: IncidentNew, prefer: Prefer = None
) -> IncidentOut | Response:
    """A new incident; it is numbered and located here."""

    told = await briefly(request, actor, _report, body, _brief(prefer))
    response.headers["Location"] = f"/api/incidents/{told.id}"
    return _told(response, told, status.HTTP_201_CREATED)


def _report(session: orm.Session, actor: Actor, body: IncidentNew, brief: bool) -> Told:
    community = units.community(session, actor, body.community_id)
    values = body.model_dump(exclude={"community_id"})
    return _tell(session, incidents.report(session, actor, community=community, **values), brief)


@api.get("/incidents/similar", summary="Find incidents that may be the same")
def similar_incidents(session: Session, actor: Read, asked: Annotated[Alike, Query()]) -> list[Similar]:
    """Open incidents of the category near a point or at a building, the nearest first: look before you report."""
    return [_similar(row) for row in incidents.similar(session, actor, **dict(asked))]


@api.post("/incidents/assign", summary="Assign many incidents")
def assign_incidents(session: Session, actor: Edit, body: Assignment) -> Assigned:
    """Assign incidents, all of them or none; those that nobody has triaged yet are triaged as their category says."""
    done = incidents.assign_all(session, actor, **body.model_dump(exclude={"incident_ids"}), ids=body.incident_ids)
    return Assigned(assigned=len(done))


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


@api.get("/incidents/{incident_id}/actions", summary="What can be done with an incident")
def allowed_actions(session: Session, actor: Read, incident_id: Id) -> list[Action]:
    """What one may do with the incident as it stands."""
    return incidents.allowed(session, actor, incidents.get(session, actor, incident_id))


@api.post("/incidents/{incident_id}/actions", summary="Do something with an incident", response_model=IncidentOut)
async def act_on_incident(
    request: Request,
    response: Response,
    actor: Read,
    incident_id: Id,
    body: Act,
    if_match: concurrency.IfMatch = None,
    prefer: Prefer = None,
) -> IncidentOut | Response:
    """Triage, assign, start, resolve, give feedback, close … as the table of transitions allows."""

    told = await briefly(request, actor, _act, incident_id, body, if_match, _brief(prefer))
    return _told(response, told, status.HTTP_204_NO_CONTENT)


def _act(session: orm.Session, actor: Actor, incident_id: int, body: Act, if_match: str | None, brief: bool) -> Told:
    # Two that are merged are locked in the order of their ids.
    found = _as_looked_at(session, actor, incident_id, body.step, if_match, lock=body.into_id is None)
    into = incidents.get(session, actor, body.into_id) if body.into_id else None
    said = body.model_dump(exclude={"action", "into_id", "step"})
    incidents.act(session, actor, found, body.action, into=into, **said)
    return _tell(session, found, brief)


@api.post("/incidents/{incident_id}/settle", summary="Settle an incident on the spot", response_model=IncidentOut)
async def settle_incident(
    request: Request,
    response: Response,
    actor: Read,
    incident_id: Id,
    body: Settle,
    if_match: concurrency.IfMatch = None,
    prefer: Prefer = None,
) -> IncidentOut | Response:
    """Resolve, give feedback and close at once, each as a step of its own: all three or none."""
    told = await briefly(request, actor, _settle, incident_id, body, if_match, _brief(prefer))
    return _told(response, told, status.HTTP_204_NO_CONTENT)


def _settle(
    session: orm.Session, actor: Actor, incident_id: int, body: Settle, if_match: str | None, brief: bool
) -> Told:
    found = _as_looked_at(session, actor, incident_id, body.step, if_match)
    incidents.settle(session, actor, found, note=body.note, feedback=body.told, public=body.public)
    return _tell(session, found, brief)


def _as_looked_at(
    session: orm.Session, actor: Actor, incident_id: int, step: Step | None, if_match: str | None, *, lock: bool = True
) -> Incident:
    """The incident, if it still is as it was when it was looked at."""
    found = incidents.get(session, actor, incident_id, lock=lock)
    concurrency.check(session, found, if_match)
    incidents.check_seen(found, step)
    return found


@api.get("/incidents/{incident_id}/steps", summary="Steps of an incident")
def incident_steps(session: Session, actor: Read, incident_id: Id) -> list[StepOut]:
    """What was done with an incident, the earliest first; of a merged one also what was done with its original."""
    found = incidents.get(session, actor, incident_id)
    return [StepOut.model_validate(row) for row in incidents.steps(session, actor, found)]


@api.get("/incidents/{incident_id}/similar", summary="Incidents that may be the same as this one")
def similar_to_incident(
    session: Session, actor: Read, incident_id: Id, asked: Annotated[Near, Query()]
) -> list[Similar]:
    """Open incidents of the same category nearby or at the same building, the nearest first."""
    found = incidents.get(session, actor, incident_id)
    return [_similar(row) for row in incidents.similar_to(session, actor, found, distance_m=asked.distance_m)]


@api.get("/incidents/{incident_id}/merged", summary="Incidents merged into this one")
def merged_incidents(session: Session, actor: Read, incident_id: Id) -> list[IncidentOut]:
    """The incidents that count with this one, the earliest first."""
    return [incident(row) for row in incidents.merged(session, actor, incidents.get(session, actor, incident_id))]


@api.post("/incidents/{incident_id}/contact", summary="Show how the one who asked can be told")
def incident_contact(session: Session, actor: Unmask, incident_id: Id, body: Purpose) -> Contact:
    """The contact in full, for a stated purpose. This is recorded."""
    found = incidents.get(session, actor, incident_id)
    return Contact(contact=incidents.contact(session, actor, found, body.purpose))


def _similar(row: dict[str, Any]) -> Similar:
    name = language.named(row, "category")
    return Similar.model_validate({**row, "category_name": name, "age_s": row["age"].total_seconds()})


def _answer(response: Response, session: orm.Session, found: Incident) -> IncidentOut:
    concurrency.tag(response, found)
    return incident(incidents.row(session, found))


class Told(NamedTuple):
    """What is answered of an incident after a change; without the incident for those who prefer it so."""

    id: int
    etag: str
    item: IncidentOut | None


def _tell(session: orm.Session, found: Incident, brief: bool) -> Told:
    item = None if brief else incident(incidents.row(session, found))
    return Told(found.id, concurrency.etag(found), item)


def _brief(prefer: str | None) -> bool:
    return prefer is not None and "return=minimal" in prefer.replace(" ", "").casefold()


def _told(response: Response, told: Told, status_code: int) -> IncidentOut | Response:
    """The incident as it stands now; nothing but the headers for those who prefer it so."""
    response.headers["ETag"] = told.etag
    if told.item is not None:
        return told.item
    response.headers["Preference-Applied"] = "return=minimal"
    return Response(status_code=status_code, headers=dict(response.headers))
