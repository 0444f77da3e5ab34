"""Any file of a community, opened as one frame in EPSG:4326 (导入读取).

Content decides what a file is, the file or the person says in which coordinate system and encoding it is, and what had
to be concluded is said in ``notes``. What cannot be read is refused with a sentence that names the fault; a fault of a
single row is a reject, so that the rest may go in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from data.base import texts
from data.base.errors import Invalid
from data.base.language import _
from data.files import (
    angles,
    columns,
    confined,
    encodings,
    esri_json,
    geojson,
    geopackages,
    markup,
    places,
    remedies,
    spreadsheets,
    tables,
    unpacking,
    vectors,
)
from data.files.contents import Content, Rows
from data.files.encodings import Encoding
from data.files.formats import SPREADSHEETS, Format
from data.files.places import CrsNeeded
from data.files.unpacking import Dataset
from data.files.values import Fault, Reject, RejectKind
from spatial.datums import Datum

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CrsNeeded", "LayerNeeded", "Source", "open_source"]

#: What one file may hold: some thousand bytes of a Parquet or a few million of a CSV say that many rows, and each
#: takes some 500 bytes of the process that works on them. A city of a million residents stays below.
MOST_ROWS = 2_000_000
MOST_CELLS = 40_000_000
_SAMPLE_ROWS = 200


class LayerNeeded(Invalid):
    """The file has several layers and none was chosen; ``facts["layers"]`` lists them."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read.

    Attributes
    ----------
    path, format
        The file, and what it is (``GeoPackage``, ``CSV`` …).
    layer, layers
        What was read, and what there is to choose from.
    frame
        A GeoDataFrame in EPSG:4326 where the file has shapes or coordinates, else a DataFrame. The columns are the
        input's own; the geometry comes on top, 2D, None where a row has no place.
    rows
        For each row its number as the person sees it: the line in a spreadsheet, else the feature from 1.
    rejects
        Rows that are not in ``frame``, and why.
    crs, crs_how
        What the coordinates were in, and how that is known; None without shapes.
    encoding, encoding_how
        The same of texts; None where the format fixes it.
    places
        Which columns the geometry was made of: field (``lon`` …) → column.
    notes
        Sentences on what was concluded, converted or left out.
    """

    path: Path
    format: str
    layer: str
    layers: list[str]
    frame: pd.DataFrame
    rows: NDArray[np.int64]
    rejects: list[Reject]
    crs: str | None
    crs_how: str
    encoding: str | None
    encoding_how: str
    places: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """The input's own columns, in order."""
        return [str(name) for name in self.frame.columns if name != self.geometry_name]

    @property
    def geometry_name(self) -> str | None:
        """The name of the geometry column, None without."""
        return getattr(self.frame, "_geometry_column_name", None)

    @property
    def geometries(self) -> NDArray[np.object_]:
        """The shapes, one a row, None where there is none."""
        if self.geometry_name is None:
            return np.full(len(self.frame), None, dtype=object)
        return np.asarray(self.frame[self.geometry_name].array, dtype=object)

    def sample(self, count: int = _SAMPLE_ROWS) -> dict[str, list[Any]]:
        """The first cells of each column, for :func:`data.files.columns.match_columns`."""
        return {name: self.frame[name].head(count).tolist() for name in self.columns}


