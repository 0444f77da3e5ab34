"""The ledger is told from the records, in the form that the community set, as of any day."""

from __future__ import annotations

from datetime import date, timedelta
from io import BytesIO

import openpyxl
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import figures, ledger, units
from data.base import access, settings
from data.base.errors import Invalid
from data.demo import plan
from data.figures import Span
from data.ledger import By, Column, Form


def year() -> Span:
    today = settings.today()
    return Span(today - timedelta(days=364), today)


def community(session: Session) -> units.Unit:
    return units.by_code(session, access.SYSTEM, plan.COMMUNITY)


def test_the_rows_of_grids_and_of_months_add_up_to_the_same(loaded: Session) -> None:
    here = community(loaded)
    for by in By:
        drawn = ledger.draw(loaded, access.SYSTEM, here, year(), by=by)
        for number, cell in enumerate(drawn.whole.cells):
            if cell.code in ("visits", "calls", "cards", "cases", "disputes", "cases_closed"):
                assert sum(row.cells[number].number or 0 for row in drawn.rows) == cell.number, (by, cell.code)
    assert len(drawn.rows) in (53, 54)


def test_a_community_sets_title_order_headings_and_rows(loaded: Session) -> None:
    here = community(loaded)
    wanted = Form("台账甲", By.MONTH, (Column("cases_solved_share"), Column("visits", "=走访")))
    ledger.set_form(loaded, access.SYSTEM, here.id, wanted)
    assert ledger.form_of(loaded, access.SYSTEM, here.id) == wanted
    span = Span(date(year().first.year, 12, 20), date(year().first.year + 1, 2, 3))
    drawn = ledger.draw(loaded, access.SYSTEM, here, span)
    assert (drawn.headings[1], [row.name[-2:] for row in drawn.rows]) == ("=走访", ["12", "01", "02"])
    content = ledger.workbook(drawn, place=here.name, span=span, known=None)
    sheet, sources = openpyxl.load_workbook(BytesIO(content)).worksheets
    assert (sheet["A1"].value, sheet["C3"].value, sheet["C3"].data_type) == ("台账甲", "=走访", "s")
    assert [sheet.cell(row, 3).value for row in range(4, 8)] == [
        *(row.cells[1].number for row in drawn.rows),
        drawn.whole.cells[1].number,
    ]
    assert sources.max_row == 2


def test_a_form_without_columns_or_with_unknown_ones_is_refused(loaded: Session) -> None:
    here = community(loaded)
    with pytest.raises(Invalid, match="1 to 60 columns"):
        ledger.set_form(loaded, access.SYSTEM, here.id, Form("x", By.GRID, ()))
    with pytest.raises(figures.FigureNotFound):
        ledger.set_form(loaded, access.SYSTEM, here.id, Form("x", By.GRID, (Column("no such"),)))
    with pytest.raises(Invalid, match="rows"):
        ledger.steps(Span(date(1900, 1, 1), date(2026, 1, 1)), By.WEEK)


def test_the_ledger_as_it_was_known_leaves_out_what_came_later(loaded: Session) -> None:
    here, yesterday = community(loaded), settings.today() - timedelta(days=1)
    span = Span(yesterday - timedelta(days=30), yesterday)
    loaded.execute(
        text(
            "INSERT INTO visit (uuid, community_id, household_id, manner, outcome, at) SELECT gen_random_uuid(), "
            "community_id, id, 'visit', 'met', now() - interval '5 days' FROM household LIMIT 1"
        )
    )
    place = [column.code for column in ledger.form_of(loaded, access.SYSTEM, here.id).columns].index("visits")
    now = ledger.draw(loaded, access.SYSTEM, here, span).whole.cells[place].number
    then = ledger.draw(loaded, access.SYSTEM, here, span, known=yesterday).whole.cells[place].number
    assert now is not None
    assert then == now - 1
