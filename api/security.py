"""Signing in and out, one's own password, language and API tokens over HTTP.

A failed attempt to sign in is counted, so its transaction commits although the answer is a refusal. Passwords are
hashed by a few at a time: each takes 64 MB while it lasts.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response, status
from pydantic import Field, SecretStr

from api import deps
from api.deps import Session, SignedIn
from api.fields import Id, Input, Line, Output
from api.request import keep_language, session_cookie
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


class TokenMade(TokenOut):
    """A new API token. It is shown this once."""

    token: str = Field(examples=["kq3v…"])


def open_session(request: Request, username: str, password: str) -> str:
    """Check a password and open a session; returns its token.

    Raises
    ------
    SignInFailed, TooManyAttempts
    """
    refused: WanggeError | None = None
    token = ""
    with _hashing, deps.transactions(request)(access.SYSTEM) as session:
        try:
            address = request.client.host if request.client else ""
            _account, token = accounts.sign_in(session, username=username, password=password, address=address)
        except (accounts.SignInFailed, accounts.TooManyAttempts) as error:
            refused = error  # raised behind the block, so that the attempt is committed and counts
    if refused:
        raise refused
    return token


def remember_session(request: Request, response: Response, token: str) -> None:
    """Put the session's token into its cookie."""
    settings = request.app.state.settings
    response.set_cookie(
        session_cookie(settings), token, httponly=True, samesite="lax", secure=settings.secure_cookies, path="/"
    )


@api.post("/signin", summary="Sign in")
def sign_in(
    request: Request, response: Response, _visitor: Annotated[Actor, deps.anyone], body: Credentials
) -> SignedInAs:
    """Open a session: its cookie comes with the answer."""
    token = open_session(request, body.username, body.password.get_secret_value())
    remember_session(request, response, token)
    with deps.transactions(request)(access.SYSTEM) as session:
        account = accounts.by_session(session, token)
        assert account is not None
        actor = accounts.actor(session, account)
    return _signed_in(actor, deps.csrf_of(token))


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
    """Change one's own password; one's other sessions end."""
    # Sessions are out of reach of the role that people's transactions run as.
    with _hashing, deps.transactions(request)(replace(actor, is_system=True)) as session:
        old, new = body.old.get_secret_value(), body.new.get_secret_value()
        accounts.change_password(session, actor, old=old, new=new, keep=deps.session_token(request))
    request.app.state.actors.forget()


@api.put("/me/language", summary="Choose a language", status_code=status.HTTP_204_NO_CONTENT)
def choose_language(response: Response, _actor: SignedIn, body: Chosen) -> None:
    """Speak another language from now on: a cookie comes with the answer."""
    keep_language(response.headers, body.language)


@api.get("/tokens", summary="List one's API tokens")
def list_tokens(session: Session, actor: SignedIn) -> list[TokenOut]:
    """One's own API tokens, newest first."""
    return [TokenOut.model_validate(token) for token in accounts.api_tokens(session, actor)]


@api.post("/tokens", summary="Make an API token", status_code=status.HTTP_201_CREATED)
def make_token(session: Session, actor: SignedIn, body: TokenNew) -> TokenMade:
    """A token with which a program acts for oneself. It is shown this once."""
    row, token = accounts.new_api_token(session, actor, name=body.name, days=body.days)
    made = TokenOut.model_validate(row)
    return TokenMade(**made.model_dump(), token=token)


@api.delete("/tokens/{token_id}", summary="Revoke an API token", status_code=status.HTTP_204_NO_CONTENT)
def revoke_token(request: Request, session: Session, actor: SignedIn, token_id: Id) -> None:
    """Make one of one's own tokens worthless."""
    accounts.revoke_api_token(session, actor, token_id)
    deps.forget_actors(request, session)


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
