"""Work reports: from a grid to its community, from a community to its street, from a street to those below it."""

from __future__ import annotations

from api.briefs import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
