"""Doors: the dwelling that each row of a file means, and the dwellings that are not there yet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from data import locating
from data.base import bulk
from data.buildings import Dwelling
from data.exchange.importing.batch import Batch
from data.grids import LocatedBy, UnlocatedReason

PLACE = bulk.Place(given=("dwelling_id",), columns=("dwelling_id", "located_by", "located_score", "unlocated_reason"))


@dataclass
class Homes:
    """Where each row lives; one item a row."""

    dwelling_id: list[int | None]
    by: list[str | None]
    score: list[float | None]
    reason: list[str | None]

    def columns(self) -> dict[str, bulk.Values]:
        """The columns of a household that keep this."""
        return {
            "dwelling_id": self.dwelling_id,
            "located_by": self.by,
            "located_score": self.score,
            "unlocated_reason": self.reason,
        }


def find(batch: Batch, *, make: bool = True) -> Homes:
    """Find the dwelling of each row by its address; a door that a known building does not have yet is made.

    An address that names a building and no door is ambiguous: that one door is known does not mean that there is no
    other. Without ``make`` a door that is not there is not found.
    """
    addresses = [address(batch, at) for at in range(batch.count)]
    homes = Homes([None] * batch.count, [None] * batch.count, [None] * batch.count, [None] * batch.count)
    rows = [at for at, text in enumerate(addresses) if text]
    found = locating.match_addresses(batch.session, batch.community, [addresses[at] for at in rows]) if rows else []
    fresh: dict[tuple[int, str | None, str], list[int]] = {}
    for at, match in zip(rows, found, strict=True):
        homes.reason[at] = match.reason
        if match.building_id is None:
            continue
        dwelling_id = match.dwelling_id
        if match.room is None:
            homes.reason[at] = UnlocatedReason.AMBIGUOUS.value
            continue
        if dwelling_id is None and not make:
            homes.reason[at] = UnlocatedReason.NO_SUCH_BUILDING.value
            continue
        if dwelling_id is None:
            fresh.setdefault((match.building_id, match.unit, match.room), []).append(at)
        homes.dwelling_id[at], homes.by[at], homes.score[at] = dwelling_id, LocatedBy.ADDRESS.value, match.score
        if batch.geometries[at] is None:
            batch.geometries[at] = match.point
    for at, text in enumerate(addresses):
        if not text:
            homes.reason[at] = UnlocatedReason.NO_PLACE.value
    for dwelling_id, places in zip(_make(batch, fresh), fresh.values(), strict=True):
        for at in places:
            homes.dwelling_id[at] = dwelling_id
    if make:
        _update(batch, homes, {at for places in fresh.values() for at in places})
    return homes


def address(batch: Batch, at: int) -> str | None:
    """What a row is located by: its address, or the building, unit and room it names in columns of their own."""
    building, unit, room, dwelling = (batch.column(name)[at] for name in ("building", "unit", "room", "dwelling"))
    if building is None and room is None and dwelling is None:
        whole: str | None = batch.column("address")[at]
        return whole
    marked = [_marked(building, "号楼")] if building else []
    marked += [dwelling] if dwelling else [_marked(unit, "单元"), _marked(room, "室")]
    text = "".join(part for part in marked if part)
    # Columns that name only the door go with an address that names the building.
    before = batch.column("address")[at] if building is None else None
    return f"{before or ''}{text}"


def _marked(part: str | None, mark: str) -> str | None:
    return f"{part}{mark}" if part and re.fullmatch(r"[0-9A-Za-z]+", part) else part


def _make(batch: Batch, fresh: dict[tuple[int, str | None, str], list[int]]) -> list[int]:
    """Make dwellings; returns their ids in order."""
    table: Any = Dwelling.__table__
    ids = bulk.reserve_ids(batch.session, table, len(fresh))
    if not fresh:
        return ids
    first = [places[0] for places in fresh.values()]
    columns: dict[str, bulk.Values] = {
        "id": ids,
        "community_id": bulk.Same(batch.community.id),
        "building_id": [building for building, _unit, _room in fresh],
        "unit": [unit for _building, unit, _room in fresh],
        "room": [room for _building, _unit, room in fresh],
        "floor": [batch.column("floor")[at] or _floor(room) for at, (_b, _u, room) in zip(first, fresh, strict=True)],
        "use": [batch.column("use")[at] for at in first],
        "area_m2": [batch.column("area_m2")[at] for at in first],
    }
    bulk.load(batch.session, table, columns)
    return ids


def _floor(room: str) -> int | None:
    """The floor that a room number tells: 501 and 1203 begin with it.

    >>> _floor("501"), _floor("1203"), _floor("3")
    (5, 12, None)
    """
    found = re.fullmatch(r"(\d{1,2})\d{2}", room)
    return int(found[1]) if found else None


def _update(batch: Batch, homes: Homes, made: set[int]) -> None:
    """Bring use and floor area of dwellings that were there already."""
    names = [name for name in ("use", "area_m2", "floor") if batch.has(name)]
    rows = {homes.dwelling_id[at]: at for at in range(batch.count) if homes.dwelling_id[at] and at not in made}
    if not names or not rows:
        return
    table: Any = Dwelling.__table__
    columns: dict[str, bulk.Values] = {"id": [*rows]}
    columns |= {name: [batch.column(name)[at] for at in rows.values()] for name in names}
    bulk.merge(batch.session, batch.actor, table, columns, key=("id",))
