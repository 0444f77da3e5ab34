"""Residents from files: the people of households.

A resident is known by the identity number, through its blind index; without one by household, name and birthday. Sex
and birthday follow from an identity number where the file leaves them out. A household number that is not there yet
makes a household; without a number, the one household that lives at the address is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import text

from data.base import bulk, identity
from data.base.language import _
from data.exchange.importing import homes, numbering, sealing
from data.exchange.importing.batch import Batch
from data.households import Household, Resident
from spatial import spelling

#: 本人 and 户主 of GB/T 4761.
HEADS = frozenset({"01", "02"})
_PLAIN = (
    "former_name",
    "sex",
    "relation",
    "ethnicity",
    "native_place",
    "marital_status",
    "political_status",
    "education",
    "occupation",
    "workplace",
    "registered_address",
    "status",
    "inflow_reason",
    "permit_kind",
    "registered_on",
    "expires_on",
    "note",
)
#: What is not a resident identity number: a passport, a permit.
OTHER_DOCUMENT = "other"
_SEALED = ("phone", "permit_number", "health")


@dataclass(frozen=True)
class Members:
    """Who the rows are about; one item a row."""

    household_id: Sequence[int]
    name: Sequence[str]
    identity_number: Sequence[str | None]
    born_on: Sequence[date | None]
    is_head: Sequence[bool]


@dataclass(frozen=True)
class Written:
    """What ``write`` did; ``touched`` are the positions of rows that were new or differed."""

    merged: bulk.Merged
    touched: set[int]


#: Where the fields of a file are kept.
TABLES = (Resident,)


def load(batch: Batch) -> None:
    """Bring a batch of residents in."""
    batch.require_one_of("household", "address", "building", "dwelling")
    check_identities(batch)
    _check_repeated(batch)
    if batch.has("household"):
        _require_numbers(batch)
        batch.settle()
        household_ids, fresh = _make_households(batch)
    else:
        _find_households(batch)
        batch.settle()
        household_ids, fresh = [*batch.values["household_id"]], []
    batch.begin("Writing")
    relations = batch.column("relation")
    members = Members(
        household_id=household_ids,
        name=batch.column("name"),
        identity_number=batch.column("identity_number"),
        born_on=batch.column("born_on"),
        is_head=[relation in HEADS for relation in relations],
    )
    names = [name for name in (*_PLAIN, *_SEALED) if batch.has(name)]
    people = prepare(batch, members, {name: batch.column(name) for name in names}, fresh, tell_emptied=True)
    written = write(batch, people, fresh, progress=batch.told)
    batch.count_merged(written.merged)
    _count_places(batch, household_ids)


def check_identities(batch: Batch) -> None:
    """Reject identity numbers that stand twice, or contradict birthday or sex."""
    numbers = batch.column("identity_number")
    batch.reject_repeated(numbers, lambda at: _("This identity number"))
    for at, number in enumerate(numbers):
        told = _told(number)
        if told is None:
            continue
        born_on, sex = batch.column("born_on")[at], batch.column("sex")[at]
        if (born_on and born_on != told.born_on) or (sex in ("1", "2") and sex != told.sex):
            batch.reject(
                at,
                _("The identity number tells another birthday or sex than the row."),
                _("Check both against the document."),
            )


def _told(number: str | None) -> identity.Identity | None:
    """What a resident identity number tells; ``None`` for another document's."""
    return identity.check(number) if number and len(number) == 18 else None


def _check_repeated(batch: Batch) -> None:
    keys = [
        None if number else (household or homes.address(batch, at), name, born_on)
        for at, (number, household, name, born_on) in enumerate(
            zip(*(batch.column(key) for key in ("identity_number", "household", "name", "born_on")), strict=True)
        )
    ]
    batch.reject_repeated(keys, lambda at: _("This person"))


def _require_numbers(batch: Batch) -> None:
    for at, number in enumerate(batch.column("household")):
        if number is None:
            batch.reject(at, _("The household number is missing."), _("Fill it in."))


