"""Patrols: a dead zone, a reload and an ended session lose nothing; what was passed is on the coverage page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.browser.stage import DESKTOP, PHONE, Watched, drawn, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]

#: All records of the phone's storage in order, without photos.
_KEPT = """() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("wangge-patrol");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
        const asking = opening.result.transaction("records").objectStore("records").getAll();
        asking.onsuccess = () => resolve(asking.result.map(({ photo, ...record }) => record));
        asking.onerror = () => reject(asking.error);
    };
})"""
#: Wait until the server has all of the phone's patrols, and the phone has put away those that are over.
_SENT = """async () => {
    const asked = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
    });
    const opened = await asked(indexedDB.open("wangge-patrol"));
    for (let left = 400; left; left -= 1) {
        const reading = opened.transaction(["patrols", "records"]);
        const patrols = await asked(reading.objectStore("patrols").getAll());
        const records = await asked(reading.objectStore("records").getAll());
        if (patrols.every(({ id, stoppedAt }) => id && !stoppedAt) && !records.some((one) => one.waiting)) return;
        await new Promise((again) => setTimeout(again, 50));
    }
    throw new Error("something still waits on the phone");
}"""
#: A step of a tenth of a metre.
STEP = 1e-6


class Walker:
    """Somebody with the phone page open, who stands beside a building and takes small steps."""

    def __init__(self, watched: Watched, number: str) -> None:
        self.watched, self.page, self.steps = watched, watched.page, 0
        self.page.context.grant_permissions(["geolocation"])
        today = self.page.request.get("/patrol/today").json()
        self.building: dict[str, Any] = next(one for one in today["buildings"] if one["short"] == number)
        self.lon, self.lat = self.building["rings"][0][0]
        self.stand()

    def stand(self) -> None:
        """Be where the steps have led."""
        place = {"longitude": self.lon + self.steps * STEP, "latitude": self.lat, "accuracy": 5}
        self.page.context.set_geolocation(place)  # type: ignore[arg-type]

    def start(self, *, track: bool = True) -> None:
        """Open the page and start, with a track or without; the first fix is there."""
        self.page.goto("/patrol")
        drawn(self.page)
        expect(self.page.locator("#keep-track")).not_to_be_checked()
        if track:
            self.page.locator("#keep-track").check()
        self.page.locator("#start").click()
        self.noted(1)

    def walk(self, steps: int) -> None:
        """Take so many steps, each a fix that the phone keeps."""
        for _step in range(steps):
            before = int(self.page.locator("#progress").get_attribute("data-fixes") or 0)
            self.steps += 1
            self.stand()
            self.noted(before + 1)

    def noted(self, fixes: int) -> None:
        """Wait until the phone has kept so many fixes."""
        expect(self.page.locator("#progress")).to_have_attribute("data-fixes", str(fixes))

    def all_sent(self) -> None:
        """Wait until nothing waits on the phone."""
        self.page.evaluate("dispatchEvent(new Event('online'))")
        self.page.evaluate(_SENT)

    def kept(self) -> list[dict[str, Any]]:
        """What the phone keeps, in order."""
        found: list[dict[str, Any]] = self.page.evaluate(_KEPT)
        return found

    def fixes(self) -> list[tuple[float, float, int]]:
        """The fixes that the phone keeps."""
        return [(one["lon"], one["lat"], round(one["at"])) for one in self.kept() if one["kind"] == "point"]

    def end(self) -> None:
        """End the patrol, and wait until all of it has gone."""
        self.page.locator("#stop").click()
        self.page.locator("#stop-now").click()
        expect(self.page.locator("#idle")).to_be_visible()
        self.page.evaluate(_SENT)


def photo() -> dict[str, Any]:
    """A small photo, as a file that is chosen."""
    content = io.BytesIO()
    Image.new("RGB", (64, 48), (120, 90, 60)).save(content, "PNG")
    return {"name": "stairs.png", "mimeType": "image/png", "buffer": content.getvalue()}


def newest(page: Page) -> dict[str, Any]:
    """The patrol that began last, as the API tells it."""
    found = listed(page, "/api/patrols?limit=1000")[0]
    return dict(page.request.get(f"/api/patrols/{found['id']}").json())


def arrived(page: Page, patrol_id: int) -> list[tuple[float, float, int]]:
    """The points of a patrol as the server has them; their numbers have no gap and no double."""
    points = page.request.get(f"/api/patrols/{patrol_id}/points").json()
    assert [one["seq"] for one in points] == list(range(len(points)))
    instants = page.evaluate("(all) => all.map((at) => Math.round(Date.parse(at)))", [one["at"] for one in points])
    return [(one["lon"], one["lat"], at) for one, at in zip(points, instants, strict=True)]


def test_a_patrol_with_a_dead_zone_arrives_whole(signed_in: Opens) -> None:
    walker = Walker(signed_in("leader", PHONE, "zh"), "18")
    page = walker.page
    walker.start()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    walker.walk(3)
    expect(page.locator("#check-in")).to_contain_text("18 号楼")
    page.locator("#check-in").click()
    expect(page.locator("#said")).to_have_text("已在18 号楼签到。")
    walker.all_sent()

    page.context.set_offline(True)
    walker.walk(3)
    expect(page.locator("#queue span")).to_have_text("离线，3 条待发送")
    page.reload()
    expect(page.locator("#walking")).to_be_visible()
    walker.noted(7)
    walker.walk(2)
    page.locator("#note").click()
    page.locator("#note-categories label", has_text="垃圾未清").click()
    page.locator("#note-text").fill("单元门口有垃圾")
    page.locator("#note-photo").set_input_files(photo())  # type: ignore[arg-type]
    expect(page.locator("#note-preview")).to_be_visible()
    page.locator("#note-save").click()
    expect(page.locator("#queue span")).to_have_text("离线，6 条待发送")

    page.context.set_offline(False)
    walker.all_sent()
    walker.walk(1)
    fixes = walker.fixes()
    assert len(fixes) == 10
    walker.end()
    assert walker.kept() == []

    patrol = newest(page)
    assert patrol["stopped_at"]
    assert arrived(page, patrol["id"]) == fixes
    assert [one["building_id"] for one in patrol["check_ins"]] == [walker.building["id"]]
    (incident_id,) = patrol["incident_ids"]
    incident = page.request.get(f"/api/incidents/{incident_id}").json()
    assert incident["description"] == "单元门口有垃圾"
    assert incident["source"] == "patrol"
    assert incident["grid_name"] == "第四网格"

    page.goto(f"/patrols/{patrol['id']}")
    drawn(page)
    expect(page.locator(".walked-facts")).to_contain_text("垃圾未清")
    expect(page.locator(".walked-facts")).to_contain_text("18 号楼")

    # The track is the walker's; others see what was passed.
    office = signed_in("staff", DESKTOP, "zh").page
    assert office.request.get(f"/api/patrols/{patrol['id']}").status == 404
    office.goto("/coverage?days=1")
    drawn(office)
    seen = {
        (one["properties"]["kind"], one["properties"]["id"]): one["properties"]
        for one in office.request.get("/coverage/features?days=1").json()["features"]
    }
    assert seen["building", walker.building["id"]]["status"] == "seen"
    assert seen["building", walker.building["id"]]["by"] is None
    expect(office.locator(f'[data-at="building/{walker.building["id"]}"]')).to_have_count(0)
    expect(office.locator(".coverage-sentence")).to_contain_text(re.compile(r"\d+ 栋楼里 \d+ 栋今天没人走到"))


def test_who_wants_no_track_leaves_none(signed_in: Opens) -> None:
    walker = Walker(signed_in("leader", PHONE, "zh"), "19")
    page = walker.page
    walker.start(track=False)
    expect(page.locator("#track-state")).to_have_text("未记录轨迹。")
    walker.walk(3)
    page.locator("#check-in").click()
    expect(page.locator("#said")).to_contain_text("签到")
    assert [record["kind"] for record in walker.kept()] == ["check_in"]
    walker.end()
    patrol = newest(page)
    assert patrol["point_count"] == 0
    (check_in,) = patrol["check_ins"]
    assert (check_in["lon"], check_in["lat"]) == (None, None)


def test_an_order_is_shown_to_whoever_walks_and_lifted_it_is_gone(signed_in: Opens) -> None:
    office = signed_in("staff", DESKTOP, "zh").page
    office.goto("/traces")
    office.locator("summary", has_text="下令留痕").click()
    office.locator("#order-reason").fill("台风过境，逐楼排查积水")
    with office.expect_navigation():
        office.locator("form[action='/traces'] button").click()
    expect(office.locator(".text-list")).to_contain_text("生效中")
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/patrol")
    expect(page.locator("#track-says")).to_contain_text("台风过境，逐楼排查积水")
    expect(page.locator("#keep-track")).to_be_checked()
    expect(page.locator("#keep-track")).to_be_disabled()
    with office.expect_navigation():
        office.locator("form[action$='/lift'] button").click()
    page.reload()
    expect(page.locator("#keep-track")).to_be_enabled()
    expect(page.locator("#keep-track")).not_to_be_checked()


def test_points_wait_on_the_phone_until_somebody_who_was_signed_out_signs_in_again(signed_in: Opens) -> None:
    watched = signed_in("leader", PHONE)
    walker = Walker(watched, "20")
    page = walker.page
    walker.start()
    walker.all_sent()
    cookies = page.context.cookies()
    page.context.clear_cookies(name=re.compile("wangge_session"))
    watched.expected = {401}
    walker.walk(2)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#queue")).to_contain_text("Sign in again to send 2 records")
    assert len(walker.fixes()) == 3
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    walker.all_sent()
    fixes = walker.fixes()
    walker.end()
    assert arrived(page, newest(page)["id"]) == fixes


def test_what_is_sent_twice_is_kept_once(signed_in: Opens) -> None:
    walker = Walker(signed_in("leader", PHONE), "21")
    page = walker.page
    walker.start()
    # The answer gets lost on the way back: the phone cannot know that the server has the points.
    losing = True

    def lose(route: Route) -> None:
        if losing:
            route.fetch()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/points", lose)
    walker.walk(2)
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/points")):
        page.evaluate("dispatchEvent(new Event('online'))")
    # The first fix may have gone out before answers got lost.
    expect(page.locator("#queue")).to_contain_text(re.compile("Offline, [23] to send"))
    losing = False
    fixes = walker.fixes()
    walker.all_sent()
    assert all(fault.endswith("net::ERR_CONNECTION_RESET") for fault in walker.watched.faults)
    walker.watched.faults.clear()
    walker.end()
    assert arrived(page, newest(page)["id"]) == fixes


def test_a_round_is_made_past_every_building_and_walked_by_who_is_named(signed_in: Opens) -> None:
    office = signed_in("staff").page
    office.goto("/rounds/new")
    drawn(office)
    office.get_by_label("Name of the round").fill("Morning round")
    office.get_by_label("Grid").select_option(label="第四网格")
    office.get_by_label("Who walks it").select_option(label="陈立新（Grid leader）")
    office.get_by_role("button", name="Past every building").click()
    expect(office.locator("#route-length")).to_contain_text("5 buildings")
    office.get_by_role("button", name="Save").click()
    expect(office.locator(".page-intro")).to_contain_text("5 buildings")
    phone = signed_in("leader", PHONE).page
    phone.context.grant_permissions(["geolocation"])
    phone.goto("/patrol")
    drawn(phone)
    phone.locator("#rounds label", has_text="Morning round").click()
    expect(phone.locator("#stops li")).to_have_count(5)
    box = phone.locator("#start").bounding_box()
    assert box
    assert box["height"] >= 56
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_route_is_changed_without_a_mouse(signed_in: Opens) -> None:
    page = signed_in().page
    page.goto("/rounds/new")
    drawn(page)
    page.get_by_label("Grid").select_option(label="第四网格")
    page.get_by_role("button", name="Past every building").click()
    expect(page.locator("#route-length")).to_contain_text("5 buildings")
    field, corners = page.locator("input[name=route]"), page.locator(".route-corner")

    def line() -> list[list[float]]:
        return list(json.loads(field.input_value())["coordinates"])

    before = line()
    corners.nth(1).press("ArrowUp")
    corners.nth(1).press("Shift+ArrowUp")
    # 6 m to the north, to a millionth of a degree.
    assert abs(line()[1][1] - before[1][1] - 6 / 111_320) < 2e-6
    assert line()[1][0] == pytest.approx(before[1][0], abs=1e-6)
    expect(corners.nth(1)).to_be_focused()
    corners.nth(1).press("Insert")
    expect(corners).to_have_count(len(before) + 1)
    expect(corners.nth(2)).to_be_focused()
    corners.nth(2).press("Delete")
    expect(corners).to_have_count(len(before))
    page.keyboard.press("Control+z")
    expect(corners).to_have_count(len(before) + 1)


def test_what_nobody_passed_is_a_list_that_leads_to_the_map(signed_in: Opens) -> None:
    page = signed_in().page
    page.goto("/coverage?days=30")
    drawn(page)
    row = page.locator('#missed a[data-at^="building/"]').first
    name = row.locator("b").inner_text()
    row.click()
    expect(page.locator(".leaflet-popup")).to_contain_text(name)
    expect(row).to_have_class(re.compile("is-chosen"))
    expect(page).to_have_url(re.compile(r"at=building/\d+"))
    page.reload()
    drawn(page)
    expect(page.locator(".leaflet-popup")).to_contain_text(name)
    page.locator("input[name=kind][value=building]").uncheck()
    expect(page.locator('#missed a[data-at^="building/"]').first).to_be_hidden()


def test_the_sentence_the_bars_and_the_list_of_coverage_tell_of_the_same_buildings(signed_in: Opens) -> None:
    page = signed_in().page
    page.goto("/coverage?days=7")
    said = re.search(
        r"Of (\d+) buildings, nobody passed (\d+) .* For (\d+) the GPS", page.locator(".coverage-sentence").inner_text()
    )
    assert said
    every, missed, unknown = map(int, said.groups())
    bars = [one.split("/") for one in page.locator(".share-bars").first.locator(".share-number").all_inner_texts()]
    assert sum(int(of.split()[0]) for _passed, of in bars) == every
    assert sum(int(passed) for passed, _of in bars) == every - missed - unknown
    head = page.locator("#missed h4[data-kind=building]").inner_text()
    assert re.findall(r"\d+", head) == [str(missed + unknown), str(missed), str(unknown)]


@pytest.mark.parametrize("path", ["/patrols/{id}", "/patrols/replay?day={day}", "/rounds/{round}"])
def test_a_map_in_a_page_fits_the_paper_whole(signed_in: Opens, path: str) -> None:
    page = signed_in().page
    walked = next(one for one in listed(page, "/api/patrols?limit=1000") if one["round_id"])
    page.goto(path.format(id=walked["id"], day=walked["started_at"][:10], round=walked["round_id"]))
    drawn(page)
    screen = page.locator(".map-box").bounding_box()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    box, chart = (page.locator(name).bounding_box() for name in (".map-box", ".map-box .folium-map"))
    assert screen
    assert box
    assert chart
    assert box["width"] <= 680 < screen["width"]
    for size in ("width", "height"):
        assert abs(chart[size] - box[size]) <= 4
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".map-box").bounding_box() == screen


def test_a_street_is_one_row_whose_pieces_are_shown_when_they_are_asked_for(signed_in: Opens) -> None:
    page = signed_in().page
    page.goto("/coverage?days=30")
    drawn(page)
    street = page.locator("#missed .street").first
    expect(street.locator("summary")).to_contain_text(re.compile(r"\d+% of .* walked.*\d+ pieces? left", re.DOTALL))
    expect(street.locator("a").first).to_be_hidden()
    street.locator("summary").press("Enter")
    expect(street.locator("a").first).to_be_visible()
    street.locator("a").first.press("Enter")
    expect(page.locator(".leaflet-popup")).to_contain_text(street.locator("summary b").inner_text())
    page.reload()
    drawn(page)
    expect(page.locator("#missed .street[open] a.is-chosen")).to_have_count(1)
    page.locator("input[name=kind][value=street]").uncheck()
    expect(page.locator("#missed .street").first).to_be_hidden()


def test_a_replay_stands_still_until_it_is_asked_to_move(signed_in: Opens) -> None:
    page = signed_in().page
    # Days are the community's.
    day = datetime.fromisoformat(newest(page)["started_at"]).astimezone(ZoneInfo("Asia/Shanghai")).date()
    page.goto(f"/patrols/replay?day={day}")
    drawn(page)
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")
    slider = page.locator("#time")
    first, last = (int(slider.get_attribute(name) or 0) for name in ("min", "max"))
    assert first < last
    expect(slider).to_have_value(str(last))
    # Motion is not wanted here: a press is a step.
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")
    assert first <= int(slider.input_value()) <= last


@pytest.mark.parametrize("path", ["/coverage", "/patrols", "/rounds", "/patrols/replay", "/patrol"])
def test_pages_of_patrols_fit_a_phone(signed_in: Opens, path: str) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto(path)
    expect(page.locator("h1").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
