"""Inputs as real offices, phones and spreadsheets produce them, each with its right value: nothing wrong in silence.

A folder of ``WANGGE_CASES`` is one input of a kind; its ``expected.txt`` says what is right and where it was seen.
"""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import search, units
from data.base import access
from data.base.errors import Invalid
from data.exchange import importing, tracks
from data.patrols import Track
from spatial import datums
from spatial.addresses import parse
from tests.data.offices import NOWHERE, Place, counted, said

# ---- the same thing written otherwise ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "first", "second"),
    [
        ("03-pandas-floats", "households-int.csv", "households-float-nophone.csv"),
        ("04-literal-apostrophe", "households.csv", "households-clean.csv"),
        ("06-invisible-characters", "households-clean.csv", "households-number.csv"),
    ],
)
def test_a_household_written_otherwise_is_the_same_household(base: Place, folder: str, first: str, second: str) -> None:
    base.bring("households", f"{folder}/{first}")
    doors = base.doors

    again = base.bring("households", f"{folder}/{second}")
    assert counted(again) == (0, 0, len(doors))
    assert base.doors == doors
    assert doors["1001"] == ("b3", "1", "501")


def test_a_number_in_quotes_after_an_equals_sign_keeps_its_zeros(base: Place) -> None:
    base.bring("households", "05-equals-quoted/households-number-only.csv")
    assert base.doors == {"0012": ("b3", "1", "501")}


def test_a_phone_with_characters_that_nobody_sees_is_a_phone(base: Place) -> None:
    assert base.bring("households", "06-invisible-characters/households.csv").new == 1


def test_a_name_set_with_a_space_is_the_same_person(base: Place) -> None:
    base.bring("residents", "18-name-with-space/residents-spaced.csv")
    again = base.bring("residents", "18-name-with-space/residents-plain.csv")
    assert again.new == 0
    assert base.people("name") == {"1001": ["李明", "王芳"]}


@pytest.mark.parametrize("number", ["154-0000-0001", "+86 154 0000 0001", "１５４０００００００１", "(86)15400000001"])
def test_a_search_finds_a_phone_in_every_spelling(base: Place, number: str) -> None:
    base.bring("households", "03-pandas-floats/households-int.csv")
    found = search.find(base.session, access.SYSTEM, number, purpose="核实")
    assert [one.facts["household_number"] for one in found if one.kind == search.Kind.RESIDENTS] == ["1001"]


@pytest.mark.parametrize(
    ("term", "kind"), [("１００１", "households"), ("錦繡路12弄3號", "buildings"), ("林　一", "residents")]
)
def test_a_search_finds_what_is_written_otherwise(base: Place, term: str, kind: str) -> None:
    base.bring("households", "03-pandas-floats/households-int.csv")
    assert search.find(base.session, access.SYSTEM, term)[0].kind == kind


# ---- a number, a day, a phone must look like one -------------------------------------------------------------------


@pytest.mark.parametrize("file", ["households-lucky.csv", "households-zeros.csv"])
def test_identity_numbers_that_a_spreadsheet_rounded_are_refused_whether_they_fit_or_not(
    base: Place, file: str
) -> None:
    _sentence, rows = base.refused("households", f"07-id-digits-lost-in-csv/{file}")
    assert len(rows) == (3 if "lucky" in file else 6)
    assert all("has lost its last digits" in reason for reason in rows.values())


def test_the_errors_of_a_spreadsheet_are_no_names_and_no_numbers(base: Place) -> None:
    _sentence, rows = base.refused("households", "13-error-cells/households.xlsx")
    assert "#N/A" in rows[2]
    assert "#REF!" in rows[3]
    assert "#VALUE!" in rows[3]
    assert list(rows) == [2, 3]


def test_day_numbers_are_days_those_of_old_people_too(base: Place) -> None:
    base.bring("residents", "15-day-numbers/residents.csv")
    days = {number: str(born[0]) for number, born in base.people("born_on").items()}
    assert days == {"1001": "1985-03-05", "1002": "1925-06-01", "1003": "1985-03-05"}


