"""The map of hotspots: cells by how sure it is that they are hot, by density, or the cases as points with clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from data.base.language import _
from data.hotspots import CELL_M, Params
from maps.ground import Frame, ground
from spatial.hotspots import EMERGING, FADING, PERSISTING

if TYPE_CHECKING:
    import folium

#: Widths of cells that are offered, in metres, and of how many cells a map can bear.
WIDTHS_M = (36, 60, 100, 150, 200, 300, 500, 1000)
CELLS_MOST = 2_500
_COURSES = {"emerging": EMERGING, "persistent": PERSISTING, "fading": FADING}
#: A hotspot reaches into the grids with so much of its cases, those with most of them first.
_REACH = 0.9


def width_for(area_m2: float) -> int:
    """The narrowest cells of which there are not too many on an area.

    >>> width_for(156_000)
    36
    """
    return next((width for width in WIDTHS_M if area_m2 / (0.866 * width**2) <= CELLS_MOST), WIDTHS_M[-1])


def grids_of(spot: Mapping[str, Any]) -> str:
    """The grids of a hotspot in words: the one with half of its cases, else two and how many more it reaches into."""
    grids, cases = spot["grids"], spot["cases"]
    if not grids:
        return ""
    if 2 * grids[0]["cases"] >= cases:
        return str(grids[0]["name"])
    reached = 0
    held = 0
    while reached < len(grids) and held < _REACH * cases:
        held += grids[reached]["cases"]
        reached += 1
    named = _("{one} and {other}", one=grids[0]["name"], other=grids[1]["name"])
    if reached <= 2:
        return named
    first = _(", ").join(grid["name"] for grid in grids[:2])
    return _("{grids} and {count} grids more", grids=first, count=reached - 2)


def sentence(what: str | None, used: int, first: Mapping[str, Any] | None, place: str) -> str:
    """What the analysis of ``used`` cases found, in one plain sentence.

    Parameters
    ----------
    what
        The name of their category; ``None`` for all.
    first
        The first hotspot, as :func:`data.hotspots.spots` gives it; ``None`` when there is none.
    place
        Where that is, in words.
    """
    if not used:
        return _("No case to look at on these days.")
    if first is None:
        if what is None:
            return _("No place stands out among {count} cases; chance would spread them alike.", count=f"{used:,}")
        return _(
            "{what}: no place stands out among {count} cases; chance would spread them alike.",
            what=what,
            count=f"{used:,}",
        )
    words = {
        "place": place,
        "area": _percent(first["area_share"]),
        "share": _percent(first["case_share"]),
        "cases": f"{first['cases']:,}",
        "used": f"{used:,}",
    }
    if what is None:
        return _("Cases cluster in {place}: {area} of the area, {share} of the cases ({cases} of {used}).", **words)
    return _(
        "{what}: a cluster in {place}, {area} of the area with {share} of the cases ({cases} of {used}).",
        what=what,
        **words,
    )


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def params(cell_m: int, *, category: str | None, **asked: Any) -> Params:
    """What a map asks for: bandwidth and reach grow with the cells, and equal questions find the run that is there.

    Parameters
    ----------
    **asked
        Other fields of :class:`data.hotspots.Params`: ``community`` or ``unit``, and what else is wanted.
    """
    scale = cell_m / CELL_M
    return Params(
        cell_m=float(cell_m),
        categories=(category,) if category else None,
        bandwidth_m=min(5_000.0, max(5.0, 50.0 * scale)),
        cluster_distance_m=min(5_000.0, 40.0 * scale),
        **asked,
    )


def heat_names() -> dict[str, str]:
    """How sure it is that a cell is hot or cold, hottest first."""
    return {
        "hot_99": _("Hot, 99% sure"),
        "hot_95": _("Hot, 95% sure"),
        "hot_90": _("Hot, 90% sure"),
        "none": _("Not significant"),
        "cold_90": _("Cold, 90% sure"),
        "cold_95": _("Cold, 95% sure"),
        "cold_99": _("Cold, 99% sure"),
    }


def pattern_names() -> dict[str, str]:
    """How a cell has been hot over the periods; empty for what needs no word."""
    return {
        "new": _("newly hot"),
        "consecutive": _("hot of late"),
        "intensifying": _("getting hotter"),
        "persistent": _("hot all along"),
        "diminishing": _("getting cooler"),
        "sporadic": _("hot at times"),
        "historical": _("hot before"),
        "rising": _("rising"),
        "falling": _("falling"),
        "none": "",
    }


def course_names() -> dict[str, str]:
    """How cells have been hot over the periods, in three words."""
    return {
        "emerging": _("Emerging: newly hot, or getting hotter"),
        "persistent": _("Persistent: hot all along, or at times"),
        "fading": _("Fading: getting cooler, or hot before"),
    }


def course_of(pattern: str) -> str:
    """Which of the three a pattern belongs to; empty for none."""
    return next((name for name, patterns in _COURSES.items() if pattern in patterns), "")


def hotspots(
    *,
    title: str = "",
    **frame: Unpack[Frame],
) -> folium.Map:
    """The map of the page ``/hotspots``; what is drawn on it, the page says and says again when it changes.

    Parameters
    ----------
    title
        What stands above a printed map.
    """
    return ground(
        "hotspots/map",
        **frame,
        title=title,
        heats=list(heat_names().items()),
        courses=list(course_names().items()),
        course_of={str(pattern): course_of(pattern) for patterns in _COURSES.values() for pattern in patterns},
    )