def _find_households(batch: Batch) -> None:
    """Find the one household at each row's address."""
    found = homes.find(batch, make=False)
    living: dict[int, list[int]] = {}
    for row in batch.session.execute(
        text("SELECT id, dwelling_id FROM household WHERE community_id = :community AND dwelling_id IS NOT NULL"),
        {"community": batch.community.id},
    ):
        living.setdefault(row.dwelling_id, []).append(row.id)
    ids: list[int | None] = []
    for at, dwelling_id in enumerate(found.dwelling_id):
        there = living.get(dwelling_id, []) if dwelling_id else []
        ids.append(there[0] if len(there) == 1 else None)
        if len(there) == 1:
            continue
        reason = (
            _("Several households live at “{address}”.", address=homes.address(batch, at))
            if there
            else _("No household lives at “{address}”.", address=homes.address(batch, at))
        )
        batch.reject(at, reason, _("Give the household number."))
    batch.values["household_id"] = ids


def _make_households(batch: Batch) -> tuple[list[int], list[int]]:
    """The household of each row by its number, and those that were made: they are placed by the rows' address."""
    numbers = batch.column("household")
    known = numbering.numbered(batch, set(numbers))
    first: dict[str, int] = {}
    for at, number in enumerate(numbers):
        if number not in known and (number not in first or not homes.address(batch, first[number])):
            first[number] = at
    ids: list[int] = []
    if first:
        part = replace(batch, values=dict(batch.values))
        part.keep(np.array([*first.values()], dtype=np.int64))
        ids, _fresh = numbering.identify(batch, [*first])
        table: Any = Household.__table__
        columns: dict[str, bulk.Values] = {
            "id": ids,
            "community_id": bulk.Same(batch.community.id),
            "number": [*first],
            "address": homes.addresses(part),
            **homes.find(part).columns(),
        }
        bulk.load(batch.session, table, columns)
        batch.report.notes.append(_("{count} households were made for their members.", count=len(first)))
    return numbering.identify(batch, numbers)[0], ids


@dataclass(frozen=True)
class People:
    """Rows of residents on their way: who they are, and the columns of ``resident``; one item a row."""

    members: Members
    ids: Sequence[int]
    fresh: frozenset[int]
    columns: dict[str, bulk.Values]

    @property
    def all_new(self) -> bool:
        """Whether none of them is there yet."""
        return len(self.fresh) == len(self.ids)


def prepare(
    batch: Batch,
    members: Members,
    columns: Mapping[str, Sequence[Any]],
    fresh_households: Collection[int],
    *,
    tell_emptied: bool = False,
) -> People:
    """Find out who people are, and encrypt what is to be.

    Parameters
    ----------
    columns
        What else is known of them: column of ``resident`` → values, one a row.
    fresh_households
        Households that this import makes: nobody lives there yet.
    tell_emptied
        Whether to note what empty cells of the file empty.
    """
    documents = [_told(number) for number in members.identity_number]
    born_on = [day or (each.born_on if each else None) for day, each in zip(members.born_on, documents, strict=True)]
    given_sex = columns.get("sex") or [None] * len(documents)
    sex = [value or (each.sex.value if each else None) for value, each in zip(given_sex, documents, strict=True)]
    blinds = sealing.blind(members.identity_number)
    ids, fresh = _identify(batch, members, born_on, blinds, fresh_households)
    known = set(ids).difference(fresh)
    if tell_emptied:
        given = {name: values for name, values in columns.items() if name not in ("sex", "status")}
        homes.tell_emptied(batch, "resident", ids, given, known=known)
    sealed = {"identity_number": members.identity_number}
    sealed |= {name: columns[name] for name in _SEALED if name in columns}
    everything: dict[str, bulk.Values] = {
        "id": ids,
        "community_id": bulk.Same(batch.community.id),
        "household_id": members.household_id,
        "name": members.name,
        "identity_blind": blinds,
        "identity_kind": [
            OTHER_DOCUMENT if number and not each else None
            for number, each in zip(members.identity_number, documents, strict=True)
        ],
        **{name: values for name, values in columns.items() if name not in _SEALED},
        "born_on": born_on,
        "sex": sex,
        **{name: sealing.seal(batch, "resident", name, ids, texts, known=known) for name, texts in sealed.items()},
    }
    if "phone" in columns:
        everything["phone_blind"] = sealing.blind(columns["phone"])
    return People(members, ids, frozenset(fresh), everything)


