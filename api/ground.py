"""What the maps of all pages are made with: the base map, where they look first, and from when their tiles are."""

from __future__ import annotations

from typing import Any

import folium

from api import static
from api.pages import Page
from data import glance
from data.base import audit
from data.base.settings import Settings
from maps import basemaps, offline
from maps.basemaps import Basemap


def basemap(settings: Settings) -> Basemap:
    """The base map that the settings ask for."""
    return basemaps.choose(
        settings.basemap, tianditu_key=settings.tianditu_key, attribution=settings.basemap_attribution
    )


def frame(page: Page) -> dict[str, Any]:
    """The arguments that every map takes: ``bounds``, ``basemap``, ``community``, ``version`` and ``static``."""
    last = audit.last_at(page.session)
    return {
        "bounds": glance.bounds(page.session, page.actor, page.community_id),
        "basemap": basemap(page.settings),
        "community": page.community,
        "version": f"{int(last.timestamp() * 1000):x}" if last else "0",
        "static": static.address().rstrip("/"),
    }


def shown(the_map: folium.Map, settings: Settings) -> dict[str, Any]:
    """What a template needs to show a map: ``map`` in its pieces, and ``attribution``."""
    base = basemap(settings)
    parts = offline.parts(the_map, vendor=static.address("vendor"), allowed=base.prefixes)
    return {"map": parts, "attribution": base.attribution}
