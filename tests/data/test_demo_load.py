"""The demo community goes into the database in one transaction, and the summary tells the report's figures."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data import (
    accounts,
    campaigns,
    diary,
    disputes,
    grids,
    households,
    incidents,
    movements,
    summary,
    teams,
    units,
    visits,
)
from data.base import access, audit, secrets
from data.base.errors import Conflict, Invalid
from data.buildings import Building, Dwelling
from data.demo import load, plan
from data.demo import movements as movements_demo
from tests.data.conftest import PASSWORD


def community(session: Session) -> units.Unit:
    return units.by_code(session, access.SYSTEM, plan.COMMUNITY)


def actor(session: Session, role: str) -> access.Actor:
    username = next(account["username"] for account in session.info["given"] if account["role_code"] == role)
    account = session.scalar(select(accounts.Account).where(accounts.Account.username == username))
    assert account is not None
    return accounts.actor(session, account)


def test_the_summary_tells_the_figures_of_the_report(loaded: Session) -> None:
    found = summary.summarise(loaded, access.SYSTEM, community(loaded).id)
    assert list(found) == [
        "community",
        "area_m2",
        "buildings",
        "grids",
        "households",
        "residents",
        "incidents",
        "by_grid",
    ]
    assert found["community"] == "梧桐里社区"
    assert found["area_m2"] == pytest.approx(156_000, rel=0.005)
    assert (found["buildings"], found["grids"]) == (41, 8)
    assert (found["households"], found["residents"]) == (1556, 5674)
    for name in ("buildings", "households", "residents"):
        assert sum(grid[name] for grid in found["by_grid"]) == found[name]
    for grid in found["by_grid"]:
        assert list(grid) == [
            "code",
            "name",
            "buildings",
            "households",
            "residents",
            "special_households",
            "tenancies",
        ]
        assert 150 <= grid["households"] <= 200
        assert 0 < grid["special_households"] < grid["households"]
        assert 0 < grid["tenancies"] < grid["households"]
    assert [grid["code"] for grid in found["by_grid"]] == [f"{plan.COMMUNITY}{n:03d}" for n in range(1, 9)]


def test_the_summary_agrees_with_the_plan(loaded: Session) -> None:
    demo = plan.community()
    found = summary.summarise(loaded, access.SYSTEM, community(loaded).id)
    grid = demo.buildings.set_index("code")["grid_code"]
    special = demo.households["number"].isin(demo.household_groups["household_number"])
    expected = demo.households.loc[special, "building_code"].map(grid).value_counts()
    assert {row["code"]: row["special_households"] for row in found["by_grid"]} == expected.to_dict()
    assert found["incidents"] == len(demo.incidents)
    assert sum(row["tenancies"] for row in found["by_grid"]) == (demo.dwellings["use"] == "rented").sum()


def test_somebody_with_one_grid_is_told_that_grid_only(loaded: Session) -> None:
    leader = actor(loaded, "grid_leader")
    whole = summary.summarise(loaded, access.SYSTEM, community(loaded).id)
    found = summary.summarise(loaded, leader, community(loaded).id)
    fourth = whole["by_grid"][3]
    assert found["by_grid"] == [fourth]
    assert (found["households"], found["residents"]) == (fourth["households"], fourth["residents"])
    assert found["grids"] == 1


def test_somebody_who_may_not_see_people_is_told_of_none(loaded: Session) -> None:
    found = summary.summarise(loaded, actor(loaded, "building_warden"), community(loaded).id)
    assert (found["buildings"], found["households"], found["residents"]) == (5, 0, 0)


def test_a_community_outside_ones_area_is_not_found(loaded: Session) -> None:
    with pytest.raises(units.UnitNotFound):
        summary.summarise(loaded, access.VISITOR, community(loaded).id)


def test_the_database_locates_every_building_and_incident_as_planned(loaded: Session) -> None:
    place = community(loaded).id
    before = [
        loaded.execute(select(table.id, table.grid_id, table.unlocated_reason).order_by(table.id)).all()
        for table in (Building, incidents.Incident)
    ]
    loaded.execute(text("UPDATE building SET grid_id = NULL, unlocated_reason = 'no_place'"))
    loaded.execute(
        text("UPDATE incident SET grid_id = NULL, unlocated_reason = 'outside' WHERE unlocated_reason IS NULL")
    )
    grids.relocate(loaded, place, since=datetime.now(UTC).date())
    after = [
        loaded.execute(select(table.id, table.grid_id, table.unlocated_reason).order_by(table.id)).all()
        for table in (Building, incidents.Incident)
    ]
    assert after == before


def test_every_head_is_a_member_of_the_household(loaded: Session) -> None:
    astray = (
        select(func.count())
        .select_from(households.Household)
        .outerjoin(households.Resident, households.Resident.id == households.Household.head_id)
        .where(households.Resident.household_id.is_distinct_from(households.Household.id))
    )
    assert loaded.scalar(astray) == 0


def test_identity_numbers_and_phones_are_encrypted_and_found_by_their_blind_index(loaded: Session) -> None:
    resident = loaded.scalar(
        select(households.Resident).where(
            households.Resident.identity_number.is_not(None), households.Resident.phone.is_not(None)
        )
    )
    assert resident is not None
    assert resident.identity_number is not None
    raw = loaded.scalar(text("SELECT identity_number FROM resident WHERE id = :id"), {"id": resident.id})
    assert resident.identity_number.encode() not in bytes(raw)
    found = select(households.Resident.id).where(
        households.Resident.identity_blind == secrets.blind(resident.identity_number)
    )
    assert loaded.scalars(found).all() == [resident.id]


def test_every_account_signs_in_with_its_one_role(loaded: Session) -> None:
    given = loaded.info["given"]
    assert len(given) == 10
    for account in given:
        found = accounts.sign_in(loaded, username=account["username"], password=PASSWORD, address="127.0.0.1").account
        assert [grant["role_code"] for grant in accounts.grants(loaded, found.id)] == [account["role_code"]]
        # Where the demo is all there is, its administrator and auditor have everything, as the first administrator has.
        place = None if account["role_code"] in ("administrator", "auditor") else account["unit_code"]
        assert [grant["unit_code"] for grant in accounts.grants(loaded, found.id)] == [place]


def test_who_can_sign_in_and_holds_a_post_is_linked_to_it(loaded: Session) -> None:
    rows = loaded.execute(
        select(teams.TeamMember.name, accounts.Account.name, units.Unit.code)
        .join(accounts.Account, accounts.Account.id == teams.TeamMember.account_id)
        .join(units.Unit, units.Unit.id == teams.TeamMember.grid_id)
    ).all()
    assert all(member == account for member, account, _code in rows)
    codes = Counter(code for *_names, code in rows)
    # The four of the grid of the pictures, and the leaders of all others.
    assert codes.pop(f"{plan.COMMUNITY}004") == 4
    assert sorted(codes.values()) == [1] * 7


def test_a_grid_shows_its_team_of_four(loaded: Session) -> None:
    for grid in units.listed(loaded, access.SYSTEM, level=units.Level.GRID):
        posts = [member.post for member in teams.of_grid(loaded, access.SYSTEM, grid.id)]
        assert posts == ["leader", "information_officer", "supervisor", "building_warden"]


def test_some_incidents_are_overdue_and_some_wait_to_be_placed(loaded: Session) -> None:
    assert loaded.scalar(select(func.count()).where(incidents.Incident.overdue)) > 0
    unplaced = select(incidents.Incident).where(incidents.Incident.grid_id.is_(None))
    assert len(loaded.scalars(unplaced).all()) == 4
    latest = loaded.scalar(select(func.max(incidents.Incident.reported_at)))
    assert latest is not None
    assert latest < datetime.now(UTC)


def test_the_audit_has_one_row_for_the_load_and_none_for_each_record(loaded: Session) -> None:
    rows = loaded.scalars(select(audit.Audit).where(audit.Audit.action == "load")).all()
    assert len(rows) == 1
    assert rows[0].changes["households"] == [None, 1556]
    assert loaded.scalar(select(func.count()).where(audit.Audit.record_kind == "resident")) == 0


def test_loading_it_again_is_refused(loaded: Session) -> None:
    with pytest.raises(Conflict):
        load.load(loaded, password=PASSWORD)


def test_a_password_that_is_too_short_is_refused_before_anything_is_written(session: Session) -> None:
    with pytest.raises(Invalid):
        load.load(session, password="short")
    assert session.scalar(select(func.count()).select_from(Dwelling)) == 0


def test_the_spring_campaign_met_nine_households_in_ten_and_something_is_always_due(loaded: Session) -> None:
    (campaign,) = campaigns.listed(loaded, access.SYSTEM)
    whole = campaigns.total(campaigns.progress(loaded, access.SYSTEM, campaign))
    assert (campaign.begins_on.month, campaign.begins_on.day, campaign.ends_on.day) == (3, 17, 18)
    assert (whole.met, whole.cards, round(whole.share, 2)) == (1400, 1400, 0.9)
    due = visits.counts(loaded, access.SYSTEM)
    assert due.overdue + due.soon + due.later == plan.HOUSEHOLDS
    assert min(due.overdue, due.soon, due.later) > 20
    assert due.overdue < plan.HOUSEHOLDS / 3


def test_the_spring_campaign_brought_35_entries_and_all_were_solved_at_once(loaded: Session) -> None:
    (campaign,) = campaigns.listed(loaded, access.SYSTEM)
    days = {"first": campaign.begins_on, "last": campaign.ends_on}
    entries = [row for row in loaded.execute(diary.selection(access.SYSTEM, diary.Filter(**days))) if row.visit_id]
    assert (len(entries), {row.standing for row in entries}) == (35, {"struck"})
    assert all(row.solved_at == row.at and row.answer for row in entries)
    assert {"utilities", "environment", "hukou", "insurance"} <= {row.subject for row in entries}
    months = {mention.month for mention in diary.by_month(loaded, access.SYSTEM, diary.Filter())}
    assert len(months) >= 12
    assert min(diary.state_counts(loaded, access.SYSTEM).values()) > 20
    taken = [week.confirmed_by is not None for week in diary.weeks(loaded, access.SYSTEM)]
    assert True in taken
    assert False in taken, "something waits for its officers"
    cats = loaded.execute(diary.selection(access.SYSTEM, diary.Filter(text="野猫"))).all()
    assert cats
    assert all("野猫" in row.said for row in cats)


def test_disputes_of_a_year_stand_on_every_level_and_some_come_again(loaded: Session) -> None:
    rows = loaded.execute(disputes.selection(access.SYSTEM)).all()
    assert len(rows) > 50
    assert {row.level for row in rows} == set(disputes.Level)
    assert {"closed", "settled", "referred"} <= {row.step for row in rows}
    assert all(row.parties == 2 for row in rows)
    assert {one.household_id is None for one in disputes.again(loaded, access.SYSTEM)} >= {False}
    assert all((row.agreement is not None) >= (row.step in ("settled", "closed")) for row in rows)


def test_cleaning_and_repairs_have_cases_to_work_on(loaded: Session) -> None:
    wanted = select(teams.ServiceTeam.name, func.count()).join(
        incidents.Incident, incidents.Incident.service_team_id == teams.ServiceTeam.id
    )
    working = {row[0]: row[1] for row in loaded.execute(wanted.group_by(teams.ServiceTeam.name))}
    assert working.keys() >= {"保洁服务队", "修理服务队"}
    alone = select(func.count()).where(
        incidents.Incident.service_team_id.is_not(None), incidents.Incident.assignee_id.is_(None)
    )
    assert loaded.scalar(alone) == 0, "whoever has the case sees to it that the team does the work"


def test_a_year_of_births_deaths_and_moves_changes_nobody_of_today(loaded: Session) -> None:
    counted = movements.counts(loaded, access.SYSTEM)
    assert {one.code for one in counted} == {f"{plan.COMMUNITY}{n:03d}" for n in range(1, 9)}
    year = movements.total(counted)
    assert (year.died, year.moved_out > 20, year.born > 10, year.moved_in > 20) == (26, True, True, True)
    began = plan.community().today - timedelta(days=movements_demo.DAYS + 1)
    assert movements.population(loaded, access.SYSTEM, community(loaded), began) == 5674 - year.change
    query = households.residents.selection(access.SYSTEM)
    assert len(loaded.execute(query).all()) == 5674
