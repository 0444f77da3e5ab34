"""Signing in with a password, and the sessions that come of it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, undefer

from data.accounts import attempts
from data.accounts.tables import Account, SignIn, SignInFailed
from data.base import audit, secrets, settings
from data.base.access import VISITOR, Actor
from data.base.language import _

#: How many accounts a browser is remembered for, as on a desk that several share.
DEVICE_ACCOUNTS = 8


@dataclass(frozen=True)
class Opened:
    """A session that was just opened: its token, and what the browser keeps to be known by the next time."""

    account: Account
    token: str
    device: str


def sign_in(session: Session, *, username: str, password: str, address: str, device: str = "") -> Opened:
    """Check a password and open a session.

    Runs on a session without walls. A failed attempt is counted in this transaction, so the caller lets it commit also
    when this raises.

    Parameters
    ----------
    address
        The network address it comes from, as attempts are counted by it.
    device
        What ``Opened.device`` was when this browser signed in last.

    Raises
    ------
    TooManyAttempts
        It was tried too often; ``data.accounts.attempts`` says how often one may.
    SignInFailed
        The user name or password is wrong, or the account is closed.
    """
    by_name = select(Account).where(func.lower(Account.username) == username.lower())
    account = session.scalar(by_name.options(undefer(Account.password_hash)))
    if account is not None and _knows(account, device):
        tries = attempts.of_device(account, device.partition(".")[0])
    else:
        tries = attempts.of_sign_in(username, address)
    attempts.admit(session, tries)
    # A hash is computed also for an unknown name, so that the time taken does not tell who exists.
    right = secrets.password_matches(account.password_hash if account else _NOBODYS_HASH, password)
    if account is None or not right or not account.active:
        attempts.record(session, VISITOR, account, address)
        attempts.count(session, tries)
        raise SignInFailed(_("The user name or the password is wrong."))
    attempts.forgive(session, tries)
    token = secrets.new_token()
    expires_at = datetime.now(UTC) + timedelta(hours=settings.get().session_hours)
    session.add(SignIn(token_hash=secrets.token_hash(token), account_id=account.id, expires_at=expires_at))
    audit.record(session, Actor(account_id=account.id), "sign_in", "account", account.id)
    session.flush()
    return Opened(account, token, _introduced(account, device))


_NOBODYS_HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$Zm9ydHl0d29mb3J0eXR3b2ZvcnR5dHdvZm9ydHl0d28"


def _knows(account: Account, device: str) -> bool:
    nonce, *marks = device.split(".")
    return any(hmac.compare_digest(mark, _mark(account, nonce)) for mark in marks[:DEVICE_ACCOUNTS])


def _introduced(account: Account, device: str) -> str:
    """What a browser keeps: a random number, and a mark only we can make for each account that signed in there."""
    nonce, *marks = device.split(".") if device.isascii() and len(device) < 1000 else [""]
    nonce = nonce or secrets.new_token()
    mark = _mark(account, nonce)
    return ".".join([nonce, *[mark, *(one for one in marks if one != mark)][:DEVICE_ACCOUNTS]])


def _mark(account: Account, nonce: str) -> str:
    return secrets.blind(f"device {nonce.encode().hex()} knows {account.id}").hex()[:32]


def by_session(session: Session, token: str) -> Account | None:
    """The account a session's token stands for, if the session is still open. Runs on a session without walls.

    One that would be open for longer than any can is from a clock that has been put back since.
    """
    longest = func.make_interval(0, 0, 0, 0, settings.get().session_hours + 1)
    is_open = SignIn.expires_at.between(func.now(), func.now() + longest)
    return session.scalar(
        select(Account)
        .join(SignIn, SignIn.account_id == Account.id)
        .where(SignIn.token_hash == secrets.token_hash(token), is_open, Account.active)
    )


def prolong(session: Session, token: str) -> None:
    """Let an open session last for the full time again; written at most every five minutes."""
    expires_at = datetime.now(UTC) + timedelta(hours=settings.get().session_hours)
    worth_it = SignIn.expires_at < expires_at - timedelta(minutes=5)
    session.execute(
        update(SignIn).where(SignIn.token_hash == secrets.token_hash(token), worth_it).values(expires_at=expires_at)
    )


def sign_out(session: Session, token: str) -> None:
    """Close the session of a token."""
    session.execute(delete(SignIn).where(SignIn.token_hash == secrets.token_hash(token)))
