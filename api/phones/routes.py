"""Phones over HTTP: households to take along, records to send, and facts on which phone and archive differ."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, status
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Row

from api.base import deps, listing, words
from api.base.deps import Session, permission
from api.base.fields import Code, Id, Input, Instant, Output, Reference, Text
from api.base.listing import Listed
from api.visits.routes import Asked
from data import households, incidents, phones
from data.base import db
from data.base.access import Actor
from data.base.errors import Invalid
from data.phones import Choice, Fact, Phone, Record, RecordState
from data.visits import Manner, Outcome

api = APIRouter(prefix="/api/phones", tags=["phones"])
Take = Annotated[Actor, permission("household.read", "visit.record")]
Read = Annotated[Actor, permission("household.read")]
Edit = Annotated[Actor, permission("household.edit")]
PhoneUuid = Annotated[UUID, Path(description="The name that the phone gave itself.")]
RecordUuid = Annotated[UUID, Path(description="The name that the phone gave the record.")]


class Taking(Input):
    """Whose households a phone takes along."""

    uuid: UUID = Field(
        description="Of the phone, which makes it up.", examples=["0b0e6f1e-0f0a-4c62-b0a0-2d5f3f6a9a01"]
    )
    grid: Code | None = Field(None, description="All one's own grids if left out.", examples=["990106003012004"])


class MemberTaken(Output):
    """A resident as a phone has them, masked."""

    id: int = Field(examples=[81])
    name: str = Field(examples=["李**"])
    relation: str | None = Field(examples=["head"])
    phone: str | None = Field(examples=["139****0001"])
    workplace: str | None = Field(examples=["纺织厂"])
    occupation: str | None = Field(examples=["教师"])
    seen: dict[str, str] = Field(
        description="By field what stands for its value.", examples=[{"phone": "5f0c2f4e7a31"}]
    )


class HouseholdTaken(Output):
    """A household as a phone has it, masked."""

    id: int = Field(examples=[27])
    number: str = Field(examples=["WT-04-0031"])
    building: str | None = Field(description="What its building is called.", examples=["18 号楼"])
    door: str = Field(description="What its door is called; its number where it has no place.", examples=["2 单元 501"])
    head_name: str | None = Field(examples=["李**"])
    groups: list[str] = Field(description="Names of its special groups.", examples=[["空巢"]])
    hukou: str | None = Field(examples=["urban"])
    phone: str | None = Field(examples=["139****0001"])
    due_on: date | None = Field(examples=["2026-03-20"])
    manner: Manner = Field(examples=["visit"])
    met_at: datetime | None = Field(examples=["2025-12-20T02:00:00Z"])
    tries: int = Field(examples=[1])
    seen: dict[str, str] = Field(examples=[{"phone": "5f0c2f4e7a31"}])
    members: list[MemberTaken]


class Kind(Output):
    """A code and its name."""

    code: str = Field(examples=["facility.corridor_light"])
    name: str = Field(examples=["楼道灯不亮"])


class Taken(Output):
    """What a phone takes along. It encrypts it with `key`, and forgets it after `lasts_days`."""

    uuid: UUID
    account_id: int = Field(examples=[5])
    key: str = Field(description="32 bytes as hex.", examples=["00" * 32])
    taken_at: datetime
    lasts_days: int = Field(examples=[7])
    grids: list[Kind]
    kinds: list[Kind] = Field(description="What somebody may ask for at the door.")
    hukou: list[Kind]
    may_edit: bool = Field(description="Facts may be set right at the door.", examples=[True])
    households: list[HouseholdTaken]


class FactSent(Input):
    """A fact of the archive as it was found at the door."""

    of: Annotated[str, Field(pattern="^(household|resident)$")] = Field(examples=["household"])
    of_id: Reference = Field(examples=[27])
    field: Code = Field(examples=["phone"])
    value: Annotated[str, Field(max_length=200)] | None = Field(None, examples=["13900000002"])
    seen: Code = Field(examples=["5f0c2f4e7a31"])


class RecordSent(Input):
    """A visit as a phone recorded it. Sent again under its `uuid` it is the same one."""

    uuid: UUID
    household_id: Reference = Field(examples=[27])
    outcome: Outcome = Field(examples=["met"])
    manner: Manner = Field(Manner.VISIT, examples=["visit"])
    at: Instant = Field(examples=["2026-03-17T01:30:00Z"])
    resident_id: Reference | None = Field(None, examples=[None])
    said: Text | None = Field(None, examples=["想学用手机"])
    card: bool = Field(False, examples=[False])
    request: Asked | None = Field(None, examples=[None])
    answer: Text | None = Field(None, examples=[None])
    facts: Annotated[list[FactSent], Field(max_length=50)] = Field(default_factory=list)


_LETTER = TypeAdapter(list[RecordSent])


class Sent(Input):
    """Records of a phone, in their order."""

    records: Annotated[list[RecordSent], Field(max_length=phones.MOST_RECORDS)]


class AnswerOut(Output):
    """What became of a record."""

    uuid: UUID
    state: RecordState = Field(examples=["done"])
    reason: str | None = Field(description="Why it was refused.", examples=[None])


class PhoneOut(Output):
    """A phone that took households along."""

    uuid: UUID
    account_id: int = Field(examples=[5])
    account_name: str = Field(examples=["陈立新"])
    community_id: int = Field(examples=[3])
    households: int = Field(description="How many it has.", examples=[186])
    taken_at: datetime
    lost_at: datetime | None
    wiped_at: datetime | None


class DifferenceOut(Output):
    """A fact on which a phone and the archive differ; both values are masked where they are personal."""

    id: int = Field(examples=[3])
    household_id: int = Field(examples=[27])
    of: str = Field(examples=["household"])
    field: str = Field(examples=["phone"])
    theirs: str | None = Field(description="What stands in the archive.", examples=["139****0001"])
    phones: str | None = Field(description="What the phone says.", examples=["139****0002"])
    account_name: str = Field(examples=["陈立新"])
    at: datetime


class Chosen(Input):
    """Which of two values stays."""

    choice: Choice = Field(examples=["phones"])


class PhoneList(listing.Paged):
    """What the address of the list of phones asks for."""

    SORTS = phones.SORTS
    sort: str = listing.sorted_by(SORTS, "-taken_at")


@api.get("", summary="List phones", response_model=Listed[PhoneOut])
def list_phones(request: Request, session: Session, actor: Take, asked: Annotated[PhoneList, Query()]) -> Any:
    """One's own phones, and those of the communities whose visits one arranges."""
    return listing.answer(request, session, phones.selection(actor), asked, key=Phone.id, item=PhoneOut.model_validate)


