"""Activities 活动 of service teams: lectures, clean-ups, repairs and what else is held for residents, and where.

How many came is a number. Nobody's coming is recorded: neither residents nor staff sign in for an activity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, Row, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import grids, photos, units
from data.base import access, db, listing, texts
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.photos import Photo
from data.teams import ServiceTeam


class ActivityNotFound(NotFound):
    """There is no such activity, or its community is outside the actor's area."""


class Kind(StrEnum):
    """What is done for residents."""

    LECTURE = "lecture"
    CLEANUP = "cleanup"
    REPAIR = "repair"
    CULTURE = "culture"
    CONSULTING = "consulting"
    OTHER = "other"


def kind_names() -> dict[str, str]:
    """The kinds of activities."""
    return {
        Kind.LECTURE: _("Lecture"),
        Kind.CLEANUP: _("Clean-up"),
        Kind.REPAIR: _("Repairs for residents"),
        Kind.CULTURE: _("Culture and sports"),
        Kind.CONSULTING: _("Consulting"),
        Kind.OTHER: _("Other activities"),
    }


class Activity(db.Dated, db.Table):
    """Something that a service team holds for residents."""

    __tablename__ = "activity"
    __read__ = "unit.read"
    __table_args__ = (
        CheckConstraint("kind IN ('lecture', 'cleanup', 'repair', 'culture', 'consulting', 'other')", name="kind"),
        CheckConstraint("attendance BETWEEN 0 AND 100000", name="attendance"),
        Index("ix_activity_community_id_begins_at", "community_id", "begins_at"),
        Index("ix_activity_team_id", "team_id"),
        Index("ix_activity_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: the grid in which it is held; empty: of the whole community, or not placed
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("service_team.id", ondelete="SET NULL"))
    kind: Mapped[str]
    title: Mapped[str]
    begins_at: Mapped[datetime]
    place: Mapped[str | None]
    #: whom it is for: old people, parents …
    audience: Mapped[str | None]
    #: how many came; empty before it was held
    attendance: Mapped[int | None]
    note: Mapped[texts.Long | None]
    geom: Mapped[WKBElement | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """An activity is its community's; whoever has a grid of it tells residents of it."""
        of_grids = select(units.Unit.community_id).where(units.Unit.id.in_(sorted(area.single)))
        return access.in_area(area, cls.community_id) | cls.community_id.in_(of_grids)


db.sentences["ck_activity_attendance"] = "How many came is a number from 0 to 100,000."


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which activities: where, of which team and kind, in which days (the last included)."""

    community: str | None = None
    grid: str | None = None
    team_id: int | None = None
    kinds: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None


#: What activities can be sorted by.
SORTS: dict[str, Any] = {"id": Activity.id, "begins": Activity.begins_at}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The activities the actor may see, a row each: the columns but ``geom``, ``team_name grid_name lon lat``."""
    wanted = wanted or Filter()
    query: Rows = (
        select(
            *listing.columns(Activity, without=("geom",)),
            ServiceTeam.name.label("team_name"),
            units.Unit.name.label("grid_name"),
            func.ST_X(Activity.geom).label("lon"),
            func.ST_Y(Activity.geom).label("lat"),
        )
        .outerjoin(ServiceTeam, ServiceTeam.id == Activity.team_id)
        .outerjoin(units.Unit, units.Unit.id == Activity.grid_id)
    )
    query = access.visible(query, actor, Activity)
    query = units.narrowed(query, Activity.community_id, Activity.grid_id, wanted.community, wanted.grid)
    if wanted.team_id is not None:
        query = query.where(Activity.team_id == wanted.team_id)
    if wanted.kinds is not None:
        query = query.where(Activity.kind.in_(wanted.kinds))
    return query.where(*listing.in_period(Activity.begins_at, wanted.first, wanted.last))


def get(session: Session, actor: Actor, activity_id: int) -> Activity:
    """The activity with this id.

    Raises
    ------
    ActivityNotFound
    """
    activity = session.scalar(access.visible(select(Activity).where(Activity.id == activity_id), actor, Activity))
    if activity is None:
        raise ActivityNotFound(_("Not found, or outside your area."))
    return activity


def row(session: Session, activity: Activity) -> Row[Any]:
    """An activity as a row of ``selection``, for one that the actor was already shown to see."""
    return session.execute(selection(access.SYSTEM).where(Activity.id == activity.id)).one()


def pictures(session: Session, activity: Activity) -> Sequence[Photo]:
    """The photos of an activity that the actor was shown to see, oldest first."""
    return session.scalars(select(Photo).where(Photo.activity_id == activity.id).order_by(Photo.id)).all()


def add(
    session: Session,
    actor: Actor,
    community: units.Unit,
    *,
    point: tuple[float, float] | None = None,
    pictures: Sequence[bytes] = (),
    **values: Any,
) -> Activity:
    """A new activity of a community, at a point (longitude, latitude in degrees), with photos.

    Raises
    ------
    Invalid
        The team is of another community.
    NotAPhoto
    """
    access.require(actor, "team.edit", community.id)
    activity = Activity(community_id=community.id, **values)
    _place(session, activity, point)
    _check_team(session, activity)
    session.add(activity)
    session.flush()
    _keep(session, actor, activity, pictures)
    return activity


def change(
    session: Session,
    actor: Actor,
    activity: Activity,
    *,
    point: tuple[float, float] | None = None,
    pictures: Sequence[bytes] = (),
    **values: Any,
) -> Activity:
    """Change fields and the place of an activity, and add photos."""
    access.require(actor, "team.edit", activity.community_id)
    for name, value in values.items():
        setattr(activity, name, value)
    _place(session, activity, point)
    _check_team(session, activity)
    session.flush()
    _keep(session, actor, activity, pictures)
    return activity


def remove(session: Session, actor: Actor, activity: Activity) -> None:
    """Remove an activity with its photos."""
    access.require(actor, "team.edit", activity.community_id)
    session.delete(activity)
    session.flush()


def _place(session: Session, activity: Activity, point: tuple[float, float] | None) -> None:
    activity.geom = func.ST_SetSRID(func.ST_MakePoint(*point), 4326) if point else None
    activity.grid_id = grids.grid_at(session, activity.community_id, *point) if point else None


def _check_team(session: Session, activity: Activity) -> None:
    if activity.team_id is None:
        return
    of_team = select(ServiceTeam.community_id).where(ServiceTeam.id == activity.team_id)
    if session.scalar(of_team) != activity.community_id:
        raise Invalid(_("This community has no such service team."), field="team_id")


def _keep(session: Session, actor: Actor, activity: Activity, pictures: Sequence[bytes]) -> None:
    for content in pictures:
        photos.store(
            session,
            actor,
            content,
            community_id=activity.community_id,
            grid_id=activity.grid_id,
            activity_id=activity.id,
        )
