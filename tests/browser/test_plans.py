"""The planner's table: an edge is dragged and the figures follow, a proposal is read, commented, and all is undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import DESKTOP, Watched
from tests.browser.test_paper import printed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def on_a_new_table(page: Page, name: str) -> None:
    """Draw up a plan of the demo community, and wait until its table is there."""
    page.goto("/plans")
    if (others := page.locator("summary.place-name")).count():
        others.click()
        page.locator("form[action='/community'] button", has_text="梧桐里社区").click()
        expect(page.locator(".place-name").first).to_have_text("梧桐里社区")
        page.goto("/plans")
    page.locator("#plan-new").fill(name)
    page.locator("form[action='/plans'] button.btn-primary").click()
    page.wait_for_url("**/plans/*")
    page.wait_for_selector(".leaflet-container[data-ready=true]")


def test_an_edge_is_dragged_and_the_figures_follow_and_all_is_undone(signed_in: Opens) -> None:
    page = signed_in("planner", DESKTOP, "zh").page
    on_a_new_table(page, "均衡户数方案")
    figures = page.locator("#plan-figures tr")
    expect(figures).to_have_count(8)
    expect(page.locator("#plan-moves")).to_contain_text("与今日无异")
    before = page.locator("#plan-figures").inner_text()
    # Edges between grids can be clicked; the first is chosen, and its corners appear.
    page.locator("path.leaflet-interactive").first.dispatch_event("click")
    expect(page.locator("#plan-edge")).to_contain_text("公共边")
    corner = page.locator(".marker-icon-middle").first
    box = corner.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 12, y + 6, steps=4)
    page.mouse.up()
    expect(page.locator("#plan-step")).to_contain_text("1")
    expect(page.locator("#plan-undo")).to_be_enabled()
    page.locator("#plan-undo").click()
    expect(page.locator("#plan-redo")).to_be_enabled()
    expect(page.locator("#plan-step")).to_contain_text("0")
    assert page.locator("#plan-figures").inner_text() == before


def test_a_corner_is_moved_by_the_keys_and_goes_back_by_undo(signed_in: Opens) -> None:
    page = signed_in("planner", DESKTOP, "en").page
    on_a_new_table(page, "键盘方案")
    expect(page.locator("#plan-figures tr")).to_have_count(8)
    page.locator(".plan-help summary").click()
    expect(page.locator(".plan-help")).to_contain_text("next edge between grids")
    area = page.locator("#plan-table")
    # Some edges are straight, without a corner that could be moved.
    for _edge in range(20):
        page.keyboard.press("e")
        if page.locator("path[stroke='#5B2A86'][fill='#5B2A86']").count():
            break
    expect(page.locator("#plan-edge")).to_contain_text("Edge between")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#plan-step")).to_contain_text("1")
    expect(area).to_have_attribute("data-version", "1")
    expect(page.locator("#plan-edge")).to_contain_text("Edge between")
    page.keyboard.press("Control+z")
    expect(page.locator("#plan-step")).to_contain_text("0")


def test_two_divisions_are_compared_and_a_notice_is_printed(signed_in: Opens) -> None:
    page = signed_in("planner", DESKTOP, "zh").page
    on_a_new_table(page, "对比方案")
    page.locator("[name=mode][value=buildings]").check(force=True)
    page.locator("#plan-key").select_option(index=1)
    page.locator("[data-edit=close]").click()
    expect(page.locator("#plan-figures tr")).to_have_count(7)
    page.locator("a[href$='/compare']").click()
    expect(page.locator("[data-for=one] svg path[fill='url(#moved)']").first).to_be_visible()
    page.locator(".plan-ways label", has_text="滑块").click()
    expect(page.locator("#plan-over svg")).to_be_visible()
    page.locator("#plan-slide").fill("20")
    expect(page.locator("#plan-over")).to_have_css("clip-path", "inset(0px 0px 0px 20%)")
    page.locator(".related a[href*='/notices/']").first.click()
    expect(page.locator(".paper-sheet h1")).to_contain_text("边界调整公告")
    sheets = printed(page)
    assert len(sheets) == 1
    assert "划入的楼栋" in sheets[0].text
    assert all(left > 0 and right < sheets[0].width for left, _bottom, right, _top in sheets[0].boxes)


def test_the_best_division_is_proposed_with_its_proof_and_put_up_for_comment(signed_in: Opens) -> None:
    page = signed_in("planner", DESKTOP, "zh").page
    on_a_new_table(page, "最优方案")
    # Nine grids: eight cannot all have 700 people at most.
    page.locator("#plan-count").fill("9")
    page.locator(".plan-wishes summary").click()
    page.locator("[data-wish=stay]").fill("5")
    page.locator("[data-edit=propose]").click()
    expect(page.locator("#plan-proof")).to_contain_text("已证明", timeout=60_000)
    expect(page.locator("#plan-figures tr")).to_have_count(9)
    expect(page.locator("#plan-findings")).not_to_contain_text("超上限")
    expect(page.locator("#plan-moves")).to_contain_text("→")
    page.locator("form[action$='/steps'] button", has_text="征求意见").click()
    expect(page.locator(".plan-bar .label")).to_have_text("征求意见中")
    page.locator("#plan-body").fill("23 号楼离第五网格更近。")
    page.locator("form[action$='/comments'] button").click()
    expect(page.locator(".plan-list", has_text="23 号楼离第五网格更近。")).to_be_visible()
