"""Plans on pages: their list, and the planner's table with its map, figures, checks, course and comments."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, ground, words
from api.base.fields import Id, Input, Line, Reference, Text
from api.base.page import Page, needs, typed
from api.base.request import public_address
from api.plans import incoming
from data import plans, units
from data.base import settings
from data.base.errors import Invalid, WanggeError
from data.base.language import _
from data.plans import Action
from maps import plans as plan_maps

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("grid.read")]
Edit = Annotated[Page, needs("grid.edit")]
Typed = Annotated[FormData, typed]


class PlanForm(Input):
    """What is typed to draw up a plan."""

    name: Line
    community_id: Reference
    from_plan_id: Reference | None = None


class FileForm(Input):
    """What is said of a file that a plan comes from."""

    name: Line | None = None
    community_id: Reference
    closing: bool | None = None
    outer: bool | None = None


class StepForm(Input):
    """What is sent to take a plan on."""

    action: Action
    effective_on: date | None = None


class CommentForm(Input):
    """What is said of a plan, or in answer."""

    body: Text
    key: int | None = None
    answers_id: Reference | None = None


class HideForm(Input):
    """Whether a comment is hidden."""

    hidden: bool


class ShareForm(Input):
    """Whether residents may look at a plan."""

    shared: bool


@pages.get("/plans")
def listed(page: Read) -> Response:
    """The plans of the community, newest first, and a form for another."""
    return _list(page)


@pages.post("/plans")
def draw_up(page: Edit, form: Typed) -> Response:
    """Draw up a plan, and go to its table."""
    try:
        values = forms.read(PlanForm, form, ("name", "community_id", "from_plan_id"))
        community = units.community(page.session, page.actor, values["community_id"])
        before = plans.get(page.session, page.actor, values["from_plan_id"]) if values.get("from_plan_id") else None
        with page.attempt():
            plan = plans.draw_up(page.session, page.actor, community, name=values["name"], from_plan=before)
    except forms.REFUSED as error:
        return _list(page, typed=form, error=error)
    return page.go(f"/plans/{plan.id}")


@pages.post("/plans/import")
def bring_in(page: Edit, form: Typed) -> Response:
    """A plan from a file; what a half-drawn one lacks is listed."""
    try:
        values = forms.read(FileForm, form, ("name", "community_id", "closing", "outer"))
        community = units.community(page.session, page.actor, values.pop("community_id"))
        with incoming.kept(form.get("file")) as path, page.attempt():
            name = values.pop("name", None) or path.stem
            closing, outer = bool(values["closing"]), bool(values["outer"])
            plan = plans.bring_in(page.session, page.actor, community, path, name=name, closing=closing, outer=outer)
    except forms.REFUSED as error:
        return _list(page, error=error)
    return page.go(f"/plans/{plan.id}")


@pages.get("/plans/{plan_id}/small.svg")
def thumbnail(plan_id: Id, page: Read) -> Response:
    """A plan as a small picture: its grids, and the ground that changes hands."""
    plan = plans.get(page.session, page.actor, plan_id)
    here = plans.standing(page.session, plan)
    moved = here.flat([piece["geom"] for piece in plans.ground(page.session, here)])
    drawn = plan_maps.thumbnail(list(here.coverage.polygons), list(moved))
    return Response(drawn, media_type="image/svg+xml", headers={"Cache-Control": "private, max-age=600"})


@pages.get("/plans/{plan_id}")
def table(plan_id: Id, page: Read) -> Response:
    """The planner's table."""
    plan = plans.get(page.session, page.actor, plan_id)
    return _table(page, plan)


@pages.post("/plans/{plan_id}/steps")
def take_on(plan_id: Id, page: Edit, form: Typed) -> Response:
    """Put a plan up, submit, send back, approve or withdraw it."""
    plan = plans.get(page.session, page.actor, plan_id)
    try:
        values = forms.read(StepForm, form, ("action", "effective_on"))
        with page.attempt():
            plans.act(page.session, page.actor, plan, values["action"], effective_on=values.get("effective_on"))
    except forms.REFUSED as error:
        return page.go(f"/plans/{plan_id}", str(error.detail) if isinstance(error, WanggeError) else _("Not done."))
    return page.go(f"/plans/{plan_id}", _("Saved."))


@pages.post("/plans/{plan_id}/comments")
def say(plan_id: Id, page: Read, form: Typed) -> Response:
    """Say something of a plan."""
    plan = plans.get(page.session, page.actor, plan_id)
    values = forms.read(CommentForm, form, ("body", "key", "answers_id"))
    plans.say(page.session, page.actor, plan, **values)
    return page.go(f"/plans/{plan_id}#comments", _("Saved."))


