"""Locating: points, addresses and the building next door; the same answer in Python and in PostGIS."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from data import buildings, grids, locating
from data.base import access
from tests.city import City, degrees, rectangle


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def points(*places: tuple[float, float] | None) -> np.ndarray:
    """Points at metres from the corner of the city."""
    found = np.empty(len(places), dtype=object)
    found[:] = [shapely.Point(degrees(*place)) if place else None for place in places]
    return found


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.tuples(st.floats(-20, 320), st.floats(-20, 320)))
def test_a_point_lies_where_postgis_says_it_lies(city: City, place: tuple[float, float]) -> None:
    located = locating.by_points(city.session, city.community, points(place))
    if located.by != ["nearest"]:
        assert located.grid_id == [grids.locate(city.session, city.community.id, *degrees(*place))]


def test_vertices_of_the_grids_belong_to_the_same_grid_in_both(city: City) -> None:
    corners = np.unique(
        np.vstack([shapely.get_coordinates(shape) for shape in grids.shapes(city.session, city.community.id).values()]),
        axis=0,
    )
    located = locating.by_points(city.session, city.community, shapely.points(corners))
    theirs = [grids.locate(city.session, city.community.id, *corner) for corner in corners.tolist()]
    assert located.grid_id == theirs
    assert None not in theirs


def test_each_record_says_how_it_was_located_or_why_not(city: City) -> None:
    located = locating.by_points(city.session, city.community, points((50, 50), (-200, 50), None))
    assert located.by == ["point", None, None]
    assert located.score == [1.0, None, None]
    assert located.reason == [None, "outside", "no_place"]


def test_a_point_just_outside_lies_with_the_building_next_to_it(city: City) -> None:
    edge = buildings.add(
        city.session, access.SYSTEM, community=city.community, code="edge", geom=rectangle(0, 45, 10, 10)
    )
    located = locating.by_points(city.session, city.community, points((-12, 50), (-31, 50)))
    assert located.building_id == [edge.id, None]
    assert located.by == ["nearest", None]
    assert located.score[0] == pytest.approx(1 - 12 / 60, abs=0.001)


def test_addresses_find_building_and_dwelling(city: City) -> None:
    door = buildings.add_dwelling(city.session, access.SYSTEM, city.buildings["C1"], unit="2", floor=5, room="501")
    found = locating.match_addresses(
        city.session, city.community, ["锦绣路１２弄3号楼2单元５０１", "3-2-501", "锦绣路12弄4号楼", "99号楼", None]
    )
    assert [one.dwelling_id for one in found] == [door.id, door.id, None, None, None]
    assert [one.building_id for one in found[:3]] == [
        city.buildings["C1"].id,
        city.buildings["C1"].id,
        city.buildings["A2"].id,
    ]
    assert [one.reason for one in found[3:]] == ["no_such_building", "no_such_building"]


def test_a_building_with_several_addresses_is_found_by_each(city: City) -> None:
    building = city.buildings["A1"]
    buildings.change(city.session, access.SYSTEM, building, address="锦绣路12弄1号楼；南京路3号；南京路5号")
    found = locating.match_addresses(city.session, city.community, ["南京路3号", "南京路5号", "1号楼"])
    assert [one.building_id for one in found] == [building.id] * 3


def test_two_buildings_that_fit_alike_are_ambiguous(city: City) -> None:
    for code in ("x", "y"):
        buildings.add(city.session, access.SYSTEM, community=city.community, code=code, number="88")
    assert locating.match_addresses(city.session, city.community, ["88号楼"])[0].reason == "ambiguous"
