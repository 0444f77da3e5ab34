"""What is due today, as a sheet over the map of the own grid."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from starlette.responses import Response

from api.base import words
from api.base.page import Page, needs
from api.rounds.pages import begins
from api.visits.pages import what_is_due
from data import diary, disputes, households, today
from data.base import settings
from data.base.language import _

pages = APIRouter(include_in_schema=False)


@pages.get("/today/own/panel")
def panel(page: Annotated[Page, needs("incident.read")]) -> Response:
    """The cases that are due and the rounds of the day."""
    todays = today.of(page.session, page.actor)
    return page.fragment(
        "today/panel.html",
        title=_(", ").join(grid.name for grid in todays.grids) or _("Today"),
        day=words.day(settings.today()),
        bounds=todays.bounds or (),
        cases=[{**words.case(row), "remark": words.remark(row.description)} for row in todays.cases],
        due=todays.due,
        open=todays.open,
        visits=[
            {
                "id": row.id,
                "title": f"{words.building(row.building_number)} {words.dwelling(row.unit, row.room)}",
                "head": households.masked({"head_name": row.head_name})["head_name"] or row.number,
                "due": what_is_due(row, settings.today()),
            }
            for row in todays.visits
        ],
        to_visit=todays.to_visit,
        calls=[
            {
                "id": row.dispute_id,
                "title": f"{words.building(row.building_number)} · {disputes.kind_names()[row.kind]}",
                "due": words.day(row.due_on),
                "late": row.due_on < settings.today(),
            }
            for row in todays.calls
        ],
        weeks=[
            {
                "title": diary.subject_names()[week.subject],
                "says": _("Week from {day}", day=words.day(week.week_on)),
                "entries": _("{count} entries", count=week.since or week.entries),
            }
            for week in todays.weeks
        ],
        rounds=[
            {
                "id": row.id,
                "name": row.name,
                "at": begins(row.starts_at),
                "where": row.grid_name or _("The whole community"),
                "done": row.done,
            }
            for row in todays.rounds
        ],
    )
