"""What is written opens in other programs, and comes back as it was, on every datum and in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import tempfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from data.base import texts
from data.base.errors import Invalid
from data.files import reading, shapefiles, writing
from data.files.values import clean, guarded
from data.files.writing import Format, blocks, write
from spatial.datums import Datum, convert_geometries

SQUARES = [shapely.box(121.50, 31.20, 121.51, 31.21), shapely.box(121.51, 31.20, 121.52, 31.21), None]
POINTS = [shapely.Point(121.50, 31.20), None, shapely.Point(121.52, 31.21)]
FORMATS = list(Format)
needs_ogr = pytest.mark.skipif(shutil.which("ogrinfo") is None, reason="GDAL's tools (ogrinfo) are not installed")


def frame(shapes: list[shapely.Geometry | None]) -> gpd.GeoDataFrame:
    """Three rows with every type of column."""
    return gpd.GeoDataFrame(
        {
            "name": ["第一网格", "=cmd|' /C calc'!A0", "第三网格"],
            "网格负责人姓名": ["王芳", None, "𠮷田"],
            "household_count": [150, None, 170],
            "urgent": [True, False, None],
            "area_m2": [Decimal("1.5"), None, 2],
            "reported_on": [date(2026, 3, 18), None, date(1960, 1, 1)],
            "reported_at": [datetime(2026, 3, 18, 1, 2, 3, tzinfo=UTC), None, datetime(2026, 3, 18, 16, 0, tzinfo=UTC)],
            "groups": [["低保", "空巢"], [], None],
        },
        geometry=shapes,
        crs=4326,
    )


def chunks(whole: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The rows one by one, each chunk with types of its own."""
    for at in range(len(whole)):
        yield whole.iloc[at : at + 1]


def same_shapes(first: np.ndarray, second: np.ndarray, tolerance: float) -> bool:
    for one, other in zip(first, second, strict=True):
        if (one is None) != (other is None) or (one is not None and shapely.hausdorff_distance(one, other) > tolerance):
            return False
    return True


# ---- round trips ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4549", "GCJ-02", "BD-09"])
@pytest.mark.parametrize("shapes", [SQUARES, POINTS], ids=["areas", "points"])
@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read_back(
    tmp_path: Path,
    format: Format,  # noqa: A002
    shapes: list[shapely.Geometry | None],
    crs: str,
) -> None:
    path = tmp_path / f"export{format.suffix}"
    if format is Format.KML and crs == "EPSG:4549":
        with pytest.raises(Invalid, match="KML holds longitude and latitude only"):
            write(path, chunks(frame(shapes)), format=format, crs=crs)
        assert not path.exists()
        return
    written = write(path, chunks(frame(shapes)), format=format, crs=crs, layer_name="网格")
    assert written.rows == 3
    told = crs if format in (Format.CSV, Format.XLSX) and crs == "EPSG:4549" else None
    source = reading.open_source(path, crs=told)
    assert source.crs == crs
    assert same_shapes(source.geometries, np.array(shapes, dtype=object), 1e-9)
    assert source.frame["网格负责人姓名"].tolist()[0] == "王芳"
    assert source.frame["网格负责人姓名"].tolist()[2] == "𠮷田"
    assert [int(cell) for cell in source.frame["household_count"].iloc[[0, 2]]] == [150, 170]


@pytest.mark.parametrize("format", FORMATS)
def test_a_layer_of_several_kinds_of_shapes_keeps_them_all(tmp_path: Path, format: Format) -> None:  # noqa: A002
    mixed = [shapely.Point(121.5, 31.2), SQUARES[0], shapely.LineString([(121.5, 31.2), (121.6, 31.2)])]
    path = tmp_path / f"export{format.suffix}"
    written = write(path, chunks(frame(mixed)), format=format, layer_name="楼栋")
    if format is not Format.SHP:
        # A FlatGeobuf has its rows in the order of its index.
        found = sorted(reading.open_source(path).geometries, key=lambda shape: shape.geom_type)
        assert same_shapes(np.array(found), np.array(sorted(mixed, key=lambda shape: shape.geom_type)), 1e-9)
        return
    assert "Points, lines and areas are in 3 shapefiles." in written.notes
    with pytest.raises(reading.LayerNeeded) as refusal:
        reading.open_source(path)
    assert refusal.value.facts["layers"] == ["楼栋_area", "楼栋_line", "楼栋_point"]
    assert reading.open_source(path, layer="楼栋_area").geometries[0].equals(SQUARES[0])


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_without_shapes_is_written_too(tmp_path: Path, format: Format) -> None:  # noqa: A002
    path = tmp_path / f"export{format.suffix}"
    write(path, chunks(pd.DataFrame(frame(SQUARES).drop(columns="geometry"))), format=format, layer_name="居民")
    source = reading.open_source(path)
    assert len(source.frame) == 3
    assert source.crs is None


