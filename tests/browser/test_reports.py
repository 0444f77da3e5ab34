"""From a broken light to a closed case: a resident's phone, the grid leader's, the street, and the resident again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server
from tests.browser.stage import DESKTOP, PHONE, Watched, case_of, listed
from tests.data import pictures

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A photo on the resident's phone, which notes where it was taken: in front of building 18."""
    path = tmp_path / "IMG_0412.jpg"
    path.write_bytes(pictures.photo((1600, 1200), place=(120.8962, 31.9925), turned=6))
    return path


@pytest.fixture
def code(signed_in: Opens) -> str:
    """The code that hangs on building 18."""
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/codes")
    if (make := page.get_by_role("button", name="生成缺少的")).count():
        make.click()
        expect(page.locator(".done")).to_contain_text("个码")
    row = page.locator("tr", has=page.get_by_role("rowheader", name="18 号楼", exact=True))
    return row.locator("td a").first.inner_text().strip()


def ready(page: Page) -> None:
    """Wait until the map of the form is drawn."""
    page.wait_for_selector(".leaflet-container[data-ready=true]")


def fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


def send(page: Page) -> str:
    """Send the form; returns the number of the case."""
    page.get_by_role("button", name=re.compile("^(提交|Send)$")).click()
    page.wait_for_url(re.compile(r"/track/[2-9A-Z]{12}$"))
    return page.locator(".resident-head small").inner_text().strip()


def stray_cats_twice(opened: Opens, code: str) -> list[str]:
    """A resident reports stray cats two times; the numbers of the cases."""
    page = opened(PHONE, "en").page
    numbers = []
    for _ in range(2):
        page.goto(f"/r/{code}")
        ready(page)
        page.get_by_text("Stray cats", exact=True).click()
        numbers.append(send(page))
    return numbers


def opened_case(page: Page, number: str) -> None:
    """Open the case with a number."""
    page.goto(f"/incidents/{case_of(page, number)['id']}")
    expect(page.locator(".case-head-line")).to_contain_text(number)


def test_a_broken_corridor_light_from_the_code_on_the_wall_to_the_resident_who_is_satisfied(
    opened: Opens, signed_in: Opens, code: str, picture: Path
) -> None:
    resident = opened(PHONE, "zh").page
    resident.goto(f"/r/{code}")
    ready(resident)
    fits(resident)
    expect(resident.locator("#spot-name")).to_have_text("18 号楼")
    expect(resident.locator("#spot-grid")).to_have_text("将转给第四网格处理")
    resident.get_by_text("楼道灯不亮", exact=True).click()
    resident.get_by_label("哪一层").fill("3")
    resident.get_by_role("radio", name="声控灯", exact=True).check()
    resident.set_input_files("input[name=photo]", picture)
    expect(resident.locator(".resident-photo input[name=claim]")).to_have_count(1)
    expect(resident.locator(".photo-place")).to_contain_text("照片里记有拍摄位置")
    resident.get_by_label("楼层、灯杆号、参照物").fill("2 单元 3 层")
    resident.get_by_label("电话").fill("13812346021")
    number = send(resident)
    expect(resident.locator(".label")).to_have_text("待受理")
    expect(resident.locator(".stage-photos img")).to_have_count(1)
    fits(resident)
    assert "13812346021" not in resident.content()

    leader = signed_in("leader", PHONE, "zh").page
    leader.goto("/incidents")
    leader.get_by_role("link", name=re.compile("18 号楼|楼道灯不亮")).first.wait_for()
    opened_case(leader, number)
    fits(leader)
    expect(leader.locator(".case-photos img")).to_have_count(1)
    expect(leader.locator(".case-facts")).to_contain_text("声控灯")
    expect(leader.locator("#field-contact-value")).to_have_text("138****6021")
    expect(leader.locator(".case-columns .btn-primary")).to_have_count(1)
    leader.get_by_role("button", name="分级", exact=True).click()
    expect(leader.locator(".done")).to_contain_text("已分级")
    expect(leader.locator(".timeline")).to_contain_text("给陈立新")
    leader.get_by_role("button", name="开始处置").click()
    expect(leader.locator("h2", has_text="下一步：处置完成")).to_be_visible()
    leader.get_by_role("button", name="灯已修好").click()
    leader.locator("[data-draft$=' resolve'] input[name=photo]").last.set_input_files(picture)
    leader.get_by_role("button", name="处置完成").click()
    expect(leader.locator(".timeline > li").last).to_contain_text("已更换灯具并通电试亮")
    leader.get_by_role("button", name="告知已办结").click()
    leader.get_by_role("button", name="反馈", exact=True).click()
    expect(leader.locator(".done")).to_contain_text("已反馈")
    leader.get_by_role("button", name="办结", exact=True).click()
    expect(leader.locator(".case-head-line .label").first).to_have_text("已办结")

    resident.reload()
    expect(resident.locator(".label")).to_have_text("已办结")
    stages = resident.locator(".stages li")
    expect(stages.filter(has_text="已更换灯具并通电试亮").locator("img")).to_have_count(1)
    expect(stages.filter(has_text="已反馈")).to_contain_text(number)
    resident.get_by_role("button", name="解决了", exact=True).click()
    expect(resident.locator(".notice")).to_contain_text("已反馈：解决了")


