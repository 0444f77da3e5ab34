"""Today 今日待办."""

from __future__ import annotations

from api.today import pages

PAGES = (pages.pages,)
