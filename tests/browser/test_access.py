"""Every page for everybody: axe-core finds nothing, large type and other colours leave the pages whole.

One browser session walks all pages, on the phone in Chinese and on the desktop in English; ``-s`` prints the violations
of each page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from playwright.sync_api import Browser, Page, expect

from api.app import create_app
from tests.browser.conftest import Server
from tests.browser.stage import DESKTOP, PHONE, listed
from tests.furnished import PASSWORD

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
#: Kept waiting for a result, of a stranger's code, or no pages at all but parts of one, files and answers to scripts.
APART = re.compile(
    r"^/(tiles|healthz|readyz|api|static|photos|r/|track/|v/|docs|openapi)"
    r"|/(panel|features|kept|where|choices|alike|suggest|tracks?|table|progress|rejects|file|today|replay)$|\.(js|docx|xlsx)$"
    r"|^/$|upload_id|token|/unlocated/.|/notifications/\{"
)
#: The first record of which list stands for an id in an address.
LISTS = {
    "account": "accounts",
    "building": "buildings",
    "dispute": "disputes",
    "dwelling": "dwellings",
    "entry": "diary",
    "grid": "grids",
    "household": "households",
    "incident": "incidents",
    "movement": "movements",
    "patrol": "patrols",
    "resident": "residents",
    "round": "rounds",
    "tenancy": "tenancies",
    "unit": "units",
}
FIXED = {"post": "leader", "view": "overview"}
_RUN = """() => axe.run(document, {resultTypes: ["violations"]}).then((told) => told.violations.map((one) =>
    [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200)]))"""


def addresses(page: Page) -> list[str]:
    """All pages of the application, with the first record of each list where an address names one."""
    first: dict[str, Any] = dict(FIXED)
    for name, path in LISTS.items():
        rows = listed(page, f"/api/{path}?limit=1") if name in ("patrol", "round") else one_of(page, path)
        if rows:
            first[f"{name}_id"] = rows[0]["id"]
    found = []
    first["campaign_id"] = page.request.get("/api/campaigns").json()[0]["id"]
    first["report_id"] = page.request.get("/api/implementation").json()[0]["id"]
    home = page.request.get(f"/api/households/{first['household_id']}").json()["building_id"]
    queries = {"/residents/new": f"?household={first['household_id']}", "/visits/stairs": f"?building={home}"}
    for context in iter_route_contexts(create_app().routes):
        path = str(getattr(context, "path", ""))
        if "GET" not in (getattr(context, "methods", None) or ()) or APART.search(path):
            continue
        names = re.findall(r"{(\w+)}", path)
        if all(name in first for name in names):
            found.append(path.format(**first) + queries.get(path, ""))
    return sorted(set(found))


def one_of(page: Page, path: str) -> list[dict[str, Any]]:
    """The first record of a list."""
    answer = page.request.get(f"/api/{path}?limit=1")
    assert answer.ok, answer.text()
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture(scope="module", params=[(PHONE, "zh"), (DESKTOP, "en")], ids=["phone-zh", "desktop-en"])
def page(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Page]:
    """One page of the administrator's, for the whole walk."""
    (width, height), language = request.param
    context = browser.new_context(
        base_url=server.address,
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        is_mobile=width < 600,
        has_touch=width < 600,
    )
    context.add_cookies([{"name": "wangge_language", "value": language, "url": server.address}])
    answer = context.request.post("/signin", form={"name": "admin", "password": PASSWORD, "next": "/me"})
    assert answer.ok, answer.text()
    yield context.new_page()
    context.close()


@pytest.mark.slow
def test_no_page_keeps_anybody_out(page: Page) -> None:
    axe = AXE.read_text("utf-8")
    faults = []
    walked = addresses(page)
    assert len(walked) > 50
    for address in walked:
        answer = page.goto(address, wait_until="domcontentloaded")
        assert answer, address
        assert answer.status == 200, f"{address}: {answer.status}"
        # Hotspots that nobody has asked for yet are asked for by the page itself, which then shows them.
        page.locator("form[data-ask]").wait_for(state="detached")
        page.wait_for_load_state("domcontentloaded")
        page.evaluate(axe)
        violations = page.evaluate(_RUN)
        print(f"{address}: {sum(count for _, count, _ in violations)} violations")
        faults += [f"{address}: {rule} × {count}, as {html}" for rule, count, html in violations]
    assert faults == []


def overflows(page: Page) -> list[str]:
    """What is wider than the page, or whose text is cut, where nothing scrolls."""
    cut: list[str] = page.evaluate(
        """() => {
            const wide = document.documentElement.scrollWidth - innerWidth;
            const all = [...document.querySelectorAll("main :is(h1, h2, th, td, a, button, label, p)")];
            const cut = all.filter((one) => {
                const style = getComputedStyle(one);
                return style.overflow === "visible" && style.display !== "inline" && one.clientWidth > 2
                    && !one.closest(".visually-hidden") && one.scrollWidth > one.clientWidth + 2;
            });
            return [...(wide > 2 ? [`the page by ${wide}`] : []), ...cut.map((one) => one.outerHTML.slice(0, 120))];
        }"""
    )
    return cut


@pytest.mark.parametrize("address", ["/households", "/incidents", "/buildings", "/stats", "/incidents/board", "/roles"])
def test_ledgers_are_readable_at_twice_the_size(page: Page, address: str) -> None:
    page.goto(address)
    usual = page.locator("main h1").evaluate("(one) => parseFloat(getComputedStyle(one).fontSize)")
    # What a browser's own font size does: everything that is sized by type follows.
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.locator("main h1").evaluate("(one) => parseFloat(getComputedStyle(one).fontSize)") == 2 * usual
    assert overflows(page) == []


def test_large_type_is_chosen_once_and_stays(page: Page) -> None:
    page.goto("/me")
    size = "() => parseFloat(getComputedStyle(document.querySelector('main h1')).fontSize)"
    usual = page.evaluate(size)
    page.click("main [name=size]")
    page.goto("/me")
    assert page.evaluate(size) == pytest.approx(usual * 1.286, rel=0.01)
    expect(page.locator("main [name=size]")).to_have_attribute("value", "usual")
    page.click("main [name=size]")
    assert page.evaluate(size) == usual


def test_other_colours_keep_switches_and_ticks(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    page.goto("/roles")
    appearance = "(one) => [getComputedStyle(one).appearance, getComputedStyle(one, '::after').content]"
    assert page.locator(".box").first.evaluate(appearance)[0] == "auto"
    page.goto("/map")
    assert page.locator(".switch").first.evaluate(appearance) == ["auto", "none"]
    page.emulate_media(forced_colors="none")


def test_a_dark_screen_is_followed_and_paper_stays_white(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/households")
    ground = "() => getComputedStyle(document.querySelector('main .sheet, main .table-scroll')).backgroundColor"
    assert page.evaluate(ground) == "rgb(27, 35, 43)"
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="light", media="screen")