@pytest.mark.parametrize("format", FORMATS)
def test_no_row_at_all_is_a_sound_file(tmp_path: Path, format: Format) -> None:  # noqa: A002
    path = tmp_path / f"export{format.suffix}"
    assert write(path, [frame(SQUARES).iloc[:0]], format=format).rows == 0
    assert len(reading.open_source(path).frame) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_is_the_same_file(tmp_path: Path, format: Format) -> None:  # noqa: A002
    file = tempfile.TemporaryFile()  # noqa: SIM115 - blocks closes it
    write(file, chunks(frame(POINTS)), format=format)
    (tmp_path / f"export{format.suffix}").write_bytes(b"".join(blocks(file)))
    assert file.closed
    assert len(reading.open_source(tmp_path / f"export{format.suffix}").frame) == 3


def test_types_survive_where_the_format_knows_them(tmp_path: Path) -> None:
    write(tmp_path / "a.gpkg", chunks(frame(SQUARES)), format="gpkg", layer_name="网格")
    back = gpd.read_file(tmp_path / "a.gpkg")
    assert back["reported_at"].iloc[0] == pd.Timestamp("2026-03-18T01:02:03Z")
    assert back["area_m2"].tolist()[::2] == [1.5, 2.0]
    assert back["groups"].tolist()[0] == "低保、空巢"
    info = pyogrio.read_info(tmp_path / "a.gpkg")
    types = dict(zip(info["fields"], info["ogr_types"], strict=True))
    assert types["reported_on"] == "OFTDate"
    assert types["reported_at"] == "OFTDateTime"
    assert (info["geometry_type"], info["layer_name"]) == ("MultiPolygon", "网格")


# ---- other programs ------------------------------------------------------------------------------------------------


def ogrinfo(*arguments: str) -> str:
    """What GDAL's own tool says, without its remarks."""
    done = subprocess.run(
        ["ogrinfo", "-ro", "-al", *arguments], capture_output=True, text=True, check=True, timeout=600
    )
    assert "ERROR" not in done.stderr
    return done.stdout


@needs_ogr
@pytest.mark.parametrize("format", [Format.GPKG, Format.GEOJSON, Format.FGB, Format.KML, Format.CSV, Format.XLSX])
def test_gdals_tools_open_what_we_write(tmp_path: Path, format: Format) -> None:  # noqa: A002
    path = tmp_path / f"export{format.suffix}"
    write(path, chunks(frame(SQUARES)), format=format, layer_name="网格")
    said = ogrinfo(str(path))
    assert "Feature Count: 3" in said
    assert "网格负责人姓名" in said
    assert "王芳" in said
    assert "150" in said


