"""Rows that an import sent back are mended on the page: a suggestion taken, another value typed, and they are in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]

HEADINGS = "户号,户主,楼栋,单元,房号,户籍情况\n"


def checked(page: Page, path: Path, content: str) -> None:
    """Hand a file of households in and wait until its rows were checked."""
    path.write_text(HEADINGS + content, "utf-8")
    page.goto("/exchange/import?kind=households")
    page.set_input_files("#file", path)
    page.locator(".import-form .btn-primary").click()
    expect(page.locator("#rejects")).to_be_visible()


@pytest.mark.parametrize(("size", "name"), [(DESKTOP, "MD"), (PHONE, "MP")])
def test_rows_that_were_sent_back_are_mended_and_come_in_once(
    signed_in: Opens, tmp_path: Path, size: tuple[int, int], name: str
) -> None:
    page = signed_in("staff", size, "zh").page
    rows = f"{name}-1,林一,1,1,101,\n{name}-2,#N/A,1,1,102,\n{name}-3,王三,1,1,3月2日,\n户主：,赵四,1,1,103,\n"
    checked(page, tmp_path / "households.csv", rows)
    expect(page.locator("#rejects tbody tr")).to_have_count(3)
    page.locator("input[name=accept_valid]").check()
    page.locator("#import-foot .btn-primary").first.click()
    expect(page.locator("#import-foot .is-done")).to_be_visible()
    expect(page.get_by_role("button", name="导入改好的行")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

    page.locator("tr[data-row='3'] input").fill("张二")
    page.locator("tr[data-row='4'] input").fill("3-2")
    page.get_by_role("button", name="导入改好的行").click()
    expect(page.locator("#rejects tbody tr")).to_have_count(1)
    expect(page.locator("#import-foot .is-done")).to_contain_text("新增 2")
    page.locator("tr[data-row='5'] input").first.fill(f"{name}-4")
    page.get_by_role("button", name="导入改好的行").click()
    expect(page.locator("#rejects .empty-line")).to_be_visible()
    numbers = sorted(one["number"] for one in listed(page, "/api/households?limit=1000"))
    found = [number for number in numbers if number.startswith(f"{name}-")]
    assert found == [f"{name}-{at}" for at in (1, 2, 3, 4)]


@pytest.mark.parametrize(("size", "heading"), [(DESKTOP, "当家人"), (PHONE, "掌柜")])
def test_a_column_that_was_matched_is_remembered_and_can_be_forgotten(
    signed_in: Opens, tmp_path: Path, size: tuple[int, int], heading: str
) -> None:
    page = signed_in("staff", size, "zh").page
    number = "MT" if size == DESKTOP else "MU"
    path = tmp_path / "homes.csv"
    path.write_text(f"户号,楼栋,单元,房号,{heading}\n{number}-1,1,1,101,林一\n", "utf-8")

    def hand_in() -> None:
        page.goto("/exchange/import?kind=households")
        page.set_input_files("#file", path)
        page.locator(".import-form .btn-primary").click()
        expect(page.locator("#rejects")).to_be_visible()

    hand_in()
    expect(page.locator(".import-notes")).to_contain_text(heading)
    page.get_by_label(heading).select_option(label="户主姓名")
    with page.expect_navigation():
        page.get_by_role("button", name="检查各行").click()
    expect(page.locator("#rejects")).to_be_visible()
    expect(page.get_by_label(heading)).to_have_value("head_name")
    page.locator("#import-foot .btn-primary").click()
    expect(page.locator("#import-foot .is-done")).to_be_visible()
    hand_in()
    expect(page.locator(".import-notes")).to_contain_text(f"“{heading}”即“户主姓名”")
    expect(page.get_by_label(heading)).to_have_value("head_name")

    page.goto("/exchange/terms")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    row = page.get_by_role("row").filter(has_text=heading)
    expect(row).to_contain_text("户主姓名")
    row.get_by_role("button").click()
    expect(row).to_have_count(0)
    hand_in()
    expect(page.locator(".import-notes")).to_contain_text("没有认出")
