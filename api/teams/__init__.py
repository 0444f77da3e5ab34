"""Service teams 特色服务队."""

from __future__ import annotations

from api.teams import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