@needs_ogr
def test_gdals_tools_read_chinese_names_in_our_shapefiles(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", chunks(frame(SQUARES)), format="shp", layer_name="网格")
    said = ogrinfo(f"/vsizip/{tmp_path}/a.zip/网格.shp")
    assert "网格负: String" in said
    assert "网格负 (String) = 王芳" in said
    assert "𠮷田" in said
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("网格.cpg") == b"UTF-8"
        assert "网格负\t网格负责人姓名" in archive.read("网格.fields.txt").decode("utf-8-sig")


def test_geopandas_reads_our_parquet(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", chunks(frame(SQUARES)), format="parquet", crs="EPSG:4549")
    back = gpd.read_parquet(tmp_path / "a.parquet")
    assert back.crs.to_epsg() == 4549
    assert back["name"].tolist()[0] == "第一网格"
    projected = gpd.GeoSeries(SQUARES, crs=4326).to_crs(4549)
    assert back.geometry.iloc[0].symmetric_difference(projected.iloc[0]).area < 1e-3


def test_an_offset_datum_is_really_applied_and_never_called_wgs84(tmp_path: Path) -> None:
    write(tmp_path / "a.gpkg", chunks(frame(POINTS)), format="gpkg", crs="GCJ-02", layer_name="点")
    (name, _kind), *_others = pyogrio.list_layers(tmp_path / "a.gpkg").tolist()
    assert name == "点_GCJ-02"
    info = pyogrio.read_info(tmp_path / "a.gpkg", layer=name)
    assert info["crs"] is None or not pyproj.CRS.from_user_input(info["crs"]).is_projected
    _meta, _fids, shapes, _cells = pyogrio.raw.read(tmp_path / "a.gpkg", layer=name)
    shifted = convert_geometries(np.array(POINTS, dtype=object), Datum.WGS84, Datum.GCJ02)
    assert same_shapes(shapely.from_wkb(shapes), shifted, 1e-12)


def test_geojson_is_as_its_standard_says(tmp_path: Path) -> None:
    clockwise = shapely.Polygon([(121, 31), (121, 32), (122, 32), (122, 31), (121, 31)])
    write(tmp_path / "a.geojson", [frame([clockwise, None, SQUARES[0]])], format="geojson", layer_name="网格")
    document = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert (document["type"], document["name"], "crs" in document) == ("FeatureCollection", "网格", False)
    first, second, _third = document["features"]
    assert shapely.LinearRing(first["geometry"]["coordinates"][0]).is_ccw
    assert second["geometry"] is None
    assert first["properties"]["reported_at"] == "2026-03-18T09:02:03+08:00"
    assert first["properties"]["reported_on"] == "2026-03-18"
    assert first["properties"]["household_count"] == 150
    assert first["properties"]["urgent"] is True


# ---- tables --------------------------------------------------------------------------------------------------------


def test_a_csv_opens_in_spreadsheets_and_runs_no_formula(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", chunks(frame(POINTS)), format="csv")
    content = (tmp_path / "a.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    header, first, second, _third = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert header[-2:] == ["lon", "lat"]
    assert first[-2:] == ["121.5", "31.2"]
    assert second[-2:] == ["", ""]
    assert second[0] == "'=cmd|' /C calc'!A0"
    assert reading.open_source(tmp_path / "a.csv").frame["name"].tolist()[1] == "'=cmd|' /C calc'!A0"
    assert clean(second[0]) == "=cmd|' /C calc'!A0"


@given(st.text())
def test_the_guard_against_formulas_is_taken_off_again(text: str) -> None:
    shown = guarded(text)
    assert shown[:1] not in ("=", "+", "-", "@", "\t", "\r") or shown.lstrip("+-").replace(".", "").isdecimal()
    if text == texts.clean(text).rstrip().rstrip("\u200b\ufeff") == text.rstrip():
        assert clean(shown) == (text if shown != text else clean(text))
    assert guarded(shown) != shown or shown == text, "what was guarded is guarded again when it is written again"


FORMULAS = [
    before + sign + "HYPERLINK(A1)"
    for before in ("", " ", "\u3000", "\u200b", "\ufeff", "\u202e", "\u00ad", "'", "''", "＇", "\t")
    for sign in ("=", "+", "-", "@", "＝", "＋", "－", "＠", "−", "\t", "\r", "\n")
]


@pytest.mark.parametrize("chosen", [Format.CSV, Format.XLSX])
def test_no_text_is_a_formula_in_a_spreadsheet_and_each_is_read_back_as_it_was(tmp_path: Path, chosen: Format) -> None:
    path = tmp_path / f"a.{chosen}"
    written = FORMULAS
    write(path, [pd.DataFrame({"=name": written, "at": range(len(written))})], format=chosen)
    if chosen is Format.XLSX:
        cells = [row[0] for row in openpyxl.load_workbook(path).active.iter_rows()]
        assert all(cell.data_type == "s" and cell.quotePrefix for cell in cells)
    else:
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
        assert all(row[0].startswith("'") for row in rows)
    frame = reading.open_source(path).frame
    # What nobody sees is no part of a text that is read.
    assert [clean(text) for text in frame.iloc[:, 0]] == [
        re.sub("[\u200b\ufeff\u202e\u00ad]", "", text) for text in written
    ]


def test_a_spreadsheet_keeps_texts_as_texts_and_days_as_days(tmp_path: Path) -> None:
    table = frame(POINTS).assign(identity_number="110105194912310021")
    write(tmp_path / "a.xlsx", chunks(table), format="xlsx", layer_name="家庭[1]:*")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    sheet = book.active
    assert sheet.title == "家庭_1___"
    rows = [dict(zip([cell.value for cell in sheet[1]], row, strict=True)) for row in sheet.iter_rows(min_row=2)]
    formula = rows[1]["name"]
    assert (formula.value, formula.data_type, formula.quotePrefix) == ("=cmd|' /C calc'!A0", "s", True)
    assert rows[0]["identity_number"].value == "110105194912310021"
    assert rows[0]["reported_at"].value.isoformat() == "2026-03-18T09:02:03"
    assert rows[0]["reported_on"].is_date
    assert (rows[0]["lon"].value, rows[1]["lon"].value) == (121.5, None)


def test_a_shape_too_long_for_a_cell_is_left_out_and_counted(tmp_path: Path) -> None:
    large = shapely.Point(121.5, 31.2).buffer(0.1, quad_segs=1000)
    written = write(tmp_path / "a.xlsx", [frame([large, SQUARES[0], None])], format="xlsx")
    assert written.notes == ["1 shapes or texts are longer than a cell of a spreadsheet can be, and were left out."]
    assert reading.open_source(tmp_path / "a.xlsx").geometries[1].equals(SQUARES[0])


# ---- shapefiles ----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30), unique=True, max_size=30)
)
def test_short_names_fit_and_differ(names: list[str]) -> None:
    short = shapefiles.short_names(names)
    assert list(short) == names
    assert all(len(name.encode()) <= 10 for name in short.values())
    assert len({name.casefold() for name in short.values()}) == len(names)


def test_a_long_text_is_cut_between_characters_and_that_is_said(tmp_path: Path) -> None:
    table = frame(SQUARES).assign(description="长" * 100)
    written = write(tmp_path / "a.zip", chunks(table), format="shp")
    assert "3 texts of “description” were cut at 254 bytes, which is all that a shapefile holds." in written.notes
    assert reading.open_source(tmp_path / "a.zip").frame["description"].tolist() == ["长" * 84] * 3
    assert written.names["description"] == "descriptio"


# ---- faults --------------------------------------------------------------------------------------------------------


def test_a_failure_leaves_no_file_and_the_old_one_whole(tmp_path: Path) -> None:
    def failing() -> Iterator[pd.DataFrame]:
        yield frame(SQUARES)
        raise RuntimeError("the database went away")

    for chosen in FORMATS:
        path = tmp_path / f"export{chosen.suffix}"
        path.write_text("old")
        with pytest.raises(RuntimeError, match="the database went away"):
            write(path, failing(), format=chosen)
        assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == len(FORMATS)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"format": "dwg"}, "There is no format “dwg”. There are: gpkg"),
        ({"format": "gpkg", "crs": "EPSG:0"}, "“EPSG:0” is no known coordinate system"),
    ],
)
def test_a_wrong_wish_is_explained(tmp_path: Path, options: dict[str, str], fault: str) -> None:
    with pytest.raises(Invalid) as refusal:
        write(tmp_path / "a", [frame(SQUARES)], **options)  # type: ignore[arg-type]
    assert fault in refusal.value.detail
    assert list(tmp_path.iterdir()) == []


