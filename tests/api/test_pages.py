"""Pages: lists are those of the API, forms lose nothing, and the database is asked a fixed number of times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, func, select
from sqlalchemy.orm import Session

from api.base import deps, words
from api.base.page import inside
from data import accounts
from data.base import access, language
from data.buildings import Building
from data.households import Household, HouseholdGroup, Resident
from tests.api.conftest import ClientFor
from tests.api.walls import walked
from tests.city import City, degrees

PAGE = {"accept": "text/html"}


def page(client: TestClient, address: str, **more: Any) -> str:
    answer = client.get(address, headers=PAGE, **more)
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def in_english(client: TestClient) -> TestClient:
    client.cookies.set("wangge_language", "en")
    return client


def ids(html: str, kind: str) -> list[int]:
    """The ids of the rows of a list, in their order."""
    return [int(found) for found in re.findall(rf'<tr data-href="/{kind}/(\d+)"', html)]


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """The statements that are run inside the block."""
    run: list[str] = []
    engine = session.get_bind()
    assert not isinstance(engine, Engine)

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        run.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield run
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("units", ""),
        ("units", "level=grid&q=B"),
        ("grids", "sort=-code"),
        ("buildings", "sort=-code"),
        ("buildings", "grid=310101001001005"),
        ("buildings", "q=12弄3"),
        ("dwellings", "use=owner"),
        ("households", ""),
        ("households", "group=*"),
        ("households", "grid=310101001001001&located=true"),
        ("residents", "sort=-household"),
        ("residents", "status=registered"),
        ("tenancies", ""),
        ("incidents", "state=new,in_progress"),
        ("incidents", "category=environment"),
        ("incidents", "state=none"),
    ],
)
def test_a_list_shows_what_the_api_lists(client_for: ClientFor, city: City, kind: str, query: str) -> None:
    client = client_for("community_staff", city.community)
    listed = client.get(f"/api/{kind}?{query}&limit=50").json()["items"]
    shown = typed(client, f"/{kind}", **dict(parse_qsl(query))) if "q=" in query else f"/{kind}?{query}"
    assert ids(page(client, shown), kind) == [one["id"] for one in listed]


def typed(client: TestClient, path: str, **values: str) -> str:
    """The address to which the box above a list leads."""
    answer = client.post("/lists", data={"list": path, **values}, headers=PAGE)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


#: A list with a box, and a text that finds something in it.
BOXES = {
    "/households": "WT-B2",
    "/tenancies": "101",
    "/incidents": "野猫",
    "/accounts": "administrator",
    "/buildings": "12弄3",
    "/dwellings": "101",
    "/grids": "310101",
    "/units": "临江",
}


@pytest.mark.parametrize("path", BOXES)
def test_what_is_typed_into_the_box_of_a_list_stands_in_no_address(
    client_for: ClientFor, city: City, path: str
) -> None:
    client, text = client_for(), BOXES[path]
    city.incident(50, 50, description="野猫较多")
    found = typed(client, path, q=text, lang="")
    assert text not in unquote(found)
    shown = page(client, found)
    assert f'name="q" value="{text}"' in shown, "it stands in the box"
    assert "Clear filters" in shown or "清除筛选" in shown
    # The sorting, the pages and the export of the list lead on with it, and tell it to nobody either.
    links = [unescape(link) for link in re.findall(r'href="([^"]+)"', shown)]
    assert all(text not in unquote(link) for link in links if "?" in link)
    for link in links:
        if link.startswith("/exchange/export?"):
            assert f'name="q" value="{text}"' in page(client, link)
    other = client_for("administrator", city.community)
    assert f'name="q" value="{text}"' not in page(other, found), "sealed for who typed it"
    assert client.get(f"{path}?q={text}", headers=PAGE).status_code == 422


def test_every_box_of_every_list_goes_by_post(client_for: ClientFor, city: City) -> None:
    client = client_for()
    seen = set()
    for context in walked(client.app):  # type: ignore[arg-type]
        path = context.path or ""
        if "GET" not in (context.methods or ()) or "{" in path or path.startswith(("/api", "/signout")):
            continue
        answer = client.get(path, headers=PAGE)
        for form in re.findall(r"<form\b.*?</form>", answer.text, re.S):
            text = re.search(r'<input[^>]*type="(search|text)"|<textarea', form)
            if text and 'method="dialog"' not in form:
                assert 'method="post"' in form, path
                seen.add(path)
    assert seen >= BOXES.keys() | {"/residents"}


def test_no_list_of_people_takes_a_text_in_its_address(client_for: ClientFor, city: City) -> None:
    client = client_for()
    for name in ("households", "residents", "tenancies", "incidents", "accounts"):
        assert client.get(f"/api/{name}?q=x").status_code == 422, name
        if name != "accounts":
            assert client.get(f"/api/export/{name}?q=x").status_code == 422, name
            assert client.post(f"/api/export/{name}", json={"q": "x", "format": "csv"}).status_code == 200, name


def test_empty_parameters_of_a_form_are_none(client_for: ClientFor, city: City) -> None:
    client = client_for("community_staff", city.community)
    every = ids(page(client, "/buildings"), "buildings")
    assert ids(page(client, "/buildings?sought=&grid=&kind=&located="), "buildings") == every
    assert len(every) == 9


@pytest.mark.parametrize("query", ["kind=palace", "located=perhaps", "cursor=nonsense", "q=" + "x" * 500])
def test_a_wrong_parameter_is_told_on_a_page(client_for: ClientFor, city: City, query: str) -> None:
    answer = client_for().get(f"/buildings?{query}", headers=PAGE)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "address", ["/households", "/residents", "/buildings", "/dwellings", "/incidents", "/grids", "/units", "/audit"]
)
def test_a_list_asks_the_database_as_often_for_many_rows_as_for_few(
    client_for: ClientFor, city: City, session: Session, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(deps.Actors, "SECONDS", 3600.0)  # who asks is looked up once, however slow the machine
    client = client_for()
    page(client, address)
    with statements(session) as few:
        page(client, address)
    for room in range(20):
        city.household("A1", room=str(201 + room))
        city.incident(50, 50)
    page(client, address)
    with statements(session) as many:
        page(client, address)
    assert len(many) == len(few)


@pytest.mark.parametrize("kind", ["grids", "buildings"])
def test_a_panel_asks_the_database_as_often_for_many_people_as_for_few(
    client_for: ClientFor, city: City, session: Session, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(deps.Actors, "SECONDS", 3600.0)
    client = client_for()
    record = (city.grids if kind == "grids" else city.buildings)["A1"]
    address = f"/{kind}/{record.id}/panel"
    page(client, address)
    with statements(session) as few:
        page(client, address)
    for room in range(20):
        city.household("A1", room=str(201 + room))
        city.incident(50, 50)
    with statements(session) as many:
        page(client, address)
    assert len(many) == len(few)


def test_names_are_masked_on_every_page_about_people(client_for: ClientFor, city: City) -> None:
    client = client_for("community_staff", city.community)
    resident = client.get("/api/residents?limit=1").json()["items"][0]
    row = city.session.execute(select(Household.id, Household.dwelling_id)).first()
    assert row
    building = city.buildings["A1"].id
    name = city.session.scalar(select(func.max(Resident.name)))
    assert name
    for address in (
        "/households",
        f"/households/{row.id}",
        "/residents",
        f"/residents/{resident['id']}",
        f"/residents/{resident['id']}/history",
        f"/buildings/{building}",
        f"/buildings/{building}/panel",
    ):
        assert name not in page(client, address)
    found = client.post("/residents/search", data={"person": name}, headers=PAGE, follow_redirects=True)
    assert len(ids(found.text, "residents")) >= 1
    assert f"{name[0]}*" in found.text


def test_a_refused_form_comes_back_with_what_was_typed(client_for: ClientFor, city: City, session: Session) -> None:
    client = in_english(client_for())
    typed = {"code": "2", "kind": "residential", "name": "Old <school>", "floors": "many", "lon": "x", "lat": ""}
    answer = client.post("/buildings", data=typed, headers=PAGE)
    assert answer.status_code == 422
    assert "Old &lt;school&gt;" in answer.text
    assert 'value="many"' in answer.text
    assert "Give a whole number." in answer.text
    typed |= {"floors": "3", "lon": "", "lat": ""}
    taken = client.post("/buildings", data=typed, headers=PAGE)
    assert taken.status_code == 409
    assert "Another building of this community already has this code." in taken.text
    assert "Old &lt;school&gt;" in taken.text
    assert session.scalar(select(func.count()).select_from(Building)) == 9
    lon, lat = degrees(250, 250)
    typed |= {"code": "X1", "lon": str(lon), "lat": str(lat)}
    added = client.post("/buildings", data=typed, headers=PAGE)
    assert added.status_code == 303
    record = client.get(f"/api{added.headers['location']}").json()
    assert (record["grid_name"], record["name"]) == ("C3", "Old <school>")


def test_whoever_saves_second_is_told(client_for: ClientFor, city: City) -> None:
    client = client_for()
    building = city.buildings["A1"]
    address = f"/buildings/{building.id}"
    token = unescape(re.findall(r'name="version" value="([^"]*)"', page(client, address))[0])
    first = {"kind": "residential", "name": "First", "version": token}
    assert client.post(address, data=first, headers=PAGE).status_code == 303
    second = client.post(address, data={**first, "name": "Second"}, headers=PAGE)
    assert second.status_code == 409
    assert "Second" in second.text
    assert client.get(f"/api{address}").json()["name"] == "First"


def test_the_pin_does_not_move_a_footprint(client_for: ClientFor, city: City) -> None:
    client = client_for()
    address = f"/buildings/{city.buildings['A1'].id}"
    before = client.get(f"/api{address}").json()["geometry"]
    lon, lat = degrees(250, 250)
    typed = {"kind": "residential", "name": "Moved?", "lon": str(lon), "lat": str(lat)}
    assert client.post(address, data=typed, headers=PAGE).status_code == 303
    after = client.get(f"/api{address}").json()
    assert (after["name"], after["geometry"], after["grid_name"]) == ("Moved?", before, "A1")


def test_a_sentence_after_a_change_is_said_once(client_for: ClientFor, city: City) -> None:
    client = in_english(client_for())
    address = f"/dwellings/{city.household('A1', room='301').dwelling_id}"
    assert client.post(address, data={"room": "101", "use": "rented"}, headers=PAGE).status_code == 303
    assert "Saved." in page(client, address)
    assert "Saved." not in page(client, address)


def test_special_groups_are_joined_from_today_and_left_until_today(client_for: ClientFor, city: City) -> None:
    client = client_for()
    household = city.household("B2", room="301")
    address = f"/households/{household.id}"
    typed = {"number": household.number, "dwelling_id": str(household.dwelling_id)}
    for ticked in (["low_income", "disabled"], ["disabled"], []):
        assert client.post(address, data={**typed, "groups": ticked}, headers=PAGE).status_code == 303
        held = select(HouseholdGroup.group_code).where(HouseholdGroup.household_id == household.id)
        assert sorted(city.session.scalars(held)) == sorted(ticked)


def test_a_change_by_cookie_needs_the_token_of_the_page(client: TestClient, city: City, session: Session) -> None:
    account = accounts.add(session, access.SYSTEM, username="li.lei", name="李雷", password="a long sentence")
    accounts.give(session, access.SYSTEM, account=account, role_code="community_staff", unit=city.community)
    signed = client.post("/signin", data={"name": "li.lei", "password": "a long sentence", "next": "/grids"})
    assert (signed.status_code, signed.headers["location"]) == (303, "/grids")
    typed = {"category_code": "facility.leak", "description": "x"}
    assert client.post("/incidents", data=typed, headers=PAGE).status_code == 403
    token = re.findall(r'name="csrf-token" content="(\w+)"', page(client, "/me"))[0]
    assert client.post("/incidents", data={**typed, "csrf_token": token}, headers=PAGE).status_code == 303
    assert client.post("/signout", data={"csrf_token": token}, headers=PAGE).status_code == 303
    assert client.get("/grids", headers=PAGE).headers["location"] == "/signin?next=/grids"


def test_a_page_of_nobody_leads_to_the_sign_in_and_a_fragment_too(client: TestClient, city: City) -> None:
    assert (
        client.get("/incidents?state=new", headers=PAGE).headers["location"] == "/signin?next=/incidents%3Fstate%3Dnew"
    )
    fragment = client.get(
        "/grids/1/panel", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/map?c=1"}
    )
    assert (fragment.status_code, fragment.headers["hx-redirect"]) == (401, "/signin?next=/map%3Fc%3D1")


@pytest.mark.parametrize(
    "address",
    [
        "//example.org",
        "https://example.org/",
        "/\\example.org",
        "javascript:alert(1)",
        "",
        "incidents",
        "/\t/example.org",
        "///example.org",
        "http:/incidents",
        "/a\n//example.org",
    ],
)
def test_after_signing_in_nobody_is_led_elsewhere(address: str) -> None:
    assert inside(address) == "/"


def test_after_signing_in_one_comes_back_to_the_page_one_wanted() -> None:
    assert inside("/incidents?state=new&q=a//b") == "/incidents?state=new&q=a//b"


def test_building_numbers_are_read_as_ranges() -> None:
    with language.using("en"):
        assert words.ranges(["17", "19", "18", "23", "5a", "24"]) == "17–19, 23–24, 5a"
        assert words.ranges([]) == ""


def test_a_grid_leader_sees_the_own_grid_in_lists_and_no_other_panel(client_for: ClientFor, city: City) -> None:
    client = client_for("grid_leader", city.grids["B2"])
    assert ids(page(client, "/buildings"), "buildings") == [city.buildings["B2"].id]
    assert client.get(f"/buildings/{city.buildings['A1'].id}/panel", headers=PAGE).status_code == 404
    assert client.post(f"/buildings/{city.buildings['A1'].id}", data={"kind": "other"}, headers=PAGE).status_code == 404


@pytest.mark.parametrize("role", ["administrator", "grid_leader"])
@pytest.mark.parametrize(
    ("kind", "query", "sort"),
    [
        ("incidents", "", "-reported"),
        ("incidents", "state=new", "-reported"),
        ("incidents", "state=none", "-reported"),
        ("buildings", "", "number"),
        ("grids", "", "code"),
    ],
)
def test_the_table_beside_the_map_has_the_rows_of_the_api_in_view(
    city: City, client_for: ClientFor, role: str, kind: str, query: str, sort: str
) -> None:
    city.incident(20, 20)
    city.incident(150, 150, state="closed")
    city.incident(290, 290)
    west, south = degrees(5, 5)
    east, north = degrees(195, 195)
    view = f"bbox={west},{south},{east},{north}&{query}"
    client = client_for(role, None if role == "administrator" else city.grids["A1"])
    listed = client.get(f"/api/{kind}?{view}&sort={sort}&limit=1000").json()["items"]

    shown = page(client, f"/map/table?of={kind}&{view}")

    assert re.findall(rf'data-select="{kind}/(\d+)"', shown) == [str(one["id"]) for one in listed]


#: Forms whose texts are never kept: passwords, searches and what a dialog asks; patrol and door keep what is noted
#: themselves, and the page on which residents comment on a plan has no script.
UNKEPT = re.compile(
    r'action="(/(signin|password|lists|residents/search|track)|\{\{ path \}\})"|method="(dialog|get)"|hx-post="\{\{ unm'
    '|id="door-form"'
)


def test_every_form_into_which_a_text_is_typed_is_kept_on_the_device() -> None:
    forms = {}
    for path in (Path(words.__file__).parents[1]).rglob("*.html"):
        if "static" in path.parts:
            continue
        for form in re.findall(r"<form\b.*?</form>", path.read_text("utf-8"), re.S):
            boxes = re.findall(r"<input\b[^>]*>", form)
            chosen = r'type="(hidden|checkbox|radio|file|submit|search|date)"|readonly'
            typed = [box for box in boxes if not re.search(chosen, box)]
            if typed or "<textarea" in form or "{{ input(" in form:
                forms[path.name, form[:120]] = form
    assert len(forms) > 25
    assert [key for key, form in forms.items() if " data-draft" not in form and not UNKEPT.search(form)] == []
