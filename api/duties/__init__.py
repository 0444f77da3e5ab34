"""The six roles 六大员 of a grid leader."""

from __future__ import annotations

from api.duties import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
