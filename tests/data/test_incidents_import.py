"""Cases of other systems: their times are kept, their course is written down, and what is handled here stays ours."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import incidents
from data.base import access
from data.base.errors import Invalid
from data.exchange import exporting, importing
from data.exchange.importing import Refused, Report
from data.incidents import Action, Incident, IncidentStep, Step
from tests.city import City, degrees

HEADINGS = ["事件编号", "事件类别", "上报时间", "状态", "办结时间", "处理情况", "楼栋", "经度", "纬度"]


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def bring(city: City, path: Path, **options: Any) -> Report:
    """Import incidents into the city as the system."""
    return importing.run(city.session, access.SYSTEM, "incidents", path, city.community, **options)


def table(path: Path, *rows: list[Any]) -> Path:
    """A CSV file with the usual headings."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADINGS, *rows])
    return path


def found(city: City, number: str) -> Incident:
    """The case with this number."""
    city.session.expire_all()
    return city.session.scalars(select(Incident).where(Incident.number == number)).one()


def course(city: City, number: str) -> list[tuple[str, str, datetime, str | None]]:
    """Action, step, time and note of each step of a case."""
    steps = incidents.steps(city.session, access.SYSTEM, found(city, number))
    return [(step.action, step.step, step.at, step.note) for step in steps]


def test_a_closed_case_keeps_its_times_and_what_was_done(city: City, tmp_path: Path) -> None:
    row = ["s-1", "楼道灯不亮", "2026-03-17 09:00", "已办结", "2026-03-18 10:00", "已换灯", "", *degrees(150, 150)]
    path = table(tmp_path / "i.csv", row)
    assert bring(city, path).new == 1
    reported, closed = datetime(2026, 3, 17, 1, tzinfo=UTC), datetime(2026, 3, 18, 2, tzinfo=UTC)
    assert (found(city, "s-1").step, found(city, "s-1").closed_at) == (Step.CLOSED, closed)
    expected = [(Action.REPORT, Step.REPORTED, reported, None), (Action.TAKE_OVER, Step.CLOSED, closed, "已换灯")]
    assert course(city, "s-1") == expected
    assert bring(city, path).unchanged == 1
    assert course(city, "s-1") == expected, "the same file again writes no step"


def test_a_file_moves_on_what_is_not_handled_here_and_nothing_else(city: City, tmp_path: Path) -> None:
    place = degrees(150, 150)
    rows = [[number, "楼道灯不亮", "2026-03-17 09:00", "待受理", "", "", "", *place] for number in ("s-1", "s-2")]
    bring(city, table(tmp_path / "i.csv", *rows))
    incidents.act(city.session, access.SYSTEM, found(city, "s-2"), Action.TRIAGE)
    for row in rows:
        row[3] = "已办结"
    report = bring(city, table(tmp_path / "i.csv", *rows))
    assert (report.updated, report.unchanged) == (1, 1)
    assert found(city, "s-1").step == Step.CLOSED
    assert found(city, "s-2").step == Step.TRIAGED
    assert any("1 case is handled here" in note for note in report.notes)


def test_a_case_with_a_point_keeps_the_building_it_names(city: City, tmp_path: Path) -> None:
    row = ["s-1", "楼道灯不亮", "2026-03-17 09:00", "", "", "", None, *degrees(160, 180)]
    row[6] = city.buildings["B2"].number
    assert bring(city, table(tmp_path / "i.csv", row)).located == {"point": 1}
    case = found(city, "s-1")
    assert (case.building_id, case.located_by) == (city.buildings["B2"].id, "point")
    row[6] = ""
    assert bring(city, table(tmp_path / "i.csv", row)).unchanged == 1, "a file without the building leaves it"


