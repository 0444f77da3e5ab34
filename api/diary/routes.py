"""The diary over HTTP: entries, the search in their words, cases made of them, and the weeks that are taken over."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlalchemy import Row

from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Change, Code, Day, Id, Input, Instant, Lat, Lon, Output, Reference, Text
from api.base.listing import CommunityCode, From, GridCode, Listed, PersonalTerm, To
from api.households.homes import BuildingId
from data import diary, units
from data.base.access import Actor
from data.diary import DiaryEntry, Standing, Subject

api = APIRouter(prefix="/api/diary", tags=["diary"])
Read = Annotated[Actor, permission("household.read")]
Record = Annotated[Actor, permission("household.read", "visit.record")]
Report = Annotated[Actor, permission("household.read", "visit.record", "incident.report")]
Arrange = Annotated[Actor, permission("household.read", "visit.edit")]
Said = Annotated[Text, Field(min_length=1)]


class EntryOut(Output):
    """An entry of the diary."""

    id: int = Field(examples=[12])
    uuid: UUID = Field(examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"])
    community_id: int = Field(examples=[3])
    grid_id: int | None = Field(description="The grid in which its place lay then.", examples=[7])
    grid_code: str | None = Field(examples=["990106003012004"])
    grid_name: str | None = Field(examples=["第四网格"])
    household_id: int | None = Field(examples=[27])
    household_number: str | None = Field(examples=["WT-04-0031"])
    building_id: int | None = Field(examples=[18])
    building_number: str | None = Field(examples=["18号楼"])
    lon: float | None = Field(description="Its own point, else of its building.", examples=[121.4321])
    lat: float | None = Field(examples=[31.2345])
    visit_id: int | None = Field(description="The visit during which it was said.", examples=[None])
    incident_id: int | None = Field(description="The case that was made of it.", examples=[None])
    subject: Subject = Field(examples=["utilities"])
    said: str = Field(examples=["三楼的灯坏了"])
    standing: Standing = Field(examples=["open"])
    answer: str | None = Field(description="What was done about it.", examples=[None])
    solved_at: datetime | None = Field(
        description="When it was struck off, by hand or with its case.", examples=["2026-03-18T01:30:00Z"]
    )
    struck_by_id: int | None = Field(description="Who struck it off by hand.", examples=[None])
    at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    account_id: int | None = Field(examples=[5])
    account_name: str | None = Field(examples=["陈建国"])
    updated_at: datetime = Field(examples=["2026-03-17T01:31:00Z"])


class EntryNew(Input):
    """An entry to be written. Sent again under its `uuid` it is the same one."""

    uuid: UUID = Field(default_factory=uuid4, examples=["5f0c2f4e-7a31-4f0d-9b6e-0d0e4a5a7c11"])
    said: Said = Field(examples=["三楼的灯坏了"])
    subject: Subject | None = Field(None, description="Left out, its words say.", examples=["utilities"])
    standing: Standing = Field(Standing.OPEN, examples=["open"])
    answer: Text | None = Field(None, description="What was done about it on the spot.", examples=[None])
    at: Instant | None = Field(None, description="Now if left out.", examples=["2026-03-17T01:30:00Z"])
    community_id: Reference | None = Field(None, description="Where no place tells it.", examples=[3])
    household_id: Reference | None = Field(None, examples=[27])
    building_id: Reference | None = Field(None, examples=[None])
    lon: Lon | None = Field(None, examples=[None])
    lat: Lat | None = Field(None, examples=[None])


class EntryChange(Change):
    """What of an entry is to change."""

    needed = frozenset({"said", "subject", "asks"})

    said: Said | None = Field(None, examples=["三楼的灯又坏了"])
    subject: Subject | None = Field(None, examples=["utilities"])
    asks: bool | None = Field(None, description="Whether it is to be solved.", examples=[True])


class Struck(Input):
    """What was done about it."""

    answer: Text | None = Field(None, examples=["换了灯泡"])


class CaseOf(Input):
    """What kind of case it is."""

    category_code: Code = Field(examples=["facility.corridor_light"])


class CaseMade(Output):
    """The case that was made of an entry."""

    incident_id: int = Field(examples=[31])
    number: str = Field(examples=["20260317-006"])


class EntryFilters(listing.Filters[diary.Filter]):
    """Which entries a request asks for."""

    private = frozenset({"q"})

    community: CommunityCode = None
    grid: GridCode = None
    building: BuildingId = None
    household: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only of this household.")] = None
    incident: Annotated[int | None, Query(ge=1, le=ID_MAX, description="Only what this case was made of.")] = None
    subject: Annotated[str | None, Query(max_length=300, description="Subjects, with commas between.")] = None
    standing: Annotated[
        str | None, Query(max_length=100, description="`open`, `struck`, `noted`, with commas between.")
    ] = None
    first: From = None
    last: To = None
    q: PersonalTerm = None

    def wanted(self) -> diary.Filter:
        """The same for ``data``."""
        return diary.Filter(
            community=self.community,
            grid=self.grid,
            building_id=self.building,
            household_id=self.household,
            incident_id=self.incident,
            subjects=listing.choices(self.subject, tuple(Subject), "subject"),
            standings=listing.choices(self.standing, tuple(Standing), "standing"),
            first=self.first,
            last=self.last,
            text=self.q,
        )


class EntryList(EntryFilters, listing.Placed):
    """What the address of the list asks for."""

    SORTS = diary.SORTS
    sort: str = listing.sorted_by(SORTS, "-at")


class Sought(Input):
    """What is searched for; it stands in a body, for addresses are kept and handed on."""

    text: Annotated[str, Field(min_length=1, max_length=200)] = Field(examples=["路灯"])
    community: Code | None = Field(None, examples=["990106003012"])
    subject: Subject | None = Field(None, examples=[None])
    standing: Standing | None = Field(None, examples=[None])
    limit: Annotated[int, Field(ge=1, le=listing.LIMIT_MAX)] = Field(listing.LIMIT, examples=[100])


class MentionOut(Output):
    """How often a subject was spoken of in a month."""

    month: date = Field(description="Its first day.", examples=["2026-03-01"])
    subject: Subject = Field(examples=["utilities"])
    entries: int = Field(examples=[14])


class WeekOut(Output):
    """What was said about a subject in a week, and whether its officer took it over."""

    community_id: int = Field(examples=[3])
    week_on: date = Field(description="Its Monday.", examples=["2026-03-16"])
    subject: Subject = Field(examples=["utilities"])
    entries: int = Field(examples=[5])
    open: int = Field(description="Still to be solved.", examples=[1])
    officer: str | None = Field(description="The line officer who answers for the subject.", examples=["周敏"])
    account_id: int | None = Field(description="The account of theirs.", examples=[4])
    confirmed_at: datetime | None = Field(examples=["2026-03-23T01:00:00Z"])
    confirmed_by: str | None = Field(examples=["周敏"])
    since: int = Field(description="Entries that came after it was taken over.", examples=[0])


class WeekList(listing.Days):
    """Which weeks."""

    community: Annotated[int | None, Query(ge=1, le=ID_MAX, description="The id of a community.")] = None
    mine: Annotated[bool, Query(description="Only the subjects for which one answers oneself.")] = False


class Confirmed(Input):
    """The week that is taken over."""

    community_id: Reference = Field(examples=[3])
    subject: Subject = Field(examples=["utilities"])
    week_on: Day = Field(description="Its Monday.", examples=["2026-03-16"])


class OfficersOf(listing.Parameters):
    """Whose officers are asked for."""

    community: Annotated[int, Query(ge=1, le=ID_MAX, description="The id of a community.")]


class OfficerOut(Output):
    """Who answers for a subject in a community."""

    subject: Subject = Field(examples=["utilities"])
    officer_id: int = Field(examples=[4])
    name: str = Field(examples=["周敏"])


class OfficerSaid(Input):
    """Who is to answer for a subject."""

    community_id: Reference = Field(examples=[3])
    subject: Subject = Field(examples=["utilities"])
    officer_id: Reference | None = Field(
        description="One of the community's line officers; empty: nobody.", examples=[4]
    )


@api.get("", summary="List entries", response_model=Listed[EntryOut], responses=listing.AS_GEOJSON)
def list_entries(
    request: Request, session: Session, actor: Read, asked: Annotated[EntryList, Query()]
) -> Listed[EntryOut] | Response:
    """The entries one may see, the latest first."""
    query = diary.selection(actor, asked.wanted())
    return listing.answer(request, session, query, asked, key=DiaryEntry.id, item=_entry, geom=diary.PLACE)


@api.post("/search", summary="Search the diary")
def search_entries(session: Session, actor: Read, body: Sought) -> Listed[EntryOut]:
    """The entries with these words in them, the latest first."""
    wanted = diary.Filter(
        community=body.community,
        subjects=body.subject and [body.subject],
        standings=body.standing and [body.standing],
        text=body.text,
    )
    rows, total = diary.latest(session, actor, wanted, body.limit)
    return Listed(items=[_entry(row) for row in rows], total=total)


@api.post("", summary="Write an entry", status_code=status.HTTP_201_CREATED)
def write_entry(response: Response, session: Session, actor: Record, body: EntryNew) -> EntryOut:
    """A new entry."""
    entry = diary.write(session, actor, **body.model_dump())
    response.headers["Location"] = f"/api/diary/{entry.id}"
    return _answer(response, session, entry)


@api.get("/months", summary="What people talk about")
def list_months(session: Session, actor: Read, asked: Annotated[EntryFilters, Query()]) -> list[MentionOut]:
    """How often each subject was spoken of, month by month."""
    return [MentionOut.model_validate(mention) for mention in diary.by_month(session, actor, asked.wanted())]


@api.get("/weeks", summary="List weeks")
def list_weeks(session: Session, actor: Read, asked: Annotated[WeekList, Query()]) -> list[WeekOut]:
    """The weeks in which something was said, by subject, the latest first; the last five if no days are named."""
    account_id = actor.account_id if asked.mine else None
    days = {"first": asked.first, "last": asked.last}
    weeks = diary.weeks(session, actor, community_id=asked.community, account_id=account_id, **days)
    return [WeekOut.model_validate(week) for week in weeks]


@api.put("/weeks", summary="Take a week over", status_code=status.HTTP_204_NO_CONTENT)
def confirm_week(session: Session, actor: Read, body: Confirmed) -> None:
    """Confirm that one took over what was said about a subject in a week, as who answers for it."""
    diary.confirm(session, actor, **body.model_dump())


@api.get("/officers", summary="List line officers")
def list_officers(session: Session, actor: Read, asked: Annotated[OfficersOf, Query()]) -> list[OfficerOut]:
    """Who answers for which subject in a community."""
    units.community(session, actor, asked.community)
    return [OfficerOut.model_validate(row) for row in diary.officers(session, actor, asked.community).values()]


@api.put("/officers", summary="Name a line officer", status_code=status.HTTP_204_NO_CONTENT)
def name_officer(session: Session, actor: Arrange, body: OfficerSaid) -> None:
    """Say who answers for a subject."""
    diary.name_officer(session, actor, **body.model_dump())


@api.get("/{entry_id}", summary="Get an entry")
def get_entry(response: Response, session: Session, actor: Read, entry_id: Id) -> EntryOut:
    """An entry."""
    return _answer(response, session, diary.get(session, actor, entry_id))


@api.patch("/{entry_id}", summary="Change an entry")
def change_entry(
    response: Response,
    session: Session,
    actor: Record,
    entry_id: Id,
    body: EntryChange,
    if_match: concurrency.IfMatch = None,
) -> EntryOut:
    """Change what the body names: one's own entry, or any for those who arrange visits."""
    entry = diary.get(session, actor, entry_id)
    concurrency.check(session, entry, if_match)
    return _answer(response, session, diary.change(session, actor, entry, **body.model_dump(exclude_unset=True)))


