"""Duplicates: who may be one, who is merged with all that hangs on them, and how that is taken back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data import disputes, duplicates, households, phones, visits
from data.base import access, db, identity
from data.base.audit import Audit
from data.base.errors import Invalid
from data.duplicates import Duplicate, Kind, Merger, likeness
from data.households import Household, HouseholdGroup, Resident
from data.visits import Outcome
from tests.city import City

SYSTEM = access.SYSTEM
BORN = date(1951, 3, 4)


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def found(city: City, kind: Kind = Kind.RESIDENT) -> dict[tuple[int, int], Duplicate]:
    """The pairs of a kind after another look."""
    duplicates.look(city.session, city.community.id)
    pairs = city.session.scalars(select(Duplicate).where(Duplicate.apart_at.is_(None)))
    return {pair.ids: pair for pair in pairs if pair.kind is kind}


def number(place: int) -> str:
    return identity.make("310101", BORN, place, identity.Sex.MALE)


def test_people_are_alike_by_two_facts_and_by_no_accident(city: City) -> None:
    home, other = city.household("A1"), city.household("B2", room="201")
    one = city.resident(home, name="张國棟", born_on=BORN, sex="1")
    same = city.resident(other, name="张国栋", born_on=BORN, sex="1")
    sister = city.resident(home, name="张国梁", born_on=BORN, sex="1", phone="13800000001")
    sibling = city.resident(home, name="张国才", born_on=BORN, sex="1", phone="13800000001")
    namesake = city.resident(other, name="张国栋", born_on=date(1990, 1, 1), sex="2")
    pairs = found(city)
    assert set(pairs) & {(one.id, same.id)}
    assert not {pair for pair in pairs if namesake.id in pair}
    assert "name_otherwise" in pairs[one.id, same.id].reasons
    assert likeness.degree(pairs[one.id, same.id].score) == "perhaps"
    assert (sister.id, sibling.id) in pairs, "twins are asked about once"
    duplicates.part(city.session, SYSTEM, pairs[sister.id, sibling.id], apart=True)
    sister.note = "双胞胎"
    city.session.flush()
    assert (sister.id, sibling.id) not in found(city), "it is never asked again"
    same.born_on = date(1952, 3, 4)
    city.session.flush()
    assert (one.id, same.id) not in found(city), "what was corrected is looked at anew"


def test_looking_costs_what_was_changed(city: City) -> None:
    home = city.household("A1")
    for place in range(5):
        city.resident(home, name=f"王{'一二三四五'[place]}")
    assert duplicates.look(city.session, city.community.id, 4) == 5, "four people and a household of a batch"
    while duplicates.look(city.session, city.community.id, 4):
        pass
    city.resident(home, name="新来")
    assert duplicates.look(city.session, city.community.id) == 1
    assert duplicates.look(city.session, city.community.id) == 0
    home.phone = "13800000009"
    city.session.flush()
    assert duplicates.look(city.session, city.community.id) == 8, "seven members and their home"


def test_households_are_alike_by_their_number_or_their_head(city: City) -> None:
    first = city.household("A1", number="WT-04-0031")
    again = city.household("A1", room="102", number="wt4-31")
    pairs = found(city, Kind.HOUSEHOLD)
    assert pairs[first.id, again.id].reasons[0] == "number"


def test_every_table_that_refers_to_people_is_handled() -> None:
    for kind in Kind:
        columns = duplicates.hanging(kind)
        assert len(columns) >= 4
    # Ids of people that no foreign key tells of: whoever adds one moves it in data/duplicates/merging.py.
    by_number = {
        f"{table.name}.{column.name}"
        for table in db.Table.metadata.sorted_tables
        for column in table.columns
        if not column.foreign_keys and column.name in ("of_id", "record_id", "resident", "resident_id", "household_id")
    }
    assert by_number <= {"audit.record_id", "phone_difference.of_id", "plan_comment.resident"}


def row_of(session: Session, table: Table, **values: Any) -> None:
    session.execute(insert(table).values(**values))


def test_two_people_become_one_with_all_that_hangs_on_them(city: City) -> None:
    session = city.session
    home, other = city.household("A1"), city.household("B2", room="201")
    kept = city.resident(home, name="张国栋", born_on=BORN, identity_number=number(11), phone="13800000001")
    session.flush()
    gone = city.resident(other, name="張國棟", born_on=BORN, workplace="纺织厂", health="高血压")
    other.head_id = gone.id
    session.execute(
        update(Resident)
        .where(Resident.id == gone.id)
        .values(identity_number=number(11), identity_blind=kept.identity_blind, twin=True)
    )
    at = datetime(2026, 3, 17, 4, tzinfo=UTC)
    session.flush()
    session.expire_all()
    visit, _answer = (
        visits.record(session, SYSTEM, other, uuid=uuid4(), outcome=Outcome.MET, at=at, resident_id=gone.id),
        0,
    )
    tenancy = households.add_tenancy(
        session,
        SYSTEM,
        session.get_one(households.tables.Dwelling, other.dwelling_id),
        landlord_name="李",
        first=date(2026, 1, 1),
        until=None,
    )
    for tenant in (kept.id, gone.id):
        row_of(session, households.TenancyTenant.__table__, tenancy_id=tenancy.id, resident_id=tenant)  # type: ignore[arg-type]
    gone_id, kept_id = gone.id, kept.id
    pair = found(city)[kept_id, gone_id]
    assert "identity" in pair.reasons
    before = session.execute(
        text("SELECT to_jsonb(resident) FROM resident WHERE id = :id"), {"id": gone_id}
    ).scalar_one()
    with pytest.raises(Invalid):
        duplicates.merge(session, SYSTEM, pair, kept_id=kept_id, taken=["id"])
    merger = duplicates.merge(session, SYSTEM, pair, kept_id=kept_id, taken=["workplace", "health"])
    assert session.get(Resident, gone_id) is None
    kept = session.get_one(Resident, kept_id)
    assert (kept.workplace, kept.health, kept.name, kept.twin) == ("纺织厂", "高血压", "张国栋", False)
    assert session.scalar(select(visits.Visit.resident_id)) == kept_id
    assert session.scalars(select(households.TenancyTenant.resident_id)).all() == [kept_id]
    session.refresh(other)
    assert other.head_id is None, "whoever stays is a member of the other household"
    told = session.scalars(
        select(Audit.action).where(Audit.record_kind == "resident", Audit.record_id == kept_id)
    ).all()
    assert told[-1] == "merge"
    assert duplicates.now(session, Kind.RESIDENT, [gone_id, 1]) == {gone_id: kept_id}
    assert (kept_id, gone_id) not in found(city)

    duplicates.undo(session, SYSTEM, merger.id)
    after = session.execute(
        text("SELECT to_jsonb(resident) FROM resident WHERE id = :id"), {"id": gone_id}
    ).scalar_one()
    assert after == before
    kept = session.get_one(Resident, kept_id)
    assert (kept.workplace, kept.health) == (None, None)
    assert session.scalar(select(visits.Visit.resident_id)) == gone_id
    assert sorted(session.scalars(select(households.TenancyTenant.resident_id))) == sorted([kept_id, gone_id])
    session.refresh(other)
    assert other.head_id == gone_id
    with pytest.raises(duplicates.NoUndo):
        duplicates.undo(session, SYSTEM, merger.id)
    assert duplicates.now(session, Kind.RESIDENT, [gone_id]) == {}
    assert (kept_id, gone_id) in found(city), "it is asked again"
    assert visit


def test_two_households_become_one_with_all_that_hangs_on_them(city: City) -> None:
    session = city.session
    kept, gone = city.household("A1", number="A-1"), city.household("A1", room="102", number="a01", hukou="urban")
    kept_id, gone_id, head_id = kept.id, gone.id, gone.head_id
    for home, first, until in ((kept, 1, 10), (gone, 5, 20), (gone, 25, None)):
        days = Range(date(2026, 1, first), date(2026, 1, until) if until else None)
        session.add(
            HouseholdGroup(community_id=city.community.id, household_id=home.id, group_code="empty_nest", valid=days)
        )
    incident = city.incident(50, 50)
    for home in (kept, gone):
        households.linked.link(session, SYSTEM, home, incident.id)
    at = datetime(2026, 3, 17, 4, tzinfo=UTC)
    visits.record(session, SYSTEM, gone, uuid=uuid4(), outcome=Outcome.MET, at=at)
    party = disputes.Party(name="张", household_id=gone_id)
    disputes.report(
        session,
        SYSTEM,
        uuid=uuid4(),
        kind=disputes.Kind.NOISE,
        parties=[party, disputes.Party(name="王")],
        building_id=city.buildings["A1"].id,
    )
    third = city.household("B2", number="A/01")
    pairs = found(city, Kind.HOUSEHOLD)
    duplicates.part(session, SYSTEM, pairs[gone_id, third.id], apart=True)
    merger = duplicates.merge(
        session, SYSTEM, pairs[kept_id, gone_id], kept_id=kept_id, taken=["hukou", "number", "head_id"]
    )
    kept = session.get_one(Household, kept_id)
    assert (kept.hukou, kept.number, kept.head_id) == ("urban", "a01", head_id)
    spans = session.scalars(select(HouseholdGroup.valid).where(HouseholdGroup.household_id == kept_id)).all()
    assert sorted((span.lower, span.upper) for span in spans) == [
        (date(2026, 1, 1), date(2026, 1, 20)),
        (date(2026, 1, 25), None),
    ]
    assert session.scalar(select(visits.Visit.household_id)) == kept_id
    assert (kept_id, third.id) not in found(city, Kind.HOUSEHOLD), "who is not one with the other is not one with this"
    duplicates.undo(session, SYSTEM, merger.id)
    kept, gone = session.get_one(Household, kept_id), session.get_one(Household, gone_id)
    assert (kept.hukou, kept.number, gone.number, gone.head_id) == (None, "A-1", "a01", head_id)
    held = session.execute(select(HouseholdGroup.household_id, func.count()).group_by(HouseholdGroup.household_id))
    counts = {row[0]: row[1] for row in held}
    assert counts == {kept_id: 1, gone_id: 2}
    assert len(households.linked.cases(session, gone_id)) == 1
    assert session.scalar(select(visits.Visit.household_id)) == gone_id


def test_what_was_merged_long_ago_is_forgotten(city: City) -> None:
    session = city.session
    home = city.household("A1")
    one, same = (city.resident(home, name="张国栋", born_on=BORN) for _ in range(2))
    merger = duplicates.merge(session, SYSTEM, found(city)[one.id, same.id], kept_id=one.id, taken=[])
    later = datetime.now(UTC) - timedelta(days=duplicates.UNDO_DAYS + 1)
    session.execute(update(Merger).values(at=later))
    assert duplicates.forget(session) == 1
    session.expire_all()
    with pytest.raises(duplicates.NoUndo):
        duplicates.undo(session, SYSTEM, merger.id)
    assert phones is not None
