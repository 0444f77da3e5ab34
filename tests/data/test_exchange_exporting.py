"""Files out: what is in them, masked or in full, on any day and datum, and what is recorded of it."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import buildings, diary, disputes, grids, households, incidents, movements
from data.base import access, audit, db, secrets
from data.base.access import Actor
from data.base.audit import Audit
from data.base.cluster import Cluster
from data.base.errors import Forbidden, Invalid
from data.exchange import exporting, importing, outgoing
from data.exchange.exporting import Exported
from data.files import shapefiles
from data.files.writing import Format
from data.households import homes, residents, tenancies
from spatial import datums
from tests.city import CRS, City, degrees, rectangle
from tests.conftest import HOME, ROOT, cloned

IDENTITY = "11010519491231002X"
PHONE = "13812346021"


@pytest.fixture
def city(session: Session) -> City:
    """The small city with people in A1 and B2, a tenancy, a special group, and cases inside and outside the grids."""
    city = City.make(session)
    for grid, name in (("A1", "李小明"), ("B2", "欧阳小明")):
        home = city.household(grid, phone=PHONE, hukou="urban", address=f"{grid}的家", note="常年在外")
        head = session.get(households.Resident, home.head_id)
        assert head is not None
        number = IDENTITY if grid == "A1" else "440524188001010014"
        households.change_resident(
            session, access.SYSTEM, head, name=name, identity_number=number, phone=PHONE, health="高血压"
        )
        city.resident(home, name="王芳", workplace="临江小学")
        diary.write(session, access.SYSTEM, uuid=uuid4(), said="灯坏了", household_id=home.id)
        parties = [disputes.Party(name="李小明", household_id=home.id), disputes.Party(name="王芳")]
        where = {"building_id": city.buildings[grid].id, "kind": disputes.Kind.NOISE, "parties": parties}
        disputes.report(session, access.SYSTEM, uuid=uuid4(), **where)
        wed: dict[str, Any] = {"kind": movements.Kind.MARRIED, "resident_ids": [head.id], "on": date(2024, 1, 1)}
        movements.record(session, access.SYSTEM, uuid=uuid4(), **wed)
        households.join_group(
            session, access.SYSTEM, home, "empty_nest", first=date(2020, 1, 1), until=date(2025, 1, 1)
        )
        households.join_group(session, access.SYSTEM, home, "disabled", first=date(2024, 6, 1))
        (door,) = buildings.dwellings(session, access.SYSTEM, city.buildings[grid].id)
        households.add_tenancy(
            session,
            access.SYSTEM,
            door,
            first=date(2024, 1, 1),
            until=date(2025, 1, 1),
            landlord_name="张三",
            landlord_phone=PHONE,
            tenant_ids=[head.id],
        )
    city.incident(50, 50)
    city.incident(
        150, 150, category_code="environment.stray_cat", state="closed", closed_at=datetime(2026, 3, 18, tzinfo=UTC)
    )
    city.incident(340, 340)
    incidents.report(session, access.SYSTEM, community=city.community, category_code="environment.noise")
    session.flush()
    return city


def exported(city: City, layer: str, path: Path, actor: Actor = access.SYSTEM, **options: Any) -> Exported:
    """Export of the city's community."""
    options = {"format": path.suffix.removeprefix("."), **options}
    return exporting.stream(city.session, actor, layer, city.community, path, **options)


def table(city: City, layer: str, tmp_path: Path, actor: Actor = access.SYSTEM, **options: Any) -> gpd.GeoDataFrame:
    """An export of the city's community, read back."""
    exported(city, layer, tmp_path / "export.gpkg", actor, **options)
    return gpd.read_file(tmp_path / "export.gpkg")


def recorded(session: Session, action: str) -> list[Audit]:
    """The audit rows of an action, oldest first."""
    return list(session.scalars(select(Audit).where(Audit.action == action).order_by(Audit.id)))


# What is in a file


