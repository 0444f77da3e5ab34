"""Layers of shapes: what GDAL reads, and GeoParquet.

GDAL gives shapes as bytes, which become shapes here one by one where they must: a shape that is none, such as a line of
one point, is one row's fault and not the file's end. Its warnings become notes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from data.base.errors import Invalid
from data.base.language import _
from data.files import columns, drivers, encodings, places, remedies, values
from data.files.contents import Content, Geometries
from data.files.encodings import Encoding
from data.files.formats import Format
from data.files.values import Fault
from spatial import datums

if TYPE_CHECKING:
    import pandas as pd
    import pyproj

_DERIVED_GPX_LAYERS = ("route_points", "track_points")
"""Other views of routes and tracks: to be asked for by name, no choice of their own."""
#: Where GDAL puts the tags of OpenStreetMap that have no column: ``"addr:street"=>"锦绣路","building:levels"=>"6"``.
_TAGS = "other_tags"
_TAG = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_KML_DISPLAY = ("tessellate", "extrude", "visibility", "drawOrder", "icon", "altitudeMode")
_MOST_NOTES = 5
DATUM_KEY = b"wangge:datum"
"""The key of a Parquet file's metadata that names a datum without a code."""


def layers(path: Path, form: Format) -> list[str]:
    """The names of the layers that hold something, tables without shapes included.

    Raises
    ------
    Invalid
        GDAL cannot open the file.
    """
    import pyogrio

    if form is Format.OSM:
        # Extracts need not be sorted, which GDAL's own index demands.
        pyogrio.set_gdal_config_options({"OSM_USE_CUSTOM_INDEXING": "NO"})
    with drivers.only(form), _gdal(path.name, []):
        listed = [(str(name), kind) for name, kind in pyogrio.list_layers(path)]
        if len(listed) == 1:
            return [listed[0][0]]
        full = [
            name
            for name, _kind in listed
            # To count, GDAL goes through the whole document.
            if form is not Format.GPX or name not in _DERIVED_GPX_LAYERS
            if pyogrio.read_info(path, layer=name, force_feature_count=True)["features"] != 0
        ]
    return full or [listed[0][0]] if listed else []


def read(path: Path, form: Format, layer: str, asked: str | None = None) -> Content:
    """One layer of a file that GDAL opens.

    Parameters
    ----------
    asked
        The encoding the person says its texts are in.

    Raises
    ------
    Invalid
        GDAL cannot read it, or its texts are not in that encoding.
    """
    import pyogrio

    notes: list[str] = []
    encoding = _text_encoding(path, form, asked, notes)
    options: dict[str, Any] = {"layer": layer, "encoding": encoding.name if encoding else None, "force_2d": True}
    # As numbers, times lose the zone that the file gives them.
    options["datetime_as_string"] = True
    with drivers.only(form), _gdal(path.name, notes):
        meta, _fids, shapes, cells = pyogrio.raw.read(path, **options)
    count = len(shapes) if shapes is not None else len(cells[0]) if cells else 0
    cells = [_whole(column, kind) for column, kind in zip(cells, meta["dtypes"], strict=True)]
    frame = _framed(meta["fields"].tolist(), cells, count, notes)
    if form is Format.OSM:
        frame = _with_ways(_with_tags(frame) if _TAGS in frame else frame)
    geometries, faults = (None, {}) if shapes is None else from_wkb(shapes)
    if form in (Format.KML, Format.GPX):
        # GDAL gives every column the standard has, filled or not.
        frame = frame.loc[:, frame.notna().any() & ~frame.columns.isin(_KML_DISPLAY)]
    return Content(
        frame,
        _counted(count),
        geometries,
        faults=faults,
        crs=None if geometries is None else _crs(meta["crs"]),
        degrees=form in (Format.KML, Format.GPX),
        encoding=encoding,
        notes=notes,
    )


