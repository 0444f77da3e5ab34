"""GeoJSON, read strictly: a collection, a feature, a bare geometry, or one feature a line.

GDAL reads what it can and leaves out the rest without a word; here every fault has a name and a feature. Features are
taken from the text one by one, so that a large file needs memory for its shapes, not for its text as objects.

Source: RFC 7946; the older ``crs`` member (GeoJSON 2008, 3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeGuard

import numpy as np
import shapely
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.files import remedies
from data.files.values import Reject, RejectKind

GEOMETRIES = {
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
}
_TYPES = GEOMETRIES | {"Feature", "FeatureCollection"}
_SPACE = re.compile(r"[ \t\r\n\x1e]*")
_MOST_NESTED = 20


def _is_one_of(kind: Any, names: Set[str]) -> TypeGuard[str]:
    return isinstance(kind, str) and kind in names


class NotGeoJSON(ValueError):
    """The text is sound JSON of another kind."""


@dataclass(slots=True)
class Collection:
    """What a document holds.

    Attributes
    ----------
    geometries, properties, rows
        Of each sound feature: the shape (or None), the properties, and its number in the file from 1.
    rejects
        Features with a fault.
    crs
        The name that an old ``crs`` member gives, else None.
    datum_name
        The foreign member ``coordinate_system`` that ``writing`` puts for a datum without a code, else None.
    notes
        What was done that one would not expect.
    """

    geometries: list[shapely.Geometry | None] = field(default_factory=list)
    properties: list[dict[str, Any]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    crs: str | None = None
    datum_name: str | None = None
    notes: list[str] = field(default_factory=list)


class _Fault(ValueError):
    """What is wrong with one feature, as a sentence."""


def parse(text: str) -> Collection:
    """The features of a GeoJSON text.

    Raises
    ------
    Invalid
        The text is no JSON, or its outer structure is wrong. A fault of a single feature is a reject, unless there is
        no sound feature at all: then the first one's fault is raised.
    NotGeoJSON
        It is JSON, but has nothing of GeoJSON.
    """
    collection = Collection()
    try:
        for row, item in enumerate(_items(text, collection), start=1):
            _take(collection, row, item)
        collection.geometries = _drawn(collection.geometries)
    except RecursionError as error:
        raise Invalid(_("The JSON is nested too deeply.")) from error
    if collection.rejects and not collection.rows:
        first = collection.rejects[0]
        count = len(collection.rejects)
        raise Invalid(
            _("Feature {row}: {reason} {advice}", row=first.row, reason=first.reason, advice=first.advice)
            if count == 1
            else _(
                "None of the {count} features can be used. Feature {row}: {reason} {advice}",
                count=count,
                row=first.row,
                reason=first.reason,
                advice=first.advice,
            ),
            feature=first.row,
            rejected=count,
        )
    return collection


def records(text: str) -> Iterator[Any]:
    """The elements of a JSON list, or the objects of a text with one a line.

    Raises
    ------
    Invalid
        The text is no JSON; the sentence names the line.
    """
    reader = _Reader(text)
    if reader.peek() == "[":
        yield from _elements(reader)
    while reader.peek():
        yield reader.value()


def shape(text: str) -> Any:
    """The shape of a GeoJSON geometry.

    Raises
    ------
    ValueError
        It is none; the error says why.
    """
    return _drawn([_geometry(json.loads(text))])[0]


def _take(collection: Collection, row: int, item: Any) -> None:
    try:
        geometry, properties = _feature(item)
    except _Fault as fault:
        values = item.get("properties") if isinstance(item, dict) else None
        drawn = item.get("geometry") if isinstance(item, dict) else None
        collection.rejects.append(
            Reject(
                row=row,
                reason=_sentence(str(fault)),
                advice=_("Correct the feature, or draw it anew."),
                values=values if isinstance(values, dict) else {},
                kind=RejectKind.PLACE,
                shape=None if drawn is None else json.dumps(drawn),
            )
        )
        return
    collection.geometries.append(geometry)
    collection.properties.append(properties)
    collection.rows.append(row)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# ---- the document --------------------------------------------------------------------------------------------------


class _Reader:
    """A position in a JSON text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._decoder = json.JSONDecoder(parse_constant=self._constant)

    def _constant(self, name: str) -> NoReturn:
        raise Invalid(_("The JSON holds {value}, which is no number. Leave the value out.", value=name))

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        self.at = _SPACE.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.text[self.at : self.at + 1]

    def skip(self, character: str) -> None:
        if self.peek() != character:
            self.fail(_("“{character}” is expected", character=character))
        self.at += 1

    def value(self) -> Any:
        self.peek()
        try:
            value, self.at = self._decoder.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            self.at = error.pos
            self.fail(error.msg)
        except ValueError as error:
            raise Invalid(_("The JSON holds a number with too many digits.")) from error
        return value

    def fail(self, what: str) -> NoReturn:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1) + 1
        raise Invalid(
            _(
                "Line {line}, column {column}: the JSON is broken ({what}). Export the file anew.",
                line=line,
                column=column,
                what=what,
            ),
            line=line,
            column=column,
        )


