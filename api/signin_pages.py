"""Signing in and out, one's own password and API tokens, the language, and the community that pages are about."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api import deps, errors, security
from api.pages import Page, day_of, for_anybody, inside, plain, remember, typed
from api.request import YEAR_S, keep_language, session_cookie
from data import accounts, units
from data.base import access, language
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _

pages = APIRouter(include_in_schema=False)

Visitor = Annotated[Actor, deps.anyone]
Typed = Annotated[FormData, typed]


@pages.get("/signin")
def signing_in(request: Request, visitor: Visitor) -> Response:
    """The sign-in page."""
    return _sign_in(request, next=inside(request.query_params.get("next")))


def _sign_in(request: Request, *, status: int = 200, **context: Any) -> Response:
    with deps.transactions(request)(access.SYSTEM) as session:
        hints = accounts.of_the_demo(session)
        communities = units.listed(session, access.SYSTEM, level=units.Level.COMMUNITY)
    if len(communities) == 1:
        context["community"] = {"name": communities[0].name}
    named = [{"name": one["username"], "role": one[f"role_{language.current()}"]} for one in hints]
    return plain(request, "signin.html", status=status, hints=named, **context)


@pages.post("/signin")
def sign_in(request: Request, visitor: Visitor, form: Typed) -> Response:
    """Check name and password, and open a session."""
    name, goal = str(form.get("name", "")).strip(), inside(str(form.get("next", "")))
    try:
        token = security.open_session(request, name, str(form.get("password", "")))
    except (accounts.SignInFailed, accounts.TooManyAttempts) as fault:
        return _sign_in(request, status=errors.status_of(fault), next=goal, name=name, fault=fault.detail)
    answer = RedirectResponse(goal, 303)
    security.remember_session(request, answer, token)
    return answer


@pages.post("/signout")
def sign_out(request: Request, actor: deps.SignedIn) -> Response:
    """Close this session."""
    token = deps.session_token(request)
    with deps.transactions(request)(access.SYSTEM) as session:
        if token:
            accounts.sign_out(session, token)
    request.app.state.actors.forget()
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(session_cookie(request.app.state.settings), path="/")
    return answer


@pages.post("/language")
def choose_language(request: Request, visitor: Visitor, form: Typed) -> Response:
    """Speak another language from now on."""
    # What was just chosen wins over what the address of the page says.
    back = re.sub(r"(?<=[?&])lang=[^&#]*&?", "", inside(str(form.get("next", ""))))
    answer = RedirectResponse(back.rstrip("?&"), 303)
    chosen = str(form.get("language", ""))
    if chosen in language.LANGUAGES:
        keep_language(answer.headers, chosen)
    return answer


@pages.post("/community")
def choose_community(request: Request, actor: deps.SignedIn, form: Typed) -> Response:
    """Show another community from now on, or all of them."""
    answer = RedirectResponse("/", 303)
    return remember(request, answer, "community", str(form.get("code", ""))[:64], YEAR_S)


@pages.get("/me")
def me(page: Annotated[Page, for_anybody]) -> Response:
    """Who is signed in, where, and what they can do about it."""
    grants = accounts.grants(page.session, page.actor.account_id or 0)
    account = {
        "name": page.actor.name,
        "role": grants[0][f"role_{language.current()}"] if grants else "",
        "units": list(dict.fromkeys(grant["unit_name"] for grant in grants)),
    }
    return page.show("accounts/me.html", section="me", account=account)


@pages.get("/password")
def own_password(page: Annotated[Page, for_anybody]) -> Response:
    """The form for another password."""
    return _password(page, {})


def _password(page: Page, faults: dict[str, str], status: int = 200) -> Response:
    return page.show("password.html", section="me", status=status, faults=faults, least=accounts.PASSWORD_MIN)


@pages.post("/password")
def change_password(page: Annotated[Page, for_anybody], form: Typed) -> Response:
    """Change one's own password; other sessions end."""
    old, new, again = (str(form.get(name, "")) for name in ("current", "new", "again"))
    if new != again:
        return _password(page, {"again": _("The two are not the same.")}, 422)
    try:
        # Sessions are out of reach of the role that people's transactions run as.
        with deps.transactions(page.request)(replace(page.actor, is_system=True)) as session:
            accounts.change_password(session, page.actor, old=old, new=new, keep=deps.session_token(page.request))
    except Invalid as error:
        field = {"old": "current", "password": "new"}[str(error.facts["field"])]
        return _password(page, {field: error.detail}, 422)
    return page.go("/me", _("The password is changed."))


@pages.get("/tokens")
def tokens(page: Annotated[Page, for_anybody]) -> Response:
    """One's own API tokens."""
    return _tokens(page, None)


def _tokens(page: Page, fresh: str | None) -> Response:
    rows = [
        {
            "id": token.id,
            "name": token.name,
            "made": day_of(token.created_at),
            "used": None,
            "ends": day_of(token.expires_at),
        }
        for token in accounts.api_tokens(page.session, page.actor)
    ]
    return page.show("accounts/tokens.html", section="me", tokens=rows, fresh=fresh)


@pages.post("/tokens")
def new_token(page: Annotated[Page, for_anybody], form: Typed) -> Response:
    """Make a token; it is shown this once, so there is no redirect."""
    _row, token = accounts.new_api_token(page.session, page.actor, name=str(form.get("name", ""))[:60])
    return _tokens(page, token)


@pages.post("/tokens/{token_id}/revoke")
def revoke_token(token_id: int, page: Annotated[Page, for_anybody]) -> Response:
    """Make a token worthless."""
    accounts.revoke_api_token(page.session, page.actor, token_id)
    deps.forget_actors(page.request, page.session)
    return page.go("/tokens", _("The token is revoked."))
