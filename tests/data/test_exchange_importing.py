"""Files in: natural keys, all or nothing, rejects, repairs, the datum guard, secrets, and who may."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
import shapely
from shapely import Point, Polygon
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import buildings, grids, households, incidents, units
from data.base import access, audit, bulk, db, identity, secrets
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.exchange import importing
from data.exchange.importing import Refused, Report, pace
from data.files import values
from spatial.datums import Datum, convert_geometries
from tests.city import City, degrees, rectangle


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


@pytest.fixture
def bare(session: Session) -> City:
    """The same community without buildings."""
    city = City.make(session, "310102001001")
    session.execute(text("DELETE FROM building WHERE community_id = :id"), {"id": city.community.id})
    session.expire_all()
    return city


def geojson(path: Path, *features: tuple[Any, Mapping[str, Any]]) -> Path:
    """A GeoJSON file of shapes and properties."""
    found = [
        {"type": "Feature", "properties": dict(values), "geometry": geom and shapely.geometry.mapping(geom)}
        for geom, values in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": found}), encoding="utf-8")
    return path


def table(path: Path, *rows: Sequence[Any], encoding: str = "utf-8") -> Path:
    """A CSV file."""
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def bring(city: City, kind: str, path: Path, **options: Any) -> Report:
    """Import into the city as the system."""
    return importing.run(city.session, access.SYSTEM, kind, path, city.community, **options)


def counted(report: Report) -> tuple[int, int, int]:
    """New, updated and unchanged."""
    return report.new, report.updated, report.unchanged


def metres(x: float, y: float) -> Point:
    return Point(degrees(x, y))


# Buildings


def three(path: Path, **changes: Any) -> Path:
    """Three buildings in A1, B2 and outside every grid."""
    return geojson(
        path,
        (rectangle(10, 10, 20, 10), {"code": "b1", "name": "甲", "floors": 6, **changes}),
        (rectangle(110, 110, 20, 10), {"code": "b2", "name": "乙", "floors": 6}),
        (rectangle(-90, 10, 20, 10), {"code": "b3", "name": "丙", "floors": 6}),
    )


def test_buildings_lie_in_the_grid_that_covers_them_and_the_others_say_why_not(bare: City, tmp_path: Path) -> None:
    report = bring(bare, "buildings", three(tmp_path / "b.geojson"))

    assert report.to_json() == {
        "read": 3,
        "new": 3,
        "updated": 0,
        "unchanged": 0,
        "repaired": 0,
        "rejected": 0,
        "located": {"point": 2},
        "unlocated": {"outside": 1},
        "rejects_file": None,
    }
    found = {row.code: row for row in bare.session.scalars(select(buildings.Building))}
    assert found["b1"].grid_id == bare.grids["A1"].id
    assert found["b2"].grid_id == bare.grids["B2"].id
    assert (found["b3"].grid_id, found["b3"].unlocated_reason) == (None, "outside")
    assert buildings.shape(found["b1"]).equals(rectangle(10, 10, 20, 10))


def test_the_same_file_twice_changes_nothing(bare: City, tmp_path: Path) -> None:
    bring(bare, "buildings", three(tmp_path / "b.geojson"))
    before = bare.session.execute(text("SELECT * FROM building ORDER BY id")).all()

    assert counted(bring(bare, "buildings", tmp_path / "b.geojson")) == (0, 0, 3)
    assert bare.session.execute(text("SELECT * FROM building ORDER BY id")).all() == before


def otherwise_drawn(shape: Polygon) -> shapely.MultiPolygon:
    """The same area as a multi-polygon whose ring begins elsewhere and runs the other way."""
    corners = list(shape.exterior.coords)[:-1]
    return shapely.MultiPolygon([Polygon((corners[2:] + corners[:2])[::-1])])


@pytest.mark.parametrize("keyed", [True, False])
def test_a_shape_that_is_only_drawn_otherwise_is_the_same(bare: City, tmp_path: Path, keyed: bool) -> None:
    shapes = [rectangle(10, 10, 20, 10), rectangle(110, 110, 20, 10)]
    words = [{"code": f"b{n}"} if keyed else {} for n in range(2)]
    bring(bare, "buildings", geojson(tmp_path / "b.geojson", *zip(shapes, words, strict=True)))
    before = bare.session.execute(text("SELECT * FROM building ORDER BY id")).all()

    drawn = [otherwise_drawn(shape) for shape in shapes]
    again = bring(bare, "buildings", geojson(tmp_path / "c.geojson", *zip(drawn, words, strict=True)))

    assert counted(again) == (0, 0, 2)
    assert bare.session.execute(text("SELECT * FROM building ORDER BY id")).all() == before


def test_ground_that_is_only_drawn_otherwise_is_the_same(bare: City, tmp_path: Path) -> None:
    green, path = rectangle(10, 10, 20, 10), shapely.LineString([degrees(0, 0), degrees(50, 60)])
    bring(bare, "basemap", geojson(tmp_path / "g.geojson", (green, {"kind": "green"}), (path, {"id": "p"})))
    drawn = ((otherwise_drawn(green), {"kind": "green"}), (shapely.MultiLineString([path]), {"id": "p"}))

    assert counted(bring(bare, "basemap", geojson(tmp_path / "h.geojson", *drawn))) == (0, 0, 2)


def test_a_corner_that_moved_is_another_shape(bare: City, tmp_path: Path) -> None:
    bring(bare, "buildings", three(tmp_path / "b.geojson"))
    moved = geojson(tmp_path / "c.geojson", (rectangle(10, 10, 20, 10.01), {"code": "b1"}))
    assert counted(bring(bare, "buildings", moved)) == (0, 1, 0)


def test_what_differs_is_updated_with_a_history_row_of_what_differed(bare: City, tmp_path: Path) -> None:
    bring(bare, "buildings", three(tmp_path / "b.geojson"))

    report = bring(bare, "buildings", three(tmp_path / "b.geojson", floors=7))

    assert counted(report) == (0, 1, 2)
    changed = bare.session.scalars(select(buildings.Building).where(buildings.Building.code == "b1")).one()
    assert changed.floors == 7
    history = audit.history(bare.session, access.SYSTEM, "building", changed.id)
    assert [(row.action, row.changes) for row in history] == [("update", {"floors": [6, 7]})]


def test_an_empty_cell_changes_nothing(bare: City, tmp_path: Path) -> None:
    bring(bare, "buildings", three(tmp_path / "b.geojson"))
    assert counted(bring(bare, "buildings", three(tmp_path / "b.geojson", name=None, floors=None))) == (0, 0, 3)


def test_a_building_that_moved_is_located_anew_unless_it_was_placed_by_hand(bare: City, tmp_path: Path) -> None:
    bring(bare, "buildings", three(tmp_path / "b.geojson"))
    for code, by in (("b1", "point"), ("b2", "manual")):
        bare.session.execute(text("UPDATE building SET located_by = :by WHERE code = :code"), {"by": by, "code": code})
    moved = geojson(
        tmp_path / "b.geojson",
        (rectangle(210, 210, 20, 10), {"code": "b1"}),
        (rectangle(210, 210, 20, 10), {"code": "b2"}),
    )

    assert counted(bring(bare, "buildings", moved)) == (0, 1, 1)
    at = dict(bare.session.execute(text("SELECT code, grid_id FROM building")).all())
    assert (at["b1"], at["b2"]) == (bare.grids["C3"].id, bare.grids["B2"].id)


def test_a_bad_row_keeps_the_whole_file_out(bare: City, tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "b.geojson",
        (rectangle(10, 10, 20, 10), {"code": "b1"}),
        (shapely.LineString([degrees(0, 0), degrees(9, 9)]), {"code": "b2"}),
    )
    with pytest.raises(Refused) as refused:
        bring(bare, "buildings", path, rejects_path=tmp_path / "rejects")

    assert "1 of 2 rows" in refused.value.detail
    assert [reject.row for reject in refused.value.rejects] == [2]
    assert Path(str(refused.value.facts["rejects_file"])).exists()
    assert bare.session.scalar(text("SELECT count(*) FROM building")) == 0
    assert bare.session.scalar(text("SELECT count(*) FROM audit WHERE action = 'import'")) == 0


def test_the_good_rows_go_in_when_asked_and_the_others_come_back_with_their_own_columns(
    bare: City, tmp_path: Path
) -> None:
    path = table(
        tmp_path / "b.csv",
        ["编号", "楼名", "层数", "经度", "纬度", "施工单位"],
        ["b1", "甲", "6", *degrees(50, 50), "一建"],
        ["b2", "乙", "六层半", *degrees(50, 50), "二建"],
    )
    report = bring(bare, "buildings", path, accept_valid=True, rejects_path=tmp_path / "rejects")

    assert (report.read, report.new, report.rejected) == (2, 1, 1)
    assert report.rejects_file is not None
    with Path(report.rejects_file).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "编号",
        "楼名",
        "层数",
        "经度",
        "纬度",
        "施工单位",
        "rejected row",
        "reason of the rejection",
        "what to do",
    ]
    assert (rows[0]["编号"], rows[0]["施工单位"], rows[0]["rejected row"]) == ("b2", "二建", "3")
    assert "六层半" in rows[0]["reason of the rejection"]
    assert Path(report.rejects_file).stat().st_mode & 0o077 == 0


def test_a_dry_run_tells_and_leaves_nothing(bare: City, tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "b.geojson",
        (rectangle(10, 10, 20, 10), {"code": "b1"}),
        (rectangle(10, 10, 20, 10), {"code": "b1"}),
    )
    report = bring(bare, "buildings", path, dry_run=True)

    assert (report.new, report.rejected) == (1, 1)
    assert "already in row 1" in report.rejects[0].reason
    assert bare.session.scalar(text("SELECT count(*) FROM building")) == 0
    assert bare.session.scalar(text("SELECT count(*) FROM audit WHERE action = 'import'")) == 0


def test_an_import_that_is_stopped_leaves_nothing(bare: City, tmp_path: Path) -> None:
    def stop(step: str, done: int, total: int | None) -> None:
        if step == "Writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring(bare, "buildings", three(tmp_path / "b.geojson"), progress=stop)
    assert bare.session.scalar(text("SELECT count(*) FROM building")) == 0


def spike(width: float) -> Polygon:
    """A building of 40 × 20 m whose outline ends in a figure of eight, ``width`` metres wide."""
    corners = [(0, 0), (40, 0), (40, 20), (0, 20), (0, 10), (-width, 10 + width), (-width, 10), (0, 10 + width)]
    return Polygon([degrees(30 + x, 30 + y) for x, y in corners])


@pytest.mark.parametrize("again", [False, True])
def test_an_import_tells_how_many_rows_are_done_and_never_goes_back(bare: City, tmp_path: Path, again: bool) -> None:
    count = 2 * bulk._TELL_EVERY
    rows = [["户编号", "地址", "户主", "电话"]] + [[f"H{n}", "", f"李{n}", ""] for n in range(count)]
    path = table(tmp_path / "h.csv", *rows)
    if again:
        bring(bare, "households", path)
    told: list[tuple[str, int, int | None]] = []

    bring(bare, "households", path, progress=lambda *how_far: told.append(how_far))

    shares = [pace.share(*each) for each in told]
    assert shares == sorted(shares)
    assert list(dict.fromkeys(step for step, _done, _total in told)) == list(pace.STEPS)
    assert ("Writing", count // 2, count) in told
    assert any(0 < done < count for step, done, _total in told if step == "Checking")


def test_a_shape_is_repaired_where_that_keeps_its_area_and_sent_back_where_not(bare: City, tmp_path: Path) -> None:
    good = bring(bare, "buildings", geojson(tmp_path / "small.geojson", (spike(0.3), {"code": "small"})))
    assert (good.new, good.repaired) == (1, 1)
    assert any("row 1 kept 99." in note for note in good.notes)

    with pytest.raises(Refused, match="crosses itself"):
        bring(bare, "buildings", geojson(tmp_path / "big.geojson", (spike(9), {"code": "big"})))


def test_footprints_without_any_attribute_are_known_by_their_shape(bare: City, tmp_path: Path) -> None:
    path = geojson(tmp_path / "b.geojson", (rectangle(10, 10, 20, 10), {}), (rectangle(40, 40, 20, 10), {}))
    assert counted(bring(bare, "buildings", path)) == (2, 0, 0)
    assert counted(bring(bare, "buildings", path)) == (0, 0, 2)


def test_an_address_point_on_a_footprint_names_it_and_is_no_second_building(city: City, tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "points.geojson",
        (metres(50, 50), {"id": "p1", "addr_housenumber": "3", "addr_street": "南京路"}),
        (metres(32, 45), {"id": "p2", "addr_housenumber": "5", "addr_street": "南京路"}),
        (metres(20, 50), {"id": "p3", "addr_housenumber": "7", "addr_street": "南京路"}),
        (metres(5, 5), {"id": "p4", "addr_housenumber": "9", "addr_street": "南京路"}),
    )
    report = bring(city, "buildings", path)

    assert counted(report) == (1, 3, 0)  # p3 is 10 m from the footprint, p4 far from any
    city.session.refresh(city.buildings["A1"])
    assert city.buildings["A1"].address == "锦绣路12弄1号楼；南京路3号；南京路5号；南京路7号"
    assert counted(bring(city, "buildings", path)) == (0, 0, 4)


def test_a_point_does_not_take_a_footprints_place(city: City, tmp_path: Path) -> None:
    path = geojson(tmp_path / "points.geojson", (metres(250, 250), {"code": "1", "name": "甲"}))
    assert counted(bring(city, "buildings", path)) == (0, 1, 0)
    city.session.refresh(city.buildings["A1"])
    assert city.buildings["A1"].grid_id == city.grids["A1"].id
    assert buildings.shape(city.buildings["A1"]).geom_type == "Polygon"


# Grids


def quarters(path: Path, overlap: float = 0.0) -> Path:
    """Four grids of 50 m in a new place, without codes; the first reaches over its east edge."""
    return geojson(
        path,
        (rectangle(1000, 1000, 50 + overlap, 50), {"name": "西南"}),
        (rectangle(1050, 1000, 50, 50), {"name": "东南"}),
        (rectangle(1000, 1050, 50, 50), {"name": "西北"}),
        (rectangle(1050, 1050, 50, 50), {"name": "东北"}),
    )


def test_grids_without_codes_are_numbered_from_the_north_west(bare: City, tmp_path: Path) -> None:
    report = bring(bare, "grids", quarters(tmp_path / "g.geojson"))

    assert counted(report) == (4, 0, 0)
    found = {unit.name: unit.code for unit in units.listed(bare.session, access.SYSTEM, under=bare.community.id)}
    prefix = bare.community.code
    assert {name: found[name] for name in ("西北", "东南")} == {"西北": f"{prefix}010", "东南": f"{prefix}013"}
    held = grids.shapes(bare.session, bare.community.id)
    assert len(held) == 9 + 4  # what the file does not name stays


def test_the_same_grids_twice_make_no_new_division(bare: City, tmp_path: Path) -> None:
    bring(bare, "grids", quarters(tmp_path / "g.geojson"))
    before = bare.session.execute(text("SELECT id, created_at FROM division ORDER BY id")).all()
    assert counted(bring(bare, "grids", tmp_path / "g.geojson")) == (0, 0, 4)
    assert bare.session.execute(text("SELECT id, created_at FROM division ORDER BY id")).all() == before


def test_overlaps_are_listed_with_their_area_and_closed_only_when_asked(bare: City, tmp_path: Path) -> None:
    path = quarters(tmp_path / "g.geojson", overlap=0.4)
    with pytest.raises(Refused) as refused:
        bring(bare, "grids", path)
    assert [reject.row for reject in refused.value.rejects] == [2]
    assert "overlaps row 1 by 20.0" in refused.value.rejects[0].reason
    with pytest.raises(Refused):
        bring(bare, "grids", path, clean_m=0.2)

    assert counted(bring(bare, "grids", path, clean_m=0.5)) == (4, 0, 0)
    assert bare.session.scalar(text("SELECT sum(wangge_overlap_m2(geoms)) FROM division")) == 0


def test_a_grid_that_overlaps_one_that_is_not_in_the_file_is_sent_back(bare: City, tmp_path: Path) -> None:
    path = geojson(tmp_path / "g.geojson", (rectangle(290, 0, 50, 50), {"name": "新"}))
    with pytest.raises(Refused, match="not in the file by 500"):
        bring(bare, "grids", path)


def test_a_redraw_by_file_moves_the_buildings(city: City, tmp_path: Path) -> None:
    a, b = city.grids["A1"], city.grids["B1"]
    path = geojson(
        tmp_path / "g.geojson",
        (rectangle(0, 0, 20, 100), {"code": a.code, "name": a.name}),
        (rectangle(20, 0, 180, 100), {"code": b.code, "name": "大网格"}),
    )
    assert counted(bring(city, "grids", path)) == (0, 2, 0)
    city.session.refresh(city.buildings["A1"])
    assert city.buildings["A1"].grid_id == b.id
    assert b.name == "大网格"


def test_a_code_of_another_community_is_sent_back(city: City, tmp_path: Path) -> None:
    other = City.make(city.session, "310102001001")
    path = geojson(tmp_path / "g.geojson", (rectangle(900, 0, 50, 50), {"code": city.grids["A1"].code, "name": "x"}))
    with pytest.raises(Refused, match="outside this community"):
        bring(other, "grids", path)


# The datum guard


def test_footprints_in_gcj_02_stop_until_somebody_says_what_they_are(city: City, tmp_path: Path) -> None:
    """The city's own grids give it away: its buildings would all lie 500 m off."""
    drawn = [rectangle(20 * (n % 14) + 5, 20 * (n // 14) + 5, 10, 10) for n in range(140)]
    shifted = convert_geometries(drawn, Datum.WGS84, Datum.GCJ02)
    path = geojson(tmp_path / "b.geojson", *((geom, {"code": f"n{n}"}) for n, geom in enumerate(shifted)))

    with pytest.raises(Conflict, match="look like GCJ-02"):
        bring(city, "buildings", path)
    assert bring(city, "buildings", path, crs="EPSG:4326", dry_run=True).unlocated == {"outside": 140}
    assert bring(city, "buildings", path, crs="GCJ-02").located == {"point": 140}
    back = geojson(tmp_path / "w.geojson", *((geom, {"code": f"w{n}"}) for n, geom in enumerate(drawn)))
    assert bring(city, "buildings", back).located == {"point": 140}


# Incidents

CASES = ["事件编号", "事件类别", "上报时间", "状态", "地址", "描述", "经度", "纬度"]


def test_cases_are_located_by_point_by_address_or_by_the_building_next_to_them(city: City, tmp_path: Path) -> None:
    path = table(
        tmp_path / "i.csv",
        CASES,
        ["s-1", "楼道灯不亮", "2026-03-17 09:00", "已办结", "", "", *degrees(150, 150)],
        ["s-2", "楼道灯不亮", "2026-03-17 09:00", "", "锦绣路12弄2号楼1单元", "", "", ""],
        ["s-3", "楼道灯不亮", "2026-03-17 09:00", "", "锦绣路12弄88号楼", "", "", ""],
        ["s-4", "楼道灯不亮", "2026-03-17 09:00", "", "", "", "", ""],
        ["s-5", "楼道灯不亮", "2026-03-17 09:00", "", "", "", *degrees(50, -5)],
    )
    report = bring(city, "incidents", path)

    assert report.located == {"point": 1, "address": 1}
    assert report.unlocated == {"no_such_building": 1, "no_place": 1, "outside": 1}
    found = {row.number: row for row in city.session.scalars(select(incidents.Incident))}
    assert found["s-1"].state == "closed"
    assert found["s-2"].building_id == city.buildings["B1"].id
    assert found["s-2"].geom is not None
    assert counted(bring(city, "incidents", path)) == (0, 0, 5)


def test_a_point_outside_but_next_to_a_building_lies_where_that_is(city: City, tmp_path: Path) -> None:
    edge = geojson(tmp_path / "b.geojson", (rectangle(40, 1, 20, 10), {"code": "edge"}))
    bring(city, "buildings", edge)
    path = table(
        tmp_path / "i.csv",
        CASES,
        ["near", "噪声扰民", "2026-03-17", "", "", "", *degrees(50, -5)],
        ["far", "噪声扰民", "2026-03-17", "", "", "", *degrees(50, -40)],
    )
    assert bring(city, "incidents", path).located == {"nearest": 1}
    near = city.session.scalars(select(incidents.Incident).where(incidents.Incident.number == "near")).one()
    assert near.grid_id == city.grids["A1"].id
    assert near.located_score == pytest.approx(1 - 6 / 60, abs=0.001)


def test_an_unknown_kind_of_case_goes_under_other_and_stays_where_a_person_puts_it(city: City, tmp_path: Path) -> None:
    path = table(tmp_path / "i.csv", CASES, ["x", "UFO", "2026-03-17", "", "", "悬停", *degrees(50, 50)])
    report = bring(city, "incidents", path)
    case = city.session.scalars(select(incidents.Incident)).one()
    assert (case.category_code, case.description) == ("other", "UFO：悬停")
    assert any("UFO" in note for note in report.notes)

    incidents.change(city.session, access.SYSTEM, case, category_code="environment.noise")
    assert counted(bring(city, "incidents", path)) == (0, 0, 1)
    city.session.refresh(case)
    assert case.category_code == "environment.noise"


def test_cases_without_a_number_are_known_by_what_they_say(city: City, tmp_path: Path) -> None:
    path = table(tmp_path / "i.csv", CASES, ["", "噪声扰民", "2026-03-17", "", "", "夜里", *degrees(50, 50)])
    assert counted(bring(city, "incidents", path)) == (1, 0, 0)
    assert counted(bring(city, "incidents", path)) == (0, 0, 1)


# Ground


def test_pieces_of_one_road_stay_apart_and_are_the_same_pieces_the_next_time(city: City, tmp_path: Path) -> None:
    piece = [shapely.LineString([degrees(x, 0), degrees(x + 50, 0)]) for x in (0, 50)]
    path = geojson(tmp_path / "r.geojson", *((line, {"id": 7, "kind": "footway", "name": "小径"}) for line in piece))
    assert counted(bring(city, "basemap", path)) == (2, 0, 0)
    assert counted(bring(city, "basemap", path)) == (0, 0, 2)
    rows = city.session.execute(text("SELECT code, kind, name FROM basemap ORDER BY code")).all()
    assert rows == [("path:line:7", "path", "小径"), ("path:line:7#2", "path", "小径")]


# Households and residents


def number(place: int, sex: identity.Sex = identity.Sex.MALE, year: int = 1970) -> str:
    """A well-formed identity number that belongs to nobody."""
    return identity.make("990101", date(year, 1, 2), place, sex)


LEDGER = ["户号", "楼栋", "单元", "房号", "户主姓名", "身份证号", "联系电话", "户口性质", "特殊群体", "居住类别"]


def ledger(path: Path, **changes: str) -> Path:
    """Three households: in a door that is there, in one that is not, and nowhere."""
    rows = [
        ["H1", "1", "1", "101", "李小明", number(1), "13800006021", "非农业", "低保户、残疾人", "自住"],
        ["H2", "2号楼", "2", "301", "王芳", number(2), "13800006022", "农业", "", "出租"],
        ["H3", "77", "1", "301", "赵六", "", "", "", "", ""],
    ]
    for name, value in changes.items():
        rows[0][LEDGER.index(name)] = value
    return table(path, LEDGER, *rows, encoding="gbk")


def test_households_find_their_door_or_get_one(city: City, tmp_path: Path) -> None:
    door = buildings.add_dwelling(city.session, access.SYSTEM, city.buildings["A1"], unit="1", floor=1, room="101")

    report = bring(city, "households", ledger(tmp_path / "h.csv"))

    assert counted(report) == (3, 0, 0)
    assert (report.located, report.unlocated) == ({"address": 2}, {"no_such_building": 1})
    found = {row.number: row for row in city.session.scalars(select(households.Household))}
    assert found["H1"].dwelling_id == door.id
    made = city.session.get(buildings.Dwelling, found["H2"].dwelling_id)
    assert made is not None
    assert (made.building_id, made.unit, made.floor, made.room, made.use) == (
        city.buildings["B1"].id,
        "2",
        3,
        "301",
        "rented",
    )
    head = city.session.get(households.Resident, found["H1"].head_id)
    assert head is not None
    assert (head.name, head.sex, head.born_on, head.identity_number) == ("李小明", "1", date(1970, 1, 2), number(1))
    groups = city.session.scalars(select(households.HouseholdGroup.group_code)).all()
    assert sorted(groups) == ["disabled", "minimum_living"]
    assert any("GBK" in note for note in report.notes)


def test_the_same_ledger_twice_changes_nothing_also_of_what_is_encrypted(city: City, tmp_path: Path) -> None:
    bring(city, "households", ledger(tmp_path / "h.csv"))
    tables = ("household", "resident", "dwelling", "household_group")
    before = [city.session.execute(text(f"SELECT * FROM {name} ORDER BY id")).all() for name in tables]

    assert counted(bring(city, "households", tmp_path / "h.csv")) == (0, 0, 3)
    assert [city.session.execute(text(f"SELECT * FROM {name} ORDER BY id")).all() for name in tables] == before


def test_a_new_phone_is_a_change_whose_history_hides_it(city: City, tmp_path: Path) -> None:
    bring(city, "households", ledger(tmp_path / "h.csv"))
    assert counted(bring(city, "households", ledger(tmp_path / "h.csv", 联系电话="13800007777"))) == (0, 1, 2)
    home = city.session.scalars(select(households.Household).where(households.Household.number == "H1")).one()
    assert home.phone == "13800007777"
    row = audit.history(city.session, access.SYSTEM, "household", home.id)[-1]
    assert row.changes == {"phone": [audit.HIDDEN, audit.HIDDEN]}
    stored = city.session.scalar(text("SELECT phone FROM household WHERE number = 'H1'"))
    assert b"13800007777" not in bytes(stored)


def test_an_address_without_a_door_is_ambiguous_even_where_one_door_is_known(city: City, tmp_path: Path) -> None:
    buildings.add_dwelling(city.session, access.SYSTEM, city.buildings["A1"], unit="1", floor=1, room="101")
    path = table(tmp_path / "h.csv", ["户号", "地址"], ["H1", "锦绣路12弄1号楼"])
    assert bring(city, "households", path).unlocated == {"ambiguous": 1}


PEOPLE = ["户号", "姓名", "身份证号", "与户主关系", "联系电话", "健康状况", "现住地址"]


@pytest.mark.slow
def test_a_large_first_ledger_is_whole_and_the_same_when_it_comes_again(city: City, tmp_path: Path) -> None:
    count = bulk.FEWEST_FOR_SUSPENSION
    rows = [
        (f"L{at}", f"锦绣路12弄{at // 600 + 1}号{at // 20 % 30 + 1}{at % 20 + 1:02}室", f"李{at}", f"139{at:08}")
        for at in range(count)
    ]
    ledger = table(tmp_path / "h.csv", ("户号", "地址", "户主姓名", "联系电话"), *rows)

    report = bring(city, "households", ledger)

    assert (counted(report), report.read) == ((count, 0, 0), count)
    query = (
        "SELECT count(*) FROM household h JOIN resident r ON r.id = h.head_id AND r.household_id = h.id "
        "AND r.name = '李' || substr(h.number, 2) WHERE h.number LIKE 'L%'"
    )
    assert city.session.scalar(text(query)) == count
    last = city.session.scalars(select(households.Household).where(households.Household.number == rows[-1][0])).one()
    assert (last.address, last.phone) == (rows[-1][1], rows[-1][3])
    assert counted(bring(city, "households", ledger)) == (0, 0, count)


def test_residents_join_their_household_and_are_found_by_their_number_again(city: City, tmp_path: Path) -> None:
    bring(city, "households", ledger(tmp_path / "h.csv"))
    path = table(
        tmp_path / "r.csv",
        PEOPLE,
        ["H1", "李小明", number(1), "户主", "13800006021", "", ""],
        ["H1", "张丽", number(3, identity.Sex.FEMALE, 1972), "妻", "", "高血压", ""],
        ["H1", "李小", "", "子", "", "", ""],
        ["H9", "孙八", number(9), "户主", "", "", "锦绣路12弄3号楼1单元102室"],
    )
    report = bring(city, "residents", path)

    assert counted(report) == (3, 1, 0)  # the head was there already; only the relation is new
    assert report.located == {"address": 4}
    assert any("1 household was made" in note for note in report.notes)
    wife = city.session.scalars(
        select(households.Resident).where(
            households.Resident.identity_blind == secrets.blind(number(3, identity.Sex.FEMALE, 1972))
        )
    ).one()
    assert (wife.sex, wife.born_on, wife.health, wife.relation) == ("2", date(1972, 1, 2), "高血压", "12")
    new = city.session.scalars(select(households.Household).where(households.Household.number == "H9")).one()
    head = city.session.get(households.Resident, new.head_id)
    assert head is not None
    assert head.name == "孙八"
    assert counted(bring(city, "residents", path)) == (0, 0, 4)


def test_residents_without_a_household_number_belong_to_the_one_household_at_their_address(
    city: City, tmp_path: Path
) -> None:
    home = city.household("A1")
    path = table(
        tmp_path / "r.csv",
        ["姓名", "现住地址"],
        ["王小", "锦绣路12弄1号楼1单元101室"],
        ["无家", "锦绣路12弄1号楼1单元909室"],
    )
    report = bring(city, "residents", path, accept_valid=True)
    assert (report.new, report.rejected) == (1, 1)
    assert "No household lives at" in report.rejects[0].reason
    joined = city.session.scalars(select(households.Resident).where(households.Resident.name == "王小")).one()
    assert joined.household_id == home.id
    doors = city.session.scalar(text("SELECT count(*) FROM dwelling WHERE room = '909'"))
    assert doors == 0


def test_a_birthday_that_contradicts_the_identity_number_is_sent_back_without_repeating_it(
    city: City, tmp_path: Path
) -> None:
    path = table(
        tmp_path / "r.csv", ["户号", "姓名", "身份证号", "出生日期"], ["H1", "李小明", number(1), "1971-05-05"]
    )
    with pytest.raises(Refused) as refused:
        bring(city, "residents", path)
    assert number(1) not in refused.value.detail
    assert "another birthday or sex" in refused.value.detail


# Who may


def test_an_import_runs_for_whoever_may_and_leaves_their_walls_standing(city: City, tmp_path: Path) -> None:
    staff = city.actor("community_staff", city.community)
    city.session.info["actor"] = staff
    db.enter(city.session, staff)

    report = importing.run(city.session, staff, "buildings", three(tmp_path / "b.geojson"), city.community)

    assert report.new == 3
    assert city.session.scalar(text("SELECT current_user")) == db.APP_ROLE
    row = city.session.execute(text("SELECT account_id, changes FROM audit WHERE action = 'import'")).one()
    assert row.account_id == staff.account_id
    assert row.changes["file"] == [None, "b.geojson"]
    assert len(row.changes["sha256"][1]) == 64


def test_after_a_refused_import_the_walls_stand_too(city: City, tmp_path: Path) -> None:
    staff = city.actor("community_staff", city.community)
    db.enter(city.session, staff)
    path = geojson(tmp_path / "b.geojson", (shapely.LineString([degrees(0, 0), degrees(9, 9)]), {"code": "b2"}))
    with pytest.raises(Refused):
        importing.run(city.session, staff, "buildings", path, city.community)
    assert city.session.scalar(text("SELECT current_user")) == db.APP_ROLE


@pytest.mark.parametrize(
    ("role", "kind", "error"),
    [
        ("grid_leader", "buildings", Forbidden),
        ("community_staff", "grids", Forbidden),
        ("analyst", "incidents", Forbidden),
    ],
)
def test_whoever_may_not_edit_may_not_import(
    city: City, tmp_path: Path, role: str, kind: str, error: type[Exception]
) -> None:
    actor = city.actor(role, city.community)
    with pytest.raises(error):
        importing.run(city.session, actor, kind, three(tmp_path / "b.geojson"), city.community)


def test_another_community_is_not_found(city: City, tmp_path: Path) -> None:
    other = City.make(city.session, "310102001001")
    staff = other.actor("community_staff", other.community)
    with pytest.raises(NotFound):
        importing.run(city.session, staff, "buildings", three(tmp_path / "b.geojson"), city.community)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("trees", "no import of “trees”"), ("households", "No column is Household number"), ("incidents", "Category")],
)
def test_what_cannot_be_imported_is_named(city: City, tmp_path: Path, kind: str, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        bring(city, kind, three(tmp_path / "b.geojson"))


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
@pytest.mark.parametrize("named", ["code", "name"])
def test_a_known_boundary_that_comes_again_shifted_is_asked_about(
    city: City, tmp_path: Path, datum: Datum, named: str
) -> None:
    grid = city.grids["B2"]
    (shifted,) = convert_geometries(np.array([rectangle(100, 100, 100, 100)]), Datum.WGS84, datum)
    path = geojson(tmp_path / "g.geojson", (shifted, {"name": grid.name, named: getattr(grid, named)}))
    with pytest.raises(Conflict, match=datum.value):
        bring(city, "grids", path)
    assert counted(bring(city, "grids", path, crs=datum.value)) == (0, 0, 1)


def test_a_known_building_that_comes_again_shifted_is_asked_about(city: City, tmp_path: Path) -> None:
    (shifted,) = convert_geometries(np.array([rectangle(130, 140, 40, 20)]), Datum.WGS84, Datum.GCJ02)
    path = geojson(tmp_path / "b.geojson", (shifted, {"code": "5"}))
    with pytest.raises(Conflict, match="GCJ-02"):
        bring(city, "buildings", path)
    assert counted(bring(city, "buildings", path, crs="GCJ-02")) == (0, 0, 1)


def test_a_building_of_unknown_kind_is_no_home_and_a_known_kind_stays(bare: City, tmp_path: Path) -> None:
    kinds = {"b1": "yes", "b2": None, "b3": "apartments", "b4": "建筑", "b5": "school"}
    places = [rectangle(10 + 30 * at, 10, 20, 10) for at in range(5)]
    rows = [
        (place, {"code": code, "building": kind}) for place, (code, kind) in zip(places, kinds.items(), strict=True)
    ]
    report = bring(bare, "buildings", geojson(tmp_path / "b.geojson", *rows))
    found = {row.code: row.kind for row in bare.session.scalars(select(buildings.Building))}
    assert found == {"b1": "other", "b2": "other", "b3": "residential", "b4": "other", "b5": "other"}
    assert any(note.startswith("3 buildings are of no stated kind") for note in report.notes)

    again = [(place, {"code": code, "building": "yes"}) for place, code in zip(places, kinds, strict=True)]
    assert counted(bring(bare, "buildings", geojson(tmp_path / "b.geojson", *again))) == (0, 0, 5)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_rejects_hold_no_formula_and_are_read_as_the_input_was(bare: City, tmp_path: Path, suffix: str) -> None:
    names = ["=1+1", "＝cmd", " @SUM(A1)", "'+1+1", "=HYPERLINK(1)"]
    lon, lat = degrees(50, 50)
    rows = [
        ["编码", "楼栋名称", "层数", "经度", "纬度"],
        *([str(at), name, "x", lon, lat] for at, name in enumerate(names)),
    ]
    path = tmp_path / f"buildings.{suffix}"
    if suffix == "csv":
        table(path, *rows)
    else:
        book = openpyxl.Workbook()
        for at, row in enumerate(rows, start=1):
            for column, value in enumerate(row, start=1):
                book.active.cell(at, column, value).data_type = "s" if isinstance(value, str) else "n"
        book.save(path)
    with pytest.raises(Refused) as refused:
        bring(bare, "buildings", path, rejects_path=tmp_path / "rejects")
    sent_back = Path(str(refused.value.facts["rejects_file"]))
    if suffix == "csv":
        with sent_back.open(encoding="utf-8-sig", newline="") as file:
            assert all(cell[:1] not in "=＝@+" or not cell for row in csv.reader(file) for cell in row)
    else:
        cells = [cell for row in openpyxl.load_workbook(sent_back).active.iter_rows() for cell in row]
        assert "f" not in {cell.data_type for cell in cells}
    once = importing.inspect(path, "buildings").source.frame["楼栋名称"]
    again = importing.inspect(sent_back, "buildings").source.frame["楼栋名称"]
    assert [values.clean(cell) for cell in again] == [values.clean(cell) for cell in once]


def test_ground_of_openstreetmap_is_left_out_of_buildings_and_that_is_said(bare: City, tmp_path: Path) -> None:
    words = [
        {"building": "house"},
        {"landuse": "forest"},
        {"natural": "water"},
        {"building": "yes", "landuse": "grass"},
    ]
    rows = [(rectangle(10 + 30 * at, 10, 20, 10), each) for at, each in enumerate(words)]
    report = bring(bare, "buildings", geojson(tmp_path / "b.geojson", *rows))
    assert (report.new, report.rejected) == (2, 0)
    assert any(note.startswith("2 shapes are ground") for note in report.notes)
    with pytest.raises(Invalid, match="1 shapes are ground"):
        bring(bare, "buildings", geojson(tmp_path / "w.geojson", (rows[1][0], {"building": None, "landuse": "forest"})))


def test_a_building_keeps_as_many_addresses_as_there_is_room_for_and_the_others_are_told(
    bare: City, tmp_path: Path
) -> None:
    bring(bare, "buildings", geojson(tmp_path / "a.geojson", (rectangle(10, 10, 60, 60), {"code": "b1"})))
    doors = [(metres(12 + n, 30), {"address": f"梧桐路{n:03}弄8号楼东侧沿街的门面房"}) for n in range(30)]
    report = bring(bare, "buildings", geojson(tmp_path / "b.geojson", *doors))
    held = bare.session.scalars(text("SELECT address FROM building")).one()
    kept = held.split("；")
    assert len(held) <= 200
    assert kept == [values["address"] for _shape, values in doors[: len(kept)]]
    assert any("left out" in note and f"({30 - len(kept)})" in note for note in report.notes)


def test_an_address_of_parts_that_is_too_long_sends_its_row_back(city: City, tmp_path: Path) -> None:
    path = table(tmp_path / "h.csv", ["户号", "小区", "地址", "楼栋"], ["1", "长" * 150, "路" * 60, "3"])
    with pytest.raises(Refused, match=r"Address has 2\d\d characters, more than 200"):
        bring(city, "households", path)