def _items(text: str, found: Collection) -> Iterator[Any]:
    """Each feature, geometry or fragment of the document, in order."""
    reader = _Reader(text)
    start = reader.peek()
    if start == "[":
        yield from _listed(reader)
        return
    if start != "{":
        reader.fail(_("“{character}” is expected", character="{"))
    yield from _document(reader, found)
    while reader.peek():
        # One object after the other: newline-delimited GeoJSON.
        yield reader.value()


def _listed(reader: _Reader) -> Iterator[Any]:
    """The elements of a bare list, which some programs write for a collection."""
    for number, item in enumerate(_elements(reader)):
        if number == 0 and not (isinstance(item, dict) and _is_one_of(item.get("type"), _TYPES)):
            raise NotGeoJSON
        yield item


def _elements(reader: _Reader) -> Iterator[Any]:
    reader.skip("[")
    if reader.peek() == "]":
        reader.at += 1
        return
    while True:
        yield reader.value()
        if reader.peek() != ",":
            break
        reader.at += 1
    reader.skip("]")


def _document(reader: _Reader, collection: Collection) -> Iterator[Any]:
    """The members of the outer object; features are handed on as they come."""
    members: dict[str, Any] = {}
    streamed = False
    reader.skip("{")
    while reader.peek() != "}":
        if members or streamed:
            reader.skip(",")
        key = reader.value()
        if not isinstance(key, str):
            reader.fail(_("“{character}” is expected", character='"'))
        reader.skip(":")
        if key == "features" and reader.peek() == "[":
            streamed = True
            yield from _elements(reader)
        else:
            members[key] = reader.value()
    reader.at += 1
    kind = members.get("type")
    collection.crs = _named_crs(members.get("crs"))
    datum = members.get("coordinate_system")
    collection.datum_name = datum if isinstance(datum, str) else None
    if streamed and kind == "FeatureCollection":
        _check_bbox(collection, members)
        return
    if _is_one_of(kind, GEOMETRIES) or kind == "Feature":
        yield members
        return
    _refuse_document(members, kind, streamed)


def _refuse_document(members: dict[str, Any], kind: Any, streamed: bool) -> NoReturn:
    if kind == "FeatureCollection":
        raise Invalid(
            _("The FeatureCollection has no member “features”. Export the file anew.")
            if "features" not in members
            else _("“features” must be a list, here is {found}.", found=_named(members["features"]))
        )
    if kind == "Topology":
        raise Invalid(_("This is TopoJSON. Save it as GeoJSON first."))
    if streamed or "coordinates" in members or "geometry" in members or "geometries" in members:
        raise Invalid(
            _("The member “type” is missing; it must be FeatureCollection, Feature or the name of a geometry.")
            if "type" not in members
            else _no_such_type(kind)
        )
    if "type" in members and not set(members) - {"type", "features", "bbox", "crs", "name"}:
        raise Invalid(_no_such_type(kind))
    raise NotGeoJSON


def _no_such_type(kind: Any) -> str:
    return _(
        "“{kind}” is no type of GeoJSON; it must be FeatureCollection, Feature or the name of a geometry, in this very "
        "spelling.",
        kind=kind if isinstance(kind, str) else _named(kind),
    )


def _named_crs(member: Any) -> str | None:
    if member is None:
        return None
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        raise Invalid(_("The member “crs” names no coordinate system. {remedy}", remedy=remedies.say_system()))
    return name


