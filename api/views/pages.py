"""Views on pages: what there is to look at, one of them, its file, its links, and what is seen under a link."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, Response

from api.base import deps, ledgers, tabs, words
from api.base.deps import anyone
from api.base.fields import Id
from api.base.page import Page, needs, templates, typed
from api.base.request import public_address
from api.views.routes import AskedOf, as_file, ask, drawn, params_kept, shown
from data import incidents, units
from data.base import access, language
from data.base.access import Actor
from data.base.changes import KEEP_S
from data.base.errors import Invalid
from data.base.language import _
from data.base.settings import Settings
from data.hotspots import RunNotDone
from data.views import View, links
from maps import views
from maps.views import Asked
from maps.views.patrols import shared_note

pages = APIRouter(include_in_schema=False)
Read = Annotated[Page, needs("incident.read")]
Share = Annotated[Page, needs("incident.read", links.PERMISSION)]
Typed = Annotated[FormData, typed]

ICONS = {
    View.OVERVIEW: "map-2",
    View.HOTSPOTS: "flame",
    View.LIGHTS: "bulb",
    View.COVERAGE: "route",
    View.REPLAY: "walk",
    View.TIMELINE: "calendar",
    View.OVERDUE: "clock",
    View.UNPATROLLED: "alert-triangle",
}
#: How long a link may last, as the form offers it.
LASTS = (7, 30, 90, 366)


@pages.get("/views")
def listed(page: Read) -> Response:
    """What there is to look at, and the links that were made."""
    return page.show("views/list.html", section="stats", tabs=tabs.stats(page, "views"), **_list(page))


def _list(page: Page) -> dict[str, Any]:
    made = links.listed(page.session, page.actor, most=200)
    names = views.names()
    return {
        "views": [
            {"href": f"/views/{view}", "icon": ICONS[view], "name": name, "about": about}
            for view, (name, about) in names.items()
            if all(code in page.can for code in views.PERMISSIONS.get(view, ()))
        ],
        "links": [
            {
                "id": row.id,
                "name": names[View(row.view)][0],
                "place": row.community_name or _("All communities"),
                "maker": row.maker,
                "made": words.minute(row.created_at),
                "until": words.minute(row.expires_at),
                "ended": _("Revoked") if row.revoked_at else _("Ended") if row.expires_at <= datetime.now(UTC) else "",
            }
            for row in made
        ],
    }


@pages.get("/views/{view}")
def look(page: Read, view: View) -> Response:
    """A view, with what can be done with it."""
    wanted = _asked(page, view)
    try:
        return _show(page, wanted)
    except RunNotDone as wait:
        name, query = views.names()[view][0], page.request.url.query
        return page.show("views/wait.html", section="stats", name=name, query=query, job=wait.facts["job_id"])


@pages.post("/views/{view}")
def compute(page: Read, view: View) -> Response:
    """Have computed what a view shows, and show it."""
    if view in views.COMPUTED:
        ask(page.session, page.actor, _asked(page, view))
    query = page.request.url.query
    return page.go(f"/views/{view}?{query}" if query else f"/views/{view}")


@pages.get("/views/{view}/file")
def file(page: Share, view: View) -> Response:
    """A view as one HTML file that needs no network."""
    return as_file(drawn(page.session, page.actor, page.settings, replace(_asked(page, view), shared=True)))


@pages.post("/views/{view}/links")
def make_link(page: Share, form: Typed, view: View) -> Response:
    """Make a link to a view; its address is shown this once."""
    wanted = _asked(page, view)
    text = str(form.get("days", ""))
    if not text.isdecimal():
        raise Invalid(_("Say for how many days the link lasts."), field="days")
    if view in views.COMPUTED:
        ask(page.session, page.actor, wanted)
    params = {name: getattr(wanted, name) for name in ("category", "first", "last", "method")}
    params["language"] = language.current()
    link, token = links.make(
        page.session, page.actor, view=view, community=wanted.community, params=params_kept(params), days=int(text)
    )
    address = f"{public_address(page.request)}/v/{token}"
    return _show(page, wanted, made={"address": address, "until": words.minute(link.expires_at)})


@pages.post("/views/links/{link_id}/revoke")
def revoke_link(page: Share, link_id: Id) -> Response:
    """Let a link lead nowhere from now on."""
    links.revoke(page.session, page.actor, link_id)
    return page.go("/views", _("The link leads nowhere any more."))


@pages.get("/v/{token}")
def under_a_link(request: Request, _visitor: Annotated[Actor, anyone], token: str) -> Response:
    """A view under a link: for whoever has it, also inside a page of somebody else."""
    with deps.transactions(request)(access.SYSTEM) as session:
        link, actor = links.opened(session, token)
        asked = {"view": View(link.view), "community_id": link.community_id, **link.params}
    with language.using(asked.get("language", language.current())), deps.transactions(request)(actor) as session:
        wanted = Asked(
            view=asked["view"],
            community=units.community(session, actor, asked["community_id"]) if asked["community_id"] else None,
            category=asked.get("category"),
            first=_day(asked.get("first")),
            last=_day(asked.get("last")),
            method=asked.get("method", "significant"),
            shared=True,
        )
        seen = _seen(session, actor, request.app.state.settings, wanted, token)
        html = (
            templates()
            .get_template("views/link.html")
            .render(locale=language.current(), nonce=request.state.nonce, **seen)
        )
    request.state.framed = True
    return HTMLResponse(html)


def _seen(session: Session, actor: Actor, settings: Settings, wanted: Asked, token: str) -> dict[str, Any]:
    """What is seen under a link. What has to be computed for it is so once a minute, however many look."""
    key, now = (token, language.current()), time.monotonic()
    kept = _kept.get(key)
    if kept is not None and kept[0] > now:
        return kept[1]
    seen = shown(drawn(session, actor, settings, wanted))
    if wanted.view in views.COMPUTED:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = now + KEEP_S, seen
    return seen


_MOST_KEPT = 32
_kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _asked(page: Page, view: View) -> Asked:
    """What the address asks for, in the community that pages are about."""
    community = page.glance.community if page.glance else None
    return Asked(view=view, community=community, **dict(ledgers.parameters(page.request.query_params, AskedOf)))


def _show(page: Page, wanted: Asked, made: dict[str, str] | None = None) -> Response:
    picture = drawn(page.session, page.actor, page.settings, wanted)
    rows = incidents.categories(page.session)
    groups = [row for row in rows if row.parent_code is None]
    names = {
        one.code: words.name(one)
        for group in groups
        for one in (group, *(row for row in rows if row.parent_code == group.code))
    }
    filters = [ledgers.choice("category", _("Category"), names)]
    if wanted.view in (View.TIMELINE, View.HOTSPOTS, View.COVERAGE, View.UNPATROLLED):
        filters += [ledgers.day("from", _("From")), ledgers.day("to", _("To"))]
    if wanted.view is View.REPLAY:
        filters = [ledgers.day("to", _("Day"))]
    if wanted.view is View.HOTSPOTS:
        usual, *others = views.methods().items()
        filters.insert(1, ledgers.choice("method", _("Method"), dict(others), placeholder=usual[1]))
    query = page.request.url.query
    return page.show(
        "views/view.html",
        section="stats",
        **shown(picture),
        **ledgers.filtered(page, filters),
        view=wanted.view.value,
        query=f"?{query}" if query else "",
        can_share=links.PERMISSION in page.can,
        shared_note=shared_note() if wanted.view is View.REPLAY else "",
        lasts=LASTS,
        made=made,
    )
