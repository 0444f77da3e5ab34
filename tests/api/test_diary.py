"""The diary over HTTP and on pages: written in seconds, searched without a word in an address, taken over by week."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from data import accounts, diary, teams
from data.base import access, settings
from data.diary import DiaryEntry, Subject
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

PRIVATE = "三楼的灯坏了，张阿姨摔过一跤"


def entry(city: City, said: str = PRIVATE, grid: str = "A1", **values: Any) -> DiaryEntry:
    building_id = city.buildings[grid].id
    return diary.write(
        city.session, access.SYSTEM, **{"uuid": uuid4(), "said": said, "building_id": building_id} | values
    )


def page(client: TestClient) -> TestClient:
    """The same person in a browser that asks for pages in English."""
    client.headers["Accept"] = "text/html"
    client.cookies.set("wangge_language", "en")
    return client


def test_an_entry_is_written_changed_struck_off_and_taken_back(city: City, client_for: ClientFor) -> None:
    leader = client_for("grid_leader", city.grids["A1"])
    body = {"uuid": str(uuid4()), "said": PRIVATE, "building_id": city.buildings["A1"].id}
    made = leader.post("/api/diary", json=body)
    assert (made.status_code, made.json()["subject"], made.json()["standing"]) == (201, "utilities", "open")
    assert leader.post("/api/diary", json=body).json()["id"] == made.json()["id"], "sent twice it is one"
    where = made.headers["Location"]
    changed = leader.patch(where, json={"subject": "safety"}, headers={"If-Match": made.headers["ETag"]})
    assert changed.json()["subject"] == "safety"
    stale = leader.patch(where, json={"subject": "order"}, headers={"If-Match": made.headers["ETag"]})
    assert stale.status_code == 409
    assert leader.put(f"{where}/struck", json={"answer": "换了灯泡"}).json()["answer"] == "换了灯泡"
    assert leader.delete(f"{where}/struck").json()["standing"] == "open"
    assert leader.delete(where).status_code == 204
    assert leader.get(where).status_code == 404


def test_a_case_is_made_of_it_without_typing_anything_again(city: City, client_for: ClientFor) -> None:
    one = entry(city)
    leader = client_for("grid_leader", city.grids["A1"])
    made = leader.post(f"/api/diary/{one.id}/case", json={"category_code": "facility.corridor_light"})
    assert made.status_code == 201
    assert leader.get(made.headers["Location"]).json()["description"] == PRIVATE
    assert leader.get(f"/api/diary?incident={made.json()['incident_id']}").json()["items"][0]["id"] == one.id
    assert leader.put(f"/api/diary/{one.id}/struck", json={}).status_code == 409


def test_a_search_stands_in_a_body_and_in_no_address(city: City, client_for: ClientFor) -> None:
    one = entry(city)
    entry(city, "野猫多")
    entry(city, "路灯坏了", "B2")
    leader = client_for("grid_leader", city.grids["A1"])
    answer = leader.post("/api/diary/search", json={"text": "灯坏"}).json()
    assert ([row["id"] for row in answer["items"]], answer["total"]) == ([one.id], 1)
    assert leader.get("/api/diary?q=灯坏").status_code == 422
    browser = client_for("grid_leader", city.grids["B2"], program=False)
    page(browser)
    sent = browser.post("/lists", data={"list": "/diary", "q": "路灯", "subject": "utilities"})
    assert sent.status_code == 303
    address = sent.headers["Location"]
    assert "灯" not in address
    assert "%E7" not in address
    assert "路灯坏了" in browser.get(address).text
    assert browser.get("/diary?q=路灯").status_code == 422


def test_it_is_listed_drawn_and_handed_out_by_what_one_may_see(city: City, client_for: ClientFor) -> None:
    mine = entry(city)
    entry(city, "野猫多", "B2")
    leader = client_for("grid_leader", city.grids["A1"])
    assert [row["id"] for row in leader.get("/api/diary").json()["items"]] == [mine.id]
    (feature,) = leader.get("/api/diary?f=geojson&standing=open").json()["features"]
    assert (feature["id"], feature["geometry"]["type"]) == (mine.id, "Point")
    assert leader.get("/api/diary/months").json()[0]["entries"] == 1
    table = leader.get("/api/export/diary?format=csv")
    assert (table.status_code, PRIVATE in table.text, "野猫" in table.text) == (200, True, False)
    for role in ("building_warden", "analyst", "planner", "auditor"):
        stranger = client_for(role, city.community)
        for address in ("/api/diary", "/api/diary/weeks", f"/api/diary/{mine.id}", "/diary", "/diary/themes"):
            assert stranger.get(address).status_code == 403, (role, address)
    supervisor = client_for("supervisor", city.street)
    assert len(supervisor.get("/api/diary").json()["items"]) == 2


def test_one_sentence_and_one_tap_write_an_entry(city: City, client_for: ClientFor) -> None:
    leader = page(client_for("grid_leader", city.grids["A1"]))
    form = leader.get("/diary/new").text
    uuid = re.search(r'name="uuid" value="([^"]+)"', form)
    assert uuid
    sent = leader.post("/diary", data={"uuid": uuid[1], "said": "三楼的灯坏了", "standing": "open"})
    assert sent.status_code == 303
    shown = leader.get(sent.headers["Location"]).text
    assert "Light, water, power" in shown
    assert "Make a case of it" in shown
    assert leader.post("/diary", data={"uuid": uuid[1], "said": "三楼的灯坏了", "standing": "open"}).status_code == 303
    assert len(leader.get("/api/diary", headers={"Accept": "application/json"}).json()["items"]) == 1
    empty = leader.post("/diary", data={"uuid": str(uuid4()), "said": "", "standing": "open"})
    assert (empty.status_code, "Fill this in." in empty.text) == (422, True)
    kept = leader.post("/diary", data={"uuid": str(uuid4()), "said": "灯", "standing": "open", "answer": "修好了"})
    assert (kept.status_code, ">修好了</textarea>" in kept.text) == (422, True)


def test_an_entry_of_a_household_is_written_from_its_page(city: City, client_for: ClientFor) -> None:
    leader = page(client_for("grid_leader", city.grids["A1"]))
    household = leader.get("/api/households", headers={"Accept": "application/json"}).json()["items"][0]
    form = leader.get(f"/diary/new?household={household['id']}").text
    assert f'name="household_id" value="{household["id"]}"' in form
    data = {"uuid": str(uuid4()), "said": "老伴住院了", "standing": "noted", "household_id": household["id"]}
    entry_at = leader.post("/diary", data=data).headers["Location"]
    assert "老伴住院了" in leader.get(f"/households/{household['id']}").text
    assert leader.post(f"{entry_at}/strike", data={"answer": "看望过了"}).status_code == 303
    assert "看望过了" in leader.get(entry_at).text
    assert leader.post(f"{entry_at}/reopen").status_code == 303
    case = leader.post(f"{entry_at}/case", data={"category_code": "facility.corridor_light"})
    assert case.status_code == 303
    assert "Followed as a case" in leader.get(entry_at).text
    version = re.search(r'name="version" value="([^"]*)"', leader.get(entry_at).text)
    assert version
    edited = {"version": version[1].replace("&#34;", '"'), "said": "老伴出院了", "subject": "civil_affairs"}
    assert leader.post(f"{entry_at}/edit", data=edited).status_code == 303
    assert leader.post(f"{entry_at}/edit", data=edited | {"said": "又"}).status_code == 409
    assert leader.post(f"{entry_at}/remove").status_code == 303
    assert leader.get(entry_at).status_code == 404


def test_the_community_names_officers_and_they_take_weeks_over(city: City, client_for: ClientFor) -> None:
    officer, staff = client_for("line_officer", city.community), page(client_for("community_staff", city.community))
    account_id = accounts.by_username(city.session, f"line_officer.{city.community.code}").id
    person = teams.appoint_officer(
        city.session, access.SYSTEM, city.community, field="公用事业", name="方晓燕", account_id=account_id
    )
    assert "方晓燕 · 公用事业" in staff.get("/diary/officers").text
    assert staff.post("/diary/officers", data={"officer-utilities": str(person.id)}).status_code == 303
    named = officer.get(f"/api/diary/officers?community={city.community.id}").json()
    assert [(row["subject"], row["officer_id"]) for row in named] == [("utilities", person.id)]
    monday = diary.week_of(settings.today()) - timedelta(weeks=1)
    entry(city, at=datetime(monday.year, monday.month, monday.day, 4, tzinfo=UTC))
    page(officer)
    assert "To take over 1" in officer.get("/today/own/panel").text
    assert "Take over" in officer.get("/diary/weeks").text
    body = {"community_id": str(city.community.id), "subject": "utilities", "week_on": monday.isoformat()}
    assert client_for("line_officer", city.grids["A1"]).put("/api/diary/weeks", json=body).status_code in (403, 404)
    assert officer.post("/diary/weeks", data=body).status_code == 303
    assert "To take over" not in officer.get("/today/own/panel").text
    (week,) = officer.get("/api/diary/weeks?mine=true", headers={"Accept": "application/json"}).json()
    assert (week["confirmed_by"], week["since"]) == ("line_officer", 0)


def test_what_people_talk_about_is_a_chart_a_table_and_a_map(city: City, client_for: ClientFor) -> None:
    for number in range(3):
        entry(city, at=datetime.now(UTC) - timedelta(days=32 * number))
    entry(city, "野猫多", "B2")
    shown = page(client_for("community_staff", city.community)).get("/diary/themes").text
    assert "4 entries; most are about: Light, water, power, Surroundings." in shown
    assert 'data-chart="kinds"' in shown
    assert "map/discs.js" in shown
    assert "A1: 3" in shown
    nothing = page(client_for("grid_leader", city.grids["C3"])).get("/diary/themes").text
    assert "Nothing was written in this time." in nothing
    assert PRIVATE not in shown


@pytest.mark.parametrize("subject", list(Subject))
def test_every_subject_has_words(subject: Subject) -> None:
    assert diary.subject_names()[subject]
