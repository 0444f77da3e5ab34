"""What was seen from another distance than the one that is kept: out of the tracks, each time it is asked for.

That costs as much as there are points (some 15 µs each), so a question may ask for ``MOST_POINTS``. What was found is
kept until something of it changes, for a page that asks for the same several times.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Integer, String, column, func, or_, select, text
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from data import grids, units
from data.assets import Asset
from data.base import changes, db, listing
from data.base.errors import Invalid
from data.base.language import _
from data.buildings import Building
from data.coverage import recording
from data.coverage.tables import DISTANCE_M, StreetSegment
from data.patrols import CheckIn, Patrol, PatrolPoint

#: So many points are looked at for one question: a month of a community, or half a year of a grid.
MOST_POINTS = 300_000


@dataclass(frozen=True)
class Question:
    """A community (and a grid of it), days (the last included) and a distance in metres."""

    community_id: int
    grid_id: int | None
    first: date
    last: date
    distance_m: float


_answers = changes.Kept[dict[str, list[Any]]](
    *(Patrol, PatrolPoint, CheckIn, Building, StreetSegment, Asset, grids.Division), most=16
)


def days(session: Session, question: Question) -> Any:
    """What was seen day by day as a subquery: ``kind item_id day seen poor seen_at patrol_id``.

    What patrols saw is no secret to those who may see the items; the tracks themselves stay here.

    Raises
    ------
    Invalid
        These are more points than one question may ask for.
    """
    found = _answers.get(session, question, lambda: _found(session, question), communities=[question.community_id])
    statement = text(
        "SELECT kind, item_id, day, bit_or(seen) AS seen, bit_or(poor) AS poor, max(seen_at) AS seen_at, "
        "max(patrol_id) AS patrol_id FROM unnest(CAST(:kinds AS text[]), CAST(:item_ids AS int[]), "
        "CAST(:days AS date[]), CAST(:seens AS bigint[]), CAST(:poors AS bigint[]), "
        "CAST(:seen_ats AS timestamptz[]), CAST(:patrol_ids AS int[])) "
        "AS each(kind, item_id, day, seen, poor, seen_at, patrol_id) GROUP BY kind, item_id, day"
    ).bindparams(**{f"{name}s": values for name, values in found.items()})
    return statement.columns(*(column(name, type_) for name, type_ in _EACH.items())).subquery("day")


def _found(session: Session, question: Question) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in _EACH}
    with db.everywhere(session):
        walked = session.execute(_walked(session, question)).all()
        points = sum(row.point_count for row in walked)
        if points > MOST_POINTS:
            raise Invalid(
                _(
                    "From {distance} m it would have to be worked out anew from {points} points of tracks, more than "
                    "{most}. Choose one grid, fewer days, or {usual} m.",
                    distance=f"{question.distance_m:g}",
                    points=f"{points:,}",
                    most=f"{MOST_POINTS:,}",
                    usual=f"{DISTANCE_M:g}",
                ),
                field="query.distance_m",
            )
        for some in recording.groups(walked):
            seen = recording.observed(session, question.community_id, some, question.distance_m)
            for name, values in columns.items():
                values += [_plain(value) for value in seen[name].tolist()]
    return columns


def _walked(session: Session, question: Question) -> Any:
    """The patrols that may have seen anything: those of the days, and of a grid those that came near it."""
    # A week that ends in the period may begin before it; a patrol may pass midnight.
    query = select(Patrol.id, Patrol.point_count).where(
        Patrol.community_id == question.community_id,
        *listing.in_period(Patrol.started_at, question.first - timedelta(days=7), question.last),
    )
    shape = grids.shapes(session, question.community_id).get(question.grid_id) if question.grid_id else None
    if shape is not None:
        west, south, east, north = shape.buffer(recording.REACH_DEG).bounds
        near = Patrol.geom.op("&&")(func.ST_MakeEnvelope(west, south, east, north, 4326))
        checked = select(CheckIn.patrol_id).where(CheckIn.patrol_id == Patrol.id).exists()
        query = query.where(or_(near, Patrol.geom.is_(None), checked))
    return query.order_by(Patrol.id)


def question(session: Session, community: str | None, grid: str | None, **more: Any) -> Question:
    """The question about a community or grid with these codes.

    Raises
    ------
    Invalid
        Neither is named, or what is named is larger than a community.
    """
    place = session.execute(
        select(units.Unit.id, units.Unit.community_id).where(units.Unit.code == (grid or community))
    ).one_or_none()
    if place is None or place.community_id is None:
        raise Invalid(
            _("Other distances than {usual} m are told for one community or grid. Say which.", usual=f"{DISTANCE_M:g}"),
            field="query.community",
        )
    return Question(place.community_id, place.id if grid else None, **more)


#: Columns of what was seen.
_EACH: dict[str, TypeEngine[Any]] = {
    "kind": String(),
    "item_id": Integer(),
    "day": Date(),
    "seen": BigInteger(),
    "poor": BigInteger(),
    "seen_at": DateTime(timezone=True),
    "patrol_id": Integer(),
}


def _plain(value: Any) -> Any:
    """A value of a frame as the database takes it."""
    if value is None or value != value:
        return None
    return value
