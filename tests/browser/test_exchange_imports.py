"""A file comes in through the pages: columns matched, rows sent back, the good ones in, and found afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]

CASES = """编号,类别,情况描述,地点,上报时间
IMP-1,楼道灯不亮,一层楼道灯不亮,梧桐路168弄3号2单元,2026-11-01 08:00
IMP-2,流浪猫较多,自行车棚有猫,梧桐路168弄4号,2026-11-02 09:30
IMP-3,漏水渗水,屋顶漏水,梧桐路168弄99号,2026-11-03 10:00
IMP-4,天上掉馅饼,没有这一类,梧桐路168弄5号,2026-11-03 11:00
IMP-5,漏水渗水,没有这一天,梧桐路168弄5号,2026-02-30 11:00
"""


def test_good_rows_come_in_and_the_others_are_sent_back_with_reasons(signed_in: Opens, tmp_path: Path) -> None:
    path = tmp_path / "事件.csv"
    path.write_bytes(CASES.encode("gb18030"))
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/incidents")
    page.get_by_role("link", name="导入").click()
    expect(page.locator("input[name=kind][value=incidents]")).to_be_checked()
    page.set_input_files("#file", path)
    page.locator(".import-form .btn-primary").click()
    expect(page).to_have_url(re.compile(r"/exchange/import/\d+"))
    expect(page.locator("#rejects")).to_be_visible()
    expect(page.locator(".column-rows select").first).to_have_value("number")
    expect(page.locator(".import-left")).to_contain_text(re.compile("gb18030|gbk", re.IGNORECASE))
    rows = page.locator("#rejects tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("2026-02-30")
    expect(page.locator(".import-notes")).to_contain_text("天上掉馅饼")
    assert not [one for one in listed(page, "/api/incidents?limit=1000") if one["number"].startswith("IMP-")]
    with page.expect_download() as arriving:
        page.locator("#rejects").get_by_role("link").filter(has_text="下载").click()
    sent_back = Path(arriving.value.path()).read_text("utf-8-sig")
    assert re.findall(r"IMP-\d", sent_back) == ["IMP-5"]
    page.locator("input[name=accept_valid]").check()
    page.locator("#import-foot .btn-primary").click()
    expect(page.locator("#import-foot .is-done")).to_be_visible()
    found = {
        one["number"]: one for one in listed(page, "/api/incidents?limit=1000") if one["number"].startswith("IMP-")
    }
    assert sorted(found) == ["IMP-1", "IMP-2", "IMP-3", "IMP-4"]
    assert (found["IMP-1"]["building_number"], found["IMP-1"]["located_by"]) == ("3", "address")
    assert found["IMP-3"]["unlocated_reason"] == "no_such_building"
    page.locator("#import-foot .btn-primary").click()
    expect(page).to_have_url(re.compile(r"/incidents"))


def test_the_same_file_again_changes_nothing(signed_in: Opens, tmp_path: Path) -> None:
    path = tmp_path / "楼栋.csv"
    path.write_text("楼栋编码,楼号,经度,纬度,用途\nIMP-B,IMP-B,120.8941,31.9912,其他\n", "utf-8")
    page = signed_in("staff", DESKTOP, "zh").page
    for expected in ("新增 1，更新 0，不变 0", "新增 0，更新 0，不变 1"):
        page.goto("/exchange/import?kind=buildings")
        page.set_input_files("#file", path)
        page.locator(".import-form .btn-primary").click()
        expect(page.locator("#rejects")).to_be_visible()
        expect(page.locator(".import-map")).to_be_visible()
        expect(page.locator("#import-foot")).to_contain_text(expected)
        page.locator("#import-foot .btn-primary").click()
        expect(page.locator("#import-foot .is-done")).to_be_visible()
    assert len(listed(page, "/api/buildings?q=IMP-B")) == 1


def test_a_file_that_is_none_is_refused_with_a_sentence(signed_in: Opens, tmp_path: Path) -> None:
    watched = signed_in("staff", PHONE)
    watched.expected = {422}
    path = tmp_path / "picture.geojson"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    page = watched.page
    page.goto("/exchange/import?kind=buildings")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.set_input_files("#file", path)
    page.locator(".import-form .btn-primary").click()
    expect(page.get_by_role("alert").first).not_to_be_empty()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
