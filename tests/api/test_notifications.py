"""Notifications, choices, rules and group robots over HTTP and on pages."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select, text

from data import notifications
from data.notifications import Notification
from tests.api.conftest import ClientFor, TestClient
from tests.city import City

ROBOT = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789"


@pytest.fixture
def leader(client_for: ClientFor, city: City) -> TestClient:
    """The leader of A1, who was told of two cases."""
    client = client_for("grid_leader", city.grids["A1"])
    city.incident(20, 50)
    city.incident(60, 50, description="楼道口堆物")
    return client


def test_one_reads_what_one_was_told_and_marks_it(leader: TestClient, client_for: ClientFor, city: City) -> None:
    found = leader.get("/api/notifications?total=true").json()
    assert found["total"] == 2
    newest = found["items"][0]
    assert (newest["kind"], newest["grid_name"], newest["read_at"]) == ("reported", "A1", None)
    assert leader.get("/api/notifications/unread").json() == {"unread": 2}
    assert leader.post(f"/api/notifications/{newest['id']}/read").json()["read_at"]
    assert leader.get("/api/notifications?unread=true&total=true").json()["total"] == 1
    assert leader.post(f"/api/notifications/{newest['id']}/unread").json()["read_at"] is None
    stranger = client_for("grid_leader", city.grids["B2"])
    assert stranger.get("/api/notifications").json()["items"] == []
    assert stranger.post(f"/api/notifications/{newest['id']}/read").status_code == 404
    assert leader.post("/api/notifications/read?kind=overdue").json() == {"marked": 0}
    assert leader.post("/api/notifications/read").json() == {"marked": 2}


def test_an_unknown_kind_is_refused(leader: TestClient) -> None:
    assert leader.get("/api/notifications?kind=everything").status_code == 422
    assert leader.put("/api/notifications/choice", json={"app_off": ["everything"]}).status_code == 422


def test_one_chooses_what_one_is_told(leader: TestClient, city: City) -> None:
    assert leader.get("/api/notifications/choice").json() == {"email": None, "app_off": [], "email_on": []}
    wanted = {"email": "leader@example.org", "app_off": ["reported"], "email_on": ["overdue"]}
    assert leader.put("/api/notifications/choice", json=wanted).json() == wanted
    city.incident(70, 50)
    assert leader.get("/api/notifications/unread").json() == {"unread": 2}
    refused = leader.put("/api/notifications/choice", json={"email_on": ["overdue"]})
    assert (refused.status_code, "address" in refused.text) == (422, True)


def test_who_is_told_is_changed_by_an_administrator_of_everything(client_for: ClientFor, city: City) -> None:
    everywhere, here = client_for(), client_for("administrator", city.community)
    rules = here.get("/api/notice-rules").json()
    assert rules["assigned"] == {"assignee": "always"}
    assert here.put("/api/notice-rules", json={"assigned": {}}).status_code == 403
    changed = everywhere.put("/api/notice-rules", json={"assigned": {"supervisor": "level"}}).json()
    assert changed["assigned"] == {"supervisor": "level"}
    assert changed["overdue"] == rules["overdue"]


def test_a_robot_is_added_changed_and_removed_and_its_key_is_not_handed_out(client_for: ClientFor, city: City) -> None:
    client = client_for("administrator", city.community)
    body = {"unit_id": city.community.id, "name": "值班群", "form": "wecom", "address": ROBOT, "kinds": ["urgent"]}
    made = client.post("/api/webhooks", json=body)
    assert made.status_code == 201
    assert made.json()["address"] == "qyapi.weixin.qq.com …6789"
    assert "0123456789" not in client.get("/api/webhooks").text
    address = f"/api/webhooks/{made.json()['id']}"
    assert client.patch(address, json={"kinds": ["overdue"], "active": False}).json()["kinds"] == ["overdue"]
    assert client.patch(address, json={"address": "https://evil.example/"}).status_code == 422
    assert client.delete(address).status_code == 204
    assert client.get("/api/webhooks").json() == []
    assert client.post("/api/webhooks", json={**body, "unit_id": city.street.id}).status_code == 403


def test_reminder_rules_are_read_added_and_removed(client_for: ClientFor, city: City) -> None:
    client = client_for("administrator", city.community)
    address = f"/api/units/{city.community.id}/reminder-rules"
    assert [rule["kind"] for rule in client.get(address).json()].count("escalation") == 2
    made = client.post(address, json={"kind": "escalation", "working_days": 4})
    assert made.status_code == 201
    kinds = [(rule["kind"], rule["working_days"]) for rule in client.get(address).json()]
    assert [one for one in kinds if one[0] == "escalation"] == [("escalation", 4)]
    assert client.post(address, json={"kind": "overdue", "working_days": 1, "share": 0.5}).status_code == 422
    assert client.delete(f"/api/reminder-rules/{made.json()['id']}").status_code == 204
    assert client.delete(f"/api/reminder-rules/{made.json()['id']}").status_code == 404


def test_a_case_tells_what_comes_of_its_limit(client_for: ClientFor, city: City) -> None:
    incident = city.incident(50, 50)
    client = client_for("grid_leader", city.grids["A1"])
    coming = client.get(f"/api/incidents/{incident.id}/reminders").json()
    assert [one["kind"] for one in coming] == ["due_soon", "overdue", "escalation", "escalation", "supervision"]
    assert [one["at"] for one in coming] == sorted(one["at"] for one in coming)
    foreign = client_for("grid_leader", city.grids["C3"])
    assert foreign.get(f"/api/incidents/{incident.id}/reminders").status_code == 404


# Pages, which speak the language of their cookie.


def in_english(client: TestClient) -> TestClient:
    """Somebody who has chosen English."""
    client.cookies.set("wangge_language", "en")
    return client


def test_the_bell_counts_and_opening_a_case_marks_it(leader: TestClient, city: City) -> None:
    page = in_english(leader).get("/notifications").text
    assert 'aria-label="2 unread notifications"' in page
    (first, *_others) = re.findall(r'data-href="(/notifications/\d+)"', page)
    opened = leader.get(first)
    assert opened.status_code == 303
    assert re.fullmatch(r"/incidents/\d+", opened.headers["location"])
    assert 'aria-label="1 unread notification"' in leader.get("/notifications?unread=false").text
    assert leader.post("/notifications/read").status_code == 303
    left = city.session.scalars(select(Notification).where(Notification.read_at.is_(None))).all()
    assert left == []
    assert "Nothing matches" in leader.get("/notifications?unread=true").text


def test_the_choice_is_made_on_a_page_and_what_was_typed_comes_back(leader: TestClient) -> None:
    refused = leader.post("/notifications/choice", data={"app": "urgent", "email": "no address", "email_on": "urgent"})
    assert refused.status_code == 422
    assert 'value="no address"' in refused.text
    kept = leader.post("/notifications/choice", data={"app": "urgent", "email": "a@example.org"})
    assert kept.status_code == 303
    choice = leader.get("/api/notifications/choice").json()
    assert "urgent" not in choice["app_off"]
    assert len(choice["app_off"]) == len(notifications.Kind) - 1


def test_rules_and_robots_are_edited_on_a_page(client_for: ClientFor, city: City) -> None:
    client = in_english(client_for("administrator", city.community))
    unit = str(city.community.id)
    assert "Goes one level up 1 working day after the limit." in client.get(f"/reminders?unit={unit}").text
    values = {"unit": unit, "kind": "due_soon", "working_days": "2", "share": "50", "tier": "", "active": "1"}
    assert client.post("/reminders", data=values).status_code == 303
    page = client.get(f"/reminders?unit={unit}").text
    assert "Told when the last 50% of the time is left, or 2 working days of it." in page
    rule = re.search(r'action="(/reminders/\d+/remove)"', page)
    assert rule
    assert client.post(rule[1], data={"unit": unit}).status_code == 303
    assert client.post("/reminders", data={**values, "working_days": "999"}).status_code == 422
    robot = {"unit": unit, "name": "群", "form": "wecom", "address": ROBOT, "kinds": "urgent"}
    assert client.post("/webhooks", data={**robot, "address": "https://evil.example/"}).status_code == 422
    assert client.post("/webhooks", data=robot).status_code == 303
    page = client.get(f"/reminders?unit={unit}").text
    assert "qyapi.weixin.qq.com …6789" in page
    assert "0123456789" not in page
    removing = re.search(r'action="(/webhooks/\d+/remove)"', page)
    assert removing
    assert client.post(removing[1], data={"unit": unit}).status_code == 303
    assert client.post("/reminders/told", data={}).status_code == 403
    told = client_for().post("/reminders/told", data={"assigned:assignee": "always", "overdue:supervisor": "level"})
    assert told.status_code == 303
    assert notifications.rules(city.session)["reported"] == {}


def test_the_calendar_page_shows_a_year_and_is_edited(client_for: ClientFor, city: City) -> None:
    client, unit = in_english(client_for("administrator", city.community)), str(city.community.id)
    page = client.get(f"/calendar?unit={unit}&year=2026").text
    assert "Spring Festival" in page
    assert page.count('class="month"') == 12
    assert "are not known yet" in client.get("/calendar?year=2031").text
    days = {"unit": unit, "first": "2026-03-18", "last": "2026-03-19", "works": "0", "name": "停电"}
    assert client.post("/calendar/days", data=days).status_code == 303
    assert "停电" in client.get(f"/calendar?unit={unit}&year=2026").text
    assert client.post("/calendar/days", data={**days, "last": "2026-01-01"}).status_code == 422
    assert client.post("/calendar/days", data={**days, "first": ""}).status_code == 422
    assert client.post("/calendar/days/remove", data=days).status_code == 303
    assert "停电" not in client.get(f"/calendar?unit={unit}&year=2026").text
    week = {"unit": unit, "worked": ["1", "2", "3"], "opens": "08:30", "closes": "24:00"}
    assert client.post("/calendar/week", data=week).status_code == 303
    shown = client.get(f"/api/units/{unit}/calendar").json()["week"]
    assert shown == {"days_off": [4, 5, 6, 7], "opens": "08:30", "closes": "24:00"}
    assert client.post("/calendar/week", data={**week, "closes": "soon"}).status_code == 422
    assert client.post("/calendar/week", data={"unit": unit, "inherit": "1"}).status_code == 303
    file = {"file": ("holidays.csv", "日期,类型,名称\n2027-01-01,休,元旦\n2027-01-02,半,\n".encode(), "text/csv")}
    taken = client.post("/calendar/import", data={"unit": unit}, files=file)
    assert taken.status_code == 200
    assert "1 day was taken over; 1 rows were not" in taken.text
    assert client.post("/calendar/import", data={"unit": unit}, files={"file": ("x", b"")}).status_code == 422
    assert client.post("/calendar/days", data={**days, "unit": "all"}).status_code == 403


def test_calendars_over_http(client_for: ClientFor, city: City) -> None:
    client, unit = client_for("administrator", city.community), city.community.id
    day = {"day": "2026-03-18", "works": False, "name": "停电"}
    body = client.put(f"/api/units/{unit}/calendar/days", json=[day]).json()
    assert {"unit_id": unit, **day} in body["days"]
    due = f"/api/communities/{unit}/due?working_days=1&at=2026-03-17T02:00:00Z"
    assert client.get(due).json() == {"due_at": "2026-03-19T09:30:00Z"}
    assert client.delete(f"/api/units/{unit}/calendar/days?from=2026-03-18&to=2026-03-18").status_code == 204
    assert client.get(due).json() == {"due_at": "2026-03-18T09:30:00Z"}
    week = {"days_off": [7], "opens": "08:00", "closes": "18:00"}
    assert client.put(f"/api/units/{unit}/calendar/week", json=week).json()["week_of"] == unit
    assert client.delete(f"/api/units/{unit}/calendar/week").status_code == 204
    assert client.put("/api/calendar/days", json=[day]).status_code == 403
    assert client_for().put("/api/calendar/days", json=[day]).status_code == 200
    assert len(client.get("/api/calendar?year=2026").json()["days"]) == 39 + 1
    assert client.get("/api/calendar?year=2031").json()["days"] == []


def test_addresses_that_cannot_be_decrypted_keep_nobody_from_the_rest(client_for: ClientFor, city: City) -> None:
    client = client_for()
    client.put("/api/notifications/choice", json={"email": "leader@example.org", "email_on": ["overdue"]})
    body = {"unit_id": city.community.id, "name": "群", "form": "wecom", "address": ROBOT, "kinds": ["urgent"]}
    assert client.post("/api/webhooks", json=body).status_code == 201
    for table, column in (("notice_choice", "email"), ("webhook", "address")):
        city.session.execute(text(f"UPDATE {table} SET {column} = set_byte({column}, 14, get_byte({column}, 14) # 1)"))
    city.session.expire_all()
    assert client.get("/api/notifications/choice").json() == {"email": None, "app_off": [], "email_on": ["overdue"]}
    assert client.get("/notifications/choice").status_code == 200
    assert [row["address"] for row in client.get("/api/webhooks").json()] == ["cannot be decrypted"]
