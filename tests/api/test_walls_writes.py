"""The walls: every route of the application, for every role, at every kind of place: what is changed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.orm import Session

from tests.api.walls import APART, RESIDENTS, WALKERS, Spot, World, address, as_reader, clients, declared, walked

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
#: Pages that have what they show of one's own area computed when one asks; an address names no other.
COMPUTE = ("/hotspots", "/views/{view}")

#: What is asked by POST, because it says what no address may.
READ = ("/api/search", "/api/export", "/api/diary/search")


@pytest.mark.slow
@pytest.mark.parametrize("place", WALKERS)
def test_nobody_changes_anything_outside_their_area(app: FastAPI, session: Session, place: str) -> None:
    world = World.make(session)
    foreign = world.foreign(place)
    document = app.openapi()
    # Accounts of the test itself come before the picture is taken.
    everybody = list(clients(app, world, place))
    before = world.state()
    for role, client, permissions in everybody:
        for context in walked(app):
            path = context.path or ""
            if path.startswith(APART + ONES_OWN) or path in RESIDENTS or path in COMPUTE:
                continue
            codes = {code for codes in declared(context) for code in codes or ()}
            # A role that lacks a permission lacks it at every place: one is enough to be refused at.
            if not codes <= permissions and place != "grid":
                continue
            target = address(context, foreign) or re.sub(r"{(code|post)}", "leader", path)
            for method in set(context.methods or ()) - {"GET", "HEAD"}:
                body = example(document, path, method, foreign)
                sent: dict[str, Any] = {"json": body} if path.startswith("/api") else {"data": _form(foreign)}
                answer = client.request(method, target, headers=as_reader(path), **sent)
                told = f"{role} at {place}: {method} {target} {body} → {answer.status_code} {answer.text[:300]}"
                assert answer.status_code < 500, told
                assert not world.forbidden(place).search(answer.text), told
                if not codes <= permissions:
                    assert answer.status_code == 403, told
                elif path.startswith("/api") and not path.startswith(READ):
                    assert answer.status_code in (403, 404, 409, 422), told
        assert world.state() == before, f"{role} at {place} changed something"


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
