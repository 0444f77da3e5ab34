"""At the door without a network: taken along, recorded, refused and mended, sent once, handed in, and forgotten."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def at_the_door(page: Page) -> None:
    """Open the page and wait until the phone has its households and may lose its network."""
    page.goto("/door")
    expect(page.locator("#door-about")).to_contain_text(re.compile(r"\d+ 户|\d+ households"))
    page.wait_for_function("navigator.serviceWorker.ready.then((worker) => worker.active?.state === 'activated')")


def visits_of(page: Page, household: str) -> list[dict[str, object]]:
    return listed(page, f"/api/visits?household={household}")


def test_doors_are_opened_and_recorded_without_a_network_and_sent_exactly_once(signed_in: Opens) -> None:
    watched = signed_in("leader", PHONE, "zh")
    page = watched.page
    at_the_door(page)
    home = page.locator("#door-list button").nth(3)
    household = str(home.get_attribute("data-household"))
    before = len(visits_of(page, household))

    page.context.set_offline(True)
    page.reload()  # the page itself comes from the phone
    expect(page.locator("#door-about")).to_contain_text("户")
    door = page.locator(f"[data-household='{household}']")
    # Two taps: the door, and that somebody was met.
    door.click()
    page.get_by_role("button", name="见到了").click()
    expect(door).to_contain_text("已记录")
    expect(page.locator("#door-state")).to_contain_text("离线，1 条待发送")

    door.click()
    page.locator("#door-said").fill("楼道里没有信号")
    page.locator("#door-asks summary").click()
    page.locator("#door-kind").select_option(label="楼道灯不亮")
    page.locator("#door-what").fill("三楼灯不亮")
    page.get_by_role("button", name="见到了").click()
    expect(page.locator("#door-state")).to_contain_text("离线，2 条待发送")
    page.reload()
    expect(page.locator("#door-state")).to_contain_text("离线，2 条待发送")

    page.context.set_offline(False)
    expect(page.locator("#door-state")).to_be_hidden()
    visits = visits_of(page, household)
    assert len(visits) == before + 2
    (said,) = [visit for visit in visits if visit["said"] == "楼道里没有信号"]
    assert said["incident_id"]
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_load_state("networkidle")
    assert len(visits_of(page, household)) == before + 2
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_record_that_is_refused_says_why_and_is_mended_while_the_others_go_on(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    at_the_door(page)
    homes = page.locator("#door-list section").filter(has_text="18 号楼").locator("button")
    first, second = (str(homes.nth(number).get_attribute("data-household")) for number in (0, 1))
    before = len(visits_of(page, first)), len(visits_of(page, second))
    page.context.set_offline(True)
    page.locator(f"[data-household='{first}']").click()
    page.locator("#door-facts summary").click()
    page.locator("#door-fields input").first.fill("139****0000")
    page.locator("#door-said").fill("换了号码")
    page.get_by_role("button", name="见到了").click()
    page.locator(f"[data-household='{second}']").click()
    page.get_by_role("button", name="没人在家").click()
    expect(page.locator("#door-state")).to_contain_text("离线，2 条待发送")
    page.context.set_offline(False)

    refused = page.locator("#door-refused li")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("未收下")
    assert (len(visits_of(page, first)), len(visits_of(page, second))) == (before[0], before[1] + 1)
    refused.get_by_role("button", name="打开更正").click()
    expect(page.locator("#door-said")).to_have_value("换了号码")
    page.locator("#door-fields input").first.fill("")
    page.get_by_role("button", name="见到了").click()
    expect(refused).to_have_count(0)
    expect(page.locator("#door-state")).to_be_hidden()
    assert len(visits_of(page, first)) == before[0] + 1


def test_what_is_unsent_is_saved_and_handed_in_and_a_lost_phone_forgets(signed_in: Opens, tmp_path: Path) -> None:
    walker = signed_in("leader", PHONE, "zh")
    page = walker.page
    at_the_door(page)
    household = str(page.locator("#door-list button").nth(6).get_attribute("data-household"))
    before = len(visits_of(page, household))
    page.context.set_offline(True)
    page.locator(f"[data-household='{household}']").click()
    page.locator("#door-said").fill("存成文件交来")
    page.get_by_role("button", name="见到了").click()
    with page.expect_download() as downloading:
        page.locator("#door-save").click()
    file = tmp_path / "unsent.wangge"
    downloading.value.save_as(file)
    assert "存成文件交来" not in file.read_text()

    office = signed_in("staff", DESKTOP, "zh").page
    office.goto("/phones")
    office.set_input_files("#phone-file", file)
    with office.expect_navigation():
        office.get_by_role("button", name="交存").click()
    expect(office.get_by_role("status").filter(has_text="已交存")).to_contain_text("收下 1 条")
    (visit, *_older) = [visit for visit in visits_of(office, household) if visit["said"] == "存成文件交来"]
    assert visit["account_name"] == "陈立新"

    walker.expected |= {409}
    mine = office.locator(".phones-list li").filter(has_text="陈立新").first
    with office.expect_navigation():
        mine.get_by_role("button", name="报失").click()
    expect(office.locator(".label", has_text="报失").first).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("#door-trouble")).to_contain_text("已报失")
    expect(page.locator("#door-list-part")).to_be_hidden()
    left = page.evaluate(
        """async () => {
            const done = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
            const db = await done(indexedDB.open("wangge-door"));
            const count = (name) => done(db.transaction(name).objectStore(name).count());
            return Promise.all(["keys", "parcels", "queue"].map(count));
        }"""
    )
    assert left == [1, 0, 0]  # that it was lost
    assert len(visits_of(page, household)) == before + 1


def test_the_office_chooses_between_two_values_and_takes_a_grid_along_itself(signed_in: Opens) -> None:
    walker = signed_in("leader", PHONE, "zh").page
    at_the_door(walker)
    household = str(walker.locator("#door-list button").nth(9).get_attribute("data-household"))
    walker.context.set_offline(True)
    walker.locator(f"[data-household='{household}']").click()
    walker.locator("#door-facts summary").click()
    walker.locator("#door-fields input").first.fill("13900007777")
    walker.get_by_role("button", name="见到了").click()

    staff = signed_in("staff", DESKTOP, "en")
    office = staff.page
    me = office.request.get("/api/me").json()
    changed = office.request.patch(
        f"/api/households/{household}",
        data={"phone": "13900006666"},
        headers={"X-CSRF-Token": me["csrf_token"]},
    )
    assert changed.ok, changed.text()
    walker.context.set_offline(False)
    expect(walker.locator("#door-trouble")).to_contain_text("1 项档案期间被别人改过")
    office.goto("/phones")
    choice = office.locator(".phones-choice").filter(has_text="139****7777")
    expect(choice).to_contain_text("139****6666")
    with office.expect_navigation():
        choice.get_by_role("button", name="Take this").click()
    expect(office.locator(".phones-choice").filter(has_text="139****7777")).to_have_count(0)

    staff.expected |= {422}  # that the grid is to be named
    office.goto("/door")
    office.locator("#door-grid-code").select_option(label="第二网格")
    office.get_by_role("button", name="Take along", exact=True).click()
    expect(office.locator("#door-about")).to_contain_text("第二网格")


def test_what_the_walker_may_no_longer_see_goes_from_the_phone_with_the_next_network(signed_in: Opens) -> None:
    watched = signed_in("leader", PHONE, "zh")
    page = watched.page
    at_the_door(page)
    homes = page.locator("#door-list button")
    before = homes.count()
    gone = str(homes.first.get_attribute("data-household"))

    def without_it(route: Route) -> None:
        answer = route.fetch()
        parcel = answer.json()
        parcel["households"] = [home for home in parcel["households"] if str(home["id"]) != gone]
        route.fulfill(response=answer, json=parcel)

    page.route("**/api/phones/take", without_it)
    page.reload()
    expect(homes).to_have_count(before - 1)
    page.unroute("**/api/phones/take")
    watched.expected |= {403}
    page.route("**/api/phones/take", lambda route: route.fulfill(status=403, json={"detail": "没有权限"}))
    page.reload()
    expect(page.locator("#door-trouble")).to_contain_text("没有权限")
    expect(page.locator("#door-list-part")).to_be_hidden()
    page.context.set_offline(True)
    page.reload()
    expect(page.locator("#door-trouble")).to_contain_text("还没有住户数据")
