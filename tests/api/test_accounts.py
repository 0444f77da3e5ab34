"""Accounts and roles over HTTP: nobody gives away, or takes over, more than they have."""

from __future__ import annotations

from fastapi import FastAPI

from data import accounts
from data.base import access
from tests.api.conftest import ClientFor, TestClient
from tests.city import City


def test_an_account_is_opened_given_roles_and_closed(city: City, client_for: ClientFor, client: TestClient) -> None:
    admin = client_for(program=False)
    body = {
        "username": "chen.min",
        "name": "陈敏",
        "password": "correct horse",
        "grants": [{"role_code": "grid_leader", "unit_id": city.grids["A1"].id}],
    }
    made = admin.post("/api/accounts", json=body)
    assert made.status_code == 201
    assert "password" not in made.text
    assert [grant["role_code"] for grant in made.json()["grants"]] == ["grid_leader"]
    assert admin.post("/api/accounts", json={**body, "username": "CHEN.MIN"}).status_code == 409
    assert admin.post("/api/accounts", json={**body, "username": "b", "password": "short"}).status_code == 422

    address = made.headers["location"]
    signed = client.post("/api/signin", json={"username": "chen.min", "password": "correct horse"})
    assert signed.status_code == 200
    client.headers["X-CSRF-Token"] = signed.json()["csrf_token"]
    own = {"old": "correct horse", "new": "horse correct staple"}
    assert client.put("/api/me/password", json=own).status_code == 204
    assert [b["grid_name"] for b in client.get("/api/buildings").json()["items"]] == ["A1"]

    # What is given and taken holds at once.
    more = admin.post(f"{address}/grants", json={"role_code": "grid_leader", "unit_id": city.grids["B2"].id}).json()
    assert [b["grid_name"] for b in client.get("/api/buildings").json()["items"]] == ["A1", "B2"]
    first = next(grant for grant in more["grants"] if grant["unit_name"] == "A1")
    assert admin.delete(f"{address}/grants/{first['id']}").status_code == 204
    assert [b["grid_name"] for b in client.get("/api/buildings").json()["items"]] == ["B2"]
    assert admin.delete(f"{address}/grants/{first['id']}").status_code == 404

    assert admin.put(f"{address}/password", json={"new": "battery staple"}).status_code == 204
    assert client.get("/api/me").status_code == 401
    assert admin.patch(address, json={"active": False}).json()["active"] is False
    again = client.post("/api/signin", json={"username": "chen.min", "password": "battery staple"})
    assert again.status_code == 401
    told = [entry["changes"] for entry in admin.get(f"{address}/history").json()]
    assert {"active": [True, False]} in told
    assert {"password_hash": ["•", "•"], "password_given": [True, False]} in told
    assert {"password_hash": ["•", "•"], "password_given": [False, True]} in told


