"""Phones without a network: what they take along, and that what they send takes effect once, whatever changed."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data import grids, households, phones, visits
from data.base import access, db
from data.base.access import Actor
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.phones import Choice, Fact, PhoneLost, PhoneNotFound, PhoneRecord, Record, RecordState
from data.visits import Outcome, Visit
from tests.city import City, rectangle

WENT = datetime(2026, 3, 17, 2, tzinfo=UTC)


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def leader_of(city: City, grid: str = "A1") -> Actor:
    """The leader of a grid, as whom the walls are up from here on."""
    leader = city.actor("grid_leader", city.grids[grid])
    db.enter(city.session, leader)
    return leader


def as_system(city: City) -> None:
    """Take the walls down again."""
    city.session.execute(db.text("SET LOCAL ROLE NONE"))


def record_of(household: households.Household, **values: Any) -> Record:
    return Record(**{"uuid": uuid4(), "household_id": household.id, "outcome": Outcome.MET, "at": WENT} | values)


def sent(city: City, leader: Actor, phone: phones.Phone, *records: Record) -> list[str]:
    return [answer.state.value for answer in phones.accept(city.session, leader, phone, records)]


def count(city: City) -> int:
    as_system(city)
    return city.session.scalar(select(func.count()).select_from(Visit)) or 0


def test_a_phone_takes_along_the_households_of_its_walkers_own_grid_and_no_others(city: City) -> None:
    own, other = city.household("A1"), city.household("B2")
    leader = leader_of(city)
    parcel = phones.take(city.session, leader, uuid4())
    assert [row.id for row in parcel.households] == [own.id]
    assert other.id not in {row.household_id for row in parcel.members}
    assert [grid.name for grid in parcel.grids] == ["A1"]
    with pytest.raises((Forbidden, NotFound)):
        phones.take(city.session, leader, uuid4(), grid=city.grids["B2"].code)


def test_who_has_a_whole_community_names_the_grid(city: City) -> None:
    city.household("A1")
    staff = city.actor("community_staff", city.community)
    db.enter(city.session, staff)
    with pytest.raises(phones.TooMany, match="Choose the grid"):
        phones.take(city.session, staff, uuid4())
    assert len(phones.take(city.session, staff, uuid4(), grid=city.grids["A1"].code).households) == 1


def test_a_record_that_is_sent_again_gets_the_same_answer_and_is_one_visit(city: City) -> None:
    household = city.household("A1")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    record = record_of(household, said="想学用手机")
    assert sent(city, leader, phone, record, record) == ["done", "done"]
    assert sent(city, leader, phone, record) == ["done"]
    assert count(city) == 1


def test_what_is_refused_says_why_is_kept_and_does_not_hold_up_what_follows(city: City) -> None:
    first, second = city.household("A1"), city.household("A1", room="102")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    bad = record_of(first, outcome=Outcome.NOBODY, said="没人却说了话")
    assert sent(city, leader, phone, bad, record_of(second)) == ["refused", "done"]
    (kept,) = phones.refused(city.session, phone)
    assert kept.uuid == bad.uuid
    assert "Only who was met" in kept.reason
    stored = city.session.get(PhoneRecord, bad.uuid)
    assert stored is not None
    assert json.loads(str(stored.said))["said"] == "没人却说了话"
    phones.drop(city.session, leader, phone, bad.uuid)
    assert phones.refused(city.session, phone) == []
    assert stored.said is None
    assert sent(city, leader, phone, bad) == ["dropped"]


def test_a_record_counts_after_the_boundary_moved_and_the_phone_then_forgets_the_household(city: City) -> None:
    household = city.household("B1")
    leader = leader_of(city, "B1")
    phone_uuid = uuid4()
    phone = phones.take(city.session, leader, phone_uuid).phone
    as_system(city)
    # B1 gives its ground to A1, but for a strip.
    shapes = {grid.id: rectangle(100 * (n % 3), 100 * (n // 3), 100, 100) for n, grid in enumerate(city.grids.values())}
    shapes[city.grids["A1"].id] = rectangle(0, 0, 190, 100)
    shapes[city.grids["B1"].id] = rectangle(190, 0, 10, 100)
    grids.divide(city.session, access.SYSTEM, city.community, shapes, valid_from=date(2026, 3, 1))
    assert households.grid_of(city.session, household) == city.grids["A1"].id
    db.enter(city.session, leader)
    with pytest.raises(NotFound):
        households.get(city.session, leader, household.id)
    request = {"category_code": "facility.corridor_light", "description": "三楼灯不亮"}
    answers = phones.accept(city.session, leader, phone, [record_of(household, said="灯不亮", request=request)])
    assert [answer.reason for answer in answers] == [None]
    # The walls are as they were before: what the walker may not see is not seen because of it.
    with pytest.raises(NotFound):
        households.get(city.session, leader, household.id)
    assert city.session.scalar(select(func.count()).select_from(Visit)) == 0
    assert phones.take(city.session, leader, phone_uuid).households == []
    as_system(city)
    visit = city.session.scalars(select(Visit)).one()
    assert (visit.grid_id, visit.account_id) == (city.grids["A1"].id, leader.account_id)


def test_a_record_counts_after_the_walker_lost_the_role(city: City) -> None:
    household = city.household("A1")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    nobody = replace(leader, permissions={})
    db.enter(city.session, nobody)
    assert sent(city, nobody, phone, record_of(household)) == ["done"]
    with pytest.raises(Forbidden):
        phones.take(city.session, nobody, phone.uuid)


def test_what_was_recorded_after_the_phone_had_to_forget_counts_only_for_who_may_record_it_now(city: City) -> None:
    household = city.household("A1")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    as_system(city)
    long_ago = datetime.now(UTC) - timedelta(days=20)
    city.session.execute(db.text("UPDATE phone_household SET taken_at = :at"), {"at": long_ago})
    nobody = replace(leader, permissions={})
    db.enter(city.session, nobody)
    in_time, late = (record_of(household, at=long_ago + timedelta(days=days)) for days in (6, 8))
    assert sent(city, nobody, phone, in_time, late) == ["done", "refused"]
    db.enter(city.session, leader)
    assert sent(city, leader, phone, record_of(household, at=long_ago + timedelta(days=8))) == ["done"]


def test_a_household_that_was_never_on_the_phone_is_refused_like_one_that_is_not_there(city: City) -> None:
    own, other = city.household("A1"), city.household("B2")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    answers = phones.accept(city.session, leader, phone, [record_of(other), record_of(own)])
    assert [answer.state for answer in answers] == [RecordState.REFUSED, RecordState.DONE]
    missing = replace(record_of(own), household_id=10**8)
    (gone,) = phones.accept(city.session, leader, phone, [missing])
    assert gone.reason == answers[0].reason


def fact(of: Any, field: str, value: str, was: str | None) -> Fact:
    name = "household" if isinstance(of, households.Household) else "resident"
    return Fact(of=name, of_id=of.id, field=field, value=value, seen=phones.seen(name, of.id, field, was))


def test_a_fact_that_nobody_else_touched_is_set_right_and_one_that_was_keeps_both_values(city: City) -> None:
    household = city.household("A1", phone="13900000001")
    resident = city.resident(household, workplace="纺织厂")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    as_system(city)
    # The office meanwhile: another fact of the household, and the same one of the resident.
    households.change(city.session, access.SYSTEM, household, hukou="urban")
    households.change_resident(city.session, access.SYSTEM, resident, workplace="水泵厂")
    db.enter(city.session, leader)
    record = record_of(
        household,
        facts=[
            fact(household, "phone", "13900000002", "13900000001"),
            fact(resident, "workplace", "图书馆", "纺织厂"),
        ],
    )
    assert sent(city, leader, phone, record) == ["differs"]
    assert (household.phone, household.hukou, resident.workplace) == ("13900000002", "urban", "水泵厂")
    assert count(city) == 1
    db.enter(city.session, leader)
    ((difference, name),) = phones.differences(city.session, leader)
    assert (difference.value, phones.stands(city.session, leader, difference)) == ("图书馆", "水泵厂")
    assert name == "grid_leader"
    phones.decide(city.session, leader, difference.id, Choice.PHONES)
    assert resident.workplace == "图书馆"
    assert (difference.choice, difference.decided_by) == ("phones", leader.account_id)
    assert phones.differences(city.session, leader) == []
    with pytest.raises(Conflict):
        phones.decide(city.session, leader, difference.id, Choice.THEIRS)


def test_two_phones_at_one_door_both_count_and_differ_in_the_fact_alone(city: City) -> None:
    household = city.household("A1", phone="13900000001")
    leader = leader_of(city)
    first, second = (phones.take(city.session, leader, uuid4()).phone for _phone in range(2))
    one = record_of(household, facts=[fact(household, "phone", "13900000002", "13900000001")])
    other = record_of(household, facts=[fact(household, "phone", "13900000003", "13900000001")])
    assert sent(city, leader, first, one) == ["done"]
    assert sent(city, leader, second, other) == ["differs"]
    assert household.phone == "13900000002"
    assert count(city) == 2


def test_a_lost_phone_gets_nothing_more_and_says_when_it_has_forgotten(city: City) -> None:
    household = city.household("A1")
    staff = city.actor("community_staff", city.community)
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    db.enter(city.session, staff)
    (row,) = city.session.execute(phones.selection(staff)).all()
    assert (row.account_name, row.households, row.lost_at) == ("grid_leader", 1, None)
    phones.lose(city.session, staff, phones.get(city.session, staff, phone.uuid))
    db.enter(city.session, leader)
    for refused in (
        lambda: phones.take(city.session, leader, phone.uuid),
        lambda: phones.accept(city.session, leader, phone, [record_of(household)]),
    ):
        with pytest.raises(PhoneLost):
            refused()
    phones.forget(city.session, leader, phone)
    assert phone.wiped_at is not None


def test_nobody_gets_at_the_phone_of_another(city: City) -> None:
    city.household("A1")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    as_system(city)
    stranger = leader_of(city, "B2")
    assert city.session.execute(phones.selection(stranger)).all() == []
    for wrong in (
        lambda: phones.get(city.session, stranger, phone.uuid),
        lambda: phones.accept(city.session, stranger, phone, []),
        lambda: phones.forget(city.session, stranger, phone),
    ):
        with pytest.raises(PhoneNotFound):
            wrong()


def written(phone: phones.Phone, records: list[dict[str, Any]]) -> bytes:
    """The file that a phone saves."""
    iv = os.urandom(12)
    data = AESGCM(bytes.fromhex(phone.key)).encrypt(iv, json.dumps(records).encode(), None)
    told = {"phone": str(phone.uuid), "iv": base64.b64encode(iv).decode(), "data": base64.b64encode(data).decode()}
    return json.dumps(told).encode()


def test_what_could_not_be_sent_is_handed_in_as_a_file_and_counts_for_its_walker(city: City) -> None:
    household = city.household("A1")
    staff = city.actor("community_staff", city.community)
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    told = {"uuid": str(uuid4()), "household_id": household.id, "outcome": "met", "at": WENT.isoformat()}
    told["said"] = "路灯"
    content = written(phone, [told])
    assert "路灯".encode() not in content
    db.enter(city.session, staff)
    for _again in range(2):
        opened, (letter,) = phones.opened(city.session, staff, content)
        assert letter == told
        record = record_of(household, uuid=UUID(letter["uuid"]), said=letter["said"])
        assert [one.state.value for one in phones.hand_in(city.session, staff, opened, [record])] == ["done"]
    # The office is itself again.
    assert city.session.scalar(db.text("SELECT current_setting('wangge.account')")) == str(staff.account_id)
    as_system(city)
    visit = city.session.execute(visits.recording.selection(access.SYSTEM)).one()
    assert (visit.account_id, visit.said) == (leader.account_id, "路灯")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"phone": "x", "iv": "", "data": ""}', b"\xff"])
def test_a_file_that_no_phone_wrote_is_refused_with_a_sentence(city: City, content: bytes) -> None:
    with pytest.raises(Invalid, match="no file that a phone wrote"):
        phones.opened(city.session, leader_of(city), content)


def test_a_file_that_was_changed_is_refused(city: City) -> None:
    city.household("A1")
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    told = json.loads(written(phone, []))
    told["data"] = base64.b64encode(b"0" * 40).decode()
    with pytest.raises(Invalid, match="cannot be read"):
        phones.opened(city.session, leader, json.dumps(told).encode())


@pytest.mark.parametrize("seed", range(3))
def test_cut_off_anywhere_sent_twice_in_any_order_nothing_is_lost_or_doubled(city: City, seed: int) -> None:
    """Batches of a phone arrive in parts, again and shuffled, and it takes its households along anew between them."""
    random = Random(seed)
    homes = [city.household("A1", room=str(room)) for room in range(101, 111)]
    leader = leader_of(city)
    phone = phones.take(city.session, leader, uuid4()).phone
    made = [record_of(random.choice(homes), at=WENT + timedelta(minutes=n)) for n in range(30)]
    waiting = list(made)
    while waiting:
        batch = random.sample(waiting, min(len(waiting), random.randint(1, 8)))
        answers = phones.accept(city.session, leader, phone, batch)
        assert {answer.state for answer in answers} == {RecordState.DONE}
        if random.random() < 0.6:  # else the answer was lost on the way
            waiting = [record for record in waiting if record not in batch]
        if random.random() < 0.2:
            phones.take(city.session, leader, phone.uuid)
    as_system(city)
    recorded = city.session.scalars(select(Visit.uuid)).all()
    assert sorted(recorded, key=UUID.__str__) == sorted((one.uuid for one in made), key=UUID.__str__)
    went = {record.household_id for record in made}
    assert {home.id for home in homes if visits.due.of_household(city.session, home).visited_at} == went
