"""Imports over HTTP: a file is handed in, a job brings it in or says why not, and what was sent back is fetched."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select, text

from api import worker
from api.base.request import LANGUAGE_COOKIE
from data import accounts, units
from data.base import access, db, jobs, scratch, settings
from data.base.audit import Audit
from data.base.cluster import REQUESTS, Cluster
from data.base.jobs import Job, JobState
from data.buildings import Building
from data.households import Household
from data.incidents import Incident
from tests.city import City, degrees, rectangle
from tests.conftest import cloned
from tests.data import hostile

#: Files that look like others and are read like them, up to what is in them.
_HANDED_IN = [
    "projection by path",
    "projection by init",
    "code page by path",
    "view that reads a file",
    "view that geocodes",
    "virtual table of gdal",
    "trigger",
]
HOUSEHOLDS = """户编号,楼,单元房号,户主,证件号,电话,备注2
HH-1,1号楼,1-101,李小明,11010519491231002X,13800006021,王芳
HH-2,2号楼,1-201,张伟,,13900001111,
HH-3,3号楼,1-301,欧阳晓峰,,,
"""
BAD_ROW = "HH-4,4号楼,1-401,赵一,110105194912310021,,\n"


@dataclass
class Town:
    """The small city in a database of its own, with what was written committed."""

    app: FastAPI
    city: City

    def client(self, role: str = "community_staff", unit: units.Unit | None = None, **headers: str) -> TestClient:
        """Somebody with a role, of the community by default."""
        with db.transaction(access.SYSTEM) as session:
            self.city.session = session
            actor = self.city.actor(role, unit or self.city.community)
            _row, token = accounts.new_api_token(session, actor, name="test")
        given = {"Authorization": f"Bearer {token}", "Accept-Language": "en", **headers}
        return TestClient(self.app, headers=given, cookies={LANGUAGE_COOKIE: "en"}, follow_redirects=False)

    def work(self) -> None:
        """What the worker does: the jobs that wait, in their order."""
        with db.transaction(access.SYSTEM) as session:
            waiting = session.execute(select(Job.id, Job.kind).where(Job.state == JobState.QUEUED).order_by(Job.id))
            found = waiting.all()
        for job_id, kind in found:
            jobs.perform(job_id, worker.HANDLERS[kind], worker.actor_of)

    def count(self, table: Any) -> int:
        """How many rows a table has."""
        with db.transaction(access.SYSTEM) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture(scope="module")
def own(cluster: Cluster, worker: str) -> Iterator[Engine]:
    """A database of these tests' own."""
    with cloned(cluster, f"wangge_imports_{worker}") as (_dsn, engine):
        yield engine


@pytest.fixture(scope="module")
def own_requests(cluster: Cluster, own: Engine) -> Iterator[Engine]:
    """The same database, as requests log in to it."""
    engine = db.make_engine(cluster.dsn(own.url.database, REQUESTS))
    yield engine
    engine.dispose()


