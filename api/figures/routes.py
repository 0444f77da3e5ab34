"""Figures over HTTP: the catalogue, a figure by grid, and the records behind it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Code, CodePath, Output
from api.base.listing import GridCode
from data import figures, units
from data.base import access, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.figures import Figure, Share, Span

api = APIRouter(prefix="/api/figures", tags=["figures"])
Read = Annotated[Actor, permission("grid.read", "unit.read")]
#: So many days are asked for where nobody says.
DAYS = 90


class FigureOut(Output):
    """A figure of the catalogue."""

    code: str = Field(examples=["visits"])
    field: figures.Field = Field(examples=["visits"])
    name: str = Field(examples=["上门走访"])
    how: str = Field(description="How it is counted.", examples=["期间上门并见到人的走访。"])
    share: bool = Field(description="Whether it is a share, 0–1, and not a count.", examples=[False])


class PlacedOut(Output):
    """A number of a grid; of no grid: what lies in none."""

    grid_id: int | None = Field(examples=[7])
    number: int = Field(examples=[180])


class CountedOut(FigureOut):
    """A figure, counted."""

    first: date = Field(examples=["2026-01-01"])
    last: date = Field(examples=["2026-03-31"])
    number: float | None = Field(description="Empty where it is a share of nothing.", examples=[1400])
    grids: list[PlacedOut] = Field(description="Of a count: grid by grid.")


class RecordOut(Output):
    """A record behind a number."""

    record_id: int = Field(examples=[311])
    grid_id: int | None = Field(examples=[7])
    known_at: datetime | None = Field(description="When it came in.", examples=["2026-03-17T02:10:00Z"])
    label: str = Field(examples=["20260317-006"])
    amount: int = Field(examples=[1])


class FigureSpan(listing.Days):
    """Of which community, which days, and as it was known when."""

    community: Annotated[Code, Query(description="Of the community with this code.")]
    known: Annotated[
        date | None,
        Query(description="As it was known at the end of this day.", ge=date(1900, 1, 1), le=date(2999, 12, 31)),
    ] = None


class FigureRecords(listing.Days):
    """Of which community and grid, and which days."""

    community: Annotated[Code, Query(description="Of the community with this code.")]
    grid: GridCode = None


@api.get("", summary="List the figures")
def list_figures(session: Session, actor: Read) -> list[FigureOut]:
    """The catalogue of figures that one may know."""
    return [_out(figure) for figure in figures.catalogue(session).values() if told(actor, figure)]


@api.get("/{code}", summary="Count a figure")
def count_figure(session: Session, actor: Read, code: CodePath, asked: Annotated[FigureSpan, Query()]) -> CountedOut:
    """A figure over what one may see, grid by grid; without days the last ninety."""
    figure = figures.get(session, code)
    require(actor, figure)
    community = units.by_code(session, actor, asked.community, units.Level.COMMUNITY)
    span = days(asked.first, asked.last)
    every = figures.catalogue(session)
    counted = figures.count(
        session,
        actor,
        figures.needed([figure], every),
        span,
        communities=[community.id],
        known=settings.end_of(asked.known) if asked.known else None,
    )
    sums = {name: numbers.total for name, numbers in counted.items()}
    number = figures.share(figure, sums) if isinstance(figure, Share) else sums[figure.code]
    places = counted[figure.code].by_place if isinstance(figure, Figure) else {}
    placed = [PlacedOut(grid_id=grid_id, number=count) for (_community, grid_id), count in places.items()]
    return CountedOut(
        **_out(figure).model_dump(),
        first=span.first,
        last=span.last,
        number=number,
        grids=sorted(placed, key=lambda part: part.grid_id or 0),
    )


@api.get("/{code}/records", summary="List the records behind a figure")
def list_records(
    session: Session, actor: Read, code: CodePath, asked: Annotated[FigureRecords, Query()]
) -> list[RecordOut]:
    """The records that are counted, the latest first, at most a thousand."""
    figure = with_records(session, actor, code)
    community = units.by_code(session, actor, asked.community, units.Level.COMMUNITY)
    grid = units.by_code(session, actor, asked.grid, units.Level.GRID) if asked.grid else None
    records = figures.records(
        session,
        actor,
        figure,
        days(asked.first, asked.last),
        community_id=community.id,
        grid_id=grid.id if grid else None,
    )
    return [RecordOut.model_validate(record) for record in records]


def told(actor: Actor, figure: Figure | Share) -> bool:
    """Whether the actor may know a figure at all."""
    return isinstance(figure, Share) or figure.told(actor)


def require(actor: Actor, figure: Figure | Share) -> None:
    """Raise unless the actor may know a figure somewhere.

    Raises
    ------
    Forbidden
    """
    if isinstance(figure, Figure) and not figure.told(actor):
        access.require(actor, figure.table.__read__)


def with_records(session: Session, actor: Actor, code: str) -> Figure:
    """The figure with this code, behind which there are records that the actor may know of.

    Raises
    ------
    FigureNotFound, Forbidden
    Invalid
        It is a share of other figures.
    """
    figure = figures.get(session, code)
    require(actor, figure)
    if isinstance(figure, Share):
        raise Invalid(_("“{name}” is a share. Ask for the records of {part} or {whole}.", **vars(figure)))
    return figure


def days(first: date | None, last: date | None) -> Span:
    """The days that are asked for; the last ninety where nobody says."""
    until = last or settings.today()
    return Span(first or min(until, settings.today()) - timedelta(days=DAYS - 1), until)


def _out(figure: Figure | Share) -> FigureOut:
    return FigureOut(
        code=figure.code,
        field=figure.field,
        name=figure.name,
        how=figure.how,
        share=isinstance(figure, Share),
    )
