"""Other instances of the kinds that ``test_cases`` has one of each: what was mended was the kind."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from openpyxl import Workbook, load_workbook
from PIL import Image

from data import photos, reports
from data.base import access
from data.exchange import exporting
from data.files import reading
from data.place_codes import Place as Site
from spatial.addresses import parse
from tests.data.offices import NOWHERE, Place, said

HEADINGS = "户号,楼栋,单元,房号,户主,备注"


def table(folder: Path, text: str) -> Path:
    """A CSV file."""
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def homes(folder: Path, *rows: str) -> Path:
    """A table of households below the usual headings."""
    return table(folder, "\n".join((HEADINGS, *rows)) + "\n")


def sheet(folder: Path, rows: Sequence[Sequence[Any]], merged: Sequence[str] = ()) -> Path:
    """A workbook."""
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    for area in merged:
        book.active.merge_cells(area)
    path = folder / "table.xlsx"
    book.save(path)
    return path


# ---- cells that are no values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", ["#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#N/A N/A", "#BUSY!", "#CONNECT!", "#####", "Err:502"]
)
def test_no_error_of_a_spreadsheet_is_a_name(base: Place, tmp_path: Path, error: str) -> None:
    _sentence, rows = base.refused("households", homes(tmp_path, f"E1,3,1,501,{error},"))
    assert error in rows[2]


def test_what_only_looks_like_an_error_is_a_text(base: Place, tmp_path: Path) -> None:
    base.bring("households", homes(tmp_path, "E1,3,1,501,林一,#7 的钥匙在门卫!"))
    assert base.doors == {"E1": ("b3", "1", "501")}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,2,3,4,5,6", "the numbers of the columns"),
        ("①,②,③,④,⑤,⑥", "the numbers of the columns"),
        ("一,二,三,四,五,六", "the numbers of the columns"),
        ("栏次,1,2,3,4,5", "the numbers of the columns"),
        ("No.,Building,Unit,Room,Head,Note", "the header once more"),
        ("#hh+id,#loc+bldg,#loc+unit,#loc+room,#person+name,#meta", "tags"),
        ("必填,必填,选填,必填,选填,选填", "how to fill the columns in"),
        ("text,text,text,text,text,text", "how to fill the columns in"),
        ("示例：1001,3,1,501,张三,", "an example"),
        ("梧桐里社区第二网格（共1户）,,,,,", "a heading between the rows"),
        (",,,,合计,2", "a total"),
        ("本页小计,,,,,", "a total"),
        ("负责人签字：,,,,,", "who signed"),
        ("第1页 共2页,,,,,", "a note"),
    ],
)
def test_what_stands_in_a_form_is_no_household(base: Place, tmp_path: Path, row: str, reason: str) -> None:
    report = base.bring("households", homes(tmp_path, row, "H1,3,1,501,林一,", "H2,4,2,602,王一,"))
    assert base.doors == {"H1": ("b3", "1", "501"), "H2": ("b4", "2", "602")}
    assert f"2 ({reason})" in said(report)


def test_a_header_of_three_rows_is_read(base: Place, tmp_path: Path) -> None:
    rows = [
        ["户号", "居住情况", None, None, None, "备注"],
        [None, "住址", None, None, "户主", None],
        [None, "楼栋", "单元", "房号", None, None],
        ["H1", 3, 1, 501, "林一", "x"],
    ]
    report = base.bring("households", sheet(tmp_path, rows, ["B1:E1", "B2:D2"]))
    assert base.doors == {"H1": ("b3", "1", "501")}
    assert "rows 1 to 3" in said(report)


@pytest.mark.parametrize(
    ("number", "form", "shown"),
    [(12, "00000", "00012"), (13, '"H"000', "H013"), (14, "000\\-000", "000-014"), (15, "#,##0", "15")],
)
def test_a_number_is_what_its_format_shows(base: Place, tmp_path: Path, number: int, form: str, shown: str) -> None:
    book = Workbook()
    assert book.active is not None
    book.active.append(["户号", "楼栋", "房号"])
    book.active.append([number, 3, 501])
    book.active["A2"].number_format = form
    book.save(tmp_path / "form.xlsx")
    base.bring("households", tmp_path / "form.xlsx")
    assert base.doors == {shown: ("b3", None, "501")}


@pytest.mark.parametrize("written", ["2001.00", "‘2001", "`2001", "２００１", "\t2001", "“2001”", "=2001", "'2001"])
def test_a_number_however_it_is_written_is_one_number(base: Place, tmp_path: Path, written: str) -> None:
    base.bring("households", homes(tmp_path, "2001,3,1,501,林一,"))
    assert base.bring("households", homes(tmp_path, f"{written},3,1,501,林一,")).unchanged == 1


@pytest.mark.parametrize("key", ['"=T(""1"")"', "同上", "2.002E+03", "3月2日", "2-Mar", "户主：1"])
def test_what_is_no_number_is_refused(base: Place, tmp_path: Path, key: str) -> None:
    assert list(base.refused("households", homes(tmp_path, f"{key},3,1,501,林一,"))[1]) == [2]


@pytest.mark.parametrize("cell", [datetime(2026, 3, 2), datetime(2026, 3, 2).time().replace(hour=3)])  # noqa: DTZ001
def test_a_door_that_became_a_day_or_a_time_is_refused(base: Place, tmp_path: Path, cell: object) -> None:
    _sentence, rows = base.refused("households", sheet(tmp_path, [["户号", "楼栋", "房号"], ["H1", 3, cell]]))
    assert "is a date" in rows[2]


# ---- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "door"),
    [
        ("锦绣路12弄3号1F-01", ("b3", None, "101")),
        ("锦绣路12弄3号M层01", NOWHERE),
        ("锦绣路12弄3号B1F-01", NOWHERE),
        ("锦绣路12弄3号501/502", NOWHERE),
        ("锦绣路12弄3号501【阁楼】", NOWHERE),
        ("锦绣路12弄旧3号501", NOWHERE),
        ("浦东新区锦绣路12弄3号501", NOWHERE),
        ("河北区锦绣路12弄3号501", NOWHERE),
        ("天津市河西区锦绣路12弄3号501", NOWHERE),
        ("上海市江城区临江街道锦绣路12弄3号501", ("b3", None, "501")),
    ],
)
def test_an_address_is_understood_or_stays_without_a_place(
    base: Place, tmp_path: Path, address: str, door: tuple[str | None, ...]
) -> None:
    base.bring("households", table(tmp_path, f"户号,地址\nK1,{address}\n"))
    assert base.doors == {"K1": door}


def test_a_street_called_like_a_district_stays_a_street() -> None:
    assert (parse("河东路12号3楼").street, parse("河东路12号3楼").district) == ("河东路", None)


# ---- days and words ------------------------------------------------------------------------------------------------


def test_times_in_a_column_of_their_own_are_read_one_by_one(base: Place, tmp_path: Path) -> None:
    clocks = ["9:30", "下午3点", "0930", "", "交班时"]
    rows = "".join(f"W{at},噪音,2026-03-18,{clock},x\n" for at, clock in enumerate(clocks))
    report = base.bring("incidents", table(tmp_path, f"编号,类别,日期,时间,描述\n{rows}"), accept_valid=True)
    moments = {number: row.at[-5:] for number, row in base.incidents.items()}
    assert moments == {"W0": "09:30", "W1": "15:00", "W2": "09:30", "W3": "00:00"}
    assert ["交班时" in reject.reason for reject in report.rejects] == [True]


@pytest.mark.parametrize("born", ["2050-01-01", "1850-01-01", "1950-13-01"])
def test_a_birthday_that_nobody_has_is_refused(base: Place, tmp_path: Path, born: str) -> None:
    assert list(base.refused("residents", table(tmp_path, f"户号,姓名,出生日期\nH1,林一,{born}\n"))[1]) == [2]


@pytest.mark.parametrize(
    ("word", "code"), [("儿媳妇", "38"), ("丈母娘", "56"), ("二女儿", "33"), ("外孙女儿", "44"), ("户主之子", "20")]
)
def test_a_relation_is_the_one_that_its_word_means(base: Place, tmp_path: Path, word: str, code: str) -> None:
    base.bring("residents", table(tmp_path, f"户号,姓名,与户主关系\nH1,林一,{word}\n"))
    assert base.people("relation") == {"H1": [code]}


@pytest.mark.parametrize(("column", "word"), [("婚姻状况", "无配偶"), ("政治面貌", "民主党派")])
def test_no_word_is_offered_that_says_the_opposite(base: Place, tmp_path: Path, column: str, word: str) -> None:
    file = table(tmp_path, f"户号,姓名,{column}\nH1,林一,\nH2,王一,{word}\n")
    (reject,) = base.bring("residents", file, accept_valid=True).rejects
    assert "有配偶" not in reject.advice


# ---- files of other kinds ------------------------------------------------------------------------------------------


def test_a_control_character_in_a_file_is_left_out(base: Place) -> None:
    base.bring("incidents", "34-control-characters/one-control.csv")
    base.bring("incidents", "34-control-characters/vt-only.csv", accept_valid=True)
    assert "W1" in base.incidents


def test_a_shapefile_says_which_column_it_cut_and_how_often(base: Place, tmp_path: Path) -> None:
    base.bring("incidents", "33-long-text-in-shapefile/incidents.csv")
    written = exporting.stream(
        base.session, access.SYSTEM, "incidents", base.community, tmp_path / "out.zip", format="shp", headings="zh"
    )
    assert written.notes[0].startswith("1 texts of “事件描述” were cut at 254 bytes")
    handed_in = reading.open_source(base.cases / "33-long-text-in-shapefile/incidents.csv").frame
    whole = dict(zip(handed_in["编号"], handed_in["描述"], strict=True))
    written_out = reading.open_source(tmp_path / "out.zip").frame
    for number, kept in zip(written_out["事件编号"], written_out["事件描述"], strict=True):
        assert whole[number].startswith(kept)
        assert len(kept.encode()) in (252, 253, 254) or kept == whole[number]


@pytest.mark.parametrize(
    ("file", "size", "pixels"),
    [
        ("mpo.jpg", (120, 80), {(2, 2): (202, 30, 30)}),
        ("cmyk.jpg", (120, 80), {(2, 2): (200, 30, 30)}),
        ("anim.webp", (120, 80), {(2, 2): (200, 31, 28)}),
        ("noext", (120, 80), {(2, 2): (202, 30, 30)}),
        ("turned.jpg", (80, 120), {(77, 2): (200, 30, 30), (2, 117): (29, 30, 200)}),
        ("grey16.png", (120, 80), {(60, 40): (129, 129, 129)}),
    ],
)
def test_a_photo_as_phones_write_it_stands_upright_in_its_colours(
    cases: Path, file: str, size: tuple[int, int], pixels: dict[tuple[int, int], tuple[int, int, int]]
) -> None:
    kept = photos.read((cases / "38-photos-from-phones" / file).read_bytes())
    picture = Image.open(io.BytesIO(kept.large))
    assert picture.size == size
    for place, colour in pixels.items():
        assert picture.getpixel(place) == pytest.approx(colour, abs=4)


@pytest.mark.parametrize(
    ("file", "sentence"), [("cut.jpg", "cut off"), ("bmp.bmp", "JPEG, PNG"), ("palette.gif", "JPEG, PNG")]
)
def test_a_photo_that_cannot_be_taken_in_is_told_so(cases: Path, file: str, sentence: str) -> None:
    with pytest.raises(photos.NotAPhoto, match=sentence):
        photos.read((cases / "38-photos-from-phones" / file).read_bytes())


def test_a_report_with_what_xml_cannot_hold_leaves_the_exports_readable(base: Place, tmp_path: Path) -> None:
    description = (base.cases / "58-noncharacter-breaks-exports/description.txt").read_text("utf-8")
    assert "\ufffe" in description
    for words in (description, "坏\ufffe\uffff\x0b\x1f\ud800灯"):
        reports.send(
            base.session,
            Site(base.community),
            category_code="facility.corridor_light",
            lon=121.5005,
            lat=31.2305,
            description=words,
        )
    for form in ("xlsx", "kml"):
        exporting.stream(
            base.session, access.SYSTEM, "incidents", base.community, tmp_path / f"out.{form}", format=form
        )
    ElementTree.parse(tmp_path / "out.kml")
    cells = [str(cell) for row in load_workbook(tmp_path / "out.xlsx").active.values for cell in row]  # type: ignore[union-attr]
    assert {"楼道灯坏了请修", "坏\n灯"} <= {*cells}