@contextmanager
def _gdal(name: str, notes: list[str]) -> Iterator[None]:
    """Warnings become notes, GDAL's errors sentences."""
    from pyogrio import errors

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except UnicodeDecodeError as error:
            raise Invalid(
                _(
                    "“{name}” has texts that are not {encoding}. Name their encoding.",
                    name=name,
                    encoding=encodings.known(error.encoding),
                )
            ) from error
        except (
            errors.DataSourceError,
            errors.DataLayerError,
            errors.FeatureError,
            errors.FieldError,
            errors.GeometryError,
            errors.CRSError,
            RuntimeError,
            ValueError,
            OverflowError,
        ) as error:
            reason = _pathless(str(error).split(";")[0]).strip().rstrip(".")
            raise Invalid(
                _(
                    "“{name}” cannot be read ({reason}). Export it anew, best as GeoPackage.",
                    name=name,
                    reason=reason[:200],
                )
            ) from error
    _note(caught, notes)


def _pathless(text: str) -> str:
    """A remark of GDAL without folders of this machine."""
    return re.sub(r"(/[^/\s':]+)+/", "", text)


def _note(caught: list[warnings.WarningMessage], notes: list[str]) -> None:
    said = dict.fromkeys(_pathless(str(warning.message).splitlines()[0]) for warning in caught)
    shown = [text for text in said if not text.startswith("Measured (M) geometry types")]
    if len(shown) < len(said):
        notes.append(_("Measures (M) of the shapes were left out."))
    notes += [_("GDAL remarks: {text}", text=text[:200]) for text in shown[:_MOST_NOTES]]
    if len(shown) > _MOST_NOTES:
        notes.append(_("GDAL remarks {count} more things.", count=len(shown) - _MOST_NOTES))


def _counted(count: int) -> NDArray[np.int64]:
    return np.arange(1, count + 1, dtype=np.int64)


def _whole(column: NDArray[Any], kind: Any) -> NDArray[Any]:
    """A column of whole numbers, or of yes and no, as such: where one is empty, GDAL's reader gives decimals."""
    declared = np.dtype(kind).kind
    if declared not in "iub" or column.dtype.kind != "f":
        return column
    told = bool if declared == "b" else int
    whole = np.empty(len(column), dtype=object)
    whole[:] = [None if number != number else told(number) for number in column.tolist()]
    return whole


def _framed(names: list[str], cells: list[NDArray[Any]], count: int, notes: list[str]) -> pd.DataFrame:
    import pandas as pd

    unique: list[str] = []
    for name in names:
        candidate, number = name, 2
        while candidate in unique:
            candidate, number = f"{name} ({number})", number + 1
        unique.append(candidate)
    if unique != names:
        notes.append(_("Columns of the same name were numbered."))
    columns = {name: pd.Series(column) for name, column in zip(unique, cells, strict=True)}
    return pd.DataFrame(columns, index=range(count))


def _with_tags(frame: pd.DataFrame) -> pd.DataFrame:
    """The tags that GDAL gathers in one cell, as columns of their own where their names are headings that are known.

    The rest stays gathered: a town has hundreds of names of tags, each with a few values.
    """
    import pandas as pd

    parts: dict[str, list[Any]] = {}
    known: dict[str, bool] = {}
    rest: list[str | None] = []
    for at, cell in enumerate(frame[_TAGS].tolist()):
        others = []
        for tag in _TAG.finditer(cell) if isinstance(cell, str) else ():
            name, value = (_ESCAPED.sub(r"\1", part) for part in tag.groups())
            if name not in known:
                known[name] = values.plain(name) in columns.headings() and name not in frame
            if known[name]:
                parts.setdefault(name, [None] * len(frame))[at] = value
            else:
                others.append(tag[0])
        rest.append(",".join(others) or None)
    parts[_TAGS] = rest
    series = {name: pd.Series(cells, index=frame.index, dtype=object) for name, cells in parts.items()}
    whole = frame.assign(**series)
    return whole if whole[_TAGS].notna().any() else whole.drop(columns=_TAGS)