def test_what_is_urgent_climbs_to_the_street_at_once(opened: Opens, signed_in: Opens) -> None:
    resident = opened(PHONE, "en").page
    resident.goto("/r")
    ready(resident)
    resident.get_by_text("Other kinds").click()
    resident.get_by_text("Smell of gas", exact=True).click()
    resident.locator("#building_id").select_option(label="Building 18")
    expect(resident.locator("#spot-name")).to_have_text("Building 18")
    number = send(resident)

    for name in ("staff", "supervisor"):
        told = signed_in(name, PHONE, "en").page
        told.goto("/notifications")
        expect(told.get_by_role("row").filter(has_text=number)).to_contain_text("Urgent case")

    staff = signed_in("staff", DESKTOP, "en").page
    opened_case(staff, number)
    expect(staff.get_by_role("radio", name=re.compile("Urgent"))).to_be_checked()
    staff.get_by_role("button", name="Triage", exact=True).click()
    expect(staff.locator(".case-head-line")).to_contain_text("Supervised")
    expect(staff.locator(".case-facts")).to_contain_text("Street")

    street = signed_in("supervisor", DESKTOP, "en").page
    street.goto("/incidents")
    street.locator("input[name=q]").fill(number)
    street.keyboard.press("Enter")
    expect(street).to_have_url(re.compile(r"\?sought="))
    street.get_by_role("row").filter(has_text=number).get_by_role("link").click()
    street.get_by_role("button", name="Begin work").click()
    expect(street.locator(".done")).to_contain_text("Work begun")
    expect(street.locator(".timeline > li").nth(1)).to_contain_text("Urgent")


def test_what_the_grid_cannot_settle_is_escalated_level_by_level(opened: Opens, signed_in: Opens, code: str) -> None:
    resident = opened(PHONE, "zh").page
    resident.goto(f"/r/{code}")
    ready(resident)
    resident.get_by_text("违规停车", exact=True).click()
    number = send(resident)
    leader = signed_in("leader", DESKTOP, "zh").page
    opened_case(leader, number)
    leader.get_by_role("button", name="分级", exact=True).click()
    expect(leader.locator("summary", has_text="上报上级")).to_be_visible()
    for level in ("社区", "街道"):
        page = leader if level == "社区" else signed_in("staff", DESKTOP, "zh").page
        opened_case(page, number)
        page.locator("summary", has_text="上报上级").click()
        page.get_by_role("button", name="上报上级").click()
        expect(page.locator(".timeline")).to_contain_text(f"至{level}")
    expect(page.locator(".case-head-line")).to_contain_text("督办")


def test_the_pin_says_what_is_there_and_what_was_reported_already(opened: Opens, signed_in: Opens) -> None:
    known = next(
        one
        for one in listed(signed_in().page, "/api/incidents?limit=1000&state=new,in_progress")
        if one["category_code"] == "facility.corridor_light" and one["building_number"] and one["description"]
    )
    page = opened(PHONE, "en").page
    page.goto("/r")
    ready(page)
    page.get_by_text("Corridor light broken", exact=True).click()
    page.locator("#building_id").select_option(label=f"Building {known['building_number']}")
    expect(page.locator(".similar")).to_contain_text("ago")
    assert known["description"] not in page.locator(".similar").inner_text()
    page.locator(".leaflet-container").focus()
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#spot-name")).to_have_text(re.compile("Near Building|In |Outside"))
    assert float(page.locator("input[name=lon]").input_value()) == pytest.approx(known["lon"], abs=0.002)
    expect(page.locator("#building_id")).to_have_value("")


def test_what_is_missing_is_said_before_anything_is_sent(opened: Opens) -> None:
    page = opened(PHONE, "en").page
    page.goto("/r")
    ready(page)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#fault-category_code")).to_have_text("Choose what it is about.")
    expect(page.locator("#fault-place")).to_contain_text("Say where it is")
    expect(page).to_have_url(re.compile("/r$"))


def test_a_file_that_is_no_photo_is_refused_where_it_was_chosen(opened: Opens, tmp_path: Path) -> None:
    watched = opened(PHONE, "en")
    watched.expected = {422}
    page = watched.page
    page.goto("/r")
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"not a photo")
    page.set_input_files("input[name=photo]", path)
    expect(page.locator("#fault-photo")).to_contain_text("JPEG, PNG and WebP")
    expect(page.locator(".resident-photo")).to_have_count(0)


