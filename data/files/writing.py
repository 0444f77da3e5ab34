"""Rows of a community, written as a file in any usual format (导出).

Chunks of frames in EPSG:4326 go in, one after the other, and memory stays flat. The file is in the coordinate system
that is asked for; an offset datum (GCJ-02, BD-09) has no code, so a file on one carries no system but says so in the
name of its layer or columns, where ``reading`` finds it again.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo

from data.base.errors import Invalid
from data.base.language import _
from data.files import appearing

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 1 << 20


class Format(StrEnum):
    """What can be written, by the name used in ``--format``."""

    GPKG = "gpkg"
    GEOJSON = "geojson"
    SHP = "shp"
    FGB = "fgb"
    KML = "kml"
    PARQUET = "parquet"
    CSV = "csv"
    XLSX = "xlsx"

    @property
    def suffix(self) -> str:
        """How a file name ends."""
        return ".zip" if self is Format.SHP else f".{self.value}"

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    Format.GPKG: "application/geopackage+sqlite3",
    Format.GEOJSON: "application/geo+json",
    Format.SHP: "application/zip",
    Format.FGB: "application/flatgeobuf",
    Format.KML: "application/vnd.google-earth.kml+xml",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes
    ----------
    rows
        How many.
    names
        For shapefiles: name of a column → its name in the file.
    notes
        Sentences on what a format could not hold.
    """

    rows: int
    names: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def parse_format(text: str) -> Format:
    """The format of this name.

    Raises
    ------
    Invalid
    """
    try:
        return Format(text.strip().lower().removeprefix("."))
    except ValueError as error:
        raise Invalid(
            _("There is no format “{format}”. There are: {formats}.", format=text, formats=", ".join(Format)),
            format=text,
        ) from error


def write(
    target: str | Path | BinaryIO,
    chunks: Iterable[pd.DataFrame],
    *,
    format: str,  # noqa: A002 - the word people use for it
    crs: str = "EPSG:4326",
    layer_name: str = "layer",
    timezone: str = "Asia/Shanghai",
    place_headings: Mapping[str, str] | None = None,
) -> Written:
    """Write a file.

    Parameters
    ----------
    target
        A path, which is written beside itself first and so is never half there; or a binary stream.
    chunks
        DataFrames, or GeoDataFrames in EPSG:4326, of the same columns. Days are ``date``, instants aware.
    format
        One of :class:`Format`: ``shp`` gives a ZIP archive.
    crs
        ``EPSG:4549``, ``GCJ-02``, ``BD-09`` …
    layer_name
        What the layer, sheet or document is called.
    timezone
        The zone of instants where the format keeps them as text or clock times (all but gpkg, fgb, parquet).
    place_headings
        In a table (csv, xlsx), other words for the headings ``lon``, ``lat``, ``x``, ``y`` and ``wkt``.

    Raises
    ------
    Invalid
        The format or the coordinate system is unknown, or one cannot hold the other.
    ValueError
        The chunks are in another coordinate system, or a time has no zone.
    """
    chosen = parse_format(format)
    if not isinstance(target, (str, Path)):
        return _write(target, chunks, chosen, crs, layer_name, ZoneInfo(timezone), place_headings or {})
    with appearing.file(Path(target)) as file:
        return _write(file, chunks, chosen, crs, layer_name, ZoneInfo(timezone), place_headings or {})


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """A written stream from its beginning in blocks, for HTTP; it is closed after the last one."""
    with file:
        file.seek(0)
        while block := file.read(_BLOCK):
            yield block


def _write(
    target: BinaryIO,
    chunks: Iterable[pd.DataFrame],
    chosen: Format,
    crs: str,
    layer_name: str,
    zone: ZoneInfo,
    called: Mapping[str, str],
) -> Written:
    from data.files import layers, shapefiles, spooling, texts, workbooks

    system = spooling.system(crs)
    names: dict[str, str] = {}
    notes: list[str] = []
    with spooling.Spool(chunks, system) as spool:
        if chosen is Format.GEOJSON:
            _encode(target, texts.geojson(spool, system, layer_name, zone))
        elif chosen is Format.CSV:
            _encode(target, texts.comma_separated(spool, system, zone, called))
        elif chosen is Format.XLSX:
            dropped = workbooks.write(target, spool, system, layer_name, zone, called)
            if dropped:
                notes.append(
                    _(
                        "{count} shapes or texts are longer than a cell of a spreadsheet can be, and were left out.",
                        count=dropped,
                    )
                )
        elif chosen is Format.PARQUET:
            layers.parquet(target, spool, system)
        elif chosen is Format.SHP:
            names, notes = shapefiles.write(target, spool, system, layer_name, zone)
        else:
            with tempfile.TemporaryDirectory(prefix="wangge-") as room:
                path = Path(room, f"file{chosen.suffix}")
                if chosen is Format.GPKG:
                    layers.geopackage(path, spool, system, layer_name)
                elif chosen is Format.FGB:
                    layers.flatgeobuf(path, spool, system, layer_name)
                else:
                    layers.kml(path, spool, system, layer_name, zone)
                with path.open("rb") as file:
                    shutil.copyfileobj(file, target, _BLOCK)
        return Written(spool.count, names, notes)


def _encode(target: BinaryIO, texts: Iterator[str]) -> None:
    for text in texts:
        target.write(text.encode())
