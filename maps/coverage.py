"""The map of what patrols passed: buildings, pieces of street and assets that were seen, were not, or may have been.

Features come as GeoJSON with the properties ``kind`` (building, street, asset), ``id``, ``name``,
``status`` (seen, not_seen, too_poor), ``last_seen`` and ``by``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from data.base.language import _
from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium


def status_names() -> dict[str, str]:
    """What can be said of a place, what needs doing first."""
    return {"not_seen": _("Not passed"), "too_poor": _("GPS too poor to say"), "seen": _("Passed")}


def kind_names() -> dict[str, str]:
    """What can be passed."""
    return {"building": _("Buildings"), "street": _("Streets"), "asset": _("Assets")}


def coverage(*, features: str, title: str = "", **frame: Unpack[Frame]) -> folium.Map:
    """The map of the page ``/coverage``.

    Parameters
    ----------
    features
        The address of the GeoJSON, with period, distance and area.
    title
        What stands above a printed map.
    """
    return ground("coverage/map", **frame, features=features, title=title, statuses=status_names(), kinds=kind_names())