@pytest.fixture
def without_script(browser: Browser, server: Server) -> Iterator[Page]:
    """A phone whose browser runs no scripts."""
    context = browser.new_context(
        base_url=server.address, viewport={"width": PHONE[0], "height": PHONE[1]}, java_script_enabled=False
    )
    context.add_cookies([{"name": "wangge_language", "value": "en", "url": server.address}])
    yield context.new_page()
    context.close()


def test_a_report_needs_no_script(without_script: Page, picture: Path) -> None:
    page = without_script
    page.goto("/r")
    page.get_by_text("Corridor light broken", exact=True).click()
    page.get_by_label("Which floor").fill("3")
    page.set_input_files("input[name=photo]", picture)
    page.locator("#building_id").select_option(label="Building 18")
    number = send(page)
    assert re.fullmatch(r"\d{8}-\d{3}", number)
    expect(page.locator(".stage-photos img")).to_have_count(1)
    page.get_by_role("link", name="Report", exact=True).click()
    page.goto("/track")
    page.get_by_label("Tracking code").fill("2222-2222-2222")
    page.get_by_role("button", name="Show the progress").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no report with this code")


def test_a_card_is_moved_on_the_board_by_mouse_and_by_keyboard(signed_in: Opens, opened: Opens, code: str) -> None:
    numbers = stray_cats_twice(opened, code)
    page = signed_in("leader", DESKTOP, "en").page
    page.goto("/incidents/board")
    page.locator(".board-card", has_text=numbers[0]).hover()
    page.mouse.down()
    # The card is in the hand before the page moves: a long board scrolls to bring the other column into sight.
    page.mouse.move(*(side / 2 for side in DESKTOP), steps=2)
    page.locator(".board-column[data-state=in_progress] h2").hover()
    page.mouse.up()
    expect(page.locator(".done")).to_contain_text(f"Triaged: {numbers[0]}")
    expect(page.locator("[data-state=in_progress]")).to_contain_text(numbers[0])
    box = page.get_by_label(f"Move {numbers[1]} to")
    box.focus()
    box.select_option("in_progress")
    expect(page.locator(".done")).to_contain_text(f"Triaged: {numbers[1]}")
    # Where words are needed, the case opens at that action.
    page.get_by_label(f"Move {numbers[1]} to").select_option("on_hold")
    expect(page).to_have_url(re.compile(r"/incidents/\d+\?do=hold"))
    expect(page.locator("#hold-note")).to_be_visible()


def test_ticked_cases_are_assigned_at_once(signed_in: Opens, opened: Opens, code: str) -> None:
    numbers = stray_cats_twice(opened, code)
    page = signed_in("staff", DESKTOP, "en").page
    page.goto("/incidents?state=new")
    for number in numbers:
        page.get_by_role("row").filter(has_text=number).get_by_role("checkbox").check()
    page.get_by_role("button", name="Assign").click()
    expect(page.locator("h1")).to_have_text("Assign 2 cases")
    page.get_by_role("button", name="Assign").click()
    expect(page.locator(".done")).to_have_text(re.compile(r"\d cases assigned"))
    for number in numbers:
        found = case_of(page, number)
        assert (found["state"], found["assignee_name"]) == ("in_progress", "陈立新")


def test_solved_cases_are_hidden_until_somebody_asks_for_them(signed_in: Opens) -> None:
    page = signed_in().page
    page.goto("/incidents")
    counts = page.request.get("/api/incidents/counts").json()["by_state"]
    is_open = sum(counts.get(state, 0) for state in ("new", "in_progress", "to_verify", "on_hold"))
    expect(page.locator(".pager")).to_contain_text(f"of {is_open}")
    page.get_by_label("State").select_option(label="All, also solved")
    expect(page.locator(".pager")).to_contain_text(f"of {sum(counts.values()):,}")
    page.goto("/incidents?state=new&from=2026-01-01")
    expect(page.get_by_role("link", name="These cases on the map")).to_have_attribute(
        "href", "/map?state=new&from=2026-01-01"
    )


def test_a_case_sheet_and_codes_are_printed_without_controls(signed_in: Opens, code: str) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    first = listed(page, "/api/incidents?limit=1")[0]
    for address in (f"/incidents/{first['id']}/sheet", "/codes/sheet?kind=building"):
        page.goto(address)
        page.emulate_media(media="print")
        for selector in (".rail", ".topbar", ".page-head-buttons"):
            expect(page.locator(selector).first).to_be_hidden()
        expect(page.locator(".paper-sheet")).to_be_visible()
        page.emulate_media(media="screen")
    assert page.locator(".code-card").count() == len(listed(page, "/api/buildings?kind=residential"))
