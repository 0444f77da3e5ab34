"""Layers, written through Arrow: GeoPackage, FlatGeobuf, KML and GeoParquet.

GDAL draws the batches from the spool one by one, so memory stays flat whatever the size.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import shapely

from data.base.errors import Invalid
from data.base.language import _
from data.files import remedies
from data.files.spooling import GEOMETRY, INSTANT, Spool, System
from data.files.texts import geometries_of, written
from data.files.vectors import DATUM_KEY
from spatial.shapes import as_multi


def geopackage(path: Path, spool: Spool, target: System, layer_name: str) -> None:
    """Write a GeoPackage of one layer. Version 1.3, which every GDAL since 3.3 reads without remarks."""
    name = layer_name + target.suffix
    facts = {"DESCRIPTION": _datum_remark(target)} if target.suffix else None
    with _quietly():
        _pyogrio(
            path, spool, target, driver="GPKG", layer=name, layer_metadata=facts, dataset_options={"VERSION": "1.3"}
        )


def flatgeobuf(path: Path, spool: Spool, target: System, layer_name: str) -> None:
    """Write a FlatGeobuf file; with a spatial index, which needs every row to have a shape."""
    index = "YES" if spool.placed == spool.count and spool.count else "NO"
    with _quietly():
        _pyogrio(
            path,
            spool,
            target,
            driver="FlatGeobuf",
            layer=layer_name + target.suffix,
            layer_options={"SPATIAL_INDEX": index},
        )


def kml(path: Path, spool: Spool, target: System, layer_name: str, zone: ZoneInfo) -> None:
    """Write a KML document; a column ``name`` becomes the name of the placemarks.

    Raises
    ------
    Invalid
        The target is not in degrees on WGS 84 (or on an offset datum, which the layer's name then tells).
    """
    if target.crs is not None and target.name != "EPSG:4326":
        raise Invalid(_("KML holds longitude and latitude only. {remedy}", remedy=remedies.leave_system()))
    options = {"NameField": "name"} if "name" in spool.schema.names else None

    def as_text(batch: pa.RecordBatch) -> pa.RecordBatch:
        return textual(batch, zone)

    with _quietly():
        _pyogrio(
            path,
            spool,
            target,
            driver="KML",
            layer=layer_name + target.suffix,
            dataset_options=options,
            change=as_text,
            crs="EPSG:4326",
        )


def parquet(target: BinaryIO, spool: Spool, system: System) -> None:
    """Write a GeoParquet file, a row group a chunk.

    Source: GeoParquet 1.0.0 (``geo`` metadata; ``crs`` null means unknown).
    """
    import pyarrow.parquet as pq

    schema = pa.schema(
        [pa.field("geometry" if field.name == GEOMETRY else field.name, field.type) for field in spool.schema]
    )
    facts = {b"geo": json.dumps(_geo(spool, system)).encode()} if spool.has_geometry else {}
    if system.suffix:
        facts[DATUM_KEY] = system.name.encode()
    with pq.ParquetWriter(target, schema.with_metadata(facts), compression="zstd") as writer:
        for batch in spool.batches():
            writer.write_batch(pa.RecordBatch.from_arrays(_promoted(batch, spool.geometry_type).columns, schema=schema))


def _geo(spool: Spool, system: System) -> dict[str, Any]:
    types = [] if spool.geometry_type == "Unknown" else [spool.geometry_type]
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": types,
        "crs": system.crs.to_json_dict() if system.crs is not None else None,
    }
    if spool.bounds:
        column["bbox"] = list(spool.bounds)
    return {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": column}}


def textual(batch: pa.RecordBatch, zone: ZoneInfo, *, whole: type[str] | type[int] = str) -> pa.RecordBatch:
    """A batch for formats without instants and truth values: these as text (or 0 and 1)."""
    arrays, fields = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.type == INSTANT:
            cells = [None if cell is None else written(cell, zone) for cell in column.to_pylist()]
            field, column = pa.field(field.name, pa.string()), pa.array(cells, pa.string())
        elif field.type == pa.bool_():
            wanted = pa.int64() if whole is int else pa.string()
            field, column = pa.field(field.name, wanted), column.cast(wanted)
        fields.append(field)
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _promoted(batch: pa.RecordBatch, geometry_type: str) -> pa.RecordBatch:
    """The batch with shapes made multi-part where the layer's type is."""
    if not geometry_type.startswith("Multi"):
        return batch
    shapes = pa.array(shapely.to_wkb(as_multi(geometries_of(batch))), pa.binary())
    return pa.RecordBatch.from_arrays([*batch.columns[:-1], shapes], schema=batch.schema)


def _pyogrio(
    path: Path,
    spool: Spool,
    target: System,
    *,
    change: Callable[[pa.RecordBatch], pa.RecordBatch] = lambda batch: batch,
    crs: str | None = None,
    **options: Any,
) -> None:
    """Let GDAL draw the batches. What goes wrong in one is raised as it is, not as GDAL's remark on it."""
    import pyogrio

    kind = spool.geometry_type
    schema = change(pa.RecordBatch.from_pylist([], schema=spool.schema)).schema
    wrong: list[Exception] = []

    def drawn() -> Iterator[pa.RecordBatch]:
        try:
            for batch in spool.batches():
                yield change(_promoted(batch, kind) if spool.has_geometry else batch)
        except Exception as error:
            wrong.append(error)
            raise

    if spool.has_geometry:
        known = crs or (target.crs.to_wkt() if target.crs is not None else None)
        options |= {"geometry_name": GEOMETRY, "geometry_type": kind, "crs": known}
    try:
        pyogrio.write_arrow(pa.RecordBatchReader.from_batches(schema, drawn()), path, **options)
    except RuntimeError as error:
        raise (wrong[0] if wrong else error) from error


class _quietly(warnings.catch_warnings):  # noqa: N801 - reads as a verb
    """GDAL warns of what is meant here: no code for an offset datum."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")


def _datum_remark(target: System) -> str:
    return _("The coordinates are {datum}, not WGS 84.", datum=target.name)


def kinds_of(batch: pa.RecordBatch) -> Any:
    """For each row ``point``, ``line`` or ``area``, or an empty text without a shape."""
    names = np.array(["point", "line", "line", "area", "point", "line", "area", "area", ""], dtype=object)
    return names[shapely.get_type_id(geometries_of(batch))]
