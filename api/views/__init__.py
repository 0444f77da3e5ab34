"""Maps to print and hand on 专题图."""

from __future__ import annotations

from api.views import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
