"""Where the rows of a file are: shapes from columns, and from the file's coordinate system into EPSG:4326.

Which system the coordinates are in is said by the person, else by the file, else by a name (``…_GCJ-02``,
``lon_bd09``); without any of these only coordinates that can be longitude and latitude are taken, and that is said.
Nothing is shifted or swapped in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.files import angles, geojson, remedies, values
from data.files.contents import Geometries
from data.files.values import Fault
from spatial import datums, shapes

if TYPE_CHECKING:
    import pandas as pd
    import pyproj

WGS84 = "EPSG:4326"
_ROUNDING = 1e-6
"""Degrees that a coordinate may be beyond ±180 or ±90."""
_MARGIN = 10.0
"""Degrees around a system's area of use in which it still serves."""


class CrsNeeded(Invalid):
    """The coordinate system cannot be told from the file; ``--crs`` has to say it."""


class How(StrEnum):
    """How the coordinate system is known."""

    GIVEN = "given"
    STATED = "stated"
    FORMAT = "format"
    NAMED = "named"
    LIKELY = "likely"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Placed:
    """Shapes in EPSG:4326.

    Attributes
    ----------
    geometries
        None where a row has no place, or a fault.
    faults
        By position: why a row's place cannot be used.
    crs
        What the coordinates were in: ``EPSG:4549``, ``GCJ-02``, the name of another system; None without any shape.
    how
        How that is known.
    notes
        What was done that one would not expect.
    """

    geometries: Geometries
    faults: dict[int, Fault]
    crs: str | None
    how: How
    notes: list[str] = field(default_factory=list)


def parse_crs(text: str) -> pyproj.CRS | datums.Datum:
    """A coordinate system that a person names.

    Raises
    ------
    Invalid
    """
    try:
        return datums.parse_crs(text)
    except datums.UnknownCrs as error:
        raise Invalid(
            _(
                "“{text}” is no known coordinate system. Say for instance EPSG:4549, CGCS2000, GCJ-02 or BD-09.",
                text=text,
            ),
            crs=text,
        ) from error


def named_datum(*names: str | None) -> datums.Datum | None:
    """The datum that a name of a file, layer or column tells.

    >>> named_datum("网格_GCJ-02"), named_datum("lon_bd09"), named_datum("grids")
    (<Datum.GCJ02: 'GCJ-02'>, <Datum.BD09: 'BD-09'>, None)
    """
    for name in names:
        found = re.search(r"(gcj|bd)[\s_-]?0[29]", name or "", re.IGNORECASE)
        if found:
            return datums.Datum.GCJ02 if found[1].lower() == "gcj" else datums.Datum.BD09
    return None


def named_system(heading: str) -> pyproj.CRS | None:
    """The system that a heading of shapes or coordinates names in brackets, as our own tables do.

    >>> named_system("WKT (EPSG:4549)").to_epsg(), named_system("WKT (old)")
    (4549, None)
    """
    import pyproj

    found = re.search(r"[(（]\s*(EPSG:\d{4,6})\s*[)）]", heading, re.IGNORECASE)
    try:
        system = parse_crs(found[1]) if found else None
    except Invalid:
        return None
    return pyproj.CRS(WGS84) if isinstance(system, datums.Datum) else system