@pytest.mark.parametrize(
    ("number", "at"),
    [
        ("W1", "13:10"),
        ("W3", "15:05"),
        ("W5", "09:05"),
        ("W7", "09:05"),
        ("W9", "00:30"),
        ("W11", "00:30"),
        ("W12", "20:30"),
        ("W13", "12:30"),
        ("W14", "12:30"),
    ],
)
def test_a_time_with_a_word_is_the_time_it_means(base: Place, number: str, at: str) -> None:
    base.bring("incidents", f"16-clock-words/one-{number}.csv")
    assert base.incidents[number].at == f"2026-03-18 {at}"


def test_a_birthday_without_a_day_is_said(base: Place) -> None:
    report = base.bring("residents", "17-birthdays-of-offices/residents.csv")
    assert "Rows: 2, 3, 4." in said(report)
    assert base.people("born_on") == {"1001": [None], "1002": [None], "1003": [None]}


@pytest.mark.parametrize(
    ("file", "note"), [("households-1.csv", "first of several"), ("households-7.csv", ""), ("households-8.csv", "")]
)
def test_two_phones_in_a_cell_and_none_are_no_reason_to_refuse_a_file(base: Place, file: str, note: str) -> None:
    report = base.bring("households", f"20-two-phones/{file}")
    assert report.new == 1
    assert note in said(report)
    phones = base.session.scalars(text("SELECT phone_blind IS NULL FROM resident")).all()
    assert phones == [file == "households-8.csv"]


@pytest.mark.parametrize("number", [1, 2, 5, 6, 7, 8, 9])
def test_other_papers_than_the_identity_card_are_papers(base: Place, number: int) -> None:
    base.bring("residents", f"21-other-papers/residents-{number}.csv")
    assert base.people("identity_kind") == {f"H{number}": ["resident_id" if number == 9 else "other"]}


def test_columns_that_are_nothing_known_are_named(base: Place) -> None:
    report = base.bring("households", "50-column-not-recognised/households.csv")
    assert "特殊情况" in said(report)
    assert base.doors == {"1001": ("b3", "1", "501")}
    assert base.bring("residents", "50-column-not-recognised/residents.csv").updated == 1
    born = [str(day) for days in base.people("born_on").values() for day in days]
    assert "1985-03-05" in born


# ---- addresses -----------------------------------------------------------------------------------------------------


def test_an_address_in_traditional_characters_is_the_same_address(base: Place) -> None:
    base.bring("households", "22-traditional-addresses/households.csv")
    assert base.doors == {"1001": ("b3", None, "501"), "1004": ("b6", None, "601")}


def test_addresses_are_read_by_their_parts_or_stay_unlocated(base: Place) -> None:
    report = base.bring("households", "23-addresses-as-written/households.csv")
    with (base.cases / "23-addresses-as-written/addresses.csv").open(encoding="utf-8-sig") as file:
        wanted = {f"H{at}": row for at, row in enumerate(csv.DictReader(file), start=1)}
    wrong = {}
    for number, door in base.doors.items():
        row = wanted[number]
        right = (f"b{row['building']}", row["unit"] or None, row["room"])
        if door not in (NOWHERE, right):
            wrong[row["address"]] = door
    assert wrong == {}
    assert {number for number, door in base.doors.items() if door != NOWHERE} == {
        "H6",
        "H12",
        "H13",
        "H14",
        "H16",
        "H17",
    }
    for part in ("地下室12号", "太仓市", "东户"):
        assert part in said(report)


@pytest.mark.parametrize(
    ("address", "parts", "rest"),
    [
        ("3号楼1单元-101", ("3", "1", None), "-101"),
        ("3号楼−101", ("3", None, None), "−101"),
        ("3号楼B1-05", ("3", None, None), "B1-05"),
        ("3号楼地下一层101", ("3", None, None), "101"),
        ("3号楼负一层", ("3", None, None), None),
        ("3号楼2单元12楼03", ("3", "2", "1203"), None),
        ("临3号", ("临3", None, None), None),
        ("老3号楼501", ("老3", None, "501"), None),
        ("3号楼501（东）", ("3", None, "501"), "(东)"),
        ("叁號樓貳單元501", ("3", "2", "501"), None),
    ],
)
def test_what_is_not_understood_of_an_address_is_named(
    address: str, parts: tuple[str | None, ...], rest: str | None
) -> None:
    found = parse(address)
    assert (found.building or found.house_number, found.unit, found.room) == parts
    assert found.rest == rest


