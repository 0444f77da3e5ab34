"""The datum guard: a file whose shapes fit the known community clearly better after a GCJ-02 or BD-09 shift stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import grids, units
from data.base.errors import Conflict
from data.base.language import _
from data.exchange import remedies

if TYPE_CHECKING:
    from spatial.datums import Reference

Geometries = NDArray[np.object_]

#: As many roads and footprints tell enough; the nearest to the file are taken.
_MOST = 20_000
#: How far around the file known features may say something (degrees): a shift is at most some 1.5 km.
_REACH = 0.02


#: What the evidence of ``spatial.datums.guess_datum`` is called.
_EVIDENCE = {"areas": "grids", "roads": "roads", "buildings": "buildings"}


class DatumDoubt(Conflict):
    """The coordinates seem to be on another datum than the file says; saying the system settles it."""


def guard(session: Session, community: units.Unit, geometries: Geometries) -> None:
    """Stop when shapes (EPSG:4326, as the file says) are likely GCJ-02 or BD-09.

    Raises
    ------
    DatumDoubt
    """
    usable = geometries[~shapely.is_missing(geometries) & ~shapely.is_empty(geometries)]
    if not len(usable):
        return
    from spatial import datums

    bounds = shapely.total_bounds(usable)
    if not datums.in_offset_area(bounds[[0, 2]], bounds[[1, 3]]).any():
        return
    verdict = datums.guess_datum(usable, _known(session, community, bounds))
    best, as_it_stands = verdict.clearly_better, datums.Datum.WGS84
    if best is None:
        return
    gains = {kind: shares[best] - shares[as_it_stands] for kind, shares in verdict.evidence.items()}
    kind = max(gains, key=lambda each: gains[each])
    shares = verdict.evidence[kind]
    raise DatumDoubt(
        _(
            "The coordinates look like {datum}: {after:.0%} of the shapes fit the known {evidence} after the shift, "
            "{before:.0%} as they stand. {remedy}",
            datum=best, before=shares[as_it_stands], after=shares[best], evidence=_(_EVIDENCE[kind]),
            remedy=remedies.settle_datum(best),
        ),
        datum=best.value, evidence=str(kind), before=shares[as_it_stands], after=shares[best],
    )  # fmt: skip


def _known(session: Session, community: units.Unit, bounds: NDArray[np.float64]) -> Reference:
    """What is known around the file: grids, roads, footprints (EPSG:4326)."""
    from spatial.datums import Reference

    west, south, east, north = (float(edge) for edge in bounds + np.array([-_REACH, -_REACH, _REACH, _REACH]))

    def near(query: str) -> Geometries:
        found = session.scalars(
            text(f"{query} AND geom && ST_MakeEnvelope(:west, :south, :east, :north, 4326) LIMIT :most"),
            {
                "community": community.id, "west": west, "south": south, "east": east, "north": north, "most": _MOST,
            },
        )  # fmt: skip
        return np.array([shapely.from_wkb(bytes(one)) for one in found], dtype=object)

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