def _check_bbox(found: Collection, members: dict[str, Any]) -> None:
    try:
        _bbox(members)
    except _Fault as fault:
        raise Invalid(_sentence(str(fault))) from fault
    box = members.get("bbox")
    if box and len(box) == 4 and not (-90 <= box[1] <= 90 and -90 <= box[3] <= 90 and box[1] <= box[3]):
        found.notes.append(_("The stated bbox is not west, south, east, north; it was not used."))


# ---- one feature ---------------------------------------------------------------------------------------------------


def _feature(item: Any) -> tuple[Any, dict[str, Any]]:
    if not isinstance(item, dict):
        raise _Fault(_("a feature must be an object, here is {found}.", found=_named(item)))
    kind = item.get("type")
    if _is_one_of(kind, GEOMETRIES):
        return _geometry(item), {}
    if kind != "Feature":
        if kind is None:
            raise _Fault(_("the member “type” is missing."))
        raise _Fault(_("its type is {found}, not “Feature”.", found=_named(kind)))
    _bbox(item)
    if "geometry" not in item:
        raise _Fault(_("the member “geometry” is missing (it may be null)."))
    if "properties" not in item:
        raise _Fault(_("the member “properties” is missing (it may be null)."))
    properties = item["properties"]
    if properties is not None and not isinstance(properties, dict):
        raise _Fault(_("“properties” must be an object, here is {found}.", found=_named(properties)))
    identity = item.get("id")
    if identity is not None and (isinstance(identity, bool) or not isinstance(identity, (str, int, float))):
        raise _Fault(_("“id” must be a text or a number, here is {found}.", found=_named(identity)))
    values = dict(properties or {})
    if identity is not None:
        values.setdefault("id", identity)
    geometry = item["geometry"]
    return (None if geometry is None else _geometry(geometry)), values


def _bbox(item: dict[str, Any]) -> None:
    box = item.get("bbox")
    if box is None:
        return
    if not isinstance(box, list):
        raise _Fault(_("“bbox” must be a list of numbers, here is {found}.", found=_named(box)))
    if any(isinstance(number, bool) or not isinstance(number, (int, float)) for number in box):
        raise _Fault(_("“bbox” must hold numbers only."))
    if len(box) not in (4, 6):
        raise _Fault(_("“bbox” must have 4 or 6 numbers, here are {count}.", count=len(box)))


def _geometry(item: Any, depth: int = 0) -> Any:
    if not isinstance(item, dict):
        raise _Fault(_("the geometry must be an object, here is {found}.", found=_named(item)))
    kind = item.get("type")
    if not _is_one_of(kind, GEOMETRIES):
        if kind is None:
            raise _Fault(_("the geometry has no “type”."))
        raise _Fault(_("{found} is no type of geometry.", found=_named(kind)))
    _bbox(item)
    if kind == "GeometryCollection":
        members = item.get("geometries")
        if not isinstance(members, list):
            raise _Fault(_("a GeometryCollection must have a list “geometries”."))
        if depth >= _MOST_NESTED:
            raise _Fault(_("its collections are nested too deeply."))
        return shapely.geometrycollections(_drawn([_geometry(member, depth + 1) for member in members]))
    if "coordinates" not in item:
        raise _Fault(_("the {kind} has no “coordinates”.", kind=kind))
    return _BUILDERS[kind](item["coordinates"], kind)


def _point(coordinates: Any, kind: str) -> Any:
    if coordinates == []:
        return shapely.Point()
    return shapely.points(_positions([coordinates], kind)[0])


def _line(coordinates: Any, kind: str) -> Any:
    positions = _positions(coordinates, kind)
    if len(positions) == 1:
        raise _Fault(_("a line needs at least two positions, here is one."))
    return shapely.linestrings(positions)


@dataclass(slots=True)
class _Areas:
    """A polygon, or several in one, whose rings are sound; ``_drawn`` makes shapes of many at once."""

    polygons: list[list[NDArray[np.float64]]]
    multi: bool


def _area(coordinates: Any, kind: str) -> _Areas:
    return _Areas([_rings(coordinates, kind)], multi=False)


def _areas(coordinates: Any, kind: str) -> _Areas:
    if not isinstance(coordinates, list):
        raise _depth(kind)
    return _Areas([_rings(part, kind) for part in coordinates], multi=True)