def test_a_building_is_never_that_of_the_other_estate(session: Session, cases: Path) -> None:
    place = Place.make(session, cases, "00-two-estates")
    place.bring("households", "24-estate-in-its-own-column/households.csv")
    assert place.doors == {"1001": ("j3", "1", "501"), "1002": ("w3", "1", "501"), "1003": NOWHERE}


def test_an_estate_that_the_register_does_not_know_is_said_and_left_aside(base: Place) -> None:
    report = base.bring("households", "24-estate-in-its-own-column/households.csv")
    assert "name no estate" in said(report)
    assert base.doors["1003"] == ("b6", "1", "101")


def test_beside_and_opposite_are_near_and_said(base: Place) -> None:
    report = base.bring("incidents", "52-beside-and-opposite/incidents.csv")
    located = {number: row.code for number, row in base.incidents.items()}
    assert located == {f"W{n}": None if n in (5, 7, 9) else "b3" for n in range(1, 10)}
    assert "“对面” (2)" in said(report)


def test_a_word_before_a_number_makes_it_another_number(base: Place) -> None:
    report = base.bring("households", "57-words-before-the-number/households.csv")
    assert base.doors == {
        "Q13": NOWHERE,
        "Q37": ("b3", "2", "1203"),
        "Q38": ("b3", "2", "1203"),
        "Q3": NOWHERE,
        "Q21": ("b3", None, "501"),
    }
    assert "“(东)” (6)" in said(report)


@pytest.mark.parametrize(
    "address", ["苏州市姑苏区锦绣路12弄3号501", "姑苏区锦绣路12弄3号501", "苏州市锦绣路12弄3号501"]
)
def test_an_address_in_another_city_or_district_is_not_ours(base: Place, tmp_path: Path, address: str) -> None:
    file = tmp_path / "households.csv"
    file.write_text(f"户号,地址\n1001,{address}\n1002,上海市江城区锦绣路12弄3号501\n", encoding="utf-8")
    report = base.bring("households", file)
    assert base.doors == {"1001": NOWHERE, "1002": ("b3", None, "501")}
    assert address[:3] in said(report)


# ---- tables as offices set them ------------------------------------------------------------------------------------


def test_a_door_that_became_a_date_is_refused(base: Place) -> None:
    sentence, rows = base.refused("households", "01-door-became-date/households.xlsx")
    assert list(rows) == [2, 4]
    assert "is a date" in sentence
    base.bring("households", "01-door-became-date/households.xlsx", accept_valid=True)
    assert base.doors == {"H2": ("b3", "2", "501")}


def test_zeros_of_a_number_format_are_part_of_the_number(base: Place) -> None:
    base.bring("households", "02-zeros-in-the-format/households-text.xlsx")
    assert counted(base.bring("households", "02-zeros-in-the-format/households-format.xlsx")) == (0, 0, 2)
    assert set(base.doors) == {"0012", "0013"}


@pytest.mark.parametrize("folder", ["08-two-row-header", "10-totals-and-signatures", "47-form-head-above-the-table"])
def test_the_rows_of_a_form_are_its_households_and_nothing_else(base: Place, folder: str) -> None:
    report = base.bring("households", f"{folder}/households.xlsx")
    assert base.doors == {"1001": ("b3", "1", "501"), "1002": ("b4", "2", "602")}
    told = {
        "08": "read from the rows 1 and 2",
        "10": "4 (a total); 5 (who signed); 6 (a note)",
        "47": "from row 3",
    }
    assert told[folder[:2]] in said(report)


def test_the_row_of_the_header_can_be_told(base: Place) -> None:
    assert base.bring("households", "47-form-head-above-the-table/households.xlsx", header=3).new == 2
    with pytest.raises(Invalid, match="no header in row 9"):
        base.bring("households", "47-form-head-above-the-table/households.xlsx", header=9)


def test_merged_families_are_whole(base: Place) -> None:
    base.bring("residents", "09-merged-families/residents.xlsx")
    assert base.people("name") == {"1001": ["林一", "王美", "林小"], "1002": ["王一", "赵云"]}


def test_rows_hidden_by_a_filter_are_noted(base: Place) -> None:
    report = base.bring("households", "11-filtered-rows/households.xlsx")
    assert report.new == 3
    assert "Hidden rows, as a filter leaves them, are read like the others: 3." in report.notes


