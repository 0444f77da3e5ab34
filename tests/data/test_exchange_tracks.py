"""Tracks from files: what is read, what is refused, and what becomes a patrol."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.base import access
from data.base.errors import Invalid
from data.coverage import CoveragePass
from data.exchange import patrols as walked
from data.exchange import tracks
from data.patrols import Patrol, Source
from spatial.tracks import clean
from tests.city import City, degrees

#: Files of the folder that hold no track, and a word of why.
WITHOUT = {
    "custom_schema_locations.gpx": "no track",
    "default_schema_locations.gpx": "no track",
    "unicode2.gpx": "no track",
    "gpx1.1_with_extensions.gpx": "waypoints",
    "gpx1.1_with_extensions_without_namespaces.gpx": "waypoints",
    "gpx_with_garmin_extension.gpx": "waypoints",
    "unicode.gpx": "waypoints",
    "unicode_with_bom.gpx": "waypoints",
    "unicode_with_bom_noencoding.gpx": "waypoints",
    "route.gpx": "planned route",
}
#: Points with coordinates, of tracks, as counted in the files by hand.
POINTS = {
    "mtk_logger.gpx": 817,
    "vitovtt-sample.gpx": 1866,
    "wbt-201.gpx": 4023,
    "Mojstrovka.gpx": 184,
    "run.gpx": 206,
    "around-visnjan-with-car.gpx": 104,
    "korita-zbevnica.gpx": 871,
    "osm.gpx": 420,
    "multitrackgpx.gpx": 117,
    "track-with-empty-segment.gpx": 9,
    "apple_watch_route.gpx": 44,
    "bad.gpx": 0,
}


def gpx(points: str) -> bytes:
    return f"<gpx><trk><name>早巡</name><trkseg>{points}</trkseg></trk></gpx>".encode()


def walk(count: int = 40, y: float = 30, at: datetime | None = None) -> str:
    """A walk through the small city; receivers are unsteady."""
    start = at or datetime(2026, 3, 17, 1, tzinfo=UTC)
    chance = np.random.default_rng(3)
    points = []
    for place in range(count):
        lon, lat = degrees(place * 2.8 + chance.normal(0, 0.4), y + chance.normal(0, 0.4))
        when = (start + timedelta(seconds=2 * place)).isoformat()
        points.append(f'<trkpt lat="{lat:.7f}" lon="{lon:.7f}"><time>{when}</time></trkpt>')
    return "".join(points)


def test_every_file_of_the_folder_is_read_or_refused_with_a_sentence(geodata: Path) -> None:
    files = sorted((geodata / "tracks").rglob("*.gpx"))
    assert len(files) > 30
    for path in files:
        content = path.read_bytes()
        if path.name in WITHOUT:
            with pytest.raises(Invalid, match=WITHOUT[path.name]):
                tracks.read(content, path.name)
            continue
        source, found = tracks.read(content, path.name)
        assert source is Source.GPX
        for recorded in found:
            track = recorded.track
            assert len(track) > 0
            at_s = np.where(np.isnat(track.at), np.nan, track.at.astype(np.int64) / 1e6)
            zone = Transformer.from_crs(4326, 3857, always_xy=True)
            x, y = zone.transform(track.lon, track.lat)
            cleaned = clean(x, y, at_s, track.accuracy_m, track.segment)
            assert cleaned.kept.sum() + sum(cleaned.counts().values()) == len(track)
            assert (cleaned.parts >= 0).tolist() == cleaned.kept.tolist()
        if path.name in POINTS:
            there = sum(int(np.isfinite(recorded.track.lon).sum()) for recorded in found)
            assert there == POINTS[path.name], path.name


def test_times_of_1901_are_none(geodata: Path) -> None:
    content = (geodata / "tracks/gpxpy/test_files/Mojstrovka.gpx").read_bytes()
    assert b"1901" in content
    _source, (recorded,) = tracks.read(content, "Mojstrovka.gpx")
    assert not recorded.timed


def test_dilution_of_precision_is_made_metres(geodata: Path) -> None:
    content = (geodata / "tracks/gpxpy/test_files/track_with_dilution_errors.gpx").read_bytes()
    _source, (recorded,) = tracks.read(content, "x.gpx")
    assert recorded.track.accuracy_m.tolist() == pytest.approx([300.1 * tracks.RANGE_ERROR_M])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><gpx>&a;</gpx>', "document type"),
        (b"<gpx><trk>", "not well-formed"),
        (b"<gpx>" + b"<a>" * 2000 + b"</a>" * 2000 + b"</gpx>", "too deeply"),
        (b"<html></html>", "not GPX"),
        (b"", "neither"),
        (b"lat,lon\n1,2", "neither"),
        (b"[" * 200_000, "not sound JSON"),
        (b'{"type": "FeatureCollection", "features": []}', "no track"),
        (b'{"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}', "no track"),
    ],
)
def test_what_is_no_track_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        tracks.read(content, "x")


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "BYTES_MAX", 100)
    with pytest.raises(Invalid, match="larger"):
        tracks.read(b"<gpx>" + b" " * 200, "x.gpx")


def test_lines_and_points_of_geojson_are_tracks() -> None:
    times = ["2026-03-17T01:00:00Z", "nonsense", "1901-01-01T00:00:00Z"]
    line = {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [[120, 30], [None, 30.1], [120.2, 30.2, 5]]},
        "properties": {"name": "早巡", "coordTimes": times, "accuracy_m": [4, -1, "x"]},
    }
    both = {
        "type": "Feature",
        "geometry": {"type": "MultiLineString", "coordinates": [[[120, 30], [120.1, 30]], [[121, 30], [121.1, 30]]]},
        "properties": {"coordinateProperties": {"times": [times[:2], times[:1]]}},
    }
    point = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [120, 30]},
        "properties": {"at": times[0], "accuracy_m": 6},
    }
    document = json.dumps({"type": "FeatureCollection", "features": [line, both, point]}).encode()
    source, (first, second, third) = tracks.read(document, "x.geojson")
    assert source is Source.GEOJSON
    assert (first.name, np.isnan(first.track.lon).tolist()) == ("早巡", [False, True, False])
    assert np.isnat(first.track.at).tolist() == [False, True, True]
    assert np.nan_to_num(first.track.accuracy_m, nan=-9).tolist() == [4, -9, -9]
    assert second.track.segment.tolist() == [0, 0, 1, 1]
    assert np.isnat(second.track.at).tolist() == [False, True, False, True]
    assert (third.track.accuracy_m.tolist(), third.timed) == ([6.0], True)


def test_a_file_becomes_patrols_once(session: Session) -> None:
    city = City.make(session)
    content = gpx(walk())
    (first,) = walked.bring_in(session, access.SYSTEM, content, "x.gpx", community=city.community)
    (again,) = walked.bring_in(session, access.SYSTEM, content, "y.gpx", community=city.community)
    assert (first.patrol_id, first.known, again.known) == (again.patrol_id, False, True)
    assert session.scalar(select(func.count()).select_from(Patrol)) == 1
    patrol = session.get_one(Patrol, first.patrol_id)
    assert (patrol.name, patrol.started_at, patrol.point_count) == ("早巡", datetime(2026, 3, 17, 1, tzinfo=UTC), 40)


def test_a_track_without_times_needs_its_day(session: Session) -> None:
    city = City.make(session)
    content = gpx(walk(at=datetime(1901, 1, 1, tzinfo=UTC)))
    with pytest.raises(Invalid, match="no time that can be true"):
        walked.bring_in(session, access.SYSTEM, content, "x.gpx", community=city.community)
    (done,) = walked.bring_in(session, access.SYSTEM, content, "x.gpx", community=city.community, day=date(2026, 3, 16))
    patrol = session.get_one(Patrol, done.patrol_id)
    assert patrol.started_at == datetime(2026, 3, 16, 4, tzinfo=UTC)
    days = session.scalars(select(CoveragePass.day).distinct()).all()
    assert days == [date(2026, 3, 16)]


def test_a_track_of_elsewhere_or_of_a_car_is_sent_back_and_the_others_are_taken(session: Session) -> None:
    city = City.make(session)
    times = [f"<time>2026-03-17T01:{place:02d}:00Z</time>" for place in range(20)]
    far = "".join(f'<trkpt lat="{46 + place / 5000}" lon="14">{at}</trkpt>' for place, at in enumerate(times))
    car = "".join(f'<trkpt lat="30.001" lon="{120 + place / 50}">{at}</trkpt>' for place, at in enumerate(times))
    written = "".join(
        f"<trk><name>{name}</name><trkseg>{points}</trkseg></trk>"
        for name, points in (("far", far), ("car", car), ("walk", walk()))
    )
    done = walked.bring_in(session, access.SYSTEM, f"<gpx>{written}</gpx>".encode(), "x.gpx", community=city.community)
    assert [one.patrol_id is not None for one in done] == [False, False, True]
    assert "km away" in (done[0].refused or "")
    assert "too fast" in (done[1].refused or "")


def test_undefined_coordinates_are_named(session: Session, geodata: Path) -> None:
    city = City.make(session)
    content = (geodata / "tracks/togeojson/bad.gpx").read_bytes()
    with pytest.raises(Invalid, match="has coordinates"):
        walked.bring_in(session, access.SYSTEM, content, "bad.gpx", community=city.community)


# Several people, several days


def seen(whose: dict[str, object], at: datetime, x: float) -> dict[str, object]:
    place = {"type": "Point", "coordinates": list(degrees(x, 30))}
    return {"type": "Feature", "geometry": place, "properties": {**whose, "time": at.isoformat()}}


def collection(*features: dict[str, object]) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features)}).encode()


@pytest.mark.parametrize("key", ["User", "user_id", "trajectory_id", "deviceId", "轨迹编号"])
def test_points_of_several_people_are_a_track_of_each(key: str) -> None:
    start = datetime(2026, 3, 17, 1, tzinfo=UTC)
    points = [
        seen({key: whose}, start + timedelta(seconds=10 * n), 10 + 10 * n) for n in range(5) for whose in ("甲", "乙")
    ]
    _source, found = tracks.read(collection(*points), "x.geojson")
    assert [(one.name, len(one.track.at)) for one in found] == [("甲", 5), ("乙", 5)]


def test_each_day_is_a_patrol_of_its_own_and_a_night_is_one(session: Session) -> None:
    city = City.make(session)
    days = [datetime(2026, 3, day, 1, tzinfo=UTC) for day in (17, 18, 20)]
    night = datetime(2026, 3, 20, 15, 58, tzinfo=UTC)  # midnight in Shanghai is at 16:00
    chance = np.random.default_rng(3)
    points = [
        seen({"User": 7}, start + timedelta(seconds=10 * n), 10 + 8 * n + chance.normal(0, 0.4))
        for start in [*reversed(days), night]
        for n in range(25)
    ]
    done = walked.bring_in(session, access.SYSTEM, collection(*points), "x.geojson", community=city.community)
    patrols = [session.get_one(Patrol, one.patrol_id) for one in done]
    assert [(patrol.name, patrol.started_at) for patrol in patrols] == [
        ("7 2026-03-17", days[0]),
        ("7 2026-03-18", days[1]),
        ("7 2026-03-20", days[2]),
    ]
    assert [one.points for one in done] == [25, 25, 50]
    again = walked.bring_in(session, access.SYSTEM, collection(*points), "x.geojson", community=city.community)
    assert all(one.known for one in again)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"\x0e\x10\xd9\x07\x00\x00\x00\x00.FIT" + bytes(40), "FIT"),
        (b"$GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76\r\n", "NMEA"),
        (b"<TrainingCenterDatabase xmlns='x'><Activities/></TrainingCenterDatabase>", "TCX"),
        (b"<kml xmlns='http://www.opengis.net/kml/2.2'><Document/></kml>", "KML"),
    ],
)
def test_tracks_of_other_kinds_are_named_with_what_to_do(content: bytes, form: str) -> None:
    with pytest.raises(Invalid, match=f"as {form}.*GPX"):
        tracks.read(content, "x")
