"""Pieces of street: the roads and paths of the base map within a community, taken apart into at most 50 m each."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from data import grids, units
from data.base import db
from data.basemaps import Basemap, GroundKind
from data.coverage.tables import Kind, StreetSegment

#: The longest piece of a street, in metres.
LONGEST_M = 50.0
#: A street along the edge of a grid belongs to it up to this far outside, in metres.
BESIDE_M = 20.0
#: Shorter leftovers at the community's edge are no streets, in metres.
SHORTEST_M = 2.0


def split(session: Session, community: units.Unit) -> bool:
    """Make the pieces of street of a community from its base map; those that did not change keep their ids.

    Tells whether any changed. What patrols saw of pieces that are gone goes with them; ``recording.recompute`` tells
    what they saw of new ones.
    """
    with db.everywhere(session):
        made = _pieces(session, community)
        there = {
            row.code: (row.id, bytes(row.wkb), row.grid_id, row.name)
            for row in session.execute(
                select(
                    StreetSegment.id,
                    StreetSegment.code,
                    StreetSegment.grid_id,
                    StreetSegment.name,
                    func.ST_AsBinary(StreetSegment.geom).label("wkb"),
                ).where(StreetSegment.community_id == community.id)
            )
        }
        same = {row["code"] for row in made if _as_it_was(row, there.get(row["code"]))}
        gone = [known[0] for code, known in there.items() if code not in same]
        new = [row for row in made if row["code"] not in same]
        if gone:
            session.execute(delete(StreetSegment).where(StreetSegment.id.in_(gone)))
            for table in ("coverage_pass", "coverage_day"):
                session.execute(
                    text(f"DELETE FROM {table} WHERE kind = :kind AND item_id = ANY(:ids)"),  # noqa: S608 - ours
                    {"kind": Kind.STREET, "ids": gone},
                )
        if new:
            columns = {name: [row[name] for row in new] for name in new[0]}
            session.execute(_SEGMENTS, {"community": community.id, **columns})
    return bool(gone or new)


#: Not by COPY, which row-level security refuses: the first patrol of a community makes its streets.
_SEGMENTS = text(
    "INSERT INTO street_segment (community_id, code, name, kind, length_m, grid_id, geom) "
    "SELECT :community, code, name, kind, length_m, grid_id, ST_GeomFromWKB(shape, 4326) "
    "FROM unnest(CAST(:code AS text[]), CAST(:name AS text[]), CAST(:kind AS text[]), CAST(:length_m AS float8[]), "
    "CAST(:grid_id AS int[]), CAST(:geom AS bytea[])) AS new(code, name, kind, length_m, grid_id, shape)"
)


def _as_it_was(row: dict[str, Any], known: tuple[int, bytes, int | None, str | None] | None) -> bool:
    return known is not None and known[1:] == (row["geom"], row["grid_id"], row["name"])


def _pieces(session: Session, community: units.Unit) -> list[dict[str, Any]]:
    """The pieces as rows: ``code name kind length_m grid_id geom`` (WKB, EPSG:4326, to 9 decimals)."""
    from spatial import locating
    from spatial.datums import reproject

    areas = grids.shapes(session, community.id)
    if not areas:
        return []
    outlines = reproject(np.array([*areas.values()], dtype=object), "EPSG:4326", community.metric_crs)
    zone = shapely.buffer(shapely.union_all(outlines), BESIDE_M)
    roads = session.execute(
        select(Basemap.code, Basemap.name, Basemap.kind, func.ST_AsBinary(Basemap.geom).label("wkb"))
        .where(
            Basemap.community_id == community.id,
            Basemap.kind.in_((GroundKind.ROAD, GroundKind.PATH)),
            func.ST_Dimension(Basemap.geom) == 1,
        )
        .order_by(Basemap.code)
    ).all()
    drawn = shapely.from_wkb(np.array([bytes(row.wkb) for row in roads], dtype=object))
    inside = shapely.intersection(reproject(drawn, "EPSG:4326", community.metric_crs), zone)
    parts, owners = shapely.get_parts(inside, return_index=True)
    long = (shapely.get_dimensions(parts) == 1) & (shapely.length(parts) >= SHORTEST_M)
    pieces, of = _taken_apart(parts[long], owners[long])
    degrees = reproject(pieces, community.metric_crs, "EPSG:4326")
    degrees = shapely.transform(degrees, lambda xy: np.round(xy, 9))
    middles = np.asarray(shapely.line_interpolate_point(degrees, 0.5, normalized=True), dtype=object)
    shapes, ids = np.array([*areas.values()], dtype=object), [*areas]
    grid = locating.points_in_areas(middles, shapes, range(len(shapes)))
    outside = np.flatnonzero(grid < 0)
    grid[outside], _distance_m = locating.nearest(middles[outside], shapes, BESIDE_M, community.metric_crs)
    numbers: dict[int, int] = {}
    rows = []
    for at, (road, length) in enumerate(zip(of.tolist(), shapely.length(pieces).tolist(), strict=True)):
        numbers[road] = numbers.get(road, 0) + 1
        if grid[at] < 0:
            continue
        rows.append(
            {
                "code": f"{roads[road].code}/{numbers[road]}",
                "name": roads[road].name,
                "kind": roads[road].kind,
                "length_m": round(length, 2),
                "grid_id": ids[grid[at]],
                "geom": shapely.to_wkb(degrees[at]),
            }
        )
    return rows


def _taken_apart(
    lines: NDArray[np.object_], owners: NDArray[np.int64]
) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Equal pieces of at most ``LONGEST_M`` of each line, and whose each is."""
    from shapely.ops import substring

    pieces, of = [], []
    for line, owner in zip(lines.tolist(), owners.tolist(), strict=True):
        count = max(1, int(np.ceil(line.length / LONGEST_M)))
        cuts = np.linspace(0, line.length, count + 1).tolist()
        pieces += [line] if count == 1 else [substring(line, start, stop) for start, stop in pairwise(cuts)]
        of += [owner] * count
    return np.array(pieces, dtype=object), np.array(of, dtype=np.int64)
