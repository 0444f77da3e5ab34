"""Vector tiles 矢量瓦片: what each layer shows at each zoom, as one SELECT that gives a whole tile (MVT 2.1).

A tile is 512 pixels wide, so the tile of zoom z is seen at map zoom z + 1. A layer says which permission reads it,
which tables it is made from, and which records, attributes and detail belong into a tile of a zoom. Rows go through
``access.visible`` and the filters of the lists, so a tile shows what the list of the same filter names. People are
never in a tile; a grid carries how many there are, for those who may see them.

===================  ============================================  ============================================
source, layers       attributes                                    by zoom of the tile
===================  ============================================  ============================================
communities          id, name                                      from 8: the union of a community's grids
grids, grid_labels   id and the figure asked for; labels also      from 10, labels from 14
                     code and name
buildings            id, kind, number                              13, 14: one shape a kind, without id; then
                                                                   each, with its number from 16
incidents            id, state, icon, overdue; a mark for          to 12 communities by cells of 40 pixels, 13 a
                     several: count, overdue                       mark a community, 14 a mark a grid, 15 by
                                                                   cells, from 16 each
basemap              kind, name, width_m                           as ``_GROUND_FROM`` says
===================  ============================================  ============================================

From zoom 12 a tile's box is taken as a rectangle in degrees, which saves projecting every corner. Mercator bends a
meridian by at most 2π · 512 · sin φ / 2^z of the 4096 units of a tile: 0.8 units, a tenth of a pixel. Below that,
geometries are projected one by one (EPSG:3857).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    Double,
    Integer,
    Select,
    Subquery,
    and_,
    any_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, asyncpg
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import NullType

from data import grids, incidents, units
from data.base import access, db, settings
from data.base.access import PEOPLE, Actor, Area, Rows
from data.basemaps import Basemap
from data.buildings import Building, Dwelling
from data.households import Household, HouseholdGroup, Resident
from data.incidents import OPEN, Category, Incident
from data.units import Level, Unit

#: Zoom, column from the west, row from the north.
Tile = tuple[int, int, int]

ZOOM_MAX = 22
FLAT_FROM = 12
LABELS_FROM = 14
EXTENT = 4096
#: Share of a tile that is drawn beyond its edge: half of the largest mark with its halo; less for lines and areas.
MARK_MARGIN, EDGE_MARGIN = 1 / 16, 1 / 64
#: Cells of a tile's side where marks gather: 512 pixels hold twelve marks of 40 pixels. Neighbours share their cells.
CELLS = 12
_GROUND_FROM = {
    "water": 10,
    "road": 10,
    "green": 12,
    "landuse": 13,
    "building": 14,
    "path": 15,
    "wall": 15,
    "gate": 16,
    "poi": 16,
}


@dataclass(frozen=True)
class Wanted:
    """What a tile is asked for besides its place, by the filters of the lists.

    Attributes
    ----------
    community
        Only of the community with this code.
    incidents
        Which incidents (of that community).
    figure
        The figure that the grids carry, one of ``FIGURES``.
    on
        The day whose boundaries the grids have; today by default.
    """

    community: str | None = None
    incidents: incidents.Filter = field(default_factory=incidents.Filter)
    figure: str | None = None
    on: date | None = None


@dataclass(frozen=True)
class Layer:
    """One source of tiles.

    Attributes
    ----------
    permission
        What one needs to see it.
    tables
        What its tiles are made from.
    zoom_from
        Below this zoom every tile is empty.
    margin
        Share of a tile beyond its edge where records still matter to it, by zoom.
    statement
        The SELECT of one tile at a zoom; its parameters come from ``place``.
    uneven_below
        Below this zoom so many more records go into some tiles than into others that each is planned by itself.
    """

    name: str
    permission: str
    tables: tuple[str, ...]
    zoom_from: int
    margin: Callable[[int], float]
    statement: Callable[[int, Actor, Wanted], Rows]
    uneven_below: int = 0

    def areas(self, actor: Actor, wanted: Wanted) -> tuple[Area, ...]:
        """The areas that decide what ``actor`` is shown: those with equal areas are shown the same."""
        figure = (FIGURES[wanted.figure].area(actor),) if wanted.figure else ()
        return (actor.area(self.permission), *figure)

    def made_from(self, wanted: Wanted) -> tuple[str, ...]:
        """The tables that such a tile is made from."""
        return self.tables + (FIGURES[wanted.figure].tables if wanted.figure else ())


def place(layer: Layer, tile: Tile) -> dict[str, float]:
    """The parameters of a statement: the tile's box in the units it is drawn in, and in degrees with its margin."""
    z, x, y = tile
    margin = layer.margin(z)
    west, north = _corner(z, x - margin, y - margin)
    east, south = _corner(z, x + 1 + margin, y + 1 + margin)
    left, top = _corner(z, x, y)
    right, bottom = _corner(z, x + 1, y + 1)
    if z < FLAT_FROM:
        world = 2 * math.pi * 6_378_137
        left, right = (world * (column / 2**z - 0.5) for column in (x, x + 1))
        top, bottom = (world * (0.5 - row / 2**z) for row in (y, y + 1))
    return {
        "left": left,
        "bottom": bottom,
        "right": right,
        "top": top,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
    }