def open_source(
    path: str | Path,
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    mapping: Mapping[str, str | None] | None = None,
    header: int | None = None,
    alive: Callable[[], None] = lambda: None,
) -> Source:
    """Read a file, in a process that can do nothing else.

    Parameters
    ----------
    path
        GeoJSON (a collection, a feature, one a line), GeoPackage, Shapefile (with or without its other parts, zipped,
        in a folder), FlatGeobuf, GeoParquet, KML, KMZ, GPX, DXF, MapInfo, File Geodatabase, OpenStreetMap, Esri JSON,
        CSV and its kin, XLSX, XLS, XLSB, ODS, Excel 2003 XML, JSON records, Open311.
    layer
        The layer or sheet, needed where there are several.
    crs
        What the coordinates are in: ``EPSG:4549``, ``CGCS2000``, ``GCJ-02``, ``BD-09`` … It wins over the file.
    encoding
        What texts are in.
    mapping
        Column → field as the person says; only what concerns coordinates (``columns.PLACE_FIELDS``) is used.
    header
        Of a table: the row of the headings, from 1, as the person says.
    alive
        Called now and then while it is read; what it raises ends the reading.

    Raises
    ------
    LayerNeeded
        Several layers, none chosen.
    CrsNeeded
        The coordinate system cannot be told.
    Invalid
        Anything else that is wrong with the file, in a sentence that says what to do; also more than ``MOST_ROWS``.
    """
    path = Path(path)
    options = {"layer": layer, "crs": crs, "encoding": encoding, "mapping": dict(mapping or {}), "header": header}

    def stock(folder: Path) -> dict[str, Any]:
        return {"path": unpacking.copy(path, folder), "options": options}

    source: Source = confined.ask(
        read_room,
        path.name,
        stock,
        kinds=(Source, Reject),
        errors=(LayerNeeded, CrsNeeded),
        alive=alive,
        meanwhile=_load_frames,
    )
    count, width = len(source.frame) + len(source.rejects), len(source.columns)
    if count > MOST_ROWS or count * width > MOST_CELLS:
        raise Invalid(
            _(
                "“{name}” has {count} rows and {columns} columns; at most {rows} rows and {cells} cells are taken at "
                "once. Split it, or leave out columns that are not needed.",
                name=path.name,
                count=count,
                columns=width,
                rows=MOST_ROWS,
                cells=MOST_CELLS,
            )
        )
    return replace(source, path=path)


def _load_frames() -> None:
    """Load what the answer is made of again."""
    import geopandas  # noqa: F401


def read_room(room: Path, arguments: Mapping[str, Any]) -> Source:
    """Read the copy in a room: what ``open_source`` asks for behind the walls."""
    return read_source(room / "in" / str(arguments["path"]), room / "work", **arguments["options"])


def read_source(
    path: Path,
    room: Path,
    *,
    layer: str | None = None,
    crs: str | None = None,
    encoding: str | None = None,
    mapping: Mapping[str, str | None] | None = None,
    header: int | None = None,
) -> Source:
    """Read a copy of a file, as ``open_source`` says, in this very process: for the one behind the walls.

    Parameters
    ----------
    room
        An empty folder for what has to be unpacked or written anew.
    """
    mapping = mapping or {}
    unpacked = room / "content"
    unpacked.mkdir()
    opened = [_Opened(dataset, room, encoding, header) for dataset in unpacking.find(path, unpacked)]
    chosen, name, label, labels = _choose(opened, layer, path.name)
    content = chosen.read(name)
    columns = _find_places(content, mapping)
    frame, rows, placed = content.frame, content.rows, None
    if content.geometries is not None:
        placed = places.place(
            content.geometries,
            given=crs,
            stated=content.crs,
            fixed=content.degrees,
            named=places.named_datum(content.datum_name, label, path.stem, *columns.values()),
            loose="x" in columns,
        )
        good = _without(content, content.faults | placed.faults)
        frame = _placed_frame(frame[good].reset_index(drop=True), placed.geometries[good])
        rows = rows[good]
    elif crs:
        places.parse_crs(crs)
    return Source(
        path=path,
        format=str(chosen.format),
        layer=label,
        layers=labels,
        frame=frame,
        rows=rows,
        rejects=content.rejects,
        crs=placed.crs if placed else None,
        crs_how=str(placed.how if placed else places.How.NONE),
        encoding=content.encoding.name if content.encoding else None,
        encoding_how=str(content.encoding.how) if content.encoding else "format",
        places=columns,
        notes=_encoding_notes(content.encoding) + content.notes + (placed.notes if placed else []),
    )


