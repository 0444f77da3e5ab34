"""Which patrols there are, and what was recorded on one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, false, func, or_, select, text
from sqlalchemy.orm import Session

from data import accounts, buildings, traces, units
from data.base import access, db, listing
from data.base.access import Actor, Rows
from data.base.language import _
from data.patrols.tables import CheckIn, Patrol, PatrolNote, PatrolNotFound, PatrolPoint

#: A look at a track that follows the last one within this time is the same look: a page asks for a track several times.
RECORDED_FOR = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which patrols: codes of community and grid, whose, of which round, from when on, still under way …"""

    community: str | None = None
    grid: str | None = None
    account_id: int | None = None
    round_id: int | None = None
    first: date | None = None
    last: date | None = None
    running: bool | None = None
    box: listing.Box | None = None


#: What patrols can be sorted by.
SORTS: dict[str, Any] = {"id": Patrol.id, "started": Patrol.started_at, "updated": Patrol.updated_at}


def seen_by(query: Rows, actor: Actor) -> Rows:
    """``query`` over patrols restricted to those the actor may see."""
    return query if actor.is_system else query.where(seen(actor, Patrol))


def seen(actor: Actor, patrol: type[Patrol]) -> ColumnElement[bool]:
    """The condition that an actor may see a patrol: their own, and while an order of traces was in force others too."""
    own = patrol.account_id == actor.account_id if actor.account_id is not None else false()
    area = actor.area(patrol.__read__)
    there = access.in_area(area, patrol.community_id, patrol.grid_id)
    return or_(own, and_(there, traces.ordered(patrol.community_id, patrol.started_at)))


def get(session: Session, actor: Actor, patrol_id: int) -> Patrol:
    """The patrol with this id.

    Raises
    ------
    PatrolNotFound
    """
    found: Patrol | None = session.scalar(seen_by(select(Patrol).where(Patrol.id == patrol_id), actor))
    if found is None:
        raise PatrolNotFound(_("Not found, or outside your area."))
    return found


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The patrols the actor may see, a row each: the columns but ``geom``, ``account_name grid_code grid_name``."""
    wanted = wanted or Filter()
    query = seen_by(rows(), actor)
    query = units.narrowed(query, Patrol.community_id, Patrol.grid_id, wanted.community, wanted.grid)
    if wanted.account_id:
        query = query.where(Patrol.account_id == wanted.account_id)
    if wanted.round_id:
        query = query.where(Patrol.round_id == wanted.round_id)
    query = query.where(*listing.in_period(Patrol.started_at, wanted.first, wanted.last))
    if wanted.running is not None:
        query = query.where(Patrol.stopped_at.is_(None) if wanted.running else Patrol.stopped_at.is_not(None))
    if wanted.box:
        query = query.where(listing.in_box(Patrol.geom, wanted.box))
    return query


def listed(session: Session, actor: Actor, wanted: Filter, *, most: int) -> Sequence[Row[Any]]:
    """The patrols of a filter as rows of ``selection``, the earliest first."""
    return session.execute(selection(actor, wanted).order_by(Patrol.started_at).limit(most)).all()


def last_started_at(session: Session, actor: Actor, community: str | None) -> datetime | None:
    """When the last patrol began, of those that the actor may see; ``None`` when nobody walked yet."""
    query = selection(actor, Filter(community=community)).with_only_columns(Patrol.started_at)
    at: datetime | None = session.scalar(query.order_by(Patrol.started_at.desc()).limit(1))
    return at


def rows() -> Rows:
    """All patrols as ``selection`` gives them, for one that the actor was already shown to see."""
    return (
        select(
            *listing.columns(Patrol, without=("geom",)),
            accounts.Account.name.label("account_name"),
            units.Unit.code.label("grid_code"),
            units.Unit.name.label("grid_name"),
        )
        .outerjoin(accounts.Account, accounts.Account.id == Patrol.account_id)
        .outerjoin(units.Unit, units.Unit.id == Patrol.grid_id)
    )


def row(session: Session, patrol: Patrol) -> Row[Any]:
    """A patrol as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Patrol.id == patrol.id)).one()


def looked_at(session: Session, actor: Actor, patrol_ids: Collection[int]) -> None:
    """Record in the audit that somebody looks at the tracks of others; for each of them once in ``RECORDED_FOR``.

    Whoever hands out where somebody was and when says so here: points, lines, check-ins, a replay.
    """
    if actor.is_system or not patrol_ids:
        return
    session.execute(
        text(
            "INSERT INTO audit (account_id, action, record_kind, record_id, community_id, request_id) "
            "SELECT :account, 'track', 'patrol', p.id, p.community_id, :request FROM patrol p "
            "WHERE p.id = ANY(:ids) AND p.account_id IS DISTINCT FROM :account AND NOT EXISTS ("
            "SELECT FROM audit a WHERE a.at > now() - :recent AND a.account_id = :account AND a.action = 'track' "
            "AND a.record_kind = 'patrol' AND a.record_id = p.id) ORDER BY p.id"
        ),
        {"account": actor.account_id, "request": actor.request_id, "ids": sorted(patrol_ids), "recent": RECORDED_FOR},
    )


def points(session: Session, patrol: Patrol) -> Sequence[Any]:
    """All points of a patrol that the actor was already shown to see, in their order: ``seq at lon lat accuracy_m
    segment kept reason part``."""
    columns = listing.columns(PatrolPoint, without=("patrol_id",))
    return session.execute(select(*columns).where(PatrolPoint.patrol_id == patrol.id).order_by(PatrolPoint.seq)).all()


def dropped(session: Session, patrol: Patrol) -> dict[str, int]:
    """How many points were dropped, by reason."""
    found = session.execute(
        select(PatrolPoint.reason, func.count())
        .where(PatrolPoint.patrol_id == patrol.id, PatrolPoint.reason.is_not(None))
        .group_by(PatrolPoint.reason)
        .order_by(func.count().desc(), PatrolPoint.reason)
    ).all()
    return {reason: count for reason, count in found if reason}


def check_ins(session: Session, patrol: Patrol) -> Sequence[Any]:
    """The check-ins of a patrol that the actor was already shown to see, in their order, with the building's number.

    Also of a building that lies in somebody else's grid by now.
    """
    query = (
        select(*listing.columns(CheckIn), buildings.Building.number.label("building_number"))
        .join(buildings.Building, buildings.Building.id == CheckIn.building_id)
        .where(CheckIn.patrol_id == patrol.id)
        .order_by(CheckIn.at, CheckIn.id)
    )
    with db.everywhere(session):
        return session.execute(query).all()


def notes(session: Session, patrol: Patrol) -> Sequence[Any]:
    """What was noted on a patrol: ``uuid incident_id at``, in order."""
    return session.execute(
        select(PatrolNote.uuid, PatrolNote.incident_id, PatrolNote.at)
        .where(PatrolNote.patrol_id == patrol.id)
        .order_by(PatrolNote.at, PatrolNote.id)
    ).all()
