"""The audit 审计: who changed or looked at what."""

from __future__ import annotations

from api.audit import pages, routes

API = (routes.api,)
PAGES = (pages.pages,)
