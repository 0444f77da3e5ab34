"""Somebody who was recorded twice is found, both records are seen side by side, made one, and taken apart again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import DESKTOP, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]

_ADD = """async (body) => {
  const token = document.querySelector("[name=csrf-token]").content;
  const headers = {"Content-Type": "application/json", "X-CSRF-Token": token};
  const answer = await fetch("/api/residents", {method: "POST", headers, body: JSON.stringify(body)});
  return answer.status;
}"""


def test_somebody_recorded_twice_is_made_one_and_taken_apart_again(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/duplicates")
    look(page)
    homes = listed(page, "/api/households?limit=2")[:2]
    person = {"name": "皇甫重记", "born_on": "1951-03-07", "phone": "15400000431"}
    for home in homes:
        assert page.evaluate(_ADD, person | {"household_id": home["id"]}) == 201
    look(page)
    pair = page.locator("tbody tr", has_text="皇").first
    expect(pair).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("皇甫重记")
    with page.expect_navigation():
        pair.locator("a").first.click()
    expect(page.locator(".page-intro")).to_contain_text("电话相同")
    with page.expect_navigation():
        page.get_by_role("button", name="是同一条，合并").click()
    expect(page.locator(".done")).to_contain_text("可以撤销")
    page.goto("/duplicates/merged")
    with page.expect_navigation():
        page.locator(".merged form button").first.click()
    expect(page.locator(".done")).to_contain_text("两条记录都已恢复")


def look(page: Page) -> None:
    """Look until nothing that was changed is left, whoever else is looking."""
    for _time in range(20):
        with page.expect_navigation():
            page.get_by_role("button", name="重新查找").click()
        if "已核对 0 条" in page.locator(".done").inner_text():
            return
