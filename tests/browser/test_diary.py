"""The diary on a leader's phone: an entry in seconds, also without a network; the office finds it and sees where."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest
from playwright.sync_api import expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]
MOST_TAPS = 3


def test_an_entry_is_written_without_a_network_sent_once_and_struck_off(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/")
    taps = 0
    page.locator("#panel a[href='/diary/new']").click()
    taps += 1
    page.wait_for_url("**/diary/new")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    words = f"断网时记下的：三楼灯不亮 {monotonic()}"
    page.locator("#diary-said").fill(words)
    page.context.set_offline(True)
    page.locator("button[name='standing'][value='open']").click()
    taps += 1
    assert taps <= MOST_TAPS
    expect(page.locator(".kept-bar")).to_contain_text("待发送")
    page.context.set_offline(False)
    expect(page.locator(".done")).to_contain_text("已记入：水电照明")
    expect(page.locator(".diary-said")).to_have_text(words)
    entries = [one for one in listed(page, "/api/diary?limit=200") if one["said"] == words]
    assert len(entries) == 1
    assert (entries[0]["standing"], entries[0]["subject"]) == ("open", "utilities")
    page.locator("#diary-answer").fill("换了灯泡")
    with page.expect_navigation():
        page.get_by_role("button", name="注销").click()
    expect(page.locator(".diary-said.is-struck")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_office_searches_without_a_trace_and_sees_what_people_talk_about(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/diary")
    page.locator("input[name='q']").fill("野猫")
    with page.expect_navigation():
        page.locator("input[name='q']").press("Enter")
    assert "q=" not in page.url.replace("sought=", "")
    expect(page.locator("tbody tr").first).to_contain_text("野猫")
    page.get_by_role("link", name="民情分析").click()
    page.wait_for_url("**/diary/themes")
    expect(page.locator("[data-chart='kinds'][data-ready]")).to_be_visible()
    expect(page.locator(".map-disc").first).to_be_visible()
    with page.expect_navigation():
        page.locator(".diary-months td a").first.click()
    expect(page.locator("tbody tr").first).to_be_visible()


def test_the_line_officer_takes_a_week_over(signed_in: Opens) -> None:
    page = signed_in("line", PHONE, "zh").page
    page.goto("/diary/weeks")
    mine = page.locator("tr.is-mine button")
    before = mine.count()
    assert before
    with page.expect_navigation():
        mine.first.click()
    expect(page.locator(".done")).to_contain_text("已接收")
    expect(mine).to_have_count(before - 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