def test_a_formula_without_a_value_is_refused(base: Place) -> None:
    _sentence, rows = base.refused("households", "12-formulas-without-values/households-door.xlsx")
    assert set(rows) == {2, 3}
    assert "is a formula without a value" in rows[2]


def test_a_workbook_that_counts_from_1904_has_one_time(base: Place) -> None:
    base.bring("incidents", "14-mac-1904/incidents.xlsx")
    assert {row.at for row in base.incidents.values()} == {"2026-03-01 09:00"}


@pytest.mark.parametrize(
    ("file", "numbers"), [("households-jia.xlsx", {"1001"}), ("households.xlsx", {"1001", "1002"})]
)
def test_the_numbers_of_the_columns_are_no_household(base: Place, file: str, numbers: set[str]) -> None:
    report = base.bring("households", f"48-row-of-column-numbers/{file}")
    assert set(base.doors) == numbers
    assert "2 (the numbers of the columns)" in said(report)


@pytest.mark.parametrize("kind", ["households", "incidents"])
def test_the_header_again_is_no_row(base: Place, kind: str) -> None:
    report = base.bring(kind, f"49-header-again/{kind}.csv")
    assert report.new == 2
    assert "3 (the header once more)" in said(report)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("30-xls-that-is-not/html.xls", "web page"),
        ("53-password-protected-xlsx/家庭台账.xlsx", "password"),
        ("53-password-protected-xlsx/real97.xls", "Save it as XLSX"),
        ("54-other-office-formats/台账.xlsb", "xlsb"),
        ("54-other-office-formats/grids.topojson", "TopoJSON"),
    ],
)
def test_what_cannot_be_read_is_named_for_what_it_is(base: Place, file: str, sentence: str) -> None:
    assert sentence in base.refused("households", file)[0]


def test_what_an_arcgis_server_answers_is_a_grid(base: Place) -> None:
    source = importing.inspect(base.cases / "39-esri-json/grids.json", "grids").source
    assert (source.format, len(source.frame), source.crs) == ("Esri JSON", 1, "EPSG:4326")
    assert source.frame["NAME"].tolist() == ["一网格"]


def test_a_workbook_of_excel_2003_xml_is_a_table(base: Place) -> None:
    source = importing.inspect(base.cases / "30-xls-that-is-not/2003.xls", "households").source
    assert (source.format, source.columns) == ("Excel 2003 XML", ["户号"])


@pytest.mark.parametrize(
    "file",
    [
        "29-unicode-text/households.txt",
        "29-unicode-text/households-nobom.txt",
        "30-xls-that-is-not/csv-3rows.xls",
        "31-zip-with-gbk-names/backslash.zip",
        "31-zip-with-gbk-names/folder.zip",
        "31-zip-with-gbk-names/plain.zip",
    ],
)
def test_a_table_under_another_name_is_read(base: Place, file: str) -> None:
    base.bring("households", file)
    assert base.doors["1001"] == ("b3", "1", "501")
    assert base.doors["1002"] == ("b4", "2", "602")


def test_half_a_character_at_the_end_of_a_field_leaves_the_rest_right(base: Place) -> None:
    source = importing.inspect(base.cases / "45-dbf-half-a-character/names.shp", "buildings").source
    texts = [str(cell) for cells in source.sample().values() for cell in cells]
    assert any(text.startswith("锦绣家园") for text in texts), texts


# ---- coordinates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 11))
def test_degrees_are_read_in_every_typography(base: Place, number: int) -> None:
    base.bring("incidents", f"27-dms-typography/incidents-{number}.csv")
    row = base.incidents[f"W{number}"]
    assert (row.lon, row.lat) == (121.501, 31.231)


@pytest.mark.parametrize("number", range(1, 9))
def test_pairs_are_read_or_the_order_is_asked_for(base: Place, number: int) -> None:
    if number in (1, 3):
        assert "Swap" in base.refused("incidents", f"28-pairs/incidents-{number}.csv")[0]
        return
    base.bring("incidents", f"28-pairs/incidents-{number}.csv")
    row = base.incidents[f"W{number}"]
    assert (row.lon, row.lat) == (121.501, 31.231)


@pytest.mark.parametrize("file", ["incidents.csv", "incidents-timed.csv"])
def test_the_columns_of_a_collecting_app_are_a_place_and_a_time(base: Place, file: str) -> None:
    base.bring("incidents", f"25-kobo-export/{file}")
    (row,) = base.incidents.values()
    assert (row.lon, row.lat, row.grid, row.at) == (121.5005, 31.2305, "一网格", "2026-03-01 09:00")