@pages.post("/plans/{plan_id}/comments/{comment_id}/hide")
def hide(plan_id: Id, comment_id: Id, page: Edit, form: Typed) -> Response:
    """Hide a comment from all but planners, or show it."""
    plan = plans.get(page.session, page.actor, plan_id)
    values = forms.read(HideForm, form, ("hidden",))
    plans.hide(page.session, page.actor, plan, comment_id, hidden=values["hidden"])
    return page.go(f"/plans/{plan_id}#comments", _("Saved."))


@pages.post("/plans/{plan_id}/share")
def share(plan_id: Id, page: Edit, form: Typed) -> Response:
    """Let residents look at the plan by its link, or no longer."""
    plan = plans.get(page.session, page.actor, plan_id)
    values = forms.read(ShareForm, form, ("shared",))
    plans.share(page.session, page.actor, plan, shared=values["shared"])
    return page.go(f"/plans/{plan_id}#comments", _("Saved."))


def _list(page: Page, *, typed: FormData | None = None, error: WanggeError | None = None) -> Response:
    rows = plans.listed(page.session, page.actor, page.community)
    return page.show(
        "plans/list.html",
        section="plans",
        status=forms.status(error),
        may_draw=page.community_id is not None and page.may("grid.edit", page.community_id),
        place=page.community_id,
        fault=error.detail if error else None,
        lacks=error.facts.get("lacks", []) if error else [],
        typed=forms.text_in(typed, "name") if typed is not None else "",
        rows=[
            {
                "id": row.id,
                "href": f"/plans/{row.id}",
                "small": f"/plans/{row.id}/small.svg?v={row.version}",
                "name": row.name,
                "state": plans.state_names()[row.state],
                "author": row.author,
                "grids": row.grids,
                "from": words.day(row.effective_on),
                "changed": words.minute(row.updated_at),
            }
            for row in rows
        ],
    )


def _link(page: Page, plan: plans.Plan) -> str:
    """Where residents find a plan; without the host where that is not known."""
    try:
        host = public_address(page.request)
    except Invalid:
        host = ""
    return f"{host}/r/plans/{plan.id}/{plans.link(plan)}"


def _table(page: Page, plan: plans.Plan) -> Response:
    here = plans.standing(page.session, plan)
    frame = ground.frame(page)
    west, south, east, north = here.round([here.coverage.site])[0].bounds
    frame |= {"bounds": (south, west, north, east), "community": here.community.code}
    steps = plans.steps(page.session, plan)
    names = plans.action_names()
    may_edit = page.may("grid.edit", plan.community_id)
    return page.show(
        "plans/table.html",
        section="plans",
        plan={
            "id": plan.id,
            "name": plan.name,
            "state": plan.state,
            "state_name": plans.state_names()[plan.state],
            "effective_on": words.day(plan.effective_on),
        },
        editable=may_edit and plan.state in plans.OPEN,
        wishes=[
            ("households", _("As many households"), 10),
            ("people", _("As many people"), 0),
            ("special", _("As many special households"), 0),
            ("compactness", _("Round outlines"), 3),
            ("stay", _("Few households change their grid"), 0),
        ],
        count=len(here.rows),
        first_day=(settings.today() + timedelta(days=1)).isoformat(),
        actions=[{"code": action, "label": names[action]} for action in plans.allowed(page.session, page.actor, plan)],
        steps=[
            {
                "at": words.minute(row.at),
                "by": row.by or _("wangge itself"),
                "what": names[row.action],
                "note": row.note,
            }
            for row in steps
        ],
        may_moderate=may_edit,
        shared=plan.shared,
        link=_link(page, plan) if may_edit and plan.shared else None,
        comments=[
            {
                "id": row.id,
                "resident": row.resident,
                "answers": row.answers_id,
                "author": row.author or (_("A resident") if row.resident else _("wangge itself")),
                "at": words.minute(row.at),
                "body": row.body,
                "grid": here.rows[row.key].name if row.key in here.rows else "",
                "hidden": row.hidden,
            }
            for row in plans.comments(page.session, page.actor, plan)
        ],
        may_say=plan.state == plans.State.COMMENTED or (may_edit and plan.state in ("draft", "submitted")),
        **ground.shown(plan_maps.table(**frame, plan=plan.id, place=here.community.code), page.settings),
    )
