"""Pages of patrols: what a phone keeps, what a file would bring, who sees whose track, and what coverage says."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI

from api.base import static
from api.base.page import templates
from data import buildings, patrols, rounds
from data.base import access, settings
from data.buildings import BuildingKind
from tests.api.conftest import ClientFor, TestClient
from tests.api.test_patrols import START, begin, send, walked
from tests.city import City, degrees, rectangle


def gpx(*points: tuple[str, str, str]) -> bytes:
    """A GPX file of latitude, longitude and time."""
    body = "".join(f'<trkpt lat="{lat}" lon="{lon}"><time>{at}</time></trkpt>' for lat, lon, at in points)
    head = '<gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>早巡</name><trkseg>'
    return f"{head}{body}</trkseg></trk></gpx>".encode()


def walk_file() -> bytes:
    """A walk of sixty points, one of which has no place and the last a time of long ago."""
    points = [(str(one["lat"]), str(one["lon"]), one["at"]) for one in walked()]
    points[10] = ("undefined", points[10][1], points[10][2])
    points[-1] = (*points[-1][:2], "1901-01-01T00:00:00Z")
    return gpx(*points)


def english(client: TestClient) -> TestClient:
    """The client, reading pages in English."""
    client.cookies.set("wangge_language", "en")
    return client


def upload(client: TestClient, path: str, content: bytes, **fields: str) -> Any:
    """Hand in a file."""
    return client.post(path, data=fields, files={"file": ("walk.gpx", content, "application/gpx+xml")})


def test_the_page_of_patrols_obeys_every_filter_of_the_api(client_for: ClientFor, city: City) -> None:
    client = english(client_for("community_staff", city.community))
    city.order(date(2026, 3, 1))
    walks = [
        rounds.add(city.session, access.SYSTEM, community_id=city.community.id, name=name) for name in ("early", "late")
    ]
    made = [
        patrols.start(
            city.session,
            access.SYSTEM,
            uuid=uuid4(),
            community_id=city.community.id,
            round_id=walk.id,
            started_at=datetime(2026, 3, day, tzinfo=UTC),
        )
        for day, walk in enumerate(walks, 1)
    ]
    city.session.flush()
    for walk, patrol in zip(walks, made, strict=True):
        listed = client.get("/api/patrols", params={"round": walk.id}).json()["items"]
        assert [item["id"] for item in listed] == [patrol.id]
        page = client.get("/patrols", params={"round": walk.id}).text
        assert set(re.findall(r'href="/patrols/(\d+)"', page)) == {str(patrol.id)}
        assert "Of one round" in page
    assert "/patrols/" in client.get("/patrols?bbox=&utm_source=mail").text


def test_the_page_that_a_phone_keeps_says_nothing_about_anybody(client_for: ClientFor, city: City) -> None:
    kept = client_for("grid_leader", city.grids["A1"]).get("/patrol/kept")
    assert kept.status_code == 200
    assert 'name="csrf-token" content=""' in kept.text
    assert "grid_leader" not in kept.text
    assert city.community.name not in kept.text
    assert "/signout" not in kept.text
    other = client_for("community_staff", city.community).get("/patrol/kept")
    nonces = re.compile(r'nonce="[^"]+"|map_[0-9a-f]{32}|[a-z_]+_[0-9a-f]{32}')
    assert nonces.sub("", kept.text) == nonces.sub("", other.text)


def test_the_worker_keeps_every_script_that_the_page_imports_and_no_page_but_one(client_for: ClientFor) -> None:
    client = client_for()
    worker = client.get("/patrol.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    (files,) = re.findall(r"const FILES = (\[.*?\]);", worker.text)
    addresses = json.loads(files)
    assert all(one.startswith(static.address()) for one in addresses)
    script = static.address("vendor/ours/js/patrols/map.js")
    shared = set(re.findall(r'from"\.\./(shared/\w+\.js)"', client.get(script).text))
    assert shared, "what several pages share lies in pieces of its own"
    assert {script, *(static.address(f"vendor/ours/js/{name}") for name in shared)} <= set(addresses)
    assert all(client.get(one).status_code == 200 for one in addresses)
    page = client.get("/patrol").text
    assert set(re.findall(r'(?:src|href)="(/static/[^"#]+)', page)) <= set(addresses)


def test_the_worker_changes_with_the_language(client_for: ClientFor) -> None:
    client = client_for()
    told = {client.get("/patrol.js", params={"lang": language}).text for language in ("zh", "en")}
    assert len(told) == 2


@pytest.mark.parametrize("path", ["/patrol", "/patrol/kept", "/patrol.js", "/patrol/today"])
def test_a_phone_that_is_signed_out_gets_nothing(client: TestClient, path: str) -> None:
    assert client.get(path, headers={"Accept": "application/json"}).status_code == 401


def test_a_phone_is_told_the_rounds_of_who_walks_them(client_for: ClientFor, city: City) -> None:
    leader, other = (city.account("grid_leader", city.grids["A1"], name) for name in ("first", "second"))
    for name, account in (("mine", leader.id), ("theirs", other.id), ("anybody's", None)):
        rounds.add(
            city.session,
            access.SYSTEM,
            community_id=city.community.id,
            grid_id=city.grids["A1"].id,
            name=name,
            account_id=account,
        )
    rounds.add(city.session, access.SYSTEM, community_id=city.community.id, name="paused", active=False)
    client = client_for("grid_leader", city.grids["A1"])
    found = client.get("/patrol/today").json()
    assert [one["name"] for one in found["rounds"]] == ["anybody's"]
    assert [one["name"] for one in found["grids"]] == ["A1"]
    assert [one["id"] for one in found["buildings"]] == [city.buildings["A1"].id]
    assert found["rounds"][0]["stops"] == [city.buildings["A1"].id]
    ring = found["buildings"][0]["rings"][0]
    assert ring[0] == ring[-1]


def test_a_preview_says_what_is_left_out_and_keeps_nothing(client_for: ClientFor, city: City) -> None:
    client = english(client_for("community_staff", city.community))
    answer = upload(client, "/patrols/upload/preview", walk_file())
    assert answer.status_code == 200
    assert "58 of 60 points are believed, 2 left out." in answer.text
    assert "No coordinates" in answer.text
    assert "No time" in answer.text
    (shown,) = re.findall(r'data-track="([^"]*)"', answer.text)
    track = json.loads(unescape(shown))
    assert sum(len(part) for part in track["parts"]) > 1
    assert [one["reason"] for one in track["dropped"]] == ["no_time"]
    assert client.get("/api/patrols").json()["items"] == []


def test_what_was_previewed_is_what_is_kept(client_for: ClientFor, city: City) -> None:
    client = english(client_for("community_staff", city.community))
    for _again in range(2):
        answer = upload(client, "/patrols/upload", walk_file(), grid_id=str(city.grids["A1"].id))
        assert answer.status_code == 303, answer.text
    (patrol,) = client.get("/api/patrols").json()["items"]
    assert answer.headers["location"] == f"/patrols/{patrol['id']}"
    assert (patrol["point_count"], patrol["dropped_count"]) == (60, 2)
    page = client.get(f"/patrols/{patrol['id']}").text
    assert "58 of 60 points are believed, 2 left out." in page
    assert 'data-reason="no_time"' in page
    assert "早巡" in page


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"<gpx", "walk.gpx"), (gpx(), "track"), (gpx(*[("31.2", "121.4", "2026-01-01T00:00:00Z")] * 5), "track")],
)
def test_a_file_that_cannot_be_taken_is_refused_with_a_sentence(
    client_for: ClientFor, city: City, content: bytes, says: str
) -> None:
    client = client_for("community_staff", city.community)
    preview = upload(client, "/patrols/upload/preview", content)
    assert preview.status_code == 200
    assert 'role="alert"' in preview.text
    kept = upload(client, "/patrols/upload", content)
    assert kept.status_code in (409, 422)
    assert client.get("/api/patrols").json()["items"] == []


def test_others_see_no_track_and_no_page_of_it(client_for: ClientFor, city: City) -> None:
    walker = client_for("building_warden", city.grids["A1"])
    patrol = begin(walker, city)
    send(walker, patrol, walked())
    assert walker.get(f"/patrols/{patrol['id']}").status_code == 200
    assert len(walker.get(f"/patrols/{patrol['id']}/track").json()["parts"]) == 1
    other = client_for("information_officer", city.grids["A1"])
    for path in (f"/patrols/{patrol['id']}", f"/patrols/{patrol['id']}/track"):
        assert other.get(path).status_code == 404
    assert other.get("/patrols/replay/tracks").json() == {"patrols": []}
    assert "building_warden" not in other.get("/coverage").text


def test_a_replay_tells_the_kept_points_of_the_day_with_their_times(client_for: ClientFor, city: City) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    patrol = begin(client, city)
    points = walked()
    points[30]["lat"] += 0.01  # nobody gets a kilometre away and back in four seconds
    send(client, patrol, points)
    day = START.astimezone(access_zone()).date()
    (one,) = client.get("/patrols/replay/tracks", params={"day": day.isoformat()}).json()["patrols"]
    told = [point for part in one["parts"] for point in part]
    assert told[0][2] == pytest.approx(START.timestamp())
    assert [point[2] for point in told] == sorted(point[2] for point in told)
    assert max(point[1] for point in told) < points[30]["lat"]
    yesterday = (day - timedelta(days=1)).isoformat()
    assert client.get("/patrols/replay/tracks", params={"day": yesterday}).json() == {"patrols": []}


def access_zone() -> Any:
    """The community's time zone."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(settings.get().timezone)


