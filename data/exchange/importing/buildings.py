"""Buildings from files: footprints, points, or addresses alone; and address points that name known footprints."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data import locating
from data.base import bulk
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building, BuildingKind
from data.exchange.importing import naming, shapes
from data.exchange.importing.batch import Batch, points_of
from data.files.values import is_empty

#: Keys of OpenStreetMap for what is no building.
_GROUND = frozenset({"landuse", "natural", "water", "waterway", "leisure", "boundary", "highway", "railway", "place"})
#: Columns that tell the kind of a feature, where a file is not of OpenStreetMap's own keys.
_KINDS = frozenset(
    {"kind", "kind_detail", "fclass", "class", "type", "landuse", "natural", "highway", "类型", "用地类型"}
)
#: What only ground is called, in OpenStreetMap's words and in those of plans.
_GROUND_WORDS = frozenset(
    [
        "grass",
        "park",
        "wood",
        "forest",
        "meadow",
        "scrub",
        "heath",
        "orchard",
        "vineyard",
        "farmland",
        "allotments",
        "cemetery",
        "garden",
        "pitch",
        "playground",
        "recreation_ground",
        "village_green",
        "nature_reserve",
        "golf_course",
        "beach",
        "wetland",
        "water",
        "river",
        "riverbank",
        "stream",
        "canal",
        "lake",
        "pond",
        "reservoir",
        "basin",
        "pier",
        "wall",
        "pedestrian",
        "footway",
        "path",
        "steps",
        "cycleway",
        "brownfield",
        "greenfield",
        "landfill",
        "quarry",
        "绿地",
        "公园",
        "草地",
        "林地",
        "水域",
        "水体",
        "河流",
        "湖泊",
        "道路",
        "耕地",
        "农田",
        "住宅用地",
        "商业用地",
        "工业用地",
        "公共用地",
    ]
)
#: What both a building and the ground around it can be called.
_EITHER_WORDS = frozenset(
    ["residential", "commercial", "retail", "industrial", "farmyard", "military", "religious", "education"]
)
PLACE = bulk.Place(
    given=("geom",),
    columns=("geom", "point", "grid_id", "located_by", "located_score", "unlocated_reason"),
    follows=("point", "located_score"),
)
#: Where the fields of a file are kept.
TABLES = (Building,)


def load(batch: Batch) -> None:
    """Bring a batch of buildings in."""
    shapes.simplify_collections(batch)
    shapes.close_lines(batch)
    shapes.require(batch, shapes.AREAS | {"Point"}, _("an area or a point"))
    shapes.repair(batch)
    _leave_ground(batch)
    _address(batch)
    batch.values["code"] = _codes(batch)
    _reject_nameless(batch)
    batch.reject_repeated(batch.column("code"), lambda at: _("The building {code}", code=batch.column("code")[at]))
    batch.settle()
    first = batch.is_first_load("building")
    defaults = _unknown(batch)
    drawn = [] if first else naming.name_footprints(batch)
    if not first:
        shapes.keep_held(batch, "building", batch.column("code"))
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
            bulk.load(batch.session, table, columns, defaults=defaults, progress=batch.told)
        batch.report.new += batch.count
    else:
        key = ("community_id", "code")
        batch.count_merged(
            bulk.merge(
                batch.session, batch.actor, table, columns, key=key, place=PLACE, defaults=defaults, progress=batch.told
            )
        )


def _leave_ground(batch: Batch) -> None:
    """Leave out what the file says is ground (a wood, a lake, a street) and not that it is a building.

    Raises
    ------
    Invalid
        Nothing else is in the file.
    """
    if not batch.count:
        return
    names = set(batch.original(0))
    rows = [batch.original(at) for at in range(batch.count)]
    if "building" in names:
        keys = sorted(_GROUND & names)
        ground = np.array([is_empty(row["building"]) and not all(is_empty(row[key]) for key in keys) for row in rows])
    else:
        ground = _of_ground(rows, sorted(names & _KINDS))
    if not ground.any():
        return
    said = _(
        "{count} shapes are ground (such as landuse or water) and no buildings; they were left out. Import them as "
        "basemap.",
        count=int(ground.sum()),
    )
    if ground.all():
        raise Invalid(said)
    batch.report.notes.append(said)
    kept = np.flatnonzero(~ground)
    order = {int(at): place for place, at in enumerate(kept)}
    rejected = {order[at]: reject for at, reject in batch.rejected.items() if at in order}
    batch.keep(kept)
    batch.rejected = rejected


def _of_ground(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows have a kind that only ground has; where many have, also those whose kind can be either."""
    words = [{str(row[name]).strip().casefold() for name in names if not is_empty(row[name])} for row in rows]
    surely: NDArray[np.bool_] = np.array([not each.isdisjoint(_GROUND_WORDS) for each in words], dtype=bool)
    said = sum(map(bool, words))
    if surely.sum() * 4 < said:
        return surely
    either: NDArray[np.bool_] = np.array([not each.isdisjoint(_EITHER_WORDS) for each in words], dtype=bool)
    return np.logical_or(surely, either)


def _unknown(batch: Batch) -> dict[str, str]:
    """What new buildings of no known kind are: not homes, where the file tells kinds at all; and say how many.

    That a file does not know a kind changes none that is known here.
    """
    if not batch.has("kind"):
        return {}
    kinds = [None if kind == "unknown" else kind for kind in batch.column("kind")]
    batch.values["kind"] = kinds
    if None in kinds:
        batch.report.notes.append(
            _(
                "{count} buildings are of no stated kind (empty, or only “yes”); new ones count as other, not as "
                "homes.",
                count=kinds.count(None),
            )
        )
    return {"kind": BuildingKind.OTHER.value}


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
