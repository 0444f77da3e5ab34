"""Datums and reference systems: published points, round trips, and pyproj and geopandas as judges."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial import datums
from spatial.datums import Datum
from spatial.shapes import Fault, check_bounds

GEOD = pyproj.Geod(ellps="WGS84")
CHINA_LON, CHINA_LAT = st.floats(73.5, 135.0), st.floats(3.9, 53.5)


def great_circle_m(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Distance on the sphere of 6,371 km, by which the published offsets are given."""
    sphere = pyproj.Geod(a=6371000, b=6371000)
    return float(sphere.inv(lon, lat, other_lon, other_lat)[2])


@pytest.mark.parametrize(
    ("source", "target", "there", "here"),
    [
        # eviltransform's own test, then coordtransform's.
        (Datum.WGS84, Datum.GCJ02, (121.5272106, 31.1774276), (121.531541859215, 31.17530398364597)),
        (Datum.WGS84, Datum.GCJ02, (116.404, 39.915), (116.41024449916938, 39.91640428150164)),
        (Datum.GCJ02, Datum.BD09, (116.404, 39.915), (116.41036949371029, 39.92133699351021)),
    ],
)
def test_points_go_where_the_published_formula_puts_them(
    source: Datum, target: Datum, there: tuple[float, float], here: tuple[float, float]
) -> None:
    lon, lat = datums.convert(*there, source, target)
    assert (float(lon), float(lat)) == pytest.approx(here, abs=1e-10)


def test_changsha_moves_by_665_m_and_comes_back_in_two_steps_to_millimetres() -> None:
    lon, lat = 112.98, 28.23
    shifted = [float(axis) for axis in datums.convert(lon, lat, Datum.WGS84, Datum.GCJ02)]
    assert great_circle_m(lon, lat, *shifted) == pytest.approx(664.7, abs=0.05)
    # The same iteration by hand: it is what the public functions of other libraries stop after.
    x, y = shifted
    left = []
    for _step in range(3):
        again_x, again_y = datums.convert(x, y, Datum.WGS84, Datum.GCJ02)
        x, y = x - float(again_x) + shifted[0], y - float(again_y) + shifted[1]
        left.append(great_circle_m(lon, lat, x, y))
    assert left[0] == pytest.approx(2.6, abs=0.05)
    assert left[1] == pytest.approx(0.009, abs=0.0005)
    assert left[2] < 1e-4
    back = datums.convert(*shifted, Datum.GCJ02, Datum.WGS84)
    assert (float(back[0]), float(back[1])) == pytest.approx((lon, lat), abs=1e-9)


@given(CHINA_LON, CHINA_LAT, st.sampled_from(Datum), st.sampled_from(Datum))
def test_there_and_back_is_exact_below_a_billionth_of_a_degree(
    lon: float, lat: float, source: Datum, target: Datum
) -> None:
    there = datums.convert(lon, lat, source, target)
    back = datums.convert(*there, target, source)
    assert abs(float(back[0]) - lon) < 1e-9
    assert abs(float(back[1]) - lat) < 1e-9


@given(CHINA_LON, CHINA_LAT)
def test_by_way_of_gcj02_is_the_same_as_directly(lon: float, lat: float) -> None:
    direct = datums.convert(lon, lat, Datum.WGS84, Datum.BD09)
    by_way = datums.convert(*datums.convert(lon, lat, Datum.WGS84, Datum.GCJ02), Datum.GCJ02, Datum.BD09)
    assert np.allclose(direct, by_way, rtol=0, atol=1e-12)


def test_places_abroad_stay_where_they_are_and_missing_ones_stay_missing() -> None:
    lon, lat = np.array([-71.06, 2.35, 139.7, np.nan]), np.array([42.36, 48.85, 35.68, np.nan])
    for target in (Datum.GCJ02, Datum.BD09):
        x, y = datums.convert(lon, lat, Datum.WGS84, target)
        np.testing.assert_array_equal(x, lon)
        np.testing.assert_array_equal(y, lat)


def test_what_is_handed_in_is_not_changed() -> None:
    lon, lat = np.array([112.98]), np.array([28.23])
    for target in Datum:
        datums.convert(lon, lat, Datum.WGS84, target)
    assert (lon[0], lat[0]) == (112.98, 28.23)


def test_geometries_move_vertex_by_vertex() -> None:
    square = shapely.Polygon([(112.9, 28.2), (112.91, 28.2), (112.91, 28.21), (112.9, 28.21)])
    moved = datums.convert_geometries(np.array([square, None], dtype=object), Datum.WGS84, Datum.BD09)
    assert moved[1] is None
    lon, lat = datums.convert(*shapely.get_coordinates(square).T, Datum.WGS84, Datum.BD09)
    np.testing.assert_array_equal(shapely.get_coordinates(moved[0]), np.column_stack([lon, lat]))


