"""Households by their numbers 户号, as files of households and of residents name them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import text

from data.base import bulk
from data.exchange.importing.batch import Batch
from data.households import Household
from spatial import spelling


def identify(batch: Batch, numbers: Any) -> tuple[list[int], list[int]]:
    """The id of each household by its number, new ones for those that are not there; and the new ones."""
    known = numbered(batch, set(numbers))
    table: Any = Household.__table__
    missing = [number for number in dict.fromkeys(numbers) if number not in known]
    fresh = bulk.reserve_ids(batch.session, table, len(missing))
    known |= dict(zip(missing, fresh, strict=True))
    return [known[number] for number in numbers], fresh


def numbered(batch: Batch, numbers: Collection[str]) -> dict[str, int]:
    """The households of the community that have these numbers, however they were written when they came: their ids."""
    if batch.is_first_load("household"):
        return {}
    exact = "SELECT id, number FROM household WHERE community_id = :community AND number = ANY(:numbers)"
    given = {"community": batch.community.id, "numbers": [*numbers]}
    known: dict[str, int] = {row.number: row.id for row in batch.session.execute(text(exact), given)}
    if len(known) < len(numbers):
        otherwise = "SELECT id, number FROM household WHERE community_id = :community AND number !~ '^[!-~]+$'"
        otherwise += " OR community_id = :community AND number ~ '^(''|=|[0-9]+[.]0)'"
        for row in batch.session.execute(text(otherwise), given):
            number = spelling.key(row.number)
            if number in numbers:
                known.setdefault(number, row.id)
    return known
