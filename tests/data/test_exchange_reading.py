"""Files are read right or refused with the fault named, never half and never with a crash.

Real files come from the folder of geodata; what is not there is made here, by another program where one can.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import time
import warnings
import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import numpy as np
import pytest
import shapely

from data.base import language
from data.base.errors import Invalid
from data.exchange import importing
from data.files import geojson
from data.files.reading import CrsNeeded, LayerNeeded, Source, open_source
from spatial.datums import Datum, convert_geometries

ROOT = Path(__file__).resolve().parent.parent.parent
GEODATA = Path(os.environ.get("WANGGE_GEODATA") or ROOT.parent / "shared" / "geodata")
FOLDERS = ("nasty", "tracks", "incidents/qsv_csv_variants", "open311", "buildings", "admin_cn")
FILES = sorted(
    str(path.relative_to(GEODATA)) for folder in FOLDERS for path in (GEODATA / folder).rglob("*") if path.is_file()
)
GEOJSON = "geojson_invalid/examples"
SQUARES = [shapely.box(121.50, 31.20, 121.51, 31.21), shapely.box(121.51, 31.20, 121.52, 31.21)]


@pytest.fixture
def grids() -> gpd.GeoDataFrame:
    """Two grids with Chinese names."""
    return gpd.GeoDataFrame({"名称": ["第一网格", "第二网格"], "户数": [150, 200]}, geometry=SQUARES, crs=4326)


def check_grids(source: Source, *, name: str = "名称") -> None:
    assert source.frame[name].tolist() == ["第一网格", "第二网格"]
    assert source.frame.crs == "EPSG:4326"
    assert shapely.area(shapely.symmetric_difference(source.geometries, np.array(SQUARES))).max() < 1e-12
    assert source.rows.tolist() == [1, 2]
    assert source.rejects == []


def attempt(path: Path) -> tuple[Source | None, str | None]:
    """The file as it is read, or the sentence it is refused with."""
    try:
        return open_source(path), None
    except Invalid as refusal:
        return None, refusal.detail


# ---- every real file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_real_file_is_read_whole_or_refused_with_a_sentence(name: str) -> None:
    path = GEODATA / name
    before = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source, refusal = attempt(path)
        if refusal is not None:
            assert len(refusal) > 20
            assert refusal.rstrip().endswith((".", "?"))
            assert str(GEODATA) not in refusal
        if source is not None:
            assert len(source.frame) == len(source.rows)
            there = source.geometries[~shapely.is_missing(source.geometries)]
            assert not shapely.has_z(there).any()
            if len(there):
                west, south, east, north = shapely.total_bounds(there)
                assert max(-west, east) <= 180
                assert max(-south, north) <= 90
                assert source.crs
    assert time.monotonic() - before < 20


@pytest.mark.parametrize(
    ("name", "rows", "placed", "crs"),
    [
        (f"nasty/{GEOJSON}/problematic_structure/problematic_crs_defined.geojson", 1, 1, "EPSG:32632"),
        (
            f"nasty/{GEOJSON}/valid/valid_featurecollection_multiple_feature_types.geojson",
            4,
            4,
            "EPSG:4326",
        ),
        (f"nasty/{GEOJSON}/valid/valid_featurecollection_empty_features.geojson", 0, 0, None),
        ("nasty/geotools/aaa2.shp", 1, 1, "EPSG:4326"),
        ("nasty/geotools/nulls.dbf", 4, 0, None),
        ("nasty/geotools/empty-shapefile.shp", 0, 0, None),
        ("nasty/kml/multitrack.kml", 3, 3, "EPSG:4326"),
        ("nasty/kml/styles.kml", 2, 2, "EPSG:4326"),
        ("nasty/kml/null_geometry.kml", 1, 0, None),
        ("nasty/mapshaper_gpkg/world_land_robin.gpkg", 1, 1, "UNK / Robinson"),
        ("nasty/mapshaper_gpkg/null_crs_gdal.gpkg", 1, 1, "EPSG:4326"),
        ("nasty/pyogrio/fixtures/curvepolygon.gpkg", 1, 1, "EPSG:4326"),
        ("nasty/pyogrio/fixtures/line_zm.gpkg", 1, 1, "EPSG:4326"),
        ("nasty/pyogrio/fixtures/list_nested_struct_file.parquet", 3, 3, "EPSG:4326"),
        ("nasty/pyogrio/fixtures/naturalearth_lowres/naturalearth_lowres.shp", 177, 177, "EPSG:4326"),
        ("tracks/togeojson/run.gpx", 1, 1, "EPSG:4326"),
        ("tracks/gpxpy/test_files/unicode.gpx", 6, 6, "EPSG:4326"),
        ("incidents/qsv_csv_variants/boston311-100.csv", 100, 100, "EPSG:4326"),
        ("incidents/qsv_csv_variants/boston311-100.jsonl", 100, 100, "EPSG:4326"),
        ("open311/boston_scrubbed/responses--0-1000--aa.json", 1000, 1000, "EPSG:4326"),
        ("open311/chicago_requests.json", 50, 50, "EPSG:4326"),
        ("open311/cfa_ruby/fixtures/service_requests.xml", 2, 2, "EPSG:4326"),
        ("buildings/nyc_south_buildings_osm.parquet", 51017, 51017, "EPSG:4326"),
        ("buildings/nyc_south_addresses_osm.parquet", 56244, 56244, "EPSG:4326"),
        ("buildings/shanghai_buildings_osm.geojson", 1450, 1450, "EPSG:4326"),
        ("admin_cn/taipei_villages.geojson", 456, 456, "EPSG:4326"),
        ("redistricting/IA/IA_counties.zip", 99, 99, "EPSG:4269"),
        ("streets/wuhan_8989/simplified.parquet", 16408, 16408, "EPSG:32650"),
    ],
)
def test_a_real_file_has_as_many_rows_and_places_as_its_readme_says(
    geodata: Path, name: str, rows: int, placed: int, crs: str | None
) -> None:
    source = open_source(geodata / name)
    assert len(source.frame) == rows
    assert (~shapely.is_missing(source.geometries)).sum() == placed
    assert source.crs == crs


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (f"{GEOJSON}/invalid_geometries/invalid_unclosed.geojson", "outer ring is not closed"),
        (
            f"{GEOJSON}/invalid_geometries/invalid_less_three_unique_nodes.geojson",
            "3 positions; at least 4",
        ),
        (
            f"{GEOJSON}/invalid_geometries/invalid_incorrect_geometry_data_type.geojson",
            "those of a LineS",
        ),
        (f"{GEOJSON}/invalid_structure/invalid_feature_geometry_is_string.geojson", '"is_a_string"'),
        (f"{GEOJSON}/invalid_structure/invalid_feature_id_type.geojson", "“id” must be"),
        (f"{GEOJSON}/invalid_structure/invalid_feature_no_properties.geojson", "“properties” is missing"),
        (f"{GEOJSON}/invalid_structure/invalid_feature_properties_is_int.geojson", "here is 2"),
        (
            f"{GEOJSON}/invalid_structure/invalid_feature_wrong_geometry_key.geojson",
            "“geometry” is missing",
        ),
        (
            f"{GEOJSON}/invalid_structure/invalid_featurecollection_feature_nullfeature.geojson",
            "here is null",
        ),
        (
            f"{GEOJSON}/invalid_structure/invalid_featurecollection_features_is_object.geojson",
            "must be a list",
        ),
        (
            f"{GEOJSON}/invalid_structure/invalid_featurecollection_no_features_member.geojson",
            "no member",
        ),
        (
            f"{GEOJSON}/invalid_structure/invalid_featurecollection_type_lowercase.geojson",
            "very spelling",
        ),
        (f"{GEOJSON}/invalid_structure/invalid_geometry_bbox_not4or6.geojson", "here are 3"),
        (
            f"{GEOJSON}/invalid_structure/invalid_geometry_coordinates_empty_position.geojson",
            "here is []",
        ),
        (f"{GEOJSON}/invalid_structure/invalid_geometry_coordinates_string.geojson", '"11.691336"'),
        (
            f"{GEOJSON}/invalid_structure/invalid_geometry_depth_deep_polygon.geojson",
            "nested as those of a P",
        ),
        (f"{GEOJSON}/invalid_structure/invalid_geometry_missing_type.geojson", "“type” is missing"),
        (f"{GEOJSON}/invalid_structure/invalid_geometry_wrong_geometry_type.geojson", "“SomeThingElse”"),
        (
            f"{GEOJSON}/problematic_geometries/problematic_outside_lat_lon_boundaries.geojson",
            "no place on",
        ),
        ("geotools/state.shp", "names no coordinate system"),
        ("kml/bad.kml", "Line 5 of “bad.kml”: the longitude “no” is not a number"),
        ("geojson_invalid/README.md", "no format that can be read"),
    ],
)
def test_a_nasty_file_is_refused_for_its_own_fault(geodata: Path, name: str, fault: str) -> None:
    with pytest.raises(Invalid) as refusal:
        open_source(geodata / "nasty" / name)
    assert fault in refusal.value.detail


def test_the_sentence_is_chinese_for_a_chinese_reader(geodata: Path) -> None:
    with language.using("zh"), pytest.raises(Invalid, match="外环没有闭合"):
        open_source(geodata / f"nasty/{GEOJSON}/invalid_geometries/invalid_unclosed.geojson")


def test_an_undefined_latitude_in_a_track_is_named_with_its_line(geodata: Path) -> None:
    with pytest.raises(Invalid, match=r"Line 5 .* latitude “undefined” is not a number"):
        open_source(geodata / "tracks/togeojson/bad.gpx")


def test_a_table_with_one_bad_line_gives_the_others_and_says_which(geodata: Path) -> None:
    source = open_source(geodata / "incidents/qsv_csv_variants/boston311-100-bad.tsv")
    assert len(source.frame) == 99
    (reject,) = source.rejects
    assert (reject.row, reject.reason) == (41, "The row has 30 cells, the header has 29.")
    assert reject.values["case_enquiry_id"] == "101004113615"
    assert 41 not in source.rows


def test_shapes_that_are_none_are_rejects_of_their_rows(geodata: Path) -> None:
    source = open_source(geodata / "nasty/kml/addresses.kml")
    assert len(source.frame) + len(source.rejects) == 15
    assert {reject.reason for reject in source.rejects} == {"A line needs at least two positions, here is one."}


def test_the_large_file_of_buildings_is_read_in_well_under_a_second(geodata: Path) -> None:
    path = geodata / "buildings/nyc_south_buildings_osm.parquet"
    open_source(path)
    taken = []
    for _round in range(3):
        before = time.process_time()
        open_source(path)
        taken.append(time.process_time() - before)
    assert min(taken) < 0.8


# ---- layers --------------------------------------------------------------------------------------------------------


def test_several_layers_must_be_chosen_from(geodata: Path) -> None:
    path = geodata / "nasty/mapshaper_gpkg/Oregon.gpkg"
    with pytest.raises(LayerNeeded) as refusal:
        open_source(path)
    assert refusal.value.facts["layers"] == ["land", "roads"]
    assert len(open_source(path, layer="roads").frame) == 121
    with pytest.raises(Invalid, match=r"no layer “rivers”\. It has: land, roads"):
        open_source(path, layer="rivers")


def test_a_layer_without_shapes_gets_them_from_its_columns(geodata: Path) -> None:
    source = open_source(geodata / "nasty/mapshaper_gpkg/data_only_tables.gpkg", layer="oregon_cities")
    assert source.places == {"lon": "LNG", "lat": "LAT"}
    assert shapely.get_x(source.geometries).tolist() == source.frame["LNG"].tolist()


def test_every_layer_of_an_unsorted_extract_is_read(geodata: Path) -> None:
    path = geodata / "nasty/pyogrio/fixtures/sample.osm.pbf"
    counts = {name: len(open_source(path, layer=name).frame) for name in ("points", "lines", "multipolygons")}
    assert counts == {"points": 8, "lines": 36, "multipolygons": 8}


def test_tags_of_openstreetmap_that_are_known_headings_are_columns_and_ways_keep_their_id(tmp_path: Path) -> None:
    corners = ((121.5, 31.2), (121.501, 31.2), (121.501, 31.201))
    nodes = "".join(f'<node id="{n}" version="1" lon="{x}" lat="{y}"/>' for n, (x, y) in enumerate(corners, 1))
    tags = {
        "building": "apartments",
        "addr:street": '锦绣"路',
        "addr:housenumber": "12",
        "building:levels": "6",
        "roof:colour": "red",
    }
    told = "".join(f"<tag k={quoteattr(name)} v={quoteattr(value)}/>" for name, value in tags.items())
    way = f'<way id="7" version="1">{"".join(f"""<nd ref="{n}"/>""" for n in (1, 2, 3, 1))}{told}</way>'
    path = tmp_path / "town.osm"
    path.write_text(f'<osm version="0.6">{nodes}{way}</osm>')
    row = open_source(path, layer="multipolygons").frame.iloc[0]
    assert [row[name] for name in ("osm_id", "addr:street", "addr:housenumber", "building:levels")] == [
        "way/7",
        '锦绣"路',
        "12",
        "6",
    ]
    assert row["other_tags"] == '"roof:colour"=>"red"'
    opened = importing.inspect(path, "buildings", layer="multipolygons")
    assert {"street", "number", "floors", "code", "kind"} <= {*opened.mapping.values()}


def test_the_points_of_a_track_are_there_for_who_asks(geodata: Path) -> None:
    path = geodata / "tracks/gpsbabel/wbt-201.gpx"
    with pytest.raises(LayerNeeded) as refusal:
        open_source(path)
    assert refusal.value.facts["layers"] == ["waypoints", "tracks"]
    assert len(open_source(path, layer="track_points").frame) == 4023


# ---- formats -------------------------------------------------------------------------------------------------------

DRIVERS = [
    ("a.gpkg", "GPKG"),
    ("a.fgb", "FlatGeobuf"),
    ("a.geojson", "GeoJSON"),
    ("a.geojsonl", "GeoJSONSeq"),
    ("a.shp", "ESRI Shapefile"),
    ("a.gdb", "OpenFileGDB"),
    ("a.kml", "LIBKML"),
]


@pytest.mark.parametrize(("name", "driver"), DRIVERS)
def test_a_layer_made_by_gdal_comes_back_as_it_was(
    tmp_path: Path, grids: gpd.GeoDataFrame, name: str, driver: str
) -> None:
    # A FlatGeobuf with an index has its rows in the order of the index.
    options = {"SPATIAL_INDEX": "NO"} if driver == "FlatGeobuf" else {}
    grids.astype({"户数": "int32"}).to_file(tmp_path / name, driver=driver, **options)
    check_grids(open_source(tmp_path / name))


def test_content_decides_and_not_the_name(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.gpkg")
    shutil.copy(tmp_path / "a.gpkg", tmp_path / "a.json")
    check_grids(open_source(tmp_path / "a.json"))
    (tmp_path / "export.xls").write_text("名称\t经度\t纬度\n甲\t121.5\t31.2\n乙\t121.6\t31.2\n", encoding="utf-8")
    assert open_source(tmp_path / "export.xls").format == "CSV"
    (tmp_path / "page.xls").write_text("<html><body><table></table></body></html>", encoding="utf-8")
    with pytest.raises(Invalid, match="is a web page"):
        open_source(tmp_path / "page.xls")


def test_a_drawing_is_read_where_it_says_where_it_is(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_crs(4549)[["geometry"]].to_file(tmp_path / "a.dxf", driver="DXF")
    with pytest.raises(CrsNeeded, match="--crs"):
        open_source(tmp_path / "a.dxf")
    source = open_source(tmp_path / "a.dxf", crs="EPSG:4549")
    assert shapely.total_bounds(source.geometries).round(6).tolist() == [121.5, 31.2, 121.52, 31.21]


def test_nested_values_of_records_become_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"lat": 31.2, "long": 121.5, "notes": [{"a": 1}]}]', encoding="utf-8")
    assert open_source(tmp_path / "a.json").frame["notes"].tolist() == ['[{"a": 1}]']


def test_one_bad_feature_is_a_reject_and_the_others_go_on(tmp_path: Path) -> None:
    shapes = [{"type": "Point", "coordinates": [121.5] if n == 3 else [121.5, 31.2]} for n in range(6)]
    features = [{"type": "Feature", "properties": {"n": n}, "geometry": shape} for n, shape in enumerate(shapes)]
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    source = open_source(tmp_path / "a.geojson")
    assert source.rows.tolist() == [1, 2, 3, 5, 6]
    assert [(reject.row, reject.values) for reject in source.rejects] == [(4, {"n": 3})]
    assert source.rejects[0].reason == "A position needs longitude and latitude, here is [121.5]."


def test_the_place_of_broken_json_is_named() -> None:
    with pytest.raises(Invalid, match="Line 3, column 13"):
        geojson.parse('{"type": "FeatureCollection",\n "features": [\n    {"type" "Feature"}]}')


@pytest.mark.parametrize("text", ["[" * 100_000, '{"type":"GeometryCollection","geometries":[' * 5_000])
def test_bottomless_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep.json").write_text(text)
    with pytest.raises(Invalid, match="nested too deeply"):
        open_source(tmp_path / "deep.json")


# ---- shapefiles ----------------------------------------------------------------------------------------------------


def test_a_gbk_shapefile_without_code_page_is_read_and_that_is_said(geodata: Path) -> None:
    source = open_source(geodata / "nasty/geotools/chinese_poly.shp")
    assert source.frame["NAME"].tolist() == ["黑龙江省"]
    assert (source.encoding, source.encoding_how) == ("GBK", "guessed")
    assert "The texts were read as GBK, guessed from their bytes." in source.notes


def test_the_person_knows_the_encoding_best(geodata: Path) -> None:
    path = geodata / "nasty/geotools/chinese_poly.shp"
    assert open_source(path, encoding="latin1").frame["NAME"].tolist() == ["ºÚÁú½­Ê¡"]
    with pytest.raises(Invalid, match="no encoding “klingon”"):
        open_source(path, encoding="klingon")
    with pytest.raises(Invalid, match="not UTF-8"):
        open_source(path, encoding="utf-8")


def test_a_shapefile_without_its_index_or_attributes_is_read(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.shp", encoding="GBK")
    for suffix in (".shx", ".cpg"):
        (tmp_path / f"a{suffix}").unlink()
    check_grids(open_source(tmp_path / "a.shp"))
    check_grids(open_source(tmp_path / "a.dbf"))
    assert not (tmp_path / "a.shx").exists(), "nothing is written beside the file of the person"
    (tmp_path / "a.dbf").unlink()
    assert open_source(tmp_path / "a.shp").columns == []


def test_a_shapefile_cut_off_is_told_from_a_whole_one(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.shp")
    content = (tmp_path / "a.shp").read_bytes()
    (tmp_path / "a.shp").write_bytes(content[:-40])
    with pytest.raises(Invalid, match="cut off: it says it has"):
        open_source(tmp_path / "a.shp")


def test_a_packed_shapefile_is_read_with_chinese_names(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.shp", encoding="GBK")
    (tmp_path / "a.cpg").unlink()
    with zipfile.ZipFile(tmp_path / "网格.zip", "w") as archive:
        for suffix in ("shp", "shx", "dbf", "prj"):
            archive.write(tmp_path / f"a.{suffix}", f"数据/网格.{suffix}")
        archive.writestr("__MACOSX/._网格.shp", b"\0")
    source = open_source(tmp_path / "网格.zip")
    check_grids(source)
    assert source.layer == "网格"


def test_an_archive_of_several_files_asks_which(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.gpkg")
    grids.to_file(tmp_path / "a.geojson")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(tmp_path / "a.gpkg", "b/a.gpkg")
        archive.write(tmp_path / "a.geojson", "a.geojson")
        archive.writestr("readme.csv", "a,b\n1,2\n")
    with pytest.raises(LayerNeeded) as refusal:
        open_source(tmp_path / "two.zip")
    assert refusal.value.facts["layers"] == ["a.geojson", "b/a.gpkg"]
    check_grids(open_source(tmp_path / "two.zip", layer="b/a.gpkg"))


# ---- coordinate systems --------------------------------------------------------------------------------------------


def test_projected_files_come_into_longitude_and_latitude(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_crs(4549).to_file(tmp_path / "a.gpkg")
    source = open_source(tmp_path / "a.gpkg")
    check_grids(source)
    assert (source.crs, source.crs_how) == ("EPSG:4549", "stated")


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_the_person_says_that_coordinates_are_shifted(tmp_path: Path, grids: gpd.GeoDataFrame, datum: Datum) -> None:
    shifted = grids.set_geometry(gpd.GeoSeries(convert_geometries(np.array(SQUARES), Datum.WGS84, datum), crs=4326))
    shifted.to_file(tmp_path / "a.geojson")
    source = open_source(tmp_path / "a.geojson", crs=str(datum))
    check_grids(source)
    assert (source.crs, source.crs_how) == (str(datum), "given")


def test_a_file_without_system_is_taken_for_degrees_only_where_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "deg.csv").write_text("name,wkt\na,POINT (121.5 31.2)\n")
    source = open_source(tmp_path / "deg.csv")
    assert source.crs_how == "likely"
    assert any("names no coordinate system" in note for note in source.notes)
    (tmp_path / "metres.csv").write_text("name,x,y\na,500000,3456000\n")
    with pytest.raises(CrsNeeded, match="no longitudes and latitudes"):
        open_source(tmp_path / "metres.csv")
    (tmp_path / "local.csv").write_text("name,x,y\na,0.2,0.4\n")
    with pytest.raises(CrsNeeded, match="too small"):
        open_source(tmp_path / "local.csv")


def test_northing_before_easting_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "east.csv").write_text("name,x,y\na,500000,3456000\n")
    (tmp_path / "north.csv").write_text("name,X坐标,Y坐标\na,3456000,500000\n", encoding="utf-8")
    east = open_source(tmp_path / "east.csv", crs="EPSG:4549")
    north = open_source(tmp_path / "north.csv", crs="4549")
    assert east.geometries[0].equals_exact(north.geometries[0], 1e-12)
    assert "The columns X and Y are northing and easting; they were read so." in north.notes


def test_a_system_of_another_country_is_doubted(geodata: Path) -> None:
    with pytest.raises(CrsNeeded, match="do not lie where EPSG:7755 is used"):
        open_source(geodata / "nasty/geotools/state.shp", crs="EPSG:7755")
    with pytest.raises(Invalid, match="“nonsense” is no known coordinate system"):
        open_source(geodata / "nasty/geotools/state.shp", crs="nonsense")


def test_a_geopackage_of_nothing_but_a_view_is_refused_for_that(tmp_path: Path) -> None:
    path = tmp_path / "view.gpkg"
    gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(120, 30)], crs="EPSG:4326").to_file(path, layer="points")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE VIEW shown AS SELECT * FROM points")
        database.execute("DELETE FROM gpkg_contents")
        database.execute("DELETE FROM gpkg_geometry_columns")
    with pytest.raises(Invalid) as refused:
        open_source(path)
    assert "extension" not in refused.value.detail


def xml_2003(rows: str, before: str = "", after: str = "") -> str:
    """An Excel 2003 XML workbook of one sheet."""
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><?mso-application progid="Excel.Sheet"?><Workbook xmlns="{space}" '
        f'xmlns:ss="{space}" xmlns:x="urn:schemas-microsoft-com:office:excel"><Styles>'
        '<Style ss:ID="Default"/><Style ss:ID="four"><NumberFormat ss:Format="0000"/></Style>'
        '<Style ss:ID="gone" ss:Parent="four"><Font ss:StrikeThrough="1"/></Style></Styles>'
        f'{before}<Worksheet ss:Name="台账"><Table>{rows}</Table></Worksheet>{after}</Workbook>'
    )


def row_2003(*cells: str, row: str = "", kind: str = "String") -> str:
    return f"<Row {row}>" + "".join(f'<Cell><Data ss:Type="{kind}">{one}</Data></Cell>' for one in cells) + "</Row>"


def test_a_workbook_of_excel_2003_xml_is_read_as_everybody_sees_it(tmp_path: Path) -> None:
    rows = (
        row_2003("户号", "姓名", "时间", "备注", "楼栋", row='ss:Index="1"')
        + '<Row><Cell ss:StyleID="four"><Data ss:Type="Number">12</Data></Cell><Cell><Data ss:Type="String">李<B '
        'xmlns="http://www.w3.org/TR/REC-html40">小</B>明</Data><Comment><Data>批注</Data></Comment></Cell>'
        '<Cell><Data ss:Type="DateTime">2026-03-18T09:12:00.000</Data></Cell>'
        '<Cell ss:Index="5"><Data ss:Type="String">3</Data></Cell></Row>'
        + '<Row ss:Index="5" ss:Hidden="1" ss:StyleID="gone"><Cell><Data ss:Type="Number">13</Data></Cell>'
        '<Cell><Data ss:Type="Error">#N/A</Data></Cell><Cell ss:Formula="=TODAY()"/></Row>'
        '<Row><Cell ss:MergeDown="1"><Data ss:Type="String">14</Data></Cell></Row>'
        '<Row><Cell ss:Index="2"><Data ss:Type="Boolean">1</Data></Cell></Row>'
    )
    hidden = (
        '<Worksheet ss:Name="隐"><Table><Row><Cell><Data ss:Type="String">x</Data></Cell></Row></Table>'
        "<x:WorksheetOptions><x:Visible>SheetHidden</x:Visible></x:WorksheetOptions></Worksheet>"
    )
    file = tmp_path / "台账.xls"
    file.write_text(xml_2003(rows, before=hidden), encoding="utf-8")
    source = open_source(file)
    assert (source.format, source.layers) == ("Excel 2003 XML", ["台账"])
    assert source.columns == ["户号", "姓名", "时间", "备注", "楼栋"]
    assert source.rows.tolist() == [2, 5, 6, 7]
    assert source.frame["户号"].tolist() == ["0012", "0013", "14", "14"]
    assert source.frame["姓名"].tolist()[:2] == ["李小明", "#N/A"]
    assert str(source.frame["时间"].iloc[0]).startswith("2026-03-18 09:12")
    assert source.frame["楼栋"].iloc[0] == "3"
    said = " ".join(source.notes)
    assert "Hidden rows, as a filter leaves them, are read like the others: 5" in said
    assert "Rows that are struck out are read like the others: 5" in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            xml_2003(row_2003("a"), before="<!-- -->").replace("?><Work", '?><!DOCTYPE x [<!ENTITY a "b">]><Work'),
            "DOCTYPE",
        ),
        (xml_2003(row_2003("a"))[:-20], "not well-formed"),
        (xml_2003(row_2003("a") + row_2003("b", row='ss:Index="9999999"')), "damaged"),
        (xml_2003(row_2003("a") + row_2003("b", row='ss:Index="1"')), "damaged"),
        (xml_2003('<Row><Cell ss:Index="99999"><Data ss:Type="String">a</Data></Cell></Row>'), "damaged"),
        (xml_2003(row_2003("a") + row_2003("soon", kind="Number")), "damaged"),
    ],
)
def test_a_workbook_of_excel_2003_xml_that_is_damaged_or_dangerous_is_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "a.xls"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid, match=sentence):
        open_source(file)


def esri(**more: object) -> str:
    """What an ArcGIS server answers with f=json."""
    rings = [[[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]], [[2, 2], [4, 2], [4, 4], [2, 4], [2, 2]]]
    answer = {
        "geometryType": "esriGeometryPolygon",
        "spatialReference": {"wkid": 4326},
        "fields": [{"name": "名称", "type": "esriFieldTypeString"}, {"name": "at", "type": "esriFieldTypeDate"}],
        "features": [
            {"attributes": {"名称": "一网格", "at": 1742346720000}, "geometry": {"rings": rings}},
            {"attributes": {"名称": "二网格", "at": None}, "geometry": None},
        ],
    }
    return json.dumps(answer | more, ensure_ascii=False)


def test_the_answer_of_an_arcgis_server_is_read_with_its_system_holes_and_times(tmp_path: Path) -> None:
    file = tmp_path / "grids.json"
    file.write_text(esri(), encoding="utf-8")
    source = open_source(file)
    assert (source.format, source.crs) == ("Esri JSON", "EPSG:4326")
    assert source.frame["名称"].tolist() == ["一网格", "二网格"]
    assert source.geometries[0].area == 77
    assert len(source.geometries[0].interiors) == 1
    assert source.geometries[1] is None
    assert "2025-03-19" in str(source.frame["at"].iloc[0])
    assert not any("exceededTransferLimit" in note for note in source.notes)
    file.write_text(esri(exceededTransferLimit=True), encoding="utf-8")
    assert any("only the first part" in note for note in open_source(file).notes)


def test_true_curves_of_esri_json_are_refused_and_a_system_that_is_missing_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "grids.json"
    curve = {"curveRings": [[[0, 0], {"c": [[3, 3], [1, 4]]}, [0, 0]]]}
    file.write_text(esri(features=[{"attributes": {"名称": "弯"}, "geometry": curve}]), encoding="utf-8")
    with pytest.raises(Invalid, match="true curves"):
        open_source(file)
    metres = {"x": 500_000, "y": 3_450_000}
    points = [{"attributes": {"名称": "点"}, "geometry": metres}]
    file.write_text(esri(geometryType="esriGeometryPoint", spatialReference=None, features=points), encoding="utf-8")
    with pytest.raises(CrsNeeded):
        open_source(file)
