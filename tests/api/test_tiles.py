"""Tiles over HTTP: who gets which, when a kept one is old, and that one actor's scope never reaches another.

The tests about drawing and keeping need records that were committed, so they have a database of their own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import mapbox_vector_tile
import psycopg
import pytest
from fastapi import FastAPI
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api import tiles as served
from api.app import create_app
from api.base import deps
from api.tiles import Lane
from api.tiles.connections import Connection, ConnectionLost, Connections, ReadFailed
from api.tiles.connections import text as as_text
from api.tiles.source import Drawn, Kept, Source
from data import accounts, units
from data.base import changes, db, reference
from data.base.access import SYSTEM, Actor
from data.base.cluster import REQUESTS, Cluster
from data.buildings import Building
from maps.tiles import FIGURES, LAYERS, Wanted
from tests.api.conftest import ClientFor
from tests.city import City, degrees
from tests.conftest import cloned
from tests.maps.test_tiles import tile_at

HERE = tile_at(*degrees(150, 150), 16)
ADDRESS = "/tiles/{}/{}/{}/{}.mvt"


def address(layer: str, query: str = "", zoom: int = 16, x: float = 150, y: float = 150) -> str:
    """The address of the tile at a place of the city."""
    return ADDRESS.format(layer, *tile_at(*degrees(x, y), zoom)) + (f"?{query}" if query else "")


def ids(content: bytes) -> set[int]:
    """The ids of all features of a tile."""
    layers = mapbox_vector_tile.decode(content).values() if content else ()
    return {feature["properties"]["id"] for layer in layers for feature in layer["features"]}


# On the test's own transaction


def test_a_tile_comes_compressed_with_its_tag_and_only_to_be_asked_for_again(client_for: ClientFor, city: City) -> None:
    client = client_for()
    found = client.get(address("buildings"))
    assert found.status_code == 200
    assert found.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert found.headers["content-encoding"] == "gzip"
    assert found.headers["cache-control"] == "private, no-cache"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert city.buildings["B2"].id in ids(found.content)
    plain = client.get(address("buildings"), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == found.content
    again = client.get(address("buildings"), headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == found.headers["etag"]


def test_a_tile_without_anything_in_it_is_no_content(client_for: ClientFor) -> None:
    client = client_for()
    assert client.get(ADDRESS.format("buildings", 16, 0, 0)).status_code == 204
    assert client.get(address("buildings", zoom=9)).status_code == 204
    assert client.get(address("buildings", "community=nowhere")).status_code == 204


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tiles/nothing/16/54000/27000.mvt", 404),
        ("/tiles/buildings/23/0/0.mvt", 404),
        ("/tiles/buildings/3/8/0.mvt", 404),
        ("/tiles/buildings/3/0/8.mvt", 404),
        ("/tiles/buildings/-1/0/0.mvt", 404),
        ("/tiles/buildings/a/0/0.mvt", 422),
        ("/tiles/buildings/3/1.5/0.mvt", 422),
        ("/tiles/buildings/3/１/0.mvt", 422),
        ("/tiles/buildings/3/1_0/0.mvt", 422),
        ("/tiles/buildings/99999999999/0/0.mvt", 422),
        ("/tiles/buildings/3/0/0", 404),
        ("/tiles/buildings/3/0/0.pbf", 404),
        ("/tiles/buildings/16/0/0.mvt?state=new", 422),
        ("/tiles/buildings/16/0/0.mvt?comunity=x", 422),
        ("/tiles/grids/16/0/0.mvt?figure=income", 422),
        ("/tiles/incidents/16/0/0.mvt?state=lost", 422),
        ("/tiles/incidents/16/0/0.mvt?from=yesterday", 422),
        ("/tiles/incidents/16/0/0.mvt?from=0001-01-01", 422),
        ("/tiles/incidents/16/0/0.mvt?category=%00", 422),
        ("/tiles/incidents/16/0/0.mvt?state=&from=&category=", 204),
        ("/tiles/incidents/16/0/0.mvt?state=none", 204),
    ],
)
def test_an_address_that_is_wrong_is_told_as_a_problem(client_for: ClientFor, path: str, status: int) -> None:
    answer = client_for().get(path)
    assert answer.status_code == status
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_a_tile_needs_somebody_with_its_permission(
    client_for: ClientFor, app: FastAPI, client: Any, city: City
) -> None:
    assert client.get(address("buildings")).status_code == 401
    assert client.get(address("buildings"), headers={"Authorization": "Bearer nonsense"}).status_code == 401
    auditor = client_for("auditor")
    assert auditor.get(address("buildings")).status_code == 403
    assert auditor.get(address("grids")).status_code == 200


#: By layer of a tile: what may stand beside its shapes. Whoever sees a thing in a list sees no more of it on the map.
ATTRIBUTES = {
    "grids": {"id"},
    "grid_labels": {"id", "code", "name"},
    "buildings": {"id", "kind", "number"},
    "incidents": {"id", "state", "icon", "overdue", "count"},
}


@pytest.mark.parametrize(
    ("role", "place"),
    [(row["code"], "community") for row in reference.rows("roles")]
    + [(role, "grid") for role in ("building_warden", "information_officer", "grid_leader")],
)
def test_a_tile_tells_each_role_what_its_lists_tell_and_nothing_else(
    client_for: ClientFor, city: City, role: str, place: str
) -> None:
    City.make(city.session, "310101001002", beside=city).incident(50, 50)
    city.incident(60, 60, category_code="dispute.family", description="秘密")
    client = client_for(role, city.community if place == "community" else city.grids["A1"])
    for layer in ("buildings", "incidents"):
        listed = client.get(f"/api/{layer}", params={"limit": 200})
        tile = client.get(address(layer, zoom=17, x=50, y=50))
        wide = client.get(address(layer, zoom=16))
        assert {tile.status_code, wide.status_code} <= ({200, 204} if listed.status_code == 200 else {403}), layer
        for answer in (tile, wide):
            known = {row["id"] for row in listed.json()["items"]} if listed.status_code == 200 else set()
            assert ids(answer.content if answer.status_code == 200 else b"") <= known
            if answer.status_code != 200:
                continue
            assert "秘密".encode() not in answer.content
            for name, drawn in mapbox_vector_tile.decode(answer.content).items():
                assert all({*feature["properties"]} <= ATTRIBUTES[name] for feature in drawn["features"])
    for figure in FIGURES:
        answer = client.get(address("grids", f"figure={figure}"))
        limits = client.get("/tiles/grids/limits", params={"figure": figure})
        if answer.status_code != 200:
            continue
        for name, drawn in mapbox_vector_tile.decode(answer.content).items():
            allowed = ATTRIBUTES[name] | ({figure} if limits.status_code == 200 else set())
            assert all({*feature["properties"]} <= allowed for feature in drawn["features"]), (figure, name)


def test_filters_mean_what_they_mean_in_the_list(client_for: ClientFor, city: City) -> None:
    client = client_for()
    city.incident(160, 160, state="closed", category_code="environment.noise")
    sizes = []
    for query in (
        "",
        "state=new",
        "state=closed,new",
        "state=none",
        "category=environment",
        "category=facility.corridor_light",
        "from=2026-03-17",
        "to=2026-03-16",
        f"community={city.community.code}",
        "community=000",
        "state=new&category=environment.stray_cat&from=2026-03-01&to=2026-03-31",
    ):
        listed = {one["id"] for one in client.get(f"/api/incidents?{query}").json()["items"]}
        assert ids(client.get(address("incidents", query)).content) == listed, query
        sizes.append(len(listed))
    assert sizes == [3, 2, 3, 0, 2, 1, 3, 0, 3, 0, 1]


def test_the_classes_of_a_figure_begin_at_round_numbers_between_its_values(client_for: ClientFor, city: City) -> None:
    admin = client_for()
    leader, planner = client_for("grid_leader", city.grids["B2"]), client_for("planner", city.community)
    warden = client_for("building_warden", city.community)

    def limits(query: str, client: Any = admin) -> Any:
        return client.get(f"/tiles/grids/limits?{query}").json()

    for room in range(201, 212):
        city.household("A1", room=str(room))
    assert limits("figure=households") == {"breaks": [5.0, 10.0]}  # from 0 to 12
    assert limits(f"figure=households&community={city.community.code}") == {"breaks": [5.0, 10.0]}
    assert limits("figure=households&community=nowhere") == {"breaks": []}
    assert limits("figure=households", leader) == {"breaks": []}
    assert limits("figure=households", planner) == limits("figure=households")
    assert limits("figure=special_households", planner)["status"] == 403
    assert limits("figure=residents", warden)["status"] == 403
    assert limits("figure=income")["status"] == 422


def test_the_api_document_describes_tiles(client_for: ClientFor) -> None:
    paths = client_for().get("/api/openapi.json").json()["paths"]
    for name in LAYERS:
        described = paths[f"/tiles/{name}/{{z}}/{{x}}/{{y}}.mvt"]["get"]
        assert {"z", "x", "y", "community"} <= {one["name"] for one in described["parameters"]}
        assert "application/vnd.mapbox-vector-tile" in described["responses"]["200"]["content"]
    asked = {one["name"] for one in paths["/tiles/incidents/{z}/{x}/{y}.mvt"]["get"]["parameters"]}
    assert {"state", "category", "from", "to"} <= asked


# With a database of their own


@dataclass
class Town:
    """A committed small city, with people who are signed in."""

    dsn: str
    engine: Engine
    grids: dict[str, int]
    buildings: dict[str, int]
    tokens: dict[str, str] = field(default_factory=dict)
    actors: dict[str, Actor] = field(default_factory=dict)

    def write(self, do: Callable[[Session], object]) -> None:
        """Change something, as a request of this process does."""
        with db.transaction(SYSTEM, self.engine) as session:
            do(session)

    def rename(self, name: str) -> None:
        """Give the building of A1 another number."""

        def do(session: Session) -> None:
            building = session.get(Building, self.buildings["A1"])
            assert building is not None
            building.number = name

        self.write(do)


@pytest.fixture(scope="module")
def town(cluster: Cluster, worker: str) -> Iterator[Town]:
    """A database of this module's own."""
    with cloned(cluster, f"wangge_tiles_{worker}") as (dsn, engine):
        with db.transaction(SYSTEM, engine) as session:
            city = City.make(session)
            city.household("A1")
            for x, y in ((50, 50), (150, 150), (250, 250)):
                city.incident(x, y)
            town = Town(
                dsn,
                engine,
                {key: grid.id for key, grid in city.grids.items()},
                {key: building.id for key, building in city.buildings.items()},
            )
            people: dict[str, tuple[str, units.Unit]] = {
                "admin": ("administrator", None),
                "a1": ("grid_leader", city.grids["A1"]),
                "b2": ("grid_leader", city.grids["B2"]),
                "c3": ("grid_leader", city.grids["C3"]),
                "planner": ("planner", city.community),
            }
            for key, (role, unit) in people.items():
                town.actors[key] = city.actor(role, unit)
                _row, town.tokens[key] = accounts.new_api_token(session, town.actors[key], name="test")
        yield town