def _corner(z: int, x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a corner in the tile pyramid (Web Mercator)."""
    return 360 * x / 2**z - 180, math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * y / 2**z))))


def draw(session: Session, actor: Actor, layer: Layer, tile: Tile, wanted: Wanted | None = None) -> bytes:
    """One tile as ``actor`` may see it; empty when there is nothing in it."""
    wanted = wanted or Wanted()
    if tile[0] < layer.zoom_from:
        return b""
    handed = figured(_counted(session, actor, wanted)) if wanted.figure else {}
    found = session.scalar(layer.statement(tile[0], actor, wanted), {**place(layer, tile), **handed})
    return bytes(found or b"")


@dataclass(frozen=True)
class Plan:
    """A statement compiled once, to be run many times: its text with ``$1`` …, and the arguments in their order."""

    sql: str
    names: tuple[str, ...]
    values: dict[str, Any]

    @classmethod
    def of(cls, statement: Rows, convert: Callable[[Any], Any]) -> Plan:
        """The plan of a statement; ``convert`` makes of a value what the driver takes."""
        compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
        values = {name: convert(value) for name, value in compiled.params.items()}
        return cls(compiled.string, tuple(compiled.positiontup or ()), values)

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """The arguments; those not ``given`` are the statement's own."""
        return [given[name] if name in given else self.values[name] for name in self.names]


_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]


# Pieces of statements


def _parameters(*names: str) -> list[ColumnElement[float]]:
    return [bindparam(name, 0.0, Double()) for name in names]


def _plain(geom: Any) -> ColumnElement[Any]:
    """A geometry for other functions, not for us: it stays as PostGIS has it."""
    return type_coerce(geom, NullType())


def _near(geom: Any) -> ColumnElement[bool]:
    """The condition that a geometry (EPSG:4326) comes near the tile."""
    return _plain(geom).bool_op("&&")(func.ST_MakeEnvelope(*_parameters("west", "south", "east", "north"), 4326))


def _drawn(geom: Any, zoom: int, margin: float = EDGE_MARGIN) -> ColumnElement[Any]:
    """A geometry (EPSG:4326) in units of the tile, cut at its margin; null outside."""
    flat = zoom >= FLAT_FROM
    sides = func.ST_MakeEnvelope(*_parameters("left", "bottom", "right", "top"), 4326 if flat else 3857)
    box = select(func.Box2D(sides)).scalar_subquery()  # computed once a tile, not once a row
    shape = _plain(geom) if flat else func.ST_Transform(_plain(geom), 3857)
    return _plain(func.ST_AsMVTGeom(shape, box, EXTENT, round(margin * EXTENT), True)).label("geom")


