"""The ground from files: roads, greens, water, walls, places. Pieces of one feature that a map tile cut keep apart."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import shapely

from data.base import bulk
from data.base.language import _
from data.basemaps import Basemap, GroundKind
from data.exchange.importing import shapes
from data.exchange.importing.batch import Batch

#: What a feature is when neither the file nor its kind of road says: by the dimension of its shape.
_BY_DIMENSION = {0: GroundKind.POI, 1: GroundKind.ROAD, 2: GroundKind.LANDUSE}


def load(batch: Batch) -> None:
    """Bring a batch of ground in."""
    shapes.simplify_collections(batch)
    shapes.require(
        batch, shapes.AREAS | shapes.LINES | shapes.POINTS, _("an area, a line or a point"), missing_too=True
    )
    shapes.repair(batch)
    batch.settle()
    batch.progress("Writing", 0, batch.count)
    columns: dict[str, bulk.Values] = {
        "community_id": bulk.Same(batch.community.id),
        "code": _codes(batch),
        "kind": _kinds(batch),
        **{name: batch.values[name] for name in ("name", "width_m") if batch.has(name)},
        "geom": bulk.wkb(batch.geometries),
    }
    table: Any = Basemap.__table__
    if batch.is_first_load("basemap"):
        with bulk.suspended(batch.session, table, batch.count):
            bulk.load(batch.session, table, columns)
        batch.report.new += batch.count
    else:
        merged = bulk.merge(batch.session, batch.actor, table, columns, key=("community_id", "code"))
        batch.count_merged(merged)


def _codes(batch: Batch) -> list[str]:
    """The natural key: the source's id, and which piece with this id it is; without an id it follows from the shape."""
    drawn = shapely.to_wkb(shapely.set_precision(batch.geometries, 1e-7, mode="pointwise"))
    pieces: dict[str, int] = {}
    codes = []
    for code, shape in zip(batch.column("code"), drawn, strict=True):
        own = code or f"f-{hashlib.sha256(shape).hexdigest()[:12]}"
        pieces[own] = pieces.get(own, 0) + 1
        codes.append(own if pieces[own] == 1 else f"{own}#{pieces[own]}")
    return codes


def _kinds(batch: Batch) -> list[str]:
    dimensions = np.asarray(shapely.get_dimensions(batch.geometries)).tolist()
    said = zip(batch.column("kind"), batch.column("highway"), dimensions, strict=True)
    return [str(kind or highway or _BY_DIMENSION[dimension]) for kind, highway, dimension in said]
