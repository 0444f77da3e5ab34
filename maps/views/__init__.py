"""Views: pictures of the map with legend, period, source and one plain sentence.

Each is made by a pure function of data (``cases``, ``hotspots``, ``patrols``); ``draw`` reads for an actor what the
function of a view needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import shapely
from sqlalchemy.orm import Session

from data import coverage, incidents, units
from data import hotspots as runs
from data.base import access, language, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.views import View, scenes
from data.views.scenes import Ground
from maps import hotspots as cells
from maps.views import cases, patrols
from maps.views import hotspots as hot
from maps.views.cases import Told
from maps.views.frame import Picture
from maps.views.hotspots import Found

#: How many days the views over time look back at first; patrols are looked at over fewer.
DAYS = 90
PATROL_DAYS = 30
_CASES = {
    View.OVERVIEW: cases.overview,
    View.LIGHTS: cases.lights,
    View.OVERDUE: cases.overdue,
    View.TIMELINE: cases.timeline,
}
_METHODS = {"significant": hot.significant, "density": hot.density, "clusters": hot.clusters, "rate": hot.rate}
#: What one needs to look at a view, beyond cases.
PERMISSIONS: dict[View, tuple[str, ...]] = {
    View.HOTSPOTS: ("hotspot.run", "building.read"),
    View.UNPATROLLED: ("hotspot.run", "building.read", "coverage.read"),
    View.COVERAGE: ("coverage.read",),
    View.REPLAY: ("patrol.read",),
}


#: What is shown of a run of the analysis.
COMPUTED = (View.HOTSPOTS, View.UNPATROLLED)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody wants to look at.

    Attributes
    ----------
    community
        None for all that the actor may see.
    unit
        The lowest unit above all that, for what is computed for a whole street or district.
    category
        The code of a category; None for what the view is about.
    first, last
        The days; those of the view itself when they are None.
    method
        Of hotspots: one of :func:`methods`.
    shared
        Whether it leaves the house, and shows nothing of homes.
    """

    view: View
    community: units.Unit | None = None
    unit: units.Unit | None = None
    category: str | None = None
    first: date | None = None
    last: date | None = None
    method: str = "significant"
    shared: bool = False


def names() -> dict[View, tuple[str, str]]:
    """What each view is called, and what it shows."""
    return {
        View.OVERVIEW: (_("Overview"), _("Open cases by state.")),
        View.HOTSPOTS: (_("Hotspots"), _("Where cases gather more than chance would have it.")),
        View.LIGHTS: (_("Broken lights"), _("Lights that are reported broken, by how long.")),
        View.COVERAGE: (_("Patrol coverage"), _("What patrols passed, what they did not, and where GPS was too poor.")),
        View.REPLAY: (_("Patrols of a day"), _("The tracks of a day as they grew, with a slider.")),
        View.TIMELINE: (_("Cases over time"), _("What was open at which time, with a slider.")),
        View.OVERDUE: (_("Overdue cases"), _("Open cases whose time is over, by how long.")),
        View.UNPATROLLED: (_("Hot but unpatrolled"), _("Where cases gather and no patrol passes.")),
    }


def draw(session: Session, actor: Actor, asked: Asked, *, name: str, attribution: str = "") -> Picture:
    """The picture of a view for an actor.

    Parameters
    ----------
    name
        What the area is called.
    attribution
        Where the ground comes from.
    """
    for permission in PERMISSIONS.get(asked.view, ()):
        access.require(actor, permission)
    now = datetime.now(ZoneInfo(settings.get().timezone))
    last = asked.last or now.date()
    first = asked.first or (last - timedelta(days=_looks_back(asked.view) - 1) if _looks_back(asked.view) else None)
    source = _("Source: cases of {place}, {minute}.", place=name, minute=f"{now:%Y-%m-%d %H:%M}")
    caption = Told(first, last, f"{source} {attribution}".strip(), now, asked.shared)
    ground = scenes.ground(session, actor, asked.community, name)
    if asked.view in _CASES:
        wanted = _wanted(asked)
        drawn = _CASES[asked.view](ground, scenes.cases(session, actor, wanted), caption)
        without = scenes.placeless(session, actor, wanted) if asked.view is not View.TIMELINE else 0
        if not without:
            return drawn
        said = _("{count} cases have no place and are not counted here.", count=without)
        return replace(drawn, left_out=(*drawn.left_out, said))
    if asked.view is View.COVERAGE:
        return patrols.coverage(ground, _items(session, actor, asked, first or last, last), caption)
    if asked.view is View.REPLAY:
        day, walked = scenes.walks(session, actor, asked.community, asked.last, shared=asked.shared)
        return patrols.replay(ground, day, walked, caption)
    with _run(session, actor, asked, _params(session, actor, asked, ground, first, last)) as run:
        return _of_run(session, actor, asked, ground, run, caption)


