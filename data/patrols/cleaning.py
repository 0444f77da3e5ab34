"""What of a track is believed: all points together are looked at anew whenever some arrive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import units
from data.patrols.tables import AHEAD, EARLIEST, Patrol, Track

if TYPE_CHECKING:
    from spatial.tracks import Cleaned


def clean(session: Session, patrol: Patrol) -> tuple[int, int]:
    """Say anew which of a patrol's points are kept; how many there are, and up to which number all are there."""
    track = track_of(session, patrol)
    cleaned, x, y = cleaned_track(session, patrol.community_id, track)
    session.execute(
        text(
            "UPDATE patrol_point p SET kept = c.reason IS NULL, reason = c.reason, part = c.part "
            "FROM unnest(CAST(:seq AS int[]), CAST(:reason AS text[]), CAST(:part AS int[])) AS c(seq, reason, part) "
            "WHERE p.patrol_id = :patrol AND p.seq = c.seq "
            "AND (p.reason, p.part) IS DISTINCT FROM (c.reason, c.part)"
        ),
        {
            "patrol": patrol.id,
            "seq": track.seq.tolist(),
            "reason": [reason and str(reason) for reason in cleaned.reasons],
            "part": [None if part < 0 else part for part in cleaned.parts.tolist()],
        },
    )
    kept = cleaned.kept
    drawn, metres = lines(track.lon[kept], track.lat[kept], x[kept], y[kept], cleaned.parts[kept])
    session.execute(
        text(
            "UPDATE patrol SET geom = ST_GeomFromWKB(:geom, 4326), length_m = :length, point_count = :points, "
            "dropped_count = :dropped, updated_at = clock_timestamp() WHERE id = :patrol"
        ),
        {
            "patrol": patrol.id,
            "geom": drawn,
            "length": metres,
            "points": len(track),
            "dropped": int((~kept).sum()),
        },
    )
    session.expire(patrol)
    gaps = np.flatnonzero(track.seq != np.arange(len(track)))
    return len(track), int(gaps[0] if len(gaps) else len(track)) - 1


def cleaned_track(
    session: Session, community_id: int, track: Track
) -> tuple[Cleaned, NDArray[np.float64], NDArray[np.float64]]:
    """Which points of a track are kept, and where all of them lie in the community's metric reference system."""
    from spatial import tracks

    at_s = track.at.astype("datetime64[us]").astype(np.int64) / 1e6
    at_s[np.isnat(track.at)] = np.nan
    x, y = metric(session, community_id, track.lon, track.lat)
    found = tracks.clean(
        x,
        y,
        at_s,
        track.accuracy_m,
        track.segment,
        earliest=EARLIEST.timestamp(),
        latest=(datetime.now(UTC) + AHEAD).timestamp(),
    )
    return found, x, y


def lines(
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    parts: NDArray[np.int64],
) -> tuple[bytes | None, float]:
    """The kept points as WKB, a line for each part with two points or more, and their length in metres."""
    _part, place, size = np.unique(parts, return_inverse=True, return_counts=True)
    long = size[place] > 1
    if not long.any():
        return None, 0.0
    _part, which = np.unique(parts[long], return_inverse=True)
    parted: Any = shapely.linestrings(np.column_stack((lon[long], lat[long])), indices=which)
    metres = shapely.length(shapely.linestrings(np.column_stack((x[long], y[long])), indices=which)).sum()
    return bytes(shapely.to_wkb(shapely.multilinestrings(parted))), float(metres)


def track_of(session: Session, patrol: Patrol) -> Track:
    """All points of a patrol as columns, by number."""
    found = session.execute(
        text(
            "SELECT array_agg(seq ORDER BY seq), "
            "array_agg((extract(epoch FROM at) * 1000000)::bigint ORDER BY seq), array_agg(lon ORDER BY seq), "
            "array_agg(lat ORDER BY seq), array_agg(accuracy_m ORDER BY seq), array_agg(segment ORDER BY seq) "
            "FROM patrol_point WHERE patrol_id = :patrol"
        ),
        {"patrol": patrol.id},
    ).one()
    seq, at, lon, lat, accuracy, segment = (values or [] for values in found)
    ticks = np.array([np.iinfo(np.int64).min if value is None else value for value in at], dtype=np.int64)
    return Track(
        seq=np.array(seq, dtype=np.int64),
        at=ticks.view("datetime64[us]"),
        lon=np.array(lon, dtype=np.float64),
        lat=np.array(lat, dtype=np.float64),
        accuracy_m=np.array(accuracy, dtype=np.float64),
        segment=np.array(segment, dtype=np.int64),
    )


def metric(
    session: Session, community_id: int, lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Degrees as metres in the reference system of a community; infinite where there is no such place."""
    from spatial.datums import reproject

    crs = session.scalar(select(units.Unit.metric_crs).where(units.Unit.id == community_id))
    assert crs is not None
    places = np.asarray(shapely.points(lon, lat), dtype=object)
    placed = shapely.get_coordinates(reproject(places, "EPSG:4326", crs))
    return placed[:, 0], placed[:, 1]
