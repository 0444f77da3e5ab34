"""Nothing that a file holds does harm: no link, no bomb, no entity, and no damage makes reading crash."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from data.base.errors import Invalid
from data.files.reading import open_source

SQUARES = [shapely.box(121.50, 31.20, 121.51, 31.21), shapely.box(121.51, 31.20, 121.52, 31.21)]


@pytest.fixture
def grids() -> gpd.GeoDataFrame:
    """Two grids with Chinese names."""
    return gpd.GeoDataFrame({"名称": ["第一网格", "第二网格"], "户数": [150, 200]}, geometry=SQUARES, crs=4326)


def refusal_of(path: Path) -> str | None:
    """The sentence a file is refused with; None when it is read."""
    try:
        open_source(path)
    except Invalid as refusal:
        return refusal.detail
    return None


# ---- what does harm ------------------------------------------------------------------------------------------------


def packed(path: Path, name: str, content: bytes, mode: int = 0) -> Path:
    """An archive with one entry."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, content)
    return path


@pytest.mark.parametrize("name", ["../../x.csv", "/etc/x.csv", "..\\x.csv", "C:\\x.csv"])
def test_an_entry_that_points_out_of_its_archive_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="points out of the archive"):
        open_source(packed(tmp_path / "a.zip", name, b"a,b\n1,2\n"))


def test_links_pipes_and_bombs_are_refused(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.gpkg")
    (tmp_path / "link.gpkg").symlink_to(tmp_path / "a.gpkg")
    with pytest.raises(Invalid, match="is a link"):
        open_source(tmp_path / "link.gpkg")
    with pytest.raises(Invalid, match="has a link"):
        open_source(packed(tmp_path / "a.zip", "x.csv", b"/etc/passwd", stat.S_IFLNK | 0o777))
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(Invalid, match="no regular file"):
        open_source(tmp_path / "pipe.csv")
    with pytest.raises(Invalid, match="no honest archive"):
        open_source(packed(tmp_path / "bomb.zip", "x.csv", bytes(200 << 20)))
    with pytest.raises(Invalid, match="There is no file"):
        open_source(tmp_path / "absent.csv")


def test_a_shapefile_may_not_borrow_its_attributes_by_a_link(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.shp")
    (tmp_path / "a.dbf").rename(tmp_path / "elsewhere.bin")
    (tmp_path / "a.dbf").symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(Invalid, match="is a link"):
        open_source(tmp_path / "a.shp")


KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>网格</name>{}</Document></kml>'
PLACEMARK = "<Placemark><name>第一网格</name><Point><coordinates>121.5,31.2</coordinates></Point></Placemark>"


def test_entities_are_refused_and_other_encodings_are_not(tmp_path: Path) -> None:
    entity = '<?xml version="1.0"?><!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    (tmp_path / "a.kml").write_text(entity + KML.format(PLACEMARK), encoding="utf-8")
    with pytest.raises(Invalid, match="DOCTYPE"):
        open_source(tmp_path / "a.kml")
    gbk = '<?xml version="1.0" encoding="GB2312"?>\n' + KML.format(PLACEMARK)
    (tmp_path / "b.kml").write_bytes(gbk.encode("gbk"))
    source = open_source(tmp_path / "b.kml")
    assert source.frame["Name"].tolist() == ["第一网格"]
    assert (source.encoding, source.encoding_how) == ("GBK", "declared")
    packed(tmp_path / "c.kmz", "doc.kml", KML.format(PLACEMARK).encode())
    assert open_source(tmp_path / "c.kmz").layer == "网格"


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.geojson", "a.kml", "a.parquet", "a.xlsx", "a.csv", "a.shp"])
def test_no_damage_makes_reading_crash(tmp_path: Path, grids: gpd.GeoDataFrame, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".parquet"):
        grids.to_parquet(path)
    elif name.endswith((".csv", ".xlsx")):
        table = pd.DataFrame(grids.drop(columns="geometry")).assign(wkt=grids.geometry.to_wkt())
        table.to_excel(path, index=False) if name.endswith("x") else table.to_csv(path, index=False)
    else:
        grids.to_file(path, **({"driver": "LIBKML"} if name.endswith(".kml") else {}))
    sound = path.read_bytes()
    random = np.random.default_rng(4)
    for _round in range(25):
        content = bytearray(sound)
        for at in random.integers(0, len(content), random.choice([1, 5, 50])):
            content[at] = random.integers(0, 256)
        path.write_bytes(content[: random.integers(1, len(content))] if random.random() < 0.3 else content)
        assert str(tmp_path) not in (refusal_of(path) or "")


def test_a_huge_record_length_in_a_shapefile_is_refused(tmp_path: Path, grids: gpd.GeoDataFrame) -> None:
    grids.to_file(tmp_path / "a.shp")
    content = bytearray((tmp_path / "a.shp").read_bytes())
    content[104:108] = struct.pack(">i", 2**30)
    (tmp_path / "a.shp").write_bytes(content)
    (tmp_path / "a.shx").unlink()
    with pytest.raises(Invalid, match=r"Record 1 of “a\.shp” is damaged"):
        open_source(tmp_path / "a.shp")
