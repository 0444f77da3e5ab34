"""The diary 民情日记."""

from __future__ import annotations

from api.diary import pages, routes, summaries

API = (routes.api,)
PAGES = (summaries.pages, pages.pages)
