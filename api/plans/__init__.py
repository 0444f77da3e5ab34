"""Plans 规划: boundaries drawn anew on the planner's table."""

from __future__ import annotations

from api.plans import pages, residents, routes

API = (routes.api,)
PAGES = (residents.pages, pages.pages)