Get = Callable[..., Awaitable[httpx.Response]]


@asynccontextmanager
async def serving(town: Town, cache_mb: int = 16) -> AsyncIterator[tuple[FastAPI, Get]]:
    """The application on the town's database; asks as one of its people."""
    app = create_app()
    app.state.settings = app.state.settings.model_copy(update={"tile_cache_mb": cache_mb})
    app.state.transaction = partial(db.transaction, bind=town.engine)
    async with (
        served.serving(app, make_conninfo(town.dsn, user=REQUESTS)),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        while not changes.changes.following:
            await asyncio.sleep(0.01)

        async def get(path: str, who: str = "admin", **headers: str) -> httpx.Response:
            return await client.get(path, headers={"Authorization": f"Bearer {town.tokens[who]}", **headers})

        yield app, get


def run(town: Town, test: Callable[[FastAPI, Get], Awaitable[None]], **settings: int) -> None:
    """Run a test inside the application."""

    async def inside() -> None:
        async with serving(town, **settings) as (app, get):
            await test(app, get)

    asyncio.run(asyncio.wait_for(inside(), 60))


def test_ones_own_write_is_seen_at_once_and_what_it_did_not_touch_is_not_sent_again(town: Town) -> None:
    async def test(_app: FastAPI, get: Get) -> None:
        tag = (await get(address("buildings"))).headers["etag"]
        grids = (await get(address("grids"))).headers["etag"]
        for number in range(20):
            assert (await get(address("buildings"), **{"If-None-Match": tag})).status_code == 304
            await asyncio.to_thread(town.rename, f"{number}号")
            now = await get(address("buildings"), **{"If-None-Match": tag})
            assert now.status_code == 200
            assert f"{number}号".encode() in now.content
            tag = now.headers["etag"]
            assert (await get(address("grids"), **{"If-None-Match": grids})).status_code == 304

    run(town, test)


def test_a_write_of_another_process_is_seen_as_soon_as_it_is_told(town: Town) -> None:
    async def test(_app: FastAPI, get: Get) -> None:
        before = (await get(address("buildings"))).headers["etag"]

        def elsewhere() -> None:
            with psycopg.connect(town.dsn) as other:
                other.execute("UPDATE building SET number = 'elsewhere' WHERE id = %s", [town.buildings["A1"]])
                other.execute("SELECT pg_notify(%s, %s)", [changes.CHANNEL, json.dumps(["x", {"building": None}])])

        await asyncio.to_thread(elsewhere)
        until = time.monotonic() + 5
        while (await get(address("buildings"))).headers["etag"] == before:
            assert time.monotonic() < until
            await asyncio.sleep(0.01)

    run(town, test)


def test_what_nobody_told_of_is_seen_when_what_was_kept_has_grown_old(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(_app: FastAPI, get: Get) -> None:
        monkeypatch.setattr(changes, "KEEP_S", 1.0)
        before = (await get(address("buildings"))).headers["etag"]
        kept_until = time.monotonic() + 1.0
        with psycopg.connect(town.dsn) as other:
            other.execute("UPDATE building SET number = 'silent' WHERE id = %s", [town.buildings["A1"]])
        while (await get(address("buildings"))).headers["etag"] == before:
            assert time.monotonic() < kept_until + 2
            await asyncio.sleep(0.02)
        assert time.monotonic() >= kept_until - 0.5

    run(town, test)


def test_everybody_gets_their_own_however_they_are_mixed(town: Town) -> None:
    mine = {"a1": "A1", "b2": "B2", "c3": "C3"}

    async def test(_app: FastAPI, get: Get) -> None:
        for turn in range(6):
            people = ["admin", "a1", "b2", "c3"] * 8
            # Another address each turn, so that tiles are drawn and not kept.
            found = await asyncio.gather(*(get(address("buildings", f"v={turn}"), who) for who in people))
            for who, answer in zip(people, found, strict=True):
                wanted = {town.buildings[mine[who]]} if who in mine else set(town.buildings.values())
                assert ids(answer.content) == wanted

    run(town, test, cache_mb=0)
    run(town, test)


def test_the_walls_stand_also_where_a_statement_asks_for_everything(town: Town) -> None:
    async def test(app: FastAPI, _get: Get) -> None:
        everything = Source(town.dsn, 0)
        leader = town.actors["a1"]
        layer = LAYERS["buildings"]
        plan = everything._plan("all", lambda: layer.statement(16, town.actors["admin"], Wanted()))
        place = served.tiles.place(layer, HERE)
        for who, wanted in (("a1", {town.buildings["A1"]}), ("admin", set(town.buildings.values()))):
            result = await everything._read(town.actors[who], plan, place)
            assert ids(result.get_value(0, 0) or b"") == wanted
        nobody = Actor(account_id=leader.account_id, permissions={})
        result = await everything._read(nobody, plan, place)
        assert not result.get_value(0, 0)
        everything.close()

    run(town, test)


def test_a_scope_is_gone_from_its_connection_after_the_reading(town: Town) -> None:
    async def test(_app: FastAPI, _get: Get) -> None:
        connections = Connections(town.dsn, 1)
        scope = ("SELECT set_config('role', 'wangge_app', true), set_config('wangge.grids', '7', true)", ())
        asked = ("SELECT current_user || ':' || coalesce(current_setting('wangge.grids', true), '')", ())
        inside = await connections.read([scope, asked])
        after = await connections.read([asked])
        assert inside.get_value(0, 0) == b"wangge_app:7"
        assert after.get_value(0, 0) == b"wangge:"
        connections.close()

    run(town, test)


def test_what_is_kept_is_shared_by_those_who_may_see_the_same(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(app: FastAPI, get: Get) -> None:
        reads = 0
        read = Connections.read

        async def counted(self: Connections, statements: Any) -> Any:
            nonlocal reads
            reads += 1
            return await read(self, statements)

        monkeypatch.setattr(Connections, "read", counted)
        await get(address("buildings"))  # signing in is looked up
        reads = 0
        town.rename("drawn anew")
        found = await asyncio.gather(*(get(address("buildings")) for _ in range(10)))
        assert reads == 1
        assert len({answer.headers["etag"] for answer in found}) == 1
        await get(address("buildings"), "a1")
        assert reads == 2
        await get(address("grids", "figure=households"))
        await get(address("grids", "figure=households", x=10, zoom=17))
        await get("/tiles/grids/limits?figure=households")
        assert reads == 5  # the count is read once for all

    run(town, test)


def test_the_lane_and_the_application_answer_alike(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deps.Actors, "SECONDS", 600.0)

    async def test(app: FastAPI, get: Get) -> None:
        await get(address("grids"))  # from here on one is known
        lane = app.middleware_stack
        assert isinstance(lane, Lane)
        paths = [address(layer, zoom=zoom) for layer in LAYERS for zoom in (11, 14, 16)]
        paths += [address("grids", "figure=residents"), address("incidents", "state=new&from=2026-03-01")]
        for path in paths:
            for headers in ({}, {"Accept-Encoding": "identity"}):
                quick = await get(path, **headers)
                app.middleware_stack = lane.app
                plain = await get(path, **headers)
                app.middleware_stack = lane
                assert (quick.status_code, quick.content) == (plain.status_code, plain.content)
                same = ("etag", "content-type", "content-encoding", "cache-control", "vary", "x-content-type-options")
                assert all(quick.headers.get(name) == plain.headers.get(name) for name in same)
                assert "x-request-id" not in quick.headers  # it did come by the lane

    run(town, test)


def test_the_lane_leaves_to_the_application_what_it_cannot_answer(town: Town) -> None:
    async def test(app: FastAPI, get: Get) -> None:
        await get(address("buildings"))
        for path, status in (
            ("/tiles/nothing/1/0/0.mvt", 404),
            ("/tiles/buildings/1/7/0.mvt", 404),
            ("/tiles/buildings/1/a/0.mvt", 422),
            (address("buildings", "x=1"), 422),
            ("/tiles/", 404),
            ("/tiles/buildings/1/0/0.png", 404),
        ):
            answer = await get(path)
            assert (answer.status_code, path) == (status, path)
            assert answer.headers["x-request-id"]
        assert (await get(address("incidents"), "planner")).status_code == 200
        app.state.actors.forget()
        town.tokens["stranger"] = "never given out"
        assert (await get(address("buildings"), "stranger")).status_code == 401

    run(town, test)


def test_a_fault_in_the_lane_is_in_the_log_and_a_refusal_is_not(
    town: Town, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(app: FastAPI, get: Get) -> None:
        await get(address("buildings"))
        assert (await get(address("buildings", "x=1"))).status_code == 422
        assert "lane" not in caplog.text
        source = app.state.tiles
        draw, calls = source.tile, 0

        async def broken_once(*asked: Any) -> Drawn:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise RuntimeError("a fault of ours")
            drawn: Drawn = await draw(*asked)
            return drawn

        monkeypatch.setattr(source, "tile", broken_once)
        answer = await get(address("buildings"))
        assert (answer.status_code, calls) == (200, 2)  # the ordinary way answered
        assert answer.headers["x-request-id"]
        assert "The lane of tiles failed at /tiles/buildings" in caplog.text
        assert "a fault of ours" in caplog.text

    run(town, test)


def test_somebody_who_signs_out_gets_no_more_tiles(town: Town) -> None:
    async def test(app: FastAPI, get: Get) -> None:
        with db.transaction(SYSTEM, town.engine) as session:
            row, town.tokens["leaving"] = accounts.new_api_token(session, town.actors["a1"], name="leaving")
        assert (await get(address("buildings"), "leaving")).status_code == 200
        town.write(lambda session: session.execute(text("DELETE FROM api_token WHERE id = :id"), {"id": row.id}))
        app.state.actors.forget()
        assert (await get(address("buildings"), "leaving")).status_code == 401

    run(town, test)


def test_connections_that_the_server_closed_are_opened_again(town: Town) -> None:
    async def test(_app: FastAPI, get: Get) -> None:
        await asyncio.gather(*(get(address("buildings", x=x)) for x in range(0, 300, 50)))
        with psycopg.connect(town.dsn, user=REQUESTS, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'wangge tiles'"
            )
        assert (await get(address("buildings"))).status_code == 200

    run(town, test, cache_mb=0)


def test_a_database_that_is_gone_is_a_problem_for_later(town: Town) -> None:
    async def test(app: FastAPI, get: Get) -> None:
        await get(address("buildings"))
        app.state.tiles = Source(town.dsn.replace("/wangge_tiles", "/no_such"), 0)
        answer = await get(address("buildings", "lang=en"))
        assert answer.status_code == 503
        assert answer.json()["detail"] == "The map cannot be drawn at the moment. Try again."

    run(town, test)


def test_without_a_follower_nothing_is_kept(town: Town) -> None:
    async def test(_app: FastAPI, get: Get) -> None:
        before = (await get(address("buildings"))).headers["etag"]
        changes.changes.following = False
        with psycopg.connect(town.dsn) as other:
            other.execute("UPDATE building SET number = 'unfollowed' WHERE id = %s", [town.buildings["A1"]])
        assert (await get(address("buildings"))).headers["etag"] != before

    run(town, test)


# Keeping


def test_what_was_used_least_recently_is_forgotten_first() -> None:
    kept = Kept(300)
    for name in "abc":
        kept.put(name, 1, name.upper(), 100)
    assert kept.get("a", 1) == "A"
    kept.put("d", 1, "D", 100)
    assert [kept.get(name, 1) for name in "abcd"] == ["A", None, "C", "D"]
    assert kept.size == 300
    kept.put("a", 2, "A2", 250)
    assert kept.size == 250
    assert (kept.get("a", 2), kept.get("a", 1), kept.get("d", 1)) == ("A2", None, None)


def test_nothing_is_kept_of_no_version_or_beyond_the_limit() -> None:
    kept = Kept(100)
    kept.put("unfollowed", None, "x", 10)
    kept.put("large", 1, "x", 101)
    assert kept.size == 0
    assert kept.get("unfollowed", None) is None


def test_the_tag_is_that_of_the_content() -> None:
    assert Drawn.of(b"one").etag == Drawn.of(b"one").etag != Drawn.of(b"two").etag
    large = bytes(range(256)) * 400  # compressed the better way
    status, headers, body = Drawn.of(large).reply("", "")
    assert (status, body) == (200, large)
    assert dict(headers)[b"content-length"] == b"102400"


# Connections


def test_values_are_written_as_postgresql_reads_them(town: Town) -> None:
    async def test(_app: FastAPI, _get: Get) -> None:
        connections = Connections(town.dsn, 1)
        for value, kind in (
            (1.5, "float8"),
            (-3, "int4"),
            (True, "bool"),
            ("it's ,{}", "text"),
            ([3, 4], "int4[]"),
            ([], "int4[]"),
            (None, "text"),
        ):
            sql = f"SELECT $1::{kind}::text"
            result = await connections.read([(sql, (as_text(value),))])
            with psycopg.connect(town.dsn) as other:
                row = other.execute(f"SELECT %s::{kind}::text", [value]).fetchone()
            assert row is not None
            found = result.get_value(0, 0)
            assert (found.decode() if found is not None else None) == row[0]
        connections.close()

    run(town, test)


def test_a_large_argument_and_a_large_answer_come_whole(town: Town) -> None:
    async def test(_app: FastAPI, _get: Get) -> None:
        connections = Connections(town.dsn, 2)
        text = b"x" * 5_000_000
        results = await asyncio.gather(*(connections.read([("SELECT $1::text", (text,))]) for _ in range(3)))
        assert all(result.get_value(0, 0) == text for result in results)
        connections.close()

    run(town, test)


def test_a_statement_that_fails_costs_only_its_connection(town: Town) -> None:
    async def test(_app: FastAPI, _get: Get) -> None:
        connections = Connections(town.dsn, 1)
        with pytest.raises(ReadFailed, match="division by zero"):
            await connections.read([("SELECT 1 / $1::int", (b"0",))])
        with pytest.raises(ReadFailed, match="read-only"):
            await connections.read([("UPDATE building SET name = 'x'", ())])
        assert (await connections.read([("SELECT 'fine'", ())])).get_value(0, 0) == b"fine"
        connections.close()

    run(town, test)


def test_a_reading_that_is_given_up_does_not_disturb_the_next(town: Town) -> None:
    async def test(_app: FastAPI, _get: Get) -> None:
        connections = Connections(town.dsn, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connections.read([("SELECT pg_sleep(20)", ())]), 0.1)
        assert (await connections.read([("SELECT 'next'", ())])).get_value(0, 0) == b"next"
        connections.close()

    run(town, test)


def test_a_connection_that_ends_in_the_middle_says_so(town: Town) -> None:
    async def test(_app: FastAPI, _get: Get) -> None:
        connection = await Connection.open(town.dsn.encode())
        with pytest.raises(ConnectionLost):
            await connection.read([("SELECT pg_terminate_backend(pg_backend_pid())", ())])
        assert connection.worn
        connection.close()
        with pytest.raises(ReadFailed):
            await Connection.open(town.dsn.replace("/wangge_tiles", "/no_such").encode())

    run(town, test)
