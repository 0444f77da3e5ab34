"""Masked is not hidden if it can be asked for: a guesser who may see and edit people, masked, asks everything.

The fields are those that the code itself calls personal: ``sensitive`` in ``fields.csv``, and the columns that are
encrypted or ``Personal``. Each is given a value, and the product is asked for that value and for another one that is
shown alike: whatever it answers, it must answer the same to both. A new personal field is attacked without a new test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, select
from sqlalchemy import inspect as mapping_of
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors

from data import accounts, buildings, households, incidents
from data.base import access, identity, reference, secrets
from data.base.access import SYSTEM, Actor
from data.base.audit import Audit
from data.base.errors import Forbidden
from data.exchange import importing, outgoing
from data.households import Household, Resident, Tenancy, homes, residents, tenancies
from data.incidents import Incident
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

PERSONAL = (secrets.Encrypted, secrets.Personal, secrets.PersonalDay)
TABLES: dict[str, type[Any]] = {"residents": Resident, "households": Household, "tenancies": Tenancy}
#: Sensitive in a file → the column it becomes; a list of members is their names.
BECOMES = {"head_name": "name", "members": "name"}

DIVISION = "110105"


def _numbers() -> tuple[str, str]:
    """Two identity numbers of one year that are shown alike."""
    first = identity.make(DIVISION, date(1970, 1, 2), 1, identity.Sex.FEMALE)
    days = (date(1970, month, day) for month in range(2, 13) for day in range(1, 29))
    others = (identity.make(DIVISION, day, 1, identity.Sex.FEMALE) for day in days)
    return first, next(other for other in others if other[-4:] == first[-4:])


#: Of each type: what is there, and what is shown alike.
PAIRS: dict[str, tuple[Any, Any]] = {
    "identity_number": _numbers(),
    "phone": ("13800006021", "13899996021"),
    "landlord_phone": ("13800006021", "13899996021"),
    "permit_number": ("3101888800002417", "3101888899992417"),
    "born_on": ("1970-01-02", "1970-09-08"),
}
WORDS = ("江城区临江街道梧桐路", "江城区临江街道槐树路")


def personal(table: type[Any]) -> list[str]:
    """The personal columns of a table."""
    return [column.key for column in mapping_of(table).column_attrs if isinstance(column.columns[0].type, PERSONAL)]


FIELDS = [(kind, field) for kind, table in TABLES.items() for field in personal(table)]


def pair(field: str) -> tuple[Any, Any]:
    """The value that is there, and another that is shown alike."""
    found = PAIRS.get(field, ("李小明", "李大红") if field.endswith("name") else WORDS)
    there, other = (date.fromisoformat(value) if field == "born_on" else value for value in found)
    assert households.masked({field: there}) == households.masked({field: other}), f"give a pair for {field}"
    return found


@pytest.fixture
def home(city: City) -> Household:
    """A household with a member besides its head."""
    home = city.household("B2", room="201", phone="13011112222")
    city.resident(home, name="王芳")
    return home


def furnish(city: City, home: Household, kind: str, field: str, value: Any) -> int:
    """The record of a kind that holds the value; returns its id."""
    if field == "born_on":
        value = date.fromisoformat(value)
    if kind == "residents":
        person = city.session.scalar(select(Resident).where(Resident.household_id == home.id, Resident.name == "王芳"))
        assert person is not None
        return residents.change_resident(city.session, SYSTEM, person, **{field: value}).id
    if kind == "households":
        return households.change(city.session, SYSTEM, home, **{field: value}).id
    door = city.session.get_one(buildings.Dwelling, home.dwelling_id)
    values = {"landlord_name": "赵敏", "landlord_phone": "13122223333", field: value}
    return households.add_tenancy(city.session, SYSTEM, door, first=date(2020, 1, 1), **values).id


@pytest.fixture
def guesser(city: City, client_for: ClientFor) -> TestClient:
    """Somebody who sees and edits everybody, masked, and exports."""
    client = client_for("information_officer", city.community)
    account = city.session.scalar(
        select(accounts.Account).where(accounts.Account.username == f"information_officer.{city.community.code}")
    )
    assert account is not None
    accounts.give(city.session, SYSTEM, account=account, role_code="supervisor", unit=city.community)
    return client


def answered(answer: Any, guess: Any) -> tuple[int, str]:
    """An answer without what tells only which question it was."""
    said = answer.text.replace(str(guess), "?")
    said = re.sub(r'"(id|record_id|request_id|updated_at|created_at|at|instance)":\s*("[^"]*"|\d+)', "", said)
    return answer.status_code, re.sub(r'name="csrf_token" value="[^"]*"|nonce="[^"]*"|found=[\w-]+', "", said)


Surface = Callable[[TestClient, City, Household, str, int, str, Any], list[Any]]


def by_search(client: TestClient, city: City, home: Household, kind: str, at: int, field: str, guess: Any) -> list[Any]:
    """The search of the top bar, with and without a purpose, and that of the residents' page."""
    found = [client.post("/api/search", json={"q": guess}), client.post("/api/search", json={"q": guess[:2]})]
    found.append(client.post("/api/search", json={"q": guess, "purpose": "电话核对住址", "limit": 50}))
    page = client.post("/residents/search", data={"person": guess, "purpose": "电话核对住址"}, follow_redirects=True)
    return [*(answered(one, guess) for one in found), answered(page, guess)]


