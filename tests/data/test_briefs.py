"""Work reports are told from the records, kept as they were sent, and compared with what is known now."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from data import accounts, briefs, units
from data.base import access, settings
from data.base.errors import Conflict, Forbidden, Invalid, NotFound
from data.briefs import Brief, Kind, State
from data.demo import plan


def actor(session: Session, role: str) -> access.Actor:
    username = next(one["username"] for one in session.info["given"] if one["role_code"] == role)
    account = session.scalar(select(accounts.Account).where(accounts.Account.username == username))
    assert account is not None
    return accounts.actor(session, account)


def own_grid(session: Session, who: access.Actor) -> units.Unit:
    (grid_id,) = who.area("brief.tell").grids
    return units.get(session, who, grid_id)


def test_the_demo_has_told_its_weeks_months_and_quarters_and_the_numbers_are_those_of_the_records(
    loaded: Session,
) -> None:
    rows = loaded.scalars(select(Brief)).all()
    kinds = [brief.kind for brief in rows]
    assert (kinds.count("week"), kinds.count("month"), kinds.count("quarter")) == (63, 12, 4)
    for brief in (brief for brief in rows if brief.kind == Kind.MONTH):
        for number in briefs.compared(loaded, access.SYSTEM, brief):
            if number.code in ("visits", "calls", "cards", "cases", "disputes", "activities", "entries_asked"):
                assert number.told == number.now, (brief.title, number)
    bulletin = next(brief for brief in rows if brief.kind == Kind.QUARTER)
    assert (
        sum(part["numbers"]["visits"] for part in bulletin.parts if part["level"] == "grid")
        == bulletin.numbers["visits"]
    )
    assert [part["level"] for part in bulletin.parts] == ["community", *["grid"] * 8]


def test_a_report_goes_from_the_grid_to_the_community_and_keeps_what_it_told(loaded: Session) -> None:
    leader, staff, street = (actor(loaded, role) for role in ("grid_leader", "community_staff", "supervisor"))
    grid, today = own_grid(loaded, leader), settings.today()
    brief = briefs.draft(loaded, leader, grid, Kind.WEEK, today)
    assert "上门走访" in brief.words or "Visits" in brief.words
    with pytest.raises(Conflict):
        briefs.receive(loaded, staff, brief)
    briefs.change(loaded, leader, brief, title="本周", words=brief.words + " 7 号楼路灯请物业修。")
    briefs.send(loaded, leader, brief)
    assert brief.state == State.SENT
    told = brief.numbers["visits"]
    loaded.execute(
        text(
            "INSERT INTO visit (uuid, community_id, household_id, grid_id, manner, outcome, at) "
            "SELECT gen_random_uuid(), h.community_id, h.id, b.grid_id, 'visit', 'met', now() FROM household h "
            "JOIN dwelling d ON d.id = h.dwelling_id JOIN building b ON b.id = d.building_id WHERE b.grid_id = :grid "
            "LIMIT 1"
        ),
        {"grid": grid.id},
    )
    visits = next(one for one in briefs.compared(loaded, leader, brief) if one.code == "visits")
    assert told is not None
    assert (visits.told, visits.now) == (told, told + 1)
    with pytest.raises(Conflict, match="stays as it was told"):
        briefs.change(loaded, leader, brief, title="anders", words="x")
    with pytest.raises(Conflict, match="stays as it was told"):
        briefs.remove(loaded, leader, brief)
    with pytest.raises(Forbidden):
        briefs.receive(loaded, leader, brief)
    briefs.receive(loaded, staff, brief, "已阅")
    assert (brief.state, brief.answer, briefs.signed(loaded, brief)[1]) == (State.RECEIVED, "已阅", staff.name)
    assert briefs.get(loaded, street, brief.id).id == brief.id


def test_each_tells_of_its_own_and_nobody_of_what_lies_ahead(loaded: Session) -> None:
    leader, staff = actor(loaded, "grid_leader"), actor(loaded, "community_staff")
    community = units.by_code(loaded, access.SYSTEM, plan.COMMUNITY)
    grid = own_grid(loaded, leader)
    others = [one for one in units.listed(loaded, access.SYSTEM, level=units.Level.GRID) if one.id != grid.id]
    with pytest.raises((NotFound, Forbidden)):
        briefs.draft(loaded, leader, others[0], Kind.WEEK, date(2026, 1, 5))
    with pytest.raises(Forbidden):
        briefs.draft(loaded, leader, community, Kind.MONTH, settings.today())
    with pytest.raises(Invalid, match="no report of this kind"):
        briefs.draft(loaded, staff, community, Kind.WEEK, settings.today())
    with pytest.raises(Invalid, match="lie ahead"):
        briefs.draft(loaded, staff, community, Kind.MONTH, settings.today() + timedelta(days=40))
    hers = loaded.scalar(select(Brief).where(Brief.unit_id == others[0].id).limit(1))
    assert hers is not None
    with pytest.raises(briefs.BriefNotFound):
        briefs.get(loaded, leader, hers.id)
    bulletin = loaded.scalar(select(Brief).where(Brief.kind == Kind.QUARTER).limit(1))
    assert bulletin is not None
    assert briefs.get(loaded, leader, bulletin.id).title == bulletin.title


def test_what_is_late_is_told_and_a_new_unit_owes_nothing_of_the_past(loaded: Session) -> None:
    grids = units.listed(loaded, access.SYSTEM, level=units.Level.GRID)
    today = settings.today()
    missing = [one for one in briefs.expected(loaded, access.SYSTEM, grids) if not one.sent]
    assert [one.unit.code for one in missing] == [grids[-1].code]
    (report,) = missing
    assert report.late(report.due_on + timedelta(days=1))
    assert not report.late(report.due_on)
    new = units.add(
        loaded,
        access.SYSTEM,
        level=units.Level.GRID,
        code="NEW",
        name="新网格",
        parent=units.by_code(loaded, access.SYSTEM, plan.COMMUNITY),
    )
    loaded.refresh(new)
    assert briefs.expected(loaded, access.SYSTEM, [new], today) == []


def test_a_paragraph_goes_into_the_draft_of_the_month(loaded: Session) -> None:
    staff = actor(loaded, "community_staff")
    community = units.by_code(loaded, access.SYSTEM, plan.COMMUNITY)
    first = briefs.append(loaded, staff, community, "热点：3 号楼一带路灯。")
    again = briefs.append(loaded, staff, community, "热点：7 号楼。")
    assert first.id == again.id
    assert again.words.endswith("热点：3 号楼一带路灯。\n\n热点：7 号楼。")


def test_a_special_report_has_words_and_no_numbers(loaded: Session) -> None:
    leader = actor(loaded, "grid_leader")
    brief = briefs.draft(loaded, leader, own_grid(loaded, leader), Kind.SPECIAL, settings.today())
    assert (brief.words, brief.numbers) == ("", {})
    with pytest.raises(Invalid, match="says nothing"):
        briefs.send(loaded, leader, brief)
