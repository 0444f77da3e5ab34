"""What the maps of all pages are made with: the base map, and where they look first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.base import static
from api.base.page import Page
from data import glance
from data.base.settings import Settings
from maps import basemaps, offline
from maps.basemaps import Basemap

if TYPE_CHECKING:
    import folium


def basemap(settings: Settings) -> Basemap:
    """The base map that the settings ask for."""
    return basemaps.choose(
        settings.basemap, tianditu_key=settings.tianditu_key, attribution=settings.basemap_attribution
    )


def frame(page: Page) -> dict[str, Any]:
    """The arguments that every map takes: ``bounds``, ``basemap``, ``community``, ``version`` and ``static``."""
    return {
        "bounds": glance.bounds(page.session, page.actor, page.community_id),
        "basemap": basemap(page.settings),
        "community": page.community,
        # Browsers ask for each tile again and mostly hear that theirs is still true: only a page's own change is new.
        "version": "1",
        "static": static.address().rstrip("/"),
    }


def shown(the_map: folium.Map, settings: Settings) -> dict[str, Any]:
    """What a template needs to show a map: ``map`` in its pieces, and ``attribution``."""
    base = basemap(settings)
    parts = offline.parts(the_map, vendor=static.address("vendor"), allowed=base.prefixes)
    return {"map": parts, "attribution": base.attribution}