def test_decimal_commas_are_read_and_said(base: Place) -> None:
    report = base.bring("incidents", "26-decimal-comma/incidents.csv")
    assert (base.incidents["W1"].lon, base.incidents["W2"].lat) == (121.501, 31.2312)
    assert "decimal commas" in said(report)


def test_a_layer_of_an_old_datum_is_moved_as_a_whole(base: Place) -> None:
    report = base.bring("buildings", "32-beijing54/line-across-31.221.csv", crs="EPSG:2437")
    points = shapely.points([[shape.x, shape.y] for shape in report.geometries])
    flat = datums.reproject(points, "EPSG:4326", "EPSG:4549")
    steps = [one.distance(other) for one, other in itertools.pairwise(flat)]
    assert steps == pytest.approx([110.9] * 7, abs=0.1)
    assert "good to about 15 m" in said(report)
    outline = base.bring("buildings", "32-beijing54/footprint-across-31.221.csv", crs="EPSG:2437").geometries[0]
    (flat_outline,) = datums.reproject(np.array([outline], dtype=object), "EPSG:4326", "EPSG:4549")
    assert flat_outline.minimum_rotated_rectangle.area == pytest.approx(flat_outline.area, rel=1e-3)


def test_an_old_datum_without_a_known_shift_is_refused(base: Place, tmp_path: Path) -> None:
    file = tmp_path / "buildings.csv"
    file.write_text("编号,楼号,x,y\nn0,1,40357000,3456000\n", encoding="utf-8")
    assert "No transformation from EPSG:2364" in base.refused("buildings", file, crs="EPSG:2364")[0]


# ---- days and times, blank cells, words ----------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["incidents.csv", "incidents.xlsx"])
def test_a_day_and_a_time_in_two_columns_are_one_moment(base: Place, file: str) -> None:
    report = base.bring("incidents", f"42-date-and-time-apart/{file}")
    assert base.incidents["W1"].at == "2026-03-18 09:30"
    assert "read together" in said(report)


LEDGERS = [
    ("education", "residents", "education", "E", {24, 25, 26, 27}),
    ("ethnicity", "residents", "ethnicity", "T", {16}),
    ("marital", "residents", "marital_status", "M", {10}),
    ("political", "residents", "political_status", "P", {12}),
    ("relation", "residents", "relation", "R", set()),
]


@pytest.mark.parametrize(("file", "kind", "column", "letter", "unsaid"), LEDGERS)
def test_words_of_ledgers_are_taken_or_said_by_row(
    base: Place, file: str, kind: str, column: str, letter: str, unsaid: set[int]
) -> None:
    report = base.bring(kind, f"55-words-of-ledgers/{file}.csv", accept_valid=True)
    assert {reject.row - 2 for reject in report.rejects} == unsaid
    assert all("is none of the known ones" in reject.reason for reject in report.rejects)
    assert all(codes != [None] for codes in base.people(column).values())
    if file == "relation":
        codes = base.people(column)
        assert codes["R5"] == codes["R6"] == codes["R2"] == ["12"]
        assert codes["R55"] == codes["R49"] == ["10"]


@pytest.mark.parametrize("file", ["use", "groups"])
def test_a_word_that_is_none_is_said_with_the_nearest_one(base: Place, file: str) -> None:
    report = base.bring("households", f"55-words-of-ledgers/{file}.csv", accept_valid=True)
    with (base.cases / f"55-words-of-ledgers/{file}.csv").open(encoding="utf-8-sig") as rows:
        assert report.new + report.rejected == len(list(csv.DictReader(rows)))
    assert any("Did you mean" in reject.advice for reject in report.rejects)


def test_what_cannot_be_is_told(base: Place, tmp_path: Path) -> None:
    base.bring("households", "03-pandas-floats/households-int.csv")
    file = tmp_path / "households.csv"
    file.write_text("户号,楼栋,单元,房号,联系电话\n7,3,1,501,6543123\n8,3,1,9999,\n", encoding="utf-8")
    report = base.bring("households", file)
    assert "Several households live in one dwelling; check the rows 2." in report.notes
    assert "Rooms above the highest floor of their building; check the rows 3." in report.notes
    assert "seven digits and no area code" in said(report)


