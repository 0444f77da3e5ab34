"""The map: it draws, is clicked, searched, coloured, linked to, and worked by keyboard and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from playwright.sync_api import Page, expect
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from tests.browser.stage import DESKTOP, PHONE, Watched, drawn, listed, on_the_map, spot, text_of

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def features(page: Page, kind: str) -> list[dict[str, Any]]:
    """All features of a layer as GeoJSON of the API."""
    found: list[dict[str, Any]] = []
    following: str | None = f"/api/{kind}?f=geojson&limit=1000"
    while following:
        body = page.request.get(following).json()
        found += body["features"]
        following = next((link["href"] for link in body["links"] if link["rel"] == "next"), None)
    return found


def free_point(page: Page, area: BaseGeometry) -> tuple[float, float]:
    """A point in ``area`` (degrees) with no building or incident near it."""
    taken = [shape(one["geometry"]).buffer(1.2e-4) for one in features(page, "incidents") if one["geometry"]]
    taken += [shape(one["geometry"]).buffer(4e-5) for one in features(page, "buildings") if one["geometry"]]
    free = area.buffer(-5e-5).difference(shapely.union_all(taken))
    parts = sorted(shapely.get_parts(free), key=lambda part: -part.area)
    point = shapely.maximum_inscribed_circle(parts[0]).coords[0]
    return point[0], point[1]


def grid(page: Page, code: str) -> tuple[int, BaseGeometry]:
    """Id and boundary of the grid whose code ends so."""
    found = next(one for one in features(page, "grids") if one["properties"]["code"].endswith(code))
    return found["id"], shape(found["geometry"])


def colours(page: Page) -> int:
    """How many different colours the map's canvases show."""
    return int(
        page.evaluate(
            """() => {
                const seen = new Set();
                for (const canvas of document.querySelectorAll('canvas.leaflet-tile')) {
                    const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
                    for (let i = 0; i < data.length; i += 64) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
                }
                return seen.size;
            }"""
        )
    )


