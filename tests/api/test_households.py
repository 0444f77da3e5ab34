"""Households, residents and tenancies over HTTP: masked always, unmasked with a purpose, edited within one's area."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.base.request import LANGUAGE_COOKIE
from data import buildings, households
from data.base import access
from data.base.audit import Audit
from data.households import Household, Resident, Tenancy
from tests.api.conftest import ClientFor
from tests.city import City

IDENTITY = "11010519491231002X"


@pytest.fixture
def home(city: City) -> dict[str, int]:
    """The household of grid A1 with phone and a member who has every personal field."""
    household = city.household("A1", room="301", phone="13812346021", number="WT-1")
    person = city.resident(
        household,
        name="欧阳小明",
        former_name="欧阳大明",
        identity_number=IDENTITY,
        phone="13987654321",
        health="高血压",
        permit_number="P1234567890",
    )
    return {"household": household.id, "resident": person.id, "dwelling": household.dwelling_id or 0}


SECRETS = ("13812346021", "13987654321", IDENTITY, "欧阳小明", "欧阳大明", "高血压", "P1234567890", "1949-12-31")


def test_nothing_personal_leaves_unmasked(city: City, client_for: ClientFor, home: dict[str, int]) -> None:
    client = client_for()
    client.patch(f"/api/residents/{home['resident']}", json={"name": "欧阳小明", "born_on": "1949-12-31"})
    client.post(
        "/api/tenancies",
        json={
            "dwelling_id": home["dwelling"],
            "landlord_name": "欧阳大明",
            "landlord_phone": "13812346021",
            "valid_from": "2026-01-01",
            "tenant_ids": [home["resident"]],
        },
    )
    for address in (
        "/api/households",
        "/api/residents",
        "/api/tenancies",
        "/api/residents?f=geojson",
        "/api/audit",
        f"/api/households/{home['household']}",
        f"/api/residents/{home['resident']}",
        f"/api/households/{home['household']}/history",
        f"/api/residents/{home['resident']}/history",
    ):
        answer = client.get(address)
        assert answer.status_code == 200, address
        for secret in SECRETS:
            assert secret not in json.dumps(answer.json(), ensure_ascii=False), (address, secret)
    shown = client.get(f"/api/residents/{home['resident']}").json()
    assert (shown["name"], shown["identity_number"], shown["phone"]) == ("欧***", "1101**********002X", "139****4321")
    assert (shown["born_on"], shown["health"], shown["permit_number"]) == ("1949-**-**", "***", "P123***7890")


@pytest.mark.parametrize("text", ["无法解密", "cannot be decrypted"])
def test_what_stands_for_an_unreadable_value_is_not_written_over_it(
    client_for: ClientFor, home: dict[str, int], text: str
) -> None:
    client = client_for("community_staff")
    address = f"/api/residents/{home['resident']}"
    before = client.get(address).json()
    for field in ("phone", "permit_number", "health"):
        answer = client.patch(address, json={field: text})
        assert answer.status_code == 422, answer.text
        assert text in answer.json()["detail"]
    assert client.patch(f"/api/households/{home['household']}", json={"phone": text}).status_code == 422
    assert client.get(address).json() == before


def test_what_is_unmasked_needs_a_purpose_and_is_recorded(
    city: City, client_for: ClientFor, home: dict[str, int]
) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    address = f"/api/residents/{home['resident']}/unmask"
    assert client.post(address, json={"purpose": ""}).status_code == 422
    shown = client.post(address, json={"purpose": "电话核对住址"}).json()
    assert shown["seconds"] == 60
    assert shown["fields"]["name"] == "欧阳小明"
    assert shown["fields"]["identity_number"] == IDENTITY
    row = city.session.scalars(select(Audit).where(Audit.action == "unmask")).one()
    assert (row.record_kind, row.record_id, row.purpose) == ("resident", home["resident"], "电话核对住址")
    assert row.request_id
    told = client.get(f"/api/residents/{home['resident']}/history").json()
    assert (told[0]["action"], told[0]["account_name"]) == ("unmask", "grid_leader")


@pytest.mark.parametrize(("role", "status"), [("information_officer", 403), ("supervisor", 403), ("analyst", 403)])
def test_who_may_not_unmask_cannot(
    city: City, client_for: ClientFor, home: dict[str, int], role: str, status: int
) -> None:
    client = client_for(role, city.community)
    answer = client.post(f"/api/residents/{home['resident']}/unmask", json={"purpose": "好奇而已"})
    assert answer.status_code == status
    assert city.session.scalars(select(Audit).where(Audit.action == "unmask")).all() == []


def test_a_household_and_a_resident_are_called_without_their_number_being_shown(
    city: City, client_for: ClientFor, home: dict[str, int]
) -> None:
    leader = client_for("grid_leader", city.grids["A1"])
    stranger = client_for("grid_leader", city.grids["B2"])
    numbers = {"household": "13812346021", "resident": "13987654321"}
    for kind, number in numbers.items():
        address = f"/{kind}s/{home[kind]}"
        page = leader.get(address, headers={"Accept": "text/html"}).text
        assert f'hx-post="{address}/call"' in page
        assert number not in page
        answer = leader.post(f"{address}/call")
        assert (answer.status_code, answer.headers["hx-redirect"]) == (204, f"tel:{number}")
        (recorded,) = city.session.scalars(select(Audit).where(Audit.action == "call", Audit.record_kind == kind))
        assert recorded.record_id == home[kind]
        assert number not in f"{recorded.changes} {recorded.purpose}"
        assert stranger.post(f"{address}/call").status_code == 404
    silent = city.household("A1", room="302")
    assert leader.post(f"/households/{silent.id}/call").status_code == 409


def test_a_family_is_entered_moved_and_taken_out(city: City, client_for: ClientFor) -> None:
    client = client_for("community_staff", city.community)
    building = city.buildings["A1"].id
    door = client.post(f"/api/buildings/{building}/dwellings", json={"room": "401"}).json()["id"]
    made = client.post("/api/households", json={"dwelling_id": door, "number": "WT-9", "phone": "13800006021"})
    assert (made.status_code, made.json()["phone"], made.json()["grid_name"]) == (201, "138****6021", "A1")
    family, address = made.json()["id"], made.headers["location"]

    person = client.post("/api/residents", json={"household_id": family, "name": "王芳", "identity_number": IDENTITY})
    assert person.status_code == 201
    # Birthday and sex follow from the number.
    assert (person.json()["born_on"], person.json()["sex"]) == ("1949-**-**", "2")
    again = client.post("/api/residents", json={"household_id": family, "name": "王芳", "identity_number": IDENTITY})
    assert again.status_code == 409
    wrong = client.post("/api/residents", json={"household_id": family, "name": "王", "identity_number": IDENTITY[:-1]})
    assert (wrong.status_code, wrong.json()["facts"]["field"]) == (422, "body.identity_number")
    odd = client.post("/api/residents", json={"household_id": family, "name": "王", "ethnicity": "99x"})
    assert odd.status_code == 422

    headed = client.patch(address, json={"head_id": person.json()["id"]})
    assert (headed.json()["head_name"], headed.json()["members"]) == ("王*", 1)
    stranger = client.get("/api/residents").json()["items"][0]["id"]
    assert client.patch(address, json={"head_id": stranger}).status_code == 422

    elsewhere = client.post(f"/api/buildings/{city.buildings['B2'].id}/dwellings", json={"room": "1"}).json()["id"]
    moved = client.patch(address, json={"dwelling_id": elsewhere}).json()
    assert (moved["grid_name"], moved["members"]) == ("B2", 1)

    assert client.delete(address).status_code == 409
    assert client.delete(person.headers["location"]).status_code == 204
    assert client.delete(address).status_code == 204


def test_a_grid_leader_cannot_move_a_family_out_of_the_own_grid(
    city: City, client_for: ClientFor, home: dict[str, int]
) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    elsewhere = city.session.scalars(select(city.buildings["B2"].__class__.id)).all()
    staff = client_for("community_staff", city.community)
    door = staff.post(f"/api/buildings/{city.buildings['B2'].id}/dwellings", json={"room": "9"}).json()["id"]
    assert elsewhere
    assert client.patch(f"/api/households/{home['household']}", json={"dwelling_id": door}).status_code == 404
    other = staff.get("/api/households", params={"grid": city.grids["B2"].code}).json()["items"][0]["id"]
    assert client.patch(f"/api/residents/{home['resident']}", json={"household_id": other}).status_code == 404
    unchanged = client.get(f"/api/households/{home['household']}").json()
    assert unchanged["grid_name"] == "A1"


def test_special_groups_are_dated_and_filter_households(
    city: City, client_for: ClientFor, home: dict[str, int]
) -> None:
    client = client_for("community_staff", city.community)
    address = f"/api/households/{home['household']}/groups"
    joined = client.post(address, json={"group_code": "empty_nest", "valid_from": "2025-01-01"})
    assert joined.status_code == 201
    twice = client.post(address, json={"group_code": "empty_nest", "valid_from": "2025-06-01"})
    assert (twice.status_code, twice.json()["detail"]) == (
        409,
        "The household already belongs to this group during that time.",
    )
    for group in ("empty_nest", "*", "low_income,empty_nest"):
        found = client.get("/api/households", params={"group": group}).json()["items"]
        assert [(one["id"], one["groups"]) for one in found] == [(home["household"], ["empty_nest"])]
    assert client.get("/api/households?group=low_income").json()["items"] == []
    assert len(client.get("/api/residents?group=empty_nest").json()["items"]) == 2

    ended = client.patch(f"{address}/{joined.json()['id']}", json={"valid_to": "2025-07-01"})
    assert ended.json()["valid_to"] == "2025-07-01"
    assert client.get("/api/households?group=*").json()["items"] == []
    assert client.patch(f"{address}/{joined.json()['id']}", json={"valid_to": "2024-07-01"}).status_code == 422
    assert client.delete(f"{address}/{joined.json()['id']}").status_code == 204
    assert client.get(address).json() == []


def test_tenancies_have_days_and_tenants(city: City, client_for: ClientFor, home: dict[str, int]) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    body = {"dwelling_id": home["dwelling"], "landlord_name": "王芳", "valid_from": "2026-01-01"}
    assert client.post("/api/tenancies", json={**body, "valid_to": "2026-01-01"}).status_code == 422
    assert client.post("/api/tenancies", json={**body, "tenant_ids": [999_999]}).status_code == 422
    made = client.post("/api/tenancies", json={**body, "tenant_ids": [home["resident"]]})
    assert (made.status_code, made.json()["tenant_ids"], made.json()["tenants"]) == (201, [home["resident"]], 1)
    address = made.headers["location"]
    changed = client.patch(address, json={"valid_to": "2026-02-01", "tenant_ids": []}).json()
    assert (changed["valid_from"], changed["valid_to"], changed["tenant_ids"]) == ("2026-01-01", "2026-02-01", [])
    assert client.get("/api/tenancies?current=true").json()["items"] == []
    assert len(client.get("/api/tenancies?current=false").json()["items"]) == 1
    told = client.get(f"{address}/history").json()
    assert {"tenant_ids": [[home["resident"]], []]} in [entry["changes"] for entry in told]
    assert client.delete(address).status_code == 204


def test_the_pages_of_people_hold_everybody_once_whatever_the_sort(city: City, client_for: ClientFor) -> None:
    client = client_for()
    for grid in ("A1", "B2"):
        household = city.household(grid, room="777")
        for name in ("王芳", "李四", "张三"):
            city.resident(household, name=name)
    for kind, sorts in (("residents", ("id", "household", "-building")), ("households", ("number", "-building"))):
        for sort in sorts:
            address, seen = f"/api/{kind}?limit=3&sort={sort}", []
            while address:
                page = client.get(address).json()
                seen += [one["id"] for one in page["items"]]
                address = page["next"]
            assert len(seen) == len(set(seen)) == client.get(f"/api/{kind}?total=true").json()["total"]


def test_what_is_sent_back_masked_replaces_nothing(city: City, client_for: ClientFor, home: dict[str, int]) -> None:
    client = client_for("information_officer", city.grids["A1"])
    tenancy = city.session.get_one(
        Tenancy,
        client.post(
            "/api/tenancies",
            json={
                "dwelling_id": home["dwelling"],
                "landlord_name": "欧阳大明",
                "landlord_phone": "13812346021",
                "valid_from": "2026-01-01",
            },
        ).json()["id"],
    )
    person = city.session.get_one(Resident, home["resident"])
    household = city.session.get_one(Household, home["household"])
    masked = {"name", "former_name", "identity_number", "permit_number", "registered_address", "phone", "health"}
    masked |= {"landlord_name", "landlord_phone"}
    tried = 0
    for kind, record in (("residents", person), ("households", household), ("tenancies", tenancy)):
        path = f"/api/{kind}/{record.id}"
        shown = client.get(path).json()
        for field in masked & set(shown):
            kept = getattr(record, field)
            answer = client.patch(path, json={field: shown[field] or "1**"})
            assert answer.status_code == 422, (kind, field, answer.text)
            assert answer.json()["errors"] or answer.json()["facts"]["field"] == f"body.{field}"
            city.session.refresh(record)
            assert getattr(record, field) == kept, (kind, field)
            # The right mask and a wrong one are answered alike.
            other = client.patch(path, json={field: "9***"})
            assert (other.status_code, other.json()["detail"]) == (422, answer.json()["detail"])
            tried += 1
    assert tried == 10
    new = {"household_id": home["household"], "name": "李**", "relation": "52"}
    assert client.post("/api/residents", json=new).status_code == 422


def test_what_is_strange_about_a_household_is_told_and_kept(city: City, client_for: ClientFor) -> None:
    client = client_for()
    door = city.household("A1", room="301", number="WT-1").dwelling_id
    new = {"dwelling_id": door, "number": "WT-2", "phone": "623 4567"}
    answer = client.post("/api/households", json=new)
    assert (answer.status_code, answer.json()["odd"]) == (
        201,
        ["The phone number has seven digits and no area code.", "1 other household lives in this dwelling."],
    )
    city.buildings["A1"].floors = 6
    attic = buildings.add_dwelling(city.session, access.SYSTEM, city.buildings["A1"], unit="1", floor=1, room="9999")
    changed = client.patch(
        answer.headers["Location"], json={"dwelling_id": attic.id, "phone": "021-6234567"}, headers={"If-Match": "*"}
    )
    sentence = "Room 9999 lies above the highest floor of its building, 6."
    assert changed.json()["odd"] == [sentence]
    page = answer.headers["Location"].removeprefix("/api")
    supervisor = client_for("supervisor", city.street)
    for reader in (client, supervisor):
        reader.cookies.set(LANGUAGE_COOKIE, "en")
    assert sentence in client.get(page).text
    assert sentence not in supervisor.get(page).text, "it is told to those who may mend it"


def test_a_case_is_about_a_household_for_those_alone_who_may_see_it(
    city: City, client_for: ClientFor, session: Session
) -> None:
    home = city.household("A1", room="909")
    city.resident(home, name="李小明")
    session.flush()
    leader = client_for("grid_leader", city.grids["A1"])
    leader.cookies.set("wangge_language", "en")
    leader.headers["Accept"] = "text/html"
    page = leader.get(f"/households/{home.id}").text
    assert f'href="/incidents/new?household={home.id}"' in page
    assert "No case is about this household yet." in page
    form = leader.get(f"/incidents/new?household={home.id}").text
    assert f'name="household_id" value="{home.id}"' in form
    assert re.search(rf'<option value="{city.buildings["A1"].id}" selected', form), "its house is chosen"
    values = {"category_code": "facility.leak", "household_id": home.id, "building_id": city.buildings["A1"].id}
    answer = leader.post("/incidents", data=values, files=[("photo", ("", b""))])
    assert answer.status_code == 303, answer.text
    (linked,) = households.linked.cases(session, home.id)
    assert f'href="/incidents/{linked}"' in leader.get(f"/households/{home.id}").text
    link = f'href="/households/{home.id}"'
    assert link in leader.get(f"/incidents/{linked}").text
    # Who handles cases and sees no people learns of no household; nor does who sees people elsewhere.
    for role, place in (("analyst", city.community), ("planner", city.community)):
        blind = client_for(role, place)
        blind.headers["Accept"] = "text/html"
        assert link not in blind.get(f"/incidents/{linked}").text
        assert f"/households/{home.id}" not in blind.get(f"/incidents/{linked}/sheet").text
    other = client_for("grid_leader", city.grids["B2"])
    assert other.get(f"/incidents/new?household={home.id}").status_code == 404
    assert other.post("/incidents", data=values, files=[("photo", ("", b""))]).status_code == 404
    assert other.post(f"/incidents/{linked}/households/{home.id}/remove").status_code == 404
    assert leader.post(f"/incidents/{linked}/households/{home.id}/remove").status_code == 303
    assert households.linked.cases(session, home.id) == []
