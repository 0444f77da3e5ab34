"""Views: pictures of the map with legend, period, source and one plain sentence.

Each is made by a pure function of data (``cases``, ``hotspots``, ``patrols``); ``draw`` reads for an actor what the
function of a view needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from data import incidents, units
from data.base import settings
from data.base.access import Actor
from data.base.language import _
from data.views import View, scenes
from maps.views import cases
from maps.views.cases import Told
from maps.views.frame import Picture

#: How many days the views over time look back at first.
DAYS = 90
_CASES = {
    View.OVERVIEW: cases.overview,
    View.LIGHTS: cases.lights,
    View.OVERDUE: cases.overdue,
    View.TIMELINE: cases.timeline,
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody wants to look at.

    Attributes
    ----------
    community
        None for all that the actor may see.
    category
        The code of a category; None for what the view is about.
    first, last
        The days; those of the view itself when they are None.
    shared
        Whether it leaves the house, and shows nothing of homes.
    """

    view: View
    community: units.Unit | None = None
    category: str | None = None
    first: date | None = None
    last: date | None = None
    shared: bool = False


def names() -> dict[View, tuple[str, str]]:
    """What each view is called, and what it shows."""
    return {
        View.OVERVIEW: (_("Overview"), _("Open cases by state.")),
        View.HOTSPOTS: (_("Hotspots"), _("Where cases gather more than chance would have it.")),
        View.LIGHTS: (_("Broken lights"), _("Lights that are reported broken, by how long.")),
        View.COVERAGE: (_("Patrol coverage"), _("What patrols passed, what they did not, and where GPS was too poor.")),
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
    now = datetime.now(ZoneInfo(settings.get().timezone))
    last = asked.last or now.date()
    over_time = asked.view in (View.TIMELINE, View.HOTSPOTS, View.COVERAGE, View.UNPATROLLED)
    first = asked.first or (last - timedelta(days=DAYS - 1) if over_time else None)
    source = _("Source: cases of {place}, {minute}.", place=name, minute=f"{now:%Y-%m-%d %H:%M}")
    told = Told(first, last, f"{source} {attribution}".strip(), now, asked.shared)
    ground = scenes.ground(session, actor, asked.community, name)
    return _CASES[asked.view](ground, scenes.cases(session, actor, _wanted(asked)), told)


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