def by_lists(client: TestClient, city: City, home: Household, kind: str, at: int, field: str, guess: Any) -> list[Any]:
    """Lists with their counts, filters and orders, and exports."""
    asked: list[Any] = []
    for layer in TABLES:
        for parameter in ("q", "sort", field, "person", "name"):
            asked.append(client.get(f"/api/{layer}", params={parameter: guess}))
            asked.append(client.get(f"/api/export/{layer}", params={parameter: guess, "format": "csv"}))
        asked.append(client.get(f"/api/{layer}", params={"sort": field}))
        asked.append(client.get(f"/api/{layer}", params={"twins": "true"}))
    asked += [client.get("/api/incidents", params={"q": guess}), client.get("/api/buildings", params={"q": guess})]
    return [answered(one, guess) for one in asked]


def by_adding(client: TestClient, city: City, home: Household, kind: str, at: int, field: str, guess: Any) -> list[Any]:
    """A new record that says it, also in another grid: no conflict tells that it is there."""
    bodies: dict[str, dict[str, Any]] = {
        "residents": {"household_id": home.id, "name": "王大", field: guess},
        "households": {"dwelling_id": home.dwelling_id, "number": "G-1", field: guess},
        "tenancies": {
            "dwelling_id": home.dwelling_id,
            "landlord_name": "赵大",
            "valid_from": "2021-01-01",
            field: guess,
        },
    }
    answer = client.post(f"/api/{kind}", json=bodies[kind])
    assert answer.status_code == 201, answer.text
    past = client.get(f"/api/{kind}/{answer.json()['id']}/history")
    shown = answered(answer, guess)
    # It is taken away again, and the next one counts on as if there had been one attempt.
    assert client.delete(f"/api/{kind}/{answer.json()['id']}").status_code == 204
    again = client.post(f"/api/{kind}", json={**bodies[kind], field: pair(field)[1]})
    step = again.json()["id"] - answer.json()["id"]
    client.delete(f"/api/{kind}/{again.json()['id']}")
    return [shown, answered(past, guess), step]


def by_changing(
    client: TestClient, city: City, home: Household, kind: str, at: int, field: str, guess: Any
) -> list[Any]:
    """The record that holds it, told to hold it: neither its version nor its history tells whether it did."""
    address = f"/api/{kind}/{at}"
    before = client.get(address).headers["etag"]
    answer = client.patch(address, json={field: guess})
    past = client.get(f"{address}/history").json()
    return [answered(answer, guess), before == answer.headers["etag"], len(past), past[0]["changes"]]