def place(
    geometries: Geometries,
    *,
    given: str | None = None,
    stated: pyproj.CRS | None = None,
    fixed: bool = False,
    named: datums.Datum | None = None,
    loose: bool = False,
) -> Placed:
    """Bring shapes into EPSG:4326.

    Parameters
    ----------
    geometries
        In the file's system, x before y; None where a row has none.
    given
        What the person says; it wins.
    stated
        What the file says.
    fixed
        Whether nothing but degrees can be meant: by the format (GeoJSON, KML, GPX) or the columns (longitude …).
    named
        What a name says.
    loose
        Whether x and y come from columns of these names, which in Chinese surveying are northing and easting: they are
        exchanged if only that lies in the area the system is made for.

    Raises
    ------
    CrsNeeded
        Nobody says, and the coordinates cannot be longitude and latitude.
    Invalid
        ``given`` is unknown, or no shape fits the system.
    """
    empty = shapely.is_empty(geometries)
    if empty.any():
        geometries = geometries.copy()
        geometries[empty] = None
    geometries = _without_empty_rings(geometries)
    usable = stated if stated is not None and (stated.is_geographic or stated.is_projected) else None
    if usable is not None and not given and not datums.is_usable(usable):
        raise CrsNeeded(
            _(
                "The file says that its coordinates are in “{stated}”, which is no system of the Earth. {remedy}",
                stated=_name(usable),
                remedy=remedies.say_system(),
            )
        )
    notes: list[str] = []
    system: pyproj.CRS | datums.Datum
    asked = parse_crs(given) if given else None
    if shapely.is_missing(geometries).all():
        return Placed(geometries, {}, None, How.NONE)
    if asked:
        system, how = asked, How.GIVEN
        if usable is not None and _name(usable) != _name(system):
            notes.append(
                _("The file says it is in {stated}; it was read as {given}.", stated=_name(usable), given=_name(system))
            )
    elif named and (usable is None or usable.is_geographic):
        system, how = named, How.NAMED
        notes.append(_("Its name says that the coordinates are {datum}; they were converted.", datum=named))
    elif usable is not None:
        system, how = usable, How.STATED
    elif fixed:
        system, how = datums.Datum.WGS84, How.FORMAT
    else:
        _check_likely(geometries)
        system, how = datums.Datum.WGS84, How.LIKELY
        notes.append(
            _(
                "The file names no coordinate system. Its coordinates ({box}) were read as longitude and latitude.",
                box=_box(geometries),
            )
        )
    if not isinstance(system, datums.Datum):
        geometries = _within_area(geometries, system, loose, notes)
    try:
        moved, faults = _into_wgs84(geometries, system)
    except datums.NoShift as error:
        raise Invalid(
            _(
                "No transformation from {crs} to WGS 84 is known where the file lies ({box}). Convert it to CGCS2000 "
                "with the parameters of the surveying office first.",
                crs=_name(system),
                box=_box(geometries),
            ),
            crs=_name(system),
        ) from error
    if not isinstance(system, datums.Datum):
        notes += _shift_notes(geometries, system)
    nowhere = (shapely.get_x(moved) == 0) & (shapely.get_y(moved) == 0)
    if nowhere.any():
        moved[nowhere] = None
        notes.append(_("{count} rows at 0, 0 were read as rows without a place.", count=int(nowhere.sum())))
    return Placed(moved, faults, _name(system), how, notes)


def _without_empty_rings(geometries: Geometries) -> Geometries:
    """Shapes without holes and parts that hold nothing, over which much that computes with shapes stumbles."""
    parts, owners = shapely.get_parts(geometries, return_index=True)
    rings, within = shapely.get_rings(parts, return_index=True)
    bad = np.union1d(owners[within[shapely.is_empty(rings)]], owners[shapely.is_empty(parts)])
    if not len(bad):
        return geometries
    clean = geometries.copy()
    for at in bad.tolist():
        kept = [
            shapely.Polygon(part.exterior, [hole for hole in part.interiors if not hole.is_empty])
            if part.geom_type == "Polygon"
            else part
            for part in shapely.get_parts(geometries[at])
            if not part.is_empty
        ]
        kind = geometries[at].geom_type
        clean[at] = kept[0] if kind == "Polygon" else type(geometries[at])(kept)
    return clean


def shape_error(error: Exception) -> str:
    """Why a shape cannot be read."""
    if isinstance(error, NotImplementedError) or not str(error).strip():
        return _("it has curves; save it with straight segments")
    return str(error).strip().splitlines()[0][:120]


def _shift_notes(geometries: Geometries, system: pyproj.CRS) -> list[str]:
    """How good the one transformation is that an old datum was brought over with."""
    import pyproj

    shift = datums.shift_between(system, pyproj.CRS.from_epsg(4326), geometries)
    if shift is None:
        return []
    if shift.accuracy_m is None:
        return [
            _(
                "All coordinates were brought from {crs} by one transformation ({name}) of unstated accuracy.",
                crs=_name(system),
                name=shift.name,
            )
        ]
    return [
        _(
            "All coordinates were brought from {crs} by one transformation ({name}), good to about {metres} m.",
            crs=_name(system),
            name=shift.name,
            metres=f"{shift.accuracy_m:.0f}",
        )
    ]


def _within_area(geometries: Geometries, system: pyproj.CRS, loose: bool, notes: list[str]) -> Geometries:
    """The shapes, x and y exchanged if need be; refused when they lie far from where the system is used."""
    area = system.area_of_use
    if area is None or area.west > area.east:
        return geometries
    middle = (area.west + area.east) / 2, (area.south + area.north) / 2
    reach = area.east - middle[0] + _MARGIN, area.north - middle[1] + _MARGIN
    centre = shapely.Point(np.nanmedian(shapely.bounds(geometries[~shapely.is_missing(geometries)]), axis=0)[:2])

    def inside(x: float, y: float) -> bool:
        there = datums.reproject(np.array([shapely.Point(x, y)]), system, system.geodetic_crs or WGS84)[0]
        return bool(abs(there.x - middle[0]) <= reach[0] and abs(there.y - middle[1]) <= reach[1])

    if inside(centre.x, centre.y):
        return geometries
    if loose and inside(centre.y, centre.x):
        notes.append(_("The columns X and Y are northing and easting; they were read so."))
        return np.asarray(shapely.transform(geometries, lambda xy: xy[:, ::-1]), dtype=object)
    raise CrsNeeded(
        _(
            "The coordinates ({box}) do not lie where {crs} is used ({area}). Is it another zone or system? {remedy}",
            box=_box(geometries),
            crs=_name(system),
            area=area.name,
            remedy=remedies.say_system(),
        )
    )


