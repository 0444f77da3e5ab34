"""Patrols over HTTP: what a phone sends, and what was walked.

Everything a phone sends may be sent again: a patrol, a check-in and a note bear a `uuid` that the phone made, a point
its `seq` within the patrol. What is there already stays as it is; what comes late or out of order finds its place.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile, status
from pydantic import Field
from sqlalchemy import Row, orm
from starlette.responses import JSONResponse

from api.base import listing
from api.base.deps import Session, briefly, permission
from api.base.fields import ID_MAX, Code, Day, Id, Input, Instant, Lat, Lon, Output, Reference, Text
from api.base.listing import AS_GEOJSON, GEOJSON, BBox, CommunityCode, From, GridCode, Listed, To
from data import coverage, incidents, patrols, rounds, units
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.exchange import patrols as walked
from data.exchange import tracks
from data.patrols import Patrol, Source

api = APIRouter(prefix="/api", tags=["patrols"])
Record = Annotated[Actor, permission("patrol.record")]
#: One's own tracks are seen by whoever records some, those of others need `patrol.read` and an order for that day.
Read = Annotated[Actor, permission("coverage.read")]
Edit = Annotated[Actor, permission("patrol.edit")]
#: Whoever notes something on a patrol reports a case.
Report = Annotated[Actor, permission("patrol.record", "incident.report")]
Meters = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=0, le=ID_MAX)]
BATCH_MAX = 5000


class PatrolNew(Input):
    """A patrol that begins."""

    uuid: UUID = Field(description="Made by the phone.", examples=["6f9b2c1e-3d1f-4a58-9c56-0b8f7a1d2e3c"])
    community_id: Reference = Field(examples=[3])
    grid_id: Reference | None = Field(None, examples=[7])
    round_id: Reference | None = Field(None, description="The round that is walked.", examples=[None])
    started_at: Instant = Field(examples=["2026-03-17T09:30:00+08:00"])


class PatrolOut(Output):
    """A patrol; its line comes with `f=geojson`."""

    id: int = Field(examples=[51])
    uuid: UUID = Field(examples=["6f9b2c1e-3d1f-4a58-9c56-0b8f7a1d2e3c"])
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    round_id: int | None = Field(examples=[None])
    account_id: int | None = Field(description="Who walked.", examples=[5])
    account_name: str | None = Field(examples=["陈建国"])
    source: Source = Field(examples=["phone"])
    name: str | None = Field(examples=[None])
    started_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    stopped_at: datetime | None = Field(examples=["2026-03-17T02:15:00Z"])
    length_m: float = Field(description="Of the kept points.", examples=[2140.5])
    point_count: int = Field(examples=[540])
    dropped_count: int = Field(description="Points that are not believed.", examples=[12])
    updated_at: datetime = Field(examples=["2026-03-17T02:15:01Z"])


class PatrolDetail(PatrolOut):
    """A patrol with what was left out of its track, its check-ins and its notes."""

    dropped: dict[str, int] = Field(description="Points by the reason for which they were dropped.")
    check_ins: list[CheckInOut]
    incident_ids: list[int] = Field(description="Cases noted on the way that one may see.", examples=[[612]])


class PointNew(Input):
    """A point of a live track."""

    seq: Number = Field(description="Its number within the patrol, from 0.", examples=[0])
    at: Instant = Field(examples=["2026-03-17T09:30:05+08:00"])
    lon: Lon = Field(examples=[121.4321])
    lat: Lat = Field(examples=[31.2345])
    accuracy_m: Meters | None = Field(None, description="As the phone states it.", examples=[6.5])


class Points(Input):
    """A batch of points, in any order."""

    points: Annotated[list[PointNew], Field(max_length=BATCH_MAX)]


class ReceivedOut(Output):
    """What became of a batch."""

    received: int = Field(examples=[30])
    new: int = Field(description="How many were not there yet.", examples=[30])
    total: int = Field(description="How many the patrol has now.", examples=[540])
    through: int = Field(description="All points up to this number are there; -1: not even the first.", examples=[539])


class PointOut(Output):
    """A point as it was recorded, and why it is not believed if it is not."""

    seq: int = Field(examples=[0])
    at: datetime | None = Field(examples=["2026-03-17T01:30:05Z"])
    lon: float | None = Field(examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    accuracy_m: float | None = Field(examples=[6.5])
    kept: bool = Field(examples=[True])
    reason: str | None = Field(description="Of `spatial.tracks.Reason`: jump, too_fast, standing …", examples=[None])
    part: int | None = Field(description="Parts are walked without a gap.", examples=[0])


class CheckInNew(Input):
    """Whoever walks is at a building."""

    uuid: UUID = Field(examples=["0d1c8a2e-8f5f-4b0e-9d57-2a6a3f8f9b11"])
    building_id: Reference = Field(examples=[18])
    at: Instant = Field(examples=["2026-03-17T09:41:00+08:00"])
    lon: Lon | None = Field(None, examples=[121.4321])
    lat: Lat | None = Field(None, examples=[31.2345])
    accuracy_m: Meters | None = Field(None, examples=[8.0])
    note: Text | None = Field(None, examples=[None])


class CheckInOut(Output):
    """A check-in."""

    id: int = Field(examples=[90])
    uuid: UUID = Field(examples=["0d1c8a2e-8f5f-4b0e-9d57-2a6a3f8f9b11"])
    building_id: int = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    at: datetime = Field(examples=["2026-03-17T01:41:00Z"])
    lon: float | None = Field(examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    accuracy_m: float | None = Field(examples=[8.0])
    distance_m: float | None = Field(description="From the stated place to the building.", examples=[4.2])
    note: str | None = Field(examples=[None])


class NoteOut(Output):
    """The case that a note became."""

    incident_id: int = Field(examples=[612])
    number: str = Field(examples=["20260317-006"])


class Stop(Input):
    """A patrol ends."""

    at: Instant = Field(examples=["2026-03-17T10:15:00+08:00"])


class ImportedOut(Output):
    """What became of one track of a file."""

    name: str | None = Field(examples=["2026-03-17 早巡"])
    patrol_id: int | None = Field(description="The patrol it became; empty when it was refused.", examples=[51])
    known: bool = Field(description="It had been imported before.", examples=[False])
    points: int = Field(examples=[813])
    kept: int = Field(examples=[689])
    dropped: dict[str, int] = Field(description="Points by reason.", examples=[{"standing": 108, "jump": 2}])
    refused: str | None = Field(description="Why it was not taken.", examples=[None])
    note: str | None = Field(description="What was concluded of its times.", examples=[None])


PatrolDetail.model_rebuild()


class PatrolFilters(listing.Filters[patrols.Filter]):
    """Which patrols a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    account: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of this account.")] = None
    round_: Annotated[int | None, Query(alias="round", ge=1, le=ID_MAX, description="Only of this round.")] = None
    first: From = None
    last: To = None
    running: Annotated[bool | None, Query(description="Only those that have not ended (or have).")] = None
    bbox: BBox = None

    def wanted(self) -> patrols.Filter:
        """The same for ``data``."""
        return patrols.Filter(
            community=self.community,
            grid=self.grid,
            account_id=self.account,
            round_id=self.round_,
            first=self.first,
            last=self.last,
            running=self.running,
            box=listing.box(self.bbox),
        )