# ---- tracks --------------------------------------------------------------------------------------------------------


def track_of(cases: Path, file: str) -> Track:
    (recorded,) = tracks.read((cases / file).read_bytes(), file)[1]
    return recorded.track


def length_m(track: Track) -> float:
    line = shapely.LineString(np.column_stack((track.lon, track.lat)))
    (flat,) = datums.reproject(np.array([line], dtype=object), "EPSG:4326", "EPSG:4549")
    return float(flat.length)


def test_a_track_with_its_newest_point_first_is_the_same_walk(cases: Path) -> None:
    walked = track_of(cases, "35-newest-point-first/sorted.gpx")
    turned = track_of(cases, "35-newest-point-first/reversed.gpx")
    assert len(turned) == 60
    assert (np.diff(turned.at).astype(int) > 0).all()
    np.testing.assert_array_equal(turned.at, walked.at)
    np.testing.assert_array_equal(turned.lon, walked.lon)


def test_segments_in_the_wrong_order_are_put_right() -> None:
    def segment(minute: int, lon: float) -> str:
        points = "".join(
            f'<trkpt lat="31.23" lon="{lon + at / 1e5}"><time>2026-03-18T01:{minute:02d}:{at:02d}Z</time></trkpt>'
            for at in range(0, 30, 10)
        )
        return f"<trkseg>{points}</trkseg>"

    text = f"<gpx><trk>{segment(20, 121.51)}{segment(0, 121.50)}</trk></gpx>"
    (recorded,) = tracks.read(text.encode(), "swapped.gpx")[1]
    assert (np.diff(recorded.track.at).astype(int) > 0).all()
    assert recorded.track.segment.tolist() == [0, 0, 0, 1, 1, 1]
    assert recorded.track.lon[0] == pytest.approx(121.50)


@pytest.mark.parametrize("file", ["arc-only-ends.gpx", "arc-all.gpx", "arc-none.gpx"])
def test_points_between_two_with_a_time_are_part_of_the_walk(cases: Path, file: str) -> None:
    track = track_of(cases, f"36-some-points-without-time/{file}")
    assert len(track) == 61
    assert length_m(track) == pytest.approx(195, abs=2)
    assert np.isnat(track.at).sum() == (61 if "none" in file else 0)


def test_points_of_the_same_second_keep_the_walk(cases: Path) -> None:
    track = track_of(cases, "37-same-second-twice/track.gpx")
    walked = track_of(cases, "35-newest-point-first/sorted.gpx")
    assert length_m(track) == pytest.approx(length_m(walked), rel=0.1)


@pytest.mark.parametrize("file", ["slashes.gpx", "ms.gpx"])
def test_times_with_slashes_and_in_milliseconds_are_times(cases: Path, file: str) -> None:
    track = track_of(cases, f"43-local-time-as-utc/{file}")
    assert not np.isnat(track.at).any()
    assert str(track.at[0]).startswith("2026-03-18T01:00:00")


@pytest.mark.parametrize(("file", "zoneless"), [("nozone.gpx", True), ("slashes.gpx", True), ("ms.gpx", False)])
def test_times_without_a_zone_are_known_to_have_none(cases: Path, file: str, zoneless: bool) -> None:
    (recorded,) = tracks.read((cases / "43-local-time-as-utc" / file).read_bytes(), file)[1]
    assert recorded.zoneless is zoneless


def test_cells_that_empty_what_is_there_are_said(base: Place) -> None:
    base.bring("households", "41-blank-cells/households-1.csv")
    before = base.bring("households", "41-blank-cells/households-2.csv", dry_run=True)
    after = base.bring("households", "41-blank-cells/households-2.csv")
    for report in (before, after):
        assert "“Phone” is empty in the file" in said(report)
        assert "“Note” is empty in the file" in said(report)


@pytest.mark.parametrize(("code", "is_odd"), [("abc", True), ("310101002001", True), ("310101001009", False)])
def test_a_code_that_does_not_go_on_from_the_one_above_is_told(base: Place, code: str, is_odd: bool) -> None:
    street = units.by_code(base.session, access.SYSTEM, "310101001")
    community = units.Unit(level=units.Level.COMMUNITY, code=code, name="别处社区", parent_id=street.id)
    assert (units.odd_code(base.session, community) is not None) is is_odd
