"""Shapes that no drawing program should write: each is a sentence with its row, or is read as what it means."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import buildings
from data.base import access
from data.base.errors import WanggeError
from data.exchange import importing
from data.files import vectors
from data.files.reading import open_source, read_source
from tests.city import City, rectangle


@pytest.fixture
def bare(session: Session) -> City:
    city = City.make(session, "310102001001")
    session.execute(text("DELETE FROM building WHERE community_id = :id"), {"id": city.community.id})
    session.expire_all()
    return city


def bring(city: City, kind: str, path: Path) -> importing.Report:
    return importing.run(city.session, access.SYSTEM, kind, path, city.community)


# Closed lines


@pytest.mark.parametrize("suffix", ["dxf", "shp", "geojson", "gpkg", "csv"])
def test_closed_lines_of_different_lengths_are_the_areas_they_enclose(bare: City, tmp_path: Path, suffix: str) -> None:
    areas = [rectangle(10, 10, 20, 10), rectangle(110, 110, 20, 10).union(rectangle(120, 115, 5, 20))]
    lines: Any = [shapely.LineString(area.exterior.coords) for area in areas]
    path = tmp_path / f"b.{suffix}"
    if suffix == "csv":
        path.write_text("wkt\n" + "".join(f'"{line.wkt}"\n' for line in lines))
    else:
        frame: Any = gpd.GeoDataFrame({"Layer": ["a", "b"]}, geometry=lines, crs=4326)
        frame.to_file(path)
    report = bring(bare, "buildings", path)
    assert (report.new, report.rejected) == (2, 0)
    held = [buildings.shape(row) for row in bare.session.scalars(select(buildings.Building))]
    for area in areas:
        assert any(shape is not None and shapely.hausdorff_distance(shape, area) < 1e-8 for shape in held)


# WKT

_RING = "(121.5 31.2, 121.51 31.2, 121.51 31.21, 121.5 31.2)"
_CURVES = [
    "CIRCULARSTRING (121 31, 122 32, 123 31)",
    "COMPOUNDCURVE ((121 31, 122 32))",
    f"CURVEPOLYGON ({_RING})",
    "MULTICURVE ((121 31, 122 32))",
    "GEOMETRYCOLLECTION (POINT (121 31), CIRCULARSTRING (121 31, 122 32, 123 31))",
    "TRIANGLE ((121 31, 122 31, 122 32, 121 31))",
    f"POLYGON (EMPTY, {_RING})",
    "POINT (1e400 31)",
    "POINT (nan nan)",
    "nonsense",
]


@pytest.mark.parametrize("wkt", _CURVES)
def test_a_shape_that_cannot_be_is_a_reject_with_its_row(tmp_path: Path, wkt: str) -> None:
    path = tmp_path / "b.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["name", "wkt"], ["a", "POINT (121.5 31.2)"], ["b", wkt]])
    source = open_source(path)
    assert (len(source.frame), [reject.row for reject in source.rejects]) == (1, [3])
    assert source.rejects[0].reason


def test_curves_as_bytes_are_a_fault_of_their_row() -> None:
    curve = bytes.fromhex("0108000000" + "03000000") + np.array([0, 0, 1, 1, 2, 0], "<f8").tobytes()
    geometries, faults = vectors.from_wkb(np.array([shapely.Point(1, 2).wkb, curve, None], dtype=object))
    assert [shape is None for shape in geometries] == [False, True, True]
    assert list(faults) == [1]


@pytest.mark.parametrize(
    ("wkt", "meant"),
    [
        (f"POLYGON ({_RING}, EMPTY)", f"POLYGON ({_RING})"),
        (f"MULTIPOLYGON (({_RING}, EMPTY), EMPTY)", f"MULTIPOLYGON (({_RING}))"),
        (f"LINEARRING {_RING}", f"LINESTRING {_RING}"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_holes_and_parts_that_hold_nothing_are_left_out(tmp_path: Path, wkt: str, meant: str, suffix: str) -> None:
    path = tmp_path / f"b.{suffix}"
    if suffix == "csv":
        path.write_text(f'name,wkt\nb,"{wkt}"\n')
    else:
        frame: Any = gpd.GeoDataFrame({"name": ["b"]}, geometry=[shapely.from_wkt(wkt)], crs=4326)
        frame.to_parquet(path)
    (shape,) = open_source(path).geometries
    assert shapely.equals_identical(shape, shapely.from_wkt(meant))


def test_a_building_with_an_empty_hole_goes_in(bare: City, tmp_path: Path) -> None:
    outline = rectangle(10, 10, 20, 10)
    path = tmp_path / "b.csv"
    path.write_text(f'name,wkt\nb,"{outline.wkt[:-1]}, EMPTY)"\n')
    assert bring(bare, "buildings", path).new == 1


# GeoJSON: any member of any type

_RINGS = [[[121.5, 31.2], [121.51, 31.2], [121.51, 31.21], [121.5, 31.2]]]
_POINT = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [121.5, 31.2]}, "properties": {"a": 1}}
_DOCUMENTS: list[Any] = [
    {
        "type": "FeatureCollection",
        "bbox": [1, 2, 3, 4],
        "crs": {"type": "name", "properties": {"name": "EPSG:4326"}},
        "coordinate_system": "GCJ-02",
        "features": [
            {
                "type": "Feature",
                "id": 1,
                "bbox": [1, 2, 3, 4],
                "geometry": {"type": "Polygon", "coordinates": _RINGS},
                "properties": {"a": 1},
            },
            _POINT,
        ],
    },
    {"type": "MultiPolygon", "coordinates": [_RINGS, _RINGS]},
    {"type": "MultiPoint", "coordinates": [[121.5, 31.2]]},
    {"type": "LineString", "coordinates": [[121.5, 31.2], [121.6, 31.2]]},
    {"type": "MultiLineString", "coordinates": [[[121.5, 31.2], [121.6, 31.2]]]},
    {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [121.5, 31.2]}]},
    [_POINT],
    [{"a": 1, "b": "x"}],
]
_WRONG: list[Any] = [None, True, 0, -1, 1.5, 1e400, "", "x", [], {}, [[]], [{}], {"a": 1}, [None], ["x"], 10**400]


def _spots(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for member in members:
        yield from _spots(document[member], (*path, member))


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(document)
    holder = changed
    for member in path[:-1]:
        holder = holder[member]
    holder[path[-1]] = value
    return changed


@pytest.mark.parametrize("document", _DOCUMENTS, ids=range(len(_DOCUMENTS)))
def test_every_member_may_be_of_any_type_and_the_file_is_read_or_refused_in_a_sentence(
    tmp_path: Path, document: Any
) -> None:
    path = tmp_path / "d.geojson"
    tried = 0
    for spot in _spots(document):
        for wrong in _WRONG:
            path.write_text(json.dumps(_with(document, spot, wrong)))
            room = tmp_path / str(tried)
            room.mkdir()
            with suppress(WanggeError):
                source = read_source(path, room)  # hundreds of files: without a process for each
                assert len(source.frame) == len(source.rows)
            tried += 1
    assert tried >= 16