@pytest.mark.parametrize("surface", [by_search, by_lists, by_adding, by_changing])
@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_guess_that_is_right_is_answered_like_one_that_is_wrong(
    city: City, home: Household, guesser: TestClient, kind: str, field: str, surface: Surface
) -> None:
    there, other = pair(field)
    at = furnish(city, home, kind, field, there)
    with city.session.begin_nested() as tried:
        right = surface(guesser, city, home, kind, at, field, there)
        tried.rollback()
    city.session.expire_all()
    wrong = surface(guesser, city, home, kind, at, field, other)
    assert right == wrong


def test_what_files_call_sensitive_is_a_personal_column_and_leaves_masked() -> None:
    columns = {field for _kind, field in FIELDS}
    for row in reference.rows("fields"):
        if row["sensitive"]:
            name = BECOMES.get(row["field"], row["field"])
            assert name in columns, row
            assert name in households.MASKS, row
    assert columns <= set(households.MASKS)
    assert personal(Incident) == ["contact"]
    assert "contact" not in incidents.selection(SYSTEM).selected_columns
    assert not columns & set(incidents.selection(SYSTEM).selected_columns.keys())


def test_nothing_is_sorted_by_what_is_personal() -> None:
    orders: list[Any] = [
        order for sorts in (homes.SORTS, residents.SORTS, tenancies.SORTS, incidents.SORTS) for order in sorts.values()
    ]
    orders += [order for layer in outgoing.LAYERS.values() for order in layer.order]
    for order in orders:
        expression = order.__clause_element__() if hasattr(order, "__clause_element__") else order
        columns = [one for one in visitors.iterate(expression) if isinstance(one, Column)]
        assert not any(isinstance(column.type, PERSONAL) for column in columns), str(order)


def test_members_stand_in_no_order_that_tells_a_birthday(city: City, home: Household) -> None:
    first = city.resident(home, name="赵一", born_on=date(1980, 6, 1))
    second = city.resident(home, name="赵二", born_on=date(1980, 2, 1))
    order = [one.id for one in households.members(city.session, SYSTEM, home.id)]
    assert order.index(first.id) < order.index(second.id)


def importer(city: City, *more: str) -> Actor:
    """Somebody who may import and edit people of the community, and what else is said."""
    area = access.Area(communities=frozenset({city.community.id}))
    return Actor(permissions=dict.fromkeys(("exchange.import", "household.edit", access.PEOPLE, *more), area))


@pytest.mark.parametrize("kind", ["residents", "households"])
def test_an_import_of_people_and_its_trial_need_the_right_to_see_them(
    city: City, home: Household, tmp_path: Path, kind: str
) -> None:
    there, _other = pair("identity_number")
    furnish(city, home, "residents", "identity_number", there)
    path = tmp_path / "people.csv"
    path.write_text(
        f"户号,户主姓名,姓名,身份证号,住址\nWT-B2-201,王芳,王芳,{there},锦绣路12弄5号楼1单元201室\n", "utf-8"
    )
    for trial in (True, False):
        with pytest.raises(Forbidden):
            importing.run(city.session, importer(city), kind, path, city.community, dry_run=trial)
    importing.run(city.session, importer(city, "person.unmask"), kind, path, city.community, dry_run=True)
    row = city.session.scalars(select(Audit).where(Audit.action == "import")).one()
    assert (row.record_kind, row.changes["trial"]) == (kind, [None, True])


def recorded(session: Session) -> list[Audit]:
    """What was looked up."""
    return list(session.scalars(select(Audit).where(Audit.action == households.LOOKUP).order_by(Audit.id)))


def test_a_number_is_looked_up_for_a_purpose_and_recorded(city: City, home: Household, client_for: ClientFor) -> None:
    at = furnish(city, home, "residents", "phone", "13800006021")
    leader = client_for("grid_leader", city.grids["B2"])
    assert leader.post("/api/search", json={"q": "13800006021"}).json()["results"] == []
    assert not recorded(city.session)
    asked = {"q": "13800006021", "purpose": "电话核对住址"}
    assert [one["id"] for one in leader.post("/api/search", json=asked).json()["results"]] == [at]
    (row,) = recorded(city.session)
    assert (row.record_kind, row.record_id, row.community_id) == ("resident", at, city.community.id)
    assert row.purpose == "电话核对住址"
    assert "13800006021" not in str(row.changes)
    page = leader.post("/residents/search", data={"person": "13800006021"}, follow_redirects=True)
    assert page.status_code == 422
    assert f"/residents/{at}" not in page.text
    page = leader.post(
        "/residents/search", data={"person": "13800006021", "purpose": "电话核对住址"}, follow_redirects=True
    )
    assert f"/residents/{at}" in page.text
    assert leader.post("/api/search", json={"q": "13999999999", "purpose": "核对"}).json()["results"] == []
    assert [one.record_id for one in recorded(city.session)] == [at, at, None]
    assert recorded(city.session)[-1].community_id == city.community.id


