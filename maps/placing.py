"""A small map to place one point on: where a case is, where an unlocated record belongs.

The page holds the fields ``lon`` and ``lat``; a click or a drag fills them, and typing into them moves the pin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from maps.ground import Frame, ground

if TYPE_CHECKING:
    import folium


def placing(
    *,
    point: tuple[float, float] | None = None,
    editable: bool = True,
    **frame: Unpack[Frame],
) -> folium.Map:
    """A map that fills the fields ``lon`` and ``lat`` of its page.

    Parameters
    ----------
    point
        Where the record is now: longitude, latitude (EPSG:4326).
    editable
        Whether the point may be moved.
    """
    return ground(
        "map/placing",
        **frame,
        point=point,
        editable=editable,
    )
