"""Districts, streets, communities 区划."""

from __future__ import annotations

from api.units import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
