"""Two records become one: whatever hangs on the one that goes is moved to the one that stays, and can be moved back.

What hangs on a resident or household is asked of the tables themselves: every foreign key that leads there. A row that
would then stand twice (a phone that took both households along) goes; spans of days that would overlap are joined. A
table that needs more than that says so in ``_MOVES``; one that nobody thought of is refused, by a test and here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import PrimaryKeyConstraint, Row, Table, UniqueConstraint, func, select, text, update
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from data import units
from data.accounts import Account
from data.base import audit, db, listing, secrets
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _
from data.base.secrets import Encrypted
from data.duplicates import pairs
from data.duplicates.tables import Duplicate, Kind, Merger, MergerNotFound, NoUndo
from data.households import Household, Resident

#: So long a merger can be taken back. What stood there before is forgotten then.
UNDO_DAYS = 30
#: What follows from other fields, or belongs to the row itself.
_OWN = {"id", "community_id", "created_at", "updated_at", "twin", "identity_blind", "phone_blind"}
_OWN |= {"located_by", "located_score", "unlocated_reason"}
#: Field → what goes with it.
_WITH = {
    "identity_number": ("identity_blind", "identity_kind"),
    "phone": ("phone_blind",),
    "dwelling_id": ("located_by", "located_score", "unlocated_reason"),
}


class Unhandled(Exception):
    """A table refers to people in a way that merging does not know how to move."""


@dataclass
class _Memory:
    """What a merger did, so that it can be taken back.

    Attributes
    ----------
    kept, gone
        Both rows as they were, as JSON of PostgreSQL; what is encrypted stays so.
    moved
        ``table.column`` → the keys of the rows that were moved.
    dropped, made
        Table → the rows that went, whole; and the keys of those that were made instead.
    heads
        Household → the head that it lost.
    """

    kept: dict[str, Any]
    gone: dict[str, Any]
    moved: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    dropped: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    made: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)


def fields(kind: Kind) -> list[str]:
    """The fields of which one chooses whose value stays."""
    others = {name for names in _WITH.values() for name in names}
    columns = listing.columns(kind.table)
    return [column.key for column in columns if column.key not in _OWN | others]


def hanging(kind: Kind) -> list[tuple[Table, str]]:
    """Every column that leads to a resident or household, with its table.

    Raises
    ------
    Unhandled
        A table forbids two such rows in a way that is not known here.
    """
    target = kind.table.__table__
    columns = []
    for table in db.Table.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            if key.referred_table is not target:
                continue
            (name,) = (element.parent.name for element in key.elements if element.column.name == "id")
            excluded = any(
                isinstance(limit, ExcludeConstraint) and name in {column.name for column in limit.columns}
                for limit in table.constraints
            )
            if excluded and (table.name, name) not in _MOVES:
                raise Unhandled(f"{table.name}.{name}")
            columns.append((table, name))
    return columns


def merge(session: Session, actor: Actor, pair: Duplicate, *, kept_id: int, taken: Collection[str]) -> Merger:
    """Make one record of two.

    Parameters
    ----------
    kept_id
        The id that stays, with the history of that record.
    taken
        The fields whose value is taken from the one that goes.

    Raises
    ------
    Invalid
        It is neither of the two, or no such field.
    """
    pairs.require(actor, pair.community_id)
    kind, community_id = pair.kind, pair.community_id
    if kept_id not in pair.ids:
        raise Invalid(_("Choose which of the two records stays."), field="body.kept_id")
    if unknown := set(taken) - {*fields(kind)}:
        raise Invalid(_("There is no field “{field}”.", field=min(unknown)), field="body.taken")
    (gone_id,) = (record_id for record_id in pair.ids if record_id != kept_id)
    rows = _locked(session, kind, pair.ids)
    memory = _Memory(rows[kept_id], rows[gone_id])
    kept, gone = (session.get_one(kind.table, record_id) for record_id in (kept_id, gone_id))
    names = [name for chosen in sorted(taken) for name in (chosen, *_WITH.get(chosen, ())) if hasattr(gone, name)]
    values = {name: getattr(gone, name) for name in names}
    if "household_id" in values and session.get_one(Resident, kept_id).household_id != values["household_id"]:
        # Whoever leaves a household is not its head any more.
        left = _run(session, "UPDATE household SET head_id = NULL WHERE head_id = :kept RETURNING id", kept=kept_id)
        memory.heads = {str(row.id): kept_id for row in left}
    _move(session, kind, gone_id, kept_id, values.get("household_id", getattr(kept, "household_id", None)), memory)
    session.expire_all()
    session.delete(session.get_one(kind.table, gone_id))
    session.flush()
    kept = session.get_one(kind.table, kept_id)
    for name, value in values.items():
        setattr(kept, name, value)
    if isinstance(kept, Household):
        _settle_head(session, kept)
    session.flush()
    if isinstance(kept, Resident):
        _settle_twin(session, kept)
    merger = Merger(
        community_id=community_id,
        **{f"{kind.value}_id": kept_id},
        gone_id=gone_id,
        account_id=actor.account_id,
        taken=sorted(taken),
        memory=json.dumps(memory.__dict__, ensure_ascii=False),
    )
    session.add(merger)
    session.flush()
    moved = {name: len(keys) for name, keys in memory.moved.items()}
    changes = {"merged": [gone_id, kept_id], "moved": [None, sum(moved.values())]}
    audit.record(session, actor, "merge", kind.value, kept_id, community_id=community_id, changes=changes)
    return merger


def mergers(session: Session, actor: Actor, community: str | None = None, most: int = 200) -> Sequence[Row[Any]]:
    """What was merged in a community, or wherever the actor may, the latest first.

    With ``name`` of the resident or the household's head that stayed, **not masked**, ``number`` of the household,
    and ``account_name``.
    """
    head = aliased(Resident)
    query: Rows = (
        select(
            *listing.columns(Merger, without=("memory",)),
            Merger.memory.is_not(None).label("remembered"),
            func.coalesce(Resident.name, head.name).label("name"),
            Household.number.label("number"),
            Account.name.label("account_name"),
        )
        .outerjoin(Resident, Resident.id == Merger.resident_id)
        .outerjoin(Household, Household.id == func.coalesce(Merger.household_id, Resident.household_id))
        .outerjoin(head, (head.id == Household.head_id) & Merger.household_id.is_not(None))
        .outerjoin(Account, Account.id == Merger.account_id)
        .order_by(Merger.at.desc(), Merger.id.desc())
        .limit(most)
    )
    query = units.narrowed(query, Merger.community_id, None, community, None)
    return session.execute(pairs.narrowed(query, actor, Merger)).all()


def undo(session: Session, actor: Actor, merger_id: int) -> Merger:
    """Take a merger back: the record that went is there again, with what hung on it, and what it gave is given back.

    What was changed since stays as it is now.

    Raises
    ------
    MergerNotFound
    NoUndo
        It was too long ago, was taken back already, or the record that stayed was merged again since.
    """
    merger = session.scalar(
        pairs.narrowed(select(Merger).where(Merger.id == merger_id).with_for_update(), actor, Merger)
    )
    if merger is None:
        raise MergerNotFound(_("Not found, or outside your area."))
    pairs.require(actor, merger.community_id)
    _require_undo(session, merger)
    assert merger.memory is not None
    kind, kept_id, memory = merger.kind, merger.kept_id, _Memory(**json.loads(merger.memory))
    try:
        with session.begin_nested():
            _put_back(session, merger, memory)
    except IntegrityError as error:
        raise NoUndo(
            _("Where the record stood there is something else now, or nothing any more. Record it anew.")
        ) from error
    merger.undone_at, merger.undone_by_id, merger.memory = datetime.now(UTC), actor.account_id, None
    session.flush()
    session.expire_all()
    for record_id in (kept_id, merger.gone_id):
        changes = {"merged": [kept_id, merger.gone_id]}
        audit.record(
            session, actor, "unmerge", kind.value, record_id, community_id=merger.community_id, changes=changes
        )
    return merger


def _put_back(session: Session, merger: Merger, memory: _Memory) -> None:
    kind, kept_id = merger.kind, merger.kept_id
    now = _locked(session, kind, [kept_id])[kept_id]
    columns = kind.table.__table__.c
    names = [name for taken in merger.taken for name in (taken, *_WITH.get(taken, ())) if name in columns]
    given = [name for name in names if _plain(columns[name], now[name]) == _plain(columns[name], memory.gone[name])]
    # What the kept record was given goes back before the other one is there again: a number stands once.
    values = {name: memory.kept[name] for name in given if name != "head_id"}
    if "identity_number" in values:
        values["twin"] = memory.kept["twin"]
    _populate(session, kind.value, kept_id, values)
    _insert(session, kind.value, memory.gone | ({"head_id": None} if kind is Kind.HOUSEHOLD else {}))
    for name, keys in memory.made.items():
        for key in keys:
            _run(session, f"DELETE FROM {name} WHERE {_keyed(key)}", **key)  # noqa: S608 - names of our own tables
    for place, keys in memory.moved.items():
        name, column = place.split(".")
        back = f"UPDATE {name} SET {column} = :gone WHERE {column} = :kept AND "  # noqa: S608 - names of our own tables
        for key in keys:
            _run(session, back + _keyed(key), **key, gone=merger.gone_id, kept=kept_id)
    for name, rows in memory.dropped.items():
        for row in rows:
            _insert(session, name, row, "ON CONFLICT DO NOTHING")
    heads = dict(memory.heads)
    if kind is Kind.HOUSEHOLD:
        heads |= {str(merger.gone_id): memory.gone["head_id"]}
        if "head_id" in given or now["head_id"] is None:
            heads |= {str(kept_id): memory.kept["head_id"]}
    for home, head in heads.items():
        _run(
            session,
            "UPDATE household SET head_id = :head WHERE id = :home AND (head_id IS NULL OR id = :kept) "
            "AND EXISTS (SELECT FROM resident WHERE id = :head AND household_id = :home)",
            head=head,
            home=int(home),
            kept=kept_id if kind is Kind.HOUSEHOLD else None,
        )


def _require_undo(session: Session, merger: Merger) -> None:
    if merger.undone_at is not None:
        raise NoUndo(_("This was taken back already."))
    if merger.memory is None or merger.at < datetime.now(UTC) - timedelta(days=UNDO_DAYS):
        raise NoUndo(
            _("This was merged more than {days} days ago. What stood there before is forgotten.", days=UNDO_DAYS)
        )
    column = Merger.resident_id if merger.resident_id else Merger.household_id
    later = select(Merger.id).where(column == merger.kept_id, Merger.id > merger.id, Merger.undone_at.is_(None))
    if session.scalar(later.limit(1)):
        raise NoUndo(_("Something else was merged into this record since. Take that back first."))


def forget(session: Session) -> int:
    """Forget what stood in records before they were merged, once it cannot be taken back; returns how many."""
    long_ago = datetime.now(UTC) - timedelta(days=UNDO_DAYS)
    query = update(Merger).where(Merger.at < long_ago, Merger.memory.is_not(None)).values(memory=None)
    return session.execute(query).rowcount  # type: ignore[attr-defined, no-any-return]


def now(session: Session, kind: Kind, ids: Collection[int]) -> dict[int, int]:
    """Id that went → the id that it is now, of those that were merged: what a phone sends may name the old one."""
    column = Merger.resident_id if kind is Kind.RESIDENT else Merger.household_id
    current: dict[int, int] = {}
    asked = {*ids}
    while asked:
        query = select(Merger.gone_id, column.label("stays")).where(
            Merger.gone_id.in_(asked), column.is_not(None), Merger.undone_at.is_(None)
        )
        steps = {row.gone_id: row.stays for row in session.execute(query)}
        current |= {gone: steps[stays] for gone, stays in current.items() if stays in steps}
        current |= {gone: stays for gone, stays in steps.items() if gone in ids}
        asked = {*steps.values()} - {*current}
    return current


def _settle_head(session: Session, household: Household) -> None:
    """Somebody who is no member of a household is not its head."""
    if household.head_id is not None:
        head = session.get(Resident, household.head_id)
        if head is None or head.household_id != household.id:
            household.head_id = None


def _settle_twin(session: Session, resident: Resident) -> None:
    """Nobody has a twin once all who had the number are one."""
    if resident.twin:
        same = select(Resident.id).where(
            Resident.community_id == resident.community_id,
            Resident.identity_blind == resident.identity_blind,
            Resident.id != resident.id,
            Resident.twin.is_(False),
        )
        resident.twin = resident.identity_blind is not None and session.scalar(same.limit(1)) is not None
        session.flush()


def _locked(session: Session, kind: Kind, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Id → the row as JSON of PostgreSQL; nobody else changes it until the transaction ends."""
    name = kind.value
    query = text(f"SELECT id, to_jsonb({name}) AS row FROM {name} WHERE id = ANY(:ids) ORDER BY id FOR UPDATE")  # noqa: S608 - names of our own tables
    return {row.id: row.row for row in session.execute(query, {"ids": sorted(ids)})}


