"""Addresses: every way people write them, matching by hand and on 56,244 real addresses with their places as judge."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial.addresses import Address, Method, Outcome, label, match, matching, parse


def parts(text: str) -> dict[str, str]:
    """What an address states, without what it leaves out."""
    address = parse(text)
    names = [name for name in Address.__slots__ if name != "text"]
    return {name: value for name in names if (value := getattr(address, name)) is not None}


@pytest.mark.parametrize(
    "text",
    [
        "3号楼2单元501",
        "3-2-501",
        "３－２－５０１",
        "３号楼２单元５０１室",
        "三号楼二单元501室",
        "3栋2单元501房",
        "3幢2单元501",
        "3#2单元501",
        "3#2-501",
        "3#-2-501",
        "#3楼2单元501",
        "3号楼2-501",
        "3号楼 2单元 501",
        "3 号 楼 2 单元 0501 室",
        "第三栋第2单元501室",
        "03号楼02单元501",
        "3 2 501",
        "3/2/501",
        "3—2—501",
        "三栋二单元五〇一室",
        "3栋2门501",
        "3号楼2单元（东）501室",
    ],
)
def test_one_dwelling_written_in_many_ways_is_one_address(text: str) -> None:
    assert parts(text) == {"building": "3", "unit": "2", "room": "501"}
    assert parse(text).normalized == "3号楼2单元501室"


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("锦绣路12弄3号501室", {"street": "锦绣路", "lane": "12", "house_number": "3", "room": "501"}),
        ("锦绣路１２弄３号５０１", {"street": "锦绣路", "lane": "12", "house_number": "3", "room": "501"}),
        ("锦绣路12弄3-501", {"street": "锦绣路", "lane": "12", "house_number": "3", "room": "501"}),
        ("锦绣路12弄3-501号", {"street": "锦绣路", "lane": "12", "house_number": "3", "room": "501"}),
        ("锦绣路12弄34支弄5号", {"street": "锦绣路", "lane": "12-34", "house_number": "5"}),
        ("张杨路628弄4-7号", {"street": "张杨路", "lane": "628", "house_number": "4-7"}),
        ("锦绣路12号3号楼501", {"street": "锦绣路", "house_number": "12", "building": "3", "room": "501"}),
        ("锦绣路12号院3号楼1门", {"street": "锦绣路", "house_number": "12", "building": "3", "unit": "1"}),
        ("锦绣路12-3-501", {"street": "锦绣路", "house_number": "12", "building": "3", "room": "501"}),
        ("锦绣路12-501", {"street": "锦绣路", "house_number": "12", "room": "501"}),
        ("四川中路106~110", {"street": "四川中路", "house_number": "106-110"}),
        ("中山东一路15甲", {"street": "中山东一路", "house_number": "15甲"}),
        ("人民东路88号附1号", {"street": "人民东路", "house_number": "88附1"}),
        ("新华路三巷12号", {"street": "新华路三巷", "house_number": "12"}),
        ("锦绣家园3-2-501", {"place": "锦绣家园", "building": "3", "unit": "2", "room": "501"}),
        ("锦绣家园二期3栋", {"place": "锦绣家园2期", "building": "3"}),
        ("锦绣路12号锦绣家园3号楼", {"street": "锦绣路", "house_number": "12", "place": "锦绣家园", "building": "3"}),
        (
            "湖南省长沙市芙蓉区东湖街道望龙社区锦绣家园3栋",
            {"place": "锦绣家园", "building": "3", "city": "长沙市", "district": "芙蓉区"},
        ),
        (
            "上海市浦东新区锦绣路12弄3号",
            {"street": "锦绣路", "lane": "12", "house_number": "3", "city": "上海市", "district": "浦东新区"},
        ),
        ("铁路小区3栋", {"place": "铁路小区", "building": "3"}),
        ("东区12栋", {"place": "东区", "building": "12"}),
        ("城市花园3栋", {"place": "城市花园", "building": "3"}),
        ("教工宿舍-29栋", {"place": "教工宿舍", "building": "29"}),
        ("教学楼1", {"place": "教学楼", "building": "1"}),
        ("综合楼", {"place": "综合楼"}),
        ("综合楼5楼", {"place": "综合楼", "floor": "5"}),
        ("3-501", {"building": "3", "room": "501"}),
        ("3-2", {"building": "3", "unit": "2"}),
        ("3-2-5-501", {"building": "3", "unit": "2", "floor": "5", "room": "501"}),
        ("3号楼2单元5楼501室", {"building": "3", "unit": "2", "floor": "5", "room": "501"}),
        ("5楼501", {"floor": "5", "room": "501"}),
        ("3楼501", {"building": "3", "room": "501"}),
        ("3号楼地下1层", {"building": "3", "floor": "B1"}),
        ("3号楼-1层", {"building": "3", "floor": "B1"}),
        ("3幢501-2", {"building": "3", "room": "501-2"}),
        ("十二栋", {"building": "12"}),
        ("一百零二号楼", {"building": "102"}),
        ("A座1201", {"building": "A", "room": "1201"}),
        ("A-1201", {"building": "A", "room": "1201"}),
        ("甲3号楼", {"building": "甲3"}),
        ("西十二楼S305", {"building": "西12", "room": "S305"}),
        ("6号楼北侧小路", {"building": "6", "rest": "北侧小路"}),
        ("3号楼一楼搭建阳光房", {"building": "3", "floor": "1", "rest": "搭建阳光房"}),
        ("12", {"building": "12"}),
        ("", {}),
    ],
)
def test_the_parts_of_a_chinese_address_are_read(text: str, stated: dict[str, str]) -> None:
    assert parts(text) == stated


@pytest.mark.parametrize(
    ("text", "stated", "normalized"),
    [
        ("123 Main St", {"house_number": "123", "street": "MAIN STREET"}, "123 MAIN STREET"),
        (
            "12 W. 5th st, apt 4b",
            {"house_number": "12", "street": "WEST 5TH STREET", "room": "4B"},
            "12 WEST 5TH STREET APT 4B",
        ),
        ("110 REAR-A Fifth Ave", {"house_number": "110 REAR-A", "street": "5TH AVENUE"}, "110 REAR-A 5TH AVENUE"),
        ("99 1/2 Grand Street", {"house_number": "99 1/2", "street": "GRAND STREET"}, "99 1/2 GRAND STREET"),
        ("5 St Marks Pl", {"house_number": "5", "street": "SAINT MARKS PLACE"}, "5 SAINT MARKS PLACE"),
        ("1 Avenue N", {"house_number": "1", "street": "AVENUE N"}, "1 AVENUE N"),
        (
            "12-34 31st Ave, Astoria",
            {"house_number": "12-34", "street": "31ST AVENUE", "rest": "ASTORIA"},
            "12-34 31ST AVENUE",
        ),
        (
            "85 10 Avenue 3rd floor",
            {"house_number": "85", "street": "10TH AVENUE", "floor": "3"},
            "85 10TH AVENUE FLOOR 3",
        ),
        ("Western Union Plaza", {"place": "WESTERN UNION PLAZA"}, "WESTERN UNION PLAZA"),
    ],
)
def test_the_parts_of_an_english_address_are_read(text: str, stated: dict[str, str], normalized: str) -> None:
    assert parts(text) == stated
    assert parse(text).normalized == normalized


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        ("3号楼", "3"),
        ("３＃", "3"),
        ("第十二栋", "12"),
        ("A座", "A"),
        ("0501室", "501"),
        ("2单元", "2"),
        ("3-2", "3-2"),
        ("甲3号楼", "甲3"),
        ("", ""),
        ("501", "501"),
    ],
)
def test_a_number_is_the_same_with_and_without_its_mark(number: str, spelled: str) -> None:
    assert label(number) == spelled


@given(st.text(max_size=60))
def test_whatever_is_handed_in_is_read_without_an_error(text: str) -> None:
    address = parse(text)
    assert address.text == text
    assert isinstance(address.normalized, str)
    label(text)


def test_absurd_numbers_are_read_without_an_error() -> None:
    long = f"锦绣路{'1' * 5000}-{'2' * 5000}"
    assert match([long, f"{long}号"], BUILDINGS)["outcome"].tolist() == [Outcome.NONE] * 2
    assert match(["1"], pd.DataFrame({"number": [long], "name": [None], "address": [long]}))["building"].tolist() == [
        -1
    ]


@given(st.text(alphabet="锦绣路弄号楼栋单元室层座门院#-~ 一二十百零两3 5 01AB甲东0123456789", max_size=24))
def test_whatever_resembles_an_address_is_read_without_an_error(text: str) -> None:
    parse(parse(text).normalized)


dwelling = st.tuples(
    st.sampled_from(["", "锦绣路", "人民东路", "锦绣家园", "香樟园"]),
    st.integers(1, 99),
    st.one_of(st.none(), st.integers(1, 9)),
    st.integers(1, 33),
    st.integers(1, 9),
)


@given(dwelling)
def test_an_address_in_its_one_spelling_is_read_as_the_same_address(
    given_parts: tuple[str, int, int | None, int, int],
) -> None:
    name, building, unit, floor, door = given_parts
    text = f"{name}{building}号楼{f'{unit}单元' if unit else ''}{floor}{door:02d}室"
    address = parse(text)
    assert address.normalized == text
    assert (address.building, address.room) == (str(building), f"{floor}{door:02d}")
    assert address.unit == (str(unit) if unit else None)


BUILDINGS = pd.DataFrame(
    [
        ("1", None, "锦绣路12弄1号"),
        ("2号楼", None, "锦绣路12弄2号"),
        ("3", "锦绣家园3号楼", "锦绣路12弄3号楼"),
        ("综合", "综合楼", None),
        ("A座", "A座", "建国路88号"),
        ("4", None, "梅园路5号"),
        ("4", None, "桃园路5号"),
        (None, None, "南京东路98-102号"),
        ("77", None, None),
    ],
    columns=["number", "name", "address"],
)
DWELLINGS = pd.DataFrame(
    [(0, "1", "101"), (0, "2", "101"), (1, "1单元", "101室"), (2, "2", "0501"), (6, "1", "402"), (8, None, "301")],
    columns=["building", "unit", "room"],
)


def found(text: str | None, dwellings: pd.DataFrame | None = None, **options: float) -> pd.Series:
    return match([text], BUILDINGS, dwellings, **options).iloc[0]


@pytest.mark.parametrize(
    ("text", "building", "score", "method"),
    [
        ("锦绣路12弄1号", 0, 1, Method.EXACT),
        ("综合楼", 3, 1, Method.EXACT),
        ("锦绣路１２弄２号１０１", 1, 0.95, Method.NORMALIZED),
        ("锦绣路12弄3号501室", 2, 0.95, Method.NORMALIZED),
        ("锦绣家园三栋二单元501", 2, 0.95, Method.NORMALIZED),
        ("综合楼2楼", 3, 0.95, Method.NORMALIZED),
        ("建国路88号A座1201", 4, 0.95, Method.NORMALIZED),
        ("3-2-501", 2, 0.9, Method.NORMALIZED),
        ("1号101", 0, 0.9, Method.NORMALIZED),
        ("锦绣路12弄3号楼北侧", 2, 0.9, Method.NORMALIZED),
        ("南京东路100号", 7, 0.9025, Method.NORMALIZED),
        ("任何园77号楼", 8, 0.85, Method.NORMALIZED),
    ],
)
def test_what_agrees_makes_the_score(text: str, building: int, score: float, method: Method) -> None:
    row = found(text)
    assert (row.outcome, row.building, row.score, row.method) == (Outcome.MATCHED, building, score, method)


def test_several_equally_good_are_ambiguous_and_all_told() -> None:
    row = found("4号楼")
    assert (row.outcome, row.building) == (Outcome.AMBIGUOUS, -1)
    assert row.candidates == ((5, 0.9), (6, 0.9))
    assert found("桃园路5号4栋").building == 6
    assert found("锦绣路12弄").outcome == Outcome.AMBIGUOUS


def test_the_dwelling_decides_between_buildings_that_are_equally_good() -> None:
    row = found("4号楼1单元402", DWELLINGS)
    assert (row.outcome, row.building, row.dwelling) == (Outcome.MATCHED, 6, 4)
    assert found("4号楼1单元403", DWELLINGS).outcome == Outcome.AMBIGUOUS


@pytest.mark.parametrize(
    ("text", "dwelling"),
    [
        ("1-1-101", 0),
        ("1-2-101", 1),
        ("锦绣路12弄2号101", 2),
        ("3号楼2单元501", 3),
        ("1-101", -1),  # in two units
        ("3号楼2单元502", -1),
        ("3号楼3单元501", -1),
        ("3号楼", -1),
        ("77号楼9单元301", 5),  # the records know no units
    ],
)
def test_the_dwelling_is_found_only_where_exactly_one_fits(text: str, dwelling: int) -> None:
    row = found(text, DWELLINGS)
    assert row.outcome == Outcome.MATCHED
    assert row.dwelling == dwelling


def test_a_similar_name_is_offered_and_taken_only_above_the_threshold() -> None:
    row = found("锦秀家园3栋501")
    assert (row.outcome, row.building, row.method) == (Outcome.BELOW, -1, Method.SIMILAR)
    assert row.candidates == ((2, 0.7125),)
    lower = found("锦秀家园3栋501", threshold=0.7)
    assert (lower.outcome, lower.building) == (Outcome.MATCHED, 2)


@pytest.mark.parametrize("text", ["锦绣路13弄3号", "9号楼", "你好", "", None, "梨园路77-2号"])
def test_what_contradicts_the_records_matches_nothing(text: str | None) -> None:
    row = found(text)
    assert (row.outcome, row.building, row.score, row.candidates) == (Outcome.NONE, -1, 0, ())


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("5th Avenue", "6th Avenue"),
        ("East Broadway", "West Broadway"),
        ("Avenue A", "Avenue B"),
        ("Broadway", "E Broadway"),
        ("人民东路", "人民西路"),
        ("中山一路", "中山二路"),
    ],
)
def test_streets_that_differ_in_a_number_or_a_direction_are_not_similar(here: str, there: str) -> None:
    texts = [f"{street}12号" if "路" in street else f"12 {street}" for street in (here, there)]
    buildings = pd.DataFrame({"number": [None], "name": [None], "address": [texts[0]]})
    assert match([texts[1]], buildings, threshold=0.01)["outcome"].tolist() == [Outcome.NONE]
    assert match([texts[0]], buildings)["outcome"].tolist() == [Outcome.MATCHED]


def test_the_number_of_a_house_in_english_needs_no_column_of_its_own() -> None:
    texts = ["123 Main Street", "7 Old Fulton St"]
    buildings = pd.DataFrame({"number": ["123", "7"], "name": [None, None], "address": texts})
    rows = match(["123 main st", "123 Main Street, Apt 4B", "7 Old Fulton", "125 Main St"], buildings)
    assert rows["building"].tolist() == [0, 0, 1, -1]
    assert rows["room"].tolist() == [None, "4B", None, None]


def test_rows_come_in_the_order_of_the_addresses_and_none_makes_none() -> None:
    rows = match(["2号楼", None, "1号楼", "2号楼"], BUILDINGS)
    assert rows["building"].tolist() == [1, -1, 0, 1]
    nothing = match([], BUILDINGS)
    assert nothing.empty
    assert nothing.columns.tolist() == rows.columns.tolist()
    assert match(["1号楼"], BUILDINGS.iloc[:0])["outcome"].tolist() == [Outcome.NONE]


@given(st.permutations(range(9)))
def test_the_order_of_the_records_changes_nothing(order: list[int]) -> None:
    texts = ["锦绣家园三栋二单元501", "4号楼", "综合楼", "锦秀家园3栋501", "南京东路100号"]
    straight = match(texts, BUILDINGS)
    mixed = match(texts, BUILDINGS.iloc[order].reset_index(drop=True))
    assert straight["outcome"].tolist() == mixed["outcome"].tolist()
    assert straight["score"].tolist() == mixed["score"].tolist()
    assert straight["building"].tolist() == [order[at] if at >= 0 else -1 for at in mixed["building"]]


def _texts(frame: gpd.GeoDataFrame) -> list[str | None]:
    pairs = zip(frame["addr_housenumber"], frame["addr_street"], strict=True)
    return [None if pd.isna(house) or pd.isna(street) else f"{house} {street}" for house, street in pairs]


def test_56244_real_addresses_find_their_buildings_and_are_compared_with_few(
    geodata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = geodata / "buildings"
    buildings = gpd.read_parquet(folder / "nyc_south_buildings_osm.parquet").reset_index(drop=True)
    addresses = gpd.read_parquet(folder / "nyc_south_addresses_osm.parquet").reset_index(drop=True)
    table = pd.DataFrame(
        {"number": buildings["addr_housenumber"], "name": buildings["name"], "address": _texts(buildings)}
    )
    assert (len(addresses), len(table)) == (56244, 51017)
    compared = []
    score = matching._score
    monkeypatch.setattr(matching, "_score", lambda *pair: compared.append(None) or score(*pair))
    rows = match(_texts(addresses), table)
    assert len(compared) < 4 * len(addresses)

    # The judge: the building each address point stands in. Streets on both sides of the river share names, and some
    # points stand on the next house, so it is nearly always the matched one.
    matched = np.flatnonzero(rows["outcome"] == Outcome.MATCHED)
    inside, holder = shapely.STRtree(buildings.geometry.values).query(addresses.geometry.values, predicate="within")
    truth = set(zip(inside.tolist(), holder.tolist(), strict=True))
    judged = np.intersect1d(matched, inside)
    right = sum((int(at), int(rows["building"][at])) in truth for at in judged)
    assert len(matched) > 42000
    assert right / len(judged) > 0.99
    ambiguous = rows[rows["outcome"] == Outcome.AMBIGUOUS]
    assert (ambiguous["building"] == -1).all()
    assert ambiguous["candidates"].map(len).min() > 1


@pytest.mark.parametrize("unit", ["1", "1-", "A1-", "一", "锦", " ", "(", "A", ",", "#", "1弄", "一巷", "MAIN ST "])
def test_a_million_characters_are_no_longer_than_an_address(unit: str) -> None:
    """Taking the square of its length, this would not come to an end."""
    address = parse("锦绣路12号" + unit * (1_000_000 // len(unit)))
    assert (address.street, address.house_number is not None) == ("锦绣路", True)


def test_a_row_of_digits_is_looked_at_once() -> None:
    from spatial.addresses import parsing

    assert [found[0] for found in parsing._MARKED.finditer("1" * 20_000)] == []
    assert [found[0] for found in parsing._MARKED.finditer("12A3号4-5室B6幢")] == ["A3号", "4-5室", "B6幢"]


_HEADS = st.sampled_from(
    [
        "梧桐路12弄3号",
        "3号楼2单元",
        "锦绣家园5幢",
        "综合楼5楼",
        "梧桐路106-110号",
        "錦繡路2號",
        "A座12层",
        "5楼",
        "某地",
    ]
)
_TAILS = st.from_regex(r"[0-9]{1,5}(室|号|房)?", fullmatch=True)


@given(st.lists(st.builds(str.__add__, _HEADS, _TAILS), min_size=1, max_size=30))
def test_doors_of_a_storey_that_are_read_together_are_read_as_each_by_itself(texts: list[str]) -> None:
    together = match(texts, BUILDINGS, DWELLINGS)
    with patch.object(matching, "before_door", return_value=None):
        one_by_one = match(texts, BUILDINGS, DWELLINGS)
    pd.testing.assert_frame_equal(together, one_by_one)
    stated = [(parse(text).unit, parse(text).floor, parse(text).room, parse(text).rest) for text in texts]
    assert list(together[["unit", "floor", "room", "rest"]].itertuples(index=False, name=None)) == stated


def test_a_ledger_is_taken_apart_by_storeys(monkeypatch: pytest.MonkeyPatch) -> None:
    taken_apart: list[str] = []
    monkeypatch.setattr(matching, "parse", lambda text: taken_apart.append(text) or parse(text))
    doors = [f"锦绣路12弄3号楼{floor}{door:02}室" for floor in (1, 2) for door in range(1, 51)]
    rooms = match(doors, BUILDINGS.iloc[:0])["room"].tolist()
    assert (rooms[0], rooms[-1], len(set(rooms)), len(taken_apart)) == ("101", "250", 100, 2)


def test_a_record_that_is_written_to_the_door_is_still_found_letter_by_letter() -> None:
    records = pd.DataFrame({"number": None, "name": None, "address": ["锦绣路12弄3号501室", "梅园路7号"]})
    rows = match(["锦绣路12弄3号501室", "锦绣路12弄3号502室"], records)
    assert rows["method"].tolist() == [Method.EXACT, Method.NORMALIZED]
    assert rows["building"].tolist() == [0, 0]
