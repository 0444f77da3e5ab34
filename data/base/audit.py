"""The audit: one append-only row for each change and each unmasking, written by the session.

Nothing has to remember to write it: ``_changes_are_recorded`` runs at every flush. The application's role may insert
and read audit rows, never change or delete them. Values of encrypted columns never get here, only that they changed.
A record's history is its audit rows, oldest first.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from geoalchemy2 import WKBElement, WKTElement
from sqlalchemy import ForeignKey, event, insert, inspect, select, text
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects.postgresql import JSONB, Range
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, texts
from data.base.access import Actor
from data.base.db import Table
from data.base.secrets import Encrypted

HIDDEN = "•"
#: In the ``info`` of a column: that it changed is not written, because it would tell what its reader may not know.
UNRECORDED = "unrecorded"
_UNRECORDED = {"id", "created_at", "updated_at"}


class Audit(Table):
    """One thing that somebody did."""

    __tablename__ = "audit"
    __told__ = False
    __read__ = "audit.read"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    action: Mapped[str]
    record_kind: Mapped[str]
    record_id: Mapped[int | None]
    community_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    changes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    purpose: Mapped[texts.Long | None]
    request_id: Mapped[str | None]

    @classmethod
    def within(cls, area: access.Area) -> Any:
        """Audit rows lie in their record's community."""
        return access.in_area(area, cls.community_id)


def record(
    session: Session,
    actor: Actor,
    action: str,
    record_kind: str,
    record_id: int | None = None,
    *,
    community_id: int | None = None,
    changes: dict[str, Any] | None = None,
    purpose: str | None = None,
) -> None:
    """Write one audit row by hand: for what is no change of a record (unmasking, export, import, sign-in)."""
    session.execute(
        insert(Audit).values(
            account_id=actor.account_id,
            action=action,
            record_kind=record_kind,
            record_id=record_id,
            community_id=community_id,
            changes=changes or {},
            purpose=purpose,
            request_id=actor.request_id,
        )
    )


def history(session: Session, actor: Actor, record_kind: str, record_id: int) -> list[Audit]:
    """The audit rows of one record that the actor may see anyway, oldest first.

    The caller has already shown that the actor may see the record.
    """
    found = (
        select(Audit).where(Audit.record_kind == record_kind, Audit.record_id == record_id).order_by(Audit.at, Audit.id)
    )
    return list(session.scalars(found))


def _changes_are_recorded(session: Session, _context: object) -> None:
    actor: Actor = session.info.get("actor", access.SYSTEM)
    rows = []
    for action, records in (("create", session.new), ("update", session.dirty), ("delete", session.deleted)):
        for item in records:
            if getattr(item, "__audited__", True) is False:
                continue
            changes = {} if action == "delete" else _changed(item)
            if action == "update" and not changes:
                continue
            rows.append(
                {
                    "account_id": actor.account_id,
                    "action": action,
                    "record_kind": item.__tablename__,
                    "record_id": getattr(item, "id", None),
                    "community_id": getattr(item, "community_id", None),
                    "changes": changes,
                    "purpose": None,
                    "request_id": actor.request_id,
                }
            )
    if rows:
        session.connection().execute(_WRITE, rows)


def attach() -> None:
    """Write every change of every session of this process down from here on."""
    if not event.contains(Session, "after_flush", _changes_are_recorded):
        event.listen(Session, "after_flush", _changes_are_recorded)


#: Into the table, past the session: it is written with every change, and nobody asks for what was written. Nor for its
#: id (``inline``): a row of a community that was just made lies outside the area of the one who made it.
_WRITE = insert(cast("SqlTable", Audit.__table__)).inline()


def _changed(item: Any) -> dict[str, Any]:
    """``{field: [before, after]}`` of the fields that changed."""
    state = inspect(item)
    kept = state.unmodified | _UNRECORDED
    changes = {}
    for column in state.mapper.column_attrs:
        if (name := column.key) in kept:
            continue
        past = state.attrs[name].history
        if not past.has_changes():
            continue
        if column.columns[0].info.get(UNRECORDED):
            continue
        before, after = (values[0] if values else None for values in (past.deleted, past.added))
        if before is None and after is None:
            continue
        hidden = isinstance(column.columns[0].type, Encrypted) or name.endswith(("_blind", "_hash"))
        changes[name] = [_plain(before, hidden), _plain(after, hidden)]
    return changes


def _plain(value: Any, hidden: bool) -> Any:
    """``value`` as JSON can hold it."""
    if value is None:
        return None
    if hidden:
        return HIDDEN
    if isinstance(value, WKBElement | WKTElement):
        return "geometry"
    if isinstance(value, Range):
        return [_plain(value.lower, hidden=False), _plain(value.upper, hidden=False)]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return HIDDEN
    return value if isinstance(value, bool | int | float | str | list | dict) else str(value)
