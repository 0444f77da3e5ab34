"""Rounds 巡查路线: who is to walk where, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
import shapely
from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import from_shape, to_shape
from numpy.typing import NDArray
from shapely import LineString
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Boolean, CheckConstraint, ColumnElement, ForeignKey, Index, Row, func, select, text, type_coerce
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import accounts, buildings, grids, units
from data.base import access, db, listing, settings
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.basemaps import Basemap, GroundKind
from spatial import routes
from spatial.datums import reproject

#: More buildings are not passed in one round.
MOST = 400
#: So far around the buildings streets are looked for, in metres.
_AROUND_M = 60.0


#: A route passes the buildings that are nearer than this, in metres.
PASSES_M = 30.0


class RoundNotFound(NotFound):
    """There is no such round, or it is outside the actor's area."""


class Rhythm(StrEnum):
    """How often something is to be done."""

    DAILY = "daily"
    WEEKLY = "weekly"


def rhythm_names() -> dict[str, str]:
    """How often a round is walked."""
    return {"daily": _("Every day"), "weekly": _("Once a week")}


class Round(db.Dated, db.Table):
    """A planned walk."""

    __tablename__ = "round"
    __read__ = "coverage.read"
    __table_args__ = (
        CheckConstraint("rhythm IN ('daily', 'weekly')", name="rhythm"),
        CheckConstraint("weekdays <@ ARRAY[1, 2, 3, 4, 5, 6, 7]", name="weekdays"),
        Index("ix_round_community_id_grid_id", "community_id", "grid_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    name: Mapped[str]
    rhythm: Mapped[str] = mapped_column(server_default=Rhythm.DAILY)
    #: Days of the week on which it is walked, Monday is 1; empty: every day, or once on any day of the week.
    weekdays: Mapped[list[int]] = mapped_column(ARRAY(INTEGER), server_default=text("'{}'"))
    #: When it begins, in the community's time zone.
    starts_at: Mapped[time | None]
    #: Who walks it.
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    geom: Mapped[WKBElement | None] = mapped_column(Geometry("LINESTRING", 4326, spatial_index=False))
    #: The buildings it passes, in their order.
    building_ids: Mapped[list[int]] = mapped_column(ARRAY(INTEGER), server_default=text("'{}'"))
    length_m: Mapped[float | None]
    active: Mapped[bool] = mapped_column(server_default=text("true"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A round lies in its community and its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which rounds: codes of community and grid, who walks them, whether they still are."""

    community: str | None = None
    grid: str | None = None
    account_id: int | None = None
    active: bool | None = None


#: What rounds can be sorted by.
SORTS: dict[str, Any] = {"id": Round.id, "name": Round.name, "updated": Round.updated_at}


def get(session: Session, actor: Actor, round_id: int) -> Round:
    """The round with this id.

    Raises
    ------
    RoundNotFound
    """
    found = session.scalar(access.visible(select(Round).where(Round.id == round_id), actor, Round))
    if found is None:
        raise RoundNotFound(_("Not found, or outside your area."))
    return found


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The rounds the actor may see, a row each: the columns but ``geom``, ``account_name grid_code grid_name``."""
    wanted = wanted or Filter()
    query = access.visible(rows(), actor, Round)
    query = units.narrowed(query, Round.community_id, Round.grid_id, wanted.community, wanted.grid)
    if wanted.account_id:
        query = query.where(Round.account_id == wanted.account_id)
    if wanted.active is not None:
        query = query.where(Round.active.is_(wanted.active))
    return query


def rows() -> Rows:
    """All rounds as ``selection`` gives them, for one that the actor was already shown to see."""
    return (
        select(
            *listing.columns(Round, without=("geom",)),
            accounts.Account.name.label("account_name"),
            units.Unit.code.label("grid_code"),
            units.Unit.name.label("grid_name"),
        )
        .outerjoin(accounts.Account, accounts.Account.id == Round.account_id)
        .outerjoin(units.Unit, units.Unit.id == Round.grid_id)
    )


def row(session: Session, round_: Round) -> Row[Any]:
    """A round as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Round.id == round_.id)).one()


def add(
    session: Session,
    actor: Actor,
    *,
    community_id: int,
    grid_id: int | None = None,
    geom: BaseGeometry | None = None,
    building_ids: Sequence[int] | None = None,
    **values: Any,
) -> Round:
    """A new round. Without ``geom`` (a line in EPSG:4326) its route is made to pass the buildings, or all of them.

    Raises
    ------
    Invalid
        The grid lies in another community, or the route is no line.
    """
    if grid_id is not None and grids.get(session, actor, grid_id).community_id != community_id:
        raise Invalid(_("The grid lies in another community."), field="body.grid_id")
    access.require(actor, "patrol.edit", community_id, grid_id)
    found = Round(community_id=community_id, grid_id=grid_id, **values)
    _lay(session, actor, found, geom, building_ids)
    session.add(found)
    session.flush()
    return found


def change(session: Session, actor: Actor, found: Round, **values: Any) -> Round:
    """Change fields of a round; ``geom`` lays its route anew, and ``building_ids`` alone makes one."""
    access.require(actor, "patrol.edit", found.community_id, found.grid_id)
    laid = {name: values.pop(name) for name in ("geom", "building_ids") if name in values}
    for name, value in values.items():
        setattr(found, name, value)
    if laid:
        _lay(session, actor, found, laid.get("geom"), laid.get("building_ids"))
    session.flush()
    return found


def remove(session: Session, actor: Actor, found: Round) -> None:
    """Remove a round; patrols that were walked for it stay."""
    access.require(actor, "patrol.edit", found.community_id, found.grid_id)
    session.delete(found)
    session.flush()


def _lay(
    session: Session, actor: Actor, planned: Round, geom: BaseGeometry | None, building_ids: Sequence[int] | None
) -> None:
    community = units.community(session, actor, planned.community_id)
    if geom is None:
        route = route_past(session, actor, community, grid_id=planned.grid_id, building_ids=building_ids)
        planned.geom = from_shape(route.line, 4326) if route.line else None
        planned.building_ids, planned.length_m = route.building_ids, route.length_m
        return
    if geom.geom_type != "LineString":
        raise Invalid(_("A route is a line, not {kind}.", kind=geom.geom_type), field="body.geometry")
    planned.geom = from_shape(geom, 4326)
    if building_ids is None:
        building_ids = along(session, actor, community, geom, grid_id=planned.grid_id)
    planned.building_ids = list(building_ids)
    planned.length_m = float(shapely.length(reproject(np.array([geom]), "EPSG:4326", community.metric_crs))[0])


def along(
    session: Session, actor: Actor, community: units.Unit, line: BaseGeometry, *, grid_id: int | None = None
) -> list[int]:
    """The homes that a line (EPSG:4326) passes within ``PASSES_M``, of a grid or the community, in its order."""
    building = buildings.Building
    query = access.visible(select(building.id, building.geom), actor, building).where(
        building.community_id == community.id,
        building.geom.is_not(None),
        building.kind == buildings.BuildingKind.RESIDENTIAL,
    )
    if grid_id is not None:
        query = query.where(building.grid_id == grid_id)
    rows = session.execute(query).all()
    shapes = np.array([line, *(to_shape(row.geom) for row in rows)], dtype=object)
    way, *outlines = reproject(shapes, "EPSG:4326", community.metric_crs)
    near = [
        (way.project(outline.centroid), row.id)
        for row, outline in zip(rows, outlines, strict=True)
        if way.distance(outline) <= PASSES_M
    ]
    return [building_id for _along, building_id in sorted(near)]


@dataclass(frozen=True)
class Route:
    """A way past buildings and back: a line in EPSG:4326 (none past fewer than two), their order, metres."""

    line: LineString | None
    building_ids: list[int]
    length_m: float


def route_past(
    session: Session,
    actor: Actor,
    community: units.Unit,
    *,
    grid_id: int | None = None,
    building_ids: Sequence[int] | None = None,
) -> Route:
    """A round trip past buildings: those given, else all residential ones of the grid, else of the community.

    It begins at the building with the lowest code and keeps to the streets and paths of the base map where there are
    any, else it leads straight from door to door.

    Raises
    ------
    Invalid
        These are more buildings than one round can pass.
    """
    building = buildings.Building
    query = access.visible(select(building.id, building.point), actor, building).where(
        building.community_id == community.id, building.point.is_not(None)
    )
    if building_ids is not None:
        query = query.where(building.id.in_(building_ids))
    else:
        query = query.where(building.kind == buildings.BuildingKind.RESIDENTIAL)
        if grid_id is not None:
            query = query.where(building.grid_id == grid_id)
    doors = session.execute(query.order_by(listing.number_in(building.code), building.id).limit(MOST + 1)).all()
    if len(doors) > MOST:
        raise Invalid(_("These are more than {most} buildings. Plan a round for each grid.", most=MOST))
    if not doors:
        return Route(None, [], 0.0)
    degrees = np.array([to_shape(row.point) for row in doors], dtype=object)
    places = shapely.get_coordinates(reproject(degrees, "EPSG:4326", community.metric_crs))
    way = ways(session, community, places)
    order = routes.round_trip(way.metres)
    if len(order) < 2:
        return Route(None, [doors[0].id], 0.0)
    legs = [way.between(one, other) for one, other in zip(order.tolist(), np.roll(order, -1).tolist(), strict=True)]
    metric = LineString(np.concatenate(legs))
    line = reproject(np.array([metric], dtype=object), community.metric_crs, "EPSG:4326")[0]
    return Route(shapely.set_precision(line, 1e-7, mode="pointwise"), [doors[at].id for at in order], metric.length)


def ways(session: Session, community: units.Unit, places: NDArray[np.float64]) -> routes.Ways:
    """The ways between places (metres in the community's system, shape (n, 2)) along its streets and paths."""
    return routes.Network(_streets(session, community, places)).ways(places)


def _streets(session: Session, community: units.Unit, places: NDArray[np.float64]) -> NDArray[np.object_]:
    """Roads and paths of the base map around places, in metres."""
    corners = shapely.MultiPoint(places).buffer(_AROUND_M).envelope
    window = reproject(np.array([corners], dtype=object), community.metric_crs, "EPSG:4326")[0]
    rows = session.scalars(
        select(func.ST_AsBinary(Basemap.geom)).where(
            Basemap.community_id == community.id,
            Basemap.kind.in_((GroundKind.ROAD, GroundKind.PATH)),
            Basemap.geom.intersects(from_shape(window, 4326)),
        )
    )
    lines = shapely.from_wkb(np.array([bytes(row) for row in rows], dtype=object))
    return np.asarray(shapely.intersection(reproject(lines, "EPSG:4326", community.metric_crs), corners), dtype=object)


def due(session: Session, actor: Actor, on: date) -> Sequence[Any]:
    """The rounds that are to be walked on a day, with ``done``: a patrol of the round began that day, or that week."""
    monday = on - timedelta(days=on.weekday())
    walked = text(
        "(EXISTS (SELECT FROM patrol p WHERE p.round_id = round.id AND (p.started_at AT TIME ZONE :zone)::date "
        "BETWEEN CASE WHEN round.rhythm = 'weekly' THEN :monday ELSE :day END AND :day))"
    ).bindparams(zone=settings.get().timezone, monday=monday, day=on)
    return session.execute(
        selection(actor, Filter(active=True))
        .where((func.cardinality(Round.weekdays) == 0) | Round.weekdays.contains([on.isoweekday()]))
        .add_columns(type_coerce(walked, Boolean).label("done"))
        .order_by(Round.starts_at.nulls_last(), Round.id)
    ).all()
