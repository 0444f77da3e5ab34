"""Assets 部件: numbered things that stand somewhere, such as street lamps, so that one can say which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import from_shape
from shapely import Point
from sqlalchemy import ColumnElement, ForeignKey, Index, Row, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import grids, units
from data.base import access, db, listing
from data.base.access import Actor, Rows
from data.base.errors import NotFound
from data.base.language import _


class AssetNotFound(NotFound):
    """There is no such asset, or it is outside the actor's area."""


class Asset(db.Dated, db.Table):
    """A thing with a number."""

    __tablename__ = "asset"
    __read__ = "building.read"
    __table_args__ = (
        UniqueConstraint("community_id", "kind", "number"),
        Index("ix_asset_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    #: What it is: ``street_lamp``, ``hydrant`` … a word the community chooses.
    kind: Mapped[str]
    number: Mapped[str]
    name: Mapped[str | None]
    geom: Mapped[WKBElement] = mapped_column(Geometry("POINT", 4326, spatial_index=False))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """An asset lies in its community and its grid."""
        return access.in_area(area, cls.community_id, cls.grid_id)


db.sentences["uq_asset_community_id_kind_number"] = "Another asset of this kind already has this number."


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which assets: codes of community and grid, kind, a box, a text in number or name."""

    community: str | None = None
    grid: str | None = None
    kind: str | None = None
    box: listing.Box | None = None
    text: str | None = None


#: What assets can be sorted by.
SORTS: dict[str, Any] = {"id": Asset.id, "number": Asset.number, "updated": Asset.updated_at}


def get(session: Session, actor: Actor, asset_id: int) -> Asset:
    """The asset with this id.

    Raises
    ------
    AssetNotFound
    """
    found = session.scalar(access.visible(select(Asset).where(Asset.id == asset_id), actor, Asset))
    if found is None:
        raise AssetNotFound(_("Not found, or outside your area."))
    return found


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The assets the actor may see, a row each: the columns but ``geom``, ``lon lat grid_code grid_name``."""
    wanted = wanted or Filter()
    query = access.visible(rows(), actor, Asset)
    query = units.narrowed(query, Asset.community_id, Asset.grid_id, wanted.community, wanted.grid)
    if wanted.kind:
        query = query.where(Asset.kind == wanted.kind)
    if wanted.box:
        query = query.where(listing.in_box(Asset.geom, wanted.box))
    if wanted.text:
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in (Asset.number, Asset.name))))
    return query


def rows() -> Rows:
    """All assets as ``selection`` gives them, for one that the actor was already shown to see."""
    return select(
        *listing.columns(Asset, without=("geom",)),
        func.ST_X(Asset.geom).label("lon"),
        func.ST_Y(Asset.geom).label("lat"),
        units.Unit.code.label("grid_code"),
        units.Unit.name.label("grid_name"),
    ).outerjoin(units.Unit, units.Unit.id == Asset.grid_id)


def row(session: Session, asset: Asset) -> Row[Any]:
    """An asset as a row of ``rows``, for one that the actor was already shown to see."""
    return session.execute(rows().where(Asset.id == asset.id)).one()


def add(session: Session, actor: Actor, *, community_id: int, lon: float, lat: float, **values: Any) -> Asset:
    """A new asset at a point (degrees, EPSG:4326); it lies in the grid that covers it."""
    grid_id = grids.locate(session, community_id, lon, lat)
    access.require(actor, "building.edit", community_id, grid_id)
    asset = Asset(community_id=community_id, grid_id=grid_id, geom=from_shape(Point(lon, lat), 4326), **values)
    session.add(asset)
    session.flush()
    return asset


def change(
    session: Session, actor: Actor, asset: Asset, *, lon: float | None = None, lat: float | None = None, **values: Any
) -> Asset:
    """Change fields of an asset, or move it to another point."""
    access.require(actor, "building.edit", asset.community_id, asset.grid_id)
    if lon is not None and lat is not None:
        asset.geom = from_shape(Point(lon, lat), 4326)
        asset.grid_id = grids.locate(session, asset.community_id, lon, lat)
        access.require(actor, "building.edit", asset.community_id, asset.grid_id)
    for name, value in values.items():
        setattr(asset, name, value)
    session.flush()
    return asset


def remove(session: Session, actor: Actor, asset: Asset) -> None:
    """Remove an asset."""
    access.require(actor, "building.edit", asset.community_id, asset.grid_id)
    session.delete(asset)
    session.flush()
