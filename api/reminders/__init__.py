"""Rules of reminders 催办规则."""

from __future__ import annotations

from api.reminders import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
