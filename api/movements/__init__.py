"""Movements 人口变动."""

from __future__ import annotations

from api.movements import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