def _check_likely(geometries: Geometries) -> None:
    boxes = shapely.bounds(geometries[~shapely.is_missing(geometries)])
    boxes[~np.isfinite(boxes)] = np.nan
    # A stray coordinate is that row's fault; only most of them tell the system.
    west, south = np.nanquantile(boxes, 0.1, axis=0)[:2]
    east, north = np.nanquantile(boxes, 0.9, axis=0)[2:]
    if max(-west, east) <= 180 and max(-south, north) <= 90:
        if max(abs(west), abs(south), abs(east), abs(north)) < 1:
            raise CrsNeeded(
                _(
                    "The file names no coordinate system, and its coordinates ({box}) are too small for a place in "
                    "degrees. {remedy}",
                    box=_box(geometries),
                    remedy=remedies.say_system(),
                )
            )
        return
    if max(-south, north) <= 180 and max(-west, east) <= 90:
        raise CrsNeeded(
            _(
                "The file has latitude before longitude ({box}), and names no coordinate system. Swap the two.",
                box=_box(geometries),
            )
        )
    raise CrsNeeded(
        _(
            "The file names no coordinate system, and its coordinates ({box}) are no longitudes and latitudes. "
            "{remedy}",
            box=_box(geometries),
            remedy=remedies.say_system(),
        )
    )


def _box(geometries: Geometries) -> str:
    west, south, east, north = shapely.total_bounds(geometries)
    return f"{west:.6g}–{east:.6g}, {south:.6g}–{north:.6g}"


def _name(system: pyproj.CRS | datums.Datum) -> str:
    if isinstance(system, datums.Datum):
        return WGS84 if system is datums.Datum.WGS84 else str(system)
    code = system.to_epsg(min_confidence=70)
    if code is None and system.is_geographic and system.to_authority() == ("OGC", "CRS84"):
        code = 4326
    return f"EPSG:{code}" if code else str(system.name)


def _into_wgs84(geometries: Geometries, system: pyproj.CRS | datums.Datum) -> tuple[Geometries, dict[int, Fault]]:
    name = _name(system)  # once: to find a system's code takes a look into the whole list of them
    if name == WGS84:
        moved = geometries
        if shapely.has_z(geometries).any() or shapely.has_m(geometries).any():
            moved = np.asarray(shapely.force_2d(geometries), dtype=object)
    else:
        moved = datums.reproject(geometries, system, WGS84)
    west, south, east, north = shapely.total_bounds(moved)
    if not (max(-west, east) <= 180 and max(-south, north) <= 90):
        moved = np.asarray(shapely.transform(moved, _snapped), dtype=object)
    faults: dict[int, Fault] = {}
    for position, fault in enumerate(shapes.check_bounds(moved)):
        if fault is None or fault is shapes.Fault.MISSING:
            continue
        faults[position] = _fault(geometries[position], fault, name)
    if faults:
        moved = moved.copy()
        moved[list(faults)] = None
    count = int((~shapely.is_missing(geometries)).sum())
    if len(faults) == count:
        first = faults[min(faults)]
        raise Invalid(f"{first.reason} {first.advice}", rejected=count)
    return moved, faults


