"""API tokens, by which programs act for an account.

A token does what its account may do, except what would outlast it or open another way in: it makes and ends no tokens,
changes no password, and manages neither accounts nor roles (``KEPT_FROM_TOKENS``). It ends with its account's password,
when the account is closed, and when whoever has it, or manages the account, ends it. All of this runs on sessions
without walls: the role that people's transactions run as has nothing to do with tokens.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from data.accounts.granting import require_over
from data.accounts.tables import Account, ApiToken
from data.base import access, secrets, settings
from data.base.access import Actor
from data.base.errors import Forbidden, NotFound
from data.base.language import _

#: Permissions that no token brings, whatever the account has.
KEPT_FROM_TOKENS = frozenset({"account.edit"})


def by_token(session: Session, token: str) -> Account | None:
    """The account an API token stands for, if it is still good; notes the day on which it was used."""
    good = (ApiToken.expires_at.is_(None)) | (ApiToken.expires_at > func.now())
    row = session.execute(
        select(Account, ApiToken.id, ApiToken.used_on)
        .join(ApiToken, ApiToken.account_id == Account.id)
        .where(ApiToken.token_hash == secrets.token_hash(token), good, Account.active)
    ).one_or_none()
    if row is None:
        return None
    if row.used_on != (today := settings.today()):
        session.execute(update(ApiToken).where(ApiToken.id == row.id).values(used_on=today))
    account: Account = row.Account
    return account


def new_api_token(session: Session, actor: Actor, *, name: str, days: int | None = 365) -> tuple[ApiToken, str]:
    """A new API token for oneself; the token itself is shown this once.

    Raises
    ------
    Forbidden
        A token asks for it, or nobody who has an account.
    """
    access.require_person(actor)
    if actor.account_id is None:
        raise Forbidden(_("Sign in first."))
    token = secrets.new_token()
    row = ApiToken(
        account_id=actor.account_id,
        name=name.strip() or "API",
        token_hash=secrets.token_hash(token),
        expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
    )
    session.add(row)
    session.flush()
    return row, token


def api_tokens(session: Session, actor: Actor, account: Account | None = None) -> list[ApiToken]:
    """One's own API tokens, or those of an account that one manages, newest first."""
    if account is not None:
        require_over(session, actor, account)
    owner = account.id if account else actor.account_id
    held = select(ApiToken).where(ApiToken.account_id == owner)
    return list(session.scalars(held.order_by(ApiToken.created_at.desc(), ApiToken.id)))


def revoke_api_token(session: Session, actor: Actor, token_id: int, account: Account | None = None) -> None:
    """End one's own API token, or one of an account that one manages.

    Raises
    ------
    NotFound
    """
    access.require_person(actor)
    held = {row.id: row for row in api_tokens(session, actor, account)}
    if token_id not in held:
        raise NotFound(_("Not found, or outside your area."))
    session.delete(held[token_id])
    session.flush()


def end_tokens(session: Session, account: Account) -> None:
    """End every token of an account. The caller has checked that this is allowed."""
    for row in session.scalars(select(ApiToken).where(ApiToken.account_id == account.id)):
        session.delete(row)
    session.flush()
