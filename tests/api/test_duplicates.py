"""Duplicates over HTTP and on pages: looked at side by side, merged, kept apart, taken back; who is told of them."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from data import duplicates
from data.base.audit import Audit
from data.households import Resident
from tests.api.conftest import ClientFor
from tests.city import City


def pair(city: City) -> tuple[Resident, Resident, str]:
    home, other = city.household("A1", room="301"), city.household("B2", room="301")
    born = date(1951, 3, 4)
    one = city.resident(home, name="张国栋", born_on=born, phone="13812346021")
    same = city.resident(other, name="張國棟", born_on=born, phone="13812346021", workplace="纺织厂")
    duplicates.look(city.session, city.community.id)
    (found,) = city.session.scalars(select(duplicates.Duplicate).where(duplicates.Duplicate.resident_a_id == one.id))
    return one, same, f"/api/duplicates/{found.id}"


def test_a_pair_is_compared_merged_and_taken_back(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community)
    one, same, address = pair(city)
    same_id = same.id
    listed = office.get("/api/duplicates", params={"community": city.community.code}).json()["items"]
    (row,) = [row for row in listed if row["a_id"] == one.id]
    assert (row["name_a"], row["name_b"]) == ("张**", "張**")
    assert {"phone", "born", "name_otherwise"} <= set(row["reasons"])
    both = {field["field"]: field for field in office.get(address).json()["fields"]}
    assert (both["phone"]["a"], both["phone"]["same"]) == ("138****6021", True)
    assert "张国栋" not in office.get(address).text
    shown = office.post(f"{address}/unmask", json={"purpose": "核对"}).json()
    assert shown["b"]["name"] == "張國棟"
    assert city.session.scalars(select(Audit).where(Audit.action == "unmask", Audit.purpose == "核对")).all()[1]
    assert office.post(f"{address}/merge", json={"kept_id": one.household_id, "taken": []}).status_code == 422
    merged = office.post(f"{address}/merge", json={"kept_id": one.id, "taken": ["workplace"]})
    assert merged.status_code == 200, merged.text
    assert office.get(f"/api/residents/{one.id}").json()["workplace"] == "纺织厂"
    assert office.get(f"/api/residents/{same_id}").status_code == 404
    (said,) = office.get("/api/duplicates/merged").json()
    assert said["taken"] == ["workplace"]
    assert office.post(f"/api/duplicates/merged/{said['id']}/undo").json()["undone_at"]
    assert office.get(f"/api/residents/{same_id}").status_code == 200
    assert office.post(f"/api/duplicates/merged/{said['id']}/undo").status_code == 409


def test_only_whoever_sees_the_whole_community_in_full_is_told(city: City, client_for: ClientFor) -> None:
    one, _same, address = pair(city)
    beside = City.make(city.session, "310101001002", beside=city, name="别").community
    for role, unit, status in (
        ("grid_leader", city.grids["A1"], 404),
        ("community_staff", beside, 404),
        ("supervisor", city.street, 403),
        ("line_officer", city.community, 403),
    ):
        client = client_for(role, unit)
        assert client.get(address).status_code == status, role
        answer = client.get("/api/duplicates", params={"community": city.community.code})
        assert answer.status_code == 403 or answer.json()["items"] == [], role
        merging = client.post(f"{address}/merge", json={"kept_id": one.id, "taken": []})
        assert merging.status_code == status, role


def test_the_pages_compare_merge_and_keep_apart(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community)
    office.headers["Accept"] = "text/html"
    office.cookies.set("wangge_language", "en")
    one, same, address = pair(city)
    page = address.removeprefix("/api")
    listed = office.get("/duplicates").text
    assert "Born on the same day" in listed
    assert "张国栋" not in listed
    shown = office.get(page).text
    assert "张国栋" not in shown
    assert "纺织厂" in shown
    assert office.post(f"{page}/show", data={"purpose": ""}).status_code == 422
    clear = office.post(f"{page}/show", data={"purpose": "核对"})
    assert "張國棟" in clear.text
    assert clear.headers["Refresh"].startswith("60;")
    assert office.post(f"{page}/part", data={"apart": "yes"}, follow_redirects=False).status_code == 303
    assert "张**" not in office.get("/duplicates").text
    assert "张**" in office.get("/duplicates?apart=true").text
    assert office.get("/duplicates?kind=household").status_code == 200
    office.post(f"{page}/part", data={"apart": "no"})
    chosen = {"stays": "b", "field-name": "a", "field-workplace": "b", "field-household_id": "a"}
    gone = office.post(f"{page}/merge", data=chosen, follow_redirects=False)
    assert gone.headers["location"].startswith(f"/residents/{same.id}")
    city.session.expire_all()
    stays = city.session.get_one(Resident, same.id)
    assert (stays.name, stays.workplace) == ("张国栋", "纺织厂")
    assert "merged another record into it" in office.get(f"/residents/{same.id}/history").text
    assert "Take back" in office.get("/duplicates/merged").text
    (merger,) = duplicates.mergers(city.session, duplicates.pairs.access.SYSTEM)
    assert office.post(f"/duplicates/merged/{merger.id}/undo", follow_redirects=False).status_code == 303
    assert city.session.get(Resident, one.id) is not None