def _layer(rows: Subquery, name: str, extent: int = EXTENT) -> Select[tuple[Any]]:
    """``rows`` with their column ``geom`` as one layer of a tile."""
    return select(func.ST_AsMVT(literal_column(rows.name), name, extent, "geom")).select_from(rows)


# Communities and grids


def _communities(zoom: int, actor: Actor, wanted: Wanted) -> Rows:
    held, near = grids.boundaries().subquery("held"), grids.boundaries().subquery("near")
    rows = (
        select(Unit.id, Unit.name, _drawn(func.ST_Union(_plain(held.c.geom)), zoom))
        .join(held, held.c.community_id == Unit.id)
        .where(Unit.id.in_(select(near.c.community_id).where(_near(near.c.geom))))
        .group_by(Unit.id)
    )
    rows = units.narrowed(rows, Unit.id, Unit.id, wanted.community, None)
    return _layer(access.visible(rows, actor, Unit).subquery("t"), "communities")


def _grids(zoom: int, actor: Actor, wanted: Wanted) -> Rows:
    boundary = grids.boundaries(on=wanted.on).subquery("boundary")
    rows = (
        select(Unit.id, Unit.code, Unit.name, Unit.community_id, _plain(boundary.c.geom).label("geom"))
        .join(boundary, boundary.c.grid_id == Unit.id)
        .where(Unit.level == Level.GRID, _near(boundary.c.geom))
    )
    rows = units.narrowed(rows, Unit.community_id, Unit.id, wanted.community, None)
    held = access.visible(rows, actor, Unit, "grid.read").cte("held")
    figures: list[ColumnElement[Any]] = []
    if wanted.figure:
        held = _with_figure(held)
        figures = [held.c.figure.label(wanted.figure)]
    drawn = _layer(select(held.c.id, *figures, _drawn(held.c.geom, zoom)).subquery("t"), "grids")
    if zoom < LABELS_FROM:
        return drawn
    middle = func.ST_Centroid(held.c.geom, type_=NullType())
    inside = case((func.ST_Covers(held.c.geom, middle), middle), else_=func.ST_PointOnSurface(held.c.geom))
    labels = select(held.c.id, held.c.code, held.c.name, *figures, _drawn(inside, zoom, margin=0))
    named = _layer(labels.subquery("t"), "grid_labels")
    return select(drawn.scalar_subquery().concat(named.scalar_subquery()))


def _with_figure(held: CTE) -> CTE:
    """The grids with their ``figure``, which is handed in; unknown where it is not."""
    arrays = [bindparam(name, [], ARRAY(Integer)) for name in ("figure_grids", "figure_counts")]
    rows = func.unnest(*arrays).table_valued(column("grid_id", Integer), column("count", Integer))
    counted = rows.render_derived("counted")
    return (
        select(held, counted.c.count.label("figure"))
        .outerjoin_from(held, counted, counted.c.grid_id == held.c.id)
        .cte("figured")
    )


@dataclass(frozen=True)
class Figure:
    """A number of each grid: who may see it, what it is made from, and the SELECT that counts it.

    With ``people`` it is how many there are, which some may know who may not know who they are.
    """

    permission: str
    tables: tuple[str, ...]
    statement: Callable[[Actor], Rows]
    people: bool = False

    def counter(self, actor: Actor) -> Actor:
        """The actor who counts it."""
        return actor.counter if self.people else actor

    def area(self, actor: Actor) -> Area:
        """Where an actor may know it."""
        return self.counter(actor).area(self.permission)


def counter(actor: Actor, wanted: Wanted) -> Actor:
    """Who counts the figure asked for."""
    return FIGURES[wanted.figure].counter(actor) if wanted.figure else actor