def _move(session: Session, kind: Kind, gone_id: int, kept_id: int, household_id: int | None, memory: _Memory) -> None:
    step = _Step(session, kind, gone_id, kept_id, household_id, memory)
    for table, name in hanging(kind):
        _MOVES.get((table.name, name), _plainly)(step, table, name)
    if kind is Kind.RESIDENT:
        # What was noted of a fact of theirs names them by number alone.
        step.moved("phone_difference", "of_id", ["id"], "AND of = 'resident'")
    else:
        step.moved("phone_difference", "of_id", ["id"], "AND of = 'household'")


@dataclass
class _Step:
    """Moving from one record to another, and what is remembered of it."""

    session: Session
    kind: Kind
    gone: int
    kept: int
    household_id: int | None
    memory: _Memory

    def run(self, statement: str, **values: Any) -> list[Any]:
        return _run(self.session, statement, gone=self.gone, kept=self.kept, **values)

    def moved(self, table: str, column: str, key: Sequence[str], where: str = "") -> None:
        rows = self.run(
            f"UPDATE {table} SET {column} = :kept WHERE {column} = :gone {where} RETURNING {', '.join(key)}"  # noqa: S608 - names of our own tables
        )
        if rows:
            keys = [{name: _json(value) for name, value in zip(key, row, strict=True)} for row in rows]
            self.memory.moved.setdefault(f"{table}.{column}", []).extend(keys)

    def drop(self, table: str, where: str, **values: Any) -> list[dict[str, Any]]:
        rows = [
            row[0]
            for row in self.run(f"DELETE FROM {table} mine WHERE {where} RETURNING to_jsonb(mine)", **values)  # noqa: S608 - names of our own tables
        ]
        if rows:
            self.memory.dropped.setdefault(table, []).extend(rows)
        return rows