def test_chunks_on_another_system_and_times_without_a_zone_are_mistakes_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="EPSG:4326"):
        write(tmp_path / "a.gpkg", [frame(SQUARES).to_crs(4549)], format="gpkg")
    naive = pd.DataFrame({"at": [pd.Timestamp("2026-03-18")]})
    with pytest.raises(ValueError, match="need a zone"):
        write(tmp_path / "a.csv", [naive], format="csv")


@pytest.mark.parametrize("format", [Format.GPKG, Format.GEOJSON, Format.CSV, Format.PARQUET, Format.SHP, Format.KML])
def test_memory_stays_flat_whatever_the_size(tmp_path: Path, format: Format) -> None:  # noqa: A002
    def many(count: int) -> Iterator[gpd.GeoDataFrame]:
        for number in range(count):
            numbers = np.arange(1000) + 1000 * number
            points = shapely.points(121 + numbers % 997 / 1e3, 31 + numbers % 991 / 1e3)
            yield gpd.GeoDataFrame({"number": numbers, "text": ["路灯不亮" * 10] * 1000}, geometry=points, crs=4326)

    peaks = []
    for count in (3, 3, 30):
        tracemalloc.start()
        write(tmp_path / f"a{format.suffix}", many(count), format=format)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 2 * peaks[1]


def test_every_format_has_a_media_type_and_a_suffix() -> None:
    assert {chosen.suffix for chosen in Format} >= {".zip", ".gpkg", ".csv"}
    assert all("/" in chosen.media_type for chosen in Format)
    assert writing.parse_format(" .GPKG ") is Format.GPKG
