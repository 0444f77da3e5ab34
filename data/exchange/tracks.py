"""Tracks from files: GPX and GeoJSON, as they come from receivers, watches and other programs.

Reading is lenient with points and strict with files. A point without coordinates, or with a time that cannot be true,
stays as one without; cleaning drops it with its reason. A file that is broken, that holds no track, or whose tracks
hold nothing that can be believed, is refused with a sentence.

Sources
-------
GPX 1.0 and 1.1 (topografix.com): a time is in UTC; ``hdop`` is a factor, not metres: accuracy is taken for
``hdop`` x 5 m, the range error of a receiver (Kaplan, E. and Hegarty, C. (2017), Understanding GPS/GNSS, 3rd edition).
Times in GeoJSON: ``coordinateProperties.times`` and ``coordTimes``, as the program togeojson writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast
from xml.parsers import expat
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.files import confined, encodings, markup
from data.patrols import AHEAD, EARLIEST, POINTS_MAX, Source, Track

#: A track of a day at one point a second has some 20 MB as GPX.
BYTES_MAX = 30_000_000
RANGE_ERROR_M = 5.0
_DEEPEST = 64
#: What programs call the accuracy in metres.
_ACCURACY = frozenset({"accuracy", "accuracy_m", "acc", "horizontalaccuracy"})
_TIMES = ("times", "coordTimes", "time")
#: What programs call the person, device or track that a point belongs to.
_WHOSE = frozenset(
    {
        "user",
        "userid",
        "uid",
        "person",
        "personid",
        "walker",
        "trajectory",
        "trajectoryid",
        "trajid",
        "track",
        "trackid",
        "tid",
        "device",
        "deviceid",
        "trackfid",
        "vehicle",
        "vehicleid",
        "人员",
        "用户",
        "轨迹",
        "轨迹编号",
        "设备",
    }
)
#: Two days of a track are two walks when this much time lies between them.
PAUSE = np.timedelta64(1, "h")


@dataclass
class Recorded:
    """A track of a file: its points as columns, and what it is called.

    Attributes
    ----------
    track
        Times that cannot be true are NaT, coordinates that are none NaN.
    timed
        Whether any point has a time.
    zoneless
        Whether times say no zone and were read in UTC, as GPX has it.
    """

    name: str | None
    track: Track
    timed: bool
    zoneless: bool = False


@dataclass
class _Points:
    """A track while it is read."""

    name: str | None = None
    lon: list[float] = field(default_factory=list)
    lat: list[float] = field(default_factory=list)
    at: list[datetime | None] = field(default_factory=list)
    accuracy_m: list[float] = field(default_factory=list)
    segment: list[int] = field(default_factory=list)
    zoneless: bool = False

    def add(self, lon: Any, lat: Any, at: Any, accuracy_m: Any, segment: int) -> None:
        if len(self.lon) >= POINTS_MAX:
            raise Invalid(_("A patrol has at most {most} points. Begin another one.", most=POINTS_MAX))
        self.lon.append(_number(lon, 180))
        self.lat.append(_number(lat, 90))
        self.at.append(_instant(at))
        self.zoneless = self.zoneless or (isinstance(at, str) and _ZONELESS.fullmatch(at.strip()) is not None)
        self.accuracy_m.append(_number(accuracy_m, 1e6, least=0))
        self.segment.append(segment)

    def done(self) -> Recorded:
        clock = [None if one is None else one.astimezone(UTC).replace(tzinfo=None) for one in self.at]
        at = np.array(clock, dtype="datetime64[us]")
        segment = np.array(self.segment, dtype=np.int64)
        order = _as_walked(at, segment)
        track = Track(
            seq=np.arange(len(self.lon), dtype=np.int64),
            at=_between(at[order], segment[order]),
            lon=np.array(self.lon, dtype=np.float64)[order],
            lat=np.array(self.lat, dtype=np.float64)[order],
            accuracy_m=np.array(self.accuracy_m, dtype=np.float64)[order],
            segment=_numbered(segment[order]),
        )
        # Half a place is none.
        nowhere: NDArray[np.bool_] = np.isnan(track.lon) | np.isnan(track.lat)
        track.lon[nowhere], track.lat[nowhere] = np.nan, np.nan
        timed = bool((~np.isnat(track.at)).any())
        return Recorded((self.name or "").strip()[:200] or None, track, timed, timed and self.zoneless)


_ZONELESS = re.compile(r"\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?")


def _as_walked(at: NDArray[np.datetime64], segment: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order in which points were walked: receivers write the newest first, or their segments in any order.

    Only what the times say as a whole is put right; a point with a wrong clock stays where it is.
    """
    order = np.arange(len(at), dtype=np.int64)
    parts = []
    for number in dict.fromkeys(segment.tolist()):
        part = order[segment == number]
        known = at[part][~np.isnat(at[part])]
        steps = np.diff(known).astype(np.int64)
        if len(steps) and (steps < 0).sum() > 0.9 * len(steps):
            part = part[::-1]
        parts.append((part, known.min() if len(known) else None))
    if len(parts) > 1 and all(begins is not None for _part, begins in parts):
        parts.sort(key=lambda pair: cast(np.datetime64, pair[1]))
    return np.concatenate([part for part, _begins in parts]) if parts else order


