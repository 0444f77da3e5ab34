"""Two people edit the same record: whoever comes second is told, instead of overwriting the first.

A record's answer carries an ``ETag``; an edit that sends it back as ``If-Match`` goes through only while the record is
as it was. Without ``If-Match`` the last one wins, as before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Protocol

from fastapi import Header, Response
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from data.base.errors import Conflict, Forbidden
from data.base.language import _


class ChangedMeanwhile(Conflict):
    """Somebody else changed the record after it was read."""


class Timed(Protocol):
    """A record that knows when it was last changed."""

    updated_at: datetime


IfMatch = Annotated[
    str | None,
    Header(
        description="The `ETag` under which the record was read: refused with 409 when it was changed since.",
        max_length=200,
    ),
]


def etag(record: Timed) -> str:
    """The tag of a record as it stands now."""
    return f'"{int(record.updated_at.timestamp() * 1_000_000):x}"'


def tag(response: Response, record: Timed) -> None:
    """Put the record's tag on its answer."""
    response.headers["ETag"] = etag(record)


def check(session: Session, record: Timed, if_match: str | None) -> None:
    """Raise unless the record is still as it was when it was read; it is held until the transaction ends.

    Raises
    ------
    ChangedMeanwhile
    """
    if not if_match:
        return
    try:
        session.refresh(record, ["updated_at"], with_for_update=True)
    except InvalidRequestError as error:  # the database shows it to this person, and lets them change it no more
        raise Forbidden(_("This record is not yours to change.")) from error
    if if_match.strip() not in ("*", etag(record)):
        raise ChangedMeanwhile(_("Somebody else has changed this record meanwhile. Load it again."))
