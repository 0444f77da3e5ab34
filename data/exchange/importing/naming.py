"""Addresses of known buildings: a building can have several, and a point with an address can be one more of them.

A point never takes a footprint's place. With the code of a building that has one it brings attributes only; with a code
of its own, on a footprint or a step outside, it is no second building but gives that one its address.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from sqlalchemy import text

from data.base import bulk, texts
from data.base.language import _
from data.buildings import Building
from data.exchange.importing.batch import Batch
from data.files import columns
from data.grids import LocatedBy
from data.locating import SEPARATOR

#: A point this near to a footprint is at it: entrances are mapped on the edge, or a step outside.
AT_MOST_M = 15.0


def name_footprints(batch: Batch) -> list[int]:
    """Bring the batch's addresses to known buildings; points that are no building of their own leave the batch.

    Returns
    -------
    list of int
        The positions of points that are known buildings with a footprint.
    """
    known = batch.session.execute(
        text(
            "SELECT id, code, address, GeometryType(geom) <> 'POINT' AS drawn FROM building "
            "WHERE community_id = :community ORDER BY id"
        ),
        {"community": batch.community.id},
    ).all()
    by_code = {row.code: row for row in known}
    listed = {row.id: row.address.split(SEPARATOR) if row.address else [] for row in known}
    is_point = (shapely.get_type_id(batch.geometries) == shapely.GeometryType.POINT).tolist()
    codes, addresses = batch.column("code"), list(batch.column("address"))
    own = [at for at in range(batch.count) if is_point[at] and addresses[at] and codes[at] not in by_code]
    gone = _give_away(batch, np.array(own, dtype=np.int64), listed, {row.id for row in known if row.drawn})
    drawn, full = [], []
    for at, code in enumerate(codes):
        row = by_code.get(code)
        if row is None:
            continue
        if row.drawn and is_point[at]:
            drawn.append(at)
            if addresses[at] and addresses[at] not in listed[row.id] and not _add(listed[row.id], addresses[at]):
                full.append(at)
        if addresses[at] in listed[row.id]:
            addresses[at] = SEPARATOR.join(listed[row.id])
    if batch.has("address"):
        for at in full:
            addresses[at] = None
        batch.values["address"] = addresses
        _tell_full(batch, full)
    stay = np.setdiff1d(np.arange(batch.count), gone)
    if len(gone):
        batch.keep(stay)
    return [int(at) for at in np.searchsorted(stay, drawn)]


def _give_away(
    batch: Batch, at: np.ndarray[Any, np.dtype[np.int64]], listed: dict[int, list[str]], drawn: set[int]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Give the addresses of points (at positions ``at``) to the footprints they are on; returns which were."""
    if not len(at) or not drawn:
        return at[:0]
    from spatial import locating

    rows = batch.session.execute(
        text("SELECT id, ST_AsBinary(geom) AS geom FROM building WHERE id = ANY(:ids) ORDER BY id"), {"ids": [*drawn]}
    ).all()
    outlines = shapely.from_wkb([bytes(row.geom) for row in rows])
    nearest, distance_m = locating.nearest(batch.geometries[at], outlines, AT_MOST_M, batch.community.metric_crs)
    addresses, new, changed, full = batch.column("address"), 0, {}, []
    for place in np.flatnonzero(nearest >= 0).tolist():
        building, address = rows[nearest[place]].id, addresses[at[place]]
        if address in listed[building]:
            continue
        if _add(listed[building], address):
            changed[building] = SEPARATOR.join(listed[building])
            new += 1
        else:
            full.append(int(at[place]))
    covered = at[nearest >= 0]
    table: Any = Building.__table__
    bulk.merge(batch.session, batch.actor, table, {"id": [*changed], "address": [*changed.values()]}, key=("id",))
    batch.report.updated += new
    batch.report.unchanged += len(covered) - new
    inside = int((distance_m[nearest >= 0] == 0).sum())
    batch.count_located({LocatedBy.POINT: inside, LocatedBy.NEAREST: len(covered) - inside})
    batch.report.notes.append(
        _("{count} address points gave their address to the building they are on.", count=len(covered) - len(full))
    )
    _tell_full(batch, full)
    return covered


def _add(listed: list[str], address: str) -> bool:
    """Add an address to those of a building, if all of them together can be kept; tells whether it did."""
    fits = len(SEPARATOR.join([*listed, address])) <= texts.LINE
    if fits:
        listed.append(address)
    return fits


def _tell_full(batch: Batch, positions: list[int]) -> None:
    """Note the rows whose address its building could not take any more."""
    if positions:
        batch.report.notes.append(
            _(
                "Some buildings have more addresses than can be kept ({most} characters); those of these rows were "
                "left out: {rows}.",
                most=texts.LINE,
                rows=columns.listed([batch.rows[at] for at in positions]),
            )
        )
