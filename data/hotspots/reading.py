"""Reading what came of a run: cells, hotspots, clusters, default points, grids, trend, comparison, coverage.

The caller has shown that the actor may see the run. Small numbers are kept back here: a cell, or a building, with fewer
than 5 cases shows none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from data import units
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.hotspots import gathering
from data.hotspots.asking import Params
from data.hotspots.tables import HotspotCell, HotspotRun, RunNotDone
from spatial import hotspots
from spatial.datums import reproject
from spatial.hotspots import Heat, Lattice

#: A cell with fewer cases than this shows no number.
SHOWN_FROM = 5
HOT = (Heat.HOT_99, Heat.HOT_95, Heat.HOT_90)


def cells(session: Session, run: HotspotRun) -> list[Row[Any]]:
    """The cells of a run by row and column, with the grid's name, ``geojson``, and ``lon`` and ``lat`` of the centre.

    With fewer than 5 cases a cell has neither ``cases`` nor ``rate``; ``few`` tells whether it has some.
    """
    _done(run)
    shown, centre = HotspotCell.cases >= SHOWN_FROM, func.ST_Centroid(HotspotCell.geom)
    query = (
        select(
            HotspotCell.q,
            HotspotCell.r,
            HotspotCell.grid_id,
            (units.full_name() if run.unit_id else units.Unit.name).label("grid_name"),
            case((shown, HotspotCell.cases)).label("cases"),
            case((shown, HotspotCell.rate)).label("rate"),
            (~shown & (HotspotCell.cases > 0)).label("few"),
            HotspotCell.households,
            HotspotCell.density,
            HotspotCell.z,
            HotspotCell.p,
            HotspotCell.p_adjusted,
            HotspotCell.heat,
            HotspotCell.pattern,
            HotspotCell.trend,
            HotspotCell.spot,
            func.ST_X(centre).label("lon"),
            func.ST_Y(centre).label("lat"),
            func.ST_AsGeoJSON(func.ST_ForcePolygonCCW(HotspotCell.geom), 8).label("geojson"),
        )
        .outerjoin(units.Unit, units.Unit.id == HotspotCell.grid_id)
        .where(HotspotCell.run_id == run.id)
        .order_by(HotspotCell.r, HotspotCell.q)
    )
    return list(session.execute(query).all())


def spots(run: HotspotRun) -> list[dict[str, Any]]:
    """The hotspots: hot cells that touch, the surest and then the greatest first."""
    return [
        {**one, "buildings": [{**row, "cases": _shown(row["cases"])} for row in one["buildings"]]}
        for one in _results(run, "spots")
    ]


def clusters(run: HotspotRun) -> list[dict[str, Any]]:
    """Groups of points close together, the greatest first."""
    return _results(run, "clusters")


def default_points(run: HotspotRun) -> list[dict[str, Any]]:
    """Coordinates on which cases are stacked whose addresses disagree, the greatest stack first."""
    return _results(run, "default_points")


def by_grid(run: HotspotRun) -> list[dict[str, Any]]:
    """Cases and cases per 100 households of each grid, by code."""
    return _results(run, "by_grid")


def trend(run: HotspotRun) -> list[dict[str, Any]]:
    """Cases used and left out in each period, the oldest first."""
    return _results(run, "series")


def alarms(run: HotspotRun) -> list[dict[str, Any]]:
    """What the space-time scan found to have grown up to the last day, the strongest first."""
    return _results(run, "alarms")


def repeats(run: HotspotRun) -> list[dict[str, Any]]:
    """Buildings where the same kind of case came again within 90 days, the most frequent first."""
    return _results(run, "repeats")


def compare(
    session: Session, actor: Actor, run: HotspotRun, *, first: date | None = None, last: date | None = None
) -> list[dict[str, Any]]:
    """Compare the cases of a run with those of other days, cell by cell with its neighbours.

    Parameters
    ----------
    first, last
        The other days, both included; by default as many as the run has, right before it.

    Returns
    -------
    list of dict
        Of each cell of the run with cases around it in either period: ``q r before after ratio p p_adjusted change``
        (``more``, ``fewer`` or ``same``, at 5 % false discoveries) and ``geojson``. Sums under 5 are kept back.

    Raises
    ------
    Invalid
        The other days overlap the run's, or are the wrong way round.
    """
    _done(run)
    params = Params.from_json(run.params)
    assert params.first is not None, "the parameters of a run are settled"
    assert params.last is not None, "the parameters of a run are settled"
    until = last or params.first - timedelta(days=1)
    since = first or until - timedelta(days=params.days - 1)
    if since > until or (since <= params.last and until >= params.first):
        raise Invalid(_("The other days come before or after those of the run."), field="first")
    place = gathering.place_of(session, actor, run)
    left_out = (
        [(point["lon"], point["lat"]) for point in default_points(run)] if params.leave_out_default_points else []
    )
    rows = session.execute(
        select(
            HotspotCell.q,
            HotspotCell.r,
            func.ST_AsGeoJSON(func.ST_ForcePolygonCCW(HotspotCell.geom), 8).label("geojson"),
        )
        .where(HotspotCell.run_id == run.id)
        .order_by(HotspotCell.r, HotspotCell.q)
    ).all()
    lattice = Lattice(params.cell_m, params.shape)
    named = np.array([(row.q, row.r) for row in rows], dtype=np.int64).reshape(-1, 2)
    near = lattice.neighbours(named, params.rings)
    before, after = (
        hotspots.count(
            gathering.places(session, actor, replace(params, first=begin, last=end), place, left_out), lattice, named
        )
        for begin, end in ((since, until), (params.first, params.last))
    )
    changes = hotspots.changes(near.sums(before), near.sums(after), (until - since).days + 1, params.days)
    held = np.flatnonzero(changes.before + changes.after)
    adjusted = hotspots.false_discovery(changes.p[held])
    return [
        {
            "q": rows[at].q,
            "r": rows[at].r,
            "geojson": rows[at].geojson,
            "before": _shown(int(changes.before[at])),
            "after": _shown(int(changes.after[at])),
            "ratio": float(changes.ratio[at]) if np.isfinite(changes.ratio[at]) else None,
            "p": float(changes.p[at]),
            "p_adjusted": float(q),
            "change": _change(float(changes.ratio[at]), float(q)),
        }
        for at, q in zip(held.tolist(), adjusted.tolist(), strict=True)
    ]


def unpatrolled(
    session: Session, run: HotspotRun, crs: str, seen: Iterable[tuple[BaseGeometry, bool | None]]
) -> list[Row[Any]]:
    """The hot cells of a run that patrols did not pass, most cases first; rows as ``cells`` gives them.

    Parameters
    ----------
    crs
        The community's metric reference system.
    seen
        What there is to be seen (EPSG:4326), and whether it was; None where that is not known.
    """
    params, rows = Params.from_json(run.params), cells(session, run)
    lattice = Lattice(params.cell_m, params.shape)
    named = np.array([(row.q, row.r) for row in rows], dtype=np.int64).reshape(-1, 2)
    known = [(geom, bool(flag)) for geom, flag in seen if flag is not None]
    shapes = reproject(np.array([geom for geom, _flag in known], dtype=object), "EPSG:4326", crs)
    tree = shapely.STRtree(lattice.polygons(named))
    # A street counts in every cell it passes through, by nothing but being there.
    thing, cell = tree.query(shapes, predicate="intersects")
    there = np.bincount(cell, minlength=len(named)).astype(np.float64)
    passed = np.bincount(
        cell, weights=np.array([flag for _geom, flag in known], dtype=np.float64)[thing], minlength=len(named)
    )
    share = np.divide(passed, there, out=np.full(len(named), np.nan), where=there > 0)
    counts = session.scalars(
        select(HotspotCell.cases).where(HotspotCell.run_id == run.id).order_by(HotspotCell.r, HotspotCell.q)
    ).all()
    hot = [row.heat in HOT for row in rows]
    return [rows[at] for at in hotspots.unpatrolled(hot, counts, share).tolist()]


def outline(session: Session, run: HotspotRun) -> BaseGeometry | None:
    """The outline of all hot cells of a run, in longitude and latitude; None without any."""
    found = session.scalar(
        select(func.ST_Union(HotspotCell.geom)).where(HotspotCell.run_id == run.id, HotspotCell.heat.in_(HOT))
    )
    return None if found is None else to_shape(found)


def _results(run: HotspotRun, name: str) -> list[dict[str, Any]]:
    _done(run)
    assert run.results is not None, "a run that is done has results"
    found: list[dict[str, Any]] = run.results[name]
    return found


def _done(run: HotspotRun) -> None:
    if run.state != "done":
        raise RunNotDone(_("This run is not done yet. Ask again in a moment."), job_id=run.job_id)


def _shown(number: int) -> int | None:
    """A number that is not too small to be shown; nothing for a small one, 0 for none."""
    return number if number == 0 or number >= SHOWN_FROM else None


def _change(ratio: float, adjusted: float) -> str:
    if adjusted > 0.05:
        return "same"
    return "more" if ratio > 1 else "fewer"
