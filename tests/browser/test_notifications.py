"""The bell: a case comes to its leader, and climbs when nobody sees to it; on phones and desks, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, text

from data import calendars, reminders
from data.base import access, db
from data.base.cluster import Cluster
from tests.browser.conftest import Server
from tests.browser.stage import DESKTOP, PHONE, Watched, listed

pytestmark = pytest.mark.browser
Opens = Callable[..., Watched]


@pytest.fixture
def engine(server: Server) -> Iterator[Engine]:
    """The server's own database: time is moved there, and the worker's sweep is done there at once."""
    engine = db.make_engine(Cluster(Path(server.home)).dsn())
    yield engine
    engine.dispose()


def bell(page: Page, address: str = "/notifications") -> int:
    """Open a page; the number on its bell."""
    page.goto(address)
    button = page.locator(".topbar-button[href='/notifications']")
    expect(button).to_be_visible()
    return int(button.locator("b").inner_text()) if button.locator("b").count() else 0


def send(page: Page, address: str, body: dict[str, Any]) -> dict[str, Any]:
    """Do something over HTTP as the one who is signed in on the page."""
    token = page.locator("meta[name=csrf-token]").get_attribute("content")
    answer = page.request.post(address, data=body, headers={"X-CSRF-Token": token or ""})
    assert answer.ok, answer.text()
    found: dict[str, Any] = answer.json()
    return found


def reported(page: Page, description: str) -> int:
    """A case at building 18, in the grid of the leader; reported by the community's staff."""
    page.goto("/me")
    (building,) = [one for one in listed(page, "/api/buildings?q=18&limit=1000") if one["number"] == "18"]
    community = page.request.get(f"/api/buildings/{building['id']}").json()["community_id"]
    body = {
        "community_id": community,
        "category_code": "facility.corridor_light",
        "building_id": building["id"],
        "description": description,
    }
    return int(send(page, "/api/incidents", body)["id"])


def overdue_since(engine: Engine, incident_id: int, working_days: int) -> None:
    """Let a case have been due so many working days ago, and do what the worker then does."""
    with db.transaction(access.SYSTEM, engine) as session:
        community = session.scalar(text("SELECT community_id FROM incident WHERE id = :id"), {"id": incident_id})
        calendar = calendars.of(session, community)
        now = datetime.now(UTC)
        due = now - timedelta(minutes=1)
        while calendar.due(due - timedelta(microseconds=1), working_days) > now and working_days:
            due -= timedelta(hours=12)
        moved = {"id": incident_id, "due": due, "before": due - timedelta(days=3)}
        session.execute(
            text("UPDATE incident SET due_at = :due, reported_at = :before, created_at = :before WHERE id = :id"), moved
        )
        reminders.watch_all(session)
    with db.transaction(access.SYSTEM, engine) as session:
        while reminders.sweep(session, datetime.now(UTC)):
            pass


def newest(page: Page) -> list[str]:
    """The kinds of the unread notifications, newest first."""
    page.goto("/notifications?unread=true")
    return page.locator("tbody th").all_inner_texts()


def test_a_case_rings_the_bell_of_its_leader_and_opening_it_silences_it(signed_in: Opens) -> None:
    staff, leader = signed_in("staff", DESKTOP, "zh").page, signed_in("leader", PHONE, "zh").page
    before = bell(leader)
    case = reported(staff, "18 号楼 1 单元 4 层廊灯不亮")
    assert bell(leader) == before + 1
    assert leader.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    row = leader.locator("tbody tr").first
    expect(row).to_contain_text("新事件")
    expect(row).to_contain_text("· 楼道灯不亮")
    row.click()
    expect(leader).to_have_url(re.compile(rf"/incidents/{case}$"))
    assert bell(leader) == before
    send(staff, f"/api/incidents/{case}/actions", {"action": "triage", "tier": "grid"})
    assert newest(leader)[0] == "派给本人"


def test_an_overdue_case_climbs_to_the_community_and_to_the_street(signed_in: Opens, engine: Engine) -> None:
    staff, leader = signed_in("staff", DESKTOP, "en").page, signed_in("leader", PHONE, "en").page
    street = signed_in("supervisor", DESKTOP, "zh").page
    case = reported(staff, "Corridor light broken in building 18")
    send(staff, f"/api/incidents/{case}/actions", {"action": "triage", "tier": "grid"})
    above = bell(street)
    overdue_since(engine, case, 0)
    assert newest(leader)[0] == "Overdue"
    assert newest(staff)[0] == "Overdue"
    assert bell(street) == above
    overdue_since(engine, case, 1)
    assert staff.request.get(f"/api/incidents/{case}").json()["level"] == "community"
    assert "Escalated" in newest(staff)[:3]
    overdue_since(engine, case, 3)
    found = staff.request.get(f"/api/incidents/{case}").json()
    assert (found["level"], found["supervised"]) == ("street", True)
    assert bell(street) > above
    assert "升级上报" in newest(street)
    street.goto(f"/incidents/{case}")
    expect(street.locator(".case-head-line")).to_contain_text("督办")


def test_all_is_read_at_one_press(signed_in: Opens) -> None:
    staff, leader = signed_in("staff", DESKTOP, "zh").page, signed_in("leader", DESKTOP, "en").page
    reported(staff, "18 号楼 2 单元楼道灯坏了")
    assert bell(leader) > 0
    leader.get_by_role("button", name="Mark all as read").click()
    expect(leader.locator(".topbar-button[href='/notifications'] b")).to_have_count(0)
    leader.get_by_label("Which").select_option("true")
    expect(leader.locator("main")).to_contain_text("Nothing matches these filters.")


def test_one_chooses_what_rings(signed_in: Opens) -> None:
    staff, officer = signed_in("staff", DESKTOP, "en").page, signed_in("leader", PHONE, "en").page
    officer.goto("/notifications/choice")
    officer.get_by_label("New case: Here").uncheck()
    officer.get_by_role("button", name="Save").click()
    expect(officer.locator(".done")).to_have_text("Saved.")
    before = bell(officer)
    reported(staff, "Another light")
    assert bell(officer) == before
    officer.goto("/notifications/choice")
    officer.get_by_label("New case: Here").check()
    officer.get_by_role("button", name="Save").click()
    expect(officer.locator(".done")).to_have_text("Saved.")


def test_a_day_off_moves_what_a_limit_comes_to(signed_in: Opens) -> None:
    page = signed_in("admin", DESKTOP, "en").page
    page.goto("/calendar?days=1")
    shown = page.locator(".sentence").inner_text()
    day = re.search(r"\d{4}-\d{2}-\d{2}", shown)
    assert day
    page.fill("#first", day[0])
    page.fill("#name", "Power cut")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".done")).to_have_text("Saved.")
    expect(page.locator(".day-spans")).to_contain_text("Power cut")
    page.goto("/calendar?days=1")
    expect(page.locator(".sentence")).not_to_have_text(shown)
    page.goto(f"/calendar?year={day[0][:4]}")
    page.get_by_role("button", name="Remove Power cut").click()
    expect(page.locator(".done")).to_have_text("Removed.")
    page.goto("/calendar?days=1")
    expect(page.locator(".sentence")).to_have_text(shown)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("address", ["/notifications", "/notifications/choice", "/reminders", "/calendar"])
def test_a_page_fits_a_phone(signed_in: Opens, address: str, language: str) -> None:
    page = signed_in("admin", PHONE, language).page
    page.goto(address)
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
