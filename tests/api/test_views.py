"""Views over HTTP: pages, files with nothing personal in them, and links that need no sign-in and end."""

from __future__ import annotations

import json
import logging
import re

import pytest
from fastapi import FastAPI
from httpx import Response

from data import incidents
from data.base import access
from maps.views import names
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

SECRETS = ("二层廊灯不亮", "锦绣路", "李小明", "张三的家")


@pytest.fixture
def city(city: City) -> City:
    """The small city with enough cases for a cell, and texts that must not leave the house."""
    for number in range(12):
        city.incident(50 + number, 50, address="锦绣路12弄1号楼101室", description=f"张三的家{number}")
    city.session.flush()
    return city


def computed(client: TestClient, address: str) -> Response:
    """A view; what nobody asked for yet is asked for first, as the page's script does."""
    page = client.get(address)
    assert page.status_code == 200, page.text
    if "data-ask" in page.text:
        asked = client.post(address)
        assert asked.status_code == 303, asked.text
        page = client.get(asked.headers["location"])
        assert page.status_code == 200, page.text
    return page


@pytest.mark.parametrize("view", [view.value for view in names()])
def test_every_view_opens_in_both_languages(city: City, client_for: ClientFor, view: str) -> None:
    client = client_for("community_staff", city.community)
    for lang in ("zh", "en"):
        answer = computed(client, f"/views/{view}?lang={lang}")
        for part in ("data-sentence", "data-period", "data-source", "picture-legend"):
            assert part in answer.text
        assert "style=" not in answer.text.split("<main")[1].split("</main>")[0], "the policy allows no inline styles"


@pytest.mark.parametrize("view", [view.value for view in names()])
def test_a_file_asks_for_nothing_and_holds_nothing_personal(city: City, client_for: ClientFor, view: str) -> None:
    answer = client_for("community_staff", city.community).get(
        f"/api/views/{view}/file?community={city.community.code}"
    )
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["content-disposition"]
    text = answer.text
    assert "default-src 'none'" in text
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["'](?!data:)|@import|url\((?!['"]?data:|#)""", page)
    assert "import(" not in text
    assert [secret for secret in SECRETS if secret in text] == []


def test_whoever_passes_a_replay_on_is_told_how_coarse_it_is_and_so_is_whoever_gets_it(
    city: City, client_for: ClientFor
) -> None:
    client = client_for("community_staff", city.community)
    told = "without names; places to about 10 m and times to 15 minutes"
    page = client.get("/views/replay?lang=en").text
    assert told in page.split('class="share-form"')[1].split("</form>")[0]
    assert told in client.get(f"/api/views/replay/file?community={city.community.code}&lang=en").text
    assert told not in client.get("/views/coverage?lang=en").text


def link(client: TestClient, city: City, **more: object) -> tuple[int, str]:
    body = {"view": "lights", "community": city.community.code, "days": 7, **more}
    made = client.post("/api/views/links", json=body)
    assert made.status_code == 201, made.text
    return made.json()["id"], "/v/" + made.json()["address"].rsplit("/", 1)[1]


@pytest.mark.parametrize(
    ("host", "public", "begins"),
    [
        ("evil.example", "", None),
        ("evil.example:8000", "", None),
        ("0.0.0.0", "", None),
        ("localhost.evil.example", "", None),
        ("localhost:8001", "", "http://localhost:8001/v/"),
        ("127.0.0.1:8000", "", "http://127.0.0.1:8000/v/"),
        ("[::1]:8000", "", "http://[::1]:8000/v/"),
        ("testserver", "", "http://testserver/v/"),  # where the request came in
        ("evil.example", "https://wangge.example", "https://wangge.example/v/"),
    ],
)
def test_a_link_begins_with_an_address_of_ours_whatever_host_was_asked(
    city: City,
    client_for: ClientFor,
    app: FastAPI,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    public: str,
    begins: str | None,
) -> None:
    monkeypatch.setitem(app.state._state, "settings", app.state.settings.model_copy(update={"public_url": public}))
    staff = client_for("community_staff", city.community)
    body = {"view": "lights", "community": city.community.code, "days": 7}
    made = staff.post("/api/views/links", json=body, headers={"Host": host})
    if begins is None:
        assert made.status_code == 409
        assert host in made.json()["detail"]
        assert "WANGGE_PUBLIC_URL" in made.json()["detail"]
    else:
        assert made.json()["address"].startswith(begins)


