"""The ledger 《网格化社会管理台账》: the figures of a community, in the one form that it has set, for any days.

The form is data: a title, which figures are its columns in which order and under which headings, and what is a row (a
grid, a month, a week). Nothing is entered into a ledger; it is told from the records, as they are known now or as they
were known at the end of a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from io import BytesIO
from typing import Any

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, UniqueConstraint, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import figures, units
from data.base import access, db, language, reference, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.figures import Figure, Numbers, Share, Span

#: A ledger has at most so many columns and rows; more is for the lists.
MOST_COLUMNS, MOST_ROWS = 60, 400
LONGEST_HEADING = 60


class By(StrEnum):
    """What a row of the ledger is."""

    GRID = "grid"
    MONTH = "month"
    WEEK = "week"


def by_names() -> dict[str, str]:
    """What a row of the ledger is."""
    return {By.GRID: _("By grid"), By.MONTH: _("By month"), By.WEEK: _("By week")}


class LedgerForm(db.Dated, db.Table):
    """The form that a community has set; without one the form holds that comes with the program."""

    __tablename__ = "ledger_form"
    __read__ = "incident.read"
    __table_args__ = (
        UniqueConstraint("community_id"),
        CheckConstraint("rows_by IN ('grid', 'month', 'week')", name="rows_by"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    title: Mapped[str]
    rows_by: Mapped[str] = mapped_column(server_default=By.GRID)
    #: ``{"code", "heading"}`` of each column in its order; without a heading the figure's own name
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A form is its community's, and of everybody who has a grid of it."""
        of_grids = select(units.Unit.community_id).where(units.Unit.id.in_(sorted(area.single)))
        return access.in_area(area, cls.community_id) | cls.community_id.in_(of_grids)


@dataclass(frozen=True)
class Column:
    """A column: the code of its figure, and its heading where that is not the figure's name."""

    code: str
    heading: str = ""


@dataclass(frozen=True)
class Form:
    """How a ledger looks."""

    title: str
    by: By
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Cell:
    """A number of the ledger: a count, a share 0–1, or ``None`` where it is unknown or not for the actor to know."""

    code: str
    number: float | None
    share: bool = False


@dataclass(frozen=True)
class Row:
    """A row: the grid that it is of (``None``: all of the ledger), its days, and a cell for each column."""

    name: str
    grid: units.Unit | None
    span: Span
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Ledger:
    """A ledger as it is drawn: a heading for each column, the rows, and all of them together."""

    form: Form
    headings: Sequence[str]
    #: how each column is counted
    told: Sequence[str]
    rows: Sequence[Row]
    whole: Row


def form_of(session: Session, actor: Actor, community_id: int) -> Form:
    """The form of a community's ledger, its own or the one that comes with the program."""
    query = select(LedgerForm).where(LedgerForm.community_id == community_id)
    own = session.scalar(access.visible(query, actor, LedgerForm))
    if own is None:
        offered = reference.labels("ledger_columns", language.current())
        return Form(_("Ledger of grid management"), By.GRID, tuple(Column(*pair) for pair in offered.items()))
    return Form(own.title, By(own.rows_by), tuple(Column(one["code"], one.get("heading") or "") for one in own.columns))


def set_form(session: Session, actor: Actor, community_id: int, form: Form) -> LedgerForm:
    """Set the form of a community's ledger.

    Raises
    ------
    Forbidden
    Invalid
        There is no column, too many, or one whose figure is none.
    """
    access.require(actor, "unit.edit", community_id)
    known = figures.catalogue(session)
    if not 0 < len(form.columns) <= MOST_COLUMNS:
        raise Invalid(_("A ledger has 1 to {most} columns. Number those that it shall have.", most=MOST_COLUMNS))
    for column in form.columns:
        if column.code not in known:
            raise figures.FigureNotFound(_("There is no figure “{code}”.", code=column.code))
        if len(column.heading) > LONGEST_HEADING:
            raise Invalid(_("A heading has at most {most} characters.", most=LONGEST_HEADING))
    own = session.scalar(select(LedgerForm).where(LedgerForm.community_id == community_id))
    if own is None:
        own = LedgerForm(community_id=community_id)
        session.add(own)
    own.title, own.rows_by = form.title, form.by
    own.columns = [{"code": column.code, "heading": column.heading} for column in form.columns]
    session.flush()
    return own


def draw(
    session: Session,
    actor: Actor,
    community: units.Unit,
    span: Span,
    *,
    by: By | None = None,
    grid: units.Unit | None = None,
    known: date | None = None,
) -> Ledger:
    """The ledger of a community over some days, or of one of its grids.

    Parameters
    ----------
    by
        What a row is, where that is not as the form says.
    known
        As the records stood at the end of this day; ``None`` for now.

    Raises
    ------
    Invalid
        The days have too many weeks.
    """
    form, every = form_of(session, actor, community.id), figures.catalogue(session)
    columns = [(column, every[column.code]) for column in form.columns if column.code in every]
    counted = figures.needed([figure for _column, figure in columns], every)
    moment = None if known is None else settings.end_of(known)

    def numbers(days: Span) -> dict[str, Numbers]:
        return figures.count(session, actor, counted, days, communities=[community.id], known=moment)

    def row(name: str, of: units.Unit | None, days: Span, sums: dict[str, Numbers]) -> Row:
        placed = {code: number.of_grid(of.id) if of else number.total for code, number in sums.items()}
        return Row(name, of, days, [_cell(figure, placed) for _column, figure in columns])

    whole = numbers(span)
    rows_by = form.by if by is None else by
    if rows_by == By.GRID:
        rows = [row(one.name, one, span, whole) for one in ([grid] if grid else _grids(session, actor, community))]
        nowhere = {code: number.of_grid(None) for code, number in whole.items()}
        if grid is None and any(nowhere.values()):
            cells = [_cell(figure, nowhere) for _column, figure in columns]
            rows.append(Row(_("Without a grid"), None, span, cells))
    else:
        rows = [row(_name(days, rows_by), grid, days, numbers(days)) for days in steps(span, rows_by)]
    headings = [column.heading or figure.name for column, figure in columns]
    told = [figure.how for _column, figure in columns]
    return Ledger(form, headings, told, rows, row(_("Total"), grid, span, whole))


