"""Needless work 多余的工作: said at the foot of a page, seen by the community office."""

from __future__ import annotations

from api.needless import pages

PAGES = (pages.pages,)