def test_a_password_that_somebody_else_gave_opens_nothing_but_the_form_for_another(
    city: City, client_for: ClientFor, client: TestClient
) -> None:
    admin = client_for(program=False)
    staff = city.account("community_staff", city.community, "staff.li")
    assert admin.put(f"/api/accounts/{staff.id}/password", json={"new": "given by another"}).status_code == 204

    page = {"accept": "text/html"}
    signed = client.post("/api/signin", json={"username": "staff.li", "password": "given by another"})
    client.headers["X-CSRF-Token"] = signed.json()["csrf_token"]
    refused = client.get("/api/buildings")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:wangge:password-given")
    for path in ("/", "/map", "/households", "/accounts"):
        answer = client.get(path, headers=page, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/password")
    assert "somebody else" in client.get("/password?lang=en", headers=page).text
    typed = {"current": "given by another", "new": "given by another", "again": "given by another"}
    same = client.post("/password", data=typed, headers=page, follow_redirects=False)
    assert same.status_code == 422
    assert "This is the present password." in same.text
    typed |= {"new": "nobody else knows it", "again": "nobody else knows it"}
    done = client.post("/password", data=typed, headers=page, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert client.get("/api/buildings").status_code == 200

    # A token of one's own is no sign-in, and nobody was asked to change what they chose themselves.
    own = accounts.actor(city.session, staff)
    _row, token = accounts.new_api_token(city.session, own, name="nightly")
    staff.password_given = True
    city.session.flush()
    program = {"Authorization": f"Bearer {token}", "cookie": ""}
    assert client.get("/api/buildings", headers=program).status_code == 200


def test_whoever_manages_one_community_cannot_reach_beyond_it(city: City, client_for: ClientFor) -> None:
    local = client_for("administrator", city.community, program=False)
    leader = city.account("grid_leader", city.grids["A1"], "leader")
    boss = city.account("administrator", None, "boss")
    both = city.account("grid_leader", city.grids["B2"], "both")
    other = City.make(city.session, "310102001001")
    accounts.give(city.session, access.SYSTEM, account=both, role_code="grid_leader", unit=other.grids["A1"])

    assert local.get(f"/api/accounts/{boss.id}").status_code == 404
    assert local.put(f"/api/accounts/{boss.id}/password", json={"new": "battery staple"}).status_code == 404
    assert local.get(f"/api/accounts/{leader.id}").status_code == 200
    assert local.put(f"/api/accounts/{leader.id}/password", json={"new": "battery staple"}).status_code == 204

    # An account that also works elsewhere is seen, but its other roles are not, and it cannot be taken over.
    seen = local.get(f"/api/accounts/{both.id}").json()
    assert [grant["unit_id"] for grant in seen["grants"]] == [city.grids["B2"].id]
    assert local.put(f"/api/accounts/{both.id}/password", json={"new": "battery staple"}).status_code in (403, 404)
    assert local.patch(f"/api/accounts/{both.id}", json={"active": False}).status_code in (403, 404)

    address = f"/api/accounts/{leader.id}/grants"
    assert local.post(address, json={"role_code": "grid_leader", "unit_id": other.grids["A1"].id}).status_code == 404
    assert local.post(address, json={"role_code": "administrator", "unit_id": city.district.id}).status_code == 404
    assert local.post(address, json={"role_code": "grid_leader", "unit_id": city.grids["C1"].id}).status_code == 201
    homeless = {"username": "new", "name": "新", "password": "correct horse"}
    assert local.post("/api/accounts", json=homeless).status_code == 422
    assert local.patch("/api/roles/analyst", json={"permissions": ["household.read"]}).status_code == 403


def test_a_role_is_what_its_permissions_say(city: City, client_for: ClientFor, app: FastAPI) -> None:
    admin = client_for(program=False)
    analyst = client_for("analyst", city.community)
    assert analyst.get("/api/households").status_code == 403
    before = next(role for role in admin.get("/api/roles").json() if role["code"] == "analyst")
    wider = [*before["permissions"], "household.read"]
    assert admin.patch("/api/roles/analyst", json={"permissions": wider}).json()["permissions"] == sorted(wider)
    assert analyst.get("/api/households").status_code == 200
    assert admin.patch("/api/roles/analyst", json={"permissions": ["flying"]}).status_code == 422
    assert admin.patch("/api/roles/analyst", json={"permissions": []}).json()["permissions"] == []
    assert analyst.get("/api/buildings").status_code == 403

    body = {"code": "volunteer", "name_zh": "志愿者", "name_en": "Volunteer", "permissions": ["unit.read"]}
    assert admin.post("/api/roles", json=body).status_code == 201
    assert admin.post("/api/roles", json=body).status_code == 409
    assert admin.delete("/api/roles/volunteer").status_code == 204
    used = admin.delete("/api/roles/analyst")
    assert (used.status_code, used.json()["detail"]) == (
        409,
        "仍有账号担任这一角色，请先收回。",
    )
    assert {one["code"] for one in admin.get("/api/permissions").json()} >= {"unit.read", "account.edit"}