_Mover = Callable[[_Step, Table, str], None]


def _plainly(step: _Step, table: Table, name: str) -> None:
    """Move the rows of a table; those that would then stand twice go."""
    for limit in _unique(table):
        if name in limit and limit != ["id"]:
            same = " AND ".join(
                f"other.{column} IS NOT DISTINCT FROM mine.{column}" for column in limit if column != name
            )
            where = f"other.{name} = :kept" + (f" AND {same}" if same else "")
            step.drop(table.name, f"mine.{name} = :gone AND EXISTS (SELECT FROM {table.name} other WHERE {where})")
    step.moved(table.name, name, [column.name for column in table.primary_key])


def _unique(table: Table) -> list[list[str]]:
    """The columns that stand together once in a table."""
    limits = [limit for limit in table.constraints if isinstance(limit, UniqueConstraint | PrimaryKeyConstraint)]
    indexes = [index for index in table.indexes if index.unique]
    return [[column.name for column in limit.columns] for limit in (*limits, *indexes)]


def _not_at_all(_step: _Step, _table: Table, _name: str) -> None:
    """What goes with the record, and is made anew."""


def _days(step: _Step, table: Table, name: str) -> None:
    """Both belong to the same groups for days that may overlap: the days are joined."""
    shared = (
        f"mine.{name} IN (:kept, :gone) AND mine.group_code IN "  # noqa: S608 - names of our own tables
        f"(SELECT group_code FROM {table.name} WHERE {name} = :gone INTERSECT "
        f"SELECT group_code FROM {table.name} WHERE {name} = :kept)"
    )
    joined = step.run(
        f"SELECT mine.community_id, mine.group_code, unnest(range_agg(mine.valid)) AS valid FROM {table.name} mine "  # noqa: S608 - names of our own tables
        f"WHERE {shared} GROUP BY mine.community_id, mine.group_code"
    )
    step.drop(table.name, shared)
    for row in joined:
        made = step.run(
            f"INSERT INTO {table.name} (community_id, {name}, group_code, valid) "  # noqa: S608 - names of our own tables
            "VALUES (:community, :kept, :code, :valid) RETURNING id",
            community=row.community_id,
            code=row.group_code,
            valid=row.valid,
        )
        step.memory.made.setdefault(table.name, []).append({"id": made[0].id})
    _plainly(step, table, name)