def _choose(opened: list[_Opened], layer: str | None, file: str) -> tuple[_Opened, str, str, list[str]]:
    """The data set and the layer in it that are wanted, what that is called here, and what there is."""
    offers = [(source, name) for source in opened for name in source.layers]
    labels = [_label(source, name, alone=len(opened) == 1) for source, name in offers]
    listed = ", ".join(labels[:20])
    if not offers:
        raise Invalid(_("“{name}” holds nothing.", name=file))
    if layer is None and len(offers) > 1:
        raise LayerNeeded(
            _(
                "“{name}” has {count} layers: {layers}. {remedy}",
                name=file,
                count=len(labels),
                layers=listed,
                remedy=remedies.choose_layer(),
            ),
            layers=labels,
        )
    for (source, name), label in zip(offers, labels, strict=True):
        if layer in (None, label, name):
            return source, name, label, labels
    for source in opened:
        if layer and source.hides(layer):
            return source, layer, layer, labels
    raise Invalid(
        _("“{name}” has no layer “{layer}”. It has: {layers}.", name=file, layer=layer, layers=listed), layers=labels
    )


def _label(one: _Opened, name: str, *, alone: bool) -> str:
    if alone:
        return name
    return f"{one.dataset.name}/{name}" if len(one.layers) > 1 else one.dataset.name


class _Opened:
    """A data set made ready: its layers are known, one of them can be read."""

    def __init__(self, dataset: Dataset, room: Path, asked: str | None, header: int | None = None) -> None:
        self.dataset = dataset
        self.format = dataset.format
        self._asked = asked
        self._header = header
        self._path = dataset.path
        self._encoding: Encoding | None = None
        self._notes: list[str] = []
        self._book: spreadsheets.Workbook | spreadsheets.FlatWorkbook | spreadsheets.OtherWorkbook | None = None
        form = dataset.format
        if form in (Format.KML, Format.GPX, Format.OPEN311, Format.XML_2003) or (
            form is Format.OSM and _is_xml(dataset.path)
        ):
            self._path, self._encoding = markup.safe_xml(dataset.path, room, form, asked)
        elif form is Format.GEOPACKAGE:
            geopackages.tame(dataset.path)
        elif form is Format.SHAPEFILE:
            self._path = unpacking.whole_shapefile(dataset.path, room)
        elif form is Format.ESRI_JSON:
            self._notes = esri_json.look_at(dataset.path)
        self.layers = self._layers()

    def _layers(self) -> list[str]:
        form = self.dataset.format
        if form in SPREADSHEETS:
            if form is Format.XLSX:
                self._book = spreadsheets.Workbook(self._path)
            elif form is Format.XML_2003:
                self._book = spreadsheets.FlatWorkbook(self._path)
            else:
                self._book = spreadsheets.OtherWorkbook(self._path, form)
            return self._book.layers
        if form in (Format.CSV, Format.GEOJSON, Format.PARQUET, Format.OPEN311):
            return [self.dataset.name]
        return vectors.layers(self._path, form)

    def hides(self, layer: str) -> bool:
        """Whether there is a layer of this name that is not listed as a choice."""
        return self.dataset.format is Format.GPX and layer in ("route_points", "track_points")

    def read(self, layer: str) -> Content:
        """One layer."""
        form = self.dataset.format
        if self._book:
            return self._book.read(layer, self._header)
        if form is Format.GEOJSON:
            return self._json()
        if form is Format.CSV:
            return tables.read_csv(self._path, self._asked, self._header)
        if form is Format.PARQUET:
            return vectors.read_parquet(self._path)
        content = (
            tables.read_open311(self._path)
            if form is Format.OPEN311
            else vectors.read(self._path, form, layer, self._asked)
        )
        content.encoding = self._encoding or content.encoding
        content.notes += self._notes
        if form in (Format.SHAPEFILE, Format.DBF):
            content.frame = content.frame.rename(columns=unpacking.long_names(self.dataset.path))
        return content

    def _json(self) -> Content:
        import pandas as pd

        text, encoding = encodings.decode(self._path.read_bytes(), self._asked)
        try:
            collection = geojson.parse(text)
        except geojson.NotGeoJSON:
            self.format = Format.RECORDS
            content = tables.read_records(text)
            content.encoding = encoding
            return content
        # JSON can spell what no text may hold, such as \u0000 and half of a surrogate pair.
        told = [texts.cleaned(properties) for properties in collection.properties]
        names = list(dict.fromkeys(name for properties in told for name in properties))
        frame = pd.DataFrame(
            {name: pd.Series(_cells(told, name), dtype=object) for name in names},
            index=range(len(collection.rows)),
        )
        geometries = np.full(len(collection.rows), None, dtype=object)
        geometries[:] = collection.geometries
        crs = places.parse_crs(collection.crs) if collection.crs else None
        return Content(
            frame,
            np.array(collection.rows, dtype=np.int64),
            geometries,
            rejects=collection.rejects,
            crs=None if isinstance(crs, Datum) else crs,
            datum_name=collection.datum_name,
            degrees=True,
            encoding=encoding,
            notes=collection.notes,
        )