def test_a_link_is_opened_without_signing_in_and_framed_only_there(
    city: City, client_for: ClientFor, client: TestClient
) -> None:
    staff = client_for("community_staff", city.community)
    number, address = link(staff, city)
    answer = client.get(address)
    assert answer.status_code == 200
    assert "frame-ancestors *" in answer.headers["content-security-policy"]
    assert [secret for secret in SECRETS if secret in answer.text] == []
    for other in ("/signin", "/api/openapi.json"):
        assert "frame-ancestors 'self'" in client.get(other).headers["content-security-policy"]
    assert staff.delete(f"/api/views/links/{number}").status_code == 204
    assert client.get(address).status_code == 404
    assert client.get("/v/guessed").status_code == 404


def test_a_link_speaks_the_language_it_was_made_in(city: City, client_for: ClientFor, client: TestClient) -> None:
    _number, address = link(client_for("community_staff", city.community), city)
    assert 'lang="en-GB"' in client.get(address).text


def test_the_token_of_a_link_stands_in_no_log(
    city: City, client_for: ClientFor, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    _number, address = link(client_for("community_staff", city.community), city)
    with caplog.at_level(logging.INFO):
        client.get(address)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("wangge")]
    assert any("/v/…" in line for line in lines)
    assert not any(address.rsplit("/", 1)[1] in line for line in lines)


def test_links_are_listed_with_maker_and_end_but_without_address(city: City, client_for: ClientFor) -> None:
    staff = client_for("community_staff", city.community)
    _number, address = link(staff, city)
    (row,) = staff.get("/api/views/links").json()
    assert (row["view"], row["community_name"], row["maker"]) == ("lights", "梧桐里社区", "community_staff")
    assert address.rsplit("/", 1)[1] not in str(row)
    assert client_for("building_warden", city.grids["A1"]).get("/api/views/links").status_code == 403


def test_a_link_shows_no_more_than_its_maker_sees(city: City, client_for: ClientFor, client: TestClient) -> None:
    other = City.make(city.session, "310102001001")
    other.community.name = "秘社区"
    other.grids["A1"].name = "秘格"
    other.session.flush()
    staff = client_for("community_staff", city.community)
    assert staff.post("/api/views/links", json={"view": "lights", "community": other.community.code}).status_code == 404
    _number, address = link(staff, city, community=None)
    assert "秘" not in client.get(address).text


def test_the_page_makes_a_link_shows_it_once_and_revokes_it(
    city: City, client_for: ClientFor, client: TestClient
) -> None:
    staff = client_for("community_staff", city.community)
    page = staff.post("/views/overdue/links?lang=en", data={"days": "30"})
    assert page.status_code == 200, page.text
    address = re.search(r"/v/[\w-]+", page.text)
    assert address
    assert client.get(address.group()).status_code == 200
    listed = staff.get("/views?lang=en").text
    assert address.group() not in listed
    number = re.search(r"/views/links/(\d+)/revoke", listed)
    assert number
    assert staff.post(number.group()).status_code == 303
    assert client.get(address.group()).status_code == 404
    assert "Revoked" in staff.get("/views?lang=en").text


def test_views_need_what_they_show(city: City, client_for: ClientFor) -> None:
    warden = client_for("building_warden", city.grids["A1"])
    assert warden.get("/views/lights").status_code == 200
    assert warden.get("/views/hotspots").status_code == 403
    assert warden.get("/views/lights/file").status_code == 403
    assert "/views/hotspots" not in warden.get("/views").text


# ---- a street ------------------------------------------------------------------------------------------------------


@pytest.fixture
def beside(city: City) -> City:
    """Another community of the same street."""
    found = City.make(city.session, "310101001002", beside=city, name="银杏里社区")
    for number in range(20):
        found.incident(250 + number, 250, description="张三的家", address="锦绣路12弄9号楼101室")
    found.session.flush()
    return found


