"""Which format a file has: its content decides, its name only helps where content cannot.

A `.json` may hold GeoJSON or records, a `.xls` is as often a text table or a web page, and a `.zip` may hold anything.
What cannot be read is named for what it is, with what to do about it.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from enum import StrEnum
from pathlib import Path

from data.base.errors import Invalid
from data.base.language import _
from data.files import encodings, esri_json, open311

_HEAD = 1 << 16


class Format(StrEnum):
    """What can be read, by its usual name."""

    GEOJSON = "GeoJSON"
    RECORDS = "JSON records"
    GEOPACKAGE = "GeoPackage"
    SHAPEFILE = "Shapefile"
    DBF = "dBASE table"
    FLATGEOBUF = "FlatGeobuf"
    PARQUET = "GeoParquet"
    KML = "KML"
    GPX = "GPX"
    OPEN311 = "Open311"
    DXF = "DXF"
    MAPINFO = "MapInfo"
    FILE_GEODATABASE = "File Geodatabase"
    ESRI_JSON = "Esri JSON"
    OSM = "OpenStreetMap"
    CSV = "CSV"
    XLSX = "XLSX"
    XLS = "Excel 97–2003 (.xls)"
    XLSB = "Excel binary (.xlsb)"
    ODS = "OpenDocument (.ods)"
    STRICT = "strict XLSX"
    XML_2003 = "Excel 2003 XML"
    ZIP = "ZIP"


SPREADSHEETS = (Format.XLSX, Format.XLS, Format.XLSB, Format.ODS, Format.STRICT, Format.XML_2003)
PARTS_OF_SHAPEFILE = (".shx", ".dbf", ".prj", ".cpg", ".qpj", ".sbn", ".sbx", ".qix", ".fix", ".shp.xml")
PARTS_OF_MAPINFO = (".dat", ".map", ".id", ".ind", ".mid")
_TABLE_SUFFIXES = {".csv", ".tsv", ".tab", ".txt", ".psv"}
ROOTS = {
    "kml": Format.KML,
    "gpx": Format.GPX,
    "osm": Format.OSM,
    "service_requests": Format.OPEN311,
    "Workbook": Format.XML_2003,
}


def sniff(path: Path) -> Format:
    """The format of a regular file.

    Raises
    ------
    Invalid
        It is empty, or of a kind that cannot be read; the sentence says what it is and what to do.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    suffix = path.suffix.lower()
    if not head:
        raise Invalid(_("“{name}” is empty (0 bytes).", name=path.name))
    found = _by_signature(path, head, suffix)
    if found:
        return found
    _refuse_known(path, head)
    return _text_format(path, head, suffix)


def _by_signature(path: Path, head: bytes, suffix: str) -> Format | None:
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _compound_format(path)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_format(path)
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    if head.startswith(b"SQLite format 3\0"):
        return Format.GEOPACKAGE
    if head[:3] == b"fgb" and head[4:7] == b"fgb":
        return Format.FLATGEOBUF
    if head[:4] == b"\x00\x00\x27\x0a" and suffix != ".shx":
        return Format.SHAPEFILE
    if head[4:15] == b"\x0a\x09OSMHeader":
        return Format.OSM
    if head.startswith(b"AutoCAD Binary DXF") or re.match(rb"\s*(999\s*\n[^\n]*\n\s*)*0\s*\r?\n\s*SECTION", head):
        return Format.DXF
    if suffix == ".dbf" and head[0] in (0x02, 0x03, 0x30, 0x31, 0x43, 0x83, 0x8B, 0x8E, 0xF5):
        return Format.DBF
    if (suffix == ".tab" and head.lstrip().lower().startswith(b"!table")) or (
        suffix == ".mif" and head.lstrip()[:7].lower() == b"version"
    ):
        return Format.MAPINFO
    return None


def _compound_format(path: Path) -> Format:
    """What a compound file of old Office holds: a workbook of 1997, or anything behind a password."""
    content = path.read_bytes()
    if "EncryptedPackage".encode("utf-16le") in content:
        raise Invalid(_("“{file}” is protected by a password. Save it without one.", file=path.name))
    if "Workbook".encode("utf-16le") in content or "Book".encode("utf-16le") in content:
        return Format.XLS
    raise Invalid(
        _(
            "“{file}” is a {format} file, which cannot be read here. Save it as {instead} first.",
            file=path.name,
            format=Format.XLS,
            instead="XLSX",
        ),
        format=str(Format.XLS),
    )


