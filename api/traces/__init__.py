"""Orders of traces 留痕, which everybody who walks may read."""

from __future__ import annotations

from api.traces import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
