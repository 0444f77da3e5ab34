"""Walks within the minutes one has 走访路线."""

from __future__ import annotations

from api.walks import pages

PAGES = (pages.pages,)
