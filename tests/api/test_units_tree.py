"""Who may change the tree of units, and what "everywhere" means: it is given, and nobody else's doing changes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from data import accounts, migrations, units
from data.base import access, db
from data.base.cluster import Cluster
from data.base.errors import Conflict
from tests.api.conftest import ClientFor, TestClient
from tests.city import City


def body(level: str, parent: units.Unit | None, code: str = "310199") -> dict[str, Any]:
    return {"level": level, "code": code, "name": "新", "parent_id": parent.id if parent else None}


def everywhere(client: TestClient) -> bool:
    where = client.get("/api/me").json()["permissions"]
    return bool(where["unit.edit"]["everywhere"])


def test_another_district_does_not_change_what_everywhere_means(city: City, client_for: ClientFor) -> None:
    admin, local = client_for(program=False), client_for("administrator", city.district)
    assert (everywhere(admin), everywhere(local)) == (True, False)
    assert admin.post("/api/units", json=body("district", None)).status_code == 201
    assert (everywhere(admin), everywhere(local)) == (True, False)
    assert admin.patch("/api/roles/analyst", json={"name_en": "Analyst of all"}).status_code == 200


@pytest.mark.parametrize("level", ["district", "street", "community"])
def test_only_who_has_the_unit_above_adds_below_it(city: City, client_for: ClientFor, level: str) -> None:
    parent = {"district": None, "street": city.district, "community": city.street}[level]
    before = set(city.session.scalars(select(units.Unit.id)))
    for role, unit in (("administrator", city.community), ("administrator", city.grids["A1"])):
        answer = client_for(role, unit).post("/api/units", json=body(level, parent))
        assert answer.status_code in (403, 404), answer.text
    if parent is not None:
        other = City.make(city.session, "310102001001")
        before |= set(city.session.scalars(select(units.Unit.id)))
        assert (
            client_for("administrator", other.district).post("/api/units", json=body(level, parent)).status_code == 404
        )
        made = client_for("administrator", parent).post("/api/units", json=body(level, parent))
        assert made.status_code == 201, made.text
    else:
        assert client_for("administrator", city.district).post("/api/units", json=body(level, None)).status_code == 403
        assert client_for(program=False).post("/api/units", json=body(level, None)).status_code == 201
    assert len(set(city.session.scalars(select(units.Unit.id)))) == len(before) + 1


def test_who_has_a_unit_changes_it_and_what_lies_in_it_and_nothing_above(city: City, client_for: ClientFor) -> None:
    local = client_for("administrator", city.community)
    named = {"name": "改"}
    for unit in (city.street, city.district):
        assert local.patch(f"/api/units/{unit.id}", json=named).status_code == 403
        assert local.post(f"/units/{unit.id}", data=named | {"code": unit.code}).status_code in (403, 409, 422)
        assert local.delete(f"/api/units/{unit.id}").status_code == 403
    for unit in (city.community, city.grids["A1"]):
        assert local.patch(f"/api/units/{unit.id}", json=named).status_code == 200
    # Its code, and whether it is there at all, is decided above it.
    assert local.patch(f"/api/units/{city.community.id}", json={"code": "9"}).status_code == 403
    assert local.delete(f"/api/units/{city.community.id}").status_code == 403
    assert local.patch(f"/api/units/{city.grids['A1'].id}", json={"code": "9"}).status_code == 200
    street = client_for("administrator", city.street)
    assert street.patch(f"/api/units/{city.street.id}", json=named).status_code == 200
    assert street.patch(f"/api/units/{city.community.id}", json={"code": "310101001099"}).status_code == 200
    district = client_for("administrator", city.district)
    assert district.patch(f"/api/units/{city.district.id}", json=named).status_code == 403
    assert client_for(program=False).patch(f"/api/units/{city.district.id}", json=named).status_code == 200


def test_everywhere_is_given_only_by_who_has_it(city: City, client_for: ClientFor) -> None:
    account = city.account("analyst", city.grids["A1"])
    address, wanted = f"/api/accounts/{account.id}/grants", {"role_code": "analyst", "unit_id": None}
    for unit in (city.community, city.district):
        assert client_for("administrator", unit, program=False).post(address, json=wanted).status_code == 403
    admin = client_for(program=False)
    assert admin.post(address, json={"role_code": "analyst"}).status_code == 422
    assert admin.post(address, json=wanted).json()["grants"][0]["unit_id"] is None
    assert admin.post(address, json=wanted).status_code == 409
    # What holds everywhere is not seen, and the account not managed, by who has a part.
    local = client_for("administrator", city.street, program=False)
    assert [grant["unit_id"] for grant in local.get(f"/api/accounts/{account.id}").json()["grants"]] == [
        city.grids["A1"].id
    ]
    assert local.patch(f"/api/accounts/{account.id}", json={"active": False}).status_code == 403


def by_taking(admin: TestClient, account: accounts.Account, grant_id: int) -> int:
    return admin.delete(f"/api/accounts/{account.id}/grants/{grant_id}").status_code


def by_emptying(admin: TestClient, _account: accounts.Account, _grant_id: int) -> int:
    return admin.patch("/api/roles/administrator", json={"permissions": []}).status_code


def by_leaving_out(admin: TestClient, _account: accounts.Account, _grant_id: int) -> int:
    role = next(one for one in admin.get("/api/roles").json() if one["code"] == "administrator")
    fewer = [code for code in role["permissions"] if code != "unit.edit"]
    return admin.patch("/api/roles/administrator", json={"permissions": fewer}).status_code


def by_page(admin: TestClient, _account: accounts.Account, _grant_id: int) -> int:
    return admin.post("/roles", data={"permit": ["administrator:unit.read"]}).status_code


@pytest.mark.parametrize("loss", [by_taking, by_emptying, by_leaving_out, by_page])
def test_the_last_administrator_role_is_neither_taken_nor_emptied(
    city: City, client_for: ClientFor, loss: Callable[[TestClient, accounts.Account, int], int]
) -> None:
    admin = client_for(program=False)
    (account,) = city.session.scalars(select(accounts.Account).where(accounts.Account.username.like("administrator%")))
    (grant,) = accounts.grants(city.session, account.id)
    assert loss(admin, account, grant["id"]) == 409
    assert accounts.somebody_administers(city.session)
    other = city.account("administrator", None, "other")
    assert other.active
    if loss is by_taking:
        assert by_taking(admin, account, grant["id"]) == 204


def test_what_the_last_administrator_may_do_moves_to_another_role_in_one_save(
    city: City, client_for: ClientFor
) -> None:
    admin = client_for(program=False)
    (account,) = city.session.scalars(select(accounts.Account).where(accounts.Account.username.like("administrator%")))
    held = next(one for one in admin.get("/api/roles").json() if one["code"] == "administrator")["permissions"]
    assert admin.post("/api/roles", json={"code": "z_other", "name_zh": "其他", "name_en": "Other"}).status_code == 201
    moved = [f"z_other:{code}" for code in held]
    assert admin.post("/roles", data={"permit": moved}).status_code == 409, "nobody has the other role yet"
    accounts.give(city.session, access.SYSTEM, account=account, role_code="z_other", unit=None)
    assert admin.post("/roles", data={"permit": moved}, follow_redirects=False).status_code == 303
    assert accounts.somebody_administers(city.session)


def test_the_last_administrator_is_not_closed(city: City) -> None:
    last = city.account("administrator", None, "last")
    with pytest.raises(Conflict, match="Then nobody could administer everything"):
        accounts.change(city.session, access.SYSTEM, last, active=False)


def test_who_had_every_district_and_the_right_to_manage_keeps_everywhere(cluster: Cluster) -> None:
    name = "wangge_before_everywhere"
    cluster.drop_database(name)
    cluster.create_database(name)
    engine = db.make_engine(cluster.dsn(name))
    try:
        upgrade(engine, "0011")
        with engine.begin() as connection:
            connection.execute(text(BEFORE))
        upgrade(engine, "head")
        with Session(engine) as session:
            held = session.execute(
                select(accounts.Account.username, accounts.Grant.role_code, accounts.Grant.unit_id)
                .join(accounts.Grant, accounts.Grant.account_id == accounts.Account.id)
                .order_by(accounts.Account.id, accounts.Grant.unit_id)
            ).all()
        assert [tuple(row) for row in held] == [
            ("both", "boss", None),
            ("half", "boss", 1),
            ("watcher", "watcher", 1),
            ("watcher", "watcher", 2),
        ]
    finally:
        engine.dispose()
        cluster.drop_database(name)


def upgrade(engine: Engine, revision: str) -> None:
    config = migrations._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


BEFORE = """
INSERT INTO unit (id, level, code, name, path)
VALUES (1, 'district', '1', '甲', '{1}'), (2, 'district', '2', '乙', '{2}');
INSERT INTO account (id, username, name, password_hash)
VALUES (1, 'both', 'both', ''), (2, 'half', 'half', ''), (3, 'watcher', 'watcher', '');
INSERT INTO permission VALUES ('account.edit', '', ''), ('building.read', '', '');
INSERT INTO role (code, name_zh, name_en) VALUES ('boss', '', ''), ('watcher', '', '');
INSERT INTO role_permission VALUES ('boss', 'account.edit'), ('watcher', 'building.read');
INSERT INTO "grant" (account_id, role_code, unit_id)
VALUES (1, 'boss', 1), (1, 'boss', 2), (2, 'boss', 1), (3, 'watcher', 1), (3, 'watcher', 2)
"""
