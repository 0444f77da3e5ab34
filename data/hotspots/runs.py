"""Runs: asked for, done at once or in the background, kept, found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, true
from sqlalchemy.orm import Session, undefer

from data import grids, incidents, units
from data.base import access, jobs, language, listing
from data.base.access import Actor, Rows
from data.base.errors import Forbidden
from data.base.jobs import Job
from data.base.language import _
from data.hotspots import asking, computing, gathering
from data.hotspots.asking import Params
from data.hotspots.gathering import Place
from data.hotspots.tables import HotspotCell, HotspotRun, RunNotFound

HOTSPOTS = "hotspots"
#: Runs over more cases or cells than this are done in the background.
CASES_AT_ONCE = 20_000
CELLS_AT_ONCE = 5_000
KEPT_DAYS = 30
_COLUMNS_AT_ONCE = 2_000


def run(
    session: Session, actor: Actor, params: Params, *, name: str | None = None, at_once: bool = False
) -> HotspotRun:
    """A run with these parameters: an equal one that is there already, else a new one.

    A large one is done in the background; its ``state`` is then ``queued`` and ``job_id`` tells the job.

    Parameters
    ----------
    name
        To keep the run by; one without a name is forgotten after 30 days.
    at_once
        Whether also a large one is done before this returns, for somebody who cannot come again.

    Raises
    ------
    Invalid
        A parameter makes no sense, or the area has more cells than can be tested.
    UnitNotFound, GridNotFound, CategoryNotFound
        There is no such place or category.
    Forbidden
        One may not run the analysis there, or in no community of the unit.
    """
    params, place = _checked(session, actor, params)
    forget(session, actor)
    version = gathering.version(session, actor, params, place)
    same = _same(session, actor, params, place, HotspotRun.version == version)
    if same is not None and not (at_once and same.state == "queued"):
        return _named(session, actor, same, name)
    cells = computing.cells_of(params, _area_m2(session, place))
    large = cells > CELLS_AT_ONCE or gathering.size(session, actor, params, place) > CASES_AT_ONCE
    if large and not at_once:
        row = _new(session, actor, params, place, name, version)
        job = jobs.enqueue(
            session, actor, HOTSPOTS, {"run_id": row.id}, community_id=row.community_id, language=language.current()
        )
        row.job_id = job.id
        session.flush()
        return row
    data = gathering.gather(session, actor, params, place)
    same = _same(session, actor, params, place, HotspotRun.fingerprint == data.fingerprint)
    if same is not None:
        same.version = version
        return _named(session, actor, same, name)
    row = _new(session, actor, params, place, name, version)
    _finish(session, row, data, computing.compute(params, data))
    return row


def latest(session: Session, actor: Actor, params: Params) -> tuple[HotspotRun | None, bool]:
    """The last run with these parameters, done or still to come, and whether its data are still those of today.

    Nothing is made: whoever finds none, or an old one, may ask for a ``run``.

    Raises
    ------
    Invalid, UnitNotFound, GridNotFound, CategoryNotFound, Forbidden
        As ``run`` does.
    """
    params, place = _checked(session, actor, params)
    version = gathering.version(session, actor, params, place)
    current = _same(session, actor, params, place, HotspotRun.version == version)
    last = current or _same(session, actor, params, place, true())
    return (get(session, actor, last.id) if last else None), current is not None


@contextmanager
def looked_at(session: Session, actor: Actor, params: Params) -> Iterator[HotspotRun]:
    """The run for somebody who can ask for none, and cannot come again: whoever opens a file or has a link.

    It is one that is there, else one that is made for the block and taken back at its end: looking leaves nothing.
    """
    last, current = latest(session, actor, params)
    if last is not None and current and last.state == "done":
        yield last
        return
    for_now = session.begin_nested()
    try:
        yield get(session, actor, run(session, actor, params, at_once=True).id)
    finally:
        for_now.rollback()


def _checked(session: Session, actor: Actor, params: Params) -> tuple[Params, Place]:
    """The parameters settled, and where they are about, where the actor may run the analysis."""
    params = asking.settled(params)
    place = _place(session, actor, params)
    for community in place.communities:
        access.require(actor, "hotspot.run", community.id, place.grid_id)
    for code in params.categories or ():
        incidents.category(session, code)
    return params, place


def perform(session: Session, actor: Actor, job: Job, progress: Callable[..., None]) -> dict[str, Any]:
    """Do the run of a job; the worker commits it together with the job's end."""
    found = get(session, actor, int(job.params["run_id"]))
    params = Params.from_json(found.params)
    place = gathering.place_of(session, actor, found)
    _require(actor, found)
    progress("Reading", 0, None)
    data = gathering.gather(session, actor, params, place)
    progress("Computing", len(data.cases), None)
    outcome = computing.compute(params, data)
    progress("Writing", 0, len(outcome.cells))
    _finish(session, found, data, outcome)
    return {"run_id": found.id, "cases": len(data.cases), "cells": len(outcome.cells)}


