"""The pages for residents: what is sent without an account arrives, and nothing is told that should not be."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select

from data import assets, incidents, photos, place_codes, reports
from data.base import access, language
from data.incidents import Action, Incident
from data.place_codes import CodeKind
from data.reports import Effort
from tests.api.conftest import ClientFor, TestClient
from tests.city import City, degrees
from tests.data import pictures

SYSTEM = access.SYSTEM
ENGLISH = {"Cookie": "wangge_language=en"}


@pytest.fixture
def resident(app: FastAPI, city: City) -> TestClient:
    """Somebody on a phone, without an account."""
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", **ENGLISH}
    return TestClient(app, headers=headers, follow_redirects=False)


def filled(city: City, **values: Any) -> dict[str, Any]:
    """A form that can be sent: a broken light at building 1."""
    return {
        "community": city.community.code,
        "category_code": "facility.corridor_light",
        "building_id": str(city.buildings["A1"].id),
        "address": "unit 2, floor 3",
        "description": "It is dark",
        "once": reports.new_once(),
        **values,
    }


def send(resident: TestClient, data: dict[str, Any], **more: Any) -> Any:
    """Send the form, as multipart even without a photo."""
    return resident.post("/r", data=data, files=more.pop("files", [("photo", ("", b""))]), **more)


def reported(city: City) -> Incident:
    """The newest case."""
    return city.session.scalars(select(Incident).order_by(Incident.id.desc()).limit(1)).one()


def test_a_report_is_sent_without_an_account_and_followed_by_its_code(resident: TestClient, city: City) -> None:
    page = resident.get("/r")
    assert page.status_code == 200
    assert "Residents’ reports" in page.text
    answer = send(resident, filled(city, contact="138 1234 6021"))
    assert answer.status_code == 303, answer.text
    found = reported(city)
    assert (found.source, found.building_id, found.contact) == ("resident", city.buildings["A1"].id, "138 1234 6021")
    assert found.address == "1 号楼 unit 2, floor 3", "what is kept speaks the office's language"
    progress = resident.get(answer.headers["location"])
    assert found.number in progress.text
    assert "138" not in progress.text
    assert reports.shown_code(answer.headers["location"].rsplit("/", 1)[1]) in progress.text


def test_the_code_on_a_building_fills_in_grid_and_building(resident: TestClient, city: City) -> None:
    place_codes.make(city.session, SYSTEM, city.community)
    rows = city.session.execute(place_codes.selection(SYSTEM, city.community.id, CodeKind.BUILDING)).all()
    code = next(row.code for row in rows if row.number == "5")
    page = resident.get(f"/r/{code}")
    assert "Building 5" in page.text
    assert "Goes to B2" in page.text
    answer = send(resident, {"code": code, "category_code": "environment.garbage"})
    assert answer.status_code == 303, answer.text
    assert (reported(city).building_id, reported(city).grid_id) == (city.buildings["B2"].id, city.grids["B2"].id)


def test_a_code_that_leads_nowhere_offers_the_choice(resident: TestClient) -> None:
    answer = resident.get("/r/ZZZZZZZZ")
    assert answer.status_code == 404
    assert "Choose the community instead" in answer.text
    assert "梧桐里社区" in answer.text


def test_with_several_communities_one_is_chosen_first(resident: TestClient, city: City) -> None:
    City.make(city.session, "310102001001")
    assert "/r?community=310102001001" in resident.get("/r").text
    assert "Which community" not in resident.get("/r?community=310102001001").text
    assert resident.get("/r?community=999").status_code == 404


def test_the_number_on_a_lamp_is_a_place(resident: TestClient, city: City) -> None:
    lon, lat = degrees(250, 150)
    assets.add(
        city.session, SYSTEM, community_id=city.community.id, kind="street_lamp", number="L-0412", lon=lon, lat=lat
    )
    data = filled(city, building_id="", address="", category_code="facility.street_light")
    answer = send(resident, data | {"q.facility.street_light.pole": "L-0412"})
    assert answer.status_code == 303, answer.text
    assert (reported(city).grid_id, reported(city).located_by) == (city.grids["C2"].id, "point")


def test_what_is_missing_is_said_and_nothing_typed_is_lost(resident: TestClient, city: City) -> None:
    answer = send(resident, filled(city, category_code="", description="Smells of gas"))
    assert answer.status_code == 422
    assert "Fill this in." in answer.text
    assert "Smells of gas" in answer.text
    answer = send(resident, filled(city, building_id="", address=""))
    assert answer.status_code == 422
    assert "Say where it is" in answer.text
    assert "It is dark" in answer.text
    answer = send(resident, filled(city, contact="call me"))
    assert answer.status_code == 422
    assert city.session.scalar(select(Incident.id).where(Incident.source == "resident")) is None


def test_a_photo_of_a_refused_form_need_not_be_chosen_again(resident: TestClient, city: City) -> None:
    answer = send(resident, filled(city, category_code=""), files=[("photo", ("a.jpg", pictures.photo()))])
    assert answer.status_code == 422
    claim = re.search(r'name="claim" value="([^"]+)"', answer.text)
    assert claim
    assert send(resident, filled(city, claim=claim[1])).status_code == 303
    assert len(photos.of_incident(city.session, SYSTEM, reported(city).id)) == 1


def test_photos_go_ahead_one_by_one_and_their_place_is_told_once(resident: TestClient, city: City) -> None:
    place = degrees(250, 250)
    file = {"photo": ("a.jpg", pictures.photo(place=place))}
    answer = resident.post("/r/photos", data={"community": city.community.code}, files=file)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["place"]["lon"] == pytest.approx(place[0], abs=1e-6)
    away = {"photo": ("a.jpg", pictures.photo(place=(10.0, 50.0)))}
    assert resident.post("/r/photos", data={"community": city.community.code}, files=away).json()["place"] is None
    sent = send(resident, filled(city, claim=told["claim"]))
    page = resident.get(sent.headers["location"]).text
    address = re.search(r'href="(/track/\w+/photos/\d+)"', page)
    assert address
    photo = resident.get(address[1])
    assert photo.headers["content-type"] == "image/jpeg"
    assert b"Exif" not in photo.content


def test_what_is_no_photo_is_refused_in_words(resident: TestClient, city: City) -> None:
    file = {"photo": ("a.jpg", b"<script>alert(1)</script>")}
    answer = resident.post(
        "/r/photos", data={"community": city.community.code}, files=file, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    assert "JPEG, PNG and WebP" in answer.json()["detail"]


def test_what_is_too_long_is_refused_before_it_is_read(resident: TestClient, city: City) -> None:
    most = reports.PHOTOS * 15_000_000 + 500_001
    answer = resident.post("/r", content=b"x", headers={"Content-Length": str(most), "Content-Type": "text/plain"})
    assert answer.status_code == 413
    assert "too large" in answer.text


def test_a_program_that_fills_in_every_field_is_not_heard(resident: TestClient, city: City) -> None:
    assert send(resident, filled(city, website="https://spam.example")).status_code == 422


def test_another_site_cannot_send_in_somebodys_name(resident: TestClient, city: City) -> None:
    answer = send(resident, filled(city), headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_who_sends_too_much_is_told_when_to_go_on(resident: TestClient, city: City) -> None:
    for _ in range(reports.LIMITS[reports.Effort.REPORT]):
        assert send(resident, filled(city, category_code="")).status_code == 422
    answer = send(resident, filled(city))
    assert answer.status_code == 429
    assert "Try again in an hour" in answer.text


def test_wrong_tracking_codes_are_counted_and_right_ones_are_not(resident: TestClient, city: City) -> None:
    right = send(resident, filled(city)).headers["location"]
    for _ in range(reports.LIMITS[reports.Effort.TRACK]):
        assert resident.post("/track", data={"code": "2222-3333-4444"}).status_code == 404
        assert resident.get(right).status_code == 200
    assert resident.post("/track", data={"code": "2222-3333-4444"}).status_code == 429


def test_a_typed_code_leads_to_the_progress(resident: TestClient, city: City) -> None:
    right = send(resident, filled(city)).headers["location"]
    typed = reports.shown_code(right.rsplit("/", 1)[1]).lower()
    assert resident.post("/track", data={"code": typed}).headers["location"] == right


def test_the_tracking_code_goes_into_no_log_cache_or_referrer(
    resident: TestClient, city: City, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        address = send(resident, filled(city)).headers["location"]
        answer = resident.get(address)
        resident.post(f"{address}/rate", data={"answer": "satisfied"})
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "no-store" in answer.headers["cache-control"]
    said = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("wangge"))
    assert address.rsplit("/", 1)[1] not in said
    assert "/track/…" in said


def test_the_resident_rates_and_what_is_not_settled_is_opened_again(resident: TestClient, city: City) -> None:
    city.account("community_staff", city.community)
    address = send(resident, filled(city)).headers["location"]
    found = reported(city)
    assert "The report has come in." in resident.get(address).text
    for action, note in ((Action.TRIAGE, None), (Action.RESOLVE, None), (Action.GIVE_FEEDBACK, "Mended")):
        incidents.act(city.session, SYSTEM, found, action, note=note, public=True)
    assert "Is it settled?" in resident.get(address).text
    answer = resident.post(f"{address}/rate", data={"answer": "unsatisfied"})
    assert answer.status_code == 422
    assert re.search(r'class="field-error" id="note-fault"[^>]*>[^<]*what is not settled', answer.text), (
        "beside the note"
    )
    assert "The report has come in." not in answer.text
    answer = resident.post(f"{address}/rate", data={"answer": "unsatisfied", "note": "Dark again"})
    assert answer.status_code == 303
    city.session.expire_all()
    assert reported(city).step == "in_progress"
    assert "Dark again" in resident.get(address).text


def test_a_stranger_is_told_of_similar_cases_without_their_words(resident: TestClient, city: City) -> None:
    lon, lat = degrees(52, 50)
    query = {"community": city.community.code, "category": "facility.corridor_light", "lon": lon, "lat": lat}
    answer = resident.get("/r/similar", params=query)
    assert "nearby" in answer.text
    assert "二层廊灯不亮" not in answer.text
    assert resident.get("/r/similar", params={**query, "category": "environment.noise"}).text.strip() == ""


def test_where_a_point_is_is_told_in_words(resident: TestClient, city: City) -> None:
    lon, lat = degrees(150, 135)
    told = resident.get("/r/where", params={"community": city.community.code, "lon": lon, "lat": lat}).json()
    assert told == {"name": "Near Building 5", "grid": "Goes to B2", "outside": False}
    told = resident.get("/r/where", params={"community": city.community.code, "lon": 10, "lat": 10}).json()
    assert told["outside"] is True


def test_visitors_see_no_photo_that_is_not_public(resident: TestClient, city: City) -> None:
    case = city.incident()
    photo = photos.store(
        city.session, SYSTEM, pictures.photo(), community_id=city.community.id, incident_id=case.id
    ).photo
    city.session.flush()
    address = f"/r/photos/{photo.id}/{reports.photo_key(photo.id)}"
    assert resident.get(address).status_code == 404
    assert resident.get(f"/photos/{photo.id}").status_code == 303, "to the sign-in"
    photo.public = True
    city.session.flush()
    assert resident.get(address).headers["content-type"] == "image/jpeg"


def test_the_pages_speak_chinese_by_default(app: FastAPI, city: City) -> None:
    with language.using("zh"):
        page = TestClient(app, headers={"Accept": "text/html"}).get("/r").text
    assert "居民随手报" in page
    assert "不必登录" in page


def test_staff_print_codes_that_lead_residents_to_the_form(
    client_for: ClientFor, resident: TestClient, city: City
) -> None:
    staff = client_for("community_staff", city.community)
    staff.headers["Accept"] = "text/html"
    assert staff.post("/codes").status_code == 303
    sheet = staff.get("/codes/sheet?kind=building").text
    assert sheet.count("<svg class") >= 9
    address = re.search(r"http://testserver(/r/\w+)", sheet)
    assert address
    assert "Goes to" in resident.get(address[1]).text
    cards = staff.get("/codes/sheet?kind=card").text
    assert "A1" in cards
    leader = client_for("building_warden", city.grids["A1"])
    assert leader.post("/codes").status_code == 403


def test_a_stranger_asks_for_similar_cases_so_many_times_an_hour_and_never_for_personal_ones(
    resident: TestClient, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    lon, lat = degrees(52, 50)
    city.incident(52, 50, category_code="dispute.family")
    query = {"community": city.community.code, "category": "dispute.family", "lon": lon, "lat": lat}
    assert resident.get("/r/similar", params=query).text.strip() == ""
    assert resident.get("/r/similar", params={**query, "category": "dispute.petition"}).status_code == 422
    page = resident.get("/r", params={"community": city.community.code}).text
    assert 'value="dispute.family"' in page
    assert "dispute.petition" not in page
    answer = resident.get("/r/similar", params={**query, "category": "facility.corridor_light"}).text
    assert "nearby" in answer
    assert not re.search(r"\d m\b|Building", answer)
    monkeypatch.setitem(reports.LIMITS, Effort.SIMILAR, 4)
    assert [resident.get("/r/similar", params=query).status_code for _again in range(2)] == [200, 429]
