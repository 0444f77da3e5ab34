"""Figures, the ledger and work reports over HTTP: what one may know, and nothing that others recorded elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import uuid4

import openpyxl

from data import visits
from data.base import access, settings
from data.visits import Manner, Outcome
from tests.api.conftest import ClientFor
from tests.city import City

SYSTEM = access.SYSTEM
HTML = {"Accept": "text/html"}


def visited(city: City, *grids: str) -> None:
    for number, grid in enumerate(grids):
        visits.record(
            city.session,
            SYSTEM,
            city.household(grid, room=f"90{number}"),
            uuid=uuid4(),
            manner=Manner.VISIT,
            outcome=Outcome.MET,
            at=datetime.now(UTC) - timedelta(hours=2),
        )
    city.session.flush()


def test_a_number_opens_the_records_behind_it(city: City, client_for: ClientFor) -> None:
    visited(city, "A1", "A1", "A2")
    staff = client_for("community_staff", city.community)
    code = city.community.code
    answer = staff.get("/api/figures/visits", params={"community": code}).json()
    assert answer["number"] == 3
    assert {part["grid_id"]: part["number"] for part in answer["grids"]} == {
        city.grids["A1"].id: 2,
        city.grids["A2"].id: 1,
    }
    shown = staff.get("/api/figures/visits/records", params={"community": code, "grid": city.grids["A1"].code}).json()
    assert len(shown) == 2
    page = staff.get("/figures/visits", params={"grid": city.grids["A1"].code}, headers=HTML).text
    assert page.count("/households/") >= 2
    leader = client_for("grid_leader", city.grids["A1"])
    assert leader.get("/api/figures/visits", params={"community": code}).json()["number"] == 2
    share = staff.get("/api/figures/households_met_share", params={"community": code}).json()
    assert 0 < share["number"] <= 1
    refused = staff.get("/api/figures/households_met_share/records", params={"community": code})
    assert (refused.status_code, "households_met" in refused.json()["detail"]) == (422, True)
    assert staff.get("/api/figures/nosuch", params={"community": code}).status_code == 404


def test_who_may_not_know_people_is_told_no_number_of_them(city: City, client_for: ClientFor) -> None:
    visited(city, "A1")
    planner = client_for("analyst", city.community)
    codes = {figure["code"] for figure in planner.get("/api/figures").json()}
    assert "cases" in codes
    assert "visits" not in codes
    assert planner.get("/api/figures/visits", params={"community": city.community.code}).status_code == 403
    ledger = planner.get("/api/ledger", params={"community": city.community.code}).json()
    assert ledger["total"]["numbers"][ledger["codes"].index("visits")] is None


def test_a_community_sets_the_form_of_its_ledger_and_takes_it_out_as_a_workbook(
    city: City, client_for: ClientFor
) -> None:
    visited(city, "A1", "B1")
    staff = client_for("community_staff", city.community)
    code = {"community": city.community.code}
    form = {"title": "台账", "by": "grid", "columns": [{"code": "visits", "heading": "走访"}, {"code": "cases"}]}
    answer = staff.put("/api/ledger/form", params=code, json=form)
    if answer.status_code == 403:  # who keeps the units keeps the form
        staff = client_for("administrator", city.community)
        answer = staff.put("/api/ledger/form", params=code, json=form)
    assert answer.json()["columns"][0] == {"code": "visits", "heading": "走访"}
    drawn = staff.get("/api/ledger", params=code).json()
    assert (drawn["headings"][0], drawn["total"]["numbers"][0]) == ("走访", 2)
    book = openpyxl.load_workbook(BytesIO(staff.get("/ledger.xlsx").content))
    assert (book.worksheets[0]["A1"].value, book.worksheets[0]["B3"].value) == ("台账", "走访")
    bad = staff.put("/api/ledger/form", params=code, json={**form, "columns": [{"code": "nosuch"}]})
    assert bad.status_code == 404
    assert staff.get("/api/ledger/form", params=code).json()["title"] == "台账"


def test_a_report_is_drafted_sent_taken_note_of_and_stays_with_those_it_is_for(
    city: City, client_for: ClientFor
) -> None:
    visited(city, "A1")
    leader, other = client_for("grid_leader", city.grids["A1"]), client_for("grid_leader", city.grids["A2"])
    day = settings.today().isoformat()
    new = {"unit_id": city.grids["A1"].id, "kind": "week", "day": day}
    brief = leader.post("/api/briefs", json=new).json()
    assert {one["code"]: one["told"] for one in brief["numbers"]}["visits"] == 1
    again = leader.post("/api/briefs", json=new)
    assert (again.status_code, "these days already" in again.json()["detail"]) == (409, True)
    assert other.get(f"/api/briefs/{brief['id']}").status_code == 404
    assert other.post("/api/briefs", json=new).status_code in (403, 404)
    leader.patch(f"/api/briefs/{brief['id']}", json={"title": "周报", "words": "一切如常"})
    assert leader.post(f"/api/briefs/{brief['id']}/send").json()["state"] == "sent"
    staff = client_for("community_staff", city.community)
    note = staff.post(f"/api/briefs/{brief['id']}/receive", json={"answer": "已阅"}).json()
    assert (note["state"], note["answer"]) == ("received", "已阅")
    assert [one["title"] for one in leader.get("/api/briefs").json()["items"]] == ["周报"]
    assert other.get("/api/briefs").json()["items"] == []
    page = leader.get(f"/briefs/{brief['id']}", headers=HTML).text
    assert "已阅" in page
