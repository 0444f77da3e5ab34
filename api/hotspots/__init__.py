"""Hotspots 热点: where cases cluster."""

from __future__ import annotations

from api.hotspots import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
