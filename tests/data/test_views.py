"""What pictures show, and the links under which they are seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import incidents
from data.base import access, db
from data.base.errors import Forbidden, Invalid, NotFound
from data.views import View, links, scenes
from data.views.links import LinkNotFound
from tests.city import City
from tests.data.test_coverage import NOON, path, walk


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def wanted(city: City) -> incidents.Filter:
    return incidents.Filter(community=city.community.code)


def test_a_case_at_a_building_where_people_live_counts_as_one_at_a_home(city: City) -> None:
    inside, beside, afar = city.incident(50, 50), city.incident(75, 50), city.incident(5, 5)
    named = city.incident(5, 95, building_id=city.buildings["A1"].id)
    found = {case.id: case.home for case in scenes.cases(city.session, access.SYSTEM, wanted(city))}
    assert found == {inside.id: True, beside.id: True, afar.id: False, named.id: True}


def test_a_case_without_a_place_is_on_no_picture(city: City) -> None:
    incidents.report(city.session, access.SYSTEM, community=city.community, category_code="order.parking")
    assert scenes.cases(city.session, access.SYSTEM, wanted(city)) == []


def test_the_ground_has_what_the_actor_may_see(city: City) -> None:
    whole = scenes.ground(city.session, access.SYSTEM, city.community, "here")
    assert (len(whole.grids), len(whole.communities), len(whole.buildings)) == (9, 1, 9)
    assert whole.area_m2 == pytest.approx(90_000, rel=1e-3)
    leader = city.actor("grid_leader", city.grids["A1"])
    own = scenes.ground(city.session, leader, city.community, "here")
    assert [shape.name for shape in own.grids] == ["A1"]
    assert len(own.buildings) == 1


def test_cells_hold_every_place_once_and_grow_until_most_of_them_may_be_shown(city: City) -> None:
    ground = scenes.ground(city.session, access.SYSTEM, city.community, "here")
    south, west, north, east = ground.bounds
    places = [(west + (east - west) * x / 10, south + (north - south) * y / 10) for x in range(10) for y in range(10)]
    found = scenes.cells(places, ground)
    assert sorted(member for cell in found for member in cell.members) == list(range(100))
    shown = sum(cell.count for cell in found if cell.count >= scenes.FEWEST)
    assert shown >= 70
    narrow = scenes.cells(places, ground, width_m=20)
    assert max(cell.count for cell in narrow) < scenes.FEWEST


def test_a_link_is_opened_by_its_token_until_it_is_revoked(city: City) -> None:
    staff = city.actor("community_staff", city.community)
    link, token = links.make(city.session, staff, view=View.LIGHTS, community=city.community, params={}, days=7)
    assert token.encode() not in link.token_hash
    found, maker = links.opened(city.session, token)
    assert (found.id, maker.account_id) == (link.id, staff.account_id)
    links.revoke(city.session, staff, link.id)
    for wrong in (token, "another"):
        with pytest.raises(LinkNotFound):
            links.opened(city.session, wrong)


def test_a_link_ends_with_its_time(city: City) -> None:
    staff = city.actor("community_staff", city.community)
    link, token = links.make(city.session, staff, view=View.LIGHTS, community=city.community, params={}, days=1)
    link.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    city.session.flush()
    with pytest.raises(LinkNotFound):
        links.opened(city.session, token)
    for days in (0, 367):
        with pytest.raises(Invalid):
            links.make(city.session, staff, view=View.LIGHTS, community=city.community, params={}, days=days)


@pytest.mark.parametrize("loss", ["UPDATE account SET active = false", 'DELETE FROM "grant"'])
def test_a_link_ends_when_its_maker_may_not_export_any_more(city: City, loss: str) -> None:
    staff = city.actor("community_staff", city.community)
    _link, token = links.make(city.session, staff, view=View.LIGHTS, community=city.community, params={}, days=7)
    city.session.execute(text(loss))
    city.session.expire_all()
    with pytest.raises(LinkNotFound):
        links.opened(city.session, token)


def test_links_are_made_by_those_who_may_export_there_and_revoked_by_them(city: City) -> None:
    warden, leader = city.actor("building_warden", city.grids["A1"]), city.actor("grid_leader", city.grids["A1"])
    staff, other = city.actor("community_staff", city.community), City.make(city.session, "310102001001")
    for actor, community in ((warden, city.community), (leader, other.community), (staff, other.community)):
        with pytest.raises((Forbidden, NotFound)):
            links.make(city.session, actor, view=View.LIGHTS, community=community, params={}, days=7)
    link, _token = links.make(city.session, staff, view=View.LIGHTS, community=city.community, params={}, days=7)
    assert [row.id for row in city.session.execute(links.selection(staff))] == [link.id]
    assert city.session.execute(links.selection(leader)).all() == []
    with pytest.raises(NotFound):
        links.revoke(city.session, leader, link.id)


def test_the_leader_of_a_grid_makes_a_link_that_shows_that_grid(city: City) -> None:
    leader = city.actor("grid_leader", city.grids["A1"])
    with db.transaction(leader, city.session.connection()) as session:
        _link, token = links.make(session, leader, view=View.LIGHTS, community=city.community, params={}, days=7)
    city.session.execute(text("RESET ROLE"))
    _found, maker = links.opened(city.session, token)
    assert [shape.name for shape in scenes.ground(city.session, maker, city.community, "here").grids] == ["A1"]


def test_what_leaves_the_house_of_a_patrol_is_coarse_and_what_stays_is_recorded(city: City) -> None:
    leader, staff = city.actor("grid_leader", city.grids["A1"]), city.actor("community_staff", city.community)
    city.order(NOON.date())
    walk(city, path(0, 100, 30), leader, "A1")
    inside = scenes.walks(city.session, staff, city.community, NOON.date())[1][0]
    shared = scenes.walks(city.session, staff, city.community, NOON.date(), shared=True)[1][0]
    assert {at.minute % scenes.SHARED_MINUTES + at.second for at, _lon, _lat in shared.parts[0]} == {0}
    for _at, lon, lat in shared.parts[0]:
        assert (lon, lat) == (round(lon, 4), round(lat, 4))
    assert 1 < len(shared.parts[0]) < len(inside.parts[0])
    looks = text("SELECT count(*) FROM audit WHERE action = 'track' AND account_id = :account")
    assert city.session.scalar(looks, {"account": staff.account_id}) == 1
    scenes.walks(city.session, leader, city.community, NOON.date())
    assert city.session.scalar(looks, {"account": leader.account_id}) == 0
