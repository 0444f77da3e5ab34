"""The map under a resident's report: the community's ground, and a pin in the middle that the map is moved under.

It is for visitors, who have no tiles of their own: the ground comes whole, as GeoJSON, and is drawn by Leaflet alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maps import symbols
from maps.basemaps import Basemap
from maps.ground import Bounds

if TYPE_CHECKING:
    import folium


def openly(
    *,
    bounds: Bounds,
    basemap: Basemap,
    ground: str,
    cells: list[Any],
    side: float,
    static: str = "/static",
) -> folium.Map:
    """How many cases lie in which cell, for everybody to see.

    Parameters
    ----------
    bounds, ground
        As :func:`reporting`.
    cells
        Longitude and latitude (degrees) of the south-western corner, and how many are open and settled (``None``: too
        few to be told).
    side
        Degrees that a cell measures either way.
    """
    shown = {"cells": cells, "side": side, "movable": True}
    return _light(bounds, basemap, ground, shown, static, zoom_start=16, zoom_control=True)


def reporting(
    *,
    bounds: Bounds,
    basemap: Basemap,
    ground: str,
    point: tuple[float, float] | None = None,
    movable: bool = True,
    static: str = "/static",
) -> folium.Map:
    """A map that fills the fields ``lon`` and ``lat`` of its page with what lies under the pin.

    Parameters
    ----------
    bounds
        What is shown first, unless there is a point.
    ground
        Where the ground is, as GeoJSON; see ``data.place_codes.ground``.
    point
        Longitude and latitude (EPSG:4326) that the pin stands on at first.
    movable
        Whether the place may be chosen; else the map only shows it.
    """
    shown = {"point": point, "movable": movable}
    return _light(bounds, basemap, ground, shown, static, point=point, zoom_start=18, zoom_control=False)


def _light(
    bounds: Bounds,
    basemap: Basemap,
    ground: str,
    shown: dict[str, Any],
    static: str,
    *,
    point: tuple[float, float] | None = None,
    zoom_start: int,
    zoom_control: bool,
) -> folium.Map:
    """A map for residents, light enough for a phone far from a mast."""
    import folium

    from maps.programs import Light

    south, west, north, east = bounds
    the_map = folium.Map(
        location=(point[1], point[0]) if point else ((south + north) / 2, (west + east) / 2),
        zoom_start=zoom_start,
        tiles=None,
        zoom_control=zoom_control,
        attribution_control=False,
    )
    basemap.add_to(the_map)
    config = {
        "bounds": [[south, west], [north, east]],
        "ground": ground,
        "pictures": bool(basemap.addresses),
        "symbols": {"ground": symbols.GROUND, "palette": symbols.PALETTE},
    }
    the_map.add_child(Light("map", config | shown, static=static))
    return the_map
