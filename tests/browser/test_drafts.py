"""Nobody loses what they typed: the network goes, the session ends, the page is left, and it arrives all the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.stage import DESKTOP, PHONE, Watched, listed
from tests.data import pictures
from tests.furnished import PASSWORD

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


def noting(page: Page) -> tuple[Locator, Locator]:
    """The field of a note on the first open case, and the button that sends it."""
    (first, *_rest) = listed(page, "/api/incidents?state=new&limit=1")
    page.goto(f"/incidents/{first['id']}")
    field = page.locator("#note-note")
    page.locator("details", has=field).evaluate("(box) => (box.open = true)")
    return field, page.locator("form", has=field).get_by_role("button").last


def kept(page: Page) -> None:
    """Wait until what was typed is on the device."""
    page.evaluate(
        """async () => {
            const db = await new Promise((done) => {
                const asked = indexedDB.open('wangge-drafts');
                asked.onsuccess = () => done(asked.result);
            });
            const read = () => new Promise((done) => {
                const asked = db.transaction('kept').objectStore('kept').getAll();
                asked.onsuccess = () => done(asked.result);
            });
            while (!(await read()).some((one) => one.state === 'draft')) await new Promise(requestAnimationFrame);
            db.close();
        }"""
    )


def test_a_note_without_a_network_waits_in_a_grey_bar_and_is_saved_once(signed_in: Opens) -> None:
    watched = signed_in("staff", DESKTOP, "zh")
    page = watched.page
    field, button = noting(page)
    field.fill("离线时写下的备注")
    page.context.set_offline(True)
    button.click()
    expect(page.locator(".kept-bar")).to_have_text("离线，1 条待发送，已留在本机。")
    expect(page.locator(".draft-line:visible")).to_contain_text("没有发出：网络断开。")
    page.context.set_offline(False)
    expect(page.locator(".done")).to_contain_text("备注")
    expect(page.locator(".timeline-note", has_text="离线时写下的备注")).to_have_count(1)
    page.reload()
    expect(page.locator(".timeline-note", has_text="离线时写下的备注")).to_have_count(1)
    expect(page.locator("#note-note")).to_have_value("")
    expect(page.locator(".kept-bar")).to_be_hidden()


def test_two_notes_one_after_the_other_on_one_page_are_two(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "zh").page
    field, button = noting(page)
    for text in ("先记一条", "再记一条"):
        page.locator("details", has=field).evaluate("(box) => (box.open = true)")
        field.fill(text)
        with page.expect_navigation():
            button.click()
        expect(page.locator(".timeline-note", has_text=text)).to_have_count(1)


def test_an_answer_that_was_lost_on_the_way_is_asked_for_again_and_nothing_is_done_twice(signed_in: Opens) -> None:
    watched = signed_in("staff", DESKTOP, "en")
    page = watched.page
    field, button = noting(page)
    field.fill("Its answer was lost")

    def lose(route: object) -> None:
        route.fetch()  # type: ignore[attr-defined]
        route.abort("connectionreset")  # type: ignore[attr-defined]

    page.route("**/act", lose, times=1)
    button.click()
    expect(page.locator(".draft-line:visible")).to_contain_text("Not sent: no connection.")
    watched.faults.clear()
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_load_state()
    expect(page.locator(".timeline-note", has_text="Its answer was lost")).to_have_count(1)
    expect(page.locator(".kept-bar")).to_be_hidden()


def test_a_session_that_ended_is_opened_again_over_the_page_and_the_note_is_saved(signed_in: Opens) -> None:
    watched = signed_in("staff", DESKTOP, "en")
    watched.expected.add(401)
    page = watched.page
    field, button = noting(page)
    field.fill("Written while the session ended")
    page.context.clear_cookies(name=re.compile("^wangge_session"))
    button.click()
    dialog = page.get_by_role("dialog", name="The session has ended")
    dialog.get_by_label("Account").fill("staff")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.locator(".done")).to_contain_text("Note")
    expect(page.locator(".timeline-note", has_text="Written while the session ended")).to_have_count(1)


def test_what_is_typed_into_a_form_that_the_browser_sends_is_there_again(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "en").page
    page.goto("/tokens")
    page.locator("#token-name").fill("A map in QGIS")
    kept(page)
    page.goto("/me")
    page.goto("/tokens")
    expect(page.locator("#token-name")).to_have_value("A map in QGIS")
    page.get_by_role("button", name="Discard it").click()
    expect(page.locator("#token-name")).to_have_value("")


def test_a_draft_stays_through_another_language_and_goes_with_the_sign_out(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "en").page
    page.context.clear_cookies(name=re.compile("^wangge_session"))
    page.goto("/signin")
    # A session of its own, which may be closed.
    page.get_by_label("Account").fill("staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "/signin" not in address)
    field, _button = noting(page)
    field.fill("Half a sentence")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator("#note-note")).to_have_value("Half a sentence")
    expect(page.locator(".draft-line:visible")).to_contain_text("填写的内容已恢复")
    assert "Half a sentence" not in page.evaluate(
        """async () => {
            const db = await new Promise((done) => {
                const asked = indexedDB.open('wangge-drafts');
                asked.onsuccess = () => done(asked.result);
            });
            const all = await new Promise((done) => {
                const asked = db.transaction('kept').objectStore('kept').getAll();
                asked.onsuccess = () => done(asked.result);
            });
            db.close();
            return all.map((one) => new TextDecoder().decode(one.sealed.data) + JSON.stringify(one)).join();
        }"""
    )
    page.locator("summary.me").click()
    page.locator("form[action='/signout'] button").first.click()
    page.wait_for_url("**/signin")
    page.get_by_label("账号").fill("staff")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(lambda address: "/signin" not in address)
    field, _button = noting(page)
    expect(field).to_have_value("")


def test_who_signs_in_next_on_the_device_gets_neither_the_draft_nor_what_opens_it(signed_in: Opens) -> None:
    page = signed_in("staff", DESKTOP, "en").page
    page.context.clear_cookies(name=re.compile("^wangge_session"))
    _sign_in(page, "staff")
    field, _button = noting(page)
    address = page.url
    field.fill("For my eyes only")
    kept(page)
    # The session ends without a sign-out, and somebody else sits down.
    page.context.clear_cookies(name=re.compile("^wangge_session"))
    _sign_in(page, "admin")
    opened = page.evaluate(
        """async () => {
            const db = await new Promise((done) => {
                const asked = indexedDB.open('wangge-drafts');
                asked.onsuccess = () => done(asked.result);
            });
            const all = await new Promise((done) => {
                const asked = db.transaction('kept').objectStore('kept').getAll();
                asked.onsuccess = () => done(asked.result);
            });
            db.close();
            const told = document.querySelector('meta[name=kept-for]').dataset.key.match(/../g);
            const bytes = told.map((two) => parseInt(two, 16));
            const key = await crypto.subtle.importKey('raw', new Uint8Array(bytes), 'AES-GCM', false, ['decrypt']);
            const sealed = all.filter((one) => one.state === 'draft').map((one) => one.sealed);
            const open = ({ iv, data }) => crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, data);
            return Promise.all(sealed.map((one) => open(one).then(() => 'opened', () => 'shut')));
        }"""
    )
    assert opened
    assert {*opened} == {"shut"}
    page.goto(address)
    expect(page.locator("#note-note")).to_have_value("")
    page.context.clear_cookies(name=re.compile("^wangge_session"))
    _sign_in(page, "staff")
    page.goto(address)
    expect(page.locator("#note-note")).to_have_value("For my eyes only")


def _sign_in(page: Page, name: str) -> None:
    """A session of its own, which may be closed."""
    page.goto("/signin")
    page.get_by_label("Account").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "/signin" not in address)


def test_a_residents_report_with_its_photo_waits_without_a_network_and_back_is_no_second_case(
    opened: Opens, tmp_path: Path
) -> None:
    picture = tmp_path / "IMG_1.jpg"
    picture.write_bytes(pictures.photo((800, 600)))
    watched = opened(PHONE, "zh")
    page = watched.page
    page.goto("/r")
    page.wait_for_selector(".leaflet-container[data-ready=true]")
    page.context.set_offline(True)

    def fill() -> None:
        page.get_by_text("楼道灯不亮", exact=True).click()
        page.locator("#building_id").select_option(label="18 号楼")
        page.get_by_label("说说情况").fill("整个楼道都不亮")

    fill()
    page.set_input_files("input[name=photo]", picture)
    expect(page.locator(".resident-photo.is-waiting")).to_have_count(1)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator(".kept-bar")).to_contain_text("离线，1 条待发送")
    page.context.set_offline(False)
    page.wait_for_url(re.compile("/track/"))
    address = page.url
    expect(page.locator(".stage-photos img")).to_have_count(1)
    page.go_back()
    page.wait_for_selector(".leaflet-container[data-ready=true]")
    fill()
    page.get_by_label("说说情况").fill("另一件事")
    watched.expected |= {409}
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="先前已经发出过")).to_be_visible()
    expect(page.get_by_label("说说情况")).to_have_value("另一件事")
    page.get_by_role("button", name="提交", exact=True).click()
    page.wait_for_url(lambda other: "/track/" in other and other != address)