@api.post("/take", summary="Take households along")
def take(session: Session, actor: Take, body: Taking) -> Taken:
    """The households of one's grids with what is needed at their doors, masked, for a phone to keep."""
    db.plan_once(session)
    parcel = phones.take(session, actor, body.uuid, grid=body.grid)
    members: dict[int, list[MemberTaken]] = {}
    for row in parcel.members:
        members.setdefault(row.household_id, []).append(_member(row))
    groups = {group.code: words.name(group) for group in households.special_groups(session)}
    kinds = incidents.categories_offered(session) if actor.may("incident.report") else []
    return Taken(
        uuid=parcel.phone.uuid,
        account_id=parcel.phone.account_id,
        key=parcel.phone.key,
        taken_at=parcel.phone.taken_at,
        lasts_days=phones.LASTS_DAYS,
        grids=[Kind(code=grid.code, name=grid.name) for grid in parcel.grids],
        kinds=[Kind(code=kind.code, name=words.name(kind)) for kind in kinds if kind.parent_code],
        hukou=[Kind(code=code, name=name) for code, name in words.reference_names("hukou").items()],
        may_edit=actor.may("household.edit"),
        households=[_household(row, groups, members.get(row.id, [])) for row in parcel.households],
    )


def _household(row: Row[Any], groups: dict[str, str], members: list[MemberTaken]) -> HouseholdTaken:
    shown = households.masked(dict(row._mapping))
    return HouseholdTaken.model_validate(
        {
            **shown,
            "building": words.building(row.building_number) if row.building_id else None,
            "door": words.dwelling(row.unit, row.room) if row.building_id else row.number,
            "groups": [groups.get(code, code) for code in sorted(row.groups or ())],
            "seen": _seen("household", row),
            "members": members,
        }
    )