@api.put("/{entry_id}/struck", summary="Strike an entry off")
def strike_entry(response: Response, session: Session, actor: Record, entry_id: Id, body: Struck) -> EntryOut:
    """It was solved."""
    entry = diary.strike(session, actor, diary.get(session, actor, entry_id), body.answer)
    return _answer(response, session, entry)


@api.delete("/{entry_id}/struck", summary="Take back that it was solved")
def reopen_entry(response: Response, session: Session, actor: Record, entry_id: Id) -> EntryOut:
    """It is to be solved after all."""
    return _answer(response, session, diary.reopen(session, actor, diary.get(session, actor, entry_id)))


@api.post("/{entry_id}/case", summary="Make a case of an entry", status_code=status.HTTP_201_CREATED)
def file_case(response: Response, session: Session, actor: Report, entry_id: Id, body: CaseOf) -> CaseMade:
    """A case in its words and at its place; when it is closed, the entry is struck off by itself."""
    entry = diary.get(session, actor, entry_id)
    incident = diary.file_case(session, actor, entry, category_code=body.category_code)
    response.headers["Location"] = f"/api/incidents/{incident.id}"
    return CaseMade(incident_id=incident.id, number=incident.number)


@api.delete("/{entry_id}", summary="Take back an entry", status_code=status.HTTP_204_NO_CONTENT)
def remove_entry(session: Session, actor: Record, entry_id: Id, if_match: concurrency.IfMatch = None) -> None:
    """Take back what was written by mistake; of others only who may arrange visits."""
    entry = diary.get(session, actor, entry_id)
    concurrency.check(session, entry, if_match)
    diary.remove(session, actor, entry)


def _entry(row: Row[Any]) -> EntryOut:
    return EntryOut.model_validate(row)


def _answer(response: Response, session: Session, entry: DiaryEntry) -> EntryOut:
    concurrency.tag(response, entry)
    return _entry(diary.row(session, entry))
