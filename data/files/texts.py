"""GeoJSON and CSV, written row by row.

Source: RFC 7946 (GeoJSON: longitude first, rings by the right-hand rule), RFC 4180 (CSV). A cell of text that a
spreadsheet would take for a formula gets a quotation mark in front, which ``values.clean`` takes off again.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import shapely

from data.files.contents import Geometries
from data.files.places import WGS84
from data.files.spooling import GEOMETRY, Spool, System
from data.files.values import guarded


def geometries_of(batch: pa.RecordBatch) -> Geometries:
    """The shapes of a batch."""
    return np.asarray(shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False)), dtype=object)


def attributes_of(batch: pa.RecordBatch) -> tuple[list[str], list[list[Any]]]:
    """The names and the cells of the other columns."""
    names = [name for name in batch.schema.names if name != GEOMETRY]
    return names, [batch.column(name).to_pylist() for name in names]


def rows_of(cells: list[list[Any]], count: int) -> Iterator[tuple[Any, ...]]:
    """The cells of columns, row by row; without columns as many empty rows."""
    return zip(*cells, strict=True) if cells else iter([()] * count)


# ---- GeoJSON -------------------------------------------------------------------------------------------------------


def geojson(spool: Spool, target: System, layer_name: str, zone: ZoneInfo) -> Iterator[str]:
    """A FeatureCollection, feature by feature."""
    head: dict[str, Any] = {"type": "FeatureCollection", "name": layer_name + target.suffix}
    if target.crs is None:
        head["coordinate_system"] = target.name
    elif target.name != "EPSG:4326":
        # What RFC 7946 took out and everybody still reads.
        code = target.name.replace(":", "::")
        head["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{code}"}}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "features": [\n'
    separator = ""
    for batch in spool.batches():
        names, cells = attributes_of(batch)
        shapes = _shapes(batch) if spool.has_geometry else ["null"] * batch.num_rows
        lines = []
        for shape, row in zip(shapes, rows_of(cells, batch.num_rows), strict=True):
            properties = json.dumps(
                dict(zip(names, row, strict=True)), ensure_ascii=False, default=lambda cell: written(cell, zone)
            )
            lines.append(f'{{"type": "Feature", "properties": {properties}, "geometry": {shape}}}')
        if lines:
            yield separator + ",\n".join(lines)
            separator = ",\n"
    yield "\n]}\n"


def _shapes(batch: pa.RecordBatch) -> list[str]:
    geometries = shapely.orient_polygons(geometries_of(batch))
    return [text or "null" for text in shapely.to_geojson(geometries).tolist()]


def written(cell: Any, zone: ZoneInfo) -> str:
    """A day or an instant as text; instants in the zone people live in."""
    if isinstance(cell, datetime):
        local = cell.astimezone(zone)
        return local.isoformat(sep="T", timespec="milliseconds" if local.microsecond else "seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


# ---- CSV -----------------------------------------------------------------------------------------------------------


def place_names(spool: Spool, target: System, taken: list[str], called: Mapping[str, str]) -> list[str]:
    """The headings of the columns that hold the shapes: two for points, one for anything else, none without.

    ``called`` has other words for ``lon``, ``lat``, ``x``, ``y`` and ``wkt``. A table says in nothing but its headings
    what its coordinates are in, so they name it: ``lon_gcj02``, ``x (EPSG:4549)``.
    """
    if not spool.has_geometry:
        return []
    tag = "" if target.name == WGS84 else f" ({target.name})"
    if target.crs is None:
        tag = "_" + re.sub(r"\W", "", target.name).lower()
    pair = ["lon", "lat"] if target.geographic else ["x", "y"]
    wanted = pair if spool.geometry_type == "Point" or not spool.kinds else ["wkt"]
    return [_free(called.get(name, name) + tag, taken) for name in wanted]


def _free(name: str, taken: list[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def place_cells(spool: Spool, batch: pa.RecordBatch, *, pair: bool) -> list[list[Any]]:
    """The cells of the columns that hold the shapes."""
    if not spool.has_geometry:
        return []
    geometries = geometries_of(batch)
    if not pair:
        return [shapely.to_wkt(geometries, rounding_precision=-1).tolist()]
    missing = shapely.is_missing(geometries)
    axes = (shapely.get_x(geometries), shapely.get_y(geometries))
    return [[None if gone else float(number) for number, gone in zip(axis, missing, strict=True)] for axis in axes]


def comma_separated(spool: Spool, target: System, zone: ZoneInfo, called: Mapping[str, str]) -> Iterator[str]:
    """A CSV table with a heading; UTF-8 with the mark that makes spreadsheets read it as such."""
    names = [name for name in spool.schema.names if name != GEOMETRY]
    places = place_names(spool, target, names, called)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield "\ufeff"
    writer.writerow([guarded(name) for name in [*names, *places]])
    for batch in spool.batches():
        cells = attributes_of(batch)[1] + place_cells(spool, batch, pair=len(places) == 2)
        for row in rows_of(cells, batch.num_rows):
            writer.writerow([_cell(cell, zone) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(cell: Any, zone: ZoneInfo) -> Any:
    if isinstance(cell, str):
        return guarded(cell)
    if isinstance(cell, float):
        # Counts with gaps come as 150.0.
        return int(cell) if cell.is_integer() and abs(cell) < 1e15 else cell
    if cell is None or isinstance(cell, (bool, int)):
        return "" if cell is None else cell
    return written(cell, zone)