@pytest.mark.parametrize(
    ("place", "lon", "lat", "crs"),
    [
        ("Changsha", 112.98, 28.23, "EPSG:4547"),
        ("Shanghai", 121.5, 31.24, "EPSG:4549"),
        ("Kashgar", 75.99, 39.47, "EPSG:4534"),
        ("Fuyuan", 134.3, 48.36, "EPSG:4554"),
        ("Haikou", 110.3, 20.0, "EPSG:4546"),
        ("Taipei", 121.5, 25.03, "EPSG:4549"),
        ("Seoul", 126.98, 37.57, "EPSG:32652"),
        ("Hanoi", 105.85, 21.03, "EPSG:32648"),
        ("Boston", -71.06, 42.36, "EPSG:32619"),
        ("Sydney", 151.2, -33.87, "EPSG:32756"),
        ("the date line", 180.0, 10.0, "EPSG:32660"),
    ],
)
def test_each_place_has_its_metric_system(place: str, lon: float, lat: float, crs: str) -> None:
    assert datums.metric_crs(lon, lat) == crs, place


@given(st.floats(-179, 179), st.floats(-79, 83))
@settings(max_examples=60, deadline=None)
def test_a_kilometre_is_a_kilometre_in_the_metric_system_of_its_place(lon: float, lat: float) -> None:
    east, north, _ = GEOD.fwd(lon, lat, 37.0, 1000.0)
    line = shapely.LineString([(lon, lat), (east, north)])
    metric = datums.reproject(np.array([line], dtype=object), "EPSG:4326", datums.metric_crs(lon, lat))
    assert shapely.length(metric[0]) == pytest.approx(1000, rel=1.1e-3)


def test_the_zone_covers_its_place_by_the_registry() -> None:
    for lon in np.arange(74.0, 135.0, 0.5):
        crs = pyproj.CRS(datums.metric_crs(float(lon), 45.0))
        assert crs.area_of_use is not None
        assert crs.area_of_use.west - 0.01 <= lon <= crs.area_of_use.east + 0.01


@pytest.mark.parametrize(("lon", "lat"), [(0.0, 89.0), (0.0, -85.0), (200.0, 0.0), (float("nan"), 0.0)])
def test_where_no_zone_is_there_is_no_metric_system(lon: float, lat: float) -> None:
    with pytest.raises(datums.NoMetricCrs):
        datums.metric_crs(lon, lat)


@pytest.mark.parametrize(
    ("text", "datum"),
    [
        ("GCJ-02", Datum.GCJ02),
        ("gcj02", Datum.GCJ02),
        ("火星坐标系", Datum.GCJ02),
        ("BD-09", Datum.BD09),
        ("bd09", Datum.BD09),
        ("BD09LL", Datum.BD09),
        ("wgs 84", Datum.WGS84),
        ("CGCS2000", Datum.WGS84),
    ],
)
def test_datums_are_known_by_the_names_people_use(text: str, datum: Datum) -> None:
    assert datums.parse_crs(text) == datum


@pytest.mark.parametrize(
    ("text", "epsg"),
    [
        ("EPSG:4549", 4549),
        ("epsg:4490", 4490),
        ("4326", 4326),
        ("+init=epsg:32619", None),
        ("CGCS2000 / 3-degree Gauss-Kruger CM 114E", 4547),
    ],
)
def test_codes_and_names_of_the_registry_are_read(text: str, epsg: int | None) -> None:
    crs = datums.parse_crs(text)
    assert isinstance(crs, pyproj.CRS)
    assert epsg is None or crs.to_epsg() == epsg


@pytest.mark.parametrize("text", ["", "nonsense", "EPSG:999999", "EPSG", "-5", "EPSG:5773", "EPSG:4978"])
def test_what_is_no_horizontal_system_is_refused_by_name(text: str) -> None:
    with pytest.raises(datums.UnknownCrs) as caught:
        datums.parse_crs(text)
    assert caught.value.text == text


def test_reprojecting_agrees_with_geopandas_whatever_the_axis_order() -> None:
    shapes = np.array([shapely.box(121.4, 31.1, 121.5, 31.2), None], dtype=object)
    ours = datums.reproject(shapes, "EPSG:4490", "EPSG:4549")
    theirs = gpd.GeoSeries(shapes, crs="EPSG:4490").to_crs("EPSG:4549")
    assert shapely.equals_exact(ours[0], theirs.iloc[0], tolerance=1e-6)
    assert ours[1] is None


