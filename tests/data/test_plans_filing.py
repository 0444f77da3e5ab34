"""Plans as files: what goes out comes in as the same, and a half-drawn file is told all that it lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from sqlalchemy import func, select

from data import buildings, plans
from data.base import access
from data.files.writing import Format
from data.plans import Asked, EditKind, Plan
from tests.city import City, rectangle


@pytest.fixture
def city(session) -> City:
    city = City.make(session)
    # A second building in the grid that gives one away.
    buildings.add(
        session, access.SYSTEM, community=city.community, code="10", number="10", geom=rectangle(5, 80, 10, 10)
    )
    return city


@pytest.fixture
def plan(city: City) -> Plan:
    """Building 1 goes over from A1 to B1, and C3 is split in two."""
    plan = plans.draw_up(city.session, access.SYSTEM, city.community, name="均衡户数方案")
    keys = {row.name: key for key, row in plans.standing(city.session, plan).rows.items()}
    asked = Asked(kind=EditKind.HAND_OVER, key=keys["B1"], buildings=[city.buildings["A1"].id])
    plans.edit(city.session, access.SYSTEM, plan, asked, version=plan.version)
    return plan


def written(city: City, plan: Plan, folder: Path, form: Format) -> Path:
    path = folder / f"plan{form.suffix}"
    with path.open("wb") as file:
        plans.write(city.session, access.SYSTEM, plan, file, form)
    return path


def goes(city: City, plan: Plan) -> list[tuple[Any, ...]]:
    here = plans.standing(city.session, plan)
    homed = plans.homes(city.session, access.SYSTEM, here)
    changes = plans.consequences(city.session, access.SYSTEM, here, homed)
    return [(move.source, move.target, move.buildings) for move in changes.moves]


def brought_in(city: City, path: Path, **said: bool) -> Plan:
    return plans.bring_in(city.session, access.SYSTEM, city.community, path, name="再来", **said)


@pytest.mark.parametrize("form", plans.FORMATS)
def test_what_goes_out_comes_in_as_the_same_plan(city: City, plan: Plan, tmp_path: Path, form: Format) -> None:
    again = brought_in(city, written(city, plan, tmp_path, form))
    assert goes(city, again) == goes(city, plan) == [("A1", "B1", ["Building 1"])]
    assert plans.standing(city.session, again).coverage.is_valid()
    if form is not Format.CSV:
        areas = plans.standing(city.session, again).coverage.areas
        before = plans.standing(city.session, plan).coverage.areas
        assert all(areas[key].equals_exact(before[key], 0.002, normalize=True) for key in before)


def test_a_file_carries_author_state_scores_and_days(city: City, plan: Plan, tmp_path: Path) -> None:
    grids = gpd.read_file(written(city, plan, tmp_path, Format.GPKG))
    table = pd.read_csv(written(city, plan, tmp_path, Format.CSV))
    for frame in (grids, table):
        assert {"plan", "state", "author", "effective_on", "errors", "compactness_mean", "drawn_up_at"} <= {*frame}
        assert frame["state"].unique().tolist() == ["draft"]
    assert len(grids) == 9
    assert len(table) == 10


def half_drawn(city: City, path: Path, **said: bool) -> str:
    """What a file is told that it lacks; and that nothing is left of it."""
    before = city.session.scalar(select(func.count()).select_from(Plan))
    with pytest.raises(plans.HalfDrawn) as refused, city.session.begin_nested():
        brought_in(city, path, **said)
    assert city.session.scalar(select(func.count()).select_from(Plan)) == before
    return " ".join(refused.value.facts["lacks"])


def test_a_half_drawn_file_is_told_all_that_it_lacks(city: City, plan: Plan, tmp_path: Path) -> None:
    path = written(city, plan, tmp_path, Format.GEOJSON)
    whole = json.loads(path.read_text())

    def changed(**shapes: Any) -> Path:
        features = []
        for feature in whole["features"]:
            name = feature["properties"]["name"]
            if name not in shapes:
                features.append(feature)
            elif shapes[name] is not None:
                features.append(feature | {"geometry": shapes[name].__geo_interface__})
        path.write_text(json.dumps(whole | {"features": features}))
        return path

    said = half_drawn(city, changed(C3=rectangle(150, 200, 140, 100), A3=None))
    assert "A3 are not in the file" in said
    assert "B3 and C3 overlap by" in said or "C3 and B3 overlap by" in said
    assert "belong to no grid" in said
    assert "lie outside the community" in half_drawn(city, changed(C3=rectangle(200, 200, 140, 100)))
    closed = changed(A3=None, B3=rectangle(0, 200, 200, 100))
    assert "A3 are not in the file" in half_drawn(city, closed)
    assert len(plans.standing(city.session, brought_in(city, closed, closing=True)).rows) == 8
    wider = changed(C3=rectangle(200, 200, 140, 100))
    assert plans.standing(city.session, brought_in(city, wider, outer=True)).coverage.is_valid()


def test_a_table_with_unknown_or_missing_buildings_and_grids_is_told_so(city: City, plan: Plan, tmp_path: Path) -> None:
    path = written(city, plan, tmp_path, Format.CSV)
    table = pd.read_csv(path, dtype=str)[["building_code", "grid_name"]]
    table.iloc[0, 0] = "无此楼"
    table.iloc[1, 1] = "无此网格"
    table.to_csv(path, index=False)
    said = half_drawn(city, path)
    assert "Nobody knows the buildings 无此楼." in said
    assert "Nobody knows the grids 无此网格." in said
    assert "Building 1, Building 2 are not in the file" in said
