"""Signing in and out, the own password, the language, and what somebody of another community sees."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed
from tests.furnished import PASSWORD

pytestmark = pytest.mark.browser


def sign_in(page: Page, name: str, password: str, then: str) -> None:
    """Sign in, to go on to the page ``then``."""
    page.goto(f"/signin?next={then}")
    page.fill("#name", name)
    page.fill("#password", password)
    page.keyboard.press("Enter")


def with_an_account(admin: Page, username: str, name: str, community: str) -> str:
    """Open an account for somebody on the staff of a community; its first password."""
    admin.goto("/accounts/new")
    admin.fill("#field-username", username)
    admin.fill("#field-name", name)
    admin.select_option("#field-role", "community_staff")
    admin.select_option("#field-unit", label=f"{community} (Community)")
    admin.click("form.record .btn-primary")
    return admin.locator("#first-password").inner_text()


def test_a_wrong_password_is_told_and_the_name_stays(opened: Callable[..., Watched]) -> None:
    watched = opened()
    watched.expected = {401}
    page = watched.page
    page.goto("/incidents")
    expect(page).to_have_url(re.compile(r"/signin\?next="))
    page.fill("#name", "staff")
    page.fill("#password", "not the password")
    page.click("button.btn-primary")
    expect(page.get_by_role("alert").first).to_contain_text("The user name or the password is wrong.")
    expect(page.locator("#name")).to_have_value("staff")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/incidents$"))
    expect(page.locator(".me-name")).to_contain_text("周敏")


def test_a_link_cannot_lead_elsewhere_after_signing_in(opened: Callable[..., Watched]) -> None:
    page = opened().page
    sign_in(page, "staff", PASSWORD, "//example.org/")
    expect(page).to_have_url(re.compile(r"^http://127\.0\.0\.1:\d+/map"))


def test_signing_out_ends_the_session(opened: Callable[..., Watched]) -> None:
    page = opened().page
    sign_in(page, "line", PASSWORD, "/me")
    page.locator("details.menu-end summary").click()
    page.get_by_role("button", name="Sign out").first.click()
    expect(page).to_have_url(re.compile(r"/signin$"))
    page.goto("/incidents")
    expect(page).to_have_url(re.compile(r"/signin\?next="))


def test_the_language_is_chinese_until_somebody_switches(signed_in: Callable[..., Watched]) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/incidents?state=new")
    expect(page.locator("h1")).to_have_text("事件")
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    page.get_by_role("button", name="EN").click()
    expect(page.locator("h1")).to_have_text("Cases")
    expect(page).to_have_url(re.compile(r"/incidents\?state=new$"))
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_have_text("事件")


def test_the_own_password_is_changed_with_the_old_one(
    signed_in: Callable[..., Watched], opened: Callable[..., Watched]
) -> None:
    admin = signed_in("admin").page
    first = with_an_account(admin, "wang.password", "王小明", "梧桐里社区")
    watched = opened()
    watched.expected = {422}
    page = watched.page
    sign_in(page, "wang.password", first, "/password")
    page.fill("#current", "not it")
    page.fill("#new", "a sentence is easiest")
    page.fill("#again", "a sentence is easiest")
    page.click(".card-form .btn-primary")
    expect(page.locator("#current-error")).to_have_text("The old password is wrong.")
    page.fill("#current", first)
    page.fill("#new", "a sentence is easiest")
    page.fill("#again", "a sentence is easier")
    page.click(".card-form .btn-primary")
    expect(page.locator("#again-error")).to_have_text("The two are not the same.")
    page.fill("#current", first)
    page.fill("#new", "a sentence is easiest")
    page.fill("#again", "a sentence is easiest")
    page.click(".card-form .btn-primary")
    expect(page.get_by_role("status").filter(has_text="The password is changed.")).to_be_visible()
    other = opened().page
    sign_in(other, "wang.password", "a sentence is easiest", "/me")
    expect(other.locator("h1")).to_have_text("王小明")


def test_somebody_of_another_community_sees_nothing_of_ours(
    signed_in: Callable[..., Watched], opened: Callable[..., Watched]
) -> None:
    admin = signed_in("admin").page
    building = listed(admin, "/api/buildings?limit=1")[0]["id"]
    admin.goto("/units/new")
    admin.select_option("#field-parent_id", label="临江街道 (Street)")
    admin.fill("#field-name", "隔壁社区")
    admin.fill("#field-code", "990106003099")
    admin.click("form.record .btn-primary")
    expect(admin.locator("h1")).to_have_text("隔壁社区")
    password = with_an_account(admin, "li.elsewhere", "李别处", "隔壁社区")
    watched = opened()
    watched.expected = {404}
    page = watched.page
    sign_in(page, "li.elsewhere", password, "/incidents")
    # Whoever opened the account knows its password: nothing opens before there is another one.
    expect(page.locator(".notice")).to_contain_text("Choose one that nobody else knows")
    page.goto("/incidents")
    expect(page).to_have_url(re.compile("/password$"))
    for name, typed in (("current", password), ("new", "a lamp over every door"), ("again", "a lamp over every door")):
        page.fill(f"#{name}", typed)
    page.get_by_role("button", name="Change").click()
    expect(page.locator(".done")).to_contain_text("The password is changed.")
    # Nothing is there yet, and the page says where to begin.
    expect(page).to_have_url(re.compile("/start$"))
    page.goto("/incidents")
    expect(page.locator(".nothing")).to_contain_text("No case is open.")
    for kind in ("buildings", "households", "residents", "tenancies", "dwellings", "grids", "incidents"):
        assert listed(page, f"/api/{kind}") == []
        page.goto(f"/{kind}")
        expect(page.locator("table.table")).to_have_count(0)
    assert page.goto(f"/buildings/{building}").status == 404  # type: ignore[union-attr]
    expect(page.locator("h1")).to_have_text("Not found")
    page.goto("/map")
    expect(page).to_have_url(re.compile("/start$"))
    expect(page.locator(".place-name")).to_have_text("隔壁社区")


def test_the_last_tab_of_a_phone_is_about_oneself(signed_in: Callable[..., Watched]) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/incidents")
    page.locator(".tabbar").get_by_text("我的").click()
    expect(page.locator("h1")).to_have_text("陈立新")
    expect(page.locator(".page-intro")).to_contain_text("第四网格")
