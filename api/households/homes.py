"""Households and special groups over HTTP."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlalchemy import Row

from api.audit.routes import Entry, entries
from api.base import concurrency, listing
from api.base.deps import Session, SignedIn, permission
from api.base.fields import ID_MAX, Change, Code, CodePath, Day, Id, Input, Line, Output, PurposeText, Reference, Text
from api.base.listing import CommunityCode, GridCode, Listed, PersonalTerm
from data import buildings, history, households
from data.base.access import Actor
from data.buildings import Building
from data.households import Household, homes

api = APIRouter(prefix="/api", tags=["households"])
Read = Annotated[Actor, permission("household.read")]
Edit = Annotated[Actor, permission("household.edit")]
Unmask = Annotated[Actor, permission("household.read", "person.unmask")]

BuildingId = Annotated[
    int | None, Query(alias="building", ge=1, le=ID_MAX, description="Only in the building with this id.")
]
DwellingId = Annotated[
    int | None, Query(alias="dwelling", ge=1, le=ID_MAX, description="Only in the dwelling with this id.")
]
Groups = Annotated[
    str | None,
    Query(
        alias="group", max_length=500, description="Special groups, with commas between; `*` for any.", examples=["*"]
    ),
]

#: How long a page shows what was unmasked.
SHOWN_S = 60


class HouseholdOut(Output):
    """A household. What is personal is masked."""

    id: int = Field(examples=[27])
    community_id: int = Field(examples=[3])
    number: str = Field(description="户号, the natural key within the community.", examples=["WT-04-0031"])
    head_id: int | None = Field(examples=[81])
    head_name: str | None = Field(description="Masked.", examples=["李**"])
    members: int = Field(description="How many.", examples=[3])
    groups: list[str] = Field(description="Codes of the special groups that hold today.", examples=[["empty_nest"]])
    hukou: str | None = Field(examples=["urban"])
    phone: str | None = Field(description="Masked.", examples=["138****6021"])
    address: str | None = Field(description="As it was given.", examples=["18号楼2单元501"])
    note: str | None = Field(examples=[None])
    dwelling_id: int | None = Field(examples=[341])
    unit: str | None = Field(examples=["2"])
    room: str | None = Field(examples=["501"])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    lon: float | None = Field(description="Of the building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    located_by: str | None = Field(examples=["address"])
    located_score: float | None = Field(examples=[1.0])
    unlocated_reason: str | None = Field(examples=[None])
    closed_on: date | None = Field(description="All have left by this day.", examples=[None])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class HouseholdTold(HouseholdOut):
    """A household that was recorded, and what is strange about it."""

    odd: list[str] = Field(
        description="Sentences; nothing was refused for it.",
        examples=[["Room 9999 lies above the highest floor of its building, 6."]],
    )


class HouseholdChange(Change):
    """What of a household is to change; what is left out stays."""

    needed = frozenset({"number"})

    number: Code | None = Field(None, examples=["WT-04-0031"])
    dwelling_id: Reference | None = Field(None, description="Moves the household.", examples=[341])
    head_id: Reference | None = Field(None, description="One of the members.", examples=[81])
    hukou: Code | None = Field(None, examples=["urban"])
    phone: Code | None = Field(None, examples=["13800006021"])
    address: Line | None = Field(None, examples=["18号楼2单元501"])
    note: Text | None = Field(None, examples=["常年在外，春节回来"])


class HouseholdNew(Input):
    """A household to be added."""

    dwelling_id: Reference = Field(examples=[341])
    number: Code = Field(examples=["WT-04-0031"])
    hukou: Code | None = Field(None, examples=["urban"])
    phone: Code | None = Field(None, examples=["13800006021"])
    address: Line | None = Field(None, examples=["18号楼2单元501"])
    note: Text | None = Field(None, examples=[None])


class Purpose(Input):
    """What personal data is needed for."""

    purpose: PurposeText = Field(examples=["电话核对住址"])


class Shown(Output):
    """Personal fields in full. That they were shown, to whom and what for, is recorded."""

    fields: dict[str, str | date | None] = Field(examples=[{"phone": "13800006021"}])
    seconds: int = Field(SHOWN_S, description="After which a page hides them again.", examples=[SHOWN_S])


class GroupOut(Output):
    """A special group."""

    code: str = Field(examples=["empty_nest"])
    name_zh: str = Field(examples=["空巢家庭"])
    name_en: str = Field(examples=["Empty nest"])
    position: int = Field(examples=[3])


class GroupChange(Change):
    """What of a special group is to change."""

    needed = frozenset({"name_zh", "name_en", "position"})

    name_zh: Line | None = Field(None, examples=["空巢家庭"])
    name_en: Line | None = Field(None, examples=["Empty nest"])
    position: Annotated[int, Field(ge=0, le=100_000)] | None = Field(None, examples=[3])


class GroupNew(GroupChange):
    """A special group to be added."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=64)] = Field(examples=["left_behind"])
    name_zh: Line = Field(examples=["留守家庭"])
    name_en: Line = Field(examples=["Left behind"])
    position: Annotated[int, Field(ge=0, le=100_000)] = Field(0, examples=[9])


