"""Doors: the dwelling that each row of a file means, and the dwellings that are not there yet."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from sqlalchemy import text

from data import buildings, locating
from data.base import bulk
from data.base.language import _
from data.buildings import Dwelling
from data.exchange.importing.batch import Batch
from data.files import columns as fields_of
from data.grids import LocatedBy, UnlocatedReason
from spatial.addresses import parse

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
    estates = not batch.has("estate") or locating.names_places(batch.session, batch.community)
    given_addresses = addresses(batch, estates=estates)
    if not estates:
        batch.report.notes.append(
            _("The buildings of this community name no estate, so the column of estates was not compared.")
        )
    homes = Homes([None] * batch.count, [None] * batch.count, [None] * batch.count, [None] * batch.count)
    rows = [at for at, given in enumerate(given_addresses) if given]
    found = (
        locating.match_addresses(batch.session, batch.community, [given_addresses[at] for at in rows]) if rows else []
    )
    fresh: dict[tuple[int, str | None, str], list[int]] = {}
    tell_rest(batch, {at: match.rest for at, match in zip(rows, found, strict=True) if match.rest})
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
    for at, given in enumerate(given_addresses):
        if not given:
            homes.reason[at] = UnlocatedReason.NO_PLACE.value
    for dwelling_id, places in zip(_make(batch, fresh), fresh.values(), strict=True):
        for at in places:
            homes.dwelling_id[at] = dwelling_id
    if make:
        _update(batch, homes, {at for places in fresh.values() for at in places})
    return homes


_PARTS = ("address", "estate", "building", "unit", "room", "dwelling")


def addresses(batch: Batch, *, estates: bool = True) -> list[str | None]:
    """What each row is located by: its address, or the building, unit and room it names in columns of their own.

    Without ``estates`` the column of estates is left aside.
    """
    if not batch.has(*_PARTS[1:]):
        return list(batch.column("address"))
    columns = (batch.column(name) if name != "estate" or estates else repeat(None, batch.count) for name in _PARTS)
    return [_put_together(*parts) for parts in zip(*columns, strict=True)]


def address(batch: Batch, at: int) -> str | None:
    """What one row is located by."""
    return _put_together(*(batch.column(name)[at] for name in _PARTS))


def _put_together(
    whole: str | None,
    estate: str | None,
    building: str | None,
    unit: str | None,
    room: str | None,
    dwelling: str | None,
) -> str | None:
    if building is None and room is None and dwelling is None:
        # An address that names its street or its estate needs no other.
        stated = parse(whole) if whole and estate else None
        return f"{estate}{whole}" if stated and stated.street is None and stated.place is None else whole
    marked = [_marked(building, "号楼")] if building else []
    marked += [dwelling] if dwelling else [_marked(unit, "单元"), _marked(room, "室")]
    text = "".join(part for part in marked if part)
    # Columns that name only the door go with an address that names the building, or only the street or estate.
    if building is None:
        before = whole
    else:
        stated = parse(whole) if whole else None
        numbered = stated and (stated.building or stated.house_number or stated.room or stated.rest)
        before = estate or (whole if stated and not numbered else None)
    return f"{before or ''}{text}"


def tell_impossible(batch: Batch, homes: Homes, household_ids: Sequence[int]) -> None:
    """Note households in a dwelling where another one lives, and rooms above the highest floor of their building."""
    dwellings = {each for each in homes.dwelling_id if each is not None}
    living: dict[int, set[int]] = {}
    for dwelling_id, household_id in zip(homes.dwelling_id, household_ids, strict=True):
        if dwelling_id is not None:
            living.setdefault(dwelling_id, set()).add(household_id)
    query = text("SELECT id, dwelling_id FROM household WHERE dwelling_id = ANY(:ids) AND NOT id = ANY(:these)")
    for row in batch.session.execute(query, {"ids": [*dwellings], "these": [*household_ids]}) if dwellings else ():
        living[row.dwelling_id].add(row.id)
    query = text(
        "SELECT d.id, d.room, b.floors FROM dwelling d JOIN building b ON b.id = d.building_id "
        "WHERE d.id = ANY(:ids) AND b.floors IS NOT NULL"
    )
    doors = batch.session.execute(query, {"ids": [*dwellings]}) if dwellings else ()
    high = {row.id for row in doors if (buildings.floor_in(row.room) or 0) > row.floors}
    shared = [batch.rows[at] for at, each in enumerate(homes.dwelling_id) if each and len(living[each]) > 1]
    above = [batch.rows[at] for at, each in enumerate(homes.dwelling_id) if each in high]
    if shared:
        batch.report.notes.append(
            _("Several households live in one dwelling; check the rows {rows}.", rows=fields_of.listed(shared))
        )
    if above:
        batch.report.notes.append(
            _("Rooms above the highest floor of their building; check the rows {rows}.", rows=fields_of.listed(above))
        )


def tell_emptied(
    batch: Batch, table: str, ids: Sequence[int], fields: Mapping[str, Sequence[Any]], *, known: Collection[int]
) -> None:
    """Note which records lose what they hold because the file has the column and the cell is empty.

    ``fields`` are columns of ``table``, their values one a row; ``ids`` those of the rows, some of them ``known``.
    """
    if not fields or not known:
        return
    held = ", ".join(f'"{name}" IS NOT NULL AS "{name}"' for name in fields)
    query = text(f'SELECT id, {held} FROM "{table}" WHERE id = ANY(:ids)')  # noqa: S608 - names of our own columns
    there = {row.id: row for row in batch.session.execute(query, {"ids": [*known]})}
    for name, values in fields.items():
        rows = [
            batch.rows[at]
            for at, (record, value) in enumerate(zip(ids, values, strict=True))
            if value is None and record in there and getattr(there[record], name)
        ]
        if rows:
            label = fields_of.field("households" if table == "household" else "residents", name).label
            batch.report.notes.append(
                _(
                    "“{label}” is empty in the file and is emptied in records that held one; rows {rows}. Leave the "
                    "column out to keep it.",
                    label=label,
                    rows=fields_of.listed(rows),
                )
            )


def tell_rest(batch: Batch, rests: Mapping[int, str]) -> None:
    """Note what of addresses was not understood, by part; ``rests`` is by position."""
    parts: dict[str, list[int]] = {}
    for at, rest in rests.items():
        parts.setdefault(rest[:20], []).append(batch.rows[at])
    if parts:
        listed = "; ".join(f"“{part}” ({fields_of.listed(at)})" for part, at in list(parts.items())[:10])
        if len(parts) > 10:
            listed += f" … ({len(parts)})"
        batch.report.notes.append(
            _("Parts of addresses that were not understood, with their rows: {parts}.", parts=listed)
        )


def _marked(part: str | None, mark: str) -> str | None:
    if part and mark == "室" and re.fullmatch(r"-\d+", part):
        return f"负{part[1:]}"
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
        "floor": [
            batch.column("floor")[at] or buildings.floor_in(room)
            for at, (_b, _u, room) in zip(first, fresh, strict=True)
        ],
        "use": [batch.column("use")[at] for at in first],
        "area_m2": [batch.column("area_m2")[at] for at in first],
    }
    bulk.load(batch.session, table, columns)
    return ids


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