def counts(actor: Actor, wanted: Wanted) -> Rows:
    """The figure asked for, ``count, id`` of every grid of which the actor may know it.

    Tiles get the counts handed in (``figured``) rather than count themselves: what one tile costs here is what all
    cost, and behind row-level security PostgreSQL has no statistics by which it could plan the count of a few grids.
    """
    assert wanted.figure
    figure = FIGURES[wanted.figure]
    table = Incident if wanted.figure == "open_incidents" else Building
    query = figure.statement(figure.counter(actor)).add_columns(table.grid_id)
    query = units.narrowed(query, table.community_id, table.grid_id, wanted.community, None)
    counted = query.where(table.grid_id.is_not(None)).group_by(table.grid_id).subquery("counted")
    rows = (
        select(func.coalesce(counted.c.count, 0), Unit.id)
        .outerjoin(counted, counted.c.grid_id == Unit.id)
        .where(Unit.level == Level.GRID, access.in_area(figure.area(actor), Unit.community_id, Unit.id))
    )
    rows = units.narrowed(rows, Unit.community_id, Unit.id, wanted.community, None)
    return access.visible(rows, actor, Unit, "grid.read")


def count(session: Session, actor: Actor, wanted: Wanted) -> list[int]:
    """The figure asked for, of every grid of which the actor may know it."""
    return figured(_counted(session, actor, wanted))["figure_counts"]


def _counted(session: Session, actor: Actor, wanted: Wanted) -> Iterable[Any]:
    """The rows of ``counts``, counted as whoever may know the figure."""
    assert wanted.figure
    with db.counting(session, actor) if FIGURES[wanted.figure].people else nullcontext(actor):
        return session.execute(counts(actor, wanted)).all()


def figured(rows: Iterable[tuple[int, int]]) -> dict[str, list[int]]:
    """The parameters that hand counts to a statement: ``rows`` of count and grid id."""
    found = list(rows)
    return {"figure_counts": [row[0] for row in found], "figure_grids": [row[1] for row in found]}


def _households(actor: Actor) -> Rows:
    return _housed(select(func.count().label("count")).select_from(Household), actor)


def _special_households(actor: Actor) -> Rows:
    today = cast(func.timezone(settings.get().timezone, func.now()), Date)
    query = select(func.count(Household.id.distinct()).label("count")).select_from(HouseholdGroup)
    query = query.join(Household, Household.id == HouseholdGroup.household_id)
    return _housed(query.where(HouseholdGroup.valid.contains(today)), actor)


def _residents(actor: Actor) -> Rows:
    query = select(func.count().label("count")).select_from(Resident)
    query = query.join(Household, Household.id == Resident.household_id).where(Resident.here())
    return _housed(access.visible(query, actor, Resident), actor)


def _housed(query: Rows, actor: Actor) -> Rows:
    """A count over households, with their buildings."""
    query = query.join(Dwelling, Dwelling.id == Household.dwelling_id).where(Household.lived())
    return access.visible(query.join(Building, Building.id == Dwelling.building_id), actor, Household)


def _open_incidents(actor: Actor) -> Rows:
    query = select(func.count().label("count")).select_from(Incident).where(Incident.state.in_(OPEN))
    return access.visible(query, actor, Incident)


_HOUSED = ("household", "dwelling", "building")
FIGURES = {
    "households": Figure(PEOPLE, _HOUSED, _households, people=True),
    "residents": Figure(PEOPLE, (*_HOUSED, "resident"), _residents, people=True),
    "special_households": Figure(PEOPLE, (*_HOUSED, "household_group"), _special_households),
    "open_incidents": Figure("incident.read", ("incident",), _open_incidents),
}


# Buildings


def _buildings(zoom: int, actor: Actor, wanted: Wanted) -> Rows:
    if zoom < 15:
        return _dissolved(actor, wanted)
    number = Building.number if zoom >= 16 else null().label("number")
    rows = select(Building.id, Building.kind, number, _drawn(Building.geom, zoom)).where(_near(Building.geom))
    rows = units.narrowed(rows, Building.community_id, Building.grid_id, wanted.community, None)
    return _layer(access.visible(rows, actor, Building).subquery("t"), "buildings")


