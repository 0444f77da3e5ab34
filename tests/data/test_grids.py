"""Divisions: the database refuses what must never be, and buildings follow a redraw."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from data import grids
from data.base import access, db
from tests.city import City, degrees, rectangle


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def test_every_building_lies_in_the_grid_it_was_drawn_in(city: City) -> None:
    assert {name: building.grid_id for name, building in city.buildings.items()} == {
        name: grid.id for name, grid in city.grids.items()
    }


def test_a_point_on_the_edge_belongs_to_the_grid_with_the_lower_code(city: City) -> None:
    shapes = grids.shapes(city.session, city.community.id)
    corner = shapes[city.grids["A1"].id].exterior.coords if hasattr(shapes[city.grids["A1"].id], "exterior") else None
    assert corner is None  # stored as multipolygons
    lon, lat = max(shapes[city.grids["A1"].id].geoms[0].exterior.coords)
    assert grids.locate(city.session, city.community.id, lon, lat) == city.grids["A1"].id


def test_a_point_outside_lies_in_no_grid(city: City) -> None:
    assert grids.locate(city.session, city.community.id, *degrees(-5, 50)) is None


def test_the_database_refuses_grids_that_overlap(city: City) -> None:
    a, b = city.grids["A1"].id, city.grids["B1"].id
    with pytest.raises(IntegrityError) as refused:
        grids.divide(
            city.session, access.SYSTEM, city.community, {a: rectangle(0, 0, 100, 100), b: rectangle(99, 0, 100, 100)}
        )
    assert "Two grids overlap" in db.explain(refused.value).detail


def test_the_database_refuses_two_divisions_at_the_same_time(city: City) -> None:
    division = grids.Division(
        community_id=city.community.id, valid=grids.Range(date(2019, 1, 1), date(2021, 1, 1)), grid_ids=[], geoms=[]
    )
    city.session.add(division)
    with pytest.raises(IntegrityError, match="ex_division_valid"):
        city.session.flush()


def test_a_redraw_moves_the_buildings_and_keeps_the_old_boundaries(city: City) -> None:
    shapes = grids.shapes(city.session, city.community.id)
    a, b = city.grids["A1"].id, city.grids["B1"].id
    shapes[a], shapes[b] = shapes[b], shapes[a]

    grids.divide(city.session, access.SYSTEM, city.community, shapes, valid_from=date(2026, 1, 1))

    city.session.refresh(city.buildings["A1"])
    assert city.buildings["A1"].grid_id == b
    before = grids.shapes(city.session, city.community.id, date(2025, 12, 31))
    assert before[a].equals(shapes[b])