def _with_ways(frame: pd.DataFrame) -> pd.DataFrame:
    """One column of ids: GDAL keeps areas that are ways apart from relations, whose ids may be the same."""
    if not {"osm_id", "osm_way_id"} <= {*frame.columns}:
        return frame
    ways = "way/" + frame["osm_way_id"].astype(object)
    return frame.assign(osm_id=frame["osm_id"].where(frame["osm_id"].notna(), ways)).drop(columns="osm_way_id")


def _crs(text: str | None) -> pyproj.CRS | None:
    import pyproj

    try:
        found = pyproj.CRS.from_user_input(text) if text and not datums.names_a_file(text) else None
    except pyproj.exceptions.CRSError:
        return None
    return None if found is None or re.search(r"(?i)undefined|unknown engineering", found.name) else found


def from_wkb(column: NDArray[Any]) -> tuple[Geometries, dict[int, Fault]]:
    """Shapes from bytes; those that are none, with the reason."""
    try:
        geometries = np.asarray(shapely.from_wkb(column, on_invalid="ignore"), dtype=object)
        shapely.get_coordinates(geometries)
    except (NotImplementedError, shapely.errors.ShapelyError):
        geometries = np.full(len(column), None, dtype=object)  # curves; they show only one by one
    faults: dict[int, Fault] = {}
    for position in np.flatnonzero(shapely.is_missing(geometries)).tolist():
        if column[position] is None:
            continue
        try:
            shape = shapely.from_wkb(column[position])
            shapely.get_coordinates(shape)
            geometries[position] = shape
        except (NotImplementedError, shapely.errors.ShapelyError, TypeError) as error:
            faults[position] = Fault(_shape_reason(error), _("Correct the feature, or draw it anew."))
    return geometries, faults


def _shape_reason(error: Exception) -> str:
    text = str(error)
    if "must contain 0 or >1" in text:
        return _("A line needs at least two positions, here is one.")
    if "closed" in text:
        return _("A ring is not closed: its last position differs from its first.")
    if "LinearRing" in text:
        return _("A ring has fewer than 4 positions.")
    return _("The shape cannot be read ({reason}).", reason=places.shape_error(error))


# ---- texts in dBASE tables -----------------------------------------------------------------------------------------


def _text_encoding(path: Path, form: Format, asked: str | None, notes: list[str]) -> Encoding | None:
    """The encoding of a shapefile's texts; None for formats that say it themselves."""
    if form is Format.MAPINFO:
        return _mapinfo_encoding(path, asked)
    if form not in (Format.SHAPEFILE, Format.DBF):
        return None
    table = path if form is Format.DBF else _beside(path, ".dbf")
    sample = _dbf_texts(table) if table else b""
    if asked:
        return Encoding(encodings.known(asked), encodings.How.GIVEN)
    declared = _declared(path)
    if declared and encodings.fits(sample, declared.name):
        likely = encodings.guess(sample).name
        if declared.name in ("ISO-8859-1", "Windows-1252") and likely in ("GBK", "Big5", "GB18030"):
            notes.append(
                _(
                    "The texts are read as {declared}, as the file says, but look like {likely}. {remedy}",
                    declared=declared.name,
                    likely=likely,
                    remedy=remedies.say_encoding(likely),
                )
            )
        return declared
    encoding = encodings.guess(sample)
    if declared:
        notes.append(
            _(
                "The file says its texts are {declared}, but they are not; they were read as {found}.",
                declared=declared.name,
                found=encoding.name,
            )
        )
    if encoding.name == "Windows-1252" and not encodings.fits(sample, "cp1252"):
        encoding = Encoding("ISO-8859-1", encoding.how)
    return encoding


def _mapinfo_encoding(path: Path, asked: str | None) -> Encoding | None:
    """The encoding of a MapInfo layer; None where its header names one, which GDAL follows."""
    if asked:
        return Encoding(encodings.known(asked), encodings.How.GIVEN)
    header = path.read_bytes()[:2000]
    if re.search(rb'charset\s+"(?!neutral)\w+"', header, re.IGNORECASE):
        return None
    table = _beside(path, ".dat")
    texts = _dbf_texts(table) if table else b""
    if path.suffix.lower() == ".mif" and (table := _beside(path, ".mid")):
        texts = table.read_bytes()[: 1 << 20]
    return encodings.guess(header + texts)


