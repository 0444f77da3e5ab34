"""The walls: every route of the application, for every role, at every kind of place: what is read.

What may be changed is tested beside it, in ``test_walls_writes``; how the places are furnished, ``walls`` says.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.routing import RouteContext
from sqlalchemy.orm import Session

from data.base import reference
from tests.api.walls import APART, RESIDENTS, WALKERS, Spot, World, address, as_reader, clients, declared, walked

#: Pages that need something in their address before they show anything.
NEEDS_MORE = (
    *("/new", "/choices", "/incidents/panel", "/incidents/similar", "/rounds/suggest", "/visits/stairs"),
    *("/api/diary/officers", "/api/ledger", "/api/ledger/form"),
)
#: A plan is of the whole community: whoever has one grid of it does not see it.
OF_COMMUNITIES = (
    *("/api/plans/{plan_id}", "/plans/{plan_id}"),
    *("/api/implementation/{report_id}", "/implementation/{report_id}"),
)
#: Tracks of staff are shown to themselves, and to those who may read those of others.
TRACKS = ("/api/patrols/{patrol_id}", "/patrols/{patrol_id}")


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
    assert public - RESIDENTS - {"/v/{token}"} == {
        "/signin",
        "/language",
        "/type",
        "/api/signin",
        "/api/openapi.json",
        "/healthz",
        "/readyz",
    }


@pytest.mark.slow
@pytest.mark.parametrize("place", WALKERS)
def test_no_answer_bears_a_mark_from_outside(app: FastAPI, session: Session, place: str) -> None:
    world = World.make(session)
    forbidden, own, foreign = world.forbidden(place), world.own(place), world.foreign(place)
    for role, client, permissions in clients(app, world, place):
        found = False
        for context in walked(app):
            path = context.path or ""
            if "GET" not in (context.methods or ()) or path.startswith(APART) or path in RESIDENTS:
                continue
            codes = {code for codes in declared(context) for code in codes or ()}
            allowed = codes <= permissions
            # A role that lacks a permission lacks it at every place: one is enough to be refused at.
            if not allowed and place != "grid":
                continue
            for spot, parameters in asked(context, own, foreign) if allowed else ((own, {}),):
                target = address(context, spot)
                if target is None:
                    continue
                answer = client.get(target, params=parameters, headers=as_reader(path))
                told = f"{role} at {place}: GET {answer.url} → {answer.status_code}"
                # What was asked for may be repeated; only what was not may betray something.
                seen = forbidden.search(answer.text.replace("?q=%E7%A7%98", ""))
                assert seen is None, f"{told}: {answer.text[max(0, seen.start() - 200) : seen.end() + 50]}"
                if not allowed:
                    assert answer.status_code == 403, told
                elif (path.startswith(TRACKS) and "patrol.read" not in permissions) or (
                    place == "grid" and path.startswith(OF_COMMUNITIES)
                ):
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
