"""Out and in again: what nobody touched is unchanged, in every format and coordinate system; one edit is one update."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import buildings
from data.base import access
from data.exchange import exporting, importing
from data.exchange.importing import Report
from data.files.writing import Format
from spatial.shapes import same
from tests.city import City

LAYERS = ("grids", "buildings", "households", "residents", "incidents")
SYSTEMS = ("EPSG:4326", "EPSG:4549", "EPSG:3857", "EPSG:4490", "GCJ-02", "BD-09")
DEGREES_ONLY = (Format.KML,)
_TABLES = ("building", "dwelling", "household", "resident", "incident", "division", "incident_step", "basemap")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def city(session: Session) -> City:
    city = City.make(session)
    for grid in ("A1", "B2"):
        home = city.household(grid, address=f"{grid}的家")
        city.resident(home, name="王芳", workplace="临江小学")
    for place in range(3):
        city.incident(50 + 7 * place, 50 + 3 * place, number=f"SJ-{place}")
    session.flush()
    return city


def out(city: City, layer: str, path: Path, system: str) -> Path:
    exporting.stream(
        city.session,
        access.SYSTEM,
        layer,
        city.community,
        path,
        format=path.suffix[1:].replace("zip", "shp"),
        crs=system,
        unmask_purpose="入户核对",
    )
    return path


def bring(city: City, layer: str, path: Path) -> Report:
    return importing.run(city.session, access.SYSTEM, layer, path, city.community)


def held(session: Session) -> list[list[str]]:
    return [sorted(session.scalars(text(f"SELECT t::text FROM {name} t"))) for name in _TABLES]


def formats(layer: str, system: str) -> list[Format]:
    """All in degrees; in each other system some, so that every format meets every system and every layer."""
    if system == "EPSG:4326":
        return list(Format)
    able = [chosen for chosen in Format if chosen not in DEGREES_ONLY]
    turn = LAYERS.index(layer) + SYSTEMS.index(system)
    return [chosen for number, chosen in enumerate(able) if (number - turn) % len(LAYERS) < 2]


def test_every_format_meets_every_system_and_every_layer() -> None:
    for chosen in set(Format) - set(DEGREES_ONLY):
        for system in SYSTEMS:
            assert any(chosen in formats(layer, system) for layer in LAYERS), (chosen, system)
        for layer in LAYERS:
            assert sum(chosen in formats(layer, system) for system in SYSTEMS) > 1, (chosen, layer)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_exported_and_imported_untouched_is_unchanged(city: City, files: Path, layer: str, system: str) -> None:
    before = held(city.session)
    for chosen in formats(layer, system):
        path = out(city, layer, files / f"{layer}{chosen.suffix}", system)
        report = bring(city, layer, path)
        assert (report.new, report.updated, report.rejected) == (0, 0, 0), chosen
        assert report.read == report.unchanged > 0, chosen
        assert held(city.session) == before, chosen


EDITS = {
    "grids": ("phone", "021-55550100"),
    "buildings": ("floors", "9"),
    "households": ("note", "常年在外"),
    "residents": ("workplace", "另一处"),
    "incidents": ("description", "三层廊灯不亮"),
}


@pytest.mark.parametrize("system", ["EPSG:4326", "EPSG:3857", "GCJ-02"])
@pytest.mark.parametrize("layer", LAYERS)
def test_one_edited_row_is_one_updated(city: City, tmp_path: Path, layer: str, system: str) -> None:
    path = out(city, layer, tmp_path / "a.csv", system)
    column, value = EDITS[layer]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0][column] = value
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    report = bring(city, layer, path)
    assert (report.new, report.updated, report.unchanged) == (0, 1, len(rows) - 1)


@pytest.mark.parametrize(("moved_m", "updated"), [(0.0005, 0), (0.02, 1)])
def test_a_corner_moved_by_less_than_a_millimetre_is_unmoved(city: City, moved_m: float, updated: int) -> None:
    shape = buildings.shape(city.buildings["B2"])
    assert shape is not None
    corners = np.asarray(shape.exterior.coords)
    corners[1] += moved_m / 111_320
    drawn = shapely.MultiPolygon([shapely.Polygon(np.roll(corners[:-1], 2, axis=0)[::-1])])
    assert same(np.array([shape]), np.array([drawn])).tolist() == [not updated]


def test_same_tells_holes_kinds_and_nothing_apart() -> None:
    square = shapely.box(0, 0, 1, 1)
    holed = square.difference(shapely.box(0.4, 0.4, 0.6, 0.6))
    point, none = shapely.Point(0, 0), None
    pairs = [(square, holed), (holed, square), (square, square.exterior), (point, square), (none, point), (none, none)]
    left, right = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
    assert same(left, right).tolist() == [False] * 5 + [True]
