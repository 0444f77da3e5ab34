"""The diary: what was said stands in it once, is struck off when it is solved, and is handed over week by week."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import diary, grids, households, incidents, teams, visits
from data.base import access, settings
from data.base.access import Actor
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.diary import DiaryEntry, DiaryHandover, Filter, Standing, Subject
from data.incidents import Action
from data.visits import Outcome
from tests.city import City, degrees

MONDAY = date(2026, 3, 16)


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def entry(city: City, said: str = "三楼的灯坏了", actor: Actor = access.SYSTEM, **values: Any) -> DiaryEntry:
    """An entry at building A1, unless something else is said."""
    if not {"household_id", "building_id", "lon", "community_id"} & values.keys():
        values["building_id"] = city.buildings["A1"].id
    return diary.write(city.session, actor, **{"uuid": uuid4(), "said": said} | values)


def found(city: City, actor: Actor = access.SYSTEM, **wanted: Any) -> list[int]:
    query = diary.selection(actor, Filter(**wanted)).order_by(DiaryEntry.id)
    return [row.id for row in city.session.execute(query)]


def stands(city: City, one: DiaryEntry) -> str:
    return str(diary.row(city.session, one).standing)


def test_what_was_said_during_a_visit_is_an_entry_and_goes_with_the_visit(city: City) -> None:
    household = city.household("A1")
    leader = city.actor("grid_leader", city.grids["A1"])
    visit = visits.record(city.session, leader, household, uuid=uuid4(), outcome=Outcome.MET, said="医疗保险怎么补缴")
    (row,) = city.session.execute(diary.selection(leader)).all()
    assert (row.said, row.subject, row.standing) == ("医疗保险怎么补缴", "insurance", "noted")
    assert (row.visit_id, row.household_id, row.grid_id) == (visit.id, household.id, city.grids["A1"].id)
    assert visits.latest(city.session, leader, household.id, 1)[0].said == row.said, "it is kept once"
    visits.remove(city.session, leader, visit)
    assert found(city) == []


def test_what_they_ask_for_at_the_door_is_struck_off_with_its_case(city: City) -> None:
    household = city.household("A1")
    visits.record(
        city.session,
        city.actor("grid_leader", city.grids["A1"]),
        household,
        uuid=uuid4(),
        outcome=Outcome.MET,
        said="灯坏了",
        request={"category_code": "facility.corridor_light"},
        answer="换了灯泡",
    )
    assert [row.standing for row in city.session.execute(diary.selection(access.SYSTEM))] == [Standing.STRUCK]


def test_an_entry_is_struck_off_when_its_case_is_closed_and_open_again_with_it(city: City) -> None:
    one = entry(city)
    case = diary.file_case(city.session, access.SYSTEM, one, category_code="facility.corridor_light")
    assert (case.description, case.building_id) == ("三楼的灯坏了", city.buildings["A1"].id), "nothing is typed again"
    assert stands(city, one) == Standing.OPEN
    incidents.settle(
        city.session, city.actor("community_staff", city.community), case, note="换了灯泡", feedback="已修好"
    )
    assert stands(city, one) == Standing.STRUCK
    assert diary.row(city.session, one).solved_at == case.closed_at
    assert diary.state_counts(city.session, access.SYSTEM) == {"open": 0, "struck": 1, "noted": 0}
    incidents.act(city.session, access.SYSTEM, case, Action.REOPEN, note="又坏了")
    assert stands(city, one) == Standing.OPEN
    with pytest.raises(Conflict, match="followed as a case"):
        diary.strike(city.session, access.SYSTEM, one)
    with pytest.raises(Conflict):
        diary.file_case(city.session, access.SYSTEM, one, category_code="facility.corridor_light")


def test_what_was_merged_is_solved_with_its_original(city: City) -> None:
    one, original = entry(city), city.incident()
    case = diary.file_case(city.session, access.SYSTEM, one, category_code="facility.corridor_light")
    incidents.act(city.session, access.SYSTEM, case, Action.MERGE, into=original)
    assert stands(city, one) == Standing.OPEN
    incidents.settle(
        city.session, city.actor("community_staff", city.community), original, note="换了灯泡", feedback="已修好"
    )
    assert stands(city, one) == Standing.STRUCK


def test_it_is_struck_off_by_hand_and_that_is_taken_back(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    one = entry(city, actor=leader)
    diary.strike(city.session, leader, one, "换了灯泡")
    row = diary.row(city.session, one)
    assert (row.standing, row.answer, row.struck_by_id) == (Standing.STRUCK, "换了灯泡", leader.account_id)
    with pytest.raises(Conflict):
        diary.change(city.session, leader, one, asks=False)
    diary.reopen(city.session, leader, one)
    assert (stands(city, one), one.answer) == (Standing.OPEN, None)
    diary.change(city.session, leader, one, asks=False)
    assert stands(city, one) == Standing.NOTED


def test_an_entry_is_solved_on_the_spot_and_says_how(city: City) -> None:
    one = entry(city, standing=Standing.STRUCK, answer="当场换了灯泡")
    assert (stands(city, one), one.struck_at) == (Standing.STRUCK, one.at)
    with pytest.raises(Invalid, match="What was done"):
        entry(city, answer="换了", standing=Standing.OPEN)


def test_an_entry_that_is_sent_twice_is_one(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    uuid = uuid4()
    one = entry(city, actor=leader, uuid=uuid)
    assert entry(city, actor=leader, uuid=uuid).id == one.id
    with pytest.raises(Conflict, match="in other words"):
        entry(city, "别的", leader, uuid=uuid)
    with pytest.raises(Conflict, match="already"):
        entry(city, actor=city.actor("community_staff", city.community), uuid=uuid)
    assert city.session.scalar(select(func.count()).select_from(DiaryEntry)) == 1


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("路灯", True),
        ("灯", True),
        ("没有路灯", True),
        ("书院弄 路灯", True),
        ("WI-fi", True),
        ("路 灯 坏", False),
        ("灯路", False),
        ("野猫", False),
        ("！", True),
    ],
)
def test_words_are_found_in_chinese_though_what_is_kept_tells_nothing(city: City, text: str, matches: bool) -> None:
    one = entry(city, "书院弄没有路灯，ＷｉＦｉ也断，Wi-Fi 慢")
    assert (found(city, text=text) == [one.id]) is matches
    raw = city.session.connection().exec_driver_sql("SELECT * FROM diary_entry").mappings().one()
    assert "路灯".encode() not in bytes(raw["said"])
    assert all(abs(gram) > 2**16 or gram < 0 for gram in raw["grams"]), "no code point of a character is kept"


def test_a_text_that_is_changed_is_found_by_its_new_words_alone(city: City) -> None:
    one = entry(city)
    diary.change(city.session, access.SYSTEM, one, said="孩子的户口怎么迁")
    assert one.subject == Subject.UTILITIES, "what somebody filed stays where it was filed"
    assert (found(city, text="灯坏"), found(city, text="户口")) == ([], [one.id])


def test_filters_narrow_by_place_subject_standing_and_days(city: City) -> None:
    household = city.household("B2")
    old = entry(city, household_id=household.id, at=datetime(2026, 1, 31, 16, 30, tzinfo=UTC))
    new = entry(city, "野猫多", standing=Standing.NOTED, at=datetime(2026, 3, 17, 2, tzinfo=UTC))
    lon, lat = degrees(250, 250)
    point = entry(city, "没有路灯", lon=lon, lat=lat, standing=Standing.STRUCK)
    assert found(city, grid=city.grids["B2"].code) == found(city, household_id=household.id) == [old.id]
    assert found(city, building_id=city.buildings["A1"].id) == [new.id]
    assert found(city, grid=city.grids["C3"].code) == [point.id], "a point is located"
    assert found(city, subjects=["environment"]) == found(city, standings=["noted"]) == [new.id]
    assert found(city, first=date(2026, 2, 1), last=date(2026, 2, 1)) == [old.id], "by the day of the community"
    assert [(one.month, one.entries) for one in diary.by_month(city.session, access.SYSTEM, Filter(last=MONDAY))] == [
        (date(2026, 2, 1), 1)
    ]
    by_grid = diary.by_grid(city.session, access.SYSTEM, Filter())
    assert by_grid[city.grids["B2"].id] == {"utilities": 1}
    spots = diary.at_buildings(city.session, access.SYSTEM, Filter())
    assert {row.id: (row.entries, row.open) for row in spots} == {
        city.buildings["A1"].id: (1, 0),
        city.buildings["B2"].id: (1, 1),
    }


def test_an_entry_without_a_place_is_of_the_own_grid_or_has_to_say(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    one = diary.write(city.session, leader, uuid=uuid4(), said="居民说要开会")
    assert (one.community_id, one.grid_id) == (city.community.id, city.grids["A1"].id)
    staff = city.actor("community_staff", city.community)
    assert diary.write(city.session, staff, uuid=uuid4(), said="居民说要开会").grid_id is None
    with pytest.raises(Invalid, match="Choose the building"):
        diary.write(city.session, access.SYSTEM, uuid=uuid4(), said="居民说要开会")
    with pytest.raises(Invalid, match="in no community"):
        entry(city, lon=0.0, lat=0.0)
    with pytest.raises(diary.NotYet):
        entry(city, at=datetime.now(UTC) + timedelta(hours=1))


def test_a_leader_reads_and_writes_the_own_grid_alone(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    theirs = entry(city, building_id=city.buildings["B2"].id)
    with pytest.raises(NotFound):
        diary.get(city.session, leader, theirs.id)
    with pytest.raises(NotFound):
        entry(city, actor=leader, building_id=city.buildings["B2"].id)
    with pytest.raises(NotFound):
        entry(city, actor=leader, household_id=city.household("B2").id)
    foreign = entry(city)
    assert found(city, leader) == [foreign.id]
    for forbidden in (diary.remove, diary.change):
        with pytest.raises(Forbidden):
            forbidden(city.session, leader, foreign)
    diary.remove(city.session, city.actor("community_staff", city.community), foreign)


def test_who_moved_takes_what_they_said_along_and_what_goes_with_them_is_gone(city: City) -> None:
    household, other = city.household("A1"), city.household("C3")
    one = entry(city, household_id=household.id)
    households.change(city.session, access.SYSTEM, household, dwelling_id=other.dwelling_id)
    assert found(city, city.actor("grid_leader", city.grids["C3"])) == [one.id]
    assert found(city, city.actor("grid_leader", city.grids["A1"])) == []
    assert one.grid_id == city.grids["A1"].id, "it counts where it was said"
    household.head_id = None
    for member in households.members(city.session, access.SYSTEM, household.id):
        households.remove_resident(city.session, access.SYSTEM, member)
    households.remove(city.session, access.SYSTEM, household)
    assert found(city) == []


def test_a_week_is_taken_over_by_its_officer_and_what_comes_later_shows(city: City) -> None:
    officer = city.actor("line_officer", city.community)
    staff = city.actor("community_staff", city.community)
    here: dict[str, Any] = {"community_id": city.community.id, "subject": Subject.UTILITIES}
    person = teams.appoint_officer(
        city.session, access.SYSTEM, city.community, field="公用事业", name="方晓燕", account_id=officer.account_id
    )
    with pytest.raises(Forbidden):
        diary.name_officer(city.session, officer, **here, officer_id=person.id)
    beside = City.make(city.session, "310101001002", beside=city, name="书院里社区")
    stranger = teams.appoint_officer(city.session, access.SYSTEM, beside.community, field="公用事业", name="别人")
    with pytest.raises(Invalid, match="another community"):
        diary.name_officer(city.session, access.SYSTEM, **here, officer_id=stranger.id)
    diary.name_officer(city.session, staff, **here, officer_id=person.id)
    monday = diary.week_of(settings.today()) - timedelta(weeks=1)
    at = datetime(monday.year, monday.month, monday.day, 4, tzinfo=UTC)
    entry(city, at=at)
    entry(city, at=at + timedelta(days=6, hours=11), standing=Standing.STRUCK)
    (week,) = diary.to_take_over(city.session, officer)
    assert (week.week_on, week.entries, week.open, week.account_id) == (monday, 2, 1, officer.account_id)
    assert diary.to_take_over(city.session, staff) == [], "it is not theirs"
    with pytest.raises(Conflict):
        diary.confirm(city.session, officer, **here, week_on=monday - timedelta(weeks=1))
    with pytest.raises(Invalid):
        diary.confirm(city.session, officer, **here, week_on=monday + timedelta(days=1))
    with pytest.raises((Forbidden, NotFound)):
        diary.confirm(city.session, city.actor("line_officer", city.grids["A1"]), **here, week_on=monday)
    diary.confirm(city.session, officer, **here, week_on=monday)
    assert diary.to_take_over(city.session, officer) == []
    entry(city, at=at + timedelta(days=1))
    (week,) = diary.to_take_over(city.session, officer)
    assert (week.confirmed_by, week.since) == (officer.name, 1), "a phone sent it later"
    diary.confirm(city.session, officer, **here, week_on=monday)
    assert city.session.scalar(select(func.count()).select_from(DiaryHandover)) == 1
    assert diary.to_take_over(city.session, officer) == []
    diary.name_officer(city.session, staff, **here, officer_id=None)
    assert diary.officers(city.session, staff, city.community.id) == {}


def test_a_redraw_leaves_an_entry_with_the_grid_it_was_said_in(city: City) -> None:
    one = entry(city)
    shapes = grids.shapes(city.session, city.community.id)
    mine, beside = city.grids["A1"].id, city.grids["B1"].id
    shapes[mine], shapes[beside] = shapes[beside], shapes[mine]
    grids.divide(city.session, access.SYSTEM, city.community, shapes, valid_from=settings.today())
    city.session.expire_all()
    assert diary.row(city.session, one).grid_id == mine
    assert one.id in found(city, city.actor("grid_leader", city.grids["B1"])), "whoever has the building now reads it"
