"""Tables are read in every encoding, with the rows a person sees, and each bad row named."""

from __future__ import annotations

import re
import time
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import shapely

from data.base.errors import Invalid
from data.files import encodings
from data.files.cells import FORMULA
from data.files.reading import open_source

# ---- text tables ---------------------------------------------------------------------------------------------------

TABLE = "楼栋号,地址,经度,纬度\n" + '3号楼,锦绣路12弄3号,121.5,31.2\n4号楼,"锦绣路,12弄",121.51,31.21\n' * 5


@pytest.mark.parametrize(
    ("codec", "name", "how"),
    [
        ("utf-8", "UTF-8", "evident"),
        ("utf-8-sig", "UTF-8", "marked"),
        ("utf-16", "UTF-16", "marked"),
        ("utf-16-le", "UTF-16-LE", "guessed"),
        ("gbk", "GBK", "guessed"),
    ],
)
def test_a_table_is_read_in_every_usual_encoding(tmp_path: Path, codec: str, name: str, how: str) -> None:
    (tmp_path / "a.csv").write_bytes(TABLE.encode(codec))
    source = open_source(tmp_path / "a.csv")
    assert (source.encoding, source.encoding_how) == (name, how)
    assert source.frame["地址"].tolist()[:2] == ["锦绣路12弄3号", "锦绣路,12弄"]
    assert source.rows.tolist() == list(range(2, 12))
    assert shapely.get_x(source.geometries).tolist()[:2] == [121.5, 121.51]


def test_traditional_headings_in_big5_are_recognized(tmp_path: Path) -> None:
    text = "樓棟號,地址,經度,緯度\n" + "三號樓,錦繡路十二弄,121.5,31.2\n" * 3
    (tmp_path / "a.csv").write_bytes(text.encode("big5"))
    source = open_source(tmp_path / "a.csv")
    assert source.encoding == "Big5"
    assert source.places == {"lon": "經度", "lat": "緯度"}


@pytest.mark.parametrize(
    ("text", "codec", "found"),
    [
        ("王鑫淼", "gbk", "GBK"),
        ("𠮷野家", "gb18030", "GB18030"),
        ("鄭淑慧", "big5", "Big5"),
        ("Dëad rat, Sàratoga", "latin-1", "Windows-1252"),
        ("Österreich Größe ÄÖÜ", "latin-1", "Windows-1252"),
        ("plain", "ascii", "UTF-8"),
        ("户主", "utf-8", "UTF-8"),
    ],
)
def test_the_encoding_of_a_few_bytes_is_guessed(text: str, codec: str, found: str) -> None:
    assert encodings.guess(text.encode(codec)).name == found


def test_a_damaged_utf8_file_is_not_taken_for_another_encoding() -> None:
    content = ("居民姓名\n" * 200).encode() + b"\xff\n" + ("家庭住址\n" * 200).encode()
    with pytest.raises(Invalid, match="Line 201 has bytes that are not UTF-8"):
        encodings.decode(content)


def test_an_address_alone_makes_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("地址\n锦绣路12弄3号501室\n\n锦绣路12弄3号502室\n", encoding="utf-8")
    source = open_source(tmp_path / "a.csv")
    assert source.columns == ["地址"]
    assert source.rows.tolist() == [2, 4], "the line a spreadsheet shows"
    assert source.crs is None


def test_bad_coordinates_are_rejects_and_empty_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "name,lon,lat\na,121.5,31.2\nb,12O.5,31.2\nc,,\nd,121.5,\ne,1215,31.2\nf,0,0\ng,东经121°30′,31°12′N\n",
        encoding="utf-8",
    )
    source = open_source(tmp_path / "a.csv")
    assert source.rows.tolist() == [2, 4, 7, 8]
    assert [reject.row for reject in source.rejects] == [3, 5, 6]
    assert source.rejects[0].reason == "lon “12O.5” is not a number."
    assert source.rejects[1].reason == "Of lon and lat only one is filled in."
    assert shapely.is_missing(source.geometries).tolist() == [False, True, True, False]
    assert source.geometries[3].equals_exact(shapely.Point(121.5, 31.2), 1e-12)


