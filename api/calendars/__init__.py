"""Working days 工作日历."""

from __future__ import annotations

from api.calendars import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
