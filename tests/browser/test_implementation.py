"""The office drafts the report of a spring from the records, corrects a sentence and takes the document away."""

from __future__ import annotations

import re
from collections.abc import Callable

import docx
import pytest
from playwright.sync_api import expect

from data.base import settings
from data.demo import duties
from tests.browser.stage import DESKTOP, PHONE, Watched

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_the_report_of_the_spring_is_drafted_corrected_and_taken_away(signed_in: Opens) -> None:
    year = duties.spring(settings.today()).year
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/stats")
    page.get_by_role("link", name="实施情况报告").click()
    page.wait_for_url("**/implementation")
    page.locator("#report-first_on").fill(f"{year}-01-01")
    page.locator("#report-last_on").fill(f"{year}-03-31")
    with page.expect_navigation():
        page.get_by_role("button", name="起草").click()
    expect(page.locator("#report-opening")).to_have_value(re.compile("占地15.6万平方米"))
    expect(page.locator("#report-visits")).to_have_value(re.compile("发放便民服务卡1400张"))
    page.locator("#report-problems").fill("1.片警与社区工作人员的配合需有关部门协调。")
    with page.expect_navigation():
        page.get_by_role("button", name="保存").click()
    expect(page.locator("#report-problems")).to_have_value("1.片警与社区工作人员的配合需有关部门协调。")
    with page.expect_download() as download:
        page.get_by_role("link", name="Word 文档").click()
    document = docx.Document(str(download.value.path()))
    said = "\n".join(paragraph.text for paragraph in document.paragraphs)
    assert "片警与社区工作人员的配合" in said
    assert len(document.inline_shapes) == 4
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
