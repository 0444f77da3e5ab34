"""Statistics on a page: the dashboard of a grid, a community, a street, a district, or of all that one may see."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.base import ledgers, tabs
from api.base.page import Page, needs
from api.stats import routes as stats
from api.stats.routes import StatsOut
from data import stats as numbers
from data import units
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Days = Annotated[int, Query(ge=1, le=numbers.DAYS_MAX)]
#: Categories in the chart; the table has them all.
MOST_BARS = 12


class Asked(stats.Asked):
    """What the address asks for."""

    days: Days = stats.DAYS


@pages.get("/stats")
def dashboard(page: Read) -> Response:
    """How the cases of a unit stand."""
    asked = ledgers.parameters(page.request.query_params, Asked)
    unit = asked.unit
    community_id = page.community_id
    seen = numbers.units_of(page.session, page.actor, community_id)
    chosen = units.by_code(page.session, page.actor, unit) if unit else _first(page, seen)
    begin, end = stats.days(asked.first, asked.last, asked.days)
    shown = stats.shown(numbers.of(page.session, page.actor, unit=chosen, first=begin, last=end))
    names = {one.code: ("　" * _depth(one, seen)) + one.name for one in seen}
    periods = {"7": _("7 days"), "30": _("30 days"), "90": _("90 days"), "365": _("One year")}
    filters = [
        ledgers.choice("unit", _("Unit"), names, chosen.name if chosen else _("All communities")),
        ledgers.choice("days", _("Period"), periods, _("{count} days", count=(end - begin).days + 1)),
        ledgers.day("from", _("From")),
        ledgers.day("to", _("To")),
    ]
    return page.show(
        "stats/show.html",
        section="stats",
        tabs=tabs.stats(page, "stats"),
        stats=shown,
        figures=_key_figures(shown),
        part_name=_("Grid") if chosen and chosen.level == units.Level.COMMUNITY else _("Community"),
        charts=_charts(shown),
        **ledgers.filtered(page, filters),
    )


def _first(page: Page, seen: list[units.Unit]) -> units.Unit | None:
    """What is shown at first: the community that pages are about, or the street or district when they are about all of
    its communities; for whoever has only a grid of the community that grid.
    """
    top = page.glance.unit if page.glance else None
    chosen = next((one for one in seen if top is not None and one.id == top.id), None)
    return chosen or (None if page.community_id is None else next(iter(seen), None))


def _depth(unit: units.Unit, seen: list[units.Unit]) -> int:
    """How many of the units that are listed stand above one."""
    return sum(one.id in unit.path[:-1] for one in seen)


def _key_figures(shown: StatsOut) -> list[dict[str, Any]]:
    """The numbers at the top, each with its link; those that belong to days also with that of the days before."""
    figures, before = shown.figures, shown.before
    rows = [
        (_("New cases"), figures.new, before.new, ""),
        (_("Open"), figures.open, None, ""),
        (_("Due soon"), figures.due, None, ""),
        (_("Overdue"), figures.overdue, None, "act" if figures.overdue.value else ""),
        (_("Solved"), figures.solved, before.solved, ""),
        (_("Never opened again"), figures.first_time, before.first_time, ""),
    ]
    cells = [
        {
            "label": label,
            "value": f"{number.value:,}",
            "href": number.href,
            "tone": tone,
            "before": {"text": f"{earlier.value:,}", "href": earlier.href} if earlier else None,
        }
        for label, number, earlier, tone in rows
    ]
    share, earlier_share = (_percent(one.first_time_share) for one in (figures, before))
    compared = {"text": earlier_share, "href": before.first_time.href}
    label = _("Settled the first time")
    return [*cells, {"label": label, "value": share, "href": figures.first_time.href, "tone": "", "before": compared}]


def _percent(share: float | None) -> str:
    return f"{share:.0%}" if share is not None else "—"


def _charts(shown: StatsOut) -> dict[str, Any]:
    """What the charts draw, with the addresses that a click leads to."""
    kinds = shown.kinds[:MOST_BARS]
    return {
        "steps": {
            "labels": [step.first.isoformat() for step in shown.steps],
            "series": [
                {
                    "name": _("New cases"),
                    "values": [step.new.value for step in shown.steps],
                    "hrefs": [step.new.href for step in shown.steps],
                },
                {
                    "name": _("Solved"),
                    "values": [step.solved.value for step in shown.steps],
                    "hrefs": [step.solved.href for step in shown.steps],
                },
            ],
        },
        "kinds": {
            "labels": [kind.category_name for kind in kinds],
            "values": [round(kind.median_days, 1) for kind in kinds],
            "hrefs": [kind.solved.href for kind in kinds],
            "unit": _("days"),
        },
    }
