"""Implementation reports over HTTP: drafted from the records, edited, and taken away as DOCX."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Response, status
from pydantic import Field

from api.base import concurrency
from api.base.deps import Session, permission
from api.base.fields import Change, Day, Id, Input, Output, Reference, Text
from api.base.listing import InCommunity
from api.implementation import document
from data import implementation
from data.base.access import Actor
from data.implementation import ImplementationReport

api = APIRouter(prefix="/api/implementation", tags=["implementation"])
Read = Annotated[Actor, permission("household.read")]
Edit = Annotated[Actor, permission("household.read", "visit.edit")]
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


class ReportBrief(Output):
    """A report of a community on a period."""

    id: int = Field(examples=[2])
    community_id: int = Field(examples=[3])
    first_on: date = Field(examples=["2026-01-01"])
    last_on: date = Field(description="The last day, included.", examples=["2026-03-31"])
    counted_at: datetime = Field(description="When its numbers were counted.", examples=["2026-04-02T01:30:00Z"])
    updated_at: datetime = Field(examples=["2026-04-02T01:30:00Z"])


class ReportOut(ReportBrief):
    """A report with what was counted and the text of its parts, a paragraph a line, in Chinese."""

    figures: dict[str, Any] = Field(
        description="What was counted; areas in square metres.", examples=[{"buildings": 41}]
    )
    opening: str | None = Field(examples=["梧桐里社区占地15.6万平方米……"])
    posts: str | None = Field(examples=["1.人员及岗位设置"])
    archives: str | None = Field(examples=["1.建立普通群体家庭信息档案1180户。"])
    visits: str | None = Field(examples=["社区利用3月17日至18日开展了集中入户走访……"])
    services: str | None = Field(examples=["本期受理事件120件……"])
    problems: str | None = Field(examples=["1.信息收集量还不大。"])
    closing: str | None = Field(examples=["有不足之处请上级领导提出宝贵意见。"])


class ReportNew(Input):
    """A report to be drafted from the records."""

    community_id: Reference = Field(examples=[3])
    first_on: Day = Field(examples=["2026-01-01"])
    last_on: Day = Field(examples=["2026-03-31"])


class ReportChange(Change):
    """The text of parts that is to change; what was counted stays."""

    opening: Text | None = Field(None, examples=["梧桐里社区占地15.6万平方米……"])
    posts: Text | None = Field(None, examples=["1.人员及岗位设置"])
    archives: Text | None = Field(None, examples=["1.建立普通群体家庭信息档案1180户。"])
    visits: Text | None = Field(None, examples=["社区开展了集中入户走访……"])
    services: Text | None = Field(None, examples=["本期受理事件120件……"])
    problems: Text | None = Field(None, examples=["1.信息收集量还不大。"])
    closing: Text | None = Field(None, examples=["有不足之处请上级领导提出宝贵意见。"])


@api.get("", summary="List implementation reports")
def list_reports(session: Session, actor: Read, asked: Annotated[InCommunity, Query()]) -> list[ReportBrief]:
    """The reports of the communities that one sees whole, the latest period first."""
    return [ReportBrief.model_validate(one) for one in implementation.listed(session, actor, asked.community)]


@api.post("", summary="Draft an implementation report", status_code=status.HTTP_201_CREATED)
def draft_report(response: Response, session: Session, actor: Edit, body: ReportNew) -> ReportOut:
    """A report, counted and written from the records of its days."""
    report = implementation.draft(session, actor, **body.model_dump())
    response.headers["Location"] = f"/api/implementation/{report.id}"
    return _answer(response, report)


@api.get("/{report_id}", summary="Get an implementation report")
def get_report(response: Response, session: Session, actor: Read, report_id: Id) -> ReportOut:
    """A report with its numbers and its text."""
    return _answer(response, implementation.get(session, actor, report_id))


@api.get(
    "/{report_id}/docx",
    summary="An implementation report as DOCX",
    response_class=Response,
    responses={200: {"content": {DOCX: {}}, "description": "The report, with its tables, maps and charts."}},
)
def get_docx(session: Session, actor: Read, report_id: Id) -> Response:
    """The report to be edited further, printed and sent."""
    return sent(session, actor, implementation.get(session, actor, report_id))


@api.patch("/{report_id}", summary="Change an implementation report")
def change_report(
    response: Response,
    session: Session,
    actor: Edit,
    report_id: Id,
    body: ReportChange,
    if_match: concurrency.IfMatch = None,
) -> ReportOut:
    """Change the text of the parts that the body names."""
    report = implementation.get(session, actor, report_id)
    concurrency.check(session, report, if_match)
    return _answer(response, implementation.change(session, actor, report, body.model_dump(exclude_unset=True)))


@api.post("/{report_id}/renew", summary="Draft an implementation report anew")
def renew_report(response: Response, session: Session, actor: Edit, report_id: Id) -> ReportOut:
    """Count and write it anew; the text that was edited is lost."""
    return _answer(response, implementation.renew(session, actor, implementation.get(session, actor, report_id)))


@api.delete("/{report_id}", summary="Remove an implementation report", status_code=status.HTTP_204_NO_CONTENT)
def remove_report(session: Session, actor: Edit, report_id: Id) -> None:
    """Remove a report."""
    implementation.remove(session, actor, implementation.get(session, actor, report_id))


def sent(session: Session, actor: Actor, report: ImplementationReport) -> Response:
    """The answer that hands a report out."""
    name = f"implementation-{report.first_on}-{report.last_on}.docx"
    kept_as = f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(document.name(report), safe='')}"
    headers = {"Content-Disposition": kept_as, "Cache-Control": "no-store"}
    return Response(document.written(session, actor, report), media_type=DOCX, headers=headers)


def _answer(response: Response, report: ImplementationReport) -> ReportOut:
    concurrency.tag(response, report)
    return ReportOut.model_validate(report)
