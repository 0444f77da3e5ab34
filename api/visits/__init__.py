"""Visits 走访."""

from __future__ import annotations

from api.visits import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
