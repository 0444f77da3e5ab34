"""The ground from files: roads, greens, water, walls, places. Pieces of one feature that a map tile cut keep apart."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import shapely

from data import coverage
from data.base import bulk
from data.base.language import _
from data.basemaps import Basemap, GroundKind
from data.exchange.importing import shapes
from data.exchange.importing.batch import Batch

_DIMENSIONS = ("point", "line", "area")
#: What a feature is when neither the file nor its kind of road says: by the dimension of its shape.
_BY_DIMENSION = {0: GroundKind.POI, 1: GroundKind.ROAD, 2: GroundKind.LANDUSE}
#: Where the fields of a file are kept.
TABLES = (Basemap,)


def load(batch: Batch) -> None:
    """Bring a batch of ground in."""
    shapes.simplify_collections(batch)
    shapes.require(
        batch, shapes.AREAS | shapes.LINES | shapes.POINTS, _("an area, a line or a point"), missing_too=True
    )
    shapes.repair(batch)
    batch.settle()
    batch.begin("Writing")
    kinds = _kinds(batch)
    codes = _codes(batch, kinds)
    first = batch.is_first_load("basemap")
    if not first:
        shapes.keep_held(batch, "basemap", codes)
    columns: dict[str, bulk.Values] = {
        "community_id": bulk.Same(batch.community.id),
        "code": codes,
        "kind": kinds,
        **{name: batch.values[name] for name in ("name", "width_m") if batch.has(name)},
        "geom": bulk.wkb(batch.geometries),
    }
    table: Any = Basemap.__table__
    if first:
        with bulk.suspended(batch.session, table, batch.count):
            bulk.load(batch.session, table, columns, progress=batch.told)
        batch.report.new += batch.count
    else:
        key = ("community_id", "code")
        batch.count_merged(bulk.merge(batch.session, batch.actor, table, columns, key=key, progress=batch.told))
    # What patrols saw of streets is told by pieces of these roads.
    if coverage.split(batch.session, batch.community):
        coverage.follow(batch.session, batch.community.id)


def _codes(batch: Batch, kinds: list[str]) -> list[str]:
    """The natural key: what it is, the source's id, and which piece with this id it is.

    Files number their features each for itself, and OpenStreetMap's path and the square around it share an id; so kind
    and dimension are part of the key. Without an id it follows from the shape.
    """
    drawn = shapes.outlines(batch.geometries)
    dimensions = np.asarray(shapely.get_dimensions(batch.geometries)).tolist()
    pieces: dict[str, int] = {}
    codes = []
    for code, kind, dimension, shape in zip(batch.column("code"), kinds, dimensions, drawn, strict=True):
        own = code or f"f-{hashlib.sha256(shape or b'').hexdigest()[:12]}"
        key = f"{kind}:{_DIMENSIONS[dimension]}:{own}"
        pieces[key] = pieces.get(key, 0) + 1
        codes.append(key if pieces[key] == 1 else f"{key}#{pieces[key]}")
    return codes


def _kinds(batch: Batch) -> list[str]:
    dimensions = np.asarray(shapely.get_dimensions(batch.geometries)).tolist()
    said = zip(batch.column("kind"), batch.column("highway"), dimensions, strict=True)
    return [str(kind or highway or _BY_DIMENSION[dimension]) for kind, highway, dimension in said]
