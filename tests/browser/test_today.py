"""What is due on the phone of whoever has a grid: it opens there, with a sheet that Back takes away."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.stage import PHONE, Watched, drawn, spot

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_a_leaders_phone_opens_on_the_own_grid_with_what_is_due_and_back_closes_the_sheet(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/")
    drawn(page)
    sheet = page.locator("#panel")
    expect(sheet.locator("h2")).to_have_text("第四网格")
    expect(sheet).to_contain_text("到期事件")
    expect(sheet).to_contain_text("今日巡查")
    top = sheet.bounding_box()
    assert top
    west, south, east, north = map(float, str(sheet.locator("[data-bounds]").get_attribute("data-bounds")).split(","))
    for corner in ((west, south), (east, north)):
        x, y = spot(page, *corner)
        assert 0 <= x <= PHONE[0]
        assert 0 <= y <= top["y"], "the own grid lies above the sheet"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    due = sheet.locator("a.case[data-panel^='incidents/']")
    if due.count():
        expect(due.first.locator(".case-title")).to_have_text(re.compile(r".+ · .+"))
    page.go_back()
    expect(sheet).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/map"))