def test_a_replay_begins_with_the_last_day_on_which_somebody_walked(client_for: ClientFor, city: City) -> None:
    client = client_for("community_staff", city.community)
    assert "/patrols/replay" not in client.get("/patrols").text
    send(client, begin(client, city, grid_id=None), walked())
    day = START.astimezone(ZoneInfo(settings.get().timezone)).date()
    assert 'href="/patrols/replay"' in client.get("/patrols").text
    assert f'value="{day}"' in client.get("/patrols/replay").text
    empty = client.get(f"/patrols/replay?day={day - timedelta(days=3)}").text
    assert f'href="?day={day}"' in empty
    assert 'id="time"' not in empty


def test_who_may_only_read_a_round_reads_names_and_stops_in_their_order(client_for: ClientFor, city: City) -> None:
    staff = client_for("community_staff", city.community)
    line = {"type": "LineString", "coordinates": [degrees(150, 55), degrees(50, 55)]}
    plan = {
        "community_id": city.community.id,
        "grid_id": city.grids["A1"].id,
        "name": "早巡",
        "geometry": line,
        "building_ids": [city.buildings["B1"].id, city.buildings["A1"].id],
        "weekdays": [1, 2, 3, 4, 5],
    }
    made = staff.post("/api/rounds", json=plan).json()
    page = client_for("planner", city.community).get(f"/rounds/{made['id']}?lang=en").text
    assert re.search(r'id="field-grid_id">A1</output>', page)
    stops = re.search(r'<ol class="route-stops">(.*?)</ol>', page, re.DOTALL)
    assert stops
    assert re.findall(r">([^<]*\d)</a>", stops[1]) == ["Building 2", "Building 1"]
    assert "Mon to Fri" in staff.get("/rounds?lang=en").text


