"""Plans 规划: boundaries drawn anew on the planner's table."""

from __future__ import annotations

from api.plans import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