def test_swapped_columns_are_named_and_can_be_mapped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,lon,lat\na,31.2,121.5\nb,31.3,121.6\n")
    with pytest.raises(Invalid, match="latitude before longitude"):
        open_source(tmp_path / "a.csv")
    source = open_source(tmp_path / "a.csv", mapping={"lon": "lat", "lat": "lon"})
    assert source.geometries[0].equals(shapely.Point(121.5, 31.2))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "empty"),
        (b" \n\n", "holds no row"),
        (b'a,b\n1,"x\n2,3\n', "quotation mark"),
        (b"\x00\x01\x02\x03", "no format"),
        (b"PK\x03\x04broken", "damaged ZIP"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel 97"),
        (b"AC1032\0\0", "DWG"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08\0", "gzip"),
    ],
)
def test_what_is_no_table_is_named_for_what_it_is(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(Invalid, match=fault):
        open_source(tmp_path / "a.csv")


def test_a_table_of_fifty_megabytes_takes_seconds(tmp_path: Path) -> None:
    line = "某某小区,锦绣路12弄3号501室," + ",".join(["1234567890"] * 20) + ",121.5,31.2\n"
    count = 50_000_000 // len(line.encode())
    header = ",".join(["小区", "地址", *(f"c{n}" for n in range(20)), "经度", "纬度"])
    (tmp_path / "a.csv").write_text(f"{header}\n" + line * count, encoding="gbk")
    before = time.process_time()
    source = open_source(tmp_path / "a.csv")
    assert len(source.frame) == count
    assert time.process_time() - before < 15


# ---- spreadsheets --------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger as offices keep them: a title, merged cells, a blank row, a hidden sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "家庭"
    sheet.append(["梧桐里社区家庭台账"])
    sheet.append([])
    sheet.append(["户编号", "楼", "单元房号", "电话", "经度", "纬度", "登记日", None])
    sheet.append(["WT-18-0231", "18号楼", "2-301", 13812346021, 121.50614, 31.23917, date(2026, 3, 2)])
    sheet.append(["WT-18-0232", None, "2-302", "138 1234 6022", "121.50615", "31.2391x", "2026/2/30"])
    sheet.append([])
    sheet.append(["WT-18-0233", None, "2-303", None, None, None, 46099])
    sheet.merge_cells("B4:B7")
    sheet.merge_cells("A1:G1")
    book.create_sheet("空")
    hidden = book.create_sheet("旧")
    hidden.append(["a", "b"])
    hidden.sheet_state = "hidden"
    book.save(tmp_path / "家庭台账.xlsx")
    return tmp_path / "家庭台账.xlsx"


def test_a_ledger_is_read_with_the_rows_the_person_sees(ledger: Path) -> None:
    source = open_source(ledger)
    assert source.layers == ["家庭"]
    assert source.columns == ["户编号", "楼", "单元房号", "电话", "经度", "纬度", "登记日"]
    assert source.rows.tolist() == [4, 7]
    assert source.frame["楼"].tolist() == ["18号楼", "18号楼"]
    assert source.frame["电话"].tolist()[0] == 13812346021
    assert source.frame["登记日"].tolist()[0].isoformat() == "2026-03-02T00:00:00"
    assert [(reject.row, reject.reason) for reject in source.rejects] == [(5, "纬度 “31.2391x” is not a number.")]
    assert "The header was taken from row 3; the rows above are a title." in source.notes


def test_a_damaged_spreadsheet_is_refused(ledger: Path) -> None:
    content = bytearray(ledger.read_bytes())
    at = content.find(b"xl/worksheets/sheet1.xml") + 60
    content[at : at + 200] = bytes(200)
    ledger.write_bytes(content)
    with pytest.raises(Invalid, match="damaged"):
        open_source(ledger)


def sheet_of(path: Path, cells: str, styles: str = "", strings: str = "") -> Path:
    """A workbook whose sheet has these rows below its header, these styles, and these shared strings."""
    book = openpyxl.Workbook()
    book.active.append(["户编号", "地址"])
    book.save(path)
    parts = {}
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].replace(b"</sheetData>", cells.encode() + b"</sheetData>")
    parts["xl/worksheets/sheet1.xml"] = sheet
    if styles:
        parts["xl/styles.xml"] = re.sub(rb"(<cellXfs[^>]*>)", rb"\1" + styles.encode(), parts["xl/styles.xml"])
    if strings:
        parts["xl/sharedStrings.xml"] = (
            '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">' + strings + "</sst>"
        ).encode()
        kinds = parts["[Content_Types].xml"]
        if b"sharedStrings" not in kinds:
            kinds = kinds.replace(
                b"</Types>",
                b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument'
                b'.spreadsheetml.sharedStrings+xml"/></Types>',
            )
        parts["[Content_Types].xml"] = kinds
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return path


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="B2" t="str"><f>IF(1,"","")</f><v></v></c>', None),
        ('<c r="B2"><f>A1</f><v/></c>', FORMULA),
        ('<c r="B2"><f>A1</f></c>', FORMULA),
        ('<c r="B2"><f>1+1</f><v>2</v></c>', 2),
        ('<c r="B2"><v>310101199003071234</v></c>', 310101199003071234),
        ('<c r="B2"><v>3.0</v></c>', 3.0),
        ('<c r="B2" t="b"><v>1</v></c>', True),
        ('<c r="B2" t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c r="B2" t="d"><v>2026-03-18T00:00:00</v></c>', pd.Timestamp(2026, 3, 18).to_pydatetime()),
        ('<c t="inlineStr"><is><t>right of the one before</t></is></c>', "right of the one before"),
        ('<c r="B2" t="inlineStr"><is><r><t>锦绣</t></r><r><t>路</t></r><rPh><t>jin</t></rPh></is></c>', "锦绣路"),
        ('<c r="B2" t="inlineStr"><is><t>东_x000D_\n西 _x005F_x0041_</t></is></c>', "东\r\n西 _x0041_"),
        ('<c r="B2" t="s"><v>0</v></c>', "锦绣路"),
        ('<c r="B2" s="0"><v>46099</v></c>', pd.Timestamp(2026, 3, 18).to_pydatetime()),
    ],
)
def test_a_cell_says_what_everybody_sees(tmp_path: Path, cell: str, value: object) -> None:
    # Number format 31 is 2026年3月18日, which East Asian programs have built in and do not write down.
    path = sheet_of(
        tmp_path / "a.xlsx",
        f'<row r="2"><c r="A2" t="str"><v>1</v></c>{cell}</row>',
        '<xf numFmtId="31" fontId="0" fillId="0" borderId="0"/>' if 's="0"' in cell else "",
        "<si><r><t>锦绣</t></r><r><t>路</t></r><rPh sb='0' eb='2'><t>jinxiu</t></rPh></si>",
    )
    source = open_source(path)
    read = source.frame["地址"].tolist() if "地址" in source.frame else [None]
    assert read == [value]
    assert type(read[0]) is type(value)


def test_a_row_far_below_takes_no_memory_of_the_rows_between(tmp_path: Path) -> None:
    path = sheet_of(tmp_path / "a.xlsx", '<row r="1000000"><c r="B1000000" t="str"><v>甲</v></c></row>')
    source = open_source(path)
    assert source.rows.tolist() == [1000000]
    assert source.frame["地址"].tolist() == ["甲"]


@pytest.mark.parametrize("cells", ['<row r="2000000"/>', '<row r="2"><c r="B2" t="s"><v>7</v></c></row>', "<row>"])
def test_a_sheet_that_contradicts_itself_is_refused(tmp_path: Path, cells: str) -> None:
    with pytest.raises(Invalid, match="damaged"):
        open_source(sheet_of(tmp_path / "a.xlsx", cells))


def test_one_object_is_no_list_of_records(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"name": "server", "port": 8000, "debug": false}')
    with pytest.raises(Invalid, match="nor a list of records"):
        open_source(path)
    path.write_text('[{"name": "甲"}]')
    assert len(open_source(path).frame) == 1
