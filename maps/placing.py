"""A small map to place one point on: where a case is, where an unlocated record belongs.

The page holds the fields ``lon`` and ``lat``; a click or a drag fills them, and typing into them moves the pin.
"""

from __future__ import annotations

import folium

from maps.basemaps import Basemap
from maps.ground import Bounds, ground


def placing(
    *,
    bounds: Bounds,
    basemap: Basemap,
    version: str,
    community: str | None = None,
    point: tuple[float, float] | None = None,
    editable: bool = True,
    static: str = "/static",
    tiles: str = "/tiles",
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
        "placing",
        bounds=bounds,
        basemap=basemap,
        version=version,
        community=community,
        static=static,
        tiles=tiles,
        point=point,
        editable=editable,
    )
