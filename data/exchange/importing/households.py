"""Households from files: the ledger of families, with their heads, dwellings and special groups.

A household is known by its number 户号. Its dwelling is found by the address, and made where the building has no such
door yet. The head goes in as a resident. A special group that a row names is added from the day of registration on
(else today); that a household no longer belongs to one is not concluded from a file.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from data.base import bulk, settings
from data.base.language import _
from data.buildings import Dwelling
from data.exchange.importing import homes, numbering, residents, sealing
from data.exchange.importing.batch import Batch
from data.files import columns
from data.households import Household, HouseholdGroup, Resident

#: Where the fields of a file are kept.
TABLES = (Household, Dwelling)


def load(batch: Batch) -> None:
    """Bring a batch of households in."""
    given = batch.column("number")
    batch.reject_repeated(given, lambda at: _("The household number {number}", number=given[at]))
    residents.check_identities(batch)
    batch.settle()
    batch.begin("Locating")
    places = homes.find(batch)
    batch.count_places(places)
    batch.begin("Writing")
    ids, fresh = numbering.identify(batch, batch.column("number"))
    known = set(ids).difference(fresh)
    homes.tell_impossible(batch, places, ids)
    emptied = {name: batch.values[name] for name in ("hukou", "note", "phone") if batch.has(name)}
    homes.tell_emptied(batch, "household", ids, emptied, known=known)
    names = [name for name in ("hukou", "note") if batch.has(name)]
    everything: dict[str, bulk.Values] = {
        "id": ids,
        "community_id": bulk.Same(batch.community.id),
        "number": batch.column("number"),
        "address": _written(batch),
        **{name: batch.values[name] for name in names},
        "phone": sealing.seal(batch, "household", "phone", ids, batch.column("phone"), known=known),
        **places.columns(),
    }
    heads = _heads(batch, ids, fresh)
    merged, touched = _write(batch, everything, heads, fresh)
    grown = _add_groups(batch, ids) | touched
    # A household whose own row is the same counts as changed when its head or groups are.
    more = len(grown - set(fresh) - merged.changed_ids)
    batch.report.new += merged.new
    batch.report.updated += merged.updated + more
    batch.report.unchanged += merged.unchanged - more
    for name in ("members", "people"):
        if batch.has(name):
            label = columns.field("households", name).label
            batch.report.notes.append(_("“{name}” is not kept: import the members as residents.", name=label))


def _written(batch: Batch) -> list[str | None]:
    """The address as each row gives it; put together from its parts where there is none that names the building."""
    columns = (batch.column("address"), batch.column("building"), homes.addresses(batch))
    return [given if given and building else whole for given, building, whole in zip(*columns, strict=True)]


def _add_groups(batch: Batch, ids: list[int]) -> set[int]:
    """Add the groups that households do not belong to yet; returns the households concerned."""
    if not batch.has("groups"):
        return set()
    today = datetime.now(ZoneInfo(settings.get().timezone)).date()
    held = {
        (row.household_id, row.group_code)
        for row in batch.session.execute(
            text(
                "SELECT household_id, group_code FROM household_group WHERE household_id = ANY(:ids) "
                "AND (upper_inf(valid) OR valid @> CAST(:today AS date))"
            ),
            {"ids": ids, "today": today},
        )
    }
    rows: list[tuple[int, str, date]] = []
    since = batch.column("registered_on")
    for at, household_id in enumerate(ids):
        for code in dict.fromkeys(batch.column("groups")[at] or ()):
            if (household_id, code) not in held:
                rows.append((household_id, code, since[at] or today))
    if not rows:
        return set()
    from psycopg.types.range import Range

    table: Any = HouseholdGroup.__table__
    added: dict[str, bulk.Values] = {
        "community_id": bulk.Same(batch.community.id),
        "household_id": [row[0] for row in rows],
        "group_code": [row[1] for row in rows],
        "valid": [Range(row[2], None) for row in rows],
    }
    bulk.load(batch.session, table, added)
    return {row[0] for row in rows}


def _heads(batch: Batch, ids: list[int], fresh: list[int]) -> residents.People:
    """The heads that rows name, as residents.

    The phone is the household's; it is taken for the head's own only where nobody of the household is known yet.
    """
    names, identities = batch.column("head_name"), batch.column("identity_number")
    heads = [at for at, name in enumerate(names) if name]
    members = residents.Members(
        household_id=[ids[at] for at in heads],
        name=[names[at] for at in heads],
        identity_number=[identities[at] for at in heads],
        born_on=[None] * len(heads),
        is_head=[True] * len(heads),
    )
    unknown = set(fresh)
    phone, workplace = batch.column("phone"), batch.column("workplace")
    phones = [phone[at] if ids[at] in unknown else None for at in heads]
    workplaces = [workplace[at] for at in heads]
    return residents.prepare(batch, members, {"phone": phones, "workplace": workplaces}, unknown)


def _write(
    batch: Batch, everything: dict[str, bulk.Values], heads: residents.People, fresh: list[int]
) -> tuple[bulk.Merged, set[int]]:
    """Write households and their heads; returns the households whose head is new, another, or differs.

    They refer to each other. Where all are new and keys are checked at the end, each household goes in with its head;
    else the heads are named once they are there.
    """
    table: Any = Household.__table__
    people: Any = Resident.__table__
    if len(fresh) < batch.count or not heads.all_new:
        merged = bulk.merge(
            batch.session, batch.actor, table, everything, key=("id",), place=homes.PLACE, progress=batch.told
        )
        return merged, _write_heads(batch, heads, fresh)
    with bulk.suspended(batch.session, table, batch.count, beside={people: len(heads.ids)}) as together:
        if together:
            head_of = dict(zip(heads.members.household_id, heads.ids, strict=True))
            everything = {**everything, "head_id": [head_of.get(each) for each in fresh]}
        merged = bulk.add(batch.session, table, everything, progress=batch.told)
        return merged, _write_heads(batch, heads, fresh, with_heads=together)


def _write_heads(batch: Batch, heads: residents.People, fresh: list[int], *, with_heads: bool = False) -> set[int]:
    if not heads.ids:
        return set()
    written = residents.write(batch, heads, set(fresh), with_heads=with_heads)
    return {heads.members.household_id[place] for place in written.touched}
