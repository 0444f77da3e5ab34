"""Buildings, streets and assets that came, went or moved later: past patrols are looked at again, near them only.

Whatever writes to their tables, by hand or by a file, puts a job into the queue in the same transaction. The job
compares what is there with what was looked at (``coverage_item``), and looks at what differs against the patrols that
passed there: that costs as much as the change is large, not as many patrols as there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, event, text
from sqlalchemy.orm import Session

from data.assets import Asset
from data.base import access, changes, db, jobs, settings
from data.base.access import Actor
from data.base.jobs import Job, JobState
from data.buildings import Building
from data.coverage.recording import (
    REACH_DEG,
    SHAPES,
    Item,
    add_up,
    alone,
    groups,
    observed,
    written,
)
from data.coverage.tables import StreetSegment

FOLLOW_JOB = "follow_coverage"
#: The tables of what is to be seen.
_TABLES = (Building, StreetSegment, Asset)

_CHANGED = text(
    f"WITH now AS ({SHAPES}), "  # noqa: S608 - ours
    "was AS (SELECT kind, item_id, shape FROM coverage_item WHERE community_id = :community) "
    "SELECT coalesce(now.kind, was.kind) AS kind, coalesce(now.item_id, was.item_id) AS item_id, "
    "now.shape AS shape FROM now FULL JOIN was USING (kind, item_id) WHERE now.shape IS DISTINCT FROM was.shape"
)
#: What one and the same list of items is in a statement.
_THESE = "(SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS int[])) AS these(kind, item_id))"
#: A patrol of which only single points are believed has no line.
_NEAR = text(
    f"WITH these AS {_THESE}, place AS ("  # noqa: S608 - ours
    "SELECT geom FROM building b JOIN these t ON t.kind = 'building' AND t.item_id = b.id UNION ALL "
    "SELECT geom FROM street_segment s JOIN these t ON t.kind = 'street' AND t.item_id = s.id UNION ALL "
    "SELECT geom FROM asset a JOIN these t ON t.kind = 'asset' AND t.item_id = a.id) "
    "SELECT p.id, p.point_count FROM patrol p WHERE p.community_id = :community AND ("
    "p.id IN (SELECT q.id FROM place JOIN patrol q ON q.geom && ST_Expand(place.geom, :reach)) "
    "OR p.geom IS NULL AND p.point_count > p.dropped_count "
    "OR p.id IN (SELECT c.patrol_id FROM check_in c JOIN these t ON t.kind = 'building' AND t.item_id = c.building_id)"
    ") ORDER BY p.id"
)


def follow(session: Session, community_id: int) -> int:
    """Tell anew what patrols saw of the items of a community that changed; returns how many did."""
    with db.everywhere(session):
        if session.execute(_CHANGED, {"community": community_id}).first() is None:
            return 0
        alone(session, community_id)
        changed = session.execute(_CHANGED, {"community": community_id}).all()
        these = {"kinds": [row.kind for row in changed], "ids": [row.item_id for row in changed]}
        for table in ("coverage_pass", "coverage_day", "coverage_item"):
            session.execute(text(f"DELETE FROM {table} WHERE (kind, item_id) IN {_THESE}"), these)  # noqa: S608 - ours
        there = [row for row in changed if row.shape is not None]
        _look_at(session, community_id, {(row.kind, row.item_id) for row in there})
        session.execute(
            text(
                "INSERT INTO coverage_item (kind, item_id, community_id, shape) "
                "SELECT kind, item_id, :community, shape "
                "FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS int[]), CAST(:shapes AS bigint[])) "
                "AS n(kind, item_id, shape)"
            ),
            {
                "community": community_id,
                "kinds": [row.kind for row in there],
                "ids": [row.item_id for row in there],
                "shapes": [row.shape for row in there],
            },
        )
    return len(changed)


def _look_at(session: Session, community_id: int, items: set[Item]) -> None:
    """Look at items against the patrols that passed near them."""
    if not items:
        return
    kinds, ids = zip(*sorted(items), strict=True)
    near = {"kinds": list(kinds), "ids": list(ids), "community": community_id, "reach": REACH_DEG}
    keys = set()
    for some in groups(session.execute(_NEAR, near).all()):
        seen = observed(session, community_id, some, only=items)
        written(session, community_id, seen)
        keys |= set(zip(seen["kind"], seen["item_id"].tolist(), seen["day"], strict=True))
    add_up(session, keys)


def follow_all(session: Session) -> int:
    """The same for every community, for changes by hands that tell nobody; returns how many items changed."""
    every = session.scalars(text("SELECT id FROM unit WHERE level = 'community' ORDER BY id")).all()
    return sum(follow(session, community_id) for community_id in every)


def perform(session: Session, _actor: Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Work off a job: the communities in which something was written, or all of them."""
    places = job.params.get("communities")
    if places is None:
        return {"changed": follow_all(session)}
    changed = 0
    for done, community_id in enumerate(places):
        progress("Computing", done, len(places))
        changed += follow(session, community_id)
    return {"changed": changed}


def forget_jobs(session: Session) -> None:
    """Delete the jobs of what was followed: nobody asked for them in person."""
    session.execute(delete(Job).where(Job.kind == FOLLOW_JOB, Job.state == JobState.DONE))


def _changes_are_followed(session: Session) -> None:
    """Put a job into the queue of this transaction when something that is to be seen was written in it."""
    if session.in_nested_transaction():
        return
    session.flush()
    told: changes.Written = changes.written_in(session)
    places: set[int] | None = set()
    for table in _TABLES:
        here = told.get(table.__tablename__, set())
        places = None if places is None or here is None else places | here
    if places is None or places:
        jobs.enqueue(
            session,
            access.SYSTEM,
            FOLLOW_JOB,
            {"communities": None if places is None else sorted(places)},
            community_id=None,
            language=settings.get().language,
        )


def attach() -> None:
    """Follow what becomes of buildings, streets and assets in every session of this process from here on."""
    if not event.contains(Session, "before_commit", _changes_are_followed):
        event.listen(Session, "before_commit", _changes_are_followed)
