"""What every map of ours stands on: a folium map, the base map, and the script module that draws on it.

A map is a :class:`folium.Map` without folium's own tiles and buttons, plus one :class:`maps.programs.Program`: a module
of ``static/js/map`` that takes the Leaflet map over and draws vector tiles on it. Tiles are reached at
``/tiles/{layer}/{z}/{x}/{y}.mvt``; they are 512 pixels wide, so that the tile of zoom ``z`` is seen at map zoom
``z + 1``. A page's size therefore does not depend on how much there is to see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from maps import symbols
from maps.basemaps import Basemap

if TYPE_CHECKING:
    import folium

#: South, west, north, east in degrees (EPSG:4326).
Bounds = tuple[float, float, float, float]

TILE_ZOOMS = (8, 16)
"""The lowest and highest zoom at which tiles are asked for; nearer views enlarge the highest."""


class Frame(TypedDict):
    """What every map takes, as ``ground`` has it; a map names what it takes beyond that."""

    bounds: Bounds
    basemap: Basemap
    version: str
    community: NotRequired[str | None]
    tiles: NotRequired[str]
    static: NotRequired[str]


def ground(
    module: str,
    *,
    bounds: Bounds,
    basemap: Basemap,
    version: str,
    community: str | None = None,
    tiles: str = "/tiles",
    static: str = "/static",
    draws: bool = False,
    **config: Any,
) -> folium.Map:
    """A map of ``bounds`` over ``basemap`` that ``module`` draws on.

    Parameters
    ----------
    module
        A script below ``static/js``, without ``.js``: ``map/overview``.
    bounds
        What is shown first.
    version
        Changes whenever the records change, so that a browser never shows old tiles from its cache.
    community
        The code that the tiles are asked for; all that the actor may see when None.
    draws
        Whether lines and areas are drawn and dragged on it, by leaflet-geoman.
    **config
        What the module needs beyond the ground, as JSON.
    """
    import folium

    from maps.programs import Drawn, Program

    south, west, north, east = bounds
    the_map = folium.Map(
        location=((south + north) / 2, (west + east) / 2),
        zoom_start=16,
        # Whole steps would leave a small community on half the screen; quarter steps would draw each tile four times.
        zoom_snap=0.5,
        tiles=None,
        zoom_control=False,
        attribution_control=False,
        bounce_at_zoom_limits=False,
    )
    basemap.add_to(the_map)
    settings = {
        "static": static,
        "tiles": tiles,
        "tile_zooms": TILE_ZOOMS,
        "version": version,
        "community": community,
        "bounds": [[south, west], [north, east]],
        "basemap": {"drawn": basemap.drawn, "pictures": bool(basemap.addresses), "attribution": basemap.attribution},
        "symbols": symbols.as_dict(),
    }
    program = Drawn if draws else Program
    the_map.add_child(program(module, {**settings, **config}, static=static))
    return the_map
