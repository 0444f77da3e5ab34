"""What was sent back can be mended and handed in: cells say what they said, shapes come along, rows are cheap."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import buildings
from data.base import access
from data.exchange import importing
from data.exchange.importing import Refused, rejects
from data.files import columns, reading
from data.files.contents import Rows
from spatial.datums import Datum, convert_geometries, reproject
from tests.city import City, rectangle


@pytest.fixture
def bare(session: Session) -> City:
    city = City.make(session, "310102001001")
    session.execute(text("DELETE FROM building WHERE community_id = :id"), {"id": city.community.id})
    session.expire_all()
    return city


def bring(city: City, path: Path, **options: Any) -> importing.Report:
    return importing.run(city.session, access.SYSTEM, "buildings", path, city.community, **options)


def sent_back(city: City, path: Path, **options: Any) -> Path:
    """The file of rejects of an import."""
    with pytest.raises(Refused) as refused:
        bring(city, path, rejects_path=path.with_name("rejects"), **options)
    return Path(str(refused.value.facts["rejects_file"]))


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def mended(path: Path, column: str, value: str) -> Path:
    """The file of rejects after somebody wrote a value into each row."""
    rows = [{**row, column: value} for row in cells(path)]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def drawn(tmp_path: Path, system: str) -> tuple[Path, dict[str, str]]:
    """Two buildings in a file of this system, of which one has a floor number that is none."""
    shapes = np.array([rectangle(10, 10, 20, 10), rectangle(110, 110, 20, 10)], dtype=object)
    datum = Datum(system) if system in {*Datum} else None
    frame: Any = gpd.GeoDataFrame(
        {"code": ["b1", "b2"], "name": ["甲", None], "floors": ["6", "x"], "unit_count": pd.array([None, 3], "Int64")},
        geometry=list(convert_geometries(shapes, Datum.WGS84, datum) if datum else shapes),
        crs="EPSG:4326",
    )
    path = tmp_path / "b.gpkg"
    (frame if datum else frame.to_crs(system)).to_file(path)
    return path, {"crs": system} if datum else {}


@pytest.mark.parametrize("system", ["EPSG:4326", "EPSG:4549", "EPSG:3857", "GCJ-02", "BD-09"])
def test_rejects_of_a_layer_are_mended_and_handed_in_with_their_shapes(bare: City, tmp_path: Path, system: str) -> None:
    path, options = drawn(tmp_path, system)
    target = sent_back(bare, path, **options)

    (row,) = cells(target)
    assert (row["code"], row["name"], row["floors"], row["unit_count"]) == ("b2", "", "x", "3")
    report = bring(bare, mended(target, "floors", "7"))
    assert (report.new, report.rejected) == (1, 0)
    building = bare.session.scalars(select(buildings.Building)).one()
    assert (building.code, building.name, building.floors, building.unit_count) == ("b2", None, 7, 3)
    shape = buildings.shape(building)
    assert shape is not None
    assert shapely.hausdorff_distance(shape, rectangle(110, 110, 20, 10)) < 1e-8


def test_a_shape_that_cannot_be_drawn_comes_back_as_the_file_wrote_it(bare: City, tmp_path: Path) -> None:
    ring = [list(corner) for corner in rectangle(10, 10, 20, 10).exterior.coords]
    whole = {"type": "Polygon", "coordinates": [ring]}
    features = [
        {"type": "Feature", "geometry": geometry, "properties": {"code": f"b{number}", "floors": number, "name": None}}
        for number, geometry in enumerate([whole, {"type": "Polygon", "coordinates": [ring[:-1]]}])
    ]
    path = tmp_path / "b.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    target = sent_back(bare, path)

    (row,) = cells(target)
    assert (row["code"], row["floors"], row["name"]) == ("b1", "1", "")
    report = bring(bare, mended(target, "WKT (EPSG:4326)", json.dumps(whole)))
    assert (report.new, report.located) == (1, {"point": 1})


def test_what_earlier_rejects_said_is_not_said_again(bare: City, tmp_path: Path) -> None:
    path, _options = drawn(tmp_path, "EPSG:4326")
    target = sent_back(bare, path)
    first = cells(target)
    again = sent_back(bare, target.rename(tmp_path / "again.csv"))
    assert list(cells(again)[0]) == list(first[0])


def test_a_sheet_of_rejects_keeps_numbers_days_and_empty_cells(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    day = pd.Timestamp("2026-03-18 09:30").to_pydatetime()
    for row in (["code", "floors", "name", "reported"], ["b1", "x", None, day], ["b2", 3, "乙", day]):
        book.active.append(row)
    book.save(tmp_path / "b.xlsx")
    source = reading.open_source(tmp_path / "b.xlsx")
    refused = columns.Reject(2, "r", "a", Rows(source.frame, source.columns)[0])
    target = rejects.write([refused], source, tmp_path / "rejects")
    sheet = openpyxl.load_workbook(target).active
    assert [cell.value for cell in sheet[2]][:4] == ["b1", "x", None, day]


def test_refusing_looks_at_each_column_once() -> None:
    class Counting(pd.DataFrame):
        taken = 0

        def __getitem__(self, key: Any) -> Any:
            Counting.taken += 1
            return super().__getitem__(key)

    frame = Counting({"floors": ["x"] * 1000, "name": ["a"] * 1000})
    found = columns.read_rows("buildings", frame, frame.index.to_numpy(), {"floors": "floors", "name": "name"})
    assert len(found.rejects) == 1000
    assert found.rejects[-1].values == {"floors": "x", "name": "a"}
    assert Counting.taken <= 20


def test_a_row_keeps_whole_numbers_beside_decimals_and_says_none_for_nothing() -> None:
    rows = Rows(pd.DataFrame({"a": [1, 2], "b": [0.5, float("nan")]}), ["a", "b"])
    assert [dict(row) for row in rows] == [{"a": 1, "b": 0.5}, {"a": 2, "b": None}]


def test_a_heading_of_shapes_names_their_system(tmp_path: Path) -> None:
    point = shapely.Point(121.5061, 31.2392)
    (x, y) = reproject(np.array([point]), "EPSG:4326", "EPSG:4549")[0].coords[0]
    path = tmp_path / "p.csv"
    path.write_text(f'code,WKT (EPSG:4549)\nb1,"POINT ({x!r} {y!r})"\n')
    source = reading.open_source(path)
    assert (source.crs, source.crs_how) == ("EPSG:4549", "stated")
    assert shapely.dwithin(source.geometries[0], point, 1e-9)
