"""The page of a walk: doors with their reasons, and a visit that leads on to the next door."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from uuid import uuid4

from tests.api.conftest import ClientFor
from tests.api.test_visits import page
from tests.city import City


def test_a_walk_names_doors_with_their_reasons_and_each_visit_leads_on(city: City, client_for: ClientFor) -> None:
    for room in ("111", "211", "311"):
        city.household("A1", room=room).created_at = datetime(2025, 1, 1, tzinfo=UTC)
    city.household("B2", room="911").created_at = datetime(2025, 1, 1, tzinfo=UTC)
    city.session.flush()
    leader = page(client_for("grid_leader", city.grids["A1"]))
    shown = leader.get("/walk?minutes=20").text
    assert "3 doors in 1 buildings, about 15 minutes" in shown
    assert "days overdue" in shown
    assert "911" not in shown
    assert "李小明" not in shown
    address = re.findall(r'href="(/visits/record/\d+\?walk=\d+,\d+)"', shown)[0]
    form = leader.get(address).text
    assert "2 doors of the walk are left" in form
    walk = re.findall(r'name="walk" value="([\d,]+)"', form)[0]
    sent = {"uuid": str(uuid4()), "manner": "visit", "outcome": "met", "walk": walk}
    answer = leader.post(address.partition("?")[0], data=sent, follow_redirects=False)
    second, third = walk.split(",")
    assert answer.headers["location"].startswith(f"/visits/record/{second}?walk={third}")
    sent |= {"uuid": str(uuid4()), "walk": "end", "phone": "13800000002", "workplace": ""}
    answer = leader.post(f"/visits/record/{third}", data=sent, follow_redirects=False)
    assert answer.headers["location"].startswith("/walk")
    again = leader.get(f"/visits/record/{third}").text
    assert 'placeholder="138****0002"' in again, "what changed is kept, and shown masked"
    assert "13800000002" not in again


def test_a_walk_of_no_length_is_a_sentence_and_nothing_due_is_said(city: City, client_for: ClientFor) -> None:
    leader = page(client_for("grid_leader", city.grids["A1"]))
    assert "nothing has to be walked" in leader.get("/walk").text
    answer = leader.get("/walk?minutes=3")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert leader.get("/visits/record/1?walk=../x").status_code in (404, 422)
