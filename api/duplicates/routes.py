"""Duplicates over HTTP: pairs that may be one, what both say, merging, and taking it back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Code, Id, Input, Output, PurposeText, Reference
from api.base.listing import CommunityCode, Listed
from data import duplicates, households
from data.base.access import Actor
from data.duplicates import Duplicate, Kind, Merger, Reason

api = APIRouter(prefix="/api/duplicates", tags=["households"])
Look = Annotated[Actor, permission(*duplicates.NEEDED)]
Value = str | int | float | bool | date | datetime | None


class PairOut(Output):
    """Two residents, or two households with their heads, that may be one. Names are masked."""

    id: int = Field(examples=[5])
    kind: Kind = Field(examples=["resident"])
    a_id: int = Field(description="The one with the smaller id.", examples=[81])
    b_id: int = Field(examples=[346])
    name_a: str | None = Field(examples=["李**"])
    name_b: str | None = Field(examples=["李**"])
    number_a: str | None = Field(description="Of the household.", examples=["WT-04-0031"])
    number_b: str | None = Field(examples=["WT-04-0112"])
    score: float = Field(description="How alike they are, 0 to 1.", examples=[0.85])
    reasons: list[Reason] = Field(description="What speaks for it, and against it.", examples=[["identity", "name"]])
    apart_at: datetime | None = Field(description="When somebody said that they are two.", examples=[None])


class FieldOut(Output):
    """What both records say of a field, masked where it is personal."""

    field: str = Field(examples=["phone"])
    a: Value = Field(examples=["138****6021"])
    b: Value = Field(examples=[None])
    same: bool = Field(description="Whether both say the same, also where it is masked.", examples=[False])


class BothOut(Output):
    """A pair, field by field."""

    id: int = Field(examples=[5])
    kind: Kind = Field(examples=["resident"])
    a_id: int = Field(examples=[81])
    b_id: int = Field(examples=[346])
    fields: list[FieldOut]


class Shown(Output):
    """The personal fields of both in full. That they were shown, to whom and what for, is recorded."""

    a: dict[str, Value] = Field(examples=[{"phone": "13800006021"}])
    b: dict[str, Value] = Field(examples=[{"phone": None}])


class Purpose(Input):
    """What the personal data of both is needed for."""

    purpose: PurposeText = Field(examples=["核对是否同一人"])


class Choice(Input):
    """Which record stays, and which fields are taken from the other one."""

    kept_id: Reference = Field(description="`a_id` or `b_id`.", examples=[81])
    taken: Annotated[list[Code], Field(max_length=100)] = Field(
        default_factory=list, description="Fields whose value comes from the record that goes.", examples=[["phone"]]
    )


class Parted(Input):
    """Whether they are two."""

    apart: bool = Field(examples=[True])


class MergerOut(Output):
    """Two records that were made one."""

    id: int = Field(examples=[2])
    kind: Kind = Field(examples=["resident"])
    kept_id: int = Field(examples=[81])
    gone_id: int = Field(examples=[346])
    at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    taken: list[str] = Field(examples=[["phone"]])
    undone_at: datetime | None = Field(examples=[None])


class PairList(listing.Paged):
    """Which pairs."""

    SORTS = duplicates.SORTS
    community: CommunityCode = None
    kind: Annotated[Kind, Query(description="Residents, or households.")] = Kind.RESIDENT
    apart: Annotated[bool, Query(description="Those of which somebody said that they are two.")] = False
    sort: str = listing.sorted_by(SORTS, "-score")


class MergerList(listing.Parameters):
    """Where it was merged."""

    community: CommunityCode = None


@api.get("", summary="List pairs that may be one", response_model=Listed[PairOut])
def list_pairs(
    request: Request, session: Session, actor: Look, asked: Annotated[PairList, Query()]
) -> Listed[PairOut] | Response:
    """The pairs that may be one, where one may see and change both in full in the whole community."""
    query = duplicates.selection(actor, asked.kind, asked.community, apart=asked.apart)
    return listing.answer(request, session, query, asked, key=Duplicate.id, item=pair)


@api.get("/merged", summary="List what was merged")
def list_mergers(session: Session, actor: Look, asked: Annotated[MergerList, Query()]) -> list[MergerOut]:
    """What was merged, the latest first."""
    return [_merger(row) for row in duplicates.mergers(session, actor, asked.community)]


@api.post("/merged/{merger_id}/undo", summary="Take a merger back")
def undo_merger(session: Session, actor: Look, merger_id: Id) -> MergerOut:
    """Both records are there again, each with what hung on it."""
    return _merger(duplicates.undo(session, actor, merger_id))


@api.get("/{duplicate_id}", summary="Get a pair")
def get_pair(session: Session, actor: Look, duplicate_id: Id) -> BothOut:
    """What both records say, field by field, masked."""
    found = duplicates.get(session, actor, duplicate_id)
    a, b = duplicates.both(session, found)
    names = duplicates.fields(found.kind)
    shown = [households.masked({name: getattr(record, name) for name in names}) for record in (a, b)]
    rows = [
        FieldOut(field=name, a=shown[0][name], b=shown[1][name], same=getattr(a, name) == getattr(b, name))
        for name in names
    ]
    return BothOut(id=found.id, kind=found.kind, a_id=found.ids[0], b_id=found.ids[1], fields=rows)


@api.post("/{duplicate_id}/unmask", summary="Show the personal data of both")
def unmask_pair(session: Session, actor: Look, duplicate_id: Id, body: Purpose) -> Shown:
    """The personal fields of both in full, for a stated purpose. This is recorded for each of them."""
    found = duplicates.get(session, actor, duplicate_id)
    a, b = (households.unmask(session, actor, one, body.purpose) for one in duplicates.both(session, found))
    return Shown(a=a, b=b)


@api.post("/{duplicate_id}/merge", summary="Make one of two")
def merge_pair(session: Session, actor: Look, duplicate_id: Id, body: Choice) -> MergerOut:
    """One record stays with its history; whatever hangs on the other one is moved to it."""
    found = duplicates.get(session, actor, duplicate_id, lock=True)
    return _merger(duplicates.merge(session, actor, found, kept_id=body.kept_id, taken=body.taken))


@api.post("/{duplicate_id}/part", summary="Say that they are two")
def part_pair(session: Session, actor: Look, duplicate_id: Id, body: Parted) -> BothOut:
    """They are two, and it is never asked again; or it is asked again."""
    duplicates.part(session, actor, duplicates.get(session, actor, duplicate_id, lock=True), apart=body.apart)
    return get_pair(session, actor, duplicate_id)


def pair(row: Any) -> PairOut:
    """A row of ``duplicates.selection`` as it is handed out: masked."""
    kind = Kind.RESIDENT if row.resident_a_id else Kind.HOUSEHOLD
    return PairOut(
        id=row.id,
        kind=kind,
        a_id=row.resident_a_id or row.household_a_id,
        b_id=row.resident_b_id or row.household_b_id,
        name_a=households.masked({"name": row.name_a})["name"],
        name_b=households.masked({"name": row.name_b})["name"],
        number_a=row.number_a,
        number_b=row.number_b,
        score=row.score,
        reasons=row.reasons,
        apart_at=row.apart_at,
    )


def _merger(row: Merger | Any) -> MergerOut:
    return MergerOut(
        id=row.id,
        kind=Kind.RESIDENT if row.resident_id else Kind.HOUSEHOLD,
        kept_id=row.resident_id or row.household_id,
        gone_id=row.gone_id,
        at=row.at,
        taken=row.taken,
        undone_at=row.undone_at,
    )
