"""The first page of a new community."""

from __future__ import annotations

from api.start import pages

PAGES = (pages.pages,)
