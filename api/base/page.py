"""Pages for people: the template environment, the shell around every page, answers, lists and forms.

A page's handler takes a ``Page`` (``needs("grid.read")`` declares its permission), asks ``data`` for what it shows, and
answers with one of its methods: ``show`` a template, ``fragment`` for htmx, or ``go`` somewhere after a change, with a
sentence about it (redirect after post). What was typed into a form that is refused comes back with the sentence beside
its field.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from jinja2 import Environment, FileSystemLoader
from sqlalchemy import orm
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, Response

from api import supervision
from api.base import deps, sending, static
from data import accounts, glance, notifications
from data.base import db, language, sendings, settings
from data.base.access import Actor
from data.base.language import _
from data.base.settings import Settings
from data.units import Unit

#: A template lies beside the code that shows it, named ``incidents/case.html``; what every page uses lies in here.
FOLDERS = (Path(__file__).parents[1], Path(__file__).parent)

#: The pages that residents come to, without an account and without the frame of the staff.
_OF_RESIDENTS = re.compile(r"/(r|track)(/|$)")


@cache
def templates() -> Environment:
    """The templates with what each of them may use: ``_`` for words, ``static`` for addresses."""
    environment = Environment(loader=FileSystemLoader(FOLDERS), autoescape=True, cache_size=-1)
    environment.globals.update(_=_, static=static.address)
    return environment


def name_of(record: Any) -> str:
    """The name of a row with ``name_zh`` and ``name_en``, in the language of the page."""
    return language.named(record)


def day_of(instant: datetime | None) -> str:
    """The day of an instant in the community's time zone: ``2026-03-18``; empty for none."""
    return f"{local(instant):%Y-%m-%d}" if instant else ""


def minute_of(instant: datetime | None) -> str:
    """Day and minute of an instant in the community's time zone: ``2026-03-18 09:12``; empty for none."""
    return f"{local(instant):%Y-%m-%d %H:%M}" if instant else ""


def local(instant: datetime) -> datetime:
    """An instant in the community's time zone."""
    return instant.astimezone(ZoneInfo(settings.get().timezone))


