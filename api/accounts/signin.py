"""Signing in and out, one's own password and API tokens, the language, and the community that pages are about."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from api.accounts import security
from api.base import deps, errors
from api.base.page import Page, day_of, for_anybody, inside, plain, remember, typed
from api.base.request import YEAR_S, keep_language, session_cookie
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
    named = [{"name": one["username"], "role": language.named(one, "role")} for one in hints]
    return plain(request, "accounts/signin.html", status=status, hints=named, **context)


@pages.post("/signin")
def sign_in(request: Request, visitor: Visitor, form: Typed) -> Response:
    """Check name and password, and open a session."""
    name, goal = str(form.get("name", "")).strip(), inside(str(form.get("next", "")))
    try:
        opened = security.open_session(request, name, str(form.get("password", "")))
    except (accounts.SignInFailed, accounts.TooManyAttempts) as fault:
        return _sign_in(request, status=errors.status_of(fault), next=goal, name=name, fault=fault.detail)
    answer = RedirectResponse(goal, 303)
    security.remember_session(request, answer, opened)
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


@pages.post("/type")
def choose_type(request: Request, visitor: Visitor, form: Typed) -> Response:
    """Large type from now on (长辈版), or the usual one."""
    answer = RedirectResponse(inside(str(form.get("next", ""))), 303)
    return remember(request, answer, "type", "large" if form.get("size") == "large" else "usual", YEAR_S)


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
        "role": language.named(grants[0], "role") if grants else "",
        "units": list(dict.fromkeys(grant["unit_name"] or _("Everywhere") for grant in grants)),
    }
    return page.show("accounts/me.html", section="me", account=account)


@pages.get("/password")
def own_password(page: Annotated[Page, for_anybody]) -> Response:
    """The form for another password."""
    return _password(page, {})


def _password(page: Page, faults: dict[str, str], status: int = 200) -> Response:
    given = page.actor.password_given
    least = accounts.PASSWORD_MIN
    return page.show("accounts/password.html", section="me", status=status, faults=faults, least=least, given=given)


@pages.post("/password")
def change_password(page: Annotated[Page, for_anybody], form: Typed) -> Response:
    """Change one's own password; other sessions end."""
    old, new, again = (str(form.get(name, "")) for name in ("current", "new", "again"))
    if new != again:
        return _password(page, {"again": _("The two are not the same.")}, 422)
    try:
        security.change_own_password(page.request, page.actor, old, new)
    except (Invalid, accounts.TooManyAttempts) as error:
        field = {"password": "new"}.get(str(error.facts.get("field")), "current")
        return _password(page, {field: error.detail}, errors.status_of(error))
    return page.go("/" if page.actor.password_given else "/me", _("The password is changed."))


@pages.get("/tokens")
def tokens(page: Annotated[Page, for_anybody]) -> Response:
    """One's own API tokens."""
    return _tokens(page, None)


def _tokens(page: Page, fresh: str | None) -> Response:
    return page.show("accounts/tokens.html", section="me", tokens=token_rows(page), fresh=fresh)


def token_rows(page: Page, account: accounts.Account | None = None) -> list[dict[str, Any]]:
    """One's own tokens, or those of an account that one manages, as pages list them."""
    with security.unwalled(page.request, page.actor) as session:
        return [
            {
                "id": token.id,
                "name": token.name,
                "made": day_of(token.created_at),
                "used": token.used_on.isoformat() if token.used_on else None,
                "ends": day_of(token.expires_at),
            }
            for token in accounts.api_tokens(session, page.actor, account)
        ]


@pages.post("/tokens")
def new_token(page: Annotated[Page, for_anybody], form: Typed) -> Response:
    """Make a token; it is shown this once, so there is no redirect."""
    with security.unwalled(page.request, page.actor) as session:
        _row, token = accounts.new_api_token(session, page.actor, name=str(form.get("name", ""))[:60])
    return _tokens(page, token)


@pages.post("/tokens/{token_id}/revoke")
def revoke_token(token_id: int, page: Annotated[Page, for_anybody]) -> Response:
    """Make a token worthless."""
    with security.unwalled(page.request, page.actor) as session:
        accounts.revoke_api_token(session, page.actor, token_id)
    page.request.app.state.actors.forget()
    return page.go("/tokens", _("The token is revoked."))
