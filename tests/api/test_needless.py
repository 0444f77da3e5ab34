"""Needless work: anybody says so at the foot of a page, the office sees of which page, and nobody sees from whom."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from data import needless
from data.base.errors import NotFound
from tests.api.conftest import ClientFor
from tests.city import City


def test_what_is_said_names_the_page_and_nobody(city: City, client_for: ClientFor) -> None:
    home = city.household("A1", room="901")
    leader = client_for("grid_leader", city.grids["A1"], program=False)
    page = leader.get(f"/households/{home.id}").text
    assert 'action="/needless"' in page
    audit = "SELECT count(*) FROM audit"
    before = city.session.scalar(text(audit))
    typed = {"page": f"/households/{home.id}?x=1", "sentence": "户籍系统里已有"}
    answer = leader.post("/needless", data=typed)
    assert answer.status_code == 303
    row = city.session.execute(text("SELECT to_jsonb(n) AS note FROM needless_note n")).one().note
    assert set(row) == {"id", "community_id", "page", "sentence", "said_on"}
    assert row["page"] == "/households/…"
    assert city.session.scalar(text(audit)) == before
    office = client_for("community_staff", city.community, program=False)
    assert "户籍系统里已有" in office.get("/needless").text
    assert leader.get("/needless").status_code == 403
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    stranger = client_for("community_staff", elsewhere.community, program=False)
    assert "户籍系统里已有" not in stranger.get("/needless").text


def test_an_address_of_another_server_is_not_gone_to(city: City, client_for: ClientFor) -> None:
    leader = client_for("grid_leader", city.grids["A1"], program=False)
    answer = leader.post("/needless", data={"page": "//evil.example/x"}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_what_names_a_record_is_left_out() -> None:
    assert needless.kind_of("/r/ABC123") == "/r/…"
    assert needless.kind_of("/visits/record/17?from=x#y") == "/visits/record/…"


def test_nobody_speaks_of_the_pages_of_another_community(city: City) -> None:
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    with pytest.raises(NotFound):
        needless.say(city.session, city.actor("grid_leader", city.grids["A1"]), elsewhere.community.id, path="/map")
