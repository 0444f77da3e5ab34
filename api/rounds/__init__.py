"""Rounds 巡查路线."""

from __future__ import annotations

from api.rounds import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
