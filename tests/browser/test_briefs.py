"""A week is reported from a phone, taken note of at the office, and its numbers open the records behind them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.stage import DESKTOP, PHONE, Watched

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_a_week_is_told_from_the_records_and_answered(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/briefs")
    page.locator("details.brief-part summary").click()
    page.locator("#brief-kind").select_option("week")
    with page.expect_navigation():
        page.get_by_role("button", name="起草", exact=True).click()
    words = page.locator("#brief-words")
    expect(words).to_contain_text("上门走访")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    words.fill(words.input_value() + "\n3 号楼楼道灯已报修。")
    with page.expect_navigation():
        page.get_by_role("button", name="提交").click()
    expect(page.locator(".done")).to_contain_text("已上报")
    address = page.url
    office = signed_in("staff", DESKTOP, "zh").page
    office.goto(address)
    expect(office.locator(".brief-words").first).to_contain_text("3 号楼楼道灯已报修")
    office.locator("#brief-answer").fill("已请物业处理")
    with office.expect_navigation():
        office.get_by_role("button", name="签收").click()
    expect(office.locator(".done")).to_contain_text("已签收")
    page.goto(address)
    expect(page.locator(".brief-part").first).to_contain_text("已请物业处理")
    office.goto("/briefs")
    expect(office.locator(".brief-board").first).to_contain_text("已签收")


def test_a_number_of_the_ledger_opens_its_records_and_the_ledger_goes_to_paper_and_excel(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/ledger")
    expect(page.locator(".ledger-sheet tbody tr").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Excel").click()
    assert download.value.suggested_filename.endswith(".xlsx")
    cell = page.locator(".ledger-sheet tbody td a").first
    number = cell.inner_text()
    with page.expect_navigation():
        cell.click()
    expect(page.locator(".figure-number data")).to_have_text(number)
    expect(page.locator(".figure-part").last.locator("li a").first).to_be_visible()