@pytest.fixture
def town(own: Engine, own_requests: Engine, application: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """The 3 × 3 city, committed, as the installation, with nothing to do; afterwards the database is empty again."""
    monkeypatch.setattr(db, "engine", lambda: own)
    monkeypatch.setattr(db, "requests", lambda: own_requests)
    with db.transaction(access.SYSTEM) as session:
        city = City.make(session)
    _empty(own, "job")
    application.state.transaction = db.transaction
    application.state.actors.forget()
    yield Town(application, city)
    _empty(own, "unit, account, audit, job, upload")


def _empty(own: Engine, tables: str) -> None:
    with own.begin() as connection:
        connection.execute(text(f"TRUNCATE {tables} CASCADE"))
        connection.execute(text(f"SET LOCAL search_path = {jobs.QUEUE_SCHEMA}, public"))
        connection.execute(text("DELETE FROM procrastinate_jobs"))


def hand_in(client: TestClient, town: Town, kind: str, content: bytes | str, name: str, **options: Any) -> Any:
    """Hand a file in; the answer."""
    body = content.encode() if isinstance(content, str) else content
    data = {"kind": kind, "community": town.city.community.code, **options}
    return client.post("/api/imports", data=data, files={"file": (name, body)})


def brought(client: TestClient, town: Town, kind: str, content: bytes | str, name: str, **options: Any) -> Any:
    """Hand a file in and let the worker do it; the job afterwards."""
    answer = hand_in(client, town, kind, content, name, **options)
    assert answer.status_code == 202, answer.text
    town.work()
    return client.get(answer.headers["location"]).json()


def points(*places: tuple[float, float, dict[str, Any]]) -> str:
    """A GeoJSON file of points, in metres from the corner of the city."""
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": degrees(x, y)}, "properties": values}
        for x, y, values in places
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_a_file_that_is_handed_in_waits_for_the_worker_and_is_then_there(town: Town) -> None:
    client = town.client()
    answer = hand_in(client, town, "households", HOUSEHOLDS.encode("gbk"), "家庭台账.csv")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert town.count(Household) == 0
    town.work()
    job = client.get(answer.headers["location"]).json()
    result = job["result"]
    assert (job["state"], job["detail"]) == ("done", None)
    assert {name: result[name] for name in ("read", "new", "updated", "unchanged", "rejected")} == {
        "read": 3,
        "new": 3,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
    }
    assert (result["located"], result["file"]["encoding"]) == ({"address": 3}, "GBK")
    assert town.count(Household) == 3


@pytest.mark.parametrize("name", _HANDED_IN)
def test_a_database_with_views_and_a_system_that_names_a_file_give_nothing_out_over_http(
    town: Town, tmp_path: Path, name: str
) -> None:
    secret = tmp_path / "server" / "secret.csv"
    secret.parent.mkdir()
    secret.write_text(f"name,value\n{hostile.CANARY},1\nother,2\n")
    (tmp_path / "upload").mkdir()
    path = hostile.all_of_them()[name](tmp_path / "upload", secret, "http://127.0.0.1:9")
    if path.suffix == ".shp":
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for part in path.parent.iterdir():
                archive.writestr(part.name, part.read_bytes())
        content, called = packed.getvalue(), "a.zip"
    else:
        content, called = path.read_bytes(), path.name
    client = town.client()
    answer = hand_in(client, town, "buildings", content, called, accept_valid="true")
    said = answer.text
    if answer.status_code == 202:
        town.work()
        job = client.get(answer.headers["location"])
        more = ("", "/look", "/rejects")
        said += job.text + "".join(client.get(f"/api/jobs/{job.json()['id']}{part}").text for part in more)
        assert job.json()["state"] in ("done", "failed")
        assert "went wrong" not in said
    said += client.get("/api/buildings").text
    assert hostile.CANARY not in said
    assert str(tmp_path) not in said


def test_the_job_says_which_column_was_taken_for_what_with_masked_examples(town: Town) -> None:
    job = brought(town.client(), town, "households", HOUSEHOLDS, "家庭.csv", dry_run="true")
    assert {one["name"]: (one["field"], one["sample"]) for one in job["result"]["file"]["columns"]} == {
        "户编号": ("number", "HH-1"),
        "楼": ("building", "1号楼"),
        "单元房号": ("dwelling", "1-101"),
        "户主": ("head_name", "李**"),
        "证件号": ("identity_number", "1101**********002X"),
        "电话": ("phone", "138****6021"),
        "备注2": (None, "王*"),
    }
    with db.transaction(access.SYSTEM) as session:
        kept = session.scalars(select(text("result::text || params::text")).select_from(Job)).all()
    for personal in ("李小明", "王芳", "11010519491231002X", "13800006021"):
        assert personal not in str(kept)


def test_a_dry_run_changes_nothing_and_shows_where_the_rows_are(town: Town) -> None:
    client = town.client()
    job = brought(client, town, "households", HOUSEHOLDS, "家庭.csv", dry_run="true")
    assert (job["state"], job["result"]["new"]) == ("done", 3)
    assert town.count(Household) == 0
    features = client.get(f"/api/jobs/{job['id']}/look").json()["features"]
    assert [(one["properties"]["row"], one["properties"]["accepted"]) for one in features] == [
        (2, True),
        (3, True),
        (4, True),
    ]
    assert features[0]["geometry"]["coordinates"] == pytest.approx(degrees(50, 50), abs=2e-6)


def test_a_bad_row_stops_the_file_and_is_handed_back_with_reason_and_advice(town: Town) -> None:
    client = town.client()
    job = brought(client, town, "households", HOUSEHOLDS + BAD_ROW, "家庭.csv")
    assert job["state"] == "failed"
    assert "row 5" in job["detail"]
    assert (job["result"]["reject_kinds"], job["result"]["rejects"][0]["row"]) == ({"format": 1}, 5)
    assert town.count(Household) == 0
    answer = client.get(f"/api/jobs/{job['id']}/rejects")
    assert "attachment" in answer.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (row["户编号"], row["rejected row"]) == ("HH-4", "5")
    assert row["reason of the rejection"]
    assert row["what to do"]


def test_the_good_rows_go_in_when_that_is_wanted(town: Town) -> None:
    job = brought(town.client(), town, "households", HOUSEHOLDS + BAD_ROW, "家庭.csv", accept_valid="true")
    assert (job["state"], job["result"]["new"], job["result"]["rejected"]) == ("done", 3, 1)
    assert town.count(Household) == 3


def test_the_same_file_twice_changes_nothing_and_needs_no_second_upload(town: Town) -> None:
    client = town.client()
    first = brought(client, town, "households", HOUSEHOLDS, "家庭.csv")
    again = client.post(
        "/api/imports",
        data={
            "kind": "households",
            "community": town.city.community.code,
            "upload_id": first["result"]["file"]["upload_id"],
        },
    )
    town.work()
    result = client.get(again.headers["location"]).json()["result"]
    assert (result["new"], result["updated"], result["unchanged"]) == (0, 0, 3)


def test_columns_are_taken_for_what_one_says_they_are(town: Town) -> None:
    content = "A,B,C\nHH-9,1号楼101,随便\n"
    job = brought(town.client(), town, "households", content, "x.csv", map=["A=number", "B=address", "C="])
    assert job["state"] == "done"
    assert [one["field"] for one in job["result"]["file"]["columns"]] == ["number", "address", None]


def test_a_file_without_a_needed_column_fails_but_its_columns_are_told(town: Town) -> None:
    job = brought(town.client(), town, "households", "楼,户主\n1号楼,李小明\n", "x.csv")
    assert (job["state"], job["result"]["missing"]) == ("failed", ["Household number"])
    assert [one["name"] for one in job["result"]["file"]["columns"]] == ["楼", "户主"]


def test_an_upload_keeps_the_name_that_tells_what_it_is(town: Town) -> None:
    content = "编号\t类别\t上报时间\t经度\t纬度\nX-1\t野猫\t2026-03-18 09:30\t{}\t{}\n".format(*degrees(150, 150))
    job = brought(town.client(), town, "incidents", content, "../../事件 3月.tsv")
    assert (job["state"], job["result"]["file"]["name"]) == ("done", "事件 3月.tsv")
    with db.transaction(access.SYSTEM) as session:
        changes = session.scalar(select(Audit.changes).where(Audit.action == "import"))
        assert session.scalar(select(Incident.grid_id)) == town.city.grids["B2"].id
    assert changes is not None
    assert changes["file"] == [None, "事件 3月.tsv"]
    assert list(scratch.root().iterdir()) == [], "what lay open for the job is gone with it"


def test_coordinates_on_another_datum_are_asked_about(town: Town) -> None:
    from spatial.datums import Datum, convert

    places = [
        degrees(column * 100 + x, row * 100 + 50) for column in range(3) for row in range(3) for x in (35, 50, 65)
    ]
    lon, lat = convert([lon for lon, _lat in places], [lat for _lon, lat in places], Datum.WGS84, Datum.GCJ02)
    rows = "".join(f"N{at},{float(lon[at])},{float(lat[at])}\n" for at in range(len(places)))
    job = brought(town.client(), town, "buildings", f"楼栋编码,经度,纬度\n{rows}", "x.csv", dry_run="true")
    assert (job["state"], job["result"]["datum"], job["result"]["fault"]) == ("failed", "GCJ-02", "DatumDoubt")
    assert 0 <= job["result"]["before"] < job["result"]["after"] <= 1


def test_a_cancelled_import_writes_nothing(town: Town) -> None:
    client = town.client()
    answer = hand_in(client, town, "households", HOUSEHOLDS, "家庭.csv")
    cancelled = client.post(f"{answer.headers['location']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    town.work()
    assert client.get(answer.headers["location"]).json()["state"] == "cancelled"
    assert town.count(Household) == 0


def test_only_those_may_import_who_may_edit_what_comes_in(town: Town) -> None:
    planner = town.client("planner")
    assert hand_in(planner, town, "households", HOUSEHOLDS, "x.csv").status_code == 403
    assert hand_in(planner, town, "buildings", "楼栋编码\n1\n", "x.csv").status_code == 202
    assert hand_in(town.client("grid_leader"), town, "buildings", "楼栋编码\n1\n", "x.csv").status_code == 403
    with db.transaction(access.SYSTEM) as session:
        other = City.make(session, code="320101001001")
    stranger = town.client("community_staff", other.community)
    assert hand_in(stranger, town, "buildings", "楼栋编码\n1\n", "x.csv").status_code == 404


def test_what_somebody_handed_in_is_nobody_elses(town: Town) -> None:
    mine, other = town.client(), town.client("administrator", town.city.district)
    job = brought(mine, town, "households", HOUSEHOLDS + BAD_ROW, "家庭.csv", dry_run="true")
    for below in ("", "/rejects", "/look"):
        assert mine.get(f"/api/jobs/{job['id']}{below}").status_code == 200
        assert other.get(f"/api/jobs/{job['id']}{below}").status_code == 404
    data = {
        "kind": "households",
        "community": town.city.community.code,
        "upload_id": job["result"]["file"]["upload_id"],
    }
    assert other.post("/api/imports", data=data).status_code == 404


def test_a_job_may_do_only_what_its_owner_may_do_by_then(town: Town) -> None:
    client = town.client()
    answer = hand_in(client, town, "households", HOUSEHOLDS, "家庭.csv")
    with db.transaction(access.SYSTEM) as session:
        session.execute(text('DELETE FROM "grant"'))
    town.work()
    with db.transaction(access.SYSTEM) as session:
        assert session.scalar(select(Job.state)) == JobState.FAILED
    assert answer.status_code == 202
    assert town.count(Household) == 0


@pytest.mark.parametrize(
    "options",
    [{"kind": "cats"}, {"clean_m": "0"}, {"clean_m": "1000"}, {"upload_id": "1"}, {"dry_run": "perhaps"}],
)
def test_what_is_malformed_is_refused_at_once(town: Town, options: dict[str, str]) -> None:
    data = {"kind": "buildings", "community": town.city.community.code, **options}
    answer = town.client().post("/api/imports", data=data, files={"file": ("x.csv", b"a\n1\n")})
    assert answer.status_code == 422
    assert town.count(Job) == 0


def test_an_empty_file_and_one_that_is_too_large_are_refused_at_once(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = town.client()
    assert hand_in(client, town, "buildings", b"", "x.csv").status_code == 422
    monkeypatch.setattr(settings, "get", lambda: settings.Settings(upload_max_mb=1))
    answer = hand_in(client, town, "buildings", b"x" * 1_000_001, "x.csv")
    assert answer.status_code == 422
    assert "1 MB" in answer.json()["detail"]
    assert town.count(Job) == 0


def test_an_import_without_places_has_nothing_to_look_at(town: Town) -> None:
    client = town.client()
    job = brought(client, town, "buildings", "楼栋编码,楼栋号\n77,77\n", "x.csv", dry_run="true")
    assert client.get(f"/api/jobs/{job['id']}/look").status_code == 404
    assert client.get(f"/api/jobs/{job['id']}/rejects").status_code == 404


def test_a_look_thins_many_rows_and_keeps_those_sent_back(town: Town) -> None:
    many = [(x % 300, x // 20, {"编号": f"X-{x}", "类别": "野猫", "上报时间": "2026-03-18"}) for x in range(3000)]
    many[5][2]["上报时间"] = "2026-02-30"
    client = town.client()
    job = brought(client, town, "incidents", points(*many), "x.geojson", dry_run="true")
    features = client.get(f"/api/jobs/{job['id']}/look").json()["features"]
    assert 700 < len(features) <= 1500
    assert [one["properties"]["row"] for one in features if not one["properties"]["accepted"]] == [6]


def test_buildings_come_in_with_their_footprints(town: Town) -> None:
    shape = rectangle(210, 10, 20, 10).__geo_interface__
    feature = {"type": "Feature", "geometry": shape, "properties": {"楼栋编码": "N1", "楼栋号": "N1"}}
    content = json.dumps({"type": "FeatureCollection", "features": [feature]})
    job = brought(town.client("planner"), town, "buildings", content, "楼栋.geojson")
    assert job["state"] == "done"
    with db.transaction(access.SYSTEM) as session:
        assert session.scalar(select(Building.grid_id).where(Building.code == "N1")) == town.city.grids["C1"].id


# ---- the pages -----------------------------------------------------------------------------------------------------


def page(client: TestClient, address: str) -> str:
    """A page that can be read."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    assert not re.search(r"--(?:crs|map|layer|clean|encoding)", answer.text)
    return answer.text


def opened(client: TestClient, town: Town, kind: str, content: bytes | str, name: str, **typed: str) -> str:
    """Hand a file in on the page and have it checked; the address of what comes of it."""
    body = content.encode() if isinstance(content, str) else content
    answer = client.post("/exchange/import", data={"kind": kind, **typed}, files={"file": (name, body)})
    assert answer.status_code == 303, answer.text
    town.work()
    return str(answer.headers["location"])


def chosen(html: str) -> dict[str, str]:
    """Column → the field that its box shows."""
    rows = re.findall(r'<select name="field-\d+"\s+aria-label="([^"]*)".*?</select>', html, re.DOTALL)
    boxes = re.findall(r'<select name="field-\d+".*?</select>', html, re.DOTALL)
    found = [re.search(r'<option value="([^"]*)" selected>', box) for box in boxes]
    return {row: option[1] if option else "" for row, option in zip(rows, found, strict=True)}


def test_a_file_goes_from_the_first_page_to_the_database(town: Town) -> None:
    client = town.client(accept="text/html")
    assert "Households" in page(client, "/exchange/import?kind=households")
    answer = client.post(
        "/exchange/import",
        data={"kind": "households"},
        files={"file": ("家庭.csv", (HOUSEHOLDS + BAD_ROW).encode("gbk"))},
    )
    address = answer.headers["location"]
    waiting = page(client, address)
    assert 'hx-get="/exchange/import/' in waiting
    assert "Waiting for its turn" in waiting
    town.work()
    preview = page(client, address)
    assert "GBK" in preview
    assert "3 new, 0 changed, 0 as they are" in preview
    assert '<tr data-row="5">' in preview
    for personal in ("李小明", "13800006021", "11010519491231002X", "王芳"):
        assert personal not in preview
    assert town.count(Household) == 0
    started = client.post(f"{address}/start", data={"accept_valid": "1"})
    assert started.headers["location"].startswith(address)
    assert "Cancel the import" in page(client, address)
    assert client.post(f"{address}/start", data={"accept_valid": "1"}).status_code == 303
    town.work()
    assert "3 new, 0 changed, 0 as they were." in page(client, f"{address}/progress")
    assert town.count(Household) == 3
    assert town.count(Job) == 2
    assert "家庭.csv" in page(client, "/exchange/import")
    assert client.get(f"{address}/rejects").content.decode("utf-8-sig").splitlines()[1].startswith("HH-4,")


def test_a_running_import_says_how_many_rows_and_how_long_still(town: Town) -> None:
    client = town.client(accept="text/html")
    address = opened(client, town, "households", HOUSEHOLDS, "家庭.csv")
    client.post(f"{address}/start")
    with db.transaction(access.SYSTEM) as session:
        job = session.scalars(select(Job).order_by(Job.id.desc()).limit(1)).one()
        job.state, job.started_at = JobState.RUNNING, datetime.now(UTC) - timedelta(seconds=30)
        job.step, job.done, job.total = "Writing", 1167, 1556
    told = page(client, f"{address}/progress")
    assert "1,167 of 1,556 rows" in told
    assert "Writing, 90%, about 3 s left" in told
    assert '<progress value="0.900" max="1"' in told


def test_without_the_good_rows_alone_a_bad_row_stops_the_import_which_can_be_started_again(town: Town) -> None:
    client = town.client(accept="text/html")
    address = opened(client, town, "households", HOUSEHOLDS + BAD_ROW, "家庭.csv")
    client.post(f"{address}/start")
    town.work()
    assert "row 5" in page(client, f"{address}/progress")
    assert town.count(Household) == 0
    client.post(f"{address}/start", data={"accept_valid": "1"})
    town.work()
    assert town.count(Household) == 3


def test_columns_that_were_not_recognised_are_matched_by_hand(town: Town) -> None:
    client = town.client(accept="text/html")
    address = opened(client, town, "households", "A,B,C\nHH-9,1号楼101,x\n", "x.csv")
    preview = page(client, address)
    assert "No column for: Household number" in preview
    assert set(chosen(preview).values()) == {""}
    twice = client.post(f"{address}/columns", data={"field-0": "number", "field-1": "number", "field-2": ""})
    assert "is chosen for two columns" in twice.text
    client.post(f"{address}/columns", data={"field-0": "number", "field-1": "address", "field-2": ""})
    town.work()
    preview = page(client, address)
    assert chosen(preview) == {"A": "number", "B": "address", "C": ""}
    assert "1 new, 0 changed, 0 as they are" in preview
    client.post(f"{address}/start")
    town.work()
    assert town.count(Household) == 1


def test_the_question_about_the_datum_is_answered_by_a_button(town: Town) -> None:
    from spatial.datums import Datum, convert

    places = [
        degrees(column * 100 + x, row * 100 + 50) for column in range(3) for row in range(3) for x in (35, 50, 65)
    ]
    lon, lat = convert([lon for lon, _lat in places], [lat for _lon, lat in places], Datum.WGS84, Datum.GCJ02)
    rows = "".join(f"N{at},{float(lon[at])},{float(lat[at])}\n" for at in range(len(places)))
    client = town.client(accept="text/html")
    address = opened(client, town, "buildings", f"楼栋编码,经度,纬度\n{rows}", "x.csv")
    asked = page(client, address)
    assert "The coordinates look like GCJ-02" in asked
    assert "What are they in?" in asked
    assert "Import 27 rows" not in asked
    assert client.post(f"{address}/start").status_code == 409
    client.post(f"{address}/system", data={"crs": "GCJ-02"})
    town.work()
    assert "Import 27 rows" in page(client, address)
    client.post(f"{address}/start")
    town.work()
    assert town.count(Building) == 9 + 27


def test_advice_names_what_there_is_to_set_where_it_is_read(town: Town) -> None:
    client = town.client(accept="text/html")
    content = "楼栋编码,X,Y\nN1,500000,3400000\n"
    address = opened(client, town, "buildings", content, "x.csv")
    assert "Choose it under “Coordinate system”." in page(client, address)
    job = brought(town.client("planner"), town, "buildings", content, "x.csv")
    assert job["state"] == "failed"
    assert job["detail"].endswith("Say which one it is with `crs`, such as EPSG:4549.")


def test_a_layer_is_chosen_where_there_are_several(town: Town) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for name, rows in (("说明", [["标题"], ["无"]]), ("家庭", [["户号", "地址"], ["HH-1", "1号楼1-101"]])):
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.remove(book["Sheet"])
    buffer = io.BytesIO()
    book.save(buffer)
    client = town.client(accept="text/html")
    address = opened(client, town, "households", buffer.getvalue(), "x.xlsx")
    asked = page(client, address)
    assert "has 2 layers: 说明, 家庭. Choose one of them." in asked
    client.post(f"{address}/columns", data={"layer": "家庭"})
    town.work()
    preview = page(client, address)
    assert "sheet “家庭”" in preview
    assert "1 new" in preview


def test_a_file_that_cannot_be_read_says_why_and_asks_for_another(town: Town) -> None:
    client = town.client(accept="text/html")
    address = opened(client, town, "buildings", '{"type": "Topology"}', "x.geojson")
    assert 'role="alert"' in page(client, address)
    assert client.post(f"{address}/start").status_code == 409


@pytest.mark.parametrize(
    ("typed", "files", "sentence"),
    [
        ({"kind": "households"}, None, "Choose a file."),
        ({"kind": "cats"}, {"file": ("x.csv", b"a\n1\n")}, "Say what is in the file."),
        ({"kind": "households"}, {"file": ("x.csv", b"")}, "The file is empty."),
    ],
)
def test_a_form_that_is_not_filled_in_says_what_is_missing(town: Town, typed: Any, files: Any, sentence: str) -> None:
    answer = town.client(accept="text/html").post("/exchange/import", data=typed, files=files)
    assert answer.status_code == 422
    assert sentence in answer.text


def test_the_page_is_loaded_again_once_the_rows_were_checked(town: Town) -> None:
    client = town.client(accept="text/html")
    address = opened(client, town, "households", HOUSEHOLDS, "x.csv")
    assert client.get(f"{address}/progress").headers["hx-refresh"] == "true"


def test_a_cancelled_check_or_import_writes_nothing_and_says_so(town: Town) -> None:
    client = town.client(accept="text/html")
    address = opened(client, town, "households", HOUSEHOLDS, "x.csv")
    client.post(f"{address}/start")
    client.post(f"{address}/cancel")
    town.work()
    assert "Cancelled. Nothing was written." in page(client, address)
    assert town.count(Household) == 0


def test_rows_sent_back_are_paged_and_sorted_by_what_they_are_about(town: Town) -> None:
    bad = "".join(f"HH-{at},1号楼,1-{at},赵一,{at},,\n" for at in range(20, 45))
    client = town.client(accept="text/html")
    address = opened(client, town, "households", HOUSEHOLDS + bad + "HH-1,5号楼,1-1,赵,,,\n", "x.csv")
    first, second = page(client, address), page(client, f"{address}?start=10")
    shown = [re.findall(r'<tr data-row="(\d+)">', html) for html in (first, second)]
    assert shown == [[str(at) for at in range(5, 15)], [str(at) for at in range(15, 25)]]
    assert re.findall(r'<tr data-row="(\d+)">', page(client, f"{address}?group=duplicate")) == ["30"]
    for start in ("99999999999", "-1", "x"):
        assert page(client, f"{address}?start={start}")


def test_the_import_of_somebody_else_is_not_found(town: Town) -> None:
    address = opened(town.client(accept="text/html"), town, "households", HOUSEHOLDS, "x.csv")
    other = town.client("administrator", town.city.district, accept="text/html")
    for path, send in (
        ("", other.get),
        ("/progress", other.get),
        ("/rejects", other.get),
        ("/start", other.post),
        ("/columns", other.post),
        ("/system", other.post),
        ("/cancel", other.post),
    ):
        assert send(f"{address}{path}").status_code == 404, path


def test_one_chooses_among_what_one_may_import(town: Town) -> None:
    shown = page(town.client("planner", accept="text/html"), "/exchange/import?kind=households")
    assert re.findall(r'name="kind" value="(\w+)"', shown) == ["grids", "buildings", "basemap"]
    assert town.client("grid_leader", accept="text/html").get("/exchange/import").status_code == 403
