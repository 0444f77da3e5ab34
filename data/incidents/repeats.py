"""Repeats: open cases of the same kind nearby, which may be the same one, and what fails again soon after."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import shapely
from geoalchemy2.shape import to_shape
from sqlalchemy import Double, Row, bindparam, func, or_, select, true
from sqlalchemy.orm import Session

from data import units
from data.base import access
from data.base.access import Actor, Rows
from data.incidents import finding
from data.incidents.tables import OPEN, Category, Incident, State

#: How far apart two reports of the same thing may lie (metres), as people point at a map.
NEARBY_M = 50.0
#: How far apart the same lamp may lie in two reports (metres).
SAME_PLACE_M = 15.0
_METRES_PER_DEGREE = 111_320.0


def similar(
    session: Session,
    actor: Actor,
    *,
    community_id: int,
    category_code: str,
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
    distance_m: float = NEARBY_M,
    but: int | None = None,
    limit: int = 10,
) -> list[dict[str, Any]]:
    """Open cases of the same category that may be the same one: nearby, or at the same building.

    Parameters
    ----------
    lon, lat
        Where (degrees, EPSG:4326).
    distance_m
        How far away at most, measured in the community's metric CRS.
    but
        The id of a case to leave out.

    Returns
    -------
    list of dict
        The columns of ``rows()``, ``distance_m`` (``None`` without a point), ``same_building`` and ``age`` (a
        ``timedelta`` since the report), the nearest first.
    """
    near: list[Any] = []
    corners: dict[str, float] = {}
    if lon is not None and lat is not None:
        near.append(_IN_BOX)
        corners = _corners(lon, lat, distance_m)
    if building_id is not None:
        near.append(Incident.building_id == building_id)
    if not near:
        return []
    query = (
        finding.selection(actor)
        .add_columns((func.now() - Incident.reported_at).label("age"))
        .where(
            Incident.community_id == community_id,
            Incident.category_code == category_code,
            Incident.state.in_(OPEN),
            or_(*near),
            Incident.id != but if but is not None else true(),
        )
    )
    found = session.execute(query, corners).all()
    crs = session.scalar(select(units.Unit.metric_crs).where(units.Unit.id == community_id))
    distances = _distances(crs, lon, lat, found)
    rows = [
        {**row._mapping, "distance_m": distance, "same_building": row.building_id == building_id is not None}
        for row, distance in zip(found, distances, strict=True)
        if (row.building_id == building_id and building_id is not None)
        or (distance is not None and distance <= distance_m)
    ]
    rows.sort(key=lambda row: (row["distance_m"] is None, row["distance_m"] or 0.0, row["id"]))
    return rows[:limit]


def similar_to(session: Session, actor: Actor, incident: Incident, **more: Any) -> list[dict[str, Any]]:
    """Open cases that may be the same as an incident that is there already."""
    lon, lat = _coordinates(incident)
    return similar(
        session,
        actor,
        community_id=incident.community_id,
        category_code=incident.category_code,
        lon=lon,
        lat=lat,
        building_id=incident.building_id,
        but=incident.id,
        **more,
    )


def is_recurrent(session: Session, incident: Incident, kind: Category) -> bool:
    """Whether the same was settled at the same place within the days that the category says, before this report."""
    if not kind.recurrence_days:
        return False
    lon, lat = _coordinates(incident)
    if incident.building_id is None and (lon is None or lat is None):
        return False
    said = {
        "community": incident.community_id,
        "category": incident.category_code,
        "building": incident.building_id,
        "since": incident.reported_at - timedelta(days=kind.recurrence_days),
        "until": incident.reported_at,
    }
    if incident.building_id is not None:
        return session.scalar(_settled_before(at_building=True), said) is not None
    assert lon is not None
    assert lat is not None
    found = session.execute(_settled_before(at_building=False), said | _corners(lon, lat, SAME_PLACE_M)).all()
    if not found:
        return False
    crs = session.get_one(units.Unit, incident.community_id).metric_crs
    distances = _distances(crs, lon, lat, found)
    return any(distance is not None and distance <= SAME_PLACE_M for distance in distances)


@cache
def _settled_before(at_building: bool) -> Rows:
    """The same kind of case, closed between two instants at a building or in a box; the statement is made once."""
    before = select(Incident.id, func.ST_X(Incident.geom).label("lon"), func.ST_Y(Incident.geom).label("lat")).where(
        Incident.community_id == bindparam("community"),
        Incident.category_code == bindparam("category"),
        Incident.state == State.CLOSED,
        Incident.merged_into_id.is_(None),
        Incident.closed_at.between(bindparam("since"), bindparam("until")),
    )
    return (
        before.where(Incident.building_id == bindparam("building")).limit(1) if at_building else before.where(_IN_BOX)
    )


def merged(session: Session, actor: Actor, incident: Incident) -> list[Row[Any]]:
    """The cases that were merged into an incident, as rows of ``selection``, the earliest first."""
    query = access.visible(finding.rows(), actor, Incident).where(Incident.merged_into_id == incident.id)
    return list(session.execute(query.order_by(Incident.reported_at, Incident.id)).all())


def _coordinates(incident: Incident) -> tuple[float, float] | tuple[None, None]:
    if incident.geom is None:
        return None, None
    ((lon, lat),) = shapely.get_coordinates(to_shape(incident.geom)).tolist()
    return lon, lat


def _corners(lon: float, lat: float, distance_m: float) -> dict[str, float]:
    """A box around a point that holds all that lies within a distance: what the index can tell."""
    high = distance_m / _METRES_PER_DEGREE * 1.01
    wide = high / max(float(np.cos(np.radians(lat))), 0.01)
    return {"west": lon - wide, "south": lat - high, "east": lon + wide, "north": lat + high}


_IN_BOX = Incident.geom.op("&&", is_comparison=True)(
    func.ST_MakeEnvelope(*(bindparam(side, type_=Double) for side in ("west", "south", "east", "north")), 4326)
)


def _distances(crs: str | None, lon: float | None, lat: float | None, rows: Any) -> list[float | None]:
    """How far each row lies from a point, in metres."""
    if lon is None or lat is None or not rows:
        return [None] * len(rows)
    there = [(row.lon, row.lat) if row.lon is not None else (np.nan, np.nan) for row in rows]
    to_metres = _to_metric(crs or units.DEFAULT_METRIC_CRS)
    x, y = to_metres(lon, lat)
    xs, ys = to_metres(*np.array(there, dtype=float).T)
    return [None if np.isnan(distance) else float(distance) for distance in np.hypot(xs - x, ys - y)]


@cache
def _to_metric(crs: str) -> Any:
    from pyproj import Transformer

    return Transformer.from_crs(4326, crs, always_xy=True).transform
