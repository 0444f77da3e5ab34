"""Hotspots, views and the dashboard, as those who plan see them: where cases gather, and where nobody passes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, expect

from tests.browser.stage import DESKTOP, PHONE, Watched, text_of

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]
LIGHTS = "category=facility.corridor_light"


def on_the_hotspots(page: Page, query: str = "") -> None:
    """Open the hotspots of the demo community, whatever others there are by now, and wait until they are drawn."""
    page.goto("/hotspots")
    if (others := page.locator("summary.place-name")).count():
        others.click()
        page.locator("form[action='/community'] button", has_text="梧桐里社区").click()
        expect(page.locator(".place-name").first).to_have_text("梧桐里社区")
    page.goto(f"/hotspots?{query}")
    page.wait_for_selector(".leaflet-container[data-ready=true]")


def on_a_view(page: Page, view: str, query: str = "") -> None:
    """Open a view and wait until it is drawn."""
    page.goto(f"/views/{view}?{query}")
    page.wait_for_selector(".leaflet-container[data-ready=true]")


@contextmanager
def another_server(folder: Path) -> Iterator[str]:
    """The origin of a server of somebody else, on this machine, because browsers keep others from reaching it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_said: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_planner_sees_the_hotspot_and_the_unpatrolled_block(signed_in: Opens) -> None:
    page = signed_in("planner", DESKTOP, "zh").page
    on_the_hotspots(page, LIGHTS)
    # The corridor lights of the demo fail around buildings 6 to 10 of grid 2, and nobody walks there.
    expect(page.locator("[data-sentence]")).to_contain_text("第二网格")
    expect(page.locator("[data-sentence]")).to_contain_text("件数占")
    expect(page.locator(".hot-spots li").first).to_contain_text("第二网格")
    expect(page.locator(".hot-spots li").first).to_contain_text("把握")
    expect(page.locator(".hot-badge")).not_to_have_count(0)
    expect(page.locator("#legend")).to_contain_text("热点，99% 把握")
    assert page.locator(".leaflet-cells-pane path").count() > 100
    page.get_by_role("link", name="哪些热点没有巡查走到？").click()
    page.wait_for_selector(".leaflet-container[data-ready=true]")
    expect(page.locator("[data-sentence]")).to_contain_text("没有巡查走到")
    expect(page.locator("[data-sentence]")).to_contain_text("第二网格")
    expect(page.locator(".picture-legend")).to_contain_text("热点，巡查没走到")


def test_another_method_is_drawn_without_leaving_the_page(signed_in: Opens) -> None:
    page = signed_in("analyst").page
    on_the_hotspots(page, LIGHTS)
    page.evaluate("window.stayed = true")
    before = text_of(page, "#legend")
    page.locator("input[name=method][value=density]").check(force=True)
    expect(page.locator("#legend")).not_to_have_text(before)
    expect(page.locator("#legend")).to_contain_text("cases per hectare")
    page.locator("input[name=method][value=points]").check(force=True)
    expect(page.locator("#legend")).to_contain_text("Cluster")
    expect(page).to_have_url(re.compile("method=points"))
    page.locator("input[name=household]").check(force=True)
    expect(page).to_have_url(re.compile("household=1"))
    assert page.evaluate("window.stayed")


def test_cells_are_shown_by_how_their_heat_went_and_against_the_days_before(signed_in: Opens) -> None:
    page = signed_in("analyst").page
    on_the_hotspots(page, LIGHTS)
    page.locator("input[name=method][value=trend]").check(force=True)
    expect(page.locator("[data-course]")).to_contain_text("cells are getting hot")
    expect(page.locator("#legend")).to_contain_text("Emerging")
    page.locator("input[name=method][value=change]").check(force=True)
    expect(page.locator("[data-course]")).to_contain_text("Compared with")
    expect(page.locator("#legend")).to_contain_text("More cases around here")
    expect(page.locator(".leaflet-cells-pane path")).not_to_have_count(0)