def test_what_cannot_be_told_is_said_in_the_form_and_the_usual_is_shown(
    client_for: ClientFor, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_for("community_staff", city.community)
    send(client, begin(client, city, grid_id=None), walked())
    assert "coverage-fault" not in client.get("/coverage?distance=10&days=30").text
    monkeypatch.setattr("data.coverage.anew.MOST_POINTS", 10)
    answer = client.get("/coverage?distance=10&days=30&lang=en")
    assert answer.status_code == 200
    form = answer.text.split('id="card-form"')[1].split("</form>")[0]
    assert "Choose one grid, fewer days, or 25 m." in form
    assert '<option value="25" selected>' in form
    turned = client.get("/coverage?days=custom&from=2026-03-02&to=2026-03-01&lang=en")
    assert "The last day lies before the first." in turned.text


def test_whoever_sees_several_communities_sees_their_shares_and_may_look_at_one(
    client_for: ClientFor, city: City
) -> None:
    other = City.make(city.session, "310101001002", beside=city)
    client = client_for()
    send(client, begin(client, city, grid_id=None), walked())
    page = client.get("/coverage?lang=en").text
    rows = re.search(r"<h3>By community</h3>(.*?)</section>", page, re.DOTALL)
    assert rows
    assert re.findall(r'share-number">([^<]*)<', rows[1]) == ["0/9 · 0%", "2/9 · 22%"]
    assert len(client.get("/coverage/features").json()["features"]) == 18
    (link,) = {unescape(one) for one in re.findall(r'href="(/coverage[^"]*community=310101001002[^"]*)"', page)}
    one = client.get(f"{link}&lang=en").text
    assert "<h3>By grid</h3>" in one
    assert f'name="community" value="{other.community.code}"' in one
    features = re.search(r'/coverage/features\?[^"]*', one)
    assert features
    address = features[0].replace("\\u0026", "&")
    assert len(client.get(address).json()["features"]) == 9


def test_the_sentence_the_list_and_the_map_of_coverage_say_the_same(client_for: ClientFor, city: City) -> None:
    client = english(client_for("community_staff", city.community))
    patrol = begin(client, city)
    send(client, patrol, walked())
    page = client.get("/coverage").text
    features = client.get("/coverage/features").json()["features"]
    status = {one["properties"]["id"]: one["properties"]["status"] for one in features}
    assert len(status) == 9
    seen = [id_ for id_, one in status.items() if one == "seen"]
    assert city.buildings["A1"].id in seen
    missed = sum(one == "not_seen" for one in status.values())
    assert f"Of 9 buildings, nobody passed {missed} in the last 7 days." in page
    listed = {int(one) for one in re.findall(r'data-at="building/(\d+)"', page)}
    assert listed == set(status) - set(seen)
    assert "community_staff" in json.dumps(features)


def test_the_sentence_the_bars_and_the_list_of_coverage_count_the_same_buildings(
    client_for: ClientFor, city: City
) -> None:
    """Also one that nobody lives in; one that lies in no grid is nobody's to pass, and counted nowhere."""
    city.buildings["A2"].kind = BuildingKind.OTHER
    outside = rectangle(-200, 40, 40, 20)
    buildings.add(city.session, access.SYSTEM, community=city.community, code="77", number="77", geom=outside)
    client = english(client_for("community_staff", city.community))
    send(client, begin(client, city, grid_id=None), walked())
    page = client.get("/coverage").text
    said = re.search(r"Of (\d+) buildings, nobody passed (\d+)[^.]*\.(?: For (\d+) the GPS)?", page)
    assert said
    total, missed, poor = (int(part or 0) for part in said.groups())
    bars = re.findall(r'share-number">(\d+)/(\d+) ·', page)
    listed = re.search(r'<h4 data-kind="building">[^<]*<small>(\d+)<', page)
    assert listed
    rows = set(re.findall(r'data-at="(building/\d+)"', page))
    assert total == sum(int(all_) for _seen, all_ in bars) == 9
    assert missed + poor == total - sum(int(seen) for seen, _all in bars) == int(listed[1]) == len(rows)


def test_a_distance_and_a_grid_of_ones_own_choice_are_kept_in_every_link(client_for: ClientFor, city: City) -> None:
    client = client_for("community_staff", city.community)
    page = unescape(client.get("/coverage", params={"distance": 50, "days": 30, "grid": city.grids["B2"].code}).text)
    (link,) = set(re.findall(r'href="(/coverage\?[^"]*at=building/\d+)"', page))
    assert "distance=50" in link
    assert "days=30" in link
    assert f"grid={city.grids['B2'].code}" in link
    assert f'data-at="building/{city.buildings["B2"].id}"' in page


def test_a_route_past_every_building_is_suggested_and_saved_with_its_stops(client_for: ClientFor, city: City) -> None:
    client = client_for("community_staff", city.community)
    route = client.get("/rounds/suggest").json()["route"]
    assert len(route["coordinates"]) >= 10
    form = {"name": "Morning", "rhythm": "daily", "active": "true", "route": json.dumps(route), "weekdays": ["1", "4"]}
    answer = client.post("/rounds", data=form)
    assert answer.status_code == 303, answer.text
    (found,) = client.get("/api/rounds").json()["items"]
    assert sorted(found["building_ids"]) == sorted(building.id for building in city.buildings.values())
    assert found["weekdays"] == [1, 4]
    # A line past the lowest row of buildings stops at these three, from west to east.
    line = {"type": "LineString", "coordinates": [degrees(0, 35), degrees(300, 35)]}
    version = re.findall(r'name="version" value="([^"]*)"', client.get(answer.headers["location"]).text)[0]
    changed = client.post(
        answer.headers["location"], data={**form, "route": json.dumps(line), "version": unescape(version)}
    )
    assert changed.status_code == 303, changed.text
    (found,) = client.get("/api/rounds").json()["items"]
    assert found["building_ids"] == [city.buildings[name].id for name in ("A1", "B1", "C1")]
    assert found["length_m"] == pytest.approx(300, rel=1e-3)


def test_who_only_walks_cannot_plan(client_for: ClientFor, city: City, app: FastAPI) -> None:
    warden = client_for("building_warden", city.grids["A1"])
    assert warden.get("/rounds/new").status_code == 403
    assert warden.get("/rounds").status_code == 200
    assert "Plan a round" not in warden.get("/rounds").text


def test_a_patrol_under_way_has_no_end_yet(client_for: ClientFor, city: City) -> None:
    client = english(client_for("grid_leader", city.grids["A1"]))
    patrol = begin(client, city)
    page = client.get(f"/patrols/{patrol['id']}").text
    assert "No point has arrived yet." in page
    assert "under way" in page
    found = patrols.get(city.session, access.SYSTEM, patrol["id"])
    assert found.stopped_at is None
    assert found.started_at <= datetime.now(UTC)


def test_how_often_something_is_to_be_passed_is_said_on_the_page(client_for: ClientFor, city: City) -> None:
    client = english(client_for("community_staff", city.community))
    form = {"community": city.community.code, "grid": "", "building": "daily", "street": "", "asset": "", "next": "//x"}
    answer = client.post("/coverage/rhythm", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/coverage")
    page = client.get("/coverage").text
    assert "0 of 1 passed as often as planned" in page
    client.post("/coverage/rhythm", data={**form, "building": ""})
    page = client.get("/coverage", params={"days": 1}).text
    assert "passed as often as planned" not in page
    warden = client_for("building_warden", city.grids["A1"])
    assert warden.post("/coverage/rhythm", data=form).status_code == 403
    leader = client_for("grid_leader", city.grids["A1"])
    assert leader.post("/coverage/rhythm", data=form).status_code in (403, 404)


def test_pages_of_patrols_take_no_word_of_those_that_every_page_has() -> None:
    keys = re.compile(r'^\s*"(\w+)": _\(', re.MULTILINE)

    def source(name: str) -> str:
        return (templates().loader or templates()).get_source(templates(), name)[0]  # type: ignore[union-attr]

    everywhere = set(keys.findall(source("_words.html")))
    assert everywhere
    for name in templates().list_templates(["html"]):
        if name.startswith(("patrols/", "rounds/", "coverage/")) and "data-words" in (text := source(name)):
            assert not everywhere & set(keys.findall(text)), name


def test_a_round_is_removed_and_its_patrols_stay(client_for: ClientFor, city: City) -> None:
    client = client_for("community_staff", city.community)
    found = rounds.add(city.session, access.SYSTEM, community_id=city.community.id, name="Morning")
    patrol = begin(client, city, round_id=found.id)
    assert client.post(f"/rounds/{found.id}/remove").status_code == 303
    assert client.get("/api/rounds").json()["items"] == []
    assert client.get(f"/api/patrols/{patrol['id']}").json()["round_id"] is None
