"""Runs: asked for, done at once or in the background, kept, found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select
from sqlalchemy.orm import Session, undefer

from data import grids, incidents, units
from data.base import access, jobs, language, listing
from data.base.access import Actor, Rows
from data.base.jobs import Job, JobState
from data.base.language import _
from data.hotspots import asking, computing, gathering
from data.hotspots.asking import Params
from data.hotspots.tables import HotspotCell, HotspotRun, RunNotFound

HOTSPOTS = "hotspots"
#: Runs over more cases or cells than this are done in the background.
CASES_AT_ONCE = 20_000
CELLS_AT_ONCE = 5_000
KEPT_DAYS = 30
_COLUMNS_AT_ONCE = 2_000


def run(session: Session, actor: Actor, params: Params, *, name: str | None = None) -> HotspotRun:
    """A run with these parameters: an equal one that is there already, else a new one.

    A large one is done in the background; its ``state`` is then ``queued`` and ``job_id`` tells the job.

    Parameters
    ----------
    name
        To keep the run by; one without a name is forgotten after 30 days.

    Raises
    ------
    Invalid
        A parameter makes no sense, or the area has more cells than can be tested.
    UnitNotFound, GridNotFound, CategoryNotFound
        There is no such community, grid or category.
    """
    params = asking.settled(params)
    community, grid_id = _place(session, actor, params)
    access.require(actor, "hotspot.run", community.id, grid_id)
    for code in params.categories or ():
        incidents.category(session, code)
    forget(session, actor)
    version = gathering.version(session, actor, params, community)
    same = _same(session, actor, params, community, HotspotRun.version == version)
    if same is not None:
        return _named(session, actor, same, name)
    cells = computing.cells_of(params, _area_m2(session, community, grid_id))
    if cells > CELLS_AT_ONCE or gathering.size(session, actor, params) > CASES_AT_ONCE:
        found = _new(session, actor, params, community, grid_id, name, version)
        job = jobs.enqueue(
            session, actor, HOTSPOTS, {"run_id": found.id}, community_id=community.id, language=language.current()
        )
        found.job_id = job.id
        session.flush()
        return found
    data = gathering.gather(session, actor, params, community)
    same = _same(session, actor, params, community, HotspotRun.fingerprint == data.fingerprint)
    if same is not None:
        same.version = version
        return _named(session, actor, same, name)
    found = _new(session, actor, params, community, grid_id, name, version)
    _finish(session, found, data, computing.compute(params, data))
    return found


def perform(session: Session, actor: Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Do the run of a job; the worker commits it together with the job's end."""
    found = get(session, actor, int(job.params["run_id"]))
    params = Params.from_json(found.params)
    community = units.community(session, actor, found.community_id)
    access.require(actor, "hotspot.run", community.id, found.grid_id)
    progress("Reading", 0, None)
    data = gathering.gather(session, actor, params, community)
    progress("Computing", len(data.cases), None)
    outcome = computing.compute(params, data)
    progress("Writing", 0, len(outcome.cells))
    _finish(session, found, data, outcome)
    return {"run_id": found.id, "cases": len(data.cases), "cells": len(outcome.cells)}


def _place(session: Session, actor: Actor, params: Params) -> tuple[units.Unit, int | None]:
    community = units.by_code(session, actor, params.community, units.Level.COMMUNITY)
    if params.grid is None:
        return community, None
    grid = units.by_code(session, actor, params.grid, units.Level.GRID)
    if grid.community_id != community.id:
        raise grids.GridNotFound(_("Not found, or outside your area."))
    return community, grid.id


def _area_m2(session: Session, community: units.Unit, grid_id: int | None) -> float:
    """The area of a community, or of one of its grids."""
    held = grids.boundaries(community.id).subquery()
    query = select(func.sum(func.ST_Area(func.geography(held.c.geom))))
    return float(session.scalar(query if grid_id is None else query.where(held.c.grid_id == grid_id)) or 0.0)


