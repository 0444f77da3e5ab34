"""Disputes 矛盾纠纷."""

from __future__ import annotations

from api.disputes import pages, routes, sheets

API = (routes.api,)
PAGES = (sheets.pages, pages.pages)