@pytest.mark.parametrize("layer", outgoing.LAYERS)
@pytest.mark.parametrize("headings", exporting.HEADINGS)
def test_every_layer_has_its_columns_with_rows_and_without(
    city: City, tmp_path: Path, layer: str, headings: str
) -> None:
    full = exported(city, layer, tmp_path / "full.csv", headings=headings)
    none = exported(city, layer, tmp_path / "none.csv", headings=headings, bbox=(1.0, 1.0, 2.0, 2.0))
    assert full.rows > 0
    assert none.rows == 0
    columns = pd.read_csv(tmp_path / "full.csv").columns
    assert [*columns[:4]] == [*pd.read_csv(tmp_path / "none.csv").columns[:4]]
    assert len(set(columns)) == len(columns)
    if headings == "zh":
        assert not [name for name in columns if name.isascii() and name != "wkt"]


def test_what_lies_in_a_grid_carries_it_and_what_has_no_place_says_why(city: City, tmp_path: Path) -> None:
    found = table(city, "incidents", tmp_path).sort_values("number")
    assert found["grid_code"].tolist()[:2] == [city.grids["A1"].code, city.grids["B2"].code]
    assert found["grid_name"].tolist()[:2] == ["A1", "B2"]
    assert found["grid_code"].isna().tolist() == [False, False, True, True]
    assert found["unlocated_reason"].tolist()[2:] == ["outside", "no_place"]
    assert found.geometry.isna().tolist() == [False, False, False, True]
    for layer in ("buildings", "dwellings", "households", "residents"):
        rows = table(city, layer, tmp_path)
        in_grid = rows[rows["grid_code"].notna()]
        assert len(in_grid) == len(rows)
        by_name = {grid.name: grid.code for grid in city.grids.values()}
        assert [by_name[name] for name in in_grid["grid_name"]] == in_grid["grid_code"].tolist()


