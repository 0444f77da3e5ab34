"""Records without a place over HTTP: the list of those still to be placed, and placing them."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator
from sqlalchemy import Row

from api.base import listing, words
from api.base.deps import Session, SignedIn, permission
from api.base.fields import Code, Id, Input, Lat, Lon, Output, Reference, refuse
from api.base.listing import CommunityCode, InCommunity, Listed
from data import households, unlocated
from data.base.access import Actor
from data.base.language import _
from data.grids import UnlocatedReason
from data.unlocated import Kind

api = APIRouter(prefix="/api/unlocated", tags=["unlocated"])


class Waiting(Output):
    """How many records of a kind have no place."""

    kind: Kind = Field(examples=["households"])
    total: int = Field(examples=[3])
    reasons: dict[UnlocatedReason, int] = Field(examples=[{"ambiguous": 1, "no_such_building": 2}])


class UnlocatedOut(Output):
    """A record without a place. What is personal is masked."""

    kind: Kind = Field(examples=["households"])
    id: int = Field(examples=[27])
    community_id: int = Field(examples=[3])
    title: str = Field(examples=["WT-04-0031, 李**"])
    address: str | None = Field(description="As it was given.", examples=["4O号楼2单元501"])
    reason: UnlocatedReason = Field(examples=["no_such_building"])
    lon: float | None = Field(description="Where it is, if that is outside every grid.", examples=[None])
    lat: float | None = Field(examples=[None])


class CandidateOut(Output):
    """A building that the address may mean."""

    building_id: int = Field(examples=[40])
    title: str = Field(examples=["40 号楼"])
    address: str | None = Field(examples=["梧桐路168弄40号"])
    score: float = Field(description="How sure that is, 0 to 1.", examples=[0.9])
    lon: float | None = Field(examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])


class UnlocatedDetail(UnlocatedOut):
    """A record without a place, and what its address may mean."""

    unit: str | None = Field(description="Of a household, as the address states it.", examples=["2"])
    room: str | None = Field(examples=["501"])
    candidates: list[CandidateOut] = Field(examples=[[]])


class Place(Input):
    """Where a record belongs: at a point on the map, or at a building; for a household also behind which door."""

    lon: Lon | None = Field(None, examples=[121.4321])
    lat: Lat | None = Field(None, examples=[31.2345])
    building_id: Reference | None = Field(None, examples=[None])
    unit: Code | None = Field(None, description="Of a household; else what its address states.", examples=[None])
    room: Code | None = Field(None, examples=[None])

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.lon is None) != (self.lat is None):
            raise refuse(_("A place needs both lon and lat."))
        if (self.lon is None) == (self.building_id is None):
            raise refuse(_("Give either a point or a building."))
        return self


class Placed(Output):
    """A record that got its place."""

    kind: Kind = Field(examples=["households"])
    id: int = Field(examples=[27])
    located_by: str = Field(examples=["manual"])
    grid_id: int | None = Field(None, examples=[7])
    building_id: int | None = Field(None, examples=[40])
    dwelling_id: int | None = Field(None, examples=[341])


def title(kind: Kind, row: Row[Any]) -> str:
    """What a row of ``unlocated.selection`` is called, masked."""
    if kind == Kind.HOUSEHOLDS:
        head = households.masked({"head_name": row.head_name})["head_name"]
        return _(", ").join(part for part in (row.number, head) if part)
    if kind == Kind.INCIDENTS:
        return words.title(row)
    return words.building(row.number, row.name, row.code)


def door(place: Place) -> unlocated.Door | None:
    """The door that was named, if any was."""
    return unlocated.Door(place.unit, place.room) if place.unit or place.room else None


@api.get("", summary="Count records without a place")
def count_unlocated(session: Session, actor: SignedIn, asked: Annotated[InCommunity, Query()]) -> list[Waiting]:
    """How many records of each kind that one may see have no place, and why."""
    found = unlocated.counts(session, actor, asked.community)
    return [
        Waiting.model_validate({"kind": kind, "total": sum(reasons.values()), "reasons": reasons})
        for kind, reasons in found.items()
    ]


def _routes(kind: Kind) -> None:
    """The routes of one kind: each needs the permission of its feature."""

    def shown(row: Row[Any]) -> UnlocatedOut:
        return UnlocatedOut.model_validate(
            {
                "kind": kind,
                "id": row.id,
                "community_id": row.community_id,
                "title": title(kind, row),
                "address": row.address,
                "reason": row.unlocated_reason,
                "lon": row.lon,
                "lat": row.lat,
            }
        )

    class Asked(listing.Placed):
        """Which of them the address of the list asks for."""

        SORTS = unlocated.SORTS[kind]
        sort: str = listing.sorted_by(SORTS, "id")
        community: CommunityCode = None
        reason: Annotated[UnlocatedReason | None, Query(description="Only for this reason.")] = None

    @api.get(
        f"/{kind}",
        summary=f"List {kind} without a place",
        operation_id=f"list_unlocated_{kind}",
        response_model=Listed[UnlocatedOut],
        responses=listing.AS_GEOJSON,
    )
    def list_unlocated(
        request: Request,
        session: Session,
        actor: Annotated[Actor, permission(unlocated.READ[kind])],
        asked: Annotated[Asked, Query()],
    ) -> Listed[UnlocatedOut] | Response:
        """Those without a place that one may see."""
        query = unlocated.selection(actor, kind, community=asked.community, reason=asked.reason)
        return listing.answer(
            request,
            session,
            query,
            asked,
            key=unlocated.key(kind),
            item=shown,
            geom=unlocated.geom(kind),
        )

    @api.get(
        f"/{kind}/{{record_id}}",
        summary=f"Get one of the {kind} without a place",
        operation_id=f"get_unlocated_{kind}",
        responses={409: {}},
    )
    def get_unlocated(
        session: Session, record_id: Id, actor: Actor = permission(unlocated.READ[kind])
    ) -> UnlocatedDetail:
        """One without a place, and the buildings that its address may mean."""
        record = unlocated.get(session, actor, kind, record_id)
        row = unlocated.row(session, actor, kind, record_id)
        stated = unlocated.door_of(record) if kind == Kind.HOUSEHOLDS else unlocated.Door()
        candidates = [
            {
                "building_id": one.building.id,
                "address": one.building.address,
                "score": one.score,
                "title": words.building(one.building.number, one.building.name, one.building.code),
                "lon": one.building.lon,
                "lat": one.building.lat,
            }
            for one in unlocated.candidates(session, actor, record)
        ]
        return UnlocatedDetail.model_validate(
            {**shown(row).model_dump(), "unit": stated.unit, "room": stated.room, "candidates": candidates}
        )

    @api.post(f"/{kind}/{{record_id}}", summary=f"Place one of the {kind}", operation_id=f"place_{kind}")
    def place(session: Session, record_id: Id, body: Place, actor: Actor = permission(unlocated.EDIT[kind])) -> Placed:
        """Give a record its place by hand; it is then located `manual`."""
        record = unlocated.place(
            session, actor, kind, record_id, lon=body.lon, lat=body.lat, building_id=body.building_id, door=door(body)
        )
        return Placed.model_validate(
            {
                "kind": kind,
                "id": record.id,
                "located_by": record.located_by,
                **{name: getattr(record, name, None) for name in ("grid_id", "building_id", "dwelling_id")},
            }
        )


for _kind in Kind:
    _routes(_kind)