def _cells(properties: list[dict[str, Any]], name: str) -> list[Any]:
    """One property of every feature; objects and lists as JSON text."""
    cells = [one.get(name) for one in properties]
    if {dict, list} & set(map(type, cells)):
        return [tables.flat(cell) for cell in cells]
    return cells


def _is_xml(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(200).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")


# ---- on the ground -------------------------------------------------------------------------------------------------


def _place_columns(frame: pd.DataFrame, mapping: Mapping[str, str | None]) -> dict[str, str]:
    """Field → column of the coordinates: as the person says, else by the headings."""
    said = {name: column for column, name in mapping.items() if name in columns.PLACE_FIELDS and column in frame}
    for group in (("wkt",), ("lon", "lat"), ("x", "y"), ("lonlat",)):
        if all(name in said for name in group):
            return {name: said[name] for name in group}
    names = [name for name in frame.columns if name not in mapping]
    return columns.place_columns(names, {name: frame[name].head(_SAMPLE_ROWS).tolist() for name in names})


def _find_places(content: Content, mapping: Mapping[str, str | None]) -> dict[str, str]:
    """Make shapes from columns where the file has none; field → column of what they were made of."""
    shapes = content.geometries
    if shapes is not None and (len(shapes) == 0 or content.faults or not shapely.is_missing(shapes).all()):
        return {}
    found = _place_columns(content.frame, mapping)
    if found:
        content.geometries, content.faults = places.from_columns(content.frame, found)
        content.degrees = "lon" in found or "lonlat" in found
        sample = (
            cell for name in ("lon", "lat") if name in found for cell in content.frame[found[name]].head(_SAMPLE_ROWS)
        )
        if any(angles.has_decimal_comma(cell) for cell in sample):
            content.notes.append(_("The coordinates have decimal commas; 121,501 was read as 121.501."))
        content.crs = places.named_system(next(iter(found.values())))
    return found


def _without(content: Content, faults: Mapping[int, Fault]) -> NDArray[np.bool_]:
    """Turn rows with a fault into rejects, and say which stay.

    Raises
    ------
    Invalid
        None stays.
    """
    good = np.ones(len(content.frame), dtype=bool)
    good[list(faults)] = False
    content.rejects += _rejects(content, faults)
    content.rejects.sort(key=lambda reject: reject.row)
    if faults and not good.any():
        first = content.rejects[0]
        raise Invalid(_("Row {row}: {reason} {advice}", row=first.row, reason=first.reason, advice=first.advice))
    return good


def _rejects(content: Content, faults: Mapping[int, Fault]) -> list[Reject]:
    original = Rows(content.frame, [str(name) for name in content.frame.columns])
    shapes: Any = {}
    if content.geometries is not None:
        at = sorted(faults)
        shapes = dict(zip(at, shapely.to_wkt(content.geometries[at], rounding_precision=-1).tolist(), strict=True))
    return [
        Reject(
            row=int(content.rows[position]),
            reason=fault.reason,
            advice=fault.advice,
            values=original[position],
            kind=RejectKind.PLACE,
            shape=shapes.get(position),
        )
        for position, fault in sorted(faults.items())
    ]


def _placed_frame(frame: pd.DataFrame, geometries: NDArray[np.object_]) -> pd.DataFrame:
    import geopandas as gpd

    name = "geometry"
    while name in frame.columns:
        name += "_"
    placed = gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(geometries, crs=places.WGS84))
    return placed if name == "geometry" else placed.rename_geometry(name)


def _encoding_notes(encoding: Encoding | None) -> list[str]:
    if encoding is None or encoding.how is not encodings.How.GUESSED or encoding.name == "Windows-1252":
        return []
    return [_("The texts were read as {encoding}, guessed from their bytes.", encoding=encoding.name)]
