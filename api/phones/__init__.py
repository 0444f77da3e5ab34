"""Phones 手机 without a network: what they take along, and what they send."""

from __future__ import annotations

from api.phones import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
