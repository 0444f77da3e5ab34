"""The map of hotspots: cells by how sure it is that they are hot, by density, or the cases as points with clusters."""

from __future__ import annotations

import folium

from data.base.language import _
from maps.basemaps import Basemap
from maps.ground import Bounds, ground


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


def hotspots(
    *,
    bounds: Bounds,
    basemap: Basemap,
    version: str,
    community: str | None = None,
    static: str = "/static",
    tiles: str = "/tiles",
    title: str = "",
) -> folium.Map:
    """The map of the page ``/hotspots``; what is drawn on it, the page says and says again when it changes.

    Parameters
    ----------
    title
        What stands above a printed map.
    """
    return ground(
        "hotspots", bounds=bounds, basemap=basemap, version=version, community=community, static=static, tiles=tiles,
        title=title, heats=list(heat_names().items()),
    )  # fmt: skip