def _head(step: _Step, table: Table, name: str) -> None:
    """Whoever was head of a household stays so if the one who stays is a member of it."""
    if step.household_id is not None:
        step.moved(table.name, name, ["id"], f"AND id = {step.household_id}")
    heads = step.run(f"UPDATE {table.name} SET {name} = NULL WHERE {name} = :gone RETURNING id")  # noqa: S608 - names of our own tables
    step.memory.heads |= {str(row.id): step.gone for row in heads}


def _pairs(step: _Step, table: Table, name: str) -> None:
    """Whoever is not one with the record that goes is not one with the one that stays."""
    a, b = (f"{step.kind.value}_{side}_id" for side in ("a", "b"))
    if name != a:
        return
    rows = step.drop(table.name, f":gone IN (mine.{a}, mine.{b})")
    for row in rows:
        other = row[b] if row[a] == step.gone else row[a]
        if row["apart_at"] is None or other == step.kept:
            continue
        step.run(
            f"INSERT INTO duplicate (community_id, {a}, {b}, score, reasons, apart_at, apart_by_id) "  # noqa: S608 - names of our own tables
            "SELECT community_id, least(:kept, :other), greatest(:kept, :other), score, reasons, apart_at, apart_by_id "
            "FROM jsonb_populate_record(null::duplicate, CAST(:row AS jsonb)) "
            f"ON CONFLICT ({a}, {b}) DO UPDATE SET apart_at = excluded.apart_at, apart_by_id = excluded.apart_by_id",
            other=other,
            row=json.dumps(row),
        )


