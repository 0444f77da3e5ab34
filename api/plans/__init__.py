"""Plans 规划: boundaries drawn anew on the planner's table."""

from __future__ import annotations

from api.plans import comparing, pages, residents, routes

API = (routes.api,)
PAGES = (residents.pages, comparing.pages, pages.pages)