def _numbered(segment: NDArray[np.int64]) -> NDArray[np.int64]:
    """Segments numbered in the order in which they come."""
    numbers = {number: at for at, number in enumerate(dict.fromkeys(segment.tolist()))}
    return np.array([numbers[number] for number in segment.tolist()], dtype=np.int64)


def _between(at: NDArray[np.datetime64], segment: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Times, with those of points between two that have one: evenly, by how many points lie between.

    Planners and converted files keep the times of the ends alone; without the points between there is no line.
    """
    filled = at.copy()
    for number in dict.fromkeys(segment.tolist()):
        part = np.flatnonzero(segment == number)
        known = ~np.isnat(at[part])
        if known.all() or known.sum() < 2:
            continue
        places = np.arange(len(part))
        micros = np.interp(places, places[known], at[part][known].astype(np.int64).astype(np.float64))
        inside = (places > places[known][0]) & (places < places[known][-1]) & ~known
        filled[part[inside]] = micros[inside].astype(np.int64).astype("datetime64[us]")
    return filled


def read_room(room: Path, arguments: Mapping[str, Any]) -> list[Any]:
    """Read the copy in a room: what ``read_confined`` asks for behind the walls."""
    source, recorded = read((room / "in" / "track").read_bytes(), str(arguments["name"]))
    return [str(source), recorded]


def read_confined(content: bytes, name: str) -> tuple[Source, list[Recorded]]:
    """The tracks of a file as ``read`` gives them, read in a process that can do nothing else.

    Raises
    ------
    Invalid
        It is too large, broken, of another kind, or holds no track.
    """
    if len(content) > BYTES_MAX:
        raise _too_large(name)

    def stock(folder: Path) -> dict[str, str]:
        (folder / "track").write_bytes(content)
        return {"name": name}

    source, recorded = confined.ask(read_room, name, stock, kinds=(Recorded, Track))
    return Source(source), recorded


def _too_large(name: str) -> Invalid:
    return Invalid(_("“{name}” is larger than {most} MB. Split it.", name=name, most=BYTES_MAX // 10**6))


def read(content: bytes, name: str) -> tuple[Source, list[Recorded]]:
    """The tracks of a file, GPX or GeoJSON by what it holds; tracks without points are passed over.

    Parameters
    ----------
    content
        The file.
    name
        What it is called, for sentences.

    Raises
    ------
    Invalid
        It is too large, broken, of another kind, or holds no track.
    """
    if len(content) > BYTES_MAX:
        raise _too_large(name)
    text, _encoding = encodings.decode(content, markup.declared_encoding(content))
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "<":
        source, reader = Source.GPX, _Gpx(name).read(text)
    elif start in ("{", "["):
        source, reader = Source.GEOJSON, _geojson(text, name)
    else:
        raise _other_kind(content, name)
    return source, [points.done() for points in reader if points.lon]


def _other_kind(content: bytes, name: str) -> Invalid:
    if content[8:12] == b".FIT":
        return _convert(name, "FIT")
    if re.match(rb"\s*[$!][A-Z]{2}[A-Z]{3},", content):
        return _convert(name, "NMEA")
    return Invalid(_("“{name}” is neither GPX nor GeoJSON.", name=name))


def _convert(name: str, form: str) -> Invalid:
    return Invalid(
        _(
            "“{name}” is a track as {format}. Export it as GPX from the program or watch it comes from, or convert it, "
            "for instance with GPSBabel.",
            name=name,
            format=form,
        )
    )


def by_day(recorded: Recorded, zone: ZoneInfo) -> list[Recorded]:
    """A track as its walks: one of each day, where the day changes in a pause; one past midnight stays whole.

    A point without a time belongs to the point before it.
    """
    track = recorded.track
    known = np.flatnonzero(~np.isnat(track.at))
    order = known[np.argsort(track.at[known], kind="stable")]
    pauses = np.flatnonzero(np.diff(track.at[order]) >= PAUSE) + 1
    days = [_day(track.at[order[place]], zone) for place in pauses]
    before = [_day(track.at[order[place - 1]], zone) for place in pauses]
    starts = [int(place) for place, day, past in zip(pauses, days, before, strict=True) if day != past]
    if not starts:
        return [recorded]
    walk = np.full(len(track.at), -1, dtype=np.int64)
    walk[order] = np.searchsorted(starts, np.arange(len(order)), side="right")
    last = np.maximum.accumulate(np.where(walk >= 0, np.arange(len(walk)), 0))
    walk = np.maximum(walk[last], 0)
    walks = []
    for number in range(len(starts) + 1):
        mask = walk == number
        part = Track(**{one.name: getattr(track, one.name)[mask] for one in fields(track)})
        day = _day(part.at[~np.isnat(part.at)].min(), zone).isoformat()
        walks.append(
            Recorded(f"{recorded.name} {day}" if recorded.name else day, part, timed=True, zoneless=recorded.zoneless)
        )
    return walks


def _day(at: np.datetime64, zone: ZoneInfo) -> date:
    instant: datetime = at.astype("datetime64[us]").item()
    return instant.replace(tzinfo=UTC).astimezone(zone).date()


def _number(value: Any, most: float, least: float | None = None) -> float:
    """A number in its range, else NaN."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return number if (-most if least is None else least) <= number <= most and not isinstance(value, bool) else np.nan


def _instant(value: Any) -> datetime | None:
    """A time that can be true; one without a zone is in UTC, a number counts seconds or milliseconds since 1970."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        elif re.fullmatch(r"\d{10}(\.\d+)?|\d{13}", str(value).strip()):
            return _instant(float(str(value)))
        else:
            at = datetime.fromisoformat(str(value).strip().replace("/", "-"))
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if EARLIEST <= at <= datetime.now(UTC) + AHEAD else None


class _Gpx:
    """One pass over a GPX document."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tracks: list[_Points] = []
        self._path: list[str] = []
        self._root = ""
        self._segment = 0
        self._point: dict[str, Any] | None = None
        self._text: list[str] = []
        self._others: set[str] = set()
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append

    def read(self, text: str) -> list[_Points]:
        text = text.lstrip("\ufeff \t\r\n")
        if text.startswith("<?xml"):
            text = text[text.find("?>") + 2 :]
        try:
            self._parser.Parse(text.encode(), True)
        except expat.ExpatError as error:
            raise Invalid(
                _(
                    "Line {line} of “{name}” is not well-formed XML ({reason}). Export the file anew.",
                    line=error.lineno,
                    name=self._name,
                    reason=expat.ErrorString(error.code),
                )
            ) from error
        if not any(points.lon for points in self._tracks):
            self._refuse()
        return self._tracks

    def _refuse(self) -> None:
        if self._root in ("TrainingCenterDatabase", "kml"):
            raise _convert(self._name, "TCX" if self._root != "kml" else "KML")
        if "gpx" not in self._others:
            raise Invalid(_("“{name}” is XML, but not GPX.", name=self._name))
        if "rtept" in self._others:
            raise Invalid(
                _(
                    "“{name}” holds a planned route, not a track that somebody walked. Plan a round with it.",
                    name=self._name,
                )
            )
        if "wpt" in self._others:
            raise Invalid(_("“{name}” holds single waypoints, no track. Export the track.", name=self._name))
        raise Invalid(_("“{name}” holds no track with points.", name=self._name))

    def _doctype(self, *_declaration: object) -> None:
        raise Invalid(
            _(
                "“{name}” declares a document type or entities, which could pull in other files. Remove the DOCTYPE.",
                name=self._name,
            )
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local = tag.rpartition(":")[2]
        self._path.append(local)
        self._root = self._root or local
        if len(self._path) > _DEEPEST:
            raise Invalid(_("“{name}” is nested too deeply.", name=self._name))
        self._text.clear()
        if local == "trk":
            self._tracks.append(_Points())
        elif local == "trkseg":
            self._segment += 1
        elif local == "trkpt" and "trk" in self._path:
            self._point = {"lon": attributes.get("lon"), "lat": attributes.get("lat")}
        elif local in ("gpx", "rtept", "wpt"):
            self._others.add(local)

    def _end(self, _tag: str) -> None:
        local, text = self._path.pop(), "".join(self._text).strip()
        self._text.clear()
        if self._point is None:
            if local == "name" and self._path[-1:] == ["trk"]:
                self._tracks[-1].name = text
            return
        if local == "trkpt":
            point, self._point = self._point, None
            accuracy = point.get("accuracy")
            if accuracy is None and point.get("hdop") is not None:
                accuracy = _number(point["hdop"], 1e5, least=0) * RANGE_ERROR_M
            self._tracks[-1].add(point["lon"], point["lat"], point.get("time"), accuracy, self._segment)
        elif local in ("time", "hdop") and self._path[-1:] == ["trkpt"]:
            self._point[local] = text
        elif local.lower() in _ACCURACY:
            self._point["accuracy"] = text


def _geojson(text: str, name: str) -> list[_Points]:
    """The tracks of a GeoJSON document: each line is one, and all points of the same person or track together."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(_("“{name}” is not sound JSON. Export the file anew.", name=name)) from error
    tracks: list[_Points] = []
    loose: dict[str | None, _Points] = {}
    for feature in _features(document):
        properties = feature.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        geometry = feature.get("geometry") if feature.get("type") == "Feature" else feature
        if not isinstance(geometry, dict):
            continue
        coordinates = geometry.get("coordinates")
        if geometry.get("type") == "Point":
            whose = _whose(properties)
            _add_point(loose.setdefault(whose, _Points(whose)), coordinates, properties)
        elif geometry.get("type") in ("LineString", "MultiLineString") and isinstance(coordinates, list):
            lines = coordinates if geometry["type"] == "MultiLineString" else [coordinates]
            tracks.append(_line(lines, properties))
    found = [*tracks, *loose.values()]
    if not any(points.lon for points in found):
        raise Invalid(_("“{name}” holds no track with points.", name=name))
    return found


def _features(document: Any) -> Iterator[dict[str, Any]]:
    members = document.get("features") if isinstance(document, dict) else document
    for member in members if isinstance(members, list) else [document]:
        if isinstance(member, dict):
            yield member


def _whose(properties: dict[str, Any]) -> str | None:
    """The person, device and track that a point says it belongs to."""
    said = [
        str(value)
        for key, value in properties.items()
        if re.sub(r"[\W_]", "", key).casefold() in _WHOSE and isinstance(value, str | int | float)
    ]
    return " ".join(said) or None


def _add_point(points: _Points, coordinates: Any, properties: dict[str, Any]) -> None:
    lon, lat = _position(coordinates)
    at = next((properties[key] for key in ("at", "time", "timestamp") if properties.get(key) is not None), None)
    accuracy = next((value for key, value in properties.items() if key.lower() in _ACCURACY), None)
    segment = properties.get("track_seg_id", 0)
    points.add(lon, lat, at, accuracy, segment if isinstance(segment, int) and 0 <= segment < 2**31 else 0)


def _line(lines: Sequence[Any], properties: dict[str, Any]) -> _Points:
    """A line with what its properties say of each vertex, nested as the coordinates are."""
    more = properties.get("coordinateProperties")
    said = {**properties, **(more if isinstance(more, dict) else {})}
    times: list[Any] = next((said[key] for key in _TIMES if isinstance(said.get(key), list)), [])
    accuracies = next((value for key, value in said.items() if key.lower() in _ACCURACY), None)
    name = properties.get("name")
    points = _Points(name if isinstance(name, str) else None)
    for segment, line in enumerate(lines):
        if not isinstance(line, list):
            continue
        at = _of_segment(times, segment, len(lines))
        accuracy = _of_segment(accuracies, segment, len(lines))
        for place, coordinates in enumerate(line):
            lon, lat = _position(coordinates)
            points.add(
                lon,
                lat,
                at[place] if place < len(at) else None,
                accuracy[place] if place < len(accuracy) else None,
                segment,
            )
    return points


def _of_segment(values: Any, segment: int, count: int) -> Sequence[Any]:
    if not isinstance(values, list):
        return []
    if count > 1 or (values and isinstance(values[0], list)):
        values = values[segment] if segment < len(values) else []
    return values if isinstance(values, list) else []


def _position(coordinates: Any) -> tuple[Any, Any]:
    if isinstance(coordinates, list) and len(coordinates) >= 2:
        return coordinates[0], coordinates[1]
    return None, None
