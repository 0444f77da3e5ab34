"""Who is responsible: the wall page and its map, guides, line officers, stand-ins, and who may arrange them."""

from __future__ import annotations

from datetime import timedelta

from data import accounts, teams
from data.base import access, settings
from data.teams import Post
from tests.api.conftest import ClientFor
from tests.city import City

SYSTEM = access.SYSTEM


def test_a_building_leads_to_its_people_with_the_phones_that_may_be_shown(city: City, client_for: ClientFor) -> None:
    grid, home = city.grids["A1"], city.buildings["A1"]
    agreed = settings.today()
    teams.appoint(
        city.session, SYSTEM, grid, post=Post.LEADER, name="陈立新", work_phone="0571-1111", consented_on=agreed
    )
    teams.appoint(city.session, SYSTEM, grid, post=Post.SUPERVISOR, name="何志远", work_phone="0571-2222")
    office = client_for("community_staff", city.community, program=False)
    page = office.get(f"/responsible?building={home.id}").text
    assert "陈立新" in page
    assert "0571-1111" in page
    assert "0571-2222" not in page
    assert f"/responsible?building={home.id}#here" in page
    told = office.get(f"/api/buildings/{home.id}/responsible").json()
    assert [(one["name"], one["phone"]) for one in told["people"]] == [("陈立新", "0571-1111"), ("何志远", None)]
    assert "陈立新" in office.get(f"/buildings/{home.id}/panel").text
    stranger = client_for("grid_leader", city.grids["B1"], program=False)
    assert "陈立新" not in stranger.get("/responsible").text
    assert stranger.get(f"/responsible?building={home.id}").status_code == 404


def test_guides_and_line_officers_are_arranged_on_their_pages(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community, program=False)
    first = str(settings.today())
    typed = {"name": "周敏", "level": "street", "first": first, "grids": [str(city.grids["A1"].id)]}
    assert office.post("/guides", data=typed).status_code == 303
    assert "周敏" in office.get("/guides").text
    (guide,) = teams.guides(city.session, SYSTEM, city.community.id)
    assert office.get(f"/guides/{guide.id}").status_code == 200
    refused = office.post("/guides", data=typed | {"name": "", "organisation": "typed and kept"})
    assert refused.status_code == 422
    assert "typed and kept" in refused.text
    line = {"name": "方晓燕", "field": "民政", "first": first}
    assert office.post("/line-officers", data=line).status_code == 303
    assert "方晓燕" in office.get("/line-officers").text
    assert "方晓燕" in office.get("/responsible").text
    leader = client_for("grid_leader", city.grids["A1"], program=False)
    assert leader.post("/guides", data=typed).status_code == 403
    assert "周敏" in leader.get("/guides").text


def test_the_office_has_somebody_stand_in_and_ends_it(city: City, client_for: ClientFor) -> None:
    absent = city.account("grid_leader", city.grids["A1"], "absent")
    deputy = city.account("grid_leader", city.grids["B1"], "deputy")
    member = teams.appoint(
        city.session, SYSTEM, city.grids["A1"], post=Post.LEADER, name="陈立新", account_id=absent.id
    )
    office = client_for("community_staff", city.community, program=False)
    day = settings.today()
    typed = {"absent": member.id, "deputy_id": deputy.id, "first": str(day), "last": str(day + timedelta(days=3))}
    assert office.post("/stand-ins", data=typed).status_code == 303
    assert office.post("/stand-ins", data=typed).status_code == 409
    (row,) = accounts.stand_ins(city.session, SYSTEM)
    assert row.deputy_id == deputy.id
    assert row.deputy in office.get("/responsible").text
    leader = client_for("grid_leader", city.grids["B1"], program=False)
    assert leader.post(f"/stand-ins/{row.id}/end").status_code in (403, 404)
    assert office.post(f"/stand-ins/{row.id}/end").status_code == 303
    assert accounts.stand_ins(city.session, SYSTEM, since=day) == []


def test_the_workload_is_that_of_grids_in_their_order(city: City, client_for: ClientFor) -> None:
    city.household("B1")
    city.incident(150, 50)
    page = client_for("community_staff", city.community, program=False).get("/workload").text
    places = [page.index(city.grids[name].name) for name in ("A1", "B1", "C1")]
    assert places == sorted(places)


def test_the_post_form_keeps_the_phone_masked_and_says_which_buildings_a_warden_minds(
    city: City, client_for: ClientFor
) -> None:
    grid, home = city.grids["A1"], city.buildings["A1"]
    office = client_for("community_staff", city.community, program=False)
    typed = {"name": "沈玉兰", "first": str(settings.today()), "phone": "13812346021", "elder": "teacher"}
    address = f"/grids/{grid.id}/team/building_warden"
    assert office.post(address, data=typed | {"buildings": str(home.id)}).status_code == 303
    (warden,) = teams.of_grid(city.session, SYSTEM, grid.id)
    assert warden.elder == "teacher"
    form = office.get(f"{address}?member={warden.id}").text
    assert "13812346021" not in form
    assert "checked" in form
