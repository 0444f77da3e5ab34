"""Columns find their fields by their headings, and cells become values or rejects, never exceptions."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.base import identity, language, reference
from data.base.errors import Invalid
from data.files import columns, values
from data.files.columns import Kind, fields, match_columns, parse_map, read_rows
from data.files.reading import open_source
from data.files.values import Order, Reading, Type

KINDS = list(Kind)


# ---- the lists -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_heading_belongs_to_a_field(kind: Kind) -> None:
    known = {field.name for field in fields(kind)}
    assert {row["field"] for row in reference.rows("headings") if row["kind"] == kind} <= known


@pytest.mark.parametrize("kind", KINDS)
def test_no_heading_belongs_to_two_fields_of_a_kind(kind: Kind) -> None:
    owners: dict[str, set[str]] = {}
    for row in reference.rows("headings"):
        if row["kind"] == kind:
            owners.setdefault(values.plain(row["heading"]), set()).add(row["field"])
    assert {heading: names for heading, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_found_by_its_name_and_its_labels(kind: Kind) -> None:
    for field in fields(kind):
        for heading in (field.name, field.label_zh, field.label_en):
            assert match_columns(kind, [heading]), heading


def test_every_word_belongs_to_a_code_that_exists() -> None:
    for row in reference.rows("words"):
        if row["list"] in reference.names():
            assert row["code"] in reference.labels(row["list"]), row


def test_fields_speak_the_readers_language() -> None:
    field = columns.field("households", "identity_number")
    assert field.label == "Identity number"
    assert field.sensitive
    with language.using("zh"):
        assert field.label == "身份证号"


# ---- headings ------------------------------------------------------------------------------------------------------


def test_the_ledger_of_the_picture_is_matched_but_for_its_second_note() -> None:
    headings = [
        "户编号",
        "楼",
        "单元房号",
        "户主",
        "证件号",
        "电话",
        "人口数",
        "住户类型",
        "经度",
        "纬度",
        "登记日",
        "备注2",
    ]
    assert match_columns("households", headings) == {
        "户编号": "number",
        "楼": "building",
        "单元房号": "dwelling",
        "户主": "head_name",
        "证件号": "identity_number",
        "电话": "phone",
        "人口数": "people",
        "住户类型": "use",
        "经度": "lon",
        "纬度": "lat",
        "登记日": "registered_on",
    }


def test_the_family_file_of_the_report_is_matched() -> None:
    headings = ["户主姓名", "身份证号", "户口性质", "工作单位", "联系电话", "家庭成员"]
    names = ["head_name", "identity_number", "hukou", "workplace", "phone", "members"]
    assert match_columns("households", headings) == dict(zip(headings, names, strict=True))


def test_the_person_fields_of_the_standard_are_matched() -> None:
    headings = [
        "公民身份号码",
        "姓名",
        "曾用名",
        "性别",
        "出生日期",
        "民族",
        "籍贯",
        "婚姻",
        "政治面貌",
        "学历",
        "职业",
        "服务处所",
        "联系方式",
        "户籍门楼详址",
        "现住门楼详址",
        "人户一致标识",
        "户号",
        "与户主关系",
        "流入原因",
        "办证类型",
        "到期日期",
    ]
    matched = match_columns("residents", headings)
    assert list(matched) == headings
    assert matched["婚姻"] == "marital_status"
    assert matched["现住门楼详址"] == "address"


def test_the_cases_of_another_city_are_matched(geodata: Path) -> None:
    with (geodata / "incidents/boston_2015/Graffiti Removal.csv").open(encoding="utf-8") as file:
        headings = next(csv.reader(file))
    matched = match_columns("incidents", headings)
    assert matched == {
        "CASE_ENQUIRY_ID": "number",
        "OPEN_DT": "reported_at",
        "TARGET_DT": "due_at",
        "CLOSED_DT": "closed_at",
        "CASE_STATUS": "state",
        "CLOSURE_REASON": "note",
        "CASE_TITLE": "description",
        "TYPE": "category",
        "Location": "address",
        "LATITUDE": "lat",
        "LONGITUDE": "lon",
        "Source": "source",
    }


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("grids", "admin_cn/taipei_villages.geojson", {"VILLCODE": "code", "VILLNAME": "name"}),
        ("grids", "incidents/boston_neighborhoods.geojson", {"name": "name"}),
        (
            "buildings",
            "buildings/nyc_south_buildings_osm.parquet",
            {
                "id": "code",
                "kind_detail": "kind",
                "name": "name",
                "addr_housenumber": "number",
                "addr_street": "street",
            },
        ),
        ("basemap", "buildings/wuhan_roads_osm.geojson", {"id": "code", "name": "name", "kind": "kind"}),
        (
            "incidents",
            "open311/chicago_requests.json",
            {
                "service_request_id": "number",
                "status": "state",
                "service_name": "category",
                "requested_datetime": "reported_at",
                "service_code": "external_code",
                "status_notes": "note",
                "updated_datetime": "updated_at",
                "address": "address",
                "lat": "lat",
                "long": "lon",
            },
        ),
    ],
)
def test_real_files_are_matched(geodata: Path, kind: str, name: str, expected: dict[str, str]) -> None:
    source = open_source(geodata / name)
    matched = match_columns(kind, source.columns, source.sample())
    assert expected.items() <= matched.items()


def test_no_field_has_two_columns_and_the_one_that_holds_something_wins() -> None:
    sample = {"手机号": [None, ""], "联系电话": ["13812346021", None]}
    assert match_columns("households", list(sample), sample) == {"联系电话": "phone"}
    assert match_columns("households", ["联系电话", "手机号"]) == {"联系电话": "phone"}


def test_identity_numbers_and_phones_are_known_by_their_look() -> None:
    numbers = [identity.make("999999", date(1980, 1, day), day, identity.Sex.FEMALE) for day in range(1, 5)]
    sample = {"字段7": numbers, "字段8": ["13812346021"] * 4, "字段9": ["138"] * 4}
    assert match_columns("residents", list(sample), sample) == {"字段7": "identity_number", "字段8": "phone"}


def test_what_the_person_says_wins() -> None:
    chosen = parse_map("buildings", ["楼=name", "备注=楼栋号", "地址="], ["楼", "备注", "地址"])
    assert chosen == {"楼": "name", "备注": "number", "地址": None}
    assert match_columns("buildings", ["楼", "备注", "地址"], None, chosen) == {"楼": "name", "备注": "number"}


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        ("楼", "not of the form COLUMN=FIELD"),
        ("=number", "not of the form"),
        ("楼栋=number", "no column “楼栋”. Did you mean “楼栋号”?"),
        ("xyz=number", "It has: 楼栋号, 地址"),
        ("地址=numbr", "no field “numbr” for buildings. There are: code, number"),
    ],
)
def test_a_wrong_map_is_explained(item: str, fault: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_map("buildings", [item], ["楼栋号", "地址"])
    assert fault in refusal.value.detail


def test_a_field_cannot_be_given_twice() -> None:
    with pytest.raises(Invalid, match="given to two columns"):
        parse_map("buildings", ["楼=number", "栋=number"], ["楼", "栋"])


# ---- cells ---------------------------------------------------------------------------------------------------------


def read_one(cell: Any, type: Type, **options: Any) -> Any:  # noqa: A002 - as the field calls it
    """The value of one cell, or its fault."""
    found, faults = values.read([cell], Reading(label="Field", type=type, **options))
    return faults[0] if faults else found[0]


@pytest.mark.parametrize(
    "cell",
    [
        "2026-03-18",
        "2026/3/18",
        "2026.3.18",
        "2026年3月18日",
        "20260318",
        "18/03/2026",
        " ２０２６－０３－１８ ",
        46099,
        46099.0,
        "46099",
        date(2026, 3, 18),
        datetime(2026, 3, 18, 9, 30, tzinfo=UTC),
        pd.Timestamp("2026-03-18"),
        "2026-03-18 09:30:00",
        np.datetime64("2026-03-18", "ms").item(),
    ],
)
def test_a_day_is_read_in_every_spelling(cell: object) -> None:
    assert read_one(cell, Type.DATE) == date(2026, 3, 18)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("2026/2/30", "Field “2026/2/30” does not exist."),
        ("2026年13月1日", "Field “2026年13月1日” does not exist."),
        ("03/04/2026", "Field “03/04/2026” can be two days: which part is the month?"),
        ("soon", "Field “soon” is not a date."),
        ("2026-3", "Field “2026-3” is not a date."),
        ("18-3-26", "Field “18-3-26” is not a date."),
    ],
)
def test_a_day_that_is_none_is_explained(cell: str, reason: str) -> None:
    assert read_one(cell, Type.DATE).reason == reason


def test_the_column_tells_which_part_is_the_day() -> None:
    how = Reading(label="Field", type=Type.DATE)
    assert values.read(["03/04/2026", "21/04/2026"], how) == ([date(2026, 4, 3), date(2026, 4, 21)], {})
    assert values.read(["03/04/2026", "04/21/2026"], how) == ([date(2026, 3, 4), date(2026, 4, 21)], {})
    assert values.day_order(["21/04/2026", "04/21/2026"]) is Order.UNKNOWN


@given(st.dates(date(1927, 6, 1), date(2100, 1, 1)))
def test_every_spelling_of_a_day_means_that_day(day: date) -> None:
    cells = [
        day.isoformat(),
        f"{day.year}/{day.month}/{day.day}",
        f"{day:%Y%m%d}",
        (day - date(1899, 12, 30)).days,
        f"{day.year}年{day.month}月{day.day}日",
        day,
    ]
    assert values.read(cells, Reading(label="Field", type=Type.DATE)) == ([day] * len(cells), {})


@pytest.mark.parametrize(
    ("cell", "utc"),
    [
        ("2026-03-18 09:30", "01:30:00"),
        ("2026-03-18T09:30:15+08:00", "01:30:15"),
        ("2026-03-18T01:30:00Z", "01:30:00"),
        ("2026/3/18 上午9:30", "01:30:00"),
        ("2026年3月18日 9时30分", "01:30:00"),
        ("03/18/2026 09:30:00 PM", "13:30:00"),
        ("2026-03-17T20:30:00-05:00", "01:30:00"),
        (46099.395833333336, "01:30:00"),
    ],
)
def test_an_instant_is_read_with_its_zone_or_that_of_the_community(cell: object, utc: str) -> None:
    found = read_one(cell, Type.DATETIME)
    assert found.tzinfo is UTC
    assert found.date() == date(2026, 3, 18)
    assert found.time().isoformat() == utc


@pytest.mark.parametrize(
    ("cell", "type", "value"),
    [
        ("1,556户", Type.INTEGER, 1556),
        ("３", Type.INTEGER, 3),
        (3.0, Type.INTEGER, 3),
        ("88.5㎡", Type.NUMBER, 88.5),
        ("−12", Type.NUMBER, -12.0),
        ("是", Type.BOOLEAN, True),
        (np.bool_(False), Type.BOOLEAN, False),
        ("138 1234-6021", Type.PHONE, "13812346021"),
        ("+86 13812346021", Type.PHONE, "13812346021"),
        (13812346021.0, Type.PHONE, "13812346021"),
        ("010-62345678", Type.PHONE, "010-62345678"),
        ("121°30′22.1″", Type.DEGREES, round(121 + 30 / 60 + 22.1 / 3600, 12)),
        ("71.06W", Type.DEGREES, -71.06),
        (18.0, Type.TEXT, "18"),
        ("无", Type.PHONE, None),
        ("—", Type.DATE, None),
        ("nan", Type.TEXT, None),
        ("'=A1", Type.TEXT, "=A1"),
        ("  ", Type.TEXT, None),
        (None, Type.DATE, None),
        (float("nan"), Type.INTEGER, None),
        (pd.NaT, Type.DATE, None),
        (pd.NA, Type.TEXT, None),
    ],
)
def test_a_cell_is_read_as_what_it_means(cell: object, type: Type, value: object) -> None:  # noqa: A002
    found = read_one(cell, type)
    assert found == value
    assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("cell", "type"),
    [
        ("4O", Type.INTEGER),
        ("2.5", Type.INTEGER),
        ("inf", Type.NUMBER),
        ("maybe", Type.BOOLEAN),
        (True, Type.INTEGER),
        ("1381234", Type.BOOLEAN),
        ("138123460211", Type.PHONE),
        ("12O.5", Type.DEGREES),
        (1.1010519491231e17, Type.IDENTITY),
    ],
)
def test_a_cell_that_means_nothing_is_a_fault(cell: object, type: Type) -> None:  # noqa: A002
    assert isinstance(read_one(cell, type), values.Fault)


def test_true_and_one_are_not_mixed_up_in_a_column() -> None:
    found, faults = values.read([1, True, 1.0], Reading(label="Field", type=Type.INTEGER))
    assert found == [1, None, 1]
    assert list(faults) == [1]


def test_a_wrong_identity_number_is_explained_without_being_repeated() -> None:
    number = "110105194912310021"
    found = read_one(number, Type.IDENTITY, sensitive=True)
    assert found.reason == "The last character of this identity number does not follow from the others."
    assert number not in found.reason + found.advice
    assert read_one("11010519491231002x", Type.IDENTITY) == "11010519491231002X"
    assert read_one("C12345678", Type.IDENTITY) == "C12345678"


@pytest.mark.parametrize(
    ("kind", "name", "word", "code"),
    [
        ("households", "use", "租住", "rented"),
        ("households", "use", "自住", "owner"),
        ("households", "hukou", "农业", "rural"),
        ("residents", "sex", "男", "1"),
        ("residents", "sex", "Female", "2"),
        ("residents", "sex", 1, "1"),
        ("residents", "ethnicity", "汉", "01"),
        ("residents", "ethnicity", 3, "03"),
        ("residents", "relation", "妻子", "12"),
        ("residents", "education", "本科", "20"),
        ("residents", "status", "流动人口", "floating"),
        ("residents", "political_status", "党员", "01"),
        ("buildings", "kind", "apartments", "residential"),
        ("buildings", "kind", "church", "other"),
        ("incidents", "state", "已办结", "closed"),
        ("incidents", "state", "Open", "new"),
        ("incidents", "category", "Street Light Outages", "facility.street_light"),
        ("incidents", "category", "Somewhat else", "Somewhat else"),
        ("basemap", "kind", "natural_wood", "green"),
        ("basemap", "highway", "footway", "path"),
        ("basemap", "kind", "围墙", "wall"),
    ],
)
def test_words_of_both_languages_become_codes(kind: str, name: str, word: object, code: str) -> None:
    needed = [one.name for one in fields(kind) if one.required and one.name != name]
    frame = pd.DataFrame({"c": pd.Series([word], dtype=object)} | dict.fromkeys(needed, "x"))
    rows = read_rows(kind, frame, np.array([2]), {"c": name} | {column: column for column in needed})
    assert rows.rejects == []
    assert rows.frame[name].tolist() == [code]


def test_a_word_that_is_none_is_a_reject() -> None:
    frame = pd.DataFrame({"户号": ["1"], "住户类型": ["火星"]})
    rows = read_rows("households", frame, np.array([2]), {"户号": "number", "住户类型": "use"})
    assert [reject.reason for reject in rows.rejects] == ["Use of the dwelling “火星” is none of the known ones."]


def test_several_groups_are_read_from_one_cell() -> None:
    frame = pd.DataFrame({"户号": list("1234"), "群体": ["低保户、空巢", "普通家庭", None, "低保/低保户家庭"]})
    rows = read_rows("households", frame, np.arange(2, 6), {"户号": "number", "群体": "groups"})
    assert rows.frame["groups"].tolist() == [["minimum_living", "empty_nest"], [], None, ["minimum_living"]]


def test_rejects_carry_the_row_the_reason_the_advice_and_the_own_columns() -> None:
    frame = pd.DataFrame(
        {"户号": ["WT-1", "", "WT-3"], "登记日": ["2026/3/2", "2026/2/30", "2026/2/30"], "备注2": list("abc")}
    )
    with language.using("zh"):
        rows = read_rows("households", frame, np.array([4, 781, 1034]), {"户号": "number", "登记日": "registered_on"})
    assert rows.frame.index.tolist() == [0]
    empty, wrong = rows.rejects
    assert (empty.row, empty.reason, empty.advice) == (
        781,
        "户号为空。 登记日期“2026/2/30”不存在。",
        "补户号，或删去这一行。 改为实际日期。",
    )
    assert (wrong.row, wrong.reason, wrong.advice) == (1034, "登记日期“2026/2/30”不存在。", "改为实际日期。")
    assert wrong.values == {"户号": "WT-3", "登记日": "2026/2/30", "备注2": "c"}


def test_a_required_field_without_a_column_stops_the_import() -> None:
    with pytest.raises(Invalid, match=r"No column is Household number\. The file has: 楼, 电话\. Name it with --map"):
        read_rows("households", pd.DataFrame({"楼": [], "电话": []}), np.array([]), {"楼": "building"})


def test_the_dates_of_the_other_citys_files_agree_whatever_their_spelling(geodata: Path) -> None:
    folder = geodata / "incidents/qsv_csv_variants"
    read = {}
    for name in ("boston311-100.csv", "boston311-dmy-100.csv", "boston311-100.jsonl"):
        source = open_source(folder / name)
        matched = match_columns("incidents", source.columns, source.sample())
        rows = read_rows("incidents", source.frame, source.rows, matched, timezone="America/New_York")
        assert rows.rejects == []
        read[name] = rows.frame["reported_at"].tolist()
    assert read["boston311-100.csv"] == read["boston311-dmy-100.csv"] == read["boston311-100.jsonl"]
    assert read["boston311-100.csv"][0] == datetime(2022, 1, 21, 18, 47, tzinfo=UTC)


def test_cells_are_read_fast_enough_for_a_large_file() -> None:
    days = [(date(2020, 1, 1) + timedelta(days=n % 2000)).isoformat() for n in range(200_000)]
    frame = pd.DataFrame({"户号": [str(n) for n in range(200_000)], "登记日": days})
    rows = read_rows("households", frame, np.arange(200_000), {"户号": "number", "登记日": "registered_on"})
    assert len(rows.frame) == 200_000


# Two columns for one field


def test_the_column_that_knows_the_house_is_the_address_and_the_other_is_named() -> None:
    cells = {"Location": ["New York, NY"] * 3, "Address": ["398 2nd Ave", "1 Main St", None]}
    mapping = columns.match_columns("incidents", cells, cells)
    assert mapping == {"Address": "address"}
    (other,) = columns.left_out("incidents", cells, cells, mapping)
    assert (other[0], other[1].name, other[2]) == ("Location", "address", "Address")


@pytest.mark.parametrize(
    ("kind", "better", "worse"),
    [
        ("incidents", {"位置": ["锦绣路12号", "锦绣路14号"]}, {"地址": ["上海市", "上海市"]}),
        ("buildings", {"full_address": ["锦绣路12弄3号", "锦绣路12弄4号"]}, {"地址": ["浦东新区", "浦东新区"]}),
        ("incidents", {"详细地址": ["锦绣路12号"]}, {"位置": ["锦绣路12号"]}),
        ("incidents", {"address": [None]}, {"location": [None]}),
        ("residents", {"full_name": ["李明", "王芳", "张伟", "赵静"]}, {"姓名": ["李明", None, None, None]}),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_of_two_columns_the_one_that_says_more_wins_wherever_it_stands(
    kind: str, better: dict[str, list[str]], worse: dict[str, list[str]], first: bool
) -> None:
    cells = better | worse if first else worse | better
    assert list(columns.match_columns(kind, cells, cells)) == list(better)


def test_columns_of_which_the_person_said_something_are_not_named_as_left_out() -> None:
    cells = {"Location": ["New York, NY"], "Address": ["398 2nd Ave"]}
    for chosen in ({"Location": None}, {"Location": "address"}, {"Address": "address"}):
        mapping = columns.match_columns("incidents", cells, cells, chosen)
        assert columns.left_out("incidents", cells, cells, mapping, chosen) == []


def test_an_empty_column_is_not_named_as_left_out() -> None:
    cells = {"Location": ["", None], "Address": ["398 2nd Ave", "1 Main St"]}
    assert columns.left_out("incidents", cells, cells, columns.match_columns("incidents", cells, cells)) == []
