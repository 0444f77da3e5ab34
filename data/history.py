"""History: the audit as people read it, with names, filtered, with personal values masked and others only by right.

``data.base.audit`` writes it; here, above the features, is known which fields are personal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from data import accounts, households
from data.base import access, audit, db, listing
from data.base.access import Actor, Rows
from data.base.audit import Audit

#: What the audit can be sorted by, and what settles ties.
SORTS: dict[str, Any] = {"at": Audit.at}
KEY = Audit.id

#: Kinds of records whose fields can be personal.
_OF_PEOPLE = {"household", "resident", "tenancy"}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which audit rows: of a kind of record, one record, an action, an account, days."""

    record_kind: str | None = None
    record_id: int | None = None
    action: str | None = None
    account_id: int | None = None
    first: date | None = None
    last: date | None = None


def _rows() -> Rows:
    named = select(*listing.columns(Audit), accounts.Account.name.label("account_name"))
    return named.outerjoin(accounts.Account, accounts.Account.id == Audit.account_id)


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The audit rows that the actor may see, with ``account_name``."""
    wanted = wanted or Filter()
    query = access.visible(_rows(), actor, Audit)
    for column, value in (
        (Audit.record_kind, wanted.record_kind),
        (Audit.record_id, wanted.record_id),
        (Audit.action, wanted.action),
        (Audit.account_id, wanted.account_id),
    ):
        if value is not None:
            query = query.where(column == value)
    return query.where(*listing.in_period(Audit.at, wanted.first, wanted.last))


def people(session: Session, actor: Actor) -> dict[str, str]:
    """Id of an account → its name, by name: of whoever stands in the audit that the actor may see."""
    seen = access.visible(select(Audit.id), actor, Audit).where(Audit.account_id == accounts.Account.id)
    query = select(accounts.Account.id, accounts.Account.name).where(seen.exists())
    return {str(row.id): row.name for row in session.execute(query.order_by(accounts.Account.name))}


def of_record(session: Session, record_kind: str, record_id: int, limit: int = 500) -> Sequence[Row[Any]]:
    """What happened to one record, newest first, with ``account_name``.

    The caller has shown that the actor may see the record.
    """
    query = _rows().where(Audit.record_kind == record_kind, Audit.record_id == record_id)
    return session.execute(query.order_by(Audit.at.desc(), Audit.id.desc()).limit(limit)).all()


def changes_for(actor: Actor, row: Row[Any]) -> dict[str, Any]:
    """What an audit row says of a change, for somebody who reads the audit: values only of records they may read.

    Of others they learn which fields changed, and neither what stood there before nor what stands there now. Values of
    people are masked in any case.
    """
    if row.action not in _CHANGES or _may_read(actor, row):
        return masked_changes(row.record_kind, row.changes)
    return {name: [audit.HIDDEN, audit.HIDDEN] for name in row.changes}


#: Actions whose ``changes`` hold values of a record; those of others say what was asked for, as by an export.
_CHANGES = frozenset({"create", "update", "delete"})


def _may_read(actor: Actor, row: Row[Any]) -> bool:
    permission = _permissions().get(row.record_kind)
    return permission is None or actor.area(permission).covers(row.community_id)


@cache
def _permissions() -> dict[str, str]:
    """Kind of record → the permission that reads it, of all that belong to a place."""
    tables = [mapper.class_ for mapper in db.Table.registry.mappers]
    return {table.__tablename__: table.__read__ for table in tables if hasattr(table, "__read__")}


def masked_changes(record_kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes of an audit row with every personal value masked.

    >>> masked_changes("resident", {"name": [None, "李小明"], "born_on": ["1970-01-02", None]})
    {'name': [None, '李**'], 'born_on': ['1970-**-**', None]}
    """
    if record_kind not in _OF_PEOPLE:
        return changes
    return {
        name: [_masked(name, value) for value in pair] if isinstance(pair, list) else pair
        for name, pair in changes.items()
    }


def _masked(name: str, value: Any) -> Any:
    if name not in households.MASKS or not isinstance(value, str) or value == audit.HIDDEN:
        return value
    return households.MASKS[name](date.fromisoformat(value) if name == "born_on" else value)