#: What is not moved plainly.
_MOVES: Mapping[tuple[str, str], _Mover] = {
    ("household", "head_id"): _head,
    ("household_group", "household_id"): _days,
    ("likeness", "resident_id"): _not_at_all,
    ("likeness", "household_id"): _not_at_all,
    **{("duplicate", f"{kind.value}_{side}_id"): _pairs for kind in Kind for side in ("a", "b")},
}


def _run(session: Session, statement: str, **values: Any) -> list[Any]:
    answer: Any = session.execute(text(statement), values)
    return list(answer) if answer.returns_rows else []


def _keyed(key: Mapping[str, Any]) -> str:
    return " AND ".join(f"{name} = :{name}" for name in key)


def _json(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)


def _insert(session: Session, table: str, row: Mapping[str, Any], otherwise: str = "") -> None:
    """A row as it was."""
    given = f"SELECT * FROM jsonb_populate_record(null::{table}, CAST(:row AS jsonb))"  # noqa: S608 - names of our own tables
    _run(session, f"INSERT INTO {table} {given} {otherwise}", row=json.dumps(row))


def _populate(session: Session, table: str, record_id: int, values: Mapping[str, Any]) -> None:
    if values:
        sets = ", ".join(f"{name} = was.{name}" for name in values)
        _run(
            session,
            f"UPDATE {table} SET {sets}, updated_at = clock_timestamp() "  # noqa: S608 - names of our own tables
            f"FROM jsonb_populate_record(null::{table}, CAST(:row AS jsonb)) was WHERE {table}.id = :id",
            row=json.dumps(dict(values)),
            id=record_id,
        )


def _plain(column: Any, raw: Any) -> Any:
    """A value as JSON of PostgreSQL, decrypted, so that two can be compared."""
    if isinstance(column.type, Encrypted) and isinstance(raw, str):
        return secrets.readable(bytes.fromhex(raw.removeprefix("\\x")))
    return raw
