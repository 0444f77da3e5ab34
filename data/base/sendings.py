"""What was sent in once is done once: the forms that were taken in, by the token that each came with.

A browser gives every form a random token and sends it along, also when it has to send again: without an answer, after
a sign-in, days later from a queue. What is done and the row that says so are one transaction, and two that come with
the same token wait for each other, so the second finds what the first one did. Only a hash of the token is kept, and a
blind index of what was typed, by which a form that is sent again is told from one that was filled in anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ForeignKey, LargeBinary, delete, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import secrets, texts
from data.base.db import Table
from data.base.errors import Conflict
from data.base.language import _

KEPT = timedelta(days=14)
"""Twice as long as a browser keeps what waits to be sent."""


class SentBefore(Conflict):
    """The form was taken in before, with something else in it."""


class Sending(Table):
    """A form that was taken in."""

    __tablename__ = "sending"
    __audited__ = False

    #: SHA-256 of the account and the token
    token: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    #: whose it is; nobody's for a resident without an account
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    #: blind index of what was typed
    content: Mapped[bytes] = mapped_column(LargeBinary)
    #: the page that told what was done
    address: Mapped[texts.Long]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"), index=True)


@dataclass(frozen=True)
class Form:
    """A form that comes in.

    Attributes
    ----------
    token
        What the browser gave it.
    content
        All that was typed, in one text.
    """

    token: str
    content: str


def address(session: Session, account_id: int | None, form: Form) -> str | None:
    """Where a form that was taken in before led to; ``None`` when it comes for the first time.

    Others with the same token wait until this transaction is over.

    Raises
    ------
    SentBefore
        It was taken in with other content.
    """
    key = _key(account_id, form)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int.from_bytes(key[:7], "big")})
    row = session.execute(select(Sending.content, Sending.address).where(Sending.token == key)).one_or_none()
    if row is None:
        return None
    if row.content != _content(form):
        raise SentBefore(
            _("This form was sent before, with something else in it. Send it again if it is another one."),
            address=row.address,
        )
    return str(row.address)


def done(session: Session, account_id: int | None, form: Form, address: str) -> None:
    """Note that a form was taken in, in the transaction that did what it asked for."""
    row = Sending(token=_key(account_id, form), account_id=account_id, content=_content(form), address=address[:4000])
    session.add(row)
    session.flush()


def forget(session: Session, now: datetime | None = None) -> None:
    """Remove what nobody sends again any more. Runs on a session without walls."""
    session.execute(delete(Sending).where(Sending.at < (now or datetime.now(UTC)) - KEPT))


def _key(account_id: int | None, form: Form) -> bytes:
    return secrets.token_hash(f"{account_id} {form.token}")


def _content(form: Form) -> bytes:
    return secrets.blind(f"form {form.content}")