def names_the(city: City, page: str) -> bool:
    """Whether a page names a community, in words or on its map."""
    return city.community.name in page or json.dumps(city.community.name)[1:-1] in page


@pytest.mark.parametrize("view", [view.value for view in names()])
def test_every_view_shows_a_street_with_its_communities_told_apart(
    city: City, beside: City, client_for: ClientFor, client: TestClient, view: str
) -> None:
    street = client_for("community_staff", city.street)
    page = computed(street, f"/views/{view}?lang=en")
    rows = re.findall(r'<th scope="row">([^<]+)</th>', page.text)
    if view in ("overview", "lights", "coverage"):
        assert any(row.startswith("银杏里社区 ") for row in rows), rows
    _number, address = link(street, city, view=view, community=None)
    shown = client.get(address)
    assert shown.status_code == 200
    assert names_the(beside, shown.text)
    assert [secret for secret in SECRETS if secret in shown.text] == []
    other = client_for("community_staff", City.make(city.session, "310102001001").street)
    assert not names_the(beside, other.get(f"/views/{view}").text)


def test_the_cells_of_a_street_are_told_by_every_method(city: City, beside: City, client_for: ClientFor) -> None:
    street = client_for("community_staff", city.street)
    for method in ("significant", "density", "clusters", "rate"):
        answer = computed(street, f"/views/hotspots?method={method}&lang=en")
        assert answer.status_code == 200, answer.text
        assert names_the(beside, answer.text)


# ---- what takes long, and what has no place ------------------------------------------------------------------------


def test_a_large_analysis_is_waited_for_in_the_house_and_done_at_once_for_a_file(
    city: City, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.hotspots.runs.CELLS_AT_ONCE", 1)
    staff = client_for("community_staff", city.community)
    for view in ("hotspots", "unpatrolled"):
        page = computed(staff, f"/views/{view}?lang=en")
        (job,) = re.findall(r'data-job="(\d+)"', page.text)
        # The page that is loaded again waits for the same job, and begins no other.
        assert f'data-job="{job}"' in staff.get(f"/views/{view}?lang=en").text
    file = staff.get("/views/hotspots/file")
    assert file.status_code == 200
    assert "attachment" in file.headers["content-disposition"]
    assert "data-job" in staff.get("/views/hotspots").text


def test_a_view_tells_of_open_cases_without_a_place(city: City, client_for: ClientFor) -> None:
    incidents.report(city.session, access.SYSTEM, community=city.community, category_code="order.parking")
    staff = client_for("community_staff", city.community)
    assert "1 case has no place and is not counted here." in staff.get("/views/overview?lang=en").text
    total = staff.get("/api/incidents?state=new,in_progress,to_verify,on_hold&total=true").json()["total"]
    (shown,) = re.findall(r"(\d+) cases are open", staff.get("/views/overview?lang=en").text)
    assert total == int(shown) + 1


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("clusters", r"1 cluster of cases close together, in A1, with 13 of 14 cases\."),
        ("rate", r"A1 has most cases per 100 households: 1300\.0; in all grids together there are 466\.7\."),
    ],
)
def test_a_method_says_what_it_shows(city: City, client_for: ClientFor, method: str, sentence: str) -> None:
    staff = client_for("community_staff", city.community)
    page = computed(staff, f"/views/hotspots?method={method}&from=2026-03-01&to=2026-03-31&lang=en")
    assert re.search(sentence, page.text), re.findall(r"data-sentence>([^<]*)<", page.text)


def test_a_link_begins_with_the_address_that_the_settings_name(
    city: City, client_for: ClientFor, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = app.state.settings.model_copy(update={"public_url": "https://wangge.example"})
    monkeypatch.setitem(app.state._state, "settings", named)
    body = {"view": "lights", "community": city.community.code, "days": 7}
    client = client_for(program=False)
    made = client.post("/api/views/links", json=body, headers={"Host": "evil.example"})
    assert made.json()["address"].startswith("https://wangge.example/v/")
    page = client.post("/views/lights/links", data={"days": "7", "community": city.community.code})
    assert "https://wangge.example/v/" in page.text
