"""Records without a place: the work list, what addresses may mean, and placing by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from api.base.request import LANGUAGE_COOKIE
from data import buildings, incidents, unlocated
from data.base import access
from data.base.audit import Audit
from data.buildings import Building, Dwelling
from data.households import Household
from data.incidents import Incident
from tests.api.conftest import ClientFor
from tests.city import City, degrees, rectangle


def lost_household(city: City, address: str | None, reason: str = "no_such_building", **values: Any) -> Household:
    """A household as an import leaves it that did not find its dwelling."""
    number = values.pop("number", "WT-X-1")
    household = Household(
        community_id=city.community.id, number=number, address=address, unlocated_reason=reason, **values
    )
    city.session.add(household)
    city.session.flush()
    household.head_id = city.resident(household, name="赵一鸣").id
    city.session.flush()
    return household


def lost_incident(city: City, **values: Any) -> Incident:
    """An incident without any place."""
    return incidents.report(
        city.session, access.SYSTEM, community=city.community, category_code="facility.street_light", **values
    )


def lost_building(city: City, code: str = "77", geom: Any = None) -> Building:
    """A building without a place, or with one outside every grid."""
    return buildings.add(city.session, access.SYSTEM, community=city.community, code=code, number=code, geom=geom)


def test_the_counts_tell_how_many_wait_and_why(city: City, client_for: ClientFor) -> None:
    lost_household(city, "99号楼1单元101")
    lost_incident(city)
    city.incident(-500, 0)
    lost_building(city)
    found = {one["kind"]: one for one in client_for().get("/api/unlocated").json()}
    assert {kind: one["total"] for kind, one in found.items()} == {"households": 1, "incidents": 2, "buildings": 1}
    assert found["households"]["reasons"] == {"no_such_building": 1}
    assert found["incidents"]["reasons"] == {"outside": 1, "no_place": 1}


def test_the_lists_hold_what_waits_masked_and_by_reason(city: City, client_for: ClientFor) -> None:
    household = lost_household(city, "99号楼1单元101")
    outside = city.incident(-500, 0, description="路灯不亮")
    lost_incident(city)
    client = client_for()
    (item,) = client.get("/api/unlocated/households").json()["items"]
    assert (item["id"], item["title"], item["reason"]) == (household.id, "WT-X-1, 赵**", "no_such_building")
    (item,) = client.get("/api/unlocated/incidents?reason=outside").json()["items"]
    assert (item["id"], item["title"]) == (outside.id, "Corridor light broken")
    assert item["lon"] == pytest.approx(degrees(-500, 0)[0])
    features = client.get("/api/unlocated/incidents?f=geojson").json()["features"]
    assert sorted(bool(feature["geometry"]) for feature in features) == [False, True]
    assert client.get("/api/unlocated/incidents?limit=1&total=true").json()["total"] == 2


def test_the_address_of_a_household_offers_what_it_may_mean(city: City, client_for: ClientFor) -> None:
    buildings.add(
        city.session,
        access.SYSTEM,
        community=city.community,
        code="5a",
        number="5",
        address="锦绣路14弄5号楼",
        geom=rectangle(130, 170, 20, 20),
    )
    household = lost_household(city, "5号楼2单元501室", "ambiguous")
    found = client_for().get(f"/api/unlocated/households/{household.id}").json()
    assert (found["unit"], found["room"]) == ("2", "501")
    assert [one["title"] for one in found["candidates"]] == ["Building 5", "Building 5"]
    assert {one["score"] for one in found["candidates"]} == {0.9}
    assert {one["address"] for one in found["candidates"]} == {"锦绣路12弄5号楼", "锦绣路14弄5号楼"}


def test_letters_that_look_like_digits_are_offered_as_digits(city: City, client_for: ClientFor) -> None:
    for number in ("40", "41"):
        lost = buildings.add(
            city.session,
            access.SYSTEM,
            community=city.community,
            code=number,
            number=number,
            geom=rectangle(10, 10, 5, 5),
        )
    household = lost_household(city, "4l号楼2单元5O1")
    found = client_for().get(f"/api/unlocated/households/{household.id}").json()
    assert [one["building_id"] for one in found["candidates"]] == [lost.id]
    assert (found["unit"], found["room"]) == ("2", "501")


def test_an_incident_placed_by_a_point_lies_in_the_grid_there_and_says_by_whom(
    city: City, client_for: ClientFor
) -> None:
    incident = lost_incident(city)
    lon, lat = degrees(250, 150)
    answer = client_for().post(f"/api/unlocated/incidents/{incident.id}", json={"lon": lon, "lat": lat})
    assert answer.json() == {
        "kind": "incidents",
        "id": incident.id,
        "located_by": "manual",
        "grid_id": city.grids["C2"].id,
        "building_id": None,
        "dwelling_id": None,
    }
    changes = city.session.scalars(
        select(Audit.changes).where(Audit.record_kind == "incident", Audit.record_id == incident.id).order_by(Audit.id)
    ).all()
    assert changes[-1]["located_by"] == [None, "manual"]
    assert changes[-1]["unlocated_reason"] == ["no_place", None]


def test_an_incident_placed_at_a_building_gets_its_point_by_hand(city: City, client_for: ClientFor) -> None:
    incident = lost_incident(city, address="A1 那栋")
    building = city.buildings["B3"]
    answer = client_for().post(f"/api/unlocated/incidents/{incident.id}", json={"building_id": building.id})
    assert (answer.json()["located_by"], answer.json()["grid_id"]) == ("manual", city.grids["B3"].id)
    shown = client_for("community_staff", city.community).get(f"/api/incidents/{incident.id}").json()
    assert shown["lon"] == pytest.approx(degrees(150, 250)[0], abs=1e-6)


def test_a_household_is_placed_by_clicking_its_building(city: City, client_for: ClientFor) -> None:
    household = lost_household(city, "4O号楼2单元501")
    lon, lat = degrees(150, 155)
    answer = client_for().post(f"/api/unlocated/households/{household.id}", json={"lon": lon, "lat": lat})
    assert answer.json()["located_by"] == "manual"
    dwelling = city.session.get(Dwelling, answer.json()["dwelling_id"])
    assert dwelling is not None
    assert (dwelling.building_id, dwelling.unit, dwelling.room) == (city.buildings["B2"].id, "2", "501")


def test_a_household_goes_behind_the_door_that_is_there(city: City, client_for: ClientFor) -> None:
    there = city.household("B2", room="201")
    household = lost_household(city, "五号楼１单元２０１")
    answer = client_for().post(
        f"/api/unlocated/households/{household.id}", json={"building_id": city.buildings["B2"].id}
    )
    assert answer.json()["dwelling_id"] == there.dwelling_id


def test_without_a_door_it_is_asked_for_unless_the_building_has_one_only(city: City, client_for: ClientFor) -> None:
    first, second = lost_household(city, "5号楼"), lost_household(city, "5号楼", number="WT-X-2")
    client, place = client_for(), {"building_id": city.buildings["B2"].id}
    only = client.post(f"/api/unlocated/households/{first.id}", json=place)
    assert only.status_code == 200
    city.household("B2", room="201")
    asked = client.post(f"/api/unlocated/households/{second.id}", json=place)
    assert (asked.status_code, asked.json()["facts"]["field"]) == (422, "body.room")
    named = client.post(f"/api/unlocated/households/{second.id}", json={**place, "room": "201"})
    assert named.status_code == 200


def test_a_room_that_several_units_have_is_not_guessed(city: City, client_for: ClientFor) -> None:
    building = city.buildings["B2"]
    for unit in ("1", "2"):
        buildings.add_dwelling(city.session, access.SYSTEM, building, unit=unit, room="301")
    household = lost_household(city, "5号楼301")
    client = client_for()
    asked = client.post(f"/api/unlocated/households/{household.id}", json={"building_id": building.id})
    assert (asked.status_code, asked.json()["facts"]["field"]) == (422, "body.unit")
    body = {"building_id": building.id, "unit": "2", "room": "301"}
    assert client.post(f"/api/unlocated/households/{household.id}", json=body).status_code == 200


def test_only_those_who_may_edit_buildings_make_a_door(city: City, client_for: ClientFor) -> None:
    household = lost_household(city, "5号楼9单元999")
    officer = client_for("information_officer", city.community)
    answer = officer.post(f"/api/unlocated/households/{household.id}", json={"building_id": city.buildings["B2"].id})
    assert answer.status_code == 403
    assert city.session.get(Household, household.id).dwelling_id is None  # type: ignore[union-attr]


def test_a_building_without_a_shape_becomes_a_point_and_one_with_a_footprint_keeps_it(
    city: City, client_for: ClientFor
) -> None:
    bare, drawn = lost_building(city), lost_building(city, "78", rectangle(300, 0, 20, 20))
    client = client_for()
    lon, lat = degrees(299, 10)
    for building in (bare, drawn):
        answer = client.post(f"/api/unlocated/buildings/{building.id}", json={"lon": lon, "lat": lat})
        assert (answer.json()["located_by"], answer.json()["grid_id"]) == ("manual", city.grids["C1"].id)
    shapes = [client.get(f"/api/buildings/{building.id}").json()["geometry"]["type"] for building in (bare, drawn)]
    assert shapes == ["Point", "Polygon"]


def test_incidents_at_a_building_follow_it_to_its_place(city: City, client_for: ClientFor) -> None:
    building = lost_building(city)
    incident = lost_incident(city, building_id=building.id)
    assert incident.unlocated_reason == "outside"
    lon, lat = degrees(50, 50)
    client_for().post(f"/api/unlocated/buildings/{building.id}", json={"lon": lon, "lat": lat})
    city.session.refresh(incident)
    assert (incident.grid_id, incident.located_by) == (city.grids["A1"].id, "address")


def test_a_place_outside_every_grid_or_beside_every_building_is_refused(city: City, client_for: ClientFor) -> None:
    incident, household = lost_incident(city), lost_household(city, "5号楼101")
    client = client_for()
    lon, lat = degrees(-500, -500)
    for kind, record in (("incidents", incident), ("households", household)):
        answer = client.post(f"/api/unlocated/{kind}/{record.id}", json={"lon": lon, "lat": lat})
        assert answer.status_code == 409
        assert client.get(f"/api/unlocated/{kind}/{record.id}").status_code == 200


def test_what_has_a_place_already_is_not_placed_again(city: City, client_for: ClientFor) -> None:
    incident = city.incident(50, 50)
    lon, lat = degrees(150, 150)
    client = client_for()
    answer = client.post(f"/api/unlocated/incidents/{incident.id}", json={"lon": lon, "lat": lat})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wangge:already-placed")
    assert client.get(f"/api/unlocated/incidents/{incident.id}").status_code == 409
    assert client.get("/api/unlocated/incidents/999999").status_code == 404


@pytest.mark.parametrize("body", [{}, {"lon": 120}, {"lon": 120, "lat": 30, "building_id": 1}, {"lon": 999, "lat": 0}])
def test_a_place_is_a_whole_point_or_a_building(city: City, client_for: ClientFor, body: dict[str, Any]) -> None:
    incident = lost_incident(city)
    assert client_for().post(f"/api/unlocated/incidents/{incident.id}", json=body).status_code == 422


def test_an_incident_is_not_placed_at_a_building_of_another_community(city: City, client_for: ClientFor) -> None:
    other = City.make(city.session, code="320101001001")
    incident = lost_incident(city)
    both = client_for("administrator", city.district)
    hidden = both.post(f"/api/unlocated/incidents/{incident.id}", json={"building_id": other.buildings["A1"].id})
    assert hidden.status_code == 404


def test_each_kind_needs_its_own_permission_and_area(city: City, client_for: ClientFor) -> None:
    household, incident, building = lost_household(city, "99号楼"), lost_incident(city), lost_building(city)
    records = {"households": household, "incidents": incident, "buildings": building}
    lon, lat = degrees(50, 50)
    warden = client_for("building_warden", city.community)
    assert {one["kind"] for one in warden.get("/api/unlocated").json()} == {"incidents", "buildings"}
    assert warden.get("/api/unlocated/households").status_code == 403
    for kind, record in records.items():
        answer = warden.post(f"/api/unlocated/{kind}/{record.id}", json={"lon": lon, "lat": lat})
        assert answer.status_code == 403, kind
    # What has no grid lies in no grid leader's area.
    leader = client_for("grid_leader", city.grids["A1"])
    for kind, record in records.items():
        assert leader.get(f"/api/unlocated/{kind}").json()["items"] == []
        assert leader.post(f"/api/unlocated/{kind}/{record.id}", json={"lon": lon, "lat": lat}).status_code == 404


def test_every_kind_has_its_routes_and_permissions() -> None:
    assert set(unlocated.READ) == set(unlocated.EDIT) == set(unlocated.Kind)


# ---- the page ------------------------------------------------------------------------------------------------------


def on_pages(client: Any) -> Any:
    """The same person with a browser set to English."""
    client.headers["accept"] = "text/html"
    client.cookies.set(LANGUAGE_COOKIE, "en")
    return client


def test_the_work_list_shows_the_kinds_with_their_numbers_and_the_first_record(
    city: City, client_for: ClientFor
) -> None:
    lost_household(city, "5号楼")
    lost_incident(city, description="路灯不亮")
    html = re.sub(r"\s+", " ", on_pages(client_for()).get("/unlocated").text)
    for words in ("Households <small>1</small>", "Cases <small>1</small>", "Buildings <small>0</small>"):
        assert words in html
    assert "WT-X-1, 赵**" in html
    assert "赵一鸣" not in html
    assert "Is it one of these?" in html
    page = on_pages(client_for("community_staff", city.community)).get("/unlocated?kind=incidents").text
    assert "Street light broken" in page


def test_a_record_is_placed_by_a_click_and_the_next_one_comes(city: City, client_for: ClientFor) -> None:
    first, second = lost_incident(city, description="一"), lost_incident(city, description="二")
    client = on_pages(client_for())
    lon, lat = degrees(150, 150)
    answer = client.post(f"/unlocated/incidents/{first.id}?kind=incidents", data={"lon": str(lon), "lat": str(lat)})
    assert answer.status_code == 303
    html = client.get(answer.headers["location"]).text
    assert "Placed: B2." in html
    assert f'action="/unlocated/incidents/{second.id}?' in html
    city.session.refresh(first)
    assert (first.located_by, first.grid_id) == ("manual", city.grids["B2"].id)


def test_an_accepted_building_without_a_door_asks_for_it_beside_the_field(city: City, client_for: ClientFor) -> None:
    city.household("B2", room="201")
    city.household("B2", room="202")
    household = lost_household(city, "5号楼")
    client, address = on_pages(client_for()), f"/unlocated/households/{household.id}"
    asked = client.post(address, data={"building": str(city.buildings["B2"].id), "room": ""})
    assert asked.status_code == 422
    assert 'id="room-fault" role="alert">Say behind which door' in asked.text
    answer = client.post(address, data={"building": str(city.buildings["B2"].id), "room": "201"})
    assert answer.status_code == 303
    assert "Placed: Building 5 Unit 1, 201." in client.get(answer.headers["location"]).text


@pytest.mark.parametrize(
    ("typed", "status"),
    [({}, 422), ({"lon": "x", "lat": "y"}, 422), ({"lon": "120", "lat": ""}, 422), ({"lon": "0", "lat": "0"}, 409)],
)
def test_a_place_that_is_none_comes_back_with_the_sentence(
    city: City, client_for: ClientFor, typed: dict[str, str], status: int
) -> None:
    incident = lost_incident(city)
    answer = on_pages(client_for()).post(f"/unlocated/incidents/{incident.id}", data=typed)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text
    assert f'action="/unlocated/incidents/{incident.id}?' in answer.text


def test_what_somebody_else_placed_meanwhile_is_said_and_the_list_goes_on(city: City, client_for: ClientFor) -> None:
    incident = city.incident(50, 50)
    client = on_pages(client_for())
    answer = client.post(f"/unlocated/incidents/{incident.id}", data={"lon": "120", "lat": "30"})
    assert answer.status_code == 303
    assert "This record has its place already." in client.get(answer.headers["location"]).text


def test_the_page_offers_only_what_one_may_see_and_do(city: City, client_for: ClientFor) -> None:
    lost_household(city, "5号楼")
    lost_incident(city)
    warden = on_pages(client_for("building_warden", city.community))
    html = warden.get("/unlocated").text
    tabs = html[html.index('<nav class="tabs"') :].split("</nav>")[0]
    assert "Cases" in tabs
    assert "Households" not in tabs
    assert "Place here" not in html
    assert on_pages(client_for("auditor", city.community)).get("/unlocated").status_code == 403


def test_a_list_without_anything_left_says_so(city: City, client_for: ClientFor) -> None:
    assert "Every record has a place." in on_pages(client_for()).get("/unlocated").text
