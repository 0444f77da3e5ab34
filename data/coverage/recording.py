"""What patrols saw, from their tracks into the tables.

Rows of one community and day are added up one transaction after the other (an advisory lock until the transaction
ends), because each has to see what the others brought.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import patrols, units
from data.base import db, settings
from data.base.access import Actor
from data.coverage import streets
from data.coverage.tables import DISTANCE_M, Kind
from data.patrols import Patrol

if TYPE_CHECKING:
    import pandas as pd

    from spatial.coverage import Tracks

#: Farther than this from a track nothing may have been seen, whatever its accuracy; in degrees, some 300 m.
REACH_DEG = 0.003
#: So many points are looked at together when a whole community is computed anew.
_POINTS = 500_000
#: kind, id of the item
Item = tuple[str, int]
#: kind, id of the item, day
Key = tuple[str, int, date]
_COLUMNS = ("kind", "item_id", "day", "patrol_id", "seen", "poor", "seen_at", "poor_at")
_SHAPE = "hashtextextended(geom::text, 0)"
#: What is to be seen in a community, and a number for its shape: ``kind item_id community_id shape``.
SHAPES = (
    f"SELECT 'building' AS kind, id AS item_id, community_id, {_SHAPE} AS shape FROM building "  # noqa: S608 - ours
    "WHERE community_id = :community AND grid_id IS NOT NULL AND geom IS NOT NULL "
    f"UNION ALL SELECT 'street', id, community_id, {_SHAPE} FROM street_segment WHERE community_id = :community "
    f"UNION ALL SELECT 'asset', id, community_id, {_SHAPE} FROM asset WHERE community_id = :community"
)


def refresh(session: Session, patrol: Patrol) -> int:
    """Tell anew what a patrol saw, because points or check-ins came; returns of how many items and days.

    The actor has been shown to be allowed to record the patrol. What it saw may lie in other grids of the community,
    so this looks beyond their area.
    """
    with db.everywhere(session):
        session.execute(select(Patrol.id).where(Patrol.id == patrol.id).with_for_update())
        _have_streets(session, patrol.community_id)
        # From here on nobody follows changed items: what is observed below is of items as they are written then.
        _share(session, patrol.community_id)
        seen = observed(session, patrol.community_id, [patrol.id])
        known = session.execute(
            text("SELECT DISTINCT day FROM coverage_pass WHERE patrol_id = :patrol"), {"patrol": patrol.id}
        )
        _wait_for_days(session, patrol.community_id, {row.day for row in known} | set(seen["day"]))
        keys = _taken_out(session, patrol.id)
        written(session, patrol.community_id, seen)
        keys |= set(zip(seen["kind"], seen["item_id"].tolist(), seen["day"], strict=True))
        add_up(session, keys)
    return len(seen)


def remove(session: Session, actor: Actor, patrol: Patrol) -> None:
    """Remove a patrol, and what it saw."""
    community_id, patrol_id = patrol.community_id, patrol.id
    patrols.require_edit(actor, patrol)
    with db.everywhere(session):
        known = session.execute(
            text("SELECT DISTINCT day FROM coverage_pass WHERE patrol_id = :patrol"), {"patrol": patrol_id}
        )
        _wait_for_days(session, community_id, {row.day for row in known})
        keys = _taken_out(session, patrol_id)
        add_up(session, keys)
    patrols.remove(session, actor, patrol)


def recompute(session: Session, community: units.Unit) -> int:
    """Tell anew what all patrols of a community saw, because its streets or buildings changed; returns how many."""
    with db.everywhere(session):
        alone(session, community.id)
        for table in ("coverage_pass", "coverage_day", "coverage_item"):
            session.execute(
                text(f"DELETE FROM {table} WHERE community_id = :community"),  # noqa: S608 - ours
                {"community": community.id},
            )
        ids = session.execute(
            select(Patrol.id, Patrol.point_count).where(Patrol.community_id == community.id).order_by(Patrol.id)
        ).all()
        for some in groups(ids):
            written(session, community.id, observed(session, community.id, some))
        session.execute(text(_SUMS.format(which="WHERE community_id = :community")), {"community": community.id})
        session.execute(
            text(f"INSERT INTO coverage_item (kind, item_id, community_id, shape) {SHAPES}"),
            {"community": community.id},
        )
    return len(ids)


def observed(
    session: Session,
    community_id: int,
    patrol_ids: Sequence[int],
    distance_m: float = DISTANCE_M,
    only: Collection[Item] | None = None,
) -> pd.DataFrame:
    """What patrols saw: ``kind item_id day patrol_id seen poor seen_at poor_at``, a row for each item, day and patrol.

    The items are those of the community, or of these ``only`` some. Check-ins count when the stated place does not
    contradict them.
    """
    import pandas as pd

    from spatial import coverage

    points = _points(session, patrol_ids)
    checked = _checked_in(session, patrol_ids, distance_m)
    if only is not None:
        checked = checked[[key in only for key in zip(checked["kind"], checked["item_id"], strict=True)]]
    if not len(points):
        return checked
    x, y = patrols.metric(session, community_id, points["lon"].to_numpy(), points["lat"].to_numpy())
    local = points["at"].dt.tz_convert(settings.get().timezone)
    walk = pd.DataFrame({"patrol_id": points["patrol_id"], "day": local.dt.date})
    number = walk.ne(walk.shift()).any(axis=1).cumsum().to_numpy() - 1
    walks = walk.groupby(number, sort=True).first()
    tracks: Tracks = coverage.Tracks.of(
        number, x, y, points["accuracy_m"].to_numpy(), points["part"].to_numpy(), points["t"].to_numpy()
    )
    kinds, ids, shapes = _items(session, community_id, points, only)
    frame = coverage.observe(tracks, coverage.Places(shapes), distance_m)
    at = points["at"].array
    sights = pd.DataFrame(
        {
            "kind": kinds[frame["place"]],
            "item_id": ids[frame["place"]],
            "day": walks["day"].to_numpy()[frame["track"]],
            "patrol_id": walks["patrol_id"].to_numpy()[frame["track"]],
            "seen": frame["seen"],
            "poor": frame["poor"],
            "seen_at": at[frame["seen_last"]].astype(object),
            "poor_at": at[frame["poor_last"]].astype(object),
        }
    )
    # A leg may touch an item so little that no part of it is nearer than the distance.
    sights = sights[sights["poor"] != 0]
    sights["seen_at"] = sights["seen_at"].where(sights["seen"] != 0, None)
    return _together(sights, checked)


def _together(found: pd.DataFrame, checked: pd.DataFrame) -> pd.DataFrame:
    """What was seen and where somebody checked in; a check-in is for the whole item."""
    import pandas as pd

    if not len(checked):
        return found
    keys = ["kind", "item_id", "day", "patrol_id"]
    both = pd.concat([found, checked], ignore_index=True)
    summed = both.sort_values("seen", kind="stable").groupby(keys, sort=False, as_index=False)
    # Only buildings are checked in at, and of them a mask is full or empty, so the highest is the union.
    return summed.agg({"seen": "max", "poor": "max", "seen_at": "last", "poor_at": "last"})[list(_COLUMNS)]


def _points(session: Session, patrol_ids: Sequence[int]) -> pd.DataFrame:
    """The kept points of patrols in their order: ``patrol_id at t lon lat accuracy_m part``; what has no time of its
    own has that of the start."""
    import pandas as pd

    from spatial.tracks import Limits

    tracks = session.execute(
        text(
            "SELECT q.patrol_id, extract(epoch FROM r.started_at)::float8, "
            "array_agg(extract(epoch FROM CASE WHEN q.at >= :earliest THEN q.at END)::float8 ORDER BY q.seq), "
            "array_agg(q.lon ORDER BY q.seq), array_agg(q.lat ORDER BY q.seq), "
            "array_agg(q.accuracy_m ORDER BY q.seq), array_agg(q.part ORDER BY q.seq) "
            "FROM patrol_point q JOIN patrol r ON r.id = q.patrol_id "
            "WHERE q.patrol_id = ANY(:patrols) AND q.kept AND q.part IS NOT NULL GROUP BY q.patrol_id, r.started_at "
            "ORDER BY q.patrol_id"
        ),
        {"patrols": list(patrol_ids), "earliest": patrols.EARLIEST},
    ).all()
    sizes = [len(row[2]) for row in tracks]
    columns = [np.array([value for row in tracks for value in row[place]], dtype=np.float64) for place in range(2, 7)]
    t, lon, lat, accuracy, part = columns
    started = np.repeat(np.array([row[1] for row in tracks], dtype=np.float64), sizes)
    at = pd.to_datetime(np.where(np.isnan(t), started, t), unit="s", utc=True)
    return pd.DataFrame(
        {
            "patrol_id": np.repeat(np.array([row[0] for row in tracks], dtype=np.int64), sizes),
            "at": at,
            "t": t,
            "lon": lon,
            "lat": lat,
            "accuracy_m": np.where(np.isnan(accuracy), Limits().assumed_accuracy_m, accuracy),
            "part": part.astype(np.int64),
        }
    )


def _items(
    session: Session, community_id: int, points: pd.DataFrame, only: Collection[Item] | None
) -> tuple[Any, Any, Any]:
    """Kinds, ids and shapes (metric) of what lies around points."""
    from spatial.datums import reproject

    crs = session.scalar(select(units.Unit.metric_crs).where(units.Unit.id == community_id))
    assert crs is not None
    rows = session.execute(
        text(
            "WITH box AS (SELECT ST_MakeEnvelope(:west, :south, :east, :north, 4326) AS geom) "
            "SELECT 'building' AS kind, b.id, ST_AsBinary(b.geom) AS wkb FROM building b, box "
            "WHERE b.community_id = :community AND b.grid_id IS NOT NULL AND b.geom && box.geom "
            "UNION ALL SELECT 'street', s.id, ST_AsBinary(s.geom) FROM street_segment s, box "
            "WHERE s.community_id = :community AND s.geom && box.geom "
            "UNION ALL SELECT 'asset', a.id, ST_AsBinary(a.geom) FROM asset a, box "
            "WHERE a.community_id = :community AND a.geom && box.geom"
        ),
        {
            "community": community_id,
            "west": float(points["lon"].min()) - REACH_DEG,
            "south": float(points["lat"].min()) - REACH_DEG,
            "east": float(points["lon"].max()) + REACH_DEG,
            "north": float(points["lat"].max()) + REACH_DEG,
        },
    ).all()
    if only is not None:
        rows = [row for row in rows if (row.kind, row.id) in only]
    kinds = np.array([row.kind for row in rows], dtype=object)
    ids = np.array([row.id for row in rows], dtype=np.int64)
    shapes = shapely.from_wkb(np.array([bytes(row.wkb) for row in rows], dtype=object))
    return kinds, ids, reproject(shapes, "EPSG:4326", crs)


def _checked_in(session: Session, patrol_ids: Sequence[int], distance_m: float) -> pd.DataFrame:
    """Check-ins as ``observed`` gives them: those whose place is not certainly elsewhere."""
    import pandas as pd

    from spatial.coverage import BINS, poor_radius
    from spatial.tracks import Limits

    check_ins = session.execute(
        text(
            "SELECT building_id, patrol_id, (max(at) AT TIME ZONE :zone)::date AS day, max(at) AS at, "
            "min(distance_m) AS distance_m, max(coalesce(accuracy_m, :assumed)) AS accuracy_m FROM check_in "
            "WHERE patrol_id = ANY(:patrols) AND distance_m IS NOT NULL "
            "GROUP BY building_id, patrol_id, (at AT TIME ZONE :zone)::date"
        ),
        {"patrols": list(patrol_ids), "zone": settings.get().timezone, "assumed": Limits().assumed_accuracy_m},
    ).all()
    full = 2**BINS - 1
    rows = [
        (Kind.BUILDING.value, row.building_id, row.day, row.patrol_id, full, full, row.at, row.at)
        for row in check_ins
        if row.distance_m <= float(poor_radius(row.accuracy_m, distance_m))
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _have_streets(session: Session, community_id: int) -> None:
    """Make the pieces of street of a community that has none yet."""
    there = session.scalar(
        text("SELECT EXISTS (SELECT FROM street_segment WHERE community_id = :community)"), {"community": community_id}
    )
    if not there:
        community = session.get(units.Unit, community_id)
        assert community is not None
        streets.split(session, community)


def _wait_for_days(session: Session, community_id: int, days: Iterable[date]) -> None:
    """Hold these days of a community, which nobody computes anew meanwhile."""
    _share(session, community_id)
    for day in sorted(days):
        session.execute(
            text("SELECT pg_advisory_xact_lock(:community, :day)"), {"community": community_id, "day": day.toordinal()}
        )


def _share(session: Session, community_id: int) -> None:
    """Let others record patrols of the community meanwhile, but nobody compute it anew."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:community, 0)"), {"community": community_id})


