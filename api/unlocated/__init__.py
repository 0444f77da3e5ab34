"""Records that still need a place 待定位."""

from __future__ import annotations

from api.unlocated import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
