"""Activities 活动 of service teams."""

from __future__ import annotations

from api.activities import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
