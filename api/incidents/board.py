"""Cases as a board by state, and many of them assigned at once.

A card is moved by dragging it, or by the box on it, into another column. What that means is told by the table of the
workflow: where it asks for words, the case's page opens at that action instead.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ledgers, tabs, words
from api.base.fields import Id
from api.base.page import Page, needs, typed
from api.incidents.pages import team_names
from api.incidents.routes import IncidentFilters
from data import accounts, incidents, teams
from data.base.errors import Invalid
from data.base.language import _
from data.incidents import State, Step

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Edit = Annotated[Page, needs("incident.edit")]
Typed = Annotated[FormData, typed]

_COLUMNS = (State.NEW, State.IN_PROGRESS, State.TO_VERIFY, State.ON_HOLD, State.CLOSED)
_CARDS = 40
_CLOSED = timedelta(days=14)


@pages.get("/incidents/board")
def board(page: Read) -> Response:
    """The open cases in columns, what is most urgent on top, and what was closed in the last two weeks."""
    columns = [_column(page, state) for state in _COLUMNS]
    filters = [
        ledgers.choice("category", _("Category"), _groups(page)),
        ledgers.by_grid(page),
        ledgers.choice("overdue", _("Overdue"), {"true": _("Only these")}),
        ledgers.choice("due_soon", _("Due soon"), {"true": _("Only these")}),
    ]
    if names := team_names(page):
        filters.append(ledgers.choice("service_team", _("Service team"), names))
    return page.show(
        "incidents/board.html",
        section="incidents",
        columns=columns,
        tabs=tabs.incidents(page, "incidents/board"),
        **ledgers.filtered(page, filters),
    )


def _groups(page: Page) -> dict[str, str]:
    return {one.code: words.name(one) for one in incidents.categories(page.session) if one.parent_code is None}


def _column(page: Page, state: State) -> dict[str, Any]:
    wanted = ledgers.wanted(page, IncidentFilters, state=state.value)
    if state is State.CLOSED:
        since = datetime.now(UTC) - _CLOSED
        rows = incidents.lately_closed(page.session, page.actor, wanted, since, most=_CARDS + 1)
    else:
        rows = incidents.most_pressing(page.session, page.actor, wanted, most=_CARDS + 1)
    return {
        "state": state.value,
        "name": incidents.words.states()[state.value],
        "cards": [_card(page, row) for row in rows[:_CARDS]],
        "more": f"/incidents?state={state.value}" if len(rows) > _CARDS else None,
        "count": len(rows) if len(rows) <= _CARDS else f"{_CARDS}+",
    }


def _card(page: Page, row: Any) -> dict[str, Any]:
    step = Step(row.step)
    may = page.may("incident.edit", row.community_id, row.grid_id)
    moves = [state for state in _COLUMNS if may and incidents.leading_to(state, step)]
    return {
        **words.case(row),
        "where": row.grid_name,
        "who": words.handled_by(row),
        "tier": row.tier,
        "supervised": row.supervised,
        "moves": [{"value": state.value, "label": incidents.words.states()[state.value]} for state in moves],
    }


@pages.post("/incidents/{incident_id}/move")
def move(incident_id: Id, page: Edit, form: Typed) -> Response:
    """Put a case into the column of another state: do what that means, or open the case where words are needed."""
    incident = incidents.get(page.session, page.actor, incident_id)
    wanted = forms.text_in(form, "state")
    action = incidents.leading_to(State(wanted), Step(incident.step)) if wanted in set(State) else None
    if action is None:
        return page.go("/incidents/board", _("This cannot be done with the case as it stands now."))
    if action in incidents.EXPLAINED:
        return page.go(f"/incidents/{incident.id}?do={action}#act")
    try:
        with page.attempt():
            incidents.act(page.session, page.actor, incident, action)
    except forms.REFUSED as error:
        return page.go("/incidents/board", error.detail)
    done = _("{what}: {number}.", what=incidents.words.actions()[action], number=incident.number)
    return page.go("/incidents/board", done)


@pages.post("/incidents/assign")
def assign(page: Edit, form: Typed) -> Response:
    """Assign the ticked cases: first it is asked to whom."""
    picked = [int(one) for one in form.getlist("pick") if isinstance(one, str) and one.isdecimal() and len(one) < 19]
    rows = incidents.chosen(page.session, page.actor, picked[:500])
    if not rows:
        return page.go("/incidents", _("No case was ticked."))
    fault = None
    if forms.text_in(form, "confirm"):
        try:
            with page.attempt():
                steps = incidents.assign_all(
                    page.session,
                    page.actor,
                    [row.id for row in rows],
                    assignee_id=forms.id_in(form, "assignee_id"),
                    service_team_id=forms.id_in(form, "service_team_id"),
                    note=forms.text_in(form, "note") or None,
                )
            return page.go("/incidents", _("{count} cases assigned.", count=len(steps)))
        except forms.REFUSED as error:
            fault = error
    return page.show(
        "incidents/assign.html",
        section="incidents",
        status=forms.status(fault),
        people=_people(page, rows),
        teams=_teams(page, rows),
        rows=[{**words.case(row), "grid": row.grid_name, "who": words.handled_by(row)} for row in rows],
        fault=fault.detail if fault else None,
    )


def _teams(page: Page, rows: Any) -> list[dict[str, Any]]:
    """The service teams of the community that all of these cases lie in."""
    places = {row.community_id for row in rows}
    serving = teams.serving(page.session, page.actor, places) if len(places) == 1 else []
    return [{"value": team.id, "label": team.name} for team in serving]


def _people(page: Page, rows: Any) -> list[dict[str, Any]]:
    """Who handles cases at each of these places."""
    places = {row.grid_id or row.community_id for row in rows}
    if len(places) > 50:
        raise Invalid(_("Assign the cases of at most 50 grids at once."))
    known: dict[int, str] = {}
    common: set[int] | None = None
    for place in sorted(places):
        found = accounts.who_may(page.session, "incident.edit", place)
        known |= {row.id: f"{row.name} · {words.role(row)}" for row in found}
        common = {row.id for row in found} & (common if common is not None else {row.id for row in found})
    return [{"value": key, "label": name} for key, name in known.items() if key in (common or set())]