class MembershipOut(Output):
    """A household belongs to a special group during a span of days."""

    id: int = Field(examples=[5])
    group_code: str = Field(examples=["empty_nest"])
    valid_from: date | None = Field(examples=["2026-01-01"])
    valid_to: date | None = Field(description="Not included any more; empty while it holds.", examples=[None])


class MembershipNew(Input):
    """A household belongs to a special group from a day on."""

    group_code: Code = Field(examples=["empty_nest"])
    valid_from: Day = Field(examples=["2026-01-01"])
    valid_to: Day | None = Field(None, examples=[None])


class MembershipEnd(Input):
    """The day from which a household does not belong to a group any more."""

    valid_to: Day | None = Field(examples=["2026-07-01"])


def household(row: Row[Any]) -> HouseholdOut:
    """A row of ``homes.selection`` as it is handed out: masked."""
    return HouseholdOut.model_validate(households.masked({**row._mapping, "groups": sorted(row.groups or ())}))


class HouseholdFilters(listing.Filters[homes.Filter]):
    """Which households a request asks for: the same parameters for lists, pages and exports."""

    private = frozenset({"q"})

    community: CommunityCode = None
    grid: GridCode = None
    building: BuildingId = None
    dwelling: DwellingId = None
    group: Groups = None
    hukou: Annotated[Code | None, Query(description="Only of this hukou.")] = None
    located: Annotated[bool | None, Query(description="Only with (or without) a place.")] = None
    closed: Annotated[bool | None, Query(description="Those of which all have left instead.")] = None
    q: PersonalTerm = None

    def wanted(self) -> homes.Filter:
        """The same for ``data``."""
        return homes.Filter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            dwelling_id=self.dwelling,
            hukou=self.hukou,
            text=self.q,
            groups=listing.choices(self.group, None, "group"),
            located=self.located,
            closed=bool(self.closed),
        )