def test_the_map_draws_its_layers_from_our_own_server_only(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    asked: list[str] = []
    tiles: set[str] = set()
    page.on("request", lambda request: asked.append(request.url))
    page.on(
        "response",
        lambda answer: (
            tiles.add(answer.url.split("/tiles/")[1].split("/")[0])
            if "/tiles/" in answer.url and answer.status == 200
            else None
        ),
    )
    on_the_map(page)
    assert tiles >= {"communities", "grids", "buildings", "incidents", "basemap"}
    assert colours(page) > 20
    own = page.url.split("/map")[0]
    assert [url for url in asked if not url.startswith((own, "data:", "blob:"))] == []
    summary = page.request.get(f"/api/communities/{listed(page, '/api/units?level=community')[0]['id']}/summary").json()
    expect(page.locator(".place-facts")).to_contain_text(f"{summary['households']:,} 户")
    expect(page.locator("[data-count-layer=buildings]")).to_have_text(re.compile(r"\d\d"))
    expect(page.locator(".map-legend")).to_contain_text("社区界")
    expect(page.locator("#scale")).to_contain_text("米")


def test_a_figure_colours_the_grids_and_stands_in_the_legend_and_the_address(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page)
    before = text_of(page, "#legend")
    page.select_option("#figure", "households")
    expect(page.locator("#legend")).not_to_have_text(before)
    expect(page.locator("#legend")).to_contain_text("Households")
    expect(page).to_have_url(re.compile(r"figure=households"))
    drawn(page)


def test_a_click_on_a_grid_shows_its_team_and_figures(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page)
    grid_id, area = grid(page, "004")
    page.mouse.click(*spot(page, *free_point(page, area)))
    expect(page.locator("#panel h2")).to_contain_text("第四网格")
    figures = page.request.get(f"/api/grids/{grid_id}").json()["figures"]
    shown = page.locator(".figures dd").all_inner_texts()
    assert shown[:3] == [f"{figures[name]:,}" for name in ("households", "residents", "special_households")]
    expect(page.locator(".team li")).to_have_count(4)
    expect(page.locator(".team")).to_contain_text("陈立新")
    expect(page).to_have_url(re.compile(rf"at=grids/{grid_id}"))
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()


def test_a_click_on_a_building_shows_its_households_masked(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page)
    cases = shapely.union_all([shape(one["geometry"]) for one in features(page, "incidents") if one["geometry"]])
    building = max(
        (one for one in features(page, "buildings") if one["properties"]["kind"] == "residential"),
        key=lambda one: shape(one["geometry"]).centroid.distance(cases),
    )
    place = building["properties"]
    page.goto(f"/map?c={place['lat']},{place['lon']},19")
    drawn(page)
    page.mouse.click(*spot(page, place["lon"], place["lat"]))
    expect(page.locator("#panel h2")).to_have_text(f"Building {place['number']}")
    names = page.locator(".room-people a").all_text_contents()
    assert names
    assert all(re.match(r"^.\*+ (1 person|\d+ people)$", " ".join(name.split())) for name in names)
    known = {one["number"] for one in listed(page, f"/api/households?building={building['id']}")}
    assert len(names) == len(known)


def test_whoever_sees_no_people_sees_none_in_a_building(signed_in: Opens) -> None:
    page = signed_in("planner").page
    on_the_map(page, "?at=buildings/1")
    expect(page.locator("#panel h2")).to_be_visible()
    expect(page.locator("#panel")).not_to_contain_text("Dwellings and households")
    expect(page.locator(".room-people")).to_have_count(0)
    # How many live there is no secret, who they are is.
    expect(page.locator("#panel .figures")).to_contain_text("households")
    expect(page.locator("#figure option")).to_have_count(4)
    page.select_option("#figure", "residents")
    drawn(page)
    expect(page.locator("#legend")).to_contain_text("People")


def test_an_address_is_searched_by_keyboard_and_shown(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    on_the_map(page)
    page.keyboard.press("Control+k")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("梧桐路168弄18号2单元")
    expect(page.locator("#search-results [role=option]").first).to_contain_text("18 号楼")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("18 号楼")
    expect(page).to_have_url(re.compile(r"at=buildings/\d+"))


def test_a_search_for_somebody_stands_in_no_address(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/incidents")
    page.keyboard.press("Control+k")
    page.keyboard.type("沈玉兰")
    expect(page.locator("#search-results [role=option]").first).to_contain_text("沈**")
    assert not [url for url in asked if "%E6%B2%88" in url or "沈" in url]


def test_the_link_opens_the_same_view_again(signed_in: Opens) -> None:
    watched = signed_in()
    page = watched.page
    on_the_map(
        page, "?c=31.991500,120.894000,18&figure=residents&state=new,in_progress&days=all&layers=grids,incidents"
    )
    page.locator("#zoom-out").click()
    expect(page).to_have_url(re.compile(r"c=[\d.,]+,17"))
    address = page.url
    again = signed_in().page
    again.goto(address)
    drawn(again)
    for name in ("new", "in_progress"):
        expect(again.locator(f"input[name=state][value={name}]")).to_be_checked()
    expect(again.locator("input[name=state][value=closed]")).not_to_be_checked()
    expect(again.locator("input[name=layer][value=buildings]")).not_to_be_checked()
    expect(again.locator("#figure")).to_have_value("residents")
    assert spot(again, 120.894, 31.9915) == pytest.approx(spot(page, 120.894, 31.9915), abs=1.5)


def test_the_counts_beside_the_states_are_those_of_the_list(signed_in: Opens) -> None:
    page = signed_in().page
    counts: dict[str, int] = {}
    shown: dict[str, int] = {}
    for _ in range(5):  # other stories may report a case between the two looks
        on_the_map(page, "?days=all")
        cases = listed(page, "/api/incidents?limit=1000")
        counts = {state: sum(case["state"] == state for case in cases) for state in ("new", "in_progress", "closed")}
        expect(page.locator("[data-count-state=new]")).to_have_text(re.compile(r"\d"))
        shown = {state: int(text_of(page, f"[data-count-state={state}]")) for state in counts}
        if shown == counts:
            break
    assert shown == counts
    page.locator("input[name=state][value=closed]").uncheck()
    page.locator("#map-list").click()
    expect(page).to_have_url(re.compile(r"/incidents\?"))
    expect(page.locator("h1")).to_have_text("Cases")
    expect(page.locator("tbody")).not_to_contain_text("Closed")


def test_the_table_beside_the_map_holds_what_is_in_view_and_selects_with_it(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page, "?days=all")
    page.keyboard.press("t")
    rows = page.locator("#map-table [data-select]")
    expect(rows.first.locator("a")).to_be_focused()
    expect(page).to_have_url(re.compile(r"table=incidents"))
    title = rows.nth(1).locator("a").inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text(title)
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    page.locator("[data-table-kind=grids]").click()
    expect(rows).to_have_count(8)
    grid_id, area = grid(page, "004")
    page.mouse.click(*spot(page, *free_point(page, area)))
    expect(page.locator("#panel h2")).to_contain_text("第四网格")
    expect(page.locator(f"[data-select='grids/{grid_id}']")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("#map-table")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#map-table")).to_be_hidden()


def test_the_table_follows_the_view_and_the_filters(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page, "?days=all&table=buildings")
    rows = page.locator("#map-table [data-select]")
    expect(rows.first).to_be_visible()
    near = features(page, "buildings")[0]["properties"]
    page.goto(f"/map?c={near['lat']},{near['lon']},20&days=all&table=buildings&layers=grids,buildings,incidents")
    expect(page.locator(f"[data-select='buildings/{near['id']}']")).to_be_visible()
    assert rows.count() < 20
    page.locator("[data-table-kind=incidents]").click()
    for state in ("new", "in_progress", "to_verify", "closed"):
        page.locator(f"input[name=state][value={state}]").uncheck()
    expect(page.locator(".drawer-nothing")).to_be_visible()
    expect(rows).to_have_count(0)


def test_on_a_phone_a_button_opens_the_table(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    on_the_map(page)
    page.locator("#table-open").click()
    row = page.locator("#map-table [data-select]").first
    expect(row).to_be_visible()
    title = row.locator("a").inner_text()
    row.locator("a").click()
    expect(page.locator("#panel h2")).to_have_text(title)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_keys_lead_to_the_list_and_the_filters(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page)
    page.keyboard.press("[")
    expect(page.locator(".map-card")).to_have_class(re.compile("is-collapsed"))
    page.keyboard.press("f")
    expect(page.locator(".map-card")).not_to_have_class(re.compile("is-collapsed"))
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile(r"/incidents$"))


def test_distances_are_measured_until_escape(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page, "?c=31.991500,120.894000,18")
    page.locator("#measure").click()
    for lon in (120.8935, 120.8945):
        page.mouse.click(*spot(page, lon, 31.9915))
    expect(page.locator("#measured")).to_contain_text(re.compile(r"9[45]\.?\d* m"))
    page.keyboard.press("Escape")
    expect(page.locator("#measure")).to_have_attribute("aria-pressed", "false")


def test_on_a_phone_the_panel_is_a_sheet_over_the_map(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    on_the_map(page, "?at=grids/7")
    expect(page.locator("#panel h2")).to_contain_text("网格")
    panel, tabs = page.locator("#panel").bounding_box(), page.locator(".tabbar").bounding_box()
    assert panel
    assert tabs
    assert panel["x"] == 0
    assert panel["width"] == PHONE[0]
    assert panel["y"] > PHONE[1] * 0.3
    assert panel["y"] + panel["height"] <= tabs["y"] + 1
    page.locator("[data-sheet]").click()
    expect(page.locator("#panel")).to_have_class(re.compile("is-full"))
    page.get_by_role("button", name="关闭").first.click()
    expect(page.locator("#panel")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_grid_leader_sees_the_figures_of_the_own_grid_only(signed_in: Opens) -> None:
    page = signed_in("leader").page
    on_the_map(page)
    expect(page.locator(".place-facts")).to_contain_text("1 grid")
    grids = listed(page, "/api/grids")
    assert [one["code"][-3:] for one in grids] == ["004"]
    assert {one["grid_code"] for one in listed(page, "/api/buildings?limit=1000")} == {grids[0]["code"]}


def test_the_map_prints_on_one_sheet_with_title_legend_source_and_date(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page, "?figure=households")
    page.evaluate("window.print = () => document.body.setAttribute('data-printed-once', '')")
    page.locator("#print").click()
    page.wait_for_selector("body[data-printed-once]", timeout=10_000)
    expect(page.locator("#print-head h1")).to_have_text(re.compile(r"梧桐里社区 · Households, cases .+–.+"))
    expect(page.locator("#legend .legend-items")).to_contain_text(re.compile(r"New.*In progress.*To verify.*Closed"))
    sheet = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", sheet)) == 1
    page.emulate_media(media="print")
    for part in ("#print-head .north", "#scale", "#print-foot"):
        expect(page.locator(part)).to_be_visible()
    for part in (".rail", ".map-card", ".map-tools", "#map-table"):
        expect(page.locator(part)).to_be_hidden()
    expect(page.locator("#print-foot")).to_contain_text("Source: records and ground of the community")
    expect(page.locator("#print-foot [data-printed]")).not_to_be_empty()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("body")).not_to_have_class(re.compile("is-printing"))


def test_back_on_the_phone_closes_the_sheet_and_not_the_map(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/me")
    on_the_map(page)
    page.fill("#search", "第四网格")
    page.locator("#search-results [role=option]").first.click()
    expect(page.locator("#panel")).to_be_visible()
    page.go_back()
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator(".leaflet-container")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile("/me$"))
