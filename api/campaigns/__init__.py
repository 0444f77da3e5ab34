"""Campaigns 集中入户走访."""

from __future__ import annotations

from api.campaigns import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