def _snapped(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coordinates, those a rounding beyond ±180 or ±90 put onto the edge."""
    inside = np.clip(xy, shapes.LONLAT_BOUNDS[:2], shapes.LONLAT_BOUNDS[2:])
    return np.where(np.abs(xy - inside) < _ROUNDING, inside, xy)


def _fault(geometry: shapely.Geometry, fault: shapes.Fault, crs: str) -> Fault:
    west, south, east, north = shapely.bounds(geometry)
    box = f"{west:.10g}, {south:.10g}" if (west, south) == (east, north) else _box(np.array([geometry]))
    if fault is shapes.Fault.SWAPPED:
        return Fault(
            _("The coordinates {box} are latitude before longitude.", box=box), _("Swap longitude and latitude.")
        )
    if fault is shapes.Fault.NOT_FINITE:
        return Fault(
            _("The coordinates {box} are outside what {crs} can show.", box=box, crs=crs),
            remedies.check_coordinates(),
        )
    return Fault(
        _("The coordinates {box} are no place on Earth: longitude is within ±180, latitude within ±90.", box=box),
        remedies.check_coordinates(),
    )


# ---- shapes from columns -------------------------------------------------------------------------------------------


def from_columns(frame: pd.DataFrame, places: Mapping[str, str]) -> tuple[Geometries, dict[int, Fault]]:
    """Shapes from columns of coordinates.

    Parameters
    ----------
    frame
        The input's own columns.
    places
        Field (``wkt``, ``lon`` and ``lat``, ``x`` and ``y``, ``lonlat``) → column.

    Returns
    -------
    tuple
        Shapes in the file's system, None where the cells are empty; and the faults by position.
    """
    if "wkt" in places:
        return _from_text(frame[places["wkt"]].tolist())
    if "lonlat" in places:
        return _from_pairs(frame[places["lonlat"]].tolist(), places["lonlat"])
    first, second = ("lon", "lat") if "lon" in places else ("x", "y")
    x, wrong_x = _numbers(frame[places[first]], places[first])
    y, wrong_y = _numbers(frame[places[second]], places[second])
    faults = wrong_x | wrong_y
    for position in np.flatnonzero(np.isnan(x) != np.isnan(y)):
        faults.setdefault(
            int(position),
            Fault(
                _("Of {first} and {second} only one is filled in.", first=places[first], second=places[second]),
                _("Fill in both, or neither."),
            ),
        )
    known = ~np.isnan(x) & ~np.isnan(y)
    geometries = np.full(len(frame), None, dtype=object)
    geometries[known] = shapely.points(x[known], y[known])
    return geometries, faults


def _numbers(cells: pd.Series, column: str) -> tuple[NDArray[np.float64], dict[int, Fault]]:
    import pandas as pd

    numbers = np.array(pd.to_numeric(cells, errors="coerce"), dtype=np.float64)
    numbers[~np.isfinite(numbers)] = np.nan
    faults: dict[int, Fault] = {}
    held = cells.tolist()
    for position in np.flatnonzero(np.isnan(numbers)).tolist():
        cell = held[position]
        if values.is_empty(cell):
            continue
        number = values.degrees(cell)
        if number is None:
            faults[position] = Fault(
                _("{label} “{value}” is not a number.", label=column, value=str(cell)[:40]),
                _("Write it in digits, such as 121.5061."),
            )
        else:
            numbers[position] = number
    return numbers, faults


def _from_text(cells: list[Any]) -> tuple[Geometries, dict[int, Fault]]:
    """Shapes from WKT (with or without ``SRID=…;``) or hexadecimal WKB."""
    geometries = np.full(len(cells), None, dtype=object)
    faults: dict[int, Fault] = {}
    for position, cell in enumerate(cells):
        if values.is_empty(cell):
            continue
        text = re.sub(r"^SRID=\d+;", "", str(cell).strip())
        try:
            with np.errstate(over="ignore"):
                geometries[position] = _shape(text)
        except (shapely.errors.ShapelyError, NotImplementedError, ValueError) as error:
            # NotImplementedError is what a curve raises, ValueError a shape of JSON.
            faults[position] = Fault(
                _("The shape cannot be read ({reason}).", reason=shape_error(error)),
                _("Give it as WKT, such as POINT (121.5061 31.2392)."),
            )
    return geometries, faults


def _shape(text: str) -> Any:
    if text.startswith("{"):
        return geojson.shape(text)
    shape = shapely.from_wkb(text) if re.match(r"0[01][0-9A-Fa-f]{8}", text) else shapely.from_wkt(text)
    if shape.geom_type == "LinearRing":
        return shapely.LineString(shapely.get_coordinates(shape))
    shapely.get_coordinates(shape)  # a curve within a collection shows only here
    return shape


def _from_pairs(cells: list[Any], column: str) -> tuple[Geometries, dict[int, Fault]]:
    """Points from ``121.5061,31.2392``."""
    pairs = np.full((len(cells), 2), np.nan)
    faults: dict[int, Fault] = {}
    for position, cell in enumerate(cells):
        if values.is_empty(cell):
            continue
        found = angles.pair(str(cell))
        if found:
            pairs[position] = found
        else:
            faults[position] = Fault(
                _("{label} “{value}” is no pair of numbers.", label=column, value=str(cell)[:40]),
                _("Write longitude and latitude, such as 121.5061,31.2392."),
            )
    known = ~np.isnan(pairs[:, 0])
    geometries = np.full(len(cells), None, dtype=object)
    geometries[known] = shapely.points(pairs[known])
    return geometries, faults