def alone(session: Session, community_id: int) -> None:
    """Let nobody else record patrols of the community until the transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:community, 0)"), {"community": community_id})


def _taken_out(session: Session, patrol_id: int) -> set[Key]:
    gone = session.execute(
        text("DELETE FROM coverage_pass WHERE patrol_id = :patrol RETURNING kind, item_id, day"), {"patrol": patrol_id}
    )
    return {(row.kind, row.item_id, row.day) for row in gone}


def written(session: Session, community_id: int, seen: pd.DataFrame) -> None:
    """Write what was observed."""
    if not len(seen):
        return
    # A request may not COPY where there is row-level security; arrays are as good for what one patrol saw.
    session.execute(_PASSES, {"community": community_id, **{name: _plain(seen[name]) for name in _COLUMNS}})


_PASSES = text(
    "INSERT INTO coverage_pass (community_id, kind, item_id, day, patrol_id, seen, poor, seen_at, poor_at) "
    "SELECT :community, * FROM unnest(CAST(:kind AS text[]), CAST(:item_id AS int[]), CAST(:day AS date[]), "
    "CAST(:patrol_id AS int[]), CAST(:seen AS bigint[]), CAST(:poor AS bigint[]), CAST(:seen_at AS timestamptz[]), "
    "CAST(:poor_at AS timestamptz[]))"
)


def _plain(values: pd.Series) -> list[Any]:
    """Values as the database takes them."""
    return [None if value is None or value != value else value for value in values.tolist()]


_SUMS = """
INSERT INTO coverage_day (kind, item_id, day, community_id, seen, poor, seen_at, patrol_id, poor_at)
SELECT kind, item_id, day, community_id, bit_or(seen), bit_or(poor), max(seen_at),
    (array_agg(patrol_id ORDER BY seen_at DESC, patrol_id) FILTER (WHERE seen_at IS NOT NULL))[1], max(poor_at)