class PatrolList(PatrolFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = patrols.SORTS
    sort: str = listing.sorted_by(SORTS, "-started")


@api.get("/patrols", summary="List patrols", response_model=Listed[PatrolOut], responses=AS_GEOJSON)
def list_patrols(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[PatrolList, Query()],
) -> Listed[PatrolOut] | Response:
    """One's own patrols and those one may see, the latest first.

    As GeoJSON they come with their tracks, and that one looked at those of others is recorded.
    """
    shown: list[int] = []

    def item(row: Row[Any]) -> PatrolOut:
        shown.append(row.id)
        return _patrol(row)

    answer = listing.answer(
        request,
        session,
        patrols.selection(actor, asked.wanted()),
        asked,
        key=Patrol.id,
        item=item,
        geom=Patrol.geom,
    )
    if asked.as_geojson(request):
        patrols.looked_at(session, actor, shown)
    return answer


@api.post("/patrols", summary="Start a patrol", status_code=status.HTTP_201_CREATED)
def start_patrol(response: Response, session: Session, actor: Record, body: PatrolNew) -> PatrolOut:
    """A new patrol of one's own; sent again, the same one."""
    if body.round_id is not None:
        _check_round(session, actor, body.round_id, body.community_id)
    found = patrols.start(session, actor, **body.model_dump())
    response.headers["Location"] = f"/api/patrols/{found.id}"
    return _one(session, found)


def _check_round(session: Session, actor: Actor, round_id: int, community_id: int) -> None:
    if rounds.get(session, actor, round_id).community_id != community_id:
        raise Invalid(_("The round lies in another community."), field="body.round_id")


@api.post("/patrols/import", summary="Import tracks")
def import_tracks(
    session: Session,
    actor: Record,
    file: Annotated[UploadFile, File(description="GPX or GeoJSON.")],
    community: Annotated[Code, Form(description="The code of the community.")],
    grid: Annotated[Code | None, Form(description="The code of the grid it was walked for.")] = None,
    account_id: Annotated[Reference | None, Form(description="Who walked, if not oneself.")] = None,
    round_id: Annotated[Reference | None, Form(description="The round that was walked.")] = None,
    day: Annotated[Day | None, Form(description="When tracks without times were walked.")] = None,
) -> list[ImportedOut]:
    """Each track of the file becomes a patrol; one that cannot be believed is sent back with a sentence.

    The same file again brings nothing new.
    """
    place = units.by_code(session, actor, community, units.Level.COMMUNITY)
    within = units.by_code(session, actor, grid, units.Level.GRID) if grid else None
    if round_id is not None:
        _check_round(session, actor, round_id, place.id)
    done = walked.bring_in(
        session,
        actor,
        file.file.read(tracks.BYTES_MAX + 1),
        file.filename or "",
        community=place,
        grid_id=within.id if within else None,
        account_id=account_id,
        round_id=round_id,
        day=day,
    )
    return [ImportedOut.model_validate(one) for one in done]


@api.get("/patrols/{patrol_id}", summary="Get a patrol")
def get_patrol(session: Session, actor: Read, patrol_id: Id) -> PatrolDetail:
    """A patrol with what was left out of its track, its check-ins and its cases.

    That one looked at what somebody else walked is recorded.
    """
    found = patrols.get(session, actor, patrol_id)
    patrols.looked_at(session, actor, [found.id])
    noted = [row.incident_id for row in patrols.notes(session, found)]
    return PatrolDetail.model_validate(
        {
            **_one(session, found).model_dump(),
            "dropped": patrols.dropped(session, found),
            "check_ins": patrols.check_ins(session, found),
            "incident_ids": sorted(row.id for row in incidents.chosen(session, actor, noted)),
        }
    )


@api.post("/patrols/{patrol_id}/points", summary="Send points")
async def add_points(request: Request, actor: Record, patrol_id: Id, body: Points) -> ReceivedOut:
    """Points of a patrol of one's own, in any order and also after it ended; each is kept once."""
    return await briefly(request, actor, _add_points, patrol_id, body)


def _add_points(session: orm.Session, actor: Actor, patrol_id: int, body: Points) -> ReceivedOut:
    found = patrols.get(session, actor, patrol_id)
    batch = [patrols.Point(**point.model_dump()) for point in body.points]
    received = patrols.add_points(session, actor, found, batch)
    if received.new:
        coverage.refresh(session, found)
    return ReceivedOut.model_validate(received)


class PointsAsked(listing.Parameters):
    """How the points of a patrol are asked for."""

    f: Annotated[str, Query(pattern="^(json|geojson)$", description="The form of the answer: json or geojson.")] = (
        "json"
    )


@api.get(
    "/patrols/{patrol_id}/points", summary="All points of a patrol", response_model=list[PointOut], responses=AS_GEOJSON
)
def list_points(
    session: Session,
    actor: Read,
    patrol_id: Id,
    asked: Annotated[PointsAsked, Query()],
) -> list[PointOut] | Response:
    """Every point as it was recorded, in order; with `reason` where it is not believed.

    That one looked at the track of somebody else is recorded.
    """
    patrol = patrols.get(session, actor, patrol_id)
    patrols.looked_at(session, actor, [patrol.id])
    found = [PointOut.model_validate(row) for row in patrols.points(session, patrol)]
    if asked.f == "json":
        return found
    features = [
        {
            "type": "Feature",
            "id": one.seq,
            "geometry": None if one.lon is None else {"type": "Point", "coordinates": [one.lon, one.lat]},
            "properties": one.model_dump(mode="json", exclude={"lon", "lat"}),
        }
        for one in found
    ]
    return JSONResponse({"type": "FeatureCollection", "features": features, "links": []}, media_type=GEOJSON)


@api.post("/patrols/{patrol_id}/check-ins", summary="Check in at a building", status_code=status.HTTP_201_CREATED)
def check_in(session: Session, actor: Record, patrol_id: Id, body: CheckInNew) -> CheckInOut:
    """Note that one is at a building; the building counts as seen unless the stated place says otherwise."""
    found = patrols.get(session, actor, patrol_id)
    made = patrols.check_in(session, actor, found, **body.model_dump())
    coverage.refresh(session, found)
    (row,) = [row for row in patrols.check_ins(session, found) if row.id == made.id]
    return CheckInOut.model_validate(row)


@api.post("/patrols/{patrol_id}/notes", summary="Note something", status_code=status.HTTP_201_CREATED)
def note(
    session: Session,
    actor: Report,
    patrol_id: Id,
    uuid: Annotated[UUID, Form()],
    at: Annotated[Instant, Form()],
    category_code: Annotated[Code, Form()],
    description: Annotated[Text | None, Form()] = None,
    lon: Annotated[Lon | None, Form()] = None,
    lat: Annotated[Lat | None, Form()] = None,
    accuracy_m: Annotated[Meters | None, Form()] = None,
    building_id: Annotated[Reference | None, Form()] = None,
    photo: Annotated[UploadFile | None, File(description="JPEG, PNG or WebP.")] = None,
) -> NoteOut:
    """What one came across becomes a case, with its photo; sent again, it is the same.

    It may lie anywhere in the community, and goes to those whose grid it lies in.
    """
    if (lon is None) != (lat is None):
        raise Invalid(_("A place needs both lon and lat."), field="body.lon")
    noted = patrols.note(
        session,
        actor,
        patrols.get(session, actor, patrol_id),
        uuid=uuid,
        at=at,
        category_code=category_code,
        photo=photo.file.read() if photo is not None else None,
        description=description,
        lon=lon,
        lat=lat,
        building_id=building_id,
        accuracy_m=accuracy_m,
    )
    return NoteOut(incident_id=noted.incident_id, number=noted.number)


@api.post("/patrols/{patrol_id}/stop", summary="End a patrol")
def stop_patrol(session: Session, actor: Record, patrol_id: Id, body: Stop) -> PatrolOut:
    """A patrol of one's own ends; points that are still on the phone may follow."""
    found = patrols.get(session, actor, patrol_id)
    return _one(session, patrols.stop(session, actor, found, at=body.at))


@api.delete("/patrols/{patrol_id}", summary="Remove a patrol", status_code=status.HTTP_204_NO_CONTENT)
def remove_patrol(session: Session, actor: Edit, patrol_id: Id) -> None:
    """Remove a patrol with its track; what it saw is taken back, cases stay."""
    coverage.remove(session, actor, patrols.get(session, actor, patrol_id))


def _patrol(row: Row[Any]) -> PatrolOut:
    return PatrolOut.model_validate(row)


def _one(session: Session, found: Patrol) -> PatrolOut:
    session.flush()
    return _patrol(patrols.row(session, found))