@pytest.mark.parametrize("form", ["csv", "geojson", "xlsx", "gpkg"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_an_export_comes_back_without_a_change(city: City, tmp_path: Path, form: str, language: str) -> None:
    city.incident(50, 50, building_id=city.buildings["A1"].id, source="patrol")
    city.incident(150, 160, building_id=city.buildings["B2"].id, source="hotline", state="in_progress")
    city.incident(250, 220, source="resident", state="closed", closed_at=datetime(2026, 3, 19, tzinfo=UTC))
    at_building = incidents.report(
        city.session,
        access.SYSTEM,
        community=city.community,
        category_code="facility.door",
        building_id=city.buildings["C3"].id,
        source="visit",
    )
    path = tmp_path / f"cases.{form}"
    exporting.stream(city.session, access.SYSTEM, "incidents", city.community, path, format=form, headings=language)
    report = bring(city, path)
    assert (report.new, report.updated, report.unchanged) == (0, 0, 4)
    assert found(city, at_building.number).source == "visit"
    if (form, language) == ("csv", "zh"):
        with path.open(encoding="utf-8-sig") as file:
            assert {row["来源"] for row in csv.DictReader(file)} == {"巡查", "热线", "居民", "走访"}


def test_a_number_given_out_after_an_import_is_free(city: City, tmp_path: Path) -> None:
    first = city.incident()
    day, _dash, running = first.number.partition("-")
    row = [f"{day}-017", "楼道灯不亮", "2026-03-17 09:00", "", "", "", "", *degrees(150, 150)]
    bring(city, table(tmp_path / "i.csv", row))
    assert (running, city.incident().number) == ("001", f"{day}-018")


# GeoReport


def test_the_requests_of_a_real_server_come_in_with_their_services(city: City, geodata: Path) -> None:
    boston = geodata / "open311/boston_scrubbed/responses--0-1000--aa.json"
    incidents.change_category(city.session, access.SYSTEM, "order.parking", external_code="4f389210e75084437f0001e5")
    with pytest.raises(Refused):
        bring(city, boston, crs="EPSG:4326")
    report = bring(city, boston, crs="EPSG:4326", accept_valid=True)
    assert (report.read, report.new, report.unchanged, report.rejected) == (1000, 949, 50, 1)
    assert any("count once" in note for note in report.notes), "what stands on the border of two pages came twice"
    assert any("time of the report" in one.reason for one in report.rejects)
    first = {one["service_request_id"]: one for one in reversed(json.loads(boston.read_text())) if len(one) == 9}
    expected = Counter("closed" if one["status"] == "closed" else "reported" for one in first.values())
    query = "SELECT step, count(*) AS cases FROM incident WHERE category_code = 'order.parking' GROUP BY 1"
    assert {row.step: row.cases for row in city.session.execute(text(query))} == expected
    assert any(f"{expected['closed']} closed cases do not say when" in note for note in report.notes)


def test_a_row_that_says_what_an_earlier_one_says_counts_once_and_one_that_contradicts_it_is_sent_back(
    city: City, tmp_path: Path
) -> None:
    row = ["s-1", "楼道灯不亮", "2026-03-17 09:00", "待受理", "", "", "", *degrees(150, 150)]
    other, moved = [*row], [*row]
    other[3], moved[7] = "已办结", degrees(152, 150)[0]
    report = bring(city, table(tmp_path / "same.csv", row, row, row))
    assert (report.read, report.new, report.unchanged, report.rejected) == (3, 1, 2, 0)
    assert report.notes[-1].endswith("count once: 3 = 2, 4 = 2.")
    report = bring(city, table(tmp_path / "other.csv", row, other, row, moved), accept_valid=True)
    assert (report.unchanged, [one.row for one in report.rejects]) == (2, [3, 5])
    assert {one.reason for one in report.rejects} == {"The number s-1 is already in row 2."}
    assert found(city, "s-1").state == "new"


def test_the_notes_of_a_server_are_what_was_done(city: City, geodata: Path) -> None:
    path = geodata / "open311/cfa_ruby/fixtures/service_requests.xml"
    assert bring(city, path, crs="EPSG:4326").new == 2
    assert course(city, "638344")[-1][3] == "Duplicate request."
    assert found(city, "638344").due_at == datetime(2010, 4, 15, 14, 37, 38, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("services.xml", "36 services"),
        ("service_definition.xml", "defines the service DMV66"),
        ("request_id_from_token.xml", "receipt of a report"),
        ("post_service_request.xml", "receipt of a report"),
        ("get_service_request_not_found.xml", "404 Service request not found"),
        ("403.xml", "403 Forbidden"),
        ("service_requests_empty.xml", "holds no rows"),
    ],
)
def test_what_a_server_says_besides_requests_is_called_by_its_name(
    city: City, geodata: Path, name: str, said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        bring(city, geodata / "open311/cfa_ruby/fixtures" / name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"service_code": "1", "service_name": "x", "metadata": true}]', "1 services"),
        ('[{"code": 404, "description": "not found"}]', "404 not found"),
        ('[{"service_request_id": "7", "service_notice": "thanks", "account_id": null}]', "receipt of a report"),
        ('{"service_code": "DMV66", "attributes": []}', "defines the service DMV66"),
    ],
)
def test_the_same_is_told_of_json(city: City, tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "answer.json"
    path.write_text(content)
    with pytest.raises(Invalid, match=said):
        bring(city, path)


def test_a_year_of_boston_runs_through_the_same_tables(city: City, geodata: Path) -> None:
    files = sorted((geodata / "incidents/boston_2015").glob("*.csv"))
    reports = [bring(city, path, crs="EPSG:4326") for path in files]
    assert sum(report.new for report in reports) == 23_064
    kept = city.session.execute(
        text(
            "SELECT count(*) FILTER (WHERE closed_at < reported_at), count(*) FILTER (WHERE step = 'closed'), "
            "count(due_at) FROM incident"
        )
    ).one()
    told = sum(
        int(note.split()[0])
        for report in reports
        for note in report.notes
        if re.search("closes? before (it was|they were) reported", note)
    )
    assert kept[0] == told == 1
    steps = city.session.execute(
        text("SELECT action, count(*), bool_and(at IS NOT NULL) FROM incident_step GROUP BY 1")
    ).all()
    count = {row[0]: row[1] for row in steps}
    assert count["report"] == 23_064
    assert count["take_over"] == kept[1]
    assert city.session.scalar(select(IncidentStep.id).where(IncidentStep.account_id.is_not(None))) is None


def test_a_large_import_walks_through_no_table_for_each_row(city: City, tmp_path: Path) -> None:
    """Also not on a connection whose plans are from when there was next to nothing."""

    def cases(name: str, count: int) -> Path:
        rows = (
            [f"{name}-{n}", "路灯", "2026-03-17 09:00", "处置中", "", "", "", *degrees(50, 50)] for n in range(count)
        )
        return table(tmp_path / f"{name}.csv", *rows)

    def visited() -> int:
        query = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
        return int(city.session.scalar(text(query)))

    city.session.execute(text("ANALYZE incident, incident_step"))
    for few in range(14):
        bring(city, cases(f"few{few}", 2))
    before, many = visited(), 2000
    assert bring(city, cases("many", many)).new == many
    assert visited() - before < 60 * many


def test_what_was_done_may_be_as_long_as_a_note(city: City, tmp_path: Path) -> None:
    done = "已到现场核实，" * 100
    bring(
        city, table(tmp_path / "i.csv", ["n-1", "路灯", "2026-03-17 09:00", "已办结", "", done, "", *degrees(50, 50)])
    )
    assert course(city, "n-1")[-1][3] == done


def test_a_kind_that_makes_the_description_too_long_sends_the_row_back(city: City, tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    path.write_text(
        f"事件编号,上报时间,事件类别,事件描述\n1,2026-03-17,量子波动,{'长' * 3998}\n2,2026-03-17,量子波动,短\n"
    )
    report = bring(city, path, accept_valid=True)
    assert [reject.reason for reject in report.rejects] == ["Description has 4,003 characters, more than 4,000."]
    assert found(city, "2").description == "量子波动：短"