def sheets(paper: bytes) -> list[tuple[int, ...]]:
    """Width and height of each page of a PDF, in points."""
    boxes = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", paper)
    return [tuple(round(float(side)) for side in box) for box in boxes]


def test_the_hotspots_print_on_one_sheet_with_what_they_say(signed_in: Opens) -> None:
    page = signed_in("analyst", DESKTOP, "zh").page
    on_the_hotspots(page, LIGHTS)
    page.evaluate("window.print = () => document.body.setAttribute('data-printed-once', '')")
    page.locator("#print").click()
    page.wait_for_selector("body[data-printed-once]")
    page.emulate_media(media="print")
    expect(page.locator("#print-head h1")).to_have_text(re.compile(r"梧桐里社区 · 楼道灯不亮热点 · \d{4}-.+\d{4}-"))
    expect(page.locator("[data-print-sentence]")).to_contain_text("第二网格")
    expect(page.locator("[data-print-counts]")).to_contain_text("用于分析")
    for part in ("#print-head .north", "#legend", "#scale", "#print-foot"):
        expect(page.locator(part)).to_be_visible()
    for part in (".hot-panel", ".map-card", ".hot-time", ".map-tools"):
        expect(page.locator(part)).to_be_hidden()
    page.emulate_media(media="null")
    assert sheets(page.pdf(prefer_css_page_size=True)) == [(842, 595)]
    expect(page.locator("body")).not_to_have_class(re.compile("is-printing"))
    # The browser's own menu leads to the same sheet, and back to the screen.
    assert sheets(page.pdf(prefer_css_page_size=True)) == [(842, 595)]
    expect(page.locator(".hot-panel")).to_be_visible()


def test_the_days_move_by_keyboard_and_start_by_nobody(signed_in: Opens) -> None:
    page = signed_in("analyst").page
    on_the_hotspots(page, LIGHTS)
    expect(page.locator(".hot-play")).to_have_attribute("aria-pressed", "false")
    first = page.locator("[data-end=from]")
    first.focus()
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"from=\d{4}-\d\d-\d\d"))
    asked = re.search(r"from=([\d-]{10}).*to=([\d-]{10})", page.url)
    assert asked
    first_day, last_day = (date.fromisoformat(text) for text in asked.groups())
    assert last_day - first_day > timedelta(days=90)


