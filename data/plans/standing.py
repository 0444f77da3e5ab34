"""A plan as it stands: its grids as a coverage in the community's metres, and the list of plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from data import units
from data.accounts import Account
from data.base import access
from data.base.access import Actor, Rows
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.plans.tables import Plan, PlanGrid
from spatial.coverages import tiling
from spatial.coverages.tiling import Coverage
from spatial.datums import reproject


class PlanNotFound(NotFound):
    """There is no such plan, or it is outside the actor's area."""


@dataclass(frozen=True)
class Standing:
    """A plan as it stands: its grids, and the coverage that they are."""

    plan: Plan
    community: units.Unit
    rows: dict[int, Row[Any]]
    coverage: Coverage

    def flat(self, geometries: Sequence[Any]) -> Any:
        """Geometries in degrees → in the community's metres."""
        return reproject(_array(geometries), "EPSG:4326", self.community.metric_crs)

    def round(self, geometries: Sequence[Any]) -> Any:
        """Geometries in metres → in degrees."""
        return reproject(_array(geometries), self.community.metric_crs, "EPSG:4326")

    def spot(self, place: tuple[float, float] | None) -> tuple[float, float]:
        """A place in degrees → in metres.

        Raises
        ------
        Invalid
            None was said.
        """
        if place is None:
            raise Invalid(_("Say where."), field="at")
        x, y = shapely.get_coordinates(self.flat([shapely.Point(place)]))[0]
        return float(x), float(y)

    def drawn(self, corners: Sequence[tuple[float, float]]) -> Any:
        """A line in degrees → in metres."""
        if len(corners) < 2:
            raise Invalid(_("A line needs two corners."), field="line")
        return self.flat([shapely.LineString(corners)])[0]


def _array(geometries: Sequence[Any]) -> Any:
    made = np.empty(len(geometries), dtype=object)
    made[:] = list(geometries)
    return made


def selection(actor: Actor, community: str | None = None) -> Rows:
    """The plans that the actor may see, newest first, with ``author`` and ``grids``."""
    size = select(func.count()).where(PlanGrid.plan_id == Plan.id).scalar_subquery()
    query: Rows = (
        select(*Plan.__table__.c, Account.name.label("author"), size.label("grids"))
        .outerjoin(Account, Account.id == Plan.author_id)
        .order_by(Plan.id.desc())
    )
    if community:
        query = query.join(units.Unit, units.Unit.id == Plan.community_id).where(units.Unit.code == community)
    return access.visible(query, actor, Plan)


def listed(session: Session, actor: Actor, community: str | None = None, most: int = 200) -> Sequence[Row[Any]]:
    """The rows of ``selection``."""
    return session.execute(selection(actor, community).limit(most)).all()


def get(session: Session, actor: Actor, plan_id: int) -> Plan:
    """The plan with this id.

    Raises
    ------
    PlanNotFound
    """
    plan = session.scalar(access.visible(select(Plan).where(Plan.id == plan_id), actor, Plan))
    if plan is None:
        raise PlanNotFound(_("Not found, or outside your area."))
    return plan


def standing(session: Session, plan: Plan) -> Standing:
    """A plan with its coverage. The caller has shown that the actor may see it."""
    community = session.get_one(units.Unit, plan.community_id)
    columns = (PlanGrid.key, PlanGrid.grid_id, PlanGrid.name, PlanGrid.locked)
    rows = session.execute(
        select(*columns, func.ST_AsBinary(PlanGrid.geom).label("geom"))
        .where(PlanGrid.plan_id == plan.id)
        .order_by(PlanGrid.key)
    ).all()
    by_key = {row.key: row for row in rows}
    areas = flat_areas(community, {row.key: shapely.from_wkb(bytes(row.geom)) for row in rows})
    return Standing(plan, community, by_key, Coverage(areas, frozenset(row.key for row in rows if row.locked)))


def flat_areas(community: units.Unit, shapes: Mapping[int, Any]) -> dict[int, Any]:
    """Areas in degrees → in the community's metres, with their vertices on millimetres."""
    flat = shapely.normalize(
        tiling.rounded(reproject(_array(list(shapes.values())), "EPSG:4326", community.metric_crs))
    )
    single = [shapely.get_geometry(geom, 0) if shapely.get_num_geometries(geom) == 1 else geom for geom in flat]
    return dict(zip(shapes, single, strict=True))


def multi(geom: Any) -> MultiPolygon:
    """An area as a multipolygon."""
    return geom if isinstance(geom, MultiPolygon) else MultiPolygon([geom])
