"""The walls: every route of the application, for every role, at every kind of place.

Two cities lie on the same ground. Every record carries a mark that says where it belongs. Whoever has a role at a grid,
a community, or another community may then ask for everything and try to change everything: what comes back must bear
none of the marks from outside, and nothing outside may have changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from starlette.routing import Mount

from data import (
    accounts,
    assets,
    buildings,
    coverage,
    hotspots,
    households,
    incidents,
    patrols,
    photos,
    place_codes,
    rounds,
    teams,
)
from data.base import access, reference
from tests.api.conftest import TestClient
from tests.city import City, degrees
from tests.data import pictures

ROLES = [row["code"] for row in reference.rows("roles")]
PLACES = ["grid", "community", "elsewhere"]
#: Tiles are drawn from committed rows by connections of their own; their own tests hold them against the lists.
APART = ("/tiles/", "/static")
#: Pages for residents without an account: they tell everybody the same, and their own tests hold what that is.
RESIDENTS = {
    "/r", "/r/{code}", "/r/ground", "/r/where", "/r/similar", "/r/photos", "/r/photos/{photo_id}/{key}", "/track",
    "/track/{code}", "/track/{code}/rate", "/track/{code}/photos/{photo_id}",
}  # fmt: skip
#: Changes to oneself, which everybody may make.
ONES_OWN = (
    "/api/me",
    "/api/tokens",
    "/api/sign",
    "/api/jobs",
    "/sign",
    "/tokens",
    "/password",
    "/language",
    "/community",
    "/notifications",
    "/api/notifications",
)


def walked(app: FastAPI) -> list[RouteContext]:
    """All routes of the application."""
    return [context for context in iter_route_contexts(app.routes) if not isinstance(context.route, Mount)]


def declared(context: RouteContext) -> list[tuple[str, ...] | None]:
    """What a route declares: its permissions, ``()`` for whoever is signed in, ``None`` for everybody."""
    found, waiting = [], [context.dependant]
    while waiting:
        dependant = waiting.pop()
        if dependant is None:
            continue
        if hasattr(dependant.call, "declares"):
            found.append(dependant.call.declares)
        waiting.extend(dependant.dependencies)
    return found


def test_every_route_declares_who_may_use_it(application: FastAPI) -> None:
    known = {row["code"] for row in reference.rows("permissions")}
    routes = walked(application)
    assert len(routes) > 60
    for context in routes:
        declarations = declared(context)
        assert declarations, f"{context.path} declares no permission"
        for codes in declarations:
            assert set(codes or ()) <= known, context.path


def test_what_anyone_may_use_is_only_signing_in_and_the_document(application: FastAPI) -> None:
    public = {context.path for context in walked(application) if None in declared(context)}
    # A link to a view opens what its maker let out; its own tests hold what that is.
    assert public - RESIDENTS - {"/v/{token}"} == {"/signin", "/language", "/api/signin", "/api/openapi.json"}


#: Pages that need something in their address before they show anything.
NEEDS_MORE = ("/new", "/choices", "/incidents/panel", "/incidents/similar", "/rounds/suggest")


#: Tracks of staff are shown to themselves, and to those who may read those of others.
TRACKS = ("/api/patrols/{patrol_id}", "/patrols/{patrol_id}")


@dataclass
class Spot:
    """One grid with one of everything in it; every text bears ``mark``."""

    mark: str
    ids: dict[str, Any]
    codes: dict[str, str]

    @classmethod
    def furnish(cls, city: City, grid: str, key: str) -> Spot:
        """Put one of everything into a grid."""
        session, mark = city.session, f"秘{key}{grid}"
        unit, building = city.grids[grid], city.buildings[grid]
        unit.name = f"{mark}格"
        building.number, building.name, building.address = f"{mark}号楼", mark, f"{mark}路"
        home = city.household(grid, room=f"{mark}室", number=f"{mark}户", address=f"{mark}路1号", note=mark)
        person = city.resident(home, name="王芳", workplace=mark, registered_address=mark, note=mark, occupation=mark)
        joined = households.join_group(session, access.SYSTEM, home, "empty_nest", first=date(2020, 1, 1))
        (door,) = buildings.dwellings(session, access.SYSTEM, building.id)
        let = households.add_tenancy(
            session, access.SYSTEM, door, first=date(2020, 1, 1), landlord_name="王芳", note=mark,
            tenant_ids=[person.id],
        )  # fmt: skip
        x, y = "ABC".index(grid[0]) * 100 + 20, (int(grid[1]) - 1) * 100 + 20
        case = city.incident(x, y, address=f"{mark}路", description=mark, number=f"{mark}号")
        lost = incidents.report(
            session, access.SYSTEM, community=city.community, category_code="facility.corridor_light",
            description=f"秘{key}失", number=f"秘{key}{grid}失",
        )  # fmt: skip
        walk = patrols.start(
            session, access.SYSTEM, uuid=uuid4(), community_id=city.community.id, grid_id=unit.id, name=f"{mark}巡",
            started_at=datetime.now(UTC) - timedelta(hours=1),
        )  # fmt: skip
        lon, lat = degrees(x, y)
        patrols.add_points(session, access.SYSTEM, walk, [patrols.Point(seq=0, at=walk.started_at, lon=lon, lat=lat)])
        coverage.refresh(session, walk)
        planned = rounds.add(session, access.SYSTEM, community_id=city.community.id, grid_id=unit.id, name=f"{mark}线")
        lamp = assets.add(
            session, access.SYSTEM, community_id=city.community.id, kind="street_lamp", number=f"{mark}灯", lon=lon,
            lat=lat,
        )  # fmt: skip
        photo = photos.store(
            session, access.SYSTEM, pictures.photo((8, 8)), community_id=city.community.id, grid_id=unit.id,
            incident_id=case.id,
        ).photo  # fmt: skip
        analysis = hotspots.run(
            session, access.SYSTEM, hotspots.Params(community=city.community.code, grid=unit.code, permutations=0),
            name=f"{mark}热",
        )  # fmt: skip
        code = place_codes.PlaceCode(
            community_id=city.community.id, kind="building", building_id=building.id, code=f"{mark}码"
        )
        session.add(code)
        member = teams.TeamMember(
            community_id=city.community.id, grid_id=unit.id, post="leader", name=f"{mark}长", phone="13812346021"
        )
        session.add(member)
        account = city.account("building_warden", unit, f"warden.{key}.{grid}")
        account.name = f"{mark}员"
        session.flush()
        grant = session.scalars(select(accounts.Grant.id).where(accounts.Grant.account_id == account.id)).one()
        ids = {
            "building_id": building.id, "dwelling_id": door.id, "household_id": home.id, "resident_id": person.id,
            "tenancy_id": let.id, "incident_id": case.id, "grid_id": unit.id, "unit_id": unit.id,
            "run_id": analysis.id, "photo_id": photo.id, "code_id": code.id,
            "membership_id": joined.id, "community_id": city.community.id, "account_id": account.id,
            "patrol_id": walk.id, "round_id": planned.id, "asset_id": lamp.id,
            "grant_id": grant, "parent_id": city.community.id, "head_id": person.id, "lost_id": lost.id,
        }  # fmt: skip
        return cls(mark, ids, {"grid": unit.code, "community": city.community.code})


@dataclass
class World:
    """Two cities, who stands where, and which marks they must not see."""

    session: Session
    here: City
    there: City
    spots: dict[str, Spot]

    def unit(self, place: str) -> Any:
        """The unit at which somebody has a role."""
        return {"grid": self.here.grids["B2"], "community": self.here.community, "elsewhere": self.there.community}[
            place
        ]

    def own(self, place: str) -> Spot:
        """What lies in their area."""
        return self.spots["there" if place == "elsewhere" else "B2"]

    def foreign(self, place: str) -> Spot:
        """What does not."""
        spot = self.spots[{"grid": "A1", "community": "there", "elsewhere": "A1"}[place]]
        if place != "grid":
            return spot
        # Whoever has a grid may know their community, so another one is foreign to them.
        outside = self.spots["there"].ids
        ids = {**spot.ids, "community_id": outside["community_id"], "parent_id": outside["community_id"]}
        return Spot(spot.mark, ids, spot.codes)

    def forbidden(self, place: str) -> re.Pattern[str]:
        """The marks they must not see."""
        return re.compile({"grid": "秘X(?!B2格|B2(?!失))|秘Y", "community": "秘Y", "elsewhere": "秘X"}[place])

    def state(self) -> dict[str, list[str]]:
        """Every row that somebody could change, as text."""
        tables = (
            "unit", "division", "building", "dwelling", "household", "resident", "household_group", "tenancy",
            "tenancy_tenant", "incident", "team_member", "account", '"grant"', "role", "role_permission", "category",
            "special_group", "photo", "report", "hotspot_run",
            "patrol", "patrol_point", "round", "asset", "check_in", "coverage_day", "coverage_rule",
        )  # fmt: skip
        return {table: sorted(self.session.scalars(text(f"SELECT t::text FROM {table} t")).all()) for table in tables}


@pytest.fixture
def world(session: Session) -> World:
    here, there = City.make(session), City.make(session, "310102001001")
    there.community.name, there.street.name, there.district.name = "秘Y社区", "秘Y街道", "秘Y区"
    here.community.name, here.street.name, here.district.name = "甲社区", "甲街道", "甲区"
    spots = {
        "A1": Spot.furnish(here, "A1", "X"),
        "B2": Spot.furnish(here, "B2", "X"),
        "there": Spot.furnish(there, "A1", "Y"),
    }
    return World(session, here, there, spots)


def clients(app: FastAPI, world: World, place: str) -> Iterator[tuple[str, TestClient, set[str]]]:
    """One client for each role at a place, with its permissions."""
    for role in ROLES:
        actor = world.here.actor(role, world.unit(place))
        _row, token = accounts.new_api_token(world.session, actor, name="test")
        headers = {"Authorization": f"Bearer {token}", "Accept": "*/*"}
        yield role, TestClient(app, headers=headers, follow_redirects=False), set(actor.permissions)


def address(context: RouteContext, spot: Spot) -> str | None:
    """The path of a route with the ids of a spot; ``None`` when it takes something that lies in no place."""
    names = re.findall(r"{(\w+)(?::\w+)?}", context.path or "")
    if not set(names) <= set(spot.ids):
        return None
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: str(spot.ids[found[1]]), context.path or "")


def query(context: RouteContext, spot: Spot) -> dict[str, str]:
    """Every filter of a route that can point at a spot."""
    known = {"building": "building_id", "dwelling": "dwelling_id", "household": "household_id", "id": "lost_id"}
    values = {name: str(spot.ids[key]) for name, key in known.items()} | spot.codes | {"q": "秘", "limit": "1000"}
    taken: set[str] = set()
    waiting = [context.dependant]
    while waiting:
        dependant = waiting.pop()
        if dependant:
            taken.update(field.alias for field in dependant.query_params)
            waiting.extend(dependant.dependencies)
    return {
        name: value for name, value in values.items() if name in taken or not (context.path or "").startswith("/api")
    }


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_no_answer_bears_a_mark_from_outside(app: FastAPI, world: World, place: str) -> None:
    forbidden, own, foreign = world.forbidden(place), world.own(place), world.foreign(place)
    for role, client, permissions in clients(app, world, place):
        found = False
        for context in walked(app):
            path = context.path or ""
            if "GET" not in (context.methods or ()) or path.startswith(APART) or path in RESIDENTS:
                continue
            codes = {code for codes in declared(context) for code in codes or ()}
            allowed = codes <= permissions
            for spot, parameters in asked(context, own, foreign) if allowed else ((own, {}),):
                target = address(context, spot)
                if target is None:
                    continue
                answer = client.get(target, params=parameters, headers=_as_reader(path))
                told = f"{role} at {place}: GET {answer.url} → {answer.status_code}"
                # What was asked for may be repeated; only what was not may betray something.
                seen = forbidden.search(answer.text.replace("?q=%E7%A7%98", ""))
                assert seen is None, f"{told}: {answer.text[max(0, seen.start() - 200) : seen.end() + 50]}"
                if not allowed:
                    assert answer.status_code == 403, told
                elif path.startswith(TRACKS) and "patrol.read" not in permissions:
                    assert answer.status_code == 404, told
                elif spot is foreign and target != path and not parameters:
                    assert answer.status_code in (403, 404), told
                elif not parameters and not path.endswith(NEEDS_MORE):
                    assert answer.status_code in (200, 303), told
                else:
                    assert answer.status_code < 500, told
                found |= own.mark in answer.text
        assert found or role == "auditor", f"{role} at {place} saw nothing at all"


def asked(context: RouteContext, own: Spot, foreign: Spot) -> Iterator[tuple[Spot, dict[str, str]]]:
    """What is asked of a route: for what is one's own, and in every way for what is not."""
    yield own, {}
    if "{" in (context.path or ""):
        yield foreign, {}
    else:
        yield own, query(context, foreign)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_nobody_changes_anything_outside_their_area(app: FastAPI, world: World, place: str) -> None:
    foreign = world.foreign(place)
    document = app.openapi()
    # Accounts of the test itself come before the picture is taken.
    everybody = list(clients(app, world, place))
    before = world.state()
    for role, client, permissions in everybody:
        for context in walked(app):
            path = context.path or ""
            if path.startswith(APART + ONES_OWN) or path in RESIDENTS:
                continue
            codes = {code for codes in declared(context) for code in codes or ()}
            target = address(context, foreign) or re.sub(r"{(code|post)}", "leader", path)
            for method in set(context.methods or ()) - {"GET", "HEAD"}:
                body = example(document, path, method, foreign)
                sent: dict[str, Any] = {"json": body} if path.startswith("/api") else {"data": _form(foreign)}
                answer = client.request(method, target, headers=_as_reader(path), **sent)
                told = f"{role} at {place}: {method} {target} {body} → {answer.status_code} {answer.text[:300]}"
                assert answer.status_code < 500, told
                assert not world.forbidden(place).search(answer.text), told
                if not codes <= permissions:
                    assert answer.status_code == 403, told
                elif path.startswith("/api") and not path.startswith(("/api/search", "/api/export")):
                    assert answer.status_code in (403, 404, 409, 422), told
        assert world.state() == before, f"{role} at {place} changed something"


