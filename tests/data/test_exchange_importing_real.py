"""Files in, with real ones: cities, villages, cases, and everything nasty."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import units
from data.base import access
from data.base.errors import WanggeError
from data.exchange import importing
from data.exchange.importing import Report
from data.files import reading
from data.files.reading import Source

TABLES = ("unit", "division", "building", "dwelling", "household", "resident", "incident", "basemap", "audit")
KINDS = ("basemap", "buildings", "grids", "incidents", "households", "residents")


@pytest.fixture
def community(session: Session) -> units.Unit:
    """A community without anything in it."""
    above = None
    for level, code in (("district", "990101"), ("street", "990101001"), ("community", "990101001001")):
        above = units.add(
            session,
            access.SYSTEM,
            level=units.Level(level),
            code=code,
            name=level,
            parent=above,
            **({} if above else {"metric_crs": "EPSG:32650"}),
        )
    assert above is not None
    return above


def bring(session: Session, community: units.Unit, kind: str, path: Path, **options: object) -> Report:
    """Import as the system."""
    return importing.run(session, access.SYSTEM, kind, path, community, **options)  # type: ignore[arg-type]


def attempt(session: Session, community: units.Unit, kind: str, path: Path) -> Report | WanggeError:
    """What came of an import: its report, or why it was refused."""
    try:
        return bring(session, community, kind, path)
    except WanggeError as error:
        return error


def rows(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {name: session.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in TABLES}


def test_boston_cases_lie_in_the_neighbourhoods_that_geopandas_finds(
    session: Session, community: units.Unit, geodata: Path
) -> None:
    community.metric_crs = "EPSG:32619"
    report = bring(session, community, "grids", geodata / "incidents/boston_neighborhoods.geojson", clean_m=2)
    assert (report.new, report.repaired) == (26, 4)
    files = sorted((geodata / "incidents/boston_2015").glob("*.csv"))
    reports = [bring(session, community, "incidents", path) for path in files]
    assert sum(report.new for report in reports) == 23_064

    ours = dict(
        session.execute(
            text("SELECT u.name, count(*) FROM incident i JOIN unit u ON u.id = i.grid_id GROUP BY u.name")
        ).all()
    )
    cases = pd.concat([pd.read_csv(path) for path in files])
    points = gpd.GeoDataFrame(cases, geometry=gpd.points_from_xy(cases.LONGITUDE, cases.LATITUDE), crs=4326)
    areas = gpd.read_file(geodata / "incidents/boston_neighborhoods.geojson")
    areas.geometry = areas.make_valid()
    joined = points.reset_index(drop=True).sjoin(areas[["name", "geometry"]], predicate="intersects", how="inner")
    joined = joined[~joined.index.duplicated()]
    assert ours == Counter(joined["name"])
    outside = sum(report.unlocated.get("outside", 0) for report in reports)
    assert outside == 23_064 - len(joined)


def test_all_villages_of_taipei_come_in_as_grids_and_one_is_repaired(
    session: Session, community: units.Unit, geodata: Path
) -> None:
    community.metric_crs = "EPSG:3826"
    path = geodata / "admin_cn/taipei_villages.geojson"
    report = bring(session, community, "grids", path)
    assert (report.read, report.new, report.repaired, report.rejected) == (456, 456, 1, 0)
    again = bring(session, community, "grids", path)
    assert (again.new, again.updated, again.unchanged) == (0, 0, 456)
    session.refresh(community)
    code = session.scalar(text("SELECT code FROM unit WHERE name = '樟新里'"))
    assert code == "63000080031"


def test_a_block_of_shanghai_comes_in_whole(session: Session, community: units.Unit, geodata: Path) -> None:
    community.metric_crs = "EPSG:4549"
    expected = {"buildings": ("buildings", 1450), "roads": ("basemap", 1778), "landuse": ("basemap", 327)}
    for name, (kind, count) in expected.items():
        path = geodata / f"buildings/shanghai_{name}_osm.geojson"
        report = bring(session, community, kind, path)
        assert (report.new, report.rejected) == (count, 0), name
        assert bring(session, community, kind, path).unchanged == count
    kinds = dict(session.execute(text("SELECT kind, count(*) FROM basemap GROUP BY kind")).all())
    assert {"road", "path", "green"} <= set(kinds)


def test_a_gcj_02_shift_of_wuhan_is_told_by_its_roads(session: Session, community: units.Unit, geodata: Path) -> None:
    community.metric_crs = "EPSG:4547"
    bring(session, community, "basemap", geodata / "buildings/wuhan_roads_osm.geojson")
    plain = geodata / "buildings/wuhan_buildings_osm.geojson"
    assert bring(session, community, "buildings", plain, dry_run=True).new == 237


@pytest.fixture
def shifted(geodata: Path, tmp_path: Path) -> Path:
    """The buildings of Wuhan as a phone's map shows them."""
    from spatial.datums import Datum, convert_geometries

    frame = gpd.read_file(geodata / "buildings/wuhan_buildings_osm.geojson")
    frame.geometry = convert_geometries(frame.geometry.to_numpy(), Datum.WGS84, Datum.GCJ02)
    frame.to_file(tmp_path / "wuhan.gpkg")
    return tmp_path / "wuhan.gpkg"


