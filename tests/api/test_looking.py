"""Looking does not write: a GET leaves no row that was not there, and no other value in one that was."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

from data.migrations import TABLES
from tests.api.conftest import signed_in
from tests.api.walls import APART, World, address, as_reader, walked

#: What is written down of those who look: who saw the track of another, and that a session is still in use.
RECORDED = {"audit", "sign_in"}
STATE = " UNION ALL ".join(
    f"SELECT '{name}', count(*), coalesce(sum(hashtext(t::text)::bigint), 0) FROM \"{name}\" t"
    for name in sorted(TABLES.tables)
    if name not in RECORDED
)


def state(session: Session) -> set[tuple[str, int, int]]:
    """Of every table how many rows it has, and a sum over all that stands in them."""
    return {(name, count, int(sum_)) for name, count, sum_ in session.execute(text(STATE))}


@pytest.mark.slow
def test_no_get_writes(app: FastAPI, session: Session) -> None:
    world = World.make(session)
    spot = world.spots["B2"]
    client = signed_in(app, session, world.here.actor("administrator", world.here.community))
    before, writing, answered = state(session), {}, 0
    for context in walked(app):
        path = context.path or ""
        target = address(context, spot) if "GET" in (context.methods or ()) else None
        if target is None or path.startswith(APART):
            continue
        answer = client.get(target, headers=as_reader(path))
        answered += answer.status_code == 200
        after = state(session)
        if after != before:
            writing[f"{path} → {answer.status_code}"] = sorted({name for name, *_sums in after ^ before})
        before = after
    assert writing == {}
    assert answered > 100
