"""The ledger over HTTP: its numbers, and the form that a community has set."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import Code, Input, Line, Output
from api.base.listing import GridCode
from api.figures.routes import days
from data import ledger, units
from data.base.access import Actor
from data.ledger import By, Column, Form

api = APIRouter(prefix="/api/ledger", tags=["figures"])
Read = Annotated[Actor, permission("incident.read", "unit.read", "grid.read")]
Edit = Annotated[Actor, permission("incident.read", "unit.edit")]


class ColumnOut(Output):
    """A column of a ledger."""

    code: Code = Field(description="The code of its figure.", examples=["visits"])
    heading: str = Field("", description="Its heading; empty: the figure's name.", examples=["上门走访"], max_length=60)


class FormOut(Output):
    """How a ledger looks."""

    title: str = Field(examples=["网格化社会管理台账"])
    by: By = Field(description="What a row is.", examples=["grid"])
    columns: list[ColumnOut]


class FormSet(Input):
    """How a ledger shall look."""

    title: Line = Field(examples=["网格化社会管理台账"])
    by: By = Field(examples=["grid"])
    columns: list[ColumnOut] = Field(min_length=1, max_length=ledger.MOST_COLUMNS)


class RowOut(Output):
    """A row: of a grid, or of some days."""

    name: str = Field(examples=["第四网格"])
    grid_id: int | None = Field(examples=[7])
    first: date = Field(examples=["2026-03-01"])
    last: date = Field(examples=["2026-03-31"])
    numbers: list[float | None] = Field(description="One for each column; empty where it is unknown.")


class LedgerOut(Output):
    """A ledger."""

    title: str = Field(examples=["网格化社会管理台账"])
    codes: list[str] = Field(examples=[["visits"]])
    headings: list[str] = Field(examples=[["上门走访"]])
    rows: list[RowOut]
    total: RowOut


class LedgerFilters(listing.Days):
    """Of which community, grid and days, by what, and as it was known when."""

    community: Annotated[Code, Query(description="Of the community with this code.")]
    grid: GridCode = None
    by: Annotated[By | None, Query(description="What a row is, instead of what the form says.")] = None
    known: Annotated[
        date | None,
        Query(description="As it was known at the end of this day.", ge=date(1900, 1, 1), le=date(2999, 12, 31)),
    ] = None


class OfCommunity(listing.Parameters):
    """Of which community."""

    community: Annotated[Code, Query(description="Of the community with this code.")]


@api.get("", summary="Draw the ledger")
def draw_ledger(session: Session, actor: Read, asked: Annotated[LedgerFilters, Query()]) -> LedgerOut:
    """The ledger of a community over what one may see; without days the last ninety."""
    community = units.by_code(session, actor, asked.community, units.Level.COMMUNITY)
    grid = units.by_code(session, actor, asked.grid, units.Level.GRID) if asked.grid else None
    span = days(asked.first, asked.last)
    drawn = ledger.draw(session, actor, community, span, by=asked.by, grid=grid, known=asked.known)
    return LedgerOut(
        title=drawn.form.title,
        codes=[cell.code for cell in drawn.whole.cells],
        headings=list(drawn.headings),
        rows=[_row(row) for row in drawn.rows],
        total=_row(drawn.whole),
    )


@api.get("/form", summary="Get the form of the ledger")
def get_form(session: Session, actor: Read, asked: Annotated[OfCommunity, Query()]) -> FormOut:
    """How a community's ledger looks."""
    community = units.by_code(session, actor, asked.community, units.Level.COMMUNITY)
    return FormOut.model_validate(ledger.form_of(session, actor, community.id))


@api.put("/form", summary="Set the form of the ledger")
def set_form(session: Session, actor: Edit, asked: Annotated[OfCommunity, Query()], body: FormSet) -> FormOut:
    """Set how a community's ledger looks."""
    community = units.by_code(session, actor, asked.community, units.Level.COMMUNITY)
    columns = tuple(Column(column.code, column.heading) for column in body.columns)
    ledger.set_form(session, actor, community.id, Form(body.title, body.by, columns))
    return FormOut.model_validate(ledger.form_of(session, actor, community.id))


def _row(row: ledger.Row) -> RowOut:
    return RowOut(
        name=row.name,
        grid_id=row.grid.id if row.grid else None,
        first=row.span.first,
        last=row.span.last,
        numbers=[cell.number for cell in row.cells],
    )