def _new(
    session: Session, actor: Actor, params: Params, community: units.Unit, grid_id: int | None, name: str | None,
    version: str,
) -> HotspotRun:  # fmt: skip
    found = HotspotRun(
        community_id=community.id, grid_id=grid_id, account_id=actor.account_id, name=name, params=params.to_json(),
        state="queued", version=version,
    )  # fmt: skip
    session.add(found)
    session.flush()
    return found


def _same(
    session: Session, actor: Actor, params: Params, community: units.Unit, on: ColumnElement[bool]
) -> HotspotRun | None:  # fmt: skip
    """A run with the same parameters that is done, or that the worker still has before it."""
    coming = select(Job.id).where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    query = select(HotspotRun).where(
        HotspotRun.community_id == community.id,
        HotspotRun.params == params.to_json(),
        on,
        (HotspotRun.state == "done") | HotspotRun.job_id.in_(coming),
    )
    newest = query.order_by(HotspotRun.id.desc()).limit(1)
    return session.scalars(access.visible(newest, actor, HotspotRun)).first()


def _named(session: Session, actor: Actor, found: HotspotRun, name: str | None) -> HotspotRun:
    """The run with a name, if it has none yet that somebody else gave it."""
    if name and (found.name is None or found.account_id == actor.account_id):
        found.name = name
    session.flush()
    return found


def _finish(session: Session, found: HotspotRun, data: gathering.Gathered, outcome: computing.Outcome) -> None:
    found.fingerprint, found.summary, found.results = data.fingerprint, outcome.summary, outcome.results
    found.state, found.done_at = "done", datetime.now(UTC)
    session.flush()
    for start in range(0, len(outcome.cells), _COLUMNS_AT_ONCE):
        rows = [{"run_id": found.id, **row} for row in outcome.cells[start : start + _COLUMNS_AT_ONCE]]
        session.execute(insert(HotspotCell), rows)


def forget(session: Session, actor: Actor) -> None:
    """Remove the actor's own runs that have no name and are older than 30 days."""
    session.execute(
        delete(HotspotRun).where(
            HotspotRun.account_id == actor.account_id,
            HotspotRun.name.is_(None),
            HotspotRun.created_at < datetime.now(UTC) - timedelta(days=KEPT_DAYS),
        )
    )


def get(session: Session, actor: Actor, run_id: int) -> HotspotRun:
    """The run with this id.

    Raises
    ------
    RunNotFound
    """
    query = select(HotspotRun).where(HotspotRun.id == run_id).options(undefer(HotspotRun.results))
    found = session.scalar(access.visible(query, actor, HotspotRun))
    if found is None:
        raise RunNotFound(_("Not found, or outside your area."))
    return found


def keep(session: Session, actor: Actor, found: HotspotRun, name: str | None) -> HotspotRun:
    """Give a run a name to keep it by, or take it away."""
    access.require(actor, "hotspot.run", found.community_id, found.grid_id)
    found.name = name
    session.flush()
    return found


def remove(session: Session, actor: Actor, found: HotspotRun) -> None:
    """Remove a run."""
    access.require(actor, "hotspot.run", found.community_id, found.grid_id)
    session.delete(found)
    session.flush()


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which runs: of a community, and only those that have a name."""

    community: str | None = None
    named: bool | None = None


#: What runs can be sorted by.
SORTS: dict[str, Any] = {"id": HotspotRun.id, "created": HotspotRun.created_at}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The runs the actor may see, a row each, without their results."""
    wanted = wanted or Filter()
    query = access.visible(select(*listing.columns(HotspotRun, without=("results",))), actor, HotspotRun)
    query = units.narrowed(query, HotspotRun.community_id, HotspotRun.grid_id, wanted.community, None)
    if wanted.named is not None:
        query = query.where(HotspotRun.name.is_not(None) if wanted.named else HotspotRun.name.is_(None))
    return query
