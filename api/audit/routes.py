"""The audit and the history of records over HTTP. Personal values in it stay masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Row

from api.base import listing
from api.base.deps import Session, permission
from api.base.fields import ID_MAX, Output
from api.base.listing import From, Listed, To
from data import history
from data.base.access import Actor

api = APIRouter(prefix="/api/audit", tags=["audit"])


class Entry(Output):
    """One thing that somebody did."""

    id: int = Field(examples=[12])
    at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    account_id: int | None = Field(examples=[3])
    account_name: str | None = Field(examples=["陈敏"])
    action: str = Field(description="create, update, delete, unmask, export …", examples=["update"])
    record_kind: str = Field(examples=["building"])
    record_id: int | None = Field(examples=[18])
    community_id: int | None = Field(examples=[3])
    changes: dict[str, Any] = Field(
        description="Field → before and after; personal values are masked.", examples=[{"floors": [6, 7]}]
    )
    purpose: str | None = Field(description="Why personal data was shown in full.", examples=[None])
    request_id: str | None = Field(examples=["9f0c2d4e6a8b1c3d"])


def entries(rows: Sequence[Row[Any]]) -> list[Entry]:
    """Audit rows as they are handed out."""
    return [entry(row) for row in rows]


def entry(row: Row[Any]) -> Entry:
    """An audit row as it is handed out with its record: what it says of people is masked."""
    return Entry.model_validate({**row._mapping, "changes": history.masked_changes(row.record_kind, row.changes)})


def entry_for(actor: Actor) -> Callable[[Row[Any]], Entry]:
    """How an audit row is handed out by itself: values only of records that the actor may read."""
    return lambda row: Entry.model_validate({**row._mapping, "changes": history.changes_for(actor, row)})


class EntryFilters(listing.Filters[history.Filter]):
    """Which audit rows a request asks for: the same parameters for lists and pages."""

    record_kind: Annotated[
        str | None,
        Query(description="Only of this kind of record.", max_length=64, pattern=r"^[a-z_]*$", examples=["building"]),
    ] = None
    record_id: Annotated[int | None, Query(description="Only of the record with this id.", ge=1, le=ID_MAX)] = None
    action: Annotated[
        str | None, Query(description="Only this action.", max_length=64, pattern=r"^[a-z_]*$", examples=["unmask"])
    ] = None
    account_id: Annotated[int | None, Query(description="Only by the account with this id.", ge=1, le=ID_MAX)] = None
    first: From = None
    last: To = None

    def wanted(self) -> history.Filter:
        """The same for ``data``."""
        return history.Filter(
            record_kind=self.record_kind,
            record_id=self.record_id,
            action=self.action,
            account_id=self.account_id,
            first=self.first,
            last=self.last,
        )


class EntryList(EntryFilters, listing.Paged):
    """What the address of the list asks for."""

    SORTS = history.SORTS
    sort: str = listing.sorted_by(SORTS, "-at")


@api.get("", summary="List the audit", response_model=Listed[Entry])
def list_audit(
    request: Request,
    session: Session,
    actor: Annotated[Actor, permission("audit.read")],
    asked: Annotated[EntryList, Query()],
) -> Listed[Entry] | Response:
    """Everything that was changed, shown in full, exported or signed in to, newest first.

    Of a record that one may not read it says which fields changed, and no values.
    """
    return listing.answer(
        request,
        session,
        history.selection(actor, asked.wanted()),
        asked,
        key=history.KEY,
        item=entry_for(actor),
    )
