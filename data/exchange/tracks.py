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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.exchange import encodings, markup
from data.patrols import AHEAD, EARLIEST, POINTS_MAX, Source, Track

#: A track of a day at one point a second has some 20 MB as GPX.
BYTES_MAX = 30_000_000
RANGE_ERROR_M = 5.0
_DEEPEST = 64
#: What programs call the accuracy in metres.
_ACCURACY = frozenset({"accuracy", "accuracy_m", "acc", "horizontalaccuracy"})
_TIMES = ("times", "coordTimes", "time")


@dataclass
class Recorded:
    """A track of a file: its points as columns, and what it is called.

    Attributes
    ----------
    track
        Times that cannot be true are NaT, coordinates that are none NaN.
    timed
        Whether any point has a time.
    """

    name: str | None
    track: Track
    timed: bool


@dataclass
class _Points:
    """A track while it is read."""

    name: str | None = None
    lon: list[float] = field(default_factory=list)
    lat: list[float] = field(default_factory=list)
    at: list[datetime | None] = field(default_factory=list)
    accuracy_m: list[float] = field(default_factory=list)
    segment: list[int] = field(default_factory=list)

    def add(self, lon: Any, lat: Any, at: Any, accuracy_m: Any, segment: int) -> None:
        if len(self.lon) >= POINTS_MAX:
            raise Invalid(_("A patrol has at most {most} points. Begin another one.", most=POINTS_MAX))
        self.lon.append(_number(lon, 180))
        self.lat.append(_number(lat, 90))
        self.at.append(_instant(at))
        self.accuracy_m.append(_number(accuracy_m, 1e6, least=0))
        self.segment.append(segment)

    def done(self) -> Recorded:
        at = [None if one is None else one.astimezone(UTC).replace(tzinfo=None) for one in self.at]
        track = Track(
            seq=np.arange(len(self.lon), dtype=np.int64),
            at=np.array(at, dtype="datetime64[us]"),
            lon=np.array(self.lon, dtype=np.float64),
            lat=np.array(self.lat, dtype=np.float64),
            accuracy_m=np.array(self.accuracy_m, dtype=np.float64),
            segment=np.array(self.segment, dtype=np.int64),
        )
        # Half a place is none.
        nowhere: NDArray[np.bool_] = np.isnan(track.lon) | np.isnan(track.lat)
        track.lon[nowhere], track.lat[nowhere] = np.nan, np.nan
        return Recorded((self.name or "").strip()[:200] or None, track, bool((~np.isnat(track.at)).any()))


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
        raise Invalid(_("“{name}” is larger than {most} MB. Split it.", name=name, most=BYTES_MAX // 10**6))
    text, _encoding = encodings.decode(content, markup.declared_encoding(content))
    start = text.lstrip("\ufeff \t\r\n")[:1]
    if start == "<":
        source, reader = Source.GPX, _Gpx(name).read(text)
    elif start in ("{", "["):
        source, reader = Source.GEOJSON, _geojson(text, name)
    else:
        raise Invalid(_("“{name}” is neither GPX nor GeoJSON.", name=name))
    return source, [points.done() for points in reader if points.lon]


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
        else:
            at = datetime.fromisoformat(str(value).strip())
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
                _("Line {line} of “{name}” is not well-formed XML ({reason}). Export the file anew.",
                  line=error.lineno, name=self._name, reason=expat.ErrorString(error.code))
            ) from error  # fmt: skip
        if not any(points.lon for points in self._tracks):
            self._refuse()
        return self._tracks

    def _refuse(self) -> None:
        if "gpx" not in self._others:
            raise Invalid(_("“{name}” is XML, but not GPX.", name=self._name))
        if "rtept" in self._others:
            raise Invalid(
                _("“{name}” holds a planned route, not a track that somebody walked. Plan a round with it.",
                  name=self._name)
            )  # fmt: skip
        if "wpt" in self._others:
            raise Invalid(_("“{name}” holds single waypoints, no track. Export the track.", name=self._name))
        raise Invalid(_("“{name}” holds no track with points.", name=self._name))

    def _doctype(self, *_declaration: object) -> None:
        raise Invalid(
            _("“{name}” declares a document type or entities, which could pull in other files. Remove the DOCTYPE.",
              name=self._name)
        )  # fmt: skip

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        local = tag.rpartition(":")[2]
        self._path.append(local)
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
    """The tracks of a GeoJSON document: each line is one, and all points together are one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Invalid(_("“{name}” is not sound JSON. Export the file anew.", name=name)) from error
    tracks: list[_Points] = []
    loose = _Points()
    for feature in _features(document):
        properties = feature.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        geometry = feature.get("geometry") if feature.get("type") == "Feature" else feature
        if not isinstance(geometry, dict):
            continue
        coordinates = geometry.get("coordinates")
        if geometry.get("type") == "Point":
            _add_point(loose, coordinates, properties)
        elif geometry.get("type") in ("LineString", "MultiLineString") and isinstance(coordinates, list):
            lines = coordinates if geometry["type"] == "MultiLineString" else [coordinates]
            tracks.append(_line(lines, properties))
    found = [*tracks, loose]
    if not any(points.lon for points in found):
        raise Invalid(_("“{name}” holds no track with points.", name=name))
    return found


def _features(document: Any) -> Iterator[dict[str, Any]]:
    members = document.get("features") if isinstance(document, dict) else document
    for member in members if isinstance(members, list) else [document]:
        if isinstance(member, dict):
            yield member


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
                lon, lat, at[place] if place < len(at) else None,
                accuracy[place] if place < len(accuracy) else None, segment,
            )  # fmt: skip
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