@pytest.mark.parametrize(("source", "target"), [("GCJ-02", "EPSG:4549"), ("EPSG:4549", "BD-09"), ("BD-09", "GCJ-02")])
def test_datums_and_codes_can_be_mixed(source: str, target: str) -> None:
    start = shapely.box(121.4, 31.1, 121.5, 31.2)
    if source == "EPSG:4549":
        start = datums.reproject(np.array([start], dtype=object), "EPSG:4326", source)[0]
    there = datums.reproject(np.array([start], dtype=object), source, target)
    back = datums.reproject(there, target, source)
    assert not shapely.equals_exact(there[0], start, tolerance=1e-4)
    assert shapely.equals_exact(back[0], start, tolerance=1e-5)


def test_heights_are_dropped_and_the_unprojectable_is_found_by_its_bounds() -> None:
    flat = datums.reproject(np.array([shapely.Point(1, 2, 3)], dtype=object), "EPSG:4326", "EPSG:4326")
    assert not shapely.has_z(flat[0])
    beyond = datums.reproject(np.array([shapely.Point(0, 95)], dtype=object), "EPSG:4326", "EPSG:32631")
    assert check_bounds(beyond) == [Fault.NOT_FINITE]


@pytest.mark.parametrize(
    "text",
    [
        "IAU_2015:30100",
        "IAU_2015:49900",
        "ESRI:104903",
        "EPSG:5714",
        "EPSG:0",
        "EPSG:",
        "",
        " ",
        "4" * 400,
        "-1",
        "+proj=longlat +a=1737400 +b=1737400 +no_defs",
        "+proj=geocent +datum=WGS84",
        "+proj=nonsense",
        "\x00",
        "urn:ogc:def:crs:IAU_2015::30100",
        "{}",
        '{"type": "ProjectedCRS"}',
        "[",
        "GEOGCS[",
        "(" * 5000,
        "\ud800",
        "EPSG:4326+5714+1",
        'LOCAL_CS["x",UNIT["metre",1]]',
        "EPSG:4978",
        "/etc/passwd",
        "🌍",
        "null",
        "EPSG:99999999999999999999",
    ],
)
def test_what_is_no_system_of_the_ground_of_the_earth_is_refused_whatever_proj_makes_of_it(text: str) -> None:
    with pytest.raises(datums.UnknownCrs):
        datums.parse_crs(text)


@pytest.mark.parametrize(
    "text",
    [
        "+proj=longlat +nadgrids={file} +type=crs",
        "+proj=utm +zone=51 +NADGRIDS=@{file}",
        "+proj=longlat +nadgrids=@null,{file} +type=crs",
        "+proj=longlat +ellps=krass +geoidgrids={file} +type=crs",
        "+type=crs +init={file}:x",
        "init={file}:x",
        "+proj=pipeline +step +proj=gridshift +grids={file}",
        "+proj=defmodel +model={file} +type=crs",
        "+proj=tinshift +file={file} +type=crs",
        pyproj.CRS("+proj=longlat +nadgrids=other +type=crs").to_wkt().replace("other", "{file}"),
        pyproj.CRS("+proj=longlat +nadgrids=other +type=crs").to_wkt("WKT1_GDAL").replace("other", "{file}"),
        pyproj.CRS("+proj=longlat +nadgrids=other +type=crs").to_json().replace("other", "{file}"),
    ],
)
def test_no_file_is_opened_because_a_text_names_it(text: str, tmp_path: Path) -> None:
    endless = tmp_path / "endless"
    os.mkfifo(endless)  # whoever opens it waits for ever
    named = text.replace("{file}", str(endless))
    assert datums.names_a_file(named)
    with pytest.raises(datums.UnknownCrs):
        datums.parse_crs(named)


@pytest.mark.parametrize("form", ["WKT1_GDAL", "WKT1_ESRI", "WKT2_2019"])
@pytest.mark.parametrize("code", [3857, 4326, 4490, 4549, 4214, 2436])
def test_a_system_of_the_registry_names_no_file(code: int, form: str) -> None:
    crs = pyproj.CRS(code)
    assert not datums.names_a_file(crs.to_wkt(form))
    assert not datums.names_a_file(crs.to_json())


def test_web_mercator_is_read_with_the_grid_that_is_none() -> None:
    said = (
        "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=0 +k=1 +units=m +nadgrids=@null +wktext +no_defs +type=crs"
    )
    assert isinstance(datums.parse_crs(said), pyproj.CRS)
