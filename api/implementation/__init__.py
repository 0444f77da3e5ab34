"""Implementation reports 实施情况报告."""

from __future__ import annotations

from api.implementation import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