def _dissolved(actor: Actor, wanted: Wanted) -> Rows:
    """One shape of all buildings of a kind, in half-pixels: a texture of the town, nothing to point at.

    It is moved, scaled and rounded as a whole, which takes a quarter of the time that cutting each at the tile's edge
    would; what reaches over the edge is not seen.
    """
    extent = EXTENT // 4
    left, bottom, right, top = _parameters("left", "bottom", "right", "top")
    scaled = func.ST_TransScale(
        func.ST_Collect(_plain(Building.geom)), -left, -top, extent / (right - left), extent / (bottom - top)
    )
    turned = func.ST_ForcePolygonCCW(func.ST_SnapToGrid(scaled, 1))
    rows = (
        select(Building.kind, func.ST_CollectionExtract(turned, 3, type_=NullType()).label("geom"))
        .where(_near(Building.geom), func.ST_Dimension(_plain(Building.geom)) == 2)
        .group_by(Building.kind)
    )
    rows = units.narrowed(rows, Building.community_id, Building.grid_id, wanted.community, None)
    return _layer(access.visible(rows, actor, Building).subquery("t"), "buildings", extent)


# Incidents

#: How wide a mark for several incidents is, in cells: at least, and for each root of their number (``marks.js``).
_SMALLEST_MARK = 26 / 40
_MARK_PER_ROOT = 7 / 40
#: A cell's number is its column times this, and its row; more than there are rows.
_KEYS = 64


def _incidents(zoom: int, actor: Actor, wanted: Wanted) -> Rows:
    chosen = replace(wanted.incidents, community=wanted.community)
    if zoom < 16:
        return _layer(_marks(zoom, actor, chosen).subquery("t"), "incidents")
    overdue = func.nullif(Incident.overdue, False).label("overdue")
    rows = (
        select(Incident.id, Incident.state, Category.icon, overdue, _drawn(Incident.geom, zoom, MARK_MARGIN))
        .join(Category, Category.code == Incident.category_code)
        .where(_near(Incident.geom))
    )
    return _layer(incidents.narrowed(rows, actor, chosen).subquery("t"), "incidents")


def _marks(zoom: int, actor: Actor, chosen: incidents.Filter) -> Rows:
    """One mark for the incidents of a unit or a cell, in their middle; a single one keeps what it is."""
    x, y = func.ST_X(_plain(Incident.geom)), func.ST_Y(_plain(Incident.geom))
    key, near = _gathered(zoom, x, y)
    gathered = (
        select(
            key.label("key"),
            func.count().label("count"),
            func.bool_or(Incident.overdue).label("overdue"),
            func.min(Incident.id).label("id"),
            func.sum(x).label("x"),
            func.sum(y).label("y"),
        )
        .where(near, Incident.geom.is_not(None))
        .group_by(text("key"))
    )
    each = incidents.narrowed(gathered, actor, chosen).subquery("each")
    if zoom <= 12:
        each = _merged(each).subquery("merged")
    mark = select(each.c.count, each.c.overdue, each.c.id, _middle(zoom, each).label("middle")).subquery("mark")
    alone = aliased(Incident)
    return (
        select(
            func.nullif(mark.c.count, 1).label("count"),
            func.nullif(mark.c.overdue, False).label("overdue"),
            alone.id,
            alone.state,
            Category.icon,
            _drawn(mark.c.middle, zoom, MARK_MARGIN),
        )
        .select_from(mark)
        .outerjoin(alone, and_(mark.c.count == 1, alone.id == mark.c.id))
        .outerjoin(Category, Category.code == alone.category_code)
    )


