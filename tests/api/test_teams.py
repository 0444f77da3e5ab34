"""Service teams: who may call on them, who manages them, and what happens to their cases."""

from __future__ import annotations

from data import incidents, teams
from data.base import access
from tests.api.conftest import ClientFor
from tests.city import City


def test_service_teams_are_managed_by_the_community_and_called_on_by_its_grids(
    city: City, client_for: ClientFor
) -> None:
    office = client_for("administrator", city.community)
    body = {"community_id": city.community.id, "name": "修理队", "members": 6}
    team = office.post("/api/service-teams", json=body).json()
    assert office.post("/api/service-teams", json=body).status_code == 409
    leader = client_for("grid_leader", city.grids["A1"])
    assert [one["name"] for one in leader.get("/api/service-teams").json()] == ["修理队"]
    assert leader.patch(f"/api/service-teams/{team['id']}", json={"name": "别名"}).status_code == 403
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    stranger = client_for("grid_leader", elsewhere.grids["A1"])
    assert stranger.get("/api/service-teams").json() == []
    assert stranger.patch(f"/api/service-teams/{team['id']}", json={"name": "别名"}).status_code in (403, 404)
    changed = office.patch(f"/api/service-teams/{team['id']}", json={"name": "小修队"}).json()
    assert (changed["name"], changed["members"]) == ("小修队", 6)


def test_the_page_adds_changes_and_removes_a_team_and_its_cases_stay(city: City, client_for: ClientFor) -> None:
    office = client_for("administrator", city.community)
    office.headers["Accept"] = "text/html"
    assert office.post("/teams", data={"name": "保洁队", "service": "清扫楼道", "members": "4"}).status_code == 303
    refused = office.post("/teams", data={"name": "", "service": "typed and kept"})
    assert refused.status_code == 422
    assert "typed and kept" in refused.text
    (team,) = teams.service_teams(city.session, access.SYSTEM, city.community.code)
    assert (team.name, team.service, team.members) == ("保洁队", "清扫楼道", 4)
    incident = city.incident(50, 50)
    incidents.act(city.session, access.SYSTEM, incident, incidents.Action.TRIAGE)
    leader = city.account("grid_leader", city.grids["A1"])
    incidents.act(
        city.session,
        access.SYSTEM,
        incident,
        incidents.Action.ASSIGN,
        assignee_id=leader.id,
        service_team_id=team.id,
    )
    assert office.post(f"/teams/{team.id}", data={"name": "保洁一队"}).status_code == 303
    assert "保洁一队" in office.get("/teams").text
    assert office.post(f"/teams/{team.id}/remove").status_code == 303
    city.session.refresh(incident)
    assert (incident.service_team_id, incident.assignee_id) == (None, leader.id)
