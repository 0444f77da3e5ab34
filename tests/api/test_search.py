"""The search of the top bar: places by any spelling, people masked and only for those who may see them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from data.base import access
from data.households import change_resident
from tests.api.conftest import ClientFor
from tests.city import City


def search(client: Any, q: str, **more: Any) -> list[dict[str, Any]]:
    """What is found."""
    answer = client.post("/api/search", json={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


@pytest.mark.parametrize("spelling", ["5", "5号楼", "五号楼", "5幢", "＃5", "锦绣路12弄5号", "锦绣路１２弄５号楼"])
def test_a_building_is_found_however_its_number_is_written(city: City, client_for: ClientFor, spelling: str) -> None:
    first = search(client_for(), spelling)[0]
    assert (first["kind"], first["id"]) == ("buildings", city.buildings["B2"].id)
    assert first["title"] == "Building 5"
    assert "B2" in first["subtitle"]
    assert first["point"] == pytest.approx([120.0015, 30.0014], abs=2e-4)


def test_a_door_is_found_by_its_short_form(city: City, client_for: ClientFor) -> None:
    first = search(client_for(), "5-1-101")[0]
    assert (first["kind"], first["id"], first["title"]) == (
        "buildings",
        city.buildings["B2"].id,
        "Building 5 Unit 1, 101",
    )


def test_a_grid_is_found_by_name_and_by_code_with_its_bounds(city: City, client_for: ClientFor) -> None:
    client = client_for()
    for q in ("b2", city.grids["B2"].code):
        first = search(client, q)[0]
        assert (first["kind"], first["id"], first["title"]) == ("grids", city.grids["B2"].id, "B2")
        west, south, east, north = first["bounds"]
        assert west < 120.0016 < east
        assert south < 30.0014 < north


def test_a_case_is_found_by_its_number_before_those_that_mention_it(city: City, client_for: ClientFor) -> None:
    known = city.incident(250, 250, description="其他")
    city.incident(50, 250, description=f"与 {known.number} 重复")
    client = client_for()
    found = search(client, known.number)
    assert (found[0]["kind"], found[0]["id"]) == ("incidents", known.id)
    assert len(found) == 2
    assert [one["title"] for one in search(client, "野猫")] == ["B2 · Stray cats"]


def test_people_are_found_by_name_and_number_and_shown_masked(city: City, client_for: ClientFor) -> None:
    home = city.household("B2", room="201")
    resident = city.resident(home, name="欧阳晓峰", identity_number="11010519491231002X", phone="13800006021")
    client = client_for()
    for q in (
        "欧阳晓峰",
        "欧阳",
        "晓峰",
        "11010519491231002X",
        "11010519491231002x",
        "13800006021",
        "１３８ 0000 6021",
    ):
        found = [one for one in search(client, q, purpose="电话核对住址") if one["kind"] == "residents"]
        assert [one["id"] for one in found] == [resident.id], q
        assert found[0]["title"] == "欧***"
        assert found[0]["subtitle"] == "Building 5 Unit 1, 201, B2, WT-B2-201"
        assert found[0]["href"] == f"/residents/{resident.id}"
        assert "晓峰" not in str(found)
    for part in ("1101051949123100", "1380000602", "138"):
        assert [one for one in search(client, part, purpose="核对") if one["kind"] == "residents"] == []


def test_a_changed_phone_is_found_and_the_old_one_is_not(city: City, client_for: ClientFor) -> None:
    resident = city.resident(city.household("B2", room="201"), name="欧阳晓峰", phone="13800006021")
    change_resident(city.session, access.SYSTEM, resident, phone="13900001111")
    client = client_for()
    assert search(client, "13800006021", purpose="回访") == []
    assert [one["id"] for one in search(client, "13900001111", purpose="回访")] == [resident.id]


def test_only_what_one_may_see_is_found(city: City, client_for: ClientFor) -> None:
    leader = client_for("grid_leader", city.grids["A1"])
    assert {one["subtitle"].split(", ")[2] for one in search(leader, "李小明")} == {"A1"}
    assert [one["title"] for one in search(leader, "锦绣路")] == ["Building 1"]
    assert [one["title"] for one in search(leader, "野猫")] == []
    warden = client_for("building_warden", city.grids["A1"])
    for q in ("李小明", "WT-A1"):
        assert search(warden, q) == []
    assert search(client_for("auditor", city.community), "野猫") == []


def test_the_search_may_be_limited_to_a_community_and_a_number(city: City, client_for: ClientFor) -> None:
    other = City.make(city.session, code="320101001001")
    client = client_for("administrator", city.district)
    both = client_for("administrator", other.district)
    assert {one["id"] for one in search(client, "锦绣路", limit=50)} <= {one.id for one in city.buildings.values()}
    found = search(both, "锦绣路", community=other.community.code)
    assert {one["id"] for one in found} <= {one.id for one in other.buildings.values()}
    assert search(both, "锦绣路", community=city.community.code) == []
    assert len(search(client, "锦绣路", limit=2)) == 2


def test_a_household_is_found_by_the_beginning_of_its_number(city: City, client_for: ClientFor) -> None:
    first = search(client_for(), "wt-b2")[0]
    assert (first["kind"], first["title"]) == ("households", "WT-B2-101")
    assert first["subtitle"] == "李**, Building 5 Unit 1, 101, B2"


def test_signs_with_a_meaning_in_patterns_mean_themselves(city: City, client_for: ClientFor) -> None:
    client = client_for()
    for q in ("%", "_", "\\", "(", "[0-9]", "5)", "*"):
        assert [one for one in search(client, q) if one["kind"] != "buildings"] == [], q


def test_a_search_by_address_alone_or_without_a_term_is_refused(client_for: ClientFor) -> None:
    client = client_for()
    assert client.get("/api/search?q=x").status_code == 405
    for body in ({"q": ""}, {"q": "   "}, {"q": "x" * 101}, {"q": "x", "limit": 0}, {"q": "x", "name": "y"}, {}):
        assert client.post("/api/search", json=body).status_code == 422


def test_nobody_searches_without_signing_in(client: Any) -> None:
    assert client.post("/api/search", json={"q": "李小明"}).status_code == 401


def test_what_is_searched_for_never_reaches_the_log(
    city: City, client_for: ClientFor, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_for()
    with caplog.at_level(logging.DEBUG):
        search(client, "李小明")
        client.post("/api/search", json={"q": "李小明", "limit": "none"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("wangge")]
    assert any("/api/search" in line for line in ours)
    assert not any("李小明" in line for line in ours)