def steps(span: Span, by: By) -> list[Span]:
    """The months or weeks (from Monday) of some days, those at the ends cut off.

    Raises
    ------
    Invalid
        There are more than ``MOST_ROWS``.

    >>> [str(step.first) for step in steps(Span(date(2026, 1, 20), date(2026, 3, 2)), By.MONTH)]
    ['2026-01-20', '2026-02-01', '2026-03-01']
    >>> [str(step.last) for step in steps(Span(date(2026, 3, 17), date(2026, 3, 24)), By.WEEK)]
    ['2026-03-22', '2026-03-24']
    """
    parts = list(_steps(span, by))
    if len(parts) > MOST_ROWS:
        raise Invalid(_("These days have {count} rows; a ledger has {most}.", count=len(parts), most=MOST_ROWS))
    return parts


def _steps(span: Span, by: By) -> Iterator[Span]:
    first = span.first
    while first <= span.last:
        if by == By.MONTH:
            following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        else:
            following = first + timedelta(days=7 - first.weekday())
        yield Span(first, min(following - timedelta(days=1), span.last))
        first = following


def workbook(ledger: Ledger, *, place: str, span: Span, known: date | None) -> bytes:
    """A ledger as a workbook (XLSX): the sheet as it is on paper, and one that says how each column is counted."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Border, Font, Side
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.properties import PageSetupProperties

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = _("Ledger")
    width, line = len(ledger.headings) + 1, Side(style="thin", color="999999")
    sheet.append([ledger.form.title])
    sheet.append([subtitle(place, span, known)])
    for number in (1, 2):
        sheet.merge_cells(start_row=number, start_column=1, end_row=number, end_column=width)
    sheet["A1"].font = Font(bold=True, size=16)
    sheet["A1"].alignment = sheet["A2"].alignment = Alignment(horizontal="center")
    sheet.append([by_heading(ledger), *ledger.headings])
    for row in (*ledger.rows, ledger.whole):
        sheet.append([row.name, *(cell.number for cell in row.cells)])
    for cells in sheet.iter_rows(min_row=3, max_col=width):
        for cell in cells:
            cell.border = Border(left=line, right=line, top=line, bottom=line)
    for number, column in enumerate(ledger.whole.cells, 2):
        sheet.column_dimensions[get_column_letter(number)].width = 11
        for cells in sheet.iter_rows(min_row=4, min_col=number, max_col=number):
            cells[0].number_format = "0.0%" if column.share else "#,##0"
    for cell in sheet[3]:
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, horizontal="center", vertical="center")
    sheet.column_dimensions["A"].width = 18
    sheet.freeze_panes = "B4"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.print_title_rows = "3:3"
    sources = book.create_sheet(_("How it is counted"))
    for pair in zip(ledger.headings, ledger.told, strict=True):
        sources.append(pair)
    sources.column_dimensions["A"].width, sources.column_dimensions["B"].width = 24, 80
    for cell in (cell for page in book for cells in page.iter_rows() for cell in cells):
        if cell.data_type == "f":
            cell.data_type = "s"  # a name that begins with = is a name
    content = BytesIO()
    book.save(content)
    return content.getvalue()


def by_heading(ledger: Ledger) -> str:
    """What stands over the names of the rows."""
    return _("Grid") if all(row.span == ledger.whole.span for row in ledger.rows) else _("Days")


def subtitle(place: str, span: Span, known: date | None) -> str:
    """Of where a ledger is, over which days, and as of when it was known."""
    days = _("{first} to {last}", first=f"{span.first:%Y-%m-%d}", last=f"{span.last:%Y-%m-%d}")
    return f"{place}  {days}" + (_(", as it was known on {day}", day=f"{known:%Y-%m-%d}") if known else "")


def _cell(figure: Figure | Share, numbers: dict[str, int]) -> Cell:
    if isinstance(figure, Share):
        return Cell(figure.code, figures.share(figure, numbers), share=True)
    return Cell(figure.code, numbers.get(figure.code))


def _grids(session: Session, actor: Actor, community: units.Unit) -> list[units.Unit]:
    """The grids of a community that the actor works with, by code."""
    below = units.listed(session, actor, level=units.Level.GRID, under=community.id)
    return [grid for grid in below if actor.area("grid.read").covers(community.id, grid.id)]


def _name(span: Span, by: By) -> str:
    if by == By.MONTH:
        return f"{span.first:%Y-%m}"
    return _("{first} to {last}", first=f"{span.first:%m-%d}", last=f"{span.last:%m-%d}")
