"""The audit tells who changed which fields; values only to those who may read the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from data import households, incidents
from data.base.access import SYSTEM
from data.base.audit import HIDDEN
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

SECRETS = ("常年在外", "锦绣路99弄", "教师", "三楼王阿姨说的", "梧桐路7号")


@pytest.fixture
def written(city: City) -> None:
    """Notes, addresses and words of people and cases, that somebody wrote."""
    home = city.household("B2", room="301", address="锦绣路99弄", note="常年在外")
    city.resident(home, name="王芳", occupation="教师", note="常年在外")
    case = city.incident(50, 50, description="三楼王阿姨说的", address="梧桐路7号")
    incidents.change(city.session, SYSTEM, case, description="三楼王阿姨说的，又一次")
    households.change(city.session, SYSTEM, home, note="常年在外，春节回来")
    city.session.flush()


def entries(client: TestClient) -> list[dict[str, Any]]:
    """The audit as far as it goes."""
    answer = client.get("/api/audit", params={"limit": 200})
    assert answer.status_code == 200
    return list(answer.json()["items"])


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize("place", [lambda city: city.community, lambda city: city.district])
def test_an_auditor_reads_which_fields_changed_and_no_values(
    city: City, client_for: ClientFor, place: Callable[[City], Any]
) -> None:
    auditor = client_for("auditor", place(city))
    said = entries(auditor)
    kinds = {one["record_kind"] for one in said}
    assert {"household", "resident", "incident"} <= kinds
    assert not any(secret in str(said) for secret in SECRETS)
    for one in said:
        if one["record_kind"] in ("household", "resident", "incident", "dwelling"):
            assert all(pair == [HIDDEN, HIDDEN] for pair in one["changes"].values()), one
    note = next(
        one for one in said if one["record_kind"] == "household" and one["action"] == "update" and one["changes"]
    )
    assert set(note["changes"]) == {"note"} or "head_id" in note["changes"]
    for address in ("/audit", "/audit?record_kind=household", "/audit?record_kind=incident"):
        page = auditor.get(address)
        assert page.status_code == 200
        assert not any(secret in page.text for secret in SECRETS)


@pytest.mark.usefixtures("written")
def test_who_may_read_the_records_reads_their_values_in_the_audit(city: City, client_for: ClientFor) -> None:
    said = str(entries(client_for("administrator", city.district)))
    assert all(secret in said for secret in SECRETS)
    assert "王芳" not in said


@pytest.mark.usefixtures("written")
def test_an_auditor_begins_with_the_audit_and_chooses_a_person(city: City, client_for: ClientFor) -> None:
    auditor = client_for("auditor", city.community)
    assert auditor.get("/", follow_redirects=False).headers["location"] == "/audit"
    case = city.incident(50, 50)
    staff = client_for("community_staff", city.community)
    assert staff.patch(f"/api/incidents/{case.id}", json={"address": "梧桐路9号"}).status_code == 200
    one = next(entry for entry in entries(auditor) if entry["account_id"])
    page = auditor.get("/audit", params={"account_id": one["account_id"], "action": ""})
    assert page.status_code == 200
    assert f'<option value="{one["account_id"]}" selected>' in page.text
    chosen = auditor.get("/api/audit", params={"account_id": one["account_id"], "limit": 200}).json()["items"]
    assert {entry["account_id"] for entry in chosen} == {one["account_id"]}
    assert auditor.get("/audit", params={"account_id": ""}).status_code == 200
