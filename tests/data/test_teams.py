"""Teams: posts have days, guides grids, wardens buildings, and whoever is away is stood in for."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from data import teams
from data.base import settings
from data.base.access import SYSTEM
from data.base.errors import Invalid
from data.teams import Post
from tests.city import City


@pytest.fixture
def city(session: object) -> City:
    return City.make(session)  # type: ignore[arg-type]


def test_a_new_leader_follows_the_one_before_whose_days_are_kept(city: City) -> None:
    grid = city.grids["A1"]
    teams.appoint(city.session, SYSTEM, grid, post=Post.LEADER, name="陈敏", first=date(2026, 1, 1))
    teams.appoint(city.session, SYSTEM, grid, post=Post.LEADER, name="何芳", first=date(2026, 3, 1))
    then = teams.of_grid(city.session, SYSTEM, grid.id, date(2026, 2, 28))
    assert [member.name for member in then] == ["陈敏"]
    assert [member.name for member in teams.of_grid(city.session, SYSTEM, grid.id)] == ["何芳"]
    assert [member.name for member in teams.former(city.session, SYSTEM, grid.id)] == ["陈敏"]


def test_the_database_refuses_two_leaders_of_a_grid_at_one_time(city: City) -> None:
    grid = city.grids["A1"]
    teams.appoint(
        city.session, SYSTEM, grid, post=Post.LEADER, name="陈敏", first=date(2026, 1, 1), last=date(2026, 6, 30)
    )
    double = text(
        "INSERT INTO team_member (community_id, grid_id, post, name, valid) "
        "VALUES (:community, :grid, :post, '何芳', daterange('2026-06-30', NULL))"
    )
    values = {"community": city.community.id, "grid": grid.id}
    with pytest.raises(IntegrityError, match="ex_team_member_leader"), city.session.begin_nested():
        city.session.execute(double, {**values, "post": "leader"})
    # Two wardens share a grid, and the next leader may follow on the next day.
    city.session.execute(double, {**values, "post": "building_warden"})
    teams.appoint(city.session, SYSTEM, grid, post=Post.LEADER, name="何芳", first=date(2026, 7, 1))


def test_a_warden_minds_the_chosen_buildings_of_the_own_grid_or_all_of_it(city: City) -> None:
    grid, home = city.grids["A1"], city.buildings["A1"]
    warden = teams.appoint(city.session, SYSTEM, grid, post=Post.BUILDING_WARDEN, name="沈玉兰", elder="teacher")
    here = teams.of_building(city.session, SYSTEM, home)
    assert here is not None
    assert [member.name for member in here.members] == ["沈玉兰"]
    with pytest.raises(Invalid):
        teams.appoint_buildings(city.session, SYSTEM, warden, [city.buildings["B1"].id])
    teams.appoint_buildings(city.session, SYSTEM, warden, [home.id])
    there = teams.of_building(city.session, SYSTEM, home)
    assert there is not None
    assert there.buildings == {warden.id: {home.id}}


def test_a_phone_is_shown_only_where_somebody_agreed(city: City) -> None:
    grid = city.grids["A1"]
    shy = teams.appoint(city.session, SYSTEM, grid, post=Post.SUPERVISOR, name="何志远", work_phone="0571-1")
    assert shy.shown_phone is None
    teams.change(city.session, SYSTEM, shy, consented_on=date(2026, 1, 1))
    assert shy.shown_phone == "0571-1"


def test_guides_are_assigned_to_grids_of_their_community(city: City) -> None:
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    ids = [city.grids["A1"].id, city.grids["B1"].id]
    guide = teams.appoint_guide(city.session, SYSTEM, city.community, name="周敏", level="street", grids=ids)
    assert teams.grids_of(city.session, SYSTEM, [guide.id]) == {guide.id: sorted(ids)}
    with pytest.raises(Invalid):
        teams.change_guide(city.session, SYSTEM, guide, grids=[elsewhere.grids["A1"].id])
    whole = {
        one.grid.code: [who.name for who in one.guides]
        for one in teams.of_community(city.session, SYSTEM, city.community.id)
    }
    assert whole[city.grids["A1"].code] == ["周敏"]
    assert whole[city.grids["C1"].code] == []


def test_a_line_officer_is_there_until_their_last_day(city: City) -> None:
    day = settings.today()
    officer = teams.appoint_officer(city.session, SYSTEM, city.community, field="民政", name="方晓燕")
    assert [one.name for one in teams.officers(city.session, SYSTEM, city.community.id)] == ["方晓燕"]
    teams.change_officer(city.session, SYSTEM, officer, first=day - timedelta(days=9), last=day - timedelta(days=2))
    assert teams.officers(city.session, SYSTEM, city.community.id) == []