def write(
    batch: Batch,
    people: People,
    fresh_households: Collection[int],
    *,
    progress: bulk.Told = bulk.untold,
    with_heads: bool = False,
) -> Written:
    """Write people.

    Parameters
    ----------
    fresh_households
        Households that this import made: their head is part of how they were made, and no change of them.
    progress
        Told how many are on their way.
    with_heads
        The households name their heads already.
    """
    members, ids = people.members, people.ids
    table: Any = Resident.__table__
    if people.all_new:
        merged = bulk.add(batch.session, table, people.columns, progress=progress)
    else:
        merged = bulk.merge(batch.session, batch.actor, table, people.columns, key=("id",), progress=progress)
    moved: Collection[int] = ()
    if not with_heads:
        heads = {members.household_id[at]: ids[at] for at, is_head in enumerate(members.is_head) if is_head}
        moved = _set_heads(batch, heads, fresh_households)
    changed = merged.changed_ids | people.fresh
    touched = {
        at
        for at, (household_id, resident_id) in enumerate(zip(members.household_id, ids, strict=True))
        if resident_id in changed or household_id in moved
    }
    return Written(merged, touched)


def _set_heads(batch: Batch, heads: Mapping[int, int], fresh: Collection[int]) -> frozenset[int]:
    """Give households their heads; returns those whose head changed."""
    made = [each for each in heads if each in fresh]
    known = [each for each in heads if each not in fresh]
    if made:
        batch.session.execute(
            text(
                "UPDATE household h SET head_id = n.head_id FROM unnest(CAST(:ids AS int[]), CAST(:heads AS int[])) "
                "AS n(id, head_id) WHERE h.id = n.id"
            ),
            {"ids": made, "heads": [heads[each] for each in made]},
        )
    if not known:
        return frozenset()
    table: Any = Household.__table__
    columns: bulk.Columns = {"id": known, "head_id": [heads[each] for each in known]}
    return bulk.merge(batch.session, batch.actor, table, columns, key=("id",)).changed_ids


def _identify(
    batch: Batch,
    members: Members,
    born_on: Sequence[date | None],
    blinds: Sequence[bytes | None],
    fresh_households: Collection[int],
) -> tuple[list[int], list[int]]:
    """The id of each person: by identity number, else as the one of this name in the household; and the new ones."""
    asked = {
        "community": batch.community.id,
        "households": [*set(members.household_id).difference(fresh_households)],
        "blinds": [each for each in blinds if each],
    }
    query = text(
        "SELECT id, household_id, name, born_on, identity_blind FROM resident WHERE community_id = :community "
        "AND (household_id = ANY(:households) OR identity_blind = ANY(:blinds)) ORDER BY twin DESC, id"
    )
    rows = batch.session.execute(query, asked).all() if asked["households"] or asked["blinds"] else []
    by_blind = {bytes(row.identity_blind): row.id for row in rows if row.identity_blind}
    by_name: dict[tuple[int, str], list[Any]] = {}
    for row in rows:
        by_name.setdefault((row.household_id, spelling.name(row.name)), []).append(row)
    ids: list[int | None] = []
    for at, blind in enumerate(blinds):
        resident_id = by_blind.get(blind) if blind else None
        if resident_id is None:
            alike = [
                row
                for row in by_name.get((members.household_id[at], members.name[at]), [])
                if (blind is None or row.identity_blind is None)
                and (born_on[at] is None or row.born_on is None or row.born_on == born_on[at])
            ]
            resident_id = alike[0].id if len(alike) == 1 else None
        ids.append(resident_id)
    table: Any = Resident.__table__
    fresh = bulk.reserve_ids(batch.session, table, ids.count(None))
    rest = iter(fresh)
    return [each if each is not None else next(rest) for each in ids], fresh


def _count_places(batch: Batch, household_ids: Sequence[int]) -> None:
    """Count residents by how their household is located."""
    lives = {
        row.id: row
        for row in batch.session.execute(
            text("SELECT id, located_by, unlocated_reason FROM household WHERE id = ANY(:ids)"),
            {"ids": [*set(household_ids)]},
        )
    }
    counts = Counter((lives[each].located_by, lives[each].unlocated_reason) for each in household_ids)
    for (by, reason), count in counts.items():
        if reason:
            batch.report.unlocated[reason] = batch.report.unlocated.get(reason, 0) + count
        else:
            batch.count_located({by or "manual": count})