def test_a_leader_looks_up_nobody_of_another_grid(city: City, home: Household, client_for: ClientFor) -> None:
    furnish(city, home, "residents", "phone", "13800006021")
    leader = client_for("grid_leader", city.grids["A1"])
    asked = {"q": "13800006021", "purpose": "电话核对住址"}
    assert leader.post("/api/search", json=asked).json()["results"] == []
    assert client_for("supervisor", city.community).post("/api/search", json=asked).status_code == 403


def test_an_account_looks_up_so_many_numbers_an_hour(
    city: City, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.households.lookups.LOOKUPS", 3)
    leader, other = client_for("grid_leader", city.grids["A1"]), client_for("grid_leader", city.grids["B2"])
    answers = [
        leader.post("/api/search", json={"q": f"1380000{number:04}", "purpose": "核对"}).status_code
        for number in range(5)
    ]
    assert answers == [200, 200, 200, 429, 429]
    assert (
        leader.post(
            "/residents/search", data={"person": "13800000000", "purpose": "核对"}, follow_redirects=True
        ).status_code
        == 429
    )
    assert other.post("/api/search", json={"q": "13800000000", "purpose": "核对"}).status_code == 200


def test_a_number_of_another_grid_is_no_conflict_and_whoever_sees_both_is_told(
    city: City, home: Household, client_for: ClientFor
) -> None:
    there, _other = pair("identity_number")
    first = furnish(city, home, "residents", "identity_number", there)
    near = city.session.scalar(select(Household).where(Household.number == "WT-A1-101"))
    assert near is not None
    leader = client_for("grid_leader", city.grids["A1"])
    added = leader.post("/api/residents", json={"household_id": near.id, "name": "李四", "identity_number": there})
    assert added.status_code == 201
    # Who sees both is told of the twin, and of a third as a conflict.
    staff = client_for("community_staff", city.community)
    twins = staff.get("/api/residents", params={"twins": "true"}).json()["items"]
    assert [one["id"] for one in twins] == [added.json()["id"]]
    third = staff.post("/api/residents", json={"household_id": near.id, "name": "李五", "identity_number": there})
    assert third.status_code == 409
    officer = client_for("information_officer", city.community)
    assert officer.get("/api/residents", params={"twins": "true"}).json()["items"] == []
    # Once the first is gone, the other can be said anew and is none any more.
    assert staff.delete(f"/api/residents/{first}").status_code == 204
    address = f"/api/residents/{added.json()['id']}"
    assert staff.patch(address, json={"identity_number": there}).status_code == 200
    assert staff.get("/api/residents", params={"twins": "true"}).json()["items"] == []


def test_a_name_is_found_in_full_only_where_names_are_shown_in_full(
    city: City, home: Household, client_for: ClientFor
) -> None:
    for name in ("李大红", "李大红", "李晓明"):
        city.resident(home, name=name)
    officer = client_for("information_officer", city.community)
    found = [
        [one["id"] for one in officer.post("/api/search", json={"q": q, "limit": 50}).json()["results"]]
        for q in ("李大红", "李小明", "李甲乙", "李**")
    ]
    assert found[0] == found[1] == found[2] == found[3] != []
    assert officer.post("/api/search", json={"q": "大红"}).json()["results"] == []
    leader = client_for("grid_leader", city.grids["B2"])
    assert len(leader.post("/api/search", json={"q": "大红"}).json()["results"]) == 2
