"""“I have 40 minutes” on a leader's phone: a walk on the map, doors with their reasons, one door after the other."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.stage import PHONE, Watched

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_a_leader_with_little_time_is_led_from_door_to_door(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/")
    page.locator("#panel a[href='/walk']").click()
    page.wait_for_url("**/walk*")
    expect(page.locator("h1")).to_have_text("我有 40 分钟")
    with page.expect_navigation():
        page.locator("[data-minutes='60']").click()
    expect(page.locator("h1")).to_have_text("我有 60 分钟")
    expect(page.locator(".folium-map[data-ready]")).to_be_attached()
    stops = page.locator(".walk-doors")
    expect(page.locator(".walk-stop")).to_have_count(stops.count())
    door = stops.first.locator("li a[href^='/visits/record/']").first
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    door.click()
    page.wait_for_url("**/visits/record/*walk=*")
    first = page.url
    with page.expect_navigation():
        page.locator(".visit-outcomes button[value='nobody']").click()
    expect(page.locator(".done")).to_contain_text("已记录")
    assert page.url != first
    expect(page).to_have_url(re.compile(r"/visits/record/\d+\?walk=|/walk"))
    # How long one had is remembered on the device: the page opens with it.
    page.goto("/walk")
    page.wait_for_url("**/walk?*minutes=60*")
    expect(page.locator("h1")).to_have_text("我有 60 分钟")


def test_doors_are_found_by_building_and_name_and_none_that_fits_is_said(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "en").page
    page.goto("/walk?minutes=40")
    building = str(page.locator(".walk-doors").first.get_attribute("data-building"))
    page.locator("#walk-search").fill(building)
    expect(page.locator(".walk-doors:visible")).to_have_count(1)
    page.locator("#walk-search").fill("no such door")
    expect(page.locator("#walk-none")).to_be_visible()
    expect(page.locator(".walk-doors:visible")).to_have_count(0)
