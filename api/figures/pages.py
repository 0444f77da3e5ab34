"""Figures on pages: the catalogue with the numbers of some days, and one figure with the records behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.base import ledgers, listing, tabs, words
from api.base.fields import CodePath
from api.base.listing import GridCode
from api.base.page import Page, needs
from api.figures.routes import days, told, with_records
from data import diary, disputes, figures, teams, units
from data.activities import Activity
from data.base.language import _
from data.buildings import Building, Dwelling
from data.diary import DiaryEntry
from data.disputes import Dispute
from data.figures import Figure, Share, Span
from data.households import Household, Resident, Tenancy
from data.incidents import Incident
from data.teams import ServiceTeam, TeamMember
from data.visits import Visit

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read", "unit.read")]
#: Where a record of a table is shown.
_SHOWN: dict[type[Any], str] = {
    Activity: "/activities/{}",
    Building: "/buildings/{}",
    DiaryEntry: "/diary/{}",
    Dispute: "/disputes/{}",
    Dwelling: "/buildings/{}",
    Household: "/households/{}",
    Incident: "/incidents/{}",
    Resident: "/households/{}",
    Tenancy: "/tenancies/{}",
    TeamMember: "/grids/{}",
    Visit: "/households/{}",
}


class About(listing.Days):
    """Of which grid and days, and what came in after a moment."""

    grid: GridCode = None
    since: Annotated[datetime | None, Query(description="Only what came in after this moment.")] = None


@pages.get("/figures")
def listed(page: Read) -> Response:
    """The catalogue, part by part, with the numbers of the community."""
    asked = ledgers.parameters(page.request.query_params, listing.Days)
    span, community = days(asked.first, asked.last), page.one_community
    every = figures.catalogue(page.session)
    known = {code: figure for code, figure in every.items() if told(page.actor, figure)}
    numbers = _numbers(page, known.values(), every, span, community)
    parts = figures.fields()
    return page.show(
        "figures/list.html",
        section="ledger",
        tabs=tabs.ledger(page, "figures"),
        place=community.name if community else "",
        days=_days(span),
        parts=[
            {
                "name": name,
                "figures": [
                    {
                        "name": figure.name,
                        "how": figure.how,
                        "number": number_text(numbers.get(code), share=isinstance(figure, Share)),
                        "href": address(code, span) if isinstance(figure, Figure) else "",
                        "below": "." in code,
                    }
                    for code, figure in known.items()
                    if figure.field == field
                ],
            }
            for field, name in parts.items()
        ],
    )


@pages.get("/figures/{code}")
def shown(code: CodePath, page: Read) -> Response:
    """A number, grid by grid, and the records behind it."""
    asked = ledgers.parameters(page.request.query_params, About)
    span, community = days(asked.first, asked.last), page.one_community
    figure = with_records(page.session, page.actor, code)
    grid = units.by_code(page.session, page.actor, asked.grid, units.Level.GRID) if asked.grid else None
    counted = figures.count(
        page.session, page.actor, [figure], span, communities=[community.id] if community else []
    ).get(code, figures.Numbers())
    grids = ledgers.grids_of(page)
    most = max([counted.of_grid(part.id) for part in grids], default=0)
    records: Sequence[figures.Record] = []
    if community:
        records = figures.records(
            page.session,
            page.actor,
            figure,
            span,
            community_id=community.id,
            grid_id=grid.id if grid else None,
            since=asked.since,
        )
    names = {part.id: part.name for part in grids}
    return page.show(
        "figures/show.html",
        section="ledger",
        name=figure.name,
        how=figure.how,
        within=figure.within,
        days=_days(span),
        number=f"{counted.of_grid(grid.id) if grid else counted.total:,}",
        grid=grid.name if grid else "",
        since=words.minute(asked.since) if asked.since else "",
        parts=[
            {
                "name": part.name,
                "number": f"{counted.of_grid(part.id):,}",
                "bar": round(100 * counted.of_grid(part.id) / most) if most else 0,
                "href": address(code, span, grid=part.code),
                "current": grid is not None and part.id == grid.id,
            }
            for part in grids
        ],
        whole=address(code, span),
        records=[_record(figure, record, names) for record in records],
        most=figures.counting.MOST_RECORDS if len(records) == figures.counting.MOST_RECORDS else 0,
    )


def address(code: str, span: Span, grid: str | None = None, since: datetime | None = None) -> str:
    """Where a number is shown with the records behind it."""
    query = {"from": span.first, "to": span.last, "grid": grid, "since": since.isoformat() if since else None}
    return f"/figures/{code}?{urlencode({name: value for name, value in query.items() if value})}"


def number_text(number: float | None, *, share: bool) -> str:
    """A number as one reads it: a count with commas, a share in per cent, a dash for what is not known.

    >>> number_text(1400, share=False), number_text(0.904, share=True), number_text(None, share=True)
    ('1,400', '90.4 %', '—')
    """
    if number is None:
        return "—"
    return f"{round(100 * number, 1):g} %" if share else f"{number:,.0f}"


def _numbers(
    page: Page,
    asked: Any,
    every: Mapping[str, Figure | Share],
    span: Span,
    community: units.Unit | None,
) -> dict[str, float | None]:
    """Code → number of the whole community."""
    chosen = list(asked)
    if community is None:
        return {}
    counted = figures.count(page.session, page.actor, figures.needed(chosen, every), span, communities=[community.id])
    sums = {code: numbers.total for code, numbers in counted.items()}
    return {
        figure.code: figures.share(figure, sums) if isinstance(figure, Share) else sums.get(figure.code)
        for figure in chosen
    }


def _record(figure: Figure, record: figures.Record, names: Mapping[int, str]) -> dict[str, Any]:
    called = {
        DiaryEntry: diary.subject_names(),
        Dispute: disputes.kind_names(),
        TeamMember: teams.post_names(),
    }.get(figure.table, {})
    label = called.get(record.label, record.label)
    if figure.table in (Household, Resident, Visit):
        label = _("Household {number}", number=label)
    elif figure.table in (Building, Dwelling, Tenancy):
        label = words.building(label)
    place = _SHOWN.get(figure.table)
    return {
        "label": label or "—",
        "href": place.format(record.shown) if place else "/teams" if figure.table is ServiceTeam else "",
        "grid": names.get(record.grid_id or 0, ""),
        "known": words.minute(record.known_at) if record.known_at else "",
        "amount": record.amount,
    }


def _days(span: Span) -> dict[str, str]:
    return {"from": words.day(span.first), "to": words.day(span.last)}
