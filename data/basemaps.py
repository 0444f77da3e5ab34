"""The community's own base map: roads, paths, greens, water, land use, walls, gates and places, as imported.

It is ground to draw on, nothing personal, and shown to whoever sees the community.
"""

from __future__ import annotations

from enum import StrEnum

import shapely
from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import from_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, db, texts


class GroundKind(StrEnum):
    """What a feature of the ground is."""

    ROAD = "road"
    PATH = "path"
    GREEN = "green"
    WATER = "water"
    LANDUSE = "landuse"
    BUILDING = "building"
    WALL = "wall"
    GATE = "gate"
    POI = "poi"


class Basemap(db.Table):
    """A feature of the ground."""

    __tablename__ = "basemap"
    __read__ = "unit.read"
    __audited__ = False
    __table_args__ = (
        CheckConstraint(
            "kind IN ('road', 'path', 'green', 'water', 'landuse', 'building', 'wall', 'gate', 'poi')", name="kind"
        ),
        UniqueConstraint("community_id", "code"),
        Index("ix_basemap_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    #: The natural key within the community: the source's own id.
    code: Mapped[texts.Long]
    kind: Mapped[str]
    name: Mapped[texts.Long | None]
    width_m: Mapped[float | None]
    geom: Mapped[WKBElement] = mapped_column(Geometry("GEOMETRY", 4326, spatial_index=False))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """The ground of a community is shown to whoever sees anything of it."""
        return cls.community_id.in_(sorted(area.units | area.communities))


def lines(session: Session, community_id: int, window: BaseGeometry) -> list[BaseGeometry]:
    """The streets, paths and walls of a community's ground that meet a window (EPSG:4326)."""
    rows = session.scalars(
        select(func.ST_AsBinary(Basemap.geom)).where(
            Basemap.community_id == community_id,
            Basemap.kind.in_((GroundKind.ROAD, GroundKind.PATH, GroundKind.WALL)),
            Basemap.geom.intersects(from_shape(window, 4326)),
        )
    )
    return [shapely.from_wkb(bytes(row)) for row in rows]