class HouseholdList(HouseholdFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = homes.SORTS
    sort: str = listing.sorted_by(SORTS, "building")


@api.get("/households", summary="List households", response_model=Listed[HouseholdOut], responses=listing.AS_GEOJSON)
def list_households(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[HouseholdList, Query()],
) -> Listed[HouseholdOut] | Response:
    """The households one may see, masked. People are looked up by name with `POST /api/search`."""
    return listing.answer(
        request,
        session,
        homes.selection(actor, asked.wanted()),
        asked,
        key=Household.id,
        item=household,
        geom=Building.point,
    )


@api.post("/households", summary="Add a household", status_code=status.HTTP_201_CREATED)
def add_household(response: Response, session: Session, actor: Edit, body: HouseholdNew) -> HouseholdTold:
    """A new household in a dwelling."""
    dwelling = buildings.get_dwelling(session, actor, body.dwelling_id)
    found = households.add(session, actor, dwelling=dwelling, **body.model_dump(exclude={"dwelling_id"}))
    response.headers["Location"] = f"/api/households/{found.id}"
    return _told(response, session, found)


@api.get("/households/{household_id}", summary="Get a household")
def get_household(response: Response, session: Session, actor: Read, household_id: Id) -> HouseholdOut:
    """A household, masked."""
    return _answer(response, session, households.get(session, actor, household_id))


@api.patch("/households/{household_id}", summary="Change a household")
def change_household(
    response: Response,
    session: Session,
    actor: Edit,
    household_id: Id,
    body: HouseholdChange,
    if_match: concurrency.IfMatch = None,
) -> HouseholdTold:
    """Change what the body names; another dwelling moves the household with its members."""
    found = households.get(session, actor, household_id)
    concurrency.check(session, found, if_match)
    households.change(session, actor, found, **body.model_dump(exclude_unset=True))
    return _told(response, session, found)


@api.delete("/households/{household_id}", summary="Remove a household", status_code=status.HTTP_204_NO_CONTENT)
def remove_household(session: Session, actor: Edit, household_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Remove a household that has no members any more."""
    found = households.get(session, actor, household_id)
    concurrency.check(session, found, if_match)
    households.remove(session, actor, found)


@api.post("/households/{household_id}/unmask", summary="Show a household's personal data")
def unmask_household(session: Session, actor: Unmask, household_id: Id, body: Purpose) -> Shown:
    """The personal fields in full, for a stated purpose. This is recorded."""
    found = households.get(session, actor, household_id)
    return Shown(fields=households.unmask(session, actor, found, body.purpose))


@api.get("/households/{household_id}/history", summary="History of a household")
def household_history(session: Session, actor: Read, household_id: Id) -> list[Entry]:
    """What happened to a household, newest first; personal values are masked."""
    households.get(session, actor, household_id)
    return entries(history.of_record(session, "household", household_id))


@api.get("/households/{household_id}/groups", summary="Special groups of a household")
def list_memberships(session: Session, actor: Read, household_id: Id) -> list[MembershipOut]:
    """The special groups it belongs or belonged to, newest first."""
    households.get(session, actor, household_id)
    return [_membership(one) for one in households.memberships(session, household_id)]


@api.post(
    "/households/{household_id}/groups", summary="Put a household into a group", status_code=status.HTTP_201_CREATED
)
def join_group(session: Session, actor: Edit, household_id: Id, body: MembershipNew) -> MembershipOut:
    """It belongs to a special group from a day on."""
    found = households.get(session, actor, household_id)
    return _membership(
        households.join_group(session, actor, found, body.group_code, first=body.valid_from, until=body.valid_to)
    )


@api.patch("/households/{household_id}/groups/{membership_id}", summary="End a household's membership")
def end_membership(
    session: Session, actor: Edit, household_id: Id, membership_id: Id, body: MembershipEnd
) -> MembershipOut:
    """It does not belong to a special group any more from a day on."""
    found = households.get(session, actor, household_id)
    return _membership(households.end_membership(session, actor, found, membership_id, body.valid_to))


@api.delete(
    "/households/{household_id}/groups/{membership_id}",
    summary="Take back a household's membership",
    status_code=status.HTTP_204_NO_CONTENT,
)
def leave_group(session: Session, actor: Edit, household_id: Id, membership_id: Id) -> None:
    """As if it had never been entered."""
    households.leave_group(session, actor, households.get(session, actor, household_id), membership_id)


@api.get("/special-groups", summary="List special groups")
def list_groups(session: Session, _actor: SignedIn) -> list[GroupOut]:
    """All special groups, in the order of the list."""
    return [GroupOut.model_validate(group) for group in households.special_groups(session)]


@api.post("/special-groups", summary="Add a special group", status_code=status.HTTP_201_CREATED)
def add_group(session: Session, actor: Annotated[Actor, permission("unit.edit")], body: GroupNew) -> GroupOut:
    """A new special group."""
    return GroupOut.model_validate(households.add_special_group(session, actor, **body.model_dump()))


@api.patch("/special-groups/{code}", summary="Change a special group")
def change_group(
    session: Session, actor: Annotated[Actor, permission("unit.edit")], code: CodePath, body: GroupChange
) -> GroupOut:
    """Change what the body names."""
    found = households.change_special_group(session, actor, code, **body.model_dump(exclude_unset=True))
    return GroupOut.model_validate(found)


@api.delete("/special-groups/{code}", summary="Remove a special group", status_code=status.HTTP_204_NO_CONTENT)
def remove_group(session: Session, actor: Annotated[Actor, permission("unit.edit")], code: CodePath) -> None:
    """Remove a special group that no household belongs or belonged to."""
    households.remove_special_group(session, actor, code)


def _answer(response: Response, session: Session, found: Household) -> HouseholdOut:
    row = homes.row(session, found)
    concurrency.tag(response, found)
    return household(row)


def _told(response: Response, session: Session, found: Household) -> HouseholdTold:
    answer = _answer(response, session, found)
    return HouseholdTold(**answer.model_dump(), odd=households.odd(session, found))


def _membership(found: households.HouseholdGroup) -> MembershipOut:
    return MembershipOut(
        id=found.id, group_code=found.group_code, valid_from=found.valid.lower, valid_to=found.valid.upper
    )