def _member(row: Row[Any]) -> MemberTaken:
    return MemberTaken.model_validate({**households.masked(dict(row._mapping)), "seen": _seen("resident", row)})


def _seen(of: str, row: Row[Any]) -> dict[str, str]:
    return {name: phones.seen(of, row.id, name, getattr(row, name)) for name in phones.FACTS[of]}


@api.post("/{phone_uuid}/records", summary="Send what was recorded")
def send(session: Session, actor: deps.SignedIn, phone_uuid: PhoneUuid, body: Sent) -> list[AnswerOut]:
    """Visits that a phone recorded without a network. Each takes effect once; what is refused says why, by itself.

    It needs no permission but to be the phone's own walker: what was done while one was allowed to counts.
    """
    phone = phones.get(session, actor, phone_uuid)
    return [AnswerOut.model_validate(answer) for answer in phones.accept(session, actor, phone, records(body.records))]


def records(sent: list[RecordSent]) -> list[Record]:
    """The same for ``data``."""
    return [
        Record(
            **record.model_dump(exclude={"facts"}),
            facts=[Fact(**fact.model_dump()) for fact in record.facts],
        )
        for record in sent
    ]


def records_in(letter: Any) -> list[Record]:
    """What a phone wrote to a file, held to the same rules as what it sends.

    Raises
    ------
    Invalid
    """
    try:
        return records(_LETTER.validate_python(letter))
    except ValidationError as error:
        raise Invalid(phones.no_letter(), field="file") from error


@api.delete("/{phone_uuid}/records/{uuid}", summary="Drop a refused record", status_code=status.HTTP_204_NO_CONTENT)
def drop(session: Session, actor: deps.SignedIn, phone_uuid: PhoneUuid, uuid: RecordUuid) -> None:
    """Give up a record that was refused."""
    phones.drop(session, actor, phones.get(session, actor, phone_uuid), uuid)


@api.post("/{phone_uuid}/lost", summary="Report a phone lost", status_code=status.HTTP_204_NO_CONTENT)
def lose(session: Session, actor: deps.SignedIn, phone_uuid: PhoneUuid) -> None:
    """At the next word with the server it forgets all that it has. One's own, or any for who arranges visits."""
    phones.lose(session, actor, phones.get(session, actor, phone_uuid))


@api.post("/{phone_uuid}/wiped", summary="Say that a phone has forgotten", status_code=status.HTTP_204_NO_CONTENT)
def wiped(session: Session, actor: deps.SignedIn, phone_uuid: PhoneUuid) -> None:
    """The phone has forgotten all that it took along."""
    phones.forget(session, actor, phones.get(session, actor, phone_uuid))


@api.get("/differences", summary="List facts that differ")
def list_differences(session: Session, actor: Read) -> list[DifferenceOut]:
    """Facts that were changed on a phone and meanwhile by somebody else, and on which nobody has decided, masked."""
    return [DifferenceOut.model_validate(row) for row in differing(session, actor)]


def differing(session: Session, actor: Actor) -> list[dict[str, Any]]:
    """The facts that differ, as ``DifferenceOut`` has them."""
    shown = []
    for difference, account_name in phones.differences(session, actor):
        name = difference.field
        values = {"theirs": phones.stands(session, actor, difference), "phones": difference.value}
        masked = {key: households.masked({name: value})[name] for key, value in values.items()}
        facts = {key: getattr(difference, key) for key in ("id", "household_id", "of", "field", "at")}
        shown.append({**facts, **masked, "account_name": account_name})
    return shown


@api.post("/differences/{difference_id}", summary="Choose a value", status_code=status.HTTP_204_NO_CONTENT)
def choose(session: Session, actor: Edit, difference_id: Id, body: Chosen) -> None:
    """Choose which of two values stays; who chose is kept."""
    phones.decide(session, actor, difference_id, body.choice)
