"""Work reports over HTTP: listed, drafted from the records, corrected, sent, taken note of."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Day, Id, Input, Line, Output, Reference, Text
from api.base.listing import CommunityCode, From, GridCode, Listed, To
from data import briefs, units
from data.base.access import Actor
from data.briefs import Brief, Kind, State

api = APIRouter(prefix="/api/briefs", tags=["figures"])
Read = Annotated[Actor, permission("brief.read")]
Tell = Annotated[Actor, permission("brief.read", "brief.tell")]
Receive = Annotated[Actor, permission("brief.read", "brief.receive")]


class BriefOut(Output):
    """A report in a list."""

    id: int = Field(examples=[12])
    unit_id: int = Field(examples=[7])
    unit_name: str = Field(examples=["第四网格"])
    unit_level: units.Level = Field(examples=["grid"])
    kind: Kind = Field(examples=["week"])
    first: date = Field(examples=["2026-03-16"])
    last: date = Field(examples=["2026-03-22"])
    title: str = Field(examples=["第四网格周报"])
    state: State = Field(examples=["sent"])
    sent_at: datetime | None = Field(examples=["2026-03-22T09:00:00Z"])
    received_at: datetime | None = Field(examples=["2026-03-23T01:00:00Z"])


class NumberOut(Output):
    """A number of a report."""

    code: str = Field(examples=["visits"])
    name: str = Field(examples=["上门走访"])
    told: float | None = Field(description="What it was when the report was sent.", examples=[35])
    now: float | None = Field(description="What it is now, of what one may see.", examples=[36])


class BriefWhole(BriefOut):
    """A report with its words and numbers."""

    words: str = Field(examples=["走访：上门 35 户。"])
    answer: str | None = Field(examples=["已阅，楼道灯请物业本周修好。"])
    numbers: list[NumberOut]


class BriefNew(Input):
    """Of which unit and days a report is to be drafted."""

    unit_id: Reference = Field(examples=[7])
    kind: Kind = Field(examples=["week"])
    day: Day = Field(description="A day of the week, month or quarter.", examples=["2026-03-18"])


class BriefChange(Input):
    """What is corrected in a draft."""

    title: Line = Field(examples=["第四网格周报"])
    words: Text = Field(examples=["走访：上门 35 户。"])


class BriefAnswer(Input):
    """What the one above says to a report."""

    answer: Text | None = Field(None, examples=["已阅，楼道灯请物业本周修好。"])


class BriefFilters(listing.Filters[briefs.Filter]):
    """Which reports a request asks for."""

    community: CommunityCode = None
    grid: GridCode = None
    kind: Annotated[Kind | None, Query(description="Only of this kind.")] = None
    state: Annotated[State | None, Query(description="Only those that stand so.")] = None
    first: From = None
    last: To = None

    def wanted(self) -> briefs.Filter:
        """The same for ``data``."""
        return briefs.Filter(
            community=self.community,
            grid=self.grid,
            kinds=(self.kind,) if self.kind else None,
            states=(self.state,) if self.state else None,
            first=self.first,
            last=self.last,
        )


class BriefList(BriefFilters, listing.Paged):
    """What the address of the list asks for."""

    SORTS = briefs.SORTS
    sort: str = listing.sorted_by(SORTS, "-first")


@api.get("", summary="List work reports", response_model=Listed[BriefOut])
def list_briefs(
    request: Request, session: Session, actor: Read, asked: Annotated[BriefList, Query()]
) -> Listed[BriefOut] | Response:
    """The reports one may read, the latest first."""
    query = briefs.selection(actor, asked.wanted())
    return listing.answer(request, session, query, asked, key=Brief.id, item=BriefOut.model_validate)


@api.post("", summary="Draft a work report", status_code=status.HTTP_201_CREATED)
def draft_brief(response: Response, session: Session, actor: Tell, body: BriefNew) -> BriefWhole:
    """A draft with the numbers of the records, and words told from them."""
    unit = units.get(session, actor, body.unit_id)
    brief = briefs.draft(session, actor, unit, body.kind, body.day)
    response.headers["Location"] = f"/api/briefs/{brief.id}"
    return _answer(session, actor, brief)


@api.get("/{brief_id}", summary="Get a work report")
def get_brief(session: Session, actor: Read, brief_id: Id) -> BriefWhole:
    """A report: its numbers as they were told, and as they are now."""
    return _answer(session, actor, briefs.get(session, actor, brief_id))


@api.patch("/{brief_id}", summary="Correct a draft")
def change_brief(session: Session, actor: Tell, brief_id: Id, body: BriefChange) -> BriefWhole:
    """Correct title and words of a draft."""
    brief = briefs.get(session, actor, brief_id, lock=True)
    return _answer(session, actor, briefs.change(session, actor, brief, **body.model_dump()))


@api.post("/{brief_id}/send", summary="Send a work report")
def send_brief(session: Session, actor: Tell, brief_id: Id) -> BriefWhole:
    """Send it; its numbers are counted once more and kept."""
    return _answer(session, actor, briefs.send(session, actor, briefs.get(session, actor, brief_id, lock=True)))


@api.post("/{brief_id}/receive", summary="Take note of a work report")
def receive_brief(session: Session, actor: Receive, brief_id: Id, body: BriefAnswer) -> BriefWhole:
    """Take note of a report that was sent, and answer it."""
    brief = briefs.get(session, actor, brief_id, lock=True)
    return _answer(session, actor, briefs.receive(session, actor, brief, body.answer))


@api.delete("/{brief_id}", summary="Throw a draft away", status_code=status.HTTP_204_NO_CONTENT)
def remove_brief(session: Session, actor: Tell, brief_id: Id) -> None:
    """Throw a draft away; what was sent stays."""
    briefs.remove(session, actor, briefs.get(session, actor, brief_id, lock=True))


def _answer(session: Session, actor: Actor, brief: Brief) -> BriefWhole:
    row = BriefOut.model_validate(briefs.row(session, brief)).model_dump()
    numbers = [NumberOut.model_validate(number) for number in briefs.compared(session, actor, brief)]
    return BriefWhole(**row, words=brief.words, answer=brief.answer, numbers=numbers)
