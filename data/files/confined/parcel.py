"""What a confined reader hands back, as plain arrays and JSON in one file.

Whoever reads a stranger's file may have been taken over by it, so nothing that it writes is believed to be more than
numbers and texts: there is no pickle, arrays are checked before they are used, and only the record types that the one
who asks names are made again. A parcel is a row of Arrow streams, then a JSON tree that refers to them, then its size.

A column of cells of several types, as spreadsheets have them, is a column of marks with texts and numbers beside it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = "$"
_TAIL_BYTES = 16
_MANY = 50
"""From how many records on they are written field by field."""


class Malformed(ValueError):
    """It is no parcel."""


class TooLarge(ValueError):
    """What is to be handed back is larger than it may be."""


_EPOCH, _MICROSECOND = datetime(1970, 1, 1), timedelta(microseconds=1)  # noqa: DTZ001 - of clock times without a zone
_FIRST, _LAST = ((day - _EPOCH) // _MICROSECOND for day in (datetime.min, datetime.max))  # noqa: DTZ901


class _Mark(IntEnum):
    """What type a cell has."""

    NOTHING = 0
    NAN = 1
    TEXT = 2
    INTEGER = 3
    NUMBER = 4
    YES = 5
    NO = 6
    JSON = 7
    MOMENT = 8


def write(path: Path, value: Any, most_bytes: int) -> None:
    """Write a value to a file.

    Parameters
    ----------
    value
        Plain values, lists, mappings by text, numpy arrays, frames, and dataclasses of these.

    Raises
    ------
    TooLarge
    """
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file:
        tree = json.dumps(_Writer(file, most_bytes).tree(value)).encode()
        if file.tell() + len(tree) > most_bytes:
            raise TooLarge
        file.write(tree)
        file.write(len(tree).to_bytes(_TAIL_BYTES, "little"))


def read(path: Path, kinds: Iterable[type]) -> Any:
    """Read what ``write`` wrote.

    Parameters
    ----------
    kinds
        The dataclasses that may be in it.

    Raises
    ------
    Malformed
    """
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            content = source.read_buffer()
        size = int.from_bytes(bytes(content[len(content) - _TAIL_BYTES :]), "little")
        start = len(content) - _TAIL_BYTES - size
        if len(content) < _TAIL_BYTES or start < 0:
            raise Malformed
        tree = json.loads(bytes(content[start : start + size]))
        return _Reader(content, {kind.__name__: kind for kind in kinds}).value(tree)
    except (
        pa.ArrowException,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
        OSError,
    ) as error:
        raise Malformed from error


class _Writer:
    def __init__(self, file: pa.NativeFile, most_bytes: int) -> None:
        self._file = file
        self._most = most_bytes

    def tree(self, value: Any) -> Any:
        """The value as JSON, its arrays written to the file."""
        if value is None or type(value) in (str, int, float, bool):
            return _sound(value) if isinstance(value, str) else value
        if isinstance(value, Enum):
            return self.tree(value.value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if is_dataclass(value) and not isinstance(value, type):
            said = {one.name: self.tree(getattr(value, one.name)) for one in fields(value)}
            return {_KEY: "record", "type": type(value).__name__, "v": said}
        if isinstance(value, Mapping):
            return {_KEY: "map", "v": [[self.tree(key), self.tree(cell)] for key, cell in value.items()]}
        if (
            isinstance(value, list)
            and len(value) >= _MANY
            and is_dataclass(value[0])
            and len(set(map(type, value))) == 1
        ):
            return self._records(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.tree(cell) for cell in value]
        if hasattr(value, "iloc"):
            return self._frame(value)
        return _scalar(value)

    def _records(self, values: list[Any]) -> dict[str, Any]:
        """Many of one kind, field by field; a field of rows with the same columns, column by column."""
        columns: dict[str, dict[str, Any]] = {}
        for one in fields(values[0]):
            cells = [getattr(value, one.name) for value in values]
            names = [list(cell) if isinstance(cell, Mapping) else None for cell in cells]
            if names[0] and names.count(names[0]) == len(names):
                rows = {str(name): self._cells([cell[name] for cell in cells]) for name in names[0]}
                columns[one.name] = {"rows": rows}
            else:
                columns[one.name] = {"cells": self._cells([self._enumless(cell) for cell in cells])}
        return {_KEY: "records", "type": type(values[0]).__name__, "v": columns}

    def _enumless(self, cell: Any) -> Any:
        return cell.value if isinstance(cell, Enum) else cell

    def _array(self, values: NDArray[Any]) -> dict[str, Any]:
        import pyarrow as pa

        if values.ndim != 1 or values.dtype.kind not in "biufM":
            return {_KEY: "cells", "v": self._cells(values.ravel().tolist())}
        return {_KEY: "array", "dtype": values.dtype.str, "at": self._stream({"v": pa.array(values)})}

    def _frame(self, frame: Any) -> dict[str, Any]:
        """A frame; its shapes as WKB, columns of numbers and of texts as they are, others cell by cell."""
        import pyarrow as pa
        import shapely

        geometry = getattr(frame, "_geometry_column_name", None)
        columns: list[dict[str, Any]] = []
        for name, column in frame.items():
            described: dict[str, Any] = {"name": _sound(str(name))}
            if name == geometry:
                shapes = pa.array(shapely.to_wkb(np.asarray(column.array, dtype=object)), pa.large_binary())
                described |= {"as": "shapes", "at": self._stream({"v": shapes})}
            elif isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM":
                described |= {"as": "array", "v": self._array(column.to_numpy())}
            else:
                texts = str(column.dtype) == "str"
                cells = column.astype(object).tolist()
                described |= {"as": "texts" if texts else "cells", "v": self._cells(cells)}
            columns.append(described)
        return {_KEY: "frame", "rows": len(frame), "geometry": geometry, "columns": columns}

    def _cells(self, cells: list[Any]) -> dict[str, Any]:
        import pyarrow as pa

        kinds = set(map(type, cells))
        if kinds <= {str, type(None)}:
            return {"as": "texts", "at": self._stream({"v": _texts(cells)})}
        marks = np.zeros(len(cells), dtype=np.uint8)
        texts: list[str | None] = [None] * len(cells)
        integers = np.zeros(len(cells), dtype=np.int64)
        numbers = np.zeros(len(cells), dtype=np.float64)
        for place, cell in enumerate(cells):
            kind = type(cell)
            if cell is None:
                continue
            if kind is str:
                marks[place], texts[place] = _Mark.TEXT, cell
            elif kind is bool:
                marks[place] = _Mark.YES if cell else _Mark.NO
            elif kind is int and -(2**63) <= cell < 2**63:
                marks[place], integers[place] = _Mark.INTEGER, cell
            elif kind is datetime and cell.tzinfo is None and not cell.fold:
                marks[place], integers[place] = _Mark.MOMENT, (cell - _EPOCH) // _MICROSECOND
            elif kind is float:
                marks[place], numbers[place] = (_Mark.NAN if cell != cell else _Mark.NUMBER), cell
            else:
                marks[place], texts[place] = _Mark.JSON, json.dumps(self.tree(cell))
        streams = {"marks": pa.array(marks), "texts": _texts(texts)}
        streams |= {"integers": pa.array(integers), "numbers": pa.array(numbers)}
        return {"as": "marked", "at": self._stream(streams)}

    def _stream(self, columns: dict[str, pa.Array]) -> list[int]:
        """Write arrays of equal length; where they are."""
        import pyarrow as pa

        table = pa.Table.from_arrays(list(columns.values()), names=list(columns))
        start = self._file.tell()
        if start + table.nbytes > self._most:
            raise TooLarge
        with pa.ipc.new_stream(self._file, table.schema) as stream:
            stream.write_table(table)
        return [start, self._file.tell() - start]


class _Reader:
    def __init__(self, content: pa.Buffer, kinds: dict[str, type]) -> None:
        self._content = content
        self._kinds = kinds
        self._makers = {
            "record": self._record,
            "records": self._records,
            "map": self._map,
            "array": self._array,
            "cells": self._listed,
            "frame": self._frame,
            **_SCALARS,
        }

    def value(self, tree: Any) -> Any:
        """The value that a tree stands for."""
        if isinstance(tree, list):
            return [self.value(one) for one in tree]
        return self._makers[tree[_KEY]](tree) if isinstance(tree, dict) else tree

    def _record(self, tree: dict[str, Any]) -> Any:
        return self._kinds[tree["type"]](**{name: self.value(one) for name, one in tree["v"].items()})

    def _records(self, tree: dict[str, Any]) -> list[Any]:
        import pandas as pd

        from data.files.contents import Rows

        columns: dict[str, Any] = {}
        for name, said in tree["v"].items():
            if "rows" in said:
                frame = pd.DataFrame(
                    {key: pd.Series(self._cells(one), dtype=object) for key, one in said["rows"].items()}
                )
                columns[name] = Rows(frame, list(frame.columns))
            else:
                columns[name] = self._cells(said["cells"]).tolist()
        kind = self._kinds[tree["type"]]
        count = len(next(iter(columns.values())))
        return [kind(**{name: column[place] for name, column in columns.items()}) for place in range(count)]

    def _map(self, tree: dict[str, Any]) -> dict[Any, Any]:
        return {self.value(key): self.value(one) for key, one in tree["v"]}

    def _array(self, tree: dict[str, Any]) -> NDArray[Any]:
        dtype = np.dtype(tree["dtype"])
        if dtype.kind not in "biufM":
            raise Malformed
        values = self._streamed(tree["at"])["v"].to_numpy(zero_copy_only=False)
        return np.array(values, dtype=dtype)

    def _listed(self, tree: dict[str, Any]) -> NDArray[np.object_]:
        return self._cells(tree["v"])

    def _frame(self, tree: dict[str, Any]) -> Any:
        import geopandas as gpd
        import pandas as pd

        count, geometry = int(tree["rows"]), tree["geometry"]
        columns = {str(one["name"]): self._column(one) for one in tree["columns"]}
        if any(len(column) != count for column in columns.values()):
            raise Malformed
        frame = pd.DataFrame(columns, index=range(count))
        return frame if geometry is None else gpd.GeoDataFrame(frame, geometry=str(geometry), crs="EPSG:4326")

    def _column(self, tree: dict[str, Any]) -> Any:
        import pandas as pd
        import shapely

        if tree["as"] == "shapes":
            import geopandas as gpd

            wkb = self._streamed(tree["at"])["v"].to_numpy(zero_copy_only=False)
            return gpd.GeoSeries(shapely.from_wkb(wkb), crs="EPSG:4326")
        if tree["as"] == "array":
            return pd.Series(self._array(tree["v"]))
        return pd.Series(self._cells(tree["v"]), dtype="str" if tree["as"] == "texts" else object)

    def _cells(self, tree: dict[str, Any]) -> NDArray[np.object_]:
        streams = self._streamed(tree["at"])
        if tree["as"] == "texts":
            return np.asarray(streams["v"].to_numpy(zero_copy_only=False), dtype=object)
        marks = streams["marks"].to_numpy()
        cells = np.full(len(marks), None, dtype=object)
        for mark, column in ((_Mark.TEXT, "texts"), (_Mark.INTEGER, "integers"), (_Mark.NUMBER, "numbers")):
            at = np.flatnonzero(marks == mark)
            cells[at] = streams[column].take(at).to_pylist()
        cells[marks == _Mark.NAN], cells[marks == _Mark.YES], cells[marks == _Mark.NO] = float("nan"), True, False
        moments = np.flatnonzero(marks == _Mark.MOMENT)
        counted = streams["integers"].take(moments).to_numpy()
        if len(counted) and not (counted.min() >= _FIRST and counted.max() <= _LAST):
            raise Malformed
        cells[moments] = counted.astype("datetime64[us]").astype(object)
        others = np.flatnonzero(marks == _Mark.JSON)
        for place, text in zip(others, streams["texts"].take(others).to_pylist(), strict=True):
            cells[place] = self.value(json.loads(text))
        return cells

    def _streamed(self, at: list[int]) -> dict[str, Any]:
        """The arrays of a stream, each in one piece, after they were checked."""
        import pyarrow as pa

        start, size = at
        if start < 0 or size < 0 or start + size > len(self._content):
            raise Malformed
        with pa.ipc.open_stream(self._content[start : start + size]) as stream:
            table = stream.read_all()
        table.validate(full=True)
        if any(pa.types.is_nested(kind) or pa.types.is_dictionary(kind) for kind in table.schema.types):
            raise Malformed
        return {name: table[name].combine_chunks() for name in table.column_names}


def _scalar(value: Any) -> dict[str, Any]:
    """A value that JSON does not have, by the name of its kind."""
    import pandas as pd

    if value is pd.NaT:
        return {_KEY: "nat"}
    if value is pd.NA:
        return {_KEY: "na"}
    if isinstance(value, pd.Timestamp):
        return {_KEY: "timestamp", "v": value.isoformat()}
    if isinstance(value, pd.Timedelta):
        return {_KEY: "span", "v": value.value / 1e9}
    for kind, name in ((datetime, "datetime"), (date, "date"), (time, "time")):
        if isinstance(value, kind):
            return {_KEY: name, "v": value.isoformat()}
    if isinstance(value, timedelta):
        return {_KEY: "duration", "v": value.total_seconds()}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {_KEY: "bytes", "v": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, Decimal):
        return {_KEY: "decimal", "v": str(value)}
    if isinstance(value, np.generic):
        plain = value.item()
        return _plain(plain) if type(plain) in (str, int, float, bool, type(None)) else _scalar(plain)
    if isinstance(value, (bool, int, float)):
        return _plain(value)
    return _plain(_sound(str(value)))


def _plain(value: Any) -> dict[str, Any]:
    return {_KEY: "plain", "v": value}


def _sound(text: str) -> str:
    """Text without halves of characters, which no file can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _texts(cells: list[str | None]) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(cells, pa.large_string())
    except UnicodeEncodeError:
        return pa.array([None if cell is None else _sound(cell) for cell in cells], pa.large_string())


def _not_a_time(_tree: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.NaT


def _not_available(_tree: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.NA


def _timestamp(tree: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.Timestamp(str(tree["v"]))


def _span(tree: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.Timedelta(float(tree["v"]), unit="s")


def _same(tree: dict[str, Any]) -> Any:
    if isinstance(tree["v"], (dict, list)):
        raise Malformed
    return tree["v"]


_SCALARS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "plain": _same,
    "nat": _not_a_time,
    "na": _not_available,
    "timestamp": _timestamp,
    "span": _span,
    "datetime": lambda tree: datetime.fromisoformat(tree["v"]),
    "date": lambda tree: date.fromisoformat(tree["v"]),
    "time": lambda tree: time.fromisoformat(tree["v"]),
    "duration": lambda tree: timedelta(seconds=float(tree["v"])),
    "bytes": lambda tree: base64.b64decode(tree["v"]),
    "decimal": lambda tree: Decimal(str(tree["v"])),
}