def _as_reader(path: str) -> dict[str, str]:
    return {"Accept": "application/json" if path.startswith("/api") else "text/html"}


def _form(spot: Spot) -> dict[str, str]:
    values = {name: str(value) for name, value in spot.ids.items()} | spot.codes
    return values | {"purpose": "核对住址", "number": "1", "name": "甲", "room": "1", "code": "x1", "q": "秘"}


def example(document: dict[str, Any], path: str, method: str, spot: Spot) -> Any:
    """The example of a body in the API document, pointing at a spot."""
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    body = _example(document, schema)
    if not isinstance(body, dict):
        return body
    body.update({name: value for name, value in spot.ids.items() if name in body})
    if "geometry" in body:
        body["geometry"] = {"type": "Point", "coordinates": [120.0005, 30.0005]}
    if "tenant_ids" in body:
        body["tenant_ids"] = [spot.ids["resident_id"]]
    if "grants" in body:
        body["grants"] = [{"role_code": "building_warden", "unit_id": spot.ids["unit_id"]}]
    if "level" in body:
        body |= {"level": "grid"}
    if "grids" in body:
        square = [[[120, 30], [120.001, 30], [120.001, 30.001], [120, 30.001], [120, 30]]]
        part = {"grid_id": spot.ids["grid_id"], "geometry": {"type": "Polygon", "coordinates": square}}
        body["grids"] = [part]
    return body


def _example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if schema.get("examples"):
        return json.loads(json.dumps(schema["examples"][0]))
    if "properties" in schema:
        return {name: _example(document, one) for name, one in schema["properties"].items()}
    return [] if schema.get("type") == "array" else None
