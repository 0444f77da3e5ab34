"""Two cities on the same ground for the tests of the walls: who stands where, and what they must not see.

Every record carries a mark that says where it belongs. Whoever has a role at a grid, a community, or another community
may then ask for everything and try to change everything: what comes back must bear none of the marks from outside.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

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
    diary,
    disputes,
    hotspots,
    households,
    implementation,
    incidents,
    patrols,
    photos,
    place_codes,
    plans,
    rounds,
    teams,
    traces,
)
from data.base import access, reference, settings
from tests.api.conftest import TestClient, signed_in
from tests.city import City, degrees
from tests.data import pictures

ROLES = [row["code"] for row in reference.rows("roles")]
#: Who walks where: everybody at a grid, from which most lies outside. At a community who may do most, who may do least,
#: and who counts what they may not read; elsewhere is a community like the other.
WALKERS = {
    "grid": ROLES,
    "community": ["administrator", "planner", "building_warden"],
    "elsewhere": ["administrator", "building_warden"],
}
#: Tiles are drawn from committed rows by connections of their own; their own tests hold them against the lists.
APART = ("/tiles/", "/static")
#: Pages for residents without an account: they tell everybody the same, and their own tests hold what that is.
RESIDENTS = {
    "/r",
    "/r/{code}",
    "/r/ground",
    "/r/where",
    "/r/similar",
    "/r/second",
    "/r/map",
    "/r/photos",
    "/r/photos/{photo_id}/{key}",
    "/r/plans/{plan_id}/{link}",
    "/track",
    "/track/{code}",
    "/track/{code}/rate",
    "/track/{code}/photos/{photo_id}",
}


@functools.cache
def walked(app: FastAPI) -> list[RouteContext]:
    """All routes of the application, which takes as long to find as some of them to answer."""
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
            session,
            access.SYSTEM,
            door,
            first=date(2020, 1, 1),
            landlord_name="王芳",
            note=mark,
            tenant_ids=[person.id],
        )
        x, y = "ABC".index(grid[0]) * 100 + 20, (int(grid[1]) - 1) * 100 + 20
        case = city.incident(x, y, address=f"{mark}路", description=mark, number=f"{mark}号")
        lost = incidents.report(
            session,
            access.SYSTEM,
            community=city.community,
            category_code="facility.corridor_light",
            description=f"秘{key}失",
            number=f"秘{key}{grid}失",
        )
        walk = patrols.start(
            session,
            access.SYSTEM,
            uuid=uuid4(),
            community_id=city.community.id,
            grid_id=unit.id,
            name=f"{mark}巡",
            started_at=datetime.now(UTC) - timedelta(hours=1),
        )
        if traces.in_force(session, access.SYSTEM, city.community.id) is None:
            city.order(settings.today())
        lon, lat = degrees(x, y)
        patrols.add_points(session, access.SYSTEM, walk, [patrols.Point(seq=0, at=walk.started_at, lon=lon, lat=lat)])
        coverage.refresh(session, walk)
        feud = disputes.report(
            session,
            access.SYSTEM,
            uuid=uuid4(),
            building_id=building.id,
            kind=disputes.Kind.NOISE,
            story=f"{mark}争",
            parties=[disputes.Party(name=f"{mark}甲", household_id=home.id), disputes.Party(name=f"{mark}乙")],
        )
        disputes.act(session, access.SYSTEM, feud, disputes.Action.SETTLE, agreement=f"{mark}和", mediators=f"{mark}调")
        follow = disputes.calls(session, feud)[0]
        people = disputes.parties(session, access.SYSTEM, feud)
        entry = diary.write(session, access.SYSTEM, uuid=uuid4(), said=f"{mark}话", household_id=home.id)
        planned = rounds.add(session, access.SYSTEM, community_id=city.community.id, grid_id=unit.id, name=f"{mark}线")
        lamp = assets.add(
            session,
            access.SYSTEM,
            community_id=city.community.id,
            kind="street_lamp",
            number=f"{mark}灯",
            lon=lon,
            lat=lat,
        )
        photo = photos.store(
            session,
            access.SYSTEM,
            pictures.photo((8, 8)),
            community_id=city.community.id,
            grid_id=unit.id,
            incident_id=case.id,
        ).photo
        analysis = hotspots.run(
            session,
            access.SYSTEM,
            hotspots.Params(community=city.community.code, grid=unit.code, permutations=0),
            name=f"{mark}热",
        )
        code = place_codes.PlaceCode(
            community_id=city.community.id, kind="building", building_id=building.id, code=f"{mark}码"
        )
        session.add(code)
        member = teams.TeamMember(
            community_id=city.community.id, grid_id=unit.id, post="leader", name=f"{mark}长", phone="13812346021"
        )
        session.add(member)
        # Everybody who has a grid of the community may call on its teams, so the name tells nothing of the place.
        team = teams.ServiceTeam(community_id=city.community.id, name=f"{grid}队")
        session.add(team)
        account = city.account("building_warden", unit, f"warden.{key}.{grid}")
        account.name = f"{mark}员"
        session.flush()
        program, _secret = accounts.new_api_token(session, access.Actor(account_id=account.id), name=f"{mark}令")
        grant = session.scalars(select(accounts.Grant.id).where(accounts.Grant.account_id == account.id)).one()
        plan = plans.draw_up(session, access.SYSTEM, city.community, name=f"{mark}划")
        comment = plans.PlanComment(plan_id=plan.id, community_id=city.community.id, body=f"{mark}议")
        session.add(comment)
        told = implementation.draft(
            session, access.SYSTEM, community_id=city.community.id, first_on=date(2026, 1, 1), last_on=date(2026, 3, 31)
        )
        told.closing = f"{mark}告"
        session.flush()
        ids = {
            "building_id": building.id,
            "dwelling_id": door.id,
            "household_id": home.id,
            "resident_id": person.id,
            "tenancy_id": let.id,
            "incident_id": case.id,
            "grid_id": unit.id,
            "unit_id": unit.id,
            "run_id": analysis.id,
            "photo_id": photo.id,
            "code_id": code.id,
            "membership_id": joined.id,
            "community_id": city.community.id,
            "account_id": account.id,
            "patrol_id": walk.id,
            "round_id": planned.id,
            "entry_id": entry.id,
            "dispute_id": feud.id,
            "call_id": follow.id,
            "party_id": people[0].id,
            "asset_id": lamp.id,
            "grant_id": grant,
            "token_id": program.id,
            "team_id": team.id,
            "service_team_id": team.id,
            "parent_id": city.community.id,
            "head_id": person.id,
            "lost_id": lost.id,
            "plan_id": plan.id,
            "comment_id": comment.id,
            "report_id": told.id,
        }
        return cls(mark, ids, {"grid": unit.code, "community": city.community.code})


@dataclass
class World:
    """Two cities, who stands where, and which marks they must not see."""

    session: Session
    here: City
    there: City
    spots: dict[str, Spot]

    @classmethod
    def make(cls, session: Session) -> World:
        """Both cities, furnished."""
        here, there = City.make(session), City.make(session, "310102001001")
        there.community.name, there.street.name, there.district.name = "秘Y社区", "秘Y街道", "秘Y区"
        here.community.name, here.street.name, here.district.name = "甲社区", "甲街道", "甲区"
        spots = {
            "A1": Spot.furnish(here, "A1", "X"),
            "B2": Spot.furnish(here, "B2", "X"),
            "there": Spot.furnish(there, "A1", "Y"),
        }
        return cls(session, here, there, spots)

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
            "unit",
            "division",
            "building",
            "dwelling",
            "household",
            "resident",
            "household_group",
            "tenancy",
            "tenancy_tenant",
            "incident",
            "team_member",
            "account",
            '"grant"',
            "role",
            "role_permission",
            "category",
            "special_group",
            "photo",
            "api_token",
            "report",
            "hotspot_run",
            "patrol",
            "patrol_point",
            "round",
            "asset",
            "check_in",
            "coverage_day",
            "coverage_rule",
            "plan",
            "plan_grid",
            "plan_edit",
            "plan_step",
            "plan_comment",
        )
        return {table: sorted(self.session.scalars(text(f"SELECT t::text FROM {table} t")).all()) for table in tables}


def clients(app: FastAPI, world: World, place: str) -> Iterator[tuple[str, TestClient, set[str]]]:
    """One client for each role that walks at a place, signed in, with its permissions."""
    for role in WALKERS[place]:
        actor = world.here.actor(role, world.unit(place))
        client = signed_in(app, world.session, actor)
        client.headers["Accept"] = "*/*"
        yield role, client, set(actor.permissions)


def address(context: RouteContext, spot: Spot) -> str | None:
    """The path of a route with the ids of a spot; ``None`` when it takes something that lies in no place."""
    names = re.findall(r"{(\w+)(?::\w+)?}", context.path or "")
    if not set(names) <= set(spot.ids):
        return None
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: str(spot.ids[found[1]]), context.path or "")


def as_reader(path: str) -> dict[str, str]:
    """Who asks for an address: a program, or a person with a browser."""
    return {"Accept": "application/json" if path.startswith("/api") else "text/html"}
