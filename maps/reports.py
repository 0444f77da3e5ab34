"""The map under a resident's report: the community's ground, and a pin in the middle that the map is moved under.

It is for visitors, who have no tiles of their own: the ground comes whole, as GeoJSON, and is drawn by Leaflet alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import folium

from maps import symbols
from maps.basemaps import Basemap
from maps.ground import Bounds, Program


class _Light(Program):
    """A program that needs nothing but Leaflet: every kilobyte is loaded over a phone."""

    def __init__(self, module: str, config: Mapping[str, Any], *, static: str) -> None:
        super().__init__(module, config, static=static)
        self.default_js = []


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
    south, west, north, east = bounds
    the_map = folium.Map(
        location=(point[1], point[0]) if point else ((south + north) / 2, (west + east) / 2),
        zoom_start=18,
        tiles=None,
        zoom_control=False,
        attribution_control=False,
    )
    basemap.add_to(the_map)
    config = {
        "bounds": [[south, west], [north, east]],
        "ground": ground,
        "pictures": bool(basemap.addresses),
        "point": point,
        "movable": movable,
        "symbols": {"ground": symbols.GROUND, "palette": symbols.PALETTE},
    }
    the_map.add_child(_Light("reporting", config, static=static))
    return the_map
