"""Buildings and their dwellings 楼栋、房屋."""

from __future__ import annotations

from api.buildings import dwellings, pages, routes

API = (routes.api,)
PAGES = (pages.pages, dwellings.pages)
