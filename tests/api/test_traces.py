"""Orders of traces: who orders them, for which days, and that everybody who walks reads them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from data import traces
from data.base import access, settings
from tests.api.conftest import ClientFor
from tests.city import City


def test_an_order_has_days_and_a_reason_is_shown_to_walkers_and_is_in_the_audit(
    city: City, client_for: ClientFor
) -> None:
    office = client_for("community_staff", city.community)
    day = settings.today()
    body = {
        "community_id": city.community.id,
        "first": str(day),
        "last": str(day + timedelta(days=2)),
        "reason": "台风",
    }
    made = office.post("/api/trace-orders", json=body)
    assert made.status_code == 201
    assert office.post("/api/trace-orders", json=body).status_code == 409
    walker = client_for("building_warden", city.grids["A1"])
    assert walker.get("/patrol/today").json()["order"] == {"day": str(day + timedelta(days=2)), "reason": "台风"}
    assert [one["reason"] for one in walker.get("/api/trace-orders").json()] == ["台风"]
    assert walker.post("/api/trace-orders", json=body).status_code == 403
    audited = text("SELECT count(*) FROM audit WHERE record_kind = 'trace_order' AND account_id IS NOT NULL")
    assert city.session.scalar(audited) == 1
    assert office.delete(f"/api/trace-orders/{made.json()['id']}").status_code == 204
    assert walker.get("/patrol/today").json()["order"] is None


def test_nobody_orders_for_days_that_are_over_for_good_or_without_a_reason(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community)
    day = settings.today()
    for first, last, reason in ((-1, 1, "台风"), (0, 14, "台风"), (2, 1, "台风"), (0, 1, " ")):
        body = {
            "community_id": city.community.id,
            "first": str(day + timedelta(days=first)),
            "last": str(day + timedelta(days=last)),
            "reason": reason,
        }
        assert office.post("/api/trace-orders", json=body).status_code == 422
    assert traces.listed(city.session, access.SYSTEM, city.community.id) == []


def test_an_order_of_another_community_is_not_there(city: City, client_for: ClientFor) -> None:
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    made = elsewhere.order(settings.today())
    office = client_for("community_staff", city.community)
    assert office.get("/api/trace-orders").json() == []
    assert office.delete(f"/api/trace-orders/{made.id}").status_code == 404


def test_the_page_orders_and_lifts(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community, program=False)
    day = settings.today()
    refused = office.post("/traces", data={"first": str(day), "last": str(day - timedelta(days=1)), "reason": "搜救"})
    assert refused.status_code == 422
    assert "搜救" in refused.text
    assert office.post("/traces", data={"first": str(day), "last": str(day), "reason": "搜救"}).status_code == 303
    standing = traces.in_force(city.session, access.SYSTEM, city.community.id)
    assert standing is not None
    assert "搜救" in office.get("/traces").text
    assert office.post(f"/traces/{standing.id}/lift").status_code == 303
    assert traces.in_force(city.session, access.SYSTEM, city.community.id) is None
