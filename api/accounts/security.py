"""Signing in and out, one's own password, language and API tokens over HTTP.

A failed attempt to sign in is counted, so its transaction commits although the answer is a refusal. Passwords are
hashed by a few at a time: each takes 64 MB while it lasts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response, status
from pydantic import Field, SecretStr
from sqlalchemy import orm

from api.base import deps
from api.base.deps import SignedIn
from api.base.fields import Id, Input, Line, Output
from api.base.request import YEAR_S, device_cookie, keep_language, sender, session_cookie
from data import accounts
from data.base import access, language
from data.base.access import Actor
from data.base.errors import WanggeError

api = APIRouter(prefix="/api", tags=["sign-in"])
_hashing = threading.BoundedSemaphore(4)

Password = Annotated[SecretStr, Field(max_length=200, examples=["correct horse battery"])]


class Credentials(Input):
    """User name and password."""

    username: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$", examples=["chen.min"])]
    password: Password


class Where(Output):
    """Where a permission holds: everywhere, or in these communities and grids."""

    everywhere: bool = Field(examples=[False])
    communities: list[int] = Field(examples=[[3]])
    grids: list[int] = Field(examples=[[7, 8]])


class SignedInAs(Output):
    """Who is signed in."""

    account_id: int | None = Field(examples=[3])
    name: str = Field(examples=["陈敏"])
    language: str = Field(examples=["zh"])
    csrf_token: str = Field(description="For the header `X-CSRF-Token` of changes.", examples=["5e1f"])
    permissions: dict[str, Where] = Field(description="Permission → where it holds.")


class NewPassword(Input):
    """The old password and the new one."""

    old: Password
    new: Password


class Chosen(Input):
    """A language."""

    language: Literal["zh", "en"] = Field(examples=["en"])


class TokenNew(Input):
    """An API token to be made."""

    name: Line = Field(description="What it is for.", examples=["nightly report"])
    days: Annotated[int, Field(ge=1, le=3650)] = Field(365, description="Days until it ends.", examples=[365])


class TokenOut(Output):
    """An API token, without the token itself."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["nightly report"])
    created_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    expires_at: datetime | None = Field(examples=["2027-03-17T01:30:00Z"])
    used_on: date | None = Field(description="The day of its last use.", examples=["2026-03-18"])


class TokenMade(TokenOut):
    """A new API token. It is shown this once."""

    token: str = Field(examples=["kq3v…"])


def open_session(request: Request, username: str, password: str) -> accounts.Opened:
    """Check a password and open a session.

    Raises
    ------
    SignInFailed, TooManyAttempts
    """
    device = request.cookies.get(device_cookie(request.app.state.settings), "")
    before = deps.session_token(request)
    with _hashing, _counted(request, access.SYSTEM) as session:
        opened = accounts.sign_in(session, username=username, password=password, address=sender(request), device=device)
        if before:  # the browser forgets it, so nobody could sign out of it any more
            accounts.sign_out(session, before)
    request.app.state.actors.forget()
    return opened


def change_own_password(request: Request, actor: Actor, old: str, new: str) -> None:
    """Change one's own password; tokens and other sessions end.

    Raises
    ------
    Invalid, TooManyAttempts
    """
    # Sessions are out of reach of the role that people's transactions run as.
    with _hashing, _counted(request, replace(actor, is_system=True)) as session:
        accounts.change_password(session, actor, old=old, new=new, keep=deps.session_token(request))
    request.app.state.actors.forget()


@contextmanager
def _counted(request: Request, actor: Actor) -> Iterator[orm.Session]:
    """A transaction that commits also when a password was refused, so that the attempt counts."""
    refused: WanggeError | None = None
    with deps.transactions(request)(actor) as session:
        try:
            yield session
        except (accounts.SignInFailed, accounts.TooManyAttempts, accounts.WrongPassword) as error:
            refused = error  # raised behind the block
    if refused:
        raise refused


