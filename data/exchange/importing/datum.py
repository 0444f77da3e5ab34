"""The datum guard: a file whose shapes fit the known community clearly better after a GCJ-02 or BD-09 shift stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import grids, units
from data.base.errors import Conflict
from data.base.language import _
from data.exchange.importing.batch import Batch
from data.files import remedies
from data.files.columns import Kind

if TYPE_CHECKING:
    from spatial.datums import Reference

Geometries = NDArray[np.object_]

#: As many roads and footprints tell enough; the nearest to the file are taken.
_MOST = 20_000
#: How far around the file known features may say something (degrees): a shift is at most some 1.5 km.
_REACH = 0.02


#: What the evidence of ``spatial.datums.guess_datum`` is called.
_EVIDENCE = {
    "areas": "grids",
    "roads": "roads",
    "buildings": "buildings",
    "outlines": "outlines of the same name",
    "overlaps": "ground between buildings",
}


class DatumDoubt(Conflict):
    """The coordinates seem to be on another datum than the file says; saying the system settles it."""


def guard(batch: Batch, kind: Kind) -> None:
    """Stop when shapes (EPSG:4326, as the file says) are likely GCJ-02 or BD-09.

    Raises
    ------
    DatumDoubt
    """
    session, community, geometries = batch.session, batch.community, batch.geometries
    usable = geometries[~shapely.is_missing(geometries) & ~shapely.is_empty(geometries)]
    if not len(usable):
        return
    from spatial import datums

    bounds = shapely.total_bounds(usable)
    if not datums.in_offset_area(bounds[[0, 2]], bounds[[1, 3]]).any():
        return
    known = _known(session, community, bounds)
    # Grids, streets and cases lie on buildings as they like.
    between = kind == Kind.BUILDINGS
    verdict = datums.guess_datum(geometries, known, _replaced(batch, kind), between=between)
    best, as_it_stands = verdict.clearly_better, datums.Datum.WGS84
    if best is None:
        return
    gains = {kind: shares[best] - shares[as_it_stands] for kind, shares in verdict.evidence.items()}
    evidence = max(gains, key=lambda each: gains[each])
    shares = verdict.evidence[evidence]
    raise DatumDoubt(
        _(
            "The coordinates look like {datum}: {after:.0%} of the shapes fit the known {evidence} after the shift, "
            "{before:.0%} as they stand. {remedy}",
            datum=best,
            before=shares[as_it_stands],
            after=shares[best],
            evidence=_(_EVIDENCE[evidence]),
            remedy=remedies.settle_datum(best),
        ),
        datum=best.value,
        evidence=str(evidence),
        before=shares[as_it_stands],
        after=shares[best],
    )


def _replaced(batch: Batch, kind: Kind) -> Geometries | None:
    """For each row the boundary or footprint that is there under its code, number or name."""
    held: dict[str, Any] = {}
    if kind == Kind.GRIDS:
        shapes = grids.shapes(batch.session, batch.community.id)
        query = select(units.Unit).where(units.Unit.id.in_(shapes))
        for unit in batch.session.scalars(query):
            held |= {unit.name: shapes[unit.id], unit.code: shapes[unit.id]}
    elif kind == Kind.BUILDINGS:
        rows = batch.session.execute(
            text(
                "SELECT code, ST_AsBinary(geom) FROM building WHERE community_id = :community "
                "AND GeometryType(geom) IN ('POLYGON', 'MULTIPOLYGON')"
            ),
            {"community": batch.community.id},
        )
        held = {code: shapely.from_wkb(bytes(shape)) for code, shape in rows}
    if not held:
        return None
    keys = zip(*(batch.column(name) for name in ("code", "number", "name")), strict=True)
    replaced = [next((held[key] for key in row if key in held), None) for row in keys]
    return np.array(replaced, dtype=object)


def _known(session: Session, community: units.Unit, bounds: NDArray[np.float64]) -> Reference:
    """What is known around the file: grids, roads, footprints (EPSG:4326)."""
    from spatial.datums import Reference

    west, south, east, north = (float(edge) for edge in bounds + np.array([-_REACH, -_REACH, _REACH, _REACH]))

    def near(query: str) -> Geometries:
        shapes = session.scalars(
            text(f"{query} AND geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) LIMIT :most"),
            {
                "community": community.id,
                "west": west,
                "south": south,
                "east": east,
                "north": north,
                "most": _MOST,
            },
        )
        return np.array([shapely.from_wkb(bytes(one)) for one in shapes], dtype=object)

    return Reference(
        areas=np.array([*grids.shapes(session, community.id).values()], dtype=object),
        roads=near(
            "SELECT ST_AsBinary(geom) FROM basemap WHERE community_id = :community AND kind = 'road' "
            "AND GeometryType(geom) IN ('LINESTRING', 'MULTILINESTRING')"
        ),
        buildings=near(
            "SELECT ST_AsBinary(geom) FROM building WHERE community_id = :community "
            "AND GeometryType(geom) IN ('POLYGON', 'MULTIPOLYGON')"
        ),
    )
