"""Service teams on a page: who does the work of cases, such as cleaning and repairs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from api.base import forms, tabs, words
from api.base.fields import Day, Id, Input, Line, Text
from api.base.page import Page, needs, typed
from api.teams.routes import ServiceTeamChange
from data import teams
from data.base.errors import WanggeError
from data.base.language import _

pages = APIRouter(include_in_schema=False)
Edit = Annotated[Page, needs("unit.edit")]
Typed = Annotated[FormData, typed]

_FIELDS = ("name", "service", "members", "founded_on")


class ServiceMemberNew(Input):
    """What is typed of somebody who joins a team."""

    name: Line
    skills: Text | None = None
    work_phone: Line | None = None
    consented_on: Day | None = None


@pages.get("/teams")
def listed(page: Edit) -> Response:
    """The service teams of the community that pages are about, or of all."""
    return _shown(page)


@pages.post("/teams")
def add(page: Edit, form: Typed) -> Response:
    """Add a service team."""
    try:
        values = forms.read(ServiceTeamChange, form, _FIELDS)
        community = forms.community_in(page, form)
        with page.attempt():
            teams.found_service_team(page.session, page.actor, community, **values)
    except forms.REFUSED as error:
        return _shown(page, error, form)
    return page.go("/teams", _("Saved."))


@pages.post("/teams/{team_id}")
def change(team_id: Id, page: Edit, form: Typed) -> Response:
    """Change a service team."""
    team = teams.service_team(page.session, page.actor, team_id)
    try:
        with page.attempt():
            teams.change_service_team(page.session, page.actor, team, **forms.read(ServiceTeamChange, form, _FIELDS))
    except forms.REFUSED as error:
        return _shown(page, error, form, team_id)
    return page.go("/teams", _("Saved."))


@pages.post("/teams/{team_id}/remove")
def remove(team_id: Id, page: Edit, form: Typed) -> Response:
    """Remove a service team; its cases stay with whoever sees to them."""
    teams.remove_service_team(page.session, page.actor, teams.service_team(page.session, page.actor, team_id))
    return page.go("/teams", _("Removed."))


@pages.post("/teams/{team_id}/members")
def join(team_id: Id, page: Edit, form: Typed) -> Response:
    """Somebody joins a team."""
    team = teams.service_team(page.session, page.actor, team_id)
    try:
        values = forms.read(ServiceMemberNew, form, ("name", "skills", "work_phone", "consented_on"))
        with page.attempt():
            teams.join(page.session, page.actor, team, **values)
    except forms.REFUSED as error:
        return _shown(page, error)
    return page.go("/teams", _("Saved."))


@pages.post("/teams/members/{member_id}/leave")
def leave(member_id: Id, page: Edit, form: Typed) -> Response:
    """Somebody leaves a team; what they agreed to is over."""
    teams.leave(page.session, page.actor, member_id)
    return page.go("/teams", _("Saved."))


def _member(person: teams.ServiceMember) -> dict[str, Any]:
    """Somebody in a team, with the phone that they agreed to be shown."""
    return {"id": person.id, "name": person.name, "skills": person.skills or "", "phone": person.shown_phone or ""}


def _shown(
    page: Page, error: WanggeError | None = None, form: FormData | None = None, team_id: int | None = None
) -> Response:
    """The page; after a refusal with what was typed, where it was typed."""
    said = {key: forms.text_in(form, key) for key in (*_FIELDS, "community_id")} if form is not None else {}
    faults = dict(error.facts.get("faults") or {}) if error else {}  # type: ignore[call-overload]
    rows: list[dict[str, Any]] = []
    ours = teams.service_teams(page.session, page.actor, page.community)
    people = teams.members(page.session, page.actor, [team.id for team in ours])
    for team in ours:
        here = team.id == team_id
        values = said if here else {key: getattr(team, key) for key in _FIELDS}
        editable = page.may("unit.edit", team.community_id)
        shown = {"id": team.id, "name": team.name, "service": team.service, "members": team.members}
        shown |= {"founded": words.day(team.founded_on)}
        inside = [_member(one) for one in people if one.team_id == team.id]
        shown |= {"people": inside, "activities": f"/activities?team={team.id}"}
        rows.append(shown | {"editable": editable, "values": values, "faults": faults if here else {}})
    choice = forms.community_field(page)
    return page.show(
        "teams/list.html",
        section="settings" if "account.read" in page.can else "me",
        status=forms.status(error),
        tabs=tabs.settings(page, "teams"),
        rows=rows,
        communities=choice[0].options if choice else [],
        new={"values": said if team_id is None else {}, "faults": faults if team_id is None else {}},
        opened=team_id or ("new" if error else ""),
        fault=error.detail if error else "",
    )