def remember_session(request: Request, response: Response, opened: accounts.Opened) -> None:
    """Put the session's token into its cookie, and into another one what this browser will be known by."""
    settings = request.app.state.settings
    for name, value, max_age in (
        (session_cookie(settings), opened.token, None),
        (device_cookie(settings), opened.device, YEAR_S),
    ):
        response.set_cookie(
            name, value, max_age, httponly=True, samesite="lax", secure=settings.secure_cookies, path="/"
        )


@api.post("/signin", summary="Sign in")
def sign_in(
    request: Request, response: Response, _visitor: Annotated[Actor, deps.anyone], body: Credentials
) -> SignedInAs:
    """Open a session: its cookie comes with the answer."""
    opened = open_session(request, body.username, body.password.get_secret_value())
    remember_session(request, response, opened)
    with deps.transactions(request)(access.SYSTEM) as session:
        actor = accounts.actor(session, opened.account)
    return _signed_in(actor, deps.csrf_of(opened.token))


@api.post("/signout", summary="Sign out", status_code=status.HTTP_204_NO_CONTENT)
def sign_out(request: Request, response: Response, _actor: SignedIn) -> None:
    """Close this session."""
    if (token := deps.session_token(request)) is not None:
        with deps.transactions(request)(access.SYSTEM) as session:
            accounts.sign_out(session, token)
        request.app.state.actors.forget()
    response.delete_cookie(session_cookie(request.app.state.settings), path="/")


@api.get("/me", summary="Who is signed in")
def who_am_i(request: Request, actor: SignedIn) -> SignedInAs:
    """The account, its permissions and where they hold."""
    return _signed_in(actor, deps.csrf_token(request))


@api.put("/me/password", summary="Change one's password", status_code=status.HTTP_204_NO_CONTENT)
def change_password(request: Request, actor: SignedIn, body: NewPassword) -> None:
    """Change one's own password; one's tokens and other sessions end."""
    change_own_password(request, actor, body.old.get_secret_value(), body.new.get_secret_value())


@api.put("/me/language", summary="Choose a language", status_code=status.HTTP_204_NO_CONTENT)
def choose_language(response: Response, _actor: SignedIn, body: Chosen) -> None:
    """Speak another language from now on: a cookie comes with the answer."""
    keep_language(response.headers, body.language)


@api.get("/tokens", summary="List one's API tokens")
def list_tokens(request: Request, actor: SignedIn) -> list[TokenOut]:
    """One's own API tokens, newest first."""
    with unwalled(request, actor) as session:
        return [TokenOut.model_validate(token) for token in accounts.api_tokens(session, actor)]


@api.post("/tokens", summary="Make an API token", status_code=status.HTTP_201_CREATED)
def make_token(request: Request, actor: SignedIn, body: TokenNew) -> TokenMade:
    """A token with which a program acts for oneself. It is shown this once. A token cannot make tokens."""
    with unwalled(request, actor) as session:
        row, token = accounts.new_api_token(session, actor, name=body.name, days=body.days)
        made = TokenOut.model_validate(row)
    return TokenMade(**made.model_dump(), token=token)


@api.delete("/tokens/{token_id}", summary="Revoke an API token", status_code=status.HTTP_204_NO_CONTENT)
def revoke_token(request: Request, actor: SignedIn, token_id: Id) -> None:
    """Make one of one's own tokens worthless."""
    with unwalled(request, actor) as session:
        accounts.revoke_api_token(session, actor, token_id)
    request.app.state.actors.forget()


def unwalled(request: Request, actor: Actor) -> AbstractContextManager[orm.Session]:
    """A transaction without walls in which ``actor`` is who did it.

    It is for accounts, roles, sessions and tokens, which are out of reach of the role that people's transactions run
    as: there the functions of ``data.accounts`` alone decide.
    """
    return deps.transactions(request)(replace(actor, is_system=True))


def _signed_in(actor: Actor, csrf_token: str) -> SignedInAs:
    where = {
        code: Where(everywhere=area.everywhere, communities=sorted(area.communities), grids=sorted(area.grids))
        for code, area in sorted(actor.permissions.items())
    }
    return SignedInAs(
        account_id=actor.account_id,
        name=actor.name,
        language=language.current(),
        csrf_token=csrf_token,
        permissions=where,
    )
