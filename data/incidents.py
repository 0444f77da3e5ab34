"""Incidents 事件: what is wrong where, and in which state.

The states are those of the look: 待受理 new, 处置中 in progress, 待核查 to verify, 已办结 closed, 挂起 on hold,
不予受理 declined. Overdue is not a state but a fact of an open incident.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import buildings, grids, units
from data.base import access, db, listing, settings
from data.base.access import Actor, Rows
from data.base.errors import Conflict, Invalid, NotFound
from data.base.language import _
from data.grids import LocatedBy, UnlocatedReason


class IncidentNotFound(NotFound):
    """There is no such incident, or it is outside the actor's area."""


class CategoryNotFound(NotFound):
    """There is no such category."""


class State(StrEnum):
    """Where an incident stands."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    TO_VERIFY = "to_verify"
    CLOSED = "closed"
    ON_HOLD = "on_hold"
    DECLINED = "declined"


OPEN = (State.NEW, State.IN_PROGRESS, State.TO_VERIFY, State.ON_HOLD)


class Category(db.Table):
    """A kind of incident; a tree that the community edits. ``external_code`` is for a standard's own classes."""

    __tablename__ = "category"

    code: Mapped[str] = mapped_column(primary_key=True)
    parent_code: Mapped[str | None] = mapped_column(ForeignKey("category.code", onupdate="CASCADE"))
    name_zh: Mapped[str]
    name_en: Mapped[str]
    icon: Mapped[str] = mapped_column(server_default="dots")
    #: who settles it as a rule: the grid on the spot, the community, or the street
    tier: Mapped[str | None]
    days: Mapped[int | None]
    external_code: Mapped[str | None]
    position: Mapped[int] = mapped_column(server_default="0")


