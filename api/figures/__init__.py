"""Figures: every number with how it is counted, and the records behind it."""

from __future__ import annotations

from api.figures import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