def _rings(coordinates: Any, kind: str) -> list[NDArray[np.float64]]:
    if not isinstance(coordinates, list):
        raise _depth(kind)
    return [_ring(ring, number, kind) for number, ring in enumerate(coordinates)]


def _ring(coordinates: Any, number: int, kind: str) -> NDArray[np.float64]:
    positions = _positions(coordinates, kind)
    count = len(positions)
    if count >= 4 and positions[0, 0] == positions[-1, 0] and positions[0, 1] == positions[-1, 1]:
        return positions
    name = _("the outer ring") if number == 0 else _("hole {number}", number=number)
    if count and not np.array_equal(positions[0], positions[-1]):
        raise _Fault(_("{ring} is not closed: its last position differs from its first.", ring=name))
    raise _Fault(_("{ring} has {count} positions; at least 4 are needed.", ring=name, count=count))


def _drawn(shapes: list[Any]) -> list[Any]:
    """Shapes, with every ``_Areas`` among them drawn: all at once, because one by one it takes most of the time."""
    at = [place for place, shape in enumerate(shapes) if isinstance(shape, _Areas)]
    if not at:
        return shapes
    areas: list[_Areas] = [shapes[place] for place in at]
    polygons = [rings for area in areas for rings in area.polygons]
    rings = [ring for polygon in polygons for ring in polygon]
    parts = np.full(len(polygons), shapely.Polygon(), dtype=object)
    if rings:
        lines: Any = shapely.linearrings(np.concatenate(rings), indices=_owners([len(ring) for ring in rings]))
        shapely.polygons(lines, indices=_owners([len(polygon) for polygon in polygons]), out=parts)
    joined = np.full(len(areas), shapely.MultiPolygon(), dtype=object)
    owners = _owners([len(area.polygons) for area in areas])
    if len(parts):
        shapely.multipolygons(parts, indices=owners, out=joined)
    single = dict(zip(owners.tolist(), parts, strict=True))
    drawn = list(shapes)
    for number, (place, area) in enumerate(zip(at, areas, strict=True)):
        drawn[place] = joined[number] if area.multi else single[number]
    return drawn


def _owners(counts: list[int]) -> NDArray[np.int64]:
    """For each member of groups of these sizes, the number of its group."""
    return np.repeat(np.arange(len(counts)), counts)


def _many(single: Any, join: Any) -> Any:
    def build(coordinates: Any, kind: str) -> Any:
        if not isinstance(coordinates, list):
            raise _depth(kind)
        if not coordinates:
            return shapely.from_wkt(f"{kind.upper()} EMPTY")
        return join([single(part, kind) for part in coordinates])

    return build


_BUILDERS: dict[str, Any] = {
    "Point": _point,
    "LineString": _line,
    "Polygon": _area,
    "MultiPoint": _many(_point, shapely.multipoints),
    "MultiLineString": _many(_line, shapely.multilinestrings),
    "MultiPolygon": _areas,
}


def _positions(coordinates: Any, kind: str) -> NDArray[np.float64]:
    """Positions as an array of x and y; heights and anything beyond are left out."""
    try:
        array = np.array(coordinates)
    except (ValueError, OverflowError):
        array = np.array(None)
    if array.ndim == 2 and array.dtype.kind in "if" and array.shape[1] >= 2:
        return array[:, :2].astype(np.float64)
    if not isinstance(coordinates, list):
        raise _depth(kind)
    for position in coordinates:
        if not isinstance(position, list) or (position and isinstance(position[0], list)):
            raise _depth(kind)
        if len(position) < 2:
            raise _Fault(_("a position needs longitude and latitude, here is {found}.", found=json.dumps(position)))
        for number in position:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise _Fault(_("a coordinate must be a number, here is {found}.", found=json.dumps(number)[:60]))
    try:
        return np.array([position[:2] for position in coordinates], dtype=np.float64).reshape(-1, 2)
    except OverflowError:
        raise _Fault(_("a coordinate is too large to be one.")) from None


def _depth(kind: str) -> _Fault:
    return _Fault(_("its coordinates are not nested as those of a {kind}; is the type right?", kind=kind))


def _named(value: Any) -> str:
    """A JSON value in a sentence: ``null``, ``[…]``, ``"text"`` …"""
    if isinstance(value, dict):
        return "{…}"
    if isinstance(value, list):
        return "[…]"
    return json.dumps(value, ensure_ascii=False)[:60]