class Incident(db.Dated, db.Table):
    """Something that somebody reported."""

    __tablename__ = "incident"
    __read__ = "incident.read"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        CheckConstraint("state IN ('new', 'in_progress', 'to_verify', 'closed', 'on_hold', 'declined')", name="state"),
        CheckConstraint("(grid_id IS NULL) = (unlocated_reason IS NOT NULL)", name="located"),
        Index("ix_incident_geom", "geom", postgresql_using="gist"),
        Index("ix_incident_grid_id_reported_at", "grid_id", "reported_at"),
        Index("ix_incident_community_id_reported_at", "community_id", "reported_at"),
        Index("ix_incident_building_id", "building_id", postgresql_where=text("building_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    building_id: Mapped[int | None] = mapped_column(ForeignKey("building.id"))
    #: The natural key within the community: our own 20260317-006, or the number of the system it came from.
    number: Mapped[str]
    category_code: Mapped[str] = mapped_column(ForeignKey("category.code", onupdate="CASCADE"))
    state: Mapped[str] = mapped_column(server_default=State.NEW)
    geom: Mapped[WKBElement | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    address: Mapped[str | None]
    description: Mapped[str | None]
    source: Mapped[str] = mapped_column(server_default="staff")
    reported_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    located_by: Mapped[str | None]
    located_score: Mapped[float | None]
    unlocated_reason: Mapped[str | None]

    @hybrid_property
    def overdue(self) -> bool:
        """Whether it is still open after its time."""
        return self.state in OPEN and self.due_at is not None and self.due_at < datetime.now(UTC)

    @overdue.inplace.expression
    @classmethod
    def _overdue(cls) -> ColumnElement[bool]:
        return func.coalesce(cls.state.in_(OPEN) & (cls.due_at < func.now()), False)

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """An incident lies in its community and its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)


db.sentences["uq_incident_community_id_number"] = "Another incident of this community already has this number."


def get(session: Session, actor: Actor, incident_id: int) -> Incident:
    """The incident with this id.

    Raises
    ------
    IncidentNotFound
    """
    found = session.scalar(access.visible(select(Incident).where(Incident.id == incident_id), actor, Incident))
    if found is None:
        raise IncidentNotFound(_("Not found, or outside your area."))
    return found


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which incidents: codes of community and grid, states, categories (with those below), days, a box, a text …"""

    community: str | None = None
    grid: str | None = None
    building_id: int | None = None
    states: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    first: date | None = None
    last: date | None = None
    overdue: bool | None = None
    box: listing.Box | None = None
    text: str | None = None
    located: bool | None = None


#: What incidents can be sorted by.
SORTS: dict[str, Any] = {
    "id": Incident.id,
    "number": Incident.number,
    "reported": Incident.reported_at,
    "updated": Incident.updated_at,
}


def narrowed(query: Rows, actor: Actor, wanted: Filter) -> Rows:
    """``query`` over incidents restricted to what the actor may see and what is wanted."""
    query = access.visible(query, actor, Incident)
    query = units.narrowed(query, Incident.community_id, Incident.grid_id, wanted.community, wanted.grid)
    if wanted.building_id:
        query = query.where(Incident.building_id == wanted.building_id)
    if wanted.states is not None:
        query = query.where(Incident.state.in_(wanted.states))
    if wanted.categories is not None:
        below = select(Category.code).where(Category.parent_code.in_(wanted.categories)).correlate(None)
        query = query.where(Incident.category_code.in_(wanted.categories) | Incident.category_code.in_(below))
    query = query.where(*listing.in_period(Incident.reported_at, wanted.first, wanted.last))
    if wanted.overdue is not None:
        query = query.where(Incident.overdue.is_(wanted.overdue))
    if wanted.box:
        query = query.where(listing.in_box(Incident.geom, wanted.box))
    if wanted.text:
        texts = (Incident.number, Incident.address, Incident.description)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    if wanted.located is not None:
        query = query.where(Incident.grid_id.is_not(None) if wanted.located else Incident.grid_id.is_(None))
    return query


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The incidents the actor may see, a row each, with their category's names and icon, grid, building, lon, lat."""
    return narrowed(rows(), actor, wanted or Filter())


def rows() -> Rows:
    """All incidents as ``selection`` gives them, for one that the actor was already shown to see."""
    return (
        select(
            *listing.columns(Incident, without=("geom",)),
            Incident.overdue.label("overdue"),
            Category.name_zh.label("category_zh"),
            Category.name_en.label("category_en"),
            Category.icon.label("icon"),
            units.Unit.code.label("grid_code"),
            units.Unit.name.label("grid_name"),
            buildings.Building.number.label("building_number"),
            func.ST_X(Incident.geom).label("lon"),
            func.ST_Y(Incident.geom).label("lat"),
        )
        .join(Category, Category.code == Incident.category_code)
        .outerjoin(units.Unit, units.Unit.id == Incident.grid_id)
        .outerjoin(buildings.Building, buildings.Building.id == Incident.building_id)
    )


def counts(session: Session, actor: Actor, wanted: Filter, by: Any = Incident.state) -> dict[str, int]:
    """How many incidents there are of each state, or of each value of another column."""
    query = narrowed(select(by, func.count()), actor, wanted).group_by(by)
    return dict(session.execute(query).all())


def report(
    session: Session,
    actor: Actor,
    *,
    community: units.Unit,
    category_code: str,
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
    **values: Any,
) -> Incident:
    """A new incident at a point (degrees, EPSG:4326) or a building; it is located and numbered here.

    Without ``due_at`` it is due after the days that its category is given.
    """
    kind = session.get(Category, category_code)
    if kind is None:
        raise Invalid(_("There is no category “{code}”.", code=category_code), field="category_code")
    now = values.pop("reported_at", None) or datetime.now(UTC)
    if kind.days is not None and values.get("due_at") is None:
        values["due_at"] = now + timedelta(days=kind.days)
    incident = Incident(community_id=community.id, category_code=category_code, reported_at=now, **values)
    place(session, actor, incident, lon=lon, lat=lat, building_id=building_id)
    access.require(actor, "incident.report", community.id, incident.grid_id)
    if not incident.number:
        incident.number = next_number(session, community.id, now)
    session.add(incident)
    session.flush()
    return incident


def place(
    session: Session,
    actor: Actor,
    incident: Incident,
    *,
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
    by_hand: bool = False,
) -> None:
    """Put an incident to a point, else to a building; it lies in the grid that covers that."""
    incident.building_id = building_id
    grid_id: int | None = None
    by = LocatedBy.POINT
    if lon is not None and lat is not None:
        incident.geom = from_shape(Point(lon, lat), 4326)
        grid_id, reason = grids.locate(session, incident.community_id, lon, lat), UnlocatedReason.OUTSIDE
    elif building_id is not None:
        building = buildings.get(session, actor, building_id)
        if building.community_id != incident.community_id:
            raise Invalid(_("The building lies in another community."), field="body.building_id")
        incident.geom, by = building.point, LocatedBy.ADDRESS
        grid_id, reason = building.grid_id, UnlocatedReason.OUTSIDE
    else:
        incident.geom, reason = None, UnlocatedReason.NO_PLACE
    incident.grid_id = grid_id
    incident.located_by = (LocatedBy.MANUAL if by_hand else by) if grid_id else None
    incident.located_score = 1.0 if grid_id else None
    incident.unlocated_reason = None if grid_id else reason


def next_number(session: Session, community_id: int, at: datetime) -> str:
    """The next free number of a day: date and running number, ``20260317-006``.

    Numbers of one community and day are given out one after the other (an advisory lock until the transaction ends),
    so none is given twice and none is skipped by a failed one.
    """
    day = at.astimezone(ZoneInfo(settings.get().timezone)).strftime("%Y%m%d")
    session.execute(
        text("SELECT pg_advisory_xact_lock(:community, :day)"), {"community": community_id, "day": int(day)}
    )
    last = session.scalar(
        text(
            "SELECT max(split_part(number, '-', 2)::int) FROM incident "
            "WHERE community_id = :community AND number ~ ('^' || :day || '-[0-9]{3,6}$')"
        ),
        {"community": community_id, "day": day},
    )
    return f"{day}-{(last or 0) + 1:03d}"


def change(session: Session, actor: Actor, incident: Incident, **values: Any) -> Incident:
    """Change fields of an incident; a change to ``closed`` notes the time."""
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    for name, value in values.items():
        setattr(incident, name, value)
    if values.get("state") == State.CLOSED and incident.closed_at is None:
        incident.closed_at = datetime.now(UTC)
    elif "state" in values and values["state"] != State.CLOSED:
        incident.closed_at = None
    session.flush()
    return incident


def move(session: Session, actor: Actor, incident: Incident, **place_: Any) -> Incident:
    """Put an incident by hand to a point (``lon`` and ``lat``, degrees) or a building (``building_id``)."""
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    place(session, actor, incident, by_hand=True, **place_)
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    session.flush()
    return incident


def remove(session: Session, actor: Actor, incident: Incident) -> None:
    """Remove an incident, for instance one that was reported twice."""
    access.require(actor, "incident.edit", incident.community_id, incident.grid_id)
    session.delete(incident)
    session.flush()


def categories(session: Session) -> list[Category]:
    """All categories, parents before children, in the order of the list."""
    return list(session.scalars(select(Category).order_by(Category.position, Category.code)))


def category(session: Session, code: str) -> Category:
    """The category with this code.

    Raises
    ------
    CategoryNotFound
    """
    found = session.get(Category, code)
    if found is None:
        raise CategoryNotFound(_("There is no category “{code}”.", code=code))
    return found


def add_category(session: Session, actor: Actor, *, code: str, **values: Any) -> Category:
    """A new category."""
    access.require_everywhere(actor, "unit.edit")
    if session.get(Category, code) is not None:
        raise Conflict(_("There is already a category “{code}”.", code=code), code=code)
    _check_parent(session, code, values.get("parent_code"))
    found = Category(code=code, **values)
    session.add(found)
    session.flush()
    return found


def change_category(session: Session, actor: Actor, code: str, **values: Any) -> Category:
    """Change fields of a category."""
    access.require_everywhere(actor, "unit.edit")
    found = category(session, code)
    _check_parent(session, code, values.get("parent_code"))
    for name, value in values.items():
        setattr(found, name, value)
    session.flush()
    return found


def remove_category(session: Session, actor: Actor, code: str) -> None:
    """Remove a category that no incident has and none lies below."""
    access.require_everywhere(actor, "unit.edit")
    session.delete(category(session, code))
    session.flush()


def _check_parent(session: Session, code: str, parent_code: str | None) -> None:
    """Categories are a tree of two levels: a parent has no parent of its own."""
    if parent_code is None:
        return
    parent = category(session, parent_code)
    has_children = session.scalar(select(Category.code).where(Category.parent_code == code).limit(1))
    if parent_code == code or parent.parent_code is not None or has_children:
        raise Invalid(_("A category lies below a main category, and a main category below none."), field="parent_code")
