"""Maps of patrols 巡查: the phone's own, one patrol with what was dropped of it, the day's replay, and a round's route.

What moves or changes (points, routes) reaches the scripts as GeoJSON, in longitude and latitude (EPSG:4326); the maps
only bring the ground.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium


def walking(**frame: Unpack[Frame]) -> folium.Map:
    """The map of the phone page ``/patrol``; what it shows, the phone keeps."""
    return ground("patrols/map", **frame)


def walked(*, points: str = "", **frame: Unpack[Frame]) -> folium.Map:
    """The track of one patrol, its check-ins, and the points that were dropped.

    Parameters
    ----------
    points
        The address of its points: ``{parts, dropped, check_ins}``. Without one the page brings them itself, in an
        element ``track-shown``.
    """
    return ground("patrols/walked", **frame, points=points)


def replay(*, tracks: str, timezone: str, **frame: Unpack[Frame]) -> folium.Map:
    """The patrols of a day under a time slider, which does not start by itself.

    Parameters
    ----------
    tracks
        The address of the day's tracks.
    timezone
        In which the clock runs.
    """
    return ground("patrols/replay", **frame, tracks=tracks, timezone=timezone)


def route(*, line: Mapping[str, Any] | None = None, editable: bool = True, **frame: Unpack[Frame]) -> folium.Map:
    """The route of a round, to draw by clicks and to change by dragging.

    Parameters
    ----------
    line
        Its GeoJSON LineString; None before anything is drawn.
    editable
        Whether it may be changed.
    """
    return ground("rounds/route", **frame, line=line, editable=editable)