def _place(session: Session, actor: Actor, params: Params) -> Place:
    if params.unit is not None:
        unit = units.by_code(session, actor, params.unit)
        return Place(_communities(session, actor, unit), unit=unit)
    assert params.community is not None, "settled parameters name a place"
    community = units.by_code(session, actor, params.community, units.Level.COMMUNITY)
    if params.grid is None:
        return Place([community])
    grid = units.by_code(session, actor, params.grid, units.Level.GRID)
    if grid.community_id != community.id:
        raise grids.GridNotFound(_("Not found, or outside your area."))
    return Place([community], grid.id)


def _communities(session: Session, actor: Actor, unit: units.Unit) -> list[units.Unit]:
    """The communities of a street or district in which the actor may run the analysis."""
    if unit.level not in (units.Level.STREET, units.Level.DISTRICT):
        raise units.UnitNotFound(_("There is no street or district with the code {code}.", code=unit.code))
    area = actor.area("hotspot.run")
    below = units.listed(session, actor, level=units.Level.COMMUNITY, under=unit.id)
    found = [one for one in below if area.covers(one.id)]
    if not found:
        raise Forbidden(_("There is no community of {unit} whose hotspots you may look for.", unit=unit.name))
    return found


def area_m2(session: Session, actor: Actor, params: Params) -> float:
    """The area that a run would look at, on the ellipsoid."""
    return _area_m2(session, _place(session, actor, params))


def _area_m2(session: Session, place: Place) -> float:
    held = grids.boundaries().subquery()
    query = select(func.sum(func.ST_Area(func.geography(held.c.geom)))).where(held.c.community_id.in_(place.ids))
    if place.grid_id is not None:
        query = query.where(held.c.grid_id == place.grid_id)
    return float(session.scalar(query) or 0.0)


def _new(session: Session, actor: Actor, params: Params, place: Place, name: str | None, version: str) -> HotspotRun:
    row = HotspotRun(
        community_id=None if place.unit else place.communities[0].id,
        unit_id=place.unit.id if place.unit else None,
        communities=place.ids,
        grid_id=place.grid_id,
        account_id=actor.account_id,
        name=name,
        params=params.to_json(),
        state="queued",
        version=version,
    )
    session.add(row)
    session.flush()
    return row


def _same(session: Session, actor: Actor, params: Params, place: Place, on: ColumnElement[bool]) -> HotspotRun | None:
    """A run with the same parameters that is done, or that the worker still has before it."""
    query = select(HotspotRun).where(
        HotspotRun.communities == place.ids,
        HotspotRun.params == params.to_json(),
        on,
        (HotspotRun.state == "done") | func.job_is_coming(HotspotRun.job_id),
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
    _require(actor, found)
    found.name = name
    session.flush()
    return found


def remove(session: Session, actor: Actor, found: HotspotRun) -> None:
    """Remove a run."""
    _require(actor, found)
    session.delete(found)
    session.flush()


def _require(actor: Actor, found: HotspotRun) -> None:
    """Raise unless the actor may run the analysis wherever this run looked."""
    for community_id in found.communities:
        access.require(actor, "hotspot.run", community_id, found.grid_id)


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
