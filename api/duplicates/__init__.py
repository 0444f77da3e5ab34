"""Duplicates 重复档案: people and households that were recorded twice."""

from __future__ import annotations

from api.duplicates import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
