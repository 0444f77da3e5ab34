"""What a resident sends arrives once, is followed by whoever has the code alone, and is forgotten in time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from data import assets, incidents, photos, place_codes, reports
from data.base import access
from data.base.errors import Invalid, NotFound
from data.incidents import Action, Incident, Step
from data.place_codes import CodeKind, Place
from data.reports import Effort, Report
from tests.city import City, degrees
from tests.data import pictures

SYSTEM = access.SYSTEM


@pytest.fixture
def city(session: Session) -> City:
    """The 3 × 3 city, with somebody who sees to grid A1."""
    city = City.make(session)
    city.account("community_staff", city.community)
    return city


def sent(city: City, **values: Any) -> reports.Sent:
    """A report of a broken light in the middle of grid A1."""
    lon, lat = degrees(50, 50)
    values = {"category_code": "facility.corridor_light", "lon": lon, "lat": lat, **values}
    return reports.send(city.session, Place(city.community), **values)


def settled(city: City, incident: Incident) -> None:
    """Bring a case to the point where feedback was given."""
    for action, note in ((Action.TRIAGE, None), (Action.RESOLVE, "Bulb changed"), (Action.GIVE_FEEDBACK, "Mended")):
        incidents.act(city.session, SYSTEM, incident, action, note=note, public=note is not None)


def test_a_report_lies_in_the_grid_of_its_place_and_says_where_it_came_from(city: City) -> None:
    found = sent(city, description="Dark on the second floor", contact="13812346021").incident
    assert found.grid_id == city.grids["A1"].id
    assert (found.source, found.step) == ("resident", Step.REPORTED)
    raw = city.session.scalar(text("SELECT contact FROM incident WHERE id = :id"), {"id": found.id})
    assert b"13812346021" not in bytes(raw)


def test_the_tracking_code_is_stored_nowhere(city: City) -> None:
    tracking = sent(city).tracking
    assert len(tracking) == reports.CODE_LENGTH
    rows = city.session.execute(
        text("SELECT report::text || incident::text FROM report JOIN incident ON id = incident_id")
    )
    assert all(tracking not in row[0] for row in rows)


def test_codes_of_many_reports_are_all_different(city: City) -> None:
    assert len({sent(city).tracking for _ in range(30)}) == 30


def test_a_report_that_is_sent_twice_is_one_report(city: City) -> None:
    once = reports.new_once()
    first, second = sent(city, once=once), sent(city, once=once)
    assert (first.incident.id, first.tracking) == (second.incident.id, second.tracking)
    assert city.session.scalar(select(func.count()).select_from(Report)) == 1


def test_a_place_outside_the_community_is_refused(city: City) -> None:
    lon, lat = degrees(5000, 50)
    with pytest.raises(Invalid, match="outside 梧桐里社区"):
        sent(city, lon=lon, lat=lat)


def test_the_code_is_read_however_it_is_typed(city: City) -> None:
    found = sent(city)
    typed = f" {reports.shown_code(found.tracking).lower()} "
    assert reports.progress(city.session, typed).own.id == found.incident.id


def test_a_wrong_code_finds_nothing(city: City) -> None:
    sent(city)
    with pytest.raises(reports.TrackingNotFound):
        reports.progress(city.session, "2222-2222-2222")


def test_the_progress_shows_public_steps_and_photos_and_nothing_else(city: City) -> None:
    case = sent(city).incident
    tracking = sent(city, once="x").tracking
    case = reports.progress(city.session, tracking).own
    incidents.act(city.session, SYSTEM, case, Action.TRIAGE, note="Known troublemaker")
    step = incidents.act(city.session, SYSTEM, case, Action.RESOLVE, note="Bulb changed", public=True)
    place: dict[str, Any] = {"community_id": case.community_id, "grid_id": case.grid_id, "incident_id": case.id}
    shown = photos.store(city.session, SYSTEM, pictures.photo(), step_id=step.id, public=True, **place).photo
    hidden = photos.store(city.session, SYSTEM, pictures.photo((9, 9)), step_id=step.id, **place).photo
    found = reports.progress(city.session, tracking)
    assert [(one.action, one.note) for one in found.stages] == [("report", None), ("resolve", "Bulb changed")]
    assert [one.id for stage in found.stages for one in stage.photos] == [shown.id]
    assert reports.photo(city.session, tracking, shown.id) is shown
    with pytest.raises(NotFound):
        reports.photo(city.session, tracking, hidden.id)


def test_photos_sent_ahead_belong_to_the_report(city: City) -> None:
    stored = photos.store(city.session, SYSTEM, pictures.photo(), community_id=city.community.id)
    found = sent(city, claims=[stored.claim])
    assert [one.id for one in reports.progress(city.session, found.tracking).stages[0].photos] == [stored.photo.id]


def test_a_merged_report_follows_its_original_to_the_end(city: City) -> None:
    original, report = sent(city), sent(city)
    incidents.act(city.session, SYSTEM, report.incident, Action.MERGE, into=original.incident)
    settled(city, original.incident)
    found = reports.progress(city.session, report.tracking)
    assert found.incident.id == original.incident.id
    assert [one.note for one in found.stages if one.note] == ["Bulb changed", "Mended"]
    assert not found.may_rate


def test_who_is_satisfied_closes_the_case_and_rates_it_once(city: City) -> None:
    found = sent(city)
    with pytest.raises(Invalid, match="cannot be rated now"):
        reports.rate(city.session, found.tracking, satisfied=True)
    settled(city, found.incident)
    after = reports.rate(city.session, found.tracking, satisfied=True)
    assert (after.incident.step, after.report.satisfied, after.may_rate) == (Step.CLOSED, True, False)
    with pytest.raises(Invalid):
        reports.rate(city.session, found.tracking, satisfied=False, note="No")


def test_who_is_not_satisfied_opens_the_case_again_and_can_rate_what_follows(city: City) -> None:
    found = sent(city)
    settled(city, found.incident)
    after = reports.rate(city.session, found.tracking, satisfied=False, note="Out again after an hour")
    assert after.incident.step == Step.IN_PROGRESS
    assert after.stages[-1].note == "居民表示没有解决。 Out again after an hour", "staff read it in their language"
    assert not after.may_rate
    incidents.act(city.session, SYSTEM, found.incident, Action.RESOLVE)
    assert reports.progress(city.session, found.tracking).may_rate


def test_a_case_that_was_closed_long_ago_is_not_opened_by_its_rating(city: City) -> None:
    found = sent(city)
    settled(city, found.incident)
    incidents.act(city.session, SYSTEM, found.incident, Action.CLOSE)
    found.incident.closed_at = datetime.now(UTC) - timedelta(days=reports.RATING_DAYS + 1)
    city.session.flush()
    assert not reports.progress(city.session, found.tracking).may_rate


def test_contacts_go_thirty_days_after_the_end_and_not_a_day_before(city: City) -> None:
    now = datetime.now(UTC)
    ended = {"closed 31 days ago": 31, "closed 29 days ago": 29}
    cases = {name: sent(city, contact="13812346021").incident for name in ended}
    cases["open"] = sent(city, contact="13812346021").incident
    for name, days in ended.items():
        settled(city, cases[name])
        incidents.act(city.session, SYSTEM, cases[name], Action.CLOSE)
        cases[name].closed_at = now - timedelta(days=days)
    cases["declined"] = sent(city, contact="13812346021").incident
    incidents.act(city.session, SYSTEM, cases["declined"], Action.REJECT, note="Nothing found")
    city.session.flush()
    later = now - timedelta(days=40)
    city.session.execute(update(Incident).where(Incident.id == cases["declined"].id).values(updated_at=later))
    assert reports.forget_contacts(city.session, now) == 2
    city.session.expire_all()
    left = {name: case.contact for name, case in cases.items()}
    assert {name for name, contact in left.items() if contact} == {"closed 29 days ago", "open"}


def test_one_address_sends_so_much_in_an_hour_and_others_are_not_held_up(city: City) -> None:
    for _ in range(reports.LIMITS[Effort.REPORT]):
        reports.count(city.session, Effort.REPORT, "203.0.113.7")
    with pytest.raises(reports.TooOften):
        reports.count(city.session, Effort.REPORT, "203.0.113.7")
    reports.count(city.session, Effort.REPORT, "203.0.113.8")
    reports.count(city.session, Effort.TRACK, "203.0.113.7")
    city.session.execute(text("UPDATE report_attempt SET at = at - interval '61 minutes'"))
    reports.count(city.session, Effort.REPORT, "203.0.113.7")
    assert "203.0.113.7" not in str(city.session.execute(text("SELECT * FROM report_attempt")).all())
    for _ in range(reports.LIMITS[Effort.REPORT] - 1):
        reports.count(city.session, Effort.REPORT, "203.0.113.7")
    city.session.execute(text("UPDATE report_attempt SET at = at + interval '10 years'"))
    reports.count(city.session, Effort.REPORT, "203.0.113.7")  # the clock was put back


def test_a_stranger_learns_of_a_similar_case_what_and_how_long_ago(city: City) -> None:
    lon, lat = degrees(50, 50)
    case = city.incident(50, 80, description="Mrs Wang on the third floor is afraid", reported_at=datetime.now(UTC))
    secret = photos.store(
        city.session, SYSTEM, pictures.photo(), community_id=city.community.id, incident_id=case.id
    ).photo
    (found,) = reports.similar(city.session, city.community.id, category_code=case.category_code, lon=lon, lat=lat)
    assert (found.category_code, found.same_building, found.photo_id) == (case.category_code, False, None)
    secret.public = True
    city.session.flush()
    (found,) = reports.similar(city.session, city.community.id, category_code=case.category_code, lon=lon, lat=lat)
    assert found.photo_id == secret.id
    assert reports.public_photo(city.session, secret.id, reports.photo_key(secret.id)) is secret
    for photo_id, key in ((secret.id, "0" * 20), (secret.id + 1, reports.photo_key(secret.id + 1))):
        with pytest.raises(NotFound):
            reports.public_photo(city.session, photo_id, key)


@pytest.mark.parametrize(
    ("kind", "typed", "answer"),
    [
        ("text", " third ", "third"),
        ("number", "3", 3),
        ("number", "2.5", 2.5),
        ("yes_no", "yes", True),
        ("yes_no", "no", False),
    ],
)
def test_answers_are_read_as_their_question_asks(kind: str, typed: str, answer: object) -> None:
    question = {"code": "q", "kind": kind, "required": True}
    assert reports.read_answers([question], {"q": typed}) == {"q": answer}


def test_a_question_that_needs_an_answer_says_so() -> None:
    with pytest.raises(Invalid) as caught:
        reports.read_answers([{"code": "q", "kind": "number", "required": True}], {"q": " "})
    assert caught.value.facts["faults"] == {"q": "Answer this."}
    with pytest.raises(Invalid):
        reports.read_answers([{"code": "q", "kind": "number"}], {"q": "many"})


def test_every_building_and_grid_gets_one_code_and_a_second_time_none(city: City) -> None:
    staff = city.actor("planner", city.community)
    assert place_codes.missing(city.session, staff, city.community.id) == 18
    assert place_codes.make(city.session, staff, city.community) == 18
    assert place_codes.make(city.session, staff, city.community) == 0


def test_a_code_leads_to_its_building_and_todays_grid(city: City) -> None:
    place_codes.make(city.session, SYSTEM, city.community)
    rows = city.session.execute(place_codes.selection(SYSTEM, city.community.id, CodeKind.BUILDING)).all()
    row = next(one for one in rows if one.number == "5")
    found = place_codes.place(city.session, f" {row.code.lower()} ")
    assert found.building is not None
    assert found.grid is not None
    assert (found.building.number, found.grid.id) == ("5", city.grids["B2"].id)
    found.building.grid_id = city.grids["A1"].id
    city.session.flush()
    moved = place_codes.place(city.session, row.code).grid
    assert moved is not None
    assert moved.id == city.grids["A1"].id


def test_a_replaced_code_leads_nowhere_and_the_new_one_to_the_same_place(city: City) -> None:
    place_codes.make(city.session, SYSTEM, city.community)
    row = city.session.execute(place_codes.selection(SYSTEM, city.community.id, CodeKind.CARD)).all()[0]
    leader = city.actor("grid_leader", city.grids["C3"])
    with pytest.raises(NotFound):
        place_codes.get(city.session, leader, row.id)
    fresh = place_codes.replace(city.session, SYSTEM, place_codes.get(city.session, SYSTEM, row.id))
    with pytest.raises(place_codes.PlaceCodeNotFound):
        place_codes.place(city.session, row.code)
    grid = place_codes.place(city.session, fresh.code).grid
    assert grid is not None
    assert grid.id == row.grid_id


def test_the_ground_for_visitors_has_buildings_and_grids_and_nobodys_home(city: City) -> None:
    city.household("A1")
    found = place_codes.ground(city.session, city.community.id)["features"]
    assert sum(one["properties"]["kind"] == "residential" for one in found) == 9
    assert sum(one["properties"]["kind"] == "grid" for one in found) == 9
    assert "李" not in str(found)


def test_a_numbered_lamp_is_a_place_unless_two_have_the_number(city: City) -> None:
    lon, lat = degrees(250, 150)
    lamp: dict[str, Any] = {"community_id": city.community.id, "lon": lon, "lat": lat, "number": "L-0412"}
    assets.add(city.session, SYSTEM, kind="street_lamp", **lamp)
    assert place_codes.numbered(city.session, city.community.id, " l-0412 ") == pytest.approx((lon, lat))
    assert place_codes.numbered(city.session, city.community.id, "L-0413") is None
    assets.add(city.session, SYSTEM, kind="hydrant", **lamp)
    assert place_codes.numbered(city.session, city.community.id, "L-0412") is None


def test_what_is_near_a_point_is_the_building_next_to_it(city: City) -> None:
    lon, lat = degrees(150, 130)
    near = place_codes.near(city.session, city.community.id, lon, lat)
    assert near.building is not None
    assert (near.grid, near.building.number) == ("B2", "5")
    assert near.distance_m == pytest.approx(10, abs=0.2)
    far = place_codes.near(city.session, city.community.id, *degrees(-500, 50))
    assert (far.grid, far.building) == (None, None)


def test_a_stranger_learns_nothing_of_personal_kinds_nor_of_those_that_residents_do_not_report(city: City) -> None:
    lon, lat = degrees(50, 50)
    kinds = {one.code: one for one in incidents.categories(city.session)}
    for code in ("dispute.family", "help.elderly", "inquiry.allowance", "order.security", "other"):
        assert kinds[code].personal, code
        city.incident(50, 50, category_code=code)
        building = city.buildings["A1"].id
        found = reports.similar(
            city.session, city.community.id, category_code=code, lon=lon, lat=lat, building_id=building
        )
        assert found == [], code
    place = place_codes.community(city.session, city.community.code)
    for code in ("dispute.petition", "facility", "nothing"):
        assert code not in {one.code for one in reports.kinds(city.session)} - {"facility"}
        with pytest.raises(Invalid, match="cannot be reported here"):
            reports.similar(city.session, city.community.id, category_code=code, lon=lon, lat=lat)
        with pytest.raises(Invalid, match="cannot be reported here"):
            reports.send(city.session, place, category_code=code, lon=lon, lat=lat)
    # Who decides is the community: the flags are data.
    kinds["facility.corridor_light"].personal = True
    city.incident(50, 50)
    city.session.flush()
    told = reports.similar(city.session, city.community.id, category_code="facility.corridor_light", lon=lon, lat=lat)
    assert told == []


def test_a_stranger_who_asks_from_everywhere_learns_a_cell_and_no_place(city: City) -> None:
    """From all points of a cell the answer is the same, so that no ring of questions closes in on a case."""
    city.incident(150, 150)
    step = reports.CELL_DEG / 10
    west, south = (math.floor(value / reports.CELL_DEG) * reports.CELL_DEG for value in degrees(150, 150))
    answers: dict[tuple[int, int], set[int]] = {}
    for column in range(-25, 35, 3):
        for row in range(-25, 35, 3):
            lon, lat = west + (column + 0.5) * step, south + (row + 0.5) * step
            found = reports.similar(
                city.session, city.community.id, category_code="facility.corridor_light", lon=lon, lat=lat
            )
            answers.setdefault((column // 10, row // 10), set()).add(len(found))
    assert all(len(counts) == 1 for counts in answers.values())
    assert {cell for cell, counts in answers.items() if counts == {1}} == {
        (column, row) for column in (-1, 0, 1) for row in (-1, 0, 1)
    }
