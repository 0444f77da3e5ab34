"""The ledger on a page, as a workbook, and the form that a community sets."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, listing, tabs, words
from api.base.fields import Input, Line
from api.base.listing import GridCode
from api.base.page import Page, needs, typed
from api.figures.pages import address, number_text
from api.figures.routes import days
from data import figures, ledger, units
from data.base.errors import NotFound, WanggeError
from data.base.language import _
from data.figures import Share
from data.ledger import By, Column, Form, Ledger

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read", "unit.read", "grid.read")]
Edit = Annotated[Page, needs("incident.read", "unit.edit")]
Typed = Annotated[FormData, typed]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Asked(listing.Days):
    """Of which grid and days, by what, and as it was known when."""

    grid: GridCode = None
    by: Annotated[By | None, Query(description="What a row is.")] = None
    known: Annotated[date | None, Query(ge=date(1900, 1, 1), le=date(2999, 12, 31))] = None


@pages.get("/ledger")
def shown(page: Read) -> Response:
    """The ledger as it is on paper; each number opens the records behind it."""
    community, asked, drawn = _drawn(page)
    return page.show(
        "ledger/show.html",
        section="ledger",
        tabs=tabs.ledger(page, "ledger"),
        title=drawn.form.title,
        subtitle=ledger.subtitle(_place(page, community, asked), drawn.whole.span, asked.known),
        first=ledger.by_heading(drawn),
        columns=[{"name": name, "how": how} for name, how in zip(drawn.headings, drawn.told, strict=True)],
        rows=[_row(row) for row in drawn.rows],
        whole=_row(drawn.whole),
        workbook=ledgers.address(page).replace("/ledger", "/ledger.xlsx", 1),
        asked={
            "from": words.day(drawn.whole.span.first),
            "to": words.day(drawn.whole.span.last),
            "grid": asked.grid or "",
            "by": asked.by or drawn.form.by,
            "known": words.day(asked.known) if asked.known else "",
        },
        grids=[{"value": grid.code, "label": grid.name} for grid in ledgers.grids_of(page)],
        bys=words.options(ledger.by_names()),
        editable=page.may("unit.edit", community.id),
    )


@pages.get("/ledger.xlsx")
def workbook(page: Read) -> Response:
    """The same as a workbook."""
    community, asked, drawn = _drawn(page)
    place = _place(page, community, asked)
    content = ledger.workbook(drawn, place=place, span=drawn.whole.span, known=asked.known)
    name = quote(f"{drawn.form.title}-{drawn.whole.span.first}-{drawn.whole.span.last}.xlsx", safe="")
    return Response(content, media_type=XLSX, headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"})


@pages.get("/ledger/form")
def form_shown(page: Edit) -> Response:
    """The form of the ledger: its title, what is a row, and which figures are its columns."""
    return _form(page, ledger.form_of(page.session, page.actor, _community(page).id))


@pages.post("/ledger/form")
def form_set(page: Edit, form: Typed) -> Response:
    """Set the form of the ledger."""
    wanted = _typed(page, form)
    try:
        title = forms.read(LedgerTitle, form, ("title",))["title"]
        with page.attempt():
            ledger.set_form(page.session, page.actor, _community(page).id, Form(title, wanted.by, wanted.columns))
    except forms.REFUSED as error:
        return _form(page, wanted, error)
    return page.go("/ledger", _("Saved."))


class LedgerTitle(Input):
    """The title of a ledger."""

    title: Line


def _drawn(page: Page) -> tuple[units.Unit, Asked, Ledger]:
    asked, community = ledgers.parameters(page.request.query_params, Asked), _community(page)
    grid = units.by_code(page.session, page.actor, asked.grid, units.Level.GRID) if asked.grid else None
    span = days(asked.first, asked.last)
    drawn = ledger.draw(page.session, page.actor, community, span, by=asked.by, grid=grid, known=asked.known)
    return community, asked, drawn


def _community(page: Page) -> units.Unit:
    community = page.one_community
    if community is None:
        raise NotFound(_("There is no community yet whose ledger this is."))
    return community


def _place(page: Page, community: units.Unit, asked: Asked) -> str:
    name = units.name_by_code(page.session, page.actor, asked.grid) if asked.grid else ""
    return f"{community.name} {name or ''}".strip()


def _row(row: ledger.Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "cells": [
            {
                "text": number_text(cell.number, share=cell.share),
                "href": ""
                if cell.share or cell.number is None
                else address(cell.code, row.span, grid=row.grid.code if row.grid else None),
            }
            for cell in row.cells
        ],
    }


def _typed(page: Page, form: FormData) -> Form:
    """The columns that were numbered, by their numbers; what was typed that is no number comes last."""
    by = forms.text_in(form, "by") or By.GRID
    numbered = []
    for place, code in enumerate(figures.catalogue(page.session)):
        number = forms.text_in(form, f"number-{code}")
        if number:
            order = int(number) if number.isdecimal() and len(number) < 6 else 100_000
            numbered.append((order, place, Column(code, forms.text_in(form, f"heading-{code}") or "")))
    return Form(
        forms.text_in(form, "title") or "",
        By(by) if by in set(By) else By.GRID,
        tuple(column for _number, _place, column in sorted(numbered, key=lambda one: one[:2])),
    )


def _form(page: Page, form: Form, error: WanggeError | None = None) -> Response:
    order = {column.code: (number, column.heading) for number, column in enumerate(form.columns, 1)}
    parts = figures.fields()
    every = figures.catalogue(page.session)
    return page.show(
        "ledger/form.html",
        section="ledger",
        status=forms.status(error),
        fault=str(error) if error else None,
        title=form.title,
        by=form.by,
        bys=words.options(ledger.by_names()),
        parts=[
            {
                "name": name,
                "figures": [
                    {
                        "code": code,
                        "name": figure.name,
                        "how": figure.how,
                        "share": isinstance(figure, Share),
                        "number": order.get(code, ("", ""))[0],
                        "heading": order.get(code, ("", ""))[1],
                    }
                    for code, figure in every.items()
                    if figure.field == field
                ],
            }
            for field, name in parts.items()
        ],
    )
