"""What residents report 居民上报, and how they follow it."""

from __future__ import annotations

from api.reports import pages, tracking

PAGES = (pages.pages, tracking.pages)
