"""Grids 网格 and their teams."""

from __future__ import annotations

from api.grids import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
