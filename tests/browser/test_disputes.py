"""A dispute on a leader’s phone: reported without a network, settled, asked about; what comes again at the office."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_a_dispute_is_reported_without_a_network_settled_printed_and_followed(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/disputes/new")
    before = len(listed(page, "/api/disputes?limit=500"))
    page.locator("#dispute-building").select_option(index=1)
    page.locator("#dispute-kind").select_option("leak")
    page.locator("#dispute-story").fill("断网时记下的：空调滴水")
    for place, name in ((1, "欧阳小明"), (2, "王小芳")):
        page.locator(f"[name='name-{place}']").fill(name)
    page.locator("[name='phone-1']").fill("15400006021")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.context.set_offline(True)
    page.get_by_role("button", name="上报", exact=True).click()
    expect(page.locator(".kept-bar")).to_contain_text("待发送")
    page.context.set_offline(False)
    expect(page.locator(".done")).to_contain_text("已上报")
    expect(page.locator(".dispute-parties")).to_contain_text("欧*** 154****6021")
    assert len(listed(page, "/api/disputes?limit=500")) == before + 1
    page.locator("#dispute-note").fill("一方没有来")
    with page.expect_navigation():
        page.locator("button[value='climb']").click()
    expect(page.locator(".dispute-levels [aria-current]")).to_have_text("网格")
    page.locator("#dispute-mediators").fill("网格负责人、楼栋员")
    page.locator("#dispute-agreement").fill("三天内接好排水管")
    with page.expect_navigation():
        page.locator("button[value='settle']").click()
    expect(page.locator(".dispute-calls li")).to_have_count(3)
    page.locator(".dispute-calls [name='note']").first.fill("没有再滴")
    with page.expect_navigation():
        page.locator(".dispute-calls button[value='true']").first.click()
    expect(page.locator(".dispute-calls li").first).to_contain_text("已履行")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.get_by_role("link", name="调解协议").click()
    expect(page.locator(".agreement-text")).to_have_text("三天内接好排水管")
    expect(page.locator(".agreement")).not_to_contain_text("欧阳小明")


def test_the_office_sees_what_comes_again_and_why(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/disputes")
    page.get_by_role("link", name="反复发生").click()
    page.wait_for_url("**/disputes/again")
    expect(page.locator(".dispute-table tbody tr").first).to_contain_text("次")
    expect(page.locator(".map-disc").first).to_be_visible()
    with page.expect_navigation():
        page.locator(".dispute-table th a").first.click()
    with page.expect_navigation():
        page.locator("tbody th a").first.click()
    if page.locator(".dispute-again").count() == 0:  # the first one of a row has nothing before it
        page.go_back()
        with page.expect_navigation():
            page.locator("tbody th a").last.click()
    expect(page.locator(".dispute-steps li").first).to_be_visible()
