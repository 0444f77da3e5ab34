"""Cases: reported by a click on the map, listed, filtered, paged, edited, looked back on, printed and exported."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.stage import DESKTOP, PHONE, Watched, drawn, listed, on_the_map, spot
from tests.data import pictures

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def test_a_case_is_reported_by_a_click_on_the_map_and_shown_there(signed_in: Opens) -> None:
    page = signed_in().page
    on_the_map(page, "?c=31.991500,120.894000,18")
    page.locator(".report-button").click()
    page.mouse.click(*spot(page, 120.8941, 31.9912))
    expect(page).to_have_url(re.compile(r"/incidents/new\?lon=120\.894\d+&lat=31\.991\d+"))
    drawn(page)
    assert float(page.locator("#lon").input_value()) == pytest.approx(120.8941, abs=2e-5)
    page.get_by_role("radio", name="Water leak").check()
    page.fill("#field-description", "Water from the ceiling of the bicycle shed")
    page.get_by_role("button", name="Report").click()
    expect(page).to_have_url(re.compile(r"/map\?.*at=incidents/\d+"))
    expect(page.locator(".done")).to_contain_text(re.compile(r"Reported as \d{8}-\d{3}"))
    expect(page.locator("#panel h2")).to_contain_text("· Water leak")
    expect(page.locator("#panel")).to_contain_text("Water from the ceiling of the bicycle shed")
    expect(page.locator("#panel")).to_contain_text(re.compile(r"\d+ days left"))
    incident = page.url.split("at=incidents/")[1]
    found = page.request.get(f"/api/incidents/{incident}").json()
    assert found["lon"] == pytest.approx(120.8941, abs=2e-5)
    assert found["located_by"] == "point"
    assert found["grid_name"]


def test_what_is_missing_is_said_beside_its_field_and_nothing_typed_is_lost(signed_in: Opens) -> None:
    watched = signed_in()
    watched.expected = {422}
    page = watched.page
    page.goto("/incidents/new?lon=120.8941&lat=31.9912")
    drawn(page)
    page.fill("#field-description", "No category yet")
    page.fill("#field-address", "Behind the school")
    page.evaluate("document.querySelector('form.record').submit()")  # as without our script
    expect(page.locator("#field-category_code-error")).to_have_text("Fill this in.")
    expect(page.locator("#field-description")).to_have_value("No category yet")
    expect(page.locator("#field-address")).to_have_value("Behind the school")
    expect(page.locator("#lon")).to_have_value("120.894100")


def test_the_list_is_filtered_as_the_api_filters(signed_in: Opens) -> None:
    page = signed_in().page
    page.goto("/incidents")
    page.get_by_label("State").select_option("closed")
    expect(page).to_have_url(re.compile(r"state=closed"))
    page.get_by_label("Grid").select_option(label="第二网格")
    expect(page).to_have_url(re.compile(r"grid=\d+002"))
    expected = listed(page, f"/api/incidents?limit=1000&state=closed&grid={page.url.split('grid=')[1][:15]}")
    expect(page.locator(".pager")).to_contain_text(f"of {len(expected)}")
    shown = page.locator("tbody tr td[data-label='Number']").all_inner_texts()
    assert shown == [one["number"] for one in expected][: len(shown)]
    page.get_by_role("link", name="Clear filters").click()
    expect(page).to_have_url(re.compile(r"/incidents$"))


def test_pages_follow_each_other_without_a_gap_and_lead_back(signed_in: Opens) -> None:
    page = signed_in().page
    page.goto("/incidents?to=2099-01-01&sort=number&state=new,in_progress,to_verify,closed,on_hold,declined")
    numbers: list[str] = []
    first = page.locator("tbody tr td[data-label='Number']").all_inner_texts()
    while True:
        numbers += page.locator("tbody tr td[data-label='Number']").all_inner_texts()
        following = page.get_by_role("link", name="Next")
        if not following.count():
            break
        following.click()
        page.wait_for_url(re.compile(rf"start={len(numbers) + 1}\b"))
    assert numbers == sorted(set(numbers))
    assert numbers == [one["number"] for one in listed(page, "/api/incidents?limit=1000&sort=number")]
    while page.get_by_role("link", name="Previous").count():
        before = page.url
        page.get_by_role("link", name="Previous").click()
        page.wait_for_url(lambda url, before=before: url != before)
    assert page.locator("tbody tr td[data-label='Number']").all_inner_texts() == first


def test_a_case_is_edited_and_its_history_says_by_whom(signed_in: Opens) -> None:
    watched = signed_in()
    watched.expected = {409}
    page = watched.page
    incident = next(one for one in listed(page, "/api/incidents?limit=1000&state=new") if one["lon"])
    page.goto(f"/incidents/{incident['id']}/edit")
    drawn(page)
    other = page.context.new_page()
    other.goto(f"/incidents/{incident['id']}/edit")
    page.fill("#field-description", f"{incident['description']} (checked)")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".done")).to_have_text("Saved.")
    other.fill("#field-address", "东门")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_role("alert").first).to_contain_text("Somebody else has changed this record")
    expect(other.locator("#field-address")).to_have_value("东门")
    assert page.request.get(f"/api/incidents/{incident['id']}").json()["description"].endswith("(checked)")
    page.get_by_role("link", name="History").click()
    newest = page.locator(".history li").first
    expect(newest).to_contain_text("周敏")
    expect(newest).to_contain_text("(checked)")


def test_on_a_phone_a_case_is_reported_from_where_one_stands_with_a_photo_and_a_kind_that_was_searched(
    signed_in: Opens, tmp_path: Path
) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation({"longitude": 120.8950, "latitude": 31.9922, "accuracy": 8})
    page.goto("/incidents/new")
    drawn(page)
    expect(page.locator("#lon")).to_be_hidden()
    page.get_by_label("搜全部类别").fill("电梯")
    expect(page.locator(".tiles label:visible")).to_have_count(1)
    page.get_by_label("搜全部类别").press("Enter")
    expect(page.get_by_role("radio", name="电梯故障")).to_be_checked()
    page.get_by_role("button", name="定位到我这里").click()
    expect(page.locator("#lon")).to_have_value("120.895000")
    photo = tmp_path / "lift.jpg"
    photo.write_bytes(pictures.photo())
    with page.expect_file_chooser() as chooser:
        page.get_by_text("拍照").click()
    chooser.value.set_files(photo)
    expect(page.locator("[data-chosen] img")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.get_by_role("button", name="上报", exact=True).click()
    expect(page).to_have_url(re.compile(r"/map\?.*at=incidents/\d+"))
    incident = re.findall(r"at=incidents/(\d+)", page.url)[0]
    reported = page.request.get(f"/api/incidents/{incident}").json()
    assert (reported["category_code"], reported["accuracy_m"]) == ("facility.lift", 8)
    page.goto(f"/incidents/{incident}")
    drawn_map, picture = page.locator(".case-map"), page.locator(".case-report img")
    expect(page.locator("h1")).to_contain_text("· 电梯故障")
    bottom = page.locator(".tabbar").bounding_box()
    assert bottom
    for part in (page.locator("h1"), picture, drawn_map):
        box = part.bounding_box()
        assert box
        assert box["y"] + box["height"] <= bottom["y"], "kind, place, photo and map are seen without scrolling"


def test_on_a_phone_what_was_settled_on_the_spot_is_closed_in_one_form_as_soon_as_it_was_reported(
    signed_in: Opens,
) -> None:
    page = signed_in("staff", PHONE, "zh").page
    case = listed(page, "/api/incidents?limit=1000&step=reported")[0]
    page.goto(f"/incidents/{case['id']}")
    page.locator("summary", has_text="当场办结").click()
    form = page.locator("details[open] form.act")
    form.get_by_role("button", name="灯已修好").click()
    form.get_by_role("button", name="上门告知").click()
    expect(form.locator("[name=told]")).to_have_value(re.compile("已上门"))
    form.get_by_role("button", name="当场办结").click()
    expect(page.locator(".done")).to_contain_text("办结")
    assert page.request.get(f"/api/incidents/{case['id']}").json()["step"] == "closed"


def test_a_masked_number_is_called_and_the_page_never_shows_it(signed_in: Opens) -> None:
    page = signed_in("staff", PHONE, "zh").page
    body = {"community_id": 0, "category_code": "facility.corridor_light", "contact": "13800006021"}
    body["community_id"] = listed(page, "/api/incidents?limit=1")[0]["community_id"]
    token = page.request.get("/incidents").text().split('name="csrf-token" content="')[1].split('"')[0]
    case = page.request.post("/api/incidents", data=body, headers={"X-CSRF-Token": token}).json()
    page.goto(f"/incidents/{case['id']}")
    with page.expect_response(re.compile(r"/call$")) as answer:
        page.get_by_role("button", name="拨打电话").click()
    assert answer.value.headers["hx-redirect"] == "tel:13800006021"
    expect(page.locator(".case-facts")).not_to_contain_text("13800006021")
    page.goto(f"/incidents/{case['id']}/history")
    expect(page.locator(".history li").first).to_contain_text("拨打了电话")


def test_on_a_phone_a_row_is_an_item_that_opens(signed_in: Opens) -> None:
    page = signed_in("leader", PHONE, "zh").page
    page.goto("/incidents")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    row = page.locator("tbody tr").first
    box = row.bounding_box()
    assert box
    assert box["height"] >= 44
    row.click()
    expect(page).to_have_url(re.compile(r"/incidents/\d+$"))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_printed_list_leaves_the_controls_out(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    page.goto("/incidents")
    page.emulate_media(media="print")
    for selector in (".rail", ".topbar", ".filters", ".page-head-buttons"):
        expect(page.locator(selector).first).to_be_hidden()
    expect(page.locator("table.table")).to_be_visible()
    expect(page.locator(".page-foot")).to_contain_text("周敏")


def test_a_printed_case_leaves_out_what_is_to_be_pressed(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    case = next(one for one in listed(page, "/api/incidents?limit=1000&state=in_progress") if one["lon"])
    page.goto(f"/incidents/{case['id']}")
    expect(page.locator(".case-actions")).to_be_visible()
    page.emulate_media(media="print")
    for selector in (".case-actions", ".case-map", ".crumbs", ".page-head-buttons", ".rail"):
        expect(page.locator(selector).first).to_be_hidden()
    expect(page.locator(".timeline")).to_be_visible()
    expect(page.locator(".case-facts")).to_be_visible()
    assert page.locator(".case-page :is(button, textarea, select):visible").count() == 0


def test_a_step_that_has_to_be_explained_says_so_beside_the_note_in_the_language_of_the_page(signed_in: Opens) -> None:
    page = signed_in("staff", PHONE, "zh").page
    case = listed(page, "/api/incidents?limit=1000&state=in_progress")[0]
    page.goto(f"/incidents/{case['id']}?do=reject")
    form = page.locator("details[open] form.act")
    form.get_by_role("button", name="不予受理").click()
    expect(form.locator(".field-error").first).to_have_text("请填写这一项。")
    expect(form.locator("textarea").first).to_be_focused()
    assert page.request.get(f"/api/incidents/{case['id']}").json()["step"] == case["step"]
    form.get_by_role("button", name="现场未发现").click()
    expect(form.locator("textarea").first).to_have_value("已到现场核实，未发现所反映的情况。")


def test_a_list_is_exported_with_its_filter(signed_in: Opens, tmp_path: Path) -> None:
    page = signed_in().page
    page.goto("/incidents?state=closed")
    page.get_by_role("link", name="Export").click()
    expect(page.locator(".tags")).to_contain_text("State: Closed")
    count = len(listed(page, "/api/incidents?limit=1000&state=closed"))
    page.get_by_role("radio", name="CSV").check()
    with page.expect_download() as arriving:
        page.get_by_role("button", name=f"Export {count} records").click()
    path = tmp_path / "cases.csv"
    arriving.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count
    assert {row["state"] for row in rows} == {"closed"}
    assert all(row["grid_code"] or row["unlocated_reason"] for row in rows)