def _beside(path: Path, suffix: str) -> Path | None:
    wanted = (path.stem + suffix).lower()
    return next((other for other in path.parent.iterdir() if other.name.lower() == wanted), None)


def _declared(path: Path) -> Encoding | None:
    page = _beside(path, ".cpg")
    if not page:
        return None
    try:
        return Encoding(encodings.known(page.read_text("ascii", errors="replace")[:40]), encodings.How.DECLARED)
    except Invalid:
        return None


def _dbf_texts(path: Path) -> bytes:
    """Names and text cells of a dBASE table that are not ASCII, a line each, at most a megabyte.

    Source: dBASE III header: records and lengths at byte 4, field descriptors of 32 bytes from byte 32 to 0x0D.
    """
    with path.open("rb") as file:
        header = file.read(32)
        if len(header) < 32:
            return b""
        count = int.from_bytes(header[4:8], "little")
        start, width = int.from_bytes(header[8:10], "little"), int.from_bytes(header[10:12], "little")
        fields, at = [], 1
        texts: list[bytes] = []
        while len(descriptor := file.read(32)) == 32 and descriptor[0] != 0x0D:
            texts.append(descriptor[:11].split(b"\0")[0])
            if descriptor[11:12] == b"C":
                length = descriptor[16] + 256 * descriptor[17]
                fields.append((at, at + length))
                at += length
            else:
                at += descriptor[16]
        file.seek(start)
        size = 0
        for _record in range(count):
            record = file.read(width)
            if len(record) < width or not width:
                break
            if record.isascii():
                continue
            for begin, end in fields:
                cell = record[begin:end].rstrip(b" \0")
                if not cell.isascii():
                    texts.append(cell)
                    size += len(cell)
            if size > 1 << 19:
                break
    return b"\n".join(text for text in texts if not text.isascii())


# ---- GeoParquet ----------------------------------------------------------------------------------------------------


def read_parquet(path: Path) -> Content:
    """A Parquet file: GeoParquet, or a table with shapes as WKB or WKT in a column of a usual name, or a plain one.

    Raises
    ------
    Invalid
        The file is damaged.
    """
    import geopandas as gpd
    import pyarrow as pa
    import pyarrow.parquet as pq

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            metadata = pq.read_schema(path).metadata or {}
            if b"geo" in metadata:
                read = gpd.read_parquet(path, to_pandas_kwargs={"integer_object_nulls": True})
                geometry = read.geometry.name
                geometries, crs = np.asarray(read.geometry.array, dtype=object), read.crs
                frame = _plain(read.drop(columns=geometry))
                datum = metadata.get(DATUM_KEY, b"").decode()
                return Content(frame, _counted(len(frame)), geometries, crs=crs, datum_name=datum)
            frame = _plain(pq.read_table(path).to_pandas(integer_object_nulls=True))
        except MemoryError:
            raise
        except (
            pa.ArrowException,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OSError,
            shapely.errors.GEOSException,
        ) as error:
            raise Invalid(
                _(
                    "“{name}” cannot be read ({reason}). Export it anew, best as GeoPackage.",
                    name=path.name,
                    reason=str(error).splitlines()[0][:200],
                )
            ) from error
    for name in ("geometry", "geom", "wkb_geometry", "wkb", "WKB"):
        if name in frame and frame[name].map(lambda cell: cell is None or isinstance(cell, bytes)).all():
            shapes, faults = from_wkb(frame[name].to_numpy(dtype=object))
            return Content(frame.drop(columns=name), _counted(len(frame)), shapes, faults=faults)
    return Content(frame, _counted(len(frame)))


def _plain(frame: Any) -> pd.DataFrame:
    """The frame with named indexes as columns, and nested values as they are."""
    import pandas as pd

    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return pd.DataFrame(frame.reset_index(level=named) if named else frame).reset_index(drop=True)
