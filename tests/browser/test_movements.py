"""Births, deaths and moves on a leader's phone: said once, the numbers follow; undone, they are back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.stage import PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_somebody_moves_out_a_child_is_born_and_the_wrong_one_is_undone(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    homes = listed(page, "/api/households?limit=100")
    home = next(one for one in homes if one["members"] > 2)
    page.goto(f"/households/{home['id']}")
    page.get_by_role("link", name="登记变动").click()
    page.get_by_role("link", name="出生").click()
    page.locator("#field-name").fill("欧阳小宝")
    page.locator("#field-sex").select_option(index=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    with page.expect_navigation():
        page.get_by_role("button", name="保存").click()
    expect(page.locator("main")).to_contain_text("欧***")
    assert page.request.get(f"/api/households/{home['id']}").json()["members"] == home["members"] + 1
    with page.expect_navigation():
        page.get_by_role("button", name="撤销").click()
    assert page.request.get(f"/api/households/{home['id']}").json()["members"] == home["members"]
    page.goto(f"/movements/new?household={home['id']}&kind=moved_out")
    page.locator("[name='resident_ids']").last.wait_for()
    for place in range(page.locator("[name='resident_ids']").count() - 1):
        page.locator("[name='resident_ids']").nth(place).uncheck()
    page.locator("#field-reach").select_option("city")
    with page.expect_navigation():
        page.get_by_role("button", name="保存").click()
    expect(page.locator("main")).to_contain_text("迁出")
    assert page.request.get(f"/api/households/{home['id']}").json()["members"] == home["members"] - 1
    page.goto("/movements")
    expect(page.locator("tbody tr").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.goto(f"/households/{home['id']}")
    page.locator("#events tbody a").first.click()
    with page.expect_navigation():
        page.get_by_role("button", name="撤销").click()
    assert page.request.get(f"/api/households/{home['id']}").json()["members"] == home["members"]