class Page:
    """A request for a page: who asks, in which transaction, and the answers that can be given.

    Attributes
    ----------
    request, session, actor
        The request, its transaction, and who asks.
    """

    def __init__(
        self, request: Request, session: orm.Session, actor: Actor, coming: sendings.Form | None = None
    ) -> None:
        self.request = request
        self.session = session
        self.actor = actor
        self._coming = coming
        before = sendings.address(session, actor.account_id, coming) if coming else None
        if before is not None:
            raise sending.Again(before)

    @property
    def settings(self) -> Settings:
        """The settings of this application."""
        found: Settings = self.request.app.state.settings
        return found

    @cached_property
    def glance(self) -> glance.Glance | None:
        """The community that this page is about, with the figures of the top bar."""
        return glance.of(self.session, self.actor, self.request.cookies.get(_cookie(self.settings, "community")))

    @property
    def community(self) -> str | None:
        """The code of the community that this page is about; ``None`` for all that the actor may see."""
        return self.glance.code if self.glance else None

    @property
    def community_id(self) -> int | None:
        """The id of that community."""
        return self.glance.community.id if self.glance and self.glance.community else None

    @property
    def one_community(self) -> Unit | None:
        """That community; of several the first, ``None`` for whoever has none."""
        if self.glance is None:
            return None
        return self.glance.community or next(iter(self.glance.communities), None)

    @cached_property
    def can(self) -> set[str]:
        """The permissions that hold anywhere at all."""
        return {code for code in self.actor.permissions if self.actor.may(code)}

    def may(self, permission: str, community_id: int | None, grid_id: int | None = None) -> bool:
        """Whether a permission holds at a place."""
        return self.actor.area(permission).covers(community_id, grid_id)

    def show(self, template: str, *, section: str = "", status: int = 200, **context: Any) -> Response:
        """The answer: a whole page."""
        shell = {**_outline(self.request, self.actor), **self._shell(), "section": section}
        said = self.request.cookies.get(_cookie(self.settings, "said"))
        html = templates().get_template(template).render({**shell, "message": said and unquote(said), **context})
        answer = HTMLResponse(html, status)
        if said:
            answer.delete_cookie(_cookie(self.settings, "said"))
        return answer

    def fragment(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """The answer: a piece of a page, for htmx."""
        shell = _outline(self.request, self.actor)
        html = templates().get_template(template).render({**shell, **context})
        return HTMLResponse(html, status, {"X-Fragment": "1", "Vary": "HX-Request"})

    def go(self, address: str, said: str = "") -> Response:
        """The answer to a change: go on there, and say what was done. The same form again does nothing more."""
        if self._coming:
            sendings.done(self.session, self.actor.account_id, self._coming, address)
        answer = sending.go(self.request, address)
        return remember(self.request, answer, "said", quote(said), 60) if said else answer

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A change that may be refused: then it is undone, and the transaction goes on to show the form again.

        Raises
        ------
        WanggeError
            Also in place of a violated constraint.
        """
        try:
            with self.session.begin_nested():
                yield
        except DBAPIError as error:
            raise db.explain(error) from error

    def _shell(self) -> dict[str, Any]:
        """What the top bar says."""
        glance = self.glance
        roles = accounts.grants(self.session, self.actor.account_id) if self.actor.account_id else []
        role = language.named(roles[0], "role") if roles else ""
        bell = notifications.unread(self.session, self.actor) if self.actor.account_id else 0
        shell: dict[str, Any] = {"me": _me(self.actor, role), "bell": bell, "troubles": supervision.troubles()}
        if glance is None:
            return shell
        several = [{"name": unit.name, "code": unit.code} for unit in glance.communities]
        if len(several) > 1:
            several.insert(0, {"name": _("All communities"), "code": ""})
        area_ha = f"{glance.area_m2 / 10_000:.1f}" if glance.area_m2 else None
        place = {"name": glance.name, "code": glance.code, "street": glance.above}
        size = {"grids": glance.grids, "area_ha": area_ha}
        people = {"households": glance.households, "residents": glance.residents}
        return shell | {"community": place | size | people, "communities": several, "waiting": glance.waiting}


def needs(*permissions: str) -> Any:
    """The dependency that declares what a page needs, and hands the ``Page`` to its handler."""

    def opened(
        request: Request, session: deps.Session, coming: sending.Coming, actor: Actor = deps.permission(*permissions)
    ) -> Page:
        return Page(request, session, actor, coming)

    return Depends(opened)


def _opened(request: Request, session: deps.Session, coming: sending.Coming, actor: deps.SignedIn) -> Page:
    return Page(request, session, actor, coming)


#: The page is for everybody who is signed in.
for_anybody = Depends(_opened)


async def _typed(request: Request) -> AsyncIterator[FormData]:
    # A file that was handed in lies in a temporary one, which goes with the form.
    form = await deps.form(request)
    try:
        yield form
    finally:
        await form.close()


#: What was typed into the form that was sent.
typed = Depends(_typed)


def _cookie(settings: Settings, name: str) -> str:
    """The name of one of our cookies; they know no ports, so installations side by side have their own."""
    return f"wangge_{name}_{settings.port}"


def remember(request: Request, answer: Response, name: str, value: str, seconds: int) -> Response:
    """``answer`` with one of our cookies."""
    found: Settings = request.app.state.settings
    answer.set_cookie(
        _cookie(found, name),
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=found.secure_cookies,
    )
    return answer


def _outline(request: Request, actor: Actor | None) -> dict[str, Any]:
    """What every template may use, without a look into the database."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return {
        "locale": language.current(),
        "large": request.cookies.get(_cookie(request.app.state.settings, "type")) == "large",
        "csrf_token": deps.csrf_token(request),
        "nonce": request.state.nonce,
        "path": here if request.method == "GET" else "/",
        "me": None,
        "can": {code for code in actor.permissions if actor.may(code)} if actor else set(),
        "community": None,
        "communities": [],
        "section": "",
        "waiting": 0,
        "bell": 0,
        "troubles": [],
        "message": None,
    }


def _me(actor: Actor, role: str = "") -> dict[str, str]:
    kept = {"id": str(actor.account_id or ""), "key": sending.key_of(actor.account_id) if actor.account_id else ""}
    return {"name": actor.name, "initial": actor.name[:1], "role": role, **kept}


def plain(
    request: Request,
    template: str,
    *,
    actor: Actor | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """A page that asks the database for nothing: for somebody who has not signed in, and when something went wrong."""
    shell = _outline(request, actor)
    if actor:
        shell["me"] = _me(actor)
    html = templates().get_template(template).render({**shell, **context})
    return HTMLResponse(html, status, dict(headers or {}))


def error(request: Request, status: int, title: str, detail: str, headers: Mapping[str, str]) -> Response:
    """What went wrong: a page, or for htmx a fragment in place."""
    facts = {"title": title, "detail": detail, "request_id": request.state.request_id}
    if "HX-Request" in request.headers:
        return plain(request, "_error.html", status=status, headers={**headers, "X-Fragment": "1"}, **facts)
    if _OF_RESIDENTS.match(request.url.path):
        return plain(request, "reports/error.html", status=status, headers=headers, **facts)
    actor = getattr(request.state, "actor", None)
    return plain(request, "error.html", actor=actor, status=status, headers=headers, **facts)


def inside(address: str | None, otherwise: str = "/") -> str:
    """``address`` if it is one of our own pages, so that a link cannot send people elsewhere after signing in.

    Browsers read ``//host``, ``///host`` and ``/\\host`` as another server, and skip tabs and line ends.
    """
    ours = re.fullmatch(r"/(?![/\\])[^\\\x00-\x20\x7f]*", address or "")
    return ours.group() if ours else otherwise
