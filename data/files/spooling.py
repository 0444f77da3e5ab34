"""Chunks of rows, normalized and kept on disk until all are known.

What a file needs to know before its first row (which kinds of shapes there are, which type a column has, whether every
row has a place) only the last row tells. So the rows wait in a temporary file, as Arrow batches: memory stays flat, and
no later chunk can contradict an earlier one.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from data.base import texts
from data.base.errors import Invalid
from data.base.language import _
from data.files import places
from data.files.contents import Geometries
from spatial import datums

if TYPE_CHECKING:
    import pandas as pd

GEOMETRY = "\0geometry"
"""The column of shapes in a batch, as WKB; no column of a frame is called so."""
INSTANT = pa.timestamp("us", "UTC")


class _Rank(IntEnum):
    """Types a column was seen to hold; two of them in one column make it the wider one, or text."""

    NOTHING = 0
    BOOLEAN = 1
    INTEGER = 2
    NUMBER = 3
    DAY = 4
    INSTANT = 5
    TEXT = 6


_ARROW = {
    _Rank.NOTHING: pa.string(),
    _Rank.BOOLEAN: pa.bool_(),
    _Rank.INTEGER: pa.int64(),
    _Rank.NUMBER: pa.float64(),
    _Rank.DAY: pa.date32(),
    _Rank.INSTANT: INSTANT,
    _Rank.TEXT: pa.string(),
}


_FAMILIES = {"Point": {0}, "MultiPoint": {0, 4}, "MultiLineString": {1, 2, 5}, "MultiPolygon": {3, 6}}
"""Types a file can have → the kinds (``shapely.GeometryType``) that are, or can be made, of it."""


@dataclass(frozen=True, slots=True)
class System:
    """The coordinate system a file is written in.

    Attributes
    ----------
    name
        ``EPSG:4326``, ``EPSG:4549``, ``GCJ-02``, ``BD-09``.
    crs
        None for the datums that have no code.
    geographic
        Whether the coordinates are degrees.
    """

    name: str
    crs: pyproj.CRS | None
    geographic: bool

    @property
    def suffix(self) -> str:
        """What goes behind a name so that a file tells its datum; empty where the file can say it properly."""
        return "" if self.crs is not None else f"_{self.name}"


def system(text: str) -> System:
    """What a person calls a coordinate system.

    Raises
    ------
    Invalid
        There is none of this name.
    """
    found = places.parse_crs(text)
    if isinstance(found, datums.Datum):
        if found is datums.Datum.WGS84:
            return System(places.WGS84, pyproj.CRS.from_epsg(4326), geographic=True)
        return System(str(found), None, geographic=True)
    code = found.to_epsg()
    return System(f"EPSG:{code}" if code else found.name, found, found.is_geographic)


class Spool:
    """Rows that wait on disk.

    Attributes
    ----------
    count, placed
        How many rows there are, and how many of them have a shape.
    kinds
        The kinds of shapes seen (``shapely.GeometryType``).
    has_geometry
        Whether the frames have a geometry column at all.
    bounds
        West, south, east, north of everything, in the target system; None without any shape.
    """

    def __init__(self, chunks: Iterable[pd.DataFrame], target: System) -> None:
        self.count = self.placed = 0
        self.kinds: set[int] = set()
        self.has_geometry = False
        self.bounds: tuple[float, float, float, float] | None = None
        self._target = target
        self._ranks: dict[str, _Rank] = {}
        self._file: BinaryIO = tempfile.TemporaryFile(prefix="wangge-")  # noqa: SIM115 - closed by close()
        self._batches = 0
        try:
            for chunk in chunks:
                self._add(chunk)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the rows."""
        self._file.close()

    @property
    def schema(self) -> pa.Schema:
        """The columns, and last the shapes if there are any."""
        fields = [pa.field(name, _ARROW[rank]) for name, rank in self._ranks.items()]
        if self.has_geometry:
            fields.append(pa.field(GEOMETRY, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}))
        return pa.schema(fields)

    @property
    def geometry_type(self) -> str:
        """The one type that all shapes are or can be made: ``Point``, ``MultiPolygon`` …, else ``Unknown``."""
        fitting = [name for name, family in _FAMILIES.items() if self.kinds and self.kinds <= family]
        return fitting[0] if fitting else "Unknown"

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows once more, all batches of :attr:`schema`."""
        schema = self.schema
        self._file.seek(0)
        for _number in range(self._batches):
            size = int.from_bytes(self._file.read(8), "little")
            with pa.ipc.open_stream(self._file.read(size)) as stream:
                yield _cast(stream.read_next_batch(), schema)

    def _add(self, chunk: pd.DataFrame) -> None:
        if len(chunk) == 0 and self._ranks:
            return
        geometries, attributes = self._geometries(chunk)
        names, arrays = [], []
        for name in attributes.columns:
            rank, array = _array(attributes[name])
            self._ranks[str(name)] = _wider(self._ranks.get(str(name), _Rank.NOTHING), rank)
            names.append(str(name))
            arrays.append(array)
        if geometries is not None:
            names.append(GEOMETRY)
            arrays.append(pa.array(shapely.to_wkb(geometries), pa.binary()))
        if not arrays:
            return
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        self._file.write(len(sink.getbuffer()).to_bytes(8, "little"))
        self._file.write(sink.getbuffer())
        self._batches += 1
        self.count += len(chunk)

    def _geometries(self, chunk: pd.DataFrame) -> tuple[Geometries | None, pd.DataFrame]:
        name = getattr(chunk, "_geometry_column_name", None)
        if name is None or name not in chunk.columns:
            return None, chunk
        crs = getattr(chunk, "crs", None)
        if crs is not None and crs.to_epsg() != 4326:
            raise ValueError("chunks must be in EPSG:4326")
        self.has_geometry = True
        geometries = np.asarray(chunk[name].array, dtype=object)
        if self._target.name != places.WGS84:
            geometries = moved(geometries, self._target)
        there = geometries[~shapely.is_missing(geometries)]
        self.placed += len(there)
        self.kinds |= {int(kind) for kind in np.unique(shapely.get_type_id(there))}
        if len(there):
            west, south, east, north = shapely.total_bounds(there).tolist()
            old = self.bounds or (west, south, east, north)
            self.bounds = min(old[0], west), min(old[1], south), max(old[2], east), max(old[3], north)
        return geometries, chunk.drop(columns=name)


def moved(geometries: Geometries, target: System) -> Geometries:
    """Shapes from EPSG:4326 in the target system.

    Raises
    ------
    Invalid
        The target cannot show them.
    """
    found = datums.reproject(geometries, places.WGS84, target.crs or datums.Datum(target.name))
    if not np.isfinite(shapely.get_coordinates(found)).all():
        raise Invalid(_("{crs} cannot show these places. Choose another coordinate system.", crs=target.name))
    return found


def _wider(first: _Rank, second: _Rank) -> _Rank:
    if first == second or second is _Rank.NOTHING:
        return first
    if first is _Rank.NOTHING:
        return second
    return _Rank.NUMBER if {first, second} == {_Rank.INTEGER, _Rank.NUMBER} else _Rank.TEXT


def _array(column: pd.Series) -> tuple[_Rank, pa.Array]:
    """A column as Arrow, and what it holds."""
    kind = column.dtype.kind
    if kind == "b":
        return _Rank.BOOLEAN, pa.array(column, pa.bool_(), from_pandas=True)
    if kind in "iu":
        return _Rank.INTEGER, pa.array(column, pa.int64(), from_pandas=True)
    if kind == "f":
        return _Rank.NUMBER, pa.array(column, pa.float64(), from_pandas=True)
    if kind == "M":
        if getattr(column.dtype, "tz", None) is None:
            raise _no_zone(column)
        return _Rank.INSTANT, pa.array(column, INSTANT, from_pandas=True)
    cells = [None if _is_null(cell) else cell for cell in column.tolist()]
    rank = _Rank.NOTHING
    for kind_of_cell in {type(cell) for cell in cells if cell is not None}:
        rank = _wider(rank, _rank(kind_of_cell))
    if rank is _Rank.TEXT:
        cells = [None if cell is None else _text(cell) for cell in cells]
    elif rank is _Rank.NUMBER:
        cells = [None if cell is None else float(cell) for cell in cells]
    elif rank is _Rank.INSTANT and any(cell is not None and cell.tzinfo is None for cell in cells):
        raise _no_zone(column)
    return rank, pa.array(cells, _ARROW[rank])


def _no_zone(column: pd.Series) -> ValueError:
    return ValueError(f"the times of {column.name!r} need a zone")


def _rank(kind: type) -> _Rank:
    for known, rank in (
        ((bool, np.bool_), _Rank.BOOLEAN),
        ((int, np.integer), _Rank.INTEGER),
        ((float, np.floating, Decimal), _Rank.NUMBER),
        ((datetime,), _Rank.INSTANT),
        ((date,), _Rank.DAY),
    ):
        if issubclass(kind, known):
            return rank
    return _Rank.TEXT


def _is_null(cell: Any) -> bool:
    if cell is None:
        return True
    if isinstance(cell, (str, list, dict, tuple, bytes)):
        return False
    return bool(cell != cell) if type(cell).__name__ != "NAType" else True


def _text(cell: Any) -> str:
    """A cell as text: several values one after the other, objects as JSON."""
    if isinstance(cell, str):
        return texts.clean(cell)
    if isinstance(cell, (list, tuple, set)):
        return "、".join(_text(part) for part in cell)
    if isinstance(cell, dict):
        return json.dumps(texts.cleaned(cell), ensure_ascii=False)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return texts.clean(str(cell))


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = []
    for field in schema:
        position = batch.schema.get_field_index(field.name)
        if position < 0:
            arrays.append(pa.nulls(batch.num_rows, field.type))
            continue
        column = batch.column(position)
        if column.type == field.type:
            arrays.append(column)
        elif field.type == pa.string():
            arrays.append(pa.array([None if cell is None else _text(cell) for cell in column.to_pylist()], pa.string()))
        else:
            arrays.append(column.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
