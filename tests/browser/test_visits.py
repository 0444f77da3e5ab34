"""A visit at the door on a leader's phone: few taps where nothing changed, also without a network, and a staircase."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]
MOST_TAPS, MOST_S = 6, 20


def test_a_visit_where_nothing_changed_takes_few_taps_from_the_sheet_of_the_day(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/")
    began, taps = monotonic(), 0
    door = page.locator("#panel a.case[href^='/visits/record/']").first
    number = str(door.get_attribute("href")).rsplit("/", 1)[1]
    before = len(listed(page, f"/api/visits?household={number}"))
    for tapped in (door, page.locator(".visit-outcomes button[value='met']")):
        tapped.click()
        taps += 1
    expect(page.locator(".done")).to_contain_text("已记录")
    assert taps <= MOST_TAPS
    assert monotonic() - began <= 3 * MOST_S, "a slow machine is no slow hand"
    after = listed(page, f"/api/visits?household={number}")
    assert len(after) == before + 1
    assert after[0]["outcome"] == "met"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_visit_without_a_network_is_kept_and_sent_exactly_once(signed_in: Opens) -> None:
    watched = signed_in("leader", PHONE, "zh")
    page = watched.page
    page.goto("/visits?sort=-door")
    door = page.locator("tbody th a").first
    number = str(door.get_attribute("href")).rsplit("/", 1)[1]
    before = len(listed(page, f"/api/visits?household={number}"))
    door.click()
    page.wait_for_url("**/visits/record/**")
    page.locator("#visit-said").fill("楼道里没有信号")
    page.context.set_offline(True)
    page.locator(".visit-outcomes button[value='met']").click()
    expect(page.locator(".kept-bar")).to_contain_text("待发送")
    page.context.set_offline(False)
    expect(page.locator(".done")).to_contain_text("已记录")
    after = listed(page, f"/api/visits?household={number}")
    assert len(after) == before + 1
    assert (after[0]["said"], after[0]["outcome"]) == ("楼道里没有信号", "met")


def test_the_office_follows_a_campaign_on_its_map_and_finds_who_is_left(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "en").page
    page.goto("/campaigns")
    page.locator(".campaigns a").first.click()
    page.wait_for_url("**/campaigns/*")
    # Other stories add and move households meanwhile.
    parts = page.request.get(f"/api{urlsplit(page.url).path}/progress").json()
    met, cards = (sum(part[name] for part in parts) for name in ("met", "cards"))
    expect(page.locator(".campaign-said")).to_contain_text(f"{met:,} of ")
    expect(page.locator(".campaign-said")).to_contain_text(f"Service cards: {cards:,}.")
    expect(page.locator(".campaign-map svg g")).to_have_count(sum(part["grid_id"] is not None for part in parts))
    page.get_by_role("link", name="Who is left").click()
    expect(page.locator("h1")).to_have_text("Who is left")
    page.locator(".door-list a").first.click()
    expect(page.locator(".visit-outcomes button")).to_have_count(3)
    page.locator(".visit-manner label", has_text="Phone visit").click()
    expect(page.get_by_role("button", name="Reached", exact=True)).to_be_visible()
