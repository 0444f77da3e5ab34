"""Activities of service teams: held somewhere, for somebody, with a number of who came; their members agree or not."""

from __future__ import annotations

from data import activities, photos, teams
from data.base import access, settings
from tests.api.conftest import ClientFor
from tests.city import City, degrees
from tests.data import pictures

SYSTEM = access.SYSTEM


def test_an_activity_lies_in_its_grid_with_photos_and_a_number(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community, program=False)
    team = teams.found_service_team(city.session, SYSTEM, city.community, name="医疗保健服务队")
    lon, lat = degrees(150, 50)
    typed = {
        "title": "老年人健康知识讲座",
        "kind": "lecture",
        "team_id": str(team.id),
        "day": str(settings.today()),
        "clock": "09:30",
        "audience": "老年人",
        "attendance": "63",
        "lon": f"{lon:.6f}",
        "lat": f"{lat:.6f}",
    }
    sent = office.post("/activities", data=typed, files={"photo": ("a.jpg", pictures.photo(), "image/jpeg")})
    assert sent.status_code == 303
    (row,) = office.get("/api/activities").json()["items"]
    assert (row["grid_id"], row["attendance"], row["team_name"]) == (city.grids["B1"].id, 63, "医疗保健服务队")
    activity = activities.get(city.session, SYSTEM, row["id"])
    (photo_id,) = [photo.id for photo in activities.pictures(city.session, activity)]
    assert f"/photos/{photo_id}/small" in office.get(f"/activities/{activity.id}").text
    leader = client_for("grid_leader", city.grids["A1"], program=False)
    assert "老年人健康知识讲座" in leader.get("/activities").text
    assert leader.post(f"/activities/{activity.id}/remove").status_code == 403
    elsewhere = City.make(city.session, "310101001002", beside=city, name="别的社区")
    stranger = client_for("community_staff", elsewhere.community, program=False)
    assert stranger.get(f"/activities/{activity.id}").status_code == 404
    assert office.post(f"/activities/{activity.id}/remove").status_code == 303
    assert city.session.get(photos.Photo, photo_id, populate_existing=True) is None


def test_what_is_typed_wrong_comes_back(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community, program=False)
    typed = {"title": "typed and kept", "kind": "lecture", "day": "2026-03-21", "clock": "09:30", "attendance": "-1"}
    refused = office.post("/activities", data=typed)
    assert refused.status_code == 422
    assert "typed and kept" in refused.text


def test_a_member_joins_with_skills_and_leaves_and_what_they_agreed_to_is_over(
    city: City, client_for: ClientFor
) -> None:
    team = teams.found_service_team(city.session, SYSTEM, city.community, name="修理服务队")
    office = client_for("administrator", city.community, program=False)
    typed = {"name": "鲁建军", "skills": "水电", "work_phone": "0571-1234", "consented_on": "2026-01-01"}
    assert office.post(f"/teams/{team.id}/members", data=typed).status_code == 303
    page = office.get("/teams").text
    assert "鲁建军" in page
    assert "0571-1234" in page
    (member,) = teams.members(city.session, SYSTEM, [team.id])
    assert office.post(f"/teams/members/{member.id}/leave").status_code == 303
    assert teams.members(city.session, SYSTEM, [team.id]) == []