def test_a_shifted_wuhan_stops(session: Session, community: units.Unit, geodata: Path, shifted: Path) -> None:
    community.metric_crs = "EPSG:4547"
    bring(session, community, "basemap", geodata / "buildings/wuhan_roads_osm.geojson")
    with pytest.raises(WanggeError, match="GCJ-02"):
        bring(session, community, "buildings", shifted)


@pytest.mark.slow
def test_51017_buildings_of_new_york_come_in_and_56244_addresses_name_them(
    session: Session, community: units.Unit, geodata: Path
) -> None:
    community.metric_crs = "EPSG:32618"
    footprints = geodata / "buildings/nyc_south_buildings_osm.parquet"
    addresses = geodata / "buildings/nyc_south_addresses_osm.parquet"
    assert bring(session, community, "buildings", footprints).new == 51_017
    named = bring(session, community, "buildings", addresses)
    assert named.new + named.updated + named.unchanged == named.read == 56_244
    # An address stands at its building: hardly any is a building of its own.
    assert named.new < 200
    for path, count in ((footprints, 51_017), (addresses, 56_244)):
        again = bring(session, community, "buildings", path)
        assert (again.new, again.updated, again.unchanged) == (0, 0, count)


def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file that is asked for as records of several kinds be read for the first alone."""
    read: dict[str, Source | WanggeError] = {}
    really = reading.open_source

    def open_source(path: Path, **options: Any) -> Source:
        key = repr((path, sorted((name, option) for name, option in options.items() if name != "alive")))
        if key not in read:
            try:
                read[key] = really(path, **options)
            except WanggeError as refused:
                read[key] = refused
        source = read[key]
        if isinstance(source, WanggeError):
            raise source
        return copy.deepcopy(source)

    monkeypatch.setattr(reading, "open_source", open_source)


@pytest.mark.slow
def test_every_nasty_file_comes_in_whole_or_is_refused_with_a_sentence(
    session: Session, community: units.Unit, geodata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        path
        for folder in ("nasty", "tracks", "incidents/qsv_csv_variants", "open311", "redistricting")
        for path in sorted((geodata / folder).rglob("*"))
        if path.is_file() and path.suffix not in ("", ".md", ".txt")
    ]
    assert len(files) > 100
    read_once(monkeypatch)
    before = rows(session)
    came_in: Counter[str] = Counter()
    for path in files:
        for kind in KINDS:
            savepoint = session.begin_nested()
            outcome = attempt(session, community, kind, path)
            if isinstance(outcome, Report):
                assert outcome.new + outcome.updated + outcome.unchanged == outcome.read, (path, kind)
                came_in[kind] += 1
            else:
                assert len(outcome.detail) > 10, (path, kind)
                assert rows(session) == before, (path, kind)
            savepoint.rollback()
    assert came_in["basemap"] > 60
    assert came_in["buildings"] > 40
