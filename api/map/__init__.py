"""The map of the staff 地图."""

from __future__ import annotations

from api.map import pages

PAGES = (pages.pages,)