def _middle(zoom: int, each: Subquery) -> ColumnElement[Any]:
    """Where a mark stands: in the middle of its incidents, but within its cell, so that marks do not cover each other.

    One that stands for a single incident is where that is.
    """
    count = each.c.count
    middles: list[Any] = [each.c.x / count, each.c.y / count]
    if zoom == 15:
        room = func.greatest(0, 1 - func.greatest(_SMALLEST_MARK, _MARK_PER_ROOT * func.sqrt(count))) / 2
        cells = ((each.c.key // _KEYS, "west", "east"), (each.c.key % _KEYS, "south", "north"))
        for axis, (cell, low, high) in enumerate(cells):
            start, end = _parameters(low, high)
            size = (end - start) / (CELLS + 2)
            centre = start + (cell + 0.5) * size
            held = func.least(func.greatest(middles[axis], centre - room * size), centre + room * size)
            middles[axis] = case((count == 1, middles[axis]), else_=held)
    return func.ST_SetSRID(func.ST_MakePoint(*middles), 4326, type_=NullType())


def _merged(each: Subquery) -> Rows:
    """The marks of units that are smaller than a mark, one for each cell."""
    x, y, count = each.c.x, each.c.y, each.c.count
    return select(
        cast(func.sum(count), BigInteger).label("count"),
        func.bool_or(each.c.overdue).label("overdue"),
        func.min(each.c.id).label("id"),
        func.sum(x).label("x"),
        func.sum(y).label("y"),
    ).group_by(_cell(x / count, "west", "east"), _cell(y / count, "south", "north"))


def _gathered(zoom: int, x: Any, y: Any) -> tuple[ColumnElement[Any], ColumnElement[bool]]:
    """By what incidents gather into one mark, and the condition that they matter to the tile.

    A mark of a unit stands for all of it, so that every tile puts it to the same place; hence whole units are read.
    """
    cell = _cell(x, "west", "east") * _KEYS + _cell(y, "south", "north")
    if zoom == 15:
        return cell, _near(Incident.geom)
    held = grids.boundaries().subquery("held")
    if zoom == 14:
        outside = and_(Incident.grid_id.is_(None), _near(Incident.geom))
        # One number for both, as grouping by two takes half as long again.
        return func.coalesce(Incident.grid_id, -1 - cell), or_(_among(Incident.grid_id, held.c.grid_id, held), outside)
    return Incident.community_id.expression, _among(Incident.community_id, held.c.community_id, held)


def _among(unit_id: Any, ids: Any, held: Subquery) -> ColumnElement[bool]:
    """The condition that a unit has ground near the tile; as an array, so that it is one scan of an index."""
    found: ColumnElement[bool] = unit_id == any_(func.array(select(ids).where(_near(held.c.geom)).scalar_subquery()))
    return found


def _cell(value: ColumnElement[Any], low: str, high: str) -> ColumnElement[int]:
    start, end = _parameters(low, high)
    return cast(func.floor((value - start) / (end - start) * (CELLS + 2)), Integer)


# The ground


def _basemap(zoom: int, actor: Actor, wanted: Wanted) -> Rows:
    kinds = [kind for kind, start in _GROUND_FROM.items() if zoom >= start]
    geom = _plain(Basemap.geom)
    if zoom < 15:
        geom = func.ST_Simplify(geom, 360 / 2**zoom / 1024)  # half a pixel
    rows = select(Basemap.kind, Basemap.name, Basemap.width_m, _drawn(geom, zoom)).where(
        Basemap.kind.in_(kinds), _near(Basemap.geom)
    )
    rows = units.narrowed(rows, Basemap.community_id, Basemap.community_id, wanted.community, None)
    return _layer(access.visible(rows, actor, Basemap).subquery("t"), "basemap")


def _edge(_zoom: int) -> float:
    return EDGE_MARGIN


def _mark(zoom: int) -> float:
    """Half a mark; where marks stand for cells, whole cells, so that neighbours count the same."""
    return MARK_MARGIN if zoom >= 16 else 1 / CELLS


LAYERS = {
    layer.name: layer
    for layer in (
        Layer("communities", "unit.read", ("unit", "division"), 8, _edge, _communities),
        Layer("grids", "grid.read", ("unit", "division"), 10, _edge, _grids),
        Layer("buildings", "building.read", ("unit", "building"), 13, _edge, _buildings),
        Layer("incidents", "incident.read", ("unit", "incident", "division", "category"), 8, _mark, _incidents, 16),
        Layer("basemap", "unit.read", ("unit", "basemap"), 10, _edge, _basemap),
    )
}
