"""Coverage 巡查覆盖: what patrols passed."""

from __future__ import annotations

from api.coverage import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