def test_shapes_are_those_of_the_records(city: City, tmp_path: Path) -> None:
    footprints = table(city, "buildings", tmp_path).set_index("code").geometry
    for building in city.buildings.values():
        assert footprints[building.code].equals(buildings.shape(building))
    boundaries = table(city, "grids", tmp_path).set_index("name").geometry
    for place, name in enumerate(city.grids):
        assert boundaries[name].equals(rectangle(place % 3 * 100, place // 3 * 100, 100, 100))
    areas = table(city, "units", tmp_path).set_index("level").geometry
    assert areas["community"].equals(shapely.union_all(boundaries.to_numpy()))
    homes_at = table(city, "households", tmp_path).set_index("grid_name").geometry
    assert homes_at["A1"].within(buildings.shape(city.buildings["A1"]))


@pytest.mark.parametrize("format", Format)
def test_instants_are_the_same_after_an_import(city: City, tmp_path: Path, format: Format) -> None:  # noqa: A002
    path = tmp_path / f"export{format.suffix}"
    exported(city, "incidents", path, format=format)
    before = city.session.execute(text("SELECT number, reported_at, closed_at, due_at FROM incident ORDER BY 1")).all()
    importing.run(city.session, access.SYSTEM, "incidents", path, city.community)
    after = city.session.execute(text("SELECT number, reported_at, closed_at, due_at FROM incident ORDER BY 1")).all()
    shown = [
        tuple(cell.replace(microsecond=0) if isinstance(cell, datetime) else cell for cell in row) for row in after
    ]
    assert shown == [
        tuple(cell.replace(microsecond=0) if isinstance(cell, datetime) else cell for cell in row) for row in before
    ]


def test_a_box_holds_what_meets_it(city: City, tmp_path: Path) -> None:
    (west, south), (east, north) = degrees(110, 110), degrees(190, 190)
    box = (west, south, east, north)
    for layer in ("grids", "buildings", "dwellings", "households", "residents", "tenancies", "incidents"):
        found = table(city, layer, tmp_path, bbox=box)
        assert len(found) == (2 if layer == "residents" else 1), layer
        assert found.intersects(shapely.box(*box)).all()


# People


def test_personal_fields_are_masked(city: City, tmp_path: Path) -> None:
    found = table(city, "households", tmp_path).set_index("grid_name").loc["B2"]
    assert found["head_name"] == "欧***"
    assert found["phone"] == "138****6021"
    assert found["identity_number"] == secrets.mask_identity("440524188001010014")
    assert found["members"] == "欧***、王*"
    assert found["people"] == 2
    person = table(city, "residents", tmp_path)
    assert set(person["name"]) == {"李**", "欧***", "王*"}
    assert set(person["born_on"]) == {"1880-**-**", "1949-**-**", "1970-**-**"}
    assert set(person["health"].dropna()) == {"***"}
    let = table(city, "tenancies", tmp_path)
    assert set(let["landlord_name"]) == {"张*"}
    assert set(let["landlord_phone"]) == {"138****6021"}
    assert set(let["tenants"]) == {"李**", "欧***"}


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("layer", ["households", "residents", "tenancies"])
def test_no_format_holds_a_personal_value_or_its_ciphertext(
    city: City,
    tmp_path: Path,
    layer: str,
    format: Format,  # noqa: A002
) -> None:
    from data.files import reading

    path = tmp_path / f"export{format.suffix}"
    exported(city, layer, path, format=format)
    rows = reading.open_source(path).frame
    written = " ".join(str(cell) for column in rows.columns for cell in rows[column])
    for hidden in (
        IDENTITY,
        "440524188001010014",
        PHONE,
        "李小明",
        "欧阳小明",
        "王芳",
        "张三",
        "高血压",
        "1970-01-02",
        "\\x",
    ):
        assert hidden not in written
    query = text("SELECT phone FROM household WHERE phone IS NOT NULL")
    for (ciphertext,) in city.session.execute(query):
        assert bytes(ciphertext).hex() not in written
        assert bytes(ciphertext) not in path.read_bytes()


def test_with_a_purpose_they_are_in_full_and_that_is_recorded_once(city: City, tmp_path: Path) -> None:
    leader = city.actor("community_staff", city.community)
    done = exported(city, "residents", tmp_path / "a.gpkg", leader, unmask_purpose=" 入户核对 ")
    found = gpd.read_file(tmp_path / "a.gpkg")
    assert done.unmasked == done.rows == 4
    assert {"李小明", "欧阳小明", "王芳"} == set(found["name"])
    assert IDENTITY in set(found["identity_number"])
    assert "高血压" in set(found["health"])
    (row,) = recorded(city.session, "unmask")
    assert (row.account_id, row.record_kind, row.community_id, row.purpose) == (
        leader.account_id,
        "residents",
        city.community.id,
        "入户核对",
    )
    assert row.changes["rows"] == [None, "4"]


def test_in_full_only_where_one_may_see_it_so(city: City, tmp_path: Path) -> None:
    whole = city.actor("supervisor", city.community)
    part = city.actor("grid_leader", city.grids["A1"])
    actor = Actor(whole.account_id, permissions={**whole.permissions, "person.unmask": part.area("person.unmask")})
    done = exported(city, "households", tmp_path / "a.gpkg", actor, unmask_purpose="入户核对")
    names = gpd.read_file(tmp_path / "a.gpkg").set_index("grid_name")["head_name"]
    assert names.to_dict() == {"A1": "李小明", "B2": "欧***"}
    assert done.unmasked == 1
    assert done.notes == ["1 rows stay masked: they lie where you may not see personal data in full."]


def test_a_purpose_must_say_something_and_be_allowed(city: City, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="what the full data is needed for"):
        exported(city, "households", tmp_path / "a.gpkg", unmask_purpose=" x ")
    supervisor = city.actor("supervisor", city.community)
    with pytest.raises(Forbidden, match="See personal data in full"):
        exported(city, "households", tmp_path / "a.gpkg", supervisor, unmask_purpose="入户核对")
    assert not [*tmp_path.iterdir()]


def test_what_is_exported_masked_cannot_be_imported_as_if_it_were_real(city: City, tmp_path: Path) -> None:
    exported(city, "residents", tmp_path / "a.xlsx", headings="zh")
    with pytest.raises(importing.Refused) as refusal:
        importing.run(city.session, access.SYSTEM, "residents", tmp_path / "a.xlsx", city.community)
    assert len(refusal.value.rejects) == 4
    assert all("is masked" in reject.reason for reject in refusal.value.rejects)


# Who may


@pytest.mark.parametrize(
    ("role", "layers"),
    [
        ("building_warden", set()),
        ("information_officer", set()),
        ("auditor", set()),
        ("analyst", {"units", "grids", "buildings", "dwellings", "incidents"}),
        ("planner", {"units", "grids", "buildings", "dwellings", "incidents"}),
        ("grid_leader", set(outgoing.LAYERS)),
    ],
)
def test_a_role_exports_what_it_may_read(city: City, role: str, layers: set[str]) -> None:
    actor = city.actor(role, city.community)
    for layer in outgoing.LAYERS:
        if layer in layers:
            assert exporting.stream(city.session, actor, layer, None, io.BytesIO(), format="csv").rows > 0
        else:
            with pytest.raises(Forbidden):
                exporting.stream(city.session, actor, layer, None, io.BytesIO(), format="csv")


def test_a_grid_leader_exports_the_own_grid_through_both_walls(city: City, tmp_path: Path) -> None:
    leader = city.actor("grid_leader", city.grids["B2"])
    expected = {
        "grids": 1,
        "buildings": 1,
        "dwellings": 1,
        "households": 1,
        "residents": 2,
        "tenancies": 1,
        "incidents": 1,
    }
    for layer, count in expected.items():
        with city.session.begin_nested() as outer:
            db.enter(city.session, leader)
            found = table(city, layer, tmp_path, leader)
            outer.rollback()
        assert len(found) == count, layer
        names = found["name"] if layer == "grids" else found["grid_name"]
        assert set(names) == {"B2"}


def test_exporting_needs_its_own_permission_in_the_same_place(city: City, tmp_path: Path) -> None:
    reader = city.actor("supervisor", city.community)
    part = city.actor("grid_leader", city.grids["A1"])
    actor = Actor(
        reader.account_id, permissions={**reader.permissions, "exchange.export": part.area("exchange.export")}
    )
    assert set(table(city, "buildings", tmp_path, actor)["grid_name"]) == {"A1"}
    assert set(table(city, "residents", tmp_path, actor)["grid_name"]) == {"A1"}
    assert table(city, "grids", tmp_path, actor)["name"].tolist() == ["A1"]


def test_every_export_is_recorded_without_what_was_searched_for(city: City) -> None:
    wanted = residents.Filter(grid=city.grids["A1"].code, person="李小明")
    exporting.stream(city.session, access.SYSTEM, "residents", None, io.BytesIO(), format="xlsx", filters=wanted)
    (row,) = recorded(city.session, "export")
    assert (row.record_kind, row.community_id, row.purpose) == ("residents", city.community.id, None)
    assert row.changes == {
        "format": [None, "xlsx"],
        "rows": [None, "1"],
        "grid": [None, city.grids["A1"].code],
        "person": [None, audit.HIDDEN],
    }
    assert not recorded(city.session, "unmask")


def test_a_wrong_wish_is_explained(city: City, tmp_path: Path) -> None:
    for options, fault in (
        ({"layer": "cars"}, "There is no layer “cars”. There are: units"),
        ({"format": "dwg"}, "There is no format “dwg”"),
        ({"crs": "EPSG:0"}, "is no known coordinate system"),
        ({"headings": "fr"}, "Headings are en, zh"),
    ):
        with pytest.raises(Invalid) as refusal:
            exported(city, **{"layer": "grids", "path": tmp_path / "a.gpkg", **options})  # type: ignore[arg-type]
        assert fault in refusal.value.detail
    assert not [*tmp_path.iterdir()]


# On another day


@pytest.fixture
def redrawn(city: City) -> City:
    """Since 1 March 2026 there are two grids: A1 has the west third, B2 the rest."""
    west, rest = rectangle(0, 0, 100, 300), rectangle(100, 0, 200, 300)
    grids.divide(
        city.session,
        access.SYSTEM,
        city.community,
        {city.grids["A1"].id: west, city.grids["B2"].id: rest},
        valid_from=date(2026, 3, 1),
    )
    city.session.expire_all()
    return city


def test_on_an_earlier_day_things_lie_in_the_grids_of_that_day(redrawn: City, tmp_path: Path) -> None:
    before, since = date(2026, 2, 28), date(2026, 3, 1)
    old = table(redrawn, "buildings", tmp_path, as_of=before).set_index("code")["grid_name"]
    new = table(redrawn, "buildings", tmp_path, as_of=since).set_index("code")["grid_name"]
    today = table(redrawn, "buildings", tmp_path).set_index("code")["grid_name"]
    assert [old[building.code] for building in redrawn.buildings.values()] == [*redrawn.grids]
    assert new.to_dict() == today.to_dict()
    assert set(new) == {"A1", "B2"}
    assert new[redrawn.buildings["A3"].code] == "A1"
    for layer in ("dwellings", "households", "residents", "incidents"):
        there = table(redrawn, layer, tmp_path, as_of=before)
        placed = there[there.geometry.notna() & there["grid_name"].notna()]
        held = grids.shapes(redrawn.session, redrawn.community.id, before)
        codes = {grids_unit.id: grids_unit.code for grids_unit in redrawn.grids.values()}
        areas = {codes[grid_id]: shape for grid_id, shape in held.items()}
        assert len(placed) >= 2
        assert all(areas[code].covers(point) for code, point in zip(placed["grid_code"], placed.geometry, strict=True))
    assert len(table(redrawn, "grids", tmp_path, as_of=before).geometry.dropna()) == 9
    assert len(table(redrawn, "grids", tmp_path, as_of=since).geometry.dropna()) == 2


def test_a_filter_by_grid_means_the_grid_of_that_day(redrawn: City, tmp_path: Path) -> None:
    wanted = buildings.Filter(grid=redrawn.grids["A1"].code)
    old = table(redrawn, "buildings", tmp_path, filters=wanted, as_of=date(2026, 2, 28))
    new = table(redrawn, "buildings", tmp_path, filters=wanted)
    assert old["code"].tolist() == [redrawn.buildings["A1"].code]
    assert sorted(new["code"]) == sorted(redrawn.buildings[name].code for name in ("A1", "A2", "A3"))


def test_before_there_were_grids_everything_lay_outside(city: City, tmp_path: Path) -> None:
    early = date(2019, 12, 31)
    found = table(city, "buildings", tmp_path, as_of=early)
    assert found["grid_code"].isna().all()
    assert set(found["unlocated_reason"]) == {"outside"}
    lost = incidents.Filter(located=False)
    assert len(table(city, "incidents", tmp_path, filters=lost, as_of=early)) == 4
    assert len(table(city, "incidents", tmp_path, filters=lost)) == 2


def test_a_place_on_the_edge_is_in_the_grid_with_the_lowest_code_on_any_day(city: City, tmp_path: Path) -> None:
    edge = city.incident(100, 150)
    today = table(city, "incidents", tmp_path).set_index("number").loc[edge.number, "grid_code"]
    then = table(city, "incidents", tmp_path, as_of=date(2020, 1, 1)).set_index("number").loc[edge.number, "grid_code"]
    assert today == then == min(city.grids["A2"].code, city.grids["B2"].code)


def test_groups_and_tenancies_are_those_of_the_day(city: City, tmp_path: Path) -> None:
    def groups(day: date | None, **filters: Any) -> list[str]:
        return table(city, "households", tmp_path, as_of=day, filters=homes.Filter(**filters))["groups"].tolist()

    assert groups(date(2024, 5, 31)) == ["empty_nest"] * 2
    assert groups(date(2024, 6, 1)) == ["disabled、empty_nest"] * 2
    assert groups(None) == ["disabled"] * 2
    assert groups(date(2024, 1, 1), groups=("disabled",)) == []
    assert len(groups(date(2024, 7, 1), groups=("disabled",))) == 2
    assert len(table(city, "tenancies", tmp_path, as_of=date(2024, 12, 31))) == 2
    assert len(table(city, "tenancies", tmp_path, as_of=date(2025, 1, 1))) == 0
    assert len(table(city, "tenancies", tmp_path)) == 2
    past = tenancies.Filter(current=False)
    assert len(table(city, "tenancies", tmp_path, filters=past, as_of=date(2025, 1, 1))) == 2


# Coordinate systems, formats, headings


@pytest.mark.parametrize("crs", ["EPSG:4549", "EPSG:4490", "EPSG:3857", "GCJ-02", "BD-09"])
def test_any_system_leads_back_to_the_same_place(city: City, tmp_path: Path, crs: str) -> None:
    plain = table(city, "buildings", tmp_path).set_index("code").geometry
    there = table(city, "buildings", tmp_path, crs=crs).set_index("code").geometry
    back = datums.reproject(np.asarray(there, dtype=object), datums.parse_crs(crs), "EPSG:4326")
    apart_m = datums.reproject(shapely.centroid(back), "EPSG:4326", CRS)
    meant_m = datums.reproject(shapely.centroid(np.asarray(plain.loc[there.index], dtype=object)), "EPSG:4326", CRS)
    assert shapely.distance(apart_m, meant_m).max() < 0.01
    moved_m = shapely.distance(shapely.centroid(np.asarray(there, dtype=object)), shapely.centroid(np.asarray(plain)))
    assert (moved_m.max() > 1e-4) == (crs != "EPSG:4490")


def test_gdal_reads_every_layer_file_as_it_was_meant(city: City, tmp_path: Path) -> None:
    for chosen in (Format.GPKG, Format.GEOJSON, Format.FGB):
        path = tmp_path / f"export{chosen.suffix}"
        exported(city, "buildings", path, format=chosen, crs="EPSG:4549", headings="zh")
        said = ogrinfo(path)
        assert "Feature Count: 9" in said
        assert "4549" in said
        assert "网格编码: String" in said
        assert "楼栋号 (String) = 5" in said


def ogrinfo(path: Path | str) -> str:
    """What GDAL's own tool says about a file, with every feature."""
    run = subprocess.run(["ogrinfo", "-ro", "-al", str(path)], capture_output=True, text=True, check=True, timeout=600)
    assert "Warning" not in run.stderr
    return run.stdout


def test_shapefiles_have_chinese_names_of_ten_bytes_and_say_what_they_were(city: City, tmp_path: Path) -> None:
    path = tmp_path / "楼栋.zip"
    done = exported(city, "buildings", path, format="shp", headings="zh")
    assert done.names["网格编码"] == "网格编"
    assert done.names["网格名称"] == "网格名"
    assert max(len(name.encode()) for name in done.names.values()) <= 10
    assert len(set(done.names.values())) == len(done.names)
    said = ogrinfo(f"/vsizip/{path}")
    assert "网格编 (String) = " + city.grids["B2"].code in said
    assert "楼栋类 (String) = 住宅" in said


def test_a_loose_shapefile_is_whole_under_the_name_one_gave_it(city: City, tmp_path: Path) -> None:
    archive = io.BytesIO()
    exporting.stream(city.session, access.SYSTEM, "grids", city.community, archive, format="shp", headings="zh")
    assert shapefiles.unpack(archive, tmp_path / "out.shp") == [tmp_path / "out.shp"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "out.shp",
        "out.shx",
        "out.dbf",
        "out.prj",
        "out.cpg",
        "out.fields.txt",
    }
    assert gpd.read_file(tmp_path / "out.shp")["网格名"].tolist() == [*city.grids]


def test_chinese_files_speak_chinese(city: City, tmp_path: Path) -> None:
    exported(city, "incidents", tmp_path / "a.xlsx", headings="zh")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    sheet = book["事件"]
    rows = [
        dict(zip([cell.value for cell in sheet[1]], [cell.value for cell in row], strict=True)) for row in sheet[2:5]
    ]
    closed = next(row for row in rows if row["状态"] == "已办结")
    name = select(incidents.Category.name_zh).where(incidents.Category.code == "environment.stray_cat")
    assert closed["事件类别"] == city.session.scalar(name)
    assert closed["是否超时"] == "否"
    assert closed["定位方式"] == "按坐标"
    assert {"经度", "纬度"} <= set(closed)


@pytest.mark.parametrize("layer", ["households", "residents", "buildings", "grids"])
@pytest.mark.parametrize(("suffix", "headings"), [(".xlsx", "zh"), (".csv", "zh"), (".xlsx", "en")])
def test_what_is_exported_in_full_changes_nothing_when_it_is_imported_again(
    city: City, tmp_path: Path, layer: str, suffix: str, headings: str
) -> None:
    (door,) = buildings.dwellings(city.session, access.SYSTEM, city.buildings["A1"].id)
    buildings.change_dwelling(city.session, access.SYSTEM, door, use="rented", area_m2=86.5)
    city.household("C3", address="锦绣路12弄9号楼1单元101室", room="1203")
    path = tmp_path / f"a{suffix}"
    done = exported(city, layer, path, headings=headings, unmask_purpose="入户核对")
    tables = ("household", "resident", "household_group", "dwelling", "building", "division")
    before = [sorted(city.session.scalars(text(f"SELECT t::text FROM {name} t"))) for name in tables]

    report = importing.run(city.session, access.SYSTEM, layer, path, city.community)

    assert (report.read, report.unchanged) == (done.rows, done.rows)
    assert [sorted(city.session.scalars(text(f"SELECT t::text FROM {name} t"))) for name in tables] == before


# Size


@pytest.fixture(scope="module")
def large(cluster: Cluster, worker: str) -> Iterator[str]:
    """A database with a community of 100,000 cases; those with a number below 10,000 are in state new."""
    with cloned(cluster, f"wangge_large_{worker}") as (dsn, engine):
        with db.transaction(access.SYSTEM, engine) as session:
            city = City.make(session)
            session.execute(
                text(
                    "INSERT INTO incident (community_id, grid_id, number, category_code, step, geom, address, "
                    "description, reported_at, located_by, located_score) "
                    "SELECT :community, :grid, lpad(i::text, 7, '0'), "
                    "'facility.corridor_light', CASE WHEN i < 10000 THEN 'reported' ELSE 'closed' END, "
                    "ST_SetSRID(ST_MakePoint(120 + i * 1e-9, 30.0005), 4326), '锦绣路' || i || '号', '二层廊灯不亮', "
                    "now() - i * interval '1 minute', 'point', 1 FROM generate_series(0, 99999) i"
                ),
                {"community": city.community.id, "grid": city.grids["A1"].id},
            )
        yield dsn


_MEASURE = """
import resource, sys
from data import attaching, incidents
from data.base import access, db
from data.exchange import exporting
attaching.attach()
dsn, path, states, day = sys.argv[1:]
from datetime import date
with db.transaction(access.SYSTEM, db.make_engine(dsn)) as session:
    done = exporting.stream(
        session, access.SYSTEM, "incidents", None, path, format=path.rpartition(".")[2], crs="EPSG:4549",
        filters=incidents.Filter(states=tuple(states.split(","))), as_of=date.fromisoformat(day) if day else None,
    )
print(done.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "day"), [("gpkg", "2026-01-01"), ("csv", ""), ("parquet", "")])
def test_ten_times_the_rows_take_no_more_memory(large: str, tmp_path: Path, suffix: str, day: str) -> None:
    peaks = []
    for states, rows in (("new", 10_000), ("new,closed", 100_000)):
        run = subprocess.run(
            [sys.executable, "-c", _MEASURE, large, str(tmp_path / f"a.{suffix}"), states, day],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
            cwd=ROOT,
            env={"WANGGE_HOME": str(HOME)},
        )
        count, peak_mb = map(int, run.stdout.split())
        assert count == rows
        peaks.append(peak_mb)
    if suffix == "gpkg":
        assert pyogrio.read_info(tmp_path / "a.gpkg")["features"] == 100_000
    # Held at once, 90,000 more rows of Python objects would be some 125 MB.
    assert peaks[1] - peaks[0] < 40, peaks