def _of_run(
    session: Session, actor: Actor, asked: Asked, ground: Ground, run: runs.HotspotRun, caption: Told
) -> Picture:
    """The picture of what came of a run."""
    findings = _found(session, asked, run)
    last = caption.last
    if asked.view is View.HOTSPOTS:
        return _METHODS.get(asked.method, hot.significant)(ground, findings, caption)
    since = last - timedelta(days=PATROL_DAYS - 1)
    items = _items(session, actor, asked, since, last, tuple(run.communities))
    flags = {"seen": True, "not_seen": False}
    seen = [(shapely.from_geojson(item.geojson), flags.get(str(item.status))) for item in items if item.geojson]
    days = Told(since, last, "", caption.now).period
    missed = runs.unpatrolled(session, run, runs.place_of(session, actor, run).crs, seen)
    known = any(flag is not None for _geom, flag in seen)
    return hot.unpatrolled(ground, findings, missed, caption, days, known=known)


def methods() -> dict[str, str]:
    """The ways in which hotspots are drawn."""
    return {
        "significant": _("Significant"),
        "density": _("Density"),
        "clusters": _("Clusters"),
        "rate": _("Per household"),
    }


def _looks_back(view: View) -> int:
    """How many days a view is about at first; none when it is about now."""
    if view is View.COVERAGE:
        return PATROL_DAYS
    return DAYS if view in (View.TIMELINE, View.HOTSPOTS, View.UNPATROLLED) else 0


def _items(
    session: Session, actor: Actor, asked: Asked, first: date, last: date, communities: tuple[int, ...] | None = None
) -> Sequence[Any]:
    """What patrols can pass, and whether they did."""
    code = asked.community.code if asked.community else None
    wanted = coverage.Filter(first=first, last=last, community=code, communities=communities)
    return coverage.of(session, actor, wanted)


def ask(session: Session, actor: Actor, asked: Asked, *, name: str) -> None:
    """Have computed what a view of hotspots shows, at once or in the background."""
    ground = scenes.ground(session, actor, asked.community, name)
    last = asked.last or settings.today()
    first = asked.first or last - timedelta(days=_looks_back(asked.view) - 1)
    runs.run(session, actor, _params(session, actor, asked, ground, first, last))


def _params(
    session: Session, actor: Actor, asked: Asked, ground: Ground, first: date | None, last: date
) -> runs.Params:
    """What of hotspots a view asks for.

    Raises
    ------
    Invalid
        No community was chosen by somebody who sees several, and may analyse none of them as a whole.
    """
    area = actor.area("hotspot.run")
    if asked.community:
        place = {"community": asked.community.code, "grid": _own_grid(session, actor, asked.community)}
    elif asked.unit and (area.everywhere or area.communities):
        place = {"unit": asked.unit.code}
    else:
        raise Invalid(_("Hotspots are looked for in one community. Choose it."))
    return cells.params(cells.width_for(ground.area_m2), category=asked.category, first=first, last=last, **place)


@contextmanager
def _run(session: Session, actor: Actor, asked: Asked, params: runs.Params) -> Iterator[runs.HotspotRun]:
    """The run of a picture.

    Raises
    ------
    RunNotDone
        It is being computed, or nobody asked for it yet. A file or a link is looked at once, and does not wait.
    """
    if asked.shared:
        with runs.looked_at(session, actor, params) as run:
            yield run
        return
    last, current = runs.latest(session, actor, params)
    if last is None or not current:
        raise runs.RunNotDone(_("This has not been computed yet."), job_id=None)
    yield last


def _found(session: Session, asked: Asked, run: runs.HotspotRun) -> Found:
    category = incidents.category(session, asked.category) if asked.category else None
    summary = run.summary or {}
    return Found(
        cells=runs.cells(session, run),
        spots=runs.spots(run),
        clusters=runs.clusters(run),
        default_points=runs.default_points(run),
        by_grid=runs.by_grid(run),
        used=summary.get("used", 0),
        left_out=summary.get("left_out", 0),
        what=language.named(category) if category else None,
    )


def _own_grid(session: Session, actor: Actor, community: units.Unit) -> str | None:
    """The grid of somebody who may analyse only grids of the community; nothing for the whole of it."""
    area = actor.area("hotspot.run")
    if area.covers(community.id):
        return None
    below = units.listed(session, actor, level=units.Level.GRID, under=community.id)
    return next((grid.code for grid in below if grid.id in area.grids), None)


def _wanted(asked: Asked) -> incidents.Filter:
    """The cases that a view is about."""
    community = asked.community.code if asked.community else None
    categories: tuple[str, ...] | None = (asked.category,) if asked.category else None
    if asked.view is View.LIGHTS:
        categories = categories or cases.LIGHTS
    if asked.view is View.TIMELINE:
        # What was reported before the first day may still have been open on it.
        return incidents.Filter(community=community, categories=categories, last=asked.last)
    return incidents.Filter(
        community=community, categories=categories, states=incidents.OPEN, first=asked.first, last=asked.last
    )
