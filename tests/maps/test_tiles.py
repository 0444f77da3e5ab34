"""Tiles are decoded and compared with the records: what is in them, where it lies, and who may see it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
import shapely
from geoalchemy2.shape import to_shape
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from data import grids, incidents, summary, units
from data.base import access, db, settings
from data.base.access import Actor
from data.basemaps import Basemap
from data.households import HouseholdGroup
from data.incidents import Incident
from maps import tiles
from maps.tiles import LAYERS, Tile, Wanted
from tests.city import City, degrees, rectangle

_mercator = Transformer.from_crs(4326, 3857, always_xy=True).transform
HALF_WORLD = math.pi * 6_378_137


def tile_at(lon: float, lat: float, zoom: int) -> Tile:
    """The tile that holds a place; by the projection, not by our own formula."""
    x, y = _mercator(lon, lat)
    span = 2 * HALF_WORLD / 2**zoom
    return zoom, int((x + HALF_WORLD) // span), int((HALF_WORLD - y) // span)


def tiles_of(zoom: int) -> Iterator[Tile]:
    """The tiles that cover the small city and a little more."""
    _z, left, bottom = tile_at(*degrees(-60, -60), zoom)
    _z, right, top = tile_at(*degrees(360, 360), zoom)
    return ((zoom, x, y) for x in range(left, right + 1) for y in range(top, bottom + 1))


def in_tile(geom: Any, tile: Tile, extent: int = tiles.EXTENT) -> Any:
    """A geometry (EPSG:4326) in units of a tile, from its top left corner, unclipped and unrounded."""
    z, x, y = tile
    span = 2 * HALF_WORLD / 2**z

    def to_units(lon: Any, lat: Any) -> tuple[Any, Any]:
        east, north = _mercator(lon, lat)
        left, top = x * span - HALF_WORLD, HALF_WORLD - y * span
        return (east - left) / span * extent, (top - north) / span * extent

    return shapely.transform(geom, to_units, interleaved=False)


def decoded(content: bytes) -> dict[str, list[dict[str, Any]]]:
    """Layer → features with ``properties`` and ``geometry`` (a shapely geometry, y downwards)."""
    if not content:
        return {}
    found = mapbox_vector_tile.decode(content, default_options={"y_coord_down": True})
    return {
        name: [{**feature, "geometry": shape(feature["geometry"])} for feature in layer["features"]]
        for name, layer in found.items()
    }


def features(
    session: Session, actor: Actor, layer: str, tile: Tile, wanted: Wanted | None = None, inner: str | None = None
) -> list[dict[str, Any]]:
    """The features of one layer of a tile."""
    return decoded(tiles.draw(session, actor, LAYERS[layer], tile, wanted)).get(inner or layer, [])


def everywhere(
    session: Session, actor: Actor, layer: str, zoom: int, wanted: Wanted | None = None, inner: str | None = None
) -> list[dict[str, Any]]:
    """The features of all tiles of the city that lie in the tile proper, so that margins count nothing twice."""
    box = shapely.box(0, 0, tiles.EXTENT, tiles.EXTENT)
    return [
        feature
        for tile in tiles_of(zoom)
        for feature in features(session, actor, layer, tile, wanted, inner)
        if feature["geometry"].intersects(box)
    ]


def ids(found: list[dict[str, Any]]) -> set[int]:
    """The ids of features."""
    return {feature["properties"]["id"] for feature in found}


@pytest.fixture
def city(session: Session) -> City:
    """The small city with people, incidents of many kinds, a special household and a street."""
    city = City.make(session)
    home = city.household("A1")
    city.household("A1", room="102")
    city.resident(home, name="钱秘密")
    city.household("C3")
    session.add(
        HouseholdGroup(
            household_id=home.id, community_id=city.community.id, group_code="low_income", valid=_since(2020)
        )
    )
    city.incident(20, 20, due_at=datetime(2026, 3, 18, tzinfo=UTC))
    later = datetime(2999, 1, 1, tzinfo=UTC)
    city.incident(24, 24, state="closed", category_code="environment.stray_cat")
    city.incident(150, 150, state="in_progress", reported_at=datetime(2026, 1, 2, tzinfo=UTC), due_at=later)
    city.incident(250, 270, state="declined", category_code="environment.noise")
    city.incident(340, 340, due_at=later)  # in no grid
    session.add(
        Basemap(
            community_id=city.community.id,
            code="r1",
            kind="road",
            name="锦绣路",
            width_m=8.0,
            geom=shapely.LineString([degrees(-30, 100), degrees(330, 100)]).wkt,
        )
    )
    session.flush()
    return city


def _since(year: int) -> Any:
    from sqlalchemy.dialects.postgresql import Range

    return Range(date(year, 1, 1), None)


@pytest.fixture
def admin(city: City) -> Actor:
    """Somebody who sees everything."""
    return city.actor("administrator", None)


# Where things lie


@given(st.integers(0, 22), st.floats(-179.99, 179.99), st.floats(-84, 84))
def test_a_tile_holds_its_places_and_neighbours_meet(zoom: int, lon: float, lat: float) -> None:
    tile = tile_at(lon, lat, zoom)
    box = tiles.place(LAYERS["buildings"], tile)
    assert box["west"] <= lon <= box["east"]
    assert box["south"] <= lat <= box["north"]
    beside = tiles.place(LAYERS["buildings"], (zoom, tile[1] + 1, tile[2] + 1))
    assert box["right"] == pytest.approx(beside["left"], abs=1e-9)
    assert box["bottom"] == pytest.approx(beside["top"], abs=1e-7)


@pytest.mark.parametrize("zoom", [15, 16, 17, 18])
def test_a_tile_of_buildings_holds_those_that_meet_it_where_they_are(
    session: Session, city: City, admin: Actor, zoom: int
) -> None:
    margin = tiles.EDGE_MARGIN * tiles.EXTENT
    for tile in tiles_of(zoom):
        whole = shapely.box(-margin, -margin, tiles.EXTENT + margin, tiles.EXTENT + margin)
        there = {one.id: in_tile(to_shape(one.geom), tile) for one in city.buildings.values()}
        found = {f["properties"]["id"]: f["geometry"] for f in features(session, admin, "buildings", tile)}
        assert {number for number, geom in there.items() if geom.intersects(whole.buffer(-1))} <= set(found)
        assert set(found) <= {number for number, geom in there.items() if geom.intersects(whole.buffer(1))}
        for number, geom in found.items():
            # Rounding to whole units moves a corner by at most half a unit each way.
            assert geom.hausdorff_distance(there[number].intersection(whole)) < 1.6


@pytest.mark.parametrize("zoom", [10, 11, 12, 13, 14, 17])
def test_points_are_within_a_unit_of_the_projection_at_every_zoom(session: Session, zoom: int) -> None:
    far_north = City.make(session)
    admin = far_north.actor("administrator", None)
    tile = tile_at(*degrees(150, 150), zoom)
    (feature,) = features(session, admin, "communities", tile)
    border = in_tile(shapely.union_all(list(grids.shapes(session, far_north.community.id).values())), tile)
    margin = tiles.EDGE_MARGIN * tiles.EXTENT
    whole = shapely.box(-margin, -margin, tiles.EXTENT + margin, tiles.EXTENT + margin)
    assert feature["geometry"].hausdorff_distance(border.intersection(whole)) < 2


def test_the_grids_of_a_tile_fill_their_community_and_no_more(session: Session, city: City, admin: Actor) -> None:
    tile = tile_at(*degrees(150, 150), 15)
    drawn = features(session, admin, "grids", tile)
    (community,) = features(session, admin, "communities", tile)
    together = shapely.union_all([feature["geometry"] for feature in drawn])
    assert together.symmetric_difference(community["geometry"]).area < 1e-6
    assert sum(feature["geometry"].area for feature in drawn) == pytest.approx(together.area)


def test_the_grids_of_a_past_day_have_the_boundaries_of_that_day(session: Session, city: City, admin: Actor) -> None:
    def area(on: date | None) -> float:
        wanted = Wanted(community=city.community.code, on=on)
        tile = tile_at(*degrees(50, 50), 16)
        found = features(session, admin, "grids", tile, wanted)
        return float(sum(one["geometry"].area for one in found if one["properties"]["id"] == city.grids["A1"].id))

    today = settings.today()
    before = area(None)
    shapes = grids.shapes(session, city.community.id)
    shapes[city.grids["A1"].id], shapes[city.grids["B1"].id] = rectangle(0, 0, 50, 100), rectangle(50, 0, 150, 100)
    grids.divide(session, access.SYSTEM, city.community, shapes)
    assert area(today - timedelta(days=1)) == before
    assert area(None) == area(today) == pytest.approx(before / 2, rel=0.05)


def test_each_grid_has_one_label_inside_it(session: Session, city: City, admin: Actor) -> None:
    labels = everywhere(session, admin, "grids", 16, inner="grid_labels")
    assert Counter(one["properties"]["name"] for one in labels) == Counter(list(city.grids))
    assert ids(labels) == {grid.id for grid in city.grids.values()}
    boundaries = grids.shapes(session, city.community.id)
    for tile in tiles_of(16):
        for one in features(session, admin, "grids", tile, inner="grid_labels"):
            assert in_tile(boundaries[one["properties"]["id"]], tile).contains(one["geometry"])


def test_a_grid_that_bends_around_its_middle_has_its_label_inside(session: Session) -> None:
    city = City.make(session)
    around = rectangle(0, 0, 300, 300).difference(rectangle(50, 50, 200, 200))
    grids.divide(session, access.SYSTEM, city.community, {city.grids["A1"].id: around}, valid_from=date(2021, 1, 1))
    admin = city.actor("administrator", None)
    tile = tile_at(*degrees(150, 150), 14)
    (label,) = features(session, admin, "grids", tile, inner="grid_labels")
    assert in_tile(around, tile).contains(label["geometry"])


@pytest.mark.parametrize("zoom", [13, 14])
def test_from_afar_buildings_are_one_shape_a_kind(session: Session, city: City, admin: Actor, zoom: int) -> None:
    city.buildings["B2"].kind = "other"
    session.flush()
    found = everywhere(session, admin, "buildings", zoom)
    parts: Counter[str] = Counter()
    for one in found:
        assert set(one["properties"]) == {"kind"}
        parts[one["properties"]["kind"]] += len(getattr(one["geometry"], "geoms", [1]))
    assert parts["residential"] >= 8
    assert parts["other"] >= 1
    # In units of a quarter of the others: a building of 40 × 20 m keeps its size to within its rounded edges.
    metres = 2 * HALF_WORLD / 2**zoom * math.cos(math.radians(30)) / (tiles.EXTENT / 4)
    inner = shapely.box(0, 0, tiles.EXTENT / 4, tiles.EXTENT / 4)
    area_m2 = sum(one["geometry"].intersection(inner).area for one in found) * metres**2
    assert area_m2 == pytest.approx(9 * 800, rel=0.35)


def test_buildings_are_drawn_from_the_zoom_at_which_they_can_be_seen(
    session: Session, city: City, admin: Actor
) -> None:
    assert features(session, admin, "buildings", tile_at(*degrees(150, 150), 13))
    assert not features(session, admin, "buildings", tile_at(*degrees(150, 150), 12))


def test_communities_smaller_than_a_mark_share_one(session: Session, city: City) -> None:
    other = City.make(session, code="310102001001")  # on the same ground
    other.incident(150, 150)
    (mark,) = everywhere(session, access.SYSTEM, "incidents", 12)
    assert mark["properties"] == {"count": 6, "overdue": True}
    apart = everywhere(session, access.SYSTEM, "incidents", 13)
    assert sorted(one["properties"].get("count", 1) for one in apart) == [1, 5]


def test_the_ground_has_its_street_with_name_and_width(session: Session, city: City, admin: Actor) -> None:
    (road,) = features(session, admin, "basemap", tile_at(*degrees(150, 150), 15))
    assert road["properties"] == {"kind": "road", "name": "锦绣路", "width_m": 8.0}
    assert road["geometry"].geom_type == "LineString"


# Figures of grids


@pytest.mark.parametrize("figure", ["households", "residents", "special_households"])
def test_the_figure_of_a_grid_is_that_of_the_summary(session: Session, city: City, admin: Actor, figure: str) -> None:
    by_code = {grid["code"]: grid[figure] for grid in summary.summarise(session, admin, city.community.id)["by_grid"]}
    labels = everywhere(session, admin, "grids", 16, Wanted(figure=figure), inner="grid_labels")
    assert {one["properties"]["code"]: one["properties"][figure] for one in labels} == by_code
    assert sum(by_code.values()) > 0
    shapes = everywhere(session, admin, "grids", 16, Wanted(figure=figure))
    codes = {grid.id: grid.code for grid in city.grids.values()}
    assert all(by_code[codes[one["properties"]["id"]]] == one["properties"][figure] for one in shapes)


def test_open_incidents_of_a_grid_are_counted_by_their_states(session: Session, city: City, admin: Actor) -> None:
    labels = everywhere(session, admin, "grids", 16, Wanted(figure="open_incidents"), inner="grid_labels")
    counted = {one["properties"]["name"]: one["properties"]["open_incidents"] for one in labels}
    assert counted == {name: {"A1": 1, "B2": 1}.get(name, 0) for name in city.grids}


def test_a_figure_that_one_may_not_see_is_unknown_not_zero(session: Session, city: City) -> None:
    warden = city.actor("building_warden", city.community)  # sees grids, not households
    found = everywhere(session, warden, "grids", 16, Wanted(figure="residents"))
    assert len(ids(found)) == 9
    assert all("residents" not in one["properties"] for one in found)


def test_a_planner_sees_how_many_live_in_a_grid_but_no_special_groups(session: Session, city: City) -> None:
    planner, staff = city.actor("planner", city.community), city.actor("community_staff", city.community)
    for figure in ("households", "residents"):
        wanted = Wanted(figure=figure)
        assert tiles.count(session, planner, wanted) == tiles.count(session, staff, wanted) != [0] * 9
    assert tiles.count(session, planner, Wanted(figure="special_households")) == []


# Incidents


def test_near_by_each_incident_is_a_mark_with_what_the_map_needs(session: Session, city: City, admin: Actor) -> None:
    found = {one["properties"]["id"]: one["properties"] for one in everywhere(session, admin, "incidents", 16)}
    rows = {row.id: row for row in session.execute(incidents.selection(admin))}
    assert set(found) == set(rows)
    for number, properties in found.items():
        overdue = {"overdue": True} if rows[number].overdue else {}
        row = rows[number]
        assert properties == {"id": number, "state": row.state, "icon": row.icon, **overdue}
    assert sum("overdue" in one for one in found.values()) == 1


FILTERS = [
    incidents.Filter(),
    incidents.Filter(states=("new", "in_progress")),
    incidents.Filter(states=()),
    incidents.Filter(categories=("environment",)),
    incidents.Filter(categories=("environment.stray_cat", "facility.corridor_light")),
    incidents.Filter(first=date(2026, 3, 17)),
    incidents.Filter(last=date(2026, 3, 16)),
    incidents.Filter(first=date(2026, 1, 2), last=date(2026, 1, 2), states=("in_progress",)),
]


def test_a_filter_means_on_the_map_what_it_means_in_the_list(session: Session, city: City, admin: Actor) -> None:
    lengths = []
    for chosen in FILTERS:
        listed = {row.id for row in session.execute(incidents.selection(admin, chosen))}
        wanted = Wanted(incidents=chosen)
        assert ids(everywhere(session, admin, "incidents", 16, wanted)) == listed, chosen
        for zoom in (12, 13, 14, 15):
            marks = [one["properties"] for one in everywhere(session, admin, "incidents", zoom, wanted)]
            assert sum(mark.get("count", 1) for mark in marks) == len(listed), (zoom, chosen)
        lengths.append(len(listed))
    assert lengths == [5, 3, 0, 2, 4, 4, 1, 1]


def test_a_mark_stands_for_a_community_then_for_a_grid_then_for_a_spot(
    session: Session, city: City, admin: Actor
) -> None:
    def marks(zoom: int) -> list[int]:
        return sorted(one["properties"].get("count", 1) for one in everywhere(session, admin, "incidents", zoom))

    assert marks(11) == marks(13) == [5]
    assert marks(14) == [1, 1, 1, 2]  # one of them in no grid, by itself
    assert marks(15) == [1, 1, 1, 2]
    assert marks(16) == [1, 1, 1, 1, 1]


def test_a_mark_for_one_says_what_it_is_and_a_mark_for_several_when_one_is_overdue(
    session: Session, city: City, admin: Actor
) -> None:
    marks = everywhere(session, admin, "incidents", 14)
    several = [one["properties"] for one in marks if "count" in one["properties"]]
    assert several == [{"count": 2, "overdue": True}]
    for one in marks:
        if "count" not in one["properties"]:
            row = session.get(Incident, one["properties"]["id"])
            assert row is not None
            assert one["properties"]["state"] == row.state
            assert set(one["properties"]) == {"id", "state", "icon"}


@pytest.mark.parametrize("zoom", [14, 15])
def test_neighbouring_tiles_put_a_mark_to_the_same_place(session: Session, zoom: int) -> None:
    city = City.make(session)
    admin = city.actor("administrator", None)
    for x, y in [(10, 10), (290, 290), (150, 20), (20, 150), (280, 10), (150, 150), (152, 151), (99, 99), (101, 101)]:
        city.incident(x, y)
    places: dict[tuple[int, int], set[Any]] = {}
    for tile in tiles_of(zoom):
        for mark in features(session, admin, "incidents", tile):
            x, y = mark["geometry"].x + tile[1] * tiles.EXTENT, mark["geometry"].y + tile[2] * tiles.EXTENT
            near = next((p for p in places if abs(p[0] - x) < 60 and abs(p[1] - y) < 60), (x, y))
            places.setdefault(near, set()).add((round(x), round(y), mark["properties"].get("count", 1)))
    for seen in places.values():
        assert len({count for _x, _y, count in seen}) == 1
        assert max(x for x, _y, _count in seen) - min(x for x, _y, _count in seen) <= 1
        assert max(y for _x, y, _count in seen) - min(y for _x, y, _count in seen) <= 1


def test_marks_that_stand_for_several_do_not_cover_each_other(session: Session) -> None:
    city = City.make(session)
    admin = city.actor("administrator", None)
    scattered = np.random.default_rng(3).uniform(0, 300, (220, 2))
    for x, y in scattered.tolist():
        city.incident(x, y)
    tile = tile_at(*degrees(150, 150), 15)
    many = [mark for mark in features(session, admin, "incidents", tile) if "count" in mark["properties"]]
    assert len(many) > 4
    unit = tiles.EXTENT / 512  # of a pixel
    widths = [min(40, max(26, 7 * mark["properties"]["count"] ** 0.5)) for mark in many]
    for at, mark in enumerate(many):
        for other in range(at):
            apart = mark["geometry"].distance(many[other]["geometry"]) / unit
            assert apart >= (widths[at] + widths[other]) / 2 - 1


# Who may see what


def _seen(session: Session, actor: Actor) -> dict[str, set[Any]]:
    """What somebody sees of each layer, near by."""
    return {
        "communities": ids(everywhere(session, actor, "communities", 16)),
        "grids": ids(everywhere(session, actor, "grids", 16)),
        "labels": ids(everywhere(session, actor, "grids", 16, inner="grid_labels")),
        "buildings": ids(everywhere(session, actor, "buildings", 16)),
        "incidents": ids(everywhere(session, actor, "incidents", 16)),
        "marks": {one["properties"].get("count", 1) for one in everywhere(session, actor, "incidents", 14)},
        "basemap": {one["properties"]["kind"] for one in everywhere(session, actor, "basemap", 16)},
    }


def _of_grid(session: Session, city: City, name: str) -> dict[str, set[Any]]:
    """What belongs to one grid."""
    grid = city.grids[name].id
    cases = set(session.scalars(select(Incident.id).where(Incident.grid_id == grid)))
    return {
        "communities": {city.community.id},
        "grids": {grid},
        "labels": {grid},
        "buildings": {city.buildings[name].id},
        "incidents": cases,
        "marks": {len(cases)},
        "basemap": {"road"},
    }


@pytest.mark.parametrize("name", ["A1", "B2"])
def test_who_has_one_grid_sees_what_is_in_it(session: Session, city: City, name: str) -> None:
    leader = city.actor("grid_leader", city.grids[name])
    # Without the second wall: the conditions alone.
    assert _seen(session, leader) == _of_grid(session, city, name)
    # And behind it.
    db.enter(session, leader)
    assert _seen(session, leader) == _of_grid(session, city, name)


def test_row_level_security_alone_keeps_other_areas_out(session: Session, city: City, admin: Actor) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    mine = _of_grid(session, city, "A1")
    db.enter(session, leader)
    seen = _seen(session, admin)  # statements that ask for everything
    assert seen["buildings"] == mine["buildings"]
    assert seen["incidents"] == mine["incidents"]
    assert seen["marks"] == mine["marks"]
    figures = everywhere(session, admin, "grids", 16, Wanted(figure="residents"), inner="grid_labels")
    assert {one["properties"]["name"] for one in figures if one["properties"]["residents"]} == {"A1"}


def test_another_community_is_never_in_a_tile(session: Session, city: City) -> None:
    other = City.make(session, code="310102001001")
    other.incident(150, 150)
    other.household("B2")
    staff = city.actor("community_staff", city.community)
    for figure in (None, *tiles.FIGURES):
        found = everywhere(session, staff, "grids", 16, Wanted(figure=figure))
        assert ids(found) == {grid.id for grid in city.grids.values()}
    assert ids(everywhere(session, staff, "buildings", 16)) == {one.id for one in city.buildings.values()}
    cases = set(session.scalars(select(Incident.id).where(Incident.community_id == city.community.id)))
    assert ids(everywhere(session, staff, "incidents", 16)) == cases
    assert ids(everywhere(session, staff, "communities", 16)) == {city.community.id}


def test_a_community_can_be_asked_for_by_its_code(session: Session, city: City) -> None:
    other = City.make(session, code="310102001001")
    both = access.SYSTEM
    for layer, mine in (("buildings", other.buildings), ("grids", other.grids)):
        wanted = Wanted(community=other.community.code)
        assert ids(everywhere(session, both, layer, 16, wanted)) == {one.id for one in mine.values()}
        assert not everywhere(session, both, layer, 16, Wanted(community="nowhere"))
    assert ids(everywhere(session, both, "communities", 16, Wanted(community=city.community.code))) == {
        city.community.id
    }
    assert not everywhere(session, both, "incidents", 16, Wanted(community=other.community.code))
    assert not everywhere(session, both, "basemap", 16, Wanted(community=other.community.code))


def test_without_the_permission_a_layer_is_empty(session: Session, city: City) -> None:
    auditor = city.actor("auditor", None)  # sees units and grids only
    seen = _seen(session, auditor)
    assert seen["grids"]
    assert not seen["buildings"]
    assert not seen["incidents"]


def test_no_person_is_in_a_tile(session: Session, city: City, admin: Actor) -> None:
    allowed = {
        "communities": {"id", "name"},
        "grids": {"id", *tiles.FIGURES},
        "grid_labels": {"id", "code", "name", *tiles.FIGURES},
        "buildings": {"id", "kind", "number"},
        "incidents": {"id", "state", "icon", "overdue", "count"},
        "basemap": {"kind", "name", "width_m"},
    }
    for zoom in range(8, 18):
        for layer in LAYERS.values():
            for figure in (None, *tiles.FIGURES) if layer.name == "grids" else (None,):
                for tile in tiles_of(zoom):
                    content = tiles.draw(session, admin, layer, tile, Wanted(figure=figure))
                    assert "钱".encode() not in content
                    for name, found in decoded(content).items():
                        assert all(set(one["properties"]) <= allowed[name] for one in found)


def test_those_with_equal_areas_share_a_tile_and_others_do_not(session: Session, city: City) -> None:
    layer, plain, people = LAYERS["grids"], Wanted(), Wanted(figure="residents")
    staff = city.actor("community_staff", city.community)
    planner = city.actor("planner", city.community)
    leader = city.actor("grid_leader", city.grids["A1"])
    assert layer.areas(staff, plain) == layer.areas(planner, plain) != layer.areas(leader, plain)
    assert layer.areas(staff, people) == layer.areas(planner, people)  # how many there are is the same for both
    special = Wanted(figure="special_households")
    assert layer.areas(staff, special) != layer.areas(planner, special)


def test_a_tile_names_all_tables_that_it_is_made_from() -> None:
    for layer in LAYERS.values():
        for wanted in (Wanted(), *(Wanted(figure=name) for name in tiles.FIGURES if layer.name == "grids")):
            read: set[str] = set()
            for zoom in range(layer.zoom_from, 18):
                statements = [layer.statement(zoom, access.SYSTEM, wanted)]
                if wanted.figure:
                    statements.append(tiles.counts(access.SYSTEM, wanted))
                for statement in statements:
                    sql = tiles.Plan.of(statement, str).sql
                    read |= {table for table in db.Table.metadata.tables if f" {table}" in sql.replace("\n", " ")}
                    read |= {"division"} if "grid_boundary" in sql else set()
            assert read <= set(layer.made_from(wanted)) | {"unit"}


def test_units_of_several_levels_do_not_meet_as_grids(session: Session, city: City, admin: Actor) -> None:
    levels = {unit.id: unit.level for unit in units.listed(session, admin)}
    assert {levels[number] for number in ids(everywhere(session, admin, "grids", 16))} == {"grid"}
    wanted = replace(Wanted(), community=city.grids["A1"].code)  # the code of a grid is not that of a community
    assert not everywhere(session, admin, "buildings", 16, wanted)
