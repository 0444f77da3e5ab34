"""Buildings from files: footprints, points, or addresses alone; and address points that name known footprints."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from data import locating
from data.base import bulk
from data.base.language import _
from data.buildings import Building
from data.exchange.importing import naming, shapes
from data.exchange.importing.batch import Batch, points_of

PLACE = bulk.Place(
    given=("geom",),
    columns=("geom", "point", "grid_id", "located_by", "located_score", "unlocated_reason"),
    follows=("point", "located_score"),
)


def load(batch: Batch) -> None:
    """Bring a batch of buildings in."""
    shapes.simplify_collections(batch)
    shapes.close_lines(batch)
    shapes.require(batch, shapes.AREAS | {"Point"}, _("an area or a point"))
    shapes.repair(batch)
    _address(batch)
    batch.values["code"] = _codes(batch)
    _reject_nameless(batch)
    batch.reject_repeated(batch.column("code"), lambda at: _("The building {code}", code=batch.column("code")[at]))
    batch.settle()
    first = batch.is_first_load("building")
    drawn = [] if first else naming.name_footprints(batch)
    batch.begin("Locating")
    points = points_of(batch.geometries)
    located = locating.by_points(batch.session, batch.community, points)
    batch.count_places(located)
    batch.geometries[drawn] = points[drawn] = None
    batch.begin("Writing")
    names = ("number", "name", "address", "kind", "floors", "unit_count")
    placed = located.columns()
    del placed["building_id"]
    columns: dict[str, bulk.Values] = {
        "community_id": bulk.Same(batch.community.id),
        "code": batch.column("code"),
        **{name: batch.values[name] for name in names if batch.has(name)},
        "geom": bulk.wkb(batch.geometries),
        "point": bulk.wkb(points),
        **placed,
    }
    table: Any = Building.__table__
    if first:
        with bulk.suspended(batch.session, table, batch.count):
            bulk.load(batch.session, table, columns, told=batch.told)
        batch.report.new += batch.count
    else:
        key = ("community_id", "code")
        batch.count_merged(
            bulk.merge(batch.session, batch.actor, table, columns, key=key, place=PLACE, told=batch.told)
        )


def _address(batch: Batch) -> None:
    """Put the address together where street and number stand in columns of their own."""
    if not batch.has("street"):
        return
    addresses = list(batch.column("address"))
    for at, (street, number) in enumerate(zip(batch.column("street"), batch.column("number"), strict=True)):
        if addresses[at] is None and street is not None:
            if street.isascii():
                addresses[at] = f"{number} {street}" if number else street
            else:
                addresses[at] = f"{street}{number or ''}" + ("号" if number and number[-1].isdigit() else "")
    batch.values["address"] = addresses


def _reject_nameless(batch: Batch) -> None:
    """Reject rows that say nothing by which to know the building."""
    said = zip(*(batch.column(name) for name in ("number", "name", "address")), batch.geometries, strict=True)
    for at, words in enumerate(said):
        if batch.column("code")[at].startswith("f-") and all(word is None for word in words):
            batch.reject(at, _("The row has neither a name nor a place."), _("Fill one in, or delete the row."))


def _codes(batch: Batch) -> Sequence[str]:
    """The natural key of each building: its code, else its number, name or address where the file keeps them apart.

    A building with none of these is known by its shape, so that the same file names it the same every time.
    """
    codes = batch.column("code")
    if all(code is not None for code in codes):
        return codes
    if not batch.has("code"):
        for name in ("number", "name", "address"):
            found = batch.column(name)
            if None not in found and len(set(found)) == batch.count:
                return found
    said = zip(*(batch.column(name) for name in ("number", "name", "address")), strict=True)
    drawn = shapes.outlines(batch.geometries)
    return [
        code or f"f-{hashlib.sha256(repr(words).encode() + (shape or b'')).hexdigest()[:12]}"
        for code, words, shape in zip(codes, said, drawn, strict=True)
    ]
