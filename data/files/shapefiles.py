"""Shapefiles, packed as ZIP: UTF-8 with its code page, names of at most ten bytes by a stated rule.

The rule: a name that has at most ten bytes in UTF-8 stays (three Chinese characters have nine). A longer one is cut
after the last whole character that fits; where that is taken already (case does not count), it is cut further and a
number put behind, from 2 on. ``NAME.fields.txt`` in the archive lists what each was.

A shapefile holds one kind of shape, so points, lines and areas go to one each (``NAME_point`` …) where there are
several. Texts are cut at 254 bytes, and both is said.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import shapely

from data.base.language import _
from data.files import appearing
from data.files.layers import kinds_of, textual
from data.files.spooling import GEOMETRY, Spool, System
from data.files.texts import geometries_of
from data.files.unpacking import NAMES_SUFFIX
from spatial.shapes import as_multi

LONGEST_NAME = 10
LONGEST_TEXT = 254
_PART = re.compile(r"(?:_(?:point|line|area))?(?:\.fields)?\.\w+$")
"""What of a file's name in the archive tells which part it is."""
_TYPES = {"point": "Point", "line": "MultiLineString", "area": "MultiPolygon"}


def short_names(names: list[str]) -> dict[str, str]:
    """Names that fit a dBASE table.

    Returns
    -------
    dict
        Name → short name, unique whatever the case.

    Examples
    --------
    >>> short_names(["code", "household_count", "household_limit", "网格名称", "网格编码", "网格编码长"])
    {'code': 'code', 'household_count': 'household_', 'household_limit': 'household2', '网格名称': '网格名', \
'网格编码': '网格编', '网格编码长': '网格编2'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        short, number = cut(name, LONGEST_NAME), 2
        while short.casefold() in taken:
            short = cut(name, LONGEST_NAME - len(str(number))) + str(number)
            number += 1
        taken.add(short.casefold())
        found[name] = short
    return found


def cut(text: str, most: int) -> str:
    """The beginning of a text that has at most ``most`` bytes in UTF-8, cut between characters.

    >>> cut("网格名称", 10)
    '网格名'
    """
    return text.encode()[:most].decode(errors="ignore")


def write(
    target: BinaryIO, spool: Spool, system: System, layer_name: str, zone: ZoneInfo
) -> tuple[dict[str, str], list[str]]:
    """Write a zipped shapefile.

    Returns
    -------
    tuple
        Name → short name of the columns, and what had to be cut or split.
    """
    names = short_names([name for name in spool.schema.names if name != GEOMETRY])
    notes: list[str] = []
    with tempfile.TemporaryDirectory(prefix="wangge-") as folder:
        room = Path(folder)
        cuts = _write_parts(room, spool, system, _file_name(layer_name + system.suffix), names, zone)
        files = sorted(room.iterdir())
        count = sum(file.suffix in (".shp",) for file in files)
        if count > 1:
            notes.append(_("Points, lines and areas are in {count} shapefiles.", count=count))
        for name, count in cuts.items():
            notes.append(
                _(
                    "{count} texts of “{name}” were cut at {most} bytes, which is all that a shapefile holds.",
                    count=count,
                    name=name,
                    most=LONGEST_TEXT,
                )
            )
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.name)
            if any(name != short for name, short in names.items()):
                listed = "".join(f"{short}\t{name}\r\n" for name, short in names.items())
                archive.writestr(_file_name(layer_name + system.suffix) + NAMES_SUFFIX, "\ufeff" + listed)
    return names, notes


def unpack(archive: BinaryIO, path: Path) -> list[Path]:
    """Put a written archive's files beside each other under another name: ``path`` and what belongs to it.

    The ``.shp`` comes last, so that nobody opens a shapefile that is not whole.

    Returns
    -------
    list of pathlib.Path
        The shapefiles: several where there are several kinds of shapes.
    """
    with zipfile.ZipFile(archive) as packed:
        found = []
        for name in sorted(packed.namelist(), key=lambda name: name.endswith((".shp", ".dbf"))):
            target = path.with_name(path.stem + "".join(_PART.findall(name)))
            with appearing.file(target) as file, packed.open(name) as content:
                shutil.copyfileobj(content, file)
            if target.suffix == ".shp":
                found.append(target)
    return found


def _file_name(name: str) -> str:
    return "".join("_" if character in '\\/:*?"<>|.\0' else character for character in name).strip() or "layer"


def _write_parts(
    room: Path, spool: Spool, system: System, stem: str, names: dict[str, str], zone: ZoneInfo
) -> Counter[str]:
    families = [
        kind for kind, ids in (("point", {0, 4}), ("line", {1, 2, 5}), ("area", {3, 6, 7})) if spool.kinds & ids
    ]
    usual = families[0] if families else "point"
    begun: set[str] = set()
    cuts: Counter[str] = Counter()
    for batch in spool.batches():
        batch = _trimmed(textual(batch, zone, whole=int), names, cuts)
        if not spool.has_geometry:
            _append(room / f"{stem}.dbf", batch, None, None, again=bool(begun))
            begun.add("")
            continue
        # Rows without a shape go with the first kind.
        kinds = np.where(kinds_of(batch) == "", usual, kinds_of(batch))
        for kind in families or [usual]:
            part = batch.filter(pa.array(kinds == kind))
            if part.num_rows or kind not in begun:
                path = room / f"{stem}{f'_{kind}' if len(families) > 1 else ''}.shp"
                _append(path, part, system, _shape_type(spool, kind), again=kind in begun)
                begun.add(kind)
    return cuts


def _shape_type(spool: Spool, kind: str) -> str:
    return "MultiPoint" if kind == "point" and 4 in spool.kinds else _TYPES[kind]


def _trimmed(batch: pa.RecordBatch, names: dict[str, str], cuts: Counter[str]) -> pa.RecordBatch:
    """The batch under its short names, long texts cut; how many of each column is added to ``cuts``."""
    arrays = []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.type == pa.string():
            cells = column.to_pylist()
            long = [position for position, cell in enumerate(cells) if cell and len(cell.encode()) > LONGEST_TEXT]
            if long:
                cuts[field.name] += len(long)
            for position in long:
                cells[position] = cut(cells[position], LONGEST_TEXT)
            column = pa.array(cells, pa.string()) if long else column
        arrays.append(column)
    schema = pa.schema([field.with_name(names.get(field.name, field.name)) for field in batch.schema])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _append(path: Path, batch: pa.RecordBatch, system: System | None, kind: str | None, *, again: bool) -> None:
    import warnings

    import pyogrio

    options = {}
    if kind:
        geometries = geometries_of(batch)
        if kind.startswith("Multi"):
            geometries = as_multi(geometries)
        shapes = pa.array(shapely.to_wkb(geometries), pa.binary())
        batch = pa.RecordBatch.from_arrays([*batch.columns[:-1], shapes], schema=batch.schema)
        crs = system.crs.to_wkt() if system and system.crs is not None else None
        options = {"geometry_name": GEOMETRY, "geometry_type": kind, "crs": crs}
    with warnings.catch_warnings():
        # GDAL remarks that an offset datum has no code, and that it widens a column.
        warnings.simplefilter("ignore")
        pyogrio.write_arrow(
            pa.RecordBatchReader.from_batches(batch.schema, [batch]),
            path,
            driver="ESRI Shapefile",
            encoding="UTF-8",
            append=again,
            **options,
        )
