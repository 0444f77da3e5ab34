"""Looking for duplicates among what was changed since.

Each record's keys are kept with the instant of its last change. What changed since is read anew, its keys are written,
and it is compared with those that share one. So looking costs as much as was changed, whatever the community holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session, aliased

from data import units
from data.base import secrets
from data.duplicates import likeness
from data.duplicates.likeness import Traits
from data.duplicates.tables import Kind
from data.households import Household, Resident

#: So many records are looked at in one go.
BATCH = 2000
#: What more than so many records share says nothing: it is an accident of how they were recorded.
MOST_ALIKE = 50
_LOCK = 0x6475706C

_CHANGED = """
SELECT {table}.id, greatest({table}.updated_at, other.updated_at) AS stamp
FROM {table} LEFT JOIN {other} other ON other.id = {table}.{key}
LEFT JOIN likeness ON likeness.{table}_id = {table}.id AND likeness.key = 0
WHERE {table}.id IN (
  SELECT id FROM {table} WHERE community_id = :community AND updated_at > :since
  UNION SELECT mine.id FROM {other} other JOIN {table} mine ON mine.{key} = other.id
  WHERE other.community_id = :community AND other.updated_at > :since)
AND likeness.stamp IS DISTINCT FROM greatest({table}.updated_at, other.updated_at)
ORDER BY stamp, {table}.id LIMIT :most
"""
#: What is told of a transaction that lasts so long is still seen.
_SINCE = """
SELECT coalesce(max(stamp) - interval '1 day', '0001-01-02') FROM likeness
WHERE community_id = :community AND key = 0 AND {table}_id IS NOT NULL
"""
_SHARED = """
WITH few AS (
  SELECT key FROM likeness WHERE community_id = :community AND {table}_id IS NOT NULL
  AND key IN (SELECT key FROM likeness WHERE {table}_id = ANY(:ids) AND key <> 0)
  GROUP BY key HAVING count(*) BETWEEN 2 AND :alike)
SELECT DISTINCT least(mine.{table}_id, theirs.{table}_id) AS a, greatest(mine.{table}_id, theirs.{table}_id) AS b
FROM few JOIN likeness mine USING (key) JOIN likeness theirs USING (key)
WHERE mine.{table}_id = ANY(:ids) AND theirs.{table}_id <> mine.{table}_id
AND mine.community_id = :community AND theirs.community_id = :community
"""


def look_everywhere(session: Session) -> int:
    """Look for duplicates in every community, a batch each; returns how many records were read."""
    communities = session.scalars(select(units.Unit.id).where(units.Unit.level == units.Level.COMMUNITY))
    return sum(look(session, community_id) for community_id in communities.all())


def look(session: Session, community_id: int, most: int = BATCH) -> int:
    """Look for duplicates among what was changed in a community; returns how many records were read.

    Where somebody else is just looking, nothing is done.
    """
    if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock, :at)"), {"lock": _LOCK, "at": community_id}):
        return 0
    return sum(_look(session, community_id, kind, most) for kind in Kind)


def _look(session: Session, community_id: int, kind: Kind, most: int) -> int:
    table = kind.value
    joined = {"table": table, "other": "household" if kind is Kind.RESIDENT else "resident"}
    joined["key"] = "household_id" if kind is Kind.RESIDENT else "head_id"
    where = {"community": community_id}
    since = session.scalar(text(_SINCE.format(**joined)), where)
    changed = session.execute(text(_CHANGED.format(**joined)), {**where, "since": since, "most": most}).all()
    if not changed:
        return 0
    ids = [row.id for row in changed]
    traits = _traits(session, kind, ids)
    session.execute(text(f"DELETE FROM likeness WHERE {table}_id = ANY(:ids)"), {"ids": ids})  # noqa: S608 - names of our own tables
    rows = [(row.id, row.stamp, key) for row in changed for key in (0, *likeness.keys(traits[row.id]))]
    _insert(
        session, f"likeness (community_id, {table}_id, stamp, key)", community_id, rows, "int", "timestamptz", "bigint"
    )
    session.execute(
        text(
            f"DELETE FROM duplicate WHERE apart_at IS NULL AND ({table}_a_id = ANY(:ids) OR {table}_b_id = ANY(:ids))"  # noqa: S608 - names of our own tables
        ),
        {"ids": ids},
    )
    shared = session.execute(text(_SHARED.format(**joined)), {**where, "ids": ids, "alike": MOST_ALIKE}).all()
    missing = {*chain.from_iterable(tuple(pair) for pair in shared)} - traits.keys()
    traits |= _traits(session, kind, sorted(missing))
    matches = []
    for a, b in shared:
        score, reasons = likeness.compare(traits[a], traits[b])
        if score >= likeness.LEAST:
            matches.append((a, b, score, ",".join(reasons)))
    _insert(
        session,
        f"duplicate (community_id, {table}_a_id, {table}_b_id, score, reasons)",
        community_id,
        matches,
        *("int", "int", "float", "text"),
    )
    return len(ids)


def _insert(session: Session, into: str, community_id: int, rows: Sequence[tuple[Any, ...]], *types: str) -> None:
    """Write rows; a pair that is there stays as it is."""
    if not rows:
        return
    names = [f"c{place}" for place in range(len(types))]
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in zip(names, types, strict=True))
    values = [
        f"string_to_array({name}, ',')" if kind == "text" else name for name, kind in zip(names, types, strict=True)
    ]
    session.execute(
        text(
            f"INSERT INTO {into} SELECT :community, {', '.join(values)} "  # noqa: S608 - names of our own tables
            f"FROM unnest({arrays}) AS given ({', '.join(names)}) ON CONFLICT DO NOTHING"
        ),
        {"community": community_id, **dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))},
    )


_HEAD = aliased(Resident)


def _traits(session: Session, kind: Kind, ids: Sequence[int]) -> dict[int, Traits]:
    """Id → by what a record is compared."""
    person = Resident if kind is Kind.RESIDENT else _HEAD
    shared = (
        person.name,
        person.born_on,
        person.sex,
        person.identity_number,
        person.identity_blind,
        Household.dwelling_id,
    )
    if kind is Kind.RESIDENT:
        query: Any = select(Resident.id, *shared, Resident.phone_blind).join(
            Household, Household.id == Resident.household_id
        )
        query = query.where(Resident.id.in_(ids))
    else:
        query = select(Household.id, *shared, Household.phone, Household.number, _HEAD.phone_blind)
        query = query.outerjoin(_HEAD, _HEAD.id == Household.head_id).where(Household.id.in_(ids))
    return {row.id: _read(row) for row in session.execute(query)} if ids else {}


def _read(row: Row[Any]) -> Traits:
    facts = row._mapping
    blind = facts["phone_blind"]
    phone = secrets.known(facts.get("phone"))
    return Traits(
        name=facts["name"],
        born_on=facts["born_on"],
        sex=facts["sex"],
        identity=secrets.known(facts["identity_number"]),
        identity_blind=facts["identity_blind"],
        phone=secrets.blind(phone).hex() if phone else blind.hex() if blind else None,
        dwelling_id=facts["dwelling_id"],
        number=facts.get("number"),
    )
