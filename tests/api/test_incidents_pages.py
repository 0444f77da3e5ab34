"""The pages of those who handle cases: what can be done stands there, and what is sent is done or refused in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from data import incidents, nearby, photos, reminders, reports
from data.base import access, audit
from data.incidents import Action, Incident
from tests.api.conftest import ClientFor, TestClient
from tests.city import City, degrees
from tests.data import pictures

SYSTEM = access.SYSTEM
NO_FILE = [("photo", ("", b""))]


@pytest.fixture
def leader(client_for: ClientFor, city: City) -> TestClient:
    """The leader of grid A1, reading pages in English."""
    client = client_for("grid_leader", city.grids["A1"])
    client.headers["Accept"] = "text/html"
    client.cookies.set("wangge_language", "en")
    return client


@pytest.fixture
def case(city: City) -> Incident:
    """A case in grid A1."""
    return city.incident(50, 50, description="Dark on the second floor", contact="13812346021")


def act(client: TestClient, case: Incident, action: str, **values: Any) -> Any:
    """Send the form of an action."""
    files = values.pop("files", NO_FILE)
    return client.post(f"/incidents/{case.id}/act", data={"action": action, **values}, files=files)


def again(session: Session, case: Incident) -> Incident:
    """The case as it is now."""
    session.expire_all()
    return session.get_one(Incident, case.id)


def test_one_button_is_filled_and_it_is_what_comes_next(leader: TestClient, city: City, case: Incident) -> None:
    expected = ["Triage", "Begin work", "Resolve", "Give feedback", "Close the case"]
    for label in expected:
        page = leader.get(f"/incidents/{case.id}").text
        inside = re.search(r"case-actions.*?</section>", page, re.S)
        assert inside
        filled = re.findall(r'btn-primary btn-wide">.*?</svg>([^<]+)</button>', inside[0], re.DOTALL)
        assert [text.strip() for text in filled] == [label]
        code = re.search(r'name="action" value="(\w+)"', inside[0])
        assert code
        answer = act(leader, case, code[1], note="Told at the door")
        assert answer.status_code == 303, answer.text
    assert again(city.session, case).step == "closed"
    assert "btn-wide" not in leader.get(f"/incidents/{case.id}").text


def test_a_step_keeps_its_note_and_photos_and_says_who_sees_them(
    leader: TestClient, city: City, case: Incident
) -> None:
    act(leader, case, "triage", tier="grid")
    files = [("photo", ("a.jpg", pictures.photo())), ("photo", ("b.jpg", pictures.photo((20, 20))))]
    act(leader, case, "resolve", note="New bulb", public="yes", files=files)
    kept = photos.of_incident(city.session, SYSTEM, case.id)
    assert [one.public for one in kept] == [True, True]
    page = leader.get(f"/incidents/{case.id}").text
    assert "New bulb" in page
    assert page.count(f'href="/photos/{kept[0].id}"') == 1
    answer = leader.get(f"/photos/{kept[0].id}/small")
    assert answer.headers["cache-control"].startswith("private, max-age")
    assert answer.headers["content-type"] == "image/jpeg"


def test_what_was_seen_to_on_the_spot_is_one_form_with_what_was_told_and_a_photo(
    leader: TestClient, city: City, case: Incident
) -> None:
    page = leader.get(f"/incidents/{case.id}").text
    assert 'value="settle"' in page, "nobody need have triaged it before"
    assert "settle-told" in page[page.index('data-into="settle-told"') :], "what is often answered is offered"
    refused = act(leader, case, "settle", note="New bulb in", told=" ")
    assert (refused.status_code, again(city.session, case).step) == (422, "reported")
    assert "New bulb in</textarea>" in refused.text
    files = [("photo", ("a.jpg", pictures.photo()))]
    done = act(leader, case, "settle", note="New bulb in", told="Told at the door", public="yes", files=files)
    assert done.status_code == 303, done.text
    assert again(city.session, case).step == "closed"
    (kept,) = photos.of_incident(city.session, SYSTEM, case.id)
    steps = {step.id: step for step in incidents.steps(city.session, SYSTEM, case)}
    assert steps[kept.step_id].note == "New bulb in"
    done_by = [(step.action, step.tier) for step in steps.values() if step.action != "report"]
    assert done_by[0] == ("triage", "grid")
    assert [action for action, _tier in done_by[-3:]] == ["resolve", "give_feedback", "close"]
    page = leader.get(f"/incidents/{case.id}").text
    assert "Told at the door" in page
    assert act(leader, case, "settle", told="twice").status_code == 409


def test_a_refused_step_leaves_the_case_and_keeps_what_was_typed(
    leader: TestClient, city: City, case: Incident
) -> None:
    act(leader, case, "triage")
    answer = act(leader, case, "resolve", note="New bulb", files=[("photo", ("a.jpg", b"no photo"))])
    assert answer.status_code == 422
    assert "JPEG, PNG and WebP" in answer.text
    assert "New bulb" in answer.text
    assert again(city.session, case).step == "assigned"
    answer = act(leader, case, "reject", note="")
    assert answer.status_code == 422
    assert "Say in a few words" in answer.text


def test_who_looked_at_an_old_page_is_told_that_the_case_moved_on(leader: TestClient, case: Incident) -> None:
    act(leader, case, "triage", step="reported")
    answer = act(leader, case, "reject", step="reported", note="Nothing found")
    assert answer.status_code == 409
    assert "Somebody else moved this case on" in answer.text


def test_a_case_is_merged_by_the_number_of_another_and_shown_there(
    leader: TestClient, city: City, case: Incident
) -> None:
    twin = city.incident(55, 50)
    page = leader.get(f"/incidents/{case.id}").text
    assert twin.number in page
    assert "5 m away" in page
    assert act(leader, case, "merge", into="20000101-001").status_code == 422
    assert act(leader, case, "merge", into=twin.number).status_code == 303
    assert again(city.session, case).merged_into_id == twin.id
    assert case.number in leader.get(f"/incidents/{twin.id}").text


def test_the_contact_is_masked_until_it_is_asked_for_with_a_purpose(
    leader: TestClient, city: City, case: Incident
) -> None:
    page = leader.get(f"/incidents/{case.id}").text
    assert "138****6021" in page
    assert "13812346021" not in page + leader.get(f"/incidents/{case.id}/sheet").text
    answer = leader.post(f"/incidents/{case.id}/unmask", data={"purpose": "Calling back", "field": "contact"})
    assert "13812346021" in answer.text
    row = city.session.scalars(select(audit.Audit).where(audit.Audit.action == "unmask")).one()
    assert (row.record_kind, row.record_id, row.purpose) == ("incident", case.id, "Calling back")


def test_a_masked_number_is_dialled_without_being_shown_and_the_call_is_recorded(
    leader: TestClient, client_for: ClientFor, city: City, case: Incident
) -> None:
    page = leader.get(f"/incidents/{case.id}").text
    assert f'hx-post="/incidents/{case.id}/call"' in page
    assert "13812346021" not in page
    answer = leader.post(f"/incidents/{case.id}/call")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "tel:13812346021")
    assert answer.headers["cache-control"] == "no-store"
    recorded = city.session.scalars(select(audit.Audit).where(audit.Audit.action == "call")).one()
    assert (recorded.record_kind, recorded.record_id, recorded.purpose) == ("incident", case.id, "Phone call")
    assert "13812346021" not in str(recorded.changes)
    assert "called the number" in leader.get(f"/incidents/{case.id}/history").text
    assert client_for("grid_leader", city.grids["B2"]).post(f"/incidents/{case.id}/call").status_code == 404
    silent = city.incident(50, 50, contact="the one with the dog")
    assert "/call" not in leader.get(f"/incidents/{silent.id}").text
    assert leader.post(f"/incidents/{silent.id}/call").status_code == 409


def test_a_case_tells_how_many_residents_have_seen_it_too(leader: TestClient, city: City, case: Incident) -> None:
    assert "seen it too" not in leader.get(f"/incidents/{case.id}").text
    for device in ("one phone", "another phone", "another phone"):
        nearby.second(city.session, city.community.id, nearby.handle(case.id), device)
    assert "2 residents have seen it too" in leader.get(f"/incidents/{case.id}").text


def test_a_case_is_called_by_its_place_and_kind_wherever_it_is_named(leader: TestClient, city: City) -> None:
    at_building = city.incident(50, 50, description="Dark on the second floor", building_id=city.buildings["A1"].id)
    elsewhere = city.incident(50, 60, description="Dark by the gate", address="Gate of the school")
    names = {
        at_building.id: "Building 1 · Corridor light broken",
        elsewhere.id: "Gate of the school · Corridor light broken",
    }
    for incident_id, name in names.items():
        found = f"id={at_building.id}&id={elsewhere.id}"
        for address in ("/incidents", "/incidents/board", f"/incidents/{incident_id}", f"/incidents/panel?{found}"):
            page = leader.get(address).text
            assert name in page, address
            assert not re.search(r"<(h1|b)[^>]*>\s*Dark", page), address
    asked = leader.post("/incidents/assign", data={"pick": [str(at_building.id), str(elsewhere.id)]}).text
    assert all(name in asked for name in names.values())


def test_a_report_brings_its_photos_and_how_exact_its_place_is(leader: TestClient, city: City) -> None:
    lon, lat = degrees(50, 50)
    values = {"category_code": "facility.corridor_light", "lon": lon, "lat": lat, "accuracy_m": "12.5"}
    files = [("photo", ("a.jpg", pictures.photo())), ("photo", ("b.jpg", pictures.photo((20, 20))))]
    answer = leader.post("/incidents", data=values, files=files)
    assert answer.status_code == 303, answer.text
    (reported,) = city.session.scalars(select(Incident).where(Incident.accuracy_m == 12.5))
    assert [photo.step_id for photo in photos.of_incident(city.session, SYSTEM, reported.id)] == [None, None]
    refused = leader.post("/incidents", data=values, files=[("photo", ("a.jpg", b"no photo"))])
    assert refused.status_code == 422
    assert "JPEG, PNG and WebP" in refused.text
    (only,) = city.session.scalars(select(Incident).where(Incident.accuracy_m == 12.5))
    assert only.id == reported.id, "all of a report or none of it"


def test_the_kinds_that_are_reported_most_stand_in_front_and_the_others_with_their_groups(
    leader: TestClient, city: City
) -> None:
    for _each in range(5):
        city.incident(50, 50, category_code="environment.stray_cat")
    page = leader.get("/incidents/new").text
    front, *groups = page.split('<details class="tile-group"')
    assert re.findall(r'name="category_code" value="([^"]+)"', front)[0] == "environment.stray_cat"
    codes = re.findall(r'name="category_code" value="([^"]+)"', page)
    assert len(codes) == len(set(codes)) == sum(1 for kind in incidents.categories(city.session) if kind.parent_code)
    assert groups
    assert 'type="hidden" id="lon"' in page


def test_who_only_reads_is_offered_nothing_to_do(client_for: ClientFor, city: City, case: Incident) -> None:
    reader = client_for("analyst", None)
    reader.headers["Accept"] = "text/html"
    page = reader.get(f"/incidents/{case.id}").text
    assert 'name="action"' not in page
    assert act(reader, case, "triage").status_code == 403
    assert again(city.session, case).step == "reported"


def test_the_board_does_what_a_column_means_and_asks_for_words_where_they_are_needed(
    leader: TestClient, city: City, case: Incident
) -> None:
    def move(state: str) -> str:
        answer = leader.post(f"/incidents/{case.id}/move", data={"state": state})
        assert answer.status_code == 303
        return str(answer.headers["location"])

    assert case.number in leader.get("/incidents/board").text
    assert move("in_progress") == "/incidents/board"
    assert again(city.session, case).step == "assigned"
    assert move("on_hold") == f"/incidents/{case.id}?do=hold#act"
    assert move("closed") == "/incidents/board"
    assert again(city.session, case).step == "assigned", "nothing is closed before it is resolved and told"
    assert move("to_verify") == "/incidents/board"
    assert move("closed") == f"/incidents/{case.id}?do=give_feedback#act"


def test_ticked_cases_go_to_whoever_is_there_for_them(client_for: ClientFor, city: City, case: Incident) -> None:
    staff = client_for("community_staff", city.community)
    staff.headers["Accept"] = "text/html"
    other = city.incident(150, 150)
    city.account("grid_leader", city.grids["B2"])
    ticked = {"pick": [str(case.id), str(other.id), "999999"]}
    assert "2" in staff.post("/incidents/assign", data=ticked).text
    answer = staff.post("/incidents/assign", data={**ticked, "confirm": "yes"})
    assert answer.status_code == 303
    assert {again(city.session, one).step for one in (case, other)} == {"assigned"}
    assert staff.post("/incidents/assign", data={"pick": "x"}).headers["location"] == "/incidents"


def test_a_photo_is_shown_to_residents_or_removed_by_who_handles_its_case(
    leader: TestClient, client_for: ClientFor, city: City, case: Incident
) -> None:
    photo = photos.store(
        city.session,
        SYSTEM,
        pictures.photo(),
        community_id=city.community.id,
        grid_id=case.grid_id,
        incident_id=case.id,
    ).photo
    city.session.flush()
    assert client_for("grid_leader", city.grids["C3"]).get(f"/photos/{photo.id}").status_code == 404
    assert leader.post(f"/photos/{photo.id}/public").headers["location"] == f"/incidents/{case.id}"
    city.session.expire_all()
    assert photos.get(city.session, SYSTEM, photo.id).public
    leader.post(f"/photos/{photo.id}/remove")
    city.session.expire_all()
    assert photos.of_incident(city.session, SYSTEM, case.id) == []


def test_the_sheet_tells_the_course_of_a_case(leader: TestClient, city: City, case: Incident) -> None:
    for action, note in ((Action.TRIAGE, None), (Action.RESOLVE, "New bulb")):
        incidents.act(city.session, SYSTEM, case, action, note=note)
    page = leader.get(f"/incidents/{case.id}/sheet").text
    for text in (case.number, "New bulb", "Triaged", "Dark on the second floor", "138****6021"):
        assert text in page


def test_open_cases_are_listed_by_their_limits_and_settled_ones_by_their_day(leader: TestClient, city: City) -> None:
    now = datetime.now(UTC)
    for number, (state, days) in enumerate(
        [("new", 9), ("on_hold", -30), ("in_progress", -2), ("to_verify", 1), ("new", -5), ("closed", -9)]
    ):
        city.incident(
            50,
            50,
            number=f"s-{number}",
            state=state,
            due_at=now + timedelta(days=days),
            reported_at=now - timedelta(days=number),
            closed_at=now if state == "closed" else None,
        )
    city.incident(50, 50, number="s-6", due_at=now, reported_at=now - timedelta(days=60)).due_at = None
    city.session.flush()

    def numbers(query: str = "") -> list[str]:
        return re.findall(r">\s*(s-\d)\s*<", leader.get(f"/incidents{query}").text)

    assert numbers() == ["s-4", "s-2", "s-3", "s-0", "s-1", "s-6"], "on hold no limit runs"
    assert numbers("?state=new,in_progress,closed") == ["s-0", "s-2", "s-4", "s-5", "s-6"]
    up, down = (
        [one["number"] for one in leader.get(f"/api/incidents?sort={sort}&state=new").json()["items"]]
        for sort in ("due", "-due")
    )
    assert [one for one in up if one.startswith("s-")] == ["s-4", "s-0", "s-6"]
    assert down == up[::-1]


def test_the_street_filters_by_what_it_follows_and_others_are_told_of_that_filter(
    client_for: ClientFor, leader: TestClient, city: City, case: Incident
) -> None:
    followed = city.incident(50, 50, description="Smell of gas in the yard", category_code="safety.gas")
    incidents.act(city.session, SYSTEM, followed, Action.TRIAGE)
    street = client_for("supervisor", city.street)
    street.cookies.set("wangge_language", "en")
    assert 'name="supervised"' in street.get("/incidents").text
    for client in (street, leader):
        page = client.get("/incidents?supervised=true").text
        assert "Smell of gas in the yard" in page
        assert "Dark on the second floor" not in page
        assert "Supervised" in page
    assert 'class="label label-act">Urgent' in leader.get(f"/incidents/{followed.id}").text


def test_a_case_says_what_was_done_and_will_be_as_its_limit_comes(
    leader: TestClient, city: City, case: Incident
) -> None:
    now = datetime.now(UTC)
    case.due_at = now + timedelta(days=60)
    [soon, *_later] = reminders.of_incident(city.session, case)
    city.session.flush()

    def told(page: str) -> list[tuple[str, str]]:
        found = re.search(r'<ul class="coming">.*?</ul>', page, re.S)
        rows = found[0].split("<li")[1:] if found else []
        return [(re.findall(r"<b>(.*?)</b>", row)[0], re.findall(r'hidden">(.*?)<', row)[0]) for row in rows]

    expected = ["Due soon", "Overdue", "Escalation", "Escalation", "Supervision by the street"]
    assert told(leader.get(f"/incidents/{case.id}").text) == [(name, "to come") for name in expected]
    city.session.add(
        reminders.Reminder(incident_id=case.id, threshold="due_soon:1", due_at=case.due_at, at=soon["at"], told=True)
    )
    city.session.flush()
    assert told(leader.get(f"/incidents/{case.id}").text)[0] == ("Due soon", "took effect")
    case.due_at = now - timedelta(days=400)
    city.session.add(
        reminders.Reminder(incident_id=case.id, threshold="overdue:0", due_at=case.due_at, at=now, told=False)
    )
    city.session.flush()
    assert told(leader.get(f"/incidents/{case.id}").text) == [], "what had passed before it was recorded"


def test_response_templates_are_added_changed_and_removed_on_a_page(
    client_for: ClientFor, leader: TestClient, city: City, case: Incident
) -> None:
    admin = client_for("administrator", None)
    admin.cookies.set("wangge_language", "en")
    values = {"name_zh": "门禁已修好", "name_en": "Door mended", "action": "hold", "text": "{category}：等配件。"}
    refused = admin.post("/templates", data=values | {"text": ""})
    assert refused.status_code == 422
    assert "Fill this in." in refused.text
    assert 'value="门禁已修好"' in refused.text, "what was typed stands there still"
    assert admin.post("/templates", data=values).status_code == 303
    page = admin.get("/templates").text
    assert "Door mended" in page
    act(leader, case, "triage")
    assert 'data-text="楼道灯不亮：等配件。"' in leader.get(f"/incidents/{case.id}").text
    assert admin.post("/templates/hold_1", data=values | {"name_en": "", "text": "等。"}).status_code == 303
    assert incidents.template(city.session, "hold_1").name_en == "门禁已修好"
    wrong = admin.post("/templates/hold_1", data=values | {"action": "merge"})
    assert (wrong.status_code, "A template is for one of these" in wrong.text) == (422, True)
    assert admin.post("/templates/hold_1/remove").status_code == 303
    assert "hold_1" not in admin.get("/templates").text


def test_who_edits_one_community_reads_the_templates_and_is_told_who_changes_them(
    client_for: ClientFor, leader: TestClient, city: City
) -> None:
    here = client_for("administrator", city.community)
    here.cookies.set("wangge_language", "en")
    page = here.get("/templates").text
    assert "changed by somebody who manages all of them" in page
    assert 'action="/templates' not in page
    assert here.post("/templates/resolved_light/remove").status_code == 403
    assert leader.get("/templates").status_code == 403


def test_while_reporting_staff_see_what_may_be_the_same(leader: TestClient, city: City, case: Incident) -> None:
    lon, lat = degrees(58, 50)
    query = {"category": "facility.corridor_light", "lon": lon, "lat": lat}
    page = leader.get("/incidents/alike", params=query).text
    assert case.number in page
    assert "8 m away" in page
    far = city.incident(250, 250, category_code="facility.corridor_light")
    assert far.number not in page
    assert leader.get("/incidents/alike", params={"category": "facility.corridor_light"}).status_code == 200


@pytest.fixture
def office(client_for: ClientFor) -> TestClient:
    """Who administers all communities, reading pages in English."""
    client = client_for("administrator", None)
    client.headers["Accept"] = "text/html"
    client.cookies.set("wangge_language", "en")
    return client


def test_a_category_is_added_and_changed_on_a_page(office: TestClient, city: City) -> None:
    values = {
        "name_zh": "座椅损坏",
        "parent_code": "facility",
        "tier": "grid",
        "days": "3",
        "days_street": "9",
        "flags": ["reportable", "placed"],
        "icon": "tool",
    }
    refused = office.post("/categories", data=values | {"days": "soon", "days_street": ""})
    assert refused.status_code == 422
    assert 'value="座椅损坏"' in refused.text, "what was typed stands there still"
    assert office.post("/categories", data=values | {"days_street": "-1"}).status_code == 422
    assert office.post("/categories", data=values).headers["location"] == "/categories/facility.own1"
    kind = incidents.category(city.session, "facility.own1")
    assert (kind.name_zh, kind.name_en, kind.tier, kind.days, kind.limits) == (
        "座椅损坏",
        "座椅损坏",
        "grid",
        3,
        {"street": 9},
    )
    assert (kind.reportable, kind.placed, kind.personal, kind.icon) == (True, True, False, "tool")
    assert "座椅损坏" in office.get("/categories").text
    assert "座椅损坏" in office.get("/incidents/new").text
    changed = values | {"name_en": "Broken bench", "flags": ["personal"], "days": "", "days_street": ""}
    assert office.post("/categories/facility.own1", data=changed).status_code == 303
    city.session.expire_all()
    assert (kind.name_en, kind.days, kind.limits, kind.reportable, kind.placed) == (
        "Broken bench",
        None,
        {},
        False,
        False,
    )
    below_itself = office.post("/categories/facility.own1", data=values | {"parent_code": "facility.own1"})
    assert below_itself.status_code == 422
    assert office.post("/categories", data=values | {"code": "facility.own1"}).status_code == 409


def test_a_category_that_is_retired_is_offered_no_more_and_stays_with_its_cases(
    office: TestClient, leader: TestClient, city: City, case: Incident
) -> None:
    kind = case.category_code
    tile = f'value="{kind}"'
    assert tile in leader.get("/incidents/new").text
    assert office.post(f"/categories/{kind}/remove").status_code == 409
    assert office.post(f"/categories/{kind}/retire", data={"retired": "yes"}).status_code == 303
    assert tile not in leader.get("/incidents/new").text
    assert kind not in {one.code for one in reports.kinds(city.session)}
    assert "Corridor light broken" in leader.get(f"/incidents/{case.id}").text
    assert tile in leader.get(f"/incidents/{case.id}/edit").text, "the case keeps it"
    assert city.incident(60, 60, category_code=kind).id, "what a phone reported before still comes in"
    assert office.post(f"/categories/{kind}/retire", data={"retired": "no"}).status_code == 303
    assert tile in leader.get("/incidents/new").text
    office.post("/categories/facility/retire", data={"retired": "yes"})
    assert tile not in leader.get("/incidents/new").text, "what lies below a retired group is not offered either"
    assert office.post("/categories/facility.playground/remove").status_code == 303
    assert office.get("/categories/facility.playground").status_code == 404


def test_the_questions_of_a_category_are_asked_changed_and_sorted_and_answers_keep_their_words(
    office: TestClient, leader: TestClient, city: City
) -> None:
    kind = "facility.corridor_light"
    case = city.incident(50, 50, answers={"kind": "sound", "floor": "3"})

    def codes() -> list[str]:
        city.session.expire_all()
        return [one["code"] for one in incidents.asked(incidents.category(city.session, kind))]

    assert codes() == ["floor", "kind", "danger"]
    asked = {"name_zh": "多少人受影响", "kind": "number", "required": "yes"}
    assert office.post(f"/categories/{kind}/questions", data=asked | {"name_zh": ""}).status_code == 422
    assert office.post(f"/categories/{kind}/questions", data=asked | {"kind": "choice"}).status_code == 422
    assert office.post(f"/categories/{kind}/questions", data=asked).status_code == 303
    assert codes() == ["floor", "kind", "danger", "q1"]
    office.post(f"/categories/{kind}/questions/q1/earlier")
    assert codes() == ["floor", "kind", "q1", "danger"]
    lights = {
        "name_zh": "什么灯",
        "name_en": "Which light",
        "kind": "choice",
        "choices": "常亮灯 / Always on\n新灯 / New",
    }
    assert office.post(f"/categories/{kind}/questions/kind", data=lights).status_code == 303
    codes()
    kept = next(one for one in incidents.category(city.session, kind).questions if one["code"] == "kind")
    assert [(one["code"], one.get("retired", False)) for one in kept["choices"]] == [
        ("always", False),
        ("a1", False),
        ("sound", True),
    ]
    assert "Sound switched" in leader.get(f"/incidents/{case.id}").text, "what was answered is still read"
    for code in ("floor", "danger"):
        assert office.post(f"/categories/{kind}/questions/{code}/remove").status_code == 303
    assert codes() == ["kind", "q1"]
    left = [one["code"] for one in incidents.category(city.session, kind).questions]
    assert sorted(left) == ["floor", "kind", "q1"], "nobody had answered the other"
    assert "Which floor" in leader.get(f"/incidents/{case.id}").text
    assert office.post(f"/categories/{kind}/questions/nothing/remove").status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/facility.door",
        "/facility.door/retire",
        "/facility.door/remove",
        "/facility.door/questions",
        "/facility.corridor_light/questions/floor",
        "/facility.corridor_light/questions/floor/earlier",
        "/facility.corridor_light/questions/floor/remove",
    ],
)
def test_categories_are_changed_by_who_manages_all_communities_alone(
    client_for: ClientFor, leader: TestClient, city: City, address: str
) -> None:
    here = client_for("administrator", city.community)
    here.cookies.set("wangge_language", "en")
    sent = {"name_zh": "一", "name_en": "one", "kind": "text", "retired": "yes", "parent_code": "facility"}
    assert here.post(f"/categories{address}", data=sent).status_code == 403
    assert leader.post(f"/categories{address}", data=sent).status_code == 403
    if address.count("/") < 2:
        assert leader.get(f"/categories{address}").status_code == 403
        page = here.get(f"/categories{address}")
        assert page.status_code == 200
        assert '<form method="post" action="/categories' not in page.text or "form-actions" not in page.text