def _zip_format(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Invalid(_("“{name}” is a damaged ZIP file. Copy or download it once more.", name=path.name)) from error
    if "xl/workbook.xml" in names:
        return Format.STRICT if b"purl.oclc.org/ooxml" in _part(path, "xl/workbook.xml") else Format.XLSX
    if "xl/workbook.bin" in names:
        return Format.XLSB
    if b"opendocument.spreadsheet" in (_part(path, "mimetype") if "mimetype" in names else b""):
        return Format.ODS
    return Format.ZIP


def _part(path: Path, name: str) -> bytes:
    """How a part of an archive begins."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            return file.read(_HEAD)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return b""


_OTHERS = (
    (b"AC10", "DWG", "DXF"),
    (b"\x1f\x8b", "gzip", ""),
    (b"7z\xbc\xaf", "7z", ""),
    (b"Rar!", "RAR", ""),
    (b"BZh", "bzip2", ""),
    (b"\xfd7zXZ", "xz", ""),
    (b"%PDF", "PDF", "GeoPackage"),
    (b"\x89PNG", "PNG", "GeoPackage"),
    (b"\xff\xd8\xff", "JPEG", "GeoPackage"),
    (b"II*\0", "TIFF", "GeoPackage"),
    (b"MM\0*", "TIFF", "GeoPackage"),
    (b"\x53\x51\x4c\x69", "SQLite", "GeoPackage"),
)


def _refuse_known(path: Path, head: bytes) -> None:
    for mark, name, instead in _OTHERS:
        if head.startswith(mark) and instead:
            raise Invalid(
                _(
                    "“{file}” is a {format} file, which cannot be read here. Save it as {instead} first.",
                    file=path.name,
                    format=name,
                    instead=instead,
                ),
                format=name,
            )
        if head.startswith(mark):
            raise Invalid(
                _("“{file}” is packed with {format}. Unpack it, or pack it as ZIP.", file=path.name, format=name),
                format=name,
            )
    if path.name.lower().endswith(PARTS_OF_SHAPEFILE):
        raise Invalid(
            _("“{file}” is one part of a shapefile. Give the .shp file, or all parts in one ZIP.", file=path.name)
        )
    if path.name.lower().endswith(PARTS_OF_MAPINFO):
        raise Invalid(
            _(
                "“{file}” is one part of a MapInfo layer. Give the .tab or .mif file, or all parts in one ZIP.",
                file=path.name,
            )
        )


def _text_format(path: Path, head: bytes, suffix: str) -> Format:
    encoding = encodings.guess(head[: head.rfind(b"\n") + 1] or head)
    text = head.decode(encoding.name, errors="replace").lstrip("\ufeff \t\r\n\x1e")
    open311.refuse_answer(text, path.name)
    if text.startswith("<"):
        return _xml_format(path, text)
    if text.startswith(("{", "[")) and suffix not in _TABLE_SUFFIXES:
        return Format.ESRI_JSON if esri_json.is_it(path, text) else Format.GEOJSON
    # A stray control character in a cell is left out when it is read; a file full of them is no text.
    if len(re.findall(r"[\x00-\x08\x0e-\x1d\x1f]", text)) * 20 > len(text):
        raise _unknown(path)
    if suffix in _TABLE_SUFFIXES or _is_table(text):
        return Format.CSV
    raise _unknown(path)


def _xml_format(path: Path, text: str) -> Format:
    body = re.sub(r"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(\[.*?\])?\s*>", "", text, flags=re.DOTALL).lstrip()
    found = re.match(r"<(?:[\w.-]+:)?([\w.-]+)", body)
    root = found[1] if found else ""
    if root.lower() == "html" or re.match(r"(?i)<!doctype\s+html|<(table|body|head|meta|style)\b", text):
        raise Invalid(
            _(
                "“{file}” is a web page, even if its name says otherwise. Open it in a spreadsheet program and save it "
                "as XLSX.",
                file=path.name,
            )
        )
    if root in ROOTS and (ROOTS[root] is not Format.XML_2003 or "office:spreadsheet" in body[:4000]):
        return ROOTS[root]
    open311.refuse_root(root, body, path.name)
    raise Invalid(
        _(
            "“{file}” is XML of a kind that cannot be read here (it begins with <{root}>). KML, GPX and OSM can.",
            file=path.name,
            root=root or "?",
        )
    )


def _is_table(text: str) -> bool:
    """Whether unnamed text is a table: the same separator, as often in nearly every line."""
    lines = [line for line in text.splitlines()[:-1] if line.strip()][:50] or text.splitlines()[:1]
    if len(lines) < 2:
        return False
    for separator in ",\t;|":
        counts = [re.sub(r'"[^"]*"', "", line).count(separator) for line in lines]
        if counts[0] and sum(count == counts[0] for count in counts) >= 0.9 * len(counts):
            return True
    return False


def _unknown(path: Path) -> Invalid:
    return Invalid(
        _(
            "“{file}” is in no format that can be read here. GeoJSON, GeoPackage, Shapefile (with all parts, or "
            "as ZIP), "
            "FlatGeobuf, GeoParquet, KML, GPX, DXF, CSV and XLSX can.",
            file=path.name,
        )
    )
