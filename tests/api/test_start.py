"""The first page of a new community: what is there, what is to do, and where it is done."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from data import teams, units
from data.base import access
from data.teams import Post
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

PAGE = {"accept": "text/html"}


def steps(client: TestClient) -> dict[str, tuple[bool, str, list[str]]]:
    """The title of each step → whether it is done, what it says, and where it leads."""
    client.cookies.set("wangge_language", "en")
    found = {}
    for item in re.findall(r'<li class="sheet(.*?)</li>', client.get("/start", headers=PAGE).text, re.DOTALL):
        title = re.search(r"<h2>(.*?) <small", item)
        says = re.search(r"<p>(.*?)</p>", item)
        assert title
        assert says
        found[title[1]] = ("is-there" in item, says[1], re.findall(r'href="([^"]*)"', item))
    return found


def bare(session: Session) -> dict[units.Level, units.Unit]:
    """A district, a street and a community in which there is nothing."""
    made: dict[units.Level, units.Unit] = {}
    parent = None
    for level, code in zip(units.Level, ("310103", "310103001", "310103001001"), strict=False):
        parent = made[level] = units.add(session, access.SYSTEM, level=level, code=code, name=code, parent=parent)
    return made


def test_a_bare_community_begins_with_its_steps_and_no_empty_map(client_for: ClientFor, session: Session) -> None:
    community = bare(session)[units.Level.COMMUNITY]
    client = client_for("administrator", community)
    answer = client.get("/map", headers=PAGE, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/start")
    told = steps(client)
    assert list(told) == ["Draw the boundary", "Bring in the buildings", "Bring in the people", "Name the team"]
    assert not any(done for done, _says, _links in told.values())
    assert told["Draw the boundary"][2] == ["/exchange/import?kind=grids", f"/units/new?parent={community.id}"]
    for _done, _says, links in told.values():
        for link in links:
            assert client.get(link, headers=PAGE).status_code == 200, link


def test_each_step_is_done_when_what_it_asks_for_is_there(client_for: ClientFor, city: City) -> None:
    client = client_for("administrator", city.community)
    assert client.get("/map", headers=PAGE, follow_redirects=False).status_code == 200
    told = steps(client)
    assert {title: done for title, (done, _says, _links) in told.items()} == {
        "Draw the boundary": True,
        "Bring in the buildings": True,
        "Bring in the people": True,
        "Name the team": False,
    }
    assert told["Name the team"][1].startswith("0 of 9 grids have a leader.")
    for grid in city.grids.values():
        teams.appoint(city.session, access.SYSTEM, grid, post=Post.LEADER, name="陈敏")
    told = steps(client)
    assert told["Name the team"][1] == "9 of 9 grids have a leader. 1 person can sign in."
    assert all(done for done, _says, _links in told.values())
    assert "All is there." in client.get("/start", headers=PAGE).text


def test_who_may_change_nothing_is_told_who_does_it(client_for: ClientFor, city: City) -> None:
    told = steps(client_for("building_warden", city.community))
    assert "Bring in the people" not in told
    assert told["Name the team"][2] == ["/grids"]


def test_where_there_is_no_community_the_first_step_is_to_add_one(client_for: ClientFor, session: Session) -> None:
    district = units.add(session, access.SYSTEM, level=units.Level.DISTRICT, code="310103", name="新区")
    assert steps(client_for("administrator", district)) == {
        "Add the community": (
            False,
            "A district first, below it the street, below that the community with its code.",
            ["/units/new"],
        )
    }
