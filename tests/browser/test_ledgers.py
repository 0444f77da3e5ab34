"""The ledger: people masked and shown for a purpose, doors in linked boxes, work lists, roles."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.stage import DESKTOP, PHONE, Watched, drawn, listed, spot

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_names_in_the_ledger_are_masked_and_a_search_stands_in_no_address(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/residents")
    names = page.locator("tbody th").all_inner_texts()
    assert names
    assert all(re.fullmatch(r".\*+", name) for name in names)
    page.fill("input[name=person]", "沈玉兰")
    page.get_by_role("button", name="查找").click()
    expect(page).to_have_url(re.compile(r"/residents\?found=[\w-]+$"))
    expect(page.locator("tbody th").first).to_have_text("沈**")
    expect(page.locator("input[name=person]")).to_have_value("沈玉兰")


def test_a_personal_field_is_shown_for_a_purpose_and_then_masked_again(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    resident = next(one for one in listed(page, "/api/residents?limit=50") if one["phone"])
    page.clock.install()
    page.goto(f"/residents/{resident['id']}")
    shown = page.locator("#field-phone-value")
    expect(shown).to_have_text(re.compile(r"^\d{3}\*{4}\d{4}$"))
    masked = shown.inner_text()
    page.locator("[data-unmask=phone]").click()
    page.locator("#purpose [name=purpose]").fill("电话核对住址")
    page.locator("#purpose .btn-primary").click()
    expect(shown).to_have_text(re.compile(r"^\d{11}$"))
    page.clock.fast_forward(59_000)
    expect(shown).to_have_text(re.compile(r"^\d{11}$"))
    page.clock.fast_forward(2_000)
    expect(shown).to_have_text(masked)
    # The page asks once.
    page.locator("[data-unmask=phone]").click()
    expect(shown).to_have_text(re.compile(r"^\d{11}$"))
    page.goto(f"/residents/{resident['id']}/history")
    for place in (0, 1):
        expect(page.locator(".history li").nth(place)).to_contain_text("电话核对住址")


def test_a_purpose_is_chosen(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    resident = next(one for one in listed(page, "/api/residents?limit=50") if one["phone"])
    page.goto(f"/residents/{resident['id']}")
    page.locator("[data-unmask=phone]").click()
    page.get_by_role("button", name="回访").click()
    expect(page.locator("#field-phone-value")).to_have_text(re.compile(r"^\d{11}$"))
    page.goto(f"/residents/{resident['id']}/history")
    expect(page.locator(".history li").first).to_contain_text("回访")


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "zh"), (PHONE, "en")])
def test_a_household_is_read_with_its_people_cases_history_and_place_before_it_is_edited(
    signed_in: Opens, size: tuple[int, int], language: str
) -> None:
    page = signed_in("staff", size, language).page
    case = next(one for one in listed(page, "/api/incidents?located=true") if one["building_id"])
    household = listed(page, f"/api/households?building={case['building_id']}")[0]
    page.goto(f"/households/{household['id']}")
    drawn(page)
    expect(page.locator(".pin")).to_be_visible()
    names = page.locator("#members tbody th").all_inner_texts()
    assert len(names) == household["members"] > 0
    assert all(re.fullmatch(r".\*+", name.strip()) for name in names)
    expect(page.locator(f"#cases a[href='/incidents/{case['id']}']")).to_be_attached()
    expect(page.locator("#facts input, #facts textarea, #facts select")).to_have_count(0)
    note = f"与邻居同住 {language}"
    page.locator(f"a[href='/households/{household['id']}/edit']").click()
    page.fill("#field-note", note)
    page.locator("form.record .btn-primary").click()
    expect(page.locator("#facts")).to_contain_text(note)
    expect(page.locator("#history li").first).to_contain_text("备注" if language == "zh" else "Note")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_household_is_recorded_behind_its_door_and_gets_a_member(signed_in: Opens) -> None:
    watched = signed_in("leader")
    watched.expected = {422}
    page = watched.page
    page.goto("/households/new")
    page.fill("#field-number", "TEST-0001")
    page.select_option("#field-building_id", label="Building 18")
    expect(page.locator("#field-dwelling_id option")).to_have_count(37)
    page.select_option("#field-dwelling_id", label="Unit 2, 501")
    page.locator("input[name=groups][value=empty_nest]").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".done")).to_have_text("Recorded.")
    expect(page.locator("#facts .label-care")).to_have_text("Empty nest")
    page.get_by_role("link", name="Add a member").click()
    page.fill("#field-name", "赵小雨")
    page.fill("#field-identity_number", "990106200001010012")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#field-identity_number-error")).to_contain_text("last character")
    expect(page.locator("#field-name")).to_have_value("赵小雨")
    page.fill("#field-identity_number", "")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#members")).to_contain_text("赵**")
    page.goto("/households")
    page.locator("input[name=q]").fill("TEST-0001")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Building 18 Unit 2, 501")
    assert "TEST-0001" not in page.url
    page.locator("tbody a").first.click()
    page.go_back()
    expect(page.locator("input[name=q]")).to_have_value("TEST-0001")


def test_a_record_without_a_place_is_placed_by_a_click(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/unlocated?kind=incidents")
    drawn(page)
    before = int(page.locator(".tabs [aria-current] small").inner_text())
    (incident,) = re.findall(r"/incidents/(\d+)", str(page.locator(".place-form").get_attribute("action")))
    page.mouse.click(*spot(page, 120.8941, 31.9912))
    assert float(page.locator("#lon").input_value()) == pytest.approx(120.8941, abs=1e-4)
    page.locator(".place-form .btn-primary").click()
    expect(page.locator(".done")).to_contain_text("网格")
    expect(page.locator(".topbar-right b").first).to_be_visible()
    left = page.locator(".tabs [aria-current] small")
    expect(left).to_have_text(str(before - 1))
    found = page.request.get(f"/api/incidents/{incident}").json()
    assert found["located_by"] == "manual"
    assert found["lon"] == pytest.approx(120.8941, abs=1e-4)


def test_a_role_is_given_another_permission_and_it_holds(signed_in: Opens) -> None:
    page = signed_in("admin").page
    page.goto("/roles")
    box = page.locator('input[value="building_warden:exchange.export"]')
    expect(box).not_to_be_checked()
    box.check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".done")).to_have_text("Saved.")
    warden = signed_in("warden").page
    warden.goto("/incidents")
    expect(warden.get_by_role("link", name="Export")).to_be_visible()
    page.locator('input[value="building_warden:exchange.export"]').uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".done")).to_have_text("Saved.")
    page.goto("/audit?action=permit")
    expect(page.locator("tbody tr").first).to_contain_text("郑志刚")


def test_a_building_is_added_at_a_click_and_put_into_its_grid(signed_in: Opens) -> None:
    watched = signed_in()
    watched.expected = {409}
    page = watched.page
    page.goto("/buildings/new")
    drawn(page)
    page.fill("#field-code", "18")
    page.fill("#field-name", "Bicycle shed")
    page.mouse.click(*spot(page, 120.8941, 31.9912))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").first).to_contain_text("already")
    expect(page.locator("#field-name")).to_have_value("Bicycle shed")
    page.fill("#field-code", "SHED")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".done")).to_have_text("Recorded.")
    expect(page.locator("h1")).to_have_text("Bicycle shed")
    building = page.request.get(f"/api{page.url.split(page.url.split('/buildings')[0])[1]}").json()
    assert building["grid_name"]
    assert building["lon"] == pytest.approx(120.8941, abs=1e-4)
