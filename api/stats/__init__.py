"""Figures that lead to their records 统计."""

from __future__ import annotations

from api.stats import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
