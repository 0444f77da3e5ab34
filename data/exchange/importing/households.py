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
from data.exchange import columns
from data.exchange.importing import homes, residents, sealing
from data.exchange.importing.batch import Batch
from data.households import Household, HouseholdGroup


def load(batch: Batch) -> None:
    """Bring a batch of households in."""
    numbers = batch.column("number")
    batch.reject_repeated(numbers, lambda at: _("The household number {number}", number=numbers[at]))
    residents.check_identities(batch)
    batch.settle()
    batch.begin("Locating")
    found = homes.find(batch)
    batch.count_places(found)
    batch.begin("Writing")
    ids, fresh = identify(batch, batch.column("number"))
    names = [name for name in ("hukou", "note") if batch.has(name)]
    everything: dict[str, bulk.Values] = {
        "id": ids,
        "community_id": bulk.Same(batch.community.id),
        "number": batch.column("number"),
        "address": [_written(batch, at) for at in range(batch.count)],
        **{name: batch.values[name] for name in names},
        "phone": sealing.seal(batch, "household", "phone", ids, batch.column("phone")),
        **found.columns(),
    }
    table: Any = Household.__table__
    merged = bulk.merge(batch.session, batch.actor, table, everything, key=("id",), place=homes.PLACE, told=batch.told)
    grown = _add_groups(batch, ids) | _add_heads(batch, ids, fresh)
    # A household whose own row is the same counts as changed when its head or groups are.
    more = len(grown - set(fresh) - merged.changed_ids)
    batch.report.new += merged.new
    batch.report.updated += merged.updated + more
    batch.report.unchanged += merged.unchanged - more
    for name in ("members", "people"):
        if batch.has(name):
            label = columns.field("households", name).label
            batch.report.notes.append(_("“{name}” is not kept: import the members as residents.", name=label))


def _written(batch: Batch, at: int) -> str | None:
    """The address as the row gives it; put together from its parts where there is none that names the building."""
    given: str | None = batch.column("address")[at]
    return given if given and batch.column("building")[at] else homes.address(batch, at)


def identify(batch: Batch, numbers: Any) -> tuple[list[int], list[int]]:
    """The id of each household by its number, new ones for those that are not there; and the new ones."""
    known = {
        row.number: row.id
        for row in batch.session.execute(
            text("SELECT id, number FROM household WHERE community_id = :community AND number = ANY(:numbers)"),
            {"community": batch.community.id, "numbers": [*numbers]},
        )
    }
    table: Any = Household.__table__
    missing = [number for number in dict.fromkeys(numbers) if number not in known]
    fresh = bulk.reserve_ids(batch.session, table, len(missing))
    known |= dict(zip(missing, fresh, strict=True))
    return [known[number] for number in numbers], fresh


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


def _add_heads(batch: Batch, ids: list[int], fresh: list[int]) -> set[int]:
    """Bring the heads in as residents; returns the households concerned.

    The phone is the household's; it is taken for the head's own only where nobody of the household is known yet.
    """
    heads = [at for at in range(batch.count) if batch.column("head_name")[at]]
    if not heads:
        return set()
    members = residents.Members(
        household_id=[ids[at] for at in heads],
        name=[batch.column("head_name")[at] for at in heads],
        identity_number=[batch.column("identity_number")[at] for at in heads],
        born_on=[None] * len(heads),
        is_head=[True] * len(heads),
    )
    unknown = set(fresh)
    phones = [batch.column("phone")[at] if ids[at] in unknown else None for at in heads]
    workplaces = [batch.column("workplace")[at] for at in heads]
    written = residents.write(batch, members, {"phone": phones, "workplace": workplaces}, unknown)
    return {ids[heads[place]] for place in written.touched}