def test_the_cases_of_a_hotspot_are_assigned_from_it(signed_in: Opens) -> None:
    page = signed_in("staff").page
    on_the_hotspots(page, LIGHTS)
    page.locator(".hot-assign").first.click()
    expect(page).to_have_url(re.compile(r"/incidents\?.*bbox="))
    expect(page.locator("h1")).to_have_text("Cases")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_on_a_phone_the_panel_is_a_sheet_with_the_days_in_it(signed_in: Opens, language: str) -> None:
    page = signed_in("staff", PHONE, language).page
    on_the_hotspots(page, LIGHTS)
    panel = page.locator("#panel").bounding_box()
    assert panel
    assert panel["y"] > PHONE[1] * 0.3
    page.locator("[data-sheet]").click()
    expect(page.locator(".hot-panel .hot-time")).to_be_visible()
    expect(page.locator(".hot-panel #legend li").first).to_be_visible()
    page.locator("[data-sheet]").click()
    page.locator("#layers-open").click()
    expect(page.locator("#category")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def _note_address(found: list[str], request: Request) -> None:
    found.append(request.url)


def _note_text(found: list[str], message: ConsoleMessage) -> None:
    found.append(message.text)


def _note_error(found: list[str], error: Error) -> None:
    found.append(str(error))


def test_a_file_opens_without_a_network_and_asks_for_nothing(
    signed_in: Opens, browser: Browser, tmp_path: Path
) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    for view in ("timeline", "hotspots", "coverage", "replay"):
        answer = page.request.get(f"/views/{view}/file")
        assert answer.ok, answer.text()
        path = tmp_path / f"{view}.html"
        path.write_bytes(answer.body())
        context = browser.new_context(offline=True, viewport={"width": 1200, "height": 800})
        alone = context.new_page()
        asked: list[str] = []
        faults: list[str] = []
        alone.on("request", partial(_note_address, asked))
        alone.on("console", partial(_note_text, faults))
        alone.on("pageerror", partial(_note_error, faults))
        alone.goto(path.as_uri())
        alone.wait_for_selector(".leaflet-container[data-ready=true]")
        assert alone.locator("svg path.leaflet-interactive, svg path").count() > 50
        with alone.expect_download() as download:
            alone.locator("[data-picture=png]").click()
        picture = Path(download.value.path()).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 50_000
        assert [url for url in asked if not url.startswith(("data:", "blob:", path.as_uri()))] == []
        assert faults == []
        context.close()


def test_a_link_is_seen_inside_another_page_until_it_is_revoked(
    signed_in: Opens, opened: Opens, browser: Browser, tmp_path: Path
) -> None:
    watched = signed_in("staff", DESKTOP, "en")
    page = watched.page
    on_a_view(page, "overdue")
    page.locator("summary", has_text="Pass on").click()
    page.get_by_role("button", name="Make a link").click()
    address = page.get_by_label("Address").input_value()
    context = browser.new_context()
    elsewhere = context.new_page()
    (tmp_path / "page.html").write_text(f'<!doctype html><iframe src="{address}" width="900" height="700"></iframe>')
    with another_server(tmp_path) as origin:
        elsewhere.goto(f"{origin}/page.html")
        frame = elsewhere.frame_locator("iframe")
        expect(frame.locator(".leaflet-container[data-ready=true]")).to_be_visible()
        expect(frame.locator("h1")).to_contain_text("Overdue cases")
    context.close()
    page.goto("/views")
    page.get_by_role("button", name="Revoke").first.click()
    expect(page.locator(".done")).to_contain_text("leads nowhere")
    stranger = opened()
    stranger.expected.add(404)
    stranger.page.goto(address)
    expect(stranger.page.locator("h1")).to_contain_text("Not found")


@pytest.mark.parametrize("view", ["overview", "hotspots", "coverage", "replay", "timeline", "unpatrolled"])
def test_a_view_fits_one_sheet_of_paper(signed_in: Opens, view: str, tmp_path: Path) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    on_a_view(page, view)
    paper = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    box = re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", paper)
    assert box
    assert sorted(round(float(side)) for side in box.groups()) == [595, 842]


def test_the_slider_shows_another_day(signed_in: Opens) -> None:
    page = signed_in("staff").page
    on_a_view(page, "timeline")
    slider = page.locator(".picture-time input")
    expect(page.locator(".picture-play")).to_have_attribute("aria-pressed", "false")
    before = text_of(page, "[data-step]")
    slider.focus()
    page.keyboard.press("Home")
    expect(page.locator("[data-step]")).not_to_have_text(before)


def test_the_dashboard_draws_its_charts_and_every_number_leads_to_its_cases(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/stats?days=90")
    expect(page.locator(".rail [aria-current]")).to_have_text("统计")
    for chart in ("steps", "kinds"):
        expect(page.locator(f"[data-chart={chart}][data-ready] canvas").first).to_be_visible()
    number = page.locator(".key-figures a").first
    count = text_of(page, ".key-figures a")
    number.click()
    expect(page).to_have_url(re.compile(r"/incidents\?unit="))
    expect(page.locator(".pager")).to_contain_text(f"共 {count}")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_dashboard_and_the_views_fit_a_phone(signed_in: Opens, language: str) -> None:
    page = signed_in("leader", PHONE, language).page
    for address in ("/stats", "/views", "/views/lights", "/views/timeline"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], address
