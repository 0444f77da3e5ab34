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

from api import forms, labels, ledgers
from api.fields import Id
from api.incidents import wanted_incidents
from api.incidents_pages import tabs
from api.pages import Page, needs, typed
from data import accounts, incidents
from data.base.errors import Invalid
from data.base.language import _
from data.incidents import Action, Incident, State, Step

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Edit = Annotated[Page, needs("incident.edit")]
Typed = Annotated[FormData, typed]

_COLUMNS = (State.NEW, State.IN_PROGRESS, State.TO_VERIFY, State.ON_HOLD, State.CLOSED)
_CARDS = 40
_CLOSED = timedelta(days=14)
#: What is done with a case at a step when its card is put into the column of a state.
_MOVES: dict[State, dict[Step, Action]] = {
    State.IN_PROGRESS: {
        Step.REPORTED: Action.TRIAGE,
        Step.TRIAGED: Action.ASSIGN,
        Step.ON_HOLD: Action.RESUME,
        Step.RESOLVED: Action.REOPEN,
        Step.FEEDBACK_GIVEN: Action.REOPEN,
        Step.CLOSED: Action.REOPEN,
    },
    State.TO_VERIFY: {Step.ASSIGNED: Action.RESOLVE, Step.IN_PROGRESS: Action.RESOLVE},
    State.ON_HOLD: {Step.ASSIGNED: Action.HOLD, Step.IN_PROGRESS: Action.HOLD},
    State.CLOSED: {Step.RESOLVED: Action.GIVE_FEEDBACK, Step.FEEDBACK_GIVEN: Action.CLOSE},
}


@pages.get("/incidents/board")
def board(page: Read) -> Response:
    """The open cases in columns, what is most urgent on top, and what was closed in the last two weeks."""
    columns = [_column(page, state) for state in _COLUMNS]
    filters = [
        ledgers.choice("category", _("Category"), _groups(page)),
        ledgers.by_grid(page),
        ledgers.choice("overdue", _("Time"), {"true": _("Overdue")}),
    ]
    return page.show(
        "incidents/board.html", section="incidents", columns=columns, tabs=tabs("board"),
        **ledgers.filtered(page, filters),
    )  # fmt: skip


def _groups(page: Page) -> dict[str, str]:
    return {one.code: labels.name(one) for one in incidents.categories(page.session) if one.parent_code is None}


def _column(page: Page, state: State) -> dict[str, Any]:
    wanted = ledgers.wanted(page, wanted_incidents, state=state.value)
    query = incidents.selection(page.actor, wanted)
    if state is State.CLOSED:
        query = query.where(Incident.closed_at > datetime.now(UTC) - _CLOSED)
    order = (Incident.closed_at.desc(),) if state is State.CLOSED else (Incident.due_at.asc().nulls_last(),)
    rows = page.session.execute(query.order_by(*order, Incident.id).limit(_CARDS + 1)).all()
    return {
        "state": state.value,
        "name": labels.states()[state.value],
        "cards": [_card(page, row) for row in rows[:_CARDS]],
        "more": f"/incidents?state={state.value}" if len(rows) > _CARDS else None,
        "count": len(rows) if len(rows) <= _CARDS else f"{_CARDS}+",
    }


def _card(page: Page, row: Any) -> dict[str, Any]:
    step = Step(row.step)
    may = page.may("incident.edit", row.community_id, row.grid_id)
    moves = [state for state in _COLUMNS if may and step in _MOVES.get(state, {})]
    return {
        **labels.case(row),
        "where": row.grid_name or row.address,
        "who": row.assignee_name,
        "tier": row.tier,
        "supervised": row.supervised,
        "moves": [{"value": state.value, "label": labels.states()[state.value]} for state in moves],
    }


@pages.post("/incidents/{incident_id}/move")
def move(incident_id: Id, page: Edit, form: Typed) -> Response:
    """Put a case into the column of another state: do what that means, or open the case where words are needed."""
    found = incidents.get(page.session, page.actor, incident_id)
    wanted = forms.text_in(form, "state")
    actions = _MOVES.get(State(wanted), {}) if wanted in set(State) else {}
    action = actions.get(Step(found.step))
    if action is None:
        return page.go("/incidents/board", _("This cannot be done with the case as it stands now."))
    if action in incidents.EXPLAINED:
        return page.go(f"/incidents/{found.id}?do={action}#act")
    try:
        with page.attempt():
            incidents.act(page.session, page.actor, found, action)
    except forms.REFUSED as error:
        return page.go("/incidents/board", error.detail)
    done = _("{what}: {number}.", what=labels.incident_actions()[action], number=found.number)
    return page.go("/incidents/board", done)


@pages.post("/incidents/assign")
def assign(page: Edit, form: Typed) -> Response:
    """Assign the ticked cases: first it is asked to whom."""
    picked = [int(one) for one in form.getlist("pick") if isinstance(one, str) and one.isdecimal() and len(one) < 19]
    query = incidents.selection(page.actor).where(Incident.id.in_(picked[:500])).order_by(Incident.reported_at)
    rows = page.session.execute(query).all()
    if not rows:
        return page.go("/incidents", _("No case was ticked."))
    fault = None
    if forms.text_in(form, "confirm"):
        try:
            with page.attempt():
                steps = incidents.assign_all(
                    page.session, page.actor, [row.id for row in rows],
                    assignee_id=forms.id_in(form, "assignee_id"), note=forms.text_in(form, "note") or None,
                )  # fmt: skip
            return page.go("/incidents", _("{count} cases assigned.", count=len(steps)))
        except forms.REFUSED as error:
            fault = error
    return page.show(
        "incidents/assign.html", section="incidents", status=forms.status(fault), people=_people(page, rows),
        rows=[{**labels.case(row), "grid": row.grid_name, "who": row.assignee_name} for row in rows],
        fault=fault.detail if fault else None,
    )  # fmt: skip


def _people(page: Page, rows: Any) -> list[dict[str, Any]]:
    """Who handles cases at each of these places."""
    places = {row.grid_id or row.community_id for row in rows}
    if len(places) > 50:
        raise Invalid(_("Assign the cases of at most 50 grids at once."))
    known: dict[int, str] = {}
    common: set[int] | None = None
    for place in sorted(places):
        found = accounts.who_may(page.session, "incident.edit", place)
        known |= {row.id: f"{row.name} · {labels.role(row)}" for row in found}
        common = {row.id for row in found} & (common if common is not None else {row.id for row in found})
    return [{"value": key, "label": name} for key, name in known.items() if key in (common or set())]