FROM coverage_pass {which}
GROUP BY kind, item_id, day, community_id
ON CONFLICT (kind, item_id, day) DO UPDATE SET seen = excluded.seen, poor = excluded.poor, seen_at = excluded.seen_at,
    patrol_id = excluded.patrol_id, poor_at = excluded.poor_at
"""
_KEYS = "unnest(CAST(:kinds AS text[]), CAST(:ids AS int[]), CAST(:days AS date[])) AS k(kind, item_id, day)"


def add_up(session: Session, keys: set[Key]) -> None:
    """Add up the days of these items anew."""
    if not keys:
        return
    kinds, ids, days = zip(*sorted(keys), strict=True)
    values = {"kinds": list(kinds), "ids": list(ids), "days": list(days)}
    session.execute(text(_SUMS.format(which=f"JOIN {_KEYS} USING (kind, item_id, day)")), values)
    session.execute(
        text(
            f"DELETE FROM coverage_day d USING {_KEYS} WHERE (d.kind, d.item_id, d.day) = (k.kind, k.item_id, k.day) "  # noqa: S608 - ours
            "AND NOT EXISTS (SELECT FROM coverage_pass p WHERE (p.kind, p.item_id, p.day) = (k.kind, k.item_id, k.day))"
        ),
        values,
    )


def groups(ids: Sequence[Any]) -> Iterable[list[int]]:
    """Patrols in groups of about ``_POINTS`` points."""
    some: list[int] = []
    total = 0
    for row in ids:
        some.append(row.id)
        total += row.point_count
        if total >= _POINTS:
            yield some
            some, total = [], 0
    if some:
        yield some
